"""Clinical notes: sections, abbreviations, negations and optional sentences over true facts.

Each sentence that carries a fact is listed with its paraphrases; what a note states is returned
beside it, so that a reader of notes can be checked against what was written. A number is always
written the same way: ``LVEF 35%``, ``63-year-old``, ``BP 132/78``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from casemix.recipes.phantom.anatomy import INFARCT_SITES, PatientState
from casemix.recipes.phantom.draws import Draws
from casemix.recipes.phantom.vitals import CHANNELS, VitalsRecord

SECTIONS = ("HISTORY", "VITALS", "FINDINGS", "LABS", "COURSE", "IMPRESSION")

#: What a note may call each group; no term of one group occurs in another's sentences.
GROUP_TERMS: dict[str, tuple[str, ...]] = {
    "normal": ("Normal heart", "No structural heart disease"),
    "dilated": ("Dilated cardiomyopathy", "DCM"),
    "hypertrophic": ("Hypertrophic cardiomyopathy", "HCM"),
    "infarction": ("Previous myocardial infarction", "Prior MI"),
    "abnormal_rv": ("Abnormal right ventricle", "Right ventricular disease"),
}

_COMPLAINT = {
    "I": ("No SOB.", "Denies SOB."),
    "II": ("Mild SOB on exertion.", "SOB on stairs."),
    "III": ("SOB on mild exertion.", "SOB when walking."),
    "IV": ("SOB at rest.", "Severe SOB at rest."),
}
_RISK_FACTORS = {
    "hypertension": (("History of HTN.", "Known HTN."), ("No HTN.", "No history of HTN.")),
    "diabetes": (("History of DM.", "Known DM."), ("No DM.", "No history of DM.")),
    "smoker": (("Current smoker.", "Smokes daily."), ("Non-smoker.", "Denies smoking.")),
}
_PLAN = {
    "normal": ("No treatment needed.", "Patient reassured."),
    "dilated": ("Continue heart failure treatment.", "Diuretic dose increased."),
    "hypertrophic": ("Family screening advised.", "Avoid heavy exercise."),
    "infarction": ("Continue aspirin and statin.", "Cardiac rehabilitation advised."),
    "abnormal_rv": ("Right heart catheter planned.", "Lung function test planned."),
}
#: Lowest ejection fraction (%) of each word for systolic function.
_FUNCTION = ((50, "preserved"), (40, "mildly reduced"), (30, "moderately reduced"))
_LEFT_OUT = 0.04  # chance that a note leaves out a fact that it could state
_PICKS = 96  # random numbers set aside per note; the longest note takes about 75


@dataclass(frozen=True)
class NoteSource:
    """What one note view knows of the patients.

    Args:
        subjects: the recorded context.
        state: the hidden patients.
        labs: laboratory table.
        vitals: vital signs and events.
    """

    subjects: pd.DataFrame
    state: PatientState
    labs: pd.DataFrame
    vitals: VitalsRecord


def write_notes(source: NoteSource, draws: Draws) -> tuple[list[str], pd.DataFrame]:
    """Return one note per subject, and what each note states.

    Returns:
        The notes; a table with index ``subject_id`` and one column per fact (see `patient_facts`),
        empty where the note does not state it.
    """
    facts = patient_facts(source)
    numbers = draws.uniform("note", (_PICKS,))
    notes, stated = [], []
    for row, picks in zip(facts.to_dict("records"), numbers, strict=True):
        writer = _Writer(row, iter(picks))
        notes.append(_note(writer))
        stated.append(writer.stated)
    columns = {name: [said.get(str(name)) for said in stated] for name in facts}
    return notes, pd.DataFrame(columns, index=facts.index, dtype=object)


def patient_facts(source: NoteSource) -> pd.DataFrame:
    """Return every fact that a note can state, as it is written; None where unrecorded.

    Whole numbers for age, lv_ef, lv_edv, rv_ef, wall_thickness, nt_probnp, troponin, sodium and
    the admission's systolic_bp, diastolic_bp, heart_rate, respiratory_rate and spo2. One decimal
    for potassium and haemoglobin, two for creatinine. True or False for hypertension, diabetes,
    smoker, beta_blocker and effusion. The day (1 or 2; 0 for none) of arrhythmia, hypotension
    and desaturation. Level names for sex, group, nyha and infarct_site.
    """
    subjects, state, labs, vitals = source.subjects, source.state, source.labs, source.vitals
    facts: dict[str, Any] = {name: subjects[name] for name in ("sex", "group")}
    facts["age"] = _whole(subjects["age"])
    for name in ("hypertension", "diabetes", "smoker"):
        facts[name] = subjects[name]
    for name in ("lv_ef", "lv_edv", "rv_ef", "wall_thickness"):
        facts[name] = _whole(getattr(state, name))
    for name in ("nt_probnp", "troponin", "sodium"):
        facts[name] = _whole(labs[name])
    for name in ("creatinine", "potassium", "haemoglobin", "nyha", "beta_blocker"):
        facts[name] = labs[name]
    for name in ("heart_rate", "systolic_bp", "diastolic_bp", "respiratory_rate", "spo2"):
        facts[name] = _whole(vitals.values[:, 0, CHANNELS.index(name)])
    for name in ("arrhythmia", "hypotension", "desaturation"):
        facts[name] = _day(getattr(vitals, name))
    facts["effusion"] = state.effusion
    facts["infarct_site"] = [INFARCT_SITES[s] if s >= 0 else None for s in state.infarct_site]
    columns = {
        name: [None if pd.isna(v) else v for v in np.asarray(values, dtype=object)]
        for name, values in facts.items()
    }
    return pd.DataFrame(columns, index=subjects.index, dtype=object)


class _Writer:
    """One note's author: chooses words, and keeps what has been stated."""

    def __init__(self, facts: Mapping[Hashable, Any], numbers: Iterator[float]) -> None:
        self.facts = facts
        self.stated: dict[str, Any] = {}
        self._numbers = numbers

    def maybe(self, chance: float, *options: str) -> str:
        """Return one of the options, or with 1 - chance nothing."""
        return self._pick(options) if next(self._numbers) < chance else ""

    def state(self, names: str, *options: str) -> str:
        """Return one of the options with the named facts in it.

        Nothing comes back where a fact is unrecorded, and now and then where the author leaves
        it out.
        """
        wanted = {name: self.facts[name] for name in names.split()}
        if next(self._numbers) < _LEFT_OUT or None in wanted.values():
            return ""
        self.stated |= wanted
        return self._pick(options).format(**wanted)

    def yes_no(self, name: str, yes: tuple[str, ...], no: tuple[str, ...]) -> str:
        """State a fact that holds or does not."""
        return self.state(name, *(yes if self.facts[name] else no))

    def _pick(self, options: Sequence[str]) -> str:
        return options[int(next(self._numbers) * len(options))]


