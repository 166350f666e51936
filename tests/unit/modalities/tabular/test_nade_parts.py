import itertools
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from casemix.core.fields import Field, Kind, Schema
from casemix.core.progress import Step
from casemix.core.training import seeded
from casemix.modalities.tabular.masked.table import TokenTable
from casemix.modalities.tabular.nade.build import network
from casemix.modalities.tabular.nade.critic import (
    SILENT,
    Contrast,
    Critic,
    CriticConfig,
    fit_critic,
    joined_trees,
)
from casemix.modalities.tabular.nade.drawing import Drawing, Member
from casemix.modalities.tabular.nade.known_cells import KnownCells
from casemix.modalities.tabular.nade.network import Keep, Nade
from casemix.modalities.tabular.nade.pairs import PairLogOdds
from casemix.modalities.tabular.sequential.column import ATOM

SIZES = (3, 2, 4)
ROWS = torch.tensor(list(itertools.product(*map(range, SIZES))))  # every row there is, (24, 3)


@pytest.fixture(scope="module", params=[(0, 1, 2), (2, 0, 1)], ids=str)
def net(request):
    made = seeded(0, partial(_untrained, request.param)).eval()
    with torch.no_grad():  # an untrained network says nothing but the marginals
        made.head.normal_(generator=torch.Generator().manual_seed(0))
    made.count_pairs(ROWS.numpy()[::3], np.arange(8))
    return made


def _untrained(order, dropout=0.0):
    counts = [np.arange(1.0, size + 1) for size in SIZES]
    places = [np.linspace(-1, 1, size) for size in SIZES]
    return Nade(counts, places, order, hidden=16, inner=8, dropout=dropout, paired=[0, 2])


def log_probability(net, known):
    with torch.no_grad():
        return -net(ROWS, known.expand(ROWS.shape)).double().sum(1)


def test_the_probabilities_of_all_rows_sum_to_one(net):
    found = log_probability(net, torch.tensor([False, False, False])).exp()
    assert float(found.sum()) == pytest.approx(1.0, abs=1e-5)


def test_rows_are_drawn_with_the_probability_that_the_network_gives_them(net):
    n = 40_000
    u = torch.from_numpy(np.random.default_rng(0).random((n, 3)))
    nothing = torch.zeros(n, 3, dtype=torch.bool)
    drawn = net.draw(torch.ones(n, 3, dtype=torch.long), nothing, u)
    code = drawn[:, 0] * 8 + drawn[:, 1] * 4 + drawn[:, 2]
    share = torch.bincount(code, minlength=24) / n
    expected = log_probability(net, nothing[0]).exp()
    assert np.allclose(share, expected, atol=0.008)


def test_rows_are_drawn_from_the_mixture_of_thinned_networks(net):
    n, masks = 40_000, 16
    rng = np.random.default_rng(1)
    thin = seeded(1, partial(_untrained, net.order.tolist(), dropout=0.5)).eval()
    thin.load_state_dict(net.state_dict())
    own = thin.kept(torch.from_numpy(rng.random((masks, sum(thin.widths)))))
    which = torch.arange(n) % masks
    nothing = torch.zeros(n, 3, dtype=torch.bool)
    start = torch.ones(n, 3, dtype=torch.long), nothing, torch.from_numpy(rng.random((n, 3)))
    drawn = thin.draw(*start, Keep(own.hidden[which], own.inner[which]))
    share = torch.bincount(drawn @ torch.tensor([8, 4, 1]), minlength=24) / n
    with torch.no_grad():
        single = [
            -thin(ROWS, nothing[:24], Keep(*(x[k].expand(24, -1) for x in own))).sum(1)
            for k in range(masks)
        ]
    expected = torch.stack(single).double().exp().mean(0)
    assert np.allclose(share, expected, atol=0.008)
    assert float((expected - log_probability(thin, nothing[0]).exp()).abs().sum()) > 0.03


