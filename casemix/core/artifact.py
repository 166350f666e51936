"""Saved models: a folder of JSON, safetensors and parquet with checksums, and no pickle.

::

    model/
      artifact.json        format, kind (imaging/flow), casemix version, SHA-256 of each file
      config.json          anything JSON
      weights.safetensors  named arrays
      training.parquet     frames

Writing::

    with artifact.writing(folder, "tabular/trees") as draft:
        draft.json("config", {...}); draft.arrays("weights", {"w": w}); draft.frame("rows", df)

Reading::

    saved = artifact.reading(folder, "tabular/trees")
    saved.json("config"); saved.arrays("weights"); saved.frame("rows"); saved.folder("unet")
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from casemix.core.files import atomic_folder, checksums, read_json, verify
from casemix.errors import ArtifactError

FORMAT = 1
_MANIFEST = "artifact.json"


@dataclass(frozen=True)
class Draft:
    """An artifact being written."""

    path: Path

    def json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write ``name.json``."""
        text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False)
        (self.path / f"{name}.json").write_text(text, encoding="utf-8")

    def arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write ``name.safetensors``."""
        from safetensors.numpy import save_file

        whole = {key: np.asarray(value, order="C") for key, value in arrays.items()}
        save_file(whole, self.path / f"{name}.safetensors")

    def frame(self, name: str, frame: pd.DataFrame) -> None:
        """Write ``name.parquet`` with its index."""
        frame.to_parquet(self.path / f"{name}.parquet")

    def folder(self, name: str) -> Path:
        """Return a new sub-folder for a library's own saved layout, or for a nested artifact."""
        path = self.path / name
        path.mkdir()
        return path


@dataclass(frozen=True)
class Saved:
    """An artifact that was read and whose checksums hold."""

    path: Path
    kind: str

    def json(self, name: str) -> dict[str, Any]:
        """Read ``name.json``."""
        return read_json(self.path / f"{name}.json")

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Read ``name.safetensors``."""
        from safetensors.numpy import load_file

        return load_file(self.path / f"{name}.safetensors")

    def frame(self, name: str) -> pd.DataFrame:
        """Read ``name.parquet``."""
        return pd.read_parquet(self.path / f"{name}.parquet")

    def folder(self, name: str) -> Path:
        """Return a sub-folder."""
        return self.path / name


@contextmanager
def writing(folder: Path, kind: str, *, trusted_only: bool = False) -> Iterator[Draft]:
    """Write an artifact atomically; an existing artifact of that name is replaced at the end.

    Args:
        folder: the folder that will hold it.
        kind: registry name of what is saved.
        trusted_only: mark that loading can run code (a library that only pickles).
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / _MANIFEST).is_file():
        raise ArtifactError(
            f"{folder} holds something that is not a saved model.",
            next_step="Choose another folder; nothing was written.",
        )
    with atomic_folder(folder, replace=True) as draft:
        yield Draft(draft)
        from casemix import __version__

        manifest = {
            "format": FORMAT,
            "kind": kind,
            "casemix": __version__,
            "trusted_only": trusted_only,
            "sha256": checksums(draft),
        }
        Draft(draft).json(_MANIFEST.removesuffix(".json"), manifest)


def reading(folder: Path, kind: str, *, trust: bool = False) -> Saved:
    """Open an artifact after checking its kind and every checksum.

    Raises:
        ArtifactError: not an artifact, of another kind, damaged, altered, or not trusted.
    """
    folder = Path(folder)
    manifest = _manifest(folder)
    if manifest.get("kind") != kind:
        raise ArtifactError(
            f"{folder} holds another model.", given=manifest.get("kind"), allowed=kind
        )
    if manifest.get("trusted_only") and not trust:
        raise ArtifactError(
            f"{folder} can run code while it is loaded, because its library saves no other way.",
            next_step="If you made it yourself, load it with trust=True (--trust).",
        )
    verify(folder, manifest["sha256"], but=(_MANIFEST,))
    return Saved(folder, kind)


@contextmanager
def known_form(folder: Path) -> Iterator[None]:
    """Turn what a model of another version lacks, or has too much, into an error that says so.

    Raises:
        ArtifactError: content is missing or unknown within the block.
    """
    try:
        yield
    except (KeyError, TypeError) as error:
        raise ArtifactError(
            f"{folder} was saved in a form that this casemix version does not read.",
            given=str(error),
            next_step="Load it with the version that wrote it, or fit the model again.",
        ) from error


def kind_of(folder: Path) -> str:
    """Return the registry name of what a folder holds, without loading it."""
    return str(_manifest(Path(folder)).get("kind", ""))


def _manifest(folder: Path) -> dict[str, Any]:
    if not (folder / _MANIFEST).is_file():
        raise ArtifactError(f"{folder} is not a saved model: it has no {_MANIFEST}.")
    manifest = read_json(folder / _MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(
            f"{folder} was written in an unknown format.",
            given=manifest.get("format"),
            allowed=FORMAT,
            next_step="Load it with the casemix version that wrote it.",
        )
    return manifest
