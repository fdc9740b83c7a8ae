"""What holds for every family: the published size, and that a narrow one learns small images."""

from functools import partial

import pytest
import torch

from coursekit.models.alexnet import AlexNet
from coursekit.models.cost import count_parameters
from coursekit.models.csp_resnet import CSPResNet
from coursekit.models.densenet import DenseNet
from coursekit.models.inception import GoogLeNet
from coursekit.models.mobilenet_v1 import MobileNetV1
from coursekit.models.mobilenet_v2 import MobileNetV2
from coursekit.models.mobilenet_v3 import MobileNetV3
from coursekit.models.resnet import ResNet
from coursekit.models.resnext import resnext50
from coursekit.models.shufflenet import ShuffleNetV1, ShuffleNetV2
from coursekit.models.vgg import VGG
from coursekit.models.xception import Xception
from coursekit.training.classifier import overfit_one_batch

PUBLISHED = [
    # torchvision's weights carry these numbers
    ("AlexNet", AlexNet, 61_100_840),
    ("VGG-11", partial(VGG, depth=11), 132_863_336),
    ("VGG-13", partial(VGG, depth=13), 133_047_848),
    ("VGG-16", VGG, 138_357_544),
    ("VGG-16 with normalisation", partial(VGG, batch_norm=True), 138_365_992),
    ("VGG-19", partial(VGG, depth=19), 143_667_240),
    ("GoogLeNet with torchvision's 3x3", partial(GoogLeNet, third_kernel=3), 6_624_904),
    ("ResNet-18", ResNet, 11_689_512),
    ("ResNet-34", partial(ResNet, depth=34), 21_797_672),
    ("ResNet-50", partial(ResNet, depth=50), 25_557_032),
    ("ResNet-101", partial(ResNet, depth=101), 44_549_160),
    ("ResNet-152", partial(ResNet, depth=152), 60_192_808),
    ("ResNeXt-50 32x4d", resnext50, 25_028_904),
    ("wide ResNet-50-2", partial(ResNet, depth=50, group_width=128), 68_883_240),
    ("DenseNet-121", DenseNet, 7_978_856),
    ("DenseNet-169", partial(DenseNet, depth=169), 14_149_480),
    ("DenseNet-201", partial(DenseNet, depth=201), 20_013_928),
    ("MobileNet v2", MobileNetV2, 3_504_872),
    ("MobileNet v3 large", MobileNetV3, 5_483_032),
    ("MobileNet v3 small", partial(MobileNetV3, size="small"), 2_542_856),
    ("ShuffleNet v2 x0.5", partial(ShuffleNetV2, width=0.5), 1_366_792),
    ("ShuffleNet v2 x1", ShuffleNetV2, 2_278_604),
    ("ShuffleNet v2 x1.5", partial(ShuffleNetV2, width=1.5), 3_503_624),
    ("ShuffleNet v2 x2", partial(ShuffleNetV2, width=2.0), 7_393_996),
    ("Xception", Xception, 22_855_952),  # the paper's Table 3, to the last digit
    # tables of several model zoos, which agree
    ("SE-ResNet-50", partial(ResNet, depth=50, squeeze_excite=True), 28_088_024),
    ("MobileNet v1", MobileNetV1, 4_231_976),
    ("MobileNet v1 x0.75", partial(MobileNetV1, width=0.75), 2_585_560),
    ("MobileNet v1 x0.5", partial(MobileNetV1, width=0.5), 1_331_592),
    ("ShuffleNet v1, 2 groups", partial(ShuffleNetV1, groups=2), 1_733_848),
    ("ShuffleNet v1, 3 groups", ShuffleNetV1, 1_865_728),
    ("ShuffleNet v1, 4 groups", partial(ShuffleNetV1, groups=4), 1_968_344),
]

SMALL = {  # a quarter of the width
    "AlexNet": partial(AlexNet, dropout=0.0),
    "AlexNet of 2012": partial(AlexNet, two_gpus=True, dropout=0.0),
    "VGG-11": partial(VGG, depth=11, dropout=0.0),
    "VGG-16 with normalisation": partial(VGG, batch_norm=True, dropout=0.0),
    "GoogLeNet": GoogLeNet,
    "ResNet-18": ResNet,
    "SE-ResNet-18": partial(ResNet, squeeze_excite=True),
    "ResNeXt-50": resnext50,
    "DenseNet-121": DenseNet,
    "Xception": partial(Xception, middle=2),
    "MobileNet v1": MobileNetV1,
    "MobileNet v2": MobileNetV2,
    "MobileNet v3 large": MobileNetV3,
    "MobileNet v3 small": partial(MobileNetV3, size="small"),
    "ShuffleNet v1": ShuffleNetV1,
    "ShuffleNet v2": ShuffleNetV2,
    "CSP-ResNet": CSPResNet,
}


@pytest.fixture(params=SMALL)
def small(request):
    torch.manual_seed(0)
    return SMALL[request.param](num_classes=4, width=0.25, small_images=True)


