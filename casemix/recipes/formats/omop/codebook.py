"""Codes in fields of 50 characters: the long ones get a short name, and all are listed."""

from __future__ import annotations

import datetime
import hashlib

import pandas as pd
import pyarrow as pa

from casemix.errors import CohortError
from casemix.recipes.formats.omop import spec

#: The vocabulary that casemix's own codes belong to in ``source_to_concept_map``.
VOCABULARY = "casemix"
_LONGEST = 255  # characters of source_code_description
_NO_VOCABULARY = "None"  # OMOP's own name for it


class Codebook:
    """The codes of one export, each with its source value of at most 50 characters."""

    def __init__(self) -> None:
        self._short: dict[str, str] = {}

    def source_values(self, codes: pd.Series) -> pd.Series:
        """Return the source value of each code; missing stays missing.

        Raises:
            CohortError: a code has more than 255 characters.
        """
        for code in codes.dropna().unique():
            if code not in self._short:
                self._short[code] = short(code)
        return codes.map(self._short)

    def texts(self, values: pd.Series) -> pd.Series:
        """Return texts that fit a field of 50 characters; only shortened ones are listed."""
        fits = values.isna() | (values.astype(str).str.len() <= spec.SOURCE_LENGTH)
        return values.where(fits, self.source_values(values.where(~fits)))

    @property
    def shortened(self) -> int:
        """How many codes were longer than a source value may be."""
        return sum(code != value for code, value in self._short.items())

    def table(self) -> pa.Table:
        """Return ``source_to_concept_map``: source value -> whole code, to no concept yet."""
        n = len(self._short)
        first, last = datetime.date(1970, 1, 1), datetime.date(2099, 12, 31)
        cells = {
            "source_code": list(self._short.values()),
            "source_concept_id": [0] * n,
            "source_vocabulary_id": [VOCABULARY] * n,
            "source_code_description": list(self._short),
            "target_concept_id": [0] * n,
            "target_vocabulary_id": [_NO_VOCABULARY] * n,
            "valid_start_date": [first] * n,
            "valid_end_date": [last] * n,
            "invalid_reason": [None] * n,
        }
        schema = spec.arrow_schema("source_to_concept_map")
        return pa.table(cells, schema=schema).sort_by("source_code")


def short(text: str) -> str:
    """Return the text, or its beginning and eight digits of its BLAKE2b sum if it is long.

    >>> short("LAB//50912//mg/dL")
    'LAB//50912//mg/dL'
    """
    if len(text) > _LONGEST:
        raise CohortError(
            f"OMOP has no room for a code of {len(text)} characters.",
            given=f"{text[:60]}...",
            allowed=f"at most {_LONGEST} characters",
            next_step="Shorten it, or export to csv or meds.",
        )
    if len(text) <= spec.SOURCE_LENGTH:
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{text[: spec.SOURCE_LENGTH - 9]}#{digest}"
