"""Is there a response? The stated false-positive rate is the real one, and the probability is one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from excitability.measures import mep_latency, mep_probability
from excitability.measures._responses import find_responses

RATE = 5000.0
TIMES = np.arange(-500, 500) / RATE
WINDOW = (0.015, 0.050)


def _coloured(n, rng, gain):
    frequencies = np.fft.rfftfreq(TIMES.size, 1 / RATE)
    amplitude = np.concatenate([[0.0], gain(frequencies[1:])])
    spectrum = (rng.standard_normal((n, amplitude.size)) + 1j * rng.standard_normal((n, amplitude.size))) * amplitude
    x = np.fft.irfft(spectrum, TIMES.size, axis=1)
    return x / x.std()


def _muscle(frequency):
    return 0.3 + np.exp(-0.5 * ((frequency - 110) / 80) ** 2)


def _trains(n, rng, period, form, jitter):
    """Events that come again and again, their phase free of the pulse."""
    x = np.zeros((n, TIMES.size))
    for row in x:
        time = TIMES[0] - rng.uniform(0, period)
        while time < TIMES[-1]:
            row += (1 + 0.1 * rng.standard_normal()) * form(TIMES - time)
            time += period * max(1 + jitter * rng.standard_normal(), 0.4)
    return x


def _unit(t):
    return 60e-6 * np.exp(-0.5 * (t / 0.0015) ** 2) * (1 - (t / 0.0015) ** 2)


def _heart(t):
    return 150e-6 * (np.exp(-0.5 * (t / 0.01) ** 2) - 0.35 * np.exp(-0.5 * ((t - 0.022) / 0.009) ** 2))


def _background(kind, n, rng):
    level = rng.uniform(10e-6, 20e-6, (n, 1))
    if kind == "white":
        return level * rng.standard_normal((n, TIMES.size))
    if kind == "muscle":
        return level * _coloured(n, rng, _muscle)
    if kind == "1/f":
        return level * _coloured(n, rng, lambda f: f**-0.5)
    if kind == "1/f^2":
        return level * _coloured(n, rng, lambda f: 1 / f)
    if kind == "mains":
        hum = np.sin(2 * np.pi * 50 * TIMES + rng.uniform(0, 2 * np.pi, (n, 1)))
        return level * (0.6 * rng.standard_normal((n, TIMES.size)) + hum)
    if kind == "motor unit":
        return 5e-6 * _coloured(n, rng, _muscle) + _trains(n, rng, 1 / 8, _unit, 0.15)
    if kind == "heart":
        return 8e-6 * _coloured(n, rng, _muscle) + _trains(n, rng, 1 / 1.2, _heart, 0.05)
    swell = 1 + 0.4 * np.sin(2 * np.pi * (rng.uniform(4, 12, (n, 1)) * TIMES + rng.random((n, 1))))
    return rng.uniform(50e-6, 200e-6, (n, 1)) * swell * _coloured(n, rng, lambda f: np.exp(-0.5 * ((f - 90) / 60) ** 2))


def _responses(amplitude, rng, latency=0.022):
    """Two phases, peak-to-peak about the amplitude."""
    onset = rng.normal(latency, 0.001, (len(amplitude), 1))
    u = np.clip((TIMES - onset) / 0.012, 0, 1)
    return amplitude[:, None] * np.sin(2 * np.pi * u) * np.sin(np.pi * u) / 1.54


def _recording(kind, n, share, median, seed):
    rng = np.random.default_rng(seed)
    present = rng.random(n) < share
    amplitude = np.where(present, median * np.exp(0.9 * rng.standard_normal(n)), 0.0)
    return _background(kind, n, rng) + _responses(amplitude, rng), present


def _highest(n, rate):
    """False positives that a rate gives in fewer than 1 of 1000 sets; the rate itself is known to a half only."""
    return binom.ppf(0.999, n, 1.5 * rate)


@pytest.mark.parametrize("kind", ["white", "muscle", "1/f", "1/f^2", "mains", "motor unit", "active"])
def test_a_stated_one_percent_is_not_more(kind):
    found = [mep_latency(_recording(kind, 250, 0.0, 0.0, seed)[0], TIMES, false_positive_rate=0.01) for seed in (1, 2)]
    assert np.isfinite(found).sum() <= _highest(500, 0.01)


@pytest.mark.parametrize("kind", ["muscle", "motor unit", "heart", "active"])
def test_nor_among_clear_responses(kind):
    wrong, n = 0, 0
    for seed in (3, 4, 5):
        x, present = _recording(kind, 250, 0.5, 0.6e-3, seed)
        wrong += np.isfinite(mep_latency(x, TIMES, false_positive_rate=0.01)[~present]).sum()
        n += (~present).sum()
    assert wrong <= _highest(n, 0.02 if kind == "heart" else 0.01)


@pytest.mark.parametrize("n", [10, 40, 1000])
def test_p_values_are_uniform_without_a_response(n):
    p = np.concatenate(
        [
            find_responses(_background("muscle", n, np.random.default_rng(seed)), TIMES, WINDOW).p_value
            for seed in range(max(1000 // n, 1))
        ]
    )
    for share in (0.05, 0.2, 0.5):
        assert abs(np.mean(p < share) - share) < 0.25 * share + 0.02


@pytest.mark.parametrize("kind", ["muscle", "active"])
def test_probability_is_the_share_with_a_response(kind):
    stated, true = [], []
    for share in (0.0, 0.2, 0.5, 0.8, 1.0):
        for seed in (1, 2, 3, 4):
            x, present = _recording(kind, 200, share, 0.1e-3 if kind == "muscle" else 0.6e-3, seed + int(100 * share))
            stated.append(mep_probability(x, TIMES))
            true.append(present)
    stated, true = np.concatenate(stated), np.concatenate(true)
    assert abs(stated.mean() - true.mean()) < 0.07
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.01)):
        some = (stated >= low) & (stated < high)
        assert some.sum() > 20
        assert abs(stated[some].mean() - true[some].mean()) < 0.15, (low, high)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_motor_units_are_not_taken_for_responses(share):
    """They are as large in every trial, so that a hair's breadth of size spans many scores."""
    stated, true = [], []
    for seed in (1, 2, 3):
        x, present = _recording("motor unit", 250, share, 0.15e-3, seed + int(100 * share))
        stated.append(mep_probability(x, TIMES))
        true.append(present)
    stated, true = np.concatenate(stated), np.concatenate(true)
    assert abs(stated.mean() - true.mean()) < 0.08
    assert np.mean((stated - true) ** 2) < 0.12
    assert true[(stated > 0.7) & (stated < 0.95)].mean() > 0.6


