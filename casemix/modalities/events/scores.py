"""How far synthetic event streams are from held-out ones: codes, times, values, rules, copies."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from casemix.core.metric import EvalData, Score, View
from casemix.errors import EvaluationError
from casemix.evaluation import events
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.statistics import bootstrap_rows
from casemix.modalities.events.copied_runs import LENGTHS, CodeRows, longest_shared, novel_share
from casemix.modalities.events.rules import Rules

_REPEATS = 20  # bootstrap samples where each one counts pairs anew
_LEAST_VALUES = 10  # of a code in each arm
_RUN = 6  # events

Compute = Callable[[EvalData, int], Score]


def where_it_applies(compute: Compute) -> Compute:
    """Return the computation with an undefined score, and the reason, for what has no object."""

    @wraps(compute)
    def guarded(data: EvalData, seed: int) -> Score:
        try:
            return compute(data, seed)
        except EvaluationError as error:
            return Score(None, note=str(error))

    return guarded


def told(view: View) -> pd.DataFrame:
    """Return a view's events with their subjects: subject, time, code, value."""
    frame = view.samples.payload.frame
    subjects = view.samples.subject_ids[frame["item"].to_numpy()]
    return pd.DataFrame(
        {
            "subject": subjects,
            "time": frame["hours"].to_numpy(),
            "code": frame["code"].to_numpy(),
            "value": frame["value"].to_numpy(),
        }
    )


def explained(measure: Callable[[pd.DataFrame], pd.Series]) -> Compute:
    """Return the score of R2 of these probabilities."""

    @where_it_applies
    def compute(data: EvalData, seed: int) -> Score:
        real, made = told(data.holdout), told(data.synthetic)
        found = events.explained(measure(real), measure(made))
        draws = [_r2(measure, *pair) for pair in _resampled(real, made, seed)]
        interval = centred_interval(found.value, draws, (-np.inf, 1.0))
        note = f"{len(real)} real and {len(made)} synthetic events"
        details = {
            "slices": dict(found.slices),
            "entries": found.n,
            "never_in_synthetic": found.unseen,
        }
        return Score(found.value, interval, subjects(data), note=note, details=details)

    return compute


def _r2(
    measure: Callable[[pd.DataFrame], pd.Series], real: pd.DataFrame, made: pd.DataFrame
) -> float:
    try:
        return events.explained(measure(real), measure(made)).value
    except EvaluationError:  # a sample without a second visit
        return float("nan")


def distance(measure: Callable[[pd.DataFrame], np.ndarray], unit: str) -> Compute:
    """Return the score of the Kolmogorov-Smirnov distance of these numbers."""

    @where_it_applies
    def compute(data: EvalData, seed: int) -> Score:
        real, made = told(data.holdout), told(data.synthetic)
        found = events.distance(measure(real), measure(made))
        draws = [
            events.distance(measure(a), measure(b)).ks for a, b in _resampled(real, made, seed)
        ]
        interval = centred_interval(found.ks, draws, (0.0, 1.0))
        details = {"wasserstein": found.wasserstein, "medians": list(found.medians), "unit": unit}
        return Score(found.ks, interval, subjects(data), note=unit, details=details)

    return compute


def visits(found: pd.DataFrame) -> np.ndarray:
    """Return the number of different times of each subject."""
    return events.lengths(found)["visits"].to_numpy()


def codes_per_visit(found: pd.DataFrame) -> np.ndarray:
    """Return the number of events at each time."""
    return found.groupby(["subject", "time"]).size().to_numpy()


@where_it_applies
def value_distance(data: EvalData, seed: int) -> Score:
    """Score the mean Kolmogorov-Smirnov distance of the values of each code."""
    real, made = told(data.holdout), told(data.synthetic)
    each = _value_distances(real, made)
    if not each:
        raise EvaluationError(
            "No code has enough values in both arms.",
            allowed=f"at least {_LEAST_VALUES} values of a code in each",
        )
    value = float(np.mean(list(each.values())))
    draws = [mean_value_distance(*pair) for pair in _resampled(real, made, seed)]
    worst = dict(sorted(each.items(), key=lambda pair: -pair[1])[:20])
    interval = centred_interval(value, draws, (0.0, 1.0))
    note = f"{len(each)} codes with values"
    return Score(value, interval, subjects(data), note=note, details={"highest": worst})


def mean_value_distance(real: pd.DataFrame, made: pd.DataFrame) -> float:
    """Return the mean distance of the values of codes that both arms have; NaN without one."""
    each = _value_distances(real, made)
    return float(np.mean(list(each.values()))) if each else float("nan")


