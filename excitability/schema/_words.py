"""Words that people write: names they misspell, codes of markers, labels of conditions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

#: More words than these are not told where one of them is near.
_MOST_KNOWN = 12


def unknown_word(what: str, given: object, known: Iterable[str]) -> str:
    """Message for an unknown name: what was given, the nearest valid word, and all of them.

    >>> unknown_word("measure", "mep_amplitud", ["mep_amplitude", "mep_latency"])
    "unknown measure 'mep_amplitud': did you mean 'mep_amplitude'? Known: mep_amplitude, mep_latency"
    """
    words = sorted(str(word) for word in known)
    near = difflib.get_close_matches(str(given), words, n=1, cutoff=0.5)
    hint = f" did you mean {near[0]!r}?" if near else ""
    if near and len(words) > _MOST_KNOWN:
        return f"unknown {what} {given!r}:{hint} ({len(words)} are known)"
    return f"unknown {what} {given!r}:{hint} Known: {', '.join(words) or '(none)'}"


def code_matches(code: object, marker: object) -> bool:
    """Whether a code that a person wrote is that of a marker: whatever its spaces, by its number, without its slash.

    >>> code_matches("S 1", "Stimulus/S  1"), code_matches(1, "Stimulus/S  1"), code_matches(1, "Stimulus/S 11")
    (True, True, False)
    """
    said, name = ("".join(str(text).split()).removesuffix(".0") for text in (code, marker))
    last = name.rsplit("/", 1)[-1]
    number = re.fullmatch(r"[A-Za-z]?0*(\d+)", last)
    return said in (name, last) or (said.isdecimal() and number is not None and number[1] == (said.lstrip("0") or "0"))


def isi_label(interval: float) -> str:
    """Condition label of an inter-stimulus interval in seconds, as it was set.

    >>> isi_label(0.00249999)
    'isi_0.0025'
    """
    return f"isi_{round(interval, 5):g}"
