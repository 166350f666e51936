"""The shared metrics: every modality is judged by these, through its findings and its embedder."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from casemix.core import registry
from casemix.core.evaluator import Evaluator
from casemix.core.metric import EvalData, Family, Goal, Metric, Score, View
from casemix.errors import PluginError
from casemix.evaluation import diversity, fidelity, privacy, tables
from casemix.evaluation.centred_interval import centred_interval
from casemix.evaluation.fidelity import TwoSample
from casemix.evaluation.nearest_record import nearest_record
from casemix.evaluation.payload_models import payload_utility
from casemix.evaluation.statistics import bootstrap_rows, percentile_interval
from casemix.evaluation.targets import features
from casemix.evaluation.uses import augmentation_gain, trained_on_synthetic, validation_error

_NEIGHBOUR = 5  # whose distance is the radius of a record's ball
_COPIES = (
    "exact_copies",
    "usual_copies",
    "copies_p_value",
    "unique_copies",
    "usual_unique_copies",
    "unique_copies_p_value",
)
_NO_RATIO = "undefined: at least half of the held-out records equal a training record"
_REPEATS = 60  # bootstrap samples where each one recomputes a table of columns


def _subjects(view: View) -> np.ndarray:
    return view.samples.subject_ids


def _n(data: EvalData) -> int:
    arms = (data.holdout, data.synthetic)
    return min(len(set(_subjects(view))) for view in arms)


def _tablewise(
    measure: Callable[[pd.DataFrame, pd.DataFrame], tables.Columnwise],
) -> Callable[[EvalData, int], Score]:
    def compute(data: EvalData, seed: int) -> Score:
        real, made = data.holdout.findings, data.synthetic.findings
        whole = measure(real, made)
        rows = zip(
            bootstrap_rows(_subjects(data.holdout), seed=seed, repeats=_REPEATS),
            bootstrap_rows(_subjects(data.synthetic), seed=seed + 1, repeats=_REPEATS),
            strict=True,
        )
        draws = [measure(real.iloc[a], made.iloc[b]).value for a, b in rows]
        worst = sorted(whole.parts.items(), key=lambda item: item[1])[:20]
        return Score(
            whole.value,
            centred_interval(whole.value, draws, (0, 1)),
            _n(data),
            details={"lowest": dict(worst)},
        )

    return compute


def _c2st(data: EvalData, seed: int) -> Score:
    found = fidelity.c2st(
        features(data.holdout),
        features(data.synthetic),
        subjects_real=_subjects(data.holdout),
        subjects_synthetic=_subjects(data.synthetic),
        seed=seed,
    )
    return _score(found, data.embedder)


def _one_nearest_neighbour(data: EvalData, seed: int) -> Score:
    found = fidelity.one_nearest_neighbour_accuracy(
        data.holdout.embedding,
        data.synthetic.embedding,
        subjects_real=_subjects(data.holdout),
        subjects_synthetic=_subjects(data.synthetic),
        seed=seed,
    )
    return _score(found, data.embedder)


def _mmd(data: EvalData, seed: int) -> Score:
    found = fidelity.mmd_rbf(
        data.holdout.embedding,
        data.synthetic.embedding,
        subjects_real=_subjects(data.holdout),
        subjects_synthetic=_subjects(data.synthetic),
        seed=seed,
    )
    return _score(found, data.embedder)


def _support(part: str) -> Callable[[EvalData, int], Score]:
    def compute(data: EvalData, seed: int) -> Score:
        real, made = data.holdout.embedding, data.synthetic.embedding
        found = diversity.neighbourhoods(real, made, k=_NEIGHBOUR)
        of_record, averaged = {
            "precision": (found.near_real, data.synthetic),
            "recall": (found.near_synthetic, data.holdout),
            "density": (found.crowd / _NEIGHBOUR, data.synthetic),
            "coverage": (found.covered, data.holdout),
        }[part]
        draws = [of_record[rows].mean() for rows in bootstrap_rows(_subjects(averaged), seed=seed)]
        interval = percentile_interval(draws)
        return Score(float(of_record.mean()), interval, _n(data), note=data.embedder)

    return compute


def _nearest_record(data: EvalData, seed: int) -> Score:
    found = nearest_record(
        data.train.embedding,
        data.holdout.embedding,
        data.synthetic.embedding,
        train_subjects=_subjects(data.train),
        holdout_subjects=_subjects(data.holdout),
        synthetic_subjects=_subjects(data.synthetic),
        seed=seed,
    )
    defined = math.isfinite(found.ratio)
    details = {
        "closer_to_train": found.closer_to_train.value,
        "closer_to_train_interval": list(found.closer_to_train.interval),
        **{name: getattr(found, name) for name in _COPIES},
    }
    return Score(
        found.ratio if defined else None,
        found.interval if defined else None,
        _n(data),
        note=data.embedder if defined else f"{data.embedder}; {_NO_RATIO}",
        details=details,
    )


def _membership(data: EvalData, seed: int) -> Score:
    found = privacy.domias(
        data.members.embedding,
        data.holdout.embedding,
        data.synthetic.embedding,
        train_subjects=_subjects(data.members),
        holdout_subjects=_subjects(data.holdout),
        seed=seed,
    )
    details = {
        "control_auc": found.control.value,
        "control_interval": list(found.control.interval),
        "tpr_at_1_percent_fpr": found.tpr_at_1_percent.value,
        "members": found.members,
        "non_members": found.non_members,
    }
    return Score(found.auc.value, found.auc.interval, _n(data), note=data.embedder, details=details)


def _score(found: TwoSample, note: str) -> Score:
    details = {"p_value": found.p_value}
    return Score(found.value, found.interval, found.n, note=note, details=details)


#: The metrics that every modality gets, in the order in which reports show them.
SHARED: tuple[Metric, ...] = (
    Metric(
        "marginal_similarity",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        _tablewise(tables.marginal_similarity),
        control="",
        description="Mean over the findings of 1 - KS or total-variation distance, missingness "
        "included. Independent columns score as well as real ones: read it with C2ST.",
    ),
    Metric(
        "dependence_similarity",
        Family.FIDELITY,
        Goal.MAXIMISE,
        (0, 1),
        _tablewise(tables.dependence_similarity),
        description="1 - half the mean absolute difference of pairwise associations of findings.",
    ),
    Metric(
        "c2st_auc",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        _c2st,
        description="AUC of boosted trees that tell real held-out from synthetic records "
        "(classifier two-sample test, Lopez-Paz and Oquab 2017); 0.5 is ideal.",
    ),
    Metric(
        "one_nn_accuracy",
        Family.FIDELITY,
        Goal.MINIMISE,
        (0, 1),
        _one_nearest_neighbour,
        description="Leave-one-out accuracy of the nearest neighbour, same subject skipped; 0.5 is "
        "ideal, below it hints at copies.",
    ),
    Metric(
        "mmd",
        Family.FIDELITY,
        Goal.MINIMISE,
        (-1, 2),
        _mmd,
        description="Unbiased squared maximum mean discrepancy, RBF kernels (Gretton 2012).",
    ),
    *(
        Metric(
            name,
            Family.DIVERSITY if name in ("recall", "coverage") else Family.FIDELITY,
            Goal.MAXIMISE,
            (0, math.inf) if name == "density" else (0, 1),
            _support(name),
            # The others can be fooled: wide columns reach every real record, and averaged
            # pictures lie in the midst of them.
            control="marginals" if name == "coverage" else "",
            description=f"k-nearest-neighbour {name} (Kynkaanniemi 2019; Naeem 2020), k = 5. "
            "The interval resamples the subjects of the arm that is averaged.",
        )
        for name in ("precision", "recall", "density", "coverage")
    ),
    Metric(
        "utility",
        Family.UTILITY,
        Goal.MAXIMISE,
        (-1, 1),
        trained_on_synthetic,
        description="Train on synthetic, test on real held-out subjects (TSTR, Esteban 2017): "
        "trees or a ridge model on findings and embedding. The ceiling trains on as many real "
        "ones. Intervals resample test subjects only.",
    ),
    Metric(
        "payload_utility",
        Family.UTILITY,
        Goal.MAXIMISE,
        (-1, 1),
        payload_utility,
        description="TSTR of models that read the records themselves, averaged over the models "
        "that the note names: they see what no finding holds, and need more records. Intervals "
        "resample test subjects only.",
        modalities=frozenset({"imaging", "timeseries"}),
    ),
    Metric(
        "augmentation_gain",
        Family.UTILITY,
        Goal.MAXIMISE,
        (-2, 2),
        augmentation_gain,
        description="Mean gain of models trained on few real records and all synthetic ones over "
        "the few real ones alone (10, 25, 50 and 100 % of one half of train); the ceiling adds "
        "other real records.",
    ),
    Metric(
        "validation_error",
        Family.UTILITY,
        Goal.MINIMISE,
        (0, 2),
        validation_error,
        control="copy_training",
        ceiling="holdout",
        description="Mean error of the scores of models trained on real records when they are "
        "measured on synthetic instead of real held-out ones; Kendall's tau of the two rankings is "
        "in the details.",
    ),
    Metric(
        "nearest_record_ratio",
        Family.PRIVACY,
        Goal.DESCRIBE,
        (0, math.inf),
        _nearest_record,
        control="copy_training",
        ceiling="holdout",
        description="Median distance to the nearest training record over that of held-out "
        "records. A description, not a guarantee: low means copying, 1 does not mean private. The "
        "details count records equal to a training record, beside those of held-out records.",
    ),
    Metric(
        "membership_auc",
        Family.PRIVACY,
        Goal.MINIMISE,
        (0, 1),
        _membership,
        control="copy_training",
        ceiling="holdout",
        description="DOMIAS membership inference (van Breugel 2023); 0.5 is ideal.",
    ),
)


def metrics_of(evaluator: Evaluator) -> tuple[Metric, ...]:
    """Return every metric that a modality is judged by: shared, its own, and other packages'.

    Raises:
        PluginError: two metrics of one name.
    """
    found = (*SHARED, *evaluator.metrics, *registry.metrics().values())
    wanted = [m for m in found if not m.modalities or evaluator.modality in m.modalities]
    names = [m.name for m in wanted]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PluginError("Two metrics have one name.", given=twice)
    return tuple(wanted)
