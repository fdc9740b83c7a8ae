"""Non-maximum suppression: the readable form, the fast one and torchvision's, on the same boxes. Seconds, and whether they keep the same.

    python benchmarks/nms.py

N boxes in clusters, as a detector makes them before suppression: about ten around each object, 80 classes, IoU threshold 0.6. The three
take turns; medians. The readable form loops over boxes in Python, so it is left out above 3,000.
"""

import argparse
import time
from statistics import median

import torch
from common import machine, write_results
from torchvision.ops import batched_nms as torchvision_batched_nms

from coursekit.boxes import batched_nms, fast_batched_nms

READABLE_UP_TO, THRESHOLD = 3000, 0.6
FORMS = {"readable": batched_nms, "fast": fast_batched_nms, "torchvision": torchvision_batched_nms}


def clusters(number: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(N, 4) boxes ``xyxy`` in a 640 x 640 image, (N,) scores, (N,) labels."""
    objects = max(1, number // 10)
    centre = torch.rand(objects, 2, generator=generator) * 640
    size = 16 + 100 * torch.rand(objects, 2, generator=generator)
    which = torch.randint(objects, (number,), generator=generator)
    middle = centre[which] + 4 * torch.randn(number, 2, generator=generator)
    half = size[which] * (0.5 + 0.05 * torch.randn(number, 2, generator=generator)).clamp(min=0.1)
    labels = torch.randint(80, (objects,), generator=generator)[which]
    return torch.cat([middle - half, middle + half], dim=1), torch.rand(number, generator=generator), labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", type=int, nargs="+", default=[0, 100, 1000, 3000, 10_000, 30_000])
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    rows = []
    print(f"{'boxes':>8}{'kept':>8}" + "".join(f"{name + ' ms':>16}" for name in FORMS) + "   same boxes")
    for number in arguments.numbers:
        boxes, scores, labels = clusters(number, torch.Generator().manual_seed(number))
        forms = {name: form for name, form in FORMS.items() if name != "readable" or number <= READABLE_UP_TO}
        seconds, kept = {name: [] for name in forms}, {}
        for _ in range(arguments.repeat):
            for name, form in forms.items():
                begin = time.perf_counter()
                kept[name] = form(boxes, scores, labels, THRESHOLD)
                seconds[name].append(time.perf_counter() - begin)
        # as sets: of two boxes with one score torchvision's batched form may name either first
        same = all(torch.equal(kept[name].sort().values, kept["torchvision"].sort().values) for name in forms)
        milliseconds = {name: round(1e3 * median(times), 3) for name, times in seconds.items()}
        rows.append({"boxes": number, "kept": len(kept["torchvision"]), "same": same, "milliseconds": milliseconds})
        cells = "".join(f"{milliseconds[name]:>16.2f}" if name in milliseconds else f"{'-':>16}" for name in FORMS)
        print(f"{number:>8}{rows[-1]['kept']:>8}{cells}   {'yes' if same else 'NO'}")
    write_results("nms", {"rows": rows, "threshold": THRESHOLD, "machine": machine() | {"threads": torch.get_num_threads()}})


if __name__ == "__main__":
    main()
