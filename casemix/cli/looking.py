"""Commands that list what there is and show one of it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from casemix.cli.options import AsJson


def list_(
    what: Annotated[
        str,
        typer.Argument(
            help="generators, evaluators, metrics, recipes, mappings or formats; all if left out."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List what there is, by the name that other commands take."""
    from casemix.recipes import inventory

    found = inventory.listing(what)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for group, entries in found.items():
        typer.echo(f"{group}:")
        width = max(map(len, entries), default=0)
        for name, line in entries.items():
            typer.echo(f"  {name:<{width}}  {line}".rstrip())


def show(
    name: Annotated[str, typer.Argument(help="A generator, evaluator, recipe, mapping or folder.")],
    as_json: AsJson = False,
) -> None:
    """Show what a plugin, recipe, mapping, cohort folder or model folder is, and its settings."""
    from casemix.recipes import inventory

    shown = inventory.shown(name)
    typer.echo(json.dumps(shown, indent=2) if as_json else inventory.as_text(shown))
