"""The critic: how much likelier a row is among real records than among drawn ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

_SCALES = (0.5, 1.0, 1.5, 2.0, 2.5)  # that unseen subjects choose from
_LEAF = 40  # least rows per leaf: no leaf is about one person
_SHRINKAGE = 20.0  # pseudo-rows with which each leaf's value is drawn to 0


@dataclass(frozen=True)
class CriticConfig:
    """How the critic is fitted.

    Args:
        trees: most boosted trees; unseen subjects say how many are kept, perhaps none.
        leaves: leaves per tree.
        learning_rate: weight of each tree.
        draws: drawn rows per real one that it learns from.
        rows: least training rows; of fewer it would remember some.
    """

    trees: int = 1200
    leaves: int = 32
    learning_rate: float = 0.08
    draws: int = 3
    rows: int = 5000


@dataclass(frozen=True)
class Critic:
    """Boosted trees whose sum is the log of a density ratio, side by side in flat arrays.

    Args:
        feature: column that a node splits on, -1 at a leaf, int32 (nodes,).
        threshold: values up to here go left, float64 (nodes,).
        left: node on the left, int32 (nodes,).
        right: node on the right, int32 (nodes,).
        value: what a leaf adds, float64 (nodes,).
        roots: first node of each tree, int32 (trees,).
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    roots: np.ndarray

    def log_ratio(self, rows: np.ndarray) -> np.ndarray:
        """Return log p_real - log p_drawn of rows (n, d), up to a constant, (n,)."""
        total = np.zeros(len(rows))
        for root in self.roots:
            total += self.value[self._leaves(rows, root)]
        return total

    def _leaves(self, rows: np.ndarray, root: int) -> np.ndarray:
        node = np.full(len(rows), root)
        inside = np.arange(len(rows)) if self.feature[root] >= 0 else np.empty(0, dtype=int)
        while len(inside):
            at = node[inside]
            goes_left = rows[inside, self.feature[at]] <= self.threshold[at]
            node[inside] = at = np.where(goes_left, self.left[at], self.right[at])
            inside = inside[self.feature[at] >= 0]
        return node

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, for `casemix.core.artifact`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Critic:
        """Rebuild what `arrays` returned."""
        return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})


class Contrast(NamedTuple):
    """Rows to be told apart, as numbers.

    Args:
        real: (n, d).
        drawn: (m, d).
    """

    real: np.ndarray
    drawn: np.ndarray

    def labelled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rows, labels (1 = real) and weights that make both kinds count the same."""
        label = np.repeat([1, 0], [len(self.real), len(self.drawn)])
        weight = np.where(label, len(self.drawn) / len(self.real), 1.0)
        return np.concatenate([self.real, self.drawn]), label, weight


def fit_critic(learnt: Contrast, unseen: Contrast, config: CriticConfig, *, seed: int) -> Critic:
    """Learn to tell real rows from drawn ones, as far as unseen subjects bear it out.

    A network finds its own training rows likelier than fresh ones, so trees that compare these
    with its draws understate its errors. Rows that it did not learn say how many trees to keep
    and what to multiply their sum by.

    Args:
        learnt: rows that the network has learnt, and its draws.
        unseen: rows of subjects whom it has not learnt, and further draws.
        config: see `CriticConfig`.
        seed: seed of the trees.

    Reference:
        Sugiyama, Suzuki and Kanamori, Density ratio estimation in machine learning, 2012;
        Grover and Ermon, Boosted generative models, AAAI 2018.
    """
    if not min(map(len, (*learnt, *unseen))):
        return SILENT
    trees = HistGradientBoostingClassifier(
        max_iter=config.trees,
        max_leaf_nodes=config.leaves,
        learning_rate=config.learning_rate,
        min_samples_leaf=_LEAF,
        l2_regularization=_SHRINKAGE,
        max_features=0.5,
        early_stopping=False,
        random_state=seed % 2**32,
    ).fit(*learnt.labelled())
    rows, label, weight = unseen.labelled()
    least, kept, scale = _log_loss(np.zeros(len(rows)), label, weight), 0, 0.0
    for k, score in enumerate(trees.staged_decision_function(rows), start=1):
        for factor in _SCALES:
            loss = _log_loss(factor * score, label, weight)
            if loss < least:
                least, kept, scale = loss, k, factor
    # scikit-learn has no public form of its nodes.
    return joined_trees([of_step[0].nodes for of_step in trees._predictors[:kept]], scale=scale)


def _log_loss(score: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    return float(np.average(np.logaddexp(0.0, np.where(label == 1, -score, score)), weights=weight))


def joined_trees(nodes: list[np.ndarray], *, scale: float) -> Critic:
    """Return trees as flat arrays.

    Args:
        nodes: scikit-learn's structured nodes of each tree.
        scale: what the sum of the trees is multiplied by.
    """
    roots = np.cumsum([0, *(len(n) for n in nodes)])[:-1].astype(np.int32)
    columns = {
        "feature": [np.where(n["is_leaf"], -1, n["feature_idx"]) for n in nodes],
        "threshold": [n["num_threshold"] for n in nodes],
        "left": [n["left"] + root for n, root in zip(nodes, roots, strict=True)],
        "right": [n["right"] + root for n, root in zip(nodes, roots, strict=True)],
        "value": [scale * n["value"] for n in nodes],
    }
    kinds = {"threshold": np.float64, "value": np.float64}
    flat = {
        name: np.concatenate([*found, np.empty(0)]).astype(kinds.get(name, np.int32))
        for name, found in columns.items()
    }
    return Critic(**flat, roots=roots)


#: Finds every row as likely among both.
SILENT = joined_trees([], scale=0.0)
