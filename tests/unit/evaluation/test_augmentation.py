from __future__ import annotations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.augmentation import augmentation_curve
from casemix.evaluation.labelled import Labelled
from casemix.evaluation.utility import tstr


def ward(n: int, seed: int) -> Labelled:
    """Half of 20 columns carry a weak signal: 20 records are too few to learn it."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 20))
    return Labelled(x, np.where(x[:, :10].sum(axis=1) + rng.normal(size=n) > 0, "ill", "well"))


def shuffled(part: Labelled, seed: int) -> Labelled:
    return Labelled(part.x, np.random.default_rng(seed).permutation(part.y))


def test_other_real_records_help_most_where_real_ones_are_few():
    found = augmentation_curve(ward(200, 0), ward(200, 1), ward(200, 2), seed=0)
    assert [p.share for p in found.points] == [0.1, 0.25, 0.5, 1.0]
    assert [p.records for p in found.points] == [20, 50, 100, 200]
    assert found.gain.interval[0] > 0.03
    gains = [p.gain.value for p in found.points]
    assert gains[0] > gains[-1] + 0.05
    assert found.gain.value == pytest.approx(np.mean(gains))
    assert found.note == ""


def test_a_point_holds_what_training_on_its_records_gives():
    real, made, test = ward(150, 0), ward(100, 1), ward(100, 2)
    found = augmentation_curve(real, made, test, shares=[1.0], seed=3)
    alone = tstr(real.x, real.y, test.x, test.y, model="ridge", seed=3)
    both = tstr(
        np.concatenate([real.x, made.x]),
        np.concatenate([real.y, made.y]),
        test.x,
        test.y,
        model="ridge",
        seed=3,
    )
    (point,) = found.points
    assert (point.real.value, point.real.interval) == (alone.value, alone.interval)
    assert (point.augmented.value, point.augmented.interval) == (both.value, both.interval)
    assert point.gain.value == pytest.approx(both.value - alone.value)
    assert point.model == "ridge"  # 250 records of both arms, and 400, would suit trees
    assert found.synthetic.value == tstr(made.x, made.y, test.x, test.y, seed=3).value


def test_shuffled_labels_harm():
    found = augmentation_curve(ward(100, 0), shuffled(ward(200, 1), 0), ward(200, 2), seed=0)
    assert found.gain.interval[1] < 0


def test_copies_help_below_the_full_share_and_not_at_it():
    real = ward(200, 0)
    found = augmentation_curve(real, real, ward(200, 2), seed=0)
    assert found.points[0].gain.interval[0] > 0
    assert abs(found.points[-1].gain.value) < 0.03
    assert found.note == ""


def test_synthetic_records_that_beat_all_real_ones_are_suspicious():
    found = augmentation_curve(ward(40, 0), ward(200, 1), ward(300, 2), seed=0)
    assert "better model than all real ones" in found.note


def test_subsets_hold_whole_subjects():
    real = ward(120, 0)
    real = Labelled(real.x, real.y, np.repeat(np.arange(30), 4))
    found = augmentation_curve(real, ward(60, 1), ward(100, 2), shares=[0.5], seed=0)
    assert found.points[0].records == 60


def test_numbers_are_predicted_too():
    rng = np.random.default_rng(0)
    parts = [Labelled(x, x[:, 0] + 0.5 * x[:, 1]) for x in rng.normal(size=(3, 80, 6))]
    found = augmentation_curve(*parts, measure="spearman", shares=[0.1, 1.0], seed=0)
    assert found.measure == "spearman"
    assert found.points[0].gain.value > 0
    assert found.points[1].real.value > 0.9


def test_same_seed_same_curve_and_another_seed_other_subsets():
    parts = ward(80, 0), ward(80, 1), ward(80, 2)
    first, again, other = (
        augmentation_curve(*parts, shares=[0.2], seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.points[0].real.value != other.points[0].real.value


def test_a_constant_test_target_has_no_curve():
    test = Labelled(ward(50, 2).x, np.full(50, "ill"))
    found = augmentation_curve(ward(50, 0), ward(50, 1), test, seed=0)
    assert (found.points, found.gain) == ((), None)
    assert "constant" in found.note


@pytest.mark.parametrize("shares", [[], [0.0], [0.5, 1.5]])
def test_impossible_shares_are_an_error(shares):
    with pytest.raises(EvaluationError, match="shares"):
        augmentation_curve(ward(50, 0), ward(50, 1), ward(50, 2), shares=shares, seed=0)
