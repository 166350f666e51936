"""Columns of two cohorts side by side: context fields, and what tables of records show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd

from casemix.core.cohort import Cohort
from casemix.core.fields import Kind
from casemix.core.samples import Samples
from casemix.evaluation import tables

#: Records of a table that are read for its marginals; more are thinned evenly, and it is said.
MOST_ROWS = 1000

_BINS = 20
_LEVELS = 7
_SKEWED = 8.0  # largest value over the median from which an axis is logarithmic


@dataclass(frozen=True)
class Bins:
    """Shares per bin of the values that are present; the ends are of both cohorts together.

    Bins are of equal width, on a log axis where the values are positive and far from symmetric.
    """

    low: float
    high: float
    log: bool
    reference: tuple[float, ...]
    synthetic: tuple[float, ...]


@dataclass(frozen=True)
class Levels:
    """Shares per level (or code) of the cells that are present."""

    names: tuple[str, ...]
    reference: tuple[float, ...]
    synthetic: tuple[float, ...]
    log: ClassVar[bool] = False


@dataclass(frozen=True)
class Column:
    """One column in both cohorts.

    Args:
        name: the column's name.
        unit: its unit, or ``""``.
        source: ``context`` or the modality that it belongs to.
        kind: numeric, codes, or anything else for levels.
        reference: the reference cohort's cells.
        synthetic: the synthetic cohort's cells.
    """

    name: str
    unit: str
    source: str
    kind: Kind
    reference: pd.Series
    synthetic: pd.Series

    @cached_property
    def similarity(self) -> float | None:
        """The marginal similarity in [0, 1]; None for codes, and where rows are too few."""
        if self.kind is Kind.CODES or min(len(self.reference), len(self.synthetic)) < 2:
            return None
        frames = [cells.to_frame("cells") for cells in (self.reference, self.synthetic)]
        return tables.marginal_similarity(*frames).value

    @property
    def missing(self) -> tuple[float, float]:
        """The shares of missing cells, reference and synthetic."""
        return float(self.reference.isna().mean()), float(self.synthetic.isna().mean())

    @property
    def summary(self) -> Bins | Levels:
        """What a picture of the column shows."""
        real, made = self.reference.dropna(), self.synthetic.dropna()
        if self.kind is Kind.NUMERIC and len(real) + len(made):
            return _bins(real.to_numpy(float), made.to_numpy(float))
        return _levels(real, made)


def _bins(real: np.ndarray, made: np.ndarray) -> Bins:
    both = np.concatenate([real, made])
    low, high = float(both.min()), float(both.max())
    log = low > 0 and high > _SKEWED * float(np.median(both))
    end = high if high > low else low + 1.0
    edges = np.geomspace(low, end, _BINS + 1) if log else np.linspace(low, end, _BINS + 1)
    edges[0], edges[-1] = low, end  # geomspace may round the ends inwards
    shares = [
        tuple((np.histogram(values, edges)[0] / max(len(values), 1)).tolist())
        for values in (real, made)
    ]
    return Bins(low, high, log, *shares)


def _levels(real: pd.Series, made: pd.Series) -> Levels:
    counts = [
        cells.explode().astype(str).value_counts() / max(len(cells), 1) for cells in (real, made)
    ]
    frequent = counts[0].add(counts[1], fill_value=0).sort_values(ascending=False, kind="stable")
    names = [str(name) for name in frequent.index[:_LEVELS]]
    shares = [[float(count.get(name, 0.0)) for name in names] for count in counts]
    return Levels(tuple(names), tuple(shares[0]), tuple(shares[1]))


def columns(reference: Cohort, synthetic: Cohort) -> list[Column]:
    """Return the columns that both cohorts have: context first, then tables in their order."""
    found = [
        Column(
            f.name,
            f.unit,
            "context",
            f.kind,
            reference.subjects[f.name],
            synthetic.subjects[f.name],
        )
        for f in reference.schema
        if f.name in synthetic.schema
    ]
    for modality in reference.modalities:
        if modality in synthetic.samples and _is_table(reference[modality]):
            found += _of_tables(modality, reference[modality], synthetic[modality])
    return [column for column in found if column.reference.notna().any()]


def least_alike(found: Sequence[Column], most: int) -> list[Column]:
    """Return the ``most`` columns of the lowest similarity (codes first), in their old order."""
    ranked = sorted(found, key=lambda c: -1.0 if c.similarity is None else c.similarity)
    chosen = {id(column) for column in ranked[:most]}
    return [column for column in found if id(column) in chosen]


def _is_table(samples: Samples) -> bool:
    return bool(samples.payload.preview(0)["type"] == "table")


def _of_tables(modality: str, reference: Samples, synthetic: Samples) -> list[Column]:
    real, units = _cells(reference)
    made, _ = _cells(synthetic)
    found = []
    for name in (n for n in real if n in made):
        cells = [pd.Series(side, dtype=object) for side in (real[name], made[name])]
        numeric = all(_is_number(value) for side in cells for value in side.dropna())
        kind = Kind.NUMERIC if numeric else Kind.CATEGORICAL
        typed = [side.astype(float) if numeric else _as_text(side) for side in cells]
        found.append(Column(name, units[name], modality, kind, typed[0], typed[1]))
    return found


def _cells(samples: Samples) -> tuple[dict[str, list[object]], dict[str, str]]:
    n = len(samples)
    positions = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int))
    cells: dict[str, list[object]] = {}
    units: dict[str, str] = {}
    for position in positions:
        for name, value, unit in samples.payload.preview(int(position))["rows"]:
            cells.setdefault(str(name), []).append(value)
            units[str(name)] = str(unit or "")
    return cells, units


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_text(cells: pd.Series) -> pd.Series:
    return cells.map(str, na_action="ignore").astype(object)
