"""Do the numbers that state how sure we are hold? Probability, false-positive rate, amplitude and their uncertainties.

    python benchmarks/mep_calibration.py
    python benchmarks/mep_calibration.py --recordings 6

writes ``benchmarks/results/mep_calibration_<date>.tsv`` and ``.md`` and three figures. About four minutes on two cores.
Trials come from every simulator of ``mep_accuracy.py``, half of them without a response; a recording is one simulated
person with 100 trials. The simulators are shown in three groups; what was seen of the last is in README.md.
"""

from __future__ import annotations

import argparse
import itertools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write
from _figures import note, panels, save, style
from mep_accuracy import PACKAGE, Cell, simulate
from mep_accuracy_pages import wilson

from excitability import measures
from excitability.plots._style import BLUE, INK, PALETTE, SOFT, key, line_handle, plain_log_axis

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
GROUPS = {"package": PACKAGE, "reference": ("reference",), "held out": ("held out",)}
CONDITIONS = {
    "rest, noisy": {"background": "noisy"},
    "rest, quiet": {"background": "quiet"},
    "rest, small": {"background": "noisy", "amplitude": 0.12e-3},
    "contraction, hand": {"background": "active", "amplitude": 1.5e-3},
    "contraction, back": {"background": "active", "muscle": "ES", "noise": (30e-6, 80e-6)},
}
LOOK = {"package": (BLUE, "o"), "reference": (PALETTE[1], "s"), "held out": (PALETTE[0], "D")}
DASHED = (0, (4, 2))
PROBABILITY_BINS = (0, 0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99, 1.0001)
SIZE_BINS = (0, 2, 3, 5, 8, 12, 20, 40, 80, 200)
_UNCERTAINTIES = ("mep_amplitude_standard_error", "mep_latency_standard_error")


def measured(task: tuple[str, str, Cell, int, np.random.SeedSequence]) -> pd.DataFrame:
    """Truth and measures of every trial of one recording."""
    condition, group, cell, n, seed = task
    recording = simulate(cell, n, seed)
    given = (recording.x, recording.times)
    table = recording.truth[["present", "onset", "amplitude", "noise_rms"]].copy()
    window = {"window": cell.muscle}
    names = ["mep_probability", "mep_latency", "mep_amplitude", "mep_amplitude_corrected", *available()]
    for name in names:
        table[name] = getattr(measures, name)(*given, **window)
    for rate in RATES:
        table[f"at {rate:g}"] = np.isfinite(measures.mep_latency(*given, **window, false_positive_rate=rate))
    state = condition.split(",")[0]
    return table.assign(condition=condition, state=state, group=group, generator=cell.generator)


def available() -> list[str]:
    """The measures of uncertainty that this version has."""
    return [name for name in _UNCERTAINTIES if hasattr(measures, name)]


def tasks(recordings: int, trials: int, seed: int) -> list[tuple[str, str, Cell, int, np.random.SeedSequence]]:
    """Every recording to make, the generators of a group in turn."""
    found = []
    for (condition, said), (group, generators) in itertools.product(CONDITIONS.items(), GROUPS.items()):
        if said.get("muscle") and group == "reference":
            continue  # it knows a hand muscle only
        for k in range(recordings):
            cell = Cell(generators[k % len(generators)], no_response=0.5, **said)
            found.append((condition, group, cell, trials))
    seeds = np.random.SeedSequence([seed, 77]).spawn(len(found))
    return [(*task, own) for task, own in zip(found, seeds, strict=True)]


def reliability(table: pd.DataFrame) -> pd.DataFrame:
    """Trials by stated probability, and the share that held a response."""
    rows = []
    for (state, group), part in table.groupby(["state", "group"], sort=False):
        for low, high in itertools.pairwise(PROBABILITY_BINS):
            inside = part[(part["mep_probability"] >= low) & (part["mep_probability"] < high)]
            if len(inside) < 10:
                continue
            bottom, top = wilson(int(inside["present"].sum()), len(inside))
            row = {"muscle_at": state, "simulator": group, "stated": f"{low:g} to {min(high, 1):g}"}
            row |= {"trials": len(inside), "mean_stated": inside["mep_probability"].mean()}
            rows.append(row | {"held_a_response": inside["present"].mean(), "low": bottom, "high": top})
    return pd.DataFrame(rows)


