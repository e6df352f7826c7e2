"""Shapes of motor evoked potentials, made in three different ways so that no detector is fitted to one of them.

``template``
    A closed formula: soft onset (the response grows as u**1.8), one and a half slowing cycles, a share of the
    trials polyphasic.
``motor_units``
    A sum of motor-unit action potentials: units are recruited by size, fire on I waves 1.5 ms apart with
    jitter and different conduction times, some of them twice.
``volley``
    A point process: Poisson discharges under a descending volley, random sizes, convolved with the derivative
    of a double exponential and low-passed as an electrode does.
"""

from __future__ import annotations

import numpy as np
from scipy import signal

from ..schema import unknown_word

FINE_RATE = 20_000.0  # Hz; shapes are made on this grid and interpolated onto the sampling instants
SHAPE_LENGTH = 0.06  # s
ONSET_FRACTION = 0.01  # the onset is where the noise-free response exceeds this share of its peak-to-peak
_I_WAVE = 0.0015  # s between indirect waves
_N_UNITS = 90
_N_KERNELS = 9


def template_shapes(relative_size, person, rng):
    """Shapes from a formula, (n, n_fine); all trials of a call share a person's shape with small changes."""
    n = len(relative_size)
    u = np.arange(round(SHAPE_LENGTH * FINE_RATE)) / FINE_RATE
    person_period = 0.0085 * np.exp(0.12 * person.standard_normal())
    person_decay = person.uniform(0.85, 1.15)
    period = person_period * np.exp(0.06 * rng.standard_normal((n, 1)))
    decay = person_decay * period * np.exp(0.06 * rng.standard_normal((n, 1)))

    def wave(lag, period, decay):
        v = np.maximum(u - lag, 0.0)
        return (v / period) ** 0.8 * np.sin(2 * np.pi * (v / period) ** 0.92) * np.exp(-((v / decay) ** 2))

    shapes = wave(0.0, period, decay)
    polyphasic = np.flatnonzero(rng.random(n) < 0.2)
    if polyphasic.size:
        lag = rng.uniform(0.003, 0.008, (polyphasic.size, 1))
        weight = rng.uniform(0.3, 0.7, (polyphasic.size, 1))
        shapes[polyphasic] += weight * wave(lag, period[polyphasic] * 0.7, decay[polyphasic] * 0.8)
    return shapes


def motor_unit_potentials(rng, n_kernels=_N_KERNELS, rate=FINE_RATE, widening=1.0):
    """Surface motor-unit action potentials: tripoles of different width and asymmetry, (n_kernels, n_samples)."""
    t = np.arange(round(0.016 * widening * rate)) / rate
    width = widening * rng.uniform(0.0005, 0.0010, (n_kernels, 1))
    spacing = rng.uniform(1.9, 2.6, (n_kernels, 1)) * width
    tail = rng.uniform(0.1, 0.6, (n_kernels, 1))  # share of the trailing phase
    start = 4.0 * width

    def bump(centre, width):
        return np.exp(-0.5 * ((t - centre) / width) ** 2)

    potentials = (
        bump(start, width)
        - bump(start + spacing, width * 1.1) * (1 + tail) / 1.1
        + bump(start + spacing * 2.4, width * 1.5) * tail / 1.5
    )
    return potentials / np.ptp(potentials, axis=1, keepdims=True)


def _convolve_by_kernel(trains, kernels):
    """Sum over kernels of every train (n, k, m) convolved with its kernel (k, j); the first m samples."""
    length = trains.shape[-1] + kernels.shape[-1]
    spectrum = np.einsum("nkf,kf->nf", np.fft.rfft(trains, length), np.fft.rfft(kernels, length))
    return np.fft.irfft(spectrum, length)[:, : trains.shape[-1]]


def _unit_discharges(relative_size, sizes, conduction, rng):
    """Trial, unit and time of every discharge after one stimulus."""
    n = len(relative_size)
    share = np.clip(relative_size, 0.0, 1.0)
    recruited = np.maximum(np.searchsorted(np.cumsum(sizes) / sizes.sum(), share), 3)
    # recruitment fluctuates from trial to trial: a unit near the edge sometimes fires, sometimes does not
    rank = np.arange(len(sizes)) + rng.normal(0.0, 2.5, (n, len(sizes)))
    fires = rank < recruited[:, None]
    fires[:, 0] = True  # no response without a unit
    trial, unit = np.nonzero(fires)
    i_wave = rng.choice(4, size=trial.size, p=[0.40, 0.33, 0.19, 0.08])
    time = conduction[unit] + _I_WAVE * i_wave + rng.normal(0.0, 0.00035, trial.size)
    again = np.flatnonzero(rng.random(trial.size) < 0.15 * share[trial])
    trial = np.concatenate([trial, trial[again]])
    unit = np.concatenate([unit, unit[again]])
    time = np.concatenate([time, time[again] + rng.uniform(0.006, 0.010, again.size)])
    return trial, unit, time


def motor_unit_shapes(relative_size, person, rng):
    """Shapes as sums of motor-unit action potentials, (n, n_fine).

    ``relative_size`` in 0…1 is the share of the motor pool that the response takes: small responses are made
    of few units and are the more irregular for it.
    """
    n, length = len(relative_size), round(SHAPE_LENGTH * FINE_RATE)
    sizes = np.sort(np.exp(person.uniform(0.0, np.log(25.0), _N_UNITS)))
    # large units conduct faster; the spread of fibre and nerve conduction is what makes a response long
    conduction = 0.0026 - 0.0016 * np.linspace(0, 1, _N_UNITS) + person.normal(0.0, 0.0006, _N_UNITS)
    conduction = np.maximum(conduction, 0.0)
    kernels = motor_unit_potentials(person)
    kernel_of = person.integers(_N_KERNELS, size=_N_UNITS)
    trial, unit, time = _unit_discharges(relative_size, sizes, conduction, rng)
    place = np.clip((time + 0.0005) * FINE_RATE, 0, length - 2)
    bin_, part = place.astype(int), place % 1.0
    flat = (trial * _N_KERNELS + kernel_of[unit]) * length + bin_
    trains = np.bincount(flat, sizes[unit] * (1 - part), n * _N_KERNELS * length)
    trains += np.bincount(flat + 1, sizes[unit] * part, n * _N_KERNELS * length)
    return _convolve_by_kernel(trains.reshape(n, _N_KERNELS, length), kernels)


