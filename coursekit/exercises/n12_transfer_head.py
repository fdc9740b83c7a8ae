"""Exercises of notebook 12_transfer on a network's head: replace_head."""

import copy

import torch
from torch import nn

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.exercises.n12_transfer import Small, drawn
from coursekit.training import transfer

# --- replace_head


def drive_replace_head(answer, weight, head, num_classes, x):
    """Replace the head and say what the network is afterwards. A new head is random: its numbers are only asked whether they are new."""
    model = Small(weight, head)
    backbone, old = model.backbone, model.head
    given = answer(model, num_classes)
    alone = isinstance(given, nn.Module) and not hasattr(given, "head")  # a layer, or a network of another kind
    returned = model if alone else given
    new = returned.head
    linear = isinstance(new, nn.Linear)
    rows = min(len(new.weight), len(old.weight)) if linear and new.in_features == old.in_features else 0
    fits = not linear or new.in_features == weight.shape[0]  # what cannot be computed is told by the shape of the weight
    with torch.no_grad():
        out = returned.eval()(x) if fits else x[:0]
    return {
        "the same network": given is model,
        "the same backbone": returned.backbone is backbone,
        "its weights": returned.backbone.linear.weight.detach().clone(),
        "head": type(new).__name__,
        "head's weight": tuple(new.weight.shape) if linear else (),
        "what it says it gives": new.out_features if linear else 0,
        "it has a bias": getattr(new, "bias", None) is not None,
        "it is new": linear and new is not old and (rows == 0 or not torch.equal(new.weight[:rows], old.weight[:rows])),
        "it is random": linear and bool(new.weight.std() > 0),
        "it learns": all(p.requires_grad for p in new.parameters()),
        "the backbone may learn": all(p.requires_grad for p in returned.backbone.parameters()),
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


def head_renamed(model, num_classes):
    model.head.out_features = num_classes
    return model


def head_under_another_name(model, num_classes):
    model.fc = nn.Linear(model.head.in_features, num_classes)
    return model


def head_given_back(model, num_classes):
    return nn.Linear(model.head.in_features, num_classes)


def head_from_the_old_classes(model, num_classes):
    model.head = nn.Linear(model.head.out_features, num_classes)
    return model


def head_of_128(model, num_classes):
    model.head = nn.Linear(128, num_classes)
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
            "only-the-number",
            wrong=head_renamed,
            hint="You changed what the layer says about itself. Its weights are the old ones, a row for each old class: make a new layer.",
        ),
        Misconception(
            "another-name",
            wrong=head_under_another_name,
            hint="The network computes with `self.head`, and that is still the old layer. Under which name must the new one go in?",
        ),
        Misconception(
            "the-layer-alone",
            wrong=head_given_back,
            hint="What came back has no `head`. Put the new layer into the network, in the old one's place, and give the network back.",
        ),
        Misconception(
            "takes-the-old-classes",
            wrong=head_from_the_old_classes,
            hint="The new layer expects as many numbers as the old head *gave*. How many did it *take*?",
        ),
        Misconception(
            "always-128",
            wrong=head_of_128,
            hint="128 is right for the shipped backbone alone. The old head knows how many features it takes: ask it.",
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
