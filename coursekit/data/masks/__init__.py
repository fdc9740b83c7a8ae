"""A generated world of faces with and without masks, unlimited and deterministic by seed. Taught in 24_project.

>>> scenes = MaskScenes(300, seed=1)
>>> image, target = scenes[0]
>>> image.shape, scenes.classes
(torch.Size([3, 256, 256]), ('with_mask', 'without_mask', 'mask_weared_incorrect'))
"""

from coursekit.data.masks.datasets import FaceCrops, MaskScenes
from coursekit.data.masks.defects import FOUND_AS, Defect, missed
from coursekit.data.masks.plan import DIFFICULTIES, MASK_CLASSES, Difficulty
from coursekit.data.masks.write import write_masks

__all__ = ["DIFFICULTIES", "FOUND_AS", "MASK_CLASSES", "Defect", "Difficulty", "FaceCrops", "MaskScenes", "missed", "write_masks"]
