"""Measures of TMS-EEG beyond the single peak: presets, areas, pairs, oscillations, early waves, and EMG beside EEG."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.measures import (
    band_phase_locking,
    band_power_change,
    cortical_evoked_activity,
    immediate_tep,
    lmfa_area,
    mep_tep_association,
    natural_frequency,
    paired_pulse_tep,
    paired_pulse_tep_change,
    pci_st,
    phase_locking,
    tep_mean_amplitude,
    tep_peak,
    tep_peak_to_peak,
)
from excitability.measures.bootstrap import bootstrap_average, bootstrap_epochs
from excitability.resources import tep_component, tep_components
from excitability.simulate.eeg_sessions import COMPONENTS, WINDOWS, true_response
from excitability.simulate.fields import CHANNELS, eeg_info

TIMES = np.arange(-500, 501) / 1000
BRIDGED = [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}]
#: Of m1/tep, so that a run is short.
FEW = {
    "average": {"p30": {"measure": "tep_peak", "roi": "M1_left", "component": "M1 P30"}},
    "epochs": {"mep_tep_association": {"roi": "M1_left", "n_permutations": 500}},
}


def wave(latency, size, width, times=TIMES):
    return size * np.exp(-0.5 * ((times - latency) / width) ** 2)


# --- peaks and areas ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["M1", "DLPFC"])
def test_presets_are_the_windows_of_the_simulator_and_find_its_components(target):
    """Two tables of the same windows: a change of one must not pass unseen."""
    windows = {name.split()[1].lower(): tep_component(name)["window"] for name in tep_components(target)}
    assert windows == WINDOWS[target]
    for name in tep_components(target):
        latency, width, size, *_ = COMPONENTS[target][name.split()[1].lower()]
        peak = tep_peak(wave(latency, size, width)[None], TIMES, component=name)
        assert peak["latency"] == pytest.approx(latency, abs=5e-4), name
        assert peak["amplitude"] == pytest.approx(size, rel=0.02), name


def test_an_unknown_component_is_named():
    with pytest.raises(ValueError, match=r"unknown component 'M1 N44'.*M1 N45"):
        tep_peak(np.zeros((1, TIMES.size)), TIMES, component="M1 N44")


def test_peak_to_peak_by_components():
    x = (wave(0.045, -6e-6, 0.004) + wave(0.062, 5e-6, 0.004))[None]
    assert tep_peak_to_peak(x, TIMES, component="M1 N45", second_component="M1 P60") == pytest.approx(11e-6, rel=0.02)


def test_a_recording_too_slow_for_the_window_is_refused():
    slow = np.arange(-20, 20) / 150
    with pytest.raises(ValueError, match="holds 2 samples at 150 Hz; a peak needs 3"):
        tep_peak(np.zeros((1, slow.size)), slow, component="M1 N15")


def test_mean_amplitude_and_areas():
    x = np.stack([wave(0.03, 6e-6, 0.004), wave(0.03, 2e-6, 0.004)])
    inside = (TIMES >= 0.025) & (TIMES <= 0.035)
    assert tep_mean_amplitude(x, TIMES) == pytest.approx(x[:, inside].mean())
    whole = 4e-6 * 0.004 * np.sqrt(2 * np.pi)
    assert cortical_evoked_activity(x, TIMES, window=(0.01, 0.1)) == pytest.approx(whole, rel=1e-3)
    assert cortical_evoked_activity(-x, TIMES, window=(0.01, 0.1)) == pytest.approx(whole, rel=1e-3)
    assert lmfa_area(x, TIMES, window=(0.01, 0.1)) == pytest.approx(0.5 * whole, rel=1e-3)
    assert np.isnan(lmfa_area(x[:1], TIMES))


# --- pairs ----------------------------------------------------------------------------------------------------


def test_a_weak_conditioning_pulse_is_taken_out_by_its_own_response_only():
    """SICI: the conditioning response is another than that to the test pulse, and as large as the effect."""
    test = (wave(0.030, 5e-6, 0.005) + wave(0.1, -9e-6, 0.015))[None]
    alone = (wave(0.035, -2e-6, 0.006) + wave(0.09, -4e-6, 0.02))[None]
    pair = 0.7 * test + np.interp(TIMES + 0.003, TIMES, alone[0])
    options = {"test": test, "interval": 0.003}
    assert paired_pulse_tep(pair, TIMES, conditioning=alone, **options) == pytest.approx(0.7, abs=1e-6)
    change = paired_pulse_tep_change(pair, TIMES, conditioning=alone, **options)
    assert change == pytest.approx(-0.3 * tep_mean_amplitude(test, TIMES), rel=1e-6)
    uncorrected = paired_pulse_tep(pair, TIMES, **options)
    assert uncorrected.flag == "conditioning_response_not_subtracted"
    assert abs(uncorrected - 0.7) > 0.1
    assert abs(paired_pulse_tep(pair, TIMES, subtract="test", **options) - 0.7) > 0.1, "is for equal pulses"
    with pytest.raises(ValueError, match="unknown subtract 'contitioning'"):
        paired_pulse_tep(pair, TIMES, subtract="contitioning", **options)
    with pytest.raises(ValueError, match=r"needed up to 0.55 s"):
        paired_pulse_tep(pair, TIMES, conditioning=alone, test=test, interval=0.1, window=(0.05, 0.45))


def test_the_interval_of_a_change_covers_the_truth():
    rng = np.random.default_rng(4)
    test, alone = wave(0.030, 5e-6, 0.005), wave(0.035, -2e-6, 0.006)
    pair = 0.6 * test + np.interp(TIMES + 0.003, TIMES, alone)
    true = -0.4 * tep_mean_amplitude(test[None], TIMES)
    covered = 0
    for run in range(60):
        trials = {}
        for name, course in (("pair", pair), ("test", test), ("conditioning", alone)):
            level = 6e-6 * rng.standard_normal((30, 1, 1))  # the same over the window: averages do not tame it
            trials[name] = course + level + 4e-6 * rng.standard_normal((30, 1, TIMES.size))
        value = bootstrap_average(
            trials.pop("pair"),
            TIMES,
            lambda x, times, **others: paired_pulse_tep_change(x, times, interval=0.003, **others),
            n_boot=100,
            seed=run,
            **trials,
        )
        covered += value.ci_low <= true <= value.ci_high
    assert covered >= 51  # of 60; 57 expected


# --- oscillations ---------------------------------------------------------------------------------------------


def bursts(n, locked, size, seed=0, frequency=20.0):
    """Noise, and after the pulse an oscillation of 20 Hz with one phase or with another in each trial."""
    rng = np.random.default_rng(seed)
    phase = 0.3 if locked else rng.uniform(0, 2 * np.pi, (n, 1, 1))
    envelope = np.where(TIMES > 0, np.exp(-((TIMES - 0.1) ** 2) / 0.01), 0)
    ring = envelope * np.sin(2 * np.pi * frequency * TIMES + phase)
    return 1e-6 * (rng.standard_normal((n, 1, TIMES.size)) + size * ring)


@pytest.mark.parametrize("n", [15, 120])
def test_evoked_and_induced_power_are_told_apart_with_few_and_with_many_trials(n):
    for locked, here, elsewhere in ((True, "evoked", "induced"), (False, "induced", "evoked")):
        x = bursts(n, locked, 2.0)
        total, mine, other = (
            band_power_change(x, TIMES, part=part, band=(15, 25))[0] for part in ("total", here, elsewhere)
        )
        assert mine == pytest.approx(total, abs=0.8)
        assert mine > 7
        # of what is added to the power before the pulse, a small share at most
        assert abs(10 ** (other / 10) - 1) < 0.2 * (10 ** (mine / 10) - 1)
    with pytest.raises(ValueError, match="unknown part of band_power_change"):
        band_power_change(x, TIMES, part="locked")
    assert np.isnan(band_power_change(x[:1], TIMES)[0])


def test_phase_locking_is_one_zero_or_chance():
    locked, free = bursts(60, True, 8.0), bursts(60, False, 8.0)
    after = (TIMES > 0.05) & (TIMES < 0.15)
    assert phase_locking(locked, TIMES, frequencies=[20.0])[0, 0, after].min() > 0.95
    noise = bursts(60, True, 0.0)
    chance = phase_locking(noise, TIMES, frequencies=np.arange(8.0, 31.0))
    assert chance.mean() == pytest.approx(0.886 / np.sqrt(60), rel=0.1)  # mean of a Rayleigh variable
    assert abs(band_phase_locking(free, TIMES)[0]) < 0.05
    assert abs(band_phase_locking(noise[:12], TIMES)[0]) < 0.06, "few trials lock no more by chance"


def test_natural_frequency_has_an_interval_that_covers():
    covered, width = 0, []
    for run in range(20):
        value = bootstrap_epochs(bursts(40, True, 1.5, seed=run, frequency=18.4), TIMES, natural_frequency)
        covered += value.ci_low <= 18.4 <= value.ci_high
        width.append(value.ci_high - value.ci_low)
    assert covered >= 16  # of 20
    assert np.median(width) < 6


def test_noise_alone_has_no_certain_natural_frequency():
    x = 1e-6 * np.random.default_rng(3).standard_normal((30, 1, TIMES.size))
    value = bootstrap_epochs(x, TIMES, natural_frequency)
    assert np.isnan(value) or value.ci_high - value.ci_low > 8


# --- early waves ----------------------------------------------------------------------------------------------


def fast(rate, frequency=650.0, decay=40e-6):
    times = np.arange(round(-0.05 * rate), round(0.05 * rate)) / rate
    ring = 3e-6 * np.sin(2 * np.pi * frequency * (times - 0.002)) * np.exp(-(((times - 0.004) / 0.002) ** 2))
    return (ring + decay * np.exp(-np.maximum(times, 0) / 0.012) * (times > 0))[None], times


@pytest.mark.parametrize("frequency", [550.0, 650.0, 800.0])
def test_immediate_waves_are_found_on_a_decay(frequency):
    x, times = fast(20000.0, frequency)
    found = immediate_tep(x, times, lowpass=5000.0, pulse_end=0.0015)
    assert found["frequency"] == pytest.approx(frequency, rel=0.08)
    assert found["amplitude"] == pytest.approx(6e-6, rel=0.2)
    assert 0.002 <= found["latency"] <= 0.0045


@pytest.mark.parametrize(
    ("rate", "options", "flag"),
    [
        (1000.0, {}, "sampling_rate_too_low"),
        (10000.0, {"lowpass": 350.0}, "low_passed"),
        (10000.0, {"pulse_end": 0.010}, "window_holds_the_pulse"),
    ],
)
def test_immediate_waves_are_refused_where_they_cannot_be(rate, options, flag):
    x, times = fast(rate)
    found = immediate_tep(x, times, **options)
    assert {value.flag for value in found.values()} == {flag}
    assert all(np.isnan(value) for value in found.values())
    straight = immediate_tep(1e-6 * times[None] + 1, times)
    assert all(np.isnan(value) for value in straight.values())


# --- complexity -----------------------------------------------------------------------------------------------


def test_complexity_says_when_its_rate_or_baseline_is_unusual():
    rng = np.random.default_rng(1)
    x = 1e-7 * rng.standard_normal((6, TIMES.size)) + np.outer([1, -1, 2, 0.5, 1, -2], wave(0.1, 5e-6, 0.02))
    assert pci_st(x, TIMES).flag == ""
    assert pci_st(x, TIMES / 4, window=(0, 0.1), baseline=(-0.1, -0.01)).flag == "unusual_sampling_rate"
    assert pci_st(x + 1e-6, TIMES).flag == "baseline_not_subtracted"


# --- EMG beside EEG -------------------------------------------------------------------------------------------


def joint_recording(n=40, coupling=1.0, seed=0, rate=2500.0, **stimuli):
    """EEG of M1 and EMG whose responses follow one excitability that changes from trial to trial."""
    rng = np.random.default_rng(seed)
    window = np.arange(round(0.4 * rate)) / rate
    response = true_response(CHANNELS, window, COMPONENTS["M1"])
    excitability = rng.standard_normal(n)
    own = rng.standard_normal(n)
    gain = 1 + 0.5 * (coupling * excitability + np.sqrt(1 - coupling**2) * own)
    sizes = 0.6e-3 * np.exp(0.5 * excitability)
    onset = 1.0 + 1.1 * np.arange(n)
    data = 1.5e-6 * rng.standard_normal((len(CHANNELS) + 1, round((onset[-1] + 1) * rate)))
    muscle = np.sin(2 * np.pi * np.clip((window - 0.022) / 0.012, 0, 1))
    for time, one, size in zip(onset, gain, sizes, strict=True):
        start = round(time * rate)
        data[:-1, start : start + window.size] += one * response
        data[-1, start : start + window.size] += size / 2 * muscle
        data[:, start : start + round(0.002 * rate)] += 2e-3
    info = mne.create_info([*CHANNELS, "EMG_FDI"], rate, ["eeg"] * len(CHANNELS) + ["emg"])
    info.set_montage(eeg_info(CHANNELS, rate).get_montage())
    raw = mne.io.RawArray(data, info)
    return ex.set_stimuli(raw, pd.DataFrame({"onset": onset, "pulse_count": 1.0, **stimuli})), sizes


def test_meps_stand_in_the_metadata_beside_the_tep():
    raw, sizes = joint_recording()
    protocol = ex.load_protocol("m1/tep").replace(cleaning=[*BRIDGED, {"step": "resample"}], **FEW)
    epochs, _ = ex.clean(raw, protocol)
    assert epochs.info["sfreq"] < 1300
    measured = epochs.metadata["mep_amplitude"].to_numpy()
    np.testing.assert_allclose(measured, sizes[epochs.selection], rtol=0.05, atol=5e-6)  # of the samples as recorded
    rows = ex.run(raw, protocol).set_index(["channel", "measure"])
    assert rows.loc[("EMG_FDI", "mep_amplitude"), "value"] == pytest.approx(sizes.mean(), rel=0.05)
    assert rows.loc[("M1_left", "p30_amplitude"), "value"] > 1e-6
    joint = rows.loc[("M1_left+EMG_FDI", "correlation")]
    assert joint["value"] > 0.7
    assert joint["ci_low"] < joint["value"] < joint["ci_high"]
    assert rows.loc[("M1_left+EMG_FDI", "p_value"), "value"] < 0.01
    assert joint["n_trials"] == 40


def test_a_rejected_muscle_trial_keeps_its_brain_response():
    raw, _ = joint_recording()
    sample = round((1.0 + 1.1 * 3 - 0.05) * 2500)
    raw._data[-1, sample : sample + 100] += 2e-4 * np.sin(np.arange(100))
    protocol = ex.load_protocol("m1/tep").replace(cleaning=BRIDGED, **FEW)
    epochs, _ = ex.clean(raw, protocol)
    assert np.flatnonzero(epochs.metadata["mep_amplitude"].isna()).tolist() == [3]
    rows = ex.run(raw, protocol).set_index(["channel", "measure"])
    assert rows.loc[("M1_left", "p30_amplitude"), "n_trials"] == 40
    assert rows.loc[("M1_left+EMG_FDI", "correlation"), "n_trials"] == 39


def test_no_emg_gives_no_joint_rows_and_an_unknown_muscle_is_flagged():
    raw, _ = joint_recording(n=12)
    protocol = ex.load_protocol("m1/tep").replace(cleaning=BRIDGED, **FEW)
    without = ex.run(raw.copy().drop_channels("EMG_FDI"), protocol)
    assert not without["measure"].isin(["correlation", "p_value", "mep_amplitude"]).any()
    unknown = ex.run(raw.copy().rename_channels({"EMG_FDI": "BIP1"}), protocol)
    mep = unknown[unknown["measure"] == "mep_amplitude"].iloc[0]
    assert "unknown_muscle" in mep["flag"]
    assert mep["value"] > 1e-4


def test_no_association_is_found_5_percent_of_the_time_and_the_interval_covers():
    rng = np.random.default_rng(5)
    found, covered, missed = 0, 0, 0
    for run in range(150):
        both = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 60)
        drift = np.linspace(0, 2, 60)  # both wane: no association of trials
        options = {"window": (0.0, 0.1), "n_permutations": 200, "seed": run}
        shape = np.ones((1, 1, TIMES.size))
        free = mep_tep_association(
            (rng.standard_normal(60) - drift)[:, None, None] * shape, TIMES, responses=both[:, 0] - drift, **options
        )
        found += free["p_value"] <= 0.05
        tied = mep_tep_association(both[:, :1, None] * shape, TIMES, responses=np.exp(both[:, 1]), **options)
        true = 6 / np.pi * np.arcsin(0.5 / 2)  # rank correlation of normal variables
        covered += tied["correlation"].ci_low <= true <= tied["correlation"].ci_high
        missed += tied["p_value"] > 0.05
    assert found <= 16  # 7.5 expected
    assert covered >= 134  # 142 expected
    assert missed <= 12


def test_an_association_needs_values_that_vary():
    x = np.random.default_rng(6).standard_normal((20, 1, TIMES.size))
    assert mep_tep_association(x, TIMES, responses=np.ones(20))["correlation"].flag == "no_variation"
    assert mep_tep_association(x, TIMES, responses=np.full(20, np.nan))["p_value"].flag == "no_responses"
    assert mep_tep_association(x[:6], TIMES, responses=np.arange(6.0))["p_value"].flag == "too_few_trials"
    with pytest.raises(ValueError, match="expected one value a trial, 20"):
        mep_tep_association(x, TIMES, responses=np.ones(19))


# --- protocols of pairs ---------------------------------------------------------------------------------------


def paired_recording(interval, ratio, alone=True, n=25, seed=0, rate=1000.0):
    """Test pulses, pairs and conditioning pulses alone over M1; the response to pairs is ``ratio`` of the test's."""
    rng = np.random.default_rng(seed)
    window = np.arange(round(0.45 * rate)) / rate
    test = true_response(CHANNELS, window, COMPONENTS["M1"])
    weak = true_response(CHANNELS, window, {"n": (0.05, 0.01, -3e-6, "C3", 0.1), "p": (0.1, 0.02, 3e-6, "C1", 0.1)})
    kinds = rng.permutation(np.repeat([0, 1, 2] if alone else [0, 1], n))
    onset = 1.0 + 1.1 * np.arange(kinds.size)
    data = 2e-6 * rng.standard_normal((len(CHANNELS), round((onset[-1] + 1) * rate)))
    for kind, time in zip(kinds, onset, strict=True):
        first = round((time - interval) * rate) if kind == 1 else round(time * rate)
        if kind > 0:
            data[:, first : first + window.size] += weak
        if kind < 2:
            start = round(time * rate)
            data[:, start : start + window.size] += (ratio if kind == 1 else 1) * test
    raw = mne.io.RawArray(data, eeg_info(CHANNELS, rate))
    table = pd.DataFrame(
        {
            "onset": onset,
            "pulse_count": np.where(kinds == 1, 2.0, 1.0),
            "inter_stimulus_interval": np.where(kinds == 1, interval, np.nan),
            "intensity": np.where(kinds == 2, np.nan, 60.0),
            "conditioning_intensity": np.where(kinds == 0, np.nan, 40.0),
        }
    )
    return ex.set_stimuli(raw, table)


