"""Recordings with known truth: trials, sessions and whole studies."""

from .emg_sessions import session
from .meps import mep_trials
from .silent_periods import silent_period_trials

__all__ = ["mep_trials", "session", "silent_period_trials"]
