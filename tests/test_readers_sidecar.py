"""What a person says about a recording, in a sidecar or as options: its words, its errors, its effects."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from excitability.readers import _sidecar, open_recording
from excitability.readers._channels import channel_type, volts_per
from excitability.resources import muscles_in_name, sample_data_path

SAMPLES = sample_data_path() / "formats"
PAGE = (Path(__file__).parent.parent / "docs" / "sidecar.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, flags=re.M | re.S)


@pytest.mark.parametrize(
    ("name", "unit", "kind"),
    [
        ("RFDI", "", "emg"), ("LECR", "µV", "emg"), ("TA-CL", "mV", "emg"), ("EMG1", "mV", "emg"), ("fdi_r", "", "emg"),
        ("L ES", "V", "emg"), ("FDI EMG", "mV", "emg"), ("TrA", "", "emg"), ("TA-RMS", "mV", "misc"),
        ("Force", "N", "misc"), ("EMG", "N", "misc"), ("Stim", "Volts", "stim"), ("TTL 2", "V", "stim"),
        ("STI 014", "", "stim"), ("Status", "", "stim"), ("Trigger", "", "stim"), ("VEOG", "", "eog"),
        ("ECG", "", "ecg"),
        ("Cz", "", "eeg"), ("FC5", "µV", "eeg"), ("EEG Fp1-Ref", "", "eeg"), ("AFz", "", "eeg"), ("M1", "", "eeg"),
        ("Chan1", "mV", ""), ("Test", "V", ""), ("RESP", "", "misc"), ("Resistance", "V", ""), ("LES", "mV", "emg"),
    ],
)  # fmt: skip
def test_channel_type_by_name_and_unit(name, unit, kind):
    assert channel_type(name, unit) == kind


@pytest.mark.parametrize(("name", "muscle"), [("EMG_TA_left", "TA"), ("BB2", "BB"), ("STATUS", ""), ("RATE", "")])
def test_muscle_in_name_needs_a_whole_word(name, muscle):
    assert muscles_in_name(name) == ({muscle} if muscle else set())


@pytest.mark.parametrize(("unit", "volts"), [("uV", 1e-6), ("μV", 1e-6), ("µV", 1e-6), ("mV", 1e-3), ("Volts", 1.0)])
def test_units_of_either_micro_sign(unit, volts):
    assert volts_per(unit) == volts


SAID = {"axes": "samples, trials", "sampling_rate": 1000, "unit": "uV", "pulse_time": 0.05}


@pytest.fixture
def frames(tmp_path):
    """Array file of 100 samples × 6 trials; trial i holds i + 1 µV."""
    path = tmp_path / "frames.npy"
    np.save(path, np.ones((100, 1)) * np.arange(1.0, 7.0))
    return path


def test_array_without_facts_says_which_are_missing_and_what_to_type(frames):
    with pytest.raises(ValueError, match="axes, sampling_rate, unit, pulse_time") as caught:
        open_recording(frames)
    message = str(caught.value)
    assert '--axes "samples, trials" --sampling-rate 3000 --unit uV --pulse-time 0.05' in message
    assert 'axes="samples, trials", sampling_rate=3000, unit="uV", pulse_time=0.05' in message
    for word in ("frames.toml", "--sidecar FILE.toml", "sampling_rate: Hz", "a word of your own", "docs/sidecar.md"):
        assert word in message
    with pytest.raises(ValueError, match="does not say its unit "):
        open_recording(frames, **{key: value for key, value in SAID.items() if key != "unit"})


def test_array_of_several_variables_asks_which(tmp_path):
    path = tmp_path / "two.mat"
    scipy.io.savemat(path, {"meps": np.ones((9, 3)), "raw_meps": np.ones((9, 3)), "fs": 3000.0})
    with pytest.raises(ValueError, match=r"its variable .*meps \(9, 3\), raw_meps \(9, 3\)"):
        open_recording(path, **SAID)
    with pytest.raises(ValueError, match="unknown variable 'mep': did you mean 'meps'"):
        open_recording(path, variable="mep", **SAID)


def test_options_win_over_the_sidecar(frames):
    frames.with_suffix(".toml").write_text(
        '[array]\naxes = "samples, trials"\nsampling_rate = 500\nunit = "mV"\npulse_time = 0.02\n'
    )
    epochs = open_recording(frames, sampling_rate=1000, unit="uV")
    assert epochs.info["sfreq"] == 1000
    assert epochs.tmin == -0.02
    np.testing.assert_allclose(epochs.get_data()[:, 0, 0], np.arange(1, 7) * 1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[array]\nsampling_rte = 3", r"\[array\] 'sampling_rte': did you mean 'sampling_rate'"),
        ("[aray]\nunit = 'uV'", "unknown section 'aray': did you mean 'array'"),
        ("[array]\nunit = 'N'", "'N' is not a voltage; expected V, mV, uV or nV"),
        ("[array]\nsampling_rate = 'fast'", "'fast' is not a rate"),
        ("[array]\nselect = 'odd'", "'odd' is no slice; expected start:stop:step"),
        ("[array]\npulse_time = '50'", "array.pulse_time"),
        ("[stimuli]\npulse = 'middle'", "stimuli.pulse: .*'first' or 'last'"),
        ("[stimuli.columns]\nintensty = 3", "unknown stimulus column 'intensty': did you mean 'intensity'"),
        ("[[stimuli.codes]]\npulse_count = 1", "no key 'code'"),
        ("[channels.muscles]\nA = 'FDX'", "unknown muscle 'FDX': did you mean 'FDI'"),
        ("[channels]\ntypes = {A = 'emgg'}", "unknown channel type 'emgg': did you mean 'emg'"),
        ("[recording]\nstimulater = 'x'", "did you mean 'stimulator'"),
        ("[channels]\ntypes = 3", 'channels.types: 3 given; expected one word for all channels, such as "eeg"'),
        (
            "[channels]\nnames = 'FDI'",
            r"channels.names: expected a list, such as .*, not 'FDI' \(grammar: docs/sidecar.md",
        ),
        ("[stimuli]\ninter_stimulus_interval = 3.0", r"expected seconds from 0 to 1 \(3 ms is 0.003"),
        ("[stimuli.columns]\ninter_stimulus_interval = { cycle = [2.5] }", "2.5 ms would be 0.0025"),
        ("[[stimuli.codes]]\ncode = 1\ninter_stimulus_interval = 10", "10 ms would be 0.01"),
        ("[stimuli.columns]\nintensity = [50, 'high']", "'intensity' is 'high'; expected a number in %MSO"),
        ("[[stimuli.codes]]\ncode = 1\nintensity = 'high'", "'intensity' is 'high'; expected a number in %MSO"),
        ("[array\n", "not valid TOML"),
    ],
)
def test_misspelt_sidecar_names_file_key_and_nearest_word(frames, text, message):
    frames.with_suffix(".toml").write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        open_recording(frames)
    assert "frames.toml" in str(caught.value)


def test_misspelt_options_name_the_nearest_word(frames):
    with pytest.raises(
        ValueError, match="unknown option for the format arrays 'sampling_rat': did you mean 'sampling_rate'"
    ):
        open_recording(frames, sampling_rat=3)
    with pytest.raises(ValueError, match="unknown format 'array': did you mean 'arrays'"):
        open_recording(frames, format="array")
    frames.with_suffix(".toml").write_text("[reader]\ndata_fromat = 'int16'\n")
    with pytest.raises(ValueError, match="unknown option of the format arrays 'data_fromat'"):
        open_recording(frames)


def test_rate_for_a_file_that_says_its_own_is_refused():
    with pytest.raises(
        ValueError, match="sampling_rate was given, but a file of the format mne_formats says that itself"
    ):
        open_recording(SAMPLES / "mne_formats" / "brainvision.vhdr", sampling_rate=5000)


def test_every_key_of_the_grammar_is_an_option_and_described():
    for option, (section, key) in _sidecar.OPTIONS.items():
        assert key in PAGE, option
        assert option in open_recording.__doc__
        assert section in ("array", "channels", "stimuli", "recording")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"intensity": 55}, [55.0] * 6),
        ({"intensity": [1, 2, 3, 4, 5, 6]}, [1, 2, 3, 4, 5, 6]),
        ({"intensity": {"cycle": [40, 60]}}, [40, 60, 40, 60, 40, 60]),
        ({"intensity": {"values": [1, 2, 3, 4, 5, 6], "axis": "trials"}}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_stimulus_columns(frames, columns, expected):
    assert open_recording(frames, columns=columns, **SAID).metadata["intensity"].tolist() == expected


def test_stimulus_columns_of_the_wrong_length(frames):
    with pytest.raises(ValueError, match=r"'intensity' has 4 values, but the file has 6 trials \(trials: 6\)"):
        open_recording(frames, columns={"intensity": [1, 2, 3, 4]}, **SAID)


def test_select_keeps_every_second_frame_with_its_columns(frames):
    epochs = open_recording(frames, select="1::2", columns={"pulse_count": {"cycle": [1, 2]}}, **SAID)
    np.testing.assert_allclose(epochs.get_data()[:, 0, 0], [2e-6, 4e-6, 6e-6])
    assert epochs.metadata["pulse_count"].tolist() == [2, 2, 2]


def test_three_axes_and_a_variable_of_intensities(tmp_path):
    values = np.arange(3 * 50 * 4, dtype=float).reshape(3, 50, 4)  # trials × samples × intensities
    np.savez(tmp_path / "curve.npz", mep=values, steps=np.array([30.0, 40.0, 50.0, 60.0]), fs=np.array(1000.0))
    epochs = open_recording(
        tmp_path / "curve.npz", variable="mep", axes="trials, samples, steps", sampling_rate="variable:fs", unit="mV",
        pulse_time=0.01, columns={"intensity": "variable:steps"},
    )  # fmt: skip
    assert len(epochs) == 12
    assert epochs.metadata["intensity"].tolist() == [30, 30, 30, 40, 40, 40, 50, 50, 50, 60, 60, 60]
    np.testing.assert_allclose(epochs.get_data()[4, 0], values[1, :, 1] * 1e-3)


def test_axes_that_do_not_fit(frames):
    with pytest.raises(ValueError, match=r"axes = 'samples' does not describe an array of shape \(100, 6\)"):
        open_recording(frames, **{**SAID, "axes": "samples"})
    with pytest.raises(ValueError, match=r"pulse_time = 3\.0 s lies outside the frames, which last 0\.1 s"):
        open_recording(frames, **{**SAID, "pulse_time": 3.0})


def test_matlab_of_either_age_gives_the_same(tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 5))
    scipy.io.savemat(tmp_path / "old.mat", {"meps": values})
    with h5py.File(tmp_path / "new.mat", "w") as file:
        file.create_dataset("meps", data=values.T).attrs["MATLAB_class"] = np.bytes_("double")
    said = {**SAID, "pulse_time": 0.01}
    old, new = (open_recording(tmp_path / name, **said) for name in ("old.mat", "new.mat"))
    np.testing.assert_array_equal(old.get_data(), new.get_data())


def test_constant_interval_moves_time_zero_to_the_last_pulse(frames):
    epochs = open_recording(frames, pulse="first", inter_stimulus_interval=0.03, **SAID)
    assert epochs.tmin == pytest.approx(-0.08)
    assert epochs.metadata["inter_stimulus_interval"].tolist() == [0.03] * 6


def test_differing_intervals_move_each_frame_by_its_own(tmp_path):
    data = np.zeros((100, 3))
    for trial, sample in enumerate((50, 60, 52)):  # where the last pulse lies; the first is at sample 50
        data[sample, trial] = 1.0
    np.save(tmp_path / "isi.npy", data)
    epochs = open_recording(
        tmp_path / "isi.npy", pulse="first",
        columns={"pulse_count": [1, 2, 2], "inter_stimulus_interval": [float("nan"), 0.010, 0.002]}, **SAID,
    )  # fmt: skip
    assert (np.abs(epochs.times[epochs.get_data()[:, 0].argmax(axis=1)]) < 1e-9).all()
    assert epochs.info["temp"]["excitability"]["format"] == "arrays"


def test_frame_states_get_their_meaning():
    epochs = open_recording(
        SAMPLES / "signal_matlab" / "frames.mat",
        codes=[{"code": 1, "pulse_count": 1}, {"code": 2, "pulse_count": 2, "inter_stimulus_interval": 0.003}],
    )
    assert epochs.metadata["frame_state"].tolist() == [1, 2, 1, 2]
    assert epochs.metadata["pulse_count"].tolist() == [1, 2, 1, 2]
    assert epochs.metadata["inter_stimulus_interval"].iloc[1] == 0.003


def test_channels_renamed_retyped_rescaled_and_given_a_muscle():
    path = SAMPLES / "acqknowledge_matlab" / "own.mat"
    plain = open_recording(path)
    raw = open_recording(
        path, channel_names=["leg", "Stim", "smooth"], channel_units={"leg": "uV"},
        muscles={"leg": "tibialis anterior"},
        channel_types={"smooth": "misc"}, stimulator="Magstim 200", coil="figure of eight",
    )  # fmt: skip
    np.testing.assert_allclose(raw.get_data("leg"), plain.get_data("TA") * 1e-3)
    facts = raw.info["temp"]["excitability"]
    assert facts["muscles"] == {"leg": "TA"}
    assert facts["stimulator"] == "Magstim 200"
    assert raw.get_channel_types() == ["emg", "stim", "misc"]
    with pytest.raises(ValueError, match="muscles: unknown channel 'TAA': did you mean 'TA'"):
        open_recording(path, muscles={"TAA": "TA"})


def test_stimuli_of_a_sidecar_travel_with_a_continuous_recording(tmp_path):
    shutil.copytree(SAMPLES / "mne_formats", tmp_path / "rec")
    (tmp_path / "rec" / "log.csv").write_text("intensity\n1\n")
    (tmp_path / "rec" / "brainvision.toml").write_text(
        '[stimuli]\ntrigger = "S  1"\ndelay = 0.001\ntable = "log.csv"\npulse = "first"\n'
        "inter_stimulus_interval = 0.1\n"
    )
    said = open_recording(tmp_path / "rec" / "brainvision.vhdr").info["temp"]["excitability"]["stimuli"]
    assert said["trigger"] == "S  1"
    assert Path(said["table"]) == tmp_path / "rec" / "log.csv"
    assert (said["pulse"], said["delay"], said["inter_stimulus_interval"]) == ("first", 0.001, 0.1)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[1])
def test_every_block_of_the_page_is_accepted(block):
    said = _sidecar.check(tomllib.loads(block), "docs/sidecar.md")
    assert said.model_dump(exclude_unset=True)


def test_the_page_shows_every_key():
    said = _sidecar.check(tomllib.loads(BLOCKS[0]), "docs/sidecar.md")
    for section in ("array", "channels", "stimuli"):
        model = getattr(said, section)
        assert model.model_fields_set == set(type(model).model_fields), section
    assert said.array.select == "1::2"
    assert said.stimuli.codes[0]["inter_stimulus_interval"] == 0.003


def _block(word):
    (block,) = [block for block in BLOCKS[1:] if word in block]
    return block


def test_the_recruitment_curve_of_the_page(tmp_path):
    steps = np.arange(30.0, 60.0, 10.0)
    np.savez(tmp_path / "S1.npz", mep=np.ones((3, 400, 4)), intensities=steps, fs=np.array(1000.0))
    (tmp_path / "page.toml").write_text(_block("variable:intensities"))
    epochs = open_recording(tmp_path / "S1.npz", sidecar=tmp_path / "page.toml")
    assert epochs.metadata["intensity"].tolist() == np.repeat(steps, 4).tolist()
    assert epochs.info["temp"]["excitability"]["muscles"] == {"EMG": "FDI"}


def test_the_lici_sweeps_of_the_page(tmp_path):
    np.savez(tmp_path / "ID02.npz", meps=np.ones((450, 6)))
    (tmp_path / "ID02.toml").write_text(_block("cycle = [nan"))
    epochs = open_recording(tmp_path / "ID02.npz")
    assert epochs.metadata["pulse_count"].tolist() == [1, 2] * 3
    assert epochs.metadata["inter_stimulus_interval"].tolist()[1::2] == [0.1] * 3


def test_the_frame_states_of_the_page():
    path = SAMPLES / "signal_matlab" / "frames.mat"
    said = tomllib.loads(_block("code = 3"))["stimuli"]
    epochs = open_recording(path, **said)
    assert epochs.metadata["conditioning_intensity"].tolist()[1::2] == [35, 35]


def test_the_eeg_array_of_the_page(tmp_path):
    np.save(tmp_path / "eeg.npy", np.ones((3, 5, 2000)))
    (tmp_path / "eeg.toml").write_text(_block("montage"))
    epochs = open_recording(tmp_path / "eeg.npy")
    assert epochs.get_channel_types() == ["eeg"] * 4 + ["emg"]
    assert epochs.get_montage().ch_names == ["Fp1", "Fp2", "C3", "Cz"]
    np.testing.assert_allclose(epochs.get_data(), 1e-6)


def test_numpy_values_and_paths_are_options_too(frames):
    said = {**SAID, "sampling_rate": np.int64(1000), "pulse_time": np.float32(0.05)}
    epochs = open_recording(frames, columns={"intensity": np.arange(6)}, channel_names=("FDI",), **said)
    assert epochs.metadata["intensity"].tolist() == [0, 1, 2, 3, 4, 5]
    assert epochs.ch_names == ["FDI"]


def test_axes_are_shown_for_the_array_there_is(tmp_path):
    path = tmp_path / "S1.mat"
    scipy.io.savemat(path, {"mep": np.ones((10, 900, 15)), "intensities": np.arange(10.0), "fs": 1000.0})
    with pytest.raises(
        ValueError, match=r'--axes "intensities, samples, trials" .*order that size\(\) shows in MATLAB'
    ):
        open_recording(path)
    with pytest.raises(ValueError, match=r'expected 3 different words, .*--axes "trials, samples, intensities"'):
        open_recording(path, **SAID)
    scipy.io.savemat(path, {"left": np.ones((9, 3)), "right": np.ones((9, 3))})
    with pytest.raises(ValueError, match="On the command line type: --variable left "):
        open_recording(path)


def test_a_text_in_a_numeric_column_says_what_was_meant(tmp_path):
    path = tmp_path / "curve.npz"
    np.savez(path, mep=np.ones((90, 3)), steps=np.arange(3.0), late=np.array([3.0, 0.003, 0.01]))
    with pytest.raises(
        ValueError, match=r"""'intensity' is 'steps'; .*Did you mean "variable:steps".*--set intensity=var"""
    ):
        open_recording(path, variable="mep", columns={"intensity": "steps"}, **SAID)
    with pytest.raises(ValueError, match=r"'intensity' is 'high'; expected a number in %MSO \(grammar") as caught:
        open_recording(path, variable="mep", columns={"intensity": {"values": "high"}}, **SAID)
    assert "Did you mean" not in str(caught.value)
    with pytest.raises(ValueError, match=r"curve.npz: inter_stimulus_interval = 3; expected seconds"):
        open_recording(path, variable="mep", columns={"inter_stimulus_interval": "variable:late"}, **SAID)
    with pytest.raises(ValueError, match="expected a number in %MSO"):
        open_recording(SAMPLES / "mne_formats" / "brainvision.vhdr", columns={"intensity": "high"})
    with pytest.raises(ValueError, match="'variable:steps' works only for frames"):
        open_recording(SAMPLES / "mne_formats" / "brainvision.vhdr", columns={"intensity": "variable:steps"})


CONTINUOUS = {"axes": "channels, samples", "sampling_rate": 1000, "unit": "uV"}


@pytest.fixture
def continuous(tmp_path):
    """Array file of 3 channels × 500 samples."""
    path = tmp_path / "eeg.npy"
    np.save(path, np.ones((3, 500)))
    return path


@pytest.mark.parametrize(
    ("options", "names", "types"),
    [
        ({}, ["EMG1", "EMG2", "EMG3"], ["emg"] * 3),
        ({"channel_types": "eeg"}, ["EEG1", "EEG2", "EEG3"], ["eeg"] * 3),
        ({"channel_names": ["C3", "Cz", "FDI"]}, ["C3", "Cz", "FDI"], ["eeg", "eeg", "emg"]),
        (
            {"channel_names": ["a", "b", "c"], "channel_types": {"*": "EEG", "c": "misc"}},
            ["a", "b", "c"], ["eeg", "eeg", "misc"],
        ),
        ({"channel_types": "eeg", "muscles": {"EEG3": "FDI"}}, ["EEG1", "EEG2", "EEG3"], ["eeg", "eeg", "emg"]),
    ],
)  # fmt: skip
def test_types_of_an_array(continuous, options, names, types):
    raw = open_recording(continuous, **options, **CONTINUOUS)
    assert raw.ch_names == names
    assert raw.get_channel_types() == types
    np.testing.assert_allclose(raw.get_data(), 1e-6)


def test_one_word_of_a_sidecar_is_the_type_of_all_channels(continuous):
    continuous.with_suffix(".toml").write_text(
        '[channels]\ntypes = "eeg"\nnames = ["fp1", "CZ", "Oz"]\nmontage = "colin27_1020"\n'
    )
    raw = open_recording(continuous, **CONTINUOUS)
    assert raw.get_channel_types() == ["eeg"] * 3
    assert len(raw.get_montage().ch_names) == 3


def test_a_montage_that_does_not_fit_lists_the_channels(continuous):
    with pytest.raises(ValueError, match=r"has no position for 1 of 3 EEG channels: Grip\. .*--channel-type Grip=misc"):
        open_recording(
            continuous, channel_names=["Cz", "C3", "Grip"], channel_types="eeg", montage="colin27_1020", **CONTINUOUS
        )
    with pytest.raises(ValueError, match="unknown montage 'colin27_102': did you mean 'colin27_1020'"):
        open_recording(continuous, channel_types="eeg", montage="colin27_102", **CONTINUOUS)
    with pytest.raises(ValueError, match="none is EEG"):
        open_recording(continuous, montage="colin27_1020", **CONTINUOUS)
    with pytest.raises(ValueError, match="given twice: Cz"):
        open_recording(continuous, channel_names=["Cz", "Cz", "C3"], **CONTINUOUS)
    with pytest.raises(ValueError, match="did you mean 'eeg'"):
        open_recording(continuous, channel_types="eegg", **CONTINUOUS)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--channel-type", "eeg"], ["EEG1  eeg", "EEG3  eeg"]),
        (["--channel-name", "Cz,Oz,Grip", "--channel-type", "Grip=misc", "--format", "arrays"], ["Cz  eeg"]),
        (["--channel-type", "eeg,EEG3=emg"], ["EEG2  eeg", "EEG3  emg"]),
    ],
)  # fmt: skip
def test_the_words_of_the_command_line(continuous, words, shown):
    from typer.testing import CliRunner

    from excitability.cli import app

    said = ["--axes", "channels, samples", "--sampling-rate", "1000", "--unit", "uV"]
    done = CliRunner().invoke(app, ["inspect", str(continuous), *said, *words])
    assert done.exit_code == 0, done.exception
    for line in shown:
        assert line in done.output
