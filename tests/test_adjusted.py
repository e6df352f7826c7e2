"""What a table from elsewhere may hold and what adjustment does: said in the sentence, or refused with what to type."""

import numpy as np
import pandas as pd
import pytest

from excitability.comparison import associate, compare, compare_groups, describe_design


def amplitudes(seed=3, n=10, change=0.26, more=0.0):
    """MEP amplitudes (V) of n patients and n controls, pre and post0; patients start exp(more) times as high."""
    rng = np.random.default_rng(seed)
    rows = []
    for group, gain, start in (("patient", change, more), ("control", 0.0, 0.0)):
        for i in range(n):
            own, pain = rng.normal(start, 0.4), rng.uniform(2, 6) if group == "patient" else 0.0
            age = rng.uniform(25, 55)
            for time in ("pre", "post0"):
                value = 1e-3 * np.exp(own + gain * (time == "post0") + rng.normal(0, 0.2))
                rows.append((f"{group[0]}{i:02d}", group, time, value, pain, age))
    names = ["participant", "group", "timepoint", "value", "pain_intensity", "age"]
    return pd.DataFrame(rows, columns=names).assign(measure="mep_amplitude", unit="V")


def by_group(table, **more):
    return compare(table, by="group", **more).set_index("group")


def test_an_adjusted_estimate_says_so_and_where_it_is_extrapolated():
    found = by_group(amplitudes(), covariates=["pain_intensity"])
    assert found["sentence"].str.contains("; adjusted for pain_intensity").all()
    assert found["model"].str.contains("adjusted for pain_intensity").all()
    assert found["flag"].str.contains("covariate_adjusted").all()
    apart = found["flag"].str.contains("covariate_groups_apart")
    assert apart.all()  # all patients have more pain than the mean of all, all controls less
    assert "but the control group has 0." in found.loc["control", "sentence"]
    assert found.loc["patient - control", "sentence"].count("Extrapolated: this is for pain_intensity of") == 1
    plain = by_group(amplitudes())
    assert not plain["sentence"].str.contains("adjusted").any()
    age = by_group(amplitudes(), covariates=["age"])
    assert age["sentence"].str.contains("adjusted for age").all()
    assert not age["flag"].str.contains("covariate_groups_apart").any()


def test_adjusted_means_at_one_time_point_say_so():
    found = compare_groups(amplitudes(), at="pre", covariates=["pain_intensity", "age"]).set_index("group")
    assert found["sentence"].str.contains("; adjusted for pain_intensity, age").all()
    assert "Extrapolated" in found.loc["control", "sentence"]


def test_baseline_of_groups_not_drawn_by_lot_is_a_caution():
    table = amplitudes(more=0.5)
    found = by_group(table, covariates=["baseline"])
    assert found["sentence"].str.contains("adjusted for the baseline").all()
    assert "groups that start apart differ by the adjustment alone" in found.loc["patient - control", "sentence"]
    assert "baseline_not_by_lot" in found.loc["patient - control", "flag"]
    drawn = compare(table.rename(columns={"group": "arm"}), by="arm", covariates=["baseline"])
    assert not drawn["flag"].str.contains("baseline_not_by_lot").any()
    crossed = table.assign(participant=table["participant"].str[1:], arm=table["group"]).drop(columns="group")
    within = compare(crossed, by="arm", covariates=["baseline"])
    assert within["flag"].str.contains("covariate_adjusted").all()
    far = by_group(amplitudes(more=4.0), covariates=["baseline"]).loc["control", "sentence"]
    assert "Extrapolated: this is for a baseline of" in far
    assert " mV, the mean of all" in far


