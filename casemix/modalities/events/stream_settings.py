"""How histories are told, learnt and drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from casemix.core.training import TrainConfig


@dataclass(frozen=True)
class StreamSettings:
    """How histories are told, learnt and drawn.

    Args:
        longest: most tokens of a history; longer training histories are cut, without an end.
        value_bins: most bins of a code's values.
        gap_bins: most bins of the hours between two times.
        least: subjects with a code (or at or beyond an extreme value), before it may come out.
        epochs: most passes over the histories; few histories get fewer steps.
        budget: tokens of a training batch.
        fewest: held-out subjects that may stop the training; where a tenth of the subjects are
            fewer, none are held out and all passes are made.
        hidden: share of the context's cells that training hides, so that any may be unspecified.
        calibrations: rounds after the fit in which codes and the end become as usual in drawn
            histories as in training ones, if these are few; 0 = none, however many there are; see
            `casemix.modalities.events.calibration`.
        temperature: divides the logits; 1 = as learnt.
        batch: histories drawn at a time; part of what makes a sample bit-identical.
        train: the training loop; a row of its batches is one batch of ``budget`` tokens.
    """

    longest: int = 320
    value_bins: int = 12
    gap_bins: int = 24
    least: int = 5
    epochs: int = 120
    budget: int = 1024
    fewest: int = 1
    hidden: float = 0.1
    calibrations: int = 3
    temperature: float = 1.0
    batch: int = 256
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=4500, batch_size=1, learning_rate=5e-3, weight_decay=0.02, ema_decay=0.998
        )
    )


def stream_settings(content: Mapping[str, object]) -> StreamSettings:
    """Rebuild settings from JSON."""
    train = TrainConfig(**content["train"])  # type: ignore[arg-type]
    return StreamSettings(**{**content, "train": train})  # type: ignore[arg-type]
