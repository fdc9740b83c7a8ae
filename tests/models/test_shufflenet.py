import pytest
import torch

from coursekit.models.shufflenet import ShuffleNetV1, ShuffleNetV2, ShuffleUnit, ShuffleUnitV2


def reached(unit, x, channel):
    """Which output channels change with one input channel."""
    changed = x.clone()
    changed[:, channel] += 1
    with torch.no_grad():
        return (unit(changed) != unit(x)).transpose(0, 1).flatten(1).any(dim=1)


def test_without_the_shuffle_groups_never_meet_with_it_they_do(monkeypatch):
    torch.manual_seed(0)
    unit = ShuffleUnit(24, 24, groups=3, first_groups=3, stride=1).eval()
    x = torch.randn(4, 24, 6, 6)
    assert reached(unit, x, 0)[8:].any()
    monkeypatch.setattr("coursekit.models.shufflenet.channel_shuffle", lambda x, groups: x)
    assert not reached(unit, x, 0)[8:].any()


def test_with_stride_2_the_pooled_input_lies_beside_the_new_channels():
    torch.manual_seed(0)
    unit = ShuffleUnit(6, 24, groups=3, first_groups=1, stride=2).eval()
    x = torch.rand(2, 6, 8, 8)
    y = unit(x)
    assert y.shape == (2, 24, 4, 4)
    torch.testing.assert_close(y[:, :6], torch.nn.functional.avg_pool2d(x, 3, stride=2, padding=1))


def test_in_version_2_half_of_the_channels_pass_by_untouched():
    torch.manual_seed(0)
    unit = ShuffleUnitV2(8, 8, stride=1).eval()
    x = torch.randn(2, 8, 5, 5)
    torch.testing.assert_close(unit(x)[:, 0::2], x[:, :4])  # dealt out to every second place
    assert ShuffleUnitV2(8, 12, stride=2).eval()(x).shape == (2, 12, 3, 3)


@pytest.mark.parametrize(
    ("build", "channels"),
    [(ShuffleNetV1, (24, 24, 240, 480, 960)), (ShuffleNetV2, (24, 24, 116, 232, 464, 1024))],
)
def test_maps_are_those_of_the_tables(build, channels, maps_of):
    found = [shape[:2] for shape in maps_of(build).values()]
    sides = (112, 56, 28, 14, 7, 7)
    assert found == list(zip(channels, sides, strict=False))


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("width", [0.1, 0.25, 0.5, 2.0])
def test_any_width_divides_into_the_groups(groups, width):
    with torch.device("meta"):  # torch refuses a convolution whose channels do not divide
        network = ShuffleNetV1(num_classes=4, width=width, groups=groups)
        assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 4)
