"""Mid-ventricular short-axis contours at end-diastole and end-systole.

All contours are radii around the centre of the left ventricle, on `ANGLES` equally spaced
directions (anticlockwise from image right). Cavity areas are exact: each contour is solved so that
the area it encloses is the one that the patient's volumes ask for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from casemix.recipes.phantom.anatomy import (
    ABNORMAL_RV,
    PatientState,
    lv_area,
    rv_area,
    septal_asymmetry,
)
from casemix.recipes.phantom.context import Context
from casemix.recipes.phantom.draws import Draws

ANGLES = 180
_THETA = np.arange(ANGLES) * 2.0 * np.pi / ANGLES
_STEP = 2.0 * np.pi / ANGLES
_SEPTUM = np.deg2rad(170.0)  # direction of the right ventricle in an unrotated picture
#: Direction of a scar relative to the septum, radians: anterior, inferior, lateral wall.
_SITE_ANGLES = np.array([-1.25, 1.45, 2.75])
_AKINESIA = 0.95  # share of the contraction that a scar loses
_THINNING = 0.45  # share of the wall that a scar loses


@dataclass(frozen=True)
class Contours:
    """Radii in mm around the left ventricle's centre, each (n, 2, ANGLES): ED, then ES.

    Args:
        endo: inner edge of the myocardium.
        epi: outer edge of the myocardium.
        rv: outer edge of the right ventricle's cavity; equal to ``epi`` where there is none.
        rotation: how far the heart is turned, radians, (n,).
    """

    endo: np.ndarray
    epi: np.ndarray
    rv: np.ndarray
    rotation: np.ndarray

    @property
    def septum(self) -> np.ndarray:
        """Direction of the right ventricle, radians, (n,)."""
        return _SEPTUM + self.rotation


def draw_contours(context: Context, state: PatientState, draws: Draws) -> Contours:
    """Return the contours that the patient's volumes, wall and scar ask for."""
    rotation = np.deg2rad(9.0) * np.clip(draws.normal("heart rotation"), -2.2, 2.2)
    from_septum = _wrapped(_THETA - (_SEPTUM + rotation)[:, None])  # (n, ANGLES)
    scar = _scar(state, rotation)
    septal = np.exp(-((from_septum / 0.9) ** 2))
    right = (context.group == ABNORMAL_RV)[:, None]

    lv_areas = np.stack([lv_area(state.lv_edv), lv_area(state.lv_esv)], axis=1)  # (n, 2)
    endo_ed = _scaled_to(_outline(from_septum, right, draws), lv_areas[:, 0])
    contraction = (1.0 - np.where(right, 0.35, 0.15) * septal) * (1.0 - _AKINESIA * scar)
    endo_es = _contracted(endo_ed, contraction, lv_areas[:, 0] - lv_areas[:, 1])

    wall = _wall(context, state, septal, scar)
    epi_ed = endo_ed + wall
    epi_es = _thickened(endo_es, wall, contraction, _muscle(endo_ed, epi_ed, state))

    rv_shape = _rv_shape(from_septum, state)
    rv_ed = epi_ed + _band(epi_ed, rv_shape, rv_area(state.rv_edv))
    rv_es = epi_es + _band(epi_es, rv_shape, rv_area(state.rv_esv))
    return Contours(
        endo=np.stack([endo_ed, endo_es], axis=1),
        epi=np.stack([epi_ed, epi_es], axis=1),
        rv=np.stack([rv_ed, rv_es], axis=1),
        rotation=rotation,
    )


def enclosed_area(radii: np.ndarray) -> np.ndarray:
    """Return the area (mm2) inside contours of radii (mm), (..., ANGLES) -> (...)."""
    return 0.5 * (radii**2).sum(axis=-1) * _STEP


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