def test_a_latency_has_a_probability():
    for kind, share in (("muscle", 0.0), ("heart", 0.0), ("active", 0.2)):
        x, _ = _recording(kind, 250, share, 0.6e-3, 21)
        has = np.isfinite(mep_latency(x, TIMES, false_positive_rate=0.01))
        assert (mep_probability(x, TIMES)[has] >= 0.1).all()


def test_two_bursts_among_a_hundred_trials_hide_nothing():
    rng = np.random.default_rng(8)
    clean = _background("muscle", 100, rng)
    present = np.arange(100) >= 50
    clean += _responses(np.where(present, 120e-6, 0.0), rng)
    burst = clean.copy()
    burst[[5, 20]] += 200e-6 * _coloured(2, rng, _muscle) * np.exp(-0.5 * ((TIMES + 0.05) / 0.02) ** 2)
    found = [np.isfinite(mep_latency(x, TIMES))[present].mean() for x in (clean, burst)]
    assert found[0] > 0.9
    assert found[1] > found[0] - 0.06


def test_a_clear_response_at_another_latency_is_found():
    rng = np.random.default_rng(9)
    x = _background("muscle", 60, rng)
    x[:50] += _responses(np.full(50, 1e-3), rng)
    x[50:55] += _responses(np.full(5, 0.4e-3), rng, latency=0.034)
    found = np.isfinite(mep_latency(x, TIMES))
    assert found[:55].all()
    assert found[55:].sum() <= 1


def test_a_motor_unit_does_not_hide_larger_responses():
    x, present = _recording("motor unit", 200, 0.5, 0.6e-3, 11)
    assert np.isfinite(mep_latency(x, TIMES))[present].mean() > 0.9
