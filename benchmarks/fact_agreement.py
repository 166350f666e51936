"""Do synthetic phantom notes agree with their patients? Checked by hand-written patterns.

Usage: python benchmarks/fact_agreement.py RUN
Prints, per fact, the share of notes that state it and the share of these that are right. The
ejection fraction is held against the generated picture's masks and may differ by 3 points.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from casemix.core.cohort import Cohort
from casemix.recipes.phantom.notes import GROUP_TERMS

LABS = {"nt_probnp": "NT-proBNP", "creatinine": "Creatinine", "sodium": "Sodium"}
YES_NO = {
    "smoker": (r"Current smoker|Smokes daily", r"Non-smoker|Denies smoking"),
    "hypertension": (r"Known HTN|History of HTN", r"No HTN|No history of HTN"),
    "diabetes": (r"Known DM|History of DM", r"No DM|No history of DM"),
}


def main(run: Path) -> None:
    """Print one line per fact."""
    cohort = Cohort.load(run / "synthetic")
    notes = dict(zip(cohort["text"].subject_ids, cohort["text"].payload.texts, strict=True))
    labs = cohort["tabular"].payload.frame.set_axis(cohort["tabular"].subject_ids, axis=0)
    area = (cohort["imaging"].payload.masks == 3).sum(axis=(2, 3)).astype(float)
    fractions = 100 * (1 - (area[:, 1] / area[:, 0]) ** 1.5)
    ejection = dict(zip(cohort["imaging"].subject_ids, fractions, strict=True))
    people = cohort.subjects

    report("age", notes, lambda s, t: number(t, r"(\d+)-year-old", people.age[s], 0.5))
    report("sex", notes, lambda s, t: level(t, {"F": r"\bwoman\b", "M": r"\bman\b"}, people.sex[s]))
    groups = {g: "|".join(map(re.escape, terms)) for g, terms in GROUP_TERMS.items()}
    groups = {g: rf"(?<!\w)(?:{pattern})(?!\w)" for g, pattern in groups.items()}
    report("group", notes, lambda s, t: level(t, groups, people.group[s]))
    report("ejection fraction", notes, lambda s, t: number(t, r"LVEF (\d+)%", ejection[s], 3))
    for name, word in LABS.items():
        pattern = rf"{word} ([\d.]+\d|\d)"
        report(name, notes, lambda s, t, n=name, p=pattern: number(t, p, labs[n][s], 1e-6))
    for name, (yes, no) in YES_NO.items():
        said = {"no": no, "yes": rf"(?<!No )(?:{yes})"}
        report(name, notes, lambda s, t, n=name, p=said: level(t, p, people[n][s]))


def report(name: str, notes: dict[str, str], check: Callable[[str, str], bool | None]) -> None:
    """Print how many notes state a fact and how many of these state it rightly."""
    found = [check(subject, text) for subject, text in notes.items()]
    stated = [f for f in found if f is not None]
    right = np.mean(stated) if stated else float("nan")
    print(f"{name:18s} stated {len(stated) / len(found):6.1%}   right {right:6.1%}")


def number(text: str, pattern: str, recorded: float, within: float) -> bool | None:
    """Return whether a stated number is the recorded one; None = not stated."""
    found = re.search(pattern, text)
    return None if found is None else bool(abs(float(found[1]) - recorded) <= within)


def level(text: str, patterns: dict[str, str], recorded: str | None) -> bool | None:
    """Return whether exactly the recorded level is stated; None = none is, or none is recorded."""
    said = {name for name, pattern in patterns.items() if re.search(pattern, text)}
    return None if not said or recorded is None else said == {recorded}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        print(__doc__)
