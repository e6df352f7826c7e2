"""Electrodes and the potentials that current dipoles make on them, from MNE's spherical head model."""

from __future__ import annotations

import functools

import numpy as np

#: A cap of 26 electrodes that holds the usual regions of interest of left M1 and left DLPFC.
# fmt: off
CHANNELS = (
    "Fp1", "Fp2", "AF3", "AF4", "F7", "F3", "F1", "Fz", "F4", "F8", "FC3", "FC1", "FCz", "FC4",
    "T7", "C3", "C1", "Cz", "C4", "T8", "CP1", "P3", "Pz", "P4", "O1", "O2",
)
# fmt: on
_DEPTH = 0.062  # m from the centre of the head
_N_BACKGROUND = 60


def eeg_info(channels, sampling_rate):
    """Measurement info of a cap with electrode positions of the 10-20 system."""
    import mne

    info = mne.create_info(list(channels), sampling_rate, "eeg")
    montage = mne.channels.make_standard_montage("colin27_1020")
    unknown = [name for name in channels if name not in montage.ch_names]
    if unknown:
        raise ValueError(
            f"channel {unknown[0]!r} is no electrode of the 10-20 system; expected names like {CHANNELS[:6]}"
        )
    info.set_montage(montage, verbose="error")
    return info


def _fibonacci_directions(n):
    """Unit vectors (n, 3) spread evenly over the upper three quarters of a sphere."""
    z = np.linspace(-0.4, 0.98, n)
    angle = np.pi * (3 - np.sqrt(5)) * np.arange(n)
    radius = np.sqrt(1 - z**2)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), z])


@functools.lru_cache(maxsize=8)
def head(channels):
    """Lead fields of a cap, computed once.

    Parameters
    ----------
    channels : tuple of str

    Returns
    -------
    dict
        ``positions`` (n_channels, 3) in metres from the centre of the sphere; ``radial``, ``tangential``
        (n_channels, n_channels): fields of one dipole under every electrode, pointing out and forward;
        ``background`` (n_channels, n_channels): independent sources that
        together make the field of a cloud of dipoles. Average reference, V per A·m.
    """
    import mne

    info = eeg_info(channels, 1000.0)
    sphere = mne.make_sphere_model("auto", "auto", info, verbose="error")
    positions = np.array([channel["loc"][:3] for channel in info["chs"]]) - sphere["r0"]
    under = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    # forward along the surface: what is left of the axis of y when its radial part is taken away
    forward = np.array([0.0, 1.0, 0.15]) - under * (under @ [0.0, 1.0, 0.15])[:, None]
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    cloud = np.repeat(_fibonacci_directions(_N_BACKGROUND), 3, axis=0)
    places = np.concatenate([under, under, cloud]) * _DEPTH + sphere["r0"]
    orientations = np.concatenate([under, forward, np.tile(np.eye(3), (_N_BACKGROUND, 1))])
    n = len(places)
    dipoles = mne.Dipole(
        np.arange(n) * 1e-3, places, np.full(n, 1e-8), orientations, np.full(n, 100.0), verbose="error"
    )
    solution, _ = mne.make_forward_dipole(dipoles, sphere, info, verbose="error")
    gain = solution["sol"]["data"]
    gain = gain - gain.mean(axis=0)
    n_channels = len(channels)
    background = gain[:, 2 * n_channels :]
    # one source a channel with the covariance that the cloud has: the same field from fewer sources
    values, vectors = np.linalg.eigh(background @ background.T)
    return {
        "positions": positions,
        "radial": gain[:, :n_channels],
        "tangential": gain[:, n_channels : 2 * n_channels],
        "background": vectors * np.sqrt(np.maximum(values, 0.0)),
    }


def _position_of(electrode, channels):
    if electrode not in channels:
        raise ValueError(f"channels must hold {electrode}, above which a source lies; {len(channels)} others given")
    return channels.index(electrode)


def topography(channels, electrode, tangential):
    """Field of a dipole under ``electrode``, 1 where it is strongest; ``tangential`` 0…1 turns it."""
    fields, at = head(channels), _position_of(electrode, channels)
    field = (1 - tangential) * fields["radial"][:, at] + tangential * fields["tangential"][:, at]
    return field / np.abs(field).max()


def nearness(channels, electrode, length):
    """How near each electrode is to one of them: 1 there, falling off over ``length`` metres."""
    positions = head(channels)["positions"]
    distance = np.linalg.norm(positions - positions[_position_of(electrode, channels)], axis=1)
    return np.exp(-0.5 * (distance / length) ** 2)


def eeg_raw(data, channels, sampling_rate, protocol, muscles=None):
    """A recording (n_channels, n_times) with what is known of its making; EMG channels follow the electrodes."""
    import mne

    info = eeg_info(channels, sampling_rate)
    muscles = dict(muscles or {})
    if muscles:
        montage = info.get_montage()
        info = mne.create_info([*channels, *muscles], sampling_rate, ["eeg"] * len(channels) + ["emg"] * len(muscles))
        info.set_montage(montage, verbose="error")
    info["temp"] = {
        "excitability": {
            "format": "simulated",
            "protocol": protocol,
            "stimulator": "simulated",
            "reference": "average",
            "muscles": muscles,
            "notes": ["gaps between trials are shortened"],
        }
    }
    return mne.io.RawArray(data, info, verbose="error")
