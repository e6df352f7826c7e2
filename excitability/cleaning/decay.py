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

_SHORTEST = 0.05  # s
_FEWEST = 4  # channels that can tell anything about a response in one another
_SAMPLES = 250  # of each trial's baseline tell enough of the background
_TRIALS_OF_A_DRIFT = 5
_RIDGE, _FLOOR = 0.05, 1e-8  # of the background, as a share of its variance and in V
_ORDER = 1.5  # of splines on the sphere (Perrin et al. 1989), whose fields are about as smooth as those of dipoles
_NEIGHBOURHOOD = 0.5  # rad, as wide as a coil seen from the centre of the head
_OWN, _REFERENCE = 0.03, 4.0  # response that the head does not explain, and that of the reference, as shares of power


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
        Usual size (standard deviation over electrodes) of a response where it is largest, around 0.1 s, V. It is
        learned from the recording; what is larger than usual is asked first whether it is slow decay.

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

    Channels are fitted together: a response reaches all of them through the head, a decay each for itself, as large as
    its neighbours'. Electrode positions help, and may be missing; bad, flat and extremely noisy channels are fitted
    each for itself.

    A drift of the average that is seen before the pulse is no decay, and stays.

    A response is expected as the average of a motor cortex is: small before 30 ms, its waves as wide as 12 to 35 % of
    their latency. In simulations with 64 channels and 30 trials such responses kept 0.87 to 0.98 of their size where
    there was no decay, and 0.80 to 0.95 above decays of 5 to 60 µV at 10 ms; waves up to 60 % of their latency wide
    and as large at 30 ms as later, which resemble decays more, kept 0.70 to 0.87. The first waves lose most: before
    30 ms a response larger than the late ones keeps half. A decay that is alike in all electrodes is told from a
    response by its course alone.

    References
    ----------
    doi:10.1016/j.neuroimage.2014.07.037, doi:10.1371/journal.pcbi.1006177

    Examples
    --------
    >>> times = np.arange(-500, 500) / 1000.0
    >>> noise = np.random.default_rng(0).standard_normal((20, 8, 1000)) * 1e-6
    >>> sizes = np.linspace(-8e-5, 8e-5, 8)[:, None]
    >>> x = noise + sizes * np.where(times >= 0, np.exp(-times / 0.02), 0)
    >>> epochs = mne.EpochsArray(x, mne.create_info(8, 1000.0, "eeg"), tmin=-0.5, verbose=False)
    >>> left = remove_decay(epochs).get_data(tmin=0.015).mean(axis=0)
    >>> float(abs(left).max()) < 3e-6  # of 38 µV; less than this may be a response
    True
    """
    if model not in MODELS:
        raise ValueError(f"model of remove_decay must be one of {', '.join(MODELS)}, not {model!r}")
    if window is None:
        window = recorded(inst, "remove_pulse", "window", (-0.002, 0.010))
    window = check_window(window, "window of remove_decay")
    if not 1e-7 < response_size < 1e-3:
        raise ValueError(f"remove_decay: response_size is in volts, such as 4e-6, not {response_size:g}")
    if min(tmax, float(inst.times[-1])) < 0.1:
        ends = f"the trials end at {inst.times[-1]:g} s" if inst.times[-1] < tmax else f"tmax is {tmax:g} s"
        raise ValueError(f"remove_decay: {ends}; 0.1 s or more is needed to see a decay")
    tmax = min(tmax, float(inst.times[-1]))
    picks = eeg_picks(inst, bads=True)
    picks = picks[[bool(np.isfinite(data_of(inst)[:, pick]).all()) for pick in picks]]  # bad ones may hold anything
    good = np.isin(picks, eeg_picks(inst))
    size, constant = np.zeros(len(picks)), np.full(len(picks), np.nan)
    fits: dict[tuple[float, ...], list[DecayFit]] = {}
    quiets: dict[tuple[float, ...], np.ndarray] = {}
    for pulses, rows in pulses_of_trials(inst):
        if not pulses:
            raise ValueError("remove_decay: the trials have no pulse")
        quiet = quiets[tuple(pulses)] = _quiet(inst.times, (baseline[0] + min(pulses), baseline[1] + min(pulses)))
        for pulse, following in zip(pulses, (*pulses[1:], np.inf), strict=True):
            span = (pulse + window[1], min(following + window[0], tmax))
            if span[1] - span[0] < _SHORTEST:
                continue  # the second pulse of a close pair comes before a decay can be seen
            fit = DecayFit(inst.times, span, pulse, model, response_size)
            fits.setdefault(tuple(pulses), []).append(fit)
            _subtract(inst, rows, picks, good, quiet, fit)
            found, constants = fit.seen()
            constant = np.where(found > size, constants, constant)
            size = np.maximum(size, found)
    touched = size > 1e-6
    constants = constant[touched]
    median = f", time constant {1e3 * np.median(constants):.0f} ms (median)" if touched.any() else ""
    text = f"decay above 1 µV in {int(touched.sum())} of {len(picks)} channels, up to {1e6 * size.max():.0f} µV{median}"
    passes = partial(_without_decay, picks=picks, fits=fits, quiet=quiets, times=inst.times)
    course = _largest_course(fits, picks, inst.times.size)
    note(inst, text, window=window, size=size, time_constant=constant, course=course, passes=passes)
    return inst


def _subtract(
    inst: Any, rows: np.ndarray, picks: np.ndarray, good: np.ndarray, quiet: np.ndarray, fit: DecayFit
) -> None:
    """Fit the average of the trials ``rows``, and subtract from each what it has of it."""
    data = data_of(inst)
    binned, before = [], []
    noise = np.zeros((len(picks), len(picks)))
    slope = _slope_weights(inst.times, quiet)
    slopes = np.array([data[row][picks] @ slope for row in rows])
    fit.drift = _certain(slopes)
    drift = np.outer(fit.drift * slopes.mean(axis=0), inst.times - inst.times[quiet].mean())
    for row in rows:
        trial = data[row][picks] - drift
        trial -= trial[:, quiet].mean(axis=1, keepdims=True)
        rest = trial[:, quiet][:, :: -(-quiet.sum() // _SAMPLES)]
        noise += rest @ rest.T / (rest.shape[1] * len(rows) ** 2)
        binned.append(fit.binned(trial))
        if fit.shift <= fit.start:
            before.append(fit.binned(trial, before=True))
    together = good & _usable(np.diag(noise))
    positions = _on_sphere(np.array([inst.info["chs"][pick]["loc"][:3] for pick in picks[together]]))
    noise, fields = _covariances(together, noise, positions)
    fit.fit(np.mean(binned, axis=0), noise, fields, _nearness(together, positions))
    amplitudes = _shrunk(np.array([fit.amplitudes(x) for x in binned]), np.array([fit.amplitudes(x) for x in before]))
    for row, sizes in zip(rows, amplitudes, strict=True):
        data[row, picks, fit.after] -= sizes @ fit.fine


def _slope_weights(times: np.ndarray, quiet: np.ndarray) -> np.ndarray:
    """Weights (n_times,) that give the slope of a trace (V/s) from its beginning to the end of the baseline."""
    last = int(np.flatnonzero(quiet)[-1]) + 1
    weights = np.zeros(times.size)
    weights[:last] = times[:last] - times[:last].mean()
    return np.asarray(weights / max(np.sum(weights**2), np.finfo(float).tiny))


def _certain(slopes: np.ndarray) -> np.ndarray:
    """Share (n_channels,) of the mean slope of trials that is drift: it goes on after the pulse, and is no decay."""
    if len(slopes) < _TRIALS_OF_A_DRIFT:
        return np.zeros(slopes.shape[1])
    mean, error = slopes.mean(axis=0), slopes.std(axis=0, ddof=1) / np.sqrt(len(slopes))
    return np.asarray(1 - np.minimum(1, 2 * error / np.maximum(np.abs(mean), np.finfo(float).tiny)) ** 2)


def _usable(power: np.ndarray) -> np.ndarray:
    """Channels that are neither flat nor out of all proportion: the others are fitted each for itself."""
    usual = np.median(power)
    return (power > 1e-4 * usual) & (power < 1e4 * usual)


def _covariances(
    together: np.ndarray, noise: np.ndarray, positions: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Covariances among channels of the background (V²), and of responses: 1 on average on the diagonal.

    Both come through the same head, so the background tells topographies of responses. That it has many others of its
    own is made up for by half of splines on the sphere, where positions are known.
    """
    n = len(together)
    apart = ~np.outer(together, together)
    np.fill_diagonal(apart, False)
    noise = np.where(apart, 0.0, noise) + np.diag(_RIDGE * np.diag(noise) + _FLOOR**2)
    fields = np.eye(n)
    here = np.flatnonzero(together)
    if len(here) >= _FEWEST:
        centring = np.eye(len(here)) - 1 / len(here)
        shared = centring @ noise[np.ix_(here, here)] @ centring
        shared /= np.trace(shared) / len(here)
        smooth = None if positions is None else _spline_covariance(positions)
        fields[np.ix_(here, here)] = _REFERENCE / n + (shared if smooth is None else (shared + smooth) / 2)
    fields[np.diag_indices(n)] += _OWN
    return noise, fields


