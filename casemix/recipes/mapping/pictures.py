"""Pictures from files, encoded cells or arrays, brought to one size and 8 bits."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from casemix.errors import PayloadError
from casemix.recipes.mapping.files import ArrayFiles, inside
from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.spec import ArraySpec, ImagingRecords, PictureSpec
from casemix.recipes.mapping.tables import column

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True)
class PictureColumn:
    """One picture per record, undecoded.

    Args:
        root: the folder that file names start from.
        spec: where the pictures are.
        arrays: the array files.
        cells: file names, encoded bytes or array positions.
        place: where the mapping says so.
        labels: the pictures are masks: a palette's numbers are kept, not its colours.
    """

    root: Path
    spec: PictureSpec
    arrays: ArrayFiles
    cells: pd.Series
    place: str
    labels: bool

    @classmethod
    def of(
        cls,
        root: Path,
        spec: PictureSpec,
        arrays: ArrayFiles,
        rows: pd.DataFrame,
        place: str,
        *,
        labels: bool,
    ) -> PictureColumn:
        """Return the pictures of a table's rows."""
        name = spec.array.row if spec.array else spec.file or spec.bytes
        return cls(root, spec, arrays, column(rows, name, place), place, labels)

    def present(self, position: int) -> bool:
        """Return whether the record has a picture here."""
        return bool(pd.notna(self.cells.iloc[position]))

    def pixels(self, position: int) -> np.ndarray:
        """Return the pixels of one record: (h, w) or (h, w, 3), of any number type.

        Raises:
            PayloadError: no picture, a file that is not there or cannot be decoded.
            MappingError: a file name that leaves the root.
        """
        cell = self.cells.iloc[position]
        if not self.present(position):
            raise PayloadError(f"{self.place}: row {position} names no picture.")
        if self.spec.array is not None:
            array = self.arrays.get(self.spec.array.file, self.spec.array.key, self.place)
            one = self.cells.iloc[position : position + 1]
            return entries(array, one, self.spec.array, self.place)[0]
        if self.spec.bytes:
            return self._decoded(bytes(cell), f"row {position}")
        folder = inside(self.root, self.spec.folder, f"{self.place}.folder")
        path = inside(folder, str(cell), self.place)
        if not path.is_file():
            raise PayloadError(
                f"{self.place}: there is no picture '{cell}' in {folder}.",
                next_step="Add the file, or say 'unreadable: drop' to leave the record out.",
            )
        return self._decoded(path.read_bytes(), str(cell))

    def _decoded(self, content: bytes, what: str) -> np.ndarray:
        try:
            with Image.open(io.BytesIO(content)) as image:
                image.load()
                mixed = image.mode in ("PA", "RGBA", "CMYK", "YCbCr")
                mixed |= image.mode == "P" and not self.labels
                return np.asarray(image.convert("RGB") if mixed else image)
        except _BROKEN as error:
            raise PayloadError(
                f"{self.place}: the picture of {what} cannot be decoded.",
                given=f"{type(error).__name__}: {error}",
                next_step="Replace the file, or say 'unreadable: drop' to leave the record out.",
            ) from error


def entries(array: np.ndarray, rows: pd.Series, spec: ArraySpec, place: str) -> np.ndarray:
    """Return the entries of an array at the positions that a column names.

    Raises:
        MappingError: a position that the array does not have.
    """
    numbers = pd.to_numeric(rows, errors="coerce").astype("Float64")
    positions = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    good = (positions >= 0) & (positions < len(array)) & (positions % 1 == 0)
    if not good.all():
        raise problem(
            place,
            f"the column '{spec.row}' names positions that {spec.file} does not have.",
            given=[repr(v) for v in rows[~good].unique()[:5]],
            allowed=f"0 to {len(array) - 1}",
        )
    return array[positions.astype(np.int64)]


