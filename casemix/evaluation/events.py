"""Events: how often codes occur, together and one after another, and when subjects are seen.

Events are a frame with the columns ``subject``, ``time`` (hours) and ``code``; further columns do
not matter. A *visit* is all events of a subject at one time. The probabilities are those of HALO:
a code or a pair counts once per subject (or visit), however often it is recorded there.

Reference:
    Theodorou, Xiao and Sun, Synthesize high-dimensional longitudinal electronic health records via
    hierarchical autoregressive language model, Nature Communications 2023 (2304.02169).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array, triu
from scipy.stats import ks_2samp, wasserstein_distance

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, bootstrap_rows

_COLUMNS = ("subject", "time", "code")
_HEAD, _BODY = 100, 1000  # ranks by real probability that bound the slices
_SHORTEST = 1 / 60  # hours; shorter gaps count as one minute

Unit = Literal["subject", "visit"]


@dataclass(frozen=True)
class Explained:
    """How well synthetic probabilities explain the real ones.

    Attributes:
        value: R2, at most 1; below 0 where the mean real probability would explain them better.
        slices: R2 of ``top 100``, ``101-1000`` and ``beyond 1000`` by real probability, where a
            slice has at least two entries that differ.
        n: how many codes or pairs of codes occur in either arm.
        unseen: share of the real probability mass on what never occurs in the synthetic arm.
    """

    value: float
    slices: Mapping[str, float]
    n: int
    unseen: float


@dataclass(frozen=True)
class Distance:
    """How far two distributions of one number are apart.

    Attributes:
        ks: Kolmogorov-Smirnov distance, in [0, 1].
        wasserstein: first Wasserstein distance, in the number's unit.
        medians: of the real and of the synthetic numbers.
    """

    ks: float
    wasserstein: float
    medians: tuple[float, float]


def code_prevalence(events: pd.DataFrame, *, unit: Unit = "subject") -> pd.Series:
    """Return the share of subjects (or visits) with each code, index = code.

    Raises:
        EvaluationError: no event, or a column that is missing.
    """
    present, codes = _incidence(events, unit)
    shares = present.sum(axis=0) / present.shape[0]
    return pd.Series(np.asarray(shares), index=pd.Index(codes, name="code"))


def code_pairs(events: pd.DataFrame, *, unit: Unit = "visit") -> pd.Series:
    """Return the share of visits (or subjects) with both codes of each pair that occurs.

    Returns:
        Probabilities, index = (first, second) in alphabetical order, first < second.

    Raises:
        EvaluationError: no event, or a column that is missing.
    """
    present, codes = _incidence(events, unit)
    return _pairs(triu(present.T @ present, k=1), codes, codes) / present.shape[0]


def code_bigrams(events: pd.DataFrame) -> pd.Series:
    """Return the share of consecutive visits with code a in the earlier and b in the later one.

    Returns:
        Probabilities, index = (earlier, later).

    Raises:
        EvaluationError: no subject has two visits, no event, or a column that is missing.
    """
    present, codes = _incidence(events, "visit")
    subject = _visits(events)["subject"].to_numpy()
    earlier = np.flatnonzero(subject[:-1] == subject[1:])
    if not len(earlier):
        raise EvaluationError(
            "No subject has a second visit, so that no code follows another.",
            given=f"{present.shape[0]} visits of as many subjects",
            allowed="events of a subject at two times or more",
        )
    return _pairs(present[earlier].T @ present[earlier + 1], codes, codes) / len(earlier)


def explained(real: pd.Series, synthetic: pd.Series) -> Explained:
    """Return R2 of synthetic probabilities as predictions of the real ones, over what occurs.

    What occurs in one arm alone counts with probability 0 in the other. A few frequent codes own
    R2, and more rare ones let it fall in smaller samples: read the slices, and the ceiling.

    Args:
        real: probabilities by code or pair, from one of the functions above.
        synthetic: the same of the other arm.

    Raises:
        EvaluationError: fewer than two entries, or all real probabilities are equal.
    """
    wanted, found = real.align(synthetic, join="outer", fill_value=0.0)
    value = _r2(wanted.to_numpy(), found.to_numpy())
    if value is None:
        raise EvaluationError(
            "R2 needs probabilities that differ.",
            given=f"{len(wanted)} codes or pairs of codes",
            allowed="at least two, not all equally frequent",
        )
    # Sorted by name first: ties in probability must not depend on the order of records.
    order = np.argsort(-wanted.to_numpy(), kind="stable")
    cuts = {
        f"top {_HEAD}": order[:_HEAD],
        f"{_HEAD + 1}-{_BODY}": order[_HEAD:_BODY],
        f"beyond {_BODY}": order[_BODY:],
    }
    slices = {k: _r2(wanted.to_numpy()[rows], found.to_numpy()[rows]) for k, rows in cuts.items()}
    unseen = float(wanted[found == 0].sum() / wanted.sum())
    known = {k: v for k, v in slices.items() if v is not None}
    return Explained(value, known, len(wanted), unseen)


def visit_gaps(events: pd.DataFrame) -> FloatArray:
    """Return the natural logarithm of the hours between consecutive visits, (gaps,).

    Gaps below one minute count as one minute.

    Raises:
        EvaluationError: no event, or a column that is missing.
    """
    visits = _visits(events)
    gaps = visits.groupby("subject", sort=False)["time"].diff().dropna().to_numpy()
    logs: FloatArray = np.log(np.maximum(gaps, _SHORTEST))
    return logs


def resampled(events: pd.DataFrame, *, seed: int, repeats: int) -> Iterator[pd.DataFrame]:
    """Yield the events of bootstrap samples of subjects; one drawn twice counts as two.

    Raises:
        EvaluationError: no event, or a column that is missing.
    """
    subjects = _checked(events)["subject"].to_numpy()
    for rows in bootstrap_rows(subjects, seed=seed, repeats=repeats):
        drawn = events.iloc[rows]
        # A subject's rows follow each other; a second drawing starts with its first row again.
        first = np.r_[True, rows[1:] <= rows[:-1]] | ~_same(drawn["subject"].to_numpy())
        yield drawn.assign(subject=np.cumsum(first))


def lengths(events: pd.DataFrame) -> pd.DataFrame:
    """Return how many events and visits each subject has; index = subject.

    Raises:
        EvaluationError: no event, or a column that is missing.
    """
    visits = _visits(events).groupby("subject").size()
    return pd.DataFrame({"events": events.groupby("subject").size(), "visits": visits})


def distance(real: FloatArray, synthetic: FloatArray) -> Distance:
    """Return how far two samples of a number are apart.

    Raises:
        EvaluationError: fewer than two numbers on a side.
    """
    if min(len(real), len(synthetic)) < 2:
        raise EvaluationError(
            "Too few numbers to compare their distributions.",
            given=f"{len(real)} real and {len(synthetic)} synthetic ones",
            allowed="at least 2 of each",
            next_step="Evaluate on more subjects, or on subjects with more visits.",
        )
    return Distance(
        float(ks_2samp(real, synthetic, method="asymp").statistic),
        float(wasserstein_distance(real, synthetic)),
        (float(np.median(real)), float(np.median(synthetic))),
    )


def _checked(events: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in _COLUMNS if name not in events.columns]
    if missing or events.empty:
        raise EvaluationError(
            "These are not events.",
            given=f"{len(events)} rows with the columns {', '.join(map(str, events.columns))}",
            allowed=f"at least one row with the columns {', '.join(_COLUMNS)}",
        )
    return events


def _same(subjects: np.ndarray) -> npt.NDArray[np.bool_]:
    """Return whether each row is of the same subject as the one before, (n,)."""
    codes = pd.factorize(subjects)[0]
    return np.r_[False, codes[1:] == codes[:-1]]


def _visits(events: pd.DataFrame) -> pd.DataFrame:
    """Return the distinct (subject, time), in order."""
    pairs = _checked(events)[["subject", "time"]].drop_duplicates()
    return pairs.sort_values(["subject", "time"]).reset_index(drop=True)


def _incidence(events: pd.DataFrame, unit: Unit) -> tuple[csr_array, np.ndarray]:
    """Return which unit has which code, (units, codes) of 0 and 1, and the sorted codes.

    Visits are in the order of `_visits`.
    """
    keys = ["subject"] if unit == "subject" else ["subject", "time"]
    rows = _checked(events).groupby(keys, sort=True).ngroup().to_numpy()
    columns, codes = pd.factorize(events["code"], sort=True)
    shape = (int(rows.max()) + 1, len(codes))
    counts = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    counts.sum_duplicates()
    counts.data[:] = 1.0
    return counts, np.asarray(codes, dtype=object)


def _pairs(counts: csr_array, first: np.ndarray, second: np.ndarray) -> pd.Series:
    found = counts.tocoo()
    index = pd.MultiIndex.from_arrays(
        [first[found.row], second[found.col]], names=["first", "second"]
    )
    return pd.Series(found.data, index=index, dtype=np.float64)


def _r2(wanted: FloatArray, found: FloatArray) -> float | None:
    spread = float(((wanted - wanted.mean()) ** 2).sum()) if len(wanted) > 1 else 0.0
    return 1.0 - float(((wanted - found) ** 2).sum()) / spread if spread > 0 else None
