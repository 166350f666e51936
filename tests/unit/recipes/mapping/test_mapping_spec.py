"""Mappings are read strictly: every mistake is named with its place in the YAML."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from casemix.errors import MappingError
from casemix.recipes.mapping import load_mapping, shipped
from casemix.recipes.mapping.load import mapping_of
from casemix.recipes.mapping.parse import parse_yaml
from casemix.recipes.mapping.spec import MODALITIES, MappingSpec, Records, SubjectsSpec, TableSpec

SHIPPED = [
    "cardiac_mri_acdc",
    "covid_cxr",
    "dermoscopy_ham10000",
    "diabetes_130us",
    "icu_challenge2012",
    "lung_ultrasound",
    "mimic4_demo",
    "ptbxl_subset",
]


def test_the_shipped_mappings_are_complete():
    assert shipped() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_mapping_is_valid_and_states_its_licence(name):
    spec = load_mapping(name)
    assert spec.about.licence
    assert spec.about.source
    assert spec.samples


def test_words_stay_words():
    content = parse_yaml("levels: [No, yes, on, Off]\nflag: true\nNo: 1")
    assert content == {"levels": ["No", "yes", "on", "Off"], "flag": True, "No": 1}


def test_a_key_twice_is_an_error():
    with pytest.raises(MappingError, match="'age' stands twice"):
        parse_yaml("fields:\n  age: 1\n  age: 2")


def test_a_merged_block_may_be_overridden():
    content = parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}")
    assert content["b"] == {"x": 1, "y": 3}


def test_a_tag_that_would_run_code_is_refused():
    with pytest.raises(MappingError, match="not valid YAML"):
        parse_yaml("a: !!python/object/apply:os.getcwd []")


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MappingError, match=re.escape(str(tmp_path / "no.yaml"))):
        load_mapping(tmp_path / "no.yaml")


def test_an_unknown_name_has_a_suggestion():
    with pytest.raises(MappingError, match="Did you mean 'covid_cxr'"):
        load_mapping("covid_cxrr")


def change(content, path, value):
    *inner, last = path.split("/")
    for key in inner:
        content = content[key]
    content[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("subject", {}, r"mapping: unknown key 'subject'.*Did you mean 'subjects'"),
        ("subjects/feilds", {}, r"subjects: unknown key 'feilds'.*Did you mean 'fields'"),
        ("subjects/table", "patient", r"subjects\.table: no table 'patient'.*'patients'"),
        ("subjects/only_with", ["image"], r"subjects\.only_with\.0: no modality.*'imaging'"),
        ("samples/image", {}, r"samples: unknown modality 'image'.*'imaging'"),
        ("samples/imaging/size", [8], r"samples\.imaging\.size: a list of 2"),
        ("samples/imaging/size", [8, "x"], r"samples\.imaging\.size\.1: a whole number"),
        ("samples/imaging/frames/view", {}, r"frames\.view: give exactly one of"),
        ("samples/imaging/mode", "gray", r"samples\.imaging\.mode.*'grey'"),
        ("samples/imaging/mask_labels", {0: "b"}, "masks and mask_labels go together"),
        ("samples/imaging/orphans", True, r"samples\.imaging\.orphans: this is not one"),
        ("samples/timeseries/events/window", [3, 0], r"events\.window: the first hour"),
        ("samples/timeseries/events/time", {"column": "m", "unit": "date"}, "'origin' goes with"),
        ("samples/timeseries/array", {"file": "a", "key": "b", "row": "c"}, "exactly one of"),
        ("samples/timeseries/channels", {"x": {"kind": "numeric"}}, "name the event 'codes'"),
        ("samples/timeseries/step_seconds", 0, "a step takes time"),
        (
            "samples/tabular/columns",
            {"x": {"kind": "numeric", "codes": ["a"]}},
            "needs an 'events'",
        ),
        ("samples/tabular/columns", {"X": {"kind": "numeric"}}, "needs another name"),
        ("samples/tabular/fields", {"time": {"kind": "numeric"}}, "needs another name"),
        ("samples/tabular/fields", {"age": {"kind": "numeric"}}, "named twice"),
        ("tables/patients/join", [{"table": "x", "on": "id", "columns": {}}], "no table 'x'"),
        ("provenance", "fake", "provenance: this is not one of the choices"),
    ],
)
def test_a_mistake_is_named_with_its_place(content, path, value, message):
    mapping_of(content)  # right before the change
    change(content, path, value)
    with pytest.raises(MappingError, match=message):
        mapping_of(content)


def test_a_missing_key_is_named(content):
    del content["subjects"]["id"]
    with pytest.raises(MappingError, match="subjects: the key 'id' is missing"):
        mapping_of(content)


def test_every_key_is_explained_in_its_class():
    classes = [MappingSpec, SubjectsSpec, TableSpec, *MODALITIES.values()]
    assert len(classes) == 7
    for cls in classes:
        text = f"{cls.__doc__}\n{Records.__doc__}"
        for field in dataclasses.fields(cls):
            assert f"{field.name}:" in text, f"{cls.__name__}.{field.name}"
