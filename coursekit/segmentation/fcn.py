"""A fully convolutional network: a classifier at every place, enlarged to the picture's size. Taught in notebook 22_segmentation."""

from torch import Tensor, nn
from torch.nn import functional as F

from ..models.layers import ConvNormAct, Pixels


def upsample_add(coarse: Tensor, fine: Tensor) -> Tensor:
    """Enlarge the coarse map to the size of the fine one, and add.

    Args:
        coarse: (N, C, h, w).
        fine: (N, C, H, W), of any size, odd ones too.

    Returns:
        (N, C, H, W). Bilinear, with corners not aligned: pixels are little squares, not points.

    Raises:
        ValueError: if the two differ in N or C.

    Source: the skips of Long et al., arXiv 1411.4038, section 4.2; feature pyramids (Lin et al., arXiv 1612.03144) do the same.
    """
    if coarse.shape[:2] != fine.shape[:2]:
        raise ValueError(f"coarse and fine must have the same N and C, got {tuple(coarse.shape[:2])} and {tuple(fine.shape[:2])}")
    return F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False) + fine


class Encoder(nn.Module):
    """Pixels to features at strides 1, 2, 4, 8 and 16: resolution falls, channels grow. Fully connected layers there are none.

    Args:
        width: channels at stride 1; each halving doubles them, but for the last.

    Input is uint8 (N, 3, H, W); output a list of (N, width, H, W), (N, 2 * width, H / 2, W / 2), ... , finest first.
    """

    def __init__(self, width: int = 8):
        super().__init__()
        self.pixels = Pixels(0.45, 0.25)
        self.channels = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        levels, before = [ConvNormAct(3, width)], width
        for channels in self.channels[1:]:
            levels.append(nn.Sequential(ConvNormAct(before, channels, stride=2), ConvNormAct(channels, channels)))
            before = channels
        self.levels = nn.ModuleList(levels)

    def forward(self, images: Tensor) -> list[Tensor]:
        x, features = self.pixels(images), []
        for level in self.levels:
            x = level(x)
            features.append(x)
        return features


class FCN(nn.Module):
    """Class scores at stride 16, and as many finer maps as wanted added on the way up; then enlarged to every pixel.

    Args:
        num_classes: background counted.
        width: of the encoder.
        skips: 0: straight from stride 16 to pixels, as FCN-32s goes from 32. 1 .. 4: the maps of strides 8, 4, 2 and 1 get a say too.

    Input is uint8 (N, 3, H, W); output (N, num_classes, H, W) logits.

    Raises:
        ValueError: if skips is not 0 .. 4.

    Source: Long et al., arXiv 1411.4038.
    """

    def __init__(self, num_classes: int, width: int = 8, skips: int = 0):
        super().__init__()
        if not 0 <= skips <= 4:
            raise ValueError(f"skips must be 0 .. 4, got {skips}")
        self.encoder = Encoder(width)
        used = self.encoder.channels[::-1][: skips + 1]  # coarsest first
        self.score = nn.ModuleList(nn.Conv2d(channels, num_classes, kernel_size=1) for channels in used)

    def forward(self, images: Tensor) -> Tensor:
        features = self.encoder(images)[::-1]
        scores = self.score[0](features[0])  # (N, K, H / 16, W / 16): the classifier of notebook 14, at every place
        for score, finer in zip(self.score[1:], features[1:], strict=False):
            scores = upsample_add(scores, score(finer))
        return F.interpolate(scores, size=images.shape[2:], mode="bilinear", align_corners=False)
