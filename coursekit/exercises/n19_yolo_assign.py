"""Exercises of notebook 19_yolo: which cell answers for which object, by skill."""

import torch
from torch import Tensor

from coursekit.boxes import box_iou
from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.yolo.assign import assign, centres_inside
from coursekit.yolo.decode import cell_centres
from coursekit.yolo.loss import complete_iou


def assign_owners(scores: Tensor, boxes: Tensor, centres: Tensor, truth_boxes: Tensor, truth_labels: Tensor, top: int = 10) -> Tensor:
    """(A,) int64: the object that each cell answers for, -1 for background."""
    return assign(scores, boxes, centres, truth_boxes, truth_labels, top).owner


def assign_cases(generator):
    """(label, arguments) for assign: predictions near the truth, all of different quality, so that nothing hangs on a tie."""
    centres, _ = cell_centres((64, 64), (8,))
    count = len(centres)

    def predictions(truth, classes=3):
        """Every cell frames the object nearest to it, each a little differently wrong, and is differently sure of every class."""
        middle = (truth[:, :2] + truth[:, 2:]) / 2
        mine = truth[torch.cdist(centres, middle).argmin(dim=1)]
        jitter = torch.rand(count, 4, generator=generator) * 6 - 3
        return torch.rand(count, classes, generator=generator) * 0.8 + 0.1, mine + jitter

    def case(rows, labels, top):
        truth = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
        scores, boxes = predictions(truth if len(truth) else torch.tensor([[8.0, 8, 40, 40]]))
        return scores, boxes, centres, truth, torch.tensor(labels, dtype=torch.int64), top

    yield "no objects: all background", case([], [], 10)
    yield "one object", case([[8, 8, 48, 40]], [1], 3)
    yield "an object smaller than a cell, between the centres", case([[37, 37, 43, 43]], [0], 4)
    yield "its edges run through centres", case([[12, 12, 36, 44]], [2], 20)
    yield "two of different class, apart", case([[2, 2, 26, 30], [34, 30, 62, 62]], [0, 2], 5)
    yield "two that overlap want the same cells", case([[4, 4, 44, 44], [20, 16, 60, 56]], [1, 2], 12)
    yield "one inside the other", case([[2, 2, 62, 62], [22, 22, 42, 42]], [0, 1], 9)
    lost = case([[12, 12, 36, 44]], [2], count)  # room for all, so that no tie decides
    lost[1][27] = torch.tensor([50.0, 2, 60, 9])  # its centre is inside, its box is nowhere near: alignment 0, and still chosen
    yield "a candidate that frames nothing, and room for it", lost

    def only(rows, labels, cells, top):
        """All cells frame a corner of the image, unsure, but for some: {cell: (box, scores)}."""
        scores, boxes = torch.full((count, 3), 0.1), torch.tensor([[58.0, 58, 63, 63]]).repeat(count, 1)
        for cell, (box, sure) in cells.items():
            boxes[cell], scores[cell] = torch.tensor(box), torch.tensor(sure)
        return scores, boxes, centres, torch.tensor(rows, dtype=torch.float32), torch.tensor(labels), top

    centred, beside = [10.9, 10.3, 45.1, 37.7], [14.0, 8, 54, 40]  # plain IoU 0.732 and 0.739, complete IoU 0.732 and 0.728
    candidates = {26: (beside, [0.1, 0.5, 0.1]), 27: (centred, [0.1, 0.5, 0.1])}
    yield "the one that overlaps more has its centre elsewhere", only([[8, 8, 48, 40]], [1], candidates, 1)
    between = {27: ([9.5, 9.5, 43, 43], [0.05, 0.9, 0.1])}  # frames the first better, and is far surer of the second
    yield "two want a cell that is sure of one and frames the other", only([[8, 8, 40, 40], [12, 12, 48, 48]], [0, 1], between, 1)
    for _ in range(3):
        corners = torch.rand(3, 2, generator=generator) * 30
        sizes = torch.rand(3, 2, generator=generator) * 24 + 10
        truth = torch.cat([corners, corners + sizes], dim=1)
        yield "random", (*predictions(truth), centres, truth, torch.randint(0, 3, (3,), generator=generator), 6)


