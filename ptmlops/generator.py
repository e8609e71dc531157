"""Make complaints of a payments company in Spanish and English, for the demo, the tests and the benchmarks.

A complaint consists of an opening, an event of its label, details and a closing. Labels share openings and details, and some
complaints mention a second topic, so that a model has something to learn and makes mistakes. As in real files there are typos,
lost accents, capitals, line breaks, quotes, duplicates, damaged rows and personal data, all of it made up. The same seed makes
the same bytes.
"""

from __future__ import annotations

import csv
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ptmlops.generator_phrases import (
    CHANNELS,
    CITIES,
    CLOSINGS,
    DETAILS,
    EVENTS,
    MERCHANTS,
    OPENINGS,
    PEOPLE,
    PERSONAL,
    PRODUCTS,
)
from ptmlops.output_paths import writing


@dataclass(frozen=True)
class Complaint:
    """One made-up complaint."""

    complaint_id: str
    received_at: date
    text: str
    label: str
    language: str


def complaints(rows: int, *, seed: int = 7, characters: int | None = None) -> Iterator[Complaint]:
    """Make complaints, of which about one in forty repeats an earlier text.

    Args:
        rows: how many complaints to make.
        seed: the same seed makes the same complaints.
        characters: the approximate length of a text; None for lengths as people write, 80 to 500.
    """
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    labels = sorted(EVENTS)
    earlier: list[Complaint] = []
    for number in range(1, rows + 1):
        received = date(2026, 1, 1) + timedelta(days=rng.randrange(300))
        if earlier and rng.random() < 0.025:
            twin = rng.choice(earlier)
            yield Complaint(f"Q{seed}-{number:07d}", received, twin.text, twin.label, twin.language)
            continue
        # Some labels are more frequent than others, as in real data.
        label = labels[min(int(rng.expovariate(0.22)), len(labels) - 1)]
        language = "es" if rng.random() < 0.7 else "en"
        text = _text(rng, label, language, received, characters)
        complaint = Complaint(f"Q{seed}-{number:07d}", received, text, label, language)
        if len(earlier) < 500:
            earlier.append(complaint)
        yield complaint


def write_csv(
    path: Path, rows: int, *, labelled: bool = True, seed: int = 7, characters: int | None = None, broken: int = 0
) -> None:
    """Write complaints as a help desk exports them.

    Args:
        path: the CSV file to write.
        rows: how many complaints.
        labelled: whether there is a label column.
        seed: the same seed makes the same file.
        characters: the approximate length of a text.
        broken: how many rows have missing fields or no text.

    Raises:
        OperatorError: the file cannot be written.
    """
    rng = random.Random(seed + 1)  # noqa: S311 - as above
    damaged = set(rng.sample(range(1, rows + 1), min(broken, rows)))
    with writing(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["complaint_id", "received_at", "channel", "text", *(["label"] if labelled else [])])
        for number, complaint in enumerate(complaints(rows, seed=seed, characters=characters), start=1):
            channel = rng.choice(CHANNELS[complaint.language])
            row = [complaint.complaint_id, complaint.received_at.isoformat(), channel, complaint.text]
            row += [complaint.label] if labelled else []
            if number in damaged:
                row = row[:2] if number % 2 else [*row[:3], "", *row[4:]]
            writer.writerow(row)


def _text(rng: random.Random, label: str, language: str, received: date, characters: int | None) -> str:
    parts = [rng.choice(OPENINGS[language]), rng.choice(EVENTS[label][language]) + "."]
    parts += rng.sample(DETAILS[language], rng.randrange(0, 4))
    if rng.random() < 0.12:  # mention an event of another label
        other = rng.choice([name for name in EVENTS if name != label])
        aside = {"es": "Además, aunque es otro tema, ", "en": "Also, though that is another matter, "}[language]
        parts.append(aside + rng.choice(EVENTS[other][language]) + ".")
    if rng.random() < 0.25:
        parts.append(rng.choice(PERSONAL[language]))
    while characters and sum(map(len, parts)) < characters - 40:
        parts.append(rng.choice(DETAILS[language]))
    parts.append(rng.choice(CLOSINGS[language]))
    parts = [_fill(rng, part, language, received) for part in parts if part]
    text = ("\n" if rng.random() < 0.15 else " ").join(parts)
    return _noise(rng, text)


def _fill(rng: random.Random, part: str, language: str, received: date) -> str:
    when = received - timedelta(days=rng.randrange(1, 40))
    pesos = rng.randrange(12, 3000) * 1000
    amounts = (
        f"${pesos:,}".replace(",", "."), f"{pesos:,} pesos".replace(",", "."), f"COP {pesos // 1000} mil",
        f"${rng.randrange(5, 900)}.{rng.randrange(100):02d}", f"USD {rng.randrange(5, 900)}",
    )  # fmt: skip
    person = rng.choice(PEOPLE)
    plain = unicodedata.normalize("NFKD", person).encode("ascii", "ignore").decode().lower().replace(" ", ".")
    slots = {
        "amount": rng.choice(amounts[:3] if language == "es" else amounts[3:]),
        "date": when.strftime("%d/%m/%Y" if language == "es" else "%Y-%m-%d"),
        "merchant": rng.choice(MERCHANTS),
        "product": rng.choice(PRODUCTS[language]),
        "channel": rng.choice(CHANNELS[language]),
        "days": str(rng.randrange(3, 60)),
        "ref": f"{rng.choice('ABCDR')}{rng.randrange(10**6, 10**7)}",
        "email": f"{plain}{rng.randrange(100)}@example.com",
        "phone": f"3{rng.randrange(10, 25)} {rng.randrange(100, 999)} {rng.randrange(1000, 9999)}",
        "cedula": f"{rng.randrange(10, 99)}.{rng.randrange(100, 999)}.{rng.randrange(100, 999)}",
        "card": _card(rng),
        "person": person,
        "city": rng.choice(CITIES),
    }
    return part.format(**slots)


def _card(rng: random.Random) -> str:
    """Make a card number of a test range, with a valid Luhn check digit."""
    digits = [4, 0, 0, 0, 0, 0, *(rng.randrange(10) for _ in range(9))]
    total = sum(d if index % 2 else (2 * d - 9 if d > 4 else 2 * d) for index, d in enumerate(digits))
    digits.append(-total % 10)
    number = "".join(map(str, digits))
    return " ".join(number[i : i + 4] for i in range(0, 16, 4))


def _noise(rng: random.Random, text: str) -> str:
    if rng.random() < 0.2:
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    if rng.random() < 0.08:
        text = text.upper()
    if rng.random() < 0.3:
        words = text.split(" ")
        for _ in range(rng.randrange(1, 4)):
            place = rng.randrange(len(words))
            word = words[place]
            if len(word) > 4 and word.isalpha():
                cut = rng.randrange(1, len(word) - 2)
                words[place] = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
        text = " ".join(words)
    if rng.random() < 0.06:
        text = f'"{text}" — eso les dije, y nada' if rng.random() < 0.5 else text.replace(". ", '. "sic" ', 1)
    return text
