"""The concepts of an OMOP folder: ids as the vocabulary's codes and names, where it is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from casemix.recipes.formats.omop.people import ETHNICITIES, RACES
from casemix.recipes.formats.omop.source import first_known, read_text

#: Names of concepts of persons that stand without a vocabulary.
_NAMES = {str(concept): name for name, concept in {**RACES, **ETHNICITIES}.items()}


@dataclass(frozen=True)
class Concepts:
    """A vocabulary; it stays in Arrow, since a whole one has millions of rows.

    Args:
        table: ``concept_id``, ``vocabulary_id``, ``concept_code`` and ``concept_name``, all text;
            no rows where the folder has no vocabulary.
    """

    table: pa.Table

    def codes(self, ids: pd.Series) -> pd.Series:
        """Return ``vocabulary//code`` of each concept, or its id; None for 0, "no concept"."""
        ids = _known(ids)
        rows = self._rows(ids)
        codes = rows["vocabulary_id"] + "//" + rows["concept_code"]
        return first_known(ids.map(codes), ids)

    def names(self, ids: pd.Series) -> pd.Series:
        """Return the name of each concept, or its id; None for 0, "no concept"."""
        ids = _known(ids)
        return first_known(ids.map(self._rows(ids)["concept_name"]), ids.map(_NAMES), ids)

    def units(self, ids: pd.Series) -> pd.Series:
        """Return the code of each unit's concept; None where the vocabulary lacks it."""
        ids = _known(ids)
        return first_known(ids.map(self._rows(ids)["concept_code"]))

    def _rows(self, ids: pd.Series) -> pd.DataFrame:
        wanted = pa.array(ids.dropna().unique(), pa.string())
        rows = self.table.filter(pc.is_in(self.table["concept_id"], value_set=wanted))
        return rows.to_pandas().astype(object).drop_duplicates("concept_id").set_index("concept_id")


def read_concepts(root: Path) -> Concepts:
    """Return the vocabulary of a folder.

    Raises:
        ArtifactError: the table cannot be read, or lacks a field.
    """
    needed = ("concept_id", "vocabulary_id", "concept_code")
    table = read_text(root, "concept", needed, ("concept_name",))
    if table is None:
        names = (*needed, "concept_name")
        table = pa.table({name: pa.nulls(0, pa.string()) for name in names})
    return Concepts(table)


def _known(ids: pd.Series) -> pd.Series:
    return first_known(ids.astype("string").where(ids != 0))
