"""The ``@measure`` decorator and the table of all measures."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..resources import muscle_window
from ..schema import unknown_word

Kind = Literal["trial", "average", "course", "epochs", "summary", "results", "study"]
#: Kinds that take what several recordings gave: a result table, or the trial tables of a study.
DERIVED_KINDS: tuple[Kind, ...] = ("results", "study")
_REGISTRY: dict[str, Measure] = {}
_NDIM = {"trial": 2, "average": 2, "course": 2, "epochs": 3}
_COARSEST = 0.02  # s between samples: no recording is so slow, but one of 50 kHz in milliseconds has this step
_SHAPE = {"trial": "(n_trials, n_times)", "epochs": "(n_trials, n_channels, n_times)"}


@dataclass(frozen=True)
class Measure:
    """What is known about a measure beside its function."""

    name: str
    function: Callable[..., Any]
    kind: Kind
    unit: str | Mapping[str, str]
    form: str = ""
    over: Literal["table", "condition", "conditioned", "pairs"] = "table"
    references: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def unit_of(self, key: str = "") -> str:
        """Unit of one entry of a measure that returns a mapping."""
        return self.unit if isinstance(self.unit, str) else self.unit.get(key, "")


def _checked(x: Any, times: Any, name: str, ndim: int, shape: str) -> tuple[np.ndarray, np.ndarray]:
    # an array that was pickled stays itself, and what is remembered of it is found again
    x = np.ascontiguousarray(x).astype(np.float64, copy=False)
    times = np.ascontiguousarray(times, dtype=np.float64)
    if x.ndim != ndim or times.ndim != 1 or x.shape[-1] != times.size:
        raise ValueError(
            f"{name}: x has shape {x.shape} and times {times.shape}; expected x {shape} and times (n_times,)"
        )
    if times.size < 2 or not np.all(np.diff(times) > 0):
        raise ValueError(f"{name}: times must be at least two increasing values in seconds")
    _check_steps(times, name)
    return x, times


def _check_steps(times: np.ndarray, name: str) -> None:
    """Refuse times in milliseconds, and samples that are not evenly spaced: every measure counts in samples."""
    step = (times[-1] - times[0]) / (times.size - 1)
    if step >= _COARSEST:
        reach = f"{times[0]:g} to {times[-1]:g}"
        raise ValueError(f"{name}: times are {step:g} s apart, {reach}; milliseconds? give seconds")
    astray = np.abs(times - (times[0] + step * np.arange(times.size)))
    if astray.max() > 0.4 * step:
        at = int(astray.argmax())
        raise ValueError(
            f"{name}: times are not evenly spaced (sample {at} is {astray[at] / step:.2g} samples from its place); "
            "a gap? cut the trials so that each has one sampling interval, or resample them"
        )


def _check_tables(given: list[Any]) -> None:
    """Refuse tables that pool channels or people; those of a pair come as two."""
    import pandas as pd

    from ._tables import check_table

    for table in given:
        if isinstance(table, pd.DataFrame):
            check_table(table)


def check_span(value: Any, what: str) -> None:
    """Refuse a window that is neither a muscle's name nor two increasing times in seconds."""
    if isinstance(value, str) or value is None:
        return
    try:
        start, stop = (float(part) for part in value)
    except (TypeError, ValueError):
        raise ValueError(f"{what} = {value!r} must be (start, stop) in seconds, or a muscle's name") from None
    if not start < stop:
        raise ValueError(f"{what} = ({start:g}, {stop:g}) must be (start, stop) in seconds with start < stop")
    if max(abs(start), abs(stop)) > 60:
        raise ValueError(f"{what} = ({start:g}, {stop:g}): milliseconds? give seconds, such as (0.015, 0.05)")


def measure(
    kind: Kind,
    unit: str | Mapping[str, str],
    *,
    form: str = "",
    over: Literal["table", "condition", "conditioned", "pairs"] = "table",
    references: list[str] | None = None,
    parts: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as a measure under its own name.

    Parameters
    ----------
    kind : {"trial", "average", "course", "epochs", "summary", "results", "study"}
        What the function takes: ``x (n_trials, n_times)``, ``x (n_channels, n_times)`` (a number, or a
        time course), ``x (n_trials, n_channels, n_times)``, a trial table of one channel, or, for ``[[derived]]``
        of a battery, a result table of several protocols or the trial tables of all sessions of one protocol; these
        two return result rows.
    unit : str or mapping
        SI unit of the value, or of each entry of a returned mapping (of each ``measure`` of returned rows). The unit
        implies the scaling: volts double when the signal doubles, seconds and ratios do not.
    form : str
        Form of a paired-pulse value: ratio, log_ratio, percent or percent_inhibition; ``hierarchical`` is shrunken.
    over : {"table", "condition", "conditioned", "pairs"}
        For summaries: the whole table at once, one call a condition, each condition against the test, or the tables
        of each pair of channels (the row's channel is then ``"FDI+ECR"``).
    references : list of str
        DOIs of the definition.
    parts : tuple of str
        For results: the parameters that name a protocol.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        signature = inspect.signature(function)
        defaults = {
            key: parameter.default
            for key, parameter in signature.parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if kind == "summary":
                _check_tables([*args, *kwargs.values()])
            if kind == "summary" or kind in DERIVED_KINDS:
                return function(*args, **kwargs)
            unknown = set(kwargs) - set(signature.parameters)
            if unknown:
                raise TypeError(unknown_word(f"parameter of {name}", min(unknown), signature.parameters))
            if len(args) == 2 and not {"x", "times"} & set(kwargs) and list(signature.parameters)[:2] == ["x", "times"]:
                bound = {"x": args[0], "times": args[1], **kwargs}  # a resampled measure is called some hundred times
            else:
                bound = signature.bind(*args, **kwargs).arguments
            shape = _SHAPE.get(kind, "(n_channels, n_times)")
            bound["x"], bound["times"] = _checked(bound["x"], bound["times"], name, _NDIM[kind], shape)
            for word in ("window", "baseline"):
                if word in bound:
                    check_span(bound[word], f"{name}: {word}")
            if isinstance(bound.get("window"), str):
                bound["window"] = muscle_window(bound["window"])
            value = function(**bound)
            if kind == "trial" and np.isinf(value).any():  # of an infinite sample, which is a missing one
                value = np.where(np.isinf(value), np.nan, value)
            return value

        if name in _REGISTRY and _REGISTRY[name].function.__module__ != function.__module__:
            raise ValueError(f"two measures are called {name!r}: {_REGISTRY[name].function.__module__} has it too")
        sources = tuple(references or ())
        _REGISTRY[name] = Measure(name, wrapper, kind, unit, form, over, sources, parts, parameters=defaults)
        return wrapper

    return register


def get_measure(name: str) -> Measure:
    """A registered measure by name; an unknown name is an error that lists the nearest."""
    if name not in _REGISTRY:
        raise ValueError(unknown_word("measure", name, _REGISTRY))
    return _REGISTRY[name]


def list_measures(kind: Kind | None = None) -> list[str]:
    """Names of all measures, or of one kind."""
    return sorted(name for name, entry in _REGISTRY.items() if kind in (None, entry.kind))
