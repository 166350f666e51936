"""LinkedModel: one chain of generators over one patient context.

``p(subject, a, b, c) = p(subject) p(a | subject) p(b | subject, a) p(c | subject, a, b)``:
each modality is generated given the context, the record plan, and the typed findings and the
whitened embedding of the modalities before it. In fitting these come from real records, in
sampling from generated ones, so modalities stay tied beyond the context that they share.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import artifact, expressions, registry, seeding
from casemix.core.cohort import Cohort, Provenance
from casemix.core.conditions import Conditions
from casemix.core.constrained import Demand, demands, generate_meeting, met, rows_of
from casemix.core.evaluator import Evaluator
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.parallel import run_all
from casemix.core.progress import Progress
from casemix.core.record_plan import RecordPlan
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.core.upstream import Upstream
from casemix.errors import ConditionError, FitError

KIND = "core/linked"
PREFIX = "syn-"
_SUBJECTS = "subjects"
_DONE = "fitted"
_ROUNDS = 16  # draws of a subject whose table does not meet `where`
_POOL = 2048  # subjects drawn in search of some whose tables do
_TABLE = "tabular"


@dataclass
class LinkedModel:
    """A chain of generators that makes linked patients.

    Args:
        generators: modality -> unfitted generator.
        tabular: an unfitted tabular generator for the subjects table and the record plans.
        evaluators: modality -> unfitted evaluator, whose findings and embedding later
            modalities read; by default ``<modality>/standard``.
        order: the chain's order; by default the order of ``generators``.
        reads: modality -> earlier modalities that it reads; by default all of them.
        embedding_size: whitened axes of each upstream embedding that are read.
    """

    generators: Mapping[str, Generator]
    tabular: Generator
    evaluators: Mapping[str, Evaluator] = field(default_factory=dict)
    order: Sequence[str] = ()
    reads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    embedding_size: int = 8

    def __post_init__(self) -> None:
        self.order = tuple(self.order) or tuple(self.generators)
        if set(self.order) != set(self.generators):
            raise FitError(
                "The chain's order must name each modality once.",
                given=self.order,
                allowed=list(self.generators),
            )
        self.reads = {
            m: tuple(self.reads.get(m, self.order[: self.order.index(m)])) for m in self.order
        }
        for modality, earlier in self.reads.items():
            late = [e for e in earlier if e not in self.order[: self.order.index(modality)]]
            if late:
                raise FitError(f"'{modality}' can only read modalities before it.", given=late)
        self.schema = Schema()
        self.columns = Schema()
        self.subjects: Generator | None = None
        self.plans: dict[str, RecordPlan] = {}
        self.upstream: dict[str, Upstream] = {}
        self.fitted: dict[str, Generator] = {}
        self.linked: dict[str, tuple[str, ...]] = {}

    def fit(
        self,
        cohort: Cohort | Mapping[str, Cohort],
        *,
        seed: int,
        workers: int = 1,
        progress: Progress | None = None,
    ) -> LinkedModel:
        """Fit every link of the chain.

        Args:
            cohort: one linked cohort, or one cohort per modality (a composite): then only the
                context fields that all share are used, and a modality reads another only
                where both come from one cohort.
            seed: seed of all fits.
            workers: processes that fit links side by side; the links are independent, since
                in fitting each reads real records.
            progress: with a checkpoint folder, finished links are kept there and an
                interrupted fit goes on with the next one.

        Raises:
            FitError: a modality without a cohort, no shared context, or too few subjects.
        """
        cohorts = self._cohorts(cohort)
        self.schema = _shared_schema(list(cohorts.values()))
        self.linked = {
            m: tuple(e for e in self.reads[m] if cohorts[e] is cohorts[m]) for m in self.order
        }
        jobs = [self._prepare(m, cohorts[m], child(seed, m)) for m in self.order]
        if len(self.schema):
            jobs.append(
                self._prepare_subjects(max(cohorts.values(), key=len), child(seed, "subjects"))
            )
        fitted = _fit_all(jobs, workers=workers, progress=progress or Progress())
        self.subjects = fitted.pop(_SUBJECTS, None)
        self.fitted = fitted
        return self

    def _prepare_subjects(self, cohort: Cohort, seed: int) -> _Job:
        """Return the chain's first link: the subjects table, given any subset of its cells."""
        table = _table_samples(cohort, self.schema)
        given = Conditions.of(cohort.subjects[list(self.schema.names)], self.schema)
        return _Job(_SUBJECTS, copy.deepcopy(self.tabular), table, given, seed)

    def _prepare(self, modality: str, cohort: Cohort, seed: int) -> _Job:
        """Fit a modality's plan and upstream view, and return what its generator is to learn."""
        samples = cohort[modality]
        context = cohort.subject_conditions().pick(self.schema.names)
        plan = RecordPlan(self.tabular).fit(samples, context, seed=child(seed, "plan"))
        self.plans[modality] = plan
        evaluator = copy.deepcopy(self.evaluators.get(modality) or _standard(modality))
        evaluator = evaluator.fit(samples, seed=child(seed, "evaluator"))
        self.upstream[modality] = Upstream.fit(evaluator, samples, size=self.embedding_size)
        given = cohort.conditions(modality, (*self.schema.names, *samples.schema.names))
        for earlier in self.linked[modality]:
            view = self.upstream[earlier]
            given = given.join(view.per_subject(cohort[earlier]), view.schema, on="subject_id")
        generator = copy.deepcopy(self.generators[modality])
        if modality == _TABLE:
            # Any column may be asked for, too.
            self.columns = samples.payload.schema
            own = samples.payload.frame.set_axis(given.rows.index, axis=0)
            given = given.join(own, _new(self.columns, given.schema))
        given = _honoured(given, generator)
        return _Job(modality, generator, samples, given, child(seed, "generator"))

    def wanted(self, n: int) -> Conditions:
        """Return the conditions of ``n`` new subjects of whom nothing is specified yet."""
        ids = pd.Index([f"{PREFIX}{i:06d}" for i in range(n)], dtype=object)
        return Conditions.of(self.schema.empty(ids), self.schema)

    def sample(
        self,
        subjects: int | Conditions,
        *,
        seed: int,
        where: str = "",
        rules: Mapping[str, Sequence[Demand]] = MappingProxyType({}),
        progress: Progress | None = None,
    ) -> Cohort:
        """Make linked patients.

        Args:
            subjects: how many, or conditions with one row per subject whose unspecified cells
                are drawn; ids are kept. Shards of `wanted` give the same patients as the whole.
            seed: with the ids, it determines every patient.
            where: an expression over the context and the table's columns that each subject (in
                each of its rows of the table) must meet, e.g. ``age > 70 and creatinine > 2``.
            rules: demands that each row of the ``context`` and of the ``tabular`` samples must
                meet besides.
            progress: where to report.

        Raises:
            ConditionError: an unknown field, or an expression that is (almost) never met.
        """
        if not self.fitted:
            raise FitError("The linked model is not fitted.", next_step="Call fit, or load one.")
        progress = progress or Progress()
        asked = self.wanted(subjects) if isinstance(subjects, int) else subjects.align(self.schema)
        wishes = self._wishes(where, rules)
        drawn = self._draw_suited(asked, wishes, seed)
        made: dict[str, Samples] = {}
        known: dict[str, pd.DataFrame] = {}
        with progress.step("sampling", len(self.order)) as bar:
            for modality in self.order:
                made[modality] = self._draw(
                    modality, drawn, known, wishes, child(seed, modality), progress
                )
                if any(modality in self.linked[m] for m in self.order):
                    known[modality] = self.upstream[modality].per_subject(made[modality])
                bar.advance(note=modality)
        return Cohort(
            drawn.values,
            self.schema,
            {m: s for m, s in made.items() if len(s)},
            Provenance.SYNTHETIC,
            about={"name": "casemix synthetic patients", "seed": str(seed), "where": where or "-"},
        )

    def _draw(
        self,
        modality: str,
        subjects: Conditions,
        known: Mapping[str, pd.DataFrame],
        wishes: _Wishes,
        seed: int,
        progress: Progress,
    ) -> Samples:
        given = self.plans[modality].draw(subjects, modality, seed=child(seed, "plan"))
        for earlier in self.linked[modality]:
            given = given.join(known[earlier], self.upstream[earlier].schema, on="subject_id")
        generator = self.fitted[modality]
        given = _honoured(given, generator)

        def generate(asked: Conditions) -> Samples:
            return generator.generate(asked, seed=child(seed, "generate"), progress=progress)

        wanted = (*wishes.table, *wishes.rules) if modality == _TABLE else ()
        if not wanted:
            return generate(given)
        new = _new(self.columns, given.schema)
        cells = new.empty(given.rows.index)
        for name in set(wishes.cells) & set(new.names):
            cells[name] = [wishes.cells[name]] * len(cells)
        given = given.join(cells, new)
        return generate_meeting(generate, given, wanted, seed=child(seed, "meeting"))

    def _wishes(self, where: str, rules: Mapping[str, Sequence[Demand]]) -> _Wishes:
        every = self.schema.join(_new(self.columns, self.schema))
        parts = demands(where, every)
        of_table = tuple(d for d in parts if any(n not in self.schema for n in d.fields))
        if of_table and self.order[0] != _TABLE:
            raise ConditionError(
                "The chain draws the table after other modalities, which cannot follow its cells.",
                given=[d.text for d in of_table],
                allowed=self.schema.names,
                next_step="Put tabular first in the chain's order, or name context fields only.",
            )
        context = (*(d for d in parts if d not in of_table), *rules.get("context", ()))
        cells = expressions.fixed_cells(where, every) if where else {}
        return _Wishes(context, of_table, tuple(rules.get(_TABLE, ())), cells)

    def _draw_suited(self, asked: Conditions, wishes: _Wishes, seed: int) -> Conditions:
        """Return the subjects, drawn anew until their table, too, is as wished.

        Only the subjects are kept: their context then is that of subjects with such tables. After
        a few rounds the context is taken from a pool of such subjects, if there are any.
        """
        drawn = self._draw_subjects(asked, wishes, seed)
        if not wishes.table or not asked.values.isna().to_numpy().any():
            return drawn
        rows = drawn.values
        open_ = np.flatnonzero(~self._table_meets(drawn, wishes, seed))
        for attempt in range(1, _ROUNDS):
            if not len(open_):
                break
            again = self._draw_subjects(_renamed(asked.take(open_), f"#{attempt}"), wishes, seed)
            good = self._table_meets(again, wishes, seed)
            rows.iloc[open_[good]] = again.values[good].to_numpy()
            open_ = open_[~good]
        rest = asked.take(open_)
        if len(open_) and rest.values.isna().to_numpy().all():
            pool = self._draw_subjects(_renamed(self.wanted(_POOL), "#pool"), wishes, seed)
            hits = pool.values[self._table_meets(pool, wishes, seed)]
            u = seeding.uniform(seed, rest.sample_ids, 1, stream="pool")[:, 0]
            if len(hits):
                rows.iloc[open_] = hits.iloc[(u * len(hits)).astype(int)].to_numpy()
        return Conditions.of(rows, self.schema)

    def _table_meets(self, subjects: Conditions, wishes: _Wishes, seed: int) -> np.ndarray:
        """Return for which subjects every row of a freely drawn table is as wished."""
        plan = self.plans[_TABLE].draw(subjects, _TABLE, seed=child(seed, "suited plan"))
        given = _honoured(plan, self.fitted[_TABLE])
        drawn = self.fitted[_TABLE].generate(given, seed=child(seed, "suited"))
        bad = given.rows["subject_id"][~met(rows_of(drawn, given), wishes.table)]
        return ~subjects.rows["subject_id"].isin(bad).to_numpy()

    def _draw_subjects(self, asked: Conditions, wishes: _Wishes, seed: int) -> Conditions:
        generator = self.subjects
        if generator is None:  # a context without fields
            return asked
        rows = asked.rows.copy()
        for name in set(wishes.cells) & set(self.schema.names):
            rows[name] = [wishes.cells[name]] * len(rows)
        own = child(seed, "subjects")
        drawn = generate_meeting(
            lambda given: generator.generate(given, seed=own),
            Conditions(rows, asked.schema),
            wishes.context,
            seed=child(own, "meeting"),
        )
        frame = drawn.payload.frame.set_axis(asked.rows.index, axis=0)
        return Conditions.of(frame[list(self.schema.names)], self.schema)

    def _cohorts(self, cohort: Cohort | Mapping[str, Cohort]) -> dict[str, Cohort]:
        given = {m: cohort for m in self.order} if isinstance(cohort, Cohort) else dict(cohort)
        missing = [m for m in self.order if m not in given or m not in given[m].modalities]
        if missing:
            raise FitError("There is no data for a modality of the chain.", given=missing)
        taken = [s for c in given.values() for s in c.subjects.index if s.startswith(PREFIX)]
        if taken:
            raise FitError(
                f"A training subject's id starts with '{PREFIX}', which marks synthetic subjects.",
                given=taken[:5],
                next_step="Synthetic patients are not to be fitted on; or rename these subjects.",
            )
        return {m: given[m] for m in self.order}

    def save(self, folder: Path) -> None:
        """Write the whole chain as one artifact.

        Raises:
            FitError: the model is not fitted.
        """
        if not self.fitted:
            raise FitError("The linked model is not fitted, so there is nothing to save.")
        with artifact.writing(folder, KIND, trusted_only=self._trusted_only()) as draft:
            if self.subjects is not None:
                self.subjects.save(draft.folder("subjects"))
            for modality in self.order:
                self.plans[modality].save(draft.folder(f"{modality}.plan"))
                self.upstream[modality].save(draft.folder(f"{modality}.upstream"))
                self.fitted[modality].save(draft.folder(f"{modality}.generator"))
            names = {m: registry.name_of(type(g)) for m, g in self.fitted.items()}
            evaluators = {m: registry.name_of(type(u.evaluator)) for m, u in self.upstream.items()}
            draft.json(
                "chain",
                {
                    "order": list(self.order),
                    "reads": {m: list(r) for m, r in self.reads.items()},
                    "linked": {m: list(r) for m, r in self.linked.items()},
                    "embedding_size": self.embedding_size,
                    "schema": self.schema.to_json(),
                    "columns": self.columns.to_json(),
                    "tabular": registry.name_of(type(self.tabular)),
                    "generators": names,
                    "evaluators": evaluators,
                },
            )

    def _trusted_only(self) -> bool:
        return any(g.trusted_only for g in (self.tabular, *self.fitted.values()))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> LinkedModel:
        """Read a saved chain.

        Raises:
            ArtifactError: damaged, altered, or not trusted where trust is needed.
        """
        saved = artifact.reading(folder, KIND, trust=trust)
        chain = saved.json("chain")

        def generator(name: str, part: str) -> Generator:
            return registry.load("generators", name).load(saved.folder(part), trust=trust)

        fitted = {m: generator(n, f"{m}.generator") for m, n in chain["generators"].items()}
        model = cls(
            fitted,
            registry.load("generators", chain["tabular"])(),
            order=chain["order"],
            reads=chain["reads"],
            embedding_size=chain["embedding_size"],
        )
        model.schema = Schema.from_json(chain["schema"])
        model.columns = Schema.from_json(chain["columns"])
        if len(model.schema):
            model.subjects = generator(chain["tabular"], "subjects")
        model.fitted = fitted
        model.linked = {m: tuple(r) for m, r in chain["linked"].items()}
        for m, name in chain["evaluators"].items():
            evaluator = registry.load("evaluators", name)
            model.upstream[m] = Upstream.load(saved.folder(f"{m}.upstream"), evaluator)
            model.plans[m] = RecordPlan.load(saved.folder(f"{m}.plan"), model.tabular, trust=trust)
        return model


