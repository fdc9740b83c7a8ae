"""Known datasets: what they are, whose they are, and where they come from. Read in notebook 04_data.

Hashes are the published ones: torchvision's own lists, and for COCO the checksums that its mirrors give. Where nobody published one,
the first download sets it (see `download.RemoteFile`).
"""

from dataclasses import dataclass

from .download import RemoteFile


@dataclass(frozen=True)
class Card:
    """A dataset's card.

    Args:
        name: what `coursekit data get` calls it.
        task: ``"classification"``, ``"detection"`` or ``"segmentation"``.
        classes: how many.
        images: how many in each split, as text.
        about: what is in it and what to know before using it.
        licence: as its owners state it. "none stated" means that nobody gave a right to pass it on.
        citation: what to cite.
        home: its page.
        files: what is downloaded; none where a login is needed.
        under: folder that the archives are unpacked into, where the reader expects one.
        reader: ``"boxes"`` (a format of `formats.read_dataset`), a function of `others`, or ``"torchvision.NAME"``; "" where the
            course has no reader.
        root: where the dataset begins within what was unpacked: a folder, or COCO's JSON file.
        splits: what `catalog.load` can be asked for; none where it is not split.
        expected: pictures in all, against which a folder is checked.
        content: `catalog.content_hash` of what was unpacked, where it is known and the archive's own hash is not.
        manual: the steps by hand, where a login is needed.
    """

    name: str
    title: str
    task: str
    classes: int
    images: str
    about: str
    licence: str
    citation: str
    home: str
    files: tuple[RemoteFile, ...] = ()
    under: str = ""
    reader: str = ""
    root: str = ""
    splits: tuple[str, ...] = ()
    expected: int | None = None
    content: str = ""
    manual: str = ""

    @property
    def size(self) -> int | None:
        """Bytes to download, as far as they are known."""
        sizes = [file.size for file in self.files if file.size]
        return sum(sizes) or None


def _files(base: str, *rows: tuple[str, str | None, int | None]) -> tuple[RemoteFile, ...]:
    return tuple(RemoteFile(name, (base + name,), hash, size) for name, hash, size in rows)


_ERDA = "https://sid.erda.dk/public/archives/"
_BCCD = "d272fb14cdff6e473fafeeeba32aba5f560e9e43"  # a commit, so that the content cannot change

