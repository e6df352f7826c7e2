"""From the rising edge to the onset: a regression over crossing times, by size of the response over the noise.

A response starts softly, so what is visible in noise is late by an amount that depends on its size. The lower a
crossing, the less of the edge has to be guessed but the more noise decides it; the best weights for each size were
fitted (least absolute error) to simulated responses of four constructions: half waves with two laws of growth,
sums of motor unit potentials, and volleys through an amplifier, each with several noises, artefacts, rates and
durations. All inputs are durations, so the weights hold for any rate and any duration of the response.
"""

from __future__ import annotations

import numpy as np

#: Fractions of the height of the first phase at which the edge is read, falling.
FRACTIONS = np.array([0.85, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05, 0.03, 0.02])
_HALF = 2  # the crossing of half the height is the reference of all others
_HIGH, _LOW = 1, 4  # crossings of 70 and 25 %: the steep part
_SIZES = np.log([4, 6, 9, 14, 25, 50, 120, 400])  # height of the first phase over the smoothed noise
# One row a size; one column a crossing (but the reference), then the peak, then the steep part × log relative height.
_WEIGHTS = np.array(
    [
        [-0.120, -0.096, 0.148, 0.082, 0.093, 0.064, 0.082, 0.020, 0.078, -0.125, -0.277, -1.214],
        [-0.149, -0.011, 0.144, 0.234, 0.195, 0.027, -0.018, -0.000, 0.015, -0.022, -0.682, -0.956],
        [-0.199, 0.025, 0.159, 0.374, 0.434, 0.048, 0.092, 0.014, 0.023, -0.067, -0.357, 0.053],
        [-0.298, -0.113, 0.360, 0.347, 0.190, 0.219, -0.002, -0.039, -0.043, 0.008, -0.302, -0.040],
        [-0.269, -0.108, 0.315, 0.470, 0.520, 0.493, 0.185, 0.016, -0.064, -0.025, 0.103, -0.297],
        [0.082, 0.051, 0.049, 0.269, 0.445, 0.444, 0.403, 0.391, 0.053, -0.077, 0.181, -0.393],
        [0.303, 0.236, -0.110, -0.083, 0.042, 0.262, 0.356, 0.508, 0.423, 0.023, 0.045, -0.237],
        [0.094, 0.110, -0.077, -0.087, -0.049, 0.036, 0.149, 0.274, 0.395, 0.489, 0.095, -0.192],
    ]
)
# Spread (1.4826 × median absolute error) over the duration of the edge from 85 to 25 %, by size.
_SPREAD = np.array([2.805, 0.979, 0.501, 0.302, 0.213, 0.162, 0.085, 0.052])


def onset_from_edge(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Onset of each response from its landmarks.

    Parameters
    ----------
    edges : array, shape (n_trials, 6 + n_fractions)
        Columns of ``kernels.edge.rising_edge``, then the standard deviation of the smoothed noise.

    Returns
    -------
    onset, error : array, shape (n_trials,)
        In samples; NaN where the landmarks are NaN. ``error`` is a standard error.
    """
    crossings = edges[:, 5:-1]
    reference = crossings[:, _HALF]
    lags = np.delete(crossings - reference[:, None], _HALF, axis=1)
    height = np.abs(edges[:, 1])
    steep = crossings[:, _HIGH] - crossings[:, _LOW]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.log(2.0 * height / edges[:, 0])
        size = np.clip(np.log(height / edges[:, -1]), _SIZES[0], _SIZES[-1])
    inputs = np.column_stack([lags, edges[:, 2] - reference, steep * relative])
    missing = ~np.isfinite(inputs).all(axis=1) | ~np.isfinite(size)
    size = np.where(missing, _SIZES[0], size)
    row = np.clip(np.searchsorted(_SIZES, size) - 1, 0, len(_SIZES) - 2)
    share = (size - _SIZES[row]) / (_SIZES[row + 1] - _SIZES[row])
    weights = _WEIGHTS[row] * (1 - share)[:, None] + _WEIGHTS[row + 1] * share[:, None]
    onset = reference + np.sum(weights * inputs, axis=1)
    error = np.interp(size, _SIZES, _SPREAD) * (crossings[:, 0] - crossings[:, _LOW])
    onset[missing] = np.nan
    error[missing] = np.nan
    return onset, error
