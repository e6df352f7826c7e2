"""Agreement with TESA and PCIst, step by step, on the arrays in ../shared/data/tesa_oracle."""

import csv
import json

import mne
import numpy as np
import pytest

from excitability.cleaning import interpolate_pulse, remove_pulse, sound, ssp_sir
from excitability.cleaning.sound import sound_operator
from excitability.measures import gmfa, pci_st, tep_peak


@pytest.fixture(scope="module")
def oracle(real_data):
    folder = real_data / "tesa_oracle"
    if not folder.is_dir():
        pytest.skip("the TESA reference outputs are absent from ../shared/data")
    return folder


@pytest.fixture(scope="module")
def semi(oracle):
    return dict(np.load(oracle / "semi_input.npz"))


@pytest.fixture(scope="module")
def m1_tep(real_data):
    """Average M1 response in V and its times; the peaks of TESA were found on the same array."""
    return np.load(real_data / "m1_tep" / "real_EEG.npy") * 1e-6, (np.arange(2000) - 1000) / 1000


def epochs_of(semi, name):
    info = mne.create_info([f"E{k:02}" for k in range(62)], 1000.0, "eeg")
    return mne.EpochsArray(semi[name].astype(float).transpose(2, 0, 1) * 1e-6, info, tmin=-0.5)


def microvolts(epochs):
    return 1e6 * epochs.get_data()


def test_pulse_removal_and_interpolation(oracle, semi):
    out = np.load(oracle / "removedata_interp_out.npz")
    cut = remove_pulse(epochs_of(semi, "C"))
    here = slice(479, 540)

    def difference(epochs, name):
        return np.abs(microvolts(epochs)[:5, :, here].transpose(1, 2, 0) - out[name]).max()

    assert difference(cut, "removed") < 1e-3
    assert difference(interpolate_pulse(cut), "interp_cubic") < 1e-3  # stored as float32, up to 3 mV
    assert difference(interpolate_pulse(cut, method="linear"), "interp_linear") < 1e-3


def test_sound(oracle, semi):
    out = np.load(oracle / "sound_out.npz")
    epochs = epochs_of(semi, "A")
    cleaned = microvolts(sound(epochs, leadfield=semi["leadfield"], lambda_=0.1))
    # channels are visited in another order: 0.02 µV is the tolerance that the reference states
    assert np.abs(cleaned.mean(axis=0) - out["avg"]).max() < 0.02
    assert np.std(cleaned[:5].transpose(1, 2, 0) - out["trials_first5"]) < 0.02
    softer = microvolts(sound(epochs, leadfield=semi["leadfield"], lambda_=0.01, n_iter=10))
    assert np.abs(softer.mean(axis=0) - out["avg_lambda0p01_iter10"]).max() < 0.02


def test_sound_operator_is_that_of_mne_denoise(semi):
    from mne_denoise.sound import compute_sound_ref_best

    average = semi["A"].astype(float).mean(axis=2)
    leadfield = semi["leadfield"] - semi["leadfield"].mean(axis=0)
    ours, _ = sound_operator(average * 1e-6, leadfield, np.arange(62), 0.1, 5)
    theirs = compute_sound_ref_best(average, leadfield, lambda_=0.1, n_iter=5, random_state=0)[0]
    assert np.allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("auto_pc2", {"n_components": 2}),
        ("auto_data90", {"n_components": 0.9}),
        ("manual_5_50_pc2", {"n_components": 2, "window": (0.005, 0.050)}),
        ("auto_pc2_M30", {"n_components": 2, "rank": 30}),
    ],
)
def test_ssp_sir_of_the_average(oracle, semi, name, options):
    out = np.load(oracle / "sspsir_out.npz")
    cleaned = microvolts(ssp_sir(epochs_of(semi, "B"), leadfield=semi["leadfield"], **options))
    assert np.abs(cleaned.mean(axis=0) - out[f"{name}_mean"]).max() < 1e-8


@pytest.mark.parametrize(
    ("name", "options"),
    [
        # TESA rebuilds single trials from one dimension less than the cleaned trial has: 61 - 2 - 1
        ("auto_pc2", {"n_components": 2, "rank": 58}),
        ("manual_5_50_pc2", {"n_components": 2, "rank": 58, "window": (0.005, 0.050)}),
        ("auto_pc2_M30", {"n_components": 2, "rank": 30}),
    ],
)
def test_ssp_sir_of_single_trials(oracle, semi, name, options):
    out = np.load(oracle / "sspsir_out.npz")
    cleaned = microvolts(ssp_sir(epochs_of(semi, "B"), leadfield=semi["leadfield"], **options))
    assert np.abs(cleaned[:5].transpose(1, 2, 0) - out[f"{name}_trials_first5"]).max() < 1e-4


def test_gmfa_has_divisor_n(oracle, m1_tep):
    x, times = m1_tep
    tesa = np.load(oracle / "gmfa_out.npz")["PyTepFit_real_EEG"]  # divisor n - 1
    assert np.allclose(1e6 * gmfa(x, times) * np.sqrt(62 / 61), tesa, rtol=1e-12)


def test_peaks(oracle, m1_tep):
    x, times = m1_tep
    with (oracle / "tesa_peaks.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["dataset"] == "PyTepFit_real_EEG"
            and (row["input"], row["method"], row["samples"]) == ("ROI", "largest", "5")
        ]
    assert len(rows) > 300
    for row in rows:
        channel = int(row["series"].removeprefix("Ch")) - 1
        window = float(row["win1"]) / 1000, float(row["win2"]) / 1000
        sign = 1 if row["peak"].startswith("P") else -1
        peak = tep_peak(x[channel : channel + 1], times, window=window, sign=sign)
        where = (row["series"], row["peak"])
        assert (row["found"] == "yes") == np.isfinite(peak["latency"]), where
        if row["found"] == "yes":  # ours is the vertex between samples
            assert abs(1000 * peak["latency"] - float(row["lat_ms"])) <= 0.5, where
            assert abs(1e6 * peak["amplitude"] - float(row["amp"])) < 0.1, where


def test_pcist(oracle, m1_tep):
    with (oracle / "pcist_reference.json").open() as file:
        reference = json.load(file)["pytepfit_real_EEG"]
    assert pci_st(*m1_tep) == pytest.approx(reference["PCIst"], abs=1e-9)


def test_real_response_has_its_textbook_peaks(m1_tep):
    x, times = m1_tep
    field = gmfa(x, times)[None]
    expected = {0.030: (0.02, 0.04), 0.058: (0.045, 0.07), 0.111: (0.08, 0.15), 0.193: (0.15, 0.24)}
    for latency, window in expected.items():
        assert tep_peak(field, times, window=window, sign=1)["latency"] == pytest.approx(latency, abs=0.002)
