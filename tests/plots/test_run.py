import json

import numpy as np
import pytest
import torch

from coursekit.plots import run as plots
from coursekit.plots.images import get_alt

CURVES = {
    "recall": [0.0, 0.5, 1.0],
    "classes": {
        "cell": {"precision": [1.0, 0.5, 0.0], "confidence": [0.9, 0.4, 0.0], "AP50": 0.5},
        "absent": {"precision": [-1.0, -1.0, -1.0], "confidence": [-1.0, -1.0, -1.0], "AP50": -1.0},
    },
}


def test_results_of_a_run_with_epochs_that_were_not_measured(tmp_path):
    (tmp_path / "results.csv").write_text("epoch,time,train/loss,val/AP\n1,0.5,2.0,\n2,0.5,1.0,0.25\n")
    results = plots.read_results(tmp_path)
    assert results["train/loss"] == [2.0, 1.0]
    assert np.isnan(results["val/AP"][0])
    figure = plots.results_figure(results)
    assert [axes.get_title() for axes in figure.axes] == ["train/loss", "val/AP"]
    assert "val/AP 0.25" in get_alt(figure)
    plots.draw_results(tmp_path)
    assert (tmp_path / "results.png").stat().st_size > 1000


def test_results_before_the_first_epoch(tmp_path):
    (tmp_path / "results.csv").write_text("\n")
    assert plots.read_results(tmp_path) == {}
    assert "0 epochs" in get_alt(plots.results_figure({}))


def test_pr_curve_leaves_out_classes_without_truth():
    figure = plots.pr_figure(CURVES)
    assert len(figure.axes[0].lines) == 1
    assert "cell 0.500" in get_alt(figure)


def test_confusion_counts_what_is_right():
    figure = plots.confusion_figure([[3, 1, 2], [0, 4, 0], [1, 0, 0]], ["a", "b"])
    assert "7 of 9 objects" in get_alt(figure)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b", "background"]


def test_pictures_from_the_json_of_a_run(tmp_path):
    (tmp_path / "curves.json").write_text(json.dumps({"curves": CURVES, "confusion": [[1, 0], [0, 0]], "classes": ["cell"]}))
    plots.draw_curves(tmp_path)
    plots.draw_confusion(tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == {"pr_curve.png", "confusion_matrix.png"}


@pytest.mark.parametrize("boxes", [torch.zeros(0, 4), torch.tensor([[1.0, 1, 20, 20]])], ids=["none", "one"])
def test_a_batch_with_its_boxes(boxes):
    labels = torch.zeros(len(boxes), dtype=torch.int64)
    figure = plots.batch_figure([torch.zeros(3, 32, 48, dtype=torch.uint8)] * 5, [boxes] * 5, [labels] * 5, None, ["a"], "truth")
    assert len(figure.axes) == 5
    assert f"5 images with {5 * len(boxes)} boxes" in get_alt(figure)
