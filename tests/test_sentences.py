"""Sentences of a comparison say no more than the people and trials behind them can carry."""

import sys
from pathlib import Path

import numpy as np

from excitability.comparison import compare

sys.path.insert(0, str(Path(__file__).parent))
from test_comparison import rows


def test_so_few_people_cannot_carry_an_answer():
    """Three controls whose changes agree by luck: the sentence tells no change, however small p is."""
    values = np.column_stack([np.full(12, -4.0e-6), np.full(12, -4.0e-6)])
    values[:, 1] += np.r_[np.linspace(-2e-6, 2e-6, 9), [-0.95e-6, -0.8e-6, -0.75e-6]]
    group = np.tile(["patient"] * 9 + ["control"] * 3, 2)
    table = rows("n100_amplitude", values, "V", group=group)
    table = table.assign(ci_low=table["value"] - 1e-6, ci_high=table["value"] + 1e-6)
    patients, controls, difference = compare(table, by="group").to_dict("records")
    assert controls["p_value"] < 0.05
    assert "3 people are too few to judge the change from pre to post0 in the control group" in controls["sentence"]
    assert "narrower than the controls' trials allow" in controls["sentence"]
    assert "fewer than 6 people in a group it cannot be judged whether" in difference["sentence"]
    assert "few_participants" not in patients["flag"]
    assert "too few to judge" not in patients["sentence"]
    assert "narrower" not in patients["sentence"]
    for told in (controls, difference):
        assert not any(word in told["sentence"] for word in (" fell ", " rose ", " became "))


def test_a_negative_peak_has_one_sign():
    values = np.column_stack([np.full(8, -4.0e-6), np.linspace(-5.2e-6, -4.8e-6, 8)])
    said = compare(rows("n100_amplitude", values, "V")).iloc[0]["sentence"]
    assert "became 1 µV more negative from pre to post0, a larger negative peak (95 % interval −1.12 to −0.883" in said
