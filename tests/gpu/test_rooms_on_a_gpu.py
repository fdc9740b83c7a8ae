"""Every room of the course works where its tensors lie, gives what it gives on the CPU, and leaves nothing in the wrong memory."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from coursekit import boxes as boxes_room
from coursekit.clinic import training as clinic
from coursekit.data.batch_augment import AugmentBatch
from coursekit.data.labelled import Labelled
from coursekit.detections import Detections
from coursekit.grid.loss import grid_loss
from coursekit.grid.model import GridDetector
from coursekit.models.signs_backbone import signs_network
from coursekit.one_stage.pyramid import PyramidBackbone
from coursekit.one_stage.retina import RetinaNet, retina_loss
from coursekit.one_stage.with_torchvision import torchvision_retina, torchvision_ssd
from coursekit.segmentation.fcn import FCN
from coursekit.segmentation.instances import MaskHead, crop_boxes, mask_targets, paste_masks
from coursekit.segmentation.losses import dice_loss
from coursekit.segmentation.unet import UNet
from coursekit.sliding.dense import WindowNet, convolutional
from coursekit.sliding.heatmap import boxes_from_heat_map, heat_map, transposed_conv
from coursekit.sliding.recipe import Slider
from coursekit.training.classifier import EarlyStopping, evaluate, fit_classifier, overfit_one_batch, predict_all
from coursekit.training.detector import fit_detector, measure_detector
from coursekit.training.fitting import gradient_norms
from coursekit.training.transfer import features
from coursekit.two_stage.detector import TwoStage, two_stage_loss
from coursekit.two_stage.recipe import fit_torchvision, fit_two_stage
from coursekit.yolo import YOLO, predict
from coursekit.yolo.assign import assign_by_centre
from coursekit.yolo.decode import detections
from coursekit.yolo.fuse import fuse
from coursekit.yolo.loss import detection_loss
from coursekit.yolo.tiles import predict_tiled

CLOSE = {"rtol": 2e-3, "atol": 2e-3}  # a real GPU adds in another order, and multiplies in TF32 where torch lets it


def images(count=2, side=64):
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def targets(*counts):
    """For each picture so many boxes in 64 pixels; an empty one is among them where 0 is asked for."""
    generator, made = torch.Generator().manual_seed(1), []
    for count in counts or (2, 0):
        corner = torch.rand(count, 2, generator=generator) * 30
        side = 12 + torch.rand(count, 2, generator=generator) * 20
        made.append({"boxes": torch.cat((corner, corner + side), dim=1), "labels": torch.arange(count) % 2})
    return made


def moved(value, device):
    """Tensors, models, lists and dicts of them on a device."""
    if isinstance(value, (list, tuple)):
        return type(value)(moved(part, device) for part in value)
    if isinstance(value, dict):
        return {name: moved(part, device) for name, part in value.items()}
    if isinstance(value, Detections):
        return Detections(*(moved(getattr(value, name), device) for name in ("boxes", "scores", "labels")))
    return (
        copy.deepcopy(value).to(device) if isinstance(value, nn.Module) else value.to(device) if isinstance(value, torch.Tensor) else value
    )


def devices(value) -> set:
    """Where the tensors of a value lie."""
    if isinstance(value, torch.Tensor):
        return {value.device.type}
    if isinstance(value, Detections):
        return devices([value.boxes, value.scores, value.labels])
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return set().union(*(devices(part) for part in parts)) if parts else set()


def plain(value, sure: bool = True):
    """Detections as what `assert_close` compares; where rounding may change who comes first, only how sure of the best ten."""
    if isinstance(value, Detections):
        return [value.boxes, value.scores, value.labels] if sure else [value.scores.sort(descending=True).values[:10]]
    return [plain(part, sure) for part in value] if isinstance(value, (list, tuple)) else value


BOXES = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 40, 40], [21, 20, 41, 41]])
SCORES = torch.tensor([0.9, 0.8, 0.7, 0.6])
LABELS = torch.tensor([0, 0, 1, 0])


def seeded(make, seed=0):
    torch.manual_seed(seed)
    return make()


def two_stage_model():
    return TwoStage(PyramidBackbone(signs_network()), 2)


# name: (what to call, its arguments on the CPU); the answer must lie where the arguments lie
PLACES = {
    "boxes.box_iou": (boxes_room.box_iou, (BOXES, BOXES[:2])),
    "boxes.nms": (boxes_room.nms, (BOXES, SCORES, 0.5)),
    "boxes.fast_nms": (boxes_room.fast_nms, (BOXES, SCORES, 0.5)),
    "boxes.batched_nms": (boxes_room.batched_nms, (BOXES, SCORES, LABELS, 0.5)),
    "boxes.fast_batched_nms": (boxes_room.fast_batched_nms, (BOXES, SCORES, LABELS, 0.5)),
    "boxes.clip": (boxes_room.clip_boxes_to_image, (BOXES, (30, 30))),
    "yolo.detections": (lambda m, x: detections(m(x), 0.001), (lambda: YOLO(2), images())),
    "yolo.detections soft": (lambda m, x: detections(m(x), 0.001, soft=True, limit=9), (lambda: YOLO(2), images(1))),
    "yolo.detections none": (lambda m, x: detections(m(x), 0.999, soft=True), (lambda: YOLO(2), images(1))),
    "grid.find": (lambda m, x: m.find(x), (lambda: GridDetector(2), images())),
    "one_stage.find": (lambda m, x: m.find(x), (lambda: RetinaNet(2, signs_network()), images())),
    "two_stage.find": (
        lambda m, x: m.find(x),
        (two_stage_model, images()),
    ),
    "sliding.heat_map": (
        lambda m, x: heat_map(lambda part: m(part).softmax(dim=1), x, 40, 8),
        (lambda: WindowNet(5), images(1)[0]),
    ),
    "sliding.convolutional": (lambda m, x: convolutional(m)(x), (lambda: WindowNet(5), images(1))),
    "sliding.Slider": (lambda m, x: Slider(convolutional(m), scales=(1.0,))(x), (lambda: WindowNet(5), images())),
    "sliding.Slider too small": (lambda m, x: Slider(convolutional(m), scales=(0.1,))(x), (lambda: WindowNet(5), images())),
    "sliding.boxes": (
        lambda heat: boxes_from_heat_map(heat, 40, 8, 0.5),
        (torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0)),),
    ),
    "sliding.transposed_conv": (lambda x, k: transposed_conv(x, k, 2), (torch.ones(3, 3), torch.ones(2, 2))),
    "segmentation.FCN": (lambda m, x: m(x), (lambda: FCN(3, skips=2), images())),
    "segmentation.UNet": (lambda m, x: m(x), (lambda: UNet(3), images())),
    "segmentation.dice": (dice_loss, (torch.ones(1, 3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.int64))),
    "segmentation.crops": (lambda m, x, b: m(crop_boxes(x, b)), (MaskHead, images(), [BOXES, BOXES[:0]])),
    "segmentation.mask_targets": (mask_targets, ([torch.ones(4, 64, 64)], [BOXES])),
    "segmentation.paste": (paste_masks, (torch.rand(4, 14, 14, generator=torch.Generator().manual_seed(0)), BOXES, (64, 64))),
    "data.AugmentBatch": (
        lambda x: AugmentBatch(
            torch.Generator().manual_seed(0), degrees=10, translate=0.1, scale=1.2, horizontal=0.5, brightness=0.2, cutout=0.3
        )(x),
        (images(4, 16),),
    ),
    "training.features": (features, (signs_network, images(5, 32))),
    "training.gradient_norms": (
        torch.enable_grad()(gradient_norms),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.ones(5, 3, 2, 2), torch.zeros(5, dtype=torch.int64)),
    ),
}
ALWAYS_CPU = {"training.gradient_norms"}  # numbers to look at


@pytest.mark.parametrize("name", PLACES)
def test_an_answer_lies_where_what_was_asked_lies_and_is_that_of_the_cpu(name, gpu, real):
    function, arguments = PLACES[name]
    arguments = tuple(seeded(one).eval() if callable(one) and not isinstance(one, torch.Tensor) else one for one in arguments)
    with torch.no_grad():
        expected = function(*moved(arguments, "cpu"))
        got = function(*moved(arguments, gpu))
    assert devices(got) <= ({"cpu"} if name in ALWAYS_CPU else {"cuda"}), name
    assert_close(plain(moved(got, "cpu"), not real), plain(expected, not real), **CLOSE)


def test_nothing_found_lies_where_it_is_asked_for(gpu):
    assert devices(Detections.empty(gpu)) == {"cuda"}
    assert devices(Detections.empty()) == {"cpu"}


LOSSES = {
    "yolo": (lambda: YOLO(2), lambda m, x, t: detection_loss(m(x), t)),
    "yolo by centre": (lambda: YOLO(2), lambda m, x, t: detection_loss(m(x), t, assign_by_centre)),
    "grid": (lambda: GridDetector(2), grid_loss),
    "one stage": (lambda: RetinaNet(2, signs_network()), lambda m, x, t: retina_loss(m(x), t)),
    "two stage": (two_stage_model, lambda m, x, t: two_stage_loss(m, x, t, torch.Generator().manual_seed(0))),
    "torchvision retina": (lambda: torchvision_retina(2, signs_network(), 64), lambda m, x, t: m(x, t)),
    "torchvision ssd": (lambda: torchvision_ssd(2, signs_network(), 64), lambda m, x, t: m(x, t)),
    "clinic, doubled classes": (lambda: YOLO(2), clinic.loss_with()),
    "clinic, mirrored": (lambda: YOLO(2), lambda m, x, t: clinic.mirroring()(m, x, t)),
}


@pytest.mark.parametrize("counts", [(2, 0), (0, 0), (1, 3)], ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradients_are_those_of_the_cpu(name, counts, gpu):
    make, loss_of = LOSSES[name]
    model, losses, norms = seeded(make), {}, {}
    for device in ("cpu", gpu):
        twin = moved(model, device).train()
        said = loss_of(twin, images().to(device), moved(targets(*counts), device))
        assert devices(said) == {device}
        said["loss"].backward()
        norms[device] = torch.stack([p.grad.norm() for p in twin.parameters() if p.grad is not None]).cpu()
        losses[device] = {key: value.detach().cpu() for key, value in said.items()}
    assert_close(losses[gpu], losses["cpu"], **CLOSE)
    assert_close(norms[gpu], norms["cpu"], rtol=2e-2, atol=2e-2)


class Scenes:
    """Two pictures with boxes, one without."""

    classes, size = ("a", "b"), 64

    def __len__(self):
        return 3

    def __getitem__(self, index):
        extra = {
            "image_id": index,
            "area": torch.full((2 * (index < 2),), 100.0),
            "iscrowd": torch.zeros(2 * (index < 2), dtype=torch.int64),
        }
        return images(3)[index], targets(2, 2, 0)[index] | extra


FITS = {
    "grid": lambda d: fit_detector(seeded(lambda: GridDetector(2)), Scenes(), grid_loss, 2, batch=2, device=d),
    "two stage": lambda d: fit_two_stage(Scenes(), 0, 1, d, classes=2, start="scratch"),
    "torchvision faster r-cnn": lambda d: fit_torchvision(Scenes(), 0, 1, d, classes=2),
}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Three pictures are enough."""
    from coursekit.training import detector
    from coursekit.two_stage import recipe

    real = detector.fit_detector
    monkeypatch.setattr(recipe, "fit_detector", lambda *args, **more: real(*args, **{"batch": 2} | more))


