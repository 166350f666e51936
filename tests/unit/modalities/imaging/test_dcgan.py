from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.progress import Progress
from casemix.core.training import seeded, state_arrays
from casemix.errors import FitError
from casemix.modalities.imaging.adversarial import PlaySettings, play
from casemix.modalities.imaging.adversarial_nets import Critic, Frame, Painter
from casemix.modalities.imaging.augmentation import augmented
from casemix.modalities.imaging.conditioning import Steering
from casemix.modalities.imaging.generators.dcgan import DCGAN, Config
from casemix.modalities.imaging.grain import GrainLevel
from casemix.modalities.imaging.toy import CONDITIONS, toy


@pytest.fixture(scope="module")
def fitted():
    data, given = toy(128, seed=0)
    return DCGAN(Config(steps=250, width=8)).fit(data, given, seed=0)  # about 4 s


def wanted(severity, group, n=32):
    ids = pd.Index([f"new-{i}" for i in range(n)])
    return Conditions.of(
        pd.DataFrame({"severity": severity, "group": group}, index=ids), CONDITIONS
    )


def cavity(samples):
    return (samples.payload.masks == 2).mean(axis=(1, 2, 3))


def test_masks_follow_a_numeric_condition(fitted):
    mild = fitted.generate(wanted(0.1, "a"), seed=1)
    severe = fitted.generate(wanted(0.9, "a"), seed=1)
    assert cavity(severe).mean() > 1.6 * cavity(mild).mean()


def test_pictures_follow_a_category(fitted):
    inside = {}
    for group in ("a", "b"):
        images = fitted.generate(wanted(0.6, group), seed=1).payload
        inside[group] = images.pixels[images.masks == 2].mean()
    assert inside["b"] > inside["a"] + 25  # 200 and 140 in the toy


def test_unconditioned_pictures_vary_as_the_real_ones_do(fitted):
    real, _ = toy(128, seed=1)
    made = fitted.generate(wanted(np.nan, None, n=128), seed=1)
    assert cavity(made).std() > 0.5 * cavity(real).std()


def duel():
    data, given = toy(24, seed=0)
    maps = torch.from_numpy(data.payload.pixels.astype(np.float32) / 127.5 - 1)
    encoder = ConditionEncoder.fit(given)
    frame = Frame(maps=1, pictures=1, labels=0, height=16, width=16)
    painter = seeded(0, lambda: Painter(frame, 2 * encoder.width, 4))
    critic = seeded(1, lambda: Critic(frame, 2 * encoder.width, 4))
    return painter, critic, maps, Steering.of(given, encoder)


def train(painter, critic, maps, steering, *, batch_size=8, progress=None):
    grain = GrainLevel.fit(maps.numpy(), steering.rows(torch.arange(len(maps))))
    settings = PlaySettings(12, batch_size, 1e-3, checkpoint_seconds=0.0)
    progress = progress or Progress()
    play(painter, critic, maps, steering, grain, settings, seed=3, progress=progress)


def test_a_killed_fit_goes_on_exactly(tmp_path):
    class KilledError(Exception):
        pass

    turns = 0

    class Interrupted(Steering):
        def dropped(self, positions, generator, *, jitter=0.0):
            nonlocal turns
            turns += 1
            if turns == 8:
                raise KilledError
            return super().dropped(positions, generator, jitter=jitter)

    painter, critic, maps, steering = duel()
    train(painter, critic, maps, steering)
    whole = state_arrays(painter) | {f"critic.{k}": a for k, a in state_arrays(critic).items()}

    kept = Progress(checkpoints=tmp_path)
    painter, critic, _, _ = duel()
    stopping = Interrupted(steering.values, steering.known, steering.fields)
    with pytest.raises(KilledError):
        train(painter, critic, maps, stopping, progress=kept)
    painter, critic, _, _ = duel()
    turns = 8  # from here on it only counts
    train(painter, critic, maps, stopping, progress=kept)
    assert turns == 8 + 12 - 7
    resumed = state_arrays(painter) | {f"critic.{k}": a for k, a in state_arrays(critic).items()}
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_a_finished_fit_is_taken_up_from_its_checkpoint(tmp_path):
    data, given = toy(24, seed=0)
    kept = Progress(checkpoints=tmp_path)
    first = DCGAN.tiny().fit(data, given, seed=0, progress=kept)
    again = DCGAN.tiny().fit(data, given, seed=0, progress=kept)
    pixels = [m.generate(wanted(0.5, "b", n=3), seed=1).payload.pixels for m in (first, again)]
    assert np.array_equal(*pixels)


def test_a_batch_without_groups_of_four_is_an_error():
    with pytest.raises(FitError, match="groups of four"):
        train(*duel(), batch_size=6)


def test_augmentation_moves_masks_with_their_pictures():
    draw = torch.Generator().manual_seed(0)
    picture = torch.rand(16, 1, 24, 16, generator=draw) + 0.1
    both = augmented(picture.repeat(1, 2, 1, 1), draw)
    assert torch.equal(both[:, 0], both[:, 1])
    assert not torch.equal(both[:, :1], picture)
    emptied = (both[:, 0] == 0).float().mean(dim=(1, 2))
    assert emptied.max() <= 0.42**2 + 0.02
    assert emptied.mean() > 0.05


def test_the_grain_follows_the_conditions():
    draw = np.random.default_rng(0)
    strong = np.arange(200) % 2
    noise = draw.normal(size=(200, 1, 48, 48)) * (0.02 + 0.06 * strong)[:, None, None, None]
    level = GrainLevel.fit(noise.astype(np.float32), torch.tensor(strong[:, None]).float())
    made = level.draw(torch.tensor([[0.0], [1.0]]), torch.zeros(2, 1)).ravel()
    assert np.allclose(made, [0.02, 0.08], rtol=0.1)
