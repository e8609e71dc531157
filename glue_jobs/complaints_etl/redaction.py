"""Personal data out of text: typed placeholders for what identifies a person or opens an account; amounts and dates stay.

Plain Python on one text. Checksums decide where a number has one, words nearby where it has none. Prepare calls it inside the
one function that sees each text (understanding.py); docs/prepare.md has the measure and the reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

Check = Callable[[re.Match[str]], bool]

_MONEY_AFTER = r"(?!\s*(?:pesos|mil\b|millones|d[oó]lares|dollars|euros|usd|cop|eur|%))"
_LINK = r"(?:\s*(?:de|del|la|el|al|mi|my|the|es|is|was|fue|con|with|n[uú]mero|numero|number|nro|num|no|n|°|º|o|#|:|=|,|\.|-|ending|id)){0,6}?\s*"


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban(text: str) -> bool:
    """ISO 13616: the rearranged number is 1 modulo 97."""
    compact = text.replace(" ", "").upper()
    if not 15 <= len(compact) <= 34:
        return False
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def clabe(digits: str) -> bool:
    """Mexico's 18-digit account number: weights 3, 7, 1 modulo 10 (Banco de México, circular 14/2017)."""
    weighted = sum(int(digit) * (3, 7, 1)[index % 3] % 10 for index, digit in enumerate(digits[:17]))
    return (10 - weighted % 10) % 10 == int(digits[17])


def nit(digits: str, check: str) -> bool:
    """Colombia's tax number: weighted sum modulo 11 (DIAN, Orden Administrativa 4 of 1989)."""
    weights = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)
    rest = sum(int(digit) * weight for digit, weight in zip(reversed(digits), weights, strict=False)) % 11
    return (rest if rest < 2 else 11 - rest) == int(check)


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _is_card(match: re.Match[str]) -> bool:
    digits = _digits(match[0])
    # 3 to 6 are the issuers' first digits; a run of one digit passes Luhn and is nobody's card.
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits)


def _is_clabe(match: re.Match[str]) -> bool:
    return clabe(_digits(match[0]))


def _is_iban(match: re.Match[str]) -> bool:
    return iban(match[0])


def _is_nit(match: re.Match[str]) -> bool:
    return nit(_digits(match["digits"]), match["check"])


def _is_address(match: re.Match[str]) -> bool:
    return all(int(part) < 256 for part in match[0].split("."))


def _is_secret(match: re.Match[str]) -> bool:
    """A value, and not words about it: "is wrong", "es incorrecta", "olvidé la clave: nadie ayuda"."""
    value = match["value"].strip("\"'“”.,;")
    if value.startswith("<"):
        return False
    if any(character.isdigit() for character in value):
        return len(value) >= 3
    if match["sign"].strip() in (":", "="):
        ends = match["value"][-1] in ".,;" or match.string[match.end() :].lstrip(" ")[:1] in ("", "\n")
        return ends and len(value) >= 4 and value.lower() not in _STATES_OF_A_PASSWORD
    return match["value"][0] in "\"'“" and len(value) >= 4


_STATES_OF_A_PASSWORD = frozenset(
    [
        "incorrecta",
        "incorrecto",
        "inválida",
        "invalida",
        "inválido",
        "bloqueada",
        "bloqueado",
        "vencida",
        "errada",
        "error",
        "invalid",
        "incorrect",
        "wrong",
        "expired",
        "blocked",
        "locked",
        "rejected",
        "denied",
        "secret",
        "olvidada",
        "forgotten",
        "nueva",
        "none",
    ]
)


def _is_reference(match: re.Match[str]) -> bool:
    value = match["value"]
    return not _DATE.fullmatch(value) and sum(character.isdigit() for character in value) >= 4


_DATE = re.compile(r"(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/]\d{1,2}[-/](?:\d{4}|\d{2}))")
_CURRENCY_CODES = r"(?:COP|USD|EUR|MXN|US|GBP)"


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """A type, its pattern (`keep` is the part of a match that stays), and where in a text it is worth trying.

    A search over the whole text costs a hundred times what it takes to see that there is nothing to find. `starts`: what a match
    begins with, in lower-case text; the pattern is tried there and nowhere else. `number`: what one of the text's numbers must be
    like (its digits with the marks between them, and how many digits they are). `hint`: a search that is cheap because it begins
    with a class of characters, and that must succeed.
    """

    type: str
    pattern: re.Pattern[str]
    check: Check | None = None
    starts: tuple[str, ...] = ()
    hint: re.Pattern[str] | None = None
    number: Callable[[str, int], bool] | None = None


def _of(digits: int) -> Callable[[str, int], bool]:
    return lambda _, count: count >= digits