def _outline(from_septum: np.ndarray, right: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the cavity's shape without its size: an oval, uneven, flat at a loaded septum."""
    uneven = draws.normal("lv outline", (2, 3))  # cosine and sine of harmonics 2 to 4
    shape = np.ones_like(from_septum)
    for row, size in enumerate((0.035, 0.012, 0.008)):
        angle = (row + 2) * from_septum
        shape += size * (
            uneven[:, 0, row, None] * np.cos(angle) + uneven[:, 1, row, None] * np.sin(angle)
        )
    flat = 0.20 + 0.04 * np.clip(draws.normal("septal flattening"), -2.0, 2.0)
    return shape * (1.0 - right * flat[:, None] * np.exp(-((from_septum / 0.65) ** 2)))


def _scar(state: PatientState, rotation: np.ndarray) -> np.ndarray:
    """Return how much of each direction is scar, in [0, 1], (n, ANGLES)."""
    angle = _SEPTUM + rotation + _SITE_ANGLES[np.maximum(state.infarct_site, 0)]
    away = np.abs(_wrapped(_THETA - angle[:, None]))
    edge = 0.18  # rad over which scar turns into healthy wall
    inside = 1.0 / (1.0 + np.exp((away - state.infarct_extent[:, None]) / (edge / 2.0)))
    return inside * (state.infarct_site >= 0)[:, None]


def _wall(
    context: Context, state: PatientState, septal: np.ndarray, scar: np.ndarray
) -> np.ndarray:
    thinnest = septal_asymmetry(context.group)[:, None]
    profile = thinnest + (1.0 - thinnest) * septal
    return state.wall_thickness[:, None] * profile * (1.0 - _THINNING * scar)


def _scaled_to(shape: np.ndarray, area: np.ndarray) -> np.ndarray:
    return shape * np.sqrt(area / enclosed_area(shape))[:, None]


def _contracted(radii: np.ndarray, contraction: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Return radii x (1 - s x contraction) with the s that loses the area ``lost`` (mm2)."""
    linear = (radii**2 * contraction).sum(axis=1) * _STEP
    square = 0.5 * ((radii * contraction) ** 2).sum(axis=1) * _STEP
    s = (linear - np.sqrt(linear**2 - 4.0 * square * lost)) / (2.0 * square)
    return radii * (1.0 - s[:, None] * contraction)


def _band(inner: np.ndarray, shape: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Return s x shape with the s that makes the band outside ``inner`` hold ``area`` (mm2)."""
    linear = (inner * shape).sum(axis=1) * _STEP
    square = 0.5 * (shape**2).sum(axis=1) * _STEP
    s = (-linear + np.sqrt(linear**2 + 4.0 * square * area)) / (2.0 * square)
    return s[:, None] * shape


def _muscle(endo: np.ndarray, epi: np.ndarray, state: PatientState) -> np.ndarray:
    """Return the myocardial area (mm2) of the slice at end-systole.

    Myocardium keeps its volume while the ventricle shortens, so its short-axis area grows. The
    wall shortens less along the axis than the cavity does (about 15 % at a normal ejection
    fraction), hence the power of one sixth.
    """
    diastolic = enclosed_area(epi) - enclosed_area(endo)
    return diastolic * (1.0 - state.lv_ef / 100.0) ** (-1.0 / 6.0)


def _thickened(
    endo: np.ndarray, wall: np.ndarray, contraction: np.ndarray, muscle: np.ndarray
) -> np.ndarray:
    resting = endo + wall
    missing = muscle - (enclosed_area(resting) - enclosed_area(endo))
    return resting + _band(resting, wall * contraction, missing)


def _rv_shape(from_septum: np.ndarray, state: PatientState) -> np.ndarray:
    """Return the crescent's depth without its size; a large right ventricle reaches further."""
    reach = np.clip(1.15 + 0.15 * (state.rv_edv / state.lv_edv - 1.0), 1.00, 1.40)[:, None]  # rad
    along = from_septum / reach
    depth = np.maximum(1.0 - along**2, 0.0) ** 0.7
    return depth * (1.0 + 0.25 * along)  # deeper towards the diaphragm


def heart_extent(contours: Contours) -> tuple[np.ndarray, np.ndarray]:
    """Return the reach (mm) towards the right ventricle and away from it, each (n,)."""
    return contours.rv[:, 0].max(axis=1), contours.epi[:, 0].mean(axis=1)
