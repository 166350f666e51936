"""The table of a benchmark: one line per method, hardest to tell from real first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from casemix.evaluation.repeats import over_seeds
from casemix.evaluation.statistics import Estimate

#: What the leaderboard shows of each method; all scores are in ``results.csv``.
SHOWN = ("c2st_auc", "utility", "coverage", "nearest_record_ratio", "membership_auc")
_HEADINGS = {
    "c2st_auc": "C2ST",
    "utility": "TSTR",
    "coverage": "cover",
    "nearest_record_ratio": "nearest",
    "membership_auc": "member",
    "fit_seconds": "fit s",
    "sample_seconds": "draw s",
    "peak_mb": "MB",
}
_FORMATS = {"seeds": "d", "peak_mb": ".0f", "fit_seconds": ".1f", "sample_seconds": ".1f"}


def every_score(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return one line per method, seed and metric."""
    lines = []
    for row in rows:
        about = {k: v for k, v in row.items() if k not in ("metrics", "subjects")}
        for name, score in row.get("metrics", {"": {}}).items():
            low, high = score.get("interval") or (None, None)
            shown = {k: score.get(k) for k in ("value", "ceiling", "floor", "relative", "n")}
            lines.append({**about, "metric": name, **shown, "low": low, "high": high})
    return pd.DataFrame(lines)


def leaderboard(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry per method, hardest to tell from real first.

    Scores are means over the seeds; ``<score>_interval`` holds for subjects and seeds together,
    and is None with one seed or where the score has no interval.
    """
    found = []
    for method in sorted({row["method"] for row in rows}):
        own = [row for row in rows if row["method"] == method]
        done = [row for row in own if row["status"] == "done"]
        entry: dict[str, Any] = {"method": method, "seeds": len(done)}
        if len(done) < len(own):
            entry["status"] = next(row["status"] for row in own if row["status"] != "done")
        for name in SHOWN:
            found_scores = [row["metrics"].get(name, {}) for row in done]
            entry[name] = _mean([score.get("value") for score in found_scores])
            entry[f"{name}_interval"] = _over_seeds(found_scores)
        for name in ("fit_seconds", "sample_seconds", "peak_mb"):
            entry[name] = _mean([row[name] for row in done])
        found.append(entry)
    return sorted(found, key=lambda e: (e["c2st_auc"] is None, max(e["c2st_auc"] or 0, 0.5)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _over_seeds(scores: Sequence[dict[str, Any]]) -> list[float] | None:
    known = [s for s in scores if s.get("value") is not None and s.get("interval")]
    if len(known) < 2 or len({s["n"] for s in known}) > 1:
        return None
    estimates = [Estimate(s["value"], tuple(s["interval"]), s["n"]) for s in known]
    return list(over_seeds(estimates).interval)


def as_table(entries: Sequence[dict[str, Any]]) -> Table:
    """Return the leaderboard for a terminal."""
    title = "Means over the seeds; hardest to tell from real first"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    columns = ("seeds", *_HEADINGS)
    table.add_column("method", no_wrap=True)
    for name in columns:
        table.add_column(_HEADINGS.get(name, name), justify="right")
    for entry in entries:
        status = f" ({entry['status']})" if "status" in entry else ""
        cells = [
            f"{entry[c]:{_FORMATS.get(c, '.2f')}}" if entry[c] is not None else "-" for c in columns
        ]
        table.add_row(entry["method"].partition("/")[2] + status, *cells)
    return table


def as_json(entries: Sequence[dict[str, Any]]) -> str:
    """Return the leaderboard for a program."""
    return json.dumps(list(entries), indent=2)
