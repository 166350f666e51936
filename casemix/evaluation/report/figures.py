"""Pictures of scores and columns: the calibrated bar, the linkage matrix and the marginals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from casemix.evaluation.report import svg
from casemix.evaluation.report.columns import Bins, Column, Levels
from casemix.evaluation.report.labels import cell, number, title
from casemix.evaluation.report.scores import Pair

_BAR = (200.0, 24.0)  # width and height of a score bar
_DOMAIN = (-0.25, 1.25)  # of a score bar: floor at 0, ceiling at 1
_PLOT = (260.0, 130.0)  # width and height of a marginal
_CELL = (104.0, 46.0)  # of the linkage matrix
_LINKED = np.array([15, 118, 110])  # the colour of a link of 1; 0 is white


def score_bar(score: Mapping[str, Any]) -> Markup | None:
    """Return value and interval drawn between floor (left tick) and ceiling (right tick).

    A value beyond the picture is an arrow at its edge. None where the score has no scale.
    """
    relative = score.get("relative")
    if relative is None:
        return None
    width, height = _BAR
    middle = height / 2
    marks = [
        svg.line("axis", 0, middle, width, middle),
        *(svg.line("anchor", _across(at), 3, _across(at), height - 3) for at in (0.0, 1.0)),
    ]
    if score.get("interval"):
        span = score["ceiling"] - score["floor"]
        ends = sorted(_across((end - score["floor"]) / span) for end in score["interval"])
        marks.append(svg.rect("whisker", ends[0], middle - 3, max(ends[1] - ends[0], 1), 6))
    marks.append(_mark(relative, middle))
    words = f"{number(relative)} of the way from floor (0) to ceiling (1)"
    return svg.drawing(width, height, words, "bar", *marks)


def _mark(relative: float, middle: float) -> Markup:
    x = _across(relative)
    if _DOMAIN[0] <= relative <= _DOMAIN[1]:
        return svg.element("circle", {"class": "value", "cx": x, "cy": middle, "r": 5})
    tip, back = (x, x - 9) if relative > 1 else (x, x + 9)
    points = f"{tip:.1f},{middle:.1f} {back:.1f},{middle - 6:.1f} {back:.1f},{middle + 6:.1f}"
    return svg.element("polygon", {"class": "value", "points": points})


def _across(relative: float) -> float:
    low, high = _DOMAIN
    return _BAR[0] * (min(max(relative, low), high) - low) / (high - low)


@dataclass(frozen=True)
class _Cell:
    """Where a cell of the linkage matrix lies, and what it shows."""

    row: int
    column: int
    score: Mapping[str, Any]


def link_matrix(found: Sequence[Pair]) -> Markup:
    """Return all pairs as a matrix: `link` above the diagonal, `patient_link` below it."""
    names = list(dict.fromkeys(name for pair in found for name in (pair.a, pair.b)))
    left, top = 110.0, 30.0
    marks = [
        svg.text("axis-name", left + _CELL[0] * (i + 0.5), top - 10, title(name), "middle")
        for i, name in enumerate(names)
    ]
    marks += [
        svg.text("axis-name", left - 10, top + _CELL[1] * (i + 0.5) + 4, title(name), "end")
        for i, name in enumerate(names)
    ]
    for i in range(len(names)):
        marks.append(
            svg.rect("diagonal", left + _CELL[0] * i, top + _CELL[1] * i, _CELL[0], _CELL[1])
        )
    for place in _cells(found, names):
        marks += _cell_marks(place, left, top)
    size = (left + _CELL[0] * len(names) + 2, top + _CELL[1] * len(names) + 2)
    return svg.drawing(
        *size, "Matrix of linkage scores; the table has its figures", "matrix", *marks
    )


def _cells(found: Sequence[Pair], names: Sequence[str]) -> list[_Cell]:
    cells = []
    for pair in found:
        first, second = sorted((names.index(pair.a), names.index(pair.b)))
        cells.append(_Cell(first, second, pair.score("link")))
        cells.append(_Cell(second, first, pair.score("patient_link")))
    return cells


def _cell_marks(place: _Cell, left: float, top: float) -> list[Markup]:
    x, y = left + _CELL[0] * place.column, top + _CELL[1] * place.row
    box = {"x": x, "y": y, "width": _CELL[0], "height": _CELL[1], "class": "cell"}
    value = place.score.get("value")
    if value is None:
        # Context with a modality has no patient link: nothing of it lies beyond the context.
        words = "undefined" if place.score else "does not apply"
        fill, css = "#f1f3f5", "cell-undefined"
    else:
        strength = min(max(float(value), 0.0), 1.0)
        shade = np.round(255 + (_LINKED - 255) * strength).astype(int)
        fill = "#{:02x}{:02x}{:02x}".format(*shade)
        words = number(float(value), 2) + (" ▲" if value > 1 else "")
        css = "cell-light" if strength > 0.6 else "cell-dark"
    ends = place.score.get("interval")
    below = f"{number(float(ends[0]), 2)} to {number(float(ends[1]), 2)}" if ends else ""
    middle = x + _CELL[0] / 2
    return [
        svg.element("rect", {**box, "fill": fill}),
        svg.text(css, middle, y + (21 if below else 28), words, "middle"),
        svg.text(f"{css} small", middle, y + 36, below, "middle"),
    ]


def marginal(column: Column) -> Markup:
    """Return a column's two distributions over each other: filled synthetic, lined reference."""
    summary = column.summary
    words = f"Distribution of {column.name}, reference and synthetic"
    if isinstance(summary, Bins):
        return _histogram(summary, words)
    return _level_bars(summary, words)


