"""The page of a benchmark: a leaderboard, and each score as dots between floor and ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10
from typing import Any

from markupsafe import Markup

from casemix.core.cohort import Provenance
from casemix.evaluation.report import svg
from casemix.evaluation.report.labels import LABELS, number, title
from casemix.evaluation.report.page import render

_ROW, _LEFT, _WIDTH, _TOP = 26.0, 150.0, 640.0, 24.0
_INTERVAL = "_interval"  # what a score's name has behind it in an entry
_FIGURES = ("fit_seconds", "sample_seconds", "peak_mb")


def benchmark_page(
    entries: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    about: Mapping[str, Any],
    provenance: Provenance,
) -> str:
    """Return the page.

    Args:
        entries: the leaderboard, best first: ``method``, ``seeds``, mean scores (``NAME`` and
            ``NAME_interval``), seconds, MB.
        rows: one per method and seed: ``method``, ``seed``, ``status``, ``metrics``.
        about: what all rows share (``modality``, ``data``, ``budget``).
        provenance: where the data come from that methods were fitted on.
    """
    scores = [k.removesuffix(_INTERVAL) for k in entries[0] if k.endswith(_INTERVAL)]
    order = [str(e["method"]) for e in entries]
    done = [row for row in rows if row["status"] == "done"]
    content = {
        "label": LABELS[provenance],
        "about": about,
        "entries": entries,
        "scores": scores,
        "figures": _FIGURES,
        "plots": {name: dots(name, done, order) for name in scores},
        "trade": trade(entries) if done else None,
        "statuses": [row for row in rows if row["status"] != "done"],
        "descriptions": {
            name: row["metrics"][name]["description"] for row in done for name in scores
        },
    }
    return render("benchmark.html.j2", content, styles=["base.css", "benchmark.css"])


def dots(name: str, rows: Sequence[Mapping[str, Any]], order: Sequence[str]) -> Markup:
    """Return one score of every method: a dot and its interval per seed, anchors as ticks."""
    scored = [(row["method"], row["metrics"][name]) for row in rows if name in row["metrics"]]
    scored = [(method, score) for method, score in scored if score["value"] is not None]
    ends = [v for _, s in scored for v in (s["value"], s["ceiling"], s["floor"]) if v is not None]
    ends += [v for _, s in scored for v in s["interval"] or ()]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return _LEFT + 10 + (_WIDTH - _LEFT - 20) * (value - low) / span

    marks: list[Markup] = [
        svg.text("tick", x(low), 12, number(low)),
        svg.text("tick", x(high), 12, number(high), "end"),
    ]
    for k, method in enumerate(order):
        own = [s for m, s in scored if m == method]
        top = _TOP + k * _ROW
        marks.append(svg.text("channel", _LEFT - 8, top + 15, method.partition("/")[2], "end"))
        marks.append(svg.line("axis", _LEFT, top + _ROW / 2, _WIDTH, top + _ROW / 2))
        for j, score in enumerate(own):
            y = top + _ROW * (j + 1) / (len(own) + 1)
            for anchor in ("ceiling", "floor"):
                if score[anchor] is not None:
                    marks.append(svg.line(anchor, x(score[anchor]), y - 4, x(score[anchor]), y + 4))
            if score["interval"]:
                a, b = (x(end) for end in score["interval"])
                marks.append(svg.line("whisker", a, y, b, y))
            circle = {"class": "value", "cx": x(score["value"]), "cy": y, "r": 3.5}
            marks.append(svg.element("circle", circle))
    words = f"{title(name)} of each method and seed; the table has the means"
    return svg.drawing(_WIDTH, _TOP + _ROW * len(order) + 6, words, "dots", *marks)


def trade(entries: Sequence[Mapping[str, Any]]) -> Markup:
    """Return the first score against the seconds of a fit (logarithmic)."""
    name = next(k.removesuffix(_INTERVAL) for k in entries[0] if k.endswith(_INTERVAL))
    shown = [e for e in entries if e[name] is not None]
    height, bottom = 260.0, 230.0
    times = [log10(max(e["fit_seconds"], 1e-2)) for e in shown]
    values = [e[name] for e in shown]
    left, right = min(times) - 0.2, max(times) + 0.6
    low, high = min(values) - 0.05, max(values) + 0.05

    def at(when: float, value: float) -> tuple[float, float]:
        across = 60 + (_WIDTH - 90) * (when - left) / (right - left)
        return across, bottom - (bottom - 16) * (value - low) / (high - low)

    marks = [
        svg.line("axis", 60, bottom, _WIDTH, bottom),
        svg.line("axis", 60, 10, 60, bottom),
        svg.text("tick", _WIDTH, bottom + 24, "seconds to fit (logarithmic)", "end"),
        svg.text("tick", 4, 14, title(name)),
        *(
            svg.text("tick", 54, at(left, v)[1], number(v, 2), "end")
            for v in (min(values), max(values))
        ),
        *(
            svg.text("tick", at(t, low)[0], bottom + 12, f"{10**t:.3g} s", "middle")
            for t in (min(times), max(times))
        ),
    ]
    for entry, when in zip(shown, times, strict=True):
        x, y = at(when, entry[name])
        marks.append(svg.element("circle", {"class": "value", "cx": x, "cy": y, "r": 5}))
        marks.append(svg.text("channel", x + 8, y + 4, str(entry["method"]).partition("/")[2]))
    return svg.drawing(_WIDTH, height, f"{title(name)} against seconds to fit", "trade", *marks)
