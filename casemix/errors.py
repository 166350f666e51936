"""Every error that casemix raises on purpose, in one tree.

::

    CasemixError               base: what was wrong, given, allowed, and what to do next
    ├── SchemaError            a field, level, unit or column that does not fit its schema
    ├── ConditionError         a condition that is unknown, impossible or unsupported
    ├── CohortError            subjects, samples and links that do not fit together
    ├── PayloadError           pixels, series, notes or tables outside their contract
    ├── ArtifactError          a saved model or cohort that is damaged, altered or not trusted
    ├── PluginError            an unknown name, or a plugin that breaks its contract
    │   └── MissingExtraError  a plugin whose optional library is not installed
    ├── MappingError           an import mapping with a mistake in it
    ├── FitError               data that a method cannot learn from
    ├── EvaluationError        data that a metric cannot judge
    ├── EncoderError           an encoder that the user names and that cannot be used
    └── RunError               a recipe setting or a run folder that cannot be used
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CasemixError(Exception):
    """Base of all errors of casemix.

    Args:
        what: what was wrong, one sentence.
        given: what was found, or nothing.
        allowed: what would have been right, or nothing.
        next_step: what the reader can do about it, or nothing.
    """

    def __init__(
        self, what: str, *, given: object = None, allowed: object = None, next_step: str = ""
    ) -> None:
        self.what = what
        self.given = given
        self.allowed = allowed
        self.next_step = next_step
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [self.what]
        if self.given is not None:
            parts.append(f"Given: {_listed(self.given)}.")
        if self.allowed is not None:
            parts.append(f"Allowed: {_listed(self.allowed)}.")
        if self.next_step:
            parts.append(self.next_step)
        return " ".join(parts)


class SchemaError(CasemixError):
    """A field, level, unit or column that does not fit its schema."""


class ConditionError(CasemixError):
    """A condition that is unknown, impossible or unsupported."""


class CohortError(CasemixError):
    """Subjects, samples and links that do not fit together."""


class PayloadError(CasemixError):
    """Pixels, series, notes or tables outside their contract."""


class ArtifactError(CasemixError):
    """A saved model or cohort that is damaged, altered or not trusted."""


class PluginError(CasemixError):
    """An unknown plugin name, or a plugin that breaks its contract."""


class MissingExtraError(PluginError):
    """A plugin whose optional library is not installed."""


class MappingError(CasemixError):
    """An import mapping with a mistake in it."""


class FitError(CasemixError):
    """Data that a method cannot learn from."""


class EvaluationError(CasemixError):
    """Data that a metric cannot judge, such as too few subjects."""


class EncoderError(CasemixError):
    """An encoder that the user names and that cannot be used: it ends the evaluation."""


class RunError(CasemixError):
    """A recipe setting or a run folder that cannot be used."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"Did you mean 'x'?"`` for the nearest known name, or nothing.

    >>> did_you_mean("sexx", ["age", "sex"])
    "Did you mean 'sex'?"
    """
    close = difflib.get_close_matches(name, [str(k) for k in known], n=1)
    return f"Did you mean '{close[0]}'?" if close else ""


def _listed(value: object, most: int = 12) -> str:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    items = [str(item) for item in value]
    rest = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + rest
