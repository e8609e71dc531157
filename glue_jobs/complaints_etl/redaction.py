"""Personal data out of text: typed placeholders for what identifies a person or opens an account; amounts and dates stay.

Plain Python on one text. Checksums decide where a number has one, words nearby where it has none. Prepare calls it inside the
one function that sees each text (understanding.py); docs/prepare.md has the measure and the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv6Address

from complaints_etl.leftovers import leftovers, telling
from complaints_etl.places import Starts, Text, folded, found, matches_at, without_accents

Check = Callable[[re.Match[str]], bool]

_MONEY_AFTER = r"(?!\s*(?:pesos|mil\b|millones|d[oó]lares|dollars|euros|usd|cop|eur|%))"
_LINK = r"(?:\s*(?:de|del|bajo|la|el|al|mi|my|the|es|is|was|fue|con|with|n[uú]mero|numero|number|nro|num|no|n(?![a-z])|°|º|o(?![a-z])|#|:|=|,|\.|-|ending|id|code|c[oó]digo)){0,6}?\s*\(?"


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


# How long an IBAN of each country is (SWIFT's registry of IBAN formats).
_IBAN_COUNTRIES = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST",
    26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV", 29: "BR EG PS QA UA",
    30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_IBAN_LENGTHS = {country: length for length, countries in _IBAN_COUNTRIES.items() for country in countries.split()}


def iban(text: str) -> bool:
    """ISO 13616: as long as its country's are, and the rearranged number is 1 modulo 97."""
    compact = text.replace(" ", "").upper()
    if len(compact) != _IBAN_LENGTHS.get(compact[:2]):
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
    groups = [len(group) for group in re.split("[ .,-]", match[0])]
    if groups[0] < 4 and set(groups) != {2}:  # nobody begins a card with a group of three
        return False
    # 3 to 6 are the issuers' first digits; a run of one digit passes Luhn and is nobody's card.
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits)


def _is_clabe(match: re.Match[str]) -> bool:
    return clabe(_digits(match[0]))


def _is_iban(match: re.Match[str]) -> bool:
    return iban(match[0])


def _is_nit(match: re.Match[str]) -> bool:
    return nit(_digits(match["digits"]), match["check"])


def _is_address(match: re.Match[str]) -> bool:
    before = match.string[max(match.start() - 80, 0) : match.start()]
    return all(int(part) < 256 for part in match[0].split(".")) and (
        bool(_ADDRESS.search(before)) or not _VERSION.search(before)
    )


_ADDRESS = re.compile(r"(?i)(?<!<)\b(?:ips?|direcci[oó]n|address)\b")
_VERSION = re.compile(
    r"(?i)\b(?:(?:versi[oó]n|version|firmware|build|release|actualiz\w+|updat\w+)\b|(?:ver|v|ios|android)\b[.:#]?(?: (?:es|is))?[ .:#]*\Z|"
    r"app\b(?=.{0,40}\Z))"
)


def _is_phone(match: re.Match[str]) -> bool:
    """A number that is written as telephone numbers are, and is not said to be another one right before."""
    before = match.string[max(match.start() - 35, 0) : match.start()]
    return telling(before, len(before), len(before), {"ACCOUNT", "REFERENCE", "PHONE"})[0] in ("", "PHONE")


def _is_long_address(match: re.Match[str]) -> bool:
    """IPv6, of more than a time or an operator of a programming language has."""
    try:
        IPv6Address(match[0])
    except ValueError:
        return False
    return match[0].count(":") > 2


def _last_word(match: re.Match[str]) -> str:
    return match["keep"].rstrip(" ,:(\"'-").rpartition(" ")[2].lower()


# What stands right before a sum, a time or a quantity, and not before a number that names somebody.
_NO_NAME_FOLLOWS = frozenset(
    [
        "por", "de", "for", "of", "with", "con", "in", "en", "at", "since", "desde", "hasta", "until", "after",
        "before", "from", "during", "durante", "than", "about", "over", "under", "unos", "unas", "casi", "usd", "cop",
        "eur", "mxn", "gbp", "us",
    ]
)  # fmt: skip


def _names_somebody(match: re.Match[str]) -> bool:
    """A number some words after what it is: no sum, as thousands and prepositions tell."""
    value = match["value"]
    return not _digits(value).endswith("000") and not _DATE.fullmatch(value) and _last_word(match) not in _NO_NAME_FOLLOWS


def _is_far_reference(match: re.Match[str]) -> bool:
    value = match["value"]
    digits = sum(map(str.isdigit, value))
    coded = len(value) >= 7 and digits >= 3 and any(map(str.isalpha, value))
    return (coded or (digits >= 6 and _names_somebody(match))) and not _NO_REFERENCE.fullmatch(value)


def _is_code(match: re.Match[str]) -> bool:
    """A PIN, or what came by text message; no year, no quantity."""
    if _last_word(match) in _NO_NAME_FOLLOWS or match["value"].endswith("000"):
        return False
    return not _YEAR.fullmatch(match["value"]) or _last_word(match) in ("es", "is", "era", "was", "fue")


def _is_sent_code(match: re.Match[str]) -> bool:
    return _is_code(match) and (
        sum(map(str.isdigit, match["value"])) == 6
        or bool(_SENT.search(match.string, max(match.start() - 40, 0), match.end("keep")))
    )


_SENT = re.compile(r"(?i)lleg|envi|mand|dict|dije|dijo|deme|d[ií] |sent|gave|read|text|said|got|receiv|recib")


def _is_password(match: re.Match[str]) -> bool:
    value = match["value"]
    return any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and not _NO_PASSWORD.match(value)


def _is_my_password(match: re.Match[str]) -> bool:
    value = match["value"]
    return (
        _is_password(match)
        if any(map(str.isalpha, value))
        else 3 <= len(_digits(value)) <= 8 and re.fullmatch(r"\d+-?\d+", value) is not None and not _YEAR.fullmatch(value)
    )


