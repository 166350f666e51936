"""The joint model: each column given those before it; any cells may be fixed when drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.core import seeding
from casemix.core.fields import Field
from casemix.core.progress import Progress
from casemix.modalities.tabular.sequential.column import Column
from casemix.modalities.tabular.sequential.features import Coding, fit_codings
from casemix.modalities.tabular.sequential.forest import Forest, TreeConfig, grow
from casemix.modalities.tabular.sequential.ridge import Gram, LinearScores, random_folds


ADD = 0.1

@dataclass(frozen=True)
class Link:
    """One column of the chain.

    Args:
        column: states and scores of its cells.
        coding: its features.
        first: position of its first feature.
        linear: linear scores, computed from all features before ``first``.
        score_at: position of its first linear score among the features.
        forest: its distribution given the features before ``first`` and its linear scores.
    """

    column: Column
    coding: Coding
    first: int
    linear: LinearScores
    score_at: int
    forest: Forest
    additive: bool = False


@dataclass(frozen=True)
class JointModel:
    """A chain of columns, each with a distribution given those before it.

    Args:
        links: d columns in order.
        width: number of features of all columns; linear scores follow them.
    """

    links: tuple[Link, ...]
    width: int


def fit_joint(
    fields: Sequence[Field],
    cells: np.ndarray,
    configs: Sequence[TreeConfig],
    *,
    seed: int,
    progress: Progress,
) -> JointModel:
    """Learn the columns one after the other.

    Args:
        fields: d fields, in the order of the chain.
        cells: (n, d), see `column.Column`.
        configs: how each column's trees are grown, (d,).
        seed: seed of folds and trees.
        progress: where to report.
    """
    columns = [Column.fit(f, cells[:, j]) for j, f in enumerate(fields)]
    codings = fit_codings(columns, cells)
    firsts = np.cumsum([0, *(c.width for c in codings)])
    width = int(firsts[-1])
    features = np.concatenate(
        [c.features(columns[j], cells[:, j]) for j, c in enumerate(codings)], axis=1
    ).astype(np.float32)
    targets = [_standard(c.targets(columns[j], cells[:, j])) for j, c in enumerate(codings)]
    stops = np.cumsum([0, *(t.shape[1] for t in targets)])
    folds = random_folds(len(cells), seeding.generator(seed, "folds"))
    gram = Gram(features, np.concatenate(targets, axis=1), folds)
    links, score_at = [], width
    with progress.step("growing trees", len(fields)) as bar:
        for j, column in enumerate(columns):
            first = int(firsts[j])
            linear, held_out, gain = gram.scores(first, slice(stops[j], stops[j + 1]))
            usable = np.concatenate([features[:, :first], held_out.astype(np.float32)], axis=1)
            additive = column.numeric and gain > ADD and column.rest is not None and len(column.atoms) < 8
            if additive:
                from dataclasses import replace
                column = replace(column, atoms=np.empty(0), rest=column.overall)
            states, scores = column.encode(cells[:, j])
            if additive:
                scores = np.where(states == 1, scores - held_out[:, 0], 0.0)
                targets[j] = np.concatenate([scores[:, None], targets[j][:, 1:]], axis=1)
            forest = grow(
                usable,
                targets[j],
                states, scores,
                column.states,
                configs[j],
                seeding.generator(seed, "trees", column.field.name),
            )
            links.append(
                Link(column, codings[j], first, linear, score_at, _moved(forest, first, score_at), additive)
            )
            score_at += held_out.shape[1]
            bar.advance(note=column.field.name)
    return JointModel(tuple(links), width)


def _standard(targets: np.ndarray) -> np.ndarray:
    """Return one-hot and level targets as they are, centred for the ridge's sake."""
    return targets - targets.mean(axis=0)


def _moved(forest: Forest, first: int, score_at: int) -> Forest:
    """Return the forest with its linear scores at their place among all features."""
    arrays: dict[str, Any] = forest.arrays()
    feature = arrays["feature"]
    arrays["feature"] = np.where(feature >= first, feature - first + score_at, feature)
    return Forest.of_arrays(arrays)