CLASSIFICATION = (
    Card(
        name="fashion-mnist",
        title="Fashion-MNIST",
        task="classification",
        classes=10,
        images="60,000 train, 10,000 test",
        about="Grey 28x28 pictures of clothes; a drop-in for MNIST that is not solved by a linear model.",
        licence="MIT",
        citation="Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747",
        home="https://github.com/zalandoresearch/fashion-mnist",
        files=_files(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ("train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26421880),
            ("train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe", 29515),
            ("t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79", 4422102),
            ("t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310", 5148),
        ),
        under="FashionMNIST/raw",
        reader="torchvision.FashionMNIST",
        splits=("train", "test"),
        expected=70_000,
    ),
    Card(
        name="cifar-10",
        title="CIFAR-10",
        task="classification",
        classes=10,
        images="50,000 train, 10,000 test",
        about="Colour 32x32 pictures of animals and vehicles, drawn from 80 Million Tiny Images.",
        licence="none stated; the authors ask to be cited",
        citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        files=_files("https://www.cs.toronto.edu/~kriz/", ("cifar-10-python.tar.gz", "md5:c58f30108f718f92721af3b95e74349a", 170498071)),
        reader="torchvision.CIFAR10",
        splits=("train", "test"),
        expected=60_000,
    ),
    Card(
        name="gtsrb",
        title="German Traffic Sign Recognition Benchmark",
        task="classification",
        classes=43,
        images="26,640 train, 12,630 test",
        about="Crops of traffic signs, 15 to 250 pixels wide, 30 frames of each sign as a car drives by: who splits it must split by sign. "
        "This is torchvision's training set, that of the 2011 competition; the later one has 39,209 crops.",
        licence="none stated in the archives; made for research",
        citation="Stallkamp, Schlipsing, Salmen and Igel 2012, Neural Networks 32",
        home="https://benchmark.ini.rub.de/gtsrb_news.html",
        files=_files(
            _ERDA + "daaeac0d7ce1152aea9b61d9f1e19370/",
            ("GTSRB-Training_fixed.zip", "md5:513f3c79a4c5141765e10e952eaa2478", 187490228),
            ("GTSRB_Final_Test_Images.zip", "md5:c7e4e6327067d32654124b0fe9e82185", 88978620),
            ("GTSRB_Final_Test_GT.zip", "md5:fe31e9c9270bbcd7b84b7f21a9d9d9e5", 99620),
        ),
        under="gtsrb",
        reader="torchvision.GTSRB",
        splits=("train", "test"),
        expected=39_270,
    ),
    Card(
        name="oxford-pet",
        title="Oxford-IIIT Pet",
        task="classification",
        classes=37,
        images="3,680 trainval, 3,669 test",
        about="Photographs of 37 breeds of cats and dogs, about 200 of each, with a mask of the animal.",
        licence="CC BY-SA 4.0",
        citation="Parkhi, Vedaldi, Zisserman and Jawahar 2012, Cats and Dogs, CVPR",
        home="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        files=_files(
            "https://www.robots.ox.ac.uk/~vgg/data/pets/data/",
            ("images.tar.gz", "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c", 791918971),
            ("annotations.tar.gz", "md5:95a8c909bbe2e81eed6a22bccdf3f68f", 19173078),
        ),
        under="oxford-iiit-pet",
        reader="torchvision.OxfordIIITPet",
        splits=("trainval", "test"),
        expected=7_349,
    ),
    Card(
        name="imagenet-1k",
        title="ImageNet, ILSVRC 2012",
        task="classification",
        classes=1000,
        images="1,281,167 train, 50,000 val, 100,000 test",
        about="What backbones are pretrained on. About 150 GB. All of ImageNet, called 22k, has 14,197,122 pictures in 21,841 classes.",
        licence="non-commercial research and education only; the pictures' rights stay with their owners",
        citation="Russakovsky et al. 2015, arXiv 1409.0575",
        home="https://www.image-net.org/download.php",
        manual="Make an account at image-net.org, accept the terms, and download the ILSVRC 2012 archives of training and validation.",
    ),
)

