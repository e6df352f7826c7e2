"""Conduction: latency differences, F waves, triple stimulation, M waves; known values come back and are covered."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.measures import (
    central_conduction,
    f_wave_latency,
    f_wave_latency_standard_error,
    latency_difference,
    m_max,
    m_wave_amplitude,
    m_wave_latency,
    normalised_amplitude,
    transcallosal_conduction,
    trial_mean,
    triple_stimulation,
)
from excitability.measures.central_conduction import peripheral_conduction_time
from excitability.measures.triple_stimulation import triple_stimulation_delays

RATE = 5000.0
TIME = "central_motor_conduction_time"
TIMES = np.arange(-600, 751) / RATE


def covered(estimate, truth):
    return estimate.ci_low <= truth <= estimate.ci_high


def blocks(**columns):
    """A trial table from one mapping of columns a condition."""
    return pd.concat([pd.DataFrame({"condition": name, **values}) for name, values in columns.items()])


def wave(onset, duration, size):
    return size / 2 * np.sin(2 * np.pi * np.clip((TIMES - np.reshape(onset, (-1, 1))) / duration, 0, 1))


def recording(trials, stimuli, channel="FDI"):
    """Trials one after another, two seconds apart, as a recording with its stimuli."""
    every = round(2 * RATE)
    data = np.zeros((1, every * (len(trials) + 1)))
    for i, trial in enumerate(trials):
        data[0, (i + 1) * every - 600 : (i + 1) * every - 600 + TIMES.size] = trial
    data += 4e-6 * np.random.default_rng(0).standard_normal(data.shape)
    raw = mne.io.RawArray(data, mne.create_info([channel], RATE, "emg"), verbose="ERROR")
    return ex.set_stimuli(raw, stimuli.assign(onset=(1 + np.arange(len(trials))) * every / RATE))


def value_of(result, measure, condition="all"):
    return result.query("measure == @measure and condition == @condition").iloc[0]


# latency differences -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("statistic", "n"), [("mean", 6), ("mean", 15), ("median", 15)])
def test_interval_of_a_latency_difference_covers(statistic, n):
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(400):
        table = blocks(
            LM={"mep_latency": rng.normal(0.0195, 2e-4, n)}, AP={"mep_latency": rng.normal(0.0232, 6e-4, n + 3)}
        )
        hits.append(covered(latency_difference(table, statistic=statistic)["AP"], 0.0037))
    assert 0.915 <= np.mean(hits) <= 0.985


def test_latency_differences_come_back_from_a_recording():
    rng = np.random.default_rng(2)
    truth = {"LM": 0.0200, "PA": 0.0213, "AP": 0.0237}
    directions = rng.permutation(np.repeat(list(truth), 12))
    onset = np.array([truth[word] for word in directions]) + rng.normal(0, 1.5e-4, 36)
    raw = recording(wave(onset, 0.012, 1e-3), pd.DataFrame({"current_direction": directions}))
    result = ex.run(raw, "i_wave_latency")
    for name in ("PA", "AP"):
        later = onset[directions == name].mean() - onset[directions == "LM"].mean()  # of these very trials
        row = value_of(result, "latency_difference", name)
        assert row["value"] == pytest.approx(later, abs=1e-4)
        assert row["ci_low"] < later < row["ci_high"]
        assert row["unit"] == "s"
        assert row["n_trials"] == 12
    assert value_of(result, "latency_difference_from_pa", "AP")["value"] == pytest.approx(0.0024, abs=2e-4)


def test_latency_differences_say_what_is_missing():
    nan = np.nan
    late = [0.023, nan, nan, 0.0231, 0.0229]
    table = blocks(LM={"mep_latency": [0.02] * 5}, AP={"mep_latency": late}, PA={"mep_latency": [nan] * 4})
    found = latency_difference(table)
    assert found["AP"].flag == "no_response"
    assert found["PA"].flag == "no_trials"
    assert np.isnan(found["PA"])
    assert latency_difference(table, test="PA")["AP"].flag == "no_test_trials"
    two = latency_difference(blocks(LM={"mep_latency": [0.02] * 5}, AP={"mep_latency": [0.023, 0.024]}))["AP"]
    assert two.flag == "few_trials"
    assert np.isnan(two.ci_low)
    assert np.isnan(latency_difference(table, statistic="minimum")["AP"].ci_low)
    with pytest.raises(ValueError, match="unknown statistic 'mode'"):
        latency_difference(table, statistic="mode")


# F and M waves -------------------------------------------------------------------------------------------------


def nerve_trials(rng, n=25):
    onset = rng.uniform(0.0264, 0.0290, n)
    size = 2e-4 * rng.lognormal(0, 0.4, n) * rng.choice([-1, 1], n)
    m_wave = wave(0.0033, 0.010, 12e-3) * rng.lognormal(0, 0.02, (n, 1))
    return m_wave + wave(onset, 0.008, 1.0) * size[:, None], onset


def test_m_waves_are_timed_and_measured_in_their_own_window():
    rng = np.random.default_rng(3)
    x, _ = nerve_trials(rng)
    x = x + 5e-6 * rng.standard_normal(x.shape)
    assert np.median(m_wave_latency(x, TIMES, window=(0.002, 0.015))) == pytest.approx(0.0033, abs=3e-4)
    assert np.median(m_wave_amplitude(x, TIMES)) == pytest.approx(12e-3, rel=0.02)


def test_central_conduction_by_the_f_waves_of_a_recording():
    rng = np.random.default_rng(4)
    nerve, onset = nerve_trials(rng)
    cortex = wave(rng.normal(0.0205, 2e-4, 10), 0.012, 2e-3)
    marked = [*onset, *[np.nan] * 10]
    stimuli = pd.DataFrame({"stimulus_type": ["nerve"] * 25 + ["tms"] * 10, "f_wave_marked": marked})
    raw = recording(np.vstack([nerve, cortex]), stimuli)
    row = value_of(ex.run(raw, "central_conduction_f_wave"), "central_motor_conduction_time")
    truth = 0.0205 - (onset.min() + 0.0033 - 0.001) / 2
    assert row["value"] == pytest.approx(truth, abs=4e-4)
    assert row["flag"].startswith("f_wave")
    assert "few_f_waves" not in row["flag"]


def test_few_f_waves_are_flagged_and_both_columns_are_needed():
    table = pd.DataFrame(
        {
            "stimulus_type": ["tms"] * 5 + ["nerve"] * 6,
            "mep_latency": [0.0205] * 11,
            "f_wave_marked": [np.nan] * 5 + [0.0264, 0.0270, 0.0271, np.nan, 0.0268, 0.0280],
            "m_wave_latency": [np.nan] * 5 + [0.0033] * 6,
        }
    )
    found = central_conduction(table, f_wave="f_wave_latency", m_wave="m_wave_latency")
    assert found["central_motor_conduction_time"] == pytest.approx(0.00615)  # Groppa 2012, figure 4
    assert found["central_motor_conduction_time"].flag == ("f_wave;few_f_waves;given_latency_without_error")
    assert found["f_wave_latency"] == pytest.approx(0.0264)
    assert found["f_wave_persistence"] == pytest.approx(5 / 6)
    assert found["f_wave_persistence"].ci_low < 5 / 6 < found["f_wave_persistence"].ci_high
    with pytest.raises(ValueError, match="f_wave_latency"):
        central_conduction(table.drop(columns="f_wave_marked"), f_wave="f_wave_latency", m_wave="m_wave_latency")
    with pytest.raises(ValueError, match="both columns"):
        central_conduction(table, f_wave="f_wave_latency")


def f_wave_recording(rng, n=24, persistence=0.85, tail=0.0, first=0.0264, noise=4e-6):
    """M waves with a slow afterwave, and F waves that are sums of a few motor units, others in every trial."""
    latency, units = np.full(n, np.nan), first + rng.exponential(0.0015, 30)
    size = 2e-4 * rng.lognormal(0, 0.4, 30) * rng.choice([-1, 1], 30)
    late = np.clip((TIMES - 0.010) / 0.040, 0, 1)
    x = (wave(0.0033, 0.010, 12e-3) - tail * np.sin(np.pi * late) ** 2) * rng.lognormal(0, 0.02, (n, 1))
    for k in np.flatnonzero(rng.random(n) < persistence):
        chosen = rng.choice(30, 1 + rng.poisson(1.2), replace=False)
        x[k] += np.sum([size[unit] * wave(units[unit], 0.006, 1.0)[0] for unit in chosen], axis=0)
        latency[k] = units[chosen].min()
    return x + noise * rng.standard_normal(x.shape), latency


@pytest.mark.parametrize("tail", [0.0, 1.2e-4])
def test_f_waves_are_found_on_the_tail_of_the_m_wave_and_nowhere_else(tail):
    x, truth = f_wave_recording(np.random.default_rng(20), n=60, persistence=0.6, tail=tail)
    found = f_wave_latency(x, TIMES)
    present = np.isfinite(truth)
    assert not np.isfinite(found[~present]).any()
    assert np.isfinite(found[present]).mean() > 0.95
    error = (found - truth)[present & np.isfinite(found)]
    assert np.nanmedian(np.abs(error)) < 4e-4
    assert np.quantile(np.abs(error), 0.9) < 1e-3


def test_central_conduction_by_f_waves_found_in_the_recording_is_covered():
    hits, peripheral = [], []
    for seed in range(14):
        rng = np.random.default_rng([21, seed])
        x, truth = f_wave_recording(rng, n=22, tail=1e-4)
        table = pd.DataFrame(
            {
                "stimulus_type": ["nerve"] * 22 + ["tms"] * 8,
                "mep_latency": [*[np.nan] * 22, *rng.normal(0.0205, 3e-4, 8)],
                "m_wave_latency": [*rng.normal(0.0033, 5e-5, 22), *[np.nan] * 8],
                "f_wave_latency": [*f_wave_latency(x, TIMES), *[np.nan] * 8],
                "f_wave_latency_standard_error": [*f_wave_latency_standard_error(x, TIMES), *[np.nan] * 8],
            }
        )
        found = central_conduction(table, f_wave="f_wave_latency", m_wave="m_wave_latency")
        pmct = (np.nanmin(truth) + 0.0033 - 0.001) / 2
        hits.append(covered(found["central_motor_conduction_time"], 0.0205 - pmct))
        peripheral.append(float(found["peripheral_conduction_time"]) - pmct)
    assert np.mean(hits) >= 0.85
    assert abs(np.median(peripheral)) < 2e-4


def ringing(seed, n=25, share=0.8, rate=5000.0, units=0.0, hum=0.0):
    """F waves of a simple sine on an M wave that rings for 20 ms and more; motor units at any time; hum."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(-0.1 * rate), round(0.15 * rate)) / rate
    later = np.clip(times - 0.003, 0, None)
    m_wave = 8e-3 * np.sin(2 * np.pi * later / 0.010) * np.exp(-later / 0.003)
    x = m_wave + 5e-6 * rng.standard_normal((n, times.size))
    truth = np.where(rng.random(n) < share, rng.uniform(0.027, 0.030, n), np.nan)
    for k in range(n):
        phase = np.clip((times - truth[k]) / 0.008, 0, 1)
        x[k] += np.nan_to_num(rng.uniform(0.9e-4, 2.4e-4) * np.sin(2 * np.pi * phase))
        for at in rng.uniform(-0.1, 0.14, 3):
            x[k] += units * np.sin(2 * np.pi * np.clip((times - at) / 0.005, 0, 1))
        x[k] += hum * np.sin(2 * np.pi * 50 * times + rng.uniform(0, 2 * np.pi))
    return x, times, truth


