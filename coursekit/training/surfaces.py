"""Landscapes of two weights to walk down, and the walk. Taught in notebook 03_optimisers.

>>> path = descend(sgd, VALLEY, lr=0.05, steps=40)     # (41, 2): every place, the start first
>>> VALLEY(path)                                        # (41,): how high each lies
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Surface:
    """A loss of two weights.

    Args:
        name: what it is called in pictures.
        height: of the two coordinates, tensors of one shape; gives the loss, of that shape.
        start: where a walk begins.
        minima: the lowest places, one row each.
        view: (lowest x, highest x, lowest y, highest y) to draw.
    """

    name: str
    height: Callable[[Tensor, Tensor], Tensor]
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...]
    view: tuple[float, float, float, float]

    def __call__(self, points: Tensor) -> Tensor:
        """(..., 2) -> (...): the loss."""
        return self.height(points[..., 0], points[..., 1])

    def gradient(self, points: Tensor) -> Tensor:
        """(..., 2) -> (..., 2): the gradient at each point, by autograd; points do not influence each other."""
        with torch.enable_grad():
            leaf = points.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self(leaf).sum(), leaf)
        return gradient

    def lowest(self) -> float:
        """The loss at the lowest minimum."""
        return float(self(torch.tensor(self.minima, dtype=torch.float64)).min())


BOWL = Surface("a bowl", lambda x, y: (x**2 + y**2) / 2, (-4.0, 3.0), ((0.0, 0.0),), (-5, 5, -4, 4))
VALLEY = Surface("a narrow valley", lambda x, y: (x**2 + 25 * y**2) / 2, (-9.0, 1.5), ((0.0, 0.0),), (-10, 4, -2.5, 2.5))
CURVED = Surface(  # Rosenbrock's, with 10 where he had 100, so that its floor can be seen
    "a curved valley", lambda x, y: (1 - x) ** 2 + 10 * (y - x**2) ** 2, (-1.4, 1.6), ((1.0, 1.0),), (-2, 2, -1, 3)
)
SADDLE = Surface("a saddle", lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 4, (2.0, 0.001), ((0.0, 1.0), (0.0, -1.0)), (-2.5, 2.5, -1.8, 1.8))
TWO_MINIMA = Surface(  # the minimum on the left is the lower one
    "two minima",
    lambda x, y: (x**2 - 1) ** 2 + 0.3 * x + y**2 / 2,
    (1.9, 1.5),
    ((-1.03558, 0.0), (0.96015, 0.0)),
    (-2.2, 2.2, -2, 2),
)
SURFACES = (BOWL, VALLEY, CURVED, SADDLE, TWO_MINIMA)


def descend(
    step: Callable, surface: Surface, lr: float | Tensor, steps: int, start: Sequence[float] | Tensor | None = None, state: Any = 0.0
) -> Tensor:
    """Walk down a surface with one of the optimisers.

    Args:
        step: called as ``step(weights, gradient, state, lr)``, gives new weights and state; see `coursekit.training.optimisers`.
        lr: a number; or (R, 1), and R walks are made at once, one for each rate.
        steps: how many.
        start: two numbers, or (..., 2); the surface's own start if None.
        state: what the optimiser remembers before its first step: 0.0, or (0.0, 0.0, 0) for Adam.

    Returns:
        (steps + 1, ..., 2) float64: every place, the start first. A walk that explodes ends in inf and NaN, and does not raise.

    Raises:
        ValueError: if steps is negative, or start does not end in two coordinates.
    """
    if steps < 0:
        raise ValueError(f"steps must be at least 0, got {steps}")
    weights = torch.as_tensor(surface.start if start is None else start, dtype=torch.float64)
    if weights.ndim == 0 or weights.shape[-1] != 2:
        raise ValueError(f"start must end in two coordinates, (..., 2), got shape {tuple(weights.shape)}")
    if isinstance(lr, Tensor):
        weights = weights.expand(torch.broadcast_shapes(weights.shape, lr.shape))
    path = [weights]
    for _ in range(steps):
        weights, state = step(weights, surface.gradient(weights), state, lr)
        path.append(weights)
    return torch.stack(path)


def best_walk(
    step: Callable, surface: Surface, rates: Sequence[float], steps: int, state: Any = 0.0, start: Sequence[float] | None = None
) -> tuple[float, Tensor]:
    """The walk that ends lowest among several rates: that rate, and its path (steps + 1, 2).

    Raises:
        ValueError: if no rate ends at a finite place, or there is none.
    """
    if len(rates) == 0:
        raise ValueError("rates must hold at least one, got none")
    column = torch.tensor(rates, dtype=torch.float64)[:, None]  # (R, 1)
    paths = descend(step, surface, column, steps, start, state)  # (steps + 1, R, 2)
    ends = surface(paths[-1]).nan_to_num(nan=torch.inf)
    if not ends.isfinite().any():
        raise ValueError(f"rates must hold one that does not explode, got {list(rates)} on {surface.name}")
    best = int(ends.argmin())
    return float(rates[best]), paths[:, best]
