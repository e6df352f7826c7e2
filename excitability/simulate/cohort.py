"""Participants of a simulated study, and what exercise does to them.

Every size here is an invented example: it follows directions that are discussed in the literature on exercise and
chronic low back pain, and none of it is a finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .eeg_sessions import COMPONENTS
from .physiology import physiology

GROUPS = ("patient", "control")
CHANNELS = ("RFDI", "LES")


@dataclass(frozen=True)
class Effect:
    """How one parameter differs between groups and changes with exercise; all numbers are natural logarithms.

    Attributes
    ----------
    spread : float
        Standard deviation between participants of a group.
    patient : float
        Mean of the patients relative to the controls, who have the usual value.
    change : (float, float)
        Mean change just after the exercise in patients and in controls.
    change_spread : float
        Standard deviation of the change between participants.
    """

    spread: float
    patient: float = 0.0
    change: tuple[float, float] = (0.0, 0.0)
    change_spread: float = 0.0


#: Patients have less inhibition and facilitation; exercise reduces inhibition in both groups, more so in patients.
EFFECTS = {
    "motor_threshold": Effect(spread=0.10, patient=0.05),
    "slope": Effect(spread=0.12),
    "mep_max": Effect(spread=0.30, patient=-0.10, change=(0.10, 0.15), change_spread=0.05),
    "latency": Effect(spread=0.04),
    "sici": Effect(spread=0.20, patient=0.30, change=(0.40, 0.20), change_spread=0.10),
    "icf": Effect(spread=0.12, patient=-0.10, change=(0.05, 0.10), change_spread=0.05),
    "sicf": Effect(spread=0.15, patient=-0.15, change=(0.10, 0.10), change_spread=0.05),
    "lici": Effect(spread=0.25, patient=0.15, change=(0.20, 0.10), change_spread=0.08),
    "silent_period": Effect(spread=0.12, patient=-0.08, change=(-0.06, -0.04), change_spread=0.02),
    "tep": Effect(spread=0.15),
    "n100": Effect(spread=0.15, patient=-0.15, change=(-0.20, -0.10), change_spread=0.05),
    "lici_eeg": Effect(spread=0.10, patient=0.10, change=(0.15, 0.08), change_spread=0.04),
    "aperiodic_exponent": Effect(spread=0.10, patient=-0.06, change=(-0.08, -0.05), change_spread=0.02),
    "alpha_frequency": Effect(spread=0.05, patient=-0.03),
}


def time_course(timepoint):
    """Share of the change that is there at a time point: 0 before, 1 just after, halved every 30 minutes.

    >>> time_course("pre"), time_course("post0"), time_course("post30")
    (0.0, 1.0, 0.5)
    """
    if timepoint.startswith("pre"):
        return 0.0
    minutes = re.fullmatch(r"post(\d+)", timepoint)
    if not minutes:
        raise ValueError(f"time point {timepoint!r}: expected 'pre', or 'post' and minutes, such as 'post30'")
    return 0.5 ** (int(minutes[1]) / 30)


@dataclass(frozen=True)
class Participant:
    """One simulated person: covariates, and the log deviations and changes of every parameter."""

    label: str
    group: str
    covariates: dict
    deviation: dict
    change: dict

    def factor(self, name, timepoint):
        """By how much a parameter differs from its usual value at a time point."""
        return float(np.exp(self.deviation[name] + time_course(timepoint) * self.change[name]))


def draw_participant(label, group, rng):
    """A participant of a group."""
    covariates = {
        "group": group,
        "age": int(rng.integers(22, 61)),
        "sex": str(rng.choice(["F", "M"])),
        "height": round(float(rng.normal(1.72, 0.08)), 2),
        "pain_intensity": round(float(np.clip(rng.normal(5.0, 1.5), 1, 9)), 1) if group == "patient" else 0.0,
    }
    at = GROUPS.index(group)
    deviation, change = {}, {}
    for name, effect in EFFECTS.items():
        shift = effect.patient if group == "patient" else 0.0
        deviation[name] = shift + effect.spread * rng.standard_normal()
        change[name] = effect.change[at] + effect.change_spread * rng.standard_normal()
    return Participant(label, group, covariates, deviation, change)


def muscles_at(participant, timepoint):
    """Changes to the usual physiology of each channel, for :func:`excitability.simulate.session`."""
    channels = {}
    for channel in CHANNELS:
        usual = physiology(channel)
        changes = {
            name: getattr(usual, name) * participant.factor(name, timepoint)
            for name in ("motor_threshold", "slope", "mep_max", "latency", "silent_period")
        }
        changes["ratios"] = {
            kind: {isi: value * participant.factor(kind, timepoint) for isi, value in values.items()}
            for kind, values in usual.ratios.items()
            if kind in EFFECTS
        }
        channels[channel] = changes
    return channels


def components_at(participant, timepoint, target="DLPFC"):
    """Components of the evoked potential of a participant at a time point."""
    components = {}
    for name, (latency, width, amplitude, electrode, turn) in COMPONENTS[target].items():
        factor = participant.factor("n100" if name == "n100" else "tep", timepoint)
        components[name] = (latency, width, amplitude * factor, electrode, turn)
    return components


def blood_at(participant, timepoint, rng):
    """BDNF (ng/ml) and lactate (mmol/l) of a session, with an invented rise after exercise."""
    share = time_course(timepoint)
    own = 24.0 * np.exp(0.2 * participant.deviation["mep_max"])
    return {
        "bdnf": round(float(own * (1 + 0.2 * share) * np.exp(0.05 * rng.standard_normal())), 1),
        "lactate": round(float((1.2 + 6.0 * share**3) * np.exp(0.1 * rng.standard_normal())), 1),
    }
