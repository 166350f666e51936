"""One HTML file from a template, its styles and its script, with a policy that allows no more."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from casemix.evaluation.report import labels

_TEMPLATES = Path(__file__).parent / "templates"


def render(
    template: str, content: Mapping[str, Any], *, styles: Sequence[str], script: str = ""
) -> str:
    """Return a page that works from ``file://`` and loads nothing.

    Its content-security policy allows images in ``data:`` URLs, this style and this script (by
    SHA-256 hash), and nothing else: a record that smuggles markup in cannot run or fetch anything.

    Args:
        template: file name of the Jinja template; it gets ``style``, ``script`` and ``policy``.
        content: the template's variables; strings are escaped.
        styles: file names of style sheets, in order.
        script: file name of the script, or ``""`` for a page without one.
    """
    style = "\n".join(_source(name) for name in styles)
    code = _source(script) if script else ""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=labels.number,
        interval=labels.interval,
        title=labels.title,
        cell=labels.cell,
        unit=labels.unit,
    )
    environment.tests["absent"] = labels.absent
    own = {"style": Markup(style), "script": Markup(code), "policy": _policy(style, code)}
    return environment.get_template(template).render({**content, **own})


def _source(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    rules = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hash(style),
        "script-src": _hash(script) if script else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
