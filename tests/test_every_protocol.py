"""Every protocol of the motor cortex end to end: simulate a session, run the protocol, compare with the truth.

Protocols are found, not listed: a new file in ``protocols/m1`` that cannot be simulated fails here. Two checks, each of
which can fail: the mean error over sessions (and conditions) lies within a tolerance that means something in the
laboratory, and intervals miss the truth no more often than chance lets them.
"""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import excitability as ex
from excitability import simulate
from excitability.simulate.physiology import physiology
from excitability.simulate.stimuli import PROTOCOLS, protocol_stimuli

NAMES = [name for name in ex.list_protocols() if name.startswith("m1/") and ex.load_protocol(name).modality == "emg"]
KEYS = ["protocol", "channel", "condition", "measure"]
SEEDS = 4
FEWER = {"m1/central_conduction_f_wave": 2, "m1/central_conduction_f_wave_foot": 2}  # a second each

#: Sessions that need more than the rate of 2500 Hz (M waves are short), or shapes whose area goes with their amplitude
#: (those of ``motor_units`` become shorter as they grow, and the truth is told of amplitudes).
OPTIONS = {
    "m1/m_max": {"sampling_rate": 5000.0},
    "m1/triple_stimulation": {"sampling_rate": 5000.0},
    "m1/central_conduction_f_wave": {"sampling_rate": 5000.0},
    "m1/central_conduction_f_wave_foot": {"sampling_rate": 5000.0},
    # the trunk muscle that is recorded beside has protocols of its own: at intensities for a hand its curve drowns
    "m1/resting_motor_threshold": {"channels": {"RFDI": {}}},
    "m1/recruitment_curve": {"channels": {"RFDI": {}}},
    "m1/trunk_laterality": {"generator": "template"},
    "m1/recruitment_curve_trunk": {"generator": "template"},
    "m1/sici_trunk": {"generator": "template"},
    "m1/sicf_trunk": {"generator": "template"},
    "m1/motor_map_trunk": {"generator": "template"},
}

#: Largest mean error of a measure: of its logarithm, or (``absolute``) in its unit.
RELATIVE = {
    "conditioned_ratio": 0.2,
    "after_effect": 0.2,
    "background_matched_ratio": 0.2,
    "plasticity_index": 0.2,
    "curve_ratio": 0.2,
    "sicf_ratio": 0.25,
    "mep_amplitude": 0.2,
    "test_amplitude": 0.2,
    "resting_motor_threshold": 0.02,
    "active_motor_threshold": 0.03,
    "intensity_for": 0.03,
    "tracked_intensity": 0.02,
    "s50": 0.03,
    "recruitment_threshold": 0.04,
    "mep_max": 0.15,
    "peak_slope": 0.3,
    "area_under_curve": 0.15,
    "m_max": 0.02,
    "normalised_amplitude": 0.2,
    "map_area": 0.2,
    "map_volume": 0.25,
    "map_normalised_volume": 0.25,
    "map_spread": 0.1,
    "map_active_share": 0.2,
    "map_overlap": 0.2,
}
ABSOLUTE = {
    "threshold_tracking": 1.5,  # percent of threshold
    "latency": 0.6e-3,  # in contraction the first, small potentials drown: 0.2 to 0.5 ms late
    "f_wave_latency": 1.2e-3,
    "f_wave_persistence": 0.2,
    "latency_difference": 0.4e-3,
    "conduction_time": 0.6e-3,
    "silent_period": 6e-3,
    "ipsilateral_silent_period_onset": 2e-3,
    "ipsilateral_silent_period_duration": 3e-3,
    "ipsilateral_silent_period_depth": 0.06,
    "ipsilateral_silent_period_normalised_area": 0.05,
    "sicf_interval": 0.25e-3,
    "triple_stimulation": 3.0,  # percent of the motor neurons
    "m_max_plateau_reached": 0.0,
    "laterality_index": 0.08,
    "muscle_onset_difference": 6e-3,
    "voluntary_onset": 8e-3,
    "change_in_baseline_deviations": 0.3,
    "centre_of_gravity": 2e-3,
    "hotspot": 0.01,
    "map_peaks": 0.5,
    "map_coverage": 0.0,
}

#: What is smaller than four times the background drowns in it: curves of areas begin late, and a fifth of the map is
#: missing (in 20 sessions; of maps of three pulses a site, which are too small anyway). A silence is seen against
#: activity, and that of the back is weak.
WIDER = {
    ("m1/recruitment_curve_trunk", "s50"): 0.08,  # scatters by 4 % from session to session; 1 % low in 20
    ("m1/recruitment_curve_trunk", "recruitment_threshold"): 0.06,
    ("m1/motor_map_trunk", "map_area"): 0.35,
    ("m1/motor_map_trunk", "map_active_share"): 0.35,
    ("m1/motor_map_trunk", "map_overlap_jaccard"): 0.35,
    ("m1/cortical_silent_period_trunk", "silent_period"): 0.012,
}
#: Measures whose intervals hold no bias of the onset in contraction.
NO_COVERAGE = {"mep_latency", "cortical_latency", "f_wave_latency", "peripheral_conduction_time"}

