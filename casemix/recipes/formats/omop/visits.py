"""Visits from admission and discharge events, and which visit an event belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from casemix.recipes.formats.omop.facts import first_part


class VisitKind(NamedTuple):
    """One kind of visit.

    Args:
        opening: first part of the code that begins it.
        closing: first part of the code that ends it; "" = the visit is a moment.
        concept: its OMOP concept, 0 = only the code tells the kind.
    """

    opening: str
    closing: str
    concept: int


VISITS = (
    VisitKind("HOSPITAL_ADMISSION", "HOSPITAL_DISCHARGE", 9201),  # inpatient visit
    VisitKind("ED_REGISTRATION", "ED_OUT", 9203),  # emergency room visit
    VisitKind("VISIT_START", "VISIT_END", 0),
    VisitKind("VISIT", "", 0),
)
#: Stays within a visit, the rows of ``visit_detail``.
DETAILS = (VisitKind("ICU_ADMISSION", "ICU_DISCHARGE", 32037),)  # intensive care
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
            part = _paired(events.iloc[rows], rows, opens, last[rows], bool(kind.closing))
            parts.append(part.assign(concept=kind.concept))
    whole = pd.concat(parts, ignore_index=True) if parts else _none()
    whole = whole.sort_values(["person", "start"], kind="stable", ignore_index=True)
    return whole.assign(visit=np.arange(1, len(whole) + 1))


def containing(visits: pd.DataFrame, person: np.ndarray, moment: np.ndarray) -> pd.Series:
    """Return the visit that each moment lies in, nullable integers.

    Where visits overlap it is the one that began last.
    """
    chosen = np.zeros(len(moment), dtype=np.int64)
    latest = np.full(len(moment), np.datetime64("0001-01-01", "us"))
    for _, group in visits.groupby(first_part(visits["opening"])):
        at = _last_not_after(group, person, moment)
        start, end = group["start"].to_numpy()[at], group["end"].to_numpy()[at]
        better = (at >= 0) & (moment <= end) & (start >= latest)
        chosen[better] = group["visit"].to_numpy()[at[better]]
        latest[better] = start[better]
    return pd.Series(chosen, dtype="Int64").where(chosen > 0)


def _paired(
    marks: pd.DataFrame, rows: np.ndarray, opens: np.ndarray, last: np.ndarray, lasting: bool
) -> pd.DataFrame:
    """Return the visits of one kind.

    Args:
        marks: its openings and closings.
        rows: the row of each among all events.
        opens: which are openings.
        last: the moment of each one's person's last event.
        lasting: whether the kind has closings.
    """
    person, moment = marks["person"].to_numpy(), marks["moment"].to_numpy()
    code = marks["code"].to_numpy(dtype=object)
    following = np.roll(np.arange(len(rows)), -1)
    same = person[following] == person
    same[-1] = False
    closed = same & ~opens[following]
    closing = code[following]
    closing[~closed] = None
    whole = pd.DataFrame(
        {
            "person": person,
            "start": moment,
            "end": np.where(same, moment[following], last) if lasting else moment,
            "opening": code,
            "closing": closing,
            "opened": rows,
            "closed": np.where(closed, rows[following], -1),
        }
    )
    return whole[opens]


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
