"""Calls to SDV 2.0: quiet, seeded, without a trace in global random state."""

from __future__ import annotations

import importlib
import io
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from casemix.errors import FitError, MissingExtraError

_TABLE = "records"
#: SDV's families for columns of numbers.
DISTRIBUTIONS = ("norm", "beta", "truncnorm", "uniform", "gamma", "gaussian_kde")


def fit_synthesizer(
    table: pd.DataFrame, synthesizer: str, options: Mapping[str, Any], *, who: str, seed: int
) -> Any:
    """Return one of SDV's synthesizers, fitted.

    Args:
        table: numbers without missing cells, and levels as text; ranges and resolution are
            restored by the caller.
        synthesizer: the name of a class of ``sdv.single_table``.
        options: its settings.
        who: the generator's registry name.
        seed: the seed of everything random.

    Raises:
        MissingExtraError: SDV is not installed.
        FitError: no column varies.
    """
    if table.shape[1] == 0:
        raise FitError(
            "No column varies, so there is nothing to learn.",
            next_step="Leave constant columns out, or fit on more records.",
        )
    with quiet(seed):
        kinds = {True: "numerical", False: "categorical"}
        about = {n: {"sdtype": kinds[table[n].dtype.kind == "f"]} for n in table}
        fitted = _sdv("single_table", who).__dict__[synthesizer](
            _sdv("metadata", who).Metadata.load_from_dict({"tables": {_TABLE: {"columns": about}}}),
            enforce_min_max_values=False,
            enforce_rounding=False,
            **options,
        )
        fitted.fit({_TABLE: table})
    return fitted


def sample(synthesizer: Any, n: int, *, seed: int) -> pd.DataFrame:
    """Return n fresh rows of the table that it was fitted on."""
    with quiet(seed):
        synthesizer.reset_sampling()
        # SDV has no public way to another seed than its fixed one.
        synthesizer._set_random_state(seed % 2**32)
        rows: pd.DataFrame = synthesizer.sample(n)[_TABLE]
    return rows


def load_synthesizer(path: Path, *, who: str) -> Any:
    """Return what SDV saved; this can run code.

    Raises:
        MissingExtraError: SDV is not installed.
    """
    with quiet():
        return _sdv("utils", who).load_synthesizer(str(path))


def _sdv(module: str, who: str) -> Any:
    """Import a module of SDV, which is an extra."""
    try:
        return importlib.import_module(f"sdv.{module}")
    except ImportError as error:
        raise MissingExtraError(
            f"{who} needs SDV, which is not installed.",
            next_step='Install it with: pip install "casemix[sdv]". SDV is under BUSL-1.1, which '
            "forbids offering a commercial synthetic-data service on it.",
        ) from error


@contextmanager
def quiet(seed: int = 0) -> Iterator[None]:
    """Run a call to SDV without its warnings and without a trace in global random state.

    Its own worker processes are not started either: on a few cores they take longer to start than
    their work does.
    """
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with (
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            joblib.parallel_config(backend="sequential"),
        ):
            warnings.simplefilter("ignore")
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
