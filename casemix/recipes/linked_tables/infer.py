"""Keys proposed from the columns' names and contents, for a person to correct."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from casemix.errors import MappingError
from casemix.recipes.linked_tables.keys import SUBJECT
from casemix.recipes.linked_tables.source import as_dates, as_text, load_frame

_PERSON = re.compile(r"patient|subject|person|uniquepid|pid", re.IGNORECASE)
_START, _END = re.compile(r"start|in|admit|begin"), re.compile(r"stop|end|out|disch")
_INCLUDED = 0.95  # share of foreign keys that must be found in the key
_DATED = 0.95  # share of cells that must be dates
_HEADER = """\
# Proposed from names and contents: check every key, parent and span. docs/linked-tables.md
# explains every entry. Tables that no key links to the subject are left out: {left_out}.
"""


def infer_keys(folder: Path) -> str:
    """Return keys of a folder of tables as YAML text.

    A key is a column without repeats whose name is like an id; a column refers to it where 95 % of
    its rows have one of the key's cells and the names agree (``hadm_id`` to ``hadm_id``,
    ``ENCOUNTER`` to ``encounters.Id``). The subject's table is the one named for patients that most
    tables refer to; a table's parent is the largest table that it refers to. Times are columns of
    dates; a column named like a start pairs with one named like an end.

    Args:
        folder: of CSV or parquet files.

    Raises:
        MappingError: no tables, or none that others refer to.
    """
    folder = Path(folder)
    names = sorted({p.stem for p in folder.glob("*") if p.suffix in (".csv", ".parquet")})
    frames = {name: load_frame(folder, name) for name in names}
    keys = {name: _key(name, frame) for name, frame in frames.items()}
    links = {name: _links(name, frames, keys) for name in names}
    person = _person(links, keys)
    if not person:
        raise MappingError(
            "No table is one that others refer to as their subject.",
            given=names,
            next_step="Write the keys by hand: see docs/linked-tables.md.",
        )
    tables = _tables(person, frames, keys, links)
    left_out = [n for n in names if n not in tables and n != person]
    content = {"subject": {"table": person, "key": keys[person]}, "tables": tables}
    text = yaml.safe_dump(content, sort_keys=False)
    return _HEADER.format(left_out=", ".join(left_out) or "none") + text


def _key(name: str, frame: pd.DataFrame) -> str:
    """Return the column that names a table's rows, or ""."""
    stem = _stem(name)
    ranked = []
    for column in frame.columns:
        plain = column.lower()
        like_id = plain.endswith("id") and plain != "row_id"
        if not like_id or frame[column].isna().any() or frame[column].duplicated().any():
            continue
        ranked.append((_stem(plain.removesuffix("id").rstrip("_")) not in (stem, ""), column))
    return min(ranked)[1] if ranked else ""


def _links(name: str, frames: dict[str, pd.DataFrame], keys: dict[str, str]) -> dict[str, str]:
    """Return the tables that a table refers to, and the column that does."""
    found = {}
    for other, key in keys.items():
        if other == name or not key:
            continue
        held = set(as_text(frames[other][key]))
        for column in frames[name].columns:
            if column == keys[name] or not _agree(column, other, key):
                continue
            if as_text(frames[name][column]).isin(held).mean() >= _INCLUDED:
                found[other] = column
    return found


def _agree(column: str, other: str, key: str) -> bool:
    return column.lower() == key.lower() != "id" or _stem(column) == _stem(other)


def _stem(name: str) -> str:
    plain = re.sub(r"[^a-z]", "", name.lower())
    return plain.removesuffix("s")


def _person(links: dict[str, dict[str, str]], keys: dict[str, str]) -> str:
    def refers(table: str) -> int:
        return sum(table in found for found in links.values())

    named = [t for t in keys if keys[t] and (_PERSON.search(t) or _PERSON.search(keys[t]))]
    ranked = sorted(named, key=lambda t: (-refers(t), t))
    return ranked[0] if ranked and refers(ranked[0]) else ""


def _tables(
    person: str,
    frames: dict[str, pd.DataFrame],
    keys: dict[str, str],
    links: dict[str, dict[str, str]],
) -> dict[str, Any]:
    """Return the entries of the tables that lead to the subject."""
    reached = {person}
    tables: dict[str, Any] = {}
    while True:
        ready = [n for n in frames if n not in reached and n != person and reached & set(links[n])]
        if not ready:
            return tables
        for name in ready:
            known = [t for t in links[name] if t in reached or person in links[t]]
            parent = max(known, key=lambda t: (t != person, len(frames[t])))
            if parent not in reached:
                continue
            above = _above(parent, person, tables)
            tables[name] = _entry(name, parent, person, above, frames[name], keys, links[name])
            reached.add(name)


def _above(parent: str, person: str, tables: dict[str, Any]) -> list[str]:
    """Return a table's ancestors: its parent, that one's parent, ... and the subject's table."""
    found = [parent]
    while found[-1] != person:
        up = tables[found[-1]]["parent"]
        found.append(person if up == SUBJECT else up)
    return found


def _entry(
    name: str,
    parent: str,
    person: str,
    above: list[str],
    frame: pd.DataFrame,
    keys: dict[str, str],
    links: dict[str, str],
) -> dict[str, Any]:
    entry: dict[str, Any] = {"parent": SUBJECT if parent == person else parent}
    if keys[name]:
        entry["key"] = keys[name]
    if links[parent] != keys[parent]:
        entry["foreign_key"] = links[parent]
    further = [t for t in links if t in above and t != parent]
    if further:
        entry["copies"] = {links[t]: SUBJECT if t == person else t for t in further}
    times = [c for c in frame.columns if _dated(frame[c])]
    starts = [c for c in times if _START.search(c.lower()) and not _END.search(c.lower())]
    ends = [c for c in times if _END.search(c.lower())]
    if times:
        first = starts[:1] or times[:1]
        entry["times"] = [*first, *(t for t in times if t not in first)]
    if starts and ends:
        entry["spans"] = [[starts[0], ends[0]]]
    if len(frame) and "row_id" in frame.columns:
        entry["leave_out"] = ["row_id"]
    return entry


def _dated(column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    known = column.dropna()
    if known.empty or pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    looks = known.astype(str).str.match(r"\d{4}-\d{2}-\d{2}")
    return bool(looks.mean() >= _DATED and as_dates(known).notna().mean() >= _DATED)
