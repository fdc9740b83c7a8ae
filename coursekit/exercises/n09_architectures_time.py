"""Exercise of notebook 09_architectures: training_hours, what a paper's training took."""

import torch

from coursekit.exercises.core import Close, Exercise, Misconception
from coursekit.models.cost import training_hours

# --- training_hours


def hours_cases(generator):
    """(label, arguments) for training_hours: multiply_adds, images, epochs, machines, per_second."""
    yield "one image, one epoch, one machine", (1.2e12, 1, 1, 1, 1e9)
    yield "ResNet-50, 256 cards", (4.09e9, 1_281_167, 90, 256, 1.5e12)
    yield "two epochs", (6e9, 1000, 2, 1, 1e9)
    yield "four machines", (6e9, 1000, 1, 4, 1e9)
    for _ in range(3):
        work, speed = (float(torch.rand((), generator=generator)) + 0.1 for _ in range(2))
        images, epochs, machines = (int(torch.randint(2, 100, (), generator=generator)) for _ in range(3))
        yield "random", (work * 1e9, 1000 * images, epochs, machines, speed * 1e12)


def hours_forward_only(multiply_adds, images, epochs, machines, per_second):
    return training_hours(multiply_adds, images, epochs, machines, per_second) / 3


def hours_backward_like_forward(multiply_adds, images, epochs, machines, per_second):
    return training_hours(multiply_adds, images, epochs, machines, per_second) * 2 / 3


def hours_in_seconds(multiply_adds, images, epochs, machines, per_second):
    return training_hours(multiply_adds, images, epochs, machines, per_second) * 3600


def hours_in_minutes(multiply_adds, images, epochs, machines, per_second):
    return training_hours(multiply_adds, images, epochs, machines, per_second) * 60


def hours_more_machines_longer(multiply_adds, images, epochs, machines, per_second):
    return training_hours(multiply_adds, images, epochs, machines, per_second) * machines**2


def hours_of_one_machine(multiply_adds, images, epochs, machines, per_second):
    return training_hours(multiply_adds, images, epochs, 1, per_second)


def hours_of_one_epoch(multiply_adds, images, epochs, machines, per_second):
    return training_hours(multiply_adds, images, 1, machines, per_second)


def hours_of_one_image(multiply_adds, images, epochs, machines, per_second):
    return training_hours(multiply_adds, 1, epochs, machines, per_second)


training_hours_exercise = Exercise(
    name="09.training_hours",
    reference=training_hours,
    cases=hours_cases,
    compare=Close(rtol=1e-6, atol=1e-9),
    misconceptions=[
        Misconception(
            "forward-only",
            wrong=hours_forward_only,
            hint="That is the forward pass alone, as if the network were only used. The backward pass costs about two more of them.",
        ),
        Misconception(
            "backward-like-forward",
            wrong=hours_backward_like_forward,
            hint="The backward pass costs more than the forward pass: it computes two gradients, of the weights and of the map.",
        ),
        Misconception("in-seconds", wrong=hours_in_seconds, hint="Those are seconds. How many of them make an hour?"),
        Misconception("in-minutes", wrong=hours_in_minutes, hint="Those are minutes: an hour has 3,600 seconds."),
        Misconception(
            "more-machines-longer", wrong=hours_more_machines_longer, hint="More machines take longer in your formula. They share the work."
        ),
        Misconception("one-machine", wrong=hours_of_one_machine, hint="That is how long one machine takes. How many are there?"),
        Misconception("one-epoch", wrong=hours_of_one_epoch, hint="In each epoch every image is seen once. How many epochs are there?"),
        Misconception("one-image", wrong=hours_of_one_image, hint="That is one image over all epochs. How many images are there?"),
    ],
    hints=[
        "Work of one image in one step: forward 1, backward 2, so 3 · multiply_adds. How often is that done?",
        "All the work, divided by what all the machines do in a second, is seconds.",
    ],
    points=1,
)
