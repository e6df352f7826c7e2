"""What a reader is, and how readers are found: this folder is scanned, and the entry points of others."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import pkgutil
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Entry point group under which another package offers a :class:`Reader`.
ENTRY_POINTS = "excitability.readers"


@dataclass(frozen=True)
class Reader:
    """One file format.

    Parameters
    ----------
    name : str
        Short name, that of the module.
    suffixes : tuple of str
        Lower case, with the dot; used only to choose between readers that both recognise a file.
    sniff : callable
        ``sniff(path) -> bool``: whether the content is of this format. Cheap; never raises.
    read : callable
        ``read(path, *, …)`` returns an ``mne.io.Raw`` or ``mne.Epochs`` in volts with
        ``info["temp"]["excitability"]`` (see ``_channels.facts``). Its keyword arguments are the options of the
        format; one named ``array`` receives the ``[array]`` section of the sidecar, ``columns`` the section
        ``[stimuli.columns]``.
    title : str
        What a person calls the format.
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Path], bool]
    read: Callable[..., Any]
    title: str = ""

    @property
    def options(self) -> tuple[str, ...]:
        """Keyword arguments that a user may give."""
        return tuple(name for name in self.parameters if name not in ("array", "columns"))

    @property
    def parameters(self) -> tuple[str, ...]:
        """All keyword arguments of ``read``."""
        return tuple(
            name
            for name, parameter in inspect.signature(self.read).parameters.items()
            if parameter.kind is parameter.KEYWORD_ONLY
        )


@functools.cache
def readers() -> dict[str, Reader]:
    """All readers by name: those of this folder, then those of other packages."""
    package = importlib.import_module(__package__ or "excitability.readers")
    found: dict[str, Reader] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            reader = importlib.import_module(f"{package.__name__}.{module.name}").READER
            found[reader.name] = reader
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            reader = point.load()
        except (ImportError, AttributeError) as error:
            warnings.warn(f"the reader {point.name} ({point.value}) cannot be loaded: {error}", stacklevel=2)
            continue
        found.setdefault(reader.name, reader)
    return found


def first_bytes(path: Path, count: int = 512) -> bytes:
    """The first bytes of a file, none when it cannot be opened."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError:
        return b""


def need(library: str, what: str) -> Any:
    """Import an optional library.

    Raises
    ------
    ImportError
        Saying what to type.
    """
    try:
        return importlib.import_module(library)
    except ImportError as error:
        raise ImportError(
            f"{what} need the library {library.split('.')[0]}, which is not installed: pip install excitability[io]"
        ) from error


def workbook_text(path: Path) -> bytes:
    """Words of an Excel workbook as stored, with the first part of each sheet; empty for other files."""
    found = b""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name == "xl/sharedStrings.xml" or name.startswith("xl/worksheets/sheet"):
                    with archive.open(name) as part:
                        found += part.read(1_000_000)
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, zlib.error):
        return b""
    return found


def is_text(head: bytes) -> bool:
    """Whether bytes look like text (UTF-8, UTF-16 with a mark, or Latin-1), not like binary numbers."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    return bool(head) and not any(byte < 9 or 13 < byte < 32 for byte in head)


def bids_root(path: Path) -> Path | None:
    """Root of the BIDS dataset a file lies in, or None.

    >>> bids_root(Path("somewhere/else.edf")) is None
    True
    """
    path = Path(path)
    if not path.name.startswith("sub-") or path.parent.name not in ("eeg", "emg", "ieeg", "meg"):
        return None
    for folder in path.absolute().parents[1:4]:
        if (folder / "dataset_description.json").is_file():
            return folder
    return None
