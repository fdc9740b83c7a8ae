"""What is cut out of a module is what is used, and nothing else."""

import pytest

from coursekit.grading.slicing import CannotCut, Cut, module_statements, statements_of


def names_in(files, path):
    return {name for s in statements_of(files[path]) for name in s.binds}


def cut_for(text):
    """What this text needs of coursekit; its own names are looked up in it."""
    cut, statements = Cut(), statements_of(text)
    imports = {name: target for s in statements for name, target in s.imports.items()}
    for statement in (s for s in statements if s.uses):
        for name, chain in cut.need_of(statement):
            if name in imports:
                cut.need_import(imports[name], chain)
    return cut


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from coursekit.boxes import box_area, nms\ndef f(b): return box_area(b)", {"box_area", "_as_boxes", "torch", "Tensor"}),
        ("from coursekit import boxes as blocks\ndef f(b): return blocks.box_area(b)", {"box_area", "_as_boxes", "torch", "Tensor"}),
        ("import coursekit.boxes\ndef f(b): return coursekit.boxes.FORMATS", {"FORMATS"}),
        ("def f(b):\n    from coursekit.boxes import FORMATS\n    return FORMATS", {"FORMATS"}),
        ("from coursekit.boxes import FORMATS, nms\ndef f(nms): return FORMATS, nms", {"FORMATS"}),  # a parameter is no use of the import
        ("from coursekit.boxes import FORMATS, nms\ndef f():\n    nms = 1\n    return FORMATS, nms", {"FORMATS"}),
        ("from coursekit.boxes import FORMATS, nms\nclass C:\n    nms = FORMATS", {"FORMATS"}),
    ],
)
def test_only_what_is_used_is_cut_out(text, expected):
    assert names_in(cut_for(text).files(), "coursekit/boxes.py") == expected


def test_a_module_handed_on_is_needed_whole():
    kept = names_in(cut_for("from coursekit import detections\ndef f(): return detections").files(), "coursekit/detections.py")
    assert {"Detections", "torch", "dataclass"} <= kept


def test_a_name_that_a_package_passes_on_is_followed():
    cut = cut_for("from coursekit.one_stage.matching import match_anchors\ndef f(): return match_anchors")
    assert "match_anchors" in names_in(cut.files(), "coursekit/one_stage/matching.py")
    assert cut.files()["coursekit/one_stage/__init__.py"] == ""  # on the way, and nothing of it is needed
    passed_on = cut_for("from coursekit.yolo import SIZES\ndef f(): return SIZES").files()
    assert "from coursekit.yolo.model import SIZES" in passed_on["coursekit/yolo/__init__.py"]  # written with a dot there
    assert "SIZES" in names_in(passed_on, "coursekit/yolo/model.py")


def test_packages_are_those_that_are_imported():
    assert cut_for("from coursekit.boxes import box_area\ndef f(): return box_area").packages == {"torch"}
    assert cut_for("from coursekit.boxes import fast_nms\ndef f(): return fast_nms").packages == {"torch", "torchvision"}
    assert cut_for("import math, torch\ndef f(): return math.pi").packages == set()


def test_what_stand_ins_replace_is_not_cut():
    assert cut_for("from coursekit.notebook import check\ndef f(): return check").files() == {}


def test_decorators_and_changes_travel_along():
    source = "import functools\nTABLE = {}\nTABLE['a'] = 1\nTABLE.update(b=2)\nTABLE |= {}\n\n\n@functools.cache\ndef f(): return TABLE\n"
    statements = statements_of(source)
    assert [sorted(s.binds) for s in statements] == [["functools"], ["TABLE"], ["TABLE"], ["TABLE"], ["TABLE"], ["f"]]
    assert statements[-1].source.startswith("@functools.cache\n")
    assert {name for name, _ in statements[-1].uses} == {"functools", "TABLE"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from coursekit.boxes import box_arae\ndef f(): return box_arae", "coursekit.boxes has no box_arae"),
        ("from coursekit.boxen import box_area\ndef f(): return box_area", "there is no module coursekit.boxen"),
    ],
)
def test_what_is_not_there_is_said(text, message):
    with pytest.raises(CannotCut, match=message):
        cut_for(text)


@pytest.mark.parametrize(
    "module", ["coursekit.boxes", "coursekit.yolo.loss", "coursekit.metrics.steps", "coursekit.exercises.n13_boxes_nms"]
)
def test_a_module_cut_to_everything_is_the_module(module):
    cut = Cut()
    cut.need_module(module, ())
    assert {n for m, n in cut.names() if m == module} == {n for s in module_statements(module) for n in s.binds}
    compile(cut.source(module), module, "exec")
