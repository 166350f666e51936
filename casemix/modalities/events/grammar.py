"""The automaton that says which token may come next, for a batch of histories at once.

Every history that it lets through obeys `casemix.modalities.events.rules.Rules`: a value comes only
after a code that has values, a time has at least one code, codes of one time stand in the order of
telling, what is closed was open, and after death there is only the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from casemix.modalities.events.tokens import BEGIN, END, Tokeniser


@dataclass
class State:
    """Where each history of a batch is.

    Args:
        code: number of the last code at this time; ``codes`` right after a gap, ``codes + 1``
            before the first event, ``codes + 2`` after the end, (b,).
        pending: whether that code's value comes next, bool (b,).
        open: which families are open, bool (b, families).
    """

    code: np.ndarray
    pending: np.ndarray
    open: np.ndarray


class Grammar:
    """Allowed next tokens of a tokeniser's histories."""

    def __init__(self, tokeniser: Tokeniser) -> None:
        self.tokeniser = tokeniser
        rules, self.codes = tokeniser.rules, len(tokeniser.codes.names)
        families = sorted({*rules.opens.values(), *rules.closes.values()})
        self._families = {family: i for i, family in enumerate(families)}
        self._opens, self._closes = self._family(rules.opens), self._family(rules.closes)
        once = {code: f for code, f in rules.opens.items() if f in rules.exclusive}
        self._openers = np.flatnonzero(self._family(once) >= 0)
        self._closers = np.flatnonzero(self._closes >= 0)
        self._after, self._value = after_codes(tokeniser), values_of_codes(tokeniser)
        #: Tokens that open a new time or end the history, bool (tokens,).
        self.opening = np.arange(len(tokeniser)) < tokeniser.code_at
        self._valued = np.asarray(self._value.any(axis=1))

    def _family(self, of_code: Mapping[str, str]) -> np.ndarray:
        """Return the family of each token, -1 = none, int64 (tokens,)."""
        found = np.full(len(self.tokeniser), -1)
        for i, code in enumerate(self.tokeniser.codes.names):
            if code in of_code:
                found[self.tokeniser.code_at + i] = self._families[of_code[code]]
        return found

    def start(self, n: int) -> State:
        """Return the state before the first token of n histories."""
        none = np.zeros(n, dtype=bool)
        return State(np.full(n, self.codes + 1), none, np.zeros((n, len(self._families)), bool))

    def allowed(self, state: State) -> np.ndarray:
        """Return which tokens may come next, bool (b, tokens); at least one in each row."""
        mask = self._after[state.code]  # a copy
        mask[:, self._closers] &= state.open[:, self._closes[self._closers]]
        mask[:, self._openers] &= ~state.open[:, self._opens[self._openers]]
        mask[state.pending] = self._value[state.code[state.pending]]
        return mask

    def step(self, state: State, tokens: np.ndarray, *, but: np.ndarray | None = None) -> State:
        """Return the state after one more token each, (b,); rows of ``but`` stay as they are."""
        code = tokens - self.tokeniser.code_at
        is_code = (code >= 0) & (code < self.codes)
        opens_time = (tokens >= self.tokeniser.first_at) & (code < 0)
        place = np.where(is_code, code, np.where(opens_time, self.codes, state.code))
        place = np.where(tokens == END, self.codes + 2, place)
        pending = is_code & self._valued[np.where(is_code, code, 0)]
        if but is not None:
            tokens = np.where(but, BEGIN, tokens)
            place, pending = np.where(but, state.code, place), np.where(but, state.pending, pending)
        open_now = state.open.copy()
        for family, to in ((self._opens[tokens], True), (self._closes[tokens], False)):
            rows = np.flatnonzero(family >= 0)
            open_now[rows, family[rows]] = to
        return State(place, pending, open_now)

    def read(self, histories: Sequence[np.ndarray]) -> State:
        """Return the state after these tokens, one array per history."""
        state = self.start(len(histories))
        lengths = np.array([len(tokens) for tokens in histories])
        for position in range(int(lengths.max())):
            tokens = [h[position] if position < len(h) else BEGIN for h in histories]
            state = self.step(state, np.array(tokens), but=lengths <= position)
        return state


def after_codes(t: Tokeniser) -> np.ndarray:
    """Return which tokens may follow a code whose value is told, bool (codes + 3, tokens).

    The last three rows: what may follow a gap, the beginning and the end.
    """
    n = len(t.codes.names)
    number = np.arange(n)
    mask = np.zeros((n + 3, len(t)), dtype=bool)
    codes, gaps = slice(t.code_at, t.value_at), slice(t.gap_at, t.code_at)
    again = [i for i, c in enumerate(t.codes.names) if c not in t.rules.once]
    mask[:n, codes] = number[None, :] > number[:, None]
    mask[again, [t.code_at + i for i in again]] = True
    mask[:n, gaps] = True
    mask[[i for i, c in enumerate(t.codes.names) if c in t.rules.last]] = False
    mask[:n, END] = True
    mask[n, codes] = True  # after a gap
    mask[n + 1, t.first_at : t.gap_at] = True  # before the first event
    mask[n + 1, END] = t.empty
    mask[n + 2, BEGIN] = True  # after the end
    return mask


def values_of_codes(t: Tokeniser) -> np.ndarray:
    """Return which tokens are values of each code, bool (codes, tokens)."""
    mask = np.zeros((len(t.codes.names), len(t)), dtype=bool)
    for code, bins in t.values.items():
        mask[code, t.value_at : t.value_at + len(bins)] = True
        mask[code, t.no_value] = code in t.lacking
    return mask
