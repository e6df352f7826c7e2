"""Agreement with the references of real recordings: MEPFeatX's features of its own seven example files.

    python benchmarks/mep_agreement.py
    python benchmarks/mep_agreement.py --traces FOLDER

Reads ``../shared/data/mepfeatx`` beside the checkout (or ``--data``), which is no part of the project; only derived
numbers and figures are written. ``--traces`` draws the trials in which the two disagree on whether there is a response,
into a folder of your own. MEPFeatX is other software, not the truth. Takes five seconds.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, ROOT, one_thread, provenance, write
from _figures import note, panels, save, style
from scipy.io import loadmat

from excitability import measures
from excitability.plots._style import BLUE, INK, PALETTE, SMALL, SOFT
from excitability.resources import muscle as find_muscle

DATA = ROOT.parent / "shared" / "data"
RATE = 3000.0
#: Muscle and what was done; t = 0 is the first pulse of a SICF pair, and each pulse of a LICI pair has its own epoch.
FILES = {
    "ID01": ("FDI", "single pulses"),
    "ID02": ("TA", "LICI pairs"),
    "ID03": ("TA", "repetition"),
    "ID04": ("TA", "SICF, 1.4 ms"),
    "ID05": ("TA", "SICF, 3 ms"),
    "ID06": ("TA", "SICF, 7 ms"),
    "ID10": ("ECR", "recruitment curve"),
}
#: Measure of ours, feature of theirs, factor to their unit, unit.
SIZES = {
    "mep_amplitude": ("Amplitude", 1e6, "µV"),
    "mep_amplitude_corrected": ("Amplitude", 1e6, "µV"),
    "mep_area": ("AUC", 1e9, "µV·ms"),
}
TIMES = {"mep_latency": "Latency", "mad_crossing": "Latency", "mep_duration": "Duration", "mep_thickness": "Thickness"}
COUNTS = {"mep_turns": "nTurns", "mep_phases": "nPhases"}


@dataclass
class File:
    """One recording: ours (SI units) and theirs (as in their table), row by row."""

    name: str
    muscle: str
    x: np.ndarray
    times: np.ndarray
    ours: pd.DataFrame
    theirs: pd.DataFrame

    @property
    def present(self) -> tuple[np.ndarray, np.ndarray]:
        """Whether there is a response: ours, theirs (where 0 stands for none)."""
        return np.isfinite(self.ours["mep_latency"].to_numpy()), self.theirs["Latency"].to_numpy() > 0


def read(folder: Path, name: str) -> File:
    """Trials and reference of one file, with every measure of ours."""
    muscle = FILES[name][0]
    x = np.ascontiguousarray(loadmat(folder / "epochs" / f"{name}.mat")["meps"].T, dtype=float) * 1e-6
    times = np.arange(x.shape[1]) / RATE - 0.05
    window = find_muscle(muscle).window
    ours = pd.DataFrame({"mep_probability": measures.mep_probability(x, times, window=window)})
    for measure in (*SIZES, *TIMES, *COUNTS):
        if hasattr(measures, measure):
            ours[measure] = getattr(measures, measure)(x, times, window=window)
    ours["mad_crossing"] = measures.mep_latency(x, times, window=window, method="mad_crossing")
    ours["one_per_cent"] = one_per_cent(x, times, find_muscle(muscle))
    theirs = pd.read_csv(folder / "features" / f"{name}_features.csv")
    return File(name, muscle, x, times, ours, theirs)


def one_per_cent(x: np.ndarray, times: np.ndarray, muscle: object) -> np.ndarray:
    """The definition of onset applied to the trace as it is (s); NaN where noise hides it.

    The first value above 1 % of the peak-to-peak amplitude, where that is at least five times the noise, and the trace
    is as flat as the noise in the 5 ms before the usual onsets (no tail of an artefact).
    """
    found = np.full(len(x), np.nan)
    inside = np.flatnonzero((times >= muscle.onset_window[0] - 0.002) & (times < muscle.window[1]))
    quiet = (times >= -0.040) & (times < -0.005)
    short = (times >= times[inside[0]] - 0.005) & (times < times[inside[0]])
    for k, trial in enumerate(x):
        trial = trial - trial[short].mean()
        limit, noise = 0.01 * np.ptp(trial[inside]), trial[quiet].std()
        if limit < 5 * noise or trial[short].std() > 2 * noise:
            continue
        at = inside[np.argmax(np.abs(trial[inside]) > limit)]
        before, after = abs(trial[at - 1]), abs(trial[at])
        found[k] = times[at] - (after - limit) / (after - before) * (times[1] - times[0])
    return found


def bland_altman(difference: np.ndarray) -> tuple[float, float, float]:
    """Mean difference and its 95 % limits of agreement."""
    mean, reach = float(np.mean(difference)), 1.96 * float(np.std(difference, ddof=1))
    return mean, mean - reach, mean + reach


def compare(files: list[File], measure: str, feature: str, factor: float) -> pd.DataFrame:
    """Agreement of one measure in every file, over the trials in which both report a response."""
    rows = []
    for file in files:
        if measure not in file.ours:
            continue
        ours, theirs = factor * file.ours[measure].to_numpy(), file.theirs[feature].to_numpy()
        both = file.present[0] & file.present[1] & np.isfinite(ours)
        if both.sum() < 3:
            rows.append({"file": file.name, "muscle": file.muscle, "measure": measure, "trials": int(both.sum())})
            continue
        ours, theirs = ours[both], theirs[both]
        mean, low, high = bland_altman(ours - theirs)
        row = {"file": file.name, "muscle": file.muscle, "measure": measure, "trials": int(both.sum())}
        row |= {"r": float(np.corrcoef(ours, theirs)[0, 1]), "median_difference": float(np.median(ours - theirs))}
        row |= {"median_difference_%": float(np.median(100 * (ours / theirs - 1)))}
        row |= {"median_absolute_%": float(np.median(100 * np.abs(ours / theirs - 1)))}
        rows.append(row | {"mean_difference": mean, "limit_low": low, "limit_high": high})
    return pd.DataFrame(rows)


def against_the_definition(files: list[File]) -> pd.DataFrame:
    """Our latency and theirs beside :func:`one_per_cent`, where that can be read (ms)."""
    rows = []
    for file in files:
        read = 1e3 * file.ours["one_per_cent"].to_numpy()
        kept = np.isfinite(read) & file.present[0] & file.present[1]
        kinds = {
            "excitability": 1e3 * file.ours["mep_latency"].to_numpy(),
            "MEPFeatX": file.theirs["Latency"].to_numpy(),
        }
        for name, found in kinds.items():
            if kept.sum() < 5:
                continue
            error = (found - read)[kept]
            row = {"file": file.name, "muscle": file.muscle, "method": name, "trials": int(kept.sum())}
            row |= {"r": float(np.corrcoef(found[kept], read[kept])[0, 1]), "bias": float(np.median(error))}
            row |= {"median_error": float(np.median(np.abs(error)))}
            rows.append(row | {"p95_error": float(np.percentile(np.abs(error), 95))})
    return pd.DataFrame(rows)


def count_agreement(files: list[File]) -> pd.DataFrame:
    """Turns and phases: share of the trials with the same number, and within one."""
    rows = []
    for measure, feature in COUNTS.items():
        for file in files:
            if measure not in file.ours:
                continue
            ours, theirs = file.ours[measure].to_numpy(), file.theirs[feature].to_numpy()
            both = file.present[0] & file.present[1] & np.isfinite(ours)
            if not both.any():
                continue
            apart = ours[both] - theirs[both]
            row = {"file": file.name, "muscle": file.muscle, "measure": measure, "trials": int(both.sum())}
            row |= {"same": float(np.mean(apart == 0)), "within_1": float(np.mean(np.abs(apart) <= 1))}
            rows.append(row | {"our_mean": float(ours[both].mean()), "their_mean": float(theirs[both].mean())})
    return pd.DataFrame(rows)


def decisions(files: list[File]) -> pd.DataFrame:
    """MEP yes or no: the four cells of every file and of all."""
    rows = []
    for file in files:
        ours, theirs = file.present
        cells = {"both": ours & theirs, "only_ours": ours & ~theirs, "only_theirs": ~ours & theirs}
        row = {"file": file.name, "muscle": file.muscle, "trials": len(ours)}
        rows.append(row | {name: int(cell.sum()) for name, cell in {**cells, "neither": ~ours & ~theirs}.items()})
    table = pd.DataFrame(rows)
    total = table.drop(columns=["file", "muscle"]).sum().to_dict()
    return pd.concat([table, pd.DataFrame([{"file": "all", "muscle": "", **total}])], ignore_index=True)


def discordant(files: list[File]) -> pd.DataFrame:
    """Every trial in which only one of the two reports a response, with what its trace holds."""
    rows = []
    for file in files:
        ours, theirs = file.present
        begin, end = find_muscle(file.muscle).window
        inside = (file.times >= begin) & (file.times < end)
        before = (file.times >= -0.040) & (file.times < -0.005)
        clear = np.median(file.x[theirs], axis=0)[inside]
        for trial in np.flatnonzero(ours != theirs):
            x = 1e6 * (file.x[trial] - file.x[trial, before].mean())
            size, spread = np.ptp(x[inside]), np.mean(np.abs(x[before]))
            row = {"file": file.name, "trial": int(trial), "who": "only ours" if ours[trial] else "only theirs"}
            row |= {"peak_to_peak_uV": float(size), "noise_rms_uV": float(x[before].std())}
            row |= {"probability": float(file.ours["mep_probability"].iloc[trial])}
            row["likeness_to_clear_ones"] = _likeness(x[inside], clear)
            row["their_rule"] = _their_rule(size, spread)
            rows.append(row)
    return pd.DataFrame(rows)


def _likeness(trace: np.ndarray, clear: np.ndarray, most: int = 12) -> float:
    """Largest correlation with the median clear response at shifts up to 4 ms."""
    shifts = range(-most, most + 1)
    part = clear[most:-most]
    return max(float(np.corrcoef(trace[most + k : trace.size - most + k], part)[0, 1]) for k in shifts)


def _their_rule(size: float, spread: float) -> str:
    """Which of the two limits of MEPFeatX the trial fails (50 µV; three deviations within a fifth of the size)."""
    failed = ["below 50 µV"] if size < 50 else []
    failed += ["noise above a fifteenth of the size"] if 3 * spread > 0.2 * size else []
    return ", ".join(failed) or "passes both"


def latency_figure(files: list[File], head: dict, output: Path) -> Path:
    """Bland and Altman's plot of latency, a panel a file: our default and the same rule as theirs."""
    shown = {"mep_latency": ("default", BLUE), "mad_crossing": ("rule of MEPFeatX", PALETTE[0])}
    with style():
        figure, axes = panels(2, 4, 7.09, 3.9, sharey=True)
        for ax, file in zip(axes, files, strict=False):
            theirs = file.theirs["Latency"].to_numpy()
            for measure, (_, colour) in shown.items():
                ours = 1e3 * file.ours[measure].to_numpy()
                both = file.present[0] & file.present[1] & np.isfinite(ours)
                _draw(ax, (ours + theirs)[both] / 2, (ours - theirs)[both], colour, 4)
            _title(ax, file, int((file.present[0] & file.present[1]).sum()))
        _finish(figure, axes, "Mean latency (ms)", "Ours − MEPFeatX (ms)", len(files))
        _legend(axes[-1], shown)
        text = (
            "Lines: mean difference and 95 % limits of agreement; triangles lie beyond the axis. MEPFeatX marks the "
            "last crossing of three mean deviations before the larger peak."
        )
        note(figure, head, text)
        return save(figure, "mep_agreement_latency", head, output)


