"""How one field is read: which cells, what they mean, and what to do with those that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from casemix.core.fields import Field, Kind
from casemix.errors import SchemaError
from casemix.recipes.mapping.parse import parse_block, problem

#: Raw cells of a binary field that names no levels of its own.
YES_NO = {"0": "no", "1": "yes", "false": "no", "true": "yes", "no": "no", "yes": "yes"}

Aggregate = Literal["first", "last", "min", "max", "mean", "median", "sum", "count", "present"]


@dataclass(frozen=True)
class Levels:
    """The levels of a field, and which raw cells mean which level.

    In YAML a list (a cell is written as its level) or a block ``{raw: level}``; several raw
    cells may mean one level, and the levels' order is that in which they are named first.

    Args:
        meaning: raw cell as text -> level.
    """

    meaning: Mapping[str, str]

    @classmethod
    def from_yaml(cls, value: Any, place: str) -> Levels:
        """Read a list or a block of scalars."""
        pairs = value.items() if isinstance(value, Mapping) else [(v, v) for v in _listed(value)]
        if any(isinstance(cell, Mapping | list) or cell is None for pair in pairs for cell in pair):
            raise problem(place, "levels are a list of words, or raw: level.", given=repr(value))
        return cls({plain(raw): plain(level) for raw, level in pairs})

    @property
    def names(self) -> tuple[str, ...]:
        """The levels, each once."""
        return tuple(dict.fromkeys(self.meaning.values()))


@dataclass(frozen=True)
class Cell:
    """A raw cell named in a mapping, as text: -1, ``"?"`` or ``unknown``."""

    text: str

    @classmethod
    def from_yaml(cls, value: Any, place: str) -> Cell:
        """Read one scalar."""
        if isinstance(value, Mapping | list) or value is None:
            raise problem(place, "a number or a word is needed here.", given=repr(value))
        return cls(plain(value))


@dataclass(frozen=True)
class Convert:
    """A change of unit: ``value = raw * scale + offset``.

    Args:
        scale: factor.
        offset: what is added after it, in the field's unit.
        decimals: how many decimals to keep; None = all.
    """

    scale: float = 1.0
    offset: float = 0.0
    decimals: int | None = None


@dataclass(frozen=True, kw_only=True)
class FieldSpec:
    """One field of a mapping.

    Args:
        kind: as in `casemix.core.fields.Kind`.
        unit: UCUM unit, after `convert`.
        levels: of a levelled field.
        range: smallest and largest possible value, after `convert`.
        code_system: for codes.
        description: one plain sentence.
        column: the table's column, by default the field's name; codes may have several.
        until: a date column: the value is the time from the (date) column to it, in `unit`.
        since: another date column or an ISO date: the value is the time from it to the (date)
            column, in `unit`.
        codes: read events with these codes instead of a column; ``*`` stands for any text.
        aggregate: how several events become one value, by default as the events block says;
            ``present`` (binary) says whether there was any.
        missing: raw cells that mean *not recorded*.
        outside: a number outside `range` becomes missing, is clipped to the range, drops its
            record (of events: the one measurement), or stops the import.
        invalid: text in place of a number, an infinite number or an unlisted level becomes
            missing, or stops the import.
        other: the level that an unlisted cell becomes, for a column of many levels.
        convert: change of unit.
        split: what separates several codes within a cell.
        contains: a binary field that says whether the cell's codes contain this one.
    """

    kind: Literal["numeric", "ordinal", "categorical", "binary", "codes"]
    unit: str = ""
    levels: Levels | None = None
    range: tuple[float, float] | None = None
    code_system: str = ""
    description: str = ""
    column: tuple[str, ...] = ()
    until: str = ""
    since: str = ""
    codes: tuple[str, ...] = ()
    aggregate: Aggregate | None = None
    missing: tuple[Cell, ...] = ()
    outside: Literal["missing", "clip", "drop", "error"] = "missing"
    invalid: Literal["missing", "error"] = "error"
    other: str = ""
    convert: Convert | None = None
    split: str = ""
    contains: str = ""

    @classmethod
    def from_yaml(cls, value: Any, place: str) -> FieldSpec:
        """Read a field's block and check that its keys fit together."""
        spec: FieldSpec = parse_block(cls, value, place)
        spec.field(place.rsplit(".", 1)[-1], place)
        _check(spec, place)
        return spec

    def field(self, name: str, place: str) -> Field:
        """Return the typed field that this becomes."""
        try:
            return Field(
                name=name,
                kind=Kind(self.kind),
                unit=self.unit,
                levels=self.level_names,
                range=self.range,
                code_system=self.code_system,
                description=self.description,
            )
        except SchemaError as error:
            raise problem(place, error.what, given=error.given, allowed=error.allowed) from error

    @property
    def level_names(self) -> tuple[str, ...]:
        """The levels, with that of unlisted cells; empty where the kind alone says them."""
        listed = self.levels.names if self.levels else ()
        return (*listed, self.other) if self.other and self.other not in listed else listed

    @property
    def meaning(self) -> Mapping[str, str]:
        """Raw cell as text -> level, for a levelled field."""
        return YES_NO if self.levels is None else self.levels.meaning


def plain(value: object) -> str:
    """Return a scalar as the text that a cell is compared with: 1.0 is ``1``, True is ``true``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check(spec: FieldSpec, place: str) -> None:
    """Raise for keys that contradict each other.

    Each rule is (does it apply, what to say).
    """
    numeric, codes = spec.kind == "numeric", spec.kind == "codes"
    rules = [
        (bool(spec.column) and bool(spec.codes), "give either 'column' or 'codes', not both."),
        (len(spec.column) > 1 and not codes, "only a field of kind codes has several columns."),
        (bool(spec.until) and not numeric, "'until' needs kind numeric."),
        (bool(spec.since) and not numeric, "'since' needs kind numeric."),
        (bool(spec.since) and bool(spec.until or spec.codes), "'since' needs a date column only."),
        (bool(spec.other) and spec.levels is None, "'other' needs 'levels'."),
        (bool(spec.until) and bool(spec.codes), "'until' needs a column, not 'codes'."),
        (spec.convert is not None and not numeric, "only a numeric field can be converted."),
        (spec.outside != "missing" and spec.range is None, "'outside' needs a 'range'."),
        (bool(spec.split) and not (codes or spec.contains), "'split' needs kind codes."),
        (bool(spec.contains) and spec.kind != "binary", "'contains' needs kind binary."),
        (spec.aggregate is not None and not spec.codes, "'aggregate' needs event 'codes'."),
        (codes and bool(spec.codes), "a field of kind codes is read from columns, not events."),
        (
            (spec.aggregate == "present") and spec.kind != "binary",
            "'aggregate: present' needs kind binary.",
        ),
    ]
    for broken, what in rules:
        if broken:
            raise problem(place, what)
