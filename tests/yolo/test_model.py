import pytest
import torch

from coursekit.yolo import SIZES, YOLO
from coursekit.yolo.layers import CSP, SPPF, Bottleneck, Conv


@pytest.fixture(autouse=True)
def _one_seed():
    torch.manual_seed(0)


def millions(module):
    return sum(p.numel() for p in module.parameters()) / 1e6


@pytest.mark.parametrize(
    ("size", "backbone", "neck", "head"),
    [("n", 0.5137, 0.1268, 0.2510), ("s", 1.2189, 0.2275, 0.4453), ("m", 2.2216, 0.5040, 0.9997)],
)
def test_parameter_counts(size, backbone, neck, head):
    model = YOLO(3, size)
    assert millions(model.backbone) == pytest.approx(backbone, abs=1e-4)
    assert millions(model.neck) == pytest.approx(neck, abs=1e-4)
    assert millions(model.head) == pytest.approx(head, abs=1e-4)
    assert set(SIZES) == {"n", "s", "m"}


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (96, 32), (256, 320)])
def test_a_cell_for_each_place_at_strides_8_16_32(height, width):
    raw = YOLO(5, "n").eval()(torch.zeros(2, 3, height, width, dtype=torch.uint8))
    cells = sum((height // s) * (width // s) for s in (8, 16, 32))
    assert raw.logits.shape == (2, cells, 5)
    assert raw.sides.shape == (2, cells, 4)
    assert raw.centres.shape == (cells, 2)
    assert raw.strides.shape == (cells,)
    assert raw.logits.dtype == raw.sides.dtype == torch.float32
    assert (raw.sides >= 0).all()


def test_uint8_is_scaled_inside_and_floats_are_taken_as_they_are():
    model = YOLO(2, "n").eval()
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    torch.testing.assert_close(model(images).logits, model(images / 255).logits)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 60, 64), (1, 3, 64, 33)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"images must have shape \(B, 3, H, W\), H and W multiples of 32, got"):
        YOLO(1)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("arguments", "message"), [((0, "n"), "num_classes must be at least 1, got 0"), ((3, "xl"), "size must be one of n, s, m")]
)
def test_a_wrong_size_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        YOLO(*arguments)


def test_it_begins_unsure_of_everything_and_with_boxes_seven_strides_wide():
    with torch.no_grad():
        raw = YOLO(4, "n").train()(torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8))
    assert raw.logits.sigmoid().mean().item() == pytest.approx(0.01, abs=0.01)
    assert (raw.sides[..., 0] + raw.sides[..., 2]).mean().item() == pytest.approx(7, abs=1)


def test_every_parameter_gets_a_gradient():
    model = YOLO(2, "n").train()
    raw = model(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    (raw.logits.sum() + raw.sides.sum()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize(("side", "half"), [(1, 1), (7, 4), (8, 4)])
def test_stride_two_halves_and_rounds_up(side, half):
    assert Conv(3, 4, stride=2)(torch.zeros(2, 3, side, side)).shape == (2, 4, half, half)


def test_blocks_keep_the_map_size_at_odd_sizes():
    x = torch.randn(2, 8, 5, 7)
    assert CSP(8, 12, depth=2)(x).shape == (2, 12, 5, 7)
    assert SPPF(8)(x).shape == (2, 8, 5, 7)


def test_the_shortcut_adds_the_input():
    x = torch.randn(1, 4, 6, 6)
    with_shortcut, without = Bottleneck(4, True).eval(), Bottleneck(4, False).eval()
    without.load_state_dict(with_shortcut.state_dict())
    torch.testing.assert_close(with_shortcut(x), without(x) + x)


def test_sppf_sees_thirteen_cells_wide():
    pool = SPPF(2).pool
    x = torch.zeros(1, 1, 15, 15)
    x[..., 7, 7] = 1
    assert int(pool(pool(pool(x))).sum()) == 13 * 13
