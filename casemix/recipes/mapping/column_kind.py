"""What one column of an unknown table seems to be, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.errors import MappingError
from casemix.recipes.mapping.cells import cell_text
from casemix.recipes.mapping.code_shapes import code_system, names_codes
from casemix.recipes.mapping.ordinals import ordered
from casemix.recipes.mapping.units import unit_of

MISSING = frozenset(
    {"?", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "unknown", "-", ".", "missing"}
)
_STAND_INS = (-1, -9, -99, -999, -9999, -99999)  # negative numbers that stand for "not recorded"
FEW_LEVELS = 50  # all levels of such a column are kept
MOST_LEVELS = 1000  # of a column of many levels
_FEW_SUBJECTS = 5  # a level of a column of many levels needs as many
_FEW_CELLS = 5  # a column of fewer known cells is left out
_FEW_NUMBERS = 3  # number columns with at most this many values are codes
_LONGEST = 200  # characters of a level
_MOSTLY_NUMBERS = 0.9  # share of known cells
_EXACT = 2.0**53  # whole numbers beyond it are not exact as float64


@dataclass(frozen=True)
class Guess:
    """What a column seems to be.

    Args:
        block: its field's block of a mapping; None where it cannot be learnt.
        reason: why, for the person who corrects the mapping.
    """

    block: dict[str, Any] | None
    reason: str


def guess_column(column: pd.Series, *, owners: pd.Series | None = None) -> Guess:
    """Return what a column seems to be; its name counts.

    Args:
        column: cells as a table holds them; dates are the matter of `date_columns`.
        owners: the subject of each row, for "held by few subjects"; by default each row's own.
    """
    try:
        cells = cell_text(column).dropna().astype(str).str.strip()
    except MappingError:
        return Guess(None, "its cells are lists")
    sentinel = cells.str.lower().isin(MISSING) | (cells == "")
    missing = sorted(set(cells[sentinel]) - {""})
    known = cells[~sentinel]
    if known.empty:
        return Guess(None, "no known value")
    if len(known) < _FEW_CELLS <= len(column):
        return Guess(None, f"only {len(known)} known cells: too few to learn, and to hide")
    guess = _guess_known(known, column, owners)
    if guess.block is None or not missing:
        return guess
    return Guess(
        {**guess.block, "missing": [*missing, *guess.block.get("missing", [])]}, guess.reason
    )


def _guess_known(known: pd.Series, column: pd.Series, owners: pd.Series | None) -> Guess:
    name = str(column.name or "")
    numbers = pd.to_numeric(known, errors="coerce").astype("float64")
    finite = numbers[np.isfinite(numbers)]
    boolean = pd.api.types.is_bool_dtype(column)
    if len(finite) >= _MOSTLY_NUMBERS * len(known) and not boolean:
        whole = bool((finite % 1 == 0).all())
        shaped = names_codes(name) and (whole or bool(code_system(name, list(set(known)))))
        codes = shaped or finite.nunique() <= _FEW_NUMBERS
        if not codes or (whole and _identifies(finite, name)):
            return _numeric(known, numbers, name)
    return _levelled(known, name, None if owners is None else owners[known.index])


def _numeric(known: pd.Series, numbers: pd.Series, name: str) -> Guess:
    finite = numbers[np.isfinite(numbers)]
    if (finite % 1 == 0).all() and _identifies(finite, name):
        return Guess(None, f"an identifier: {len(finite)} different whole numbers")
    if (finite.abs() > _EXACT).any():
        return Guess(None, "numbers beyond 2^53 are not exact as floating-point numbers")
    stand_in = _stand_in(finite)
    kept = finite[finite != stand_in] if stand_in else finite
    unit = unit_of(name, float(kept.median()))
    block: dict[str, Any] = {"kind": "numeric"} | ({"unit": unit.code} if unit else {})
    block["range"] = rounded_range(kept)
    reasons = [f"{kept.nunique()} different numbers"] + ([unit.reason] if unit else [])
    if stand_in:
        block["missing"] = [str(stand_in)]
        reasons.append(f"{stand_in} seems to mean not recorded")
    others = known[~np.isfinite(numbers)]
    if len(others):
        block["invalid"] = "missing"
        reasons.append(f"{len(others)} cells are no finite number ({_some(others)}): missing")
    return Guess(block, "; ".join(reasons))


def _identifies(finite: pd.Series, name: str) -> bool:
    """Return whether different whole numbers are ids: counted through, or all of one length."""
    if not finite.is_unique or len(finite) <= FEW_LEVELS:
        return False
    low, high = finite.min(), finite.max()
    counted = high - low + 1 == len(finite)
    one_length = low > 0 and high >= 1e4 and len(str(int(low))) == len(str(int(high)))
    in_order = finite.is_monotonic_increasing or finite.is_monotonic_decreasing
    return bool(counted or one_length or in_order or names_codes(name))


def _stand_in(finite: pd.Series) -> int:
    """Return the one negative number of a column if it is a usual stand-in, else 0."""
    negative = finite[finite < 0].unique()
    several = finite.nunique() > 2 * _FEW_NUMBERS
    alone = len(negative) == 1 and negative[0] in _STAND_INS and several
    return int(negative[0]) if alone else 0


def rounded_range(numbers: pd.Series) -> list[int | float]:
    """Return smallest and largest number, rounded outwards to two digits of their span.

    So the range of a mapping does not tell the most extreme patient's exact value.
    """
    low, high = float(numbers.min()), float(numbers.max())
    if low == high:
        return [plain_number(low), plain_number(high)]
    digits = 1 - int(np.floor(np.log10(high - low)))
    step = 10.0**-digits
    down, up = np.floor(round(low / step, 6)) * step, np.ceil(round(high / step, 6)) * step
    return [plain_number(round(min(down, low), digits)), plain_number(round(max(up, high), digits))]


def plain_number(number: float) -> int | float:
    """Return a whole number as int, so that YAML shows 3 and not 3.0."""
    return int(number) if float(number).is_integer() else float(number)


def _levelled(known: pd.Series, name: str, owners: pd.Series | None) -> Guess:
    short = known[known.str.len() <= _LONGEST]
    if len(short) < _MOSTLY_NUMBERS * len(known):
        return Guess(None, f"free text: cells of up to {known.str.len().max()} characters")
    levels = sorted(set(short), key=level_order)
    if len(levels) == len(known) >= 10:
        return Guess(None, "an identifier or free text: each known cell is another text")
    if len(levels) > FEW_LEVELS:
        return _many_levels(short, known, name, owners)
    order = ordered(levels)
    kind = "binary" if len(levels) == 2 else "ordinal" if order else "categorical"
    block: dict[str, Any] = {"kind": kind, "levels": order[0] if order else levels}
    reasons = [f"{len(levels)} levels" if len(levels) > 1 else "one level: the same in every row"]
    reasons += [order[1]] if order else []
    if len(short) < len(known):
        block["invalid"] = "missing"
        reasons.append(f"{len(known) - len(short)} cells of over {_LONGEST} characters: missing")
    return Guess(_coded(block, name, levels), "; ".join(reasons))


def _many_levels(short: pd.Series, known: pd.Series, name: str, owners: pd.Series | None) -> Guess:
    """Keep the levels that enough subjects have; the others become one level."""
    pairs = pd.DataFrame({"level": short, "owner": short.index})
    if owners is not None:
        pairs["owner"] = owners.reindex(short.index)
    holders = pairs.drop_duplicates().groupby("level", sort=False)["level"].count()
    common = holders[holders >= _FEW_SUBJECTS].sort_values(ascending=False, kind="stable")
    kept = common.index[:MOST_LEVELS]
    count = short.nunique()
    covered = int(short.isin(kept).sum())
    if covered < len(known) / 2:
        return Guess(
            None,
            f"free text or an identifier: {count} different texts, of which those of at least "
            f"{_FEW_SUBJECTS} subjects make {covered / len(known):.0%} of the cells",
        )
    reason = f"{count} levels"
    block: dict[str, Any] = {"kind": "categorical", "levels": sorted(kept, key=level_order)}
    if covered < len(known):
        rest = next(n for n in ("other", "other level", "other_") if n not in set(kept))
        block["other"] = rest
        reason += (
            f", of which the {len(kept)} of at least {_FEW_SUBJECTS} subjects are kept; the rest "
            f"({1 - covered / len(known):.1%} of the cells) become '{rest}'"
        )
    return Guess(_coded(block, name, list(kept)), reason)


def _coded(block: dict[str, Any], name: str, levels: list[str]) -> dict[str, Any]:
    system = code_system(name, levels)
    return {**block, "code_system": system} if system else block


def level_order(level: str) -> tuple[int, float, str]:
    """Sort numbers by value, and before texts."""
    number = pd.to_numeric(level, errors="coerce")
    return (1, 0.0, level) if pd.isna(number) else (0, float(number), level)


def _some(cells: Iterable[str], most: int = 3) -> str:
    found = [text if len(text) <= 20 else text[:17] + "..." for text in dict.fromkeys(cells)]
    return ", ".join(found[:most]) + (", ..." if len(found) > most else "")
