"""Point values of one arm beside held-out subjects."""

from __future__ import annotations

import numpy as np
import pandas as pd
from linked_parts.arms import Made

from casemix.core import registry
from casemix.core.cohort import Cohort
from casemix.core.evaluator import Evaluator
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.evaluation import fidelity, privacy
from casemix.evaluation.targets import features
from casemix.modalities.relational import scores, similarity
from casemix.modalities.relational.copied_runs import copied_run_excess
from casemix.modalities.relational.similarity import Arm


def judged(arm: Made, train: Cohort, holdout: Cohort, seed: int) -> dict[str, float]:
    """Return the scores of one arm; NaN where one is not defined."""
    data = evaluated(arm, train, holdout, seed)
    real, made = Arm.of(data.holdout), Arm.of(data.synthetic)
    beside = similarity.beside_parents(data.context_schema)
    alike = {
        "children": similarity.children(real, made),
        "columns": similarity.columns(real, made),
        "parents": beside(real, made),
        "siblings": similarity.beside_siblings(real, made),
    }
    row = {"c2st": told_apart(data, seed)}
    row |= {name: float(np.mean(list(parts.values()))) for name, parts in alike.items()}
    for name, measure in (("broken_times", scores.broken_order), ("copied", copied_run_excess)):
        value = measure(data, seed).value
        row[name] = float("nan") if value is None else value
    attack = privacy.domias(
        data.members.embedding,
        data.holdout.embedding,
        data.synthetic.embedding,
        train_subjects=data.members.samples.subject_ids,
        holdout_subjects=data.holdout.samples.subject_ids,
        seed=seed,
    )
    row |= {"membership": attack.auc.value, "control": attack.control.value}
    return row | {"fit_s": arm.fit, "sample_s": arm.sample}


def told_apart(data: EvalData, seed: int) -> float:
    """Return the AUC of the critic of `casemix evaluate`."""
    held = fidelity.held_out_scores(
        features(data.holdout),
        features(data.synthetic),
        subjects_real=data.holdout.samples.subject_ids,
        subjects_synthetic=data.synthetic.samples.subject_ids,
        seed=seed,
    )
    return fidelity.auc(held.scores, held.arm)


def evaluated(arm: Made, train: Cohort, holdout: Cohort, seed: int) -> EvalData:
    """Return the arms as metrics read them; the evaluator knows one half of the training subjects.

    Only the other half is attacked.
    """
    known = train.split({"known": 0.5, "attacked": 0.5}, seed=seed)["known"]
    plugin = registry.load("evaluators", "relational/standard")
    evaluator: Evaluator = plugin().fit(known["relational"], seed=seed)
    return EvalData(
        train=view(evaluator, train["relational"], train.subjects),
        holdout=view(evaluator, holdout["relational"], holdout.subjects),
        synthetic=view(evaluator, arm.samples, arm.subjects),
        findings_schema=evaluator.findings_schema,
        context_schema=train.schema,
        embedder=evaluator.embedder,
        embedded=frozenset(known["relational"].subject_ids),
    )


def view(evaluator: Evaluator, samples: Samples, subjects: pd.DataFrame) -> View:
    """Return samples as metrics read them."""
    context = subjects.loc[list(samples.subject_ids)].set_axis(samples.index.index, axis=0)
    return View(samples, evaluator.findings(samples), evaluator.embed(samples), context)
