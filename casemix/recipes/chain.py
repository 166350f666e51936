"""The main job, shared by recipes: split, fit the chain, sample, evaluate, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from casemix.core import registry
from casemix.core.cohort import Cohort
from casemix.core.constrained import Demand
from casemix.core.fields import Schema
from casemix.core.generator import Generator
from casemix.core.linked import LinkedModel
from casemix.core.progress import Progress
from casemix.core.seeding import child
from casemix.errors import RunError
from casemix.evaluation.arms import Questions
from casemix.evaluation.rules.demands import row_demands
from casemix.evaluation.rules.language import Rule, load_rules
from casemix.evaluation.rules.rows import CONTEXT
from casemix.recipes.catalogue import Request
from casemix.recipes.judge import judge
from casemix.recipes.real_parts import real_parts
from casemix.recipes.run_folder import RunFolder

_TINY_PATIENTS = 24


def make_patients(
    recipe: str,
    request: Request,
    progress: Progress,
    *,
    read: Callable[[Path], Cohort] = Cohort.load,
) -> tuple[RunFolder, Cohort]:
    """Run the whole chain of a recipe and return its folder and the synthetic cohort.

    Args:
        recipe: its name.
        request: its settings name ``order``, ``subjects``, one method per modality, ``options``,
            ``embedding_size``, ``holdout``, ``target``, ``rules``, ``where`` and ``n``.
        progress: where to report.
        read: how to read the data.
    """
    console = Console(stderr=True)
    about = request.determinants(recipe)
    folder = RunFolder.open(request.out, about, console=console, progress=progress)
    train, holdout = real_parts(request, folder, modalities=request.settings["order"], read=read)

    def fit(draft: Path) -> None:
        model = linked_model(request.settings, train, tiny=request.tiny)
        workers = min(request.settings["workers"], len(model.order))
        seed, checkpoints = child(request.seed, "fit"), folder.checkpoints("fit")
        model.fit(train, seed=seed, workers=workers, progress=checkpoints)
        model.save(draft)

    model = folder.once("model", "fit the chain", fit)
    chain = LinkedModel.load(model, trust=True)  # made by this run

    def sample(draft: Path) -> None:
        n = request.n or (_TINY_PATIENTS if request.tiny else request.settings["n"] or len(train))
        rules, where = chain_demands(chain, _rules(request)), request.settings["where"]
        seed = child(request.seed, "sample")
        chain.sample(n, seed=seed, where=where, rules=rules, progress=progress).save(draft)

    made = folder.once("synthetic", "sample patients", sample)
    synthetic = Cohort.load(made)
    judge(
        folder,
        train,
        holdout,
        synthetic,
        seed=child(request.seed, "evaluate"),
        questions=Questions(target=request.settings["target"]),
        chain=_about(chain),
        rules=request.settings["rules"],
    )
    folder.finish()
    console.print(f"\nReport:         {request.out / 'report.html'}")
    console.print(f"Patient viewer: {request.out / 'patients.html'}")
    console.print(f"Cohort:         {request.out / 'synthetic'} [dim](synthetic)[/]")
    return folder, synthetic


def chain_demands(chain: LinkedModel, rules: Sequence[Rule]) -> dict[str, tuple[Demand, ...]]:
    """Return what rules demand of each row of a chain's context and table."""
    return {
        CONTEXT: row_demands(rules, CONTEXT, chain.schema, Schema()),
        "tabular": row_demands(rules, "tabular", chain.columns, chain.schema),
    }


def _about(chain: LinkedModel) -> dict[str, Any]:
    reads, linked = chain.reads, chain.linked
    return {
        "order": list(chain.order),
        "reads": {m: list(reads[m]) for m in chain.order},
        "linked": {m: list(linked[m]) for m in chain.order},
        "methods": {m: registry.name_of(type(g)) for m, g in chain.fitted.items()},
    }


def _rules(request: Request) -> tuple[Rule, ...]:
    own = request.settings["rules"]
    return load_rules(Path(own) if own else None)


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
        tiny: start from the plugin's own smallest settings.
    """
    plugin: type[Generator] = registry.load("generators", name)
    if options:
        config = registry.config(plugin, options, tiny=tiny)
        return plugin(config)  # type: ignore[call-arg]  # see Generator
    return plugin.tiny() if tiny else plugin()
