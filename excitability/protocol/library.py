"""The protocols and batteries that can be named."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import ValidationError, model_validator

from ..resources import protocols_path
from ..schema import unknown_word
from .derived import Derived, read_derived
from .grammar import Protocol, _first_problem, _Strict, read_toml


@functools.cache
def _files() -> dict[str, Path]:
    root = protocols_path()
    return {
        path.relative_to(root).with_suffix("").as_posix(): path
        for path in sorted(root.glob("*/**/*.toml"))
        if path.relative_to(root).parts[0] != "shared"
    }


def list_protocols() -> list[str]:
    """Names of the protocols that come with the package.

    >>> "m1/sici" in list_protocols()
    True
    """
    return list(_files())


def resolve_name(name: str) -> str:
    """Full name of a protocol from its name or unique stem."""
    files = _files()
    if name in files:
        return name
    hits = [full for full in files if full.rsplit("/", 1)[-1] == name]
    if len(hits) > 1:
        raise ValueError(f"protocol {name!r} is ambiguous: say {' or '.join(map(repr, hits))}")
    if not hits:
        raise ValueError(unknown_word("protocol", name, files) + "; or give the path of a .toml file")
    return hits[0]


def load_protocol(name: str | Path | Protocol) -> Protocol:
    """Protocol by name, unique stem, or path of a TOML file.

    Parameters
    ----------
    name : str | path | Protocol
        A Protocol is returned as it is.

    Raises
    ------
    ValueError
        For an unknown or ambiguous name, or a file that says something unknown.

    Examples
    --------
    >>> load_protocol("sici").name
    'm1/sici'
    """
    if isinstance(name, Protocol):
        return name
    if str(name).endswith(".toml"):
        path = Path(name)
        return Protocol.from_toml(path, base=_base(read_toml(path), path.name))
    full = resolve_name(str(name))
    return _load(full)


@functools.cache
def _load(full: str) -> Protocol:
    path = _files()[full]
    return Protocol.from_toml(path, name=full, base=_base(read_toml(path), path.name))


def _base(content: Mapping[str, Any], where: str) -> Mapping[str, Any] | None:
    """Content of the file that a protocol extends: one level only."""
    if not content.get("extends"):
        return None
    parent = read_toml(_files()[resolve_name(content["extends"])])
    if parent.get("extends"):
        raise ValueError(f"{where}: extends {content['extends']!r}, which extends another; only one level is allowed")
    return parent


def protocol_path(name: str) -> Path:
    """File of a protocol or battery, by name.

    Raises
    ------
    ValueError
        For an unknown name; the message lists the known ones.
    """
    if name in list_batteries():
        return protocols_path() / f"{name}.toml"
    return _files()[resolve_name(name)]


class PlannedClusters(_Strict):
    """One ``[[clusters]]`` entry: a cluster test of the evoked potentials of a protocol; of all conditions where ''."""

    protocol: str
    condition: str = "all"
    window: Literal["early", "late"] | tuple[float, float]
    threshold: float | Literal["tfce"] = 0.05
    n_permutations: int = 5000

    @model_validator(mode="after")
    def _in_order(self) -> PlannedClusters:
        if isinstance(self.window, tuple) and not self.window[0] < self.window[1] < 10:
            raise ValueError(f"window = {list(self.window)} must be (start, stop) in seconds, such as [0.015, 0.080]")
        return self


#: Words of an outcome.
_OUTCOME = ("protocol", "measure", "condition", "channel", "group", "contrast")
#: Words of a battery that are not written where they say nothing.
_UNSAID = {"derived": [], "clusters": [], "at": (), "method": "t", "trials": False, "trial_covariates": ()}


class _BatteryFile(_Strict):
    title: str
    description: str = ""
    protocols: list[str]
    timepoints: list[str] = []
    before: str | list[str] = "pre"
    after: list[str] = []
    by: str = ""
    at: list[str] = []
    covariates: list[str] = []
    method: Literal["t", "trimmed", "permutation", "bootstrap"] = "t"
    trials: bool = False
    trial_covariates: list[str] = []
    primary: list[dict[str, str]] = []
    secondary: list[dict[str, str]] = []
    exploratory: list[dict[str, str]] = []
    derived: list[dict[str, Any]] = []
    clusters: list[PlannedClusters] = []


@dataclass(frozen=True)
class Battery:
    """Protocols that are run together, and the comparison that was planned for them."""

    name: str
    title: str
    description: str
    protocols: tuple[Protocol, ...]
    timepoints: tuple[str, ...]
    before: str | tuple[str, ...]
    after: tuple[str, ...]
    by: str
    covariates: tuple[str, ...]
    primary: tuple[Mapping[str, str], ...]
    secondary: tuple[Mapping[str, str], ...]
    exploratory: tuple[Mapping[str, str], ...]
    derived: tuple[Derived, ...] = ()
    clusters: tuple[PlannedClusters, ...] = ()
    at: tuple[str, ...] = ()
    method: str = "t"
    trials: bool = False
    trial_covariates: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        """The battery with all its protocols as plain values: what was run, for whoever wants to run it again."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["protocols"] = {protocol.name: protocol.content() for protocol in self.protocols}
        values["derived"] = [entry.content() for entry in self.derived]
        values["clusters"] = [entry.model_dump() for entry in self.clusters]
        for name, unsaid in _UNSAID.items():
            if values[name] == unsaid:
                del values[name]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Battery:
        """Battery from what :meth:`content` gave."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in content.items()
        }
        protocols = content["protocols"].items()
        values["protocols"] = tuple(Protocol.from_mapping(entry, name=name) for name, entry in protocols)
        values["derived"] = tuple(read_derived(content.get("derived", ()), values["protocols"], content["name"]))
        values["clusters"] = tuple(PlannedClusters.model_validate(entry) for entry in content.get("clusters", ()))
        return cls(**values)

    def planned(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of a comparison (or result) table that are a primary outcome."""
        chosen = np.zeros(len(table), dtype=bool)
        for outcome in self.primary:
            fits = [table[name].astype(str) == str(value) for name, value in outcome.items() if name in table]
            chosen |= np.logical_and.reduce(fits)
        return table[chosen]


