"""Paired pulse: ratios at the noise floor, curves, SICF peaks, tracked thresholds, composites."""

from time import process_time

import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability import plots
from excitability.measures import (
    conditioned_ratio,
    ei_composite,
    paired_pulse_curve,
    sicf_intervals,
    sicf_peaks,
    threshold_tracking,
    threshold_tracking_mean,
    transcallosal_conduction,
    unconditioned_amplitude,
)
from excitability.measures.threshold_tracking import equivalent_ratio, equivalent_threshold_change

PAIRED = ["lcd", "lihi", "cbi", "dual_site", "sici_intensity_curve", "sici_intensity_curve_rmt", "paired_pulse_curve",
          "sicf_curve", "sicf_sum", "sai_n20", "threshold_tracking_icf", "threshold_tracking_sai"]  # fmt: skip


def log_normal(rng, n, cv):
    sigma = np.sqrt(np.log1p(cv**2))
    return np.exp(sigma * rng.standard_normal(n) - sigma**2 / 2)


def covered(estimate, truth):
    return estimate.ci_low <= truth <= estimate.ci_high


def in_noise(rng, size, noise):
    """Peak-to-peak of responses of a size in noise: highest minus lowest sample of what is recorded."""
    times = np.arange(175) / 5000
    shape = np.sin(2 * np.pi * (times - 0.008) / 0.010) * np.exp(-(((times - 0.013) / 0.005) ** 2))
    traces = size[:, None] * shape / np.ptp(shape) + noise * rng.standard_normal((size.size, times.size))
    return np.ptp(traces, axis=1)


def noisy_pair(rng, ratio, *, n=(15, 12), test=0.3e-3, noise=5e-6, cv=0.5):
    sizes = test * log_normal(rng, n[0], cv), test * ratio * log_normal(rng, n[1], cv)
    return pd.DataFrame(
        {
            "condition": ["test"] * n[0] + ["isi_0.002"] * n[1],
            "mep_amplitude": in_noise(rng, np.concatenate(sizes), noise),
            "background_emg": noise,
        }
    )


# the noise floor -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("aggregate", ["mean", "median", "geometric_mean"])
@pytest.mark.parametrize("ratio", [0.05, 0.1, 0.2])
def test_interval_covers_where_noise_hides_small_responses(aggregate, ratio):
    rng = np.random.default_rng(1)
    found = [conditioned_ratio(noisy_pair(rng, ratio), aggregate=aggregate) for _ in range(150)]
    assert np.mean([covered(one, ratio) for one in found]) >= 0.93
    if ratio == 0.05:
        assert np.mean(["conditioned_at_noise_floor" in one.flag for one in found]) > 0.9


def test_interval_covers_where_noise_hides_nothing_and_is_no_wider():
    rng = np.random.default_rng(2)
    tables = [noisy_pair(rng, 0.5, test=1e-3) for _ in range(150)]
    found = [conditioned_ratio(table) for table in tables]
    assert 0.91 <= np.mean([covered(one, 0.5) for one in found]) <= 0.985
    blind = [conditioned_ratio(table.drop(columns="background_emg")) for table in tables]
    width = np.log([one.ci_high / one.ci_low for one in found]) / np.log([one.ci_high / one.ci_low for one in blind])
    assert 1 <= width.mean() < 1.03


def test_flag_tells_how_many_conditioned_trials_hold_no_response():
    table = noisy_pair(np.random.default_rng(3), 0.6)
    rows = np.flatnonzero(table["condition"] != "test")
    table.loc[rows, "mep_amplitude"] = 2e-4
    table.loc[rows[:4], "mep_amplitude"] = 2e-5
    assert conditioned_ratio(table).flag == "conditioned_at_noise_floor_in_some"
    table.loc[rows[:8], "mep_amplitude"] = 2e-5
    assert conditioned_ratio(table).flag == "conditioned_at_noise_floor"


