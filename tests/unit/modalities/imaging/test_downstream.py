from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from casemix.core.downstream import Task
from casemix.core.samples import Samples
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.downstream import small_cnn
from casemix.modalities.imaging.toy import toy


def codes(given) -> np.ndarray:
    return (given.rows["group"] == "b").to_numpy().astype(int)


def test_it_learns_a_class_and_a_number_that_pictures_show():
    train, given = toy(80, seed=0)
    test, asked = toy(60, seed=1)
    found = small_cnn(train, codes(given), task=Task.CLASSIFICATION, seed=0)(test)
    assert found.shape == (60, 2)
    assert found.sum(axis=1) == pytest.approx(np.ones(60))
    assert roc_auc_score(codes(asked), found[:, 1]) > 0.98
    severity = given.rows["severity"].to_numpy(dtype=float)
    guess = small_cnn(train, severity, task=Task.REGRESSION, seed=0)(test)
    truth = asked.rows["severity"].to_numpy(dtype=float)
    assert np.corrcoef(guess, truth)[0, 1] > 0.9


def test_it_learns_nothing_from_shuffled_labels():
    train, given = toy(80, seed=0)
    test, asked = toy(60, seed=1)
    shuffled = np.random.default_rng(0).permutation(codes(given))
    found = small_cnn(train, shuffled, task=Task.CLASSIFICATION, seed=0)(test)
    assert roc_auc_score(codes(asked), found[:, 1]) < 0.8


def test_masks_are_not_looked_at_and_batches_do_not_matter():
    train, given = toy(40, seed=0)
    test, _ = toy(70, seed=1)
    predict = small_cnn(train, codes(given), task=Task.CLASSIFICATION, seed=0)
    bare = Samples("imaging", test.index, Images(test.payload.pixels, test.payload.channels))
    assert predict(bare) == pytest.approx(predict(test))
    assert predict(test.take(range(3))) == pytest.approx(predict(test)[:3], abs=1e-6)
