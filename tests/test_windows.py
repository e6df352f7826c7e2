"""Windows read straight from the file are those of MNE to the bit; whatever is not plain is left to MNE."""

import edfio
import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability.trials import cut, cutting, windows
from excitability.trials.windows import read_windows

RATE, SECONDS = 500, 7
N = RATE * SECONDS
NAMES = ["FDI", "Cz", "APB", "Fz", "EOG", "ADM"]
SAMPLE = ex.sample_data_path() / "formats"
STARTS = np.array([0, 1, RATE - 3, 2 * RATE, 2 * RATE + 17, N - 120])
LENGTH = 120


def brainvision(folder, kind="INT_16", orientation="MULTIPLEXED"):
    rng = np.random.default_rng(3)
    codes = {"INT_16": "<i2", "INT_32": "<i4", "IEEE_FLOAT_32": "<f4"}
    data = rng.normal(0, 900, (N, len(NAMES))).astype(codes[kind])
    data = data if orientation == "MULTIPLEXED" else np.ascontiguousarray(data.T)
    (folder / "rec.eeg").write_bytes(data.tobytes() + b"\0")  # a last sample that is not whole
    steps = ["0.5,µV", "0.1,µV", "0.0488281,mV", ",µV", "0.7,nV", "0.3,V"]
    lines = "".join(f"Ch{i + 1}={name},,{step}\n" for i, (name, step) in enumerate(zip(NAMES, steps, strict=True)))
    (folder / "rec.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=rec.eeg\n"
        f"MarkerFile=rec.vmrk\nDataFormat=BINARY\nDataOrientation={orientation}\nNumberOfChannels={len(NAMES)}\n"
        f"SamplingInterval={1e6 / RATE:g}\n[Binary Infos]\nBinaryFormat={kind}\n[Channel Infos]\n{lines}",
        encoding="utf-8",
    )
    marks = "".join(f"Mk{i + 2}=Stimulus,S  1,{sample},1,0\n" for i, sample in enumerate((20, 700, 1501, 2500, N - 9)))
    (folder / "rec.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\nDataFile=rec.eeg\n"
        f"[Marker Infos]\nMk1=New Segment,,1,1,0,20260102030405000000\n{marks}",
        encoding="utf-8",
    )
    return mne.io.read_raw_brainvision(folder / "rec.vhdr")


def european(folder, kind, slow=False, record=1.0):
    rng = np.random.default_rng(4)
    signal = {"edf": edfio.EdfSignal, "bdf": edfio.BdfSignal}[kind]
    signals = [
        signal(
            rng.normal(0, 90, SECONDS * rate),
            rate,
            label=name,
            physical_dimension=unit,
            physical_range=(-1000.25, 900 + i),
        )
        for i, (name, unit, rate) in enumerate(
            [("FDI", "uV", RATE), ("APB", "mV", RATE), ("Resp", "uV", 100 if slow else RATE), ("Status", "", RATE)]
        )
    ]
    notes = [edfio.EdfAnnotation(at, None, "pulse") for at in (0.1, 1.5, 4.0)]
    made = {"edf": edfio.Edf, "bdf": edfio.Bdf}[kind](signals, annotations=notes, data_record_duration=record)
    made.write(folder / f"rec.{kind}")
    return getattr(mne.io, f"read_raw_{kind}")(folder / f"rec.{kind}")


MAKE = {
    "brainvision int16": brainvision,
    "brainvision int32": lambda folder: brainvision(folder, "INT_32"),
    "brainvision float32": lambda folder: brainvision(folder, "IEEE_FLOAT_32"),
    "edf": lambda folder: european(folder, "edf"),
    "edf short records": lambda folder: european(folder, "edf", record=0.1),
    "edf with a slow channel": lambda folder: european(folder, "edf", slow=True),
    "bdf": lambda folder: european(folder, "bdf"),
}


def same(raw, picks, starts=STARTS, length=LENGTH):
    """Whether the windows are read, and are those of MNE to the bit."""
    found = read_windows(raw, starts, length, picks)
    assert found is not None
    told = np.stack([raw.get_data(picks=picks, start=start, stop=start + length) for start in starts])
    return found.tobytes() == told.tobytes()


