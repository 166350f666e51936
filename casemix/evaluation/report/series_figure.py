"""A record's channels as small charts under each other, on scales that records share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from casemix.evaluation.report import svg
from casemix.evaluation.report.labels import cell, unit

#: Channel name -> low and high end of the range in which most values of all records lie.
Ranges = Mapping[str, tuple[float, float]]

_WIDTH, _LEFT = 360.0, 40.0
_TITLE, _HEIGHT, _GAP = 14.0, 38.0, 6.0  # of one channel
_POINTS = 400  # a longer channel is thinned to the lowest and highest value of each bucket


def typical_ranges(previews: Iterable[Mapping[str, Any]]) -> Ranges:
    """Return the 1st to 99th percentile of each channel over these chart previews."""
    values: dict[str, list[float]] = {}
    for preview in previews:
        for channel in preview["channels"]:
            values.setdefault(channel["name"], []).extend(_present(channel["y"]))
    return {
        name: (float(np.percentile(found, 1)), float(np.percentile(found, 99)))
        for name, found in values.items()
        if found
    }


def series_chart(preview: Mapping[str, Any], ranges: Ranges, words: str, *, most: int) -> Markup:
    """Return the first ``most`` channels of a chart preview as one picture.

    A channel's scale holds all of its values, and the range that is typical of other records,
    so records can be compared by eye. Cells that were not recorded are gaps; a lone value is a dot.
    """
    x = np.array(preview["x"], dtype=float)
    low, high = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
    span = high - low or 1.0
    places = _LEFT + (_WIDTH - _LEFT - 4) * (x - low) / span
    shown = preview["channels"][:most]
    marks: list[Markup] = []
    for i, channel in enumerate(shown):
        marks += _channel(channel, places, i * (_TITLE + _HEIGHT + _GAP), ranges)
    bottom = len(shown) * (_TITLE + _HEIGHT + _GAP)
    unit_x = preview.get("unit_x") or ""
    marks += [
        svg.text("tick", _LEFT, bottom + 10, f"{cell(low)} {unit_x}".strip()),
        svg.text("tick", _WIDTH - 4, bottom + 10, f"{cell(high)} {unit_x}".strip(), "end"),
    ]
    return svg.drawing(_WIDTH, bottom + 16, words, "series", *marks)


def _channel(
    channel: Mapping[str, Any], places: np.ndarray, top: float, ranges: Ranges
) -> Iterator[Markup]:
    values = np.array([math.nan if v is None else v for v in channel["y"]], dtype=float)
    name, its_unit = str(channel["name"]), unit(str(channel.get("unit") or ""))
    yield svg.text("channel", _LEFT, top + 10, f"{name} ({its_unit})" if its_unit else name)
    top += _TITLE
    yield svg.line("axis", _LEFT, top + _HEIGHT, _WIDTH - 4, top + _HEIGHT)
    present = values[np.isfinite(values)]
    if len(present) == 0:
        yield svg.text("tick", _LEFT + 6, top + _HEIGHT / 2 + 4, "not recorded")
        return
    usual = ranges.get(name, (math.inf, -math.inf))
    low, high = min(float(present.min()), usual[0]), max(float(present.max()), usual[1])
    heights = top + _HEIGHT - 3 - (_HEIGHT - 6) * (values - low) / ((high - low) or 1.0)
    yield svg.text("tick", _LEFT - 4, top + 9, cell(_short(high)), "end")
    yield svg.text("tick", _LEFT - 4, top + _HEIGHT, cell(_short(low)), "end")
    yield svg.element("path", {"class": "trace", "d": _trace(places, heights)})


def _trace(x: np.ndarray, y: np.ndarray) -> str:
    kept = _thinned(y)
    parts: list[str] = []
    pen_down = False
    for i in kept:
        if not math.isfinite(y[i]):
            pen_down = False
            continue
        # A zero-length stroke draws a dot (round caps), so a value between two gaps is seen.
        parts.append(f"L{x[i]:.1f} {y[i]:.1f}" if pen_down else f"M{x[i]:.1f} {y[i]:.1f}h0")
        pen_down = True
    return "".join(parts)


def _thinned(y: np.ndarray) -> Sequence[int]:
    if len(y) <= _POINTS:
        return range(len(y))
    kept: set[int] = set()
    for bucket in np.array_split(np.arange(len(y)), _POINTS // 2):
        present = bucket[np.isfinite(y[bucket])]
        if len(present) == 0:
            kept.add(int(bucket[0]))  # keeps the gap
        else:
            kept |= {int(present[y[present].argmin()]), int(present[y[present].argmax()])}
    return sorted(kept)


def _present(values: Iterable[float | None]) -> list[float]:
    return [float(v) for v in values if v is not None and math.isfinite(v)]


def _short(value: float) -> float:
    return float(f"{value:.3g}")
