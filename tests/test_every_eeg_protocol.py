"""Every EEG protocol end to end: simulate a session, run the protocol with its own cleaning, compare with the truth.

Protocols are found, not listed: one that cannot be simulated fails here, and so does a measure without truth.
"""

from __future__ import annotations

import dataclasses
import functools
import zlib

import mne
import numpy as np
import pytest

import excitability as ex
from excitability import simulate
from excitability.batch import load_results
from excitability.protocol import load_battery
from excitability.simulate import Oscillation

NAMES = [name for name in ex.list_protocols() if ex.load_protocol(name).modality == "eeg"]
KEYS = ["protocol", "channel", "condition", "measure"]
QUIET = {"blink_amplitude": 60e-6, "background_rms": 1.5e-6, "decay_amplitude": 25e-6, "n_trials": 25}
HAND = {"RFDI": {"ratios": {"sici": {0.003: 0.5}, "icf": {0.012: 1.4}}}}
INDUCED = Oscillation(22.0, 6e-6, "F3", latency=0.11, width=0.03)
FAST = Oscillation(650.0, 3e-6, "C3", latency=0.004, width=0.0012, locking=1.0)
SESSIONS = {
    "dlpfc/tep": lambda seed: simulate.tep_session("DLPFC", oscillations=[INDUCED], **QUIET, seed=seed),
    "m1/tep": lambda seed: simulate.tep_session(
        "M1", muscles=HAND, association=0.8, component_spread=1.0, **{**QUIET, "background_rms": 1e-6}, seed=seed
    ),
    "m1/immediate_tep": lambda seed: simulate.tep_session(
        "M1", n_trials=20, oscillations=[FAST], decay="none", ringing=1e-4, blink_amplitude=0.0, background_rms=1e-6,
        trial_interval=0.8, sampling_rate=5000.0, channels=simulate.eeg_sessions.CHANNELS[8:], seed=seed,
    ),
    "dlpfc/resting_eeg": lambda seed: simulate.resting_eeg(
        duration=80.0, coupled_rms=4e-6, blink_amplitude=60e-6, sampling_rate=250.0, seed=seed
    ),
    "m1/sici_tep": lambda seed: simulate.paired_tep_session("M1", "sici", muscles=HAND, **QUIET, seed=seed),
    "m1/icf_tep": lambda seed: simulate.paired_tep_session("M1", "icf", muscles=HAND, **QUIET, seed=seed),
    "dlpfc/sici_tep": lambda seed: simulate.paired_tep_session("DLPFC", "sici", **QUIET, seed=seed),
    "dlpfc/icf_tep": lambda seed: simulate.paired_tep_session("DLPFC", "icf", **QUIET, seed=seed),
    "dlpfc/lici_tep": lambda seed: simulate.paired_tep_session("DLPFC", "lici", **QUIET, seed=seed),
}  # fmt: skip

#: Largest error of one session: relative to the truth, or (``absolute``) in the unit. The end of the name decides.
#: Waves before 30 ms lie next to the pulse, and cleaning takes a part of them (their gain says so).
RELATIVE = {
    "p25_amplitude": 0.45,
    "n15_amplitude": 0.6,
    "_amplitude": 0.3,
    "n15_p30_peak_to_peak": 0.45,
    "_peak_to_peak": 0.3,
    "area": 0.15,
    "area_early": 0.25,
    "area_middle": 0.2,
    "area_late": 0.2,
    "activity": 0.2,
    "_mean": 0.3,
    "paired_pulse_tep": 0.25,
    "lici_tep": 0.25,
    "conditioned_ratio": 0.35,
    "natural_frequency": 0.2,
    "alpha_power": 0.1,
    "beta_power": 0.1,
    "alpha_relative_power": 0.1,
    "aperiodic_exponent": 0.05,
    "alpha_wpli": 0.15,
    "alpha_imaginary_coherence": 0.15,
    "amplitude": 0.25,
    "frequency": 0.05,
}
ABSOLUTE = {
    "n15_latency": 1.5e-3,
    "p25_latency": 1.5e-3,
    "p30_latency": 2e-3,
    "n40_latency": 2e-3,
    "n45_latency": 2e-3,
    "p60_latency": 3e-3,
    "n100_latency": 8e-3,
    "p180_latency": 20e-3,
    "p185_latency": 20e-3,
    "latency": 1e-3,
    "_change": 0.9e-6,
    "beta_evoked": 2.0,
    "beta_induced": 2.5,
    "phase_locking": 0.12,
    "correlation": 0.3,  # noise of single trials draws it to 0
    "individual_alpha_frequency": 0.15,
}
WITHOUT_TRUTH = {"p_value"}
HELD = 0.6  # share of intervals that must hold the truth: they know the noise of trials, not what cleaning takes


