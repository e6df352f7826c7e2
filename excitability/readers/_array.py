"""From an array of bare numbers, and what a person says about it, to a recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import mne
import numpy as np
import pandas as pd

from ..schema import STIMULUS_COLUMNS
from ._channels import make_epochs, make_raw
from ._sidecar import GRAMMAR, Array, as_slice, stimulus_value

_AXES = ("samples", "trials", "channels")

_EXAMPLE = {
    "sampling_rate": ("3000", "Hz"),
    "unit": ('"uV"', "V, mV, uV or nV"),
    "pulse_time": ("0.05", "s from the first sample to the pulse"),
    "axes": ('"samples, trials"', "one word an axis"),
    "variable": ('"meps"', "which variable of the file"),
}


def missing(source: object, keys: list[str], facts: str, **examples: str) -> ValueError:
    """Error that says which facts are missing, and what to type to give them.

    Parameters
    ----------
    source : path-like
    keys : list of str
        Keys of ``[array]``.
    facts : str
        What the file does say.
    **examples
        A value for a key that fits this file better than the usual one.
    """
    values = {key: f'"{examples[key]}"' if key in examples else _EXAMPLE[key][0] for key in keys}
    meanings = "; ".join(f"{key}: {_EXAMPLE[key][1]}" for key in keys)
    words = ", ".join(f"{key}={values[key]}" for key in keys)
    flags = " ".join(f"{_flag(key)} {_shell(values[key])}" for key in keys)
    stem = str(source).rsplit(".", 1)[0]
    axes = f" {_axes_rule(source)}." if "axes" in keys else ""
    return ValueError(
        f"{source}: the file does not say its {', '.join(keys)} ({facts}). On the command line type: {flags} "
        f"(the values are examples); in Python: {words}; in {stem}.toml, or in any file given with "
        f"--sidecar FILE.toml: the same as in Python, one a line, under [array]. {meanings}.{axes} ({GRAMMAR})"
    )


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def _shell(value: str) -> str:
    """A value as typed in a shell: quotes only where there is a space or another mark."""
    bare = value.strip('"')
    return bare if re.fullmatch(r"[\w.:-]+", bare) else value


def _axes_rule(source: object) -> str:
    order = "size() shows in MATLAB" if str(source).lower().endswith(".mat") else "the shape shows"
    return (
        f"Axes are in the order that {order}; exactly one is samples, the others trials, channels, and for a further "
        "axis of repetitions a word of your own, such as intensities"
    )


def axes_example(shape: tuple[int, ...], vectors: Mapping[str, int] | None = None) -> str:
    """Words that could describe an array: the longest axis as samples, an axis as long as a list by its name.

    >>> axes_example((10, 10000, 15), {"intensities": 10, "t": 10000})
    'intensities, samples, trials'
    >>> axes_example((62, 1000, 80))
    'trials, samples, intensities'
    """
    words = [""] * len(shape)
    words[int(np.argmax(shape))] = "samples"
    for name, size in (vectors or {}).items():
        fitting = [index for index, length in enumerate(shape) if length == size and not words[index]]
        if len(fitting) == 1 and name not in _AXES:
            words[fitting[0]] = name
    others = [word for word in ("trials", "intensities", "channels", "blocks") if word not in words]
    others += [f"repeats{number}" for number in range(len(shape))]
    return ", ".join(word or others.pop(0) for word in words)


def axes_words(text: str, shape: tuple[int, ...], source: object) -> list[str]:
    """Words of ``axes``, checked against the shape of the array."""
    words = [word.strip() for word in text.split(",")]
    if len(words) != len(shape) or len(set(words)) != len(words) or "samples" not in words or "" in words:
        raise ValueError(
            f"{source}: axes = {text!r} does not describe an array of shape {shape}; expected {len(shape)} different "
            f'words, one of them samples, e.g. --axes "{axes_example(shape)}". {_axes_rule(source)} ({GRAMMAR})'
        )
    return words


def build(
    values: np.ndarray,
    said: Array,
    *,
    source: object,
    variable_of: Callable[[str], np.ndarray],
    columns: dict[str, Any],
    vectors: Mapping[str, int] | None = None,
) -> Any:
    """Recording from an array.

    Parameters
    ----------
    values : array
        As stored, in the order of axes that its own program shows.
    said : Array
        What the sidecar or the options say.
    source : path-like
    variable_of : callable
        Another variable of the same file by name.
    columns : dict
        ``[stimuli.columns]``.
    vectors : mapping, optional
        Lengths of the lists that the file holds too, for an example of ``axes``.

    Returns
    -------
    Raw when the array has neither a trial axis nor another axis of repetitions, else Epochs.
    """
    values = np.asarray(values)
    facts = f"shape {values.shape}"
    if said.axes is None and values.ndim == 1:
        words = ["samples"]
    elif said.axes is None:
        words = []
    else:
        words = axes_words(said.axes, values.shape, source)
    continuous = bool(words) and set(words) <= {"samples", "channels"}
    needed = ["axes"] if not words else []
    needed += ["sampling_rate"] if said.sampling_rate is None else []
    needed += ["unit"] if said.unit is None else []
    needed += ["pulse_time"] if said.pulse_time is None and not continuous else []
    if needed:
        raise missing(source, needed, facts, axes=axes_example(values.shape, vectors))
    rate = _rate(said.sampling_rate, variable_of)
    repeats = [word for word in words if word not in ("samples", "channels")]
    # trials vary fastest, whatever the order in the file: one block of trials a step of the other axes
    repeats.sort(key=lambda word: word == "trials")
    order = [words.index(word) for word in repeats]
    order += [words.index("channels")] if "channels" in words else []
    data = values.transpose([*order, words.index("samples")])
    if "channels" not in words:
        data = np.expand_dims(data, -2)
    count = data.shape[-2]
    names, units = numbered(count), [str(said.unit)] * count
    if continuous:
        return _with_stated_pulse(make_raw(data, names, rate, units, source=source), said.pulse_time, source)
    sizes = {word: values.shape[words.index(word)] for word in repeats}
    table = trial_columns(columns, sizes, variable_of, source)
    frames = data.reshape(-1, *data.shape[-2:])
    keep = np.arange(len(frames))[as_slice(said.select)] if said.select else np.arange(len(frames))
    if not keep.size:
        raise ValueError(f"{source}: select = {said.select!r} keeps none of the {len(frames)} frames")
    tmin = -float(said.pulse_time or 0.0)
    if not 0 <= -tmin <= (frames.shape[-1] - 1) / rate:
        raise ValueError(
            f"{source}: pulse_time = {said.pulse_time} s lies outside the frames, which last "
            f"{frames.shape[-1] / rate:.4g} s at {rate:g} Hz; expected seconds from the first sample to the pulse"
        )
    return make_epochs(frames[keep], names, rate, units, tmin, table.iloc[keep], source=source)


def _with_stated_pulse(raw: Any, pulse_time: float | None, source: object) -> Any:
    """A continuous array whose only pulse is stated, an average or one trial: it stays where it was said to be."""
    if pulse_time is None:
        return raw
    if not 0 <= pulse_time <= raw.times[-1]:
        raise ValueError(
            f"{source}: pulse_time = {pulse_time} s lies outside the array, which lasts {raw.times[-1]:.4g} s; "
            "expected seconds from its first sample to its only pulse; leave it out where there are several"
        )
    return raw.set_annotations(mne.Annotations(pulse_time, 0.0, "TMS"))


def numbered(count: int, word: str = "EMG") -> list[str]:
    """Names of channels of which nothing is known.

    >>> numbered(1), numbered(2, "EEG")
    (['EMG'], ['EEG1', 'EEG2'])
    """
    return [word] if count == 1 else [f"{word}{index + 1}" for index in range(count)]


def _rate(rate: Any, variable_of: Callable[[str], np.ndarray]) -> float:
    if isinstance(rate, str):
        return float(np.ravel(variable_of(rate.removeprefix("variable:")))[0])
    return float(rate)


def trial_columns(
    columns: dict[str, Any],
    sizes: dict[str, int],
    variable_of: Callable[[str], np.ndarray],
    source: object,
) -> pd.DataFrame:
    """Stimulus columns of the trials of a file.

    Parameters
    ----------
    columns : dict
        ``[stimuli.columns]``: constant, list, ``"variable:NAME"``, ``{values=…, axis=…}`` or ``{cycle=[…]}``.
    sizes : dict
        Axis of repetitions to its length, the last varying fastest.
    """
    total = int(np.prod(list(sizes.values()))) if sizes else 1
    table = pd.DataFrame({"frame": np.arange(total)})
    for name, said in columns.items():
        entry = said if isinstance(said, dict) else {"values": said}
        if "cycle" in entry:
            values = np.resize(np.asarray(entry["cycle"], dtype=object), total)
        else:
            check_text(name, entry.get("values"), variable_of, source)
            values = _spread(name, entry, sizes, total, variable_of, source)
        try:
            table[name] = [stimulus_value(name, value) for value in values]
        except ValueError as error:
            raise ValueError(f"{source}: {error} ({GRAMMAR})") from None
    return table


def check_text(name: str, said: Any, variable_of: Callable[[str], np.ndarray], source: object) -> None:
    """Refuse a bare text in a numeric stimulus column; it may be the name of a variable without its mark."""
    if STIMULUS_COLUMNS[name].dtype != "float" or not isinstance(said, str) or said.startswith("variable:"):
        return
    try:
        stimulus_value(name, said)
    except ValueError as error:
        try:
            variable_of(said)
        except ValueError:
            hint = ""
        else:
            hint = f'. Did you mean "variable:{said}", a variable of the file? (or --set {name}=variable:{said})'
        raise ValueError(f"{source}: {error}{hint} ({GRAMMAR})") from None


def _spread(
    name: str,
    entry: dict[str, Any],
    sizes: dict[str, int],
    total: int,
    variable_of: Callable[[str], np.ndarray],
    source: object,
) -> np.ndarray:
    said = entry.get("values")
    axis = entry.get("axis")
    if isinstance(said, str) and said.startswith("variable:"):
        word = said.removeprefix("variable:")
        values = np.asarray(variable_of(word)).ravel().astype(object)
        axis = axis or (word if word in sizes else None)
    elif isinstance(said, list):
        values = np.asarray(said, dtype=object)
    else:
        return np.full(total, said, dtype=object)
    if axis is None and values.size != total:
        fitting = [word for word, size in sizes.items() if size == values.size]
        axis = fitting[0] if len(fitting) == 1 else None
    if axis is None and values.size == total:
        return values
    if axis not in sizes or values.size != sizes[axis]:
        raise ValueError(
            f"{source}: stimulus column {name!r} has {values.size} values, but the file has {total} trials"
            + f" ({', '.join(f'{word}: {size}' for word, size in sizes.items())}); expected one value a trial,"
            + f' or {{ values = …, axis = "{next(iter(sizes), "trials")}" }}'
        )
    place = list(sizes).index(axis)
    shape = [-1 if index == place else 1 for index in range(len(sizes))]
    return np.broadcast_to(values.reshape(shape), tuple(sizes.values())).ravel()
