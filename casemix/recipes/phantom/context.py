"""The recorded context: who the subjects are, before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from casemix.recipes.phantom.draws import Draws

GROUPS = ("normal", "dilated", "hypertrophic", "infarction", "abnormal_rv")

_SHARES = np.array([0.24, 0.20, 0.18, 0.22, 0.16])
_FEMALE = np.array([0.50, 0.35, 0.40, 0.25, 0.48])
_AGE_MEAN = np.array([50.0, 58.0, 53.0, 65.0, 49.0])  # years
_AGE_SD = np.array([15.0, 13.0, 15.0, 11.0, 16.0])  # years
_AGE_RANGE = (18.0, 95.0)  # years
_UNRECORDED_BMI = 0.04
_UNRECORDED_SMOKER = 0.08
# Probit of smoking, diabetes and hypertension at age 60 and BMI 27, per group.
_SMOKER = np.array([-0.90, -0.65, -0.85, -0.15, -0.65])
_DIABETES = np.array([-1.60, -1.00, -1.25, -0.60, -1.20])
_HYPERTENSION = np.array([-0.75, -0.20, 0.0, 0.35, -0.45])

#: How an unrecorded cell acts: as a subject of the population's mean. Were the hidden value used
#: instead, it would tie the modalities together beyond the recorded context.
MEAN_BMI = 27.0
MEAN_SMOKER = 0.27


def draw_subjects(draws: Draws) -> pd.DataFrame:
    """Return the recorded context, one row per subject.

    Returns:
        Index ``subject_id``; age (whole years, 18-95), sex (F/M), bmi (kg/m2, 15-55, some
        unrecorded), group, smoker (some unrecorded), diabetes, hypertension (nullable booleans).
    """
    group = draws.choice("group", _SHARES)
    female = draws.uniform("sex") < _FEMALE[group]
    low, high = (ndtr((edge - _AGE_MEAN[group]) / _AGE_SD[group]) for edge in _AGE_RANGE)
    within = low + (high - low) * draws.uniform("age")  # of the normal cut to the range
    age = np.clip(np.round(_AGE_MEAN[group] + _AGE_SD[group] * ndtri(within)), *_AGE_RANGE)
    bmi = np.clip(27.0 * np.exp(0.15 * draws.normal("bmi") + 0.001 * (age - 60)), 15.0, 55.0)
    older, heavier = (age - 60.0) / 10.0, (bmi - 27.0) / 5.0
    smoker = draws.happens("smoker", _SMOKER[group] - 0.10 * older)
    diabetes = draws.happens("diabetes", _DIABETES[group] + 0.12 * older + 0.35 * heavier)
    pressure = draws.happens("hypertension", _HYPERTENSION[group] + 0.30 * older + 0.30 * heavier)
    table = pd.DataFrame(
        {
            "age": age,
            "sex": np.where(female, "F", "M"),
            "bmi": np.round(bmi, 1),
            "group": np.array(GROUPS, dtype=object)[group],
            "smoker": pd.array(smoker, dtype="boolean"),
            "diabetes": pd.array(diabetes, dtype="boolean"),
            "hypertension": pd.array(pressure, dtype="boolean"),
        },
        index=pd.Index(draws.ids, name="subject_id"),
    )
    table.loc[draws.uniform("bmi unrecorded") < _UNRECORDED_BMI, "bmi"] = np.nan
    table.loc[draws.uniform("smoker unrecorded") < _UNRECORDED_SMOKER, "smoker"] = pd.NA
    return table


@dataclass(frozen=True)
class Context:
    """The recorded context as numbers, each of shape (n,).

    Args:
        group: position in `GROUPS`.
        age: years.
        female: 1 or 0.
        bmi: kg/m2; unrecorded cells hold the population mean.
        smoker: 1 or 0; unrecorded cells hold the population's share of smokers.
        diabetes: 1 or 0.
        hypertension: 1 or 0.
    """

    group: np.ndarray
    age: np.ndarray
    female: np.ndarray
    bmi: np.ndarray
    smoker: np.ndarray
    diabetes: np.ndarray
    hypertension: np.ndarray

    @classmethod
    def of(cls, subjects: pd.DataFrame) -> Context:
        """Read the table that `draw_subjects` makes."""
        return cls(
            group=pd.Categorical(subjects["group"], categories=GROUPS).codes.astype(int),
            age=subjects["age"].to_numpy(float),
            female=(subjects["sex"] == "F").to_numpy(float),
            bmi=subjects["bmi"].fillna(MEAN_BMI).to_numpy(float),
            smoker=subjects["smoker"].astype("Float64").fillna(MEAN_SMOKER).to_numpy(float),
            diabetes=subjects["diabetes"].to_numpy(float),
            hypertension=subjects["hypertension"].to_numpy(float),
        )

    @property
    def decades_over_60(self) -> np.ndarray:
        """Age as decades over 60 years."""
        return (self.age - 60.0) / 10.0

    @property
    def body_surface(self) -> np.ndarray:
        """Body surface area in m2, from the BMI at the sex's mean height.

        Reference:
            Mosteller RD. N Engl J Med 1987; 317:1098.
        """
        height = np.where(self.female == 1, 1.63, 1.76)  # m
        return np.sqrt(100.0 * height * self.bmi * height**2 / 3600.0)