def amplitude_figure(files: list[File], head: dict, output: Path) -> Path:
    """The same of amplitude, in per cent against the size."""
    shown = {"mep_amplitude": ("recorded", BLUE), "mep_amplitude_corrected": ("corrected", PALETTE[0])}
    with style():
        figure, axes = panels(2, 4, 7.09, 3.9, sharey=True)
        for ax, file in zip(axes, files, strict=False):
            theirs = file.theirs["Amplitude"].to_numpy()
            both = file.present[0] & file.present[1]
            for measure, (_, colour) in shown.items():
                ours = 1e6 * file.ours[measure].to_numpy()[both]
                mean = (ours + theirs[both]) / 2
                _draw(ax, mean, 100 * (ours - theirs[both]) / mean, colour, 3)
            ax.set_xscale("log")
            if both.sum() < 3:
                _title(ax, file, int(both.sum()))
                continue
            _plain(ax, theirs[both])
            _title(ax, file, int(both.sum()))
        _finish(figure, axes, "Mean amplitude (µV)", "Ours − MEPFeatX (%)", len(files))
        _legend(axes[-1], shown)
        note(figure, head, "Lines: mean difference and 95 % limits of agreement; triangles lie beyond the axis.")
        return save(figure, "mep_agreement_amplitude", head, output)


