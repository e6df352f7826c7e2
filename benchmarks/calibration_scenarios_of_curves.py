"""Scenarios of ``measure_calibration.py``: curves, tracked thresholds, silent periods and resampled averages."""

from __future__ import annotations

import numpy as np
import pandas as pd
from calibration_scatter import MEDIAN_OF, levels, sizes, symmetric
from calibration_scenarios import ERRORS, NUMBERS, covers

from excitability import measures
from excitability.measures._sicf import WINDOWS
from excitability.measures.bootstrap import bootstrap_average, bootstrap_epochs
from excitability.measures.silent_period import OUTLASTS

# ---- curves of paired pulses ----


def _gauss(t, places, heights, width):
    return 1 + sum(height * np.exp(-(((t - at) / width) ** 2)) for at, height in zip(places, heights, strict=True))


def _tents(t, places, heights, width):
    return 1 + sum(
        height * np.clip(1 - np.abs(t - at) / (2 * width), 0, None) for at, height in zip(places, heights, strict=True)
    )


FACILITATION = {"gauss": _gauss, "tents": _tents}
FINE = np.arange(1.0, 4.905, 0.005) * 1e-3


@covers("sicf_peaks", "sicf_intervals", shape=("gauss",), scatter=("log-normal",), n=(12,))
@covers("sicf_peaks", "sicf_intervals", shape=("tents",), scatter=("gamma",), n=(12,))
def facilitation(rng, shape, scatter, n, name):
    """A curve with three peaks at places of their own, ``n`` pairs at 20 intervals and twice as many first pulses."""
    interval = np.round(np.arange(1.0, 4.9, 0.2) * 1e-3, 4)
    places = 1e-3 * (np.array([1.45, 2.65, 4.3]) + rng.normal(0, 0.08, 3))
    heights = np.array([1.2, 0.8, 0.5]) * rng.lognormal(0, 0.4, 3)
    shape_of = (places, heights, 1e-3 * rng.uniform(0.22, 0.38))
    mean = np.r_[np.ones(2 * n), np.repeat(FACILITATION[shape](interval, *shape_of), n)]
    table = pd.DataFrame(
        {
            "condition": np.repeat(["test", "pair"], [2 * n, n * interval.size]),
            "inter_stimulus_interval": np.r_[np.full(2 * n, np.nan), np.repeat(interval, n)],
            "mep_amplitude": 1e-3 * mean * sizes(rng, scatter, mean.size, 1.0, 0.5),
        }
    )
    truth = {}
    for part, (start, stop), largest in WINDOWS:
        inside = FINE[(start - 1e-9 <= FINE) & (stop + 1e-9 >= FINE)]
        curve = FACILITATION[shape](inside, *shape_of)
        at = int(curve.argmax() if largest else curve.argmin())
        truth[f"sicf_{part}_ratio"], truth[f"sicf_{part}_interval"] = curve[at], inside[at]
    return getattr(measures, name)(table), truth


INHIBITION = {
    "dip": lambda x, centre, depth: np.exp(depth * ((x - centre) ** 2 / 120 - 1)),
    "tent": lambda x, centre, depth: 1 - (1 - np.exp(-depth)) * np.clip(1 - np.abs(x - centre) / 14, 0, 1),
    "falling": lambda x, centre, depth: np.exp(-depth / (1 + np.exp(-(x - centre) / 2))),
}


@covers("paired_pulse_curve", shape=tuple(INHIBITION), scatter=("log-normal",), n=(8, 20))
@covers("paired_pulse_curve", shape=tuple(INHIBITION), scatter=("gamma",), n=(15,))
def inhibition_by_intensity(rng, shape, scatter, n):
    """Six conditioning intensities with ``n`` pairs each."""
    level = np.linspace(28, 46, 6)
    place, depth = rng.uniform(33, 42), rng.uniform(0.3, 1.4)
    mean = np.r_[np.ones(2 * n), np.repeat(INHIBITION[shape](level, place, depth), n)]
    table = pd.DataFrame(
        {
            "condition": np.repeat(["test", "pair"], [2 * n, 6 * n]),
            "conditioning_intensity": np.r_[np.full(2 * n, np.nan), np.repeat(level, n)],
            "mep_amplitude": 1e-3 * mean * sizes(rng, scatter, mean.size, 1.0, 0.5),
        }
    )
    curve = INHIBITION[shape](np.linspace(28, 46, 200), place, depth)
    truth = {"ratio_mean": np.exp(np.log(curve).mean()), "ratio_smallest": curve.min(), "ratio_largest": curve.max()}
    return measures.paired_pulse_curve(table, by="conditioning_intensity"), truth


