"""Rows that summary measures may see: pairs, rejected rows, numbers, intervals as they were set, one muscle a table."""

import io

import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.measures import (
    active_motor_threshold,
    change_in_baseline_deviations,
    conditioned_ratio,
    intensity_for_target,
    latency_difference,
    laterality_index,
    normalised_amplitude,
    paired_pulse_curve,
    recruitment_curve,
    resting_motor_threshold,
    triple_stimulation,
)
from excitability.measures._intervals import nominal_intervals
from excitability.measures._tables import check_table, intensities, is_kept, is_paired, numbers
from excitability.measures._thresholds import METHODS


def pairs(seed=0):
    """Fifteen test pulses, and fifteen pairs of half their size."""
    rng = np.random.default_rng(seed)
    size = 1e-3 * np.repeat([1, 0.5], 15) * rng.lognormal(0, 0.4, 30)
    return pd.DataFrame({"condition": ["test"] * 15 + ["isi_0.002"] * 15, "mep_amplitude": size})


def without_condition():
    """The same, told by pulses and intervals."""
    interval = [np.nan] * 15 + [0.002] * 15
    return pairs().drop(columns="condition").assign(pulse_count=[1] * 15 + [2] * 15, inter_stimulus_interval=interval)


def staircase(seed=1):
    """Ten pulses at each of eleven intensities about a threshold of 50 %MSO."""
    level = np.repeat(np.arange(40.0, 61, 2), 10)
    responds = np.random.default_rng(seed).random(level.size) < 1 / (1 + np.exp((50 - level) / 2))
    return pd.DataFrame({"intensity": level, "mep_amplitude": np.where(responds, 2e-4, 2e-5)})


def conditioned(table):
    """The same trials once more as pairs that inhibit every response; nothing counts the pulses."""
    return table.assign(inter_stimulus_interval=0.0025, mep_amplitude=2e-5)


# ------------------------------------------------------------------------------------------------- single and paired


@pytest.mark.parametrize("measure", [resting_motor_threshold, recruitment_curve, intensity_for_target])
def test_pairs_that_only_an_interval_tells_reach_no_threshold_and_no_curve(measure):
    table = staircase()
    alone, mixed = measure(table), measure(pd.concat([table, conditioned(table)], ignore_index=True))
    alone, mixed = (found if isinstance(found, dict) else {"": found} for found in (alone, mixed))
    assert {key: float(one) for key, one in mixed.items()} == pytest.approx(
        {key: float(one) for key, one in alone.items()}, nan_ok=True
    )
    assert next(iter(mixed.values())).n == len(table)


def test_the_pulse_count_decides_where_it_is_known_and_an_interval_of_0_is_none():
    interval = [np.nan, np.nan, 0.003, 0, -0.003, 0.003]
    table = pd.DataFrame({"pulse_count": [1, 2, np.nan, np.nan, np.nan, 1], "inter_stimulus_interval": interval})
    assert is_paired(table).tolist() == [False, True, True, False, True, False]


def test_laterality_leaves_pairs_out():
    table = pd.DataFrame({"channel": "MF_right", "hemisphere": ["left"] * 9 + ["right"] * 9, "pulse_count": 1})
    table["mep_area"] = np.repeat([3e-6, 1e-6], 9) * np.random.default_rng(2).lognormal(0, 0.3, 18)
    more = pd.concat([table, table.assign(pulse_count=2, mep_area=9e-6)], ignore_index=True)
    assert laterality_index(more) == pytest.approx(laterality_index(table))


@pytest.mark.parametrize("interval", [0.0, -0.003, np.nan])
def test_a_pair_without_an_interval_is_no_test_trial(interval):
    table = without_condition()
    odd = pd.concat([table, table[15:].assign(inter_stimulus_interval=interval)], ignore_index=True)
    with pytest.raises(ValueError, match=r"row 30 .* is a pair with an inter_stimulus_interval"):
        conditioned_ratio(odd)
    rejected = odd.assign(reject=[""] * 30 + ["doubtful"] * 15)
    assert conditioned_ratio(rejected) == pytest.approx(conditioned_ratio(table))


def test_an_unknown_pulse_count_is_told_by_the_interval():
    table = without_condition()
    assert conditioned_ratio(table.assign(pulse_count=np.nan)) == pytest.approx(conditioned_ratio(table))


# ------------------------------------------------------------------------------------------------- rejected, numbers


@pytest.mark.parametrize("kept", [False, "", "n/a", "False", None, np.nan, 0.0])
def test_a_rejection_that_is_none_keeps_the_trial(kept):
    table = pd.DataFrame({"reject": [kept] * 3})
    assert is_kept(table).all()


