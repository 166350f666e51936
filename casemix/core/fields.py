"""Fields and schemas: what each recorded value is, in which unit and within which bounds."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.errors import SchemaError, did_you_mean


class Kind(enum.StrEnum):
    """How a field's values behave, and how a column of them is stored.

    ==============  =======================================  =============================
    kind            values                                   pandas column
    ==============  =======================================  =============================
    ``numeric``     real numbers with a unit                 float64, NaN = unspecified
    ``ordinal``     one of ordered ``levels``                object (str), None = unspecified
    ``categorical``  one of ``levels``                       object (str), None = unspecified
    ``binary``      ``"yes"`` or ``"no"``, unless the field
                    names two levels of its own              object (str), None = unspecified
    ``codes``       a list of codes (ICD, RxNorm ...)        object (list of str), None
    ==============  =======================================  =============================
    """

    NUMERIC = "numeric"
    ORDINAL = "ordinal"
    CATEGORICAL = "categorical"
    BINARY = "binary"
    CODES = "codes"


#: Kinds whose cells hold exactly one of a field's levels.
LEVELLED = frozenset({Kind.ORDINAL, Kind.CATEGORICAL, Kind.BINARY})


@dataclass(frozen=True)
class Field:
    """One typed, named quantity.

    Args:
        name: lower-case name; findings are dotted (``imaging.lv_ejection_fraction``).
        kind: see `Kind`.
        unit: UCUM unit of a numeric field (``mm[Hg]``, ``mg/dL``, ``a`` for years).
        levels: the values of a levelled field, in order where the kind is ordinal.
        range: smallest and largest possible value of a numeric field, both included.
        code_system: for codes, e.g. ``ICD-9-CM``.
        description: one plain sentence for reports and data cards.

    Raises:
        SchemaError: levels missing, repeated or not allowed for the kind; an empty range.
    """

    name: str
    kind: Kind
    unit: str = ""
    levels: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    code_system: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))
        levels = tuple(str(level) for level in self.levels)
        if self.kind is Kind.BINARY and not levels:
            levels = ("no", "yes")
        object.__setattr__(self, "levels", levels)
        if self.range is not None:
            object.__setattr__(self, "range", (float(self.range[0]), float(self.range[1])))
        self._check()

    def _check(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise SchemaError("A field needs a name.", given=repr(self.name))
        if self.kind in LEVELLED and len(self.levels) == 0:
            raise SchemaError(f"Field '{self.name}' is {self.kind} but names no levels.")
        if self.kind not in LEVELLED and self.levels:
            raise SchemaError(f"Field '{self.name}' is {self.kind} and cannot have levels.")
        if len(set(self.levels)) != len(self.levels):
            raise SchemaError(f"Field '{self.name}' repeats a level.", given=self.levels)
        if self.kind is Kind.BINARY and len(self.levels) != 2:
            raise SchemaError(f"Binary field '{self.name}' needs two levels.", given=self.levels)
        if self.range is not None and (
            self.kind is not Kind.NUMERIC or self.range[0] > self.range[1]
        ):
            raise SchemaError(f"Field '{self.name}' has an unusable range.", given=self.range)

    def coerce(self, column: pd.Series) -> pd.Series:
        """Return the column in this field's storage form; missing stays missing.

        Raises:
            SchemaError: text in a numeric column, an infinite number, or an unknown level.
        """
        if self.kind is Kind.NUMERIC:
            return self._numbers(column)
        if self.kind is Kind.CODES:
            return column.map(_code_list).astype(object)
        return self._levelled(column)

    def _numbers(self, column: pd.Series) -> pd.Series:
        try:
            numbers = pd.to_numeric(column, errors="raise").astype("float64")
        except (ValueError, TypeError) as error:
            bad = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
            raise SchemaError(
                f"Field '{self.name}' is numeric but holds text.",
                given=[repr(v) for v in bad.unique()[:5]],
                next_step="Name these as missing-value codes, or make the field categorical.",
            ) from error
        if np.isinf(numbers.to_numpy()).any():
            raise SchemaError(
                f"Field '{self.name}' holds an infinite number.",
                next_step="Replace it by a missing cell.",
            )
        return numbers

    def _levelled(self, column: pd.Series) -> pd.Series:
        text = column.astype(object)
        if pd.api.types.infer_dtype(column, skipna=True) not in ("string", "empty"):
            text = text.map(lambda value: _level_text(value, self), na_action="ignore")
            text = text.astype(object)
        text[column.isna()] = None
        unknown = sorted(set(text.dropna().unique()) - set(self.levels))
        if unknown:
            raise SchemaError(
                f"Unknown level in field '{self.name}'.",
                given=unknown,
                allowed=self.levels,
                next_step=did_you_mean(unknown[0], self.levels),
            )
        return text

    def out_of_range(self, column: pd.Series) -> pd.Series:
        """Return which cells lie outside `range` (all False for a field without one)."""
        if self.range is None:
            return pd.Series(False, index=column.index)
        return (column < self.range[0]) | (column > self.range[1])


@dataclass(frozen=True)
class Schema:
    """An ordered, immutable set of fields with distinct names.

    >>> Schema((Field("age", "numeric", "a"), Field("sex", "binary", levels=("F", "M")))).names
    ('age', 'sex')
    """

    fields: tuple[Field, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        twice = {n for n in self.names if self.names.count(n) > 1}
        if twice:
            raise SchemaError("A schema names a field twice.", given=sorted(twice))

    @property
    def names(self) -> tuple[str, ...]:
        """The field names, in order."""
        return tuple(field.name for field in self.fields)

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise SchemaError(
            f"Unknown field '{name}'.",
            allowed=self.names or "no fields",
            next_step=did_you_mean(name, self.names),
        )

    def pick(self, names: Iterable[str]) -> Schema:
        """Return the schema of these fields, in the order asked for."""
        return Schema(tuple(self[name] for name in names))

    def join(self, other: Schema) -> Schema:
        """Return both schemas' fields; a field in both must be the same in both."""
        for field in other:
            if field.name in self and self[field.name] != field:
                raise SchemaError(
                    f"Field '{field.name}' is defined differently in the two schemas.",
                    given=[self[field.name], field],
                )
        return Schema(self.fields + tuple(f for f in other if f.name not in self))

    def coerce(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the schema's columns of ``frame``, each in its storage form.

        Raises:
            SchemaError: a column is missing, or a value does not fit its field.
        """
        missing = [name for name in self.names if name not in frame.columns]
        if missing:
            raise SchemaError(
                "A column that the schema names is missing.",
                given=list(frame.columns),
                allowed=self.names,
                next_step=f"Missing: {', '.join(missing)}. "
                + did_you_mean(missing[0], map(str, frame.columns)),
            )
        columns = {field.name: field.coerce(frame[field.name]) for field in self.fields}
        return pd.DataFrame(columns, index=frame.index)

    def empty(self, index: pd.Index) -> pd.DataFrame:
        """Return a frame of unspecified cells, one row per entry of ``index``."""
        columns = {
            f.name: pd.Series(
                math.nan if f.kind is Kind.NUMERIC else None,
                index=index,
                dtype="float64" if f.kind is Kind.NUMERIC else object,
            )
            for f in self.fields
        }
        return pd.DataFrame(columns, index=index)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the schema as JSON-ready dictionaries without empty entries."""
        return [
            {
                k: (str(v) if k == "kind" else v)
                for k, v in asdict(f).items()
                if v not in ("", (), None)
            }
            for f in self.fields
        ]

    @classmethod
    def from_json(cls, entries: Iterable[Mapping[str, Any]]) -> Schema:
        """Rebuild what `to_json` wrote."""
        return cls(tuple(field_from_json(entry) for entry in entries))


def field_from_json(entry: Mapping[str, Any]) -> Field:
    """Rebuild one field from a JSON or YAML mapping.

    Raises:
        SchemaError: an unknown key or kind.
    """
    known = tuple(Field.__dataclass_fields__)
    for key in entry:
        if key not in known:
            raise SchemaError(
                f"Unknown key '{key}' in the field '{entry.get('name', '?')}'.",
                allowed=known,
                next_step=did_you_mean(key, known),
            )
    try:
        kind = Kind(entry["kind"])
    except (KeyError, ValueError) as error:
        raise SchemaError(
            f"The field '{entry.get('name', '?')}' needs a known kind.",
            given=entry.get("kind"),
            allowed=[k.value for k in Kind],
        ) from error
    bounds = entry.get("range")
    return Field(
        name=entry["name"],
        kind=kind,
        unit=entry.get("unit", ""),
        levels=tuple(entry.get("levels", ())),
        range=None if bounds is None else (bounds[0], bounds[1]),
        code_system=entry.get("code_system", ""),
        description=entry.get("description", ""),
    )


def _level_text(value: object, field: Field) -> str:
    if isinstance(value, bool | np.bool_) and field.kind is Kind.BINARY:
        return field.levels[int(value)]
    if isinstance(value, float) and value.is_integer():  # 1.0 from a column that held NaN
        return str(int(value))
    return str(value)


def _code_list(value: object) -> list[str] | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        raise SchemaError("A codes cell must be a list of codes.", given=repr(value))
    return [str(code) for code in value]  # type: ignore[attr-defined]