@pytest.mark.parametrize("rate", [5000.0, 10000.0])
def test_the_shortest_f_wave_is_not_the_end_of_an_m_wave_that_rings(rate):
    for seed in range(500, 504):
        x, times, truth = ringing([31, seed], rate=rate)
        found = f_wave_latency(x, times)
        assert np.array_equal(np.isfinite(found), np.isfinite(truth))  # persistence
        assert np.nanmin(found) == pytest.approx(np.nanmin(truth), abs=6e-4)
        error = np.abs(found - truth)[np.isfinite(truth)]
        assert np.quantile(error, 0.95) < 1e-3
        assert np.mean(error < 1.96 * f_wave_latency_standard_error(x, times)[np.isfinite(truth)]) > 0.9


@pytest.mark.parametrize("background", [{"units": 1e-4}, {"hum": 5e-5}, {}])
def test_what_goes_on_before_the_stimulus_is_no_f_wave(background):
    x, times, _ = ringing(41, n=50, share=0.0, **background)
    assert np.isfinite(f_wave_latency(x, times)).sum() <= 1


def test_f_waves_of_the_simulated_session_are_those_that_were_made():
    raw, truth = ex.simulate.session(["m1/central_conduction_f_wave"], seed=102)
    true = truth["measures"].set_index("measure")["value"]["f_wave_latency"]
    row = value_of(ex.run(raw, "central_conduction_f_wave"), "f_wave_latency")
    assert row["ci_low"] < true < row["ci_high"]
    assert row["value"] == pytest.approx(true, abs=1.2e-3)  # was 20 to 23 ms, the end of the M wave


