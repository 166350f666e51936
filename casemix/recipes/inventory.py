"""What there is: names and one-line summaries, and the details of one of them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from casemix.core import registry
from casemix.errors import PluginError, did_you_mean
from casemix.recipes import catalogue

GROUPS = ("generators", "evaluators", "metrics", "recipes", "mappings")
_MAPPINGS = Path(__file__).parent / "mapping" / "shipped"


def listing(what: str = "") -> dict[str, dict[str, str]]:
    """Return group -> name -> one line, without importing any plugin.

    Args:
        what: one of `GROUPS`; ``""`` for those that need no heavy import.

    Raises:
        PluginError: an unknown group.
    """
    if what and what not in GROUPS:
        raise PluginError(
            f"There is nothing called '{what}' to list.",
            allowed=GROUPS,
            next_step=did_you_mean(what, GROUPS),
        )
    groups = (what,) if what else tuple(g for g in GROUPS if g != "metrics")
    return {group: _entries(group) for group in groups}


def _entries(group: str) -> dict[str, str]:
    if group in ("generators", "evaluators"):
        return {name: registry.summary(group, name) for name in registry.names(group)}
    if group == "recipes":
        return {name: catalogue.describe(name)["summary"] for name in catalogue.names()}
    if group == "mappings":
        return {p.stem: _summary(p) for p in sorted(_MAPPINGS.glob("*.yaml"))}
    from casemix.evaluation.battery import SHARED

    return {m.name: f"{m.family}, {m.goal}: {m.description}" for m in SHARED}


def shown(name: str) -> dict[str, Any]:
    """Return the details of a generator, evaluator, recipe, mapping, cohort or model folder.

    Raises:
        PluginError: nothing of that name.
    """
    if name in registry.names("generators"):
        return _generator(name)
    if name in registry.names("evaluators"):
        plugin = registry.load("evaluators", name)
        return {"evaluator": name, "about": inspect.getdoc(plugin), "embedder": plugin.embedder}
    if name in catalogue.names():
        return {"recipe": name, **catalogue.describe(name)}
    if (_MAPPINGS / f"{Path(name).name}.yaml").is_file():
        text = (_MAPPINGS / f"{Path(name).name}.yaml").read_text(encoding="utf-8")
        return {"mapping": name, "yaml": text}
    for about in ("cohort.json", "artifact.json", "run.json"):
        if (Path(name) / about).is_file():
            content = json.loads((Path(name) / about).read_text(encoding="utf-8"))
            return {"folder": name, **{k: v for k, v in content.items() if k != "sha256"}}
    known = [n for entries in listing().values() for n in entries]
    raise PluginError(
        f"There is nothing called '{name}'.",
        next_step=did_you_mean(name, known) or "See the names with: casemix list",
    )


def as_text(content: Mapping[str, Any]) -> str:
    """Return details as YAML, which people read more easily than JSON."""
    if "yaml" in content:
        return str(content["yaml"])
    plain = json.loads(json.dumps(content))
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100).rstrip()


def _generator(name: str) -> dict[str, Any]:
    plugin = registry.load("generators", name)
    config = getattr(inspect.getmodule(plugin), "Config", None)
    defaults = {} if config is None else {k: repr(v) for k, v in vars(config()).items()}
    return {
        "generator": name,
        "about": inspect.getdoc(plugin),
        "conditions": sorted(str(kind) for kind in plugin.honours),
        "maps": sorted(plugin.maps),
        "same samples in any shard": plugin.shard_invariant,
        "control": plugin.control,
        "settings": defaults,
        "about the settings": inspect.getdoc(config) if config else None,
    }


def _summary(path: Path) -> str:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    about = content.get("about", {})
    return str(about.get("name") or about.get("title") or "")
