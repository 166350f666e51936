"""The networks of the DCGAN and their alternating training."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from casemix.core import seeding
from casemix.core.progress import Progress
from casemix.errors import FitError
from casemix.modalities.imaging.conditioning import Steering, with_constant

NOISE = 64  # numbers that a picture starts from
_EMA = 0.995
_BETAS = (0.0, 0.9)  # Adam, as usual with spectral normalisation


@dataclass(frozen=True)
class Frame:
    """What the networks draw: maps of one size.

    Args:
        maps: channels of pictures, and one per mask label and frame.
        pictures: how many of the maps are picture channels.
        labels: mask labels, 0 = no masks.
        height: pixels.
        width: pixels.
    """

    maps: int
    pictures: int
    labels: int
    height: int
    width: int

    @property
    def doublings(self) -> int:
        """How often a start of 4 to 7 pixels is doubled."""
        return max((min(self.height, self.width) // 4).bit_length() - 1, 0)

    @property
    def start(self) -> tuple[int, int]:
        """Height and width that the generator starts from, pixels."""
        factor = 2**self.doublings
        return -(-self.height // factor), -(-self.width // factor)


class Painter(nn.Module):
    """DCGAN generator with group normalisation, which has no train and test mode to mix up.

    Args:
        frame: what to draw.
        conditions: numbers per sample, 0 or more.
        width: channels at full resolution; doubled at each coarser one, up to eightfold.
    """

    def __init__(self, frame: Frame, conditions: int, width: int) -> None:
        super().__init__()
        self.frame = frame
        widths = [width * min(2**k, 8) for k in range(frame.doublings, -1, -1)]
        self.first = widths[0]
        self.enter = nn.Linear(NOISE + conditions + 1, widths[0] * frame.start[0] * frame.start[1])
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GroupNorm(8, a), nn.SiLU(), nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, 1, 1)
            )
            for a, b in pairwise(widths)
        )
        self.leave = nn.Sequential(
            nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, frame.maps, 3, padding=1)
        )

    def forward(self, noise: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        """Return maps, (b, maps, h, w): pictures in [-1, 1], then label probabilities."""
        h = self.enter(torch.cat([noise, with_constant(conditions)], dim=1))
        h = h.reshape(len(h), self.first, *self.frame.start)
        for block in self.blocks:
            h = block(h)
        h = self.leave(h)[:, :, : self.frame.height, : self.frame.width]
        drawn = torch.tanh(h[:, : self.frame.pictures])
        if not self.frame.labels:
            return drawn
        labels = h[:, self.frame.pictures :].unflatten(1, (-1, self.frame.labels))
        return torch.cat([drawn, labels.softmax(dim=2).flatten(1, 2)], dim=1)


class Critic(nn.Module):
    """Spectrally normalised discriminator; conditions enter by projection.

    References:
        Miyato T et al. Spectral normalization for GANs. ICLR 2018.
        Miyato T, Koyama M. cGANs with projection discriminator. ICLR 2018.
    """

    def __init__(self, frame: Frame, conditions: int, width: int) -> None:
        super().__init__()
        widths = [width * min(2**k, 8) for k in range(frame.doublings + 1)]
        layers: list[nn.Module] = [spectral_norm(nn.Conv2d(frame.maps, width, 3, padding=1))]
        for a, b in pairwise(widths):
            layers += [nn.LeakyReLU(0.2), spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1))]
        self.body = nn.Sequential(*layers, nn.LeakyReLU(0.2))
        self.judge = spectral_norm(nn.Linear(widths[-1], 1))
        self.match = spectral_norm(nn.Linear(conditions + 1, widths[-1]))

    def forward(self, maps: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        """Return how real the maps look for these conditions, (b, 1)."""
        seen = self.body(maps).mean(dim=(2, 3))  # (b, features)
        fit = (seen * self.match(with_constant(conditions))).sum(dim=1, keepdim=True)
        return self.judge(seen) + fit


def play(
    painter: Painter,
    critic: Critic,
    real: torch.Tensor,
    steering: Steering,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    progress: Progress,
) -> None:
    """Train both in turns with the hinge loss; the painter ends as its moving average.

    Args:
        painter: changed in place.
        critic: changed in place.
        real: maps of the training pictures, (n, maps, h, w).
        steering: their conditions.
        steps: turns of each.
        batch_size: rows per turn.
        learning_rate: of the painter; the critic's is twice as large.
        seed: of batches and noise.
        progress: where to report.

    Raises:
        FitError: the losses are no longer finite.
    """
    accelerator = Accelerator()
    slow = torch.optim.Adam(painter.parameters(), lr=learning_rate, betas=_BETAS)
    fast = torch.optim.Adam(critic.parameters(), lr=2 * learning_rate, betas=_BETAS)
    artist, judge, slow, fast = accelerator.prepare(painter, critic, slow, fast)
    average = [p.detach().clone() for p in painter.parameters()]
    real = real.to(accelerator.device)
    with progress.step("adversaries", steps) as bar:
        for step in range(steps):
            draw = torch.Generator().manual_seed(seeding.child(seed, "turn", step))
            rows = torch.randint(len(real), (batch_size,), generator=draw).to(accelerator.device)
            given = steering.dropped(rows, draw)
            noise = torch.randn(2, batch_size, NOISE, generator=draw).to(accelerator.device)

            with torch.no_grad():
                fake = artist(noise[0], given)
            loss = F.relu(1 - judge(real[rows], given)) + F.relu(1 + judge(fake, given))
            _descend(accelerator, fast, loss.mean())
            wish = -judge(artist(noise[1], given), given).mean()
            _descend(accelerator, slow, wish)
            if not torch.isfinite(wish):
                raise FitError("The losses are not finite.", next_step="Lower the learning rate.")
            torch._foreach_lerp_(average, [p.detach() for p in painter.parameters()], 1 - _EMA)
            bar.advance(note=f"critic {float(loss.detach().mean()):.2f}")
    with torch.no_grad():
        for parameter, mean in zip(painter.parameters(), average, strict=True):
            parameter.copy_(mean)
    accelerator.free_memory()
    painter.to("cpu").eval()


def _descend(
    accelerator: Accelerator, optimiser: torch.optim.Optimizer, loss: torch.Tensor
) -> None:
    optimiser.zero_grad(set_to_none=True)
    accelerator.backward(loss)
    optimiser.step()
