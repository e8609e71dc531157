"""Remove what an e-mail program adds to a complaint: header lines, the signature, the line above a quoted message."""

from __future__ import annotations

import re

_SENDERS = ("De", "From", "Para", "To", "Enviado", "Enviado el", "Sent")
_HEADER_NAME = rf"[ \t>]*+({'|'.join(_SENDERS)}|Fecha|Date|Asunto|Subject|CC|Cc):[ \t]"
_HEADER_NAMES = re.compile(rf"(?m)^{_HEADER_NAME}")
_HEADERS = re.compile(rf"(?m)^{_HEADER_NAME}.{{0,120}}+$(?:\n{_HEADER_NAME}.{{0,120}}+$)+")
_NOT_THE_SUBJECT = re.compile(rf"(?m)^(?:[ \t>]*+(?:Asunto|Subject):[ \t]|{_HEADER_NAME}.*+$)")
_QUOTE_BEGINS = re.compile(
    r"(?m)^[ \t>]*+(?:-{2,}+[ \t]*+(?:Mensaje original|Mensaje reenviado|Original Message|Forwarded message)[ \t]*+-{2,}+"
    r"|(?:El|On)\s.{5,150}\s(?:escribió|wrote):)[ \t]*+$"
)
# Some people draw a line in the middle of a complaint. A signature has up to six short lines of names, titles, numbers and addresses.
# A word of over three lower-case letters, or one in capitals, may belong to the complaint.
_SEPARATOR = re.compile(r"(?m)^--[ \t]*+$")
_UPPER = "".join(letter for letter in map(chr, range(0x250)) if letter.isupper())
_LOWER = "".join(letter for letter in map(chr, range(0x250)) if letter.islower())
_LETTER = r"[^\W\d_]"
_SIGNED = (
    rf"(?:(?=\S{{0,60}}@|www\.|https?:)\S++"
    rf"|(?:[{_UPPER}][{_LOWER}]++|{_LETTER}{{1,3}}(?!{_LETTER})|(?!{_LETTER})\S)+)"
)
_SPACE = r"[^\S\n]"  # also the non-breaking space of HTML
_SIGNATURE = re.compile(
    r"(?m)\n--[ \t]*+\n(?=[\s\S]{0,250}\Z)"
    rf"(?:(?=.{{1,80}}$){_SPACE}*+{_SIGNED}(?:{_SPACE}++{_SIGNED}){{0,7}}(?<![{_LOWER}][.!?]){_SPACE}*+(?:\n|\Z)){{1,6}}\s*+\Z"
)
_WORD = re.compile(r"[^\W_]{3}")


def remove_mail_parts(text: str) -> str:
    """Return the text without mail headers (the subject stays), signature and quote lines; the text itself if nothing else is in it.

    Example:
        `De: Ana\\nAsunto: Cobro doble\\nMe cobraron dos veces` becomes `Cobro doble\\nMe cobraron dos veces`.
    """
    # Headers contain a colon, all other parts two dashes or a colon.
    if "\n" not in text or not (":" in text or "--" in text):
        return text
    plain = _SIGNATURE.sub("", text) if len(_SEPARATOR.findall(text)) == 1 else text
    plain = _QUOTE_BEGINS.sub(" ", _HEADERS.sub(_subject, plain))
    return plain if _WORD.search(plain) else text


def _subject(headers: re.Match[str]) -> str:
    """Return the subject of a mail's header lines. A form's lines stay: a mail has different names, one of them a sender's."""
    names = set(_HEADER_NAMES.findall(headers[0]))
    return _NOT_THE_SUBJECT.sub("", headers[0]) if len(names) > 1 and names.intersection(_SENDERS) else headers[0]
