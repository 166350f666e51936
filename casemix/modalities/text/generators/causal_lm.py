"""Causal language model: writes around the patient's numbers, is checked, and is mended."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from casemix.core import artifact
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.encoding import ConditionPrompt
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress, Step
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.modalities.text.base_model import (
    SMALL,
    adapted,
    pretrained,
    save_adapter,
    save_base,
    with_adapter,
)
from casemix.modalities.text.decode import Decoding, draw_notes
from casemix.modalities.text.form import NoteForm, fitted
from casemix.modalities.text.language_model import NoteWriter, SmallModel, note_loss, small_llama
from casemix.modalities.text.plan import Planner, Plans
from casemix.modalities.text.realise import Plan, Realiser, Repairs
from casemix.modalities.text.seams import Seams
from casemix.modalities.text.vocabulary import (
    TokenisedNotes,
    never_written,
    prompt_tokens,
    small_tokenizer,
)

_NAME = "text/causal_lm"
_LEAST = 8  # notes
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Config:
    """How to learn and to write.

    Args:
        base: ``small`` (built and trained on the training notes), a hub id, or a local folder in
            the hub's layout; the latter two are fine-tuned by LoRA.
        small: size of the small model.
        rank: rank of the LoRA adapter.
        alpha: its scale.
        prefix: vectors of the soft prefix through which the model reads the plan.
        prompt: most tokens of the prompt that tells a pretrained base the stated conditions.
        max_tokens: longest note; longer training notes are cut, and counted in ``truncated``.
        temperature: divides the logits; 1 = as learnt.
        top_p: probability of the nucleus that tokens are drawn from.
        tries: how often a note that contradicts its patient is written anew before it is mended.
        mend: whether contradictions that are left then are mended; without it and with no
            ``tries``, notes are what the language model itself writes.
        dropout: share of the plan's cells that training hides.
        batch: notes written at a time; part of what makes a sample bit-identical.
        lexicon: wordings that state a level: field -> level -> wordings. Most are learnt.
        epochs: most passes over the notes; few notes get fewer steps, or they would be memorised.
        train: optimiser settings.
    """

    base: str = SMALL
    small: SmallModel = field(default_factory=SmallModel)
    rank: int = 8
    alpha: int = 16
    prefix: int = 4
    prompt: int = 64
    max_tokens: int = 400
    temperature: float = 0.9
    top_p: float = 0.98
    tries: int = 2
    mend: bool = True
    dropout: float = 0.2
    batch: int = 64
    lexicon: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    epochs: int = 12
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=700, batch_size=8, learning_rate=3e-3, weight_decay=0.05, ema_decay=0.98
        )
    )


class CausalLM(Generator):
    """Plan, write, check, mend.

    The plan settles the note's numbers and levels from the conditions. The language model writes
    a note with slots for the numbers, given the plan. A note that contradicts the plan is written
    anew; what is still wrong then is replaced, sentence by sentence, by sentences that several
    training notes share, or left out.
    """

    modality: ClassVar[str] = "text"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        #: Training notes that were cut to ``max_tokens``.
        self.truncated = 0
        #: What mending changed in the last call of `generate`.
        self.repairs = Repairs()
        self._form: NoteForm | None = None
        self._planner: Planner
        self._realiser: Realiser
        self._tokenizer: Any
        self._longest: int
        self._writer: NoteWriter

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """See `Generator.fit`."""
        form = NoteForm.of(data, given, who=_NAME, least=_LEAST)
        texts, config = data.payload.texts, self.config
        self._planner, templates, plans = Planner.fit(texts, given, config.lexicon, seed=seed)
        self._realiser = Realiser.fit(templates, self._planner.reader)
        base = None
        if config.base == SMALL:
            self._tokenizer = small_tokenizer(templates, config.small.vocabulary, data.subject_ids)
        else:
            base, self._tokenizer = pretrained(config.base)
        notes = TokenisedNotes.of(templates, self._tokenizer, most=config.max_tokens)
        self._longest, self.truncated = notes.targets.shape[1], notes.truncated
        if self.truncated:
            _LOG.warning("%d notes were cut to %d tokens.", self.truncated, config.max_tokens)
        width = plans.features.shape[1]
        writer = seeded(seed, lambda: self._new_writer(base, width))
        loss = note_loss(plans.features, self._prompt(given), notes.targets, dropout=config.dropout)
        most = -(-config.epochs * len(data) // config.train.batch_size)
        steps = min(config.train.steps, most)
        # Few steps are not to be spent on warming up.
        settings = replace(config.train, steps=steps, warmup=min(config.train.warmup, steps // 10))
        train(writer, loss, len(data), settings, seed=seed, progress=progress, label="notes")
        self._writer, self._form = writer.eval(), form
        return self

    def _new_writer(self, base: Any, features: int) -> NoteWriter:
        config, tokenizer = self.config, self._tokenizer
        if base is None:
            longest = self._longest + config.prefix + 1
            model: Any = small_llama(config.small, tokenizer, longest=longest)
        else:
            model = with_adapter(base, rank=config.rank, alpha=config.alpha)
        return NoteWriter(model, features, config.prefix, _begin(tokenizer))

    def _prompt(self, given: Conditions) -> tuple[np.ndarray, np.ndarray]:
        """Return the prompts of the levels that notes state; a small model needs none."""
        if self.config.base == SMALL:
            return prompt_tokens([""] * len(given), self._tokenizer, 0)
        names = [f.name for f in self._planner.reader.schema if f.kind is not Kind.NUMERIC]
        told = given.pick(names)
        lines = ConditionPrompt.of(told.schema).lines(told)
        return prompt_tokens(lines, self._tokenizer, self.config.prompt)

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """See `Generator.generate`."""
        form = fitted(self._form, _NAME)
        aligned = given.align(form.given)
        plans = self._planner.plan(aligned, seed=seed)
        each = [Plan.of(plans, row) for row in range(len(aligned))]
        with (progress or Progress()).step("notes", len(aligned)) as bar, torch.inference_mode():
            written, rewritten = self._write(aligned, plans, each, seed, bar)
            mended = [
                self._realiser.mend(template, plan) if self.config.mend else (template, Repairs(1))
                for template, plan in zip(written, each, strict=True)
            ]
            repairs = sum((r for _, r in mended), Repairs())
            self.repairs = replace(repairs, rewritten=rewritten)
            bar.advance(0, note=str(self.repairs))
        slots = self._planner.reader.slots
        texts = [slots.fill(t, p.values) for (t, _), p in zip(mended, each, strict=True)]
        return form.samples(given, texts)

    def _write(
        self, given: Conditions, plans: Plans, each: Sequence[Plan], seed: int, bar: Step
    ) -> tuple[list[str], int]:
        """Return each note's best template of at most 1 + tries, and how many took several."""
        best = [""] * len(given)
        faults = np.full(len(given), np.iinfo(np.int64).max)
        open_, rewritten = np.arange(len(given)), 0
        for attempt in range(1 + self.config.tries):
            if attempt == 1:
                rewritten = len(open_)
            drawn = self._draw(given.take(open_), plans.features[open_], seed, attempt, bar)
            for row, template in zip(open_.tolist(), drawn, strict=True):
                count = self._realiser.contradictions(template, each[row])
                if count < faults[row]:
                    best[row], faults[row] = template, count
            open_ = np.flatnonzero(faults)
            if not len(open_):
                break
        return best, rewritten

    def _draw(
        self, given: Conditions, features: np.ndarray, seed: int, attempt: int, bar: Step
    ) -> list[str]:
        config, tokenizer = self.config, self._tokenizer
        end = tokenizer.eos_token_id
        never = never_written(tokenizer, len(self._planner.reader.slots))
        decoding = Decoding(
            config.temperature,
            config.top_p,
            self._longest,
            end,
            banned=tuple(sorted({*tokenizer.all_special_ids, *never} - {end})),
            seams=Seams.of(tokenizer) if never else None,
        )
        tokens = draw_notes(
            self._writer,
            features,
            self._prompt(given),
            decoding,
            ids=given.sample_ids,
            seed=seed,
            stream=f"try{attempt}",
            batch=config.batch,
            bar=Step() if attempt else bar,
        )
        return [str(tokenizer.decode(row)).replace("\0", "") for row in tokens]

    def save(self, folder: Path) -> None:
        """Write the model: ``model/`` in the hub's layout, or ``adapter/`` in peft's."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("form", form.to_json())
            draft.json("planner", self._planner.to_json())
            draft.json("stock", {"sentences": self._realiser.to_json()})
            counts = {"longest": self._longest, "truncated": self.truncated}
            draft.json("notes", counts)
            draft.arrays("fitted", self._planner.arrays())
            assert self._writer.prefix is not None
            draft.arrays("prefix", state_arrays(self._writer.prefix))
            if self.config.base == SMALL:
                save_base(self._writer.lm, self._tokenizer, draft.folder("model"))
            else:
                save_adapter(self._writer.lm, draft.folder("adapter"))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """See `Generator.load`; an adapter also needs its base model where it was."""
        saved = artifact.reading(folder, _NAME)
        c = saved.json("config")
        sizes = {"small": SmallModel(**c["small"]), "train": TrainConfig(**c["train"])}
        model = cls(Config(**(c | sizes)))
        model._form = NoteForm.from_json(saved.json("form"))
        model._planner = Planner.restore(saved.json("planner"), saved.arrays("fitted"))
        reader = model._planner.reader
        model._realiser = Realiser.from_json(saved.json("stock")["sentences"], reader)
        counts = saved.json("notes")
        model._longest, model.truncated = counts["longest"], counts["truncated"]
        if model.config.base == SMALL:
            lm, model._tokenizer = pretrained(str(saved.folder("model")))
        else:
            lm, model._tokenizer = adapted(model.config.base, saved.folder("adapter"))
        prefix = saved.arrays("prefix")
        width = prefix["weight"].shape[1]
        begin = _begin(model._tokenizer)
        writer = seeded(0, lambda: NoteWriter(lm, width, model.config.prefix, begin))
        assert writer.prefix is not None
        load_state(writer.prefix, prefix)
        model._writer = writer.eval()
        return model

    @classmethod
    def tiny(cls) -> Self:
        """See `Generator.tiny`."""
        settings = TrainConfig(steps=250, batch_size=8, learning_rate=5e-3, ema_decay=0.9)
        size = SmallModel(width=32, layers=1, heads=2, vocabulary=400)
        return cls(Config(small=size, max_tokens=80, tries=1, batch=16, train=settings))


def _begin(tokenizer: Any) -> int:
    """Return the begin token, or the end token of a base that has no begin token."""
    begin = tokenizer.bos_token_id
    return int(tokenizer.eos_token_id if begin is None else begin)
