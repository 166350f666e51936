"""SDV's Gaussian copula: one correlation matrix over columns and conditions; a baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import PluginError
from casemix.modalities.tabular.sdv_tables import calls, coded
from casemix.modalities.tabular.sdv_tables.coded import CodedColumn
from casemix.modalities.tabular.sdv_tables.joint import JointTable, model_or_error

if TYPE_CHECKING:
    from copulas.multivariate import GaussianMultivariate
    from sdv.single_table import GaussianCopulaSynthesizer

_NAME = "tabular/gaussian_copula"
_LEAST_TAIL = float(np.finfo(np.float32).eps)  # SDV's own bound on probabilities
_LEAST_EIGENVALUE = 1e-6  # of the largest; smaller ones are columns that repeat each other


@dataclass(frozen=True)
class Config:
    """How the copula is fitted.

    Args:
        default_distribution: SDV's family for the columns of numbers: ``norm``, ``beta``,
            ``truncnorm``, ``uniform``, ``gamma`` or ``gaussian_kde``. The last follows skewed
            columns best, but its time grows with the square of the rows (half a minute for
            5,000). SDV's own default is ``beta``.

    Raises:
        PluginError: another family.
    """

    default_distribution: str = "truncnorm"

    def __post_init__(self) -> None:
        if self.default_distribution not in calls.DISTRIBUTIONS:
            raise PluginError(
                f"{_NAME} has no such default_distribution.",
                given=self.default_distribution,
                allowed=calls.DISTRIBUTIONS,
            )


class GaussianCopula(Generator):
    """Draws columns given any known cells from SDV's Gaussian copula of columns and conditions.

    Columns and conditions are one table to SDV. What a row's conditions leave open is drawn from
    the copula's conditional normal distribution, all rows with the same known cells at once:
    SDV's own conditional sampling solves the same equations again for each row.

    What fewer than five subjects have is kept from SDV, and comes out only where it is asked for
    (`RareValues`): such a condition counts as the nearest common number or level.

    SDV saves with pickle, so a saved model loads with ``trust=True`` only.

    Reference: Patki, Wedge and Veeramachaneni, The Synthetic Data Vault, DSAA 2016.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS
    shard_invariant: ClassVar[bool] = False  # matrix products round differently by batch
    trusted_only: ClassVar[bool] = True

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.table: JointTable | None = None
        self.columns: tuple[CodedColumn, ...] = ()
        self.synthesizer: GaussianCopulaSynthesizer | None = None

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn the joint distribution of conditions and columns (see `Generator.fit`)."""
        table, rows = JointTable.fit(data, given, who=_NAME)
        self.columns, numbers = coded.fit_coded(rows, table.schema, seed)
        options = {
            "numerical_distributions": {c.state: "uniform" for c in self.columns if c.state},
            "default_distribution": self.config.default_distribution,
        }
        with (progress or Progress()).step("fitting SDV's copula", 1) as bar:
            self.synthesizer = calls.fit_synthesizer(
                numbers, "GaussianCopulaSynthesizer", options, who=_NAME, seed=seed
            )
            bar.advance()
        self.table = table
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return rows drawn given what is known of each (see `Generator.generate`)."""
        table = model_or_error(self.table, _NAME)
        assert self.synthesizer is not None
        asked = given.align(table.fitted.given)
        # Public in `copulas`, but SDV has no public way to reach it.
        copula: GaussianMultivariate = self.synthesizer._model
        u = seeding.uniform(seed, asked.sample_ids, len(self.columns), stream="states")
        known = coded.encode_known(self.columns, table.known(asked), u)
        noise = seeding.normal(seed, asked.sample_ids, (len(copula.columns),), stream="copula")
        own = tuple(c for c in self.columns if c.field.name in table.shown)
        wanted = [name for c in own for name in (c.number, c.state) if name]
        with calls.quiet():
            scores = draw(copula.correlation.to_numpy(), to_scores(copula, known), noise)
            numbers = from_scores(copula, scores, wanted)
        return table.records(coded.decode(own, numbers), asked)

    def save(self, folder: Path) -> None:
        """Write the model; SDV's part is a pickle (see `Generator.save`)."""
        table = model_or_error(self.table, _NAME)
        assert self.synthesizer is not None
        with artifact.writing(folder, _NAME, trusted_only=self.trusted_only) as draft:
            draft.json("config", asdict(self.config))
            table.save(draft)
            draft.json("columns", {"columns": [c.to_json() for c in self.columns]})
            self.synthesizer.save(str(draft.folder("sdv") / "synthesizer.pkl"))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model; needs ``trust=True`` (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        copula = cls(Config(**saved.json("config")))
        copula.table = JointTable.load(saved)
        stored = saved.json("columns")["columns"]
        copula.columns = tuple(CodedColumn.from_json(c) for c in stored)
        path = saved.folder("sdv") / "synthesizer.pkl"
        copula.synthesizer = calls.load_synthesizer(path, who=_NAME)
        return copula

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance with the fastest distribution."""
        return cls(Config(default_distribution="norm"))


def to_scores(copula: GaussianMultivariate, known: pd.DataFrame) -> np.ndarray:
    """Return the normal scores of known cells, NaN elsewhere, (n, columns of the copula)."""
    scores = np.full((len(known), len(copula.columns)), np.nan)
    for j, (name, univariate) in enumerate(zip(copula.columns, copula.univariates, strict=True)):
        if name in known:
            cells = known[name].to_numpy()
            there = ~np.isnan(cells)
            if there.any():
                scores[there, j] = ndtri(_inside(univariate.cdf(cells[there])))
    return scores


def from_scores(
    copula: GaussianMultivariate, scores: np.ndarray, wanted: list[str]
) -> pd.DataFrame:
    """Return these columns of the copula from normal scores without NaN, (n, all columns)."""
    of = dict(zip(copula.columns, copula.univariates, strict=True))
    at = {name: j for j, name in enumerate(copula.columns)}
    columns = {name: of[name].percent_point(_inside(ndtr(scores[:, at[name]]))) for name in wanted}
    return pd.DataFrame(columns, index=range(len(scores)))


def draw(correlation: np.ndarray, scores: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return scores with the NaN cells drawn from their conditional normal distribution.

    Args:
        correlation: (d, d).
        scores: (n, d), NaN = to be drawn.
        noise: standard normal numbers, (n, d).
    """
    drawn = scores.copy()
    patterns, of_row = np.unique(np.isnan(scores), axis=0, return_inverse=True)
    for k, free in enumerate(patterns):
        if not free.any():
            continue
        rows = np.flatnonzero(of_row.ravel() == k)
        slopes, root = conditional(correlation, free)
        mean = scores[np.ix_(rows, ~free)] @ slopes.T
        drawn[np.ix_(rows, free)] = mean + noise[np.ix_(rows, free)] @ root.T
    return drawn


def conditional(correlation: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes (f, d - f) and a root of the covariance (f, f) of the free columns.

    Args:
        correlation: (d, d); columns may repeat each other.
        free: which f columns are to be drawn given the others, bool (d,).
    """
    between = correlation[np.ix_(free, ~free)]
    known = correlation[np.ix_(~free, ~free)]
    slopes = between @ np.linalg.pinv(known, rcond=_LEAST_EIGENVALUE, hermitian=True)
    covariance = correlation[np.ix_(free, free)] - slopes @ between.T
    values, vectors = np.linalg.eigh(covariance)
    return slopes, vectors * np.sqrt(np.maximum(values, 0.0))


def _inside(probability: np.ndarray) -> np.ndarray:
    return np.clip(probability, _LEAST_TAIL, 1.0 - _LEAST_TAIL)