def test_a_latency_has_one_interval_in_a_table():
    raw, _ = ex.simulate.session(["m1/central_conduction"], seed=300)
    result = ex.run(raw, "central_conduction")
    cortical, mean = value_of(result, "cortical_latency"), value_of(result, "mep_latency", "cortex")
    assert (cortical["ci_low"], cortical["ci_high"]) == pytest.approx((mean["ci_low"], mean["ci_high"]))
    table = cortex_and_root(mep_latency_standard_error=4e-4)
    wide, narrow = (central_conduction(each) for each in (table, cortex_and_root()))
    reach = [np.ptp([one.ci_low, one.ci_high]) / 2 for one in (wide[TIME], narrow[TIME])]
    assert reach[0] ** 2 - reach[1] ** 2 == pytest.approx(2 * (1.96 * 0.45 * 4e-4) ** 2, rel=1e-3)
    table["condition"] = table["stimulus_type"].map({"tms": "PA", "root": "LM"})
    difference = latency_difference(table)["PA"]
    assert (difference.ci_low, difference.ci_high) == pytest.approx((wide[TIME].ci_low, wide[TIME].ci_high))


def test_a_given_latency_brings_no_error_and_the_flag_says_so():
    found = central_conduction(cortex_and_root(), f_latency=0.0264, m_latency=0.0033)
    assert found[TIME].flag == "f_wave;given_latency_without_error"
    assert "given" not in central_conduction(cortex_and_root())[TIME].flag


