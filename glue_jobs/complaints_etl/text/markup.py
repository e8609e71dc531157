"""Replace HTML character references, and remove HTML tags and comments."""

from __future__ import annotations

import html
import re
from html.entities import name2codepoint

_REFERENCE = re.compile(r"&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]{2,8}\d{0,2}));")
_NAMES = {name: chr(code) for name, code in name2codepoint.items()} | {"apos": "'"}  # HTML 4's
_REPLACEMENT = "\ufffd"

# Only tags with names of HTML and nothing but attributes in them: `<a las 3>` and `saldo <b y saldo> c` are the writer's. No pattern
# looks beyond the next "<", or a text of nothing else would take the square of its length. Possessive quantifiers keep this linear;
# not of groups, which Python before 3.11.5 matches wrongly (CPython's gh-106052).
_ATTRIBUTES = (
    r"""(?:\s++(?:[\w:.-]++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+'|[^\s<>"']++)"""
    r"""|(?:checked|compact|disabled|hidden|multiple|noshade|nowrap|readonly|required|selected)(?=[\s/>])))*\s*+/?>"""
)
_INLINE = re.compile(rf"(?ai)</?(?:a|b|em|font|i|span|strong|u){_ATTRIBUTES}")
_BLOCK = re.compile(
    r"(?ai)<(script|style)\b[^<>]*+>[^<]*+(?:<(?!/?\1\b)[^<]*+)*</\1\s*+>|<!--[^<-]*+(?:(?!-->|<!--)[<-][^<-]*+)*-->"
    r"|</?(?:abbr|address|article|big|blockquote|body|br|center|code|dd|div|dl|dt|footer|form|h[1-6]|head|header|hr|html|img|input|"
    r"label|li|link|meta|o:p|ol|p|pre|s|section|small|strike|sub|sup|table|tbody|td|th|thead|title|tr|tt|ul)" + _ATTRIBUTES
)


def replace_references(text: str) -> str:
    """Replace `&eacute;`, `&#233;` and `&#xE9;` by é. A reference with an unknown name stays."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(reference: re.Match[str]) -> str:
    decimal, hexadecimal, name = reference.groups()
    if name:
        return _NAMES.get(name, reference[0])
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if 0x80 <= code < 0xA0:
        return html.unescape(reference[0])  # HTML 5 reads these as Windows-1252
    return chr(code) if code < 0xD800 or 0xDFFF < code <= 0x10FFFF else _REPLACEMENT


def remove_tags(text: str) -> str:
    """Remove tags and comments. A tag that separates blocks becomes a space; an inline tag may be in the middle of a word.

    Example:
        `remove_tags("<p>men<b>tira</b></p>")` returns ` mentira `.
    """
    return _INLINE.sub("", _BLOCK.sub(" ", text)) if "<" in text else text
