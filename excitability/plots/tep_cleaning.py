"""An evoked potential before and after cleaning: all channels, mean field, scalp at the peaks, and the muscle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..cleaning import gap_of
from ..cleaning._instance import pulses_of_trials
from ..cleaning._registry import recorded
from ..labels import channel_label
from ..schema import Estimate, display
from ._scalp import BAD, FEWEST, channel_colours, colour_bar, has_positions, head_key, topography
from ._style import BLUE, FAINT, INK, PALETTE, SMALL, SOFT, TWO_COLUMNS, arrange, new_figure, readable, styled, tidy
from ._tep_panels import (
    LABEL,
    Spans,
    draw_channels,
    draw_gaps,
    draw_mean_field,
    latency_words,
    limits_of,
    name_peaks,
    outside,
    peaks_of,
    pulse_gaps,
)

if TYPE_CHECKING:
    import mne
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_TIMES = 4.0  # the panels before cleaning reach at most so much further than those after it
_MUSCLE = (-0.02, 0.1)  # s
_MUSCLE_CLEAR = (-0.002, 0.010)  # s: the artefact of the pulse in the EMG
_MOST_MUSCLES = 3
_FEW = 3  # peaks whose maps fit side by side


class _Side:
    """One average: its channels, times, and what is not to be judged by."""

    def __init__(self, inst: Any, condition: str | None, what: str) -> None:
        import mne

        inst = trials_of(inst, condition, what)
        self.n_trials = len(inst) if hasattr(inst, "events") else int(inst.nave or 0)
        picks = mne.pick_types(inst.info, eeg=True, exclude=())
        if not len(picks):
            raise ValueError(f"tep_cleaning: the recording {what} cleaning has no EEG channel")
        evoked = inst.average(picks=picks) if hasattr(inst, "events") else inst.copy().pick(picks)
        self.x, self.times, self.info, self.names = evoked.data, evoked.times, evoked.info, list(evoked.ch_names)


@styled
def tep_cleaning(
    before: mne.BaseEpochs | mne.Evoked,
    after: mne.BaseEpochs | mne.Evoked,
    peaks: Mapping[str, float] | pd.DataFrame | None = None,
    *,
    condition: str | None = None,
    gap: tuple[float, float] | None = None,
    tmin: float = -0.05,
    tmax: float = 0.3,
    title: str = "",
) -> Figure:
    """The evoked potential before and after cleaning, side by side.

    Above all channels, coloured by their place, then the global mean field with its peaks; below, maps of the scalp at
    the peaks with one colour bar; last, where EMG was recorded, the motor evoked potentials of the same pulses.

    Parameters
    ----------
    before, after : mne.Epochs or mne.Evoked
        The same recording before and after cleaning: ``ex.clean(raw, protocol.replace(cleaning=[]))[0]`` and
        ``ex.clean(raw, protocol)[0]``. Sampling rates and channels may differ. What is drawn of ``before`` has the
        mean of the time before the pulse taken off and the average reference.
    peaks : mapping or DataFrame, optional
        Latency of each named peak in s (an ``Estimate`` brings its interval), or the result rows of the session.
    condition : str, optional
        Of ``metadata["condition"]``; all trials by default.
    gap : (float, float), optional
        Span about each pulse that was cut out or bridged, s; as the cleaning of ``after`` left it by default.
    tmin, tmax : float
        Limits of the time axis, s.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Without EEG channels, or where no trial has the condition.
    TypeError
        For a continuous recording.

    Examples
    --------
    >>> import excitability as ex
    >>> raw, truth = ex.simulate.tep_session("M1", n_trials=20, seed=1)
    >>> protocol = ex.load_protocol("m1/tep")
    >>> steps = [{"step": "remove_pulse"}, {"step": "remove_decay"}, {"step": "interpolate_pulse"}]
    >>> before, after = (ex.clean(raw, protocol.replace(cleaning=own))[0] for own in ([], steps))
    >>> figure = tep_cleaning(before, after, {"N45": 0.045, "N100": 0.1})
    >>> [ax.get_title(loc="left") for ax in figure.axes[:2]]
    ['Before cleaning', 'After cleaning']
    """
    for inst in (before, after):
        if not (hasattr(inst, "nave") or hasattr(inst, "events")) or not hasattr(inst, "info"):
            raise TypeError(
                f"tep_cleaning draws mne.Epochs or mne.Evoked, not {type(inst).__name__}: before = ex.clean(raw, "
                "protocol.replace(cleaning=[]))[0]; after = ex.clean(raw, protocol)[0]"
            )
    raw, clean = _Side(before, condition, "before"), _Side(after, condition, "after")
    gap = gap or gap_of(after)
    gaps = pulse_gaps(_pulses(after, condition), gap)
    bads = _bad_channels(before, after)
    _levelled(raw, bads, gaps)
    keep = [name not in after.info["bads"] for name in clean.names]
    found = {name: when for name, when in peaks_of(peaks, condition).items() if tmin <= when <= tmax}
    reach = float(np.nanmax(np.abs(clean.x[keep][:, _clear(clean.times, gaps, tmin, tmax)])))
    factor, unit = readable("V", [reach])
    muscles = _muscles(before)
    maps = len(found) > 0 and sum(keep) >= FEWEST and all(has_positions(s.info, len(s.names)) for s in (raw, clean))
    heights = [3.3, *([1.25 if len(found) <= _FEW else 2.05] if maps else []), *([1.45] if muscles else [])]
    figure = new_figure(TWO_COLUMNS, sum(heights) + (0.2 if title else 0))
    arrange(figure, hspace=0.02)
    parts: list[Any] = list(np.atleast_1d(np.asarray(figure.subfigures(len(heights), 1, height_ratios=heights))))
    _columns(parts.pop(0), (raw, clean), bads, gaps, found, (tmin, tmax), (factor, unit))
    if maps:
        _maps(parts.pop(0), (raw, clean), bads, keep, found, (factor, unit))
    if muscles:
        _muscle_row(parts.pop(0), before, after, muscles, condition)
    if title:
        figure.suptitle(title, size=9, weight="bold", x=0.01, ha="left")
    return figure


def trials_of(inst: Any, condition: str | None, what: str) -> Any:
    """Trials of a condition; an average is taken as it is."""
    if condition is None or not hasattr(inst, "events"):
        return inst
    known = inst.metadata["condition"] if inst.metadata is not None and "condition" in inst.metadata else pd.Series()
    mine = (known == condition).to_numpy()
    if not mine.any():
        names = ", ".join(map(repr, dict.fromkeys(known))) or "none"
        raise ValueError(f"no trial {what} cleaning has the condition {condition!r}; known: {names}")
    return inst[mine]


def _pulses(inst: Any, condition: str | None) -> list[float]:
    """Times of the pulses of the trials that are drawn, s."""
    if not hasattr(inst, "events"):
        return [0.0]
    return sorted({pulse for pulses, _ in pulses_of_trials(trials_of(inst, condition, "after")) for pulse in pulses})


def _bad_channels(before: Any, after: Any) -> list[str]:
    """Channels that are bad, that the cleaning found bad, or that it rebuilt from the others."""
    found = [*before.info["bads"], *after.info["bads"], *recorded(after, "bad_channels", "bads", []),
             *recorded(after, "sound", "replaced", [])]  # fmt: skip
    return list(dict.fromkeys(found))


def _levelled(side: _Side, bads: list[str], gaps: Spans) -> None:
    """Take off the level before the pulses and the mean of the good channels: amplifiers drift by millivolts."""
    first = gaps[0][0] - 0.005 if gaps else 0.0
    quiet = side.times < first
    if not quiet.any():
        quiet = np.ones(side.times.size, dtype=bool)
    side.x = side.x - side.x[:, quiet].mean(axis=1, keepdims=True)
    good = [name not in bads for name in side.names]
    if sum(good) > 1:
        side.x = side.x - side.x[good].mean(axis=0)


def _clear(times: np.ndarray, gaps: Spans, tmin: float, tmax: float) -> np.ndarray:
    shown = (times >= tmin) & (times <= tmax)
    clear = shown & outside(times, gaps)
    return clear if clear.any() else shown


def _columns(
    part: Any,
    sides: tuple[_Side, _Side],
    bads: list[str],
    gaps: Spans,
    peaks: Mapping[str, Estimate],
    span: tuple[float, float],
    scale: tuple[float, str],
) -> None:
    """All channels above, mean field below, in two columns."""
    (tmin, tmax), (factor, unit), ms = span, scale, display("s")[0]
    axes = part.subplots(2, 2, sharex=True, height_ratios=[2.2, 1])
    raw, clean = sides
    limits = limits_of(clean.x[:, _clear(clean.times, gaps, tmin, tmax)] * factor)
    field = np.nanstd(clean.x, axis=0)
    tallest = 1.2 * factor * float(np.nanmax(field[_clear(clean.times, gaps, tmin, tmax)])) or 1.0  # of one channel
    for place, (side, name) in enumerate(((raw, "Before cleaning"), (clean, "After cleaning"))):
        butterfly, mean_field = axes[:, place]
        shown = (side.times >= tmin) & (side.times <= tmax)
        clear = _clear(side.times, gaps, tmin, tmax)
        good = np.array([place == 1 or channel not in bads for channel in side.names])
        colours = channel_colours(side.info, len(side.names))
        draw_channels(butterfly, side.x[good][:, shown] * factor, side.times[shown],
                      [colour for colour, own in zip(colours, good, strict=True) if own])  # fmt: skip
        for channel in side.x[~good]:
            butterfly.plot(side.times[shown] * ms, channel[shown] * factor, color=BAD, lw=0.4, alpha=0.8, zorder=1.5,
                           rasterized=True)  # fmt: skip
        own = np.nanstd(side.x[good], axis=0) * factor
        if place == 0:
            _cut(butterfly, side.x[good] * factor, shown, clear, limits, unit)
            mean_field.set_ylim(0, min(max(tallest, 1.2 * float(np.nanmax(own[clear]))), _MOST_TIMES * tallest))
        else:
            butterfly.set_ylim(*limits)
            mean_field.set_ylim(0, tallest)
        name_peaks(butterfly, peaks, tmax - tmin)
        draw_mean_field(mean_field, own[shown], side.times[shown], peaks, marked=place == 1)
        butterfly.set_title(name)
        _told(butterfly, side, good, colours, bads if place == 0 else [])
        mean_field.set_xlabel("Time from pulse (ms)")
        for ax in (butterfly, mean_field):
            ax.axvline(0, color=SOFT, lw=0.8, zorder=0)
            draw_gaps(ax, gaps)
            tidy(ax)
    axes[0, 0].set_xlim(tmin * ms, tmax * ms)
    axes[0, 0].set_ylabel(f"Amplitude ({unit})")
    axes[1, 0].set_ylabel(f"GMFA ({unit})")
    part.align_ylabels(axes[:, 0])


def _cut(ax: Axes, x: np.ndarray, shown: np.ndarray, clear: np.ndarray, limits: tuple[float, float], unit: str) -> None:
    """Limits before cleaning: as far as the channels reach, within what leaves the response to be seen."""
    wanted = limits_of(x[:, clear])
    low, high = (
        max(min(limits[0], wanted[0]), _MOST_TIMES * limits[0]),
        min(max(limits[1], wanted[1]), _MOST_TIMES * limits[1]),
    )
    ax.set_ylim(low, high)
    largest = float(np.nanmax(np.abs(x[:, shown])))
    if largest > max(-low, high):
        factor = display("V", 1.0)[0] / display("V", 0.0)[0]  # the larger unit, of what is in the smaller one
        large = largest * factor >= 0.1 and unit.startswith("µ")
        reaches = f"{largest * factor:.2g} {display('V', 1.0)[1]}" if large else f"{largest:.0f} {unit}"
        ax.text(0.99, 0.02, f"cut off: reaches {reaches}", transform=ax.transAxes, ha="right", va="bottom", size=SMALL,
                color=SOFT, zorder=6, bbox=LABEL)  # fmt: skip


def _told(ax: Axes, side: _Side, good: np.ndarray, colours: list[Any], bads: list[str]) -> None:
    """How many trials and channels, and where these are."""
    bad = [name for name in side.names if name in bads]
    words = f"{len(side.names)} channels" + (f", {side.n_trials} trials" if side.n_trials else "")
    ax.set_title(words, loc="right", size=SMALL, weight="normal", color=SOFT)
    if bad:
        shown = ", ".join(bad[:4]) + (" …" if len(bad) > 4 else "")
        ax.text(0.01, 0.02, f"bad: {shown}", transform=ax.transAxes, ha="left", va="bottom", size=SMALL,
                color="#a8457d", zorder=6, bbox=LABEL)  # fmt: skip
    if has_positions(side.info, len(side.names)):
        head_key(ax, side.info, colours, bads, place=(0.845, 0.1, 0.155, 0.27))


def _maps(
    part: Any,
    sides: tuple[_Side, _Side],
    bads: list[str],
    keep: list[bool],
    peaks: Mapping[str, Estimate],
    scale: tuple[float, str],
) -> None:
    """Maps at the peaks, before above after, or side by side where there are few peaks.

    All have the colours of the map after cleaning that reaches furthest.
    """
    import mne

    good = (np.array([name not in bads for name in sides[0].names]), np.array(keep))
    values = [side.x[:, [int(np.argmin(np.abs(side.times - when))) for when in peaks.values()]] for side in sides]
    reach = float(np.nanmax(np.abs(values[1][keep])))
    few = len(peaks) <= _FEW
    axes, bar = _places(part, len(peaks), few)
    image = None
    for row, name in enumerate(("before", "after")):
        info = mne.pick_info(sides[row].info, np.flatnonzero(good[row]))
        for ax, (peak, when), column in zip(axes[row], peaks.items(), values[row][good[row]].T, strict=True):
            image = topography(ax, column, info, reach)
            if few:
                ax.set_title(f"{latency_words(peak, when, interval=False)}\n{name}", loc="center", size=SMALL,
                             weight="normal")  # fmt: skip
            elif row == 0:
                ax.set_title(latency_words(peak, when), loc="center", size=SMALL, weight="normal")
        if not few:
            axes[row][0].text(-0.12, 0.5, name, transform=axes[row][0].transAxes, rotation=90, ha="right",
                              va="center", size=SMALL)  # fmt: skip
    colour_bar(part, image, bar, scale)


def _places(part: Any, n_peaks: int, few: bool) -> tuple[list[list[Any]], Any]:
    """Axes of the maps before and after, and of their colour bar."""
    if few:  # before and after of a peak are neighbours; the margins keep the maps small
        margin = (6 - 2 * n_peaks) / 2 + 0.01
        grid = part.add_gridspec(1, 2 * n_peaks + 3, width_ratios=[margin, *[1] * (2 * n_peaks), 0.06, margin])
        maps = [part.add_subplot(grid[0, place + 1]) for place in range(2 * n_peaks)]
        return [maps[::2], maps[1::2]], part.add_subplot(grid[0, -2])
    grid = part.add_gridspec(2, n_peaks + 1, width_ratios=[1] * n_peaks + [0.015 * n_peaks])
    rows = [[part.add_subplot(grid[row, place]) for place in range(n_peaks)] for row in range(2)]
    return rows, part.add_subplot(grid[:, -1])


def _muscles(inst: Any) -> list[str]:
    """EMG channels of single trials."""
    if not hasattr(inst, "events"):
        return []
    types = zip(inst.ch_names, inst.get_channel_types(), strict=True)
    return [name for name, type_ in types if type_ == "emg" and name not in inst.info["bads"]][:_MOST_MUSCLES]


def _muscle_row(part: Any, before: Any, after: Any, muscles: list[str], condition: str | None) -> None:
    """The responses of the muscles on the left, their size from trial to trial on the right."""
    ms = display("s")[0]
    own = trials_of(before, condition, "before")
    shown = (own.times >= _MUSCLE[0]) & (own.times <= _MUSCLE[1])
    times = own.times[shown]
    data = own.get_data(picks=muscles)[:, :, shown]
    level = times < -0.003
    data = data - data[:, :, level].mean(axis=2, keepdims=True) if level.any() else data
    clear = outside(times, [_MUSCLE_CLEAR])
    means = data.mean(axis=0)
    drawn = data if len(muscles) == 1 else means
    factor, unit = readable("V", [np.nanmax(np.abs(means[:, clear]))])
    table = trials_of(after, condition, "after").metadata if hasattr(after, "events") else None
    numbers = np.asarray(trials_of(after, condition, "after").selection) + 1 if table is not None else np.zeros(0)
    sizes = {name: column for name in muscles if (column := _column(table, name)) is not None}
    axes = part.subplots(1, 2 if sizes else 1, squeeze=False)[0]
    trace = axes[0]
    for name, mean, colour in zip(muscles, means, (INK, BLUE, PALETTE[0]), strict=False):
        if len(muscles) == 1:
            trace.plot(times * ms, data[:, 0].T * factor, color=FAINT, lw=0.4, alpha=0.6, rasterized=True, zorder=1)
        trace.plot(times * ms, mean * factor, color=colour, lw=1.3, label=channel_label(name) or name, zorder=3)
        if name in sizes:
            axes[1].plot(numbers, sizes[name] * factor, "o", ms=2.4, color=colour, alpha=0.8)
    trace.set_ylim(*limits_of(drawn[..., clear] * factor, 0.05))
    trace.set_xlim(_MUSCLE[0] * ms, _MUSCLE[1] * ms)
    trace.axvline(0, color=SOFT, lw=0.8, zorder=0)
    trace.set_title(f"Muscle response, {len(own)} trials")
    trace.set(xlabel="Time from pulse (ms)", ylabel=f"{muscles[0] if len(muscles) == 1 else 'EMG'} ({unit})")
    if len(muscles) > 1:
        trace.legend(loc="upper right")
    if sizes:
        axes[1].set_ylim(0, None)
        axes[1].set_title("Size of the muscle response, trial by trial")
        axes[1].set(xlabel="Trial", ylabel=f"Amplitude ({unit})")
    for ax in axes:
        tidy(ax)


def _column(table: pd.DataFrame | None, name: str) -> np.ndarray | None:
    """Amplitudes of a muscle beside the trials, where they were measured."""
    for column in ("mep_amplitude", f"mep_amplitude_{name}"):
        if table is not None and column in table and table[column].notna().any():
            return table[column].to_numpy(dtype=float)
    return None