# In this order: a later one sees what the earlier ones left.
_RULES: tuple[_Rule, ...] = (
    _Rule(type="URL_QUERY", starts=("http",), pattern=re.compile(r"(?P<keep>https?://[^\s?#]+)[?#]\S+")),
    _Rule(type="EMAIL", hint=re.compile("@"), pattern=re.compile(r"[^\W_][\w.+\-%]*@[\w\-]+(?:\.[\w\-]+)+")),
    _Rule(
        type="SECRET",
        starts=(
            "clave",
            "contrase",
            "password",
            "passcode",
            "pin",
            "nip",
            "código de seg",
            "codigo de seg",
            "security code",
            "cvv",
            "cvc",
            "otp",
        ),
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:clave(?: din[aá]mica| de \w+)?|contrase[nñ]a|password|passcode|pin|nip|c[oó]digo de seguridad|"
            r"security code|cvv|cvc|otp)(?P<sign>\s*[:=]\s*|\s+(?:es|is|era|was)\s+))(?P<value>\S{3,})"
        ),
        check=_is_secret,
    ),
    _Rule(
        type="IBAN",
        hint=re.compile(r"[A-Z][A-Z]\d\d"),
        number=_of(2),
        pattern=re.compile(
            r"\b[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: (?=[A-Z]{0,3}\d)[A-Z0-9]{4}){2,7}(?: (?=[A-Z]{0,2}\d)[A-Z0-9]{1,3})?)\b"
        ),
        check=_is_iban,
    ),
    _Rule(
        type="CARD", number=_of(13), pattern=re.compile(r"(?<![\d.,$])\d(?:[ \-]?\d){12,18}(?![\d]|[.,]\d)"), check=_is_card
    ),
    _Rule(
        type="CLABE",
        number=_of(18),
        pattern=re.compile(r"(?<![\d.,$])\d{3}[ \-]?\d{3}[ \-]?\d{11}[ \-]?\d(?![\d]|[.,]\d)"),
        check=_is_clabe,
    ),
    _Rule(
        type="NIT",
        starts=("nit",),
        number=_of(9),
        pattern=re.compile(
            r"(?i)(?P<keep>\bnit\b\.?" + _LINK + r")\d{3}[.\s]?\d{3}[.\s]?\d{3}(?:\s*-\s*\d)?\b" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="NIT",
        number=lambda text, count: count >= 10 and "-" in text,
        pattern=re.compile(r"(?<![\d.,$])(?P<digits>\d{3}\.?\d{3}\.?\d{3})-(?P<check>\d)(?!\d|[.\-]\d)"),
        check=_is_nit,
    ),
    _Rule(
        type="CEDULA",
        starts=(
            "c.",
            "cc",
            "ce",
            "cédula",
            "documento",
            "identificac",
            "identificad",
            "national id",
            "citizen id",
            "id",
            "ssn",
            "social security",
        ),
        number=_of(6),
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:c\.\s?c\.?|cc|c\.?e\.?|c[eé]dula(?: de (?:ciudadan[ií]a|extranjer[ií]a))?|"
            r"documento(?: de identidad)?|identificaci[oó]n|identificad[oa](?: con)?|"
            r"(?:national |citizen )?id(?: card)?(?: number)?|ssn|social security(?: number)?)\b" + _LINK + r")"
            r"(?:\d{1,3}(?:[. ]\d{3}){2,3}|\d{3}-\d{2}-\d{4}|\d{6,11})(?![\d]|[.,]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="IP",
        number=lambda text, count: count >= 4 and text.count(".") >= 3,
        pattern=re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)"),
        check=_is_address,
    ),
    _Rule(
        type="ACCOUNT",
        starts=("cuenta", "cta", "acc"),
        number=_of(6),
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:cuenta|cta|account|acct|acc)\b\.?(?:\s+(?:de ahorros?|ahorros?|corriente|checking|savings|nequi|bancaria))?"
            + _LINK
            + r")\d(?:[ \-]?\d){5,19}(?![\d]|[.,]\d)"
            + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="PHONE",  # in the international form
        starts=("+",),
        number=_of(5),
        pattern=re.compile(
            r"(?<![\w.,$/\-])\+\d{1,3}[\s.\-]?(?:\(?\d{1,4}\)?[\s.\-]?){2,5}\d{2,4}(?![\d]|[.,/\-]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="PHONE",
        number=_of(10),
        pattern=re.compile(
            r"(?<![\w.,$/\-])(?:"
            r"(?:\(?57\)?[\s.\-]?)?3[0-5]\d[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"  # a Colombian mobile
            r"|\(?60[1-8]\)?[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"  # a Colombian landline
            r"|01[\s.\-]?8000[\s.\-]?\d{2,3}[\s.\-]?\d{3,4}"  # a Colombian free line
            r"|\(\d{3}\)\s?\d{3}[\s.\-]\d{4}|\d{3}[.\-]\d{3}[.\-]\d{4}"  # North America
            r")(?![\d]|[.,/\-]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="PHONE",
        starts=("tel", "cel", "movil", "móvil", "whatsapp", "phone", "mobile", "call me", "llam", "llám"),
        number=_of(7),
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:tel(?:[eé]fono)?s?|cel(?:ular)?|m[oó]vil|whatsapp|phone|mobile|call me (?:at|on)|"
            r"ll[aá]m(?:ame|enme|arme) al)\b\.?" + _LINK + r")\d(?:[\s.\-]?\d){6,9}(?![\d]|[.,]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="REFERENCE",
        starts=(
            "radicad",
            "radicaci",
            "caso",
            "case",
            "ticket",
            "pedido",
            "orden",
            "order",
            "ref",
            "transac",
            "comprobante",
            "factura",
            "invoice",
            "guia",
            "guía",
            "tracking",
            "pqr",
            "solicitud",
            "request",
            "claim",
            "reclamo",
            "folio",
            "confirmation",
            "aprobaci",
            "loan",
            "credito",
            "crédito",
            "contrat",
            "contract",
            "poliza",
            "póliza",
            "policy",
        ),
        number=_of(1),
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:radicado|radicaci[oó]n|caso|case|ticket|pedido|orden|order|referencia|reference|ref|"
            r"transacci[oó]n|transaction|comprobante|factura|invoice|gu[ií]a|tracking|pqrs?|solicitud|request|claim|reclamo|folio|"
            r"confirmation|aprobaci[oó]n|loan|cr[eé]dito|contrato|contract|p[oó]liza|policy)\b" + _LINK + r")"
            r"(?P<value>[A-Z]{0,5}-?\d[\dA-Z]*(?:[\-/]\d[\dA-Z]*){0,4})(?![\w]|[.,]\d)" + _MONEY_AFTER
        ),
        check=_is_reference,
    ),
    _Rule(
        type="REFERENCE",
        hint=re.compile(r"[A-Z]-?\d{5}"),
        number=_of(5),
        pattern=re.compile(r"\b(?!" + _CURRENCY_CODES + r"[\-\d])(?P<value>[A-Z]{1,5}-?\d{5,20}(?:-\d{1,10})*)\b(?![.,]\d)"),
        check=_is_reference,
    ),
)