@pytest.mark.parametrize("kind", MAKE)
def test_windows_are_those_of_mne_to_the_bit(kind, tmp_path):
    raw = MAKE[kind](tmp_path)
    assert same(raw, raw.ch_names[:2])
    assert same(raw, ["APB", "FDI"])
    assert same(raw, ["APB"], STARTS[::-1])
    assert same(raw, ["FDI"], np.array([0]), raw.n_times)


@pytest.mark.parametrize("kind", MAKE)
def test_a_recording_may_be_cropped_picked_renamed_and_typed(kind, tmp_path):
    raw = MAKE[kind](tmp_path)
    raw.set_channel_types({"FDI": "emg", "APB": "misc"}, on_unit_change="ignore")
    raw.rename_channels({"APB": "a muscle"})
    raw.pick(["a muscle", "FDI"]).crop(1.234, 5.0)
    last = raw.n_times - LENGTH
    assert same(raw, ["FDI", "a muscle"], np.array([0, 400, last]))
    assert same(raw, ["FDI", "a muscle"][::-1], np.array([last, 400]))
    assert same(raw.crop(0.5, 3.0), ["FDI"], np.array([0, 400]))
    assert same(raw.copy().crop(0.5, 2.0, reset_first_samp=True), ["FDI"], np.array([0, 400]))


@pytest.mark.parametrize("name", ["mne_formats/brainvision.vhdr", "mne_formats/edf.edf"])
def test_sample_files(name):
    raw = ex.read(SAMPLE / name)
    assert same(raw, raw.ch_names, np.array([0, 100, raw.n_times - 50]), 50)


@pytest.mark.parametrize("name", ["nexstim.nxe", "eeglab.set"])
def test_other_formats_are_left_to_mne(name):
    raw = mne.io.read_raw(SAMPLE / "mne_formats" / name)
    assert read_windows(raw, np.array([0]), 10, raw.ch_names[:1]) is None


def test_what_is_not_plainly_in_the_file_is_left_to_mne(tmp_path):
    raw = brainvision(tmp_path)
    ask = STARTS, LENGTH, ["FDI"]
    assert read_windows(raw, *ask) is not None
    assert read_windows(raw.copy().load_data(), *ask) is None
    assert read_windows(mne.concatenate_raws([raw.copy(), raw.copy()], preload=False), *ask) is None
    assert read_windows(raw.copy().set_eeg_reference(projection=True), *ask) is None
    assert read_windows(raw, np.array([], dtype=int), LENGTH, ["FDI"]) is None
    assert read_windows(mne.io.RawArray(np.zeros((1, N)), mne.create_info(["FDI"], RATE)), *ask) is None
    assert read_windows(brainvision(tmp_path, orientation="VECTORIZED"), *ask) is None
    (tmp_path / "rec.eeg").unlink()
    assert read_windows(raw, *ask) is None


def test_channels_that_mne_resamples_or_masks_are_left_to_it(tmp_path):
    raw = european(tmp_path, "edf", slow=True)
    assert read_windows(raw, STARTS, LENGTH, ["FDI", "Resp"]) is None
    assert read_windows(raw, STARTS, LENGTH, ["Status"]) is None


def test_windows_outside_the_recording_are_refused(tmp_path):
    raw = brainvision(tmp_path)
    for starts in ([-1, 5], [0, N - LENGTH + 1]):
        with pytest.raises(ValueError, match="do not lie in a recording"):
            read_windows(raw, np.array(starts), LENGTH, ["FDI"])


@pytest.mark.parametrize("kind", ["brainvision int16", "edf", "bdf"])
@pytest.mark.parametrize("change", ["gone", "renamed", "another scale"])
def test_another_version_of_mne_leads_back_to_it(kind, change, tmp_path):
    raw = MAKE[kind](tmp_path)
    facts = raw._raw_extras[0]
    if change == "gone":
        raw._raw_extras = None
    elif change == "renamed":
        raw._raw_extras = [{f"new_{name}": value for name, value in facts.items()}]
    else:
        raw.get_data = lambda **given: 2 * type(raw).get_data(raw, **given)
    assert read_windows(raw, STARTS, LENGTH, ["FDI"]) is None


