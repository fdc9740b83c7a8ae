import time
from dataclasses import replace

import numpy as np
import pytest

from coursekit.metrics.bootstrap import CELLS, Interval, Resampler, bootstrap, paired_bootstrap
from coursekit.metrics.coco import SUMMARY_NAMES
from coursekit.metrics.detection import coco_evaluate, evaluate_inputs, evaluate_samples


def copied(inputs, count):
    """The same boxes in files that really hold image i `count[i]` times, each copy under an id of its own."""
    images = [(image, copy) for image in range(len(count)) for copy in range(count[image])]

    def rows(part):
        chosen = [np.flatnonzero(part.image == image) for image, _ in images]
        which = np.concatenate([np.zeros(0, np.int64), *chosen])
        number = np.repeat(np.arange(len(images)), [len(one) for one in chosen])
        return replace(part, **{name: values[which] for name, values in vars(part).items()} | {"image": number})

    return replace(inputs, images=tuple(images), truths=rows(inputs.truths), found=rows(inputs.found))


def test_a_draw_is_what_really_copied_images_give_to_the_last_bit(make_problem):
    """The problems are full of ties, within images and between them."""
    compared = 0
    for seed in range(60):
        result, rng = coco_evaluate(*make_problem(seed)), np.random.default_rng(seed)
        images = len(result.inputs.images)
        resampler = Resampler(result, SUMMARY_NAMES)
        for count in ([1] * images, [2] * images, rng.multinomial(images, [1 / images] * images), rng.integers(0, 4, images)):
            count = np.array(count)
            assert resampler.summary(count) == evaluate_inputs(copied(result.inputs, count)).summary, (seed, count)
            compared += 1
    assert compared == 240


def test_each_image_once_is_the_evaluation_itself(make_problem):
    for seed in range(100, 130):
        result = coco_evaluate(*make_problem(seed))
        assert Resampler(result, SUMMARY_NAMES).summary(np.ones(len(result.inputs.images), dtype=int)) == result.summary


def test_all_twelve_have_cells():
    assert set(CELLS) == set(SUMMARY_NAMES)