DETECTION = (
    Card(
        name="bccd",
        title="Blood Cell Count and Detection",
        task="detection",
        classes=3,
        images="205 train, 87 val, 72 test",
        about="Microscope images of 640x480 with 4,888 boxes around red cells, white cells and platelets. Two boxes have no area; "
        "many red cells at the border are not labelled.",
        licence="MIT",
        citation="Shenggan, BCCD Dataset",
        home="https://github.com/Shenggan/BCCD_Dataset",
        files=(RemoteFile("bccd.zip", (f"https://github.com/Shenggan/BCCD_Dataset/archive/{_BCCD}.zip",), None, 8_000_000),),
        reader="boxes",
        root=f"BCCD_Dataset-{_BCCD}/BCCD",
        content="sha256:6027732fee830421ee7f54a7998489e25de73d2f7ee2de153274f9710e83e823",
        splits=("train", "val", "trainval", "test"),
        expected=364,
    ),
    Card(
        name="penn-fudan",
        title="Penn-Fudan pedestrians",
        task="detection",
        classes=1,
        images="170, not split",
        about="Street and campus scenes with 345 labelled people who stand or walk upright; boxes and masks.",
        licence="none stated; made for research",
        citation="Wang, Shi, Song and Shen 2007, Object Detection Combining Recognition and Segmentation, ACCV",
        home="https://www.cis.upenn.edu/~jshi/ped_html/",
        files=_files("https://www.cis.upenn.edu/~jshi/ped_html/", ("PennFudanPed.zip", None, 53723336)),
        reader="read_penn_fudan",
        root="PennFudanPed",
        expected=170,
    ),
    Card(
        name="gtsdb",
        title="German Traffic Sign Detection Benchmark",
        task="detection",
        classes=43,
        images="600 train, 300 test",
        about="Road scenes of 1360x800 with signs 16 to 128 pixels wide: at 320 pixels most are smaller than 8, so cut them into "
        "tiles. Some pictures hold no sign.",
        licence="none stated in the archive; made for research",
        citation="Houben, Stallkamp, Salmen, Schlipsing and Igel 2013, IJCNN",
        home="https://benchmark.ini.rub.de/gtsdb_news.html",
        files=_files(_ERDA + "ff17dc924eba88d5d01a807357d6614c/", ("FullIJCNN2013.zip", None, 1_600_000_000)),
        reader="read_gtsdb",
        root="FullIJCNN2013",
        splits=("train", "test"),
        expected=900,
    ),
    Card(
        name="voc2007",
        title="Pascal VOC 2007",
        task="detection",
        classes=20,
        images="2,501 train, 2,510 val, 4,952 test",
        about="Photographs from Flickr with boxes of 20 everyday classes; boxes marked difficult do not count in its own evaluation.",
        licence="the pictures' rights stay with their owners, under Flickr's terms of use",
        citation="Everingham, Van Gool, Williams, Winn and Zisserman 2010, IJCV 88",
        home="http://host.robots.ox.ac.uk/pascal/VOC/voc2007/",
        files=_files(
            "https://thor.robots.ox.ac.uk/pascal/VOC/voc2007/",
            ("VOCtrainval_06-Nov-2007.tar", "md5:c52e279531787c972589f7e41ab4ae64", 460032000),
            ("VOCtest_06-Nov-2007.tar", "md5:b6e924de25625d8de591ea690078ad9f", 451020800),
        ),
        reader="boxes",
        root="VOCdevkit/VOC2007",
        splits=("train", "val", "trainval", "test"),
        expected=9_963,
    ),
    Card(
        name="coco-val",
        title="COCO 2017, validation",
        task="detection",
        classes=80,
        images="5,000 val",
        about="Everyday scenes with many small objects: 36,781 boxes, 446 of them around crowds. Detectors are compared on it. The "
        "training pictures (118,287, 19 GB) are not fetched.",
        licence="annotations CC BY 4.0; the pictures' rights stay with their owners, under Flickr's terms of use",
        citation="Lin et al. 2014, arXiv 1405.0312",
        home="https://cocodataset.org",
        files=(
            RemoteFile(
                "val2017.zip", ("http://images.cocodataset.org/zips/val2017.zip",), "md5:442b8da7639aecaf257c1dceb8ba8c80", 815585330
            ),
            RemoteFile(
                "annotations_trainval2017.zip",
                ("http://images.cocodataset.org/annotations/annotations_trainval2017.zip",),
                "md5:f4bbac642086de4f52a3fdda2de5fa2c",
                252907541,
            ),
        ),
        reader="boxes",
        root="annotations/instances_val2017.json",
        splits=("val2017",),
        expected=5_000,
    ),
    Card(
        name="face-mask",
        title="Face Mask Detection",
        task="detection",
        classes=3,
        images="853, not split",
        about="Faces with, without, and with a wrongly worn mask; only 123 faces, in 97 pictures, are of the last kind.",
        licence="CC0",
        citation="Larxel, Face Mask Detection, Kaggle 2020",
        home="https://www.kaggle.com/datasets/andrewmvd/face-mask-detection",
        reader="boxes",
        expected=853,
        manual="Log in at kaggle.com, open the page above, press Download, and keep the zip as it is.",
    ),
    Card(
        name="open-images",
        title="Open Images V7",
        task="detection",
        classes=600,
        images="1,743,042 train, 41,620 val, 125,436 test with boxes",
        about="Sixteen million boxes on photographs from Flickr, in a hierarchy of classes. A class that nobody looked for in a picture is "
        "not boxed there. About 560 GB.",
        licence="annotations CC BY 4.0; the pictures are listed as CC BY 2.0",
        citation="Kuznetsova et al. 2020, arXiv 1811.00982",
        home="https://storage.googleapis.com/openimages/web/index.html",
        manual="Choose classes with the downloader that its page names, and let it write COCO's or VOC's format.",
    ),
)

SEGMENTATION = (
    Card(
        name="cityscapes",
        title="Cityscapes",
        task="segmentation",
        classes=19,
        images="2,975 train, 500 val, 1,525 test",
        about="Street scenes of 50 cities at 2048x1024, each pixel labelled; 20,000 more with coarse labels. 11 GB of pictures.",
        licence="non-commercial research and teaching only; not to be passed on",
        citation="Cordts et al. 2016, arXiv 1604.01685",
        home="https://www.cityscapes-dataset.com",
        manual="Make an account with an address of your school, accept the terms, and download leftImg8bit and gtFine.",
    ),
)

CARDS = (*CLASSIFICATION, *DETECTION, *SEGMENTATION)