def false_positives(table: pd.DataFrame) -> pd.DataFrame:
    """Stated and real share of the trials without response that get a latency."""
    rows = []
    for (state, group), part in table[~table["present"]].groupby(["state", "group"], sort=False):
        for rate in RATES:
            hits = int(part[f"at {rate:g}"].sum())
            low, high = wilson(hits, len(part))
            row = {"muscle_at": state, "simulator": group, "stated": rate, "empty": len(part)}
            row |= {"real": hits / len(part), "low": low, "high": high}
            rows.append(row | {"holds": "yes" if low <= rate <= high else ("fewer" if high < rate else "more")})
    return pd.DataFrame(rows)


def by_size(table: pd.DataFrame, keys: list[str]) -> pd.api.typing.DataFrameGroupBy:
    """Groups of trials, then bins of true size over noise; a bin of 0 holds the trials without response."""
    relative = np.where(table["present"], table["amplitude"] / table["noise_rms"], -1.0)
    labels = ["none"] + [f"{low} to {high}" for low, high in itertools.pairwise(SIZE_BINS)]
    bins = pd.cut(relative, [-2, *SIZE_BINS], labels=labels)
    return table.assign(size=bins, relative=relative).groupby([*keys, "size"], sort=False, observed=True)


def amplitude_bias(table: pd.DataFrame) -> pd.DataFrame:
    """Error of the amplitude over the noise, recorded and corrected, and coverage of its standard error."""
    rows = []
    for (state, group, size), part in by_size(table, ["state", "group"]):
        if len(part) < 30:
            continue
        row = {"muscle_at": state, "simulator": group, "true_size/noise": size, "trials": len(part)}
        row["middle"] = float(part["relative"].clip(lower=0).median())
        for name, measure in (("recorded", "mep_amplitude"), ("corrected", "mep_amplitude_corrected")):
            error = ((part[measure] - part["amplitude"]) / part["noise_rms"]).dropna()
            row |= {f"{name}_mean": error.mean(), f"{name}_median": error.median()}
            row |= {f"{name}_q25": error.quantile(0.25), f"{name}_q75": error.quantile(0.75)}
        if "mep_amplitude_standard_error" in part:
            row |= _coverage(part, "mep_amplitude_corrected", "amplitude", "mep_amplitude_standard_error", 1e6, "uV")
        rows.append(row)
    return pd.DataFrame(rows).sort_values(["muscle_at", "simulator", "middle"], kind="stable")


def latency_coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Coverage of the latency's standard error by condition and size."""
    rows = []
    found = table[table["present"] & table["mep_latency"].notna()]
    for (condition, group, size), part in by_size(found, ["condition", "group"]):
        if len(part) < 30:
            continue
        row = {"condition": condition, "simulator": group, "true_size/noise": size, "trials": len(part)}
        row["middle"] = float(part["relative"].median())
        rows.append(row | _coverage(part, "mep_latency", "onset", "mep_latency_standard_error", 1e3, "ms"))
    return pd.DataFrame(rows).sort_values(["condition", "simulator", "middle"], kind="stable")


def _coverage(part: pd.DataFrame, measure: str, truth: str, error: str, factor: float, unit: str) -> dict[str, float]:
    """Shares of the truths within one and 1.96 standard errors, the usual standard error and the actual one."""
    apart = (part[measure] - part[truth]).to_numpy()
    stated = part[error].to_numpy()
    known = np.isfinite(apart) & np.isfinite(stated)
    ratio = np.abs(apart[known]) / np.maximum(stated[known], 1e-12)
    low, high = wilson(int((ratio <= 1.96).sum()), max(int(known.sum()), 1))
    return {
        "within_1": float(np.mean(ratio <= 1)),
        "within_1.96": float(np.mean(ratio <= 1.96)),
        "low": low,
        "high": high,
        f"stated_{unit}": factor * float(np.median(stated[known])),
        f"actual_{unit}": factor * float(np.sqrt(np.mean(apart[known] ** 2))),
        f"median_absolute_{unit}": factor * float(np.median(np.abs(apart[known]))),
        "without_one": float(np.mean(~np.isfinite(stated))),
    }