def measured(rows):
    """Rows of the measures, without those on the quality of the recording."""
    return rows[~rows["measure"].str.startswith("quality_")]


@pytest.mark.parametrize(
    ("name", "interval", "ratio"),
    [("m1/sici_tep", 0.003, 0.6), ("m1/icf_tep", 0.012, 1.3), ("dlpfc/sici_tep", 0.002, 0.7)],
)
def test_the_protocols_of_pairs_recover_a_known_ratio(name, interval, ratio):
    protocol = ex.load_protocol(name).replace(cleaning=BRIDGED)
    rows = measured(ex.run(paired_recording(interval, ratio), protocol)).set_index("measure")
    assert set(rows["condition"]) == {f"isi_{interval:g}"}
    value = rows.loc["paired_pulse_tep"]
    assert value["value"] == pytest.approx(ratio, abs=0.08)
    assert value["ci_low"] <= ratio <= value["ci_high"]
    assert value["flag"] == ""
    change = rows.loc["n100_change", "value"]
    assert np.sign(change) == (1 if ratio < 1 else -1)  # of a negative wave
    without = ex.run(paired_recording(interval, ratio, alone=False), protocol).set_index("measure")
    assert without.loc["paired_pulse_tep", "flag"] == "conditioning_response_not_subtracted"


def test_the_protocol_of_immediate_waves_takes_its_limits_from_the_recording():
    raw, _ = joint_recording(n=12, rate=10000.0)
    rows = measured(ex.run(raw, "m1/immediate_tep"))
    assert set(rows["flag"]) <= {"not_above_chance;few_trials", "few_trials", "absent;few_trials"}
    slow = measured(ex.run(raw.copy().resample(2000.0), "m1/immediate_tep"))
    assert slow["flag"].str.contains("sampling_rate_too_low").all()
    longer = ex.load_protocol("m1/immediate_tep").replace(cleaning=BRIDGED)
    assert measured(ex.run(raw, longer))["flag"].str.contains("window_holds_the_pulse").all()
