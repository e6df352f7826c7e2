"""MATLAB files of either age (v5 by scipy, v7.3 by h5py) as plain Python, in MATLAB's order of axes.

A structure becomes a dict, a structure array or cell a list, text a str, numbers an array whose shape is what
``size()`` shows in MATLAB, so that a file saved with ``-v7`` or ``-v7.3`` reads the same.
"""

from __future__ import annotations

import functools
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ._registry import first_bytes

_HDF5 = b"\x89HDF\r\n\x1a\n"


def is_matlab(path: Path) -> bool:
    """Whether the first bytes are those of a MATLAB file."""
    head = first_bytes(path, 520)
    return head[:6] == b"MATLAB" or head[:8] == _HDF5


def is_hdf5(path: Path) -> bool:
    """Whether a MATLAB file is of version 7.3 (HDF5, perhaps after MATLAB's 512 bytes of text)."""
    head = first_bytes(path, 520)
    return _HDF5 in (head[:8], head[512:])


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "MATLAB v7.3 files need the library h5py, which is not installed: pip install excitability[io]"
        ) from error
    return h5py


def shapes(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and class of every variable, without loading them."""
    if not is_hdf5(path):
        import scipy.io

        found = scipy.io.whosmat(path)
        return {name: (tuple(shape), kind) for name, shape, kind in found if not name.startswith("__")}
    listed = {}
    with _h5py().File(path, "r") as file:
        for name, item in file.items():
            if name.startswith("#"):
                continue
            shape = tuple(reversed(item.shape)) if hasattr(item, "shape") else (1, 1)
            listed[name] = (shape, _matlab_class(item))
    return listed


def kind(path: Path) -> str:
    """Which program wrote a MATLAB file: "eeglab", "signal", "acqknowledge", "array", or "" for none of ours."""
    try:
        seen = path.stat()
        return _kind(path, (seen.st_mtime_ns, seen.st_size))
    except ImportError:
        return "array"  # whose reader then says which library is missing
    except DAMAGED:
        return ""


#: What scipy, zlib and h5py raise on files that are cut short or no MATLAB files at all.
DAMAGED = (OSError, ValueError, TypeError, KeyError, IndexError, RuntimeError, EOFError, AttributeError, zlib.error)


@functools.lru_cache(maxsize=64)
def _kind(path: Path, version: tuple[int, int]) -> str:
    # four readers ask; a large compressed file is listed once
    found = shapes(path)
    classes = {name: matlab_class for name, (_, matlab_class) in found.items()}
    if classes.get("EEG") == "struct" or {"setname", "srate", "chanlocs"} <= set(found):
        return "eeglab"
    if "acq_data" in found or {"data", "units", "labels", "isi"} <= set(found):
        return "acqknowledge"
    if signal_variable(path, found):
        return "signal"
    numeric = [shape for shape, matlab_class in found.values() if matlab_class in NUMERIC]
    return "array" if any(np.prod(shape) > 1 for shape in numeric) else ""


NUMERIC = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def signal_variable(path: Path, found: dict[str, tuple[tuple[int, ...], str]]) -> str:
    """Name of the structure that CED Signal wrote ("..._wave_data"), or ""."""
    for name, (_, matlab_class) in found.items():
        if matlab_class != "struct":
            continue
        if name.endswith("wave_data"):
            return name
        if is_hdf5(path):
            with _h5py().File(path, "r") as file:
                if {"values", "chaninfo", "interval"} <= set(file[name]):
                    return name
    return ""


def load(path: Path, names: list[str] | None = None) -> dict[str, Any]:
    """Variables of a MATLAB file; objects that only MATLAB understands are left out."""
    if is_hdf5(path):
        with _h5py().File(path, "r") as file:
            wanted = [name for name in file if not name.startswith("#") and (names is None or name in names)]
            return {name: _from_hdf5(file[name], file) for name in wanted}
    import scipy.io

    loaded = scipy.io.loadmat(path, variable_names=names, squeeze_me=False, struct_as_record=True)
    return {name: _from_scipy(value) for name, value in loaded.items() if not name.startswith("__")}


def _matlab_class(item: Any) -> str:
    value = item.attrs.get("MATLAB_class", b"")
    return value.decode() if isinstance(value, bytes) else str(value)


def _from_hdf5(item: Any, file: Any) -> Any:
    h5py = _h5py()
    if isinstance(item, h5py.Group):
        return _struct_from_hdf5({name: item[name] for name in item}, file)
    if "MATLAB_object_decode" in item.attrs:
        return None
    matlab_class = _matlab_class(item)
    if item.attrs.get("MATLAB_empty", 0):
        return "" if matlab_class == "char" else np.zeros((0, 0))
    if item.dtype == h5py.ref_dtype:
        return [_from_hdf5(file[reference], file) for reference in item[...].T.ravel(order="F")]
    values = item[...].T
    if matlab_class == "char":
        rows = ["".join(chr(code) for code in row).rstrip("\x00 ") for row in np.atleast_2d(values)]
        return rows[0] if len(rows) == 1 else rows
    return values


def _struct_from_hdf5(fields: dict[str, Any], file: Any) -> Any:
    """A structure, or a structure array (its fields are then references, one an element)."""
    h5py = _h5py()
    items = {name: _from_hdf5(item, file) for name, item in fields.items()}
    arrays = [
        name
        for name, item in fields.items()
        if isinstance(item, h5py.Dataset) and item.dtype == h5py.ref_dtype and "MATLAB_class" not in item.attrs
    ]
    if len(arrays) == len(fields) and fields:
        count = len(items[arrays[0]])
        return [{name: items[name][index] for name in items} for index in range(count)]
    return items


def _from_scipy(value: Any) -> Any:
    if isinstance(value, np.void) and value.dtype.names:
        return {name: _from_scipy(value[name]) for name in value.dtype.names}
    if not isinstance(value, np.ndarray):
        return None if type(value).__name__ == "MatlabOpaque" else value
    if type(value).__name__ == "MatlabOpaque":
        return None
    if value.dtype.names:
        elements = [_from_scipy(element) for element in value.ravel(order="F")]
        return elements[0] if len(elements) == 1 else elements
    if value.dtype.kind == "O":
        return [_from_scipy(element) for element in value.ravel(order="F")]
    if value.dtype.kind in "US":
        rows = [str(row).rstrip() for row in value.ravel()]
        return "" if not rows else rows[0] if len(rows) == 1 else rows
    return value


def number(value: Any) -> float:
    """The one number of a scalar that MATLAB stores as a matrix."""
    return float(np.asarray(value, dtype=float).ravel()[0])


def elements(value: Any) -> list[Any]:
    """A structure array or cell as a list, also when it has one element."""
    return list(value) if isinstance(value, list) else [value]
