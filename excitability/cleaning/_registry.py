"""The ``@step`` decorator, the table of all cleaning steps and the log of what they removed."""

from __future__ import annotations

import functools
import inspect
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import mne
import numpy as np
import pandas as pd

from ..schema import unknown_word
from ._instance import data_of, eeg_picks, facts_of, one_thread
from ._single_steps import refuse_missing, warn_small_gain, warn_uncut

_REGISTRY: dict[str, Step] = {}
_IN_PLACE: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {}
_COLUMNS = ["step", "parameters", "removed", "n_channels", "n_trials", "rank", "seconds"]


@dataclass(frozen=True)
class Step:
    """What is known about a cleaning step beside its function."""

    name: str
    function: Callable[..., Any]
    on: tuple[str, ...]
    references: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


def step(
    *, on: tuple[Literal["raw", "epochs"], ...] = ("epochs",), references: Iterable[str] = (), eeg: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a cleaning step under its function's name.

    The function is written as if it might change what it is given: the decorator hands it a loaded copy,
    so the caller's data stay as they are. It says what it removed with :func:`note`; the decorator adds
    the parameters, what is left (channels, trials, rank) and the seconds it took.

    Parameters
    ----------
    on : tuple of {"raw", "epochs"}
        What the step can be given.
    references : iterable of str
        DOIs of the method.
    eeg : bool
        Whether the step works on the EEG, which must then be there and without missing samples.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        signature = inspect.signature(function)
        parameters = {
            key: parameter.default
            for key, parameter in signature.parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }

        @functools.wraps(function)
        def wrapper(inst: Any, **given: Any) -> Any:
            _check(inst, name, on, given, parameters, eeg)
            warn_uncut(inst, name)
            cleaned = run(inst.copy(), given)
            warn_small_gain(name, _records(cleaned)[-1])
            return cleaned

        def in_place(inst: Any, given: Mapping[str, Any]) -> Any:
            _check(inst, name, on, given, parameters, eeg)
            return run(inst, given)

        def run(inst: Any, given: Mapping[str, Any]) -> Any:
            start = time.perf_counter()
            before = {"times": inst.times} if isinstance(inst, mne.BaseEpochs) else {}
            with mne.utils.use_log_level("error"):  # the method of trials takes no `verbose`
                inst.load_data()
            refuse_missing(inst, name, ("eeg",) if eeg else ("emg", "ecg"))
            with one_thread():
                cleaned = function(inst, **given)
            record = _records(cleaned).pop() if _pending(cleaned) else {"removed": ""}
            _records(cleaned).append(
                {
                    "step": name,
                    "parameters": {**parameters, **given},
                    **_what_is_left(cleaned),
                    "seconds": time.perf_counter() - start,
                    **before,
                    **record,
                    "done": True,
                }
            )
            return cleaned

        _IN_PLACE[name] = in_place
        _REGISTRY[name] = Step(name, wrapper, tuple(on), tuple(references), parameters)
        return wrapper

    return register


def _check(inst: Any, name: str, on: tuple[str, ...], given: Mapping, parameters: Mapping, eeg: bool) -> None:
    unknown = sorted(set(given) - set(parameters))
    needed = [word for word, usual in parameters.items() if usual is inspect.Parameter.empty]
    if unknown:
        raise ValueError(unknown_word(f"parameter of the cleaning step {name}", unknown[0], parameters))
    kind = (
        "raw"
        if isinstance(inst, mne.io.BaseRaw)
        else "epochs"
        if isinstance(inst, mne.BaseEpochs)
        else type(inst).__name__
    )
    if kind not in on:
        hint = ": cut trials first, epochs = excitability.trials.cut(raw, tmin=-0.5, tmax=0.5).epochs"
        hint = hint if kind == "raw" else ""
        raise ValueError(f"{name} works on {' or '.join(on)}, not on {kind}{hint}")
    if kind == "epochs" and len(inst) == 0:
        raise ValueError(f"{name}: no trial is left to clean")
    lacking = sorted(set(needed) - set(given))
    if lacking:
        raise ValueError(f"{name} needs {' and '.join(lacking)}: {name}({kind}, {', '.join(f'{w}=…' for w in needed)})")
    eeg_picks(inst, required=eeg)


def _records(inst: Any) -> list[dict[str, Any]]:
    return facts_of(inst).setdefault("cleaning", [])


def _pending(inst: Any) -> bool:
    records = _records(inst)
    return bool(records) and not records[-1].get("done")


class _Passing(str):
    """A function that counts as text: MNE saves no recording whose ``info`` holds anything else."""

    function: Callable[..., Any]

    def __new__(cls, function: Callable[..., Any]) -> _Passing:
        made = super().__new__(cls, "how a response passes")
        made.function = function
        return made

    def __reduce__(self) -> tuple[type[_Passing], tuple[Callable[..., Any]]]:
        return _Passing, (self.function,)

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


def note(inst: Any, removed: str, *, passes: Callable[..., Any] | None = None, **facts: Any) -> None:
    """Say, inside a step, what it removed; ``facts`` are numbers and arrays that later steps may need.

    ``passes`` gives back the channels of a trial as the step leaves them (:func:`pass_through`).
    """
    _records(inst).append({"removed": removed, **facts, **({} if passes is None else {"passes": _Passing(passes)})})


def recorded(inst: Any, step_name: str, fact: str, default: Any = None) -> Any:
    """A fact that the last run of an earlier step noted on this recording."""
    for record in reversed(_records(inst)):
        if record.get("step") == step_name and fact in record:
            return record[fact]
    return default


def _what_is_left(inst: Any) -> dict[str, int]:
    n_trials = len(inst) if isinstance(inst, mne.BaseEpochs) else 0
    picks = eeg_picks(inst, required=False)
    return {"n_channels": len(picks), "n_trials": n_trials, "rank": data_rank(inst)}


def data_rank(inst: Any) -> int:
    """Numerical rank of the good EEG channels, on a thinned sample of the data.

    Examples
    --------
    >>> info = mne.create_info(4, 100.0, "eeg")
    >>> x = np.random.default_rng(0).standard_normal((5, 4, 50)) * 1e-6
    >>> data_rank(mne.EpochsArray(x - x.mean(axis=1, keepdims=True), info, verbose=False))
    3
    """
    picks = eeg_picks(inst, required=False)
    if len(picks) == 0:
        return 0
    data = data_of(inst)
    blocks = data[:: max(1, len(data) // 8)] if data.ndim == 3 else data[None]
    covariance = np.zeros((len(picks), len(picks)))
    for block in blocks:  # eight trials hold far more samples than there are channels
        thinned = block[picks, :: max(1, block.shape[1] // 2000)]
        covariance += thinned @ thinned.T
    values = np.linalg.eigvalsh(covariance)
    if not np.all(np.isfinite(values)) or values[-1] <= 0:
        return 0
    # eigenvalues are squared amplitudes: this calls a direction empty below 1e-6 of the largest amplitude
    return int(np.sum(values > 1e-12 * values[-1]))


def get_step(name: str) -> Step:
    """A cleaning step by name; an unknown name is an error that lists the nearest."""
    if name not in _REGISTRY:
        raise ValueError(unknown_word("cleaning step", name, _REGISTRY))
    return _REGISTRY[name]


def list_steps() -> list[str]:
    """Names of all cleaning steps."""
    return sorted(_REGISTRY)


def apply(inst: Any, steps: Iterable[Mapping[str, Any]]) -> tuple[Any, pd.DataFrame]:
    """Run cleaning steps in order.

    Parameters
    ----------
    inst : mne.io.Raw or mne.Epochs
        Left as it is.
    steps : iterable of mapping
        Each ``{"step": name, **keyword arguments}``, as in the ``[[cleaning]]`` list of a protocol.

    Returns
    -------
    cleaned : same type as ``inst``
    log : DataFrame
        One row a step: step, parameters (JSON), removed, n_channels (good EEG channels left), n_trials, rank,
        seconds.

    Raises
    ------
    ValueError
        For an unknown step or parameter, or where a step cannot work on the data; the message names the step.

    Examples
    --------
    >>> info = mne.create_info(["Fz", "Cz", "Pz"], 1000.0, "eeg")
    >>> x = np.random.default_rng(0).standard_normal((5, 3, 400)) * 1e-6
    >>> epochs = mne.EpochsArray(x, info, tmin=-0.2, verbose=False)
    >>> cleaned, log = apply(epochs, [{"step": "remove_pulse"}, {"step": "interpolate_pulse"}])
    >>> log["step"].tolist()
    ['remove_pulse', 'interpolate_pulse']
    """
    return _applied(inst, steps, in_place=False)


def apply_in_place(inst: Any, steps: Iterable[Mapping[str, Any]]) -> tuple[Any, pd.DataFrame]:
    """Run cleaning steps as :func:`apply` does, on the recording itself, which nobody else may hold."""
    return _applied(inst, steps, in_place=True)


def _applied(inst: Any, steps: Iterable[Mapping[str, Any]], *, in_place: bool) -> tuple[Any, pd.DataFrame]:
    listed = [dict(entry) for entry in steps]
    for entry in listed:  # a misspelt step is reported before minutes of cleaning, not after
        if "step" not in entry:
            raise ValueError(f"cleaning entry {entry} has no 'step'; write step = \"remove_pulse\"")
        get_step(entry["step"])
    done_before = len(_records(inst))
    for entry in listed:
        name = entry.pop("step")
        inst = _IN_PLACE[name](inst, entry) if in_place else get_step(name).function(inst, **entry)
        in_place = True  # the first step worked on a copy, and nobody else holds what it gave back
    return inst, log_of(inst).iloc[done_before:].reset_index(drop=True)


def log_of(inst: Any) -> pd.DataFrame:
    """The cleaning log that a recording carries: one row a step, in the order they ran."""
    rows = [
        {
            **{column: record[column] for column in _COLUMNS},
            "parameters": json.dumps(record["parameters"], default=_plain),
        }
        for record in _records(inst)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return f"array {value.shape}"
    if isinstance(value, np.generic):
        return value.item()
    return str(type(value).__name__)
