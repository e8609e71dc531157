"""Made-up complaints of a payments fintech, Spanish and English, for the demo, the tests and the benchmarks.

Each complaint is put together from parts: an opening, what happened (of its category), details that any category may have, a
closing. Some openings and details are shared between categories, and some complaints mention a second topic in passing, so that a
model has something to learn and something to get wrong. Noise is what real files hold: typos, lost accents, capitals, amounts,
dates, line breaks, quotes, duplicates, broken rows, and personal data (all of it made up). Same seed, same bytes.
"""

from __future__ import annotations

import csv
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

LANGUAGES = ("es", "en")

# Label → what happened, by language. Slots: {amount} {date} {merchant} {product} {channel} {days} {ref}
EVENTS: dict[str, dict[str, tuple[str, ...]]] = {
    "unrecognized_charge": {
        "es": (
            "me aparece una compra por {amount} en {merchant} que yo no hice",
            "no reconozco el cobro de {amount} del {date} en mi {product}",
            "alguien usó mi {product} para pagar {amount} en {merchant} sin mi autorización",
            "hay dos consumos en {merchant} que nunca realicé, suman {amount}",
            "me cargaron una suscripción de {merchant} que jamás contraté",
        ),
        "en": (
            "there is a charge of {amount} at {merchant} that I did not make",
            "I do not recognize the {amount} purchase from {date} on my {product}",
            "someone used my {product} to pay {amount} at {merchant} without my permission",
            "two purchases at {merchant} were never mine, {amount} in total",
            "I am being billed for a {merchant} subscription I never signed up for",
        ),
    },
    "failed_transfer": {
        "es": (
            "hice una transferencia por {amount} el {date} y nunca llegó al destinatario",
            "el envío de {amount} salió de mi cuenta pero la otra persona no lo recibió",
            "la transferencia quedó en estado pendiente hace {days} días y el dinero no aparece",
            "me debitaron {amount} por un envío que la aplicación marcó como fallido",
            "pasé plata a otro banco por {channel} y sigue en proceso después de {days} días",
        ),
        "en": (
            "I sent a transfer of {amount} on {date} and it never reached the recipient",
            "the {amount} left my account but the other person did not receive it",
            "my transfer has been pending for {days} days and the money is nowhere",
            "you debited {amount} for a transfer that shows as failed",
            "I moved money to another bank through the {channel} and it is still processing after {days} days",
        ),
    },
    "account_access": {
        "es": (
            "no puedo entrar a mi cuenta, me dice que la contraseña es incorrecta",
            "me bloquearon el usuario después de tres intentos y nadie lo desbloquea",
            "el código de verificación no me llega al celular y no puedo ingresar",
            "cambié de teléfono y ya no me deja validar mi identidad con la foto",
            "la sesión se cierra sola cada vez que intento ver mis movimientos",
        ),
        "en": (
            "I cannot get into my account, it says the password is wrong",
            "my user was locked after three attempts and nobody unlocks it",
            "the verification code never arrives on my phone so I cannot log in",
            "I changed phones and the selfie check no longer accepts me",
            "the session closes by itself every time I try to see my movements",
        ),
    },
    "card_delivery": {
        "es": (
            "pedí la {product} hace {days} días y todavía no me la entregan",
            "la guía dice entregado el {date} pero la tarjeta nunca llegó a mi casa",
            "el mensajero dejó el plástico en otra dirección",
            "me mandaron la tarjeta con el nombre mal escrito y pedí la reposición hace {days} días",
            "la reposición de la {product} lleva semanas en camino",
        ),
        "en": (
            "I ordered the {product} {days} days ago and it still has not been delivered",
            "tracking says delivered on {date} but the card never got to my home",
            "the courier left the card at another address",
            "the card came with my name misspelled and I asked for a new one {days} days ago",
            "the replacement {product} has been on its way for weeks",
        ),
    },
    "fees_and_interest": {
        "es": (
            "me cobraron cuota de manejo de {amount} cuando me dijeron que era gratis",
            "los intereses de este mes subieron a {amount} y nadie me avisó",
            "me descontaron una comisión de {amount} por retirar en {channel}",
            "la tasa que aplicaron no es la que firmé en el contrato",
            "cobran {amount} de seguro que no pedí en el extracto de mi {product}",
        ),
        "en": (
            "I was charged a maintenance fee of {amount} when I was told it was free",
            "this month's interest went up to {amount} and nobody told me",
            "you took a commission of {amount} for withdrawing at a {channel}",
            "the rate you applied is not the one in the contract I signed",
            "there is {amount} for insurance I never asked for on my {product} statement",
        ),
    },
    "refund_delay": {
        "es": (
            "devolví el producto a {merchant} el {date} y el reembolso de {amount} no se refleja",
            "el comercio dice que ya reversó {amount} pero ustedes no lo abonan",
            "llevo {days} días esperando la devolución de un pago doble",
            "cancelé el pedido en {merchant} y no me regresan el dinero",
            "prometieron reintegrar {amount} en diez días hábiles y van {days}",
        ),
        "en": (
            "I returned the item to {merchant} on {date} and the {amount} refund does not show",
            "the store says it already reversed {amount} but you have not credited it",
            "I have waited {days} days for the refund of a payment I made twice",
            "I cancelled the order at {merchant} and do not get my money back",
            "you promised to give back {amount} within ten business days, it has been {days}",
        ),
    },
    "atm_cash": {
        "es": (
            "el cajero no me entregó los {amount} pero sí los descontó",
            "retiré {amount} en un corresponsal y el saldo bajó dos veces",
            "el cajero se quedó con mi tarjeta el {date}",
            "salieron billetes incompletos del cajero, faltaron {amount}",
            "consigné {amount} en efectivo y no quedaron registrados",
        ),
        "en": (
            "the ATM did not give me the {amount} but my balance went down",
            "I withdrew {amount} at an agent and it was deducted twice",
            "the machine swallowed my card on {date}",
            "the ATM came up short by {amount}",
            "I deposited {amount} in cash and it was never recorded",
        ),
    },
    "loan_servicing": {
        "es": (
            "ya pagué todo el crédito y siguen cobrándome {amount} al mes",
            "la cuota del préstamo se debitó dos veces el {date}",
            "pedí el paz y salvo hace {days} días y no lo entregan",
            "hice un abono a capital de {amount} y lo aplicaron a intereses",
            "me reportaron en mora por una cuota que pagué a tiempo",
        ),
        "en": (
            "I paid off the loan and you keep charging me {amount} a month",
            "the loan instalment was taken twice on {date}",
            "I asked for the payoff letter {days} days ago and it has not come",
            "I made an extra payment of {amount} to principal and it went to interest",
            "I was reported late for an instalment that I paid on time",
        ),
    },
    "customer_service": {
        "es": (
            "llevo {days} días llamando a la línea de atención y nadie contesta",
            "el asesor fue grosero y me colgó la llamada",
            "abrí el radicado {ref} y lo cerraron sin darme respuesta",
            "en {channel} me mandan de una persona a otra sin resolver nada",
            "me prometieron devolver la llamada el {date} y nunca lo hicieron",
        ),
        "en": (
            "I have been calling the help line for {days} days and nobody answers",
            "the agent was rude and hung up on me",
            "I opened case {ref} and it was closed without an answer",
            "at the {channel} they pass me from one person to the next and solve nothing",
            "they promised to call back on {date} and never did",
        ),
    },
    "app_failure": {
        "es": (
            "la aplicación se cierra al intentar pagar con código QR",
            "desde la actualización del {date} la app se queda en blanco",
            "no cargan los extractos en la {channel}, sale error 500",
            "el botón de pagar servicios no responde desde hace {days} días",
            "las notificaciones llegan tarde y los saldos salen en cero",
        ),
        "en": (
            "the app closes when I try to pay with a QR code",
            "since the update of {date} the app stays blank",
            "statements do not load on the {channel}, I get error 500",
            "the pay bills button has not worked for {days} days",
            "notifications come late and balances show as zero",
        ),
    },
}
OPENINGS = {
    "es": (
        "Buenos días,", "Cordial saludo.", "Señores:", "Hola, necesito ayuda porque", "Quiero presentar una queja:", "Les escribo ya que",
        "Estoy muy molesto,", "Por tercera vez les informo que", "", "",
    ),
    "en": (
        "Good morning,", "Dear team,", "Hello, I need help because", "I want to file a complaint:", "I am writing since",
        "I am very upset,", "For the third time:", "To whom it may concern,", "", "",
    ),
}  # fmt: skip
DETAILS = {
    "es": (
        "Adjunté los soportes por {channel}.", "Mi radicado es {ref}.", "Soy cliente desde hace {days} meses.",
        "Ya lo reporté el {date} sin solución.", "El monto exacto es {amount}.", "Uso siempre la {channel}.",
        "Me dijeron que esperara {days} días.", "Tengo capturas de pantalla de todo.", "Esto afecta el pago de mi arriendo.",
        "Es la segunda vez que pasa con mi {product}.", "No quiero perder más tiempo en filas.",
    ),
    "en": (
        "I sent the documents through the {channel}.", "My case number is {ref}.", "I have been a customer for {days} months.",
        "I already reported it on {date} with no result.", "The exact amount is {amount}.", "I always use the {channel}.",
        "They told me to wait {days} days.", "I have screenshots of everything.", "This affects my rent payment.",
        "It is the second time this happens with my {product}.", "I do not want to lose more time in queues.",
    ),
}  # fmt: skip
PERSONAL = {
    "es": (
        "Mi correo es {email}.", "Pueden llamarme al {phone}.", "Mi cédula es {cedula}.", "La tarjeta es {card}.",
        "Soy {person} y vivo en {city}.",
    ),
    "en": (
        "My e-mail is {email}.", "Call me at {phone}.", "My ID number is {cedula}.", "The card is {card}.",
        "I am {person} from {city}.",
    ),
}  # fmt: skip
CLOSINGS = {
    "es": ("Quedo atento.", "Exijo una solución.", "Gracias.", "Espero pronta respuesta.", "¡Es el colmo!", ""),
    "en": ("Please fix this.", "I demand a solution.", "Thank you.", "I expect a quick reply.", "This is unacceptable!", ""),
}
MERCHANTS = (
    "Almacenes Rívoli",
    "TeleCompras24",
    "Mercado Brisas",
    "Gasolinera El Faro",
    "StreamLuz",
    "Viajes Altamar",
    "FoodNow",
)
PRODUCTS = {
    "es": ("tarjeta débito", "tarjeta de crédito", "billetera", "cuenta de ahorros"),
    "en": ("debit card", "credit card", "wallet", "savings account"),
}
CHANNELS = {"es": ("app", "web", "sucursal", "corresponsal", "chat"), "en": ("app", "web", "branch", "agent", "chat")}
CITIES = ("Bogotá", "Medellín", "Cali", "Barranquilla", "Bucaramanga", "Pereira")
PEOPLE = ("Ana Lucía Peña", "Jorge Iván Niño", "María Muñoz", "Peter Hall", "Camila Ordóñez", "Luis Ángel Güiza")


