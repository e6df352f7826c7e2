"""What of the accuracy table is shown to people, and the small tables beside it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd

OURS = "excitability"
NETWORK_WHERE_OURS = "DELMEP-like network, where we detect"
_SHOWN = [
    "n_mep",
    "n_empty",
    "detection",
    "false_positives",
    "bias_ms",
    "median_error_ms",
    "p95_error_ms",
    "within_1_ms",
    "correlation",
    "cpu_s_per_1000",
]
_BRIEF = [
    OURS,
    "mep-cmap rms_envelope",
    "mep-cmap bigoni",
    "mep-cmap cusum",
    "mep-cmap bigoni default pipeline",
    "Bigoni (published)",
    NETWORK_WHERE_OURS,
]
_NOT_RIVALS = ("DELMEP-like network", "50 uV criterion")  # report a latency for every trial; none at all
_TARGETS = {
    "noisy": {"detection": 0.99, "false_positives": 0.005, "median_error_ms": 0.18, "p95_error_ms": 1.0},
    "quiet": {"detection": 0.995, "false_positives": 0.0, "median_error_ms": 0.10, "p95_error_ms": 0.5},
}


def pages(table: pd.DataFrame, recordings: list, score: Callable, measured: pd.DataFrame) -> list:
    """Sections of the page: (heading, text, table)."""
    hand = [r for r in recordings if r.cell.muscle == "FDI"]
    main = [r for r in hand if r.cell.rate == 5000 and r.cell.artefact == "decay"]
    sections = [("Against the targets", _TARGETS_TEXT, _against_targets(main, score))]
    for background in ("noisy", "quiet", "active"):
        for kind, keep in (("the reference simulator", True), ("the three generators of the package", False)):
            mine = [r for r in main if r.cell.background == background and (r.cell.generator == "reference") == keep]
            sections.append((f"Hand muscle, {background}, {kind}", _EXPLAINED, _pooled(mine, score, None)))
    noisy = [r for r in hand if r.cell.background == "noisy"]
    groups = {
        "Sampling rate (Hz; hand muscle, noisy, four generators)": ("rate", noisy, lambda c: c.artefact == "decay"),
        "Artefact (hand muscle, noisy, three generators)": (
            "artefact",
            noisy,
            lambda c: c.rate == 5000 and c.generator != "reference",
        ),
        "Artefact (hand muscle, quiet, motor units)": (
            "artefact",
            hand,
            lambda c: c.background == "quiet" and c.generator == "motor_units",
        ),
        "Leg (TA, rest) and back (ES, contracted) muscle": ("muscle", recordings, lambda c: c.muscle != "FDI"),
    }
    for heading, (by, among, keep) in groups.items():
        parts = []
        for value in sorted({getattr(r.cell, by) for r in among if keep(r.cell)}):
            mine = [r for r in among if keep(r.cell) and getattr(r.cell, by) == value]
            parts.append(_pooled(mine, score, _BRIEF).assign(**{by: str(value).removesuffix(".0")}))
        shown = pd.concat(parts)
        sections.append((heading, "Each generator is in the TSV.", shown[[by, *shown.columns.drop(by)]]))
    sections.append(("Calibration of mep_probability", _CALIBRATION, _calibration(recordings)))
    sections.append(("False positives of mep_latency", _FALSE, _false_positives(recordings)))
    sections.append(("Size of small responses", _SIZES, _sizes(measured)))
    sections.append(("Where we do not lead", _LOSSES, losses(recordings, table, score)))
    return sections


_EXPLAINED = (
    "Errors against the first time the noise-free response exceeds 1 % of its peak-to-peak, over the responses that "
    "each method itself reports: one that finds only the large ones looks better, so `within 1 ms` counts a miss as a "
    "failure. `correlation` is that of onset with true onset within recordings."
)


def _pooled(recordings: list, score: Callable, methods: list[str] | None) -> pd.DataFrame:
    names = dict.fromkeys(name for recording in recordings for name in recording.found)
    kept = [name for name in names if methods is None or name in methods]
    return pd.DataFrame([{"method": name, **score(recordings, name)} for name in kept])[["method", *_SHOWN]]


_TARGETS_TEXT = "Hand muscle, 5 kHz, decaying artefact; the targets were set on the reference simulator."


def _against_targets(recordings: list, score: Callable) -> pd.DataFrame:
    rows = []
    for background, targets in _TARGETS.items():
        mine = [r for r in recordings if r.cell.background == background]
        held_out = score([r for r in mine if r.cell.generator == "reference"], OURS)
        package = score([r for r in mine if r.cell.generator != "reference"], OURS)
        for figure, target in targets.items():
            sign = -1 if figure == "detection" else 1
            reached = [sign * values[figure] <= sign * target for values in (held_out, package)]
            rows.append(
                {
                    "background": background,
                    "figure": figure.replace("_", " "),
                    "target": f"{'≥' if sign < 0 else '≤'} {target:g}",
                    "reference simulator": held_out[figure],
                    "reached": "yes" if reached[0] else "no",
                    "three generators of the package": package[figure],
                    "reached there": "yes" if reached[1] else "no",
                }
            )
    return pd.DataFrame(rows)


_CALIBRATION = "Trials of all cells by the probability that is stated, and the share that held a response."


def _calibration(recordings: list) -> pd.DataFrame:
    rows = []
    for state in ("rest", "contraction"):
        mine = [r for r in recordings if (r.cell.background == "active") == (state == "contraction")]
        stated = np.concatenate([r.probability for r in mine])
        present = np.concatenate([r.truth["present"].to_numpy() for r in mine])
        for low, high in itertools.pairwise([0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0001]):
            inside = (stated >= low) & (stated < high)
            if inside.any():
                row = {"muscle_at": state, "stated": f"{low:g} to {min(high, 1):g}", "trials": int(inside.sum())}
                rows.append({**row, "mean_stated": stated[inside].mean(), "held_a_response": present[inside].mean()})
    return pd.DataFrame(rows)


_FALSE = "Share of the trials without a response that get a latency; 0.5 % is stated. The interval is 95 % (Wilson)."


def _false_positives(recordings: list) -> pd.DataFrame:
    def kind(cell):
        artefact = f", {cell.artefact}" if cell.artefact != "decay" else ""
        rate = f", {cell.rate / 1e3:g} kHz" if cell.rate != 5000 else ""
        return f"{cell.muscle}, {cell.background}{artefact}{rate}"

    rows = []
    for name in dict.fromkeys(kind(r.cell) for r in recordings):
        empty = [r.found[OURS][~r.truth["present"]] for r in recordings if kind(r.cell) == name]
        rows.append((name, np.isfinite(np.concatenate(empty))))
    rows.append(("all", np.concatenate([hits for _, hits in rows])))
    table = []
    for name, hits in rows:
        low, high = _wilson(int(hits.sum()), hits.size)
        table.append({"trials_of": name, "empty": hits.size, "got_a_latency": hits.mean(), "low": low, "high": high})
    return pd.DataFrame(table)


def _wilson(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    centre, width = hits + z**2 / 2, z * np.sqrt(hits * (n - hits) / n + z**2 / 4)
    return (centre - width) / (n + z**2), (centre + width) / (n + z**2)


_SIZES = "Median error of the peak-to-peak amplitude in µV at rest, by true size in units of the noise (RMS)."


def _sizes(measured: pd.DataFrame) -> pd.DataFrame:
    relative = measured["amplitude"] / measured["noise_rms"]
    names = [name for name in measured if name not in ("amplitude", "noise_rms", "generator")]
    rows = []
    for low, high in ((-1, 0), (2, 5), (5, 10), (10, 30), (30, np.inf)):
        inside = (relative > low) & (relative <= high)
        part = measured[inside]
        label = "no response" if high == 0 else f"{low} to {high:g}"
        errors = {name: 1e6 * (part[name] - part["amplitude"]).median() for name in names}
        rows.append({"true size / noise": label, "trials": int(inside.sum()), **errors})
    return pd.DataFrame(rows)


_LOSSES = (
    "For each cell and figure the best rival that is usable there (at least 0.95 of our detection, false positives at "
    "most ours + 0.02) where it beats us, on the same trials. Single cells are noisy: a figure of one cell rests on "
    "about 400 responses. The network sees no trials without response and knows the generators it was trained with."
)


def losses(recordings: list, table: pd.DataFrame, score: Callable) -> pd.DataFrame:
    """Where a rival is better than we are."""
    rows = []
    for cell in dict.fromkeys(recording.cell for recording in recordings):
        mine = [recording for recording in recordings if recording.cell == cell]
        best: dict[str, tuple] = {}
        for name in dict.fromkeys(name for recording in mine for name in recording.found):
            if name == OURS or name in _NOT_RIVALS:
                continue
            shared = [recording for recording in mine if name in recording.found]
            ours, peer = score(shared, OURS), score(shared, name)
            for figure, (gain, is_better) in _compared(ours, peer).items():
                if is_better and gain > best.get(figure, (0.0,))[0]:
                    best[figure] = (gain, name, ours[figure], peer[figure])
        place = (cell.muscle, cell.background, cell.artefact, cell.rate, cell.generator)
        rows += [(*place, figure, name, ours, theirs) for figure, (_, name, ours, theirs) in best.items()]
    columns = ["muscle", "background", "artefact", "rate", "generator", "figure", "rival", "ours", "theirs"]
    return pd.DataFrame(rows, columns=columns)


def _compared(ours: dict[str, float], peer: dict[str, float]) -> dict[str, tuple[float, bool]]:
    """Gain of the rival in each figure, and whether it counts."""
    usable = peer["detection"] >= 0.95 * ours["detection"]
    usable &= peer["false_positives"] <= ours["false_positives"] + 0.02
    gains = {name: ours[name] - peer[name] for name in ("median_error_ms", "p95_error_ms")}
    found = {name: (gain, bool(usable and gain > 0)) for name, gain in gains.items()}
    more = peer["detection"] - ours["detection"]
    found["detection"] = (more, bool(more > 0 and peer["false_positives"] <= ours["false_positives"]))
    return found
