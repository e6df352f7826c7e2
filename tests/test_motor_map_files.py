"""Positions of Brainsight, of Localite and of a BIDS dataset, and maps of them from the command line."""

from __future__ import annotations

import json

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.cli import app
from excitability.trials.logs import read_log

SAMPLE = ex.sample_data_path() / "formats" / "localite"
CENTRE = (-0.038, -0.018)


@pytest.fixture(scope="module")
def pulses():
    """A grid of 5 × 5 sites, 1 cm apart, two pulses each: positions (m) and sizes (V)."""
    x, y = (np.tile(axis.ravel(), 2) for axis in np.meshgrid(np.arange(5.0), np.arange(5.0)))
    x, y = 0.01 * x - 0.058, 0.01 * y - 0.038
    size = 1.5e-3 * np.exp(-((x - CENTRE[0]) ** 2 + (y - CENTRE[1]) ** 2) / (2 * 0.009**2))
    return x, y, size * np.random.default_rng(31).lognormal(0, 0.1, x.size)


def response(size, times, rng):
    wave = np.where((times >= 0.022) & (times < 0.032), np.sin(2 * np.pi * (times - 0.022) / 0.01), 0.0)
    return size / 2 * wave + 2e-6 * rng.standard_normal(times.size)


def continuous(pulses):
    """A recording of 0.4 s a pulse."""
    rng = np.random.default_rng(32)
    frames = [response(size, np.arange(-0.2, 0.2, 1 / 2000), rng) for size in pulses[2]]
    info = mne.create_info(["EMG1"], 2000.0, "emg")
    raw = mne.io.RawArray(np.concatenate(frames)[None], info, verbose="error")
    return raw, 0.2 + 0.4 * np.arange(len(frames))


def brainsight(pulses, folder):
    rng = np.random.default_rng(33)
    sample = ex.sample_data_path() / "formats" / "brainsight" / "version_13.txt"
    lines = sample.read_text().splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("# Sample Name"))
    lines, names = lines[: head + 1], lines[head].removeprefix("# ").split("\t")
    times = np.arange(-0.15, 0.15, 1 / 3000)
    for number, (x, y, size) in enumerate(zip(*pulses, strict=True)):
        cells = dict.fromkeys(names, "(null)")
        cells |= {"Sample Name": f"Sample {number + 1}", "Index": str(number + 1), "Loc. Z": "60.0"}
        cells |= {"Loc. X": f"{1e3 * x:.2f}", "Loc. Y": f"{1e3 * y:.2f}", "Stim. Power A": "60", "EMG Channels": "1"}
        cells |= {"Date": "2024-05-14", "Time": f"10:{number // 12:02d}:{5 * (number % 12):02d}.250"}
        cells |= {"EMG Start": "-150.0", "EMG End": "150.0", "EMG Res.": f"{1e3 / 3000:.6f}"}
        cells["EMG Data 1"] = ";".join(f"{1e6 * value:.2f}" for value in response(size, times, rng))
        lines.append("\t".join(cells[name] for name in names))
    (folder / "map.txt").write_text("\n".join(lines) + "\n")
    return [folder / "map.txt", "--muscle", "EMG 1=FDI"]


def localite(pulses, folder):
    raw, onsets = continuous(pulses)
    raw.set_annotations(mne.Annotations(onsets, 0.0, "TMS"))
    raw.save(folder / "map_raw.fif", verbose="error")
    markers = []
    for onset, x, y in zip(onsets, *pulses[:2], strict=True):
        at = {"00": 1, "11": 1, "22": 1, "33": 1, "03": 1e3 * x, "13": 1e3 * y, "23": 60.0}
        matrix = " ".join(f'data{place}="{value}"' for place, value in at.items())
        markers.append(
            f'<TriggerMarker recordingTime="{1e3 * onset:.0f}" set="true"><Matrix4D {matrix}/></TriggerMarker>'
        )
    session = folder / "Session" / "TMSTrigger"
    session.mkdir(parents=True)
    (session / "TriggerMarkers_Coil0_1.xml").write_text(
        f'<TriggerMarkerList coordinateSpace="MNI">{"".join(markers)}</TriggerMarkerList>'
    )
    return [folder / "map_raw.fif", "--stimuli", folder / "Session", "--muscle", "EMG1=FDI"]


