"""A small cohort whose notes, names, levels and ids try to break out of a page, and its metrics."""

from __future__ import annotations

import base64
import copy
import io
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from casemix.core.cohort import Cohort
from casemix.core.fields import Field, Kind, Schema
from casemix.core.samples import Samples

SCRIPT = "<script>document.title='broken'</script>"
CLOSING = "</script></style></article>"
IMAGE = '"><img src=x onerror="document.title=\'broken\'">'
TEMPLATE = "{{ 7 * 7 }} ${alert(1)} &amp; \u2028\u2029 'quoted'"
STRINGS = (SCRIPT, CLOSING, IMAGE, TEMPLATE)


@dataclass(frozen=True)
class Previews:
    """A payload that holds nothing but its previews."""

    items: tuple[dict, ...]

    def __len__(self):
        return len(self.items)

    def take(self, positions):
        return Previews(tuple(self.items[i] for i in positions))

    @classmethod
    def concat(cls, parts):
        return cls(tuple(item for part in parts for item in part.items))

    def to_table(self):
        return pa.table({"preview": [json.dumps(item) for item in self.items]})

    @classmethod
    def from_table(cls, table):
        return cls(tuple(json.loads(text) for text in table["preview"].to_pylist()))

    def preview(self, position):
        return self.items[position]


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def cohort(n, provenance, *, seed=0, prefix="p"):
    rng = np.random.default_rng(seed)
    ids = [f"{prefix}-{i}" for i in range(n - 1)] + [f"{prefix}-{SCRIPT}"]
    schema = Schema(
        (
            Field("age", Kind.NUMERIC, "a", range=(0, 120)),
            Field("sex", Kind.BINARY, levels=("F", "M")),
            Field(f"group {IMAGE}", Kind.CATEGORICAL, levels=STRINGS),
            Field("diagnoses", Kind.CODES),
        )
    )
    subjects = pd.DataFrame(
        {
            "age": rng.integers(20, 90, n).astype(float),
            "sex": rng.choice(["F", "M"], n),
            f"group {IMAGE}": [STRINGS[i % 4] for i in range(n)],
            "diagnoses": [["I10", "E11"][: i % 3] for i in range(n)],
        },
        index=pd.Index(ids, dtype=object),
    )
    subjects.loc[ids[0], "age"] = np.nan
    made = {
        "imaging": _samples("imaging", ids, [_image(rng) for _ in ids]),
        "tabular": _samples("tabular", ids, [_labs(rng, i) for i in range(n)]),
        "text": _samples("text", ids, [{"type": "text", "text": _note(i)} for i in range(n)]),
        "timeseries": _samples("timeseries", ids, [_vitals(rng) for _ in ids]),
    }
    return Cohort(subjects, schema, made, provenance)


def _samples(modality, ids, previews):
    index = pd.DataFrame(
        {"subject_id": ids, "time": 0.0, "vendor": [STRINGS[i % 4] for i in range(len(ids))]},
        index=pd.Index([f"{modality}-{i}" for i in ids], dtype=object),
    )
    schema = Schema((Field("vendor", Kind.CATEGORICAL, levels=STRINGS),))
    return Samples(modality, index, Previews(tuple(previews)), schema)


def _image(rng):
    pixels = rng.integers(0, 255, (16, 16)).astype("uint8")
    overlay = np.zeros((16, 16, 4), "uint8")
    overlay[4:12, 4:12] = (220, 30, 30, 120)
    frame = {"name": f"ED {IMAGE}", "png": png(pixels), "overlay": png(overlay)}
    return {"type": "image", "frames": [frame, {"name": "ES", "png": png(pixels), "overlay": None}]}


def _labs(rng, i):
    sodium = None if i % 5 == 0 else round(float(rng.normal(140, 3)), 1)
    return {
        "type": "table",
        "rows": [["sodium", sodium, "mmol/L"], [SCRIPT, STRINGS[i % 4], IMAGE]],
    }


def _note(i):
    return f"{STRINGS[i % 4]}\nSecond line of note {i}."


def _vitals(rng):
    rate = [None if k % 7 == 0 else float(80 + 10 * rng.standard_normal()) for k in range(48)]
    lone = [37.0 if k == 20 else None for k in range(48)]
    channels = [
        {"name": f"rate {CLOSING}", "unit": "/min", "y": rate},
        {"name": "temperature", "unit": "Cel", "y": lone},
        {"name": "lactate", "unit": "mmol/L", "y": [None] * 48},
    ]
    return {"type": "chart", "unit_x": "h", "x": list(range(48)), "channels": channels}


def score(value, *, family="fidelity", ceiling=0.9, floor=0.1, interval=None, note="", **details):
    """A metric's entry in ``metrics.json``."""
    anchored = None not in (value, ceiling, floor) and ceiling != floor
    return {
        "family": family,
        "goal": "maximise",
        "bounds": [0, 1],
        "description": f"A measure of {family}.",
        "value": value,
        "interval": interval,
        "n": 40,
        "ceiling": ceiling,
        "floor": floor,
        "relative": (value - floor) / (ceiling - floor) if anchored else None,
        "note": note,
        "details": details,
    }


def metrics():
    return copy.deepcopy(_METRICS)


