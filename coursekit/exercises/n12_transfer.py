"""Exercises of notebook 12_transfer: freeze, and the small network of the cases. The others stand beside it."""

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


def called_to_train(model, part):
    """Call train() on the network, and say whether the part let itself be called; a ``train`` that takes no mode is taken off again."""
    try:
        model.train()
    except TypeError:
        vars(part).pop("train", None)
        model.train()
        return False
    return True


def drive_freeze(answer, weight, head, x, part):
    """Freeze one part, train the network for two steps, and say what moved and what came out."""
    model = Small(weight, head)
    frozen = getattr(model, part) if part != "norm" else model.backbone.norm
    returned = answer(frozen)
    rests = [not frozen.training]
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad] or [nn.Parameter(torch.zeros(1))], lr=0.1)
    outputs, callable_ = [], True
    for _ in range(2):
        callable_ &= called_to_train(model, frozen)  # as every loop does at the start of an epoch
        loss = (model(x) ** 2).sum()
        outputs.append(loss.detach())
        if loss.requires_grad:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    rests.append(not frozen.training)
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    return {
        "its train(True) can be called": callable_,
        "the same module comes back": returned is frozen,
        "weights that learn": [name for name, p in model.named_parameters() if p.requires_grad],
        "after two steps": state,
        "losses": torch.stack(outputs),
        "in eval mode at once, and after an evaluation": rests,
    }


def freeze_cases(generator):
    """(label, arguments) for freeze: the backbone, the head, a normalisation alone."""
    yield "the backbone", (*drawn(generator), "backbone")
    yield "the head alone", (*drawn(generator), "head")
    yield "a batch normalisation", (*drawn(generator), "norm")
    yield "the backbone, random", (*drawn(generator, inputs=2, hidden=5, batch=4), "backbone")


def freeze_weights_only(module):
    return module.requires_grad_(False)


def freeze_woken_up(module):
    module.eval()
    return module.requires_grad_(False)


def freeze_never_in_eval(module):
    module.requires_grad_(False)
    module.train = lambda mode=True: module
    return module


def freeze_train_is_eval(module):
    module.requires_grad_(False).eval()
    module.train = module.eval
    return module


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


def freeze_train_calls_eval(module):
    module.requires_grad_(False)
    module.train = lambda mode=True: module.eval()
    return module


def freeze_momentum_zero(module):
    module.requires_grad_(False)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.momentum = 0.0
    return module


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
            hint="No weight moved, and yet the network changed: its running averages did. In which mode does a batch normalisation leave "
            "them alone?",
        ),
        Misconception(
            "woken-up",
            wrong=freeze_woken_up,
            hint="It was in eval mode, but not for good: the loop called model.train(), and that woke the batch normalisation up again. "
            "How can this part stay in eval mode, whatever is called around it?",
        ),
        Misconception(
            "never-in-eval",
            wrong=freeze_never_in_eval,
            hint="train() does nothing now, so the part stays in the mode that it came in, and that was train mode. "
            "What must be said first?",
        ),
        Misconception(
            "train-takes-nothing",
            wrong=freeze_train_is_eval,
            hint="What you put in `module.train` is called as `train(True)` by the network around it, so it must be a function that takes "
            "the mode, and does nothing with it.",
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
            "train-calls-eval",
            wrong=freeze_train_calls_eval,
            hint="`eval()` is nothing but `train(False)`, so your `train` calls `eval`, which calls your `train`. Go to eval mode once, "
            "and let the new `train` do nothing.",
        ),
        Misconception(
            "momentum-0",
            wrong=freeze_momentum_zero,
            hint="The averages stand still, but in train mode a batch normalisation does not use them: it takes those of the batch. "
            "Which mode uses the averages?",
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
