"""Survival: time-to-event targets, the ridge Cox model, martingale residuals and the C-index.

A target is an (n,) array of `FOLLOW_UP`: whether the event happened, and when it did or the record
was censored, in any unit. (scikit-survival keeps targets the same way.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, IntArray, as_matrix, standardisation

FOLLOW_UP = np.dtype([("event", np.bool_), ("time", np.float64)])


def follow_up(time: npt.ArrayLike, event: npt.ArrayLike) -> npt.NDArray:
    """Return time-to-event targets, (n,) of `FOLLOW_UP`.

    Args:
        time: (n,) follow-up times, finite and at least 0.
        event: (n,) 1 where the event happened at that time, 0 where the record was censored.

    Raises:
        EvaluationError: wrong shapes, negative times, events not 0 or 1.
    """
    times, events = _as_follow_up(time, event, len(np.asarray(time)))
    target = np.empty(len(times), FOLLOW_UP)
    target["event"], target["time"] = events, times
    return target


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


def c_index_of(target: npt.NDArray, risk: FloatArray, samples: list[IntArray]) -> FloatArray:
    """Return `c_index` of each sample of rows, (samples,); NaN where no pair counts.

    Args:
        target: (n,) of `FOLLOW_UP`.
        risk: (n,) higher means earlier.
        samples: rows of each sample, with repeats.
    """
    return _weighted_c_index(_comparable(target["time"], target["event"]), risk, samples)


def check_follow_up(target: npt.NDArray) -> None:
    """Raise `EvaluationError` unless the targets are of `FOLLOW_UP`."""
    if target.dtype != FOLLOW_UP:
        raise EvaluationError(
            "Survival needs follow-up times with events.",
            given=f"targets of type {target.dtype}",
            next_step="Make them with casemix.evaluation.survival.follow_up.",
        )


def can_be_ordered(target: npt.NDArray) -> bool:
    """Return whether any two records' events are known to come one after the other."""
    return bool(_comparable(target["time"], target["event"]).any())


def martingale_residuals(target: npt.NDArray) -> FloatArray:
    """Return event minus cumulative hazard (Nelson-Aalen) at the end of follow-up, (n,).

    A higher residual means an earlier event than most: any regression on these learns a risk.

    Args:
        target: (n,) of `FOLLOW_UP`.

    Reference:
        Therneau, Grambsch and Fleming, Biometrika 1990.
    """
    times, first = np.unique(target["time"], return_inverse=True)
    events = np.bincount(first, weights=target["event"], minlength=len(times))
    leaving = np.bincount(first, minlength=len(times))
    at_risk = leaving[::-1].cumsum()[::-1]
    hazard = np.cumsum(events / at_risk)
    residuals: FloatArray = target["event"] - hazard[first]
    return residuals


def cox_risk(x: FloatArray, target: npt.NDArray, test: FloatArray, *, penalty: float) -> FloatArray:
    """Return the log hazard (m,) that a ridge Cox model of training records gives others.

    Args:
        x: (n, d) features, NaN for missing: median-imputed, standardised on training.
        target: (n,) of `FOLLOW_UP`.
        test: (m, d) features of the others.
        penalty: ridge penalty per training record, on standardised columns.

    Raises:
        EvaluationError: no convergence.
    """
    filled, test = _imputed(x, test)
    scale = standardisation(filled)
    effects = cox_ridge(scale(filled), target["time"], target["event"], penalty=penalty)
    risk: FloatArray = scale(test) @ effects
    return risk


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
