from __future__ import annotations

import numpy as np
import pytest
import torch

from casemix.core import seeding
from casemix.modalities.imaging.flow_matching import Prior, flow_loss, guided, integrate


def nothing(x, sigma):
    return torch.zeros_like(x)


def normal_data(n=4000):
    z = seeding.generator(0).standard_normal((n, 6))
    return z @ np.array(
        [[3, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0.5], *0.3 * np.eye(6)[2:]]
    )  # two wide directions, four narrow ones


def test_without_a_network_the_flow_samples_the_fitted_normal_distribution():
    data = normal_data()
    prior = Prior.fit(data, 3)
    noise = torch.from_numpy(seeding.generator(1).standard_normal((4000, 6)).astype(np.float32))
    made = integrate(nothing, prior, noise, 64).numpy()
    assert made.std(axis=0) == pytest.approx(data.std(axis=0), rel=0.1)
    assert np.abs(np.corrcoef(made.T) - np.corrcoef(data.T)).max() < 0.1


def test_the_linear_guess_leaves_nothing_to_learn_of_normal_data():
    data = torch.from_numpy(normal_data().astype(np.float32))
    prior = Prior.fit(data.numpy(), 6)
    x = 0.5 * data + 0.5 * torch.randn(data.shape, generator=torch.Generator().manual_seed(0))
    sigma = torch.full((len(x),), 0.5)
    guess = prior.velocity(x, sigma)
    truth = 2 * (x - data)  # noise - clean
    # The error of a regression is uncorrelated with its input.
    assert torch.corrcoef(torch.stack([(truth - guess)[:, 0], x[:, 0]]))[0, 1].abs() < 0.05
    assert flow_loss(nothing, prior, data, torch.Generator().manual_seed(1)) < 1.5


def test_guidance_extrapolates_from_the_unconditional_velocity():
    def net(x, sigma, given):
        return given + 1

    given = torch.tensor([[2.0]])
    x, sigma = torch.zeros(1, 1), torch.zeros(1)
    assert guided(net, given, 1.0)(x, sigma).item() == 3.0
    assert guided(net, given, 2.0)(x, sigma).item() == 5.0
    assert guided(net, given, 0.0)(x, sigma).item() == 1.0
