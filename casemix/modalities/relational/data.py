"""LinkedTables: everything that each subject has in a set of linked tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix.core.fields import Field, Kind
from casemix.errors import PayloadError, SchemaError
from casemix.modalities.relational.table_form import KEYS, TableForm, check_order

_METADATA = b"casemix"
_SHOWN = 200  # rows of a preview
ROOT = -1  # the parent of a row that belongs to the subject itself


@dataclass(frozen=True)
class LinkedTables:
    """The rows of n samples in several linked tables; a sample is all that one subject has.

    Args:
        forms: the tables, parents before children.
        frames: one frame per table with the columns ``item`` (position of the sample, 0 to
            ``count`` - 1), ``row`` (a key, unique within the sample), ``parent`` (``row`` of the
            parent table in the same sample, -1 where the parent is the subject) and the form's
            columns. Times are hours since the subject's index time. Rows are kept in the order
            of ``item``, then ``row``; the frames' own indexes are dropped.
        count: number of samples; a sample may have no row at all.

    Raises:
        PayloadError: tables out of order, a missing column, a cell that does not fit its field, a
            key twice, or a row whose parent does not exist in its sample.
    """

    forms: tuple[TableForm, ...]
    frames: Mapping[str, pd.DataFrame]
    count: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "forms", tuple(self.forms))
        check_order(self.forms)
        if set(self.frames) != {f.name for f in self.forms}:
            raise PayloadError(
                "The frames are not those of the tables.",
                given=sorted(self.frames),
                allowed=[f.name for f in self.forms],
            )
        typed = {f.name: _typed(self.frames[f.name], f, self.count) for f in self.forms}
        for form in self.forms:
            _check_keys(form, typed)
        object.__setattr__(self, "frames", typed)

    def __len__(self) -> int:
        return self.count

    def form(self, name: str) -> TableForm:
        """Return the form of one table.

        Raises:
            PayloadError: an unknown table.
        """
        for form in self.forms:
            if form.name == name:
                return form
        raise PayloadError(f"There is no table '{name}'.", allowed=[f.name for f in self.forms])

    @classmethod
    def _checked(
        cls, forms: tuple[TableForm, ...], frames: Mapping[str, pd.DataFrame], count: int
    ) -> Self:
        """Return tables made of parts that were checked already."""
        tables = object.__new__(cls)
        for name, value in (("forms", forms), ("frames", dict(frames)), ("count", count)):
            object.__setattr__(tables, name, value)
        return tables

    def take(self, positions: np.ndarray) -> Self:
        """Return the samples at these positions, in this order."""
        chosen = np.arange(self.count)[np.asarray(positions, dtype=int)]
        frames = {name: _taken(frame, chosen) for name, frame in self.frames.items()}
        return self._checked(self.forms, frames, len(chosen))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the samples of all parts, in order.

        Raises:
            PayloadError: no part, or parts with different tables.
        """
        if not parts:
            raise PayloadError("There is nothing to concatenate.")
        forms = parts[0].forms
        if any(part.forms != forms for part in parts):
            raise PayloadError("Only samples of the same tables can be joined.")
        shifts = np.cumsum([0, *(len(part) for part in parts)])
        frames = {}
        for form in forms:
            moved = [
                part.frames[form.name].assign(item=part.frames[form.name]["item"] + shift)
                for part, shift in zip(parts, shifts, strict=False)
            ]
            full = [m for m in moved if len(m)] or moved[:1]
            frames[form.name] = pd.concat(full, ignore_index=True)
        return cls._checked(forms, frames, int(shifts[-1]))

    def to_table(self) -> pa.Table:
        """Return one row per sample: a list of structs per table; the forms go into metadata."""
        columns = {f.name: _lists(self.frames[f.name], f, self.count) for f in self.forms}
        about = json.dumps({"tables": [f.to_json() for f in self.forms]}, ensure_ascii=False)
        return pa.table(columns).replace_schema_metadata({_METADATA: about.encode()})

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Rebuild what `to_table` wrote.

        Raises:
            PayloadError: no forms in the metadata, damaged ones, or rows that break them.
        """
        about = (table.schema.metadata or {}).get(_METADATA)
        if about is None:
            raise PayloadError(
                "The Arrow table does not say which tables it holds.",
                given=table.column_names,
                next_step="Write it with LinkedTables.to_table.",
            )
        try:
            forms = tuple(TableForm.from_json(entry) for entry in json.loads(about)["tables"])
            frames = {f.name: _frame(table[f.name], f) for f in forms}
        except (ValueError, KeyError, TypeError, SchemaError) as error:
            raise PayloadError("The Arrow table is damaged.", given=str(error)) from error
        return cls(forms, frames, table.num_rows)

    def preview(self, position: int) -> dict[str, Any]:
        """Return one sample as ``{"type": "table", "rows": [[table and row, cells, parent]]}``."""
        one = self.take(np.array([position]))
        rows = []
        for form in one.forms:
            for cells in one.frames[form.name].to_dict("records"):
                known = {n: cells[n] for n in form.schema.names if not pd.isna(cells[n])}
                text = ", ".join(f"{n} {_short(v)}" for n, v in known.items())
                parent = f"{form.parent} {cells['parent']}" if form.parent else ""
                rows.append([f"{form.name} {cells['row']}", text, parent])
        rest = [[f"{len(rows) - _SHOWN} more rows", "", ""]] if len(rows) > _SHOWN else []
        return {"type": "table", "rows": rows[:_SHOWN] + rest}


#: What core and the registry call this modality's payload.
PAYLOAD = LinkedTables


def _typed(frame: pd.DataFrame, form: TableForm, count: int) -> pd.DataFrame:
    """Return a frame in its storage form, in the order of its items and rows."""
    absent = [n for n in (*KEYS, *form.schema.names) if n not in frame.columns]
    if absent:
        raise PayloadError(
            f"The table '{form.name}' lacks a column.", given=list(frame.columns), allowed=absent
        )
    try:
        cells = form.schema.coerce(frame.reset_index(drop=True))
        keys = frame[list(KEYS)].reset_index(drop=True).astype("int64")
    except (SchemaError, ValueError, TypeError) as error:
        raise PayloadError(f"The table '{form.name}' has an unusable cell: {error}") from error
    for f in form.schema:
        if (outside := f.out_of_range(cells[f.name])).any():
            raise PayloadError(
                f"Column '{f.name}' of '{form.name}' lies outside its range.",
                given=[float(v) for v in cells.loc[outside, f.name].unique()[:5]],
                allowed=f.range,
            )
    if not keys["item"].between(0, count - 1).all():
        raise PayloadError(f"'{form.name}' has rows of samples that there are not.", given=count)
    whole = pd.concat([keys, cells], axis=1)
    return whole.sort_values(["item", "row"], kind="stable", ignore_index=True)


def _check_keys(form: TableForm, frames: Mapping[str, pd.DataFrame]) -> None:
    frame = frames[form.name]
    twice = frame.duplicated(["item", "row"])
    if twice.any():
        raise PayloadError(
            f"{int(twice.sum())} rows of '{form.name}' have a key that is used before.",
            given=frame.loc[twice, ["item", "row"]].head(3).to_numpy().tolist(),
        )
    lost = orphans(form, frames)
    if lost.any():
        raise PayloadError(
            f"{int(lost.sum())} rows of '{form.name}' have no parent in their sample.",
            given=frame.loc[lost, ["item", "parent"]].head(3).to_numpy().tolist(),
            allowed=f"rows of '{form.parent}'" if form.parent else f"{ROOT}: the subject",
        )


def orphans(form: TableForm, frames: Mapping[str, pd.DataFrame]) -> np.ndarray:
    """Return which rows of a table have no parent in their sample, bool (rows,)."""
    frame = frames[form.name]
    if not form.parent:
        return (frame["parent"] != ROOT).to_numpy()
    known = pd.MultiIndex.from_frame(frames[form.parent][["item", "row"]])
    return ~pd.MultiIndex.from_frame(frame[["item", "parent"]]).isin(known)


def _taken(frame: pd.DataFrame, chosen: np.ndarray) -> pd.DataFrame:
    items = frame["item"].to_numpy()
    first, after = (np.searchsorted(items, chosen, side=s) for s in ("left", "right"))
    lengths = after - first
    offset = np.repeat(first - (np.cumsum(lengths) - lengths), lengths)
    part = frame.iloc[np.arange(lengths.sum()) + offset].reset_index(drop=True)
    return part.assign(item=np.repeat(np.arange(len(chosen)), lengths))


def _lists(frame: pd.DataFrame, form: TableForm, count: int) -> pa.ListArray:
    offsets = np.searchsorted(frame["item"].to_numpy(), np.arange(count + 1)).astype(np.int32)
    names = ["row", "parent", *form.schema.names]
    parts = [pa.array(frame[n], type=_arrow(form, n), from_pandas=True) for n in names]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(parts, names))


def _arrow(form: TableForm, name: str) -> pa.DataType:
    if name in KEYS:
        return pa.int64()
    field: Field = form.schema[name]
    return pa.float64() if field.kind is Kind.NUMERIC else pa.string()


def _frame(column: pa.ChunkedArray, form: TableForm) -> pd.DataFrame:
    lists = pa.concat_arrays(column.chunks) if column.num_chunks else column.combine_chunks()
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
    rows = lists.flatten()
    names = ["row", "parent", *form.schema.names]
    cells = {n: rows.field(n).to_pandas() for n in names}
    return pd.DataFrame({"item": np.repeat(np.arange(len(lists)), lengths), **cells})


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
