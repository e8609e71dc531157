"""Make labelled sentences for redaction and entities, in Spanish and English, from templates and values.

All values are made up. Hard negatives are texts that a careless pattern takes for personal data: amounts, dates, times,
quantities, percentages, laws, error codes, products and prices, and words such as "clave" and "PIN" with no value behind them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

RECEIVED = date(2026, 6, 17)
Rng = random.Random


@dataclass
class Sentence:
    """A text with its personal values by type, the strings to be kept, and its entities."""

    text: str
    language: str
    personal: list[tuple[str, str]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    amounts: list[tuple[Decimal, str]] = field(default_factory=list)
    dates: list[date] = field(default_factory=list)
    references: list[str] = field(default_factory=list)


def in_capitals(sentence: Sentence) -> Sentence:
    """Return the sentence in capitals, as angry people write."""
    personal = [(kind, value.upper()) for kind, value in sentence.personal]
    kept = [part.upper() for part in sentence.kept]
    return replace(sentence, text=sentence.text.upper(), personal=personal, kept=kept)


def digits(rng: Rng, count: int) -> str:
    return "".join(str(rng.randrange(10)) for _ in range(count))


def card(rng: Rng) -> str:
    """Return a card number of 16 digits, or of 15 (American Express) or 14 (Diners)."""
    prefix, groups = rng.choice(
        (
            ("4000", (4, 4, 4, 4)),
            ("5100", (4, 4, 4, 4)),
            ("2221", (4, 4, 4, 4)),
            ("6011", (4, 4, 4, 4)),
            ("37", (4, 6, 5)),
            ("36", (4, 6, 4)),
        )
    )
    number = prefix + digits(rng, sum(groups) - 1 - len(prefix))
    for last in "0123456789":
        total = 0
        for index, digit in enumerate(reversed(number + last)):
            value = int(digit) * (1 + index % 2)
            total += value - 9 if value > 9 else value
        if total % 10 == 0:
            number += last
            break
    starts = [sum(groups[:place]) for place in range(len(groups))]
    return rng.choice(("", " ", "-")).join(number[start : start + size] for start, size in zip(starts, groups, strict=True))


def identity(rng: Rng) -> str:
    """Return a Colombian identity number or a US social security number."""
    return cedula(rng) if rng.random() < 0.7 else social_security(rng)


def social_security(rng: Rng) -> str:
    area = rng.choice((rng.randrange(100, 666), rng.randrange(667, 899)))
    return rng.choice(("-", "-", " ", "")).join((str(area), f"{rng.randrange(1, 99):02d}", f"{rng.randrange(1, 9999):04d}"))


def passport(rng: Rng) -> str:
    return rng.choice(
        (f"A{rng.choice('BCNTVW')}{digits(rng, 6)}", f"{rng.choice('ABGPX')}{digits(rng, 8)}", f"5{digits(rng, 8)}")
    )


def foreigner(rng: Rng) -> str:
    number = str(rng.randrange(300_001, 999_999, 2))
    return number if rng.random() < 0.7 else f"{number[:3]}.{number[3:]}"


def iban(rng: Rng) -> str:
    country, body = rng.choice(
        (("ES", digits(rng, 20)), ("DE", digits(rng, 18)), ("FR", digits(rng, 20) + "M" + digits(rng, 2)),
        ("PT", digits(rng, 21)),
         ("GB", "NWBK" + digits(rng, 14)), ("NL", "ABNA" + digits(rng, 10)), ("IT", "X" + digits(rng, 22)),
         ("CR", "0" + digits(rng, 17)))
    )  # fmt: skip
    number = "".join(str(int(c, 36)) for c in body + country + "00")
    whole = f"{country}{98 - int(number) % 97:02d}{body}"
    grouped = " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))
    return rng.choice((whole, whole, grouped, grouped, whole.lower()))


def clabe(rng: Rng) -> str:
    body = "0" + digits(rng, 16)
    total = sum(int(d) * (3, 7, 1)[i % 3] % 10 for i, d in enumerate(body))
    number = body + str((10 - total % 10) % 10)
    return number if rng.random() < 0.8 else f"{number[:3]} {number[3:6]} {number[6:17]} {number[17]}"


def nit(rng: Rng) -> str:
    body = rng.choice("89") + digits(rng, 8)
    rest = sum(int(d) * w for d, w in zip(reversed(body), (3, 7, 13, 17, 19, 23, 29, 37, 41), strict=True)) % 11
    check = rest if rest < 2 else 11 - rest
    mark = rng.choice(("", "", ".", ".", ",", " "))
    return mark.join((body[:3], body[3:6], body[6:])) + f"-{check}"


def cedula(rng: Rng) -> str:
    number = rng.choice((digits(rng, 7), "1" + digits(rng, 9), digits(rng, 8))).replace("0", "4", 1)
    return number if rng.random() < 0.5 else f"{int(number):,}".replace(",", rng.choice("...,' "))


def landline(rng: Rng) -> str:
    area, first, last = f"60{rng.choice('124567')}", f"{rng.choice('234567')}{digits(rng, 2)}", digits(rng, 4)
    return rng.choice(
        (f"({area}) {first} {last}", f"({area}) {first}-{last}", f"{area} {first} {last}", f"+57 {area} {first} {last}")
    )


def mobile(rng: Rng) -> str:
    number = f"3{rng.randrange(10, 52)}{digits(rng, 7)}"
    return rng.choice(
        (number, f"{number[:3]} {number[3:6]} {number[6:]}", f"{number[:3]}-{number[3:6]}-{number[6:]}", f"+57 {number}",
         f"+57{number}", f"57 {number[:3]} {number[3:]}", f"({number[:3]}) {number[3:6]}-{number[6:]}",
         f"{number[:3]} {number[3:6]} {number[6:8]} {number[8:]}", f"{number[:3]}.{number[3:6]}.{number[6:]}")
    )  # fmt: skip


def american(rng: Rng) -> str:
    area, middle, last = rng.randrange(201, 989), digits(rng, 3), digits(rng, 4)
    return rng.choice(
        (
            f"({area}) {middle}-{last}",
            f"{area}-{middle}-{last}",
            f"+1 {area} {middle} {last}",
            f"+1-{area}-{middle}-{last}",
            f"1-{area}-{middle}-{last}",
            f"{area} {middle} {last}",
            f"{area}.{middle}.{last}",
            f"+1{area}{middle}{last}",
        )
    )


def foreign(rng: Rng) -> str:
    return rng.choice(
        (f"+34 6{digits(rng, 2)} {digits(rng, 3)} {digits(rng, 3)}", f"+44 7{digits(rng, 3)} {digits(rng, 6)}",
         f"+52 55 {digits(rng, 4)} {digits(rng, 4)}", f"+593 9{digits(rng, 8)}", f"+57 601 {digits(rng, 7)}")
    )  # fmt: skip


def email(rng: Rng) -> str:
    first, last = (
        rng.choice(("ana", "jorge.ivan", "MARIA", "p_hall", "luz-dary")),
        rng.choice(("pena", "muñoz", "Hall", "gil")),
    )
    host = rng.choice(("example.com", "correo.example.co", "mail.example.org", "mi-banco.example"))
    return f"{first}.{last}{rng.randrange(100)}@{host}"


def ip(rng: Rng) -> str:
    return ".".join(str(rng.randrange(1, 255)) for _ in range(4)) if rng.random() < 0.7 else long_ip(rng)


def long_ip(rng: Rng) -> str:
    parts = [f"{rng.randrange(16, 65536):x}" for _ in range(7)]
    return rng.choice(
        (":".join(["2800", *parts]), f"2001:db8:{parts[0]}::{parts[1]}", f"2600:{parts[0]}:{parts[1]}::{parts[2]}:{parts[3]}",
         f"fe80::{parts[0]}:{parts[1]}:{parts[2]}:{parts[3]}")
    )  # fmt: skip


def account(rng: Rng) -> str:
    number = digits(rng, rng.choice((9, 10, 11))).replace("0", "7", 1)
    return number if rng.random() < 0.6 else f"{number[:3]}-{number[3:-2]}-{number[-2:]}"


def reference(rng: Rng) -> str:
    return rng.choice(
        (
            digits(rng, 8).replace("0", "1", 1),
            f"FE-{digits(rng, 6)}",
            f"{rng.randrange(1, 9)}Z{digits(rng, 3)}AA{digits(rng, 7)}",
            f"RAD-{digits(rng, 7)}",
            f"B{digits(rng, 7)}",
            f"2026-{digits(rng, 6)}",
            f"PQR{digits(rng, 8)}",
            f"SR_{digits(rng, 7)}",
            f"kh{digits(rng, 6)}",
            f"{rng.randrange(101, 899)}-{digits(rng, 7)}-{digits(rng, 7)}",
            f"H{digits(rng, 3)}T{digits(rng, 3)}U",
        )
    )


def secret(rng: Rng) -> str:
    return rng.choice((digits(rng, 4), digits(rng, 6), "Gato" + digits(rng, 3), "m1Cl4ve!", "hunter" + digits(rng, 2)))


def password(rng: Rng) -> str:
    form = rng.choice(("Luna{}", "dragon*{}Az", "Millos_{}", "perro{}#", "Bogota{}", "Sunny-Day{}", "qwerty{}", "Tr0ub4dor{}"))
    return form.format(digits(rng, rng.choice((2, 3, 4))))


def text_code(rng: Rng) -> str:
    code = digits(rng, 6)
    return rng.choice((code, code, f"{code[:3]}-{code[3:]}", f"{code[:3]} {code[3:]}"))


def person(rng: Rng) -> str:
    return (
        f"{rng.choice(('Yurany', 'Hernando', 'Nubia', 'Priyanka', 'Marjorie'))} "
        f"{rng.choice(('Guarnizo', 'Tovar', 'Palacios', 'Whitlock', 'Mehta'))}"
    )


def home(rng: Rng) -> str:
    a, b, c = rng.randrange(2, 170), rng.randrange(2, 110), rng.randrange(10, 99)
    return rng.choice(
        (
            f"Calle {a} # {b}-{c}",
            f"Carrera {a}B No. {b}-{c} apto {c}",
            f"{a} Cottonwood Lane",
            f"{a}{b} N Sycamore St, Apt {b}",
        )
    )


def birth(rng: Rng) -> str:
    day, month, year = rng.randrange(10, 28), rng.randrange(1, 13), rng.randrange(1940, 2005)
    return rng.choice((f"{day}/{month:02d}/{year}", f"{day}-{month:02d}-{year}", f"{year}-{month:02d}-{day}"))


def url(rng: Rng) -> tuple[str, str]:
    site = rng.choice(("https://app.example.com/pagos", "http://banco.example.co/login", "https://example.org/a/b"))
    return site, f"?token={digits(rng, 6)}&user={rng.choice(('ana', 'jorge'))}{digits(rng, 2)}"


PERSONAL: dict[str, tuple[Callable[[Rng], str], dict[str, tuple[str, ...]]]] = {
    "EMAIL": (email, {
        "es": ("Escríbanme a {v} por favor.", "Mi correo {v} ya no recibe los extractos.",
            "El correo registrado es {v}, no otro.", "({v}) es mi e-mail"),
        "en": ("My email is {v}.", "Please write to {v}, thanks.", "They sent the code to {v} instead of me.", "Contact: {v}"),
    }),
    "PHONE": (lambda rng: rng.choice((mobile, mobile, american, foreign))(rng), {
        "es": ("Llámenme al {v} en la tarde.", "Mi celular es {v}.", "El mensaje llegó al {v} y no al mío.",
            "Cel: {v}. Gracias", "Me contactaron del número {v} pidiendo datos.", "Mi Nequi {v} no recibe nada.",
            "Mi Daviplata es {v}.", "WhatsApp {v}", "Tel. {v} en Cali.", "La línea {v} fue suplantada."),
        "en": ("Call me at {v}.", "My phone number is {v} since May.", "The text came from {v} again.",
            "Reach me on {v}, mornings only.", "Text me at {v}.", "My cell {v} gets their calls.", "phone # {v}"),
    }),
    "NAME": (person, {
        "es": ("Mi nombre es {v}.", "Hablé con {v} en la oficina.", "El asesor {v} no me ayudó.", "Mi hermana {v} firmó.",
        "Nombre: {v}"),
        "en": ("My name is {v}.", "I spoke with {v} at the branch.", "The agent {v} did not help.", "My sister {v} signed.",
        "Name: {v}"),
    }),
    "ADDRESS": (home, {
        "es": ("Vivo en la {v}.", "Mi dirección es {v}.", "Envíen la tarjeta a la {v}.", "Dirección: {v}"),
        "en": ("I live at {v}.", "My address is {v}.", "Send the card to {v}.", "Address: {v}"),
    }),
    "BIRTH_DATE": (birth, {
        "es": ("Nací el {v}.", "Fecha de nacimiento: {v}.", "Mi fecha de nacimiento es {v}."),
        "en": ("I was born on {v}.", "DOB: {v}.", "My date of birth is {v}."),
    }),
    "CARD": (card, {
        "es": ("Mi tarjeta {v} fue bloqueada.", "Cargaron la {v} dos veces.", "El plástico número {v} nunca llegó.",
            "Visa {v}, vencida.", "tarjeta No.{v}"),
        "en": ("My card {v} was charged twice.", "The number on it is {v}.", "They blocked {v} with no notice.",
        "Visa {v} expired."),
    }),
    "IBAN": (iban, {
        "es": ("La transferencia al IBAN {v} no llegó.", "Enviaron el dinero a {v} por error."),
        "en": ("The wire to {v} was returned.", "IBAN: {v}."),
    }),
    "CLABE": (clabe, {
        "es": ("La CLABE {v} es correcta.", "Transferí a {v} y no aparece."),
        "en": ("I sent it to CLABE {v} and it is gone.", "The receiving bank confirmed {v}."),
    }),
    "ID_NUMBER": (identity, {
        "es": ("Mi cédula es {v}.", "Soy cliente antigua, C.C. {v}.",
            "Identificado con cédula de ciudadanía No. {v} de Bogotá.",
            "Mi documento de identidad {v} está vencido según ustedes.", "cc {v}", "Cédula: {v}.", "CC No. {v} de Cali",
            "identificada con C.C. # {v}", "con número de cédula {v}", "Mi tarjeta de identidad es {v}.", "T.I. {v}",
            "cédula de extranjería {v}", "La cedula {v} es mía."),
        "en": ("My ID number is {v}.", "I gave my national ID {v} at the branch.", "ID: {v}", "My SSN is {v}.",
            "Social Security Number {v}", "SSN: {v}, please check.", "social security # {v}"),
    }),
    "NIT": (nit, {
        "es": ("La empresa con NIT {v} no responde.", "Facturaron al {v}.", "NIT. {v}, razón social Panadería.",
        "N.I.T. {v}", "nit: {v}"),
        "en": ("The merchant's NIT is {v}.", "They billed company {v}."),
    }),
    "IP": (ip, {
        "es": ("Entraron desde la IP {v}.", "El acceso fue desde {v}, que no es mío.", "dirección IP: {v}"),
        "en": ("The login came from {v}.", "Somebody at {v} used my account."),
    }),
    "ACCOUNT": (account, {
        "es": ("Mi cuenta de ahorros {v} está congelada.", "Consigné en la cuenta número {v}.",
            "La cta. corriente No. {v} no aparece.", "Retiraron de la cuenta {v} sin permiso.",
            "Mi cuenta de ahorros de Bancolombia {v} sigue igual.", "La cuenta corriente Davivienda No. {v} tampoco.",
            "Consigné a la cuenta del Banco de Bogotá {v}.", "cuenta # {v}"),
        "en": ("My account {v} is frozen.", "I paid into account number {v}.", "The savings account no. {v} is gone.",
            "Checking account: {v}", "acct # {v}", "My Chase checking account {v} is closed.",
            "My loan account number is {v}.", "a/c no. {v}"),
    }),
    "REFERENCE": (reference, {
        "es": ("El radicado {v} sigue sin respuesta.", "Mi caso número {v} lleva semanas.", "Pedido {v}: nunca llegó.",
            "Número de referencia: {v}", "La solicitud No. {v} fue cerrada.", "El CUS {v} de PSE fue aprobado.",
            "código CUS {v}", "Número de aprobación {v}.", "Con número de autorización {v} debitaron.",
            "radicado bajo el número {v}", "número de radicado: {v}", "Guía {v} de la transportadora.",
            "La queja {v} sigue abierta.", "factura No. {v}", "Número de trámite {v}"),
        "en": ("Case number {v} is still open.", "My order {v} never came.", "Reference: {v}", "Ticket #{v} was closed.",
            "The claim {v} was denied.", "confirmation code {v}", "Tracking number {v}", "My complaint number is {v}.",
            "File number {v}", "authorization number {v}", "transaction ID {v}", "incident {v}"),
    }),
    "SECRET": (secret, {
        "es": ("Me pidieron la clave y mi clave es {v}.", "PIN: {v}", "La contraseña era {v} y la cambié.", "clave = {v}",
            "La clave dinámica es {v}.", "mi pin {n}", "El código de verificación {n} me llegó y lo di.",
            "Le dicté el código OTP {n}.", "usuario ana, clave: {v}", "mi clave {n} ya no sirve"),
        "en": ("My password is {v} and it fails.", "The PIN was {v} before.", "password: {v}", "Security code: {v}",
            "The verification code {n} came by text.", "I read out the OTP {n}.", "my pin {n} stopped working",
            "passcode is {v}", "one-time code: {n}"),
    }),
}  # fmt: skip

NEGATIVES: dict[str, tuple[str, ...]] = {
    "es": (
        "Me cobraron {a} y luego {a}.", "El saldo pasó de {a} a {a} en un día.", "La cuota es de {a} al mes.",
        "Pagué {a} el {d}.",
        "El {d} a las 10:45 no había servicio.", "Entre el {d} y el {d} no pude entrar.",
        "Mi clave es incorrecta según la app.",
        "Dice que el PIN es inválido.", "La contraseña es muy fácil de adivinar.", "Olvidé la clave: nadie ayuda.",
        "El error 500 sale siempre.", "El error 40312 aparece al pagar.", "Esperé 45 minutos en la fila 3.",
        "Hice 12 llamadas en 3 días.",
        "La tasa subió del 24,5% al 27,83%.", "Según la Ley 1328 de 2009 deben responder.", "El artículo 23 me da la razón.",
        "Tengo 2 tarjetas y 1 crédito de {a}.", "La cuenta quedó en {a}.", "Mi cuenta tiene {a} de saldo.",
        "El pedido costó {a}.",
        "La transacción de {a} no se ve.", "La orden del {d} no llegó.", "Tarjeta terminada en 4821.",
        "Compré 3 televisores de 55 pulgadas.",
        "Soy cliente desde 2009.", "Me dieron el turno 118.", "La oficina de la calle 72 cerró.", "El contrato es a 36 meses.",
        "Un crédito por {a} a 48 meses.", "La app versión 10.4.2 falla.", "El saldo de la cuenta es {a}.",
        "Llamé 3 veces el {d}.",
        "La Ley 2300 de 2023 lo prohíbe.", "El Decreto 2555 de 2010 dice otra cosa.",
        "La Circular Externa 029 de 2014 también.",
        "Mi puntaje bajó de 712 a 655.", "Voy en la cuota 3 de 36.", "El código postal es 110111.",
        "Queda en la Transversal 23 No. 94-33.",
        "La Resolución 1234 de 2020 me ampara.", "A las 14:35:20 se cayó.", "Me descontaron el 4x1000.",
        "El mensaje vino del 85540.",
        "Marqué *123# sin suerte.", "Me deben 1.200.000 y nadie responde.", "Cobran 3500000 de intereses.",
        "Cuenta terminada en 4821.",
        "Los últimos 4 dígitos son 4821.", "Tengo un iPhone 14 y la app se cierra.", "El cajero 0231 se tragó la tarjeta.",
        "La sucursal 045 estaba cerrada.", "Gano 2 salarios mínimos.", "El formulario 220 llegó mal.",
        "El pin tiene 4 dígitos.",
        "La clave de 6 dígitos no llega.", "Cambié la clave 3 veces.", "Nací en 1985.", "De 100 llamadas contestan 2.",
        "Pedí 24 cuotas.",
        "El radicado no existe.", "Pagué por cambiar la clave {a}.", "Me llegó el pin {d}.",
        "Pasaron 15 días hábiles del caso.", "Mi cuenta tiene 12 años.", "El caso lleva 3 meses.",
    ),
    "en": (
        "They charged {a} and then {a}.", "The balance went from {a} to {a} overnight.", "The fee is {a} a month.",
        "I paid {a} on {d}.",
        "On {d} at 10:45 it was down.", "Between {d} and {d} I could not log in.", "It says my password is incorrect.",
        "It tells me the PIN is invalid.", "My password was rejected.", "Error 500 every time.",
        "Error 40312 shows when I pay.",
        "I waited 45 minutes in line 3.", "I made 12 calls in 3 days.", "The rate went from 24.5% to 27.83%.",
        "Under Section 1692 of the FDCPA they must answer.", "I have 2 cards and 1 loan of {a}.", "My account has {a} in it.",
        "The order cost {a}.", "The transaction of {a} is missing.", "The card ending in 4821.",
        "I bought 3 TVs of 55 inches.",
        "I have been a customer since 2009.", "The branch on Main Street closed.", "The contract is for 36 months.",
        "A loan of {a} for 48 months.",
        "App version 10.4.2 fails.", "The balance of the account is {a}.", "I called 3 times on {d}.",
        "My credit score fell from 720 to 655.",
        "15 U.S.C. 1681 gives me the right.", "Regulation E, 12 CFR 1005, says so.", "My FICO is 712.",
        "My zip code is 90210.",
        "The last 4 digits are 4821.", "My acct ending in 4821 is frozen.", "The account ending 4821 is closed.",
        "At 2:35 PM it failed.",
        "I got a 1099-C form.", "Suite 1200 was empty.", "The PIN has 4 digits.", "The 6 digit code never comes.",
        "I changed my password 3 times.",
        "Born in 1985.", "Out of 100 calls 2 were answered.", "The ticket took 3 weeks.", "They wanted for a new pin {a}.",
        "I changed the password {d}.", "My case is 90 days old.", "I owe 3500 and they say 7000.",
        "An order of 12 items.", "The branch on Route 66 closed.", "I reported it to 3 bureaus.", "Account opened in 2014.",
        "Section 609 letter sent.",
    ),
}  # fmt: skip


def amount(rng: Rng, language: str) -> tuple[str, Decimal, str]:
    """Return (the amount as written, value, currency)."""
    thousands = rng.randrange(12, 9000)
    cents = f"{rng.randrange(100):02d}"
    dollars = rng.randrange(3, 4000)
    spanish = (
        (f"${thousands * 1000:,}".replace(",", "."), Decimal(thousands * 1000), "COP"),
        (f"$ {thousands * 1000:,}".replace(",", "."), Decimal(thousands * 1000), "COP"),
        (f"{thousands * 1000:,} pesos".replace(",", "."), Decimal(thousands * 1000), "COP"),
        (f"COP {thousands} mil", Decimal(thousands * 1000), "COP"),
        (f"{thousands} mil pesos", Decimal(thousands * 1000), "COP"),
        (f"{rng.randrange(2, 30)} millones de pesos", None, "COP"),
        (f"COP {thousands * 1000:,}".replace(",", "."), Decimal(thousands * 1000), "COP"),
        (f"{dollars} dólares", Decimal(dollars), "USD"),
        (f"US$ {dollars}", Decimal(dollars), "USD"),
    )
    english = (
        (f"${dollars:,}.{cents}", Decimal(f"{dollars}.{cents}"), "USD"),
        (f"${dollars}", Decimal(dollars), "USD"),
        (f"{{${dollars:.2f}}}", Decimal(dollars), "USD"),
        (f"{dollars:,}.{cents} USD", Decimal(f"{dollars}.{cents}"), "USD"),
        (f"USD {dollars}", Decimal(dollars), "USD"),
        (f"{dollars} dollars", Decimal(dollars), "USD"),
        (f"€{dollars}", Decimal(dollars), "EUR"),
    )
    text, value, currency = rng.choice(spanish if language == "es" else english)
    return text, Decimal(int(text.split()[0]) * 10**6) if value is None else value, currency


MONTHS_ES = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]
MONTHS_EN = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def day(rng: Rng, language: str) -> tuple[str, date]:
    """Return (the date as written, the date). The written form is not relative."""
    when = RECEIVED - timedelta(days=rng.randrange(1, 360))
    if language == "es":
        forms = (
            when.strftime("%d/%m/%Y"), when.strftime("%Y-%m-%d"), f"{when.day} de {MONTHS_ES[when.month - 1]} de {when.year}",
            f"{when.day} de {MONTHS_ES[when.month - 1]}", when.strftime("%d-%m-%Y"),
        )  # fmt: skip
    else:
        name = MONTHS_EN[when.month - 1]
        forms = (
            when.strftime("%m/%d/%Y"), when.strftime("%Y-%m-%d"), f"{name} {when.day}, {when.year}", f"{name} {when.day}",
            f"{when.day} {name[:3]} {when.year}",
        )  # fmt: skip
    return rng.choice(forms), when


RELATIVE: dict[str, tuple[tuple[str, date], ...]] = {
    "es": (
        ("Pasó ayer en la tarde.", date(2026, 6, 16)), ("Fue anteayer.", date(2026, 6, 15)),
        ("Hoy mismo volvió a fallar.", RECEIVED),
        ("Hace 3 días que no puedo entrar.", date(2026, 6, 14)), ("Lo pedí hace dos semanas.", date(2026, 6, 3)),
        ("Hace 4 meses cerré el crédito.", date(2026, 2, 17)), ("El lunes pasado me llamaron.", date(2026, 6, 15)),
        ("Fue el pasado viernes.", date(2026, 6, 12)), ("Me pasó la semana pasada.", date(2026, 6, 10)),
        ("Hace un año pagué todo.", date(2025, 6, 17)),
    ),
    "en": (
        ("It happened yesterday.", date(2026, 6, 16)), ("Today it failed again.", RECEIVED),
        ("I asked 3 days ago.", date(2026, 6, 14)),
        ("Two weeks ago they promised.", date(2026, 6, 3)), ("I closed it 4 months ago.", date(2026, 2, 17)),
        ("Last Monday they called.", date(2026, 6, 15)), ("A year ago I paid it off.", date(2025, 6, 17)),
        ("It broke last week.", date(2026, 6, 10)), ("The day before yesterday it worked.", date(2026, 6, 15)),
    ),
}  # fmt: skip


def sentences(count: int = 1500, seed: int = 5) -> Iterator[Sentence]:
    """Labelled sentences: half hold a personal value (also URLs), a third are hard negatives, the rest relative dates."""
    rng = random.Random(seed)
    kinds = [*PERSONAL, "URL_QUERY"]
    for number in range(count):
        language = rng.choice(("es", "en"))
        draw = rng.random()
        if draw < 0.62:
            kind = kinds[number % len(kinds)]
            yield _url(rng, language) if kind == "URL_QUERY" else _personal(rng, language, kind)
        elif draw < 0.93:
            yield _filled(rng, language, rng.choice(NEGATIVES[language]))
        else:
            text, when = rng.choice(RELATIVE[language])
            yield Sentence(text, language, dates=[when])


def _personal(rng: Rng, language: str, kind: str) -> Sentence:
    make, templates = PERSONAL[kind]
    template = rng.choice(templates[language])
    value = make(rng) if "{v}" in template else digits(rng, rng.choice((4, 6)))
    sentence = Sentence(template.format(v=value, n=value), language, personal=[(kind, value)])
    if kind == "REFERENCE":
        sentence.references.append(value.upper())
    if rng.random() < 0.4:  # a fact beside it, which must stay
        extra = _filled(
            rng,
            language,
            rng.choice(({"es": "Fueron {a}.", "en": "It was {a}."}, {"es": "Fue el {d}.", "en": "It was on {d}."}))[language],
        )
        sentence.text += " " + extra.text
        sentence.kept, sentence.amounts, sentence.dates = extra.kept, extra.amounts, extra.dates
    return sentence


def _url(rng: Rng, language: str) -> Sentence:
    site, query = url(rng)
    text = {"es": "La página {u} no abre.", "en": "The page {u} does not open."}[language].format(u=site + query)
    return Sentence(text, language, personal=[("URL_QUERY", query)], kept=[site])


def _filled(rng: Rng, language: str, template: str) -> Sentence:
    sentence = Sentence("", language)
    text = template
    while "{a}" in text:
        written, value, currency = amount(rng, language)
        text = text.replace("{a}", written, 1)
        sentence.kept.append(written)
        sentence.amounts.append((value, currency))
    while "{d}" in text:
        written, when = day(rng, language)
        text = text.replace("{d}", written, 1)
        sentence.kept.append(written)
        sentence.dates.append(when)
    sentence.text = text
    return sentence
