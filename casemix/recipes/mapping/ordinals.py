"""Levels that have an order: bands, Roman numerals, and the usual words of degree."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = r"(\d+(?:\.\d+)?)"
_FROM_TO = re.compile(rf"^[\[(]?\s*{_NUMBER}\s*(?:[-\u2013\u2014,:]|to)\s*<?{_NUMBER}\s*[\])]?$")
_BELOW = re.compile(rf"^(?:<|<=|≤|under|below|up to)\s*{_NUMBER}$")
_ABOVE = re.compile(rf"^(?:(?:>|>=|≥|over|above)\s*{_NUMBER}|{_NUMBER}\s*(?:\+|and over|or more))$")
_NORMAL = frozenset({"norm", "normal"})
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_STAGE = re.compile(r"^(?:stage|grade|class|level|category|type)\s+(\S+)$")
_SCALES = (
    ("none", "no", "absent", "trace", "minimal", "mild", "moderate", "marked", "severe", "extreme"),
    ("very low", "low", "medium", "intermediate", "high", "very high"),
    ("very low", "low", "normal", "high", "very high"),
    ("small", "medium", "large"),
    ("very poor", "poor", "fair", "good", "very good", "excellent"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("underweight", "normal", "overweight", "obese"),
)


def ordered(levels: Sequence[str]) -> tuple[list[str], str] | None:
    """Return the levels in their order and what they are, or None where they have none.

    >>> ordered(["[10-20)", "[0-10)", "[100-110)"])
    (['[0-10)', '[10-20)', '[100-110)'], 'bands of numbers')

    Args:
        levels: three or more distinct texts.
    """
    if len(levels) < 3:
        return None
    for what, ranks in (
        ("bands of numbers", _bands(levels)),
        ("Roman numerals", _numerals(levels)),
        ("words of degree", _degrees(levels)),
    ):
        if ranks is not None and len(set(ranks)) == len(levels):
            by_rank = sorted(zip(ranks, levels, strict=True))
            return [level for _, level in by_rank], what
    return None


def _bands(levels: Sequence[str]) -> list[tuple[float, float]] | None:
    ranks = [_band(level.strip().lower()) for level in levels]
    known = [rank for rank in ranks if rank is not None]
    real = sum(level.strip().lower() not in _NORMAL for level in levels)
    return known if len(known) == len(levels) and real >= 2 else None


def _band(level: str) -> tuple[float, float] | None:
    """Return where a band begins and ends."""
    if level in _NORMAL:
        return -2.0, 0.0
    if found := _FROM_TO.match(level):
        low, high = float(found[1]), float(found[2])
        return (low, high) if low <= high else None
    if found := _BELOW.match(level):
        return -1.0, float(found[1])
    if found := _ABOVE.match(level):
        return float(found[1] or found[2]), float("inf")
    return None


def _numerals(levels: Sequence[str]) -> list[int] | None:
    words = [level.strip().lower() for level in levels]
    staged = [_STAGE.match(word) for word in words]
    words = [found[1] if found else word for found, word in zip(staged, words, strict=True)]
    return [_ROMAN.index(w) for w in words] if all(w in _ROMAN for w in words) else None


def _degrees(levels: Sequence[str]) -> list[int] | None:
    words = [level.strip().lower() for level in levels]
    for scale in _SCALES:
        if all(word in scale for word in words):
            return [scale.index(word) for word in words]
    return None
