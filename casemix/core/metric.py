"""The contract of a metric: three cohorts through one embedder in, one calibrated score out."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from casemix.core.downstream import Downstream
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.errors import EvaluationError

Model = TypeVar("Model")


class Family(enum.StrEnum):
    """What a metric speaks about."""

    FIDELITY = "fidelity"
    DIVERSITY = "diversity"
    UTILITY = "utility"
    PRIVACY = "privacy"
    LINKAGE = "linkage"
    FAIRNESS = "fairness"
    CONSTRAINTS = "constraints"


class Goal(enum.StrEnum):
    """Which direction is good; `DESCRIBE` is a description and gets no verdict."""

    MAXIMISE = "maximise"
    MINIMISE = "minimise"
    DESCRIBE = "describe"


@dataclass(frozen=True)
class Score:
    """A measured value with its uncertainty and its two anchors.

    Args:
        value: the value, or None where it is undefined (``note`` then says why).
        interval: 95 % interval by subject-level bootstrap, or None.
        n: number of subjects on each side of the comparison.
        ceiling: the same on real against held-out real data.
        floor: the same on the control arm that the metric names.
        note: reason for an undefined value, extractor, or a warning such as over-coupling.
        details: JSON-ready extras (per column, per pair, TPR at low FPR ...).
    """

    value: float | None
    interval: tuple[float, float] | None = None
    n: int = 0
    ceiling: float | None = None
    floor: float | None = None
    note: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def relative(self) -> float | None:
        """``(value - floor) / (ceiling - floor)``: 0 at the floor, 1 at the ceiling.

        None where it is undefined: an anchor is missing, or the two are (nearly) equal.
        """
        if self.value is None or self.ceiling is None or self.floor is None:
            return None
        span = self.ceiling - self.floor
        return None if abs(span) < 1e-9 else (self.value - self.floor) / span

    def to_json(self) -> dict[str, Any]:
        """Return the score as JSON-ready numbers."""
        return {
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "n": self.n,
            "ceiling": self.ceiling,
            "floor": self.floor,
            "relative": self.relative,
            "note": self.note,
            "details": dict(self.details),
        }


@dataclass(frozen=True)
class View:
    """One set of records as the metrics see it: findings, embedding and context, row by row.

    Args:
        samples: the records, n of them.
        findings: typed findings, index = sample ids, (n, f).
        embedding: vectors of the frozen embedder, float (n, d).
        context: the subjects' recorded context, index = sample ids, (n, c).
        statements: what the records say in words, index = sample ids; None = not looked for.
    """

    samples: Samples
    findings: pd.DataFrame
    embedding: np.ndarray
    context: pd.DataFrame
    statements: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.samples)

    def in_order(self) -> View:
        """Return the rows in the order of their sample ids.

        What draws rows by position gives the same result for a shuffled view.
        """
        return self.take(np.argsort(self.samples.sample_ids.astype(str), kind="stable"))

    def take(self, positions: np.ndarray) -> View:
        """Return the rows at these positions."""
        return View(
            self.samples.take(positions),
            self.findings.iloc[positions],
            self.embedding[positions],
            self.context.iloc[positions],
            None if self.statements is None else self.statements.iloc[positions],
        )


@dataclass(frozen=True)
class EvalData:
    """What one metric is computed on.

    Args:
        train: the real records that the generator was fitted on.
        holdout: real records that took no part in any fitting.
        synthetic: the records under test; in the ceiling arm real ones, in the floor arm the
            control's.
        findings_schema: fields of ``findings``.
        context_schema: fields of ``context``.
        embedder: the embedder's name, for reports.
        target: the field (context or finding) that downstream models predict, or ``""``.
        event: the binary field whose last level says that an event happened at the time ``target``,
            where that is a follow-up time; otherwise ``""``.
        embedded: the training subjects that the embedder was fitted on.
        encoder: an encoder that the user names in the place of the built-in one (hub id or local
            folder), or ``""``.
        downstream: models that users would train on these records, by name.
        judges: models that `once` has fitted.
    """

    train: View
    holdout: View
    synthetic: View
    findings_schema: Schema
    context_schema: Schema
    embedder: str
    target: str = ""
    embedded: frozenset[str] = frozenset()
    encoder: str = ""
    event: str = ""
    downstream: Mapping[str, Downstream] = field(default_factory=dict, repr=False, compare=False)
    judges: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def members(self) -> View:
        """The training records that the embedder does not know: no others are fairly attacked."""
        return self.train.take(np.flatnonzero(~self._known()))

    @property
    def known(self) -> View:
        """The training records that the embedder was fitted on; all of train if none is named.

        Whatever else judges records, an extractor or a language model, is fitted on these too.
        """
        known = self._known()
        return self.train.take(np.flatnonzero(known)) if known.any() else self.train

    def once(self, name: str, fit: Callable[[View], Model]) -> Model:
        """Return what ``fit`` makes of `known`: fitted once, shared by all metrics and arms.

        Args:
            name: names the fitted model; one name for one ``fit``.
            fit: fits a model; it must be seeded by itself, not by the metric that comes first.
        """
        if name not in self.judges:
            self.judges[name] = fit(self.known)
        judge: Model = self.judges[name]
        return judge

    def _known(self) -> np.ndarray:
        return np.array([s in self.embedded for s in self.train.samples.subject_ids], dtype=bool)


@dataclass(frozen=True)
class Metric:
    """A named, typed measurement.

    Args:
        name: ``family-free`` lower-case name, e.g. ``c2st_auc``.
        family: what it speaks about.
        goal: which direction is good.
        bounds: smallest and largest possible value.
        compute: ``(data, seed) -> Score`` (value, interval, n, note, details).
        control: the arm that it must fail: ``marginals``, ``copy_training`` or ``""``.
        ceiling: the real records that take the synthetic ones' place in the ceiling arm: ``train``,
            or one half of the ``holdout`` where training records would be given away.
        description: one sentence for reports; names the source.
        modalities: where it applies; empty = everywhere.
        fewest: subjects per arm below which it says nothing.
    """

    name: str
    family: Family
    goal: Goal
    bounds: tuple[float, float]
    compute: Callable[[EvalData, int], Score]
    control: str = "marginals"
    ceiling: Literal["train", "holdout"] = "train"
    description: str = ""
    modalities: frozenset[str] = frozenset()
    fewest: int = 8

    def measure(self, data: EvalData, seed: int) -> Score:
        """Return the score of the records under test; undefined values are None, with a note.

        Raises:
            EvaluationError: too few subjects in an arm, or what ``compute`` raises.
        """
        n = min(len(set(v.samples.subject_ids)) for v in (data.holdout, data.synthetic))
        if n < self.fewest:
            raise EvaluationError(
                f"There are too few subjects for {self.name}.",
                given=f"{n} in the smaller arm",
                allowed=f"at least {self.fewest}",
                next_step="Evaluate on more subjects.",
            )
        score = self.compute(data, seed)
        if score.value is not None and not np.isfinite(score.value):
            return replace(score, value=None, interval=None, note=score.note or "not finite")
        if score.interval is not None and not np.isfinite(score.interval).all():
            return replace(score, interval=None)
        return score
