import pytest
import torch
from torch import nn

from coursekit.models.lenet import C3_TABLE, LeNet, channels_last_weights, paper_parameters, shapes_of


def count(model):
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_the_papers_layers_add_up_to_60000():
    """LeCun and others 1998, section II.B: 156, 12, 1,516, 32, 48,120 and 10,164; "60,000 trainable free parameters"."""
    assert paper_parameters() == {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48120, "F6": 10164}
    assert sum(paper_parameters().values()) == 60000


def test_the_table_of_c3_is_the_papers():
    assert [len(seen) for seen in C3_TABLE] == [3] * 6 + [4] * 9 + [6]
    assert len(set(C3_TABLE)) == 16
    assert [sum(m in seen for seen in C3_TABLE) for m in range(6)] == [10] * 6  # each map of S2 is seen as often as any other


@pytest.mark.parametrize("modern", [True, False])
def test_the_dense_variant_has_61706_parameters(modern):
    model = LeNet(modern=modern)
    assert count(model) == 61706
    assert [count(layer) for layer in (*model.features, *model.classifier) if count(layer)] == [156, 2416, 48120, 10164, 850]


def test_then_is_tanh_and_mean_and_now_is_relu_and_maximum():
    kinds = [{type(layer) for layer in LeNet(modern=modern).modules()} for modern in (False, True)]
    assert {nn.Tanh, nn.AvgPool2d} <= kinds[0]
    assert not {nn.ReLU, nn.MaxPool2d} & kinds[0]
    assert {nn.ReLU, nn.MaxPool2d} <= kinds[1]
    assert not {nn.Tanh, nn.AvgPool2d} & kinds[1]


def test_shapes_all_the_way_through():
    assert shapes_of(LeNet(), torch.zeros(2, 1, 32, 32, dtype=torch.uint8)) == [
        ("image", (1, 32, 32)),
        ("Conv2d", (6, 28, 28)),
        ("MaxPool2d", (6, 14, 14)),
        ("Conv2d", (16, 10, 10)),
        ("MaxPool2d", (16, 5, 5)),
        ("Flatten", (400,)),
        ("Linear", (120,)),
        ("Linear", (84,)),
        ("Linear", (10,)),
    ]


@pytest.mark.parametrize(("width", "maps"), [(0.01, (1, 1)), (0.5, (3, 8)), (2.5, (15, 40))])
def test_width_multiplies_the_maps(width, maps):
    model = LeNet(classes=7, channels=3, width=width, batch_norm=True)
    assert tuple(c.out_channels for c in model.features if isinstance(c, nn.Conv2d)) == maps
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in model.modules()) == 2


def test_whole_numbers_and_floats_of_the_same_picture_give_the_same():
    model, images = LeNet(channels=3), torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(model(images), model(images / 255))


@pytest.mark.parametrize("shape", [(1, 32, 32), (2, 1, 28, 28), (2, 3, 32, 32), (2, 32, 32, 1)])
def test_images_of_another_shape_are_named(shape):
    with pytest.raises(ValueError, match=r"images must have shape \(N, 1, 32, 32\), got"):
        LeNet()(torch.zeros(shape))


def test_channels_last_weights_read_the_maps_in_another_order():
    torch.manual_seed(0)
    model = LeNet(width=0.5)
    kernels, linear = channels_last_weights(model)
    assert [tuple(k.shape) for k, _ in kernels] == [(5, 5, 1, 3), (5, 5, 3, 8)]
    assert [tuple(w.shape) for w, _ in linear] == [(200, 60), (60, 42), (42, 10)]
    maps = torch.rand(2, 8, 5, 5)
    weight, bias = linear[0]
    torch.testing.assert_close(maps.permute(0, 2, 3, 1).flatten(1) @ weight + bias, model.classifier[1](maps.flatten(1)))
    assert not torch.allclose(maps.flatten(1) @ weight + bias, model.classifier[1](maps.flatten(1)), atol=1e-2)
