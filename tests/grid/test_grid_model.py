"""The network, the recipe, and the promise of 150 lines."""

import ast
import io
import tokenize
from pathlib import Path

import pytest
import torch

from coursekit import grid
from coursekit.data.loader import CachedDataset
from coursekit.grid import GridDetector, grid_loss
from coursekit.grid.recipe import train
from coursekit.training.detector import NAMES, fit_detector, measure_detector, small_world


def lines_of_code(path: Path) -> int:
    """Lines that hold code: no blank ones, comments or docstrings; a statement over three lines counts three."""
    text = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    strings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in silent
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - strings)


def test_lines_of_code_are_counted_as_one_would(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('"""Doc.\n\nMore."""\n\nimport os  # why\n\n# alone\ndef f(\n    x,\n):\n    """Doc."""\n    return """two\nlines"""\n')
    assert lines_of_code(path) == 6


def test_it_is_a_detector_in_under_150_lines():
    """The whole room, imports, argument checks, recipe and list of names included."""
    assert sum(lines_of_code(path) for path in Path(grid.__file__).parent.glob("*.py")) < 150


@pytest.mark.parametrize("stride", [4, 8, 16])
def test_one_answer_a_cell(stride):
    model = GridDetector(3, stride, width=4).eval()
    logits, corners = model(torch.zeros(2, 3, 64, 96, dtype=torch.uint8))
    assert logits.shape == (2, 3, 64 // stride, 96 // stride)
    assert corners.shape == (2, 4, 64 // stride, 96 // stride)
    assert logits.sigmoid().mean() < 0.1  # before training: nothing here


def test_a_finer_grid_has_the_same_weights():
    coarse, fine = GridDetector(3, 16, width=4), GridDetector(3, 8, width=4)
    shapes = [{name: tuple(value.shape) for name, value in model.state_dict().items()} for model in (coarse, fine)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0,), "num_classes and width must be at least 1, got 0 and 16"), ((1, 32), "stride must be one of 4, 8, 16, got 32")],
)
def test_what_cannot_be_built_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GridDetector(*arguments)


def test_find_gives_boxes_for_each_image():
    found = GridDetector(2, width=4).eval().find(torch.zeros(3, 3, 64, 64, dtype=torch.uint8), threshold=0.0)
    assert len(found) == 3
    assert found[0].boxes.shape[1] == 4
    assert not found[0].boxes.requires_grad


def test_it_learns_four_scenes_by_heart():
    samples = [small_world("train", 8)[i] for i in (0, 2, 3, 5)]
    images, targets = torch.stack([s[0] for s in samples]), [s[1] for s in samples]
    torch.manual_seed(0)
    model = GridDetector(len(NAMES), width=8)
    optimiser, seen = torch.optim.AdamW(model.parameters(), lr=4e-3), []
    for _ in range(40):
        parts = grid_loss(model, images, targets)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        seen.append({name: value.item() for name, value in parts.items()})
    assert seen[-1]["coverage"] < 0.2 * seen[0]["coverage"]
    assert seen[-1]["box"] < 0.4 * seen[0]["box"]


def test_the_recipe_gives_a_find_that_can_be_measured_and_the_seed_decides():
    cached = CachedDataset(small_world("train", 16), (128, 128))
    one, again, other = (measure_detector(train(cached, seed, epochs=1), small_world("validation", 3), timed=1) for seed in (0, 0, 1))
    assert [d.scores.tolist() for d in one.found] == [d.scores.tolist() for d in again.found] != [d.scores.tolist() for d in other.found]
    assert all(d.scores.min() >= 0.001 for d in one.found if len(d))


@pytest.mark.full
def test_it_learns_the_small_world():
    torch.manual_seed(0)
    fitted = fit_detector(GridDetector(len(NAMES), 8), small_world("train", 160), grid_loss, epochs=8)
    assert measure_detector(fitted.model.find, small_world("validation", 40)).summary["AP50"] > 0.5
