"""One fitted generator with its conditions, and sampling from any saved model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from casemix.core import artifact, expressions, linked, registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import ConditionError, RunError
from casemix.recipes.chain import generator

KIND = "recipes/single"


@dataclass(frozen=True)
class Single:
    """A fitted generator of one modality with the fields that it may be given."""

    generator: Generator
    schema: Schema

    def save(self, folder: Path) -> None:
        """Write the model."""
        name = registry.name_of(type(self.generator))
        with artifact.writing(folder, KIND, trusted_only=self.generator.trusted_only) as draft:
            self.generator.save(draft.folder("generator"))
            draft.json("single", {"generator": name, "schema": self.schema.to_json()})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Single:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, KIND, trust=trust)
        about = saved.json("single")
        plugin = registry.load("generators", about["generator"])
        fitted = plugin.load(saved.folder("generator"), trust=trust)
        return cls(fitted, Schema.from_json(about["schema"]))

    def wanted(self, n: int, where: str) -> Conditions:
        """Return conditions of n new samples whose cells are those that ``where`` fixes.

        Raises:
            ConditionError: an expression that does more than fix cells.
        """
        ids = pd.Index([f"{linked.PREFIX}{i:06d}" for i in range(n)], dtype=object)
        rows = self.schema.empty(ids)
        cells = expressions.fixed_cells(where, self.schema) if where else {}
        for name, value in cells.items():
            rows[name] = value
        asked = Conditions.of(rows, self.schema)
        if where and len(asked.where(where)) < n:
            raise ConditionError(
                "A single generator is asked for with field == value only.",
                given=where,
                next_step="Use --like with a cohort that meets it, or a linked model.",
            )
        return asked


def fit(
    method: str,
    data: Path,
    *,
    fields: Sequence[str] | None,
    seed: int,
    changes: Sequence[str],
    progress: Progress,
) -> Single:
    """Fit a registered generator on its modality of a cohort folder, given these or all fields."""
    plugin = registry.load("generators", method)
    cohort = Cohort.load(data)
    given = cohort.conditions(plugin.modality, fields)
    if fields is None:
        given = given.pick(f.name for f in given.schema if f.kind in plugin.honours)
    unfitted = generator(method, _options(changes))
    fitted = unfitted.fit(cohort[plugin.modality], given, seed=seed, progress=progress)
    return Single(fitted, given.schema)


def sample(
    model: Path,
    *,
    n: int | None,
    like: Path | None,
    where: str,
    shards: int,
    seed: int,
    trust: bool,
    progress: Progress,
) -> Cohort:
    """Return synthetic patients of a saved linked or single model, made in shards.

    Args:
        model: a folder written by `LinkedModel.save` or `Single.save`.
        n: how many new patients, or None with ``like``.
        like: a cohort folder whose recorded context is taken row by row, under new ids.
        where: see `LinkedModel.sample`.
        shards: number of parts.
        seed: seed.
        trust: allow formats that can run code.
        progress: where to report.
    """
    kind = artifact.kind_of(model)
    if kind not in (linked.KIND, KIND):
        raise RunError(f"{model} cannot be sampled from.", given=kind, allowed=[linked.KIND, KIND])
    if kind == linked.KIND:
        return _linked(
            linked.LinkedModel.load(model, trust=trust), n, like, where, shards, seed, progress
        )
    single = Single.load(model, trust=trust)
    asked = single.wanted(int(n or 0), where) if like is None else _like(single, like, where)
    parts = [
        single.generator.generate(asked.take(part), seed=seed, progress=progress)
        for part in _shards(len(asked), shards)
    ]
    return _cohort(asked, Samples.concat(parts), seed)


def _linked(
    model: linked.LinkedModel,
    n: int | None,
    like: Path | None,
    where: str,
    shards: int,
    seed: int,
    progress: Progress,
) -> Cohort:
    if like is None:
        asked = model.wanted(int(n or 0))
    else:
        given = Cohort.load(like).subject_conditions().pick(model.schema.names)
        asked = Conditions.of(_renamed(given.values), given.schema)
    parts = [
        model.sample(asked.take(part), seed=seed, where=where, progress=progress)
        for part in _shards(len(asked), shards)
    ]
    first = parts[0]
    modalities = sorted({m for p in parts for m in p.modalities})
    samples = {m: Samples.concat([p[m] for p in parts if m in p.modalities]) for m in modalities}
    subjects = pd.concat([p.subjects for p in parts])
    return Cohort(subjects, first.schema, samples, first.provenance, about=first.about)


def _like(single: Single, like: Path, where: str) -> Conditions:
    given = Cohort.load(like).conditions(single.generator.modality, single.schema.names)
    given = given.where(where) if where else given
    subjects = {
        s: f"{linked.PREFIX}{i:06d}" for i, s in enumerate(pd.unique(given.rows["subject_id"]))
    }
    rows = given.rows.assign(subject_id=given.rows["subject_id"].map(subjects))
    return Conditions(_renamed(rows), given.schema)


def _renamed(rows: pd.DataFrame) -> pd.DataFrame:
    ids = pd.Index([f"{linked.PREFIX}{i:06d}" for i in range(len(rows))], dtype=object)
    return rows.set_axis(ids, axis=0)


def _shards(n: int, shards: int) -> list[np.ndarray]:
    return [part for part in np.array_split(np.arange(n), min(shards, n)) if len(part)]


def _cohort(asked: Conditions, samples: Samples, seed: int) -> Cohort:
    record_level = samples.schema.names
    own = Schema(tuple(f for f in asked.schema if f.name not in record_level))
    per_subject = asked.rows.groupby("subject_id", sort=False).first()[list(own.names)]
    about = {"name": f"casemix synthetic {samples.modality}", "seed": str(seed)}
    return Cohort(per_subject, own, {samples.modality: samples}, Provenance.SYNTHETIC, about=about)


def _options(changes: Sequence[str]) -> dict[str, object]:
    pairs = [change.partition("=") for change in changes]
    for key, sep, _ in pairs:
        if not sep:
            raise RunError("A setting is changed with key=value.", given=key)
    return {key: yaml.safe_load(text) for key, _, text in pairs}
