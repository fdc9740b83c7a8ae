"""Convolution and pooling: as loops that can be read, then as one matrix product; what they see. Taught in notebook 07_convolution.

>>> output_size(32, kernel=5)
28
>>> conv2d(torch.zeros(1, 3, 32, 32), torch.zeros(6, 3, 5, 5)).shape
torch.Size([1, 6, 28, 28])

What networks call convolution is cross-correlation: the kernel is not flipped. All of it here follows torch in that.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn.functional import pad

# Kernels of 3x3 that people drew by hand, long before networks learned theirs. Sobel's two are from a talk in 1968 (Sobel and Feldman).
KERNELS = {
    "identity": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "blur": ((1 / 9, 1 / 9, 1 / 9),) * 3,
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "sobel_x": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "sobel_y": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "outline": ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)),
    "emboss": ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
}


def named_kernel(name: str) -> Tensor:
    """(3, 3) float32: one of ``KERNELS``.

    Raises:
        ValueError: naming those that there are.
    """
    if name not in KERNELS:
        raise ValueError(f"name must be one of {', '.join(KERNELS)}, got {name!r}")
    return torch.tensor(KERNELS[name], dtype=torch.float32)


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many places a window has along one axis; 0 where it fits nowhere.

    Args:
        size: pixels of the input along this axis, 0 or more.
        kernel: taps of the window, 1 or more.
        stride: pixels from one place to the next, 1 or more.
        padding: pixels added at *each* end, 0 or more.
        dilation: pixels from one tap to the next, 1 or more: a kernel of 3 with dilation 2 reaches over 5 pixels.

    Raises:
        ValueError: naming the argument that is too small.
    """
    for name, value, least in (("size", size, 0), ("kernel", kernel, 1), ("stride", stride, 1), ("padding", padding, 0)):
        _at_least(name, value, least)
    _at_least("dilation", dilation, 1)
    reach = dilation * (kernel - 1) + 1
    return max(0, (size + 2 * padding - reach) // stride + 1)


def conv1d(signal: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Slide a kernel along a signal: at each place multiply, then add.

    Args:
        signal: (L,) floats.
        kernel: (K,) floats, no longer than the padded signal.
        stride: steps from one place to the next.
        padding: zeros at each end.

    Returns:
        (``output_size(L, K, stride, padding)``,).

    Raises:
        ValueError: if an argument has another shape, or the kernel fits nowhere.
    """
    for name, tensor in (("signal", signal), ("kernel", kernel)):
        if tensor.ndim != 1:
            raise ValueError(f"{name} must have shape (N,), got {tuple(tensor.shape)}")
    count = _places(signal.shape, kernel.shape, stride, padding)[0]
    padded = pad(signal, (padding, padding))
    return torch.stack([(padded[i * stride : i * stride + len(kernel)] * kernel).sum() for i in range(count)])


def conv2d_loops(image: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
    """Slide one kernel over one channel, one window after another: the definition, and slow.

    Args:
        image: (H, W) floats.
        kernel: (h, w) floats.
        stride: pixels from one window to the next, in both directions.
        padding: rows and columns of zeros added on each of the four sides.
        dilation: pixels from one tap of the kernel to the next.

    Returns:
        (rows, columns), by `output_size` of each axis.

    Raises:
        ValueError: if an argument is not of two dimensions, or the kernel fits nowhere.
    """
    for name, tensor in (("image", image), ("kernel", kernel)):
        if tensor.ndim != 2:
            raise ValueError(f"{name} must have shape (H, W), got {tuple(tensor.shape)}")
    rows, columns = _places(image.shape, kernel.shape, stride, padding, dilation)
    tall, wide = (dilation * (taps - 1) + 1 for taps in kernel.shape)
    padded = pad(image, (padding,) * 4)
    result = image.new_zeros(rows, columns)
    for y in range(rows):
        for x in range(columns):
            top, left = y * stride, x * stride
            window = padded[top : top + tall : dilation, left : left + wide : dilation]  # (h, w)
            result[y, x] = (window * kernel).sum()
    return result


def conv2d_by_planes(
    images: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
) -> Tensor:
    """`conv2d` as it is defined: each output channel is the sum of `conv2d_loops` over the channels it sees, plus its bias. Slow.

    Arguments, result and errors are those of `conv2d`.
    """
    rows, columns = _check_conv2d(images, weight, bias, stride, padding, dilation, groups)
    seen, per_group = weight.shape[1], len(weight) // groups
    result = images.new_zeros(len(images), len(weight), rows, columns)
    for n, image in enumerate(images):
        for o, kernels in enumerate(weight):  # kernels: (C / groups, h, w), a plane for each channel that it sees
            first = o // per_group * seen
            planes = [conv2d_loops(image[first + c], kernels[c], stride, padding, dilation) for c in range(seen)]
            result[n, o] = sum(planes) + (0 if bias is None else bias[o])
    return result


def conv2d(
    images: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
) -> Tensor:
    """Slide O kernels over a batch, all windows at once: every window becomes a row (im2col), every kernel a column; one product does it.

    Args:
        images: (N, C, H, W) floats.
        weight: (O, C / groups, h, w): O kernels, each as deep as the channels it sees.
        bias: (O,), added to every place of its channel; None for none.
        stride, padding, dilation: in pixels, for both directions; the padding is zeros.
        groups: cut the channels into so many parts, and let each kernel see one; C and O must be multiples of it.

    Returns:
        (N, O, rows, columns).

    Raises:
        ValueError: if shapes do not fit together, or the kernel fits nowhere.

    Source: im2col is from Chellapilla, Puri and Simard 2006, High performance convolutional neural networks for document processing.
    """
    _check_conv2d(images, weight, bias, stride, padding, dilation, groups)
    padded = pad(images, (padding,) * 4)
    parts = zip(padded.chunk(groups, dim=1), weight.chunk(groups, dim=0), strict=True)
    result = torch.cat([_by_product(part, kernels, stride, dilation) for part, kernels in parts], dim=1)
    return result if bias is None else result + bias[:, None, None]


def _by_product(images: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """(N, C, H, W) and (O, C, h, w) -> (N, O, rows, columns)."""
    seen = windows(images, weight.shape[2:], stride, dilation)  # (N, C, rows, columns, h, w), a view
    count, _, rows, columns = seen.shape[:4]
    kernels = weight.flatten(1).T  # (C * h * w, O): a kernel a column
    table = seen.permute(0, 2, 3, 1, 4, 5).reshape(count, rows * columns, len(kernels))  # (N, rows * columns, C * h * w): a window a row
    product = table @ kernels  # (N, rows * columns, O)
    return product.transpose(1, 2).reshape(count, len(weight), rows, columns)


def windows(images: Tensor, kernel: tuple[int, int], stride: int = 1, dilation: int = 1) -> Tensor:
    """Every window of a batch, as a view: nothing is copied.

    Args:
        images: (N, C, H, W).
        kernel: height and width in taps.

    Returns:
        (N, C, rows, columns, h, w).
    """
    tall, wide = (dilation * (taps - 1) + 1 for taps in kernel)
    return images.unfold(2, tall, stride).unfold(3, wide, stride)[..., ::dilation, ::dilation]


def max_pool2d(images: Tensor, kernel: int, stride: int | None = None) -> Tensor:
    """The largest number of each window, in each channel for itself.

    Args:
        images: (N, C, H, W) floats.
        kernel: side of the square window.
        stride: pixels from one window to the next; None takes the kernel, so that windows stand side by side.

    Returns:
        (N, C, rows, columns); pixels that fill no whole window are left out.

    Raises:
        ValueError: if images has another shape, or the window fits nowhere.

    Where several numbers of a window are equally large, they share the gradient; torch gives all of it to the first.
    """
    return _pool_windows(images, kernel, stride).amax(dim=(4, 5))


def avg_pool2d(images: Tensor, kernel: int, stride: int | None = None) -> Tensor:
    """The mean of each window; otherwise as `max_pool2d`."""
    return _pool_windows(images, kernel, stride).mean(dim=(4, 5))


def _pool_windows(images: Tensor, kernel: int, stride: int | None) -> Tensor:
    if images.ndim != 4:
        raise ValueError(f"images must have shape (N, C, H, W), got {tuple(images.shape)}")
    stride = kernel if stride is None else stride
    _places(images.shape[2:], (kernel, kernel), stride, 0)
    return windows(images, (kernel, kernel), stride)


def receptive_field(layers: Iterable[tuple[int, ...]]) -> int:
    """How many pixels along one axis one number behind these layers depends on. Padding does not change it.

    Args:
        layers: from the image on, (kernel, stride) or (kernel, stride, dilation) of each convolution or pooling.

    Raises:
        ValueError: for a layer of other length, or with a number below 1.
    """
    field, jump = 1, 1  # jump: pixels of the image between neighbours of the map so far
    for layer in layers:
        if len(layer) not in (2, 3) or min(layer) < 1:
            raise ValueError(f"layers must hold (kernel, stride) or (kernel, stride, dilation), each at least 1, got {tuple(layer)}")
        kernel, stride, dilation = (*layer, 1)[:3]
        field += dilation * (kernel - 1) * jump
        jump *= stride
    return field


def input_gradient(network: Callable[[Tensor], Tensor], images: Tensor, row: int, column: int) -> Tensor:
    """How much each pixel moves one place of a network's map: the receptive field, measured.

    Args:
        network: gives (N, C, rows, columns) for images.
        images: (N, C, H, W) floats; several, because maximum and ReLU let only some pixels of one image through.
        row, column: the place in the map; all its channels are added up.

    Returns:
        (H, W): absolute gradient, added over images and channels; 0 where the place does not look.
    """
    images = images.detach().clone().requires_grad_()
    seen = network(images)[:, :, row, column].sum()
    return torch.autograd.grad(seen, images)[0].abs().sum(dim=(0, 1))


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _places(shape, kernel, stride: int, padding: int, dilation: int = 1) -> list[int]:
    """`output_size` of each axis; at least 1, or there is nothing to compute."""
    places = [output_size(size, taps, stride, padding, dilation) for size, taps in zip(shape, kernel, strict=True)]
    if min(places) < 1:
        raise ValueError(f"kernel of {tuple(kernel)} fits nowhere in {tuple(shape)} with padding {padding} and dilation {dilation}")
    return places


def _check_conv2d(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int, groups: int) -> list[int]:
    """Rows and columns of the result."""
    for name, tensor, wanted in (("images", images, "(N, C, H, W)"), ("weight", weight, "(O, C / groups, h, w)")):
        if tensor.ndim != 4:
            raise ValueError(f"{name} must have shape {wanted}, got {tuple(tensor.shape)}")
    _at_least("groups", groups, 1)
    if len(weight) % groups or weight.shape[1] * groups != images.shape[1]:
        raise ValueError(
            f"weight must have shape (O, C / groups, h, w) with C = {images.shape[1]}, groups = {groups} and O a multiple of groups, "
            f"got {tuple(weight.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape ({len(weight)},), got {tuple(bias.shape)}")
    return _places(images.shape[2:], weight.shape[2:], stride, padding, dilation)
