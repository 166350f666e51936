"""The synthetic-data card: seven questions, each with what was measured, or that nothing was.

Reference:
    The seven headings are those of Zamzmi G et al. Scorecard for synthetic medical data
    evaluation. Commun Eng 2025; 4:130. The questions are in our words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from casemix.core.cohort import Cohort
from casemix.core.metric import Family
from casemix.evaluation.report import scores
from casemix.evaluation.report.disparities import disparities
from casemix.evaluation.report.labels import share, title


@dataclass(frozen=True)
class Heading:
    """One heading of the card.

    Args:
        name: the heading.
        question: what it asks.
        evidence: what was measured, one line each; empty = not measured.
        open_points: what belongs under the heading and was not measured.
    """

    name: str
    question: str
    evidence: tuple[str, ...]
    open_points: tuple[str, ...] = ()


def card(metrics: Mapping[str, Any], reference: Cohort, synthetic: Cohort) -> list[Heading]:
    """Return the seven headings, filled from the metrics where there is one."""
    rows = {m: scores.score_rows(metrics, m) for m in scores.modalities(metrics)}
    links = _links(metrics)
    return [
        Heading(
            "Congruence",
            "Are the synthetic records distributed as the reference ones are?",
            _of_family(rows, Family.FIDELITY),
        ),
        Heading(
            "Coverage",
            "Do they span the variety of the reference patients, rare ones included?",
            _of_family(rows, Family.DIVERSITY),
        ),
        Heading(
            "Constraint",
            "Do they respect the hard rules of anatomy, physiology and order in time?",
            _rules(metrics),
        ),
        Heading(
            "Completeness",
            "Is everything there that the intended use needs?",
            _completeness(reference, synthetic),
            ("whether these fields suffice for a given use is for its user to judge",),
        ),
        Heading(
            "Compliance",
            "Are privacy, format and local rules kept?",
            _of_family(rows, Family.PRIVACY),
            ("other attacks than those named; legal review; local rules",),
        ),
        Heading(
            "Comprehension",
            "Can a reader tell how the data were made, and where they fail?",
            _documentation(metrics),
            ("review by clinicians",),
        ),
        Heading(
            "Consistency",
            "Do the parts of a patient agree, and do the scores hold across subgroups?",
            links + _disparities(metrics),
            () if _disparities(metrics) else ("scores by subgroup",),
        ),
    ]


def _of_family(rows: Mapping[str, Sequence[scores.ScoreRow]], family: Family) -> tuple[str, ...]:
    lines: dict[str, list[str]] = {}
    for modality, found in rows.items():
        for row in found:
            if row.family == family and row.score.get("value") is not None:
                lines.setdefault(row.name, []).append(f"{modality} {scores.score_text(row.score)}")
    return tuple(f"{title(name)}: {'; '.join(parts)}" for name, parts in lines.items())


def _disparities(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    found = disparities(metrics)
    if not found:
        return ()
    clear = [d for d in found if d.beyond_chance]
    parts = [f"{title(d.score)} of {d.modality} by {d.field} (worst: {d.worst})" for d in clear]
    whole = f"{len(found)} scores by subgroup; {len(clear)} differ beyond chance (p < 0.01)"
    return (whole, *parts)


def _rules(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    found = (metrics.get("constraints") or {}).get("rules") or ()
    worse = [f"{c['rule']} ({c['modality']})" for c in found if c["worse"]]
    if not found:
        return ()
    kept = f"{len(found)} stated rules applied; {len(found) - len(worse)} are kept as in reality"
    return (kept, f"Broken more often: {', '.join(worse)}") if worse else (kept,)


def _links(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    # Context with a modality has a link only: nothing of it lies beyond the context.
    found = [pair for pair in scores.pairs(metrics) if pair.score("patient_link")]
    parts = [
        f"{pair.a} and {pair.b} {scores.score_text(pair.score('patient_link'))}"
        for pair in found
        if pair.score("patient_link").get("value") is not None
    ]
    undefined = len(found) - len(parts)
    lines = (f"Patient link: {'; '.join(parts)}",) if parts else ()
    return (*lines, f"Patient link undefined for {undefined} pairs") if undefined else lines


def _completeness(reference: Cohort, synthetic: Cohort) -> tuple[str, ...]:
    shared = [m for m in reference.modalities if m in synthetic.samples]
    parts = [f"{m} {share(_with(reference, m))} and {share(_with(synthetic, m))}" for m in shared]
    lines = [f"Subjects with records, reference and synthetic: {'; '.join(parts)}"] if parts else []
    absent = [m for m in reference.modalities if m not in synthetic.samples]
    if absent:
        lines.append(f"Modalities that the synthetic cohort lacks: {', '.join(absent)}")
    if len(reference.schema):
        empty = [float(c.subjects.isna().to_numpy().mean()) for c in (reference, synthetic)]
        lines.append(
            f"Context cells without a value, reference and synthetic: {share(empty[0])} and "
            f"{share(empty[1])}"
        )
    return tuple(lines)


def _with(cohort: Cohort, modality: str) -> float:
    return len(set(cohort[modality].subject_ids)) / len(cohort)


def _documentation(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    protocol = metrics.get("protocol") or {}
    lines = []
    if "seed" in protocol:
        lines.append(f"Protocol, seed ({protocol['seed']}), arm sizes and thresholds: stated here")
    if protocol.get("embedders"):
        lines.append("Embedders: named for each modality")
    if metrics.get("chain"):
        lines.append("Which links were learnt from linked data: stated here")
    return tuple(lines)
