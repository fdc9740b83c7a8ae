import numpy as np
import torch

from coursekit.data.signs import SIGN_CLASSES, SignCrops, SignScenes


def test_scene_is_a_sample():
    image, target = SignScenes(4, seed=1)[2]
    assert image.shape == (3, 256, 256)
    assert image.dtype == torch.uint8
    assert target["boxes"].dtype == torch.float32
    assert len(SIGN_CLASSES) >= 12


def test_crop_is_an_image_and_a_label():
    image, label = SignCrops(4, seed=1)[2]
    assert image.shape == (3, 48, 48)
    assert 0 <= label < len(SIGN_CLASSES)
    assert np.ptp(image.numpy()) > 0
