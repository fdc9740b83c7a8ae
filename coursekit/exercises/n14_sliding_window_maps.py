"""Exercises of notebook 14_sliding_window: a map of scores, and boxes from it."""

import torch

from coursekit.boxes import batched_nms, nms
from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.sliding import heatmap as blocks
from coursekit.sliding.windows import grid, windows

# --- heat_map


class Probe:
    """A classifier of three classes that can be done by hand: left upper pixel, right lower pixel, mean. It remembers its largest batch."""

    def __init__(self):
        self.largest = 0

    def __call__(self, pixels):
        self.largest = max(self.largest, len(pixels))
        pixels = pixels.float()
        return torch.stack((pixels[:, 0, 0, 0], pixels[:, -1, -1, -1], pixels.flatten(1).mean(dim=1)), dim=1)

    def __repr__(self):
        return "a classifier: (B, C, window, window) -> (B, 3)"


def drive_heat_map(answer, image, window, stride, batch):
    """Call it with a classifier that watches how many windows it is given at a time."""
    probe = Probe()
    heat = answer(probe, image, window, stride, batch)
    return {"map": heat, "a batch was larger than asked for": probe.largest > batch}


def heat_map_cases(generator):
    """(label, arguments) for heat_map: maps that are no squares, numbers of windows that are no multiple of the batch."""

    def numbered(channels, height, width):
        return torch.arange(channels * height * width, dtype=torch.float32).reshape(channels, height, width)

    yield "2 x 3 windows", (numbered(1, 4, 6), 2, 2, 6)
    yield "higher than wide", (numbered(1, 8, 4), 2, 2, 16)
    yield "a batch at a time, the last one smaller", (numbered(2, 5, 6), 3, 1, 5)
    yield "one window in a batch", (numbered(1, 4, 5), 3, 1, 1)
    yield "one window in all", (numbered(3, 4, 4), 4, 4, 8)
    yield "pixels left over at the edges", (numbered(1, 7, 9), 3, 3, 4)
    for _ in range(3):
        image = torch.randint(0, 256, (3, 9, 13), generator=generator).float()
        yield "random", (image, 4, int(torch.randint(1, 4, (1,), generator=generator)), 4)


def _scores(classify, image, window, stride, batch, drop_last=False):
    boxes = windows(image.shape[1:], window, stride)
    pixels = torch.stack([image[:, y1:y2, x1:x2] for x1, y1, x2, y2 in boxes.tolist()])
    parts = [part for part in pixels.split(batch) if not drop_last or len(part) == batch]
    return torch.cat([classify(part) for part in parts]), *grid(image.shape[1:], window, stride)


def heat_map_not_turned(classify, image, window, stride, batch):
    scores, rows, columns = _scores(classify, image, window, stride, batch)
    return scores.reshape(-1, rows, columns)


def heat_map_on_its_side(classify, image, window, stride, batch):
    scores, rows, columns = _scores(classify, image, window, stride, batch)
    return scores.T.reshape(-1, columns, rows)


def heat_map_classes_last(classify, image, window, stride, batch):
    scores, rows, columns = _scores(classify, image, window, stride, batch)
    return scores.reshape(rows, columns, -1)


def heat_map_by_column(classify, image, window, stride, batch):
    scores, rows, columns = _scores(classify, image, window, stride, batch)
    return scores.T.reshape(-1, columns, rows).transpose(1, 2)


def heat_map_all_at_once(classify, image, window, stride, batch):
    scores, rows, columns = _scores(classify, image, window, stride, 10**6)
    return scores.T.reshape(-1, rows, columns)


def heat_map_best_class_only(classify, image, window, stride, batch):
    scores, rows, columns = _scores(classify, image, window, stride, batch)
    return scores.amax(dim=1).reshape(1, rows, columns)


def heat_map_last_batch_lost(classify, image, window, stride, batch):
    scores, rows, columns = _scores(classify, image, window, stride, batch, drop_last=True)
    whole = scores.new_zeros(rows * columns, 3)
    whole[: len(scores)] = scores
    return whole.T.reshape(-1, rows, columns)


