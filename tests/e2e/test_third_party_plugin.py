"""A package of somebody else's joins by entry point and is held to the same contract."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "example_plugin"
PROBE = """
from pathlib import Path
import tempfile
from casemix.core import registry
from casemix.testing import GENERATOR_CHECKS, METRIC_CHECKS, fitted, metric_cases
assert "tabular/example_mean" in registry.names("generators")
assert "example" in registry.summary("generators", "tabular/example_mean")
plugin = registry.load("generators", "tabular/example_mean")
assert plugin.__module__ == "casemix_example_plugin.example_mean"
for check in GENERATOR_CHECKS:
    with tempfile.TemporaryDirectory() as folder:
        check(fitted(plugin), Path(folder))
print(len(GENERATOR_CHECKS), "checks")
cases = metric_cases(registry.load("evaluators", "tabular/standard"))
for check in METRIC_CHECKS:
    check(cases["mean_gap"])
print(len(METRIC_CHECKS), "checks of a metric")
"""


@pytest.fixture
def installed(tmp_path):
    target = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*command, str(PACKAGE)], check=True, capture_output=True)
    return target


def test_the_example_package_is_found_and_meets_the_contract(installed):
    run = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "14 checks" in run.stdout
    assert "6 checks of a metric" in run.stdout
