from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision import models
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from casemix.core.fields import Schema
from casemix.core.metric import EvalData, View
from casemix.core.samples import Samples
from casemix.core.training import TrainConfig
from casemix.errors import EncoderError, EvaluationError
from casemix.modalities.imaging.corruptions import KINDS, corrupted
from casemix.modalities.imaging.data import Images
from casemix.modalities.imaging.extractors import Extractor, features_of, network, one_per_subject
from casemix.modalities.imaging.pretrained_encoder import PretrainedEncoder
from casemix.modalities.imaging.toy import toy
from casemix.modalities.imaging.trained_network import TrainedNetwork

SHORT = TrainConfig(steps=20, batch_size=16, warmup=5, ema_decay=0.9)


def view(samples):
    nothing = pd.DataFrame(index=samples.index.index)
    return View(samples, nothing, np.zeros((len(samples), 1)), nothing)


def data(encoder=""):
    parts = [view(toy(24, seed=s)[0]) for s in range(3)]
    return EvalData(*parts, Schema(), Schema(), "test", encoder=encoder)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit")
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
    )
    ViTModel(config).save_pretrained(folder)
    return str(folder)


def test_the_network_trains_alike_and_standardises():
    images = toy(48, seed=0)[0].payload
    first, second = (TrainedNetwork.fit(images, SHORT) for _ in range(2))
    features = first(images)
    assert features.shape == (48, 32)
    np.testing.assert_array_equal(features, second(images))
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-5)


def test_the_network_refuses_too_few_pictures_and_another_size():
    images = toy(24, seed=0)[0].payload
    with pytest.raises(EvaluationError, match="at least 8"):
        TrainedNetwork.fit(images.take(np.arange(7)), SHORT)
    larger = Images(np.zeros((2, 1, 32, 32), dtype=np.uint8), ("intensity",))
    with pytest.raises(EvaluationError, match="another layout"):
        TrainedNetwork.fit(images, SHORT)(larger)


def test_every_fault_changes_pictures_and_none_does_not():
    pictures = torch.randn(len(KINDS), 2, 16, 24, generator=torch.Generator().manual_seed(0))
    kinds = torch.arange(len(KINDS))
    made = corrupted(pictures, kinds, torch.Generator().manual_seed(1))
    changed = (made != pictures).flatten(1).any(dim=1)
    assert changed.tolist() == [False] + [True] * (len(KINDS) - 1)
    parts = KINDS.index("shuffled parts")
    np.testing.assert_allclose(
        np.sort(made[parts].numpy().ravel()), np.sort(pictures[parts].numpy().ravel())
    )


def test_one_picture_per_subject_whatever_the_order():
    samples, _ = toy(6, seed=0)
    index = samples.index.assign(subject_id=["a", "a", "b", "c", "c", "c"])
    several = view(Samples("imaging", index, samples.payload))
    kept = one_per_subject(several.take(np.array([5, 0, 3, 2, 4, 1])))
    assert list(kept.samples.subject_ids) == ["a", "b", "c"]
    assert list(kept.samples.sample_ids) == list(one_per_subject(several).samples.sample_ids)
    assert len(one_per_subject(several.take(np.zeros(0, dtype=int)))) == 0


def test_equal_pictures_have_equal_features_and_are_read_once():
    images = toy(4, seed=0)[0].payload
    read = []

    def mean(some):
        read.append(len(some))
        return some.pixels.mean(axis=(2, 3))

    extract = Extractor("mean", mean)
    twice = extract(images.take(np.array([0, 1, 0, 2])))
    np.testing.assert_array_equal(twice[0], twice[2])
    np.testing.assert_array_equal(extract(images)[:3], twice[[0, 1, 3]])
    assert read == [3, 1]


def test_the_network_of_an_evaluation_is_trained_once_on_known_training_records():
    given = data()
    extract = network(given)
    assert network(replace(given, synthetic=given.train)) is extract
    real, made = features_of(given, extract)
    assert real.shape == made.shape == (24, 32)


@pytest.mark.parametrize(
    ("channels", "width"), [(("grey",), 16), (("ED", "ES"), 32), (("R", "G", "B"), 16)]
)
def test_a_transformers_model_reads_grey_frames_and_colour(vit, channels, width):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (5, len(channels), 20, 24)).astype(np.uint8)
    encoder = PretrainedEncoder.load(vit)
    features = encoder(Images(pixels, channels))
    assert features.shape == (5, width)
    assert np.isfinite(features).all()
    assert encoder.name == f"{vit} at 32 px"
    assert np.abs(features[0] - features[1]).max() > 1e-4


def test_the_users_encoder_takes_the_networks_place(vit):
    given = data(vit)
    real, made = features_of(given, network(given))
    assert network(given).name.endswith("at 32 px")
    assert real.shape == made.shape == (24, 16)


def test_torchvision_weights_are_read_with_any_head(tmp_path):
    source = models.get_model("shufflenet_v2_x0_5", weights=None, num_classes=7)
    torch.save(source.state_dict(), tmp_path / "w.pth")
    encoder = PretrainedEncoder.load(f"torchvision:shufflenet_v2_x0_5:{tmp_path / 'w.pth'}")
    images = toy(2, seed=0)[0].payload
    features = encoder(images)
    assert features.shape == (2, 1024)
    source.fc = torch.nn.Identity()
    grey = torch.from_numpy(images.pixels / 255).float()
    large = torch.nn.functional.interpolate(grey, (224, 224), mode="bilinear", antialias=True)
    mean, spread = (
        torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.no_grad():
        wanted = source.eval()((large.repeat(1, 3, 1, 1) - mean) / spread)
    np.testing.assert_allclose(features, wanted.numpy(), atol=1e-4)


class Harmful:
    def __reduce__(self):
        return (print, ("code of the file ran",))


def test_weights_that_would_run_code_are_refused(tmp_path, capsys):
    torch.save({"fc.weight": Harmful()}, tmp_path / "w.pth")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        PretrainedEncoder.load(f"torchvision:shufflenet_v2_x0_5:{tmp_path / 'w.pth'}")
    assert "code of the file ran" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("torchvision:resnet0", "no classifier 'resnet0'"),
        ("torchvision:squeezenet1_1:missing.pth", "cannot be loaded"),
        ("no/such-folder/here", "cannot be loaded"),
    ],
)
def test_encoders_that_do_not_exist(name, match):
    with pytest.raises(EncoderError, match=match):
        PretrainedEncoder.load(name)


def test_a_model_of_text_reads_no_pictures(tmp_path):
    config = BertConfig(
        vocab_size=8,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
    )
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="does not read pictures"):
        PretrainedEncoder.load(str(tmp_path))
