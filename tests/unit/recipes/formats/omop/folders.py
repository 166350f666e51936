"""Small OMOP folders of one person, as other tools write them: tabs and capitals."""

from __future__ import annotations

import pandas as pd

PERSON = {
    "person_id": 1, "gender_concept_id": 8532, "year_of_birth": 1950, "month_of_birth": 3,
    "day_of_birth": 1,
}  # fmt: skip
FIRST = {
    "person_id": 1, "measurement_id": 1, "measurement_date": "2020-03-01",
    "measurement_concept_id": 1, "measurement_source_value": "first",
}  # fmt: skip
VISIT = {"person_id": 1, "visit_concept_id": 9202, "visit_start_date": "2020-03-02"}


def folder(root, **tables):
    """An OMOP folder; each table is a list of rows."""
    root.mkdir()
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(root / f"{name.upper()}.csv", index=False, sep="\t")
    return root


def events(cohort):
    """Hours and code of each event, as they are ordered."""
    frame = cohort["events"].payload.frame
    return list(zip(frame["hours"].round(3).tolist(), frame["code"], strict=True))
