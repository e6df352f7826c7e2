"""Parity with every array of TESA's and PCIst's reference outputs.

    python benchmarks/tep_parity.py [--oracle FOLDER]

The arrays (data only, see their README) are beside the checkout in ``../shared/data/tesa_oracle``. For each: what is
compared, the tolerance that fits how it was made, our largest difference. What cannot be compared is listed with the
reason.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import mne
import numpy as np
import pandas as pd
from _common import RESULTS, ROOT, provenance, write

from excitability.cleaning import interpolate_pulse, remove_pulse, sound, ssp_sir
from excitability.cleaning.ssp_sir import muscle_topographies, reconstruction
from excitability.measures import gmfa, pci_st, tep_peak

Row = tuple[str, str, float, float, str]  # file, array, tolerance, difference, remark
ORDER = "largest of the average; channels visited in another order, 0.02 µV as its README says"


def main() -> None:
    """Compare, write the table, fail when a difference exceeds its tolerance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", type=Path, default=ROOT.parent / "shared/data/tesa_oracle")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    table = parity(arguments.oracle)
    missed = table[table["difference"] > table["tolerance"]]
    text = "Units: µV for signals, ms for latencies; relative where the remark says so. An empty cell: not compared."
    sections = [(f"{len(missed)} of {table['difference'].notna().sum()} beyond their tolerance", text, table)]
    title = "Parity with the reference outputs of TESA and PCIst"
    for path in write("tep_parity", title, provenance(0), table, sections, arguments.output):
        print(path)
    if len(missed):
        raise SystemExit(f"beyond their tolerance:\n{missed.to_string(index=False)}")


def parity(oracle: Path) -> pd.DataFrame:
    """One row an array."""
    semi = dict(np.load(oracle / "semi_input.npz"))
    real = np.load(oracle.parent / "m1_tep" / "real_EEG.npy") * 1e-6, (np.arange(2000) - 1000) / 1000
    rows: list[Row] = [*_pulse(oracle, semi), *_sound(oracle, semi), *_sspsir(oracle, semi), *_sphere(oracle)]
    rows += [*_gmfa(oracle, real), *_peaks(oracle, real), *_pcist(oracle, real)]
    return pd.DataFrame(rows, columns=["file", "array", "tolerance", "difference", "remark"])


def epochs_of(x: np.ndarray, rate: float = 1000.0, tmin: float = -0.5) -> mne.BaseEpochs:
    """Epochs from (n_channels, n_times, n_trials) in µV."""
    info = mne.create_info([f"E{k:02}" for k in range(len(x))], rate, "eeg")
    data = x.astype(float).transpose(2, 0, 1) * 1e-6
    return mne.EpochsArray(data, info, tmin=tmin, verbose="error")


def _microvolts(epochs: mne.BaseEpochs) -> np.ndarray:
    return np.asarray(1e6 * epochs.get_data().transpose(1, 2, 0))


def _largest(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())


def _pulse(oracle: Path, semi: dict[str, np.ndarray]) -> Iterator[Row]:
    out = np.load(oracle / "removedata_interp_out.npz")
    epochs = epochs_of(semi["C"])
    cut = remove_pulse(epochs)
    ours = {
        "removed": cut,
        "interp_cubic": interpolate_pulse(cut),
        "interp_linear": interpolate_pulse(cut, method="linear"),
        "interp_cubic_1_1": interpolate_pulse(cut, method="linear", fit=(0.001, 0.001)),
    }
    for name, found in ours.items():
        difference = _largest(_microvolts(found)[:, 479:540, :5], out[name])
        remark = "stored as float32, signals to 3 mV"
        if name == "interp_cubic_1_1":
            remark = "a cubic through one sample a side is a line: compared with our line (our cubic asks for four)"
        yield "removedata_interp_out", name, 1e-3, difference, remark
    yield "removedata_interp_out", "removed_avg", np.nan, np.nan, "replaced with a mean: not offered"
    yield "removedata_interp_out", "tcut", 1e-9, _largest(1000 * epochs.times[479:540], out["tcut"]), "times, ms"