def both(monkeypatch, make):
    """What is made with the mapped file and what MNE makes."""
    fast = make()
    with monkeypatch.context() as patch:
        patch.setattr(cutting, "read_windows", lambda *given: None)
        return fast, make()


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("from_second", [0.0, 0.6])
def test_trials_are_those_of_mne(kind, from_second, tmp_path, monkeypatch):
    raw = MAKE[kind](tmp_path).crop(from_second)
    raw.set_channel_types({"FDI": "emg", "APB": "emg"}, on_unit_change="ignore")
    raw.info["bads"] = ["FDI"]
    table = pd.DataFrame({"onset": [0.02, 0.9, 1.5, 3.1234, 5.0, raw.times[-1] - 0.01], "intensity": range(40, 46)})
    raw = ex.set_stimuli(raw, table)
    only = np.array([True, False, True, True, False, True])
    fast, slow = both(monkeypatch, lambda: cut(raw, tmin=-0.1, tmax=0.2, picks=["APB", "FDI"], only=only).epochs)
    assert isinstance(fast, mne.EpochsArray)
    assert isinstance(slow, mne.Epochs)
    assert fast.get_data().tobytes() == slow.get_data().tobytes()
    assert fast.drop_log == slow.drop_log
    assert fast.selection.tolist() == slow.selection.tolist() == [2, 3]
    np.testing.assert_array_equal(fast.events, slow.events)
    np.testing.assert_array_equal(fast.times, slow.times)
    assert (fast.event_id, fast.baseline, fast.proj, fast.tmin) == (slow.event_id, slow.baseline, slow.proj, slow.tmin)
    pd.testing.assert_frame_equal(fast.metadata, slow.metadata)
    assert mne.utils.object_diff(fast.info, slow.info) == ""
    assert fast.annotations == slow.annotations
    assert fast.get_annotations_per_epoch() == slow.get_annotations_per_epoch()


def test_each_trial_keeps_its_own_stimuli_where_pulses_are_left_out():
    """MNE 1.13 takes the rows of the first trials when metadata are handed over with events that are left out."""
    noise = np.random.default_rng(0).normal(0, 3e-6, (1, N))
    raw = mne.io.RawArray(noise, mne.create_info(["FDI"], RATE, "emg"))
    raw = ex.set_stimuli(raw, pd.DataFrame({"onset": [1.0, 2.0, 3.0, 4.0], "intensity": [40, 50, 60, 70]}))
    epochs = cut(raw, tmin=-0.1, tmax=0.2, only=np.array([False, True, False, True])).epochs
    assert epochs.metadata["intensity"].tolist() == [50.0, 70.0]
    assert epochs.metadata.index.tolist() == epochs.selection.tolist() == [1, 3]


def test_trial_tables_and_results_are_the_same_either_way(tmp_path, monkeypatch):
    brainvision(tmp_path)
    raw = ex.read(tmp_path / "rec.vhdr", trigger="S  1")
    ask = {"picks": ["FDI", "APB"], "muscles": {"FDI": "FDI", "APB": "APB"}}
    fast, slow = both(monkeypatch, lambda: ex.trial_table(raw, "mep", **ask))
    pd.testing.assert_frame_equal(fast, slow, check_exact=True)
    assert (fast["reject"] == "epoch outside recording").sum() == 4
    fast, slow = both(monkeypatch, lambda: ex.run(raw, "mep", **ask))
    pd.testing.assert_frame_equal(fast, slow, check_exact=True)


def test_the_mapped_file_is_used_when_it_can_be(tmp_path, monkeypatch):
    """The short way is no help if it is never taken."""
    raw = ex.read(SAMPLE / "mne_formats" / "brainvision.vhdr")
    seen = []
    plain = windows.read_windows
    monkeypatch.setattr(cutting, "read_windows", lambda *given: seen.append(plain(*given)) or seen[-1])
    ex.trial_table(raw, "mep")
    assert len(seen) == 1
    assert seen[0] is not None


def test_set_stimuli_leaves_the_recording_as_it_was():
    raw = ex.read(SAMPLE / "mne_formats" / "brainvision.vhdr")
    before = raw.annotations.copy()
    other = ex.set_stimuli(raw, pd.DataFrame({"onset": [0.123456789], "intensity": [33.0]}))
    assert raw.annotations == before
    assert ex.stimuli(other)["onset"].tolist() == pytest.approx([0.123457], abs=1e-12)
    others = [text for text in before.description if str(text) != "TMS"]
    assert [text for text in other.annotations.description if str(text) != "TMS"] == others
