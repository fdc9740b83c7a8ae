import pytest
import torch
from torch import nn

from coursekit.models.cost import count_parameters
from coursekit.models.vgg import VGG, vgg_block


@pytest.mark.parametrize(("count", "batch_norm", "kinds"), [(1, False, "CRP"), (2, False, "CRCRP"), (2, True, "CBRCBRP")])
def test_vgg_block(count, batch_norm, kinds):
    block = vgg_block(3, 8, count, batch_norm)
    letters = {nn.Conv2d: "C", nn.BatchNorm2d: "B", nn.ReLU: "R", nn.MaxPool2d: "P"}
    assert "".join(letters[type(layer)] for layer in block) == kinds
    assert block.eval()(torch.zeros(2, 3, 9, 6)).shape == (2, 8, 4, 3)


def test_two_small_kernels_see_as_far_as_one_large_with_fewer_weights():
    x = torch.zeros(1, 1, 9, 9, requires_grad=True)
    two = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
    two(x)[0, 0, 2, 2].backward()
    assert (x.grad[0, 0] != 0).nonzero().aminmax(dim=0).max.tolist() == [6, 6]
    assert int((x.grad != 0).sum()) == 25
    assert sum(layer.weight.numel() for layer in two) == 18


def test_most_parameters_lie_in_one_layer():
    with torch.device("meta"):
        model = VGG()
    linear = next(layer for layer in model.pool if isinstance(layer, nn.Linear))
    assert count_parameters(linear) == 102_764_544
    assert model.backbone(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 512, 7, 7)


def test_without_normalisation_signals_keep_their_size_from_the_start():
    torch.manual_seed(0)
    model = VGG(num_classes=4, depth=19, width=0.25, small_images=True).eval()
    with torch.no_grad():
        spread = model.backbone(torch.randn(8, 3, 32, 32)).std()
    assert 0.1 < spread < 10
