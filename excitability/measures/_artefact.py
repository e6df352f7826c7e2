"""The tail of the pulse artefact under a response, modelled and taken away; nothing is ever filtered.

Between the pulse and the earliest response a trace holds only noise and artefact. Exponential recoveries and
damped oscillations, whose forms are known (amplifier recovery, electrode polarisation, ringing of filters), are
fitted there and continued under the response; where the record contradicts the continuation it is left as it is.
Trials without an artefact are left alone.
"""

from __future__ import annotations

import functools

import numpy as np

from ..kernels.fits import take_forms
from ..kernels.tails import cut_out, first_rest, refuse_tails
from ._windows import evenly, quantiles, rows_of

_DECAYS = np.append(np.geomspace(0.0006, 0.060, 26), 1e3)  # s; a fifth apart, so that one fits any; a step that stays
_SPIKES = (0.0004, 0.0009)  # what is left of the pulse itself
_RING_DECAYS = np.array([0.0015, 0.0024, 0.0038, 0.007])
_RING_FREQUENCIES = np.geomspace(90.0, 900.0, 28)
_FORM_TRIALS = 60
_PAIR = 0.5  # price of a pair of forms, in what noise alone gives
_SHARED = 2.0  # median power of a common form, over what noise gives, from which it is taken whole
_FITS = 3  # forms taken one after another; a third one removes what the grid left of the first two
_EXCESS = 1.6  # a stretch after the pulse with this many times the power of the noise may hold an artefact
_ENOUGH = 1.3  # and with this many times it no longer does
_SELDOM = 0.98
_NOISE_TRIALS = 60
_SHARES = (1.0, 0.65, 0.4)  # of the stretch before the window
_LOUD_TAIL = 20.0  # power of a common form, over what noise gives, from which the grid is too coarse for it
_REFINED = (0.1, 0.03, 0.008)  # steps of the search beside the grid, as shares of a decay or a frequency
POOR = 1.5  # standard deviation of what a fit leaves, over that of the noise, from which it is no good
_REST = 0.002  # s for which a trace without artefact has no more power than noise
_LATE = 0.0025  # s of the window in which an artefact that nothing before it explains is fitted
_RECOVERING = 9.0  # power, over that of the noise, from which it is
_SHORTEST = 8  # samples that can be fitted
_BLOCK = 0.0015  # s in which the record is compared with the tail taken away from it
_RAISED = 1.5  # factor by which that may raise the power of the window's first block
_QUIET = 3.0  # power, over that of the noise, with which the record shows neither tail nor response
_WIDER = (1.3, 4.0)  # factor and standard deviations of the noise by which it may not widen the window's trace
_LEAST = 0.9  # standard deviations of the noise below which a tail is not questioned
_CLEAR = 4.0  # and by which a tail that is not there must raise it to be told from noise


