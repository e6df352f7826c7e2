"""Readers: one vendor format a file; the format is found by what is in the file, not by its name.

The folder is scanned: a module with ``READER = Reader(name, suffixes, sniff, read)`` is all a new format needs.
"""

from __future__ import annotations

import difflib
import warnings
from pathlib import Path
from typing import Any

from ..schema import unknown_word
from ._finish import finish
from ._registry import Reader, first_bytes, is_text, readers
from ._sidecar import OPTIONS, Sidecar, check, merged, read_sidecar

__all__ = ["Reader", "list_readers", "open_recording"]

#: Formats that cannot be opened on this system: what to do instead.
_EXPORT = {
    ".smrx": "a 64-bit Spike2 file: export it from Spike2 as .smr, MATLAB or text",
    ".adicht": "a LabChart file: export it from LabChart as text (.txt) or MATLAB",
    ".cfs": "a CED Signal file: export it from Signal as MATLAB (.mat)",
    ".acq": "an AcqKnowledge file: export it from AcqKnowledge as MATLAB (.mat)",
    ".nbe": "a Nexstim session file: export its EMG as text and describe it in a sidecar",
    ".qzd": "a QtracW file: export it as text and describe it in a sidecar",
    ".mem": "a QtracW file: export it as text and describe it in a sidecar",
    ".eeg": "the data of a BrainVision recording: its header .vhdr must lie beside it and be whole",
}

#: Folders that are one recording.
_FOLDER_FORMATS = (".mff", ".ds", ".mefd")


def list_readers() -> list[str]:
    """Names of the formats that can be opened.

    Examples
    --------
    >>> "brainsight" in list_readers()
    True
    """
    return sorted(readers())


def open_recording(path: str | Path, *, sidecar: str | Path | None = None, **options: Any) -> Any:
    """Open one recording: volts, seconds, channel types, markers under the names the vendor gave them.

    Which marker is a pulse is not decided here (:func:`excitability.read` does that).

    Parameters
    ----------
    path : path-like
        The file.
    sidecar : path-like, optional
        TOML file that describes the recording (grammar: ``docs/sidecar.md``). By default the file of
        the same stem and suffix ``.toml`` beside the recording, where there is one.
    **options
        The words of the sidecar as keywords: ``variable``, ``axes``, ``sampling_rate``, ``unit``, ``pulse_time``,
        ``select``, ``channel_names``, ``channel_types`` (one word for all, or a mapping), ``channel_units``,
        ``montage``, ``muscles``, ``trigger``, ``delay``, ``table``, ``pulse``,
        ``inter_stimulus_interval``, ``columns``, ``codes``, ``participant``, ``session``,
        ``protocol``, ``stimulator``, ``coil``, ``waveform``, ``reference``, ``software_filters``,
        ``hardware_filters``; ``format`` to choose the reader; and the options of that reader
        (``data_format`` of Neuroscan files, …). An option wins over the sidecar.

    Returns
    -------
    mne.io.Raw | mne.Epochs
        Epochs when the file holds frames; then t = 0 is the last pulse and the metadata hold what is known of the
        stimuli. ``info["temp"]["excitability"]`` says where it came from.

    Raises
    ------
    FileNotFoundError
        With the file names nearest to the one given.
    ValueError
        When the content is of no known format, an option is misspelt, or the file does not say its rate, unit or
        pulse time.
    ImportError
        When a library of the format is missing, with what to type.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "meps.npy"
    >>> np.save(path, np.random.default_rng(0).normal(0.0, 5.0, (450, 12)))   # µV, samples × trials
    >>> epochs = open_recording(path, axes="samples, trials", sampling_rate=3000, unit="uV", pulse_time=0.05,
    ...                         channel_names=["FDI"], columns={"intensity": 55})
    >>> len(epochs), float(epochs.tmin), epochs.get_channel_types(), float(epochs.metadata["intensity"].iloc[0])
    (12, -0.05, ['emg'], 55.0)
    """
    path = Path(path)
    _check_path(path)
    said, sidecar_path = _said(path, sidecar)
    reader = _reader(path, options.get("format", said.reader.get("format")))
    said = _with_options(said, options, reader)
    arguments = _arguments(path, said, reader)
    import mne

    # MNE tells of every change of metadata; its warnings go into the notes of the recording
    with mne.utils.use_log_level("warning"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inst = _read(path, reader, arguments)
    if not inst.info.get("temp"):
        inst.info["temp"] = {}
    facts = inst.info["temp"].setdefault("excitability", {})
    facts.setdefault("source", str(path))
    facts.setdefault("units", {})
    facts["format"] = reader.name
    facts["notes"] = [*facts.get("notes", []), *dict.fromkeys(_worth_telling(caught))]
    return finish(inst, said, path=path, sidecar_path=sidecar_path, frames_done="columns" in reader.parameters)


def _check_path(path: Path) -> None:
    if path.is_dir() and path.suffix.lower() not in _FOLDER_FORMATS:
        raise ValueError(
            f"{path} is a folder; expected one recording. For a study type excitability.find_sessions({str(path)!r}), "
            f"or excitability batch {path}"
        )
    if path.exists():
        if path.is_file() and path.stat().st_size == 0:
            raise ValueError(f"{path} is empty (0 bytes); expected a recording")
        return
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"no file {path}: the folder {folder} does not exist")
    present = sorted(item.name for item in folder.iterdir() if not item.name.startswith("."))
    near = difflib.get_close_matches(path.name, present, n=5, cutoff=0.6)
    if near:
        raise FileNotFoundError(f"no file {path}; near it in {folder}: {', '.join(near)}")
    suffixes = (*(suffix for reader in readers().values() for suffix in reader.suffixes), *_EXPORT)
    recordings = [name for name in present if name.lower().endswith(suffixes)]
    more = " …" if len(recordings) > 5 else ""
    listed = f"holds {', '.join(recordings[:5])}{more}" if recordings else "holds no recordings"
    raise FileNotFoundError(f"no file {path}; the folder {folder} {listed}")


