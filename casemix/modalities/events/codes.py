"""Which codes a model may say: those of several subjects; rarer ones become a coarser parent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from casemix.modalities.events.rules import Rules

#: What a code becomes that has no parent of enough subjects.
RARE = "RARE"
_PARTING = "//"
_CATEGORY = 3  # characters of an ICD category


@dataclass(frozen=True)
class Codes:
    """The codes of a model in the order in which they are told at one time.

    Args:
        names: the codes; what opens comes first, what closes after the rest, death last.
    """

    names: tuple[str, ...]

    @classmethod
    def fit(cls, frame: pd.DataFrame, owners: np.ndarray, *, least: int) -> tuple[Self, Rules]:
        """Learn the codes, and the rules of the events as these codes tell them.

        Args:
            frame: training events.
            owners: the subject of each event, (n,).
            least: subjects with a code, before it may come out.
        """
        raw = frame["code"]
        told = raw.map(coarser(raw, owners, least)).fillna(raw)
        counts = pd.Series(owners).groupby(told.to_numpy()).nunique()
        names = [str(code) for code in counts.index[counts >= least]]
        retold = frame.assign(code=told, value=frame["value"].where(told == raw))
        retold = retold[told.isin(names)]
        rules = Rules.fit(retold).with_pairs_of(Rules.fit(frame), set(names))
        place = _places(retold)
        ordered = sorted(names, key=lambda c: (_class(c, rules), place.get(_kind(c), 0.5), c))
        return cls(tuple(ordered)), rules

    def encode(self, codes: pd.Series) -> np.ndarray:
        """Return positions in ``names``, int64; -1 where neither a code nor a parent is known."""
        place = {code: i for i, code in enumerate(self.names)}
        known = {code: _position(code, place) for code in codes.unique()}
        return codes.map(known).to_numpy(dtype=np.int64)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        return {"names": list(self.names)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild what `to_json` wrote."""
        return cls(tuple(content["names"]))


def ancestors(code: str) -> list[str]:
    """Return the coarser codes of a code, nearest first.

    >>> ancestors("DIAGNOSIS//ICD//10//I5021")
    ['DIAGNOSIS//ICD//10//I50', 'DIAGNOSIS//ICD//10', 'DIAGNOSIS//ICD', 'DIAGNOSIS']
    """
    parts = code.split(_PARTING)
    found = [_PARTING.join(parts[:k]) for k in range(len(parts) - 1, 0, -1)]
    icd = any("ICD" in part for part in parts[:-1])
    if icd and re.fullmatch(r"[A-Z]?[0-9.]{4,}[A-Z0-9]*|[A-Z][A-Z0-9.]{3,}", parts[-1]):
        found.insert(0, _PARTING.join([*parts[:-1], parts[-1][:_CATEGORY]]))
    return found


def coarser(codes: pd.Series, owners: np.ndarray, least: int) -> dict[str, str]:
    """Return code of fewer than ``least`` subjects -> nearest ancestor that has enough of them.

    A code's subjects count for its ancestors if it is itself too rare.
    """
    pairs = pd.DataFrame({"code": codes.to_numpy(), "owner": owners}).drop_duplicates()
    told = {code: code for code in pairs["code"].unique()}
    chain = {code: iter([*ancestors(code), RARE]) for code in told}
    while True:
        named = pairs["code"].map(told)
        counts = pairs["owner"].groupby(named).nunique()
        rare = {code for code in counts.index[counts < least] if code != RARE}
        if not rare:
            return {raw: name for raw, name in told.items() if name != raw}
        for raw, name in told.items():
            if name in rare:
                told[raw] = next(chain[raw], RARE)


def _position(code: str, place: Mapping[str, int]) -> int:
    return next((place[c] for c in (code, *ancestors(code), RARE) if c in place), -1)


def _kind(code: str) -> str:
    return code.split(_PARTING)[0]


def _class(code: str, rules: Rules) -> int:
    """Return 0 for what opens, 1 for the rest, 2 for what closes, 3 for death."""
    if code in rules.last:
        return 3
    return 0 if code in rules.opens else 2 if code in rules.closes else 1


def _places(frame: pd.DataFrame) -> dict[str, float]:
    """Return where each kind of code usually stands among the events of one time, 0 to 1."""
    times = frame.groupby(["item", "hours"], sort=False)
    place = (times.cumcount() + 0.5) / times["code"].transform("size")
    means = place.groupby(frame["code"].map(_kind)).mean()
    return {str(kind): float(mean) for kind, mean in means.items()}
