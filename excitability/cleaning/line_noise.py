"""Mains hum: the sinusoids at the line frequency and its harmonics are fitted and subtracted.

Subtraction of fitted sinusoids, unlike a notch filter, does not ring around the pulse; they are fitted where there is
neither artefact nor response, and their frequency is found from the data (mains wanders by some 0.05 Hz).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mne  # noqa: F401  (used by the example)
import numpy as np

from ._instance import around_pulses, data_of, eeg_picks, pulses_of_trials
from ._registry import note, step


@step()
def remove_line_noise(
    inst: Any, *, line_freq: float = 50.0, n_harmonics: int = 3, response: float = 0.3, search: float = 0.2
) -> Any:
    """Subtract the line frequency and its harmonics from every channel and trial.

    Parameters
    ----------
    inst : mne.Epochs
    line_freq : float
        50 or 60 Hz.
    n_harmonics : int
        Sinusoids fitted: 1 is the line frequency alone; those above 0.45 of the sampling rate are left out.
    response : float
        Seconds after the pulse that take no part in the fit.
    search : float
        Half-width of the search for the true frequency, Hz.

    Returns
    -------
    cleaned : mne.Epochs
        A copy; EMG and other channels are untouched.

    Raises
    ------
    ValueError
        When fewer than two cycles of the line lie outside the response.

    Examples
    --------
    >>> times = np.arange(-500, 500) / 1000.0
    >>> x = np.tile(1e-5 * np.sin(2 * np.pi * 50.05 * times), (2, 2, 1))
    >>> epochs = mne.EpochsArray(x, mne.create_info(2, 1000.0, "eeg"), tmin=-0.5, verbose=False)
    >>> float(abs(remove_line_noise(epochs).get_data()).max()) < 1e-6
    True
    """
    picks = eeg_picks(inst, bads=True)
    data = data_of(inst)
    rate = inst.info["sfreq"]
    harmonics = [k for k in range(1, n_harmonics + 1) if k * (line_freq + search) < 0.45 * rate]
    if not harmonics:
        raise ValueError(f"a sampling rate of {rate:g} Hz is too low to hold a line frequency of {line_freq:g} Hz")
    removed = total = 0.0
    trials = pulses_of_trials(inst)
    groups = [(~around_pulses(inst.times, pulses, (-0.005, response)), rows) for pulses, rows in trials]
    for quiet, _ in groups:
        if quiet.sum() / rate * line_freq < 2:
            raise ValueError("remove_line_noise: the trials are too short outside the response to see the line")
    frequency = _frequency(data, picks, inst.times, groups, line_freq, search)
    solvers = {}
    for (pulses, _), (quiet, rows) in zip(trials, groups, strict=True):
        basis = _sinusoids(inst.times, [k * frequency for k in harmonics])
        # a slope and an offset are fitted along, so that drifts are not taken for hum, and not subtracted
        extended = np.vstack([basis, np.ones_like(inst.times), inst.times])
        solve = np.zeros((inst.times.size, len(basis)))
        solve[quiet] = np.linalg.pinv(extended[:, quiet])[:, : len(basis)]
        for row in rows:
            trial = data[row][picks]
            hum = (trial @ solve) @ basis
            removed += float(np.vdot(hum, hum))
            total += hum.size
            trial -= hum
            data[row][picks] = trial
        solvers[tuple(pulses)] = solve, basis
    note(
        inst,
        f"{frequency:.2f} Hz and {len(harmonics) - 1} harmonics, {1e6 * (removed / total) ** 0.5:.2g} µV rms",
        frequency=frequency,
        passes=partial(_without_line, picks=picks, solvers=solvers),
    )
    return inst


def _without_line(x: np.ndarray, pulses: tuple[float, ...], *, picks: np.ndarray, solvers: dict) -> np.ndarray:
    solve, basis = solvers[pulses]
    x[picks] -= (x[picks] @ solve) @ basis
    return x


def _sinusoids(times: np.ndarray, frequencies: list[float]) -> np.ndarray:
    angles = 2 * np.pi * np.array(frequencies)[:, None] * times
    return np.vstack([np.cos(angles), np.sin(angles)])


def _frequency(
    data: np.ndarray, picks: np.ndarray, times: np.ndarray, groups: list, line_freq: float, search: float
) -> float:
    """The frequency within ``line_freq ± search`` that explains most of the quiet samples, all channels together."""
    candidates = line_freq + np.linspace(-search, search, 17)
    quiet, rows = max(groups, key=lambda group: len(group[1]))
    rows = rows[:: max(1, len(rows) // 20)]
    x = data[np.ix_(rows, picks)][..., quiet]
    x = x - x.mean(axis=-1, keepdims=True)
    x = x.reshape(-1, x.shape[-1])
    # each trace has the same weight: one noisy channel must not decide
    x /= np.maximum(np.sqrt(np.mean(x**2, axis=1, keepdims=True)), np.finfo(float).tiny)
    bases = [np.linalg.qr(_sinusoids(times[quiet], [candidate]).T)[0] for candidate in candidates]
    power = np.sum((x @ np.hstack(bases)) ** 2, axis=0).reshape(len(candidates), 2).sum(axis=1)
    best = int(np.argmax(power))
    if 0 < best < len(candidates) - 1:  # vertex of the parabola through the three highest
        left, middle, right = power[best - 1 : best + 2]
        shift = 0.5 * (left - right) / min(left - 2 * middle + right, -1e-30)
        return float(candidates[best] + np.clip(shift, -1, 1) * (candidates[1] - candidates[0]))
    return float(line_freq)
