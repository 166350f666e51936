"""Networks follow the conditions, keep to the rules, continue histories, and do not memorise."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from casemix.core.progress import Progress, Step
from casemix.core.training import TrainConfig, state_arrays
from casemix.errors import ConditionError
from casemix.modalities.events.batches import IGNORED, Batches, held_out_loss
from casemix.modalities.events.counts_network import CountsNetwork
from casemix.modalities.events.fitting import Histories, held_out
from casemix.modalities.events.generators.feedforward import Config, Feedforward
from casemix.modalities.events.generators.transformer import Transformer
from casemix.modalities.events.grammar import Grammar
from casemix.modalities.events.network import EventWriter, Size
from casemix.modalities.events.rules import Rules
from casemix.modalities.events.telling_order import TellingOrder
from casemix.modalities.events.tokens import BEGIN, Tokeniser
from casemix.modalities.events.toy import toy


@pytest.fixture(scope="module")
def trained():
    data, given = toy(300, seed=2)
    own = Feedforward.tiny().config
    train = TrainConfig(steps=250, batch_size=1, learning_rate=1e-2, warmup=10, ema_decay=0.9)
    config = Config(width=48, dropout=0.1, stream=replace(own.stream, budget=512, train=train))
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
    stream = replace(own.stream, epochs=1000, least=2, calibrations=0, train=train)
    config = replace(own, stream=stream)
    model = Transformer(config).fit(data, given, seed=0).model
    assert model.held_out[-1] > min(model.held_out) + 0.02  # the end is overfitted
    model_loss = _loss(model, data, given)
    assert model_loss == pytest.approx(min(model.held_out), abs=1e-4)


class Killing(Progress):
    """Kills the work at its ninetieth step."""

    @contextmanager
    def step(self, description, total, done=0):
        yield Killing.Step()

    @dataclass
    class Step(Step):
        steps: int = 0

        def advance(self, count=1, note=""):
            self.steps += count
            if self.steps == 90:
                raise KeyboardInterrupt


@pytest.mark.parametrize("plugin", [Feedforward, Transformer])
def test_a_killed_fit_goes_on_to_the_same_weights(plugin, tmp_path):
    data, given = toy(30, seed=4)
    own = plugin.tiny().config
    train = replace(
        own.stream.train, steps=120, learning_rate=0.04, ema_decay=0.0, checkpoint_seconds=0.0
    )
    config = replace(own, stream=replace(own.stream, epochs=60, fewest=1, least=2, train=train))
    whole = plugin(config).fit(data, given, seed=0).model
    assert np.argmin(whole.held_out) < 0.7 * len(whole.held_out)  # lost, if not kept
    with pytest.raises(KeyboardInterrupt):
        plugin(config).fit(data, given, seed=0, progress=Killing(checkpoints=tmp_path))
    resumed = plugin(config).fit(data, given, seed=0, progress=Progress(checkpoints=tmp_path))
    assert resumed.model.held_out == whole.held_out
    a, b = (state_arrays(model.network) for model in (whole, resumed.model))
    assert all(np.array_equal(a[name], b[name]) for name in a)


def _loss(model, data, given):
    values, known = model.encoder.encode(given)
    features = np.concatenate([values * known, known], axis=1)
    rows = held_out(np.arange(len(data)), 1, 0)
    histories = Histories(model.tokeniser.encode(data.payload), features, np.arange(len(data)))
    return held_out_loss(model.network, histories.batches(rows, model.settings, 0))


@pytest.mark.parametrize("kind", ["attention", "counts"])
def test_reading_token_by_token_gives_the_likelihood_of_the_whole(kind):
    told, tokeniser = tokens_of_toy(6)
    torch.manual_seed(0)
    network = (
        EventWriter(Size(width=8, layers=1, heads=2), tokeniser, 3, 60)
        if kind == "attention"
        else CountsNetwork(tokeniser, 3, 8, 0.5)
    ).eval()
    torch.nn.init.normal_(network.order.usual)
    context = torch.rand(6, 3)
    rows = np.arange(6)
    batch = Batches.of(told, context.numpy(), rows, longest=60, budget=600, seed=0)
    tokens, hours = batch.tokens[0], batch.hours[0]
    grammar = Grammar(replace(tokeniser, rules=without_families(tokeniser.rules)))
    with torch.no_grad():
        whole = network(tokens, hours, context[batch.rows[0]])
        reader, total = network.reader(context[batch.rows[0]]), torch.zeros(6)
        token, when = torch.full((6,), BEGIN), torch.zeros(6)
        state = grammar.start(6)
        for t in range(tokens.shape[1]):
            mask = torch.from_numpy(grammar.allowed(state))
            chances = reader.read(token, when).masked_fill(~mask, -torch.inf).log_softmax(-1)
            there = tokens[:, t] != IGNORED
            token = torch.where(there, tokens[:, t], BEGIN)
            chosen = chances.gather(1, token[:, None])[:, 0]
            total -= torch.where(there, chosen, 0.0)
            state = grammar.step(state, token.numpy())
            when = hours[:, t]
    assert torch.allclose(whole, total, rtol=1e-4)


def test_codes_of_a_time_are_told_with_their_own_chances():
    told, tokeniser = tokens_of_toy(200)
    order = TellingOrder(tokeniser)
    counts = np.bincount(told.tokens, minlength=len(tokeniser))
    order.start(counts)
    grammar, n = Grammar(replace(tokeniser, rules=without_families(tokeniser.rules))), 4000
    logits = order.chained(torch.zeros(len(tokeniser))).numpy()
    rng, found = np.random.default_rng(0), np.zeros(len(tokeniser))
    state = grammar.step(grammar.start(n), np.full(n, tokeniser.first_at))
    opened = np.zeros(n, dtype=bool)
    while not opened.all():
        noise = rng.gumbel(size=(n, len(logits)))
        token = np.where(grammar.allowed(state), logits + noise, -np.inf).argmax(axis=1)
        opened |= token < tokeniser.code_at
        found += np.bincount(token[~opened], minlength=len(found))
        state = grammar.step(state, token)
    codes = slice(tokeniser.code_at, tokeniser.value_at)
    times = counts[tokeniser.first_at : tokeniser.code_at].sum()
    at_least_one = 1 - np.prod(1 - counts[codes] / times)
    assert found[codes] / n * at_least_one == pytest.approx(counts[codes] / times, abs=0.03)


def tokens_of_toy(n):
    data, _ = toy(n, seed=1)
    tokeniser = Tokeniser.fit(data.payload, np.arange(n), value_bins=4, gap_bins=4, least=1)
    return tokeniser.encode(data.payload), tokeniser


def without_families(rules):
    return replace(rules, opens={}, closes={}, exclusive=frozenset())
