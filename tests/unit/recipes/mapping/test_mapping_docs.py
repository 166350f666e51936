"""The worked example of docs/import.md is true: its files and its mapping give its report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from casemix.recipes.mapping import import_cohort
from casemix.recipes.mapping.fields import FieldSpec

PAGE = Path(__file__).parents[4] / "docs" / "import.md"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)


@pytest.fixture
def blocks() -> dict[str, str]:
    found = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    assert len(found) == 6
    return found


def test_the_worked_example_gives_its_report(blocks, tmp_path):
    for name, text in blocks.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "export" / "images").mkdir()
    for name in "abcd":
        pixels = np.full((80, 100), 100, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "export" / "images" / f"{name}.png")
    cohort, report = import_cohort(tmp_path / "my_export.yaml", tmp_path / "export")
    assert "\n".join(report.lines()) == blocks["report"].rstrip()
    assert cohort["tabular"].payload.frame["creatinine"].round(2).tolist()[0] == 1.10
    assert cohort["text"].payload.texts[0] == "No effusion.\nNormal chest."
    assert cohort.subjects["age"].round(1).tolist() == [63.8, 71.3, 44.7, 58.2]
    assert cohort.groups.nunique() == 3


def test_the_page_explains_every_key_of_a_field():
    text = PAGE.read_text(encoding="utf-8")
    keys = list(FieldSpec.__dataclass_fields__)
    assert len(keys) == 18
    for key in keys:
        assert f"`{key}`" in text, key
