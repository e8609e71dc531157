"""ID_NUMBER and NIT: identity documents of people, and Colombia's tax number of companies.

Positive: `mi cédula es 1.032.445.667`, `my SSN is 123-45-6789`. Negative: `transaction ID 40312`, `me cobraron 3.120.000 pesos`.
"""

from __future__ import annotations

import re

from complaints_etl.lexicon import LEXICON, any_of
from complaints_etl.redaction.checksums import is_nit
from complaints_etl.redaction.kinds.phrases import GAP, LINK, NOT_MONEY, NOT_QUANTITY, another, is_personal
from complaints_etl.redaction.rule import Rule
from complaints_etl.redaction.scanner import Prefixes

IDENTITY_PREFIXES = Prefixes(*LEXICON.prefixes("identity", "social_security", "lettered_documents"))
PASSPORT_PREFIXES = Prefixes(*LEXICON.prefixes("passport"))
SOCIAL_SECURITY_PREFIXES = Prefixes(*LEXICON.prefixes("social_security"))
TAX_PREFIXES = Prefixes(*LEXICON.prefixes("tax_id"))

_ADJACENT = any_of((*LEXICON.terms("identity", "adjacent"), *LEXICON.terms("social_security", "adjacent")))
_PASSPORT = LEXICON.pattern("passport", "adjacent")
_GROUPED = r"\d{1,3}(?:[.,'’´` ]\d{3}){2,3}"  # 1.032.445.667, 1'032.445.667
# Also 1032.445.667, 1.032445667, 123.456 (not 123.000), 123-45-6789.
_FORMS = rf"{_GROUPED}|\d{{1,4}}(?:\.?\d{{3}}){{2}}|\d{{1,2}}(?:\.?\d{{3}}){{3}}|\d{{3}}\.(?!000)\d{{3}}|\d{{3}}[ \-]\d{{2}}[ \-]\d{{4}}|\d{{6,11}}"

RULES = (
    Rule(
        name="NIT after keyword",
        type="NIT",
        example="NIT 900.123.456-8",
        prefixes=TAX_PREFIXES,
        min_digits=9,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('tax_id', 'adjacent')})\b\.?{LINK})\d{{3}}[.,\s]?\d{{3}}[.,\s]?\d{{3}}(?:\s*-\s*\d)?\b{NOT_MONEY}"
        ),
    ),
    Rule(
        name="NIT with check digit",
        type="NIT",
        example="la empresa 800197268-4",
        min_digits=10,
        number_like=lambda number: "-" in number,
        pattern=re.compile(r"(?<![\d$])(?<!\d[.,])\d{3}[., ]?\d{3}[., ]?\d{3} ?- ?\d(?!\d|[.\-]\d)"),
        accepts=lambda match: is_nit(match[0]),
    ),
    Rule(
        name="identity document after keyword",
        type="ID_NUMBER",
        example="mi cédula de ciudadanía No. 1.032.445.667",
        prefixes=IDENTITY_PREFIXES,
        min_digits=6,
        pattern=re.compile(rf"(?i)(?P<keep>\b(?:{_ADJACENT})\b{LINK})(?:{_FORMS})(?![\d]|[.,]\d){NOT_MONEY}"),
    ),
    Rule(
        name="passport after keyword",
        type="ID_NUMBER",
        example="mi pasaporte es AV123456",
        prefixes=PASSPORT_PREFIXES,
        min_digits=6,
        pattern=re.compile(rf"(?i)(?P<keep>\b(?:{_PASSPORT})\b{LINK})[A-Z]{{0,3}}\d{{6,9}}(?!\w)"),
    ),
    Rule(
        name="alphanumeric identity document",
        type="ID_NUMBER",
        example="DNI 12345678Z",
        prefixes=IDENTITY_PREFIXES,
        min_digits=4,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('lettered_documents', 'adjacent')})\b{LINK})"
            rf"(?=[A-Z\d.\-]*\d{{3}})[A-Z\d](?:[.\-]?[A-Z\d]){{5,19}}(?![\w]|[.,\-]\d){NOT_MONEY}"
        ),
    ),
    Rule(
        name="passport near keyword",
        type="ID_NUMBER",
        example="mi pasaporte venció, número AV123456",
        prefixes=PASSPORT_PREFIXES,
        min_digits=6,
        pattern=re.compile(rf"(?i)(?P<keep>\b(?:{_PASSPORT})\b{GAP})(?:[A-Z]{{1,3}}\d{{6,9}}|\d{{9}})(?!\w)"),
    ),
    Rule(
        name="social security number format",
        type="ID_NUMBER",
        example="they asked for 123-45-6789",
        min_digits=9,
        number_like=lambda number: number.count("-") > 1 or number.count(" ") > 1,
        # Numbers that are not issued begin with 000, 666 or 9, or have a part of zeros.
        pattern=re.compile(
            r"(?<![\w$\-])(?<!\d[., ])(?!000|666|9)\d{3}(?P<mark>[ \-])(?!00)\d{2}(?P=mark)(?!0000)\d{4}(?![\w\-]|[., ]\d)"
        ),
    ),
    Rule(
        name="social security number near keyword",
        type="ID_NUMBER",
        example="my social was used by somebody: 123456789",
        prefixes=SOCIAL_SECURITY_PREFIXES,
        min_digits=9,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('social_security', 'near')})\b[^\d<$]{{0,80}}?)\d{{3}}[ \-]?\d{{2}}[ \-]?\d{{4}}(?![\d]|[.,\-]\d){NOT_MONEY}"
        ),
    ),
    Rule(
        name="identity document near keyword",
        type="ID_NUMBER",
        example="mi cédula que les mandé ayer, 52123456",
        prefixes=IDENTITY_PREFIXES,
        min_digits=6,
        pattern=re.compile(
            rf"(?i)(?P<keep>\b(?:{LEXICON.pattern('identity', 'near')})\b{GAP})(?P<value>{_GROUPED}|\d{{6,10}})(?![\d]|[.,]\d){NOT_QUANTITY}"
        ),
        accepts=is_personal,
    ),
    another("ID_NUMBER", rf"{_GROUPED}|\d{{7,10}}", name="identity document in a list", example="<ID_NUMBER> y no 52123456"),
)
