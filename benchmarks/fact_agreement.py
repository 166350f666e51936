"""Do synthetic phantom notes agree with their patients? Checked by hand-written patterns.

Usage: python benchmarks/fact_agreement.py RUN
RUN is a run of linked-patients on the phantom. Its patients are sampled again with the same seed,
once as they are and once with notes that are neither written anew nor mended: what the language
model itself gets right, its numbers being those of the plan that it reads. Per fact: how many
notes state it, and how many of these state it rightly. The ejection fraction is held against the
generated picture's masks and may differ by 3 points. Takes a minute or two.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from casemix.core.cohort import Cohort
from casemix.core.files import read_json
from casemix.core.linked import LinkedModel
from casemix.core.seeding import child
from casemix.recipes.phantom.notes import GROUP_TERMS

LABS = {"nt_probnp": "NT-proBNP", "creatinine": "Creatinine", "sodium": "Sodium"}
YES_NO = {
    "smoker": (r"Current smoker|Smokes daily", r"Non-smoker|Denies smoking"),
    "hypertension": (r"Known HTN|History of HTN", r"No HTN|No history of HTN"),
    "diabetes": (r"Known DM|History of DM", r"No DM|No history of DM"),
}
Check = Callable[[str, str], bool | None]  # (subject, note) -> right or wrong; None = not stated


def main(run: Path) -> None:
    """Print one line per fact."""
    cohort = Cohort.load(run / "synthetic")
    mended, plain = facts(cohort), facts(unmended(run, cohort))
    print(f"{len(cohort)} patients{'notes as released':>25s}{'not mended':>27s}")
    print(f"{'fact':18s}{'stated':>8s}{'right':>16s}{'stated':>11s}{'right':>16s}")
    for name, found in mended.items():
        print(f"{name:18s}{counted(found)}   {counted(plain[name])}")


def unmended(run: Path, cohort: Cohort) -> Cohort:
    """Return the run's patients with the notes as the language model first wrote them."""
    chain = LinkedModel.load(run / "model", trust=True)
    writer = chain.fitted["text"]
    writer.config = replace(writer.config, tries=0, mend=False)
    seed = read_json(run / "run.json")["seed"]
    again = chain.sample(len(cohort), seed=child(seed, "sample"))
    if not again.subjects.equals(cohort.subjects):
        raise SystemExit(f"{run} was sampled otherwise: its patients do not come out again.")
    return again


def facts(cohort: Cohort) -> dict[str, list[bool]]:
    """Return, per fact, whether each note that states it states it rightly."""
    notes = list(zip(cohort["text"].subject_ids, cohort["text"].payload.texts, strict=True))
    found = {n: [check(s, text) for s, text in notes] for n, check in checks(cohort).items()}
    return {name: [right for right in each if right is not None] for name, each in found.items()}


def checks(cohort: Cohort) -> dict[str, Check]:
    """Return how each fact of a note is checked against these patients' records."""
    labs = cohort["tabular"].payload.frame.set_axis(cohort["tabular"].subject_ids, axis=0)
    area = (cohort["imaging"].payload.masks == 3).sum(axis=(2, 3)).astype(float)
    fractions = 100 * (1 - (area[:, 1] / area[:, 0]) ** 1.5)
    ejection = dict(zip(cohort["imaging"].subject_ids, fractions, strict=True))
    people = cohort.subjects
    sexes = {"F": r"\bwoman\b", "M": r"\bman\b"}
    groups = {g: "|".join(map(re.escape, terms)) for g, terms in GROUP_TERMS.items()}
    groups = {g: rf"(?<!\w)(?:{pattern})(?!\w)" for g, pattern in groups.items()}
    found: dict[str, Check] = {
        "age": lambda s, t: number(t, r"(\d+)-year-old", people.age[s], 0.5),
        "sex": lambda s, t: level(t, sexes, people.sex[s]),
        "group": lambda s, t: level(t, groups, people.group[s]),
        "ejection fraction": lambda s, t: number(t, r"LVEF (\d+)%", ejection[s], 3),
    }
    for name, word in LABS.items():
        pattern = rf"{word} ([\d.]+\d|\d)"
        found[name] = lambda s, t, n=name, p=pattern: number(t, p, labs[n][s], 1e-6)
    for name, (yes, no) in YES_NO.items():
        said = {"no": no, "yes": rf"(?<!No )(?:{yes})"}
        found[name] = lambda s, t, n=name, p=said: level(t, p, people[n][s])
    return found


def counted(stated: list[bool]) -> str:
    """Return how many notes state a fact, and how many of these, and which share, are right."""
    share = f"{sum(stated) / len(stated):.1%}" if stated else "-"
    return f"{len(stated):8d}{sum(stated):8d} {share:>7s}"


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
