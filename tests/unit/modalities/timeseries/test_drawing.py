from __future__ import annotations

import numpy as np
import pytest
import torch

from casemix.modalities.timeseries.drawing import Own, spread_gain


def own(spread: float, n: int = 30, c: int = 2) -> Own:
    ones = torch.ones(n, 1, c)
    return Own(torch.zeros(n, 3), 0 * ones, spread * ones)


def test_series_that_vary_too_little_ask_for_more():
    wave = np.sqrt(2) * np.sin(np.arange(48) * np.pi / 4)  # standard deviation 1
    drawn = np.stack([0.9 * wave, 1.0 * wave], axis=1)[None].repeat(30, axis=0)
    assert spread_gain(drawn, own(1.0)) == pytest.approx([1 / 0.9, 1.0])


def test_gaps_and_sparse_channels_do_not_count():
    drawn = np.full((30, 48, 2), np.nan)
    drawn[:, ::2, 0] = np.tile([0.5, -0.5], 12)
    drawn[:, :3, 1] = 7.0  # too few records to tell
    assert spread_gain(drawn, own(0.5)) == pytest.approx([1.0, 1.0])


def test_the_gain_is_bounded():
    assert spread_gain(np.zeros((30, 48, 2)), own(1.0)) == pytest.approx([1.25, 1.25])


def test_a_gain_widens_each_channel():
    wider = own(0.5).wider(np.array([1.0, 1.2]))
    assert wider.spread[0, 0].tolist() == pytest.approx([0.5, 0.6])
