import importlib.util
from pathlib import Path

import numpy as np
import pytest

from coursekit.metrics import coco
from coursekit.metrics.coco_files import read_coco
from coursekit.metrics.coco_json import from_coco
from coursekit.metrics.detection import coco_evaluate, evaluate_inputs


def difference(ours, theirs):
    """The largest difference in any cell; the twelve numbers too."""
    pairs = [(getattr(ours, name), theirs.eval[name]) for name in ("precision", "recall", "scores")]
    pairs.append((np.array(list(ours.summary.values())), theirs.stats))
    return max(np.abs(a - b).max() for a, b in pairs)


ORDINARY = [range(block * 30, block * 30 + 30) for block in range(10)]
MORE = [pytest.param(range(block * 100, block * 100 + 100), marks=pytest.mark.full) for block in range(3, 10)]  # 1,000 in all


@pytest.mark.parametrize("seeds", [*ORDINARY, *MORE], ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_equals_pycocotools_to_the_last_bit(seeds, make_problem, pycocotools):
    """Every precision, recall and score cell, and the twelve numbers; most problems have whole boxes and tied scores."""
    differences = {}
    for seed in seeds:
        ground_truth, detections = make_problem(seed)
        differences[seed] = difference(coco_evaluate(ground_truth, detections), pycocotools(ground_truth, detections))
    assert {seed: d for seed, d in differences.items() if d != 0.0} == {}


def test_the_readable_form_equals_the_vectorised_one(make_problem):
    for seed in range(1000, 1040):
        ground_truth, detections = make_problem(seed)
        fast = coco_evaluate(ground_truth, detections)
        plain = coco.evaluate(from_coco(ground_truth, detections))
        for slow, quick in zip(plain, (fast.precision, fast.recall, fast.scores), strict=True):
            np.testing.assert_array_equal(slow, quick, err_msg=f"seed {seed}")


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_equals_pycocotools_on_the_large_set(tmp_path, pycocotools):
    """5,000 images, 36,000 truths, 298,000 detections: as `benchmarks/coco_eval.py` times it. pycocotools needs a minute and 1.3 GB."""
    path = Path(__file__).parents[2] / "benchmarks" / "coco_set.py"
    spec = importlib.util.spec_from_file_location("coco_set", path)
    coco_set = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(coco_set)
    *files, digest = coco_set.write(tmp_path)
    truth, found = coco_set.make()
    ours = evaluate_inputs(read_coco(*files))
    assert len(ours.inputs.found) == len(found) == 298_085
    assert difference(ours, pycocotools(truth, found)) == 0.0
    assert coco_set.write(tmp_path / "again")[2] == digest  # the same NumPy draws the same set
