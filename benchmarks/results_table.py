"""Print a run's metrics.json as the two Markdown tables of docs/results.md.

Usage: python benchmarks/results_table.py RUN
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SHOWN = ("c2st_auc", "one_nn_accuracy", "utility", "nearest_record_ratio", "membership_auc")


def main(run: Path) -> None:
    """Print value [interval], ceiling and floor of the main scores, and the links of each pair."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    print("| Modality | Metric | Synthetic | Real | Control | n |\n|---|---|---|---|---|---|")
    for modality, judged in metrics["modalities"].items():
        for name in SHOWN:
            score = judged["metrics"][name]
            ends = f"{number(score['ceiling'])} | {number(score['floor'])} | {score['n']}"
            print(f"| {modality} | {name} | {value(score)} | {ends} |")
    print("\n| Pair | link | patient_link | shuffled patient_link |\n|---|---|---|---|")
    for pair in metrics["linkage"]["pairs"]:
        if "patient_link" in pair:
            control = pair["control"]["shuffled"].get("patient_link", {})
            links = f"{value(pair['link'])} | {value(pair['patient_link'])} | {value(control)}"
            print(f"| {pair['a']} and {pair['b']} | {links} |")


def value(score: dict[str, Any]) -> str:
    """Return a score with its interval."""
    interval = score.get("interval")
    ends = f" [{number(interval[0])}, {number(interval[1])}]" if interval else ""
    return number(score.get("value")) + ends


def number(x: float | None) -> str:
    """Return two decimals, or that there is no value."""
    return "undefined" if x is None else f"{x:.2f}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        print(__doc__)
