"""The command that runs a recipe, from data to report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from casemix.cli.options import Seed


def run(
    recipe: Annotated[str, typer.Argument(help="A recipe's name; see: casemix list recipes")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "--real",
            help="A cohort folder, or for ehr-tables a CSV or parquet table; without it the "
            "embedded phantom is used.",
        ),
    ] = None,
    synthetic: Annotated[
        Path | None, typer.Option(help="A synthetic cohort to be judged (recipe consistency).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; by default runs/RECIPE.")
    ] = None,
    n: Annotated[int | None, typer.Option(min=1, help="How many synthetic patients.")] = None,
    seed: Seed = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting; see: casemix show RECIPE"
        ),
    ] = None,
    tiny: Annotated[
        bool,
        typer.Option("--tiny", help="Smallest real settings: the whole run in about a minute."),
    ] = False,
) -> None:
    """Run a recipe from data to report; a killed run goes on with the same command.

    casemix run linked-patients

    casemix run linked-patients --data my_cohort --n 500 --out runs/mine

    casemix run linked-patients --set imaging=imaging/dcgan --set options.text.temperature=0.8

    casemix run consistency --real my_cohort --synthetic made_by_any_tool
    """
    from casemix.core.progress import terminal
    from casemix.recipes import catalogue

    judged = [f"synthetic={synthetic}"] if synthetic else []
    chosen = catalogue.settings(recipe, [*(settings or []), *judged])
    folder = out or Path("runs") / recipe
    request = catalogue.Request(folder, data, n, seed, tiny, chosen)
    with terminal() as progress:
        catalogue.runner(recipe)(request, progress)
