"""What notes state is read from wording that was learnt, on the phantom's notes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Schema
from casemix.modalities.text.plan import Planner
from casemix.recipes.phantom.simulate import simulate


@pytest.fixture(scope="module")
def phantom():
    records = simulate(220, 0)
    labs = tuple(
        Field(f"tabular.{f.name}", f.kind, f.unit, f.levels) for f in records.fields["labs"]
    )
    schema = Schema(records.fields["subjects"]).join(Schema(labs))
    frame = pd.concat([records.subjects, records.labs.add_prefix("tabular.")], axis=1)
    return records.notes, Conditions.of(frame, schema)


@pytest.fixture(scope="module")
def reader(phantom):
    notes, given = phantom
    planner, _, _ = Planner.fit(notes, given, {}, seed=0)
    return planner.reader


def test_numbers_are_tied_to_the_conditions_that_they_state(reader):
    sources = {slot.source for slot in reader.slots}
    assert {"age", "tabular.creatinine", "tabular.nt_probnp", "tabular.sodium"} <= sources


def test_levels_are_read_with_their_negation(reader):
    stated = {
        f.field: f.value for f in reader.extract("HISTORY: 63-year-old woman. No HTN. Known DM.")
    }
    assert stated["age"] == 63
    assert stated["sex"] == "F"
    assert stated["hypertension"] == "no"
    assert stated["diabetes"] == "yes"


def test_true_notes_agree_with_their_patients_and_exchanged_ones_do_not(phantom, reader):
    notes, given = phantom
    rows = given.values.to_dict("records")
    own = [bool(reader.check(n, r).contradictions) for n, r in zip(notes, rows, strict=True)]
    exchanged = [
        bool(reader.check(n, r).contradictions) for n, r in zip(notes[1:], rows[:-1], strict=True)
    ]
    assert np.mean(own) <= 0.01
    assert np.mean(exchanged) >= 0.99
