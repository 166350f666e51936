"""Which tokens may stand next to each other, so that whole words stay whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from casemix.modalities.text.slots import MARK
from casemix.modalities.text.vocabulary import whole_words

_OTHER, _LETTER, _DIGIT, _SLOT, _SPACE, _BEGIN = range(6)  # kinds of edge of a token
#: (last edge, first edge of the next token) that would make one word or number of two.
_NEVER = ((_LETTER, _LETTER), (_SLOT, _SLOT), (_SLOT, _DIGIT), (_DIGIT, _SLOT), (_BEGIN, _SPACE))


@dataclass(frozen=True)
class Seams:
    """The edges at which tokens touch.

    Args:
        first: kind of each token's first character, (v,).
        last: kind of its last one, (v,).
    """

    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, tokenizer: Any) -> Self:
        """Read the edges of a `small_tokenizer`'s tokens."""
        tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
        special = set(tokenizer.all_special_tokens)
        first, last = (
            np.array([_OTHER if t in special else _kind(t, edge) for t in tokens])
            for edge in (0, -1)
        )
        last[tokenizer.bos_token_id] = _BEGIN
        return cls(first, last)

    def barred(self, previous: np.ndarray) -> np.ndarray:
        """Return which tokens may not follow, bool (b, v); previous: token ids (b,)."""
        before = self.last[previous][:, None]
        pairs = [(before == last) & (self.first == first) for last, first in _NEVER]
        return np.logical_or.reduce(pairs)


def _kind(token: str, edge: int) -> int:
    if MARK.fullmatch(token):
        return _SLOT
    character = token[edge]
    if character.isdigit():
        return _DIGIT
    if character.isspace():
        return _SPACE
    return _LETTER if len(whole_words("a" + character)) == 1 else _OTHER