def test_rejected_trials_are_those_with_a_reason_or_true():
    assert not is_kept(pd.DataFrame({"reject": ["background", True, 1, "yes"]})).any()
    assert conditioned_ratio(pairs().assign(reject=False)).n == 15


@pytest.mark.parametrize("dtype", [object, "str", "string"])
def test_a_word_among_numbers_is_an_error_whatever_the_type_of_the_column(dtype):
    with pytest.raises(ValueError, match=r"'mep_amplitude' .* holds '0,85' in row 1"):
        numbers(pd.DataFrame({"mep_amplitude": pd.Series(["0.1", "0,85", "n/a"], dtype=dtype)}), "mep_amplitude")
    table = pd.DataFrame({"mep_amplitude": pd.Series(["0.1", "n/a", "", None], dtype=dtype)})
    assert np.isnan(numbers(table, "mep_amplitude")).tolist() == [False, True, True, True]


def test_a_decimal_comma_in_a_file_is_no_missing_trial():
    text = "condition\tmep_amplitude\n" + "\n".join(
        f"{row.condition}\t{'0,85' if at < 5 else row.mep_amplitude}" for at, row in enumerate(pairs().itertuples())
    )
    with pytest.raises(ValueError, match="0,85"):
        conditioned_ratio(pd.read_csv(io.StringIO(text), sep="\t"))


@pytest.mark.parametrize(
    "measure",
    [latency_difference, triple_stimulation, change_in_baseline_deviations, normalised_amplitude],
)
def test_trials_that_nothing_tells_apart_are_an_error_in_words(measure):
    table = pairs().drop(columns="condition").assign(mep_latency=0.02, m_wave_amplitude=8e-3)
    with pytest.raises(ValueError, match="no column 'condition'"):
        measure(table)


# ---------------------------------------------------------------------------------------------------- one muscle


@pytest.mark.parametrize("name", ["channel", "participant"])
@pytest.mark.parametrize(
    ("measure", "table"),
    [(conditioned_ratio, pairs()), (resting_motor_threshold, staircase()), (recruitment_curve, staircase())],
)
def test_channels_and_people_are_not_pooled(measure, table, name):
    mixed = table.assign(**{name: np.where(np.arange(len(table)) % 2, "one", "two")})
    with pytest.raises(ValueError, match=f"holds several {name}s .two, one.; give the rows of one"):
        measure(mixed)
    measure(table.assign(**{name: "one"}))


def test_every_summary_measure_refuses_two_muscles():
    table = pairs().assign(channel=["FDI", "APB"] * 15)
    for name in ex.measures.list_measures("summary"):
        measure = ex.measures.get_measure(name)
        tables = (table, table) if measure.over == "pairs" else (table,)
        with pytest.raises(ValueError, match="several channels"):
            measure.function(*tables)


def test_two_columns_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="two columns 'condition'"):
        conditioned_ratio(pd.concat([pairs(), pairs()], axis=1))
    check_table(pairs())


# ----------------------------------------------------------------------------------------------------- intensities


@pytest.mark.parametrize(
    ("by", "values", "message"),
    [
        ("intensity", [0.4, 0.6], "a share of 1"),
        ("intensity_rmt", [0.9, 1.4], "a share of 1"),
        ("intensity", [-5, 50], "holds -5 in row 0; expected 0 to 100 %MSO"),
        ("intensity", [50, 107], "holds 107 in row 1; expected 0 to 100 %MSO"),
        ("conditioning_intensity_rmt", [80, 500], "expected 0 to 400 %RMT"),
    ],
)
def test_intensities_that_cannot_be_meant_are_an_error(by, values, message):
    with pytest.raises(ValueError, match=message):
        intensities(pd.DataFrame({by: values}), by)


def test_intensities_of_another_unit_may_be_anything():
    assert intensities(pd.DataFrame({"electric_field": [0.4, -0.6]}), "electric_field").tolist() == [0.4, -0.6]
    assert intensities(pd.DataFrame({"intensity_rmt": [90, 140]}), "intensity_rmt").tolist() == [90, 140]


@pytest.mark.parametrize(
    "measure", [resting_motor_threshold, active_motor_threshold, recruitment_curve, intensity_for_target]
)
def test_shares_of_the_output_reach_no_threshold_and_no_curve(measure):
    with pytest.raises(ValueError, match="share of 1"):
        measure(staircase().assign(intensity=lambda table: table["intensity"] / 100))


