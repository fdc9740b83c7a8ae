"""The two-stage detector: its parts fit together, learn, and repeat themselves; torchvision's, on the same backbone, too."""

from functools import partial

import pytest
import torch

from coursekit.data.loader import collate
from coursekit.models.signs_backbone import signs_network
from coursekit.one_stage.pyramid import PyramidBackbone
from coursekit.training.detector import small_world
from coursekit.two_stage import recipe
from coursekit.two_stage.detector import BoxHead, ProposalNetwork, TwoStage, read_head, two_stage_loss
from coursekit.two_stage.roi import roi_pool
from coursekit.two_stage.with_torchvision import faster_rcnn


def small(seed=0, **options):
    torch.manual_seed(seed)
    return TwoStage(PyramidBackbone(signs_network(width=0.125), channels=16), 4, **options)


def batch(count=2):
    return collate([small_world("train", count)[i] for i in range(count)])


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)


def test_the_proposal_network_answers_in_the_order_of_the_anchors():
    """Two cells, three anchors: the answers of one cell stand together."""
    network = ProposalNetwork(1, 3)
    for layer in (network.look, network.objectness, network.deltas):
        torch.nn.init.zeros_(layer.weight)
    network.look.weight.data[0, 0, 1, 1] = 1
    network.objectness.weight.data[:, 0, 0, 0] = torch.tensor([1.0, 2, 3])
    network.deltas.weight.data[:, 0, 0, 0] = torch.arange(12.0)
    logits, deltas = network(torch.tensor([[[[1.0, 10.0]]]]))
    assert logits.tolist() == [[1, 2, 3, 10, 20, 30]]
    assert deltas.shape == (1, 6, 4)
    assert deltas[0, 1].tolist() == [4, 5, 6, 7]
    assert deltas[0, 3].tolist() == [0, 10, 20, 30]


def test_the_head_has_one_class_more_for_background():
    logits, deltas = BoxHead(8, 5, num_classes=4)(torch.zeros(3, 8, 5, 5))
    assert logits.shape == (3, 5)
    assert deltas.shape == (3, 4)


def test_read_head_by_hand():
    proposals = boxes([10, 10, 30, 30], [10, 10, 30, 30], [40, 40, 60, 60], [40, 40, 60, 60])
    sure = torch.tensor([[4.0, 0, 0], [3.0, 0, 0], [0, 5.0, 0], [0, 0, 9.0]])  # twice class 0, class 1, background
    deltas = torch.zeros(4, 4)
    deltas[2, 0] = 10 * 0.5  # half a width to the right
    found = read_head(proposals, sure, deltas, (64, 64), floor=0.1)
    assert found.labels.tolist() == [1, 0]
    assert found.boxes.tolist() == [[50, 40, 64, 60], [10, 10, 30, 30]]  # the first is cut at the edge
    assert found.scores.tolist() == pytest.approx([torch.tensor([0.0, 5, 0]).softmax(0)[1].item(), sure[0].softmax(0)[0].item()])
    assert len(read_head(proposals[:0], sure[:0], deltas[:0], (64, 64))) == 0
    assert len(read_head(proposals, sure, deltas, (64, 64), floor=0.0)) == 6  # each of three places, in each of two classes


def test_find_gives_one_answer_a_picture_inside_it():
    model = small().eval()
    images, _ = batch(3)
    found = model.find(images)
    assert len(found) == 3
    for one in found:
        assert one.scores.min() > 0.001
        assert one.boxes.min() >= 0
        assert one.boxes.max() <= 128
        assert set(one.labels.tolist()) <= {0, 1, 2, 3}
    alone = model.find(images[:1])[0]
    torch.testing.assert_close(alone.boxes, found[0].boxes, rtol=1e-4, atol=1e-3)


def test_the_loss_reaches_every_part_that_is_used_and_proposals_are_given():
    model = small().train()
    images, targets = batch()
    loss = two_stage_loss(model, images, targets, torch.Generator().manual_seed(0))
    assert set(loss) == {"loss", "objectness", "proposal", "class", "box"}
    assert loss["loss"].item() == pytest.approx(sum(loss[name].item() for name in loss if name != "loss"))
    assert loss["objectness"].item() == pytest.approx(0.693, abs=0.02)  # two answers, nothing known: log 2
    assert loss["class"].item() == pytest.approx(1.609, abs=0.05)  # five answers: log 5
    loss["loss"].backward()
    unused = {"backbone.pyramid.smooth.1", "backbone.pyramid.smooth.2"}  # of the coarser maps
    assert {name.rpartition(".")[0] for name, p in model.named_parameters() if p.grad is None} == unused


def test_a_picture_without_objects_has_a_loss_and_no_box_to_learn():
    model = small().train()
    images, _ = batch(1)
    nothing = [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}]
    loss = two_stage_loss(model, images, nothing)
    assert loss["proposal"].item() == loss["box"].item() == 0
    assert torch.isfinite(loss["loss"])
    loss["loss"].backward()


