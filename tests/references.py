"""Slow, obvious twins of every kernel: the definition written with slices, one trial at a time.

``REFERENCES`` pairs each kernel with its twin; the tests and the benchmarks both read it.
"""

from __future__ import annotations

import functools
import itertools
import operator

import numpy as np
from scipy.stats import gumbel_r, norm

from excitability.kernels import contrast, edge, fits, likeness, onset, shape, silence, tails, windows
from excitability.kernels import transitions as states


def level(x, start, stop):
    rows = []
    for trial, a, b in zip(x, start, stop, strict=True):
        part = trial[a:b]
        deviation = part - part.mean()
        rows.append([part.mean(), np.sqrt(np.mean(deviation**2)), np.mean(np.abs(deviation))])
    return np.array(rows)


def extremes(x, start, stop):
    values, at = [], []
    for trial, a, b in zip(x, start, stop, strict=True):
        part = trial[a:b]
        if np.isnan(part).any():
            values.append([np.nan, np.nan])
            at.append([-1, -1])
        else:
            values.append([part.min(), part.max()])
            at.append([a + part.argmin(), a + part.argmax()])
    return np.array(values), np.array(at)


def held(x, at, stop, run):
    out = np.zeros(len(x), bool)
    for i, row in enumerate(x):
        for place in at[i]:
            if place >= 0:
                same = "".join("=" if value == row[place] else " " for value in row[place : stop[i]])
                out[i] |= "=" * run in same
    return out


def longest_constant(x, start, stop):
    parts = [row[a:b] for row, a, b in zip(x, start, stop, strict=True)]
    return np.array([max(len(list(same)) for _, same in itertools.groupby(part)) for part in parts])


def fingerprints(bits, stop):
    out = []
    for row in bits[:, :stop]:
        words = [f"{int(value):064b}" for value in row]
        turned = [word[j % 63 + 1 :] + word[: j % 63 + 1] for j, word in enumerate(words)]
        out.append(functools.reduce(operator.xor, (int(word, 2) for word in turned)))
    return np.array(out, dtype=np.uint64)


def span(x, start, stop):
    return x[:, start:stop].max(axis=1) - x[:, start:stop].min(axis=1)


def smoothed(x, weights):
    return np.array([np.correlate(row, weights, mode="valid") if row.size > weights.size else row for row in x])


def rested_share(x, start, stop, run):
    out = []
    for row, a, b in zip(x, start, stop, strict=True):
        part = row[a:b]
        on = [part == part.min(), part == part.max()]
        longest = max((len(list(same)) for side in on for hit, same in itertools.groupby(side) if hit), default=0)
        out.append(max(side.mean() for side in on) if longest >= run else 0.0)
    return np.array(out)


def rectified_area(x, start, stop, centre, step):
    out = []
    for trial, a, b, c in zip(x, start, stop, centre, strict=True):
        if not b > a:
            out.append(np.nan)
            continue
        rectified = np.abs(trial - c)
        places = np.unique(np.concatenate([[a, b], np.arange(np.ceil(a), np.floor(b) + 1)]))
        places = places[(places >= a) & (places <= b)]
        out.append(np.trapezoid(np.interp(places, np.arange(trial.size), rectified), places) * step)
    return np.array(out)


def largest_contrast(x, start, stop, widths):
    shape = (len(x), len(widths))
    largest, squares = np.full(shape, np.nan), np.zeros(shape)
    at, count = np.full(shape, -1), np.zeros(shape, int)
    for i, trial in enumerate(x):
        for k, w in enumerate(widths):
            middles = range(start[i] + w, stop[i] - w + 1)
            values = np.array([trial[m : m + w].mean() - trial[m - w : m].mean() for m in middles])
            if values.size == 0 or np.isnan(values).any():
                continue
            largest[i, k] = np.abs(values).max()
            at[i, k] = middles[np.abs(values).argmax()]
            squares[i, k] = np.sum(values**2)
            count[i, k] = values.size
    return largest, at, squares, count


