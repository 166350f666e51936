"""Verdicts: a few plain statements with their thresholds, drawn from the scores."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

from casemix.core.metric import Family

PASS, CAUTION, FAIL, UNDEFINED = "pass", "caution", "fail", "undefined"
_CLEAR = 0.05  # p-value of a disparity, all comparisons of a modality together (Bonferroni)
_MOST_COPIES = 0.005  # of the records, above the share of held-out ones that equal a training one
_CLEAR_COPIES = 0.01  # p-value of more copies than that share


class About(enum.StrEnum):
    """The kinds of statement that a verdict makes; uses rest on them."""

    LIKENESS = "likeness"
    UTILITY = "utility"
    AUGMENTATION = "augmentation"
    VALIDATION = "validation"
    SUBGROUPS = "subgroups"
    COPYING = "copying"
    MEMBERSHIP = "membership"
    LINK = "link"
    CONTRADICTIONS = "contradictions"
    RULES = "rules"


def verdicts(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return ``name``, ``about``, ``family``, ``verdict``, ``threshold`` and ``value`` of each.

    Verdicts are ``pass``, ``caution``, ``fail`` or ``undefined``. They summarise the scores of
    ``metrics.json`` and never replace them.
    """
    found: list[dict[str, Any]] = []
    for modality, judged in result["modalities"].items():
        found += _of_modality(modality, judged["metrics"])
        found += _of_subgroups(modality, judged.get("subgroups", {}))
    found += _of_links(result["linkage"]["pairs"])
    found += _of_contradictions(result.get("contradictions", {}))
    return [*found, *_of_constraints(result.get("constraints", {}))]


