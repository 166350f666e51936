"""What each recorded value of the phantom is: kind, unit, range and levels."""

from __future__ import annotations

from casemix.core.fields import Field, Kind
from casemix.recipes.phantom.context import GROUPS
from casemix.recipes.phantom.labs import NYHA, REPORTED
from casemix.recipes.phantom.scanner import VENDORS
from casemix.recipes.phantom.vitals import CHANNELS, LIMITS

SUBJECTS = (
    Field("age", Kind.NUMERIC, "a", range=(18, 95), description="Age at admission"),
    Field("sex", Kind.BINARY, levels=("F", "M"), description="Sex"),
    Field("bmi", Kind.NUMERIC, "kg/m2", range=(15, 55), description="Body mass index"),
    Field("group", Kind.CATEGORICAL, levels=GROUPS, description="Diagnosis group"),
    Field("smoker", Kind.BINARY, description="Smokes now"),
    Field("diabetes", Kind.BINARY, description="Known diabetes mellitus"),
    Field("hypertension", Kind.BINARY, description="Known hypertension"),
)

_LAB_UNITS = {
    "nt_probnp": ("pg/mL", "N-terminal pro-B-type natriuretic peptide"),
    "troponin": ("ng/L", "High-sensitivity cardiac troponin"),
    "creatinine": ("mg/dL", "Serum creatinine"),
    "egfr": ("mL/min/{1.73_m2}", "Estimated glomerular filtration rate, CKD-EPI 2021"),
    "haemoglobin": ("g/dL", "Haemoglobin"),
    "sodium": ("mmol/L", "Serum sodium"),
    "potassium": ("mmol/L", "Serum potassium"),
    "crp": ("mg/L", "C-reactive protein"),
    "ldl": ("mg/dL", "Low-density lipoprotein cholesterol"),
    "hba1c": ("%", "Glycated haemoglobin"),
}
LABS = (
    *(
        Field(name, Kind.NUMERIC, unit, range=REPORTED[name][:2], description=description)
        for name, (unit, description) in _LAB_UNITS.items()
    ),
    Field("nyha", Kind.ORDINAL, levels=NYHA, description="New York Heart Association class"),
    Field("beta_blocker", Kind.BINARY, description="Takes a beta blocker"),
)

_VITAL_UNITS = ("/min", "mm[Hg]", "mm[Hg]", "/min", "%", "Cel")
_VITAL_NAMES = (
    "Heart rate", "Systolic blood pressure", "Diastolic blood pressure", "Respiratory rate",
    "Peripheral oxygen saturation", "Body temperature",
)  # fmt: skip
VITALS = tuple(
    Field(name, Kind.NUMERIC, unit, range=(low, high), description=description)
    for name, unit, low, high, description in zip(
        CHANNELS, _VITAL_UNITS, *LIMITS.tolist(), _VITAL_NAMES, strict=True
    )
)

IMAGING = (
    Field(
        "vendor", Kind.CATEGORICAL, levels=tuple(v.name for v in VENDORS), description="MR scanner"
    ),
    Field("pixel_spacing", Kind.NUMERIC, "mm", range=(1.5, 3.5), description="Pixel spacing"),
)
