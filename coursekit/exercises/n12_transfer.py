"""Exercises of notebook 12_transfer on networks. Those on vectors stand in n12_transfer_vectors.py."""

import copy
from collections import OrderedDict

import torch
from torch import Tensor, nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.training import transfer


class Small(nn.Module):
    """A network small enough to be made in every case: backbone (linear, batch norm, ReLU) and head. Its weights are given."""

    def __init__(self, weight: Tensor, head: Tensor):
        super().__init__()
        layers = OrderedDict(linear=nn.Linear(weight.shape[1], weight.shape[0]), norm=nn.BatchNorm1d(weight.shape[0]), act=nn.ReLU())
        self.backbone = nn.Sequential(layers)
        self.head = nn.Linear(head.shape[1], head.shape[0])
        with torch.no_grad():
            self.backbone.linear.weight.copy_(weight)
            self.backbone.linear.bias.fill_(0.1)
            self.head.weight.copy_(head)
            self.head.bias.fill_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.backbone(x))


def drawn(generator, inputs=3, hidden=4, classes=2, batch=6):
    """Weights of a `Small` and a batch for it."""
    shapes = [(hidden, inputs), (classes, hidden), (batch, inputs)]
    weight, head, x = (torch.randn(shape, generator=generator) for shape in shapes)
    return weight, head, x + 1.0  # off zero, so that running means have somewhere to go


# --- freeze


def drive_freeze(answer, weight, head, x, part):
    """Freeze one part, train the network for two steps, and say what moved and what came out."""
    model = Small(weight, head)
    returned = answer(getattr(model, part) if part != "norm" else model.backbone.norm)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad] or [nn.Parameter(torch.zeros(1))], lr=0.1)
    outputs = []
    for _ in range(2):
        model.train()  # as every loop does at the start of an epoch
        loss = (model(x) ** 2).sum()
        outputs.append(loss.detach())
        if loss.requires_grad:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    return {
        "the same module comes back": returned is (getattr(model, part) if part != "norm" else model.backbone.norm),
        "weights that learn": [name for name, p in model.named_parameters() if p.requires_grad],
        "after two steps": state,
        "losses": torch.stack(outputs),
    }


def freeze_cases(generator):
    """(label, arguments) for freeze: the backbone, the head, a normalisation alone."""
    yield "the backbone", (*drawn(generator), "backbone")
    yield "the head alone", (*drawn(generator), "head")
    yield "a batch normalisation", (*drawn(generator), "norm")
    yield "the backbone, random", (*drawn(generator, inputs=2, hidden=5, batch=4), "backbone")


def freeze_weights_only(module):
    return module.requires_grad_(False)


def freeze_eval_only(module):
    module.eval()
    module.train = lambda mode=True: module
    return module


def freeze_biases_forgotten(module):
    transfer.freeze(module)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_("bias" in name)
    return module


def freeze_a_copy(module):
    return transfer.freeze(copy.deepcopy(module))


def freeze_returns_nothing(module):
    transfer.freeze(module)


def freeze_norms_only(module):
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            transfer.freeze(part)
    return module


freeze_exercise = Exercise(
    name="12.freeze",
    reference=transfer.freeze,
    cases=freeze_cases,
    compare=Close(rtol=1e-4, atol=1e-5),
    drive=drive_freeze,
    misconceptions=[
        Misconception(
            "normalisation-goes-on",
            wrong=freeze_weights_only,
            hint="No weight moved, and yet the network changed: its running averages did. The loop called model.train(), and that woke the "
            "batch normalisation up again. How can this part stay in eval mode, whatever is called around it?",
        ),
        Misconception(
            "weights-go-on",
            wrong=freeze_eval_only,
            hint="eval() decides how a layer computes, not whether it learns: its weights still moved. What switches the gradient off?",
        ),
        Misconception(
            "biases-forgotten",
            wrong=freeze_biases_forgotten,
            hint="The weights stand still and the biases move. `module.parameters()` gives both.",
        ),
        Misconception(
            "froze-a-copy",
            wrong=freeze_a_copy,
            hint="The module in the network learns on: you froze a copy of it.",
        ),
        Misconception(
            "nothing-returned",
            wrong=freeze_returns_nothing,
            hint="Right, but give the module back, so that `model.backbone = freeze(model.backbone)` works.",
        ),
        Misconception(
            "norms-only",
            wrong=freeze_norms_only,
            hint="You froze the normalisations and nothing else. The rest of the part must stand still as well.",
        ),
    ],
    hints=[
        "Two things must stop: gradients (`requires_grad_(False)` on the module does all its parameters) and running averages.",
        "`module.eval()` stops the averages, until somebody calls train() on the network around it. That call goes to "
        "`module.train(True)`.",
        "Give this one module another `train`: `module.train = lambda mode=True: module`.",
    ],
    points=3,
    equivalent={"module.train = lambda mode=False: module": "the argument is not looked at"},
)


