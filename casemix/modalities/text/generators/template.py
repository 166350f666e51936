"""Templates: sentences of similar patients' notes in a learnt order, with the patient's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

from casemix.core import artifact, seeding
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.modalities.text.form import NoteForm, fitted
from casemix.modalities.text.grammar import Grammar
from casemix.modalities.text.plan import Planner
from casemix.modalities.text.realise import Plan, Realiser

_NAME = "text/template"
_LEAST = 8  # notes


@dataclass(frozen=True)
class Config:
    """How to read the training notes.

    Args:
        lexicon: wordings that state a level: field -> level -> wordings. Most are learnt.
    """

    lexicon: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)


class Template(Generator):
    """Chains training sentences. A floor for `causal_lm`, and fast; its sentences are verbatim.

    The next sentence is one that followed the present one in the note of a patient with similar
    conditions; sentences that the conditions deny are passed over; numbers are the patient's.
    """

    modality: ClassVar[str] = "text"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._form: NoteForm | None = None
        self._planner: Planner
        self._grammar: Grammar
        self._realiser: Realiser

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """See `Generator.fit`."""
        form = NoteForm.of(data, given, who=_NAME, least=_LEAST)
        texts = data.payload.texts
        self._planner, templates, plans = Planner.fit(texts, given, self.config.lexicon, seed=seed)
        self._grammar = Grammar.fit(templates, plans.features, self._planner.reader)
        self._realiser = Realiser.fit(templates, self._planner.reader)
        self._form = form
        return self

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """See `Generator.generate`."""
        form = fitted(self._form, _NAME)
        aligned = given.align(form.given)
        plans = self._planner.plan(aligned, seed=seed)
        longest, followers = self._grammar.longest + 1, self._grammar.followers()
        noise = seeding.uniform(seed, aligned.sample_ids, longest, stream="template")
        texts = []
        with (progress or Progress()).step("notes", len(aligned)) as bar:
            for row in range(len(aligned)):
                plan = Plan.of(plans, row)
                weights = self._grammar.weights(plans.features[row])
                template = self._grammar.write(plan, weights, noise[row], followers)
                mended, _ = self._realiser.mend(template, plan)
                texts.append(self._planner.reader.slots.fill(mended, plan.values))
                bar.advance()
        return form.samples(given, texts)

    def save(self, folder: Path) -> None:
        """See `Generator.save`."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", {"lexicon": self.config.lexicon})
            draft.json("form", form.to_json())
            draft.json("planner", self._planner.to_json())
            draft.json("grammar", self._grammar.to_json())
            draft.json("stock", {"sentences": self._realiser.to_json()})
            features = {"grammar.features": self._grammar.features}
            draft.arrays("fitted", self._planner.arrays() | features)

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """See `Generator.load`."""
        saved = artifact.reading(folder, _NAME)
        arrays = saved.arrays("fitted")
        model = cls(Config(**saved.json("config")))
        model._form = NoteForm.from_json(saved.json("form"))
        model._planner = Planner.restore(saved.json("planner"), arrays)
        reader = model._planner.reader
        model._grammar = Grammar.restore(saved.json("grammar"), arrays["grammar.features"], reader)
        model._realiser = Realiser.from_json(saved.json("stock")["sentences"], reader)
        return model

    @classmethod
    def tiny(cls) -> Self:
        """See `Generator.tiny`."""
        return cls()
