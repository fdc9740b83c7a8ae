"""How the learning rate moves: up quickly, then down slowly. Taught in notebooks 03_optimisers and 19_yolo."""

import math


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
