import itertools
from functools import partial

import numpy as np
import pytest
import torch

from casemix.core.fields import Field, Kind, Schema
from casemix.core.progress import Step
from casemix.core.training import seeded
from casemix.modalities.tabular.candidates import Draws
from casemix.modalities.tabular.masked.table import TokenTable
from casemix.modalities.tabular.nade.build import Size, network
from casemix.modalities.tabular.nade.drawing import drawn, needs_several
from casemix.modalities.tabular.nade.ensemble import Ensemble
from casemix.modalities.tabular.nade.known_cells import KnownCells
from casemix.modalities.tabular.nade.network import NOTHING_DROPPED, Keep, Nade
from casemix.modalities.tabular.nade.pairs import PairLogOdds
from casemix.modalities.tabular.sequential.column import ATOM

SIZES = (3, 2, 4)
ROWS = torch.tensor(list(itertools.product(*map(range, SIZES))))  # every row there is, (24, 3)
CODE = torch.tensor([8, 4, 1])  # numbers them


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


def rows_of(ensembles, tokens, known, candidates):
    ids = [str(i) for i in range(len(tokens))]
    draws = Draws(ids, needs_several(ensembles, known), candidates, 256, seed=0)
    return drawn(ensembles, tokens, known, draws, Step())


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
    start = torch.ones(n, 3, dtype=torch.long), nothing, u
    made = Ensemble([net]).draw(*start, [NOTHING_DROPPED])
    share = torch.bincount(made @ CODE, minlength=24) / n
    expected = log_probability(net, nothing[0]).exp()
    assert np.allclose(share, expected, atol=0.008)


def test_rows_of_several_networks_are_drawn_from_the_mean_of_each_cell(net):
    n, keeps = 40_000, [NOTHING_DROPPED] * 2
    other = seeded(0, partial(_untrained, net.order.tolist())).eval()
    with torch.no_grad():
        other.head.normal_(std=3.0, generator=torch.Generator().manual_seed(1))
    both = Ensemble([net, other])
    u = torch.from_numpy(np.random.default_rng(2).random((n, 3)))
    nothing = torch.zeros(n, 3, dtype=torch.bool)
    made = both.draw(torch.ones(n, 3, dtype=torch.long), nothing, u, keeps)
    share = torch.bincount(made @ CODE, minlength=24) / n
    with torch.no_grad():
        cells = torch.stack([-one(ROWS, nothing[:24]) for one in both.nets]).double().exp().mean(0)
    expected = cells.prod(dim=1)
    assert np.allclose(share, expected, atol=0.008)
    found = both.log_probability(ROWS, nothing[:24], keeps).exp()
    assert np.allclose(found.detach(), expected, atol=1e-6)
    alone = [log_probability(one, nothing[0]).exp() for one in both.nets]
    assert float((expected - sum(alone) / 2).abs().sum()) > 0.03  # not a mixture of rows


def test_rows_are_drawn_from_the_mixture_of_thinned_networks(net):
    n, masks = 40_000, 16
    rng = np.random.default_rng(1)
    thin = seeded(1, partial(_untrained, net.order.tolist(), dropout=0.5)).eval()
    thin.load_state_dict(net.state_dict())
    own = thin.kept(torch.from_numpy(rng.random((masks, sum(thin.widths)))))
    which = torch.arange(n) % masks
    nothing = torch.zeros(n, 3, dtype=torch.bool)
    start = torch.ones(n, 3, dtype=torch.long), nothing, torch.from_numpy(rng.random((n, 3)))
    made = Ensemble([thin]).draw(*start, [Keep(own.hidden[which], own.inner[which])])
    share = torch.bincount(made @ CODE, minlength=24) / n
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
    whole = log_probability(net, torch.zeros(3, dtype=torch.bool)).exp() * (ROWS[:, last] == 1)
    expected = (whole / whole.sum())[whole > 0]
    code = ROWS @ CODE
    error = []
    for candidates in (1, 40):
        found = torch.from_numpy(rows_of([Ensemble([net])], tokens, known, candidates)) @ CODE
        share = torch.stack([(found == c).float().mean() for c in code[whole > 0]])
        error.append(float((share - expected).abs().sum()))
    assert error[1] < 0.15
    assert error[0] > 4 * error[1]


def test_known_cells_are_not_judged_and_whole_rows_have_none(net):
    loss = KnownCells(ROWS, 0.5, net)
    known = loss.known(4000, torch.Generator().manual_seed(0))
    assert 0.5 < float((~known.any(dim=1)).float().mean()) < 0.9
    assert float(known.float().mean()) == pytest.approx(0.5 / 3, abs=0.02)


def test_networks_take_turns_and_rows_that_need_one_candidate_do_not_see_the_others(net):
    n, late = 3000, int(net.order[-1])
    ensembles = []
    for token in (0, 1):
        sure = seeded(0, partial(_untrained, net.order.tolist())).eval()
        with torch.no_grad():
            sure.bias[sure.first[0] + token] = 30.0
        ensembles.append(Ensemble([sure]))
    known = torch.zeros(n, 3, dtype=torch.bool)
    tokens = torch.ones(n, 3, dtype=torch.long)
    alone = rows_of(ensembles, tokens, known, 4)
    assert alone[:, net.order[0]].mean() == pytest.approx(0.5, abs=0.04)
    known[::2, late] = True
    mixed = rows_of(ensembles, tokens, known, 4)
    assert (mixed[1::2] == alone[1::2]).all()
    assert (mixed[::2, late] == 1).all()


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
    families = network(table, 0, Size(8, 4, 0.0)).families.numpy()
    own = dict(zip(levels, families[ATOM:], strict=True))
    assert own["250.1"].tolist() == own["250.2"].tolist()
    assert own["25"].tolist() == [*own["250.1"][:2], 0]
    assert not set(own["401"]) & set(own["250.1"])
    assert not families[:ATOM].any()
