"""Covariates are typed, have units and limits, and what is wrong with them is said by row."""

import json

import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.covariates import ALIASES, LIMITS, check_covariates, limits_of
from excitability.schema import COVARIATES


def sessions(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"participant": [f"{i + 1:02d}" for i in range(n)], **columns})


def test_every_number_has_limits_and_every_alias_a_name():
    for name, column in COVARIATES.items():
        if column.dtype == "float":
            low, high = limits_of(name)
            assert low < high
    assert set(LIMITS) <= set(COVARIATES)
    assert set(ALIASES.values()) <= set(COVARIATES)
    assert not set(ALIASES) & set(COVARIATES)


def test_numbers_come_as_numbers_and_missing_ones_as_nan():
    found = check_covariates(sessions(lactate=["1.2", "n/a", None, ""], sex=["F", "M", "F", "M"]))
    assert found["lactate"].tolist()[0] == 1.2
    assert found["lactate"].isna().tolist() == [False, True, True, True]
    assert found["sex"].tolist() == ["F", "M", "F", "M"]


def test_text_in_numbers_names_the_rows():
    with pytest.raises(
        ValueError, match=r"'bdnf' must hold numbers in ng/ml, but has 'high' in row 1 \(participant 02\)"
    ):
        check_covariates(sessions(bdnf=[24.0, "high"]))


@pytest.mark.parametrize(
    ("name", "value"),
    [("height", 175), ("pain_catastrophizing", 60), ("kinesiophobia", 10), ("bdnf", 24000), ("lactate", -1)],
)
def test_what_nobody_can_have_is_refused(name, value):
    low, high = limits_of(name)
    with pytest.raises(ValueError, match=rf"{name!r} is {value:g} in row 1 \(participant 02\).* {low:g} and {high:g}"):
        check_covariates(sessions(**{name: [(low + high) / 2, value]}))


@pytest.mark.parametrize(
    ("name", "unit", "told"),
    [
        ("height", "cm", "multiply by 0.01"),
        ("bdnf", "pg/mL", "multiply by 0.001"),
        ("age", "days", "expected in years"),
    ],
)
def test_another_unit_is_refused(name, unit, told):
    with pytest.raises(ValueError, match=told):
        check_covariates(sessions(**{name: [1.0]}), {name: unit})


@pytest.mark.parametrize(
    ("name", "unit"), [("bdnf", "ng/mL"), ("age", "year"), ("kinesiophobia", "points"), ("lactate", "")]
)
def test_units_may_be_written_as_people_do(name, unit):
    check_covariates(sessions(**{name: [20.0]}), {name: unit})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("PCS", "pain_catastrophizing"),
        ("Lactate", "lactate"),
        ("kinesophobia", "kinesiophobia"),
        ("VO2max", "vo2_peak"),
    ],
)
def test_another_spelling_is_told_the_name(written, meant):
    with pytest.warns(UserWarning, match=f"column {written!r} is kept as it is; call it {meant!r}"):
        check_covariates(sessions(**{written: [30.0]}))


def test_columns_of_the_study_are_left_alone():
    table = sessions(block=["a", "b"], room=[1, 2], coil=["x", "y"])
    pd.testing.assert_frame_equal(check_covariates(table), table)


def test_a_study_in_centimetres_is_refused_where_it_is_read(tmp_path):
    table = pd.DataFrame({"participant": ["01"], "session": ["pre"], "file": ["a.txt"], "height": [1.75]})
    table.to_csv(tmp_path / "sessions.tsv", sep="\t", index=False)
    assert ex.find_sessions(tmp_path / "sessions.tsv")["height"].tolist() == [1.75]
    (tmp_path / "sessions.json").write_text(json.dumps({"height": {"Units": "cm"}}))
    with pytest.raises(ValueError, match=r"sessions.tsv: 'height' is said to be in 'cm', but is expected in m"):
        ex.find_sessions(tmp_path / "sessions.tsv")


def test_a_batch_refuses_a_table_with_text_in_numbers():
    table = pd.DataFrame({"participant": ["01"], "session": ["pre"], "file": ["a.txt"], "lactate": ["much"]})
    with pytest.raises(ValueError, match="'lactate' must hold numbers"):
        ex.run_batch(table, "m1/mep")


def test_the_sample_study_has_covariates_that_pass():
    found = ex.find_sessions(ex.sample_data_path() / "study")
    assert found["bdnf"].dtype == np.float64
