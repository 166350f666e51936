"""Commands that make, read and write cohorts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from casemix.cli.options import Out, Seed

if TYPE_CHECKING:
    from casemix.core.cohort import Cohort


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
    describe(cohort, out)


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
    describe(cohort, out)


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


def describe(cohort: Cohort, out: Path) -> None:
    """Print what a cohort that was just written holds."""
    counts = ", ".join(f"{len(s)} {m}" for m, s in cohort.samples.items())
    typer.echo(f"{out}: {len(cohort)} {cohort.provenance} subjects; samples: {counts or 'none'}")
