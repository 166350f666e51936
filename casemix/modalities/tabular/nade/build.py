"""Untrained networks of a table, each with an order of its columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from casemix.core.fields import Kind
from casemix.modalities.tabular.masked.table import TokenTable
from casemix.modalities.tabular.nade.network import Nade
from casemix.modalities.tabular.sequential.column import ATOM

_MANY = 8  # tokens of a nominal column that is drawn early and whose pairs are counted
_STEM = 3  # most characters by which levels of such a column are akin, as in code systems


class Size(NamedTuple):
    """How large a network is, and how much of it a row does without.

    Args:
        hidden: width of the sums.
        inner: width of each column's own layer.
        dropout: share of both that each row does without.
    """

    hidden: int
    inner: int
    dropout: float


def network(table: TokenTable, k: int, size: Size) -> Nade:
    """Return the k-th untrained network.

    Args:
        table: the vocabularies.
        k: even networks draw the columns of few levels as they come, odd ones the other way.
        size: see `Size`.
    """
    many = [
        j
        for j, column in enumerate(table.columns)
        if column.column.field.kind is Kind.CATEGORICAL and column.size >= _MANY
    ]
    return Nade(
        [column.counts for column in table.columns],
        [column.place_table().mean(axis=1) for column in table.columns],
        _order(table, many, k),
        **size._asdict(),
        paired=many,
        families=_families(table, many),
    )


def _order(table: TokenTable, many: list[int], k: int) -> list[int]:
    """Return the columns: those only given, those of many levels, the others either way."""
    given, own = range(table.conditional), range(table.conditional, len(table.columns))
    rest = [j for j in own if j not in many]
    return [*given, *(j for j in own if j in many), *(rest[::-1] if k % 2 else rest)]


def _families(table: TokenTable, many: list[int]) -> list[np.ndarray]:
    """Return the families of each token, int64 (size, 3) per column: levels that begin alike."""
    numbers: dict[tuple[int, str], int] = {}
    found = [np.zeros((column.size, _STEM), dtype=np.int64) for column in table.columns]
    for j in many:
        for k, level in enumerate(table.columns[j].column.field.levels):
            stems = [level[:length] for length in range(1, min(len(level), _STEM) + 1)]
            own = [numbers.setdefault((j, stem), len(numbers) + 1) for stem in stems]
            found[j][ATOM + k, : len(own)] = own
    return found
