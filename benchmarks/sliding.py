"""How much faster one dense pass is than crops in batches, by stride and size of the picture; the same numbers, checked in the same run.

    python benchmarks/sliding.py

The network is that of notebook 14_sliding_window: windows of 40, two unpadded convolutions, own stride 4, so (40 / 4)^2 = 100 is the bound.
Crops are cut by an indexed view, in the best of three batch sizes. Crops and dense pass take turns; medians. At strides that are
multiples of 4 the dense pass is the same, and every second, fourth or eighth cell is taken. Weights are random: they cost the same.
"""

import argparse
import time
from statistics import median

import torch
from common import machine, write_results

from coursekit.sliding.dense import STRIDE, WINDOW, WindowNet, convolutional
from coursekit.sliding.windows import crops, grid, windows

BATCHES = (16, 64, 256)


def by_crops(model, picture: torch.Tensor, stride: int, batch: int) -> torch.Tensor:
    """(classes, rows, columns) logits."""
    size = picture.shape[1:]
    logits = torch.cat([model(part) for part in crops(picture, windows(size, WINDOW, stride), batch)])
    return logits.T.reshape(-1, *grid(size, WINDOW, stride))


def seconds_of(work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


@torch.no_grad()
def measure(model, dense, side: int, stride: int, repeat: int) -> dict:
    """One row: milliseconds of both, how many times faster, and how far their numbers are apart."""
    picture = torch.randint(0, 256, (3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(side))
    step = stride // STRIDE
    once = lambda: dense(picture[None])[0, :, ::step, ::step]  # noqa: E731
    batch = min(BATCHES, key=lambda size: seconds_of(lambda: by_crops(model, picture, stride, size)))
    apart = (once() - by_crops(model, picture, stride, batch)).abs().max().item()
    taken = {"crops": [], "dense": []}
    for _ in range(repeat):
        taken["crops"].append(seconds_of(lambda: by_crops(model, picture, stride, batch)))
        taken["dense"] += [seconds_of(once) for _ in range(3)]
    milliseconds = {name: round(1e3 * median(times), 3) for name, times in taken.items()}
    return {
        "side": side,
        "stride": stride,
        "windows": len(windows((side, side), WINDOW, stride)),
        "batch": batch,
        "milliseconds": milliseconds,
        "times": round(milliseconds["crops"] / milliseconds["dense"], 1),
        "apart": apart,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--strides", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model = WindowNet().eval()
    dense, rows = convolutional(model), []
    print(f"{'side':>6}{'stride':>8}{'windows':>9}{'batch':>7}{'crops ms':>11}{'dense ms':>10}{'times':>8}   apart")
    for side in arguments.sides:
        for stride in arguments.strides:
            row = measure(model, dense, side, stride, arguments.repeat)
            rows.append(row)
            took = row["milliseconds"]
            print(
                f"{side:>6}{stride:>8}{row['windows']:>9}{row['batch']:>7}{took['crops']:>11.1f}{took['dense']:>10.1f}"
                f"{row['times']:>8.1f}   {row['apart']:.1e}"
            )
    content = {"rows": rows, "window": WINDOW, "own_stride": STRIDE, "machine": machine() | {"threads": torch.get_num_threads()}}
    write_results("sliding", content)


if __name__ == "__main__":
    main()
