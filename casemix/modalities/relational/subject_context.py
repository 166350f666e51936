"""SubjectContext: what is asked of subjects, completed where it is left open."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.artifact import Draft, Saved
from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import Conditions
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.samples import Samples
from casemix.modalities.relational.steps import Parents, subjects


@dataclass
class SubjectContext:
    """Completes conditions once per subject, so that all its rows are drawn given the same.

    Args:
        given: the conditions that may be asked for.
        codes: the codes of training records that have a column of their own.
        generator: draws what is left open; None without conditions.
    """

    given: Schema
    codes: CodeColumns
    generator: Generator | None = None

    @classmethod
    def fit(cls, tabular: Generator, given: Conditions, *, seed: int) -> SubjectContext:
        """Learn the joint distribution of the conditions."""
        context = cls(given.schema, CodeColumns.fit(given.rows, given.schema))
        known = context.codes.conditions(given)
        if len(known.schema):
            payload = registry.payload_type("tabular")(known.values, known.schema)
            data = Samples("tabular", known.rows[["subject_id", "time"]], payload)
            context.generator = copy.deepcopy(tabular).fit(data, known, seed=seed)
        return context

    def as_parents(self, given: Conditions) -> Parents:
        """Return training subjects with the conditions as they are."""
        known = self.codes.conditions(given)
        return self._parents(known, known.values)

    def complete(self, given: Conditions, *, seed: int) -> Parents:
        """Return the subjects asked for with every condition that can be known.

        Raises:
            ConditionError: a condition that the model was not fitted with.
        """
        known = self.codes.conditions(given.align(self.given))
        if self.generator is None:
            return self._parents(known, known.values)
        return self._parents(known, self.generator.generate(known, seed=seed).payload.frame)

    def _parents(self, known: Conditions, values: pd.DataFrame) -> Parents:
        ids = np.array(known.sample_ids, dtype=object)
        return subjects(ids, values.reset_index(drop=True), known.schema)

    def save(self, draft: Draft) -> None:
        """Write the context into an artifact."""
        draft.json("context", {"given": self.given.to_json(), "codes": self.codes.to_json()})
        if self.generator is not None:
            self.generator.save(draft.folder("context"))

    @classmethod
    def load(cls, saved: Saved, tabular: type[Generator], *, trust: bool) -> SubjectContext:
        """Read what `save` wrote."""
        content = saved.json("context")
        given = Schema.from_json(content["given"])
        context = cls(given, CodeColumns.from_json(content["codes"]))
        if len(given):
            context.generator = tabular.load(saved.folder("context"), trust=trust)
        return context
