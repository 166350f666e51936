"""Linkage of every pair of modalities, and of each modality with the recorded context."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from casemix.core.cohort import Cohort
from casemix.core.metric import Score, View
from casemix.core.parallel import run_all
from casemix.core.progress import Progress
from casemix.errors import EvaluationError
from casemix.evaluation.linkage import Pairs
from casemix.evaluation.pair_scores import pair_scores, recovery_score
from casemix.evaluation.subject_views import CONTEXT, SubjectViews, subject_views

_ARMS = ("train", "holdout", "synthetic")
_MANY = 600  # subjects of all arms from which processes of their own pay for pairs


def judge_links(
    views: Mapping[str, Mapping[str, View]],
    cohorts: Mapping[str, Cohort],
    *,
    target: str = "",
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return one entry per pair: link, patient_link, critic AUC, retrieval, HSIC and controls.

    Args:
        views: modality -> arm (``train``, ``holdout``, ``synthetic``) -> its records.
        cohorts: arm -> cohort, for the recorded context.
        target: levelled context field whose recovery is measured and within which subjects are
            exchanged for `patient_link`.
        seed: seed of folds, permutations and bootstraps.
        workers: processes that judge large pairs side by side.
        progress: where to report.
    """
    arms = subject_views(views, cohorts, target)
    names = [*([CONTEXT] if arms["train"].context.shape[1] else []), *views]
    works = []
    for number, (a, b) in enumerate(itertools.combinations(names, 2)):
        trio = {arm: arms[arm].pairs(a, b) for arm in _ARMS}
        recovery = arms if a == CONTEXT and arms["train"].groups is not None else None
        works.append(_PairWork(a, b, trio, recovery, target, (seed + number) % 2**31, seed))
    small = sum(len(s.context) for s in arms.values()) < _MANY
    return run_all(works, workers=1 if small else workers, progress=progress or Progress())


@dataclass(frozen=True)
class _PairWork:
    """One pair, to be judged in any process.

    Args:
        a: its first view.
        b: its second view.
        trio: arm -> matched subjects.
        recovery: arm -> subjects, where context recovery from ``b`` is to be measured.
        target: the field that is recovered.
        seed: of this pair.
        recovery_seed: of the recovery, the same for all pairs.
    """

    a: str
    b: str
    trio: Mapping[str, Pairs]
    recovery: Mapping[str, SubjectViews] | None
    target: str
    seed: int
    recovery_seed: int

    def __call__(self, progress: Progress) -> dict[str, Any]:
        """Return the pair's entry in ``metrics.json``."""
        with progress.step(f"linking {self.a} and {self.b}", 1) as bar:
            try:
                scores = pair_scores(self.trio, beyond_context=self.a != CONTEXT, seed=self.seed)
            except EvaluationError as error:  # e.g. too few subjects with both
                scores = {"link": Score(None, note=str(error)), "patient_link": Score(None)}
            if self.recovery is not None:
                scores["context_recovery"] = recovery_score(
                    self.recovery, self.b, self.target, seed=self.recovery_seed
                )
            bar.advance()
        shown = {name: score.to_json() for name, score in scores.items() if ":" not in name}
        control = {
            name.partition(":")[2]: score.to_json() for name, score in scores.items() if ":" in name
        }
        return {"a": self.a, "b": self.b, **shown, "control": {"shuffled": control}}
