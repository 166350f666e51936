"""What patients must meet, and rows of the table that meet it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from casemix.core import expressions
from casemix.core.conditions import Conditions
from casemix.core.constrained import Demand, Generate, demands, generate_meeting
from casemix.core.fields import Schema
from casemix.core.samples import Samples

TABLE = "tabular"  # the modality whose cells can be wished for


@dataclass(frozen=True)
class Wishes:
    """What the patients must meet.

    Args:
        context: demands on the context alone.
        table: demands on each row of the table, whose context must suit them.
        rules: further demands on each row of the table, given its context.
        cells: context fields and columns that are fixed outright.
    """

    context: tuple[Demand, ...]
    table: tuple[Demand, ...]
    rules: tuple[Demand, ...]
    cells: Mapping[str, Any]

    @classmethod
    def of(
        cls, where: str, rules: Mapping[str, Sequence[Demand]], *, context: Schema, columns: Schema
    ) -> Wishes:
        """Sort an expression and rules by what they ask of.

        Args:
            where: an expression over the context and the table's columns; empty for none.
            rules: demands besides, by ``context`` and ``tabular``.
            context: the subjects' fields.
            columns: the table's columns; where a name is in both, the context's is meant.

        Raises:
            ConditionError: an expression that cannot be read, or an unknown field.
        """
        every = context.join(new_fields(columns, context))
        parts = demands(where, every)
        table = tuple(d for d in parts if any(n not in context for n in d.fields))
        return cls(
            (*(d for d in parts if d not in table), *rules.get("context", ())),
            table,
            tuple(rules.get(TABLE, ())),
            expressions.fixed_cells(where, every) if where else {},
        )

    def fix(self, rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return the rows with those of these fields filled in that are fixed outright."""
        fixed = [name for name in schema.names if name in self.cells]
        return rows.assign(**{name: [self.cells[name]] * len(rows) for name in fixed})


def generate_wished(
    generate: Generate, given: Conditions, wishes: Wishes, columns: Schema, *, seed: int
) -> Samples:
    """Return table samples, one per row of ``given``, that are as wished.

    Args:
        generate: draws table samples; each row depends on its own id and cells alone.
        given: what is known of each row.
        wishes: those on the table are looked at.
        columns: the table's columns.
        seed: seed of the search, see `casemix.core.constrained.generate_meeting`.

    Raises:
        ConditionError: a wish that no drawn row met.
    """
    wanted = (*wishes.table, *wishes.rules)
    if not wanted:
        return generate(given)
    new = new_fields(columns, given.schema)
    cells = wishes.fix(new.empty(given.rows.index), new)
    return generate_meeting(generate, given.join(cells, new), wanted, seed=seed)


def new_fields(schema: Schema, present: Schema) -> Schema:
    """Return the fields of a schema that are not present yet."""
    return Schema(tuple(f for f in schema if f.name not in present))
