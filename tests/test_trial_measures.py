"""The trial measures find what was simulated: size, onset, presence, area, silence; on noise they say so."""

from __future__ import annotations

import numpy as np
import pytest

from excitability.measures import (
    background_emg,
    mep_amplitude,
    mep_amplitude_corrected,
    mep_area,
    mep_duration,
    mep_latency,
    mep_probability,
    silent_period,
)
from excitability.measures.quality import trial_flags
from excitability.simulate import mep_trials, silent_period_trials

GENERATORS = ["template", "motor_units", "volley"]
NOISY, QUIET = (10e-6, 20e-6), (3e-6, 6e-6)


def _error(x, times, truth, **settings):
    """Onset errors of the trials with a response, s; NaN where none was found."""
    return (mep_latency(x, times, **settings) - truth["onset"].to_numpy())[truth["present"].to_numpy()]


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize(
    ("noise", "median", "most", "found"), [(NOISY, 2.2e-4, 1.1e-3, 0.95), (QUIET, 1.8e-4, 0.9e-3, 0.99)]
)
def test_onset_of_hand_responses(generator, noise, median, most, found):
    x, times, truth = mep_trials(300, generator=generator, noise_rms=noise, seed=12)
    error = np.abs(_error(x, times, truth))
    assert np.isfinite(error).mean() >= found
    assert np.nanmedian(error) <= median
    assert np.nanquantile(error, 0.95) <= most
    empty = ~truth["present"].to_numpy()
    assert np.isfinite(mep_latency(x, times)[empty]).mean() <= 0.04


@pytest.mark.parametrize("generator", GENERATORS)
def test_onset_follows_the_trial_and_is_no_constant(generator):
    x, times, truth = mep_trials(200, generator=generator, noise_rms=NOISY, no_response=0, seed=5)
    found = mep_latency(x, times)
    known = np.isfinite(found)
    assert np.corrcoef(found[known], truth["onset"].to_numpy()[known])[0, 1] > 0.85


@pytest.mark.parametrize("artefact", ["none", "decay", "ringing", "saturation"])
def test_an_artefact_is_neither_a_response_nor_hides_one(artefact):
    x, times, truth = mep_trials(250, artefact=artefact, noise_rms=QUIET, no_response=0.4, seed=3)
    present = truth["present"].to_numpy()
    found = np.isfinite(mep_latency(x, times))
    assert found[present].mean() >= 0.99
    assert found[~present].mean() <= 0.03
    assert np.nanquantile(np.abs(_error(x, times, truth)), 0.95) <= 0.9e-3


def test_a_tail_that_rings_for_15_ms_is_taken_away():
    x, times, truth = mep_trials(120, artefact="none", noise_rms=QUIET, seed=8)
    u = np.clip(times, 0, None)
    ring = (times >= 0) * np.exp(-u / 0.004) * np.cos(2 * np.pi * 230 * u)
    x = x + np.random.default_rng(0).uniform(0.5e-3, 3e-3, (len(x), 1)) * ring
    error = np.abs(_error(x, times, truth))
    assert np.isfinite(error).mean() >= 0.98
    assert np.nanquantile(error, 0.9) <= 0.8e-3


@pytest.mark.parametrize("sampling_rate", [2000.0, 3000.0, 10000.0])
def test_onset_at_other_rates(sampling_rate):
    x, times, truth = mep_trials(200, sampling_rate=sampling_rate, noise_rms=QUIET, seed=4)
    assert np.nanmedian(np.abs(_error(x, times, truth))) <= 2e-4


@pytest.mark.parametrize("muscle", ["TA", "ES"])
def test_onset_of_other_muscles(muscle):
    x, times, truth = mep_trials(200, muscle=muscle, noise_rms=QUIET, seed=4)
    error = np.abs(_error(x, times, truth, window=muscle))
    assert np.isfinite(error).mean() >= 0.97
    assert np.nanmedian(error) <= 5e-4


@pytest.mark.parametrize(("background", "noise"), [("rest", (5e-6, 20e-6)), ("active", (50e-6, 200e-6))])
def test_the_stated_false_positive_rate_is_kept(background, noise):
    x, times, _ = mep_trials(1200, background=background, noise_rms=noise, no_response=1.0, artefact="none", seed=6)
    rate = np.isfinite(mep_latency(x, times, false_positive_rate=0.01)).mean()
    assert rate <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 1200)


def test_probability_separates_and_is_calibrated():
    x, times, truth = mep_trials(
        800, noise_rms=NOISY, amplitude_median=0.12e-3, amplitude_sigma=0.8, no_response=0.5, seed=2
    )
    probability, present = mep_probability(x, times), truth["present"].to_numpy()
    assert ((probability >= 0) & (probability <= 1)).all()
    assert abs(probability.mean() - present.mean()) < 0.1
    for low, high in [(0.0, 0.3), (0.7, 1.0)]:
        some = (probability >= low) & (probability <= high)
        assert abs(probability[some].mean() - present[some].mean()) < 0.12


