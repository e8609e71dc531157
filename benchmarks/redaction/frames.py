"""Fill templates of complaints with random values: `frames/<language>.txt`, one complaint per line.

Their author did not know the patterns of redaction. A slot is `[P TYPE kind]` (a personal value, to be redacted), `[A]` (an
amount), `[D]` (a date) or `[K text]` (text to be kept). `[P TYPE=value]`, `[A text|value CUR]` and `[D text|date]` set the
value instead.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from benchmarks.redaction import persons
from benchmarks.redaction import sentences as values
from benchmarks.redaction.sentences import RECEIVED, Rng, Sentence, digits

FRAMES = Path(__file__).parent / "frames"
_SLOT = re.compile(r"\[([PAKD]) ?([^\]]*)\]")
_PERSONAL: dict[str, Callable[[Rng], str]] = {
    "EMAIL": values.email,
    "PHONE co": values.mobile,
    "PHONE fijo": values.landline,
    "PHONE us": values.american,
    "PHONE uk": lambda rng: f"+44 {rng.choice(('7', '20 7'))}{digits(rng, 3)} {digits(rng, 4)}",
    "PHONE mx": lambda rng: f"+52 {rng.choice(('55', '33', '1 55'))} {digits(rng, 4)} {digits(rng, 4)}",
    "PHONE intl": values.foreign,
    "CARD": values.card,
    "IBAN": values.iban,
    "CLABE": values.clabe,
    "NIT": values.nit,
    "ID_NUMBER cc": values.cedula,
    "ID_NUMBER ce": values.foreigner,
    "ID_NUMBER pp": values.passport,
    "ID_NUMBER ssn": values.social_security,
    "IP v4": lambda rng: ".".join(str(rng.randrange(1, 255)) for _ in range(4)),
    "IP v6": values.long_ip,
    "URL_QUERY": lambda rng: values.url(rng)[1].removeprefix("?"),
    "ACCOUNT": values.account,
    "REFERENCE num": lambda rng: f"{rng.randrange(3, 9)}{digits(rng, rng.randrange(5, 11))}",
    "REFERENCE code": values.reference,
    "SECRET pin": lambda rng: f"{rng.randrange(3, 9)}{digits(rng, 3)}",
    "SECRET cvv": lambda rng: digits(rng, 3),
    "SECRET otp": values.text_code,
    "SECRET pw": values.password,
}


def framed(seed: int = 5, prefix: str = "") -> Iterator[Sentence]:
    """Yield every frame once. Another seed gives other values. The prefix `people_` gives frames with names and addresses."""
    rng = random.Random(seed)
    for language in ("es", "en"):
        for frame in (FRAMES / f"{prefix}{language}.txt").read_text(encoding="utf-8").splitlines():
            sentence = _filled(rng, language, frame)
            while _ambiguous(sentence):
                sentence = _filled(rng, language, frame)
            yield sentence


def _ambiguous(sentence: Sentence) -> bool:
    """Return True if the right result is unclear: a value occurs twice, or a number ends in zeros as sums do."""
    personal = [value for _, value in sentence.personal]
    round_number = any(re.sub(r"\D", "", value).endswith("000") for value in personal)
    return round_number or any(sentence.text.count(value) > 1 for value in personal)


def _filled(rng: Rng, language: str, frame: str) -> Sentence:
    sentence = Sentence("", language)
    sentence.text = _SLOT.sub(lambda slot: _fill_slot(rng, sentence, slot[1], slot[2]), frame.replace("\\n", "\n"))
    return sentence


def _fill_slot(rng: Rng, sentence: Sentence, sort: str, content: str) -> str:
    """Return the text for a slot, and record the expected result in `sentence`."""
    written, _, value_text = content.partition("|")
    written = written.strip()
    if sort == "P":
        kind, _, value = content.partition("=")
        value = value or _value(rng, sentence.language, kind)
        sentence.personal.append((kind.split()[0], value))
        if kind.startswith("REFERENCE"):
            sentence.references.append(value.upper())
        return value
    if sort == "A":
        if value_text:
            number, currency = value_text.split()
            amount = Decimal(number)
        else:
            written, amount, currency = values.amount(rng, sentence.language)
        sentence.amounts.append((amount, currency))
    elif sort == "D":
        written, when = (written, date.fromisoformat(value_text)) if value_text else _day(rng, sentence.language)
        if when not in sentence.dates:
            sentence.dates.append(when)
    if written:
        sentence.kept.append(written)
    return written


def _value(rng: Rng, language: str, kind: str) -> str:
    """Return a value for a slot: `NAME full lower`, `ADDRESS co`, `PHONE uk`."""
    sort, _, form = kind.partition(" ")
    if sort == "NAME":
        return persons.name(rng, language, form)
    if sort == "ADDRESS":
        return persons.address(rng, form)
    if sort == "BIRTH_DATE":
        return persons.birth_date(rng, form)
    return _PERSONAL[kind](rng)


def _day(rng: Rng, language: str) -> tuple[str, date]:
    """Return a date as it is written after a verb, and the date."""
    relative = {"es": {"ayer": 1, "anteayer": 2, "hace 4 días": 4}, "en": {"yesterday": 1, "two days ago": 2, "4 days ago": 4}}
    if rng.random() < 0.3:
        written, days = rng.choice(list(relative[language].items()))
        return written, RECEIVED - timedelta(days=days)
    written, when = values.day(rng, language)
    return f"{'el' if language == 'es' else 'on'} {written}", when
