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
from ..kernels.tails import cut_out, first_rest, loudest_block, refuse_tails, tail_sizes
from ._tail_forms import DECAYS, gains, orthonormal, refined
from ._whole_tail import explain_whole
from ._windows import evenly, quantiles, rows_of

_SPIKES = (0.0004, 0.0009)  # what is left of the pulse itself
_RING_DECAYS = np.array([0.0015, 0.0024, 0.0038, 0.007])
_RING_FREQUENCIES = np.geomspace(90.0, 900.0, 28)
_FORM_TRIALS = 60
_PAIR = 0.5  # price of a pair of forms, in what noise alone gives
_SHARED = 2.0  # median power of a common form, over what noise gives, from which it is taken whole
_FITS = 3  # forms taken one after another; a third one removes what the grid left of the first two
_EXCESS = 1.6  # a stretch after the pulse with this many times the power of the noise may hold an artefact
_ENOUGH = 1.3  # and with this many times it no longer does
_ENDS = 0.8  # share of the window before its end
_RESTLESS = 0.8  # power there or at its start, over what seldom is in noise, from which a continuation may be wrong
_FEW = 0.2  # share of the trials with a tail
_DWARFS = 4.0  # times the largest sample before the window, beyond which a response is no rest of an artefact
_SELDOM = 0.98
_NOISE_TRIALS = 60
_SHARES = (1.0, 0.65, 0.4)  # of the stretch before the window
_LOUD_TAIL = 20.0  # power of a common form, over what noise gives, from which the grid is too coarse for it
POOR = 1.5  # standard deviation of what a fit leaves, over that of the noise, from which it is no good
_REST = 0.002  # s for which a trace without artefact has no more power than noise
_LATE = 0.0025  # s of the window in which an artefact that nothing before it explains is fitted
_RECOVERING = 9.0  # power, over that of the noise, from which it is
_REACHES = 3.0  # standard deviations of the noise from which a tail reaches into the window
_AFTER = 0.020  # s after the window that still tell of a tail
_EARLY = 0.005  # s of the window in which a tail that ends there is not told from a response
_WINDOW_BLOCK = 0.003  # s in which what is left in the window is judged
_UNSURE = 1.6  # standard deviation, over that of the noise, ascribed to tails fitted in the window
_STILL = 3.0  # power, over what seldom is in noise, with which the window begins in an artefact
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
    made_of = [(decay, 0.0, 0.0) for decay in DECAYS]
    made_of += [(slow, spike, 0.0) for spike in _SPIKES for slow in DECAYS[1.4 * spike < DECAYS]]
    coarse = DECAYS[::2]
    made_of += [(coarse[i], coarse[j], 0.0) for i in range(len(coarse)) for j in range(i + 3, len(coarse))]
    usable = _RING_FREQUENCIES[0.4 / step > _RING_FREQUENCIES]
    made_of += [(decay, 0.0, frequency) for decay in _RING_DECAYS for frequency in usable]
    parameters = np.array(made_of)
    forms = orthonormal(parameters, n_fit, np.arange(n_fit + n_ahead) * step)
    return np.ascontiguousarray(forms[:, :, :n_fit]), forms, parameters


def _after_its_own_past(rows: np.ndarray) -> np.ndarray:
    """The second half of each stretch of noise about the mean of its first, as a trial is about what precedes it.

    Noise that drifts leaves its mean; about their own mean its stretches seem smaller than what follows them.
    """
    half = rows.shape[1] // 2
    return rows[:, half:] - rows[:, :half].mean(axis=1, keepdims=True)


