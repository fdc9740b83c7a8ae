"""The pages for marking by hand, served to this machine's own browser only.

Whoever lacks the random token of the address gets nothing; a page of elsewhere that tries to send marks is refused by its Host and Origin;
nothing that a student wrote is shown other than as text. No script: every button is a form's, and every press is written down at once.
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from coursekit.grading.html import Html, bar, block, element, number, page, visible
from coursekit.grading.markdown import markdown
from coursekit.grading.marking import Desk, Part, Piece, points_in
from coursekit.grading.papers import Paper
from coursekit.loopback import HEADERS, LoopbackServer

LARGEST = 400_000  # bytes of a form
LONGEST_COMMENT = 4000


def overview(desk: Desk, home: str) -> str:
    """Who is marked and who is not."""
    marks, rows = desk.marks(), []
    for place, student in enumerate(desk.students):
        given = [marks.get((student, part.id)) for part in desk.parts]
        done = all(given)
        symbol = element("span", "✓" if done else "○", class_=f"mark {'good' if done else ''}", aria_hidden="true")
        name = element("a", visible(desk.shown_name(student), 80), href=f"{home}/{place + 1}")
        cells = [element("td", number(mark.points) if mark else "–", class_="n") for mark in given]
        rows.append(element("tr", element("th", symbol, " ", name, scope="row"), cells))
    columns = [element("th", visible(part.title, 40), scope="col", class_="n") for part in desk.parts]
    table = element("table", element("thead", element("tr", element("th", "Student", scope="col"), columns)), element("tbody", rows))
    first = desk.next_unmarked()
    start = (
        "Everything is marked." if first is None else element("a", "Go on marking", href=f"{home}/{first + 1}", accesskey="n", class_="go")
    )
    body = element("h1", "Marking by hand"), _progress(desk), element("p", start), element("div", table, class_="wide")
    return page(
        f"{desk.name}: marking", element("main", element("p", visible(desk.name, 120), class_="soft"), *body), style=STYLE, forms=True
    )


def _progress(desk: Desk) -> Html:
    done, all_of_it = desk.progress()
    said = f"{done} of {all_of_it} marks given"
    return element("p", bar(done / all_of_it, said, 200), f" {said}")


def student_page(desk: Desk, place: int, home: str, message: str = "", typed: Mapping[str, str] | None = None) -> str:
    """One submission with a form for every part.

    Args:
        place: of the student, from 0.
        home: where the pages begin.
        message: what went wrong with what was sent.
        typed: the form as it was sent, so that nothing typed is lost.
    """
    student = desk.students[place]
    marks = {mark.part: mark for mark in desk.book.manual(desk.name, student)}
    parts = []
    for i, part in enumerate(desk.parts):
        mark = marks.get(part.id)
        comment = desk.drafts.get((student, part.id)) or (mark.comment if mark else "")
        points = typed_points(mark.points) if mark else ""
        if typed is not None:
            comment, points = typed.get(f"comment{i}", comment), typed.get(f"points{i}", points)
        answer = _answer(desk.answers[student][part.id], f"{home}/{place + 1}/picture", desk.papers.get(student, ()))
        parts.append(_part(i, part, answer, _help(desk.helps.get((student, part.id), ())), points, comment, mark is not None))
    problem = element("p", "Could not be read: ", visible(desk.problems[student], 300)) if student in desk.problems else None
    body = [
        _navigation(desk, place, home),
        element("h1", visible(desk.shown_name(student), 80)),
        _progress(desk),
        element("p", element("strong", "Not saved: "), visible(message, 300), role="alert", class_="card bad") if message else None,
        problem,
        _papers(desk.papers.get(student, ()), f"{home}/{place + 1}/picture"),
        element(
            "form",
            element(
                "button", "Save all", name="save", value="all", class_="first", tabindex="-1", aria_hidden="true"
            ),  # what Enter presses
            *parts,
            element("p", element("button", "Save what is typed", name="save", value="all", accesskey="s")),
            method="post",
            action=f"{home}/{place + 1}",
        ),
    ]
    pictures = any(paper.picture for paper in desk.papers.get(student, ()))
    return page(f"{desk.shown_name(student)}: marking", element("main", *body), style=STYLE, forms=True, pictures=pictures)


def _papers(papers: Sequence[Paper], pictures: str) -> Html | None:
    """What was handed in beside the notebook: texts as texts, of pictures the pixels; what could not be read says why."""
    if not papers:
        return None
    shown = []
    for i, paper in enumerate(papers):
        told = [element("p", visible(paper.note, 400), class_="soft")] if paper.note else []
        if paper.picture:
            told.append(_picture(i, paper, pictures))
        elif paper.text:
            told += markdown(paper.text) if paper.kind == "report" else [block(paper.text, 20_000, visible(paper.name, 80))]
        shown.append(element("details", element("summary", visible(paper.name, 120)), *told, class_="answer"))
    count = f"{len(papers)} file{'s' if len(papers) != 1 else ''} beside the notebook"
    return element("section", element("h2", count), *shown, class_="card", id="papers")


def _picture(i: int, paper: Paper, pictures: str) -> Html:
    return element("img", src=f"{pictures}/{i}", alt=visible(paper.name, 120), class_="paper")


def _help(sentences: Sequence[str]) -> Html | None:
    """Beside a part, apart from the answer and from the levels: a machine has no points to give here."""
    if not sentences:
        return None
    items = [element("li", visible(sentence, 400)) for sentence in sentences[:12]]
    return element(
        "details", element("summary", "What a machine noticed (a help, no mark)"), element("ul", items), open=True, class_="soft"
    )


def _navigation(desk: Desk, place: int, home: str) -> Html:
    links = [element("a", "All", href=f"{home}/")]
    if place:
        links.append(element("a", "← before", href=f"{home}/{place}", accesskey="b"))
    if place + 1 < len(desk.students):
        links.append(element("a", "after →", href=f"{home}/{place + 2}", accesskey="a"))
    unmarked = desk.next_unmarked(place)
    if unmarked is not None and unmarked != place:
        links.append(element("a", "next unmarked", href=f"{home}/{unmarked + 1}", accesskey="n"))
    spaced = [piece for link in links for piece in (link, " · ")][:-1]
    return element(
        "nav", element("p", visible(desk.name, 120), f", {place + 1} of {len(desk.students)}", class_="soft"), element("p", spaced)
    )


def _part(i: int, part: Part, answer: Html, noticed: Html | None, points: str, comment: str, marked: bool) -> Html:
    state = element("span", "✓ marked" if marked else "○ not marked yet", class_=f"mark {'good' if marked else ''}")
    buttons = [
        element(
            "button",
            element("strong", number(worth)),
            " ",
            visible(text, 300),
            " ✓" if marked and points == typed_points(worth) else None,
            name="save",
            value=f"{i}:{typed_points(worth)}",
            class_="level chosen" if marked and points == typed_points(worth) else "level",
        )
        for worth, text in part.levels
    ]
    field = f"points{i}"
    own = element(
        "p",
        element("label", "Points", for_=field),
        " ",
        element("input", id=field, name=field, value=visible(points, 12), maxlength=12, autocomplete="off"),
        f" of {number(part.points)}",
    )
    said = element("label", "Comment to the learner", for_=f"comment{i}")
    box = element(
        "textarea", "\n", visible(comment, LONGEST_COMMENT), id=f"comment{i}", name=f"comment{i}", rows=3, maxlength=LONGEST_COMMENT
    )
    heading = element("h2", visible(part.title, 120), " ", element("small", f"{number(part.points)} points"))
    return element("section", heading, element("p", state), answer, noticed, *buttons, own, said, box, class_="card", id=f"part{i}")


def _answer(pieces: tuple[Piece, ...], pictures: str, papers: Sequence[Paper]) -> Html:
    """What the learner wrote: markdown as our own elements, and as it was typed."""
    if not pieces:
        return element("p", element("em", "Nothing is written here."), class_="answer")
    shown = [block(piece.text, 40_000) if piece.kind == "code" else markdown(piece.text) for piece in pieces]
    shown += [_picture(i, papers[i], pictures) for piece in pieces for i in piece.pictures]
    typed = "\n\n".join(piece.text for piece in pieces)
    return element(
        "div",
        *shown,
        element("details", element("summary", "as it was typed"), block(typed, 80_000)),
        class_="answer",
        role="group",
        aria_label="answer",
    )


def typed_points(points: float) -> str:
    """For a field: nothing is lost when it is sent back."""
    return f"{points:.12g}"


def save(desk: Desk, place: int, form: Mapping[str, str]) -> str | None:
    """Write down everything that was typed, and the level that was pressed; returns what is wrong with it, if anything is."""
    student = desk.students[place]
    pressed, _, worth = form.get("save", "all").partition(":")
    wrong = None
    with desk.lock:
        for i, part in enumerate(desk.parts):
            comment = form.get(f"comment{i}", "").replace("\r\n", "\n").strip()[:LONGEST_COMMENT]
            text = worth if pressed == str(i) else form.get(f"points{i}", "").strip()
            if not text:
                desk.drafts[student, part.id] = comment
                continue
            try:
                desk.give(student, part, points_in(text, part), comment)
            except ValueError as error:
                wrong = wrong or str(error)
                desk.drafts[student, part.id] = comment
    return wrong


class Handler(BaseHTTPRequestHandler):
    """One request. `server` is a `MarkingServer`."""

    timeout = 60
    server_version, sys_version = "coursekit", ""
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        if (where := self._where()) is None:
            return
        server = self.server
        if where == "":
            self._send(200, overview(server.desk, server.home))
        elif "/" in where:
            self._send_picture(where)
        elif (place := self._place(where)) is not None:
            self._send(200, student_page(server.desk, place, server.home))

    def do_POST(self):
        if (where := self._where()) is None or (place := self._place(where)) is None:
            return
        server = self.server
        if self.headers.get("Origin") not in server.origins:
            self._send(403, "A mark must come from the marking page itself.\n")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= LARGEST):
            self._send(413, f"A form has at most {LARGEST // 1000} kB.\n")
            return
        sent = parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=500)
        form = {name: values[-1] for name, values in sent.items()}
        wrong = save(server.desk, place, form)
        if wrong:
            self._send(422, student_page(server.desk, place, server.home, wrong, form))
            return
        self._send(303, "", server.after(place))

    def _where(self) -> str | None:
        """What follows the token; None, and an answer is sent, where this is none of our own requests."""
        server = self.server
        if self.headers.get("Host") not in server.hosts:
            self._send(403, "This page is only for the browser of the machine it runs on.\n")
            return None
        _, token, *rest = [*urlsplit(self.path).path.split("/", 2), ""]
        if not hmac.compare_digest(token.encode(), server.token.encode()):
            self._send(403, "The address is not the one that coursekit mark printed.\n")
            return None
        return rest[0] if rest else ""

    def _send_picture(self, where: str) -> None:
        """``3/picture/0``: a picture that we packed ourselves."""
        number, _, which = where.partition("/picture/")
        place = self._place(number)
        if place is None:
            return
        desk = self.server.desk
        papers = desk.papers.get(desk.students[place], ())
        known = which.isascii() and which.isdigit() and len(which) < 5 and int(which) < len(papers)
        if known and papers[int(which)].picture:
            self._send(200, papers[int(which)].picture)
        else:
            self._send(404, "There is no such picture.\n")

    def _place(self, where: str) -> int | None:
        if where.isascii() and where.isdigit() and len(where) < 9 and 1 <= int(where) <= len(self.server.desk.students):
            return int(where) - 1
        self._send(404, "There is no such submission.\n")
        return None

    def _send(self, status: int, content: str | bytes, location: str | None = None) -> None:
        """A page, a sentence, or the bytes of a PNG."""
        if isinstance(content, bytes):
            body, kind = content, "image/png"
        else:
            body = content.encode("utf-8", "replace")
            kind = f"text/{'html' if content.startswith('<!doctype') else 'plain'}; charset=utf-8"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "script-src 'none'; frame-ancestors 'none'")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments) -> None:
        """The address holds the token; it belongs into no log."""


class MarkingServer(LoopbackServer):
    """On 127.0.0.1, at a free port unless one is given. `address` is what to open."""

    def __init__(self, desk: Desk, port: int = 0):
        super().__init__(Handler, port)
        self.desk, self.token = desk, secrets.token_urlsafe(24)
        self.home = f"/{self.token}"
        self.address = f"{self.origins[0]}{self.home}/"

    def after(self, place: int) -> str:
        """Where to go after a mark: the next part that lacks one, the next student who does, or the list."""
        if left := self.desk.open_parts(self.desk.students[place]):
            return f"{self.home}/{place + 1}#part{left[0]}"
        unmarked = self.desk.next_unmarked(place)
        return f"{self.home}/" if unmarked is None else f"{self.home}/{unmarked + 1}"


STYLE = """
.answer { background: var(--page); border: 1px solid var(--line); border-radius: 0.4rem; padding: 0.3rem 0.8rem; margin: 0.5rem 0; }
button { font: inherit; color: var(--ink); background: var(--page); border: 1px solid var(--open); border-radius: 0.4rem; }
button { padding: 0.35rem 0.8rem; margin: 0.15rem 0.3rem 0.15rem 0; text-align: left; cursor: pointer; }
button.chosen { border: 2px solid var(--good); }
button.level { display: block; width: 100%; }
button.first { position: absolute; left: -999rem; }
button:focus-visible, a:focus-visible, input:focus-visible, textarea:focus-visible { outline: 3px solid var(--info); outline-offset: 1px; }
input, textarea { font: inherit; color: var(--ink); background: var(--page); border: 1px solid var(--open); border-radius: 0.4rem; }
input { width: 6rem; padding: 0.2rem 0.5rem; }
textarea { width: 100%; padding: 0.3rem 0.5rem; display: block; }
p .bar { vertical-align: middle; }
img.paper { max-width: 100%; height: auto; display: block; margin: 0.5rem 0; background: #ffffff; }
tbody th { font-weight: 400; white-space: nowrap; }
.go { font-weight: 700; }
"""
