"""Histories as tokens: a gap opens a time, then come its codes, each with its value's bin.

::

    FIRST_0  VISIT//CLINIC  LAB//K  VALUE_7  DRUG//X  GAP_12  VISIT//CLINIC ...  END

A gap token is the mark of a visit: all that follows until the next one happened at one time. Gaps
and values come back as draws within their bin (see `casemix.modalities.events.bins`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from casemix.core.artifact import Draft, Saved
from casemix.errors import FitError
from casemix.modalities.events.bins import TIME_STEPS, Bins
from casemix.modalities.events.codes import Codes
from casemix.modalities.events.data import Events
from casemix.modalities.events.rules import Rules

BEGIN, END = 0, 1
_DEATH_LATE = 168.0  # hours: what is recorded later than this after death is left out
_FIRST_BINS = 8


@dataclass(frozen=True)
class Tokenised:
    """Histories as tokens, one after another.

    Args:
        tokens: int64 (t,).
        hours: time of each token, float64 (t,); that of a gap is the time that it opens.
        offsets: the first token of each item and the end, int64 (n + 1,).
        left_out: events that the tokens do not tell, by reason.
    """

    tokens: np.ndarray
    hours: np.ndarray
    offsets: np.ndarray
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class Tokeniser:
    """Tokens of events and back.

    Args:
        codes: which codes there are.
        rules: rules that every told history obeys.
        first: bins of the first event's hours.
        gaps: bins of the hours between two times.
        values: bins of the values of each code that has some.
        lacking: codes with values that at times have none.
        empty: whether a history may have no event.
    """

    codes: Codes
    rules: Rules
    first: Bins
    gaps: Bins
    values: Mapping[int, Bins]
    lacking: frozenset[int]
    empty: bool

    @classmethod
    def fit(
        cls, events: Events, owners: np.ndarray, *, value_bins: int, gap_bins: int, least: int
    ) -> Self:
        """Learn codes, rules and bins.

        Args:
            events: training histories.
            owners: the subject of each history, integers (n,).
            value_bins: most bins of a code's values.
            gap_bins: most bins of gaps.
            least: subjects with a code, before it may come out.

        Raises:
            FitError: no code that enough subjects have.
        """
        frame = events.frame
        by_event = owners[frame["item"].to_numpy()]
        codes, rules = Codes.fit(frame, by_event, least=least)
        if not codes.names:
            raise FitError(
                "No code is recorded of enough subjects to be learnt.",
                given=f"{len(frame)} events of {len(np.unique(owners))} subjects",
                allowed=f"codes of at least {least} subjects",
            )
        told = codes.encode(frame["code"])
        named = np.array([*codes.names, ""], dtype=object)[told]
        own = named == frame["code"].to_numpy()  # a parent's values would be of several kinds
        values, lacking = _value_bins(frame, told, own, by_event, value_bins, least)
        first, gaps = _time_bins(frame, by_event, owners, gap_bins, least)
        return cls(
            codes, rules, first, gaps, values, lacking, len(events) > frame["item"].nunique()
        )

    @property
    def first_at(self) -> int:
        """The first token of the first event's hours."""
        return END + 1

    @property
    def gap_at(self) -> int:
        """The first token of gaps."""
        return self.first_at + len(self.first)

    @property
    def code_at(self) -> int:
        """The first token of codes."""
        return self.gap_at + len(self.gaps)

    @property
    def value_at(self) -> int:
        """The first token of values' bins."""
        return self.code_at + len(self.codes.names)

    @property
    def no_value(self) -> int:
        """The token of a value that is not recorded."""
        return self.value_at + max((len(b) for b in self.values.values()), default=0)

    def __len__(self) -> int:
        return self.no_value + 1

    def encode(self, events: Events, *, end: bool = True) -> Tokenised:
        """Return the tokens of histories.

        Args:
            events: histories; codes that are not known are told as their parents.
            end: whether each history is followed by the end token.
        """
        frame, left_out = self._told(events.frame)
        item, hours, code = (frame[k].to_numpy() for k in ("item", "hours", "code"))
        starts = np.r_[True, item[1:] != item[:-1]] if len(item) else np.zeros(0, bool)
        opens = starts | np.r_[True, hours[1:] != hours[:-1]] if len(item) else starts
        valued = np.isin(code, list(self.values))
        width = opens.astype(int) + 1 + valued
        counts = np.bincount(item, weights=width, minlength=events.n).astype(int) + end
        offsets = np.r_[0, np.cumsum(counts)]
        own = np.cumsum(width) - width + item * int(end)  # first token of each event
        tokens = np.full(offsets[-1], END)
        times = np.zeros(offsets[-1])
        tokens[own[opens]] = self._time_tokens(hours, starts)[opens]
        tokens[own + opens] = self.code_at + code
        tokens[(own + opens + 1)[valued]] = self._value_tokens(code, frame["value"])[valued]
        for shift, rows in ((0, slice(None)), (1, width > 1), (2, width > 2)):
            times[(own + shift)[rows]] = hours[rows]
        return Tokenised(tokens, times, offsets, left_out)

    def _told(self, raw: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
        """Return the events that obey the rules, codes as numbers, in the order of telling."""
        dead = raw["code"].isin(self.rules.last)
        died = raw["hours"].where(dead).groupby(raw["item"]).transform("min")
        late = (raw["hours"] > died + _DEATH_LATE) | (
            dead & raw[dead].duplicated("item").reindex(raw.index, fill_value=False)
        )
        frame = raw[~late]
        # Records of a death's day often carry later times than the death itself.
        ends = frame.groupby("item")["hours"].transform("max")
        frame = frame.assign(hours=frame["hours"].where(~dead[~late], ends))
        number = self.codes.encode(frame["code"])
        frame = frame.assign(raw=frame["code"], code=number)[number >= 0]
        frame = frame.sort_values(["item", "hours", "code"], kind="stable")
        once = [i for i, c in enumerate(self.codes.names) if c in self.rules.once]
        again = frame.duplicated(["item", "hours", "code"]) & frame["code"].isin(once)
        frame = frame[~again]
        names = np.array(self.codes.names, dtype=object)
        unopened, twice = self.rules.unbalanced(frame.assign(code=names[frame["code"]]))
        value = frame["value"].where(names[frame["code"]] == frame["raw"])
        left_out = {
            "after_death": int(late.sum()),
            "unknown": int((number < 0).sum()),
            "repeated": int(again.sum()),
            "unbalanced": int((unopened | twice).sum()),
        }
        return frame.assign(value=value)[~(unopened | twice)], left_out

    def _time_tokens(self, hours: np.ndarray, starts: np.ndarray) -> np.ndarray:
        gap = np.diff(hours, prepend=0.0)
        first = self.first_at + self.first.encode(hours)
        return np.where(starts, first, self.gap_at + self.gaps.encode(gap))

    def _value_tokens(self, code: np.ndarray, value: pd.Series) -> np.ndarray:
        tokens = np.full(len(code), self.no_value)
        known = value.notna().to_numpy()
        for number, bins in self.values.items():
            rows = (code == number) & known
            tokens[rows] = self.value_at + bins.encode(value.to_numpy()[rows])
        return tokens

    def write(self, draft: Draft) -> None:
        """Write the tokeniser into an artifact."""
        all_bins = {"first": self.first, "gaps": self.gaps}
        all_bins |= {f"value{k}": bins for k, bins in self.values.items()}
        about = {name: [b.low, b.high, b.step] for name, b in all_bins.items()}
        draft.json(
            "tokens",
            {
                "codes": self.codes.to_json(),
                "rules": self.rules.to_json(),
                "bins": about,
                "lacking": sorted(self.lacking),
                "empty": self.empty,
            },
        )
        draft.arrays("bins", {name: b.knots for name, b in all_bins.items()})

    @classmethod
    def read(cls, saved: Saved) -> Self:
        """Read what `write` wrote."""
        about, knots = saved.json("tokens"), saved.arrays("bins")
        found = {name: Bins(knots[name], *limits) for name, limits in about["bins"].items()}
        values = {int(k.removeprefix("value")): b for k, b in found.items() if k[:5] == "value"}
        return cls(
            Codes.from_json(about["codes"]),
            Rules.from_json(about["rules"]),
            found["first"],
            found["gaps"],
            values,
            frozenset(about["lacking"]),
            about["empty"],
        )


def _value_bins(
    frame: pd.DataFrame,
    told: np.ndarray,
    own: np.ndarray,
    owners: np.ndarray,
    most: int,
    least: int,
) -> tuple[dict[int, Bins], frozenset[int]]:
    """Return the bins of each code with values, and which of these codes lack some."""
    value = frame["value"].to_numpy()
    known = ~np.isnan(value) & own
    found: dict[int, Bins] = {}
    for code in np.unique(told[known]):
        rows = known & (told == code)
        bins = Bins.fit(value[rows], owners[rows], most=most, least=least)
        if bins is not None:
            found[int(code)] = bins
    lacking = np.unique(told[~known])
    return found, frozenset(int(c) for c in lacking if c in found)


def _time_bins(
    frame: pd.DataFrame, by_event: np.ndarray, owners: np.ndarray, most: int, least: int
) -> tuple[Bins, Bins]:
    item, hours = frame["item"].to_numpy(), frame["hours"].to_numpy()
    same = item[1:] == item[:-1]
    gap = np.diff(hours)
    later = same & (gap > 0)
    begins = np.r_[True, ~same] if len(item) else np.zeros(0, bool)
    first = _bins(hours[begins], by_event[begins], _FIRST_BINS, least)
    return first, _bins(gap[later], by_event[1:][later], most, least)


def _bins(values: np.ndarray, owners: np.ndarray, most: int, least: int) -> Bins:
    """Return bins of times; where too few subjects have any, one bin of their median."""
    found = Bins.fit(values, owners, most=most, least=least, steps=TIME_STEPS)
    if found is not None:
        return found
    middle = float(np.median(values)) if len(values) else 0.0
    return Bins(np.full((1, 9), middle), middle, middle, 0.0)
