"""Vocabulary of notes: which words, how many different ones, and how rare they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import gammaln
from sklearn.feature_extraction.text import CountVectorizer

from casemix.errors import EvaluationError
from casemix.evaluation.statistics import FloatArray
from casemix.modalities.text.tokens import words

_GROWTH_POINTS = 8
_FEWEST_WORDS = 100  # running words per arm
_ZIPF_RANKS = 1000


@dataclass(frozen=True)
class WordCounts:
    """How often each note says each word.

    Attributes:
        words: the w words, numbers as ``#``, in the order of the columns.
        real: (n, w) counts of the real notes.
        synthetic: (m, w) counts of the synthetic notes.
    """

    words: tuple[str, ...]
    real: csr_array
    synthetic: csr_array


def spoken(note: str) -> list[str]:
    """Return the words of a note in lower case, numbers as ``#``, without punctuation."""
    return [w for w in words(note) if w[0].isalnum() or w == "#"]


def count_words(real: Sequence[str], synthetic: Sequence[str]) -> WordCounts:
    """Count the words of two arms over one vocabulary.

    Raises:
        EvaluationError: fewer than 100 running words in an arm.
    """
    counter = CountVectorizer(analyzer=spoken)
    try:
        counts = csr_array(counter.fit_transform([*real, *synthetic]))
    except ValueError:  # no word at all
        counts = csr_array((len(real) + len(synthetic), 0))
    arms = counts[: len(real)], counts[len(real) :]
    said = [int(arm.sum()) for arm in arms]
    if min(said) < _FEWEST_WORDS:
        raise EvaluationError(
            "The notes hold too few words to compare vocabularies.",
            given=f"{said[0]} real and {said[1]} synthetic words",
            allowed=f"at least {_FEWEST_WORDS} of each",
            next_step="Evaluate on more subjects.",
        )
    return WordCounts(tuple(counter.get_feature_names_out()), *arms)


def jensen_shannon(p: npt.ArrayLike, q: npt.ArrayLike) -> FloatArray:
    """Return the Jensen-Shannon divergence of rows of counts, in bits, in [0, 1].

    Args:
        p: (..., w) counts or shares.
        q: (..., w) the same.

    Reference:
        Lin, Divergence measures based on the Shannon entropy, IEEE Trans Inf Theory 1991.
    """
    first, second = (np.asarray(x, dtype=np.float64) for x in (p, q))
    first = first / first.sum(axis=-1, keepdims=True)
    second = second / second.sum(axis=-1, keepdims=True)
    mean = (first + second) / 2
    divergence: FloatArray = _entropy(mean) - (_entropy(first) + _entropy(second)) / 2
    return np.maximum(divergence, 0.0)


def _entropy(shares: FloatArray) -> FloatArray:
    held = np.where(shares > 0, shares, 1.0)
    entropy: FloatArray = -(held * np.log2(held)).sum(axis=-1)
    return entropy


def growth_points(words_said: int) -> npt.NDArray[np.int64]:
    """Return the numbers of running words at which vocabularies are compared, up to all."""
    return np.unique(np.geomspace(_FEWEST_WORDS, words_said, _GROWTH_POINTS).astype(np.int64))


def distinct_words(counts: npt.ArrayLike, sizes: npt.ArrayLike) -> FloatArray:
    """Return the expected number of different words among some of the running words.

    Drawn without replacement, so that it does not depend on the order of the notes.

    Args:
        counts: (w,) how often each word is said.
        sizes: (s,) numbers of running words, at most the sum of the counts.

    Reference:
        Hurlbert, The nonconcept of species diversity, Ecology 1971 (rarefaction).
    """
    held = np.asarray(counts, dtype=np.float64)
    held = held[held > 0]
    total, some = held.sum(keepdims=True), np.asarray(sizes, dtype=np.float64)[:, None]
    rest = total - held  # (w,)
    with np.errstate(invalid="ignore"):
        absent = _log_choose(rest, some) - _log_choose(total, some)
    chance = np.where(rest >= some, np.exp(absent), 0.0)  # of not being drawn, (s, w)
    distinct: FloatArray = (1.0 - chance).sum(axis=1)
    return distinct


def _log_choose(n: FloatArray, k: FloatArray) -> FloatArray:
    left = np.maximum(n - k, 0.0)
    log: FloatArray = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(left + 1.0)
    return log


def growth_difference(real: npt.ArrayLike, synthetic: npt.ArrayLike) -> float:
    """Return the mean absolute log2 ratio of different words at equal running words; 0 = alike.

    Args:
        real: (w,) how often each word is said.
        synthetic: (v,) the same.
    """
    first, second = (np.asarray(x, dtype=np.float64) for x in (real, synthetic))
    sizes = growth_points(int(min(first.sum(), second.sum())))
    ratio = distinct_words(second, sizes) / distinct_words(first, sizes)
    return float(np.abs(np.log2(ratio)).mean())


def zipf_slope(counts: npt.ArrayLike) -> float:
    """Return the slope of log frequency over log rank of the 1,000 most frequent words.

    About -1 in natural language; NaN for fewer than three different words.

    Reference:
        Zipf, Human behavior and the principle of least effort, 1949.
    """
    held = np.sort(np.asarray(counts, dtype=np.float64))[::-1]
    held = held[held > 0][:_ZIPF_RANKS]
    if len(held) < 3:
        return float("nan")
    return float(np.polyfit(np.log(np.arange(1, len(held) + 1)), np.log(held), 1)[0])
