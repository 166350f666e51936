"""The command line: ``casemix run | import | phantom | fit | sample | evaluate | benchmark | ...``.

Heavy modules are imported inside the commands, so that ``casemix list`` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from casemix.errors import CasemixError

if TYPE_CHECKING:
    from casemix.core.cohort import Cohort

app = typer.Typer(
    name="casemix",
    help="Make linked synthetic patients, and measure how faithful, useful, private and linked "
    "any synthetic cohort is.\n\nStart with: casemix run linked-patients",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

Out = Annotated[Path, typer.Option("--out", help="The folder to write; it must not exist yet.")]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same patients.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Load a model whose file format can run code (SDV).")
]


@app.command()
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


@app.command()
def phantom(
    out: Out,
    n: Annotated[int, typer.Option(min=1, help="How many simulated patients.")] = 600,
    seed: Seed = 0,
    coupling: Annotated[
        float,
        typer.Option(min=0, max=1, help="How strongly hidden severity ties the modalities."),
    ] = 1.0,
    events: Annotated[
        bool,
        typer.Option("--events", help="Histories of events instead, for thousands of patients."),
    ] = False,
) -> None:
    """Simulate the embedded cardiac phantom cohort: table, vital signs, MR images and notes.

    casemix phantom --n 600 --out phantom

    casemix phantom --events --n 10000 --out histories
    """
    from casemix.recipes.phantom.cohort import phantom_cohort
    from casemix.recipes.phantom.events import phantom_events

    cohort = (
        phantom_events(n, seed=seed) if events else phantom_cohort(n, seed=seed, coupling=coupling)
    )
    cohort.save(out)
    _describe(cohort, out)


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="How to read it: a mapping YAML or a shipped one (casemix list mappings), a "
            "format (csv, parquet, omop, meds), or keys of linked tables: a YAML, shipped ones, "
            "or linked-tables to have them inferred."
        ),
    ],
    root: Annotated[Path, typer.Option(help="The folder to read.")],
    out: Out,
) -> None:
    """Read a folder of tables, images, series or events into a cohort.

    casemix import ptbxl_subset --root data/ptbxl_subset --out cohorts/ptbxl

    casemix import omop --root data/cdm --out cohorts/cdm

    casemix import linked-tables --root data/hospital --out cohorts/hospital
    """
    from casemix.recipes.sources import read_source

    keys = out.with_name(f"{out.name}.keys.yaml")
    cohort, notes = read_source(source, root, keys_to=keys)
    cohort.save(out)
    for line in notes:
        typer.echo(line)
    _describe(cohort, out)


@app.command()
def export(
    cohort: Annotated[Path, typer.Argument(help="A cohort folder.")],
    out: Out,
    format_: Annotated[str, typer.Option("--format", help="csv, parquet, omop or meds.")],
) -> None:
    """Write a cohort as what other tools read; what the format cannot hold is said.

    Example: casemix export runs/linked-patients/synthetic --format omop --out omop
    """
    from casemix.core.cohort import Cohort
    from casemix.recipes import formats

    for note in formats.write(format_, Cohort.load(cohort), out):
        typer.echo(note)
    typer.echo(f"{format_}: {out}")


@app.command()
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


@app.command()
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
    from casemix.core.progress import terminal
    from casemix.recipes import sampling
    from casemix.recipes.continuing import continue_histories

    if sum(x is not None for x in (n, like, given, continue_)) != 1:
        raise typer.BadParameter("Give one of --n, --like, --given and --continue.")
    if continue_ is not None:
        if where or rules or shards:
            raise typer.BadParameter("--continue takes --until-hours, --seed and --trust alone.")
        with terminal() as progress:
            cohort = continue_histories(
                model, continue_, until_hours=until_hours, seed=seed, trust=trust, progress=progress
            )
        cohort.save(out)
        _describe(cohort, out)
        return
    asked = sampling.Asked(n, like, given, where, rules, shards)
    with terminal() as progress:
        counts = sampling.sample(model, asked, out, seed=seed, trust=trust, progress=progress)
    typer.echo(f"{out}: synthetic, {counts}")


@app.command()
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


@app.command()
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

    names = tuple(
        m.strip() if "/" in m else f"{modality}/{m.strip()}"
        for m in methods.split(",")
        if m.strip()
    )
    plan = comparison.Plan(modality, data, names, budget, seeds, seed, tiny)
    with terminal() as progress:
        entries = comparison.benchmark(plan, out, console=Console(stderr=True), progress=progress)
    if as_json:
        typer.echo(comparison.as_json(entries))
        return
    Console().print(comparison.as_table(entries))
    typer.echo(f"Page:  {out / 'benchmark.html'}")
    typer.echo(f"Table: {out / 'results.csv'}")


@app.command("list")
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


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A generator, evaluator, recipe, mapping or folder.")],
    as_json: AsJson = False,
) -> None:
    """Show what a plugin, recipe, mapping, cohort folder or model folder is, and its settings."""
    from casemix.recipes import inventory

    shown = inventory.shown(name)
    typer.echo(json.dumps(shown, indent=2) if as_json else inventory.as_text(shown))


def main() -> None:
    """Run the command line; exit codes: 0 done, 1 a stated failure, 2 wrong usage."""
    try:
        app()
    except (CasemixError, OSError) as error:
        typer.secho(f"Error: {error}", fg="red", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.secho("Stopped. The same command goes on where it stopped.", err=True)
        sys.exit(1)


def _named(pairs: list[str], option: str) -> dict[str, str]:
    """Return ``name=value`` texts as a mapping."""
    for pair in pairs:
        if not all(pair.partition("=")):
            raise typer.BadParameter(f"{option} takes modality=NAME, not '{pair}'.")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _describe(cohort: Cohort, out: Path) -> None:
    counts = ", ".join(f"{len(s)} {m}" for m, s in cohort.samples.items())
    typer.echo(f"{out}: {len(cohort)} {cohort.provenance} subjects; samples: {counts or 'none'}")
