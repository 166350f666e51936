"""Downstream models of pictures: a small convolutional network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from casemix.core.downstream import Downstream, Predict, Task
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig
from casemix.evaluation.networks import fit_network
from casemix.modalities.imaging.reduction import reduced_pictures

_WIDTH = 16  # channels of the first level
_SHIFT = 2  # pixels, most
_TRAIN = TrainConfig(
    steps=160, batch_size=32, learning_rate=3e-3, warmup=16, weight_decay=1e-2, ema_decay=0.0
)


def small_cnn(train: Samples, y: np.ndarray, *, task: Task, seed: int) -> Predict:
    """Train four convolutions with batch normalisation on pictures of at most 64 x 64 pixels.

    Masks are not looked at. Pictures are shifted by up to two pixels in training. See
    `casemix.core.downstream.Downstream`.
    """
    pictures = reduced_pictures(train.payload)  # (n, c, h, w)
    centre = pictures.mean(dim=(0, 2, 3), keepdim=True)
    scale = pictures.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-6)
    channels = pictures.shape[1]
    predict = fit_network(
        lambda outputs: _network(channels, outputs),
        (pictures - centre) / scale,
        y,
        task=task,
        config=_TRAIN,
        augment=_shifted,
        seed=seed,
    )
    return lambda samples: predict((reduced_pictures(samples.payload) - centre) / scale)


#: What users train on pictures, by name.
DOWNSTREAM: Mapping[str, Downstream] = {"small_cnn": small_cnn}


def _network(channels: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        _level(channels, _WIDTH),
        _level(_WIDTH, _WIDTH),
        _level(_WIDTH, 2 * _WIDTH),
        _level(2 * _WIDTH, 4 * _WIDTH),
        nn.AdaptiveAvgPool2d(2),  # where something is matters: keep the quadrant
        nn.Flatten(),
        nn.Linear(16 * _WIDTH, outputs),
    )


def _level(inputs: int, outputs: int) -> nn.Module:
    """Half the side; `outputs` channels."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _shifted(pictures: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Return the pictures, all moved by the same few pixels; the border is repeated."""
    y, x = torch.randint(0, 2 * _SHIFT + 1, (2,), generator=draw).tolist()
    height, width = pictures.shape[2:]
    padded = F.pad(pictures, (_SHIFT,) * 4, mode="replicate")
    return padded[:, :, y : y + height, x : x + width]
