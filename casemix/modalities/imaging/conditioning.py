"""Conditions as network inputs, with dropout so that any subset of them may be given later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from casemix.core.conditions import Conditions
from casemix.core.encoding import ConditionEncoder

_ALL_DROPPED = 0.1  # share of training rows without any condition, for guidance
_SOME_DROPPED = 0.4  # share of training rows that lose a random share of their fields


@dataclass(frozen=True)
class Steering:
    """Encoded conditions.

    Args:
        values: float32 (n, width), 0 where unspecified.
        known: float32 (n, width), 1 where specified.
        fields: which field each column belongs to, int64 (width,).
    """

    values: torch.Tensor
    known: torch.Tensor
    fields: torch.Tensor

    @classmethod
    def of(cls, given: Conditions, encoder: ConditionEncoder) -> Steering:
        """Encode conditions."""
        values, known = encoder.encode(given)
        widths = list(encoder.widths.values())
        fields = torch.from_numpy(np.repeat(np.arange(len(widths)), widths).astype(np.int64))
        return cls(torch.from_numpy(values), torch.from_numpy(known), fields)

    def rows(self, positions: torch.Tensor) -> torch.Tensor:
        """Return network inputs, float32 (b, 2 * width), for these rows."""
        known = self.known[positions.cpu()]
        return _joined(self.values[positions.cpu()], known).to(positions.device)

    def dropped(
        self, positions: torch.Tensor, generator: torch.Generator, *, jitter: float = 0.0
    ) -> torch.Tensor:
        """Return network inputs for training: whole fields dropped at random, values jittered.

        Args:
            positions: rows, (b,).
            generator: CPU generator of what is dropped.
            jitter: standard deviation of noise on the standardised values, so that a training
                record is not known by its exact conditions.
        """
        known = self.known[positions.cpu()]  # (b, width)
        b, count = len(known), int(self.fields.max()) + 1 if len(self.fields) else 0
        chance = torch.rand(3, b, 1, generator=generator)
        rate = torch.where(chance[0] < _SOME_DROPPED, chance[1], torch.zeros(1))
        rate = torch.where(chance[2] < _ALL_DROPPED, torch.ones(1), rate)  # (b, 1)
        kept = (torch.rand(b, count, generator=generator) >= rate).float()  # (b, fields)
        known = known * kept[:, self.fields]
        noise = jitter * torch.randn(known.shape, generator=generator)
        return _joined(self.values[positions.cpu()] + noise, known).to(positions.device)


def with_constant(conditions: torch.Tensor) -> torch.Tensor:
    """Return (b, 1 + width): a constant first, so that there may be no conditions at all."""
    return torch.cat([conditions.new_ones(len(conditions), 1), conditions], dim=1)


def _joined(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return torch.cat([values * known, known], dim=1)
