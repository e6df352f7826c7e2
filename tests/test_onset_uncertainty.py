"""The standard error of the latency covers the truth, grows in noise, and first phases that noise hides are found."""

from __future__ import annotations

import numpy as np
import pytest

from excitability.measures import mep_latency, mep_latency_standard_error
from excitability.simulate import mep_trials


def _covered(*cases, **settings):
    """Whether latency ± 1.96 standard errors holds the true onset, over the detected trials of several recordings."""
    inside = []
    for seed in cases:
        x, times, truth = mep_trials(60, no_response=0.1, seed=seed, **settings)
        latency, error = mep_latency(x, times), mep_latency_standard_error(x, times)
        hit = truth["present"].to_numpy() & np.isfinite(latency)
        inside.append(np.abs(latency - truth["onset"].to_numpy())[hit] <= 1.96 * error[hit])
    return np.concatenate(inside)


@pytest.mark.parametrize("generator", ["template", "motor_units", "volley"])
@pytest.mark.parametrize(
    "settings",
    [
        {"noise_rms": (3e-6, 6e-6)},
        {"noise_rms": (10e-6, 20e-6), "sampling_rate": 3000.0},
        {"noise_rms": (50e-6, 200e-6), "background": "active", "amplitude_median": 1.5e-3},
    ],
    ids=["quiet", "noisy", "active"],
)
def test_interval_covers_the_true_onset(generator, settings):
    covered = _covered(31, 32, 33, 34, generator=generator, **settings)
    assert covered.size > 120
    # persons differ: trials of one recording are not independent, hence the wider bound of 40 rather than 200 trials
    assert covered.mean() >= 0.95 - 2.0 * np.sqrt(0.95 * 0.05 / 40)


def test_interval_is_no_wider_than_it_must_be():
    """It must miss sometimes, and be short where responses are clear."""
    covered = np.concatenate([_covered(41, 42, generator=name) for name in ("template", "motor_units", "volley")])
    assert covered.mean() < 0.995
    x, times, _ = mep_trials(60, noise_rms=4e-6, amplitude_median=2e-3, no_response=0, seed=5)
    assert np.nanmedian(mep_latency_standard_error(x, times)) < 2.5e-4


def test_interval_without_a_template_covers_too():
    settings = {"noise_rms": (10e-6, 20e-6), "generator": "volley"}
    inside = []
    for seed in range(60):
        x, times, truth = mep_trials(4, no_response=0, seed=seed, **settings)
        latency, error = mep_latency(x, times), mep_latency_standard_error(x, times)
        hit = np.isfinite(latency)
        inside.append(np.abs(latency - truth["onset"].to_numpy())[hit] <= 1.96 * error[hit])
    assert 0.90 <= np.concatenate(inside).mean() <= 1.0


def test_the_standard_error_grows_as_responses_shrink():
    errors = []
    for amplitude in (3e-3, 0.6e-3, 0.12e-3):
        settings = {"amplitude_median": amplitude, "amplitude_sigma": 0.1, "no_response": 0, "noise_rms": 8e-6}
        x, times, _ = mep_trials(60, seed=7, **settings)
        errors.append(np.nanmedian(mep_latency_standard_error(x, times)))
    assert errors[0] < errors[1] < errors[2]


def test_it_is_unknown_where_the_latency_is():
    x, times, _ = mep_trials(80, noise_rms=(10e-6, 20e-6), no_response=0.5, seed=2)
    latency, error = mep_latency(x, times), mep_latency_standard_error(x, times)
    assert np.isnan(latency).any()
    np.testing.assert_array_equal(np.isnan(latency), np.isnan(error))
    assert (error[np.isfinite(error)] > 0).all()


def _with_a_small_first_phase(n, noise, seed):
    """A first phase of 4 % before the main ones, in noise that hides it in most single trials."""
    rng = np.random.default_rng(seed)
    times = np.arange(-500, 1000) / 5000
    start = rng.normal(0.021, 0.0008, (n, 1))

    def half(lag, length):
        return np.sin(np.pi * np.clip((times - start - lag) / length, 0, 1)) ** 1.5

    shape = 0.04 * half(0.0, 0.0025) - 0.5 * half(0.0023, 0.005) + 0.5 * half(0.007, 0.006)
    # where the first phase exceeds 1 % of the whole
    onset = start[:, 0] + 0.0025 / np.pi * np.arcsin((0.01 / 0.04) ** (1 / 1.5))
    size = 0.6e-3 * np.exp(0.6 * rng.standard_normal((n, 1)))
    return size * shape + noise * rng.standard_normal((n, times.size)), times, onset


def test_a_first_phase_that_noise_hides_is_known_from_the_other_trials():
    x, times, onset = _with_a_small_first_phase(60, 18e-6, 3)
    together = np.abs(mep_latency(x, times) - onset)
    alone = np.abs(np.concatenate([mep_latency(x[i : i + 3], times) for i in range(0, 60, 3)]) - onset)
    assert np.nanmedian(alone) > 1.2e-3
    assert np.nanmedian(together) < 0.5e-3


def _with_phases_that_keep_no_distance(n, noise, seed):
    """A clear first phase whose distance from the main ones varies: an average aligned by these hardly shows it."""
    rng = np.random.default_rng(seed)
    times = np.arange(-500, 1000) / 5000
    onset = rng.normal(0.021, 0.0006, (n, 1))
    gap = rng.choice([0.003, 0.0045, 0.006, 0.0075], (n, 1)) + 0.0003 * rng.standard_normal((n, 1))

    def half(start, length):
        return np.sin(np.pi * np.clip((times - start) / length, 0, 1)) ** 1.5

    main = onset + gap
    shape = 0.2 * half(onset, 0.0025) - 0.5 * half(main, 0.004) + 0.5 * half(main + 0.004, 0.005)
    size = 0.8e-3 * np.exp(0.6 * rng.standard_normal((n, 1)))
    # where the first phase exceeds 1 % of the whole
    first = onset[:, 0] + 0.0025 / np.pi * np.arcsin(0.05 ** (1 / 1.5))
    return size * shape + noise * rng.standard_normal((n, times.size)), times, first


def test_an_average_of_phases_that_keep_no_distance_does_not_move_most_clear_onsets():
    errors = []
    for seed in range(6):
        x, times, onset = _with_phases_that_keep_no_distance(40, 15e-6, seed)
        errors.append(np.abs(mep_latency(x, times) - onset)[np.ptp(x, axis=1) > 0.6e-3])
    assert np.nanmedian(np.concatenate(errors)) < 0.2e-3  # 0.32 ms where the average alone says what is hidden


def test_mains_in_step_with_the_pulses_is_no_first_phase():
    """A wave that every trial holds at the same phase stays in their average; it must not become an early onset."""
    x, times, truth = mep_trials(50, noise_rms=(5e-6, 10e-6), seed=100, no_response=0.2, artefact="none", hum=0.0)
    for phase in (1.05, 1.57, 4.19, 4.71):
        hum = 20e-6 * np.sin(2 * np.pi * 50 * times + phase)
        error = (mep_latency(x + hum, times) - truth["onset"])[truth["present"]]
        assert abs(np.nanmedian(error)) < 0.0005