@pytest.mark.parametrize("wrong", [21.0, -0.021])
def test_latencies_that_are_no_seconds_are_refused_everywhere(wrong):
    table = cortex_and_root(condition=["PA"] * 6 + ["LM"] * 6)
    table.loc[2, "mep_latency"] = wrong
    for summary in (trial_mean, latency_difference, central_conduction):
        with pytest.raises(ValueError, match=r"mep_latency = .*expected seconds"):
            summary(table, of="mep_latency")


def test_f_waves_of_a_recording_beside_the_responses_to_the_cortex():
    rng = np.random.default_rng(22)
    nerve, truth = f_wave_recording(rng, n=25)
    cortex = wave(rng.normal(0.0205, 2e-4, 10), 0.012, 2e-3)
    raw = recording(np.vstack([nerve, cortex]), pd.DataFrame({"stimulus_type": ["nerve"] * 25 + ["tms"] * 10}))
    result = ex.run(raw, "central_conduction_f_wave")
    row = value_of(result, "central_motor_conduction_time")
    expected = 0.0205 - (np.nanmin(truth) + 0.0033 - 0.001) / 2
    assert row["value"] == pytest.approx(expected, abs=5e-4)
    assert row["ci_low"] < expected < row["ci_high"]
    assert row["flag"] == "f_wave"
    persistence = value_of(result, "f_wave_persistence")
    assert persistence["value"] == pytest.approx(np.isfinite(truth).mean(), abs=0.05)
    assert persistence["n_trials"] == 25


