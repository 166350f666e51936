"""A causal language model writes, its facts are verified and repaired; the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import datasets
import numpy as np
import torch
from peft import PeftModel
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from casemix.core import artifact
from casemix.core.conditions import ALL_KINDS, Conditions, check_honoured
from casemix.core.fields import Kind, Schema
from casemix.core.files import checksums, verify
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.seeding import child
from casemix.core.training import TrainConfig, device, train
from casemix.errors import FitError
from casemix.modalities.text import base_model
from casemix.modalities.text.base_model import SEPARATOR, START, LanguageModel
from casemix.modalities.text.data import Notes
from casemix.modalities.text.decoding import write_notes
from casemix.modalities.text.prompt import PromptTags
from casemix.modalities.text.realise import Realiser

NAME = "text/causal_lm"
SMALL = "small"
_IGNORED = -100  # label of tokens that the loss leaves out


@dataclass(frozen=True)
class Config:
    """Settings of `CausalLM`.

    Args:
        base: ``small`` (built and trained on the training notes), or a hub id or local folder,
            which is fine-tuned with a LoRA adapter.
        steps: optimiser steps.
        learning_rate: peak learning rate.
        batch_size: notes per step, and per batch in sampling.
        width: hidden size of the small model, a multiple of 32.
        layers: blocks of the small model.
        rank: rank of the LoRA adapter.
        max_tokens: longer training notes are cut; no longer note is written.
        temperature: divides the logits in sampling.
        tries: drafts of a note before sentences that contradict the facts are replaced.
        lexicon: field -> level -> phrases that state it, beside those that are learnt.
    """

    base: str = SMALL
    steps: int = 260
    learning_rate: float = 3e-3
    batch_size: int = 32
    width: int = 128
    layers: int = 3
    rank: int = 8
    max_tokens: int = 320
    temperature: float = 0.9
    tries: int = 3
    lexicon: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)


_TOP_P = 0.97
_VOCABULARY = 1500
_TOLD_NUMBERS = 14


class CausalLM(Generator):
    """Plan, write, verify, repair.

    The conditions enter as prompt tags. Recurring numbers of the training notes are slots in what
    the model learns and writes, and are filled from the conditions that they state. Drafts that
    contradict a condition are written again, and what still does is replaced by a sentence that
    does not, or left out.
    """

    modality: ClassVar[str] = "text"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.schema = self.record_schema = Schema()
        self.realiser: Realiser | None = None
        self.tags: PromptTags | None = None
        self.model: LanguageModel | None = None
        self.width = 0

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn slots, phrases and prompt tags, and train the model or its adapter."""
        if given.sample_ids != list(data.sample_ids):
            raise FitError("The conditions belong to other rows than the notes.")
        check_honoured(given.schema, self.honours, NAME)
        if len(data) < 8:
            raise FitError(
                "There are too few notes to learn from.", given=len(data), allowed=">= 8"
            )
        self.schema, self.record_schema = given.schema, data.schema
        texts = data.payload.texts
        self.realiser = Realiser.fit(texts, given, self.config.lexicon)
        bare = [self.realiser.slots.take_out(text) for text in texts]
        self.tags = PromptTags.fit(bare, given, most=_TOLD_NUMBERS)
        self.model = self._untrained(bare, given, seed)
        self._train(bare, self.tags.lines(given), child(seed, "train"), progress)
        return self

    def _untrained(self, bare: Sequence[str], given: Conditions, seed: int) -> LanguageModel:
        assert self.tags is not None
        assert self.realiser is not None
        config = self.config
        if config.base != SMALL:
            base = base_model.load_base(config.base)
            return base_model.with_adapter(base, rank=config.rank, seed=child(seed, "adapter"))
        slots = [f"<n{k}>" for k in range(len(self.realiser.slots.slots))]
        return base_model.build_small(
            bare,
            [*self.tags.vocabulary(given), *slots],
            width=config.width,
            layers=config.layers,
            vocabulary=_VOCABULARY,
            seed=child(seed, "base"),
        )

    def _train(
        self, bare: Sequence[str], prompts: Sequence[str], seed: int, progress: Progress | None
    ) -> None:
        assert self.model is not None
        rows = self._tokens(bare, prompts)
        longest_prompt = max(len(p) for p in rows["prompt"])
        self.width = longest_prompt
        sequences = [torch.tensor(p + n) for p, n in zip(rows["prompt"], rows["note"], strict=True)]
        lengths = [len(p) for p in rows["prompt"]]
        pad = self.model.tokenizer.pad_token_id

        def loss(
            network: nn.Module, positions: torch.Tensor, noise: torch.Generator
        ) -> torch.Tensor:
            chosen = positions.tolist()
            ids = pad_sequence([sequences[i] for i in chosen], True, pad).to(positions.device)
            seen = pad_sequence([torch.ones(len(sequences[i])) for i in chosen], True).to(
                ids.device
            )
            labels = ids.masked_fill(seen == 0, _IGNORED)
            for row, i in enumerate(chosen):
                labels[row, : lengths[i]] = _IGNORED
            logits = network(input_ids=ids, attention_mask=seen.long()).logits[:, :-1]
            return F.cross_entropy(logits.flatten(0, 1).float(), labels[:, 1:].flatten())

        config = TrainConfig(
            steps=self.config.steps,
            batch_size=self.config.batch_size,
            learning_rate=self.config.learning_rate,
            warmup=min(20, self.config.steps // 5 + 1),
            ema_decay=0.99,
        )
        network = self.model.network
        train(network, loss, len(sequences), config, seed=seed, progress=progress, label="notes")

    def _tokens(self, bare: Sequence[str], prompts: Sequence[str]) -> dict[str, list[list[int]]]:
        """Return token ids of prompts and notes, each note cut at ``max_tokens``."""
        assert self.model is not None
        tokenizer, most = self.model.tokenizer, self.config.max_tokens

        def encode(batch: dict[str, list[str]]) -> dict[str, list[list[int]]]:
            notes = tokenizer(batch["note"], add_special_tokens=False)["input_ids"]
            return {
                "prompt_ids": tokenizer(batch["prompt"], add_special_tokens=False)["input_ids"],
                "note_ids": [[*n[: most - 1], tokenizer.eos_token_id] for n in notes],
            }

        whole = {"prompt": [self._prompt(p) for p in prompts], "note": list(bare)}
        with _quiet_datasets():
            rows = datasets.Dataset.from_dict(whole).map(encode, batched=True)
        return {"prompt": list(rows["prompt_ids"]), "note": list(rows["note_ids"])}

    def _prompt(self, tags: str) -> str:
        return f"{START}{tags}{SEPARATOR}" if self.config.base == SMALL else f"{tags}\n"

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Write one note per row."""
        if self.model is None or self.realiser is None or self.tags is None:
            raise FitError(f"{NAME} is not fitted.", next_step="Call fit, or load a saved model.")
        given = given.align(self.schema)
        values = self.realiser.slots.values(given, seed=child(seed, "slots"))
        drafts = self._drafts(given, values, seed, progress or Progress())
        notes, _ = self.realiser.finish(drafts, given, values, seed=child(seed, "repair"))
        return Samples.answering("text", given, Notes(tuple(notes)), self.record_schema)

    def _drafts(
        self, given: Conditions, values: np.ndarray, seed: int, progress: Progress
    ) -> list[str]:
        """Return for each row the draft with the fewest faults out of ``tries``."""
        assert self.realiser is not None
        facts = self.realiser.facts(given)
        drafts, faults = [""] * len(given), np.full(len(given), np.inf)
        open_ = np.arange(len(given))
        for attempt in range(self.config.tries):
            written = self._write(given.take(open_), child(seed, "try", attempt), progress)
            for i, note in zip(open_, written, strict=True):
                found = self.realiser.faults(note, facts[i], values[i]) + 100 * (not note)
                if found < faults[i]:
                    drafts[i], faults[i] = note, found
            open_ = np.flatnonzero(faults > 0)
            if not len(open_):
                break
        return drafts

    def _write(self, given: Conditions, seed: int, progress: Progress) -> list[str]:
        assert self.model is not None
        assert self.tags is not None
        prompts = [self._prompt(p) for p in self.tags.lines(given)]
        encoded = self.model.tokenizer(prompts, add_special_tokens=False)["input_ids"]
        self.model.network.to(device())
        with progress.step("writing notes", len(given)) as step:
            return write_notes(
                self.model,
                [p[-self.width :] for p in encoded],
                given.sample_ids,
                most_tokens=self.config.max_tokens,
                width=self.width,
                batch_size=self.config.batch_size,
                temperature=self.config.temperature,
                top_p=_TOP_P,
                seed=seed,
                step=step,
            )

    def save(self, folder: Path) -> None:
        """Write the model (or only its adapter), the prompt tags and the realiser."""
        if self.model is None or self.realiser is None or self.tags is None:
            raise FitError(f"{NAME} is not fitted, so there is nothing to save.")
        small = self.config.base == SMALL
        local = not small and Path(self.config.base).is_dir()
        with artifact.writing(folder, NAME) as draft:
            if small:
                base_model.save_base(self.model, draft.folder("model"))
            else:
                self.model.network.save_pretrained(draft.folder("adapter"), safe_serialization=True)
            draft.arrays("slots", self.realiser.slots.arrays())
            draft.json("realiser", self.realiser.to_json())
            content = {
                "config": asdict(self.config),
                "base_sha256": checksums(Path(self.config.base)) if local else None,
                "schema": self.schema.to_json(),
                "record_schema": self.record_schema.to_json(),
                "tags": self.tags.to_json(),
                "width": self.width,
            }
            draft.json("causal_lm", content)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read what `save` wrote; an adapter also needs its base model, unaltered."""
        saved = artifact.reading(folder, NAME)
        content: dict[str, Any] = saved.json("causal_lm")
        made = cls(Config(**content["config"]))
        made.schema = Schema.from_json(content["schema"])
        made.record_schema = Schema.from_json(content["record_schema"])
        made.tags = PromptTags.from_json(content["tags"])
        made.realiser = Realiser.from_json(saved.json("realiser"), saved.arrays("slots"))
        made.width = content["width"]
        if made.config.base == SMALL:
            made.model = base_model.load_base(str(saved.folder("model")))
        else:
            if content["base_sha256"]:
                verify(Path(made.config.base), content["base_sha256"])
            base = base_model.load_base(made.config.base)
            network = PeftModel.from_pretrained(base.network, saved.folder("adapter"))
            made.model = LanguageModel(network, base.tokenizer)
        made.model.network.eval()
        return made

    @classmethod
    def tiny(cls) -> Self:
        """Return an instance that trains in seconds."""
        return cls(Config(steps=60, width=32, layers=1, batch_size=16, max_tokens=96))


class _quiet_datasets:  # noqa: N801 - used as a statement
    """Hide the library's own bars while it maps: casemix shows its progress itself."""

    def __enter__(self) -> None:
        self.shown = datasets.are_progress_bars_disabled()
        datasets.disable_progress_bars()

    def __exit__(self, *_: object) -> None:
        if not self.shown:
            datasets.enable_progress_bars()
