import pytest
import torch

from coursekit.models.signs_backbone import signs_network
from coursekit.one_stage.recipe import KINDS, train
from coursekit.one_stage.retina import RetinaNet, detections
from coursekit.one_stage.with_torchvision import torchvision_retina, torchvision_ssd
from coursekit.training.detector import small_world

MAKERS = [torchvision_retina, torchvision_ssd]


@pytest.fixture
def images():
    return torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def targets():
    truth = torch.tensor([[6.0, 10, 30, 36], [30, 30, 62, 60]])
    return [{"boxes": truth, "labels": torch.tensor([0, 2])}, {"boxes": truth[:0], "labels": torch.zeros(0, dtype=torch.int64)}]


@pytest.mark.parametrize("make", MAKERS)
def test_it_trains_on_our_targets_and_answers_with_our_detections(make, images, targets):
    torch.manual_seed(0)
    model = make(3, signs_network(), size=64)
    losses = model(images, targets)
    assert losses["loss"].item() == pytest.approx(sum(value.item() for name, value in losses.items() if name != "loss"))
    losses["loss"].backward()
    assert all(p.grad is not None for p in model.detector.head.parameters())
    found = model.eval().find(images)
    assert len(found) == 2
    for one in found:
        assert set(one.labels.tolist()) <= {0, 1, 2}
        assert (one.scores > 0.001).all()
        assert len(one) <= 100


@pytest.mark.parametrize("make", MAKERS)
def test_its_transform_leaves_a_picture_of_our_size_as_it_is(make, images):
    model = make(3, signs_network(), size=64)
    prepared, _ = model.detector.transform(list(images / 255))
    torch.testing.assert_close(prepared.tensors, images / 255)


def test_only_ssd_counts_from_one():
    assert (torchvision_retina(3, size=64).first_label, torchvision_ssd(3, size=64).first_label) == (0, 1)


def test_ssd_never_answers_with_background(images):
    torch.manual_seed(0)
    model = torchvision_ssd(3, signs_network(), size=64).eval()
    assert min(one.labels.min() for one in model.find(images)) == 0


def test_our_detections_equal_torchvisions_on_the_same_numbers(images):
    """Their network, their decoding, and ours of what their network says."""
    torch.manual_seed(0)
    model = torchvision_retina(3, signs_network(), size=64).eval()
    with torch.no_grad():
        for head in (model.detector.head.classification_head.cls_logits, model.detector.head.regression_head.bbox_reg):
            torch.nn.init.normal_(head.weight, std=0.2)
        prepared, _ = model.detector.transform(list(images / 255))
        maps = list(model.detector.backbone(prepared.tensors).values())
        said = model.detector.head(maps)
        anchors = model.detector.anchor_generator(prepared, maps)[0]
    from coursekit.one_stage.retina import Raw

    ours = detections(Raw(said["cls_logits"], said["bbox_regression"], anchors), (64, 64), confidence=0.3)
    model.detector.score_thresh = 0.3
    for mine, theirs in zip(ours, model.find(images), strict=True):
        assert len(mine) > 5
        torch.testing.assert_close(mine.scores, theirs.scores)
        torch.testing.assert_close(mine.boxes, theirs.boxes)
        assert torch.equal(mine.labels, theirs.labels)


def test_both_retinas_have_the_same_anchors_half_a_stride_apart(images):
    ours, theirs = RetinaNet(3), torchvision_retina(3, size=64)
    anchors = ours(images).anchors
    prepared, _ = theirs.detector.transform(list(images / 255))
    their_anchors = theirs.detector.anchor_generator(prepared, list(theirs.detector.backbone(prepared.tensors).values()))[0]
    assert anchors.shape == their_anchors.shape
    half = torch.cat([torch.full((64 // s * (64 // s) * 6, 1), s / 2) for s in (8, 16, 32)])
    assert (anchors - their_anchors - half).abs().max() <= 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_recipe_gives_a_detector(kind):
    samples = small_world("train", 8)
    find = train(samples, epochs=1, kind=kind)
    (found,) = find(samples[0][0][None])
    assert (found.scores > 0.001).all()
    assert found.boxes.min() >= 0
    assert found.boxes.max() <= 128


def test_the_recipe_knows_three_kinds():
    with pytest.raises(ValueError, match="kind must be one of retina, torchvision retina, torchvision ssd, got 'yolo'"):
        train(small_world("train", 8), kind="yolo")
