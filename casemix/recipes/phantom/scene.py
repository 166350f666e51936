"""What the scanner sees: tissue brightness of the heart and its surroundings, without noise.

Brightness is that of a balanced steady-state free precession cine: blood, fat and fluid bright,
muscle dark grey, lung and air near black.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from casemix.recipes.phantom.context import Context
from casemix.recipes.phantom.draws import Draws
from casemix.recipes.phantom.geometry import ANGLES, Contours

SIZE = 64  # pixels
_FINE = 2  # drawn this many times finer, then averaged
_LV_BLOOD, _RV_BLOOD, _MUSCLE, _PAPILLARY = 0.84, 0.76, 0.30, 0.42
_FAT, _FLUID, _LUNG, _LIVER, _SPINE, _AIR = 0.80, 0.88, 0.07, 0.36, 0.42, 0.02
_RV_WALL = 2.5  # mm
_EFFUSION = 5.0  # mm
_VESSELS = 7


@dataclass(frozen=True)
class Placement:
    """Where the picture lies, each (n,).

    Args:
        spacing: pixel spacing, mm.
        x: left ventricle's centre right of the picture's centre, mm.
        y: left ventricle's centre above the picture's centre, mm.
    """

    spacing: np.ndarray
    x: np.ndarray
    y: np.ndarray


def paint(
    context: Context,
    contours: Contours,
    effusion: np.ndarray,
    placement: Placement,
    draws: Draws,
) -> tuple[np.ndarray, np.ndarray]:
    """Return noise-free pictures and their masks.

    Returns:
        Pictures, float32 (n, 2, 64, 64), brightness about 0 to 1; masks, uint8 (n, 2, 64, 64):
        0 background, 1 right ventricle, 2 myocardium, 3 left ventricle.
    """
    canvas = _Canvas.of(placement)
    radii = _radii(canvas, contours)  # (n, 2, 3, p, p): endo, epi, rv
    soft = canvas.pixel[:, None]
    inside = _cover(canvas.rho[:, None, None] - radii, soft[:, None])
    lv, epi, rv = inside[:, :, 0], inside[:, :, 1], inside[:, :, 2]

    picture = _surroundings(context, canvas, draws)[:, None]  # same at ED and ES
    outer = radii[:, :, 2] + _RV_WALL * (radii[:, :, 2] > radii[:, :, 1] + 0.5)
    beyond = canvas.rho[:, None] - outer
    fat = (0.8 + 0.16 * np.clip(context.bmi - 18.0, 0, 20))[:, None, None, None]  # mm
    picture = _blend(picture, _cover(beyond - fat * _patches(canvas, draws), soft), _FAT)
    fluid = _cover(beyond - _EFFUSION, soft) * effusion[:, None, None, None]
    picture = _blend(picture, fluid, _FLUID)
    picture = _blend(picture, _cover(beyond, soft), _MUSCLE)
    rough = _texture(draws, "rv texture", 12)[:, None]
    picture = _blend(
        picture, rv, _RV_BLOOD * (1.0 + 0.10 * rough) * _trabeculae(canvas, radii[:, :, 2], draws)
    )
    picture = _blend(picture, epi, _MUSCLE * (1.0 + 0.08 * _texture(draws, "muscle", 12)[:, None]))
    picture = _blend(
        picture, lv, _LV_BLOOD * (1.0 + 0.05 * rough) * _trabeculae(canvas, radii[:, :, 0], draws)
    )
    picture = _blend(picture, lv * _papillary(canvas, contours, draws), _PAPILLARY)
    return _reduced(picture), _mask(lv, epi, rv)


@dataclass(frozen=True)
class _Canvas:
    """Fine pixel coordinates in mm: x, y from the picture's centre; rho, theta from the LV's."""

    x: np.ndarray  # (n, p, p)
    y: np.ndarray
    rho: np.ndarray
    theta: np.ndarray
    pixel: np.ndarray  # (n, 1, 1)

    @classmethod
    def of(cls, placement: Placement) -> _Canvas:
        steps = SIZE * _FINE
        offsets = ((np.arange(steps) + 0.5) / _FINE - SIZE / 2).astype(np.float32)
        spacing = placement.spacing.astype(np.float32)[:, None, None]
        x = np.broadcast_to(spacing * offsets[None, None, :], (len(spacing), steps, steps))
        y = np.broadcast_to(-spacing * offsets[None, :, None], x.shape)
        from_x = x - placement.x.astype(np.float32)[:, None, None]
        from_y = y - placement.y.astype(np.float32)[:, None, None]
        theta = np.arctan2(from_y, from_x) % np.float32(2 * np.pi)
        return cls(x, y, np.hypot(from_x, from_y), theta, spacing / _FINE)


def _radii(canvas: _Canvas, contours: Contours) -> np.ndarray:
    """Return each contour's radius in each pixel's direction, float32 (n, 2, 3, p, p)."""
    table = np.stack([contours.endo, contours.epi, contours.rv], axis=2).astype(np.float32)
    table = np.concatenate([table, table[..., :1]], axis=-1)  # the circle closes
    n, p = len(table), canvas.theta.shape[-1]
    position = (canvas.theta * np.float32(ANGLES / (2 * np.pi))).reshape(n, 1, p * p)
    left = np.minimum(position.astype(np.int64), ANGLES - 1)
    share = position - left
    flat = table.reshape(n, 6, ANGLES + 1)
    low = np.take_along_axis(flat, left, axis=2)
    high = np.take_along_axis(flat, left + 1, axis=2)
    return (low + share * (high - low)).reshape(n, 2, 3, p, p)


def _cover(distance: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """Return the share of a fine pixel inside an edge, from its distance (mm) to the edge."""
    return np.clip(np.float32(0.5) - distance / soft, 0.0, 1.0).astype(np.float32)


def _blend(picture: np.ndarray, cover: np.ndarray, value: np.ndarray | float) -> np.ndarray:
    return picture + cover * (value - picture)


def _disc(canvas: _Canvas, x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    distance = np.hypot(canvas.x - x[:, None, None], canvas.y - y[:, None, None])
    return _cover(distance - radius[:, None, None], canvas.pixel)


def _texture(draws: Draws, stream: str, cells: int) -> np.ndarray:
    """Return a smooth random field of unit scale, float32 (n, p, p)."""
    coarse = draws.normal(stream, (cells, cells)).astype(np.float32)
    factor = SIZE * _FINE / cells
    return ndimage.zoom(coarse, (1, factor, factor), order=1, grid_mode=True, mode="nearest")


def _patches(canvas: _Canvas, draws: Draws) -> np.ndarray:
    """Return how thick the fat around the heart is by direction, (n, 1, p, p); none below 0."""
    phase = 2.0 * np.pi * draws.uniform("fat patches", (2,)).astype(np.float32)
    first = np.cos(2 * canvas.theta + phase[:, 0, None, None])
    second = np.cos(3 * canvas.theta + phase[:, 1, None, None])
    return (1.0 + 0.9 * first + 0.7 * second)[:, None]


def _surroundings(context: Context, canvas: _Canvas, draws: Draws) -> np.ndarray:
    """Return lung, vessels, liver, spine, aorta and chest wall, float32 (n, p, p)."""
    n = len(context.age)
    own = draws.normal("surroundings", (8,))
    picture = np.full(canvas.x.shape, _LUNG, dtype=np.float32)
    spots = draws.uniform("lung vessels", (_VESSELS, 3))
    for x, y, radius in spots.transpose(1, 2, 0):
        vessel = _disc(canvas, 80.0 * x - 5.0, 85.0 * y - 15.0, 0.8 + 1.4 * radius)
        picture = _blend(picture, vessel, 0.40)
    picture = _blend(
        picture, _liver(canvas, own), _LIVER * (1 + 0.15 * _texture(draws, "liver", 16))
    )
    side, low = 34.0 + 4.0 * own[:, 0], -62.0 + 3.0 * own[:, 1]
    picture = _blend(picture, _disc(canvas, side + 6.0, low - 12.0, np.full(n, 19.0)), _SPINE)
    picture = _blend(picture, _disc(canvas, side + 14.0, low + 14.0, np.full(n, 12.5)), _MUSCLE)
    aorta = _disc(canvas, side + 14.0, low + 14.0, 10.0 + 0.7 * own[:, 2])
    picture = _blend(picture, aorta, _LV_BLOOD)
    return _chest_wall(context, canvas, own, picture)


def _liver(canvas: _Canvas, own: np.ndarray) -> np.ndarray:
    """The dome of the diaphragm, with the liver under it, below and left of the heart."""
    top = (-44.0 + 4.0 * own[:, 3])[:, None, None]
    middle = (-25.0 + 8.0 * own[:, 4])[:, None, None]
    return _cover(canvas.y - (top - 0.006 * (canvas.x - middle) ** 2), canvas.pixel)


def _chest_wall(
    context: Context, canvas: _Canvas, own: np.ndarray, picture: np.ndarray
) -> np.ndarray:
    """Muscle, then fat by the BMI, then air, outside a wide circle towards the upper left."""
    angle = np.deg2rad(152.0 + 8.0 * own[:, 5])
    inner = 57.0 + 3.0 * own[:, 6]  # mm from the picture's centre
    curve = 115.0  # mm
    x, y = -(curve - inner) * np.cos(angle), -(curve - inner) * np.sin(angle)
    outside = np.hypot(canvas.x - x[:, None, None], canvas.y - y[:, None, None]) - curve
    muscle = (6.0 + 0.8 * own[:, 7])[:, None, None]
    fat = muscle + (4.0 + 0.9 * np.clip(context.bmi - 17.0, 0, 25))[:, None, None]
    picture = _blend(picture, _cover(-outside, canvas.pixel), _MUSCLE)
    picture = _blend(picture, _cover(muscle - outside, canvas.pixel), 1.05 * _FAT)
    return _blend(picture, _cover(fat - outside, canvas.pixel), _AIR)


def _trabeculae(canvas: _Canvas, wall: np.ndarray, draws: Draws) -> np.ndarray:
    """Return the darkening of blood between the muscle strands along a wall, (n, 2, p, p)."""
    strands = np.clip(0.4 + 0.6 * _texture(draws, "trabeculae", 32), 0.0, 1.0)[:, None]
    depth = np.maximum(wall - canvas.rho[:, None], 0.0)  # mm into the cavity
    return 1.0 - 0.55 * strands * np.exp(-depth / 3.5)


def _papillary(canvas: _Canvas, contours: Contours, draws: Draws) -> np.ndarray:
    """Two papillary muscles at the wall; they belong to the cavity in the mask, as in ACDC."""
    own = np.clip(draws.normal("papillary muscles", (2, 3)), -2.0, 2.0).astype(np.float32)
    cavity = np.sqrt((contours.endo**2).mean(axis=2)).astype(np.float32)[:, :, None, None]
    cover = np.zeros((1, 1, 1, 1), dtype=np.float32)
    # Radians from the septum: the anterolateral, then the posteromedial muscle.
    for muscle, turn in zip(own.transpose(1, 2, 0), (2.05, -1.85), strict=True):
        angle = (contours.septum + turn + 0.12 * muscle[0]).astype(np.float32)[:, None, None]
        along = canvas.rho * np.cos(canvas.theta - angle)
        across = canvas.rho * np.sin(canvas.theta - angle)
        middle = (0.80 + 0.05 * muscle[1])[:, None, None, None] * cavity
        size = (0.16 + 0.03 * muscle[2])[:, None, None, None] * cavity
        distance = np.hypot((along[:, None] - middle) / 1.5, across[:, None])
        cover = np.maximum(cover, _cover(distance - size, 2.0 * canvas.pixel[:, None]))
    return cover


def _reduced(fine: np.ndarray) -> np.ndarray:
    n, phases, p, _ = fine.shape
    return fine.reshape(n, phases, p // _FINE, _FINE, p // _FINE, _FINE).mean(axis=(3, 5))


def _mask(lv: np.ndarray, epi: np.ndarray, rv: np.ndarray) -> np.ndarray:
    """Return the class that covers most of each pixel."""
    lv, epi, rv = (_reduced(cover) for cover in (lv, epi, rv))
    shares = np.stack([1.0 - rv, rv - epi, epi - lv, lv], axis=0)  # nested: lv < epi < rv
    return shares.argmax(axis=0).astype(np.uint8)
