"""Forms of an artefact's tail: exponential recoveries and damped oscillations, and the fit of their parameters."""

from __future__ import annotations

import numpy as np

DECAYS = np.append(np.geomspace(0.0006, 0.060, 26), 1e3)  # s; a fifth apart, so that one fits any; a step that stays
_REFINED = (0.1, 0.05, 0.02, 0.006)  # steps of the search beside the grid, as shares of a decay or a frequency
_COMPONENTS = 3  # of the trials that are fitted together
_DISTINCT = 1e-5
_FAR = 0.7  # logarithm of the factor by which a decay or a frequency may move
_STEPS = 12
_SMALL = 400_000  # multiplications below which a product is left to one thread by common libraries


def orthonormal(parameters: np.ndarray, n_fit: int, time: np.ndarray) -> np.ndarray:
    """Pairs of forms at ``time`` (s), orthonormal on its first ``n_fit`` samples, (2, n_pairs, n).

    Of two exponentials (decays in s; 0: no second one), or of a damped cosine and sine (decay, 0, frequency in Hz).
    """
    decay, other, frequency = parameters.T[:, :, None]
    first = np.exp(-time / decay)
    second = np.exp(-time / np.where(other > 0, other, 1.0)) * (other > 0)
    rings = frequency[:, 0] > 0
    phase = 2 * np.pi * frequency[rings] * time
    second[rings] = first[rings] * np.sin(phase)
    first[rings] *= np.cos(phase)
    first /= np.linalg.norm(first[:, :n_fit], axis=1, keepdims=True)
    second -= np.sum(first[:, :n_fit] * second[:, :n_fit], axis=1, keepdims=True) * first
    length = np.linalg.norm(second[:, :n_fit], axis=1, keepdims=True)
    # Single exponentials are pairs whose second member is zero.
    second = np.divide(second, length, out=np.zeros_like(second), where=length > 1e-9)
    return np.stack([first, second])


def refined(parameters: np.ndarray, y: np.ndarray, weights: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Parameters near those of the grid with which a pair of forms suits trials best together.

    ``y`` are the trials at the first samples of ``time`` (s).
    """
    free = np.flatnonzero(parameters > 0)[:2]
    offsets = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * free.size), axis=-1).reshape(-1, free.size)
    products = [offsets[:, i] * offsets[:, j] for i in range(free.size) for j in range(i, free.size)]
    surface = np.linalg.pinv(np.stack([np.ones(len(offsets)), *offsets.T, *products], axis=1))
    for scale in _REFINED:
        around = np.tile(parameters, (len(offsets), 1))
        around[:, free] *= np.exp(scale * offsets)
        power = gains(y, orthonormal(around, y.shape[1], time[: y.shape[1]]))[1]
        gain = np.einsum("i,ij->j", weights, power)
        coefficients = surface @ gain
        slope, bend = coefficients[1 : 1 + free.size], coefficients[1 + free.size :]
        hessian = np.diag(2.0 * bend[[0, -1]]) if free.size == 2 else 2.0 * bend[:, None]
        if free.size == 2:
            hessian[0, 1] = hessian[1, 0] = bend[1]
        move = offsets[int(gain.argmax())]
        if (np.linalg.eigvalsh(hessian) < 0).all():  # the top of the parabola through the candidates
            move = np.clip(np.linalg.solve(hessian, -slope), -1.5, 1.5)
        parameters = parameters.copy()
        parameters[free] *= np.exp(scale * move)
    return parameters


def gains(y: np.ndarray, fit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inner products with all forms (2, n, n_forms), and the power each form takes away."""
    inner = np.empty((2, len(y), fit.shape[1]))
    # small products stay on one thread: waking others costs more than they do
    n_rows = max(_SMALL // (fit.shape[1] * fit.shape[2]), 1)
    for k in range(0, len(y), n_rows):
        np.matmul(y[k : k + n_rows], fit.transpose(0, 2, 1), out=inner[:, k : k + n_rows])
    power = inner[0] ** 2
    power += inner[1] ** 2
    return inner, power


def polished(parameters: np.ndarray, y: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Parameters of several pairs of forms, all moved at once until least is left of trials ``y``, (n_pairs, 3)."""
    from scipy.optimize import least_squares

    _, sizes, shapes = np.linalg.svd(y, full_matrices=False)
    together = sizes[:_COMPONENTS, None] * shapes[:_COMPONENTS]
    free = parameters > 0
    together /= np.sqrt(len(y)) or 1.0

    def moved(logarithms: np.ndarray) -> np.ndarray:
        out = parameters.copy()
        out[free] = np.exp(logarithms)
        return out

    def left(logarithms: np.ndarray) -> np.ndarray:
        forms = np.concatenate(orthonormal(moved(logarithms), y.shape[1], time[: y.shape[1]]))
        _, s, basis = np.linalg.svd(forms, full_matrices=False)
        basis = basis[s > _DISTINCT * s[0]]
        return (together - (together @ basis.T) @ basis).ravel()

    begin = np.log(parameters[free])
    best = least_squares(left, begin, bounds=(begin - _FAR, begin + _FAR), x_scale=0.1, max_nfev=_STEPS)
    return moved(best.x)