@dataclass(frozen=True)
class _Wishes:
    """What the patients must meet.

    Args:
        context: demands on the context alone.
        table: demands on each row of the table, whose context must suit them.
        rules: further demands on each row of the table, given its context.
        cells: context fields and columns that are fixed outright.
    """

    context: tuple[Demand, ...]
    table: tuple[Demand, ...]
    rules: tuple[Demand, ...]
    cells: Mapping[str, Any]


@dataclass(frozen=True)
class _Job:
    """One link of the chain, ready to be fitted in any process."""

    name: str
    generator: Generator
    samples: Samples
    given: Conditions
    seed: int

    def __call__(self, progress: Progress) -> None:
        """Fit the link and keep it in the checkpoint folder, unless an earlier run has."""
        part = progress.within(self.name)
        assert part.checkpoints is not None
        if not (part.checkpoints / _DONE).exists():
            fitted = self.generator.fit(self.samples, self.given, seed=self.seed, progress=part)
            fitted.save(part.checkpoints / _DONE)


def _fit_all(jobs: Sequence[_Job], *, workers: int, progress: Progress) -> dict[str, Generator]:
    """Fit the links, the last (dearest) first, and return them in the chain's order."""
    if progress.checkpoints is None and workers == 1:
        for job in jobs:
            job.generator.fit(job.samples, job.given, seed=job.seed, progress=progress)
        return {job.name: job.generator for job in jobs}
    with tempfile.TemporaryDirectory() as scratch:
        folder = progress.checkpoints or Path(scratch)
        run_all(list(reversed(jobs)), workers=workers, progress=Progress(progress.bar, folder))
        return {
            # Trusted: written just now, or by this run's own earlier try.
            job.name: type(job.generator).load(folder / job.name / _DONE, trust=True)
            for job in jobs
        }


