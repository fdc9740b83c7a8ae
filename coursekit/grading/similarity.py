"""Submissions that are more alike than people who worked alone would write: pairs to look at by eye, with the passages that they share.

Code is compared as words without layout: comments and docstrings are gone, and the names that a learner can choose, numbers and strings are
all the same word; what belongs to the language and to libraries (``for``, ``.clamp``, ``.shape``) stays. So renaming, reformatting and
re-ordering change nothing. Runs of K words are hashed and thinned out by winnowing (Schleimer, Wilkerson and Aiken, 2003), and an index by
hash finds the pairs that share some, without looking at all pairs.

What was handed out, the author's own way of writing an answer, and what many in the class wrote do not count: a run of K words that stands
there says nothing about who sat beside whom.

How the thresholds were set (`tests/grading/test_similarity.py` repeats it): of the right answers in other people's words that the course's
tests hold, two students with different ones in every exercise of a notebook share at most 0.16 of their runs; four usual ways to write IoU
and NMS share up to 0.33; copies with every name, number and comment changed, re-ordered, and with a line of their own after every third one
share 0.79 and more. Two who happen to write the same way in everything are found too: evidence, not proof.
"""

import builtins
import keyword
import tokenize
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

K = 12  # words in a run: longer than a library call with its arguments, shorter than a line of reasoning
WINDOW = 6  # of each so many runs one is kept: two texts that share K + WINDOW - 1 words in a row are always found
SHARE, RUNS = 0.6, 50  # of the shorter one's runs that count; and so many runs at the least, because short answers have few forms
ONE_SHARE, ONE_RUNS = 0.8, 80  # or this much of one exercise alone
MANY, PART, MOST = 5, 0.2, 30  # a run that stands in more than MANY submissions and more than PART of them, or in more than MOST, is common
STUB = -1  # stands for a run across the stub's own line, which says nothing
LONGEST = 20_000  # characters of one exercise that are looked at
MOST_PAIRS, MOST_LOOKED_AT = 200, 20_000

_KEPT = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"self"}
_LAYOUT = (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENCODING, tokenize.ENDMARKER)
_BETWEEN = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)  # what a docstring stands between


@dataclass(frozen=True)
class Passage:
    """What two submissions share in one exercise, as each wrote it.

    Args:
        exercise: its name.
        first, second: whole lines.
        first_line, second_line: where they begin in the answer, from 1.
        tokens: words shared.
    """

    exercise: str
    first: str
    second: str
    first_line: int
    second_line: int
    tokens: int


@dataclass(frozen=True)
class Pair:
    """Two submissions to look at by eye.

    Args:
        first, second: students.
        share: of the runs that count in the shorter one, from 0 to 1.
        tokens: words in the passages.
        passages: the longest first.
    """

    first: str
    second: str
    share: float
    tokens: int
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Text:
    """One answer as words.

    Args:
        words: without layout, names made equal.
        lines: where each stands.
        runs: hash of the K words that begin at each place.
        source: its lines.
    """

    words: tuple[str, ...]
    lines: tuple[int, ...]
    runs: tuple[int, ...]
    source: tuple[str, ...]


def similar(submissions: Mapping[str, Mapping[str, str]], known: Mapping[str, Iterable[str]] | None = None) -> list[Pair]:
    """Pairs of submissions that share more than chance and common knowledge explain. Evidence for a person's eye, never a verdict.

    Args:
        submissions: by student and exercise, the code.
        known: by exercise, texts that everybody may have in common: what was handed out, the author's solution.

    Returns:
        The most alike first, at most 200.
    """
    texts = {s: {e: read(code) for e, code in answers.items() if isinstance(code, str)} for s, answers in submissions.items()}
    ignored = _ignored(texts, known or {})
    counted = {s: {e: Counter(r for r in t.runs if r not in ignored[e]) for e, t in answers.items()} for s, answers in texts.items()}
    looked_at = (_compare(first, second, texts, counted) for first, second in _candidates(texts, ignored))
    found = [pair for pair in looked_at if pair]
    return sorted(found, key=lambda pair: (-pair.share, -pair.tokens, pair.first, pair.second))[:MOST_PAIRS]


@lru_cache(maxsize=50_000)
def read(code: str) -> Text:
    """An answer's words and the hashes of its runs. Code that Python cannot read gives what can be read of it."""
    code = code[:LONGEST]
    pairs = list(_words(code))
    words = tuple(word for word, _ in pairs)
    runs = [zlib.crc32("\x1f".join(words[i : i + K]).encode("utf-8", "replace")) for i in range(len(words) - K + 1)]
    for place, word in enumerate(words):
        if word == "NotImplementedError":  # where the stub ends; what stands around it there was handed out
            across = slice(max(place - K, 0), place + 1)  # from the run that ends with its `raise`
            runs[across] = [STUB] * len(runs[across])
    runs = tuple(runs)
    return Text(words, tuple(line for _, line in pairs), runs, tuple(code.split("\n")))


