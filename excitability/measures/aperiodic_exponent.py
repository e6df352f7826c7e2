"""The aperiodic exponent: how steeply the power spectrum falls.

Donoghue et al. 2020, doi:10.1038/s41593-020-00744-x.
"""

from __future__ import annotations

import numpy as np

from ._registry import measure
from ._spectrum import Band, power_spectrum


@measure(kind="epochs", unit="1", references=["10.1038/s41593-020-00744-x", "10.1016/j.neuroimage.2017.06.078"])
def aperiodic_exponent(
    x: np.ndarray,
    times: np.ndarray,
    *,
    band: Band = (2.0, 40.0),
    max_peaks: int = 6,
    least_r_squared: float = 0.9,
) -> np.ndarray:
    """Exponent of the aperiodic part of the spectrum of each channel, rhythms modelled apart (specparam).

    A steeper spectrum has been read as more inhibition. Caution: in chronic pain it does not differ from controls
    (Gil Ávila 2024), and models show that it need not follow the ratio of excitation to inhibition (Chakravarty 2025);
    scalp muscle flattens it above 30 Hz.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_times)
        Segments, V, of 1 s or more.
    times : ndarray, shape (n_times,)
        s.
    band : tuple of float
        Range of the fit, Hz.
    max_peaks : int
        Rhythms modelled at most; what rises less than 1.4 times above the background is none.
    least_r_squared : float
        Below this the fit is not believed.

    Returns
    -------
    ndarray, shape (n_channels,)
        Positive for a falling spectrum; NaN where the fit is poor.

    Raises
    ------
    ValueError
        When specparam is not installed or the segments are too short.

    References
    ----------
    doi:10.1038/s41593-020-00744-x, doi:10.1016/j.neuroimage.2017.06.078

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> spectrum = np.fft.rfft(rng.standard_normal((60, 1, 1000)), axis=-1)
    >>> spectrum[..., 1:] /= np.arange(1, 501) ** 0.75  # power falls as 1 / f ** 1.5
    >>> x = 1e-5 * np.fft.irfft(spectrum, axis=-1)
    >>> bool(abs(aperiodic_exponent(x, np.arange(1000) / 500.0)[0] - 1.5) < 0.15)
    True
    """
    try:
        from specparam import SpectralModel
    except ImportError as error:
        raise ValueError("aperiodic_exponent needs specparam; type: pip install excitability[eeg]") from error
    frequencies, density = power_spectrum(x, times, "aperiodic_exponent")
    values = np.full(len(density), np.nan)
    width = max(2 * (frequencies[1] - frequencies[0]), 1.0)
    for channel, power in enumerate(density):
        if not np.all(np.isfinite(power)) or np.any(power[1:] <= 0):
            continue
        model = SpectralModel(
            peak_width_limits=(width, 12.0), max_n_peaks=max_peaks, min_peak_height=0.15, verbose=False
        )
        # in µV² numbers are of the order that specparam's tolerances were chosen for
        model.fit(frequencies, 1e12 * power, list(band))
        if model.results.has_model and model.get_metrics("gof") >= least_r_squared:
            values[channel] = model.get_params("aperiodic", "exponent")
    return values
