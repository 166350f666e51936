"""What is measured of one pair of views: link, retrieval, translation, joint excess, HSIC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from casemix.core.metric import Score
from casemix.evaluation import linkage
from casemix.evaluation.critic import Critic
from casemix.evaluation.hsic import hsic_and_null
from casemix.evaluation.joint_excess import joint_excess
from casemix.evaluation.linkage import Pairs
from casemix.evaluation.retrieval import retrieval
from casemix.evaluation.statistics import permutation_p_value
from casemix.evaluation.subject_views import SubjectViews
from casemix.evaluation.translation import translation

_GALLERY = 50


def pair_scores(trio: Mapping[str, Pairs], *, beyond_context: bool, seed: int) -> dict[str, Score]:
    """Return all scores of a pair of views; ``shuffled:NAME`` is a score of the control.

    Args:
        trio: arm (``train``, ``holdout``, ``synthetic``) -> subjects with both views.
        beyond_context: measure `casemix.evaluation.linkage.patient_link`, too.
        seed: seed of folds, permutations and bootstraps.

    Raises:
        EvaluationError: too few subjects.
    """
    train, holdout, synthetic = (
        _equal(trio, arm, seed) for arm in ("train", "holdout", "synthetic")
    )
    shuffled = replace(
        synthetic, second=synthetic.second[linkage.permute_all(len(synthetic.second), seed=seed)]
    )
    whole = linkage.link_reference(train, holdout, seed=seed)
    critic, found = whole.critic, whole.judge(synthetic)
    scores = {
        "link": _link(found),
        "critic_auc": Score(
            found.synthetic.value,
            found.synthetic.interval,
            found.synthetic.n,
            ceiling=found.ceiling.value,
            floor=found.floor[0],
        ),
        "shuffled:link": _link(whole.judge(shuffled)),
        **_retrieval(critic, holdout, synthetic, seed),
        **_translations(critic, trio["train"], holdout, synthetic, shuffled, seed),
        "joint_excess": _joint_excess(critic, holdout, synthetic, shuffled, seed),
        "hsic": _hsic(holdout, synthetic, seed),
    }
    if beyond_context:
        beyond = linkage.patient_reference(train, holdout, seed=seed)
        for name, arm in (("patient_link", synthetic), ("shuffled:patient_link", shuffled)):
            scores[name] = _link(beyond.judge(arm))
    return scores


def _equal(trio: Mapping[str, Pairs], arm: str, seed: int) -> Pairs:
    """Return an arm; holdout and synthetic cut to the same random number of subjects."""
    pairs = trio[arm]
    n = min(len(trio["holdout"].first), len(trio["synthetic"].first))
    return pairs if arm == "train" else _some(pairs, n, seed)


def _some(pairs: Pairs, n: int, seed: int) -> Pairs:
    """Return at most n random subjects."""
    if len(pairs.first) <= n:
        return pairs
    return _at(pairs, np.sort(np.random.default_rng(seed).permutation(len(pairs.first))[:n]))


def _at(pairs: Pairs, rows: np.ndarray) -> Pairs:
    groups = None if pairs.groups is None else pairs.groups[rows]
    context = None if pairs.context is None else pairs.context[rows]
    return Pairs(pairs.first[rows], pairs.second[rows], context, groups)


def _link(found: linkage.Link) -> Score:
    note = found.reason or ("over-coupled: above the real link" if found.over_coupled else "")
    details = {
        "synthetic_auc": found.synthetic.value,
        "real_auc": found.ceiling.value,
        "floors": list(found.floor),
    }
    defined = found.value is not None
    return Score(
        found.value,
        found.interval,
        found.synthetic.n,
        ceiling=1.0 if defined else None,
        floor=0.0 if defined else None,
        note=note,
        details=details,
    )


def _retrieval(critic: Critic, holdout: Pairs, synthetic: Pairs, seed: int) -> dict[str, Score]:
    gallery = min(_GALLERY, len(holdout.first))
    made, real = (
        retrieval(critic.scores(p.first, p.second), gallery=gallery, seed=seed)
        for p in (synthetic, holdout)
    )
    n, note = len(synthetic.first), f"gallery of {gallery}"
    chance = made.k / gallery
    return {
        "recall_at_5": Score(made.recall, None, n, real.recall, chance, note),
        "median_rank": Score(made.median_rank, None, n, real.median_rank, (gallery + 1) / 2, note),
    }


def _translations(
    critic: Critic, train: Pairs, holdout: Pairs, synthetic: Pairs, shuffled: Pairs, seed: int
) -> dict[str, Score]:
    """Return how well a model of synthetic pairs reads one view from the other in real ones."""
    as_many = _some(train, len(synthetic.first), seed)
    found = {}
    back = Critic(critic.second, critic.first, critic.correlations)
    for name, judge, read in (
        ("utility_a_to_b", critic, _both),
        ("utility_b_to_a", back, _turned),
    ):
        value, ceiling, floor = (
            translation(judge, read(arm), read(holdout), seed=seed)
            for arm in (synthetic, as_many, shuffled)
        )
        if value is None or ceiling is None or floor is None:
            found[name] = Score(None, note="real pairs show nothing to predict")
        else:
            found[name] = Score(
                value.value, value.interval, value.n, ceiling.value, floor.value, "R2"
            )
    return found


def _joint_excess(
    critic: Critic, holdout: Pairs, synthetic: Pairs, shuffled: Pairs, seed: int
) -> Score:
    """Return what the pair betrays beyond its parts; the ceiling is one half of real pairs."""
    order = np.random.default_rng(seed).permutation(len(holdout.first))
    halves = [_at(holdout, np.sort(rows)) for rows in np.array_split(order, 2)]
    value, floor = (
        joint_excess(critic, _both(holdout), _both(arm), seed=seed) for arm in (synthetic, shuffled)
    )
    ceiling = joint_excess(critic, *(_both(half) for half in halves), seed=seed)
    details = {"joint": value.joint, "a": value.first, "b": value.second}
    return Score(
        value.value, value.interval, value.n, ceiling.value, floor.value, "C2ST AUC", details
    )


def _both(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return pairs.first, pairs.second


def _turned(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return pairs.second, pairs.first


def _hsic(holdout: Pairs, synthetic: Pairs, seed: int) -> Score:
    moved = [linkage.permute_all(len(synthetic.first), seed=seed + k) for k in range(20)]
    value, null = hsic_and_null(synthetic.first, synthetic.second, moved)
    details = {"p_value": permutation_p_value(value, null)}
    real = linkage.hsic(holdout.first, holdout.second)
    floor = float(np.mean(null))
    return Score(value, None, len(synthetic.first), real, floor, details=details)


def recovery_score(arms: Mapping[str, SubjectViews], b: str, target: str, *, seed: int) -> Score:
    """Return how well the target is read out of view ``b``, see `linkage.context_recovery`.

    Args:
        arms: arm -> subjects whose groups are the levels of the target.
        b: the view.
        target: the field's name.
        seed: seed of the model and the bootstrap.
    """
    known = {arm: s.views[b].index[_labels(s, b) != "None"] for arm, s in arms.items()}
    x = {arm: s.views[b].loc[known[arm]].to_numpy() for arm, s in arms.items()}
    y = {
        arm: s.groups.loc[known[arm]].to_numpy() for arm, s in arms.items() if s.groups is not None
    }
    found, real = (
        linkage.context_recovery(x["train"], y["train"], x[arm], y[arm], seed=seed % 2**31)
        for arm in ("synthetic", "holdout")
    )
    return Score(found.value, found.interval, found.n, real.value, 0.5, f"AUROC of {target}")


def _labels(subjects: SubjectViews, b: str) -> np.ndarray:
    assert subjects.groups is not None
    return subjects.groups.loc[subjects.views[b].index].to_numpy()
