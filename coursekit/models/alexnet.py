"""AlexNet: what a network of 1998 becomes with 1.2 million images and two GPUs. Taught in notebook 09_architectures."""

from torch import nn

from .layers import Classifier, check_network, initialise_for_relu, make_divisible


class AlexNet(Classifier):
    """Five convolutions, three fully connected layers. ReLU and dropout were known before; this made them popular.

    Args:
        num_classes: at least 1.
        width: factor for all channels.
        two_gpus: the network of 2012, 60,965,224 parameters. It is wider (96, 256, 384, 384, 256 filters), and its second, fourth and
            fifth convolution see half of the channels, because the other half lay on the other GPU. Its local response normalisation,
            which has no parameters and found no followers, is left out. False is the variant for one GPU that torchvision has weights
            for, after Krizhevsky's later note: 61,100,840 parameters.
        dropout: before each of the first two fully connected layers.
        small_images: for images of about 32 pixels: the first convolution is 3x3 with stride 1 instead of 11x11 with stride 4, and
            the fully connected layers see 3x3 places instead of 6x6.

    Images must be at least 63 pixels high and wide, small ones 15.

    Raises:
        ValueError: for no classes or no width.

    Source: Krizhevsky, Sutskever & Hinton, NeurIPS 2012, section 3.5 and Fig. 2; Krizhevsky, arXiv 1404.5997 (one weird trick).
    """

    def __init__(
        self, num_classes: int = 1000, width: float = 1.0, two_gpus: bool = False, dropout: float = 0.5, small_images: bool = False
    ):
        check_network(num_classes, width)
        filters, groups = ((96, 256, 384, 384, 256), 2) if two_gpus else ((64, 192, 384, 256, 256), 1)
        c1, c2, c3, c4, c5 = (make_divisible(channels * width) for channels in filters)
        hidden = make_divisible(4096 * width)
        first = nn.Conv2d(3, c1, 3, padding=1) if small_images else nn.Conv2d(3, c1, 11, stride=4, padding=2)
        backbone = nn.Sequential(  # shapes for 224 pixels
            *(first, nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2)),  # (N, c1, 27, 27)
            *(nn.Conv2d(c1, c2, 5, padding=2, groups=groups), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2)),  # (N, c2, 13, 13)
            *(nn.Conv2d(c2, c3, 3, padding=1), nn.ReLU(inplace=True)),  # both GPUs' channels meet here
            *(nn.Conv2d(c3, c4, 3, padding=1, groups=groups), nn.ReLU(inplace=True)),
            *(nn.Conv2d(c4, c5, 3, padding=1, groups=groups), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2)),  # (N, c5, 6, 6)
        )
        side = 3 if small_images else 6
        pool = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(side), nn.Flatten()),  # (N, c5 * side * side): the average only acts on other image sizes
            *(nn.Dropout(dropout), nn.Linear(c5 * side * side, hidden), nn.ReLU(inplace=True)),
            *(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU(inplace=True)),
        )
        super().__init__(backbone, hidden, num_classes, pool, smallest=15 if small_images else 63)
        initialise_for_relu(self)
