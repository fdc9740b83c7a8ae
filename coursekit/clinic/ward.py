"""The beds: each patient with its own scenes, way of working and broken step, measured as it is or with a repair. Taught in 21_bug_clinic.

>>> clinic = Clinic(load_shipped(), SignScenes(48, seed=210))
>>> clinic.chart(3)["AP"]                  # as the patient came
>>> clinic.chart(3, my_to_boxes)["AP"]     # with your step in its place
"""

import copy
from collections.abc import Callable

from torch import nn

from ..detections import Detections
from ..yolo.model import Raw
from . import detector, steps
from .chart import Chart, chart
from .patients import Patient, patient

NETWORK = ("prepare_frame", "prepare_batch", "look")  # steps before the network has spoken


class Clinic:
    """Scenes, the shipped detector, and what it says of them; the network's part is done once and kept.

    Args:
        model: the shipped detector, in eval mode.
        scenes: map-style, of (uint8 (3, H, W), target), with ``classes``.
        together: frames that bed 5 looks at at a time; one, as a camera gives them.
    """

    def __init__(self, model: nn.Module, scenes, together: int = 1):
        samples = [scenes[index] for index in range(len(scenes))]
        self.model, self.classes, self.together = model, tuple(scenes.classes), together
        self.pictures, self.targets = [image for image, _ in samples], [target for _, target in samples]
        self.frames = [detector.camera(picture) for picture in self.pictures]
        self._said: Raw | None = None
        self._found: dict[tuple, list[Detections]] = {}  # by bed and our own step: a notebook asks for these again and again
        self._charts: dict[tuple, Chart] = {}

    @property
    def said(self) -> Raw:
        """What the healthy network says of all frames."""
        if self._said is None:
            self._said = detector.see(self.model, self.frames)
        return self._said

    def truth(self, number: int) -> tuple[list[dict], tuple[str, ...]]:
        """Targets and classes of a bed: bed 4 has every object twice, by its kind and as "sign"."""
        return detector.named_twice(self.targets, self.classes) if number == 4 else (self.targets, self.classes)

    def find(self, number: int, step: Callable | None = None) -> list[Detections]:
        """What the patient of a bed finds in each picture.

        Args:
            number: of the bed, one whose weights are the shipped ones.
            step: in place of the broken step; None leaves it broken.

        Raises:
            ValueError: for a bed whose training is broken, or none at all.
        """
        who = _not_trained(number)
        step = step or who.broken
        ours = (number, step) if step in (who.broken, getattr(steps, who.step)) else None
        if ours in self._found:
            return self._found[ours]
        found = self._find(who, step)
        if ours:
            self._found[ours] = found
        return found

    def _find(self, who: Patient, step: Callable) -> list[Detections]:
        options = {4: {"two_names": True}, 7: {"floor": 0.3}}.get(who.number, {})
        if who.step not in NETWORK:
            return detector.tell(self.said, **{who.step: step}, **options)
        model = self.model
        if who.step == "look":  # found as it was left: in the middle of a training
            model = copy.deepcopy(self.model).train()
        batch = self.together if who.step == "look" else 8
        return detector.tell(detector.see(model, self.frames, batch, **{who.step: step}), **options)

    def chart(self, number: int, step: Callable | None = None) -> Chart:
        """`find`, measured against the truth of the bed."""
        found = self.find(number, step)
        ours = next((key for key, value in self._found.items() if value is found), None)
        if ours not in self._charts:
            measured = chart(found, *self.truth(number))
            if ours is None:
                return measured
            self._charts[ours] = measured
        return self._charts[ours]

    def healthy(self, number: int) -> Chart:
        """The same bed with the step as it should be."""
        return self.chart(number, getattr(steps, _not_trained(number).step))


def _not_trained(number: int) -> Patient:
    who = patient(number)
    if who.trained:
        raise ValueError(f"number must be a bed whose weights are the shipped ones, got {number}: its training is broken")
    return who
