"""Decode what programs left encoded in a text: escapes of mail, links, JSON, HTML and Excel, and misread code pages.

`DECODERS` lists the decoders, the outermost encoding first: a mail that quotes a web page has its bytes escaped last. The list is
applied until nothing changes, because an export of an export is escaped twice. Each decoder changes a text only if it is sure:
`50%20 de descuento`, `C:\\nuevo\\tabla`, `total=20` and links stay as they are.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from complaints_etl.text.code_pages import repair_code_pages
from complaints_etl.text.markup import replace_references
from complaints_etl.text.mojibake import LEADS, repair_mojibake

MAX_ROUNDS = 3
# A text without any of these characters has nothing to decode.
ENCODED = f"{LEADS}&=%_\\\\Ž‡—ƒ„î¢¤"

_HEX = "[0-9A-Fa-f]"
_LOWER = "a-zß-öø-ÿ"


def decode(text: str) -> str:
    """Return the text decoded.

    Example:
        `decode("La aplicaci\\\\u00f3n no abre: servicio p&amp;eacute;simo")` returns `La aplicación no abre: servicio pésimo`.
    """
    for _ in range(MAX_ROUNDS):
        before = text
        for decoder in DECODERS:
            text = decoder(text)
        if text == before:
            break
    return text


def _bytes_as_text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")


def _utf8(mark: str) -> str:
    """Return the pattern of a character beyond ASCII in UTF-8, each byte written as `mark` and two hexadecimal digits."""
    following = f"{mark}[89ABab]{_HEX}"
    return (
        rf"(?:{mark}(?:[Cc][2-9A-Fa-f]|[Dd]{_HEX}){following}|{mark}[Ee]{_HEX}(?:{following}){{2}}"
        rf"|{mark}[Ff][0-4](?:{following}){{3}})"
    )


# -- mail -------------------------------------------------------------------------------------------------------------

_CHARSETS = r"(?:utf-?8|iso-?8859-?\d{1,2}|latin-?1|windows-?125\d|cp125\d|us-ascii)"
_MIME = rf"=\?{_CHARSETS}(?:\*[\w-]{{0,20}})?\?[QB]\?[^?]*+\?="
_MIME_WORDS = re.compile(rf"(?i){_MIME}(?:\s{{1,4}}{_MIME})*")
_MIME_WORD = re.compile(r"=\?([^?*]++)[^?]*+\?([QqBb])\?([^?]*+)\?=")


def _mime_words(text: str) -> str:
    """Decode `=?UTF-8?Q?Reclamaci=C3=B3n_por_cobro?=` (RFC 2047). White space between two words belongs to neither."""
    return _MIME_WORDS.sub(_mime_text, text) if "=?" in text else text


def _mime_text(words: re.Match[str]) -> str:
    # A character may be cut between two words, so bytes are joined before they are decoded.
    found = _MIME_WORD.findall(words[0])
    octets = b""
    try:
        for _, kind, content in found:
            plain = content.encode("latin-1")
            octets += base64.b64decode(plain, validate=True) if kind in "Bb" else _quoted(plain.replace(b"_", b" "))
        return octets.decode(found[0][0])
    except ValueError:
        return words[0]


# Quoted-printable (RFC 2045). A text certainly is if a character of UTF-8 is escaped, or a letter of Latin-1 inside a word, or
# white space at the end of a line, or if a line that ends in "=" is as long as programs make them.
_QUOTED_BYTE = re.compile(rb"=([0-9A-Fa-f]{2})")
_QUOTED_RUN = re.compile(rf"(?:={_HEX}{{2}})+")
_IS_QUOTED = re.compile(rf"{_utf8('=')}|(?<=[{_LOWER}][{_LOWER}])=(?:E[0-47-9A-F]|F[1-6A-C])(?=[a-z])")
_SOFT_BREAK = re.compile(r"=[ \t]{0,4}\r?\n")
_SPACE_AT_END = re.compile(r"=20=?\r?\n")
_LONG_LINE = range(69, 78)  # RFC 2045 has 76 characters at most


def _quoted(octets: bytes) -> bytes:
    return _QUOTED_BYTE.sub(lambda byte: bytes.fromhex(byte[1].decode()), octets)


def _quoted_printable(text: str) -> str:
    if "=" not in text:
        return text
    joined = _SOFT_BREAK.sub("", text)
    if not _IS_QUOTED.search(joined) and not _SPACE_AT_END.search(text):
        breaks = (place.start() for place in _SOFT_BREAK.finditer(text))
        if not any(place - text.rfind("\n", 0, place) - 1 in _LONG_LINE for place in breaks):
            return text
    return _QUOTED_RUN.sub(lambda run: _bytes_as_text(_quoted(run[0].encode())), joined)


# -- links and forms --------------------------------------------------------------------------------------------------

_PERCENT = re.compile(rf"%(?:{_HEX}{{2}}|u{_HEX}{{4}})")
_PERCENT_RUN = re.compile(rf"(?:%{_HEX}{{2}})+")
_PERCENT_UTF16 = re.compile(rf"(?:%u{_HEX}{{4}})+")
_LINK = re.compile(r"(?i)://|\bwww\.|[a-z0-9]\.(?:com?|net|org|gov|edu|info|io|app|es|mx|br|cl|pe|ar)(?:\.[a-z]{2})?[/?]")
# Letters around an escaped space or an escaped @, a character of UTF-8, or a letter of Latin-1 in capital hexadecimal digits inside a word.
_IS_PERCENT = re.compile(
    rf"[^\W\d_][.,;:!?)\"']?%20[(¿¡\"']?[^\W\d_]|\w%40\w|{_utf8('%')}|%u{_HEX}{{4}}"
    rf"|(?<=[{_LOWER}])%(?:E[0-47-9A-F]|F[1-6A-C])(?=[a-z%\s.,;:!?]|\Z)"
)
_TOKEN = re.compile(r"\S++")


def _percent_escapes(text: str) -> str:
    if "%" not in text or not _PERCENT.search(text):
        return text
    return _TOKEN.sub(_percent_token, text)


def _percent_token(token: re.Match[str]) -> str:
    """Decode a word that is escaped as in a link, but not a link: its query must stay in one piece for redaction."""
    word = token[0]
    if "%" not in word or not _IS_PERCENT.search(word) or _LINK.search(word):
        return word
    if word.count("+") > 1 and "%20" not in word:
        word = word.replace("+", " ")  # as forms write a space
    word = _PERCENT_UTF16.sub(lambda run: _utf16(re.findall(rf"{_HEX}{{4}}", run[0])), word)
    return _PERCENT_RUN.sub(lambda run: _bytes_as_text(bytes.fromhex(run[0].replace("%", ""))), word)


# -- JSON and program code --------------------------------------------------------------------------------------------

# Backslashes are counted up to four, because a string inside a string has them doubled.
_UTF16 = rf"(?:\\{{1,4}}u{_HEX}{{4}})+"
_CODE_POINT = rf"\\{{1,4}}(?:u\{{{_HEX}{{1,6}}\}}|U000{_HEX}{{5}}|U0010{_HEX}{{4}})"
_BYTES = rf"(?:\\{{1,4}}x{_HEX}{{2}})+"
_OCTAL = r"\\3[0-7]{2}(?:\\2[0-7]{2}){1,3}"
_CHARACTER = rf"(?P<utf16>{_UTF16})|(?P<point>{_CODE_POINT})|(?P<bytes>{_BYTES})|(?P<octal>{_OCTAL})"
_ESCAPE = re.compile(rf"{_CHARACTER}|\\{{1,4}}(?P<one>[nrt\"'/])")
_CHARACTERS = re.compile(_CHARACTER)
_MAY_BE_ESCAPED = re.compile(r"\\(?:[uxUnrt\"'/]|3[0-7])")
# A written `\n` certainly is a line end beside a mark, a space, a capital or another `\n`.
_IS_ESCAPED = re.compile(
    rf"{_CHARACTER}|\\r\\n|\\n(?:\\n|[A-ZÁÉÍÓÚÑ¿¡*•(\d-])|(?:[.,:;!?)…\"]|\A)\\{{1,2}}[nt]|\\{{1,2}}[nrt]\Z|\\\""
)
# Behind a small letter, and before a word, only \n is a line end more often than part of a path.
_LINE_END = re.compile(rf"(?<=[{_LOWER}\d])\\n(?=[^\W_])")
_PATH = re.compile(
    r"[\"'(<]*+(?:[A-Za-z]:\\|\\\\(?!u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[nrt\"])\w|%\w++%\\|\.{1,2}\\)|[A-Z][A-Z\d]++\\[a-z][a-z.]+\d*+\W*+\Z"
)
_FILE = re.compile(r"\w\.[A-Za-z]\w{1,3}\W{0,9}\Z")
_NO_ESCAPE = re.compile(r"\\{1,4}(?![uxUnrt\"'/\\]|3[0-7])[^\W_]")
_BYTES_LITERAL = re.compile(r"(?s)\s*+b(?:'(.*)'|\"(.*)\")\s*+")
_ONE = {"n": "\n", "r": "\n", "t": "\t"}


def _backslash_escapes(text: str) -> str:
    if "\\" not in text or not _MAY_BE_ESCAPED.search(text):
        return text
    if "\\x" in text and (literal := _BYTES_LITERAL.fullmatch(text)):
        text = literal[1] or literal[2] or ""
    words = [word for word in _TOKEN.findall(text) if "\\" in word and not _is_path(word)]
    if any(map(_IS_ESCAPED.search, words)):
        return _TOKEN.sub(lambda token: token[0] if _is_path(token[0]) else _ESCAPE.sub(_unescaped, token[0]), text)
    if any(map(_LINE_END.search, words)):
        return _TOKEN.sub(lambda token: token[0] if _is_path(token[0]) else _LINE_END.sub("\n", token[0]), text)
    return text


def _is_path(word: str) -> bool:
    r"""Return True for a path or a login of Windows: `C:\nuevo`, `\\server\temp`, `datos\notas.txt`, `BANCO\nperez`."""
    if "\\" not in word:
        return False
    if _PATH.match(word):
        return True
    return not _CHARACTERS.search(word) and bool(_FILE.search(word) or _NO_ESCAPE.search(word))


def _unescaped(escape: re.Match[str]) -> str:
    kind, written = escape.lastgroup, escape[0]
    if kind == "utf16":
        return _utf16(re.findall(rf"u({_HEX}{{4}})", written))
    if kind == "point":
        code = int(written.lstrip("\\uU{").rstrip("}"), 16)
        return chr(code) if code < 0xD800 or 0xDFFF < code <= 0x10FFFF else written
    if kind == "bytes":
        return _bytes_as_text(bytes.fromhex("".join(re.findall(rf"x({_HEX}{{2}})", written))))
    if kind == "octal":
        try:
            return bytes(int(octet, 8) for octet in written[1:].split("\\")).decode()
        except UnicodeDecodeError:
            return written
    return _ONE.get(escape["one"], escape["one"])


def _utf16(units: list[str]) -> str:
    """Return the text of UTF-16 code units. Two that are a surrogate pair are one character; a lone one is replaced."""
    return bytes.fromhex("".join(units)).decode("utf-16-be", "replace")


# -- Excel ------------------------------------------------------------------------------------------------------------

_EXCEL = re.compile(rf"_x({_HEX}{{4}})_")  # ECMA-376, ST_Xstring: _x000D_ is a carriage return


def _excel_escapes(text: str) -> str:
    return _EXCEL.sub(lambda escape: _utf16([escape[1]]), text) if "_x" in text else text


Decoder = Callable[[str], str]
DECODERS: tuple[Decoder, ...] = (
    _mime_words,
    _quoted_printable,
    _percent_escapes,
    _backslash_escapes,
    _excel_escapes,
    replace_references,
    repair_mojibake,
    repair_code_pages,
)