def _standard(modality: str) -> Evaluator:
    return registry.load("evaluators", f"{modality}/standard")()


def _new(schema: Schema, present: Schema) -> Schema:
    """Return the fields that are not present yet."""
    return Schema(tuple(f for f in schema if f.name not in present))


def _renamed(asked: Conditions, suffix: str) -> Conditions:
    """Return the same subjects' conditions under other ids, and so with other draws."""
    ids = pd.Index([f"{i}{suffix}" for i in asked.sample_ids], dtype=object)
    return Conditions(asked.rows.assign(subject_id=ids).set_axis(ids, axis=0), asked.schema)


def _honoured(given: Conditions, generator: Generator) -> Conditions:
    """Return the conditions without fields of a kind that the generator does not honour."""
    return given.pick(f.name for f in given.schema if f.kind in generator.honours)


def _table_samples(cohort: Cohort, schema: Schema) -> Samples:
    frame = cohort.subjects[list(schema.names)]
    index = pd.DataFrame({"subject_id": frame.index, "time": 0.0}, index=frame.index)
    return Samples("tabular", index, registry.payload_type("tabular")(frame, schema))


def _shared_schema(cohorts: Sequence[Cohort]) -> Schema:
    first = cohorts[0].schema
    shared = [f for f in first if all(f in c.schema.fields for c in cohorts)]
    if not shared and len({id(c) for c in cohorts}) > 1:
        raise FitError(
            "The cohorts share no context field, so their modalities cannot be tied.",
            given=[c.schema.names for c in cohorts],
            next_step="Give the cohorts fields of the same name, kind, unit and levels.",
        )
    return Schema(tuple(shared))
