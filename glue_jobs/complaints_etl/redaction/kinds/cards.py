"""CARD: numbers of payment cards, decided by Luhn's check.

Positive: `pagué con 4111 1111 1111 1111`. Negative: `4000 0012 3456 7890`, which fails the check.
"""

from __future__ import annotations

import re

from complaints_etl.redaction.checksums import is_card
from complaints_etl.redaction.rule import Rule

RULES = (
    Rule(
        name="card",
        type="CARD",
        example="pagué con 4111 1111 1111 1111 ayer",
        min_digits=13,
        # Digits with single marks between them, or four groups of four with dots or commas between them.
        pattern=re.compile(
            r"(?<![\d$+])(?<!\d[.,])(?:\d(?:[ \-]?\d){12,18}|\d{4}(?P<mark>[.,])\d{4}(?:(?P=mark)\d{4}){2})(?![\d]|[.,]\d)"
        ),
        accepts=lambda match: is_card(match[0]),
    ),
)
