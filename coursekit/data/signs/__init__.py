"""A generated world of traffic signs, unlimited and deterministic by seed, drawn over photographs and textures. Taught in 04_data.

>>> scenes = SignScenes(1000, seed=1)
>>> image, target = scenes[0]
>>> image.shape, target["boxes"].dtype
(torch.Size([3, 256, 256]), torch.float32)
"""

from coursekit.data.signs.datasets import Scene, SignCrops, SignScenes, write_signs
from coursekit.data.signs.faces import SIGN_CLASSES
from coursekit.data.signs.plan import DIFFICULTIES, Difficulty

__all__ = ["DIFFICULTIES", "SIGN_CLASSES", "Difficulty", "Scene", "SignCrops", "SignScenes", "write_signs"]
