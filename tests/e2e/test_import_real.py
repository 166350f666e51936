"""The shipped mappings read the real files that they were written for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from casemix.core.cohort import Cohort
from casemix.recipes.mapping import ImportReport, import_cohort, shipped

DATA = Path(os.environ.get("CASEMIX_DATA", Path(__file__).parents[3] / "shared" / "data"))

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}; set CASEMIX_DATA"),
]

#: Mapping -> number of subjects, and of samples per modality.
COUNTS = {
    "cardiac_mri_acdc": (72, {"imaging": 679, "tabular": 72}),
    "covid_cxr": (124, {"imaging": 229, "tabular": 124, "text": 144}),
    "dermoscopy_ham10000": (2323, {"imaging": 3359}),
    "diabetes_130us": (51493, {"tabular": 73217}),
    "icu_challenge2012": (2877, {"tabular": 2877, "timeseries": 2825}),
    "lung_ultrasound": (77, {"imaging": 314, "tabular": 119, "text": 119}),
    "mimic4_demo": (72, {"tabular": 72, "timeseries": 72}),
    "ptbxl_subset": (336, {"tabular": 355, "text": 354, "timeseries": 355}),
}

#: Mapping -> values that cannot be true, as the report must state them.
IMPOSSIBLE = {
    "covid_cxr": ["temperature: 1 of 42 numbers outside 30 to 44 Cel (from 95 to 95)"],
    "icu_challenge2012": [
        "height: 12 of 1531 numbers outside 100 to 230 cm (from 13 to 431.8)",
        "temperature: 67 of 61220 numbers outside 25 to 45 Cel (from -17.8 to 24.2)",
    ],
}


@pytest.fixture(scope="module", params=sorted(COUNTS))
def imported(request) -> tuple[str, Cohort, ImportReport]:
    return request.param, *import_cohort(request.param, DATA / request.param)


def test_every_shipped_mapping_is_tested():
    assert shipped() == sorted(COUNTS)


def test_the_counts_are_those_of_the_source(imported):
    name, cohort, report = imported
    subjects, samples = COUNTS[name]
    assert (len(cohort), {m: len(s) for m, s in cohort.samples.items()}) == (subjects, samples)
    assert (report.subjects, report.samples) == (subjects, samples)


def test_no_field_is_empty_and_none_is_beyond_its_range(imported):
    _, cohort, report = imported
    assert not [line for line in report.lines() if "no known value" in line]
    for field in cohort.schema:
        if field.range is not None:
            assert not field.out_of_range(cohort.subjects[field.name]).any()


def test_impossible_values_are_reported(imported):
    name, _, report = imported
    text = "\n".join(report.lines())
    for line in IMPOSSIBLE.get(name, []):
        assert line in text


def test_a_split_keeps_groups_together(imported):
    _, cohort, _ = imported
    parts = cohort.split({"train": 0.7, "holdout": 0.3}, seed=0)
    groups = [
        set(p.subjects.index if p.groups is None else p.groups.loc[p.subjects.index])
        for p in parts.values()
    ]
    assert not groups[0] & groups[1]


def test_the_folder_reads_back(imported, tmp_path):
    _, cohort, _ = imported
    small = cohort.of_subjects(cohort.subjects.index[:40])
    small.save(tmp_path / "cohort")
    again = Cohort.load(tmp_path / "cohort")
    assert again.about["licence"]
    assert again.modalities == small.modalities
    for modality in again.modalities:
        before, after = small[modality].payload.to_table(), again[modality].payload.to_table()
        assert after.equals(before)


def test_x_rays_have_lung_masks_where_the_source_has_them():
    images = import_cohort("covid_cxr", DATA / "covid_cxr")[0]["imaging"].payload
    assert images.pixels.shape == (229, 1, 128, 128)
    share = (images.masks[images.masked] == 1).mean()
    assert images.masked.sum() == 95
    assert 0.1 < share < 0.5
    inside = images.pixels[images.masked][images.masks[images.masked] == 1].mean()
    assert inside < images.pixels[images.masked].mean()  # lungs are dark


def test_both_phases_of_a_slice_stand_side_by_side():
    images = import_cohort("cardiac_mri_acdc", DATA / "cardiac_mri_acdc")[0]["imaging"].payload
    ventricle = (images.masks == images.mask_labels.index("left_ventricle")).sum(axis=(2, 3))
    assert images.channels == ("ED", "ES")
    assert ventricle[:, 1].sum() < 0.7 * ventricle[:, 0].sum()  # the heart contracts


def test_ecgs_obey_the_limb_leads():
    series = import_cohort("ptbxl_subset", DATA / "ptbxl_subset")[0]["timeseries"].payload
    i, ii, iii = (series.values[:, :, c] for c in range(3))
    assert series.values.shape == (355, 1000, 12)
    assert np.abs(i + iii - ii).mean() < 0.005  # mV; Einthoven: II = I + III


def test_vital_signs_are_those_of_intensive_care():
    for name in ("icu_challenge2012", "mimic4_demo"):
        series = import_cohort(name, DATA / name)[0]["timeseries"].payload
        medians = dict(
            zip(
                [f.name for f in series.channels],
                np.nanmedian(series.values, axis=(0, 1)),
                strict=True,
            )
        )
        assert series.values.shape[1] == 48
        assert 80 < medians["heart_rate"] < 92
        assert 36.5 < medians["temperature"] < 37.5
        assert medians["diastolic_bp"] < medians["systolic_bp"]