def test_signed_amplitudes_have_an_upper_limit_even_when_their_mean_is_negative():
    rng = np.random.default_rng(4)
    hits, below = [], 0
    for _ in range(500):
        sizes = np.r_[1e-3 * log_normal(rng, 15, 0.5), 2e-5 + 6e-5 * rng.standard_normal(12)]
        table = pd.DataFrame(
            {"condition": ["test"] * 15 + ["isi_0.1"] * 12, "mep_amplitude_corrected": sizes, "mep_probability": 1.0}
        )
        found = conditioned_ratio(table, of="mep_amplitude_corrected")
        hits.append(covered(found, 0.02))
        if np.isnan(found):
            below += 1
            assert found.flag == "non_positive"
            assert np.isnan(found.ci_high) or found.ci_low == 0 < found.ci_high
    assert below > 10
    assert 0.925 <= np.mean(hits) <= 0.985


# baselines -----------------------------------------------------------------------------------------------------


def test_sum_of_both_pulses_as_baseline():
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(200):
        parts = {"test": (15, 1.0), "second": (12, 0.5), "isi_0.0015": (12, 3.0)}
        table = pd.DataFrame(
            {
                "condition": np.repeat(list(parts), [n for n, _ in parts.values()]),
                "mep_amplitude": 1e-3 * np.concatenate([mean * log_normal(rng, n, 0.5) for n, mean in parts.values()]),
            }
        )
        found = conditioned_ratio(table, second="second")
        assert list(found) == ["isi_0.0015"]
        assert found["isi_0.0015"].flag == "baseline_is_sum"
        hits.append(covered(found["isi_0.0015"], 2.0))
    assert 0.915 <= np.mean(hits) <= 0.985
    means = table.groupby("condition")["mep_amplitude"].mean()
    assert found["isi_0.0015"] == pytest.approx(means["isi_0.0015"] / (means["test"] + means["second"]))
    with pytest.raises(ValueError, match="has a mean only"):
        conditioned_ratio(table, second="second", aggregate="median")


def test_test_response_outside_what_was_meant_is_flagged():
    rng = np.random.default_rng(6)
    table = pd.DataFrame({"condition": "test", "mep_amplitude": 0.2e-3 * log_normal(rng, 15, 0.4)})
    assert unconditioned_amplitude(table).flag == ""
    assert unconditioned_amplitude(table, usual=(0.5e-3, 1.5e-3)).flag == "test_smaller_than_usual"
    table["mep_amplitude"] *= 15
    assert unconditioned_amplitude(table, usual=(0.5e-3, 1.5e-3)).flag == "test_larger_than_usual"
    with pytest.raises(ValueError, match="smallest, largest"):
        unconditioned_amplitude(table, usual=(1.5e-3, 0.5e-3))


# curves --------------------------------------------------------------------------------------------------------


def curve_table(rng, levels, true, by, n=12, cv=0.5):
    return pd.DataFrame(
        {
            "condition": ["test"] * 2 * n + ["pair"] * n * len(levels),
            by: np.r_[np.full(2 * n, np.nan), np.repeat(levels, n)],
            "mep_amplitude": 1e-3
            * np.r_[np.ones(2 * n), np.repeat(true, n)]
            * log_normal(rng, n * (len(levels) + 2), cv),
        }
    )


def facilitation(isi, places, heights, widths):
    bumps = (h * np.exp(-(((isi - p) / w) ** 2)) for p, h, w in zip(places, heights, widths, strict=True))
    return 1 + sum(bumps)


