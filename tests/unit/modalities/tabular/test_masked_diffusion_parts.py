from functools import partial

import numpy as np
import pytest
import torch

from casemix.core.fields import Field, Kind
from casemix.core.progress import Progress
from casemix.core.training import TrainConfig, seeded
from casemix.modalities.tabular.masked.masking import MaskedLoss
from casemix.modalities.tabular.masked.network import MaskedNetwork
from casemix.modalities.tabular.masked.sampling import groups, log_probability, uncover
from casemix.modalities.tabular.masked.size import Size
from casemix.modalities.tabular.masked.stopping import stopped
from casemix.modalities.tabular.masked.tokens import MASKED, TokenColumn


@pytest.fixture(scope="module")
def told():
    """A network that finds column 0 from 1 less well than 1 from 0, and every row there is."""
    counts = [np.array([1.0, 0.0, 1.0, 1.0]), np.array([1.0, 0.0, 1.0])]  # none is masked
    places = [np.zeros(4), np.zeros(3)]
    net = seeded(3, lambda: MaskedNetwork(counts, places, hidden=8, layers=1))
    with torch.no_grad():
        net.head.normal_(generator=noise(0))
    return net.eval(), torch.cartesian_prod(torch.tensor([0, 2, 3]), torch.tensor([0, 2]))


