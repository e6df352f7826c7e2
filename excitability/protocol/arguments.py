"""Arguments of a protocol's measures, changed by their name: a latency from the nerve laboratory, another rule."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..measures import get_measure
from ..schema import unknown_word
from .grammar import Protocol

_SECTIONS = ("trial", "average", "epochs", "summary")
_GIVEN = ("table", "tables", "x", "times", "of", "window", "first_pulse")  # by the protocol itself


def with_arguments(protocol: Protocol, values: Mapping[str, Any]) -> Protocol:
    """The protocol with other values for arguments of its measures, wherever a measure takes one of that name.

    Parameters
    ----------
    protocol : Protocol
    values : mapping
        Argument → value in SI units.

    Raises
    ------
    ValueError
        When no measure of the protocol takes such an argument.

    Examples
    --------
    >>> import excitability as ex
    >>> protocol = with_arguments(ex.load_protocol("ipsilateral_silent_period"), {"contralateral_latency": 0.0217})
    >>> protocol.epochs["ipsilateral_silent_period"]["contralateral_latency"]
    0.0217
    """
    known: set[str] = set()
    used: set[str] = set()
    changed: dict[str, Any] = {}
    for section in _SECTIONS:
        entries = {}
        for key, arguments in (getattr(protocol, section) or {}).items():
            takes = set(inspect.signature(get_measure(arguments.get("measure", key)).function).parameters)
            known |= takes - set(_GIVEN)
            own = {name: value for name, value in values.items() if name in takes - set(_GIVEN)}
            used |= set(own)
            entries[key] = {**arguments, **own}
        if entries:
            changed[section] = entries
    for name in values:
        if name not in used:
            raise ValueError(f"{protocol.name}: " + unknown_word("parameter", name, known))
    return protocol.replace(**changed)