def probability_figure(reliable: pd.DataFrame, false: pd.DataFrame, head: dict, output: Path) -> Path:
    """Stated against real: probability above, false-positive rate below; rest left, contraction right."""
    with style():
        figure, axes = panels(2, 2, 5.2, 5.4)
        for k, state in enumerate(("rest", "contraction")):
            upper, lower = axes[k], axes[2 + k]
            _diagonal(upper, 0, 1)
            for group, part in reliable[reliable["muscle_at"] == state].groupby("simulator", sort=False):
                _points(upper, part["mean_stated"], part["held_a_response"], part, group)
            upper.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), title=f"{state.capitalize()}: is there a response?")
            upper.set(xlabel="Stated probability", ylabel="Share with a response")
            _diagonal(lower, 0.05, 20)
            for group, part in false[false["muscle_at"] == state].groupby("simulator", sort=False):
                shown = part[["real", "low", "high"]].clip(lower=0.0004) * 100
                jitter = 1.06 ** (list(GROUPS).index(group) - 1)
                _points(lower, 100 * part["stated"] * jitter, shown["real"], shown, group)
            lower.set(xscale="log", yscale="log", xlim=(0.07, 14), ylim=(0.035, 20))
            lower.set(title=f"{state.capitalize()}: false positives")
            lower.set(xlabel="Stated false-positive rate (%)", ylabel="Real false-positive rate (%)")
            for axis, (low, high) in ((lower.xaxis, (0.07, 14)), (lower.yaxis, (0.035, 20))):
                plain_log_axis(axis, low, high)
        for ax in axes:
            ax.set_box_aspect(1)
        _key(figure)
        text = "Bars: 95 % intervals (Wilson); points on the lower edge: none. What was seen of held out: README.md."
        note(figure, head, text)
        return save(figure, "mep_calibration_probability", head, output)


def amplitude_figure(bias: pd.DataFrame, head: dict, output: Path) -> Path:
    """Error over the noise against true size, recorded and corrected; below, the coverage of the standard error."""
    covered = "within_1.96" in bias
    with style():
        figure, axes = panels(2 if covered else 1, 2, 5.2, 5.0 if covered else 3.0, sharex=True)
        for k, state in enumerate(("rest", "contraction")):
            mine = bias[bias["muscle_at"] == state]
            axes[k].axhline(0, color=INK, lw=0.6)
            for group, part in mine.groupby("simulator", sort=False):
                look = {"marker": LOOK[group][1], "ms": 3.2, "color": LOOK[group][0]}
                x = part["middle"].clip(lower=0.8)
                axes[k].plot(x, part["recorded_median"], lw=0.9, ls=DASHED, mfc="white", **look)
                axes[k].fill_between(
                    x, part["corrected_q25"], part["corrected_q75"], color=look["color"], alpha=0.13, lw=0
                )
                axes[k].plot(x, part["corrected_median"], lw=1.2, **look)
            axes[k].set(ylim=(-7, 7), title=f"{state.capitalize()}: error of the amplitude")
            if covered:
                _coverage_panel(axes[2 + k], mine)
                axes[2 + k].set_title(f"{state.capitalize()}: its standard error")
        _size_axes(axes, 2)
        axes[0].set_ylabel("Median error / noise (RMS)")
        if covered:
            axes[2].set_ylabel("Coverage of 95 % intervals")
        _key(figure, {"recorded": DASHED, "corrected": "-"})
        text = (
            "Bands: quartiles of the corrected amplitude. Bars: 95 % intervals (Wilson). 0: trials without a response."
        )
        note(figure, head, text)
        return save(figure, "mep_calibration_amplitude", head, output)


def latency_figure(coverage: pd.DataFrame, head: dict, output: Path) -> Path:
    """Coverage of the latency's interval against size (above), stated and actual error (below), by condition."""
    n = len(CONDITIONS)
    with style():
        figure, axes = panels(2, n, 7.09, 3.7, sharey="row", sharex=True)
        for k, condition in enumerate(CONDITIONS):
            mine = coverage[coverage["condition"] == condition]
            _coverage_panel(axes[k], mine)
            for group, part in mine.groupby("simulator", sort=False):
                look = {"marker": LOOK[group][1], "ms": 3, "color": LOOK[group][0]}
                axes[n + k].plot(part["middle"], part["actual_ms"], lw=1.2, **look)
                axes[n + k].plot(part["middle"], part["stated_ms"], lw=0.9, ls=DASHED, mfc="white", **look)
            axes[n + k].set_yscale("log")
            axes[k].set_title(condition.capitalize().replace(", ", ",\n"))
        _size_axes(axes, n, smallest=2.5)
        axes[0].set_ylabel("Coverage of 95 % intervals")
        axes[n].set_ylabel("Error (ms)")
        plain_log_axis(axes[n].yaxis, *axes[n].get_ylim())
        _key(figure, {"actual error (RMS)": "-", "stated (median)": DASHED})
        note(figure, head, "Above: true onsets within 1.96 standard errors; bars: 95 % intervals (Wilson).")
        return save(figure, "mep_calibration_latency", head, output)


