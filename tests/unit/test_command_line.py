"""The commands, their order, and what wrong usage ends in."""

from __future__ import annotations

import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from casemix.cli import app, main

ORDER = ["run", "phantom", "import", "export", "fit", "sample"]
ORDER += ["evaluate", "benchmark", "list", "show"]
JUDGE = ["evaluate", "--real", "a", "--holdout", "b", "--synthetic", "c", "--out", "d"]


def test_help_lists_commands_from_data_to_looking():
    assert list(get_command(app).commands) == ORDER


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "m", "--out", "o"], "Give one of --n, --like, --given and --continue"),
        (["sample", "m", "--out", "o", "--n", "3", "--like", "c"], "Give one of"),
        (["sample", "m", "--out", "o", "--continue", "c", "--where", "age > 3"], "--until-hours"),
        ([*JUDGE, "--encoder", "text"], "modality=NAME, not 'text'"),
    ],
)
def test_wrong_usage_says_what_is_right_and_ends_in_2(words, said):
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert said in done.output


def test_a_stated_failure_ends_in_1(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["casemix", "show", "tabular/tree"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert "Error: " in capsys.readouterr().err