def images(count=8, seed=0):
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("build", "parameters"), [row[1:] for row in PUBLISHED], ids=[row[0] for row in PUBLISHED])
def test_as_many_parameters_as_published(build, parameters):
    with torch.device("meta"):
        assert count_parameters(build()) == parameters


@pytest.mark.parametrize("name", SMALL)
def test_a_quarter_of_the_width_is_about_a_sixteenth_of_the_parameters(name):
    with torch.device("meta"):
        whole, quarter = (count_parameters(SMALL[name](num_classes=4, width=width, small_images=True)) for width in (1.0, 0.25))
    assert whole / 18 < quarter < whole / 4


@pytest.mark.parametrize("width", [0.01, 0.33, 1.3])
@pytest.mark.parametrize("name", SMALL)
def test_any_width_fits_together(name, width):
    """Odd numbers of channels must still divide into groups, halves and shuffles."""
    with torch.device("meta"):
        model = SMALL[name](num_classes=4, width=width, small_images=True).eval()
        assert model(torch.empty(2, 3, 40, 33)).shape == (2, 4)


def test_a_narrow_one_learns_eight_images_by_heart(small):
    steps, lr = (25, 0.001) if isinstance(small, AlexNet | VGG) else (10, 0.002)  # without normalisation it takes longer
    losses = overfit_one_batch(small, images(), torch.arange(8) % 4, steps, lr)
    assert losses[-1] < 0.1 * losses[0]


def test_a_gradient_reaches_every_parameter(small):
    small.train()(images()).square().sum().backward()
    silent = [name for name, p in small.named_parameters() if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()]
    assert silent == []


def test_in_eval_mode_an_image_gets_the_same_logits_again_and_alone(small):
    for layer in small.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0  # remember this batch alone, as if it had been trained on for long
    small.train()(images(seed=1))
    small.eval()
    with torch.no_grad():
        logits = small(images())
        assert logits.shape == (8, 4)
        assert torch.equal(small(images()), logits)
        torch.testing.assert_close(small(images()[:1]), logits[:1], rtol=1e-4, atol=1e-4 * float(logits.abs().max()))
    assert logits.std(dim=0).min() > 0  # images differ, and so do their logits


def test_the_head_is_a_linear_layer_that_can_be_replaced(small):
    small.eval()
    with torch.no_grad():
        features = small.features(images(2))
    assert features.shape == (2, small.head.in_features)
    small.head = torch.nn.Linear(small.head.in_features, 7)
    assert small(images(2)).shape == (2, 7)


def test_small_images_end_as_a_map_of_more_than_one_place(small):
    """32 pixels, three halvings: 4 places a side. AlexNet's unpadded poolings leave 3, VGG halves five times."""
    side = small.eval().backbone(images(1)).shape[2:]
    assert side == {"AlexNet": (3, 3), "VGG": (1, 1)}.get(type(small).__name__, (4, 4))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [("num_classes", 0, "num_classes must be at least 1, got 0"), ("width", 0.0, "width must be above 0, got 0.0")],
)
def test_no_classes_and_no_width_are_refused(name, argument, value, message):
    with pytest.raises(ValueError, match=message):
        SMALL[name](**{argument: value})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (partial(VGG, depth=12), "depth must be one of 11, 13, 16, 19, got 12"),
        (partial(ResNet, depth=20), "depth must be one of 18, 34, 50, 101, 152, got 20"),
        (partial(ResNet, depth=18, groups=32), "groups and group_width must be above 0, and 1 and 64 below depth 50, got 32 and 64"),
        (partial(ResNet, depth=50, groups=0), "groups and group_width must be above 0"),
        (partial(DenseNet, depth=18), "depth must be one of 121, 169, 201, got 18"),
        (partial(DenseNet, growth=0), "growth must be at least 1, got 0"),
        (partial(GoogLeNet, third_kernel=4), "third_kernel must be odd and above 0, got 4"),
        (partial(Xception, middle=-1), "middle must be at least 0, got -1"),
        (partial(MobileNetV3, size="medium"), "size must be one of large, small, got 'medium'"),
        (partial(ShuffleNetV1, groups=5), "groups must be one of 1, 2, 3, 4, 8, got 5"),
    ],
)
def test_options_that_are_not_there_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("build", "smallest"),
    [
        (AlexNet, 63),
        (partial(AlexNet, small_images=True), 15),
        (VGG, 32),
        (DenseNet, 29),
        (partial(DenseNet, small_images=True), 8),
        (GoogLeNet, 15),
        (partial(GoogLeNet, small_images=True), 4),
        (CSPResNet, 3),
        (ResNet, 1),
        (Xception, 1),
        (MobileNetV3, 1),
        (ShuffleNetV1, 1),
    ],
)
def test_the_smallest_image(build, smallest):
    model = build(num_classes=2, width=0.1).eval()
    assert model(torch.zeros(1, 3, smallest, smallest)).shape == (1, 2)
    if smallest > 1:
        with pytest.raises(ValueError, match=f"at least {smallest} pixels high and wide"):
            model(torch.zeros(1, 3, smallest, smallest - 1))
