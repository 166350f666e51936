"""Sequential forests: each column given those before it, any cells fixed; the default."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from casemix.core import seeding
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Field, Kind, Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.tabular.sequential.column import from_cells, to_cells
from casemix.modalities.tabular.sequential.forest import TreeConfig
from casemix.modalities.tabular.sequential.joint import JointModel, fit_joint
from casemix.modalities.tabular.sequential.particles import draw
from casemix.modalities.tabular.data import Table
import pandas as pd


@dataclass(frozen=True)
class Config:
    trees: int = 24
    given_trees: int = 2
    rows: int = 60_000
    leaf: int = 8
    sample: float = 0.63
    features: float = 0.5


def plan_order(payload, given):
    last = [f for f in payload if len(f.levels) > 30]
    return (*(f for f in given if f.name not in payload), *(f for f in payload if f not in last), *last)


def fit_model(table, given, c, seed):
    fields = plan_order(table.schema, given.schema)
    cells = np.stack([to_cells(f, table.frame[f.name] if f.name in table.schema else given.rows[f.name]) for f in fields], axis=1)
    n = len(cells)
    def tc(f):
        most = c.trees if f.name in table.schema else c.given_trees
        t = int(np.clip(c.rows // n, 1, most))
        return TreeConfig(t, c.leaf, 1.0 if t == 1 else c.sample, 1.0 if t == 1 else c.features)
    return fields, fit_joint(fields, cells, [tc(f) for f in fields], seed=seed, progress=Progress())


def gen(fields, model, schema, given, seed):
    fixed = np.full((len(given), len(fields)), np.nan)
    for j, f in enumerate(fields):
        if f.name in given.schema:
            fixed[:, j] = to_cells(f, given.rows[f.name])
    cells = draw(model, fixed, given.sample_ids, seed)
    return pd.DataFrame({f.name: from_cells(f, cells[:, j]) for j, f in enumerate(fields) if f.name in schema})[list(schema.names)]
