"""CED Signal recordings exported to MATLAB: frames with states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import _matlab
from ._channels import make_epochs
from ._registry import Reader


def sniff(path: Path) -> bool:
    """Whether a MATLAB file holds the structure that Signal writes."""
    path = Path(path)
    return path.is_file() and _matlab.is_matlab(path) and _matlab.kind(path) == "signal"


def read(path: Path) -> Any:
    """Open a MATLAB export of CED Signal.

    Parameters
    ----------
    path : path-like
        MATLAB file of either age, with one structure ``…wave_data``.

    Returns
    -------
    mne.Epochs
        One epoch a frame. t = 0 is where Signal's own time axis has it, which is the trigger; a sidecar says
        whether that is the first pulse of a pair. Metadata: ``frame``, ``onset`` (s since sampling began),
        ``frame_state`` (what to give a meaning with ``[[stimuli.codes]]``) and ``frame_label``.
    """
    path = Path(path)
    name = _matlab.signal_variable(path, _matlab.shapes(path))
    wave = _matlab.load(path, [name])[name]
    channels = _matlab.elements(wave["chaninfo"])
    values: Any = np.asarray(wave["values"], dtype=float)
    # MATLAB drops a last axis of length one
    values = values.reshape(values.shape + (1,) * (3 - values.ndim))
    if values.shape[1] != len(channels):
        raise ValueError(
            f"{path}: {name}.values has shape {values.shape}, but chaninfo describes {len(channels)} channels; "
            "expected points × channels × frames"
        )
    interval = _matlab.number(wave["interval"])
    count = values.shape[2]
    epochs = make_epochs(
        values.transpose(2, 1, 0),
        [str(channel["title"]) for channel in channels],
        1.0 / interval * _second(str(wave.get("xunits", "s"))),
        [str(channel["units"]) for channel in channels],
        _matlab.number(wave["start"]) / _second(str(wave.get("xunits", "s"))),
        _frames(_matlab.elements(wave.get("frameinfo", [])), count),
        source=path,
        notes=["t = 0 is the zero of Signal's time axis (the trigger)"],
    )
    return epochs


def _second(unit: str) -> float:
    """How many of the unit of time make a second."""
    return {"ms": 1e3, "us": 1e6, "µs": 1e6}.get(unit.strip(), 1.0)


def _frames(frames: list[Any], count: int) -> pd.DataFrame:
    table = pd.DataFrame({"frame": np.arange(count)})
    if len(frames) != count or not all(isinstance(frame, dict) for frame in frames):
        return table
    table["onset"] = [_matlab.number(frame["start"]) for frame in frames]
    table["frame_state"] = [int(_matlab.number(frame["state"])) for frame in frames]
    table["frame_label"] = [str(frame["label"]) if isinstance(frame.get("label"), str) else "" for frame in frames]
    return table


READER = Reader(name="signal_matlab", suffixes=(".mat",), sniff=sniff, read=read, title="CED Signal exported to MATLAB")
