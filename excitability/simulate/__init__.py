"""Recordings with known truth: trials, sessions and whole studies."""

from .meps import mep_trials
from .silent_periods import silent_period_trials

__all__ = ["mep_trials", "silent_period_trials"]