def eight_bit(pixels: np.ndarray, spec: ImagingRecords, place: str) -> np.ndarray:
    """Return uint8 pixels: (h, w) for grey, (h, w, 3) for rgb.

    Raises:
        MappingError: more than 8 bits and no ``window``, or not a picture.
    """
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (2, 3)):
        raise problem(place, "this is not a grey or colour picture.", given=pixels.shape)
    if spec.window is not None:
        low, high = spec.window
        scaled = (pixels.astype(np.float64) - low) / (high - low)
        pixels = np.round(255 * np.clip(np.nan_to_num(scaled), 0, 1)).astype(np.uint8)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.dtype != np.uint8:
        raise problem(
            f"{place}.window",
            "a picture has more than 8 bits.",
            given=f"{pixels.dtype}, {pixels.min()} to {pixels.max()}",
            next_step="Say which values become black and white, such as 'window: [0, 4095]'.",
        )
    return _coloured(pixels) if spec.mode == "rgb" else _grey(pixels)


def fitted(pixels: np.ndarray, size: tuple[int, int], fit: str, *, labels: bool) -> np.ndarray:
    """Return a picture at a size.

    Args:
        pixels: uint8 (h, w) or (h, w, 3).
        size: height and width.
        fit: ``pad`` with black, ``crop`` the middle (both keep the aspect), or ``stretch``.
        labels: the picture holds labels; they are not mixed.
    """
    height, width = pixels.shape[:2]
    if (height, width) == size:
        return pixels
    ratios = (size[0] / height, size[1] / width)
    scale = {"pad": min(ratios), "crop": max(ratios), "stretch": 0.0}[fit]
    target = size
    if fit != "stretch":
        target = (max(round(height * scale), 1), max(round(width * scale), 1))
    method = Image.Resampling.NEAREST if labels else Image.Resampling.BILINEAR
    resized = np.asarray(Image.fromarray(pixels).resize((target[1], target[0]), method))
    return _centred(resized, size)


def label_positions(pixels: np.ndarray, spec: ImagingRecords, place: str) -> np.ndarray:
    """Return a mask as positions in the list of labels, uint8 (h, w).

    Raises:
        MappingError: a pixel that ``mask_labels`` does not name.
    """
    assert spec.mask_labels is not None
    meaning, names = spec.mask_labels.meaning, spec.mask_labels.names
    grey = pixels if pixels.ndim == 2 else pixels[:, :, 0]
    if pixels.ndim == 3 and (pixels != grey[:, :, None]).any():
        raise problem(place, "a mask is coloured; labels are single numbers.")
    values = np.array([float(raw) for raw in meaning])
    found = np.unique(grey).astype(float)
    distance = np.abs(found[:, None] - values)  # (found, labels)
    unknown = found[distance.min(axis=1) > 0]
    if len(unknown) and not spec.soft_masks:
        raise problem(
            f"{place}.mask_labels",
            "a mask has a pixel without a label.",
            given=[f"{v:g}" for v in unknown],
            allowed=list(meaning),
            next_step="Name it; or, where outlines are smoothed, say 'soft_masks: true'.",
        )
    nearest = [list(meaning.values())[i] for i in distance.argmin(axis=1)]
    table = np.array([names.index(label) for label in nearest], dtype=np.uint8)
    return table[np.searchsorted(found, grey)]


def same_size(pixels: np.ndarray, size: tuple[int, int], spec: ImagingRecords, place: str) -> None:
    """Raise if pictures differ in size and the mapping does not say which size to make."""
    if spec.size is None and pixels.shape[:2] != size:
        raise problem(
            place,
            "the pictures differ in size.",
            given=[size, pixels.shape[:2]],
            next_step="Say which size they should come to, such as 'size: [128, 128]'.",
        )


def _grey(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 2:  # grey and opacity
        return pixels[:, :, 0]
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _coloured(pixels: np.ndarray) -> np.ndarray:
    grey = pixels.ndim == 2 or pixels.shape[2] == 2
    return np.repeat(_grey(pixels)[:, :, None], 3, axis=2) if grey else pixels


def _centred(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    out = np.zeros((*size, *pixels.shape[2:]), dtype=np.uint8)
    source, target = [], []
    for have, want in zip(pixels.shape[:2], size, strict=True):
        extra = have - want
        source.append(slice(max(extra // 2, 0), max(extra // 2, 0) + min(have, want)))
        target.append(slice(max(-extra // 2, 0), max(-extra // 2, 0) + min(have, want)))
    out[tuple(target)] = pixels[tuple(source)]
    return out
