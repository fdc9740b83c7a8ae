"""Every figure in shared/data/map_truth/expected.json, through the command that people use."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from coursekit.cli import app

NAMES = {"AP_small": "APs", "AP_medium": "APm", "AP_large": "APl", "AR_1": "AR1", "AR_10": "AR10", "AR_100": "AR100"}
NAMES |= {"AR_small": "ARs", "AR_medium": "ARm", "AR_large": "ARl"}


@pytest.fixture(scope="session")
def truth(real_data):
    return real_data / "map_truth"


@pytest.fixture(scope="session")
def expected(truth):
    return json.loads((truth / "expected.json").read_text())


@pytest.fixture
def evaluate(truth, tmp_path):
    """Run `coursekit eval` in map_truth and return what it writes."""

    def run(ground_truth, detections, *options):
        output = tmp_path / "out.json"
        arguments = ["eval", str(truth / ground_truth), str(truth / detections), "--json", str(output), *map(str, options)]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(output.read_text())

    return run


def assert_coco(got, figures):
    ours = {name: got[NAMES.get(name, name)] for name in figures}
    assert ours == pytest.approx(figures, abs=1e-15)


SAMPLE2 = ("padilla_sample2/groundtruths", "padilla_sample2/detections", "--box-format", "xywh", "--iou", 0.3)


@pytest.mark.parametrize(
    ("protocol", "name", "last_place"), [("voc2007", "eleven_point_AP", 5e-5), ("voc2010", "all_point_AP", 1e-10)], ids=["2007", "2010"]
)
def test_padilla_sample2_ap(evaluate, expected, protocol, name, last_place):
    got = evaluate(*SAMPLE2, "--protocol", protocol)
    assert got["mAP"] == pytest.approx(expected["padilla_sample2"]["published"][name], abs=last_place)


def test_padilla_sample2_row_by_row(evaluate, expected):
    [only] = evaluate(*SAMPLE2, "--protocol", "voc2010")["per_class"]
    assert np.round(only["precision"], 2).tolist() == expected["padilla_sample2"]["published"]["precision"]
    assert np.round(only["recall"], 2).tolist() == expected["padilla_sample2"]["published"]["recall"]
    assert (only["truths"], only["right"] + only["wrong"]) == (expected["padilla_sample2"]["gt"], expected["padilla_sample2"]["det"])


@pytest.mark.parametrize(("protocol", "kind"), [("voc2007", "eleven_point"), ("voc2010", "all_point")])
def test_padilla_sample2_without_plus_one(evaluate, expected, protocol, kind):
    got = evaluate(*SAMPLE2, "--protocol", protocol, "--no-plus-one")
    assert got["mAP"] == pytest.approx(expected["padilla_sample2"]["variants"][f"iou without plus1, {kind}"], abs=1e-10)


TOY_FORMATS = [("abs_xywh", "xywh"), ("abs_xyx2y2", "xyxy"), ("rel_xcycwh", "cxcywh")]


@pytest.mark.parametrize("iou", ["0.5", "0.75"])
@pytest.mark.parametrize(("folder", "box_format"), TOY_FORMATS)
@pytest.mark.parametrize("classes", ["classid", "classname"])
def test_padilla_toyexample_folders(evaluate, expected, truth, classes, folder, box_format, iou):
    folders = ("padilla_toyexample/gts_vocpascal_format", f"padilla_toyexample/dets_{classes}_{folder}")
    names = ("--names", truth / "padilla_toyexample" / "voc.names")
    figures = expected["padilla_toyexample"]
    for protocol, kind in (("voc2007", "eleven_point"), ("voc2010", "all_point")):
        got = evaluate(*folders, "--box-format", box_format, *names, "--protocol", protocol, "--iou", iou)
        assert round(got["mAP"], 4) == figures["published"][iou][kind]
        assert got["mAP"] == pytest.approx(figures["checked"][iou][kind], abs=1e-6)


TOY_COCO = ("padilla_toyexample/gts_coco_format/toy_example_coco.JSON", "padilla_toyexample/dets_coco_format/coco_dets.json")


@pytest.mark.parametrize("iou", ["0.5", "0.75"])
@pytest.mark.parametrize(("protocol", "kind"), [("voc2007", "eleven_point"), ("voc2010", "all_point")])
def test_padilla_toyexample_json_by_voc(evaluate, expected, protocol, kind, iou):
    got = evaluate(*TOY_COCO, "--protocol", protocol, "--iou", iou)
    assert round(got["mAP"], 4) == expected["padilla_toyexample"]["published"][iou][kind]


def test_padilla_toyexample_json_by_coco(evaluate, expected):
    """The file has an annotation id 0. Ours are the numbers that pycocotools gives once the ids start at 1."""
    got = evaluate(*TOY_COCO)
    assert_coco(got, expected["padilla_toyexample"]["pycocotools"]["gt annotation ids +1"])
    assert "annotation id 0" in got["notes"][0]


SMALL = ("faster_coco_eval_small/gt_dataset.json", "faster_coco_eval_small/dt_dataset.json")


def test_faster_coco_eval_small(evaluate, expected):
    figures = expected["faster_coco_eval_small"]["gt_dataset/dt_dataset"]
    assert_coco(evaluate(*SMALL), figures["pycocotools bbox and segm on the files as shipped"])


def test_faster_coco_eval_small_with_the_areas_of_masks(evaluate, expected):
    """The published figures measure detections by their masks, whose areas the file states."""
    figures = expected["faster_coco_eval_small"]["gt_dataset/dt_dataset"]
    assert_coco(evaluate(*SMALL, "--detection-areas"), figures["published (segm, area from mask)"])


def test_faster_coco_eval_crowd_and_string_ids(evaluate, expected):
    figures = expected["faster_coco_eval_small"]["gt_ignore_test/dt_ignore_test"]
    got = evaluate("faster_coco_eval_small/gt_ignore_test.json", "faster_coco_eval_small/dt_ignore_test.json")
    assert_coco(got, figures["published (bbox)"])


CARTUCHO = ("cartucho_sample/ground-truth", "cartucho_sample/detection-results", "--protocol", "voc2010")


def test_cartucho_sample(evaluate, expected):
    figures = expected["cartucho_sample"]
    got = evaluate(*CARTUCHO)
    assert round(got["mAP"], 4) == figures["tool_output_mAP"]
    assert got["mAP"] == pytest.approx(figures["checked"]["plus1"], abs=1e-12)
    classes = {row["name"]: row for row in got["per_class"] if row["truths"]}
    assert {name: round(100 * row["AP"], 2) for name, row in classes.items()} == figures["per_class_percent_from_tool"]
    for name, row in figures["per_class_plus1"].items():
        ours = classes[name]
        assert (ours["right"], ours["wrong"], ours["truths"]) == (row["tp"], row["fp"], row["npos"]), name


def test_cartucho_sample_without_plus_one(evaluate, expected):
    got = evaluate(*CARTUCHO, "--no-plus-one")
    assert got["mAP"] == pytest.approx(expected["cartucho_sample"]["checked"]["without_plus1"], abs=1e-12)