def test_without_any_response_nothing_is_probable():
    x, times, _ = mep_trials(100, no_response=1.0, noise_rms=NOISY, seed=9)
    assert np.mean(mep_probability(x, times)) < 0.25
    assert np.mean(mep_probability(x, times) > 0.9) <= 0.02


def test_amplitude_is_the_range_in_the_window():
    x, times, _ = mep_trials(20, seed=1)
    inside = (times >= 0.015 - 1e-9) & (times <= 0.050 + 1e-9)
    np.testing.assert_allclose(mep_amplitude(x, times), np.ptp(x[:, inside], axis=1))


@pytest.mark.parametrize("size", [0.0, 3.0, 5.0, 10.0, 30.0])
def test_corrected_amplitude_has_less_bias_than_the_range(size):
    """Bias in units of the noise, at peak-to-peak amplitudes of 0 to 30 times it."""
    noise = 15e-6
    x, times, truth = mep_trials(
        300,
        noise_rms=noise,
        amplitude_median=max(size, 1.0) * noise,
        amplitude_sigma=0.01,
        no_response=0.0 if size else 1.0,
        artefact="none",
        seed=7,
    )
    raw = np.mean(mep_amplitude(x, times) - truth["amplitude"]) / noise
    corrected = np.mean(mep_amplitude_corrected(x, times) - truth["amplitude"]) / noise
    assert abs(corrected) <= 1.0
    assert abs(corrected) < raw or raw < 0.5


@pytest.mark.parametrize("generator", GENERATORS)
def test_area_and_duration(generator):
    x, times, truth = mep_trials(150, generator=generator, noise_rms=QUIET, no_response=0.2, seed=10)
    present = truth["present"].to_numpy() & (truth["amplitude"].to_numpy() > 0.2e-3)
    ratio = mep_area(x, times)[present] / truth["area"].to_numpy()[present]
    assert abs(np.nanmedian(ratio) - 1) < 0.05
    short = present & (truth["end"].to_numpy() < 0.045)
    difference = (mep_duration(x, times) - truth["duration"].to_numpy())[short]
    assert abs(np.nanmedian(difference)) < 3e-3


def test_area_of_trials_without_response_is_near_zero_and_never_missing():
    x, times, truth = mep_trials(200, noise_rms=NOISY, no_response=0.5, seed=11)
    area = mep_area(x, times)[~truth["present"].to_numpy()]
    assert np.isfinite(area).all()
    assert abs(np.mean(area)) < 0.1 * np.nanmedian(truth["area"][truth["present"]])


def test_area_in_active_muscle_is_net_of_background():
    x, times, truth = mep_trials(
        200, background="active", noise_rms=80e-6, amplitude_median=2e-3, no_response=0.0, seed=3
    )
    net, kept = mep_area(x, times), mep_area(x, times, background="keep")
    np.testing.assert_array_equal(net, mep_area(x, times, background="adaptive"))
    seen = np.isfinite(mep_latency(x, times))
    assert np.mean((kept - net)[seen]) > 0
    # the usual formula takes the background away under the whole response, drowned or not
    assert np.mean((net - mep_area(x, times, background="subtract"))[seen]) > 0
    assert abs(np.mean(net) / truth["area"].mean() - 1) < 0.02


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("generator", GENERATORS)
def test_area_of_small_responses_in_active_muscle_is_hardly_biased(generator, silent):
    """Five to twenty times the background, which goes on under the response, or falls silent within it."""
    shape = {"generator": generator, "amplitude_median": 0.5e-3, "amplitude_sigma": 0.3, "no_response": 0.3}
    usual = {"background": "active", "noise_rms": 50e-6, "artefact": "none"}
    x, times, truth = mep_trials(300, seed=4, **shape, **usual)
    if not silent:
        x, _, truth = mep_trials(300, seed=4, **shape, **usual | {"background": "rest", "noise_rms": 1e-12, "hum": 0.0})
        x += mep_trials(300, seed=5, **usual, no_response=1.0)[0]
    present = truth["present"].to_numpy()
    area, true = mep_area(x, times), truth["area"].to_numpy()
    assert 0.8 < area[present].mean() / true[present].mean() < 1.05
    assert abs(area[~present].mean()) < 0.12 * true[present].mean()
    other = mep_area(x, times, background="subtract")
    assert abs(area[present].mean() - true[present].mean()) < abs(other[present].mean() - true[present].mean()) / 1.5


def test_area_is_continuous_in_the_background():
    """The same responses on backgrounds of 19 and 21 µV: no step from one formula to another."""
    quiet, times, _ = mep_trials(100, noise_rms=1e-12, hum=0.0, artefact="none", no_response=0.0, seed=6)
    noise = mep_trials(100, noise_rms=1e-6, background="active", no_response=1.0, artefact="none", seed=7)[0]
    low, middle, high = (mep_area(quiet + level * noise, times).mean() for level in (17, 19, 21))
    assert abs(high - middle) < 2 * abs(middle - low) + 0.003 * middle


def test_area_names_an_unknown_background():
    with pytest.raises(ValueError, match="subtract"):
        mep_area(np.zeros((1, 600)), np.arange(-300, 300) / 2000, background="subtrac")


