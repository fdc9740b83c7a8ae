import pytest
import torch


@pytest.fixture
def maps_of():
    """A function: the shape (C, H, W) of the map after each layer of a network's backbone, by the layer's name; nothing is computed."""

    def shapes(build, side=224, **options) -> dict[str, tuple[int, int, int]]:
        with torch.device("meta"):
            backbone, x, found = build(**options).backbone, torch.empty(1, 3, side, side), {}
        for name, layer in backbone.named_children():
            x = layer(x)
            found[name] = tuple(x.shape[1:])
        return found

    return shapes
