"""Exercise of notebook 12_transfer on learning rates: parameter_groups."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n12_transfer import Small, drawn
from coursekit.training import transfer

# --- parameter_groups


def drive_parameter_groups(answer, weight, head, lr, factor, frozen):
    """The groups by name, and where the weights are after a step of SGD with them."""
    model = Small(weight, head)
    for name, parameter in model.named_parameters():
        if any(name.startswith(part) for part in frozen):
            parameter.requires_grad_(False)
    groups = answer(model, lr, factor)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    listed = [{"lr": group["lr"], "params": list(group["params"])} for group in groups]
    optimizer = torch.optim.SGD(listed)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    rates = {names[id(p)]: float(group["lr"]) for group in listed for p in group["params"]}
    return {
        "rate of each parameter": dict(sorted(rates.items())),
        "a group is empty": any(not group["params"] for group in listed),
        "after a step": dict(model.state_dict()),
    }


def parameter_groups_cases(generator):
    """(label, arguments) for parameter_groups: nothing frozen, a part frozen, all of the backbone frozen, other factors."""
    for label, lr, factor, frozen in (
        ("nothing frozen", 0.1, 0.1, ()),
        ("the first layer frozen", 0.1, 0.5, ("backbone.linear",)),
        ("the whole backbone frozen", 0.2, 0.1, ("backbone",)),
        ("a factor of 0", 0.1, 0.0, ()),
        ("one rate for all", 0.3, 1.0, ()),
        ("the head frozen", 0.1, 0.3, ("head",)),
    ):
        weight, head, _ = drawn(generator)
        yield label, (weight, head, lr, factor, frozen)


def groups_factor_on_the_head(model, lr, backbone_factor):
    head = set(model.head.parameters())
    rest = [p for p in model.parameters() if p not in head and p.requires_grad]
    mine = [p for p in model.head.parameters() if p.requires_grad]
    return [{"params": p, "lr": rate} for p, rate in ((rest, lr), (mine, lr * backbone_factor)) if p]


def groups_with_the_frozen(model, lr, backbone_factor):
    return [
        {"params": list(model.backbone.parameters()), "lr": lr * backbone_factor},
        {"params": list(model.head.parameters()), "lr": lr},
    ]


def groups_one_rate(model, lr, backbone_factor):
    return [{"params": [p for p in model.parameters() if p.requires_grad], "lr": lr}]


def groups_head_only(model, lr, backbone_factor):
    return [{"params": [p for p in model.head.parameters() if p.requires_grad], "lr": lr}]


def groups_factor_replaces(model, lr, backbone_factor):
    groups = transfer.parameter_groups(model, 1.0, 1.0)
    head = set(model.head.parameters())
    return [{"params": g["params"], "lr": lr if g["params"][0] in head else backbone_factor} for g in groups]


def groups_overlap(model, lr, backbone_factor):
    return [
        {"params": [p for p in model.parameters() if p.requires_grad], "lr": lr * backbone_factor},
        {"params": [p for p in model.head.parameters() if p.requires_grad], "lr": lr},
    ]


def groups_compared_by_value(model, lr, backbone_factor):
    head = list(model.head.parameters())
    old = [p for p in model.parameters() if p not in head and p.requires_grad]
    return [{"params": old, "lr": lr * backbone_factor}, {"params": head, "lr": lr}]


def groups_empty_kept(model, lr, backbone_factor):
    head = {id(p) for p in model.head.parameters()}
    learn = [p for p in model.parameters() if p.requires_grad]
    old, new = ([p for p in learn if (id(p) in head) == inside] for inside in (False, True))
    return [{"params": old, "lr": lr * backbone_factor}, {"params": new, "lr": lr}]


def groups_weights_only(model, lr, backbone_factor):
    groups = transfer.parameter_groups(model, lr, backbone_factor)
    return [{**group, "params": [p for p in group["params"] if p.ndim > 1]} for group in groups]


parameter_groups_exercise = Exercise(
    name="12.parameter_groups",
    reference=transfer.parameter_groups,
    cases=parameter_groups_cases,
    compare=Close(rtol=1e-5, atol=1e-7),
    drive=drive_parameter_groups,
    misconceptions=[
        Misconception(
            "factor-on-the-head",
            wrong=groups_factor_on_the_head,
            hint="The head crawls and the backbone runs. What is new must learn fast; what has learnt already needs small steps.",
        ),
        Misconception(
            "frozen-ones-too",
            wrong=groups_with_the_frozen,
            hint="Frozen parameters are in a group. A gradient left over from before they were frozen would still move them. "
            "Ask `requires_grad`.",
        ),
        Misconception("one-rate", wrong=groups_one_rate, hint="Everything learns at the same rate: where is backbone_factor?"),
        Misconception(
            "head-only", wrong=groups_head_only, hint="The backbone is in no group, so it never moves: that is freezing, not fine-tuning."
        ),
        Misconception(
            "factor-is-no-rate",
            wrong=groups_factor_replaces,
            hint="backbone_factor was taken for the rate itself. It is a factor: the backbone's rate is lr * backbone_factor.",
        ),
        Misconception(
            "head-in-both",
            wrong=groups_overlap,
            hint="The head's parameters are in both groups, and torch refuses that. Leave them out of the first: compare by "
            "`id`, since == compares values.",
        ),
        Misconception(
            "compared-by-value",
            wrong=groups_compared_by_value,
            hint="`in` asks with ==, and == compares two tensors number by number. You want to know whether it is the same object: "
            "`id(p)`.",
        ),
        Misconception(
            "empty-kept",
            wrong=groups_empty_kept,
            hint="Where all of a part is frozen, its group has nothing in it. Leave such a group out of the list.",
        ),
        Misconception(
            "biases-forgotten", wrong=groups_weights_only, hint="Biases and normalisations are in no group: they would never learn."
        ),
    ],
    hints=[
        "`model.head.parameters()` is one group. The other is every parameter of the model that is not among them.",
        "Tensors compare element by element: collect `id(p)` of the head's parameters in a set.",
        "Leave out those with `requires_grad` False, and a group that is empty then.",
    ],
    points=3,
)
