"""What a person says about a recording: a small TOML file beside it, or the same words as options.

The grammar, with examples, is in ``docs/sidecar.md``, whose blocks the tests read with this module.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ..resources import muscle
from ..schema import STIMULUS_COLUMNS, unknown_word
from ._channels import volts_per

_TYPES = ("emg", "eeg", "eog", "ecg", "stim", "misc", "resp", "gsr", "bio")

#: Where the grammar is written; errors name it.
GRAMMAR = "grammar: docs/sidecar.md"

#: Longest time in seconds between the pulses of one trial; a larger number was meant in milliseconds.
_LONGEST_INTERVAL = 1.0


def stimulus_value(name: str, value: Any) -> float | str:
    """One value of a stimulus column as the column holds it; None and "n/a" in a numeric column are NaN.

    Raises
    ------
    ValueError
        For a text in a numeric column, and for an inter-stimulus interval that must have been meant in milliseconds.

    >>> stimulus_value("intensity", 55), stimulus_value("muscle_state", "rest")
    (55.0, 'rest')
    """
    column = STIMULUS_COLUMNS[name]
    if column.dtype != "float":
        return str(value)
    if value is None or value == "n/a":
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        unit = "" if column.unit == "1" else f" in {column.unit}"
        raise ValueError(f"stimulus column {name!r} is {value!r}; expected a number{unit}") from None
    if name == "inter_stimulus_interval" and not (math.isnan(number) or 0 <= number <= _LONGEST_INTERVAL):
        raise ValueError(
            f"{name} = {number:g}; expected seconds from 0 to {_LONGEST_INTERVAL:g}"
            + (f" (3 ms is 0.003; {number:g} ms would be {number / 1e3:g})" if number > 0 else "")
        )
    return number


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Array(_Strict):
    """How an array of bare numbers is to be understood."""

    variable: str | None = None
    axes: str | None = None
    sampling_rate: float | int | str | None = None
    unit: str | None = None
    pulse_time: float | int | None = None
    select: str | None = None

    @field_validator("unit")
    @classmethod
    def _is_voltage(cls, unit: str | None) -> str | None:
        if unit is not None and volts_per(unit) is None:
            raise ValueError(f"{unit!r} is not a voltage; expected V, mV, uV or nV")
        return unit

    @field_validator("sampling_rate")
    @classmethod
    def _is_rate(cls, rate: Any) -> Any:
        if isinstance(rate, str) and not rate.startswith("variable:"):
            raise ValueError(f'{rate!r} is not a rate; expected a number in Hz, or "variable:NAME"')
        if not isinstance(rate, str) and rate is not None and not (rate > 0 and math.isfinite(rate)):
            raise ValueError(f"{rate} is not a rate; expected a positive number in Hz")
        return rate

    @field_validator("select")
    @classmethod
    def _is_slice(cls, select: str | None) -> str | None:
        if select is not None:
            as_slice(select)
        return select


class Channels(_Strict):
    """Names, types, units and muscles of the channels."""

    names: list[str] | None = None
    types: dict[str, str] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)
    montage: str | None = None
    muscles: dict[str, str] = Field(default_factory=dict)

    @field_validator("types", mode="before")
    @classmethod
    def _one_word(cls, types: Any) -> Any:
        if isinstance(types, str):
            return {"*": types}
        if not isinstance(types, dict):
            raise ValueError(
                f'{types!r} given; expected one word for all channels, such as "eeg", or {{ Force = "misc" }}'
            )
        return types

    @field_validator("types")
    @classmethod
    def _known_types(cls, types: dict[str, str]) -> dict[str, str]:
        for kind in types.values():
            if kind.lower() not in _TYPES:
                raise ValueError(unknown_word("channel type", kind, _TYPES))
        return {channel: kind.lower() for channel, kind in types.items()}

    @field_validator("muscles")
    @classmethod
    def _known_muscles(cls, muscles: dict[str, str]) -> dict[str, str]:
        return {channel: muscle(name).name for channel, name in muscles.items()}


class Stimuli(_Strict):
    """Which marker is the pulse, and what was given."""

    trigger: str | None = None
    delay: float | int = 0.0
    table: str | None = None
    pulse: Literal["first", "last"] = "last"
    inter_stimulus_interval: float | int | None = None
    columns: dict[str, Any] = Field(default_factory=dict)
    codes: list[dict[str, Any]] = Field(default_factory=list)

    @field_validator("inter_stimulus_interval")
    @classmethod
    def _in_seconds(cls, interval: float | None) -> float | None:
        if interval is not None:
            stimulus_value("inter_stimulus_interval", interval)
        return interval

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, Any]) -> dict[str, Any]:
        for name, value in columns.items():
            if name not in STIMULUS_COLUMNS:
                raise ValueError(unknown_word("stimulus column", name, STIMULUS_COLUMNS))
            entry = value if isinstance(value, dict) else {"values": value}
            for key in entry:
                if key not in ("values", "axis", "cycle"):
                    raise ValueError(unknown_word(f"key of {name}", key, ("values", "axis", "cycle")))
            for part in (entry.get("values"), entry.get("cycle")):
                # a bare text may be the name of a variable: judged where the file is known
                for item in part if isinstance(part, list) else [] if isinstance(part, str) else [part]:
                    stimulus_value(name, item)
        return columns

    @field_validator("codes")
    @classmethod
    def _known_codes(cls, codes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for entry in codes:
            if "code" not in entry:
                raise ValueError(f"an entry of codes has no key 'code': {entry}")
            for name, value in entry.items():
                if name == "code":
                    continue
                if name not in STIMULUS_COLUMNS:
                    raise ValueError(unknown_word("stimulus column", name, STIMULUS_COLUMNS))
                stimulus_value(name, value)
        return codes


class RecordingFacts(_Strict):
    """Facts about the acquisition that the file does not hold."""

    participant: str | None = None
    session: str | None = None
    protocol: str | None = None
    stimulator: str | None = None
    coil: str | None = None
    waveform: str | None = None
    reference: str | None = None
    software_filters: str | dict[str, Any] | None = None
    hardware_filters: str | dict[str, Any] | None = None


class Sidecar(_Strict):
    """The whole sidecar."""

    array: Array = Field(default_factory=Array)
    channels: Channels = Field(default_factory=Channels)
    stimuli: Stimuli = Field(default_factory=Stimuli)
    recording: RecordingFacts = Field(default_factory=RecordingFacts)
    reader: dict[str, Any] = Field(default_factory=dict)


_SECTIONS: dict[str, type[BaseModel]] = {
    "array": Array,
    "channels": Channels,
    "stimuli": Stimuli,
    "recording": RecordingFacts,
}

#: Options whose name differs from the key of the sidecar.
_RENAMED = {
    "channel_names": ("channels", "names"),
    "channel_types": ("channels", "types"),
    "channel_units": ("channels", "units"),
}

#: Option -> (section, key): the words of the sidecar as keyword arguments.
OPTIONS: dict[str, tuple[str, str]] = {
    **{
        key: (section, key)
        for section, model in _SECTIONS.items()
        for key in model.model_fields
        if section != "channels" or key in ("muscles", "montage")
    },
    **_RENAMED,
}


def as_slice(text: str) -> slice:
    """A Python slice from its text.

    >>> as_slice("1::2")
    slice(1, None, 2)
    """
    parts = text.split(":")
    try:
        if not 2 <= len(parts) <= 3:
            raise ValueError
        return slice(*[int(part) if part.strip() else None for part in parts])
    except ValueError:
        raise ValueError(f"select = {text!r} is no slice; expected start:stop:step, such as '::2' or '1::2'") from None


def read_sidecar(path: Path) -> Sidecar:
    """Read and check a sidecar.

    Raises
    ------
    ValueError
        Naming the file, the entry and the nearest valid word.
    """
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not valid TOML: {error}") from None
    return check(content, str(path))


#: What pydantic's words mean in TOML.
_EXPECTED = {
    "dict_type": 'expected a table, such as { NAME = "…" }',
    "model_type": "expected a section, such as [array] with its keys below",
    "list_type": 'expected a list, such as ["FDI", "APB"]',
    "string_type": "expected a text in quotes",
    "float_type": "expected a number",
    "int_type": "expected a number",
}


def check(content: Mapping[str, Any], where: str) -> Sidecar:
    """A sidecar from the mapping that TOML gives; ``where`` begins every message."""
    try:
        return Sidecar.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = [str(word) for word in first["loc"]]
        if first["type"] == "extra_forbidden":
            section = ".".join(place[:-1])
            known = _SECTIONS[place[0]].model_fields if section in _SECTIONS else Sidecar.model_fields
            message = unknown_word(f"key in [{section}]" if section else "section", place[-1], known)
        else:
            message = str(first["msg"]).removeprefix("Value error, ")
            if first["type"] != "value_error":
                message = f"{_EXPECTED.get(first['type'], message)}, not {first['input']!r}"
            message = f"{'.'.join(place[:2])}: {message}"
        raise ValueError(f"{where}: {message} ({GRAMMAR})") from None


def _simple(value: Any) -> Any:
    """An option as TOML would have given it: no NumPy numbers, tuples or paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {key: _simple(entry) for key, entry in value.items()}
    return str(value) if isinstance(value, Path) else value


def merged(sidecar: Sidecar, options: Mapping[str, Any], reader_options: Mapping[str, Any]) -> Sidecar:
    """The sidecar with options in place of its entries; options of the reader are added to ``reader``."""
    content = sidecar.model_dump(exclude_unset=True)
    for name, value in options.items():
        section, key = OPTIONS[name]
        content.setdefault(section, {})[key] = _simple(value)
    content.setdefault("reader", {}).update(reader_options)
    return check(content, "options")
