"""From YAML to frozen dataclasses: strict, and every complaint names its place in the file."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from casemix.errors import MappingError, did_you_mean


class _Loader(yaml.SafeLoader):
    """YAML with the booleans of version 1.2, and no key twice."""


#: In YAML 1.1 an unquoted no, yes, on or off is a boolean; as a level of a field it is a word.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), ["t", "f"])


def _unique_keys(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    keys = [loader.construct_object(key, deep=True) for key in own]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        line = node.start_mark.line + 1
        raise MappingError(f"The key '{twice[0]}' stands twice in the block at line {line}.")
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_keys)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        MappingError: no such file, not YAML, or a key that stands twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The mapping {path} cannot be read.", given=str(error)) from error
    return parse_yaml(text)


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML text; see `read_yaml`."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise MappingError("The mapping is not valid YAML.", given=str(error)) from error


def problem(
    place: str, what: str, *, given: object = None, allowed: object = None, next_step: str = ""
) -> MappingError:
    """Return the error about one place of a mapping, such as ``subjects.fields.age``."""
    return MappingError(
        f"{place or 'mapping'}: {what}", given=given, allowed=allowed, next_step=next_step
    )


def parse(kind: Any, value: Any, place: str) -> Any:
    """Return ``value`` as a ``kind``.

    Args:
        kind: a dataclass, a scalar type, ``Literal``, ``tuple``, ``Mapping[str, X]`` or
            ``X | None``. A class may read itself with ``from_yaml(value, place)``.
        value: what `read_yaml` returned there.
        place: where it stands, for the complaint.

    Raises:
        MappingError: an unknown or missing key, or a value of another type.
    """
    if hasattr(kind, "from_yaml"):
        return kind.from_yaml(value, place)
    if is_dataclass(kind):
        return parse_block(kind, value, place)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return _choice(args, value, place)
    if origin in (types.UnionType, typing.Union):
        return parse(next(a for a in args if a is not type(None)), value, place)
    if origin is tuple:
        return _sequence(args, value, place)
    if origin is not None:
        return {k: parse(args[1], v, join(place, k)) for k, v in block(value, place).items()}
    return _scalar(kind, value, place)


def parse_block(kind: Any, value: Any, place: str) -> Any:
    """Return a dataclass whose fields are the block's keys; see `parse`."""
    given = block(value, place)
    known = {f.name: f for f in fields(kind)}
    for key in given:
        if key not in known:
            raise problem(
                place,
                f"unknown key '{key}'.",
                allowed=sorted(known),
                next_step=did_you_mean(key, known),
            )
    for name, f in known.items():
        if name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise problem(place, f"the key '{name}' is missing.", given=list(given) or "nothing")
    hints = typing.get_type_hints(kind)
    return kind(**{k: parse(hints[k], v, join(place, k)) for k, v in given.items()})


def block(value: Any, place: str) -> Mapping[str, Any]:
    """Return a YAML block whose keys are all text."""
    if not isinstance(value, Mapping):
        raise problem(place, "a block of keys is needed here.", given=repr(value))
    for key in value:
        if not isinstance(key, str):
            raise problem(place, "a key must be text; put it in quotes.", given=repr(key))
    return value


def join(place: str, key: object) -> str:
    """Return the place of a key within a place."""
    return f"{place}.{key}" if place else str(key)


def _choice(allowed: tuple[Any, ...], value: Any, place: str) -> Any:
    if value not in allowed:
        raise problem(
            place,
            "this is not one of the choices.",
            given=repr(value),
            allowed=allowed,
            next_step=did_you_mean(str(value), allowed),
        )
    return value


def _sequence(args: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        value = [value]  # `require: age` says the same as `require: [age]`
    if args[-1] is not Ellipsis and len(value) != len(args):
        raise problem(place, f"a list of {len(args)} is needed here.", given=repr(value))
    return tuple(parse(args[0], v, join(place, i)) for i, v in enumerate(value))


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _scalar(kind: Any, value: Any, place: str) -> Any:
    right = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not right or (isinstance(value, bool) and kind is not bool):
        raise problem(place, f"{_WORDS[kind]} is needed here.", given=repr(value))
    return kind(value)