def test_peaks_and_troughs_of_sicf_come_back_for_each_person():
    rng = np.random.default_rng(7)
    isi = np.round(np.arange(1.0, 5.0, 0.2) * 1e-3, 4)
    ratios, places, errors, naive = [], [], [], []
    for _ in range(14):
        where = np.array([0.00145, 0.00265, 0.0043]) + 8e-5 * rng.standard_normal(3)
        shape = where, (1.2, 0.9, 0.6), (3e-4,) * 3
        table = curve_table(rng, isi, facilitation(isi, *shape), "inter_stimulus_interval")
        peak, place = sicf_peaks(table), sicf_intervals(table)
        for number in (1, 2):
            top = float(facilitation(where[number - 1], *shape))
            ratios.append(covered(peak[f"sicf_peak_{number}_ratio"], top))
            places.append(covered(place[f"sicf_peak_{number}_interval"], where[number - 1]))
        errors.append(place["sicf_peak_1_interval"] - where[0])
        mean = table.groupby("inter_stimulus_interval")["mep_amplitude"].mean().loc[:0.0018]
        naive.append(mean.idxmax() - where[0])
    assert np.mean(ratios) >= 0.88
    assert np.mean(places) >= 0.92
    assert np.nanmean(np.abs(errors)) < 0.8 * np.mean(np.abs(naive))


def test_a_peak_that_is_not_there_has_no_interval():
    rng = np.random.default_rng(8)
    isi = np.round(np.arange(1.0, 5.0, 0.2) * 1e-3, 4)
    table = curve_table(rng, isi, np.ones(isi.size), "inter_stimulus_interval")
    unknown = [found for found in sicf_intervals(table).values() if "not_distinct" in found.flag]
    assert len(unknown) >= 3
    assert all(np.isnan(found) for found in unknown)
    few = curve_table(rng, [0.0014, 0.0027, 0.0043], [2, 1.5, 1.2], "inter_stimulus_interval")
    assert {found.flag for found in sicf_peaks(few).values()} == {"few_intervals"}
    alone = table[table["condition"] != "test"]
    assert {found.flag for found in sicf_peaks(alone).values()} == {"no_test_trials"}


def test_curve_over_the_conditioning_intensity_is_covered():
    rng = np.random.default_rng(9)
    levels, fine = np.linspace(28, 46, 6), np.linspace(28, 46, 300)
    hits = {"ratio_mean": [], "ratio_smallest": []}
    for _ in range(60):
        centre, depth = rng.uniform(35, 41), rng.uniform(0.5, 1.2)
        true = [np.exp(depth * (((x - centre) / 11) ** 2 - 1)) for x in (levels, fine)]
        found = paired_pulse_curve(
            curve_table(rng, levels, true[0], "conditioning_intensity"), by="conditioning_intensity"
        )
        hits["ratio_mean"].append(covered(found["ratio_mean"], np.exp(np.log(true[1]).mean())))
        hits["ratio_smallest"].append(covered(found["ratio_smallest"], true[1].min()))
    assert min(np.mean(part) for part in hits.values()) >= 0.88
    few = curve_table(rng, levels[:3], true[0][:3], "conditioning_intensity")
    assert {one.flag for one in paired_pulse_curve(few, by="conditioning_intensity").values()} == {"few_levels"}


# tracked thresholds --------------------------------------------------------------------------------------------


def staircase(rng, n, threshold, *, slope=0.1, spread=0.25, step=1.0, target=2e-4):
    intensity, sizes = [round(threshold) + float(rng.integers(-4, 5))], []
    for _ in range(n):
        sizes.append(target * 10 ** (slope * (intensity[-1] - threshold) + spread * rng.standard_normal()))
        intensity.append(intensity[-1] - step * (sizes[-1] > 1.2 * target) + step * (sizes[-1] < 0.8 * target))
    return np.array(intensity[:n]), np.array(sizes)


