"""Imports go one way, and looking at casemix loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import casemix

PACKAGE = Path(casemix.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
RANK = {
    "errors": 0,
    "core": 1,
    "evaluation": 2,
    "modalities": 3,
    "recipes": 4,
    "cli": 5,
    "__main__": 6,
}
HEAVY = {
    "torch",
    "sdv",
    "diffusers",
    "transformers",
    "peft",
    "tsai",
    "ray",
    "datasets",
    "accelerate",
}
CORE_MAY_USE = {
    "numpy",
    "pandas",
    "pyarrow",
    "safetensors",
    "rich",
}  # the last two inside functions


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


def layer(dotted: str) -> str:
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else "face"


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def test_the_package_is_complete():
    assert len(MODULES) > 50
    assert {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"} == {
        "cli",
        "core",
        "evaluation",
        "modalities",
        "recipes",
        "testing",
    }


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_go_one_way(path):
    own = layer(dotted(path))
    for name in imports(path):
        if not name.startswith("casemix.") or own == "face":
            continue
        other = layer(name)
        if own == "testing":
            assert other in ("core", "evaluation", "errors", "testing"), f"{path} imports {name}"
        else:
            assert other != "testing", f"{path} imports {name}"
            assert RANK[other] <= RANK[own], f"{path} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_modalities_do_not_import_each_other(path):
    parts = dotted(path).split(".")
    if parts[1:2] != ["modalities"] or len(parts) < 3:
        return
    for name in imports(path):
        other = name.split(".")
        assert other[:2] != ["casemix", "modalities"] or other[2] == parts[2], f"{path}: {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").glob("*.py")), ids=dotted)
def test_core_stays_light(path):
    roots = {name.split(".")[0] for name in imports(path)}
    outside = roots - set(sys.stdlib_module_names) - {"casemix"}
    allowed = CORE_MAY_USE | ({"torch", "accelerate"} if path.stem == "training" else set())
    assert outside <= allowed, f"{path} imports {outside - allowed}"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_heavy_libraries_are_not_imported_by_packages(path):
    if path.name != "__init__.py":
        return
    assert not {name.split(".")[0] for name in imports(path)} & HEAVY


@pytest.mark.parametrize(
    "code",
    [
        "import casemix",
        "import sys; sys.argv = ['casemix', 'list']; from casemix.cli import main; main()",
    ],
)
def test_looking_at_casemix_loads_no_torch(code):
    probe = f"""
import sys
try:
    {code}
except SystemExit as end:
    assert not end.code, end.code
heavy = {sorted(HEAVY | {"sklearn", "scipy", "pandas"})!r}
loaded = [name for name in heavy if name in sys.modules]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True)
