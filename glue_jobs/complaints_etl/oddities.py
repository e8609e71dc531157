"""Which texts need which of cleaning's costly steps, told by their bytes, a batch at a time.

A search by Spark takes ten nanoseconds a character, and most texts need none of them. So Python looks at the bytes where it has
them anyway, and cleaning.py does its steps on the texts that this marks. A text is marked too often rather than too seldom:
everything beyond ASCII, the letters of Latin-1 and the usual typographic marks counts as odd.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

# What a text needs: all steps; white space and mail parts; repeated characters.
UNUSUAL, SPACES, REPEATED = 1, 2, 4
_LEADS = 8  # the byte after it decides

_FIRST = np.zeros(256, np.uint8)
_FIRST[[*range(9), *range(0x0E, 0x20), 0x7F, ord("&"), ord("<"), ord("\r")]] = UNUSUAL
_FIRST[[ord(white) for white in "\t\n\v\f"]] = SPACES
_FIRST[0xC4:] = UNUSUAL
_FIRST[[0xC2, 0xC3, 0xE2]] = _LEADS
_SECOND = np.zeros((256, 256), np.uint8)
_SECOND[0xC2, [*range(0x80, 0xA0), 0xAD]] = UNUSUAL  # C1 controls, the soft hyphen
_SECOND[0xC2, 0xA0] = SPACES
_SECOND[0xC3, [0x82, 0x83, 0x85, 0x86, 0x8B, 0xA2, 0xAF, 0xB0]] = UNUSUAL  # Â Ã Å Æ Ë â ï ð: cleaning's leads of mojibake
_SECOND[0xE2] = UNUSUAL
_SECOND[0xE2, 0x80] = _LEADS
_SECOND[0xE2, 0x82] = _LEADS
_THIRD = np.full((256, 256), UNUSUAL, np.uint8)
_THIRD[0x80, 0x90:0xA8] = 0  # dashes, quotation marks, bullets, the ellipsis
_THIRD[0x82, 0xAC] = 0  # €


def oddities(texts: pa.Array) -> pa.Array:
    """int32 per text (string, nulls allowed): the steps it needs, added up; 0 for a text that cleaning leaves as it is."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    octets = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    found = np.zeros(len(texts), np.uint8)
    if len(octets) < 1:
        return pa.array(found, pa.int32())
    starts = offsets[:-1] - offsets[0]

    def mark(places: NDArray[np.int64], steps: NDArray[np.uint8] | int) -> None:
        np.bitwise_or.at(found, np.searchsorted(starts, places, side="right") - 1, steps)

    kinds = _FIRST[octets]
    places = np.flatnonzero(kinds)
    kinds = kinds[places]
    leads = places[kinds == _LEADS]
    mark(places[kinds != _LEADS], kinds[kinds != _LEADS])
    padded = np.append(octets, np.zeros(3, np.uint8))  # a text's characters are whole, so none reaches over its end
    lead, second = octets[leads], padded[leads + 1]
    steps = _SECOND[lead, second]
    more = steps == _LEADS
    steps[more] = _THIRD[second[more], padded[leads[more] + 2]]
    mark(leads[steps > 0], steps[steps > 0])

    same = octets[1:] == octets[:-1]
    spaces = np.flatnonzero(same & (octets[1:] == ord(" ")))
    mark(spaces, SPACES)
    repeats = np.flatnonzero(same[2:] & same[1:-1] & same[:-2])
    mark(repeats[octets[repeats] | 0x20 != ord("x")], REPEATED)  # masks stay as they are
    # A letter of two bytes, four times.
    again = (np.diff(leads) == 2) & (np.diff(lead.astype(np.int32) * 256 + second) == 0)
    mark(leads[np.flatnonzero(again[2:] & again[1:-1] & again[:-2])], REPEATED)
    return pa.array(found, pa.int32())
