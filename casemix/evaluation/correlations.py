"""Differences of correlations and of mutual information, column pair by column pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray, IntArray
from casemix.evaluation.tables import aligned, is_numeric, numbers

_BINS = 5  # per number: more cells than that are empty in a few hundred rows
_MOST_LEVELS = 20  # rarer levels share one


@dataclass(frozen=True)
class PairDifference:
    """A difference of associations and its parts.

    Attributes:
        value: root mean square over the column pairs; 0 is ideal.
        parts: absolute difference by pair, "first ~ second".
    """

    value: float
    parts: Mapping[str, float]


def correlation_difference(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    method: Literal["pearson", "spearman"] = "pearson",
) -> PairDifference:
    """Return the root mean square difference of correlations of numeric columns, in [0, 2].

    That is the Frobenius distance of the matrices over the root of their number of pairs: a few
    lost ties outweigh the noise of many columns that have none. On pairwise complete rows. Pairs
    that are undefined in the real frame are left out; pairs undefined only in the synthetic frame
    (a column gone constant) count as correlation 0.

    Raises:
        EvaluationError: the frames' columns differ, one has no rows, or no pair is defined.
    """
    synthetic = aligned(real, synthetic)
    names = [name for name in real.columns if is_numeric(real[name])]
    wanted, found = (
        pd.DataFrame({str(n): numbers(arm[n]) for n in names})
        .corr(method=method, min_periods=5)
        .to_numpy(dtype=np.float64)
        .reshape(len(names), len(names))
        for arm in (real, synthetic)
    )
    gaps = np.abs(wanted - np.nan_to_num(found))
    return _root_mean_square(gaps, names, "at least two numeric columns that vary")


@dataclass(frozen=True)
class Levels:
    """How the cells of a table become a few levels per column, the same in every arm.

    Numbers are cut at quantiles of the real column; of other cells the 20 most frequent real
    levels stay and the rest share one; missing is a level.

    Attributes:
        columns: the columns, in order.
        cuts: per column the inner cuts of a number, or None.
        known: per column the levels that stay, empty for a number.
    """

    columns: tuple[str, ...]
    cuts: tuple[FloatArray | None, ...]
    known: tuple[tuple[str, ...], ...]

    @classmethod
    def fit(cls, real: pd.DataFrame, bins: int = _BINS) -> Levels:
        """Learn cuts and levels from the real table (n, d)."""
        cuts: list[FloatArray | None] = []
        known: list[tuple[str, ...]] = []
        for name in real.columns:
            if is_numeric(real[name]):
                cuts.append(_quantiles(numbers(real[name]), bins))
                known.append(())
            else:
                cuts.append(None)
                # By name first, so that ties in frequency do not depend on the order of rows.
                counts = real[name].dropna().astype(str).value_counts().sort_index()
                ranked = counts.sort_values(ascending=False, kind="stable").index
                known.append(tuple(ranked[:_MOST_LEVELS]))
        return cls(tuple(map(str, real.columns)), tuple(cuts), tuple(known))

    def code(self, frame: pd.DataFrame) -> IntArray:
        """Return level numbers from 0, (n, d); 0 is missing."""
        coded = [
            _cut(numbers(frame[name]), cuts) if cuts is not None else _level(frame[name], known)
            for name, cuts, known in zip(self.columns, self.cuts, self.known, strict=True)
        ]
        return np.stack(coded, axis=1)


def normalised_mutual_information(codes: IntArray, sizes: Sequence[int] = ()) -> FloatArray:
    """Return the mutual information of all column pairs over their mean entropy, (d, d).

    Args:
        codes: (n, d) level numbers from 0.
        sizes: how many levels each column may have; by default its largest number plus one.

    Returns:
        Symmetric, in [0, 1], NaN where both columns are constant. Biased upwards in few rows:
        compare arms of the same size.

    Reference:
        Vinh, Epps and Bailey, JMLR 2010; scikit-learn ``normalized_mutual_info_score``.
    """
    widths = np.asarray(sizes if len(sizes) else codes.max(axis=0) + 1)
    starts = np.r_[0, np.cumsum(widths)[:-1]]
    member = np.zeros((len(codes), int(widths.sum())), dtype=np.float32)
    np.put_along_axis(member, codes + starts, 1.0, axis=1)
    joint = (member.T @ member).astype(np.float64) / len(codes)  # (levels, levels)
    logs = np.log(joint, out=np.zeros_like(joint), where=joint > 0)
    blocks = np.add.reduceat(np.add.reduceat(joint * logs, starts, axis=0), starts, axis=1)
    entropy = -np.diag(blocks)
    mutual = entropy[:, None] + entropy[None, :] + blocks
    mean = (entropy[:, None] + entropy[None, :]) / 2
    constant = mean <= 1e-12
    found: FloatArray = np.clip(mutual / np.where(constant, 1.0, mean), 0.0, 1.0)
    found[constant] = np.nan
    return found


def mutual_information_difference(
    real: pd.DataFrame, synthetic: pd.DataFrame, *, bins: int = _BINS
) -> PairDifference:
    """Return the root mean square difference of normalised mutual information, in [0, 1].

    Sees dependence of any shape and between any kinds of columns, missing cells included. See
    `Levels` for how cells become levels.

    Raises:
        EvaluationError: the frames' columns differ, one has no rows, or no pair is defined.
    """
    synthetic = aligned(real, synthetic)
    levels = Levels.fit(real, bins)
    return information_gap(levels.code(real), levels.code(synthetic), levels.columns)


def information_gap(real: IntArray, synthetic: IntArray, names: Sequence[str]) -> PairDifference:
    """Return `mutual_information_difference` of coded rows, (n, d) and (m, d).

    Raises:
        EvaluationError: no pair is defined.
    """
    wanted = normalised_mutual_information(real)
    found = np.nan_to_num(normalised_mutual_information(synthetic))
    return _root_mean_square(np.abs(wanted - found), names, "at least two columns that vary")


def _root_mean_square(gaps: FloatArray, names: Sequence[str], allowed: str) -> PairDifference:
    parts = {
        f"{first} ~ {names[j]}": float(gaps[i, j])
        for i, first in enumerate(names)
        for j in range(i + 1, len(names))
        if np.isfinite(gaps[i, j])
    }
    if not parts:
        raise EvaluationError(
            "No pair of columns has a defined correlation.", given=list(names), allowed=allowed
        )
    return PairDifference(float(np.sqrt(np.mean(np.square(list(parts.values()))))), parts)


def _quantiles(values: FloatArray, bins: int) -> FloatArray:
    observed = values[~np.isnan(values)]
    if not len(observed):
        return np.zeros(0)
    inner: FloatArray = np.unique(np.quantile(observed, np.arange(1, bins) / bins))
    return inner


def _cut(values: FloatArray, cuts: FloatArray) -> IntArray:
    places: IntArray = np.searchsorted(cuts, values, side="right") + 1
    return np.where(np.isnan(values), 0, places)


def _level(column: pd.Series, known: tuple[str, ...]) -> IntArray:
    lookup = {level: i + 1 for i, level in enumerate(known)}
    places = column.astype(str).map(lookup).fillna(len(known) + 1).to_numpy(dtype=np.int64)
    return np.where(column.isna().to_numpy(), 0, places)
