"""A whole small import, and each way in which the data can be wrong."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from casemix.core.cohort import Cohort
from casemix.errors import CohortError, MappingError, PayloadError
from casemix.recipes.mapping import import_cohort


def test_the_small_export_becomes_a_cohort(imported):
    cohort, report = imported()
    assert list(cohort.subjects.index) == ["007", "008", "009"]
    assert cohort.subjects["sex"].tolist() == ["F", "M", None]
    assert np.isnan(cohort.subjects.loc["008", "age"])
    assert cohort["tabular"].index["time"].tolist() == [0.0, 48.0, 0.0, 24.0]
    assert report.samples == {"tabular": 4, "timeseries": 3, "imaging": 3}
    assert cohort.about["licence"] == "none"


def test_the_report_counts_what_was_changed(imported):
    cohort, report = imported()
    text = "\n".join(report.lines())
    assert "subjects.fields.age: 1 of 3 cells held a missing-value code" in text
    assert "height: 1 of 3 numbers outside 40 to 230 cm (from 431.8 to 431.8)" in text
    assert "temperature: 1 of 2 numbers outside 25 to 45 Cel (from -17.8 to -17.8)" in text
    assert "1 of 7: events of nobody" in text
    assert json.loads(json.dumps(report.to_json()))["subjects"] == 3
    assert "2 numbers outside their range, 0 unreadable cells" in cohort.about["import"]


def test_the_cohort_folder_keeps_everything(imported, tmp_path):
    cohort, _ = imported({"subjects/group": "sex", "tables/patients/require": ["sex"]} | ORPHANS)
    cohort.save(tmp_path / "cohort")
    again = Cohort.load(tmp_path / "cohort")
    pd.testing.assert_frame_equal(again.subjects, cohort.subjects)
    assert again.groups.tolist() == ["0", "1"]
    np.testing.assert_array_equal(again["imaging"].payload.pixels, cohort["imaging"].payload.pixels)
    np.testing.assert_array_equal(
        again["timeseries"].payload.values, cohort["timeseries"].payload.values
    )
    assert again.about == cohort.about


ORPHANS = {f"samples/{m}/orphans": "drop" for m in ("tabular", "timeseries", "imaging")}


def test_events_become_an_hourly_grid(imported):
    values = imported()[0]["timeseries"].payload.values
    expected = np.full((3, 3, 2), np.nan, dtype=np.float32)
    expected[0, 0, 0] = 85  # the median of 80 and 90
    expected[1, 0, 1] = 36.6
    expected[2, 2, 0] = 60  # minute 179.9; minute 180 is outside the window
    np.testing.assert_array_equal(values, expected)


def test_events_become_first_values_and_presence(imported, content):
    events = content["samples"]["timeseries"]["events"]
    tabular = {
        "table": "patients",
        "subject": "id",
        "events": {**events, "aggregate": "first"},
        "columns": {
            "first_rate": {"kind": "numeric", "codes": ["HR"]},
            "rates": {"kind": "numeric", "codes": ["HR"], "aggregate": "count"},
            "hot": {"kind": "binary", "codes": ["TEMP"], "aggregate": "present"},
        },
    }
    frame = imported({"samples/tabular": tabular})[0]["tabular"].payload.frame
    assert frame["first_rate"].fillna(-1).tolist() == [80.0, -1.0, 60.0]
    assert frame["rates"].fillna(0).tolist() == [2.0, 0.0, 1.0]
    assert frame["hot"].tolist() == ["yes", "yes", "no"]


def test_a_sum_beyond_the_range_is_counted(imported):
    channel = {"kind": "numeric", "codes": ["HR"], "range": [0, 100], "aggregate": "sum"}
    cohort, report = imported({"samples/timeseries/channels": {"total": channel}})
    assert cohort["timeseries"].subject_ids.tolist() == ["009"]  # 007 had only the sum of 170
    assert "samples.timeseries.channels.total (sum): 1 of 2 numbers outside" in "\n".join(
        report.lines()
    )


def test_dates_count_from_the_index_time(imported, root):
    (root / "patients.csv").write_text(
        "id,age,sex,in\n007,63,0,2020-01-01 06:00\n008,5,1,2020-02-01\n009,44,0,2020-03-01\n"
    )
    visits = pd.read_parquet(root / "visits.parquet")
    visits["at"] = ["2020-01-01 07:30", "2020-01-02 06:00", "2020-01-31", "2020-03-01"]
    visits.to_parquet(root / "visits.parquet")
    time = {"column": "at", "unit": "date"}
    with pytest.raises(MappingError, match="dates need a beginning"):
        imported({"samples/tabular/time": time})
    cohort, _ = imported({"samples/tabular/time": time, "subjects/index_time": "in"})
    assert cohort["tabular"].index["time"].tolist() == [1.5, 24.0, -24.0, 0.0]
    time["since"] = "first_record"
    cohort, _ = imported({"samples/tabular/time": time})
    assert cohort["tabular"].index["time"].tolist() == [0.0, 22.5, 0.0, 0.0]


def test_ambiguous_dates_are_refused(imported, root):
    visits = pd.read_parquet(root / "visits.parquet")
    visits["at"] = "03/04/2020"
    visits.to_parquet(root / "visits.parquet")
    time = {"column": "at", "unit": "date", "since": "first_record"}
    with pytest.raises(MappingError, match=r"4 cells are not dates.*ISO"):
        imported({"samples/tabular/time": time})


def test_dates_are_read_as_they_are_said_to_be_written(imported, root):
    (root / "patients.csv").write_text(
        "id,age,sex,born,in\n007,63,0,01.04.1990,2020-04-01\n008,5,1,,2020-02-01\n009,4,0,x,2020-03-01\n"
    )
    since = {"kind": "numeric", "unit": "a", "column": "born", "until": "in", "range": [0, 110]}
    with pytest.raises(MappingError, match=r"cells are not dates.*dates: \{born: "):
        imported({"subjects/fields/age": since})
    spelled = {"tables/patients/dates": {"born": "%d.%m.%Y"}}
    with pytest.raises(MappingError, match=r"tables\.patients\.dates\.born: 1 cells.*'x'"):
        imported(spelled)
    text = (root / "patients.csv").read_text()
    (root / "patients.csv").write_text(text.replace(",x,", ",,"))
    cohort, _ = imported(spelled)
    assert cohort.subjects["age"].round(1).fillna(-1).tolist() == [30.0, -1.0, -1.0]


def test_numbers_do_not_pass_for_dates_nor_dates_for_numbers(imported, root):
    since = {"column": "day", "unit": "date", "since": "first_record"}
    with pytest.raises(MappingError, match="'day' holds numbers, not dates"):
        imported({"samples/tabular/time": since})
    visits = pd.read_parquet(root / "visits.parquet")
    visits["day"] = pd.Timestamp("2020-01-01")
    visits.to_parquet(root / "visits.parquet")
    with pytest.raises(MappingError, match="'day' holds dates: say 'unit: date'"):
        imported({"samples/tabular/time": {"column": "day", "unit": "d"}})


def test_a_subject_in_two_groups_is_an_error(imported, root):
    (root / "patients.csv").write_text(
        "id,age,sex,site\n007,5,0,a\n007,5,0,b\n008,5,1,a\n009,4,0,a\n"
    )
    changes = {"subjects/group": "site", "subjects/repeated": "first", "samples/timeseries": None}
    with pytest.raises(MappingError, match=r"subjects\.group: a subject belongs.*007"):
        imported(changes)


def test_pictures_are_padded_or_cropped_to_size(imported):
    padded = imported()[0]["imaging"].payload.pixels
    assert padded.shape == (3, 1, 8, 8)
    assert padded[0, 0, :2].max() == 0
    assert padded[0, 0, 2:6].min() == 60
    cropped = imported({"samples/imaging/fit": "crop"})[0]["imaging"].payload.pixels
    assert cropped.min() == 60


def test_rgb_frames_have_three_channels(imported, root):
    colour = np.zeros((8, 8, 3), dtype=np.uint8)
    colour[:, :, 0] = 200
    Image.fromarray(colour).save(root / "png" / "a.png")
    images = imported({"samples/imaging/mode": "rgb"})[0]["imaging"].payload
    assert images.channels == ("R", "G", "B")
    assert images.pixels[0, :, 4, 4].tolist() == [200, 0, 0]
    assert images.pixels[1, :, 4, 4].tolist() == [120, 120, 120]


def test_masks_may_be_missing_and_map_to_labels(imported, root):
    mask = np.zeros((8, 16), dtype=np.uint8)
    mask[:, 8:] = 255
    Image.fromarray(mask).save(root / "png" / "m.png")
    (root / "pictures.csv").write_text(
        "picture,id,file,mask\n1,007,a.png,m.png\n2,008,b.png,\n3,009,c.png,\n"
    )
    changes = {
        "samples/imaging/masks": {"view": {"file": "mask", "folder": "png"}},
        "samples/imaging/mask_labels": {0: "background", 255: "lung"},
    }
    images = imported(changes)[0]["imaging"].payload
    assert images.masked.tolist() == [True, False, False]
    assert images.masks[0, 0, 4].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    with pytest.raises(MappingError, match=r"pixel without a label.*Given: 255"):
        imported({"samples/imaging/mask_labels": {0: "background", 254: "lung"}})
    soft = imported({"samples/imaging/soft_masks": True})[0]["imaging"].payload
    np.testing.assert_array_equal(soft.masks, images.masks)


def test_a_mask_keeps_the_numbers_of_its_palette(imported, root):
    mask = Image.fromarray(np.repeat(np.array([0, 2], dtype=np.uint8), 32).reshape(8, 8))
    palette = mask.convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    palette.save(root / "png" / "m.png")
    (root / "pictures.csv").write_text("picture,id,file,mask\n1,007,a.png,m.png\n")
    changes = {
        "samples/imaging/masks": {"view": {"file": "mask", "folder": "png"}},
        "samples/imaging/mask_labels": {0: "background", 1: "liver", 2: "spleen"},
    }
    images = imported(changes)[0]["imaging"].payload
    assert np.unique(images.masks).tolist() == [0, 2]
    palette.convert("RGB").save(root / "png" / "m.png")
    with pytest.raises(MappingError, match="a mask is coloured"):
        imported()


def test_arrays_give_frames_by_row(imported, root):
    np.savez(
        root / "stack.npz", image=np.arange(3, dtype=np.uint16)[:, None, None] * np.ones((8, 8))
    )
    (root / "pictures.csv").write_text("picture,id,row\n1,007,2\n2,008,0\n3,009,1\n")
    frames = {"z": {"array": {"file": "stack.npz", "key": "image", "row": "row"}}}
    with pytest.raises(MappingError, match="more than 8 bits"):
        imported({"samples/imaging/frames": frames})
    images = imported({"samples/imaging/window": [0, 2]})[0]["imaging"].payload
    assert images.pixels[:, 0, 0, 0].tolist() == [255, 0, 128]
    (root / "pictures.csv").write_text("picture,id,row\n1,007,3\n2,008,0\n3,009,1\n")
    with pytest.raises(MappingError, match=r"positions that stack\.npz does not have.*0 to 2"):
        imported()


def test_ready_series_are_taken_by_channel_name(imported, root):
    ecg = np.stack([np.full((5, 2), [i, 10 * i]) for i in range(3)]).astype(np.int16)
    np.savez(root / "ecg.npz", ecg=ecg, lead=np.array(["I", "II"]))
    pd.DataFrame({"id": ["008", "007"], "row": [2, 1]}).to_parquet(root / "visits.parquet")
    series = {
        "table": "visits",
        "subject": "id",
        "step_seconds": 0.01,
        "array": {"file": "ecg.npz", "key": "ecg", "row": "row", "names": "lead"},
        "channels": {
            "ii": {"kind": "numeric", "unit": "mV", "column": "II", "convert": {"scale": 0.001}}
        },
    }
    cohort, _ = imported({"samples/timeseries": series, "samples/tabular": None})
    values = cohort["timeseries"].payload.values
    assert values.shape == (2, 5, 1)
    np.testing.assert_allclose(values[:, 0, 0], [0.02, 0.01])


def test_only_with_keeps_subjects_that_have_the_modality(imported, root):
    (root / "pictures.csv").write_text("picture,id,file\n1,007,a.png\n")
    cohort, report = imported({"subjects/only_with": ["imaging"]})
    assert list(cohort.subjects.index) == ["007"]
    assert len(cohort["tabular"]) == 2
    assert "left out: subjects.only_with: 2 of 3: no imaging" in "\n".join(report.lines())


def test_drop_takes_the_subject_and_its_samples(imported):
    age = {"kind": "numeric", "range": [50, 110], "outside": "drop", "missing": [-1]}
    cohort, _ = imported({"subjects/fields/age": age})
    assert list(cohort.subjects.index) == ["007", "008"]
    assert set(cohort["tabular"].subject_ids) == {"007", "008"}


def test_drop_takes_the_record(imported):
    height = {"kind": "numeric", "range": [40, 230], "outside": "drop"}
    cohort, report = imported({"samples/tabular/columns/height": height})
    assert cohort["tabular"].sample_ids.tolist() == ["1", "3", "4"]
    assert "dropped with their record" in "\n".join(report.lines())


def test_repeated_subject_rows_are_an_error_unless_first(imported, root):
    (root / "patients.csv").write_text("id,age,sex\n007,,0\n007,64,1\n008,5,1\n009,44,0\n")
    events = {"samples/timeseries": None}
    with pytest.raises(CohortError, match=r"several rows of a subject.*007"):
        imported(events)
    cohort, report = imported({"subjects/repeated": "first"})
    assert cohort.subjects.loc["007"].tolist() == [64.0, "F"]
    assert "subjects.fields.sex: subjects whose rows disagree" in "\n".join(report.lines())


def test_duplicate_sample_ids_are_an_error(imported):
    with pytest.raises(CohortError, match=r"samples\.tabular: several records.*007"):
        imported({"samples/tabular/id": None})


def test_an_id_may_have_several_parts(imported):
    cohort, _ = imported({"samples/tabular/id": ["patient", "visit"]})
    assert cohort["tabular"].sample_ids[0] == "007-1"


def test_a_sample_of_an_unknown_subject_is_an_error_unless_dropped(imported, root):
    (root / "pictures.csv").write_text("picture,id,file\n1,007,a.png\n2,unknown,b.png\n")
    with pytest.raises(CohortError, match=r"samples\.imaging: 1 of 2 records.*unknown"):
        imported()
    cohort, report = imported({"samples/imaging/orphans": "drop"})
    assert len(cohort["imaging"]) == 1
    assert "samples.imaging: 1 of 2: their subject is not" in "\n".join(report.lines())


def test_a_modality_without_records_is_an_error(imported, root):
    (root / "pictures.csv").write_text("picture,id,file\n2,unknown,b.png\n")
    with pytest.raises(CohortError, match=r"samples\.imaging: no record is left"):
        imported({"samples/imaging/orphans": "drop"})


def test_a_missing_id_is_an_error(imported, root):
    (root / "pictures.csv").write_text("picture,id,file\n1,,a.png\n")
    with pytest.raises(MappingError, match=r"1 rows have no id.*require: id"):
        imported()


def test_a_missing_column_says_what_there_is(imported):
    with pytest.raises(MappingError, match=r"subjects\.id: there is no column 'idd'.*Did you mean"):
        imported({"subjects/id": "idd"})


def test_a_record_without_a_time_follows_the_mapping(imported, root):
    visits = pd.read_parquet(root / "visits.parquet")
    visits.loc[1, "day"] = np.nan
    visits.to_parquet(root / "visits.parquet")
    with pytest.raises(MappingError, match="1 of 4 records have no time"):
        imported()
    time = {"column": "day", "unit": "d", "unknown": "drop"}
    assert len(imported({"samples/tabular/time": time})[0]["tabular"]) == 3
    time["unknown"] = "zero"
    assert imported()[0]["tabular"].index["time"].tolist() == [0.0, 0.0, 0.0, 24.0]


@pytest.mark.parametrize("cut", [40, -60])
def test_a_corrupt_png_is_an_error_that_names_the_file_unless_dropped(imported, root, cut):
    noise = np.arange(128, dtype=np.uint8).reshape(8, 16)
    Image.fromarray(noise).save(root / "png" / "b.png")
    whole = (root / "png" / "b.png").read_bytes()
    (root / "png" / "b.png").write_bytes(whole[:cut])
    with pytest.raises(
        PayloadError, match=r"frames\.view: the picture of b\.png cannot be decoded"
    ):
        imported()
    cohort, report = imported({"samples/imaging/unreadable": "drop"})
    assert cohort["imaging"].sample_ids.tolist() == ["1", "3"]
    assert "samples.imaging: 1 of 3: a picture cannot be read" in "\n".join(report.lines())


def test_a_picture_that_is_not_there_is_an_error(imported, root):
    (root / "png" / "b.png").unlink()
    with pytest.raises(PayloadError, match=r"no picture 'b\.png'"):
        imported()


@pytest.mark.parametrize("name", ["../patients.csv", "/etc/hostname"])
def test_a_file_name_in_a_cell_cannot_leave_the_folder(imported, root, name):
    (root / "pictures.csv").write_text(f"picture,id,file\n1,007,{name}\n")
    with pytest.raises(MappingError, match="must stay below the root"):
        imported()


def test_pictures_of_several_sizes_need_a_size(imported, root):
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(root / "png" / "b.png")
    with pytest.raises(MappingError, match="differ in size"):
        imported({"samples/imaging/size": None})


def test_a_code_that_no_event_has_is_an_error(imported):
    channel = {"kind": "numeric", "codes": ["PULSE"]}
    with pytest.raises(MappingError, match=r"channels\.pulse: no event.*HR"):
        imported({"samples/timeseries/channels": {"pulse": channel}})


def test_a_root_that_is_not_there_is_an_error(imported, root):
    with pytest.raises(MappingError, match="There is no folder"):
        import_cohort("covid_cxr", root / "nowhere")
