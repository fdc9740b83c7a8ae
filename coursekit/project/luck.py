"""How a public board misleads: the best of many is partly luck. Taught in notebook 24_project.

Twenty submissions that are equally good do not score alike on a hundred pictures. Whoever leads the board was lucky, and luck does not
come along to the private part. The more submissions and the fewer public pictures, the more of the lead is luck.
"""

import torch
from torch import Tensor


def best_of_n(public: Tensor, private: Tensor) -> Tensor:
    """Who leads after each submission, and what the lead is worth.

    Args:
        public: (n,) float, the public scores in the order in which the submissions came.
        private: (n,) float, their private scores.

    Returns:
        (n, 2): row k has the public and the private score of the submission that leads the public board after k + 1 of them. Of equal
        public scores the earlier leads.
    """
    rows, leader = [], 0
    for k in range(len(public)):
        if public[k] > public[leader]:
            leader = k
        rows.append(torch.stack([public[leader], private[leader]]))
    return torch.stack(rows) if rows else torch.zeros(0, 2)


def lucky_board(n: int, pictures: int, skill: float, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scores of n submissions that are equally good: each gets each picture right with the same chance.

    Args:
        n: how many are handed in.
        pictures: how many there are in both parts together.
        skill: the chance, in 0..1: what each of them is really worth.
        share: of the pictures that are public; at least one is, and at least one is not.
        generator: of the chances.

    Returns:
        public (n,), private (n,): accuracy on the two parts. Whatever differs between the submissions is luck.

    Raises:
        ValueError: naming the argument.
    """
    if n < 1 or pictures < 2:
        raise ValueError(f"n must be at least 1 and pictures at least 2, got {n} and {pictures}")
    if not 0 <= skill <= 1 or not 0 < share < 1:
        raise ValueError(f"skill must lie in 0..1 and share between 0 and 1, got {skill} and {share}")
    seen = min(max(1, round(share * pictures)), pictures - 1)
    right = (torch.rand(n, pictures, generator=generator) < skill).float()
    return right[:, :seen].mean(dim=1), right[:, seen:].mean(dim=1)


def lead_by_luck(n: int, pictures: int, skill: float, share: float, generator: torch.Generator, boards: int = 200) -> Tensor:
    """The mean of `best_of_n` over many lucky boards.

    Args:
        boards: how many are drawn; the others are told in `lucky_board`.

    Returns:
        (n, 2): the public score of the leader climbs with every submission; its private score stays at ``skill``.
    """
    return torch.stack([best_of_n(*lucky_board(n, pictures, skill, share, generator)) for _ in range(boards)]).mean(dim=0)
