"""torchvision's networks, filled with random numbers, and ours with the same numbers give the same logits."""

import pytest
import torch
import torchvision

from coursekit.models.pretrained import NETWORKS
from coursekit.models.torchvision_names import load_torchvision, our_name
from coursekit.models.xception import Xception

COMPARED = [  # of several that differ in depth alone, one or two
    "alexnet",
    "vgg11_bn",
    "googlenet",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
]


def theirs_on_meta(name, num_classes=10):
    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        return torchvision.models.get_model(name, num_classes=num_classes, **options)


def random_state(model, seed=0):
    """Numbers that keep signals at about their size; what the normalisations remember is random too, so that it is compared."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var") or (name.endswith("weight") and value.ndim == 1):
            state[name] = torch.rand(value.shape, generator=generator) + 0.5
        elif value.ndim == 1:  # biases, running means
            state[name] = torch.randn(value.shape, generator=generator) / 10
        else:
            state[name] = torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5
    return state


@pytest.mark.parametrize("name", COMPARED)
@torch.no_grad()
def test_with_torchvision_s_weights_ours_gives_torchvision_s_logits(name):
    theirs = theirs_on_meta(name)
    state = random_state(theirs)
    theirs.load_state_dict(state, assign=True)
    with torch.device("meta"):
        ours = NETWORKS[name](num_classes=10)
    load_torchvision(ours, state, assign=True)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    expected, got = theirs.eval()(images), ours.eval()(images)
    assert float((got - expected).abs().max() / expected.abs().max()) < 1e-5
    assert float((expected[0] - expected[1]).abs().max() / expected.abs().max()) > 1e-3  # the images matter


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - set(COMPARED)))
def test_every_weight_of_the_others_finds_its_place(name):
    theirs = theirs_on_meta(name)
    with torch.device("meta"):
        ours = NETWORKS[name](num_classes=10)
    load_torchvision(ours, theirs.state_dict(), assign=True)  # strict: no name too many, none missing, each of its shape
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize(
    ("family", "theirs", "ours"),
    [
        ("ResNet", "layer1.0.bn1.bias", "backbone.stage1.0.body.conv1.norm.bias"),
        ("ResNet", "layer4.0.downsample.0.weight", "backbone.stage4.0.shortcut.conv.weight"),
        ("DenseNet", "features.denseblock2.denselayer12.norm1.weight", "backbone.block2.layer12.norm1.weight"),
        ("DenseNet", "features.denseblock2.denselayer12.norm.1.weight", "backbone.block2.layer12.norm1.weight"),  # as old files have it
        ("MobileNetV2", "features.1.conv.1.weight", "backbone.1.body.1.conv.weight"),
        ("MobileNetV2", "features.2.conv.1.1.running_mean", "backbone.2.body.1.norm.running_mean"),
    ],
)
def test_names_by_hand(family, theirs, ours):
    assert our_name(family, theirs) == ours


def test_heads_for_training_alone_are_left_out_and_old_files_count_no_batches():
    with torch.device("meta"):
        theirs = torchvision.models.googlenet(num_classes=10, init_weights=False)
        ours = NETWORKS["googlenet"](num_classes=10)
    state = {name: value for name, value in theirs.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert any(name.startswith("aux1") for name in state)
    load_torchvision(ours, state, assign=True)


def test_weights_of_another_network_are_refused():
    state = theirs_on_meta("resnet34").state_dict()
    with torch.device("meta"):
        ours, other = NETWORKS["resnet18"](num_classes=10), Xception(num_classes=10)
    with pytest.raises(ValueError, match=r"state must hold the weights of this ResNet: Unexpected key\(s\).*backbone.stage1.2"):
        load_torchvision(ours, state, assign=True)
    with pytest.raises(ValueError, match=r"network must be one of AlexNet, VGG, .*got Xception"):
        load_torchvision(other, state)
