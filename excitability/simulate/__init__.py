"""Recordings with known truth: trials, sessions and whole studies."""

from .meps import mep_trials

__all__ = ["mep_trials"]
