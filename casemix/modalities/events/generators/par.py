"""PAR of SDV, a recurrent network over events: a baseline where it can run; casemix[sdv]."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from casemix.core import artifact, seeding
from casemix.core.conditions import Conditions, check_honoured
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import FitError
from casemix.modalities.events.codes import Codes
from casemix.modalities.events.form import EventForm, fitted
from casemix.modalities.events.sdv_sequences import SEQUENCE, fit_par, load_par, sample_par

_NAME = "events/par"
_LEAST = 8  # histories
_SPARE = "spare"  # a context of noise: PAR must not be asked for all of its context


@dataclass(frozen=True)
class Config:
    """The budget, which keeps PAR to minutes: its time grows with codes, events and subjects.

    Args:
        epochs: passes over the histories; 128 are what SDV makes by default.
        most: histories that are learnt from, drawn at random.
        longest: events of a history that are learnt from.
        least: subjects with a code, before it may come out.
    """

    epochs: int = 128
    most: int = 500
    longest: int = 60
    least: int = 5


class Par(Generator):
    """SDV's PARSynthesizer over rows of gap, code and value, without a grammar.

    Reference:
        Zhang, Patki and Veeramachaneni, Sequential models in the Synthetic Data Vault, 2022.
    """

    modality: ClassVar[str] = "events"
    honours: ClassVar[frozenset[Kind]] = frozenset(Kind) - {Kind.CODES}
    shard_invariant: ClassVar[bool] = False
    trusted_only: ClassVar[bool] = True

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._form: EventForm | None = None
        self._synthesizer: Any
        self._scales: pd.DataFrame  # mean and sd of each code's values
        self._context: pd.DataFrame  # complete context of training records

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """See `Generator.fit`."""
        check_honoured(given.schema, self.honours, _NAME)
        form, config = EventForm.of(data, given, who=_NAME, least=_LEAST), self.config
        order = seeding.generator(seed, "par").permutation(len(data))[: config.most]
        frame = data.payload.take(order).frame
        frame = frame[frame.groupby("item").cumcount() < config.longest]
        owners = pd.factorize(data.subject_ids[order])[0][frame["item"].to_numpy()]
        codes, _ = Codes.fit(frame, owners, least=config.least)
        number = codes.encode(frame["code"])
        frame = frame.assign(raw=frame["code"], code=np.array([*codes.names, ""])[number])
        frame = frame[number >= 0]
        own = frame["value"].where(frame["code"] == frame["raw"])
        self._scales = own.groupby(frame["code"]).agg(["mean", "std"]).dropna()
        self._context = self._complete(given.take(order), form)
        rows = self._rows(frame.assign(value=own))
        context = self._context.iloc[rows.pop("item")].reset_index(drop=True)
        whole = pd.concat([rows.reset_index(drop=True), context], axis=1)
        self._synthesizer = fit_par(
            whole,
            [str(name) for name in context],
            epochs=config.epochs,
            who=_NAME,
            seed=seed,
        )
        self._form = form
        return self

    def _rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        gap = frame.groupby("item")["hours"].diff().fillna(0.0).clip(lower=0)
        scale = self._scales.reindex(frame["code"])
        score = (frame["value"].to_numpy() - scale["mean"]) / scale["std"].clip(lower=1e-9)
        return pd.DataFrame(
            {
                "item": frame["item"].to_numpy(),
                SEQUENCE: "s" + frame["item"].astype(str).to_numpy(dtype=object),
                "gap": np.log1p(gap.to_numpy()),
                "code": frame["code"].to_numpy(dtype=object),
                "value": score.fillna(0.0).to_numpy(),
            }
        )

    def _complete(self, given: Conditions, form: EventForm) -> pd.DataFrame:
        """Return training context without unspecified cells: they take another record's."""
        values = given.align(form.given).values.reset_index(drop=True)
        filled = values.ffill().bfill()
        if filled.isna().any(axis=None):
            empty = filled.columns[filled.isna().any()]
            raise FitError(f"The condition '{empty[0]}' is unspecified in all records.")
        spare = seeding.uniform(0, given.sample_ids, 1, stream=_SPARE)[:, 0]
        return filled.assign(**{_SPARE: spare})

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """See `Generator.generate`; an unspecified cell takes that of a training record."""
        form = fitted(self._form, _NAME)
        wanted = given.align(form.given).values.reset_index(drop=True)
        u = seeding.uniform(seed, given.sample_ids, 1, stream="par")[:, 0]
        known = self._context.drop(columns=_SPARE)
        drawn = known.iloc[np.floor(u * len(known)).astype(int)].reset_index(drop=True)
        typed = wanted.where(wanted.notna(), drawn).astype(known.dtypes.to_dict())
        names = [f"s{i}" for i in range(len(given))]
        child = seeding.child(seed, "par sample")
        made = sample_par(self._synthesizer, typed.assign(**{SEQUENCE: names}), seed=child)
        return form.samples(given, self._events(made, names))

    def _events(self, made: pd.DataFrame, names: list[str]) -> pd.DataFrame:
        item = made[SEQUENCE].map({name: i for i, name in enumerate(names)}).to_numpy(dtype=int)
        frame = pd.DataFrame({"item": item, "code": made["code"].astype(str).to_numpy()})
        gap = np.expm1(np.clip(made["gap"].to_numpy(dtype=float), 0, 14))
        frame["hours"] = pd.Series(gap).groupby(item).cumsum()
        scale = self._scales.reindex(frame["code"]).to_numpy()
        frame["value"] = scale[:, 0] + scale[:, 1] * made["value"].to_numpy(dtype=float)
        return frame.sort_values(["item", "hours"], kind="stable")

    def save(self, folder: Path) -> None:
        """Write the model; SDV saves by pickling, so that loading needs trust."""
        form = fitted(self._form, _NAME)
        with artifact.writing(folder, _NAME, trusted_only=True) as draft:
            draft.json("config", asdict(self.config))
            draft.json("form", form.to_json())
            draft.frame("scales", self._scales)
            draft.frame("context", self._context)
            self._synthesizer.save(str(draft.path / "synthesizer.pkl"))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """See `Generator.load`."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        model = cls(Config(**saved.json("config")))
        model._form = EventForm.from_json(saved.json("form"))
        model._scales, model._context = saved.frame("scales"), saved.frame("context")
        model._synthesizer = load_par(saved.path / "synthesizer.pkl", who=_NAME)
        return model

    @classmethod
    def tiny(cls) -> Self:
        """See `Generator.tiny`."""
        return cls(Config(epochs=1, most=24, longest=8))
