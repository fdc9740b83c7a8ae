"""Each of these tests runs twice: on a pretended GPU, here and now, and on a real one where there is one (`make gpu`)."""

import pytest
import torch

from coursekit.authoring.pretended import pretended_gpu


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request):
    """Name of a device that is no CPU. Two tensors that lie in different memories do not meet, on either."""
    if request.param == "real" and not torch.cuda.is_available():
        pytest.skip("this machine has no GPU")
    exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)  # sums as a CPU does them, but for their order
    with pretended_gpu() if request.param == "pretended" else exact:
        yield "cuda"


@pytest.fixture
def real(request):
    """Is it a real one, which rounds otherwise than a CPU?"""
    return request.node.callspec.params["gpu"] == "real"
