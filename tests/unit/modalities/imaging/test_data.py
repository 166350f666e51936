from __future__ import annotations

import base64
import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from casemix.core import seeding
from casemix.errors import PayloadError
from casemix.modalities.imaging.data import Images

LABELS = ("background", "right_ventricle", "left_ventricle")


def noise(*shape, high=256):
    return seeding.generator(0, "noise", shape).integers(0, high, shape).astype(np.uint8)


def cine(n=5):
    has_mask = np.arange(n) != 2
    masks = noise(n, 2, 12, 10, high=3)
    masks[~has_mask] = 0
    return Images(noise(n, 2, 12, 10), ("ED", "ES"), masks, LABELS, has_mask)


def kinds():
    return {
        "frames with masks": cine(),
        "colour with one mask": Images(
            noise(3, 3, 9, 7), ("R", "G", "B"), noise(3, 1, 9, 7, high=2), LABELS[:2]
        ),
        "one channel": Images(noise(4, 1, 8, 8), ("intensity",)),
        "nothing": cine().take(np.array([], dtype=int)),
    }


@pytest.mark.parametrize("name", kinds())
def test_a_table_holds_every_bit(name):
    images = kinds()[name]
    again = Images.from_table(images.to_table())
    assert again.layout == images.layout
    assert np.array_equal(again.pixels, images.pixels)
    assert np.array_equal(again.masked, images.masked)
    assert (again.masks is None) == (images.masks is None)
    assert images.masks is None or np.array_equal(again.masks, images.masks)


def test_the_datasets_library_decodes_the_columns():
    from datasets import Features

    table = cine().to_table()
    features = Features.from_arrow_schema(table.schema)
    assert set(features) == {"image_ED", "image_ES", "mask_ED", "mask_ES"}
    decoded = features["image_ES"].decode_example(table.column("image_ES")[1].as_py())
    assert np.array_equal(np.array(decoded), cine().pixels[1, 1])


def test_a_corrupt_png_is_named_by_its_row_and_column():
    table = cine().to_table()
    cells = table.column("image_ES").to_pylist()
    cells[3]["bytes"] = cells[3]["bytes"][:-30]
    position = table.schema.get_field_index("image_ES")
    field = table.schema.field(position)
    broken = table.set_column(position, field, pa.array(cells, field.type))
    with pytest.raises(PayloadError, match=r"row 3, column 'image_ES'"):
        Images.from_table(broken)


def test_a_png_of_another_size_is_an_error():
    table, other = cine().to_table(), Images(noise(5, 2, 8, 8), ("ED", "ES")).to_table()
    position = table.schema.get_field_index("image_ED")
    mixed = table.set_column(position, table.schema.field(position), other.column("image_ED"))
    with pytest.raises(PayloadError, match="another shape: row 0"):
        Images.from_table(mixed)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Images(np.full((1, 1, 4, 4), np.nan), ("x",)), "uint8"),
        (lambda: Images(noise(2, 2, 4, 4), ("ED",)), "name of its own"),
        (lambda: Images(noise(2, 2, 4, 4), ("ED", "ED")), "name of its own"),
        (
            lambda: Images(noise(2, 2, 4, 4), ("ED", "ES"), noise(2, 2, 4, 5), LABELS),
            "as large as the pictures",
        ),
        (
            lambda: Images(
                noise(2, 1, 4, 4), ("x",), np.full((2, 1, 4, 4), 3, dtype=np.uint8), LABELS
            ),
            "without a label",
        ),
        (lambda: Images(noise(2, 1, 4, 4), ("x",), mask_labels=LABELS), "no masks"),
        (
            lambda: Images(
                noise(2, 1, 4, 4),
                ("x",),
                np.ones((2, 1, 4, 4), dtype=np.uint8),
                LABELS,
                np.array([True, False]),
            ),
            "must be all 0",
        ),
    ],
)
def test_a_payload_outside_its_contract_is_an_error(make, message):
    with pytest.raises(PayloadError, match=message):
        make()


def test_take_and_concat_keep_pictures_and_masks_together():
    images = cine()
    parts = [images.take(np.array([4, 0])), images.take(np.array([2]))]
    joined = Images.concat(parts)
    order = [4, 0, 2]
    assert np.array_equal(joined.pixels, images.pixels[order])
    assert np.array_equal(joined.masks, images.masks[order])
    assert joined.masked.tolist() == [True, True, False]


def test_pictures_of_different_layouts_do_not_join():
    with pytest.raises(PayloadError, match="one layout"):
        Images.concat([cine(), Images(noise(1, 2, 12, 10), ("ED", "ES"))])


def test_the_preview_shows_each_frame_and_a_clear_background():
    preview = cine().preview(0)
    json.dumps(preview)
    assert [frame["name"] for frame in preview["frames"]] == ["ED", "ES"]
    frame = preview["frames"][1]
    picture = np.array(Image.open(io.BytesIO(base64.b64decode(frame["png"]))))
    overlay = np.array(Image.open(io.BytesIO(base64.b64decode(frame["overlay"]))))
    assert np.array_equal(picture, cine().pixels[0, 1])
    assert np.array_equal(overlay[..., 3] == 0, cine().masks[0, 1] == 0)
    assert cine().preview(2)["frames"][0]["overlay"] is None
