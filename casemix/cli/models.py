"""Commands that fit a generator and sample from a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from casemix.cli.data import describe
from casemix.cli.options import Out, Seed, Trust


def fit(
    method: Annotated[str, typer.Argument(help="MODALITY/METHOD; see: casemix list generators")],
    data: Annotated[Path, typer.Option(help="A cohort folder.")],
    out: Out,
    given: Annotated[
        list[str] | None,
        typer.Option(help="A field to condition on (repeat it); by default all that are recorded."),
    ] = None,
    seed: Seed = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a setting; see: casemix show METHOD"
        ),
    ] = None,
) -> None:
    """Fit one generator on one modality of a cohort.

    Example: casemix fit tabular/trees --data phantom --out models/labs
    """
    from casemix.core.progress import terminal
    from casemix.recipes import single

    with terminal() as progress:
        fitted = single.fit(
            method,
            data,
            fields=given,
            seed=seed,
            changes=settings or [],
            progress=progress,
        )
    fitted.save(out)
    typer.echo(f"Model: {out}")


def sample(
    model: Annotated[Path, typer.Argument(help="A model folder, of `casemix fit` or of a run.")],
    out: Out,
    n: Annotated[int | None, typer.Option(min=1, help="How many new patients.")] = None,
    like: Annotated[
        Path | None, typer.Option(help="A cohort whose recorded context is taken, one by one.")
    ] = None,
    given: Annotated[
        Path | None,
        typer.Option(
            help="A CSV of what each patient must be: columns are fields, cells are values (F), "
            "bounds (>70), spans (60..70), choices (I|II), or empty."
        ),
    ] = None,
    where: Annotated[
        str, typer.Option(help="What each patient must meet: age > 70 and sex == 'F'")
    ] = "",
    rules: Annotated[
        Path | None,
        typer.Option(help="Clinical rules (YAML) that each row must meet, the shipped ones too."),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Make and write them in this many parts, so that memory stays small; the "
            "patients are the same. By default parts of 20,000.",
        ),
    ] = None,
    continue_: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            help="A cohort whose histories of events go on; only what is added is written.",
        ),
    ] = None,
    until_hours: Annotated[
        float | None,
        typer.Option(help="With --continue: nothing later than this, in hours of the history."),
    ] = None,
    seed: Seed = 0,
    trust: Trust = False,
) -> None:
    """Sample synthetic patients from a saved model.

    casemix sample runs/linked-patients/model --n 50 --where "age > 70" --out elderly

    casemix sample models/labs --given wanted.csv --out made

    casemix sample models/events --continue cohort --until-hours 8766 --out next_year
    """
    if sum(x is not None for x in (n, like, given, continue_)) != 1:
        raise typer.BadParameter("Give one of --n, --like, --given and --continue.")
    if continue_ is not None:
        if where or rules or shards:
            raise typer.BadParameter("--continue takes --until-hours, --seed and --trust alone.")
        _continue(model, continue_, out, until_hours=until_hours, seed=seed, trust=trust)
        return
    from casemix.core.progress import terminal
    from casemix.recipes import sampling

    asked = sampling.Asked(n, like, given, where, rules, shards)
    with terminal() as progress:
        counts = sampling.sample(model, asked, out, seed=seed, trust=trust, progress=progress)
    typer.echo(f"{out}: synthetic, {counts}")


def _continue(
    model: Path, histories: Path, out: Path, *, until_hours: float | None, seed: int, trust: bool
) -> None:
    """Write what a model adds to the histories of a cohort."""
    from casemix.core.progress import terminal
    from casemix.recipes.continuing import continue_histories

    with terminal() as progress:
        added = continue_histories(
            model, histories, until_hours=until_hours, seed=seed, trust=trust, progress=progress
        )
    added.save(out)
    describe(added, out)
