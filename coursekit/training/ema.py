"""A slow copy of the weights, which is better than the weights. Taught in notebook 19_yolo."""

import copy
import math

import torch
from torch import nn


class EMA:
    """Exponential moving average of a model's weights.

    The weights of single steps rattle around a good place; their average lies nearer to it. After each step the copy moves
    by ``1 - d`` towards the model, d = decay * (1 - exp(-step / tau)): at first it follows at once, later it hardly moves.
    The batch normalisations' running statistics are averaged too, counters are copied.

    Args:
        model: trained elsewhere; the copy is `self.model`, in eval mode and without gradients.
        decay: of the late steps; .999 remembers about 1,000 steps.
        tau: steps after which the copy begins to be slow. Short trainings need it short: with 2,000, as large recipes have it,
            a run of 1,000 steps would end with weights that remember their random start too well.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999, tau: float = 200):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.tau = decay, tau

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards ``model`` after its step number ``step``, counted from 1."""
        keep = self.decay * (1 - math.exp(-step / self.tau))
        slow, fast = [], []
        for mine, new in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                slow.append(mine)
                fast.append(new)
            else:
                mine.copy_(new)
        torch._foreach_lerp_(slow, fast, 1 - keep)  # all tensors in one call: mine + (1 - keep) * (new - mine)
