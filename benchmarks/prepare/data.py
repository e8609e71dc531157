"""A CSV of made-up complaints of about 900 characters, as fast as a benchmark of a million rows needs it.

Each text is put together from sentences: some of the demo's generator, with its amounts, dates, references and personal data, the
rest from clauses that combine freely. What real complaints hold decides how often: of CFPB's narratives (908 characters on average)
63% hold a digit, 22% an amount, a third a line break.
"""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from pathlib import Path

from ptmlops.generator import complaints
from ptmlops.generator_phrases import CHANNELS

_WHO = {
    "es": (
        "la señora que me atendió", "el asesor", "un funcionario de la oficina", "la persona del chat", "el supervisor",
        "quien contestó la llamada", "el área de fraude", "la línea de atención", "el gerente", "mi hermano", "nadie del banco",
        "el robot de la página", "la coordinadora", "el cajero", "otro cliente que estaba allí", "el abogado que consulté",
    ),
    "en": (
        "the lady who helped me", "the agent", "an officer at the branch", "the person on the chat", "the supervisor",
        "whoever picked up the phone", "the fraud department", "customer service", "the manager", "my brother", "nobody at the bank",
        "the bot on the page", "the coordinator", "the teller", "another customer who was there", "the attorney I asked",
    ),
}  # fmt: skip
_DID = {
    "es": (
        "me explicó", "insistió en", "reconoció", "negó", "anotó en el sistema", "prometió revisar", "olvidó mencionar",
        "me hizo repetir", "nunca entendió", "dejó por escrito", "dijo no saber nada de", "se burló de", "confirmó dos veces",
        "pidió paciencia con", "archivó sin leer", "me devolvió",
    ),
    "en": (
        "explained", "insisted on", "admitted", "denied", "wrote down", "promised to review", "forgot to mention",
        "made me repeat", "never understood", "put in writing", "claimed to know nothing about", "laughed at", "confirmed twice",
        "asked me to be patient with", "filed without reading", "returned",
    ),
}  # fmt: skip
_WHAT = {
    "es": (
        "el problema con los movimientos de enero", "la demora del trámite", "los documentos que entregué", "mi historia como cliente",
        "la firma que según ellos no coincide", "el bloqueo del usuario", "una cuota de manejo que nadie pactó", "el seguro que no pedí",
        "la diferencia entre un saldo y el otro", "las condiciones que firmé", "un formulario imposible de llenar", "la respuesta anterior",
        "el daño que esto me causa", "todo lo que ya había contado", "mis derechos como consumidor", "el error del aplicativo",
    ),
    "en": (
        "the problem with the January movements", "the delay of the paperwork", "the documents that I handed in",
        "my history as a customer", "the signature that they say does not match", "the lock on my user", "a fee that nobody agreed to",
        "the insurance I never asked for", "the difference between one balance and the other", "the terms that I signed",
        "a form that cannot be filled in", "the previous answer", "the damage that this does to me", "everything I had already told them",
        "my rights as a consumer", "the error of the application",
    ),
}  # fmt: skip
_AFTER = {
    "es": (
        "", " sin darme una razón", " mientras yo esperaba en la fila", " y luego colgó", ", lo cual me parece una falta de respeto",
        " delante de mis hijos", " aunque la ley dice otra cosa", ", pero al final no pasó nada", " como si fuera culpa mía",
        " por escrito y de viva voz", ", y así llevo meses", " después de hacerme ir tres veces", "; por eso escribo aquí",
    ),
    "en": (
        "", " without giving me a reason", " while I was waiting in line", " and then hung up", ", which I find disrespectful",
        " in front of my children", " although the law says otherwise", ", but in the end nothing happened", " as if it were my fault",
        " in writing and in person", ", and it has gone on like this for months", " after making me come three times",
        "; that is why I am writing here",
    ),
}  # fmt: skip


def write_csv(path: Path, rows: int, *, seed: int = 11, characters: int = 900) -> None:
    """Write `rows` unlabelled complaints. One in forty is a copy of an earlier one. The same seed gives the same bytes."""
    rng = random.Random(seed)
    pool: dict[str, list[str]] = {"es": [], "en": []}
    for complaint in complaints(3000, seed=seed):
        pool[complaint.language].extend(complaint.text.replace("\n", " ").split(". "))
    earlier: list[str] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["complaint_id", "received_at", "channel", "text"])
        for number in range(rows):
            language = "es" if rng.random() < 0.7 else "en"
            if earlier and rng.random() < 0.025:
                text = rng.choice(earlier)
            else:
                text = _text(rng, language, pool[language], characters)
                if number % 50 == 0:
                    earlier.append(text)
            day = date(2026, 1, 1) + timedelta(days=int(rng.random() * 300))
            writer.writerow([f"Q{number:08d}", day.isoformat(), rng.choice(CHANNELS[language]), text])


def _text(rng: random.Random, language: str, pool: list[str], characters: int) -> str:
    who, did, what, after = _WHO[language], _DID[language], _WHAT[language], _AFTER[language]
    wanted = characters * (0.6 + 0.8 * rng.random())
    parts = [rng.choice(pool) for _ in range(2)]
    length = sum(map(len, parts))
    draw = rng.random
    while length < wanted:
        sentence = (
            f"{who[int(draw() * len(who))].capitalize()} {did[int(draw() * len(did))]} "
            f"{what[int(draw() * len(what))]}{after[int(draw() * len(after))]}"
        )
        parts.append(sentence)
        length += len(sentence) + 2
    rng.shuffle(parts)
    return (".\n\n" if draw() < 0.3 else ". ").join(parts) + "."
