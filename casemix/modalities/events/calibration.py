"""After the fit: codes and times come as often as in the training histories.

A network that is trained with hidden units and context left out, and used with all of them, may
give tokens more or less than their share. Where histories are many, each token's chance, read along
them, is brought to its share there.

A network of few subjects errs towards short histories and torn panels. What it draws is compared
with what it learnt from, and the chances of codes and of the end are shifted by the difference: one
number per code, so that nothing of a single subject is learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

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
_READINGS, _MOST_READ = 3, 400  # rounds along training histories, and batches of each
_PRIOR = 4.0  # a token that comes as often as this moves half way


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
        batches = histories.batches(read_at_random(histories, settings, seed), settings, seed)
        fit_usual(network, batches, tokeniser)
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


def read_at_random(histories: Histories, settings: StreamSettings, seed: int) -> np.ndarray:
    """Return which histories are read, bool (n,): at random, at most about 400 batches.

    Batches hold histories of similar length, so that every tenth batch gave too many ends.
    """
    tokens = np.minimum(np.diff(histories.told.offsets), settings.longest).sum()
    share = _MOST_READ * settings.budget / max(tokens, 1)
    drawn = seeding.generator(seed, "read").random(len(histories.owners)) < share
    return np.asarray(drawn)


def fit_usual(network: EventNetwork, batches: Batches, tokeniser: Tokeniser) -> None:
    """Shift how usual tokens but values are, until they are expected as often as they come.

    Newton's method, token by token. What chance may have done to single codes is mended as well:
    left as it is, many rare codes together were told too seldom.

    Args:
        network: read without dropout; changed in place.
        batches: training histories.
        tokeniser: of the histories.
    """
    network.eval()
    rows = slice(tokeniser.value_at)
    come, moved = batches.counts(len(tokeniser))[rows], np.zeros(tokeniser.value_at)
    for _ in range(_READINGS):
        with torch.no_grad():
            each = [_expected(network, batches, i) for i in range(len(batches))]
        expected, variance = torch.stack(each).sum(dim=0).numpy()[:, rows]
        shift = (come - expected - _PRIOR * moved) / (variance + _PRIOR)
        moved += np.clip(shift, -_MOST, _MOST)
        network.order.usual[rows] += torch.from_numpy(np.clip(shift, -_MOST, _MOST)).float()


def _expected(network: EventNetwork, batches: Batches, i: int) -> torch.Tensor:
    """Return how often each token is expected along a batch, and with which variance, (2, v)."""
    tokens = batches.tokens[i]
    logits = network.logits(tokens, batches.hours[i], batches.features[batches.rows[i]])
    chances = logits.softmax(dim=-1)[tokens != IGNORED].double()
    return torch.stack([chances.sum(dim=0), (chances * (1 - chances)).sum(dim=0)])


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