@functools.cache
def session(name, number=0):
    raw, truth = SESSIONS[name](zlib.crc32(f"{name} {number}".encode()))
    found = ex.run(raw, name)
    assert set(found["protocol"]) == {name}
    found = found[~found["measure"].str.startswith("quality_")]
    told = truth["measures"][truth["measures"]["protocol"] == name]
    return found.merge(told, on=KEYS, how="outer", suffixes=("", "_true"))


def _tolerance(measure):
    known = {name: ("relative", size) for name, size in RELATIVE.items()}
    known |= {name: ("absolute", size) for name, size in ABSOLUTE.items()}
    fits = [name for name in known if measure.endswith(name)]
    assert fits, f"no tolerance is stated for {measure}"
    return known[max(fits, key=len)]


def wrong_values(table):
    """Measures that are missing, have no truth, or err by more than the tolerance, as sentences."""
    wrong = []
    for row in table.itertuples():
        name = f"{row.channel} {row.condition} {row.measure}"
        if row.measure in WITHOUT_TRUTH or row.condition == "conditioning":  # that pulse alone
            continue
        if not np.isfinite(row.value_true):
            wrong.append(f"{name}: no truth")
        elif not np.isfinite(row.value):
            wrong.append(f"{name}: missing ({row.flag})")
        else:
            kind, size = _tolerance(row.measure)
            error = row.value / row.value_true - 1 if kind == "relative" else row.value - row.value_true
            if abs(error) > size:
                wrong.append(f"{name}: {row.value:.3g} for {row.value_true:.3g}, error {error:.3g}, tolerance {size:g}")
    return wrong


def held(table):
    """Share of intervals that hold the truth."""
    told = table[table["value_true"].notna() & table["ci_low"].notna() & table["ci_high"].notna()]
    inside = (told["ci_low"] <= told["value_true"]) & (told["value_true"] <= told["ci_high"])
    return float(inside.mean()) if len(told) else np.nan


