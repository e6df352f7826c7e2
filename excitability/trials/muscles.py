"""Which muscle a channel records, and which channels a user means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import mne

from ..resources import muscle, muscles, muscles_in_name
from ..schema import unknown_word


def channel_muscles(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    channels: Iterable[str],
    muscles_given: Mapping[str, str] | None = None,
    *,
    required: bool = True,
) -> dict[str, str]:
    """Muscle of each channel: as given, else from the file's sidecar, else from the channel's name.

    Parameters
    ----------
    inst : Raw | Epochs
    channels : iterable of str
    muscles_given : mapping of channel to muscle, optional
    required : bool
        Whether a channel of unknown muscle is an error, or gets ``""``.

    Raises
    ------
    ValueError
        For a channel whose muscle is unknown or ambiguous, with what to type.
    """
    recorded = (inst.info["temp"] or {}).get("excitability", {}).get("muscles", {}) if "temp" in inst.info else {}
    given = dict(muscles_given or {})
    for channel in given:
        if channel not in inst.ch_names:
            raise ValueError(unknown_word("channel in muscles", channel, inst.ch_names))
    found = {}
    for channel in channels:
        if channel in given:
            found[channel] = muscle(given[channel]).name
            continue
        named = frozenset({recorded[channel]}) if recorded.get(channel) in muscles() else frozenset()
        if not named and recorded.get(channel):
            named = muscles_in_name(recorded[channel])
        named = named or muscles_in_name(channel)
        if len(named) == 1:
            found[channel] = next(iter(named))
        elif required:
            what = "names no muscle" if not named else f"could be {' or '.join(sorted(named))}"
            raise ValueError(
                f"channel {channel!r} {what}; type muscles={{{channel!r}: 'FDI'}} or --muscle '{channel}=FDI' "
                f"with one of: {', '.join(muscles())}"
            )
        else:
            found[channel] = ""
    return found


def pick_channels(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    picks: str | Iterable[str] | None,
    kind: str,
    muscles_given: Mapping[str, str] | None = None,
) -> list[str]:
    """Channels that ``picks`` means: names of channels or of muscles, or all of a kind.

    Parameters
    ----------
    inst : Raw | Epochs
    picks : str | iterable of str | None
    kind : {"emg", "eeg"}
    muscles_given : mapping, optional
        Channel to muscle.

    Raises
    ------
    ValueError
        When a pick is neither a channel nor a recorded muscle, or the recording has no channel of the kind.
    """
    types = dict(zip(inst.ch_names, inst.get_channel_types(), strict=True))
    candidates = [name for name, type_ in types.items() if type_ == kind and name not in inst.info["bads"]]
    if picks is None:
        if not candidates:
            have = ", ".join(f"{name} ({type_})" for name, type_ in list(types.items())[:12])
            raise ValueError(
                f"the recording has no {kind.upper()} channel; its channels are: {have}. Set their type with "
                f"raw.set_channel_types({{'NAME': '{kind}'}}), or name channels with picks="
            )
        return candidates
    if not isinstance(picks, str | Iterable):
        raise ValueError(f"picks = {picks!r}; give names of channels or muscles, of: {', '.join(types)}")
    wanted = [picks] if isinstance(picks, str) else list(picks)
    if not wanted or not all(isinstance(word, str) for word in wanted):
        raise ValueError(f"picks = {picks!r}; give names of channels or muscles, of: {', '.join(types)}")
    by_muscle = channel_muscles(inst, [n for n, t in types.items() if t == "emg"], muscles_given, required=False)
    chosen: list[str] = []
    for word in wanted:
        if word in types:
            chosen.append(word)
            continue
        if word in (kind, "all"):
            chosen.extend(candidates)
            continue
        meant = {entry.name for entry in muscles().values() if word.lower() in _words(entry)}
        hits = [name for name, found in by_muscle.items() if found in meant]
        if not hits:
            raise ValueError(unknown_word("channel or muscle", word, types))
        chosen.extend(hits)
    return list(dict.fromkeys(chosen))


def _words(entry: object) -> set[str]:
    words = {entry.name, entry.title, *entry.aliases}  # type: ignore[attr-defined]
    return {word.lower() for word in words}
