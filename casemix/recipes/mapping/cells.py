"""From raw cells to a typed column: codes, units, ranges and levels, every change counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.errors import MappingError, did_you_mean
from casemix.recipes.mapping.fields import FieldSpec, plain
from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.report import FieldCounts

_SHOWN = 60  # characters of a cell in a message
_LISTS = (list, tuple, np.ndarray)


@dataclass(frozen=True)
class Cells:
    """A typed column.

    Args:
        values: storage form of the field's kind (`casemix.core.fields.Kind`).
        drop: which rows the mapping drops because of this field, bool (n,).
        counts: what was found.
    """

    values: pd.Series
    drop: np.ndarray
    counts: FieldCounts


def typed(raw: pd.Series, spec: FieldSpec, place: str) -> Cells:
    """Return a raw column as the field that the mapping describes.

    Args:
        raw: cells as the table holds them.
        spec: the field.
        place: where the mapping defines it.

    Raises:
        MappingError: a cell that cannot be read, or lies outside the range, where the mapping
            says that this is an error.
    """
    if spec.kind == "codes":
        return _codes(raw, spec, place)
    if spec.contains:
        return _contains(raw, spec, place)
    if spec.kind == "numeric":
        return _numbers(raw, spec, place)
    return _levels(raw, spec, place)


def cell_text(column: pd.Series) -> pd.Series:
    """Return cells as text or None: 1.0 is ``1``, True is ``true``, dates in ISO form.

    Raises:
        MappingError: the column holds lists.
    """
    try:
        positions, found = pd.factorize(column, use_na_sentinel=True)
    except TypeError as error:
        raise MappingError(
            f"The column '{column.name}' holds lists, not single values.",
            next_step="Read it as a field of kind codes, or with 'contains'.",
        ) from error
    texts = np.array([*(plain(_python(v)) for v in found), None], dtype=object)
    return pd.Series(texts[positions], index=column.index, dtype=object)


def known_keys(column: pd.Series, place: str) -> pd.Series:
    """Return ids as text.

    Raises:
        MappingError: an id is missing.
    """
    texts = cell_text(column)
    absent = int(texts.isna().sum())
    if absent:
        raise problem(
            place,
            f"{absent} rows have no id in the column '{column.name}'.",
            next_step=f"Leave them out with 'require: {column.name}' in the table's block.",
        )
    return texts


def joined_keys(parts: list[pd.Series], separator: str) -> pd.Series:
    """Return texts joined row by row; missing where a part is missing."""
    return parts[0].str.cat(pd.concat(parts[1:], axis=1), sep=separator) if parts[1:] else parts[0]


def _python(value: object) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    return value.isoformat() if isinstance(value, pd.Timestamp) else value


def _numbers(raw: pd.Series, spec: FieldSpec, place: str) -> Cells:
    if pd.api.types.is_datetime64_any_dtype(raw) or pd.api.types.is_timedelta64_dtype(raw):
        raise problem(
            place,
            f"the column '{raw.name}' holds dates, not numbers.",
            next_step="For a time between two dates name the later column under 'until'.",
        )
    known = raw.notna().to_numpy()
    coded = known & _coded(raw, spec)
    numbers = _parsed(raw.mask(coded))
    invalid = known & ~coded & ~np.isfinite(numbers)
    if invalid.any():
        _refuse_invalid(raw[invalid], spec, place, "a number")
        numbers[invalid] = np.nan
    if spec.convert is not None:
        numbers = numbers * spec.convert.scale + spec.convert.offset
        if spec.convert.decimals is not None:
            numbers = np.round(numbers, spec.convert.decimals)
    low, high = spec.range or (-np.inf, np.inf)
    outside = (numbers < low) | (numbers > high)
    beyond = numbers[outside]
    counts = FieldCounts(
        place,
        len(raw),
        int((~known).sum()),
        int(coded.sum()),
        int(invalid.sum()),
        int(outside.sum()),
        (float(beyond.min()), float(beyond.max())) if len(beyond) else None,
        spec.range,
        spec.unit,
        spec.outside,
        _examples(raw[invalid]),
    )
    if len(beyond) and spec.outside == "error":
        raise problem(
            place,
            f"{len(beyond)} numbers lie outside the range.",
            given=[f"{v:g}" for v in np.unique(beyond)[:5]],
            allowed=f"{low:g} to {high:g} {spec.unit}".rstrip(),
            next_step="Correct the range, or say 'outside: missing', 'clip' or 'drop'.",
        )
    numbers = np.clip(numbers, low, high) if spec.outside == "clip" else numbers
    drop = outside & (spec.outside == "drop")
    numbers[outside & (spec.outside == "missing")] = np.nan
    return Cells(pd.Series(numbers, index=raw.index), drop, counts)


def _parsed(raw: pd.Series) -> np.ndarray:
    """Return float64 (n,); what is not a number becomes NaN."""
    if raw.dtype == np.float32:  # 35.1 was recorded, not 35.0999985
        return raw.to_numpy().astype(str).astype(np.float64)
    if isinstance(raw.dtype, pd.CategoricalDtype) or raw.dtype == object:
        raw = raw.astype(object).map(lambda v: v.strip() if isinstance(v, str) else v)
    numbers = pd.to_numeric(raw, errors="coerce")
    return numbers.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan).copy()


def _levels(raw: pd.Series, spec: FieldSpec, place: str) -> Cells:
    texts = cell_text(raw).str.strip() if len(raw) else cell_text(raw)
    known = texts.notna().to_numpy()
    coded = known & _coded(raw, spec)
    values = texts.mask(coded).map(spec.meaning, na_action="ignore").astype(object)
    invalid = known & ~coded & values.isna().to_numpy()
    pooled = int(invalid.sum()) if spec.other else 0
    if spec.other:
        values, invalid = values.mask(invalid, spec.other), np.zeros(len(raw), dtype=bool)
    if invalid.any():
        _refuse_invalid(texts[invalid], spec, place, "one of the levels")
    values = values.astype(object).mask(values.isna(), None)
    counts = FieldCounts(
        place,
        len(raw),
        int((~known).sum()),
        int(coded.sum()),
        int(invalid.sum()),
        examples=_examples(texts[invalid]),
        pooled=pooled,
    )
    return Cells(values, np.zeros(len(raw), dtype=bool), counts)


def _contains(raw: pd.Series, spec: FieldSpec, place: str) -> Cells:
    inner = _codes(raw, spec, place)
    names = spec.levels.names if spec.levels else ("no", "yes")
    values = inner.values.map(
        lambda codes: None if codes is None else names[spec.contains in codes]
    )
    return Cells(values.astype(object), inner.drop, inner.counts)


def _codes(raw: pd.Series, spec: FieldSpec, place: str) -> Cells:
    missing = {cell.text for cell in spec.missing}
    lists = [_code_list(cell, spec.split, missing) for cell in raw]
    values = pd.Series(lists, index=raw.index, dtype=object)
    counts = FieldCounts(place, len(raw), sum(codes is None for codes in lists))
    return Cells(values, np.zeros(len(raw), dtype=bool), counts)


def _code_list(cell: object, split: str, missing: set[str]) -> list[str] | None:
    if isinstance(cell, _LISTS):
        parts = [part for part in cell if not (part is None or part != part)]
    elif cell is None or pd.isna(cell):  # type: ignore[call-overload]
        return None
    else:
        parts = str(cell).split(split) if split else [cell]
    codes = [plain(_python(part)).strip() for part in parts]
    return [code for code in dict.fromkeys(codes) if code and code not in missing]


def _coded(raw: pd.Series, spec: FieldSpec) -> np.ndarray:
    if not spec.missing:
        return np.zeros(len(raw), dtype=bool)
    return cell_text(raw).isin([cell.text for cell in spec.missing]).to_numpy()


def _examples(cells: pd.Series) -> tuple[str, ...]:
    texts = [str(cell) for cell in pd.unique(cells)[:5]]
    return tuple(t if len(t) <= _SHOWN else t[:_SHOWN] + "..." for t in texts)


def _refuse_invalid(cells: pd.Series, spec: FieldSpec, place: str, wanted: str) -> None:
    if spec.invalid == "missing":
        return
    examples = _examples(cells)
    levels = [] if spec.kind == "numeric" else list(spec.meaning)
    raise problem(
        place,
        f"{len(cells)} cells are not {wanted}.",
        given=[repr(e) for e in examples],
        allowed=levels or None,
        next_step=did_you_mean(examples[0], levels)
        or "Name them under 'levels' or 'missing', or say 'invalid: missing'.",
    )
