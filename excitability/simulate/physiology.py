"""How one muscle of one participant answers stimulation: the numbers that a session is simulated from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np

from ..resources import muscles
from ..schema import unknown_word
from .meps import usual_onset

MEP_CRITERION = 50e-6  # V, peak-to-peak: the size that defines the resting motor threshold
TRACKED_SIZE = 200e-6  # V, peak-to-peak: the response that threshold tracking keeps

#: Smallest response that counts in a contracting muscle, V peak-to-peak: of the trunk, and of all others.
_ACTIVE_CRITERIA = {"trunk": 100e-6}
_ACTIVE_CRITERION = 200e-6

#: Ratios of conditioned to test responses, by kind and interval. The sizes are of the order of published group means;
#: they are invented examples, not norms.
_RATIOS = {
    "sici": {0.002: 0.40, 0.003: 0.50},
    "icf": {0.010: 1.35, 0.015: 1.45},
    "sicf": {0.0014: 1.90, 0.0027: 1.60, 0.0043: 1.30},
    "lici": {0.100: 0.30},
    "lcd": {0.200: 1.25, 0.230: 1.40},
    "ihi": {0.010: 0.55, 0.040: 0.65},
    "lihi": {0.040: 0.65, 0.050: 0.70},
    "cbi": {0.005: 0.60, 0.007: 0.75},
    "sai": {0.021: 0.50, 0.025: 0.65},
    "lai": {0.200: 0.60},
    "premotor": {0.006: 0.75},  # dual-site: by the area of the conditioning pulse
    "parietal": {0.006: 1.30},
}
#: The same along a curve: ratio at some levels (s, or percent of threshold), smooth and monotonic between them.
_CURVES = {
    "sicf_curve": {0.0008: 1.10, 0.0014: 1.90, 0.0020: 1.05, 0.0027: 1.70, 0.0035: 1.02, 0.0043: 1.45, 0.0052: 1.0},
    "paired_pulse_curve": {
        0.001: 0.35,
        0.002: 0.45,
        0.006: 0.95,
        0.012: 1.45,
        0.030: 1.05,
        0.1: 0.35,
        0.2: 0.7,
        0.5: 1.0,
    },
    "sici_intensity_curve": {40.0: 1.0, 75.0: 0.40, 110.0: 1.05},
    "sai_n20": {-0.002: 1.0, 0.002: 0.50, 0.010: 0.85},
}
#: Change of the tracked threshold by a conditioning stimulus, percent.
_THRESHOLD_CHANGES = {
    "sici": {0.001: 12.0, 0.003: 9.0},
    "icf": {0.010: -5.0, 0.015: -4.0},
    "sai": {0.021: 8.0, 0.025: 5.0},
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
    side : str
        ``left`` or ``right``; empty where the channel's name does not tell.
    curves : mapping
        As ``ratios``, with a smooth curve between the levels: ``{"sicf_curve": {0.0014: 1.9, …}}``.
    threshold_changes : mapping
        ``{"sici": {0.001: 12.0, …}}``: change of the tracked threshold, percent of the unconditioned one.
    after_effects : mapping
        ``{"post0": 1.2, …}``: factor on all responses of a block.
    current_lags : mapping
        ``{"PA": 0.0, "AP": 0.003, "LM": -0.0014}``: seconds that responses come later with a direction of current.
    central_conduction, proximal_root : float
        Seconds from the cortex to where the root is stimulated, and from the motor neuron to there.
    m_max, m_wave_latency, erb_latency : float
        Largest M wave (V), and its onset (s) after stimulation at the wrist and at Erb's point.
    reached : float
        Share of the motor neurons that the cortical pulse reaches (triple stimulation).
    ipsilateral_ratio, ipsilateral_lag : float
        Responses of a trunk muscle to the hemisphere of its own side: size relative to, and seconds later than, those
        to the other one.
    ipsilateral_onset, ipsilateral_duration, ipsilateral_depth : float
        Ipsilateral silent period: seconds from the pulse, seconds, share of the EMG that is missing.
    map_centre, map_width : (float, float), float
        Where the motor map has its peak, and the standard deviation of its Gaussian shape (m).
    voluntary_lag, voluntary_rms : float
        Onset of a voluntary burst relative to the prime mover's (s), and its size (V).
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
    side: str = ""
    curves: Mapping[str, Mapping[float, float]] = field(default_factory=lambda: _CURVES)
    threshold_changes: Mapping[str, Mapping[float, float]] = field(default_factory=lambda: _THRESHOLD_CHANGES)
    after_effects: Mapping[str, float] = field(default_factory=lambda: {"post0": 1.2, "post10": 1.6, "post30": 1.4})
    current_lags: Mapping[str, float] = field(default_factory=lambda: {"PA": 0.0, "AP": 0.003, "LM": -0.0014})
    central_conduction: float = 0.0075
    proximal_root: float = 0.0011
    m_max: float = 12e-3
    m_wave_latency: float = 0.0035
    erb_latency: float = 0.0125
    reached: float = 0.8
    ipsilateral_ratio: float = 0.5
    ipsilateral_lag: float = 0.002
    ipsilateral_onset: float = 0.036
    ipsilateral_duration: float = 0.026
    ipsilateral_depth: float = 0.7
    map_centre: tuple[float, float] = (0.0, 0.0)
    map_width: float = 0.011
    voluntary_lag: float = 0.0
    voluntary_rms: float = 120e-6

    @property
    def s50(self) -> float:
        """%MSO at which the mean amplitude is half of its plateau."""
        # half of the responses reach the criterion where the median does; the median of mean-one log-normal
        # noise is exp(-variability² / 2)
        median_max = self.mep_max * np.exp(-(self.variability**2) / 2)
        return float(self.motor_threshold + self.slope * np.log(median_max / MEP_CRITERION - 1))

    @property
    def active_motor_threshold(self) -> float:
        """%MSO at which half of the responses of the contracting muscle reach 200 µV (of the trunk 100 µV)."""
        return self.intensity_for(_ACTIVE_CRITERIA.get(muscles()[self.muscle].region, _ACTIVE_CRITERION))

    @property
    def root_latency(self) -> float:
        """Onset (s) after stimulation of the spinal root."""
        return self.latency - self.central_conduction

    @property
    def f_latency(self) -> float:
        """Shortest F wave (s): there and back, 1 ms to turn around, less the way from the electrode to the muscle."""
        return 2 * (self.root_latency + self.proximal_root) + 0.001 - self.m_wave_latency

    def mean_amplitude(self, intensity):
        """Mean peak-to-peak amplitude (V) at an intensity (%MSO)."""
        return self.mep_max / (1 + np.exp((self.s50 - np.asarray(intensity, float)) / self.slope))

    def intensity_for(self, size):
        """Intensity (%MSO) at which half of the responses are larger than ``size`` (V)."""
        median_max = self.mep_max * np.exp(-(self.variability**2) / 2)
        return float(self.s50 - self.slope * np.log(median_max / size - 1))

    def ratio(self, kind, interval):
        """Ratio of conditioned to test response; ValueError for an interval that it has none for."""
        if kind in self.curves:
            return self.curve_ratio(kind, interval)
        return self._at_interval("ratio", self.ratios, kind, interval)

    def curve_ratio(self, kind, level):
        """Ratio at any level of a curve."""
        from scipy.interpolate import PchipInterpolator

        curve = dict(sorted(self.curves[kind].items()))
        inside = np.clip(level, min(curve), max(curve))
        return float(np.exp(PchipInterpolator(list(curve), np.log(list(curve.values())))(inside)))

    def threshold_change(self, kind, interval):
        """Change of the tracked threshold (%); ValueError for an interval that it has none for."""
        return self._at_interval("threshold_change", self.threshold_changes, kind, interval)

    def map_factor(self, x, y):
        """Response at coil positions (m) relative to that at the peak of the map."""
        squared = (np.asarray(x) - self.map_centre[0]) ** 2 + (np.asarray(y) - self.map_centre[1]) ** 2
        return np.exp(-squared / (2 * self.map_width**2))

    def _at_interval(self, what, values, kind, interval):
        known = values.get(kind, {})
        for isi, value in known.items():
            if abs(isi - interval) < 0.5e-4:
                return value
        given = ", ".join(f"{isi:g}" for isi in known) or "none"
        raise ValueError(
            f"{self.muscle}: no {kind} {what} for an interval of {interval:g} s (it has: {given}); "
            f"give {what}s={{'{kind}': {{{interval:g}: …}}}}"
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


def _side_of(channel, muscle):
    """Side that a channel's name tells; empty where it is the bare name of a muscle."""
    entry = muscles()[muscle]
    named = channel[1:].lstrip("_") in (entry.name, *entry.aliases)
    return {"L": "left", "R": "right"}.get(channel[:1], "") if named else ""


def physiology(channel, changes=None):
    """Physiology of a channel: what is usual for its muscle, with changes.

    Parameters
    ----------
    channel : str
        ``RFDI``, ``LES``: a side and a muscle.
    changes : mapping, optional
        Attributes of :class:`Physiology` to change; mappings are merged.

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
    usual = Physiology(muscle=name, latency=usual_onset(name), side=_side_of(channel, name))
    if muscles()[name].state == "active":
        usual = replace(
            usual,
            contracting=True,
            motor_threshold=40.0,
            slope=4.5,
            mep_max=0.6e-3,
            variability=0.35,
            ratios={**_RATIOS, **_TRUNK_RATIOS},
            silent_period=0.085,
            background_rms=30e-6,
            voluntary_lag=-0.020,
        )
    for name in ("ratios", "threshold_changes"):
        merged = {kind: dict(values) for kind, values in getattr(usual, name).items()}
        for kind, values in changes.pop(name, {}).items():
            merged.setdefault(kind, {}).update(values)
        changes[name] = merged
    for name in ("curves", "after_effects", "current_lags"):
        changes[name] = {**getattr(usual, name), **changes.pop(name, {})}
    return replace(usual, **changes)
