"""Choice among shapes and sizes of a decay, channel by channel, with priors learned from all of them."""

from __future__ import annotations

import numpy as np

_DECAY_SIZES = (0.5, 1.5)  # times what is usual around the electrode
_MUSCLE_SIZES = (0.0, 20.0, 100.0)  # µV, at the start of the fit
_NO_DECAY, _CHANNELS = 0.5, 20.0  # share of channels without a decay, believed as if seen in so many
_ROUNDS = 3


def mixture(
    precision: np.ndarray,
    own: np.ndarray,
    means: np.ndarray,
    towards: np.ndarray,
    pairs: np.ndarray,
    sizes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of shapes from the joint means of each channel, and what is then known of the decay.

    Returns weights (n_channels, n_shapes, n_basis) and second moments (n_channels, n_decay, n_decay).

    Parameters
    ----------
    precision : ndarray, shape (n_channels, n_basis, n_basis)
        What all data say about decay (first) and muscle of a channel, without the prior of that channel.
    own : ndarray, shape (n_channels, n_basis, n_basis)
        The same with the prior.
    means : ndarray, shape (n_channels, n_basis)
        Expected with the prior.
    towards : ndarray, shape (n_shapes, n_decay)
        Every shape in terms of the basis of decays.
    pairs : ndarray of int, shape (n_choices, 2)
        Shapes of each choice.
    sizes : ndarray, shape (n_channels,)
        Usual size of a decay at each electrode, µV at the start of the fit.
    """
    information = np.einsum("kqp,kp->kq", own, means)
    options = []
    for muscle in _MUSCLE_SIZES:
        reduced, turn, constant = _without_muscle(precision, information, muscle, towards.shape[1])
        gram = towards @ reduced @ towards.T
        cross = np.einsum("sr,krq,kq->ks", towards, turn, information)
        for size in _DECAY_SIZES:
            scores, inverse = _scores(gram, cross, pairs, size * sizes[:, None])
            options.append((constant[:, None] + scores, inverse, turn, cross))
    likelihood = np.stack([scores for scores, *_ in options], axis=1)
    shape = (len(means), len(_MUSCLE_SIZES), len(_DECAY_SIZES), len(pairs))
    posterior = _learned(likelihood.reshape(shape), pairs).reshape(likelihood.shape)
    weights = np.zeros((len(means), len(towards), own.shape[1]))
    moments = np.zeros((len(means), len(towards), len(towards)))
    for number, (_, inverse, turn, cross) in enumerate(options):
        expected = np.einsum("kcab,kcb->kca", inverse, cross[:, pairs])
        squares = inverse + expected[..., :, None] * expected[..., None, :]
        weights += _mixed(posterior[:, number], inverse, pairs, len(towards)) @ (towards @ turn) @ own
        moments += _mixed(posterior[:, number], squares, pairs, len(towards))
    return weights, towards.T @ moments @ towards


def _mixed(posterior: np.ndarray, values: np.ndarray, pairs: np.ndarray, n_shapes: int) -> np.ndarray:
    """Mean over choices of what each says of its two shapes (n_channels, n_shapes, n_shapes)."""
    mixed = np.zeros((n_shapes, n_shapes, len(posterior)))
    for a in range(2):
        for b in range(2):
            np.add.at(mixed, (pairs[:, a], pairs[:, b]), (posterior * values[..., a, b]).T)
    return mixed.transpose(2, 0, 1)


def _without_muscle(
    precision: np.ndarray, information: np.ndarray, size: float, r: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision of the decay when muscle of a size is unknown, what leads there, and the log likelihood of the rest."""
    n, q, _ = precision.shape
    keep = np.broadcast_to(np.eye(r, q), (n, r, q))
    if size == 0:
        return precision[:, :r, :r], keep, np.zeros(n)
    rest = precision[:, r:, r:] + np.eye(q - r) / size**2
    slope = np.linalg.solve(rest, precision[:, r:, :r])
    turn = np.concatenate([keep[:, :, :r], -slope.transpose(0, 2, 1)], axis=2)
    solved = np.linalg.solve(rest, information[:, r:, None])[..., 0]
    constant = 0.5 * np.sum(information[:, r:] * solved, axis=1) - 0.5 * np.linalg.slogdet(rest)[1]
    return turn @ precision[:, :, :r], turn, constant - (q - r) * np.log(size)


def _scores(gram: np.ndarray, cross: np.ndarray, pairs: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log likelihood of all choices (n_channels, n_choices) beside no decay, and the solver (…, 2, 2) of each."""
    first, second = pairs.T
    a, b = gram[:, first, first] + size**-2, gram[:, second, second] + size**-2
    off = gram[:, first, second] * (first != second)
    determinant = a * b - off**2
    inverse = np.stack([np.stack([b, -off], -1), np.stack([-off, a], -1)], -2) / determinant[..., None, None]
    c = cross[:, pairs]
    explained = np.einsum("kca,kcab,kcb->kc", c, inverse, c)
    return 0.5 * explained - 0.5 * np.log(determinant * size**4), inverse


def _learned(likelihood: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Posterior of all choices, their prior learned from the channels: whether there is a decay, its size, its shape.

    ``likelihood`` and result have the shape (n_channels, n_muscle_sizes, n_decay_sizes, n_choices).
    """
    n, _, n_sizes, n_choices = likelihood.shape
    none = pairs[:, 0] == pairs[:, 1]
    missing = _NO_DECAY if none.any() else 0.0
    size, shape = np.full(n_sizes, 1 / n_sizes), np.full(n_choices - none.sum(), 1 / (n_choices - none.sum()))
    relative = np.exp(likelihood - likelihood.max(axis=(1, 2, 3), keepdims=True))
    for turn in range(_ROUNDS + 1):
        prior = np.full((n_sizes, n_choices), missing / n_sizes)
        prior[:, ~none] = (1 - missing) * np.outer(size, shape)
        posterior = relative * prior
        posterior /= posterior.sum(axis=(1, 2, 3), keepdims=True)
        if turn < _ROUNDS:
            there = posterior[..., ~none].sum(axis=(0, 1))
            if none.any():
                missing = (n - there.sum() + _NO_DECAY * _CHANNELS) / (n + _CHANNELS)
            size = (there.sum(axis=1) + 4 / n_sizes) / (there.sum() + 4)
            shape = (there.sum(axis=0) + 10 / shape.size) / (there.sum() + 10)
    return posterior
