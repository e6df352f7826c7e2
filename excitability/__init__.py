"""From TMS-EMG and TMS-EEG recordings to a calibrated answer: did excitability change?

Names are imported when they are first used, so that ``import excitability`` stays fast and silent.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Protocol": "protocol",
    "annotate": "trials.measuring",
    "checklist": "reporting_checklist",
    "clean": "protocol",
    "compare": "comparison",
    "compare_evoked": "comparison",
    "compare_groups": "comparison",
    "describe_design": "comparison",
    "find_sessions": "sessions",
    "inspect": "inspection",
    "list_batteries": "protocol",
    "list_measures": "measures",
    "list_protocols": "protocol",
    "load_evoked": "batch",
    "load_protocol": "protocol",
    "methods_paragraph": "html_report.methods",
    "next_intensity": "threshold",
    "read": "recording",
    "report": "html_report",
    "run": "protocol",
    "run_batch": "batch",
    "sample_data_path": "resources",
    "set_stimuli": "trials",
    "stimuli": "trials",
    "trial_table": "protocol",
}
_MODULES = ("cleaning", "comparison", "kernels", "measures", "plots", "readers", "schema", "simulate", "trials")

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value  # a module of the same name must not take the place of the function
        return value
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
