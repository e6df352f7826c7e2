"""Heart beats in the EMG of trunk muscles are found, taken away and told; where there are none nothing happens."""

from __future__ import annotations

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.cleaning import log_of, remove_ecg
from excitability.simulate import mep_trials
from excitability.simulate.artefacts import pulse_artefact
from excitability.simulate.background import interference_pattern

RATE = 2000.0


def _beat(rate=RATE, narrow=1.0):
    """P wave, QRS complex and T wave from 0.3 s before the R wave; the R wave is 1."""
    t = np.arange(-0.3, 0.5, 1 / rate)
    waves = ((-0.17, 0.022, 0.12), (-0.024, 0.007, -0.15), (0.0, 0.010, 1.0), (0.026, 0.009, -0.3), (0.25, 0.04, 0.22))
    return sum(size * np.exp(-0.5 * ((t - at) / (width * narrow)) ** 2) for at, width, size in waves)


def _heart(n_times, rng, per_minute=70.0, size=300e-6, rate=RATE):
    """Trace and R waves (s) of a heart with respiratory and random variation of its rate."""
    trace, times, t = np.zeros(n_times), [], 0.7
    beat = _beat(rate)
    while t < n_times / rate - 0.6:
        start = round((t - 0.3) * rate)
        trace[start : start + beat.size] += size * (1 + 0.12 * np.sin(2 * np.pi * 0.25 * t)) * beat
        times.append(round(t * rate) / rate)
        t += 60 / per_minute * (1 + 0.05 * np.sin(2 * np.pi * 0.25 * t) + 0.02 * rng.standard_normal())
    return trace, np.array(times)


def _recording(seed, *, heart=300e-6, background=30e-6, n_pulses=50, responses=True, ecg=False, per_minute=70.0):
    """Erector spinae in contraction: known responses, artefacts, heart; with the same recording without heart."""
    rng = np.random.default_rng(seed)
    every = 3.1
    n_times = round((n_pulses * every + 6) * RATE)
    x = background * interference_pattern(n_times, RATE, rng)
    clean, times, truth = mep_trials(
        n_pulses, sampling_rate=RATE, tmin=0.0, tmax=0.2, muscle="ES", amplitude_median=0.3e-3, amplitude_sigma=0.5,
        no_response=0.3 if responses else 1.0, noise_rms=1e-9, hum=0.0, artefact="none", seed=rng,
    )  # fmt: skip
    clean += pulse_artefact(times, n_pulses, "decay", rng)
    samples = np.round((3 + every * np.arange(n_pulses) + rng.uniform(-0.3, 0.3, n_pulses)) * RATE).astype(int)
    np.add.at(x, samples[:, None] + np.arange(times.size), clean)
    trace, beats = _heart(n_times, rng, per_minute=per_minute, size=heart)
    channels, kinds = [x + trace], ["emg"]
    if ecg:
        channels.append(4 * trace + 20e-6 * rng.standard_normal(n_times))
        kinds.append("ecg")
    info = mne.create_info(["LES", "ECG"][: len(kinds)], RATE, kinds)
    raw = mne.io.RawArray(np.array(channels), info, verbose="ERROR")
    stimuli = pd.DataFrame({"onset": samples / RATE, "intensity": 60.0, "muscle_state": "active"})
    without = mne.io.RawArray(x[None], mne.create_info(["LES"], RATE, "emg"), verbose="ERROR")
    return ex.set_stimuli(raw, stimuli), ex.set_stimuli(without, stimuli), beats, truth


def _found(raw):
    notes = raw.annotations
    return notes.onset[notes.description == "ECG"] - raw.first_time


def _distances(raw):
    return np.array([extras["ecg_distance"] for extras in raw.annotations.extras if "ecg_distance" in (extras or {})])


@pytest.fixture(scope="module")
def with_ecg_channel():
    return _recording(10, heart=400e-6, background=20e-6, ecg=True)


@pytest.fixture(scope="module")
def without_ecg_channel():
    return _recording(11, heart=400e-6, background=20e-6, per_minute=85.0)


@pytest.mark.parametrize("which", ["with_ecg_channel", "without_ecg_channel"])
def test_beats_are_found_and_taken_away(which, request):
    raw, without, beats, _ = request.getfixturevalue(which)
    before = raw.get_data().copy()
    cleaned = remove_ecg(raw)
    found = _found(cleaned)
    away = np.array([np.min(np.abs(found - beat)) for beat in beats])
    assert abs(found.size - beats.size) <= 2
    pulses = raw.annotations.onset
    # a beat under a response is timed from its neighbours alone, where there is no ECG channel
    under = np.array([np.any((beat > pulses - 0.04) & (beat < pulses + 0.12)) for beat in beats])
    assert np.mean(away[~under] < 0.003) > 0.99
    assert np.all(away[under] < (0.02 if "ECG" in raw.ch_names else 0.08))
    heart = before[0] - without.get_data()[0]
    left = cleaned.get_data(picks="LES")[0] - without.get_data()[0]
    assert np.std(left) < 0.25 * np.std(heart)
    assert np.array_equal(raw.get_data(), before), "a copy is cleaned"
    row = log_of(cleaned).iloc[0]
    assert f"{found.size} beats" in row["removed"]
    assert "/min" in row["removed"]
    assert "% of the power" in row["removed"]


