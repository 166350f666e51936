"""The hidden patient: severity, anatomy, and the ventricles that follow from them.

Reference:
    Group limits: Bernard O et al., "Deep learning techniques for automatic MRI cardiac
    multi-structures segmentation and diagnosis" (ACDC), IEEE Trans Med Imaging 2018; 37:2514.
    Centres of the healthy group (LVEF 61 % in women, 58 % in men) and the signs of the age and
    sex effects: Petersen SE et al., UK Biobank reference ranges, J Cardiovasc Magn Reson 2017;
    19:18. Spreads inside the diseased groups are choices of this simulator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.recipes.phantom.context import GROUPS, Context
from casemix.recipes.phantom.draws import Draws, between

#: LV cavity volume (mL) = SHAPE x (mid-ventricular short-axis area in cm2)^1.5. A bullet of
#: length 2.03 x sqrt(area) holds 5/6 x area x length. Long and short axis shorten alike.
LV_SHAPE = 1.69
RV_SHAPE = 2.00
_LENGTH_SHAPE = 2.03
_MYOCARDIUM_DENSITY = 1.05  # g/mL

INFARCT_SITES = ("anterior", "inferior", "lateral")
_SITE_SHARES = np.array([0.45, 0.35, 0.20])

HYPERTROPHIC = GROUPS.index("hypertrophic")
INFARCTION = GROUPS.index("infarction")
ABNORMAL_RV = GROUPS.index("abnormal_rv")

# Per quantity: lowest, highest and probit of the typical value, one column per group.
#                  normal dilated hypertr. infarct abn. RV
_LVEF = np.array([[50.0, 10.0, 55.0, 15.0, 45.0],  # %
                  [72.0, 40.0, 82.0, 40.0, 68.0],
                  [-0.15, 0.1, -0.1, 0.25, 0.0]])  # fmt: skip
_LVEDV = np.array([[50.0, 101.0, 48.0, 75.0, 50.0],  # mL/m2
                   [112.0, 200.0, 100.0, 160.0, 105.0],
                   [0.0, -0.45, 0.0, -0.2, -0.1]])  # fmt: skip
_RVEF = np.array([[46.0, 20.0, 50.0, 34.0, 15.0],  # %
                  [70.0, 58.0, 76.0, 64.0, 40.0],
                  [0.0, 0.0, 0.1, 0.2, 0.3]])  # fmt: skip
_RVEDV = np.array([[52.0, 60.0, 50.0, 55.0, 110.0],  # mL/m2
                   [108.0, 135.0, 100.0, 112.0, 190.0],
                   [0.0, -0.2, -0.1, -0.2, -0.4]])  # fmt: skip
_WALL = np.array([[6.0, 5.0, 15.0, 6.0, 6.0],  # mm, thickest segment at end-diastole
                  [12.0, 9.5, 28.0, 11.5, 11.5],
                  [-0.1, 0.0, -0.4, 0.0, -0.1]])  # fmt: skip


@dataclass(frozen=True)
class PatientState:
    """The patient as one view sees it; every array is of shape (n,).

    Args:
        severity: latent, standard normal; higher is sicker.
        anatomy: latent, standard normal; higher is a larger heart with a larger stroke.
        lv_ef: left ventricular ejection fraction, %.
        lv_edv: left ventricular end-diastolic volume, mL.
        rv_ef: right ventricular ejection fraction, %.
        rv_edv: right ventricular end-diastolic volume, mL.
        wall_thickness: thickest left ventricular segment at end-diastole, mm.
        lv_mass: left ventricular mass, g.
        infarct_site: position in `INFARCT_SITES`, or -1 without an infarct.
        infarct_extent: half-width of the scar, radians along the ring; 0 without an infarct.
        effusion: whether the pericardium holds fluid.
        beta_blocker: whether the patient takes one.
    """

    severity: np.ndarray
    anatomy: np.ndarray
    lv_ef: np.ndarray
    lv_edv: np.ndarray
    rv_ef: np.ndarray
    rv_edv: np.ndarray
    wall_thickness: np.ndarray
    lv_mass: np.ndarray
    infarct_site: np.ndarray
    infarct_extent: np.ndarray
    effusion: np.ndarray
    beta_blocker: np.ndarray

    @property
    def lv_esv(self) -> np.ndarray:
        """Left ventricular end-systolic volume, mL."""
        return self.lv_edv * (1.0 - self.lv_ef / 100.0)

    @property
    def rv_esv(self) -> np.ndarray:
        """Right ventricular end-systolic volume, mL."""
        return self.rv_edv * (1.0 - self.rv_ef / 100.0)


def patient_state(context: Context, draws: Draws) -> PatientState:
    """Return the hidden patient of one view, given the recorded context."""
    severity, anatomy = draws.normal("severity"), draws.normal("anatomy")
    older, female = context.decades_over_60, context.female
    noise = {name: draws.normal(name) for name in ("lv_ef", "lv_edv", "rv_ef", "rv_edv", "wall")}
    group, body = context.group, context.body_surface

    lv_ef = -0.75 * severity - 0.10 * anatomy + 0.25 * noise["lv_ef"] + 0.35 * (female - 0.4)
    lv_edv = 0.30 * severity + 0.65 * anatomy + 0.30 * noise["lv_edv"]
    lv_edv += -0.06 * older - 0.50 * (female - 0.4)
    rv_ef = -0.50 * severity + 0.50 * noise["rv_ef"] + 0.30 * (female - 0.4)
    rv_edv = 0.35 * severity + 0.55 * anatomy + 0.40 * noise["rv_edv"]
    rv_edv += -0.06 * older - 0.50 * (female - 0.4)
    wall = np.where(group == HYPERTROPHIC, 0.55, 0.10) * severity + 0.30 * anatomy
    wall += 0.40 * noise["wall"] + 0.35 * (context.hypertension - 0.4) - 0.40 * (female - 0.4)

    volume, thickness = body * _within(_LVEDV, group, lv_edv), _within(_WALL, group, wall)
    site, extent = _infarct(context, severity, draws)
    return PatientState(
        severity=severity,
        anatomy=anatomy,
        lv_ef=_within(_LVEF, group, lv_ef),
        lv_edv=volume,
        rv_ef=_within(_RVEF, group, rv_ef),
        rv_edv=body * _within(_RVEDV, group, rv_edv),
        wall_thickness=thickness,
        lv_mass=lv_mass(volume, thickness * mean_wall_share(group)),
        infarct_site=site,
        infarct_extent=extent,
        effusion=draws.happens("effusion", -1.6 + 0.6 * severity),
        beta_blocker=draws.happens(
            "beta blocker", np.array([-1.2, 1.0, 0.6, 0.9, -0.3])[group] + 0.3 * severity
        ),
    )


def lv_area(volume: np.ndarray) -> np.ndarray:
    """Return the mid-ventricular LV cavity area (mm2) of a cavity volume (mL)."""
    return 100.0 * (volume / LV_SHAPE) ** (2.0 / 3.0)


def lv_volume(area: np.ndarray) -> np.ndarray:
    """Return the LV cavity volume (mL) of a mid-ventricular cavity area (mm2)."""
    return LV_SHAPE * (area / 100.0) ** 1.5


def rv_area(volume: np.ndarray) -> np.ndarray:
    """Return the mid-ventricular RV cavity area (mm2) of a cavity volume (mL)."""
    return 100.0 * (volume / RV_SHAPE) ** (2.0 / 3.0)


def lv_mass(volume: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Return the myocardial mass (g) around a cavity (mL) with this mean wall (mm).

    The wall lies round the bullet-shaped cavity and over its apex, at end-diastole.
    """
    area = lv_area(volume) / 100.0  # cm2
    wall = wall / 10.0  # cm
    outer_area = np.pi * (np.sqrt(area / np.pi) + wall) ** 2
    outer = LV_SHAPE / _LENGTH_SHAPE * outer_area * (_LENGTH_SHAPE * np.sqrt(area) + wall)
    return _MYOCARDIUM_DENSITY * (outer - volume)


def septal_asymmetry(group: np.ndarray) -> np.ndarray:
    """Return the thinnest wall as a share of the thickest: hypertrophy is asymmetric."""
    return np.where(group == HYPERTROPHIC, 0.5, 0.82)


def mean_wall_share(group: np.ndarray) -> np.ndarray:
    """Return the mean wall as a share of the thickest; the septum is a quarter of the ring."""
    thinnest = septal_asymmetry(group)
    return thinnest + 0.25 * (1.0 - thinnest)


def _within(limits: np.ndarray, group: np.ndarray, probit: np.ndarray) -> np.ndarray:
    low, high, typical = limits[:, group]
    return between(low, high, typical + probit)


def _infarct(context: Context, severity: np.ndarray, draws: Draws) -> tuple[np.ndarray, np.ndarray]:
    present = context.group == INFARCTION
    site = np.where(present, draws.choice("infarct site", _SITE_SHARES), -1)
    spread = 0.6 * severity + 0.5 * draws.normal("infarct extent")
    extent = between(np.array(0.50), np.array(1.00), spread)  # rad
    return site, np.where(present, extent, 0.0)
