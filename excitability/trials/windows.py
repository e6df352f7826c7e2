"""Windows read straight from the file of a recording: only the samples around the pulses are touched.

The generic way (``mne.Epochs``) reads every channel of every window, one call a window. Here the samples of the asked
channels are taken from the file itself and scaled with the same operations in the same order, so that the values
are those of MNE to the bit. Whatever is not plainly one of the layouts below is left to MNE.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mne
import numpy as np

#: Fills ``out`` with the windows that begin at samples of the file, for channels of the recording; False if it cannot.
_Layout = Callable[[Any, np.ndarray, np.ndarray, np.ndarray], bool]

_BRAINVISION_SAMPLES = {"short": "<i2", "int": "<i4", "single": "<f4"}
_CHECKED = 3  # windows that are compared with what MNE reads


def read_windows(raw: mne.io.BaseRaw, starts: np.ndarray, length: int, picks: list[str]) -> np.ndarray | None:
    """Windows of a recording that still lies in its file, or None where this cannot be done.

    Parameters
    ----------
    raw : Raw
        BrainVision (multiplexed, binary), EDF or BDF, as opened: not loaded, not joined of several files, without
        projections. It may be cropped, and its channels picked, renamed or of another type.
    starts : ndarray of int, shape (n,)
        First sample of each window, counted from the first sample of ``raw``; all windows lie inside.
    length : int
        Samples of a window.
    picks : list of str
        Channels, in the order wanted.

    Returns
    -------
    ndarray, shape (n, n_picks, length) | None
        Volts, the same bytes as ``raw.get_data``; some windows are compared with it each time, so that a change
        of MNE leads to None and not to other values.

    Raises
    ------
    ValueError
        When a window does not lie in the recording.

    Examples
    --------
    >>> import excitability as ex
    >>> path = ex.sample_data_path() / "formats" / "mne_formats" / "brainvision.vhdr"
    >>> raw = mne.io.read_raw_brainvision(path, verbose="ERROR")
    >>> windows = read_windows(raw, np.array([0, 100]), 50, raw.ch_names[:1])
    >>> bool((windows[1] == raw.get_data(picks=[0], start=100, stop=150)).all())
    True
    """
    starts = np.asarray(starts, dtype=np.int64)
    if not starts.size or length < 1:
        return None
    if starts.min() < 0 or starts.max() + length > raw.n_times:
        raise ValueError(
            f"windows of {length} samples from {starts.min()} to {starts.max()} do not lie in a recording of "
            f"{raw.n_times} samples"
        )
    layout = _LAYOUTS.get(type(raw).__name__)
    if layout is None or not type(raw).__module__.startswith("mne.io.") or not _untouched(raw):
        return None
    index = np.array([raw.ch_names.index(name) for name in picks])
    try:
        out = np.empty((starts.size, index.size, length))  # in this order: mne.EpochsArray copies any other
        # private, as is what the layouts need: nothing public says where in the file a cropped recording begins
        done = layout(raw, index, starts + int(raw._first_samps[0]), out)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, OSError):
        return None  # another version of MNE may name these things differently
    return out if done and _agrees(raw, index, starts, out) else None


def _untouched(raw: mne.io.BaseRaw) -> bool:
    """Whether the samples of the file are those of the recording but for their scale."""
    plain = not raw.preload and not raw.info["projs"] and not raw.info["comps"]
    return plain and len(raw.filenames) == 1 and raw.filenames[0] is not None and Path(raw.filenames[0]).is_file()


def _agrees(raw: mne.io.BaseRaw, index: np.ndarray, starts: np.ndarray, out: np.ndarray) -> bool:
    """Whether the first, a middle and the last window are what MNE reads, to the bit."""
    length = out.shape[2]
    for which in np.unique(np.linspace(0, starts.size - 1, _CHECKED).astype(int)):
        start = int(starts[which])
        told = raw.get_data(picks=index, start=start, stop=start + length, verbose="ERROR")
        if told.shape != out.shape[1:] or not np.array_equal(told, out[which], equal_nan=True):
            return False
    return True


def _consecutive(channels: np.ndarray) -> np.ndarray | slice:
    """The channels as a slice where they follow one another, which reads without a copy."""
    follow = bool((np.diff(channels) == 1).all())
    return slice(int(channels[0]), int(channels[-1]) + 1) if follow else channels


def _brainvision(raw: Any, index: np.ndarray, starts: np.ndarray, out: np.ndarray) -> bool:
    """Multiplexed binary samples: one row a time, one column a channel."""
    facts = raw._raw_extras[0]
    if facts["order"] != "F" or facts["fmt"] not in _BRAINVISION_SAMPLES:
        return False
    scale = np.asarray(raw._cals, dtype=float).ravel()[index, None]
    kind, n_channels = np.dtype(_BRAINVISION_SAMPLES[facts["fmt"]]), int(facts["orig_nchan"])
    columns, length, row = _consecutive(raw._read_picks[0][index]), out.shape[2], kind.itemsize * n_channels
    rows = np.empty((length, n_channels), kind)
    # a pulse's rows lie together: read into one buffer they cost what a mapping costs, which would count nearly the
    # whole file as memory of the process (384 MB measured, for the same CPU time)
    with Path(raw.filenames[0]).open("rb", buffering=0) as file:
        for window, start in zip(out, starts.tolist(), strict=True):
            file.seek(start * row)
            if file.readinto(rows.data) != rows.nbytes:
                return False
            np.multiply(rows[:, columns].T, scale, out=window)
    return True


def _edf(raw: Any, index: np.ndarray, starts: np.ndarray, out: np.ndarray) -> bool:
    """Records of all channels, each channel's samples of a record together; 16 bits in EDF, 24 in BDF."""
    facts = raw._raw_extras[0]
    channels = raw._read_picks[0][index]
    stored = np.asarray(facts["sel"])[channels]
    counts = np.asarray(facts["n_samps"], dtype=int)
    each = int(facts["max_samp"])
    other = set(channels.tolist()) & set(np.asarray(facts["stim_channel_idxs"], dtype=int).tolist())
    if other or (counts[stored] != each).any() or facts.get("blob") is not None:
        return False
    n_bytes = {"edf": 2, "bdf": 3}[facts["subtype"]]
    if int(facts["dtype_byte"]) != n_bytes:
        return False
    begin = np.concatenate([[0], np.cumsum(counts)])
    data = np.asarray(np.memmap(raw.filenames[0], np.uint8, "r", offset=int(facts["data_offset"])))
    n_records = data.size // (int(begin[-1]) * n_bytes)
    records = data[: n_records * int(begin[-1]) * n_bytes].reshape(n_records, int(begin[-1]), n_bytes)
    first, length = starts // each, out.shape[2]
    last = (starts + length - 1) // each + 1
    if last.max() > n_records:
        return False
    scale, offset, gain = (np.asarray(facts[name], dtype=float)[channels] for name in ("cal", "offsets", "units"))
    for row, channel in enumerate(stored):
        samples = records[:, begin[channel] : begin[channel] + each]
        for window, start, low, high in zip(out, starts.tolist(), first.tolist(), last.tolist(), strict=True):
            skip = start - low * each
            values = _integers(samples[low:high].reshape(-1, n_bytes)[skip : skip + length])
            # the order of MNE, which decides the last bit
            np.multiply(values, scale[row], out=window[row])
            window[row] += offset[row]
            window[row] *= gain[row]
    return True


def _integers(stored: np.ndarray) -> np.ndarray:
    """Signed little-endian numbers of two or three bytes.

    >>> _integers(np.array([[254, 255], [1, 0]], np.uint8)), _integers(np.array([[254, 255, 255]], np.uint8))
    (array([-2,  1], dtype=int16), array([-2], dtype=int32))
    """
    if stored.shape[1] == 2:
        return np.ascontiguousarray(stored).view("<i2")[:, 0]
    # four bytes that begin one byte early: the number is in the upper three, and the shift keeps its sign
    early = np.concatenate([np.zeros(1, np.uint8), stored.ravel()])
    return np.ndarray(len(stored), "<i4", early, strides=(3,)) >> 8


_LAYOUTS: dict[str, _Layout] = {"RawBrainVision": _brainvision, "RawEDF": _edf, "RawBDF": _edf}
