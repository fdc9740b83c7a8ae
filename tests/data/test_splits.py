import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from coursekit.data.signs import SignCrops
from coursekit.data.splits import (
    channel_statistics,
    class_weights,
    frames_of,
    group_split,
    nearest,
    sign_tracks,
    standardise,
    stratified_split,
)

calm = settings(deadline=None, max_examples=50)  # a busy machine is no failure


def whole(*values):
    return torch.tensor(values, dtype=torch.int64)


def images(*shape, seed=0, low=0, high=256):
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


# --- stratified_split


@pytest.mark.parametrize(
    ("labels", "share", "order", "held_out"),
    [
        (whole(), 0.5, whole(), []),
        (whole(3), 0.5, whole(0), []),
        (whole(0, 0), 0.9, whole(1, 0), [1]),
        (whole(0, 0, 0), 0.1, whole(2, 1, 0), [2]),
        (whole(0, 0, 0, 0, 1, 1), 0.5, whole(0, 1, 2, 3, 4, 5), [0, 1, 4]),
        (whole(0, 1, 0, 1, 0, 0), 0.5, whole(5, 3, 4, 1, 2, 0), [3, 4, 5]),
    ],
    ids=["no samples", "one alone", "two", "a tenth of three", "first half of each", "in the order given"],
)
def test_stratified_split_by_hand(labels, share, order, held_out):
    train, val = stratified_split(labels, share, order)
    assert val.tolist() == held_out
    assert train.tolist() == [place for place in range(len(labels)) if place not in held_out]
    assert train.dtype == val.dtype == torch.int64


label_lists = st.lists(st.integers(0, 4), max_size=40).map(lambda values: torch.tensor(values, dtype=torch.int64))
shares = st.sampled_from([0.1, 0.2, 0.25, 1 / 3, 0.5, 0.75, 0.9])


@calm
@given(label_lists, shares, st.integers(0, 100))
def test_stratified_split_keeps_every_class_on_both_sides(labels, share, seed):
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    train, val = stratified_split(labels, share, order)
    assert torch.equal(torch.cat([train, val]).sort().values, torch.arange(len(labels)))
    for label in labels.unique():
        here, count = int((labels[val] == label).sum()), int((labels == label).sum())
        assert abs(here - share * count) <= 1
        assert (count < 2 and here == 0) or 0 < here < count


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_stratified_split_equals_sklearns_counts_where_shares_divide(share):
    labels = torch.arange(3).repeat_interleave(torch.tensor([20, 40, 60]))
    _, val = stratified_split(labels, share, torch.randperm(120, generator=torch.Generator().manual_seed(1)))
    _, theirs = train_test_split(range(120), test_size=share, stratify=labels, random_state=0)
    assert torch.bincount(labels[val]).tolist() == torch.bincount(labels[theirs]).tolist()


# --- group_split


@pytest.mark.parametrize(
    ("groups", "share", "order", "held_out"),
    [
        (whole(), 0.5, whole(), []),
        (whole(2, 2), 0.5, whole(2), []),
        (whole(4, 4, 9), 0.1, whole(9, 4), [2]),
        (whole(4, 4, 9), 0.9, whole(4, 9), [0, 1]),
        (whole(0, 1, 2, 0, 1, 2), 1 / 3, whole(1, 0, 2), [1, 4]),
    ],
    ids=["no samples", "one group", "a tenth of two", "nine tenths of two", "mixed frames"],
)
def test_group_split_by_hand(groups, share, order, held_out):
    train, val = group_split(groups, share, order)
    assert val.tolist() == held_out
    assert train.tolist() == [place for place in range(len(groups)) if place not in held_out]


@calm
@given(label_lists.filter(lambda values: len(values.unique()) > 1), shares, st.integers(0, 100))
def test_no_group_is_on_both_sides_as_with_sklearns_group_shuffle_split(groups, share, seed):
    found = groups.unique()
    order = found[torch.randperm(len(found), generator=torch.Generator().manual_seed(seed))]
    train, val = group_split(groups, share, order)
    assert torch.equal(torch.cat([train, val]).sort().values, torch.arange(len(groups)))
    assert len(train)
    assert len(val)
    assert not set(groups[train].tolist()) & set(groups[val].tolist())
    splitter = GroupShuffleSplit(1, test_size=min(share, 1 - 1 / len(found)), random_state=seed)
    _, theirs = next(splitter.split(groups, groups=groups))
    assert abs(len(groups[val].unique()) - len(groups[theirs].unique())) <= 1  # theirs rounds up


# --- class_weights


@pytest.mark.parametrize(
    ("labels", "num_classes", "expected"),
    [
        (whole(0), 1, [1.0]),
        (whole(0, 0, 0, 0, 0, 0, 1, 1, 1, 1), 2, [10 / 12, 10 / 8]),
        (whole(2, 2, 0), 3, [1.5, 0.0, 0.75]),
        (whole(1, 0), 4, [1.0, 1.0, 0.0, 0.0]),
    ],
    ids=["one", "six and four", "one class absent", "the last ones absent"],
)
def test_class_weights_by_hand(labels, num_classes, expected):
    found = class_weights(labels, num_classes)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor(expected))


@calm
@given(label_lists.filter(len))
def test_class_weights_equal_sklearns_where_it_answers(labels):
    found = class_weights(labels, 5)
    there = labels.unique()
    theirs = compute_class_weight("balanced", classes=there.numpy(), y=labels.numpy())
    np.testing.assert_allclose(found[there].numpy(), theirs, rtol=1e-6)
    assert (found[[k for k in range(5) if k not in there]] == 0).all()  # where it raises
    assert float(found[labels].mean()) == pytest.approx(1, rel=1e-5)