def _assign(
    scores,
    boxes,
    centres,
    truth_boxes,
    truth_labels,
    top=10,
    smallest=16.0,
    alpha=0.5,
    beta=6.0,
    own_class=True,
    everywhere=False,
    last=False,
    measure=complete_iou,
    by_alignment=False,
):
    """The right assignment with one thing at a time to get wrong."""
    objects, cells = len(truth_boxes), len(scores)
    if objects == 0:
        return torch.full((cells,), -1)
    inside = centres_inside(centres, truth_boxes, smallest)
    if everywhere:
        inside = torch.ones_like(inside)
    overlap = torch.stack([measure(boxes, row.expand_as(boxes)) for row in truth_boxes]).clamp(min=0)
    sure = scores[:, truth_labels].T if own_class else scores.max(dim=1).values.expand(objects, cells)
    aligned = sure**alpha * overlap**beta * inside
    chosen = torch.zeros_like(inside).scatter_(1, aligned.topk(min(top, cells), dim=1).indices, True) & inside
    if last:  # the later object overwrites the earlier one
        owner = torch.full((cells,), -1)
        for number in range(objects):
            owner[chosen[number]] = number
        return owner
    best, owner = torch.where(chosen, aligned if by_alignment else overlap, torch.tensor(-1.0)).max(dim=0)
    return torch.where(best >= 0, owner, -1)


def assign_every_cell_inside(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top=len(scores))


def assign_by_overlap_alone(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, alpha=0.0)


def assign_by_score_alone(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, beta=0.0)


def assign_powers_swapped(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, alpha=6.0, beta=0.5)


def assign_by_plain_iou(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, measure=lambda a, b: box_iou(a, b[:1])[:, 0])


def assign_conflicts_by_alignment(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, by_alignment=True)


def assign_by_the_best_class(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, own_class=False)


def assign_not_widened(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, smallest=0.0)


def assign_last_object_wins(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, last=True)


def assign_from_anywhere(scores, boxes, centres, truth_boxes, truth_labels, top=10):
    return _assign(scores, boxes, centres, truth_boxes, truth_labels, top, everywhere=True)


assign_exercise = Exercise(
    name="19.assign",
    reference=assign_owners,
    cases=assign_cases,
    compare=Exact(),
    twins=(assign, "coursekit.yolo.loss.detection_loss"),
    allowed=(complete_iou, centres_inside),
    misconceptions=[
        Misconception(
            "every-cell-inside",
            assign_every_cell_inside,
            "Every cell inside an object answers for it. Only the `top` best aligned ones should: the others are background.",
        ),
        Misconception(
            "overlap-alone",
            assign_by_overlap_alone,
            "You rank the cells by how well they frame. A cell must also name the class: score^0.5 * IoU^6.",
        ),
        Misconception(
            "score-alone",
            assign_by_score_alone,
            "You rank the cells by how sure they are. A cell that is sure of a bad box is no help: score^0.5 * IoU^6.",
        ),
        Misconception(
            "powers-swapped",
            assign_powers_swapped,
            "The powers are the wrong way round: it is the IoU that counts with the sixth power, so that a poor box is not forgiven.",
        ),
        Misconception(
            "plain-iou",
            assign_by_plain_iou,
            "You measured with plain IoU. Complete IoU, your `complete_iou`, also minds where the centre lies, and compares row by row.",
        ),
        Misconception(
            "most-aligned-wins",
            assign_conflicts_by_alignment,
            "A cell wanted by two objects went to the one with the higher alignment. It goes to the one it frames better: compare IoU.",
        ),
        Misconception(
            "best-class-not-own",
            assign_by_the_best_class,
            "You took each cell's highest score. What counts is its score for the class of this object: `scores[:, truth_labels]`.",
        ),
        Misconception(
            "tiny-objects-lost",
            assign_not_widened,
            "An object smaller than a cell got no cell at all: no centre lies inside "
            "it. Before you ask, widen every side to at least 16 pixels.",
        ),
        Misconception(
            "last-object-wins",
            assign_last_object_wins,
            "A cell wanted by two objects went to the later one. It should go to the one it frames better.",
        ),
        Misconception(
            "from-anywhere",
            assign_from_anywhere,
            "A cell whose centre lies outside the object answers for it. Candidates are the centres strictly inside.",
        ),
    ],
    hints=[
        "Build three (M, A) tables: inside (bool), overlap (complete IoU, not below 0), aligned = score^0.5 * overlap^6, 0 outside.",
        "`aligned.topk(top, dim=1).indices` and `scatter_` mark what each object chooses; keep only candidates.",
        "Then `torch.where(chosen, overlap, -1.0).max(dim=0)` settles the cells that two objects want, and shows which nobody wants.",
    ],
    points=5,
    equivalent={
        "pairs = complete_iou(truth_boxes.repeat_interleave(cells, dim=0), boxes.repeat(objects, 1))": "complete IoU is the same both ways",
        "quality, owner = torch.where(chosen, overlap, -2.0).max(dim=0)": "any negative number stands for not chosen",
        "quality, owner = torch.where(chosen, overlap, -0.5).max(dim=0)": "any negative number stands for not chosen",
    },
)
