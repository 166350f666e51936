"""Real input: a YAML mapping says how a folder of tables, images and series is a cohort."""

from __future__ import annotations

from casemix.recipes.mapping.build import import_cohort
from casemix.recipes.mapping.load import load_mapping, shipped
from casemix.recipes.mapping.report import ImportReport
from casemix.recipes.mapping.spec import MappingSpec

__all__ = ["ImportReport", "MappingSpec", "import_cohort", "load_mapping", "shipped"]
