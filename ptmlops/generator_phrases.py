"""The phrases that made-up complaints are put together from, in Spanish and English.

Words in braces are filled in per complaint: amount, date, merchant, product, channel, days, ref, email, phone, cedula, card,
person, city.
"""

from __future__ import annotations

# What happened, per label and language.
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
