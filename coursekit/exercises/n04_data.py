"""The first exercise of notebook 04_data: a data set of a folder. Each of the others, n04_data_*.py, has its own file."""

import functools
import io
import tempfile
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from coursekit.data.image_folder import ImageFolder
from coursekit.exercises.core import Exact, Exercise, Misconception

# --- FolderDataset


def folder_cases(generator):
    """(label, arguments) for FolderDataset: what lies in the folder, as path -> kind. No two pictures have the same pixels.

    Kinds: a mode of Pillow (L is grey, P a palette, RGBA four channels), "text" for a file that is no picture, "folder" for an empty one.
    """
    yield "two classes, a picture each", ({"yield/a.png": "RGB", "stop/b.png": "RGB"}, None)
    yield "names in mixed order", ({"b/2.png": "RGB", "d/1.png": "RGB", "a/3.png": "RGB", "a/1.png": "RGB", "c/1.png": "RGB"}, None)
    yield "a grey picture", ({"stop/1.png": "L", "yield/1.png": "RGB"}, None)
    yield "a picture with a palette", ({"stop/1.png": "P", "yield/1.png": "RGB"}, None)
    yield "a picture with four channels", ({"stop/1.png": "RGB", "yield/1.png": "RGBA"}, None)
    yield "a hidden file that looks like a picture", ({"stop/1.png": "RGB", "stop/._1.png": "text", "yield/1.png": "RGB"}, None)
    yield "a hidden folder", ({".cache/1.png": "RGB", "stop/1.png": "RGB", "yield/1.png": "RGB"}, None)
    yield "suffixes in capital letters", ({"stop/1.PNG": "RGB", "stop/2.png": "RGB", "yield/3.JPG": "RGB"}, None)
    yield "a suffix of four letters, and 10 before 2", ({"stop/2.jpg": "RGB", "stop/10.jpeg": "RGB", "yield/3.png": "RGB"}, None)
    yield "files that are no pictures", ({"stop/1.png": "RGB", "stop/notes.txt": "text", "yield/1.png": "RGB"}, None)
    yield "a file beside the folders", ({"a-list.txt": "text", "z.png": "RGB", "stop/1.png": "RGB", "yield/1.png": "RGB"}, None)
    yield "a class without a picture yet", ({"bend": "folder", "stop/1.png": "RGB", "yield/1.png": "RGB"}, None)
    yield "with a transform", ({"stop/1.png": "RGB", "yield/1.png": "L"}, upside_down)
    names = ["stop", "yield", "bend", "parking"]
    for _ in range(2):
        picks = torch.randint(0, len(names), (5,), generator=generator).tolist()
        yield "random", ({f"{names[pick]}/{i}.png": "RGB" for i, pick in enumerate(picks)}, None)


def upside_down(image):
    """A transform: (3, H, W) -> the same, the last row first."""
    return image.flip(1)


