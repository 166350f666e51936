"""The phantom as a cohort, like any other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.cohort import Cohort, Provenance
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.recipes.phantom.simulate import PhantomRecords, simulate

MASK_LABELS = ("background", "right_ventricle", "myocardium", "left_ventricle")
FRAMES = ("ED", "ES")


def phantom_cohort(n: int, *, seed: int, coupling: float = 1.0) -> Cohort:
    """Return a simulated cohort of n linked patients, one record of each modality per patient.

    Args:
        n: number of patients.
        seed: which patients; patient i is the same whatever n is.
        coupling: see `casemix.recipes.phantom.simulate.simulate`.
    """
    records = simulate(n, seed, coupling)
    samples = {
        "tabular": _table(records),
        "timeseries": _series(records),
        "imaging": _images(records),
        "text": _notes(records),
    }
    about = {
        "name": "casemix cardiac phantom",
        "source": "mechanistic simulator of casemix; no real patient",
        "licence": "Apache-2.0",
        "seed": str(seed),
        "coupling": str(coupling),
    }
    schema = Schema(records.fields["subjects"])
    return Cohort(records.subjects, schema, samples, Provenance.PHANTOM, about=about)


def _table(records: PhantomRecords) -> Samples:
    schema = Schema(records.fields["labs"])
    payload = registry.payload_type("tabular")(schema.coerce(records.labs), schema)
    return Samples("tabular", _index(records, "labs"), payload)


def _series(records: PhantomRecords) -> Samples:
    series = registry.payload_type("timeseries")
    payload = series(records.vitals, 3600.0, tuple(records.fields["vitals"]))
    return Samples("timeseries", _index(records, "vitals"), payload)


def _images(records: PhantomRecords) -> Samples:
    images = registry.payload_type("imaging")
    payload = images(
        pixels=records.images, channels=FRAMES, masks=records.masks, mask_labels=MASK_LABELS
    )
    schema = Schema(records.fields["imaging"])
    own = records.imaging_fields[list(schema.names)].set_axis(_ids(records, "mr"), axis=0)
    return Samples("imaging", _index(records, "mr").join(own), payload, schema)


def _notes(records: PhantomRecords) -> Samples:
    payload = registry.payload_type("text")(tuple(records.notes))
    return Samples("text", _index(records, "note"), payload)


def _index(records: PhantomRecords, kind: str) -> pd.DataFrame:
    subjects = records.subjects.index.to_numpy(dtype=object)
    rows = {"subject_id": subjects, "time": np.zeros(len(subjects))}
    return pd.DataFrame(rows, index=_ids(records, kind))


def _ids(records: PhantomRecords, kind: str) -> pd.Index:
    return pd.Index([f"{s}.{kind}" for s in records.subjects.index], dtype=object)