def _points(ax, x, y, limits, group):
    colour, mark = LOOK[group]
    spread = np.abs(np.array([y - limits["low"], limits["high"] - y]))
    ax.errorbar(x, y, yerr=spread, fmt=mark, ms=3.4, color=colour, mec="white", mew=0.4, elinewidth=0.8, zorder=3)


def _coverage_panel(ax, table):
    ax.axhline(0.95, color=INK, lw=0.6)
    for group, part in table.groupby("simulator", sort=False):
        x = part["middle"].clip(lower=0.8)
        ax.plot(x, part["within_1.96"], color=LOOK[group][0], lw=0.8, alpha=0.6)
        _points(ax, x, part["within_1.96"], part, group)
    ax.set(ylim=(0.5, 1.02))


def _size_axes(axes, columns, smallest=0.65):
    for ax in axes:
        ax.set(xscale="log", xlim=(smallest, 220))
        ticks = {0.8: "0", 2: "2", 5: "5", 20: "20", 100: "100"}
        shown = {place: label for place, label in ticks.items() if place > smallest}
        ax.set_xticks(list(shown), list(shown.values()))
        ax.set_xticks([], minor=True)
    for ax in axes[-columns:]:
        ax.set_xlabel("True size / noise (RMS)" if columns < 4 else "Size / noise (RMS)")


def _diagonal(ax, low, high):
    ax.plot([low, high], [low, high], color=INK, lw=0.6, zorder=1)


def _key(figure, lines=None):
    handles = [line_handle(group, color=colour, marker=mark, ms=4, ls="") for group, (colour, mark) in LOOK.items()]
    handles += [line_handle(name, color=SOFT, ls=dashes, lw=1.1) for name, dashes in (lines or {}).items()]
    key(figure, handles, where="outside upper left")


def main() -> None:
    """Simulate, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=40, help="of each condition and group of simulators")
    parser.add_argument("--trials", type=int, default=100, help="of a recording")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--skip-missing", action="store_true", help="leave out measures that this version lacks")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    missing = [name for name in _UNCERTAINTIES if name not in available()]
    if missing and not options.skip_missing:
        raise SystemExit(f"this version has no {', '.join(missing)}: add them, or give --skip-missing to do without")
    one_thread()
    head = provenance(options.seed)
    head["trials"] = f"{options.recordings} recordings of {options.trials} trials, half empty, a condition and group"
    if missing:
        head["missing"] = ", ".join(missing)
    with ProcessPoolExecutor(options.jobs) as pool:
        table = pd.concat(pool.map(measured, tasks(options.recordings, options.trials, options.seed), chunksize=5))
    reliable, false, bias = reliability(table), false_positives(table), amplitude_bias(table)
    figures = [probability_figure(reliable, false, head, options.output), amplitude_figure(bias, head, options.output)]
    sections = [
        ("Probability of a response", _PROBABILITY, reliable),
        ("False-positive rate, stated and real", _FALSE, false),
        ("Amplitude by true size", _BIAS, bias),
    ]
    parts = [
        reliable.assign(table="probability"),
        false.assign(table="false positives"),
        bias.assign(table="amplitude"),
    ]
    if "mep_latency_standard_error" in table:
        coverage = latency_coverage(table)
        figures.append(latency_figure(coverage, head, options.output))
        sections.append(("Latency: coverage of its standard error", _LATENCY, coverage))
        parts.append(coverage.assign(table="latency"))
    head["figures"] = ", ".join(path.name for path in figures)
    title = "Calibration: what is stated about MEPs, and what is true"
    every = pd.concat(parts)
    for path in write("mep_calibration", title, head, every, sections, options.output):
        print(f"wrote {path}")


_PROBABILITY = "Trials by `mep_probability`, and the share that held a response, with its 95 % interval (Wilson)."
_FALSE = (
    "Share of the trials without response that get a latency at each stated rate; `holds` says whether the interval "
    "holds the stated rate, or there are fewer or more."
)
_BIAS = (
    "Error of the peak-to-peak amplitude in units of the noise (RMS) before the pulse: recorded (`mep_amplitude`) and "
    "corrected (`mep_amplitude_corrected`); where stated, the share of the truths within 1 and 1.96 standard errors."
)
_LATENCY = "Responses that get a latency: share of the true onsets within 1 (0.68) and 1.96 (0.95) standard errors."


if __name__ == "__main__":
    main()