# ---- maps of two hemispheres (the maps themselves: map_calibration.py) ----

SITES = tuple(axis.ravel() / 100 for axis in np.meshgrid(np.arange(6.0), np.arange(6.0)))
_ASYMMETRY: dict[tuple[float, float], dict[str, float]] = {}


def _two_maps(top: float, width: float) -> pd.DataFrame:
    x, y = SITES
    parts = [
        peak * np.exp(-((x - 0.026) ** 2 + (y - 0.023) ** 2) / (2 * extent**2))
        for peak, extent in ((1e-3 * top, width), (1e-3, 0.011))
    ]
    side = np.repeat(["left", "right"], x.size)
    return pd.DataFrame(
        {"hemisphere": side, "coil_x": np.tile(x, 2), "coil_y": np.tile(y, 2), "mep_amplitude": np.concatenate(parts)}
    )


@covers("map_asymmetry", scatter=("log-normal", "gamma"), top=(2.0,), width=(0.011, 0.014))
def maps_of_both_hemispheres(rng, scatter, top, width):
    """Five pulses at each of 36 sites a hemisphere; the truth is the asymmetry of the expected responses there."""
    expected = _two_maps(top, width)
    if (top, width) not in _ASYMMETRY:
        _ASYMMETRY[top, width] = {key: float(value) for key, value in measures.map_asymmetry(expected).items()}
    table = pd.concat([expected] * 5, ignore_index=True)
    table["mep_amplitude"] *= sizes(rng, scatter, len(table), 1.0, 0.6)
    return measures.map_asymmetry(table, seed=int(rng.integers(1 << 30))), _ASYMMETRY[top, width]


# ---- intensities ----


def _track(rng, n, threshold, slope, spread, construction):
    """A staircase that keeps the response at 200 µV."""
    intensity, size = [round(threshold) + float(rng.integers(-4, 5))], []
    for _ in range(n):
        error = symmetric(rng, 1, spread, "normal" if construction == "log-normal" else "heavy tails")[0]
        drive = intensity[-1] - threshold
        if construction == "two-source":  # some of the scatter is that of the intensity
            drive, error = drive + 1.5 * rng.standard_normal(), 0.7 * error
        size.append(max(2e-4 * 10 ** (slope * drive + error), 6e-6 * rng.uniform(1, 1.5)))
        intensity.append(intensity[-1] - (size[-1] > 2.4e-4) + (size[-1] < 1.6e-4))
    return intensity[:n], size


CHANGES = {"test": 0.0, "isi_0.001": 8.0, "isi_0.003": 15.0, "isi_0.01": -5.0}


