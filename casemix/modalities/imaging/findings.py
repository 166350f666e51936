"""Findings of pictures: brightness, sharpness and noise per frame; sizes of what masks label.

Cardiac findings need the mask labels ``left_ventricle``, ``myocardium`` and ``right_ventricle``,
and the ejection fraction the frames ``ED`` and ``ES`` (end-diastole, end-systole).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import ndimage

from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.layout import Layout

_LAPLACE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601 luma


def findings_schema(layout: Layout) -> Schema:
    """Return the fields that pictures of this layout have."""
    fields = []
    for frame in layout.pictures:
        fields += [
            _number(f"{_of(frame)}brightness", "%", "Mean intensity, share of white"),
            _number(f"{_of(frame)}contrast", "%", "Standard deviation of the intensity"),
            _number(f"{_of(frame)}sharpness", "%", "Mean gradient magnitude, per pixel"),
            _number(f"{_of(frame)}noise", "%", "Noise standard deviation (Immerkaer 1996)"),
        ]
    for frame in layout.masks:
        fields += [
            _number(f"{_of(frame)}{label}.area", "%", f"Share of the picture that is {label}")
            for label in layout.mask_labels[1:]
        ]
        if _is_cardiac(layout):
            fields += [
                _number(f"{_of(frame)}myocardial_thickness", "{px}", "Mean myocardial thickness"),
                _number(f"{_of(frame)}rv_lv_area_ratio", "1", "Right over left ventricle, areas"),
            ]
    if _has_cycle(layout):
        fields.append(
            _number("lv_ejection_fraction", "%", "100 (1 - (ES area / ED area)^1.5), one slice")
        )
    return Schema(tuple(fields))


def findings(samples: Samples, schema: Schema) -> pd.DataFrame:
    """Return typed findings, index = sample ids, columns as in ``schema``.

    Args:
        samples: pictures.
        schema: the findings wanted (see `findings_schema`); one that the pictures do not have,
            such as an area where there is no mask, is missing.
    """
    images: Images = samples.payload
    columns = intensity_findings(images) | mask_findings(images)
    n = len(images)
    return pd.DataFrame(
        {name: columns.get(name, np.full(n, np.nan)) for name in schema.names},
        index=samples.index.index,
        dtype="float64",
    )


def intensity_findings(images: Images) -> dict[str, np.ndarray]:
    """Return name -> float64 (n,) of what is measured on the pixels alone."""
    found = {}
    for frame, channels in images.layout.pictures.items():
        grey = _grey(images.pixels[:, list(channels)])  # (n, h, w) in 0..1
        gy, gx = np.gradient(grey, axis=(1, 2)) if min(grey.shape[1:]) > 1 else (grey, grey)
        found[f"imaging.{_of(frame)}brightness"] = 100 * grey.mean(axis=(1, 2))
        found[f"imaging.{_of(frame)}contrast"] = 100 * grey.std(axis=(1, 2))
        found[f"imaging.{_of(frame)}sharpness"] = 100 * np.hypot(gy, gx).mean(axis=(1, 2))
        found[f"imaging.{_of(frame)}noise"] = 100 * noise_level(grey)
    return found


def noise_level(grey: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the noise of pictures (n, h, w), float64 (n,).

    Reference:
        Immerkaer J. Fast noise variance estimation. Comput Vis Image Underst 1996; 64:300.
    """
    response = ndimage.convolve(grey, _LAPLACE[None], mode="nearest")
    return np.sqrt(np.pi / 2) / 6 * np.abs(response).mean(axis=(1, 2))


def mask_findings(images: Images) -> dict[str, np.ndarray]:
    """Return name -> float64 (n,) of what is measured on the masks; NaN without a mask."""
    layout = images.layout
    found: dict[str, np.ndarray] = {}
    for frame, position in layout.masks.items():
        areas = label_areas(images, position)  # label -> (n,) pixels
        for label in layout.mask_labels[1:]:
            share = 100 * areas[label] / (layout.height * layout.width)
            found[f"imaging.{_of(frame)}{label}.area"] = share
        if _is_cardiac(layout):
            ratio = areas["right_ventricle"] / _positive(areas["left_ventricle"])
            found[f"imaging.{_of(frame)}rv_lv_area_ratio"] = ratio
            thickness = ring_thickness(areas["left_ventricle"], areas["myocardium"])
            found[f"imaging.{_of(frame)}myocardial_thickness"] = thickness
    if _has_cycle(layout):
        ed, es = (label_areas(images, layout.masks[f])["left_ventricle"] for f in ("ED", "ES"))
        found["imaging.lv_ejection_fraction"] = area_ejection_fraction(ed, es)
    return found


def label_areas(images: Images, frame: int) -> dict[str, np.ndarray]:
    """Return label -> area in pixels, float64 (n,), NaN for pictures without a mask."""
    assert images.masks is not None
    mask = images.masks[:, frame]  # (n, h, w)
    return {
        label: np.where(images.masked, (mask == value).sum(axis=(1, 2)), np.nan)
        for value, label in enumerate(images.mask_labels)
    }


def area_ejection_fraction(end_diastole: np.ndarray, end_systole: np.ndarray) -> np.ndarray:
    """Return the ejection fraction in % from left-ventricular areas of one slice.

    A volume is taken to grow as its cross-section to the power 1.5. Missing where the
    end-diastolic area is 0.
    """
    return 100 * (1 - (end_systole / _positive(end_diastole)) ** 1.5)


def ring_thickness(cavity: np.ndarray, wall: np.ndarray) -> np.ndarray:
    """Return the thickness in pixels of a circular wall of this area around this cavity.

    Missing where either has no pixel.
    """
    inner, ring = _positive(cavity), _positive(wall)
    return np.sqrt((inner + ring) / np.pi) - np.sqrt(inner / np.pi)


def _is_cardiac(layout: Layout) -> bool:
    return {"left_ventricle", "myocardium", "right_ventricle"} <= set(layout.mask_labels)


def _has_cycle(layout: Layout) -> bool:
    return "left_ventricle" in layout.mask_labels and {"ED", "ES"} <= set(layout.masks)


def _grey(channels: np.ndarray) -> np.ndarray:
    weights = _GREY if channels.shape[1] == 3 else np.ones(1, dtype=np.float32)
    return np.einsum("nchw,c->nhw", channels.astype(np.float32) / 255, weights)


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)


def _of(frame: str) -> str:
    return f"{frame.lower()}." if frame else ""


def _number(name: str, unit: str, description: str) -> Field:
    return Field(f"imaging.{name}", Kind.NUMERIC, unit, description=description)
