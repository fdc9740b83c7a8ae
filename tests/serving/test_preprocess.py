"""Preprocessing in tensor operations: by hand, beside the letterbox of training, and exported."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from coursekit.data.geometric import letterbox
from coursekit.data.targets import empty_target
from coursekit.serving.preprocess import preprocess_in_graph

GREY = 114 / 255


def noise(*shape, seed=0):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_by_hand():
    """Two pixels side by side, made twice as large: half a row of grey above and below is one whole row."""
    pixels = torch.tensor([[[[0, 0, 255], [255, 0, 255]]]], dtype=torch.uint8)
    red, green, blue = preprocess_in_graph(pixels, 4)[0]
    assert red[1].tolist() == pytest.approx([0, 0.25, 0.75, 1])
    assert green[1].tolist() == [0, 0, 0, 0]
    assert blue[2].tolist() == [1, 1, 1, 1]
    for channel in (red, green, blue):
        assert channel[0].tolist() == channel[3].tolist() == pytest.approx([GREY] * 4)


@pytest.mark.parametrize(
    ("height", "width", "size", "rows", "columns"),
    [
        (4, 8, 8, slice(2, 6), slice(0, 8)),
        (8, 4, 8, slice(0, 8), slice(2, 6)),
        (5, 8, 8, slice(1, 6), slice(0, 8)),  # three rows left: one above, two below
        (1, 40, 8, slice(3, 4), slice(0, 8)),  # a fifth of a row is a row
        (2, 2, 1, slice(0, 1), slice(0, 1)),
    ],
    ids=["wide", "tall", "odd", "a line", "to one pixel"],
)
def test_where_the_picture_lies(height, width, size, rows, columns):
    laid = preprocess_in_graph(torch.full((1, height, width, 3), 255, dtype=torch.uint8), size)[0]
    expected = torch.full((3, size, size), GREY)
    expected[:, rows, columns] = 1
    torch.testing.assert_close(laid, expected)


def test_no_picture_at_all():
    assert preprocess_in_graph(torch.zeros(0, 5, 4, 3, dtype=torch.uint8), 8).shape == (0, 3, 8, 8)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 64), st.integers(0, 9))
def test_the_same_as_in_training_but_for_rounding(height, width, size, seed):
    assume(width * size >= 1.5 * max(height, width))  # torch 2.15 errs in its own ways where the result is one pixel wide
    pixels = noise(2, height, width, 3, seed=seed)
    laid = preprocess_in_graph(pixels, size)
    assert laid.dtype == torch.float32
    assert laid.min() >= 0
    assert laid.max() <= 1 + 1e-6
    for one, picture in zip(laid, pixels, strict=True):
        trained = letterbox(picture.permute(2, 0, 1), empty_target(), (size, size))[0].float() / 255
        assert (one - trained).abs().max() <= 2.001 / 255


@pytest.mark.parametrize(
    ("pixels", "size", "match"),
    [
        (torch.zeros(1, 4, 4, 3), 8, r"pixels must be uint8 of shape \(B, H, W, 3\), got torch.float32 \(1, 4, 4, 3\)"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), 8, r"got torch.uint8 \(4, 4, 3\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 8, r"got torch.uint8 \(1, 3, 4, 4\)"),
        (torch.zeros(1, 0, 4, 3, dtype=torch.uint8), 8, "at least one row and one column"),
        (torch.zeros(1, 4, 4, 3, dtype=torch.uint8), 0, "size must be at least 1 pixel, got 0"),
    ],
    ids=["floats", "three axes", "channels first", "no rows", "no size"],
)
def test_bad_input(pixels, size, match):
    with pytest.raises(ValueError, match=match):
        preprocess_in_graph(pixels, size)


class Prepare(nn.Module):
    def forward(self, pixels):
        return preprocess_in_graph(pixels, 32)


def test_it_can_be_exported_and_any_number_of_pictures_goes_in(tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    example = (noise(2, 30, 45, 3),)
    sizes = {"pixels": {0: torch.export.Dim("batch", min=1)}}
    program = torch.onnx.export(Prepare().eval(), example, dynamo=True, dynamic_shapes=sizes, opset_version=18, verbose=False)
    program.save(tmp_path / "prepare.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "prepare.onnx"))
    for batch in (1, 3):
        pixels = noise(batch, 30, 45, 3, seed=batch)
        (said,) = session.run(None, {session.get_inputs()[0].name: pixels.numpy()})
        assert np.abs(said - preprocess_in_graph(pixels, 32).numpy()).max() <= 1e-5
