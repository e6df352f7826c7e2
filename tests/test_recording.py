"""A recording opened: which pulses are taken, and what inspect says of a file."""

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex

RATE = 2000.0
ONSETS = np.array([1.0, 5.0, 9.5, 14.0])


def saved(tmp_path, markers=(), artefacts=True, scale=1.0, name="rec_raw.fif"):
    noise = np.random.default_rng(0).normal(0, 3e-6, (2, int(20 * RATE)))
    for onset in ONSETS if artefacts else ():
        start = round(onset * RATE)
        noise[:, start : start + 4] += 2e-3 * np.array([1, -0.8, 0.4, -0.1])
    raw = mne.io.RawArray(noise * scale, mne.create_info(["RFDI", "LES"], RATE, "emg"))
    if markers:
        onsets, names = zip(*markers, strict=True)
        raw.set_annotations(mne.Annotations(onsets, 0, names))
    path = tmp_path / name
    raw.save(path, overwrite=True, fmt="double")
    return path


def test_the_trigger_that_the_artefact_confirms_is_the_pulse(tmp_path):
    markers = [(onset - 0.001, "S255") for onset in ONSETS] + [(onset + 0.0093, "S254") for onset in ONSETS]
    table = ex.stimuli(ex.read(saved(tmp_path, markers), align="trigger"))
    assert table["onset"].tolist() == pytest.approx((ONSETS - 0.001).tolist(), abs=1e-6)


def test_a_trigger_that_comes_early_is_corrected_by_the_artefact_and_told(tmp_path):
    raw = ex.read(saved(tmp_path, [(onset - 0.001, "S255") for onset in ONSETS]))
    assert ex.stimuli(raw)["onset"].tolist() == pytest.approx(ONSETS.tolist(), abs=1e-6)
    assert any("1.00 ms after the trigger" in note for note in raw.info["temp"]["excitability"]["notes"])
    with pytest.raises(ValueError, match="did you mean 'artefact'"):
        ex.read(saved(tmp_path), align="artifact")


def test_without_triggers_the_artefact_is_the_pulse(tmp_path):
    table = ex.stimuli(ex.read(saved(tmp_path)))
    assert table["onset"].tolist() == pytest.approx(ONSETS.tolist(), abs=1e-3)


def test_several_triggers_and_no_artefact_are_not_guessed(tmp_path):
    path = saved(tmp_path, [(1.0, "A"), (2.0, "B"), (3.0, "A")], artefacts=False)
    with pytest.warns(UserWarning, match="Say which with trigger='NAME'"):
        raw = ex.read(path)
    assert not len(ex.stimuli(raw))
    with pytest.raises(ValueError, match="no pulses"):
        ex.run(raw, "mep", picks="FDI")
    assert ex.stimuli(ex.read(path, trigger="A"))["onset"].tolist() == [1.0, 3.0]
    with pytest.raises(ValueError, match="unknown trigger 'C'"):
        ex.read(path, trigger="C")


def test_a_log_is_joined_and_can_stand_in_for_triggers(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("intensity\n40\n50\n60\n70\n")
    assert ex.stimuli(ex.read(saved(tmp_path), stimuli=log))["intensity"].tolist() == [40, 50, 60, 70]
    log.write_text("intensity\n40\n50\n60\n")
    with pytest.raises(ValueError, match="3 rows, the recording 4 trials"):
        ex.read(saved(tmp_path), stimuli=log)
    own = pd.DataFrame({"onset": [2.0, 6.0], "intensity": [50.0, 60.0]})
    quiet = saved(tmp_path, artefacts=False, name="quiet_raw.fif")
    assert ex.stimuli(ex.read(quiet, stimuli=own))["onset"].tolist() == [2.0, 6.0]


def test_inspect_shows_triggers_and_artefacts_side_by_side(tmp_path):
    markers = [(onset - 0.001, "S255") for onset in ONSETS]
    found = ex.inspect(saved(tmp_path, markers))
    row = found.pulses.set_index("source").loc["S255"]
    assert row["count"] == 4
    assert row["used"] == "yes"
    assert row["artefact_offset"] == pytest.approx(1e-3, abs=0.6e-3)
    text = str(found)
    for word in ("RFDI", "FDI", "LES", "2000 Hz", "S255", "pulse artefact", "--stimuli LOG.csv"):
        assert word in text


def test_inspect_sees_what_is_wrong_with_channels(tmp_path):
    data = np.random.default_rng(0).normal(0, 3e-6, (5, 8000))
    data[1] = data[0]
    data[2] = 0
    data[3] = np.clip(data[3], -2e-6, 2e-6)
    data[4] *= 1e5
    names = ["FDI", "APB", "ADM", "ECR", "TA"]
    raw = mne.io.RawArray(data, mne.create_info(names, RATE, "emg"))
    flags = ex.inspect(raw).channels.set_index("channel")["flag"]
    assert flags["FDI"] == ""
    assert "copy of FDI" in flags["APB"]
    assert "flat" in flags["ADM"]
    assert "clipped" in flags["ECR"]
    assert "too large" in flags["TA"]


def test_a_missing_file_names_its_neighbours(tmp_path):
    saved(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"rec_raw\.fif"):
        ex.read(tmp_path / "rec_rwa.fif")


def test_markers_without_parameters_say_what_is_known(tmp_path):
    raw = ex.read(saved(tmp_path))
    raw = ex.set_stimuli(raw, ex.stimuli(raw).assign(pulse_count=4.0))
    with pytest.raises(ValueError, match=r"belongs to a condition of m1/sici.*--stimuli LOG.csv") as caught:
        ex.run(raw, "sici", picks="FDI")
    assert "pulse_count = 4" in str(caught.value)


def test_inspect_says_when_the_artefact_is_too_far_from_the_pulse():
    """Eight milliseconds of delay are more than reading corrects: every latency would be wrong by them."""
    raw, _ = ex.simulate.session(["m1/mep"], seed=3)
    table = ex.stimuli(raw)
    assert not any("artefact" in entry for entry in ex.inspect(raw).missing)
    table["onset"] -= 0.008
    told = ex.inspect(ex.set_stimuli(raw, table)).missing
    (entry,) = [entry for entry in told if "artefact" in entry]
    assert abs(float(entry.rsplit("=", 1)[1]) - 0.008) < 0.0005
