"""What the rows of a method give away of its training rows, beside held-out real rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from casemix.errors import EvaluationError
from casemix.evaluation import privacy
from casemix.evaluation.rare_levels import rare_value_excess
from casemix.modalities.tabular.embed import Embedder
from tabular_parts.data import SUBJECT, Part
from tabular_parts.scores import encoded, owners

_SUBJECTS = 2_000  # whose rare values are looked for, as many as an evaluation takes


def judged(
    train: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame, part: Part, seed: int
) -> dict[str, Any]:
    """Return all scores of privacy; real training rows give themselves away."""
    row = membership(train, held_out, made, part, seed)
    row |= copies(train, held_out, made, part)
    return row | rare_values(train, held_out, made, part, seed)


def membership(
    train: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame, part: Part, seed: int
) -> dict[str, Any]:
    """Return DOMIAS' AUC and its control arm's with intervals, as `casemix evaluate` has them.

    The embedder knows one half of the training patients, the other half is attacked.
    """
    known = _of_subjects(train, train[SUBJECT].nunique() // 2, seed)
    members = train.drop(index=known.index)
    embedder = Embedder.fit(known[part.names], part.schema)
    arms = [embedder.embed(rows[part.names]) for rows in (members, held_out, made)]
    found = privacy.domias(
        *arms, train_subjects=owners(members), holdout_subjects=owners(held_out), seed=seed
    )
    return {
        "membership": found.auc.value,
        "membership_interval": [float(x) for x in found.auc.interval],
        "membership_control": [float(x) for x in found.control.interval],
        "membership_control_auc": found.control.value,
    }


def copies(
    train: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame, part: Part
) -> dict[str, float]:
    """Return the share of made rows that equal a training (held-out) row which occurs once."""
    rows = _row_hashes(pd.concat([train, held_out, made]), part)
    a, b, c = np.split(rows, [len(train), len(train) + len(held_out)])
    shares = [float(np.isin(c, _once(real)).mean()) for real in (a, b)]
    return {"copies": shares[0], "copies_held_out": shares[1]}


def rare_values(
    train: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame, part: Part, seed: int
) -> dict[str, Any]:
    """Return how many more of the values that single people have come out for members."""
    arms = [_of_subjects(rows, _SUBJECTS, seed) for rows in (train, held_out)]
    try:
        found = rare_value_excess(
            *(rows[part.names] for rows in arms),
            made[part.names].head(max(map(len, arms))),
            subjects_members=owners(arms[0]),
            subjects_others=owners(arms[1]),
            seed=seed,
        )
    except EvaluationError:  # a table without singular values has none to give away
        return {"rare_excess": None}
    interval = [float(x) for x in found.interval]
    return {"rare_excess": found.value, "rare_excess_interval": interval}


def _of_subjects(rows: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    kept = np.random.default_rng(seed + 33).permutation(rows[SUBJECT].unique())[:n]
    return rows[rows[SUBJECT].isin(kept)]


def _row_hashes(rows: pd.DataFrame, part: Part) -> np.ndarray:
    coded, _ = encoded(rows, part.schema)
    return pd.util.hash_pandas_object(pd.DataFrame(coded), index=False).to_numpy()


def _once(rows: np.ndarray) -> np.ndarray:
    values, counts = np.unique(rows, return_counts=True)
    return values[counts == 1]
