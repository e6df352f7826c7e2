"""The heart's own signal in the EMG of trunk muscles: beats found, and their usual shape taken away.

The shape is the median of the beats far from any pulse, so that neither artefacts nor responses are in it; it may then
be taken away under a response. Nothing is filtered: filters serve to find the beats and never touch the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import mne
import numpy as np
from scipy.ndimage import uniform_filter1d

from ._ecg_beats import Beats, find_beats
from ._instance import data_of, pulse_samples
from ._registry import note, step

_BEFORE, _AFTER = 0.2, 0.4  # s around the R wave that the shape lasts, P and T waves included
_QRS = 0.05  # s on each side: the steep part
_LEARN = (-0.01, 0.3)  # s around a pulse in which no beat teaches the shape
_RESPONSE = (-0.002, 0.06)  # s around a pulse that does not tell the size of a beat
_SMOOTH = (0.0015, 0.012)  # s on each side: smoothing of the shape within the QRS complex and outside
_LEAST_SHAPE = 6.0  # times its own uncertainty that a shape must be large to be there at all
_FEWEST = 10  # beats that tell a shape
_NEIGHBOURS = 4  # beats on each side that tell the size of one
_DOUBT = 0.06  # s by which a beat that was left in may be nearer than it seems
_SIZES = (0.5, 1.6)  # sizes of a beat relative to the usual one


@step(on=("raw",), eeg=False)
def remove_ecg(
    inst: mne.io.BaseRaw, *, channel: str | None = None, least_rate: float = 40.0, most_rate: float = 180.0
) -> mne.io.BaseRaw:
    """Take the heart beats out of every EMG channel that holds them, and mark them.

    Beats are found on an ECG channel if there is one, else on the EMG channel in which they are clearest: waves of one
    shape that return at a plausible and even rate. TMS artefacts and responses are left out of the search, bursts of
    muscle are not alike; beats that fall on a pulse are filled in from their neighbours and what else is seen of them.
    The median shape of the beats far from pulses, scaled to each beat, is subtracted on each EMG channel that holds
    one. A beat whose steep part lies under a response, in a recording without ECG channel, cannot be timed well enough
    and is not subtracted: reject such trials by ``ecg_distance``.

    Each beat becomes an annotation ``"ECG"``, and each pulse gets the stimulus column ``ecg_distance``: seconds to
    the nearest R wave, 0.06 s less where that one was left in. Where no plausible ECG is found nothing is changed, and
    the log says so.

    Parameters
    ----------
    inst : mne.io.Raw
    channel : str, optional
        The channel to find the beats on.
    least_rate, most_rate : float
        Plausible heart rates, beats a minute.

    Returns
    -------
    cleaned : mne.io.Raw
        A copy.

    Raises
    ------
    ValueError
        When ``channel`` is not in the recording, or there is no EMG channel.

    Examples
    --------
    >>> rate, rng = 1000.0, np.random.default_rng(0)
    >>> times = np.arange(60000) / rate
    >>> beat = np.exp(-0.5 * ((times % 0.8 - 0.4) / 0.008) ** 2)
    >>> x = 300e-6 * beat + 20e-6 * rng.standard_normal(times.size)
    >>> raw = mne.io.RawArray(x[None], mne.create_info(["ES"], rate, "emg"), verbose=False)
    >>> cleaned = remove_ecg(raw)
    >>> len(cleaned.annotations), bool(cleaned.get_data().std() < 25e-6)
    (75, True)
    """
    emg = mne.pick_types(inst.info, emg=True, exclude=())
    if not emg.size:
        raise ValueError("remove_ecg: the recording has no EMG channel; use raw.set_channel_types({name: 'emg'})")
    rate = inst.info["sfreq"]
    data = data_of(inst)
    told = any(str(name).startswith("TMS") for name in inst.annotations.description)
    pulses = pulse_samples(inst) if told else np.empty(0, int)
    beats, found_on = _best_beats(inst, channel, emg, pulses, 60.0 / most_rate, 60.0 / least_rate)
    if beats is None:
        note(inst, f"nothing: no plausible ECG was found on {found_on}", beats=np.empty(0))
        return inst
    removed = [f"{inst.ch_names[k]} {text}" for k in emg if (text := _subtract(data[k], beats, pulses, rate))]
    _mark(inst, beats)
    left = int(np.sum(~beats.certain))
    note(
        inst,
        f"{len(beats.times)} beats, {beats.heart_rate:.0f}/min, found on {found_on}"
        + (f"; {left} under a response left in" if left else "")
        + "; "
        + ("; ".join(removed) if removed else "no EMG channel holds them"),
        beats=beats.times,
        heart_rate=beats.heart_rate,
    )
    return inst


def _best_beats(
    inst: mne.io.BaseRaw, channel: str | None, emg: np.ndarray, pulses: np.ndarray, shortest: float, longest: float
) -> tuple[Beats | None, str]:
    """Beats of the ECG channel, else of the EMG channel in which they are most alike; and where they were sought."""
    if channel is not None and channel not in inst.ch_names:
        raise ValueError(f"remove_ecg: channel {channel!r} is not in the recording; it has {', '.join(inst.ch_names)}")
    ecg = mne.pick_types(inst.info, ecg=True, exclude=())
    picks = [inst.ch_names.index(channel)] if channel else list(ecg) or list(emg)
    best = None
    for pick in picks:
        # an ECG electrode picks up the pulse, but no response of the muscle
        gap = (-0.005, 0.08) if pick in emg else (-0.005, 0.015)
        beats = find_beats(data_of(inst)[pick], inst.info["sfreq"], pulses, gap, shortest, longest)
        if beats is not None and (best is None or beats.likeness > best[0].likeness):
            best = beats, inst.ch_names[pick]
    return best or (None, ", ".join(inst.ch_names[pick] for pick in picks))


@dataclass(frozen=True)
class _Shape:
    """Usual beat of a channel: ``values`` from ``before`` samples ahead of the R wave on."""

    values: np.ndarray
    before: int
    steep: slice


def _subtract(x: np.ndarray, beats: Beats, pulses: np.ndarray, rate: float) -> str:
    """Take the beats out of one channel, in place; what was removed, or nothing where the channel holds none."""
    usual = float(np.median(np.diff(beats.times)))
    before = round(min(_BEFORE, 0.35 * usual) * rate)
    after = round(min(_AFTER, 0.6 * usual) * rate)
    samples = np.round(beats.times * rate).astype(int)
    whole = (samples >= before) & (samples + after <= x.size)
    columns = samples[whole, None] + np.arange(-before, after)
    far = _far(samples[whole], pulses, before + round(_LEARN[1] * rate), after - round(_LEARN[0] * rate))
    learn = far & beats.certain[whole]
    if learn.sum() < _FEWEST:
        return (
            f"nothing taken out: {learn.sum()} beats far enough from a pulse to learn their shape, {_FEWEST} are needed"
        )
    shape = _shape_of(x, columns[learn], before, rate)
    if shape is None:
        return ""
    seen = ~_near(columns, pulses, rate)
    size = _sizes(x, columns, seen, learn, shape)
    size[~beats.certain[whole]] = 0.0
    steep = columns[learn][:, shape.steep]
    power = np.mean(_without_mean(x[steep]) ** 2)
    np.subtract.at(x, columns, size[:, None] * shape.values)
    share = 1.0 - np.mean(_without_mean(x[steep]) ** 2) / power
    return f"{1e6 * np.ptp(shape.values):.0f} µV peak to peak, {100 * share:.0f} % of the power of the QRS complexes"


def _without_mean(rows: np.ndarray) -> np.ndarray:
    return rows - rows.mean(axis=1, keepdims=True)


def _far(samples: np.ndarray, pulses: np.ndarray, before: int, after: int) -> np.ndarray:
    """Beats with no pulse from ``before`` samples ahead of them to ``after`` behind."""
    first = np.searchsorted(pulses, samples - before)
    return first == np.searchsorted(pulses, samples + after)


def _near(columns: np.ndarray, pulses: np.ndarray, rate: float) -> np.ndarray:
    """Samples that lie in the response to a pulse."""
    last = np.searchsorted(pulses, columns - round(_RESPONSE[0] * rate), side="right") - 1
    if not pulses.size:
        return np.zeros(columns.shape, bool)
    return (last >= 0) & (columns - pulses[np.maximum(last, 0)] <= round(_RESPONSE[1] * rate))


def _shape_of(x: np.ndarray, columns: np.ndarray, before: int, rate: float) -> _Shape | None:
    """Median of the beats, smoothed as far as its parts allow and ending in zero; None where it is noise."""
    rows = x[columns]
    rows = rows - np.median(rows, axis=1, keepdims=True)
    middle = np.median(rows, axis=0)
    n = middle.size
    place = np.abs(np.arange(n) - before) / rate
    fine, coarse = (uniform_filter1d(middle, 2 * round(width * rate) + 1) for width in _SMOOTH)
    blend = np.clip((place - _QRS) / 0.02, 0.0, 1.0)
    values = (1.0 - blend) * fine + blend * coarse
    fade = max(round(0.05 * rate), 1)
    ramp = np.minimum(1.0, np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) / fade)
    values = ramp * (values - np.median(values[np.r_[:fade, n - fade : n]]))
    steep = slice(before - round(_QRS * rate), before + round(_QRS * rate))
    spread = 1.4826 * np.median(np.abs(rows[:, steep] - middle[steep])) * 1.25 / np.sqrt(len(rows))
    return _Shape(values, before, steep) if np.ptp(values[steep]) > _LEAST_SHAPE * spread else None


def _sizes(x: np.ndarray, columns: np.ndarray, seen: np.ndarray, learn: np.ndarray, shape: _Shape) -> np.ndarray:
    """Size of each beat relative to the shape: its own least squares, leaning on its neighbours where unsure."""
    weight = seen[:, shape.steep].astype(float)
    n = np.maximum(weight.sum(axis=1, keepdims=True), 1.0)
    part, t = x[columns[:, shape.steep]], np.broadcast_to(shape.values[shape.steep], weight.shape)
    part = weight * (part - (weight * part).sum(axis=1, keepdims=True) / n)
    t = weight * (t - (weight * t).sum(axis=1, keepdims=True) / n)
    power = np.sum(t**2, axis=1)
    own = np.divide(np.sum(part * t, axis=1), power, out=np.ones(len(part)), where=power > 0)
    rest = np.median(np.sum((part - own[:, None] * t) ** 2, axis=1) / n[:, 0])
    error = rest / np.maximum(power, 1e-300)
    usual = _running_median(own, learn)
    scatter = 1.4826 * float(np.median(np.abs(own[learn] - usual[learn])))
    spread = max(scatter**2 - float(np.median(error[learn])), 1e-4)
    return np.clip(usual + spread / (spread + error) * (own - usual), *_SIZES)


def _running_median(values: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Median of the values around each one that are ``told``: breathing and electrodes change the size slowly."""
    places = np.flatnonzero(told)
    middle = np.searchsorted(places, np.arange(values.size))
    around = np.clip(middle[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1), 0, places.size - 1)
    return np.median(values[places[around]], axis=1)


def _mark(inst: mne.io.BaseRaw, beats: Beats) -> None:
    """Annotate the beats, and tell every pulse how far the nearest one is, or may be where it was not timed well."""
    notes = inst.annotations
    doubt = np.where(beats.certain, 0.0, _DOUBT)
    for k, (onset, name) in enumerate(zip(notes.onset, notes.description, strict=True)):
        if str(name).startswith("TMS"):
            away = np.maximum(np.abs(beats.times - (onset - inst.first_time)) - doubt, 0.0)
            notes.extras[k] = {**(notes.extras[k] or {}), "ecg_distance": float(away.min())}
    inst.set_annotations(notes + mne.Annotations(beats.times + inst.first_time, 0.0, "ECG", orig_time=notes.orig_time))
