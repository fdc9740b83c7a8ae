import pytest
import torch

from coursekit.exercises.core import Close, Exercise, Misconception


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    """No test writes into the progress of whoever runs it."""
    file = tmp_path / "progress" / "progress.json"
    monkeypatch.setenv("COURSEKIT_PROGRESS", str(file))
    return file


def overlap(first, second):
    """A toy reference: 1D overlap of intervals (N, 2), elementwise."""
    return (torch.minimum(first[:, 1], second[:, 1]) - torch.maximum(first[:, 0], second[:, 0])).clamp(min=0)


def overlap_cases(generator):
    def pair(*rows):
        return tuple(torch.tensor(r, dtype=torch.float32).reshape(-1, 2) for r in rows)

    yield "half over each other", pair([[0, 4]], [[2, 6]])
    yield "apart", pair([[0, 1]], [[3, 5]])
    yield "none", pair([], [])
    for _ in range(4):
        yield "random", tuple(torch.rand(3, 2, generator=generator).sort(dim=1).values for _ in range(2))


def without_clamp(first, second):
    return torch.minimum(first[:, 1], second[:, 1]) - torch.maximum(first[:, 0], second[:, 0])


def plus_one(first, second):
    return (torch.minimum(first[:, 1], second[:, 1]) - torch.maximum(first[:, 0], second[:, 0]) + 1).clamp(min=0)


@pytest.fixture
def overlap_exercise():
    return Exercise(
        name="13.overlap",
        reference=overlap,
        cases=overlap_cases,
        compare=Close(atol=1e-6),
        misconceptions=[
            Misconception("no-clamp", without_clamp, "How long is an empty overlap?"),
            Misconception("plus-one", plus_one, "Is an interval from 0 to 2 two long or three?"),
        ],
        hints=["Draw two intervals.", "The overlap starts at the larger start."],
        seconds=1.0,
    )


@pytest.fixture
def softmax_exercise():
    def softmax(logits):
        shifted = (logits - logits.max(dim=-1, keepdim=True).values).exp()
        return shifted / shifted.sum(dim=-1, keepdim=True)

    def cases(generator):
        yield "two equal", (torch.zeros(1, 2),)
        yield "large", (torch.tensor([[1000.0, 1001.0]]),)
        for _ in range(3):
            yield "random", (torch.randn(4, 3, generator=generator),)

    return Exercise(name="02.softmax", reference=softmax, cases=cases, twins=["torch.softmax"], compare=Close(rtol=1e-4))
