"""Shapes of honest submissions. Each takes a paper on which everything is solved, and makes it what somebody hands in."""

import re

FULL = {"13.box_convert": 2, "13.box_iou": 3, "13.giou": 2, "20.pr_curve": 2, "20.ap_at_points": 2, "20.rank": 1}
SHAPES, EXPECTED = {}, {}


def shape(expected=None):
    """A shape; `expected` says which exercises do not get full points, and their status."""

    def note(make):
        SHAPES[make.__name__], EXPECTED[make.__name__] = make, expected or {}
        return make

    return note


IOU = """def box_iou(boxes1, boxes2):
    shared = overlap(boxes1, boxes2)
    area1 = (boxes1[:, 2:] - boxes1[:, :2]).prod(dim=1)
    area2 = (boxes2[:, 2:] - boxes2[:, :2]).prod(dim=1)
    union = area1[:, None] + area2[None, :] - shared
    return torch.where(union > 0, shared / union, torch.zeros(()))"""
OVERLAP = """def overlap(a, b):
    start = torch.maximum(a[:, None, :2], b[None, :, :2])
    end = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    return (end - start).clamp(min=0).prod(dim=2)"""
NO_CLAMP = OVERLAP.replace(".clamp(min=0)", "") + "\n\n\n" + IOU
RANK = 'def rank(scores):\n    return np.argsort(-scores, kind="stable")'
CURVE = """def pr_curve(right, num_truths):
    hits = np.cumsum(right)
    return hits / num_truths, hits / np.arange(1, len(hits) + 1)"""

LOGGED = """import functools


def logged(function):
    @functools.wraps(function)
    def inner(*arguments, **more):
        print(function.__name__)
        return function(*arguments, **more)

    return inner"""
MATCHED = """def rank(scores):
    match scores:
        case _ if (n := len(scores)) >= 0:
            return np.argsort(-scores, kind="stable")[:n]"""


@shape()
def everything_right(paper):
    pass


@shape(dict.fromkeys(FULL, "not attempted"))  # rank too: a bug to find that nobody looked for
def as_it_was_handed_out(paper):
    for name, stub in paper.stubs.items():
        paper.put(name, stub)


@shape()
def warnings_on_stderr(paper):
    noise = """    import sys, warnings
    warnings.warn("careful")
    print("to stderr", file=sys.stderr)
    np.array([1.0]) / 0
    return"""
    paper.answer("20.rank", RANK.replace("    return", noise))
    paper.below("20.rank", 'import sys\nsys.stderr.write("x" * 10_000)')


@shape()
def prints_everything(paper):
    paper.answer("20.pr_curve", CURVE.replace("    return", '    print("hits", hits, "x" * 5000)\n    return'))
    paper.above("20.pr_curve", "for i in range(20_000):\n    print(i)")


@shape()
def experiments_in_extra_cells(paper):
    trial = "try_it = box_iou(torch.rand(3, 4), torch.rand(2, 4))\ntry_it"
    paper.below("13.box_iou", trial, "1 / 0", "assert False, 'todo'", "raise KeyError('x')", "undefined_name", "")
    paper.below("13.box_iou", "import torchvision\nassert torch.allclose(torchvision.ops.box_iou(a, b), box_iou(a, b))")


@shape()
def a_helper_in_a_cell_above(paper):
    paper.above("13.box_iou", OVERLAP)
    paper.answer("13.box_iou", IOU)


@shape()
def a_helper_in_a_cell_below(paper):
    paper.answer("13.box_iou", IOU)
    paper.below("13.giou", OVERLAP)


@shape()
def only_the_answers_are_left(paper):
    for cells in paper.notebooks.values():
        cells[:] = [cell for cell in cells if cell["metadata"].get("coursekit")]


@shape()
def a_stub_left_below_the_answer(paper):
    for name in FULL:
        cells, place = paper.find(name)
        cells.insert(place + 1, {**cells[place], "source": paper.stubs[name], "id": f"copy-{place}"})


@shape()
def a_wrong_try_above_the_answer(paper):
    cells, place = paper.find("13.box_iou")
    cells.insert(place, {**cells[place], "source": NO_CLAMP})  # the same id twice, too


@shape()
def cells_in_reverse_order(paper):
    for cells in paper.notebooks.values():
        cells.reverse()


@shape()
def everything_in_one_cell(paper):
    for stem, cells in paper.notebooks.items():
        cells[:] = [
            {"cell_type": "code", "metadata": {}, "outputs": [], "source": "\n\n".join(paper.ours[n] for n in FULL if n[:2] == stem[:2])}
        ]


@shape()
def a_cell_cut_in_two(paper):
    for name in FULL:
        definition, _, check = paper.ours[name].rpartition("\n\n\n")
        paper.put(name, definition)
        paper.below(name, check)


@shape()
def magics_and_pip(paper):
    paper.above(
        "13.box_iou", "%matplotlib inline\n!pip install -q torchvision\nfiles = !ls", "%%bash\nrm -rf x", "box_iou?", "?torch.where"
    )
    paper.put(
        "13.box_iou", "%%time\n" + paper.ours["13.box_iou"] + "\n%timeit -n 1 box_iou(a, b)\nget_ipython().run_line_magic('pip', 'list')"
    )


