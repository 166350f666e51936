"""Whose rows a table holds: the subject, its context, and the date that orders its rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import pandas as pd

from casemix.errors import MappingError, did_you_mean
from casemix.recipes.mapping.cells import cell_text
from casemix.recipes.mapping.date_columns import Dates, by_rank, has_day

NOBODY = "none"  # the subject setting that makes each row a subject of its own
_DIFFERING = 0.01  # share of subjects whose rows may disagree in a column of the context
_MOSTLY_KNOWN = 0.9  # share of known cells from which gaps are no disagreement
_BY_CHANCE = 0.1  # and the share of what two rows of different subjects would
_PERSON = re.compile(
    r"(unique_?)?(patient|subject|person|member|participant|pat)(_?(id|nbr|nr|no|num|number|key|"
    r"sk|identifier))?|(unique)?_?pid|mrn|empi"
)


def subject_column(frame: pd.DataFrame, asked: str) -> tuple[str, str]:
    """Return the subject's column, or ``""``, and the sentence that says so."""
    names = list(frame.columns)
    if asked and asked != NOBODY and asked not in names:
        raise MappingError(
            "There is no such subject column.",
            given=asked,
            allowed=[*names, f"'{NOBODY}' for rows that are subjects of their own"],
            next_step=did_you_mean(asked, names),
        )
    if asked and asked != NOBODY:
        return asked, f"Subjects: the column {_quoted(asked)}."
    if not asked:
        for name in names:
            word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
            if _PERSON.fullmatch(word) and frame[name].notna().all() and frame[name].nunique() > 1:
                return name, (
                    f"Subjects: the column {_quoted(name)}, a guess by its name; with "
                    f"--set subject={NOBODY} each row is a subject of its own."
                )
    return "", "Subjects: each row is one; --set subject=COLUMN names a column that says whose."


def steady_columns(frame: pd.DataFrame, owners: pd.Series, *, but: str) -> list[str]:
    """Return the columns that are the same in all rows of (nearly) every subject.

    A column that hardly varies at all, such as a drug that hardly anybody is given, is not one:
    its rows agree by chance.
    """
    repeated = owners.duplicated(keep=False)
    if not repeated.any():
        return []
    found = []
    for name in frame.columns.drop(but):
        try:
            cells = cell_text(frame[name][repeated])
        except MappingError:
            continue  # lists
        if cells.notna().mean() < _MOSTLY_KNOWN:
            cells = cells.fillna("")  # such as a date of death, which only the last row has
        differing = float((cells.groupby(owners[repeated]).nunique() > 1).mean())
        by_chance = 1 - float((cells.value_counts(normalize=True) ** 2).sum())
        if differing <= min(_DIFFERING, _BY_CHANCE * by_chance) and by_chance > 0:
            found.append(name)
    return found


def row_clock(dates: Mapping[str, Dates], owners: pd.Series | None, steady: list[str]) -> str:
    """Return the date column that orders the several rows of a subject, or ``""``.

    It is known in every row, and differs between the rows of a subject.
    """
    if owners is None or not owners.duplicated().any():
        return ""
    usable = {
        name: found.values
        for name, found in dates.items()
        if name not in steady and not found.problem and has_day(found.spelling)
    }
    full = [name for name in by_rank(usable) if usable[name].notna().all()]
    return full[0] if full else ""


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)
