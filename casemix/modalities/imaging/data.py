"""Pictures with their segmentation masks: the payload of the imaging modality."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from casemix.errors import PayloadError
from casemix.modalities.imaging import png
from casemix.modalities.imaging.layout import RGB, Layout

_IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})  # the datasets library's Image


@dataclass(frozen=True)
class Images:
    """Pictures of one size, with or without segmentation masks.

    Stored as one PNG per frame in the columns ``image`` (one channel, or RGB) or
    ``image_<channel>``, and ``mask`` or ``mask_<channel>``, which the ``datasets`` library decodes.

    Args:
        pixels: uint8 (n, c, h, w), 0 = black, 255 = white.
        channels: c distinct names: ``("ED", "ES")``, ``("R", "G", "B")``, ``("intensity",)``.
        masks: uint8 (n, m, h, w), positions in ``mask_labels``, m = 1 or c; or None.
        mask_labels: label of each mask value, the background first.
        has_mask: bool (n,): which pictures have a mask; by default all, where there are masks.
            The mask of a picture without one is all 0.

    Raises:
        PayloadError: a wrong type or shape, or a mask value without a label.
    """

    pixels: np.ndarray
    channels: tuple[str, ...]
    masks: np.ndarray | None = None
    mask_labels: tuple[str, ...] = ()
    has_mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "mask_labels", tuple(self.mask_labels))
        _check_pixels(self.pixels, self.channels)
        if self.has_mask is None:
            present = np.full(len(self.pixels), self.masks is not None)
            object.__setattr__(self, "has_mask", present)
        _check_has_mask(self.masked, self.masks, len(self.pixels))
        if self.masks is not None:
            _check_masks(self.masks, self.pixels, self.mask_labels, self.channels)
        elif self.mask_labels:
            raise PayloadError("There are mask labels but no masks.", given=self.mask_labels)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def layout(self) -> Layout:
        """What all pictures have in common."""
        frames = 0 if self.masks is None else self.masks.shape[1]
        height, width = self.pixels.shape[2:]
        return Layout(self.channels, height, width, self.mask_labels, frames)

    @property
    def masked(self) -> np.ndarray:
        """Which pictures have a mask, bool (n,)."""
        assert self.has_mask is not None  # set in __post_init__
        return self.has_mask

    def take(self, positions: np.ndarray) -> Self:
        """Return the pictures at these positions, in this order."""
        masks = None if self.masks is None else self.masks[positions]
        return type(self)(
            self.pixels[positions], self.channels, masks, self.mask_labels, self.masked[positions]
        )

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the pictures of all parts, in order.

        Raises:
            PayloadError: no part, or parts of different layouts.
        """
        layouts = {part.layout for part in parts}
        if len(layouts) != 1:
            raise PayloadError("Only pictures of one layout can be joined.", given=layouts)
        whole = [part.masks for part in parts if part.masks is not None]
        return cls(
            np.concatenate([part.pixels for part in parts]),
            parts[0].channels,
            np.concatenate(whole) if whole else None,
            parts[0].mask_labels,
            np.concatenate([part.masked for part in parts]),
        )

    def to_table(self) -> pa.Table:
        """Return one row per picture, one PNG column per frame and mask."""
        layout = self.layout
        columns: dict[str, list[bytes | None]] = {}
        for name, channels in layout.pictures.items():
            frames = self.pixels[:, list(channels)]  # (n, 1 or 3, h, w)
            columns[_column("image", name)] = [png.encode(frame) for frame in frames]
        for name, position in layout.masks.items():
            assert self.masks is not None
            columns[_column("mask", name)] = [
                png.encode(mask[None, position]) if there else None
                for mask, there in zip(self.masks, self.masked, strict=True)
            ]
        features = {name: {"_type": "Image"} for name in columns}
        metadata = {
            b"casemix": json.dumps(layout.to_json()).encode(),
            b"huggingface": json.dumps({"info": {"features": features}}).encode(),
        }
        arrays = {
            name: pa.array([_cell(c) for c in cells], _IMAGE) for name, cells in columns.items()
        }
        return pa.table(arrays).replace_schema_metadata(metadata)

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Rebuild what `to_table` wrote.

        Raises:
            PayloadError: a column is missing, or a PNG does not decode or has another shape.
        """
        layout = _layout(table)
        n, size = table.num_rows, (layout.height, layout.width)
        pixels = np.empty((n, len(layout.channels), *size), dtype=np.uint8)
        for name, channels in layout.pictures.items():
            column = _column("image", name)
            for row, content in enumerate(_contents(table, column)):
                where = f"row {row}, column '{column}'"
                pixels[row, list(channels)] = png.decode(content, (len(channels), *size), where)
        if not layout.mask_frames:
            return cls(pixels, layout.channels)
        masks = np.zeros((n, layout.mask_frames, *size), dtype=np.uint8)
        there = np.ones(n, dtype=bool)
        for name, position in layout.masks.items():
            column = _column("mask", name)
            for row, content in enumerate(_contents(table, column)):
                there[row] &= content is not None
                if content is not None:
                    where = f"row {row}, column '{column}'"
                    masks[row, position] = png.decode(content, (1, *size), where)[0]
        return cls(pixels, layout.channels, masks, layout.mask_labels, there)

    def preview(self, position: int) -> dict[str, Any]:
        """Return one picture as base64 PNGs, with its mask as a coloured transparent overlay."""
        masks = self.layout.masks
        frames = []
        for name, channels in self.layout.pictures.items():
            overlay = None
            if masks and self.masked[position] and self.masks is not None:
                mask = self.masks[position, masks.get(name, 0)]
                overlay = _base64(png.overlay(mask))
            picture = png.encode(self.pixels[position, list(channels)])
            frames.append({"name": name or "image", "png": _base64(picture), "overlay": overlay})
        return {"type": "image", "frames": frames}


PAYLOAD = Images


def _check_pixels(pixels: np.ndarray, channels: tuple[str, ...]) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 4:
        raise PayloadError(
            "Pixels must be a uint8 array of shape (n, c, h, w).",
            given=f"{getattr(pixels, 'dtype', type(pixels))} {np.shape(pixels)}",
            next_step="Scale intensities to 0-255 first; missing or infinite pixels have no place.",
        )
    if len(channels) != pixels.shape[1] or len(set(channels)) != len(channels):
        raise PayloadError(
            "Each channel needs a name of its own.",
            given=channels,
            allowed=f"{pixels.shape[1]} distinct names",
        )
    if 0 in pixels.shape[1:]:
        raise PayloadError("Pictures need at least one pixel.", given=pixels.shape)


def _check_has_mask(has_mask: np.ndarray, masks: np.ndarray | None, n: int) -> None:
    if has_mask.shape != (n,) or has_mask.dtype != bool:
        raise PayloadError(f"has_mask must be a bool array of shape ({n},).", given=has_mask)
    if masks is None and np.any(has_mask):
        raise PayloadError("has_mask marks pictures as masked, but there are no masks.")
    if masks is not None and len(masks) == n and masks[~has_mask].any():
        raise PayloadError("The mask of a picture without a mask must be all 0.")


def _check_masks(
    masks: np.ndarray, pixels: np.ndarray, labels: tuple[str, ...], channels: tuple[str, ...]
) -> None:
    n, c, h, w = pixels.shape
    frames = {1} if channels == RGB else {1, c}
    shapes = {(n, m, h, w) for m in frames}
    if masks.dtype != np.uint8 or masks.shape not in shapes:
        raise PayloadError(
            "Masks must be uint8 and as large as the pictures, with one frame or one per channel.",
            given=f"{masks.dtype} {masks.shape}",
            allowed=sorted(shapes),
        )
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise PayloadError("Masks need two or more distinct labels.", given=labels or "none")
    if masks.size and masks.max() >= len(labels):
        row = int(np.flatnonzero((masks >= len(labels)).any(axis=(1, 2, 3)))[0])
        raise PayloadError(
            f"The mask of picture {row} has a value without a label.",
            given=int(masks[row].max()),
            allowed=f"0 to {len(labels) - 1}: {', '.join(labels)}",
        )


def _layout(table: pa.Table) -> Layout:
    facts = (table.schema.metadata or {}).get(b"casemix")
    if facts is None:
        raise PayloadError("The table does not say which channels its pictures have.")
    layout = Layout.from_json(json.loads(facts))
    wanted = [_column("image", p) for p in layout.pictures]
    wanted += [_column("mask", m) for m in layout.masks]
    missing = [c for c in wanted if c not in table.column_names]
    if missing:
        raise PayloadError("A picture column is missing.", given=table.column_names, allowed=wanted)
    return layout


def _contents(table: pa.Table, column: str) -> list[bytes | None]:
    return [None if cell is None else cell["bytes"] for cell in table.column(column).to_pylist()]


def _cell(content: bytes | None) -> dict[str, Any] | None:
    return None if content is None else {"bytes": content, "path": None}


def _column(kind: str, name: str) -> str:
    return f"{kind}_{name}" if name else kind


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
