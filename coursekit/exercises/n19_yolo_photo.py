"""The planted bug of notebook 19_yolo: boxes of the square canvas that are taken for boxes of the photograph."""

import torch
from torch import Tensor

from coursekit.data.geometric import letterbox
from coursekit.data.targets import empty_target
from coursekit.exercises.core import Close, Exercise, Misconception


def find_in_photo(look, photo: Tensor, side: int) -> Tensor:
    """Boxes (N, 4) in the photograph's own pixels, none of them past its edge.

    Args:
        look: ``look(canvas) -> (N, 4)``, boxes in pixels of a canvas uint8 (3, side, side).
        photo: uint8 (3, H, W) of any shape.
    """
    canvas, _, placement = letterbox(photo, empty_target(), (side, side))
    return placement.undo(look(canvas), photo.shape[1:])


def photo_cases(generator):
    """(label, arguments) for find_in_photo: a photograph, the canvas's side, and what is found on the canvas."""

    def case(size_hw, side, *boxes):
        photo = torch.randint(0, 256, (3, *size_hw), generator=generator, dtype=torch.uint8)
        return photo, side, torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)

    yield "a square photograph of the canvas's size", case((64, 64), 64, [10, 12, 30, 40])
    yield "wider than high: bars above and below", case((48, 64), 64, [10, 12, 30, 40])
    yield "higher than wide: bars left and right", case((64, 32), 64, [20, 12, 40, 40])
    yield "twice as large, and square", case((128, 128), 64, [10, 12, 30, 40])
    yield "twice as large, and wide", case((64, 128), 64, [10, 20, 30, 40], [40, 30, 62, 44])
    yield "smaller than the canvas", case((16, 32), 64, [10, 20, 30, 40])
    yield "half of a box lies in the bar: cut at the photograph's edge", case((48, 64), 64, [10, 2, 30, 40], [50, 50, 64, 64])
    yield "past the right edge", case((64, 64), 64, [40, 10, 70, 30])
    yield "nothing found", case((48, 64), 64)
    yield "a stretch that is not the same on both axes, by rounding", case((33, 100), 64, [8, 24, 40, 40])
    for size_hw in ((40, 90), (75, 31)):
        corners = torch.rand(3, 2, 2, generator=generator).sort(dim=1).values * 64
        yield "random", (*case(size_hw, 64)[:2], corners.flatten(1))


def drive_photo(answer, photo, side, boxes):
    """Let the answer use a detector that always finds ``boxes``, and note what it was shown."""
    seen = []

    def look(canvas):
        seen.append(canvas.clone())
        return boxes.clone()

    found = answer(look, photo, side)
    return {"boxes": found, "what the detector saw": seen[0] if len(seen) == 1 else len(seen)}


def _on_canvas(look, photo, side):
    canvas, _, placement = letterbox(photo, empty_target(), (side, side))
    return look(canvas), placement


def photo_not_undone(look, photo, side):
    return _on_canvas(look, photo, side)[0].clamp(min=0).minimum(torch.tensor(photo.shape[2:0:-1]).repeat(2).float())


def photo_only_moved(look, photo, side):
    boxes, placement = _on_canvas(look, photo, side)
    return placement._replace(scale_x=1.0, scale_y=1.0).undo(boxes, photo.shape[1:])


def photo_only_scaled(look, photo, side):
    boxes, placement = _on_canvas(look, photo, side)
    return placement._replace(left=0, top=0).undo(boxes, photo.shape[1:])


def photo_done_twice(look, photo, side):
    boxes, (scale_x, scale_y, left, top) = _on_canvas(look, photo, side)
    moved = boxes * torch.tensor([scale_x, scale_y, scale_x, scale_y]) + torch.tensor([left, top, left, top])
    return moved.clamp(min=0).minimum(torch.tensor(photo.shape[2:0:-1]).repeat(2).float())


def photo_scaled_before_moved(look, photo, side):
    boxes, (scale_x, scale_y, left, top) = _on_canvas(look, photo, side)
    back = boxes / torch.tensor([scale_x, scale_y, scale_x, scale_y]) - torch.tensor([left, top, left, top])
    return back.clamp(min=0).minimum(torch.tensor(photo.shape[2:0:-1]).repeat(2).float())


def photo_past_the_edge(look, photo, side):
    boxes, placement = _on_canvas(look, photo, side)
    return placement.undo(boxes)


def photo_cut_at_swapped_edges(look, photo, side):
    boxes, placement = _on_canvas(look, photo, side)
    return placement.undo(boxes, photo.shape[2:0:-1])


find_in_photo_exercise = Exercise(
    name="19.find_in_photo",
    reference=find_in_photo,
    cases=photo_cases,
    drive=drive_photo,
    compare=Close(rtol=1e-5, atol=1e-3),
    allowed=(letterbox,),
    misconceptions=[
        Misconception(
            "not-undone",
            photo_not_undone,
            "That is the planted bug. The boxes are in pixels of the square canvas; whose pixels does the caller expect?",
        ),
        Misconception(
            "only-moved",
            photo_only_moved,
            "The bars are taken off, but a photograph of another size was also scaled to fit. What undoes that?",
        ),
        Misconception(
            "only-scaled",
            photo_only_scaled,
            "The size is right, and every box is off by the width of a bar. Where did the photograph come to lie on the canvas?",
        ),
        Misconception(
            "done-twice",
            photo_done_twice,
            "You laid the boxes onto the canvas once more. They came from there: go the other way, `placement.undo`.",
        ),
        Misconception(
            "scaled-before-moved",
            photo_scaled_before_moved,
            "The photograph was scaled first and moved then. Undo the last step first: take the bar off, then divide.",
        ),
        Misconception(
            "past-the-edge",
            photo_past_the_edge,
            "A box reaches past the edge of the photograph. `undo` cuts there if it is told the photograph's height and width.",
        ),
        Misconception(
            "edges-swapped",
            photo_cut_at_swapped_edges,
            "You cut at the width from above and at the height from the left. A size is (height, width): `photo.shape[1:]`.",
        ),
    ],
    hints=[
        "Look at a photograph that is as large as the canvas, but not square. By how much is every box off, and in which direction?",
        "`letterbox` returns how it placed the photograph, and the colleague threw that away. `placement.undo(boxes)` goes back.",
        "`placement.undo(boxes, photo.shape[1:])` also cuts the boxes at the photograph's edges.",
    ],
    points=2,
)