def noise(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def lab():
    """A number with a common value, missing cells and a long right tail."""
    rng = np.random.default_rng(0)
    cells = np.round(np.exp(rng.normal(size=2000)), 2)
    cells[:300], cells[300:500] = 0.0, np.nan
    return cells, TokenColumn.fit(
        Field("lab", Kind.NUMERIC), cells, np.arange(2000), bins=16, rows_per_bin=20
    )


def test_missing_common_and_binned_numbers_come_back_in_their_token(lab):
    cells, column = lab
    tokens, _ = column.encode(cells)
    again = column.decode(tokens, np.full(len(cells), 0.5))
    assert np.array_equal(np.isnan(again), np.isnan(cells))
    assert np.array_equal(again[:300], cells[:300])
    back, _ = column.encode(again)
    assert np.mean(back == tokens) > 0.97  # rounding to two decimals crosses few borders
    assert MASKED not in tokens


def test_numbers_within_bins_follow_the_distribution(lab):
    cells, column = lab
    tokens, _ = column.encode(cells)
    again = column.decode(tokens, np.random.default_rng(1).random(len(cells)))
    shares = np.linspace(0.05, 0.95, 19)
    assert np.allclose(
        np.nanquantile(again, shares), np.nanquantile(cells, shares), rtol=0.06, atol=0.01
    )
    assert np.mean(again[500:] == cells[500:]) < 0.1


def test_bins_are_no_narrower_than_their_least_rows():
    cells = np.random.default_rng(0).normal(size=105)
    column = TokenColumn.fit(
        Field("x", Kind.NUMERIC), cells, np.arange(105), bins=48, rows_per_bin=20
    )
    assert column.counts[column.counts > 0].tolist() == [21] * 5


def test_levels_have_one_token_each_and_ordered_ones_a_place():
    stage = Field("stage", Kind.ORDINAL, levels=("I", "II", "III"))
    cells = np.array([0.0, 2.0, np.nan, 1.0])
    column = TokenColumn.fit(stage, cells, np.arange(4), bins=4, rows_per_bin=1)
    tokens, places = column.encode(np.array([0.0, 1.0, 2.0, np.nan]))
    assert len(set(tokens.tolist())) == 4
    assert places[0] < places[1] == 0 < places[2]
    assert np.array_equal(column.place_table()[tokens][:3, 0], places[:3])


def hidden(conditional=0, ordered=0.0, n=4000, d=6):
    rank = torch.arange(d).flip(0)  # sampling goes from the last column to the first
    loss = MaskedLoss(torch.zeros(0), torch.zeros(0), conditional, rank, ordered)
    return loss.hidden(n, torch.Generator().manual_seed(0)).numpy()


def test_the_number_of_hidden_cells_is_uniform_and_any_cell_is_as_often_hidden():
    mask = hidden()
    counts = np.bincount(mask.sum(axis=1), minlength=7)
    assert counts[0] == 0
    assert np.allclose(counts[1:] / 4000, 1 / 6, atol=0.002)
    assert np.allclose(mask.mean(axis=0), 3.5 / 6, atol=0.03)


def test_ordered_rows_hide_the_end_of_the_order_of_sampling():
    mask = hidden(ordered=1.0)
    assert (np.diff(mask.astype(int), axis=1) <= 0).all()
    assert mask[:, 0].all()


def test_half_of_the_rows_show_every_condition():
    mask = hidden(conditional=2)
    assert 0.5 < np.mean(~mask[:, :2].any(axis=1)) < 0.7
    assert mask[:, 2:].any(axis=1).mean() > 0.9
    assert mask.any(axis=1).all()


def test_columns_of_little_entropy_share_a_step():
    assert groups([0, 1, 2, 3], [1.0, 0.0, 0.1, 1.0], 2) == [[0, 1], [2, 3]]
    assert groups([3, 1, 0, 2], [0.0, 0.0, 0.0, 0.0], 4) == [[3], [1], [0], [2]]
    without_entropy = groups([2, 0, 1], [0.0, 0.0, 0.0], 2)
    assert sorted(j for columns in without_entropy for j in columns) == [0, 1, 2]


def test_an_untrained_network_draws_the_shares_of_the_tokens_and_keeps_given_cells():
    counts = [np.array([100.0, 0.0, 300.0, 600.0]), np.array([0.0, 0.0, 1.0, 0.0, 9.0])]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = MaskedNetwork(counts, [np.zeros(4), np.arange(5.0)], hidden=8, layers=1).eval()
    tokens = torch.full((5000, 2), MASKED)
    tokens[:100, 0] = 0
    uniform = torch.rand((5000, 4), generator=torch.Generator().manual_seed(0))
    tables = [torch.zeros(4, 9), torch.zeros(5, 9)]
    drawn = uncover(net, tokens, torch.zeros(5000, 2), uniform, [[1], [0]], tables).tokens.numpy()
    assert (drawn[:100, 0] == 0).all()
    assert np.allclose(np.bincount(drawn[100:, 0]) / 4900, [0.1, 0, 0.3, 0.6], atol=0.03)
    assert np.allclose(np.bincount(drawn[:, 1]) / 5000, [0, 0, 0.1, 0, 0.9], atol=0.02)


def test_rows_are_drawn_as_likely_as_the_network_says_and_weights_undo_the_known_cell(told):
    net, rows = told
    steps, tables, code = [[0], [1]], [torch.zeros(4, 9), torch.zeros(3, 9)], torch.tensor([3, 1])
    whole = log_probability(net, rows, torch.zeros(rows.shape), steps).exp()
    assert float(whole.sum()) == pytest.approx(1.0, abs=1e-6)
    start, uniform = torch.full((40_000, 2), MASKED), torch.rand((40_000, 4), generator=noise(1))
    none = torch.zeros(start.shape)
    drawn = uncover(net, start, none, uniform, steps, tables)
    which = torch.full((12,), -1).index_put((rows @ code,), torch.arange(6))[drawn.tokens @ code]
    assert np.allclose(torch.bincount(which) / len(which), whole, atol=0.008)
    assert torch.allclose(drawn.log_probability, whole.log()[which])
    start[:, 1] = 2
    around = uncover(net, start, none, uniform, steps, tables)
    weight = log_probability(net, around.tokens, none, steps) - around.log_probability
    first = around.tokens[:, 0]
    weighted = torch.bincount(first, weights=weight.exp())[[0, 2, 3]]
    expected = whole[1::2] / whole[1::2].sum()  # of the rows that have the known cell
    assert np.allclose(weighted / weighted.sum(), expected, atol=0.01)
    plain = torch.bincount(first)[[0, 2, 3]] / len(start)
    assert float((plain - expected).abs().sum()) > 0.05


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    seen = []

    def network(tokens, places, rows, targets, cells, keep):
        seen.extend(keep)
        return torch.zeros(sum(cells))

    loss = MaskedLoss(
        torch.zeros(2000, 3, dtype=torch.int64),
        torch.zeros(2000, 3),
        conditional=0,
        rank=torch.arange(3),
        ordered=0.0,
        dropout=0.2,
        widths=(4, 8),
    )
    loss(network, torch.arange(2000), torch.Generator().manual_seed(0))
    assert [tuple(keep.shape) for keep in seen] == [(2000, 4), (2000, 8)]
    for keep in seen:
        assert float((keep == 0).float().mean()) == pytest.approx(0.2, abs=0.02)
        assert float(keep.mean()) == pytest.approx(1.0, abs=0.03)


def test_dropped_units_do_not_speak():
    build = partial(MaskedNetwork, [np.full(4, 9.0)] * 2, [np.zeros(4)] * 2, hidden=8, layers=1)
    net = seeded(0, build).eval()
    rows = torch.tensor([[0, 2], [3, 0]]), torch.zeros(2, 2)
    free, all_kept = net.state(*rows), net.state(*rows, [torch.ones(2, 8), torch.ones(2, 16)])
    assert torch.equal(free, all_kept)
    nothing_read = net.state(*rows, [torch.zeros(2, 8), torch.ones(2, 16)])
    assert not torch.equal(free[0], free[1])
    assert torch.equal(nothing_read[0], nothing_read[1])


def test_fewer_rows_get_a_narrower_network_and_more_dropout():
    most = Size(hidden=256, layers=3, dropout=0.0)
    sizes = [Size.of(n, most) for n in (600, 1500, 4000, 8000)]
    assert sizes == sorted(sizes, key=lambda s: (s.hidden, s.layers, -s.dropout))
    assert sizes[-1] == most
    assert not most.widths  # nothing to drop
    assert Size.of(100, Size(hidden=16, layers=1, dropout=0.5)) == Size(16, 1, 0.5)


def best_steps(rows, subjects):
    """Return how many of 160 steps are best for the subjects left out."""
    counts = np.bincount(rows[:, 0], minlength=6).astype(float)
    tokens, rank = torch.from_numpy(rows), torch.arange(rows.shape[1])
    loss = MaskedLoss(tokens, torch.zeros(tokens.shape), 0, rank, ordered=0.0)
    along = [np.zeros(6)] * len(rank)
    build = partial(MaskedNetwork, [counts] * len(rank), along, hidden=48, layers=1)
    config = TrainConfig(steps=160, batch_size=64, learning_rate=1e-2, warmup=5, ema_decay=0.9)
    whose = np.array([f"p{i}" for i in subjects])
    done = partial(seeded, 0, build)
    return stopped(done, loss, whose, config, seed=0, progress=Progress()).steps


def test_training_is_longer_where_there_is_more_to_learn():
    a, b = np.random.default_rng(0).integers(2, 6, (2, 400))
    rule = np.stack([a, b, 2 + (a + b) % 4], axis=1)
    assert best_steps(rule, np.arange(400)) == 160


def test_rows_that_only_their_own_subject_repeats_are_not_learnt_by_heart():
    noise = np.random.default_rng(0).integers(2, 6, (50, 6))
    assert best_steps(noise.repeat(8, axis=0), np.arange(50).repeat(8)) == 40
    assert best_steps(noise.repeat(8, axis=0), np.arange(400)) == 160  # as if others had them


def test_few_rows_are_learnt_for_the_shortest_time():
    noise = np.random.default_rng(0).integers(2, 6, (60, 3))
    assert best_steps(noise, np.arange(60)) == 40
