"""Components of the responses to TMS over M1 and DLPFC, and what they make on the scalp."""

from __future__ import annotations

import numpy as np

from ..resources import roi_channels
from ..schema import unknown_word
from .fields import topography

#: Component -> (latency s, width s, amplitude V at its strongest electrode, electrode, tangential share).
COMPONENTS = {
    "DLPFC": {
        "p25": (0.025, 0.0035, 4e-6, "F3", 0.2),
        "n40": (0.041, 0.006, -5e-6, "FC1", 0.1),
        "p60": (0.063, 0.009, 6e-6, "F1", 0.1),
        "n100": (0.110, 0.018, -9e-6, "FC1", 0.1),
        "p185": (0.188, 0.028, 7e-6, "FCz", 0.0),
    },
    "M1": {
        "n15": (0.0155, 0.0025, -4e-6, "FC3", 0.2),
        "p30": (0.030, 0.0045, 5e-6, "FC1", 0.1),
        "n45": (0.046, 0.0055, -6e-6, "C3", 0.2),
        "p60": (0.061, 0.008, 5e-6, "C1", 0.1),
        "n100": (0.102, 0.018, -9e-6, "C1", 0.1),
        "p180": (0.182, 0.028, 8e-6, "Cz", 0.0),
    },
}
#: Where each component is looked for (s): the windows of the component tables of the TMS-EEG literature.
WINDOWS = {
    "DLPFC": {
        "p25": (0.015, 0.030),
        "n40": (0.030, 0.050),
        "p60": (0.055, 0.075),
        "n100": (0.090, 0.140),
        "p185": (0.160, 0.240),
    },
    "M1": {
        "n15": (0.010, 0.020),
        "p30": (0.020, 0.040),
        "n45": (0.040, 0.055),
        "p60": (0.050, 0.075),
        "n100": (0.080, 0.150),
        "p180": (0.150, 0.250),
    },
}
REGIONS = {"DLPFC": "DLPFC_left", "M1": "M1_left"}  # as in montages.toml
#: What a person hears and feels of a pulse, wherever the coil is: the same after a sham pulse.
PERIPHERAL = {
    "n100": (0.105, 0.016, -6e-6, "FCz", 0.0),
    "p200": (0.195, 0.026, 7e-6, "Cz", 0.0),
}
WAVEFORMS = ("gaussian", "skewed")
_RISE = 0.004  # s; nothing is there before the pulse, and little directly after it


def _component_waves(times, components, waveform):
    """Time course of every component, (n_components, n_times), 1 at its latency."""
    if waveform not in WAVEFORMS:
        raise ValueError(unknown_word("waveform", waveform, WAVEFORMS))
    waves = []
    for latency, width, *_ in components.values():
        late = 1.0 if waveform == "gaussian" else 1.5  # skewed: rises faster than it falls
        sides = np.where(times > latency, width * late, width * (2 - late))
        waves.append(np.exp(-0.5 * ((times - latency) / sides) ** 2))
    return np.array(waves)


def component_responses(channels, times, components, waveform="gaussian"):
    """Noise-free response of each component to one pulse, (n_components, n_channels, n_times), volts."""
    fields = np.array([topography(channels, electrode, turn) for _, _, _, electrode, turn in components.values()])
    sizes = np.array([amplitude for _, _, amplitude, _, _ in components.values()])
    after = np.where(times > 0, 1 - np.exp(-np.maximum(times, 0) / _RISE), 0.0)
    return (fields * sizes[:, None])[:, :, None] * (_component_waves(times, components, waveform) * after)[:, None]


def true_response(channels, times, components, waveform="gaussian"):
    """Noise-free response to one pulse, (n_channels, n_times), volts, average reference."""
    return component_responses(channels, times, components, waveform).sum(axis=0)


def region_rows(channels, target):
    """Rows of the electrodes of the region that is stimulated."""
    return [channels.index(name) for name in roi_channels(REGIONS[target]) if name in channels]


def component_peaks(response, channels, times, target):
    """Amplitude and latency of every component in the mean over the region of interest."""
    wave = response[region_rows(channels, target)].mean(axis=0)
    rows = []
    for name, (start, stop) in WINDOWS[target].items():
        inside = np.flatnonzero((times >= start - 1e-9) & (times <= stop + 1e-9))
        sign = 1 if name.startswith("p") else -1
        peak = inside[np.argmax(sign * wave[inside])]
        rows += [(f"{name}_amplitude", wave[peak]), (f"{name}_latency", times[peak])]
    return rows
