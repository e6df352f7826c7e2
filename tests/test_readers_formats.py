"""What is special about single formats: their traps, one test a trap."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import warnings
from pathlib import Path

import h5py
import mne
import numpy as np
import pandas as pd
import pytest
from pair_recordings import recorded, saved

from excitability.readers import open_recording
from excitability.resources import sample_data_path

SAMPLES = sample_data_path() / "formats"


@pytest.fixture(scope="module")
def maker():
    """The script that makes the samples."""
    spec = importlib.util.spec_from_file_location("maker", Path(__file__).parent / "make_sample_formats.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_neuroscan_is_never_given_to_the_ant_library(tmp_path):
    from excitability.readers import mne_formats

    header = bytearray(900)
    header[:12] = b"Version 3.0\x00"
    struct.pack_into("<H", header, 370, 2)
    struct.pack_into("<I", header, 864, 100)
    for width, name in ((2, "int16"), (4, "int32")):
        struct.pack_into("<I", header, 886, 900 + 75 * 2 + 2 * 100 * width)
        (tmp_path / "a.cnt").write_bytes(bytes(header))
        assert mne_formats._kind(tmp_path / "a.cnt") == "neuroscan"
        assert mne_formats._neuroscan_format(tmp_path / "a.cnt") == name
    struct.pack_into("<I", header, 886, 5)
    (tmp_path / "a.cnt").write_bytes(bytes(header))
    with pytest.raises(ValueError, match="type --data-format int16"):
        open_recording(tmp_path / "a.cnt")
    (tmp_path / "b.cnt").write_bytes(b"RF64" + bytes(100))
    assert mne_formats._kind(tmp_path / "b.cnt") == "ant"


def test_nexstim_is_in_volts():
    raw = open_recording(SAMPLES / "mne_formats" / "nexstim.nxe")
    assert 8e-6 < raw.get_data("Cz").std() < 12e-6
    assert raw.get_channel_types(picks=["Trig1", "EOG"]) == ["stim", "eog"]


def test_brainvision_opens_from_any_of_its_files_and_keeps_markers():
    for suffix in (".vhdr", ".vmrk", ".eeg"):
        raw = open_recording(SAMPLES / "mne_formats" / f"brainvision{suffix}")
        assert list(raw.annotations.description) == ["Stimulus/S  1"] * 4
        np.testing.assert_allclose(raw.annotations.onset, [0.2, 0.6, 1.0, 1.4])


def test_only_channels_that_nobody_explained_are_said_to_be_taken_as_eeg(tmp_path):
    raw, _, onset = recorded(intervals=(0.002,), n=2)
    raw.rename_channels({"RFDI": "Chan1", "LES": "Chan2"})
    path = saved(tmp_path, raw, onset, ["S  1"] * len(onset), "vhdr")

    def told(**options):
        notes = open_recording(path, **options).info["temp"]["excitability"]["notes"]
        return " ".join(note for note in notes if "taken as EEG" in note)

    assert "channels Chan1, Chan2 are taken as EEG" in told()
    assert "channels Chan2 are taken as EEG" in told(muscles={"Chan1": "FDI"})
    assert "channels left, right are taken as EEG" in told(channel_names=["left", "right"])
    assert told(muscles={"Chan1": "FDI", "Chan2": "LES"}) == ""
    assert told(channel_types={"Chan1": "emg", "Chan2": "eeg"}) == ""


def test_bids_events_channels_and_facts():
    raw = open_recording(next((SAMPLES / "bids").rglob("*_emg.edf")))
    facts = raw.info["temp"]["excitability"]
    assert (facts["participant"], facts["session"], facts["protocol"]) == ("01", "pre", "sici")
    assert facts["muscles"] == {"EMG1": "FDI", "EMG2": "ECR"}
    assert facts["reference"] == "bipolar"  # from the JSON at the root: inheritance
    pulses = [
        extra for extra, word in zip(raw.annotations.extras, raw.annotations.description, strict=True) if word == "TMS"
    ]
    assert len(pulses) == 4
    assert pulses[1] == {
        "pulse_count": 2.0, "inter_stimulus_interval": 0.003, "intensity": 60.0, "conditioning_intensity": 40.0,
    }  # fmt: skip
    assert set(pulses[0]) == {"pulse_count", "intensity"}


def test_bids_agrees_with_mne_bids():
    mne_bids = pytest.importorskip("mne_bids")
    place = mne_bids.BIDSPath(
        subject="01", session="pre", task="sici", datatype="emg", suffix="emg", extension=".edf", root=SAMPLES / "bids"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = mne_bids.read_raw_bids(place, verbose="error")
    ours = open_recording(place.fpath)
    np.testing.assert_array_equal(ours.get_data(), theirs.get_data())
    assert ours.get_channel_types() == theirs.get_channel_types()
    np.testing.assert_allclose(ours.annotations.onset, theirs.annotations.onset)


def test_bids_spelling_of_stimulus_columns(tmp_path):
    shutil.copytree(SAMPLES / "bids", tmp_path / "bids")
    events = next((tmp_path / "bids").rglob("*_events.tsv"))
    table = pd.read_csv(events, sep="\t").rename(columns={"pulse_count": "PulseCount"})
    table["trial_type"] = "tms"
    table.to_csv(events, sep="\t", index=False, na_rep="n/a")
    raw = open_recording(next((tmp_path / "bids").rglob("*_emg.edf")))
    assert [extra["pulse_count"] for extra in raw.annotations.extras if extra] == [1, 2, 1, 2]
    assert list(raw.annotations.description).count("TMS") == 4


def test_signal_export_of_either_age(tmp_path, maker):
    old = open_recording(SAMPLES / "signal_matlab" / "frames.mat")
    wave = maker.signal_wave_data()
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as file:
        group = file.create_group("x_wave_data")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for name in ("start", "interval", "values"):
            values = np.atleast_2d(np.asarray(wave[name], dtype=float)).T
            group.create_dataset(name, data=values).attrs["MATLAB_class"] = np.bytes_("double")
        for name in ("chaninfo", "frameinfo"):
            hdf5_struct_array(file, group.create_group(name), wave[name])
    with (tmp_path / "new.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    new = open_recording(tmp_path / "new.mat")
    np.testing.assert_allclose(new.get_data(), old.get_data())
    assert new.ch_names == ["FDI", "APB"]
    pd.testing.assert_frame_equal(new.metadata, old.metadata)
    assert old.metadata["onset"].tolist() == [0.0, 5.0, 10.0, 15.0]


def hdf5_struct_array(file, group, table):
    """Write a structure array as MATLAB does: one dataset of references a field."""
    group.attrs["MATLAB_class"] = np.bytes_("struct")
    for field in table.dtype.names:
        references = []
        for index, value in enumerate(table[field]):
            text = isinstance(value, str)
            data = np.array([[ord(letter)] for letter in value], dtype="u2") if text else np.array([[float(value)]])
            item = file.create_dataset(f"#refs#/{group.name.strip('/').replace('/', '_')}_{field}_{index}", data=data)
            item.attrs["MATLAB_class"] = np.bytes_("char" if text else "double")
            references.append(item.ref)
        group.create_dataset(field, data=np.array([references], dtype=object).T, dtype=h5py.ref_dtype)


@pytest.mark.parametrize("version", [12, 13, 14])
def test_brainsight_versions(version):
    epochs = open_recording(SAMPLES / "brainsight" / f"version_{version}.txt")
    table = epochs.metadata
    assert epochs.info["sfreq"] == 3000
    assert epochs.ch_names == ["EMG 0" if version == 12 else "EMG 1"]
    assert epochs.times[0] == pytest.approx(-0.05)
    assert table["sample_name"].tolist() == ["Sample 1", "Sample 3", "Sample 4", "Sample 5"]
    np.testing.assert_allclose(table["coil_x"], [-0.038, -0.036, -0.035, -0.034])
    np.testing.assert_allclose(table["onset"], [0.0, 10.0, 15.0, 20.0])
    np.testing.assert_allclose(table["position_error"], 0.0015)
    if version > 12:
        assert table["intensity"].tolist() == [50, 52, 53, 60]
        assert table["pulse_count"].tolist() == [1, 1, 1, 2]
        assert table["conditioning_intensity"].iloc[3] == 40
        assert table["inter_stimulus_interval"].iloc[3] == pytest.approx(0.003)
    notes = " ".join(epochs.info["temp"]["excitability"]["notes"])
    assert "1 of 5 samples have no EMG" in notes


def test_brainsight_traps(tmp_path, maker):
    text = maker.brainsight_text(13)
    (tmp_path / "comma.txt").write_text(text.replace("-38.0\t", "-38,0\t"), encoding="utf-16")
    assert open_recording(tmp_path / "comma.txt").metadata["coil_x"].iloc[0] == pytest.approx(-0.038)
    (tmp_path / "mv.txt").write_text(text.replace("microvolts", "millivolts"))
    plain = open_recording(SAMPLES / "brainsight" / "version_13.txt")
    np.testing.assert_allclose(open_recording(tmp_path / "mv.txt").get_data(), 1e3 * plain.get_data())
    lines = text.splitlines()
    (tmp_path / "no_emg.txt").write_text("\n".join(line.split("\tEMG Start")[0] for line in lines))
    with pytest.raises(ValueError, match="no column 'EMG Data 1'"):
        open_recording(tmp_path / "no_emg.txt")
    (tmp_path / "targets.txt").write_text("\n".join(lines[:8]))
    with pytest.raises(ValueError, match="no line begins with '# Sample Name'"):
        open_recording(tmp_path / "targets.txt")


def test_brainsight_saved_again_as_a_workbook(tmp_path, maker):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for line in maker.brainsight_text(14).splitlines():
        book.active.append(line.split("\t"))
    book.save(tmp_path / "samples.xlsx")
    epochs = open_recording(tmp_path / "samples.xlsx")
    text = open_recording(SAMPLES / "brainsight" / "version_14.txt")
    np.testing.assert_allclose(epochs.get_data(), text.get_data())


def test_labchart_blocks_comments_and_saturation():
    raw = open_recording(SAMPLES / "labchart_text" / "blocks.txt")
    assert raw.get_channel_types() == ["emg", "misc"]
    assert list(raw.annotations.description) == ["pulse", "BAD boundary", "EDGE boundary", "pulse"]
    np.testing.assert_allclose(raw.annotations.onset, [0.1, 0.4, 0.4, 0.5])
    assert np.isnan(raw.get_data("FDI EMG")[0, [3, 403]]).all()
    assert [segment["start"] for segment in raw.info["temp"]["excitability"]["segments"]] == [0.0, 0.4]
    assert (raw.get_data("Force") == 1.5).all()


def test_acqknowledge_layouts_agree():
    own = open_recording(SAMPLES / "acqknowledge_matlab" / "own.mat")
    converted = open_recording(SAMPLES / "acqknowledge_matlab" / "converted.mat")
    np.testing.assert_allclose(own.get_data(), converted.get_data())
    assert own.get_channel_types() == ["emg", "stim", "misc"]
    assert own.get_data("Stim").max() == 5.0
    assert list(converted.annotations.description) == ["start"]


def test_table_that_says_too_little(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("time,FDI\n0,1\n1,2\n2,3\n")
    with pytest.raises(ValueError, match=r"does not say its sampling_rate, unit .*'time_s'"):
        open_recording(path)
    raw = open_recording(path, sampling_rate=1000, unit="mV")
    np.testing.assert_allclose(raw.get_data(), [[1e-3, 2e-3, 3e-3]])
    path.write_text("trial;time_s;FDI (uV)\n0;0,000;1,5\n0;0,001;2\n0;0,002;3\n")
    with pytest.raises(ValueError, match="does not say its pulse_time"):
        open_recording(path, decimal=",")
    epochs = open_recording(path, decimal=",", pulse_time=0.001)
    assert epochs.get_data()[0, 0, 0] == pytest.approx(1.5e-6)
    assert epochs.info["sfreq"] == 1000
    with pytest.raises(ValueError, match="decimal=','"):
        open_recording(path, pulse_time=0.001)


def test_bids_electrodes_and_events_without_onset(tmp_path):
    folder = tmp_path / "sub-02" / "eeg"
    folder.mkdir(parents=True)
    (tmp_path / "dataset_description.json").write_text("{}")
    raw = mne.io.RawArray(np.zeros((2, 500)), mne.create_info(["C3", "F3"], 100.0, "eeg"), verbose="error")
    mne.export.export_raw(folder / "sub-02_task-tep_eeg.edf", raw, verbose="error")
    (folder / "sub-02_space-CapTrak_electrodes.tsv").write_text("name\tx\ty\tz\nC3\t-60\t0\t60\nF3\tn/a\tn/a\tn/a\n")
    (folder / "sub-02_space-CapTrak_coordsystem.json").write_text(
        '{"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "mm", '
        '"AnatomicalLandmarkCoordinates": {"NAS": [0, 90, 0], "LPA": [-75, 0, 0], "RPA": [75, 0, 0]}}'
    )
    (folder / "sub-02_task-tep_events.tsv").write_text("onset\tduration\ttrial_type\n1.0\t0\tTMS\nn/a\t0\tTMS\n")
    read = open_recording(folder / "sub-02_task-tep_eeg.edf")
    np.testing.assert_allclose(read.get_montage().get_positions()["ch_pos"]["C3"], [-0.06, 0.0, 0.06], atol=1e-6)
    assert list(read.annotations.onset) == [1.0]
    assert "1 events without an onset" in " ".join(read.info["temp"]["excitability"]["notes"])
