"""The joint model as JSON and arrays, for `casemix.core.artifact`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from casemix.modalities.tabular.sequential.column import Column
from casemix.modalities.tabular.sequential.features import Coding
from casemix.modalities.tabular.sequential.forest import Forest
from casemix.modalities.tabular.sequential.joint import JointModel, Link
from casemix.modalities.tabular.sequential.ridge import LinearScores


def to_json(model: JointModel) -> dict[str, Any]:
    """Return what is not an array."""
    links = [
        {
            "column": link.column.to_json(),
            "missing": link.coding.missing,
            "linear": link.coding.linear,
            "first": link.first,
            "score_at": link.score_at,
            "additive": link.additive,
        }
        for link in model.links
    ]
    return {"width": model.width, "links": links}


def to_arrays(model: JointModel) -> dict[str, np.ndarray]:
    """Return the arrays of all links, named ``<position>.<part>``."""
    return {
        f"{j}.{name}": array
        for j, link in enumerate(model.links)
        for name, array in {
            "levels": link.coding.levels,
            "target": link.coding.target,
            "weights": link.linear.weights,
            "offset": link.linear.offset,
            **link.forest.arrays(),
        }.items()
    }


def from_saved(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> JointModel:
    """Rebuild what `to_json` and `to_arrays` returned."""
    links = []
    for j, about in enumerate(content["links"]):
        own = {n.split(".", 1)[1]: a for n, a in arrays.items() if n.startswith(f"{j}.")}
        links.append(
            Link(
                Column.from_json(about["column"]),
                Coding(own["levels"], about["missing"], own["target"], about["linear"]),
                about["first"],
                LinearScores(own["weights"], own["offset"]),
                about["score_at"],
                about["additive"],
                Forest.of_arrays(own),
            )
        )
    return JointModel(tuple(links), content["width"])