def test_every_eeg_protocol_is_simulated():
    assert set(SESSIONS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_comes_back(name):
    table = session(name)
    assert wrong_values(table) == []
    assert not held(table) < HELD


@pytest.mark.parametrize("name", NAMES)
def test_another_truth_would_be_noticed(name):
    table = session(name).assign(value_true=lambda table: 2 * table["value_true"])
    assert len(wrong_values(table)) > 0.6 * table["value_true"].notna().sum()


# --- what a session can hold beside -----------------------------------------------------------------------------


def averaged(raw, names, condition=lambda extras: True):
    events, _ = mne.events_from_annotations(raw, verbose="error")
    keep = [condition(extras) for extras in raw.annotations.extras]
    picks = [raw.ch_names.index(name) for name in names]
    epochs = mne.Epochs(raw, events[keep], tmin=-0.3, tmax=0.45, baseline=None, preload=True, verbose="error")
    return epochs.get_data(picks=picks), epochs.times


CLEAN = {"decay": "none", "ringing": 1e-4, "blink_amplitude": 0.0, "background_rms": 0.5e-6}


def test_muscle_responses_go_with_a_component_as_stated():
    raw, truth = simulate.tep_session(
        "M1", n_trials=250, muscles={"RFDI": {}}, association=-0.6, trial_interval=0.8, seed=2,
        **CLEAN,
    )  # fmt: skip
    trials = truth["trials"]
    assert trials["size_p30"].corr(trials["mep_amplitude_RFDI"], method="spearman") == pytest.approx(-0.6, abs=0.08)
    assert abs(trials["size_n100"].corr(trials["mep_amplitude_RFDI"], method="spearman")) < 0.3  # the common size
    assert truth["measures"].set_index("measure")["value"]["correlation"] == -0.6
    response, times = averaged(raw, ["RFDI"])
    window = (times > 0.018) & (times < 0.05)
    assert np.corrcoef(np.ptp(response[:, 0, window], axis=1), trials["mep_amplitude_RFDI"])[0, 1] > 0.98
    with pytest.raises(ValueError, match="association=2: expected a rank correlation"):
        simulate.tep_session("M1", n_trials=2, muscles={"RFDI": {}}, association=2, seed=1)


def test_a_pair_has_a_ratio_for_each_component_and_the_first_response_under_it():
    raw, truth = simulate.paired_tep_session(
        "M1", "icf", n_trials=60, ratio={"n100": 0.5}, conditioning_size=0.4, interval=0.02, trial_gain=0.0, seed=3,
        **CLEAN,
    )  # fmt: skip
    single, conditioned = truth["evoked"].get_data("C1")[0], truth["conditioned"].get_data("C1")[0]
    times = truth["evoked"].times
    late, early = times > 0.09, (times > 0.012) & (times < 0.05)
    assert np.abs(conditioned - single)[early].max() < 0.02 * np.abs(single).max()
    assert np.abs(conditioned[late]).min() < np.abs(single[late]).max()
    np.testing.assert_allclose(truth["conditioning"].data, 0.4 * truth["evoked"].data, atol=1e-12)
    pair, at = averaged(raw, ["C1"], lambda extras: extras["pulse_count"] == 2)
    expected = np.interp(at, times, conditioned) + np.interp(at + 0.02, times, truth["conditioning"].get_data("C1")[0])
    inside = (at > 0.02) & (at < 0.3)
    course = pair[:, 0].mean(axis=0)
    assert np.abs(course - expected)[inside].max() < 1e-6
    with pytest.raises(ValueError, match="unknown component 'n99'"):
        simulate.paired_tep_session("M1", ratio={"n99": 0.5}, seed=1)
    with pytest.raises(ValueError, match="unknown kind of pair 'lci'"):
        simulate.paired_tep_session("M1", "lci", seed=1)


def test_a_sham_holds_what_is_heard_and_felt_and_the_protocol_sees_the_likeness():
    raw, truth = simulate.tep_session("M1", sham_trials=25, peripheral=1.0, **QUIET, decay="none", seed=4)
    assert set(truth["measures"]["condition"]) == {"all"}  # the condition of the shipped protocol
    assert sorted({extras["block"] for extras in raw.annotations.extras}) == ["real", "sham"]
    assert np.abs(truth["sham"].copy().crop(0, 0.05).data).max() < 0.1 * np.abs(truth["evoked"].data).max()
    protocol = ex.load_protocol("m1/tep").replace(
        cleaning=[{"step": "remove_pulse"}, {"step": "interpolate_pulse"}, {"step": "filter", "l_freq": 1.0}],
        conditions={"real": "block == 'real'", "sham": "block == 'sham'"},
        average={"p30": {"measure": "tep_peak", "roi": "M1_left", "component": "M1 P30"}},
        epochs={},
    )
    rows = ex.run(raw, protocol).set_index(["condition", "measure"])["value"]
    fields = [truth[name].copy().crop(0.14, 0.25).data.mean(axis=1) for name in ("evoked", "sham")]
    true = np.corrcoef(*fields)[0, 1]
    assert true > 0.8
    assert rows["real", "quality_similarity_to_sham_late"] == pytest.approx(true, abs=0.1)


def test_a_recharge_comes_when_it_is_said_to_and_is_removed():
    raw, truth = simulate.tep_session("M1", n_trials=20, recharge=0.06, seed=5, **CLEAN)
    trials, times = averaged(raw, ["C3", "C1", "FC1"])
    jump = np.abs(np.diff(trials.mean(axis=0), axis=-1)).max(axis=0)
    late = times[1:] > 0.03
    assert times[1:][late][jump[late].argmax()] == pytest.approx(0.06, abs=0.0015)
    steps = [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}, {"step": "remove_recharge"}]
    epochs, _ = ex.clean(raw, ex.load_protocol("m1/tep").replace(cleaning=steps))
    cleaned = epochs.average(picks=["C1"]).crop(0.02, 0.2)
    true = truth["evoked"].copy().pick(["C1"]).crop(0.02, 0.2)
    assert np.corrcoef(cleaned.data[0], true.data[0])[0, 1] > 0.97


