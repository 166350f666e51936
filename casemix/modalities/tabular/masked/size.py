"""How large a network the rows of a table bear without being learnt by heart."""

from __future__ import annotations

from dataclasses import dataclass

_ROWS_PER_UNIT = 24  # of the width
_NARROWEST = 32
_ROWS_PER_BLOCK = 3000
_THINNED = 0.2  # dropout where there are hardly any rows
_FEW = 6000  # rows; fewer need dropout, and trials of how long to learn


@dataclass(frozen=True)
class Size:
    """The size of a network, and what training drops of it.

    Args:
        hidden: width.
        layers: residual blocks.
        dropout: share of the units that each row does without.
    """

    hidden: int
    layers: int
    dropout: float

    @classmethod
    def of(cls, n: int, most: Size) -> Size:
        """Return the size for n rows: many get the most width and blocks and the least dropout.

        >>> Size.of(1000, Size(256, 3, 0.0))
        Size(hidden=41, layers=1, dropout=0.16666666666666669)
        >>> Size.of(9000, Size(256, 3, 0.0))
        Size(hidden=256, layers=3, dropout=0.0)
        """
        return cls(
            hidden=min(most.hidden, max(_NARROWEST, n // _ROWS_PER_UNIT)),
            layers=min(most.layers, 1 + n // _ROWS_PER_BLOCK),
            dropout=max(most.dropout, _THINNED * (1 - n / _FEW)),
        )

    @property
    def widths(self) -> tuple[int, ...]:
        """The places that dropout thins: the sum of embeddings, then the inside of each block."""
        if not self.dropout:
            return ()
        return (self.hidden, *[2 * self.hidden] * self.layers)


def few(n: int) -> bool:
    """Return whether n rows are so few that a network may learn them by heart."""
    return n < _FEW