def _note(writer: _Writer) -> str:
    parts = (_history, _vitals, _findings, _labs, _course, _impression)
    sections = zip(SECTIONS, parts, strict=True)
    lines = ((name, " ".join(s for s in part(writer) if s)) for name, part in sections)
    return "\n".join(f"{name}: {line}" for name, line in lines if line)


def _history(w: _Writer) -> list[str]:
    w.stated |= {"age": w.facts["age"], "sex": w.facts["sex"]}
    person = "woman" if w.facts["sex"] == "F" else "man"
    pain = 0.6 if w.facts["group"] == "infarction" else 0.12
    return [
        f"{w.facts['age']}-year-old {person}" + w.maybe(0.6, " admitted for review") + ".",
        _symptoms(w),
        w.maybe(pain, "Reports chest pain.") or "Denies chest pain.",
        w.maybe(0.4, "No syncope.", "Denies syncope."),
        *(w.yes_no(name, yes, no) for name, (yes, no) in _RISK_FACTORS.items()),
        w.maybe(0.6, "No known drug allergies.", "No drug allergies."),
        w.maybe(0.6, "No palpitations.", "Denies palpitations."),
    ]


def _symptoms(w: _Writer) -> str:
    level = w.facts["nyha"]
    if level is None:
        return ""
    return w.state("nyha", *(f"{text} NYHA {{nyha}}." for text in _COMPLAINT[str(level)]))


