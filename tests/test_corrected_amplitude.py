"""Corrected amplitude in ongoing and in pausing background: its bias and what its standard error covers."""

import numpy as np
import pytest

from excitability.measures import mep_amplitude_corrected, mep_amplitude_standard_error

NOISE = 10e-6
TIMES = np.arange(-550, 500) / 5000


def _emg(n, rng):
    f = np.fft.rfftfreq(TIMES.size, 1 / 5000)
    gain = (f / 20) / np.sqrt(1 + (f / 20) ** 2) / (1 + (f / 150) ** 2)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal((n, TIMES.size))) * gain, TIMES.size)
    return noise / noise.std()


def _trials(kind, n=300, seed=11):
    """Trials in V and true amplitudes over the noise; half lie at 2 to 8 times it, a fifth hold no response."""
    rng = np.random.default_rng(seed)
    true = np.exp(rng.uniform(np.log(2), np.log(60), n))
    true[: n // 2] = rng.uniform(2, 8, n // 2)
    true[rng.random(n) < 0.2] = 0.0
    onset = 0.0215 + 0.0007 * rng.standard_normal((n, 1))
    duration = 0.012 * np.exp(0.1 * rng.standard_normal((n, 1)))
    phase = np.clip((TIMES - onset) / duration, 0, 1)
    shape = np.sin(2 * np.pi * phase) * np.exp(-0.7 * phase)
    noise = _emg(n, rng) if kind != "white" else rng.standard_normal((n, TIMES.size))
    if kind == "pausing":
        silent = (onset + 0.6 * duration < TIMES) & (TIMES < 0.09) & (true[:, None] > 0)
        noise = np.where(silent, 0.15, 1.0) * noise * np.exp(0.25 * rng.standard_normal((n, 1)))
    x = noise + true[:, None] * shape / np.ptp(shape, axis=1, keepdims=True)
    return NOISE * x, true


@pytest.mark.parametrize("kind", ["white", "emg", "pausing"])
def test_small_responses_are_right_on_average_and_covered(kind):
    recordings = [_trials(kind, seed=seed) for seed in (11, 12, 13)]
    true = np.concatenate([true for _, true in recordings])
    off = np.concatenate([mep_amplitude_corrected(x, TIMES) for x, _ in recordings]) / NOISE - true
    error = np.concatenate([mep_amplitude_standard_error(x, TIMES) for x, _ in recordings]) / NOISE
    none, small, medium = true == 0, (true > 0) & (true < 5), (true >= 5) & (true < 10)
    assert abs(off[none].mean()) <= 0.6
    assert abs(off[small].mean()) <= 0.9
    assert abs(off[medium].mean()) <= 0.8
    for some in (none, small, medium, true >= 10):
        assert np.mean(np.abs(off[some]) <= 1.96 * error[some]) >= 0.9
    assert np.median(error[true >= 10]) <= 1.7  # wide enough, but no wider than needed


@pytest.mark.parametrize("kind", ["emg", "pausing"])
def test_neither_polarity_nor_scale_matters(kind):
    x, _ = _trials(kind, n=80)
    value, error = mep_amplitude_corrected(x, TIMES), mep_amplitude_standard_error(x, TIMES)
    np.testing.assert_allclose(mep_amplitude_corrected(-3.0 * x, TIMES), 3.0 * value, rtol=1e-6)
    np.testing.assert_allclose(mep_amplitude_standard_error(-3.0 * x, TIMES), 3.0 * error, rtol=1e-6)


def test_a_large_response_elsewhere_keeps_its_amplitude():
    x, _ = _trials("white", n=100)
    late = 60 * NOISE * 0.5 * np.sin(2 * np.pi * np.clip((TIMES - 0.037) / 0.010, 0, 1))
    x[0] = late + NOISE * np.random.default_rng(3).standard_normal(TIMES.size)
    assert mep_amplitude_corrected(x, TIMES)[0] == pytest.approx(60 * NOISE, abs=3 * NOISE)


def test_an_epoch_with_little_noise_has_a_standard_error():
    x, true = _trials("emg", n=60)
    inside = TIMES >= -0.022
    error = mep_amplitude_standard_error(x[:, inside], TIMES[inside])
    assert np.isfinite(error).all()
    assert np.median(error[true > 10]) < 5 * NOISE
