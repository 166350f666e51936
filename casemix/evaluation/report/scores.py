"""The content of ``metrics.json`` as rows to show; any part of it may be absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from casemix.core.metric import Family, Goal
from casemix.evaluation.report.labels import interval, number, title

#: Verdicts in the order in which they are shown, with their heading and what it means.
VERDICTS: Mapping[str, tuple[str, str]] = {
    "pass": ("Holds", "fit for uses that rest on these"),
    "caution": ("Holds with caution", "check these for your use first"),
    "fail": ("Fails", "not fit for uses that rest on these"),
    "undefined": ("Not judged", "the data at hand cannot tell"),
}


@dataclass(frozen=True)
class Verdict:
    """One judgement: what is claimed, on which threshold, at which value."""

    name: str
    threshold: str
    value: float | None


@dataclass(frozen=True)
class ScoreRow:
    """One metric of one modality.

    Args:
        name: the metric's code name.
        family: what it speaks about.
        score: the metric's entry in ``metrics.json``.
    """

    name: str
    family: str
    score: Mapping[str, Any]

    @property
    def goal(self) -> str:
        """Which direction is good, in words."""
        words = {Goal.MAXIMISE: "higher is better", Goal.MINIMISE: "lower is better"}
        return words.get(self.score.get("goal", ""), "a description, not a verdict")

    @property
    def details(self) -> list[str]:
        """The score's extras, one line each."""
        return [
            f"{title(key)}: {_detail(value)}"
            for key, value in (self.score.get("details") or {}).items()
        ]


@dataclass(frozen=True)
class Pair:
    """One pair of modalities (or context) and its linkage scores."""

    a: str
    b: str
    scores: Mapping[str, Any]

    def score(self, name: str) -> Mapping[str, Any]:
        """Return one of the pair's scores, or ``shuffled:`` and its name for the control's.

        Empty where it is absent.
        """
        arm, _, own = name.rpartition(":")
        source = (self.scores.get("control") or {}).get(arm) or {} if arm else self.scores
        return source.get(own) or {}

    @property
    def n(self) -> int | None:
        """Number of subjects that have both."""
        return self.score("link").get("n")


#: What is shown first of each pair, with headings.
LINKS: Mapping[str, str] = {
    "link": "Link",
    "patient_link": "Patient link",
    "shuffled:link": "Shuffled: link",
    "shuffled:patient_link": "Shuffled: patient link",
}
#: The measurements beside it; each has the real pairs' figure as its ceiling.
LINK_EVIDENCE: Mapping[str, str] = {
    "critic_auc": "Critic AUC",
    "recall_at_5": "Recall at 5",
    "median_rank": "Median rank",
    "joint_excess": "Joint excess",
    "utility_a_to_b": "First to second, R2 on real",
    "utility_b_to_a": "Second to first, R2 on real",
    "context_recovery": "Context recovery",
    "hsic": "HSIC",
}


#: Outcomes of a use, in words.
FITNESS: Mapping[str, str] = {
    "pass": "fit",
    "caution": "with caution",
    "fail": "not fit",
    "undefined": "not judged",
}


def verdict_groups(metrics: Mapping[str, Any]) -> dict[str, list[Verdict]]:
    """Return the verdicts by their outcome, in the order of `VERDICTS`; empty outcomes stay."""
    groups: dict[str, list[Verdict]] = {outcome: [] for outcome in VERDICTS}
    for entry in metrics.get("verdicts") or ():
        outcome = entry["verdict"] if entry["verdict"] in groups else "undefined"
        groups[outcome].append(
            Verdict(entry["name"], entry.get("threshold", ""), entry.get("value"))
        )
    return groups


def by_threshold(group: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Return verdicts by the threshold that they share, so that it is stated once."""
    shared: dict[str, list[Verdict]] = {}
    for verdict in group:
        shared.setdefault(verdict.threshold, []).append(verdict)
    return shared


def headline(groups: Mapping[str, list[Verdict]]) -> str:
    """Return the outcome of all verdicts in one sentence."""
    total = sum(len(group) for group in groups.values())
    if total == 0:
        return "No verdict was drawn. Read the scores below before using this cohort for anything."
    counts = {outcome: len(group) for outcome, group in groups.items()}
    return (
        f"Of {total} statements, {counts['pass']} hold, {counts['caution']} hold with caution, "
        f"{counts['fail']} fail and {counts['undefined']} could not be judged."
    )


def score_rows(metrics: Mapping[str, Any], modality: str) -> list[ScoreRow]:
    """Return a modality's metrics, family by family."""
    entries = (metrics.get("modalities") or {}).get(modality, {}).get("metrics") or {}
    order = [str(family) for family in Family]
    rows = [ScoreRow(name, entry.get("family", ""), entry) for name, entry in entries.items()]
    return sorted(
        rows, key=lambda row: order.index(row.family) if row.family in order else len(order)
    )


def by_family(rows: list[ScoreRow]) -> list[tuple[str, list[ScoreRow]]]:
    """Return sorted rows as one group per family."""
    return [(family, list(group)) for family, group in groupby(rows, key=lambda row: row.family)]


def pairs(metrics: Mapping[str, Any]) -> list[Pair]:
    """Return the linkage pairs."""
    entries = (metrics.get("linkage") or {}).get("pairs") or ()
    return [Pair(entry["a"], entry["b"], entry) for entry in entries]


def measured(wanted: Mapping[str, str], found: Sequence[Pair]) -> list[tuple[str, str]]:
    """Return name and heading of the wanted linkage scores that at least one pair has."""
    return [(k, words) for k, words in wanted.items() if any(pair.score(k) for pair in found)]


def modalities(metrics: Mapping[str, Any]) -> list[str]:
    """Return the names of the judged modalities."""
    return list(metrics.get("modalities") or {})


def score_text(score: Mapping[str, Any] | float | None) -> str:
    """Return a score's value and interval, or a plain figure, as text."""
    if not isinstance(score, Mapping):
        return number(score)
    return f"{number(score.get('value'))} {interval(score.get('interval'))}".strip()


def _detail(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_detail(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_detail(item) for item in value)
    return number(value) if isinstance(value, int | float) else str(value)
