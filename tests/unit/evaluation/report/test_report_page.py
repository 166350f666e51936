"""The report says what the metrics say, and what they do not."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import hostile
import pytest

from casemix.errors import EvaluationError
from casemix.evaluation.report.report_page import report_html, write_report

HEADINGS = (
    "Congruence",
    "Coverage",
    "Constraint",
    "Completeness",
    "Compliance",
    "Comprehension",
    "Consistency",
)


@pytest.fixture(scope="module")
def made():
    return hostile.cohort(8, "synthetic", prefix="s")


@pytest.fixture(scope="module")
def real():
    return hostile.cohort(6, "real", prefix="r", seed=1)


@pytest.fixture(scope="module")
def html(made, real):
    return report_html(hostile.metrics(), real, made)


def text(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html.partition("<body>")[2]).split())


def test_policy_names_the_hash_of_the_style_and_allows_no_script(html):
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    policy = policy.replace("&#39;", "'")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "script-src 'none'" in policy
    assert "<script" not in html


def test_no_hostile_string_reaches_the_page_unescaped(html):
    assert hostile.SCRIPT not in html
    assert hostile.IMAGE not in html
    assert hostile.CLOSING not in html
    assert "<img src=x" not in html


def test_no_style_attribute_or_handler_that_the_policy_would_block(html):
    assert re.search(r"<[^>]* style=", html) is None
    assert re.search(r"<[a-z]+[^>\"]* on[a-z]+=", html) is None


def test_verdicts_stand_under_their_outcome_with_their_threshold(html):
    fails = html.split('class="verdict verdict-fail"')[1].split('class="verdict ')[0]
    assert "text &lt;script&gt;" in fails
    assert "0.400" in fails
    assert "imaging: hard to tell" not in fails
    assert "Of 4 statements, 1 hold, 1 hold with caution, 1 fail and 1 could not" in text(html)


def test_card_has_the_seven_headings_and_owns_up(html, made, real):
    card = html.split('<h2 id="card">')[1]
    assert re.findall(r'<th scope="row">(\w+)</th>', card) == list(HEADINGS)
    coverage = card.split("Coverage</th>")[1].split("</tr>")[0]
    assert "Not measured." not in coverage
    without = report_html(hostile.metrics() | {"constraints": {}}, real, made)
    constraint = without.split("Constraint</th>")[1].split("</tr>")[0]
    assert "Not measured." in constraint
    congruence = card.split("Congruence</th>")[1].split("</tr>")[0]
    assert "C2ST AUC: imaging 0.710 [0.660, 0.760]" in congruence


def test_subgroups_rules_and_contradictions_are_shown(html):
    words = text(html)
    assert "Coverage of imaging by group" in words
    assert "(too few)" in words
    assert "more often than in reality" in words
    assert "7 more speak of fields that these cohorts do not have" in words
    assert "1 stated rules applied; 0 are kept as in reality" in words
    assert "1 scores by subgroup; 1 differ beyond chance" in words
    assert "s-1 breaks age" in words


def test_the_verdict_says_use_by_use_what_the_cohort_is_fit_for(html):
    table = html.split('<table class="uses stack">')[1].split("</table>")[0]
    rows = [re.sub(r"<[^>]*>", " ", row).strip() for row in table.split("<tr>")[2:]]
    assert [row.split()[0] for row in rows] == ["Training", "Showing", "Teaching"]
    assert "not fit" in rows[0]
    assert "with caution" in rows[1]
    assert "all that it rests on holds" in rows[2]


def test_curves_of_uses_are_drawn_with_what_is_defined(html):
    assert html.count('class="made-line"') == 2  # imaging and text
    assert html.count('class="diagonal-line"') == 2
    assert "0.800 on real, 0.700 on synthetic" in text(html)


def test_never_called_anonymous(html):
    assert "anonym" not in html.lower()


def test_real_patients_make_the_page_confidential(html, made):
    assert "Handle this page as confidential patient data" in html
    phantom = report_html(hostile.metrics(), hostile.cohort(6, "phantom", prefix="r"), made)
    assert "confidential" not in phantom


def test_over_coupling_is_marked_and_undefined_links_are_said(html):
    matrix = html.split('class="matrix"')[1].split("</svg>")[0]
    assert "1.31 ▲" in matrix
    assert "undefined" in matrix
    assert "does not apply" in matrix


def test_value_beyond_the_ceiling_is_an_arrow(html):
    assert "<polygon" in html


def test_fidelity_without_privacy_is_warned_about(made, real):
    metrics = hostile.metrics()
    warning = "Copying was not measured"
    assert warning not in report_html(metrics, real, made)
    del metrics["modalities"]["text"]["metrics"]["membership_auc"]
    assert warning in report_html(metrics, real, made)


def test_galleries_show_the_same_subjects_in_each_modality(html):
    shown = [
        re.findall(r"<strong>(s-\d)</strong>", part)
        for part in html.split('<section class="modality"')[1:]
    ]
    assert len(shown) == 4
    assert all(ids == shown[0] for ids in shown)
    assert len(shown[0]) >= 5  # six subjects, of which one may have the hostile id


def test_galleries_follow_the_seed_of_the_protocol(made, real):
    pages = []
    for seed in (3, 3, 4):
        metrics = hostile.metrics()
        metrics["protocol"]["seed"] = seed
        html = report_html(metrics, real, made)
        pages.append(re.findall(r"<strong>(s-\d)</strong>", html))
    assert pages[0] == pages[1] != pages[2]


@pytest.mark.parametrize("part", sorted(hostile.metrics()))
def test_any_part_of_the_metrics_may_be_absent(made, real, part):
    metrics = hostile.metrics()
    del metrics[part]
    assert "Synthetic-data card" in report_html(metrics, real, made)


def test_without_metrics_nothing_is_claimed(made, real):
    words = text(report_html({}, real, made))
    assert "No verdict was drawn" in words
    assert words.count("Not measured.") >= 4


def test_cohorts_without_a_common_modality(made, real):
    bare = replace(made, samples={"text": made["text"]})
    html = report_html({}, replace(real, samples={"imaging": real["imaging"]}), bare)
    assert "Modalities that the synthetic cohort lacks: imaging" in html


def test_preview_outside_the_contract_is_an_error_and_leaves_no_file(made, real, tmp_path):
    text_samples = made["text"]
    payload = hostile.Previews(({"type": "video"},) * len(text_samples))
    broken = made.with_samples(replace(text_samples, payload=payload))
    with pytest.raises(EvaluationError, match=r"unknown type.*video.*table, chart, text, image"):
        write_report(hostile.metrics(), real, broken, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_pixels_that_are_no_base64_are_an_error(made, real):
    images = made["imaging"]
    frame = {"name": "ED", "png": '" onload="x', "overlay": None}
    payload = hostile.Previews(({"type": "image", "frames": [frame]},) * len(images))
    broken = made.with_samples(replace(images, payload=payload))
    with pytest.raises(EvaluationError, match="not a base64 PNG"):
        report_html({}, real, broken)
