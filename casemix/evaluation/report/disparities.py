"""Scores by subgroup as rows to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from casemix.evaluation.report import svg
from casemix.evaluation.report.labels import interval, number

_WIDTH, _LEFT, _ROW = 260.0, 92.0, 16.0  # of the figure; the left part holds the names
_SHORT = 14  # characters of a name
_CLEAR = 0.01  # p-value; there are many comparisons


@dataclass(frozen=True)
class Disparity:
    """One score by the groups of one field.

    Args:
        modality: whose score.
        field: the context field that makes the groups.
        score: the metric's name.
        value: largest minus smallest score.
        p_value: how probable such a range is where all groups are alike, or None.
        worst: the group that fares worst.
        groups: each group's name and score as text.
        figure: the groups' scores with their intervals, drawn.
    """

    modality: str
    field: str
    score: str
    value: float
    p_value: float | None
    worst: str
    groups: Sequence[tuple[str, str]]
    figure: Markup

    @property
    def beyond_chance(self) -> bool:
        """Whether the groups differ more than noise explains."""
        return self.p_value is not None and self.p_value < _CLEAR


def disparities(metrics: Mapping[str, Any]) -> list[Disparity]:
    """Return every score by subgroup that has a disparity, clearest first."""
    found = [
        Disparity(
            modality,
            field,
            score,
            by_group["disparity"]["value"],
            by_group["disparity"]["p_value"],
            by_group["disparity"]["worst"],
            [(name, _text(group)) for name, group in by_group["groups"].items()],
            _figure(by_group["groups"]),
        )
        for modality, judged in (metrics.get("modalities") or {}).items()
        for field, of_field in (judged.get("subgroups") or {}).items()
        for score, by_group in of_field.items()
        if by_group["disparity"] is not None
    ]
    return sorted(found, key=lambda d: (1.0 if d.p_value is None else d.p_value, -d.value))


def _text(group: Mapping[str, Any]) -> str:
    if group["suppressed"]:
        return "(too few)"
    return f"{number(group['value'], 2)} {interval(group['interval'], 2)}".strip()


def _figure(groups: Mapping[str, Any]) -> Markup:
    """Return one row per reported group: its score as a dot, its interval as a bar."""
    shown = {name: g for name, g in groups.items() if g["value"] is not None}
    ends = [e for g in shown.values() for e in (*(g["interval"] or ()), g["value"])]
    low, high = min(ends), max(ends)
    width, left = _WIDTH - _LEFT - 8, _LEFT

    def x(value: float) -> float:
        return left + width * (value - low) / ((high - low) or 1.0)

    marks = []
    for row, (name, group) in enumerate(shown.items()):
        y = _ROW * (row + 0.5)
        short = name if len(name) <= _SHORT else name[: _SHORT - 1] + "…"
        marks.append(svg.text("tick", left - 8, y + 4, short, "end"))
        if group["interval"]:
            start, stop = map(x, group["interval"])
            marks.append(svg.rect("whisker", start, y - 3, max(stop - start, 1.0), 6))
        dot = {"class": "value", "cx": x(group["value"]), "cy": y, "r": 4}
        marks.append(svg.element("circle", dot))
    bottom = _ROW * len(shown)
    marks.append(svg.text("tick", left, bottom + 12, number(float(low), 2)))
    marks.append(svg.text("tick", _WIDTH, bottom + 12, number(float(high), 2), "end"))
    return svg.drawing(_WIDTH, bottom + 16, "Score of each group", "groups", *marks)
