from __future__ import annotations

import numpy as np
import pytest
import torch

from casemix.core.training import seeded
from casemix.modalities.timeseries.patches import PatchCoder, patch_length
from casemix.modalities.timeseries.recurrent import (
    Past,
    RecurrentSeries,
    mixture_draw,
    mixture_nll,
    past_of,
)


def small() -> tuple[RecurrentSeries, torch.Tensor, torch.Tensor, torch.Tensor]:
    net = seeded(0, lambda: RecurrentSeries(3, 7, 2, hidden=8, parts=2)).eval()
    for head in (net.seen_head, net.score_head):
        torch.nn.init.ones_(head.from_entries)  # so that a leak between channels would show
    g = torch.Generator().manual_seed(0)
    seen = (torch.rand((4, 7, 3), generator=g) > 0.4).float()
    scores = torch.randn((4, 7, 3), generator=g) * seen
    return net, scores, seen, torch.randn((4, 2), generator=g)


def test_what_lies_before_a_time():
    scores = torch.tensor([[[5.0], [0.0], [0.0], [7.0]]])
    past = past_of(scores, torch.tensor([[[1.0], [0.0], [0.0], [1.0]]]))
    assert past.last.flatten().tolist() == [0, 5, 5, 5]
    assert past.seen.flatten().tolist() == [0, 1, 0, 0]
    assert torch.expm1(past.age).flatten().tolist() == pytest.approx([0, 0, 1, 2])


@torch.no_grad()
def test_no_output_sees_its_own_cell_or_a_later_one():
    net, scores, seen, context = small()
    logits, mixtures = net(scores, seen, context)
    other_seen, other_scores = seen.clone(), scores.clone()
    other_seen[:, 4, 1] = 1 - other_seen[:, 4, 1]
    other_scores[:, 4, 1] += 3.0
    new_logits, _ = net(scores, other_seen, context)
    _, new_mixtures = net(other_scores * other_seen.maximum(seen), seen, context)
    assert torch.equal(new_logits[:, :4], logits[:, :4])
    assert torch.equal(new_logits[:, 4, :2], logits[:, 4, :2])
    assert not torch.equal(new_logits[:, 4, 2], logits[:, 4, 2])
    assert torch.equal(new_mixtures[:, 4, :2], mixtures[:, 4, :2])
    assert not torch.equal(new_mixtures[:, 5], mixtures[:, 5])


@torch.no_grad()
def test_one_time_at_a_time_is_the_same_as_all_at_once():
    net, scores, seen, context = small()
    logits, mixtures = net(scores, seen, context)
    past, memory = past_of(scores, seen), None
    for t in range(7):
        here = Past(*(v[:, t : t + 1] for v in (past.last, past.age, past.seen)))
        state, memory = net.step(here, context, t, memory)
        now = slice(t, t + 1)
        assert torch.allclose(net.seen_logits(state, seen[:, now]), logits[:, now], atol=1e-5)
        found = net.mixtures(state, scores[:, now], seen[:, now], here.last)
        assert torch.allclose(found, mixtures[:, now], atol=1e-5)


def test_draws_from_a_mixture_have_its_density():
    mixture = torch.tensor([np.log(0.3), np.log(0.7), -2.0, 1.0, np.log(0.5), np.log(0.2)])
    g = torch.Generator().manual_seed(0)
    many = mixture.expand(20000, 6).float()
    u, z = torch.rand(20000, generator=g), torch.randn(20000, generator=g)
    drawn = mixture_draw(many, u, z)
    assert float((drawn < 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert float(drawn.mean()) == pytest.approx(0.1, abs=0.05)
    grid = torch.linspace(-6, 4, 5001)
    density = torch.exp(-mixture_nll(mixture.float().expand(5001, 6), grid))
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("times", [1, 5, 48, 1000])
def test_patches_come_back_whatever_the_length(times):
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(times)[None, :, None] * 0.05 + rng.uniform(0, 6, size=(30, 1, 1)))
    series = (wave * np.array([1.0, -0.5, 2.0])).astype(np.float32)
    coder = PatchCoder.fit(series)
    encoded = coder.encode(series)
    assert encoded.shape == (30, coder.count, coder.width)
    assert coder.width <= 3 * patch_length(times)
    again = coder.decode(encoded)
    assert again.shape == series.shape
    assert np.square(again - series).mean() < 0.01 * series.var() + 1e-9
