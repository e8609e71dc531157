"""Make spans of the tags of words: join neighbours, leave out what a form rules out, and find names again that a text repeats.

Example: the tags of `María`, `Cruz` in `soy María de la Cruz` give the span `María de la Cruz`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.context import Span
from complaints_etl.redaction.people.addresses import WAYS, first_of_address, is_elsewhere, with_towns
from complaints_etl.redaction.people.companies import TERRITORIES, is_before_company, is_company
from complaints_etl.redaction.people.tagger import CLASSES, Tagger, Tags, tagger
from complaints_etl.text.normalize import fold

NAME, ADDRESS = CLASSES.index("NAME"), CLASSES.index("ADDRESS")
# The least probability of one word of a span, of its first word, and of the words that continue it. In a cell, a label or an id nothing around helps.
BEGINS = {"NAME": 0.4, "ADDRESS": 0.45, "ID_NUMBER": 0.6, "PHONE": 0.6}
LEADS = 0.3
# The same of words that begin with a capital letter and are in the lists of names, if first name and surname are there.
LISTED_BEGINS, LISTED_CONTINUES = 0.06, 0.02
CONTINUES = {"NAME": 0.12, "ADDRESS": 0.25, "ID_NUMBER": 0.3, "PHONE": 0.3}
_LEAST, _LEAST_KEPT = LISTED_BEGINS, LISTED_CONTINUES
_SURE, _ALONE, _CERTAIN = 0.75, 0.8, 0.95
_UNLISTED = 0.8  # of a word alone that is in no list of names
_IS_NO_NAME = re.compile(r"\w|[IVX]{2,}|(?i:jr|sr)").fullmatch  # parts of names that are none alone
_INNER_CAPITAL = re.compile(r"(?:Mc|Mac|De|Di|Du|La|Le|Van|Von|Fitz|O)[A-Z][a-z]+\Z")  # `McAllister`, `DeShawn`
_OF_A_CASE = re.compile(r"(?i)\bvs?\. ")  # "Carpenter v. Longan"
_NAMED_ALSO = frozenset(map(fold, LEXICON.terms("names", "storms")))
# What may stand between two words of a value, and how many words without a tag.
_JOINS = {
    "NAME": re.compile(r" {1,2}|\. ?|[\-'’]"),
    "ADDRESS": re.compile(r"[^<>!?;|]{1,5}"),
    "ID_NUMBER": re.compile(r"[ .\-/]{1,3}"),
    "PHONE": re.compile(r"[ .\-/()+]{1,3}"),
}
_SKIPS = {"NAME": 3, "ADDRESS": 3, "ID_NUMBER": 0, "PHONE": 0}
_PARTICLES = frozenset(LEXICON.terms("names", "between"))
_TITLES = frozenset(map(fold, LEXICON.sections["titles"]["words"]))
_BANKS = re.compile(rf"(?i)(?:{LEXICON.pattern('banks')})")
_NUMBERS = "ID_NUMBER|PHONE|REFERENCE|ACCOUNT"
_NUMBER_BEFORE = re.compile(rf"<(?:{_NUMBERS})>[ .\-/]{{1,3}}\Z")
_NUMBER_BEHIND = re.compile(rf"[ .\-/]{{1,3}}<(?:{_NUMBERS})>")
_DIGIT_BEFORE, _DIGIT_BEHIND = re.compile(r"\d[ .\-]\Z"), re.compile(r"[ .\-]\d")
# What a rule has replaced beside a span is part of the same value.
_BEFORE = {
    "ADDRESS": re.compile(r"<ADDRESS>[ ,.\-\n]{1,3}\Z"), "NAME": re.compile(r"<NAME> \Z"), "ID_NUMBER": _NUMBER_BEFORE, "PHONE": _NUMBER_BEFORE,
}  # fmt: skip
_BEHIND = {
    "ADDRESS": re.compile(r"[ ,.\-\n]{1,3}<ADDRESS>"), "NAME": re.compile(r" <NAME>"), "ID_NUMBER": _NUMBER_BEHIND, "PHONE": _NUMBER_BEHIND,
}  # fmt: skip
_LONGEST_PLACEHOLDER = 16
_TWO_WORDS = re.compile(r"[^\W\d_][^\w]+\w")
_LEAST_SHARE = 0.35  # the least mean probability of all places of a word that is a name at one of them
_LEAST_REPEATED = 4  # letters of a word that is looked for again


class _Tagged(NamedTuple):
    """A span in numbers of words, with the least doubt about one of its words."""

    kind: str
    first: int
    last: int
    best: float


def find_people(texts: Sequence[str], *, prose: bool = True) -> list[list[Span]]:
    """Return the names, addresses, identifiers and telephone numbers of each text that only their context shows, in order.

    Args:
        texts: texts after the rules, with placeholders for what they replaced.
        prose: whether people wrote them. In labels, ids and short cells only names in full, with words that are known as first name
            and surname or a title before them, and addresses with a number are found.
    """
    if not prose and not any(map(_TWO_WORDS.search, texts)):
        return [[] for _ in texts]
    reader = tagger()
    tagged = zip(texts, reader.tag(texts), strict=True)
    return [with_towns(text, _spans(reader, text, tags, prose) if tags else []) for text, tags in tagged]


def _spans(reader: Tagger, text: str, tagged: Tags, prose: bool) -> list[Span]:
    parts, chosen, probabilities = tagged
    personal = 1 - probabilities[:, 0]
    if personal.max() < _LEAST:
        return []
    kept = np.flatnonzero(personal > _LEAST_KEPT).tolist()
    words = chosen[kept].tolist()
    kinds = (probabilities[kept, 1:].argmax(axis=1) + 1).tolist()
    tags = {
        word: (CLASSES[kind], float(personal[place]))
        for word, kind, place in zip(words, kinds, kept, strict=True)
        if not (word and parts[2 * word - 1].endswith("<"))
    }
    found = [one for one in _joined(reader, parts, tags) if _is_value(reader, parts, one, prose)]
    if prose and found:
        found = _consistent(parts, tags, found)
    if not found:
        return []
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    spans = [Span(one.kind, starts[2 * _first_of(parts, one)], starts[2 * one.last + 1]) for one in found]
    if prose:
        spans = sorted([*spans, *_repeated(reader, parts, starts, found)], key=lambda span: span.start)
    return _beside_placeholders(text, spans)


def _consistent(parts: list[str], tags: dict[int, tuple[str, float]], found: list[_Tagged]) -> list[_Tagged]:
    """Return the spans without words that the text mostly uses for something else.

    Example: a bank in five sentences is not a person's name in a sixth.
    """
    doubtful = {
        parts[2 * one.first].lower() for one in found if one.kind == "NAME" and one.first == one.last and one.best < _CERTAIN
    }
    if not doubtful:
        return found
    places: dict[str, list[int]] = {}
    for word, part in enumerate(parts[::2]):
        if (lower := part.lower()) in doubtful:
            places.setdefault(lower, []).append(word)
    other = set()
    for lower, known in places.items():
        of_names = [tags[place][1] for place in known if place in tags and tags[place][0] == "NAME"]
        if sum(of_names) < _LEAST_SHARE * len(known) or any(is_before_company(parts, place) for place in known):
            other.add(lower)
    return [one for one in found if one.first != one.last or parts[2 * one.first].lower() not in other]


def _first_of(parts: list[str], one: _Tagged) -> int:
    return first_of_address(parts, one.first) if one.kind == "ADDRESS" else one.first


def _joined(reader: Tagger, parts: list[str], tags: dict[int, tuple[str, float]]) -> Iterator[_Tagged]:
    """Yield the spans of neighbouring words of one kind, of which one is likely."""
    current: _Tagged | None = None
    for word, (kind, probability) in tags.items():
        leads, continues = LEADS, CONTINUES[kind]
        if probability < leads and kind == "NAME" and parts[2 * word].istitle() and reader.name_flags(fold(parts[2 * word])):
            leads = continues = LISTED_CONTINUES
        if current and kind == current.kind and probability >= continues and _continues(parts, kind, current.last, word):
            current = _Tagged(kind, current.first, word, max(current.best, probability))
            continue
        if current:
            yield current
        current = _Tagged(kind, word, word, probability) if probability >= leads else None
    if current:
        yield current


def _continues(parts: list[str], kind: str, last: int, word: int) -> bool:
    """Return True if only marks, particles of names or a few words of an address are between two words."""
    if word - last - 1 > _SKIPS[kind]:
        return False
    join = _JOINS[kind]
    if not all(join.fullmatch(parts[2 * between + 1]) for between in range(last, word)):
        return False
    skipped = parts[2 * last + 2 : 2 * word : 2]
    if kind == "NAME":
        if (
            parts[2 * last + 1].startswith(".")
            and len(parts[2 * last]) > 2
            and parts[2 * last].lower() not in ("st", "ma", "jr", "sr")
        ):
            return False  # the end of a sentence; "J. Gil" and "Ma. Paz" are names
        return all(part.lower() in _PARTICLES for part in skipped)
    return True


def _is_value(reader: Tagger, parts: list[str], one: _Tagged, prose: bool) -> bool:
    """Return False for what is too doubtful, or cannot be a value of its kind by its form."""
    words = parts[2 * one.first : 2 * one.last + 1 : 2]
    value = "".join(parts[2 * one.first : 2 * one.last + 1])
    if one.best < BEGINS[one.kind] and not (one.kind == "NAME" and prose and _is_listed(reader, one, words)):
        return False
    if one.kind == "NAME":
        if all(fold(word) in _TITLES for word in words):
            return False
        return _is_name(reader, parts, one, value, words) and (prose or _is_a_full_name(reader, parts, one, words))
    if one.kind == "ADDRESS":
        return _is_address(parts, one, words, prose) and not is_elsewhere(parts, one.first, one.last)
    before = "".join(parts[max(2 * one.first - 3, 0) : 2 * one.first])
    behind = "".join(parts[2 * one.last + 1 : 2 * one.last + 4])
    beside = _NUMBER_BEHIND.match(behind) or _NUMBER_BEFORE.search(before)
    if _DIGIT_BEFORE.search(before) and _DIGIT_BEHIND.match(behind):
        return False  # the middle of a row of numbers
    return prose and (sum(map(str.isdigit, value)) >= 4 or beside is not None)


def _is_listed(reader: Tagger, one: _Tagged, words: list[str]) -> bool:
    """Return True for a known first name and a known surname with capital letters, which is not a bank."""
    if one.best < LISTED_BEGINS or len(words) < 2 or not all(map(str.istitle, words)) or _BANKS.search(" ".join(words)):
        return False
    return bool(reader.name_flags(fold(words[0])) & 1 and reader.name_flags(fold(words[-1])) & 2)


def _is_name(reader: Tagger, parts: list[str], one: _Tagged, value: str, words: list[str]) -> bool:
    if len(value) < 2 or (one.best < _ALONE and len(value) < 3) or all(map(_IS_NO_NAME, words)):
        return False
    if 2 * len({fold(word) for word in words}) < len(words):
        return False  # a name does not say its words again and again, as somebody does who fills a field
    before = fold(parts[2 * one.first - 2]) if one.first else ""
    if before in _TITLES:
        return True
    if before in _NAMED_ALSO or _OF_A_CASE.search("".join(parts[max(2 * one.first - 3, 0) : 2 * one.last + 4])):
        return False
    if len(words) == 1 and not _is_one_word_of_a_name(reader, value, one.best):
        return False
    return not is_company(parts, one.first, one.last)


def _is_one_word_of_a_name(reader: Tagger, value: str, best: float) -> bool:
    """Return True for a word that can be a name without another word. The less is known of it, the surer the tagger must be."""
    word = fold(value)
    known, common = reader.name_flags(word), reader.is_common(word)
    if value.islower():
        return best >= _SURE and bool(known & 1) and not common  # in a short text, any rare word may look like a name
    if best >= _CERTAIN:
        return True
    if word in TERRITORIES or (common and not known & 1):
        return False
    # Capitals are an abbreviation, and capitals inside a word a company's name.
    return bool(known) or (best >= _UNLISTED and (value.istitle() or _INNER_CAPITAL.match(value) is not None))


def _is_address(parts: list[str], one: _Tagged, words: list[str], prose: bool) -> bool:
    numbers = sum(map(str.isdigit, "".join(words)))
    if words[-1] in ("No", "no", "NO"):
        return False  # no number follows: it begins a sentence
    if not prose:
        return numbers > 0 and len(words) > 2 and one.best >= _ALONE
    if one.first and parts[2 * one.first - 1].endswith(("> ", ">, ", "> - ")):
        return True  # the rest of an address whose beginning a rule replaced
    letters = any(len(word) > 1 and word.isalpha() for word in words)
    is_way = one.best > _CERTAIN and not WAYS.isdisjoint(map(fold, words))
    return len(words) > 1 and letters and (numbers > 0 or is_way)


def _is_a_full_name(reader: Tagger, parts: list[str], one: _Tagged, words: list[str]) -> bool:
    """Return True for a name outside of a sentence: a title before it, or a known first name and a known surname."""
    before = fold(parts[2 * one.first - 2]) if one.first else ""
    if before in _TITLES:
        return True
    first, last = (reader.name_flags(fold(word)) for word in (words[0], words[-1]))
    is_full = len(words) > 1 and bool((first & 1 and last & 2) or (first & 2 and last & 1))
    return is_full and one.best >= _ALONE and not _BANKS.search(" ".join(words))


def _repeated(reader: Tagger, parts: list[str], starts: list[int], found: list[_Tagged]) -> Iterator[Span]:
    """Yield the other places of the words of names: `Gómez` after `Pedro Gómez`."""
    names = {
        parts[2 * word]
        for one in found
        if one.kind == "NAME"
        for word in range(one.first, one.last + 1)
        if len(parts[2 * word]) >= _LEAST_REPEATED
        and reader.name_flags(fold(parts[2 * word]))
        and parts[2 * word][0].isupper()
    }
    if not names:
        return
    taken = {word for one in found for word in range(one.first, one.last + 1)}
    begin = -1
    for word in range(len(parts) // 2 + 1):
        is_name = word not in taken and parts[2 * word] in names and not (word and parts[2 * word - 1].endswith("<"))
        if is_name and begin < 0:
            begin = word
        following = (
            is_name
            and word + 1 <= len(parts) // 2
            and parts[2 * word + 1] == " "
            and parts[2 * word + 2] in names
            and word + 1 not in taken
        )
        if begin >= 0 and not following:
            yield Span("NAME", starts[2 * begin], starts[2 * word + 1])
            begin = -1


def _beside_placeholders(text: str, spans: list[Span]) -> list[Span]:
    """Return the spans, widened to placeholders beside them for the rest of their values, so that each is one value."""
    widened: list[Span] = []
    for span in spans:
        start, end = span.start, span.end
        if before := _BEFORE[span.type].search(text, max(start - _LONGEST_PLACEHOLDER, 0), start):
            start = before.start()
        if behind := _BEHIND[span.type].match(text, end):
            end = behind.end()
        if widened and start < widened[-1].end:
            widened[-1] = Span(span.type, widened[-1].start, end)
        else:
            widened.append(Span(span.type, start, end))
    return widened
