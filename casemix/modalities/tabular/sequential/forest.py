"""Trees whose leaves hold distributions: grown by scikit-learn, kept and walked as plain arrays.

A split is the best of one random threshold per feature (Geurts, Ernst and Wehenkel, Extremely
randomized trees, Machine Learning 2006; 63:3): several such trees cost no more than one that
searches every threshold, and their average follows many weak dependences more smoothly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from casemix.modalities.tabular.sequential.column import CONTINUOUS

# Kernel width within a leaf, in its standard deviations, and the least width in normal scores.
# Draws are shrunk so that the leaf keeps its mean and variance: the smoothed bootstrap of
# Silverman and Young, Biometrika 1987; 74:469.
_KERNEL = 0.5
_LEAST_KERNEL = 0.05
_UNSEEN = 1e-3  # rows' worth of a state that no training row has
_PRIOR = 0.5  # rows' worth of the overall shares in a leaf's likelihood


@dataclass(frozen=True)
class TreeConfig:
    """How the trees of one column are grown.

    Args:
        trees: number of trees.
        leaf: least rows per leaf.
        sample: share of the rows that each tree sees, without replacement; 1 = all.
        features: share of the features tried at each split.
    """

    trees: int
    leaf: int
    sample: float
    features: float


@dataclass(frozen=True)
class Forest:
    """Trees side by side in flat arrays; node indices run over all trees.

    Args:
        feature: feature that a node splits on, -1 at a leaf, int32 (nodes,).
        threshold: values up to here go left, float64 (nodes,).
        left: node on the left, int32 (nodes,).
        right: node on the right, int32 (nodes,).
        roots: first node of each tree, int32 (trees,).
        start: first member of a leaf, int32 (nodes,).
        count: members of a leaf, int32 (nodes,).
        states: state of each member (`column.MISSING` ...), int32 (members,).
        scores: continuous score of each member, float32 (members,).
        shares: share of each state over all training rows, float64 (states,).
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    roots: np.ndarray
    start: np.ndarray
    count: np.ndarray
    states: np.ndarray
    scores: np.ndarray
    shares: np.ndarray

    def leaves(self, features: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return the leaf of each row in a tree of its own.

        Args:
            features: float32 (n, p).
            u: which tree, in (0, 1), (n,).
        """
        node = self.roots[(u * len(self.roots)).astype(int)].copy()
        by_column, n = features.ravel(order="F"), len(features)
        open_ = np.flatnonzero(self.feature[node] >= 0)
        at = node[open_]
        while len(open_):
            value = by_column[self.feature[at].astype(np.int64) * n + open_]
            at = np.where(value <= self.threshold[at], self.left[at], self.right[at])
            ends = self.feature[at] < 0
            node[open_[ends]] = at[ends]
            open_, at = open_[~ends], at[~ends]
        return node

    def draw(
        self, leaves: np.ndarray, u: np.ndarray, noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a state and a smoothed score from each row's leaf, both (n,).

        Args:
            leaves: from `leaves`, (n,).
            u: which member, in (0, 1), (n,).
            noise: standard normal, (n,).
        """
        member = self.start[leaves] + (u * self.count[leaves]).astype(np.int64)
        centre, spread = self._moments[0][leaves], self._moments[1][leaves]
        kernel = np.hypot(_KERNEL * spread, _LEAST_KERNEL)
        shrink = spread / np.sqrt(spread**2 + kernel**2)
        scores = centre + (self.scores[member] - centre) * shrink + kernel * shrink * noise
        # A leaf of equal scores has no spread of its own to keep.
        alone = self.scores[member] + kernel * noise
        return self.states[member], np.where(spread > _LEAST_KERNEL, scores, alone)

    def log_likelihood(
        self, leaves: np.ndarray, states: np.ndarray, scores: np.ndarray
    ) -> np.ndarray:
        """Return the log-density of given states and scores in each row's leaf, (n,)."""
        keys, tally = self._tally
        wanted = leaves.astype(np.int64) * len(self.shares) + states
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found = np.where(keys[at] == wanted, tally[at], 0)
        share = (found + _PRIOR * self.shares[states]) / (self.count[leaves] + _PRIOR)
        centre, spread = self._moments[0][leaves], self._moments[1][leaves]
        width = np.hypot(spread, 4 * _LEAST_KERNEL)
        density = -0.5 * ((scores - centre) / width) ** 2 - np.log(width)
        return np.log(share) + np.where(states == CONTINUOUS, density, 0.0)

    def mean_log_likelihood(
        self, features: np.ndarray, states: np.ndarray, scores: np.ndarray
    ) -> np.ndarray:
        """Return the log of the density averaged over all trees, (n,): less noise than one leaf's.

        Args:
            features: float32 (n, p).
            states: given states, (n,).
            scores: given scores, (n,).
        """
        trees = len(self.roots)
        total = np.full(len(features), -np.inf)
        for k in range(trees):
            leaves = self.leaves(features, np.full(len(features), (k + 0.5) / trees))
            total = np.logaddexp(total, self.log_likelihood(leaves, states, scores))
        return total - np.log(trees)

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the continuous scores of each leaf, (nodes,)."""
        owner = self._owner
        free = self.states == CONTINUOUS
        size = len(self.feature)
        scores = self.scores.astype(np.float64)
        n = np.maximum(np.bincount(owner[free], minlength=size), 1)
        mean = np.bincount(owner[free], weights=scores[free], minlength=size) / n
        away = (scores - mean[owner]) ** 2
        variance = np.bincount(owner[free], weights=away[free], minlength=size) / n
        return mean, np.sqrt(variance)

    @cached_property
    def _tally(self) -> tuple[np.ndarray, np.ndarray]:
        """Sorted keys ``leaf * states + state`` and how many members have each."""
        keys = self._owner.astype(np.int64) * len(self.shares) + self.states
        return np.unique(keys, return_counts=True)

    @cached_property
    def _owner(self) -> np.ndarray:
        """The leaf of each member, (members,)."""
        leaves = np.flatnonzero(self.feature < 0)
        ordered = leaves[np.argsort(self.start[leaves], kind="stable")]
        return np.repeat(ordered, self.count[ordered])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, for `casemix.core.artifact`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Forest:
        """Rebuild what `arrays` returned."""
        return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Content:
    """What leaves are to hold of each training row.

    Args:
        states: int32 (n,), see `column`.
        scores: score of continuous cells, (n,).
        kinds: how many states there are.
    """

    states: np.ndarray
    scores: np.ndarray
    kinds: int


def grow(
    features: np.ndarray,
    positions: np.ndarray,
    targets: np.ndarray,
    content: Content,
    config: TreeConfig,
    rng: np.random.Generator,
) -> Forest:
    """Grow the trees of one column.

    Args:
        features: float32 (n, p).
        positions: number of each feature when the forest is walked, (p,).
        targets: what splits are to separate, (n, q).
        content: what the leaves are to hold.
        config: see `TreeConfig`.
        rng: which rows and features each tree sees.
    """
    n = len(features)
    trees = []
    for _ in range(config.trees):
        rows = rng.permutation(n)[: max(1, round(config.sample * n))]
        seed = int(rng.integers(2**31))
        trees.append(_tree(features[rows], positions, targets[rows], rows, config, seed))
    return _joined(trees, content)


@dataclass(frozen=True)
class _Tree:
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray  # of each row
    rows: np.ndarray


def _tree(
    features: np.ndarray,
    positions: np.ndarray,
    targets: np.ndarray,
    rows: np.ndarray,
    config: TreeConfig,
    seed: int,
) -> _Tree:
    if features.shape[1] == 0:  # the first column: its distribution is one leaf
        leaf, no = np.zeros(len(rows), dtype=int), np.array([-1])
        return _Tree(no, np.zeros(1), no, no, leaf, rows)
    grown = DecisionTreeRegressor(
        splitter="random",
        min_samples_leaf=config.leaf,
        max_features=config.features,
        random_state=seed,
    )
    nodes = grown.fit(features, targets).tree_
    feature = np.where(nodes.feature >= 0, positions[np.maximum(nodes.feature, 0)], -1)
    return _Tree(
        feature,
        nodes.threshold,
        nodes.children_left,
        nodes.children_right,
        nodes.apply(features),
        rows,
    )


def _joined(trees: list[_Tree], content: Content) -> Forest:
    """Return the trees side by side, with the members of their leaves."""
    sizes = [len(tree.feature) for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]])
    pairs = list(zip(trees, roots, strict=True))
    owner = np.concatenate([tree.leaf + root for tree, root in pairs])
    member = np.concatenate([tree.rows for tree in trees])[np.argsort(owner, kind="stable")]
    count = np.bincount(owner, minlength=sum(sizes))
    shares = np.bincount(content.states, minlength=content.kinds) + _UNSEEN
    return Forest(
        feature=np.concatenate([t.feature for t in trees]).astype(np.int32),
        threshold=np.concatenate([t.threshold for t in trees]).astype(np.float64),
        left=np.concatenate([t.left + root for t, root in pairs]).astype(np.int32),
        right=np.concatenate([t.right + root for t, root in pairs]).astype(np.int32),
        roots=roots.astype(np.int32),
        start=(np.cumsum(count) - count).astype(np.int32),
        count=count.astype(np.int32),
        states=content.states[member].astype(np.int32),
        scores=content.scores[member].astype(np.float32),
        shares=shares / shares.sum(),
    )
