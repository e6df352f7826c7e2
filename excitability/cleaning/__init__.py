"""Cleaning of TMS-EEG: steps that take a Raw or Epochs and give back a cleaned copy.

The folder is scanned: a module with a function decorated by ``@step`` is all a new step needs.

Every step takes the recording first and the rest by keyword, leaves EMG and other channels as they are, keeps
``metadata`` and ``selection``, and writes what it removed into the log that travels with the recording
(:func:`log_of`). :func:`apply` runs the ``[[cleaning]]`` list of a protocol.
"""

import importlib
import pkgutil

from ._passing import pass_through, times_before, unknown_steps
from ._registry import Step, apply, data_rank, get_step, list_steps, log_of, step

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")

from ._across_pulse import filtered_across_pulse  # noqa: E402
from .components import label_tms_components  # noqa: E402
from .filters import band_of, gap_of  # noqa: E402
from .predicted_gain import greatest_loss, predicted_gain, source_gain  # noqa: E402

globals().update({_name: get_step(_name).function for _name in list_steps()})
__all__ = [
    "Step",
    "apply",
    "band_of",
    "data_rank",
    "filtered_across_pulse",
    "gap_of",
    "get_step",
    "greatest_loss",
    "label_tms_components",
    "list_steps",
    "log_of",
    "pass_through",
    "predicted_gain",
    "source_gain",
    "step",
    "times_before",
    "unknown_steps",
    *list_steps(),
]
