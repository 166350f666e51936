"""Rule files: strict YAML, and every complaint names its place.

::

    without: [temperature]                  # shipped rules to leave out
    rules:
      pulse_pressure:
        kind: order                         # range, expression, codes, order, formula, last
        modality: [timeseries, tabular]
        upper: systolic_bp
        lower: diastolic_bp
        when: age >= 18                     # only these rows
        because: The heart fills below the pressure at which it empties.
        source: definition
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from casemix.errors import MappingError, did_you_mean
from casemix.evaluation.rules.check import Check
from casemix.evaluation.rules.codes import Codes
from casemix.evaluation.rules.formula import check_filter
from casemix.evaluation.rules.kinds import Expression, Formula, Last, Order, Range

KINDS: Mapping[str, type[Check]] = {
    "range": Range,
    "expression": Expression,
    "codes": Codes,
    "order": Order,
    "formula": Formula,
    "last": Last,
}
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Rule:
    """One executable clinical rule.

    Args:
        name: its name in the file.
        check: what must hold.
        modality: the modalities that it speaks about; ``context`` is the subjects table.
        when: row filter; rows where it does not hold are not judged.
        because: why a violation is impossible or absurd, one sentence.
        source: where the limits come from: a publication, ``definition``, or ``choice``.
        shipped: it is not the user's own: where a field has another unit or other levels than it
            knows, it does not apply, and is no error.
    """

    name: str
    check: Check
    modality: tuple[str, ...]
    when: str = ""
    because: str = ""
    source: str = ""
    shipped: bool = False

    @property
    def kind(self) -> str:
        """The kind's name in a file."""
        return next(name for name, kind in KINDS.items() if isinstance(self.check, kind))


_SHARED = {f.name: f for f in fields(Rule) if f.name not in ("name", "check", "shipped")}


def shipped_sets() -> tuple[str, ...]:
    """Return the names of the shipped sets of rules."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_rules(path: Path | None = None, *, sets: Sequence[str] | None = None) -> tuple[Rule, ...]:
    """Return the shipped rules together with the user's.

    Args:
        path: the user's file; its rules replace shipped ones of the same name.
        sets: shipped sets, by default all of `shipped_sets`; none for the user's rules alone.

    Raises:
        MappingError: an unknown set, or a mistake in the file.
    """
    rules: dict[str, Rule] = {}
    for name in shipped_sets() if sets is None else sets:
        if name not in shipped_sets():
            raise MappingError(
                f"Unknown set of rules '{name}'.",
                allowed=shipped_sets(),
                next_step=did_you_mean(name, shipped_sets()),
            )
        own = _read(_FOLDER / f"{name}.yaml", {})
        rules |= {key: replace(rule, shipped=True) for key, rule in own.items()}
    return tuple((rules if path is None else _read(Path(path), rules)).values())


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of a YAML text.

    Raises:
        MappingError: not YAML, an unknown or missing key, a value of another type.
    """
    return tuple(_parsed(text, "rules", {}).values())


def _read(path: Path, others: Mapping[str, Rule]) -> dict[str, Rule]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The rules {path} cannot be read.", given=str(error)) from error
    return _parsed(text, path.name, others)


def _parsed(text: str, place: str, others: Mapping[str, Rule]) -> dict[str, Rule]:
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise MappingError(f"{place} is not valid YAML.", given=str(error)) from error
    content = _block(content, place)
    _known(content, ("rules", "without"), place)
    unwanted = _value(tuple[str, ...], content.get("without", []), f"{place}: without")
    for name in unwanted:
        if name not in others:
            raise MappingError(
                f"{place}: without: there is no shipped rule '{name}'.",
                next_step=did_you_mean(name, others),
            )
    kept = {name: rule for name, rule in others.items() if name not in unwanted}
    own = _block(content.get("rules", {}), f"{place}: rules")
    return kept | {name: _rule(name, entry, f"{place}: {name}") for name, entry in own.items()}


def _rule(name: str, entry: Any, place: str) -> Rule:
    given = _block(entry, place)
    kind = given.get("kind", "")
    if kind not in KINDS:
        raise MappingError(
            f"{place}: a rule needs a known kind.",
            given=repr(kind),
            allowed=KINDS,
            next_step=did_you_mean(str(kind), KINDS),
        )
    own = {f.name: f for f in fields(KINDS[kind]) if f.init}  # type: ignore[arg-type]
    _known(given, ("kind", *_SHARED, *own), place)
    for key, f in {**_SHARED, **own}.items():
        if key not in given and f.default is MISSING:
            raise MappingError(f"{place}: the key '{key}' is missing.", given=given)
    try:
        rule = Rule(
            name, KINDS[kind](**_typed(KINDS[kind], own, given, place)),
            **_typed(Rule, _SHARED, given, place),
        )  # fmt: skip
        if rule.when:
            check_filter(rule.when)
    except MappingError as error:
        raise error if error.what.startswith(place) else _placed(error, place) from error
    return rule


def _placed(error: MappingError, place: str) -> MappingError:
    return MappingError(
        f"{place}: {error.what}",
        given=error.given,
        allowed=error.allowed,
        next_step=error.next_step,
    )


def _typed(kind: type, keys: Mapping[str, Any], given: Mapping[str, Any], place: str) -> dict:
    hints = typing.get_type_hints(kind)
    return {k: _value(hints[k], given[k], f"{place}.{k}") for k in keys if k in given}


def _value(kind: Any, value: Any, place: str) -> Any:
    """Return a YAML value as text, number, choice, tuple or mapping."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if value not in args:
            raise MappingError(f"{place}: not a choice.", given=repr(value), allowed=args)
        return value
    if origin is tuple:
        return _sequence(args, value, place)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {k: _value(args[1], v, f"{place}.{k}") for k, v in _block(value, place).items()}
    number = kind is float and isinstance(value, int)
    wrong = not isinstance(value, kind) and not number
    if wrong or (isinstance(value, bool) and kind is not bool) or value != value:
        words = {str: "text", float: "a number", bool: "true or false"}
        raise MappingError(f"{place}: {words[kind]} is needed here.", given=repr(value))
    return kind(value)


def _sequence(args: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    items = value if isinstance(value, list) else [value]  # `modality: tabular` is a list of one
    if args[-1] is not Ellipsis and len(items) != len(args):
        raise MappingError(f"{place}: a list of {len(args)} is needed here.", given=repr(value))
    return tuple(_value(args[0], item, place) for item in items)


def _block(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise MappingError(f"{place}: a block of named keys is needed here.", given=repr(value))
    return value


def _known(given: Mapping[str, Any], allowed: Sequence[str], place: str) -> None:
    for key in given:
        if key not in allowed:
            raise MappingError(
                f"{place}: unknown key '{key}'.",
                allowed=sorted(allowed),
                next_step=did_you_mean(key, allowed),
            )


class _Loader(yaml.SafeLoader):
    """Safe YAML in which no key stands twice."""


def _unique(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        line = node.start_mark.line + 1
        raise MappingError(f"The key '{twice[0]}' stands twice in the block at line {line}.")
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _unique)
