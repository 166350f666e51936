"""Neural autoregression over the cells of a row: the quality method."""

from __future__ import annotations

from collections.abc import Callable
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
from casemix.modalities.tabular.candidates import Draws
from casemix.modalities.tabular.masked.row_tokens import RowTokens
from casemix.modalities.tabular.masked.tokens import MASKED
from casemix.modalities.tabular.nade.build import Size, network
from casemix.modalities.tabular.nade.drawing import drawn, needs_several
from casemix.modalities.tabular.nade.ensemble import Ensemble
from casemix.modalities.tabular.nade.known_cells import KnownCells
from casemix.modalities.tabular.nade.network import Nade as Network
from casemix.modalities.tabular.records import check_fit, fitted_or_error

_NAME = "tabular/nade"
_BATCHES = 8  # per epoch at least: few rows get small batches
_FEWEST_SUBJECTS = 5  # per part; with fewer one network learns them all
_FEWEST_STEPS = 320  # of the optimiser; a narrow network cannot learn rows by heart so soon
_WIDTH = 1.5  # most width of the sums, per square root of the rows
_THINNED = 6.0  # least dropout, times the square root of the rows
_MOST_DROPOUT = 0.3


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
        networks: how many take turns in drawing rows.
        parts: parts of the subjects where rows are fewer than ``few``: each network is then the
            mean of as many that know one part each, which is more private.
        few: training rows below which subjects are divided.
        epochs: passes over the training rows; more of few rows, ``train.steps`` at most.
        candidates: rows drawn for each row that has a cell known before its turn, the networks in
            turn, of which one is chosen.
        batch: rows drawn at a time; part of what makes a sample bit-identical.
        train: optimiser settings.
    """

    hidden: int = 192
    inner: int = 96
    dropout: float = 0.25
    bins: int = 48
    rows_per_bin: int = 20
    whole: float = 0.5
    networks: int = 4
    parts: int = 3
    few: int = 6000
    epochs: int = 12
    candidates: int = 8
    batch: int = 1024
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=4000, batch_size=256, learning_rate=3e-3, weight_decay=0.1, ema_decay=0.99
        )
    )


class Nade(Generator):
    """Draws each cell given those before it and those asked for.

    Every column is one token: missing, one of its levels or common numbers, or a quantile bin, in
    which a smoothed density places the number. A network learns each column given all columns
    before it and any others (orderless NADE), so that any cells can be fixed without rejection.
    How often two levels of many-level columns meet is counted and added to its log-odds, and
    levels that begin alike share weights. Each row is drawn by a network thinned at random, as
    each row was in training; rows with cells known before their turn are chosen among several
    (sampling-importance resampling).
    Several networks draw the columns in two orders, so that the errors of one are not those of the
    next. Where rows are few, each is the mean of networks that know other subjects (disjoint
    bagging), so that what one has learnt of a person counts for little. Levels and numbers of few
    subjects are neither learnt nor shown (`RareValues`).

    Reference:
        Uria et al., Neural autoregressive distribution estimation, JMLR 2016; 17:205.
        Gal and Ghahramani, Dropout as a Bayesian approximation, ICML 2016.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._rows: RowTokens | None = None
        self._size: Size
        self._ensembles: list[Ensemble] = []

    @property
    def codes(self) -> CodeColumns:
        """How lists of codes were learnt."""
        return self._rows.codes if self._rows else CodeColumns()

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn the distribution of rows (see `Generator.fit`)."""
        fitted = check_fit(data, given, self.honours, _NAME, codes=True)
        c, progress = self.config, progress or Progress()
        rows, cells = RowTokens.learn(data, given, fitted, bins=c.bins, rows_per_bin=c.rows_per_bin)
        tokens = rows.table.encode(cells)[0]
        subjects = given.rows["subject_id"].to_numpy()
        parts = c.parts if len(tokens) < c.few else 1
        if len(set(subjects)) < _FEWEST_SUBJECTS * parts:
            parts = 1
        self._rows, self._size = rows, self._sized(len(tokens) // parts)
        self._ensembles = [
            self._ensemble(k, tokens, subjects, parts, seeding.child(seed, "network", k), progress)
            for k in range(c.networks)
        ]
        return self

    def _ensemble(
        self,
        k: int,
        tokens: torch.Tensor,
        subjects: np.ndarray,
        parts: int,
        seed: int,
        progress: Progress,
    ) -> Ensemble:
        """Train the k-th network, or one for each part of the subjects."""
        part, nets = _part(subjects, parts, seed), []
        for p in range(parts):
            own_seed, mine = seeding.child(seed, "part", p), part == p
            net = seeded(own_seed, self._untrained(k))
            shown = progress.within(f"network {k}.{p}" if parts > 1 else f"network {k}")
            self._train(net, tokens[mine], subjects[mine], own_seed, shown)
            nets.append(net)
        return Ensemble(nets)

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

    def _untrained(self, k: int) -> Callable[[], Network]:
        """Return what builds the k-th network."""
        return partial(network, self._tokens.table, k, self._size)

    def _training(self, n: int) -> TrainConfig:
        """Return the settings for n rows."""
        most = self.config.train
        size = max(1, min(most.batch_size, n // _BATCHES))
        steps = max(_FEWEST_STEPS, self.config.epochs * n // size)
        return replace(most, batch_size=size, steps=min(most.steps, steps))

    def _sized(self, n: int) -> Size:
        """Return the size for n rows: few rows get a narrow network, which is more private."""
        c = self.config
        hidden = min(c.hidden, max(16, round(_WIDTH * n**0.5)))
        dropout = max(c.dropout, min(_MOST_DROPOUT, _THINNED / n**0.5))
        return Size(hidden, min(c.inner, max(8, hidden // 2)), dropout)

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
        fixed, ids = tokens != MASKED, known.sample_ids
        several = needs_several(self._ensembles, fixed)
        draws = Draws(ids, several, self.config.candidates, self.config.batch, seed)
        with (progress or Progress()).step("rows", len(tokens)) as bar:
            made = drawn(self._ensembles, tokens, fixed, draws, bar)
        within = seeding.uniform(seed, ids, made.shape[1], stream="within")
        return rows.samples(rows.table.decode(made, within), asked)

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        rows = self._tokens
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("rows", rows.to_json())
            parts = [len(ensemble.nets) for ensemble in self._ensembles]
            draft.json("networks", {"size": self._size._asdict(), "parts": parts})
            for k, ensemble in enumerate(self._ensembles):
                for p, net in enumerate(ensemble.nets):
                    draft.arrays(f"network{k}_{p}", state_arrays(net))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        config = saved.json("config")
        model = cls(Config(**config | {"train": TrainConfig(**config["train"])}))
        model._rows = RowTokens.from_json(saved.json("rows"))
        about = saved.json("networks")
        model._size = Size(**about["size"])
        for k, count in enumerate(about["parts"]):
            nets = [seeded(0, model._untrained(k)) for _ in range(count)]
            for p, net in enumerate(nets):
                load_state(net.eval(), saved.arrays(f"network{k}_{p}"))
            model._ensembles.append(Ensemble(nets))
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return two narrow networks of two parts that are trained for some steps only."""
        settings = TrainConfig(steps=60, batch_size=32, learning_rate=1e-2, warmup=5)
        sizes = {"hidden": 24, "inner": 16, "networks": 2, "parts": 2, "epochs": 60}
        return cls(Config(**sizes, candidates=4, batch=32, train=settings))


def _part(subjects: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Return the part, of so many, that each row's subject is in, (n,)."""
    owner = np.unique(subjects, return_inverse=True)[1]
    return (seeding.generator(seed, "parts").permutation(int(owner.max()) + 1) % parts)[owner]