def test_each_kind_of_stimulus_is_searched_on_its_own():
    rng = np.random.default_rng(23)
    root = wave(rng.normal(0.0135, 2e-4, 10), 0.012, 2e-3)
    cortex = wave(rng.normal(0.0205, 2e-4, 10), 0.014, 6e-4)
    both = pd.DataFrame({"stimulus_type": ["root"] * 10 + ["tms"] * 10})
    pooled = ex.trial_table(recording(np.vstack([root, cortex]), both), "central_conduction")
    alone = ex.trial_table(recording(np.vstack([root, cortex])[10:], both[10:]), "central_conduction")
    together = pooled["mep_latency"].to_numpy()[10:]
    assert np.abs(together - alone["mep_latency"].to_numpy()).max() < 1e-4  # other noise, nothing else


def test_published_example_of_the_f_wave_method():
    """Groppa 2012, figure 4: F 26.4, M 3.3 and cortical latency 20.5 ms."""
    assert peripheral_conduction_time(0.0264, 0.0033) == pytest.approx(0.01435)
    table = pd.DataFrame({"stimulus_type": ["tms"] * 5, "mep_latency": [0.0205] * 5})
    found = central_conduction(table, f_latency=0.0264, m_latency=0.0033)
    assert found["central_motor_conduction_time"] == pytest.approx(0.00615)


def cortex_and_root(**columns):
    rng = np.random.default_rng(24)
    latency = np.repeat([0.0205, 0.0143], 6) + 2e-4 * rng.standard_normal(12)
    return pd.DataFrame({"stimulus_type": ["tms"] * 6 + ["root"] * 6, "mep_latency": latency, **columns})


def test_only_single_pulses_over_the_cortex_are_cortical():
    alone = central_conduction(cortex_and_root())
    for other in (
        {"stimulus_type": ["movement"] * 6, "mep_latency": 0.3},
        {"stimulus_type": ["tms"] * 6, "mep_latency": 0.03, "pulse_count": 2},
        {"stimulus_type": ["root"] * 6, "mep_latency": 0.03, "inter_stimulus_interval": 0.002},
    ):
        mixed = central_conduction(pd.concat([cortex_and_root(), pd.DataFrame(other)]))
        assert {name: float(value) for name, value in mixed.items()} == alone
    unsaid = cortex_and_root()
    unsaid["stimulus_type"] = unsaid["stimulus_type"].replace("tms", np.nan)
    assert central_conduction(unsaid)["cortical_latency"] == alone["cortical_latency"]
    with pytest.raises(ValueError, match="unknown stimulus_type 'Root': did you mean 'root'"):
        central_conduction(cortex_and_root(stimulus_type=["tms"] * 6 + ["root"] * 3 + ["Root"] * 3))


def test_pairs_and_movements_are_no_condition_of_central_conduction():
    stimuli = pd.DataFrame(
        {
            "stimulus_type": ["tms", "tms", "movement", "root", "nerve"],
            "pulse_count": [1, 2, 1, 1, 1],
            "inter_stimulus_interval": [np.nan, 0.002, *[np.nan] * 3],
        }
    )
    table = ex.trial_table(recording(np.zeros((5, TIMES.size)), stimuli), "central_conduction")
    assert table["condition"].tolist() == ["cortex", "", "", "root", ""]


@pytest.mark.parametrize(
    "given",
    [
        {"f_latency": 26.4, "m_latency": 3.3},
        {"f_latency": -0.02, "m_latency": 0.0033},
        {"f_latency": 0.0033, "m_latency": 0.0264},
        {"f_latency": float("nan"), "m_latency": 0.0033},
    ],
)
def test_f_and_m_latencies_must_be_seconds_in_their_order(given):
    with pytest.raises(ValueError, match="must be seconds"):
        central_conduction(cortex_and_root(), **given)


@pytest.mark.parametrize(("f", "m"), [(26.4, 0.0033), (0.0264, 3.3), (-0.0264, 0.0033), (0.0033, 0.0264)])
def test_f_and_m_latencies_of_columns_too(f, m):
    nerve = pd.DataFrame({"stimulus_type": ["nerve"] * 12, "f_wave_latency": f, "m_wave_latency": m})
    with pytest.raises(ValueError, match="seconds"):
        central_conduction(pd.concat([cortex_and_root(), nerve]), f_wave="f_wave_latency", m_wave="m_wave_latency")
    with pytest.raises(ValueError, match=r"mep_latency = .*if that was milliseconds"):
        central_conduction(cortex_and_root().assign(mep_latency=20.5))


