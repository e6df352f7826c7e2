"""A study that could have been: result tables with known truth for the tests of figures and report."""

from __future__ import annotations

import numpy as np
import pandas as pd

SHA = "7c9e2f0a5b1d4e3f8a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b"

# protocol, measure, condition, unit, form, typical value, spread between people (log, or SI), change in patients
_ROWS = (
    ("m1/resting_motor_threshold", "resting_motor_threshold", "all", "%MSO", "", 47.0, 7.0, -0.8),
    ("m1/recruitment_curve", "s50", "all", "%MSO", "", 60.0, 6.0, -1.5),
    ("m1/recruitment_curve", "recruitment_threshold", "all", "%MSO", "", 48.0, 6.0, -1.2),
    ("m1/recruitment_curve", "mep_max", "all", "V", "", 2.6e-3, 0.45, 0.22),
    ("m1/sici", "conditioned_ratio", "isi_0.002", "1", "ratio", 0.42, 0.40, 0.38),
    ("m1/sici", "conditioned_ratio", "isi_0.003", "1", "ratio", 0.50, 0.38, 0.33),
    ("m1/sici", "mep_amplitude", "test", "V", "", 1.0e-3, 0.25, 0.05),
    ("m1/icf", "conditioned_ratio", "isi_0.01", "1", "ratio", 1.35, 0.25, 0.10),
    ("m1/icf", "conditioned_ratio", "isi_0.015", "1", "ratio", 1.45, 0.28, 0.08),
    ("m1/icf", "mep_amplitude", "test", "V", "", 1.0e-3, 0.25, 0.04),
    ("m1/sicf", "conditioned_ratio", "isi_0.0014", "1", "ratio", 2.10, 0.30, 0.12),
    ("m1/sicf", "conditioned_ratio", "isi_0.0027", "1", "ratio", 1.70, 0.30, 0.10),
    ("m1/sicf", "conditioned_ratio", "isi_0.0043", "1", "ratio", 1.30, 0.25, 0.05),
    ("m1/lici", "conditioned_ratio", "isi_0.1", "1", "ratio", 0.18, 0.60, 0.70),
    ("m1/cortical_silent_period", "silent_period", "all", "s", "", 0.150, 0.030, -0.006),
)
_TEP = (
    ("dlpfc/tep", "p60_amplitude", "all", "V", "", 2.8e-6, 0.9e-6, 0.2e-6),
    ("dlpfc/tep", "n100_amplitude", "all", "V", "", -4.8e-6, 1.5e-6, 0.5e-6),
    ("dlpfc/tep", "n100_latency", "all", "s", "", 0.108, 0.008, 0.001),
    ("dlpfc/tep", "gmfa_area", "all", "V*s", "", 2.2e-7, 0.25, -0.05),
)
_LOG = ("V", "V*s", "1")


