"""Names under which people read labels on report.html and review.html. Data files keep the labels."""

from __future__ import annotations

from collections.abc import Mapping


class DisplayNames:
    """The names of the settings in the language of a page. A label without a name is its own name.

    Example:
        `DisplayNames({"card_fraud": "Fraude con tarjeta"})("Card_Fraud")` returns `"Fraude con tarjeta"`.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {_key(label): name for label, name in names.items()}

    def __call__(self, label: str) -> str:
        """Return the name of a label. Case does not matter."""
        return self._names.get(_key(label), label)


def _key(label: str) -> str:
    return " ".join(label.casefold().split())
