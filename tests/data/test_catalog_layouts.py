"""Each card's reader finds its data in a miniature of its archives, laid out as the real ones are. CIFAR-10 is not here: torchvision
holds the files inside its archive to their own hashes."""

import dataclasses
import io
import json
import tarfile
import zipfile

import pytest
from PIL import Image

from coursekit.data import catalog
from coursekit.data.catalog import card, load


def picture(format, size=(40, 30)):
    out = io.BytesIO()
    Image.new("RGB", size, "gray").save(out, format)
    return out.getvalue()


def voc_xml(name):
    return f"""<annotation><filename>{name}.jpg</filename><size><width>40</width><height>30</height><depth>3</depth></size><object>
<name>dog</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object></annotation>"""


def voc(root, names, lists):
    members = {f"{root}/Annotations/{name}.xml": voc_xml(name) for name in names}
    members |= {f"{root}/JPEGImages/{name}.jpg": picture("JPEG") for name in names}
    return members | {f"{root}/ImageSets/Main/{split}.txt": "\n".join(ids) + "\n" for split, ids in lists.items()}


def voc2007():
    root = "VOCdevkit/VOC2007"
    # beside the splits lie lists of each class, with 1 and -1 behind the name
    lists = {"train": ["000001"], "val": ["000002"], "trainval": ["000001", "000002"], "dog_train": ["000001  1"]}
    return [voc(root, ["000001", "000002"], lists), voc(root, ["000003"], {"test": ["000003"], "dog_test": ["000003  1"]})]


def bccd():
    root = card("bccd").root
    lists = {"train": ["a"], "val": ["b"], "trainval": ["a", "b"], "test": ["c"]}
    members = voc(root, ["a", "b", "c"], lists)
    return [members | {f"{root.partition('/')[0]}/README.md": "readme", f"{root.partition('/')[0]}/scripts/split.py": "code"}]


def coco():
    box = {"id": 1, "image_id": 9, "category_id": 18, "bbox": [1, 2, 10, 20], "area": 150.5, "iscrowd": 0}
    image = {"id": 9, "file_name": "000000000009.jpg", "width": 40, "height": 30}
    truth = json.dumps({"images": [image], "annotations": [box], "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]})
    other = json.dumps({"images": [{**image, "id": 8, "file_name": "000000000008.jpg"}], "annotations": [], "categories": []})
    files = {"instances_val2017": truth, "instances_train2017": other, "captions_val2017": other, "person_keypoints_val2017": other}
    annotations = {f"annotations/{name}.json": text for name, text in files.items()}
    return [{"val2017/000000000009.jpg": picture("JPEG")}, annotations]


def gtsdb():
    members = {f"FullIJCNN2013/{n:05d}.ppm": picture("PPM") for n in (0, 1, 600)}
    members["FullIJCNN2013/14/00000.ppm"] = picture("PPM", (9, 9))  # crops lie beside, in a folder for each class
    return [members | {"FullIJCNN2013/gt.txt": "00000.ppm;1;2;9;12;14\n", "FullIJCNN2013/ReadMe.txt": "readme"}]


def penn_fudan():
    line = 'Bounding box for object 1 "PASpersonWalking" (Xmin, Ymin) - (Xmax, Ymax) : (1, 2) - (10, 30)\n'
    text = f"Image size (X x Y x C) : 40 x 30 x 3\n{line}"
    names = ("FudanPed00001", "PennPed00001")
    members = {f"PennFudanPed/PNGImages/{name}.png": picture("PNG") for name in names}
    members |= {f"PennFudanPed/PedMasks/{name}_mask.png": picture("PNG") for name in names}
    return [members | {f"PennFudanPed/Annotation/{name}.txt": text for name in names} | {"PennFudanPed/readme.txt": "readme"}]


def gtsrb():
    train = {f"GTSRB/Training/{n:05d}/00000_00000.ppm": picture("PPM") for n in range(43)}
    test = {"GTSRB/Final_Test/Images/00000.ppm": picture("PPM")}
    table = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n00000.ppm;40;30;5;5;35;25;16\n"
    return [train, test, {"GT-final_test.csv": table}]


def pets():
    images = {f"images/{name}.jpg": picture("JPEG") for name in ("Abyssinian_1", "beagle_1")}
    masks = {f"annotations/trimaps/{name}.png": picture("PNG") for name in ("Abyssinian_1", "beagle_1")}
    return [images, masks | {"annotations/trainval.txt": "Abyssinian_1 1 1 1\n", "annotations/test.txt": "beagle_1 2 2 1\n"}]


def write(path, members):
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in members.items():
            content = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(
    ("name", "make", "lengths"),
    [
        ("voc2007", voc2007, {"train": 1, "val": 1, "trainval": 2, "test": 1, None: 3}),
        ("bccd", bccd, {"train": 1, "val": 1, "trainval": 2, "test": 1, None: 3}),
        ("coco-val", coco, {"val2017": 1, None: 1}),
        ("gtsdb", gtsdb, {"train": 2, "test": 1, None: 3}),
        ("penn-fudan", penn_fudan, {None: 2}),
        ("gtsrb", gtsrb, {"train": 43, "test": 1}),
        ("oxford-pet", pets, {"trainval": 1, "test": 1}),
    ],
)
def test_a_miniature_is_read(name, make, lengths, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSEKIT_DATA", str(tmp_path))
    one = card(name)
    one = dataclasses.replace(one, files=tuple(dataclasses.replace(file, hash=None) for file in one.files), content="")
    monkeypatch.setattr(catalog, "CARDS", (one,))
    archives = tmp_path / name / "archives"
    archives.mkdir(parents=True)
    for file, members in zip(one.files, make(), strict=True):
        write(archives / file.name, members)
    assert {split: len(load(name, split)) for split in lengths} == lengths
    if one.task == "detection":
        assert load(name).problems == []
        assert sum(len(record) for record in load(name).images) >= 1
