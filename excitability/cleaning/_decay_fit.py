"""Decays told from the response they lie upon, in all channels at once.

The trial average after the pulse is the sum of

- the decay of each channel: one or two shapes out of a dictionary of exponentials and power laws, or none. Its sign and
  shape are those of the electrode alone; how large decays are is alike among neighbours, which lie as near to the coil;
- the response: a random curve as large and as smooth at every latency as the averaged response of a motor cortex
  (:func:`_response_covariance`). It reaches all electrodes through the head: its topographies are smooth like those of
  the background;
- scalp muscle: a random oscillation around 80 Hz that dies out within some 20 ms; as large as neighbours show it;
- background: as the trials show it before the pulse.

All parts but the choice of shapes are Gaussian. Sizes are learned first, a decay being a random sum of all shapes: of
decay and muscle around every electrode, and of the response, from what comes after most decays. What the other channels
then say about the response in a channel leaves for each choice of shapes a likelihood in closed form. The decay
subtracted is the mean over the choices, weighted by it: the response is expected, not taken for an outlier, and a decay
that is not there has no weight. What is then known of each decay takes the place of the first guess, and the choice is
made again.
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np

from ._decay_mixture import mixture

_TIME_CONSTANTS = np.geomspace(0.003, 1.6, 19)
_POWERS = ((0.002, 0.7), (0.002, 1.0), (0.002, 1.5), (0.006, 1.0), (0.006, 1.5), (0.006, 2.5))
_UNIT = 1e-6  # V: the sums are done in microvolts
_N_SHAPES, _LEAST_MUSCLE = (
    9,
    1e-2,
)  # directions of the dictionary, and least share of one of muscle, that are told apart
_SLOW, _WEIGHT_OF_SLOW = 0.4, 0.1  # s; a decay as long as the trial is rarer
_ROUNDS = 3  # of learning sizes; more change little
_PASSES, _DOUBT = 2, 0.02  # of learning shapes; what is left of the first guess
_LATE = (0.045, 0.3)  # s; most decays are over, and the response shows how large it is
_LARGER = 1.1  # allowed to a response beyond what is seen late
_LEAST_POWER = 0.25  # µV², of a late response
_PRIOR_OF_SIZES = 0.1  # µV², and observations
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
        self.response, self.usual = _response_covariance(centres), response_size / _UNIT
        self.late = (centres > _LATE[0]) & (centres < _LATE[1])
        self.shapes, self.towards = _directions(self.coarse)
        self.basis = np.vstack([self.shapes, _leading(_muscle_covariance(centres), _LEAST_MUSCLE)])
        lag = np.abs(centres[:, None] - centres)
        self.background = np.exp(-lag / 0.02) + 0.02 * np.eye(len(bins))
        self.drift = np.zeros(0)  # of each channel, the share of its slope before the pulse that goes on

    def binned(self, x: np.ndarray, *, before: bool = False) -> np.ndarray:
        """Mean of ``x`` (n_channels, n_times) in each bin; ``before`` the pulse, the bins are moved there."""
        shift = self.shift if before else 0
        return np.add.reduceat(x[:, self.start - shift : self.stop - shift], self.starts, axis=1) / self.widths

    def fit(self, average: np.ndarray, noise: np.ndarray, fields: np.ndarray, near: np.ndarray) -> None:
        """Find the weights.

        Parameters
        ----------
        average : ndarray, shape (n_channels, n_bins)
            V.
        noise : ndarray, shape (n_channels, n_channels)
            Covariance of the background in the average, V²; not singular.
        fields : ndarray, shape (n_channels, n_channels)
            Covariance of the response among the channels, about 1 on the diagonal.
        near : ndarray, shape (n_channels, n_channels)
            How much each other channel tells of the size of the decay in a channel (row); 1 on the diagonal.
        """
        y, power = average / _UNIT, noise / _UNIT**2
        self.to_modes, self.in_modes = _modes(fields, power)
        sizes, response, least = self._learned(y, np.diag(power), near)
        prior = _diagonal(np.repeat(sizes**2, self._parts(), axis=1))
        r = len(self.shapes)
        for turn in range(_PASSES + 1):
            own = self._solve(prior, response)
            information = np.linalg.inv(own)
            precision = information - np.linalg.inv(prior)
            self.weights, moments = mixture(
                precision, information, self._means(y), self.towards, self.pairs, sizes[:, 0]
            )
            if turn < _PASSES:  # of few shapes each, decays tell the response in other channels better
                prior[:, :r, :r] = (1 - _DOUBT) * moments + _DOUBT * prior[:, :r, :r]
                left = y - np.einsum("ksq,kq->ks", self.weights, self._means(y)) @ self.coarse
                response = max(self._response_size(left, np.diag(power), near.sum(axis=1) > 1), least)
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

    def _learned(self, y: np.ndarray, noise: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Sizes of decay and muscle (n_channels, 2), of the response, and its least, from all channels together."""
        r = len(self.shapes)
        together = near.sum(axis=1) > 1
        sizes = np.ones((len(y), 2))
        sizes[:, 0] = np.maximum(np.abs(y[:, :5]).max(axis=1), 1.0)
        # what is larger than usual may be slow decay
        least = response = min(self._response_size(y, noise, together), _LARGER * self.usual)
        for _ in range(_ROUNDS):
            spread = np.repeat(sizes, self._parts(), axis=1)
            own = self._solve(_diagonal(spread**2), response)
            means = self._means(y)
            uncertain = np.diagonal(own, axis1=1, axis2=2) / spread**2
            for k, part in enumerate((slice(r), slice(r, None))):
                told = np.sum(1 - uncertain[:, part], axis=1)
                seen = np.sum(means[:, part] ** 2, axis=1)
                sizes[:, k] = np.sqrt((near @ seen + _PRIOR_OF_SIZES) / (near @ told + _PRIOR_OF_SIZES))
            unknown = np.einsum("qb,kqp,pb->kb", self.shapes, own[:, :r, :r], self.shapes, optimize=True)
            left = self._response_size(y - means[:, :r] @ self.shapes, noise[:, None] - unknown, together)
            response = max(left, least)
        return sizes, response, least

    def _parts(self) -> tuple[int, int]:
        return len(self.shapes), len(self.basis) - len(self.shapes)

    def _response_size(self, y: np.ndarray, noise: np.ndarray, together: np.ndarray) -> float:
        """Size of the response (µV) that the late part shows; the usual one where there is no late part."""
        if not self.late.any() or not together.any():
            return _LARGER * self.usual
        late = y[together][:, self.late]
        noise = np.broadcast_to(noise.reshape(len(y), -1), y.shape)[together][:, self.late]
        power = np.mean((late - late.mean(axis=0)) ** 2) - noise.mean()
        return float(_LARGER * np.sqrt(max(power, _LEAST_POWER) / np.diag(self.response)[self.late].mean()))

    def _solve(self, prior: np.ndarray, response: float) -> np.ndarray:
        """What is unknown of decay and muscle in each channel (n_channels, n_basis, n_basis), µV², as is ``prior``."""
        n, q, _ = prior.shape
        factors = np.linalg.cholesky(prior)
        inverse = np.linalg.inv(self.in_modes[:, None, None] * (response**2 * self.response) + self.background)
        self.projections = self.basis @ inverse
        gram = self.projections @ self.basis.T
        joint = np.einsum("ki,li,iqp->kqlp", self.to_modes, self.to_modes, gram, optimize=True)
        joint = np.einsum("kqa,kqlp,lpb->kalb", factors, joint, factors, optimize=True).reshape(n * q, n * q)
        joint[np.diag_indices(n * q)] += 1  # the prior, in units of its factors
        solved = np.linalg.inv(joint).reshape(n, q, n, q)
        self.joint = np.einsum("kqa,kalb,lpb->kqlp", factors, solved, factors, optimize=True).reshape(n * q, n * q)
        channels = np.arange(n)
        return self.joint.reshape(n, q, n, q)[channels, :, channels, :]

    def _means(self, binned: np.ndarray) -> np.ndarray:
        """Decay and muscle (n_channels, n_basis) in binned traces (n_channels, n_bins)."""
        projected = self.to_modes @ np.einsum("iqb,ib->iq", self.projections, self.to_modes.T @ binned)
        return (self.joint @ projected.ravel()).reshape(projected.shape)


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


