"""A made-up clinic: linked tables of as many patients as are asked for, and their keys.

Usage: python benchmarks/linked_parts/clinic.py FOLDER [--patients 2000] [--seed 0]
It writes what a method has to learn: numbers of rows that follow the patient, chronic diagnoses
that recur from visit to visit, codes whose chapter, unit and price follow exactly, a column that
repeats the visit before, gaps of exactly nothing, skewed numbers, and levels of very unequal
frequency. Benchmark it with `linked_tables.py FOLDER/keys.yaml FOLDER`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

KEYS = """\
subject: {table: patients, key: patient_id, birth: born, columns: [sex, region]}
index: {table: visits, column: begun}
tables:
  visits:
    key: visit_id
    times: [begun, ended]
    spans: [[begun, ended]]
  diagnoses:
    parent: visits
    rank: position
    columns: {code: {kind: categorical, most: 120}}
  drugs:
    parent: visits
    times: [started, stopped]
    spans: [[started, stopped]]
    columns: {drug: {kind: categorical, most: 60}, price: {kind: numeric}, dose: {kind: numeric}}
  labs:
    parent: visits
    times: [taken]
    within: true
    columns: {value: {kind: numeric}}
"""
_DEPARTMENTS = ("cardiology", "medicine", "neurology", "oncology", "surgery", "trauma")
_CHAPTERS = "ABCDEFGHIJ"
_TESTS = {"creatinine": 1.0, "haemoglobin": 13.0, "potassium": 4.1, "sodium": 139.0, "urea": 6.0}
_UNITS = {"creatinine": "mg/dl", "haemoglobin": "g/dl"}
_DAY = pd.Timedelta(days=1)


@dataclass
class Clinic:
    """What the clinic knows of its codes, and the rows so far.

    Args:
        rng: where all draws come from.
        rows: table -> its rows.
    """

    rng: np.random.Generator
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.codes = [f"{_CHAPTERS[k % 10]}{k:02d}" for k in range(100)]
        self.prices = np.round(np.exp(self.rng.normal(2.5, 1.0, 50)), 2)

    def frequent(self, count: int) -> int:
        """Return one of so many things, the k-th with a share in proportion to 1 / (k + 1)."""
        weights = 1.0 / np.arange(1, count + 1)
        return int(self.rng.choice(count, p=weights / weights.sum()))

    def add(self, table: str, **cells: object) -> int:
        """Add a row and return its number."""
        rows = self.rows.setdefault(table, [])
        rows.append(cells)
        return len(rows) - 1

    def patient(self, number: int) -> None:
        """Add a patient with all visits."""
        rng = self.rng
        illness = float(rng.beta(2, 4))
        begun = pd.Timestamp("2010-01-01") + _DAY * int(rng.integers(0, 3000))
        born = (begun - _DAY * int(365 * (20 + 65 * rng.beta(2 + 3 * illness, 2)))).normalize()
        region = ("north", "south", "east", "west")[self.frequent(4)]
        sex = ("female", "male")[int(rng.random() < 0.5)]
        self.add("patients", patient_id=number, sex=sex, region=region, born=born)
        chronic = [self.frequent(100) for _ in range(rng.binomial(4, illness))]
        usual, before = self.frequent(6), None
        for _ in range(1 + rng.poisson(2.5 * illness)):
            department = _DEPARTMENTS[usual if rng.random() < 0.7 else self.frequent(6)]
            ended = begun + pd.Timedelta(hours=int(4 + rng.exponential(20 + 150 * illness)))
            visit = self.add(
                "visits",
                visit_id=len(self.rows.get("visits", ())),
                patient_id=number,
                begun=begun,
                ended=ended,
                department=department,
                department_before=before,
                urgent="yes" if rng.random() < 0.2 + 0.6 * illness else "no",
            )
            self.visit(visit, begun, ended, illness, chronic)
            before, begun = department, ended + _DAY * int(1 + rng.exponential(200))

    def visit(
        self,
        visit: int,
        begun: pd.Timestamp,
        ended: pd.Timestamp,
        illness: float,
        chronic: list[int],
    ) -> None:
        """Add what happens in a visit."""
        rng = self.rng
        new = {self.frequent(100) for _ in range(1 + rng.poisson(2 * illness))}
        for position, k in enumerate(dict.fromkeys([*chronic, *sorted(new)])):
            code = self.codes[k]
            self.add("diagnoses", visit_id=visit, position=position, code=code, chapter=code[0])
        for _ in range(rng.poisson(1 + 4 * illness)):
            k = (chronic[0] if chronic and rng.random() < 0.5 else self.frequent(50)) % 50
            late = 0 if rng.random() < 0.6 else int(rng.exponential(12))
            started = begun + pd.Timedelta(hours=late)
            self.add(
                "drugs",
                visit_id=visit,
                drug=f"drug {k}",
                unit=("mg", "ml", "tablet")[k % 3],
                price=float(self.prices[k]),
                dose=float((1, 2, 5, 10)[k % 4] * (1 + self.frequent(3))),
                started=started,
                stopped=started + _DAY * int(1 + rng.geometric(0.3)),
            )
        hours = (ended - begun) / pd.Timedelta(hours=1)
        for moment in np.sort(rng.integers(0, int(hours) + 1, rng.poisson(1 + 5 * illness))):
            test = list(_TESTS)[self.frequent(len(_TESTS))]
            scale = 1 + (1.5 * illness if test in ("creatinine", "urea") else -0.1 * illness)
            self.add(
                "labs",
                visit_id=visit,
                taken=begun + pd.Timedelta(hours=int(moment)),
                test=test,
                unit=_UNITS.get(test, "mmol/l"),
                value=round(float(_TESTS[test] * scale * np.exp(rng.normal(0, 0.08))), 1),
            )


def write(folder: Path, patients: int, seed: int) -> None:
    """Write the tables of so many patients as parquet, and ``keys.yaml``."""
    clinic = Clinic(np.random.default_rng(seed))
    for number in range(patients):
        clinic.patient(number)
    folder.mkdir(parents=True, exist_ok=True)
    for table, rows in clinic.rows.items():
        pd.DataFrame(rows).to_parquet(folder / f"{table}.parquet", index=False)
    (folder / "keys.yaml").write_text(KEYS, encoding="utf-8")


def main() -> None:
    """Write a made-up clinic."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write(options.folder, options.patients, options.seed)


if __name__ == "__main__":
    main()
