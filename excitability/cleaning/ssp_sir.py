"""SSP-SIR: signal-space projection and source-informed reconstruction, against muscle artefacts of the pulse.

Mutanen et al. 2016, doi:10.1016/j.neuroimage.2016.05.028. Topographies of the fast (above 100 Hz) activity after the
pulse are projected out, and what they took from the brain's signal is estimated back from the lead field, most where
the muscle was strongest. Written here on arrays because mne-denoise 0.0.3 takes no lead-field matrix, asks for the
number of components, and centres its kernel differently; parity with TESA is tested.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mne
import numpy as np

from ._instance import data_of, eeg_picks
from ._leadfield import leadfield_of
from ._muscle_topographies import muscle_subspace, oblique_projection, quiet_covariance
from ._passing import unchanged
from ._registry import note, step

_DOI = "10.1016/j.neuroimage.2016.05.028"
_FEWEST = 4  # channels


@step(references=[_DOI])
def ssp_sir(
    inst: Any,
    *,
    leadfield: np.ndarray | mne.Forward | str | None = None,
    n_components: int | float | str = 0.9,
    window: tuple[float, float] | None = None,
    rank: int | None = None,
    high_pass: float = 100.0,
) -> Any:
    """Project the topographies of scalp muscle out of the response and reconstruct what they hid.

    Parameters
    ----------
    inst : mne.Epochs
    leadfield : ndarray (n_channels, n_sources), mne.Forward, str or None
        Rows in the order of the good EEG channels; the file of a forward solution;
        ``"fsaverage"`` for the template head of MNE; None builds a spherical head on the montage.
    n_components : int, float or "auto"
        Topographies removed, or the share of the fast activity they must explain (TESA's rule: squared cumulative
        sum of singular values), or "auto": as many as are muscle (at most six), see the notes. A recording without
        muscle is then left as it is.
    window : tuple of float, optional
        Where the muscle is, s. By default the strength of the fast activity itself, smoothed over 50 ms, says where
        and how much; with "auto", from the end of what was cut out to 50 ms after each pulse.
    rank : int, optional
        Dimensions of the reconstruction; by default the rank of the average less those removed. Not with "auto".
    high_pass : float
        Above this frequency (Hz) activity is taken for muscle. Not with "auto".

    Returns
    -------
    cleaned : mne.Epochs
        A copy in average reference.

    Raises
    ------
    ValueError
        With fewer than four good channels, when the sampling rate is too low to see muscle, or no dimension would be
        left; for "auto" also with fewer than four trials or too short a baseline.

    Notes
    -----
    "auto" wants the raw trials with the pulse cut out, before :func:`remove_decay`: a decay that is fitted over a
    twitch is wrong, and spoils the few topographies that the twitch has. Muscle is what varies from trial to trial, or
    what is fast (after all that falls and slow waves explain), as nothing before the pulse does. Its topographies
    are taken out of the whole trial, and what the brain had along them is estimated from the other channels by the
    covariance of the lead field and of the trials before the pulse.

    References
    ----------
    doi:10.1016/j.neuroimage.2016.05.028

    Examples
    --------
    >>> info = mne.create_info(mne.channels.make_standard_montage("biosemi32").ch_names, 1000.0, "eeg")
    >>> info = info.set_montage("biosemi32")
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((4, 32, 400)) * 1e-6
    >>> x[:, 2, 210:230] += 1e-4 * np.sin(2 * np.pi * 200 * np.arange(20) / 1000 + 0.5)
    >>> epochs = mne.EpochsArray(x, info, tmin=-0.2, verbose=False)
    >>> bool(abs(ssp_sir(epochs, n_components=1).get_data()).max() < 3e-5)
    True
    """
    rate = inst.info["sfreq"]
    if high_pass >= rate / 2:
        raise ValueError(f"ssp_sir: a sampling rate of {rate:g} Hz cannot show muscle above {high_pass:g} Hz")
    picks = eeg_picks(inst)
    if len(picks) < _FEWEST:
        raise ValueError(
            f"ssp_sir needs at least {_FEWEST} good EEG channels, not {len(picks)}: what one shows is told from the "
            'others; use a protocol of your own without the step "ssp_sir"'
        )
    gain = leadfield_of(inst, picks, leadfield)
    if n_components == "auto":
        return _automatic(inst, picks, gain, window)
    if isinstance(n_components, str):
        raise ValueError(f"ssp_sir: n_components must be a number or 'auto', not {n_components!r}")
    average = data_of(inst).mean(axis=0)[picks]
    average = average - average.mean(axis=0)
    topographies, kernel = muscle_topographies(average, inst.times, rate, n_components, window, high_pass)
    n_removed = topographies.shape[1]
    available = int(np.linalg.matrix_rank(average))
    rank = available - n_removed if rank is None else int(rank)
    if not 1 <= rank <= available:
        raise ValueError(f"ssp_sir: {rank} dimensions to rebuild from data of rank {available}")
    projector = np.eye(len(picks)) - topographies @ topographies.T
    suppressed = reconstruction(gain, projector, rank)
    original = reconstruction(gain, np.eye(len(picks)), rank)
    for trial in data_of(inst):
        x = trial[picks] - trial[picks].mean(axis=0)
        trial[picks] = kernel * (suppressed @ x) + (1 - kernel) * (original @ x)
    mne.set_eeg_reference(inst, ref_channels=[], copy=False, verbose="error")  # marks the reference as custom
    through = np.sum((suppressed @ gain) * gain, axis=0) / np.sum(gain**2, axis=0)
    low, middle = np.quantile(through, [0.1, 0.5])
    note(
        inst,
        f"{n_removed} muscle topographies, rebuilt from {rank} dimensions; gain {middle:.2f}, lowest tenth {low:.2f}",
        topographies=topographies,
        kernel=kernel,
        operator=suppressed,
        gain=float(middle),
        passes=partial(_rebuilt, picks=picks, kernel=kernel, operators=(suppressed, original)),
    )
    return inst


def _rebuilt(
    x: np.ndarray, pulses: tuple[float, ...], *, picks: np.ndarray, kernel: np.ndarray, operators: tuple
) -> np.ndarray:
    centred = x[picks] - x[picks].mean(axis=0)
    x[picks] = kernel * (operators[0] @ centred) + (1 - kernel) * (operators[1] @ centred)
    return x


def _automatic(inst: Any, picks: np.ndarray, gain: np.ndarray, window: tuple[float, float] | None) -> Any:
    """As many topographies as there are, out of the whole trial alike: a decay stays a decay for later steps."""
    brain = gain @ gain.T
    brain *= len(brain) / np.trace(brain)
    topographies, (varying, fast) = muscle_subspace(inst, picks, brain, window)
    n_removed = topographies.shape[1]
    if n_removed == 0:
        note(inst, "nothing: no fast activity beyond that before the pulse", gain=1.0, passes=unchanged)
        return inst
    background = quiet_covariance(inst, picks)
    covariance = background + brain * np.trace(background) / len(brain)
    operator = oblique_projection(topographies, covariance)
    for trial in data_of(inst):
        trial[picks] = operator @ (trial[picks] - trial[picks].mean(axis=0))
    mne.set_eeg_reference(inst, ref_channels=[], copy=False, verbose="error")  # marks the reference as custom
    through = np.sum((operator @ gain) * gain, axis=0) / np.sum(gain**2, axis=0)
    low, middle = np.quantile(through, [0.1, 0.5])
    note(
        inst,
        f"{n_removed} muscle topographies ({varying} as they vary, {fast} as they are fast); "
        f"gain {middle:.2f}, lowest tenth {low:.2f}",
        topographies=topographies,
        operator=operator,
        gain=float(middle),
        passes=partial(_projected, picks=picks, operator=operator),
    )
    return inst


def _projected(x: np.ndarray, pulses: tuple[float, ...], *, picks: np.ndarray, operator: np.ndarray) -> np.ndarray:
    x[picks] = operator @ (x[picks] - x[picks].mean(axis=0))
    return x


def _fast(average: np.ndarray, rate: float, high_pass: float) -> np.ndarray:
    from scipy.signal import butter, filtfilt

    b, a = butter(2, high_pass / (rate / 2), btype="high")
    return filtfilt(b, a, average, axis=1, padlen=3 * (len(b) - 1))  # the padding of Octave and MATLAB


def muscle_topographies(
    average: np.ndarray,
    times: np.ndarray,
    rate: float,
    n_components: int | float,
    window: tuple[float, float] | None,
    high_pass: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Topographies (n_channels, n_components) of the fast activity, and how strong it is at each time (0 to 1)."""
    fast = _fast(average, rate, high_pass)
    if window is None:
        # a window of even length has no middle: the sample after it is taken, as TESA's convolution does
        width = round(0.05 * rate)
        power = np.convolve((fast**2).mean(axis=0), np.ones(width) / width)[width // 2 :][: times.size]
        kernel = np.sqrt(power / power.max())
        weighted = kernel * fast
    else:
        kernel = _edges(times, window)
        weighted = fast[:, (times >= window[0]) & (times <= window[1])]
    vectors, values, _ = np.linalg.svd(weighted, full_matrices=False)
    if n_components < 1:
        # the square of the sum, not the sum of squares: TESA's rule, kept so that results agree
        share = np.cumsum(values) ** 2 / np.sum(values) ** 2
        n_components = int(np.searchsorted(share, n_components)) + 1
    return vectors[:, : int(n_components)], kernel


def _edges(times: np.ndarray, window: tuple[float, float], width: float = 0.010) -> np.ndarray:
    """One within the window, zero outside, with sigmoid edges of 10 ms."""
    slope = 4 / width

    def rise(start: float) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip(slope * (times - start), -500, 500)))

    return rise(window[0]) - rise(window[1])


def reconstruction(leadfield: np.ndarray, projector: np.ndarray, rank: int) -> np.ndarray:
    """Operator that projects and then estimates the signal back through sources, truncated to ``rank``."""
    projected = projector @ leadfield
    vectors, values, _ = np.linalg.svd(projected @ projected.T)
    inverse = (vectors[:, :rank] / values[:rank]) @ vectors[:, :rank].T
    return leadfield @ projected.T @ inverse @ projector