def bids(pulses, folder):
    raw, onsets = continuous(pulses)
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "map", "BIDSVersion": "1.11.0"}))
    emg = folder / "sub-01" / "emg"
    emg.mkdir(parents=True)
    file = emg / "sub-01_task-map_emg.edf"
    mne.export.export_raw(file, raw, verbose="error")
    channels = {"name": ["EMG1"], "type": "EMG", "units": "V", "target_muscle": ["FDI"]}
    pd.DataFrame(channels).to_csv(emg / "sub-01_task-map_channels.tsv", sep="\t", index=False)
    events = {"onset": onsets, "duration": 0.0, "trial_type": "TMS", "coil_x": pulses[0], "coil_y": pulses[1]}
    pd.DataFrame(events).to_csv(emg / "sub-01_task-map_events.tsv", sep="\t", index=False)
    return [file]


@pytest.mark.parametrize("export", [brainsight, localite, bids])
def test_a_map_from_the_command_line(export, pulses, tmp_path):
    words = [*export(pulses, tmp_path), "-p", "motor_map", "-o", tmp_path / "map.tsv"]
    app(["run", *map(str, words)], standalone_mode=False)
    found = pd.read_csv(tmp_path / "map.tsv", sep="\t").set_index("measure")
    for axis, wanted in zip("xy", CENTRE, strict=True):
        row = found.loc[f"centre_of_gravity_{axis}"]
        assert row["value"] == pytest.approx(wanted, abs=1.5e-3)
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert found.loc["map_area", "n_trials"] == 50
    assert np.isfinite(found.loc["centre_of_gravity_z", "value"]) == (export is not bids)


def test_localite_positions_join_the_pulses(tmp_path):
    log = read_log(SAMPLE)  # of the folder, the list with pulses
    assert log["coil_x"].tolist() == pytest.approx([-0.05, -0.049, -0.048, -0.047])
    assert log["intensity"].tolist() == [50, 51, 52, 53]
    assert log["onset"].tolist() == pytest.approx([0.2, 0.6, 1.0, 1.4])
    raw = ex.read(ex.sample_data_path() / "formats" / "mne_formats" / "brainvision.vhdr", stimuli=SAMPLE)
    assert ex.stimuli(raw)["coil_y"].tolist() == pytest.approx([0.005, 0.003, 0.001, -0.001])


def test_localite_lists_that_cannot_be_used_say_why(tmp_path):
    empty, full = sorted((SAMPLE / "TMSTrigger").glob("*.xml"))
    with pytest.raises(ValueError, match="holds no pulse"):
        read_log(empty)
    text = full.read_text()
    (tmp_path / "TriggerMarkers_Coil0_1.xml").write_text(text)
    (tmp_path / "TriggerMarkers_Coil0_2.xml").write_text(text.replace("12:00:00", "12:30:00"))
    with pytest.raises(ValueError, match=r"2 series .*4 pulses from 12:30"):
        read_log(tmp_path)
    (tmp_path / "cut.xml").write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match="damaged"):
        read_log(tmp_path / "cut.xml")
    (tmp_path / "odd.xml").write_text(text.replace('data03="-50.0"', 'data03="left"'))
    with pytest.raises(ValueError, match="'left' where a number"):
        read_log(tmp_path / "odd.xml")


def test_a_coil_that_was_not_seen_has_no_position(tmp_path):
    text = sorted((SAMPLE / "TMSTrigger").glob("*.xml"))[1].read_text()
    (tmp_path / "a.xml").write_text(text.replace('set="true"', 'set="false"', 1).replace('50.0"/>', '0.0"/>', 1))
    table = read_log(tmp_path / "a.xml")
    assert table["coil_x"].isna().tolist() == [True, False, False, False]
    assert np.isnan(table["intensity"][0])


def test_localite_session_of_the_shared_data(real_data):
    folder = real_data / "vendor_formats" / "localite"
    files = sorted(folder.glob("*/TMSTrigger/TriggerMarkers_Coil0*.xml"))
    table = read_log(files[-1])
    assert len(table) == 9
    assert table["coil_x"].between(-0.06, -0.05).all()
    assert "intensity" not in table  # no stimulator was connected
    with pytest.raises(ValueError, match="3 series"):
        read_log(next(folder.glob("Session*")))
