from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core import registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples

SUBJECTS = Schema(
    (
        Field("age", Kind.NUMERIC, "a", range=(0, 120)),
        Field("sex", Kind.BINARY, levels=("F", "M")),
        Field("bmi", Kind.NUMERIC, "kg/m2"),
        Field("allergies", Kind.CODES, code_system="SNOMED"),
        Field("stage", Kind.ORDINAL, levels=("low", "high")),
    )
)
LONG_CODE = "MEDICATION//" + "a very long name of a drug and its preparation " * 3
LONG_CAUSE = "MEDS_DEATH//acute myocardial infarction with cardiogenic shock and arrest"
EVENTS = [  # subject, hours, code, value
    (0, -24.5, "DIAGNOSIS//ICD//10//I21.0", np.nan),
    (0, 0.0, "HOSPITAL_ADMISSION//EW EMER.//EMERGENCY ROOM", np.nan),
    (0, 0.25, "LAB//50912//mg/dL", 1.1),
    (0, 0.25, "ICU_ADMISSION//MICU", np.nan),
    (0, 1 / 3, LONG_CODE, 40.0),
    (0, 30.0, "ICU_DISCHARGE//MICU", np.nan),
    (0, 48.0, "HOSPITAL_DISCHARGE//DIED", np.nan),
    (0, 48.0, LONG_CAUSE, np.nan),
    (2, 0.0, "VISIT//CLINIC", np.nan),
    (2, 0.0, "PROCEDURE//ECG", np.nan),
    (2, 0.0, "Weight (Lbs)", 180.0),
    (2, 900.0, "HOSPITAL_ADMISSION//ELECTIVE", np.nan),
    (2, 905.0, "DIAGNOSIS//ICD//10//Ü99", 3.0),
    (2, 910.0, "ICU_DISCHARGE//unopened", np.nan),
]


def _index(subjects, kind, time=0.0):
    return pd.DataFrame(
        {"subject_id": subjects, "time": time}, index=[f"{s}.{kind}" for s in subjects]
    )


@pytest.fixture(scope="session")
def cohort():
    """Three linked subjects with events, a table and notes, awkward cells among them."""
    ids = ["syn-0", "syn-1", "syn-ü"]
    subjects = pd.DataFrame(
        {
            "age": [60.5, np.nan, 71.0],
            "sex": ["F", "M", None],
            "bmi": [21.5, np.nan, 33.25],
            "allergies": [["1", "2"], None, []],
            "stage": ["high", None, "low"],
        },
        index=ids,
    )
    events = pd.DataFrame(EVENTS, columns=["item", "hours", "code", "value"])
    stream = registry.payload_type("events")(events, 3, {"LAB//50912//mg/dL": "mg/dL"})
    columns = Schema(
        (
            Field("creatinine", Kind.NUMERIC, "mg/dL"),
            Field("ward", Kind.CATEGORICAL, levels=("a", 'b,"c"')),
            Field("codes", Kind.CODES, code_system="ICD-10"),
        )
    )
    cells = {
        "creatinine": [0.1 + 0.2, np.nan],
        "ward": [None, 'b,"c"'],
        "codes": [["I21.0", "E11"], None],
    }
    table = registry.payload_type("tabular")(pd.DataFrame(cells), columns)
    notes = registry.payload_type("text")(('First line.\n"Second", with; marks', ""))
    kind = Schema((Field("note_type", Kind.CATEGORICAL, levels=("letter", "report")),))
    return Cohort(
        subjects,
        SUBJECTS,
        {
            "events": Samples("events", _index(ids, "events"), stream),
            "tabular": Samples("tabular", _index([ids[0], ids[2]], "labs", 1.5), table),
            "text": Samples(
                "text",
                _index([ids[2], ids[0]], "note", 12.0).assign(note_type=["letter", None]),
                notes,
                kind,
            ),
        },
        Provenance.SYNTHETIC,
        pd.Series(["a", "a", "b"], index=ids),
        {"name": "made for tests"},
    )
