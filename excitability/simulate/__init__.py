"""Recordings with known truth: trials, sessions and whole studies."""

from .eeg_sessions import resting_eeg, tep_session
from .emg_sessions import session
from .meps import mep_trials
from .silent_periods import silent_period_trials
from .studies import study

__all__ = ["mep_trials", "resting_eeg", "session", "silent_period_trials", "study", "tep_session"]
