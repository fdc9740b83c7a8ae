"""Each of these tests runs twice: on a pretended GPU, here and now, and on a real one where there is one (`make gpu`)."""

import contextlib

import pytest
import torch

from coursekit.authoring.pretended import pretended_gpu


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request):
    """Name of a device that is no CPU. Two tensors that lie in different memories do not meet, on either."""
    if request.param == "real" and not torch.cuda.is_available():
        pytest.skip("this machine has no GPU")
    with pretended_gpu() if request.param == "pretended" else contextlib.nullcontext():
        yield "cuda"
