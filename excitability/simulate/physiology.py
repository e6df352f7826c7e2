"""How one muscle of one participant answers stimulation: the numbers that a session is simulated from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np

from ..resources import muscles
from ..schema import unknown_word
from .meps import usual_onset

MEP_CRITERION = 50e-6  # V, peak-to-peak: the size that defines the resting motor threshold

#: Ratios of conditioned to test responses. The sizes are of the order of published group means; they are
#: invented examples, not norms.
_RATIOS = {
    "sici": {0.002: 0.40, 0.003: 0.50},
    "icf": {0.010: 1.35, 0.015: 1.45},
    "sicf": {0.0014: 1.90, 0.0027: 1.60, 0.0043: 1.30},
    "lici": {0.100: 0.30},
}
_TRUNK_RATIOS = {
    "sici": {0.002: 0.60, 0.003: 0.65},
    "icf": {0.010: 1.15, 0.015: 1.20},
    "sicf": {0.0014: 1.40, 0.0027: 1.30, 0.0043: 1.15},
    "lici": {0.100: 0.50},
}


@dataclass(frozen=True)
class Physiology:
    """Excitability of one muscle.

    Attributes
    ----------
    muscle : str
        Name in ``muscles.toml``.
    contracting : bool
        The muscle is active in every protocol (erector spinae); others contract only for the silent period.
    motor_threshold : float
        %MSO at which half of the responses reach 50 µV peak-to-peak: the resting motor threshold of a muscle at
        rest.
    slope : float
        k of the Boltzmann curve, %MSO; larger is shallower.
    mep_max : float
        Plateau of the curve of mean amplitudes, V peak-to-peak.
    variability : float
        Standard deviation of the log amplitude from trial to trial; the noise is multiplicative and has mean 1,
        so that mean amplitudes follow the curve.
    latency, latency_sd : float
        Onset in seconds from the pulse that drives the response.
    ratios : mapping
        ``{"sici": {0.002: 0.4, …}, "icf": …, "sicf": …, "lici": …}``: mean conditioned over mean test amplitude.
    silent_period, silent_period_sd : float
        When EMG begins to return, in seconds from the pulse.
    background_rms : float
        EMG while contracting, V.
    noise_rms : float
        Noise of the recording, V.
    """

    muscle: str
    contracting: bool = False
    motor_threshold: float = 46.0
    slope: float = 3.2
    mep_max: float = 3e-3
    variability: float = 0.45
    latency: float = 0.021
    latency_sd: float = 0.0004
    ratios: Mapping[str, Mapping[float, float]] = field(default_factory=lambda: _RATIOS)
    silent_period: float = 0.15
    silent_period_sd: float = 0.010
    background_rms: float = 90e-6
    noise_rms: float = 4e-6

    @property
    def s50(self) -> float:
        """%MSO at which the mean amplitude is half of its plateau."""
        # half of the responses reach the criterion where the median does; the median of mean-one log-normal
        # noise is exp(-variability² / 2)
        median_max = self.mep_max * np.exp(-(self.variability**2) / 2)
        return float(self.motor_threshold + self.slope * np.log(median_max / MEP_CRITERION - 1))

    def mean_amplitude(self, intensity):
        """Mean peak-to-peak amplitude (V) at an intensity (%MSO)."""
        return self.mep_max / (1 + np.exp((self.s50 - np.asarray(intensity, float)) / self.slope))

    def ratio(self, kind, interval):
        """Ratio of conditioned to test response; ValueError for an interval that it has none for."""
        known = self.ratios.get(kind, {})
        for isi, value in known.items():
            if abs(isi - interval) < 0.5e-4:
                return value
        given = ", ".join(f"{isi:g}" for isi in known) or "none"
        raise ValueError(
            f"{self.muscle}: no {kind} ratio for an interval of {interval:g} s (it has: {given}); "
            f"give ratios={{'{kind}': {{{interval:g}: …}}}}"
        )


def muscle_of_channel(channel):
    """Muscle named in a channel's name: ``RFDI`` is FDI, ``LES`` is ES."""
    found = {
        entry.name
        for entry in muscles().values()
        for name in (entry.name, *entry.aliases)
        if channel == name or (channel[:1] in "LR" and channel[1:].lstrip("_") == name)
    }
    if len(found) != 1:
        raise ValueError(
            f"channel {channel!r} names no single muscle; call it R or L and a muscle "
            f"({', '.join(muscles())}), or give {{'muscle': 'FDI'}}"
        )
    return found.pop()


def physiology(channel, changes=None):
    """Physiology of a channel: what is usual for its muscle, with changes.

    Parameters
    ----------
    channel : str
        ``RFDI``, ``LES``: a side and a muscle.
    changes : mapping, optional
        Attributes of :class:`Physiology` to change; ratios are merged.

    Examples
    --------
    >>> fdi = physiology("RFDI", {"motor_threshold": 50.0, "ratios": {"sici": {0.002: 0.3}}})
    >>> fdi.ratio("sici", 0.002), fdi.ratio("icf", 0.010), round(fdi.s50, 1)
    (0.3, 1.35, 62.7)
    """
    changes = dict(changes or {})
    known = {entry.name for entry in fields(Physiology)}
    for name in changes:
        if name not in known:
            raise ValueError(unknown_word("physiology", name, known))
    name = changes.pop("muscle", None) or muscle_of_channel(channel)
    usual = Physiology(muscle=name, latency=usual_onset(name))
    if muscles()[name].state == "active":
        usual = replace(
            usual,
            contracting=True,
            motor_threshold=40.0,
            slope=4.5,
            mep_max=0.6e-3,
            variability=0.35,
            ratios=_TRUNK_RATIOS,
            silent_period=0.085,
            background_rms=30e-6,
        )
    ratios = {kind: dict(values) for kind, values in usual.ratios.items()}
    for kind, values in changes.pop("ratios", {}).items():
        ratios.setdefault(kind, {}).update(values)
    return replace(usual, ratios=ratios, **changes)
