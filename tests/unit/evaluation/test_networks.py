from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from torch import nn

from casemix.core.downstream import Task
from casemix.core.training import TrainConfig
from casemix.evaluation.networks import fit_network

_TRAIN = TrainConfig(
    steps=400, batch_size=200, learning_rate=0.1, warmup=0, clip_norm=100.0, ema_decay=0.0
)


def ward(n: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    return torch.from_numpy(x), x @ np.array([1.5, -1.0, 0.0]) + rng.normal(size=n)


def test_a_linear_network_is_a_logistic_regression():
    x, score = ward(200, 0)
    y = np.digitize(score, [-1.0, 1.0])
    predict = fit_network(
        lambda k: nn.Linear(3, k), x, y, task=Task.CLASSIFICATION, config=_TRAIN, seed=0
    )
    reference = LogisticRegression(C=1e6).fit(x.numpy(), y)
    others, _ = ward(130, 1)
    assert predict(others) == pytest.approx(reference.predict_proba(others.numpy()), abs=0.02)


def test_a_linear_network_is_a_linear_regression_in_the_target_s_units():
    x, y = ward(200, 0)
    y = 100 + 20 * y
    predict = fit_network(
        lambda k: nn.Linear(3, k), x, y, task=Task.REGRESSION, config=_TRAIN, seed=0
    )
    reference = LinearRegression().fit(x.numpy(), y)
    others, _ = ward(130, 1)
    assert predict(others) == pytest.approx(reference.predict(others.numpy()), abs=0.5)


def test_training_is_reproducible_and_leaves_the_global_random_state_alone():
    x, y = ward(40, 0)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    few = TrainConfig(steps=5, batch_size=8, ema_decay=0.0)

    def fit(seed: int) -> np.ndarray:
        return fit_network(
            lambda k: nn.Linear(3, k), x, y, task=Task.REGRESSION, config=few, seed=seed
        )(x)

    assert np.array_equal(fit(0), fit(0))
    assert not np.array_equal(fit(0), fit(1))
    assert torch.rand(1) == expected
