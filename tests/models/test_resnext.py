import pytest
import torch

from coursekit.models.resnet import bottleneck_body
from coursekit.models.resnext import resnext50, sum_of_paths


@pytest.mark.parametrize(("groups", "stride"), [(1, 1), (4, 1), (4, 2), (8, 1)])
@torch.no_grad()
def test_a_grouped_bottleneck_is_the_sum_of_its_paths(groups, stride):
    torch.manual_seed(0)
    body = bottleneck_body(32, 8, stride, groups, group_width=16)
    for _ in range(3):
        body.train()(torch.randn(4, 32, 6, 6))  # so that the normalisations have seen something
    x = torch.randn(2, 32, 6, 6)
    torch.testing.assert_close(sum_of_paths(body.eval(), x), body(x), rtol=1e-5, atol=1e-5)


def test_32_paths_of_4_channels_that_double_at_each_stage():
    with torch.device("meta"):
        model = resnext50()
    widths = [stage[0].body.conv2.conv for stage in list(model.backbone)[2:]]
    assert [(conv.groups, conv.in_channels // conv.groups) for conv in widths] == [(32, 4), (32, 8), (32, 16), (32, 32)]
