"""How many steps there are, and how the learning rate moves: up quickly, then down slowly. Taught in 03_optimisers and 19_yolo."""

import math


def training_steps(samples: int, batch: int, epochs: int, drop_last: bool = False) -> int:
    """How many steps a training makes: one for each batch, and every epoch begins a new first batch.

    Args:
        samples: in the training set, 0 or more.
        batch: samples in a step, at least 1.
        epochs: times through the set, 0 or more.
        drop_last: leave out an epoch's last batch where it is not full, as ``DataLoader(drop_last=True)`` does.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    for name, value, least in (("samples", samples, 0), ("batch", batch, 1), ("epochs", epochs, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    full, rest = divmod(samples, batch)
    return epochs * (full + (rest > 0 and not drop_last))


def step_decay(step: int, every: int, factor: float = 0.1) -> float:
    """Factor on the learning rate: 1 for ``every`` steps, then ``factor``, then ``factor ** 2``: a staircase.

    Args:
        step: 0-based. every: steps on each stair, at least 1.

    Raises:
        ValueError: if step is negative or every below 1.
    """
    if step < 0 or every < 1:
        raise ValueError(f"step must be at least 0 and every at least 1, got {step} and {every}")
    return factor ** (step // every)


def warmup_cosine(step: int, total: int, warmup: int, final: float = 0.01) -> float:
    """Factor on the learning rate: a straight line up for ``warmup`` steps, then half a cosine down to ``final``.

    Step 0 already gets 1/warmup, so no step is wasted; the last step, ``total - 1``, gets exactly ``final``.

    Args:
        step: 0-based, below ``total``. warmup: steps, may be 0.
        final: what is left at the end, as a share of the highest rate.

    Raises:
        ValueError: if step does not lie in 0..total-1.

    Source: cosine, Loshchilov & Hutter, arXiv 1608.03983; warm-up, Goyal et al., arXiv 1706.02677.
    """
    if not 0 <= step < total:
        raise ValueError(f"step must lie in 0..{total - 1}, got {step}")
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup + 1) / (total - warmup)  # above 0, and 1 at the last step
    return final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2
