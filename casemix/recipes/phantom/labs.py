"""Laboratory values, NYHA class and treatment, as a hospital's table would hold them.

Reference:
    NT-proBNP rises with wall stress, age and falling renal function and falls with obesity;
    rule-out limits 125 (chronic) and 300 pg/mL (acute): McDonagh TA et al., ESC heart-failure
    guideline, Eur Heart J 2021; 42:3599. Renal function: Inker LA et al., CKD-EPI 2021, N Engl J
    Med 2021; 385:1737. Spreads and effect sizes are choices of this simulator.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from casemix.recipes.phantom.anatomy import PatientState
from casemix.recipes.phantom.context import Context
from casemix.recipes.phantom.draws import Draws

NYHA = ("I", "II", "III", "IV")

# Natural logarithms of the typical value, one number per group (see context.GROUPS).
_LOG_NT_PROBNP = np.log([70.0, 1500.0, 650.0, 1100.0, 700.0])  # pg/mL
_LOG_TROPONIN = np.log([6.0, 18.0, 14.0, 60.0, 11.0])  # ng/L
_LOG_CRP = np.log([1.5, 3.5, 2.0, 6.0, 2.5])  # mg/L
_NYHA_LIMITS = np.array([[1.2, -1.0, -0.3, -0.8, -0.5]]).T + np.array([[0.0, 1.3, 2.5]])

# Column -> lowest and highest reportable value, and recorded decimals.
REPORTED: dict[str, tuple[float, float, int]] = {
    "nt_probnp": (5.0, 35000.0, 0),
    "troponin": (3.0, 10000.0, 0),
    "creatinine": (0.3, 12.0, 2),
    "egfr": (3.0, 150.0, 0),
    "haemoglobin": (5.0, 20.0, 1),
    "sodium": (115.0, 160.0, 0),
    "potassium": (2.2, 7.5, 1),
    "crp": (0.3, 400.0, 1),
    "ldl": (20.0, 300.0, 0),
    "hba1c": (4.0, 15.0, 1),
}


def measure_labs(context: Context, state: PatientState, draws: Draws) -> pd.DataFrame:
    """Return one row per subject, with the values that were not ordered as NaN.

    Returns:
        Index ``subject_id``; the columns of `REPORTED` in the units of `fields.LABS`, then
        ``nyha`` (I-IV) and ``beta_blocker`` (nullable boolean).
    """
    values = _values(context, state, draws)
    recorded = {
        name: np.round(np.clip(values[name], low, high), decimals)
        for name, (low, high, decimals) in REPORTED.items()
    }
    table = pd.DataFrame(recorded, index=pd.Index(draws.ids, name="subject_id"))
    unordered = _unordered(context, state, values, draws)
    for name, cells in unordered.items():
        table.loc[cells, name] = np.nan
    table["nyha"] = _nyha(context, state, draws)
    table["beta_blocker"] = pd.array(state.beta_blocker, dtype="boolean")
    return table


def egfr_ckd_epi(creatinine: np.ndarray, age: np.ndarray, female: np.ndarray) -> np.ndarray:
    """Return the CKD-EPI 2021 glomerular filtration rate in mL/min/1.73 m2.

    Args:
        creatinine: mg/dL.
        age: years.
        female: 1 or 0.
    """
    ratio = creatinine / np.where(female == 1, 0.7, 0.9)
    below = np.minimum(ratio, 1.0) ** np.where(female == 1, -0.241, -0.302)
    above = np.maximum(ratio, 1.0) ** -1.200
    return 142.0 * below * above * 0.9938**age * np.where(female == 1, 1.012, 1.0)


def _values(context: Context, state: PatientState, draws: Draws) -> dict[str, np.ndarray]:
    group, older = context.group, context.decades_over_60
    sick, large = state.severity, state.anatomy
    noise = {name: draws.normal(name) for name in REPORTED if name != "egfr"}
    creatinine = np.where(context.female == 1, 0.78, 0.98) * np.exp(
        0.05 * older + 0.08 * context.hypertension + 0.08 * context.diabetes
        + 0.10 * sick + 0.14 * noise["creatinine"]
    )  # fmt: skip
    egfr = egfr_ckd_epi(np.round(creatinine, 2), context.age, context.female)
    return {
        "nt_probnp": np.exp(
            _LOG_NT_PROBNP[group] + 0.65 * sick + 0.22 * large + 0.65 * noise["nt_probnp"]
            + 0.12 * older - 0.015 * (context.bmi - 27.0) + 0.15 * context.female
        ),
        "troponin": np.exp(
            _LOG_TROPONIN[group] + 0.45 * sick + 0.10 * older + 0.50 * noise["troponin"]
        ),
        "creatinine": creatinine,
        "egfr": egfr,
        "haemoglobin": np.where(context.female == 1, 13.2, 14.7)
        - 0.45 * sick - 0.12 * older + 0.95 * noise["haemoglobin"],
        "sodium": 139.8 - 1.3 * sick + 2.0 * noise["sodium"],
        "potassium": 4.25 + 0.10 * sick + 0.37 * noise["potassium"],
        "crp": np.exp(
            _LOG_CRP[group] + 0.45 * sick + 0.25 * context.smoker + 0.75 * noise["crp"]
        ),
        "ldl": 122.0 - 20.0 * (group == 3) - 8.0 * sick + 30.0 * noise["ldl"],
        "hba1c": 5.5 + 1.7 * context.diabetes
        + (0.25 + 0.75 * context.diabetes) * noise["hba1c"],
    }  # fmt: skip


def _unordered(
    context: Context, state: PatientState, values: dict[str, np.ndarray], draws: Draws
) -> dict[str, np.ndarray]:
    """Return which cells are missing: not at random, a test is ordered where it is expected bad."""
    sick, ones = state.severity, np.ones(len(state.severity))
    raised = (np.log(values["nt_probnp"]) - np.log(300.0)) / 2.0
    probit = {
        "nt_probnp": -1.9 - 0.5 * raised,
        "troponin": np.where(context.group == 3, -2.0, -0.8) - 0.4 * sick,
        "haemoglobin": -2.0 * ones,
        "sodium": -1.8 * ones,
        "potassium": -1.7 * ones,
        "crp": -0.5 - 0.4 * np.log(values["crp"] / 3.0),
        "ldl": -0.4 + 0.3 * sick,
        "hba1c": np.where(context.diabetes == 1, -1.2, 0.6),
    }
    cells = {name: draws.happens(f"{name} unordered", p) for name, p in probit.items()}
    kidney = draws.happens("creatinine unordered", -2.0 - 0.2 * sick)
    return cells | {"creatinine": kidney, "egfr": kidney}


def _nyha(context: Context, state: PatientState, draws: Draws) -> np.ndarray:
    burden = 0.8 * state.severity + 0.6 * draws.normal("nyha")
    level = (burden[:, None] > _NYHA_LIMITS[context.group]).sum(axis=1)
    nyha = np.array(NYHA, dtype=object)[level]
    nyha[draws.uniform("nyha unrecorded") < 0.05] = None
    return nyha
