"""The one training loop: accelerate, EMA, clipping, mixed precision, exact resume, progress.

Everything random in a step (which rows, which noise) follows from ``(seed, step)`` alone, so a
run that is killed and started again goes on as if nothing had happened.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from safetensors.torch import load_file, save_file
from torch import nn

from casemix.core import seeding
from casemix.core.files import atomic_folder, read_json
from casemix.core.progress import Progress
from casemix.errors import ArtifactError, FitError

#: (model, positions of the batch (b,), noise generator on the CPU) -> scalar loss.
Loss = Callable[[nn.Module, torch.Tensor, torch.Generator], torch.Tensor]
T = TypeVar("T")


class Memory(Protocol):
    """What a loss keeps from step to step, so that a resumed run remembers it."""

    def state(self) -> dict[str, torch.Tensor]:
        """Return all of it as tensors, of any shapes, on any device."""

    def load_state(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take up what `state` returned, on the CPU."""


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Args:
        steps: optimiser steps.
        batch_size: rows per step, over all processes.
        learning_rate: peak of the cosine schedule (AdamW).
        warmup: optimiser steps of linear warm-up.
        weight_decay: AdamW's decoupled weight decay.
        clip_norm: largest norm of the gradient.
        ema_decay: decay of the exponential moving average of the weights; 0 = none.
        precision: ``auto`` (bf16 on an accelerator, fp32 on a CPU), ``fp32`` or ``bf16``.
        checkpoint_seconds: least time between two checkpoints.
        tracker: an accelerate tracker (``tensorboard``, ``wandb`` ...) that gets the loss of each
            step, or ``""``.
        tracker_folder: where a tracker that writes files puts them.
    """

    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup: int = 50
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    precision: str = "auto"
    checkpoint_seconds: float = 20.0
    tracker: str = ""
    tracker_folder: str = "training-logs"


def train(
    model: nn.Module,
    loss: Loss,
    n: int,
    config: TrainConfig,
    *,
    seed: int,
    progress: Progress | None = None,
    label: str = "training",
    memory: Memory | None = None,
) -> None:
    """Train the parameters that require a gradient, in place; they end as their EMA.

    Args:
        model: the network; moved to the accelerator's device and back to the CPU afterwards.
        loss: computes a batch's loss from the positions of its rows.
        n: number of training rows.
        config: see `TrainConfig`.
        seed: seed of batches and noise.
        progress: bar, and the folder in which checkpoints are kept; with a folder, training
            resumes exactly where an earlier call stopped, and a finished one returns at once.
        label: what the bar says.
        memory: what ``loss`` keeps from step to step; checkpoints hold it too.

    Raises:
        FitError: no rows, or a loss that is not finite.
    """
    if n < 1:
        raise FitError("There is nothing to train on.", given="0 rows")
    progress = progress or Progress()
    run = _Run(model, config, progress.checkpoints, memory)
    run.resume()
    model.train()
    with progress.step(label, config.steps, done=run.step) as bar:
        while run.step < config.steps:
            value = run.advance(loss, _batch(seed, run.step, n, config.batch_size), seed)
            bar.advance(1, note=f"loss {value:.3f}" if run.step % 10 == 0 else "")
            run.checkpoint(config.checkpoint_seconds)
    run.finish()


def device() -> torch.device:
    """Return the device that accelerate would use in this process."""
    return Accelerator().device


def seeded(seed: int, build: Callable[[], T]) -> T:
    """Return ``build()``, its weights drawn from ``seed``; the global random state is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.child(seed, "init"))
        return build()


def state_arrays(model: nn.Module) -> dict[str, np.ndarray]:
    """Return a network's state as arrays for `casemix.core.artifact`."""
    return {name: value.detach().cpu().numpy().copy() for name, value in model.state_dict().items()}