# --- standardise


@calm
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(0, 50))
def test_standardise_equals_sklearns_standard_scaler_fitted_on_train(n, channels, height, width, m, seed):
    train, other = images(n, channels, height, width, seed=seed), images(m, channels, height, width, seed=seed + 1, high=100)

    def rows(batch):
        return batch.permute(0, 2, 3, 1).reshape(-1, channels).numpy().astype(np.float64)

    scaler = StandardScaler().fit(rows(train))
    for found, batch in zip(standardise(train, other), (train, other), strict=True):
        assert found.shape == batch.shape
        theirs = scaler.transform(rows(batch)) if len(batch) else rows(batch)
        # sklearn fits 0..255 and divides a channel without any spread by 1 there, ours by 1 of 0..1
        flat = torch.from_numpy(scaler.var_ == 0)
        ours = found.permute(0, 2, 3, 1).reshape(-1, channels)
        np.testing.assert_allclose(ours[:, ~flat], theirs[:, ~flat.numpy()], atol=2e-4)
        np.testing.assert_allclose(ours[:, flat] * 255, theirs[:, flat.numpy()], atol=2e-3)


def test_statistics_are_those_of_all_pixels_together():
    batch = torch.tensor([0, 255, 51, 51], dtype=torch.uint8).reshape(2, 2, 1, 1)  # (N, C): [[0, 255], [51, 51]]
    mean, std = channel_statistics(batch)
    torch.testing.assert_close(mean, torch.tensor([0.1, 0.6]))
    torch.testing.assert_close(std, torch.tensor([0.1, 0.4]))


# --- nearest, frames, tracks


@calm
@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 50))
def test_nearest_equals_sklearns_one_neighbour(n, m, seed):
    known, asked = images(n, 1, 3, 3, seed=seed), images(m, 1, 3, 3, seed=seed + 1)
    found = nearest(known, asked)
    assert found.shape == (m,)
    if m:
        theirs = KNeighborsClassifier(1).fit(known.flatten(1).float(), range(n)).predict(asked.flatten(1).float())
        assert found.tolist() == theirs.tolist()


def test_what_is_known_is_nearest_to_itself():
    known = images(20, 3, 8, 8)
    assert torch.equal(nearest(known, known), torch.arange(20))


def test_frames_are_alike_and_no_two_the_same():
    image = SignCrops(1, seed=3, size=40)[0][0]
    frames = frames_of(image, 6, 32, torch.Generator().manual_seed(0))
    assert frames.shape == (6, 3, 32, 32)
    assert frames.dtype == torch.uint8
    distances = torch.pdist(frames.flatten(1).float())
    assert distances.min() > 0
    other = SignCrops(40, seed=3, size=40)[17][0]
    assert distances.mean() < torch.cdist(frames.flatten(1).float(), other[:, 4:36, 4:36].flatten()[None].float()).min()
    assert torch.equal(frames, frames_of(image, 6, 32, torch.Generator().manual_seed(0)))


def test_tracks_hold_each_sign_as_often_as_asked_and_say_which():
    signs = SignCrops(5, seed=1, size=36)
    found, groups = sign_tracks(signs, 3, 32, torch.Generator().manual_seed(0))
    assert found.images.shape == (15, 3, 32, 32)
    assert groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert found.labels.tolist() == [signs.label(group) for group in groups.tolist()]


# --- what cannot be


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stratified_split(torch.zeros(3), 0.5, whole(0, 1, 2)), r"labels must be a tensor of whole numbers of shape \(N,\), got"),
        (lambda: stratified_split([0, 1], 0.5, whole(0, 1)), "labels must be a tensor of whole numbers .* got list"),
        (lambda: stratified_split(whole(0, 1), 1.0, whole(0, 1)), r"share must lie between 0 and 1, got 1\.0"),
        (lambda: stratified_split(whole(0, 1), 0.5, whole(0, 0)), "order must hold each of the places 0 to 1 once"),
        (lambda: stratified_split(whole(0, 1), 0.5, whole(0)), "order must hold each of the places"),
        (lambda: group_split(whole(4, 4, 9), 0.5, whole(4)), "order must hold each of the different groups once"),
        (lambda: group_split(whole(4, 9), 0.0, whole(4, 9)), "share must lie between 0 and 1"),
        (lambda: group_split(whole(4, 9)[None], 0.5, whole(4, 9)), r"groups must be a tensor of whole numbers of shape \(N,\)"),
        (lambda: class_weights(whole(), 3), "labels must hold at least one label"),
        (lambda: class_weights(whole(0, 3), 3), r"labels must lie in 0\.\.2, got 0\.\.3"),
        (lambda: channel_statistics(torch.zeros(1, 3, 2, 2)), r"images must be uint8 \(N, C, H, W\)"),
        (lambda: channel_statistics(images(0, 3, 2, 2)), "at least one pixel"),
        (lambda: nearest(images(0, 1, 2, 2), images(1, 1, 2, 2)), "known must be"),
        (lambda: nearest(images(1, 1, 2, 2), images(1, 1, 2, 3)), "known must be"),
        (lambda: frames_of(images(3, 32, 32), 2, 32, torch.Generator()), "size must be less than the image's 32"),
    ],
)
def test_what_cannot_be_split_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
