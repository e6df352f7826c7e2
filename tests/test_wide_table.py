"""The wide export: every value in its place, names that other programs take, and a dictionary."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from excitability.comparison.wide_table import DICTIONARY, wide_table, write_wide

sys.path.insert(0, str(Path(__file__).parent))
from study_tables import study_results


def test_every_value_is_in_its_place():
    results = study_results(8)
    wide, dictionary = wide_table(results)
    assert list(wide["participant"]) == sorted(results["participant"].unique())
    assert list(dictionary["name"]) == list(wide.columns)
    told = dictionary[dictionary["measure"] != ""].set_index(
        ["protocol", "measure", "channel", "condition", "timepoint"]
    )
    held = results[results["error"] == ""]
    for row in held.itertuples():
        name = told.loc[(row.protocol, row.measure, row.channel, row.condition, row.timepoint), "name"]
        value = wide.set_index("participant").loc[row.participant, name]
        assert value == row.value or (np.isnan(value) and np.isnan(row.value))
    numbers = wide[told["name"]].notna().to_numpy().sum()
    assert numbers == held["value"].notna().sum()


def test_names_are_safe_for_spss_and_r():
    wide, _ = wide_table(study_results(6))
    for name in wide.columns:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name)
        assert not name.endswith("_")
    assert len({name.lower() for name in wide.columns}) == len(wide.columns)
    assert "sici_conditioned_ratio_2ms_FDI_pre" in wide
    assert "resting_motor_threshold_ES_post0" in wide


def test_long_names_stay_apart():
    results = study_results(4)
    results["channel"] = "a channel with a name of more than sixty-four letters, left and " + results["channel"]
    wide, _ = wide_table(results)
    assert max(map(len, wide.columns)) <= 64
    assert len({name.lower() for name in wide.columns}) == len(wide.columns)


def test_covariates_that_change_have_a_column_a_time_point():
    results = study_results(6).assign(age=40.0)
    results["lactate"] = results["timepoint"].map({"pre": 1.1, "post0": 7.0, "post30": 2.0})
    wide, dictionary = wide_table(results)
    assert {"group", "age", "lactate_pre", "lactate_post0", "lactate_post30"} <= set(wide.columns)
    assert wide["lactate_post0"].tolist() == [7.0] * 6
    told = dictionary.set_index("name")
    assert told.loc["lactate_post0", "unit"] == "mmol/l"
    assert told.loc["sici_conditioned_ratio_2ms_FDI_pre", "label"] == "SICI ratio at 2 ms in FDI, pre"
    assert told.loc["cortical_silent_period_FDI_pre", "unit"] == "s"


def test_what_is_missing_is_an_empty_cell(tmp_path):
    path, beside = write_wide(study_results(8), tmp_path / "study.csv")
    text = path.read_text()
    assert "nan" not in text.lower().replace("nanmean", "")
    assert "n/a" not in text
    read = pd.read_csv(path, dtype={"participant": str})
    silent = read.set_index("participant")["cortical_silent_period_FDI_post0"]
    assert np.isnan(silent["02"])
    told = pd.read_csv(beside, keep_default_na=False)
    assert list(told.columns) == list(DICTIONARY)
    assert told.set_index("name").loc["cortical_silent_period_FDI_post0", "missing"] == 1
    tabs, _ = write_wide(study_results(4), tmp_path / "study.tsv")
    assert "\t" in tabs.read_text().splitlines()[0]


def test_the_order_is_that_of_time():
    wide, _ = wide_table(study_results(4, ("pre", "post30", "post0")))
    names = [name for name in wide.columns if name.startswith("recruitment_curve_s50_FDI")]
    assert [name.rsplit("_", 1)[-1] for name in names] == ["pre", "post0", "post30"]


def test_bad_input_is_said(tmp_path):
    results = study_results(4)
    with pytest.raises(ValueError, match=r"has 2 values of .* Keep one"):
        wide_table(pd.concat([results, results.iloc[[5]]], ignore_index=True))
    with pytest.raises(ValueError, match="did you mean 's50'"):
        wide_table(results, measures=["s5"])
    with pytest.raises(ValueError, match=r"\.csv or \.tsv, not '\.xlsx'"):
        write_wide(results, tmp_path / "study.xlsx")
    with pytest.raises(ValueError, match="no column 'value'"):
        wide_table(results.drop(columns="value"))


def test_a_crossover_has_columns_for_each_arm():
    one, two = (study_results(5).assign(arm=arm, age=40.0) for arm in ("rest", "exercise"))
    two["value"] *= 2
    two["lactate"] = two["timepoint"].map({"pre": 1.0, "post0": 7.0, "post30": 2.0})
    wide, dictionary = wide_table(pd.concat([one, two], ignore_index=True))
    name = "sici_conditioned_ratio_2ms_FDI_{}_pre"
    np.testing.assert_allclose(wide[name.format("exercise")], 2 * wide[name.format("rest")])
    told = dictionary.set_index("name")
    assert told.loc[name.format("rest"), "label"] == "SICI ratio at 2 ms in FDI, rest, pre"
    assert told.loc[name.format("rest"), "timepoint"] == "pre"
    assert {"age", "lactate_exercise_post0"} <= set(wide.columns)
    assert not any(column.startswith("arm") for column in wide.columns)
    by_visit, _ = wide_table(pd.concat([one, two], ignore_index=True).rename(columns={"arm": "visit"}), by="visit")
    assert list(by_visit.columns) == list(wide.columns)


def test_what_compare_refuses_is_not_exported():
    results = study_results(6)
    mixed = results.copy()
    mixed.loc[mixed.index[mixed["unit"] == "s"][0], "unit"] = "ms"
    with pytest.raises(ValueError, match="more than one unit"):
        wide_table(mixed)
    with pytest.raises(ValueError, match="no participant in row 3"):
        wide_table(results.assign(participant=results["participant"].where(results.index != 3)))
    with pytest.raises(ValueError, match="'lactate' is 82"):
        wide_table(results.assign(lactate=82.0))
    with pytest.raises(ValueError, match="must hold numbers"):
        wide_table(results.assign(lactate="1,2"))
    with pytest.raises(ValueError, match="the result table is empty"):
        wide_table(results.iloc[:0])
    infinite, _ = wide_table(results.assign(value=results["value"].where(results.index != 0, np.inf)))
    assert not np.isinf(infinite.select_dtypes("number")).any(axis=None)
