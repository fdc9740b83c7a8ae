import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import relu
from torch.utils.flop_counter import FlopCounterMode

from coursekit.models.cost import count_parameters, layer_costs, operator_costs, training_hours
from coursekit.models.csp_resnet import CSPResNet
from coursekit.models.mobilenet_v1 import MobileNetV1
from coursekit.models.pretrained import NETWORKS
from coursekit.models.resnet import ResNet
from coursekit.models.shufflenet import ShuffleNetV1


class Tiny(nn.Module):
    """A network whose cost fits on paper: 3 -> 4 channels at 8x8, halved; depthwise; 1x1; added; 5 classes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)  # 4 * 3 * 9 + 4 = 112 parameters
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)  # 36
        self.norm = nn.BatchNorm2d(4)  # 8
        self.same = nn.Identity()
        self.head = nn.Linear(4, 5)  # 25

    def forward(self, x):
        x = self.first(x)
        x = self.same(x) + relu(self.norm(self.depthwise(x)))
        return self.head(x.mean(dim=(2, 3)))


def on_meta(build, **options):
    with torch.device("meta"):
        return build(**options)


def multiply_adds(model, side=224):
    return sum(cost.multiply_adds for cost in layer_costs(model, (3, side, side)))


def test_count_parameters():
    model = Tiny()
    assert count_parameters(nn.Sequential()) == 0
    assert count_parameters(model) == 112 + 36 + 8 + 25
    model.first.requires_grad_(False)
    assert count_parameters(model, trainable_only=True) == 36 + 8 + 25
    assert count_parameters(nn.ModuleList([model, model])) == 181  # used twice, learned once


@given(
    layer=st.sampled_from([nn.Conv2d, nn.ConvTranspose2d]),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    groups=st.integers(1, 3),
    side=st.integers(3, 7),
)
@settings(max_examples=50, deadline=None)
@torch.no_grad()
def test_where_all_numbers_are_1_the_sum_of_what_comes_out_counts_the_products(layer, channels, kernel, stride, groups, side):
    model = layer(channels[0] * groups, channels[1] * groups, kernel, stride, groups=groups, bias=False)
    nn.init.ones_(model.weight)
    shape = (channels[0] * groups, side, side)
    products = int(model(torch.ones(1, *shape)).sum())
    assert [cost.multiply_adds for cost in layer_costs(model, shape)] == [products]
    assert sum(cost.multiply_adds for cost in operator_costs(model, shape)) == products


def test_layer_costs_by_hand():
    rows = [(cost.name, cost.kind, cost.shape, cost.parameters, cost.multiply_adds) for cost in layer_costs(Tiny(), (3, 8, 8))]
    assert rows == [
        ("first", "Conv2d", (1, 4, 4, 4), 112, 4 * 16 * 27),
        ("depthwise", "Conv2d", (1, 4, 4, 4), 36, 4 * 16 * 9),
        ("norm", "BatchNorm2d", (1, 4, 4, 4), 8, 0),
        ("head", "Linear", (1, 5), 25, 20),
    ]
    assert [cost.written for cost in layer_costs(Tiny(), (3, 8, 8))] == [64, 64, 64, 5]


def test_operator_costs_by_hand():
    rows = {cost.name: (cost.calls, cost.written, cost.multiply_adds) for cost in operator_costs(Tiny(), (3, 8, 8))}
    assert list(rows) == ["convolution", "native_batch_norm", "relu", "add", "addmm", "mean", "t"]  # what writes most first
    assert rows["convolution"] == (2, 128, 4 * 16 * 27 + 4 * 16 * 9)
    assert rows["addmm"] == (1, 5, 20)
    assert rows["add"] == (1, 64, 0)  # no layer, so only here
    assert rows["mean"] == (1, 4, 0)
    assert rows["t"] == (1, 0, 0)  # a view


def test_a_layer_that_runs_twice_is_computed_twice_and_learned_once():
    layer = nn.Conv2d(3, 3, 1, bias=False)
    costs = layer_costs(nn.Sequential(layer, nn.ReLU(), layer), (3, 2, 2))
    assert [cost.multiply_adds for cost in costs] == [36, 0, 36]
    assert [cost.parameters for cost in costs] == [9, 0, 0]


def test_one_and_transposed_dimensions_and_linear_layers_over_rows_are_counted():
    rows = nn.Sequential(nn.Conv1d(3, 4, 3), nn.ConvTranspose1d(4, 2, 2, stride=2), nn.Linear(12, 5))
    assert [cost.multiply_adds for cost in layer_costs(rows, (3, 8))] == [4 * 6 * 9, 4 * 6 * 4, 2 * 5 * 12]
    assert sum(cost.multiply_adds for cost in operator_costs(rows, (3, 8))) == 4 * 6 * 9 + 4 * 6 * 4 + 2 * 5 * 12
    up = nn.Sequential(nn.ConvTranspose2d(3, 2, 2, stride=2))
    assert layer_costs(up, (3, 5, 5))[0].multiply_adds == 25 * 3 * 2 * 4 == operator_costs(up, (3, 5, 5))[0].multiply_adds


def test_the_model_stays_as_it_is():
    model = Tiny().train()
    model.norm.eval()  # frozen, as in transfer learning
    before = {name: value.clone() for name, value in model.state_dict().items()}
    weight = model.first.weight
    layer_costs(model, (3, 8, 8))
    operator_costs(model, (3, 8, 8))
    with pytest.raises(RuntimeError):
        layer_costs(model, (5, 8, 8))
    assert model.training
    assert not model.norm.training
    assert model.first.weight is weight
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(not layer._forward_hooks for layer in model.modules())


@pytest.mark.parametrize("name", NETWORKS)
def test_multiply_adds_are_those_that_torchvision_states(name):
    """In thousands of millions, to three places; torchvision counted them with another program at the same 224 pixels."""
    stated = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].meta["_ops"]
    assert multiply_adds(on_meta(NETWORKS[name])) / 1e9 == pytest.approx(stated, abs=0.0006)


@pytest.mark.parametrize("name", ["alexnet", "resnext50_32x4d", "mobilenet_v3_small", "shufflenet_v2_x1_0", "densenet121"])
def test_half_of_torch_s_own_flop_counter(name):
    model = on_meta(NETWORKS[name]).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, 3, 224, 224, device="meta"))
    assert 2 * multiply_adds(model) == counter.get_total_flops()
    assert 2 * sum(cost.multiply_adds for cost in operator_costs(model)) == counter.get_total_flops()


@pytest.mark.parametrize(
    ("build", "side", "published", "digits"),
    [
        (MobileNetV1, 224, 0.569, 3),  # Table 4
        (ShuffleNetV1, 224, 0.137, 3),  # Table 1
        (lambda: ResNet(depth=50, squeeze_excite=True), 224, 4.1, 1),
    ],
    ids=["MobileNet v1", "ShuffleNet v1", "SE-ResNet-50"],
)
def test_multiply_adds_of_the_papers(build, side, published, digits):
    assert round(multiply_adds(on_meta(build), side) / 1e9, digits) == published


def test_csp_resnet_costs_what_its_authors_state_but_for_its_wider_first_half():
    """Their table counts a multiply-add as two, and weights alone: 8.97 and 21.57 million. See `CSPResNet` for the 8,192 weights."""
    costs = layer_costs(on_meta(CSPResNet), (3, 256, 256))
    weights = sum(cost.parameters for cost in costs if cost.kind == "Conv2d") + 1024 * 1000
    assert weights - 8192 == 21_566_656
    assert round(2 * (sum(cost.multiply_adds for cost in costs) - 8192 * 64 * 64) / 1e9, 2) == 8.97
    assert sum(cost.parameters for cost in costs) == 21_616_168


def test_operators_that_compute_nothing_still_write():
    rows = {cost.name: cost for cost in operator_costs(on_meta(ShuffleNetV1))}
    assert rows["cat"].multiply_adds == 0
    assert rows["cat"].calls == 3  # one in the first unit of each stage
    narrow = 60 * (56**2 + 3 * 28**2) + 120 * (28**2 + 7 * 14**2) + 240 * (14**2 + 3 * 7**2)  # the middle of each of the 16 units
    assert (rows["clone"].calls, rows["clone"].written) == (16, narrow)  # the shuffles


@pytest.mark.parametrize(
    ("arguments", "hours"),
    [
        ((1.2e12, 1, 1, 1, 1e9), 1.0),  # 3 * 1200 seconds
        ((1.2e12, 1, 1, 4, 1e9), 0.25),
        ((1.2e12, 10, 3, 1, 1e9), 30.0),
        ((4.09e9, 1_281_167, 90, 256, 1.5e12), 1.02),  # the hour of Goyal et al., arXiv 1706.02677
    ],
)
def test_training_hours_by_hand(arguments, hours):
    assert training_hours(*arguments) == pytest.approx(hours, rel=0.01)


@pytest.mark.parametrize("position", range(5))
def test_training_hours_names_what_cannot_be(position):
    names = ["multiply_adds", "images", "epochs", "machines", "per_second"]
    with pytest.raises(ValueError, match=f"{names[position]} must be above 0, got 0"):
        training_hours(*[0 if i == position else 1 for i in range(5)])