@dataclass(frozen=True)
class Complaint:
    """One made-up complaint."""

    complaint_id: str
    received_at: date
    text: str
    label: str
    language: str


def complaints(rows: int, *, seed: int = 7, characters: int | None = None) -> Iterator[Complaint]:
    """An endless source cut at `rows`; about one in forty repeats an earlier text.

    Args:
        rows: how many.
        seed: the same seed gives the same complaints.
        characters: texts of about this length (for benchmarks); None leaves them as people write, 80 to 500.
    """
    rng = random.Random(seed)  # noqa: S311 - made-up data wants repeatable numbers, not secret ones
    labels = sorted(EVENTS)
    earlier: list[Complaint] = []
    for number in range(1, rows + 1):
        received = date(2026, 1, 1) + timedelta(days=rng.randrange(300))
        if earlier and rng.random() < 0.025:
            twin = rng.choice(earlier)
            yield Complaint(f"Q{seed}-{number:07d}", received, twin.text, twin.label, twin.language)
            continue
        # Some categories are more common than others, as in life.
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
    """A CSV as a help desk exports it. `broken` rows have a field too few, or no text, at places that the seed decides."""
    rng = random.Random(seed + 1)  # noqa: S311 - as above
    damaged = set(rng.sample(range(1, rows + 1), min(broken, rows)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
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
    if rng.random() < 0.12:  # in passing, something of another category
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
    """Sixteen digits of a test range that pass Luhn's check."""
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