def contrast_power(x, start, stop, widths):
    squares, count = np.zeros((len(x), len(widths))), np.zeros((len(x), len(widths)), int)
    for i, trial in enumerate(x):
        for k, w in enumerate(widths):
            for m in range(start[i] + w, stop[i] - w + 1, max(1, w // 3)):
                squares[i, k] += (trial[m : m + w].mean() - trial[m - w : m].mean()) ** 2
                count[i, k] += 1
    return squares, count


def contrast_apart(x, trials, start, stop, begin, length, guard, widths):
    x, start, stop = x[trials], start[trials], stop[trials]
    largest, inside, apart = np.full((3, len(begin), len(x), len(widths)), np.nan)
    at = np.full(largest.shape, -1)
    for s, first in enumerate(begin):
        last = first + length
        own = largest_contrast(x, start + first, np.minimum(start + last, stop), widths)
        before = largest_contrast(x, start, start + np.maximum(first - guard, 0), widths)
        after = largest_contrast(x, np.minimum(start + last + guard, stop), stop, widths)
        found = (own[3] > 0) & (before[3] + after[3] > 0)
        largest[s][found] = own[0][found]
        at[s][found] = (own[1] - start[:, None] - first)[found]
        inside[s][found] = (own[2] / np.maximum(own[3], 1))[found]
        apart[s][found] = ((before[2] + after[2]) / np.maximum(before[3] + after[3], 1))[found]
    return largest, inside, apart, at


def running_mean(source, n, half, target):
    for j in range(n):
        target[j] = source[max(0, j - half) : min(n, j + half + 1)].mean()


def _smoothed(part, half):
    first, second = np.empty(part.size), np.empty(part.size)
    running_mean(part, part.size, half, first)
    running_mean(first, part.size, half, second)
    return second


def smoothed_squares(x, start, stop, half):
    return np.array([_smoothed(trial[a:b], half).var() for trial, a, b in zip(x, start, stop, strict=True)])


def smallest_power(x, start, stop, centre, width):
    out = []
    for trial, a, b, c in zip(x, start, stop, centre, strict=True):
        square = (trial[a:b] - c) ** 2
        out.append(min(square[k : k + width].mean() for k in range(square.size - width + 1)))
    return np.array(out)


def quietest_stretch(x, start, stop, centre, limit, half, longest_burst):
    """The sum that is kept, of all sums of its kind: it never falls by more than a burst, and begins above nothing."""
    out = []
    for trial, a, b, c, most in zip(x, start, stop, centre, limit, strict=True):
        power = np.empty(b - a)
        running_mean((trial[a:b] - c) ** 2, b - a, half, power)
        evidence = np.clip(np.log(most / power) / 0.69, -1, 1)
        best = (0, 0, 0.0)
        first = 0
        while first < evidence.size:
            sums = np.cumsum(evidence[first:])
            fall = np.maximum.accumulate(np.maximum(sums, 0)) - sums
            over = np.flatnonzero((sums <= 0) | (fall > longest_burst))
            length = over[0] if over.size else sums.size
            if length and sums[:length].max() > best[2]:
                best = (a + first, a + first + sums[:length].argmax() + 1, sums[:length].max())
            first += length + 1
        out.append(best)
    return np.array(out, float)


def silent_run(trace, start, stop, limit, below, above, share):
    out = []
    for row, a, b, most in zip(trace, start, stop, limit, strict=True):
        quiet = row < most
        begins = [j for j in range(a, b - below + 1) if quiet[j : j + below].all()]
        ends = [
            k
            for k in range(begins[0] + below if begins else b, b - above + 1)
            if row[k] >= most and np.sum(row[k : k + above] >= most) >= share * above
        ]
        out.append([begins[0] if begins else -1, ends[0] if ends else -1])
    return np.array(out)


def return_onset(x, guess, reach, first, last, centre, quiet, active, ramps, samples):
    out = []
    for i, trial in enumerate(x):
        if guess[i] < 0:
            out.append(np.nan)
            continue
        low = max(first[i], guess[i] - reach - max(ramps))
        high = min(last, guess[i] + reach)
        end = min(last, high + max(ramps))
        place = np.arange(low, end)
        square = (trial[low:end] - centre[i]) ** 2
        costs = {}
        for ramp in ramps:
            for tau in range(low, high):
                gain = np.clip((place - tau + 0.5) / ramp, 0, 1)
                gain[place < tau] = 0
                variance = quiet[i] + active[i] * gain**2
                costs[tau, ramp] = np.sum(np.log(variance) + square / variance)
        keys, values = zip(*costs.items(), strict=True)
        weights = np.exp(-0.5 * (np.array(values) - min(values)) / samples)
        out.append(np.average([tau for tau, _ in keys], weights=weights))
    return np.array(out)


def response_end(s, base, peak, n, limit, quiet_run):
    outside = [j for j in range(peak, n) if abs(s[j] - base) > limit] or [peak]
    last = peak
    for j in outside:
        if j - last > quiet_run + 1:
            break
        last = j
    return min(last + 1, n - 1)


def rising_edge(x, start, search, stop, half, threshold, floor, gap, min_run, lookback, guard, quiet_run, fractions):
    """The crossings, from the phase that the kernel's own ``first_phase`` names (tested by itself)."""
    out = np.full((len(x), 5 + len(fractions)), np.nan)
    for i, trial in enumerate(x):
        if half[i] < 0:
            continue
        s = _smoothed(trial[start:stop], half[i])
        inside = search - start
        span = np.ptp(s[inside:])
        limit = max(threshold[i], floor * span)
        before = s[max(0, inside - lookback) : max(inside, 1)]
        base = before.mean()
        main = inside + np.abs(s[inside:] - base).argmax()
        begin, peak = edge.first_phase(s, base, inside, main, limit, gap, min_run)
        quiet = s[max(0, begin - guard - lookback) : max(begin - guard, 0)]
        if quiet.size >= lookback // 2:
            base = quiet.mean()
            main = inside + np.abs(s[inside:] - base).argmax()
            begin, peak = edge.first_phase(s, base, inside, main, limit, gap, min_run)
        end = response_end(s, base, peak, s.size, max(0.75 * threshold[i], 0.015 * span), quiet_run)
        height = s[peak] - base
        out[i, :5] = span, height, start + peak, base, start + end
        upright = (s - base) * np.sign(height)
        for k, fraction in enumerate(fractions):
            target = fraction * span
            below = [j for j in range(peak) if upright[j] <= target]
            if target >= abs(height):
                out[i, 5 + k] = start + peak
            elif below:
                j = below[-1]
                out[i, 5 + k] = start + j + (target - upright[j]) / (upright[j + 1] - upright[j])
            else:
                out[i, 5 + k] = start
    return out


def onset_on_edge(edges, fractions, readable, weights, earliest, latest, steep):
    onset, steepness, lowest = [], [], []
    for row in edges:
        crossings, noise, widening = row[5:-2], row[-2], row[-1]
        level = int(np.clip(np.sum(fractions * row[0] >= readable * noise) - 1, 1, fractions.size - 1))
        lags = np.zeros(weights.shape[1] - 2)
        above = crossings[:level][::-1][: lags.size] - crossings[level]
        lags[: above.size] = above
        way = weights[level - 1] @ [*lags, row[2] - crossings[level], widening]
        if widening > 0:
            way = np.clip(way, earliest[level - 1] * widening, latest[level - 1] * widening)
        onset.append(crossings[level] + way)
        steepness.append(max(lags[:steep].max(), 0.5))
        lowest.append(level)
    return np.array(onset), np.array(steepness), np.array(lowest)


def take_forms(traces, begin, trials, which, weights, forms):
    for trial, form, pair in zip(trials, which, weights.T, strict=True):
        traces[trial, begin:] -= pair @ forms[:, form]


def cut_out(x, base, start, split, stop):
    out = x[:, start:stop] - base[:, None]
    power = np.mean(out[:, : split - start] ** 2, axis=1)
    out[:, : split - start] = np.where(np.isnan(out[:, : split - start]), 0.0, out[:, : split - start])
    return out, power


def refuse_tails(x, base, noise, traces, trials, begin, split, block, raised, quiet, clear, wider, least):
    """All powers in units of the noise."""
    held = []
    for i in trials:
        record = (x[i] - base[i])[begin + split : begin + traces.shape[1]] / noise[i]
        without = traces[i, split:] / noise[i]
        tail = np.abs(record - without)
        if max(tail[: 2 * block].max(), tail[2 * block :: 5].max(initial=0.0)) <= least:
            held.append(len(record))
            continue
        n = len(record) // block
        before = np.mean(record[: n * block].reshape(n, block) ** 2, axis=1)
        rise = np.mean(without[: n * block].reshape(n, block) ** 2, axis=1) - before
        contradicted = (rise > clear) & (before <= quiet)
        until = len(record)
        for k in range(n):
            if contradicted[k] or (k == 0 and rise[0] > clear and rise[0] > (raised - 1) * before[0]):
                for earliest in (0, max(k - 1, 0) * block):
                    ends = range(earliest, (k + 1) * block + 1)
                    left = [np.sum(without[earliest:j] ** 2) + np.sum(record[j : (k + 1) * block] ** 2) for j in ends]
                    at = ends[int(np.argmin(left))]
                    jump = abs(record[at] - record[at - 1]) if 0 < at < len(record) else 0.0
                    jumps = jump > max(3, abs(record - without)[min(at, len(record) - 1)] / 2)
                    if jumps:
                        break
                if at == 0 or jumps or contradicted[k + 1 : k + 2].any():
                    until = at
                    break
        without[until:] = record[until:]
        if np.ptp(without) > max(wider[0] * np.ptp(record), np.ptp(record) + wider[1]):
            until = 0
        traces[i, split + until :] = record[until:] * noise[i]
        held.append(until)
    return np.array(held)


def loudest_block(traces, trials, begin, block):
    rows = traces[trials, begin:]
    return np.array(
        [
            max([np.mean(b**2) for b in np.split(r, range(block, r.size, block)) if b.size == block] + [0.0])
            for r in rows
        ]
    )


def tail_sizes(x, base, traces, trials, held, begin, split, block):
    record = (x - base[:, None])[trials, begin + split : begin + traces.shape[1]]
    without = traces[trials, split:]
    largest = np.abs(record - without).max(axis=1)
    pairs = zip(without, largest, held, strict=True)
    beyond = [np.count_nonzero(np.abs(row[:until]) > size / 2) for row, size, until in pairs]
    return largest, np.array(beyond), np.mean(record[:, :block] ** 2, axis=1)


def first_rest(x, base, limit, begin, stop, length):
    out = []
    for row, level, most in zip(x, base, limit, strict=True):
        starts = [k for k in range(begin, stop - length + 1) if np.mean((row[k : k + length] - level) ** 2) <= most]
        out.append(starts[0] if starts else -1)
    return np.array(out)


def responses_among(score, size, node_score, node_size, slope, means, spreads, shares, log_prior, certain):
    """Without nodes: every trial by itself, and no short cut for scores beyond ``certain``."""
    slope = np.interp(score, node_score, slope)
    weights, posteriors = [], []
    for (mean, log_weight), spread, share in itertools.product(zip(means, log_prior, strict=True), spreads, shares):
        law = norm(mean, spread)
        own = np.maximum(law.pdf(size) * slope, 1e-12)
        either = own * gumbel_r.cdf(score) + law.cdf(size) * gumbel_r.pdf(score)
        both = share * either + (1 - share) * gumbel_r.pdf(score)
        weights.append(log_weight + np.sum(np.log(both / gumbel_r.pdf(score))))
        posteriors.append(share * either / both)
    weights = np.exp(np.array(weights) - max(weights))
    return weights @ np.array(posteriors) / weights.sum()


def aligned(x, begin, length, scale):
    places = np.arange(x.shape[1])
    rows = [np.interp(a + np.arange(length), places, trial) for trial, a in zip(x, begin, strict=True)]
    return np.array(rows) / scale[:, None]


def best_lag(x, first, n_lags, weights):
    out = []
    for trial in x:
        curve = np.array([weights @ trial[first + lag : first + lag + weights.size] for lag in range(n_lags)])
        at = curve.argmax()
        inner = np.clip(at, 1, n_lags - 2)
        bend, slope, _ = np.polyfit([-1, 0, 1], curve[inner - 1 : inner + 2], 2)
        out.append([at - (slope / (2 * bend) if bend < 0 and at == inner else 0.0), curve[at], 2 * bend])
    return np.array(out)


def toeplitz_solution(column, target):
    apart = np.abs(np.subtract.outer(np.arange(column.size), np.arange(column.size)))
    return np.linalg.solve(column[apart], target)


def first_run(x, start, stop, low, high, length):
    out = []
    for trial, a, b, least, most in zip(x, start, stop, low, high, strict=True):
        outside = (trial < least) | (trial > most)
        begins = [j for j in range(a, b - length + 1) if outside[j : j + length].all()]
        out.append(begins[0] if begins else -1)
    return np.array(out)


def back_to_level(x, start, peak, centre, height):
    out = []
    for trial, a, p, c, h in zip(x, start, peak, centre, height, strict=True):
        within = [j for j in range(a, p + 1) if abs(trial[j] - c) <= h]
        out.append(within[-1] + 1 if within and within[-1] < p else -1)
    return np.array(out)


def longest_rise(x, start, stop, length):
    out = []
    for trial, a, b in zip(x, start, stop, strict=True):
        part = trial[a:b] if trial[a:b].argmax() < trial[a:b].argmin() else -trial[a:b]
        peak = part.argmax()
        runs = [(k - j, -j) for j in range(peak) for k in range(j, peak + 1) if (np.diff(part[j : k + 1]) > 0).all()]
        longest, begin = max(runs, default=(0, 0))
        out.append(a - begin if longest > length else -1)
    return np.array(out)


def variance_change(x, start, stop, less):
    out = []
    for trial, a, b in zip(x, start, stop, strict=True):
        part, n = trial[a:b], b - a
        cost = {k: k * np.log(part[:k].var()) + (n - k - less) * np.log(part[k:].var()) for k in range(2, n - 1)}
        out.append(a + min(cost, key=cost.get) if cost else -1)
    return np.array(out)


def first_mean_change(x, start, stop, centre, changes):
    """By trying every set of cuts."""
    out = []
    for trial, a, b, c in zip(x, start, stop, centre, strict=True):
        part = np.abs(trial[a:b] - c)
        cuts = itertools.combinations(range(1, part.size), changes)
        best = min(cuts, key=lambda cut: sum(piece.var() * piece.size for piece in np.split(part, cut)))
        out.append(a + best[0])
    return np.array(out)


def cusum_alarm(x, start, stop, centre, drift, limit, weight):
    out = []
    for trial, a, b, c, d, most in zip(x, start, stop, centre, drift, limit, strict=True):
        alarms = []
        for sign in (1, -1):
            gain = np.concatenate([[0], np.cumsum(weight * (sign * (trial[a:b] - c) - d))])
            above = np.flatnonzero((gain - np.minimum.accumulate(gain))[1:] > most)
            alarms.extend(a + above[:1])
        out.append(min(alarms, default=-1))
    return np.array(out)


def _smoothed_from(trial, begin, half):
    rest = trial[begin:]
    target = np.empty(rest.size)
    for _ in range(2):
        running_mean(rest, rest.size, half, target)
        rest, target = target, np.empty(rest.size)
    return rest


def ends_at(x, start, search, half, limits, quiet_run):
    out = np.full(limits.shape, np.nan)
    for i, trial in enumerate(x):
        if start[i] < 0:
            continue
        begin = max(start[i] - 2 * half, 0)
        s = np.abs(_smoothed_from(trial, begin, half))
        peak = start[i] - begin + s[start[i] - begin : search - begin].argmax()
        for k, limit in enumerate(limits[i]):
            loud = [peak, *(j for j in range(peak, s.size) if s[j] > limit)]
            last = next((a for a, b in itertools.pairwise([*loud, 10**9]) if b - a > quiet_run + 1), None)
            if last >= s.size - 1:
                out[i, k] = begin + s.size - 1
            else:
                over, under = max(s[last] - limit, 0.0), limit - s[last + 1]
                out[i, k] = begin + last + over / max(over + under, 1e-300)
    return out


def turns_and_phases(x, start, stop, half, least):
    out = np.zeros((len(x), 2), int)
    for i, trial in enumerate(x):
        if stop[i] <= start[i]:
            continue
        begin = max(start[i] - 2 * half, 0)
        s = _smoothed_from(trial[: stop[i] + 2 * half], begin, half)[start[i] - begin : stop[i] - begin]
        far = [np.sign(value) for value in s if abs(value) >= least[i]]
        out[i, 1] = sum(1 for _ in itertools.groupby(far))
        # extremes of a path that turns back by at least `least`: the textbook zigzag
        path, extremes_, sign = [0.0, *s, 0.0], [0.0], 0
        for value in path:
            if sign * (value - extremes_[-1]) > 0:
                extremes_[-1] = value
            elif sign == 0 and value - min(path[: path.index(value) + 1]) >= least[i]:
                sign = 1
                extremes_.append(value)
            elif sign == 0 and max(path[: path.index(value) + 1]) - value >= least[i]:
                sign = -1
                extremes_.append(value)
            elif sign and sign * (extremes_[-1] - value) >= least[i]:
                sign = -sign
                extremes_.append(value)
        peaks = extremes_[1:-1]
        signs = [np.sign(b - a) for a, b in itertools.pairwise(extremes_[1:])]
        out[i, 0] = sum(-turn * peak >= least[i] for turn, peak in zip(signs, peaks, strict=True))
    return out


def continued(traces, x, base, artefact, length, stop, until):
    out = []
    for i, trace in enumerate(traces):
        ahead = x[i, stop:until] - base[i]
        if np.isfinite(artefact[i]):
            before, taken = x[i, [stop - length, stop - 1]] - base[i] - trace[[-length, -1]]
            if 0 < taken / before < 1:
                ahead = ahead - taken * (taken / before) ** (np.arange(1, until - stop + 1) / (length - 1))
        out.append(np.append(trace, ahead))
    return np.nan_to_num(out, posinf=0.0, neginf=0.0)


def quietest_pair(x, start, block):
    out = np.full(len(x), np.inf)
    for i, row in enumerate(x):
        for begin in range(0, row.size - 2 * block + 1, block):
            if begin > start[i] >= 0:
                out[i] = min(out[i], np.mean(row[begin : begin + 2 * block] ** 2))
    return out


def drowned_background(x, quiet_start, quiet_stop, base, noise, traces, start, stop, left):
    def weight(u):
        return (1 - (u / 1.25) ** 2) * np.exp(-(u**2) / 2)

    out = np.full(len(x), np.nan)
    for i in range(len(x)):
        if not stop[i] > start[i]:
            continue
        quiet = x[i, quiet_start[i] : quiet_stop[i]] - base[i]
        scale = np.abs(quiet).sum() / weight(quiet / noise[i]).sum()
        total = 0.0
        for j, u in enumerate(traces[i]):
            share = max(0.0, min(j + 0.5, stop[i]) - max(j - 0.5, start[i]))
            part = np.interp(j, [start[i], stop[i]], [1.0, left[i]])
            if part > 0:
                total += share * part * weight(u / (noise[i] * part))
        out[i] = scale * total
    return out


def transitions(x, thresholds):
    distance = np.abs(x[:, None] - x)
    return np.array([np.sum(np.diff((distance <= limit).astype(int), axis=1) != 0) for limit in thresholds])


def median_distance(x):
    return np.median(np.abs(x[:, None] - x))


REFERENCES = {
    "median_distance": (states.median_distance, median_distance),
    "transitions": (states.transitions, transitions),
    "ends_at": (shape.ends_at, ends_at),
    "turns_and_phases": (shape.turns_and_phases, turns_and_phases),
    "drowned_background": (shape.drowned_background, drowned_background),
    "continued": (shape.continued, continued),
    "quietest_pair": (shape.quietest_pair, quietest_pair),
    "level": (windows.level, level),
    "extremes": (windows.extremes, extremes),
    "held": (windows.held, held),
    "longest_constant": (windows.longest_constant, longest_constant),
    "fingerprints": (windows.fingerprints, fingerprints),
    "span": (windows.span, span),
    "smoothed": (windows.smoothed, smoothed),
    "rested_share": (windows.rested_share, rested_share),
    "rectified_area": (windows.rectified_area, rectified_area),
    "largest_contrast": (contrast.largest_contrast, largest_contrast),
    "contrast_power": (contrast.contrast_power, contrast_power),
    "contrast_apart": (contrast.contrast_apart, contrast_apart),
    "running_mean": (edge.running_mean, running_mean),
    "running_mean_by_sums": (edge.running_mean_by_sums, running_mean),
    "smoothed_squares": (edge.smoothed_squares, smoothed_squares),
    "response_end": (edge.response_end, response_end),
    "rising_edge": (edge.rising_edge, rising_edge),
    "onset_on_edge": (edge.onset_on_edge, onset_on_edge),
    "aligned": (likeness.aligned, aligned),
    "best_lag": (likeness.best_lag, best_lag),
    "toeplitz_solution": (likeness.toeplitz_solution, toeplitz_solution),
    "take_forms": (fits.take_forms, take_forms),
    "cut_out": (tails.cut_out, cut_out),
    "first_rest": (tails.first_rest, first_rest),
    "loudest_block": (tails.loudest_block, loudest_block),
    "tail_sizes": (tails.tail_sizes, tail_sizes),
    "refuse_tails": (tails.refuse_tails, refuse_tails),
    "responses_among": (fits.responses_among, responses_among),
    "smallest_power": (silence.smallest_power, smallest_power),
    "quietest_stretch": (silence.quietest_stretch, quietest_stretch),
    "silent_run": (silence.silent_run, silent_run),
    "return_onset": (silence.return_onset, return_onset),
    "first_run": (onset.first_run, first_run),
    "back_to_level": (onset.back_to_level, back_to_level),
    "longest_rise": (onset.longest_rise, longest_rise),
    "variance_change": (onset.variance_change, variance_change),
    "first_mean_change": (onset.first_mean_change, first_mean_change),
    "cusum_alarm": (onset.cusum_alarm, cusum_alarm),
}