def test_exchanged_stimuli_and_rejected_trials_show():
    table = cortex_and_root(reject=["x", "x", *[""] * 9, "y"])
    found = central_conduction(table)
    assert {name: value.n_rejected for name, value in found.items()} == {
        "central_motor_conduction_time": 2, "peripheral_conduction_time": 1, "cortical_latency": 2,
    }  # fmt: skip
    swapped = table.assign(stimulus_type=table["stimulus_type"].map({"tms": "root", "root": "tms"}))
    assert "negative_conduction_time" in central_conduction(swapped)["central_motor_conduction_time"].flag
    assert "negative" not in found["central_motor_conduction_time"].flag


# triple stimulation --------------------------------------------------------------------------------------------


def test_triple_stimulation_is_covered():
    rng = np.random.default_rng(5)
    hits = []
    for n in (3, 5, 8):
        for _ in range(200):
            sizes = {"control": 12e-3, "cortex": 9.6e-3}
            table = blocks(**{k: {"m_wave_amplitude": v * rng.lognormal(0, 0.05, n)} for k, v in sizes.items()})
            hits.append(covered(triple_stimulation(table)["cortex"], 80.0))
    assert 0.93 <= np.mean(hits) <= 0.98


def test_triple_stimulation_of_a_recording():
    rng = np.random.default_rng(6)
    share = np.repeat([1.0, 0.7], 5) * rng.lognormal(0, 0.02, 10)
    stimuli = pd.DataFrame(
        {
            "stimulus_type": "nerve",
            "conditioning_type": ["nerve"] * 5 + ["tms"] * 5,
            "pulse_count": 3,
            "inter_stimulus_interval": [0.0184] * 5 + [0.0264] * 5,
        }
    )
    raw = recording(wave(0.0125, 0.012, 10e-3) * share[:, None], stimuli)
    row = value_of(ex.run(raw, "triple_stimulation"), "triple_stimulation", "cortex")
    assert row["value"] == pytest.approx(70, abs=3)
    assert (row["unit"], row["form"]) == ("%", "percent")
    assert row["ci_low"] < 70 < row["ci_high"]


def test_triple_stimulation_says_what_is_wrong():
    size = np.array([1e-3, 1.01e-3, 1.02e-3])
    big = blocks(control={"m_wave_amplitude": size}, cortex={"m_wave_amplitude": 2 * size})
    assert triple_stimulation(big)["cortex"].flag == "above_control"
    assert triple_stimulation(big, test="absent")["cortex"].flag == "no_test_trials"
    assert triple_stimulation_delays(0.0205, 0.0033, 0.0125) == pytest.approx((0.0172, 0.0092))
    with pytest.raises(ValueError, match="must be seconds"):
        triple_stimulation_delays(20.5, 3.3, 12.5)


# M_max ---------------------------------------------------------------------------------------------------------

GROWTH = {
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
    "late": lambda z: np.exp(-np.exp(-0.9 * z)),
    "none": np.ones_like,
}


@pytest.mark.parametrize("growth", GROWTH)
def test_m_max_is_covered_whatever_the_growth(growth):
    rng = np.random.default_rng(7)
    intensity = np.repeat(np.linspace(5, 50, 8), 3)
    mean = 9e-3 * GROWTH[growth]((intensity - 18) / 3)
    found = []
    for _ in range(60):
        size = mean * (1 + 0.03 * rng.standard_normal(24))
        found.append(m_max(pd.DataFrame({"intensity": intensity, "m_wave_amplitude": size})))
    assert np.mean([covered(each["m_max"], 9e-3) for each in found]) >= 0.87
    assert np.mean([each["m_max"] for each in found]) == pytest.approx(9e-3, rel=0.005)
    assert all(each["m_max_plateau_reached"] == 1 for each in found)


def test_m_max_knows_that_it_was_not_reached():
    intensity = np.repeat(np.linspace(5, 30, 8), 3)
    size = 9e-3 / (1 + np.exp(-(intensity - 28) / 4)) * (1 + 0.02 * np.random.default_rng(8).standard_normal(24))
    found = m_max(pd.DataFrame({"intensity": intensity, "m_wave_amplitude": size}))
    assert found["m_max_plateau_reached"] == 0
    assert found["m_max"].flag == "plateau_not_reached"
    assert np.isnan(found["m_max"].ci_low)