#: Flags that these sessions deserve: the tail of the stimulator's artefact reaches the window in some of them, and the
#: fixed sequences of intensities were not led by stochastic approximation.
ANYWHERE = {"artefact_in_window", "artefact_in_window_in_some", "window_edge", "window_edge_in_some"}
_LEVELS = {"not_led_by_stochastic_approximation", "below_tested_range", "above_tested_range"}
_WEAK = {"criterion_below_noise", "some_responses_doubtful"}
EXPECTED_FLAGS = {
    "m1/resting_motor_threshold": _LEVELS,
    "m1/active_motor_threshold": _LEVELS,
    "m1/active_motor_threshold_trunk": _LEVELS | _WEAK,
    "m1/recruitment_curve_trunk": _LEVELS | _WEAK | {"no_plateau"},  # seldom reached
    "m1/central_conduction": {"root", "no_response"},
    "m1/central_conduction_f_wave": {"f_wave", "no_response"},
    "m1/central_conduction_f_wave_foot": {"f_wave", "no_response"},
    "m1/cortical_silent_period": {"no_response"},
    "m1/cortical_silent_period_trunk": {"no_response", "censored", "few_trials"},
    "m1/i_wave_latency": {"no_response"},
    "m1/trunk_laterality": {"no_response"},
    "m1/ipsilateral_silent_period": {"absent"},  # nobody gave the contralateral latency
    "m1/mep": {"no_response", "no_silent_period"},
    "m1/mep_trunk": {"no_response", "censored"},
    "m1/sicf_sum": {"baseline_is_sum"},
    "m1/sicf_curve": {"not_distinct", "at_edge_of_window"},
    "m1/motor_map": {"biased_by_few_pulses", "map_truncated"},
    "m1/motor_map_trunk": {"biased_by_few_pulses", "map_truncated"},
}


def sessions(name):
    """Results of some simulated sessions beside the truth: one row a measure that either of them has."""
    parts = []
    options = {"sampling_rate": 2500.0} | OPTIONS.get(name, {})
    for number in range(FEWER.get(name, SEEDS)):
        # other noise for other protocols, or all would err alike
        raw, truth = simulate.session(name, seed=zlib.crc32(f"{name} {number}".encode()), **options)
        found = ex.run(raw, name)
        assert set(found["protocol"]) == {name}
        parts.append(found.merge(truth["measures"], on=KEYS, how="outer", suffixes=("", "_true")))
    return pd.concat(parts, ignore_index=True)


def _tolerance(protocol, measure):
    """Kind and size of the tolerance of a measure."""
    wider = WIDER.get((protocol, measure))
    if measure.startswith("sicf_"):
        measure = "sicf_" + measure.rsplit("_", 1)[-1]
    known = {name: ("relative", size) for name, size in RELATIVE.items()}
    known |= {name: ("absolute", size) for name, size in ABSOLUTE.items()}
    fits = [name for name in known if measure.startswith(name) or measure.endswith(name)]
    assert fits, f"no tolerance is stated for {measure}"
    kind, size = known[max(fits, key=len)]
    return kind, wider or size


def _told(table):
    """Rows of the result that have a truth."""
    return table[table["value_true"].notna() & table["unit"].notna()]


def wrong_values(table):
    """Measures that are missing or whose mean error exceeds the tolerance, as sentences."""
    wrong = []
    for (protocol, channel, measure), mine in _told(table).groupby(["protocol", "channel", "measure"], sort=False):
        known = mine["value"].notna()
        if known.mean() < 0.7:
            wrong.append(f"{channel} {measure}: missing in {(~known).sum()} of {len(mine)}")
            continue
        kind, size = _tolerance(protocol, measure)
        value, true = mine.loc[known, "value"], mine.loc[known, "value_true"]
        error = float((np.log(value / true) if kind == "relative" else value - true).mean())
        if not abs(error) <= size + 1e-12:
            wrong.append(f"{channel} {measure}: mean error {error:.3g} ({kind}), tolerance {size:g}")
    return wrong


def coverage(table):
    """How many intervals there are with a truth, and how many miss it."""
    mine = _told(table)
    mine = mine[mine["ci_low"].notna() & mine["ci_high"].notna() & ~mine["measure"].isin(NO_COVERAGE)]
    mine = mine[[key not in WIDER for key in zip(mine["protocol"], mine["measure"], strict=True)]]
    missed = ~((mine["ci_low"] <= mine["value_true"]) & (mine["value_true"] <= mine["ci_high"]))
    return len(mine), int(missed.sum())


