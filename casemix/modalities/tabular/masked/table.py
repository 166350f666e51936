"""A table's columns as tokens, and the order in which they are uncovered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Schema
from casemix.modalities.tabular.masked.masking import MaskedLoss
from casemix.modalities.tabular.masked.sampling import groups
from casemix.modalities.tabular.masked.tokens import MASKED, TokenColumn, entropy
from casemix.modalities.tabular.sequential.column import from_cells, to_cells


@dataclass(frozen=True)
class TokenTable:
    """The vocabularies of all columns.

    Args:
        columns: those of conditions only, then the table's own; d together.
        conditional: how many are of conditions only.
    """

    columns: tuple[TokenColumn, ...]
    conditional: int

    @classmethod
    def fit(
        cls,
        cells: np.ndarray,
        owners: np.ndarray,
        schema: Schema,
        conditional: int,
        *,
        bins: int,
        rows_per_bin: int,
    ) -> TokenTable:
        """Learn the vocabularies.

        Args:
            cells: (n, d); see `cells_of`.
            owners: number of the subject of each row, (n,).
            schema: the fields of the columns.
            conditional: how many of them, the first ones, are of conditions only.
            bins: most quantile bins of a number.
            rows_per_bin: least rows of each.
        """
        columns = (
            TokenColumn.fit(f, cells[:, j], owners, bins=bins, rows_per_bin=rows_per_bin)
            for j, f in enumerate(schema)
        )
        return cls(tuple(columns), conditional)

    @property
    def schema(self) -> Schema:
        """The fields of the columns."""
        return Schema(tuple(c.column.field for c in self.columns))

    @property
    def order(self) -> list[int]:
        """The columns in the order of sampling: conditions first, many tokens last.

        Few rows tell what goes with one of many tokens, so that little is lost by drawing the
        others without it.
        """
        sizes = [c.size for c in self.columns]
        return sorted(range(len(sizes)), key=lambda j: (j >= self.conditional, sizes[j]))

    def steps(self, most: int) -> list[list[int]]:
        """Return the columns uncovered in each of at most so many steps; 0 = one at a time."""
        entropies = [entropy(c.counts) for c in self.columns]
        return groups(self.order, entropies, most or len(entropies))

    def encode(self, cells: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens int64 (n, d), and their places float32 (n, d)."""
        found = [c.encode(cells[:, j]) for j, c in enumerate(self.columns)]
        tokens, places = (np.stack(part, axis=1) for part in zip(*found, strict=True))
        return torch.from_numpy(tokens), torch.from_numpy(places)

    def asked(self, given: Conditions) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tokens and places of conditions; what is not given is masked."""
        fields = [f for f in self.schema if f.name in given.schema]
        known = dict(zip((f.name for f in fields), cells_of(given.rows, fields).T, strict=True))
        unknown = np.full(len(given), np.nan)
        cells = np.stack([known.get(name, unknown) for name in self.schema.names], axis=1)
        tokens, places = self.encode(cells)
        return tokens.masked_fill(torch.from_numpy(np.isnan(cells)), MASKED), places

    def decode(self, tokens: np.ndarray, uniform: np.ndarray) -> pd.DataFrame:
        """Return typed columns of tokens (n, d); ``uniform`` (n, d) places numbers in their bin."""
        columns = {
            c.column.field.name: from_cells(c.column.field, c.decode(tokens[:, j], uniform[:, j]))
            for j, c in enumerate(self.columns)
        }
        return pd.DataFrame(columns)

    def loss(self, cells: np.ndarray, ordered: float) -> MaskedLoss:
        """Return the training loss on cells, (n, d); see `MaskedLoss`."""
        tokens, places = self.encode(cells)
        rank = torch.from_numpy(np.argsort(self.order))
        return MaskedLoss(tokens, places, self.conditional, rank, ordered)

    def to_json(self) -> dict[str, Any]:
        """Return the vocabularies as JSON-ready content."""
        return {
            "columns": [c.to_json() for c in self.columns],
            "conditional": self.conditional,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TokenTable:
        """Rebuild what `to_json` wrote."""
        columns = tuple(TokenColumn.from_json(c) for c in content["columns"])
        return cls(columns, content["conditional"])


def cells_of(rows: pd.DataFrame, fields: Iterable[Field]) -> np.ndarray:
    """Return typed columns as cells, float64 (n, fields)."""
    cells = [to_cells(f, rows[f.name]) for f in fields]
    return np.stack(cells, axis=1) if cells else np.empty((len(rows), 0))
