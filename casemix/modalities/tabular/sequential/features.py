"""Columns as numbers that trees and linear models read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from casemix.core.fields import Kind
from casemix.modalities.tabular.sequential.column import Column

_SHRINK = 10.0  # rows' worth of the overall mean that each level's profile is shrunk with
_FEW_LEVELS = 7  # up to here a target is one-hot
_MANY_LEVELS = 30
_BLOCKS = 24  # of neighbouring levels, in the profile of a column of many levels
_AXES = 3  # of a nominal column as a feature
_MANY_AXES = 6  # of a nominal column of many levels
_PLACE = 48**0.5  # twice the spread of an axis: a level's place weighs more than one of them
_TARGET_AXES = 5  # of a nominal column that is not one-hot as a target


@dataclass(frozen=True)
class Coding:
    """How one column is read, and what a tree that predicts it is to separate.

    Args:
        levels: features of each level, then of missing, (l + 1, k); empty (0, 1) for numbers.
        missing: whether missing cells occurred; numbers then get an indicator.
        target: target of each level, then of missing, (l + 1, q); empty for numbers.
        linear: how many features, the last ones, linear models alone read.
    """

    levels: np.ndarray
    missing: bool
    target: np.ndarray
    linear: int = 0

    @property
    def width(self) -> int:
        """The number of features."""
        return self.levels.shape[1] if len(self.levels) else 1 + self.missing

    def features(self, column: Column, cells: np.ndarray) -> np.ndarray:
        """Return features of cells, float64 (n, width)."""
        if len(self.levels):
            return self.levels[_position(cells, len(self.levels) - 1)]
        known = ~np.isnan(cells)
        scores = np.zeros(len(cells))
        if column.overall is not None:
            scores[known] = column.overall.score(cells[known])
        return np.stack([scores, ~known], axis=1) if self.missing else scores[:, None]

    def targets(self, column: Column, cells: np.ndarray) -> np.ndarray:
        """Return what trees separate, float64 (n, q)."""
        if len(self.target):
            return self.target[_position(cells, len(self.target) - 1)]
        return self.features(column, cells)


def fit_codings(columns: Sequence[Column], cells: np.ndarray) -> list[Coding]:
    """Learn how each column is read; nominal levels lie by what they go with in other columns.

    Levels of a nominal column become points: the first principal axes of their mean profile over
    the other columns (a correspondence analysis), so that a tree can split many levels at once.
    A column of many levels also has their place in the field's own order, since codes that stand
    together are often alike.

    Args:
        columns: d columns.
        cells: (n, d).

    Reference:
        Greenacre, Correspondence Analysis in Practice, 2017.
    """
    profiles = [_profile(column, cells[:, j]) for j, column in enumerate(columns)]  # (n, p_j)
    basis = np.concatenate(profiles, axis=1)
    basis = (basis - basis.mean(axis=0)) / np.maximum(basis.std(axis=0), 1e-9)
    stops = np.cumsum([p.shape[1] for p in profiles])
    codings = []
    for j, column in enumerate(columns):
        own = np.arange(stops[j] - profiles[j].shape[1], stops[j])
        codings.append(_coding(column, cells[:, j], basis, own))
    return codings


def _coding(column: Column, cells: np.ndarray, basis: np.ndarray, own: np.ndarray) -> Coding:
    missing = bool(np.isnan(cells).any())
    if column.numeric:
        return Coding(np.empty((0, 1)), missing, np.empty((0, 1)))
    levels = len(column.field.levels)
    used = levels + missing
    one_hot = np.eye(levels + 1)
    if column.field.kind is Kind.ORDINAL or used <= 2:
        rank = np.append(np.linspace(-1.0, 1.0, levels), 0.0)
        features = np.stack([rank, one_hot[-1]], axis=1) if missing else rank[:, None]
        axes = features if used <= _FEW_LEVELS else _level_axes(cells, levels, basis, own)
    else:
        axes = _level_axes(cells, levels, basis, own)
        features = axes[:, : _MANY_AXES if used > _MANY_LEVELS else _AXES]
    if used > _MANY_LEVELS and column.field.kind is not Kind.ORDINAL:
        place = _PLACE * (_midranks(cells, levels)[:, None] - 0.5)
        features = np.concatenate([place, features, _blocks(cells, levels)], axis=1)
        axes = np.concatenate([place, axes[:, :_TARGET_AXES]], axis=1)
        return Coding(features, missing, axes, _BLOCKS)
    target = one_hot if used <= _FEW_LEVELS else axes[:, :_TARGET_AXES]
    return Coding(features, missing, target)


def _level_axes(cells: np.ndarray, levels: int, basis: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return points of unit variance for each level and for missing, (levels + 1, k).

    Args:
        cells: positions of levels, (n,).
        levels: number of levels.
        basis: standardised profiles of all columns, (n, p).
        own: which of them are the column's own.
    """
    position = _position(cells, levels)
    counts = np.bincount(position, minlength=levels + 1)
    rows = np.arange(len(cells))
    member = csr_array((np.ones(len(cells)), (position, rows)), shape=(levels + 1, len(cells)))
    sums = np.delete(member @ basis, own, axis=1)
    means = sums / (counts + _SHRINK)[:, None]  # (levels + 1, p), shrunk to the overall mean 0
    weight = np.sqrt(counts / counts.sum())[:, None]
    axes = np.linalg.svd(weight * means, full_matrices=False)[2]
    points = means @ axes[: min(_MANY_AXES, max(np.count_nonzero(counts) - 1, 1))].T
    spread = np.sqrt((weight**2 * points**2).sum(axis=0))
    return points / np.maximum(spread, 1e-9)


def _profile(column: Column, cells: np.ndarray) -> np.ndarray:
    """Return what a column adds to the profile of other columns' levels."""
    known = ~np.isnan(cells)
    if column.numeric:
        scores = np.zeros(len(cells))
        if column.overall is not None:
            scores[known] = column.overall.score(cells[known])
        return np.stack([scores, known], axis=1)
    position = _position(cells, len(column.field.levels))
    counts = np.bincount(position, minlength=len(column.field.levels) + 1)
    if len(counts) > _MANY_LEVELS:
        return _blocks(cells, len(counts) - 1)[position]
    common = np.argsort(-counts, kind="stable")[:_FEW_LEVELS]
    return (position[:, None] == common).astype(float)


def _blocks(cells: np.ndarray, levels: int) -> np.ndarray:
    """Return which block of about equal share each level, then missing, lies in; one-hot."""
    block = (_midranks(cells, levels) * _BLOCKS).astype(int)
    return np.eye(_BLOCKS)[block]


def _midranks(cells: np.ndarray, levels: int) -> np.ndarray:
    """Return the mid-rank of each level, then of missing, in (0, 1), (levels + 1,)."""
    counts = np.bincount(_position(cells, levels), minlength=levels + 1)
    ranks: np.ndarray = (np.cumsum(counts) - counts / 2) / len(cells)
    return np.minimum(ranks, 1 - 1e-9)


def _position(cells: np.ndarray, missing: int) -> np.ndarray:
    return np.where(np.isnan(cells), missing, cells).astype(int)