@pytest.mark.parametrize("shared", [10, 3])
def test_one_code_in_two_groups_is_no_crossover(shared):
    table = amplitudes()
    number = table["participant"].str[1:]
    same = table.assign(participant=number.where(number.astype(int) < shared, table["participant"]))
    calls = (compare, lambda t, by: compare_groups(t, by, "pre"), describe_design)
    for call in calls:
        with pytest.raises(
            ValueError, match=r"00 is patient and control.*'patient00' and 'control00'.*by='arm'"
        ) as told:
            call(same, by="group")
        assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="00 is patient and control"):
        associate(same, "mep_amplitude", "age", by="group")
    if shared == 10:
        assert compare(same.rename(columns={"group": "arm"}), by="arm")["n"].iloc[0] == 10


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1e3), ("uV", 1e6), ("µV", 1e6)])
def test_units_of_display_are_brought_to_volts(unit, factor):
    table = amplitudes()
    given = table.assign(value=table["value"] * factor, unit=unit)
    volts, others = by_group(table), by_group(given)
    assert others["form"].eq("log_ratio").all()
    assert others["unit"].tolist() == volts["unit"].tolist()
    np.testing.assert_allclose(others["estimate"], volts["estimate"], rtol=1e-9)
    latency = table.assign(measure="mep_latency", value=22.0 + 1e3 * table["value"], unit="ms")
    found = by_group(latency)
    assert found["unit"].eq("s").all()
    assert found["estimate"].abs().max() < 2e-3


def test_ratio_without_a_form_is_a_ratio_or_says_what_it_is():
    ratio = amplitudes().assign(measure="conditioned_ratio", unit="1", value=lambda t: t["value"] * 500)
    said = by_group(ratio.assign(form="ratio"))
    pd.testing.assert_frame_equal(by_group(ratio), said)
    percent = by_group(ratio.assign(unit="%", value=ratio["value"] * 100))
    np.testing.assert_allclose(percent["estimate"], said["estimate"], rtol=1e-9)
    own = by_group(ratio.assign(measure="SICI", unit="%", value=ratio["value"] * 100))
    assert own["flag"].str.contains("form_unknown").all()
    assert own["sentence"].str.contains("percent are points.*no column 'form'").all()
    assert not by_group(ratio.assign(measure="SICI", form="ratio"))["flag"].str.contains("form_unknown").any()
    score = by_group(ratio.assign(measure="mep_probability", value=ratio["value"] / 10))
    assert not score["flag"].str.contains("form_unknown").any()


@pytest.mark.parametrize("code", [-9.0, -99.0, 999.0, 9999.0, 99.0])
def test_codes_for_missing_are_refused_with_their_rows(code):
    table = amplitudes()
    table.loc[7, "value"] = code
    with pytest.raises(ValueError, match=rf"is {code:g} in row 7, which looks like a code for missing; leave the cell"):
        by_group(table)


def test_values_that_cannot_be_are_refused_and_zero_is_told():
    table = amplitudes()
    table.loc[5, "value"] *= -1
    with pytest.raises(ValueError, match=r"'mep_amplitude' is -0.0.* V in row 5, but cannot be negative"):
        by_group(table)
    table.loc[5, "value"] = 0.0
    found = by_group(table)
    assert found["sentence"].str.contains("Compared as differences instead of ratios, because a value is zero").all()
    threshold = amplitudes().assign(measure="resting_motor_threshold", unit="%MSO", value=45.0 + np.arange(40) % 7)
    threshold.loc[3, "value"] = 99.0  # a threshold that high is rare, but not impossible
    assert len(by_group(threshold)) == 3


@pytest.mark.parametrize("r", [0.70, 0.72, 0.75, 0.78, 0.80])
def test_interval_and_p_value_of_ranks_agree(r, monkeypatch):
    from excitability.comparison import associations

    monkeypatch.setattr(associations, "_coefficients", lambda columns, method: np.array([r]))
    draws = np.random.default_rng(0)
    found = associations.partial_correlation(
        np.arange(8.0), np.arange(8.0) ** 2, np.empty((8, 0)), "spearman", 0, draws
    )
    assert (found["ci_low"] > 0) == (found["p_value"] < 0.05)


def test_associations_tell_how_many_tests_they_are():
    table = amplitudes()
    rng = np.random.default_rng(1)
    table["pain_intensity"] = rng.uniform(1, 9, len(table))
    found = associate(table, "mep_amplitude", "pain_intensity", by="group", n_bootstrap=0)
    assert found["n_tests"].eq(6).all()
    assert (found["p_adjusted"] >= found["p_value"]).all()
    assert found["p_adjusted"].min() == pytest.approx(min(1, 6 * found["p_value"].min()))
    assert found["sentence"].str.contains("One of 6 tests: corrected for them, p = ").all()
    few = associate(table[table["participant"].str[1:] < "08"], "mep_amplitude", "pain_intensity", n_bootstrap=0,
                    by="group")  # fmt: skip
    assert few["sentence"][0].endswith("Fewer than 10 people in a group: a rough guess.")
