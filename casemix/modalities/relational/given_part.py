"""GivenPart: a tabular generator, what its rows are drawn given, and what they come from."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.modalities.relational import determined
from casemix.modalities.relational.common_levels import common_levels
from casemix.modalities.relational.determined import Determined
from casemix.modalities.relational.filling import Filling
from casemix.modalities.relational.shared_numbers import StatedNumbers


@dataclass
class GivenPart:
    """A fitted tabular generator between what it is given and the rows that are drawn.

    Args:
        filling: makes what it is given complete.
        numbers: the states that its rows' numbers become.
        settled: the cells that follow from others.
        generator: draws rows of states.
    """

    filling: Filling
    numbers: StatedNumbers
    settled: tuple[Determined, ...]
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
            owners: the subject of each row, (n,): what keeps out what few subjects have counts
                these, not rows.
            seed: seed of the fit.
        """
        filling = Filling.fit(*given)
        numbers = StatedNumbers.fit(frame, schema, owners)
        settled = determined.find(frame, schema, *given, owners)
        ids = pd.Index([f"row-{i}" for i in range(len(frame))], dtype=object)
        shown = common_levels(frame, schema, owners, seed=child(seed, "levels"))
        complete = filling.apply(given[0]).set_axis(ids, axis=0)
        subject_ids = [f"subject-{o}" for o in owners]
        asked = Conditions.of(complete, filling.schema, subject_ids=subject_ids)
        payload = registry.payload_type("tabular")(numbers.encode(shown), numbers.schema)
        data = Samples("tabular", asked.rows[["subject_id", "time"]], payload)
        generator = copy.deepcopy(tabular).fit(data, asked, seed=seed)
        return cls(filling, numbers, settled, generator)

    def draw(self, given: pd.DataFrame, ids: np.ndarray, *, seed: int) -> pd.DataFrame:
        """Return one row per row of ``given``; ``ids`` name them in any batch."""
        index = pd.Index(ids, dtype=object)
        named = given.set_axis(index, axis=0)
        asked = Conditions.of(self.filling.apply(named), self.filling.schema)
        drawn = self.generator.generate(asked, seed=seed).payload.frame
        rows = self.numbers.decode(drawn, ids, seed=child(seed, "numbers"))
        return determined.settle(self.settled, rows, given)

    def to_json(self) -> dict[str, Any]:
        """Return all but the generator as JSON-ready content."""
        return {
            "filling": self.filling.to_json(),
            "numbers": self.numbers.to_json(),
            "settled": [column.to_json() for column in self.settled],
        }

    @classmethod
    def from_saved(cls, content: dict[str, Any], generator: Generator) -> GivenPart:
        """Rebuild a part from `to_json` and its generator."""
        return cls(
            Filling.from_json(content["filling"]),
            StatedNumbers.from_json(content["numbers"]),
            tuple(Determined(**about) for about in content["settled"]),
            generator,
        )
