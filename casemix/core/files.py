"""Files that are whole or absent: atomic folders and checksums."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from casemix.errors import ArtifactError


@contextmanager
def atomic_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a draft folder that becomes ``target`` when the block ends, and vanishes if it fails.

    Raises:
        FileExistsError: ``target`` exists and ``replace`` is False.
    """
    target = Path(target)
    if target.exists() and not replace:
        raise FileExistsError(f"{target} exists already. Choose another folder, or remove it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.draft"
    draft.mkdir()
    try:
        yield draft
        _swap_in(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _swap_in(draft: Path, target: Path) -> None:
    if not target.exists():
        draft.rename(target)
        return
    old = draft.with_suffix(".old")
    target.rename(old)
    draft.rename(target)
    shutil.rmtree(old) if old.is_dir() else old.unlink()


def atomic_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it into place."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.draft"
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def atomic_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys, atomically; numbers that JSON lacks (NaN) are an error."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    atomic_text(path, text + "\n")


def sha256(path: Path) -> str:
    """Return a file's SHA-256 sum in hex."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksums(folder: Path, *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the SHA-256 sum of each file below a folder, by relative path."""
    files = sorted(p for p in Path(folder).rglob("*") if p.is_file())
    names = [(p, p.relative_to(folder).as_posix()) for p in files]
    return {name: sha256(p) for p, name in names if name not in but}


def verify(folder: Path, sums: Mapping[str, str], *, but: tuple[str, ...] = ()) -> None:
    """Raise unless the folder holds exactly the files that ``sums`` names, unaltered.

    Raises:
        ArtifactError: a file is missing, altered or not named.
    """
    found = checksums(folder, but=but)
    for kind, names in (
        ("missing", set(sums) - set(found)),
        ("not part of what was saved", set(found) - set(sums)),
        ("altered or damaged", {n for n in sums if n in found and found[n] != sums[n]}),
    ):
        if names:
            raise ArtifactError(
                f"A file in {folder} is {kind}.",
                given=sorted(names),
                next_step="Copy or create the folder again; nothing of it was read.",
            )


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ArtifactError: the file is missing or not a JSON object.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} cannot be read.", given=str(error)) from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path} does not hold a JSON object.")
    return content
