"""Bare numbers: NumPy arrays (.npy, .npz) and MATLAB files of either age. Nothing about them is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..schema import unknown_word
from . import _matlab
from ._array import build, missing
from ._registry import Reader, first_bytes
from ._sidecar import Array


def sniff(path: Path) -> bool:
    """Whether the file is a NumPy file, or a MATLAB file of numbers that no other reader knows."""
    path = Path(path)
    if not path.is_file():
        return False
    head = first_bytes(path, 64)
    if head[:6] == b"\x93NUMPY":
        return True
    if head[:4] == b"PK\x03\x04":
        return b".npy" in head
    return _matlab.is_matlab(path) and _matlab.kind(path) == "array"


def read(path: Path, *, array: Array | None = None, columns: dict[str, Any] | None = None) -> Any:
    """Open an array of numbers that a sidecar or options describe.

    Parameters
    ----------
    path : path-like
    array : Array, optional
        The ``[array]`` section: ``variable``, ``axes``, ``sampling_rate``, ``unit``, ``pulse_time``, ``select``.
        Axes are in the order that MATLAB's ``size()`` or NumPy's ``shape`` shows.
    columns : dict, optional
        The ``[stimuli.columns]`` section.

    Returns
    -------
    mne.Epochs
        For arrays with an axis of trials; with several such axes ``trials`` varies fastest.
    mne.io.Raw
        For continuous arrays (axes "samples" or "channels, samples").

    Raises
    ------
    ValueError
        Saying which of rate, unit, pulse time, axes and variable are missing, and what to type.
    """
    path = Path(path)
    said = array if array is not None else Array()
    shapes, get = _contents(path)
    name = said.variable
    if name is None:
        # one number, or a list of them, is a parameter; a matrix is a recording
        matrices = [key for key, shape in shapes.items() if np.prod(shape) > 1 and np.sum(np.array(shape) > 1) > 1]
        candidates = matrices or [key for key, shape in shapes.items() if np.prod(shape) > 1]
        listed = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
        if len(candidates) != 1:
            example = {"variable": candidates[0]} if candidates else {}
            raise missing(path, ["variable"], f"it holds {listed}", **example)
        name = candidates[0]
    elif name not in shapes:
        raise ValueError(f"{path}: {unknown_word('variable', name, shapes)}")

    def variable_of(word: str) -> np.ndarray:
        if word not in shapes:
            raise ValueError(f"{path}: {unknown_word('variable', word, shapes)}")
        return get(word)

    values = get(name)
    if said.axes is not None and len(said.axes.split(",")) < values.ndim:
        # MATLAB knows no array with fewer than two axes
        values = np.squeeze(values)
    elif said.axes is not None and len(said.axes.split(",")) == values.ndim + 1:
        # MATLAB drops a last axis of length one
        values = values[..., np.newaxis] if path.suffix.lower() == ".mat" else values
    if said.axes is None and 1 in values.shape and values.ndim == 2:
        values = np.ravel(values)
    if values.dtype.kind not in "iufb":
        raise ValueError(f"{path}: variable {name!r} holds {values.dtype}, not numbers")
    # a list as long as an axis names it in the example of a message
    vectors = {key: int(np.prod(shape)) for key, shape in shapes.items() if np.sum(np.array(shape) > 1) == 1}
    return build(values, said, source=path, variable_of=variable_of, columns=dict(columns or {}), vectors=vectors)


def _contents(path: Path) -> tuple[dict[str, tuple[int, ...]], Any]:
    """Shapes of the variables of a file, and a function that loads one."""
    head = first_bytes(path, 8)
    if head[:6] == b"\x93NUMPY":
        array = np.load(path, allow_pickle=False)
        return {path.stem: array.shape}, lambda name: array
    if head[:4] == b"PK\x03\x04":
        # opened here, since numpy leaves a damaged archive open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return {name: value.shape for name, value in arrays.items()}, lambda name: arrays[name]
    numeric = {name: shape for name, (shape, kind) in _matlab.shapes(path).items() if kind in _matlab.NUMERIC}
    return numeric, lambda name: np.asarray(_matlab.load(path, [name])[name])


READER = Reader(
    name="arrays", suffixes=(".npy", ".npz", ".mat"), sniff=sniff, read=read, title="arrays in .npy, .npz or .mat"
)
