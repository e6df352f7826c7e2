"""Make the smallest file of each format, in ``sample_data/formats/<reader>/``, and list their hashes.

Run from the root of the repository::

    python tests/make_sample_formats.py

Every value is simulated here (seeded); nothing comes from a recording. Spike2 .smr has no free writer and no sample.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import h5py
import mne
import numpy as np
import openpyxl
import pandas as pd
import scipy.io

ROOT = Path(__file__).parent.parent / "sample_data"
FORMATS = ROOT / "formats"

#: Peak-to-peak amplitudes in volts of the responses in every sample, in order.
AMPLITUDES = (0.4e-3, 1.0e-3, 0.7e-3, 1.6e-3)


def responses(rate: float, tmin: float, tmax: float, latency: float = 0.022, seed: int = 2) -> np.ndarray:
    """Biphasic responses of known amplitude in noise of 2 µV, in volts; shape (n_trials, n_times)."""
    rng = np.random.default_rng(seed)
    times = np.arange(round((tmax - tmin) * rate)) / rate + tmin
    centre, width = latency + 0.008, 0.003
    shape = -(times - centre) * np.exp(-(((times - centre) / width) ** 2))
    shape /= np.ptp(shape)
    artefact = np.where((times >= 0) & (times < 2.5 / rate), 3e-3, 0.0)
    noise = rng.normal(0.0, 2e-6, (len(AMPLITUDES), times.size))
    return np.array(AMPLITUDES)[:, None] * shape + artefact + noise


def continuous(rate: float, spacing: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """One channel in volts with a pulse every ``spacing`` seconds, and the times of the pulses."""
    data = responses(rate, -spacing / 2, spacing / 2).ravel()
    return data, spacing / 2 + spacing * np.arange(len(AMPLITUDES))


def folder(name: str) -> Path:
    path = FORMATS / name
    path.mkdir(parents=True, exist_ok=True)
    return path


def make_mne_formats() -> None:
    """BrainVision (written by hand), EDF, FIF epochs, Nexstim, EEGLAB."""
    here = folder("mne_formats")
    data, pulses = continuous(2000.0)
    pair = np.stack([data, 0.2 * data])
    steps = np.round(pair.T / 1e-7).astype("<i2")
    (here / "brainvision.eeg").write_bytes(steps.tobytes())
    (here / "brainvision.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        "DataFile=brainvision.eeg\nMarkerFile=brainvision.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        "NumberOfChannels=2\nSamplingInterval=500\n\n[Binary Infos]\nBinaryFormat=INT_16\n\n[Channel Infos]\n"
        "Ch1=RFDI,,0.1,µV\nCh2=RAPB,,0.1,µV\n",
        encoding="utf-8",
    )
    markers = "".join(
        f"Mk{index + 2}=Stimulus,S  1,{round(pulse * 2000) + 1},1,0\n" for index, pulse in enumerate(pulses)
    )
    (here / "brainvision.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile=brainvision.eeg\n\n[Marker Infos]\nMk1=New Segment,,1,1,0,20200101000000000000\n{markers}",
        encoding="utf-8",
    )
    raw = mne.io.RawArray(pair, mne.create_info(["EMG FDI", "EMG APB"], 2000.0, "emg"), verbose="error")
    raw.set_annotations(mne.Annotations(pulses, 0.0, "pulse"))
    mne.export.export_raw(here / "edf.edf", raw, overwrite=True, verbose="error")
    epochs = mne.EpochsArray(
        responses(2000.0, -0.05, 0.1)[:, None],
        mne.create_info(["FDI"], 2000.0, "emg"),
        tmin=-0.05,
        verbose="error",
    )
    epochs.save(here / "frames-epo.fif", overwrite=True, verbose="error")
    rng = np.random.default_rng(3)
    counts = rng.normal(0.0, 10e-6 / 0.0763e-6, (300, 64)).astype("<i2")
    (here / "nexstim.nxe").write_bytes(counts.tobytes())
    eeg = mne.io.RawArray(
        rng.normal(0.0, 10e-6, (2, 400)), mne.create_info(["Cz", "FDI"], 1000.0, "eeg"), verbose="error"
    )
    mne.export.export_raw(here / "eeglab.set", eeg, overwrite=True, verbose="error")


def make_bids() -> None:
    """One EMG recording of a BIDS dataset."""
    here = folder("bids")
    (here / "dataset_description.json").write_text(
        json.dumps({"Name": "excitability sample", "BIDSVersion": "1.11.0", "DatasetType": "raw"}, indent=1) + "\n"
    )
    emg = here / "sub-01" / "ses-pre" / "emg"
    emg.mkdir(parents=True, exist_ok=True)
    stem = "sub-01_ses-pre_task-sici"
    data, pulses = continuous(2000.0)
    raw = mne.io.RawArray(
        np.stack([data, 0.2 * data]), mne.create_info(["EMG1", "EMG2"], 2000.0, "emg"), verbose="error"
    )
    mne.export.export_raw(emg / f"{stem}_emg.edf", raw, overwrite=True, verbose="error")
    channels = {
        "name": ["EMG1", "EMG2"],
        "type": "EMG",
        "units": "V",
        "target_muscle": ["FDI", "ECR"],
        "status": "good",
    }
    pd.DataFrame(channels).to_csv(emg / f"{stem}_channels.tsv", sep="\t", index=False)
    pd.DataFrame(
        {
            "onset": pulses,
            "duration": 0.0,
            "trial_type": "TMS",
            "pulse_count": [1, 2, 1, 2],
            "inter_stimulus_interval": [np.nan, 0.003, np.nan, 0.003],
            "intensity": [60, 60, 60, 60],
            "conditioning_intensity": [np.nan, 40, np.nan, 40],
        }
    ).to_csv(emg / f"{stem}_events.tsv", sep="\t", index=False, na_rep="n/a")
    facts = {"SamplingFrequency": 2000, "EMGReference": "bipolar", "SoftwareFilters": "n/a", "PowerLineFrequency": 50}
    (here / "task-sici_emg.json").write_text(json.dumps(facts, indent=1) + "\n")


def make_signal_matlab() -> None:
    """CED Signal export of MATLAB v5; the tests write the v7.3 twin."""
    here = folder("signal_matlab")
    scipy.io.savemat(here / "frames.mat", {"sample_wave_data": signal_wave_data()}, do_compression=True)


def signal_wave_data() -> dict[str, object]:
    """The structure that Signal writes: points × channels × frames in millivolts."""
    frames = 1e3 * responses(2000.0, -0.05, 0.1)
    values = np.stack([frames, 0.2 * frames], axis=1).transpose(2, 1, 0)
    info = np.array(
        [(index + 1, title, "mV") for index, title in enumerate(("FDI", "APB"))],
        dtype=[("number", object), ("title", object), ("units", object)],
    )
    frame_info = np.array(
        [(index + 1, values.shape[0], 5.0 * index, index % 2 + 1, f"State {index % 2 + 1}") for index in range(4)],
        dtype=[(name, object) for name in ("number", "points", "start", "state", "label")],
    )
    return {
        "xlabel": "", "xunits": "s", "start": -0.05, "interval": 0.0005, "points": values.shape[0], "chans": 2,
        "frames": 4, "chaninfo": info, "frameinfo": frame_info, "values": values,
    }  # fmt: skip


def make_acqknowledge_matlab() -> None:
    """Both layouts: AcqKnowledge's own, and that of the converter load_acq."""
    here = folder("acqknowledge_matlab")
    data, pulses = continuous(2000.0)
    trigger = np.zeros(data.size)
    trigger[np.round(pulses * 2000).astype(int)] = 5.0
    columns = np.stack([1e3 * data, trigger, np.abs(1e3 * data)], axis=1)
    scipy.io.savemat(
        here / "own.mat",
        {
            "data": columns, "units": np.array(["mV", "Volts", "mV"]), "labels": np.array(["TA", "Stim", "TA-RMS"]),
            "isi": 0.5, "isi_units": "ms", "start_sample": 0,
        },
        do_compression=True,
    )  # fmt: skip
    channels = np.array(
        [("TA", "mV"), ("Stim", "Volts"), ("TA-RMS", "mV")], dtype=[("comment_text", object), ("units_text", object)]
    )
    markers = {"lSample": np.array([100.0]), "szText": np.array(["start"], dtype=object)}
    header = {"graph": {"sample_time": 0.5, "num_channels": 3}, "per_chan_data": channels}
    scipy.io.savemat(
        here / "converted.mat", {"acq_data": {"hdr": header, "data": columns, "markers": markers}}, do_compression=True
    )


