"""After the fit: codes and times come as often as in the training histories.

A network that is trained with hidden units and context left out, and used with all of them, gave
codes less and ends of times and of histories more than their share. Where histories are many, each
token's chance, read along them, is brought to its share there, and then the end's chance to where
drawn histories have as many times as those.

A network of few subjects errs towards short histories and torn panels. What it draws is compared
with what it learnt from, and the chances of codes and of the end are shifted by the difference: one
number per code, so that nothing of a single subject is learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import torch
from scipy.optimize import root_scalar

from casemix.core import seeding
from casemix.core.progress import Progress
from casemix.modalities.events.batches import IGNORED, Batches
from casemix.modalities.events.decode import Decoding, draw
from casemix.modalities.events.event_network import EventNetwork
from casemix.modalities.events.fitting import Histories
from casemix.modalities.events.grammar import Grammar
from casemix.modalities.events.stream_settings import StreamSettings
from casemix.modalities.events.tokens import END, Tokeniser

_MOST = 1.0  # change of a log odds in one round
_MANY = 1000  # histories from which on chances are fitted along them, not by drawing
_MOST_OF_END, _NEAR = 2.0, 0.02  # change of the end's log odds, and how exactly it is found
_READINGS, _MOST_READ = 6, 80  # rounds along training histories, and batches of each


@dataclass(frozen=True)
class Amounts:
    """How much is recorded.

    Args:
        having: histories with each code, (codes,).
        times: times over all histories.
        n: histories.
    """

    having: np.ndarray
    times: int
    n: int

    @classmethod
    def of(cls, item: np.ndarray, code: np.ndarray, times: int, n: int, codes: int) -> Self:
        """Count codes, integers (t,), of histories ``item``, (t,)."""
        pairs = np.unique(item * codes + code)
        return cls(np.bincount(pairs % codes, minlength=codes), times, n)

    @property
    def log_odds(self) -> np.ndarray:
        """Log odds of the share of histories with each code, (codes,)."""
        return np.asarray(np.log((self.having + 0.5) / (self.n - self.having + 0.5)))

    @property
    def variance(self) -> np.ndarray:
        """Sampling variance of ``log_odds``, (codes,)."""
        return np.asarray(1 / (self.having + 0.5) + 1 / (self.n - self.having + 0.5))


def calibrate(
    network: EventNetwork,
    tokeniser: Tokeniser,
    histories: Histories,
    settings: StreamSettings,
    *,
    seed: int,
) -> None:
    """Shift how usual tokens are, in place; of few histories, in ``settings.calibrations`` rounds.

    With 2,500 histories rounds of drawing were worse for codes: pairs R2 .955 instead of .979.
    """
    if settings.calibrations and len(histories.owners) >= _MANY:
        everyone = np.ones(len(histories.owners), dtype=bool)
        fit_usual(network, histories.batches(everyone, settings, seed), tokeniser)
        fit_length(network, tokeniser, histories, settings, seed=seed)
        return
    wanted = _told(histories, tokeniser)
    codes = slice(tokeniser.code_at, tokeniser.value_at)
    for k in range(settings.calibrations):
        drawn = _drawn(network, tokeniser, histories, settings, seeding.child(seed, "round", k))
        gap = wanted.log_odds - drawn.log_odds
        # What chance alone may have done is left as it is.
        shift = np.clip(gap**3 / (gap**2 + drawn.variance), -_MOST, _MOST)
        longer = np.log(wanted.times / wanted.n) - np.log(max(drawn.times, 1) / drawn.n)
        network.order.usual[codes] += torch.from_numpy(shift).float()
        network.order.usual[END] -= float(np.clip(longer, -_MOST, _MOST))


def fit_usual(network: EventNetwork, batches: Batches, tokeniser: Tokeniser) -> None:
    """Shift how usual tokens but values are, until they are expected as often as they come.

    Args:
        network: read without dropout; changed in place.
        batches: training histories, of which at most 80 batches are read.
        tokeniser: of the histories.
    """
    network.eval()
    some = range(0, len(batches), -(-len(batches) // _MOST_READ))
    tokens = torch.cat([batches.tokens[i][batches.tokens[i] != IGNORED] for i in some])
    come = torch.bincount(tokens, minlength=len(tokeniser))
    for _ in range(_READINGS):
        with torch.no_grad():
            expected = torch.stack([_expected(network, batches, i) for i in some]).sum(dim=0)
        shift = torch.log((come + 0.5) / (expected + 0.5)).clamp(-_MOST, _MOST)
        network.order.usual[: tokeniser.value_at] += shift[: tokeniser.value_at]


def fit_length(
    network: EventNetwork,
    tokeniser: Tokeniser,
    histories: Histories,
    settings: StreamSettings,
    *,
    seed: int,
) -> None:
    """Shift how usual the end is, in place, until drawn histories have as many times as real ones.

    Brent's method; each trial draws with the same random numbers.
    """
    told, usual = _told(histories, tokeniser), float(network.order.usual[END])

    @cache
    def longer(shift: float) -> float:
        network.order.usual[END] = usual + shift
        drawn = _drawn(network, tokeniser, histories, settings, seed)
        return float(np.log(max(drawn.times, 1) / drawn.n) - np.log(told.times / told.n))

    if longer(-_MOST_OF_END) < 0:
        shift = -_MOST_OF_END
    elif longer(_MOST_OF_END) > 0:
        shift = _MOST_OF_END
    else:
        shift = root_scalar(
            longer, bracket=(-_MOST_OF_END, _MOST_OF_END), method="brentq", xtol=_NEAR
        ).root
    network.order.usual[END] = usual + shift


def _expected(network: EventNetwork, batches: Batches, i: int) -> torch.Tensor:
    """Return how often each token is expected along a batch of histories, (v,)."""
    tokens = batches.tokens[i]
    logits = network.logits(tokens, batches.hours[i], batches.features[batches.rows[i]])
    return logits.softmax(dim=-1)[tokens != IGNORED].sum(dim=0)


def _told(histories: Histories, tokeniser: Tokeniser) -> Amounts:
    told = histories.told
    n = len(told.offsets) - 1
    item, code = np.repeat(np.arange(n), np.diff(told.offsets)), told.tokens - tokeniser.code_at
    rows = (code >= 0) & (told.tokens < tokeniser.value_at)
    times = int(((told.tokens >= tokeniser.first_at) & (code < 0)).sum())
    return Amounts.of(item[rows], code[rows], times, n, len(tokeniser.codes.names))


def _drawn(
    network: EventNetwork,
    tokeniser: Tokeniser,
    histories: Histories,
    settings: StreamSettings,
    seed: int,
) -> Amounts:
    """Return the amounts of two batches of histories, drawn for the training context."""
    n = 2 * settings.batch
    count = len(histories.features)
    # Of all of them, since they may be sorted by time; of few, each several times.
    rows = seeding.generator(seed, "context").permutation(max(n, count))[:n] % count
    decoding = Decoding(settings.temperature, settings.longest, settings.batch)
    ids = [f"calibration-{i}" for i in range(n)]
    with torch.inference_mode(), Progress().step("", n) as bar:
        frame = draw(
            network.eval(),
            Grammar(tokeniser),
            histories.features[rows],
            decoding,
            ids=ids,
            seed=seed,
            bar=bar,
        )
    number = {name: i for i, name in enumerate(tokeniser.codes.names)}
    code, times = frame["code"].map(number), frame[["item", "hours"]].drop_duplicates()
    return Amounts.of(frame["item"].to_numpy(), code.to_numpy(), len(times), n, len(number))
