"""Codes of one time stand in one order, so that each is either told or passed over.

A network scores every token. From the scores the next token follows by yes-or-no questions: is the
first code that may come next recorded at this time; if not, the second; ...; and if none is, which
gap comes next, or the end? So every time teaches something of every code, also where it is not
recorded, and few histories teach more than one choice among all tokens would.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from casemix.modalities.events.grammar import after_codes, values_of_codes
from casemix.modalities.events.tokens import BEGIN, END, Tokeniser

_FORBIDDEN = -1e4  # logit


class TellingOrder(nn.Module):
    """Turns scores of tokens into logits of the next token.

    Scores of 0 stand for how usual each token is, so that a network learns only what differs.

    Args:
        tokeniser: tokens of the histories.
    """

    allowed: torch.Tensor  # bool (states, v)
    state: torch.Tensor  # after each token but values, int64 (v,)
    usual: torch.Tensor  # what is added to the scores, float32 (v,)

    def __init__(self, tokeniser: Tokeniser) -> None:
        super().__init__()
        self.code_at, self.value_at = tokeniser.code_at, tokeniser.value_at
        allowed, state = _states(tokeniser)
        self.register_buffer("allowed", torch.from_numpy(allowed), persistent=False)
        self.register_buffer("state", torch.from_numpy(state), persistent=False)
        self.register_buffer("usual", torch.zeros(len(tokeniser)))

    def start(self, counts: np.ndarray) -> None:
        """Take up how usual each token is.

        Args:
            counts: of each token in the training histories, (v,).
        """
        times = counts[END + 1 : self.code_at].sum()
        chance = (counts + 0.5) / (np.maximum(times, counts) + 1)
        usual = np.log(counts + 0.5)
        usual[self.value_at :] = 0  # bins hold about equally many values
        codes = slice(self.code_at, self.value_at)
        usual[codes] = np.log(chance / (1 - chance))[codes]
        self.usual.copy_(torch.from_numpy(usual))

    def chained(self, scores: torch.Tensor) -> torch.Tensor:
        """Return logits (..., v), which are right once what may not come next is masked."""
        whole = scores + self.usual
        sizes = [self.code_at, self.value_at - self.code_at, whole.shape[-1] - self.value_at]
        opens, codes, values = whole.split(sizes, dim=-1)
        passed = F.logsigmoid(-codes).cumsum(dim=-1)  # log chance that none up to here is told
        told = F.logsigmoid(codes) + F.pad(passed[..., :-1], (1, 0))
        return torch.cat([opens.log_softmax(dim=-1) + passed[..., -1:], told, values], dim=-1)

    def forward(self, scores: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        """Return masked logits, (b, t, v).

        Args:
            scores: after each token, (b, t, v).
            read: the tokens, (b, t).
        """
        code = F.pad(read[:, :-1], (1, 0)) - self.code_at  # whose value a value is
        state = torch.where(read >= self.value_at, code.clamp(min=0), self.state[read])
        return self.chained(scores).masked_fill(~self.allowed[state], _FORBIDDEN)


def _states(t: Tokeniser) -> tuple[np.ndarray, np.ndarray]:
    """Return which tokens may follow each state, and the state after each token."""
    after, values = after_codes(t), values_of_codes(t)
    code = np.arange(t.value_at - t.code_at)
    state = np.full(len(t), len(code))  # a time is open
    state[[BEGIN, END]] = len(code) + 1
    state[t.code_at : t.value_at] = np.where(values.any(axis=1), len(after) + code, code)
    return np.concatenate([after, values]), state
