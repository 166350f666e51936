from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from casemix.core import registry
from casemix.core.conditions import Conditions
from casemix.core.fields import Field, Kind, Schema
from casemix.core.progress import Progress
from casemix.core.samples import Samples
from casemix.errors import ConditionError, FitError
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.generators.flow import Config, Flow
from casemix.modalities.imaging.toy import CONDITIONS, toy

SMALL = Config(
    steps=150, flow_steps=60, mask_steps=250, batch_size=8, width=16, code=4, grid=8
)  # about 4 s


@pytest.fixture(scope="module")
def fitted():
    data, given = toy(96, seed=0)
    return Flow(SMALL).fit(data, given, seed=0)


def wanted(severity, group, n=24):
    ids = pd.Index([f"new-{i}" for i in range(n)])
    return Conditions.of(
        pd.DataFrame({"severity": severity, "group": group}, index=ids), CONDITIONS
    )


def cavity(samples):
    return (samples.payload.masks == 2).mean(axis=(1, 2, 3))


def test_masks_follow_a_numeric_condition(fitted):
    mild = fitted.generate(wanted(0.1, "a"), seed=1)
    severe = fitted.generate(wanted(0.9, "a"), seed=1)
    assert cavity(severe).mean() > 1.6 * cavity(mild).mean()


def test_pictures_follow_their_masks_and_the_group(fitted):
    means = {}
    for group in ("a", "b"):
        images = fitted.generate(wanted(0.6, group), seed=1).payload
        means[group] = images.pixels[images.masks == 2].mean()
        assert means[group] > images.pixels[images.masks == 0].mean() + 50
    assert means["b"] > means["a"] + 15


def test_a_given_mask_is_kept_and_followed(fitted):
    masks = np.zeros((24, 1, 16, 16), dtype=np.uint8)
    masks[:, :, 3:9, 2:8] = 2
    rows = wanted(0.5, "b")
    made = fitted.generate(Conditions(rows.rows, rows.schema, {"segmentation": masks}), seed=1)
    assert np.array_equal(made.payload.masks, masks)
    inside = made.payload.pixels[masks == 2].mean()
    assert inside > made.payload.pixels[masks == 0].mean() + 50


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        ({"segmentation": np.zeros((24, 1, 8, 8), dtype=np.uint8)}, "cannot follow these masks"),
        ({"segmentation": np.full((24, 1, 16, 16), 7, dtype=np.uint8)}, "without a label"),
        ({"edges": np.zeros((24, 1, 16, 16), dtype=np.uint8)}, "does not know this map"),
    ],
)
def test_an_unusable_map_is_an_error(fitted, maps, message):
    rows = wanted(0.5, "b")
    with pytest.raises(ConditionError, match=message):
        fitted.generate(Conditions(rows.rows, rows.schema, maps), seed=1)


def test_a_method_that_follows_no_mask_refuses_one():
    data, given = toy(16, seed=0)
    model = registry.load("generators", "imaging/marginals")().fit(data, given, seed=0)
    masked = Conditions(given.rows, given.schema, {"segmentation": data.payload.masks})
    with pytest.raises(ConditionError, match="no maps"):
        model.generate(masked, seed=1)


def test_a_finished_fit_is_taken_up_from_its_checkpoints(tmp_path):
    data, given = toy(24, seed=0)
    kept = Progress(checkpoints=tmp_path)
    first = Flow.tiny().fit(data, given, seed=0, progress=kept)
    parts = {str(p.parent.relative_to(tmp_path)) for p in tmp_path.rglob("step.json")}
    assert parts == {"masks/training", "codes/training", "pictures/training"}
    again = Flow.tiny().fit(data, given, seed=0, progress=kept)
    pixels = [m.generate(wanted(0.5, "b", n=3), seed=1).payload.pixels for m in (first, again)]
    assert np.array_equal(*pixels)


def colour(data):
    pixels = np.repeat(data.payload.pixels, 3, axis=1)[:, :, :13, :11]
    return Images(np.ascontiguousarray(pixels), ("R", "G", "B"))


def half_masked(data):
    has_mask = np.arange(len(data)) % 2 == 0
    masks = data.payload.masks * has_mask[:, None, None, None]
    return Images(
        data.payload.pixels, data.payload.channels, masks, data.payload.mask_labels, has_mask
    )


@pytest.mark.parametrize("make", [colour, half_masked])
@pytest.mark.parametrize("method", ["imaging/flow", "imaging/dcgan", "imaging/marginals"])
def test_every_layout_is_learnt_and_made(make, method):
    data, given = toy(24, seed=0)
    other = Samples("imaging", data.index, make(data))
    plugin = registry.load("generators", method)
    made = plugin.tiny().fit(other, given, seed=0).generate(wanted(0.5, "a", n=3), seed=1)
    assert made.payload.layout == other.payload.layout
    assert made.payload.masked.all() == (other.payload.masks is not None)


@pytest.mark.parametrize("method", ["imaging/flow", "imaging/dcgan"])
def test_no_condition_is_needed(method):
    data, given = toy(16, seed=0)
    bare = Conditions(given.rows[["subject_id", "time"]], Schema())
    made = registry.load("generators", method).tiny().fit(data, bare, seed=0)
    assert len(made.generate(bare, seed=1)) == 16


def test_record_fields_are_taken_from_the_conditions_where_they_have_them():
    data, given = toy(16, seed=0)
    fields = Schema(
        (
            Field("vendor", Kind.CATEGORICAL, levels=("A", "B")),
            Field("spacing", Kind.NUMERIC, "mm"),
        )
    )
    index = data.index.assign(vendor="A", spacing=1.5)
    recorded = Samples("imaging", index, data.payload, fields)
    known = given.join(pd.DataFrame({"vendor": "B"}, index=index.index), fields.pick(["vendor"]))
    model = registry.load("generators", "imaging/marginals")().fit(recorded, known, seed=0)
    made = model.generate(known, seed=1)
    assert set(made.index["vendor"]) == {"B"}
    assert made.index["spacing"].isna().all()


@pytest.mark.parametrize("method", ["imaging/flow", "imaging/dcgan", "imaging/copy_training"])
def test_too_few_pictures_are_an_error(method):
    data, given = toy(7, seed=0)
    with pytest.raises(FitError, match="so few pictures"):
        registry.load("generators", method).tiny().fit(data, given, seed=0)


def test_no_rows_are_an_error(fitted):
    with pytest.raises(ConditionError, match="no pictures"):
        fitted.generate(wanted(0.5, "a").take(np.array([], dtype=int)), seed=1)