def test_the_same_draws_give_the_same_loss_and_others_another():
    model, data = small().train(), batch()
    first, again, other = (two_stage_loss(model, *data, torch.Generator().manual_seed(s))["class"].item() for s in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("cut", [None, roi_pool], ids=["align", "pool"])
def test_it_learns_one_picture_by_heart(cut):
    model = small(**({} if cut is None else {"cut": cut})).train()
    image, target = small_world("train", 8)[next(i for i in range(8) if len(small_world("train", 8)[i][1]["boxes"]))]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    generator, losses = torch.Generator().manual_seed(0), []
    for _ in range(25):
        loss = two_stage_loss(model, image[None].repeat(2, 1, 1, 1), [target, target], generator)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


# --- torchvision's


def theirs(seed=0):
    torch.manual_seed(seed)
    return faster_rcnn(PyramidBackbone(signs_network(width=0.125), channels=16, named=True), 4)


def test_torchvisions_transform_leaves_our_pictures_alone():
    model = theirs().eval()
    images, _ = batch()
    seen, _ = model.detector.transform(list(images / 255))
    assert seen.image_sizes == [(128, 128)] * 2
    torch.testing.assert_close(seen.tensors, images / 255)
    assert model.detector.transform.training is False
    seen, _ = model.train().detector.transform(list(images / 255))
    assert seen.tensors.shape == (2, 3, 128, 128)


def test_labels_are_shifted_at_that_edge_and_back(monkeypatch):
    images, targets = batch()
    given = []
    model = theirs()

    def forward(pictures, shifted=None):
        given.append((pictures, shifted))
        if shifted is not None:
            return {"loss_classifier": torch.tensor(1.0), "loss_box_reg": torch.tensor(2.0)}
        return [{"boxes": boxes([0, 0, 5, 5]), "scores": torch.tensor([0.5]), "labels": torch.tensor([1])} for _ in pictures]

    monkeypatch.setattr(model.detector, "forward", forward)
    assert model(images, targets) == {"loss": 3.0, "loss_classifier": 1.0, "loss_box_reg": 2.0}
    pictures, shifted = given[0]
    assert [t["labels"].tolist() for t in shifted] == [(t["labels"] + 1).tolist() for t in targets]
    assert pictures[0].is_floating_point()
    assert 0 < max(p.max() for p in pictures) <= 1
    assert [one.labels.tolist() for one in model.find(images)] == [[0], [0]]


def test_torchvisions_learns_by_our_loss_and_finds():
    model = theirs().train()
    images, targets = batch()
    loss = model(images, targets)
    assert set(loss) == {"loss", "loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg"}
    loss["loss"].backward()
    nothing = [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}] * 2
    assert torch.isfinite(model(images, nothing)["loss"])
    found = model.eval().find(images)
    assert len(found) == 2
    assert all(set(one.labels.tolist()) <= {0, 1, 2, 3} for one in found)


# --- the recipe


@pytest.mark.parametrize("start", recipe.STARTS)
def test_first_network_by_how_it_begins(start):
    torch.manual_seed(0)
    network = recipe.first_network(start)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(700_000 if start != "weaker" else 178_000, rel=0.05)
    with pytest.raises(ValueError, match="start must be one of scratch, frozen, fine-tuned, weaker, got 'cold'"):
        recipe.first_network("cold")


@pytest.mark.parametrize("kind", recipe.KINDS)
def test_same_seed_same_detector(kind):
    samples = small_world("train", 8)
    images, _ = batch(1)
    first, again = (recipe.train(samples, seed=0, epochs=1, kind=kind)(images)[0] for _ in range(2))
    torch.testing.assert_close(first.boxes, again.boxes)
    torch.testing.assert_close(first.scores, again.scores)


def test_another_kind_is_named():
    with pytest.raises(ValueError, match="kind must be one of two-stage, torchvision faster r-cnn, got 'three'"):
        recipe.train(small_world("train", 8), kind="three")


@pytest.mark.parametrize("fit", [recipe.fit_two_stage, recipe.fit_torchvision])
def test_a_frozen_backbone_stays_and_the_pyramid_on_it_learns(fit):
    fitted = fit(small_world("train", 8), epochs=1, start="frozen")
    known = {name: value for name, value in recipe.first_network("frozen").state_dict().items() if name.startswith("backbone.")}
    state = getattr(fitted.last, "detector", fitted.last).state_dict()  # torchvision's stands in a wrapper
    compared = [name for name in known if f"backbone.stages.body.{name.removeprefix('backbone.')}" in state]
    assert len(compared) > 50
    assert all(torch.equal(known[name], state[f"backbone.stages.body.{name.removeprefix('backbone.')}"]) for name in compared)
    torch.manual_seed(0)
    fresh = partial(PyramidBackbone, recipe.first_network("frozen"))().pyramid.state_dict()
    assert not torch.equal(fresh["lateral.0.weight"], state["backbone.pyramid.lateral.0.weight"])
