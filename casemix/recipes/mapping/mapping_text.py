"""A mapping as YAML text in which every column's comment says why it is read so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from casemix.recipes.mapping.column_kind import Guess

_HEADER = """\
# How the columns of {file} are read. Kinds, levels, units and ranges were inferred from the cells
# and names, so they are guesses, and each column's comment says why. Correct what is wrong, keep
# this file elsewhere, and run again with --set mapping=FILE; docs/import.md explains every key.
#
# {subject}
{left_out}
"""


def mapping_text(
    content: Mapping[str, Any],
    context: Mapping[str, Any],
    fields: Mapping[str, Any],
    guesses: Mapping[str, Guess],
    *,
    file: str,
    subject: str,
) -> str:
    """Return the YAML, each column below a comment that says why it is read so."""
    gone = [f"#   {_quoted(n)}: {g.reason}" for n, g in guesses.items() if g.block is None]
    left_out = "\n".join(
        ["# Left out:", *map(_one_line, gone)] if gone else ["# Left out: nothing"]
    )
    head = _HEADER.format(file=_quoted(file), subject=_one_line(subject), left_out=left_out)
    parts = {name: _dumped({name: content[name]}, 0) for name in ("about", "tables", "subjects")}
    records = {name: block for name, block in fields.items() if name not in context}
    return (
        head
        + "".join(parts.values())
        + _fields("fields", context, guesses, 2)
        + _dumped({"samples": content["samples"]}, 0)
        + _fields("columns", records, guesses, 4)
    )


def _fields(
    title: str, fields: Mapping[str, Any], guesses: Mapping[str, Guess], indent: int
) -> str:
    margin = " " * indent
    if not fields:
        return f"{margin}{title}: {{}}\n"
    lines = f"{margin}{title}:\n"
    for name, block in fields.items():
        lines += f"{margin}  # {_one_line(guesses[block['column']].reason)}\n"
        shown = {k: v for k, v in block.items() if k != "column" or v != name}
        lines += _dumped({name: shown}, indent + 2)
    return lines


class _Dumper(yaml.SafeDumper):
    """YAML with blocks for keys and one line for lists, which may have hundreds of levels."""


_Dumper.add_representer(
    list,
    lambda dumper, items: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", items, flow_style=True
    ),
)


def _dumped(content: Mapping[str, Any], indent: int) -> str:
    text = yaml.dump(
        dict(content),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=100,
    )
    return "".join(f"{' ' * indent}{line}\n" for line in text.split("\n")[:-1])


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _one_line(text: str) -> str:
    """Return text that stays within its comment, whatever a cell holds."""
    return "".join(c if c.isprintable() else " " for c in text)