_NO_PASSWORD = re.compile(
    r"(?i)(?:iphone|ipad|galaxy|android|windows|covid|ios|pixel|moto|chrome|firefox|bre|4x1000)[\-_]?\d+\w{0,3}\Z|\d+-[a-z]+\Z"
)


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


def _is_no_document(match: re.Match[str]) -> bool:
    """Letters and figures by themselves: a passport or a licence where a word before says so."""
    before = match.string[max(match.start() - 60, 0) : match.start()]
    return _is_reference(match) and telling(before, len(before), len(before), {"CEDULA", "REFERENCE"})[0] != "CEDULA"


def _is_reference(match: re.Match[str]) -> bool:
    value = match["value"]
    return sum(map(str.isdigit, value)) >= 4 and not _NO_REFERENCE.fullmatch(value)


_DOT = r"(?:\.|\s(?:dot|punto)\s)"
_SPOKEN = r"(?:\s(?:dot|punto|underscore|dash|gui[oó]n(?: bajo)?)\s\w{1,30}){0,3}"
# "cuenta de ahorros del Banco de Bogotá 912-…": any other word between the two may be a verb, and the number a sum.
_BANK = (
    r"(?:(?:\s+(?:de|del|en|at|with|el|la|the|banco|bank|of)){0,4}\s+(?:bancolombia|davivienda|daviplata|nequi|bbva|bogot[aá]|occidente|"
    r"popular|av villas|caja social|colpatria|scotiabank|ita[uú]|falabella|rappipay|nu(?:bank)?|lulo|agrario|pichincha|finandina|"
    r"citi(?:bank)?|chase|wells fargo|america|capital one))?"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_DATE = re.compile(r"(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/]\d{1,2}[-/](?:\d{4}|\d{2}))")
# Dates, years, sections of laws, and masks that stand beside a year.
_NO_REFERENCE = re.compile(rf"(?i)(?:{_DATE.pattern}|{_YEAR.pattern}|\d{{3,4}}[a-z](?:-\d+)?|ucc.*|.*xx.*)")
_NONE = Starts()
_CURRENCY_CODES = r"(?:COP|USD|EUR|MXN|US|GBP)"


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """A type, its pattern (`keep` is the part of a match that stays), and where in a text it is worth trying.

    `starts`: the words that a match begins with, folded (places.py). `places`: where it begins if that is no word. `holds`: what the
    text must hold, `says`: what it must hold when it is folded. `digits`: how many one of the text's numbers must have at least.
    `number`: what such a number must be like, marks between its digits included.
    """

    type: str
    pattern: re.Pattern[str]
    check: Check | None = None
    starts: Starts = _NONE
    places: Callable[[Text], list[int]] | None = None
    holds: str = ""
    says: str = ""
    digits: int = 0
    number: Callable[[str], bool] | None = None


def _where(words: str, starts: Starts) -> Callable[[Text], list[int]]:
    """Where one of the words stands."""
    pattern = re.compile(words)
    return lambda seen: [match.start() for match in seen.matches(pattern, starts)]


def _two_letters(seen: Text) -> list[int]:
    """Where two stand right before a number, and no third."""
    text = seen.text
    return [
        start - 2
        for start, _, _ in seen.runs()
        if start > 1 and text[start - 1].isalpha() and text[start - 2].isalpha() and not text[start - 3 : start - 2].isalnum()
    ]


def _colons(seen: Text) -> list[int]:
    """Where hexadecimal digits and colons begin that hold a colon with no space behind it."""
    text, begins, end = seen.text, [], 0
    for place in found(text, (":",)):
        if place >= end and text[place + 1 : place + 2] in _HEXADECIMAL:
            first = place
            while first > end and text[first - 1] in _HEXADECIMAL:
                first -= 1
            begins.append(first)
            end = place + 1
            while text[end : end + 1] in _HEXADECIMAL:
                end += 1
    return begins


_HEXADECIMAL = frozenset("0123456789abcdefABCDEF:")


def _queries(seen: Text) -> list[int]:
    """Where the words begin that hold a question mark, and are no longer than an address."""
    text = seen.text
    begins = {
        max(text.rfind(space, max(place - _LONGEST_ADDRESS, 0), place) for space in " \n\t") + 1
        for place in found(text, ("?",))
    }
    return sorted(begins)


_LONGEST_ADDRESS = 1000  # what the pattern reads before a question mark


def _before_my_password(seen: Text) -> list[int]:
    """Where the words begin that stand before "as my password", "es mi clave"."""
    begins = []
    for word in seen.matches(_PASSWORD_WORD, _SECRET_WORDS):
        before = seen.text[max(word.start() - 60, 0) : word.start()]
        if link := _BEFORE_MY.search(before):
            begins.append(word.start() - len(before) + link.start("value"))
    return begins


_AS_MY = r"\s(?:as|como|es|is|was|era|fue)\s(?:mi|my|la|el|the|our|nuestra|an?|una?)\s(?:\w{1,20}\s)?"
_PASSWORD_WORD = re.compile(
    r"(?i)\b(?:clave(?! de rastreo)|contrase[nñ]a|password|passcode|pwd?|pin|cvv|nip|otp|token|c[oó]digo|code)\b"
)
_BEFORE_MY = re.compile(rf"(?i)(?:^|(?<=[\s\"'“(]))(?P<value>[^\s\"'“(<$][^\s<]{{2,40}}){_AS_MY}\Z")


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


def _before_account(seen: Text) -> list[int]:
    """Where the numbers begin that stand right before "account"."""
    begins = []
    for word in seen.matches(_ACCOUNT_WORD, _ACCOUNT_WORDS):
        before = seen.text[max(word.start() - 60, 0) : word.start()]
        if number := _NUMBER_AT_END.search(before):
            begins.append(word.start() - len(before) + number.start())
    return begins


_ACCOUNT_WORD = re.compile(r"(?i)\b(?:account|acct)\b")
_NUMBER_AT_END = re.compile(r"\d(?:[ \-]?\d)*\s\Z")

_SECRET_WORDS = Starts(
    "clave", "contrase", "pass", "pw", "digitos de seg", "pin", "nip", "codigo", "code", "security code", "verification code", "one-time",
    "token", "cvv", "cvc", "cvn", "otp",
)  # fmt: skip
_ASKED_WORDS = Starts(
    "pass p", "passph", "frase", "seed", "recovery phrase", "pregunta", "respuesta", "security q", "security a", "secret", "answer to", "memorable", "palabra", "apellido de sol",
    "maiden",
)  # fmt: skip
_OWN_FIRSTS = Starts("first car", "first pet", "first sch", "first job", "first tea", "primer", "street i", "grew up")
_NUMBER_WORDS = Starts("mi num", "my num")
_SPELLED = Starts("cero", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "zero", "four", "five", "six", "seven", "eight", "nine")  # fmt: skip
_IDENTITY_WORDS = Starts(
    "c.", "cc", "ce", "cedula", "doc", "identificac", "identificad", "national id", "citizen id", "id", "ssn",
    "social security", "t.", "tarjeta de id", "dni", "curp", "cpf", "rut", "ppt", "pep", "rfc", "licen", "driver", "dl",
)  # fmt: skip
_PHONE_WORDS = Starts("tel", "cel", "movil", "whatsapp", "phone", "mobile", "call me", "llam")
_DIGIT_WORD = (
    r"cero|un[oa]?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|dieci\w{4,6}|veinti?\w{0,6}|treinta|cuarenta|cincuenta|"
    r"sesenta|setenta|ochenta|noventa|zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,5}teen|twenty|thirty|forty|fifty|sixty|"
    r"seventy|eighty|ninety|cien(?:to)?|\w{3,6}cientos|quinientos"
)
_PASSPORT = Starts("pasaporte", "passport")
_SOCIAL_SECURITY = Starts("ssn", "itin", "social")
_ACCOUNT_WORDS = Starts("cuenta", "cta", "acc", "a/c", "savings", "checking", "ahorros")
_REFERENCE_WORDS = Starts(
    "radicad", "radicaci", "tiquete", "siniestro", "peticion", "rastreo", "envio", "expediente", "dispute", "shipment", "trace",
    "remesa", "remittance", "caso", "case", "ticket", "pedido", "orden", "order", "ref", "transac", "comprobante", "factura",
    "invoice", "guia", "tracking", "pqr", "queja", "denuncia", "tramite", "cus", "autorizaci", "authorization", "complaint",
    "file n", "incident", "solicitud", "request", "claim", "reclamo", "folio", "confirmation", "aprobaci", "loan", "credito",
    "contrat", "contract", "poliza", "policy",
)  # fmt: skip
# What has a number of its own.
_NUMBERED = (
    r"radicado|radicaci[oó]n|tiquete|siniestro|petici[oó]n|rastreo|env[ií]o|remesa|remittance|expediente|dispute|"
    r"shipment|trace|caso|case|ticket|pedido|orden|order|referencia|reference|transacci[oó]n|transaction|comprobante|"
    r"gu[ií]a|tracking|pqr|solicitud|request|claim|reclamo|folio|confirmation|queja|tr[aá]mite|complaint"
)
# Up to so many words with no figure among them, in the same sentence, none of which speaks of another number.
_BETWEEN = (
    r"[^\w<>$€.!?\n]{1,3}(?!(?:ending|ends|ended|termin\w*|[uú]ltim[oa]s|last|error|versi[oó]n|version|ley|law|section|art[ií]culo|"
    r"calle|carrera|street|branch|sucursal|oficina|cajero|atm|terminal|valor|monto|suma|saldo|amount|balance|total|desde|since|hace|years?|años?)\b)[^\W\d_]+"
)
_GAP, _LONG_GAP = (rf"(?:{_BETWEEN}){{0,{words}}}?[^\w<>$€.!?\n]{{1,3}}" for words in (6, 9))
# A password is told from words by its figures: "my old password? it was …".
_ASKED_GAP = _LONG_GAP.replace(".!?", ".!")
_ANOTHER = (
    r"(?:[ ,;/]*\b(?:y|e|o|and|or|vs|versus|que|es|is|was|era|fue|la|el|the|my|mi|m[ií][ao]|en|vez|lugar|de|instead|of|no|not|sino|but|pero|"
    r"a|to|puso|pone|put|nuev[oa]|new|otr[oa]|other|another|then|luego|despu[eé]s|anterior|previous)\b){1,8}[ ,;:]+"
)
_NO_UNITS = (
    r"(?![ \-]?\d)(?!\s*(?:veces|times|d[ií]as|days|car[aá]cter|character|d[ií]git|digit|horas|hours|hrs|min|seg|sec|meses|months|"
    r"years|años|intentos|attempts|tries|personas|people|puntos|points|millas|miles|llamadas|calls|[ap]\.?\s?m\b|pesos|mil\b|"
    r"millones|d[oó]lares|dollars|euros|usd|cop|eur|%))"
)
_IBAN_FORMS = "|".join(
    rf"(?:{countries.replace(' ', '|')})\d\d(?: ?[0-9A-Z]){{{length - 4}}}" for length, countries in _IBAN_COUNTRIES.items()
)


def _another(kind: str, form: str) -> _Rule:
    """A number after one of its kind that is already found: "the account 123 and not 456"."""
    return _Rule(
        type=kind,
        holds=f"<{kind}>",
        places=lambda seen: found(seen.text, (f"<{kind}>",)),
        digits=6,
        pattern=re.compile(rf"(?i)(?P<keep><{kind}>{_ANOTHER})(?P<value>{form})(?![\w]|[.,]\d){_NO_UNITS}"),
        check=_names_somebody,
    )


# In this order: a later one sees what the earlier ones left.
_RULES: tuple[_Rule, ...] = (
    _Rule(
        type="URL_QUERY",
        says="http",
        pattern=re.compile(r"(?i)(?P<keep>https?://[^\s?#]+)[?#]\S+"),
    ),
    _Rule(  # of an address without its scheme
        type="URL_QUERY",
        places=_queries,
        holds="?",
        pattern=re.compile(r"(?P<keep>(?<!\S)[^\w\s]?(?:[\w\-]{1,63}\.){1,8}[A-Za-z]{2,20}(?:/[^\s?#]{0,400})?)\?(?=\S*=)\S+"),
    ),
    _Rule(
        type="EMAIL",
        holds="@",
        pattern=re.compile(
            r"[^\W_][\w.+\-%]{0,120}@[\w\-]+(?:\.[\w\-]+| (?i:(?:dot|punto) (?:com?|net|org|edu|gov|info|es|mx|us))\b)+"
        ),
    ),
    _Rule(  # mistyped, at a host that everybody knows
        type="EMAIL",
        holds="@",
        pattern=re.compile(
            r"(?i)[^\W_][\w.+\-%]{0,120} ?@ ?(?:gmail|hotmail|outlook|yahoo|icloud|live|msn)\b(?: ?[.,] ?(?:com?|net|org|es|mx|ar|pe|cl)\b){0,2}"
        ),
    ),
    _Rule(  # with blanks in it, so that it is no link
        type="EMAIL",
        holds=" @ ",
        pattern=re.compile(
            r"(?i)[^\W_][\w.+\-%]{0,120} @ [\w\-]+(?: ?\. ?[\w\-]+){0,2} ?\. ?(?:com?|net|org|edu|gov|info|es|mx|us)\b"
        ),
    ),
    *(  # as they are dictated, or hidden from machines
        _Rule(
            type="EMAIL",
            says=sign,
            pattern=re.compile(
                rf"(?i)\b\w[\w.\-]{{0,60}}{_SPOKEN}{at}\w[\w\-]{{1,30}}{dot}[^\W\d_]{{2,20}}(?:{_DOT}[^\W\d_]{{2,20}}){{0,2}}\b"
            ),
        )
        for sign, at, dot in (
            ("arroba", r"(?:\s?[(\[{]\s?arroba\s?[)\]}]\s?|\sarroba\s)", _DOT),
            ("(at)", r"\s?\(at\)\s?", _DOT),
            ("[at]", r"\s?\[at\]\s?", _DOT),
            (" dot ", r"\sat\s", r"\sdot\s"),
            (" punto ", r"\sat\s", r"\spunto\s"),
            *((f" at {host}.", rf"\sat\s(?={host}\.)", r"\.") for host in ("gmail", "hotmail", "outlook", "yahoo")),
        )
    ),
    _Rule(  # what only its owner knows
        type="SECRET",
        starts=_OWN_FIRSTS,
        pattern=re.compile(
            r"(?P<keep>\b(?i:first (?:car|pet|school|job|teacher)|primer[oa]? (?:mascota|carro|colegio|profesora?)|street I grew up on|grew up on)"
            r"[^.!?\n\d]{0,20}[.?,:]?\s?(?i:\b(?:and\s)?I (?:said|put|typed)\s|\bit's\s|\bis\s|\bwas\s|\bes\s|\bera\s|\bdije\s|(?<=\?)\s))"
            r"(?P<value>(?:\d\d )?[A-ZÁÉÍÓÚÑ][\w']{2,20}(?: (?:Lane|Street|St|Ave|Avenue|Road|Drive)\b)?)"
        ),
    ),
    _Rule(  # the words that open a wallet
        type="SECRET",
        starts=_ASKED_WORDS,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:frase (?:semilla|secreta|de recuperaci[oó]n)|(?:seed|recovery) phrase)\b[\s:,\"“]*(?:(?:es|is|was|era)\s)?)"
            r"[^\W\d_]{3,10}(?:\s[^\W\d_]{3,10}){11,23}"
        ),
    ),
    _Rule(  # what was asked to know somebody by, answered with a name
        type="SECRET",
        starts=_ASKED_WORDS,
        pattern=re.compile(
            r"(?P<keep>\b(?i:pregunta (?:de seguridad|secreta)|respuesta (?:secreta|de seguridad)|palabra (?:secreta|clave)|security (?:question|answer)|secret (?:question|answer|word)|"
            r"memorable word|answer to|maiden name|apellido de soltera)\b[^.!?\n]{0,80}?(?:\b(?i:es|is|era|was|respond[ií]|contest[eé]|dije|puse|said|typed|put|it's|that's)\s+|[:,]\s|\(|(?<=answer)\s)[\"“]?)"
            r"(?P<value>(?!X{2})[A-ZÁÉÍÓÚÑ]\w{2,20}(?: (?:[A-ZÁÉÍÓÚÑ]\w{1,20}|\d{1,4})\b){0,3})"
        ),
    ),
    *(
        _Rule(  # spelled out, as it is dictated
            type=kind,
            starts=_SPELLED,
            places=_where(rf"(?i)\b(?:{words})\b", starts),
            pattern=re.compile(
                rf"(?i)(?P<keep>\b(?:{words})\b[^.!?\d\n]{{0,30}}?\b)(?:{_DIGIT_WORD})(?:[ ,]{{1,2}}(?:y |double )?(?:{_DIGIT_WORD})){{3,15}}\b(?! (?:mil|mill|pesos|d[oó]lares|euros|soles))"
            ),
        )
        for kind, starts, words in (
            ("SECRET", _SECRET_WORDS, r"clave|contrase[nñ]a|pin|nip|passcode|cvv|otp|c[oó]digo|code"),
            ("PHONE", _NUMBER_WORDS, r"mi n[uú]mero|my number"),
            ("PHONE", _PHONE_WORDS, r"tel[eé]fono|tel|cel|celular|m[oó]vil|whatsapp|phone|mobile"),
            ("CEDULA", _IDENTITY_WORDS, r"c[eé]dula|documento|identificaci[oó]n"),
            ("CEDULA", _SOCIAL_SECURITY, r"ssn|social(?: security)?(?: number)?"),
        )
    ),
    _Rule(
        type="SECRET",
        starts=_SECRET_WORDS,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:clave(?! de rastreo)(?: din[aá]mica| de \w+)?|contrase[nñ]a|password|passcode|pwd?|pin|nip|token|otp|cvv|cvc|"
            r"c[oó]digo (?:de (?:seguridad|verificaci[oó]n|confirmaci[oó]n)|otp|din[aá]mico)|"
            r"(?:security|verification|one-time) (?:code|passcode|password))"
            r"(?P<sign>\s*[:=]\s*|\s+(?:es|is|era|was)\s+|\s+(?=\d{4,8}(?![\w.,/\-]*\d)"
            + _MONEY_AFTER
            + r")))(?P<value>\d{2,4}(?: \d{2,4}){1,3}(?!\w)|\S{3,})"
        ),
        check=_is_secret,
    ),
    _Rule(  # keys of programs, and addresses of wallets
        type="SECRET",
        digits=1,
        holds="_",
        pattern=re.compile(r"\b[a-z]{2,6}_(?:[a-z]{2,8}_)?(?=\w*\d)(?=\w*[A-Z])[A-Za-z0-9]{10,80}\b"),
    ),
    _Rule(
        type="ACCOUNT",
        digits=1,
        says="0x",
        pattern=re.compile(r"(?i)\b0x[0-9a-f]{40}\b"),
    ),
    _Rule(
        type="IBAN",
        places=_two_letters,
        digits=2,
        pattern=re.compile(r"(?i)\b(?:" + _IBAN_FORMS + r")(?!\w)"),
        check=_is_iban,
    ),
    _Rule(
        type="CLABE",
        digits=18,
        pattern=re.compile(r"(?<![\d$])(?<!\d[.,])\d{3}[ \-]?\d{3}[ \-]?\d{11}[ \-]?\d(?![\d]|[.,]\d)"),
        check=_is_clabe,
    ),
    _Rule(
        type="CARD",
        digits=13,
        pattern=re.compile(
            r"(?<![\d$+])(?<!\d[.,])(?:\d(?:[ \-]?\d){12,18}|\d{4}(?P<mark>[.,])\d{4}(?:(?P=mark)\d{4}){2})(?![\d]|[.,]\d)"
        ),
        check=_is_card,
    ),
    _Rule(
        type="NIT",
        starts=Starts("nit"),
        digits=9,
        pattern=re.compile(
            r"(?i)(?P<keep>\bnit\b\.?" + _LINK + r")\d{3}[.,\s]?\d{3}[.,\s]?\d{3}(?:\s*-\s*\d)?\b" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="NIT",
        digits=10,
        number=lambda text: "-" in text,
        pattern=re.compile(r"(?<![\d$])(?<!\d[.,])(?P<digits>\d{3}[., ]?\d{3}[., ]?\d{3}) ?- ?(?P<check>\d)(?!\d|[.\-]\d)"),
        check=_is_nit,
    ),
    _Rule(
        type="CEDULA",
        starts=_IDENTITY_WORDS,
        digits=6,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:c\.\s?c\.?|cc|c\.?e\.?|c[eé]dula(?: (?:de )?(?:ciudadan[ií]a|extranjer[ií]a))?|"
            r"doc(?:umento)?(?: de identidad)?|t\.\s?i\.?|tarjeta de identidad|identificaci[oó]n|identificad[oa](?: con)?|"
            r"(?:national |citizen )?(?<!transaction )(?<!order )(?<!case )(?<!ticket )id(?: card)?(?: number)?|ssn|social security(?: number)?)\b"
            + _LINK
            + r")"
            r"(?:\d{1,3}(?:[.,'’´` ]\d{3}){2,3}|\d{1,4}(?:\.?\d{3}){2}|\d{1,2}(?:\.?\d{3}){3}|\d{3}\.(?!000)\d{3}|\d{3}[ \-]\d{2}[ \-]\d{4}|\d{6,11})(?![\d]|[.,]\d)"
            + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="CEDULA",
        starts=_PASSPORT,
        digits=6,
        pattern=re.compile(r"(?i)(?P<keep>\b(?:pasaporte|passport)\b" + _LINK + r")[A-Z]{0,3}\d{6,9}(?!\w)"),
    ),
    _Rule(  # documents in letters and figures
        type="CEDULA",
        starts=_IDENTITY_WORDS,
        digits=4,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:dni|curp|rut|ppt|pep|rfc|licencia(?: de conducci[oó]n| de conducir)?|(?:driver'?s )?licen[cs]e(?! plate)|dl)\b"
            + _LINK
            + r")(?=[A-Z\d.\-]*\d{3})[A-Z\d](?:[.\-]?[A-Z\d]){5,19}(?![\w]|[.,\-]\d)"
            + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="CEDULA",
        starts=_PASSPORT,
        digits=6,
        pattern=re.compile(r"(?i)(?P<keep>\b(?:pasaporte|passport)\b" + _GAP + r")(?:[A-Z]{1,3}\d{6,9}|\d{9})(?!\w)"),
    ),
    _Rule(  # a social security number: nothing else is written so
        type="CEDULA",
        digits=9,
        number=lambda text: text.count("-") > 1 or text.count(" ") > 1,
        pattern=re.compile(
            r"(?<![\w$\-])(?<!\d[., ])(?!000|666|9)\d{3}(?P<mark>[ \-])(?!00)\d{2}(?P=mark)(?!0000)\d{4}(?![\w\-]|[., ]\d)"
        ),
    ),
    _Rule(
        type="CEDULA",
        starts=_SOCIAL_SECURITY,
        digits=9,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:ssn|itin|social)\b[^\d<$]{0,80}?)\d{3}[ \-]?\d{2}[ \-]?\d{4}(?![\d]|[.,\-]\d)" + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="IP",
        holds=":",
        places=_colons,
        pattern=re.compile(r"(?<![\w.:])[0-9A-Fa-f:]{7,44}[0-9A-Fa-f](?!\w|:[\w:])"),
        check=_is_long_address,
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
        starts=_ACCOUNT_WORDS,
        digits=6,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:cuenta|cta|account|acct|acc|a/c|savings|checking|ahorros)\b\.?(?:\s+(?:de ahorros?|ahorros?|corriente|checking|savings|bancaria))?"
            + _BANK
            + _LINK
            + r")(?!(?:19|20)\d\d-\d\d-\d\d(?!\d))\d(?:[ \-]?\d){5,19}(?![\d]|[.,]\d)"
            + _NO_UNITS
        ),
    ),
    _Rule(  # as the largest bank of Colombia writes its accounts
        type="ACCOUNT",
        digits=11,
        number=lambda text: text.count("-") > 1,
        pattern=re.compile(r"(?<![\w$\-])(?<!\d[.,])\d{3}-\d{6}-\d{2}(?![\w\-]|[.,]\d)"),
    ),
    _Rule(
        type="ACCOUNT",
        starts=_ACCOUNT_WORDS,
        places=_before_account,
        digits=8,
        pattern=re.compile(r"(?<![\w$\-])(?<!\d[., \-])\d(?:[ \-]?\d){7,19}(?=\s(?i:account|acct)\b)"),
    ),
    _another("ACCOUNT", r"\d(?:[ \-]?\d){7,19}"),
    _Rule(
        type="PHONE",  # in the international form
        places=lambda seen: found(seen.text, ("+",)),
        holds="+",
        digits=5,
        pattern=re.compile(
            r"(?<![\w$/\-])(?<!\d[.,])\+(?:\d{9,15}|1[\s.\-]?\(?\d{3}\)?[\s.\-]?\d{3}[\s.\-]?\d{4}|57[\s.\-]?\(?\d{3}\)?[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}|\d{1,3}[\s.\-]?(?:\(?\d{1,4}\)?[\s.\-]?){2,5}\d{2,4}|\d{1,3} \d{2,4} \d{6,8})(?![\d]|[.,/\-]\d)"
            + _MONEY_AFTER
        ),
    ),
    _Rule(  # in a link that opens a chat
        type="PHONE",
        says="wa.me/",
        digits=9,
        pattern=re.compile(r"(?i)(?P<keep>\bwa\.me/)\+?\d{9,15}"),
    ),
    _Rule(  # whose letters say what they are
        type="REFERENCE",
        places=_capitals,
        digits=4,
        pattern=re.compile(
            r"\b(?P<value>(?:PQRS?|RAD|TKT|REF|CASO?|CASE|INV|FE|SR|INC|CRM)[\-_/]\d[\dA-Z]{1,20}(?:[\-/_][A-Z]{0,5}\d[\dA-Z]*){0,8})(?![\w]|[.,]\d)"
        ),
        check=_is_reference,
    ),
    _Rule(
        type="REFERENCE",
        starts=_REFERENCE_WORDS,
        digits=1,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:"
            + _NUMBERED
            + r"|ref|factura|invoice|aprobaci[oó]n|denuncia|cus|autorizaci[oó]n|authorization|"
            r"file n(?:umber|o)|incident|loan|cr[eé]dito|(?<!cuenta )contrato|contract|p[oó]liza|policy)(?:e?s)?\b"
            + _LINK
            + r")"
            r"(?P<value>\d{4}(?: \d{4}){2,6}(?: \d{1,3})?|[A-Z]{0,5}[\-_]?\d[\dA-Z]*(?:[\-/_][A-Z]{0,5}\d[\dA-Z]*){0,8}(?:-(?-i:[A-Z]{1,4})(?![\w\-]))?)(?![\w]|[.,]\d)"
            + _MONEY_AFTER
        ),
        check=_is_reference,
    ),
    _Rule(
        type="PHONE",
        digits=10,
        pattern=re.compile(
            r"(?<![\w$/\-])(?<!\d[.,])(?:"
            r"(?:\(?57\)?[\s.\-]?)?3[0-5]\d[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"  # a Colombian mobile
            r"|\(?60[1-8]\)?[\s.\-]?\d{3}[\s.\-]?\d{2}[\s.\-]?\d{2}"  # a Colombian landline
            r"|01[\s.\-]?8000[\s.\-]?\d{2,3}[\s.\-]?\d{3,4}"  # a Colombian free line
            r"|(?:1[\s.\-])?(?:\([2-9]\d{2}\)[\s.\-]?\d{3}[\s.\-]|[2-9]\d{2}(?P<mark>[\s.\-])\d{3}(?P=mark))\d{4}"  # North America
            r")(?![\d]|[.,/\-]\d)" + _MONEY_AFTER
        ),
        check=_is_phone,
    ),
    _Rule(
        type="PHONE",
        starts=_PHONE_WORDS,
        digits=7,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:(?<!por )tel(?:[eé]fono)?s?|cel(?:ular)?|m[oó]vil|whatsapp|(?<!over the )(?<!on the )(?<!by )phone|mobile|call me (?:at|on)|"
            r"ll[aá]m(?:ame|enme|arme) al)\b\.?"
            + _LINK
            + r")(?!(?:19|20)\d\d-\d\d?-\d\d?\b)\d(?:[\s.\-]?\d){6,11}(?![\d]|[.,\-]\d)"
            + _MONEY_AFTER
        ),
    ),
    _Rule(
        type="REFERENCE",
        places=_capitals,
        digits=5,
        pattern=re.compile(r"\b(?!" + _CURRENCY_CODES + r"[\-\d])(?P<value>[A-Z]{1,5}-?\d{5,20}(?:-\d{1,10})*)\b(?![.,]\d)"),
        check=_is_no_document,
    ),
    # What follows stands a few words after what says what it is.
    _Rule(
        type="REFERENCE",
        starts=_REFERENCE_WORDS,
        digits=3,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:"
            + _NUMBERED
            + r")(?:e?s)?\b"
            + _LONG_GAP
            + r")(?P<value>[A-Z]{0,5}[\-_]?\d[\dA-Z]*(?:[\-/_][A-Z]{0,5}\d[\dA-Z]*){0,8})(?![\w]|[.,]\d)"
            + _NO_UNITS
        ),
        check=_is_far_reference,
    ),
    _Rule(
        type="CEDULA",
        starts=_IDENTITY_WORDS,
        digits=6,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:c\.\s?c\.?|c\.?e\.?|c[eé]dula|doc(?:umento)?|identificaci[oó]n|identificad[oa])\b"
            + _GAP
            + r")"
            r"(?P<value>\d{1,3}(?:[.,'’´` ]\d{3}){2,3}|\d{6,10})(?![\d]|[.,]\d)" + _NO_UNITS
        ),
        check=_names_somebody,
    ),
    _another("CEDULA", r"\d{1,3}(?:[.,'’´` ]\d{3}){2,3}|\d{7,10}"),
    _Rule(
        type="ACCOUNT",
        starts=_ACCOUNT_WORDS,
        digits=9,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:cuenta|cta|account|acct)\b"
            + _LONG_GAP
            + r")(?P<value>\d(?:[ \-]?\d){8,19})(?![\d]|[.,]\d)"
            + _NO_UNITS
        ),
        check=_names_somebody,
    ),
    _Rule(
        type="SECRET",
        starts=_SECRET_WORDS,
        digits=3,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:cvv2?|cvc2?|cvn|security code|c[oó]digo de seguridad|d[ií]gitos de seguridad)\b"
            + _ASKED_GAP
            + r")"
            r"(?P<value>\d{3,4})(?![\w]|[.,:/\-]\d)" + _NO_UNITS
        ),
        check=_is_code,
    ),
    _Rule(
        type="SECRET",
        starts=_SECRET_WORDS,
        digits=4,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:clave(?! de rastreo)|contrase[nñ]a|password|passcode|pwd?|pin|nip|token|otp|one-time (?:code|password|passcode)|"
            r"c[oó]digo (?:de verificaci[oó]n|de confirmaci[oó]n|otp|din[aá]mico)|verification code)\b" + _LONG_GAP + r")"
            r"(?P<value>\d{3}[ \-]\d{3}|\d{4,8})(?![\w]|[.,:/\-]\d)" + _NO_UNITS
        ),
        check=_is_code,
    ),
    _Rule(
        type="SECRET",
        starts=_SECRET_WORDS,
        digits=4,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:c[oó]digo|(?<!error )(?<!short )(?<!zip )(?<!area )(?<!promo )(?<!reason )(?<!approval )(?<!case )(?<!remittance )(?<!tracking )(?<!auth )(?<!sort )(?<!swift )(?<!country )"
            r"(?<!branch )(?<!bank )(?<!postal )(?<!\bs )(?<!s\. )code)\b(?! (?:postal|corto|de error|de barras|swift|section|civil))"
            + _LONG_GAP
            + r")"
            r"(?P<value>\d{3}[ \-]\d{3}|\d{4,8})(?![\w]|[.,:/\-]\d)" + _NO_UNITS
        ),
        check=_is_sent_code,
    ),
    _Rule(
        type="SECRET",
        starts=_SECRET_WORDS,
        digits=1,
        pattern=re.compile(
            r"(?i)(?P<keep>\b(?:clave(?! de rastreo)|contrase[nñ]a|password|passcode|pwd?)\b" + _ASKED_GAP + r")"
            r"(?P<value>(?=\S*\d)[^\W\d_][\w@#*!$%&+\-]{4,})"
        ),
        check=_is_password,
    ),
    *(
        _Rule(type="SECRET", starts=starts, holds=holds, pattern=re.compile(pattern))
        for starts, holds, pattern in (  # of words alone: of several words, or with strokes between them
            (_ASKED_WORDS, "", r"(?i)(?P<keep>\bpass ?phrase\b[^.!?\n\"“]{0,20}[\"“])[^\"”\n]{5,60}(?=[\"”])"),
            (
                _ASKED_WORDS,
                "",
                r"(?i)(?P<keep>\bpass ?phrase\s(?:is|was)\s)(?!(?:not?|wrong|too|being|in)\b)(?:\w{1,20} ){2,5}?\w{1,20}(?=\s(?:but|and|or)\b|[.,;\n]|\Z)",
            ),
            (
                _SECRET_WORDS,
                "_",
                r"(?i)(?P<keep>\b(?:clave|contrase[nñ]a|password|passcode|pwd?)\b[^.!?\n<]{0,60}[\s:,])[^\W\d_]{2,20}(?:_[^\W_]{1,20}){2,6}(?!\w)",
            ),
        )
    ),
    _Rule(  # beside a card
        type="SECRET",
        holds="<CARD>",
        digits=3,
        places=lambda seen: found(seen.text, ("<CARD>",)),
        pattern=re.compile(
            r"(?i)(?P<keep><CARD>[^\d<\n]{0,40}\b(?:c[oó]digo|code|cvv|seguridad|security|atr[aá]s|back)\b[^\d<\n]{0,12})(?P<value>\d{3,4})(?![\w]|[.,:/\-]\d)"
            + _NO_UNITS
        ),
        check=_is_code,
    ),
    *(
        _Rule(  # in quotes
            type="SECRET",
            starts=_SECRET_WORDS,
            holds=quote,
            pattern=re.compile(
                r"(?i)(?P<keep>\b(?:clave|contrase[nñ]a|password|passcode|pwd?)\b[^.!?\n\"“«]{0,40}\b(?:es|is|era|was|be|put|puse|puso|usaba|used)\s[\"“«])"
                r"(?P<value>\w{5,40})(?=[\"”»])"
            ),
            check=lambda match: match["value"].lower() not in _STATES_OF_A_PASSWORD,
        )
        for quote in ('"', "“")
    ),
    _Rule(
        type="SECRET",
        starts=_SECRET_WORDS,
        digits=1,
        places=_before_my_password,
        pattern=re.compile(
            r"(?i)(?<![^\s\"'“(])(?P<value>[^\s\"'“(<$][^\s<]{2,40}?)(?=[\"'”).,]*"
            + _AS_MY
            + _PASSWORD_WORD.pattern.removeprefix("(?i)")
            + ")"
        ),
        check=_is_my_password,
    ),
    _another("REFERENCE", r"[A-Z]{0,5}[\-_]?\d[\dA-Z]{4,}(?:[\-/_][A-Z]{0,5}\d[\dA-Z]*){0,3}|\d{4}-\d{4,}"),
)

