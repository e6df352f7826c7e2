"""How close an averaged response is to the truth: one function, the same for every program and simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

BASELINE = (-0.3, -0.02)  # s
GRID = 0.001  # s; all are compared at these steps
SPANS = {"": (0.012, 0.300), "_12_40": (0.012, 0.040), "_40_300": (0.040, 0.300)}
# where the truth is searched for a peak (s); its strongest channel and its sign are read from the truth
PEAKS = {
    "M1": {
        "N15": (0.012, 0.022),
        "P30": (0.022, 0.037),
        "N45": (0.037, 0.054),
        "P60": (0.054, 0.080),
        "N100": (0.080, 0.145),
        "P180": (0.145, 0.250),
    },
    "DLPFC": {
        "P25": (0.015, 0.032),
        "N40": (0.032, 0.050),
        "P60": (0.050, 0.080),
        "N100": (0.080, 0.145),
        "P185": (0.145, 0.250),
    },
}
SMALLEST_PEAK = 1e-6  # V


def scores(
    found: np.ndarray,
    found_times: np.ndarray,
    found_names: Sequence[str],
    truth: np.ndarray,
    truth_times: np.ndarray,
    names: Sequence[str],
    bads: Sequence[str],
    peaks: Mapping[str, tuple[float, float]],
) -> dict[str, float]:
    """Scores of an average (V): over the channels of the truth that are not bad; a missing channel counts as zero.

    Both are average-referenced over these channels, less their baseline. ``r``, ``rmse`` (µV) and ``gain`` (slope of
    found on true) over channels and times, ``r_gmfa``, and of every peak the error of its amplitude (µV) and latency
    (ms) at the channel where the true peak is largest.
    """
    good = [name for name in names if name not in bads]
    here = [list(found_names).index(name) if name in found_names else -1 for name in good]
    grid = np.arange(0.0, 0.3005, GRID)
    true = _prepared(truth[[list(names).index(name) for name in good]], truth_times, grid)
    rows = np.array([found[k] if k >= 0 else np.zeros(found.shape[1]) for k in here])
    rows[[k for k, at in enumerate(here) if at < 0]] = rows.mean(axis=0)  # zero after the average reference
    ours = _prepared(rows, found_times, grid)
    out: dict[str, float] = {"missing_channels": float(sum(k < 0 for k in here))}
    for suffix, (start, stop) in SPANS.items():
        inside = (grid >= start - 1e-9) & (grid <= stop + 1e-9)
        x, y = true[:, inside].ravel(), ours[:, inside].ravel()
        out[f"r{suffix}"] = float(np.corrcoef(x, y)[0, 1]) if y.any() else 0.0
        out[f"rmse{suffix}"] = 1e6 * float(np.sqrt(np.mean((x - y) ** 2)))
        out[f"gain{suffix}"] = float(x @ y / (x @ x))
        if not suffix:
            out["rmse_of_nothing"] = 1e6 * float(np.sqrt(np.mean(x**2)))
            out["r_gmfa"] = float(np.corrcoef(true[:, inside].std(axis=0), ours[:, inside].std(axis=0))[0, 1])
    return {**out, **_peak_errors(true, ours, grid, peaks)}


def _prepared(x: np.ndarray, times: np.ndarray, grid: np.ndarray) -> np.ndarray:
    before = (times >= BASELINE[0] - 1e-9) & (times <= BASELINE[1] + 1e-9)
    x = x - x[:, before].mean(axis=1, keepdims=True)
    on_grid = np.array([np.interp(grid, times, row) for row in x])
    return on_grid - on_grid.mean(axis=0)


def _peak_errors(true: np.ndarray, ours: np.ndarray, grid: np.ndarray, peaks: Mapping) -> dict[str, float]:
    out: dict[str, float] = {}
    amplitude, latency = [], []
    for name, (start, stop) in peaks.items():
        inside = np.flatnonzero((grid >= start - 1e-9) & (grid <= stop + 1e-9))
        inner = np.abs(true[:, inside])
        tops = (inner >= np.abs(true[:, inside - 1])) & (inner >= np.abs(true[:, inside + 1]))
        inner = np.where(tops, inner, 0.0)
        channel, at = np.unravel_index(np.argmax(inner), inner.shape)
        if inner[channel, at] < SMALLEST_PEAK:
            continue  # the truth has no peak there
        sign = np.sign(true[channel, inside[at]])
        seen = sign * ours[channel, inside]
        amplitude.append(1e6 * (seen.max() - inner[channel, at]))
        latency.append(1e3 * (grid[inside[np.argmax(seen)]] - grid[inside[at]]))
        out |= {f"{name} true": 1e6 * inner[channel, at], f"{name} amplitude": amplitude[-1]}
        out[f"{name} latency"] = latency[-1]
    out["peak_error"] = float(np.mean(np.abs(amplitude)))
    out["latency_error"] = float(np.mean(np.abs(latency)))
    return out