BRAINSIGHT_COLUMNS = {
    12: "Sample Name,Index,Assoc. Target,Loc. X,Loc. Y,Loc. Z,m0n0,m0n1,m0n2,m1n0,m1n1,m1n2,m2n0,m2n1,m2n2,"
    "Dist. to Target,Target Error,Angular Error,Twist Error,Date,Time,Creation Cause,Crosshairs Driver,EMG Start,"
    "EMG End,EMG Res.,EMG Channels,EMG Peak-to-peak 0,EMG Data 0,EMG Peak-to-peak 1,EMG Data 1",
    13: "Sample Name,Session Name,Index,Assoc. Target,Loc. X,Loc. Y,Loc. Z,m0n0,m0n1,m0n2,m1n0,m1n1,m1n2,m2n0,m2n1,"
    "m2n2,Dist. to Target,Target Error,Angular Error,Twist Error,Stim. Power A,Stim. Pulse Interval,Stim. Power B,"
    "Date,Time,Creation Cause,Crosshairs Driver,Offset,Comment,EMG Start,EMG End,EMG Res.,EMG Channels,"
    "EMG Window Start,EMG Window End,EMG Peak-to-peak 1,EMG Data 1,EMG Peak-to-peak 2,EMG Data 2",
}
BRAINSIGHT_COLUMNS[14] = BRAINSIGHT_COLUMNS[13].replace("EMG Peak-to-peak 1,", "EMG Peak-to-peak 1,EMG Latency 1,")


