"""Copies are found however they are dressed up; right answers that people wrote by themselves are not."""

import ast
import random
import re
import time
import tokenize
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest

from coursekit.authoring.solved import solutions_in
from coursekit.grading import similarity
from coursekit.grading.similarity import Pair, matches, read, similar

HERE = Path(__file__).resolve().parents[2]


def other_answers():
    """By exercise, the right answers in other people's words that the tests of the exercises hold, each with its helpers left out."""
    found = {}
    for path in sorted((HERE / "tests" / "exercises").glob("test_*answers.py")) + sorted((HERE / "tests" / "exercises").glob("*_right.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        functions = {
            node.name: ast.get_source_segment(text, node) for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }
        named = [n for n in tree.body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") in ("RIGHT", "HONEST")]
        for node in [inner for outer in named for inner in ast.walk(outer)] + tree.body:
            if isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if (
                        isinstance(key, ast.Constant)
                        and re.fullmatch(r"\d\d\.\w+", str(key.value))
                        and isinstance(value, (ast.List, ast.Name))
                    ):
                        names = [n.id for n in ast.walk(value) if isinstance(n, ast.Name) and n.id in functions]
                        found.setdefault(key.value, {}).update({n: functions[n] for n in names})
            if isinstance(node, ast.FunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "right":
                        found.setdefault(mark.args[0].value, {})[node.name] = functions[node.name]
    return {name: list(texts.values()) for name, texts in found.items()}


@pytest.fixture(scope="module")
def solved():
    return {name: found.solved for path in sorted((HERE / "solutions").glob("*.py")) for name, found in solutions_in(path).items()}


@pytest.fixture(scope="module")
def others():
    return other_answers()


def dressed_up(code: str, seed: int = 0) -> str:
    """A copy with every name of its own, number, string and comment changed, and its functions in another order."""
    dice, names, out = random.Random(seed), {}, []
    before = ""
    for token in tokenize.generate_tokens(StringIO(code).readline):
        kind, text = token.type, token.string
        if kind == tokenize.NAME and before != "." and text not in similarity._KEPT:
            text = names.setdefault(text, f"v{dice.randrange(10**6)}")
        elif kind == tokenize.NUMBER:
            text = str(dice.randrange(100))
        elif kind == tokenize.COMMENT:
            text = f"# {dice.random()}"
        before = token.string if kind not in (tokenize.NL, tokenize.COMMENT) else before
        out.append((kind, text))
    text = tokenize.untokenize(out)
    pieces = re.split(r"(?m)^(?=def |class )", text)
    return pieces[0] + "".join(reversed(pieces[1:]))


# --- words


def test_what_a_learner_can_choose_is_the_same_word():
    one = read(
        'def iou(a, b):\n    """What it does."""\n    # why\n    x = a.clamp(min=0)[:, 1]  # so\n    return x + 1.5 if x else "no"\n'
    )
    two = read("def f(p,q):\n  long_name=p.clamp(min=7)[\n    :,2]\n  return long_name+2e-3 if long_name else 'yes'")
    assert one.words == two.words
    assert "clamp" in one.words
    assert read("x = a.clamp(0)").words != read("x = a.clip(0)").words


@pytest.mark.parametrize(
    "code",
    [
        "def f(:\n  x = (1,\n",
        "'''never closed\nx = 1\n",
        "  x\n y\nz ? $ !\n",
        "%matplotlib inline\n!pip install x\nx = 1",
        "\x00",
        "",
        "((((" * 9,
    ],
)
def test_broken_code_is_read_as_far_as_it_goes(code):
    read(code)
    assert similar({"a": {"13.x": code}, "b": {"13.x": code}}) == []


def test_after_a_break_the_rest_is_read():
    assert read("x = '''\n" + "y = f.clamp(1)\n").words[-3:] == read("f.clamp(1)").words[-3:]


def test_the_longest_passages_are_found_at_their_places():
    a = read("import os\n" + "\n".join(f"x{i} = a.m{i}(b, {i})" for i in range(6)))
    b = read("y = 3\nz = 4\n" + "\n".join(f"q{i} = t.m{i}(u, 9)" for i in range(6)))
    ((i, j, length),) = matches(a, b)
    assert (a.lines[i], b.lines[j]) == (2, 3)
    assert length == 6 * 10


# --- copies


def names_of(pairs: list[Pair]) -> set[tuple[str, str]]:
    return {tuple(sorted((p.first, p.second))) for p in pairs}


def a_class(others, solved, numbers):
    """Students who wrote by themselves: the n-th of them has the n-th other answer to each exercise."""
    wanted = {name: texts for name, texts in others.items() if name[:2] in numbers and name in solved}
    students = {}
    for name, texts in wanted.items():
        for i, text in enumerate(texts):
            students.setdefault(f"s{i}", {})[name] = text
    return students, {name: [solved[name]] for name in wanted}


@pytest.mark.parametrize("number", ["02", "06", "11", "13", "16", "17", "19", "20"])
def test_a_copy_is_found_and_who_wrote_alone_is_not(others, solved, number):
    students, known = a_class(others, solved, {number})
    assert similar(students, known) == []
    copied = max(students, key=lambda s: sum(len(read(t).words) for t in students[s].values()))
    assert sum(len(read(t).runs) for t in students[copied].values()) > 2 * similarity.RUNS
    students["copy"] = {name: dressed_up(text, i) for i, (name, text) in enumerate(students[copied].items())}
    pairs = similar(students, known)
    assert names_of(pairs) == {tuple(sorted((copied, "copy")))}
    assert pairs[0].share > 0.9
    assert pairs[0].passages


def shared(one: dict, two: dict, known: dict) -> tuple[float, int]:
    """Share of runs and number of runs that two students have in common."""
    both, totals = 0, [0, 0]
    for name in one.keys() & two.keys():
        common = {run for text in known.get(name, ()) for run in read(text).runs}
        a, b = (Counter(run for run in read(answers[name]).runs if run not in common) for answers in (one, two))
        both += (a & b).total()
        totals[0] += a.total()
        totals[1] += b.total()
    return both / max(min(totals), 1), both


def test_how_far_the_thresholds_are_from_right_answers_of_other_people(others, solved):
    """The figures that the module's text states."""
    dice, shares = random.Random(0), []
    for number in sorted({name[:2] for name in others if name in solved}):
        names = [name for name in others if name[:2] == number and name in solved and len(others[name]) > 1]
        for _ in range(60):
            one, two = {}, {}
            for name in names:
                one[name], two[name] = dice.sample(others[name], 2)
            shares.append((*shared(one, two, {name: [solved[name]] for name in names}), number))
    print(f"{len(others)} exercises, {sum(map(len, others.values()))} answers; largest {sorted(shares)[-3:]}")
    assert max(shares)[0] < similarity.SHARE / 2


@pytest.mark.parametrize("number", ["13", "16", "19", "20"])
def test_a_copy_with_lines_of_its_own_is_still_far_above(others, solved, number):
    students, known = a_class(others, solved, {number})
    dice = random.Random(1)
    copy = {name: dressed_up(own_way(text, dice, 0.35), 1) for name, text in students["s0"].items()}
    share, runs = shared(students["s0"], copy, known)
    print(f"{share:.2f} of {runs} runs")
    assert share > similarity.SHARE + 0.1
    assert names_of(similar({**students, "copy": copy}, known)) == {("copy", "s0")}


IOU = [
    """
def box_iou(boxes1, boxes2):
    lt = torch.max(boxes1[:, None, :2], boxes2[None, :, :2])
    rb = torch.min(boxes1[:, None, 2:], boxes2[None, :, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[..., 0] * wh[..., 1]
    area1 = (boxes1[:, 2] - boxes1[:, 0]) * (boxes1[:, 3] - boxes1[:, 1])
    area2 = (boxes2[:, 2] - boxes2[:, 0]) * (boxes2[:, 3] - boxes2[:, 1])
    union = area1[:, None] + area2[None, :] - inter
    return torch.where(union > 0, inter / union, torch.zeros_like(inter))
""",
    """
def box_iou(boxes1, boxes2):
    x1 = torch.maximum(boxes1[:, 0].unsqueeze(1), boxes2[:, 0].unsqueeze(0))
    y1 = torch.maximum(boxes1[:, 1].unsqueeze(1), boxes2[:, 1].unsqueeze(0))
    x2 = torch.minimum(boxes1[:, 2].unsqueeze(1), boxes2[:, 2].unsqueeze(0))
    y2 = torch.minimum(boxes1[:, 3].unsqueeze(1), boxes2[:, 3].unsqueeze(0))
    w = (x2 - x1).clamp(min=0)
    h = (y2 - y1).clamp(min=0)
    inter = w * h
    a1 = (boxes1[:, 2] - boxes1[:, 0]) * (boxes1[:, 3] - boxes1[:, 1])
    a2 = (boxes2[:, 2] - boxes2[:, 0]) * (boxes2[:, 3] - boxes2[:, 1])
    union = a1.unsqueeze(1) + a2.unsqueeze(0) - inter
    out = inter / union
    out[union == 0] = 0
    return out
""",
    """
def box_iou(boxes1, boxes2):
    n, m = len(boxes1), len(boxes2)
    result = torch.zeros(n, m)
    for i in range(n):
        for j in range(m):
            ax1, ay1, ax2, ay2 = boxes1[i]
            bx1, by1, bx2, by2 = boxes2[j]
            iw = max(0, min(ax2, bx2) - max(ax1, bx1))
            ih = max(0, min(ay2, by2) - max(ay1, by1))
            inter = iw * ih
            union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inter
            if union > 0:
                result[i, j] = inter / union
    return result
""",
    """
def area(b):
    return (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])

def box_iou(boxes1, boxes2):
    a, b = boxes1[:, None], boxes2[None]
    top_left = torch.maximum(a[..., :2], b[..., :2])
    bottom_right = torch.minimum(a[..., 2:], b[..., 2:])
    sides = torch.clamp(bottom_right - top_left, min=0)
    shared = sides.prod(dim=-1)
    total = area(boxes1)[:, None] + area(boxes2)[None] - shared
    return torch.nan_to_num(shared / total, nan=0.0)
""",
]
NMS = [
    """
def nms(boxes, scores, iou_threshold):
    order = scores.argsort(descending=True, stable=True)
    keep = []
    while len(order) > 0:
        i = order[0]
        keep.append(int(i))
        if len(order) == 1:
            break
        ious = box_iou(boxes[i][None], boxes[order[1:]])[0]
        order = order[1:][ious <= iou_threshold]
    return torch.tensor(keep, dtype=torch.int64)
""",
    """
def nms(boxes, scores, iou_threshold):
    idx = torch.argsort(scores, descending=True, stable=True)
    kept = []
    while idx.numel():
        best = idx[0]
        kept.append(best.item())
        rest = idx[1:]
        overlap = box_iou(boxes[best].unsqueeze(0), boxes[rest]).squeeze(0)
        idx = rest[overlap <= iou_threshold]
    return torch.as_tensor(kept, dtype=torch.long)
""",
    """
def nms(boxes, scores, iou_threshold):
    table = box_iou(boxes, boxes)
    suppressed = torch.zeros(len(boxes), dtype=torch.bool)
    keep = []
    for i in scores.sort(descending=True, stable=True).indices.tolist():
        if suppressed[i]:
            continue
        keep.append(i)
        suppressed |= table[i] > iou_threshold
    return torch.tensor(keep, dtype=torch.long)
""",
    """
def nms(boxes, scores, iou_threshold):
    keep = []
    for i in sorted(range(len(boxes)), key=lambda k: -scores[k]):
        ok = True
        for j in keep:
            if box_iou(boxes[i:i+1], boxes[j:j+1])[0, 0] > iou_threshold:
                ok = False
        if ok:
            keep.append(i)
    return torch.tensor(keep, dtype=torch.int64)
""",
]


def test_the_usual_ways_to_write_iou_and_nms_are_no_copies_of_each_other(solved):
    """As a class really writes them, each combination of two ways by one student."""
    known = {"13.box_iou": [solved["13.box_iou"]], "13.nms": [solved["13.nms"]]}
    students = {f"s{i}": {"13.box_iou": IOU[i], "13.nms": NMS[i]} for i in range(4)}
    assert similar(students, known) == []
    students["copy"] = {name: dressed_up(text) for name, text in students["s1"].items()}
    assert names_of(similar(students, known)) == {("copy", "s1")}


def test_a_part_that_was_copied_is_enough_if_it_is_long(others, solved):
    students, known = a_class(others, solved, {"20", "13", "19"})
    name, text = max(students["s0"].items(), key=lambda item: len(read(item[1]).words))
    assert len(read(text).runs) > similarity.ONE_RUNS
    students["s1"] = {**students["s1"], name: dressed_up(text)}
    assert names_of(similar(students, known)) == {("s0", "s1")}


# --- what does not count


def test_what_was_handed_out_and_the_authors_answer_do_not_count(solved):
    names = [name for name in solved if name[:2] in ("13", "20")]
    students = {f"s{i}": {name: dressed_up(solved[name], i) for name in names} for i in range(4)}
    assert similar(students, {name: [solved[name]] for name in names}) == []
    assert len(similar(students)) == 6


def test_stubs_that_were_handed_in_are_not_alike(solved):
    """Only the author's solutions are known: what a stub has of its own stands around its NotImplementedError."""
    stubs = {
        name: found.student
        for path in sorted((HERE / "solutions").glob("*.py"))
        for name, found in solutions_in(path).items()
        if not found.own_stub
    }
    assert len(stubs) > 100
    students = {who: {name: f"# {who}\n{text}" for name, text in stubs.items()} for who in ("a", "b", "c")}
    assert similar(students, {name: [solved[name]] for name in stubs}) == []


def test_what_many_wrote_does_not_count(others, solved):
    students, known = a_class(others, solved, {"13"})
    everybody = {f"e{i}": dict(students["s0"]) for i in range(12)}
    assert similar(everybody, known) == []
    assert similar(dict(list(everybody.items())[:3]), known)


def test_short_answers_do_not_alarm():
    code = "def f(x):\n    return (x - x.mean()) / x.std().clamp(min=1e-6)\n"
    assert similar({"a": {"01.f": code}, "b": {"01.f": code}}) == []


# --- a thousand


def test_a_thousand_submissions_are_fast(others, solved):
    """Everybody has a pick of other people's answers, slightly changed; twenty copy somebody."""
    dice = random.Random(3)
    wanted = {name: [*texts, solved[name]] for name, texts in others.items() if name[:2] in ("13", "20") and name in solved}
    students = {}
    for i in range(1000):
        students[f"s{i}"] = {name: own_way(dice.choice(texts), dice) for name, texts in wanted.items()}
    for i in range(20):
        students[f"s{i}"] = {name: dressed_up(text, i) for name, text in students[f"s{900 + i}"].items()}
    read.cache_clear()
    started = time.process_time()
    pairs = similar(students, {name: [solved[name]] for name in wanted})
    took = time.process_time() - started
    right = {tuple(sorted((f"s{i}", f"s{900 + i}"))) for i in range(20)}
    print(f"{took:.1f} s of CPU; {len(pairs)} pairs, {len(right & names_of(pairs))} of 20 copies; {pairs[:3] and pairs[0].share}")
    assert took < 20
    assert right <= names_of(pairs)
    assert len(pairs) <= 22


def own_way(code: str, dice: random.Random, often: float = 0.5) -> str:
    """A line of one's own between the lines, here and there."""
    out = []
    for line in code.split("\n"):
        out.append(line)
        bare = line.strip()
        plain = bare and not bare.startswith(("def ", "class ", "@", "#", '"', "'")) and bare[-1] not in ",([{:\\"
        if (
            plain
            and dice.random() < 0.5
            and not bare.startswith(("return", "break", "continue", ")", "]", "}"))
            and line.startswith("    ")
        ):
            indent = line[: len(line) - len(line.lstrip())]
            word = f"w{dice.randrange(10**6)}"
            out.append(f"{indent}x.{word}({dice.randrange(9)})")
    return "\n".join(out)
