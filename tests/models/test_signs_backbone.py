"""The shipped backbone is what its card says, and small."""

import json

import pytest
import torch
from safetensors import safe_open

from coursekit.data.signs import SIGN_CLASSES
from coursekit.models import signs_backbone
from coursekit.models.signs_backbone import SOURCE_CLASSES, TARGET_CLASSES, load_backbone, signs_network, source_crops, target_crops
from coursekit.resources import resource
from coursekit.training.classifier import batches, evaluate


def test_source_and_target_share_no_class_and_leave_none_out():
    assert not set(SOURCE_CLASSES) & set(TARGET_CLASSES)
    assert sorted(SOURCE_CLASSES + TARGET_CLASSES) == sorted(SIGN_CLASSES)


def test_crops_of_the_splits_differ():
    train, test = source_crops("train", 10), source_crops("test", 10)
    assert train.images.shape == (10, 3, 48, 48)
    assert train.classes == SOURCE_CLASSES
    assert target_crops("test", 6).classes == TARGET_CLASSES
    assert not torch.equal(train.images, test.images)


def test_it_takes_pixels_and_gives_logits_and_features():
    network = signs_network(6).eval()
    images = torch.zeros(2, 3, 48, 48, dtype=torch.uint8)
    assert network(images).shape == (2, 6)
    assert network.features(images).shape == (2, 128)
    torch.testing.assert_close(network(images), network.head(network.features(images)))


def test_the_file_is_small_and_says_how_it_was_made():
    path = resource(f"{signs_backbone.NAME}.safetensors")
    assert path.stat().st_size <= 4_000_000
    with safe_open(path, framework="numpy") as file:
        facts = json.loads(file.metadata()["training"])
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert f"accuracy **{facts['accuracy']:.3f}**" in card
    assert all(f"| {name} | {value} |" in card for name, value in facts.items())
    assert facts["parameters"] == sum(p.numel() for p in load_backbone().parameters())


def test_it_reaches_what_its_card_says_on_other_crops():
    with safe_open(resource(f"{signs_backbone.NAME}.safetensors"), framework="numpy") as file:
        said = json.loads(file.metadata()["training"])["accuracy"]
    network = load_backbone()
    assert not network.training
    found = evaluate(network, batches(source_crops("test", 200), 100))["accuracy"]
    assert found == pytest.approx(said, abs=4 * (0.25 / 200) ** 0.5)  # four standard errors at the very most


def test_the_card_is_made_from_the_facts():
    text = signs_backbone.card({"accuracy": 0.5, "test crops": 7, "epochs": 3})
    assert "accuracy **0.500**" in text
    assert "| epochs | 3 |" in text
