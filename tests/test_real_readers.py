"""The readers on real recordings, which lie beside the checkout in ``../shared/data`` and are never part of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from excitability.readers import open_recording
from excitability.resources import muscle_window

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
VENDORS = DATA / "vendor_formats"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real recordings (../shared/data) are not here")


def peak_to_peak(raw, channel, description, start, stop):
    """Amplitude in volts of a channel of a continuous recording after each marker."""
    rate, data = raw.info["sfreq"], raw.get_data(channel)[0]
    onsets = raw.annotations.onset[[str(word).endswith(description) for word in raw.annotations.description]]
    return np.array([np.ptp(data[int((onset + start) * rate) : int((onset + stop) * rate)]) for onset in onsets])


def frame_peak_to_peak(epochs, channel, start, stop):
    return np.ptp(epochs.copy().crop(start, stop).get_data(picks=channel)[:, 0], axis=1)


def test_brainvision():
    raw = open_recording(VENDORS / "brainvision" / "Example Data 1.vhdr")
    assert raw.ch_names == ["LECR", "LFDI", "RECR", "RFDI"]
    assert raw.get_channel_types() == ["emg"] * 4
    assert raw.info["sfreq"] == 5000
    assert set(raw.annotations.description) == {"Stimulus/S255", "Stimulus/S254"}
    amplitude = peak_to_peak(raw, "RFDI", "S255", 0.015, 0.05)
    assert len(amplitude) == 20
    assert amplitude.min() == pytest.approx(0.35e-3, abs=0.01e-3)
    assert amplitude.max() == pytest.approx(2.83e-3, abs=0.04e-3)
    assert amplitude.mean() == pytest.approx(1.18e-3, abs=0.01e-3)


def test_spike2():
    raw = open_recording(VENDORS / "spike2" / "Example Data 1.smr")
    assert raw.ch_names == [f"Chan{index}" for index in range(1, 9)]
    assert raw.get_channel_types() == ["emg"] * 8
    words = list(raw.annotations.description)
    assert words.count("trigger") == 10
    assert words.count("BAD boundary") == 9
    amplitude = peak_to_peak(raw, "Chan1", "trigger", 0.035, 0.065)
    # the largest of these ten is 1.98 mV; data/README.md speaks of 0.6 to 1.5
    assert 0.6e-3 < amplitude.min() < np.median(amplitude) < 1.5e-3
    assert amplitude.max() < 2e-3
    segments = raw.info["temp"]["excitability"]["segments"]
    assert len(segments) == 10
    assert segments[0]["recorded"] == pytest.approx(97.09)
    assert sum(segment["duration"] for segment in segments) == pytest.approx(raw.n_times / raw.info["sfreq"])


def test_spike2_trigger_lies_where_the_artefact_is():
    raw = open_recording(VENDORS / "spike2" / "Example Data 1.smr")
    onsets = raw.annotations.onset[raw.annotations.description == "trigger"]
    data = raw.get_data("Chan2")[0]  # little EMG, a clear artefact
    steps = [
        np.abs(np.diff(data[int((t - 0.05) * 5000) : int((t + 0.03) * 5000)])).argmax() / 5000 - 0.05 for t in onsets
    ]
    assert np.median(steps) == pytest.approx(0.0, abs=0.004)


def test_signal_matlab_export():
    epochs = open_recording(VENDORS / "signal_matlab_export" / "Example Data 1.mat")
    assert epochs.ch_names == ["FDI", "APB"]
    assert epochs.get_channel_types() == ["emg", "emg"]
    assert (len(epochs), epochs.info["sfreq"], epochs.tmin) == (46, 5000, -0.5)
    assert epochs.metadata["frame_state"].value_counts().sort_index().tolist() == [8, 8, 9, 2, 9, 10]
    single = epochs.metadata["frame_state"] == 1
    amplitude = frame_peak_to_peak(epochs, "FDI", 0.015, 0.05)[single]
    assert 3e-3 < np.median(amplitude) < 5e-3
    assert epochs.metadata["onset"].iloc[0] == pytest.approx(47.3125)


def test_acqknowledge_matlab_export():
    raw = open_recording(VENDORS / "acqknowledge_matlab_export" / "Example Data 1.mat")
    assert (len(raw.ch_names), raw.info["sfreq"]) == (13, 2000)
    types = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    assert (types["TA"], types["Stim"], types["TA-RMS"], types["Sol-CL"]) == ("emg", "stim", "misc", "emg")
    assert raw.get_data("Stim").max() == pytest.approx(5.0, abs=0.02)
    assert np.ptp(raw.get_data("TA")) < 0.2e-3


MEPFEATX = {"ID01": "FDI", "ID02": "TA", "ID03": "TA", "ID04": "TA", "ID05": "TA", "ID06": "TA", "ID10": "ECR"}


@pytest.mark.parametrize(("name", "muscle"), MEPFEATX.items())
def test_mepfeatx_peak_to_peak_agrees_with_the_reference(name, muscle):
    epochs = open_recording(
        DATA / "mepfeatx" / "epochs" / f"{name}.mat", variable="meps", axes="samples, trials", sampling_rate=3000,
        unit="uV", pulse_time=0.05, channel_names=[muscle],
    )  # fmt: skip
    assert epochs.times[-1] == pytest.approx(0.15 if muscle == "TA" else 0.1)
    ours = frame_peak_to_peak(epochs, muscle, *muscle_window(muscle))
    theirs = pd.read_csv(DATA / "mepfeatx" / "features" / f"{name}_features.csv")["Amplitude"].to_numpy() * 1e-6
    present = theirs > 0
    assert np.corrcoef(ours[present], theirs[present])[0, 1] >= 0.9999
    assert np.median(np.abs(ours[present] / theirs[present] - 1)) <= 0.005


def test_lici_sweeps_are_told_apart_by_columns_or_by_select():
    path = DATA / "mepfeatx" / "epochs" / "ID02.mat"
    said = {"variable": "meps", "axes": "samples, trials", "sampling_rate": 3000, "unit": "uV", "pulse_time": 0.05}
    every = open_recording(path, columns={"pulse_count": {"cycle": [1, 2]}}, **said)
    second = open_recording(path, select="1::2", **said)
    assert len(every) == 40
    assert len(second) == 20
    amplitude = frame_peak_to_peak(every, "EMG", *muscle_window("TA"))
    paired = (every.metadata["pulse_count"] == 2).to_numpy()
    np.testing.assert_array_equal(amplitude[paired], frame_peak_to_peak(second, "EMG", *muscle_window("TA")))
    assert np.median(amplitude[paired]) < 0.3 * np.median(amplitude[~paired])


@pytest.mark.parametrize("subject", [1, 2, 3, 4, 5])
def test_oxford_recruitment_curves_rise(subject, tmp_path):
    sidecar = tmp_path / "oxford.toml"
    sidecar.write_text(
        '[array]\nvariable = "mep"\naxes = "intensities, samples, trials"\nsampling_rate = "variable:fs"\nunit = "mV"\n'
        'pulse_time = 0.1\n[channels]\nnames = ["FDI"]\n[stimuli.columns]\nintensity = "variable:intensities"\n'
    )
    epochs = open_recording(DATA / "oxford_recruitment" / f"S{subject}.mat", sidecar=sidecar)
    assert epochs.info["sfreq"] == 10_000
    counts = epochs.metadata["intensity"].value_counts()
    assert (counts == 15).all()
    amplitude = pd.Series(frame_peak_to_peak(epochs, "FDI", 0.015, 0.05))
    mean = amplitude.groupby(epochs.metadata["intensity"].to_numpy()).mean()
    assert mean.iloc[-1] > 10 * mean.iloc[0]
    assert np.corrcoef(mean.index, mean.rank())[0, 1] > 0.9


def test_labchart_text():
    raw = open_recording(VENDORS / "labchart_text" / "example.txt")
    assert (len(raw.ch_names), raw.info["sfreq"]) == (9, 100)
    assert raw.get_channel_types(picks=["EMG", "Pressure", "PushSWE"]) == ["emg", "misc", "misc"]
    assert raw.get_data("EMG")[0, 0] == pytest.approx(0.6476563e-3)


def test_native_signal_file_says_what_to_export():
    with pytest.raises(ValueError, match="CED Signal file: export it from Signal as MATLAB"):
        open_recording(VENDORS / "cfs" / "test_file.cfs")
