"""Which cohort each modality of a chain is learnt from, and what their subjects share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from casemix.core.cohort import Cohort
from casemix.core.fields import Schema
from casemix.core.subjects import PREFIX
from casemix.errors import FitError


def cohort_of_each(
    cohort: Cohort | Mapping[str, Cohort], order: Sequence[str]
) -> dict[str, Cohort]:
    """Return each modality's cohort, in the chain's order.

    Args:
        cohort: one for all, or one per modality.
        order: the chain's modalities.

    Raises:
        FitError: a modality without data, or subjects that are synthetic.
    """
    given = dict.fromkeys(order, cohort) if isinstance(cohort, Cohort) else dict(cohort)
    missing = [m for m in order if m not in given or m not in given[m].modalities]
    if missing:
        raise FitError("There is no data for a modality of the chain.", given=missing)
    taken = [s for c in given.values() for s in c.subjects.index if s.startswith(PREFIX)]
    if taken:
        raise FitError(
            f"A training subject's id starts with '{PREFIX}', which marks synthetic subjects.",
            given=taken[:5],
            next_step="Synthetic patients are not to be fitted on; or rename these subjects.",
        )
    return {m: given[m] for m in order}


def shared_context(cohorts: Sequence[Cohort]) -> Schema:
    """Return the context fields that are the same in all cohorts.

    Raises:
        FitError: different cohorts that share none.
    """
    first = cohorts[0].schema
    shared = [f for f in first if all(f in c.schema.fields for c in cohorts)]
    if not shared and len({id(c) for c in cohorts}) > 1:
        raise FitError(
            "The cohorts share no context field, so their modalities cannot be tied.",
            given=[c.schema.names for c in cohorts],
            next_step="Give the cohorts fields of the same name, kind, unit and levels.",
        )
    return Schema(tuple(shared))
