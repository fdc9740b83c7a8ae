"""Average precision of detectors: the public face. Taught in notebook 20_map.

    >>> truth = [{"boxes": [[0, 0, 10, 10]], "labels": [0]}]
    >>> said = [{"boxes": [[0, 0, 10, 8]], "scores": [0.9], "labels": [0]}]
    >>> evaluate_samples(truth, said, ["sign"])
    CocoResult(AP 0.700, AP50 1.000, AP75 1.000; 1 truth and 1 detection in 1 image)

COCO's AP equals pycocotools 2.0.11 to the last bit. The readable form is `coco.py`; this uses its vectorised twin, `coco_fast.py` and
`coco_sums.py`. What counts as legal input is in `coco_json.py`. VOC's AP is in `voc.py`; no module here imports torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import coco
from .coco_fast import Matches, match_all
from .coco_json import from_coco
from .coco_sums import accumulate_all
from .inputs import EvalInputs, from_samples


@dataclass(frozen=True, repr=False)
class CocoResult:
    """Everything that COCO's evaluation says.

    Args:
        inputs: what was evaluated.
        matches: what became of each detection (see `coco_fast.Matches`).
        precision: (T, R, K, A, M) float64: 10 IoU thresholds, 101 recall points, K categories, areas all/small/medium/large, 1/10/100
            detections an image and category. -1 where no truth counts.
        recall: (T, K, A, M).
        scores: (T, R, K, A, M), the score of the detection that reaches the recall.
    """

    inputs: EvalInputs
    matches: Matches
    precision: np.ndarray
    recall: np.ndarray
    scores: np.ndarray

    @cached_property
    def summary(self) -> dict[str, float]:
        """AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl in [0, 1]; -1 means undefined: no truth of that kind.

        Where there is no truth and no category at all, all twelve are -1.
        """
        return coco.summarise(self.precision, self.recall)

    @cached_property
    def per_class(self) -> list[dict]:
        """One dict a category: `category`, `name`, `truths` (without crowds), `detections`, and the twelve numbers."""
        truths, found = self.inputs.truths, self.inputs.found
        table = []
        for k, (category, name) in enumerate(zip(self.inputs.categories, self.inputs.names, strict=True)):
            numbers = coco.summarise(self.precision[:, :, k : k + 1], self.recall[:, k : k + 1])
            counts = {"truths": int((~truths.crowd[truths.category == k]).sum()), "detections": int((found.category == k).sum())}
            table.append({"category": category, "name": name, **counts, **numbers})
        return table

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} {self.summary[name]:.3f}" for name in ("AP", "AP50", "AP75"))
        sizes = [(len(self.inputs.truths), "truth"), (len(self.inputs.found), "detection"), (len(self.inputs.images), "image")]
        truths, found, images = (f"{count} {word}{'' if count == 1 else 's'}" for count, word in sizes)
        return f"CocoResult({numbers}; {truths} and {found} in {images})"

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was dropped or assumed while reading the input."""
        return self.inputs.notes


def evaluate_inputs(inputs: EvalInputs) -> CocoResult:
    """COCO evaluation of `EvalInputs`."""
    matches = match_all(inputs)
    return CocoResult(inputs, matches, *accumulate_all(inputs, matches))


def coco_evaluate(ground_truth: dict, detections: list[dict], detection_areas: bool = False) -> CocoResult:
    """COCO evaluation of boxes, from COCO JSON as `json.load` gives it.

    Args:
        ground_truth: dict with `images`, `categories`, `annotations`.
        detections: list of dict(image_id, category_id, bbox [x, y, width, height], score). May be empty.
        detection_areas: take the detections' own `area` where they have one; pycocotools overwrites it with that of the box.

    Returns:
        `CocoResult`; `.summary["AP"]` is the number that people quote.

    Raises:
        ValueError: one sentence that names what is missing or malformed. `coursekit.metrics.coco_json` lists the rules.
    """
    return evaluate_inputs(from_coco(ground_truth, detections, detection_areas))


def evaluate_samples(targets: Sequence[dict], predictions: Sequence, classes: Sequence[str]) -> CocoResult:
    """COCO evaluation of what a training loop holds.

    Args:
        targets: one dict an image: `boxes` (N, 4) xyxy pixels, `labels` (N,) 0-based, optional `area`, `iscrowd`. Arrays or tensors.
        predictions: one dict (`boxes`, `scores`, `labels`) or `Detections` an image, in the same order.
        classes: names; label i is `classes[i]`.

    Raises:
        ValueError: naming the image and the field that does not fit.
    """
    return evaluate_inputs(from_samples(targets, predictions, classes))
