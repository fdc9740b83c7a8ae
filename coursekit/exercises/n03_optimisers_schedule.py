"""Exercises of notebook 03_optimisers: how many steps a training makes, and how its learning rate moves."""

import math

import torch

from coursekit.exercises.core import Close, Exact, Exercise, Misconception
from coursekit.training import schedule

# --- training_steps


def steps_cases(generator):
    """(label, arguments) for training_steps: with and without a rest, and batches larger than the set."""
    yield "100 samples, batch 5, 10 epochs", (100, 5, 10, False)
    yield "a rest of 3 in every epoch", (103, 5, 10, False)
    yield "the rest is dropped", (103, 5, 10, True)
    yield "nothing to drop", (100, 5, 10, True)
    yield "the rests of two epochs would make a batch", (10, 4, 2, False)
    yield "a batch larger than the set", (7, 10, 3, False)
    yield "a batch larger than the set, dropped", (7, 10, 3, True)
    yield "one sample a step", (9, 1, 2, False)
    yield "a rest of one: less than half a batch", (33, 8, 1, False)
    yield "no samples", (0, 5, 10, False)
    yield "no epochs", (100, 5, 0, False)
    for drop_last in (False, True):
        for _ in range(3):
            samples, batch, epochs = (int(torch.randint(1, top, (), generator=generator)) for top in (2000, 64, 30))
            yield f"random, drop_last={drop_last}", (samples, batch, epochs, drop_last)


def steps_never_the_rest(samples, batch, epochs, drop_last):
    return samples // batch * epochs


