"""Downstream networks: any torch network as a classifier or a regression, in a few steps.

Imported by the modalities' downstream models alone: nothing else of the evaluation needs torch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from casemix.core.batches import fixed_batches
from casemix.core.downstream import Task
from casemix.core.training import TrainConfig, seeded, train

#: (inputs of a batch (b, ...), CPU generator) -> as many inputs, changed at random.
Augment = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
_BATCH = 64  # rows per prediction


def fit_network(
    build: Callable[[int], nn.Module],
    inputs: torch.Tensor,
    y: np.ndarray,
    *,
    task: Task,
    config: TrainConfig,
    augment: Augment | None = None,
    seed: int,
) -> Callable[[torch.Tensor], np.ndarray]:
    """Train a network and return its predictions of other inputs.

    The number of steps does not grow with n. Numbers are learnt standardised.

    Args:
        build: number of outputs -> network that maps (b, ...) to (b, outputs).
        inputs: float32 (n, ...), n of at least one.
        y: (n,) class codes 0 ... c - 1, or finite numbers.
        task: cross-entropy over c classes, or squared error.
        config: how to train.
        augment: changes the inputs of each batch.
        seed: seed of weights, batches and augmentation.

    Returns:
        inputs (m, ...) -> class probabilities (m, c), or numbers (m,), float64.

    Raises:
        FitError: no rows, or a loss that is not finite.
    """
    classes = int(y.max()) + 1 if task is Task.CLASSIFICATION else 1
    centre, scale = (0.0, 1.0) if task is Task.CLASSIFICATION else (y.mean(), y.std() or 1.0)
    goal = torch.from_numpy(y if task is Task.CLASSIFICATION else (y - centre) / scale)
    goal = goal.long() if task is Task.CLASSIFICATION else goal.float()
    network = seeded(seed, lambda: build(classes))

    def loss(model: nn.Module, rows: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        chosen = rows.cpu()
        batch = inputs[chosen] if augment is None else augment(inputs[chosen], draw)
        found, wanted = model(batch.to(rows.device)), goal[chosen].to(rows.device)
        if task is Task.CLASSIFICATION:
            return F.cross_entropy(found, wanted)
        return F.mse_loss(found[:, 0], wanted)

    train(network, loss, len(inputs), config, seed=seed)

    def predict(others: torch.Tensor) -> np.ndarray:
        found = _outputs(network, others, classes)
        if task is Task.REGRESSION:
            return found[:, 0] * scale + centre
        return np.asarray(torch.from_numpy(found).softmax(1))

    return predict


def _outputs(network: nn.Module, inputs: torch.Tensor, outputs: int) -> np.ndarray:
    """Return the network's outputs, float64 (n, outputs)."""
    parts = [np.zeros((0, outputs))]
    with torch.inference_mode():
        for rows, used in fixed_batches(len(inputs), _BATCH):
            parts.append(network(inputs[torch.from_numpy(rows)])[:used].double().numpy())
    return np.concatenate(parts)
