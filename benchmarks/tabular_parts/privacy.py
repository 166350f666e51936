"""What the rows of a method give away of its training rows, beside held-out real rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

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
    known, members = _halves(train, seed)
    found = privacy.domias(
        *_embedded(known, (members, held_out, made), part),
        train_subjects=owners(members),
        holdout_subjects=owners(held_out),
        seed=seed,
    )
    return {
        "membership": found.auc.value,
        "membership_interval": [float(x) for x in found.auc.interval],
        "membership_control": [float(x) for x in found.control.interval],
        "membership_control_auc": found.control.value,
    }


def mean_membership(
    train: pd.DataFrame, held_out: pd.DataFrame, made: pd.DataFrame, part: Part, seed: int
) -> float:
    """Return the mean AUC of four such attacks: either half the members, two references each.

    It errs less than one attack, which leaves half of the training patients unasked.
    """
    halves, found = _halves(train, seed), []
    for known, members in (halves, halves[::-1]):
        arms = _embedded(known, (members, held_out, made), part)
        for reference in (seed, seed + 1):
            scores = privacy.domias_scores(*arms, holdout_subjects=owners(held_out), seed=reference)
            labels = np.repeat([1, 0], [len(scores[0]), len(scores[1])])
            found.append(roc_auc_score(labels, np.concatenate(scores[:2])))
    return float(np.mean(found))


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


def _halves(train: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of one half of the training patients, and of the other."""
    one = _of_subjects(train, train[SUBJECT].nunique() // 2, seed)
    return one, train.drop(index=one.index)


def _embedded(known: pd.DataFrame, arms: Iterable[pd.DataFrame], part: Part) -> list[np.ndarray]:
    """Return the rows of each arm as an embedder has them that knows these rows."""
    embedder = Embedder.fit(known[part.names], part.schema)
    return [embedder.embed(rows[part.names]) for rows in arms]


def _of_subjects(rows: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    kept = np.random.default_rng(seed + 33).permutation(rows[SUBJECT].unique())[:n]
    return rows[rows[SUBJECT].isin(kept)]


def _row_hashes(rows: pd.DataFrame, part: Part) -> np.ndarray:
    coded, _ = encoded(rows, part.schema)
    return pd.util.hash_pandas_object(pd.DataFrame(coded), index=False).to_numpy()


def _once(rows: np.ndarray) -> np.ndarray:
    values, counts = np.unique(rows, return_counts=True)
    return values[counts == 1]
