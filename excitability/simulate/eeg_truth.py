"""What every measure of an EEG session should be: from noise-free responses and known spectra, without the measures.

Windows and names are those of the protocols; a test compares them.
"""

from __future__ import annotations

import numpy as np

from ..resources import roi_channels
from .evoked_responses import REGIONS, component_peaks, region_rows

_AREAS = {"": (0.020, 0.250), "_early": (0.020, 0.080), "_middle": (0.080, 0.150), "_late": (0.150, 0.250)}
_CORTICAL = (0.025, 0.275)
_MEANS = {"DLPFC": ("p60_mean", (0.055, 0.070)), "M1": ("p30_mean", (0.025, 0.035))}
_PEAK_TO_PEAK = {"DLPFC": (("n40", "p60"),), "M1": (("n15", "p30"), ("n45", "p60"))}
_PAIR_WINDOW, _LICI_WINDOW = (0.020, 0.150), (0.050, 0.150)
_CHANGES = {
    "DLPFC": {"p60": (0.055, 0.070), "n100": (0.095, 0.130)},
    "M1": {"p30": (0.025, 0.035), "n45": (0.040, 0.055), "p60": (0.055, 0.070), "n100": (0.085, 0.120)},
}
_N100 = (0.090, 0.140)
_IMMEDIATE = (0.002, 0.006)


def _inside(times, window):
    return (times >= window[0] - 1e-9) & (times <= window[1] + 1e-9)


def _area(course, times, window):
    inside = _inside(times, window)
    return float(np.trapezoid(course[inside], times[inside]))


def evoked_measures(response, channels, times, target):
    """Channel, measure and value of a noise-free response (n_channels, n_times) to single pulses."""
    region = REGIONS[target]
    rows = region_rows(channels, target)
    course = response[rows].mean(axis=0)
    found = [(region, name, value) for name, value in component_peaks(response, channels, times, target)]
    peaks = {name: value for _, name, value in found}
    for first, second in _PEAK_TO_PEAK[target]:
        size = abs(peaks[f"{second}_amplitude"] - peaks[f"{first}_amplitude"])
        found.append((region, f"{first}_{second}_peak_to_peak", size))
    for name, window in _AREAS.items():
        found.append(("all", f"gmfa_area{name}", _area(response.std(axis=0), times, window)))
        if name:
            found.append((region, f"lmfa_area{name}", _area(response[rows].std(axis=0), times, window)))
    found.append((region, "cortical_evoked_activity", _area(np.abs(course), times, _CORTICAL)))
    name, window = _MEANS[target]
    found.append((region, name, float(course[_inside(times, window)].mean())))
    return found


def pair_measures(test, conditioned, measured, channels, times, target, kind):
    """Condition (``test`` or ``pair``), measure and value of a session of pairs.

    ``test`` and ``conditioned`` are the responses (n_channels, n_times) to the last pulse alone, ``measured`` is what a
    pair leaves with the response to its first pulse under it.
    """
    rows = region_rows(channels, target)
    alone, pair, both = (response[rows].mean(axis=0) for response in (test, conditioned, measured))
    window = _LICI_WINDOW if kind == "lici" else _PAIR_WINDOW
    ratio = _area(np.abs(pair), times, window) / _area(np.abs(alone), times, window)
    if kind == "lici":
        found = [("pair", "lici_tep", ratio)]
        for condition, course in (("test", alone), ("pair", both)):
            inside = np.flatnonzero(_inside(times, _N100))
            peak = inside[np.argmin(course[inside])]
            found += [(condition, "n100_amplitude", course[peak]), (condition, "n100_latency", times[peak])]
        return found
    found = [("pair", "paired_pulse_tep", ratio)]
    for name, window in _CHANGES[target].items():
        found.append(("pair", f"{name}_change", float((pair - alone)[_inside(times, window)].mean())))
    return found


def immediate_measures(course, times):
    """Measure and value of fast waves in the course of a region."""
    inside = _inside(times, _IMMEDIATE)
    course, at = course[inside], times[inside]
    turns = np.flatnonzero(np.diff(np.sign(np.diff(course))) != 0) + 1
    sizes = course[turns]
    largest = float(np.abs(np.diff(sizes)).max())
    rises = np.diff(sizes, prepend=np.nan)
    first = (sizes > np.r_[course[0], sizes[:-1]]) & ~(rises < 0.5 * largest)
    return [
        ("amplitude", largest),
        ("latency", float(at[turns[first][0]])),
        ("frequency", float(1 / np.diff(at[turns[first]]).mean())),
    ]


def resting_measures(channels, density_of, exponent, alpha_frequency):
    """Channel, measure and value of resting EEG with a known cross-spectral density."""
    step = 0.5  # Hz, of pieces of 2 s
    frequencies = np.arange(1.0, 46.0, step)
    density = density_of(frequencies)
    power = np.real(np.einsum("fcc->fc", density))

    def band(low, high):
        return power[(frequencies >= low) & (frequencies < high)].sum(axis=0) * step

    found = [
        ("all", "aperiodic_exponent", float(exponent)),
        ("all", "individual_alpha_frequency", float(alpha_frequency)),
        ("all", "alpha_power", float(band(8, 13).mean())),
        ("all", "beta_power", float(band(13, 30).mean())),
        ("all", "alpha_relative_power", float((band(8, 13) / band(1, 45)).mean())),
    ]
    region = "DLPFC_left_to_scalp"
    rows = [channels.index(name) for name in roi_channels(region) if name in channels]
    inside = (frequencies >= 8) & (frequencies <= 13)
    seed, others = rows[0], rows[1:]
    size = np.sqrt(power[inside][:, [seed]] * power[inside][:, others])
    coherency = density[inside][:, seed, others] / size
    imaginary, real = np.abs(coherency.imag), coherency.real
    # of two complex normal variables with this coherency: mean over mean size of the imaginary part of their product
    index = 2 * imaginary * np.sqrt(1 - real**2) / (1 + imaginary**2 - real**2)
    return [
        *found,
        (region, "alpha_imaginary_coherence", float(imaginary.mean())),
        (region, "alpha_wpli", float(index.mean())),
    ]
