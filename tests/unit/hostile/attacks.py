"""Texts that make a backtracking pattern slow, derived from the pattern's own parse tree, and how the time grows with their length.

A search is superlinear if many positions of a text each start a scan that goes far and fails: `\\d+x` in a text of digits. It is
also superlinear, or exponential, if one scan can be divided in many ways: `(a+)+b`. Both need a repeat, so each repeat of a pattern
is pumped: with what comes before it once, and with what comes before it each time.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from random import Random
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

MANY = 8  # a repeat of fewer takes a limited number of steps
COMMON = "a1 \n-.,/:@\"'<_xA?&=#%(\\ñ\t;"  # what separators, words and numbers consist of
SIZES = (4096, 16384)
NOTHING = 300e-9  # seconds per character: a superlinear pattern takes more at the first size
EXPONENT = 1.5  # of the time against the length: 1 is linear, 2 is quadratic
LONGEST = 5.0  # seconds that a text of any size may take

Node = tuple[Any, Any]


class TooSlowError(Exception):
    """A search was stopped."""


def _members(items: list[Node]) -> Iterator[str]:
    """Yield characters of a set."""
    for kind, value in items:
        if kind is codes.LITERAL:
            yield chr(value)
        elif kind is codes.RANGE:
            yield from (chr(value[0]), chr(value[1]))


def characters(node: Node) -> list[str]:
    """Return some characters that a node of one character matches: the common ones first."""
    kind, value = node
    if kind is codes.LITERAL:
        return [chr(value)]
    state = parser.State()
    state.str = ""
    one = parser.SubPattern(state, [node])
    compiled = re._compiler.compile(one)  # type: ignore[attr-defined] # noqa: SLF001
    own = _members(value) if kind is codes.IN else ()
    return [mark for mark in dict.fromkeys([*COMMON, *own]) if compiled.fullmatch(mark)] or ["a"]


def sample(nodes: Any, random: Random) -> str:
    """Return a text that the nodes match, apart from what assertions demand."""
    parts = []
    for kind, value in nodes:
        if kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            low, high, body = value
            parts.append("".join(sample(body, random) for _ in range(min(max(low, random.randint(0, 1)), high))))
        elif kind is codes.SUBPATTERN:
            parts.append(sample(value[3], random))
        elif kind is codes.ATOMIC_GROUP:
            parts.append(sample(value, random))
        elif kind is codes.BRANCH:
            parts.append(sample(random.choice(value[1]), random))
        elif kind in (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY):
            parts.append(random.choice(characters((kind, value))[:6]))
    return "".join(parts)


def repeats(nodes: Any, before: str, random: Random) -> Iterator[tuple[str, Any]]:
    """Yield (a text that comes before it, its body) of each repeat that has no low limit."""
    for kind, value in nodes:
        if kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            if value[1] > MANY:
                yield before, value[2]
            yield from repeats(value[2], before, random)
        elif kind is codes.SUBPATTERN:
            yield from repeats(value[3], before, random)
        elif kind is codes.ATOMIC_GROUP:
            yield from repeats(value, before, random)
        elif kind is codes.BRANCH:
            for branch in value[1]:
                yield from repeats(branch, before, random)
        elif kind in (codes.ASSERT, codes.ASSERT_NOT):
            yield from repeats(value[1], before, random)
        before += sample([(kind, value)], random)


def pumps(pattern: re.Pattern[Any], *, seed: int = 0, rounds: int = 2) -> Iterator[tuple[str, str, str]]:
    """Yield (beginning, pump, end): the pump is what is repeated."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    random = Random(seed)  # noqa: S311
    seen = set()
    for _ in range(rounds):
        whole = sample(tree, random)
        found = [("", whole, ""), ("", whole, "!"), (whole[:-1], whole[-1:], "")]
        for before, body in repeats(tree, "", random):
            bodies = [sample(body, random) for _ in range(2)]
            if len(body) == 1 and body[0][0] in (codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY):
                bodies = characters(body[0])[:8]
            for text in filter(None, dict.fromkeys(bodies)):
                found += [(before, text, ""), (before, text, "\x01"), ("", before + text, ""), ("", before, "")]
        for pump in found:
            if pump[1] and pump not in seen:
                seen.add(pump)
                yield pump
    for mark in COMMON:
        yield "", mark, ""


def text_of(pump: tuple[str, str, str], size: int) -> str:
    """Return the text of a pump with so many characters."""
    begin, middle, end = pump
    return begin + middle * max((size - len(begin)) // len(middle), 1) + end


def seconds(pattern: re.Pattern[Any], text: Any, *, searched: bool) -> float:
    """Return how long the calls take that a pattern is used with: at one place of a text, or anywhere."""
    started = time.thread_time()
    pattern.match(text)
    pattern.fullmatch(text)
    if searched:
        for _ in pattern.finditer(text):
            pass
    return time.thread_time() - started


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def slowest(pattern: re.Pattern[Any], pump: tuple[str, str, str], *, searched: bool = True, sizes: tuple[int, ...] = SIZES) -> str:
    """Return what is wrong with the time that a pattern takes on growing texts, or nothing."""
    before = signal.signal(signal.SIGALRM, _stop)
    last, last_size = 0.0, 0
    try:
        for size in sizes:
            text: Any = text_of(pump, size)
            if isinstance(pattern.pattern, bytes):
                text = text.encode("latin-1", "replace")
            signal.setitimer(signal.ITIMER_REAL, LONGEST)
            took = seconds(pattern, text, searched=searched)
            if took < NOTHING * size:
                return ""
            took = min(took, *(seconds(pattern, text, searched=searched) for _ in range(2)))
            signal.setitimer(signal.ITIMER_REAL, 0)
            if last and took > last * (size / last_size) ** EXPONENT:
                return f"{last * 1e3:.1f} ms for {last_size:,} characters, {took * 1e3:.1f} ms for {size:,}"
            last, last_size = took, size
    except TooSlowError:
        return f"stopped after {LONGEST} seconds of {size:,} characters"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return ""
