"""Plans: what a note is to say, decided before a word is written.

A plan holds the patient's numbers, which of them the record has, the levels that are known, and
what the conditions foretell of the wording. Templates and language models both write from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder
from casemix.core.fields import LEVELLED, Kind
from casemix.modalities.text.facts import FactReader, Lexicon
from casemix.modalities.text.numbers import NumberModel
from casemix.modalities.text.phrases import gram_rows
from casemix.modalities.text.ridge import Ridge, fit_ridge

_AXES = 16  # axes of what the conditions foretell of the wording
_COMMON = (0.03, 0.97)  # shares of notes between which a phrase tells patients apart
_LONGEST_PHRASE = 2  # words


@dataclass(frozen=True)
class Plans:
    """What n notes are to say.

    Args:
        values: the slots' numbers, (n, k); none is missing.
        allowed: which of them may be stated, bool (n, k): not a laboratory value that was
            never measured.
        levels: per note, the known levels of the fields that notes state.
        features: float32 (n, d): levels, numbers and foretold wording, for networks.
    """

    values: np.ndarray
    allowed: np.ndarray
    levels: tuple[Mapping[str, str], ...]
    features: np.ndarray


@dataclass(frozen=True)
class Planner:
    """Turns conditions into plans; fitted on training notes.

    Args:
        reader: reads and checks facts.
        encoder: of all conditions.
        numbers: draws the slots' numbers.
        wording: conditions -> axes of the predictable part of the wording.
        spread: standard deviation of each axis, (a,).
    """

    reader: FactReader
    encoder: ConditionEncoder
    numbers: NumberModel
    wording: Ridge
    spread: np.ndarray

    @classmethod
    def fit(
        cls, texts: Sequence[str], given: Conditions, lexicon: Lexicon | None, *, seed: int
    ) -> tuple[Planner, list[str], Plans]:
        """Return the planner, the training notes delexicalised, and their plans.

        The training plans' foretold wording is leave-one-out, so that a writer that is trained
        on it learns to trust it as far as it can be trusted with new patients.
        """
        reader = FactReader.fit(texts, given, lexicon)
        read = [reader.slots.delexicalise(text) for text in texts]
        templates = [template for template, _ in read]
        stated = np.array([v for _, v in read]).reshape(len(texts), len(reader.slots))
        encoder = ConditionEncoder.fit(given)
        inputs = _inputs(encoder, given)
        numbers = NumberModel.fit(stated, inputs, _indicators(encoder))
        wording, foretold = _wording(templates, inputs)
        spread = np.maximum(foretold.std(axis=0), 1e-9)
        planner = cls(reader, encoder, numbers, wording, spread)
        known = np.where(np.isnan(stated), reader.slots.sourced(given), stated)
        ids = given.sample_ids
        values = numbers.draw(inputs, known, reader.slots, seed=seed, ids=ids)
        return planner, templates, planner._plans(given, values, foretold)

    def plan(self, given: Conditions, *, seed: int) -> Plans:
        """Return one plan per row; a row's plan does not depend on the other rows."""
        inputs, slots = _inputs(self.encoder, given), self.reader.slots
        ids = given.sample_ids
        values = self.numbers.draw(inputs, slots.sourced(given), slots, seed=seed, ids=ids)
        moved = inputs - self.wording.centre
        foretold = self.wording.intercept + np.einsum("np,pq->nq", moved, self.wording.slopes)
        return self._plans(given, values, foretold)

    def _plans(self, given: Conditions, values: np.ndarray, foretold: np.ndarray) -> Plans:
        slots = self.reader.slots
        sourced = ~np.isnan(slots.sourced(given))
        needs = np.array([slot.needs_source for slot in slots], dtype=bool)
        allowed = sourced | ~needs
        fields = [f for f in self.encoder.schema if f.kind in LEVELLED]
        states = [given.rows[f.name].map({v: i for i, v in enumerate(f.levels)}) for f in fields]
        one_hot = [
            (s.to_numpy(dtype=float, na_value=np.nan)[:, None] == np.arange(len(f.levels)))
            for f, s in zip(fields, states, strict=True)
        ]
        blocks = [
            np.ones((len(given), 1)),
            *one_hot,
            self.numbers.scores(values) * allowed,
            allowed,
            foretold / self.spread,
        ]
        stated = [f.name for f in self.reader.schema if f.kind is not Kind.NUMERIC]
        cells = given.rows[stated].to_numpy(dtype=object)  # (n, 0) where no level is stated
        levels = tuple(
            {name: cell for name, cell in zip(stated, row, strict=True) if cell is not None}
            for row in cells
        )
        features = np.concatenate(blocks, axis=1).astype(np.float32)
        return Plans(values, allowed, levels, features)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content; see also `arrays`."""
        return {"reader": self.reader.to_json(), "encoder": self.encoder.to_json()}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fitted arrays."""
        wording = {
            "wording.centre": self.wording.centre,
            "wording.slopes": self.wording.slopes,
            "wording.intercept": self.wording.intercept,
            "wording.spread": self.spread,
        }
        return wording | {f"numbers.{k}": v for k, v in self.numbers.arrays().items()}

    @classmethod
    def restore(cls, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Planner:
        """Rebuild what `to_json` and `arrays` returned."""
        numbers = {
            k.removeprefix("numbers."): v for k, v in arrays.items() if k.startswith("numbers.")
        }
        return cls(
            FactReader.from_json(content["reader"]),
            ConditionEncoder.from_json(content["encoder"]),
            NumberModel.from_arrays(numbers),
            Ridge(*(arrays[f"wording.{part}"] for part in ("centre", "slopes", "intercept"))),
            arrays["wording.spread"],
        )


def _inputs(encoder: ConditionEncoder, given: Conditions) -> np.ndarray:
    values, known = encoder.encode(given)
    return np.concatenate([values * known, known], axis=1).astype(np.float64)


def _indicators(encoder: ConditionEncoder) -> np.ndarray:
    """Return which input columns are one-hot columns of a level, bool (2 * width,)."""
    one_hot = {Kind.CATEGORICAL, Kind.BINARY}
    columns = [
        f.kind in one_hot
        for f in encoder.codes.schema(encoder.schema)
        for _ in range(len(f.levels) if f.kind in one_hot else 1)
    ]
    return np.array([*columns, *(False for _ in columns)], dtype=bool)


def _wording(templates: Sequence[str], inputs: np.ndarray) -> tuple[Ridge, np.ndarray]:
    """Return the reduced-rank regression of the phrases that stand in a note, and its axes.

    Reference:
        Izenman, Reduced-rank regression for the multivariate linear model, J Multivar Anal 1975.
    """
    n = len(templates)
    low, high = (share * n for share in _COMMON)
    rows = gram_rows(templates)
    kept = [r for g, r in rows.items() if len(g) <= _LONGEST_PHRASE and low <= len(r) <= high]
    present = np.zeros((n, len(kept)))
    for column, positions in enumerate(kept):
        present[positions, column] = 1.0
    full, left_out = fit_ridge(inputs, present)
    _, spread, axes = np.linalg.svd(left_out - left_out.mean(axis=0), full_matrices=False)
    axes = axes[: min(_AXES, int((spread > 1e-6).sum()))].T  # (phrases, a)
    return Ridge(full.centre, full.slopes @ axes, full.intercept @ axes), left_out @ axes
