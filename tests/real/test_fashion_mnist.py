"""Real clothes: the network of notebook 05_training_loop, trained by the same code."""

import torch
from torch import nn

from coursekit.data.labelled import labelled_images
from coursekit.models.layers import Pixels
from coursekit.models.mlp import MLP
from coursekit.training.classifier import batches, evaluate, fit_classifier


def test_a_fully_connected_network_tells_clothes_apart(real_data):
    train, val, test = (labelled_images("fashion-mnist", split, folder=real_data / "fashion_mnist") for split in ("train", "val", "test"))
    assert (len(train) + len(val), len(test)) == (60_000, 10_000)
    torch.manual_seed(0)
    model = nn.Sequential(Pixels(0.29, 0.35), MLP([28 * 28, 256, 10], dropout=0.2))
    rows = fit_classifier(model, train, val, epochs=20, lr=0.002, batch=128)
    found = evaluate(model, batches(test, 500))
    print(f"val {rows[-1]['val/accuracy']:.4f}, test {found['accuracy']:.4f}, training {rows[-1]['train/accuracy']:.4f}")
    assert found["accuracy"] >= 0.88, found
