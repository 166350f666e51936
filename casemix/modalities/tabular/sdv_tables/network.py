"""A network of SDV as a model of the joint table of conditions and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from casemix.core import seeding
from casemix.core.artifact import Draft, Saved
from casemix.core.conditions import Conditions
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import PluginError
from casemix.modalities.tabular.sdv_tables import calls
from casemix.modalities.tabular.sdv_tables.joint import JointTable
from casemix.modalities.tabular.sdv_tables.mixed import MixedColumn, fit_mixed
from casemix.modalities.tabular.sdv_tables.most_fitting import most_fitting
from casemix.modalities.tabular.sequential.column import from_cells, to_cells


@dataclass(frozen=True)
class NetworkModel:
    """A fitted network, which makes rows that meet conditions although it has none.

    SDV's own way is to draw rows and to throw away those that do not meet one condition, again for
    each. Here every row with known cells takes the most fitting of one pool of fresh rows
    (`most_fitting`), and its known cells then stand as given. So the other cells follow what is
    known only as far as the pool has such rows.

    Args:
        table: what it was fitted with.
        columns: conditions and columns as the network learns them.
        synthesizer: SDV's synthesizer.
    """

    table: JointTable
    columns: tuple[MixedColumn, ...]
    synthesizer: Any

    @classmethod
    def fit(
        cls,
        data: Samples,
        given: Conditions,
        *,
        who: str,
        synthesizer: str,
        options: Mapping[str, Any],
        seed: int,
        progress: Progress | None,
    ) -> Self:
        """Fit a network.

        Args:
            data: the training records.
            given: their conditions.
            who: the generator's registry name.
            synthesizer: the name of a class of ``sdv.single_table``.
            options: its settings.
            seed: the seed of everything random.
            progress: where to report.

        Raises:
            MissingExtraError: SDV is not installed.
            FitError: data that cannot be learnt; no column varies.
        """
        table, rows = JointTable.fit(data, given, who=who)
        columns, mixed = fit_mixed(rows, table.schema, seed)
        with (progress or Progress()).step(f"fitting SDV's {synthesizer}", 1) as bar:
            fitted = calls.fit_synthesizer(mixed, synthesizer, options, who=who, seed=seed)
            bar.advance()
        return cls(table, columns, fitted)

    def generate(self, given: Conditions, *, candidates: int, seed: int) -> Samples:
        """Return one row per condition, as `Generator.generate` does.

        Args:
            given: the conditions.
            candidates: rows drawn, of which each row with known cells takes the most fitting.
            seed: the seed of everything random.
        """
        asked = given.align(self.table.fitted.given)
        known = self._known(asked)
        conditioned = ~np.isnan(known).all(axis=1)
        size = max(len(asked), candidates) if conditioned.any() else len(asked)
        # Rows of other calls are other draws: shards would hold the same patients otherwise.
        pool = self._pool(size, seeding.child(seed, "pool", *asked.sample_ids))
        chance = seeding.uniform(seed, asked.sample_ids, 1, stream="ties")[conditioned, 0]
        chosen = np.arange(len(asked))
        fields = [column.field for column in self.columns]
        chosen[conditioned] = most_fitting(known[conditioned], pool[:candidates], fields, chance)
        cells = {f.name: from_cells(f, pool[chosen, j]) for j, f in enumerate(fields)}
        return self.table.records(pd.DataFrame(cells), asked)

    def _known(self, asked: Conditions) -> np.ndarray:
        """Return the cells that are asked for, NaN elsewhere, (n, d)."""
        known = self.table.known(asked)
        cells = np.full((len(asked), len(self.columns)), np.nan)
        for j, column in enumerate(self.columns):
            if column.field.name in known:
                cells[:, j] = to_cells(column.field, known[column.field.name])
        return cells

    def _pool(self, n: int, seed: int) -> np.ndarray:
        """Return the cells of n fresh rows, (n, d)."""
        drawn = calls.sample(self.synthesizer, n, seed=seed)
        columns = {str(name): drawn[name].to_numpy() for name in drawn}
        return np.stack([c.decode(columns, n) for c in self.columns], axis=1)

    def save(self, draft: Draft) -> None:
        """Write the model; SDV's part is a pickle."""
        self.table.save(draft)
        draft.json("columns", {"columns": [c.to_json() for c in self.columns]})
        self.synthesizer.save(str(draft.folder("sdv") / "synthesizer.pkl"))

    @classmethod
    def load(cls, saved: Saved, *, who: str) -> Self:
        """Read what `save` wrote; this can run code.

        Raises:
            MissingExtraError: SDV is not installed.
        """
        columns = tuple(MixedColumn.from_json(c) for c in saved.json("columns")["columns"])
        path = saved.folder("sdv") / "synthesizer.pkl"
        return cls(JointTable.load(saved), columns, calls.load_synthesizer(path, who=who))


def check_training(who: str, *, epochs: int, batch_size: int, pack: int = 1) -> None:
    """Check how a network is to be trained.

    Args:
        who: the generator's registry name.
        epochs: passes over the training rows.
        batch_size: rows per step.
        pack: rows that the critic judges together.

    Raises:
        PluginError: no pass, or batches that hold no whole number of packs.
    """
    if epochs < 1:
        raise PluginError(f"{who} needs epochs to train for.", given=epochs, allowed="1 or more")
    if batch_size < 2 or batch_size % pack:
        allowed = f"a multiple of {pack}" if pack > 1 else "2 or more"
        raise PluginError(f"{who} has no such batch_size.", given=batch_size, allowed=allowed)
