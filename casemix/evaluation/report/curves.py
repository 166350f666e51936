"""Pictures of what a cohort is used for: the augmentation curve and the validation of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from casemix.evaluation.report import svg
from casemix.evaluation.report.labels import number, title

_SIZE = (300.0, 190.0)
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 10.0, 10.0, 34.0


class _Axes:
    """Maps values to places in a picture."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x_range, self.y_range = x, y

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (_SIZE[0] - _LEFT - _RIGHT) * (value - low) / ((high - low) or 1.0)

    def y(self, value: float) -> float:
        low, high = self.y_range
        height = _SIZE[1] - _TOP - _BOTTOM
        return _TOP + height * (1 - (value - low) / ((high - low) or 1.0))

    def frame(self, across: str, up: str) -> list[Markup]:
        """Return axes with the ends of their ranges and their names."""
        left, bottom = _LEFT, _SIZE[1] - _BOTTOM
        right = _SIZE[0] - _RIGHT
        return [
            svg.line("axis", left, bottom, right, bottom),
            svg.line("axis", left, _TOP, left, bottom),
            *(
                svg.text("tick", left - 4, self.y(v) + 4, number(float(v), 2), "end")
                for v in self.y_range
            ),
            svg.text("tick", (left + right) / 2, _SIZE[1] - 4, across, "middle"),
            svg.text("tick", left + 4, _TOP + 4, up),
        ]


def augmentation_curve(details: Mapping[str, Any]) -> Markup | None:
    """Return the score of models on real subjects over the number of real training records.

    The dark line is real data alone, the filled band and line with the synthetic records added.
    None without two sizes or more.
    """
    points = [p for p in details.get("curve") or () if _defined(p)]
    if len(points) < 2:
        return None
    ends = [e for p in points for arm in ("real", "augmented") for e in _ends(p[arm])]
    axes = _Axes((0.0, float(len(points) - 1)), (min(ends), max(ends)))
    places = [axes.x(float(i)) for i in range(len(points))]
    marks = axes.frame("real training records", str(details.get("measure", "")))
    for i, point in enumerate(points):
        marks.append(
            svg.text("tick", places[i], _SIZE[1] - 20, number(round(point["records"])), "middle")
        )
    for arm, css in (("augmented", "made"), ("real", "reference")):
        heights = [axes.y(p[arm]["value"]) for p in points]
        for x, point in zip(places, points, strict=True):
            low, high = (axes.y(e) for e in _ends(point[arm]))
            marks.append(svg.line(f"{css}-whisker", x, low, x, high))
        marks.append(_path(f"{css}-line", places, heights))
    words = "Score on real subjects by number of real training records, with and without synthetic"
    return svg.drawing(*_SIZE, words, "curve", *marks)


def validation_scatter(details: Mapping[str, Any]) -> Markup | None:
    """Return each model's score on synthetic over that on real held-out records.

    On the diagonal a model is judged as on real data. None without models.
    """
    models = {
        name: (m["real"], m["synthetic"])
        for name, m in (details.get("models") or {}).items()
        if m.get("real") is not None and m.get("synthetic") is not None
    }
    if len(models) < 2:
        return None
    both = [v for pair in models.values() for v in pair]
    span = (min(both), max(both))
    axes = _Axes(span, span)
    marks = [
        *axes.frame(f"{details.get('measure', 'score')} on real held-out records", "on synthetic"),
        svg.line("diagonal-line", *(f(v) for v in span for f in (axes.x, axes.y))),
    ]
    for name, (real, made) in models.items():
        place = {"class": "made", "cx": axes.x(real), "cy": axes.y(made), "r": 4}
        words = f"{title(name)}: {number(real)} on real, {number(made)} on synthetic"
        marks.append(svg.element("circle", place, svg.element("title", {}, words)))
    words = "Scores of models on synthetic over those on real held-out records"
    return svg.drawing(*_SIZE, words, "curve", *marks)


def _path(css: str, x: Sequence[float], y: Sequence[float]) -> Markup:
    places = zip(x, y, strict=True)
    steps = (f"{'L' if i else 'M'}{a:.1f} {b:.1f}" for i, (a, b) in enumerate(places))
    return svg.element("path", {"class": css, "d": " ".join(steps)})


def _defined(point: Mapping[str, Any]) -> bool:
    return all((point.get(arm) or {}).get("value") is not None for arm in ("real", "augmented"))


def _ends(estimate: Mapping[str, Any]) -> tuple[float, float]:
    ends = estimate.get("interval") or (None, None)
    low, high = (estimate["value"] if e is None or e != e else e for e in ends)
    return low, high
