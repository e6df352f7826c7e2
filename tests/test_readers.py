"""Every reader, found by discovery, must keep the rules of the readers; and bad input must be told in one line."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from pathlib import Path

import mne
import numpy as np
import pytest

from excitability.readers import _registry, list_readers, open_recording
from excitability.resources import sample_data_path

SAMPLES = sample_data_path() / "formats"
READERS = _registry.readers()
#: Formats that nothing free can write; they are tested on the shared recordings.
NO_SAMPLE = {"spike2"}


def samples(name: str) -> list[Path]:
    """Files of a reader's sample folder that it recognises."""
    files = sorted(path for path in (SAMPLES / name).rglob("*") if path.is_file())
    return [path for path in files if READERS[name].sniff(path)]


ALL_SAMPLES = [(name, path) for name in READERS if name not in NO_SAMPLE for path in samples(name)]


@pytest.fixture(scope="module")
def maker():
    """The script that makes the samples."""
    spec = importlib.util.spec_from_file_location("maker", Path(__file__).parent / "make_sample_formats.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", READERS)
def test_reader_is_described_and_has_a_sample(name):
    reader = READERS[name]
    assert reader.name == name
    assert reader.title
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in reader.suffixes)
    assert name in NO_SAMPLE or samples(name), f"no file in {SAMPLES / name} is recognised"


BROKEN = {
    "empty": b"",
    "one_byte": b"\x00",
    "zeros": bytes(5000),
    "text": b"this is a letter, not a recording\nwith two lines\n",
    "latin1": "Grüße, Prüfung µV\n".encode("latin-1") * 20,
    "binary": bytes(range(256)) * 40,
    "zip": b"PK\x03\x04" + bytes(100),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(2000),
    "matlab": b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + bytes(300),
    "matlab73": b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(300),
    "numpy": b"\x93NUMPY\x01\x00",
    "gzip": b"\x1f\x8b" + bytes(50),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", BROKEN)
@pytest.mark.parametrize("suffix", [".dat", ".mat", ".txt", ".cnt", ".xlsx", ".edf"])
def test_sniff_never_raises(name, content, suffix, tmp_path):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(BROKEN[content])
    claimed = READERS[name].sniff(path)
    assert isinstance(claimed, bool)
    if content in ("empty", "one_byte", "zeros", "text", "latin1", "binary"):
        assert not claimed
    assert READERS[name].sniff(tmp_path / "absent.mat") is False
    assert READERS[name].sniff(tmp_path) is False


@pytest.mark.parametrize(("name", "path"), ALL_SAMPLES, ids=lambda value: getattr(value, "name", value))
def test_sample_is_claimed_by_its_reader_alone(name, path):
    assert [other for other, reader in READERS.items() if reader.sniff(path)] == [name]


@pytest.mark.parametrize(("name", "path"), ALL_SAMPLES, ids=lambda value: getattr(value, "name", value))
def test_sample_opens_in_volts_with_types_and_source(name, path):
    inst = open_recording(path)
    facts = inst.info["temp"]["excitability"]
    assert facts["format"] == name
    assert Path(facts["source"]) == path
    assert isinstance(facts["notes"], list)
    kinds = inst.get_channel_types()
    assert "emg" in kinds or "eeg" in kinds
    assert set(facts["units"]) <= set(inst.ch_names)
    for kind in {"emg", "eeg"} & set(kinds):
        typical = np.nanmedian(np.abs(inst.get_data(picks=kind)))
        assert 1e-7 < typical < 1e-2, f"{kind} of {typical} V"
    if isinstance(inst, mne.BaseEpochs):
        assert inst.times[0] < 0 < inst.times[-1]
        assert len(inst.metadata) == len(inst)


@pytest.mark.parametrize(("name", "path"), ALL_SAMPLES, ids=lambda value: getattr(value, "name", value))
def test_truncated_sample_is_one_clear_line_or_opens(name, path, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(SAMPLES / name, folder)
    cut = folder / path.relative_to(SAMPLES / name)
    content = cut.read_bytes()
    for share in (0.02, 0.5, 0.95):
        cut.write_bytes(content[: int(share * len(content))])
        for reader in READERS.values():
            assert isinstance(reader.sniff(cut), bool)
        told = None
        try:
            open_recording(cut)
        except (ValueError, FileNotFoundError) as error:
            told = str(error)
        if told is not None:
            assert cut.stem in told
            assert "\n" not in told


@pytest.mark.parametrize(("name", "path"), ALL_SAMPLES, ids=lambda value: getattr(value, "name", value))
def test_simulated_amplitudes_come_back(name, path, maker):
    inst = open_recording(path)
    if "emg" not in inst.get_channel_types() or path.suffix == ".set":
        pytest.skip("the sample holds no responses")
    rate, data = inst.info["sfreq"], inst.get_data(picks="emg")
    if isinstance(inst, mne.BaseEpochs):
        frames, zero = data[:, 0], int(np.argmin(np.abs(inst.times)))
    else:
        spacing = data.shape[1] // 4 if name == "labchart_text" else int(0.4 * rate)
        frames, zero = data[0][: 4 * spacing].reshape(4, spacing), spacing // 2
    window = frames[:, zero + int(0.015 * rate) : zero + int(0.05 * rate)]
    expected = np.array(maker.AMPLITUDES)
    np.testing.assert_allclose(np.ptp(window, axis=1), expected, rtol=0.03, atol=10e-6)


def test_registry_lists_every_sample_with_its_hash():
    listed = {}
    for line in (SAMPLES.parent / "registry.txt").read_text().splitlines():
        digest, name = line.split("  ", 1)
        listed[name] = digest
    files = [path for path in SAMPLES.parent.rglob("*") if path.is_file() and path.name != "registry.txt"]
    assert {path.relative_to(SAMPLES.parent).as_posix() for path in files} == set(listed)
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert listed[path.relative_to(SAMPLES.parent).as_posix()] == digest, f"{path} changed"
    assert sum(path.stat().st_size for path in files) < 2_500_000


def test_a_reader_of_another_package_is_found(monkeypatch, tmp_path):
    def read(path):
        raw = mne.io.RawArray(np.zeros((1, 10)), mne.create_info(["FDI"], 100.0, "emg"), verbose="error")
        raw.info["temp"] = {"excitability": {"source": str(path)}}
        return raw

    class Point:
        name, value = "other", "other_package:READER"

        def load(self):
            return _registry.Reader("other", (".oth",), lambda path: path.read_bytes()[:5] == b"OTHER", read)

    class Broken(Point):
        def load(self):
            raise ImportError("gone")

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point(), Broken()])
    _registry.readers.cache_clear()
    try:
        with pytest.warns(UserWarning, match="gone"):
            assert "other" in list_readers()
        (tmp_path / "a.dat").write_bytes(b"OTHER format")
        assert open_recording(tmp_path / "a.dat").info["temp"]["excitability"]["format"] == "other"
    finally:
        _registry.readers.cache_clear()


