"""SVG elements whose attributes and text are escaped; colours come from the page's style."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup


def element(name: str, attributes: Mapping[str, object], *children: str) -> Markup:
    """Return one element; plain strings among the children are escaped.

    >>> element("text", {"x": 1.5, "y": 2}, "a < b")
    Markup('<text x="1.5" y="2">a &lt; b</text>')
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key, _written(value)) for key, value in attributes.items()
    )
    inside = Markup("").join(children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inside)


def drawing(width: float, height: float, label: str, css_class: str, *children: str) -> Markup:
    """Return a picture that scales with its box and is read out as ``label``."""
    attributes = {
        "class": css_class,
        "viewBox": f"0 0 {_written(width)} {_written(height)}",
        "role": "img",
        "aria-label": label,
    }
    return element("svg", attributes, *children)


def line(css_class: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Return a straight line."""
    return element("line", {"class": css_class, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def rect(css_class: str, x: float, y: float, width: float, height: float) -> Markup:
    """Return a rectangle."""
    box = {"class": css_class, "x": x, "y": y, "width": width, "height": height}
    return element("rect", box)


def text(css_class: str, x: float, y: float, words: str, anchor: str = "start") -> Markup:
    """Return one line of text; ``anchor`` is start, middle or end."""
    place = {"class": css_class, "x": x, "y": y, "text-anchor": anchor}
    return element("text", place, words)


def _written(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return value
