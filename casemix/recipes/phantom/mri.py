"""The MR examination: one mid-ventricular short-axis slice at end-diastole and end-systole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from casemix.recipes.phantom.anatomy import PatientState
from casemix.recipes.phantom.context import Context
from casemix.recipes.phantom.draws import Draws
from casemix.recipes.phantom.geometry import Contours, draw_contours, heart_extent
from casemix.recipes.phantom.scanner import VENDORS, acquire, draw_vendor
from casemix.recipes.phantom.scene import SIZE, Placement, paint

_Columns = TypeVar("_Columns", Context, Contours, Placement)

_BATCH = 32  # subjects drawn at once: about 150 MB
_MARGIN = 22.0  # mm around the heart that a field of view must show


@dataclass(frozen=True)
class Examination:
    """The pictures of all subjects.

    Args:
        images: uint8 (n, 2, 64, 64), end-diastole then end-systole.
        masks: uint8 (n, 2, 64, 64): 0 background, 1 right ventricle, 2 myocardium, 3 left
            ventricle.
        fields: index ``subject_id``; vendor and pixel_spacing (mm).
    """

    images: np.ndarray
    masks: np.ndarray
    fields: pd.DataFrame


def examine(context: Context, state: PatientState, draws: Draws) -> Examination:
    """Return the MR examinations; the masks come from the same geometry as the pictures."""
    n = len(draws.ids)
    contours = draw_contours(context, state, draws)
    placement = _place(context, contours, draws)
    vendor = draw_vendor(draws)
    images = np.empty((n, 2, SIZE, SIZE), dtype=np.uint8)
    masks = np.empty_like(images)
    for start in range(0, n, _BATCH):
        rows = slice(start, start + _BATCH)
        part = draws.part(rows)
        scene, masks[rows] = paint(
            _rows(context, rows), _rows(contours, rows), state.effusion[rows],
            _rows(placement, rows), part,
        )  # fmt: skip
        images[rows] = acquire(scene, vendor[rows], part)
    fields = pd.DataFrame(
        {
            "vendor": np.array([v.name for v in VENDORS], dtype=object)[vendor],
            "pixel_spacing": placement.spacing,
        },
        index=pd.Index(draws.ids, name="subject_id"),
    )
    return Examination(images, masks, fields)


def _place(context: Context, contours: Contours, draws: Draws) -> Placement:
    """Choose a field of view that shows the whole heart, and lay the heart into it."""
    to_rv, to_lateral = heart_extent(contours)
    usual = 2.12 + 0.012 * (context.bmi - 27.0) + 0.07 * draws.normal("field of view")
    needed = (to_rv + to_lateral + _MARGIN) / SIZE
    jitter = np.clip(3.0 * draws.normal("heart position", (2,)), -6.0, 6.0)
    shift = -0.5 * (to_rv - to_lateral)  # brings the middle of both ventricles to the centre
    return Placement(
        spacing=np.round(np.clip(np.maximum(usual, needed), 1.80, 3.00), 2),
        x=shift * np.cos(contours.septum) + jitter[:, 0],
        y=shift * np.sin(contours.septum) + jitter[:, 1] + 4.0,
    )


def _rows(of: _Columns, rows: slice) -> _Columns:
    return type(of)(**{name: values[rows] for name, values in vars(of).items()})