def volley_shapes(relative_size, person, rng):
    """Shapes as filtered point processes under a descending volley, (n, n_fine)."""
    n, length = len(relative_size), round(SHAPE_LENGTH * FINE_RATE)
    t = np.arange(length) / FINE_RATE
    waves = np.exp(-person.uniform(0.35, 0.8) * np.arange(5))
    volley = sum(weight * np.exp(-0.5 * ((t - 0.0012 - k * _I_WAVE) / 0.0004) ** 2) for k, weight in enumerate(waves))
    volley = volley / volley.sum()
    decays = np.array([0.0016, 0.0024, 0.0034]) * person.uniform(0.85, 1.2)
    expected = 12.0 + 240.0 * np.clip(relative_size, 0.0, 1.0)
    early = int(np.searchsorted(np.cumsum(volley), 1 - 1e-9)) + 1  # no discharge comes later
    trains = np.zeros((n, len(decays), length))
    rate = expected[:, None, None] / len(decays) * volley[:early]
    counts = rng.poisson(np.broadcast_to(rate, (n, len(decays), early)))
    counts[:, 0, np.argmax(volley)] += counts.sum(axis=(1, 2)) == 0  # no response without a discharge
    hit = counts > 0
    trains[:, :, :early][hit] = rng.gamma(2.0 * counts[hit])  # each discharge has a random size
    rise = 0.0007
    kernels = np.exp(-t / rise) / rise - np.exp(-t / decays[:, None]) / decays[:, None]  # integrates to zero
    numerator, denominator = signal.butter(2, 330.0, fs=FINE_RATE)  # electrode and tissue
    kernels = signal.lfilter(numerator, denominator, kernels[:, : round(0.03 * FINE_RATE)], axis=1)
    return _convolve_by_kernel(trains, kernels)


GENERATORS = {"template": template_shapes, "motor_units": motor_unit_shapes, "volley": volley_shapes}


def make_shapes(relative_size, generator, person, rng):
    """Shapes (n, n_fine) on the fine grid, scaled to a peak-to-peak of one and tapered to end at zero.

    ``person`` draws what all trials of a person share (motor units, their potentials), ``rng`` what differs.
    """
    if generator not in GENERATORS:
        raise ValueError(unknown_word("generator", generator, GENERATORS))
    shapes = GENERATORS[generator](np.asarray(relative_size, float), person, rng)
    fade = round(0.01 * FINE_RATE)
    shapes[:, -fade:] *= np.cos(np.linspace(0, np.pi / 2, fade)) ** 2
    return shapes / np.ptp(shapes, axis=1, keepdims=True)


def onset_and_end(shapes):
    """First and last time, in samples and fractions, at which each shape exceeds 1 % of its peak-to-peak."""
    size = np.abs(shapes)
    limit = ONSET_FRACTION * np.ptp(shapes, axis=1)
    above = size > limit[:, None]
    rows = np.arange(len(shapes))
    first = above.argmax(axis=1)
    last = shapes.shape[1] - 1 - above[:, ::-1].argmax(axis=1)
    before, after = np.maximum(first - 1, 0), np.minimum(last + 1, shapes.shape[1] - 1)

    def crossing(outside, inside):
        low, high = size[rows, outside], size[rows, inside]
        step = np.where(high > low, (limit - low) / np.where(high > low, high - low, 1.0), 0.0)
        return outside + np.clip(step, 0.0, 1.0) * (inside - outside)

    return crossing(before, first), crossing(after, last)


def place_responses(shapes, amplitude, onset, times, stretch=1.0):
    """Put shapes on the time axis of the trials.

    Parameters
    ----------
    shapes : array, (n, n_fine)
        Peak-to-peak one.
    amplitude, onset : array, (n,)
        Peak-to-peak in volts; time in seconds at which the response exceeds 1 % of it.
    times : array, (n_times,)
        Seconds.
    stretch : float
        Factor by which responses are longer than those of a hand muscle.

    Returns
    -------
    response : array, (n, n_times)
    end : array, (n,)
        Last time at which the response exceeds 1 % of its peak-to-peak.
    area : array, (n,)
        Integral of the rectified response, V·s.
    """
    rate = FINE_RATE / stretch
    first, last = onset_and_end(shapes)
    response = np.zeros((len(shapes), len(times)))
    begin = onset - first / rate
    used = np.flatnonzero((times > begin.min()) & (times < begin.max() + shapes.shape[1] / rate))
    place = (times[used] - begin[:, None]) * rate
    index = np.floor(place).astype(int)
    inside = (index >= 1) & (index < shapes.shape[1] - 2)
    index, part = np.where(inside, index, 1), place - index
    rows = np.arange(len(shapes))[:, None]
    a, b, c, d = (shapes[rows, index + step] for step in (-1, 0, 1, 2))
    # cubic through four neighbours: the fine grid is interpolated, never the onset moved to a sample
    value = b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))
    response[:, used] = np.where(inside, value, 0.0) * np.asarray(amplitude)[:, None]
    area = np.abs(shapes).sum(axis=1) / rate * amplitude
    return response, begin + last / rate, area
