"""Notes: the payload of the text modality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from casemix.errors import PayloadError


@dataclass(frozen=True)
class Notes:
    """Clinical notes, one text per record.

    Args:
        texts: n texts, any language, line breaks allowed; an empty note is allowed.

    Raises:
        PayloadError: something that is not text, or a NUL character.
    """

    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", tuple(self.texts))
        for position, text in enumerate(self.texts):
            if not isinstance(text, str):
                raise PayloadError(
                    f"Note {position} is not text.",
                    given=type(text).__name__,
                    next_step="Leave records without a note out of the modality.",
                )
            if "\0" in text:
                raise PayloadError(f"Note {position} holds a NUL character.")

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, positions: np.ndarray) -> Self:
        """Return the notes at these positions, in this order."""
        return type(self)(tuple(self.texts[i] for i in positions))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Return the notes of all parts, in order."""
        return cls(tuple(text for part in parts for text in part.texts))

    def to_table(self) -> pa.Table:
        """Return one column ``text``."""
        return pa.table({"text": pa.array(self.texts, type=pa.string())})

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Rebuild what `to_table` wrote.

        Raises:
            PayloadError: no ``text`` column, or a missing text.
        """
        if "text" not in table.column_names:
            raise PayloadError("Notes need a column 'text'.", given=table.column_names)
        return cls(tuple(table.column("text").to_pylist()))

    def preview(self, position: int) -> dict[str, Any]:
        """Return one note for a person."""
        return {"type": "text", "text": self.texts[position]}


PAYLOAD = Notes
