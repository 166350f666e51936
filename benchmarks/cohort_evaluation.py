"""How long does the evaluation of whole cohorts take, and is there time left for it?

Usage: python benchmarks/cohort_evaluation.py [SUBJECTS]
Judges SUBJECTS (1,000) fresh phantom patients with all four modalities against as many held-out
ones, with as many to train on. The goal is 5 minutes on two cores.
"""

from __future__ import annotations

import os
import sys
import time

from casemix.evaluation.arms import Questions
from casemix.evaluation.protocol import evaluate
from casemix.recipes.phantom.cohort import phantom_cohort


def main(subjects: int = 1000) -> None:
    """Print seconds, subjects per arm and the statements that do not hold."""
    thirds = {"train": 1 / 3, "holdout": 1 / 3, "fresh": 1 / 3}
    parts = phantom_cohort(3 * subjects, seed=9).split(thirds, seed=0)
    arms = (parts["train"], parts["holdout"], parts["fresh"])
    started = time.monotonic()
    judged = evaluate(
        *arms, seed=0, questions=Questions(target="group"), workers=os.cpu_count() or 1
    )
    print(f"{time.monotonic() - started:.0f} s, {os.cpu_count()} cores")
    print(f"subjects per arm: {judged['protocol']['n_per_arm']}")
    for verdict in judged["verdicts"]:
        if verdict["verdict"] != "pass":
            print(f"{verdict['verdict']}: {verdict['name']} ({verdict['value']})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
