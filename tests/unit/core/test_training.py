from __future__ import annotations

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from casemix.core.progress import Progress
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.errors import ArtifactError, FitError

X = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([1.0, -2.0, 0.5]) + 0.3


def loss(model: nn.Module, rows: torch.Tensor, noise: torch.Generator) -> torch.Tensor:
    jitter = 0.01 * torch.randn(len(rows), 3, generator=noise)
    return ((model(X[rows] + jitter).squeeze(-1) - Y[rows]) ** 2).mean()


def network() -> nn.Module:
    return seeded(3, lambda: nn.Linear(3, 1))


def test_training_fits_a_line():
    model = network()
    train(model, loss, 64, TrainConfig(steps=400, batch_size=16, learning_rate=0.05), seed=1)
    assert np.allclose(model.weight.detach().numpy(), [[1.0, -2.0, 0.5]], atol=0.05)


def test_a_killed_run_goes_on_exactly(tmp_path):
    config = TrainConfig(steps=30, batch_size=16, checkpoint_seconds=0.0)
    whole = network()
    train(whole, loss, 64, config, seed=1)

    class KilledError(Exception):
        pass

    calls = 0

    def interrupted(model, rows, noise):
        nonlocal calls
        calls += 1
        if calls == 18:
            raise KilledError
        return loss(model, rows, noise)

    resumed = network()
    with pytest.raises(KilledError):
        train(resumed, interrupted, 64, config, seed=1, progress=Progress(checkpoints=tmp_path))
    resumed = network()
    train(resumed, loss, 64, config, seed=1, progress=Progress(checkpoints=tmp_path))
    for a, b in zip(state_arrays(whole).values(), state_arrays(resumed).values(), strict=True):
        assert np.array_equal(a, b)


class LowestLoss:
    """A loss that remembers the lowest value that it has seen."""

    def __init__(self, killed_at: int | None = None) -> None:
        self.calls, self.lowest, self.killed_at = 0, torch.tensor(torch.inf), killed_at

    def __call__(self, model, rows, noise):
        if self.calls == self.killed_at:
            raise KeyboardInterrupt
        self.calls += 1
        value = loss(model, rows, noise)
        self.lowest = torch.minimum(self.lowest, value.detach())
        return value

    def state(self):
        return {"calls": torch.tensor(self.calls), "lowest": self.lowest}

    def load_state(self, state):
        self.calls, self.lowest = int(state["calls"]), state["lowest"]


def test_a_resumed_run_remembers_what_its_loss_kept(tmp_path):
    # a learning rate so high that the lowest loss is an early one
    config = TrainConfig(steps=30, learning_rate=3.0, warmup=0, checkpoint_seconds=0.0)
    whole, killed, resumed = LowestLoss(), LowestLoss(killed_at=20), LowestLoss()
    train(network(), whole, 64, config, seed=1, memory=whole)
    folder = Progress(checkpoints=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(network(), killed, 64, config, seed=1, progress=folder, memory=killed)
    assert whole.lowest == killed.lowest  # the rest alone would not find it
    train(network(), resumed, 64, config, seed=1, progress=folder, memory=resumed)
    assert (resumed.calls, resumed.lowest) == (30, whole.lowest)


def test_only_parameters_that_require_a_gradient_change():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    before = state_arrays(model)
    train(model, loss, 64, TrainConfig(steps=5, batch_size=16), seed=1)
    after = state_arrays(model)
    assert np.array_equal(before["0.weight"], after["0.weight"])
    assert not np.array_equal(before["1.weight"], after["1.weight"])


def test_a_loss_that_is_not_finite_is_an_error():
    with pytest.raises(FitError, match="not finite"):
        train(network(), lambda m, r, g: m(X[r]).sum() * np.inf, 64, TrainConfig(steps=3), seed=1)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    model = network()
    train(model, loss, 64, TrainConfig(steps=3), seed=1)
    assert torch.equal(before, torch.get_rng_state())
    other = network()
    load_state(other, state_arrays(model))
    assert torch.equal(other.weight, model.weight)


def test_weights_of_another_network_are_an_error_that_says_what_to_do():
    with pytest.raises(ArtifactError, match=r"do not fit Linear.*version that wrote them"):
        load_state(nn.Linear(4, 1), state_arrays(network()))


def test_a_tracker_gets_the_loss_of_each_step(tmp_path):
    config = TrainConfig(steps=7, tracker="tensorboard", tracker_folder=str(tmp_path))
    train(network(), loss, 64, config, seed=1)
    events = EventAccumulator(str(next(tmp_path.rglob("events.out.*")).parent)).Reload()
    assert [e.step for e in events.Scalars("loss")] == [1, 2, 3, 4, 5, 6, 7]


def test_a_tracker_that_is_not_installed_is_an_error():
    with pytest.raises(FitError, match=r"tracker is unknown.*no-such-tracker.*tensorboard"):
        train(network(), loss, 64, TrainConfig(steps=1, tracker="no-such-tracker"), seed=1)