@shape()
def from_colab(paper):
    for content in paper.files.values():
        content["metadata"] = {
            "colab": {"provenance": [], "toc_visible": True},
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
        }
        content["nbformat_minor"] = 0
        for i, cell in enumerate(content["cells"]):
            cell["metadata"] = {"id": f"Kx{i}", "colab": {"base_uri": "https://localhost:8080/"}, "executionInfo": {"elapsed": 3}}
            cell.pop("id", None)
            if cell["cell_type"] == "code":
                cell["source"] = ("#@title An answer\n" + cell["source"]).splitlines(keepends=True)
        content["cells"].insert(
            0, {"cell_type": "code", "metadata": {}, "source": "from google.colab import drive\ndrive.mount('/content')"}
        )


@shape()
def from_vs_code(paper):
    for content in paper.files.values():
        content["metadata"] = {"language_info": {"name": "python"}, "orig_nbformat": 4}
        for i, cell in enumerate(content["cells"]):
            cell["metadata"] = {"vscode": {"languageId": "python"}}
            cell["id"] = f"{i:08x}"


@shape()
def nbformat_4_4_without_ids(paper):
    for content in paper.files.values():
        content["nbformat_minor"] = 4
        for cell in content["cells"]:
            cell.pop("id", None)
            cell["metadata"] = {}


@shape()
def nbformat_3(paper):
    for stem, content in paper.files.items():
        old = []
        for cell in content["cells"]:
            text = cell["source"]
            if cell["cell_type"] == "code":
                old.append(
                    {"cell_type": "code", "language": "python", "input": text, "outputs": [], "prompt_number": 1, "collapsed": False}
                )
            else:
                old.append({"cell_type": "markdown", "source": text, "metadata": {}})
        paper.files[stem] = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": old, "metadata": {}}]}


@shape()
def an_object_that_can_be_called(paper):
    paper.answer(
        "20.rank", 'class Rank:\n    def __call__(self, scores):\n        return np.argsort(-scores, kind="stable")\n\n\nrank = Rank()'
    )


@shape()
def a_lambda(paper):
    paper.answer("20.rank", 'rank = lambda scores: np.argsort(-scores, kind="stable")')


@shape()
def a_partial(paper):
    paper.answer("20.rank", "from functools import partial\n\n\ndef order(scores, kind):\n    return np.argsort(-scores, kind=kind)\n\n\n"
                 'rank = partial(order, kind="stable")')  # fmt: skip


@shape()
def global_constants(paper):
    paper.above("20.rank", "SIGN = -(3 - 2)\nKINDS = {name: name.lower() for name in ['STABLE']}")
    paper.answer("20.rank", "def rank(scores):\n    return np.argsort(SIGN * scores, kind=KINDS['STABLE'])")


@shape()
def hints_from_typing(paper):
    paper.answer(
        "20.rank",
        'from typing import *\n\n\ndef rank(scores: Sequence[float]) -> "List[int]":\n    return np.argsort(-scores, kind="stable")',
    )


@shape()
def hints_that_need_imports(paper):
    paper.answer(
        "20.rank",
        "import numpy.typing as npt\n\n\n" + RANK.replace("(scores)", "(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]"),
    )
    paper.answer("20.pr_curve", "from __future__ import annotations\n\n\n" + CURVE.replace("num_truths)", "num_truths: NotThere[int])"))


@shape()
def float64(paper):
    paper.answer(
        "13.box_iou", OVERLAP + "\n\n\n" + IOU.replace("    shared", "    boxes1, boxes2 = boxes1.double(), boxes2.double()\n    shared", 1)
    )
    paper.answer("20.ap_at_points", "def ap_at_points(recall, precision, points):\n"
                 "    return np.float64(np.mean([precision[recall >= p].max(initial=0.0) for p in points]))")  # fmt: skip


@shape()
def numpy_inside(paper):
    source = OVERLAP.replace("torch.", "np.").replace(".clamp(min=0).prod(dim=2)", ".clip(min=0).prod(axis=2)") + "\n\n\n" + IOU
    source = source.replace("    shared = ", "    boxes1, boxes2 = boxes1.numpy(), boxes2.numpy()\n    shared = ").replace(
        "dim=1", "axis=1"
    )
    source = source.replace(
        "torch.where(union > 0, shared / union, torch.zeros(()))",
        "torch.from_numpy(np.where(union > 0, shared / np.where(union > 0, union, 1), 0))",
    )
    paper.answer("13.box_iou", "import numpy as np\n\n\n" + source)


@shape()
def plots_in_the_answers_cell(paper):
    picture = "\n\nimport matplotlib.pyplot as plt\nplt.figure()\nplt.plot([1, 2])\nplt.show()\n"
    paper.put("20.pr_curve", "import matplotlib.pyplot as plt\n" + paper.ours["20.pr_curve"] + picture)


