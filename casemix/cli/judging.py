"""Commands that judge a synthetic cohort and compare methods."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from casemix.cli.options import AsJson, Out, Seed


def evaluate(
    real: Annotated[Path, typer.Option(help="The real cohort that the generator was fitted on.")],
    holdout: Annotated[Path, typer.Option(help="Real subjects that it never saw.")],
    synthetic: Annotated[Path, typer.Option(help="The synthetic cohort, made by any tool.")],
    out: Out,
    target: Annotated[str, typer.Option(help="Field that downstream models predict.")] = "",
    event: Annotated[
        str,
        typer.Option(help="Binary field: did the event happen at the target, a time? Survival."),
    ] = "",
    mapping: Annotated[
        Path | None,
        typer.Option(help="How to read CSV or parquet tables; by default it is inferred."),
    ] = None,
    subject: Annotated[
        str, typer.Option(help="Column that names the subject of a table's row.")
    ] = "",
    rules: Annotated[
        Path | None,
        typer.Option(help="Your clinical rules (YAML), added to the shipped ones."),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="Your encoder in the place of ours, as modality=NAME (text, imaging): a hub id, a "
            "local folder, or torchvision:ARCH:WEIGHTS.pth; once per modality."
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Evaluations at seeds of their own; scores are averaged.")
    ] = 1,
    every_subgroup: Annotated[
        bool,
        typer.Option("--every-subgroup", help="Every metric by subgroup, also the slow ones."),
    ] = False,
    seed: Seed = 0,
) -> None:
    """Judge a synthetic cohort: metrics.json, report.html, patients.html and summary.md.

    Each of the three is a cohort folder, or a CSV or parquet table.

    casemix evaluate --real train --holdout held --synthetic syn --out judged

    casemix evaluate --real train.csv --holdout held.csv --synthetic ctgan.csv --out judged
    """
    from casemix.core.progress import terminal
    from casemix.evaluation.arms import Questions
    from casemix.recipes.evaluation import evaluate_paths

    encoders = _named(encoder or [], "--encoder")
    with terminal() as progress:
        evaluate_paths(
            {"real": real, "holdout": holdout, "synthetic": synthetic},
            out,
            questions=Questions(target, event, encoders, every_subgroup),
            mapping=mapping,
            subject=subject,
            rules=rules,
            seeds=seeds,
            seed=seed,
            progress=progress,
        )
    typer.echo(f"Report:         {out / 'report.html'}")
    typer.echo(f"Patient viewer: {out / 'patients.html'}")


def benchmark(
    modality: Annotated[str, typer.Argument(help="tabular, timeseries, text or imaging.")],
    out: Out,
    data: Annotated[
        Path | None, typer.Option(help="A cohort folder; without it the embedded phantom is used.")
    ] = None,
    methods: Annotated[
        str, typer.Option(help="Names, separated by commas; by default every method there is.")
    ] = "",
    budget: Annotated[float, typer.Option(min=0.1, help="Most seconds of one fit.")] = 600.0,
    seeds: Annotated[int, typer.Option(min=1, help="Splits and fits of each method.")] = 3,
    seed: Seed = 0,
    tiny: Annotated[bool, typer.Option("--tiny", help="Smallest settings: see it run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare methods of one modality on the same splits: a leaderboard, a table and a page.

    The same command goes on after a stop; other methods or more seeds are added to the table.

    Example: casemix benchmark tabular --data cohort --budget 300 --out runs/tabular-benchmark
    """
    from rich.console import Console

    from casemix.core.progress import terminal
    from casemix.recipes import benchmark as comparison
    from casemix.recipes import leaderboard

    names = tuple(
        m.strip() if "/" in m else f"{modality}/{m.strip()}"
        for m in methods.split(",")
        if m.strip()
    )
    plan = comparison.Plan(modality, data, names, budget, seeds, seed, tiny)
    with terminal() as progress:
        entries = comparison.benchmark(plan, out, console=Console(stderr=True), progress=progress)
    if as_json:
        typer.echo(leaderboard.as_json(entries))
        return
    Console().print(leaderboard.as_table(entries))
    typer.echo(f"Page:  {out / 'benchmark.html'}")
    typer.echo(f"Table: {out / 'results.csv'}")


def _named(pairs: list[str], option: str) -> dict[str, str]:
    """Return ``name=value`` texts as a mapping."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise typer.BadParameter(f"{option} takes modality=NAME, not '{pair}'.")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
