"""Fitting the links of a chain, side by side in processes, and going on after a stop."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from casemix.core.conditions import Conditions
from casemix.core.generator import Generator
from casemix.core.parallel import run_all
from casemix.core.progress import Progress
from casemix.core.samples import Samples

_DONE = "fitted"


@dataclass(frozen=True)
class LinkFit:
    """One link of the chain, ready to be fitted in any process.

    Args:
        name: names the link's checkpoint folder.
        generator: not fitted yet.
        samples: what it is to learn.
        given: what it is to be conditioned on, one row per sample.
        seed: seed of the fit.
    """

    name: str
    generator: Generator
    samples: Samples
    given: Conditions
    seed: int

    def fit(self, progress: Progress) -> Generator:
        """Return the fitted generator."""
        return self.generator.fit(self.samples, self.given, seed=self.seed, progress=progress)

    def __call__(self, progress: Progress) -> None:
        """Fit the link and keep it in the checkpoint folder, unless an earlier run has."""
        part = progress.within(self.name)
        assert part.checkpoints is not None
        if not (part.checkpoints / _DONE).exists():
            self.fit(part).save(part.checkpoints / _DONE)

    def kept(self, checkpoints: Path) -> Generator:
        """Return the fitted generator from the checkpoint folder of the whole chain."""
        # Trusted: written just now, or by this run's own earlier try.
        return type(self.generator).load(checkpoints / self.name / _DONE, trust=True)


def fit_links(
    links: Sequence[LinkFit], *, workers: int, progress: Progress
) -> dict[str, Generator]:
    """Return the fitted generators by name, in the chain's order.

    With several workers or a checkpoint folder the last (dearest) link is fitted first.

    Args:
        links: the links, in the chain's order.
        workers: processes that fit side by side.
        progress: with a checkpoint folder, finished links are kept there and read again.
    """
    if progress.checkpoints is None and workers == 1:
        return {link.name: link.fit(progress) for link in links}
    with tempfile.TemporaryDirectory() as scratch:
        folder = progress.checkpoints or Path(scratch)
        run_all(list(reversed(links)), workers=workers, progress=Progress(progress.bar, folder))
        return {link.name: link.kept(folder) for link in links}