def _words(code: str) -> Iterator[tuple[str, int]]:
    before, kinds, strings = "", [tokenize.NEWLINE], []
    for token, line in _tokens(code):
        kind, text = token.type, token.string
        if strings and kind == tokenize.NEWLINE:
            strings.clear()  # a string that is a statement: a docstring
        yield from strings
        strings.clear()
        if kind == tokenize.STRING and kinds[-1] in _BETWEEN:
            strings.append(("S", line))
        elif kind not in _LAYOUT:
            yield _word(kind, text, before), line
            before = text
        if kind not in (tokenize.NL, tokenize.COMMENT):
            kinds[-1] = kind
    yield from strings


def _word(kind: int, text: str, before: str) -> str:
    if kind == tokenize.NAME:
        return text if before == "." or text in _KEPT else "N"
    if kind == tokenize.NUMBER:
        return "0"
    return text if kind == tokenize.OP else "S"


def _tokens(code: str) -> Iterator[tuple[tokenize.TokenInfo, int]]:
    """Python's own tokens, with their line; where it gives up it goes on at the next line."""
    lines = code.split("\n")
    start = 0
    for _ in range(50):
        reached = start
        rest = iter([line + "\n" for line in lines[start:]])
        try:
            for token in tokenize.generate_tokens(lambda rest=rest: next(rest, "")):
                reached = start + token.end[0]
                yield token, start + token.start[0]
            return
        except (tokenize.TokenError, SyntaxError):
            start = max(start + 1, reached)
        if start >= len(lines):
            return


def _ignored(texts: Mapping[str, Mapping[str, Text]], known: Mapping[str, Iterable[str]]) -> dict[str, set[int]]:
    """By exercise, the runs that say nothing: known ones, and those that many wrote."""
    written: dict[str, Counter] = defaultdict(Counter)
    for answers in texts.values():
        for exercise, text in answers.items():
            written[exercise].update(set(text.runs))
    limit = min(max(MANY, PART * len(texts)), MOST)
    return {
        exercise: {STUB}.union(
            (run for run, count in counts.items() if count > limit), *(read(text).runs for text in known.get(exercise, ()))
        )
        for exercise, counts in written.items()
    }


def fingerprints(runs: Iterable[int]) -> set[int]:
    """Winnowing: the smallest hash of every window."""
    runs = list(runs)
    return {min(runs[i : i + WINDOW]) for i in range(max(len(runs) - WINDOW + 1, min(len(runs), 1)))}


def _candidates(texts: Mapping[str, Mapping[str, Text]], ignored: Mapping[str, set[int]]) -> list[tuple[str, str]]:
    """Pairs that share enough fingerprints to be worth comparing, the most promising first."""
    index: dict[tuple[str, int], list[str]] = defaultdict(list)
    for student, answers in texts.items():
        for exercise, text in answers.items():
            for mark in fingerprints(run for run in text.runs if run not in ignored[exercise]):
                index[exercise, mark].append(student)
    together: Counter = Counter()
    for students in index.values():
        together.update(combinations(students, 2))
    return [pair for pair, count in together.most_common(MOST_LOOKED_AT) if count >= RUNS // WINDOW // 2]


def _compare(first: str, second: str, texts: Mapping, counted: Mapping) -> Pair | None:
    """Runs that both have, as often as the one that has them less often; None where they are too few."""
    shared, one_alone, passages = 0, False, []
    for exercise in sorted(texts[first].keys() & texts[second].keys()):
        one, two = counted[first][exercise], counted[second][exercise]
        here = (one & two).total()
        one_alone = one_alone or (here >= ONE_RUNS and here >= ONE_SHARE * min(one.total(), two.total()))
        shared += here
        a, b = texts[first][exercise], texts[second][exercise]
        blocks = matches(a, b) if here else []
        passages += [_passage(exercise, a, b, *block) for block in blocks if any(a.runs[i] in one for i in _runs_of(block))]
    shorter = min(sum(runs.total() for runs in counted[who].values()) for who in (first, second))
    share = shared / shorter if shorter else 0.0
    if not (one_alone or (shared >= RUNS and share >= SHARE)):
        return None
    passages.sort(key=lambda passage: (-passage.tokens, passage.exercise, passage.first_line))
    return Pair(first, second, share, sum(passage.tokens for passage in passages), tuple(passages[:10]))


def _runs_of(block: tuple[int, int, int]) -> range:
    return range(block[0], block[0] + block[2] - K + 1)


def matches(a: Text, b: Text) -> list[tuple[int, int, int]]:
    """Where the same words stand in both: (place in a, place in b, how many), at least K, each the longest that begins there."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, run in enumerate(b.runs):
        if len(places[run]) < 8:  # a line repeated without end is one passage
            places[run].append(place)
    found, i = [], 0
    while i < len(a.runs):
        best, at = 0, 0
        for j in places.get(a.runs[i], ()) if a.runs[i] != STUB else ():
            length = 0
            while i + length < len(a.words) and j + length < len(b.words) and a.words[i + length] == b.words[j + length]:
                length += 1
            if length > best:
                best, at = length, j
        if best >= K:
            found.append((i, at, best))
        i += max(best - K + 1, 1)
    return found


def _passage(exercise: str, a: Text, b: Text, i: int, j: int, length: int) -> Passage:
    cut = []
    for text, place in ((a, i), (b, j)):
        begin, end = text.lines[place], text.lines[place + length - 1]
        cut.append(("\n".join(text.source[begin - 1 : end][:40]), begin))
    return Passage(exercise, cut[0][0], cut[1][0], cut[0][1], cut[1][1], length)