def _on_sphere(positions: np.ndarray) -> np.ndarray | None:
    """Directions of the electrodes (n_channels, 3) from the centre of a sphere through them; None if unknown."""
    if len(positions) < _FEWEST or not np.all(np.isfinite(positions)) or np.any(np.all(positions == 0, axis=1)):
        return None
    design = np.column_stack([2 * positions, np.ones(len(positions))])
    centre = np.linalg.lstsq(design, np.sum(positions**2, axis=1), rcond=None)[0][:3]
    away = positions - centre
    return np.asarray(away / np.linalg.norm(away, axis=1, keepdims=True))


def _nearness(together: np.ndarray, positions: np.ndarray | None) -> np.ndarray:
    """How much the size of a decay at an electrode (row) is told by the others; 1 for all where places are unknown."""
    near = np.eye(len(together))
    here = np.flatnonzero(together)
    if len(here) >= _FEWEST:
        angles = np.zeros(2 * here.shape) if positions is None else np.arccos(np.clip(positions @ positions.T, -1, 1))
        near[np.ix_(here, here)] = np.exp(-0.5 * (angles / _NEIGHBOURHOOD) ** 2)
    return near


def _spline_covariance(positions: np.ndarray) -> np.ndarray:
    """Average-referenced random fields on the unit sphere, about as smooth as those of dipoles in the cortex."""
    degree = np.arange(1, 51)
    weights = np.concatenate([[0.0], (2 * degree + 1) / (degree * (degree + 1.0)) ** _ORDER])
    covariance = np.polynomial.legendre.legval(np.clip(positions @ positions.T, -1, 1), weights)
    covariance = covariance - covariance.mean(axis=0)
    covariance -= covariance.mean(axis=1, keepdims=True)
    return np.asarray(covariance / (np.trace(covariance) / len(positions)))


