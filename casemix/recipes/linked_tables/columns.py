"""One column of a table as a typed field: what its cells seem to be, and what the keys say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from casemix.core.fields import LEVELLED, Field, Kind
from casemix.errors import MappingError, did_you_mean
from casemix.recipes.mapping.cells import cell_text
from casemix.recipes.mapping.infer import infer_field

_OVERRIDES = ("kind", "levels", "unit", "range", "missing", "other", "most", "prefix", "least")
_MOST = 60  # levels of a column, unless the keys say otherwise
_LEAST = 3  # subjects who have a level; rarer ones become `other`
_OTHER = "other"


def read_column(
    column: pd.Series, overrides: Mapping[str, Any], owners: pd.Series, where: str
) -> tuple[Field, pd.Series] | None:
    """Return a field and its cells, or None for what cannot be learnt (ids, free text).

    Args:
        column: the cells.
        overrides: ``kind``, ``levels``, ``unit``, ``range``, ``missing`` as in a mapping;
            ``prefix``: keep the first characters of a code; ``most``: keep the most frequent
            levels; ``least``: subjects who must have a level; the others become ``other``.
        owners: the subject of each row.
        where: table and column, for errors.

    Raises:
        MappingError: an unknown override.
    """
    for name in overrides:
        if name not in _OVERRIDES:
            raise MappingError(
                f"Unknown entry '{name}' in {where}.",
                allowed=_OVERRIDES,
                next_step=did_you_mean(name, _OVERRIDES),
            )
    text = cell_text(column).str.strip() if column.notna().any() else cell_text(column)
    if "prefix" in overrides:
        text = text.str[: int(overrides["prefix"])]
    named = "levels" in overrides or overrides.get("kind") in set(LEVELLED)
    inferred = infer_field(text.rename(str(column.name))) if "prefix" in overrides else None
    inferred = inferred or infer_field(column)
    if inferred is None and not named and "most" not in overrides:
        return None
    about = {**(inferred or {"kind": Kind.CATEGORICAL}), **overrides}
    text = text.mask(text.isin([str(m) for m in about.get("missing", [])]))
    kind = Kind(about["kind"])
    if kind is Kind.NUMERIC and "most" not in overrides:
        return _numeric(str(column.name), text, about)
    if "kind" not in overrides and kind is Kind.NUMERIC:
        kind = Kind.CATEGORICAL
    return _levelled(str(column.name), text, {**about, "kind": kind}, overrides, owners)


def _numeric(name: str, text: pd.Series, about: Mapping[str, Any]) -> tuple[Field, pd.Series]:
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    bounds = about.get("range")
    field = Field(
        name, Kind.NUMERIC, about.get("unit", ""), range=tuple(bounds) if bounds else None
    )
    return field, numbers.mask(field.out_of_range(numbers))


def _levelled(
    name: str,
    text: pd.Series,
    about: Mapping[str, Any],
    overrides: Mapping[str, Any],
    owners: pd.Series,
) -> tuple[Field, pd.Series]:
    if "levels" in overrides:
        levels = [str(level) for level in overrides["levels"]]
        return Field(name, about["kind"], levels=tuple(levels)), _where(text, text.isin(levels))
    pairs = pd.DataFrame({"level": text, "owner": owners}).dropna()
    holders = pairs.drop_duplicates().groupby("level").size()
    rows = pairs.groupby("level").size()
    few = set(holders[holders < int(overrides.get("least", _LEAST))].index)
    known = about.get("levels") if about["kind"] is not Kind.CATEGORICAL else None
    if known is not None and not few:
        levels = [str(level) for level in known]
    else:
        ranked = sorted(set(rows.index) - few, key=lambda v: (-int(rows[v]), str(v)))
        levels = sorted(ranked[: int(overrides.get("most", _MOST))])
    other = str(about.get("other", _OTHER))
    rest = text.notna() & ~text.isin(levels)
    if rest.any():
        levels = [*[v for v in levels if v != other], other]
    cells = text.mask(rest, other).astype(object)
    ordered = about["kind"] if not rest.any() else Kind.CATEGORICAL
    kind = ordered if ordered is not Kind.BINARY or len(levels) == 2 else Kind.CATEGORICAL
    return Field(name, kind, levels=tuple(levels or [other])), _where(cells, cells.notna())


def _where(cells: pd.Series, kept: pd.Series) -> pd.Series:
    """Return cells as objects, None where they are not kept."""
    values = [v if keep else None for v, keep in zip(cells, kept, strict=True)]
    return pd.Series(values, index=cells.index, dtype=object)
