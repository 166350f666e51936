"""Neural autoregression over the cells of a row, corrected by a critic: the quality method."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch

from casemix.core import artifact, seeding
from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind, Schema
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.modalities.tabular.masked.table import TokenTable, cells_of
from casemix.modalities.tabular.masked.tokens import MASKED
from casemix.modalities.tabular.nade.critic import Critic, CriticConfig, fit_critic
from casemix.modalities.tabular.nade.drawing import Drawing
from casemix.modalities.tabular.nade.known_cells import KnownCells
from casemix.modalities.tabular.nade.network import Nade as Network
from casemix.modalities.tabular.rare_values import RareValues
from casemix.modalities.tabular.records import Fitted, check_fit, fitted_or_error, records

_NAME = "tabular/nade"
_BATCHES = 8  # per epoch at least: few rows get small batches
_LEAST = 5  # subjects who share a level or a code before it is learnt
_FEWEST_STEPS = 320  # of the optimiser; a narrow network cannot learn rows by heart so soon
_WIDTH = 1.5  # most width of the sums, per square root of the rows
_THINNED = 6.0  # least dropout, times the square root of the rows
_MOST_DROPOUT = 0.3
_MANY = 16  # tokens of a column whose pairs with others are counted


@dataclass(frozen=True)
class Config:
    """How to learn and to draw.

    Args:
        hidden: most width of the sums of embeddings; few rows get less.
        inner: most width of each column's own layer; at most half of ``hidden``.
        dropout: least share of both that training drops; few rows get more.
        bins: most quantile bins of a number.
        rows_per_bin: least training rows of each.
        whole: share of training rows of which no cell is known from the start; the less, the
            better rows are drawn given any cells.
        epochs: passes over the training rows; more of few rows, ``train.steps`` at most.
        candidates: rows drawn for each row wanted, one of which the critic chooses; 1 = none.
        batch: rows drawn at a time; part of what makes a sample bit-identical.
        critic: how the critic is fitted.
        train: optimiser settings.
    """

    hidden: int = 192
    inner: int = 96
    dropout: float = 0.25
    bins: int = 48
    rows_per_bin: int = 20
    whole: float = 0.5
    epochs: int = 9
    candidates: int = 8
    batch: int = 1024
    critic: CriticConfig = field(default_factory=CriticConfig)
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=4000, batch_size=256, learning_rate=3e-3, weight_decay=0.1, ema_decay=0.99
        )
    )


class Nade(Generator):
    """Draws each cell given those before it and those asked for; a critic chooses among draws.

    Every column is one token: missing, one of its levels or common numbers, or a quantile bin, in
    which a smoothed density places the number. A network learns each column given all columns
    before it and any others (orderless NADE), so that any cells can be fixed without rejection.
    How often two levels of many-level columns meet is counted and added to its log-odds.
    Boosted trees then learn what still tells real rows from drawn ones, as far as held-out
    subjects bear it out, and each row is chosen among several candidates in proportion to that
    density ratio (sampling-importance resampling). Levels and numbers of few subjects are neither
    learnt nor shown (`RareValues`).

    Reference:
        Uria et al., Neural autoregressive distribution estimation, JMLR 2016; 17:205.
        Azadi et al., Discriminator rejection sampling, ICLR 2019.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.fitted: Fitted | None = None
        self.codes = CodeColumns()
        self._guard: RareValues
        self._table: TokenTable
        self._net: Network
        self._widths: tuple[int, int]
        self._critic: Critic

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn rows, then what tells them from drawn ones (see `Generator.fit`)."""
        fitted = check_fit(data, given, self.honours, _NAME, codes=True)
        tokens = self._learn_tokens(data, given, fitted)
        self._widths = self._sized(len(tokens))
        net = seeded(seed, self._network)
        subjects = given.rows["subject_id"].to_numpy()
        net.pairs.count(tokens.numpy(), subjects)
        settings, dropout = self._training(len(tokens)), self._dropout(len(tokens))
        loss = KnownCells(tokens, self.config.whole, dropout, self._widths)
        train(net, loss, len(tokens), settings, seed=seed, progress=progress, label="rows")
        self._net = net.eval()
        self._critic = self._learn_critic(tokens, subjects, seed, progress or Progress())
        self.fitted = fitted
        return self

    def _learn_tokens(self, data: Samples, given: Conditions, fitted: Fitted) -> torch.Tensor:
        """Learn the vocabularies; return the training rows as tokens, (n, d)."""
        every, only_given = _every(fitted), _only_given(fitted)
        own = data.payload.frame.set_axis(given.rows.index, axis=0)
        rows = pd.concat([own, given.rows[list(only_given.names)]], axis=1)
        subjects, c = given.rows["subject_id"], self.config
        self._guard = RareValues.fit(rows, every, subjects, least=_LEAST)
        rows, learnt = self._guard.hide(rows), self._guard.schema
        self.codes = CodeColumns.fit(rows, learnt, subjects, least=_LEAST)
        fields = self.codes.schema(learnt)
        cells = cells_of(self.codes.expand(rows, learnt), fields)
        self._table = TokenTable.fit(
            cells,
            pd.factorize(subjects)[0],
            fields,
            len(self.codes.schema(only_given)),
            bins=c.bins,
            rows_per_bin=c.rows_per_bin,
        )
        return self._table.encode(cells)[0]

    def _training(self, n: int) -> TrainConfig:
        """Return the settings for n rows."""
        most = self.config.train
        size = max(1, min(most.batch_size, n // _BATCHES))
        steps = max(_FEWEST_STEPS, self.config.epochs * n // size)
        return replace(most, batch_size=size, steps=min(most.steps, steps))

    def _sized(self, n: int) -> tuple[int, int]:
        """Return the widths for n rows: few rows get a narrow network, which is more private."""
        hidden = min(self.config.hidden, max(16, round(_WIDTH * n**0.5)))
        return hidden, min(self.config.inner, max(8, hidden // 2))

    def _dropout(self, n: int) -> float:
        return max(self.config.dropout, min(_MOST_DROPOUT, _THINNED / n**0.5))

    def _learn_critic(
        self, real: torch.Tensor, subjects: np.ndarray, seed: int, progress: Progress
    ) -> Critic:
        """Fit the critic on rows drawn given what the training rows were given."""
        conditions = torch.arange(real.shape[1]) < self._table.conditional
        known = conditions.expand(real.shape)
        drawn = []
        with progress.step("rows for the critic", self.config.critic.draws) as bar:
            for k in range(self.config.critic.draws):
                ids = [f"{k}.{i}" for i in range(len(real))]
                drawn.append(self._drawing(None, seed).rows(real, known, ids, Progress()))
                bar.advance()
        rows = np.concatenate(drawn)
        return fit_critic(real.numpy(), rows, subjects, self.config.critic, seed=seed)

    def _drawing(self, critic: Critic | None, seed: int) -> Drawing:
        c = self.config
        return Drawing(self._net, critic, 1 if critic is None else c.candidates, c.batch, seed)

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one row per condition; given cells come out exactly (see `Generator`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        asked = given.align(fitted.given)
        known = self.codes.conditions(self._guard.hide_conditions(asked))
        tokens, _ = self._table.asked(known)
        drawing = self._drawing(self._critic, seed)
        drawn = drawing.rows(tokens, tokens != MASKED, known.sample_ids, progress or Progress())
        within = seeding.uniform(seed, known.sample_ids, drawn.shape[1], stream="within")
        frame = self.codes.collapse(self._table.decode(drawn, within), _every(fitted))
        return records(self._guard.show(frame[list(fitted.table.names)], asked), asked, fitted)

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        fitted = fitted_or_error(self.fitted, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("fitted", fitted.to_json())
            draft.json("guard", self._guard.to_json())
            draft.json("codes", self.codes.to_json())
            draft.json("table", self._table.to_json())
            draft.json("network", {"widths": list(self._widths)})
            draft.arrays("network", state_arrays(self._net))
            draft.arrays("critic", self._critic.arrays())

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        config = saved.json("config")
        parts = {"critic": CriticConfig, "train": TrainConfig}
        made = {name: kind(**config[name]) for name, kind in parts.items()}
        model = cls(Config(**config | made))
        model.fitted = Fitted.from_json(saved.json("fitted"))
        model._guard = RareValues.from_json(saved.json("guard"))
        model.codes = CodeColumns.from_json(saved.json("codes"))
        model._table = TokenTable.from_json(saved.json("table"))
        hidden, inner = saved.json("network")["widths"]
        model._widths = (hidden, inner)
        model._net = seeded(0, model._network)
        load_state(model._net, saved.arrays("network"))
        model._net.eval()
        model._critic = Critic.of_arrays(saved.arrays("critic"))
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return a narrow network that is trained for some steps only."""
        settings = TrainConfig(steps=60, batch_size=32, learning_rate=1e-2, warmup=5)
        critic = CriticConfig(trees=5, leaves=4, draws=2)
        return cls(Config(hidden=24, inner=16, batch=32, epochs=60, critic=critic, train=settings))

    def _network(self) -> Network:
        columns = self._table.columns
        return Network(
            [column.counts for column in columns],
            [column.place_table().mean(axis=1) for column in columns],
            hidden=self._widths[0],
            inner=self._widths[1],
            paired=[
                j
                for j, column in enumerate(columns)
                if column.column.field.kind is Kind.CATEGORICAL and column.size >= _MANY
            ],
        )


def _only_given(fitted: Fitted) -> Schema:
    """Return the fields that are only ever given."""
    return Schema(tuple(f for f in fitted.given if f.name not in fitted.table))


def _every(fitted: Fitted) -> Schema:
    """Return the fields that are only ever given, then those of the table."""
    return Schema((*_only_given(fitted), *fitted.table))