@functools.lru_cache(maxsize=16)
def _forms(n_fit: int, n_ahead: int, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of forms on the fitted stretch, the same with what follows it, and what they are made of."""
    made_of = [(decay, 0.0, 0.0) for decay in _DECAYS]
    made_of += [(slow, spike, 0.0) for spike in _SPIKES for slow in _DECAYS[1.4 * spike < _DECAYS]]
    coarse = _DECAYS[::2]
    made_of += [(coarse[i], coarse[j], 0.0) for i in range(len(coarse)) for j in range(i + 3, len(coarse))]
    usable = _RING_FREQUENCIES[0.4 / step > _RING_FREQUENCIES]
    made_of += [(decay, 0.0, frequency) for decay in _RING_DECAYS for frequency in usable]
    parameters = np.array(made_of)
    forms = _orthonormal(parameters, n_fit, n_fit + n_ahead, step)
    return np.ascontiguousarray(forms[:, :, :n_fit]), forms, parameters


def _orthonormal(parameters: np.ndarray, n_fit: int, n: int, step: float) -> np.ndarray:
    """Pairs of forms, orthonormal on their first ``n_fit`` samples, (2, n_pairs, n).

    Of two exponentials (decays in s; 0: no second one), or of a damped cosine and sine (decay, 0, frequency in Hz).
    """
    decay, other, frequency = parameters.T[:, :, None]
    time = np.arange(n) * step
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


def _refined(parameters: np.ndarray, y: np.ndarray, weights: np.ndarray, n: int, step: float) -> np.ndarray:
    """The pair of forms near one of the grid that suits trials best together, (2, n)."""
    free = np.flatnonzero(parameters > 0)[:2]
    offsets = np.stack(np.meshgrid(*[[-1.0, 0.0, 1.0]] * free.size), axis=-1).reshape(-1, free.size)
    products = [offsets[:, i] * offsets[:, j] for i in range(free.size) for j in range(i, free.size)]
    surface = np.linalg.pinv(np.stack([np.ones(len(offsets)), *offsets.T, *products], axis=1))
    for scale in _REFINED:
        around = np.tile(parameters, (len(offsets), 1))
        around[:, free] *= np.exp(scale * offsets)
        gain = weights @ _gains(y, _orthonormal(around, y.shape[1], y.shape[1], step))[1]
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
    return _orthonormal(parameters[None], y.shape[1], n, step)[:, 0]


def _gains(y: np.ndarray, fit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inner products with all forms (2, n, n_forms), and the power each form takes away."""
    inner = np.matmul(y, fit.transpose(0, 2, 1))
    power = inner[0] ** 2
    power += inner[1] ** 2
    return inner, power


def _usual_gain(quiet: np.ndarray, n_fit: int, n_ahead: int, step: float) -> float:
    """Power that forms take from noise alone (variance 1), seldom exceeded; coloured noise gives more of it."""
    fit = _forms(n_fit, n_ahead, step)[0]
    parts = [quiet[:, k : k + n_fit] for k in range(0, quiet.shape[1] - n_fit + 1, n_fit)]
    if not parts:
        return 12.0
    stretches = np.concatenate(parts)
    some = np.linspace(0, len(stretches) - 1, min(len(stretches), 2 * _NOISE_TRIALS)).astype(int)
    return quantiles(_gains(stretches[some], fit)[1].max(axis=1), [_SELDOM])[0]


def _pursue(
    traces: np.ndarray, begin: int, split: int, todo: np.ndarray, step: float, noise: np.ndarray, usual: float
) -> None:
    """Take forms fitted to ``traces[todo, begin:split]`` away from it and from what follows it, in place."""
    fit, forms, parameters = _forms(split - begin, traces.shape[1] - split, step)
    by_noise = usual * noise**2
    # A second form must be worth what noise would pay for it: its continuation is the less certain.
    pair = np.where(np.any(fit[1] != 0, axis=1), _PAIR, 0.0)
    for _ in range(_FITS):
        # Trials share their amplifier and electrodes: the form that suits them together, where it is enough …
        some = todo[evenly(noise[todo], _FORM_TRIALS)]
        weights = 1.0 / (by_noise[some] * some.size)
        mean_gain = weights @ _gains(traces[some, begin:split], fit)[1]
        common = int((mean_gain - pair).argmax())
        own_forms = forms[:, common]
        if mean_gain[common] > _LOUD_TAIL:
            own_forms = _refined(parameters[common], traces[some, begin:split], weights, forms.shape[2], step)
        y = traces[todo, begin:split]
        inner = own_forms[:, : split - begin] @ y.T
        left = np.einsum("ij,ij->i", y, y) - np.einsum("ij,ij->j", inner, inner)
        enough = left <= _ENOUGH * noise[todo] ** 2 * y.shape[1]
        done = todo[enough]
        weights = inner[:, enough] * _kept(inner[:, enough], by_noise[done], common=True)
        take_forms(traces, begin, done, np.zeros(done.size, int), weights, own_forms[:, None])
        todo, y = todo[~enough], y[~enough]
        if not todo.size:
            return
        # … and each trial's own, if it is clearly better, where it is not.
        products, gain = _gains(y, fit)
        rows = np.arange(todo.size)
        gain -= pair * by_noise[todo, None]
        best = gain.argmax(axis=1)
        best = np.where(gain[rows, best] - gain[:, common] > by_noise[todo], best, common)
        own = products[:, rows, best]
        keep = _kept(own, by_noise[todo], common=todo.size == 1)
        take_forms(traces, begin, todo, best, own * keep, forms)
        todo = todo[keep > 0]
        if not todo.size:
            return


def _kept(inner: np.ndarray, by_noise: np.ndarray, *, common: bool) -> np.ndarray:
    """Share of a form that is taken: what noise alone gives is left, since its continuation only adds noise."""
    power = inner[0] ** 2 + inner[1] ** 2
    # An artefact that most trials share is no accident of noise; shrinking it would leave a part of it in all.
    if common and power.size and np.median(power / by_noise) > _SHARED:
        return np.ones(power.size)
    return np.where(power > 1.5 * by_noise, 1.0 - by_noise / np.maximum(power, 1e-300), 0.0)


def without_artefact(
    x: np.ndarray,
    quiet: tuple[np.ndarray, np.ndarray],
    base: np.ndarray,
    noise: np.ndarray,
    pulse: int,
    search: int,
    stop: int,
    step: float,
) -> tuple[np.ndarray, int, np.ndarray]:
    """Traces from just after the pulse to the end of the window, without the artefact's tail.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
    quiet : tuple of array of int, shape (n_trials,)
        First sample of the noise before the pulse and the one after its last.
    base, noise : array, shape (n_trials,)
        Mean and standard deviation of that noise.
    pulse, search, stop : int
        Samples of the pulse, of the window's start and of its end.
    step : float
        Sampling interval in s.

    Returns
    -------
    traces : array, shape (n_trials, stop - start)
        About their baseline.
    start : int
        Sample at which they begin.
    residual : array, shape (n_trials,)
        Standard deviation of what the fit left before the window; NaN where there was no artefact.
    """
    start = min(max(pulse + int(np.ceil(0.002 / step)), search - round(0.012 / step)), search - 2)
    start = max(start, 0)
    split = search - start
    residual = np.full(len(x), np.nan)
    # Blanked samples before the window say nothing of an artefact, and must not spoil what follows.
    traces, power = cut_out(x, base, start, search, stop)
    shortest = int(np.min(quiet[1] - quiet[0]))
    some = evenly(noise, _NOISE_TRIALS)
    rows = (rows_of(x, some, quiet[0], shortest) - base[some, None]) / noise[some, None]
    todo = loud = np.flatnonzero(power > _loud(rows, split) * noise**2)
    # A saturated or switched stretch cannot be fitted: shorter stretches next to the window are tried then, and at
    # last the window's first samples, where an amplifier that recovers late is still on its way.
    late = split + round(_LATE / step)
    for begin, end in (*((split - int(split * share), split) for share in _SHARES), (split, late)):
        if end == late:
            todo = todo[np.mean(traces[todo, split:late] ** 2, axis=1) > _RECOVERING * noise[todo] ** 2]
        if not todo.size or end - begin < _SHORTEST or end > stop - start - _SHORTEST:
            continue
        usual = _usual_gain(rows, end - begin, stop - start - end, step)
        first = begin == 0
        fitted, at = (traces, todo) if first else (x[todo, start:stop] - base[todo, None], np.arange(todo.size))
        _pursue(fitted, begin, end, at, step, noise if first else noise[todo], usual)
        left = np.sqrt(np.mean(fitted[at, begin:end] ** 2, axis=1))
        better = ~(left >= residual[todo])
        if not first:
            fitted[:, :begin] = 0.0
            traces[todo[better]] = fitted[better]
        residual[todo[better]] = left[better]
        todo = todo[left > POOR * noise[todo]]
    _check_tails(x, base, noise, traces, loud, start, split, step, residual)
    return traces, start, residual


def _check_tails(
    x: np.ndarray,
    base: np.ndarray,
    noise: np.ndarray,
    traces: np.ndarray,
    fitted: np.ndarray,
    start: int,
    split: int,
    step: float,
    residual: np.ndarray,
) -> None:
    """Give back what was taken away from under the window where nothing was, in place.

    What rang or decayed before a tail that ended (a gated amplifier, a held sample) is set to 0: it says nothing of
    what follows.
    """
    block = max(round(_BLOCK / step), 3)
    held = refuse_tails(x, base, noise, traces, fitted, start, split, block, _RAISED, _QUIET, _CLEAR, _WIDER, _LEAST)
    unused = held == 0
    # A fit that leaves more than noise, or that did not hold, may make the trace smaller, never larger.
    ended = (held > 0) & (held < traces.shape[1] - split)
    poor = np.flatnonzero(ended | (residual[fitted] > POOR * noise[fitted]))
    if poor.size:
        trials = fitted[poor]
        recorded = x[trials, start + split : start + traces.shape[1]] - base[trials, None]
        larger = np.ptp(traces[trials, split:], axis=1) > np.ptp(recorded, axis=1)
        traces[trials[larger], split:] = recorded[larger]
        unused[poor[larger]] = True
    for i in fitted[unused]:
        before = x[i, start : start + split] - base[i]
        blocks = [np.mean(before[max(k - block, 0) : k] ** 2) for k in range(split, 0, -block)]
        noisy = [k for k, power in enumerate(blocks) if not power <= _QUIET * noise[i] ** 2]
        quiet_from = max(split - block * noisy[0], 0) if noisy else 0
        before[:quiet_from] = 0.0
        traces[i, :split] = before
        residual[i] = np.sqrt(np.mean(before[quiet_from:] ** 2)) if quiet_from < split else np.nan


def _loud(rows: np.ndarray, n: int) -> float:
    """Power, over that of the noise, which stretches of ``n`` samples before the pulse seldom have."""
    squares = rows**2
    power = [np.mean(squares[:, k : k + n], axis=1) for k in range(0, rows.shape[1] - n + 1, n)]
    return max(quantiles(np.concatenate(power), [_SELDOM])[0], _EXCESS) if power else _EXCESS


def at_rest(
    x: np.ndarray, quiet: tuple[np.ndarray, np.ndarray], levels: np.ndarray, begin: int, stop: int, step: float
) -> np.ndarray:
    """Sample from which each trial first has, for 2 ms, no more power than stretches before the pulse have.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
    quiet : tuple of array of int, shape (n_trials,)
        First sample of the noise before the pulse and the one after its last.
    levels : array, shape (n_trials, 2 or more)
        Mean and standard deviation of that noise.
    begin, stop : int
        Samples between which is searched: the pulse, and the end of the last stretch.
    step : float
        Sampling interval in s.

    Returns
    -------
    array of int, shape (n_trials,)
        −1 where there is no such stretch.
    """
    length = max(round(_REST / step), 3)
    known = np.flatnonzero(np.isfinite(levels[:, 1]) & (levels[:, 1] > 0))
    limit = np.zeros(len(x))
    if known.size:
        base, noise = levels[known, 0], levels[known, 1]
        some = evenly(noise, _NOISE_TRIALS)
        rows = rows_of(x, known[some], quiet[0], int(np.min(quiet[1] - quiet[0])))
        limit[known] = _loud((rows - base[some, None]) / noise[some, None], length) * noise**2
    return first_rest(x, levels[:, 0], limit, begin, stop, length)
