"""Methods of the measures that several protocols, or all sessions of a study, made together."""

from __future__ import annotations

from ..labels import protocol_label
from ..measures import get_measure
from ..protocol import Derived
from ._words import _listed, _parameter


def derived_methods(derived: Derived) -> str:
    """What a derived measure is made of, what it is, and what was asked of it."""
    made_of = _listed(protocol_label(part.name) for part in derived.parts)
    shared = "of all sessions together" if get_measure(derived.measure).kind == "study" else "of the same session"
    names = [part.name for part in derived.parts]
    given = [_parameter(word, value) for word, value in derived.arguments.items() if value not in names]
    options = f" Parameters: {', '.join(given)}." if given else ""
    return f"Made of {made_of}, {shared}. {derived.description}{options}"
