"""Lead fields for the steps that know what the head lets through: given, of a template head, or of a sphere."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import Any

import mne
import numpy as np

# Shells and dipoles of the published fallback (Mutanen et al. 2018): 81, 85, 88 mm; radial dipoles at 76 mm;
# brain and scalp 0.33 S/m, skull 50 times less.
_RELATIVE_RADII = (81 / 88, 85 / 88, 1.0)
_CONDUCTIVITIES = (0.33, 0.33 / 50, 0.33)
_DIPOLE_RADIUS = 76 / 88
_N_DIPOLES = 2000

_HEAD = (0.03, 0.30)  # m from the middle of the electrodes to the farthest, of a part of a child's cap to an adult's
_FEW_PLACES = 7  # electrodes: so few may lie on one spot of the head

#: The head that MNE gives to studies without magnetic resonance images, and what it is downloaded with.
TEMPLATE = "fsaverage"
_FETCH = "python -c 'import mne; mne.datasets.fetch_fsaverage()'"


def leadfield_of(inst: Any, picks: np.ndarray, leadfield: Any) -> np.ndarray:
    """Lead field (n_channels, n_sources), average-referenced, rows in the order of ``picks``.

    Parameters
    ----------
    inst : mne.io.Raw or mne.Epochs
    picks : ndarray of int
        EEG channels.
    leadfield : None, ndarray, mne.Forward or str
        None builds a three-shell sphere on the electrode positions; an array has a row a channel of ``picks``;
        the rows of a forward solution, or of the file of one, are found by name; ``"fsaverage"`` is MNE's template
        head: boundary elements, dipoles across the cortex.

    Raises
    ------
    ValueError
        Without electrode positions, when the lead field does not fit the channels, or without the file of a forward
        solution or of the template.
    """
    names = [inst.ch_names[pick] for pick in picks]
    if isinstance(leadfield, str | Path):
        leadfield = _template(mne.pick_info(inst.info, picks)) if leadfield == TEMPLATE else _forward_file(leadfield)
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


def _forward_file(path: str | Path) -> mne.Forward:
    if not Path(path).is_file():
        raise ValueError(
            f'leadfield = "{path}" is no file; give "{TEMPLATE}", a forward solution that mne.write_forward_solution '
            "wrote, or leave it out for a spherical head"
        )
    return mne.read_forward_solution(path, verbose="error")


def _template(info: mne.Info) -> np.ndarray:
    """Lead field of dipoles across the cortex of the template head, for electrodes projected onto its scalp."""
    _positions(info)
    folder = Path(str(mne.get_config("SUBJECTS_DIR") or _datasets())) / TEMPLATE / "bem"
    head, cortex = (folder / f"{TEMPLATE}-{name}.fif" for name in ("5120-5120-5120-bem-sol", "ico-5-src"))
    missing = [file.name for file in (head, cortex) if not file.is_file()]
    if missing:
        raise ValueError(
            f"the template head is not on this machine ({' and '.join(missing)}); download it once: {_FETCH}"
        )
    return _of_template(head, cortex, _Electrodes(info))


def _datasets() -> Path:
    """Where MNE keeps what it downloads; ``fetch_fsaverage`` puts the template beneath."""
    kept = mne.get_config("MNE_DATA")
    return (Path(kept) if kept else Path.home() / "mne_data") / "MNE-fsaverage-data"


class _Electrodes:
    """Electrodes that are the same to a cache when they are at the same places."""

    def __init__(self, info: mne.Info) -> None:
        self.info = info
        self.key = (tuple(info["ch_names"]), _positions(info).tobytes())

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Electrodes) and self.key == other.key


@functools.lru_cache(maxsize=8)  # several steps of a cleaning ask for it, and so do the sessions of a study
def _of_template(head: Path, cortex: Path, electrodes: _Electrodes) -> np.ndarray:
    space = mne.read_source_spaces(cortex, verbose="error")
    for half in space:
        kept = half["vertno"][:: max(1, round(half["nuse"] * len(space) / _N_DIPOLES))]
        half["inuse"] = np.isin(np.arange(half["np"]), kept).astype(int)
        half["vertno"], half["nuse"] = kept, len(kept)
    forward = mne.make_forward_solution(
        electrodes.info, TEMPLATE, space, str(head), meg=False, eeg=True, verbose="error"
    )
    # dipoles at right angles to the cortex
    fixed = mne.convert_forward_solution(forward, surf_ori=True, force_fixed=True, use_cps=False, verbose="error")
    gain: np.ndarray = mne.pick_channels_forward(fixed, electrodes.info["ch_names"], ordered=True)["sol"]["data"]
    return gain


def _positions(info: mne.Info) -> np.ndarray:
    """Places of the electrodes (n_channels, 3), m; an error names those without."""
    positions = np.array([channel["loc"][:3] for channel in info["chs"]])
    unplaced = [name for name, place in zip(info["ch_names"], positions, strict=True) if not _placed(place)]
    if unplaced:
        raise ValueError(
            f"no position for the channels {', '.join(unplaced[:5])}{'…' if len(unplaced) > 5 else ''}: "
            'set them with inst.set_montage("colin27_1005"), or give a lead field'
        )
    _check_size(positions)
    return positions


def _check_size(positions: np.ndarray) -> None:
    """Refuse electrodes that do not lie on a head measured in metres."""
    distance = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    size = float(np.max(distance))
    if len(positions) > _FEW_PLACES and not _HEAD[0] <= size <= _HEAD[1]:
        hint = "all at one place?" if size < 1e-6 else "positions must be in metres; were they given in mm or cm?"
        raise ValueError(
            f"the electrodes lie up to {size:.3g} m from their middle, and those of a head {_HEAD[0]:g} to "
            f'{_HEAD[1]:g} m: {hint} Set them with inst.set_montage("colin27_1005")'
        )


def _sphere(info: mne.Info) -> np.ndarray:
    positions = _positions(info)
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
