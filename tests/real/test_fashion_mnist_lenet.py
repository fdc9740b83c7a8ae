"""Fashion-MNIST: 70,000 pictures of clothes, read by the network of notebook 07 at twice its width, with batch normalisation."""

import pytest
import torch
from torch.nn.functional import pad

from coursekit.data.labelled import Labelled, labelled_images
from coursekit.models.lenet import LeNet
from coursekit.training.classifier import batches, evaluate, fit_classifier


def in_32(found: Labelled) -> Labelled:
    """28x28 in the middle of 32x32, as the paper has it."""
    return Labelled(pad(found.images, (2, 2, 2, 2)), found.labels, found.classes)


@pytest.mark.timeout(900)
def test_lenet_reads_91_of_100_clothes(real_data):
    train, test = (in_32(labelled_images("fashion-mnist", split, folder=real_data / "fashion_mnist")) for split in ("train", "test"))
    assert len(test) == 10_000
    torch.manual_seed(0)
    model = LeNet(width=2, batch_norm=True, mean=0.29, std=0.35)  # mean and spread of its pixels
    fit_classifier(model, train, epochs=8, lr=0.004, batch=128)
    assert evaluate(model, batches(test, 500))["accuracy"] >= 0.91
