"""Where ``protocols/`` and ``sample_data/`` are, in a checkout and in a wheel, and the muscles they describe."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .schema import unknown_word

_HERE = Path(__file__).parent


def _folder(name: str) -> Path:
    for candidate in (_HERE / "_bundled" / name, _HERE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the folder {name}/ of excitability is missing; install the package again")


def protocols_path() -> Path:
    """Folder of the protocol files."""
    return _folder("protocols")


def sample_data_path() -> Path:
    """Folder of the simulated sample recordings."""
    return _folder("sample_data")


@dataclass(frozen=True)
class Muscle:
    """A muscle and where its responses lie, in seconds from the pulse."""

    name: str
    title: str
    aliases: tuple[str, ...]
    region: str
    window: tuple[float, float]
    onset_window: tuple[float, float]
    state: str
    source: str
    child_window: tuple[float, float] | None = None
    child_onset_window: tuple[float, float] | None = None


@functools.cache
def muscles() -> dict[str, Muscle]:
    """Muscles of ``protocols/shared/muscles.toml`` by name."""
    with (protocols_path() / "shared" / "muscles.toml").open("rb") as file:
        entries = tomllib.load(file)
    return {
        name: Muscle(
            name=name,
            title=entry["title"],
            aliases=tuple(entry.get("aliases", ())),
            region=entry["region"],
            window=tuple(entry["window"]),
            onset_window=tuple(entry["onset_window"]),
            state=entry.get("state", "rest"),
            source=entry["source"],
            **{key: tuple(entry[key]) for key in ("child_window", "child_onset_window") if key in entry},
        )
        for name, entry in entries.items()
    }


def muscle(name: str) -> Muscle:
    """One muscle by its name or alias, in any case.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known ones.

    Examples
    --------
    >>> muscle("tibialis anterior").name
    'TA'
    """
    for entry in muscles().values():
        if name.lower() in (
            entry.name.lower(),
            entry.title.lower(),
            *(alias.lower() for alias in entry.aliases),
        ):
            return entry
    raise ValueError(unknown_word("muscle", name, muscles()))


@functools.cache
def muscles_in_name(channel: str) -> frozenset[str]:
    """Muscles whose name or alias a channel's name holds.

    A word of the name is a muscle when it equals a name or alias, with at most a side (``L``, ``R``, left, right) and
    ``EMG`` around it and a number after it, so "Status" holds no TA; a whole title ("left erector spinae") counts too.

    >>> [sorted(muscles_in_name(name)) for name in ("RFDI", "EMG_TA_left", "Status", "Sol-CL", "FDI-APB")]
    [['FDI'], ['TA'], [], ['SOL'], ['APB', 'FDI']]
    """
    words = {
        word.lower(): entry.name for entry in muscles().values() for word in (entry.name, entry.title, *entry.aliases)
    }
    plain = channel.lower()
    found = {name for word, name in words.items() if " " in word and word in plain}
    for word in (*re.split(r"[^a-z0-9]+", plain), re.sub(r"[^a-z0-9]", "", plain)):
        bare = re.sub(r"emg|left|right", "", word)
        for shape in (bare, bare[1:] if bare[:1] in "lr" else "", bare[:-1] if bare[-1:] in "lr" else ""):
            hit = words.get(shape) or words.get(shape.rstrip("0123456789"))
            if hit:
                found.add(hit)
                break
    return frozenset(found)


#: Height (m) that the windows are for, heights that can be meant, and the part of a latency (s) that no height changes.
_USUAL_HEIGHT, _HEIGHTS, _SYNAPSES = 1.70, (0.4, 2.5), 0.003


def muscle_window(name: str, *, child: bool = False, height: float | None = None) -> tuple[float, float]:
    """Window in seconds in which the response of a muscle lies.

    Parameters
    ----------
    name : str
        Name or alias of a muscle.
    child : bool
        The window of children, where ``muscles.toml`` has one; else that of adults.
    height : float, optional
        Body height in m. Both limits move by ``(middle of the onset range − 3 ms) · (height / 1.70 − 1)``: the way of
        the impulse grows with the body, synapses and the response itself do not. A proposal.

    Raises
    ------
    ValueError
        For an unknown muscle, a height that is not one in metres, or when both options are given: a child's window
        is for a small body already.

    Examples
    --------
    >>> muscle_window("FDI"), muscle_window("FDI", child=True), muscle_window("FDI", height=1.95)
    ((0.015, 0.05), (0.012, 0.05), (0.0179, 0.0529))
    """
    entry = muscle(name)
    if height is None:
        return entry.child_window if child and entry.child_window else entry.window
    if child:
        raise ValueError("child and height are both given; a child's window is for a small body already: give one")
    if not _HEIGHTS[0] <= height <= _HEIGHTS[1]:
        raise ValueError(f"height = {height!r}; give metres, {_HEIGHTS[0]:g} to {_HEIGHTS[1]:g}, such as height=1.75")
    conduction = sum(entry.onset_window) / 2 - _SYNAPSES
    start, stop = (round(limit + conduction * (height / _USUAL_HEIGHT - 1), 4) for limit in entry.window)
    return start, stop


@functools.cache
def regions() -> dict[str, tuple[str, ...]]:
    """Regions of interest of ``protocols/shared/montages.toml``: name to electrodes."""
    with (protocols_path() / "shared" / "montages.toml").open("rb") as file:
        return {name: tuple(entry["electrodes"]) for name, entry in tomllib.load(file).items()}


def roi_channels(name: str) -> tuple[str, ...]:
    """Electrodes of a region of interest.

    Raises
    ------
    ValueError
        For an unknown region; the message lists the known ones.

    Examples
    --------
    >>> roi_channels("M1_left")
    ('C1', 'C3', 'FC1', 'FC3')
    """
    if name not in regions():
        raise ValueError(unknown_word("region", name, regions()))
    return regions()[name]


@functools.cache
def _tep_components() -> dict[str, dict[str, Any]]:
    with (protocols_path() / "shared" / "tep_components.toml").open("rb") as file:
        return tomllib.load(file)


def tep_components(target: str = "") -> list[str]:
    """Names of the components of ``protocols/shared/tep_components.toml``, of all targets or of one.

    >>> tep_components("DLPFC")
    ['DLPFC P25', 'DLPFC N40', 'DLPFC P60', 'DLPFC N100', 'DLPFC P185']
    """
    return [name for name in _tep_components() if name.split()[0] == target or not target]


def tep_component(name: str) -> dict[str, Any]:
    """Window (s), sign and neighbourhood (s) of a component of the TMS-evoked potential.

    Raises
    ------
    ValueError
        For an unknown component; the message lists the nearest.

    Examples
    --------
    >>> tep_component("M1 N15")
    {'window': (0.01, 0.02), 'sign': -1, 'neighbourhood': 0.003}
    """
    known = _tep_components()
    if name not in known:
        raise ValueError(unknown_word("component", name, known))
    entry = known[name]
    return {
        "window": tuple(entry["window"]),
        "sign": entry["sign"],
        "neighbourhood": entry.get("neighbourhood", 0.005),
    }