def _said(path: Path, sidecar: str | Path | None) -> tuple[Sidecar, Path | None]:
    """The sidecar of a recording, and where it is."""
    if sidecar is not None:
        sidecar_path = Path(sidecar)
        if not sidecar_path.is_file():
            raise FileNotFoundError(f"no sidecar {sidecar_path}; expected a TOML file that describes {path.name}")
        return read_sidecar(sidecar_path), sidecar_path
    beside = path.with_suffix(".toml")
    if beside.is_file():
        return read_sidecar(beside), beside
    return check({}, "options"), None


def _reader(path: Path, format: str | None) -> Reader:
    """The reader named, or the one that recognises the content."""
    known = readers()
    if format is not None:
        if format not in known:
            raise ValueError(unknown_word("format", format, known))
        return known[format]
    claiming = [reader for reader in known.values() if _claims(reader, path)]
    if len(claiming) > 1:
        by_suffix = [reader for reader in claiming if path.name.lower().endswith(reader.suffixes)]
        claiming = by_suffix or claiming
    if claiming:
        return claiming[0]
    hint = _EXPORT.get(path.suffix.lower())
    if hint:
        raise ValueError(f"{path} cannot be read: it looks like {hint}")
    head = first_bytes(path, 24)
    looks = f"the text {head.decode('latin-1')!r}" if is_text(head) else f"the bytes {head.hex(' ')}"
    raise ValueError(
        f"{path} is of no known format: it begins with {looks}. Known formats: "
        + ", ".join(f"{reader.title or reader.name} [{reader.name}]" for reader in known.values())
        + '. To choose one: --format NAME on the command line, format="NAME" in Python'
    )


def _claims(reader: Reader, path: Path) -> bool:
    try:
        return bool(reader.sniff(path))
    except Exception as error:  # a sniffer of another package must not stop the search
        warnings.warn(f"the reader {reader.name} failed to look at {path.name}: {error}", stacklevel=4)
        return False


def _with_options(said: Sidecar, options: dict[str, Any], reader: Reader) -> Sidecar:
    """The sidecar with the options written over it."""
    common = {name: value for name, value in options.items() if name in OPTIONS and name not in reader.options}
    own = {name: value for name, value in options.items() if name in reader.options or name == "format"}
    for name in options:
        if name not in common and name not in own:
            known = sorted({*OPTIONS, *reader.options, "format"})
            raise ValueError(unknown_word(f"option for the format {reader.name}", name, known))
    return merged(said, {name: value for name, value in common.items() if value is not None}, own)


def _arguments(path: Path, said: Sidecar, reader: Reader) -> dict[str, Any]:
    """Keyword arguments for ``reader.read``."""
    arguments: dict[str, Any] = {}
    for key, value in said.reader.items():
        if key == "format":
            continue
        if key not in reader.options:
            raise ValueError(unknown_word(f"option of the format {reader.name}", key, [*reader.options, "format"]))
        arguments[key] = value
    if "array" in reader.parameters:
        arguments["array"] = said.array
    else:
        surplus = [key for key in said.array.model_dump(exclude_none=True) if key != "select"]
        if surplus:
            raise ValueError(
                f"{path}: {', '.join(surplus)} was given, but a file of the format {reader.name} says that itself; "
                'remove it (a wrong unit is corrected with [channels] units = { NAME = "mV" } in a sidecar, or '
                "channel_units in Python)"
            )
    if "columns" in reader.parameters:
        arguments["columns"] = said.stimuli.columns
    return arguments


def _read(path: Path, reader: Reader, arguments: dict[str, Any]) -> Any:
    """Read, and turn whatever a damaged file raises into one line that names the file."""
    try:
        return reader.read(path, **arguments)
    except (FileNotFoundError, ImportError):
        raise
    except Exception as error:  # vendor libraries raise anything on damaged files
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        words = " ".join(str(error).split()) or "no message"
        raise ValueError(
            f"{path} looks like {reader.title or reader.name}, but cannot be read ({type(error).__name__}: {words}); "
            "is the file whole?"
        ) from error


def _worth_telling(caught: list[warnings.WarningMessage]) -> list[str]:
    """Messages of the vendor's library; those about its own code or about file names are left out."""
    texts = []
    for warning in caught:
        text = " ".join(str(warning.message).split())
        if issubclass(warning.category, DeprecationWarning | FutureWarning) or "naming conventions" in text:
            continue
        texts.append(text)
    return texts