TYPES = tuple(dict.fromkeys(rule.type for rule in _RULES))
STARTS = tuple(dict.fromkeys(rule.starts for rule in _RULES if rule.starts))


@cache
def _rules_for(most_digits: int) -> tuple[_Rule, ...]:
    """Those that need no longer number."""
    return tuple(rule for rule in _RULES if rule.digits <= most_digits)


def _matches(rule: _Rule, seen: Text) -> Iterator[re.Match[str]]:
    """The rule's matches before its check, where the text's numbers have digits enough."""
    if rule.starts and not rule.places:
        return seen.matches(rule.pattern, rule.starts)
    if rule.number and not any(digits >= rule.digits and rule.number(text) for text, digits in seen.numbers()):
        return _NOTHING
    return matches_at(rule.pattern, seen.text, rule.places(seen)) if rule.places else rule.pattern.finditer(seen.text)


_NOTHING: Iterator[re.Match[str]] = iter(())


# Words that tell what the number is that was typed right behind them ("cel3105551234"), and words before any ("al3105551234"), which
# begin IBANs too. What begins a reference (PQR2026…) is part of it.
_BEGINS = r"(?:^|(?<=[\s(\"'“,;:]))"
_TELLING_WORD = re.compile(
    rf"(?i){_BEGINS}(?:cc|ti|nuip|c[eé]dula|ced|documento|doc|identificaci[oó]n|dni|ssn|pasaporte|passport|celular|cell?|tel[eé]fono|tel|"
    r"m[oó]vil|whats(?:app)?|wh?sp|wpp?|phone|ph|mobile|nit|cuenta|cta|account|acct|clave|contrase[nñ]a|pin|nip|password|passcode|otp|"
    r"token|cvv|radicado|solicitud|pedido|tarjeta|card)\Z"
)
_ANY_WORD = re.compile(rf"(?i){_BEGINS}(?:al|el|es|fue|n[uú]mero|num|nro|no|at|is|was|number)\Z")
_LONGEST_WORD = 16  # and what stands before it
_DASH = re.compile("(?<=\\d)[\u2010-\u2015\u2212](?=\\d)")  # those of word processors; rules know the one of keyboards
_TWO_NUMBERS = re.compile(r"(?<=\d{7})/(?=\d{7})")


