"""The backbone that the course ships: it knows ten traffic signs. Used by notebook 12_transfer.

    python -m coursekit.models.signs_backbone      # trains (minutes on one core), writes data/backbone_signs.safetensors and its card

A ResNet-18 of a quarter of the width, trained on crops of ten of the sixteen sign classes. The other six, `TARGET_CLASSES`, it has never
seen: they are what notebook 12 lets it learn from a few images.
"""

import json
import time

import torch

from ..data.batch_augment import AugmentBatch
from ..data.labelled import Labelled, from_samples
from ..data.signs import SIGN_CLASSES, SignCrops
from ..files import write_atomically
from ..resources import PACKAGE, resource
from ..training.classifier import batches, evaluate, fit_classifier
from .layers import Pixels
from .resnet import ResNet

NAME, SIZE = "backbone_signs", 48
TARGET_CLASSES = ("stop", "speed_80", "priority_road", "children", "keep_right", "crossing")
SOURCE_CLASSES = tuple(name for name in SIGN_CLASSES if name not in TARGET_CLASSES)
SEEDS = {"train": 400, "test": 401}
SETTINGS = {"crops": 5000, "epochs": 24, "batch": 64, "lr": 4e-3, "seed": 0}
AMOUNTS = {"degrees": 8, "translate": 0.1, "scale": 1.2, "brightness": 0.3, "contrast": 0.3, "cutout": 0.2}


def signs_network(num_classes: int = len(SOURCE_CLASSES), width: float = 0.25) -> ResNet:
    """A ResNet-18 with random weights for uint8 pictures of signs, (N, 3, 48, 48); it has 128 features at a quarter of the width.

    Args:
        num_classes: of the head.
        width: factor on its channels.
    """
    network = ResNet(num_classes, depth=18, width=width)
    network.pixels = Pixels(0.45, 0.25)
    return network


def source_crops(split: str, length: int) -> Labelled:
    """Crops of the ten classes, 48x48, as the backbone was trained and measured on."""
    return from_samples(SignCrops(length, seed=SEEDS[split], size=SIZE, difficulty="hard", classes=SOURCE_CLASSES))


def target_crops(split: str, length: int) -> Labelled:
    """Crops of the six classes that it has never seen, 48x48; ``train`` and ``test`` from other seeds than those of the source."""
    return from_samples(SignCrops(length, seed=SEEDS[split] + 10, size=SIZE, difficulty="hard", classes=TARGET_CLASSES))


def load_backbone() -> ResNet:
    """The shipped network, in eval mode, with the head for the ten classes that it knows."""
    from safetensors.torch import load_file

    weights = load_file(resource(f"{NAME}.safetensors"))
    network = signs_network()
    network.load_state_dict({name: value.float() if value.is_floating_point() else value for name, value in weights.items()})
    return network.eval()


def export(network: ResNet, facts: dict) -> None:
    """Weights as float16 into ``data/``, what was measured as the file's metadata, and the card beside it."""
    from safetensors.torch import save_file

    weights = {name: (v.half() if v.is_floating_point() else v).contiguous() for name, v in network.state_dict().items()}
    path = PACKAGE.parent / "data" / f"{NAME}.safetensors"
    write_atomically(path, lambda temporary: save_file(weights, temporary, metadata={"training": json.dumps(facts)}))
    path.chmod(0o644)  # safetensors makes files that only their owner may read
    path.with_suffix(".md").write_text(card(facts), encoding="utf-8")


def card(facts: dict) -> str:
    """The text beside the weights, Markdown."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"""# {NAME}: a network that knows ten traffic signs

A ResNet-18 with a quarter of the channels, float16, trained from random weights on crops that `coursekit.data.signs` draws. It knows
{", ".join(SOURCE_CLASSES)}. It has never seen {", ".join(TARGET_CLASSES)}: these are for notebook 12.
It knows drawn signs over photographs and textures; it was not made for real roads.
Made by `python -m coursekit.models.signs_backbone`. Licence: MIT, as the code.

On {facts["test crops"]} held-out crops of the ten classes: accuracy **{facts["accuracy"]:.3f}**.

| setting | value |
|---|---|
{rows}
"""


def main() -> None:
    torch.set_num_threads(1)  # more would only change the rounding
    torch.manual_seed(SETTINGS["seed"])
    begin, network = time.perf_counter(), signs_network()
    train, test = source_crops("train", SETTINGS["crops"]), source_crops("test", 1000)
    fit_classifier(
        network,
        train,
        test,
        epochs=SETTINGS["epochs"],
        lr=SETTINGS["lr"],
        batch=SETTINGS["batch"],
        augment=AugmentBatch(torch.Generator().manual_seed(SETTINGS["seed"]), **AMOUNTS),
        seed=SETTINGS["seed"],
        told=lambda row: print({name: round(value, 4) for name, value in row.items()}, flush=True),
    )
    network.half().float()  # what is measured is what is written
    accuracy = evaluate(network, batches(test, 256))["accuracy"]
    facts = {
        "accuracy": round(accuracy, 4),
        "test crops": len(test),
        "size": SIZE,
        "difficulty": "hard",
        "seeds of the crops": SEEDS,
        **SETTINGS,
    }
    facts |= {"augmentation": AMOUNTS, "parameters": sum(p.numel() for p in network.parameters())}
    facts |= {"torch": torch.__version__, "seconds": round(time.perf_counter() - begin)}
    export(network, facts)
    print(facts)


if __name__ == "__main__":
    main()
