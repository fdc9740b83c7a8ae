"""Pages that hold what strangers wrote. Whatever is put into an element is escaped unless an element made it; there is no other way in.

    element("p", "You wrote ", element("code", answer), class_="got")

No script, no style attribute, nothing from elsewhere: a page says so itself, in a Content-Security-Policy that a browser enforces.
"""

import base64
import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable

VOID = frozenset(("meta", "br", "hr", "input", "wbr", "img"))
SHAPES = frozenset(("rect", "line"))  # of SVG, where only a slash closes an element without an end tag
_TEXT = (
    "h1",
    "h2",
    "h3",
    "h4",
    "p",
    "div",
    "span",
    "a",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "pre",
    "code",
    "em",
    "strong",
    "small",
    "details",
)
_TABLES = ("table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "g", "text", "summary")
_FORMS = ("form", "button", "label", "textarea", "fieldset", "legend")
_DOCUMENT = ("html", "head", "title", "style", "body", "header", "main", "footer", "nav", "section")
ELEMENTS = VOID.union(SHAPES, _TEXT, _TABLES, _FORMS, _DOCUMENT)
_COMMON = ("lang", "charset", "name", "content", "http-equiv", "id", "class", "href", "scope", "colspan", "role", "tabindex", "open")
_FIELDS = ("for", "type", "value", "method", "action", "rows", "maxlength", "min", "max", "step", "accesskey", "autofocus", "autocomplete")
_SHAPES = ("viewBox", "width", "height", "x", "y", "x1", "x2", "y1", "y2", "rx", "d", "text-anchor")
ATTRIBUTES = frozenset(("aria-label", "aria-hidden", "aria-current", "src", "alt")).union(_COMMON, _FIELDS, _SHAPES)
_LINK = re.compile(r"#[A-Za-z][\w-]*|/?[A-Za-z0-9_%~.-]+(/[A-Za-z0-9_%~.-]+)*/?(#[A-Za-z][\w-]*)?", re.ASCII)  # no scheme, no //host
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u180b\u180c\u180d\u180f")  # letters by their category, blank to the eye
_JOINERS = frozenset("\u200c\u200d")  # without them Persian words and family emoji fall apart
_MARKS = 4  # more accents on one letter than any language stacks would draw over the lines above


class Html(str):
    """Markup that `element` made, or that stands in our own source."""

    __slots__ = ()


def visible(text: object, most: int = 300) -> str:
    """Text that shows what is in it: control characters, text that runs backwards and blank letters are named; it is cut after `most`."""
    text = str(text)
    cut = len(text) > most
    text = text[:most].replace("\r\n", "\n")
    if not (text.isascii() and text.isprintable()):
        text = "".join(_shown(text))
    return text + " …" if cut else text


def _shown(text: str) -> Iterable[str]:
    marks = 0
    for letter in text:
        category = unicodedata.category(letter)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if letter in "\n\t" or letter in _JOINERS:
            yield letter
        elif ord(letter) < 32:
            yield chr(0x2400 + ord(letter))  # ␀ and its neighbours
        elif letter in _INVISIBLE or category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
            yield f"⟦U+{ord(letter):04X}⟧"
        elif marks <= _MARKS:
            yield letter


def element(tag: str, *children: object, **attributes: object) -> Html:
    """One element.

    Args:
        tag: its name, one of ours.
        children: `Html` stays as it is, lists are unrolled, None is left out; everything else is text, and escaped.
        attributes: ``class_="got"``, ``aria_label="…"``; None and False are left out, True is an attribute without a value.

    Raises:
        ValueError: for an element, attribute or link that no page of ours needs: a fault of ours, never a learner's.
    """
    if tag not in ELEMENTS:
        raise ValueError(f"tag must be one of ours, got {tag!r}")
    parts = [f"<{tag}"]
    for key, value in attributes.items():
        name = key.rstrip("_").replace("_", "-")
        if name not in ATTRIBUTES:
            raise ValueError(f"an attribute of <{tag}> must be one of ours, got {name!r}")
        if value is None or value is False:
            continue
        if name in ("href", "action", "src") and not _LINK.fullmatch(str(value)):
            raise ValueError(f"{name} must stay on this machine, got {str(value)[:80]!r}")
        parts.append(f" {name}" if value is True else f' {name}="{html.escape(str(value))}"')
    parts.append("/>" if tag in SHAPES else ">")
    if tag in VOID or tag in SHAPES:
        return Html("".join(parts))
    parts.append(_inside(children))
    return Html("".join([*parts, f"</{tag}>"]))


def _inside(children: Iterable[object]) -> str:
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, (list, tuple)):
            parts.append(_inside(child))
        else:
            parts.append(html.escape(str(child)))
    return "".join(parts)


def words(text: object, most: int = 2000) -> list[Html | str]:
    """A message as ours are written: `backticks` become code, line breaks stay."""
    pieces = visible(text, most).split("`")
    if len(pieces) % 2 == 0:  # a backtick without its twin
        pieces = ["`".join(pieces)]
    parts: list[Html | str] = []
    for number, piece in enumerate(pieces):
        if number % 2:
            parts.append(element("code", piece))
            continue
        for line, text in enumerate(piece.split("\n")):
            parts += [element("br"), text] if line else [text]
    return parts


