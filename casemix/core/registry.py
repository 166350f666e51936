"""Plugins by name: built-in ones from file paths, third-party ones from entry points.

Listing imports no plugin; loading imports one module.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from casemix.errors import PluginError, did_you_mean

_PACKAGE = Path(__file__).resolve().parent.parent
_GROUPS = {"generators": "Generator", "evaluators": "Evaluator"}


def modalities() -> list[str]:
    """Return the names of the built-in modalities."""
    return sorted(p.parent.name for p in (_PACKAGE / "modalities").glob("*/data.py"))


def names(group: str) -> list[str]:
    """Return the sorted plugin names of a group: ``generators`` or ``evaluators``.

    >>> "tabular/marginals" in names("generators")
    True
    """
    return sorted({**_built_in(_known_group(group)), **_entry_points(group)})


def load(group: str, name: str) -> type[Any]:
    """Import a plugin's module and return its class.

    Raises:
        PluginError: an unknown name, or a module that does not define exactly one plugin class.
    """
    third_party = _entry_points(_known_group(group))
    built_in = _built_in(group)
    if name in built_in:
        return _only_plugin(importlib.import_module(built_in[name]), group, name)
    if name in third_party:
        found = third_party[name].load()
        return (
            _only_plugin(found, group, name)
            if inspect.ismodule(found)
            else _checked(found, group, name)
        )
    known = names(group)
    raise PluginError(
        f"Unknown {group.removesuffix('s')} '{name}'.",
        allowed=known,
        next_step=did_you_mean(name, known) or f"See them with: casemix list {group}",
    )


def metrics() -> dict[str, Any]:
    """Return the metrics of other packages by their entry point's name.

    Raises:
        PluginError: an entry point of ``casemix.metrics`` that is not a
            `casemix.core.metric.Metric`, or that bears another name than its metric.
    """
    kind = importlib.import_module("casemix.core.metric").Metric
    found = {name: point.load() for name, point in _entry_points("metrics").items()}
    for name, metric in found.items():
        if not isinstance(metric, kind) or metric.name != name:
            raise PluginError(
                f"The entry point '{name}' is not a Metric of that name.", given=repr(metric)
            )
    return found


def name_of(plugin: type[Any]) -> str:
    """Return the registry name of a plugin class, e.g. ``imaging/flow``."""
    for group in _GROUPS:
        for name, module in _built_in(group).items():
            if module == plugin.__module__:
                return name
        for name, point in _entry_points(group).items():
            if point.value.partition(":")[0] == plugin.__module__:
                return name
    raise PluginError(f"{plugin.__qualname__} is not registered.", given=plugin.__module__)


def config(plugin: type[Any], options: Mapping[str, Any], *, tiny: bool = False) -> Any:
    """Return a plugin's ``Config`` with these settings; parts of it are changed by mappings.

    Args:
        plugin: a class whose module defines ``Config``.
        options: the settings to change.
        tiny: start from the settings of the plugin's ``tiny()`` instance.

    Raises:
        PluginError: the plugin has no settings, or not these.
    """
    settings = getattr(importlib.import_module(plugin.__module__), "Config", None)
    if settings is None:
        raise PluginError(f"'{name_of(plugin)}' has no settings.", given=list(options))
    start = plugin.tiny().config if tiny else settings()
    return _changed(start, options, name_of(plugin))


def _changed(present: Any, options: Mapping[str, Any], who: str) -> Any:
    """Return a copy of a settings dataclass with changes, also of the dataclasses within it."""
    known = [f.name for f in fields(present)]
    for key in options:
        if key not in known:
            raise PluginError(
                f"'{who}' has no setting '{key}'.",
                allowed=known,
                next_step=did_you_mean(key, known),
            )
    nested = {
        key: _changed(getattr(present, key), value, who)
        for key, value in options.items()
        if is_dataclass(getattr(present, key)) and isinstance(value, Mapping)
    }
    return replace(present, **{**options, **nested})


def summary(group: str, name: str) -> str:
    """Return the first line of a built-in plugin's docstring, read without importing it."""
    module = _built_in(_known_group(group)).get(name)
    if module is None:
        point = _entry_points(group)[name]
        return f"from the package {point.dist.name if point.dist else point.value}"
    source = _PACKAGE.parent / (module.replace(".", "/") + ".py")
    first = source.read_text(encoding="utf-8").split("\n", 1)[0]
    return first.strip().strip('"').strip()


def payload_type(modality: str) -> type[Any]:
    """Return the payload class of a modality.

    Raises:
        PluginError: an unknown modality.
    """
    if modality not in modalities():
        raise PluginError(
            f"Unknown modality '{modality}'.",
            allowed=modalities(),
            next_step=did_you_mean(modality, modalities()),
        )
    module = importlib.import_module(f"casemix.modalities.{modality}.data")
    return module.PAYLOAD


@cache
def _built_in(group: str) -> dict[str, str]:
    found = {}
    for path in sorted((_PACKAGE / "modalities").glob(f"*/{group}/*.py")):
        if path.stem.startswith("_"):
            continue
        modality = path.parent.parent.name
        found[f"{modality}/{path.stem}"] = f"casemix.modalities.{modality}.{group}.{path.stem}"
    return found


def _entry_points(group: str) -> dict[str, Any]:
    return {point.name: point for point in entry_points(group=f"casemix.{group}")}


def _known_group(group: str) -> str:
    if group not in _GROUPS:
        raise PluginError(f"Unknown plugin group '{group}'.", allowed=sorted(_GROUPS))
    return group


def _only_plugin(module: ModuleType, group: str, name: str) -> type[Any]:
    base = _base(group)
    here = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, base) and member.__module__ == module.__name__
    ]
    if len(here) != 1:
        raise PluginError(
            f"The module of '{name}' must define exactly one {base.__name__}.",
            given=[c.__name__ for c in here] or "none",
        )
    return here[0]


def _checked(found: Any, group: str, name: str) -> type[Any]:
    base = _base(group)
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise PluginError(f"'{name}' is not a {base.__name__}.", given=repr(found))
    return found


def _base(group: str) -> type[Any]:
    module = importlib.import_module(f"casemix.core.{_GROUPS[group].lower()}")
    return getattr(module, _GROUPS[group])