def tracked(rng, changes, *, n=30, parallel=True):
    parts = []
    for number, (name, change) in enumerate(changes.items()):
        intensity, size = staircase(rng, n, 50 * (1 + change / 100))
        order = number + len(changes) * np.arange(n) if parallel else number * n + np.arange(n)
        isi = float(name.removeprefix("isi_")) if name != "test" else np.nan
        parts.append(pd.DataFrame({"trial": order, "condition": name, "inter_stimulus_interval": isi,
                                   "intensity": intensity, "mep_amplitude": size}))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def test_thresholds_that_were_really_tracked_are_covered():
    rng = np.random.default_rng(10)
    changes = {"test": 0.0, "isi_0.001": 8.0, "isi_0.003": 14.0, "isi_0.01": -5.0}
    hits, means = [], []
    for _ in range(60):
        table = tracked(rng, changes)
        found = threshold_tracking(table)
        hits += [covered(found[name], change) for name, change in changes.items() if name != "test"]
        means.append(covered(threshold_tracking_mean(table), 11.0))
    assert np.mean(hits) >= 0.91
    assert np.mean(means) >= 0.88


def test_serial_tracking_is_said_and_order_of_rows_is_not_used():
    rng = np.random.default_rng(11)
    changes = {"test": 0.0, "isi_0.001": 8.0, "isi_0.003": 14.0}
    serial = tracked(rng, changes, parallel=False)
    assert threshold_tracking(serial)["isi_0.001"].flag == "serial_tracking"
    again = threshold_tracking(serial.sample(frac=1, random_state=1))["isi_0.001"]
    assert again.flag == "serial_tracking"
    assert again == threshold_tracking(serial)["isi_0.001"]
    assert threshold_tracking(tracked(rng, changes))["isi_0.001"].flag == ""
    one = serial[serial["condition"] != "isi_0.003"]
    assert threshold_tracking_mean(one).flag == "one_interval"
    assert threshold_tracking_mean(one[one["condition"] == "test"]).flag == "no_conditioned_trials"


def test_published_equivalents_of_tracked_and_amplitude_values():
    assert [equivalent_ratio(change) for change in (5, 10, 18)] == pytest.approx([0.527, 0.278, 0.100], abs=6e-4)
    found = [equivalent_threshold_change(ratio) for ratio in (0.5, 0.2)]
    assert found == pytest.approx([5.42, 12.58], abs=6e-3)
    with pytest.raises(ValueError, match="must be positive"):
        equivalent_threshold_change(0.0)


# two protocols -------------------------------------------------------------------------------------------------


def ratio_rows(protocol, condition, value, se, form="ratio", **more):
    log = np.log(value) + 1.96 * se * np.array([0, -1, 1])
    shown = {"ratio": np.exp(log), "log_ratio": log, "percent": 100 * np.exp(log),
             "percent_inhibition": 100 * (1 - np.exp(log[[0, 2, 1]]))}[form]  # fmt: skip
    row = {"participant": "01", "session": "pre", "channel": "FDI", "measure": "conditioned_ratio", "n_trials": 15}
    row |= {"protocol": protocol, "condition": condition, "form": form, "flag": "", "n_rejected": 0}
    return [{**row, **more, "value": shown[0], "ci_low": shown[1], "ci_high": shown[2]}]


@pytest.mark.parametrize("form", ["ratio", "log_ratio", "percent", "percent_inhibition"])
def test_composite_is_the_difference_of_log_ratios_in_every_form(form):
    rows = ratio_rows("m1/sici", "isi_0.002", 0.5, 0.15, form) + ratio_rows("m1/icf", "isi_0.01", 1.5, 0.2, form)
    found = ei_composite(pd.DataFrame(rows)).iloc[0]
    assert found["value"] == pytest.approx(np.log(3))
    assert found["ci_high"] - found["value"] == pytest.approx(1.96 * 0.25)
    assert (found["form"], found["flag"], found["participant"]) == ("log_ratio", "exploratory", "01")


