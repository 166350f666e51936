"""Downstream models of series: MiniRocket with a ridge classifier, and InceptionTime."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from casemix.core.batches import fixed_batches
from casemix.core.downstream import Downstream, Predict, Task
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig
from casemix.evaluation.networks import fit_network
from casemix.modalities.timeseries.data import Series
from casemix.modalities.timeseries.embed import fitted_rocket
from casemix.modalities.timeseries.filled import FilledCoder

_LONGEST = 500  # times; neighbours of longer series are averaged
_LONG = 200  # times, from which steps of InceptionTime have half as many series
_SHORTEST = 16  # times; shorter series are held at their end, for MiniRocket's kernels
_BATCH = 16  # series per pass through MiniRocket
_STRENGTH = 1e-2  # of the logistic regression: 2016 features, a few hundred series
_PENALTIES = np.logspace(1, 6, 6)  # of ridge regression, chosen by leave-one-out
_WIDTH, _DEPTH = 8, 3  # filters per branch and blocks of InceptionTime; published: 32 and 6
_TRAIN = TrainConfig(
    steps=160, batch_size=32, learning_rate=3e-3, warmup=16, weight_decay=1e-2, ema_decay=0.0
)


def minirocket(train: Samples, y: np.ndarray, *, task: Task, seed: int) -> Predict:
    """Train a linear model on MiniRocket's features. See `casemix.core.downstream.Downstream`.

    Reference:
        Dempster, Schmidt and Webb, MiniRocket, KDD 2021, through tsai.
    """
    coder = FilledCoder.fit(train.payload)
    inputs = _inputs(coder, train.payload)
    rocket = fitted_rocket(inputs, seed)

    def features(series: torch.Tensor) -> np.ndarray:
        found = []
        with torch.inference_mode():
            for rows, used in fixed_batches(len(series), _BATCH):
                found.append(rocket(series[torch.from_numpy(rows)])[:used].flatten(1).numpy())
        return np.concatenate(found)

    classify = task is Task.CLASSIFICATION
    linear = LogisticRegression(C=_STRENGTH, max_iter=300) if classify else RidgeCV(_PENALTIES)
    model = make_pipeline(StandardScaler(), linear).fit(features(inputs), y)
    judge = model.predict_proba if classify else model.predict
    return lambda samples: np.asarray(judge(features(_inputs(coder, samples.payload))))


def inception_time(train: Samples, y: np.ndarray, *, task: Task, seed: int) -> Predict:
    """Train a small InceptionTime. See `casemix.core.downstream.Downstream`.

    Reference:
        Ismail Fawaz et al., InceptionTime, Data Mining and Knowledge Discovery 2020, through tsai.
    """
    coder = FilledCoder.fit(train.payload)
    inputs = _inputs(coder, train.payload)
    channels = inputs.shape[1]
    predict = fit_network(
        lambda outputs: _inception_time(channels, outputs),
        inputs,
        y,
        task=task,
        config=replace(_TRAIN, batch_size=16) if inputs.shape[2] > _LONG else _TRAIN,
        seed=seed,
    )
    return lambda samples: predict(_inputs(coder, samples.payload))


#: What users train on series, by name.
DOWNSTREAM: Mapping[str, Downstream] = {"minirocket": minirocket, "inception_time": inception_time}


def _inception_time(channels: int, outputs: int) -> nn.Module:
    """Return the untrained network; its module loads fastai: slowly, and with warnings of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        module = importlib.import_module("tsai.models.InceptionTime")
    network: nn.Module = module.InceptionTime(channels, outputs, nf=_WIDTH, depth=_DEPTH)
    return network


def _inputs(coder: FilledCoder, series: Series) -> torch.Tensor:
    """Return what networks read, float32 (n, channels, times): 16 to 500 times."""
    filled = coder.encode(series).transpose(0, 2, 1)  # (n, c, t)
    short = _SHORTEST - filled.shape[2]
    if short > 0:
        filled = np.pad(filled, ((0, 0), (0, 0), (0, short)), mode="edge")
    inputs = torch.from_numpy(np.ascontiguousarray(filled))
    step = -(-inputs.shape[2] // _LONGEST)
    return inputs if step == 1 else F.avg_pool1d(inputs, step)