def test_the_stimulator_ends_at_its_own_100_percent_only():
    absent = pd.DataFrame({"intensity": np.repeat([80.0, 90, 100], 10), "mep_amplitude": 1e-5})
    told = resting_motor_threshold(absent)
    relative = resting_motor_threshold(absent.rename(columns={"intensity": "intensity_rmt"}), by="intensity_rmt")
    for method in METHODS[:4]:
        name = f"resting_motor_threshold_{method}"
        assert (told[name].flag, relative[name].flag) == ("ceiling", "above_tested_range")
        assert relative[name].ci_low == pytest.approx(told[name].ci_low)
    level = np.repeat([70.0, 80, 90, 100], 5)
    sizes = 1e-4 * 10 ** ((level - 70) / 20) * np.random.default_rng(3).lognormal(0, 0.05, 20)
    small = pd.DataFrame({"intensity_rmt": level, "mep_amplitude": sizes})
    far = intensity_for_target(small, by="intensity_rmt", target=5e-3)
    assert (np.isnan(far), far.flag) == (True, "above_tested_range")


# ------------------------------------------------------------------------------------------- intervals as they were set


@pytest.mark.parametrize("jitter", [1e-12, 5e-6, 20e-6])
@pytest.mark.parametrize("interval", [0.001, 0.0025, 0.00245, 0.003, 0.006, 0.01, 0.0213, 0.1])
def test_measured_intervals_are_the_setting_they_scatter_about(interval, jitter):
    rng = np.random.default_rng(4)
    measured = interval + rng.uniform(-jitter, jitter, 25)
    assert set(nominal_intervals(measured)) == {interval}


def test_samples_of_10_khz_do_not_split_long_intervals():
    assert nominal_intervals([0.0999, 0.1, 0.1001, 0.0099, 0.0101]).tolist() == [0.1, 0.1, 0.1, 0.01, 0.01]


def test_a_curve_in_fine_steps_keeps_its_steps():
    steps = np.round(np.arange(0.001, 0.0095, 0.0001), 4)
    assert nominal_intervals(steps).tolist() == steps.tolist()
    measured = np.repeat(steps, 6) + np.random.default_rng(5).uniform(-2e-5, 2e-5, 6 * steps.size)
    assert np.array_equal(nominal_intervals(measured), np.repeat(steps, 6))


def test_unknown_and_zero_intervals_stay():
    found = nominal_intervals([np.nan, 0.0, -1e-6, -0.002])
    assert np.isnan(found[0])
    assert [f"{value:g}" for value in found[1:]] == ["0", "0", "-0.002"]


def measured_session(change):
    """A SICI session whose intervals of 2 ms were changed, as measured intervals are."""
    raw, _ = ex.simulate.session(["m1/sici"], seed=1)
    table = pd.DataFrame(raw.annotations.extras).assign(onset=raw.annotations.onset)
    pair = np.isclose(table["inter_stimulus_interval"], 0.002)
    table.loc[pair, "inter_stimulus_interval"] = change(int(pair.sum()))
    return ex.trial_table(ex.set_stimuli(raw.copy(), table), "sici", picks=["FDI"])[
        "condition"
    ].value_counts(), pair.sum()


@pytest.mark.parametrize(
    ("change", "label"),
    [
        (lambda n: 10.001 - 10.0, "isi_0.001"),
        (lambda n: 0.001 + np.random.default_rng(6).uniform(-2e-5, 2e-5, n), "isi_0.001"),
        (lambda n: 0.006 + np.random.default_rng(7).uniform(-2e-5, 2e-5, n), "isi_0.006"),
        (lambda n: 0.00245 + np.random.default_rng(8).uniform(-2e-5, 2e-5, n), "isi_0.00245"),
    ],
)
def test_bounds_and_labels_of_conditions_see_the_same_interval(change, label):
    counts, n = measured_session(change)
    assert counts[label] == n
    assert "" not in counts


def test_a_curve_over_measured_intervals_has_one_level_a_setting():
    rng = np.random.default_rng(9)
    interval = np.r_[[np.nan] * 20, np.repeat([0.002, 0.00245, 0.003, 0.01], 12)]
    table = pd.DataFrame({"inter_stimulus_interval": interval + rng.uniform(-2e-5, 2e-5, interval.size)})
    table["mep_amplitude"] = 1e-3 * np.where(np.isnan(interval), 1.0, 0.5) * rng.lognormal(0, 0.3, interval.size)
    exact = table.assign(inter_stimulus_interval=interval)
    assert set(conditioned_ratio(table)) == {"isi_0.002", "isi_0.00245", "isi_0.003", "isi_0.01"}
    found, wanted = paired_pulse_curve(table), paired_pulse_curve(exact)
    assert {key: float(one) for key, one in found.items()} == pytest.approx(
        {key: float(one) for key, one in wanted.items()}, nan_ok=True
    )
