"""The app, its commands and the exit codes."""

from __future__ import annotations

import sys

import typer

from casemix.cli import data, judging, looking, models, running
from casemix.errors import CasemixError

app = typer.Typer(
    name="casemix",
    help="Make linked synthetic patients, and measure how faithful, useful, private and linked "
    "any synthetic cohort is.\n\nStart with: casemix run linked-patients",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

# In the order of `casemix --help`.
app.command()(running.run)
app.command()(data.phantom)
app.command("import")(data.import_)
app.command()(data.export)
app.command()(models.fit)
app.command()(models.sample)
app.command()(judging.evaluate)
app.command()(judging.benchmark)
app.command("list")(looking.list_)
app.command()(looking.show)


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
