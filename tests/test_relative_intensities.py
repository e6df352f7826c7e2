"""Intensities in percent of a motor threshold: given, or from the threshold; in conditions, curves and batches."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.cli import app
from excitability.comparison.sentences import subject
from excitability.labels import condition_label
from excitability.measures import paired_pulse_curve
from excitability.protocol.grammar import condition_labels

RATE = 2000.0


def recording(table, n_seconds=60):
    noise = np.random.default_rng(0).normal(0, 3e-6, (1, int(n_seconds * RATE)))
    raw = mne.io.RawArray(noise, mne.create_info(["FDI"], RATE, "emg"), verbose="ERROR")
    return ex.set_stimuli(raw, pd.DataFrame(table))


@pytest.mark.parametrize(
    ("short", "threshold"), [("amt", "active_motor_threshold"), ("rmt", "resting_motor_threshold")]
)
def test_percent_of_threshold_follows_from_the_threshold(short, threshold):
    told = {"onset": [1.0, 4.0], "intensity": [48.0, 60.0], "conditioning_intensity": [np.nan, 32.0], threshold: 40.0}
    table = ex.stimuli(recording(told))
    assert table[f"intensity_{short}"].tolist() == [120.0, 150.0]
    assert table[f"conditioning_intensity_{short}"].iloc[1] == 80.0
    assert np.isnan(table[f"conditioning_intensity_{short}"].iloc[0])


def test_a_trunk_recording_without_a_heart_is_measured_and_says_so():
    raw = recording({"onset": 1.0 + 2.0 * np.arange(12), "intensity": 50.0}, n_seconds=30)
    found = ex.run(raw, "mep_trunk", muscles={"FDI": "MF"})
    assert found["flag"].str.contains("no_heart_beats_found").any()


def test_what_was_told_stays_and_an_unknown_threshold_says_nothing():
    told = {"onset": [1.0, 4.0], "intensity": [48.0, 60.0], "intensity_amt": [121.0, np.nan]}
    table = ex.stimuli(recording({**told, "active_motor_threshold": [40.0, np.nan]}))
    assert table["intensity_amt"].iloc[0] == 121.0
    assert np.isnan(table["intensity_amt"].iloc[1])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"amt": [120.0]}, "did you mean 'intensity_amt'"),
        ({"active_motor_threshold": [0.4]}, "expected %MSO"),
        ({"active_motor_threshold": [0.0]}, "active_motor_threshold = 0 in row 0; a threshold is above 0 %MSO"),
        ({"conditioning_intensity_amt": [0.9]}, "expected %AMT, such as 70 or 120, not a fraction"),
        ({"intensity_rmt": [1.2]}, "expected %RMT, such as 70 or 120, not a fraction"),
        (
            {"conditioning_intensity_amt": 90.0, "active_motor_threshold": 38.0, "conditioning_intensity": 37.0},
            "conditioning_intensity_amt = 90 in row 0, but conditioning_intensity = 37 %MSO is 97 % of active_motor",
        ),
    ],
)
def test_a_slip_is_refused(column, message):
    with pytest.raises(ValueError, match=message):
        recording({"onset": [1.0], **column})


def test_percent_of_threshold_may_be_rounded_to_a_step_of_the_stimulator():
    told = {"onset": [1.0], "conditioning_intensity": 34.0, "active_motor_threshold": 38.0}
    table = ex.stimuli(recording({**told, "conditioning_intensity_amt": 90.0}))  # 34.2 %MSO
    assert table["conditioning_intensity_amt"].tolist() == [90.0]


def test_the_threshold_of_a_session_is_an_option_of_reading(tmp_path):
    raw = recording({"onset": [1.0, 4.0], "intensity": [48.0, 60.0], "resting_motor_threshold": 50.0})
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    columns = {"active_motor_threshold": 40.0, "resting_motor_threshold": 60.0}
    table = ex.stimuli(ex.read(tmp_path / "a_raw.fif", columns=columns))
    assert table["intensity_amt"].tolist() == [120.0, 150.0]
    assert table["intensity_rmt"].tolist() == [80.0, 100.0], "the threshold of the option, not that of the file"


def test_the_threshold_of_a_session_is_a_column_of_the_table_of_sessions(tmp_path):
    onset = 1.0 + 2.0 * np.arange(24)
    raw = recording({"onset": onset, "intensity": np.repeat([40.0, 44.0, 48.0, 52.0], 6)}, n_seconds=55)
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    table = "participant\tsession\tfile\tactive_motor_threshold\n01\tpre\ta_raw.fif\t40\n02\tpre\ta_raw.fif\tn/a\n"
    (tmp_path / "sessions.tsv").write_text(table)
    found = ex.run_batch(tmp_path / "sessions.tsv", "recruitment_curve_trunk", muscles={"FDI": "MF"})
    assert (found["error"] == "").all()
    levels = found[found["measure"] == "mep_area"].groupby("participant")["condition"].agg(list)
    assert levels["01"] == ["amt_100", "amt_110", "amt_120", "amt_130"]
    assert levels["02"] == ["mso_40", "mso_44", "mso_48", "mso_52"]


def test_levels_relative_to_threshold_are_grouped_and_named_alike():
    table = pd.DataFrame({"conditioning_intensity_amt": [79.6, 81.2, 84.0]})
    assert condition_labels("cs_{conditioning_intensity_amt}", table).tolist() == ["cs_80", "cs_80", "cs_85"]
    assert condition_label("amt_120") == "120 % AMT"
    assert subject("m1/recruitment_curve_trunk", "mep_area", "MF", "amt_120").endswith(
        "(recruitment curve trunk, 120 % AMT) in MF"
    )


def test_a_curve_over_percent_of_active_threshold():
    rng = np.random.default_rng(3)
    truth = {50: 0.95, 60: 0.8, 70: 0.55, 80: 0.4, 90: 0.45}
    rows = [{"condition": "test", "mep_amplitude": 1e-3 * x} for x in rng.lognormal(-0.02, 0.2, 40)]
    for level, ratio in truth.items():
        for x in rng.lognormal(-0.02, 0.2, 30):
            shifted = level + rng.uniform(-1.5, 1.5)  # whole %MSO are no whole percent of a threshold
            rows.append(
                {"condition": f"cs_{level}", "conditioning_intensity_amt": shifted, "mep_amplitude": 1e-3 * ratio * x}
            )
    found = paired_pulse_curve(pd.DataFrame(rows), by="conditioning_intensity_amt")
    assert found["ratio_smallest"] == pytest.approx(0.4, abs=0.06)
    assert ex.load_protocol("sici_intensity_curve_amt").summary["curve"]["by"] == "conditioning_intensity_amt"


def test_the_checklist_tells_intensities_relative_to_threshold():
    raw, _ = ex.simulate.session(["m1/sici"], seed=1)
    table = ex.stimuli(raw).assign(active_motor_threshold=40.0)
    items = ex.checklist(ex.set_stimuli(raw, table), "sici", picks=["FDI"]).set_index("code")["answer"]
    assert "% of active motor threshold" in items["Con"]
    assert "%MSO" in items["Con"]


def test_the_command_line_takes_the_threshold():
    from typer.testing import CliRunner

    file = ex.sample_data_path() / "study/sub-01/ses-pre/emg/sub-01_ses-pre_task-sici_emg.bdf"
    done = CliRunner().invoke(
        app,
        [
            "run",
            str(file),
            "-p",
            "sici_intensity_curve_amt",
            "--picks",
            "FDI",
            "--set",
            "active_motor_threshold=40",
            "--set",
            "protocol=m1/sici_intensity_curve_amt",
        ],
    )
    assert done.exit_code == 0, done.output
    assert "conditioning 90 %" in done.output
