import itertools

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from casemix.core.progress import Progress
from casemix.core.training import seeded
from casemix.modalities.tabular.nade.critic import Critic, CriticConfig, fit_critic, joined_trees
from casemix.modalities.tabular.nade.drawing import Drawing
from casemix.modalities.tabular.nade.known_cells import KnownCells
from casemix.modalities.tabular.nade.network import Keep, Nade
from casemix.modalities.tabular.nade.pairs import PairLogOdds

SIZES = (3, 2, 4)
ROWS = torch.tensor(list(itertools.product(*map(range, SIZES))))  # every row there is, (24, 3)
ALL = Keep(torch.ones(len(ROWS), 16), torch.ones(len(ROWS), 8))


@pytest.fixture(scope="module")
def net():
    counts = [np.arange(1.0, size + 1) for size in SIZES]
    places = [np.linspace(-1, 1, size) for size in SIZES]
    made = seeded(0, lambda: Nade(counts, places, hidden=16, inner=8, paired=[0, 2])).eval()
    with torch.no_grad():  # an untrained network says nothing but the marginals
        made.head.normal_(generator=torch.Generator().manual_seed(0))
    made.pairs.count(ROWS.numpy()[::3], np.arange(8))
    return made


def log_probability(net, known):
    with torch.no_grad():
        return -net(ROWS, known.expand(ROWS.shape), ALL).double().sum(1)


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


def test_a_known_last_cell_speaks_to_the_first_one_and_an_unknown_one_does_not(net):
    first_two = ROWS[:, 2] == 0, ROWS[:, 2] == 3
    for known, speaks in (([False, False, True], True), ([False, False, False], False)):
        with torch.no_grad():
            losses = net(ROWS, torch.tensor(known).expand(ROWS.shape), ALL)[:, 0]
        assert torch.allclose(losses[first_two[0]], losses[first_two[1]]) is not speaks


def test_known_cells_are_not_judged_and_whole_rows_have_none():
    loss = KnownCells(ROWS, 0.5, 0.1, (16, 8))
    known = loss.known(4000, torch.Generator().manual_seed(0))
    assert 0.5 < float((~known.any(dim=1)).float().mean()) < 0.9
    assert float(known.float().mean()) == pytest.approx(0.5 / 3, abs=0.02)


def test_flat_trees_say_what_scikit_learn_says():
    rng = np.random.default_rng(0)
    rows, label = rng.integers(0, 9, size=(600, 4)).astype(float), rng.integers(0, 2, size=600)
    trees = HistGradientBoostingClassifier(max_iter=12, early_stopping=False).fit(rows, label)
    nodes = [of_step[0].nodes for of_step in trees._predictors]
    flat = joined_trees(nodes, parts=1).log_ratio(rows)
    assert np.allclose(flat + trees._baseline_prediction.item(), trees.decision_function(rows))


def test_the_critic_finds_the_log_density_ratio():
    rng = np.random.default_rng(0)
    real, drawn = rng.normal(0.5, 1, size=(3000, 3)), rng.normal(0, 1, size=(9000, 3))
    config = CriticConfig(trees=40, leaves=8)
    critic = fit_critic(real, drawn, np.arange(3000), config, seed=0)
    at = rng.normal(size=(500, 3))
    truth = (0.5 * at - 0.125).sum(axis=1)
    assert np.corrcoef(critic.log_ratio(at), truth)[0, 1] > 0.9


def test_a_critic_that_held_out_subjects_do_not_bear_out_says_nothing():
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(40), 20)
    own = rng.normal(size=(40, 3))[subjects]  # every subject's rows are alike: a trap
    config = CriticConfig(trees=40, leaves=8)
    critic = fit_critic(own, rng.normal(size=(2400, 3)), subjects, config, seed=0)
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
        Drawing(net, critic, 30, 500, seed=0).rows(*start, ids, Progress())[:, 1].mean()
        for critic in (None, threefold)
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
