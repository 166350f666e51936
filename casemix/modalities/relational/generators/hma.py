"""SDV's HMA: a copula per table, whose parameters are columns of the parent; a baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact
from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.relational.records import Fitted, fitted_or_error
from casemix.modalities.relational.sdv_hma import (
    SUBJECTS,
    as_cells,
    as_tables,
    fit_hma,
    load_hma,
    sample_hma,
)

_NAME = "relational/hma"


@dataclass(frozen=True)
class Config:
    """How subjects are matched to conditions.

    Args:
        draws: subjects drawn per subject asked for, where there are conditions.
    """

    draws: int = 3


class HMA(Generator):
    """SDV's HMASynthesizer below a table of subjects, whose columns are the conditions.

    SDV's public HMA takes five tables on two levels: every table is learnt as a child of the
    subjects, and rows of deeper tables join a parent by time, or at random. It cannot draw linked
    tables given conditions either: more subjects are drawn than are asked for, and each one asked
    for takes the nearest that is left. Neither the order of times nor containment in the parent is
    learnt. SDV saves with pickle, so a saved model loads with ``trust=True`` only.

    Reference: Patki, Wedge and Veeramachaneni, The Synthetic Data Vault, DSAA 2016.
    """

    modality: ClassVar[str] = "relational"
    honours: ClassVar[frozenset[Kind]] = frozenset(
        {Kind.NUMERIC, Kind.ORDINAL, Kind.CATEGORICAL, Kind.BINARY}
    )
    shard_invariant: ClassVar[bool] = False
    trusted_only: ClassVar[bool] = True

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.fitted: Fitted | None = None
        self.encoder: ConditionEncoder | None = None
        self.synthesizer: Any = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn all tables (see `Generator.fit`); nothing in it is random."""
        self.fitted = Fitted.check(data, given, self.honours, _NAME)
        self.encoder = ConditionEncoder.fit(given)
        self.synthesizer = fit_hma(data.payload, given)
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return all tables of the subjects asked for (see `Generator.generate`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        asked = given.align(fitted.given)
        drawn = len(asked) * (self.config.draws if len(fitted.given) else 1)
        frames = sample_hma(self.synthesizer, drawn, seed=seed)
        chosen = self._nearest(asked, frames[SUBJECTS])
        tables = as_tables(frames, fitted.forms, chosen, seed=seed)
        return fitted.samples(tables.frames, asked)

    def _nearest(self, asked: Conditions, people: pd.DataFrame) -> np.ndarray:
        """Return a subject of its own for each row asked for, int (n,)."""
        assert self.encoder is not None
        ids = pd.Index([f"drawn-{i}" for i in range(len(people))], dtype=object)
        known = pd.DataFrame({f.name: as_cells(f, people[f.name]) for f in asked.schema})
        drawn = Conditions.of(
            known.set_axis(ids, axis=0) if len(known.columns) else pd.DataFrame(index=ids),
            asked.schema,
        )
        values, present = self.encoder.encode(asked)
        others, there = self.encoder.encode(drawn)
        free = np.zeros(len(people))
        chosen = np.empty(len(asked), dtype=int)
        for i in range(len(asked)):
            both = present[i] * there
            distance = (both * (values[i] - others) ** 2).sum(axis=1) + free
            chosen[i] = int(np.argmin(distance))
            free[chosen[i]] = np.inf
        return chosen

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        assert self.encoder is not None
        with artifact.writing(folder, _NAME, trusted_only=True) as draft:
            draft.json("config", asdict(self.config))
            draft.json("fitted", fitted.to_json())
            draft.json("encoder", self.encoder.to_json())
            self.synthesizer.save(str(draft.path / "synthesizer.pkl"))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        model = cls(Config(**saved.json("config")))
        model.fitted = Fitted.from_json(saved.json("fitted"))
        model.encoder = ConditionEncoder.from_json(saved.json("encoder"))
        model.synthesizer = load_hma(saved.path / "synthesizer.pkl")
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance that draws no more subjects than are asked for."""
        return cls(Config(draws=1))
