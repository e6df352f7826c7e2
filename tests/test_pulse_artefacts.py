"""What surrounds the pulse: bridges over it, a recharge after it, and recordings that were filtered across it."""

import mne
import numpy as np
import pytest

from excitability.cleaning import (
    filtered_across_pulse,
    interpolate_pulse,
    log_of,
    remove_pulse,
    remove_recharge,
    sound,
    ssp_sir,
)
from excitability.cleaning._across_pulse import smear
from excitability.simulate import tep_session
from excitability.trials import cut

RATE = 1000.0
TIMES = np.arange(-500, 501) / RATE
RECHARGE = 0.150


def epochs_of(x, names=None, rate=RATE, **options):
    info = mne.create_info(names or x.shape[1], rate, "eeg")
    return mne.EpochsArray(x, info, tmin=-0.5, **options)


# --- bridges --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", [60.0, 90.0])
def test_an_autoregressive_bridge_carries_a_fast_rhythm_over_the_gap(frequency):
    """A cubic cannot bend so often within 12 ms."""
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 2 * np.pi, (20, 3, 1))
    x = 5e-6 * np.sin(2 * np.pi * frequency * TIMES + phase) + 2e-7 * rng.standard_normal((20, 3, TIMES.size))
    gap = (TIMES >= -0.002) & (TIMES <= 0.010)
    error = {}
    for method in ("autoregressive", "cubic"):
        bridged = interpolate_pulse(remove_pulse(epochs_of(x)), method=method, fit=(0.05, 0.05)).get_data()
        assert np.array_equal(bridged[..., ~gap], x[..., ~gap])
        error[method] = np.sqrt(np.mean((bridged - x)[..., gap] ** 2)) / np.sqrt(np.mean(x[..., gap] ** 2))
    assert error["autoregressive"] < 0.25
    assert error["cubic"] > 0.8


def test_an_autoregressive_bridge_stays_between_its_sides_and_says_when_it_is_too_short():
    rng = np.random.default_rng(1)
    x = 1e-6 * np.cumsum(rng.standard_normal((10, 4, TIMES.size)), axis=-1)
    bridged = interpolate_pulse(remove_pulse(epochs_of(x)), method="autoregressive").get_data()
    near = x[..., (TIMES > -0.03) & (TIMES < 0.04)]
    gap = bridged[..., (TIMES > -0.003) & (TIMES < 0.011)]
    assert np.all(gap.max(axis=-1) < near.max(axis=-1) + np.ptp(near, axis=-1))
    assert np.all(gap.min(axis=-1) > near.min(axis=-1) - np.ptp(near, axis=-1))
    with pytest.raises(ValueError, match="needs 6 on either side"):
        interpolate_pulse(epochs_of(x), method="autoregressive", fit=(0.004, 0.02))
    with pytest.raises(ValueError, match="one of cubic, linear, autoregressive, not 'spline'"):
        interpolate_pulse(epochs_of(x), method="spline")
    flat = interpolate_pulse(epochs_of(np.zeros((2, 2, TIMES.size))), method="autoregressive")
    assert not flat.get_data().any()


def test_bridges_work_on_a_raw_too():
    x = 5e-6 * np.sin(2 * np.pi * 60 * np.arange(4000) / RATE)[None]
    raw = mne.io.RawArray(x, mne.create_info(1, RATE, "eeg"))
    raw.set_annotations(mne.Annotations([2.0], [0.0], ["TMS"]))
    bridged = interpolate_pulse(remove_pulse(raw), method="autoregressive", fit=(0.06, 0.06))
    assert np.abs(bridged.get_data() - x).max() < 5e-7


# --- recharge -------------------------------------------------------------------------------------------------


def recharged(size=80e-6, jitter=0, rate=RATE, n=25):
    """Epochs after the pulse step without and with a recharge artefact of 2 ms."""
    raw, _ = tep_session("M1", n_trials=n, sampling_rate=rate, muscle_amplitude=200e-6, seed=4)
    clean = interpolate_pulse(remove_pulse(cut(raw, tmin=-0.5, tmax=0.5).epochs))
    rng = np.random.default_rng(5)
    spoilt = clean.copy()
    shape = size * rng.uniform(-1, 1, len(clean.ch_names))[:, None] * np.array([1.0, -0.6])
    for trial in spoilt._data:
        start = int(np.argmin(np.abs(clean.times - RECHARGE))) + rng.integers(-jitter, jitter + 1)
        trial[:, start : start + 2] += shape
    return clean, spoilt


