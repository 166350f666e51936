"""Networks follow the conditions, keep to the rules, continue histories, and do not memorise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from casemix.core.training import TrainConfig
from casemix.errors import ConditionError
from casemix.modalities.events.batches import IGNORED
from casemix.modalities.events.counts_network import CountsNetwork
from casemix.modalities.events.generators.feedforward import Config, Feedforward
from casemix.modalities.events.generators.transformer import Transformer
from casemix.modalities.events.network import EventWriter, Size
from casemix.modalities.events.rules import Rules
from casemix.modalities.events.toy import toy


@pytest.fixture(scope="module")
def trained():
    data, given = toy(300, seed=2)
    own = Feedforward.tiny().config
    train = TrainConfig(steps=250, batch_size=1, learning_rate=1e-2, warmup=10, ema_decay=0.9)
    config = Config(width=24, stream=replace(own.stream, budget=512, train=train))
    return Feedforward(config).fit(data, given, seed=0), data, given


def test_what_is_drawn_follows_the_conditions_and_the_rules(trained):
    model, data, given = trained
    made = model.generate(given, seed=1).payload.frame
    group = given.rows["group"].to_numpy()
    drug = made[made["code"].str.startswith("DRUG")]
    right = np.where(group[drug["item"]] == "a", "DRUG//SALBUTAMOL", "DRUG//AMOXICILLIN")
    assert (drug["code"] == right).mean() > 0.9
    lab = made[made["code"] == "LAB//CRP//mg/L"]
    severity = given.rows["severity"].to_numpy()[lab["item"]]
    assert np.corrcoef(severity, lab["value"])[0, 1] > 0.7
    assert sum(Rules.fit(data.payload.frame).violations(made).values()) == 0


def test_a_continued_history_begins_with_the_given_one(trained):
    model, data, given = trained
    frame = data.payload.frame
    first = frame.groupby("item")["hours"].transform("min")
    history = replace(data, payload=replace(data.payload, frame=frame[frame["hours"] == first]))
    made = model.continue_(history, given, seed=3, until_hours=600.0)
    begun = made.payload.frame.groupby("item").head(4)
    assert begun["code"].tolist() == history.payload.frame["code"].tolist()
    later = made.payload.frame.drop(begun.index)
    assert len(later) > len(data)
    assert later["hours"].gt(0).all()
    assert later["hours"].max() <= 600
    assert later.groupby("item").head(2)["code"].str.startswith("DIAGNOSIS").mean() > 0.4


def test_after_a_given_death_nothing_follows(trained):
    model, data, given = trained
    dead = data.payload.frame.loc[data.payload.frame["code"] == "MEDS_DEATH", "item"].unique()
    assert len(dead) > 5
    past = data.take(dead)
    made = model.continue_(past, given.take(dead), seed=0)
    assert made.payload.to_table().equals(past.payload.to_table())


def test_histories_of_other_subjects_are_refused(trained):
    model, data, given = trained
    with pytest.raises(ConditionError, match="other records"):
        model.continue_(data.take(range(5)), given.take(np.arange(5, 10)), seed=0)


def test_the_weights_that_suit_held_out_subjects_are_kept():
    data, given = toy(30, seed=4)
    own = Transformer.tiny().config
    train = replace(own.stream.train, steps=250, ema_decay=0.0)
    config = replace(own, stream=replace(own.stream, epochs=1000, least=2, train=train))
    model = Transformer(config).fit(data, given, seed=0).model
    assert model.held_out[-1] > min(model.held_out) + 0.02  # the end is overfitted
    model_loss = _loss(model, data, given)
    assert model_loss == pytest.approx(min(model.held_out), abs=1e-4)


def _loss(model, data, given):
    from casemix.modalities.events.batches import Batches, held_out_loss
    from casemix.modalities.events.stream_model import _features, _held_out

    rows = np.flatnonzero(_held_out(np.arange(len(data)), 0))
    told = model.tokeniser.encode(data.payload)
    features = _features(model.encoder, given)
    batches = Batches.of(told, features, rows, longest=48, budget=512, seed=0)
    return held_out_loss(model.network, batches)


@pytest.mark.parametrize("kind", ["attention", "counts"])
def test_reading_token_by_token_gives_the_likelihood_of_the_whole(kind):
    torch.manual_seed(0)
    network = (
        EventWriter(Size(width=8, layers=1, heads=2), 12, 3, 16)
        if kind == "attention"
        else CountsNetwork(12, 3, (2, 5), 8)
    )
    if kind == "counts":
        torch.nn.init.normal_(network.direct.weight)
        torch.nn.init.normal_(network.out.weight)
    tokens = torch.tensor([[2, 6, 7, 3, 6, 9, 4, 8, 8, 1], [3, 5, 4, 5, 6, 7, 2, 5, 1, IGNORED]])
    hours, context = torch.rand(2, 10), torch.rand(2, 3)
    with torch.no_grad():
        whole = network(tokens, hours, context)
        reader, total = network.reader(context), torch.zeros(2)
        token, when = torch.zeros(2, dtype=torch.long), torch.zeros(2)
        for t in range(10):
            logits = reader.read(token, when).log_softmax(-1)
            told = tokens[:, t].clamp(min=0)
            chosen = logits.gather(1, told[:, None])[:, 0]
            total -= torch.where(tokens[:, t] >= 0, chosen, torch.zeros(2))
            token, when = told, hours[:, t]
    assert torch.allclose(whole, total, atol=1e-4)
