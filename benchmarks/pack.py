"""What notebooks 16, 18, 19 and 23 show of the benchmarks, taken from benchmarks/results/ into data/measured.json, which the wheel holds.

    python benchmarks/pack.py

Run it after `bccd.py`, `train.py bccd`, `ablations.py`, `detectors.py` and `serving.py`, and commit the change. A test holds the two equal.
"""

import json
from pathlib import Path

from coursekit.files import write_json

RESULTS = Path(__file__).parent / "results"
PACKED = Path(__file__).parent.parent / "data" / "measured.json"
PARTS = ("all of it", "no average", "slow average", "no mosaic", "small start", "by centre")
MAPS = ("all of it", "fine map starts small", "by centre, 4 strides", "task on one map, 4 strides")


def of_ablations(rows: list[dict], on: str, variants: tuple[str, ...], decay: float) -> dict:
    """AP of each seed for each variant that was measured, and how many objects each map answered for (strides 8, 16, 32, none)."""
    mine = [row for row in rows if (row["on"], row["decay"]) == (on, decay)]
    ap, answers = {}, {}
    for variant in variants:
        of_it = [row for row in mine if row["variant"] == variant]
        if of_it:
            ap[variant] = [row["AP"] for row in of_it]
            answers[variant] = [
                sum(numbers) for numbers in zip(*(counts for row in of_it for counts in row["answers"].values()), strict=True)
            ]
    return {"epochs": mine[0]["epochs"] if mine else 0, "AP": ap, "answers": answers}


def of_blood_cells(rows: list[dict]) -> dict:
    """AP and AP50 of each seed."""
    return {name: [row[name] for row in rows] for name in ("seed", "AP", "AP50")}


def of_minutes(content: dict) -> dict:
    """AP within some minutes of training: ours beside two popular detectors, with the intervals over test pictures."""
    kept = ("who", "minutes", "seed", "AP", "AP50", "AP interval", "AP50 interval", "seconds", "epochs", "parameters")
    rows = [{name: row[name] for name in kept} for row in content["rows"]]
    rows.sort(key=lambda row: (row["who"], row["minutes"], row["seed"]))
    version = next((row["ultralytics"] for row in content["rows"] if "ultralytics" in row), None)
    return {"imgsz": content["imgsz"], "ultralytics": version, "cores": content["machine"]["cores"], "rows": rows}


def of_detectors(content: dict) -> dict:
    """For each detector of part 2: AP, AP50, AP75, milliseconds of one picture and seconds of training, one number for each seed."""
    names = dict.fromkeys(row["detector"] for row in content["rows"])
    columns = ("AP", "AP50", "AP75", "milliseconds", "seconds")
    return {name: {column: [row[column] for row in content["rows"] if row["detector"] == name] for column in columns} for name in names}


def of_serving(content: dict) -> dict:
    """The detector served in several ways: milliseconds for one client and for eight, pictures a second for eight, peak MB, AP.

    Ways that could not be measured are left out.
    """
    rows = []
    for row in content["rows"]:
        if "skipped" not in row:
            one, eight = ({int(key): value for key, value in row["clients"].items()}[many] for many in (1, 8))
            times = {"p50": one["p50_ms"], "p99": one["p99_ms"], "p50 of 8": eight["p50_ms"], "p99 of 8": eight["p99_ms"]}
            memory = round(row["peak_bytes"] / 1e6) if row["peak_bytes"] else None
            rows.append({"way": row["name"], **times, "pictures/s": eight["pictures_per_second"], "MB": memory, "AP": row["AP"]})
    return {"threads": content["settings"]["threads"], "rows": rows}


def packed() -> dict:
    """All that goes into the file."""
    rows = json.loads((RESULTS / "ablations.json").read_text())["rows"]
    return {
        "minutes": of_minutes(json.loads((RESULTS / "train_bccd.json").read_text())),
        "blood cells": of_blood_cells(json.loads((RESULTS / "bccd.json").read_text())["rows"]),
        "ablations": {"scenes": of_ablations(rows, "scenes", PARTS, 0.98), "blood cells": of_ablations(rows, "bccd", PARTS, 0.999)},
        "detectors": of_detectors(json.loads((RESULTS / "detectors.json").read_text())),
        "maps": of_ablations(rows, "scenes", MAPS, 0.999),  # all of these with the slow average
        "serving": of_serving(json.loads((RESULTS / "serving.json").read_text())),
    }


if __name__ == "__main__":
    write_json(PACKED, packed())