def steps_always_one_more(samples, batch, epochs, drop_last):
    return (samples // batch + (not drop_last)) * epochs


def steps_over_all_epochs(samples, batch, epochs, drop_last):
    total = samples * epochs
    return total // batch if drop_last else -(-total // batch)


def steps_rounded(samples, batch, epochs, drop_last):
    return (samples // batch if drop_last else round(samples / batch)) * epochs


def steps_of_one_epoch(samples, batch, epochs, drop_last):
    return samples // batch if drop_last else -(-samples // batch)


def steps_drop_ignored(samples, batch, epochs, drop_last):
    return -(-samples // batch) * epochs


def steps_drop_a_full_one(samples, batch, epochs, drop_last):
    return max(0, -(-samples // batch) - drop_last) * epochs


def steps_as_a_fraction(samples, batch, epochs, drop_last):
    return samples / batch * epochs


training_steps = Exercise(
    name="03.training_steps",
    reference=schedule.training_steps,
    cases=steps_cases,
    compare=Exact(),
    misconceptions=[
        Misconception(
            "rest-never-counted",
            steps_never_the_rest,
            "Samples that fill no batch got no step. Unless drop_last says so, a small last batch is a step too.",
        ),
        Misconception(
            "always-one-more",
            steps_always_one_more,
            "Right where there is a rest. Where the batches come out even, there is no small last one: 100 samples in batches of 5 are 20.",
        ),
        Misconception(
            "batches-across-epochs",
            steps_over_all_epochs,
            "You multiplied before you divided, so a batch reaches from one epoch into the next. Every epoch begins a new batch.",
        ),
        Misconception(
            "rounded",
            steps_rounded,
            "A rest of less than half a batch disappeared: `round` goes to the nearest. Which way must it always go?",
        ),
        Misconception(
            "one-epoch",
            steps_of_one_epoch,
            "That is the number of steps in one epoch. The training goes through the set `epochs` times.",
        ),
        Misconception(
            "drop-last-ignored",
            steps_drop_ignored,
            "With drop_last=True the batch that is not full is left out, in every epoch.",
        ),
        Misconception(
            "drops-a-full-batch",
            steps_drop_a_full_one,
            "drop_last dropped a batch that was full. Only one that is not full is left out; where batches come out even, nothing is.",
        ),
        Misconception(
            "a-fraction",
            steps_as_a_fraction,
            "A number of steps is whole. What happens to the samples that do not fill a batch?",
        ),
    ],
    hints=[
        "First one epoch, then times epochs. `samples // batch` are the full batches, `samples % batch` is the rest.",
        "One more where there is a rest and drop_last is False. `-(-a // b)` rounds a / b upwards, without fractions.",
    ],
    points=1,
    twins=("torch.utils.data.DataLoader", "torch.utils.data.BatchSampler"),
)


# --- warmup_cosine


def cosine_cases(generator):
    """(label, arguments) for warmup_cosine: the corners of the curve, with and without a rest at the end."""
    yield "the first step of a warm-up of four", (0, 12, 4, 0.0)
    yield "the second", (1, 12, 4, 0.0)
    yield "the last step of the warm-up: all of it", (3, 12, 4, 0.0)
    yield "the first step down", (4, 12, 4, 0.0)
    yield "half of the way down", (7, 12, 4, 0.0)
    yield "three quarters", (9, 12, 4, 0.0)
    yield "the last step", (11, 12, 4, 0.0)
    yield "the last step, a tenth is left", (11, 12, 4, 0.1)
    yield "half of the way, a tenth is left", (7, 12, 4, 0.1)
    yield "no warm-up, the first step", (0, 10, 0, 0.0)
    yield "a training of one step", (0, 1, 0, 0.25)
    yield "a warm-up of one step", (0, 5, 1, 0.1)
    for _ in range(6):
        total = int(torch.randint(10, 500, (), generator=generator))
        warmup = int(torch.randint(0, total // 3, (), generator=generator))
        step = int(torch.randint(0, total, (), generator=generator))
        yield "random", (step, total, warmup, 0.01)


def _progress(step, total, warmup):
    return (step - warmup + 1) / (total - warmup)


def cosine_starts_at_nothing(step, total, warmup, final):
    return step / warmup if step < warmup else schedule.warmup_cosine(step, total, warmup, final)


def cosine_over_everything(step, total, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 - final) * (1 + math.cos(math.pi * (step + 1) / total)) / 2


def cosine_whole_period(step, total, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 - final) * (1 + math.cos(2 * math.pi * _progress(step, total, warmup))) / 2


def cosine_quarter(step, total, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 - final) * math.cos(math.pi / 2 * _progress(step, total, warmup))


def cosine_to_nothing(step, total, warmup, final):
    return schedule.warmup_cosine(step, total, warmup, 0.0)


def cosine_with_a_floor(step, total, warmup, final):
    return max(final, schedule.warmup_cosine(step, total, warmup, 0.0))


def cosine_plus_final(step, total, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 + math.cos(math.pi * _progress(step, total, warmup))) / 2


def cosine_one_step_late(step, total, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 - final) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2


def cosine_straight(step, total, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 - final) * (1 - _progress(step, total, warmup))


def cosine_not_halved(step, total, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    return final + (1 - final) * math.cos(math.pi * _progress(step, total, warmup))


def cosine_picture(arguments, expected, got):
    """The whole schedule, with the step that was asked for, as it should be and as it came."""
    from coursekit.plots.descent import show_schedule_case

    return show_schedule_case(*arguments, expected, got)


warmup_cosine = Exercise(
    name="03.warmup_cosine",
    reference=schedule.warmup_cosine,
    cases=cosine_cases,
    compare=Close(rtol=1e-5, atol=1e-7),
    misconceptions=[
        Misconception(
            "starts-at-nothing",
            cosine_starts_at_nothing,
            "Step 0 got a rate of 0, and a step with rate 0 is a step wasted. Steps are counted from 0: the first of four gets a quarter.",
        ),
        Misconception(
            "cosine-over-everything",
            cosine_over_everything,
            "The cosine ran during the warm-up already, so the rate falls with a jump when the warm-up ends. "
            "It has only the steps after the warm-up to itself.",
        ),
        Misconception(
            "whole-period",
            cosine_whole_period,
            "The rate fell and rose again: cos from 0 to 2π is a whole period. You want the half from +1 to -1.",
        ),
        Misconception(
            "quarter-period",
            cosine_quarter,
            "A quarter of a cosine falls ever faster and ends at full speed. Half a period, from +1 to -1, begins and ends gently.",
        ),
        Misconception(
            "final-ignored",
            cosine_to_nothing,
            "It falls to 0. At the last step the share `final` must be left.",
        ),
        Misconception(
            "final-as-a-floor",
            cosine_with_a_floor,
            "You cut the curve off at `final`, so it stands still before the end. It should be squeezed to lie between 1 and `final`.",
        ),
        Misconception(
            "final-added-on-top",
            cosine_plus_final,
            "Right at the end, and above 1 at the top: with `final` added, the cosine may only fill the room between `final` and 1.",
        ),
        Misconception(
            "one-step-late",
            cosine_one_step_late,
            "The curve comes one step late, so the last step never reaches `final`. Steps count from 0: how many are done with this one?",
        ),
        Misconception(
            "straight-line",
            cosine_straight,
            "That is a straight line down. Right at both ends and in the middle; the cosine bends between them.",
        ),
        Misconception(
            "not-halved",
            cosine_not_halved,
            "A cosine goes from +1 to -1, and a negative rate climbs. Add 1 and halve it: then it goes from 1 to 0.",
        ),
    ],
    hints=[
        "Two parts. Below `warmup`: (step + 1) / warmup. After it: how far along are we, as a number that is 1 at the last step?",
        "progress = (step - warmup + 1) / (total - warmup). `(1 + math.cos(math.pi * progress)) / 2` falls from 1 to 0.",
        "Squeeze it: final + (1 - final) * that.",
    ],
    points=2,
    twins=("torch.optim.lr_scheduler.CosineAnnealingLR", "torch.optim.lr_scheduler.SequentialLR"),
    picture=cosine_picture,
)
