"""Fitting a network of event tokens; the weights that suit held-out subjects best are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from casemix.core import seeding
from casemix.core.progress import Progress
from casemix.core.training import train
from casemix.modalities.events.batches import Batches, held_out_loss
from casemix.modalities.events.event_network import EventNetwork
from casemix.modalities.events.stream_settings import StreamSettings
from casemix.modalities.events.tokens import Tokenised

_HELD_OUT, _MOST_HELD_OUT = 0.1, 400  # share and number of subjects that stop the training


@dataclass(frozen=True)
class Histories:
    """What is learnt from.

    Args:
        told: histories as tokens.
        features: their encoded context, float32 (n, d).
        owners: the subject of each, integers from 0 on, (n,).
    """

    told: Tokenised
    features: np.ndarray
    owners: np.ndarray

    def batches(self, rows: np.ndarray, settings: StreamSettings, seed: int) -> Batches:
        """Return batches of the histories of which ``rows`` holds, bool (n,)."""
        return Batches.of(
            self.told,
            self.features,
            np.flatnonzero(rows),
            longest=settings.longest,
            budget=settings.budget,
            seed=seed,
        )


def fit_network(
    network: EventNetwork,
    histories: Histories,
    settings: StreamSettings,
    *,
    seed: int,
    progress: Progress | None,
) -> tuple[float, ...]:
    """Train a network in place; return the loss of held-out subjects after each pass.

    The network never sees the histories of some held-out subjects; the weights that explain these
    best are kept, so that subjects are not learnt by heart. A few held-out subjects would stop it
    by chance: then dropout has to do.
    """
    held = held_out(histories.owners, settings.fewest, seed)
    known, unknown = (histories.batches(rows, settings, seed) for rows in (~held, held))
    network.order.start(known.counts(len(network.order.usual)))
    config = settings.train
    most = settings.epochs * len(known)
    steps = min(config.steps, most)
    network.dropout *= steps / most  # many histories are read too seldom to be learnt by heart
    # Few steps are not to be spent on warming up.
    config = replace(config, steps=steps, warmup=min(config.warmup, steps // 10))
    best = BestWeights(known, unknown, settings.hidden)
    train(
        network,
        best.loss,
        len(known),
        config,
        seed=seed,
        progress=progress,
        label="events",
        memory=best,
    )
    best.settle(network)
    return tuple(best.seen)


def held_out(owners: np.ndarray, fewest: int, seed: int) -> np.ndarray:
    """Return which histories belong to held-out subjects, bool (n,); none, if they are too few."""
    subjects = int(owners.max()) + 1
    count = min(round(_HELD_OUT * subjects), _MOST_HELD_OUT, subjects - 1)
    count = count if count >= fewest else 0
    drawn = seeding.generator(seed, "held out").permutation(subjects)[:count]
    return np.isin(owners, drawn)


class BestWeights:
    """Training loss that watches held-out histories and keeps the weights that suit them best.

    Args:
        known: histories to train on.
        unknown: held-out histories.
        hidden: share of the context's cells that training hides.
    """

    def __init__(self, known: Batches, unknown: Batches, hidden: float) -> None:
        self._known, self._unknown, self._hidden = known, unknown, hidden
        self._share = len(known) / max(known.count, 1)
        self._calls = 0
        self._weights: dict[str, torch.Tensor] = {}
        #: Loss of the held-out histories after each pass, nats per token.
        self.seen: list[float] = []

    def loss(self, model: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
        """Return the loss of `casemix.core.training.train`, whose rows are batches."""
        if self._calls and self._calls % len(self._known) == 0:
            self._look(model)
        self._calls += 1
        nll = [self._known.nll(model, int(i), noise, self._hidden) for i in rows]
        return torch.stack(nll).mean() * self._share

    def _look(self, model: nn.Module) -> None:
        if not len(self._unknown):
            return
        now = held_out_loss(model, self._unknown)
        if now < min(self.seen, default=math.inf):
            self._weights = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
        self.seen.append(now)

    def state(self) -> dict[str, torch.Tensor]:
        """See `casemix.core.training.Memory`."""
        about = {"calls": self._calls, "seen": self.seen}
        weights = {f"weights.{name}": value for name, value in self._weights.items()}
        return {name: torch.tensor(x, dtype=torch.float64) for name, x in about.items()} | weights

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """See `casemix.core.training.Memory`."""
        self._calls, self.seen = int(state["calls"]), state["seen"].tolist()
        named = {k.removeprefix("weights."): v for k, v in state.items()}
        self._weights = {k: v for k, v in named.items() if k not in ("calls", "seen")}

    def settle(self, model: nn.Module) -> None:
        """Put the best weights into the model; those at hand are averaged and usually best."""
        self._look(model)
        if self._weights:
            model.load_state_dict(self._weights)
