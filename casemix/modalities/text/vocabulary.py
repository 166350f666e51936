"""Tokenisation: whole words and phrases learnt on the training notes, and notes as token ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from datasets import Dataset
from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from casemix.errors import FitError
from casemix.modalities.text.slots import MARK

_BEGIN, _END, _PAD, _RARE = "<s>", "</s>", "<pad>", "<rare>"
_BYTES = [f"<0x{i:02X}>" for i in range(256)]  # the names that byte fallback looks for
_MARKS = 48  # slot marks that are one token each
_LEAST_SUBJECTS = 2  # with a word, before it is a token: a word of one subject may be a name
_LEAST_SEEN = 4  # occurrences of a phrase in the training notes, before it is one token
_LONGEST_PHRASE = 12  # words and other characters
_PRIVATE = 0xF0000  # first code point of a private-use plane, where each word is one symbol
_CLAUSE_ENDS = (".", ":", "\n")  # phrases may span words, but not sentences
IGNORED = -100  # target of a padded position

# Scripts without spaces between words: there each character counts as a word.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_LETTER = rf"[\p{{L}}\p{{M}}&&[^{_UNSPACED}]]"
#: A word or one other character, with the space before it; other white space stands alone.
_WORD = rf" ?{_LETTER}+| ?[^\s\p{{L}}\p{{M}}]| ?[{_UNSPACED}]|\s"
_SPLIT = pre_tokenizers.Split(Regex(_WORD), "isolated")


def small_tokenizer(
    templates: Sequence[str], size: int, owners: Iterable[Hashable] | None = None
) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose tokens are whole words, and phrases of them.

    Words that several subjects' notes share are tokens; a phrase of them that recurs is one token
    too, so that notes of a formulaic corpus take a third of the tokens, and a model of one size
    learns them better and faster. Any other word is spelled in bytes, so that decoding returns
    every text exactly; such words are read and never written. Each slot mark is one token.

    Args:
        templates: delexicalised training notes.
        size: most tokens, at least 400; the words of the most notes come first.
        owners: the subject of each note, whose wordings count once; by default each note has
            its own.

    Raises:
        FitError: no word stands in the notes of several subjects.
    """
    clauses = _clauses(templates, range(len(templates)) if owners is None else owners)
    special = [_BEGIN, _END, _PAD, _RARE]
    room = max(size - len(special) - len(_BYTES) - _MARKS, 0)
    words = _words(clauses, room)
    if not words:
        raise FitError(
            "No word stands in the notes of several subjects, so there is none to write.",
            given=f"{len(templates)} notes, a vocabulary of {size} tokens",
            next_step="Give more notes of one kind, a larger vocabulary, or a pretrained base.",
        )
    phrases = _phrases(clauses, words, room - len(words))
    vocabulary = {token: i for i, token in enumerate([*special, *_BYTES, *words, *phrases])}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, [], unk_token=_RARE, byte_fallback=True, ignore_merges=True)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_pattern(phrases)), "isolated")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens([f"<n{i}>" for i in range(_MARKS)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=_BEGIN,
        eos_token=_END,
        pad_token=_PAD,
        unk_token=_RARE,
        clean_up_tokenization_spaces=False,
    )


def whole_words(text: str) -> list[str]:
    """Split a text into words and other characters, which joined are the text again.

    >>> whole_words("No low-grade fever.")
    ['No', ' low', '-', 'grade', ' fever', '.']
    """
    return [word for word, _ in _SPLIT.pre_tokenize_str(text)]


_Clause = tuple[Hashable, tuple[str, ...]]  # its subject, and its words


def _clauses(templates: Sequence[str], owners: Iterable[Hashable]) -> list[_Clause]:
    """Return the different clauses of each subject; a slot mark ends a clause."""
    found: dict[_Clause, None] = {}  # a set that keeps the order
    for owner, template in zip(owners, templates, strict=True):
        for part in MARK.split(template)[::2]:
            clause: list[str] = []
            for word in whole_words(part):
                clause.append(word)
                if word.strip(" ") in _CLAUSE_ENDS:
                    found[owner, tuple(clause)] = None
                    clause = []
            found[owner, tuple(clause)] = None
    return list(found)


def _words(clauses: Sequence[_Clause], most: int) -> list[str]:
    """Return the words that several subjects' notes share, those of most subjects first."""
    counts = Counter(word for _, word in {(owner, w) for owner, clause in clauses for w in clause})
    shared = sorted((-n, word) for word, n in counts.items() if n >= _LEAST_SUBJECTS)
    return [word for _, word in shared[:most]]


def _phrases(clauses: Sequence[_Clause], words: Sequence[str], most: int) -> list[str]:
    """Return the most frequent phrases: byte-pair merging with words in the place of bytes.

    Reference:
        Sennrich et al., Neural machine translation of rare words with subword units, ACL 2016.
    """
    symbol = {word: chr(_PRIVATE + i) for i, word in enumerate(words)}
    merger = Tokenizer(models.BPE())
    merger.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=len(words) + most,
        min_frequency=_LEAST_SEEN,
        max_token_length=_LONGEST_PHRASE,
        show_progress=False,
    )
    spoken = ("".join(symbol.get(word, " ") for word in clause) for _, clause in clauses)
    merger.train_from_iterator(spoken, trainer)
    merged = sorted(merger.get_vocab().items(), key=lambda item: item[1])
    return ["".join(words[ord(s) - _PRIVATE] for s in run) for run, _ in merged if len(run) > 1]


def _pattern(phrases: Sequence[str]) -> str:
    """Return the expression of one token: the longest phrase that fits, or a word."""
    longest_first = sorted(phrases, key=len, reverse=True)
    return "|".join([f"{re.escape(p)}(?!{_LETTER})" for p in longest_first] + [_WORD])


def spelled(tokenizer: Any) -> frozenset[int]:
    """Return the ids that only spell words beyond the vocabulary of a `small_tokenizer`."""
    if tokenizer.unk_token != _RARE:
        return frozenset()
    return frozenset(tokenizer.convert_tokens_to_ids(_BYTES))


def never_written(tokenizer: Any, slots: int) -> frozenset[int]:
    """Return the ids of a `small_tokenizer` that no note of ``slots`` slots may hold."""
    letters = spelled(tokenizer)
    idle = [f"<n{i}>" for i in range(slots, _MARKS)] if letters else []
    return letters | set(tokenizer.convert_tokens_to_ids(idle))


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
        """Tokenise notes, each cut to at most ``most`` tokens.

        With a `small_tokenizer`, a word that would be spelled is one token for "a rare word".
        """
        letters = spelled(tokenizer)

        def tokenise(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
            read = tokenizer(batch["text"], add_special_tokens=False)
            rows = read["input_ids"]
            if letters:
                rows = [
                    _folded(row, read.word_ids(i), letters, tokenizer.unk_token_id)
                    for i, row in enumerate(rows)
                ]
            return {"tokens": [[*row, tokenizer.eos_token_id] for row in rows]}

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


def _folded(
    row: Sequence[int], word: Sequence[int], letters: frozenset[int], rare: int
) -> list[int]:
    """Return token ids in which each spelled word is the one token ``rare``.

    Args:
        row: token ids.
        word: which word each token belongs to.
        letters: ids that spell.
        rare: the token that takes a spelled word's place.
    """
    groups = (list(group) for _, group in groupby(zip(word, row, strict=True), itemgetter(0)))
    return [rare if len(g) > 1 or g[0][1] in letters else g[0][1] for g in groups]


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
