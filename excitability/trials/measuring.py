"""Trial measures applied to the trials of one channel, and written into ``epochs.metadata``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..measures import get_measure
from ..measures._windows import SHORTEST_BASELINE
from ..resources import muscle_window
from ..schema import STIMULUS_COLUMNS, join_flags, unknown_word
from .cutting import first_pulse_times
from .muscles import channel_muscles, pick_channels
from .stimuli import stimuli


def measure_trials(
    name: str,
    x: np.ndarray,
    times: np.ndarray,
    parameters: Mapping[str, Any],
    *,
    muscle: str = "",
    window: tuple[float, float] | None = None,
    first_pulse: np.ndarray | float = 0.0,
) -> tuple[np.ndarray, str]:
    """Values of one measure for the trials of one channel.

    Parameters
    ----------
    name : str
        Name of a trial measure.
    x : ndarray, shape (n_trials, n_times)
        Volts.
    times : ndarray, shape (n_times,)
        Seconds from the pulse.
    parameters : mapping
        Arguments of the measure; ``window = "muscle"`` is the window of ``muscle``.
    muscle : str
        Muscle of the channel.
    window : tuple of float, optional
        What ``window = "muscle"`` means instead of the muscle's usual window: that of a child, or of a height.
    first_pulse : float | ndarray, shape (n_trials,)
        Time of the first pulse of each trial.

    Returns
    -------
    values : ndarray, shape (n_trials,)
    flag : str
        ``baseline_shortened`` when frames begin later than the baseline that was asked for.
    """
    entry = get_measure(name)
    if entry.kind != "trial":
        raise ValueError(f"{name!r} is a measure of kind {entry.kind!r}; a value a trial needs kind 'trial'")
    arguments = dict(parameters)
    for key in arguments:
        if key not in entry.parameters:
            raise ValueError(unknown_word(f"parameter of {name}", key, entry.parameters))
    if arguments.get("window") == "muscle":
        arguments["window"] = window or muscle_window(muscle)
    flag = ""
    begins = float(times[0] - np.min(first_pulse))
    for key in ("window", "baseline"):
        span = arguments.get(key, entry.parameters.get(key))
        if isinstance(span, str) or span is None or span[1] > 0 or span[0] >= begins - 1e-9:
            continue
        if span[1] - begins < SHORTEST_BASELINE:
            raise ValueError(
                f"{name}: its {key} {span[0]:g} to {span[1]:g} s lies before the trials begin ({begins:g} s before "
                "the first pulse); cut longer trials, or give a later one"
            )
        arguments[key] = (begins, span[1])
        flag = "baseline_shortened"
    if "first_pulse" in entry.parameters:
        arguments["first_pulse"] = first_pulse
    values = np.asarray(entry.function(x, times, **arguments), dtype=float)
    if values.shape != (len(x),):
        raise ValueError(f"measure {name!r} returned shape {values.shape} for {len(x)} trials")
    return values, flag


def annotate(
    epochs: mne.BaseEpochs,
    measures: Iterable[str] | Mapping[str, Mapping[str, Any]],
    picks: str | Iterable[str] | None = None,
    *,
    muscles: Mapping[str, str] | None = None,
    lock: str = "last_pulse",
) -> mne.BaseEpochs:
    """Add trial measures to the metadata of any epochs.

    Parameters
    ----------
    epochs : mne.Epochs
        Time 0 is the pulse.
    measures : list of str | mapping of str to parameters
        Names of trial measures, or names with their arguments (``{"mep_amplitude": {"window": (0.02, 0.06)}}``).
    picks : str | list of str | None
        Channels or muscles; all EMG channels by default.
    muscles : mapping of channel to muscle, optional
        Where the channel names do not say it. The response window of a channel is that of its muscle; a channel
        of unknown muscle gets the default of the measure (hand muscle at rest).
    lock : {"last_pulse", "first_pulse"}
        Which pulse of a pair is at time 0; pre-stimulus windows are counted back from the first pulse.

    Returns
    -------
    mne.Epochs
        A copy. One column a measure; with several channels one a measure and channel, ``mep_amplitude_FDI``.

    Examples
    --------
    >>> import excitability as ex, mne
    >>> x, times, truth = ex.simulate.mep_trials(5, seed=0)
    >>> info = mne.create_info(["FDI"], 1 / (times[1] - times[0]), "emg")
    >>> epochs = mne.EpochsArray(x[:, None], info, tmin=times[0], verbose="ERROR")
    >>> annotate(epochs, ["mep_amplitude"], picks="FDI").metadata["mep_amplitude"].shape
    (5,)
    """
    if not isinstance(epochs, mne.BaseEpochs):
        raise TypeError(f"annotate takes mne.Epochs, not {type(epochs).__name__}; for a Raw use ex.trial_table")
    measures = [measures] if isinstance(measures, str) else measures
    wanted = {name: {} for name in measures} if not isinstance(measures, Mapping) else dict(measures)
    channels = pick_channels(epochs, picks, "emg", muscles)
    named = channel_muscles(epochs, channels, muscles, required=False)
    out = epochs.copy()
    table = stimuli(epochs)
    metadata = table if epochs.metadata is None else epochs.metadata.reset_index(drop=True)
    told = [name for name in table if name in STIMULUS_COLUMNS and name not in metadata and table[name].notna().any()]
    metadata = pd.concat([metadata, table[told]], axis=1).drop(columns="onset" if epochs.metadata is None else [])
    first = first_pulse_times(table, lock)
    data = epochs.get_data(picks=channels, verbose="ERROR")
    for index, channel in enumerate(channels):
        for name, parameters in wanted.items():
            arguments: dict[str, Any] = dict(parameters)
            entry = get_measure(name)
            responds = entry.parameters.get("window", (0, 0))
            if named[channel] and "window" not in arguments and "window" in entry.parameters and responds[1] > 0:
                arguments["window"] = "muscle"
            values, _ = measure_trials(
                name, data[:, index], epochs.times, arguments, muscle=named[channel], first_pulse=first
            )
            metadata[name if len(channels) == 1 else f"{name}_{channel}"] = values
    metadata.index = epochs.metadata.index if epochs.metadata is not None else metadata.index
    with mne.utils.use_log_level("ERROR"):
        out.metadata = metadata
    return out


def flags_of(
    x: np.ndarray,
    times: np.ndarray,
    window: tuple[float, float],
    extra: str,
    *,
    first_pulse: np.ndarray | float = 0.0,
    latency: np.ndarray | None = None,
) -> np.ndarray:
    """Flags of each trial of one channel, what a reader of its values must know, and ``extra`` for all of them."""
    from ..measures.quality import trial_flags

    flags = trial_flags(x, times, window, first_pulse=first_pulse, latency=latency).tolist()
    joined = {flag: join_flags(str(flag), extra) for flag in set(flags)}  # few words, many trials
    return np.array([joined[flag] for flag in flags], dtype=object)
