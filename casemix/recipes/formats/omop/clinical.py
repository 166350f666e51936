"""The tables of what happened: visits, conditions, drugs, procedures, measurements, death."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from casemix.recipes.formats.omop import rows
from casemix.recipes.formats.omop.codebook import Codebook
from casemix.recipes.formats.omop.facts import CONTEXT
from casemix.recipes.formats.omop.people import People
from casemix.recipes.formats.omop.visits import DETAILS, VISITS, containing, visits_of

#: Code of the observation that says when a person's index time is.
INDEX_TIME = f"{CONTEXT}index_time"


def clinical_tables(found: pd.DataFrame, people: People, codebook: Codebook) -> dict[str, pa.Table]:
    """Return the tables of these facts.

    Args:
        found: facts of persons, see `casemix.recipes.formats.omop.facts.facts`.
        people: the persons.
        codebook: takes up the codes.
    """
    found = _dated(found, people)
    visits = visits_of(found, VISITS)
    details = visits_of(found, DETAILS)
    within = containing(visits, details["person"].to_numpy(), details["start"].to_numpy())
    details = details.assign(within=within)[within.notna().to_numpy()].reset_index(drop=True)
    once = found["domain"].isin(["death", "birth"]) & ~found.duplicated(["person", "domain"])
    codebook.source_values(found.loc[once, "code"])
    rest = np.setdiff1d(np.flatnonzero(~once), _rows_of(visits, details))
    records = pd.concat([found.iloc[rest], _index_times(people)], ignore_index=True)
    records = _coded(records, visits, codebook)
    tables = {
        "visit_occurrence": _visits(visits, codebook),
        "visit_detail": _details(details, codebook),
        "death": _deaths(
            found[once & (found["domain"] == "death")].reset_index(drop=True), codebook
        ),
    }
    for name in rows.SHAPES:
        mine = records[records["domain"] == name].reset_index(drop=True)
        tables[name] = rows.clinical_table(name, mine)
    return tables


def _dated(found: pd.DataFrame, people: People) -> pd.DataFrame:
    subject = found["subject"].to_numpy(dtype=int)
    moment = people.moment(subject, found["hours"].to_numpy(dtype=float))
    return found.assign(person=people.person[subject], moment=moment)


def _rows_of(*visits: pd.DataFrame) -> np.ndarray:
    """Return the rows of the events that visits are made of."""
    used = np.concatenate([v[side].to_numpy() for v in visits for side in ("opened", "closed")])
    return used[used >= 0]


def _index_times(people: People) -> pd.DataFrame:
    kept = np.flatnonzero(people.kept)
    return pd.DataFrame(
        {
            "person": people.person[kept],
            "moment": people.index[kept],
            "domain": "observation",
            "code": INDEX_TIME,
        }
    )


def _coded(records: pd.DataFrame, visits: pd.DataFrame, codebook: Codebook) -> pd.DataFrame:
    """Return records with source values, visits and a table that there is."""
    known = records["domain"].isin(list(rows.SHAPES))
    return records.assign(
        domain=records["domain"].where(known, "observation"),
        source=codebook.source_values(records["code"]),
        text=codebook.texts(records["text"]),
        visit=containing(visits, records["person"].to_numpy(), records["moment"].to_numpy()),
    )


def _visits(visits: pd.DataFrame, codebook: Codebook) -> pa.Table:
    columns = {
        "visit_occurrence_id": visits["visit"],
        **_stay("visit", visits, codebook),
        "discharged_to_source_value": codebook.source_values(visits["closing"]),
    }
    return rows.table("visit_occurrence", columns, len(visits))


def _details(details: pd.DataFrame, codebook: Codebook) -> pa.Table:
    columns = {
        "visit_detail_id": pd.Series(np.arange(1, len(details) + 1)),
        **_stay("visit_detail", details, codebook),
        "discharged_to_source_value": codebook.source_values(details["closing"]),
        "visit_occurrence_id": details["within"],
    }
    return rows.table("visit_detail", columns, len(details))


def _stay(prefix: str, visits: pd.DataFrame, codebook: Codebook) -> dict[str, object]:
    return {
        "person_id": visits["person"],
        f"{prefix}_concept_id": visits["concept"],
        **rows.dated(f"{prefix}_start", visits["start"]),
        **rows.dated(f"{prefix}_end", visits["end"]),
        f"{prefix}_type_concept_id": rows.EHR,
        f"{prefix}_source_value": codebook.source_values(visits["opening"]),
        f"{prefix}_source_concept_id": 0,
    }


def _deaths(deaths: pd.DataFrame, codebook: Codebook) -> pa.Table:
    cause = deaths["code"].map(lambda code: code.partition("//")[2] or None).astype(object)
    columns = {
        "person_id": deaths["person"],
        **rows.dated("death", deaths["moment"]),
        "death_type_concept_id": rows.EHR,
        "cause_source_value": codebook.texts(cause),
    }
    return rows.table("death", columns, len(deaths))
