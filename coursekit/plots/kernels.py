"""A kernel to edit, nine numbers, with what it makes of a photograph beside it. Taught in notebook 07_convolution."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from coursekit.models.convolution import KERNELS, conv2d, named_kernel
from coursekit.plots.images import set_alt
from coursekit.plots.live import Live, png

SHOWN = ("blur", "sharpen", "sobel_x", "sobel_y", "outline")  # beside the photograph where nothing can be edited


@dataclass(frozen=True)
class Response:
    """What a kernel makes of an image.

    Args:
        values: (H - 2, W - 2) float, where black is 0 and white is 1; a kernel may give less or more.
        total: sum of its nine numbers: 1 keeps the brightness, 0 answers nothing to an even surface.
    """

    values: Tensor
    total: float

    @property
    def grey(self) -> Tensor:
        """(H - 2, W - 2) uint8: below 0 is black and above 1 is white."""
        return (self.values.clamp(0, 1) * 255).round().to(torch.uint8)

    def __str__(self):
        below, above = ((self.values < 0).float().mean().item(), (self.values > 1).float().mean().item())
        even = "an even surface stays as it is" if abs(self.total - 1) < 1e-3 else "an even surface turns black"
        even = even if abs(self.total) < 1e-3 or abs(self.total - 1) < 1e-3 else f"an even surface gets {self.total:.3g} times as bright"
        return (
            f"values from {self.values.min():.2f} to {self.values.max():.2f}; shown black because below 0: {below:.0%}, "
            f"white because above 1: {above:.0%}; the numbers add up to {self.total:.3g}: {even}"
        )


def respond(image: Tensor, kernel: Tensor) -> Response:
    """Slide a kernel over a grey image, without padding.

    Args:
        image: (H, W) uint8, at least 3 pixels high and wide.
        kernel: (3, 3) numbers.

    Raises:
        ValueError: if either has another shape.
    """
    kernel = torch.as_tensor(kernel, dtype=torch.float32)
    if kernel.shape != (3, 3):
        raise ValueError(f"kernel must have shape (3, 3), got {tuple(kernel.shape)}")
    if image.ndim != 2 or min(image.shape) < 3:
        raise ValueError(f"image must have shape (H, W) with H and W at least 3, got {tuple(image.shape)}")
    scaled = image.float() / 255 if image.dtype == torch.uint8 else image.float()
    return Response(conv2d(scaled[None, None], kernel[None, None])[0, 0], kernel.sum().item())


def draw_kernel(ax, kernel: Tensor, title: str = "", numbers: bool = True) -> None:
    """A kernel as a little picture, dark below 0 and bright above, with its numbers."""
    values = kernel.detach().cpu().float()
    reach = max(values.abs().max().item(), 1e-9)
    ax.imshow(values.numpy(), cmap="gray", vmin=-reach, vmax=reach)
    if numbers:
        for y, x in np.ndindex(*values.shape):
            colour = "black" if values[y, x] > -0.1 * reach else "white"
            ax.text(x, y, f"{round(values[y, x].item(), 2) + 0:g}", ha="center", va="center", fontsize=8, color=colour)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=9)


def show_kernels(kernels: Tensor | Mapping[str, Tensor], title: str, columns: int = 8, numbers: bool = True, size: float = 1.4) -> Figure:
    """Kernels side by side, each scaled by its own largest number: grey is 0, white looks for bright, black for dark.

    Args:
        kernels: (O, h, w), or name -> (h, w).
        numbers: write them in.
    """
    named = dict(kernels) if isinstance(kernels, Mapping) else {f"kernel {i}": k for i, k in enumerate(kernels)}
    columns = min(columns, len(named))
    rows = -(-len(named) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, (size + 0.3) * rows + 0.4), layout="constrained", squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (name, kernel) in zip(axes.flat, named.items(), strict=False):
        ax.set_axis_on()
        draw_kernel(ax, kernel, name, numbers)
    figure.suptitle(title)
    words = "; ".join(f"{name} {[[round(v, 2) for v in row] for row in k.tolist()]}" for name, k in named.items()) if numbers else ""
    return set_alt(figure, f"{title}: {len(named)} kernels. {words}".strip())


def show_responses(image: Tensor, names=SHOWN, title: str = "White where it fires") -> Figure:
    """A photograph and what some named kernels make of it, each kernel below its picture.

    Args:
        image: (H, W) uint8.
        names: of ``KERNELS``.
    """
    figure, axes = plt.subplots(
        2, len(names) + 1, figsize=(2.05 * (len(names) + 1), 3.6), height_ratios=(2, 1), layout="constrained", squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    axes[0, 0].imshow(image.numpy(), cmap="gray", vmin=0, vmax=255)
    axes[0, 0].set_title("the photograph", fontsize=9)
    words = []
    for column, name in enumerate(names, start=1):
        response = respond(image, named_kernel(name))
        axes[0, column].imshow(response.grey.numpy(), cmap="gray", vmin=0, vmax=255)
        axes[0, column].set_title(name, fontsize=9)
        axes[1, column].set_axis_on()
        draw_kernel(axes[1, column], named_kernel(name))
        words.append(f"{name}: {response}")
    figure.suptitle(title)
    return set_alt(figure, f"{title}. {'. '.join(words)}.")


def _written(name: str) -> list[float]:
    """The nine numbers of a named kernel as they fit into nine small fields: a ninth is 0.1111 there."""
    return [round(value, 4) for value in named_kernel(name).flatten().tolist()]


def render(image: Tensor, kernel: Tensor) -> tuple[bytes, str]:
    """The photograph and the result as PNG, and the same in words."""
    response = respond(image, kernel)
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
    for ax, picture, title in zip(axes, (image, response.grey), ("the photograph", "what the kernel makes of it"), strict=True):
        ax.imshow(picture.numpy(), cmap="gray", vmin=0, vmax=255)
        ax.set_title(title)
        ax.set_axis_off()
    return png(figure), str(response)


def kernel_editor(image: Tensor, start: str = "sobel_x") -> Live:
    """Nine numbers to change, and named kernels to begin with; a picture of the named ones where nothing can be edited.

    Args:
        image: (H, W) uint8.
        start: one of ``KERNELS``.

    Raises:
        ValueError: for another name or shape.
    """
    first = respond(image, named_kernel(start))

    def make_widget():
        import ipywidgets

        names = ipywidgets.Dropdown(options=list(KERNELS), value=start, description="begin with")
        cells = [ipywidgets.BoundedFloatText(value, min=-20, max=20, step=1, layout={"width": "72px"}) for value in _written(start)]
        picture, words = render(image, named_kernel(start))
        shown = ipywidgets.Image(value=picture, format="png", layout={"width": "700px"})
        line = ipywidgets.HTML(words)
        filling = []  # not empty while a named kernel is written into the nine cells: draw once, not nine times

        def draw(_=None):
            if not filling:
                shown.value, line.value = render(image, torch.tensor([cell.value for cell in cells]).reshape(3, 3))

        def fill(change):
            filling.append(True)
            for cell, value in zip(cells, _written(change["new"]), strict=True):
                cell.value = value
            filling.clear()
            draw()

        for cell in cells:
            cell.observe(draw, names="value")
        names.observe(fill, names="value")
        grid = ipywidgets.GridBox(cells, layout={"grid_template_columns": "repeat(3, 80px)"})
        return ipywidgets.VBox([names, grid, line, shown])

    return Live(make_widget, show_responses(image), f"The kernel {start} on a photograph: {first}")
