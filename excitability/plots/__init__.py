"""Figures: one a file, each function returns a matplotlib Figure, shows nothing and writes nothing.

Save within :func:`style` to keep the fonts: ``with style(): figure.savefig("sici.pdf")``.
"""

from __future__ import annotations

from ._style import style
from .change_forest import change_forest
from .cluster_map import cluster_map
from .condition_values import condition_values
from .individual_lines import individual_lines
from .mep_overlay import mep_overlay
from .motor_map import motor_map
from .paired_pulse import paired_pulse
from .paired_pulse_curve import paired_pulse_curve
from .paired_pulse_tep import paired_pulse_tep
from .power_spectrum import power_spectrum
from .recruitment_curve import recruitment_curve
from .recruitment_group import recruitment_group
from .tep_butterfly import tep_butterfly
from .tep_cleaning import tep_cleaning
from .tep_quality import tep_quality

__all__ = [
    "change_forest",
    "cluster_map",
    "condition_values",
    "individual_lines",
    "mep_overlay",
    "motor_map",
    "paired_pulse",
    "paired_pulse_curve",
    "paired_pulse_tep",
    "power_spectrum",
    "recruitment_curve",
    "recruitment_group",
    "style",
    "tep_butterfly",
    "tep_cleaning",
    "tep_quality",
]
