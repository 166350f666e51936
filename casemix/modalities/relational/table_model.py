"""TableModel: how many rows of one table each parent has, and what these rows are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.artifact import Draft, Saved
from casemix.core.generator import Generator
from casemix.core.seeding import child
from casemix.errors import FitError
from casemix.modalities.relational import recalled
from casemix.modalities.relational.child_numbers import draw_numbers, fit_numbers
from casemix.modalities.relational.clock import Clock
from casemix.modalities.relational.given_part import GivenPart
from casemix.modalities.relational.progeny import Progeny
from casemix.modalities.relational.repeats import never_repeated, repeats
from casemix.modalities.relational.steps import Parents, Steps, step_features
from casemix.modalities.relational.table_form import KEYS, TableForm

_FEWEST = 8  # rows of a table
_TRIES = 10  # draws of a row whose level its siblings must not have


@dataclass
class TableModel:
    """Learns one table given its parents and draws it row after row.

    The number of children comes first, given the parent, the tables before this one, and the
    number that the parent before in the same sample has; then the children one after another, given
    the parent, their position and number, the time so far, the sibling before, and the row
    at the same position of the first parent in the sample, whose children are drawn before.

    Args:
        steps: the table and its clocks.
        most: largest number of children in training, which all have where there is no ``count``.
        unique: columns whose levels never repeat among siblings.
        count: draws how many, or None where it is always ``most``.
        row: draws a step, or None where the table has no column.
    """

    steps: Steps
    most: int
    unique: tuple[str, ...] = ()
    count: GivenPart | None = None
    row: GivenPart | None = None

    @classmethod
    def fit(
        cls,
        tabular: Generator,
        form: TableForm,
        frame: pd.DataFrame,
        parents: Parents,
        parent: np.ndarray,
        *,
        rows: int,
        seed: int,
    ) -> TableModel:
        """Learn a table.

        Args:
            tabular: an unfitted tabular generator.
            form: the table.
            frame: its rows in the order of samples, parents and times.
            parents: what they belong to, also those without a row.
            parent: position of each row's parent, (n,).
            rows: most rows that are learnt, drawn at random.
            seed: seed of the fits.

        Raises:
            FitError: fewer than 8 rows.
        """
        if len(frame) < _FEWEST:
            raise FitError(
                f"The table '{form.name}' has too few rows to learn from.",
                given=len(frame),
                allowed=f"at least {_FEWEST}",
                next_step="Leave the table out.",
            )
        counts = np.bincount(parent, minlength=len(parents))
        model = cls(Steps.fit(form, frame), int(counts.max()), never_repeated(form, frame, parent))
        model.count = fit_numbers(tabular, counts, parents, seed=child(seed, "count"))
        if len(form.schema):
            model._fit_rows(tabular, frame, parents, parent, counts, rows, child(seed, "row"))
        return model

    def _fit_rows(
        self,
        tabular: Generator,
        frame: pd.DataFrame,
        parents: Parents,
        parent: np.ndarray,
        counts: np.ndarray,
        rows: int,
        seed: int,
    ) -> None:
        reference = self.steps.references(frame, parent, parents.start)
        encoded = self.steps.encode(frame, reference)
        before = encoded.groupby(parent).shift()
        position = frame.groupby(parent).cumcount().to_numpy()
        remembered = recalled.of_training(encoded, parents, parent, position)
        order = seeding.generator(seed, "rows").permutation(len(frame))
        kept = np.sort(order[:rows])
        given = step_features(
            self.steps,
            before.iloc[kept],
            remembered.iloc[kept],
            reference[kept],
            position[kept],
            counts[parent[kept]],
            parents.take(parent[kept]),
        )
        target = encoded.iloc[kept].reset_index(drop=True)
        owners = parents.item[parent[kept]]
        self.row = GivenPart.fit(tabular, target, self.steps.schema, given, owners, seed=seed)

    def draw(self, parents: Parents, *, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the drawn rows and the position of each one's parent.

        Rows are in the order of samples, parents and times, with the columns of `KEYS` and those of
        the table. A sample's later parents are drawn one row behind its first one, whose row at
        their position they recall.
        """
        counts = self._counts(parents, child(seed, "count"))
        behind = (recalled.first_parents(parents) != np.arange(len(parents))).astype(int)
        drawn, owners = [self._nothing()], [np.empty(0, dtype=int)]
        state = Progeny.first(parents, self.steps)
        of_first = self.steps.schema.empty(pd.RangeIndex(0))
        for turn in range(int((counts + behind).max(initial=0))):
            position = turn - behind
            active = np.flatnonzero((position >= 0) & (position < counts) & ~state.stopped)
            if not len(active):
                continue
            before = recalled.of_drawn(of_first, parents, active, behind)
            rows = self._step(parents, counts, active, position[active], before, state, seed)
            there = ~state.stopped[active]
            drawn.append(rows[there])
            owners.append(active[there])
            of_first = recalled.firsts(state.before, parents, active[there], behind)
        owner = np.concatenate(owners)
        order = np.argsort(owner, kind="stable")
        frame = pd.concat([d for d in drawn if len(d)] or drawn, ignore_index=True).iloc[order]
        owner = owner[order]
        keys = pd.DataFrame({"item": parents.item[owner], "parent": parents.row[owner]})
        keys.insert(1, "row", keys.groupby("item").cumcount())
        cells = frame[list(self.steps.form.schema.names)].reset_index(drop=True)
        return pd.concat([keys[list(KEYS)], cells], axis=1), owner

    def _nothing(self) -> pd.DataFrame:
        return self.steps.form.schema.empty(pd.RangeIndex(0))

    def _counts(self, parents: Parents, seed: int) -> np.ndarray:
        if self.count is None:
            return np.full(len(parents), self.most)
        return draw_numbers(self.count, parents, seed=seed)

    def _step(
        self,
        parents: Parents,
        counts: np.ndarray,
        active: np.ndarray,
        position: np.ndarray,
        remembered: pd.DataFrame,
        state: Progeny,
        seed: int,
    ) -> pd.DataFrame:
        """Return the rows at one position, one per active parent, and move the state on."""
        if self.row is None:
            return self._nothing().reindex(range(len(active)))
        here = parents.take(active)
        reference = state.reference[active]
        given, _ = step_features(
            self.steps,
            state.before.iloc[active],
            remembered,
            reference,
            position,
            counts[active],
            here,
        )
        ids = np.array([f"{p}#{k}" for p, k in zip(here.ids, position, strict=True)], dtype=object)
        drawn = self._unrepeated(given, ids, active, state, seed)
        u = seeding.uniform(seed, list(ids), 1, stream="placed")[:, 0]
        rows = self.steps.decode(drawn, reference, here, position == 0, u)
        state.move(active, drawn, rows, self.steps.form.start)
        return rows

    def _unrepeated(
        self, given: pd.DataFrame, ids: np.ndarray, active: np.ndarray, state: Progeny, seed: int
    ) -> pd.DataFrame:
        """Return steps whose unique levels no sibling has; a parent that finds none stops."""
        assert self.row is not None
        drawn = self.row.draw(given, ids, seed=child(seed, "row"))
        again = np.flatnonzero(repeats(drawn, self.unique, state.seen, active))
        for attempt in range(_TRIES):
            if not len(again):
                break
            anew = self.row.draw(given.iloc[again], ids[again], seed=child(seed, "row", attempt))
            drawn.iloc[again] = anew.to_numpy(dtype=object)
            again = again[repeats(anew, self.unique, state.seen, active[again])]
        drawn = self.steps.schema.coerce(drawn)
        state.stopped[active[again]] = True
        for name in self.unique:
            for parent, level in zip(active, drawn[name], strict=True):
                state.seen[name].setdefault(int(parent), set()).add(level)
        return drawn

    def save(self, draft: Draft, name: str) -> None:
        """Write the model into an artifact, under names that begin with ``name``."""
        parts = {"count": self.count, "row": self.row}
        for key, part in parts.items():
            if part is not None:
                part.generator.save(draft.folder(f"{name}-{key}"))
        content = {
            "form": self.steps.form.to_json(),
            "clocks": {n: clock.resolution for n, clock in self.steps.clocks.items()},
            "most": self.most,
            "unique": list(self.unique),
            "parts": {k: p.to_json() for k, p in parts.items() if p is not None},
        }
        draft.json(name, content)

    @classmethod
    def load(cls, saved: Saved, name: str, tabular: type[Generator], *, trust: bool) -> TableModel:
        """Read what `save` wrote."""
        content = saved.json(name)
        clocks = {n: Clock(r) for n, r in content["clocks"].items()}
        steps = Steps(TableForm.from_json(content["form"]), clocks)
        parts = {
            key: GivenPart.from_saved(
                part, tabular.load(saved.folder(f"{name}-{key}"), trust=trust)
            )
            for key, part in content["parts"].items()
        }
        model = cls(steps, content["most"], tuple(content["unique"]))
        return replace(model, count=parts.get("count"), row=parts.get("row"))
