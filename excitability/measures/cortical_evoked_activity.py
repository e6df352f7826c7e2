"""Cortical evoked activity: the rectified area of the response of a region."""

from __future__ import annotations

import numpy as np

from ._evoked import area, window_mask
from ._registry import measure


@measure(kind="average", unit="V*s", references=["10.1038/npp.2008.22"])
def cortical_evoked_activity(
    x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.025, 0.275)
) -> float:
    """Area under the rectified average of the channels given.

    Parameters
    ----------
    x : ndarray, shape (n_channels, n_times)
        Average response, V; channels are averaged before rectification.
    times : ndarray, shape (n_times,)
        s from the pulse.
    window : tuple of float
        s; others begin at 0.05 s, to leave out what remains of the artefact.

    Returns
    -------
    float
        V·s. Noise adds to it, more with fewer trials: compare sessions with the same number of trials.

    Raises
    ------
    ValueError
        When the window lies outside the epoch.

    References
    ----------
    doi:10.1038/npp.2008.22 (there from 50 to 150 ms)

    Examples
    --------
    >>> times = np.arange(0, 301) / 1000.0
    >>> x = np.where(times < 0.15, 2e-6, -2e-6)[None]
    >>> round(cortical_evoked_activity(x, times) * 1e6, 6)
    0.5
    """
    inside = window_mask(times, window, "cortical_evoked_activity")
    return area(np.abs(x.mean(axis=0)[inside]), times[inside])
