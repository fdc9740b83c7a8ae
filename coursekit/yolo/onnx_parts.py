"""What `export_onnx` puts before and after the network, in ONNX's own textual form: `letterbox`, `decode.detections` and the way back.

Each part is a small program: inputs => outputs, constants, then one operator a line. Names say what a value is; the shapes are in
the comments of the functions that fill in the numbers. Operators: https://onnx.ai/onnx/operators/
"""

OPSET, IR_VERSION = 18, 10  # 18: the first whose Resize knows antialiasing
HEADER = f'<ir_version: {IR_VERSION}, opset_import: ["": {OPSET}]>'


def letterbox(imgsz: int, stride: int, fill: int) -> str:
    """`predict.input_size` and `data.geometric.letterbox`: pixels (B, H, W, 3) uint8 -> canvas (B, 3, rows, columns) float in [0, 1].

    The other outputs are all (height, width): size of the picture in pixels, how much it was scaled, and where it lies on the canvas.
    Sizes are worked out in float64, as Python does, so that they are rounded to the same whole pixels.
    Without exclude_outside the filter would count the edge's pixels more than once where it sticks out: up to 19 levels of 255 there.
    """
    return f"""{HEADER} letterbox
    (uint8[batch, height, width, 3] pixels) => (float[batch, 3, rows, columns] canvas, float[2] size, float[2] scale, float[2] offset)
    <double imgsz = {{{imgsz}}}, double stride = {{{stride}}}, double one = {{1}}, double two = {{2}}, uint8 grey = {{{fill}}},
     int64[1] at0 = {{0}}, int64[1] at1 = {{1}}, int64[1] at3 = {{3}}, int64[2] none = {{0, 0}}, int64[1] channels = {{3}},
     float white = {{255}}>
    {{
        shape = Shape(pixels)
        batch_of = Slice(shape, at0, at1)
        size_int = Slice(shape, at1, at3)
        size64 = Cast<to = 11>(size_int)
        longer = ReduceMax(size64)
        zoom = Div(imgsz, longer)
        wished = Mul(size64, zoom)
        wished_whole = Round(wished)
        steps = Div(wished_whole, stride)
        steps_whole = Ceil(steps)
        network_raw = Mul(steps_whole, stride)
        network = Max(network_raw, stride)

        ratios = Div(network, size64)
        ratio = ReduceMin(ratios)
        fitting = Mul(size64, ratio)
        fitting_whole = Round(fitting)
        new = Max(fitting_whole, one)
        left_over = Sub(network, new)
        half = Div(left_over, two)
        before = Floor(half)
        after = Sub(left_over, before)

        new_int = Cast<to = 7>(new)
        before_int = Cast<to = 7>(before)
        after_int = Cast<to = 7>(after)
        planes = Transpose<perm = [0, 3, 1, 2]>(pixels)
        new_shape = Concat<axis = 0>(batch_of, channels, new_int)
        resized = Resize<mode = "linear", antialias = 1, exclude_outside = 1>(planes, , , new_shape)
        bars = Concat<axis = 0>(none, before_int, none, after_int)
        filled = Pad<mode = "constant">(resized, bars, grey)
        floats = Cast<to = 1>(filled)
        canvas = Div(floats, white)

        scale64 = Div(new, size64)
        scale = Cast<to = 1>(scale64)
        offset = Cast<to = 1>(before)
        size = Cast<to = 1>(size64)
    }}"""


def suppress(confidence: float, iou: float, limit: int, first: int = 2000) -> str:
    """`decode.detections`: all_boxes (B, A, 4), all_scores (B, A, C) -> the best K of each image after class-wise suppression.

    (B, K, 4), (B, K), (B, K) and how many of the K are real, (B,); K is ``limit``, or A * C where that is less. The rest of the rows is
    boxes 0, score 0, label -1. Suppression gives its picks in no useful order, so their scores are written into a table of zeros, and the
    largest entries of that are taken.
    """
    return f"""{HEADER} suppress
    (float[batch, cells, 4] all_boxes, float[batch, cells, classes] all_scores)
    => (float[batch, found, 4] best_boxes, float[batch, found] scores, int64[batch, found] labels, int64[batch] count)
    <float[1] confidence = {{{confidence!r}}}, float[1] iou = {{{iou!r}}}, int64[1] limit = {{{limit}}}, int64[1] first = {{{first}}},
     int64[2] rows = {{0, -1}}, int64[1] at1 = {{1}}, int64[1] at2 = {{2}}, int64[1] at3 = {{3}}, int64[3] image_cell_class = {{0, 2, 1}},
     int64[3] four_wide = {{1, 1, 4}}, float zero = {{0}}, int64 nothing = {{-1}}>
    {{
        flat = Reshape(all_scores, rows)
        flat_shape = Shape(flat)
        entries = Slice(flat_shape, at1, at2)
        at_first = Min(entries, first)
        first_scores, first_places = TopK<axis = 1>(flat, at_first)
        nowhere = ConstantOfShape<value = float[1] {{0}}>(flat_shape)
        first_only = ScatterElements<axis = 1>(nowhere, first_places, first_scores)
        table_shape = Shape(all_scores)
        table = Reshape(first_only, table_shape)
        by_class = Transpose<perm = [0, 2, 1]>(table)

        picks = NonMaxSuppression(all_boxes, by_class, limit, iou, confidence)
        places = Gather<axis = 1>(picks, image_cell_class)
        picked = GatherND(all_scores, places)
        empty = ConstantOfShape<value = float[1] {{0}}>(table_shape)
        kept = ScatterND(empty, places, picked)
        kept_flat = Reshape(kept, rows)
        at_most = Min(entries, limit)
        scores, best_places = TopK<axis = 1>(kept_flat, at_most)

        classes_of = Slice(table_shape, at2, at3)
        best_labels = Mod(best_places, classes_of)
        best_cells = Div(best_places, classes_of)
        real = Greater(scores, zero)
        labels = Where(real, best_labels, nothing)
        cells_column = Unsqueeze(best_cells, at2)
        cells_wide = Expand(cells_column, four_wide)
        chosen = GatherElements<axis = 1>(all_boxes, cells_wide)
        real_column = Unsqueeze(real, at2)
        best_boxes = Where(real_column, chosen, zero)
        ones = Cast<to = 7>(real)
        count = ReduceSum<keepdims = 0>(ones, at1)
    }}"""


def undo() -> str:
    """`Placement.undo`: boxes (B, N, 4) on the canvas -> the picture's own pixels, clipped to it; size, scale, offset of `letterbox`."""
    return f"""{HEADER} undo
    (float[batch, found, 4] placed, float[2] size, float[2] scale, float[2] offset) => (float[batch, found, 4] boxes)
    <int64[4] x_y_x_y = {{1, 0, 1, 0}}, float zero = {{0}}>
    {{
        shift = Gather(offset, x_y_x_y)
        zoom = Gather(scale, x_y_x_y)
        edge = Gather(size, x_y_x_y)
        moved = Sub(placed, shift)
        own = Div(moved, zoom)
        inside = Max(own, zero)
        boxes = Min(inside, edge)
    }}"""
