"""Texts that make a backtracking pattern slow, derived from the pattern's own parse tree, and how the time grows with their length.

A search is superlinear if many positions of a text each start a scan that goes far and fails: `\\d+x` in a text of digits. It is
also superlinear, or exponential, if one scan can be divided in many ways: `(a+)+b`. Both need a repeat, so each repeat of a pattern
is pumped: with what comes before it once, and with what comes before it each time.
"""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from random import Random
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

MANY = 8  # a repeat of fewer takes a limited number of steps
COMMON = "a1 \n-.,/:@\"'<_xA?&=#%(\\ñ\t;"  # what separators, words and numbers consist of
SIZES = (2048, 8192)
NOTHING = 300e-9  # seconds per character: a superlinear pattern takes more at the first size
EXPONENT = 1.5  # of the time against the length: 1 is linear, 2 is quadratic
LONGEST = 2.0  # seconds of processor time that a text may take

Node = tuple[Any, Any]
Pump = tuple[str, str, str]  # what a text begins with, what it repeats, what it ends with


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
    compiled = re._compiler.compile(one)  # type: ignore[attr-defined]
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


def pumps(pattern: re.Pattern[Any], *, seed: int = 0, rounds: int = 2) -> Iterator[Pump]:
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


def text_of(pump: Pump, size: int) -> str:
    """Return the text of a pump with so many characters."""
    begin, middle, end = pump
    return begin + middle * max((size - len(begin)) // len(middle), 1) + end


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def seconds(run: Callable[[Any], object], text: Any) -> float:
    """Return how long a call takes on a text."""
    started = time.thread_time()
    run(text)
    return time.thread_time() - started


def growth(run: Callable[[Any], object], small: Any, large: Any, *, nothing: float = 0.0) -> str:
    """Return how the time grows from one text to a longer one if that is more than linear, or nothing.

    Args:
        run: what is measured.
        small: a text.
        large: a longer one of the same kind.
        nothing: seconds per character with which the first text is fast enough.
    """
    most = (len(large) / len(small)) ** EXPONENT
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)
    try:
        first = seconds(run, small)
        if first < nothing * len(small) or seconds(run, large) < most * first:
            return ""
        signal.setitimer(signal.ITIMER_VIRTUAL, 6 * LONGEST)
        first, second = (min(seconds(run, text) for _ in range(3)) for text in (small, large))
    except TooSlowError:
        return f"stopped after {LONGEST} seconds"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    if second < most * first:
        return ""
    return f"{first * 1e3:.1f} ms for {len(small):,} characters, {second * 1e3:.1f} ms for {len(large):,}"


def calls(pattern: re.Pattern[Any], *, searched: bool) -> Callable[[Any], None]:
    """Return the calls that a pattern is used with: at the beginning of a text, or anywhere."""

    def run(text: Any) -> None:
        pattern.match(text)
        pattern.fullmatch(text)
        if searched:
            for _ in pattern.finditer(text):
                pass

    return run


def slowness(pattern: re.Pattern[Any], pump: Pump, *, searched: bool = True, sizes: tuple[int, int] = SIZES) -> str:
    """Return how a pattern's time grows with the repeats of a pump if that is more than linear, or nothing."""
    small, large = (encoded(pattern, text_of(pump, size)) for size in sizes)
    return growth(calls(pattern, searched=searched), small, large, nothing=NOTHING)


def encoded(pattern: re.Pattern[Any], text: str) -> Any:
    """Return a text as the pattern reads it."""
    return text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
