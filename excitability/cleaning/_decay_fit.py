"""Decays told from the response they lie upon, in all channels at once.

The trial average after the pulse is the sum of

- the decay of each channel: one or two shapes out of a dictionary of exponentials and power laws, of unknown size, or
  none. An electrode decays for itself, whatever its neighbours do;
- the response: a random curve whose waves are narrow or broad, but broaden with latency, as those of evoked potentials
  do. It reaches all electrodes through the head: its topographies are smooth like those of the background;
- scalp muscle: a random oscillation around 80 Hz that dies out within some 20 ms; absent, or large;
- background: as the trials show it before the pulse.

All parts but the choice are Gaussian. What the other channels say about the response in a channel (their own decays and
muscles being unknown) leaves for each choice of shapes and sizes a likelihood in closed form. How often which choice is
right is learned from all channels. The decay subtracted is the mean over the choices, weighted by it: the response is
expected, not taken for an outlier, and a decay that is not there has no weight.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

from ._decay_mixture import mixture

_TIME_CONSTANTS = np.geomspace(0.003, 0.4, 15)
_POWERS = ((0.002, 0.7), (0.002, 1.0), (0.002, 1.5), (0.006, 1.0), (0.006, 1.5), (0.006, 2.5))
_WIDTHS = (0.15, 0.3, 0.5)  # of waves, as shares of their latency
_UNIT = 1e-6  # V: the sums are done in microvolts
MODELS = ("auto", "exponential", "double", "power")


class DecayFit:
    """The samples fitted, the dictionary on them, the covariances; after :meth:`fit`, the weights of each channel.

    Parameters
    ----------
    times : ndarray, shape (n_times,)
        s.
    span : tuple of float
        First and last time of the fit, s.
    pulse : float
        Time of the pulse that the decay belongs to, s.
    model : str
        One of ``MODELS``.
    response_size : float
        V.
    """

    def __init__(
        self, times: np.ndarray, span: tuple[float, float], pulse: float, model: str, response_size: float
    ) -> None:
        bins = _log_bins(times, span, pulse)
        self.start, self.stop = bins[0].start, bins[-1].stop
        self.starts = np.array([b.start for b in bins]) - self.start
        self.widths = np.array([b.stop - b.start for b in bins])
        self.after = slice(self.start, times.size)
        self.shift = self.stop - int(np.searchsorted(times, pulse - 0.02))
        centres = np.array([times[b].mean() for b in bins]) - pulse
        self.coarse, self.constants = _dictionary(centres, centres[0])
        self.fine, _ = _dictionary(times[self.after] - pulse, centres[0])
        self.pairs = _choices(model)
        self.response = (response_size / _UNIT) ** 2 * _response_covariance(centres)
        self.muscle = _leading(_muscle_covariance(centres), 1e-3)
        self.shapes = _leading(self.coarse.T @ self.coarse, 1e-4)
        self.shapes /= np.linalg.norm(self.shapes, axis=1, keepdims=True)
        lag = np.abs(centres[:, None] - centres)
        self.background = np.exp(-lag / 0.02) + 0.02 * np.eye(len(bins))

    def binned(self, x: np.ndarray, *, before: bool = False) -> np.ndarray:
        """Mean of ``x`` (n_channels, n_times) in each bin; ``before`` the pulse, the bins are moved there."""
        shift = self.shift if before else 0
        return np.add.reduceat(x[:, self.start - shift : self.stop - shift], self.starts, axis=1) / self.widths

    def fit(self, average: np.ndarray, noise: np.ndarray, fields: np.ndarray) -> None:
        """Find the weights.

        Parameters
        ----------
        average : ndarray, shape (n_channels, n_bins)
            V.
        noise : ndarray, shape (n_channels, n_channels)
            Covariance of the background in the average, V²; not singular.
        fields : ndarray, shape (n_channels, n_channels)
            Covariance of the response among the channels, about 1 on the diagonal.
        """
        n, y = len(average), average / _UNIT
        self.to_modes, sizes = _modes(fields, noise / _UNIT**2)
        basis = np.vstack([self.shapes, self.muscle])
        inverse = np.linalg.inv(sizes[:, None, None] * self.response + self.background)
        self.projections = basis @ inverse
        gram = self.projections @ basis.T
        joint = np.einsum("ki,li,iqp->kqlp", self.to_modes, self.to_modes, gram, optimize=True)
        prior = np.linalg.inv(self._prior(y))
        channels = np.arange(n)
        joint[channels, :, channels, :] += prior
        q = len(basis)
        self.joint = np.linalg.inv(joint.reshape(n * q, n * q))
        means = self._means(y)
        own = np.linalg.inv(self.joint.reshape(n, q, n, q)[channels, :, channels, :])
        towards = self.coarse @ self.shapes.T
        self.weights = mixture(own - prior, own, means, towards, self.pairs)
        self.sizes = self.amplitudes(average)
        self.course = self.sizes @ self.fine

    def amplitudes(self, binned: np.ndarray) -> np.ndarray:
        """Size of each shape (n_channels, n_shapes), V, in binned traces (n_channels, n_bins)."""
        return np.einsum("ksq,kq->ks", self.weights, self._means(binned))

    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """Size at the start of the fit (V) and time constant of the shape that is largest there (s), by channel."""
        return np.abs(self.sizes.sum(axis=1)), self.constants[np.abs(self.sizes).argmax(axis=1)]

    def taken(self, x: np.ndarray) -> np.ndarray:
        """What was taken from the channels, had their average been ``x`` (n_channels, n_times), with these weights."""
        return self.amplitudes(self.binned(x)) @ self.fine

    def _means(self, binned: np.ndarray) -> np.ndarray:
        modes = self.to_modes.T @ binned
        projected = self.to_modes @ np.einsum("iqb,ib->iq", self.projections, modes)
        return (self.joint @ projected.ravel()).reshape(projected.shape)

    def _prior(self, average: np.ndarray) -> np.ndarray:
        """Covariance of decay and muscle (n_channels, n_basis, n_basis), as large as what is seen first.

        What is far larger than any response is decay, whichever its shape: there the prior gives way.
        """
        r, m = len(self.shapes), len(self.muscle)
        size = np.maximum(np.abs(average[:, :5]).max(axis=1), 2.0)[:, None, None]
        towards = self.coarse[:-1] @ self.shapes.T
        prior = np.zeros((len(average), r + m, r + m))
        free = np.minimum(1 + (size / 7) ** 3, 300)
        prior[:, :r, :r] = 0.3 * free * size**2 * (towards.T @ towards) / len(towards)
        prior[:, r:, r:] = 0.25 * size**2 * np.eye(m)
        return prior + 0.05**2 * np.eye(r + m)


def _modes(spatial: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Topographies (n_channels, n_modes) that decorrelate response and background, and the response in each."""
    values, vectors = np.linalg.eigh(noise)
    white = vectors / np.sqrt(values)
    sizes, turn = np.linalg.eigh(white.T @ spatial @ white)
    return white @ turn, sizes


