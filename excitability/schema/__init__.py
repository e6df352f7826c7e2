"""Every column of every table: its name, unit, type, meaning and BIDS spelling.

This package is the dictionary of all others. Tables in memory are in SI units; :func:`display` is
the only place where millivolts, microvolts and milliseconds appear.
"""

from ._columns import (
    CLUSTER_COLUMNS,
    COMPARISON_COLUMNS,
    COVARIATES,
    DERIVED,
    NOT_A_CHANGE,
    QUALITY,
    RELATIVE_INTENSITIES,
    RESULT_COLUMNS,
    SESSION_COLUMNS,
    STIMULUS_COLUMNS,
    TRIAL_COLUMNS,
    Column,
)
from ._estimate import Estimate, join_flags
from ._tables import data_dictionary, display, display_units, in_display_units, validate
from ._words import code_matches, isi_label, unknown_word

__all__ = [
    "CLUSTER_COLUMNS",
    "COMPARISON_COLUMNS",
    "COVARIATES",
    "DERIVED",
    "NOT_A_CHANGE",
    "QUALITY",
    "RELATIVE_INTENSITIES",
    "RESULT_COLUMNS",
    "SESSION_COLUMNS",
    "STIMULUS_COLUMNS",
    "TRIAL_COLUMNS",
    "Column",
    "Estimate",
    "code_matches",
    "data_dictionary",
    "display",
    "display_units",
    "in_display_units",
    "isi_label",
    "join_flags",
    "unknown_word",
    "validate",
]
