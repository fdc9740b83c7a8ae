"""The one exercise of notebook 00_welcome: small enough that the way a check answers is the lesson."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception


def box_area(box):
    """(x1, y1, x2, y2) in pixels -> width times height, in square pixels."""
    x1, y1, x2, y2 = box
    return (x2 - x1) * (y2 - y1)


def box_area_cases(generator):
    """(label, arguments) for box_area: one box each."""
    for label, box in (
        ("a box in the corner, from (0, 0) to (4, 2)", [0, 0, 4, 2]),  # read as x, y, width, height: 8 as well
        ("a box away from the corner, from (10, 20) to (14, 22)", [10, 20, 14, 22]),
        ("a box without width, from (3, 1) to (3, 9)", [3, 1, 3, 9]),
    ):
        yield label, (torch.tensor(box, dtype=torch.float32),)
    for _ in range(4):
        low, high = torch.randint(0, 100, (2, 2), generator=generator).sort(dim=0).values
        yield "a random box", (torch.cat([low, high]).float(),)


def area_plus_one(box):
    x1, y1, x2, y2 = box
    return (x2 - x1 + 1) * (y2 - y1 + 1)


def area_read_as_xywh(box):
    return box[2] * box[3]


def half_the_perimeter(box):
    x1, y1, x2, y2 = box
    return (x2 - x1) + (y2 - y1)


def area_with_corners_mixed_up(box):
    x1, y1, x2, y2 = box
    return (y1 - x1) * (y2 - x2)


box_area_exercise = Exercise(
    name="00.box_area",
    reference=box_area,
    cases=box_area_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    misconceptions=[
        Misconception(
            "plus-one",
            wrong=area_plus_one,
            hint="You count the last pixel twice. A box from 0 to 4 is 4 wide, not 5: it ends where the next pixel begins.",
        ),
        Misconception(
            "read-as-xywh",
            wrong=area_read_as_xywh,
            hint="The last two numbers are a corner, not a width and a height. How wide is a box from x = 10 to x = 14?",
        ),
        Misconception(
            "sum-of-sides",
            wrong=half_the_perimeter,
            hint="Width plus height is half the way around the box. What turns two sides into an area?",
        ),
        Misconception(
            "corners-mixed-up",
            wrong=area_with_corners_mixed_up,
            hint="You took an x from a y. The four numbers come in the order x1, y1, x2, y2: which two of them are x?",
        ),
    ],
    hints=[
        "How wide is the box? Both x together tell you. How tall? Both y do.",
        "Width is x2 - x1 and height is y2 - y1. The area is one times the other.",
    ],
    points=1,
    twins=("torchvision.ops.box_area", "coursekit.boxes.box_area"),
)
