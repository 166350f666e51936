"""The record plan: how many records of a modality a subject has, when, and of what sort."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from casemix.core import artifact, registry
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.generator import Generator
from casemix.core.samples import Samples
from casemix.core.seeding import child

KIND = "core/record_plan"
_COUNT, _GAP, _POSITION = "plan.count", "plan.gap", "plan.position"
_COUNTS = Schema((Field(_COUNT, Kind.NUMERIC, range=(0, 1e6)),))


@dataclass
class RecordPlan:
    """Learns counts, times and record-level fields given the context, and draws them.

    Counts come first; then the records of a subject one after the other: the hours since the
    one before and the record-level fields, given context, position, count and the fields of
    the record before. What is the same for every training record is kept as a constant.

    Args:
        tabular: an unfitted tabular generator; copies of it are fitted.
    """

    tabular: Generator
    fields: Schema = field(default_factory=Schema)
    most: int = 1
    count: Generator | None = None
    record: Generator | None = None
    first_time: float = 0.0

    def fit(self, samples: Samples, subjects: Conditions, *, seed: int) -> RecordPlan:
        """Learn the plan of one modality.

        Args:
            samples: the modality's training records.
            subjects: the training subjects' context, one row per subject; subjects without a
                record count as having none.
            seed: seed of the fits.
        """
        self.fields = samples.schema
        counts = samples.index["subject_id"].value_counts().reindex(subjects.sample_ids).fillna(0)
        self.most = int(counts.max())
        if counts.nunique() > 1:
            frame = pd.DataFrame({_COUNT: counts.to_numpy(dtype=float)}, index=subjects.rows.index)
            self.count = _fit(self.tabular, frame, _COUNTS, subjects, child(seed, "count"))
        ordered = samples.index.sort_values(["subject_id", "time"], kind="stable")
        gaps = ordered.groupby("subject_id")["time"].diff().fillna(ordered["time"])
        self.first_time = float(gaps.iloc[0])
        if gaps.nunique() > 1 or len(self.fields):
            self._fit_records(ordered, gaps, counts, subjects, child(seed, "record"))
        return self

    def _fit_records(
        self,
        ordered: pd.DataFrame,
        gaps: pd.Series,
        counts: pd.Series,
        subjects: Conditions,
        seed: int,
    ) -> None:
        position = ordered.groupby("subject_id").cumcount()
        before = ordered[list(self.fields.names)].groupby(ordered["subject_id"]).shift()
        steps = pd.DataFrame(
            {
                _POSITION: position.to_numpy(dtype=float),
                _COUNT: counts.reindex(ordered["subject_id"]).to_numpy(dtype=float),
                **{_before(n): before[n].to_numpy() for n in self.fields.names},
            },
            index=ordered.index,
        )
        keys = ordered[["subject_id", "time"]]
        given = Conditions(pd.concat([keys, steps], axis=1), self._step_schema())
        given = given.join(subjects.values, subjects.schema, on="subject_id")
        target = ordered[list(self.fields.names)].assign(**{_GAP: gaps})
        self.record = _fit(self.tabular, target, self._record_schema(), given, seed)

    def draw(self, subjects: Conditions, modality: str, *, seed: int) -> Conditions:
        """Return one condition row per record wanted, with the context joined.

        Sample ids are ``<subject>.<modality>.<position>``; rows are ordered by subject.
        """
        counts = self._counts(subjects, seed)
        before: pd.DataFrame | None = None
        rows: list[pd.DataFrame] = []
        for position in range(int(counts.max(initial=0))):
            active = np.flatnonzero(counts > position)
            before = self._step(subjects.take(active), counts[active], position, before, seed)
            rows.append(before)
        order = pd.concat(rows) if rows else self._nothing()
        order["subject_id"] = pd.Categorical(order["subject_id"], subjects.sample_ids)
        order = order.sort_values(["subject_id", "position"]).astype({"subject_id": str})
        order.index = pd.Index(
            [
                f"{s}.{modality}.{p}"
                for s, p in zip(order["subject_id"], order["position"], strict=True)
            ],
            dtype=object,
        )
        plan = Conditions(order.drop(columns="position"), self.fields)
        return plan.join(subjects.values, subjects.schema, on="subject_id")

    def _counts(self, subjects: Conditions, seed: int) -> np.ndarray:
        if self.count is None:
            return np.full(len(subjects), self.most)
        drawn = self.count.generate(subjects, seed=child(seed, "count")).payload.frame[_COUNT]
        return np.clip(np.round(drawn.to_numpy()), 0, self.most).astype(int)

    def _step(
        self,
        subjects: Conditions,
        counts: np.ndarray,
        position: int,
        before: pd.DataFrame | None,
        seed: int,
    ) -> pd.DataFrame:
        rows = pd.DataFrame(
            {"subject_id": subjects.sample_ids, "position": position}, index=subjects.sample_ids
        )
        previous = None if before is None else before.reindex(subjects.sample_ids)
        start = 0.0 if previous is None else previous["time"].to_numpy()
        if self.record is None:
            return rows.assign(time=self.first_time if previous is None else start)
        steps = pd.DataFrame({_POSITION: float(position), _COUNT: counts.astype(float)}, rows.index)
        if previous is not None:
            steps = steps.assign(**{_before(n): previous[n] for n in self.fields.names})
        given = subjects.join(steps.reindex(columns=self._step_schema().names), self._step_schema())
        drawn = self.record.generate(given, seed=child(seed, "record", position)).payload.frame
        gap = drawn[_GAP].fillna(0.0).to_numpy()
        fields = {n: drawn[n].to_numpy() for n in self.fields.names}
        return rows.assign(time=start + (gap if position == 0 else np.maximum(gap, 0)), **fields)

    def _nothing(self) -> pd.DataFrame:
        return pd.DataFrame(columns=["subject_id", "position", "time", *self.fields.names])

    def _step_schema(self) -> Schema:
        earlier = tuple(
            Field(_before(f.name), f.kind, f.unit, f.levels, None, f.code_system)
            for f in self.fields
        )
        return Schema((Field(_POSITION, Kind.NUMERIC), Field(_COUNT, Kind.NUMERIC), *earlier))

    def _record_schema(self) -> Schema:
        return self.fields.join(Schema((Field(_GAP, Kind.NUMERIC, "h"),)))

    def save(self, folder: Path) -> None:
        """Write the plan."""
        parts = {"count": self.count, "record": self.record}
        with artifact.writing(folder, KIND) as draft:
            for name, part in parts.items():
                if part is not None:
                    part.save(draft.folder(name))
            content: dict[str, Any] = {
                "fields": self.fields.to_json(),
                "most": self.most,
                "first_time": self.first_time,
                "parts": {k: registry.name_of(type(p)) for k, p in parts.items() if p is not None},
            }
            draft.json("plan", content)

    @classmethod
    def load(cls, folder: Path, tabular: Generator, *, trust: bool = False) -> RecordPlan:
        """Read what `save` wrote."""
        saved = artifact.reading(folder, KIND, trust=trust)
        content = saved.json("plan")

        def part(name: str) -> Generator | None:
            if name not in content["parts"]:
                return None
            plugin = registry.load("generators", content["parts"][name])
            return plugin.load(saved.folder(name), trust=trust)

        return cls(
            tabular,
            Schema.from_json(content["fields"]),
            content["most"],
            part("count"),
            part("record"),
            content["first_time"],
        )


def _before(name: str) -> str:
    return f"before.{name}"


def _fit(
    tabular: Generator, frame: pd.DataFrame, schema: Schema, given: Conditions, seed: int
) -> Generator:
    table = registry.payload_type("tabular")(frame[list(schema.names)], schema)
    data = Samples("tabular", given.rows[["subject_id", "time"]], table)
    return copy.deepcopy(tabular).fit(data, given, seed=seed)
