"""Histories become tokens that the grammar accepts; whatever the grammar lets through obeys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from casemix.core import artifact
from casemix.errors import FitError
from casemix.modalities.events.bins import Bins, resolution
from casemix.modalities.events.codes import ancestors, coarser
from casemix.modalities.events.data import Events
from casemix.modalities.events.decode import _Record
from casemix.modalities.events.grammar import Grammar
from casemix.modalities.events.rules import Rules
from casemix.modalities.events.tokens import BEGIN, END, Tokeniser
from casemix.modalities.events.toy import toy


def tokeniser_of(events, least=5):
    owners = np.arange(len(events))
    return Tokeniser.fit(events, owners, value_bins=8, gap_bins=12, least=least)


@pytest.fixture(scope="module")
def events():
    return toy(120, seed=1)[0].payload


@pytest.fixture(scope="module")
def tokeniser(events):
    return tokeniser_of(events)


def draw_at_random(tokeniser, n, seed, most=60):
    """Draw tokens that the grammar allows, all equally likely."""
    grammar, rng = Grammar(tokeniser), np.random.default_rng(seed)
    state, hours, record = grammar.start(n), np.zeros(n), _Record(tokeniser, n)
    for _ in range(most):
        mask = grammar.allowed(state)
        assert mask.any(axis=1).all()
        token = np.array([rng.choice(np.flatnonzero(row)) for row in mask])
        u = rng.random(n)
        hours = record.hours_after(token, hours, u)
        record.add(token, hours, u, np.ones(n, dtype=bool))
        state = grammar.step(state, token)
    return record.frame()


def test_the_grammar_accepts_every_training_history(events, tokeniser):
    told, grammar = tokeniser.encode(events), Grammar(tokeniser)
    assert sum(told.left_out.values()) == 0
    assert len(told.tokens) > len(events.frame)
    for start, stop in zip(told.offsets[:-1], told.offsets[1:], strict=True):
        state = grammar.start(1)
        for token in told.tokens[start:stop]:
            assert grammar.allowed(state)[0, token]
            state = grammar.step(state, np.array([token]))
        assert told.tokens[stop - 1] == END


def test_whatever_the_grammar_lets_through_breaks_no_rule(events, tokeniser):
    made = draw_at_random(tokeniser, 250, seed=0, most=40)
    rules = Rules.fit(events.frame)
    assert {"HOSPITAL_*"} == set(rules.opens.values()) == rules.exclusive
    assert made["code"].isin(["HOSPITAL_DISCHARGE"]).sum() > 8
    assert rules.violations(made) == dict.fromkeys(rules.violations(made), 0)
    Events(made, 250)  # times are in order


def test_tokens_come_back_as_the_events_that_they_tell(events, tokeniser):
    told = tokeniser.encode(events)
    record = _Record(tokeniser, len(events))
    for item, (start, stop) in enumerate(zip(told.offsets[:-1], told.offsets[1:], strict=True)):
        for k in range(start, stop):
            own = np.arange(len(events)) == item
            fill = [np.full(len(events), x) for x in (told.tokens[k], told.hours[k], 0.5)]
            record.add(*fill, own)
    made, real = record.frame(), events.frame.sort_values(["item", "hours", "code"])
    made = made.sort_values(["item", "hours", "code"])
    assert made["code"].tolist() == real["code"].tolist()
    assert np.allclose(made["hours"], real["hours"])
    error = (made["value"].to_numpy() - real["value"].to_numpy())[real["value"].notna()]
    assert 0 < np.abs(error).mean() < 0.15 * real["value"].std()


def test_a_code_of_few_subjects_comes_out_as_its_parent_only(events):
    frame = events.frame.copy()
    first = frame[frame["code"].str.startswith("DRUG")].drop_duplicates("item").index
    frame.loc[first[:3], "code"] = "DRUG//SECRET"
    frame.loc[first[3:8], "code"] = [f"DRUG//ODD{i}" for i in range(5)]
    tokeniser = tokeniser_of(Events(frame, len(events), events.units))
    assert "DRUG" in tokeniser.codes.names
    made = draw_at_random(tokeniser, 200, seed=1, most=30)
    assert "DRUG" in set(made["code"])
    assert not made["code"].str.contains("SECRET|ODD").any()


def test_a_saved_tokeniser_holds_no_rare_code_and_reads_the_same(events, tmp_path):
    frame = events.frame.copy()
    frame.loc[1, "code"] = "SYMPTOM//SECRET"
    changed = Events(frame, len(events), events.units)
    tokeniser = tokeniser_of(changed)
    with artifact.writing(tmp_path / "t", "events/test") as draft:
        tokeniser.write(draft)
    assert "SECRET" not in (tmp_path / "t" / "tokens.json").read_text()
    again = Tokeniser.read(artifact.reading(tmp_path / "t", "events/test"))
    assert np.array_equal(again.encode(changed).tokens, tokeniser.encode(changed).tokens)


def test_what_breaks_a_rule_is_left_out_and_counted(events, tokeniser):
    rows = [
        (0, 0.0, "VISIT//CLINIC", np.nan),
        (0, 1.0, "HOSPITAL_DISCHARGE", np.nan),
        (0, 5.0, "MEDS_DEATH", np.nan),
        (0, 5.5, "VISIT//CLINIC", np.nan),
        (0, 900.0, "VISIT//CLINIC", np.nan),
    ]
    told = tokeniser.encode(Events(pd.DataFrame(rows, columns=events.frame.columns), 1))
    assert told.left_out == {"after_death": 1, "unknown": 0, "repeated": 0, "unbalanced": 1}
    names = np.array(tokeniser.codes.names, dtype=object)
    codes = told.tokens[(told.tokens >= tokeniser.code_at) & (told.tokens < tokeniser.value_at)]
    assert names[codes - tokeniser.code_at].tolist() == ["VISIT//CLINIC"] * 2 + ["MEDS_DEATH"]


def test_too_few_subjects_for_any_code_is_an_error(events):
    with pytest.raises(FitError, match="enough subjects"):
        tokeniser_of(events.take(np.arange(3)))


def test_bins_keep_the_distribution_and_the_resolution():
    rng = np.random.default_rng(0)
    values = np.round(np.exp(rng.normal(size=4000)), 1)
    bins = Bins.fit(values, np.arange(4000), most=12, least=5)
    made = bins.decode(bins.encode(values), rng.random(4000))
    assert len(bins) == 12
    assert ks_2samp(values, made).statistic < 0.03
    assert np.allclose(made, np.round(made, 1))


def test_no_extreme_of_fewer_than_five_subjects_comes_out():
    values = np.r_[np.arange(100.0), 5000.0, 5000.0, 900.0]
    owners = np.r_[np.arange(100), 7, 8, 9]
    bins = Bins.fit(values, owners, most=12, least=5)
    assert bins.high == 98.0  # 99, 900 and 5000 twice are of four subjects
    assert bins.decode(bins.encode(values), np.full(103, 0.999)).max() <= 98.0
    assert Bins.fit(values, np.zeros(103, dtype=int), most=12, least=5) is None


@pytest.mark.parametrize(
    ("values", "step"),
    [([0.5, 1.0, 2.5], 0.5), ([10, 30, 250], 10), ([0.0, 0.0], 0), ([0.123456, 1.7], 0)],
)
def test_the_resolution_is_the_coarsest_step_that_fits(values, step):
    assert resolution(np.array(values, dtype=float)) == step


def test_rare_codes_climb_until_enough_subjects_stand_together():
    codes = pd.Series(["ICD//I501"] * 2 + ["ICD//I509"] * 3 + ["X//1"] * 2 + ["Y"] * 9)
    found = coarser(codes, np.arange(16), 5)
    assert found == {"ICD//I501": "ICD//I50", "ICD//I509": "ICD//I50", "X//1": "RARE"}
    assert ancestors("LAB//50912//mg/dL") == ["LAB//50912", "LAB"]


def test_after_the_end_there_is_nothing(tokeniser):
    grammar = Grammar(tokeniser)
    ended = grammar.step(grammar.start(1), np.array([END]))
    assert np.flatnonzero(grammar.allowed(ended)[0]).tolist() == [BEGIN]
