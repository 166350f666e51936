"""``fields.csv``: kind, unit, levels and range of every column of a folder of tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

_COLUMNS = (
    "table", "column", "kind", "unit", "levels", "low", "high", "code_system", "description",
)  # fmt: skip


def fields_table(about: Mapping[str, Any]) -> pa.Table:
    """Return one row per column; ``levels`` is a JSON list.

    Args:
        about: the content of ``casemix.json``.
    """
    rows = list(_rows("subjects", about["schema"]))
    for modality, entry in about["modalities"].items():
        rows += _rows(modality if entry["flat"] else f"{modality}_samples", entry["fields"])
        payload = entry["payload"]
        rows += _rows(modality, [*payload.get("schema", ()), *payload.get("channels", ())])
        for form in payload.get("tables", ()):
            rows += _rows(f"{modality}_{form['name']}", form.get("schema", ()))
        units = payload.get("units", {}).items()
        rows += [_row(modality, {"name": code, "kind": "code", "unit": u}) for code, u in units]
    return pa.table({c: pa.array([row[c] for row in rows], pa.string()) for c in _COLUMNS})


def _rows(table: str, fields: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, str | None]]:
    return [_row(table, field) for field in fields]


def _row(table: str, field: Mapping[str, Any]) -> dict[str, str | None]:
    low, high = field.get("range", (None, None))
    levels = field.get("levels")
    return {
        "table": table,
        "column": field["name"],
        "kind": field["kind"],
        "unit": field.get("unit"),
        "levels": json.dumps(levels, ensure_ascii=False) if levels else None,
        "low": None if low is None else repr(low),
        "high": None if high is None else repr(high),
        "code_system": field.get("code_system"),
        "description": field.get("description"),
    }
