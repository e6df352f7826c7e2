"""The stretch after the pulse cut out of each trial, and whether a continued tail is there at all."""

from __future__ import annotations

import numpy as np

from ._jit import njit


@njit
def cut_out(x, base, start, split, stop):
    """``x[:, start:stop]`` about each trial's ``base``, and the mean square of what lies before ``split``.

    Returns
    -------
    array, shape (n_trials, stop - start)
    array, shape (n_trials,)
        NaN where a sample before ``split`` is NaN; such samples are 0 in the first array.
    """
    out = np.empty((x.shape[0], stop - start))
    power = np.empty(x.shape[0])
    n_before = split - start
    for i in range(x.shape[0]):
        row, to, level = x[i, start:stop], out[i], base[i]
        a = b = c = d = 0.0
        for j in range(row.size):
            to[j] = row[j] - level
        even = n_before - n_before % 4
        for j in range(0, even, 4):
            a += to[j] * to[j]
            b += to[j + 1] * to[j + 1]
            c += to[j + 2] * to[j + 2]
            d += to[j + 3] * to[j + 3]
        for j in range(even, n_before):
            a += to[j] * to[j]
        power[i] = ((a + b) + (c + d)) / n_before
        if power[i] != power[i]:
            for j in range(n_before):
                if to[j] != to[j]:
                    to[j] = 0.0
    return out, power


@njit
def refuse_tails(x, base, noise, traces, trials, begin, split, block, raised, quiet, clear):
    """Put the record back from where it contradicts the tail taken away from it, in place.

    A continued tail is contradicted where taking it away raises the power of the first block of the window, or where
    the record is quiet (there is neither tail nor response) although the tail is not small.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Recorded trials; ``traces`` begin at their sample ``begin``.
    base, noise : array, shape (n_trials,)
    traces : array, shape (n_trials, n_samples)
    trials : array of int, shape (n_taken,)
        Those that lost a tail.
    begin, split, block : int
        Sample of ``x`` at which the traces begin, sample of the traces where the window does, samples of a block.
    raised : float
        Factor by which the power of the first block may grow.
    quiet, clear : float
        Power, in units of the noise, up to which a block of the record is quiet, and by which it must grow.

    Returns
    -------
    array of int, shape (n_taken,)
        Samples of the window for which the tail holds.
    """
    held = np.empty(trials.size, np.int64)
    length = traces.shape[1] - split
    for k in range(trials.size):
        i = trials[k]
        row, level, without = x[i, begin + split : begin + traces.shape[1]], base[i], traces[i, split:]
        power = noise[i] * noise[i]
        held[k] = length
        for first in range(0, length - block + 1, block):
            before = after = 0.0
            for j in range(first, first + block):
                before += (row[j] - level) * (row[j] - level)
                after += without[j] * without[j]
            before /= block
            after /= block
            if after - before <= clear * power:
                continue
            if before <= quiet * power or (first == 0 and after > raised * before):
                held[k] = first
                break
        for j in range(held[k], length):
            without[j] = row[j] - level
    return held