def _as_read(seen: Text) -> Text:
    """The text as rules read it: a space between such a word and its number, and around the stroke between two; plain dashes."""
    text, begin, parts = seen.text, 0, []
    if not text.isascii() and _DASH.search(text):
        return _as_read(Text(_DASH.sub("-", text)))
    for start, _, run in seen.runs():
        if len(run) < 3:
            continue
        if "/" in run and _TWO_NUMBERS.search(run):
            return _as_read(Text(_TWO_NUMBERS.sub(" / ", text)))
        if not text[start - 1 : start].isalpha():
            continue
        before = text[max(start - _LONGEST_WORD, 0) : start]
        if _TELLING_WORD.search(before) or (7 <= len(run) <= 12 and _ANY_WORD.search(before)):
            parts.append(text[begin:start])
            begin = start
    return Text(" ".join([*parts, text[begin:]])) if parts else seen


def redact(text: str | Text, *, alone: bool = True) -> tuple[str, dict[str, int]]:
    """The text with every find replaced by `<TYPE>`, and how many of each type were found.

    `alone`: a number of seven or more digits that is no sum goes, also where no word says whose it is.
    """
    return redact_and_list(text, alone=alone)[:2]


def redact_and_list(text: str | Text, *, alone: bool = True) -> tuple[str, dict[str, int], list[str]]:
    """As `redact`, and the reference numbers that it took out, in capitals, each once."""
    counts: dict[str, int] = {}
    numbers: dict[str, None] = {}
    given = Text(text) if isinstance(text, str) else text
    seen = _as_read(given)
    for rule in _rules_for(seen.most_digits):
        if (
            (rule.starts and not seen.may_hold(rule.starts))
            or rule.holds not in seen.text
            or (rule.says and rule.says not in seen.folded)
        ):
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
        if rule.type == "REFERENCE":
            numbers.update({match["value"].upper(): None for match in matches})
        counts[rule.type] = counts.get(rule.type, 0) + len(cuts)
        seen = seen.replaced("".join([*parts, seen.text[end:]]), cuts)
    if not seen.most_digits:
        return seen.text, counts, list(numbers)
    parts, end = [], 0
    for left in leftovers(seen, alone=alone):
        parts += [seen.text[end : left.start], f"<{left.type}>"]
        if left.type == "REFERENCE":
            numbers[seen.text[left.start : left.end].upper()] = None
        counts[left.type] = counts.get(left.type, 0) + 1
        end = left.end
    return "".join([*parts, seen.text[end:]]) if counts else given.text, counts, list(numbers)


# Columns whose numbers need no word beside them, and those of sums and days about the same things.
_PERSONAL_COLUMN = re.compile(
    r"(?!.*\b(?:saldo|valor|monto|cupo|limite|balance|amount|limit|fecha|date)\b).*?\b(?P<word>cedula|documento|identificacion|cc|ce|nit|"
    r"telefono|tel|celular|cel|movil|whatsapp|phone|mobile|cuenta|cta|account|acct|ssn|pasaporte|passport|clave|contrasena|password|pin|cvv)s?\b"
)


@lru_cache(maxsize=10_000)
def _word_of(column: str) -> str:
    words = re.sub(r"[_\-.]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column))
    match = _PERSONAL_COLUMN.match(without_accents(folded(words)))
    return match["word"] if match else ""


def redact_value(column: str, value: str) -> str:
    """A cell of a table without personal data: what its column is called says what its number is."""
    value = redact(value, alone=False)[0]
    word = _word_of(column)
    return redact(f"{word}: {value}", alone=False)[0].removeprefix(f"{word}: ") if word else value
