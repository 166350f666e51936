from __future__ import annotations

import numpy as np
from scipy import stats

from casemix.core import seeding


def test_a_row_of_noise_depends_on_its_id_alone():
    whole = seeding.normal(1, ["a", "b", "c"], (4, 5), stream="x")
    assert np.array_equal(seeding.normal(1, ["c"], (4, 5), stream="x")[0], whole[2])
    assert not np.array_equal(seeding.normal(1, ["c"], (4, 5), stream="y")[0], whole[2])
    assert not np.array_equal(seeding.normal(2, ["c"], (4, 5), stream="x")[0], whole[2])


def test_noise_is_normal_and_rows_are_unrelated():
    noise = seeding.normal(0, [str(i) for i in range(2000)], (6,))
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    correlation = np.corrcoef(noise.T) - np.eye(6)
    assert np.abs(correlation).max() < 0.08


def test_uniform_noise_stays_inside_the_open_interval():
    u = seeding.uniform(3, [str(i) for i in range(1000)], 50)
    assert 0 < u.min() < u.max() < 1
    assert stats.kstest(u.ravel(), "uniform").pvalue > 1e-3


def test_child_seeds_differ_by_name_and_fit_63_bits():
    seeds = {seeding.child(0, "a", i) for i in range(1000)}
    assert len(seeds) == 1000
    assert max(seeds) < 2**63