@pytest.mark.parametrize(("size", "jitter", "rate"), [(80e-6, 0, 1000.0), (80e-6, 1, 1000.0), (1e-3, 2, 5000.0)])
def test_a_recharge_is_found_and_cut_out(size, jitter, rate):
    clean, spoilt = recharged(size, jitter, rate, n=12 if rate > 1000 else 25)
    out = remove_recharge(spoilt)
    (found,) = log_of(out)["removed"].iloc[-1:]
    assert found.startswith("recharge 1")
    assert abs(float(found.split()[1]) / 1000 - RECHARGE) <= 0.002
    before, after = (np.abs(e.average().get_data() - clean.average().get_data()).max() for e in (spoilt, out))
    assert after < 0.06 * before or after < 1.5e-6
    away = np.abs(clean.times - RECHARGE) > 0.010
    assert np.array_equal(out.get_data()[..., away], clean.get_data()[..., away])


def test_where_there_is_no_recharge_nothing_is_taken():
    """Neither the response, nor scalp muscle, nor the decay is one."""
    clean, _ = recharged()
    out = remove_recharge(clean)
    assert "no recharge" in log_of(out)["removed"].iloc[-1]
    assert np.array_equal(out.get_data(), clean.get_data())


def test_a_given_time_is_taken_and_one_outside_is_refused():
    clean, spoilt = recharged(size=5e-6)  # too small to be found
    assert "no recharge" in log_of(remove_recharge(spoilt))["removed"].iloc[-1]
    out = remove_recharge(spoilt, at=RECHARGE, method="autoregressive")
    assert not np.array_equal(out.get_data(), spoilt.get_data())
    assert np.abs(out.average().get_data() - clean.average().get_data()).max() < 2e-6
    with pytest.raises(ValueError, match=r"recharge at 0.7 s lies outside the trials"):
        remove_recharge(clean, at=0.7)
    with pytest.raises(ValueError, match="milliseconds"):
        remove_recharge(clean, window=(-2, 500))


# --- bad recordings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1000.0, 5000.0])
def test_a_filter_across_the_pulse_is_seen_and_an_honest_recording_is_not_accused(rate):
    raw, _ = tep_session("DLPFC", n_trials=20, muscle_amplitude=300e-6, decay="power", sampling_rate=rate, seed=6)
    assert smear(raw) == ""
    honest = remove_pulse(cut(raw, tmin=-0.5, tmax=0.5).epochs)
    assert not filtered_across_pulse(honest)
    for low, high in ((1.0, 80.0), (None, 200.0)):
        spoilt = raw.copy().filter(low, high, verbose="error")
        spoilt.info._unlocked = True
        spoilt.info["lowpass"] = rate / 2  # many files do not say it
        out = remove_pulse(cut(spoilt, tmin=-0.5, tmax=0.5).epochs)
        assert filtered_across_pulse(out)
        assert "locked to the pulse" in log_of(out)["removed"].iloc[-1]
        assert "filtered across the pulse" in log_of(remove_pulse(spoilt))["removed"].iloc[-1]


def test_a_narrow_band_that_the_file_tells_is_enough():
    raw, _ = tep_session("M1", n_trials=3, seed=7)
    raw.info._unlocked = True
    raw.info["lowpass"] = 100.0
    assert smear(raw) == "filtered across the pulse beforehand (low-pass 100 Hz)"


def test_a_rate_too_low_for_the_pulse_is_refused():
    x = np.zeros((3, 2, 101))
    with pytest.raises(ValueError, match="at 100 Hz the window -2 to 10 ms holds fewer than 2 samples"):
        remove_pulse(epochs_of(x, rate=100.0))


@pytest.mark.parametrize("kept", [10, 20])
def test_sound_needs_a_rank_of_half_its_channels(kept):
    names = mne.channels.make_standard_montage("biosemi32").ch_names
    rng = np.random.default_rng(8)
    x = 1e-6 * rng.standard_normal((10, kept, TIMES.size))
    epochs = epochs_of(np.einsum("ck,tkx->tcx", rng.standard_normal((32, kept)), x), names)
    epochs.set_montage("biosemi32")
    if kept > 16:
        assert sound(epochs).get_data().shape == (10, 32, TIMES.size)
        return
    with pytest.raises(ValueError, match="the data of 32 channels have rank 10"):
        sound(epochs)


def test_a_step_that_needs_positions_says_how_to_give_them():
    epochs = epochs_of(1e-6 * np.random.default_rng(9).standard_normal((6, 8, TIMES.size)))
    for function in (sound, ssp_sir):
        with pytest.raises(ValueError, match=r"no position for the channels .*set_montage") as caught:
            function(epochs)
        assert "\n" not in str(caught.value)
