"""Cohort: subjects and their linked samples; the one currency of casemix."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.samples import KEYS, Samples, checked_ids
from casemix.errors import CohortError


class Provenance(enum.StrEnum):
    """Where the subjects come from; printed on everything that is made from a cohort."""

    REAL = "real"
    SYNTHETIC = "synthetic"
    PHANTOM = "phantom"


@dataclass(frozen=True)
class Cohort:
    """Subjects, and per modality the samples that belong to them.

    Args:
        subjects: one row per subject, index ``subject_id`` (unique str), the schema's fields.
        schema: the subject-level fields (the recorded context).
        samples: modality name -> `Samples`; every sample's subject is in ``subjects``.
        provenance: real, synthetic or phantom.
        groups: index ``subject_id``; subjects of one group never part in a split (one patient
            under two ids, one family, one site). By default each subject is a group.
        about: plain facts for the data card: name, source, licence, notes.

    Raises:
        CohortError: no subjects, repeated ids, or samples of unknown subjects.
        SchemaError: a missing column, or a value that does not fit its field.
    """

    subjects: pd.DataFrame
    schema: Schema
    samples: Mapping[str, Samples] = field(default_factory=dict)
    provenance: Provenance = Provenance.REAL
    groups: pd.Series | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = checked_ids(self.subjects.index, "subject_id")
        if len(ids) == 0:
            raise CohortError("A cohort needs at least one subject.")
        subjects = self.schema.coerce(self.subjects)
        subjects.index = ids
        object.__setattr__(self, "subjects", subjects)
        object.__setattr__(self, "provenance", Provenance(self.provenance))
        object.__setattr__(self, "samples", dict(sorted(self.samples.items())))
        for modality, samples in self.samples.items():
            _check_link(modality, samples, ids)
        if self.groups is not None and not ids.isin(self.groups.index).all():
            raise CohortError("Every subject needs a split group, or none has one.")

    def __len__(self) -> int:
        return len(self.subjects)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names of the modalities, sorted."""
        return tuple(self.samples)

    def __getitem__(self, modality: str) -> Samples:
        if modality not in self.samples:
            raise CohortError(
                f"The cohort has no {modality} samples.", allowed=self.modalities or "none"
            )
        return self.samples[modality]

    def conditions(self, modality: str, fields: Iterable[str] | None = None) -> Conditions:
        """Return what is recorded of each sample of a modality, as conditions.

        Args:
            modality: whose samples.
            fields: subject-level and record-level fields; by default all of both.
        """
        samples = self[modality]
        of_subject = self.subjects.reindex(samples.subject_ids)
        of_subject.index = samples.index.index
        own = samples.index.drop(columns=[n for n in self.schema.names if n in samples.schema])
        schema = self.schema.join(samples.schema)
        given = Conditions(pd.concat([own, of_subject], axis=1)[[*KEYS, *schema.names]], schema)
        return given if fields is None else given.pick(fields)

    def subject_conditions(self) -> Conditions:
        """Return the subjects table as conditions, one row per subject."""
        return Conditions.of(self.subjects, self.schema)

    def of_subjects(self, subject_ids: Iterable[str]) -> Cohort:
        """Return the cohort of these subjects, in the order given.

        Raises:
            CohortError: an unknown subject id.
        """
        wanted = list(subject_ids)
        unknown = [s for s in wanted if s not in self.subjects.index]
        if unknown:
            raise CohortError("Unknown subject ids.", given=unknown)
        kept = {m: s.of_subjects(wanted) for m, s in self.samples.items()}
        return replace(self, subjects=self.subjects.loc[wanted], samples=kept)

    def with_samples(self, samples: Samples) -> Cohort:
        """Return the cohort with one modality added or replaced."""
        return replace(self, samples={**self.samples, samples.modality: samples})

    def split(self, fractions: Mapping[str, float], *, seed: int) -> dict[str, Cohort]:
        """Return disjoint parts, split by subject (and by group where there are groups).

        Args:
            fractions: part name -> share of the groups, adding up to 1.
            seed: which groups go where.

        Raises:
            CohortError: fractions that do not add up to 1, or a part that would be empty.
        """
        if abs(sum(fractions.values()) - 1) > 1e-6 or min(fractions.values()) <= 0:
            raise CohortError(
                "The parts' fractions must be positive and add up to 1.", given=dict(fractions)
            )
        group_of = self._group_of()
        groups = np.array(sorted(set(group_of)), dtype=object)
        if len(groups) < len(fractions):
            raise CohortError(
                "There are fewer subjects (or groups) than parts.",
                given=f"{len(groups)} groups for {len(fractions)} parts",
                next_step="Use a larger cohort; a split needs at least one subject in each part.",
            )
        order = seeding.generator(seed, "split").permutation(len(groups))
        cuts = _cuts(len(groups), list(fractions.values()))
        parts = {}
        for name, start, stop in zip(fractions, cuts[:-1], cuts[1:], strict=True):
            mine = set(groups[order[start:stop]])
            parts[name] = self.of_subjects(group_of.index[group_of.isin(mine)])
        return parts

    def _group_of(self) -> pd.Series:
        if self.groups is None:
            return pd.Series(self.subjects.index, index=self.subjects.index)
        return self.groups.reindex(self.subjects.index).astype(str)

    def save(self, folder: Path, *, replace: bool = False) -> None:
        """Write a cohort folder (see `casemix.core.cohort_folder`); atomic."""
        from casemix.core.cohort_folder import save

        save(self, Path(folder), replace=replace)

    @classmethod
    def load(cls, folder: Path) -> Cohort:
        """Read a cohort folder after checking its checksums.

        Raises:
            ArtifactError: not a cohort folder, damaged or altered.
        """
        from casemix.core.cohort_folder import load

        return load(Path(folder))


def _check_link(modality: str, samples: Samples, ids: pd.Index) -> None:
    if samples.modality != modality:
        raise CohortError(f"The samples under '{modality}' are {samples.modality} samples.")
    if len(samples) == 0:
        raise CohortError(
            f"The modality '{modality}' has no samples.",
            next_step="Leave the modality out of the cohort.",
        )
    orphans = samples.index.loc[~samples.index["subject_id"].isin(ids), "subject_id"]
    if len(orphans):
        raise CohortError(
            f"{len(orphans)} {modality} samples belong to subjects that the cohort does not have.",
            given=list(orphans.unique()[:5]),
            next_step="Add the subjects, or leave these samples out.",
        )


def _cuts(n: int, fractions: list[float]) -> list[int]:
    """Return part boundaries over n groups, each part with at least one."""
    sizes = np.maximum(1, np.floor(np.array(fractions) * n).astype(int))
    sizes[int(np.argmax(fractions))] += n - int(sizes.sum())
    return [0, *np.cumsum(sizes).tolist()]
