"""Samples that meet demands: ranges, operators and rules over the cells of a row.

A generator takes cells that are known. A demand such as ``age > 70`` names many cells that would
do, so a row that misses it has candidates, a fixed number at most, of which the first that meets
it is taken: an exact draw given the demand. What is met too rarely for that is not searched for
without end: cells that meet the demand are taken from a pool of the generator's own rows, and the
rest of the row is drawn given them. No step depends on which other rows are asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from casemix.core import expressions, seeding
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.samples import Samples
from casemix.errors import ConditionError

_CANDIDATES = (4, 16, 64)  # further draws of a row before cells are taken from a pool
_AT_ONCE = 50_000  # rows drawn in one go
_POOLS = (256, 2048, 16384)  # rows drawn in search of some that meet the demands
_ENOUGH = 16  # rows of the pool to choose from, before it grows

Generate = Callable[[Conditions], Samples]


@dataclass(frozen=True)
class Demand:
    """What each row must meet.

    Args:
        fields: the fields that decide it.
        holds: typed rows of at least these fields -> which of them meet it, bool (n,).
        text: the demand in words, for errors.
    """

    fields: tuple[str, ...]
    holds: Callable[[pd.DataFrame], np.ndarray]
    text: str


def demands(expression: str, schema: Schema) -> tuple[Demand, ...]:
    """Return the parts of an expression that must all hold: what its ``and`` joins.

    >>> from casemix.core.fields import Field
    >>> s = Schema((Field("age", "numeric"), Field("sex", "binary", levels=("F", "M"))))
    >>> [d.text for d in demands("60 < age < 70 and (sex == 'F' or age > 65)", s)]
    ['60 < age < 70', "sex == 'F' or age > 65"]
    """
    if not expression:
        return ()
    tree = expressions.parse(expression, schema)
    whole_and = isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)
    parts = tree.values if whole_and else [tree]  # type: ignore[attr-defined]
    return tuple(_demand(ast.unparse(part), schema) for part in parts)


def _demand(text: str, schema: Schema) -> Demand:
    names = expressions.names(text, schema)

    def holds(rows: pd.DataFrame) -> np.ndarray:
        return expressions.evaluate(text, rows, schema.pick(names))

    return Demand(names, holds, text)


def met(rows: pd.DataFrame, wanted: Sequence[Demand]) -> np.ndarray:
    """Return which rows meet every demand, bool (n,)."""
    return np.logical_and.reduce([d.holds(rows) for d in wanted] or [np.ones(len(rows), bool)])


def rows_of(samples: Samples, given: Conditions) -> pd.DataFrame:
    """Return the columns of table samples beside the given fields that are no columns of it."""
    frame = samples.payload.frame.set_axis(given.rows.index, axis=0)
    return pd.concat([frame, given.values.drop(columns=frame.columns, errors="ignore")], axis=1)


def generate_meeting(
    generate: Generate, asked: Conditions, wanted: Sequence[Demand], *, seed: int
) -> Samples:
    """Return table samples, one per row of ``asked``, that meet all demands.

    Args:
        generate: draws table samples; each row depends on its own id and cells alone.
        asked: what is known of each row. Its schema has all fields that demands name.
        wanted: see `Demand`.
        seed: seed of the choice from the pool.

    Raises:
        ConditionError: a demand that the known cells exclude, or that no drawn row met.
    """
    found = _Found(generate(asked), asked, wanted)
    found.redraw(generate, asked, "")
    for every in (False, True):  # first only the cells of the demands that a row misses
        if len(found.open):
            missed = found.missed()
            missed[found.open] |= every
            guided = _guided(generate, asked, wanted, missed, seed)
            found.redraw(generate, guided, f"guided {every} ")
    if len(found.open):
        raise _impossible(asked.take(found.open), wanted)
    return found.samples


class _Found:
    """The rows found so far; those that do not meet the demands are open."""

    def __init__(self, first: Samples, asked: Conditions, wanted: Sequence[Demand]) -> None:
        self.asked, self.wanted = asked, wanted
        self.samples = first
        self.open = np.flatnonzero(~met(rows_of(first, asked), wanted))

    def missed(self) -> np.ndarray:
        """Return which demands each row misses, bool (n, demands)."""
        rows = rows_of(self.samples, self.asked)
        return np.stack([~demand.holds(rows) for demand in self.wanted], axis=1)

    def redraw(self, generate: Generate, known: Conditions, tag: str) -> None:
        """Draw candidates for the open rows, given what is known of them."""
        for k in _CANDIDATES:
            most = max(1, _AT_ONCE // k)
            for rows in np.split(self.open, range(most, len(self.open), most)):
                if len(rows):
                    self._candidates(generate, known, rows, k, f"#{tag}{k}")

    def _candidates(
        self, generate: Generate, known: Conditions, rows: np.ndarray, k: int, tag: str
    ) -> None:
        """Put the first of k candidates that meets the demands in each row's place.

        Where none does, the first stands there, and the row stays open.
        """
        drawn = generate(_repeated(known, rows, k, tag))
        asked = _repeated(self.asked, rows, k, tag)
        good = met(rows_of(drawn, asked), self.wanted).reshape(-1, k)
        source = np.arange(len(self.samples))
        first = np.arange(len(rows)) * k + good.argmax(axis=1)
        source[rows] = len(self.samples) + first
        both = type(drawn.payload).concat([self.samples.payload, drawn.payload])
        self.samples = replace(self.samples, payload=both.take(source))
        self.open = np.setdiff1d(self.open, rows[good.any(axis=1)])


def _guided(
    generate: Generate,
    asked: Conditions,
    wanted: Sequence[Demand],
    missed: np.ndarray,
    seed: int,
) -> Conditions:
    """Return the rows with the cells of the demands that they miss fixed, from rows of a pool.

    Rows of whom the same is known, and which miss the same, share a pool.
    """
    known = asked.values.astype(str).agg("\x1f".join, axis=1).to_numpy()
    keys = pd.DataFrame({"known": known, "missed": [row.tobytes() for row in missed]})
    filled = asked
    for _, group in keys[missed.any(axis=1)].groupby(["known", "missed"], sort=False):
        rows = group.index.to_numpy()
        failed = [d for d, miss in zip(wanted, missed[rows[0]], strict=True) if miss]
        part = _filled(generate, asked.take(rows), wanted, failed, seed)
        filled = _with_rows(filled, rows, part)
    return filled


def _filled(
    generate: Generate,
    alike: Conditions,
    wanted: Sequence[Demand],
    failed: Sequence[Demand],
    seed: int,
) -> Conditions:
    """Fix cells from rows that meet all demands; if none do, demand by demand."""
    pool = _pool(generate, alike, wanted)
    if len(pool):
        return _chosen(alike, pool, [n for d in failed for n in d.fields], seed)
    if len(failed) == 1:
        raise _impossible(alike, failed)
    for demand in failed:
        # Rows now differ in the cells fixed before: those with equal ones share a pool.
        alike = _guided(generate, alike, (demand,), np.ones((len(alike), 1), dtype=bool), seed)
    return alike


def _pool(generate: Generate, alike: Conditions, wanted: Sequence[Demand]) -> pd.DataFrame:
    """Return rows of the generator that meet the demands; none if it hardly makes any."""
    hits = pd.DataFrame()
    for size in _POOLS:
        ids = pd.Index([f"pool-{i}" for i in range(size)], dtype=object)
        one = alike.rows.iloc[[0] * size].set_axis(ids, axis=0)
        drawn = generate(Conditions(one.assign(subject_id=ids), alike.schema))
        rows = rows_of(drawn, Conditions(one, alike.schema))
        hits = rows[met(rows, wanted)]
        if len(hits) >= _ENOUGH:
            break
    return hits


def _chosen(asked: Conditions, pool: pd.DataFrame, names: Sequence[str], seed: int) -> Conditions:
    """Return rows with these cells taken from the pool; a missing cell cannot be asked for."""
    wanted = list(dict.fromkeys(names))
    whole = pool[pool[wanted].notna().all(axis=1)]
    pool = whole if len(whole) else pool
    u = seeding.uniform(seed, asked.sample_ids, 1, stream="pool")[:, 0]
    cells = pool.iloc[(u * len(pool)).astype(int)].set_axis(asked.rows.index, axis=0)
    known = {n: asked.rows[n].where(asked.rows[n].notna(), cells[n]) for n in wanted}
    return Conditions(asked.rows.assign(**known), asked.schema)


def _with_rows(asked: Conditions, positions: np.ndarray, part: Conditions) -> Conditions:
    rows = asked.rows.copy()
    for name in part.schema.names:
        column = rows[name].to_numpy(copy=True)
        column[positions] = part.rows[name].to_numpy()
        rows[name] = column
    return Conditions(rows, asked.schema)


def _repeated(asked: Conditions, rows: np.ndarray, k: int, tag: str) -> Conditions:
    """Return these rows k times each, under ids of their own."""
    again = asked.rows.iloc[np.repeat(rows, k)]
    ids = [f"{i}{tag}.{c % k}" for c, i in enumerate(again.index)]
    return Conditions(again.set_axis(pd.Index(ids, dtype=object), axis=0), asked.schema)


def _impossible(asked: Conditions, wanted: Sequence[Demand]) -> ConditionError:
    known = asked.values.iloc[0].dropna().to_dict()
    return ConditionError(
        f"No row that was drawn met: {' and '.join(d.text for d in wanted)}.",
        given=known or f"{_POOLS[-1]} rows of the model",
        next_step="Ask for something that training records show more often, or for one thing less.",
    )