@pytest.mark.parametrize("artefact", ["decay", "ringing"])
def test_end_of_the_silent_period(artefact):
    x, times, truth = silent_period_trials(200, artefact=artefact, seed=4)
    error = silent_period(x, times) - truth["silent_period"].to_numpy()
    assert np.isfinite(error).mean() >= 0.98
    assert abs(np.nanmedian(error)) < 1e-3
    assert np.nanquantile(np.abs(error), 0.95) <= 4e-3


def test_a_late_burst_does_not_end_the_silence():
    x, times, truth = silent_period_trials(150, late_burst=1.0, seed=5)
    error = np.abs(silent_period(x, times) - truth["silent_period"].to_numpy())
    assert np.nanmedian(error) < 2e-3
    assert np.mean(error > 0.02) < 0.1


def test_no_silence_and_no_return_are_nan():
    x, times, truth = silent_period_trials(200, no_silence=0.3, no_return=0.3, seed=6)
    found = np.isfinite(silent_period(x, times))
    known = np.isfinite(truth["silent_period"].to_numpy())
    assert found[known].mean() >= 0.97
    assert found[~known].mean() <= 0.05


def test_a_muscle_at_rest_has_no_silent_period():
    x, times, _ = mep_trials(100, noise_rms=QUIET, artefact="none", seed=2)
    assert np.isfinite(silent_period(x, times)).mean() <= 0.05


def test_background_is_the_rms_about_the_mean():
    x, times, truth = mep_trials(50, seed=1)
    got = background_emg(x + 1e-3, times)
    assert np.median(np.abs(got / truth["noise_rms"] - 1)) < 0.1


def test_a_trace_without_noise_has_an_exact_onset():
    times = np.arange(-500, 1000) / 5000
    response = 1e-3 * np.sin(2 * np.pi * np.clip((times - 0.022) / 0.010, 0, 1))
    assert abs(mep_latency(response[None], times)[0] - 0.0221) < 4e-4
    assert mep_probability(response[None], times)[0] > 0.99


def test_few_trials_are_enough_for_clear_responses():
    x, times, truth = mep_trials(3, noise_rms=QUIET, amplitude_median=1e-3, no_response=0, seed=3)
    assert np.nanmax(np.abs(_error(x, times, truth))) < 1e-3


def test_too_short_a_baseline_says_what_to_cut():
    times = np.arange(-50, 1000) / 5000
    with pytest.raises(ValueError, match=r"epoch begins at -0\.01 s; cut it from -0\.1 s"):
        mep_latency(np.zeros((2, times.size)), times)


def test_flags_say_what_is_wrong_with_a_trial():
    x, times, _ = mep_trials(6, artefact="none", noise_rms=5e-6, amplitude_median=1e-3, no_response=0, seed=3)
    at = np.searchsorted(times, 0.03)
    x[1, at] = np.nan
    x[2] = np.clip(x[2], -0.1e-3, 0.1e-3)
    x[3, np.searchsorted(times, 0.010) :] = 2e-5
    x[4] += 1e-3 * np.exp(-np.clip(times, 0, None) / 0.010) * (times > 0)
    x[5] = np.where(times > 0.04, (times - 0.04) * 1.0, x[5] * 0.01)
    flags = trial_flags(x, times).tolist()
    assert flags[0] == ""
    assert flags[1:4] == ["nan_samples", "clipped", "flat"]
    assert "artefact_in_window" in flags[4]
    assert "window_edge" in flags[5]


def test_the_modules_of_the_trial_measures_import_no_heavy_library():
    import ast
    from pathlib import Path

    import excitability.measures

    folder = Path(excitability.measures.__file__).parent
    names = ["_windows", "_artefact", "_detection", "_extremes", "_template", "_onset", "_responses", "quality"]
    names += ["background_emg", "silent_period", *(path.stem for path in folder.glob("mep_*.py"))]
    for name in names:
        for node in ast.parse((folder / f"{name}.py").read_text(encoding="utf-8")).body:
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            assert not {"scipy.signal", "scipy.stats", "mne", "matplotlib", "pandas"} & set(modules), name


def test_trials_without_any_noise_are_measured():
    times = np.arange(-500, 1000) / 5000.0
    x = np.zeros((10, times.size))
    here = (times >= 0.02) & (times < 0.03)
    x[:, here] = 1e-3 * np.sin((times[here] - 0.02) * 2 * np.pi / 0.01)
    np.testing.assert_allclose(mep_latency(x, times), 0.02, atol=3e-4)
    np.testing.assert_allclose(mep_amplitude_corrected(x, times), np.ptp(x, axis=1), rtol=0.01)


@pytest.mark.parametrize("scale", [1e170, 1e300, 1e-300])
def test_values_that_no_amplifier_gives_are_not_searched(scale):
    x = np.random.default_rng(0).normal(0, 3e-6, (20, 1500)) * scale
    times = np.arange(-500, 1000) / 5000.0
    assert np.isnan(mep_latency(x, times)).all()
