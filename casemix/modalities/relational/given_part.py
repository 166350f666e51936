"""GivenPart: a tabular generator, and the complete columns that its rows are drawn given."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.samples import Samples
from casemix.modalities.relational.filling import Filling


@dataclass
class GivenPart:
    """A fitted tabular generator behind the filling of what it is given."""

    filling: Filling
    generator: Generator

    @classmethod
    def fit(
        cls,
        tabular: Generator,
        frame: pd.DataFrame,
        schema: Schema,
        given: tuple[pd.DataFrame, Schema],
        owners: np.ndarray,
        *,
        seed: int,
    ) -> GivenPart:
        """Fit a copy of ``tabular`` to the rows of a frame, given other columns row by row.

        Args:
            tabular: an unfitted tabular generator.
            frame: n rows.
            schema: their columns.
            given: what they are drawn given, n rows, and its fields.
            owners: the subject of each row, (n,): generators that keep out what few subjects have
                count these, not rows.
            seed: seed of the fit.
        """
        filling = Filling.fit(*given)
        ids = pd.Index([f"row-{i}" for i in range(len(frame))], dtype=object)
        complete = filling.apply(given[0]).set_axis(ids, axis=0)
        subject_ids = [f"subject-{o}" for o in owners]
        asked = Conditions.of(complete, filling.schema, subject_ids=subject_ids)
        payload = registry.payload_type("tabular")(frame, schema)
        data = Samples("tabular", asked.rows[["subject_id", "time"]], payload)
        return cls(filling, copy.deepcopy(tabular).fit(data, asked, seed=seed))

    def draw(self, given: pd.DataFrame, ids: np.ndarray, *, seed: int) -> pd.DataFrame:
        """Return one row per row of ``given``; ``ids`` name them in any batch."""
        index = pd.Index(ids, dtype=object)
        asked = Conditions.of(
            self.filling.apply(given.set_axis(index, axis=0)), self.filling.schema
        )
        frame: pd.DataFrame = self.generator.generate(asked, seed=seed).payload.frame
        return frame
