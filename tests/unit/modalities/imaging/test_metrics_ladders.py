"""Real against real is near best, and every metric worsens with the fault that it is meant for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from casemix.core.metric import EvalData, Goal, View
from casemix.core.samples import Samples
from casemix.modalities.imaging.evaluators.standard import Standard
from casemix.modalities.imaging.toy import toy

N = 96  # subjects per arm
CHECKERBOARD = 1 - 2 * (np.indices((16, 16)).sum(axis=0) % 2)


@pytest.fixture(scope="module")
def arms():
    parts = [toy(N, seed=s) for s in range(4)]  # known, members, holdout, fresh
    evaluator = Standard().fit(parts[0][0], seed=0)

    def view(samples, context):
        return View(samples, evaluator.findings(samples), evaluator.embed(samples), context)

    views = [view(samples, given.values) for samples, given in parts]
    train = view(
        Samples.concat([p[0] for p in parts[:2]]), pd.concat([v.context for v in views[:2]])
    )
    data = EvalData(
        train,
        views[2],
        views[3],
        evaluator.findings_schema,
        parts[0][1].schema,
        Standard.embedder,
        "group",
        frozenset(views[0].samples.subject_ids),
    )
    return {
        "data": data,
        "metrics": {m.name: m for m in evaluator.metrics},
        "view": view,
        "images": views[3].samples.payload,
        "context": views[3].context,
    }


def scored(arms, name, pixels=None, masks=None, context=None):
    """Score fresh records whose pixels, masks or context are replaced."""
    images = arms["images"]
    if pixels is not None:
        images = replace(images, pixels=np.clip(np.round(pixels), 0, 255).astype(np.uint8))
    if masks is not None:
        images = replace(images, masks=masks)
    fresh = arms["data"].synthetic.samples
    context = arms["context"] if context is None else context
    made = arms["view"](replace(fresh, payload=images), context)
    return arms["metrics"][name].measure(replace(arms["data"], synthetic=made), 0)


def badness(arms, name, **changed):
    score = scored(arms, name, **changed)
    return -score.value if arms["metrics"][name].goal is Goal.MAXIMISE else score.value


def blurred(pixels, strength):
    return pixels + strength / 2 * (ndimage.gaussian_filter(pixels, (0, 0, 1, 1)) - pixels)


def noisy(pixels, strength):
    return pixels + 24 * strength * np.random.default_rng(0).normal(size=pixels.shape)


def faded(pixels, strength):
    return pixels * (1 - strength / 3)


def checkered(pixels, strength):
    return pixels + 12 * strength * CHECKERBOARD


FAULTS = {f.__name__: f for f in (blurred, noisy, faded, checkered)}
DISTANCES = (
    "frechet_distance",
    "kernel_distance",
    "frechet_distance_network",
    "kernel_distance_network",
    "mmd_network",
)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", DISTANCES)
def test_distances_grow_with_every_fault(arms, name, fault):
    pixels = arms["images"].pixels.astype(float)
    steps = [badness(arms, name, pixels=FAULTS[fault](pixels, s)) for s in (0.0, 0.5, 1.0, 2.0)]
    assert all(np.diff(steps) > 0), steps


@pytest.mark.parametrize("fault", ["blurred", "noisy", "checkered"])
def test_spectra_show_blur_noise_and_checkerboards(arms, fault):
    pixels = arms["images"].pixels.astype(float)
    steps = [
        badness(arms, "spectrum_distance", pixels=FAULTS[fault](pixels, s))
        for s in (0.0, 0.5, 1.0, 2.0)
    ]
    assert all(np.diff(steps) > 0), steps


@pytest.mark.parametrize("name", ["one_nn_accuracy_network", "c2st_auc_network"])
@pytest.mark.parametrize("fault", FAULTS)
def test_classifiers_tell_faults_from_fresh_pictures(arms, name, fault):
    pixels = arms["images"].pixels.astype(float)
    fresh = scored(arms, name)
    assert fresh.value < 0.65
    assert scored(arms, name, pixels=FAULTS[fault](pixels, 2.0)).interval[0] > fresh.interval[1]


def collapsed(arms, share):
    """Return the pictures of which a share is one and the same."""
    pixels = arms["images"].pixels.astype(float)
    pixels[: round(share * N)] = pixels[0]
    return pixels


@pytest.mark.parametrize("name", ["ms_ssim_difference", "coverage_network"])
def test_mode_collapse_shows(arms, name):
    steps = [badness(arms, name, pixels=collapsed(arms, s)) for s in (0.0, 0.5, 0.75, 1.0)]
    assert all(np.diff(steps) > 0), steps


def test_the_note_names_mode_collapse_and_only_that(arms):
    collapse = scored(arms, "ms_ssim_difference", pixels=collapsed(arms, 0.75))
    assert "resemble one another" in collapse.note
    assert collapse.details["synthetic"] > collapse.details["real"]
    assert "resemble one another" not in scored(arms, "ms_ssim_difference").note


def swapped_masks(arms, share):
    masks = arms["images"].masks.copy()
    rows = round(share * N)
    masks[:rows] = np.roll(masks[:rows], 1, axis=0)
    return masks


def test_mask_dice_falls_with_masks_of_other_pictures(arms):
    found = [scored(arms, "mask_dice", masks=swapped_masks(arms, s)) for s in (0.0, 0.3, 0.6, 1.0)]
    assert all(np.diff([f.value for f in found]) < 0)
    assert found[0].value == pytest.approx(found[0].details["held_out_real"], abs=0.02)
    assert found[1].interval[1] < found[0].interval[0]
    assert set(found[0].details["by_structure"]) == {"wall", "cavity"}


def mislabelled(arms, share):
    groups = arms["context"]["group"].to_numpy(dtype=object).copy()
    rows = round(share * N)
    groups[:rows] = np.where(groups[:rows] == "a", "b", "a")
    return arms["context"].assign(group=groups)


def test_label_faithfulness_falls_with_wrong_labels(arms):
    steps = [
        scored(arms, "label_faithfulness", context=mislabelled(arms, s)).value
        for s in (0.0, 0.2, 0.4, 0.8)
    ]
    assert steps[0] > 0.95
    assert all(np.diff(steps) < 0)


def test_labels_clearer_than_in_reality_are_flagged(arms):
    data = arms["data"]
    groups = data.holdout.context["group"].to_numpy(dtype=object).copy()
    groups[::4] = np.where(groups[::4] == "a", "b", "a")
    unclear = replace(data.holdout, context=data.holdout.context.assign(group=groups))
    metric = arms["metrics"]["label_faithfulness"]
    assert "caricatured" in metric.measure(replace(data, holdout=unclear), 0).note
    assert "caricatured" not in metric.measure(data, 0).note


def test_confidence_falls_apart_with_the_pictures(arms):
    pixels = arms["images"].pixels.astype(float)
    between = pixels.mean(axis=0)
    steps = [
        badness(arms, "confidence_distance", pixels=pixels + s * (between - pixels))
        for s in (0.0, 0.3, 0.6, 0.9)
    ]
    assert all(np.diff(steps) > 0), steps


@pytest.mark.parametrize("name", DISTANCES)
def test_copies_pass_the_distances(arms, name):
    """The trap: no distance shows copying; the privacy metrics stand beside them for that."""
    data, metric = arms["data"], arms["metrics"][name]
    copies = replace(data, synthetic=data.members)
    noise = scored(arms, name, pixels=noisy(arms["images"].pixels.astype(float), 1.0))
    assert metric.measure(copies, 0).value < noise.value


@pytest.mark.parametrize(("name", "best"), [("paired_ssim", 1.0), ("paired_psnr", 100.0)])
def test_reconstructions_worsen_with_noise(arms, name, best):
    data, metric = arms["data"], arms["metrics"][name]
    images = data.holdout.samples.payload
    found = []
    for strength in (0.0, 0.2, 0.5, 1.0):
        pixels = noisy(images.pixels.astype(float), strength).clip(0, 255).astype(np.uint8)
        samples = replace(data.holdout.samples, payload=replace(images, pixels=pixels))
        made = replace(data.holdout, samples=samples)
        found.append(metric.measure(replace(data, synthetic=made), 0).value)
    assert found[0] == pytest.approx(best)
    assert all(np.diff(found) < 0)


def test_translations_are_paired_by_subject_and_mask(arms):
    data, metric = arms["data"], arms["metrics"]["paired_ssim"]
    samples = data.holdout.samples
    index = samples.index.set_axis([f"syn-{i}" for i in samples.index.index])
    masks = samples.payload.masks.copy()
    masks[: N // 2] = 0
    renamed = Samples("imaging", index, replace(samples.payload, masks=masks))
    made = replace(data.holdout, samples=renamed)
    found = metric.measure(replace(data, synthetic=made), 0)
    assert found.value == pytest.approx(1.0)
    assert found.n == N // 2


def test_generated_subjects_are_no_paired_task(arms):
    found = scored(arms, "paired_ssim")
    assert found.value is None
    assert "no reconstruction" in found.note


def test_every_note_names_the_judge_and_n(arms):
    judged = [n for n in arms["metrics"] if n.endswith(("_network", "faithfulness", "_dice"))]
    assert len(judged) == 11
    for name in judged:
        note = scored(arms, name).note
        assert "trained on real" in note, name
        assert f"n = {N}" in note, name


def test_pictures_without_masks_have_no_dice(arms):
    images = arms["images"]
    nothing = replace(images, masks=np.zeros_like(images.masks), has_mask=np.zeros(N, dtype=bool))
    fresh = arms["data"].synthetic
    made = replace(fresh, samples=replace(fresh.samples, payload=nothing))
    found = arms["metrics"]["mask_dice"].measure(replace(arms["data"], synthetic=made), 0)
    assert found.value is None
    assert "mask" in found.note
