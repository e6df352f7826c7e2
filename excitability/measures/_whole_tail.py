"""Tails of the artefact known over the whole window, from the trials in which nothing else is there."""

from __future__ import annotations

import functools

import numpy as np

from ._tail_forms import DECAYS, gains, orthonormal, polished, refined

_RING_DECAYS = np.array([0.004, 0.0075, 0.014, 0.026])
_SLOW_FREQUENCIES = np.geomspace(
    5.0, 80.0, 12
)  # what a high-pass of second order, or two of the first, make of a pulse
_FREQUENCIES = np.geomspace(90.0, 900.0, 28)
_ALIKE = 1.2  # ratio of two decays that stand for t·exp(−t/τ), too
_SHARES = (1.0, 0.65, 0.4, 0.2)  # of the stretch before the window
_REFERENCES = 0.34  # share of the trials, those with the least in their window, that tell the form
_MOST = 60
_FITS = 2  # pairs of forms; more of them could be a response
_BLOCK = 0.003  # s
_LEFT = 1.5  # power of the loudest block, over what seldom is in noise, up to which nothing is left
_ENOUGH = 0.15  # share of the trials that must be explained for their tails to be those of the others
_SHAPES = 2
_NOTHING = 1.04  # power over that of the noise with which no form is left
_GAP = 0.7  # share of the window in which responses usually are
_POOR = 1.3
_FADES, _ACCIDENT = 1.2, 2.0


@functools.lru_cache(maxsize=8)
def _forms(n_before: int, first_gap: int, last_gap: int, n: int, step: float) -> tuple[np.ndarray, ...]:
    """Pairs of forms orthonormal outside the gap, what they are made of, and the time of the samples, gap last."""
    made_of = [(slow, fast, 0.0) for fast in (0.0004, 0.0009) for slow in DECAYS[1.4 * fast < DECAYS]]
    coarse = DECAYS[::2]
    made_of += [(one, _ALIKE * one, 0.0) for one in coarse[coarse < 0.05]]
    made_of += [(coarse[i], coarse[j], 0.0) for i in range(len(coarse)) for j in range(i + 1, len(coarse))]
    usable = np.append(_SLOW_FREQUENCIES, _FREQUENCIES[0.4 / step > _FREQUENCIES])
    made_of += [(decay, 0.0, frequency) for decay in _RING_DECAYS for frequency in usable]
    parameters = np.array(made_of)
    time = np.arange(n) * step
    time = np.concatenate([time[:first_gap], time[last_gap:], time[first_gap:last_gap]])
    n_fit = n - (last_gap - first_gap)
    return orthonormal(parameters, n_fit, time[:n_fit]), parameters, time


