"""Complaints to train on: made here by a grammar, so that every test knows what a right answer is."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT / "training") not in sys.path:
    sys.path.insert(0, str(ROOT / "training"))

CAUSES = {
    "billing": [
        "me cobraron dos veces la cuota de manejo",
        "aparece una comisión que nadie autorizó",
        "I was charged twice for the same fee",
        "the interest on the statement is wrong",
        "cobro duplicado en el extracto",
    ],
    "fraud": [
        "no reconozco esta compra en el extracto",
        "clonaron la tarjeta y sacaron dinero",
        "somebody opened an account in my name",
        "a transfer I never made left the account",
        "suplantación de identidad en la solicitud",
    ],
    "access": [
        "la aplicación no abre desde ayer",
        "no me llega la clave dinámica",
        "the app closes when I try to sign in",
        "my password was blocked without reason",
        "error al ingresar al portal",
    ],
}
FILLERS = [
    "buenas tardes",
    "por favor revisen",
    "llevo <NUMBER> días esperando",
    "nadie responde en la línea",
    "please help",
    "on <DATE> I called",
    "the amount is $ 45.000",
    "gracias",
    "vivo en <CITY>",
    "XXXX dijo que no",
]
NAMES = ["Ana", "Luis", "Marta", "John", "Zoé", "Bogotá", "Medellín", "Texas"]


def make_complaints(count: int, seed: int = 0, noise: float = 0.1) -> tuple[list[str], list[str]]:
    """(texts, labels): a cause between fillers and a name; a share of `noise` carries another label than its text."""
    draw = random.Random(seed)  # noqa: S311 - test data
    texts, labels = [], []
    for _ in range(count):
        label = draw.choice(list(CAUSES))
        parts = [*draw.sample(FILLERS, 3), draw.choice(CAUSES[label]), draw.choice(NAMES), *draw.sample(FILLERS, 2)]
        texts.append(". ".join(parts) + f" {draw.randint(1, 99999)}")
        labels.append(draw.choice(list(CAUSES)) if draw.random() < noise else label)
    return texts, labels


@pytest.fixture(scope="session")
def complaints() -> tuple[list[str], list[str]]:
    return make_complaints(600)
