"""EMAIL: addresses, also mistyped, dictated or hidden from programs.

Positive: `escriban a ana@example.com`, `carlos punto ruiz arroba gmail punto com`. Negative: `a 12.000 la arroba`, `3 @ 4.50`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes

EMAIL_PREFIXES = Prefixes(*LEXICON.prefixes("emails"))

_LOCAL_PART = r"[^\W_][\w.+\-%]{0,120}"
_TOP_LEVEL = "com?|net|org|edu|gov|info|es|mx|us"
_DOT = r"(?:\.|\s(?:dot|punto)\s)"
# "ana punto gil guion bajo 2": words between the parts of a dictated name.
_SPOKEN = r"(?:\s(?:dot|punto|underscore|dash|gui[oó]n(?: bajo)?)\s\w{1,30}){0,3}"
# The word or mark instead of the @, its pattern, the pattern of the dot after the host, and an example.
_DICTATED = (
    ("arroba", r"(?:\s?[(\[{]\s?arroba\s?[)\]}]\s?|\sarroba\s)", _DOT, "ana arroba gmail punto com"),
    ("(at)", r"\s?\(at\)\s?", _DOT, "ana(at)example.com"),
    ("[at]", r"\s?\[at\]\s?", _DOT, "ana [at] example.com"),
    (" dot ", r"\sat\s", r"\sdot\s", "ana at example dot com"),
    (" punto ", r"\sat\s", r"\spunto\s", "ana at gmail punto com"),
    *(
        (f" at {host}.", rf"\sat\s(?={host}\.)", r"\.", f"ana at {host}.com")
        for host in ("gmail", "hotmail", "outlook", "yahoo")
    ),
)

RULES = (
    Rule(
        name="email",
        type="EMAIL",
        example="escriban a ana@example.com",
        contains="@",
        pattern=re.compile(rf"{_LOCAL_PART}@[\w\-]+(?:\.[\w\-]+| (?i:(?:dot|punto) (?:{_TOP_LEVEL}))\b)+"),
    ),
    Rule(
        name="email, mistyped host",
        type="EMAIL",
        example="juan.perez@ gmail,com",
        contains="@",
        pattern=re.compile(
            rf"(?i){_LOCAL_PART} ?@ ?(?:gmail|hotmail|outlook|yahoo|icloud|live|msn)\b(?: ?[.,] ?(?:com?|net|org|es|mx|ar|pe|cl)\b){{0,2}}"
        ),
    ),
    Rule(
        name="email with spaces",
        type="EMAIL",
        example="support @ tienda . com",
        contains="@ ",
        pattern=re.compile(rf"(?i){_LOCAL_PART} ?@ [\w\-]+(?: ?\. ?[\w\-]+){{0,2}} ?\. ?(?:{_TOP_LEVEL})\b"),
    ),
    Rule(
        name="email after keyword",
        type="EMAIL",
        example="Correo electrónico: ana.gil@empresa",
        prefixes=EMAIL_PREFIXES,
        contains="@",
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('emails')})\b(?: es| is| was| era)?\s?[:=]?\s?){_LOCAL_PART}@[\w\-]{{2,60}}"
        ),
    ),
    *(
        Rule(
            name=f"email dictated with {sign.strip()}",
            type="EMAIL",
            example=example,
            contains_folded=sign,
            pattern=re.compile(
                rf"(?i)\b\w[\w.\-]{{0,60}}{_SPOKEN}{at}\w[\w\-]{{1,30}}{dot}[^\W\d_]{{2,20}}(?:{_DOT}[^\W\d_]{{2,20}}){{0,2}}\b"
            ),
        )
        for sign, at, dot, example in _DICTATED
    ),
)
