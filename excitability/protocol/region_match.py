"""Electrodes of a region in a recording whose channels have names of their own: found by where they lie."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import mne
import numpy as np

_MONTAGE = "colin27_1005"
_RADIUS = 0.09  # m, of the sphere on which places are compared
_NEAR = 0.02  # m
_FEWEST = 8  # electrodes that a sphere is fitted to


def by_position(info: mne.Info, sites: Iterable[str]) -> list[str]:
    """Good EEG channels nearest to named sites of the 10-05 system, within 2 cm of them.

    Parameters
    ----------
    info : mne.Info
        With positions in head coordinates.
    sites : iterable of str
        Such as ``"F3"``.

    Returns
    -------
    list of str
        A channel once, in the order of the sites; a site without an electrode is left out. Empty without positions, or
        where any channel has the name of a site of the system: then names say where it is.

    Examples
    --------
    >>> info = mne.create_info(mne.channels.make_standard_montage("biosemi32").ch_names, 500.0, "eeg")
    >>> named = info.set_montage("biosemi32")
    >>> numbered = named.copy()
    >>> mne.rename_channels(numbered, {name: f"EEG {n:03d}" for n, name in enumerate(named["ch_names"], 1)})
    >>> named["ch_names"].index("F3") + 1, by_position(numbered, ["F3", "AFz"]), by_position(named, ["F3"])
    (4, ['EEG 004'], [])
    """
    picks = mne.pick_types(info, eeg=True, exclude="bads")
    names = [info["ch_names"][pick] for pick in picks]
    known = _sites()
    if len(picks) < _FEWEST or any(name.lower() in known for name in names):
        return []
    places = np.array([info["chs"][pick]["loc"][:3] for pick in picks])
    if not np.isfinite(places).all() or not places.any(axis=1).all():
        return []
    unit = _directions(places)
    found = []
    for site in (site.lower() for site in sites):
        if site in known:
            distance = _RADIUS * np.linalg.norm(unit - known[site], axis=1)
            if distance.min() <= _NEAR:
                found.append(names[int(distance.argmin())])
    return list(dict.fromkeys(found))


@functools.lru_cache(maxsize=1)
def _sites() -> dict[str, np.ndarray]:
    """Directions of all sites from the middle of the head, in head coordinates."""
    names = mne.channels.make_standard_montage(_MONTAGE).ch_names
    info = mne.create_info(list(names), 1.0, "eeg")
    info.set_montage(_MONTAGE)
    places = np.array([channel["loc"][:3] for channel in info["chs"]])
    return {name.lower(): direction for name, direction in zip(names, _directions(places), strict=True)}


def _directions(places: np.ndarray) -> np.ndarray:
    """Unit vectors from the middle of the sphere that fits the places best."""
    design = np.column_stack([2 * places, np.ones(len(places))])
    centre = np.linalg.lstsq(design, np.sum(places**2, axis=1), rcond=None)[0][:3]
    return np.asarray((places - centre) / np.linalg.norm(places - centre, axis=1, keepdims=True))
