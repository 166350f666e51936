"""The report: what a synthetic cohort is fit for, what not, and the evidence, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from casemix.core.cohort import Cohort
from casemix.core.files import atomic_text
from casemix.core.metric import Family
from casemix.evaluation.report import contradictions, scores
from casemix.evaluation.report.card import card
from casemix.evaluation.report.columns import Column, columns, least_alike
from casemix.evaluation.report.curves import augmentation_curve, validation_scatter
from casemix.evaluation.report.disparities import disparities
from casemix.evaluation.report.figures import link_matrix, marginal, score_bar
from casemix.evaluation.report.labels import LABELS, share
from casemix.evaluation.report.page import render
from casemix.evaluation.report.records import Record, Size, charts, galleries
from casemix.evaluation.report.scores import ScoreRow
from casemix.evaluation.report.series_figure import Ranges, typical_ranges

_MOST_COLUMNS = 12
_GALLERY = 6  # records of each cohort per modality
_SIZE = Size(channels=6, chart_width=240.0, rows=14, characters=900)


@dataclass(frozen=True)
class _Section:
    """One modality: its scores by family, and records of both cohorts."""

    name: str
    embedder: str
    n: Any
    families: Sequence[tuple[str, Sequence[tuple[ScoreRow, Markup | None]]]]
    undefined: Sequence[ScoreRow]
    reference: Sequence[Record]
    synthetic: Sequence[Record]
    ranges: Ranges
    curves: Sequence[tuple[str, Markup]]

    @property
    def copying_measured(self) -> bool:
        """Whether fidelity is shown beside a privacy score, which alone can tell copying."""
        return any(family == Family.PRIVACY for family, _ in self.families)


def write_report(metrics: Mapping[str, Any], real: Cohort, synthetic: Cohort, path: Path) -> None:
    """Write the report as one HTML file that works offline; atomic.

    Args:
        metrics: the content of ``metrics.json``; whatever part is absent is left out or said to
            be not measured.
        real: the reference cohort, held out from fitting. Its records are shown: the page of a
            real cohort is confidential, which a banner says.
        synthetic: the cohort under test.
        path: the file to write.

    Raises:
        EvaluationError: a payload preview outside its contract.
    """
    atomic_text(path, report_html(metrics, real, synthetic))


def report_html(metrics: Mapping[str, Any], real: Cohort, synthetic: Cohort) -> str:
    """Return the report's HTML; see `write_report`."""
    label, reference = LABELS[synthetic.provenance], LABELS[real.provenance]
    alike = label == reference
    groups = scores.verdict_groups(metrics)
    found = columns(real, synthetic)
    pairs = scores.pairs(metrics)
    content = {
        "label": label,
        "reference": reference,
        "reference_name": "Reference" if alike else reference.name,
        "synthetic_name": "Under test" if alike else label.name,
        "cohorts": {"reference": real, "synthetic": synthetic},
        "version": metrics.get("casemix", ""),
        "protocol": metrics.get("protocol") or {},
        "provenance": metrics.get("provenance") or {},
        "headline": scores.headline(groups),
        "verdicts": {k: scores.by_threshold(group) for k, group in groups.items() if group},
        "verdict_words": scores.VERDICTS,
        "fitness_words": scores.FITNESS,
        "uses": metrics.get("uses") or [],
        "size": _SIZE,
        "sections": _sections(metrics, real, synthetic),
        "pairs": pairs,
        "matrix": link_matrix(pairs) if pairs else None,
        "link_columns": scores.measured(scores.LINKS, pairs),
        "evidence_columns": scores.measured(scores.LINK_EVIDENCE, pairs),
        "disparities": disparities(metrics),
        "rules": _rules(metrics),
        "contradictions": contradictions.section(metrics, synthetic),
        "facts": [(k, scores.score_text(v)) for k, v in (metrics.get("facts") or {}).items()],
        "chain": _chain(metrics),
        "marginals": _marginals(least_alike(found, _MOST_COLUMNS)),
        "columns_in_all": len(found),
        "card": card(metrics, real, synthetic),
    }
    return render("report.html.j2", content, styles=("base.css", "report.css"))


def _sections(metrics: Mapping[str, Any], real: Cohort, synthetic: Cohort) -> list[_Section]:
    protocol = metrics.get("protocol") or {}
    seed = int(protocol.get("seed", 0))
    shown = [galleries(cohort, seed=seed, count=_GALLERY) for cohort in (real, synthetic)]
    judged = scores.modalities(metrics)
    names = [*judged, *(m for m in synthetic.modalities if m not in judged)]
    sections = []
    for name in names:
        both = [gallery.get(name, []) for gallery in shown]
        rows = scores.score_rows(metrics, name)
        told = [row for row in rows if row.score.get("value") is not None]
        families = [
            (family, [(row, score_bar(row.score)) for row in group])
            for family, group in scores.by_family(told)
        ]
        sections.append(
            _Section(
                name,
                (protocol.get("embedders") or {}).get(name, ""),
                _of_modality(protocol.get("n_per_arm"), name),
                families,
                [row for row in rows if row.score.get("value") is None],
                both[0],
                both[1],
                typical_ranges(charts(both)),
                _curves(rows),
            )
        )
    return sections


_CURVES = (
    ("augmentation_gain", augmentation_curve, "Few real records, alone and with synthetic ones"),
    ("validation_error", validation_scatter, "Models judged on synthetic and on real records"),
)


def _curves(rows: Sequence[ScoreRow]) -> list[tuple[str, Markup]]:
    details = {row.name: row.score.get("details") or {} for row in rows}
    drawn = [(words, draw(details.get(name, {}))) for name, draw, words in _CURVES]
    return [(words, picture) for words, picture in drawn if picture is not None]


def _of_modality(n_per_arm: Any, modality: str) -> Any:
    return n_per_arm.get(modality) if isinstance(n_per_arm, Mapping) else n_per_arm


def _marginals(chosen: Sequence[Column]) -> list[dict[str, Any]]:
    return [
        {
            "column": column,
            "figure": marginal(column),
            "missing": tuple(share(part) for part in column.missing),
        }
        for column in chosen
    ]


def _rules(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the rules that somebody breaks, worst first, and how many nobody does."""
    found = (metrics.get("constraints") or {}).get("rules") or []
    if not found:
        return None
    arms = ("real", "synthetic")
    broken = [c for c in found if any(c[arm]["violating"] for arm in arms)]
    broken.sort(key=lambda c: -(c["difference"] or 0))
    return {
        "broken": [(c, *(_broken(c[arm]) for arm in arms)) for c in broken],
        "kept": len(found) - len(broken),
        "not_applicable": metrics["constraints"]["not_applicable"],
    }


def _broken(outcome: Mapping[str, Any]) -> str:
    if not outcome["applicable"]:
        return "not applicable"
    low, high = outcome["interval"]
    ends = f"[{share(low)}, {share(high)}]"
    return f"{share(outcome['rate'])} {ends} of {outcome['eligible']}"


def _chain(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return per modality, in the chain's order: what it reads, and what it was linked with."""
    chain = metrics.get("chain") or {}
    reads, linked = chain.get("reads") or {}, chain.get("linked") or {}
    names = chain.get("order") or list(dict.fromkeys([*reads, *linked]))
    return [(m, ", ".join(reads.get(m, ())), ", ".join(linked.get(m, ()))) for m in names]
