"""Change of power after the pulse within a band: evoked, induced, or both."""

from __future__ import annotations

import numpy as np

from ..schema import unknown_word
from ._evoked import window_mask
from ._registry import measure
from ._wavelets import check_frequencies, slower, wavelet_power

_PARTS = ("total", "evoked", "induced")


@measure(kind="epochs", unit="dB", references=["10.1523/JNEUROSCI.0445-09.2009"])
def band_power_change(
    x: np.ndarray,
    times: np.ndarray,
    *,
    band: tuple[float, float] = (13.0, 30.0),
    window: tuple[float, float] = (0.020, 0.200),
    baseline: tuple[float, float] = (-0.4, -0.1),
    part: str = "total",
    cycles: tuple[float, float] = (3.0, 10.0),
) -> np.ndarray:
    """Power in a band and window relative to that before the pulse, of each channel.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Trials, V.
    times : ndarray, shape (n_times,)
        s from the pulse.
    band : tuple of float
        Hz, both ends included, in steps of 1 Hz.
    window, baseline : tuple of float
        s.
    part : {"total", "evoked", "induced"}
        ``total`` is the mean power of the trials. It is the sum of ``evoked``, the power of what is locked to the
        pulse, and ``induced``, the power of the rest; chance phases are taken out of the first and left in the second,
        so that neither depends on the number of trials.
    cycles : tuple of float
        Cycles of the wavelet at the lowest and at the highest frequency, linear between.

    Returns
    -------
    ndarray, shape (n_channels,)
        dB above the total power before the pulse (``evoked``: what the locked response alone adds to it) or above the
        induced power before it; 0 is no change. Where the response differs from trial to trial in size or latency, what
        differs counts as induced. NaN where a sample is missing, and for fewer than two trials.

    Raises
    ------
    ValueError
        For an unknown part, a window outside the epoch, or a band that the sampling rate cannot hold.

    References
    ----------
    doi:10.1523/JNEUROSCI.0445-09.2009

    Examples
    --------
    >>> times = np.arange(-500, 500) / 500.0
    >>> rng = np.random.default_rng(0)
    >>> after = np.where(times > 0, np.exp(-((times - 0.1) ** 2) / 0.01), 0)
    >>> phase = rng.uniform(0, 6.28, (50, 1, 1))  # another in each trial: induced, not evoked
    >>> x = rng.standard_normal((50, 1, 1000)) + 4 * after * np.sin(2 * np.pi * 20 * times + phase)
    >>> induced, evoked = (band_power_change(x, times, part=part)[0] for part in ("induced", "evoked"))
    >>> bool(induced > 6), bool(abs(evoked) < 1)
    (True, True)
    """
    if part not in _PARTS:
        raise ValueError(unknown_word("part of band_power_change", part, _PARTS))
    rate = (times.size - 1) / (times[-1] - times[0])
    frequencies = check_frequencies(tuple(np.arange(band[0], band[1] + 1e-9)), rate, "band_power_change")
    for span in (window, baseline):
        window_mask(times, span, "band_power_change")
    x, times = slower(x, times, float(frequencies.max()))
    rate = (times.size - 1) / (times[-1] - times[0])
    after = window_mask(times, window, "band_power_change")
    before = window_mask(times, baseline, "band_power_change")
    change, n = np.full(x.shape[1], np.nan), len(x)
    if n < 2:
        return change
    for channel in range(x.shape[1]):
        total = wavelet_power(x[:, channel], rate, frequencies, cycles)
        average = wavelet_power(x[:, channel].mean(axis=0, keepdims=True), rate, frequencies, cycles)
        evoked = (n * average - total) / (n - 1)
        power = total - evoked if part == "induced" else total
        level = power[:, before].mean(axis=1)
        if np.all(level > 0):
            rise = level[:, None] + evoked if part == "evoked" else power
            ratio = np.mean(rise[:, after].mean(axis=1) / level)
            change[channel] = 10 * np.log10(ratio) if ratio > 0 else np.nan
    return change
