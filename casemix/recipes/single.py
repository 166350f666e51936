"""One fitted generator with its conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from casemix.core import artifact, expressions, registry
from casemix.core.cohort import Cohort
from casemix.core.conditions import Conditions
from casemix.core.constrained import Demand, demands, generate_meeting
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.errors import ConditionError, RunError
from casemix.recipes.chain import generator

KIND = "recipes/single"
TABLE = "tabular"


@dataclass(frozen=True)
class Single:
    """A fitted generator of one modality.

    Args:
        generator: the generator.
        schema: the fields that it may be given.
        columns: those of them that it draws, if they are not given: the columns of a table.
    """

    generator: Generator
    schema: Schema
    columns: Schema = field(default_factory=Schema)

    def save(self, folder: Path) -> None:
        """Write the model."""
        name = registry.name_of(type(self.generator))
        with artifact.writing(folder, KIND, trusted_only=self.generator.trusted_only) as draft:
            self.generator.save(draft.folder("generator"))
            fields = {"schema": self.schema.to_json(), "columns": self.columns.to_json()}
            draft.json("single", {"generator": name, **fields})

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Single:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, KIND, trust=trust)
        about = saved.json("single")
        plugin = registry.load("generators", about["generator"])
        with artifact.known_form(folder):
            fitted = plugin.load(saved.folder("generator"), trust=trust)
        schema, columns = (Schema.from_json(about[name]) for name in ("schema", "columns"))
        return cls(fitted, schema, columns)

    def sample(
        self,
        asked: Conditions,
        *,
        seed: int,
        where: str = "",
        rules: Sequence[Demand] = (),
        progress: Progress | None = None,
    ) -> Samples:
        """Return one sample per row of ``asked``.

        Args:
            asked: what is known of each.
            seed: seed.
            where: an expression that each must meet, over what is given and what is drawn.
            rules: demands on each row of a table.
            progress: where to report.

        Raises:
            ConditionError: an expression that asks for more than a value of a field that is not
                drawn, or that no row met.
        """
        asked = self.fixed(asked, where)

        def generate(given: Conditions) -> Samples:
            return self.generator.generate(given, seed=seed, progress=progress)

        wanted = [d for d in demands(where, self.schema) if set(d.fields) & set(self.columns.names)]
        if not (wanted or rules):
            return generate(asked)
        return generate_meeting(generate, asked, [*wanted, *rules], seed=child(seed, "meeting"))

    def fixed(self, asked: Conditions, where: str) -> Conditions:
        """Return the conditions with the cells that ``where`` fixes outright.

        Raises:
            ConditionError: it asks for more of a field that is not drawn.
        """
        asked = asked.align(self.schema)
        cells = expressions.fixed_cells(where, self.schema) if where else {}
        rows = asked.rows.assign(**{n: [v] * len(asked) for n, v in cells.items()})
        fixed = Conditions(rows, asked.schema)
        for demand in demands(where, self.schema):
            if set(demand.fields) & set(self.columns.names):
                continue
            if not demand.holds(fixed.rows).all():
                raise ConditionError(
                    "The generator does not draw this field, so that it must be given.",
                    given=demand.text,
                    allowed=["field == value", *self.columns.names],
                    next_step="Use --like with a cohort that meets it, or a linked model.",
                )
        return fixed


def fit(
    method: str,
    data: Path,
    *,
    fields: Sequence[str] | None,
    seed: int,
    changes: Sequence[str],
    progress: Progress,
) -> Single:
    """Fit a registered generator on its modality of a cohort folder, given these or all fields.

    The columns of a table can be given besides.
    """
    plugin = registry.load("generators", method)
    cohort = Cohort.load(data)
    samples, given = cohort[plugin.modality], cohort.conditions(plugin.modality, fields)
    columns = Schema()
    if plugin.modality == TABLE:
        columns = samples.payload.schema
        new = columns.pick(n for n in columns.names if n not in given.schema)
        given = given.join(samples.payload.frame.set_axis(samples.index.index, axis=0), new)
    if fields is None:
        given = given.pick(f.name for f in given.schema if f.kind in plugin.honours)
    unfitted = generator(method, _options(changes))
    fitted = unfitted.fit(samples, given, seed=seed, progress=progress)
    return Single(fitted, given.schema, columns)


def wanted(schema: Schema, ids: Sequence[str]) -> Conditions:
    """Return conditions of new samples of which nothing is known."""
    return Conditions.of(schema.empty(pd.Index(list(ids), dtype=object)), schema)


def _options(changes: Sequence[str]) -> dict[str, object]:
    pairs = [change.partition("=") for change in changes]
    for key, sep, _ in pairs:
        if not sep:
            raise RunError("A setting is changed with key=value.", given=key)
    return {key: yaml.safe_load(text) for key, _, text in pairs}
