"""Measures: plain functions on arrays and tables, each usable alone.

The folder is scanned: a module with a function decorated by ``@measure`` is all a new measure needs.
"""

import importlib
import pkgutil

from ._named_rules import Method
from ._onset_rules import list_onset_methods
from ._registry import DERIVED_KINDS, Measure, check_span, get_measure, list_measures, measure
from ._silence_rules import list_silent_period_methods

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")

globals().update({_name: get_measure(_name).function for _name in list_measures()})
__all__ = [
    "DERIVED_KINDS",
    "Measure",
    "check_span",
    "Method",
    "get_measure",
    "list_measures",
    "list_onset_methods",
    "list_silent_period_methods",
    "measure",
    *list_measures(),
]
