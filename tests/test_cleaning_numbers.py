"""What cleaning and measures compute by faster ways of their own equals what numpy and scipy give."""

import tracemalloc

import mne
import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

import excitability as ex
from excitability.cleaning import apply, get_step, log_of
from excitability.cleaning._instance import quantile_over_channels, stretches
from excitability.cleaning.filters import bridge_linear, piecewise
from excitability.measures import get_measure
from excitability.measures._chance import samples_looked_at
from excitability.protocol import load_protocol
from excitability.protocol.averages import implausible_scale
from excitability.simulate import tep_session


@pytest.mark.parametrize("n_channels", [1, 2, 7, 64])
@pytest.mark.parametrize("share", [0.5, 0.75])
def test_quantiles_over_channels(n_channels, share):
    x = np.random.default_rng(n_channels).standard_normal((n_channels, 50))
    x[0, 3] = np.nan
    np.testing.assert_allclose(
        quantile_over_channels(x.copy(), share), np.quantile(x, share, axis=0), rtol=0, atol=1e-15
    )


def test_stretches_hold_the_samples_of_a_mask():
    mask = np.array([1, 1, 0, 0, 1, 0, 1], dtype=bool)
    assert np.concatenate([np.arange(7)[span] for span in stretches(mask)]).tolist() == [0, 1, 4, 6]
    assert stretches(np.zeros(3, dtype=bool)) == []


@pytest.mark.parametrize("order", [3, 4, 8])
def test_a_filter_forth_and_back_is_that_of_scipy(order):
    x = np.random.default_rng(order).standard_normal((5, 400)) * 1e-5
    hole = np.zeros(400, dtype=bool)
    hole[[*range(60, 70), *range(72, 80)]] = True  # two samples between holes are too few to filter
    sos = butter(order, 0.3, output="sos")
    expected = x.copy()
    for side in (slice(0, 60), slice(80, 400)):
        padding = min(side.stop - side.start - 1, 30 * len(sos))
        expected[:, side] = sosfiltfilt(sos, x[:, side], axis=-1, padlen=padding)
    found = x.copy()
    piecewise(found, sos, hole)
    np.testing.assert_allclose(found[:, ~hole], expected[:, ~hole], rtol=0, atol=1e-18)


@pytest.mark.parametrize("gone", [[0, 1], [4], [3, 4, 8], [8, 9]])
def test_a_straight_bridge_is_that_of_numpy(gone):
    x = np.random.default_rng(0).standard_normal((3, 10))
    hole = np.isin(np.arange(10), gone)
    found = x.copy()
    bridge_linear(found, hole)
    expected = [np.interp(np.arange(10), np.flatnonzero(~hole), row[~hole]) for row in x]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


def test_a_list_of_steps_copies_the_trials_once():
    x = np.random.default_rng(0).standard_normal((40, 32, 2000)) * 1e-5
    epochs = mne.EpochsArray(x, mne.create_info(32, 2000.0, "eeg"), tmin=-0.5, verbose="error")
    steps = [{"step": "remove_pulse"}, {"step": "bad_trials"}, {"step": "interpolate_pulse"}, {"step": "set_reference"}]
    tracemalloc.start()
    try:
        cleaned, log = apply(epochs, steps)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(log) == 4
    assert peak < 1.6 * x.nbytes
    np.testing.assert_array_equal(epochs.get_data(copy=False), x)  # what was given is as it was
    assert abs(cleaned.get_data(copy=False).mean(axis=1)).max() < 1e-18


@pytest.mark.parametrize("name", ["gmfa_area", "lmfa_area", "cortical_evoked_activity"])
@pytest.mark.parametrize("window", [(0.02, 0.0803), (-0.1, 0.2)])
def test_a_size_is_that_of_the_samples_it_looks_at(name, window):
    times = np.arange(-100, 201) / 1000.0
    x = np.random.default_rng(0).standard_normal((3, 4, times.size))
    measure = get_measure(name)
    seen, fewer = samples_looked_at(x, times, measure, {"window": window})
    assert fewer.size <= times.size
    assert measure.function(seen[0], fewer, window=window) == measure.function(x[0], times, window=window)


@pytest.mark.parametrize("large", [0, 4, 5, 6, 10])
def test_a_scale_is_told_by_the_median(large):
    x = np.where(np.arange(10) < large, -0.01, 0.0001)
    assert (implausible_scale(x) == "implausible_scale") == (np.median(np.abs(x)) > 1e-3)


def test_cleaning_leaves_the_recording_and_its_log_as_they_are():
    raw, _ = tep_session("M1", n_trials=8, seed=0)
    raw = get_step("remove_pulse").function(raw)
    before, rows = raw.get_data().copy(), len(log_of(raw))
    protocol = load_protocol("m1/tep")
    steps = [{"step": "bad_trials"}, {"step": "interpolate_pulse"}, {"step": "set_reference"}]
    epochs, _ = ex.clean(raw, protocol.replace(cleaning=steps))
    assert len(log_of(epochs)) == rows + 3
    assert len(log_of(raw)) == rows
    np.testing.assert_array_equal(raw.get_data(), before)
