"""What inspect says of codes and markers, which protocol it names, and the command it gives."""

import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import excitability as ex
from excitability.cli import app
from excitability.next_step import fitting_protocols, next_command
from excitability.protocol import list_protocols

sys.path.insert(0, str(Path(__file__).parent))
from pair_recordings import recorded, saved

CODES = {0.003: "S  2", 0.012: "S  3"}
BLOCKS = [
    {"code": "S  1", "pulse_count": 1, "intensity": 60},
    {"code": "S  2", "pulse_count": 2, "inter_stimulus_interval": 0.003, "intensity": 60},
    {"code": "S  3", "pulse_count": 2, "inter_stimulus_interval": 0.012, "intensity": 60},
]


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    raw, table, onset = recorded(intervals=tuple(CODES), n=8)
    names = table["inter_stimulus_interval"].map(CODES).fillna("S  1")
    return saved(tmp_path_factory.mktemp("coded"), raw, onset, [f"Stimulus/{name}" for name in names], "fif")


def test_all_codes_at_artefacts_are_taken_and_named(coded):
    found = ex.inspect(coded)
    assert len(found.stimuli) == 24
    assert found.stimuli["marker"].value_counts().to_dict() == dict.fromkeys(
        ["Stimulus/S  1", "Stimulus/S  2", "Stimulus/S  3"], 8
    )
    assert found.stimuli["inter_stimulus_interval"].dropna().value_counts().to_dict() == {0.003: 8, 0.012: 8}
    assert any("several markers are taken together" in note and "'Stimulus/S  2' (8)" in note for note in found.notes)
    (entry,) = [entry for entry in found.missing if "marker means" in entry]
    for words in ("Stimulus/S  1 × 8", "Stimulus/S  3 × 8", "[[stimuli.codes]]", 'code = "S  1"'):
        assert words in entry
    assert set(found.pulses.set_index("source")["used"]) == {"yes"}
    assert not any("ms after the trigger" in note for note in found.notes)


def test_codes_that_a_sidecar_leaves_out_are_named(coded):
    found = ex.inspect(coded, codes=BLOCKS[:2])
    used = found.pulses.set_index("source")["used"]
    assert used["Stimulus/S  2"] == "yes"
    assert used["Stimulus/S  3"] == ""
    (entry,) = [entry for entry in found.missing if "not used" in entry]
    assert "'Stimulus/S  3' (8); 16 trials of 24 artefacts" in entry
    assert 'code = "S  3"' in entry
    assert not [entry for entry in ex.inspect(coded, codes=BLOCKS).missing if "not used" in entry]


def test_artefacts_without_a_marker_are_counted(tmp_path):
    raw, _, onset = recorded(intervals=(0.003,), n=8)
    path = saved(tmp_path, raw, onset[:10], ["S  1"] * 10, "fif")
    assert any("6 of 16 pulse artefacts have no marker" in entry for entry in ex.inspect(path).missing)
    assert not any("no marker" in entry for entry in ex.inspect(path, trigger="artefact").missing)


def test_a_code_of_pairs_alone_is_not_said_to_lie_beside_its_artefact(coded):
    """The first artefact of a pair is no delay of the marker at the last."""
    found = ex.inspect(coded, trigger="S  3")
    assert not any("ms after the" in note for note in found.notes)
    assert not any("artefact comes" in entry for entry in found.missing)
    assert found.stimuli["inter_stimulus_interval"].tolist() == [0.012] * 8


def test_the_next_command_keeps_what_was_typed_and_runs(coded, tmp_path):
    sidecar = tmp_path / "my lab.toml"
    blocks = [
        f'[[stimuli.codes]]\ncode = "{block["code"]}"\npulse_count = {block["pulse_count"]}\n'
        + (f"inter_stimulus_interval = {block['inter_stimulus_interval']}\n" if block["pulse_count"] == 2 else "")
        for block in BLOCKS
    ]
    sidecar.write_text("\n".join(blocks))
    words = ["inspect", str(coded), "--sidecar", str(sidecar), "--set", "intensity=60", "--muscle", "LES=LES"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    line = shown.output.splitlines()[-1].removeprefix("Next: ")
    kept = ["--muscle", "LES=LES", "--sidecar", str(sidecar), "--set", "intensity=60"]
    assert shlex.split(line)[1:] == ["run", str(coded), "--protocol", "sici", "--picks", "FDI", *kept]
    ran = CliRunner().invoke(app, shlex.split(line)[1:])
    assert ran.exit_code == 0, ran.output
    assert "conditioned" in ran.output


def test_every_option_of_the_command_line_is_kept():
    options = {
        "stimuli": "log.csv", "trigger": "S  1", "sampling_rate": 5000.0, "unit": "mV", "pulse_time": 0.1,
        "channel_names": ["FDI", "ES"], "channel_types": {"*": "eeg", "FDI": "emg"}, "columns": {"intensity": 55.0},
        "format": "arrays",
    }  # fmt: skip
    assert next_command("a.npy", "mep", "", options) == (
        "excitability run a.npy --protocol mep --stimuli log.csv --trigger 'S  1' --sampling-rate 5000 --unit mV "
        "--pulse-time 0.1 --channel-name FDI,ES --channel-type eeg --channel-type FDI=emg --set intensity=55 "
        "--format arrays"
    )


@pytest.mark.parametrize(
    "name",
    [
        "sici",
        "icf",
        "lici",
        "lihi",
        "ihi",
        "cbi",
        "dual_site",
        "sai",
        "lai",
        "sicf",
        "sicf_curve",
        "sici_intensity_curve",
        "mep",
        "motor_map",
        "plasticity",
        "recruitment_curve",
        "i_wave_latency",
        "central_conduction",
        "triple_stimulation",
        "m_max",
        "cortical_silent_period",
        "anticipatory_activation",
        "paired_pulse_curve",
        "threshold_tracking_sici",
        "trunk_laterality",
        "mep_trunk",
        "sici_trunk",
    ],
)
def test_the_protocol_named_is_that_of_the_stimuli(name):
    raw, _ = ex.simulate.session([f"m1/{name}"], seed=1)
    stimuli = ex.stimuli(raw).drop(columns="protocol", errors="ignore")
    trunk = name.endswith("_trunk") or name == "trunk_laterality"
    assert fitting_protocols(stimuli, "ES" if trunk else "FDI")[0] == name


def test_named_protocols_exist():
    from excitability import next_step

    known = {name.rsplit("/", 1)[-1] for name in list_protocols()}
    assert {*next_step._BANDS, *next_step._TRUNK, *(f"{name}_trunk" for name in next_step._TRUNK)} <= known


def test_a_reversed_pair_is_facilitation_and_a_mixed_recording_names_all():
    pairs = pd.DataFrame({"pulse_count": [1, 2, 2], "inter_stimulus_interval": [np.nan, 0.0015, 0.0027]})
    weak = pairs.assign(intensity=55.0, conditioning_intensity=[np.nan, 40.0, 40.0])
    strong = pairs.assign(intensity=42.0, conditioning_intensity=[np.nan, 55.0, 55.0])
    assert fitting_protocols(weak) == ["sici"]
    assert fitting_protocols(strong) == ["sicf"]
    mixed = pd.DataFrame({"pulse_count": [2, 2, 2], "inter_stimulus_interval": [0.012, 0.012, 0.1]})
    assert fitting_protocols(mixed) == ["icf", "lici"]
    assert fitting_protocols(mixed, emg=False) == ["m1/icf_tep"]
