"""Protocols: a laboratory's method written down, checked, and run."""

from .arguments import with_arguments
from .averages import evoked_of
from .derived import Derived, derive
from .grammar import Protocol
from .library import Battery, list_batteries, list_protocols, load_battery, load_protocol, protocol_path
from .running import Run, clean, protocol_of_task, run, run_all, trial_table

__all__ = [
    "Battery",
    "Derived",
    "Protocol",
    "Run",
    "clean",
    "derive",
    "evoked_of",
    "list_batteries",
    "list_protocols",
    "load_battery",
    "load_protocol",
    "protocol_of_task",
    "protocol_path",
    "run",
    "run_all",
    "trial_table",
    "with_arguments",
]