def _of_modality(modality: str, scores: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    c2st, utility = scores.get("c2st_auc", {}), scores.get("utility", {})
    yield _verdict(
        f"{modality}: hard to tell from real",
        About.LIKENESS,
        Family.FIDELITY,
        _falling(_above(c2st), 0.1, 0.25),
        "boosted-tree C2ST AUC at most 0.10 (caution: 0.25) above the real-real ceiling",
        c2st.get("value"),
    )
    yield _verdict(
        f"{modality}: useful for training",
        About.UTILITY,
        Family.UTILITY,
        _falling(_below(utility), 0.05, 0.15),
        "utility on real subjects at most 0.05 (caution: 0.15) below that of as many real records",
        utility.get("value"),
    )
    yield _augmentation(modality, scores.get("augmentation_gain", {}))
    yield _validation(modality, scores.get("validation_error", {}))
    yield _copying(modality, scores.get("nearest_record_ratio", {}))
    yield _membership(modality, scores.get("membership_auc", {}))


def _augmentation(modality: str, score: Mapping[str, Any]) -> dict[str, Any]:
    value, interval = score.get("value"), score.get("interval")
    verdict = UNDEFINED
    if value is not None and interval is not None:
        verdict = PASS if interval[0] > 0 else CAUTION if interval[1] >= 0 else FAIL
    return _verdict(
        f"{modality}: adds to few real records",
        About.AUGMENTATION,
        Family.UTILITY,
        verdict,
        "gain of models trained on few real and all synthetic records above 0 with its interval "
        "(fail: below 0)",
        value,
    )


def _validation(modality: str, score: Mapping[str, Any]) -> dict[str, Any]:
    value, ceiling = score.get("value"), score.get("ceiling")
    excess = None if value is None or ceiling is None else value - ceiling
    return _verdict(
        f"{modality}: scores models as real data do",
        About.VALIDATION,
        Family.UTILITY,
        _falling(excess, 0.03, 0.08),
        "mean error of models' scores at most 0.03 (caution: 0.08) above that on as many other "
        "real records",
        value,
    )


def _of_subgroups(modality: str, found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    disparities = [s["disparity"] for of_field in found.values() for s in of_field.values()]
    tested = [d["p_value"] for d in disparities if d is not None and d["p_value"] is not None]
    if tested:
        smallest = min(1.0, min(tested) * len(tested))
        yield _verdict(
            f"{modality}: as good for every subgroup",
            About.SUBGROUPS,
            Family.FAIRNESS,
            PASS if smallest >= _CLEAR else CAUTION,
            f"no score differs between subgroups beyond chance (p at least {_CLEAR}, times the "
            "number of comparisons)",
            smallest,
        )


def _copying(modality: str, score: Mapping[str, Any]) -> dict[str, Any]:
    ratio = score.get("value")
    near = UNDEFINED if ratio is None else _falling(-ratio, -0.75, -0.5)
    both = {near, _copies(score.get("details", {}))}
    return _verdict(
        f"{modality}: not copied",
        About.COPYING,
        Family.PRIVACY,
        next(v for v in (FAIL, UNDEFINED, CAUTION, PASS) if v in both),
        f"nearest-record ratio at least 0.75 (caution: 0.5); at most {_MOST_COPIES:.1%} more exact "
        "copies than among held-out records (caution: within chance, or of what several subjects "
        "have in common)",
        ratio,
    )


def _copies(details: Mapping[str, Any]) -> str:
    """Return whether more records equal a training record than held-out ones do."""
    if "exact_copies" not in details:
        return UNDEFINED
    if details["usual_copies"] == 0:
        return FAIL if details["exact_copies"] > _MOST_COPIES else PASS
    many = details["exact_copies"] - details["usual_copies"] > _MOST_COPIES
    unique = details["unique_copies"] - details["usual_unique_copies"] > _MOST_COPIES
    if unique and details["unique_copies_p_value"] < _CLEAR_COPIES:
        return FAIL
    return CAUTION if unique or (many and details["copies_p_value"] < _CLEAR_COPIES) else PASS


def _membership(modality: str, score: Mapping[str, Any]) -> dict[str, Any]:
    value, interval = score.get("value"), score.get("interval")
    verdict = UNDEFINED
    if value is not None and interval is not None:
        verdict = PASS if interval[0] <= 0.5 or value <= 0.55 else CAUTION
        verdict = FAIL if value > 0.65 and interval[0] > 0.5 else verdict
    return _verdict(
        f"{modality}: this attack finds no members",
        About.MEMBERSHIP,
        Family.PRIVACY,
        verdict,
        "DOMIAS AUC at most 0.55 or its interval reaches 0.5 (fail: above 0.65); one attack "
        "among many, and no proof of privacy",
        value,
    )


def _of_links(pairs: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        if "patient_link" not in pair:  # the context cannot be linked beyond the context
            continue
        score = pair["patient_link"]
        value, interval = score.get("value"), score.get("interval")
        verdict = UNDEFINED
        if value is not None and interval is not None:
            verdict = PASS if interval[0] > 0 and value >= 0.3 else CAUTION
            verdict = FAIL if interval[1] < 0.3 and interval[0] <= 0 else verdict
        yield _verdict(
            f"{pair['a']} and {pair['b']} belong to one patient",
            About.LINK,
            Family.LINKAGE,
            verdict,
            "patient_link at least 0.3 with its interval above 0 (fail: interval reaches 0 and "
            "stays below 0.3)",
            value,
        )


def _of_contradictions(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if not found.get("agreements"):
        return
    made, held = (found["patients"][arm] for arm in ("synthetic", "holdout"))
    excess = None if made["rate"] is None or held["rate"] is None else made["rate"] - held["rate"]
    yield _verdict(
        "patients do not contradict themselves",
        About.CONTRADICTIONS,
        Family.LINKAGE,
        _falling(excess, 0.05, 0.15),
        "share of patients who break an agreement learnt from real ones at most 0.05 (caution: "
        "0.15) above that of held-out patients",
        made["rate"],
    )


def _of_constraints(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    both = [c for c in found.get("rules", ()) if c["difference"] is not None]
    if not both:
        return
    worst = max((c["difference"] for c in both if c["worse"]), default=0.0)
    yield _verdict(
        "clinical rules are kept",
        About.RULES,
        Family.CONSTRAINTS,
        PASS if worst == 0 else _falling(worst, 0.0, 0.01),
        f"none of {len(both)} rules broken more often than by held-out patients, beyond chance "
        "(caution: by at most 0.01 of the records)",
        worst,
    )


def _above(score: Mapping[str, Any]) -> float | None:
    value, ceiling = score.get("value"), score.get("ceiling")
    return None if value is None or ceiling is None else value - max(ceiling, 0.5)


def _below(score: Mapping[str, Any]) -> float | None:
    value, ceiling = score.get("value"), score.get("ceiling")
    return None if value is None or ceiling is None else ceiling - value


def _falling(gap: float | None, good: float, bearable: float) -> str:
    if gap is None:
        return UNDEFINED
    return PASS if gap <= good else CAUTION if gap <= bearable else FAIL


def _verdict(
    name: str, about: About, family: Family, verdict: str, threshold: str, value: float | None
) -> dict[str, Any]:
    return {
        "name": name,
        "about": str(about),
        "family": str(family),
        "verdict": verdict,
        "threshold": threshold,
        "value": value,
    }