def _sound(oracle: Path, semi: dict[str, np.ndarray]) -> Iterator[Row]:
    out = np.load(oracle / "sound_out.npz")
    epochs, lead = epochs_of(semi["A"]), semi["leadfield"]
    found = _microvolts(sound(epochs, leadfield=lead, lambda_=0.1))
    mean = found.mean(axis=2)
    for name in ("avg", "avg_desc_order"):
        yield "sound_out", name, 0.02, _largest(mean, out[name]), ORDER
    trials = float(np.std(found[..., :5] - out["trials_first5"]))
    yield "sound_out", "trials_first5", 0.02, trials, "standard deviation"
    softer = _microvolts(sound(epochs, leadfield=lead, lambda_=0.01, n_iter=10)).mean(axis=2)
    yield "sound_out", "avg_lambda0p01_iter10", 0.02, _largest(softer, out["avg_lambda0p01_iter10"]), ORDER
    yield "sound_out", "avg_8_random_orders", 0.02, _largest(mean[..., None], out["avg_8_random_orders"]), ORDER
    ours = (lead - lead.mean(axis=0)) @ (lead - lead.mean(axis=0)).T
    theirs = out["lfm_avgref"] @ out["lfm_avgref"].T
    yield "sound_out", "lfm_avgref", 1e-9, _largest(ours, theirs) / np.abs(theirs).max(), "L Lᵀ, relative"


def _sspsir(oracle: Path, semi: dict[str, np.ndarray]) -> Iterator[Row]:
    out = np.load(oracle / "sspsir_out.npz")
    epochs, lead = epochs_of(semi["B"]), semi["leadfield"]
    window = (0.005, 0.050)
    cases = {
        "auto_pc2": {"n_components": 2},
        "auto_data90": {"n_components": 0.9},
        "manual_5_50_pc2": {"n_components": 2, "window": window},
        "auto_pc2_M30": {"n_components": 2, "rank": 30},
    }
    for name, options in cases.items():
        found = _microvolts(ssp_sir(epochs, leadfield=lead, **options)).mean(axis=2)
        yield "sspsir_out", f"{name}_mean", 1e-8, _largest(found, out[f"{name}_mean"]), "largest"
        removed = _removed(epochs, **options)
        single = {**options, "rank": options.get("rank", 60 - removed)}  # TESA: one less than the cleaned trial's rank
        trials = _microvolts(ssp_sir(epochs, leadfield=lead, **single))[..., :5]
        remark = "largest; stored as float32"
        yield "sspsir_out", f"{name}_trials_first5", 1e-4, _largest(trials, out[f"{name}_trials_first5"]), remark
    yield from _constant(out, epochs, lead, window)


def _removed(epochs: mne.BaseEpochs, n_components: float, window: tuple | None = None, rank: int | None = None) -> int:
    average = epochs.average().data
    average = average - average.mean(axis=0)
    return muscle_topographies(average, epochs.times, 1000.0, n_components, window, 100.0)[0].shape[1]


def _constant(out, epochs: mne.BaseEpochs, lead: np.ndarray, window: tuple[float, float]) -> Iterator[Row]:
    """The artefact suppressed at all times: from our parts, since the step itself always blends in time."""
    data = _microvolts(epochs)
    data = data - data.mean(axis=0)
    lead = lead - lead.mean(axis=0)
    average = data.mean(axis=2)
    topographies, _ = muscle_topographies(average * 1e-6, epochs.times, 1000.0, 2, window, 100.0)
    projector = np.eye(62) - topographies @ topographies.T
    mean = reconstruction(lead, projector, 59) @ average
    name, remark = "manualConstant_5_50_pc2", "from our parts: the step itself always blends"
    yield "sspsir_out", f"{name}_mean", 1e-8, _largest(mean, out[f"{name}_mean"]), remark
    trials = np.tensordot(reconstruction(lead, projector, 58), data[..., :5], 1)
    yield "sspsir_out", f"{name}_trials_first5", 1e-4, _largest(trials, out[f"{name}_trials_first5"]), remark


