"""Measures of evoked potentials and resting EEG: definitions, recovery of known values, intervals that cover."""

import numpy as np
import pytest

from excitability.measures import (
    alpha_imaginary_coherence,
    alpha_power,
    alpha_wpli,
    aperiodic_exponent,
    gmfa,
    gmfa_area,
    individual_alpha_frequency,
    lici_tep,
    lmfa,
    natural_frequency,
    pci_st,
    tep_peak,
    tep_peak_to_peak,
    trsp,
)
from excitability.measures.bootstrap import bootstrap_average, bootstrap_epochs
from excitability.simulate import resting_eeg

TIMES = np.arange(-500, 501) / 1000


def wave(latency, size, width):
    return size * np.exp(-0.5 * ((TIMES - latency) / width) ** 2)


RESPONSE = sum(
    wave(*one) for one in ((0.03, 5e-6, 0.004), (0.045, -6e-6, 0.005), (0.1, -9e-6, 0.016), (0.18, 8e-6, 0.028))
)


# --- peaks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [500, 725, 1000, 2048, 5000])
def test_a_peak_is_found_at_any_sampling_rate(rate):
    """Rules are in seconds: 725 Hz puts seven samples into a window of 10 ms, and an N15 must still be found."""
    times = np.arange(round(-0.1 * rate), round(0.3 * rate)) / rate
    x = -4e-6 * np.exp(-0.5 * ((times - 0.0153) / 0.0025) ** 2)[None]
    peak = tep_peak(x, times, window=(0.010, 0.020), sign=-1)
    assert peak["latency"] == pytest.approx(0.0153, abs=0.0003)
    assert peak["amplitude"] == pytest.approx(-4e-6, rel=0.03)


def test_channels_are_averaged_before_the_peak():
    x = np.stack([RESPONSE, 3 * RESPONSE])
    assert tep_peak(x, TIMES)["amplitude"] == pytest.approx(2 * tep_peak(x[:1], TIMES)["amplitude"])


def test_an_absent_peak_is_nan_in_both():
    slope = 1e-6 * TIMES[None]
    peak = tep_peak(slope, TIMES, window=(0.08, 0.15), sign=1)
    assert np.isnan(peak["amplitude"])
    assert np.isnan(peak["latency"])
    assert np.isnan(tep_peak_to_peak(slope, TIMES))
    broken = RESPONSE[None].copy()
    broken[0, 600] = np.nan
    assert np.isnan(tep_peak(broken, TIMES)["amplitude"])


def test_the_edge_of_a_window_is_not_a_peak():
    """The fall towards the N100 is still under way at 90 ms: a minimum at the edge is not the component."""
    assert np.isnan(tep_peak(RESPONSE[None], TIMES, window=(0.070, 0.090), sign=-1)["latency"])


def test_the_largest_or_the_nearest_peak_counts():
    x = (wave(0.095, -3e-6, 0.004) + wave(0.125, -5e-6, 0.004))[None]
    assert tep_peak(x, TIMES)["latency"] == pytest.approx(0.125, abs=1e-3)
    assert tep_peak(x, TIMES, nearest=0.1)["latency"] == pytest.approx(0.095, abs=1e-3)


def test_a_peak_to_peak_amplitude_does_not_see_an_offset():
    windows = {"window": (0.020, 0.040), "second_window": (0.040, 0.055), "sign": 1}
    plain, shifted = (tep_peak_to_peak(x[None], TIMES, **windows) for x in (RESPONSE, RESPONSE + 3e-6))
    assert plain == pytest.approx(shifted)
    assert plain == pytest.approx(11e-6, rel=0.05)


@pytest.mark.parametrize("measure", [tep_peak, gmfa_area, pci_st])
def test_a_window_outside_the_epoch_is_named(measure):
    with pytest.raises(ValueError, match=r"lies outside the epoch \(-0.5 to 0.5 s\)"):
        measure(RESPONSE[None], TIMES, window=(0.3, 0.9))


# --- fields ---------------------------------------------------------------------------------------------------


def test_field_amplitudes_have_divisor_n_and_ignore_the_reference():
    """Science notes, fixture 9: [1, -1, 0] gives 0.816497, where the divisor n - 1 would give 1."""
    x = np.repeat([[1.0], [-1.0], [0.0]], TIMES.size, axis=1)
    assert gmfa(x, TIMES) == pytest.approx(np.sqrt(2 / 3))
    assert gmfa(x + 7, TIMES) == pytest.approx(gmfa(x, TIMES))
    assert lmfa(x, TIMES, picks=[0, 2]) == pytest.approx(0.5)
    assert gmfa_area(x, TIMES, window=(0.1, 0.2)) == pytest.approx(0.1 * np.sqrt(2 / 3))