def _value_distances(real: pd.DataFrame, made: pd.DataFrame) -> dict[str, float]:
    groups = [
        {code: part.to_numpy() for code, part in frame.dropna().groupby("code")["value"]}
        for frame in (real, made)
    ]
    return {
        str(code): float(ks_2samp(values, groups[1][code], method="asymp").statistic)
        for code, values in groups[0].items()
        if code in groups[1] and min(len(values), len(groups[1][code])) >= _LEAST_VALUES
    }


@where_it_applies
def broken_rules(data: EvalData, seed: int) -> Score:
    """Score the share of events that break a rule which training streams obey."""
    rules = data.once("event rules", lambda known: Rules.fit(known.samples.payload.frame))
    frame = data.synthetic.samples.payload.frame
    if frame.empty:
        raise EvaluationError("There is no event to judge.", allowed="at least one event")
    broken, size = _broken_by_item(rules, frame, len(data.synthetic))
    value = float(broken.sum() / size.sum())
    draws = [
        broken[rows].sum() / max(size[rows].sum(), 1)
        for rows in bootstrap_rows(data.synthetic.samples.subject_ids, seed=seed)
    ]
    interval = centred_interval(value, draws, (0.0, 1.0))
    return Score(value, interval, subjects(data), details=rules.violations(frame))


def _broken_by_item(rules: Rules, frame: pd.DataFrame, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the broken rules and the events of each history, (n,) each."""
    broken = rules.broken(frame).sum(axis=1)
    counts = frame.groupby("item").size().reindex(range(n), fill_value=0).to_numpy(float)
    return broken.groupby(frame["item"]).sum().reindex(range(n), fill_value=0).to_numpy(), counts


@where_it_applies
def copied_run_ratio(data: EvalData, seed: int) -> Score:
    """Score the longest runs shared with a training history, over those of real new ones."""
    real, made, train = _rows(data)
    first, second = longest_shared(real, train), longest_shared(made, train)
    value = float(second.mean() / max(first.mean(), 1.0))
    draws = [second[b].mean() / max(first[a].mean(), 1.0) for a, b in _drawn_rows(data, seed)]
    details = {
        "mean_events": [float(first.mean()), float(second.mean())],
        "95th_percentile": [float(np.quantile(x, 0.95)) for x in (first, second)],
    }
    note = f"at most {LENGTHS[-1]} events, against {train.n} training histories"
    interval = centred_interval(value, draws, (0.0, np.inf))
    return Score(value, interval, subjects(data), note=note, details=details)


@where_it_applies
def novelty_distance(data: EvalData, seed: int) -> Score:
    """Score the share of runs that no training history has, as a distance from real new ones."""
    real, made, train = _rows(data)
    first, second = (novel_share(rows, train, _RUN) for rows in (real, made))
    if np.isnan(first).all() or np.isnan(second).all():
        raise EvaluationError(
            f"No history of an arm has {_RUN} events, so that it has no runs to compare."
        )
    value = float(abs(np.nanmean(first) - np.nanmean(second)))
    draws = [abs(_mean(first[a]) - _mean(second[b])) for a, b in _drawn_rows(data, seed)]
    details = {"novel_runs": [float(np.nanmean(first)), float(np.nanmean(second))]}
    note = f"runs of {_RUN} events, against {train.n} training histories"
    interval = centred_interval(value, draws, (0.0, 1.0))
    return Score(value, interval, subjects(data), note=note, details=details)


def _mean(shares: np.ndarray) -> float:
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if len(known) else float("nan")


def _rows(data: EvalData) -> list[CodeRows]:
    arms = (data.holdout, data.synthetic, data.train)
    return CodeRows.of(*(view.samples.payload for view in arms))


def _drawn_rows(data: EvalData, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    real, made = (v.samples.subject_ids for v in (data.holdout, data.synthetic))
    return list(
        zip(bootstrap_rows(real, seed=seed), bootstrap_rows(made, seed=seed + 1), strict=True)
    )


def _resampled(
    real: pd.DataFrame, made: pd.DataFrame, seed: int
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    arms = (
        events.resampled(frame, seed=seed + k, repeats=_REPEATS)
        for k, frame in enumerate((real, made))
    )
    return list(zip(*arms, strict=True))


def subjects(data: EvalData) -> int:
    """Return the number of subjects in the smaller arm."""
    return min(len(set(v.samples.subject_ids)) for v in (data.holdout, data.synthetic))
