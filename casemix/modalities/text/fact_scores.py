"""Scores of what notes state of their own subjects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from casemix.core.fields import Field, Kind
from casemix.core.metric import EvalData, Score, View
from casemix.errors import EvaluationError
from casemix.modalities.text.arms import Arm, arms, subjects_in
from casemix.modalities.text.stated_facts import Rate, RecordReader, Statements, rate

_ANSWERS = ("no", "yes")
_WAYS = MappingProxyType({"asserted_against_record": "yes", "denied_against_record": "no"})


def fact_precision(data: EvalData, seed: int) -> Score:
    """Score the share of stated facts that the subject's record confirms."""
    read, made, about = _statements(data)
    return _score(rate(read.stated, "right", made.subjects, seed=seed), made, about)


def fact_recall(data: EvalData, seed: int) -> Score:
    """Score the share of usually stated, recorded fields that a note states rightly."""
    read, made, about = _statements(data)
    return _score(rate(read.expected, "right", made.subjects, seed=seed), made, about)


def number_errors(data: EvalData, seed: int) -> Score:
    """Score the share of stated numbers that are not those of the record."""
    return _errors(data, seed, lambda field: field.kind is Kind.NUMERIC)


def level_errors(data: EvalData, seed: int) -> Score:
    """Score the share of stated levels, other than yes and no, that are not those of the record."""
    return _errors(data, seed, lambda field: bool(field.levels) and field.levels != _ANSWERS)


def negation_errors(data: EvalData, seed: int) -> Score:
    """Score the share of statements of yes-or-no fields that the record denies."""
    return _errors(data, seed, lambda field: field.levels == _ANSWERS, ways=_WAYS)


def _errors(
    data: EvalData,
    seed: int,
    judged: Callable[[Field], bool],
    ways: Mapping[str, str] = MappingProxyType({}),
) -> Score:
    """Score the share of wrong facts of some fields, and in the details of each way to be wrong."""
    read, made, about = _statements(data)
    names = [field.name for field in data.context_schema if judged(field)]
    if not set(names) & set(_reader(data).schema.names):
        reason = "the training notes state no recorded field of this kind in wordings that recur"
        return Score(None, n=subjects_in(made), note=f"{reason}; {about}")
    facts = read.stated[read.stated["field"].isin(names)]
    facts = facts.assign(wrong=~facts["right"].astype(bool))
    score = _score(rate(facts, "wrong", made.subjects, seed=seed), made, about)
    found: dict[str, object] = {}
    for way, said in ways.items():
        some = facts[facts["said"] == said]
        if len(some):
            one = rate(some, "wrong", made.subjects, seed=seed, fewest=1)
            found[way] = {"rate": one.value, "interval": list(one.interval), "facts": one.facts}
    return replace(score, details={**score.details, **found})


def _score(found: Rate, made: Arm, about: str) -> Score:
    details = {"facts": found.facts, "by_field": found.by_field}
    return Score(found.value, found.interval, subjects_in(made), note=about, details=details)


def _statements(data: EvalData) -> tuple[Statements, Arm, str]:
    made = arms(data)[1]
    reader = _reader(data)
    if not len(reader.schema):
        raise EvaluationError(
            "No recorded field is stated by the training notes in wordings that recur.",
            given=f"{len(data.known)} notes and {len(data.context_schema)} fields",
            next_step="Add fields that the notes repeat to the subjects' records.",
        )
    about = (
        f"{', '.join(reader.schema.names)}: as stated by {len(data.known)} training notes; "
        f"{len(made.texts)} notes read"
    )
    return reader.read(made.texts, made.view.context), made, about


def _reader(data: EvalData) -> RecordReader:
    def fit(view: View) -> RecordReader:
        known = Arm.of(view)
        return RecordReader.fit(known.texts, known.view.context, data.context_schema)

    return data.once("text.records", fit)
