"""From the rising edge to the onset: the lowest level that noise leaves readable, and what is known of edges below it.

The onset is where the response exceeds 1 % of its peak-to-peak amplitude. In a quiet recording that level is read.
In noise the lowest level above it is read, and the rest of the way is inferred from how the edge runs through the
levels just above, by a regression for each lowest level. Its weights were fitted (least absolute error) to
simulated responses of four constructions: half waves with two laws of growth, sums of motor unit potentials, and
volleys through an amplifier, each with several noises, artefacts, rates and durations. All inputs are durations,
so the weights hold for any rate and any duration of the response.
"""

from __future__ import annotations

import numpy as np

from ..kernels.edge import onset_on_edge

#: Fractions of the peak-to-peak amplitude at which the edge is read, falling.
FRACTIONS = np.array([0.4, 0.3, 0.22, 0.16, 0.12, 0.09, 0.066, 0.048, 0.035, 0.026, 0.019, 0.014, 0.01])
_READABLE = 2.5  # standard deviations of the smoothed noise above which a level can be read
_STEEP = 3  # levels above the lowest one, over which the steepness is read
# Weights of the lags from the lowest level, one row for each but the first: to the five levels above, to the peak, and
# of the widening by smoothing.
_WEIGHTS = np.array(
    [
        [-0.272, 0.000, 0.000, 0.000, 0.000, -0.893, -0.659],
        [-0.199, -0.615, 0.000, 0.000, 0.000, -0.326, -0.063],
        [-0.125, -0.069, -0.419, 0.000, 0.000, -0.248, 0.119],
        [-0.100, -0.071, -0.053, -0.398, 0.000, -0.172, 0.489],
        [0.128, 0.082, -0.048, -0.028, -0.312, -0.126, 0.441],
        [-0.074, 0.013, -0.000, 0.011, -0.279, -0.143, 0.620],
        [0.218, 0.258, 0.091, -0.117, -0.353, -0.115, 0.708],
        [0.409, 0.765, 0.259, -0.279, -0.439, -0.102, 0.730],
        [0.378, 0.535, 0.422, 0.015, -0.636, -0.066, 0.633],
        [0.488, 0.516, 0.586, 0.096, -0.734, -0.043, 0.565],
        [0.312, 0.875, 0.591, 0.109, -0.728, -0.041, 0.613],
        [0.088, 1.031, 1.092, 0.148, -1.211, 0.001, 0.707],
    ]
)
# Spread (68 % of absolute errors, root mean square over constructions) over the time the edge takes to the third level
# above.
_SPREAD = np.array([9.620, 1.382, 0.716, 0.750, 0.761, 0.759, 0.643, 0.580, 0.534, 0.456, 0.404, 0.231])
# How far from the lowest readable level the onset may lie, over the widening of the edge by the smoothing: what nearly
# all responses of every construction need. A shoulder of the first phase would carry the regression past flat trace.
# In noise, where only high levels are read, little is known of the way and it is hardly bounded.
_EARLIEST = np.array([-9.0, -9.0, -9.0, -9.0, -9.0, -9.0, -2.99, -1.56, -0.96, -0.42, -0.10, 0.38])
_LATEST = np.array([9.0, 9.0, 9.0, 9.0, 9.0, 9.0, -0.30, -0.03, 0.06, 0.30, 0.64, 0.75])
_LEAST_ERROR = 0.1  # samples
# Standard errors: quantile regressions (95 % of absolute errors over 1.96) on simulated responses of five
# constructions, at 2 to 10 kHz, at rest and in contraction, with four artefacts; raised by hand towards what seven ask.
_ALONE = (1.3, 10.0, 0.8)  # for the steepness, for the rise over the ratio to noise, and samples
_TWO = (0.70, 1.0, 0.46)  # for the spread, the same again where few responses taught, and for the disagreement
_FEW = 12.0


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
        In samples; NaN where the landmarks are NaN. ``error`` is the usual error of an edge that holds the first
        phase, by which it is weighed against another estimate.
    """
    onset, steepness, lowest = _read(edges)
    return onset, _SPREAD[lowest - 1] * steepness + _LEAST_ERROR


def _read(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return onset_on_edge(edges, FRACTIONS, _READABLE, _WEIGHTS, _EARLIEST, _LATEST, _STEEP)


def standard_error_of_edge(edges: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Standard error (samples) of an onset that rests on one edge alone: 1.96 of it hold 95 % of the true onsets.

    The errors have heavy tails, since noise may hide a small first phase: this is not their standard deviation.

    Parameters
    ----------
    edges : array, shape (n_trials, 7 + n_fractions)
        As of :func:`onset_from_edge`.
    ratio : array, shape (n_trials,)
        Peak-to-peak amplitude over the standard deviation of the noise.
    """
    _, steepness, lowest = _read(edges)
    rise = np.maximum(edges[:, 2] - edges[np.arange(len(edges)), 5 + lowest], 0.0)
    return _ALONE[0] * steepness + _ALONE[1] * rise / np.maximum(ratio, 1.0) + _ALONE[2]


def standard_error_of_two(spread: np.ndarray, apart: np.ndarray, n_clear: int) -> np.ndarray:
    """Standard error (samples) of an onset from edge and likeness: 1.96 of it hold 95 % of the true onsets.

    Parameters
    ----------
    spread : array, shape (n_trials,)
        Error of their weighted mean.
    apart : array, shape (n_trials,)
        Distance of the two.
    n_clear : int
        Responses from which the likeness was learnt.
    """
    return (_TWO[0] + _TWO[1] * max(_FEW / n_clear - 1.0, 0.0)) * spread + _TWO[2] * np.abs(apart)