# --- replace_head


def drive_replace_head(answer, weight, head, num_classes, x):
    """Replace the head and say what the network is afterwards. A new head is random: its numbers are only asked whether they are new."""
    model = Small(weight, head)
    backbone, old = model.backbone, model.head
    returned = answer(model, num_classes)
    new = returned.head
    rows = min(len(new.weight), len(old.weight)) if isinstance(new, nn.Linear) else 0
    with torch.no_grad():
        out = returned.eval()(x)
    return {
        "the same network": returned is model,
        "the same backbone": returned.backbone is backbone,
        "its weights": returned.backbone.linear.weight.detach().clone(),
        "head": type(new).__name__,
        "head's weight": tuple(new.weight.shape) if isinstance(new, nn.Linear) else (),
        "it has a bias": getattr(new, "bias", None) is not None,
        "it is new": isinstance(new, nn.Linear) and new is not old and not torch.equal(new.weight[:rows], old.weight[:rows]),
        "it learns": all(p.requires_grad for p in new.parameters()),
        "what comes out": tuple(out.shape),
    }


def replace_head_cases(generator):
    """(label, arguments) for replace_head: more classes, fewer, as many."""
    for label, classes, num_classes in (("more classes", 2, 5), ("fewer classes", 4, 2), ("as many", 3, 3), ("one", 3, 1)):
        weight, head, x = drawn(generator, classes=classes)
        yield label, (weight, head, num_classes, x)
    weight, head, x = drawn(generator, hidden=7, classes=7)
    yield "as many classes as features", (weight, head, 3, x)


def head_on_top(model, num_classes):
    model.head = nn.Sequential(model.head, nn.Linear(model.head.out_features, num_classes))
    return model


def head_cut(model, num_classes):
    old = model.head
    model.head = nn.Linear(old.in_features, num_classes)
    rows = min(num_classes, old.out_features)
    with torch.no_grad():
        model.head.weight[:rows] = old.weight[:rows]
    return model


def head_without_bias(model, num_classes):
    model.head = nn.Linear(model.head.in_features, num_classes, bias=False)
    return model


def head_on_a_copy(model, num_classes):
    return transfer.replace_head(copy.deepcopy(model), num_classes)


def head_kept_when_it_fits(model, num_classes):
    return model if model.head.out_features == num_classes else transfer.replace_head(model, num_classes)


def head_frozen(model, num_classes):
    transfer.replace_head(model, num_classes).head.requires_grad_(False)
    return model


def head_and_backbone_anew(model, num_classes):
    transfer.replace_head(model, num_classes)
    model.backbone.linear = nn.Linear(model.backbone.linear.in_features, model.backbone.linear.out_features)
    return model


replace_head_exercise = Exercise(
    name="12.replace_head",
    reference=transfer.replace_head,
    cases=replace_head_cases,
    compare=Close(rtol=1e-5, atol=1e-6),
    drive=drive_replace_head,
    misconceptions=[
        Misconception(
            "on-top-of-the-old",
            wrong=head_on_top,
            hint="You put a layer behind the old head. The old logits are all that it sees: a hundred features squeezed through "
            "a few classes. "
            "The new layer takes the old one's place.",
        ),
        Misconception(
            "old-rows-kept",
            wrong=head_cut,
            hint="The first rows still answer for the old classes. Class 0 is something else now: begin at random.",
        ),
        Misconception(
            "no-bias", wrong=head_without_bias, hint="The old head had a bias, the new one has none: common and rare classes start alike."
        ),
        Misconception(
            "on-a-copy",
            wrong=head_on_a_copy,
            hint="The network that came in kept its old head: you changed a copy. Whoever holds the first one is surprised.",
        ),
        Misconception(
            "kept-because-it-fits",
            wrong=head_kept_when_it_fits,
            hint="As many classes as before are not the same classes. The head must be new here, too.",
        ),
        Misconception("frozen", wrong=head_frozen, hint="The new head gets no gradient. It is the one part that certainly has to learn."),
        Misconception(
            "backbone-anew", wrong=head_and_backbone_anew, hint="The backbone's weights are random again: what it had learnt is gone."
        ),
    ],
    hints=[
        "A linear layer knows what it takes: `model.head.in_features`.",
        "`model.head = nn.Linear(model.head.in_features, num_classes)`, and the model comes back.",
    ],
    points=2,
)


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
    return {"rate of each parameter": dict(sorted(rates.items())), "after a step": dict(model.state_dict())}


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
            hint="Frozen parameters are in a group. Weight decay and momentum would move them, gradient or not. Ask `requires_grad`.",
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
