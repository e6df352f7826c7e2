"""The decay artefact: charge at the electrode-skin interface that drains away for tens of milliseconds.

Its amplitude can exceed the response tenfold, and leaving it in is what spoils most TMS-EEG (Rogasch et al. 2014,
doi:10.1016/j.neuroimage.2014.07.037; Freche et al. 2018, doi:10.1371/journal.pcbi.1006177, who derive a power law).

How decay and response are told apart is described in ``_decay_fit.py``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mne  # noqa: F401  (used by the example)
import numpy as np

from ._decay_fit import MODELS, DecayFit
from ._instance import between, check_window, data_of, eeg_picks, pulses_of_trials
from ._registry import note, recorded, step

_SHORTEST = 0.05


@step(references=["10.1016/j.neuroimage.2014.07.037", "10.1371/journal.pcbi.1006177"])
def remove_decay(
    inst: Any,
    *,
    window: tuple[float, float] | None = None,
    tmax: float = 0.5,
    model: str = "auto",
    baseline: tuple[float, float] = (-0.3, -0.02),
    response_size: float = 4e-6,
) -> Any:
    """Subtract the decay after the pulse from each channel and trial.

    Parameters
    ----------
    inst : mne.Epochs
        With the pulse at 0. The samples of ``window`` are neither used nor changed: bridge them afterwards.
    window : tuple of float, optional
        What was cut out around the pulse, s; by default as :func:`remove_pulse` left it.
    tmax : float
        End of the fit, s: later than the response, or slow decay and late response cannot be told apart.
    model : {"auto", "exponential", "double", "power"}
        One exponential, two, a power law, or a mean over all of them weighted by their likelihood.
    baseline : tuple of float
        Where the level before the pulse is measured, s; decays fall back to it.
    response_size : float
        Usual size (standard deviation) of a response, V; from a quarter to twice as much is tried.

    Returns
    -------
    cleaned : mne.Epochs
        A copy. EMG and other channels are untouched. The log gives the channels with a decay, the size removed
        and the time constants.

    Raises
    ------
    ValueError
        For an unknown model, trials without a baseline, or trials that end before 0.1 s.

    Notes
    -----
    The amplitude of each trial is shrunk towards that of the average by the noise it has, as the same estimator
    shows it before the pulse; the average is thereby left as the fit to it has it.

    References
    ----------
    doi:10.1016/j.neuroimage.2014.07.037, doi:10.1371/journal.pcbi.1006177

    Examples
    --------
    >>> times = np.arange(-500, 500) / 1000.0
    >>> noise = np.random.default_rng(0).standard_normal((20, 2, 1000)) * 1e-6
    >>> x = noise + 8e-5 * np.where(times >= 0, np.exp(-times / 0.02), 0)
    >>> epochs = mne.EpochsArray(x, mne.create_info(2, 1000.0, "eeg"), tmin=-0.5, verbose=False)
    >>> left = remove_decay(epochs).get_data(tmin=0.011).mean(axis=0)
    >>> float(abs(left).max()) < 3e-6  # of 50 µV; less than this may be a response
    True
    """
    if model not in MODELS:
        raise ValueError(f"model of remove_decay must be one of {', '.join(MODELS)}, not {model!r}")
    if window is None:
        window = recorded(inst, "remove_pulse", "window", (-0.002, 0.010))
    window = check_window(window, "window of remove_decay")
    tmax = min(tmax, float(inst.times[-1]))
    if tmax < 0.1:
        raise ValueError(
            f"remove_decay: the trials end at {inst.times[-1]:g} s; 0.1 s or more is needed to see a decay"
        )
    picks = eeg_picks(inst, bads=True)
    size, constant = np.zeros(len(picks)), np.full(len(picks), np.nan)
    fits: dict[tuple[float, ...], list[DecayFit]] = {}
    for pulses, rows in pulses_of_trials(inst):
        if not pulses:
            raise ValueError("remove_decay: the trials have no pulse")
        level = _levels(inst, rows, picks, (baseline[0] + min(pulses), baseline[1] + min(pulses)))
        for pulse, following in zip(pulses, (*pulses[1:], np.inf), strict=True):
            span = (pulse + window[1], min(following + window[0], tmax))
            if span[1] - span[0] < _SHORTEST:
                continue  # the second pulse of a close pair comes before a decay can be seen
            fit = DecayFit(inst.times, span, pulse, model, response_size)
            fits.setdefault(tuple(pulses), []).append(fit)
            for number, pick in enumerate(picks):
                found = fit.subtract(data_of(inst), rows, pick, level[number])
                if found[0] > size[number]:
                    size[number], constant[number] = found
    touched = size > 1e-6
    constants = constant[touched]
    median = f", time constant {1e3 * np.median(constants):.0f} ms (median)" if touched.any() else ""
    text = f"decay above 1 µV in {int(touched.sum())} of {len(picks)} channels, up to {1e6 * size.max():.0f} µV{median}"
    passes = partial(_without_decay, picks=picks, fits=fits, times=inst.times, baseline=baseline)
    course = _largest_course(fits, picks, inst.times.size)
    note(inst, text, window=window, size=size, time_constant=constant, course=course, passes=passes)
    return inst


def _largest_course(fits: dict[tuple[float, ...], list[DecayFit]], picks: np.ndarray, n_times: int) -> np.ndarray:
    """Size of what was taken from the average at each time (n_picks, n_times): of several kinds of trials the most."""
    course = np.zeros((len(picks), n_times))
    for fit in (fit for group in fits.values() for fit in group):
        taken = np.abs([fit.courses[int(pick)] for pick in picks])
        course[:, fit.after] = np.maximum(course[:, fit.after], taken)
    return course


def _without_decay(
    x: np.ndarray,
    pulses: tuple[float, ...],
    *,
    picks: np.ndarray,
    fits: dict[tuple[float, ...], list[DecayFit]],
    times: np.ndarray,
    baseline: tuple[float, float],
) -> np.ndarray:
    quiet = between(times, baseline[0] + min(pulses), baseline[1] + min(pulses))
    level = x[:, quiet].mean(axis=1)
    for fit in fits.get(pulses, []):
        for pick in picks:
            x[pick, fit.after] -= fit.taken(x[pick] - level[pick], int(pick))
    return x


def _levels(
    inst: Any, rows: np.ndarray, picks: np.ndarray, baseline: tuple[float, float]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Level before the first pulse of each channel's trials, and the average trace around it."""
    quiet = between(inst.times, *baseline)
    if not quiet.any():
        raise ValueError(
            f"remove_decay: no sample lies in the baseline {baseline[0]:g} to {baseline[1]:g} s; "
            f"the trials begin at {inst.times[0]:g} s"
        )
    levels = []
    for pick in picks:
        traces = data_of(inst)[rows, pick][:, quiet]
        mean = traces.mean(axis=1)
        levels.append((mean, traces.mean(axis=0) - mean.mean()))
    return levels
