"""Long tables of measurements: from one row per event to one value per record or grid step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from casemix.recipes.mapping.cells import cell_text, known_keys, typed
from casemix.recipes.mapping.fields import FieldSpec
from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.report import Ledger
from casemix.recipes.mapping.spec import EventsSpec
from casemix.recipes.mapping.tables import Tables, column, matching
from casemix.recipes.mapping.times import dates, hours


@dataclass(frozen=True)
class Events:
    """The events of some records within the window, in order of time.

    Args:
        spec: where they come from.
        position: record of each event, int (k,).
        hour: hours since the record's origin, float (k,).
        variable: code of each event, text.
        value: raw value of each event.
        records: number of records.
    """

    spec: EventsSpec
    position: np.ndarray
    hour: np.ndarray
    variable: pd.Series
    value: pd.Series
    records: int

    @classmethod
    def read(
        cls, spec: EventsSpec, tables: Tables, rows: pd.DataFrame, ledger: Ledger, place: str
    ) -> Events:
        """Read the events of a table's rows.

        Args:
            spec: the mapping's events block.
            tables: the mapping's tables.
            rows: the records' table; has the key (and the origin) as columns.
            ledger: where events that are left out are noted.
            place: where the mapping says so.

        Raises:
            MappingError: a missing column, or a key that several records share.
        """
        frame = tables[spec.table]
        keys = known_keys(column(rows, spec.key, f"{place}.key"), f"{place}.key")
        if not keys.is_unique:
            raise problem(
                f"{place}.key",
                "several records share a key, so whose events are they?",
                given=list(keys[keys.duplicated()].unique()[:5]),
                next_step="Use a key that the events and single records have in common.",
            )
        place_of = pd.Series(np.arange(len(rows)), index=keys)
        found = cell_text(column(frame, spec.key, f"{place}.key")).map(place_of)
        mine = found.notna().to_numpy()
        ledger.drop(place, (~mine).sum(), len(frame), "events of nobody in the records' table")
        frame, position = frame[mine], found[mine].to_numpy(dtype=np.int64)
        hour = _event_hours(spec, frame, rows, position, place)
        ledger.drop(place, np.isnan(hour).sum(), len(hour), "events without a time")
        inside = (hour >= spec.window[0]) & (hour < spec.window[1])
        beyond = ~inside & ~np.isnan(hour)
        window = f"{spec.window[0]:g} to {spec.window[1]:g} h"
        ledger.drop(place, beyond.sum(), len(hour), f"events outside the window of {window}")
        order = np.flatnonzero(inside)
        order = order[np.argsort(hour[order], kind="stable")]
        return cls(
            spec,
            position[order],
            hour[order],
            column(frame, spec.variable, f"{place}.variable").iloc[order].reset_index(drop=True),
            column(frame, spec.value, f"{place}.value").iloc[order].reset_index(drop=True),
            len(rows),
        )

    def per_record(self, field: FieldSpec, ledger: Ledger, place: str) -> pd.Series:
        """Return one value per record, in the field's storage form; missing without an event."""
        how = field.aggregate or self.spec.aggregate
        mine = self._with_codes(field, place)
        if how == "present":
            levels = field.levels.names if field.levels else ("no", "yes")
            present = np.isin(np.arange(self.records), self.position[mine])
            return pd.Series(np.where(present, levels[1], levels[0]), dtype=object)
        values, position, _ = self._typed(field, mine, ledger, place)
        if field.kind != "numeric" and how not in ("first", "last"):
            raise problem(place, "levels are aggregated by first or last.", given=how)
        grouped = self._aggregated(values, position, field, ledger, place)
        return grouped.reindex(range(self.records))

    def grid(
        self, fields: Mapping[str, FieldSpec], step_seconds: float, ledger: Ledger, place: str
    ) -> np.ndarray:
        """Return the channels on a regular grid, float32 (records, steps, channels).

        NaN is *not recorded*.
        """
        start, stop = self.spec.window
        steps = int(np.ceil((stop - start) * 3600 / step_seconds - 1e-9))
        grid = np.full((self.records, steps, len(fields)), np.nan, dtype=np.float32)
        for c, (name, field) in enumerate(fields.items()):
            where = f"{place}.{name}"
            values, position, hour = self._typed(
                field, self._with_codes(field, where), ledger, where
            )
            step = np.floor((hour - start) * 3600 / step_seconds + 1e-9).astype(np.int64)
            cell = pd.Series(position * steps + np.minimum(step, steps - 1))
            one = self._aggregated(values, cell.to_numpy(), field, ledger, where)
            grid.reshape(-1, len(fields))[one.index.to_numpy(), c] = one.to_numpy()
        return grid

    def _aggregated(
        self, values: pd.Series, by: np.ndarray, field: FieldSpec, ledger: Ledger, place: str
    ) -> pd.Series:
        """Return one value per group; a sum or count is held to the field's range as well."""
        how = field.aggregate or self.spec.aggregate
        one = values.groupby(by).agg(how)
        if how not in ("sum", "count") or field.range is None:
            return one
        whole = typed(one, replace(field, missing=(), convert=None), f"{place} ({how})")
        ledger.fields.append(whole.counts)
        return whole.values.mask(whole.drop)

    def _with_codes(self, field: FieldSpec, place: str) -> np.ndarray:
        mine = matching(self.variable, field.codes)
        if not mine.any():
            raise problem(
                place,
                "no event of these records has such a code.",
                given=field.codes,
                allowed=list(cell_text(self.variable).value_counts().index[:30]),
            )
        return mine

    def _typed(
        self, field: FieldSpec, mine: np.ndarray, ledger: Ledger, place: str
    ) -> tuple[pd.Series, np.ndarray, np.ndarray]:
        """Return values, positions and hours of the events that have a value."""
        cells = typed(self.value[mine].reset_index(drop=True), field, place)
        ledger.fields.append(cells.counts)
        known = cells.values.notna().to_numpy() & ~cells.drop
        values = cells.values[known].reset_index(drop=True)
        return values, self.position[mine][known], self.hour[mine][known]


def _event_hours(
    spec: EventsSpec, frame: pd.DataFrame, rows: pd.DataFrame, position: np.ndarray, place: str
) -> np.ndarray:
    origin = None
    if spec.origin:
        starts = dates(column(rows, spec.origin, f"{place}.origin"), f"{place}.origin")
        origin = pd.Series(starts.to_numpy()[position], index=frame.index)
    cells = column(frame, spec.time.column, f"{place}.time.column")
    owners = pd.Series(position, index=frame.index)
    return hours(cells, spec.time, origin, owners, f"{place}.time")