def test_the_largest_m_wave_is_larger():
    size = 9e-3 * (1 + 0.05 * np.random.default_rng(9).standard_normal(20))
    table = pd.DataFrame({"m_wave_amplitude": size})
    assert m_max(table)["m_max"].flag == "plateau_unknown"
    assert m_max(table, statistic="largest")["m_max"] == size.max()
    table["reject"] = "noise"
    assert m_max(table)["m_max"].flag == "no_m_wave_trials"


def test_responses_relative_to_m_max_from_a_recording():
    rng = np.random.default_rng(10)
    intensity = np.repeat([10.0, 20.0, 30.0, 40.0, 50.0], 3)
    direct = 10e-3 / (1 + np.exp(-(intensity - 18) / 3)) * (1 + 0.02 * rng.standard_normal(15))
    sizes = 1e-3 * rng.lognormal(-0.08, 0.4, 20)
    trials = np.vstack([wave(0.0035, 0.011, 1.0) * direct[:, None], wave(0.022, 0.012, 1.0) * sizes[:, None]])
    kinds = ["nerve"] * 15 + ["tms"] * 20
    raw = recording(trials, pd.DataFrame({"stimulus_type": kinds, "intensity": [*intensity, *[55.0] * 20]}))
    result = ex.run(raw, "m_max")
    row = value_of(result, "normalised_amplitude", "cortex")
    assert row["value"] == pytest.approx(100 * sizes.mean() / 10e-3, rel=0.03)
    assert (row["unit"], row["n_trials"]) == ("%", 20)
    assert value_of(result, "m_max")["value"] == pytest.approx(10e-3, rel=0.02)
    assert value_of(result, "m_max_plateau_reached")["value"] == 1


def test_percent_of_m_max_is_covered():
    rng = np.random.default_rng(11)
    hits = []
    for _ in range(300):
        table = blocks(
            m_wave={"m_wave_amplitude": 9e-3 * rng.lognormal(0, 0.03, 5), "mep_amplitude": 0.0},
            cortex={"m_wave_amplitude": 0.0, "mep_amplitude": 0.9e-3 * rng.lognormal(-0.125, 0.5, 20)},
        )
        hits.append(covered(normalised_amplitude(table)["cortex"], 10.0))
    assert 0.92 <= np.mean(hits) <= 0.98


def test_results_read_from_files_are_matched_though_their_labels_are_empty():
    row = {"participant": np.nan, "session": np.nan, "channel": "RFDI", "condition": "all", "form": "", "n_trials": 20}
    onset = {"measure": "ipsilateral_silent_period_onset", "protocol": "m1/ipsilateral_silent_period", "value": 0.035}
    mep = {"measure": "mep_latency", "protocol": "m1/mep", "value": 0.0215}
    table = pd.concat([pd.DataFrame([{**row, **own, "ci_low": np.nan, "ci_high": np.nan}]) for own in (onset, mep)])
    table["participant"] = [float("nan"), np.float64("nan")]  # two NaNs, as of two files
    assert transcallosal_conduction(table)["value"].round(4).tolist() == [0.0135]


def test_a_trial_of_unknown_intensity_is_left_out_of_m_max():
    rng = np.random.default_rng(25)
    intensity = np.repeat([10.0, 20, 30, 40, 50], 3)
    size = 9e-3 / (1 + np.exp(-(intensity - 20) / 3)) * rng.lognormal(0, 0.02, 15)
    table = pd.DataFrame({"intensity": intensity, "m_wave_amplitude": size})
    gap = table.assign(intensity=table["intensity"].where(np.arange(15) != 0))
    found = m_max(gap)
    assert found["m_max"] == pytest.approx(m_max(table)["m_max"], rel=0.01)
    assert found["m_max_plateau_reached"] == 1
    assert found["m_max"].flag == ""
    with pytest.raises(ValueError, match="unknown stimulus_type"):
        m_max(table.assign(stimulus_type="nerves"))
