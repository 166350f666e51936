"""The critic: how much likelier a row is among real records than among drawn ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from casemix.core import seeding

_FOLDS = 3  # critics, each of which leaves out other subjects; their mean is less noisy than one
_LEAF = 40  # least rows per leaf: no leaf is about one person
_SHRINKAGE = 20.0  # pseudo-rows with which each leaf's value is drawn to 0


@dataclass(frozen=True)
class CriticConfig:
    """How the critic is fitted.

    Args:
        trees: most boosted trees of each of three critics; held-out subjects say how many are
            kept, perhaps none.
        leaves: leaves per tree.
        learning_rate: weight of each tree.
        draws: drawn rows per real one that it learns from.
    """

    trees: int = 500
    leaves: int = 32
    learning_rate: float = 0.08
    draws: int = 4


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


def fit_critic(
    real: np.ndarray, drawn: np.ndarray, subjects: np.ndarray, config: CriticConfig, *, seed: int
) -> Critic:
    """Learn to tell real rows from drawn ones, as long as held-out subjects bear it out.

    Args:
        real: training rows as numbers, (n, d).
        drawn: as many columns, (m, d).
        subjects: whose the real rows are, (n,).
        config: see `CriticConfig`.
        seed: seed of the held-out subjects and of the trees.

    Reference:
        Sugiyama, Suzuki and Kanamori, Density ratio estimation in machine learning, 2012;
        Grover and Ermon, Boosted generative models, AAAI 2018.
    """
    owner = np.unique(subjects, return_inverse=True)[1]
    rng = seeding.generator(seed, "critic")
    of_real = (rng.permutation(owner.max() + 1) % _FOLDS)[owner]
    fold = np.concatenate([of_real, rng.permutation(len(drawn)) % _FOLDS])
    rows, label = np.concatenate([real, drawn]), np.repeat([1, 0], [len(real), len(drawn)])
    nodes: list[np.ndarray] = []
    for k in range(_FOLDS):
        seed_of_trees = seeding.child(seed, "critic trees", k)
        nodes += _trees(rows, label, fold == k, config, seed_of_trees)
    return joined_trees(nodes, parts=_FOLDS)


def _trees(
    rows: np.ndarray, label: np.ndarray, held: np.ndarray, config: CriticConfig, seed: int
) -> list[np.ndarray]:
    """Return the nodes of the boosted trees that the held-out rows bear out."""
    if len(np.unique(label[held])) < 2 or len(np.unique(label[~held])) < 2:
        return []
    weight = np.where(label == 1, (label == 0).sum() / (label == 1).sum(), 1.0)
    trees = HistGradientBoostingClassifier(
        max_iter=config.trees,
        max_leaf_nodes=config.leaves,
        learning_rate=config.learning_rate,
        min_samples_leaf=_LEAF,
        l2_regularization=_SHRINKAGE,
        max_features=0.5,
        early_stopping=False,
        random_state=seed % 2**32,
    ).fit(rows[~held], label[~held], weight[~held])
    staged = trees.staged_decision_function(rows[held])
    losses = [_log_loss(score, label[held], weight[held]) for score in staged]
    nothing = _log_loss(np.zeros(held.sum()), label[held], weight[held])
    kept = int(np.argmin([nothing, *losses]))
    # scikit-learn has no public form of its nodes.
    return [of_step[0].nodes for of_step in trees._predictors[:kept]]


def _log_loss(score: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    return float(np.average(np.logaddexp(0.0, np.where(label == 1, -score, score)), weights=weight))


def joined_trees(nodes: list[np.ndarray], *, parts: int) -> Critic:
    """Return trees as flat arrays, the mean of the sums of so many models.

    Args:
        nodes: scikit-learn's structured nodes of each tree.
        parts: of how many models the trees are.
    """
    roots = np.cumsum([0, *(len(n) for n in nodes)])[:-1].astype(np.int32)
    columns = {
        "feature": [np.where(n["is_leaf"], -1, n["feature_idx"]) for n in nodes],
        "threshold": [n["num_threshold"] for n in nodes],
        "left": [n["left"] + root for n, root in zip(nodes, roots, strict=True)],
        "right": [n["right"] + root for n, root in zip(nodes, roots, strict=True)],
        "value": [n["value"] / parts for n in nodes],
    }
    kinds = {"threshold": np.float64, "value": np.float64}
    flat = {
        name: np.concatenate([*found, np.empty(0)]).astype(kinds.get(name, np.int32))
        for name, found in columns.items()
    }
    return Critic(**flat, roots=roots)
