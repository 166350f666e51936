"""Files below the root: paths that cannot leave it, and the readers of each format."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from casemix.errors import MappingError, did_you_mean
from casemix.recipes.mapping.dialect import check_text
from casemix.recipes.mapping.parse import problem
from casemix.recipes.mapping.spec import TableSpec

#: A cell that is one number; text that only holds such a number is left as it is.
_DECIMAL_COMMA = r"^\s*([-+]?\d+),(\d+)\s*$"
FORMATS = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson")


def inside(root: Path, name: str, place: str) -> Path:
    """Return the path of a name below the root.

    Names in mappings and in cells are data: they must not reach other files of the machine.

    Raises:
        MappingError: an absolute path, one with ``..``, or a link that leads out of the root.
    """
    path = Path(name)
    leaves = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name
    if leaves or not (root / path).resolve().is_relative_to(root.resolve()):
        raise problem(
            place,
            "a file name must stay below the root.",
            given=repr(name),
            allowed=f"names relative to {root}, without '..'",
        )
    return root / path


def existing(root: Path, name: str, place: str) -> Path:
    """Return the path of a file below the root.

    Raises:
        MappingError: the path leaves the root, or there is no such file.
    """
    path = inside(root, name, place)
    if not path.is_file():
        raise _absent(root, path, name, place)
    return path


def read_table(root: Path, spec: TableSpec, place: str) -> pd.DataFrame:
    """Return all rows of a table's file or files.

    CSV cells stay text, so that an id such as 007 keeps its zeros; fields parse their numbers.

    Raises:
        MappingError: no such file, an unknown format, or a file that cannot be read.
    """
    inside(root, spec.file, place)
    paths = sorted(root.glob(spec.file)) if "*" in spec.file else [existing(root, spec.file, place)]
    if not paths:
        raise _absent(root, root / spec.file, spec.file, place)
    frames = [_read(inside(root, str(p.relative_to(root)), place), spec, place) for p in paths]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class ArrayFiles:
    """The .npz files below a root; each array is read once.

    Args:
        root: the folder that file names start from.
    """

    root: Path
    _read: dict[tuple[str, str], np.ndarray] = field(default_factory=dict, repr=False)

    def get(self, name: str, key: str, place: str) -> np.ndarray:
        """Return one array of a file.

        Raises:
            MappingError: no such file or array, a damaged file, or one that holds objects.
        """
        if (name, key) not in self._read:
            self._read[name, key] = self._load(existing(self.root, name, place), key, place)
        return self._read[name, key]

    def _load(self, path: Path, key: str, place: str) -> np.ndarray:
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                if key not in arrays.files:
                    raise problem(
                        place,
                        f"{path.name} has no array '{key}'.",
                        allowed=arrays.files,
                        next_step=did_you_mean(key, arrays.files),
                    )
                return arrays[key]
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise _damaged(path, place, error) from error


def _read(path: Path, spec: TableSpec, place: str) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise problem(place, "unknown table format.", given=path.name, allowed=FORMATS)
    try:
        if suffix == ".parquet":
            table = pq.read_table(path)
            _check_names(path, table.column_names, place)
            return table.to_pandas()
        if suffix in (".csv", ".tsv"):
            return _read_csv(path, spec, "\t" if suffix == ".tsv" else ",", place)
        return pd.read_json(path, lines=True, dtype=False, convert_dates=False)
    except UnicodeDecodeError as error:
        raise problem(
            place,
            f"{path.name} is not written in {spec.encoding}.",
            given=str(error),
            next_step="Name its encoding in the table's block, such as encoding: cp1252.",
        ) from error
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        raise _damaged(path, place, error) from error


def _read_csv(path: Path, spec: TableSpec, separator: str, place: str) -> pd.DataFrame:
    separator = spec.separator or separator
    # A byte-order mark is no part of the first column's name.
    encoding = "utf-8-sig" if spec.encoding.lower() in ("utf-8", "utf8") else spec.encoding
    with path.open("rb") as raw:
        check_text(path, raw.read(4096), place)
    with path.open(encoding=encoding, newline="") as stream:
        _check_names(path, next(csv.reader(stream, delimiter=separator), []), place)
    frame = pd.read_csv(
        path,
        sep=separator,
        encoding=encoding,
        dtype=str,
        index_col=False,
        keep_default_na=False,
        na_values=[""],
    )
    if spec.decimal == ",":
        frame = frame.replace({_DECIMAL_COMMA: r"\1.\2"}, regex=True)
    return frame


def _check_names(path: Path, names: list[str], place: str) -> None:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise problem(
            place,
            f"{path.name} has columns of the same name.",
            given=twice,
            next_step="Give each column a name of its own.",
        )


def _absent(root: Path, path: Path, name: str, place: str) -> MappingError:
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    there = sorted(p.name for p in folder.iterdir())
    return problem(
        place,
        f"there is no file '{name}' below {root}.",
        given=f"the folder {folder} holds {len(there)} entries",
        allowed=there or "nothing",
        next_step=did_you_mean(path.name, there) or "Check --root.",
    )


def _damaged(path: Path, place: str, error: Exception) -> MappingError:
    return problem(
        place,
        f"{path.name} cannot be read.",
        given=f"{type(error).__name__}: {error}",
        next_step="The file is damaged, cut short, or not what its name says; copy it again.",
    )