@pytest.mark.parametrize("locking", [0.0, 0.7, 1.0])
def test_an_oscillation_locks_as_stated(locking):
    burst = Oscillation(20.0, 5e-6, "C3", locking=locking)
    raw, truth = simulate.tep_session(
        "M1", n_trials=150, components=dict.fromkeys(simulate.eeg_sessions.COMPONENTS["M1"], (0.1, 0.01, 0.0, "C3", 0)),
        oscillations=[burst], trial_interval=0.8, sampling_rate=500.0, seed=6, **CLEAN,
    )  # fmt: skip
    trials, times = averaged(raw, ["C3"])
    at = (times > 0.05) & (times < 0.17)
    phase = np.angle(trials[:, 0, at] @ np.exp(-2j * np.pi * 20 * times[at]))
    assert np.abs(np.exp(1j * phase).mean()) == pytest.approx(locking, abs=0.15)
    change = truth["measures"].set_index("measure")["value"]
    assert (change["beta_evoked"] > 3) == (locking > 0)
    assert (change["beta_induced"] > 3) == (locking < 1)


def test_rest_without_coupling_has_none():
    truth = simulate.resting_eeg(duration=4.0, seed=1)[1]["measures"].set_index("measure")["value"]
    assert truth["alpha_imaginary_coherence"] == pytest.approx(0, abs=1e-12)
    coupled = simulate.resting_eeg(duration=4.0, coupled_rms=8e-6, seed=1)[1]["measures"].set_index("measure")["value"]
    assert 0.1 < coupled["alpha_imaginary_coherence"] < coupled["alpha_wpli"] < 1
    with pytest.raises(ValueError, match="no electrode 'F3' among the channels"):
        simulate.resting_eeg(
            duration=4.0, coupled_rms=8e-6, channels=["Cz", "Pz", "P4", "C3", "C4", "Fz", "O1"], seed=1
        )


# --- a study before and after -----------------------------------------------------------------------------------


def test_a_study_of_the_prefrontal_side_from_files_to_changes(tmp_path):
    """The battery on one person before and after, and rows of every protocol with their quality."""
    truth = simulate.study(
        tmp_path / "study", n_patients=1, n_controls=0, timepoints=("pre", "post0"), protocols=[], eeg_trials=10,
        rest_duration=20.0, seed=1,
    )  # fmt: skip
    battery = load_battery("dlpfc_exercise")
    slow = ("ssp_sir", "sound", "remove_components")  # each protocol has run with its own cleaning above
    quick = [
        one.replace(cleaning=[step for step in one.cleaning if step["step"] not in slow]) for one in battery.protocols
    ]
    ex.run_batch(
        ex.find_sessions(tmp_path / "study"), dataclasses.replace(battery, protocols=tuple(quick)), tmp_path / "results"
    )
    results, _ = load_results(tmp_path / "results")[:2]
    assert (results["error"] == "").all()
    assert set(results["protocol"]) == {protocol.name for protocol in battery.protocols}
    quality = results[results["measure"].str.startswith("quality_")]
    assert set(quality["protocol"]) == {"dlpfc/tep", "dlpfc/lici_tep"}
    changes = ex.compare(results, before="pre", after=["post0"])
    assert set(changes["protocol"]) == set(results["protocol"])
    true = truth["changes"]
    true = true[
        (true["measure"] == "n100_amplitude") & (true["protocol"] == "dlpfc/tep") & (true["group"] == "patient")
    ]
    assert true["estimate"].iloc[0] > 0  # a smaller negative wave
    known = truth["measures"].merge(results, on=["participant", "session", *KEYS], suffixes=("_true", ""))
    told = known[known["measure"].isin(["n100_amplitude", "individual_alpha_frequency", "aperiodic_exponent"])]
    assert len(told) >= 8
    assert np.median(np.abs(told["value"] / told["value_true"] - 1)) < 0.15


def test_a_study_can_hold_muscles_beside_the_eeg(tmp_path):
    simulate.study(
        tmp_path, n_patients=1, n_controls=0, timepoints=("pre",), protocols=[], eeg_protocols=["m1/tep"], eeg_trials=3,
        seed=1,
    )  # fmt: skip
    sessions = ex.find_sessions(tmp_path)
    assert sessions["protocol"].tolist() == ["m1/tep"]
    raw = ex.read(sessions["file"][0])
    assert raw.get_channel_types(unique=True) == ["eeg", "emg"]
    assert np.isfinite([channel["loc"][:3] for channel in raw.copy().pick("eeg").info["chs"]]).all()
    with pytest.raises(ValueError, match="unknown EEG protocol to simulate 'dlpfc/tepp'"):
        simulate.study(tmp_path / "other", eeg_protocols=["dlpfc/tepp"], seed=1)
