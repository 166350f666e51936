"""Calls to SDV's sequential synthesizer: quiet, seeded, without a trace in global random state."""

from __future__ import annotations

import importlib
import io
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from casemix.errors import MissingExtraError

SEQUENCE = "sequence"
_TABLE = "events"


def fit_par(rows: pd.DataFrame, context: list[str], *, epochs: int, who: str, seed: int) -> Any:
    """Return a fitted PARSynthesizer.

    Args:
        rows: events in order: ``sequence`` (text), columns of context and of events; numbers
            without missing cells, and levels as text.
        context: columns that do not change within a sequence.
        epochs: passes over the sequences.
        who: the generator's registry name.
        seed: the seed of everything random.

    Raises:
        MissingExtraError: SDV is not installed.
    """
    with quiet(seed):
        kinds = {True: "numerical", False: "categorical"}
        about: dict[str, Any] = {str(n): {"sdtype": kinds[rows[n].dtype.kind == "f"]} for n in rows}
        about[SEQUENCE] = {"sdtype": "id"}
        table = {"columns": about, "sequence_key": SEQUENCE}
        metadata = _sdv("metadata", who).Metadata.load_from_dict({"tables": {_TABLE: table}})
        synthesizer = _sdv("sequential", who).PARSynthesizer(
            metadata,
            enforce_min_max_values=False,
            enforce_rounding=False,
            context_columns=context,
            epochs=epochs,
            cuda=False,
        )
        synthesizer.fit({_TABLE: rows})
    return synthesizer


def sample_par(synthesizer: Any, context: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return the drawn events of each row of context, which has the column ``sequence``."""
    with quiet(seed):
        # SDV has no public way to another seed than its fixed one.
        context_model = synthesizer._context_synthesizer
        context_model.reset_sampling()
        context_model._set_random_state(seed % 2**32)
        synthesizer._data_processor.reset_sampling()
        if context.shape[1] > 1:
            told: pd.DataFrame = synthesizer.sample_sequential_columns(context)[_TABLE]
            return told
        rows: pd.DataFrame = synthesizer.sample(len(context))[_TABLE]
    names = dict(zip(rows[SEQUENCE].unique(), context[SEQUENCE], strict=True))
    return rows.assign(**{SEQUENCE: rows[SEQUENCE].map(names)})


def load_par(path: Path, *, who: str) -> Any:
    """Return what SDV saved; this can run code."""
    with quiet():
        return _sdv("utils", who).load_synthesizer(str(path))


def _sdv(module: str, who: str) -> Any:
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
    """Run a call to SDV without its warnings and without a trace in global random state."""
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with (
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
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