# --- pairs ----------------------------------------------------------------------------------------------------


def test_the_response_to_the_conditioning_pulse_is_taken_out():
    single = RESPONSE[None]
    earlier = np.interp(TIMES + 0.1, TIMES, RESPONSE)[None]
    pair = 0.7 * single + earlier
    assert lici_tep(pair, TIMES, test=single, interval=0.1) == pytest.approx(0.7, abs=1e-9)
    assert lici_tep(pair, TIMES, test=single, interval=0.1, form="percent_inhibition") == pytest.approx(30)
    assert lici_tep(pair, TIMES, test=single, correct=False) != pytest.approx(0.7, abs=0.01)
    with pytest.raises(ValueError, match="needs the interval"):
        lici_tep(pair, TIMES, test=single)
    with pytest.raises(ValueError, match="form must be"):
        lici_tep(pair, TIMES, test=single, interval=0.1, form="fraction")


# --- complexity -----------------------------------------------------------------------------------------------


def transitions_by_matrices(before, after, k=1.2, n_steps=100):
    """The definition, slowly: a matrix at every threshold, its changes counted."""
    near, far = (np.abs(part[:, None] - part) for part in (before, after))
    best = 0.0
    for threshold in np.linspace(np.median(near), far.max(), n_steps):
        counts = [np.sum(np.abs(np.diff((d <= threshold).astype(int), axis=1))) / d.size for d in (near, far)]
        best = max(best, counts[1] - k * counts[0])
    return best * len(after)


def test_counting_transitions_is_the_definition():
    from excitability.measures.pci_st import _gain

    rng = np.random.default_rng(0)
    before, after = rng.standard_normal(60), 5 * np.cumsum(rng.standard_normal(80))
    assert _gain(before, after, 1.2, 100) == pytest.approx(transitions_by_matrices(before, after), abs=1e-12)


def test_complexity_does_not_depend_on_gain():
    rng = np.random.default_rng(1)
    x = 1e-7 * rng.standard_normal((6, TIMES.size)) + np.outer([1, -1, 2, 0.5, 1, -2], RESPONSE)
    assert pci_st(x, TIMES) == pytest.approx(pci_st(1000 * x, TIMES))
    assert pci_st(np.zeros_like(x), TIMES) == 0


# --- oscillations ---------------------------------------------------------------------------------------------


def test_no_change_is_zero_decibel_and_a_doubling_is_six():
    rng = np.random.default_rng(2)
    x = 1e-6 * rng.standard_normal((80, 1, TIMES.size))
    x[..., TIMES > 0] *= 2
    change = trsp(x, TIMES, frequencies=[20.0, 30.0])[0]
    assert change[:, (TIMES > 0.15) & (TIMES < 0.4)].mean() == pytest.approx(20 * np.log10(2), abs=0.4)
    assert change[:, (TIMES > -0.4) & (TIMES < -0.15)].mean() == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize("frequency", [12.0, 20.0, 30.0])
def test_natural_frequency_is_found(frequency):
    rng = np.random.default_rng(3)
    ring = np.where(TIMES > 0, np.sin(2 * np.pi * frequency * TIMES) * np.exp(-TIMES / 0.15), 0)
    x = 1e-6 * (rng.standard_normal((50, 2, TIMES.size)) + 4 * ring)
    assert natural_frequency(x, TIMES) == pytest.approx(frequency, abs=2)


# --- rest -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rest():
    raw, _ = resting_eeg(duration=60, aperiodic_exponent=1.4, alpha_frequency=9.5, sampling_rate=250.0, seed=7)
    x = raw.get_data()[:6, : 30 * 500].reshape(6, 30, 500).transpose(1, 0, 2)
    return x, np.arange(500) / 250


def test_resting_measures_recover_the_simulation(rest):
    exponent = bootstrap_epochs(*rest, aperiodic_exponent)
    assert exponent == pytest.approx(1.4, abs=0.12)
    assert exponent.ci_low < exponent < exponent.ci_high
    assert bootstrap_epochs(*rest, individual_alpha_frequency) == pytest.approx(9.5, abs=0.3)