def _vitals(w: _Writer) -> list[str]:
    return [
        w.state("systolic_bp diastolic_bp", "BP {systolic_bp}/{diastolic_bp}."),
        w.state("heart_rate", "HR {heart_rate} bpm."),
        w.state("respiratory_rate", "RR {respiratory_rate}."),
        w.state("spo2", "SpO2 {spo2}%."),
        w.maybe(0.4, "Afebrile.", "No fever."),
    ]


def _findings(w: _Writer) -> list[str]:
    return [
        w.maybe(0.5, "Cardiac MRI.", "Cine MRI."),
        w.state("lv_ef", "LVEF {lv_ef}%."),
        w.state("lv_edv", "LVEDV {lv_edv} mL."),
        w.state("wall_thickness", "Maximal wall thickness {wall_thickness} mm."),
        _motion(w),
        w.state("rv_ef", "RVEF {rv_ef}%."),
        w.yes_no(
            "effusion",
            ("Small pericardial effusion.", "Pericardial effusion seen."),
            ("No pericardial effusion.", "No effusion."),
        ),
        w.maybe(0.35, "No thrombus.", "No intracardiac thrombus."),
    ]


def _motion(w: _Writer) -> str:
    group = w.facts["group"]
    if group == "infarction":
        return w.state(
            "infarct_site", "Akinetic {infarct_site} wall.", "Thin {infarct_site} wall, akinetic."
        )
    sentences = {
        "normal": ("No wall motion abnormality.", "Normal wall motion."),
        "dilated": ("LV dilated with global hypokinesis.", "Globally reduced LV contraction."),
        "hypertrophic": ("Asymmetric septal hypertrophy.", "Thick septum."),
        "abnormal_rv": ("RV dilated with flat septum.", "Dilated RV, septum flattened."),
    }
    return w.maybe(0.9, *sentences[str(group)])


def _labs(w: _Writer) -> list[str]:
    return [
        w.state("nt_probnp", "NT-proBNP {nt_probnp} pg/mL."),
        w.state("creatinine", "Creatinine {creatinine:.2f} mg/dL."),
        w.state("troponin", "Troponin {troponin} ng/L."),
        w.state("sodium", "Sodium {sodium} mmol/L."),
        w.state("potassium", "Potassium {potassium:.1f} mmol/L."),
        w.state("haemoglobin", "Haemoglobin {haemoglobin:.1f} g/dL."),
    ]


def _course(w: _Writer) -> list[str]:
    return [
        w.yes_no(
            "arrhythmia",
            ("Fast AF on day {arrhythmia}, settled.", "AF with fast rate on day {arrhythmia}."),
            ("No arrhythmia.", "No arrhythmia on monitoring."),
        ),
        w.yes_no(
            "hypotension",
            (
                "Hypotension on day {hypotension}, treated.",
                "BP fell on day {hypotension}, recovered with treatment.",
            ),
            ("No hypotension.", "BP stable."),
        ),
        w.yes_no(
            "desaturation",
            ("Desaturation on day {desaturation}, oxygen given.",),
            ("No desaturation.", "SpO2 stable."),
        ),
        w.yes_no(
            "beta_blocker",
            ("On beta blocker.", "Takes a beta blocker."),
            ("No beta blocker.", "Not on beta blocker."),
        ),
    ]


def _impression(w: _Writer) -> list[str]:
    group = str(w.facts["group"])
    return [
        w.state("group", *(f"{term}." for term in GROUP_TERMS[group])),
        _function(w),
        w.maybe(0.8, *_PLAN[group]),
        w.maybe(0.8, "Follow up in clinic.", "Clinic review in 3 months."),
        w.maybe(0.5, "Discharged home.", "Home with advice."),
    ]


def _function(w: _Writer) -> str:
    percent = w.stated.get("lv_ef")
    if percent is None:
        return ""
    word = next((word for least, word in _FUNCTION if percent >= least), "severely reduced")
    return w.maybe(0.9, f"LV function {word}.", f"Systolic function {word}.")


def _whole(values: ArrayLike) -> list[int | None]:
    numbers = np.asarray(values, dtype=float)
    return [None if np.isnan(v) else round(v) for v in numbers]


def _day(onset: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(onset), 0, np.nan_to_num(onset) // 24 + 1).astype(int)
