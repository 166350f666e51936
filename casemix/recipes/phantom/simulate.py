"""The whole simulation: from a seed to the linked records of n patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.core.fields import Field
from casemix.errors import RunError
from casemix.recipes.phantom import fields
from casemix.recipes.phantom.anatomy import INFARCT_SITES, PatientState, patient_state
from casemix.recipes.phantom.context import Context, draw_subjects
from casemix.recipes.phantom.draws import Draws
from casemix.recipes.phantom.labs import measure_labs
from casemix.recipes.phantom.mri import examine
from casemix.recipes.phantom.notes import NoteSource, write_notes
from casemix.recipes.phantom.vitals import record_vitals

#: Field descriptions of each recorded table; for vitals, of each channel.
FIELDS: Mapping[str, tuple[Field, ...]] = {
    "subjects": fields.SUBJECTS,
    "labs": fields.LABS,
    "vitals": fields.VITALS,
    "imaging": fields.IMAGING,
}


@dataclass(frozen=True)
class PhantomRecords:
    """Linked records of n patients; every table has index ``subject_id`` and the same order.

    Args:
        subjects: the recorded context (`fields.SUBJECTS`).
        labs: one row of laboratory values (`fields.LABS`); NaN where not ordered.
        vitals: float32 (n, 48, 6), hourly from admission (`fields.VITALS`); NaN where nothing
            was recorded.
        images: uint8 (n, 2, 64, 64), short-axis slice at end-diastole and end-systole.
        masks: uint8 (n, 2, 64, 64): 0 background, 1 right ventricle, 2 myocardium, 3 left
            ventricle.
        imaging_fields: scanner vendor and pixel spacing (`fields.IMAGING`).
        notes: one note per subject.
        note_facts: what each note states; None where it does not.
        truth: what is not recorded: the latents that all views share, the latents of each view,
            and the hearts that the pictures show (volumes in mL, ejection fractions in %, wall
            in mm, mass in g).
        fields: descriptions of the recorded values, by table.
    """

    subjects: pd.DataFrame
    labs: pd.DataFrame
    vitals: np.ndarray
    images: np.ndarray
    masks: np.ndarray
    imaging_fields: pd.DataFrame
    notes: list[str]
    note_facts: pd.DataFrame
    truth: pd.DataFrame
    fields: Mapping[str, tuple[Field, ...]]


def simulate(n: int, seed: int, coupling: float = 1.0) -> PhantomRecords:
    """Return the linked records of n patients.

    Patient i is the same whatever ``n`` is. The recorded context does not depend on ``coupling``.

    Args:
        n: number of patients, at least 1.
        seed: which patients.
        coupling: how strongly the modalities are tied beyond the recorded context, in [0, 1].
            1: all show one patient. 0: each shows a patient of its own with the same context.
            The distribution of each modality alone does not change. Below 1 a note contradicts
            the other records, as notes about somebody else would.

    Raises:
        RunError: ``n`` or ``coupling`` out of range.
    """
    if n < 1:
        raise RunError("A phantom cohort needs at least one patient.", given=n)
    if not 0.0 <= coupling <= 1.0:
        raise RunError("The coupling is out of range.", given=coupling, allowed="0 to 1")
    ids = tuple(f"PH{number:05d}" for number in range(1, n + 1))
    subjects = draw_subjects(Draws(ids, seed, 1.0, "context"))
    context = Context.of(subjects)
    views = {v: Draws(ids, seed, coupling, v) for v in ("labs", "vitals", "imaging", "note")}
    states = {view: patient_state(context, draws) for view, draws in views.items()}

    labs = measure_labs(context, states["labs"], views["labs"])
    vitals = record_vitals(context, states["vitals"], views["vitals"])
    examination = examine(context, states["imaging"], views["imaging"])
    source = NoteSource(
        subjects=subjects,
        state=states["note"],
        labs=measure_labs(context, states["note"], views["note"]),
        vitals=record_vitals(context, states["note"], views["note"]),
    )
    notes, note_facts = write_notes(source, views["note"])
    return PhantomRecords(
        subjects=subjects,
        labs=labs,
        vitals=vitals.values,
        images=examination.images,
        masks=examination.masks,
        imaging_fields=examination.fields,
        notes=notes,
        note_facts=note_facts,
        truth=_truth(ids, seed, states),
        fields=FIELDS,
    )


def _truth(ids: tuple[str, ...], seed: int, states: Mapping[str, PatientState]) -> pd.DataFrame:
    shared = Draws(ids, seed, 1.0, "truth")
    heart = states["imaging"]
    columns = {
        "latent_severity": shared.normal("severity"),
        "latent_anatomy": shared.normal("anatomy"),
    }
    for view, state in states.items():
        columns |= {f"severity_{view}": state.severity, f"anatomy_{view}": state.anatomy}
    for name in ("lv_ef", "lv_edv", "lv_esv", "rv_ef", "rv_edv", "wall_thickness", "lv_mass"):
        columns[name] = getattr(heart, name)
    table = pd.DataFrame(columns, index=pd.Index(ids, name="subject_id"))
    table["effusion"] = heart.effusion
    table["infarct_site"] = [INFARCT_SITES[s] if s >= 0 else None for s in heart.infarct_site]
    return table
