"""Published rules by name: one register, one list and one look-up for every measure that offers some."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..schema import unknown_word

Rule = Callable[..., np.ndarray]
DEFAULT = "excitability"


class Method(NamedTuple):
    """A rule: its name, where it was published, the rule in words and what it may be given."""

    name: str
    reference: str
    rule: str
    defaults: dict[str, Any]


class NamedRules:
    """The rules of one measure; ``own`` says in words what the package does by default."""

    def __init__(self, what: str, own: str) -> None:
        self._what, self._own = what, own
        self._rules: dict[str, tuple[Rule, str]] = {}

    def register(self, reference: str) -> Callable[[Rule], Rule]:
        """Decorator of a rule that was published in ``reference``."""

        def kept(function: Rule) -> Rule:
            self._rules[function.__name__] = (function, reference)
            return function

        return kept

    def find(self, method: str | Rule) -> Rule:
        """A rule by its name; a callable is its own rule. ValueError for an unknown name."""
        if callable(method):
            return method
        if method not in self._rules:
            raise ValueError(unknown_word(f"{self._what} method", method, (DEFAULT, *self._rules)))
        return self._rules[method][0]

    def listed(self, common: tuple[str, ...]) -> list[Method]:
        """The default, then every rule; ``common`` arguments, which all rules take, are left out."""
        found = [Method(DEFAULT, "this package", self._own, {})]
        for name, (function, reference) in self._rules.items():
            words = (inspect.getdoc(function) or "").split("\n\n")[0]
            arguments = inspect.signature(function).parameters.values()
            defaults = {argument.name: argument.default for argument in arguments if argument.name not in common}
            found.append(Method(name, reference, " ".join(words.split()), defaults))
        return found
