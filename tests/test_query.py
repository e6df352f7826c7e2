"""Queries compare columns with constants and can do nothing else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from excitability.query import evaluate, names, parse

TABLE = pd.DataFrame(
    {
        "pulse_count": [1.0, 2.0, 2.0, np.nan],
        "inter_stimulus_interval": [np.nan, 0.002, 0.010, np.nan],
        "muscle_state": ["rest", "active", None, "rest"],
    }
)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("pulse_count == 1", [True, False, False, False]),
        ("0.001 <= inter_stimulus_interval <= 0.006", [False, True, False, False]),
        ("not pulse_count == 2", [True, False, False, True]),
        ("pulse_count != 2", [True, False, False, False]),
        ("muscle_state == 'rest' and pulse_count == 1", [True, False, False, False]),
        ("muscle_state != 'rest'", [False, True, False, False]),
        ("pulse_count == 2 or muscle_state == 'rest'", [True, True, True, True]),
        ("inter_stimulus_interval > -0.5", [False, True, True, False]),
    ],
)
def test_rows(query, rows):
    assert evaluate(query, TABLE).tolist() == rows


@pytest.mark.parametrize(
    "query",
    [
        "__import__('os').system('true')",
        "pulse_count.__class__ == 1",
        "(lambda: 1)() == 1",
        "pulse_count == [1, 2]",
        "pulse_count in (1, 2)",
        "pulse_count + 1 == 2",
        "f'{pulse_count}' == '1'",
        "pulse_count",
        "1",
        "",
        "pulse_count ==",
        "pulse_count == None",
        "pulse_count == (x := 1)",
        "[pulse_count == 1 for _ in 'a']",
    ],
)
def test_what_is_no_comparison_is_refused(query):
    with pytest.raises(ValueError, match="query"):
        parse(query, TABLE.columns)


def test_unknown_column_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'pulse_count'"):
        parse("pulse_cout == 1", TABLE.columns)


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_is_rows_or_a_value_error(text):
    try:
        rows = evaluate(text, TABLE)
    except ValueError:
        return
    assert rows.shape == (4,)
    assert rows.dtype == bool


def test_known_columns_that_are_absent_are_missing_values():
    assert not evaluate("intensity > 0", TABLE, known=["intensity"]).any()
    assert names("intensity > 0 and target == 'M1'") == {"intensity", "target"}
