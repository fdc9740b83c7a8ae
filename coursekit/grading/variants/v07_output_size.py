"""07.variant_output_size: how many windows fit, with padding that differs from side to side, holes, and windows that may stick out."""

from coursekit.exercises.core import Exact, Exercise, Misconception
from coursekit.grading.variants.family import Family
from coursekit.models import convolution as blocks


def size_of(size, kernel, before, after, stride, dilation, lean, floor=False, no_limit=False):
    """The right size, with its rules to get wrong. floor: windows must lie inside wholly."""
    reach = dilation * (kernel - 1) + 1
    room = size + before + after
    if reach > room:
        return 0
    left = room - reach
    count = left // stride + 1
    if not floor and left % stride and (no_limit or room - count * stride >= lean):
        count += 1
    return count


def with_equal_padding(parameters):
    """What a library counts: the same padding on both sides, and windows inside only."""
    before, stride, dilation = (parameters[name] for name in ("before", "stride", "dilation"))

    def public(size, kernel):
        return 0 if size + 2 * before < dilation * (kernel - 1) + 1 else blocks.output_size(size, kernel, stride, before, dilation)

    return public


def cases_of(parameters):
    """Sizes around each place where one more window fits."""
    before, after, stride, dilation = (parameters[name] for name in ("before", "after", "stride", "dilation"))
    public = with_equal_padding(parameters)

    def cases(generator):
        import torch

        reach = 2 * dilation + 1
        start = max(reach - before - after, 1)
        yield "the example above", (start + 2 * stride + stride // 2, 3)
        yield "room for one window", (start, 3)
        lengths = range(start + 3 * stride, start + 4 * stride)
        yield "pixels left over", (next((n for n in lengths if size_of(n, 3, **parameters) != public(n, 3)), start), 3)
        yield "one pixel more", (start + 1, 3)
        yield "a window of one tap", (4 * stride + 1, 1)
        yield "larger than all there is", (3, 3 + before + after)
        yield "a single pixel", (1, 1)
        for more in range(stride + 1):
            yield "one pixel after the other", (start + 3 * stride + more, 3)
        for kernel in (4, 5, 6, 7):  # the more taps, the more would be left for a window too many
            exactly = dilation * (kernel - 1) + 1 - before - after + stride * int(torch.randint(3, 60, (1,), generator=generator))
            yield "random, nothing left over", (exactly, kernel)
            yield "random, one pixel short", (exactly - 1, kernel)
        for _ in range(16):
            size, kernel = int(torch.randint(12, 400, (1,), generator=generator)), int(torch.randint(1, 6, (1,), generator=generator))
            yield ("random, long" if size > 120 else "random"), (size, kernel)

    return cases


def make(parameters) -> Exercise:
    """The exercise."""

    def variant_output_size(size, kernel):
        return size_of(size, kernel, **parameters)

    def with_slip(**slip):
        return lambda size, kernel: size_of(size, kernel, **{**parameters, **slip})

    before, after, stride, dilation, lean = (parameters[name] for name in ("before", "after", "stride", "dilation", "lean"))

    return Exercise(
        name="07.variant_output_size",
        reference=variant_output_size,
        cases=cases_of(parameters),
        compare=Exact(),
        misconceptions=[
            Misconception(
                "public-output-size",
                with_equal_padding(parameters),
                f"This is the size with the same padding on both sides and no window that sticks out. Here it is {before} before "
                f"and {after} after.",
            ),
            Misconception(
                "nothing-sticks-out",
                with_slip(floor=True),
                f"You dropped the last window. It counts although it sticks out, if at least {lean} of the pixels that it covers is there.",
            ),
            Misconception(
                "everything-sticks-out",
                with_slip(no_limit=True),
                f"You counted a last window that hardly touches anything. At least {lean} pixels must be left where it begins.",
            ),
            Misconception("no-holes", with_slip(dilation=1), f"Your window has no holes: its taps stand {dilation} pixels apart."),
            Misconception("padded-before-only", with_slip(after=0), f"You forgot the {after} pixels after the end."),
            Misconception("padded-after-only", with_slip(before=0), f"You forgot the {before} pixels before the beginning."),
            Misconception("no-stride", with_slip(stride=1), f"Your window takes steps of one pixel. They are {stride} long."),
        ],
        hints=[
            "From its first tap to its last a window reaches over dilation * (kernel - 1) + 1 pixels.",
            "Count the whole windows first: room - reach, divided by the stride, rounded down, plus 1. Where would the next one begin?",
        ],
        points=2,
        twins=(blocks.output_size,),
    )


def tell(parameters, arguments, result) -> str:
    """The text."""
    before, after, stride, dilation, lean = (parameters[name] for name in ("before", "after", "stride", "dilation", "lean"))
    size, kernel = arguments
    reach, room = dilation * (kernel - 1) + 1, size + before + after
    whole = (room - reach) // stride + 1
    nextly = room - whole * stride
    if result > whole:
        end = f"There {nextly} pixels are left, at least {lean}, so it counts as well"
    else:
        end = (
            "Those windows end exactly at the edge"
            if (room - reach) % stride == 0
            else f"There only {max(nextly, 0)} are left, so it does not count"
        )
    return f"""### Exercise: variant_output_size
*difficulty 3 of 5 · importance 4 of 5 · about 15 minutes*

A layer slides a window along a line of `size` pixels. How many numbers come out? It has rules of its own:

- The line gets padding (패딩): **{before}** before it and **{after}** after it; room = size + {before} + {after}.
- The window has `kernel` taps that stand **{dilation}** pixels apart (dilation, 팽창), so it reaches over {dilation} * (kernel - 1)
+ 1 pixels.
- It begins at pixel 0 of the padded line and takes steps of **{stride}**. Every window that lies inside wholly gives a number.
- If pixels are left over after the last of these, **one** more window, a step further on, counts although it sticks out, if at
least **{lean}** pixels of room are left from where it
  begins.
- A window that reaches further than the room gives **0**, whatever is left.

By hand: {size} pixels and {kernel} taps. The room is {room}, the window reaches over {reach}. Whole windows: ({room} - {reach}) //
{stride} + 1 = {whole}. The
next one would begin at {whole} * {stride} = {whole * stride}. {end}: **{result}**."""


def stub(parameters) -> str:
    """The cell."""
    before, after, stride, dilation, lean = (parameters[name] for name in ("before", "after", "stride", "dilation", "lean"))
    return f'''def variant_output_size(size: int, kernel: int) -> int:
    """How many windows a line of `size` pixels gives.

    Padding {before} before and {after} after; the taps stand {dilation} apart; steps of {stride}. One more window may stick out
    if the others leave pixels over and at least {lean} are left from where it begins. 0 if a window reaches further than the room.
    """
    ### BEGIN SOLUTION
    reach = {dilation} * (kernel - 1) + 1
    room = size + {before + after}
    if reach > room:
        return 0
    count = (room - reach) // {stride} + 1
    over = (room - reach) % {stride}
    if over > 0 and room - count * {stride} >= {lean}:
        count += 1
    return count
    ### END SOLUTION'''


def allowed(parameters) -> bool:
    """Sides that differ; and for three taps a window that sticks out, which sometimes counts, and equal padding gives another number."""
    before, stride = parameters["before"], parameters["stride"]
    reach, public = 2 * parameters["dilation"] + 1, with_equal_padding(parameters)
    if before == parameters["after"] or not reach - stride + 2 < parameters["lean"] < reach:
        return False
    return any(size_of(n, 3, **parameters) != public(n, 3) for n in range(10 * stride, 11 * stride))


variant_output_size = Family(
    name="07.variant_output_size",
    space={"before": [1, 2, 3, 4], "after": [1, 2, 3, 4, 5], "stride": [4, 5, 6, 7], "dilation": [2, 3], "lean": [5, 6, 7]},
    make=make,
    tell=tell,
    stub=stub,
    allowed=allowed,
)
