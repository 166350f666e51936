"""What a cohort is fit for: the verdicts read use by use.

A use is as good as the weakest statement that it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from casemix.evaluation.verdicts import CAUTION, FAIL, PASS, UNDEFINED, About

_WORST_FIRST = (FAIL, UNDEFINED, CAUTION, PASS)


@dataclass(frozen=True)
class Use:
    """Something that people do with synthetic patients.

    Args:
        name: for a person.
        rests_on: the kinds of statement that must hold.
        also: kinds that must hold too where the data allow one to make them.
        best: the best outcome that this protocol can give.
        remark: why it gives no better one, or ``""``.
    """

    name: str
    rests_on: tuple[About, ...]
    also: tuple[About, ...] = ()
    best: str = PASS
    remark: str = ""


USES: tuple[Use, ...] = (
    Use("Building and testing software", (About.RULES,)),
    Use("Teaching and demonstrations", (About.RULES,), (About.CONTRADICTIONS,)),
    Use(
        "Developing methods that join modalities",
        (About.LINK, About.LIKENESS),
        (About.CONTRADICTIONS,),
    ),
    Use("Training models instead of real data", (About.UTILITY,), (About.SUBGROUPS,)),
    Use("Adding to scarce real data", (About.AUGMENTATION,)),
    Use("Choosing and validating models", (About.VALIDATION, About.COPYING)),
    Use(
        "Showing it to people who may not see the real patients",
        (About.COPYING, About.MEMBERSHIP),
        best=CAUTION,
        remark="The attacks tried here find nothing; stronger ones exist, so that this protocol "
        "alone never clears a release.",
    ),
)


def fitness(verdicts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each use with its outcome and the statements that decide it.

    Args:
        verdicts: what `casemix.evaluation.verdicts.verdicts` returned.

    Returns:
        ``use``, ``outcome`` (as of verdicts; ``undefined`` where a kind of statement is missing or
        could not be judged), ``why`` (names of the statements that hold it back; empty if none) and
        ``remark``.
    """
    return [_judged(use, verdicts) for use in USES]


def _judged(use: Use, verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = [v for v in verdicts if v["about"] in (*use.rests_on, *use.also)]
    missing = [about for about in use.rests_on if not any(v["about"] == about for v in found)]
    outcomes = {v["verdict"] for v in found} | ({UNDEFINED} if missing else set())
    outcome = next(o for o in _WORST_FIRST if o in outcomes)
    why = [v["name"] for v in found if v["verdict"] == outcome and outcome != PASS]
    if outcome == UNDEFINED:
        why += [f"{about}: not measured" for about in missing]
    capped = outcome == PASS and use.best != PASS
    return {
        "use": use.name,
        "outcome": use.best if capped else outcome,
        "why": why,
        "remark": use.remark if capped else "",
    }
