"""A pretrained picture encoder that the user names, of torchvision or of transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models
from transformers import AutoModel

from casemix.errors import EncoderError
from casemix.modalities.imaging.data import Images

_TORCHVISION = "torchvision:"
_SIDE = 224  # pixels that torchvision's classifiers were trained on
_BATCH = 16
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, RGB
_ALLOWED = (
    "torchvision:ARCH, torchvision:ARCH:WEIGHTS.pth, a hub id, or a local folder with config.json "
    "and *.safetensors"
)


@dataclass(frozen=True)
class PretrainedEncoder:
    """Features of pictures in a pretrained network.

    Every picture is resized to the network's input (bilinear, antialiased) and standardised as
    ImageNet is; grey frames are repeated to three channels, and the features of several frames or
    channels that are not one colour picture are concatenated.

    Args:
        name: what the user named, and the input size.
        network: (b, 3, side, side) to features (b, d).
        side: pixels.
    """

    name: str
    network: Callable[[torch.Tensor], torch.Tensor]
    side: int

    @classmethod
    def load(cls, name: str) -> Self:
        """Read a network: state dicts with ``weights_only``, safetensors, and no code of others.

        Args:
            name: ``torchvision:ARCH`` (the weights that torchvision ships, downloaded or cached),
                ``torchvision:ARCH:WEIGHTS.pth`` (a state dict), or a transformers model.

        Raises:
            EncoderError: it does not exist, or cannot be read safely.
        """
        read = _from_torchvision if name.startswith(_TORCHVISION) else _from_transformers
        network, side = read(name)
        return cls(f"{name} at {side} px", network, side)

    def __call__(self, images: Images) -> np.ndarray:
        """Return float64 features (n, d times frames)."""
        frames = [list(channels) for channels in images.layout.pictures.values()]
        return np.concatenate([self._read(images.pixels[:, f]) for f in frames], axis=1)

    def _read(self, frame: np.ndarray) -> np.ndarray:
        mean, spread = (torch.tensor(v)[:, None, None] for v in (_MEAN, _SPREAD))
        features = []
        for start in range(0, len(frame), _BATCH):
            part = torch.from_numpy(frame[start : start + _BATCH].astype(np.float32) / 255)
            size = (self.side, self.side)
            resized = F.interpolate(part, size, mode="bilinear", antialias=True)
            with torch.no_grad():
                features.append(self.network((resized.expand(-1, 3, -1, -1) - mean) / spread))
        return torch.cat(features).double().numpy()


def _from_torchvision(name: str) -> tuple[Callable[[torch.Tensor], torch.Tensor], int]:
    arch, _, weights = name.removeprefix(_TORCHVISION).partition(":")
    if arch not in models.list_models(module=models):
        known = models.list_models(module=models)
        raise EncoderError(
            f"torchvision has no classifier '{arch}'.", given=name, allowed=[*known[:5], "..."]
        )
    try:
        network = models.get_model(arch, weights=None if weights else "DEFAULT")
        if weights:
            state = torch.load(Path(weights), map_location="cpu", weights_only=True)
            network.load_state_dict(_of_width(network, state))
    except (OSError, RuntimeError, UnpicklingError, ValueError) as error:
        raise _unreadable(name, error) from error
    return _without_head(network).eval(), _SIDE


def _of_width(network: nn.Module, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state with the network's own head where the user's has other classes."""
    own = network.state_dict()
    head = list(own)[-2:]  # weight and bias of the last layer
    return {k: own[k] if k in head and v.shape != own[k].shape else v for k, v in state.items()}


def _without_head(network: nn.Module) -> nn.Module:
    """Return the network up to what its last linear layer reads."""
    last = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)][-1:]
    if not last:
        raise EncoderError(
            "The network has no linear head, so that it is unclear which features are meant.",
            given=type(network).__name__,
            allowed="classifiers that end in a linear layer, e.g. resnet18",
        )
    parent, _, child = last[0].rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return network


def _from_transformers(name: str) -> tuple[Callable[[torch.Tensor], torch.Tensor], int]:
    try:
        model = AutoModel.from_pretrained(name, use_safetensors=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    model = getattr(model, "vision_model", model).eval()  # of CLIP-like pairs, the picture's part
    if model.main_input_name != "pixel_values":
        raise EncoderError(
            "The encoder does not read pictures.",
            given=f"{name}, which reads {model.main_input_name}",
            allowed="a model that reads pixel_values, e.g. a ViT, Swin, DINOv2 or ResNet",
        )

    def read(pictures: torch.Tensor) -> torch.Tensor:
        hidden = model(pixel_values=pictures).last_hidden_state
        return hidden.flatten(2).mean(dim=2) if hidden.ndim == 4 else hidden.mean(dim=1)

    side = getattr(model.config, "image_size", None)
    return read, side if isinstance(side, int) else _SIDE


def _unreadable(name: str, error: Exception) -> EncoderError:
    return EncoderError(
        f"The encoder '{name}' cannot be loaded: {error}",
        allowed=_ALLOWED,
        next_step="Check the name; without a network use local weights.",
    )
