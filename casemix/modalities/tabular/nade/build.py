"""Untrained networks of a table, each with an order of its columns."""

from __future__ import annotations

from casemix.core.fields import Kind
from casemix.modalities.tabular.masked.table import TokenTable
from casemix.modalities.tabular.nade.network import Nade

_MANY = 16  # levels of a column whose pairs with others are counted, and which is drawn early


def network(table: TokenTable, k: int, widths: tuple[int, int]) -> Nade:
    """Return the k-th untrained network.

    Args:
        table: the vocabularies.
        k: even networks draw the columns of few levels as they come, odd ones the other way.
        widths: of the sums, and of each column's own layer.
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
        hidden=widths[0],
        inner=widths[1],
        paired=many,
    )


def _order(table: TokenTable, many: list[int], k: int) -> list[int]:
    """Return the columns: those only given, those of many levels, the others either way."""
    given, own = range(table.conditional), range(table.conditional, len(table.columns))
    rest = [j for j in own if j not in many]
    return [*given, *(j for j in own if j in many), *(rest[::-1] if k % 2 else rest)]
