"""The recordings of `tep_recovery.py`: three simulators, one row a cell, one form for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mne
import numpy as np
import tep_held_out_simulator
import tep_reference_simulator
import tep_scores


@dataclass(frozen=True)
class Session:
    """A recording with its truth, and the average without artefacts (V); bad channels by name."""

    raw: mne.io.BaseRaw
    truth: np.ndarray
    floor: np.ndarray
    times: np.ndarray
    bads: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """``make(seed, n_pulses)`` a session of ``simulator``, ``site``, ``rate`` (Hz) and ``decay``."""

    simulator: str
    site: str
    rate: float
    decay: str
    make: Callable[[int, int], Session]

    @property
    def protocol(self) -> str:
        """With which we clean."""
        return f"{self.site.lower()}/tep"

    @property
    def peaks(self) -> dict[str, tuple[float, float]]:
        """Windows of the peaks that are scored."""
        return tep_scores.PEAKS[self.site]


def cells() -> list[Cell]:
    """All cells, ours first."""
    found = [
        Cell("package", site, rate, f"{waveform}, {decay}", _Package(site, rate, waveform, decay))
        for site, rate, waveform, decay in (
            ("M1", 5000.0, "gaussian", "exponential"),
            ("M1", 2000.0, "skewed", "power"),
            ("DLPFC", 5000.0, "skewed", "exponential"),
            ("DLPFC", 2000.0, "gaussian", "power"),
        )
    ]
    found += [Cell("reference", "M1", 5000.0, decay, _Reference(decay)) for decay in tep_reference_simulator.DECAYS]
    for site, rate in (("M1", "5000"), ("M1", "2048"), ("DLPFC", "4800"), ("DLPFC", "2048")):
        found.append(Cell("held-out", site, float(rate), "fractional", _HeldOut(site.lower(), rate)))
    return found


@dataclass(frozen=True)
class _Package:
    site: str
    rate: float
    waveform: str
    decay: str

    def __call__(self, seed: int, n_pulses: int) -> Session:
        from excitability.simulate import tep_session

        names = [name for name in mne.channels.make_standard_montage("biosemi64").ch_names if name != "Iz"]
        settings = {
            "n_trials": n_pulses,
            "waveform": self.waveform,
            "channels": names,
            "sampling_rate": self.rate,
            "seed": seed + 4000,
        }
        quiet = {"decay": "none", "muscle_amplitude": 0.0, "blink_amplitude": 0.0}
        raw, _ = tep_session(self.site, **settings, **quiet)
        events = mne.events_from_annotations(raw, verbose="error")[0]
        floor = mne.Epochs(raw, events, tmin=-0.4, tmax=0.45, baseline=None, preload=True, verbose="error").average()
        raw, truth = tep_session(self.site, decay=self.decay, muscle_amplitude=150e-6, **settings)
        evoked = truth["evoked"]
        times = floor.times
        wave = [np.interp(times, evoked.times, row, left=0.0) for row in evoked.get_data()]
        return Session(raw, np.array(wave), floor.get_data(), times, ())


@dataclass(frozen=True)
class _Reference:
    decay: str

    def __call__(self, seed: int, n_pulses: int) -> Session:
        made = tep_reference_simulator.reference_session(self.decay, seed=seed, n_pulses=n_pulses)
        return Session(made.raw, made.truth, made.floor, made.times, made.bads)


@dataclass(frozen=True)
class _HeldOut:
    site: str
    rate: str

    def __call__(self, seed: int, n_pulses: int) -> Session:
        made = tep_held_out_simulator.held_out_session(self.site, self.rate, seed=seed, n_pulses=n_pulses)
        return Session(made.raw, made.truth, made.floor, made.times, made.bads)