heat_map = Exercise(
    name="14.heat_map",
    reference=blocks.heat_map,
    cases=heat_map_cases,
    drive=drive_heat_map,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "not-turned",
            heat_map_not_turned,
            "The shape is right and the numbers are mixed up: (N, K) was poured into (K, rows, columns), so classes and places changed "
            "seats. Turn it first: `.T` makes it (K, N).",
        ),
        Misconception(
            "on-its-side",
            heat_map_on_its_side,
            "Your map lies on its side: rows and columns changed places. How many windows are there below each other?",
        ),
        Misconception(
            "classes-last", heat_map_classes_last, "Your classes come last. A map of K classes is (K, rows, columns), as images are."
        ),
        Misconception(
            "column-by-column",
            heat_map_by_column,
            "The shape is right, but windows went into the map column by column. `windows` goes along a row first.",
        ),
        Misconception(
            "all-at-once",
            heat_map_all_at_once,
            "The map is right, but all windows were cut and classified at once. On a photograph that is gigabytes: `batch` at a time.",
        ),
        Misconception(
            "best-class-only", heat_map_best_class_only, "You kept only the best class of each window. Every class gets its own map."
        ),
        Misconception(
            "last-batch-lost",
            heat_map_last_batch_lost,
            "The last windows have no score: the last batch is smaller than the others, and you left it out.",
        ),
    ],
    hints=[
        "`windows(image.shape[1:], window, stride)` are the boxes; `boxes.split(batch)` gives `batch` of them at a time.",
        "`torch.stack([image[:, y1:y2, x1:x2] for x1, y1, x2, y2 in part.tolist()])` cuts one batch; collect what `classify` says of it.",
        "`torch.cat(scores)` is (N, K). Turn it with `.T`, then `.reshape(-1, rows, columns)`; rows are (height - window) // stride + 1.",
    ],
    points=3,
)

# --- boxes_from_heat_map


def boxes_cases(generator):
    """(label, arguments) for boxes_from_heat_map: neighbours that are one object, and places where something else would come out."""

    def heat(*cells, shape=(2, 4, 7)):
        values = torch.full(shape, 0.05)
        for label, row, column, score in cells:
            values[label, row, column] = score
        return values

    yield "one cell", (heat((0, 2, 5, 0.75)), 8, 2, 0.5, 0.3)
    yield "nothing is sure enough", (heat((0, 2, 5, 0.25)), 8, 2, 0.5, 0.3)
    yield "a score equal to the threshold", (heat((1, 1, 3, 0.5)), 8, 2, 0.5, 0.3)
    yield "two neighbours are one object", (heat((0, 1, 2, 0.75), (0, 1, 3, 0.875)), 8, 2, 0.5, 0.3)
    yield "two far apart", (heat((0, 0, 0, 0.625), (0, 3, 6, 0.75)), 8, 4, 0.5, 0.3)
    yield "two classes, neighbours", (heat((0, 1, 2, 0.75), (1, 1, 3, 0.875)), 8, 2, 0.5, 0.3)
    yield "one cell is sure of two classes", (heat((0, 2, 2, 0.75), (1, 2, 2, 0.625)), 8, 2, 0.5, 0.3)
    yield "the second class alone", (heat((1, 3, 0, 0.75), (1, 0, 6, 0.625)), 6, 3, 0.25, 0.5)
    yield "the first row and column", (heat((0, 0, 0, 0.75)), 8, 2, 0.5, 0.3)
    yield "no cells at all", (torch.zeros(3, 0, 0), 8, 2, 0.5, 0.3)
    for iou_threshold in (0.1, 0.3, 0.7):
        values = torch.randperm(3 * 5 * 4, generator=generator).float().reshape(3, 5, 4) / 60
        yield "random", (values, 8, 3, 0.6, iou_threshold)


def _boxes(
    heat,
    window,
    stride,
    threshold,
    iou_threshold,
    corner=lambda rows, columns, stride, window: (columns * stride, rows * stride),
    size=None,
    keep=None,
):
    """The right answer with one thing at a time to get wrong."""
    labels, rows, columns = torch.where(heat >= threshold)
    scores = heat[labels, rows, columns]
    x, y = corner(rows, columns, stride, window)
    size = window if size is None else size
    boxes = torch.stack((x, y, x + size, y + size), dim=1).float()
    kept = (keep or batched_nms)(boxes, scores, labels, iou_threshold)
    return boxes[kept], scores[kept], labels[kept]


def boxes_in_cells(heat, window, stride, *rest):
    return _boxes(heat, window, stride, *rest, corner=lambda rows, columns, stride, window: (columns, rows))


