from __future__ import annotations

import numpy as np
import pytest

from casemix.errors import EvaluationError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.embed import Embedder
from casemix.modalities.imaging.toy import toy


def test_training_vectors_are_white():
    images = toy(96, seed=0)[0].payload
    vectors = Embedder.fit(images).embed(images)
    assert vectors.shape[1] <= 32
    assert np.allclose(np.cov(vectors.T), np.eye(vectors.shape[1]), atol=0.1)


def test_the_conditions_can_be_read_from_unseen_vectors():
    train, given = toy(96, seed=0)
    fresh, wanted = toy(64, seed=1)
    embedder = Embedder.fit(train.payload)
    x, y = embedder.embed(train.payload), given.rows["severity"].to_numpy()
    slope, *_ = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)
    guess = np.c_[embedder.embed(fresh.payload), np.ones(64)] @ slope
    assert np.corrcoef(guess, wanted.rows["severity"])[0, 1] > 0.9


def test_a_missing_mask_moves_a_picture_little():
    images = toy(64, seed=0)[0].payload
    bare = Images(
        images.pixels, images.channels, 0 * images.masks, images.mask_labels, np.zeros(64, bool)
    )
    embedder = Embedder.fit(images)
    assert np.isfinite(embedder.embed(bare)).all()
    assert np.corrcoef(embedder.embed(bare)[:, 0], embedder.embed(images)[:, 0])[0, 1] > 0.8


def test_another_layout_is_an_error():
    images = toy(64, seed=0)[0].payload
    with pytest.raises(EvaluationError, match="another layout"):
        Embedder.fit(images).embed(Images(images.pixels, images.channels))
