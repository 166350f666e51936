"""FolderKeys: which tables a folder holds, how they are linked, and which columns are times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from casemix.errors import MappingError, did_you_mean

_T = TypeVar("_T")
SUBJECT = "subject"  # what `parent` and `copies` call the subject itself


@dataclass(frozen=True)
class SubjectKeys:
    """The table that says who the subjects are.

    Args:
        table: its name: the file's name without its ending.
        key: the column that names the subject.
        repeated: ``error`` where a subject has several rows, or ``first`` to take the first one.
        columns: what is kept, column -> overrides of what its cells seem to be; empty = all.
        times: columns of dates that become hours since the index time.
        birth: the column of the date of birth, which becomes ``age`` in years.
        oldest: ages above it are this age, as where dates of birth are hidden.
        leave_out: columns that are not read.
    """

    table: str
    key: str
    repeated: str = "error"
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    times: tuple[str, ...] = ()
    birth: str = ""
    oldest: float = 120.0
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableKeys:
    """One table.

    Args:
        parent: the table whose rows its rows belong to, or ``subject``.
        key: the column that names its rows; "" where nothing refers to them.
        foreign_key: the column that names the parent's row; by default the parent's key.
        copies: further columns that repeat a key, column -> table or ``subject``.
        times: columns of dates, or of numbers with a ``unit``; the first one orders the rows.
        unit: ``date``, or ``minute`` or ``hour`` for offsets from an origin of the source's own.
        spans: pairs of times, start and end.
        within: the times lie within the first span of the parent's row.
        rank: a column that counts siblings 1, 2, ...; it orders the rows and is written anew.
        orphans: ``error`` where a row has no parent, or ``drop``.
        columns: column -> overrides of what its cells seem to be.
        leave_out: columns that are not read.
    """

    parent: str = SUBJECT
    key: str = ""
    foreign_key: str = ""
    copies: Mapping[str, str] = field(default_factory=dict)
    times: tuple[str, ...] = ()
    unit: str = "date"
    spans: tuple[tuple[str, str], ...] = ()
    within: bool = False
    rank: str = ""
    orphans: str = "error"
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class FolderKeys:
    """The keys of a folder of tables.

    Args:
        subject: who the subjects are.
        tables: the linked tables, parents before children.
        index: table and column of the subject's index time: midnight before its earliest date.
        about: name, source and licence, for the data card.
        text_keys: whether keys are texts; numbers otherwise.
    """

    subject: SubjectKeys
    tables: Mapping[str, TableKeys]
    index: tuple[str, str] | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    text_keys: bool = False

    def foreign_key(self, name: str) -> str:
        """Return the column of a table that names the row's parent."""
        table = self.tables[name]
        return table.foreign_key or self.key_of(table.parent)

    def key_of(self, name: str) -> str:
        """Return the key column of a table, or of the subject."""
        return self.subject.key if name == SUBJECT else self.tables[name].key


def load_keys(source: Path | str | Mapping[str, Any]) -> FolderKeys:
    """Read keys from a YAML file, the name of a shipped example, or a mapping.

    Raises:
        MappingError: no such file, an unknown entry or table, a cycle, or a parent without a key.
    """
    content = source if isinstance(source, Mapping) else yaml.safe_load(keys_text(source))
    known = ("about", "subject", "index", "tables", "text_keys")
    _check_entries(content, known, "the keys")
    subject = _made(SubjectKeys, content.get("subject", {}), "subject")
    tables = {
        name: _made(TableKeys, entry or {}, f"tables.{name}")
        for name, entry in content.get("tables", {}).items()
    }
    index = content.get("index")
    keys = FolderKeys(
        subject,
        {name: tables[name] for name in _parents_first(tables)},
        None if index is None else (index["table"], index["column"]),
        {str(k): str(v) for k, v in content.get("about", {}).items()},
        bool(content.get("text_keys", False)),
    )
    _check(keys)
    return keys


def keys_text(source: Path | str) -> str:
    """Return the YAML text of keys, from a file or a shipped example.

    Raises:
        MappingError: there is no such file.
    """
    shipped = Path(__file__).parents[2] / "modalities" / "relational" / "examples"
    for path in (Path(source), shipped / f"{source}.yaml"):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    names = sorted(p.stem for p in shipped.glob("*.yaml"))
    raise MappingError(
        "There is no such file of keys.",
        given=str(source),
        allowed=[*names, "or a path"],
        next_step=did_you_mean(str(source), names) or "Propose one with infer_keys(folder).",
    )


def _made(kind: type[_T], entry: Mapping[str, Any], where: str) -> _T:
    allowed = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    _check_entries(entry, allowed, where)
    tuples = {"times", "leave_out"}
    values = {k: tuple(v) if k in tuples else v for k, v in entry.items()}
    if "spans" in values:
        values["spans"] = tuple((a, b) for a, b in values["spans"])
    if "columns" in values and not isinstance(values["columns"], Mapping):
        values["columns"] = {name: {} for name in values["columns"]}
    try:
        return kind(**values)
    except TypeError as error:
        raise MappingError(f"The entry '{where}' lacks something: {error}") from error


def _check_entries(entry: Mapping[str, Any], allowed: Any, where: str) -> None:
    for name in entry:
        if name not in allowed:
            raise MappingError(
                f"Unknown entry '{name}' in {where}.",
                allowed=allowed,
                next_step=did_you_mean(str(name), allowed),
            )


def _parents_first(tables: Mapping[str, TableKeys]) -> list[str]:
    """Return the tables' names so that each parent comes before its children."""
    order: list[str] = []
    left = dict(tables)
    while left:
        ready = [n for n, t in left.items() if t.parent == SUBJECT or t.parent in order]
        if not ready:
            unknown = sorted({t.parent for t in left.values()} - set(tables))
            raise MappingError(
                "Some tables have a parent that is not a table."
                if unknown
                else "The tables' parents go round in a cycle.",
                given=unknown or list(left),
                allowed=[SUBJECT, *tables],
                next_step=did_you_mean(unknown[0], tables) if unknown else "",
            )
        order += ready
        left = {n: t for n, t in left.items() if n not in ready}
    return order


def _check(keys: FolderKeys) -> None:
    choices = {"unit": ("date", "minute", "hour"), "orphans": ("error", "drop")}
    for name, table in keys.tables.items():
        if table.parent != SUBJECT and not keys.tables[table.parent].key:
            raise MappingError(f"'{table.parent}' is the parent of '{name}' but has no key.")
        for entry, allowed in choices.items():
            if getattr(table, entry) not in allowed:
                given = getattr(table, entry)
                raise MappingError(f"Unknown {entry} of '{name}'.", given=given, allowed=allowed)
        if table.within and table.parent == SUBJECT:
            raise MappingError(f"'{name}' cannot lie within the subject, which has no span.")
        for target in table.copies.values():
            if target != SUBJECT and target not in keys.tables:
                raise MappingError(f"'{name}' copies the key of no table.", given=target)
