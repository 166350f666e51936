"""What the coupling dial is for: links appear and vanish, the marginals stay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from casemix.recipes.phantom.labs import measure_labs
from casemix.recipes.phantom.vitals import record_vitals

N = 1500


def within_group(values, group):
    """Return values less their group's mean."""
    means = np.array([np.nanmean(values[group == g]) for g in range(5)])
    return values - means[group]


def correlation(a, b, group):
    both = np.isfinite(a) & np.isfinite(b)
    a, b, group = a[both], b[both], group[both]
    return np.corrcoef(within_group(a, group), within_group(b, group))[0, 1]


def log_nt_probnp(view):
    labs = measure_labs(view.context, view.state, view.draws)
    return np.log(labs["nt_probnp"].to_numpy())


@pytest.mark.parametrize(("coupling", "low", "high"), [(0.0, -0.08, 0.08), (1.0, -0.75, -0.5)])
def test_ejection_fraction_and_nt_probnp_within_group(look, coupling, low, high):
    image, lab = look(N, "imaging", coupling), look(N, "labs", coupling)
    r = correlation(image.state.lv_ef, log_nt_probnp(lab), image.context.group)
    assert low < r < high


def test_a_half_turned_dial_ties_half_as_strongly(look):
    image, lab = look(N, "imaging", 0.5), look(N, "labs", 0.5)
    r = correlation(image.state.lv_ef, log_nt_probnp(lab), image.context.group)
    assert -0.45 < r < -0.2


@pytest.mark.parametrize(("channel", "sign"), [(0, 1), (1, -1), (3, 1), (4, -1)])
def test_vital_signs_follow_severity_within_group(look, channel, sign):
    view = look(400, "vitals")
    values = record_vitals(view.context, view.state, view.draws).values
    mean = np.nanmean(values[..., channel].astype(float), axis=1)
    assert 0.4 < sign * correlation(mean, view.state.severity, view.context.group) < 0.8


def test_marginal_distributions_do_not_depend_on_coupling(look):
    tied, loose = look(N, "labs", 1.0), look(N, "labs", 0.0)
    for name in ("lv_ef", "lv_edv", "rv_ef", "rv_edv", "wall_thickness"):
        assert ks_2samp(getattr(tied.state, name), getattr(loose.state, name)).pvalue > 0.001
    first = measure_labs(tied.context, tied.state, tied.draws)
    second = measure_labs(loose.context, loose.state, loose.draws)
    for name in ("nt_probnp", "troponin", "sodium", "crp"):
        assert ks_2samp(first[name].dropna(), second[name].dropna()).pvalue > 0.001
        assert abs(first[name].isna().mean() - second[name].isna().mean()) < 0.05


def test_the_latent_is_not_in_the_recorded_context(look):
    view = look(N, "labs")
    for recorded in (view.context.age, view.context.bmi, view.context.hypertension):
        assert abs(np.corrcoef(recorded, view.state.severity)[0, 1]) < 0.08