def name_of(text: object, most: int = 80) -> list[Html | str]:
    """An exercise's name, which may be broken after its dots and underscores."""
    pieces = re.split(r"(?<=[._])", visible(text, most))
    return [part for i, piece in enumerate(pieces) for part in ((element("wbr"), piece) if i else (piece,))]


def block(text: object, most: int = 4000, label: str | None = None) -> Html:
    """Code or output as it stands, in a box that scrolls by itself; a keyboard reaches it."""
    name = {"role": "region", "aria_label": label} if label else {}
    return element("pre", visible(text, most), tabindex="0", **name)


def number(value: float) -> str:
    """Points as people write them: 3, 2.5, 0.67."""
    value = float(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1e9 else "?"  # NaN too


def of(points: float, out_of: float) -> str:
    return f"{number(points)} of {number(out_of)}"


def bar(share: float, words_for_it: str, width: int = 160) -> Html:
    """A share from 0 to 1 as a bar; the words say the same."""
    share = min(max(share, 0.0), 1.0) if share == share else 0.0
    shapes = element("rect", width=width, height=10, rx=5, class_="track"), element("rect", width=f"{width * share:.1f}", height=10, rx=5)
    return element("svg", *shapes, class_="bar", viewBox=f"0 0 {width} 10", width=width, height=10, role="img", aria_label=words_for_it)


def page(title: str, *body: object, style: str = "", forms: bool = False, pictures: bool = False) -> str:
    """A whole document.

    Args:
        title: text.
        body: what `element` made.
        style: rules that this page needs beyond the common ones, from our own source.
        forms: it may send a form to where it came from.
        pictures: it may show pictures from where it came from.
    """
    sheet = STYLE + style
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    target = "'self'" if forms else "'none'"
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action {target}"
    policy += "; img-src 'self'" if pictures else ""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="same-origin"),
        element("meta", name="robots", content="noindex"),
        element("title", visible(title, 120)),
        element("style", Html(sheet)),
    )
    return "<!doctype html>\n" + element("html", head, element("body", *body), lang="en") + "\n"


# Colours: those of the notebooks' checks, darker where they are text; at least 4.5:1 on their own ground.
STYLE = """
:root {
  --ink: #1d2329; --soft: #59626c; --page: #ffffff; --card: #f6f7f9; --line: #d9dde2;
  --good: #18743f; --bad: #b83232; --open: #616973; --info: #2565a0;
}
@media (prefers-color-scheme: dark) { :root {
  --ink: #e6e9ec; --soft: #a3abb4; --page: #15181b; --card: #1e2226; --line: #363c43;
  --good: #58c98a; --bad: #f08a8a; --open: #a3abb4; --info: #7db6ea;
} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem; max-width: 52rem; background: var(--page); color: var(--ink); overflow-wrap: anywhere; }
body { font: 1rem/1.5 system-ui, "Noto Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.2rem 0 0.4rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 2rem 0 0.4rem; }
h3 { font-size: 1rem; margin: 1rem 0 0.3rem; }
h2 small, h3 small { font-weight: 400; white-space: nowrap; }
p, ul, ol, dl { margin: 0.4rem 0; }
ul, ol { padding-left: 1.4rem; }
a { color: var(--info); }
pre, code { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 0.875rem; }
pre { margin: 0.2rem 0; padding: 0.5rem 0.7rem; background: var(--page); border: 1px solid var(--line); border-radius: 0.4rem; }
pre { overflow: auto; max-height: 26rem; overflow-wrap: normal; }
.card { background: var(--card); border: 1px solid var(--line); border-left: 0.3rem solid var(--open); border-radius: 0.4rem; }
.card { padding: 0.6rem 0.9rem; margin: 0.7rem 0; }
.card > h2, .card > h3 { margin-top: 0.1rem; }
.good { border-left-color: var(--good); }
.bad { border-left-color: var(--bad); }
.info { border-left-color: var(--info); }
.mark { font-weight: 700; color: var(--open); }
.mark.good { color: var(--good); }
.mark.bad { color: var(--bad); }
.mark.info { color: var(--info); }
.soft, small, footer { color: var(--soft); }
.points { font-size: 1.35rem; font-weight: 700; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
caption { text-align: left; padding: 0.3rem 0; color: var(--soft); }
th, td { text-align: left; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; }
thead th { vertical-align: bottom; }
th.n, td.n { text-align: right; }
svg { max-width: 100%; fill: var(--info); }
svg .track { fill: var(--line); }
svg text { fill: var(--ink); font: 12px system-ui, "Noto Sans", sans-serif; }
svg line { stroke: var(--line); }
dt { font-weight: 600; }
dd { margin: 0 0 0.4rem; }
summary { cursor: pointer; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 0.6rem; font-size: 0.875rem; }
@media print {
  body { max-width: none; padding: 0; }
  pre { max-height: none; white-space: pre-wrap; overflow-wrap: anywhere; }
  .card, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  a { color: inherit; text-decoration: none; }
}
"""