def _usual_gain(quiet: np.ndarray, n_fit: int, n_ahead: int, step: float) -> float:
    """Power that forms take from noise alone (variance 1), seldom exceeded; coloured noise gives more of it."""
    fit = _forms(n_fit, n_ahead, step)[0]
    parts = [quiet[:, k : k + n_fit] for k in range(0, quiet.shape[1] - n_fit + 1, n_fit)]
    if not parts:
        return 12.0
    stretches = np.concatenate(parts)
    some = np.linspace(0, len(stretches) - 1, min(len(stretches), 2 * _NOISE_TRIALS)).astype(int)
    return quantiles(gains(stretches[some], fit)[1].max(axis=1), [_SELDOM])[0]


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
        mean_gain = np.einsum("i,ij->j", weights, gains(traces[some, begin:split], fit)[1])
        common = int((mean_gain - pair).argmax())
        own_forms = forms[:, common]
        if mean_gain[common] > _LOUD_TAIL:
            time = np.arange(forms.shape[2]) * step
            own = refined(parameters[common], traces[some, begin:split], weights, time)
            own_forms = orthonormal(own[None], split - begin, time)[:, 0]
        y = traces[todo, begin:split]
        inner = np.einsum("ij,kj->ik", own_forms[:, : split - begin], y)
        left = np.einsum("ij,ij->i", y, y) - np.einsum("ij,ij->j", inner, inner)
        enough = left <= _ENOUGH * noise[todo] ** 2 * y.shape[1]
        done = todo[enough]
        weights = inner[:, enough] * _kept(inner[:, enough], by_noise[done], common=True)
        take_forms(traces, begin, done, np.zeros(done.size, int), weights, own_forms[:, None])
        todo, y = todo[~enough], y[~enough]
        if not todo.size:
            return
        # … and each trial's own, if it is clearly better, where it is not.
        products, gain = gains(y, fit)
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
    rows = _after_its_own_past(rows)
    todo = loud = np.flatnonzero(power > _loud(rows, split) * noise**2)
    # A saturated or switched stretch cannot be fitted: shorter stretches next to the window are tried then, and at
    # last the window's first samples, where an amplifier that recovers late is still on its way.
    late = split + round(_LATE / step)
    in_window = loud[:0]
    for begin, end in (*((split - int(split * share), split) for share in _SHARES), (split, late)):
        if end == late:
            todo = in_window = todo[np.mean(traces[todo, split:late] ** 2, axis=1) > _RECOVERING * noise[todo] ** 2]
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
    held = _check_tails(x, base, noise, traces, loud, start, split, step, residual)
    residual[in_window] = np.fmax(residual[in_window], _UNSURE * noise[in_window])  # nothing before the window tells
    _ask_the_window(x, base, noise, traces, loud, held, start, split, step, residual, rows, in_window)
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
) -> np.ndarray:
    """Give back what was taken away from under the window where nothing was, in place.

    What rang or decayed before a tail that ended (a gated amplifier, a held sample) is set to 0: it says nothing of
    what follows. Returned are the samples of the window for which each tail holds.
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
    return np.where(unused, 0, held)


def _ask_the_window(
    x: np.ndarray,
    base: np.ndarray,
    noise: np.ndarray,
    traces: np.ndarray,
    fitted: np.ndarray,
    held: np.ndarray,
    start: int,
    split: int,
    step: float,
    residual: np.ndarray,
    rows: np.ndarray,
    in_window: np.ndarray,
) -> None:
    """Tails that reach into the window and leave something there are judged by the window itself, in place.

    Where one cannot be known the trace is 0 until it first is at rest: what comes before is no response to count.
    """
    block = max(round(_WINDOW_BLOCK / step), 3)
    limit = _loud(rows, block)
    some = np.flatnonzero(loudest_block(traces, fitted, split, block) > limit * noise[fitted] ** 2)
    if not some.size:
        return
    trials, held, n_window = fitted[some], held[some], traces.shape[1] - split
    tails, beyond, power = tail_sizes(x, base, traces, trials, held, start, split, min(block, n_window))
    # a tail that ended, with half of it left while it held, was another (a saturated amplifier that came back)
    vain = (held < n_window) & (beyond > 0.2 * held)
    lost = vain | (held < round(_EARLY / step)) | (residual[trials] > POOR * noise[trials])
    near = power > _STILL * limit * noise[trials] ** 2
    # A continuation that leaves both ends of the window at rest, where responses seldom are, was right.
    late = traces[trials, split + int(_ENDS * n_window) :]
    ends = np.mean(late**2, axis=1), np.mean(traces[trials, split : split + min(block, n_window)] ** 2, axis=1)
    restless = np.maximum(*ends) > _RESTLESS * limit * noise[trials] ** 2
    wrong = restless & (tails > _REACHES * noise[trials])
    # Where it is wrong it is wrong in many trials; a few are restless by responses that last.
    wrong &= wrong.sum() > _FEW * fitted.size
    contested = np.flatnonzero(np.where(lost, near, wrong))
    if not contested.size:
        return
    trials, vain, lost = trials[contested], vain[contested], lost[contested]
    after = min(x.shape[1], start + traces.shape[1] + round(_AFTER / step))
    recorded = x[trials, start:after] - base[trials, None]
    recorded = recorded[:, : recorded.shape[1] if np.isfinite(recorded).all() else traces.shape[1]]
    changed = traces[trials]
    known, deviation = explain_whole(recorded, changed, noise[trials], split, limit, step)
    traces[trials[known]] = changed[known]
    residual[trials[known]] = deviation[known]
    vain, lost, recorded, trials = vain[~known], lost[~known], recorded[~known], trials[~known]
    if not trials.size:
        return
    window = np.where(vain[:, None], recorded[:, split : traces.shape[1]], traces[trials, split:])
    fresh = np.isin(trials, in_window)
    until = _until_rest(recorded[:, : traces.shape[1]], window, noise[trials], lost, fresh, split, step, rows)
    # What never rests, and dwarfs everything before the window, is no rest of that: it stays as it was recorded.
    own = recorded[:, split : traces.shape[1]]
    dwarfs = np.abs(own).max(axis=1) > _DWARFS * np.abs(recorded[:, :split]).max(axis=1)
    dwarfs &= until == n_window
    until[dwarfs] = 0
    window[dwarfs] = own[dwarfs]
    blanked = np.flatnonzero(lost | (until > 0))
    trials = trials[blanked]
    traces[trials, :split] = 0.0
    traces[trials, split:] = np.where(np.arange(n_window) < until[blanked, None], 0.0, window[blanked])


def _until_rest(
    recorded: np.ndarray,
    window: np.ndarray,
    noise: np.ndarray,
    lost: np.ndarray,
    fresh: np.ndarray,
    split: int,
    step: float,
    rows: np.ndarray,
) -> np.ndarray:
    """Samples of each window that are no use; what follows them is made the best of in ``window``.

    ``fresh`` are trials whose tail was fitted to the window's first samples, ``lost`` those for which none holds.
    """
    n_window = window.shape[1]
    length, late, early = max(round(_REST / step), 3), round(_LATE / step), round(_EARLY / step)
    zero, quiet = np.zeros(len(window)), _loud(rows, length) * noise**2
    # Where the record comes to rest soon the artefact is over, if it is the quieter there without what was continued.
    own = recorded[:, split:]
    over = first_rest(own, zero, quiet, 0, n_window, length)
    after = np.arange(n_window) >= over[:, None]
    resting = after & (np.arange(n_window) < over[:, None] + length)
    worse = np.sum((own**2 - window**2) * resting, axis=1) > 0
    tail = np.abs(own - window)
    over[worse | (over > early) | (np.max(tail * after, axis=1) > 0.5 * tail.max(axis=1))] = -1
    window[:] = np.where((over >= 0)[:, None] & after, own, window)
    # What was fitted to the window's first samples is at rest in them, right or wrong.
    unrest = window.copy()
    unrest[fresh, :late] = np.inf
    rest = np.where(over >= 0, over, first_rest(unrest, zero, quiet, 0, n_window, length))
    # An amplifier that comes back only in the window is still on its way after that.
    begin, end = split + late, split + 2 * late
    again = np.flatnonzero(lost & ((rest < 0) | (rest > early)))
    if again.size and late >= _SHORTEST and end + length <= recorded.shape[1]:
        refit = recorded[again]
        usual = _usual_gain(rows, late, recorded.shape[1] - end, step)
        _pursue(refit, begin, end, np.arange(again.size), step, noise[again], usual)
        good = np.mean(refit[:, begin:end] ** 2, axis=1) <= (POOR * noise[again]) ** 2
        good &= first_rest(refit, zero[again], quiet[again], (begin + end) // 2, end + length, length) >= 0
        window[again[good]] = refit[good, split:]
        rest[again[good]] = late
    # What is left of a tail that was fitted well is over soon, or a response.
    return np.where(lost, np.where(rest >= 0, rest, n_window), np.where(rest <= early, np.maximum(rest, 0), 0))


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
