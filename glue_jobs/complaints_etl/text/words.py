"""Patterns of what several modules call a word and a placeholder."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W\d_]+")
PLACEHOLDER = re.compile(r"<[A-Z_]+>|\b[Xx]{2,}\b")  # `<EMAIL>`, and masks of earlier redactions: `XXXX`
