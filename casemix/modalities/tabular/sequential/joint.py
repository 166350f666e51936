"""The joint model: each column given those before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from casemix.core import seeding
from casemix.core.fields import Field
from casemix.core.progress import Progress
from casemix.modalities.tabular.sequential.column import ATOM, CONTINUOUS, MISSING, Column
from casemix.modalities.tabular.sequential.features import Coding, fit_codings
from casemix.modalities.tabular.sequential.forest import Content, Forest, TreeConfig, grow
from casemix.modalities.tabular.sequential.ridge import Gram, LinearFit, LinearScores

# A number that a linear score predicts at least so well (held-out R2) is that score plus a
# residual: trees alone flatten steep smooth dependence when rows are few.
_LEAST_ADDITIVE_GAIN = 0.1
_MOST_ADDITIVE_ATOMS = 8  # a count or a code is better drawn from its own values


@dataclass(frozen=True)
class Link:
    """One column of the chain.

    Args:
        column: states and scores of its cells.
        coding: its features.
        first: position of its first feature; all before it may be read.
        linear: linear scores, computed from the features before ``first``.
        score_at: position of its first linear score among the features.
        additive: whether the forest holds residuals of the first linear score.
        forest: its distribution given the features before ``first`` and its linear scores.
    """

    column: Column
    coding: Coding
    first: int
    linear: LinearScores
    score_at: int
    additive: bool
    forest: Forest


@dataclass(frozen=True)
class JointModel:
    """A chain of columns, each with a distribution given those before it.

    Args:
        links: d columns in order.
        width: number of features, linear scores included.
    """

    links: tuple[Link, ...]
    width: int


def fit_joint(
    fields: Sequence[Field],
    cells: np.ndarray,
    configs: Sequence[TreeConfig],
    *,
    owners: np.ndarray | None = None,
    seed: int,
    progress: Progress,
) -> JointModel:
    """Learn the columns one after the other.

    Args:
        fields: d fields, in the order of the chain.
        cells: (n, d), see `column.Column`.
        configs: how each column's trees are grown, (d,).
        owners: number of each row's subject, (n,); each row its own subject's if None.
        seed: seed of folds and trees.
        progress: where to report.
    """
    design = _Design(fields, cells, owners, seed)
    links = []
    score_at = design.features.shape[1]
    with progress.step("growing trees", len(fields)) as bar:
        for j, field in enumerate(fields):
            rng = seeding.generator(seed, "trees", field.name)
            links.append(design.link(j, score_at, configs[j], rng))
            score_at += links[-1].linear.size
            bar.advance(note=field.name)
    return JointModel(tuple(links), score_at)


class _Design:
    """The training rows as features and targets, column after column."""

    def __init__(
        self, fields: Sequence[Field], cells: np.ndarray, owners: np.ndarray | None, seed: int
    ) -> None:
        self.cells = cells
        self.columns = [Column.fit(f, cells[:, j], owners) for j, f in enumerate(fields)]
        self.codings = fit_codings(self.columns, cells)
        read = list(zip(self.codings, self.columns, cells.T, strict=True))
        self.readable = np.concatenate(
            [np.arange(c.width) < c.width - c.linear for c in self.codings]
        )
        self.first = np.cumsum([0, *(c.width for c in self.codings)])
        self.features = np.concatenate([c.features(*of) for c, *of in read], axis=1).astype(
            np.float32
        )  # (n, p)
        self.targets = [c.targets(*of) for c, *of in read]
        self.target_at = np.cumsum([0, *(t.shape[1] for t in self.targets)])
        rng = seeding.generator(seed, "folds")
        self.gram = Gram(self.features, np.concatenate(self.targets, axis=1), rng)

    def link(self, j: int, score_at: int, config: TreeConfig, rng: np.random.Generator) -> Link:
        """Fit column ``j`` on the columns before it."""
        first = int(self.first[j])
        fit = self.gram.fit(first, slice(self.target_at[j], self.target_at[j + 1]))
        read = np.flatnonzero(self.readable[:first])
        features = [self.features[:, read], fit.held_out.astype(np.float32)]
        positions = np.append(read, score_at + np.arange(fit.scores.size))
        column, targets, additive = (
            self.columns[j],
            self.targets[j],
            _additive(self.columns[j], fit),
        )
        if additive:
            column = column.on_one_scale()
        states, scores = column.encode(self.cells[:, j])
        if additive:
            residual = np.where(states == MISSING, 0.0, targets[:, 0] - fit.held_out[:, 0])
            parts = residual[:, None], states[:, None] >= ATOM, targets[:, 1:]
            targets = np.concatenate(parts, axis=1)
            scores = np.where(states == CONTINUOUS, scores - fit.held_out[:, 0], 0.0)
        content = Content(states, scores, column.states)
        forest = grow(np.concatenate(features, axis=1), positions, targets, content, config, rng)
        return Link(column, self.codings[j], first, fit.scores, score_at, additive, forest)


def _additive(column: Column, fit: LinearFit) -> bool:
    """Return whether a column is its first linear score plus a residual."""
    few_atoms = column.rest is not None and len(column.atoms) < _MOST_ADDITIVE_ATOMS
    return column.numeric and few_atoms and bool(fit.gains[0] > _LEAST_ADDITIVE_GAIN)
