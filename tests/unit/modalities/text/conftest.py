"""Arms of phantom notes, as the protocol gives them to the metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Schema
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.modalities.text.data import Notes
from casemix.modalities.text.evaluators.standard import Standard
from casemix.recipes.phantom.simulate import simulate

Rewrite = Callable[[View, Sequence[str]], View]


@pytest.fixture(scope="session")
def arms() -> EvalData:
    """120 known and 60 unknown training patients, 60 held-out and 60 fresh ones."""
    records = simulate(300, 0)
    schema = Schema(records.fields["subjects"])
    ids = records.subjects.index.to_numpy(dtype=object)
    index = pd.DataFrame({"subject_id": ids, "time": 0.0}, index=[f"{i}-note" for i in ids])
    samples = Samples("text", index, Notes(tuple(records.notes)))
    evaluator = Standard().fit(samples.take(range(120)), seed=0)
    context = schema.coerce(records.subjects).set_axis(index.index, axis=0)
    view = View(samples, evaluator.findings(samples), evaluator.embed(samples), context)
    parts = [view.take(np.arange(a, b)) for a, b in ((0, 180), (180, 240), (240, 300))]
    fitted_on = frozenset(ids[:120])
    return EvalData(
        *parts,
        evaluator.findings_schema,
        schema,
        evaluator.embedder,
        embedded=fitted_on,
        judges={"evaluator": evaluator},
    )


@pytest.fixture(scope="session")
def rewrite() -> Callable[[EvalData, Sequence[str]], EvalData]:
    """Give the synthetic patients other notes."""

    def rewritten(data: EvalData, texts: Sequence[str]) -> EvalData:
        old, evaluator = data.synthetic, data.judges["evaluator"]
        samples = Samples("text", old.samples.index, Notes(tuple(texts)))
        view = View(samples, evaluator.findings(samples), evaluator.embed(samples), old.context)
        return replace(data, synthetic=view)

    return rewritten
