"""Picture of the resting EEG of one recording in a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import mne
import numpy as np
import pandas as pd

from ..measures._spectrum import power_spectrum as density_of
from ..plots import power_spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = (1.0, 45.0)  # Hz
_RHYTHM = (6.0, 14.0)  # Hz: where a rhythm stands out of the background
_NAMES = ("individual_alpha_frequency", "aperiodic_exponent")


def resting_figures(
    epochs: mne.BaseEpochs, results: pd.DataFrame, who: str, example: str = ""
) -> Iterator[tuple[str, Figure, str]]:
    """Title, figure and caption: the spectrum of the good channels, with alpha frequency and aperiodic exponent.

    Parameters
    ----------
    epochs : mne.Epochs
        Cleaned segments of rest.
    results : DataFrame
        Result rows of the same recording.
    who : str
        Whose it is, for the title.
    example : str
        First sentence of the caption.
    """
    picks = mne.pick_types(epochs.info, eeg=True, exclude="bads")
    frequencies, density = density_of(epochs.get_data(picks=picks, verbose="ERROR"), epochs.times, "the spectrum")
    shown = (frequencies >= _SHOWN[0]) & (frequencies <= _SHOWN[1])
    frequencies, density = frequencies[shown], density[:, shown]
    values = results.drop_duplicates("measure").set_index("measure")["value"]
    peak, exponent = (float(values.get(name, np.nan)) for name in _NAMES)
    aperiodic, words = None, ""
    if np.isfinite(peak):
        words += f" The alpha rhythm is at {peak:.1f} Hz."
    if np.isfinite(exponent):
        words += f" Dashed: power that falls with the frequency to the power of {exponent:.2f}, the aperiodic part."
        still = (frequencies < _RHYTHM[0]) | (frequencies > _RHYTHM[1])
        level = np.median((np.log(density).mean(axis=0) + exponent * np.log(frequencies))[still])
        aperiodic = np.exp(level) * frequencies**-exponent
    figure = power_spectrum(frequencies, density, aperiodic=aperiodic, peak=peak)
    caption = f"{example}{words} Thin lines are {len(picks)} channels, bold is their mean on the logarithmic scale."
    yield f"Spectrum ({who})", figure, caption.strip()
