"""After calibration, drawn histories have codes and times as often as training ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from casemix.modalities.events.batches import IGNORED, Batches
from casemix.modalities.events.calibration import Amounts, fit_usual, read_at_random
from casemix.modalities.events.fitting import Histories
from casemix.modalities.events.generators.feedforward import Feedforward
from casemix.modalities.events.tokens import END, Tokenised
from casemix.modalities.events.toy import toy


def test_a_hardly_trained_network_is_brought_to_the_usual_amounts():
    data, given = toy(60, seed=3)
    own = Feedforward.tiny().config
    train = replace(own.stream.train, steps=4)
    apart = []
    for rounds in (0, 4):
        stream = replace(own.stream, batch=128, calibrations=rounds, train=train)
        model = Feedforward(replace(own, stream=stream)).fit(data, given, seed=0)
        made = model.generate(given, seed=1).payload.frame
        shares = [
            frame.drop_duplicates(["item", "code"])["code"].value_counts() / 60
            for frame in (data.payload.frame, made)
        ]
        apart.append(shares[0].sub(shares[1], fill_value=0).abs().mean())
    assert apart[1] < 0.6 * apart[0]


def test_along_the_histories_each_token_is_expected_as_often_as_it_comes():
    n = 600
    data, given = toy(n, seed=3)
    own = Feedforward.tiny().config
    model = Feedforward(replace(own, stream=replace(own.stream, calibrations=0)))
    fitted = model.fit(data, given, seed=0).model
    assert fitted is not None
    network, tokeniser = fitted.network, fitted.tokeniser
    told = tokeniser.encode(data.payload)
    features = np.zeros((n, 2 * fitted.encoder.width), dtype=np.float32)
    batches = Batches.of(told, features, np.arange(n), longest=48, budget=512, seed=0)
    network.order.usual[tokeniser.code_at : tokeniser.value_at] -= 1.5

    def apart() -> float:
        expected, come = torch.zeros(len(tokeniser)), torch.zeros(len(tokeniser))
        for i, tokens in enumerate(batches.tokens):
            seen = batches.features[batches.rows[i]]
            with torch.no_grad():
                chances = network.logits(tokens, batches.hours[i], seen).softmax(dim=-1)
            expected += chances[tokens != IGNORED].sum(dim=0)
            come += torch.bincount(tokens[tokens != IGNORED], minlength=len(tokeniser))
        told_more = slice(tokeniser.code_at, tokeniser.value_at)
        return float((expected - come)[told_more].abs().sum() / come[told_more].sum())

    before = apart()
    fit_usual(network, batches, tokeniser)
    assert before > 0.1
    assert apart() < 0.25 * before


def test_histories_read_of_many_are_as_long_as_all_are():
    n = 3000
    lengths = np.minimum(np.random.default_rng(0).geometric(0.1, n), 60)
    offsets = np.r_[0, np.cumsum(lengths)]
    told = Tokenised(np.full(offsets[-1], END), np.zeros(offsets[-1]), offsets, {})
    histories = Histories(told, np.zeros((n, 2), dtype=np.float32), np.arange(n))
    settings = replace(Feedforward.tiny().config.stream, longest=100, budget=16)
    found = [read_at_random(histories, settings, seed) for seed in range(40)]
    assert 400 < np.mean([rows.sum() for rows in found]) < 1500
    # Batches at even steps, sorted by length, would give histories about 4 % too short.
    mean = np.mean([lengths[rows].mean() for rows in found])
    assert mean == pytest.approx(lengths.mean(), rel=0.015)


def test_amounts_count_histories_and_not_events():
    item, code = np.array([0, 0, 0, 1]), np.array([2, 2, 0, 2])
    found = Amounts.of(item, code, times=3, n=4, codes=3)
    assert found.having.tolist() == [1, 0, 2]
    assert found.log_odds == pytest.approx(np.log([1.5 / 3.5, 0.5 / 4.5, 1]))
