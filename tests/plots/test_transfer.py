"""Pictures of notebook 12: the plane is the one of principal components, neighbours are the nearest, words say the numbers."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from coursekit.plots.images import get_alt
from coursekit.plots.transfer import drag_count, nearest, on_a_plane, probe_at, show_by_count, show_embeddings, show_neighbours

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def vectors(count=20, length=5, seed=0):
    scale = torch.arange(length, 0, -1.0)
    return torch.randn(count, length, generator=torch.Generator().manual_seed(seed)) * scale + 3


def test_the_plane_equals_scikit_learns_principal_components_but_for_signs():
    found, expected = on_a_plane(vectors()).numpy(), PCA(2).fit_transform(vectors().double().numpy())
    for column in range(2):
        sign = np.sign(found[0, column] * expected[0, column])
        np.testing.assert_allclose(found[:, column], sign * expected[:, column], atol=1e-4)


def test_the_plane_is_the_same_for_the_same_vectors_in_another_order():
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(on_a_plane(vectors())[order], on_a_plane(vectors()[order]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("wrong", [torch.zeros(1, 4), torch.zeros(4, 1), torch.zeros(4)])
def test_a_plane_needs_two_of_two(wrong):
    with pytest.raises(ValueError, match=r"vectors must be \(N, D\)"):
        on_a_plane(wrong)


def test_nearest_by_hand():
    library = torch.tensor([[0.0, 0], [3, 4], [1, 0]])
    assert nearest(torch.tensor([[0.9, 0.0]]), library, 3).tolist() == [[2, 0, 1]]
    with pytest.raises(ValueError, match=r"count must lie in 1\.\.3, got 4"):
        nearest(library, library, 4)


def test_embeddings_and_neighbours_have_words():
    labels = torch.arange(20) % 3
    figure = show_embeddings({"before": vectors(), "after": vectors(length=2)}, labels, ("a", "b", "c"), "Points")
    assert get_alt(figure) == "Points. 20 images of 3 classes as points, for: before, after."
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    right = torch.tensor([[True, False]])
    assert "50% are of the same class" in get_alt(show_neighbours(images[:1], images, torch.tensor([[1, 2]]), right, "Near"))


def test_lines_by_count():
    figure = show_by_count([5, 50], {"scratch": [[0.2, 0.4], [0.8, 0.9]], "frozen": [[0.7], [0.8]]}, "Six classes")
    assert "scratch: 5: 0.30, 50: 0.85; frozen: 5: 0.70, 50: 0.80" in get_alt(figure)
    with pytest.raises(ValueError, match="results must hold 2 places for 'scratch', got 1"):
        show_by_count([5, 50], {"scratch": [[0.2]]}, "Six classes")


def clusters():
    labels = torch.arange(30) % 3
    return torch.nn.functional.one_hot(labels, 3).float() * 5 + vectors(30, 3) * 0.01, labels


def test_a_probe_on_clear_clusters_is_right():
    found, labels = clusters()
    accuracy, right = probe_at(found, labels, found, labels, 2, 3)
    assert accuracy == 1.0
    assert right.all()


def test_the_slider_of_images_has_a_picture_without_it():
    pytest.importorskip("ipywidgets")
    found, labels = clusters()
    images = torch.zeros(30, 3, 8, 8, dtype=torch.uint8)
    shown = drag_count(found, labels, found, images, labels, ("a", "b", "c"))
    assert repr(shown) == "A linear probe on the backbone's features: 1 of each class 1.00, 5 of each class 1.00, 10 of each class 1.00"
    slider, line, picture = shown.make_widget().children
    before = picture.value
    slider.value = 9
    assert line.value == "9 images of each class: accuracy 1.000"
    slider.value = 1
    assert line.value.startswith("1 image of each class")
    assert picture.value != before
