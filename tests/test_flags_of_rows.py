"""Flags and rows of a result table say what concerns their own trials, and nothing else."""

import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.protocol.own_trials import own_trials_lost

MIXED = ("sici", "lici", "mep")


@pytest.fixture(scope="module")
def mixed():
    raw, _ = ex.simulate.session(MIXED, channels={"RFDI": {}}, n_trials=6, seed=1)
    return raw


def test_trials_of_other_protocols_of_the_session_are_no_loss(mixed):
    tables = {protocol: ex.trial_table(mixed, protocol) for protocol in MIXED}
    for protocol, table in tables.items():
        assert not table["flag"].str.contains("trials_without_condition").any(), protocol


def test_a_stray_kind_of_trial_and_an_unknown_interval_are_a_loss():
    isi = [np.nan] * 8 + [0.002] * 8 + [0.1] * 8 + [0.2] + [np.nan]
    pulses = pd.DataFrame({"pulse_count": [1.0] * 8 + [2.0] * 18, "inter_stimulus_interval": isi})
    pulses["condition"] = ["test"] * 8 + ["isi_0.002"] * 8 + [""] * 10
    assert np.flatnonzero(own_trials_lost(ex.load_protocol("sici"), pulses)).tolist() == [24, 25]


@pytest.mark.parametrize("protocol", ["m_max", "central_conduction_f_wave"])
def test_m_waves_have_no_motor_evoked_potential(protocol):
    raw, _ = ex.simulate.session((protocol,), n_trials=8, seed=3)
    table = ex.trial_table(raw, protocol)
    rows = ex.load_protocol(protocol).summarise(table)
    responses = rows[rows["measure"].str.startswith("mep_")]
    assert len(responses)
    assert set(responses["condition"]) == {"cortex"}
    nerve = table["condition"] != "cortex"
    assert nerve.any()
    assert not table.loc[nerve, "flag"].str.contains("window_edge|artefact_in_window").any()


def test_the_flags_of_a_row_are_those_of_its_condition(mixed):
    table = ex.trial_table(mixed, "sici")
    table.loc[table["condition"] == "isi_0.002", "flag"] = "clipped"
    rows = ex.load_protocol("sici").summarise(table)
    flagged = rows["flag"].str.contains("clipped")
    assert flagged[rows["condition"] == "isi_0.002"].all()
    assert not flagged[rows["condition"].isin(["test", "isi_0.003"])].any()


def test_an_onset_at_the_edge_of_the_window_is_no_latency():
    raw, _ = ex.simulate.session(("mep",), channels={"RFDI": {"noise_rms": 2e-6}}, n_trials=10, seed=2)
    late = ex.load_protocol("cortical_silent_period").replace(
        trial={"mep_amplitude": {"window": [0.026, 0.05]}, "mep_latency": {"window": [0.026, 0.05]}},
        conditions={"all": "not pulse_count > 1"},
        reject={},
        epochs={},
        summary={"mep_latency": {"measure": "trial_mean", "of": "mep_latency"}},
    )
    table = ex.trial_table(raw, late)
    edge = table["flag"].str.contains("window_edge")
    assert edge.any()
    assert not (table["mep_latency"] < 0.0262).any()
    row = late.summarise(table).iloc[0]
    assert "window_edge" in row["flag"]
    assert row["n_trials"] == table["mep_latency"].notna().sum() < len(table)