def _histogram(bins: Bins, words: str) -> Markup:
    width, height = _PLOT
    bottom, peak = height - 20, max(*bins.reference, *bins.synthetic, 1e-9)
    step = width / len(bins.reference)

    def y(value: float) -> float:
        return bottom - (bottom - 6) * value / peak

    fills = [
        svg.rect("made", i * step + 0.5, y(share), max(step - 1, 0.5), bottom - y(share))
        for i, share in enumerate(bins.synthetic)
        if share > 0
    ]
    outline = f"M0 {bottom:.1f}" + "".join(
        f"V{y(share):.1f}H{(i + 1) * step:.1f}" for i, share in enumerate(bins.reference)
    )
    marks = [
        svg.line("axis", 0, bottom, width, bottom),
        svg.text("tick", 0, height - 5, cell(bins.low)),
        svg.text("tick", width, height - 5, cell(bins.high), "end"),
        svg.element("path", {"class": "reference", "d": f"{outline}V{bottom:.1f}"}),
    ]
    return svg.drawing(width, height, words, "marginal", *fills, *marks)


def _level_bars(levels: Levels, words: str) -> Markup:
    row, left, full = 24.0, 96.0, _PLOT[0] - 96 - 40
    marks = []
    for i, (name, real, made) in enumerate(
        zip(levels.names, levels.reference, levels.synthetic, strict=True)
    ):
        y = i * row + 4
        short = name if len(name) <= 15 else name[:14] + "…"
        label = svg.element("title", {}, name)
        marks += [
            svg.element(
                "text",
                {"class": "tick", "x": left - 6, "y": y + 13, "text-anchor": "end"},
                short,
                label,
            ),
            svg.rect("reference-bar", left, y, full * real, 8),
            svg.rect("made", left, y + 9, full * made, 8),
            svg.text("tick", _PLOT[0], y + 9, f"{100 * real:.0f} %", "end"),
            svg.text("tick made-text", _PLOT[0], y + 19, f"{100 * made:.0f} %", "end"),
        ]
    return svg.drawing(_PLOT[0], row * len(levels.names) + 6, words, "marginal", *marks)