def _leading(covariance: np.ndarray, least: float) -> np.ndarray:
    """Rows (n, n_bins) whose squares add up to a covariance, but for what is below a share of the largest."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > least * values[-1]
    return (vectors[:, kept] * np.sqrt(values[kept])).T


def _log_bins(times: np.ndarray, span: tuple[float, float], pulse: float, per_unit: float = 22.0) -> list[slice]:
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


def _dictionary(t: np.ndarray, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Every shape (n_shapes, n_times), 1 at ``start``, the last empty; and the time (s) each takes to fall to 1/e."""
    exponentials = np.exp(-(t - start) / _TIME_CONSTANTS[:, None])
    powers = [((scale + t) / (scale + start)) ** -power for scale, power in _POWERS]
    constants = [*_TIME_CONSTANTS, *((scale + start) * (np.e ** (1 / power) - 1) for scale, power in _POWERS), np.nan]
    return np.vstack([exponentials, powers, np.zeros_like(t)]), np.array(constants)


def _choices(model: str) -> np.ndarray:
    """Pairs of shapes (n_choices, 2); the empty shape stands where there is only one, or none."""
    n_exponentials = len(_TIME_CONSTANTS)
    powers = range(n_exponentials, n_exponentials + len(_POWERS))
    empty = n_exponentials + len(_POWERS)
    singles = [(k, empty) for k in range(n_exponentials)]
    # two exponentials nearer than a factor of two cannot be told apart from one between them
    doubles = [(j, k) for j, k in combinations(range(n_exponentials), 2) if _TIME_CONSTANTS[k] > 2 * _TIME_CONSTANTS[j]]
    laws = [(k, empty) for k in powers]
    mixed = [(k, j) for k in powers for j in range(n_exponentials) if _TIME_CONSTANTS[j] > 0.04]
    sets = {
        "exponential": singles,
        "double": doubles,
        "power": laws,
        "auto": [(empty, empty), *singles, *doubles, *laws, *mixed],
    }
    return np.array(sets[model])


def _response_covariance(centres: np.ndarray) -> np.ndarray:
    """Evoked waves: their width grows with latency, their size too at first, and they have died out by half a second.

    Of unit size around 0.1 s.
    """
    ratio = np.log(centres[:, None] / centres)
    envelope = centres / (centres + 0.01) / np.sqrt(1 + (centres / 0.35) ** 4)
    waves = np.mean([np.exp(-0.5 * (ratio / width) ** 2) for width in _WIDTHS], axis=0)
    covariance = waves * np.outer(envelope, envelope)
    covariance[np.diag_indices_from(covariance)] += 1e-4
    return np.asarray(covariance)


def _muscle_covariance(centres: np.ndarray) -> np.ndarray:
    """Muscle of unit size at the start: a band around 80 Hz, 40 Hz wide either way, that falls to 1/e in 6 ms."""
    lag = centres[:, None] - centres
    fall = np.exp(-(centres - centres[0]) / 0.006)
    covariance = np.outer(fall, fall) * np.exp(-0.5 * (lag / 0.004) ** 2) * np.cos(2 * np.pi * 80 * lag)
    covariance[np.diag_indices_from(covariance)] += 1e-4 * fall**2
    return np.asarray(covariance)
