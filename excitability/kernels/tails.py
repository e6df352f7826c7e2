"""The stretch after the pulse cut out of each trial, and whether a continued tail is there at all."""

from __future__ import annotations

import numpy as np

from ._jit import njit
from .windows import range_of


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
def _rise(row, level, without, first, block):
    """Power of a block of the record, and by how much it grew when the tail was taken away."""
    before = after = 0.0
    for j in range(first, first + block):
        before += (row[j] - level) * (row[j] - level)
        after += without[j] * without[j]
    return before / block, (after - before) / block


@njit
def _ended(row, level, without, first, last):
    """Sample between two at which the tail must have ended for the least power to be left."""
    best = change = 0.0
    at = first
    for j in range(first, last):
        change += without[j] * without[j] - (row[j] - level) * (row[j] - level)
        if change < best:
            best = change
            at = j + 1
    return at


@njit
def _jumps(row, level, without, at, noise):
    """Whether the record jumps by half the tail where that is said to end."""
    step = abs(row[at] - row[at - 1])
    return step > 3.0 * noise and step > 0.5 * abs(row[at] - level - without[at])


@njit
def _small(row, level, without, first, least):
    """Whether a tail stays below ``least``: in its first samples, and after them wherever it is looked at."""
    largest = 0.0
    for j in range(first):
        largest = max(largest, abs(row[j] - level - without[j]))
    for j in range(first, row.size, 5):
        largest = max(largest, abs(row[j] - level - without[j]))
    return largest <= least


@njit
def refuse_tails(x, base, noise, traces, trials, begin, split, block, raised, quiet, clear, wider, least):
    """Put the record back from where it contradicts the tail taken away from it, in place.

    A continued tail is contradicted where taking it away raises the power of the window's first block. Later it is
    where the record is quiet (there is neither tail nor response) although the tail is not small, and either the
    record jumps there by half the tail or the next block says the same: a response may cancel a tail for a moment.
    Nor does a tail hold without which the window's trace spans more than the record.

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
    wider : tuple of float
        Factor of the record's span and standard deviations of the noise by both of which that is exceeded.
    least : float
        Standard deviations of the noise below which a tail is not worth the question.

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
        if _small(row, level, without, min(2 * block, length), least * noise[i]):
            continue
        for first in range(0, length - block + 1, block):
            before, rise = _rise(row, level, without, first, block)
            if rise <= clear * power or not (before <= quiet * power or (first == 0 and rise > (raised - 1) * before)):
                continue
            # a response may have hidden the jump with which the tail ended before
            at = _ended(row, level, without, 0, first + block)
            if not (0 < at < length and _jumps(row, level, without, at, noise[i])):
                at = _ended(row, level, without, max(first - block, 0), first + block)
            sure = at == 0 or (at < length and _jumps(row, level, without, at, noise[i]))
            if not sure and first + 2 * block <= length:
                before, rise = _rise(row, level, without, first + block, block)
                sure = before <= quiet * power and rise > clear * power
            if sure:
                held[k] = at
                break
        for j in range(held[k], length):
            without[j] = row[j] - level
        low, high, _ = range_of(row)
        lowest, highest, _ = range_of(without)
        span = highest - lowest
        if held[k] > 0 and span > wider[0] * (high - low) and span > high - low + wider[1] * noise[i]:
            held[k] = 0
            for j in range(length):
                without[j] = row[j] - level
    return held


@njit
def loudest_block(traces, trials, begin, block):
    """Largest mean square of the whole blocks of ``block`` samples from ``begin`` on, of each of ``trials``."""
    out = np.zeros(trials.size)
    for k in range(trials.size):
        row = traces[trials[k], begin:]
        for first in range(0, row.size - block + 1, block):
            power = 0.0
            for j in range(first, first + block):
                power += row[j] * row[j]
            out[k] = max(out[k], power / block)
    return out


@njit
def tail_sizes(x, base, traces, trials, held, begin, split, block):
    """What was taken away from the window of each of ``trials``, and what it held.

    Returns
    -------
    largest : array, shape (n_taken,)
        Largest sample of the tail.
    beyond : array of int, shape (n_taken,)
        Samples of the window before ``held`` that still have more than half of that.
    power : array, shape (n_taken,)
        Mean square of the record's first ``block`` samples in the window.
    """
    largest, power = np.zeros(trials.size), np.zeros(trials.size)
    beyond = np.zeros(trials.size, np.int64)
    for k in range(trials.size):
        i = trials[k]
        row, level, without = x[i, begin + split : begin + traces.shape[1]], base[i], traces[i, split:]
        for j in range(row.size):
            largest[k] = max(largest[k], abs(row[j] - level - without[j]))
        for j in range(held[k]):
            beyond[k] += abs(without[j]) > 0.5 * largest[k]
        for j in range(block):
            power[k] += (row[j] - level) * (row[j] - level) / block
    return largest, beyond, power


@njit
def first_rest(x, base, limit, begin, stop, length):
    """First sample from ``begin`` on at which ``length`` samples, all before ``stop``, have a mean square of ``limit``.

    Returns
    -------
    array of int, shape (n_trials,)
        −1 where every stretch has more, or a NaN.
    """
    out = np.full(x.shape[0], -1)
    for i in range(x.shape[0]):
        row, level, most = x[i], base[i], limit[i] * length
        first = begin
        while first + length <= stop:
            power = 0.0
            last_large = -1
            for j in range(first, first + length):
                value = (row[j] - level) * (row[j] - level)
                power += value
                if not value <= most:  # no stretch with this sample is at rest
                    last_large = j
            if power <= most:
                out[i] = first
                break
            first = last_large + 1 if last_large >= 0 else first + 1
    return out