def _directions(coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Courses (n_directions, n_bins) whose squares add up to the mean of all shapes', and the shapes in them."""
    share = np.ones(len(coarse) - 1)
    share[: len(_TIME_CONSTANTS)][_TIME_CONSTANTS > 1.01 * _SLOW] = _WEIGHT_OF_SLOW
    weights = np.sqrt(share / share.sum())
    _, sizes, courses = np.linalg.svd(weights[:, None] * coarse[:-1], full_matrices=False)
    directions = courses[:_N_SHAPES] * sizes[:_N_SHAPES, None]
    return directions, np.linalg.lstsq(directions.T, coarse.T, rcond=None)[0].T


def _diagonal(values: np.ndarray) -> np.ndarray:
    matrices = np.zeros((*values.shape, values.shape[1]))
    matrices[:, range(values.shape[1]), range(values.shape[1])] = values
    return matrices


def _response_covariance(centres: np.ndarray) -> np.ndarray:
    """Evoked waves: small at first, largest around 0.1 s, over by half a second; alike by the ratio of two latencies.

    As the averaged response of a motor cortex (data of Biabani et al. 2019): its root mean square over electrodes is
    0.15 of the largest at 12 ms, 0.5 at 30, 0.8 at 57 and 0.15 at 450; its topographies correlate by 0.8 at latencies
    that differ by a factor of 1.2, by 0.25 at 1.5, and oppose each other at 2 to 3. That average is low-passed: waves
    before 30 ms are taken for somewhat larger here (0.2 at 12 ms, 0.6 at 30).
    """
    ratio = np.log(centres[:, None] / centres)
    size = centres**2 / (centres**2 + 0.025**2) / (1 + (centres / 0.27) ** 4) + 0.02
    alternating = np.exp(-0.5 * (ratio / 0.8) ** 2) * np.cos(2 * np.pi * ratio / 2.1)
    covariance = (np.exp(-0.5 * (ratio / 0.25) ** 2) + alternating) / 2 + 1e-3 * np.eye(len(centres))
    return np.asarray(covariance * np.outer(size, size))


def _muscle_covariance(centres: np.ndarray) -> np.ndarray:
    """Muscle of unit size at the start: a band around 80 Hz, 40 Hz wide either way, that falls to 1/e in 6 ms."""
    lag = centres[:, None] - centres
    fall = np.exp(-(centres - centres[0]) / 0.006)
    covariance = np.outer(fall, fall) * np.exp(-0.5 * (lag / 0.004) ** 2) * np.cos(2 * np.pi * 80 * lag)
    covariance[np.diag_indices_from(covariance)] += 1e-4 * fall**2
    return np.asarray(covariance)
