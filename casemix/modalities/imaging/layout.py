"""What all pictures of a payload have in common: channels, size and mask labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

RGB = ("R", "G", "B")


@dataclass(frozen=True)
class Layout:
    """What all pictures of a payload have in common.

    Args:
        channels: channel or frame names; ``("R", "G", "B")`` is one colour picture.
        height: pixels.
        width: pixels.
        mask_labels: label of each mask value; empty = no masks.
        mask_frames: masks per picture: 0, 1, or one per channel.
    """

    channels: tuple[str, ...]
    height: int
    width: int
    mask_labels: tuple[str, ...] = ()
    mask_frames: int = 0

    @property
    def colour(self) -> bool:
        """Whether the channels are one colour picture."""
        return self.channels == RGB

    @property
    def pictures(self) -> dict[str, tuple[int, ...]]:
        """Picture name -> positions of its channels: one per frame, or one in colour."""
        if self.colour:
            return {"": (0, 1, 2)}
        if len(self.channels) == 1:
            return {"": (0,)}
        return {name: (i,) for i, name in enumerate(self.channels)}

    @property
    def masks(self) -> dict[str, int]:
        """Mask name -> position: one per channel under its name, or one for all under ``""``."""
        if self.mask_frames > 1:
            return {name: i for i, name in enumerate(self.channels)}
        return {"": 0} if self.mask_frames else {}

    def to_json(self) -> dict[str, Any]:
        """Return the layout as JSON-ready content."""
        return {
            "channels": list(self.channels),
            "height": self.height,
            "width": self.width,
            "mask_labels": list(self.mask_labels),
            "mask_frames": self.mask_frames,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Layout:
        """Rebuild what `to_json` wrote."""
        return cls(
            tuple(content["channels"]),
            int(content["height"]),
            int(content["width"]),
            tuple(content["mask_labels"]),
            int(content["mask_frames"]),
        )
