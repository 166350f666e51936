"""The report's figures as Markdown, for pull requests, terminals and model cards."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from casemix.evaluation.report import scores
from casemix.evaluation.report.labels import number, title


def markdown_summary(metrics: Mapping[str, Any]) -> str:
    """Return the verdicts, scores and links of ``metrics.json`` as Markdown.

    Names and notes are escaped: they are shown as text, neither as HTML nor as Markdown.
    """
    parts = ["# Evaluation of a synthetic cohort", *_origin(metrics), *_verdicts(metrics)]
    for modality in scores.modalities(metrics):
        parts += _modality(metrics, modality)
    parts += _links(metrics)
    parts.append(
        "Value: the cohort under test. Ceiling: real data in its place. Floor: a deliberately bad "
        "cohort. Relative: 0 at the floor, 1 at the ceiling. Exact copies of training records "
        "reach the ceiling of nearly every fidelity score: read fidelity beside privacy only."
    )
    return "\n\n".join(parts) + "\n"


def _origin(metrics: Mapping[str, Any]) -> list[str]:
    provenance = metrics.get("provenance") or {}
    subjects = (metrics.get("protocol") or {}).get("subjects") or {}
    lines = [
        f"- {_plain(name)}: {_plain(provenance.get(name, 'origin not stated'))}, "
        f"{number(subjects.get(name))} subjects"
        for name in dict.fromkeys([*provenance, *subjects])
    ]
    return ["\n".join(lines)] if lines else []


def _verdicts(metrics: Mapping[str, Any]) -> list[str]:
    groups = scores.verdict_groups(metrics)
    rows = [
        (scores.VERDICTS[outcome][0], verdict.name, number(verdict.value), verdict.threshold)
        for outcome, group in groups.items()
        for verdict in group
    ]
    uses = [
        (
            use["use"],
            scores.FITNESS[use["outcome"]],
            "; ".join(use["why"]) or use["remark"] or "all that it rests on holds",
        )
        for use in metrics.get("uses") or ()
    ]
    parts = ["## Verdict"]
    parts += [_table(("Use", "Outcome", "Why"), uses)] if uses else []
    parts.append(scores.headline(groups))
    return [*parts, _table(("Verdict", "Statement", "Value", "Threshold"), rows)] if rows else parts


def _modality(metrics: Mapping[str, Any], modality: str) -> list[str]:
    rows = [
        (
            row.family,
            title(row.name),
            scores.score_text(row.score),
            number(row.score.get("floor")),
            number(row.score.get("ceiling")),
            number(row.score.get("relative")),
            number(row.score.get("n")),
        )
        for row in scores.score_rows(metrics, modality)
    ]
    head = ("Family", "Metric", "Value [95 %]", "Floor", "Ceiling", "Relative", "n")
    return [f"## {_plain(title(modality))}", _table(head, rows) if rows else "Not measured."]


def _links(metrics: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            f"{pair.a} and {pair.b}",
            scores.score_text(pair.score("link")),
            scores.score_text(pair.score("patient_link")),
            scores.score_text(pair.score("shuffled:patient_link")),
        )
        for pair in scores.pairs(metrics)
    ]
    head = ("Pair", "Link [95 %]", "Patient link [95 %]", "Shuffled control: patient link")
    return ["## Linkage", _table(head, rows)] if rows else []


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(words: object) -> str:
    """Return words on one line, with what HTML and Markdown would read as markup escaped."""
    text = html.escape(" ".join(str(words).split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#|!])", r"\\\1", text)
