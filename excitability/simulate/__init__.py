"""Recordings with known truth: trials, sessions and whole studies."""

from .eeg_sessions import paired_tep_session, tep_session
from .emg_sessions import session
from .meps import mep_trials
from .oscillations import Oscillation
from .resting_sessions import resting_eeg
from .silent_periods import silent_period_trials
from .studies import study

__all__ = [
    "Oscillation",
    "mep_trials",
    "paired_tep_session",
    "resting_eeg",
    "session",
    "silent_period_trials",
    "study",
    "tep_session",
]