def test_composite_covers_and_keeps_people_apart():
    rng = np.random.default_rng(12)
    rows = []
    for person in range(200):
        for protocol, condition, ratio in (("m1/sici", "isi_0.002", 0.5), ("m1/icf", "isi_0.01", 1.4)):
            sizes = np.r_[log_normal(rng, 15, 0.5), ratio * log_normal(rng, 15, 0.5)]
            found = conditioned_ratio(pd.DataFrame({"condition": ["test"] * 15 + ["c"] * 15, "mep_amplitude": sizes}))
            row = ratio_rows(protocol, condition, 1.0, 0.1, participant=f"{person:03d}")[0]
            rows.append({**row, "value": float(found), "ci_low": found.ci_low, "ci_high": found.ci_high})
    found = ei_composite(pd.DataFrame(rows))
    assert found["participant"].nunique() == len(found) == 200
    assert 0.925 <= np.mean((found["ci_low"] <= np.log(2.8)) & (found["ci_high"] >= np.log(2.8))) <= 0.985
    with pytest.raises(ValueError, match="unknown protocol of the results 'm1/sicf'"):
        ei_composite(pd.DataFrame(rows), facilitation="m1/sicf")


def test_composite_with_a_ratio_at_the_floor_has_no_upper_limit():
    rows = ratio_rows("m1/sici", "isi_0.002", 0.05, 0.3, flag="conditioned_at_noise_floor")
    rows[0]["ci_low"] = 0.0
    found = ei_composite(pd.DataFrame(rows + ratio_rows("m1/icf", "isi_0.01", 1.5, 0.2))).iloc[0]
    assert np.isnan(found["ci_high"])
    assert found["flag"] == "exploratory;conditioned_at_noise_floor"


def test_transcallosal_time_adds_the_uncertainty_of_both_latencies():
    row = {"participant": "01", "channel": "FDI", "condition": "all", "form": "", "n_trials": 20, "flag": ""}
    onset = {"protocol": "m1/ipsilateral_silent_period", "measure": "ipsilateral_silent_period_onset"}
    latency = {"protocol": "m1/mep", "measure": "mep_latency"}
    results = pd.DataFrame(
        [
            {**row, **onset, "value": 0.035, "ci_low": 0.032, "ci_high": 0.038},
            {**row, **latency, "value": 0.021, "ci_low": 0.017, "ci_high": 0.025},
        ]
    )
    found = transcallosal_conduction(results).iloc[0]
    assert (found["value"], found["ci_low"], found["ci_high"]) == pytest.approx((0.014, 0.009, 0.019))
    assert found["measure"] == "transcallosal_conduction_time"


# protocols and pictures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRED)
def test_paired_protocols_load_and_report_the_test_response_beside_the_ratio(name):
    protocol = ex.load_protocol(f"m1/{name}")
    if name.startswith("threshold_tracking"):
        assert {"threshold_tracking", "threshold_tracking_mean", "tracked_intensity"} <= set(protocol.summary)
    else:
        assert {"conditioned_ratio", "test_amplitude"} <= set(protocol.summary)


