"""A fitted chain on disk: one artifact that holds each link's parts.

::

    model/
      chain.json            order, reads, schemas, the names of methods and evaluators
      subjects/             the generator of the context
      MODALITY.plan/        how many records, when, and of what sort
      MODALITY.upstream/    what later modalities read of it
      MODALITY.generator/   its generator
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from casemix.core import artifact, registry
from casemix.core.fields import Schema
from casemix.core.link import Link
from casemix.core.linked import KIND, LinkedModel
from casemix.core.record_plan import RecordPlan
from casemix.core.upstream import Upstream
from casemix.core.wishes import TABLE


def save(model: LinkedModel, folder: Path) -> None:
    """Write a fitted chain; the folder appears whole or not at all."""
    trusted_only = any(g.trusted_only for g in (model.tabular, *model.fitted.values()))
    with artifact.writing(folder, KIND, trusted_only=trusted_only) as draft:
        if model.subjects is not None:
            model.subjects.save(draft.folder("subjects"))
        for modality, link in model.links.items():
            link.plan.save(draft.folder(f"{modality}.plan"))
            link.view.save(draft.folder(f"{modality}.upstream"))
            link.generator.save(draft.folder(f"{modality}.generator"))
        draft.json("chain", _about(model))


def _about(model: LinkedModel) -> dict[str, Any]:
    evaluators = {m: link.view.evaluator for m, link in model.links.items()}
    return {
        "order": list(model.order),
        "reads": {m: list(r) for m, r in model.reads.items()},
        "linked": {m: list(r) for m, r in model.linked.items()},
        "embedding_size": model.embedding_size,
        "schema": model.schema.to_json(),
        "columns": model.columns.to_json(),
        "tabular": registry.name_of(type(model.tabular)),
        "generators": {m: registry.name_of(type(g)) for m, g in model.fitted.items()},
        "evaluators": {m: registry.name_of(type(e)) for m, e in evaluators.items()},
    }


def load(folder: Path, *, trust: bool = False) -> LinkedModel:
    """Read a saved chain.

    Raises:
        ArtifactError: damaged, altered, or not trusted where trust is needed.
    """
    saved = artifact.reading(folder, KIND, trust=trust)
    chain = saved.json("chain")

    tabular = registry.load("generators", chain["tabular"])
    columns = Schema.from_json(chain["columns"])

    def link(m: str) -> Link:
        generator = registry.load("generators", chain["generators"][m])
        evaluator = registry.load("evaluators", chain["evaluators"][m])
        return Link(
            m,
            tuple(chain["linked"][m]),
            columns if m == TABLE else Schema(),
            RecordPlan.load(saved.folder(f"{m}.plan"), tabular(), trust=trust),
            Upstream.load(saved.folder(f"{m}.upstream"), evaluator),
            generator.load(saved.folder(f"{m}.generator"), trust=trust),
        )

    with artifact.known_form(folder):
        links = {m: link(m) for m in chain["order"]}
    generators = {m: link.generator for m, link in links.items()}
    options = {name: chain[name] for name in ("order", "reads", "embedding_size")}
    model = LinkedModel(generators, tabular(), **options)
    model.schema = Schema.from_json(chain["schema"])
    model.links = links
    if len(model.schema):
        with artifact.known_form(folder):
            model.subjects = tabular.load(saved.folder("subjects"), trust=trust)
    return model
