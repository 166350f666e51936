from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from casemix.errors import EvaluationError
from casemix.evaluation.events import (
    code_bigrams,
    code_pairs,
    code_prevalence,
    distance,
    explained,
    lengths,
    resampled,
    visit_gaps,
)

CODES = np.array([f"c{k:02d}" for k in range(30)])


def draw(subjects: int, seed: int) -> pd.DataFrame:
    """Chronic diseases: codes come in neighbouring pairs and return at the next visit."""
    rng = np.random.default_rng(seed)
    rows = []
    shares = 1.0 / np.arange(2, 17)
    for subject in range(subjects):
        own = np.flatnonzero(rng.random(15) < shares)
        time = 0.0
        for _ in range(rng.integers(1, 5)):
            time += rng.exponential(100.0)
            seen = [2 * k + side for k in own for side in (0, 1) if rng.random() < 0.8]
            rows += [(f"s{subject}", time, CODES[code]) for code in [*seen, rng.integers(30)]]
    return pd.DataFrame(rows, columns=["subject", "time", "code"])


def with_codes_moved(events: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """The control: codes go to other subjects' visits; prevalence per event stays."""
    rng = np.random.default_rng(seed)
    moved = rng.choice(len(events), int(share * len(events)), replace=False)
    codes = events["code"].to_numpy(copy=True)
    codes[np.sort(moved)] = codes[moved]
    return events.assign(code=codes)


def counted(events: pd.DataFrame) -> tuple[Counter, Counter, Counter]:
    """Prevalence, pairs per visit and bigrams by plain loops."""
    alone, pairs, bigrams = Counter(), Counter(), Counter()
    visits = [
        [set(visit["code"]) for _, visit in own.sort_values("time").groupby("time")]
        for _, own in events.groupby("subject")
    ]
    for own in visits:
        alone.update(set().union(*own))
        for visit in own:
            pairs.update(itertools.combinations(sorted(visit), 2))
        for earlier, later in itertools.pairwise(own):
            bigrams.update(itertools.product(earlier, later))
    n_visits = sum(map(len, visits))
    steps = n_visits - len(visits)
    return (
        Counter({k: v / len(visits) for k, v in alone.items()}),
        Counter({k: v / n_visits for k, v in pairs.items()}),
        Counter({k: v / steps for k, v in bigrams.items()}),
    )


def test_probabilities_are_those_of_plain_counting():
    events = draw(40, 0)
    twice = pd.concat([events, events.iloc[:20]])  # recorded again: counts once
    for found, wanted in zip(
        (code_prevalence(twice), code_pairs(twice), code_bigrams(twice)),
        counted(events),
        strict=True,
    ):
        assert found.to_dict() == pytest.approx(dict(wanted))


def test_pairs_per_subject_join_its_visits():
    events = pd.DataFrame(
        {"subject": ["a", "a", "b"], "time": [0.0, 1.0, 0.0], "code": ["x", "y", "x"]}
    )
    assert len(code_pairs(events)) == 0
    assert code_pairs(events, unit="subject").to_dict() == {("x", "y"): 0.5}
    assert code_prevalence(events, unit="visit").to_dict() == pytest.approx(
        {"x": 2 / 3, "y": 1 / 3}
    )


def test_r2_agrees_with_scikit_learn_over_the_union():
    real, made = code_pairs(draw(60, 0)), code_pairs(draw(60, 1))
    keys = sorted(set(real.index) | set(made.index))
    wanted = r2_score([real.get(k, 0.0) for k in keys], [made.get(k, 0.0) for k in keys])
    found = explained(real, made)
    assert found.value == pytest.approx(wanted)
    assert found.n == len(keys)


def test_slices_split_by_real_rank():
    real = pd.Series(np.linspace(1.0, 0.1, 1200), index=[f"c{k:04d}" for k in range(1200)])
    made = real.where(np.arange(1200) < 100, 0.0)
    found = explained(real, made)
    assert found.slices["top 100"] == 1.0
    assert found.slices["101-1000"] < 0
    assert found.slices["beyond 1000"] < 0
    assert found.unseen == pytest.approx(real.iloc[100:].sum() / real.sum())


@pytest.mark.parametrize("measure", [code_pairs, code_bigrams])
def test_order_is_lost_with_every_moved_code_and_prevalence_is_not(measure):
    real, fresh = draw(600, 0), draw(600, 1)
    arms = [with_codes_moved(fresh, share, 2) for share in (0.0, 0.3, 0.6, 1.0)]
    values = [explained(measure(real), measure(arm)).value for arm in arms]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.9
    assert values[-1] < values[0] - 0.3
    per_event = [arm["code"].value_counts(normalize=True) for arm in arms]
    assert all(explained(per_event[0], shares).value > 0.999 for shares in per_event)


def test_prevalence_worsens_with_every_forgotten_code():
    real, fresh = draw(400, 0), draw(400, 1)
    common = fresh["code"].value_counts().index
    values = [
        explained(code_prevalence(real), code_prevalence(fresh[~fresh.code.isin(common[:k])])).value
        for k in (0, 1, 3, 6)
    ]
    assert values == sorted(values, reverse=True)


def test_row_order_does_not_matter():
    real, made = draw(80, 0), draw(80, 1)
    moved = made.sample(frac=1, random_state=0)
    for measure in (code_prevalence, code_pairs, code_bigrams):
        assert explained(measure(real), measure(made)) == explained(measure(real), measure(moved))
    assert np.array_equal(np.sort(visit_gaps(made)), np.sort(visit_gaps(moved)))


def test_gaps_and_lengths_of_known_visits():
    events = pd.DataFrame(
        {
            "subject": ["a", "a", "a", "b"],
            "time": [0.0, 10.0, 10.0, 5.0],
            "code": ["x", "y", "z", "x"],
        }
    )
    assert visit_gaps(events) == pytest.approx([np.log(10.0)])
    assert lengths(events).to_dict("index") == {
        "a": {"events": 3, "visits": 2},
        "b": {"events": 1, "visits": 1},
    }


def test_gap_distance_grows_with_every_stretch():
    real, fresh = draw(300, 0), draw(300, 1)
    found = [
        distance(visit_gaps(real), visit_gaps(fresh.assign(time=fresh.time * f)))
        for f in (1.0, 1.5, 2.0, 4.0)
    ]
    assert [d.ks for d in found] == sorted(d.ks for d in found)
    assert found[0].ks < 0.1
    stretched = visit_gaps(real.assign(time=real.time * 4.0))
    assert distance(visit_gaps(real), stretched).wasserstein == pytest.approx(np.log(4.0))


def test_a_subject_drawn_twice_counts_as_two():
    events = draw(5, 0)
    own = events.groupby("subject").size()
    for sample in resampled(events, seed=1, repeats=20):
        sizes = sample.groupby("subject").size()
        assert len(sizes) == len(own)
        assert set(sizes) <= set(own)
        assert sample.groupby("subject")["time"].apply(lambda t: t.is_monotonic_increasing).all()


def test_one_visit_each_has_no_bigram():
    events = draw(10, 0).assign(time=0.0)
    with pytest.raises(EvaluationError, match="second visit"):
        code_bigrams(events)
    with pytest.raises(EvaluationError, match="Too few numbers"):
        distance(visit_gaps(events), visit_gaps(events))


def test_other_frames_and_constant_probabilities_are_errors():
    with pytest.raises(EvaluationError, match="subject, time, code"):
        code_prevalence(pd.DataFrame({"subject": ["a"]}))
    with pytest.raises(EvaluationError, match="differ"):
        explained(pd.Series({"x": 0.5}), pd.Series({"x": 0.4}))