def test_no_rhythm_is_no_alpha_frequency():
    rng = np.random.default_rng(8)
    x = 1e-6 * rng.standard_normal((60, 1, 500))
    assert np.isnan(individual_alpha_frequency(x, np.arange(500) / 250)[0])


def test_coupling_follows_mne_connectivity():
    mne_connectivity = pytest.importorskip("mne_connectivity")
    rng = np.random.default_rng(9)
    times = np.arange(500) / 250
    phase = rng.uniform(0, 2 * np.pi, (60, 1, 1))
    lags = np.array([0, 0.6, 0.0])[:, None]
    x = np.sin(2 * np.pi * 10 * times + phase - lags) + rng.standard_normal((60, 3, 500))
    for ours, theirs in ((alpha_wpli, "wpli"), (alpha_imaginary_coherence, "imcoh")):
        expected = mne_connectivity.spectral_connectivity_epochs(
            x, method=theirs, mode="fourier", sfreq=250, fmin=8, fmax=13, indices=([0, 0], [1, 2]), verbose=False
        ).get_data()
        assert ours(x, times) == pytest.approx(np.abs(expected).mean(), rel=1e-6), theirs


def test_one_source_in_two_channels_is_no_coupling():
    x = np.random.default_rng(10).standard_normal((30, 1, 500)) * np.array([1.0, 0.4])[:, None]
    assert alpha_imaginary_coherence(x, np.arange(500) / 250) < 1e-12
    with pytest.raises(ValueError, match="leaves no pair"):
        alpha_wpli(x[:, :1], np.arange(500) / 250)


def test_alpha_power_is_that_of_a_sine():
    times = np.arange(500) / 250
    x = 3e-6 * np.sin(2 * np.pi * 10 * times)[None, None]
    assert alpha_power(x, times)[0] == pytest.approx(4.5e-12, rel=1e-3)


# --- intervals ------------------------------------------------------------------------------------------------


def test_the_interval_of_a_peak_covers_the_truth():
    true = tep_peak(RESPONSE[None], TIMES)
    rng = np.random.default_rng(12)
    kernel = np.exp(-0.5 * (np.arange(-30, 31) / 8) ** 2)
    kernel /= np.sqrt(np.sum(kernel**2))
    covered = dict.fromkeys(true, 0)
    for run in range(50):
        white = rng.standard_normal((40, TIMES.size + 60))
        noise = 8e-6 * np.stack([np.convolve(row, kernel, "valid") for row in white])
        value = bootstrap_average((RESPONSE + noise)[:, None], TIMES, tep_peak, n_boot=100, seed=run)
        for key in true:
            covered[key] += value[key].ci_low <= true[key] <= value[key].ci_high
    assert min(covered.values()) >= 42, covered  # 47 or 48 of 50 expected


def test_the_interval_of_an_index_of_two_conditions():
    rng = np.random.default_rng(13)
    single = RESPONSE + 4e-6 * rng.standard_normal((50, 1, TIMES.size))
    pair = 0.6 * RESPONSE + 4e-6 * rng.standard_normal((50, 1, TIMES.size))
    value = bootstrap_average(
        pair, TIMES, lambda x, times, test: lici_tep(x, times, test=test, correct=False), test=single
    )
    assert value.n == 50
    assert value.ci_low < 0.62 < value.ci_high
    assert value.ci_high - value.ci_low < 0.4


def test_an_interval_repeats_with_its_seed_and_flags_what_is_absent():
    rng = np.random.default_rng(14)
    x = 1e-5 * rng.standard_normal((20, 1, TIMES.size)) + RESPONSE
    one, two = (bootstrap_average(x, TIMES, gmfa_area_of_one, n_boot=50, seed=3) for _ in range(2))
    assert (one.ci_low, one.ci_high) == (two.ci_low, two.ci_high)
    ramp = np.broadcast_to(TIMES, (20, 1, TIMES.size))
    nothing = bootstrap_average(ramp, TIMES, tep_peak, n_boot=20)
    assert nothing["latency"].flag == "absent"
    assert np.isnan(nothing["latency"])
    assert np.isnan(bootstrap_average(x, TIMES, gmfa_area_of_one, n_boot=0).ci_low)


def gmfa_area_of_one(x, times):
    return gmfa_area(np.vstack([x, np.zeros_like(x)]), times)
