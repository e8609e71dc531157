"""Apply the rules to a text, and then the context rules to the numbers and codes that are left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.context import Span, find_by_context
from complaints_etl.redaction.order import RULES
from complaints_etl.redaction.people import find_people
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import ScannedText

# Keywords typed right before their number ("cel3105551234"), and words typed right before any number ("al3105551234"), which
# also begin IBANs. The letters that begin a reference (PQR2026…) are part of it.
_GLUED_SECTIONS = (
    "identity", "lettered_documents", "passport", "social_security", "phones", "tax_id", "accounts", "passwords", "pins", "card_codes",
    "references", "cards",
)  # fmt: skip
_WORD_BEGINS = r"(?:^|(?<=[\s(\"'“,;:]))"
_KEYWORD = re.compile(
    rf"(?i){_WORD_BEGINS}(?:{any_of(term for name in _GLUED_SECTIONS for term in LEXICON.terms(name, 'glued'))})\Z"
)
_ANY_WORD = re.compile(rf"(?i){_WORD_BEGINS}(?:{LEXICON.pattern('any_number')})\Z")
_LONGEST_KEYWORD = 16  # and the character before it
_DASH = re.compile("(?<=\\d)[\u2010-\u2015\u2212](?=\\d)")  # typographic dashes; rules know the one of keyboards
_PLACEHOLDER = re.compile(r"<([A-Z_]+)>")
_TWO_NUMBERS = re.compile(r"(?<=\d{7})/(?=\d{7})")


def redact(text: str | ScannedText, *, alone: bool = True, prose: bool = True) -> tuple[str, dict[str, int]]:
    """Replace personal data by `<TYPE>`.

    Args:
        text: cleaned.
        alone: also replace a number of seven or more digits that no keyword explains, unless it looks like a sum.
        prose: whether it is a text that somebody wrote, and not a label, an id or a cell. There only names in full are names.

    Returns:
        The text, and how many values of each type were replaced.

    Example:
        `redact("mi PIN es 4821")` returns `("mi PIN es <SECRET>", {"SECRET": 1})`.
    """
    [(redacted, counts, _)] = redact_and_list([text], alone=alone, prose=prose)
    return redacted, counts


Redacted = tuple[str, dict[str, int], list[str]]


def redact_and_list(texts: Sequence[str | ScannedText], *, alone: bool = True, prose: bool = True) -> list[Redacted]:
    """Do as `redact` with many texts, and also return the distinct reference numbers that were replaced, in capitals."""
    results = [apply_rules(text, alone=alone) for text in texts]
    for place, people in enumerate(find_people([text for text, _, _ in results], prose=prose)):
        if people:
            text, counts, references = results[place]
            for span in people:
                for kind in _PLACEHOLDER.findall(text, span.start, span.end):
                    counts[kind] = max(counts.get(kind, 0) - 1, 0)  # the text may have had the placeholder
                counts[span.type] = counts.get(span.type, 0) + 1
            left = {kind: count for kind, count in counts.items() if count}
            results[place] = _replace(text, people)[0], left, references
    return results


def apply_rules(text: str | ScannedText, *, alone: bool = True) -> Redacted:
    """Do as `redact_and_list` with one text, by the rules and the context rules alone."""
    counts: dict[str, int] = {}
    references: dict[str, None] = {}
    original = ScannedText(text) if isinstance(text, str) else text
    current = separate_numbers(original)
    for rule in _rules_for(current.most_digits):
        matches = rule.find(current)
        if matches:
            counts[rule.type] = counts.get(rule.type, 0) + len(matches)
            if rule.type == "REFERENCE":
                references.update({match["value"].upper(): None for match in matches})
            current = current.replaced(
                *_replace(current.text, [Span(rule.type, rule.value_start(match), match.end()) for match in matches])
            )
    if current.most_digits:
        spans = list(find_by_context(current, alone=alone))
        for span in spans:
            counts[span.type] = counts.get(span.type, 0) + 1
            if span.type == "REFERENCE":
                references[current.text[span.start : span.end].upper()] = None
        if spans:
            return _replace(current.text, spans)[0], counts, list(references)
    return current.text if counts else original.text, counts, list(references)


@cache
def _rules_for(most_digits: int) -> tuple[Rule, ...]:
    """Return the rules that can match in a text without a number of more than `most_digits` digits."""
    return tuple(rule for rule in RULES if rule.min_digits <= most_digits)


def _replace(text: str, spans: list[Span]) -> tuple[str, list[tuple[int, int, int]]]:
    """Return the text with placeholders for spans, and (start, end, length of the placeholder) of each."""
    parts, cuts, end = [], [], 0
    for span in spans:
        placeholder = f"<{span.type}>"
        parts += [text[end : span.start], placeholder]
        cuts.append((span.start, span.end, len(placeholder)))
        end = span.end
    return "".join([*parts, text[end:]]), cuts


def separate_numbers(scanned: ScannedText) -> ScannedText:
    """Return the text as rules expect it: with keyboard dashes, and spaces in `cel3105551234` and `1234567/1234567`."""
    text, begin, parts = scanned.text, 0, []
    if not text.isascii() and _DASH.search(text):
        return separate_numbers(ScannedText(_DASH.sub("-", text)))
    for start, _, run in scanned.runs():
        if len(run) < 3:
            continue
        if "/" in run and _TWO_NUMBERS.search(run):
            return separate_numbers(ScannedText(_TWO_NUMBERS.sub(" / ", text)))
        if not text[start - 1 : start].isalpha():
            continue
        before = text[max(start - _LONGEST_KEYWORD, 0) : start]
        if _KEYWORD.search(before) or (7 <= len(run) <= 12 and _ANY_WORD.search(before)):
            parts.append(text[begin:start])
            begin = start
    return ScannedText(" ".join([*parts, text[begin:]])) if parts else scanned
