"""Charts show every recorded value: runs as lines, lone values as dots, gaps as gaps."""

from __future__ import annotations

import re

import numpy as np
import pytest

from casemix.evaluation.report.series_figure import series_chart, typical_ranges


def chart(y, ranges=None, most=12):
    channels = [{"name": "rate", "unit": "/min", "y": y}]
    preview = {"type": "chart", "unit_x": "h", "x": list(range(len(y))), "channels": channels}
    return series_chart(preview, ranges or {}, "words", most=most, width=400.0)


def strokes(svg, kind):
    return re.search(rf'class="{kind}" d="([^"]*)"', svg).group(1)


def test_gaps_part_the_line_and_lone_values_are_dots():
    svg = chart([1.0, 2.0, None, 3.0, None, 2.0, 1.0])
    assert strokes(svg, "trace").count("M") == 2
    assert strokes(svg, "dots").count("h0") == 1


def test_channel_without_values_says_so():
    assert "not recorded" in chart([None, None])


def test_thinning_a_long_channel_keeps_its_extremes():
    y = np.zeros(5000)
    y[3211], y[4000] = 9.0, -7.0
    svg = chart(y.tolist())
    heights = [float(v) for v in re.findall(r"[ML][\d.]+ ([\d.]+)", strokes(svg, "trace"))]
    assert len(heights) <= 400
    assert len(set(heights)) == 3


def test_common_range_widens_the_scale_and_never_cuts_values():
    svg = chart([50.0, 60.0], {"rate": (20.0, 55.0)})
    assert ">60<" in svg
    assert ">20<" in svg


def test_typical_ranges_leave_outliers_out():
    y = [*np.linspace(60, 80, 999), 1e6]
    low, high = typical_ranges([{"channels": [{"name": "rate", "y": y}]}])["rate"]
    assert low == pytest.approx(60, abs=1)
    assert high == pytest.approx(80, abs=1)


def test_units_and_channels_left_out():
    preview = {
        "unit_x": "h",
        "x": [0, 1],
        "channels": [{"name": f"c{i}", "unit": "mm[Hg]", "y": [1.0, 2.0]} for i in range(5)],
    }
    svg = series_chart(preview, {}, "words", most=3, width=400.0)
    assert "c2 (mmHg)" in svg
    assert "c3" not in svg
