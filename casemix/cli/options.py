"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", help="The folder to write; it must not exist yet.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same patients.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Load a model whose file format can run code (SDV).")
]