def test_the_ecg_channel_itself_is_left_alone(with_ecg_channel):
    raw = with_ecg_channel[0]
    assert np.array_equal(remove_ecg(raw).get_data(picks="ECG"), raw.get_data(picks="ECG"))


def test_every_pulse_is_told_how_far_the_next_beat_is(with_ecg_channel):
    raw, _, beats, _ = with_ecg_channel
    pulses = raw.annotations.onset
    truth = np.array([np.min(np.abs(beats - pulse)) for pulse in pulses])
    assert np.quantile(np.abs(_distances(remove_ecg(raw)) - truth), 0.9) < 0.003


def test_without_a_heart_nothing_is_changed():
    for seed, background in ((1, 30e-6), (2, 5e-6)):
        raw, *_ = _recording(seed, heart=0.0, background=background)
        cleaned = remove_ecg(raw)
        assert np.array_equal(cleaned.get_data(), raw.get_data())
        assert log_of(cleaned)["removed"].iloc[0] == "nothing: no plausible ECG was found on LES"
        assert set(cleaned.annotations.description) == {"TMS"}


def test_bursts_of_muscle_are_no_heart():
    raw, *_ = _recording(3, heart=0.0, background=20e-6)
    rng = np.random.default_rng(3)
    x = raw._data[0]
    for start in rng.uniform(0, x.size - 2000, 80).astype(int):
        n = int(rng.uniform(0.05, 0.4) * RATE)
        x[start : start + n] += 400e-6 * np.hanning(n) * interference_pattern(n, RATE, rng) + 150e-6 * np.hanning(n)
    assert not _found(remove_ecg(raw)).size


def test_regular_pulses_are_no_heart():
    """Pulses once a second with their responses: an even rate of 60/min, which a search for peaks would take."""
    rng = np.random.default_rng(4)
    x, _, _ = mep_trials(80, sampling_rate=RATE, tmin=-0.1, tmax=0.9, noise_rms=20e-6, background="active", seed=4)
    raw = mne.io.RawArray(x.reshape(1, -1), mne.create_info(["LES"], RATE, "emg"), verbose="ERROR")
    raw = ex.set_stimuli(raw, pd.DataFrame({"onset": 0.1 + np.arange(80) * 1.0, "intensity": rng.uniform(50, 60, 80)}))
    assert not _found(remove_ecg(raw)).size


def test_the_area_is_that_without_a_heart():
    """With the heart removed and near pulses left out, areas are as good as those of the recording without one."""
    error = {}
    raw, without, _, truth = _recording(12, heart=300e-6, background=30e-6)
    cleaned = remove_ecg(raw)
    present = truth["present"].to_numpy()
    keep = present & (_distances(cleaned) >= 0.05)
    for name, recording in (("heart", raw), ("removed", cleaned), ("none", without)):
        table = ex.trial_table(recording, "m1/mep", picks=["LES"], muscles={"LES": "ES"})
        off = table["mep_area"].to_numpy() - truth["area"].to_numpy()
        error[name] = np.sqrt(np.mean(off[keep if name == "removed" else present] ** 2))
    assert error["removed"] < 1.3 * error["none"]
    assert error["removed"] < 0.4 * error["heart"]


def test_the_trunk_protocol_cleans_before_it_cuts():
    raw, _, _, truth = _recording(13, heart=300e-6, background=30e-6, ecg=True)
    table = ex.trial_table(raw, "mep_trunk", picks=["LES"], muscles={"LES": "ES"})
    near = table["ecg_distance"] < 0.05
    assert near.any()
    assert (table.loc[near, "reject"] != "").all()
    far = table[table["reject"] == ""]
    assert np.median(far["background_emg"]) < 45e-6, "the heart is no background"
    result = ex.run(raw, "mep_trunk", picks=["LES"], muscles={"LES": "ES"})
    area = result.loc[result["measure"] == "mep_area", "value"].item()
    assert abs(area - truth["area"].mean()) < 0.35 * truth["area"].mean()
    _, log = ex.clean(raw, "mep_trunk", picks=["LES"])
    assert log["step"].tolist() == ["remove_ecg"]


def test_frames_say_that_the_whole_recording_is_needed():
    raw, *_ = _recording(5, n_pulses=10)
    frames = mne.Epochs(raw, tmin=-0.2, tmax=0.3, baseline=None, preload=True, verbose="ERROR")
    with pytest.raises(ValueError, match="continuous recording"):
        ex.run(frames, "mep_trunk", picks=["LES"], muscles={"LES": "ES"})


def test_an_unknown_channel_is_named():
    raw, *_ = _recording(5, n_pulses=3)
    with pytest.raises(ValueError, match="'EKG' is not in the recording"):
        remove_ecg(raw, channel="EKG")
