"""SDV's Gaussian copula (BUSL-1.1, optional), conditioned in closed form; a baseline."""

from __future__ import annotations

import io
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind, Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import PluginError
from casemix.modalities.tabular.records import (
    Fitted,
    check_fit,
    fitted_or_error,
    records,
    with_given,
)

_NAME = "tabular/gaussian_copula"
_TABLE = "records"
_FILE = "synthesizer.pkl"
_EDGE = 1e-6  # least distance of a probability from 0 and 1
_RIDGE = 1e-6  # keeps the known cells' correlation matrix invertible


@dataclass(frozen=True)
class Config:
    """How the copula's margins are fitted.

    Args:
        distribution: ``truncnorm``, ``norm``, ``gamma``, ``beta``, ``uniform`` or
            ``gaussian_kde`` (slow) for every column. SDV's own default, beta, can miss a
            column's mean by an order of magnitude.
    """

    distribution: str = "truncnorm"


class GaussianCopula(Generator):
    """Fits SDV's GaussianCopulaSynthesizer to columns and conditions side by side.

    Rows are drawn from the fitted copula given the known cells, in closed form and per pattern
    of known cells. SDV's own conditional sampling takes about 0.1 s a row and fails on rows with
    many known cells (2.0.0), so the copula and the column transformers are used directly.
    Missing cells come out at random, as SDV models them: which rows they fall on depends on the
    other rows asked for.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    shard_invariant: ClassVar[bool] = False
    trusted_only: ClassVar[bool] = True

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.fitted: Fitted | None = None
        self.synthesizer: Any = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Fit margins and correlations (see `Generator.fit`)."""
        fitted = check_fit(data, given, self.honours, _NAME)
        own = data.payload.frame.set_axis(given.rows.index, axis=0)
        only_given = [f.name for f in fitted.given if f.name not in fitted.table]
        joint = pd.concat([own, given.rows[only_given]], axis=1).reset_index(drop=True)
        schema = Schema((*fitted.table, *fitted.given.pick(only_given)))
        with _sdv(seed) as (metadata, synthesizer):
            self.synthesizer = synthesizer(
                metadata.load_from_dict(_metadata(schema)),
                default_distribution=self.config.distribution,
            )
            self.synthesizer.fit({_TABLE: joint})
        self.fitted = fitted
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one row per condition; given cells come out exactly (see `Generator`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        asked = given.align(fitted.given)
        with _sdv(seed):
            # SDV's transformers keep random states of their own: start from the same each time.
            self.synthesizer.reset_sampling()
            scores = self._scores(asked, seed)  # (n, columns of the copula)
            frame = self._values(scores, seed)
        return records(with_given(frame[list(fitted.table.names)], asked), asked, fitted)

    def _scores(self, asked: Conditions, seed: int) -> np.ndarray:
        """Return normal scores drawn given the known cells."""
        copula = self.synthesizer._model
        noise = seeding.normal(seed, asked.sample_ids, (len(copula.columns),), stream="copula")
        scores = np.empty_like(noise)
        known = asked.values.notna()
        for pattern in np.unique(known.to_numpy(dtype=bool), axis=0):
            at = np.flatnonzero((known.to_numpy(dtype=bool) == pattern).all(axis=1))
            cells = asked.values.iloc[at].loc[:, pattern]
            places, given = self._known_scores(cells)
            scores[at] = _conditional(copula.correlation.to_numpy(), places, given, noise[at])
        return scores

    def _known_scores(self, known: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return positions (k,) and normal scores (n, k) of known cells in the copula."""
        copula = self.synthesizer._model
        if known.shape[1] == 0:
            return np.empty(0, dtype=int), np.empty((len(known), 0))
        processor = self.synthesizer._data_processor
        numbers = processor.transform(known.reset_index(drop=True), is_condition=True)
        places = [j for j, name in enumerate(copula.columns) if name in numbers.columns]
        scores = [
            ndtri(np.clip(copula.univariates[j].cdf(numbers[copula.columns[j]]), _EDGE, 1 - _EDGE))
            for j in places
        ]
        return np.array(places, dtype=int), np.stack(scores, axis=1)

    def _values(self, scores: np.ndarray, seed: int) -> pd.DataFrame:
        """Return rows of typed cells from normal scores."""
        copula = self.synthesizer._model
        numbers = {
            name: margin.percent_point(np.clip(ndtr(scores[:, j]), _EDGE, 1 - _EDGE))
            for j, (name, margin) in enumerate(zip(copula.columns, copula.univariates, strict=True))
        }
        # Missing cells fall on positions that SDV fixes: mixed rows let the seed choose.
        order = seeding.generator(seed, "missing").permutation(len(scores))
        mixed = pd.DataFrame(numbers).iloc[order].reset_index(drop=True)
        rows = self.synthesizer._data_processor.reverse_transform(mixed)
        return rows.set_axis(order, axis=0).sort_index()

    def save(self, folder: Path) -> None:
        """Write the model; SDV can only pickle, so that loading it needs trust."""
        fitted = fitted_or_error(self.fitted, _NAME)
        with artifact.writing(folder, _NAME, trusted_only=True) as draft:
            draft.json("config", asdict(self.config))
            draft.json("fitted", fitted.to_json())
            with _sdv(0):
                self.synthesizer.save(str(draft.folder("sdv") / _FILE))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        model = cls(Config(**saved.json("config")))
        model.fitted = Fitted.from_json(saved.json("fitted"))
        with _sdv(0):
            from sdv.utils import load_synthesizer

            model.synthesizer = load_synthesizer(str(saved.folder("sdv") / _FILE))
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance with normal margins, the fastest to fit."""
        return cls(Config(distribution="norm"))


def _conditional(
    correlation: np.ndarray, known: np.ndarray, scores: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Return normal scores of all columns given those of the known ones.

    Args:
        correlation: (d, d).
        known: positions of known columns, (k,).
        scores: their scores, (n, k).
        noise: standard normal, (n, d).
    """
    d = len(correlation)
    free = np.setdiff1d(np.arange(d), known)
    drawn = np.empty_like(noise)
    drawn[:, known] = scores
    within = correlation[np.ix_(known, known)] + _RIDGE * np.eye(len(known))
    pull = np.linalg.solve(within, correlation[np.ix_(known, free)])  # (k, f)
    left = correlation[np.ix_(free, free)] - correlation[np.ix_(free, known)] @ pull
    size, axes = np.linalg.eigh((left + left.T) / 2)
    root = axes * np.sqrt(np.maximum(size, 0.0))
    drawn[:, free] = scores @ pull + noise[:, free] @ root.T
    return drawn


def _metadata(schema: Schema) -> dict[str, Any]:
    columns = {
        f.name: {"sdtype": "numerical" if f.kind is Kind.NUMERIC else "categorical"} for f in schema
    }
    return {"tables": {_TABLE: {"columns": columns}}}


@contextmanager
def _sdv(seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield SDV's Metadata and GaussianCopulaSynthesizer; global random states are kept.

    Its warnings and progress bars are about its own settings, and stay off the terminal.

    Raises:
        PluginError: SDV is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import torch
            from sdv.metadata import Metadata
            from sdv.single_table import GaussianCopulaSynthesizer
    except ImportError as error:
        raise PluginError(
            f"{_NAME} needs SDV, which is not installed.",
            next_step="pip install 'casemix[sdv]'. SDV is under the Business Source License 1.1: "
            "read it before you offer synthetic data as a service.",
        ) from error
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        np.random.seed(seeding.child(seed, "sdv") % 2**32)
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield Metadata, GaussianCopulaSynthesizer
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
