"""Conditions: the typed table of what is wanted, one row per sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from casemix.core import expressions, seeding
from casemix.core.fields import Kind, Schema
from casemix.core.samples import KEYS, checked_ids
from casemix.errors import CohortError, ConditionError, SchemaError, did_you_mean


@dataclass(frozen=True)
class Conditions:
    """One row per sample wanted; any field cell may be unspecified.

    There is no sample count: the table is the count. Ids go in and come out in the same
    order.

    Args:
        rows: index ``sample_id`` (unique str); columns ``subject_id`` (str), ``time`` (float
            hours), then the fields of ``schema``. NaN or None is *unspecified*.
        schema: the fields that may be given.
        maps: spatial conditions aligned to the rows, e.g. ``{"segmentation": (n, c, h, w)}``.

    Raises:
        ConditionError: an unknown column, a level or number outside its field, a map of the
            wrong length.
    """

    rows: pd.DataFrame
    schema: Schema
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", _checked_rows(self.rows, self.schema))
        for name, values in self.maps.items():
            if len(values) != len(self.rows):
                raise ConditionError(
                    f"The map '{name}' needs one entry per row.",
                    given=f"{len(values)} entries for {len(self.rows)} rows",
                )

    @classmethod
    def of(
        cls, frame: pd.DataFrame, schema: Schema, *, subject_ids: Iterable[str] | None = None
    ) -> Conditions:
        """Return conditions from a frame of fields at time 0.

        Args:
            frame: index = sample ids; any of the schema's fields as columns.
            schema: the fields.
            subject_ids: the subject of each row; by default its sample id.
        """
        keys = pd.DataFrame(
            {"subject_id": list(frame.index if subject_ids is None else subject_ids), "time": 0.0},
            index=frame.index,
        )
        return cls(pd.concat([keys, frame], axis=1), schema)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def sample_ids(self) -> list[str]:
        """The ids of the samples wanted, in order."""
        return list(self.rows.index)

    @property
    def values(self) -> pd.DataFrame:
        """The field columns alone, (n, len(schema))."""
        return self.rows[list(self.schema.names)]

    def pick(self, names: Iterable[str]) -> Conditions:
        """Return the conditions on these fields only."""
        schema = self.schema.pick(names)
        return Conditions(self.rows[[*KEYS, *schema.names]], schema, self.maps)

    def take(self, positions: np.ndarray) -> Conditions:
        """Return the rows (and their maps) at these positions."""
        maps = {name: values[positions] for name, values in self.maps.items()}
        return Conditions(self.rows.iloc[positions], self.schema, maps)

    def join(self, values: pd.DataFrame, schema: Schema, *, on: str = "sample_id") -> Conditions:
        """Return these conditions with further fields.

        Args:
            values: the new fields, indexed by sample id or by subject id (see ``on``). A row
                without an entry stays unspecified.
            schema: the new fields' schema.
            on: ``"sample_id"`` or ``"subject_id"``.
        """
        if on not in ("sample_id", "subject_id"):
            raise ConditionError(
                "Conditions join on an id.", given=on, allowed=["sample_id", "subject_id"]
            )
        keys = self.rows.index if on == "sample_id" else self.rows["subject_id"]
        new = values[list(schema.names)].reindex(keys)
        new.index = self.rows.index
        kept = self.rows.drop(columns=[n for n in schema.names if n in self.rows.columns])
        return Conditions(pd.concat([kept, new], axis=1), self.schema.join(schema), self.maps)

    def align(self, schema: Schema) -> Conditions:
        """Return the conditions with exactly a generator's fields, missing ones unspecified.

        Raises:
            ConditionError: a field that the generator was not fitted with.
        """
        if self.schema == schema:
            return self
        for name in self.schema.names:
            if name not in schema:
                raise ConditionError(
                    f"Unknown condition '{name}'.",
                    given=self.schema.names,
                    allowed=schema.names or "no conditions",
                    next_step=did_you_mean(name, schema.names)
                    or "Drop it with Conditions.pick, or fit the generator with it.",
                )
        rows = pd.concat([self.rows[list(KEYS)], schema.empty(self.rows.index)], axis=1)
        for name in self.schema.names:
            rows[name] = self.rows[name]
        return Conditions(rows, schema, self.maps)

    def where(self, expression: str) -> Conditions:
        """Return the rows for which an expression such as ``age > 70 and sex == 'F'`` holds.

        A row whose cell is unspecified does not hold.
        """
        keep = expressions.evaluate(expression, self.rows, self.schema)
        return self.take(np.flatnonzero(keep))

    def drop_cells(self, probability: float, *, seed: int) -> Conditions:
        """Return the conditions with each cell made unspecified with this probability."""
        u = seeding.uniform(seed, self.sample_ids, max(len(self.schema), 1), stream="drop_cells")
        rows = self.rows.copy()
        for j, name in enumerate(self.schema.names):
            hidden = u[:, j] < probability
            rows[name] = rows[name].mask(hidden, np.nan if rows[name].dtype == float else None)
        return Conditions(rows, self.schema, self.maps)


def _checked_rows(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    unknown = [c for c in rows.columns if c not in KEYS and c not in schema]
    if unknown:
        raise ConditionError(
            f"Unknown condition '{unknown[0]}'.",
            allowed=schema.names or "no conditions",
            next_step=did_you_mean(str(unknown[0]), schema.names),
        )
    absent = [key for key in KEYS if key not in rows.columns]
    if absent:
        raise ConditionError(
            "Conditions lack a key column.", given=list(rows.columns), allowed=KEYS
        )
    full = rows.assign(**{n: schema.empty(rows.index)[n] for n in schema.names if n not in rows})
    try:
        checked = schema.coerce(full)
        ids = checked_ids(rows.index, "condition sample_id")
    except (SchemaError, CohortError) as error:
        raise ConditionError(
            error.what, given=error.given, allowed=error.allowed, next_step=error.next_step
        ) from error
    _check_ranges(checked, schema)
    checked.insert(0, "subject_id", rows["subject_id"].astype(str).to_numpy(dtype=object))
    checked.insert(1, "time", rows["time"].to_numpy(dtype="float64"))
    checked.index = ids
    return checked


def _check_ranges(rows: pd.DataFrame, schema: Schema) -> None:
    for f in schema:
        outside = f.out_of_range(rows[f.name]) if f.kind is Kind.NUMERIC else None
        if outside is not None and outside.any():
            raise ConditionError(
                f"Condition '{f.name}' lies outside its range.",
                given=[float(v) for v in rows.loc[outside, f.name].unique()[:5]],
                allowed=f"{f.range[0]} to {f.range[1]} {f.unit}".strip() if f.range else None,
            )


def check_honoured(schema: Schema, honours: frozenset[Kind], who: str) -> None:
    """Raise if a generator would have to ignore a kind of condition.

    Raises:
        ConditionError: a field whose kind is not in ``honours``.
    """
    for f in schema:
        if f.kind not in honours:
            raise ConditionError(
                f"{who} cannot be conditioned on '{f.name}', which is {f.kind}.",
                allowed=sorted(k.value for k in honours) or "no conditions",
                next_step="Leave the field out with Conditions.pick, or use another generator.",
            )


#: Every kind: what a generator declares that honours all conditions.
ALL_KINDS = frozenset(Kind)
