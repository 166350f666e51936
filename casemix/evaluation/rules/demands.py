"""Clinical rules as demands on single rows, so that sampling can honour them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from casemix.core.constrained import Demand
from casemix.core.fields import Schema
from casemix.errors import CasemixError
from casemix.evaluation.rules.check import BoolArray, names_of
from casemix.evaluation.rules.kinds import Last
from casemix.evaluation.rules.language import Rule
from casemix.evaluation.rules.rows import CONTEXT, Rows

TABULAR = "tabular"


def row_demands(
    rules: Sequence[Rule], modality: str, own: Schema, others: Schema
) -> tuple[Demand, ...]:
    """Return the rules that one row of a table can meet or break by itself.

    Rules about times of records (kind ``last``) are left to the evaluation, and so are shipped
    rules that do not fit the fields' units or levels.

    Args:
        rules: from `casemix.evaluation.rules.language.load_rules`.
        modality: ``tabular``, or ``context`` for the subjects table.
        own: the table's columns.
        others: further fields of each row, such as the subject's.

    Raises:
        EvaluationError: a field in a unit that one of the user's rules has no limits for.
    """
    spoken = [r for r in rules if modality in r.modality and not isinstance(r.check, Last)]
    return tuple(
        _demand(rule, modality, own, others)
        for rule in spoken
        if _fits(rule, modality, own, others)
    )


def _fits(rule: Rule, modality: str, own: Schema, others: Schema) -> bool:
    """Return whether a rule can be judged on such rows."""
    blank = _rows(pd.DataFrame(), modality, own, others)
    if rule.check.unfit(blank) or set(names_of(rule.when)) - set(blank.schema.names):
        return False
    try:
        rule.check.judge(blank, rule.when)
    except CasemixError:
        if rule.shipped:
            return False
        raise
    return True


def _demand(rule: Rule, modality: str, own: Schema, others: Schema) -> Demand:
    def holds(rows: pd.DataFrame) -> BoolArray:
        judged = rule.check.judge(_rows(rows, modality, own, others), rule.when)
        broken = np.zeros(len(rows), dtype=bool)
        broken[judged.record[judged.eligible & judged.broken]] = True
        return ~broken

    text = " ".join(map(str, asdict(rule.check).values())) + " " + rule.when  # type: ignore[call-overload]
    every = (*own.names, *others.names)
    named = tuple(n for n in every if re.search(rf"(?<!\w){re.escape(n)}(?!\w)", text))
    coded = tuple(f.name for f in own if f.code_system and f.code_system in text)
    return Demand(tuple(dict.fromkeys([*named, *coded])), holds, f"the rule {rule.name}")


def _rows(frame: pd.DataFrame, modality: str, own: Schema, others: Schema) -> Rows:
    """Return rows as rules see them: under their own names, and as ``<modality>.<name>``."""
    known = Schema((*(f for f in others if f.name not in own), *own))
    typed = frame if len(frame) else known.empty(pd.Index([], dtype=object))
    prefix = f"{modality}."
    dotted = [replace(f, name=prefix + f.name) for f in own]
    fields = pd.concat([typed, typed[list(own.names)].add_prefix(prefix)], axis=1)
    index = pd.DataFrame(
        {"subject_id": typed.index.astype(str), "time": np.nan if modality == CONTEXT else 0.0},
        index=typed.index,
    )
    schema = Schema((*known, *dotted))
    mine = frozenset((*own.names, *(f.name for f in dotted)))
    return Rows(modality, index, schema, fields, own=mine)
