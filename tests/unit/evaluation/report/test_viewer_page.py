"""The viewer embeds the right patients, all of their records, and nothing unescaped."""

from __future__ import annotations

import re
from dataclasses import replace

import hostile
import numpy as np
import pytest

from casemix.core.samples import Samples
from casemix.errors import EvaluationError
from casemix.evaluation.report.viewer_page import viewer_html, write_viewer


@pytest.fixture(scope="module")
def made():
    return hostile.cohort(9, "synthetic", prefix="s")


def ids(html, cohort=0):
    return re.findall(rf'data-cohort="{cohort}" data-id="([^"]*)"', html)


def test_every_patient_is_embedded_when_there_are_few(made):
    html = viewer_html({"synthetic": made})
    assert len(ids(html)) == 9
    assert "9 of 9 patients here" in html


def test_most_limits_patients_evenly_and_says_so(made):
    html = viewer_html({"synthetic": made}, most=3)
    assert ids(html)[:2] == ["s-0", "s-4"]
    assert len(ids(html)) == 3
    assert "3 of 9 patients here" in html


def test_cohorts_stay_apart_and_in_order(made):
    real = hostile.cohort(4, "real", prefix="r")
    html = viewer_html({"made": made, "hospital": real})
    assert len(ids(html, 0)) == 9
    assert ids(html, 1)[:3] == ["r-0", "r-1", "r-2"]
    assert html.count("REAL PATIENT.") == 4
    assert html.count("SYNTHETIC PATIENT.") == 9


def test_hostile_strings_are_escaped(made):
    html = viewer_html({hostile.SCRIPT: made})
    for string in (hostile.SCRIPT, hostile.CLOSING, hostile.IMAGE):
        assert string not in html
    assert html.count("<script") == 1
    assert "49" not in re.findall(r"vendor ([^<]*)<", html)  # a template in a record is not run


def test_records_follow_time_and_the_rest_is_counted(made):
    many = 14
    index = made["text"].index.iloc[[0] * many].copy()
    index.index = [f"note-{i}" for i in range(many)]
    index["time"] = np.arange(many, 0, -1, dtype=float)
    payload = hostile.Previews(
        tuple({"type": "text", "text": f"note at {t:.0f}"} for t in index["time"])
    )
    notes = Samples("text", index, payload, made["text"].schema)
    html = viewer_html({"synthetic": replace(made, samples={"text": notes})})
    assert "first 12 of 14 records" in html
    assert re.findall(r">note at (\d+)<", html) == [str(t) for t in range(1, 13)]


def test_patient_without_records_or_context_is_shown(made):
    bare = replace(made, samples={})
    assert len(ids(viewer_html({"synthetic": bare}))) == 9


def test_masks_are_offered_only_where_there_are_any(made):
    assert 'id="masks"' in viewer_html({"synthetic": made})
    assert 'id="masks"' not in viewer_html({"s": replace(made, samples={"text": made["text"]})})


@pytest.mark.parametrize(("cohorts", "most"), [({}, 60), ("one", 0)])
def test_nothing_to_show_is_an_error(made, tmp_path, cohorts, most):
    with pytest.raises(EvaluationError, match="nothing to show"):
        write_viewer(cohorts and {"synthetic": made}, tmp_path / "page.html", most=most)
    assert list(tmp_path.iterdir()) == []
