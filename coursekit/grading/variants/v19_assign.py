"""19.variant_assign: which cells answer for which object, by a rule of its own."""

import torch

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.grading.variants.text import show, table

CLAIMS = {  # in words; the solution's condition
    "overlap": ("the object that it overlaps more", "overlaps[m, i] > overlaps[owner[i], i]"),
    "smaller": ("the object with the smaller area", "area[m] < area[owner[i]]"),
    "aligned": ("the object to which it is better aligned", "aligned[m, i] > aligned[owner[i], i]"),
}


def owners(scores, overlaps, centres, truth, a, b, top, radius, stride, claim, near=True, inside=False, later=False, last=False):
    """The right owners, with the rules to get wrong."""
    objects, cells = scores.shape
    owner = torch.full((cells,), -1)
    aligned = scores**a * overlaps**b
    area = (truth[:, 2] - truth[:, 0]) * (truth[:, 3] - truth[:, 1])
    for m in range(objects):
        middle = (truth[m, :2] + truth[m, 2:]) / 2
        candidate = ((centres - middle).abs() <= radius * stride).all(dim=1)
        if inside:
            candidate = ((centres > truth[m, :2]) & (centres < truth[m, 2:])).all(dim=1)
        if not near:
            candidate[:] = True
        ranked = sorted(candidate.nonzero()[:, 0].tolist(), key=lambda i, m=m: (-aligned[m, i].item(), -i if later else i))
        for i in ranked[:top]:
            other = owner[i]
            better = {
                "overlap": lambda m=m, i=i, other=other: overlaps[m, i] > overlaps[other, i],
                "smaller": lambda m=m, other=other: area[m] < area[other],
                "aligned": lambda m=m, i=i, other=other: aligned[m, i] > aligned[other, i],
            }[claim]
            if other == -1 or last or better():
                owner[i] = m
    return owner


def _centres(rows, columns, stride):
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return (torch.stack([x, y], dim=2).flatten(0, 1) + 0.5) * stride


