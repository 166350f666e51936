"""Tokenisation: a small vocabulary learnt on the training notes, and notes as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from casemix.modalities.text.slots import MARK

_BEGIN, _END, _PAD = "<s>", "</s>", "<pad>"
_CLAUSE = r"[^.:\n]*[.:\n]* ?"  # merges may span words, but not sentences
_LEAST_SEEN = 4  # occurrences of a piece in the training notes, before it is one token
_MARKS = 48  # slot marks that are one token each
IGNORED = -100  # target of a padded position


def small_tokenizer(templates: Sequence[str], size: int) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer, in which each slot mark is one token.

    Merges may span words, so that a phrase which recurs becomes one token: notes of a formulaic
    corpus take a quarter of the tokens, and a model of one size learns them better and faster.

    Args:
        templates: delexicalised training notes.
        size: number of tokens, at least 320.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLAUSE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = [_BEGIN, _END, _PAD]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=_LEAST_SEEN,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    between = (part for template in templates for part in MARK.split(template)[::2])
    tokenizer.train_from_iterator(between, trainer)
    tokenizer.add_tokens([f"<n{i}>" for i in range(_MARKS)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=_BEGIN, eos_token=_END, pad_token=_PAD
    )


@dataclass(frozen=True)
class TokenisedNotes:
    """Notes as token ids.

    Args:
        targets: int64 (n, t): the note's tokens and the end token, then `IGNORED`.
        truncated: notes that were longer than the limit; they have no end token.
    """

    targets: np.ndarray
    truncated: int

    @classmethod
    def of(cls, templates: Sequence[str], tokenizer: Any, *, most: int) -> TokenisedNotes:
        """Tokenise notes, each cut to at most ``most`` tokens."""

        def tokenise(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
            ids = tokenizer(batch["text"], add_special_tokens=False)["input_ids"]
            return {"tokens": [[*row, tokenizer.eos_token_id] for row in ids]}

        quiet = are_progress_bars_disabled()
        disable_progress_bars()
        try:
            notes = Dataset.from_dict({"text": list(templates)})
            rows = notes.map(tokenise, batched=True, remove_columns="text", new_fingerprint="notes")
        finally:
            if not quiet:
                enable_progress_bars()
        tokens = [row[:most] for row in rows["tokens"]]
        targets = np.full((len(tokens), max(map(len, tokens))), IGNORED, dtype=np.int64)
        for i, row in enumerate(tokens):
            targets[i, : len(row)] = row
        return cls(targets, sum(len(row) > most for row in rows["tokens"]))


def prompt_tokens(
    prompts: Sequence[str], tokenizer: Any, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return prompts as (ids, mask), int64 (n, length), filled up on the left.

    A longer prompt loses its end.
    """
    ids = np.zeros((len(prompts), length), dtype=np.int64)
    mask = np.zeros((len(prompts), length), dtype=np.int64)
    if not length:
        return ids, mask
    for i, row in enumerate(tokenizer(list(prompts), add_special_tokens=False)["input_ids"]):
        kept = row[:length]
        ids[i, length - len(kept) :] = kept
        mask[i, length - len(kept) :] = 1
    return ids, mask