def study_results(
    n: int = 12,
    timepoints: tuple[str, ...] = ("pre", "post0", "post30"),
    *,
    groups: tuple[str, ...] = ("patient", "control"),
    channels: tuple[str, ...] = ("FDI", "ES"),
    seed: int = 20,
) -> pd.DataFrame:
    """Result table of ``n`` participants, half in each group, with missing values, flags and a failure."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        group = groups[number % len(groups)]
        for place in (*((channel, _ROWS) for channel in channels), ("left DLPFC", _TEP)):
            channel, declared = place
            for protocol, measure, condition, unit, form, typical, spread, effect in declared:
                if channel == "ES" and protocol == "m1/sicf":
                    continue
                log = (unit in _LOG and protocol != "dlpfc/tep") or measure == "gmfa_area"
                size = typical * (0.09 if channel == "ES" and unit == "V" else 1.0)
                person = rng.normal(0, spread)
                for time in timepoints:
                    gain = {"pre": 0.0, "post0": 1.0, "post30": 0.5}.get(time, 0.7)
                    change = effect * gain * (group in ("patient", "")) + rng.normal(0, 0.3 * spread)
                    value = size * np.exp(person + change) if log else size + person + change
                    width = 0.18 if log else 0.25 * spread
                    low, high = (
                        (value * np.exp(-width), value * np.exp(width)) if log else (value - width, value + width)
                    )
                    rows.append({
                        "participant": f"{number + 1:02d}", "session": time, "protocol": protocol,
                        "channel": channel, "condition": condition, "measure": measure, "value": value,
                        "unit": unit, "form": form, "ci_low": low, "ci_high": high,
                        "n_trials": int(rng.integers(15, 21)), "n_rejected": int(rng.poisson(1.2)), "flag": "",
                        "protocol_sha256": "", "version": "0.1.0",
                        "error": "", "group": group, "timepoint": time,
                    })  # fmt: skip
    table = pd.DataFrame(rows)
    wide = table[table["measure"] == "s50"].set_index(["participant", "session", "channel"])["value"]
    low = table["measure"] == "recruitment_threshold"
    keys = pd.MultiIndex.from_frame(table.loc[low, ["participant", "session", "channel"]])
    table.loc[low, "value"] = wide.loc[keys].to_numpy() - 2 * rng.lognormal(np.log(5.5), 0.15, int(low.sum()))
    table["protocol_sha256"] = [SHA[: -len(name)] + name.encode().hex()[: len(name)] for name in table["protocol"]]
    return _spoil(table, timepoints)


def _spoil(table: pd.DataFrame, timepoints: tuple[str, ...]) -> pd.DataFrame:
    """What happens in every study: a silent period that never ends, a response lost in noise, a failed file."""
    if table["participant"].nunique() < 4:
        return table
    hit = (table["participant"] == "02") & (table["measure"] == "silent_period") & (table["channel"] == "FDI")
    table.loc[hit & (table["session"] == timepoints[1]), ["value", "ci_low", "ci_high"]] = np.nan
    table.loc[hit & (table["session"] == timepoints[1]), "flag"] = "no_silent_period"
    floor = (table["protocol"] == "m1/lici") & (table["value"] < 0.12)
    table.loc[floor, "flag"] = "conditioned_at_noise_floor"
    gone = (table["participant"] == "03") & (table["protocol"] == "m1/icf") & (table["session"] == timepoints[-1])
    failure = table[gone].iloc[:1].assign(
        channel="", condition="", measure="", unit="", form="", value=np.nan, ci_low=np.nan, ci_high=np.nan,
        n_trials=0, n_rejected=0,
        error=f"sub-03_ses-{timepoints[-1]}_task-icf_emg.edf: no pulses found; say stimuli='log.csv' <or a channel>",
    )  # fmt: skip
    return pd.concat([table[~gone], failure], ignore_index=True)


def study_trials(results: pd.DataFrame, *, seed: int = 21) -> pd.DataFrame:
    """Trial table of the recruitment curves of a study: five trials at each of nine intensities."""
    rng = np.random.default_rng(seed)
    rows = results[results["protocol"] == "m1/recruitment_curve"]
    index = ["participant", "session", "timepoint", "group", "channel"]
    fits = rows.pivot_table(index=index, columns="measure", values="value").reset_index()
    parts = []
    for fit in fits.itertuples():
        intensity = np.repeat(np.arange(36.0, 84, 5), 5)
        slope = max((fit.s50 - fit.recruitment_threshold) / 2, 2.0)
        size = fit.mep_max / (1 + np.exp((fit.s50 - intensity) / slope)) * rng.lognormal(0, 0.3, intensity.size)
        table = pd.DataFrame({"trial": np.arange(intensity.size), "intensity": intensity, "mep_amplitude": size + 8e-6})
        table["reject"] = np.where(rng.random(intensity.size) < 0.05, "background_emg", "")
        table["protocol"] = "m1/recruitment_curve"
        table["condition"] = "all"
        for name in index:
            table[name] = getattr(fit, name)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def mep_study(*, seed: int = 22) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Trials of one channel: test and four intervals, artefacts of both pulses, onsets and rejections."""
    rng = np.random.default_rng(seed)
    times = np.arange(-0.1, 0.2, 0.0002)
    conditions = {"test": 1.0, "isi_0.002": 0.4, "isi_0.003": 0.5, "isi_0.01": 1.3, "isi_0.015": 1.45}
    x, rows = [], []
    for condition, gain in conditions.items():
        interval = float(condition[4:]) if condition != "test" else np.nan
        for _ in range(20):
            latency = 0.0222 + rng.normal(0, 0.0004)
            phase = (times - latency) / 0.014
            inside = (phase > 0) & (phase < 1)
            size = gain * 1e-3 * rng.lognormal(0, 0.4)
            wave = np.where(inside, np.sin(2 * np.pi * phase) * np.sin(np.pi * phase), 0) * size * 0.6
            noisy = rng.random() < 0.06
            trial = wave + rng.standard_normal(times.size) * (60e-6 if noisy else 5e-6)
            for when in (0.0, -interval):
                if np.isfinite(when):
                    trial += 4e-3 * np.exp(-np.clip(times - when, 0, None) / 0.0008) * (times >= when)
            x.append(trial)
            rows.append({
                "trial": len(rows), "channel": "FDI", "condition": condition, "inter_stimulus_interval": interval,
                "mep_latency": np.nan if noisy else latency, "mep_amplitude": size,
                "reject": "background_emg" if noisy else "",
            })  # fmt: skip
    return np.array(x), times, pd.DataFrame(rows)


def tep_average(*, seed: int = 23):
    """An average TEP over the DLPFC: data, times, info and the latencies of its peaks."""
    import mne

    rng = np.random.default_rng(seed)
    montage = mne.channels.make_standard_montage("colin27_1020")
    names = [name for name in montage.ch_names if name not in ("T3", "T4", "T5", "T6", "A1", "A2", "M1", "M2")][:60]
    info = mne.create_info(names, 1000.0, "eeg")
    info.set_montage(montage)
    position = np.array([channel["loc"][:3] for channel in info["chs"]])
    times = np.arange(-0.1, 0.4, 0.001)
    peaks = {"N15": 0.015, "P30": 0.031, "N45": 0.046, "P60": 0.062, "N100": 0.108, "P200": 0.19}
    x = 2.5e-7 * rng.standard_normal((len(names), times.size))
    centres = {"N15": (-0.04, 0.05), "P30": (-0.05, 0.03), "N45": (-0.04, 0.06), "P60": (-0.03, 0.0),
               "N100": (-0.01, 0.05), "P200": (0.0, 0.0)}  # fmt: skip
    sizes = dict(zip(peaks, (-2e-6, 2.5e-6, -3e-6, 3.5e-6, -6e-6, 4.5e-6), strict=True))
    for name, when in peaks.items():
        distance = np.linalg.norm(position[:, :2] - np.array(centres[name]), axis=1)
        field = np.exp(-((distance / 0.05) ** 2)) - 0.35
        width = 0.003 + 0.15 * when
        x += sizes[name] * field[:, None] * np.exp(-(((times - when) / width) ** 2))
    x[:, (times >= -0.001) & (times <= 0.006)] = 0
    return x, times, info, peaks
