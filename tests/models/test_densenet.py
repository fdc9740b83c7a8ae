import torch

from coursekit.models.densenet import BLOCKS, DenseLayer, DenseNet, transition


def test_a_layer_keeps_what_it_got_and_lays_new_channels_behind_it():
    x = torch.randn(2, 6, 5, 4)
    y = DenseLayer(6, growth=3)(x)
    assert y.shape == (2, 9, 5, 4)
    assert torch.equal(y[:, :6], x)


def test_a_transition_halves_the_map_and_rounds_down():
    assert transition(6, 3)(torch.randn(2, 6, 7, 4)).shape == (2, 3, 3, 2)


def test_channels_grow_by_32_a_layer_and_are_halved_between_blocks(maps_of):
    found = maps_of(DenseNet)
    channels = 64
    for number, count in enumerate(BLOCKS[121], start=1):
        channels += 32 * count
        assert found[f"block{number}"] == (channels, 112 // 2**number, 112 // 2**number)
        channels //= 2
    assert found["norm"] == (1024, 7, 7)
    assert found["transition1"] == (128, 28, 28)
