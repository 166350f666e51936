import numpy as np
import pandas as pd

from casemix.core.fields import Field, Kind, Schema
from casemix.modalities.tabular.embed import Embedder
from casemix.modalities.tabular.evaluators.standard import Standard
from casemix.modalities.tabular.toy import toy


def test_training_rows_are_whitened():
    data, _ = toy(400)
    vectors = Standard().fit(data, seed=0).embed(data)
    assert vectors.dtype == np.float32
    assert vectors.shape[1] <= 16
    assert np.allclose(np.cov(vectors.T), np.eye(vectors.shape[1]), atol=1e-3)


def test_missing_cells_move_a_row():
    data, _ = toy(64)
    evaluator = Standard().fit(data, seed=0)
    frame = data.payload.frame
    hidden = frame.assign(ward=None)
    moved = evaluator.fitted.embed(hidden) - evaluator.fitted.embed(frame)
    assert (np.abs(moved).max(axis=1) > 0.1).all()


def test_code_lists_become_a_count():
    data, _ = toy(8)
    frame = data.payload.frame.assign(drugs=[["A"] * (i % 3) for i in range(7)] + [None])
    schema = data.payload.schema.join(Schema((Field("drugs", Kind.CODES),)))
    samples = type(data)(data.modality, data.index, type(data.payload)(frame, schema))
    evaluator = Standard().fit(samples, seed=0)
    found = evaluator.findings(samples)["tabular.drugs.count"]
    assert found.tolist()[:3] == [0.0, 1.0, 2.0]
    assert np.isnan(found.iloc[-1])
    assert np.isfinite(evaluator.embed(samples)).all()


def test_an_empty_column_embeds():
    schema = Schema((Field("x", Kind.NUMERIC), Field("y", Kind.NUMERIC)))
    frame = pd.DataFrame({"x": np.full(20, np.nan), "y": np.arange(20.0)})
    assert np.isfinite(Embedder.fit(frame, schema).embed(frame)).all()
