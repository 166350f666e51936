"""The whole simulator: reproducibility, the coupling dial, and records that fit their fields."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core.fields import Schema
from casemix.errors import RunError
from casemix.recipes.phantom.simulate import simulate


@pytest.fixture(scope="module")
def records():
    return simulate(40, seed=3)


def test_same_seed_gives_the_same_patients_whatever_their_number(records):
    few = simulate(5, seed=3)
    for name in ("subjects", "labs", "imaging_fields", "note_facts", "truth"):
        pd.testing.assert_frame_equal(
            getattr(few, name), getattr(records, name).iloc[:5], check_exact=True
        )
    for name in ("vitals", "images", "masks"):
        np.testing.assert_array_equal(getattr(few, name), getattr(records, name)[:5])
    assert few.notes == records.notes[:5]


def test_another_seed_gives_other_patients(records):
    other = simulate(5, seed=4)
    assert not other.subjects.equals(records.subjects.iloc[:5])
    assert not np.array_equal(other.images, records.images[:5])


def test_shapes_and_types(records):
    assert records.vitals.shape == (40, 48, 6)
    assert records.vitals.dtype == np.float32
    assert records.images.shape == records.masks.shape == (40, 2, 64, 64)
    assert records.images.dtype == records.masks.dtype == np.uint8
    assert len(records.notes) == 40
    assert list(records.subjects.index[:2]) == ["PH00001", "PH00002"]


@pytest.mark.parametrize("table", ["subjects", "labs", "imaging"])
def test_every_recorded_cell_fits_its_field(records, table):
    frame = records.imaging_fields if table == "imaging" else getattr(records, table)
    schema = Schema(records.fields[table])
    assert list(frame.columns) == list(schema.names)
    stored = schema.coerce(frame)
    for field in schema:
        assert not field.out_of_range(stored[field.name]).any() if field.range else True


def test_every_recorded_vital_sign_fits_its_field(records):
    for channel, field in enumerate(records.fields["vitals"]):
        values = records.vitals[..., channel]
        recorded = values[np.isfinite(values)]
        assert recorded.min() >= field.range[0]
        assert recorded.max() <= field.range[1]


def test_coupling_leaves_the_recorded_context_alone(records):
    loose = simulate(10, seed=3, coupling=0.0)
    pd.testing.assert_frame_equal(loose.subjects, records.subjects.iloc[:10])


def test_views_share_the_latent_only_as_far_as_they_are_coupled(records):
    loose = simulate(40, seed=3, coupling=0.0).truth
    tied = records.truth
    assert np.array_equal(tied["severity_labs"], tied["severity_note"])
    assert np.array_equal(tied["severity_labs"], tied["latent_severity"])
    assert abs(np.corrcoef(loose["severity_labs"], loose["severity_note"])[0, 1]) < 0.45


@pytest.mark.parametrize(("n", "coupling"), [(0, 1.0), (5, -0.1), (5, 1.1), (5, float("nan"))])
def test_an_impossible_request_is_refused(n, coupling):
    with pytest.raises(RunError):
        simulate(n, seed=0, coupling=coupling)