def test_what_a_family_has_learnt_speaks_for_a_token_without_rows():
    families = [np.array([[1], [1], [2], [2]]), np.zeros((2, 1), dtype=np.int64)]
    rows = torch.tensor([[0, 0], [2, 1]]).repeat(64, 1)  # tokens 1 and 3 are never seen
    counts, places = [np.ones(4), np.ones(2)], [np.zeros(4), np.zeros(2)]
    made = seeded(0, lambda: Nade(counts, places, (0, 1), hidden=8, inner=8, families=families))
    steps = torch.optim.AdamW(made.parameters(), lr=0.02)
    for _ in range(100):
        steps.zero_grad()
        made(rows, torch.zeros_like(rows, dtype=torch.bool)).mean().backward()
        steps.step()
    akin = torch.tensor([[1, 0], [3, 1]])
    with torch.no_grad():
        losses = made(akin, torch.zeros_like(akin, dtype=torch.bool))[:, 1]
    assert float(losses.max()) < 0.2


def test_a_known_last_cell_speaks_to_the_first_one_and_an_unknown_one_does_not(net):
    first, last = net.order[0], net.order[-1]
    two = ROWS[:, last] == 0, ROWS[:, last] == 1
    for speaks in (True, False):
        known = torch.zeros(ROWS.shape, dtype=torch.bool)
        known[:, last] = speaks
        with torch.no_grad():
            losses = net(ROWS, known)[:, first]
        assert torch.allclose(losses[two[0]], losses[two[1]]) is not speaks


def test_weighted_draws_around_a_known_cell_are_rows_of_the_whole_that_have_it(net):
    last, n = int(net.order[-1]), 2000
    known = torch.zeros(n, 3, dtype=torch.bool)
    known[:, last] = True
    tokens = torch.ones(n, 3, dtype=torch.long)
    ids = [str(i) for i in range(n)]
    whole = log_probability(net, torch.zeros(3, dtype=torch.bool)).exp() * (ROWS[:, last] == 1)
    expected = (whole / whole.sum())[whole > 0]
    code = ROWS @ torch.tensor([8, 4, 1])
    error = []
    for candidates in (1, 40):
        drawn = Drawing([Member(net, SILENT)], candidates, 1000, 0).rows(tokens, known, ids, Step())
        found = torch.from_numpy(drawn) @ torch.tensor([8, 4, 1])
        share = torch.stack([(found == c).float().mean() for c in code[whole > 0]])
        error.append(float((share - expected).abs().sum()))
    assert error[1] < 0.15
    assert error[0] > 4 * error[1]


def test_known_cells_are_not_judged_and_whole_rows_have_none(net):
    loss = KnownCells(ROWS, 0.5, net)
    known = loss.known(4000, torch.Generator().manual_seed(0))
    assert 0.5 < float((~known.any(dim=1)).float().mean()) < 0.9
    assert float(known.float().mean()) == pytest.approx(0.5 / 3, abs=0.02)


def test_flat_trees_say_what_scikit_learn_says():
    rng = np.random.default_rng(0)
    rows, label = rng.integers(0, 9, size=(600, 4)).astype(float), rng.integers(0, 2, size=600)
    trees = HistGradientBoostingClassifier(max_iter=12, early_stopping=False).fit(rows, label)
    nodes = [of_step[0].nodes for of_step in trees._predictors]
    flat = joined_trees(nodes, scale=1.0).log_ratio(rows)
    assert np.allclose(flat + trees._baseline_prediction.item(), trees.decision_function(rows))


def test_the_critic_finds_the_log_density_ratio():
    rng = np.random.default_rng(0)
    learnt, unseen = (
        Contrast(rng.normal(0.5, 1, size=(n, 3)), rng.normal(0, 1, size=(3 * n, 3)))
        for n in (2500, 800)
    )
    critic = fit_critic(learnt, unseen, CriticConfig(trees=40, leaves=8), seed=0)
    at = rng.normal(size=(500, 3))
    truth = (0.5 * at - 0.125).sum(axis=1)
    assert np.corrcoef(critic.log_ratio(at), truth)[0, 1] > 0.9
    assert np.polyfit(truth, critic.log_ratio(at), 1)[0] == pytest.approx(1, abs=0.25)


