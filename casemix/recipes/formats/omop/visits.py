"""Visits from admission and discharge events, and which visit an event belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from casemix.recipes.formats.omop.facts import first_part


class VisitKind(NamedTuple):
    """One kind of visit.

    Args:
        opening: first part of the code that begins it.
        closing: first part of the code that ends it; "" = the visit is a moment.
        concept: its OMOP concept, 0 = the code tells the kind.
        nested: whether one may lie within another: a closing then ends the last one of its name
            that is open or, where none of its name is, the last one.
    """

    opening: str
    closing: str
    concept: int
    nested: bool = False


VISITS = (
    VisitKind("HOSPITAL_ADMISSION", "HOSPITAL_DISCHARGE", 9201),  # inpatient visit
    VisitKind("ED_REGISTRATION", "ED_OUT", 9203),  # emergency room visit
    VisitKind("VISIT_START", "VISIT_END", 0, nested=True),
    VisitKind("VISIT", "", 0),
)
#: Stays within a visit, the rows of ``visit_detail``.
DETAILS = (VisitKind("ICU_ADMISSION", "ICU_DISCHARGE", 32037),)  # intensive care
#: What follows the first part in the code of a visit of the model's own vocabulary -> concept.
_CODED = {"Visit//IP": 9201, "Visit//OP": 9202, "Visit//ER": 9203, "Visit//ERIP": 262}
_CONCEPTS = {**_CODED, **{str(concept): concept for concept in _CODED.values()}}
_COLUMNS = ("person", "start", "end", "opening", "closing", "opened", "closed", "concept")


def visits_of(events: pd.DataFrame, kinds: Sequence[VisitKind]) -> pd.DataFrame:
    """Return the visits that events open and close, sorted by person and start.

    An opening without a closing ends at the next opening of its kind or, without one, with the
    person's last event. A closing without an opening opens nothing.

    Args:
        events: ``person``, ``moment`` (datetime64[us]) and ``code``, sorted by person and moment.
        kinds: kinds of visits.

    Returns:
        ``visit`` (1, 2 ...), ``person``, the moments ``start`` and ``end``, ``opening`` and
        ``closing`` codes (None where no event closes it), the rows of the events that open and
        close it (``opened``, ``closed``, -1 = none) and ``concept``.
    """
    name = first_part(events["code"]).to_numpy(dtype=object)
    last = events.groupby("person")["moment"].transform("max").to_numpy()
    parts = []
    for kind in kinds:
        marks = (name == kind.opening) | ((name == kind.closing) & (kind.closing != ""))
        rows = np.flatnonzero(marks)
        opens = name[rows] == kind.opening
        if opens.any():
            part = _paired(events.iloc[rows], rows, opens, last[rows], kind)
            parts.append(part.assign(concept=kind.concept or _concepts(part["opening"])))
    whole = pd.concat(parts, ignore_index=True) if parts else _none()
    whole = whole.sort_values(["person", "start"], kind="stable", ignore_index=True)
    return whole.assign(visit=np.arange(1, len(whole) + 1))


def _concepts(opening: pd.Series) -> pd.Series:
    """Return the concept that each code names, 0 where it names none."""
    return opening.str.split("//", n=1).str[1].map(_CONCEPTS).fillna(0).astype("int64")


def containing(visits: pd.DataFrame, person: np.ndarray, moment: np.ndarray) -> pd.Series:
    """Return the visit that each moment lies in, nullable integers.

    Where visits overlap it is the one that began last.
    """
    chosen = np.zeros(len(moment), dtype=np.int64)
    latest = np.full(len(moment), np.datetime64("0001-01-01", "us"))
    for layer in _layers(visits):
        at = _last_not_after(layer, person, moment)
        start, end = layer["start"].to_numpy()[at], layer["end"].to_numpy()[at]
        better = (at >= 0) & (moment <= end) & (start >= latest)
        chosen[better] = layer["visit"].to_numpy()[at[better]]
        latest[better] = start[better]
    return pd.Series(chosen, dtype="Int64").where(chosen > 0)


def _paired(
    marks: pd.DataFrame, rows: np.ndarray, opens: np.ndarray, last: np.ndarray, kind: VisitKind
) -> pd.DataFrame:
    """Return the visits of one kind.

    Args:
        marks: its openings and closings.
        rows: the row of each among all events.
        opens: which are openings.
        last: the moment of each one's person's last event.
        kind: the kind.
    """
    moment, code = marks["moment"].to_numpy(), marks["code"].to_numpy(dtype=object)
    closing = _closings(marks, opens, kind)
    closed = closing >= 0
    whole = pd.DataFrame(
        {
            "person": marks["person"].to_numpy(),
            "start": moment,
            "end": np.where(closed, moment[closing], np.datetime64("NaT")),
            "opening": code,
            "closing": np.where(closed, code[closing], None),
            "opened": rows,
            "closed": np.where(closed, rows[closing], -1),
        }
    )[opens]
    following = whole.groupby("person")["start"].shift(-1).fillna(pd.Series(last)[opens])
    return whole.assign(end=whole["end"].fillna(following) if kind.closing else whole["start"])


def _closings(marks: pd.DataFrame, opens: np.ndarray, kind: VisitKind) -> np.ndarray:
    """Return which mark ends the visit that each mark opens; -1 where none does."""
    name = marks["code"].str.split("//", n=1).str[1].fillna("")
    free = marks[["person"]].assign(name=name, opens=opens).reset_index(drop=True)
    found = np.full(len(free), -1)
    for keys in (["person", "name"], ["person"]) if kind.nested else (["person"],):
        step = pd.Series(np.where(free["opens"], 1, -1), index=free.index)
        depth = step.groupby([free[key] for key in keys]).cumsum() + ~free["opens"]
        at = depth if kind.nested else depth * 0
        row = free.index.to_series()
        after = row.groupby([*(free[key] for key in keys), at]).shift(-1).dropna().astype(int)
        after = after[free["opens"][after.index] & ~free["opens"][after].to_numpy()]
        found[after.index] = after
        free = free.drop(index=[*after.index, *after])
    return found


def _layers(visits: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield visits in layers; in a layer no person's visit begins before another's end."""
    left = visits.sort_values(["person", "start"], kind="stable")
    while len(left):
        ends = left.groupby("person")["end"].cummax()
        before = ends.groupby(left["person"]).shift(1)
        apart = before.isna() | (left["start"] >= before)
        yield left[apart]
        left = left[~apart]


def _last_not_after(visits: pd.DataFrame, person: np.ndarray, moment: np.ndarray) -> np.ndarray:
    """Return the position of each person's last visit that starts not after a moment, or -1."""
    asked = pd.DataFrame({"person": person, "moment": moment, "asked": np.arange(len(moment))})
    starts = pd.DataFrame(
        {
            "person": visits["person"].to_numpy(dtype=np.int64),
            "moment": visits["start"].to_numpy(),
            "position": np.arange(len(visits)),
        }
    )
    both = pd.merge_asof(
        asked.sort_values("moment", kind="stable"),
        starts.sort_values("moment", kind="stable"),
        on="moment",
        by="person",
    )
    at = np.full(len(moment), -1)
    at[both["asked"].to_numpy()] = both["position"].fillna(-1).to_numpy(dtype=int)
    return at


def _none() -> pd.DataFrame:
    empty = pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in _COLUMNS})
    moments = dict.fromkeys(("start", "end"), "datetime64[us]")
    return empty.astype({**moments, "opening": object, "closing": object})