@pytest.mark.parametrize("name", FITS)
def test_a_detector_is_trained_and_measured_there(name, gpu):
    fitted = FITS[name](gpu)
    assert {t.device.type for t in (*fitted.model.state_dict().values(), *fitted.last.state_dict().values())} == {"cuda"}
    measured = measure_detector(fitted.model.find, Scenes(), Scenes.classes, device=gpu, timed=1)
    assert devices(measured.found) == {"cpu"}
    assert all(isinstance(value, float) for row in fitted.history for value in row.values())


def labelled(count=12):
    return Labelled(images(count, 8), torch.arange(count) % 3, ("a", "b", "c"))


def test_a_classifier_is_trained_there_and_says_the_same(gpu):
    make = lambda: seeded(lambda: nn.Sequential(Scaled(), nn.Flatten(), nn.Linear(192, 3)))  # noqa: E731
    rows = {}
    for device in ("cpu", gpu):
        model = make().to(device)
        augment = AugmentBatch(torch.Generator().manual_seed(0), degrees=5, cutout=0.2)
        stopping = EarlyStopping(patience=9)
        rows[device] = fit_classifier(model, labelled(), labelled(6), epochs=2, batch=4, augment=augment, stopping=stopping)
        assert predict_all(model, labelled().images).device.type == "cpu"
        data, labels = labelled().images.to(device), labelled().labels.to(device)
        rows[device].append({"overfit": overfit_one_batch(model, data, labels, steps=3)[-1], **evaluate(model, [(data, labels)])})
    for one, other in zip(rows[gpu], rows["cpu"], strict=True):
        assert one == pytest.approx(other, rel=1e-2, abs=1e-2)


