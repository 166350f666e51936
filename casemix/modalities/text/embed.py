"""The frozen embedder of notes: TF-IDF of words and word pairs, then truncated SVD."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from casemix.core.artifact import Draft, Saved
from casemix.errors import FitError
from casemix.modalities.text.tokens import words

_DIMENSIONS = 32
_MOST_TERMS = 4000


def _analyse(text: str) -> list[str]:
    spoken = words(text)
    return spoken + [f"{a} {b}" for a, b in itertools.pairwise(spoken)]


@dataclass(frozen=True)
class NoteEmbedder:
    """Latent semantic analysis (Deerwester et al., 1990) with numbers as one token.

    Args:
        terms: the vocabulary, in column order.
        weights: inverse document frequencies, (t,).
        axes: the SVD's right singular vectors, (k, t).
        scale: standard deviation of each axis over the training notes, (k,).
    """

    terms: tuple[str, ...]
    weights: np.ndarray
    axes: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, texts: Sequence[str], *, seed: int) -> NoteEmbedder:
        """Fit on training notes.

        Raises:
            FitError: fewer than two notes, or notes that share no word.
        """
        counter = _vectoriser(None, min_df=2 if len(texts) > 3 else 1)
        try:
            matrix = counter.fit_transform(texts)
        except ValueError as error:
            raise FitError("The notes share no word.", given=f"{len(texts)} notes") from error
        size = min(_DIMENSIONS, matrix.shape[1] - 1, len(texts) - 1)
        if size < 1:
            raise FitError("There are too few notes to embed.", given=f"{len(texts)} notes")
        svd = TruncatedSVD(size, algorithm="arpack", random_state=seed % 2**32)
        with np.errstate(divide="ignore", invalid="ignore"):  # notes that are all alike
            scores = svd.fit_transform(matrix)
        spread = np.maximum(scores.std(axis=0), 1e-9)
        terms = tuple(counter.get_feature_names_out())
        return cls(terms, counter.idf_, svd.components_, spread)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 vectors (n, k), each axis scaled to unit spread on training notes."""
        counter = _vectoriser(self.terms)
        counter.idf_ = self.weights
        scores = counter.transform(texts) @ self.axes.T / self.scale  # (n, k)
        return np.asarray(scores, dtype=np.float32)

    def write(self, draft: Draft) -> None:
        """Write vocabulary and matrices into an artifact."""
        draft.json("vocabulary", {"terms": list(self.terms)})
        arrays = {"weights": self.weights, "axes": self.axes, "scale": self.scale}
        draft.arrays("embedder", arrays)

    @classmethod
    def read(cls, saved: Saved) -> NoteEmbedder:
        """Read what `write` wrote."""
        arrays: dict[str, Any] = saved.arrays("embedder")
        terms = tuple(saved.json("vocabulary")["terms"])
        return cls(terms, arrays["weights"], arrays["axes"], arrays["scale"])


def _vectoriser(terms: Sequence[str] | None, min_df: int = 1) -> TfidfVectorizer:
    return TfidfVectorizer(
        analyzer=_analyse,
        vocabulary=None if terms is None else {t: i for i, t in enumerate(terms)},
        max_features=_MOST_TERMS if terms is None else None,
        min_df=min_df,
        sublinear_tf=True,
    )
