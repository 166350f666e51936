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

_LEFT, _RIGHT = 40.0, 4.0  # margins
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


def series_chart(
    preview: Mapping[str, Any], ranges: Ranges, words: str, *, most: int, width: float
) -> Markup:
    """Return the first ``most`` channels of a chart preview as one picture.

    A channel's scale holds all of its values, and the range that is typical of other records,
    so records can be compared by eye. Cells that were not recorded are gaps; a lone value is a dot.
    """
    x = np.array(preview["x"], dtype=float)
    low, high = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
    span = high - low or 1.0
    places = _LEFT + (width - _LEFT - _RIGHT) * (x - low) / span
    shown = preview["channels"][:most]
    marks: list[Markup] = []
    for i, channel in enumerate(shown):
        marks += _channel(channel, places, i * (_TITLE + _HEIGHT + _GAP), ranges, width)
    bottom = len(shown) * (_TITLE + _HEIGHT + _GAP)
    unit_x = preview.get("unit_x") or ""
    marks += [
        svg.text("tick", _LEFT, bottom + 10, f"{cell(low)} {unit_x}".strip()),
        svg.text("tick", width - _RIGHT, bottom + 10, f"{cell(high)} {unit_x}".strip(), "end"),
    ]
    return svg.drawing(width, bottom + 16, words, "series", *marks)


def _channel(
    channel: Mapping[str, Any], places: np.ndarray, top: float, ranges: Ranges, width: float
) -> Iterator[Markup]:
    values = np.array([math.nan if v is None else v for v in channel["y"]], dtype=float)
    name, its_unit = str(channel["name"]), unit(str(channel.get("unit") or ""))
    yield svg.text("channel", _LEFT, top + 10, f"{name} ({its_unit})" if its_unit else name)
    top += _TITLE
    yield svg.line("axis", _LEFT, top + _HEIGHT, width - _RIGHT, top + _HEIGHT)
    present = values[np.isfinite(values)]
    if len(present) == 0:
        yield svg.text("tick", _LEFT + 6, top + _HEIGHT / 2 + 4, "not recorded")
        return
    usual = ranges.get(name, (math.inf, -math.inf))
    low, high = min(float(present.min()), usual[0]), max(float(present.max()), usual[1])
    if low == high:
        low, high = low - 0.5, high + 0.5
    heights = top + _HEIGHT - 3 - (_HEIGHT - 6) * (values - low) / (high - low)
    yield svg.text("tick", _LEFT - 4, top + 9, cell(_short(high)), "end")
    yield svg.text("tick", _LEFT - 4, top + _HEIGHT, cell(_short(low)), "end")
    lines, dots = _strokes(places, heights)
    yield svg.element("path", {"class": "trace", "d": lines})
    yield svg.element("path", {"class": "dots", "d": dots})


def _strokes(x: np.ndarray, y: np.ndarray) -> tuple[str, str]:
    """Return the runs of recorded values as lines, and values alone between gaps as dots."""
    kept = _thinned(y)
    present = [math.isfinite(y[i]) for i in kept]
    starts = [k for k, here in enumerate(present) if here and (k == 0 or not present[k - 1])]
    lines, dots = [], []
    for start in starts:
        stop = next((k for k in range(start, len(kept)) if not present[k]), len(kept))
        points = [f"{x[kept[k]]:.1f} {y[kept[k]]:.1f}" for k in range(start, stop)]
        if len(points) > 1:
            lines.append("M" + "L".join(points))
        else:
            dots.append(f"M{points[0]}h0")  # a stroke of length zero: its round cap is a dot
    return "".join(lines), "".join(dots)


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
