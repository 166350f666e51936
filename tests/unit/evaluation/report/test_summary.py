"""The Markdown summary holds the verdicts and scores, as text only."""

from __future__ import annotations

import hostile

from casemix.evaluation.report.summary import markdown_summary


def test_scores_and_links_are_in_tables():
    summary = markdown_summary(hostile.metrics())
    row = next(line for line in summary.splitlines() if "C2ST AUC" in line)
    assert row == (
        "| fidelity | C2ST AUC | 0.710 \\[0.660, 0.760\\] | 0.990 | 0.520 | 0.596 | 40 |"
    )
    assert "| imaging and text | 0.620 \\[0.400, 0.800\\] |" in summary


def test_every_table_row_has_as_many_cells_as_its_head():
    summary = markdown_summary(hostile.metrics()).replace("\\|", "")
    tables = [part for part in summary.split("\n\n") if part.startswith("|")]
    assert len(tables) == 5
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_hostile_names_stay_text():
    summary = markdown_summary(hostile.metrics())
    assert "<script" not in summary
    assert "<img" not in summary
    assert "&lt;script&gt;" in summary


def test_nothing_measured_claims_nothing():
    summary = markdown_summary({})
    assert "No verdict was drawn" in summary
    assert "|" not in summary