def _draw(ax, mean, difference, colour, reach):
    """Points with their mean and limits; those beyond ``reach`` are triangles at the edge."""
    if difference.size < 3:
        return
    within = np.abs(difference) <= reach
    look = {"ms": 2.4, "mew": 0, "alpha": 0.55, "color": colour, "zorder": 3, "ls": ""}
    ax.plot(mean[within], difference[within], "o", **look)
    for beyond, mark in ((difference > reach, "^"), (difference < -reach, "v")):
        edge = np.full(int(beyond.sum()), 0.96 * reach * (1 if mark == "^" else -1))
        ax.plot(mean[beyond], edge, mark, **look | {"ms": 4})
    middle, low, high = bland_altman(difference)
    ax.axhline(middle, color=colour, lw=1.1, zorder=2)
    for limit in (low, high):
        if abs(limit) < reach:
            ax.axhline(limit, color=colour, lw=0.7, ls=(0, (4, 2)), zorder=2)
    ax.set_ylim(-reach, reach)


def _plain(ax, sizes):
    from excitability.plots._style import plain_log_axis

    ax.set_xlim(0.8 * sizes.min(), 1.25 * sizes.max())
    plain_log_axis(ax.xaxis, *ax.get_xlim())
    if len(ax.get_xticks()) > 4:
        ax.set_xticks(ax.get_xticks()[:: len(ax.get_xticks()) // 3])


def _title(ax, file, n):
    ax.set_title(f"{file.name} {file.muscle}", fontsize=8)
    ax.set_title(f"{FILES[file.name][1]}, n = {n}", fontsize=6, color=SOFT, loc="right", fontweight="normal")
    ax.axhline(0, color=INK, lw=0.5, zorder=1)


def _finish(figure, axes, x_label, y_label, used):
    for ax in axes[used:]:
        ax.set_axis_off()
    for k, ax in enumerate(axes[:used]):
        if k + 4 >= used:
            ax.set_xlabel(x_label)
        if k % 4 == 0:
            ax.set_ylabel(y_label)


def _legend(ax, shown):
    for k, (label, colour) in enumerate(shown.values()):
        ax.plot([], [], "o-", ms=3, lw=1.1, color=colour, label=label, zorder=k)
    ax.legend(loc="center left", fontsize=SMALL)


def draw_traces(files: list[File], table: pd.DataFrame, folder: Path) -> Path:
    """The discordant trials and, grey, the median clear response of the file, from 20 ms before the pulse."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = -(-len(table) // 5)
    with style():
        figure, axes = panels(rows, 5, 10, 1.6 * rows)
        for ax, (_, row) in zip(axes, table.iterrows(), strict=False):
            file = next(file for file in files if file.name == row["file"])
            seen = file.times > -0.045
            x = 1e6 * file.x[row["trial"]]
            clear = 1e6 * np.median(file.x[file.present[1]], axis=0)
            ax.plot(1e3 * file.times[seen], clear[seen] * row["peak_to_peak_uV"] / np.ptp(clear[seen]), color="#c8c8c8")
            ax.plot(1e3 * file.times[seen], x[seen], lw=0.8)
            onset = file.ours["mep_latency"].iloc[row["trial"]]
            ax.axvline(1e3 * onset if np.isfinite(onset) else file.theirs["Latency"].iloc[row["trial"]], lw=0.7)
            reach = 1.5 * row["peak_to_peak_uV"]
            ax.set_ylim(-reach, reach)
            ax.set_title(f"{row['file']} {row['trial']}: {row['who']}, {row['probability']:.2f}", fontsize=7)
        return save(figure, "discordant", {"date": "traces"}, folder)


def main() -> None:
    """Read, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds mepfeatx/")
    parser.add_argument("--traces", type=Path, help="draw the discordant trials into this folder (not a result)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    folder = options.data / "mepfeatx"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is absent: the real recordings lie beside the checkout; give --data FOLDER")
    one_thread()
    head = provenance(0) | {"seed": "none (real recordings)"}
    files = [read(folder, name) for name in FILES]
    sizes = {name: compare(files, name, feature, factor) for name, (feature, factor, _) in SIZES.items()}
    times = {name: compare(files, name, feature, 1e3) for name, feature in TIMES.items()}
    yes_no, odd, counts = decisions(files), discordant(files), count_agreement(files)
    head["figures"] = ", ".join(draw(files, head, options.output).name for draw in (amplitude_figure, latency_figure))
    sections = [
        (f"{name} ({SIZES[name][2]})", _TEXTS.get(name, ""), table.drop(columns="measure"))
        for name, table in sizes.items()
    ]
    sections += [
        (f"{name} (ms)", _TEXTS.get(name, ""), t.drop(columns="measure")) for name, t in times.items() if len(t)
    ]
    definition = against_the_definition(files)
    sections.append(("Latency against the definition of onset (ms)", _TEXTS["definition"], definition))
    sections += [("MEP, yes or no", _TEXTS["yes"], yes_no), ("Trials on which the two differ", _TEXTS["odd"], odd)]
    sections.append(("Turns and phases", _TEXTS["counts"], counts))
    every = pd.concat([*sizes.values(), *times.values(), counts, yes_no.assign(measure="present"), definition])
    title = "Agreement with MEPFeatX on its own recordings"
    for path in write("mep_agreement", title, head, every, sections, options.output):
        print(f"wrote {path}")
    if options.traces:
        print(f"drew {draw_traces(files, odd, options.traces)}")


_TEXTS = {
    "mep_amplitude": "Trials in which both report a response; 95 % limits of agreement. Their trace is up-sampled.",
    "mep_amplitude_corrected": "Smaller by what the noise adds to theirs.",
    "mep_area": "From onset to end, whose definitions differ.",
    "mep_latency": (
        "Ours is the first time the response exceeds 1 % of its size, theirs the last crossing of three mean "
        "deviations of the background before the larger peak. Theirs is later where 1 % of the size lies in the noise, "
        "or where a first phase is small; in these quiet recordings three deviations are often less than 1 % of a "
        "large response, and theirs is earlier."
    ),
    "definition": (
        "Where 1 % of the size is at least five times the noise, and no tail of an artefact precedes, the onset can be "
        "read from the trace as it is: the first value above 1 %. These are the large responses only."
    ),
    "mad_crossing": 'The rule of MEPFeatX as `mep_latency(method="mad_crossing")`, where both report.',
    "yes": (
        "Ours: a latency at a stated false-positive rate of 0.5 %. Theirs is a limit for measuring shapes: 50 µV, and "
        "three mean deviations of the background within a fifth of the size."
    ),
    "odd": "`likeness` is the largest correlation with the file's median clear response at shifts up to 4 ms.",
    "counts": "Share of the trials with the same count.",
}


if __name__ == "__main__":
    main()
