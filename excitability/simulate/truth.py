"""What every measure of a session should be, in the words of the result table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..schema import isi_label
from .expected import (
    RATIO_KINDS,
    is_ipsilateral,
    kind_of,
    mean_latencies,
    mean_responses,
    ratio_of,
)
from .physiology import TRACKED_SIZE
from .stimuli import F_WAVES, HIDDEN

_SICF_WINDOWS = {
    "peak_1": (0.0010, 0.0018),
    "trough_1": (0.0016, 0.0024),
    "peak_2": (0.0023, 0.0031),
    "trough_2": (0.0030, 0.0040),
    "peak_3": (0.0039, 0.0049),
}
_SEARCH_WINDOW = 0.055  # s; the normalised area of the ipsilateral silent period relates to it
_ACTIVE_SITE = 0.1  # share of the largest response


def true_measures(stimuli, models):
    """What every measure of a session should be: one row a protocol, channel, condition and measure.

    Parameters
    ----------
    stimuli : DataFrame
        As :func:`excitability.simulate.stimuli.protocol_stimuli` gives them.
    models : mapping of str to Physiology
        By channel.

    Returns
    -------
    DataFrame
        Columns ``protocol, channel, condition, measure, value`` (SI units).
    """
    rows = []
    for protocol, table in stimuli.groupby("protocol", sort=False):
        table = table.reset_index(drop=True)
        for channel, model in models.items():
            rows += [(protocol, channel, *row) for row in measures_of(kind_of(protocol), table, model)]
        if len(models) > 1 and kind_of(protocol) in _PAIRS:
            rows += [(protocol, *row) for row in _PAIRS[kind_of(protocol)](table, models)]
    return pd.DataFrame(rows, columns=["protocol", "channel", "condition", "measure", "value"])


def measures_of(kind, stimuli, model):
    """Condition, measure and value of one protocol in one channel."""
    if kind.startswith("threshold_tracking"):
        return _tracking(kind, stimuli, model)
    if kind in RATIO_KINDS:
        return _paired(kind, stimuli, model)
    return _KINDS.get(kind, _single)(stimuli, model)


def _single(stimuli, model):
    first, last = mean_responses(stimuli, model)
    rows = [("all", "mep_latency", model.latency), ("all", "mep_amplitude", np.where(last > 0, last, first).mean())]
    if model.contracting:
        rows.append(("all", "silent_period", model.silent_period))
    return rows


def _silent_period(stimuli, model):
    rows = _single(stimuli, model)
    return [rows[0], ("all", "silent_period", model.silent_period), rows[1]]


def _threshold(stimuli, model):
    return [("all", "resting_motor_threshold", model.motor_threshold)] if not model.contracting else []


def _active_threshold(stimuli, model):
    return [("all", "active_motor_threshold", model.active_motor_threshold)]


def _intensities(stimuli, model):
    sizes = {"intensity_for_1mv": 1e-3, "intensity_for_200uv": 200e-6}
    return [("all", name, model.intensity_for(size)) for name, size in sizes.items()]


def _curve(stimuli, model):
    levels = np.unique(stimuli["intensity"])
    area = np.trapezoid(model.mean_amplitude(levels), levels)
    return [
        ("all", "mep_latency", model.latency),
        ("all", "s50", model.s50),
        ("all", "recruitment_threshold", model.s50 - 2 * model.slope),
        ("all", "mep_max", model.mep_max),
        ("all", "peak_slope", model.mep_max / (4 * model.slope)),
        ("all", "area_under_curve", float(area)),
    ]


def _trunk_curve(stimuli, model):
    # of the area, whose size depends on the shape of the responses: only what is on the axis of intensity
    rows = [row for row in _curve(stimuli, model) if row[1] in ("s50", "recruitment_threshold")]
    return rows + _active_threshold(stimuli, model)


def _condition(kind, row):
    """Condition of a trial of a paired-pulse protocol, as its protocol names it; ``row`` a mapping."""
    if not row["inter_stimulus_interval"] > 0:
        second = kind == "sicf_sum" and row["intensity_rmt"] <= 105
        return "second" if second else "test"
    if kind == "sai_n20":
        return f"n20_{round(row['interval_after_n20'], 4):g}"
    if kind == "sici_intensity_curve":
        return f"cs_{row['conditioning_intensity']:g}"
    if kind.startswith("sici_intensity_curve_"):
        level = row["conditioning_intensity_" + kind.rsplit("_", 1)[-1]]
        return f"cs_{5 * round(level / 5):g}"
    label = isi_label(row["inter_stimulus_interval"])
    return f"{row['conditioning_target']}_{label}" if kind == "dual_site" else label


def _paired(kind, stimuli, model):
    first, last = mean_responses(stimuli, model)
    mean = np.where(last > 0, last, first)
    records = stimuli.to_dict("records")
    labels = np.array([_condition(kind, row) for row in records])
    alone = labels == "test"
    rows = [("test", "mep_latency", model.latency), ("test", "mep_amplitude", mean[alone].mean())]
    if kind not in ("sici", "icf", "sicf", "lici"):  # studies that are written hold these two rows and no more
        rows.append(("all", "test_amplitude", mean[alone].mean()))
    pairs = {label: records[int(np.argmax(labels == label))] for label in labels if label not in ("test", "second")}
    found = {}
    for label, row in sorted(pairs.items(), key=lambda item: _level_of(kind, item[1])):
        found[_level_of(kind, row)] = ratio_of(kind, row, model)
        rows.append((label, "conditioned_ratio", found[_level_of(kind, row)]))
        if kind.endswith("_trunk"):
            rows.append((label, "conditioned_ratio_matched", found[_level_of(kind, row)]))
        rows.append((label, "mep_amplitude", mean[labels == label].mean()))
    if kind.startswith("sici_intensity_curve"):
        rows += _along_curve(found, model)
    return rows + (_sicf_extremes(model) if kind == "sicf_curve" else [])


def _level_of(kind, row):
    if kind == "dual_site":
        return row["conditioning_target"], row["inter_stimulus_interval"]
    return row["conditioning_intensity" if kind.startswith("sici_intensity_curve") else "inter_stimulus_interval"]


def _along_curve(found, model):
    """Geometric mean and extremes of the smooth curve of the ratio over the conditioning intensity."""
    levels = np.linspace(min(found), max(found), 200)
    logs = [np.log(model.curve_ratio("sici_intensity_curve", 100 * s / model.motor_threshold)) for s in levels]
    mean = np.trapezoid(logs, levels) / (levels[-1] - levels[0])
    values = {"mean": mean, "smallest": min(logs), "largest": max(logs)}
    return [("all", f"curve_ratio_{name}", float(np.exp(value))) for name, value in values.items()]


def _sicf_extremes(model):
    """Peaks and troughs of facilitation over the interval: interval and ratio of each."""
    rows = []
    for name, (start, stop) in _SICF_WINDOWS.items():
        places = np.arange(start, stop + 1e-9, 1e-5)
        ratios = np.array([model.curve_ratio("sicf_curve", place) for place in places])
        at = int(ratios.argmax() if name.startswith("peak") else ratios.argmin())
        rows.append(("all", f"sicf_{name}_ratio", float(ratios[at])))
        rows.append(("all", f"sicf_{name}_interval", float(places[at])))
    return rows


def _tracking(kind, stimuli, model):
    intervals = np.sort(stimuli["inter_stimulus_interval"].dropna().unique())
    changes = [model.threshold_change(kind.removeprefix("threshold_tracking_"), interval) for interval in intervals]
    rows = [
        (isi_label(interval), "threshold_tracking", change) for interval, change in zip(intervals, changes, strict=True)
    ]
    at = model.intensity_for(TRACKED_SIZE)
    rows.append(("all", "threshold_tracking_mean", float(np.mean(changes))))
    rows.append(("test", "tracked_intensity", at))
    rows += [
        (isi_label(interval), "tracked_intensity", at * (1 + change / 100))
        for interval, change in zip(intervals, changes, strict=True)
    ]
    return rows


def _i_waves(stimuli, model):
    lags = {name: model.latency + lag for name, lag in model.current_lags.items()}
    rows = [(name, "mep_latency", latency) for name, latency in lags.items()]
    for measure, test in (("latency_difference", "LM"), ("latency_difference_from_pa", "PA")):
        rows += [(name, measure, latency - lags[test]) for name, latency in lags.items() if name != test]
    return rows


def _conduction(stimuli, model):
    peripheral, rows = model.root_latency, []
    if HIDDEN + "f_wave" in stimuli:  # the shortest of those that were recorded
        shortest = stimuli[HIDDEN + "f_wave"].min()
        peripheral = (shortest + model.m_wave_latency - 0.001) / 2
        rows = [("all", "f_wave_latency", shortest), ("all", "f_wave_persistence", F_WAVES)]
    return [
        ("all", "central_motor_conduction_time", model.latency - peripheral),
        ("all", "peripheral_conduction_time", peripheral),
        ("all", "cortical_latency", model.latency),
        *rows,
    ]


def _m_max(stimuli, model):
    cortical = stimuli[stimuli["stimulus_type"] == "tms"].reset_index(drop=True)
    size = float(mean_responses(cortical, model)[1].mean())
    return [
        ("all", "m_max", model.m_max),
        ("all", "m_max_plateau_reached", 1.0),
        ("cortex", "mep_amplitude", size),
        ("cortex", "normalised_amplitude", 100 * size / model.m_max),
    ]


def _triple(stimuli, model):
    return [("cortex", "triple_stimulation", 100 * model.reached)]


def _ipsilateral_silence(stimuli, model):
    if not is_ipsilateral(stimuli, model).all():
        return []
    name = "ipsilateral_silent_period"
    missing = model.ipsilateral_depth * model.ipsilateral_duration
    return [
        ("all", f"{name}_onset", model.ipsilateral_onset),
        ("all", f"{name}_duration", model.ipsilateral_duration),
        ("all", f"{name}_depth", model.ipsilateral_depth),
        ("all", f"{name}_normalised_area", missing / _SEARCH_WINDOW),
    ]


def _after_effects(stimuli, model):
    _, last = mean_responses(stimuli, model)
    means = pd.Series(last).groupby(stimuli["block"], sort=False).mean()
    before = means["pre"]
    after = means.drop("pre")
    rows = [("all", "plasticity_index", float(after.mean() / before))]
    for block, mean in zip(map(str, after.index), after, strict=True):
        rows.append((block, "after_effect", float(mean / before)))
        rows.append((block, "background_matched_ratio", float(mean / before)))
        rows.append((block, "change_in_baseline_deviations", float(np.log(mean / before) / model.variability)))
    return rows + [(block, "mep_amplitude", float(mean)) for block, mean in means.items()]


def _laterality(stimuli, model):
    latency = mean_latencies(stimuli, model)
    ratio = model.ipsilateral_ratio
    left = (stimuli["hemisphere"] == "left").to_numpy()
    return [
        ("all", "laterality_index", (1 - ratio) / (1 + ratio)),
        ("right_hemisphere", "latency_difference", float(latency[~left].mean() - latency[left].mean())),
    ]


def _sites(stimuli, model):
    """Positions (n, 2) and true mean responses (n,) of the sites of a map."""
    sites = stimuli[["coil_x", "coil_y", "intensity"]].drop_duplicates(["coil_x", "coil_y"])
    mean = model.mean_amplitude(sites["intensity"]) * model.map_factor(sites["coil_x"], sites["coil_y"])
    return sites[["coil_x", "coil_y"]].to_numpy(), np.asarray(mean)


def _centre(places, weights):
    return (places * weights[:, None]).sum(axis=0) / weights.sum()


def _map(stimuli, model):
    places, mean = _sites(stimuli, model)
    active = mean >= _ACTIVE_SITE * mean.max()
    weights = np.where(active, mean, 0.0)
    centre = _centre(places, weights)
    cell = float(np.diff(np.unique(places[:, 0].round(6))).min()) ** 2
    spread = np.sqrt((weights * ((places - centre) ** 2).sum(axis=1)).sum() / weights.sum())
    hotspot = places[int(mean.argmax())]
    values = {
        "centre_of_gravity_x": centre[0],
        "centre_of_gravity_y": centre[1],
        "map_area": active.sum() * cell,
        "map_volume": weights.sum() * cell,
        "map_normalised_volume": weights.sum() / mean.max(),
        "map_spread": spread,
        "hotspot_x": hotspot[0],
        "hotspot_y": hotspot[1],
        "map_peaks": 1.0,
        "map_active_share": active.mean(),
        "map_coverage": 1.0,
    }
    return [("all", name, float(value)) for name, value in values.items()]


def _trunk_map(stimuli, model):
    # of the area, whose size depends on the shape of the responses
    return [row for row in _map(stimuli, model) if row[1] != "map_volume"]


def _map_pairs(stimuli, models):
    rows = []
    names = list(models)
    for number, a in enumerate(names):
        for b in names[number + 1 :]:
            places, first = _sites(stimuli, models[a])
            _, second = _sites(stimuli, models[b])
            active = [mean >= _ACTIVE_SITE * mean.max() for mean in (first, second)]
            shared, either = (active[0] & active[1]).sum(), (active[0] | active[1]).sum()
            centres = [
                _centre(places, np.where(on, mean, 0.0)) for on, mean in zip(active, (first, second), strict=True)
            ]
            values = {
                "map_overlap_jaccard": shared / either,
                "map_overlap_dice": 2 * shared / (active[0].sum() + active[1].sum()),
                "centre_of_gravity_distance": np.linalg.norm(centres[0] - centres[1]),
            }
            rows += [(f"{a}+{b}", "all", name, float(value)) for name, value in values.items()]
    return rows


def _onset_pairs(stimuli, models):
    """Onset of every other muscle relative to each that leads (anterior deltoid)."""
    movers = [name for name, model in models.items() if model.muscle == "AD"]
    others = [name for name in models if name not in movers]
    names = list(models)
    return [
        ("+".join(sorted((mover, other), key=names.index)), "all", "muscle_onset_difference",
         models[other].voluntary_lag - models[mover].voluntary_lag)
        for mover in movers
        for other in others
    ]  # fmt: skip


def _movement(stimuli, model):
    if HIDDEN + "movement" not in stimuli:
        return []
    return [("movement", "voluntary_onset", float(stimuli[HIDDEN + "movement"].mean() + model.voluntary_lag))]


_KINDS = {
    "resting_motor_threshold": _threshold,
    "active_motor_threshold": _active_threshold,
    "active_motor_threshold_trunk": _active_threshold,
    "intensity_for_1mv": _intensities,
    "recruitment_curve": _curve,
    "recruitment_curve_trunk": _trunk_curve,
    "cortical_silent_period": _silent_period,
    "cortical_silent_period_trunk": _silent_period,
    "i_wave_latency": _i_waves,
    "central_conduction": _conduction,
    "central_conduction_f_wave": _conduction,
    "central_conduction_f_wave_foot": _conduction,
    "m_max": _m_max,
    "triple_stimulation": _triple,
    "ipsilateral_silent_period": _ipsilateral_silence,
    "plasticity": _after_effects,
    "trunk_laterality": _laterality,
    "motor_map": _map,
    "motor_map_trunk": _trunk_map,
    "anticipatory_activation": _movement,
}
_PAIRS = {"motor_map": _map_pairs, "motor_map_trunk": _map_pairs, "anticipatory_activation": _onset_pairs}