def list_batteries() -> list[str]:
    """Names of the batteries that come with the package.

    >>> list_batteries()
    ['dlpfc_exercise', 'm1_exercise', 'm1_trunk']
    """
    return sorted(path.stem for path in protocols_path().glob("*.toml"))


def load_battery(name: str | Path | Protocol | Battery) -> Battery:
    """Battery by name or path; a single protocol is a battery of one.

    Raises
    ------
    ValueError
        For a name that is neither a battery nor a protocol, or a file that says something unknown.
    """
    if isinstance(name, Battery):
        return name
    if isinstance(name, Protocol):
        return _battery_of(name)
    path = Path(name) if str(name).endswith(".toml") else protocols_path() / f"{name}.toml"
    content = read_toml(path) if path.is_file() else None
    if content is None or "protocols" not in content:
        if content is None and not str(name).endswith(".toml"):
            known = [*list_batteries(), *list_protocols(), *(full.rsplit("/", 1)[-1] for full in list_protocols())]
            if str(name) not in known:
                raise ValueError(unknown_word("protocol or battery", str(name), known))
        return _battery_of(load_protocol(name))
    try:
        file = _BatteryFile.model_validate(content)
    except ValidationError as error:
        # a misspelt word is also a missing one: the first says more
        problem = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        if problem["type"] == "extra_forbidden":
            inner = problem["loc"][0] == "clusters" and len(problem["loc"]) > 1
            fields = PlannedClusters.model_fields if inner else _BatteryFile.model_fields
            what = unknown_word("word of [[clusters]]" if inner else "word", problem["loc"][-1], fields)
            raise ValueError(f"{path.name}: {what}") from None
        raise ValueError(f"{path.name}: {_first_problem(error)}") from None
    values: dict[str, Any] = {
        field: tuple(value) if isinstance(value, list) else value
        for field, value in ((field, getattr(file, field)) for field in _BatteryFile.model_fields)
    }
    values["protocols"] = tuple(load_protocol(protocol) for protocol in file.protocols)
    values["derived"] = tuple(read_derived(file.derived, values["protocols"], path.name))
    battery = Battery(name=path.stem, **values)
    _check_outcomes(battery, path.name)
    return battery


def _check_outcomes(battery: Battery, where: str) -> None:
    """A planned outcome of a protocol that is not run would be looked for in vain, and nobody would be told."""
    names = [*(entry.name for entry in battery.protocols), *(entry.name for entry in battery.derived)]
    evoked = [entry.name for entry in battery.protocols if entry.modality == "eeg" and entry.epoch.every is None]
    for planned in battery.clusters:
        if planned.protocol not in evoked:
            problem = unknown_word("protocol of this battery with evoked potentials", planned.protocol, evoked)
            raise ValueError(f"{where}, [[clusters]]: {problem}")
    for kind in ("primary", "secondary", "exploratory"):
        for outcome in getattr(battery, kind):
            for word in outcome:
                if word not in _OUTCOME:
                    raise ValueError(f"{where}, [[{kind}]]: {unknown_word('word', word, _OUTCOME)}")
            if not outcome:
                raise ValueError(f"{where}, [[{kind}]]: an outcome names a protocol and a measure")
            if outcome.get("protocol", names[0]) not in names:
                problem = unknown_word("protocol of this battery", outcome["protocol"], names)
                raise ValueError(f"{where}, [[{kind}]]: {problem}")


def _battery_of(protocol: Protocol) -> Battery:
    return Battery(protocol.name, protocol.title, protocol.description, (protocol,), (), "pre", (), "", (), (), (), ())
