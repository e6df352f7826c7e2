"""The decay artefact: charge at the electrode-skin interface that drains away for tens of milliseconds.

Its amplitude can exceed the response tenfold, and leaving it in is what spoils most TMS-EEG (Rogasch et al. 2014,
doi:10.1016/j.neuroimage.2014.07.037; Freche et al. 2018, doi:10.1371/journal.pcbi.1006177, who derive a power law).

The trial average of each channel is taken as decay + response + noise. The decay is one or two shapes out of a
dictionary (exponentials, power laws); the response is a random curve whose waves broaden with latency, as those of
evoked potentials do, so that its correlation is a function of the ratio of two latencies. Shapes are weighed by their
likelihood and amplitudes found by generalised least squares. The response is therefore expected, not taken for an
outlier, and a decay may be removed from below it.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import mne  # noqa: F401  (used by the example)
import numpy as np

from ._instance import between, check_window, data_of, eeg_picks, pulses_of_trials
from ._registry import note, recorded, step

_TIME_CONSTANTS = np.geomspace(0.003, 0.4, 15)
_POWERS = ((0.002, 0.7), (0.002, 1.0), (0.002, 1.5), (0.006, 1.0), (0.006, 1.5), (0.006, 2.5))
_SHORTEST = 0.05
_MODELS = ("auto", "exponential", "double", "power")


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
        Expected size (standard deviation) of the response, V.

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
    if model not in _MODELS:
        raise ValueError(f"model of remove_decay must be one of {', '.join(_MODELS)}, not {model!r}")
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
    for pulses, rows in pulses_of_trials(inst):
        if not pulses:
            raise ValueError("remove_decay: the trials have no pulse")
        level = _levels(inst, rows, picks, (baseline[0] + min(pulses), baseline[1] + min(pulses)))
        for pulse, following in zip(pulses, (*pulses[1:], np.inf), strict=True):
            span = (pulse + window[1], min(following + window[0], tmax))
            if span[1] - span[0] < _SHORTEST:
                continue  # the second pulse of a close pair comes before a decay can be seen
            fit = _Fit(inst.times, span, pulse, model, response_size)
            for number, pick in enumerate(picks):
                found = fit.subtract(data_of(inst), rows, pick, level[number])
                if found[0] > size[number]:
                    size[number], constant[number] = found
    touched = size > 1e-6
    constants = constant[touched]
    median = f", time constant {1e3 * np.median(constants):.0f} ms (median)" if touched.any() else ""
    text = f"decay above 1 µV in {int(touched.sum())} of {len(picks)} channels, up to {1e6 * size.max():.0f} µV{median}"
    note(inst, text, window=window, size=size, time_constant=constant)
    return inst


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


class _Fit:
    """What the channels have in common: the samples fitted, the dictionary on them, the covariance of responses."""

    def __init__(
        self, times: np.ndarray, span: tuple[float, float], pulse: float, model: str, response_size: float
    ) -> None:
        self.times, self.pulse = times, pulse
        self.bins = _log_bins(times, span, pulse)
        self.after = slice(self.bins[0].start, times.size)
        centres = np.array([times[b].mean() for b in self.bins]) - pulse
        shapes, self.constants = _dictionary()
        self.coarse, self.fine = shapes(centres), shapes(times[self.after] - pulse)
        self.sets = _shape_sets(model, len(self.constants))
        self.response = _response_covariance(centres, response_size)
        self.lag = np.abs(centres[:, None] - centres)

    def subtract(
        self, data: np.ndarray, rows: np.ndarray, pick: int, level: tuple[np.ndarray, np.ndarray]
    ) -> tuple[float, float]:
        """Subtract the decay of one channel in place; its size at the start of the fit (V) and time constant (s)."""
        traces = data[rows, pick] - level[0][:, None]
        binned = self._binned(traces, 0)
        covariance = self.response + level[1].var() * np.exp(-self.lag / 0.02)
        covariance[np.diag_indices_from(covariance)] += binned.var(axis=0).min() / len(rows)
        estimator = _estimator(binned.mean(axis=0), covariance, self.coarse, self.sets)
        amplitudes = _shrunk(binned @ estimator.T, self._without_decay(traces, estimator))
        data[rows, pick, self.after] -= amplitudes @ self.fine
        share = amplitudes.mean(axis=0) * self.fine[:, 0]
        return abs(float(share.sum())), float(self.constants[np.argmax(np.abs(share))])

    def _binned(self, traces: np.ndarray, shift: int) -> np.ndarray:
        return np.stack([traces[:, b.start - shift : b.stop - shift].mean(axis=1) for b in self.bins], axis=1)

    def _without_decay(self, traces: np.ndarray, estimator: np.ndarray) -> np.ndarray | None:
        """Amplitudes that the estimator finds where there is no decay: before the pulse."""
        before = int(np.searchsorted(self.times, self.pulse - 0.02))
        shift = self.bins[-1].stop - before
        if shift > self.bins[0].start:
            return None
        return self._binned(traces, shift) @ estimator.T


def _log_bins(times: np.ndarray, span: tuple[float, float], pulse: float, per_unit: float = 28.0) -> list[slice]:
    """Slices of samples of equal width in log latency: a decay changes fast at first and slowly later."""
    start = int(np.searchsorted(times, span[0] + 1e-9))
    stop = int(np.searchsorted(times, span[1] + 1e-9))
    edges = [start]
    while edges[-1] < stop:
        latency = times[edges[-1]] - pulse
        target = np.searchsorted(times, pulse + latency * np.exp(1 / per_unit))
        edges.append(int(max(target, edges[-1] + 1)))
    edges[-1] = stop
    return [slice(a, b) for a, b in pairwise(edges) if b > a]


def _dictionary() -> tuple[Any, np.ndarray]:
    """Function that evaluates every shape (n_shapes, n_times), and the time (s) each takes to fall to 1/e."""
    constants = [*_TIME_CONSTANTS, *(scale * (np.e ** (1 / power) - 1) for scale, power in _POWERS)]

    def shapes(t: np.ndarray) -> np.ndarray:
        exponentials = np.exp(-t / _TIME_CONSTANTS[:, None])
        powers = np.array([(1 + t / scale) ** -power for scale, power in _POWERS])
        return np.vstack([exponentials, powers])

    return shapes, np.array(constants)


def _shape_sets(model: str, n_shapes: int) -> list[tuple[int, ...]]:
    n_exponentials = len(_TIME_CONSTANTS)
    singles: list[tuple[int, ...]] = [(k,) for k in range(n_exponentials)]
    # two exponentials nearer than a factor of two cannot be told apart from one between them
    doubles: list[tuple[int, ...]] = [
        (j, k) for j, k in combinations(range(n_exponentials), 2) if _TIME_CONSTANTS[k] > 2 * _TIME_CONSTANTS[j]
    ]
    powers: list[tuple[int, ...]] = [(k,) for k in range(n_exponentials, n_shapes)]
    slow = [k for k in range(n_exponentials) if _TIME_CONSTANTS[k] > 0.04]
    mixed: list[tuple[int, ...]] = [(k, j) for (k,) in powers for j in slow]
    return {
        "exponential": singles,
        "double": doubles,
        "power": powers,
        "auto": [(), *singles, *doubles, *powers, *mixed],
    }[model]


def _response_covariance(centres: np.ndarray, response_size: float) -> np.ndarray:
    """Covariance of evoked waves: their width grows with latency, and they have died out by half a second."""
    ratio = np.log(centres[:, None] / centres)
    envelope = 1 / (1 + (centres / 0.35) ** 4)
    covariance = response_size**2 * np.exp(-0.5 * (ratio / 0.2) ** 2) * np.sqrt(np.outer(envelope, envelope))
    covariance[np.diag_indices_from(covariance)] += 1e-4 * response_size**2
    return covariance


def _estimator(
    average: np.ndarray, covariance: np.ndarray, shapes: np.ndarray, sets: list[tuple[int, ...]]
) -> np.ndarray:
    """Matrix (n_shapes, n_bins) that turns a binned trace into the amplitude of each shape."""
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))
    y, basis = whiten @ average, whiten @ shapes.T
    scores: list[float] = []
    solutions: list[tuple[tuple[int, ...], np.ndarray] | None] = []
    for chosen in sets:
        if not chosen:
            scores.append(-0.5 * (y @ y))
            solutions.append(None)
            continue
        columns = basis[:, list(chosen)]
        solve = np.linalg.pinv(columns)
        residual = y - columns @ (solve @ y)
        # each amplitude and each shape chosen from the dictionary costs, as in the Bayesian criterion
        scores.append(-0.5 * (residual @ residual) - len(chosen) * np.log(y.size))
        solutions.append((chosen, solve))
    weights = np.exp(np.array(scores) - max(scores))
    weights /= weights.sum()
    estimator = np.zeros((len(shapes), average.size))
    for weight, solution in zip(weights, solutions, strict=True):
        if solution is not None and weight > 1e-4:
            estimator[list(solution[0])] += weight * (solution[1] @ whiten)
    return estimator


def _shrunk(amplitudes: np.ndarray, without: np.ndarray | None) -> np.ndarray:
    """Amplitudes of the trials, drawn towards their mean by the share of their variance that is noise."""
    mean = amplitudes.mean(axis=0)
    if without is None or len(amplitudes) < 5:
        return np.broadcast_to(mean, amplitudes.shape).copy()
    total, noise = amplitudes.var(axis=0, ddof=1), without.var(axis=0, ddof=1)
    share = np.clip(1 - noise / np.maximum(total, np.finfo(float).tiny), 0, 1)
    return mean + share * (amplitudes - mean)