def _largest_course(fits: dict[tuple[float, ...], list[DecayFit]], picks: np.ndarray, n_times: int) -> np.ndarray:
    """Size of what was taken from the average at each time (n_picks, n_times): of several kinds of trials the most."""
    course = np.zeros((len(picks), n_times))
    for fit in (fit for group in fits.values() for fit in group):
        course[:, fit.after] = np.maximum(course[:, fit.after], np.abs(fit.course))
    return course


def _without_decay(
    x: np.ndarray,
    pulses: tuple[float, ...],
    *,
    picks: np.ndarray,
    fits: dict[tuple[float, ...], list[DecayFit]],
    quiet: dict[tuple[float, ...], np.ndarray],
    times: np.ndarray,
) -> np.ndarray:
    if pulses in fits:
        since = times - times[quiet[pulses]].mean()
        level = x[picks][:, quiet[pulses]].mean(axis=1, keepdims=True)
        slopes = x[picks] @ _slope_weights(times, quiet[pulses])
        for fit in fits[pulses]:
            drift = np.outer(fit.drift * slopes, since)
            drift -= drift[:, quiet[pulses]].mean(axis=1, keepdims=True)
            x[picks, fit.after] -= fit.taken(x[picks] - level - drift)
    return x


def _quiet(times: np.ndarray, baseline: tuple[float, float]) -> np.ndarray:
    quiet = between(times, *baseline)
    if not quiet.any():
        raise ValueError(
            f"remove_decay: no sample lies in the baseline {baseline[0]:g} to {baseline[1]:g} s; "
            f"the trials begin at {times[0]:g} s"
        )
    return quiet


def _shrunk(amplitudes: np.ndarray, without: np.ndarray) -> np.ndarray:
    """Sizes in single trials, drawn towards their mean by the share of their variance that is noise."""
    mean = amplitudes.mean(axis=0)
    if not len(without) or len(amplitudes) < 5:
        return np.broadcast_to(mean, amplitudes.shape)
    total, noise = amplitudes.var(axis=0, ddof=1), without.var(axis=0, ddof=1)
    share = np.clip(1 - noise / np.maximum(total, np.finfo(float).tiny), 0, 1)
    return np.asarray(mean + share * (amplitudes - mean))
