"""Formulas and published numbers, each named by its paper or by the computation it stands for."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

from excitability.measures import central_conduction, conditioned_ratio, motor_map, recruitment_curve
from excitability.measures._maps import centre_of_gravity
from excitability.measures._thresholds import response_probability
from excitability.measures.central_conduction import peripheral_conduction_time
from excitability.measures.curves import CURVES, boltzmann, rectified_logistic
from excitability.measures.recruitment_curve import area_under_curve

COHORT = Path(__file__).parents[2] / "shared" / "data" / "parkinson_cohort"


def test_boltzmann_of_devanne_1997():
    values = boltzmann(np.array([40.0, 50, 60, 70, 80]), mep_max=4.0, s50=60, k=6)
    assert values == pytest.approx([0.137781, 0.635476, 2, 3.364524, 3.862219], abs=1e-6)
    theta = np.array([60, np.log(6)])
    assert 4 * CURVES["boltzmann"].slope(theta) == pytest.approx(0.166667, abs=1e-6)
    assert CURVES["boltzmann"].threshold(theta) == pytest.approx(48)
    assert integrate.quad(lambda s: boltzmann(s, 4.0, 60, 6), 40, 80)[0] == pytest.approx(80, abs=1e-6)


def test_rectified_logistic_of_tyagi_2024():
    def curve(s):
        return rectified_logistic(np.asarray(s, dtype=float), 45, 0.2, mep_max=3.0, curvature=0.3, offset=0.02)

    values = curve([40, 45, 46, 50, 60, 80, 200])
    assert values == pytest.approx([0.02, 0.02, 0.079191, 0.425310, 1.923127, 2.990180, 3.02], abs=1e-6)
    theta = np.array([45, np.log(0.2), np.log(0.1)])
    assert CURVES["rectified_logistic"].s50(theta) == pytest.approx(57.424533, abs=1e-6)
    assert curve([57.424533])[0] == pytest.approx(0.02 + 1.5, abs=1e-6)
    assert integrate.quad(lambda s: float(curve([s])[0]), 40, 80, points=[45])[0] == pytest.approx(66.384507, abs=1e-5)


@pytest.mark.parametrize("form", list(CURVES))
def test_slope_and_threshold_of_a_curve_are_those_of_its_shape(form):
    curve = CURVES[form]
    theta = {
        "boltzmann": [60, np.log(6)],
        "rectified_logistic": [45, np.log(0.2), np.log(0.1)],
        "log_logistic": [60, np.log(9)],
    }[form]
    s = np.linspace(20, 110, 200001)
    u = curve.shape(s, np.array(theta))
    at = np.argmin(np.abs(s - curve.s50(np.array(theta))))
    assert u[at] == pytest.approx(0.5, abs=1e-4)
    slope = np.gradient(u, s)
    assert curve.slope(np.array(theta)) == pytest.approx(slope.max(), rel=1e-4)
    if form != "rectified_logistic":
        top = slope.argmax()  # a Hill curve is steepest below its middle
        assert curve.threshold(np.array(theta)) == pytest.approx(s[top] - u[top] / slope[top], rel=1e-4)


@pytest.mark.parametrize("exponent", [1.5, 2, 3, 4])
def test_slope_of_a_shallow_hill_curve_is_its_largest(exponent):
    curve, theta = CURVES["log_logistic"], np.array([60, np.log(exponent)])
    s = np.linspace(0.5, 150, 200001)
    u = curve.shape(s, theta)
    slope = np.gradient(u, s)
    assert curve.slope(theta) == pytest.approx(slope.max(), rel=1e-4)
    assert curve.slope(theta) > 1.05 * exponent / (4 * 60)


def test_response_probability_of_awiszus_2003():
    values = response_probability(np.array([45.0, 50, 53.5, 55]), 50)
    assert values == pytest.approx([0.0766, 0.5, 0.8413, 0.9234], abs=5e-5)


def test_central_conduction_by_the_f_wave_of_groppa_2012():
    assert peripheral_conduction_time(0.0264, 0.0033) == pytest.approx(0.01435)
    table = pd.DataFrame({"mep_latency": [0.0204, 0.0205, 0.0206]})
    found = central_conduction(table, f_latency=0.0264, m_latency=0.0033)
    assert found["central_motor_conduction_time"] == pytest.approx(0.00615)


def test_central_conduction_adds_up_as_in_cantone_2019():
    table = pd.DataFrame(
        {"stimulus_type": ["tms", "tms", "root", "root"], "mep_latency": [0.0195, 0.0195, 0.0136, 0.0136]}
    )
    found = central_conduction(table)
    assert found["central_motor_conduction_time"] == pytest.approx(0.0059)
    total = found["central_motor_conduction_time"] + found["peripheral_conduction_time"]
    assert total == pytest.approx(found["cortical_latency"])


def test_centre_of_gravity_and_normalised_volume():
    sites = np.array([[3, 0], [4, 0], [5, 0], [3, 1], [4, 1], [5, 1]], dtype=float)
    mean = np.array([0.1, 0.4, 0.2, 0.05, 0.8, 0.3])
    assert centre_of_gravity(sites, mean) == pytest.approx([4.189189, 0.621622], abs=1e-6)
    table = pd.DataFrame({"coil_x": sites[:, 0] / 100, "coil_y": sites[:, 1] / 100, "mep_amplitude": mean * 1e-3})
    found = motor_map(table, sites="all")
    assert found["centre_of_gravity_x"] == pytest.approx(0.04189189, abs=1e-8)
    assert found["map_normalised_volume"] == pytest.approx(2.3125)
    assert found["map_area"] == pytest.approx(5e-4)  # five active sites of 1 cm²


def test_forms_of_one_ratio():
    table = pd.DataFrame({"condition": ["test"] * 4 + ["isi_0.002"] * 4, "mep_amplitude": [1e-3] * 4 + [2.5e-4] * 4})
    forms = {form: float(conditioned_ratio(table, form=form)) for form in ("ratio", "log_ratio", "percent")}
    assert forms == pytest.approx({"ratio": 0.25, "log_ratio": np.log(0.25), "percent": 25.0})
    assert conditioned_ratio(table, form="percent_inhibition") == pytest.approx(75.0)


def test_area_under_curve_of_the_parkinson_cohort_is_exact():
    if not COHORT.is_dir():
        pytest.skip(f"needs the recordings beside the checkout: {COHORT.name}")
    curves = pd.read_csv(COHORT / "IOCurves.csv", encoding="utf-8-sig")
    told = pd.read_csv(COHORT / "TMS.csv", encoding="utf-8-sig").set_index(["ID", "Period"])
    curves["step"] = curves["Intensity"] / 10  # their area counts steps of 10 %RMT
    for side in ("MA", "LA"):
        checked = [
            area_under_curve(rows["step"].to_numpy(), rows[f"amp{side}"].to_numpy()) - told.loc[key, f"auc{side}"]
            for key, rows in curves.dropna(subset=[f"amp{side}"]).groupby(["ID", "Period"])
            if np.isfinite(told.loc[key, f"auc{side}"])
        ]
        assert len(checked) == told[f"auc{side}"].notna().sum() == 68, "every area that they give, both sides"
        assert np.abs(checked).max() < 5e-5  # nine amplitudes rounded to five decimals


def test_recruitment_curve_reports_that_area():
    table = pd.DataFrame({"intensity": [40.0, 50, 60, 70], "mep_amplitude": [0.0, 1e-3, 2e-3, 2e-3]})
    assert recruitment_curve(table)["area_under_curve"] == pytest.approx(0.04)
