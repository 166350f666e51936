"""What a language model is told before it writes: one tag per condition, always as many."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from casemix.core.conditions import Conditions
from casemix.core.fields import Kind
from casemix.modalities.text.tokens import words

_BINS = 8
_RECURS = 0.03  # share of notes in which a word must recur to count


@dataclass(frozen=True)
class PromptTags:
    """Conditions as tags such as ``<sex=F>`` or ``<age=5>`` (the sixth of eight quantile bins).

    Unspecified cells are ``<age=?>``, so each prompt has the same number of tags. Levelled
    conditions are all told; of the numeric ones those that wording depends on most.

    Args:
        levelled: names of the levelled conditions.
        edges: numeric condition -> inner bin edges.
    """

    levelled: tuple[str, ...]
    edges: Mapping[str, tuple[float, ...]]

    @classmethod
    def fit(cls, bare_texts: Sequence[str], given: Conditions, *, most: int) -> PromptTags:
        """Choose the conditions and their bins on training notes whose numbers are slots.

        Args:
            bare_texts: training notes.
            given: their conditions.
            most: largest number of numeric conditions.
        """
        levelled = tuple(f.name for f in given.schema if f.kind is not Kind.NUMERIC)
        numeric = [f.name for f in given.schema if f.kind is Kind.NUMERIC]
        told = _most_telling(bare_texts, given, numeric, most)
        edges = {}
        for name in told:
            known = given.rows[name].dropna().to_numpy()
            cuts = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS)) if len(known) else []
            edges[name] = tuple(float(c) for c in cuts)
        return cls(levelled, edges)

    def lines(self, given: Conditions) -> list[str]:
        """Return one prompt per row."""
        columns = [[_tag(n, v) for v in given.rows[n]] for n in self.levelled]
        for name, edges in self.edges.items():
            values = given.rows[name].to_numpy(dtype=float)
            bins = np.searchsorted(np.array(edges), values, side="right")
            known = ~np.isnan(values)
            columns.append([_tag(name, b if k else None) for b, k in zip(bins, known, strict=True)])
        rows = zip(*columns, strict=True) if columns else ([] for _ in range(len(given)))
        return ["".join(row) for row in rows]

    def vocabulary(self, given: Conditions) -> list[str]:
        """Return every tag that can occur."""
        tags = [_tag(n, v) for n in self.levelled for v in (*given.schema[n].levels, None)]
        for name, edges in self.edges.items():
            tags += [_tag(name, b) for b in (*range(len(edges) + 1), None)]
        return tags

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready content."""
        return {
            "levelled": list(self.levelled),
            "edges": {k: list(v) for k, v in self.edges.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PromptTags:
        """Rebuild what `to_json` wrote."""
        edges = {k: tuple(v) for k, v in content["edges"].items()}
        return cls(tuple(content["levelled"]), edges)


def _tag(name: str, value: object) -> str:
    text = "?" if value is None or value != value else str(value)  # NaN differs from itself
    safe, value_text = (re.sub(r"[<>=\s]", "_", part) for part in (name, text))
    return f"<{safe}={value_text}>"


def _most_telling(
    texts: Sequence[str], given: Conditions, numeric: Sequence[str], most: int
) -> list[str]:
    """Return the numeric conditions that the presence of recurring words depends on most."""
    fewest = max(2, int(_RECURS * len(texts)))
    if len(numeric) <= most or len(texts) < 2 * fewest:
        return list(numeric)[:most]
    counter = CountVectorizer(analyzer=_terms, binary=True, min_df=fewest)
    present = counter.fit_transform(texts).toarray().astype(float)
    present = present[:, (present.mean(axis=0) < 1 - _RECURS)]
    present = (present - present.mean(axis=0)) / np.maximum(present.std(axis=0), 1e-9)
    strength = {}
    for name in numeric:
        values = given.rows[name].rank(pct=True).fillna(0.5).to_numpy()
        values = (values - values.mean()) / max(values.std(), 1e-9)
        correlations = np.sort((present.T @ values / len(values)) ** 2)[::-1]
        strength[name] = float(correlations[:10].sum())
    chosen = set(sorted(numeric, key=lambda n: -strength[n])[:most])
    return [n for n in numeric if n in chosen]


def _terms(text: str) -> list[str]:
    spoken = words(text)
    return [f"{a} {b}" for a, b in zip(spoken[:-1], spoken[1:], strict=True)]
