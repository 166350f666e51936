"""The alternating training of painter and critic, with checkpoints and exact resume.

Everything random in a turn follows from ``(seed, step)`` alone, as in `casemix.core.training`,
and checkpoints lie in a folder of the same form.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from casemix.core import seeding
from casemix.core.files import atomic_folder, read_json
from casemix.core.progress import Progress
from casemix.core.training import device
from casemix.errors import FitError
from casemix.modalities.imaging.adversarial_nets import GROUP, NOISE, Critic, Painter
from casemix.modalities.imaging.augmentation import augmented
from casemix.modalities.imaging.conditioning import Steering
from casemix.modalities.imaging.grain import GrainLevel

_EMA = 0.995
_BETAS = (0.0, 0.9)  # Adam, as usual with spectral normalisation
_JITTER = 0.05  # standard deviations, on numeric conditions


@dataclass(frozen=True)
class PlaySettings:
    """How to train.

    Args:
        steps: turns of painter and critic.
        batch_size: rows per turn, a multiple of four.
        learning_rate: of the painter; the critic's is twice as large.
        checkpoint_seconds: least time between two checkpoints.
    """

    steps: int
    batch_size: int
    learning_rate: float
    checkpoint_seconds: float = 20.0


def play(
    painter: Painter,
    critic: Critic,
    real: torch.Tensor,
    steering: Steering,
    grain: GrainLevel,
    settings: PlaySettings,
    *,
    seed: int,
    progress: Progress,
) -> None:
    """Train both in turns with the hinge loss; the painter ends as its moving average.

    Args:
        painter: changed in place.
        critic: changed in place.
        real: maps of the training pictures, (n, maps, h, w).
        steering: their conditions.
        grain: fitted on them.
        settings: see there.
        seed: of batches and noise.
        progress: where to report, and the folder in which checkpoints are kept; with a folder,
            training resumes exactly where an earlier call stopped.

    Raises:
        FitError: a batch that has no groups of four, or losses that are no longer finite.
    """
    if settings.batch_size % GROUP or settings.batch_size < 1:
        raise FitError(
            "The critic compares pictures in groups of four.",
            given=f"batch_size {settings.batch_size}",
            allowed="a multiple of 4",
        )
    match = _Match(painter, critic, settings, progress.checkpoints)
    match.resume()
    real = real.to(device()).contiguous(memory_format=torch.channels_last)
    with progress.step("adversaries", settings.steps, done=match.step) as bar:
        while match.step < settings.steps:
            loss = match.turn(real, steering, grain, seed)
            bar.advance(note=f"critic {loss:.2f}")
            match.checkpoint()
    match.finish()


class _Match:
    """Both networks with their optimisers and the painter's average, and their checkpoint."""

    def __init__(
        self, painter: Painter, critic: Critic, settings: PlaySettings, folder: Path | None
    ) -> None:
        self.painter, self.critic = painter, critic
        for net in (painter, critic):
            net.to(device()).to(memory_format=torch.channels_last).train()
        self.settings = settings
        self.folder = folder
        self.step = 0
        rate = settings.learning_rate
        self.optimisers = {
            "painter": torch.optim.Adam(painter.parameters(), lr=rate, betas=_BETAS),
            "critic": torch.optim.Adam(critic.parameters(), lr=2 * rate, betas=_BETAS),
        }
        self.average = {k: p.detach().clone() for k, p in painter.named_parameters()}
        self._saved_at = time.monotonic()

    def turn(self, real: torch.Tensor, steering: Steering, grain: GrainLevel, seed: int) -> float:
        """Let the critic learn, then the painter from the same pictures; return the critic's loss.

        Raises:
            FitError: a loss that is not finite.
        """
        draw = torch.Generator().manual_seed(seeding.child(seed, "turn", self.step))
        size, frame = self.settings.batch_size, self.painter.frame
        rows = torch.randint(len(real), (size,), generator=draw).to(real.device)
        given = steering.dropped(rows, draw, jitter=_JITTER)
        noise = torch.randn(size, NOISE, generator=draw).to(real.device)
        fine = torch.randn(size, frame.pictures, frame.height, frame.width, generator=draw)
        level = grain.draw(given, torch.randn(size, frame.pictures, generator=draw).to(real.device))
        made = self.painter(noise, fine.to(real.device) * level[:, :, None, None], given)

        seen = torch.cat([augmented(real[rows], draw), augmented(made.detach(), draw)])
        true, false = self.critic(seen, given.repeat(2, 1)).chunk(2)
        loss = (F.relu(1 - true) + F.relu(1 + false)).mean()
        _descend(self.optimisers["critic"], loss)
        self.critic.requires_grad_(False)
        wish = -self.critic(augmented(made, draw), given).mean()
        _descend(self.optimisers["painter"], wish)
        self.critic.requires_grad_(True)
        if not math.isfinite(float(wish.detach()) + float(loss.detach())):
            raise FitError("The losses are not finite.", next_step="Lower the learning rate.")
        self.step += 1
        self._follow()
        return float(loss.detach())

    def _follow(self) -> None:
        decay = min(_EMA, self.step / (9 + self.step))  # short runs forget their random start
        newest = [p.detach() for p in self.painter.parameters()]
        torch._foreach_lerp_(list(self.average.values()), newest, 1 - decay)

    def checkpoint(self) -> None:
        """Keep the state if a folder is given and the last checkpoint is old enough."""
        last = self.step >= self.settings.steps
        old = time.monotonic() - self._saved_at >= self.settings.checkpoint_seconds
        if self.folder is None or not (last or old):
            return
        state = {f"average.{k}": a for k, a in self.average.items()}
        for name, net in self._nets.items():
            state |= {f"{name}.{k}": a for k, a in net.state_dict().items()}
            for k, p in net.named_parameters():
                moments = self.optimisers[name].state[p]
                state |= {f"adam.{name}.{m}.{k}": v for m, v in moments.items()}
        with atomic_folder(self.folder / "training", replace=True) as draft:
            # One copy each, because a file cannot hold tensors that share memory.
            whole = {k: a.detach().cpu().contiguous().clone() for k, a in state.items()}
            save_file(whole, draft / "state.safetensors")
            about = {"step": self.step, "config": asdict(self.settings)}
            (draft / "step.json").write_text(json.dumps(about))
        self._saved_at = time.monotonic()

    def resume(self) -> None:
        """Take up the checkpoint of an earlier run with the same settings, if there is one."""
        if self.folder is None or not (self.folder / "training" / "step.json").is_file():
            return
        about = read_json(self.folder / "training" / "step.json")
        if about["config"] != asdict(self.settings):
            return  # settings changed: start again
        state = load_file(self.folder / "training" / "state.safetensors")
        for name, net in self._nets.items():
            net.load_state_dict({k: state[f"{name}.{k}"] for k in net.state_dict()})
            for k, p in net.named_parameters():
                moments = ("step", "exp_avg", "exp_avg_sq")
                kept = {m: state[f"adam.{name}.{m}.{k}"] for m in moments}
                self.optimisers[name].state[p] = {m: _like(v, p, m) for m, v in kept.items()}
        for k, mean in self.average.items():
            mean.copy_(state[f"average.{k}"])
        self.step = int(about["step"])

    def finish(self) -> None:
        """Put the averaged weights into the painter, back on the CPU."""
        with torch.no_grad():
            for k, p in self.painter.named_parameters():
                p.copy_(self.average[k])
        self.painter.to("cpu").eval()

    @property
    def _nets(self) -> dict[str, nn.Module]:
        return {"painter": self.painter, "critic": self.critic}


def _like(value: torch.Tensor, parameter: torch.Tensor, name: str) -> torch.Tensor:
    """Return a moment as the optimiser holds it; its step count stays on the CPU."""
    if name == "step":
        return value.clone()
    return torch.empty_like(parameter).copy_(value)


def _descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
