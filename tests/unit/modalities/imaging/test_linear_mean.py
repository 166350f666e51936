from __future__ import annotations

import numpy as np
import pytest
import torch

from casemix.core import seeding
from casemix.modalities.imaging.linear_mean import LinearMean


def records(n, seed):
    draw = seeding.generator(seed)
    inputs = draw.standard_normal((n, 40)).astype(np.float32)
    return inputs, 2 * inputs[:, :2] + draw.standard_normal((n, 2))


def test_left_out_residuals_are_as_large_as_those_of_new_records():
    inputs, targets = records(80, seed=0)
    mean, residuals = LinearMean.fit(inputs, targets)
    fresh, unseen = records(2000, seed=1)
    errors = unseen - mean(torch.from_numpy(fresh)).numpy()
    assert (residuals**2).mean() == pytest.approx((errors**2).mean(), rel=0.25)
    fitted = targets - mean(torch.from_numpy(inputs)).numpy()
    assert (fitted**2).mean() < 0.75 * (errors**2).mean()  # why left-out residuals are needed


def test_constant_inputs_are_harmless():
    inputs = np.ones((20, 3), dtype=np.float32)
    mean, residuals = LinearMean.fit(inputs, np.zeros((20, 2)))
    assert torch.isfinite(mean(torch.from_numpy(inputs))).all()
    assert np.isfinite(residuals).all()
