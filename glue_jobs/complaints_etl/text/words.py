"""Patterns for a word and for a placeholder, which several modules share."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W\d_]+")
PLACEHOLDER = re.compile(r"<[A-Z_]+>|\b[Xx]{2,}\b")  # `<EMAIL>`, and masks of earlier redactions: `XXXX`
