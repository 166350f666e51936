"""Neural autoregression over the cells of a row, corrected by critics: the quality method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch

from casemix.core import artifact, seeding
from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig, load_state, seeded, state_arrays, train
from casemix.modalities.tabular.masked.row_tokens import RowTokens
from casemix.modalities.tabular.masked.tokens import MASKED
from casemix.modalities.tabular.nade.build import network
from casemix.modalities.tabular.nade.critic import (
    SILENT,
    Contrast,
    Critic,
    CriticConfig,
    fit_critic,
)
from casemix.modalities.tabular.nade.drawing import Drawing, Member
from casemix.modalities.tabular.nade.known_cells import KnownCells
from casemix.modalities.tabular.nade.network import Nade as Network
from casemix.modalities.tabular.records import check_fit, fitted_or_error

_NAME = "tabular/nade"
_BATCHES = 8  # per epoch at least: few rows get small batches
_FEWEST_SUBJECTS = 5  # per network; with fewer one network learns them all
_FEWEST_STEPS = 320  # of the optimiser; a narrow network cannot learn rows by heart so soon
_WIDTH = 1.5  # most width of the sums, per square root of the rows
_THINNED = 6.0  # least dropout, times the square root of the rows
_MOST_DROPOUT = 0.3
_DRAWS_UNSEEN = 2  # per row of the subjects that a network leaves out


@dataclass(frozen=True)
class Config:
    """How to learn and to draw.

    Args:
        hidden: most width of the sums of embeddings; few rows get less.
        inner: most width of each column's own layer; at most half of ``hidden``.
        dropout: least share of both that each row does without; few rows get more.
        bins: most quantile bins of a number.
        rows_per_bin: least training rows of each.
        whole: share of training rows of which no cell is known from the start; the less, the
            better rows are drawn given any cells.
        networks: how many there are; each leaves out other subjects.
        epochs: passes over the training rows; more of few rows, ``train.steps`` at most.
        candidates: rows drawn for each row wanted, the networks in turn, of which one is chosen.
        batch: rows drawn at a time; part of what makes a sample bit-identical.
        critic: how each critic is fitted.
        train: optimiser settings.
    """

    hidden: int = 192
    inner: int = 96
    dropout: float = 0.25
    bins: int = 48
    rows_per_bin: int = 20
    whole: float = 0.5
    networks: int = 4
    epochs: int = 12
    candidates: int = 8
    batch: int = 1024
    critic: CriticConfig = field(default_factory=CriticConfig)
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=4000, batch_size=256, learning_rate=3e-3, weight_decay=0.1, ema_decay=0.99
        )
    )


class Nade(Generator):
    """Draws each cell given those before it and those asked for; critics choose among draws.

    Every column is one token: missing, one of its levels or common numbers, or a quantile bin, in
    which a smoothed density places the number. A network learns each column given all columns
    before it and any others (orderless NADE), so that any cells can be fixed without rejection.
    How often two levels of many-level columns meet is counted and added to its log-odds, and
    levels that begin alike share weights. Each row is drawn by a network thinned at random, as
    each row was in training.
    Several networks, each of which leaves out other subjects, draw the columns in two orders, so
    that the errors of one are not those of the next. Where rows are many, boosted trees learn
    what tells real ones from a network's draws, as far as the subjects that it left out bear it
    out, and each row is chosen among several candidates in proportion to that density ratio
    (sampling-importance resampling). Levels and numbers of few subjects are neither learnt nor
    shown (`RareValues`).

    Reference:
        Uria et al., Neural autoregressive distribution estimation, JMLR 2016; 17:205.
        Azadi et al., Discriminator rejection sampling, ICLR 2019.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._rows: RowTokens | None = None
        self._widths: tuple[int, int]
        self._dropout: float
        self._members: Sequence[Member] = ()

    @property
    def codes(self) -> CodeColumns:
        """How lists of codes were learnt."""
        return self._rows.codes if self._rows else CodeColumns()

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn rows, then what tells them from drawn ones (see `Generator.fit`)."""
        fitted = check_fit(data, given, self.honours, _NAME, codes=True)
        c, progress = self.config, progress or Progress()
        rows, cells = RowTokens.learn(data, given, fitted, bins=c.bins, rows_per_bin=c.rows_per_bin)
        tokens = rows.table.encode(cells)[0]
        subjects = given.rows["subject_id"].to_numpy()
        left_out = _left_out(subjects, c.networks, seed)
        n = int((left_out != 0).sum())
        self._widths, self._dropout = self._sized(n), self._thinned(n)
        members = []
        for k in range(max(left_out.max() + 1, 1)):
            learnt, own_seed = left_out != k, seeding.child(seed, "network", k)
            net = seeded(own_seed, partial(network, rows.table, k, self._widths, self._dropout))
            part = progress.within(f"network {k}")
            self._train(net, tokens[learnt], subjects[learnt], own_seed, part)
            critic = self._critic(net, tokens, learnt, rows.table.conditional, own_seed, part)
            members.append(Member(net, critic))
        self._rows, self._members = rows, members
        return self

    def _train(
        self,
        net: Network,
        tokens: torch.Tensor,
        subjects: np.ndarray,
        seed: int,
        progress: Progress,
    ) -> None:
        net.count_pairs(tokens.numpy(), subjects)
        n = len(tokens)
        loss = KnownCells(tokens, self.config.whole, net)
        train(net, loss, n, self._training(n), seed=seed, progress=progress, label="rows")

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

    def _thinned(self, n: int) -> float:
        """Return the dropout for n rows."""
        return max(self.config.dropout, min(_MOST_DROPOUT, _THINNED / n**0.5))

    def _critic(
        self,
        net: Network,
        tokens: torch.Tensor,
        learnt: np.ndarray,
        given: int,
        seed: int,
        progress: Progress,
    ) -> Critic:
        """Fit a network's critic, on rows drawn given what the training rows were given."""
        if learnt.all() or len(tokens) < self.config.critic.rows:
            return SILENT
        drawing = Drawing([Member(net, SILENT)], 1, self.config.batch, seed)

        def contrast(real: torch.Tensor, draws: int, name: str) -> Contrast:
            again = real.repeat(draws, 1)
            known = (torch.arange(real.shape[1]) < given).expand(again.shape)
            ids = [f"{name}.{i}" for i in range(len(again))]
            with progress.step("rows for the critic", len(again)) as bar:
                return Contrast(real.numpy(), drawing.rows(again, known, ids, bar))

        config = self.config.critic
        seen = contrast(tokens[learnt], config.draws, "learnt")
        unseen = contrast(tokens[~learnt], _DRAWS_UNSEEN, "unseen")
        return fit_critic(seen, unseen, config, seed=seeding.child(seed, "critic"))

    @property
    def _tokens(self) -> RowTokens:
        return fitted_or_error(self._rows, _NAME)

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one row per condition; given cells come out exactly (see `Generator`)."""
        rows = self._tokens
        asked = given.align(rows.fitted.given)
        known = rows.known(asked)
        tokens, _ = rows.table.asked(known)
        drawing = Drawing(self._members, self.config.candidates, self.config.batch, seed)
        with (progress or Progress()).step("rows", len(tokens)) as bar:
            drawn = drawing.rows(tokens, tokens != MASKED, known.sample_ids, bar)
        within = seeding.uniform(seed, known.sample_ids, drawn.shape[1], stream="within")
        return rows.samples(rows.table.decode(drawn, within), asked)

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        rows = self._tokens
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("rows", rows.to_json())
            about = {"widths": list(self._widths), "dropout": self._dropout}
            draft.json("networks", {**about, "count": len(self._members)})
            for k, member in enumerate(self._members):
                draft.arrays(f"network{k}", state_arrays(member.net))
                draft.arrays(f"critic{k}", member.critic.arrays())

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        config = saved.json("config")
        parts = {"critic": CriticConfig, "train": TrainConfig}
        made = {name: kind(**config[name]) for name, kind in parts.items()}
        model = cls(Config(**config | made))
        model._rows = RowTokens.from_json(saved.json("rows"))
        about = saved.json("networks")
        hidden, inner = about["widths"]
        model._widths, model._dropout = (hidden, inner), about["dropout"]
        build = partial(network, model._rows.table, widths=model._widths, dropout=model._dropout)
        nets = [seeded(0, partial(build, k)) for k in range(about["count"])]
        for k, net in enumerate(nets):
            load_state(net, saved.arrays(f"network{k}"))
        model._members = [
            Member(net.eval(), Critic.of_arrays(saved.arrays(f"critic{k}")))
            for k, net in enumerate(nets)
        ]
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return two narrow networks that are trained for some steps only."""
        settings = TrainConfig(steps=60, batch_size=32, learning_rate=1e-2, warmup=5)
        critic = CriticConfig(trees=5, leaves=4, draws=2, rows=0)
        return cls(
            Config(
                hidden=24,
                inner=16,
                networks=2,
                epochs=60,
                candidates=4,
                batch=32,
                critic=critic,
                train=settings,
            )
        )


def _left_out(subjects: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Return which network leaves out each row, (n,); -1 = none, where there are few subjects."""
    owner = np.unique(subjects, return_inverse=True)[1]
    count = int(owner.max()) + 1
    if parts < 2 or count < _FEWEST_SUBJECTS * parts:
        return np.full(len(subjects), -1)
    return (seeding.generator(seed, "left out").permutation(count) % parts)[owner]
