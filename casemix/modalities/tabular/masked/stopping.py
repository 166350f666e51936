"""When to stop: training is as long as it helps to find the cells of subjects not learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from casemix.core import seeding
from casemix.core.progress import Progress
from casemix.core.training import TrainConfig, train
from casemix.modalities.tabular.masked.masking import MaskedLoss
from casemix.modalities.tabular.masked.network import MaskedNetwork

_SHARES = (0.25, 0.5, 1.0)  # of the steps
_UNSEEN = 0.2  # of the subjects
_FEWEST = 20  # rows on either side; with fewer there is nothing to tell by
_MASKS = 4  # that the unseen rows are judged under


def stopped(
    build: Callable[[], MaskedNetwork],
    loss: MaskedLoss,
    subjects: np.ndarray,
    config: TrainConfig,
    *,
    seed: int,
    progress: Progress,
) -> TrainConfig:
    """Return the settings with the number of steps that unseen subjects speak for.

    Networks are trained on four fifths of the subjects for a quarter, half and all of the steps,
    until the loss on the others ends to fall.

    Args:
        build: returns an untrained network.
        loss: of all rows, (n,).
        subjects: subject of each row, (n,).
        config: settings with the most steps.
        seed: seed of the subjects left out and of the trials.
        progress: shows the trials; they keep no checkpoints.
    """
    unseen = _unseen(subjects, seed)
    budgets = [replace(config, steps=max(1, round(s * config.steps))) for s in _SHARES]
    if min(unseen.sum(), (~unseen).sum()) < _FEWEST:
        return budgets[0]
    learnt, others = loss.of(~unseen), loss.of(unseen)
    best, least = budgets[0], np.inf
    for budget in budgets:
        net = build()
        trial = replace(budget, steps=max(1, round((1 - _UNSEEN) * budget.steps)))
        shown = Progress(progress.bar)
        train(net, learnt, len(learnt), trial, seed=seed, progress=shown, label="trial")
        found = _error(net, others)
        if found > least:
            break
        best, least = budget, found
    return best


def _unseen(subjects: np.ndarray, seed: int) -> np.ndarray:
    """Return which rows are of the subjects left out, bool (n,)."""
    every = np.unique(subjects)
    order = seeding.generator(seed, "unseen").permutation(len(every))
    return np.isin(subjects, every[order[: round(_UNSEEN * len(every))]])


@torch.no_grad()
def _error(net: MaskedNetwork, loss: MaskedLoss) -> float:
    """Return the mean loss of all rows under several masks, nothing dropped."""
    rows, whole = torch.arange(len(loss)), replace(loss, widths=())
    noise = [torch.Generator().manual_seed(k) for k in range(_MASKS)]
    return float(np.mean([float(whole(net, rows, n)) for n in noise]))