@covers(
    "threshold_tracking",
    "threshold_tracking_mean",
    order=("parallel", "serial"),
    construction=("log-normal", "two-source"),
    n=(20,),
)
def tracked_thresholds(rng, order, construction, n, name):
    place = rng.uniform(45, 60)
    slope, parts = rng.uniform(0.08, 0.15), []
    for number, (condition, change) in enumerate(CHANGES.items()):
        intensity, size = _track(rng, n, place * (1 + change / 100), slope, 0.3, construction)
        turn = np.arange(n) * len(CHANGES) + number if order == "parallel" else number * n + np.arange(n)
        interval = float(condition.removeprefix("isi_")) if change else np.nan
        parts.append(
            pd.DataFrame(
                {
                    "trial": turn,
                    "condition": condition,
                    "inter_stimulus_interval": interval,
                    "intensity": intensity,
                    "mep_amplitude": size,
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    if name == "threshold_tracking_mean":
        return measures.threshold_tracking_mean(table), 11.5
    return measures.threshold_tracking(table), {key: change for key, change in CHANGES.items() if change}


def _recruited(rng, construction, n):
    """Seven intensities, ``n`` pulses each: sizes whose median grows with intensity, and the intensity of 1 mV."""
    place = rng.uniform(45, 65)
    intensity = np.repeat(np.round(place + np.arange(-9, 10, 3)), n)
    drive = intensity - place
    if construction == "log-linear":
        return place, intensity, 1e-3 * 10 ** (0.07 * drive + 0.25 * rng.standard_normal(drive.size))
    drive = drive + 2.0 * rng.standard_normal(drive.size)
    curve = 2.0 / (1 + np.exp(-drive / 5))  # two sources of noise around a sigmoid, 1 mV in its middle
    return place, intensity, 1e-3 * curve * rng.lognormal(0, 0.3, drive.size)


@covers("intensity_for_target", construction=("log-linear", "two-source"), n=(2, 4, 8))
def recruited_responses(rng, construction, n):
    place, intensity, size = _recruited(rng, construction, n)
    return measures.intensity_for_target(pd.DataFrame({"intensity": intensity, "mep_amplitude": size})), place


@covers("resting_motor_threshold", construction=("log-linear", "two-source"), n=(8,))
def threshold_of_recruited_responses(rng, construction, n):
    """A half of the responses exceed the criterion where their median is the criterion."""
    place, intensity, size = _recruited(rng, construction, n)
    table = pd.DataFrame({"intensity": intensity, "mep_amplitude": 0.05 * size})
    found = measures.resting_motor_threshold(table)
    key = "resting_motor_threshold_regression"
    return {key: found[key]}, {key: place}


# ---- silent periods ----


@covers("silent_period_summary", errors=ERRORS, n=NUMBERS, outlasting=(0.15, 0.35))
def silences(rng, errors, n, outlasting):
    """Silent periods around 160 ms; the epoch ends where the given share is not over."""
    if (errors, outlasting) not in _ENDS:
        many = symmetric(np.random.default_rng(5), 1_000_000, 1.0, errors)
        _ENDS[errors, outlasting] = float(np.quantile(many, 1 - outlasting)) if outlasting else np.inf
    value = 0.16 + symmetric(rng, n, 0.02, errors)
    longest = 0.16 + 0.02 * _ENDS[errors, outlasting]
    over = value <= longest
    table = pd.DataFrame({"silent_period": np.where(over, value, np.nan), "flag": np.where(over, "", OUTLASTS)})
    truth = {
        "silent_period_censored_mean": 0.16,
        "silent_period_censored_median": 0.16 + 0.02 * MEDIAN_OF[errors],
        "silent_period_outlasting": outlasting,
    }
    return measures.silent_period_summary(table, longest=longest if outlasting else None), truth


_ENDS: dict[tuple[str, float], float] = {}


# ---- resampled averages (no registered measures, but the interval of many) ----

TIMES = np.arange(40) * 1e-3
WAVE = np.exp(-(((TIMES - 0.02) / 0.006) ** 2))


def _epochs(rng, scatter, n):
    noise = np.cumsum(rng.standard_normal((n, 1, TIMES.size)), axis=2)
    noise = 0.3 * (noise - noise.mean(axis=2, keepdims=True))
    return sizes(rng, scatter, n, 3.0, 0.5)[:, None, None] * WAVE + noise


def _swing(x, times):
    return {"mean": float(x[0, 14:27].mean()), "peak": float(x[0, 10:31].max())}


@covers("bootstrap_average", scatter=("log-normal", "gamma"), n=(*NUMBERS, 60))
def averages(rng, scatter, n):
    noise_free = _swing(3.0 * WAVE[None], TIMES)
    return bootstrap_average(_epochs(rng, scatter, n), TIMES, _swing, seed=int(rng.integers(1 << 30))), noise_free


@covers("bootstrap_epochs", scatter=("log-normal", "gamma"), n=(8, 30))
def epochs_left_out(rng, scatter, n):
    def spread(x, times):
        return {"mean": x[:, :, 20].mean(axis=0), "log_deviation": np.log(x[:, :, 20].std(axis=0, ddof=1))}

    noise = 0.3**2 * np.var(np.cumsum(NOISE, axis=1)[:, 20] - np.cumsum(NOISE, axis=1).mean(axis=1))
    deviation = np.sqrt((3.0 * 0.5) ** 2 + noise) if levels(scatter, 0.5) else np.nan
    truth = {"mean": 3.0 * WAVE[20], "log_deviation": np.log(deviation)}
    return bootstrap_epochs(_epochs(rng, scatter, n), TIMES, spread), truth


NOISE = np.random.default_rng(8).standard_normal((20_000, TIMES.size))
