from __future__ import annotations

import numpy as np
import pytest

from casemix.modalities.timeseries.linear_gaussian import LinearGaussian


def problem(n: int = 400, noise: float = 0.5, extra: int = 20):
    rng = np.random.default_rng(0)
    c = rng.normal(size=(n, 2 + extra))
    c[:, 1] = 0.9 * c[:, 0] + np.sqrt(1 - 0.81) * c[:, 1]
    y = np.stack([c[:, 0] + noise * rng.normal(size=n), rng.normal(size=n)], axis=1)
    return c, y


def test_a_dependence_is_found_among_many_conditions_that_say_nothing():
    c, y = problem()
    model = LinearGaussian.fit(c, np.ones_like(c), y)
    assert model.weights[0, 0] + model.weights[1, 0] == pytest.approx(1.0, abs=0.15)
    assert np.abs(model.weights[:, 1]).max() < 0.1


def test_residuals_are_as_wide_as_the_truth():
    c, y = problem(n=80, extra=40)
    model = LinearGaussian.fit(c, np.ones_like(c), y)
    assert model.residual[0, 0] > 0.8 * 0.25
    assert model.residual[1, 1] == pytest.approx(1.0, abs=0.35)


def test_an_unknown_condition_is_inferred_from_the_known_ones():
    c, y = problem()
    model = LinearGaussian.fit(c, np.ones_like(c), y)
    high = np.zeros((1, c.shape[1]))
    high[0, 1] = 2.0
    only_second = np.zeros_like(high)
    only_second[0, 1] = 1.0
    noise = np.zeros((1, 2))
    told = model.draw(high, only_second, noise)[0, 0]
    untold = model.draw(high, np.zeros_like(high), noise)[0, 0]
    assert told == pytest.approx(1.8, abs=0.35)
    assert untold == pytest.approx(0.0, abs=0.2)


def test_knowing_less_spreads_more():
    c, y = problem()
    model = LinearGaussian.fit(c, np.ones_like(c), y)
    noise = np.random.default_rng(1).normal(size=(500, 2))
    zero = np.zeros((500, c.shape[1]))
    told = model.draw(zero, np.ones_like(zero), noise)[:, 0].std()
    untold = model.draw(zero, np.zeros_like(zero), noise)[:, 0].std()
    assert told == pytest.approx(0.5, abs=0.1)
    assert untold == pytest.approx(np.sqrt(1.25), abs=0.15)


def test_missing_cells_in_training_do_not_hide_the_dependence():
    c, y = problem()
    known = (np.random.default_rng(2).random(c.shape) > 0.3).astype(float)
    model = LinearGaussian.fit(c * known, known, y)
    assert model.weights[0, 0] + model.weights[1, 0] == pytest.approx(1.0, abs=0.2)


def test_without_conditions_it_is_a_gaussian():
    _, y = problem()
    none = np.zeros((len(y), 0))
    model = LinearGaussian.fit(none, none, y)
    drawn = model.draw(
        np.zeros((900, 0)), np.zeros((900, 0)), np.random.default_rng(0).normal(size=(900, 2))
    )
    assert np.allclose(np.cov(drawn.T), np.cov(y.T), atol=0.2)