def scenes(images, seed, noise=4.0):
    """A detector that finds most of a few signs in each image, some worse than others, and some that are not there."""
    rng = np.random.default_rng(seed)
    targets, said = [], []
    for _ in range(images):
        hard = rng.uniform(0.4, 1.8)  # images differ
        corner = rng.uniform(0, 250, (rng.integers(1, 6), 2))
        boxes = np.hstack([corner, corner + rng.uniform(20, 60, corner.shape)])
        labels = rng.integers(0, 2, len(boxes))
        near = boxes + rng.normal(0, noise * hard, boxes.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        there = rng.random(len(boxes)) < 1 - 0.2 * hard
        nothing = np.hstack([np.full((2, 2), 400.0), np.full((2, 2), 430.0)])
        targets.append({"boxes": boxes, "labels": labels})
        scores = np.concatenate([rng.beta(4, 2, there.sum()), rng.beta(2, 4, 2)])
        said.append({"boxes": np.vstack([near[there], nothing]), "labels": np.r_[labels[there], rng.integers(0, 2, 2)], "scores": scores})
    return targets, said


def evaluated(images, seed, noise=4.0):
    return evaluate_samples(*scenes(images, seed, noise), ["stop", "yield"])


def test_same_seed_same_interval_and_the_value_lies_in_it():
    result = evaluated(40, 1)
    first, again, other = (bootstrap(result, draws=200, seed=seed) for seed in (5, 5, 6))
    for name in ("AP", "AP50"):
        assert (first[name].draws == again[name].draws).all()
        assert (first[name].draws != other[name].draws).any()
        assert first[name].value == result.summary[name]
        assert first[name].low < first[name].value < first[name].high
        assert 0 < first[name].high - first[name].low < 0.3


def test_more_confidence_is_wider_and_more_images_are_narrower():
    def width(images, level):
        interval = bootstrap(evaluated(images, 2), ["AP"], draws=300, level=level)["AP"]
        return interval.high - interval.low

    assert width(40, 0.5) < width(40, 0.95)
    assert 1.5 < width(30, 0.95) / width(270, 0.95) < 6  # the square root of 9 is 3


def test_about_95_of_100_intervals_hold_what_they_should():
    """60 test sets of 50 images each say an interval, and 57 are expected to hold.

    Recall is a mean, and the interval holds its value on very many images. AP takes the best precision at a recall or beyond, and small
    sets are luckier (here .258 on average, against .237 on 3,000 images): its interval is about what test sets of this size say.
    """
    large = evaluated(3000, 7).summary["AR100"]
    said = [bootstrap(evaluated(50, 1000 + n), ["AP", "AR100"], draws=150) for n in range(60)]
    usual = np.mean([one["AP"].value for one in said])
    assert 53 <= sum(one["AR100"].low <= large <= one["AR100"].high for one in said) <= 60
    assert 51 <= sum(one["AP"].low <= usual <= one["AP"].high for one in said) <= 60


def test_a_detector_does_not_differ_from_itself():
    result = evaluated(20, 3)
    interval = paired_bootstrap(result, result, draws=50)["AP"]
    assert (interval.value, interval.low, interval.high) == (0, 0, 0)


def test_the_paired_interval_is_signed_and_narrower_than_the_two():
    (targets, good), (_, worse) = scenes(60, 4), scenes(60, 4, noise=5.0)
    results = [evaluate_samples(targets, said, ["stop", "yield"]) for said in (good, worse)]
    pair = paired_bootstrap(*results, ["AP"], draws=300)["AP"]
    alone = [bootstrap(result, ["AP"], draws=300)["AP"] for result in results]
    assert pair.value == results[0].summary["AP"] - results[1].summary["AP"]
    assert 0 < pair.low < pair.value < pair.high
    assert pair.high - pair.low < 0.7 * min(i.high - i.low for i in alone)
    back = paired_bootstrap(*results[::-1], ["AP"], draws=300)["AP"]
    assert (back.low, back.high) == pytest.approx((-pair.high, -pair.low))


def test_what_is_undefined_is_nan_and_a_dash():
    result = evaluated(10, 5)
    assert result.summary["APl"] == -1
    interval = bootstrap(result, ["APl", "AP"], draws=10)["APl"]
    assert np.isnan([interval.value, interval.low, interval.high]).all()
    assert str(interval) == "- [-, -]"
    assert str(Interval(0.625, 0.6014, 1.0, np.zeros(0))) == ".625 [.601, 1.000]"
    assert str(Interval(-0.0213, -0.05, 0.004, np.zeros(0))) == "-.021 [-.050, .004]"


def test_a_draw_without_the_only_image_of_a_class_leaves_it_out():
    box = np.array([[0.0, 0, 40, 40]])
    right = {"boxes": box, "labels": [0], "scores": [0.9]}
    targets = [{"boxes": box, "labels": [0]}, {"boxes": box, "labels": [1]}]
    result = evaluate_samples(targets, [right, {"boxes": box[:0], "labels": [], "scores": []}], ["a", "b"])
    assert set(bootstrap(result, ["AP"], draws=40)["AP"].draws.round(6)) == {1.0, 0.5, 0.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["mAP"]}, "names must be among AP, AP50, .*, got 'mAP'"),
        ({"draws": 1}, "draws must be at least 2, got 1"),
        ({"level": 95}, "level must lie between 0 and 1, got 95"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(evaluated(3, 0), **arguments)


def test_one_image_and_different_images():
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        bootstrap(evaluated(1, 0))
    with pytest.raises(ValueError, match="the same images, got 3 and 4"):
        paired_bootstrap(evaluated(3, 0), evaluated(4, 0))


def test_nothing_found_is_0_in_every_draw():
    targets, _ = scenes(5, 0)
    nothing = {"boxes": np.zeros((0, 4)), "labels": [], "scores": []}
    interval = bootstrap(evaluate_samples(targets, [nothing] * 5, ["stop", "yield"]), draws=20)["AP"]
    assert (interval.value, interval.low, interval.high) == (0, 0, 0)


@pytest.mark.full
def test_a_thousand_draws_of_100_images_take_seconds():
    result = evaluated(100, 8)
    begin = time.process_time()
    bootstrap(result, SUMMARY_NAMES)
    assert time.process_time() - begin < 10