class Scaled(nn.Module):
    def forward(self, x):
        return x.float() / 255


def test_clinic_learns_a_batch_by_heart_there(gpu):
    model, losses = clinic.overfit(images().to(gpu), moved(targets(), gpu), steps_=2)
    assert len(losses) == 2
    assert devices(clinic.find(model, images().to(gpu))) <= {"cpu"}


@pytest.mark.parametrize("tiled", [False, True], ids=["whole", "tiled"])
def test_what_is_found_is_given_on_the_cpu_in_the_pictures_own_pixels(tiled, gpu):
    model = seeded(lambda: YOLO(2)).eval()
    look = (lambda m: predict_tiled(m, list(images()), tile=32, confidence=0.01)) if tiled else (lambda m: predict(m, list(images()), 0.01))
    model.imgsz = 64
    expected, got = look(model), look(moved(model, gpu))
    assert devices(got) == {"cpu"}
    assert [len(one) for one in got] == pytest.approx([len(one) for one in expected], abs=3)  # a real GPU rounds otherwise


def test_a_fused_detector_is_built_there(gpu):
    model = moved(seeded(lambda: YOLO(2)).eval(), gpu)
    raw = fuse(model)(images().to(gpu))
    assert devices([raw.logits, raw.sides, raw.centres, raw.strides]) == {"cuda"}
