"""Words and numbers on pages: provenance labels, names and figures as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from casemix.core.cohort import Provenance

#: Shown where a figure is missing or undefined.
ABSENT = "\N{EN DASH}"

_UNITS = {"a": "years", "Cel": "°C", "d": "days", "1": ""}
_MINUS = "\N{MINUS SIGN}"
_ACRONYMS = {
    "auc": "AUC",
    "c2st": "C2ST",
    "fid": "FID",
    "fpr": "FPR",
    "hsic": "HSIC",
    "mmd": "MMD",
    "ms": "MS",
    "nn": "NN",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "tpr": "TPR",
}


@dataclass(frozen=True)
class Label:
    """What a person must know at once about where patients come from.

    Args:
        provenance: chooses the colour, together with the words.
        name: one word, for headings.
        notice: one or two sentences, for banners.
    """

    provenance: Provenance
    name: str
    notice: str


LABELS: Mapping[Provenance, Label] = {
    Provenance.SYNTHETIC: Label(
        Provenance.SYNTHETIC,
        "Synthetic",
        "Made by a model. These are not real people, yet they may carry traces of the patients "
        "that the model learnt from.",
    ),
    Provenance.PHANTOM: Label(
        Provenance.PHANTOM,
        "Phantom",
        "Simulated by a mechanistic model. No real patient is behind them.",
    ),
    Provenance.REAL: Label(
        Provenance.REAL,
        "Real",
        "Records of real patients. Handle this page as confidential patient data.",
    ),
}


def number(value: object, digits: int = 3) -> str:
    """Return a score with a fixed number of decimals; counts (int) stay whole.

    >>> number(0.51234), number(-0.5, 2), number(40), number(1234.5), number(None)
    ('0.512', '−0.50', '40', '1234', '–')
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return ABSENT
    if isinstance(value, int):
        text = str(value)
    elif 0 < abs(value) < 0.5 * 10**-digits:
        text = f"{value:.1e}"
    else:
        text = f"{value:.{digits}f}" if abs(value) < 10 else f"{value:.1f}"
        text = text if abs(value) < 100 else f"{value:.0f}"
    return text.replace("-", _MINUS)


def interval(ends: Any, digits: int = 3) -> str:
    """Return ``[low, high]`` as text, or nothing without an interval."""
    return f"[{number(ends[0], digits)}, {number(ends[1], digits)}]" if ends else ""


def share(part: float) -> str:
    """Return a share in [0, 1] as per cent, without rounding some to none or nearly all to all.

    >>> share(0.0), share(0.004), share(0.25), share(0.999), share(1.0)
    ('0 %', '<1 %', '25 %', '>99 %', '100 %')
    """
    if 0 < part < 0.01:
        return "<1 %"
    if 0.99 < part < 1:
        return ">99 %"
    return f"{100 * part:.0f} %"


def cell(value: object) -> str:
    """Return one recorded value as text: four significant digits, but whole numbers whole.

    >>> cell(71.234), cell(12345.6), cell("F"), cell(["I10", "E11"]), cell(None)
    ('71.23', '12346', 'F', 'I10, E11', '–')
    """
    if absent(value):
        return ABSENT
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return (f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", _MINUS)
    return str(value)


def absent(value: object) -> bool:
    """Return whether a cell holds nothing."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def title(name: str) -> str:
    """Return a code name as a title.

    >>> title("c2st_auc"), title("median_rank")
    ('C2ST AUC', 'Median rank')
    """
    words = [_ACRONYMS.get(word, word) for word in name.replace("_", " ").split()]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def unit(ucum: str) -> str:
    """Return a UCUM unit as clinicians write it.

    >>> unit("a"), unit("mm[Hg]"), unit("mL/min/{1.73_m2}"), unit("mmol/L")
    ('years', 'mmHg', 'mL/min/1.73 m2', 'mmol/L')
    """
    plain = ucum.translate(str.maketrans("_", " ", "[]{}"))
    return _UNITS.get(ucum, plain)
