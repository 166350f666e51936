"""What README and docs say of commands, links and names holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from casemix.cli import app
from casemix.evaluation.rules.language import load_rules
from casemix.recipes import catalogue
from casemix.recipes.inventory import metrics_page

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_there_are_pages():
    assert len(PAGES) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_options_exist(page):
    commands = get_command(app).commands
    for line in re.findall(r"casemix (?=[a-z])([^\n`#\"']+)", page.read_text(encoding="utf-8")):
        words = line.split()
        if words[0] not in commands:
            continue
        known = {o for p in commands[words[0]].params for o in p.opts}
        used = {w for w in words if w.startswith("--")} - {"--help"}
        assert used <= known, f"{page.name}: casemix {line}"


def test_every_command_teaches():
    commands = get_command(app).commands
    assert set(commands) >= {
        "run", "phantom", "import", "fit", "sample", "evaluate", "list", "show",
    }  # fmt: skip
    for name, command in commands.items():
        assert command.help, name
        assert all(p.help for p in command.params if p.param_type_name == "option"), name


def test_every_page_is_in_the_navigation():
    nav = str(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    missing = [p.name for p in PAGES[1:] if str(p.relative_to(ROOT / "docs")) not in nav]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_recipes_are_documented_and_parse():
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert len(catalogue.names()) >= 4
    for name in catalogue.names():
        assert f"`{name}`" in text
        assert set(catalogue.describe(name)) == {"summary", "data", "settings"}
        assert callable(catalogue.runner(name))


def test_the_metrics_page_is_as_generated():
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics_page()


def test_the_example_of_clinical_rules_can_be_read(tmp_path):
    page = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.DOTALL).group(1))
    names = {rule.name for rule in load_rules(tmp_path / "rules.yaml")}
    assert {"pulse_pressure", "sodium", "old_enough"} < names
    assert "temperature_possible" not in names
