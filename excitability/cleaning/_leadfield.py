"""Lead fields for the steps that know what the head lets through: given, from a forward solution, or of a sphere."""

from __future__ import annotations

import warnings
from typing import Any

import mne
import numpy as np

# Shells and dipoles of the published fallback (Mutanen et al. 2018): 81, 85, 88 mm; radial dipoles at 76 mm;
# brain and scalp 0.33 S/m, skull 50 times less.
_RELATIVE_RADII = (81 / 88, 85 / 88, 1.0)
_CONDUCTIVITIES = (0.33, 0.33 / 50, 0.33)
_DIPOLE_RADIUS = 76 / 88
_N_DIPOLES = 2000


def leadfield_of(inst: Any, picks: np.ndarray, leadfield: Any) -> np.ndarray:
    """Lead field (n_channels, n_sources), average-referenced, rows in the order of ``picks``.

    Parameters
    ----------
    inst : mne.io.Raw or mne.Epochs
    picks : ndarray of int
        EEG channels.
    leadfield : None, ndarray or mne.Forward
        None builds a three-shell sphere on the electrode positions; an array has a row a channel of ``picks``;
        the rows of a forward solution are found by name.

    Raises
    ------
    ValueError
        Without electrode positions, or when the lead field does not fit the channels.
    """
    names = [inst.ch_names[pick] for pick in picks]
    if leadfield is None:
        gain = _sphere(mne.pick_info(inst.info, picks))
    elif isinstance(leadfield, mne.Forward):
        missing = [name for name in names if name not in leadfield.ch_names]
        if missing:
            raise ValueError(f"the forward solution lacks the channels {', '.join(missing)}")
        gain = mne.pick_channels_forward(leadfield, names, ordered=True)["sol"]["data"]
    else:
        gain = np.asarray(leadfield, dtype=float)
        if gain.ndim != 2 or gain.shape[0] != len(picks):
            raise ValueError(
                f"the lead field has shape {gain.shape}; expected one row for each of the {len(picks)} EEG channels"
            )
    if not np.all(np.isfinite(gain)):
        raise ValueError("the lead field holds values that are not finite")
    return gain - gain.mean(axis=0)


def _sphere(info: mne.Info) -> np.ndarray:
    positions = np.array([channel["loc"][:3] for channel in info["chs"]])
    unplaced = [name for name, place in zip(info["ch_names"], positions, strict=True) if not _placed(place)]
    if unplaced:
        raise ValueError(
            f"no position for the channels {', '.join(unplaced[:5])}{'…' if len(unplaced) > 5 else ''}: "
            'set them with inst.set_montage("colin27_1005"), or give a lead field'
        )
    with warnings.catch_warnings():
        # idealised montages put the centre of the sphere more than 20 mm above the origin between the ears
        warnings.filterwarnings("ignore", message=".*from head frame origin.*")
        sphere = mne.make_sphere_model(
            "auto", "auto", info, relative_radii=_RELATIVE_RADII, sigmas=_CONDUCTIVITIES, verbose="error"
        )
        directions = _directions(_N_DIPOLES)
        radius = sphere["layers"][-1]["rad"] * _DIPOLE_RADIUS
        source = {"rr": directions * radius + sphere["r0"], "nn": directions}
        space = mne.setup_volume_source_space(pos=source, sphere_units="m", verbose="error")
        forward = mne.make_forward_solution(info, None, space, sphere, meg=False, eeg=True, verbose="error")
    # radial dipoles only: the three components of each free dipole are projected on its direction
    gain = forward["sol"]["data"].reshape(len(positions), -1, 3)
    used = forward["src"][0]["nn"][forward["src"][0]["vertno"]]
    return np.einsum("cdk,dk->cd", gain, used)


def _placed(position: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(position)) and np.any(position != 0))


def _directions(n: int) -> np.ndarray:
    """Unit vectors spread evenly over the sphere (golden-angle spiral)."""
    index = np.arange(n) + 0.5
    height = 1 - 2 * index / n
    angle = np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - height**2)
    return np.column_stack([ring * np.cos(angle), ring * np.sin(angle), height])