def boxes_x_and_y_swapped(heat, window, stride, *rest):
    return _boxes(heat, window, stride, *rest, corner=lambda rows, columns, stride, window: (rows * stride, columns * stride))


def boxes_around_the_cell(heat, window, stride, *rest):
    half = lambda rows, columns, stride, window: (columns * stride - window // 2, rows * stride - window // 2)  # noqa: E731
    return _boxes(heat, window, stride, *rest, corner=half)


def boxes_as_large_as_a_cell(heat, window, stride, *rest):
    return _boxes(heat, window, stride, *rest, size=stride)


def boxes_steps_of_the_window(heat, window, stride, *rest):
    return _boxes(heat, window, stride, *rest, corner=lambda rows, columns, stride, window: (columns * window, rows * window))


def boxes_strictly_above(heat, window, stride, threshold, iou_threshold):
    boxes, scores, labels = _boxes(heat, window, stride, threshold, iou_threshold)
    return boxes[scores > threshold], scores[scores > threshold], labels[scores > threshold]


def boxes_across_classes(heat, window, stride, *rest):
    return _boxes(heat, window, stride, *rest, keep=lambda boxes, scores, labels, iou: nms(boxes, scores, iou))


def boxes_without_suppression(heat, window, stride, *rest):
    return _boxes(heat, window, stride, *rest, keep=lambda boxes, scores, labels, iou: scores.argsort(descending=True, stable=True))


def boxes_in_order_of_place(heat, window, stride, *rest):
    return _boxes(heat, window, stride, *rest, keep=lambda *given: batched_nms(*given).sort().values)


def boxes_best_class_of_a_cell(heat, window, stride, *rest):
    best = heat.amax(dim=0, keepdim=True) if heat.numel() else heat
    return _boxes(torch.where(heat == best, heat, -1.0), window, stride, *rest)


boxes_from_heat_map = Exercise(
    name="14.boxes_from_heat_map",
    reference=blocks.boxes_from_heat_map,
    cases=boxes_cases,
    compare=Close(rtol=1e-5, atol=1e-5),
    misconceptions=[
        Misconception(
            "stride-forgotten",
            boxes_in_cells,
            "Your corners are cells, not pixels: all boxes crowd in the left upper corner of the picture. One cell is how many pixels?",
        ),
        Misconception("x-and-y-swapped", boxes_x_and_y_swapped, "x and y changed places. A row is a *y*: it counts downwards."),
        Misconception(
            "around-the-cell",
            boxes_around_the_cell,
            "Your boxes lie half a window too far up and to the left. A cell's window *begins* at (column * stride, row * stride).",
        ),
        Misconception(
            "as-large-as-a-cell",
            boxes_as_large_as_a_cell,
            "Your boxes are as wide as the stride. The stride is the way from one window to the next; how wide is the window itself?",
        ),
        Misconception(
            "steps-of-the-window",
            boxes_steps_of_the_window,
            "Your boxes lie too far apart: windows overlap, and the next one begins a stride further, not a window further.",
        ),
        Misconception("strictly-above", boxes_strictly_above, "A score that equals the threshold is enough: `>=`."),
        Misconception(
            "across-classes",
            boxes_across_classes,
            "A box dropped a box of another class. `batched_nms` keeps the classes apart.",
        ),
        Misconception(
            "no-suppression",
            boxes_without_suppression,
            "Neighbouring windows that see the same object all came back. Which function of notebook 13 keeps the best of them?",
        ),
        Misconception(
            "in-order-of-place",
            boxes_in_order_of_place,
            "The right boxes in another order: yours lie as in the map. `batched_nms` gives the best first; keep its order.",
        ),
        Misconception(
            "one-class-a-cell",
            boxes_best_class_of_a_cell,
            "A cell that is sure of two classes gave one box. Every score at or above the threshold makes one.",
        ),
    ],
    hints=[
        "`labels, rows, columns = torch.where(heat >= threshold)` are the cells that are sure enough, class by class.",
        "x begins at `columns * stride`, y at `rows * stride`; `torch.stack((x, y, x + window, y + window), dim=1).float()`.",
        "`batched_nms(boxes, scores, labels, iou_threshold)` gives the indices that stay, best first: pick them from all three.",
    ],
    points=3,
    twins=(blocks.cells_to_boxes,),
)