def load_state(model: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Load what `state_arrays` returned.

    Raises:
        ArtifactError: names or shapes are not those of the model.
    """
    weights = {name: torch.from_numpy(np.array(a)) for name, a in arrays.items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ArtifactError(
            f"The saved weights do not fit {type(model).__name__} of this casemix version.",
            next_step="Load them with the version that wrote them, or fit the model again.",
        ) from error


def _batch(seed: int, step: int, n: int, size: int) -> np.ndarray:
    """Return the rows of one step: consecutive slices of one fresh permutation per epoch."""
    wanted = np.arange(step * size, (step + 1) * size)
    rows = np.empty(size, dtype=np.int64)
    for epoch in np.unique(wanted // n):
        here = wanted // n == epoch
        rows[here] = seeding.generator(seed, "epoch", epoch).permutation(n)[wanted[here] % n]
    return rows


class _Run:
    """One training run: model, optimiser, EMA and step, and their checkpoint."""

    def __init__(
        self, model: nn.Module, config: TrainConfig, folder: Path | None, memory: Memory | None
    ) -> None:
        self.config = config
        self.folder = folder
        self.memory = memory
        self.step = 0
        self._saved_at = time.monotonic()
        self.half = _bf16(config.precision)
        self.accelerator = _accelerator(config)
        self.parameters = {k: p for k, p in model.named_parameters() if p.requires_grad}
        if not self.parameters:
            raise FitError("No parameter of the network requires a gradient.")
        optimiser = torch.optim.AdamW(
            self.parameters.values(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.source = model
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        self.ema = {k: p.detach().clone() for k, p in self.parameters.items()}

    def advance(self, loss: Loss, rows: np.ndarray, seed: int) -> float:
        """Take one optimiser step; return its loss."""
        mine = rows[self.accelerator.process_index :: self.accelerator.num_processes]
        noise = torch.Generator().manual_seed(
            seeding.child(seed, "noise", self.step, self.accelerator.process_index)
        )
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(self.step, self.config)
        device = self.accelerator.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.half):
            positions = torch.from_numpy(mine).to(device)
            value = loss(self.model, positions, noise)
        self.accelerator.backward(value)
        self.accelerator.clip_grad_norm_(self.parameters.values(), self.config.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self._average()
        number = float(value.detach())
        if not math.isfinite(number):
            raise FitError(
                f"The loss is not finite at step {self.step}.",
                given=number,
                next_step="Lower the learning rate, or check the data for extreme values.",
            )
        self.accelerator.log({"loss": number}, step=self.step)
        return number

    def _average(self) -> None:
        if self.config.ema_decay <= 0:
            return
        # Short runs would otherwise average over their random start.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step))
        names = list(self.ema)
        torch._foreach_lerp_(
            [self.ema[k] for k in names], [self.parameters[k].detach() for k in names], 1 - decay
        )

    def checkpoint(self, seconds: float) -> None:
        """Keep the state if a folder is given and the last checkpoint is old enough."""
        due = self.step >= self.config.steps or time.monotonic() - self._saved_at >= seconds
        if self.folder is None or not due or not self.accelerator.is_main_process:
            return
        weights = {f"model.{k}": p.detach().cpu() for k, p in self.source.state_dict().items()}
        averages = {f"ema.{k}": p.cpu() for k, p in self.ema.items()}
        moments: dict[str, torch.Tensor] = {}
        for k, p in self.parameters.items():
            state = self.optimiser.state.get(p, {})
            moments |= {f"adam.{name}.{k}": v.detach().cpu() for name, v in state.items()}
        kept = self.memory.state() if self.memory else {}
        remembered = {f"memory.{k}": v.detach().cpu() for k, v in kept.items()}
        parts = weights | averages | moments | remembered
        with atomic_folder(self.folder / "training", replace=True) as draft:
            whole = {k: v.contiguous().clone() for k, v in parts.items()}
            save_file(whole, draft / "state.safetensors")
            about = {"step": self.step, "config": asdict(self.config)}
            (draft / "step.json").write_text(json.dumps(about))
        self._saved_at = time.monotonic()

    def resume(self) -> None:
        """Take up the checkpoint of an earlier run with the same settings, if there is one."""
        if self.folder is None or not (self.folder / "training" / "step.json").is_file():
            return
        about = read_json(self.folder / "training" / "step.json")
        if about["config"] != asdict(self.config):
            return  # settings changed: start again
        state = load_file(self.folder / "training" / "state.safetensors")
        remembered = _under("memory.", state)
        if self.memory and not remembered:
            return  # of a version that did not keep it
        self.source.load_state_dict(_under("model.", state))
        if self.memory:
            self.memory.load_state(remembered)
        self.step = int(about["step"])
        for k, p in self.parameters.items():
            self.ema[k].copy_(state[f"ema.{k}"])
            self.optimiser.state[p] = {
                name: _on_device(state[f"adam.{name}.{k}"], p, name)
                for name in ("step", "exp_avg", "exp_avg_sq")
                if f"adam.{name}.{k}" in state
            }

    def finish(self) -> None:
        """Put the averaged weights into the model and free the accelerator's references."""
        if self.config.ema_decay > 0:
            with torch.no_grad():
                for k, p in self.parameters.items():
                    p.copy_(self.ema[k])
        self.accelerator.end_training()
        self.accelerator.free_memory()
        self.source.to("cpu").eval()


def _under(prefix: str, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _on_device(value: torch.Tensor, parameter: nn.Parameter, name: str) -> torch.Tensor:
    return value.clone() if name == "step" else value.to(parameter.device).clone()


def _accelerator(config: TrainConfig) -> Accelerator:
    if not config.tracker:
        return Accelerator()
    installed = sorted(str(tracker) for tracker in get_available_trackers())
    if config.tracker not in installed:
        raise FitError(
            "This tracker is unknown, or its package is not installed.",
            given=config.tracker,
            allowed=installed or "none is installed",
            next_step="Install its package, e.g. pip install 'casemix[trackers]' for tensorboard.",
        )
    accelerator = Accelerator(log_with=config.tracker, project_dir=config.tracker_folder)
    accelerator.init_trackers("casemix", config=asdict(config))
    return accelerator


def _bf16(precision: str) -> bool:
    """Return whether to autocast to bf16, which needs no loss scaling.

    It is decided per run and not given to `Accelerator`, whose precision is one per process.
    """
    known = {"auto": torch.cuda.is_available(), "bf16": True, "fp32": False}
    if precision not in known:
        raise FitError("Unknown precision.", given=precision, allowed=sorted(known))
    return known[precision]


def _schedule(step: int, config: TrainConfig) -> float:
    """Return the share of the peak learning rate: linear warm-up, then half a cosine."""
    if step < config.warmup:
        return (step + 1) / max(config.warmup, 1)
    span = max(config.steps - config.warmup, 1)
    return 0.5 * (1 + math.cos(math.pi * min((step - config.warmup) / span, 1.0)))
