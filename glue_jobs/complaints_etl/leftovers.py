"""What no rule of redaction.py knew: numbers, codes and passwords that stand apart from the word that tells what they are.

A rule reads a value right behind its word or a few words away. People also write it in the next sentence, before the word, in a chat's
next line, spelled out. Here each number or code that is left is looked at by itself: the nearest telling word around it says what it is,
and a long number is somebody's even where no word does. Sums, dates, times, quantities and versions are told by their own notation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import NamedTuple

from complaints_etl.places import Text


class Find(NamedTuple):
    """A value to take out: its type, and where it stands."""

    type: str
    start: int
    end: int


_WORDS = {
    "CODE": r"little (?:one|number)s?|cvv2?|cvc2?|cvn|(?:three|3|tres|last) (?:last |[uú]ltimos )?(?:digits|d[ií]gitos|n[uú]mer(?:it)?os|numbers)|c[oó]digo de (?:atr[aá]s|el reverso)|(?<=\d{3} )de atr[aá]s|"
    r"(?:atr[aá]s|respaldo|reverso|por detr[aá]s) de (?:la|mi) tarjeta|tarjeta por detr[aá]s|back of (?:the|my) card",
    "SECRET": r"claves?|(?:6|seis|six)[ \-]d[ií]gi\w{2,4}|contrase(?:[nñ]|ni)as?|pass?w[or]{2}ds?|pass(?:code|phrase)?|pass phrase|pwd?|pins?(?! pad)|nip|tokens?|otps?|one-time|anydesk|teamviewer|"
    r"api(?: key)?|llave|(?:wifi|access|secret) key|log ?in|credenciales|credentials|palabra (?:de seguridad|clave|secreta)|(?:security|safe) word|passphrase|numerito|"
    r"(?<=la )respuesta(?= [^\W\d_]+\d)|(?:put in|typed(?: in)?|digit[eé]|marqu[eé]|pus[oe]|ingres[eéó])(?= (?:\d\d(?!00)\d\d|\d(?:[ \-]\d){3})\b)|"
    r"(?<=<)SECRET(?=>)|c[oó]digos?(?! (?:de (?:seguimiento|error|barras|aproba|autoriza|rastreo|caso|radica)|postal|promo|corto))|"
    r"(?<!case )(?<!approval )(?<!remittance )(?<!tracking )(?<!error )(?<!reason )(?<!zip )(?<!auth )(?<!authorization )(?<!promo )codes?",
    "TEXT": r"acab[aó] de llegar|text (?:came|message)|texted|sms|mensaje de texto|verification|verificaci[oó]n",  # has a code of six figures
    "CEDULA": r"[cs][eé]dulas?|ced|cc|doc|documento|document|ti(?= \d{10,11}\b)|identidad|NI number|ident(?:ific(?:aci[oó]n|[oó]|ad[oa]))?|cui[lt]|dni|rut|cpf|curp|rfc|ppt|pep|nie|nuip|carnet|"
    r"residency permit|licen[cs]ias?|licen[cs]e(?! plate)|dl|"
    r"pasaportes?|passports?|ssn|itin|social security|(?<!transaction )(?<!transacton )(?<!order )(?<!case )(?<!ticket )id",
    "NIT": r"nit|tax id",
    "ACCOUNT": r"cuneta|acount|libreta|"
    r"(?<!dio )(?<!doy )(?<!di )(?<!en )(?<!por )cuentas?|ctas?|cte|corriente|ahorros|billetera|wallet|medidor|contador|meter|mtr|producto|accounts?|acct|savings|checking|routing|direct deposit|(?:came|come|taken|withdrawn) (?:out of|from)(?= \d)|"
    r"deposited (?:it |them )?(?:to|into)(?= \d)|(?:close|goes to)(?= \d)|(?:desde|a) la(?= \d{6})|cbu|cvu|cci|btc|bitcoin|usdt|crypto|cripto\w*",
    "REFERENCE": r"arn|actas?|proceso(?= \d)|operaci[oó]n(?= \d)|tramsacc?i[oó]n|transacton|radicad\w+|radicaci[oó]n|tiquetes?|siniestros?|petici[oó]n|rastreo|seguimiento|env[ií]o|remesa|giro|remittance|mtcn|expediente|disputes?|"
    r"shipment|trace|reserva(?:ci[oó]n)?|reservation|booking|pnr|conf(?=[ .:#])|tutelas?|demanda|juzgado|hash|police report|"
    r"(?<!en mi )(?<!en est[ea] )(?<!en ese )casos?|(?<!in my )(?<!in this )(?<!in that )(?<!in any )cases?|tickets?|tkt|pedidos?|(?<!en )orden|orders?|ref(?:erencias?|erences?)?|"
    r"transacci[oó]n(?:es)?|transactions?|comprobantes?|"
    r"vouchers?|gu[ií]as?|guide|tracking|pqrs?|solicitud(?:es)?|request(?= (?:n|#|id|\d))|application|claims?|reclamos?|reclamaci[oó]n|folio|confirmation|quejas?|tr[aá]mite|"
    r"complaints?|consecutivo|facturas?|invoices?|recibos?|receipts?|aprobaci[oó]n|approval|autorizaci[oó]n|authori[sz]ation|auth|oficio|pagar[eé]s?|"
    r"cufe|cude|(?<!cuenta )contratos?|(?:estate|case) file|contracts?|p[oó]lizas?|polic(?:y|ies)|leasing|libranza|obligaci[oó]n(?:es)?|(?:micro)?cr[eé]ditos?|pr[eé]stamos?|hipotec\w+|loans?|"
    r"mortgage|(?:promissory )?note|letter of credit|certificad[oa]s?|certificates?|lote|batch|filing|numeraci[oó]n|quote",
    "PHONE": r"tel[eé]fonos?|tel|cel|celular|m[oó]vil|whatsapp|phone|mobile|contact\w{0,5}|cell|ll[aá]m\w{0,7}|marc\w{1,5}|call(?= (?:me|us|at|on|[\d+(]))|comun[ií]\w{2,9}",
    # What has a number that is nobody's.
    "": r"valor|monto|saldo|suma|balance|amount|versi[oó]n|version|error|calle|carrera|cra|avenida|street|terminal|atm|convenio|sucursal|branch|"
    r"iso|ley|law|decreto|circular|art[ií]culo|section|resoluci[oó]n|sentencia|placa|plate|turno|fila|queue|modelo|model|zip|postal|folios|promo\w*|bono|"
    r"cup[oó]n|coupon|(?<!la del )(?<!el del )cajero(?= \d)|(?:terminad[ao]s?|terminan?)(?= en)|ending|ends|ended|"
    r"[uú]ltim[oa]s (?:4|cuatro)(?: d[ií]gitos| n[uú]meros)?|last (?:4|four)(?: digits| numbers)?",
}  # fmt: skip
_ANY = frozenset(_WORDS)
_TYPES = {"CODE": "SECRET", "TEXT": "SECRET"}
_GROUPS = {f"k{index}": kind for index, kind in enumerate(_WORDS)}
_TELLING = re.compile(
    r"(?i)(?<![^\W_])(?=[^\W\d_]|[36])(?<!<(?!SECRET))(?:"
    + "|".join(f"(?P<k{index}>{words})" for index, words in enumerate(_WORDS.values()))
    + r")(?![^\W_])"
)
_BEFORE, _AFTER = 140, 70  # characters that a telling word may be away
_NOBODYS_REACH = 25
_SENTENCE_ENDS = re.compile(r"(?i)(?<!\bno)(?<!\bnro)(?<!\bn[uú]m)(?<!\bnum)(?<!\bref)[.!?](?=\s)|\n")
_NEVER_AFTER = frozenset("$€£#.,/&<")  # a sum, an address, the rest of a date or of a decimal
_INSIDE_A_PASSWORD, _INSIDE_A_REFERENCE = frozenset("#.&"), frozenset("-/")
_IN_A_CODE = frozenset("_-.*#@!+%&'’")
_NUMBER = re.compile(
    r"\d(?: \d){3,15}(?!\w)|\d{1,3}(?:[.,'’´`]\d{3}){1,3}(?:-[\dkK]\d?)?|\d{1,3}(?: \d{3}){2,3}|\d{2,4}(?: \d{2,6}){1,3}|\d+(?:-\d+){0,7}"
)
_LONGEST_CODE = 70
_CODE = re.compile(rf"(?=\S{{0,{_LONGEST_CODE}}}[^\W\d_])[^\W_][\w\-.*#@!+%&/]{{3,{_LONGEST_CODE - 1}}}")
# What stands behind sums, quantities, hours and ordinals.
_QUANTITY_FOLLOWS = re.compile(
    r"(?i)[/:]\d|\s*(?:[%°]|veces|times|d[ií]as|days|car[aá]cter|character|d[ií]git|digit|horas|hours|hrs|min|seg|sec|meses|months|years|años|intentos|attempts|"
    r"tries|personas|people|puntos|points|millas|miles|llamadas|calls|folios|[ap]\.?\s?m\b|pesos|mil\b|mill|d[oó]lares|dollars|dlls|soles|euros|usd|cop|"
    r"eur|mxn|[€£])|[.,]\d"
)
_QUANTITY_BEFORE = re.compile(
    r"(?i)(?:[$€£#]\s?|[.,/\-<&]|\b(?:usd|cop|eur|mxn|gbp|us|s/)\s?|\b(?:calle|carrera|cra|kr|cl)\s)\Z"
)
# A number of eight figures at most right behind these is a sum, though nobody wrote of what.
_PAID = re.compile(
    r"(?i)\b(?:debitaron|debit[oó]|cobraron|cobr[oó]|cobran|descontaron|descont[oó]|descuentan|retiraron|retir[eéó]|pagu[eé]|pagamos|gast[eé]|gastaron|"
    r"consign[eéó]|saqu[eé]|sacaron|sac[oó]|robaron|charged|paid|debited|withdrew|took)\s\Z"
)
_NO_CODE = re.compile(
    r"(?i)\d+[.,]?\d*(?:st|nd|rd|th|am|pm|mil|mm?|k|gb?|mb|hrs?|hs|h|[rd]a|er|ro|min|s|x\d*|°)|(?:iphone|ipad|galaxy|android|windows|covid|ios|pixel|moto|"
    r"chrome|firefox|bre|s|a|v)[\-_]?\d+\w{0,3}|v\d+(?:\.\d+)*|\d{3,4}[a-z]{1,2}(?:-?\d{1,3})?|[a-z]{1,6}-\d{1,4}|\d+-[a-z]+|\d{1,2}-[a-z]{3,10}-\d{2,4}|\d+x\d+|mp[34]|err(?:or)?(?:[\-_]?\d+|[\-_]\w+)|(?:flip|fold|note|redmi)\d+|\d+-\d+|24/7|xx.*|.*xx.*"
)
_CARD_BEFORE = re.compile(r"(?i)\b(?:tarjetas?|tdc|card)\b[^\d<]{0,30}\Z")
# Digit by digit: "4-4-3-2", "4 4 3 2".
_DICTATED = re.compile(r"\d(?:-\d){3,5}|\d(?: \d){3,5}")
_ONE_BY_ONE = re.compile(r"\d(?: \d)+")
_UNIT = re.compile(
    r"(?i)\d+(?:days?|yrs?|years?|months?|mos?|weeks?|d[ií]as?|mes(?:es)?|a[nñ]os?|horas?|hours?|pesos|usd|cop|eur|mxn|dlls?|puntos|points|veces|times)|"
    r"(?:30|60|90|120|150|180)(?:-(?:30|60|90|120|150|180))+"
)
_LAW_BEFORE = re.compile(
    r"(?i)(?:\bu\.?\s?s\.?\s?c|\b(?:states|u\.?s\.?|civ\w*\.?|penal|annotated|usc?|of) ?-?codes?\b|\bcode (?:of|annotated)\b|\bact(?: \( ?\w+ ?\)|,)|"
    r"\b(?:laws?|ley|sections?|art[ií]culos?|statu\w+|pub\. l|title|chapter|order|ucc|fcra|fdcpa|cfr|decreto|resoluci[oó]n|circular)\b|§).{0,20}\Z"
)
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?:19|20)\d\d-\d{{1,2}}-\d{{1,2}}|(?:{_DAY}-{_MONTH}|{_MONTH}-{_DAY})-(?:\d{{4}}|\d{{2}})|(?:19|20)\d\d(?:-(?:19|20)?\d\d)?"
)
_IS = re.compile(r"(?i)\b(?:es|era|fue|is|was|read|puse|put|typed)\s\Z")
_HASHED = re.compile(  # "mi clave es #4718", and no house's number: "Calle 12 #34-56"
    r"(?i)(?<![^\W_])(?!(?:calle|carrera|cra?|kra?|cll?|av|avenida|diagonal|transversal|error|apt|suite|unit|ste)\b)[^\W\d_]+[,:.]?\s#\Z"
)
_EMPHASIS = re.compile(r"(?<![*_])([*_])\d[\d .\-]*\1(?![*_])")  # as chats print what is bold
_WAS_MY = re.compile(r"(?i)\s(?:es|era|fue|is|was)\s(?:mi|my)\b")
_PIN_BEFORE = re.compile(r"(?i)\b(?:pin|nip|clave|passcode)\b(?:,|:| es| era| is| was)\s\Z")
# An identity number that looks like a sum: beside an address or a telephone number, or all that somebody wrote.
_BESIDE = re.compile(r"(?i)\s?[,;/]\s?(?:(?:cel|tel)\w{0,6}|correo|e-?mail)?[.:]?\s?<(?:PHONE|EMAIL)>")
_PERSON_IS = re.compile(r"(?i)\b(?:(?:yo )?soy|(?:él|ella) es|(?:yo|él|ella)[:,]|soy [^\W\d_]{2,15},)\s\Z")
_TURN = re.compile(r"(?i)(?:cliente|usuari[oa]|yo|customer|client|me)\s?:\s\Z")
_TURN_ENDS = re.compile(r"\s*(?:/|—|\n|\Z)")
_SHOWN = re.compile(r"(?i)[\"“'](?:c[oó]digo|code|error)\s\Z")  # what an application says: "código 4012: …"
_NO_NAME = re.compile(
    r"(?i)\b(?:por|for|of|with|con|(?<!\bput )(?<!\btyped )in|en|at|since|desde|hasta|until|after|before|(?<!\bpin )from|during|durante|than|about|over|under|unos|unas|casi)\s\Z"
)


def leftovers(seen: Text, *, alone: bool) -> Iterator[Find]:
    """Values that the rules left in a text, in order; finds already are `<TYPE>` in it.

    `alone`: a long number is somebody's also where no word says so.
    """
    text, end = seen.text, 0
    for start, run_end, run in seen.runs():
        if start < end:
            continue
        before = text[start - 1] if start else " "
        if "/" in run and not (before.isalpha() or before in _INSIDE_A_REFERENCE):
            continue
        inside = before in _INSIDE_A_PASSWORD or before in _INSIDE_A_REFERENCE
        numbered = before == "#" and _HASHED.search(text, max(start - 24, 0), start)
        if before in _NEVER_AFTER and not (inside and text[start - 2 : start - 1].isalpha()) and not numbered:
            continue
        code = None
        if before.isalpha() or before in _IN_A_CODE or before in _INSIDE_A_REFERENCE:
            first, limit = start, max(end, start - _LONGEST_CODE)
            while first > limit and (text[first - 1].isalnum() or text[first - 1] in _IN_A_CODE or text[first - 1] == "/"):
                first -= 1
            while first < start and not text[first].isalnum():
                first += 1
            code = _CODE.match(text, first)
        else:
            after = text[run_end : run_end + 2]
            if after[:1].isalpha() or after[:1] in _IN_A_CODE:
                code = _CODE.match(text, start)
            elif len(run) < 3 and not (after[:1] == " " and after[1:].isdigit()):
                continue  # most numbers are small, and nobody's
        found = _code(text, code) if code else None
        if not found and (not code or code.start() == start):
            number = _NUMBER.match(text, start)
            found = _number(text, number, alone=alone) if number and number.end() - start > 2 else None
        end = found.end if found else code.end() if code else end
        if found:
            yield found


def _code(text: str, match: re.Match[str]) -> Find | None:
    """A password, or a reference in letters and figures."""
    value = match[0].rstrip(".-,'’")
    end = match.start() + len(value)
    digits = sum(map(str.isdigit, value))
    if (
        not digits
        or not any(map(str.isalpha, value))
        or len(value) < 5
        or _NO_CODE.fullmatch(value)
        or _UNIT.fullmatch(value)
        or text[end : end + 1] == "<"
    ):
        return None
    numbered = len(value) >= 8 and "#" in text[max(match.start() - 2, 0) : match.start()]
    if (not numbered and _QUANTITY_BEFORE.search(text, max(match.start() - 3, 0), match.start())) or _LAW_BEFORE.search(
        text, max(match.start() - 40, 0), match.start()
    ):
        return None
    coded = digits >= 3 and len(value) >= 6
    booked = len(value) == 6 and value.isalnum() and value.isupper()  # as airlines name a booking
    kinds = {"CEDULA", "ACCOUNT", "REFERENCE"} if coded else {"REFERENCE"} if booked else set()
    kind, away = telling(text, match.start(), end, {"SECRET", "CODE", ""} | kinds)
    near = 110 if coded or kind in ("SECRET", "CODE") else 15
    return Find(_TYPES.get(kind, kind), match.start(), end) if kind and away <= near else None


def _number(text: str, match: re.Match[str], *, alone: bool) -> Find | None:
    value, start, end = match[0], match.start(), match.end()
    size = sum(map(str.isdigit, value))
    grouped = any(mark in value for mark in ".,'’´` ")
    if _is_nobodys(text, match, size):
        return None
    if size < 6:
        return _short_number(text, match, size)
    if size in (15, 16) and _CARD_BEFORE.search(text, max(start - 40, 0), start):
        return Find("CARD", start, end)  # mistyped, for Luhn's check failed
    if 6 < size < 12 and not value.endswith("00") and _PERSON_IS.search(text, max(start - 24, 0), start):
        return Find("CEDULA", start, end)
    as_sums_are = grouped and " " not in value
    allowed = (
        {"CEDULA", "NIT"}
        if as_sums_are
        else _ANY - ({"PHONE"} if size < 7 else {"TEXT"}) - ({"SECRET", "CODE"} if size > 9 else set())
    )
    kind, away = telling(text, start, end, allowed | {""})
    if as_sums_are and size > 6 and not kind and not value.endswith("00"):
        turn = _TURN.search(text, max(start - 12, 0), start) and _TURN_ENDS.match(text, end)
        if turn or _BESIDE.match(text, end):
            return Find("CEDULA", start, end)
    if kind and away <= (40 if as_sums_are and size < 7 else 110):
        return Find(_TYPES.get(kind, kind), start, end)
    if (
        alone
        and size > 6
        and (not grouped or _ONE_BY_ONE.fullmatch(value))
        and (kind or away > _NOBODYS_REACH)
        and not value.endswith("00")
    ):
        return Find("REFERENCE", start, end)
    return None


def _is_nobodys(text: str, match: re.Match[str], size: int) -> bool:
    """A part of something longer, a date, a quantity, a section of a law, a sum that was paid."""
    value, start, end = match[0], match.start(), match.end()
    return bool(
        text[end : end + 1].isalnum()
        or (text[end : end + 1] in ("-", "_", "*", "#", "@") and not _EMPHASIS.match(text, start - 1))
        or (value.endswith("000") and "-" not in value)
        or (_DATE.fullmatch(value) and not _PIN_BEFORE.search(text, max(start - 16, 0), start))
        or _UNIT.fullmatch(value)
        or _QUANTITY_FOLLOWS.match(text, end)
        or (_QUANTITY_BEFORE.search(text, max(start - 9, 0), start) and not _HASHED.search(text, max(start - 24, 0), start))
        or _LAW_BEFORE.search(text, max(start - 40, 0), start)
        or (size < 9 and _PAID.search(text, max(start - 16, 0), start))
    )


def _short_number(text: str, match: re.Match[str], size: int) -> Find | None:
    """A PIN, a code, the three figures behind a card: where a word says so."""
    value, start, end = match[0], match.start(), match.end()
    shown = text[end : end + 1] == ":" and _SHOWN.search(text, max(start - 10, 0), start)
    if shown or not (value.isdigit() or _DICTATED.fullmatch(value)):
        return None
    allowed = {"CODE", "CEDULA", "ACCOUNT", "REFERENCE", ""} if size == 3 else _ANY - {"TEXT"}
    kind, away = telling(text, start, end, allowed)
    told = kind == "CODE" if size == 3 else kind in ("CODE", "SECRET")
    near = 125 if _IS.search(text, max(start - 6, 0), start) or _WAS_MY.match(text, end) else 70
    close = told and away <= near and not _NO_NAME.search(text, max(start - 10, 0), start)
    return Find("SECRET", start, end) if close else None


def telling(text: str, start: int, end: int, allowed: Set[str]) -> tuple[str, int]:
    """(what the nearest telling word says that this is, how far away it is); what stands in another sentence is farther.

    "" is what is nobody's, and what no word tells (then far away). Kinds that are not allowed are passed over.
    """
    best, least = "", _BEFORE + _AFTER
    for word in _TELLING.finditer(text, max(start - _BEFORE, 0), end + _AFTER):
        kind = _GROUPS[word.lastgroup or ""]
        if word.end() <= start:
            between = text[word.end() : start]
            if not kind and any(map(str.isdigit, between)):
                continue  # "ends in 118, whole it is 1032445667": it was said of the number before
            away = len(between) + 30 * len(_SENTENCE_ENDS.findall(between))
        elif word.start() >= end and kind:
            between = text[end : word.start()]
            away = 15 + 2 * len(between) + 40 * len(_SENTENCE_ENDS.findall(between))
        else:
            continue
        if away <= least and kind in allowed and (kind or away <= _NOBODYS_REACH):
            best, least = kind, away
    return best, least
