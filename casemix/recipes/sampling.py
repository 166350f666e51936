"""Synthetic patients of a saved model, made and written part by part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from casemix.core import artifact, linked
from casemix.core.cohort import Cohort, Provenance
from casemix.core.cohort_card import Counts
from casemix.core.cohort_folder import save_parts
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.linked import LinkedModel
from casemix.core.progress import Progress
from casemix.errors import RunError
from casemix.evaluation.rules.demands import row_demands
from casemix.evaluation.rules.formula import names_in
from casemix.evaluation.rules.language import Rule, load_rules
from casemix.recipes import single
from casemix.recipes.chain import chain_demands
from casemix.recipes.single import Single
from casemix.recipes.wanted import read_wanted

_AT_ONCE = 20_000  # samples held in memory, unless the number of shards is given


@dataclass(frozen=True)
class Asked:
    """What is asked of a saved model.

    Args:
        n: how many new patients, or None with one of the next two.
        like: a cohort folder whose recorded context is taken row by row, under new ids.
        given: a CSV file with one row per new patient: what each must be.
        where: an expression that each must meet.
        rules: a file of clinical rules that each must meet besides the shipped ones; None for no
            rules at all.
        shards: number of parts; None = as many as keep memory small.
    """

    n: int | None = None
    like: Path | None = None
    given: Path | None = None
    where: str = ""
    rules: Path | None = None
    shards: int | None = None


@dataclass(frozen=True)
class _Part:
    """Patients that are made together: what is known of them, and what else they must meet."""

    known: Conditions
    where: str


class _Maker(Protocol):
    """A saved model that makes cohorts of what is asked for."""

    #: The fields that may be given.
    schema: Schema
    #: The fields that may be asked for besides, since they are drawn.
    drawn: Schema
    modality: str

    def make(self, part: _Part) -> Cohort:
        """Return the patients of one part."""


def sample(
    model: Path, asked: Asked, out: Path, *, seed: int, trust: bool, progress: Progress
) -> Counts:
    """Write synthetic patients of a saved linked or single model as a cohort folder.

    Args:
        model: a folder written by `LinkedModel.save` or `Single.save`.
        asked: what is wanted.
        out: the folder to write.
        seed: seed; the patients do not depend on the number of shards.
        trust: allow formats that can run code.
        progress: where to report.

    Raises:
        RunError: the folder is no model that can be sampled from.
        ConditionError: something is asked for that the model cannot give.
    """
    maker = _maker(model, asked.rules, seed=seed, trust=trust, progress=progress)
    total, parts = _parts(maker, asked)
    with progress.step("sampling", total) as bar:

        def made() -> Iterator[Cohort]:
            for part in parts:
                yield maker.make(part)
                bar.advance(len(part.known))

        return save_parts(made(), out)


def _maker(
    model: Path, rules: Path | None, *, seed: int, trust: bool, progress: Progress
) -> _Maker:
    kind = artifact.kind_of(model)
    loaded = load_rules(rules) if rules else ()
    if kind == linked.KIND:
        return _Linked(LinkedModel.load(model, trust=trust), loaded, seed, progress)
    if kind == single.KIND:
        return _OfSingle(Single.load(model, trust=trust), loaded, seed, progress)
    raise RunError(
        f"{model} cannot be sampled from.", given=kind, allowed=[linked.KIND, single.KIND]
    )


class _Linked:
    """Patients of a chain."""

    modality = ""

    def __init__(
        self, chain: LinkedModel, rules: Sequence[Rule], seed: int, progress: Progress
    ) -> None:
        self.chain, self.seed, self.progress = chain, seed, progress
        self.schema = chain.schema
        self.drawn = Schema(tuple(f for f in chain.columns if f.name not in chain.schema))
        self.rules = chain_demands(chain, rules)

    def make(self, part: _Part) -> Cohort:
        return self.chain.sample(
            part.known, seed=self.seed, where=part.where, rules=self.rules, progress=self.progress
        )


class _OfSingle:
    """Records of one generator, each of a subject of its own unless ``like`` says otherwise."""

    def __init__(
        self, fitted: Single, rules: Sequence[Rule], seed: int, progress: Progress
    ) -> None:
        self.fitted, self.seed, self.progress = fitted, seed, progress
        self.modality = fitted.generator.modality
        self.schema, self.drawn = fitted.schema, Schema()
        others = [f for f in fitted.schema if f.name not in fitted.columns]
        self.rules = row_demands(rules, single.TABLE, fitted.columns, Schema(tuple(others)))

    def make(self, part: _Part) -> Cohort:
        known = self.fitted.fixed(part.known, part.where)
        made = self.fitted.sample(
            known, seed=self.seed, where=part.where, rules=self.rules, progress=self.progress
        )
        inside = (*made.schema.names, *self.fitted.columns.names)
        own = Schema(tuple(f for f in known.schema if f.name not in inside))
        of_subject = known.rows.groupby("subject_id", sort=False).first()[list(own.names)]
        about = {"name": f"casemix synthetic {made.modality}", "seed": str(self.seed)}
        samples = {made.modality: made}
        return Cohort(of_subject, own, samples, Provenance.SYNTHETIC, about=about)


def _parts(maker: _Maker, asked: Asked) -> tuple[int, Iterator[_Part]]:
    """Return how many patients or records there are, and their parts."""
    if asked.given is not None:
        return _given_parts(maker, asked)
    if asked.like is not None:
        known, where = _like(maker, asked.like, asked.where)
        runs = _runs(len(known), _size(asked, len(known)))
        return len(known), (_Part(known.take(np.array(rows)), where) for rows in runs)
    n = int(asked.n or 0)
    runs = _runs(n, _size(asked, n))
    return n, (_Part(single.wanted(maker.schema, _ids(rows)), asked.where) for rows in runs)


def _given_parts(maker: _Maker, asked: Asked) -> tuple[int, Iterator[_Part]]:
    assert asked.given is not None
    wanted = read_wanted(asked.given, maker.schema.join(maker.drawn))
    rows = wanted.cells.set_axis(pd.Index(_ids(range(len(wanted.cells))), dtype=object), axis=0)
    given = [name for name in rows.columns if name in maker.schema]
    known = Conditions.of(rows[given], maker.schema.pick(given))
    where = pd.Series(_every(wanted.where, asked.where, rows.drop(columns=given)))
    runs = [run for _, run in where.groupby(where, sort=False).groups.items()]
    return len(rows), (_Part(known.take(run.to_numpy()), where[run[0]]) for run in runs)


def _every(own: Sequence[str], common: str, drawn: pd.DataFrame) -> list[str]:
    """Return each row's whole expression: its own, the common one, and drawn cells' values."""
    every = []
    for expression, (_, cells) in zip(own, drawn.iterrows(), strict=True):
        equal = [f"{name} == {value!r}" for name, value in cells.dropna().items()]
        parts = [expression, f"({common})" if common else "", *equal]
        every.append(" and ".join(part for part in parts if part))
    return every


def _like(maker: _Maker, path: Path, where: str) -> tuple[Conditions, str]:
    """Return what is recorded of a cohort's subjects or records, under new ids.

    An expression over what is recorded chooses among them; another one is still to be met.
    """
    cohort = Cohort.load(path)
    if not maker.modality:
        given = cohort.subject_conditions().pick(maker.schema.names)
        return Conditions.of(_renamed(given.values), given.schema), where
    every = cohort.conditions(maker.modality)
    given = every.pick(n for n in maker.schema.names if n in every.schema)
    recorded = where and set(names_in(where)) <= set(given.schema.names)
    given = given.where(where) if recorded else given
    order = pd.unique(given.rows["subject_id"])
    subjects = dict(zip(order, _ids(range(len(order))), strict=True))
    rows = given.rows.assign(subject_id=given.rows["subject_id"].map(subjects))
    return Conditions(_renamed(rows), given.schema), "" if recorded else where


def _renamed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.set_axis(pd.Index(_ids(range(len(rows))), dtype=object), axis=0)


def _ids(numbers: Iterable[int]) -> list[str]:
    return [f"{linked.PREFIX}{i:06d}" for i in numbers]


def _size(asked: Asked, n: int) -> int:
    return _AT_ONCE if asked.shards is None else max(1, math.ceil(n / asked.shards))


def _runs(n: int, size: int) -> list[range]:
    return [range(start, min(start + size, n)) for start in range(0, n, size)]