def trial_table(name, conditions, **columns):
    """A trial table as the protocol makes it, of given conditions (condition, number of trials, size)."""
    rng = np.random.default_rng(13)
    rows = [
        {"channel": "FDI", "condition": condition, "reject": "", "flag": "",
         "mep_amplitude": size * log_normal(rng, 1, 0.3)[0], "background_emg": 2e-6, "mep_probability": 1.0, **more}
        for condition, n, size, more in conditions for _ in range(n)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    table["mep_amplitude_corrected"] = table["mep_amplitude"]
    return ex.load_protocol(name).summarise(table)


def test_intensity_curve_and_sum_run_as_protocols():
    levels = [(f"cs_{level}", 12, size, {"conditioning_intensity": float(level)})
              for level, size in ((30, 0.9e-3), (34, 0.6e-3), (38, 0.4e-3), (42, 0.5e-3))]  # fmt: skip
    found = trial_table("m1/sici_intensity_curve", [("test", 24, 1e-3, {}), *levels]).set_index(
        ["measure", "condition"]
    )
    assert found.loc[("conditioned_ratio", "cs_38"), "value"] == pytest.approx(0.4, abs=0.1)
    assert found.loc[("curve_ratio_smallest", "all"), "value"] == pytest.approx(0.4, abs=0.12)
    assert found.loc[("curve_ratio_smallest", "all"), "form"] == "ratio"
    single = [("test", 15, 1e-3, {}), ("second", 15, 0.4e-3, {}), ("isi_0.0015", 15, 2.8e-3, {})]
    found = trial_table("m1/sicf_sum", single)
    found = found[found["measure"] == "conditioned_ratio"]
    assert found["condition"].tolist() == ["isi_0.0015"]
    assert found["value"].iloc[0] == pytest.approx(2.0, abs=0.4)


def test_picture_of_a_curve_shows_intervals_and_upper_limits():
    rows = [row for isi, ratio in ((0.001, 0.3), (0.002, 0.1), (0.01, 1.4))
            for row in ratio_rows("m1/paired_pulse_curve", f"isi_{isi:g}", ratio, 0.2)]  # fmt: skip
    rows[1]["flag"], rows[1]["ci_low"] = "conditioned_at_noise_floor", 0.0
    ax = plots.paired_pulse_curve(pd.DataFrame(rows)).axes[0]
    assert ax.get_xlabel() == "Inter-stimulus interval (ms)"
    assert [line.get_xdata().tolist() for line in ax.lines if line.get_markerfacecolor() == "white"] == [[2.0]]
    assert len(ax.collections[0].get_segments()) == 3
    several = pd.DataFrame(rows + [{**row, "participant": "02", "value": 1.2 * row["value"]} for row in rows])
    assert plots.paired_pulse_curve(several, by="participant").axes[0].get_yscale() == "log"
    with pytest.raises(ValueError, match="several of 'channel'"):
        plots.paired_pulse_curve(pd.DataFrame(rows + [{**row, "channel": "ECR"} for row in rows]))
    with pytest.raises(ValueError, match=r"isi_0\.0025"):
        plots.paired_pulse_curve(pd.DataFrame(rows).assign(condition="test"))


def level_table(n_levels=6, n=12, sd=0.3, seed=60):
    rng = np.random.default_rng(seed)
    level = np.repeat([np.nan, *np.linspace(0.001, 0.006, n_levels)], n)
    size = 1e-3 * np.where(np.isnan(level), 1.0, 0.5) * np.exp(sd * rng.standard_normal(level.size))
    return pd.DataFrame(
        {
            "condition": np.where(np.isnan(level), "test", "pair"),
            "inter_stimulus_interval": level,
            "mep_amplitude": size,
        }
    )


@pytest.mark.parametrize("row", [0, 15])
def test_one_trial_without_size_does_not_remove_its_level(row):
    table = level_table()
    plain = paired_pulse_curve(table)
    table.loc[row, "mep_amplitude"] = 0.0
    found = paired_pulse_curve(table)
    for name, value in found.items():
        assert value == pytest.approx(plain[name], rel=0.15)
        assert value.flag == ""


def test_levels_that_cannot_be_used_are_said():
    table = level_table()
    table.loc[12:23, "mep_amplitude"] = 0.0
    assert paired_pulse_curve(table)["ratio_mean"].flag == "levels_left_out"
    table.loc[:11, "mep_amplitude"] = 0.0
    assert paired_pulse_curve(table)["ratio_mean"].flag == "non_positive"


@pytest.mark.parametrize("n_levels", [4, 12, 40])
def test_identical_amplitudes_have_a_curve(n_levels):
    found = paired_pulse_curve(level_table(n_levels, n=4, sd=0.0))
    assert found["ratio_mean"] == pytest.approx(0.5, rel=1e-3)


def test_a_long_curve_takes_no_time_for_threads():
    table = level_table(40)
    paired_pulse_curve(table)
    start = process_time()
    paired_pulse_curve(table)
    assert process_time() - start < 1.0  # 5 s of waiting on two threads
