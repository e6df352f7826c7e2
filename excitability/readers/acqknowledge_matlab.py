"""Biopac AcqKnowledge recordings in MATLAB files, as AcqKnowledge and as the converter ``load_acq`` write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import _matlab
from ._channels import make_raw
from ._registry import Reader

_SECONDS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "us": 1e-6, "min": 60.0}


def sniff(path: Path) -> bool:
    """Whether a MATLAB file has the variables of one of the two layouts."""
    path = Path(path)
    return path.is_file() and _matlab.is_matlab(path) and _matlab.kind(path) == "acqknowledge"


def read(path: Path) -> Any:
    """Open a MATLAB export of AcqKnowledge.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    mne.io.Raw
        Trigger channels stay channels, of type ``stim``: their TTL may be one sample wide, so that edges go
        missing; compare with the artefacts. Smoothed channels (``-RMS``) are ``misc``. Journal markers are
        annotations.
    """
    path = Path(path)
    found = _matlab.shapes(path)
    loaded = _matlab.load(path)
    if "acq_data" in found:
        return _converted(path, loaded["acq_data"])
    unit = str(loaded["isi_units"]).strip() if "isi_units" in loaded else ""
    if unit not in _SECONDS:
        raise ValueError(f"{path}: isi_units is {unit!r}; expected one of {', '.join(_SECONDS)}")
    data = np.asarray(loaded["data"], dtype=float).T
    return make_raw(
        data,
        _words(loaded["labels"], len(data)),
        1.0 / (_matlab.number(loaded["isi"]) * _SECONDS[unit]),
        _words(loaded["units"], len(data)),
        source=path,
    )


def _words(value: Any, count: int) -> list[str]:
    words = [str(word).strip() for word in _matlab.elements(value)]
    return (words + [""] * count)[:count]


def _converted(path: Path, acq: dict[str, Any]) -> Any:
    """The layout ``acq_data.data`` with ``acq_data.hdr.graph.sample_time`` in milliseconds."""
    import mne

    header = acq["hdr"]
    data = np.asarray(acq["data"], dtype=float)
    channels = _matlab.elements(header.get("per_chan_data", []))
    if len(channels) not in data.shape:
        raise ValueError(
            f"{path}: acq_data.data has shape {data.shape}, but per_chan_data describes {len(channels)} channels"
        )
    data = data.T if data.shape[1] == len(channels) else data
    rate = 1e3 / _matlab.number(header["graph"]["sample_time"])
    names = [str(channel.get("comment_text") or "") for channel in channels]
    units = [str(channel.get("units_text") or "") for channel in channels]
    raw = make_raw(data, names, rate, units, source=path)
    markers = acq.get("markers")
    if isinstance(markers, dict) and "lSample" in markers and np.size(markers["lSample"]):
        samples = np.ravel(np.asarray(markers["lSample"], dtype=float))
        words = [str(word) or "marker" for word in _matlab.elements(markers.get("szText", ""))]
        words = (words + ["marker"] * samples.size)[: samples.size]
        raw.set_annotations(mne.Annotations(samples / rate, 0.0, words), verbose="error")
    return raw


READER = Reader(
    name="acqknowledge_matlab", suffixes=(".mat",), sniff=sniff, read=read, title="AcqKnowledge exported to MATLAB"
)
