"""Personal data out of text: typed placeholders for what identifies a person or opens an account; amounts and dates stay.

Plain Python on one text. Checksums decide where a number has one, words nearby where it has none. Prepare calls it inside the
one function that sees each text (understanding.py); docs/prepare.md has the measure and the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from complaints_etl.places import Starts, Text, found, matches_at

Check = Callable[[re.Match[str]], bool]

_MONEY_AFTER = r"(?!\s*(?:pesos|mil\b|millones|d[oó]lares|dollars|euros|usd|cop|eur|%))"
_LINK = r"(?:\s*(?:de|del|bajo|la|el|al|mi|my|the|es|is|was|fue|con|with|n[uú]mero|numero|number|nro|num|no|n|°|º|o|#|:|=|,|\.|-|ending|id|code|c[oó]digo)){0,6}?\s*"


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
    return not _DATE.fullmatch(value) and not _YEAR.fullmatch(value) and sum(character.isdigit() for character in value) >= 4


_DATE = re.compile(r"(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/]\d{1,2}[-/](?:\d{4}|\d{2}))")
# "cuenta de ahorros del Banco de Bogotá 912-…": any other word between the two may be a verb, and the number a sum.
_BANK = (
    r"(?:(?:\s+(?:de|del|en|at|with|el|la|the|banco|bank|of)){0,4}\s+(?:bancolombia|davivienda|daviplata|nequi|bbva|bogot[aá]|occidente|"
    r"popular|av villas|caja social|colpatria|scotiabank|ita[uú]|falabella|rappipay|nu(?:bank)?|lulo|agrario|pichincha|finandina|"
    r"citi(?:bank)?|chase|wells fargo|america|capital one))?"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_NONE = Starts()
_CURRENCY_CODES = r"(?:COP|USD|EUR|MXN|US|GBP)"


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """A type, its pattern (`keep` is the part of a match that stays), and where in a text it is worth trying.

    `starts`: the words that a match begins with, folded (places.py). `places`: where it begins if that is no word. `holds`: what the
    text must hold. `digits`: how many one of the text's numbers must have at least. `number`: what such a number must be like,
    marks between its digits included.
    """

    type: str
    pattern: re.Pattern[str]
    check: Check | None = None
    starts: Starts = _NONE
    places: Callable[[Text], list[int]] | None = None
    holds: str = ""
    digits: int = 0
    number: Callable[[str], bool] | None = None


def _two_capitals(seen: Text) -> list[int]:
    """Where two stand right before a number."""
    text = seen.text
    return [start - 2 for start, _, _ in seen.runs() if start > 1 and text[start - 1].isupper() and text[start - 2].isupper()]


def _capitals(seen: Text) -> list[int]:
    """Where the capitals begin that stand before a number, with or without a dash between the two."""
    text, begins = seen.text, []
    for start, _, _ in seen.runs():
        first = start - 1 if start and text[start - 1] == "-" else start
        end = first
        while first and text[first - 1].isupper():
            first -= 1
        if first < end:
            begins.append(first)
    return begins


# In this order: a later one sees what the earlier ones left.
_RULES: tuple[_Rule, ...] = (
    _Rule(
        type="URL_QUERY",
        places=lambda seen: found(seen.text, ("http",)),
        holds="http",
        pattern=re.compile(r"(?P<keep>https?://[^\s?#]+)[?#]\S+"),
    ),
    _Rule(type="EMAIL", holds="@", pattern=re.compile(r"[^\W_][\w.+\-%]*@[\w\-]+(?:\.[\w\-]+)+")),
    _Rule(
        type="SECRET",
        starts=Starts(
            "clave",
            "contrase",
            "password",
            "passcode",
            "pin",
            "nip",
            "codigo",
            "security code",
            "verification code",
            "one-time",
            "token",
            "cvv",
            "cvc",
            "otp",
        ),
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:clave(?: din[aá]mica| de \w+)?|contrase[nñ]a|password|passcode|pin|nip|token|otp|cvv|cvc|"
            r"c[oó]digo (?:de (?:seguridad|verificaci[oó]n|confirmaci[oó]n)|otp|din[aá]mico)|"
            r"(?:security|verification|one-time) (?:code|passcode|password))"
            r"(?P<sign>\s*[:=]\s*|\s+(?:es|is|era|was)\s+|\s+(?=\d{4,8}(?![\w.,/\-]*\d)"
            + _MONEY_AFTER
            + r")))(?P<value>\S{3,})"
        ),
        check=_is_secret,
    ),
    _Rule(
        type="IBAN",
        places=_two_capitals,
        digits=2,
        pattern=re.compile(
            r"\b[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: (?=[A-Z]{0,3}\d)[A-Z0-9]{4}){2,7}(?: (?=[A-Z]{0,2}\d)[A-Z0-9]{1,3})?)\b"
        ),
        check=_is_iban,
    ),
    _Rule(
        type="CARD",
        digits=13,
        pattern=re.compile(r"(?<![\d$])(?<!\d[.,])\d(?:[ \-]?\d){12,18}(?![\d]|[.,]\d)"),
        check=_is_card,
    ),
    _Rule(
        type="CLABE",
        digits=18,
        pattern=re.compile(r"(?<![\d$])(?<!\d[.,])\d{3}[ \-]?\d{3}[ \-]?\d{11}[ \-]?\d(?![\d]|[.,]\d)"),
        check=_is_clabe,
    ),
    _Rule(
        type="NIT",
        starts=Starts("nit"),
        digits=9,
        pattern=re.compile(
            r"(?i)(?P<keep>\bnit\b\.?" + _LINK + r")\d{3}[.\s]?\d{3}[.\s]?\d{3}(?:\s*-\s*\d)?\b" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="NIT",
        digits=10,
        number=lambda text: "-" in text,
        pattern=re.compile(r"(?<![\d$])(?<!\d[.,])(?P<digits>\d{3}\.?\d{3}\.?\d{3})-(?P<check>\d)(?!\d|[.\-]\d)"),
        check=_is_nit,
    ),
    _Rule(
        type="CEDULA",
        starts=Starts(
            "c.",
            "cc",
            "ce",
            "cedula",
            "documento",
            "identificac",
            "identificad",
            "national id",
            "citizen id",
            "id",
            "ssn",
            "social security",
            "t.",
            "tarjeta de id",
        ),
        digits=6,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:c\.\s?c\.?|cc|c\.?e\.?|c[eé]dula(?: de (?:ciudadan[ií]a|extranjer[ií]a))?|"
            r"documento(?: de identidad)?|t\.\s?i\.?|tarjeta de identidad|identificaci[oó]n|identificad[oa](?: con)?|"
            r"(?:national |citizen )?(?<!transaction )(?<!order )(?<!case )(?<!ticket )id(?: card)?(?: number)?|ssn|social security(?: number)?)\b"
            + _LINK
            + r")"
            r"(?:\d{1,3}(?:[. ]\d{3}){2,3}|\d{3}-\d{2}-\d{4}|\d{6,11})(?![\d]|[.,]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="CEDULA",
        starts=Starts("pasaporte", "passport"),
        digits=6,
        pattern=re.compile(r"(?i)(?P<keep>\b(?:pasaporte|passport)\b" + _LINK + r")[A-Z]{0,3}\d{6,9}(?!\w)"),
    ),
    _Rule(
        type="IP",
        digits=4,
        number=lambda text: text.count(".") >= 3,
        pattern=re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)"),
        check=_is_address,
    ),
    _Rule(
        type="ACCOUNT",
        starts=Starts("cuenta", "cta", "acc", "a/c"),
        digits=6,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:cuenta|cta|account|acct|acc|a/c)\b\.?(?:\s+(?:de ahorros?|ahorros?|corriente|checking|savings|bancaria))?"
            + _BANK
            + _LINK
            + r")\d(?:[ \-]?\d){5,19}(?![\d]|[.,]\d)"
            + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="PHONE",  # in the international form
        places=lambda seen: found(seen.text, ("+",)),
        holds="+",
        digits=5,
        pattern=re.compile(
            r"(?<![\w$/\-])(?<!\d[.,])\+\d{1,3}[\s.\-]?(?:\(?\d{1,4}\)?[\s.\-]?){2,5}\d{2,4}(?![\d]|[.,/\-]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="PHONE",
        digits=10,
        pattern=re.compile(
            r"(?<![\w$/\-])(?<!\d[.,])(?:"
            r"(?:\(?57\)?[\s.\-]?)?3[0-5]\d[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"  # a Colombian mobile
            r"|\(?60[1-8]\)?[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"  # a Colombian landline
            r"|01[\s.\-]?8000[\s.\-]?\d{2,3}[\s.\-]?\d{3,4}"  # a Colombian free line
            r"|\(\d{3}\)\s?\d{3}[\s.\-]\d{4}|\d{3}[.\-]\d{3}[.\-]\d{4}"  # North America
            r")(?![\d]|[.,/\-]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="PHONE",
        starts=Starts("tel", "cel", "movil", "whatsapp", "phone", "mobile", "call me", "llam"),
        digits=7,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:tel(?:[eé]fono)?s?|cel(?:ular)?|m[oó]vil|whatsapp|phone|mobile|call me (?:at|on)|"
            r"ll[aá]m(?:ame|enme|arme) al)\b\.?" + _LINK + r")\d(?:[\s.\-]?\d){6,9}(?![\d]|[.,]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="REFERENCE",
        starts=Starts(
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
            "tracking",
            "pqr",
            "queja",
            "denuncia",
            "tramite",
            "cus",
            "autorizaci",
            "authorization",
            "complaint",
            "file n",
            "incident",
            "solicitud",
            "request",
            "claim",
            "reclamo",
            "folio",
            "confirmation",
            "aprobaci",
            "loan",
            "credito",
            "contrat",
            "contract",
            "poliza",
            "policy",
        ),
        digits=1,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:radicado|radicaci[oó]n|caso|case|ticket|pedido|orden|order|referencia|reference|ref|"
            r"transacci[oó]n|transaction|comprobante|factura|invoice|gu[ií]a|tracking|pqrs?|solicitud|request|claim|reclamo|folio|"
            r"confirmation|aprobaci[oó]n|queja|denuncia|tr[aá]mite|cus|autorizaci[oó]n|authorization|complaint|file n(?:umber|o)|incident|loan|cr[eé]dito|contrato|contract|p[oó]liza|policy)\b"
            + _LINK
            + r")"
            r"(?P<value>[A-Z]{0,5}-?\d[\dA-Z]*(?:[\-/]\d[\dA-Z]*){0,4})(?![\w]|[.,]\d)" + _MONEY_AFTER
        ),
        check=_is_reference,
    ),
    _Rule(
        type="REFERENCE",
        places=_capitals,
        digits=5,
        pattern=re.compile(r"\b(?!" + _CURRENCY_CODES + r"[\-\d])(?P<value>[A-Z]{1,5}-?\d{5,20}(?:-\d{1,10})*)\b(?![.,]\d)"),
        check=_is_reference,
    ),
)

TYPES = tuple(dict.fromkeys(rule.type for rule in _RULES))
STARTS = tuple(dict.fromkeys(rule.starts for rule in _RULES if rule.starts))


@cache
def _rules_for(most_digits: int) -> tuple[_Rule, ...]:
    """Those that need no longer number."""
    return tuple(rule for rule in _RULES if rule.digits <= most_digits)


def _matches(rule: _Rule, seen: Text) -> Iterator[re.Match[str]]:
    """The rule's matches before its check, where the text's numbers have digits enough."""
    if rule.starts:
        return seen.matches(rule.pattern, rule.starts)
    if rule.number and not any(digits >= rule.digits and rule.number(text) for text, digits in seen.numbers()):
        return _NOTHING
    return matches_at(rule.pattern, seen.text, rule.places(seen)) if rule.places else rule.pattern.finditer(seen.text)


_NOTHING: Iterator[re.Match[str]] = iter(())


def redact(text: str | Text) -> tuple[str, dict[str, int]]:
    """The text with every find replaced by `<TYPE>`, and how many of each type were found."""
    counts: dict[str, int] = {}
    seen = Text(text) if isinstance(text, str) else text
    for rule in _rules_for(seen.most_digits):
        if (rule.starts and not seen.may_hold(rule.starts)) or (rule.holds and rule.holds not in seen.text):
            continue
        matches = [match for match in _matches(rule, seen) if not rule.check or rule.check(match)]
        if not matches:
            continue
        parts: list[str] = []
        cuts: list[tuple[int, int, int]] = []
        end = 0
        for match in matches:
            start = match.end("keep") if "keep" in rule.pattern.groupindex else match.start()
            placeholder = f"<{rule.type}>"
            parts += [seen.text[end:start], placeholder]
            end = match.end()
            cuts.append((start, end, len(placeholder)))
        counts[rule.type] = counts.get(rule.type, 0) + len(cuts)
        seen = seen.replaced("".join([*parts, seen.text[end:]]), cuts)
    return seen.text, counts


def references(seen: Text) -> list[str]:
    """The reference numbers that redaction would take out, as written, in order, each once."""
    numbers: dict[str, None] = {}
    for rule in _rules_for(seen.most_digits):
        if rule.type == "REFERENCE":
            numbers.update({match["value"].upper(): None for match in _matches(rule, seen) if _is_reference(match)})
    return list(numbers)
