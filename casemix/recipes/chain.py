"""From recipe settings to a chain of generators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casemix.core import registry
from casemix.core.cohort import Cohort
from casemix.core.generator import Generator
from casemix.core.linked import LinkedModel
from casemix.errors import RunError


def linked_model(settings: Mapping[str, Any], cohort: Cohort, *, tiny: bool) -> LinkedModel:
    """Return the unfitted chain over the modalities that the cohort has.

    Raises:
        RunError: the cohort has none of the modalities of the chain's order.
    """
    order = [m for m in settings["order"] if m in cohort.modalities]
    if not order:
        raise RunError(
            "The cohort has none of the chain's modalities.",
            given=cohort.modalities,
            allowed=settings["order"],
        )
    options = settings["options"]
    generators = {m: generator(settings[m], options.get(m, {}), tiny=tiny) for m in order}
    subjects = generator(settings["subjects"], options.get("subjects", {}), tiny=tiny)
    return LinkedModel(generators, subjects, embedding_size=settings["embedding_size"])


def generator(name: str, options: Mapping[str, Any], *, tiny: bool = False) -> Generator:
    """Return an unfitted generator with these settings of its ``Config``.

    Args:
        name: registry name.
        options: fields of its Config; may be empty.
        tiny: use the plugin's own smallest settings instead.
    """
    plugin = registry.load("generators", name)
    if tiny and not options:
        return plugin.tiny()
    return plugin(registry.config(plugin, options)) if options else plugin()
