"""The OMOP Common Data Model 5.4, in and out."""

from __future__ import annotations

from casemix.recipes.formats.omop.export import write
from casemix.recipes.formats.omop.importing import is_folder, read

__all__ = ["is_folder", "read", "write"]
