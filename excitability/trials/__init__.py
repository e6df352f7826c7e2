"""Trials: pulses found, described, cut out of the recording, and annotated."""

from .artefact import artefact_offsets, find_artefacts
from .cutting import Cut, bad_spans, cut, first_pulse_times
from .logs import join_log
from .muscles import channel_muscles, pick_channels
from .rejection import reject
from .stimuli import PULSE, find_triggers, pair_pulses, set_stimuli, stimuli

__all__ = [
    "PULSE",
    "Cut",
    "artefact_offsets",
    "bad_spans",
    "channel_muscles",
    "cut",
    "find_artefacts",
    "find_triggers",
    "first_pulse_times",
    "join_log",
    "pair_pulses",
    "pick_channels",
    "reject",
    "set_stimuli",
    "stimuli",
]