def chance_allows(n, missed):
    """Whether so many of ``n`` intervals of 95 % may miss; values of one session share trials: as if half as many."""
    return missed <= 2 * binom.ppf(0.999, max(n // 2, 1), 0.05)


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_comes_back(name):
    table = sessions(name)
    assert len(_told(table)) >= 4, "no measure of the protocol has a truth beside it"
    assert wrong_values(table) == []
    assert chance_allows(*coverage(table)), coverage(table)
    flags = {flag for text in table["flag"].dropna() for flag in text.split(";") if flag}
    assert flags <= ANYWHERE | EXPECTED_FLAGS.get(name, set())


@pytest.mark.parametrize(("name", "factor"), [("m1/sici", 1.4), ("m1/intensity_for_1mv", 1.05), ("m1/cbi", 1.6)])
def test_another_truth_would_be_noticed(name, factor):
    table = sessions(name)
    table["value_true"] *= factor
    assert wrong_values(table)
    assert not chance_allows(*coverage(table))


def test_every_protocol_that_can_be_simulated_is_one_of_the_book():
    assert set(PROTOCOLS) == set(NAMES)
    assert simulate.session("mep_trunk", n_trials=2, sampling_rate=1000.0, seed=1)[0].ch_names == ["LES", "RES", "ECG"]
    with pytest.raises(ValueError, match=r"did you mean 'm1/mep_trunk'\? \(\d+ are known"):
        simulate.session("mep_trnk", seed=1)


@pytest.mark.parametrize("tracking", ["parallel", "serial"])
def test_tracked_intensities_follow_from_the_responses(tracking):
    rng = np.random.default_rng(3)
    stimuli = protocol_stimuli("threshold_tracking_sici", n_trials=60, tracking=tracking, rng=rng)
    raw, truth = simulate.session(stimuli, channels={"RFDI": {}}, sampling_rate=2500.0, seed=4)
    found = ex.run(raw, "threshold_tracking_sici").merge(truth["measures"], on=KEYS, suffixes=("", "_true"))
    found = found[found["measure"] == "threshold_tracking"]
    assert (found["value"] - found["value_true"]).abs().max() < 3.0
    assert found["flag"].str.contains("serial_tracking").tolist() == [tracking == "serial"] * 2
    # each response moves the next intensity of its condition against it
    size = truth["trials"]["amplitude"].to_numpy()
    for _, mine in stimuli.groupby(stimuli["inter_stimulus_interval"].fillna(0.0)):
        step = np.diff(mine["intensity"])
        large = size[mine.index][:-1] > 200e-6
        assert (step[large] <= 0).all()
        assert (step[~large] >= 0).all()


def test_sides_count_only_where_a_protocol_compares_them():
    _, truth = simulate.session("trunk_laterality", sampling_rate=1000.0, artefact="none", seed=5)
    measures = truth["measures"].set_index(["channel", "measure"])["value"]
    assert measures["LES", "laterality_index"] == pytest.approx(1 / 3)
    assert measures["LES", "latency_difference"] == -measures["RES", "latency_difference"]
    trials = truth["trials"].groupby("channel")["amplitude"].mean()
    assert trials["LES"] == pytest.approx(trials["RES"], rel=0.3)
    _, usual = simulate.session("mep", sampling_rate=1000.0, n_trials=5, seed=5)  # all over the left hemisphere
    assert (usual["trials"]["amplitude"] > 0).all()


def test_a_recording_of_the_trunk_keeps_its_heart_in_a_study(tmp_path):
    simulate.study(tmp_path, n_patients=1, n_controls=1, timepoints=("pre",), protocols=["mep_trunk"], eeg=False,
                   n_trials=3, seed=1)  # fmt: skip
    raw = ex.read(next(tmp_path.rglob("*_emg.bdf")))
    assert raw.get_channel_types() == ["emg", "emg", "ecg"]
    assert set(ex.run(raw, "mep_trunk")["channel"]) == {"RFDI", "LES"}


def test_physiology_of_a_channel_knows_its_side_and_its_curves():
    assert (physiology("LES").side, physiology("RFDI").side, physiology("FDI").side) == ("left", "right", "")
    fdi = physiology("RFDI", {"curves": {"sicf_curve": {0.001: 1.0, 0.0015: 2.0, 0.002: 1.0}}})
    assert fdi.ratio("sicf_curve", 0.0015) == pytest.approx(2.0)
    assert 1 < fdi.ratio("sicf_curve", 0.00125) < 2
    assert physiology("RFDI").intensity_for(50e-6) == pytest.approx(46.0)
