"""The formats that other tools read and write: OMOP, MEDS, and folders of CSV or parquet tables."""

from __future__ import annotations

from casemix.recipes.formats.registry import FORMATS, Format, names, read, write

__all__ = ["FORMATS", "Format", "names", "read", "write"]