@functools.cache
def _encoded(name: str, kind: str, height: int) -> bytes:
    """A small picture whose pixels follow from its name; a PNG whatever the name ends in, so that it is read back to the last bit."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    picture = Image.fromarray(rng.integers(0, 256, (height, 5, 3), dtype=np.uint8))
    if kind == "RGBA":
        picture.putalpha(255)
    file = io.BytesIO()
    (picture if kind == "RGBA" else picture.convert(kind)).save(file, format="PNG", compress_level=1)
    return file.getvalue()


def make_folder(root: Path, content: dict[str, str]) -> None:
    """Write what a case describes."""
    for place, (name, kind) in enumerate(content.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "text":
            path.write_text("not a picture")
        elif kind == "folder":
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(_encoded(name, kind, 3 + place))


def drive_folder(answer, content, transform):
    """Make the folder, open it as a data set, and look at all that a DataLoader and a learner would."""
    with tempfile.TemporaryDirectory() as place:
        make_folder(Path(place), content)
        dataset = answer(place) if transform is None else answer(place, transform)
        samples = [dataset[i] for i in range(len(dataset))]
        return {
            "classes": list(dataset.classes),
            "len": len(dataset),
            "samples": [(Path(path).name, label) for path, label in dataset.samples],
            "images": [image for image, _ in samples],
            "labels": [label for _, label in samples],
        }


class _Folder:
    """The right data set with one thing at a time to get wrong."""

    first, hidden, suffixes, convert, any_file, loose, used = 0, False, (".png", ".jpg", ".jpeg"), True, False, False, True

    def __init__(self, root, transform=None):
        self.transform = transform
        folders = sorted((p for p in Path(root).iterdir() if self._is_class(p)), key=lambda p: p.name)
        self.classes = [p.name for p in folders]
        self.samples = [(p, label + self.first) for label, folder in enumerate(folders) for p in self._pictures(folder)]

    def _is_class(self, path):
        return path.is_dir() and (self.hidden or not path.name.startswith("."))

    def _pictures(self, folder):
        return sorted((p for p in folder.iterdir() if self._is_picture(p)), key=lambda p: p.name)

    def _is_picture(self, path):
        return (self.any_file or self._suffix(path) in self.suffixes) and not path.name.startswith(".")

    def _suffix(self, path):
        return path.suffix.lower()

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, label = self.samples[index]
        picture = Image.open(path)
        image = self._tensor(picture.convert("RGB") if self.convert else picture)
        return (self.transform(image) if self.transform and self.used else image), label

    def _tensor(self, picture):
        return pil_to_tensor(picture)


class FolderAsItIsStored(_Folder):
    convert = False


class FolderHiddenFiles(_Folder):
    def _is_picture(self, path):
        return self._suffix(path) in self.suffixes


class FolderHiddenFolders(_Folder):
    hidden = True


class FolderSmallLettersOnly(_Folder):
    def _suffix(self, path):
        return path.suffix


class FolderAnyFile(_Folder):
    any_file = True


class FolderChannelsLast(_Folder):
    def _tensor(self, picture):
        return torch.from_numpy(np.array(picture))


class FolderAsFloat(_Folder):
    def _tensor(self, picture):
        return pil_to_tensor(picture) / 255


class FolderNamesAsLabels(_Folder):
    def __init__(self, root, transform=None):
        super().__init__(root, transform)
        self.samples = [(path, path.parent.name) for path, _ in self.samples]


class FolderLabelsFromOne(_Folder):
    first = 1


class FolderTransformForgotten(_Folder):
    used = False


class FolderEmptyClassesLost(_Folder):
    def _is_class(self, path):
        return super()._is_class(path) and any(self._is_picture(p) for p in path.iterdir())


folder_dataset_exercise = Exercise(
    name="04.folder_dataset",
    reference=ImageFolder,
    cases=folder_cases,
    drive=drive_folder,
    compare=Exact(),
    twins=(
        "torchvision.datasets.ImageFolder",
        "torchvision.datasets.DatasetFolder",
        "torchvision.datasets.folder.make_dataset",
        "coursekit.data.image_folder._pictures",
    ),
    misconceptions=[
        Misconception(
            "not-converted",
            FolderAsItIsStored,
            "Right for pictures that are RGB in the file. A grey one has one channel, one with transparency has four, "
            "and the numbers of a palette are no colours at all. What does Pillow's `convert` do?",
        ),
        Misconception(
            "hidden-files",
            FolderHiddenFiles,
            "A file whose name begins with a dot was taken for a picture. macOS puts `._1.png` beside each picture it copies.",
        ),
        Misconception(
            "hidden-folders",
            FolderHiddenFolders,
            "A folder whose name begins with a dot became a class, and all labels after it moved up by one.",
        ),
        Misconception(
            "small-letters-only",
            FolderSmallLettersOnly,
            "Pictures are missing: cameras write `.JPG`, some tools `.PNG`. Compare `path.suffix.lower()`.",
        ),
        Misconception(
            "any-file",
            FolderAnyFile,
            "A file that is no picture was opened as one. Which suffixes may a picture have?",
        ),
        Misconception(
            "channels-last",
            FolderChannelsLast,
            "The image is (H, W, 3), as Pillow and NumPy keep it. Networks want (3, H, W); you know the way from 01.",
        ),
        Misconception(
            "float-too-soon",
            FolderAsFloat,
            "The image was scaled to 0..1. A data set keeps uint8, a quarter of the memory; the model scales.",
        ),
        Misconception(
            "names-as-labels",
            FolderNamesAsLabels,
            "The label is a name. A loss wants a whole number: the place of the name in `classes`.",
        ),
        Misconception(
            "labels-from-one",
            FolderLabelsFromOne,
            "Labels count from 0: with K classes a network has outputs 0 to K - 1.",
        ),
        Misconception(
            "transform-forgotten",
            FolderTransformForgotten,
            "A transform was given and the image came out as it is in the file.",
        ),
        Misconception(
            "empty-classes-lost",
            FolderEmptyClassesLost,
            "A folder without a picture is a class all the same: without it the labels of all classes after it change on the day "
            "when the first picture is put in.",
        ),
    ],
    hints=[
        "`Path(root).iterdir()` lists what lies in a folder, in no order at all. `path.is_dir()`, `path.name` and `path.suffix` "
        "tell what it is.",
        "Names first: sort the names of the visible folders, that is `self.classes`. Then for each `label, name` of "
        "`enumerate(self.classes)` sort the names of its pictures and append `(path, label)` to `self.samples`.",
        "`pil_to_tensor(Image.open(path).convert('RGB'))` is uint8 and (3, H, W).",
    ],
    points=4,
)
