"""SOUND: the source-estimate-utilising noise-discarding algorithm.

Mutanen, Metsomaa, Liljander & Ilmoniemi 2018, doi:10.1016/j.neuroimage.2017.10.021. What one channel shows and the
others, through the head, cannot explain is its noise; sources are then estimated with each channel trusted by its
noise. Noise levels come from mne-denoise, which agrees with TESA's own output; the last step is here because it must
also give bad channels back from the sources, which mne-denoise does not.
"""

from __future__ import annotations

from typing import Any

import mne
import numpy as np

from ._instance import data_of, eeg_picks
from ._leadfield import leadfield_of
from ._registry import note, step

_DOI = "10.1016/j.neuroimage.2017.10.021"


@step(references=[_DOI])
def sound(
    inst: Any,
    *,
    leadfield: np.ndarray | mne.Forward | None = None,
    lambda_: float = 0.1,
    n_iter: int = 5,
    replace_bads: bool = True,
) -> Any:
    """Suppress noise that single channels have for themselves, and give bad channels back.

    Parameters
    ----------
    inst : mne.Epochs
    leadfield : ndarray (n_channels, n_sources), mne.Forward or None
        Rows in the order of the EEG channels (bad ones included); None builds a spherical head on the montage.
    lambda_ : float
        Regularisation. The default is TESA's; it shrinks responses (see the gain in the log), 0.01 does so less.
    n_iter : int
        Rounds of noise estimation.
    replace_bads : bool
        Whether channels in ``info["bads"]``, which never take part, are rebuilt from the sources and freed.

    Returns
    -------
    cleaned : mne.Epochs
        A copy in average reference. The log gives the noise found and the gain: the factor by which the topography
        of a source comes through, median and lowest tenth over all sources of the lead field.

    Raises
    ------
    ValueError
        Without positions or lead field, with fewer than four good channels, or when mne-denoise is not installed.

    References
    ----------
    doi:10.1016/j.neuroimage.2017.10.021

    Examples
    --------
    >>> info = mne.create_info(mne.channels.make_standard_montage("biosemi32").ch_names, 500.0, "eeg")
    >>> info = info.set_montage("biosemi32")
    >>> x = np.random.default_rng(0).standard_normal((4, 32, 100)) * 1e-6
    >>> x[:, 5] *= 30  # one noisy electrode
    >>> epochs = mne.EpochsArray(x, info, tmin=-0.1, verbose=False)
    >>> bool(sound(epochs).get_data()[:, 5].std() < 5e-6)
    True
    """
    if lambda_ < 0 or n_iter < 1:
        raise ValueError(f"sound needs lambda_ >= 0 and n_iter >= 1, not {lambda_} and {n_iter}")
    everyone, good = eeg_picks(inst, bads=True), eeg_picks(inst)
    if len(good) < 4:
        raise ValueError(f"sound needs at least 4 good EEG channels, not {len(good)}")
    gain = leadfield_of(inst, everyone, leadfield)
    kept = np.flatnonzero(np.isin(everyone, good))
    average = data_of(inst).mean(axis=0)[good]
    operator, noise = sound_operator(average, gain, kept, lambda_, n_iter)
    bads = [name for name in inst.info["bads"] if name in {inst.ch_names[pick] for pick in everyone}]
    out = everyone if replace_bads else good
    rows = np.arange(len(everyone)) if replace_bads else kept
    for trial in data_of(inst):
        trial[out] = operator[rows] @ trial[good]
    if replace_bads:
        inst.info["bads"] = [name for name in inst.info["bads"] if name not in bads]
    mne.set_eeg_reference(inst, ref_channels=[], copy=False, verbose="error")  # marks the reference as custom
    through = source_gain(operator, gain, kept)
    low, middle = np.quantile(through, [0.1, 0.5])
    text = f"noise of {1e6 * noise.min():.2g} to {1e6 * noise.max():.2g} µV; gain {middle:.2f}, lowest tenth {low:.2f}"
    if middle < 0.8:
        text += " (below 0.8: responses come out too small, choose a smaller lambda_)"
    if replace_bads and bads:
        text += f"; rebuilt {', '.join(bads)}"
    note(inst, text, operator=operator, noise=noise, gain=float(middle), replaced=bads)
    return inst


def sound_operator(
    average: np.ndarray, leadfield: np.ndarray, kept: np.ndarray, lambda_: float, n_iter: int
) -> tuple[np.ndarray, np.ndarray]:
    """Matrix from the good channels to all, average-referenced, and the noise of each good channel (V).

    Parameters
    ----------
    average : ndarray, shape (n_good, n_times)
    leadfield : ndarray, shape (n_channels, n_sources)
        All channels, average-referenced.
    kept : ndarray of int
        Rows of ``leadfield`` that are good.
    """
    try:
        from mne_denoise.sound import compute_sound_ref_best
    except ImportError as error:
        raise ValueError("sound needs mne-denoise; type: pip install excitability[eeg]") from error
    # volts are near the smallest numbers that a noise level is divided by: microvolts keep it well scaled
    _, noise, _, best = compute_sound_ref_best(
        1e6 * average, leadfield[kept], lambda_=lambda_, n_iter=n_iter, random_state=0, verbose="error"
    )
    n = len(kept)
    others = np.delete(np.arange(n), best)
    referenced = leadfield[kept][others] - leadfield[kept][best]
    weighted = referenced / noise[:, None]
    gram = weighted @ weighted.T
    gram[np.diag_indices_from(gram)] += lambda_ * np.trace(gram) / (n - 1)
    reference = np.eye(n)[others] - np.eye(n)[best]
    operator = (leadfield - leadfield.mean(axis=0)) @ weighted.T @ np.linalg.solve(gram, reference / noise[:, None])
    levels = np.insert(noise, best, noise.min())
    return operator, 1e-6 * levels


def source_gain(operator: np.ndarray, leadfield: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Share of each source's topography that comes through an operator: 1 is untouched, 0 is lost."""
    passed = operator @ leadfield[kept]
    return np.sum(passed * leadfield, axis=0) / np.sum(leadfield**2, axis=0)
