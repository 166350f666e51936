"""Masked diffusion: a network that finds any hidden cells of a row from any others."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch

from casemix.core import artifact, seeding
from casemix.core.code_columns import CodeColumns
from casemix.core.conditions import ALL_KINDS, Conditions
from casemix.core.fields import Kind
from casemix.core.generator import Generator
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig, device, load_state, seeded, state_arrays, train
from casemix.modalities.tabular.candidates import Draws, late
from casemix.modalities.tabular.masked.network import MaskedNetwork
from casemix.modalities.tabular.masked.row_tokens import RowTokens
from casemix.modalities.tabular.masked.sampling import log_probability, uncover
from casemix.modalities.tabular.masked.size import Size, few
from casemix.modalities.tabular.masked.stopping import stopped
from casemix.modalities.tabular.masked.table import TokenTable
from casemix.modalities.tabular.masked.tokens import MASKED
from casemix.modalities.tabular.records import check_fit, fitted_or_error

_NAME = "tabular/masked_diffusion"
_BATCHES = 8  # per epoch at least: few rows get small batches


@dataclass(frozen=True)
class Config:
    """How to learn and to draw.

    The defaults are for minutes on a CPU. A GPU allows more, such as ``hidden=1024``,
    ``layers=6``, ``epochs=200``, ``batch=8192`` and ``TrainConfig(steps=20_000,
    batch_size=2048)`` for 200,000 rows; bf16 is used there by itself.

    Args:
        hidden: most width of the network; few rows get less.
        layers: most residual blocks; few rows get fewer.
        bins: most quantile bins of a number.
        rows_per_bin: least training rows of each.
        ordered: share of training rows whose hidden cells are the last ones in the order of
            sampling, the rest hides any cells. 1 is for drawing whole rows; the less, the better
            known are cells given any others.
        dropout: least share of the units that training drops; few rows get more.
        steps: network passes from conditions to rows; 0 = one column at a time, the best.
        epochs: most passes over the training rows, whatever ``train.steps``; of few rows as many
            as subjects left out speak for, or the rows would be learnt by heart.
        candidates: rows drawn for each row that has a cell known before its turn; one of them is
            chosen, in proportion to how likely it is as a whole row.
        batch: rows drawn at a time; part of what makes a sample bit-identical.
        train: optimiser settings.
    """

    hidden: int = 256
    layers: int = 3
    bins: int = 48
    rows_per_bin: int = 20
    ordered: float = 0.5
    dropout: float = 0.0
    steps: int = 0
    epochs: int = 60
    candidates: int = 8
    batch: int = 1024
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(
            steps=3000, batch_size=512, learning_rate=2e-3, weight_decay=0.02, ema_decay=0.998
        )
    )


class MaskedDiffusion(Generator):
    """Hides random cells of each row in training, and uncovers them one by one in sampling.

    Every column is one token: missing, one of its levels or common numbers, or a quantile bin, in
    which a smoothed density places the number. The network sees a row with any tokens hidden and
    says how likely each hidden one is. Conditions are tokens that are never hidden: those of the
    table's own columns and further ones alike, any subset of them, without rejection. What
    conditions leave open is drawn with the rest. Levels and numbers of few subjects are neither
    learnt nor shown (`RareValues`).

    Reference:
        Sahoo et al., Simple and effective masked diffusion language models, NeurIPS 2024.
        Hoogeboom et al., Autoregressive diffusion models, ICLR 2022.
    """

    modality: ClassVar[str] = "tabular"
    honours: ClassVar[frozenset[Kind]] = ALL_KINDS

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self._rows: RowTokens | None = None
        self._size: Size
        self._net: MaskedNetwork

    @property
    def codes(self) -> CodeColumns:
        """How lists of codes were learnt."""
        return self._rows.codes if self._rows else CodeColumns()

    def fit(
        self, data: Samples, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Self:
        """Learn cells given any others (see `Generator.fit`)."""
        fitted = check_fit(data, given, self.honours, _NAME, codes=True)
        c = self.config
        rows, cells = RowTokens.learn(data, given, fitted, bins=c.bins, rows_per_bin=c.rows_per_bin)
        n = len(cells)
        self._size = Size.of(n, Size(c.hidden, c.layers, c.dropout))
        loss = rows.table.loss(cells, c.ordered)
        loss = replace(loss, dropout=self._size.dropout, widths=self._size.widths)
        settings, progress = self._training(n), progress or Progress()
        build = partial(seeded, seed, partial(_network, rows.table, self._size))
        if few(n):
            subjects = given.rows["subject_id"].to_numpy()
            settings = stopped(build, loss, subjects, settings, seed=seed, progress=progress)
        net = build()
        train(net, loss, n, settings, seed=seed, progress=progress, label="rows")
        self._rows, self._net = rows, net.eval()
        return self

    def _training(self, n: int) -> TrainConfig:
        """Return the settings for n rows, with the most steps."""
        most = self.config.train
        size = max(1, min(most.batch_size, n // _BATCHES))
        steps = max(1, min(most.steps, self.config.epochs * n // size))
        return replace(most, batch_size=size, steps=steps)

    def generate(
        self, given: Conditions, *, seed: int, progress: Progress | None = None
    ) -> Samples:
        """Return one row per condition; given cells come out exactly (see `Generator`)."""
        rows = fitted_or_error(self._rows, _NAME)
        asked = given.align(rows.fitted.given)
        frame = self._drawn(rows.table, rows.known(asked), seed, progress or Progress())
        return rows.samples(frame, asked)

    def _drawn(
        self, table: TokenTable, known: Conditions, seed: int, progress: Progress
    ) -> pd.DataFrame:
        """Return rows as the table of tokens has them, in the order of the conditions."""
        tokens, places = table.asked(known)
        ids, d, where = known.sample_ids, tokens.shape[1], device()
        steps = table.steps(self.config.steps)
        tables = [torch.from_numpy(c.place_table()).to(where) for c in table.columns]
        several = late((tokens != MASKED).numpy()[:, [j for step in steps for j in step]])
        draws = Draws(ids, several, self.config.candidates, self.config.batch, seed)
        net = self._net.to(where)

        def propose(k: int, _: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            u = seeding.uniform(seed, [ids[i] for i in at], 2 * d, stream=f"cells {k}")
            start = tokens[at].to(where), places[at].to(where)
            drawn = uncover(net, *start, torch.from_numpy(u).to(where), steps, tables)
            rows = np.concatenate([drawn.tokens.cpu().numpy(), u[:, d:]], axis=1)
            if not several[at].any():
                return rows, np.zeros(len(at))
            whole = log_probability(net, drawn.tokens, drawn.places, steps)
            return rows, (whole - drawn.log_probability).cpu().numpy()

        with progress.step("rows", len(ids)) as bar:
            made = draws.rows(np.empty((len(ids), 2 * d)), propose, bar)
        self._net = net.to("cpu")
        return table.decode(made[:, :d].astype(np.int64), made[:, d:])

    def save(self, folder: Path) -> None:
        """Write the model (see `Generator.save`)."""
        rows = fitted_or_error(self._rows, _NAME)
        with artifact.writing(folder, _NAME) as draft:
            draft.json("config", asdict(self.config))
            draft.json("rows", rows.to_json())
            draft.json("size", asdict(self._size))
            draft.arrays("network", state_arrays(self._net))

    @classmethod
    def load(cls, folder: Path, *, trust: bool = False) -> Self:
        """Read a saved model (see `Generator.load`)."""
        saved = artifact.reading(folder, _NAME, trust=trust)
        config = saved.json("config")
        model = cls(Config(**config | {"train": TrainConfig(**config["train"])}))
        model._rows = rows = RowTokens.from_json(saved.json("rows"))
        model._size = Size(**saved.json("size"))
        model._net = seeded(0, partial(_network, rows.table, model._size))
        load_state(model._net, saved.arrays("network"))
        model._net.eval()
        return model

    @classmethod
    def tiny(cls) -> Self:
        """Return a narrow network that is trained for some steps only."""
        settings = TrainConfig(steps=60, batch_size=32, learning_rate=5e-3, warmup=5)
        return cls(Config(hidden=32, layers=1, batch=32, train=settings))


def _network(table: TokenTable, size: Size) -> MaskedNetwork:
    along = [column.place_table().mean(axis=1) for column in table.columns]
    counts = [column.counts for column in table.columns]
    return MaskedNetwork(counts, along, hidden=size.hidden, layers=size.layers)
