from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from casemix.core.cohort import Cohort
from casemix.recipes.mapping import ImportReport, import_cohort
from casemix.recipes.mapping.load import mapping_of

CONTENT: dict[str, Any] = {
    "about": {"name": "small", "source": "made for a test", "licence": "none"},
    "tables": {
        "patients": {"file": "patients.csv"},
        "visits": {"file": "visits.parquet"},
        "events": {"file": "events.parquet"},
        "pictures": {"file": "pictures.csv"},
    },
    "subjects": {
        "table": "patients",
        "id": "id",
        "fields": {
            "age": {"kind": "numeric", "unit": "a", "range": [0, 110], "missing": [-1]},
            "sex": {"kind": "binary", "levels": {"0": "F", "1": "M"}},
        },
    },
    "samples": {
        "tabular": {
            "table": "visits",
            "subject": "patient",
            "id": "visit",
            "time": {"column": "day", "unit": "d"},
            "columns": {"height": {"kind": "numeric", "unit": "cm", "range": [40, 230]}},
        },
        "timeseries": {
            "table": "patients",
            "subject": "id",
            "step_seconds": 3600,
            "events": {
                "table": "events",
                "key": "id",
                "time": {"column": "minute", "unit": "min"},
                "variable": "code",
                "value": "value",
                "window": [0, 3],
            },
            "channels": {
                "heart_rate": {"kind": "numeric", "codes": ["HR"], "range": [20, 300]},
                "temperature": {
                    "kind": "numeric",
                    "unit": "Cel",
                    "codes": ["T*"],
                    "range": [25, 45],
                    "aggregate": "last",
                },
            },
        },
        "imaging": {
            "table": "pictures",
            "subject": "id",
            "id": "picture",
            "size": [8, 8],
            "frames": {"view": {"file": "file", "folder": "png"}},
        },
    },
}


def write_small(root: Path) -> None:
    """Write the small export that `CONTENT` maps: 3 patients, 4 visits, 3 pictures."""
    (root / "patients.csv").write_text("id,age,sex\n007,63,0\n008,-1,1\n009,44,\n")
    visits = {
        "visit": [1, 2, 3, 4],
        "patient": ["007", "007", "008", "009"],
        "day": [0.0, 2.0, 0.0, 1.0],
        "height": [164.0, 431.8, 180.0, np.nan],
    }
    pd.DataFrame(visits).to_parquet(root / "visits.parquet")
    events = {
        "id": ["007", "007", "007", "008", "009", "009", "999"],
        "minute": [0.0, 30.0, 90.0, 10.0, 179.9, 180.0, 5.0],
        "code": ["HR", "HR", "TEMP", "TEMP", "HR", "HR", "HR"],
        "value": np.array([80, 90, -17.8, 36.6, 60, 61, 70], dtype=np.float32),
    }
    pd.DataFrame(events).to_parquet(root / "events.parquet")
    (root / "png").mkdir()
    for i, name in enumerate("abc"):
        pixels = np.full((8, 16), 60 * (i + 1), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "png" / f"{name}.png")
    (root / "pictures.csv").write_text("picture,id,file\n1,007,a.png\n2,008,b.png\n3,009,c.png\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_small(tmp_path)
    return tmp_path


@pytest.fixture
def content() -> dict[str, Any]:
    return copy.deepcopy(CONTENT)


@pytest.fixture
def imported(root: Path, content: dict[str, Any]) -> Callable[..., tuple[Cohort, ImportReport]]:
    """Import the small export after changes such as ``{"subjects/id": "mrn"}``; None deletes."""

    def run(changes: dict[str, Any] | None = None) -> tuple[Cohort, ImportReport]:
        for place, value in (changes or {}).items():
            *path, last = place.split("/")
            inner = content
            for key in path:
                inner = inner[key]
            if value is None:
                del inner[last]
            else:
                inner[last] = value
        return import_cohort(mapping_of(content), root)

    return run
