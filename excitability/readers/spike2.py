"""CED Spike2 files (.smr, 32-bit) through neo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ._channels import channel_type, make_raw
from ._registry import Reader, first_bytes, need


def sniff(path: Path) -> bool:
    """Whether the header carries the copyright line of CED at its fixed place."""
    head = first_bytes(Path(path), 64)
    return len(head) == 64 and b"(C) CED" in head[2:14]


def read(path: Path, *, stream: int | str | None = None) -> Any:
    """Open a Spike2 file.

    Sampling that was stopped and started again gives segments. They are joined end to end, each join marked
    "BAD boundary" and "EDGE boundary" as MNE does, so that no filter and no trial runs across it; where each
    segment lay in the session is in ``info["temp"]["excitability"]["segments"]``: a list of ``start`` (s in the
    recording), ``recorded`` (s since the session began) and ``duration``. Event channels are annotations with the
    name of their channel; keyboard and text markers append their code.

    Parameters
    ----------
    path : path-like
    stream : int | str, optional
        Which group of channels of one rate; by default the one with the most EMG channels, then the largest.

    Returns
    -------
    mne.io.Raw
    """
    need("neo", "Spike2 files")
    from neo.rawio import Spike2RawIO

    path = Path(path)
    file = Spike2RawIO(str(path), try_signal_grouping=True)
    file.parse_header()
    channels = file.header["signal_channels"]
    streams = file.header["signal_streams"]
    if not len(streams):
        raise ValueError(f"{path} holds no waveform channels, only events")
    chosen, notes = _stream(path, channels, streams, stream)
    mine = channels[channels["stream_id"] == streams[chosen]["id"]]
    names, units = [str(name) for name in mine["name"]], [str(unit) for unit in mine["units"]]
    rate = float(mine["sampling_rate"][0])
    blocks, segments, start = [], [], 0.0
    for segment in range(file.segment_count(0)):
        chunk = file.get_analogsignal_chunk(block_index=0, seg_index=segment, stream_index=chosen)
        if not len(chunk):
            continue
        blocks.append(file.rescale_signal_raw_to_float(chunk, dtype="float64", stream_index=chosen).T)
        recorded = float(file.get_signal_t_start(0, segment, chosen))
        segments.append({"start": start, "recorded": recorded, "duration": len(chunk) / rate, "segment": segment})
        start += len(chunk) / rate
    raw = make_raw(np.concatenate(blocks, axis=1), names, rate, units, source=path, notes=notes)
    _annotate(raw, file, segments)
    raw.info["temp"]["excitability"]["segments"] = [
        {key: value for key, value in segment.items() if key != "segment"} for segment in segments
    ]
    return raw


def _stream(path: Path, channels: Any, streams: Any, wanted: int | str | None) -> tuple[int, list[str]]:
    """Index of the stream to read, and what to say about the others."""
    members = [[str(name) for name in channels[channels["stream_id"] == item["id"]]["name"]] for item in streams]
    if wanted is not None:
        hits = [i for i, item in enumerate(streams) if wanted in (i, str(item["name"]), str(item["id"]))]
        if not hits:
            raise ValueError(f"{path}: no stream {wanted!r}; it has: {', '.join(str(s['name']) for s in streams)}")
        chosen = hits[0]
    else:
        chosen = max(
            range(len(streams)),
            key=lambda i: (sum(channel_type(name) == "emg" for name in members[i]), len(members[i])),
        )
    others = [
        f"channels {', '.join(members[i])} are sampled at another rate and are left out; to read them type "
        f"stream={i} in Python, or stream = {i} under [reader] in a sidecar"
        for i in range(len(streams))
        if i != chosen
    ]
    return chosen, others


def _annotate(raw: Any, file: Any, segments: list[dict[str, Any]]) -> None:
    """Events of every event channel, and the joins between segments."""
    import mne

    onsets, durations, words = [], [], []
    for number, segment in enumerate(segments):
        if number:
            for word in ("BAD boundary", "EDGE boundary"):
                onsets.append(segment["start"])
                durations.append(0.0)
                words.append(word)
        for index, channel in enumerate(file.header["event_channels"]):
            times, _, labels = file.get_event_timestamps(0, segment["segment"], index)
            seconds = file.rescale_event_timestamp(times, dtype="float64", event_channel_index=index)
            for position, second in enumerate(seconds):
                within = float(second) - segment["recorded"]
                if not 0 <= within <= segment["duration"]:
                    continue
                label = str(labels[position]).strip("\x00 ") if len(labels) else ""
                onsets.append(segment["start"] + within)
                durations.append(0.0)
                words.append(f"{channel['name']}/{label}" if label else str(channel["name"]))
    raw.set_annotations(mne.Annotations(onsets, durations, words), verbose="error")


READER = Reader(name="spike2", suffixes=(".smr",), sniff=sniff, read=read, title="CED Spike2 .smr")