def cases_of(parameters):
    """Grids of cells; equal alignments only where all that goes into them is equal."""
    stride, top = parameters["stride"], parameters["top"]

    def cases(generator):
        def draw(*shape):
            return torch.rand(*shape, generator=generator) * 0.8 + 0.1

        def boxes(*rows):
            return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4) * stride

        line = _centres(1, 6, stride)
        scores, overlaps = torch.tensor([[0.9, 0.6, 0.8, 0.5, 0.7, 0.95]]), torch.tensor([[0.3, 0.8, 0.6, 0.9, 0.4, 0.99]])
        yield "the example above", (scores, overlaps, line, boxes([0.5, 0, 3.5, 1]))
        scores, overlaps = torch.cat((scores, scores.flip(1))), torch.cat((overlaps, overlaps.flip(1)))
        yield "two objects in a row of cells", (scores, overlaps, line, boxes([0.5, 0, 3.5, 1], [1.5, 0, 5, 1]))
        yield "a row of equal cells", (torch.full((1, 6), 0.5), torch.full((1, 6), 0.5), line, boxes([2, 0, 4, 1]))
        grid = _centres(5, 6, stride)
        two = boxes([0, 0, 4, 4], [1, 1, 4, 5])
        yield "two want the same cells", (draw(2, 30), draw(2, 30), grid, two)
        yield "a large object and a small one", (draw(2, 30), draw(2, 30), grid, boxes([0, 0, 6, 5], [2, 2, 3, 3]))
        yield "all alike", (torch.full((1, 30), 0.5), torch.full((1, 30), 0.5), grid, boxes([1, 1, 4, 4]))
        yield "all alike for two", (torch.full((2, 30), 0.5), torch.full((2, 30), 0.5), grid, two)
        yield "nothing overlaps", (draw(1, 30), torch.zeros(1, 30), grid, boxes([1, 1, 4, 4]))
        yield "near the edge: few candidates", (draw(1, 30), draw(1, 30), grid, boxes([-1.5, -1.5, 0.5, 0.5]))
        yield "no objects", (torch.zeros(0, 6), torch.zeros(0, 6), line, boxes())
        for index in range(8):
            corner = torch.rand(3, 2, generator=generator) * 3
            truth = torch.cat((corner, corner + 0.5 + torch.rand(3, 2, generator=generator) * 3.5), dim=1)
            truth = ((truth * 2).round() / 2 if index % 2 else truth) * stride  # halves: distances of exactly the radius
            scores, overlaps = draw(3, 30), draw(3, 30)
            if index % 2:
                same = torch.randint(0, 4, (30,), generator=generator)  # four kinds of cells only
                scores, overlaps = scores[:, same], overlaps[:, same]
            yield ("random, equal cells" if index % 2 else "random"), (scores, overlaps, grid, truth)
        tall = _centres(6, top + 3, stride)
        count = len(tall)
        yield "random, many cells", (draw(4, count), draw(4, count), tall, boxes([0, 0, 4, 4], [1, 0, 5, 5], [2, 2, 5, 6], [0, 1, 3, 6]))

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_assign(scores, overlaps, centres, truth):
        return owners(scores, overlaps, centres, truth, **parameters)

    def with_slip(**slip):
        return lambda scores, overlaps, centres, truth: owners(scores, overlaps, centres, truth, **{**parameters, **slip})

    a, b, top, radius, claim = (parameters[name] for name in ("a", "b", "top", "radius", "claim"))
    slips = {
        "public-assign": (
            {"a": 0.5, "b": 6.0, "top": 10, "inside": True, "claim": "overlap"},
            f"This is the rule of the notebook. Here the powers are {a} and {b}, each object takes {top} cells, and they lie near "
            f"its middle.",
        ),
        "powers-swapped": ({"a": b, "b": a}, f"The powers changed places: score^{a} * overlap^{b}."),
        "from-anywhere": (
            {"near": False},
            f"Cells far off were taken. Candidates lie within {radius} strides of the middle, in x and in y.",
        ),
        "inside-the-box": (
            {"inside": True},
            f"You took the centres inside the object. Here they lie within {radius} strides of its middle.",
        ),
        "one-too-many": ({"top": top + 1}, f"An object took more than {top} cells."),
        "higher-index-of-a-tie": ({"later": True}, "Of equally aligned cells you took the later one. The lower index goes first."),
        "last-object-wins": ({"last": True}, f"A cell that two objects want went to the later one. It goes to {CLAIMS[claim][0]}."),
    }
    for other in CLAIMS:
        if other != claim:
            slips[f"claimed-by-{other}"] = (
                {"claim": other},
                f"A cell that two objects want went to another one. It goes to {CLAIMS[claim][0]}.",
            )
    return Exercise(
        name="19.variant_assign",
        reference=variant_assign,
        cases=cases_of(parameters),
        compare=Exact(),
        misconceptions=[Misconception(name, with_slip(**slip), hint) for name, (slip, hint) in slips.items()],
        hints=[
            "One object at a time: which cells are candidates? `((centres - middle).abs() <= ...).all(dim=1)`.",
            "Python's `sorted` keeps equals in their order, so the lower index stays first. Then take the first few, and settle who "
            "owns a cell.",
        ],
        points=4,
        twins=("coursekit.yolo.assign.assign", "coursekit.yolo.assign.assign_by_centre"),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    a, b, top, radius, stride, claim = (parameters[name] for name in ("a", "b", "top", "radius", "stride", "claim"))
    scores, overlaps, centres, _ = arguments
    rows = []
    for i in range(6):
        far = abs(centres[i, 0].item() / stride - 2)
        score, overlap = scores[0, i].item(), overlaps[0, i].item()
        rows.append([i, far, score, overlap, score**a * overlap**b, "yes" if far <= radius else "no", f"**{int(result[i])}**"])
    return f"""### Exercise: variant_assign
*difficulty 4 of 5 · importance 4 of 5 · about 25 minutes*

Which cells (셀) shall answer for which object (할당)? By these rules:

1. Candidates of an object are the cells whose centre is at most **{radius} strides** of {stride} pixels away from the middle of
   its box, in x and in y each. Whether the centre
   lies inside the box does not matter.
2. The alignment (정렬도) of a cell and an object is **score^{a:g} · overlap^{b:g}**. Each object chooses its **{top}** best aligned
   candidates, or all if there are fewer; of equals the
   lower index.
3. A cell that several objects chose goes to **{CLAIMS[claim][0]}**; if that is equal, to the object with the lower index.

The result holds for each cell the index of its object, or -1.

By hand: six cells in a row, one object whose middle is 2 strides from the left. Distances are in strides:

{table(["cell", "distance", "score", "overlap", "alignment", "candidate", "result"], *rows)}

{top} of the candidates are chosen, those with the highest alignment: **{show(result)}**."""


def stub(parameters) -> str:
    """The cell."""
    a, b, top, radius, stride, claim = (parameters[name] for name in ("a", "b", "top", "radius", "stride", "claim"))
    words, condition = CLAIMS[claim]
    area = "\n    area = (truth[:, 2] - truth[:, 0]) * (truth[:, 3] - truth[:, 1])" if claim == "smaller" else ""
    return f'''import torch
from torch import Tensor


def variant_assign(scores: Tensor, overlaps: Tensor, centres: Tensor, truth: Tensor) -> Tensor:
    """scores, overlaps: (M, A) of each object and cell; centres: (A, 2); truth: (M, 4) xyxy -> (A,) int64 owner, -1 for none.

    Candidates: centres at most {radius} * {stride} pixels from the middle of the box in x and in y. Alignment: score^{a} * overlap^{b}.
    Each object chooses its {top} best aligned candidates, the lower index of equals. A cell chosen by several goes to
    {words}, and of equals to the lower index.
    """
    ### BEGIN SOLUTION
    objects, cells = scores.shape
    owner = torch.full((cells,), -1)
    aligned = scores**{a} * overlaps**{b}{area}
    for m in range(objects):
        middle = (truth[m, :2] + truth[m, 2:]) / 2
        near = ((centres - middle).abs() <= {radius * stride}).all(dim=1)
        candidates = near.nonzero()[:, 0].tolist()
        for i in sorted(candidates, key=lambda i: -aligned[m, i].item())[:{top}]:
            if owner[i] == -1 or {condition}:
                owner[i] = m
    return owner
    ### END SOLUTION'''


variant_assign = Family(
    name="19.variant_assign",
    space={
        "a": [0.75, 1.0, 1.5, 2.0],
        "b": [2.5, 3.0, 4.0, 5.0],
        "top": [2, 3, 4],
        "radius": [1.5, 2.0, 2.5],
        "stride": [8, 16, 32],
        "claim": list(CLAIMS),
    },
    make=make,
    tell=tell,
    stub=stub,
)
