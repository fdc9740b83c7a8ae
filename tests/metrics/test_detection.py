import numpy as np
import pytest

from coursekit.metrics import coco
from coursekit.metrics.coco_json import from_coco
from coursekit.metrics.detection import coco_evaluate


def difference(ours, theirs):
    """The largest difference in any cell; the twelve numbers too."""
    pairs = [(getattr(ours, name), theirs.eval[name]) for name in ("precision", "recall", "scores")]
    pairs.append((np.array(list(ours.summary.values())), theirs.stats))
    return max(np.abs(a - b).max() for a, b in pairs)


@pytest.mark.parametrize("block", range(10))
def test_equals_pycocotools_to_the_last_bit(block, make_problem, pycocotools):
    differences = {}
    for seed in range(block * 30, block * 30 + 30):
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
