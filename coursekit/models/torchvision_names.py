"""What torchvision calls a layer, and what we call it: so that its weights fit. Used by `pretrained`."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

PARTS = (  # (pattern, replacement), for a convolution and its normalisation that stand at places 0 and 1 of a Sequential
    (r"\.0\.(weight)$", r".conv.\1"),
    (r"\.1\.(\w+)$", r".norm.\1"),
)
RULES = {  # by our class; each rule is applied to what the rule before it made
    "AlexNet": (
        (r"^features\.", "backbone."),
        (r"^classifier\.1\.", "pool.3."),
        (r"^classifier\.4\.", "pool.6."),
        (r"^classifier\.6\.", "head."),
    ),
    "VGG": (
        (r"^features\.", "backbone."),
        (r"^classifier\.0\.", "pool.2."),
        (r"^classifier\.3\.", "pool.5."),
        (r"^classifier\.6\.", "head."),
    ),
    "GoogLeNet": (
        (r"^(conv|inception)", r"backbone.\1"),
        (r"\.bn\.", ".norm."),
        (r"^fc\.", "head."),
    ),
    "ResNet": (
        (r"^layer(\d)\.", r"backbone.stage\1."),
        (r"\.conv(\d)\.", r".body.conv\1.conv."),
        (r"\.bn(\d)\.", r".body.conv\1.norm."),
        (r"\.downsample\.0\.", ".shortcut.conv."),
        (r"\.downsample\.1\.", ".shortcut.norm."),
        (r"^conv1\.", "backbone.stem.conv."),
        (r"^bn1\.", "backbone.stem.norm."),
        (r"^fc\.", "head."),
    ),
    "DenseNet": (
        (r"^features\.(conv|norm)0\.", r"backbone.stem.\1."),
        (r"^features\.denseblock(\d)\.dense(layer\d+)\.(norm|conv)\.?(\d)\.", r"backbone.block\1.\2.\3\4."),  # "norm.1" in old files
        (r"^features\.transition", "backbone.transition"),
        (r"^features\.norm5\.", "backbone.norm."),
        (r"^classifier\.", "head."),
    ),
    "MobileNetV2": (
        (r"^classifier\.1\.", "head."),
        (r"^features\.1\.conv\.1\.weight$", "features.1.conv.1.0.weight"),  # the last 1x1 and its normalisation are in no Sequential,
        (r"^features\.1\.conv\.2\.", "features.1.conv.1.1."),  # and the first block has no widening 1x1 in front
        (r"\.conv\.2\.weight$", ".conv.2.0.weight"),
        (r"\.conv\.3\.", ".conv.2.1."),
        (r"\.conv\.", ".body."),
        (r"^features\.", "backbone."),
        *PARTS,
    ),
    "MobileNetV3": (
        (r"^classifier\.0\.", "pool.2."),
        (r"^classifier\.3\.", "head."),
        (r"\.block\.", ".body."),
        (r"\.fc1\.", ".squeeze."),
        (r"\.fc2\.", ".excite."),
        (r"^features\.", "backbone."),
        *PARTS,
    ),
    "ShuffleNetV2": (
        (r"^conv1\.", "backbone.stem."),
        (r"^conv5\.", "backbone.last."),
        (r"^fc\.", "head."),
        (r"^stage", "backbone.stage"),
        (r"\.branch1\.0\.", ".left.0.0."),
        (r"\.branch1\.1\.", ".left.0.1."),
        (r"\.branch1\.2\.", ".left.1.0."),
        (r"\.branch1\.3\.", ".left.1.1."),
        (r"\.branch2\.0\.", ".right.0.0."),
        (r"\.branch2\.1\.", ".right.0.1."),
        (r"\.branch2\.3\.", ".right.1.0."),
        (r"\.branch2\.4\.", ".right.1.1."),
        (r"\.branch2\.5\.", ".right.2.0."),
        (r"\.branch2\.6\.", ".right.2.1."),
        *PARTS,
    ),
}


def our_name(family: str, name: str) -> str:
    """What a weight of torchvision's is called in ours: ``our_name("ResNet", "layer1.0.bn1.bias")`` is
    ``"backbone.stage1.0.body.conv1.norm.bias"``.

    Args:
        family: name of our class, a key of `RULES`.
    """
    for pattern, replacement in RULES[family]:
        name = re.sub(pattern, replacement, name)
    return name


def load_torchvision(network: nn.Module, state: Mapping[str, Tensor], assign: bool = False) -> None:
    """Load a state_dict of torchvision's network of the same family and size. Its heads that only training uses (``aux``) are left out.

    Args:
        assign: take the tensors themselves, not copies; for a network that was built on the meta device.

    Raises:
        ValueError: if torchvision has no such family, or the weights are not of this network.
    """
    family = type(network).__name__
    if family not in RULES:
        raise ValueError(f"network must be one of {', '.join(RULES)}, got {family}")
    renamed = {our_name(family, name): value for name, value in state.items() if not name.startswith("aux")}
    try:
        network.load_state_dict(renamed, assign=assign)
    except RuntimeError as error:  # torch lists each name and shape that does not fit
        raise ValueError(f"state must hold the weights of this {family}: {_first_difference(str(error))}") from None


def _first_difference(message: str) -> str:
    lines = [line.strip() for line in message.splitlines()[1:]]
    return lines[0][:200] if lines else message