@shape()
def renamed(paper):
    paper.files = {"Hausaufgabe (endgültig) 2": paper.files["13_boxes"], "Untitled1": paper.files["20_map"]}


@shape()
def uses_its_own_earlier_answer(paper):
    paper.answer("13.box_iou", OVERLAP + "\n\n\n" + IOU)
    start, end = "torch.minimum(a[:, None, :2], b[None, :, :2])", "torch.maximum(a[:, None, 2:], b[None, :, 2:])"
    paper.answer("13.giou", f"def giou(a, b):\n    hull = ({end} - {start}).prod(dim=2)\n    iou, shared = box_iou(a, b), overlap(a, b)\n"
                 "    union = box_area(a)[:, None] + box_area(b)[None, :] - shared\n"
                 "    return iou - torch.where(hull > 0, (hull - union) / hull, torch.zeros(()))")  # fmt: skip


@shape({"13.box_iou": "wrong"})
def a_wrong_earlier_answer_costs_only_itself(paper):
    paper.answer("13.box_iou", NO_CLAMP)


@shape()
def windows_line_ends(paper):
    for content in paper.files.values():
        for cell in content["cells"]:
            cell["source"] = cell["source"].replace("\n", "\r\n")


@shape({name: "missing" for name in FULL if name[:2] == "13"})
def a_cell_that_trains_for_hours(paper):
    paper.only("20_map")
    paper.above("20.pr_curve", "loss = 1.0\nfor step in range(10**9):\n    loss *= 0.999")


@shape({"20.pr_curve": None})
def a_syntax_error_in_one_cell(paper):
    paper.put("20.pr_curve", paper.ours["20.pr_curve"].replace("(right, num_truths):", "(right, num_truths)"))


@shape({"20.pr_curve": None})
def tabs_and_spaces_mixed(paper):
    paper.put("20.pr_curve", "def pr_curve(right, num_truths):\n\thits = np.cumsum(right)\n        return hits / num_truths, hits")


@shape()
def names_in_other_alphabets(paper):
    source = CURVE.replace("hits", "맞음").replace("len(맞음)", "größe").replace("    return", "    größe = len(맞음)\n    return")
    paper.answer("20.pr_curve", "# 정밀도와 재현율 🙂\n" + source)


@shape({"20.rank": "wrong", "20.pr_curve": None})
def async_and_generator(paper):
    paper.answer("20.rank", "async " + RANK)
    paper.answer("20.pr_curve", CURVE.replace("return", "yield"))


@shape({"20.rank": None, "20.pr_curve": None})
def print_instead_of_return(paper):
    paper.answer("20.rank", re.sub(r"return (.*)", r"print(\1)", RANK))
    paper.answer("20.pr_curve", re.sub(r"return (.*)", r"print(\1)", CURVE))


@shape()
def handed_over_by_another_name(paper):
    paper.put("20.rank", RANK.replace("rank", "my_order") + '\n\n\nrank = check("20.rank", my_order)')
    paper.put("20.pr_curve", CURVE.replace("pr_curve", "kurve") + '\n\n\ncheck("20.pr_curve", kurve)')


@shape()
def a_decorated_answer(paper):
    paper.answer("13.box_iou", OVERLAP + "\n\n\n@torch.no_grad()\n" + IOU)
    paper.answer("20.rank", LOGGED + "\n\n\n@logged\n" + RANK)


@shape()
def new_syntax(paper):
    paper.answer("20.rank", MATCHED)


@shape()
def defined_under_a_condition(paper):
    paper.put(
        "20.rank", "if True:\n    " + RANK.replace("\n", "\n    ") + '\nif __name__ == "__main__":\n    rank = check("20.rank", rank)'
    )


@shape({name: "missing" for name in FULL if name[:2] == "20"})
def one_of_two_notebooks(paper):
    paper.only("13_boxes")


@shape({"20.rank": "missing"})
def one_cell_deleted(paper):
    cells, place = paper.find("20.rank")
    del cells[place]


@shape()
def leaves_and_asks_for_input(paper):
    paper.below("20.rank", "name = input('your name')", "exit()", "import sys\nsys.exit(1)", "quit", "import os\nos.chdir('/content')")


@shape()
def built_in_names_taken_for_other_things(paper):
    paper.above("20.pr_curve", "max = 3\nlist = [1, 2]\nsum = 0\nid = 4\nstr = 'text'")


@shape()
def as_a_script(paper):
    paper.ending = "py"


@shape()
def in_a_zip(paper):
    paper.zipped = True


@shape({"13.box_iou": None, "20.pr_curve": None, "20.ap_at_points": None})
def partly_right(paper):
    paper.answer(
        "13.box_iou", OVERLAP + "\n\n\n" + IOU.replace("torch.where(union > 0, shared / union, torch.zeros(()))", "shared / union")
    )
    paper.answer("20.pr_curve", CURVE.replace("hits / num_truths", "hits / hits[-1]"))
    paper.put("20.ap_at_points", paper.ours["20.ap_at_points"].replace(">= point", "> point"))
