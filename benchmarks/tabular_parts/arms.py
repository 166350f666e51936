"""The methods under test: casemix's generators, SDV as its users call it, and real rows."""

from __future__ import annotations

import importlib
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.fields import Kind, Schema
from casemix.modalities.tabular.sdv_tables.calls import quiet
from tabular_parts.data import as_samples, wanted

#: Fitted methods: n new rows, or one row per row of given columns.
Sampler = Callable[[int, pd.DataFrame | None], pd.DataFrame]
REAL = "real (other half)"
_SDV = "sdv "


@dataclass(frozen=True)
class Budget:
    """What SDV's networks may spend.

    Args:
        rows: training rows they see at most.
        gan_epochs: passes of CTGAN and CopulaGAN.
        tvae_epochs: passes of TVAE.
    """

    rows: int = 20_000
    gan_epochs: int = 8
    tvae_epochs: int = 100


def budget(options: Namespace) -> Budget:
    """Return the budget that the command line names."""
    return Budget(options.sdv_rows, options.gan_epochs, options.tvae_epochs)


def names() -> list[str]:
    """Return all methods: real rows, casemix's generators, then SDV's own classes."""
    ours = [n for n in registry.names("generators") if n.startswith("tabular/")]
    ours.remove("tabular/copy_training")
    straight = ("GaussianCopula", "CTGAN", "TVAE", "CopulaGAN")
    return [REAL, *ours, *(_SDV + name for name in straight)]


def load(name: str) -> None:
    """Import what a method needs, so that its time is its own."""
    if name.startswith(_SDV) or (name != REAL and registry.load("generators", name).trusted_only):
        importlib.import_module("sdv.single_table")


def fit(name: str, train: pd.DataFrame, schema: Schema, budget: Budget, *, seed: int) -> Sampler:
    """Fit a method on training rows and return how it makes rows."""
    if name == REAL:
        return lambda n, fixed: train.iloc[np.arange(n) % len(train)]
    if name.startswith(_SDV):
        return _straight(name.removeprefix(_SDV), train, schema, budget, seed)
    return _registered(name, train, schema, budget, seed)


def _registered(
    name: str, train: pd.DataFrame, schema: Schema, budget: Budget, seed: int
) -> Sampler:
    plugin = registry.load("generators", name)
    generator = plugin()
    if epochs := _epochs(name, budget):
        train = _some(train, budget.rows)
        generator = plugin(replace(generator.config, epochs=epochs))
    generator.fit(*as_samples(train, schema), seed=seed)

    def sample(n: int, fixed: pd.DataFrame | None) -> pd.DataFrame:
        return generator.generate(wanted(n, schema, fixed), seed=seed + 1).payload.frame

    return sample


def _straight(name: str, train: pd.DataFrame, schema: Schema, budget: Budget, seed: int) -> Sampler:
    """Fit SDV as a user does who tells it the kinds of the columns: raw cells, all defaults."""
    from sdv import single_table
    from sdv.metadata import Metadata

    kinds = {f.name: "numerical" if f.kind is Kind.NUMERIC else "categorical" for f in schema}
    columns = {column: {"sdtype": kind} for column, kind in kinds.items()}
    epochs = _epochs(name, budget)
    options = {"epochs": epochs, "enable_gpu": False} if epochs else {}
    rows = _some(train, budget.rows) if epochs else train
    with quiet(seed):
        metadata = Metadata.load_from_dict({"tables": {"table": {"columns": columns}}})
        synthesizer: Any = getattr(single_table, f"{name}Synthesizer")(metadata, **options)
        synthesizer.fit({"table": rows[list(schema.names)]})

    def sample(n: int, fixed: pd.DataFrame | None) -> pd.DataFrame:
        if fixed is not None:
            raise ValueError("SDV rejects rows until one condition fits: not run at this size.")
        with quiet(seed + 1):
            return _retyped(synthesizer.sample(n)["table"], schema)

    return sample


def conditional(name: str) -> bool:
    """Return whether cells of any columns can be given without rejection loops."""
    return name != REAL and not name.startswith(_SDV)


def _epochs(name: str, budget: Budget) -> int:
    """Return the passes of a network of SDV, 0 for every other method."""
    network = name.rsplit("/")[-1].removeprefix(_SDV).lower().replace("_", "")
    gan, tvae = budget.gan_epochs, budget.tvae_epochs
    return {"ctgan": gan, "copulagan": gan, "tvae": tvae}.get(network, 0)


def _some(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    if len(rows) <= most:
        return rows
    return rows.sample(most, random_state=0).reset_index(drop=True)


def _retyped(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    columns = {}
    for f in schema:
        cells = rows[f.name]
        if f.kind is Kind.NUMERIC:
            columns[f.name] = cells.astype(float)
        else:
            columns[f.name] = cells.astype(object).where(cells.notna(), None)
    return pd.DataFrame(columns)