def explain_whole(
    recorded: np.ndarray, traces: np.ndarray, noise: np.ndarray, split: int, limit: float, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Take away tails fitted to the stretch before the window and the window together.

    Where that leaves noise throughout there is no response, and the tail is known. What the tails of such trials have
    in common is fitted before the window, and continued, in the others. Where no trial is without response, the tail
    is fitted before and after the part of the window in which responses usually are.

    Parameters
    ----------
    recorded : array, shape (n_trials, n_samples or more)
        About their baseline, with the tail; they may reach beyond the window.
    traces : array, shape (n_trials, n_samples)
        The same as a continuation of the stretch before the window leaves them; changed in place.
    noise : array, shape (n_trials,)
    split : int
        Sample at which the window begins.
    limit : float
        Power, in units of the noise, that blocks of noise seldom exceed.
    step : float
        s.

    Returns
    -------
    known : array of bool, shape (n_trials,)
        Trials whose tail is known now.
    left : array, shape (n_trials,)
        Standard deviation of what is left of them before the window.
    """
    n, length = traces.shape
    known, left = np.zeros(n, bool), np.full(n, np.nan)
    block = max(round(_BLOCK / step), 3)
    gap_end = split + int(_GAP * (length - split))
    # beside a gap only tails are sought that a continuation has missed
    astray = np.mean(traces[:, gap_end:] ** 2, axis=1) > limit * noise**2
    begins = np.mean(traces[:, split : split + block] ** 2, axis=1)
    unrest = ~astray & (begins > limit * noise**2)
    for gap, stop in ((split, length), (gap_end, recorded.shape[1])):
        for share in _SHARES:
            begin = split - max(int(split * share), min(3, split))
            todo = np.flatnonzero(~known if gap == split else ~known & (astray | unrest))
            if not todo.size:
                return known, left
            power = np.mean(traces[todo, split:] ** 2, axis=1) / noise[todo] ** 2
            tails, loudest = _common_tails(
                recorded[todo, begin:stop], noise[todo], split - begin, gap - begin, step, power, block
            )
            good = loudest <= _LEFT * limit
            if good.sum() < max(2, _ENOUGH * todo.size) and n > 1:
                continue
            tails = tails[:, : length - begin]
            rest = recorded[todo, begin:length] - tails
            taken = good.copy()
            if gap == split and not good.all():
                shapes = np.linalg.svd(tails[good] / noise[todo[good], None], full_matrices=False)[2][:_SHAPES]
                others = np.flatnonzero(~good)
                before = shapes[:, : split - begin]
                weights = np.linalg.lstsq(before.T, recorded[todo[others], begin:split].T, rcond=1e-3)[0]
                rest[others] = recorded[todo[others], begin:length] - weights.T @ shapes
                sd = np.sqrt(np.mean(rest[others, : split - begin] ** 2, axis=1))
                taken[others] = sd <= _POOR * noise[todo[others]]
            elif gap != split:  # a tail that was sought for what the window begins with must explain that
                begins = np.mean(rest[:, split - begin : split - begin + block] ** 2, axis=1)
                taken = good & (~unrest[todo] | (begins <= limit * noise[todo] ** 2))
            # A tail fades: forms that are larger in the window than all that was recorded before it are a response.
            tail = np.abs(recorded[todo, begin:length] - rest)[:, split - begin :].max(axis=1)
            before = np.abs(recorded[todo, begin:split]).max(axis=1)
            taken &= tail <= _FADES * before + _ACCIDENT * noise[todo]
            # known or not, a tail that is there makes a trace smaller when it is taken away
            taken &= np.mean(rest[:, split - begin :] ** 2, axis=1) <= power * noise[todo] ** 2
            done = todo[taken]
            traces[done, begin:] = rest[taken]
            traces[done, :begin] = 0.0
            left[done] = np.sqrt(np.mean(rest[taken, : split - begin] ** 2, axis=1))
            known[done] = True
    return known, left


def _common_tails(
    y: np.ndarray, noise: np.ndarray, first_gap: int, last_gap: int, step: float, power: np.ndarray, block: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tails of the forms that suit the quietest trials best, and the power of the loudest block they leave.

    They are fitted outside the gap; that power is in units of the noise.
    """
    some = np.argsort(power, kind="stable")[: min(max(int(np.ceil(_REFERENCES * len(y))), 3), _MOST)]
    forms, parameters, time = _forms(first_gap, first_gap, last_gap, y.shape[1], step)
    n_fit = forms.shape[2]
    fit = np.concatenate([y[:, :first_gap], y[:, last_gap:]], axis=1)
    weights = 1.0 / (noise[some] ** 2 * some.size)
    made_of = np.empty((0, 3))
    rest, tails = fit, np.zeros_like(y)
    for _ in range(_FITS):
        if np.median(np.mean(rest[some] ** 2, axis=1) / noise[some] ** 2) <= _NOTHING:
            break
        best = int(np.einsum("i,ij->j", weights, gains(rest[some], forms)[1]).argmax())
        made_of = np.concatenate([made_of, refined(parameters[best], rest[some], weights, time)[None]])
        if len(made_of) > 1:  # a later form changes what suits the first ones
            made_of = polished(made_of, fit[some] / noise[some, None], time)
        basis = np.concatenate(orthonormal(made_of, n_fit, time))
        u, s, shapes = np.linalg.svd(basis[:, :n_fit], full_matrices=False)
        some_shapes = s > 1e-5 * s[0]
        inner = fit @ shapes[some_shapes].T
        rest = fit - inner @ shapes[some_shapes]
        tails = (inner / s[some_shapes]) @ u[:, some_shapes].T @ basis
    n_late = n_fit - first_gap
    tails = np.concatenate([tails[:, :first_gap], tails[:, n_fit:], tails[:, first_gap:n_fit]], axis=1)
    stretches = [rest[:, :first_gap], rest[:, n_fit - n_late // block * block :].reshape(len(y), -1, block)]
    loudest = [np.mean(part**2, axis=-1).reshape(len(y), -1) for part in stretches]
    return tails, np.concatenate(loudest, axis=1).max(axis=1) / noise**2
