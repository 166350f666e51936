"""Scores by subgroup as rows to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from casemix.evaluation.report.labels import interval, number

_CLEAR = 0.01  # p-value; there are many comparisons


@dataclass(frozen=True)
class Disparity:
    """One score by the groups of one field.

    Args:
        modality: whose score.
        field: the context field that makes the groups.
        score: the metric's name.
        value: largest minus smallest score.
        p_value: how probable such a range is where all groups are alike, or None.
        worst: the group that fares worst.
        groups: each group's name and score as text.
    """

    modality: str
    field: str
    score: str
    value: float
    p_value: float | None
    worst: str
    groups: Sequence[tuple[str, str]]

    @property
    def beyond_chance(self) -> bool:
        """Whether the groups differ more than noise explains."""
        return self.p_value is not None and self.p_value < _CLEAR


def disparities(metrics: Mapping[str, Any]) -> list[Disparity]:
    """Return every score by subgroup that has a disparity, clearest first."""
    found = [
        Disparity(
            modality,
            field,
            score,
            by_group["disparity"]["value"],
            by_group["disparity"]["p_value"],
            by_group["disparity"]["worst"],
            [(name, _text(group)) for name, group in by_group["groups"].items()],
        )
        for modality, judged in (metrics.get("modalities") or {}).items()
        for field, of_field in (judged.get("subgroups") or {}).items()
        for score, by_group in of_field.items()
        if by_group["disparity"] is not None
    ]
    return sorted(found, key=lambda d: (1.0 if d.p_value is None else d.p_value, -d.value))


def _text(group: Mapping[str, Any]) -> str:
    if group["suppressed"]:
        return "(too few)"
    return f"{number(group['value'], 2)} {interval(group['interval'], 2)}".strip()
