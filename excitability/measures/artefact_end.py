"""When the artefact of the pulse is over."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.windows import level
from ._artefact import POOR, at_rest
from ._registry import measure
from ._responses import find_responses
from ._windows import BASELINE, baseline_samples, interval, window_samples


@measure(kind="trial", unit="s")
def artefact_end(
    x: np.ndarray, times: np.ndarray, *, window: tuple[float, float] = (0.015, 0.050), first_pulse: Any = 0.0
) -> np.ndarray:
    """Time from the pulse at which the artefact is over and the trace can be used.

    The artefact is over when the recorded trace first has, for 2 ms, no more power than 98 % of the stretches of 2 ms
    before the pulse. Where that is not so before the window begins, its tail runs on under the response: then it is
    over when the fitted tail, which the MEP measures take away, has fallen below the standard deviation of the noise.
    Where no tail could be fitted either, it is the first such 2 ms in the window, which may come after a response.

    Parameters
    ----------
    x : array, shape (n_trials, n_times)
        Trials in V, unfiltered.
    times : array, shape (n_times,)
        Seconds from the pulse.
    window : tuple of float or str
        Where the response may lie, in s, or a muscle's name.
    first_pulse : float or array, shape (n_trials,)
        Time of the trial's first pulse in s, 0 or before; the noise is learnt before it.

    Returns
    -------
    array, shape (n_trials,)
        s, 0 without an artefact; NaN where the trace does not come to rest before the window ends.

    Raises
    ------
    ValueError
        When the window lies outside the epoch, or the epoch holds less than 15 ms of noise.

    Examples
    --------
    >>> import numpy as np
    >>> from excitability.measures import artefact_end
    >>> times = np.arange(-500, 1001) / 5000
    >>> noise = 5e-6 * np.random.default_rng(0).standard_normal((20, times.size))
    >>> tail = 1e-3 * np.exp(-times / 0.0015) * (times >= 0)
    >>> bool(abs(np.median(artefact_end(noise + tail, times)) - 0.0085) < 0.0015), float(artefact_end(noise, times)[0])
    (True, 0.0)
    """
    step = interval(times)
    search, stop = window_samples(times, window, "artefact_end")
    quiet = baseline_samples(times, BASELINE, first_pulse, len(x), "artefact_end")
    levels = level(x, *quiet)
    pulse = max(round(-times[0] / step), 0)
    rest = at_rest(x, quiet, levels, pulse, stop, step)
    end = np.where(rest >= 0, times[rest], np.nan)
    late = np.flatnonzero((rest > search) | (rest < 0))
    if late.size:
        found = find_responses(x, times, window, first_pulse, name="artefact_end")
        begin = stop - found.traces.shape[1]
        tail = np.abs(x[late, begin:stop] - levels[late, :1] - found.traces[late])
        fitted = found.artefact[late] <= POOR * found.noise[late]
        large = tail > found.noise[late, None]
        after = tail.shape[1] - np.argmax(large[:, ::-1], axis=1)
        by_model = fitted & large.any(axis=1)
        ends = np.append(times[begin:stop], np.nan)[after]  # a tail that outlasts the window has no known end
        end[late[by_model]] = ends[by_model]
    end[np.isnan(levels[:, 1]) | np.isnan(x[:, search:stop]).any(axis=1)] = np.nan
    return np.maximum(end, 0.0)