def _sphere(oracle: Path) -> Iterator[Row]:
    out = np.load(oracle / "eeglab_sphere_sound.npz")
    epochs = epochs_of(out["X"], float(out["srate"]), float(out["tmin_s"]))
    found = _microvolts(sound(epochs, leadfield=out["sphere_lfm_avgref_US"], lambda_=0.1))
    size = float(out["sound_avg"].std())
    remark = f"{ORDER} of 7.6 µV; here of {size:.2g} µV"
    yield "eeglab_sphere_sound", "sound_avg", 0.02, _largest(found.mean(axis=2), out["sound_avg"]), remark
    trials = float(np.std(found[..., :5] - out["sound_trials_first5"]))
    yield "eeglab_sphere_sound", "sound_trials_first5", 0.02, trials, "standard deviation"
    remark = "TESA's head model with its random dipoles: ours is another, and is not meant to be equal"
    for name in ("sphere_LLt_avgref", "dipole_positions_m"):
        yield "eeglab_sphere_sound", name, np.nan, np.nan, remark


def _gmfa(oracle: Path, real: tuple[np.ndarray, np.ndarray]) -> Iterator[Row]:
    out = np.load(oracle / "gmfa_out.npz")
    ours = 1e6 * gmfa(*real) * np.sqrt(62 / 61)
    yield "gmfa_out", "PyTepFit_real_EEG", 1e-9, _largest(ours, out["PyTepFit_real_EEG"]), "ours × √(62/61)"
    yield "gmfa_out", "PCIst_sample_tms", np.nan, np.nan, "its input is not among the data"


def _peaks(oracle: Path, real: tuple[np.ndarray, np.ndarray]) -> Iterator[Row]:
    """Peaks that one finds and the other not, and the differences of the others."""
    table = pd.read_csv(oracle / "tesa_peaks.csv")
    table = table[table["dataset"] == "PyTepFit_real_EEG"]
    x, times = real
    field = gmfa(x, times)[None]
    for (kind, method, samples), rows in table.groupby(["input", "method", "samples"]):
        other, latencies, amplitudes = 0, [], []
        for row in rows.itertuples():
            wave = field * np.sqrt(62 / 61) if kind == "GMFA" else x[[int(row.series.removeprefix("Ch")) - 1]]
            window = row.win1 / 1000, row.win2 / 1000
            centre = float(row.peak[1:]) / 1000 if method == "centre" else None  # of its name
            sign = 1 if kind == "GMFA" or row.peak.startswith("P") else -1
            near = {"neighbourhood": samples / 1000, "nearest": centre}
            peak = tep_peak(wave, times, window=window, sign=sign, **near)
            if (row.found == "yes") != bool(np.isfinite(peak["latency"])):
                other += 1
            elif row.found == "yes":
                latencies.append(abs(1000 * peak["latency"] - row.lat_ms))
                amplitudes.append(abs(1e6 * peak["amplitude"] - row.amp))
        name = f"{kind}, {method}, ±{samples} samples"
        yield "tesa_peaks", f"{name}: found or not", 0.0, float(other), f"disagreements of {len(rows)}"
        yield "tesa_peaks", f"{name}: latency", 0.5, float(np.max(latencies)), "largest, ms; ours lies between samples"
        yield "tesa_peaks", f"{name}: amplitude", 0.1, float(np.max(amplitudes)), "largest; ours is the vertex"
    yield "tesa_peaks", "PCIst_sample_tms", np.nan, np.nan, "its input is not among the data"


def _pcist(oracle: Path, real: tuple[np.ndarray, np.ndarray]) -> Iterator[Row]:
    reference = json.loads((oracle / "pcist_reference.json").read_text())
    difference = abs(float(pci_st(*real)) - reference["pytepfit_real_EEG"]["PCIst"])
    yield "pcist_reference", "pytepfit_real_EEG PCIst", 1e-9, difference, "absolute"
    yield "pcist_reference", "pytepfit_real_EEG dNST", np.nan, np.nan, "its sum is PCIst; the parts are not returned"
    yield "pcist_reference", "sample_tms", np.nan, np.nan, "its input is not among the data"


if __name__ == "__main__":
    main()
