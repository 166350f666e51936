"""The first stage of most recipes: the real (or phantom) cohort, split by subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from casemix.core.cohort import Cohort
from casemix.core.seeding import child
from casemix.errors import RunError
from casemix.recipes.catalogue import Request
from casemix.recipes.phantom.cohort import phantom_cohort
from casemix.recipes.run_folder import RunFolder

TINY_SUBJECTS = 90  # phantom patients of a --tiny run


def real_parts(
    request: Request,
    folder: RunFolder,
    *,
    modalities: Sequence[str] = (),
    read: Callable[[Path], Cohort] = Cohort.load,
) -> tuple[Cohort, Cohort]:
    """Return (train, holdout), kept in the run folder under ``real/``.

    Args:
        request: names the data, or asks for the phantom.
        folder: the run.
        modalities: keep only these (by default all), and only the subjects that have one.
        read: how to read the data.

    Raises:
        RunError: the cohort has none of the modalities.
    """

    def split(draft: Path) -> None:
        cohort = _phantom(request) if request.data is None else read(request.data)
        cohort = only(cohort, modalities) if modalities else cohort
        share = request.settings["holdout"]
        fractions = {"train": 1 - share, "holdout": share}
        for name, part in cohort.split(fractions, seed=child(request.seed, "split")).items():
            part.save(draft / name)

    real = folder.once("real", "split the real subjects", split)
    return Cohort.load(real / "train"), Cohort.load(real / "holdout")


def _phantom(request: Request) -> Cohort:
    n = TINY_SUBJECTS if request.tiny else request.settings["phantom_subjects"]
    return phantom_cohort(n, seed=child(request.seed, "phantom"))


def only(cohort: Cohort, modalities: Sequence[str]) -> Cohort:
    """Return these modalities of a cohort, and the subjects that have one of them.

    Raises:
        RunError: the cohort has none of them.
    """
    kept = {m: s for m, s in cohort.samples.items() if m in modalities}
    if not kept:
        raise RunError(
            "The cohort has none of the modalities that are asked for.",
            given=cohort.modalities or "none",
            allowed=modalities,
        )
    present = {subject for s in kept.values() for subject in s.subject_ids}
    whole = Cohort(
        cohort.subjects, cohort.schema, kept, cohort.provenance, cohort.groups, cohort.about
    )
    return whole.of_subjects([s for s in cohort.subjects.index if s in present])