_SCORES = {
    "c2st_auc": score(0.71, ceiling=0.52, floor=0.99, interval=[0.66, 0.76], p_value=0.005),
    "coverage": score(0.8, family="diversity"),
    "utility": score(1.9, family="utility", interval=[0.85, 2.4]),
    "membership_auc": score(0.51, family="privacy", ceiling=0.5, floor=0.98, note=IMAGE),
    "mmd": score(None, note="No pair is defined.", ceiling=None),
    "augmentation_gain": score(
        0.04,
        family="utility",
        measure=IMAGE,
        curve=[
            {
                "share": 0.1 * k,
                "records": 10 * k,
                "real": {"value": 0.5 + 0.1 * k, "interval": [0.4 + 0.1 * k, 0.6 + 0.1 * k]},
                "augmented": {"value": 0.6 + 0.1 * k, "interval": [0.55 + 0.1 * k, float("nan")]},
            }
            for k in (1, 2, 3)
        ],
    ),
    "validation_error": score(
        0.03,
        family="utility",
        measure=SCRIPT,
        models={
            SCRIPT: {"synthetic": 0.7, "real": 0.8},
            CLOSING: {"synthetic": 0.5, "real": 0.5},
            IMAGE: {"synthetic": None, "real": 0.5},
        },
    ),
}
_METRICS = {
    "format": 1,
    "casemix": "0.1.0",
    "protocol": {
        "seed": 3,
        "n_per_arm": {"imaging": 40, "text": 40},
        "subjects": {"train": 80, "holdout": 40, "synthetic": 40},
        "target": f"group {IMAGE}",
        "embedders": {"imaging": f"texture PCA {SCRIPT}"},
    },
    "provenance": {"train": "phantom", "holdout": "phantom", "synthetic": "synthetic"},
    "modalities": {
        "imaging": {
            "metrics": _SCORES,
            "subgroups": {
                f"group {IMAGE}": {
                    "coverage": {
                        "groups": {
                            SCRIPT: {
                                "value": 0.5,
                                "interval": [0.4, 0.6],
                                "n": 30,
                                "suppressed": False,
                            },
                            CLOSING: {
                                "value": None,
                                "interval": None,
                                "n": None,
                                "suppressed": True,
                            },
                        },
                        "disparity": {
                            "value": 0.3,
                            "interval": [0.1, 0.4],
                            "chance": 0.05,
                            "p_value": 0.005,
                            "worst": IMAGE,
                        },
                    }
                }
            },
        },
        "text": {"metrics": _SCORES},
    },
    "constraints": {
        "rules": [
            {
                "rule": f"order {SCRIPT}",
                "modality": "tabular",
                "real": {
                    "applicable": True,
                    "violating": 0,
                    "eligible": 40,
                    "rate": 0.0,
                    "interval": [0.0, 0.05],
                },
                "synthetic": {
                    "applicable": True,
                    "violating": 4,
                    "eligible": 40,
                    "rate": 0.1,
                    "interval": [0.03, 0.2],
                    "examples": [IMAGE],
                },
                "difference": 0.1,
                "interval": [0.02, 0.2],
                "worse": True,
            }
        ],
        "not_applicable": 7,
    },
    "linkage": {
        "pairs": [
            {
                "a": "imaging",
                "b": "text",
                "link": score(0.62, interval=[0.4, 0.8]),
                "patient_link": score(1.31, interval=[1.1, 1.6], note="over-coupled"),
                "critic_auc": score(0.7),
                "control": {"shuffled": {"link": score(0.01), "patient_link": score(-0.02)}},
            },
            {"a": "context", "b": "text", "link": score(0.5)},
            {"a": "context", "b": "imaging", "link": score(None), "patient_link": score(None)},
        ]
    },
    "contradictions": {
        "agreements": [
            {
                "words": f"age {SCRIPT} against text",
                "between": ["context", "text"],
                "strength": 0.99,
                "holdout": {"rate": 0.0, "interval": [0.0, 0.05], "n": 40},
                "synthetic": {"rate": 0.1, "interval": [0.05, 0.2], "n": 40},
            }
        ],
        "patients": {
            "holdout": {"rate": 0.0, "interval": [0.0, 0.05], "n": 40},
            "synthetic": {"rate": 0.1, "interval": [0.05, 0.2], "n": 40},
        },
        "worst": [{"subject_id": "s-1", "breaks": [f"age {IMAGE} against text"]}],
    },
    "chain": {"order": ["imaging", "text"], "reads": {"text": ["imaging"]}, "linked": {}},
    "facts": {"stated": 120, "right": score(0.99)},
    "uses": [
        {"use": "Training models", "outcome": "fail", "why": [f"text {SCRIPT}"], "remark": ""},
        {"use": "Showing it", "outcome": "caution", "why": [], "remark": IMAGE},
        {"use": "Teaching", "outcome": "pass", "why": [], "remark": ""},
    ],
    "verdicts": [
        {
            "name": "imaging: hard to tell",
            "verdict": "pass",
            "threshold": "at most 0.1",
            "value": 0.02,
        },
        {"name": f"text {SCRIPT}", "verdict": "fail", "threshold": IMAGE, "value": 0.4},
        {"name": "text: useful", "verdict": "caution", "threshold": "0.05", "value": -0.07},
        {"name": "link", "verdict": "undefined", "threshold": "0.3", "value": None},
    ],
}