def test_what_unseen_subjects_show_sets_how_strongly_the_critic_speaks():
    rng = np.random.default_rng(0)

    def contrast(n, shift):
        return Contrast(rng.normal(shift, 1, size=(n, 3)), rng.normal(0, 1, size=(3 * n, 3)))

    config, at = CriticConfig(trees=40, leaves=8), rng.normal(size=(500, 3))
    shy, told = (
        fit_critic(contrast(2500, 0.2), contrast(2500, unseen), config, seed=0).log_ratio(at)
        for unseen in (0.2, 0.5)
    )
    assert told.std() > 1.6 * shy.std()


def test_a_critic_that_unseen_subjects_do_not_bear_out_says_nothing():
    rng = np.random.default_rng(0)
    own = rng.normal(size=(40, 3)).repeat(20, axis=0)  # every subject's rows are alike: a trap
    learnt = Contrast(own, rng.normal(size=(2400, 3)))
    unseen = Contrast(rng.normal(size=(800, 3)), rng.normal(size=(2400, 3)))
    critic = fit_critic(learnt, unseen, CriticConfig(trees=40, leaves=8), seed=0)
    assert np.std(critic.log_ratio(own)) < 0.15


def test_candidates_are_chosen_in_proportion_to_the_density_ratio(net):
    threefold = Critic(
        feature=np.array([1, -1, -1], dtype=np.int32),
        threshold=np.array([0.5, 0.0, 0.0]),
        left=np.array([1, 0, 0], dtype=np.int32),
        right=np.array([2, 0, 0], dtype=np.int32),
        value=np.array([0.0, 0.0, np.log(3.0)]),
        roots=np.array([0], dtype=np.int32),
    )
    n = 3000
    start = torch.ones(n, 3, dtype=torch.long), torch.zeros(n, 3, dtype=torch.bool)
    ids = [str(i) for i in range(n)]
    plain, chosen = (
        Drawing([Member(net, critic)], 30, 500, seed=0).rows(*start, ids, Step())[:, 1].mean()
        for critic in (SILENT, threefold)
    )
    assert chosen == pytest.approx(3 * plain / (3 * plain + 1 - plain), abs=0.03)


def test_pairs_that_never_meet_are_unlikely_and_a_subject_counts_once():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, size=(4000, 2))
    codes = codes[codes[:, 0] != codes[:, 1]]
    alone = np.repeat([[0, 0]], 500, axis=0)  # one subject's rows
    rows = np.concatenate([codes, alone])
    subjects = np.append(np.arange(len(codes)), np.full(500, len(codes)))
    pairs = PairLogOdds([4, 4], [0, 1])
    pairs.count(rows, subjects)
    every = torch.arange(4)[:, None].expand(4, 2)
    (found,) = pairs.of(1, every, torch.zeros(4, 2, dtype=torch.bool))
    assert float(found.diagonal().max()) < -3
    others = found[~torch.eye(4, dtype=torch.bool)]
    assert torch.allclose(others, torch.tensor(np.log(4 / 3), dtype=torch.float32), atol=0.15)


def test_levels_that_begin_alike_are_of_one_family():
    levels = tuple(sorted(["250.1", "250.2", "25", "401", *(f"V{i:02}" for i in range(14))]))
    field = Field("diagnosis", Kind.CATEGORICAL, levels=levels)
    cells = np.repeat(np.arange(len(levels), dtype=float), 3)[:, None]
    table = TokenTable.fit(
        cells, np.arange(len(cells)), Schema((field,)), 0, bins=4, rows_per_bin=5
    )
    families = network(table, 0, (8, 4), 0.0).families.numpy()
    own = dict(zip(levels, families[ATOM:], strict=True))
    assert own["250.1"].tolist() == own["250.2"].tolist()
    assert own["25"].tolist() == [*own["250.1"][:2], 0]
    assert not set(own["401"]) & set(own["250.1"])
    assert not families[:ATOM].any()
