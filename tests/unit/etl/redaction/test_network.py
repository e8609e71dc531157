"""Internet addresses of devices."""

from __future__ import annotations

import pytest
from complaints_etl.redaction import redact

CASES = (
    ("la contraseña falla en la versión 9.0.0.1 de la app", "la contraseña falla en la versión 9.0.0.1 de la app", "a version of four parts"),
    ("token 2.0 dice ERR_CONN_1006", "token 2.0 dice ERR_CONN_1006", "a version and an error"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "why"), CASES)
def test_versions_and_times_are_not_addresses(text: str, expected: str, why: str) -> None:
    assert redact(text)[0] == expected, why


KEPT = (
    ("versión 10.4.2", "a version"),
    ("a las 10:45:30", "a time"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "why"), KEPT)
def test_what_is_not_an_address_stays(text: str, why: str) -> None:
    assert redact(text) == (text, {}), why