def brainsight_text(version: int) -> str:
    """A Brainsight export: header, targets, five samples of which the second has no EMG, landmarks."""
    names = BRAINSIGHT_COLUMNS[version].split(",")
    first = 0 if version == 12 else 1
    waves = 1e6 * responses(3000.0, -0.05, 0.1)
    lines = [
        f"# Version: {version}",
        "# Coordinate system: NIfTI:Aligned",
        f"# Created by: Brainsight 2.{version - 10}.0",
        "# Units: millimetres, degrees, milliseconds, and microvolts",
        "# Encoding: UTF-8",
        "# Notes: Each column is delimited by a tab. Each value within a column is delimited by a semicolon.",
        "# Target Name\tLoc. X\tLoc. Y\tLoc. Z",
        "hotspot\t-38.0\t-18.0\t55.0",
        "# " + "\t".join(names),
    ]
    trial = 0
    for row in range(5):
        cells = dict.fromkeys(names, "(null)")
        cells |= {"Sample Name": f"Sample {row + 1}", "Index": str(row + 1), "Assoc. Target": "hotspot"}
        cells |= {"Loc. X": f"{-38.0 + row}", "Loc. Y": "-18.0", "Loc. Z": "55.5", "Target Error": "1.5"}
        cells |= {"Date": "2024-05-14", "Time": f"10:00:{5 * row:02d}.250", "Stim. Power A": f"{50 + row}"}
        cells |= {f"m{i}n{j}": str(float(i == j)) for i in range(3) for j in range(3)}
        if version > 12 and row == 4:
            cells |= {"Stim. Power A": "40", "Stim. Pulse Interval": "3.0", "Stim. Power B": "60"}
        if row != 1:
            cells |= {"EMG Start": "-50.0", "EMG End": "100.0", "EMG Res.": "0.333", "EMG Channels": "1"}
            cells[f"EMG Data {first}"] = ";".join(f"{value:.2f}" for value in waves[trial])
            trial += 1
        lines.append("\t".join(cells[name] for name in names))
    lines += [
        "# Session Landmark Name\tSession Name\tUsed?\tLoc. X\tLoc. Y\tLoc. Z",
        "Nasion\tSession 1\tYes\t0.0\t85.0\t-30.0",
    ]
    return "\n".join(lines) + "\n"


def make_brainsight() -> None:
    here = folder("brainsight")
    for version in BRAINSIGHT_COLUMNS:
        (here / f"version_{version}.txt").write_text(brainsight_text(version), encoding="utf-8")


def make_labchart_text() -> None:
    """Two blocks, a comment, a saturated sample."""
    data, _ = continuous(1000.0, spacing=0.2)
    header = (
        "Interval=\t0.001 s\nExcelDateTime=\t4.5585649e+04\t10/20/24 10:00:00.0\nTimeFormat=\tStartOfBlock\n"
        "DateFormat=\t\nChannelTitle=\tFDI EMG\tForce\nRange=\t10.000 mV\t10.000 V\nUnitName=\tmV\tN\nTopValue=\t*\t*\n"
        "BottomValue=\t*\t*\n"
    )
    lines = []
    for block in np.split(data, 2):
        lines.append(header)
        for index, value in enumerate(block):
            cell = "NaN" if index == 3 else f"{1e3 * value:.5f}"
            comment = "\t#* 1 pulse" if index == 100 else ""
            lines.append(f"{index / 1000:g}\t{cell}\t{1.5:g}{comment}\n")
    (folder("labchart_text") / "blocks.txt").write_text("".join(lines), encoding="latin-1")