TYPES = tuple(dict.fromkeys(rule.type for rule in _RULES))
_NUMBER = re.compile(r"\d(?:[\s.\-()]{0,3}\d)*")


def places(lower: str, starts: tuple[str, ...]) -> list[int]:
    """Where any of `starts` begins in a lower-case text, in order."""
    found: list[int] = []
    for start in starts:
        place = lower.find(start)
        while place >= 0:
            found.append(place)
            place = lower.find(start, place + 1)
    found.sort()
    return found


def matches_at(pattern: re.Pattern[str], text: str, at: list[int]) -> Iterator[re.Match[str]]:
    """As `pattern.finditer(text)`, where all that could begin a match is in `at`."""
    end = 0
    for place in at:
        if place >= end and (match := pattern.match(text, place)):
            end = match.end()
            yield match


class _Text:
    """A text as the rules look at it: its lower case and its numbers, found when they are first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lower = text.lower()
        self._numbers: list[tuple[str, int]] | None = None
        self._places: dict[tuple[str, ...], list[int]] = {}

    def numbers(self) -> list[tuple[str, int]]:
        """(digits with the marks between them, how many digits)."""
        if self._numbers is None:
            self._numbers = [(number, sum(map(str.isdigit, number))) for number in _NUMBER.findall(self.text)]
        return self._numbers

    def matches(self, rule: _Rule) -> Iterator[re.Match[str]]:
        """The rule's matches before its check."""
        if rule.number:
            wanted = rule.number
            if not any(wanted(*number) for number in self.numbers()):
                return iter(())
        if rule.hint and not rule.hint.search(self.text):
            return iter(())
        # A few letters have a lower case of two: places in the one are not places in the other.
        if not rule.starts or len(self.lower) != len(self.text):
            return rule.pattern.finditer(self.text)
        at = self._places.get(rule.starts)
        if at is None:
            at = self._places[rule.starts] = places(self.lower, rule.starts)
        return matches_at(rule.pattern, self.text, at) if at else iter(())


# References are a fact before they are redacted: the second look at a text need not begin again.
_seen = lru_cache(maxsize=1)(_Text)


def redact(text: str) -> tuple[str, dict[str, int]]:
    """The text with every find replaced by `<TYPE>`, and how many of each type were found."""
    found: Counter[str] = Counter()
    seen = _seen(text)
    for rule in _RULES:
        parts: list[str] = []
        end = 0
        for match in seen.matches(rule):
            if rule.check and not rule.check(match):
                continue
            kept = match["keep"] if "keep" in rule.pattern.groupindex else ""
            parts += [seen.text[end : match.start()], kept, f"<{rule.type}>"]
            end = match.end()
            found[rule.type] += 1
        if parts:
            seen = _Text("".join([*parts, seen.text[end:]]))
    return seen.text, dict(found)


def references(text: str) -> list[str]:
    """The reference numbers that redaction would take out, as written, in order, each once."""
    found: dict[str, None] = {}
    seen = _seen(text)
    for rule in _RULES:
        if rule.type == "REFERENCE":
            found.update({match["value"].upper(): None for match in seen.matches(rule) if not rule.check or rule.check(match)})
    return list(found)
