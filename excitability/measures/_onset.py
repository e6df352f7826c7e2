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
# One row a size; one column a crossing (but the reference), then the peak, then the steep part × log
# relative height, then the widening.
_WEIGHTS = np.array(
    [
        [-0.133, -0.014, 0.201, 0.277, 0.212, 0.139, -0.038, -0.071, -0.038, -0.079, -0.530, -0.921, -0.334],
        [-0.027, -0.060, 0.292, 0.503, 0.208, 0.003, -0.086, 0.005, -0.054, 0.057, -0.571, -0.506, -0.151],
        [-0.289, -0.112, 0.162, 0.490, 0.259, -0.080, 0.074, -0.041, 0.057, -0.030, -0.410, -0.119, 0.164],
        [-0.316, -0.189, 0.150, 0.410, 0.557, 0.380, 0.007, -0.078, -0.026, 0.009, -0.166, -0.251, 0.455],
        [-0.144, -0.129, 0.271, 0.386, 0.545, 0.560, 0.290, -0.007, -0.050, -0.020, 0.054, -0.349, 0.486],
        [0.241, 0.109, -0.060, 0.068, 0.382, 0.515, 0.522, 0.470, -0.012, -0.057, 0.047, -0.333, 0.584],
        [0.438, 0.336, -0.200, -0.179, 0.014, 0.292, 0.464, 0.582, 0.387, 0.012, -0.064, -0.251, 0.563],
        [0.208, 0.193, -0.139, -0.153, -0.095, 0.064, 0.187, 0.322, 0.387, 0.497, -0.025, -0.190, 0.623],
    ]
)
# Spread (68 % of absolute errors, root mean square over constructions) over the duration of the edge from 85 to 25 %,
# by size.
_SPREAD = np.array([2.116, 1.053, 0.554, 0.401, 0.269, 0.170, 0.085, 0.044])


def onset_from_edge(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Onset of each response from its landmarks.

    Parameters
    ----------
    edges : array, shape (n_trials, 7 + n_fractions)
        Columns of ``kernels.edge.rising_edge``, then the standard deviation of the smoothed noise and
        the widening of the edge by the smoothing, in samples.

    Returns
    -------
    onset, error : array, shape (n_trials,)
        In samples; NaN where the landmarks are NaN. ``error`` is a standard error.
    """
    crossings = edges[:, 5:-2]
    reference = crossings[:, _HALF]
    lags = np.delete(crossings - reference[:, None], _HALF, axis=1)
    height = np.abs(edges[:, 1])
    steep = crossings[:, _HIGH] - crossings[:, _LOW]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.log(2.0 * height / edges[:, 0])
        size = np.clip(np.log(height / edges[:, -2]), _SIZES[0], _SIZES[-1])
    inputs = np.column_stack([lags, edges[:, 2] - reference, steep * relative, edges[:, -1]])
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
