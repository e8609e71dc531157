"""Labels of records: one spelling to learn from, and the original for exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from complaints_etl.redaction import redact
from complaints_etl.text.blank import is_blank
from complaints_etl.text.cleaning import clean_cell

MAX_CHARACTERS = 80
TOO_LONG = f"(over {MAX_CHARACTERS} characters)"  # shown instead of a longer label


@lru_cache(maxsize=10_000)
def label(cell: str | None) -> str | None:
    """Return the cell's label, cleaned; redacted, because reports and models contain it. Return None for a blank cell."""
    plain = clean_cell(cell or "")
    return None if is_blank(plain) else redact(plain, prose=False)[0]


@lru_cache(maxsize=10_000)
def label_as_written(cell: str | None) -> str | None:
    """Return the cell for exports: unchanged, or cleaned and redacted if it contains personal data."""
    redacted, counts = redact(clean_cell(cell or ""), prose=False)
    return redacted if counts else cell


@dataclass(frozen=True)
class LabelMap:
    """The canonical label of each label in the files.

    Attributes:
        canonical: lower-case label to canonical label; empty to keep every label as it is.
        other: the canonical label of labels that are not in the map; None to keep them as they are.
        separator: separates the labels of a cell that has several, of which the first counts; "" if no cell has.
    """

    canonical: Mapping[str, str]
    other: str | None = None
    separator: str = ""

    @classmethod
    def of(cls, label_map: Mapping[str, str], *, unknown_labels: str, separator: str = "") -> LabelMap:
        """Make the map from the settings. Canonical labels map to themselves.

        Args:
            label_map: label in the files to canonical label.
            unknown_labels: `other` maps labels that are not in the map to `other`.
            separator: as in the class.
        """
        canonical = {(label(name) or "").lower(): name for name in label_map.values()}
        canonical |= {(label(old) or "").lower(): new for old, new in label_map.items()}
        return cls(canonical, "other" if label_map and unknown_labels == "other" else None, separator)

    def resolve(self, given: str | None) -> tuple[str | None, str | None]:
        """Return (canonical label, name under which the report lists an unknown one).

        A label over MAX_CHARACTERS is taken for a misplaced text: the result is `(None, TOO_LONG)`.
        """
        if given is None:
            return None, None
        if self.separator and self.separator in given and given.lower() not in self.canonical:
            given = next((part for part in map(str.strip, given.split(self.separator)) if not is_blank(part)), None)
            if given is None:
                return None, None
        if len(given) > MAX_CHARACTERS:
            return None, TOO_LONG
        if not self.canonical:
            return given, None
        known = self.canonical.get(given.lower())
        return (known, None) if known is not None else (self.other or given, given)
