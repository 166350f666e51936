"""Rules of event streams, learnt where they are facts of the data: what opens, closes, has a value.

`Rules.violations` checks a stream by reading its events, independently of the automaton in
`casemix.modalities.events.grammar` that generators decode with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd

_HOLDS = 0.95  # share of the events for which a rule must hold to be one
_REPEATS = 0.01  # share of a code's times at which it is recorded twice, to be allowed to
_MARKS = (
    ("ADMISSION", "DISCHARGE"),
    ("REGISTRATION", "OUT"),
    ("START", "END"),
    ("START", "STOP"),
    ("BEGIN", "END"),
)
_NAMED = 0.8  # share of the closing codes that an opening one names just so
_PARTING = "//"
_SETS = ("exclusive", "valued", "always", "once", "last")


def is_death(code: str) -> bool:
    """Return whether a code is that of death, such as MEDS_DEATH."""
    return "DEATH" in code.split(_PARTING)[0].upper()


@dataclass(frozen=True)
class Rules:
    """What holds of nearly all training streams.

    Args:
        opens: code -> the family that it opens (``HOSPITAL_*``).
        closes: code -> the family that it closes; it comes only while that is open.
        exclusive: families that are not opened while they are open.
        valued: codes that carry a value at times.
        always: codes that always carry one.
        once: codes that are recorded only once at one time.
        last: codes after which nothing happens.
    """

    opens: Mapping[str, str] = field(default_factory=dict)
    closes: Mapping[str, str] = field(default_factory=dict)
    exclusive: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    always: frozenset[str] = frozenset()
    once: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()

    @classmethod
    def fit(cls, frame: pd.DataFrame) -> Self:
        """Learn the rules of these events (see `casemix.modalities.events.data.Events`)."""
        codes = sorted(frame["code"].unique())
        known = frame["value"].notna().groupby(frame["code"])
        times = frame.groupby(["code", "item", "hours"], sort=False).size()
        again = (times > 1).groupby(level="code").mean().gt(_REPEATS)
        some, every = known.any(), known.all()
        opens, closes = _families(codes)
        opens, closes, exclusive = _holding(frame, opens, closes)
        return cls(
            opens,
            closes,
            exclusive,
            valued=frozenset(some.index[some]),
            always=frozenset(every.index[every]),
            once=frozenset(again.index[~again]),
            last=frozenset(c for c in codes if is_death(c)),
        )

    def with_pairs_of(self, other: Rules, codes: Collection[str]) -> Rules:
        """Return these rules with those families of other rules that they lack, for these codes."""
        own = {*self.opens.values(), *self.closes.values()}
        more = [
            {c: f for c, f in pairs.items() if c in codes and f not in own}
            for pairs in (other.opens, other.closes)
        ]
        return replace(
            self,
            opens={**more[0], **self.opens},
            closes={**more[1], **self.closes},
            exclusive=self.exclusive | (other.exclusive & {*more[0].values()}),
        )

    def violations(self, frame: pd.DataFrame) -> dict[str, int]:
        """Return how many events break each rule; see `broken`."""
        return {str(rule): int(count) for rule, count in self.broken(frame).sum().items()}

    def broken(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return which rules each event breaks, bool (events, rules).

        Returns:
            Columns ``after_death``, ``closed_unopened``, ``opened_twice``, ``value_unknown`` (a
            value of a code that has none), ``value_missing``, ``repeated``, ``time_backwards``.
        """
        code, value = frame["code"], frame["value"].notna()
        dead = code.isin(self.last)
        unopened, twice = self.unbalanced(frame)
        return pd.DataFrame(
            {
                "after_death": dead.groupby(frame["item"]).cumsum() > dead,
                "closed_unopened": unopened,
                "opened_twice": twice,
                "value_unknown": value & ~code.isin(self.valued),
                "value_missing": ~value & code.isin(self.always),
                "repeated": frame.duplicated(["item", "hours", "code"]) & code.isin(self.once),
                "time_backwards": frame.groupby("item")["hours"].diff() < 0,
            }
        )

    def unbalanced(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return which events close what is not open, and open what is, bool (n,) each."""
        unopened, opened = _balance(frame, self.opens, self.closes)
        exclusive = frame["code"].map(self.opens).isin(self.exclusive).to_numpy()
        return unopened, opened & exclusive

    def to_json(self) -> dict[str, Any]:
        """Return the rules as JSON-ready content."""
        return {
            "opens": dict(self.opens),
            "closes": dict(self.closes),
            **{name: sorted(getattr(self, name)) for name in _SETS},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote."""
        exclusive, valued, always, once, last = (frozenset(content[k]) for k in _SETS)
        return cls(content["opens"], content["closes"], exclusive, valued, always, once, last)


def _families(codes: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return what codes seem to open and to close, by their names."""
    opens: dict[str, str] = {}
    closes: dict[str, str] = {}
    for first, last in _MARKS:
        begin = {c: keys for c in codes if (keys := _keys(c, first)) and c not in opens}
        end = {c: keys for c in codes if (keys := _keys(c, last)) and c not in closes}
        for kind in {keys[1] for keys in end.values()}:
            # The same thing by its whole name (an infusion), or else by its kind (a stay).
            wholes = {keys[0] for keys in begin.values() if keys[1] == kind}
            named = [keys[0] in wholes for keys in end.values() if keys[1] == kind]
            which = 0 if np.mean(named) >= _NAMED else 1
            mine = [{c: k[which] for c, k in s.items() if k[1] == kind} for s in (begin, end)]
            known = set(mine[0].values()) & set(mine[1].values())
            opens |= {c: family for c, family in mine[0].items() if family in known}
            closes |= {c: family for c, family in mine[1].items() if family in known}
    return opens, closes


def _keys(code: str, mark: str) -> tuple[str, str] | None:
    """Return a code's name without the mark, and the part up to the mark; None without one."""
    parts = code.split(_PARTING)
    for i, part in enumerate(parts):
        words = part.split("_")
        if mark in words:
            parts[i] = "_".join("*" if word == mark else word for word in words)
            return _PARTING.join(parts), _PARTING.join(parts[: i + 1])
    return None


def _holding(
    frame: pd.DataFrame, opens: Mapping[str, str], closes: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str], frozenset[str]]:
    """Return the families whose closing follows their opening in the data, and the exclusive."""
    unopened, opened = _balance(frame, opens, closes)
    bad_close = pd.Series(unopened).groupby(frame["code"].map(closes).to_numpy()).mean()
    bad_open = pd.Series(opened).groupby(frame["code"].map(opens).to_numpy()).mean()
    kept = set(bad_close.index[bad_close <= 1 - _HOLDS])
    exclusive = kept & set(bad_open.index[bad_open <= 1 - _HOLDS])
    return (
        {code: family for code, family in opens.items() if family in kept},
        {code: family for code, family in closes.items() if family in kept},
        frozenset(exclusive),
    )


def _balance(
    frame: pd.DataFrame, opens: Mapping[str, str], closes: Mapping[str, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which events close what is not open, and which open what is, bool (n,) each."""
    unopened, opened = np.zeros((2, len(frame)), dtype=bool)
    rows = np.flatnonzero(frame["code"].isin({*opens, *closes}))
    here = frame.iloc[rows]
    open_now: defaultdict[tuple[int, str], bool] = defaultdict(bool)
    for row, item, code in zip(rows, here["item"], here["code"], strict=True):
        if code in opens:
            opened[row] = open_now[item, opens[code]]
            open_now[item, opens[code]] = True
        else:
            unopened[row] = not open_now[item, closes[code]]
            open_now[item, closes[code]] = False
    return unopened, opened
