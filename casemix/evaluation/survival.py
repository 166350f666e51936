"""Survival: is a ridge Cox model trained on synthetic records as good on real ones?

Time-to-event targets are (n,) follow-up times, in any unit, and (n,) whether the event happened
then (1) or the record was censored (0).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import (
    FloatArray,
    as_matrix,
    as_subjects,
    bootstrap_rows,
    percentile_interval,
    standardisation,
)
from casemix.evaluation.utility import Utility

_REPEATS = 200  # bootstrap samples, the same as of `utility.tstr`


def survival_tstr(
    train_x: npt.ArrayLike,
    train_time: npt.ArrayLike,
    train_event: npt.ArrayLike,
    test_x: npt.ArrayLike,
    test_time: npt.ArrayLike,
    test_event: npt.ArrayLike,
    *,
    test_subjects: npt.ArrayLike | None = None,
    penalty: float = 0.05,
    seed: int,
) -> Utility:
    """Train a ridge Cox model on one cohort, return its C-index on real held-out records.

    Two such utilities on the same test records and seed are compared by `utility.utility_gap`.

    Args:
        train_x: (n, d) features, NaN for missing: median-imputed, standardised on training.
        train_time: (n,) follow-up times, at least 0.
        train_event: (n,) 1 where the event happened, 0 where censored.
        test_x: (m, d) real held-out features.
        test_time: (m,) their follow-up times.
        test_event: (m,) their events.
        test_subjects: (m,) subject of each test record, for the interval; each its own if None.
        penalty: ridge penalty per training record, on standardised columns.
        seed: seed of the bootstrap.

    Returns:
        The C-index; 0.5 with a note where training holds no event, None where no pair of test
        records can be ordered.

    Raises:
        EvaluationError: wrong shapes, infinite features, negative times, events not 0 or 1.
    """
    x = as_matrix(train_x, "training features", nan=True)
    test = as_matrix(test_x, "test features", nan=True)
    if x.shape[1] != test.shape[1]:
        raise EvaluationError(
            "Training and test features have different columns.",
            given=f"{x.shape[1]} and {test.shape[1]}",
        )
    time, event = _as_follow_up(train_time, train_event, len(x))
    test_times, test_events = _as_follow_up(test_time, test_event, len(test))
    ordered = _comparable(test_times, test_events)
    if not ordered.any():
        note = "no two test records can be ordered in time"
        return Utility(None, None, "c_index", len(test), note)
    x, test = _imputed(x, test)
    scale = standardisation(x)
    risk = scale(test) @ cox_ridge(scale(x), time, event, penalty=penalty)
    subjects = as_subjects(test_subjects, len(test))
    samples = bootstrap_rows(subjects, seed=seed, repeats=_REPEATS)
    draws = tuple(_weighted_c_index(ordered, risk, samples))
    value = float(_weighted_c_index(ordered, risk, [np.arange(len(test))])[0])
    note = "" if event.any() else "no training record has the event"
    return Utility(value, percentile_interval(draws), "c_index", len(test), note, draws)


def c_index(risk: npt.ArrayLike, time: npt.ArrayLike, event: npt.ArrayLike) -> float:
    """Return Harrell's concordance: how often the higher risk has the earlier event.

    A pair counts if one record's event comes before the other's event or censoring, or at the
    time of its censoring. Equal risks count half. NaN where no pair counts.

    Args:
        risk: (n,) higher means earlier.
        time: (n,) follow-up times.
        event: (n,) 1 event, 0 censored.

    Raises:
        EvaluationError: wrong shapes, negative times, events not 0 or 1.

    Reference:
        Harrell et al., Evaluating the yield of medical tests, JAMA 1982.

    >>> c_index([3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1, 1, 0])
    1.0
    """
    risks = as_matrix(risk, "risks")[:, 0]
    ordered = _comparable(*_as_follow_up(time, event, len(risks)))
    return float(_weighted_c_index(ordered, risks, [np.arange(len(risks))])[0])


def cox_ridge(
    x: npt.ArrayLike, time: npt.ArrayLike, event: npt.ArrayLike, *, penalty: float
) -> FloatArray:
    """Return the coefficients (d,) of a proportional-hazards model with a ridge penalty.

    Minimises the negative log partial likelihood per record (Breslow's form for tied events)
    plus penalty / 2 times the squared length of the coefficients. Without an event all are 0.

    Args:
        x: (n, d) finite features; standardise them first.
        time: (n,) follow-up times.
        event: (n,) 1 event, 0 censored.
        penalty: above 0 for a unique solution in every case.

    Raises:
        EvaluationError: wrong shapes, negative times, events not 0 or 1, or no convergence.

    Reference:
        Cox, JRSS B 1972; Breslow, Biometrics 1974.
    """
    values = as_matrix(x, "features")
    times, events = _as_follow_up(time, event, len(values))
    order = np.argsort(-times, kind="stable")  # at risk: a prefix, with ties up to its last one
    values, happened = values[order], events[order]
    last = np.searchsorted(-times[order], -times[order], side="right") - 1

    def objective(beta: FloatArray) -> tuple[float, FloatArray]:
        score = values @ beta
        top = score.max()
        weight = np.exp(score - top)
        at_risk = np.cumsum(weight)[last]
        loss = (np.log(at_risk) + top - score)[happened].sum()
        # Each event adds its at-risk softmax: sum over events of 1 / at_risk, by record.
        share = np.zeros(len(values))
        np.add.at(share, last[happened], 1 / at_risk[happened])
        pull = weight * np.cumsum(share[::-1])[::-1]
        gradient = values.T @ (pull - happened)
        n = len(values)
        return (
            float(loss / n + penalty / 2 * beta @ beta),
            gradient / n + penalty * beta,
        )

    found = minimize(
        objective, np.zeros(values.shape[1]), jac=True, method="L-BFGS-B", options={"gtol": 1e-7}
    )
    if not found.success:
        raise EvaluationError(
            "The Cox model did not converge.",
            given=found.message,
            next_step="Standardise the features, or raise the penalty.",
        )
    return np.asarray(found.x)


def _as_follow_up(
    time: npt.ArrayLike, event: npt.ArrayLike, n: int
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    times, events = as_matrix(time, "follow-up times")[:, 0], np.asarray(event)
    if times.shape != (n,) or events.shape != (n,):
        raise EvaluationError(
            "Features, times and events do not fit together.",
            given=f"{n} rows with {times.shape} times and {events.shape} events",
        )
    if (times < 0).any() or not np.isin(events, (0, 1)).all():
        raise EvaluationError(
            "Follow-up is out of range.",
            given=f"smallest time {times.min()}, events {np.unique(events)[:5].tolist()}",
            allowed="times >= 0 and events 0 or 1",
        )
    return times, events.astype(bool)


def _comparable(time: FloatArray, event: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return (n, n): whether the row's event is known to come before the column's."""
    later = time[None, :] > time[:, None]
    censored_then = (time[None, :] == time[:, None]) & ~event[None, :]
    return event[:, None] & (later | censored_then)


def _weighted_c_index(
    ordered: npt.NDArray[np.bool_], risk: FloatArray, samples: list[npt.NDArray[np.int64]]
) -> FloatArray:
    """Return the C-index of each sample of rows, with repeats; NaN where no pair counts."""
    weights = np.array([np.bincount(rows, minlength=len(risk)) for rows in samples], dtype=float)
    right = (risk[:, None] > risk[None, :]) + 0.5 * (risk[:, None] == risk[None, :])
    agree = ((weights @ (ordered * right)) * weights).sum(axis=1)
    pairs = ((weights @ ordered.astype(float)) * weights).sum(axis=1)
    index: FloatArray = np.full(len(samples), np.nan)
    np.divide(agree, pairs, out=index, where=pairs > 0)
    return index


def _imputed(x: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fill missing cells with the training median, 0 where a column is missing throughout."""
    known = ~np.isnan(x).all(axis=0)
    median = np.zeros(x.shape[1])
    median[known] = np.nanmedian(x[:, known], axis=0)
    return np.where(np.isnan(x), median, x), np.where(np.isnan(test), median, test)
