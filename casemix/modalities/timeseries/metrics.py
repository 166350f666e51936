"""Metrics of series: distributions, spectra, memory, gaps, discriminators, forecasts, orders."""

from __future__ import annotations

import math

import numpy as np

from casemix.core.metric import EvalData, Family, Goal, Metric, Score
from casemix.modalities.timeseries.context_frechet import context_fid
from casemix.modalities.timeseries.dependence import (
    autocorrelation,
    cross_correlation,
    difference,
    gaps,
)
from casemix.modalities.timeseries.discriminator import discriminative_score
from casemix.modalities.timeseries.distributions import (
    joint_energy_distance,
    time_marginal_similarity,
)
from casemix.modalities.timeseries.observation import (
    informative_observation_difference,
    observation_distance,
)
from casemix.modalities.timeseries.ordering import find_orders
from casemix.modalities.timeseries.prediction import predictive_score
from casemix.modalities.timeseries.spectra import power_spectrum_distance

_ONLY = frozenset({"timeseries"})


def broken_orders(data: EvalData, seed: int) -> Score:
    """Return the share of cell pairs that break an order which never breaks in training."""
    orders = find_orders(data.train.samples.payload)
    values = data.synthetic.samples.payload.values
    subjects = len(set(data.synthetic.samples.subject_ids))
    if not orders:
        return Score(None, n=subjects, note="no channel is always above another")
    broken, pairs = 0, 0
    for order in orders:
        distance = values[:, :, order.upper] - values[:, :, order.lower]
        broken += int((distance <= 0).sum())
        pairs += int((~np.isnan(distance)).sum())
    if pairs == 0:
        return Score(None, n=subjects, note="the ordered channels are never recorded together")
    names = [f.name for f in data.train.samples.payload.channels]
    details = {"orders": [f"{names[o.upper]} > {names[o.lower]}" for o in orders]}
    return Score(broken / pairs, n=subjects, details=details)


METRICS = (
    Metric(
        "time_marginal_similarity",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0.0, 1.0),
        time_marginal_similarity,
        control="",
        description="1 - Kolmogorov-Smirnov distance of each channel's values in each of 24 bins "
        "of time, missing included. Independent cells score as well as real ones.",
        modalities=_ONLY,
    ),
    Metric(
        "joint_energy_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (-1.0, 1.0),
        joint_energy_distance,
        description="Normalised energy distance (Szekely and Rizzo 2013) of all channels' means "
        "and recorded shares together, averaged over 12 windows of time; 0 is ideal. It does not "
        "see how one window follows from another.",
        modalities=_ONLY,
    ),
    Metric(
        "autocorrelation_difference",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0.0, 2.0),
        difference(autocorrelation),
        description="Mean absolute difference of autocorrelations at lags 1 to 16, over channels",
        modalities=_ONLY,
    ),
    Metric(
        "channel_correlation_difference",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0.0, 2.0),
        difference(cross_correlation),
        description="Mean absolute difference of correlations between channels at one time",
        modalities=_ONLY,
    ),
    Metric(
        "power_spectrum_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0.0, math.inf),
        power_spectrum_distance,
        description="Wasserstein distance in dB of Lomb-Scargle power (Scargle 1982) in each "
        "channel and octave; 0 is ideal. It knows no phase, and gaps blur the spectrum.",
        modalities=_ONLY,
    ),
    Metric(
        "gap_difference",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0.0, 2.0),
        difference(gaps),
        description="Mean absolute difference of recording rates and of their correlations",
        modalities=_ONLY,
    ),
    Metric(
        "observation_distance",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0.0, 1.0),
        observation_distance,
        description="Kolmogorov-Smirnov distance of records per series, lengths of gaps and of "
        "runs, and time since the last record, mean over these and channels; 0 is ideal. It does "
        "not see which values are recorded.",
        modalities=_ONLY,
    ),
    Metric(
        "informative_observation_difference",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0.0, 2.0),
        informative_observation_difference,
        control="",
        description="Mean absolute difference, over pairs of channels, of the correlation of a "
        "value with the next record; 0 is ideal. The correlations are small: below some hundred "
        "subjects noise hides them, and records that no value foretells score as well.",
        modalities=_ONLY,
    ),
    Metric(
        "discriminative_score",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0.0, 0.5),
        discriminative_score,
        description="|Accuracy - 1/2| (Yoon 2019) of ridge-logistic regression on MiniRocket "
        "features (Dempster 2021), both arms put on one resolution; 0 is ideal. On raw values, in "
        "the details, it saturates on rounding. c2st_auc is the same with boosted trees on "
        "summaries.",
        modalities=_ONLY,
    ),
    Metric(
        "predictive_score",
        Family.UTILITY,
        Goal.MINIMISE,
        (0.0, math.inf),
        predictive_score,
        description="Mean absolute error, one step ahead on real held-out series, of a forecaster "
        "trained on synthetic ones (Yoon 2019, with ridge regression). Weak: next to persistence "
        "there is little to learn, so that good and middling generators score alike.",
        modalities=_ONLY,
    ),
    Metric(
        "context_fid",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0.0, math.inf),
        context_fid,
        description="Squared Frechet distance of the evaluator's embeddings (Context-FID, Jeha "
        "2022), and in the details of normal scores of summaries; it depends on the encoder and "
        "falls with n: compare it with its ceiling only.",
        modalities=_ONLY,
    ),
    Metric(
        "broken_orders",
        Family.CONSTRAINTS,
        Goal.MINIMISE,
        (0.0, 1.0),
        broken_orders,
        description="Share of cells that break an order of two channels which training never does",
        modalities=_ONLY,
    ),
)
