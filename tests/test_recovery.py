"""Simulate a known value, get it back from the recording, and its interval covers it.

Every tolerance is what the trials allow: with 12–15 trials of a coefficient of variation near 0.4 the mean of one
condition is known to ± 10 %, a ratio to ± 15 %. The median over sessions is held to a third of that.
"""

import numpy as np
import pandas as pd
import pytest

import excitability as ex

PROTOCOLS = ("resting_motor_threshold", "recruitment_curve", "sici", "icf", "lici", "cortical_silent_period")
KEYS = ["protocol", "channel", "condition", "measure"]
#: measure and condition -> largest median error, relative or (a float after "abs") in the unit of the measure
TOLERANCE = {
    ("m1/sici", "conditioned_ratio"): 0.08,
    ("m1/icf", "conditioned_ratio"): 0.08,
    ("m1/lici", "conditioned_ratio"): 0.08,
    ("m1/resting_motor_threshold", "resting_motor_threshold"): 0.01,
    ("m1/recruitment_curve", "s50"): 0.015,
    ("m1/recruitment_curve", "recruitment_threshold"): 0.02,
    ("m1/recruitment_curve", "area_under_curve"): 0.06,
    ("m1/cortical_silent_period", "silent_period"): 0.03,
    # In contraction the first, small potentials of motor units drown: 24 sessions are late by 1.1 to 1.4 % (0.2 to
    # 0.3 ms). At 1 % this test passed or failed by the draw.
    ("m1/cortical_silent_period", "mep_latency"): 0.015,
}


@pytest.fixture(scope="module")
def recovered():
    """Results of 12 simulated people beside the truth."""
    parts = []
    for seed in range(12):
        raw, truth = ex.simulate.session([f"m1/{name}" for name in PROTOCOLS], seed=seed, sampling_rate=2500.0)
        for name in PROTOCOLS:
            parts.append(ex.run(raw, name).merge(truth["measures"], on=KEYS, suffixes=("", "_true")))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(("protocol", "measure"), TOLERANCE)
def test_a_known_value_comes_back(recovered, protocol, measure):
    mine = recovered[(recovered["protocol"] == protocol) & (recovered["measure"] == measure)]
    mine = mine[mine["channel"] == "RFDI"]
    assert len(mine) >= 12
    assert mine["value"].notna().mean() >= 0.9
    error = mine["value"] / mine["value_true"] - 1
    assert abs(error.median()) <= TOLERANCE[protocol, measure]


def test_intervals_cover_the_truth_and_are_not_idle(recovered):
    hand = recovered[(recovered["channel"] == "RFDI") & recovered["value"].notna()]
    chosen = pd.MultiIndex.from_frame(hand[["protocol", "measure"]]).isin(list(TOLERANCE))
    hand = hand[chosen & (hand["measure"] != "mep_latency")]
    covered = (hand["ci_low"] <= hand["value_true"]) & (hand["value_true"] <= hand["ci_high"])
    assert len(hand) >= 120
    # two-sided 99.9 % limits of the share of covered intervals, were it 95 %
    spread = 3.3 * np.sqrt(0.95 * 0.05 / len(hand))
    assert 0.95 - spread <= covered.mean() <= min(0.95 + spread, 0.999)


def test_the_trunk_muscle_in_contraction_comes_back_too(recovered):
    trunk = recovered[(recovered["channel"] == "LES") & (recovered["measure"] == "conditioned_ratio")]
    error = np.log(trunk["value"] / trunk["value_true"])
    assert abs(error.median()) < 0.1
    assert ((trunk["ci_low"] <= trunk["value_true"]) & (trunk["value_true"] <= trunk["ci_high"])).mean() > 0.85


def test_facilitation_by_two_pulses_is_measured_from_the_first():
    values, truths = [], []
    for seed in range(6):
        raw, truth = ex.simulate.session(["m1/sicf"], seed=seed, sampling_rate=2500.0)
        found = ex.run(raw, "sicf", picks="FDI").merge(truth["measures"], on=KEYS, suffixes=("", "_true"))
        found = found[found["measure"] == "conditioned_ratio"]
        values += found["value"].tolist()
        truths += found["value_true"].tolist()
    assert len(values) == 18
    assert abs(np.median(np.log(np.array(values) / np.array(truths)))) < 0.06


def test_peaks_of_the_evoked_potential_come_back():
    parts = []
    for seed in range(4):
        raw, truth = ex.simulate.tep_session("DLPFC", n_trials=60, seed=seed)
        parts.append(ex.run(raw, "dlpfc/tep").merge(truth["measures"], on=KEYS, suffixes=("", "_true")))
    table = pd.concat(parts)
    amplitude = table[table["measure"].isin(["n40_amplitude", "p60_amplitude", "n100_amplitude"])]
    assert len(amplitude) == 12
    assert (amplitude["value"] / amplitude["value_true"] - 1).median() == pytest.approx(0, abs=0.15)
    assert np.sign(amplitude["value"]).tolist() == np.sign(amplitude["value_true"]).tolist()
    latency = table[table["measure"].isin(["n40_latency", "p60_latency"])]
    assert (latency["value"] - latency["value_true"]).abs().median() < 2e-3
    covered = (amplitude["ci_low"] <= amplitude["value_true"]) & (amplitude["value_true"] <= amplitude["ci_high"])
    assert covered.mean() >= 0.75


def test_the_change_over_exercise_comes_back_from_the_files(tmp_path):
    truth = ex.simulate.study(
        tmp_path, n_patients=10, n_controls=4, timepoints=("pre", "post0"), protocols=("m1/sici",), eeg=False, seed=5
    )
    results = ex.run_batch(ex.find_sessions(tmp_path), "sici", n_jobs=2)
    assert (results["error"] == "").all()
    change = ex.compare(results, before="pre", after="post0", by="group")
    where = {"measure": "conditioned_ratio", "channel": "RFDI", "condition": "isi_0.002", "group": "patient"}
    found, true = change, truth["changes"]
    for column, value in where.items():
        found, true = found[found[column] == value], true[true[column] == value]
    found, true = found.iloc[0], true.iloc[0]["estimate"]
    assert found["form"] == "log_ratio"
    assert true > 0.2  # less inhibition after exercise, as simulated
    assert found["ci_low"] <= true <= found["ci_high"]
    assert abs(found["estimate"] - true) < 0.2
    assert found["smallest_detectable_change"] > 0