def test_missing_file_lists_near_names(tmp_path):
    (tmp_path / "sub-01_sici.txt").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"no file .*sub-01_sci\.txt; near it in .*: sub-01_sici\.txt"):
        open_recording(tmp_path / "sub-01_sci.txt")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "notes.odt").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"absent\.vhdr; the folder .* holds sub-01_sici\.txt$"):
        open_recording(tmp_path / "absent.vhdr")
    (tmp_path / "sub-01_sici.txt").rename(tmp_path / "letter.odt")
    with pytest.raises(FileNotFoundError, match="holds no recordings"):
        open_recording(tmp_path / "absent.vhdr")
    (tmp_path / "letter.odt").rename(tmp_path / "sub-01_sici.txt")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        open_recording(tmp_path / "no" / "rec.vhdr")
    with pytest.raises(FileNotFoundError, match="no sidecar"):
        open_recording(tmp_path / "sub-01_sici.txt", sidecar=tmp_path / "no.toml")


def test_folder_says_what_to_type_instead(tmp_path):
    with pytest.raises(ValueError, match=r"is a folder; expected one recording.*find_sessions"):
        open_recording(tmp_path)


def test_unknown_content_shows_first_bytes_and_known_formats(tmp_path):
    (tmp_path / "a.dat").write_bytes(b"\x01\x02\xff\x00")
    with pytest.raises(ValueError, match=r"begins with the bytes 01 02 ff 00\. Known formats: .*\[brainsight\]"):
        open_recording(tmp_path / "a.dat")
    (tmp_path / "letter.txt").write_text("Dear colleague")
    with pytest.raises(ValueError, match="begins with the text 'Dear colleague'"):
        open_recording(tmp_path / "letter.txt")
    (tmp_path / "empty.edf").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty \(0 bytes\)"):
        open_recording(tmp_path / "empty.edf")


@pytest.mark.parametrize(
    ("suffix", "message"), [(".smrx", "export it from Spike2"), (".adicht", "export it from LabChart")]
)
def test_formats_that_cannot_be_opened_say_what_to_export(tmp_path, suffix, message):
    (tmp_path / f"a{suffix}").write_bytes(bytes(range(200)))
    with pytest.raises(ValueError, match=message):
        open_recording(tmp_path / f"a{suffix}")


def test_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"h5py, which is not installed: pip install excitability\[io\]"):
        open_recording(SAMPLES / "arrays" / "intensities.mat")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ImportError, match=r"pip install excitability\[io\]"):
        open_recording(SAMPLES / "tables" / "matrix.xlsx")