def make_arrays() -> None:
    here = folder("arrays")
    frames = responses(2000.0, -0.05, 0.1)
    np.save(here / "samples_by_trials.npy", (1e6 * frames.T).astype("float32"))
    sidecar = 'axes = "samples, trials"\nsampling_rate = 2000\nunit = "uV"\npulse_time = 0.05\n'
    muscles = '\n[channels]\nnames = ["FDI"]\n\n[stimuli.columns]\nintensity = [50, 60, 55, 70]\n'
    (here / "samples_by_trials.toml").write_text("[array]\n" + sidecar + muscles)
    with h5py.File(here / "intensities.mat", "w", userblock_size=512) as file:
        # MATLAB stores the axes in reverse: size() shows 2 intensities × samples × 2 trials
        for name, value in (
            ("mep", 1e3 * frames.reshape(2, 2, -1).transpose(1, 2, 0)),
            ("intensities", np.array([[50.0], [60.0]])),
            ("fs", np.array([[2000.0]])),
        ):
            file.create_dataset(name, data=value, compression="gzip").attrs["MATLAB_class"] = np.bytes_("double")
    with (here / "intensities.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, simulated".ljust(124) + b"\x00\x02IM")
    (here / "intensities.toml").write_text(
        '[array]\nvariable = "mep"\naxes = "intensities, samples, trials"\nsampling_rate = "variable:fs"\nunit = "mV"\n'
        'pulse_time = 0.05\n\n[channels]\nnames = ["FDI"]\n\n[stimuli.columns]\nintensity = "variable:intensities"\n'
    )
    np.savez_compressed(
        here / "channels_by_samples.npz", emg=(1e6 * np.stack([continuous(2000.0)[0]] * 2)).astype("float32")
    )
    (here / "channels_by_samples.toml").write_text(
        '[array]\naxes = "channels, samples"\nsampling_rate = 2000\nunit = "uV"\n\n[channels]\nnames = ["FDI", "APB"]\n'
    )


def make_tables() -> None:
    here = folder("tables")
    frames = responses(1000.0, -0.05, 0.1)
    times = np.arange(frames.shape[1]) - 50.0
    rows = [
        pd.DataFrame(
            {"trial": index, "time (ms)": times, "FDI (mV)": np.round(1e3 * trial, 5), "intensity": 50 + index}
        )
        for index, trial in enumerate(frames)
    ]
    pd.concat(rows).to_csv(here / "frames.csv", index=False)
    book = openpyxl.Workbook()
    for line in np.round(1e3 * frames, 5):
        book.active.append([float(value) for value in line])
    book.save(here / "matrix.xlsx")
    (here / "matrix.toml").write_text(
        '[array]\naxes = "trials, samples"\nsampling_rate = 1000\nunit = "mV"\npulse_time = 0.05\n\n'
        '[channels]\nnames = ["FDI"]\n'
    )


def make_localite() -> None:
    """Coil positions of four pulses, as Localite TMS Navigator lists them; the stimulator told its power."""
    here = folder("localite") / "TMSTrigger"
    here.mkdir(exist_ok=True)
    markers = ""
    for index in range(len(AMPLITUDES)):
        place = (-50.0 + index, 5.0 - 2.0 * index, 85.0)
        matrix = np.eye(4)
        matrix[:3, 3] = place
        cells = " ".join(f'data{row}{column}="{matrix[row, column]}"' for row in range(4) for column in range(4))
        markers += (
            f'    <TriggerMarker color="#ffafaf" description="" recordingTime="{200 + 400 * index}" selected="false" '
            f'set="true" visibility="true">\n        <ResponseValues>\n'
            f'            <Value key="amplitudeA" response="{50.0 + index}"/>\n'
            f"        </ResponseValues>\n        <Matrix4D {cells}/>\n    </TriggerMarker>\n"
        )
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<TriggerMarkerList coordinateSpace="MNI" startTime="12:00:00.000">\n'
    )
    for name, content in (("Coil0_20200101120000000", ""), ("Coil0_20200101120100000", markers)):
        (here / f"TriggerMarkers_{name}.xml").write_text(head + content + "</TriggerMarkerList>\n", encoding="utf-8")


def write_registry() -> None:
    """List the hash of every sample, the study included, in ``sample_data/registry.txt``."""
    registry = ROOT / "registry.txt"
    names = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file() and path != registry)
    lines = [f"{hashlib.sha256((ROOT / name).read_bytes()).hexdigest()}  {name}" for name in names]
    registry.write_text("\n".join(lines) + "\n")


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for make in (
            make_mne_formats, make_bids, make_signal_matlab, make_acqknowledge_matlab, make_brainsight,
            make_labchart_text, make_arrays, make_tables, make_localite,
        ):  # fmt: skip
            make()
    write_registry()


if __name__ == "__main__":
    main()
