"""Grades to show, texts that try to break out of a page, and a reader that says which elements a page has. Used by the tests of pages."""

from html.parser import HTMLParser

from coursekit.grading.html import ATTRIBUTES, ELEMENTS, SHAPES, VOID
from coursekit.grading.records import Grade, Mark

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</style><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "</pre></section></main><iframe src=//example.invalid>",
    '<svg><animate onbegin=alert(1) attributeName=x dur=1s><a href="javascript:alert(1)">x</a></svg>',
    "<!--",
    "--><b>",
    "]]><b>",
    "&lt;script&gt;&#60;b&#62;",
    '<meta http-equiv="refresh" content="0;url=//example.invalid">',
    "<base href=//example.invalid>",
    "＜script＞alert(1)＜/script＞",
    "\u202egnp.exe\u202c",
    "a\x00<b>\x1b[31m\x85\u2028<i>\ud800",
    "<\u0000script>",
    "\u200b<b\u200b>\ufeff",
    "{{7*7}}${7*7}<%= 7 %>",
    "x" * 100_000,
    "a" + "\u0301" * 5000,
]


class Reader(HTMLParser):
    """Every element in order, with its attributes; and the text."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.strange = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in SHAPES and (self.get_starttag_text() or "")[-2:] != "/>":
            self.strange.append(f"<{tag}> that is never closed")
        if tag not in ELEMENTS:
            self.strange.append(tag)
        known = {name.lower() for name in ATTRIBUTES}
        self.strange += [f"{tag} {name}" for name, _ in attributes if name not in known]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()
        if tag not in SHAPES:  # everywhere else a browser does not see the slash
            self.strange.append(f"<{tag}/>")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.strange.append(f"</{tag}>")

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        self.strange.append(f"<!--{data[:40]}")

    def unknown_decl(self, data):
        self.strange.append(f"<![{data[:40]}")

    def handle_pi(self, data):
        self.strange.append(f"<?{data[:40]}")

    @property
    def tags(self):
        return [tag for tag, _ in self.elements]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def read(text: str) -> Reader:
    """A page, read; fails where it has an element or attribute that we never write, or one that is not closed."""
    reader = Reader(text)
    assert not reader.strange, reader.strange[:5]
    assert not reader.open, reader.open
    return reader


def stays_here(reader: Reader) -> None:
    """Nothing is fetched, sent or run."""
    assert "script" not in reader.tags
    policy = next(a["content"] for tag, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    for tag, attributes in reader.elements:
        for name in ("href", "action"):
            assert not attributes.get(name, "").lower().startswith(("http", "//", "javascript", "data", "\\")), (tag, attributes)
        assert "src" not in attributes
        assert "style" not in attributes


def some_marks() -> tuple[Mark, ...]:
    groups = (("two boxes that touch", True), ("boxes that are apart", False), ("random", False))
    shown = {
        "boxes1": "tensor([[0., 0., 4., 2.]])",
        "boxes2": "tensor([[6., 3., 9., 5.]])",
        "expected": "tensor([[0.]])",
        "got": "tensor([[0.1765]])",
    }
    message = "At [0, 0] got 0.1765, expected 0.0 (1 of 1 values differ)."
    clamp = "Boxes that do not touch got a positive overlap. How wide is an empty intersection?"
    return (
        Mark("13.box_convert", 2, 2, "passed", "All 34 cases agree.", groups=(("there and back", True),), seed=81523),
        Mark(
            "13.box_iou",
            1,
            3,
            "wrong",
            message,
            "boxes that are apart",
            shown,
            "no-clamp",
            clamp,
            groups,
            "shape: (1, 1)\n" * 3,
            seed=62218,
        ),
        Mark("13.nms", 0, 4, "not attempted", seed=5),
        Mark("20.match", 0, 2, "missing"),
        Mark("20.pr_curve", 0, 3, "broke off", "The process that ran your answer ended.", printed="starting\n", seed=99),
        Mark("20.average_precision", 0, 3, "too slow", "It was stopped after 5 seconds; ours needs a small part of one."),
        Mark(
            "20.ap_table", 2, 3, "wrong", "A value differs.", "ties in the scores", groups=(("simple", True), ("ties in the scores", False))
        ),
        Mark("01.slices", 0, 1, "error", "Your code raised NameError: name 'torhc' is not defined", "a row", {"x": "tensor([1, 2])"}),
    )


def some_grade(student="Kim Min-seo", **changes) -> Grade:
    values = {
        "assignment": "hw3",
        "student": student,
        "attempt": 1,
        "submission": "ab" * 32,
        "bundle": "cd" * 32,
        "marks": some_marks(),
        "tier": "namespaces",
        "versions": {"coursekit": "0.9.0", "python": "3.11.9", "numpy": "2.3.1", "torch": "2.15.0"},
        "started": "2026-11-26T06:00:00Z",
        "submitted": "2026-11-25T22:15:00Z",
        "seconds": 0.8,
        "cpu_seconds": 0.4,
    }
    return Grade(**{**values, **changes})
