"""What a protocol file may say, and the value it becomes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ..cleaning import get_step
from ..measures import check_span, get_measure
from ..query import parse
from ..schema import RELATIVE_INTENSITIES, STIMULUS_COLUMNS, unknown_word
from ..trials.rejection import CONTEXT, check_rule

_KINDS = {
    "trial": ("trial",),
    "average": ("average",),
    "epochs": ("epochs",),
    "summary": ("summary",),
}
#: Words of an entry of [average] and [epochs] that are not arguments of its measure.
_ENTRY_WORDS = ("measure", "roi")
_DERIVED = ("trial", "onset", "condition", "channel", "muscle", "reject")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Epoch(_Strict):
    """How trials are cut."""

    tmin: float = -0.1
    tmax: float = 0.2
    lock: Literal["last_pulse", "first_pulse"] = "last_pulse"
    every: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Epoch:
        if not (math.isfinite(self.tmin) and math.isfinite(self.tmax) and self.tmin < self.tmax):
            raise ValueError(f"tmin = {self.tmin:g} and tmax = {self.tmax:g} must be seconds with tmin < tmax")
        if max(abs(self.tmin), abs(self.tmax)) > 60:
            raise ValueError(f"tmin = {self.tmin:g}, tmax = {self.tmax:g}: milliseconds? give seconds")
        if self.every is not None and not 0 < self.every < 3600:
            raise ValueError(f"every = {self.every:g} must be a length in seconds")
        return self


class RejectionRule(_Strict):
    """A rule that holds for some trials only."""

    rule: str
    when: str = ""


#: Sections that change no number.
_WORDS = ("title", "description", "references", "target", "checklist")


class _File(_Strict):
    """The sections of a protocol file."""

    title: str
    modality: Literal["emg", "eeg"]
    target: str = ""
    description: str = ""
    references: list[str] = []
    checklist: Literal["", "single_pulse", "paired_pulse", "no_pulse"] = ""
    conditioning: Literal["", "below_test", "above_test"] = ""
    extends: str = ""
    epoch: Epoch = Epoch()
    conditions: dict[str, str] = {}
    cleaning: list[dict[str, Any]] = []
    trial: dict[str, dict[str, Any]] = {}
    reject: dict[str, str | RejectionRule] = {}
    average: dict[str, dict[str, Any]] = {}
    epochs: dict[str, dict[str, Any]] = {}
    summary: dict[str, dict[str, Any]] = {}


@dataclass(frozen=True)
class Protocol:
    """A method: how trials are cut, cleaned, measured, rejected and summarised.

    Attributes
    ----------
    name : str
        Path under ``protocols/`` without the suffix, e.g. ``"m1/sici"``.
    title, modality, target, description, references
        What the method is, ``"emg"`` or ``"eeg"``, the stimulated area, and DOIs.
    checklist : str
        Which items of the checklist for TMS reports it needs: ``"single_pulse"``, ``"paired_pulse"`` or ``"no_pulse"``
        (sets of ``shared/checklist.toml``); empty: as the pulses are.
    conditioning : str
        What the first pulse of a pair is against the last: ``"below_test"`` or ``"above_test"``; others are flagged.
    epoch : Epoch
        ``tmin``, ``tmax`` (s), ``lock`` and ``every``.
    conditions : mapping
        Name (or template such as ``"isi_{inter_stimulus_interval}"``) to a query over stimulus columns.
    cleaning : tuple of mappings
        Cleaning steps in order, ``{"step": name, **arguments}``.
    trial, reject, average, epochs, summary : mapping
        The measures and their arguments, and the rejection rules.

    Examples
    --------
    >>> import excitability as ex
    >>> strict = ex.load_protocol("sici").replace(reject={"background_emg": "> 5e-6"})
    >>> strict.sha256 == ex.load_protocol("sici").sha256
    False
    """

    name: str
    title: str
    modality: str
    target: str
    description: str
    references: tuple[str, ...]
    epoch: Epoch
    conditions: Mapping[str, str]
    cleaning: tuple[Mapping[str, Any], ...]
    trial: Mapping[str, Mapping[str, Any]]
    reject: Mapping[str, Any]
    average: Mapping[str, Mapping[str, Any]]
    epochs: Mapping[str, Mapping[str, Any]]
    summary: Mapping[str, Mapping[str, Any]]
    checklist: str = ""
    conditioning: str = ""

    @classmethod
    def from_toml(cls, path: str | Path, *, name: str = "", base: Mapping[str, Any] | None = None) -> Protocol:
        """Read a protocol file.

        Parameters
        ----------
        path : path
        name : str
            Name of the protocol; the stem of the file by default.
        base : mapping, optional
            Content of the file that this one extends.

        Raises
        ------
        ValueError
            Naming the file, the entry and the nearest valid word.
        """
        path = Path(path)
        return cls.from_mapping(read_toml(path), name=name or path.stem, where=path.name, base=base)

    @classmethod
    def from_mapping(
        cls, content: Mapping[str, Any], *, name: str, where: str = "", base: Mapping[str, Any] | None = None
    ) -> Protocol:
        """Protocol from the content of a file, checked entry by entry."""
        where = where or name
        if base is not None:
            merged = {**base}
            for key, value in content.items():
                merged[key] = {**merged[key], **value} if isinstance(merged.get(key), dict) else value
            content = merged
        try:
            file = _File.model_validate(dict(content))
        except ValidationError as error:
            raise ValueError(f"{where}: {_first_problem(error)}") from None
        values = {field: getattr(file, field) for field in _File.model_fields if field != "extends"}
        values["references"] = tuple(file.references)
        values["cleaning"] = tuple(file.cleaning)
        values["reject"] = {
            column: rule if isinstance(rule, str) else rule.model_dump() for column, rule in file.reject.items()
        }
        protocol = cls(name=name, **values)
        protocol._check(where)
        return protocol

    def replace(self, **sections: Any) -> Protocol:
        """Copy with whole sections replaced, checked like a file.

        Parameters
        ----------
        **sections
            Names of sections with their new content; ``epoch`` may name only what changes.
        """
        content = self.content()
        for key, value in sections.items():
            if key not in content:
                raise ValueError(f"{self.name}: " + unknown_word("section", key, content))
            content[key] = {**content[key], **value} if key == "epoch" else value
        return Protocol.from_mapping(content, name=self.name)

    def content(self) -> dict[str, Any]:
        """What the file says, as plain values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values["name"]
        values["epoch"] = self.epoch.model_dump()
        values["references"], values["cleaning"] = list(self.references), list(self.cleaning)
        return values

    @property
    def sha256(self) -> str:
        """Fingerprint of everything that can change a number or its flags."""
        unsaid = ("conditioning",) if not self.conditioning else ()
        numbers = {k: v for k, v in self.content().items() if k not in (*_WORDS, *unsaid)}
        return hashlib.sha256(json.dumps(numbers, sort_keys=True, default=str).encode()).hexdigest()

    def trial_table(self, inst: Any, picks: Any = None, **options: Any) -> pd.DataFrame:
        """One row a trial and channel; see :func:`excitability.trial_table`."""
        from .running import trial_table

        return trial_table(inst, self, picks, **options)

    def summarise(self, table: pd.DataFrame) -> pd.DataFrame:
        """Result rows of a trial table.

        Parameters
        ----------
        table : DataFrame
            Trial table made with this protocol (rejected trials included).
        """
        from .summaries import summarise

        return summarise(self, table)

    def _check(self, where: str) -> None:
        for name, query in self.conditions.items():
            _within(where, f"[conditions] {name}", parse, query, STIMULUS_COLUMNS)
            for column in _within(where, "[conditions]", _template_columns, name):
                if column not in STIMULUS_COLUMNS:
                    raise ValueError(
                        f"{where}, [conditions] {name}: " + unknown_word("column", column, STIMULUS_COLUMNS)
                    )
        for section, kinds in _KINDS.items():
            for key, arguments in getattr(self, section).items():
                _within(where, f"[{section}] {key}", _check_entry, key, arguments, kinds)
        for step in self.cleaning:
            if "step" not in step:
                raise ValueError(f"{where}, [[cleaning]]: an entry has no 'step'; its words are: {', '.join(step)}")
            arguments = {key: value for key, value in step.items() if key != "step"}
            _within(where, f"[[cleaning]] {step['step']}", _check_step, step["step"], arguments)
        columns = (*self.trial, *STIMULUS_COLUMNS)
        for column, rule in self.reject.items():
            if column not in columns:
                raise ValueError(f"{where}, [reject]: " + unknown_word("column", column, columns))
            _within(where, f"[reject] {column}", check_rule, rule if isinstance(rule, str) else rule["rule"])
            if not isinstance(rule, str) and rule["when"]:
                _within(where, f"[reject] {column}", parse, rule["when"], (*STIMULUS_COLUMNS, *CONTEXT))
        for key, arguments in self.summary.items():
            of = arguments.get("of", get_measure(arguments.get("measure", key)).parameters.get("of"))
            test = arguments.get("test")
            if test is not None and self.conditions and test not in self.conditions:
                raise ValueError(
                    f"{where}, [summary] {key}: test = " + unknown_word("condition", test, self.conditions)
                )
            if isinstance(of, str) and of not in (*columns, *_DERIVED):
                raise ValueError(f"{where}, [summary] {key}: of = " + unknown_word("column", of, columns))


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file; a syntax error names the file."""
    if not path.is_file():
        raise FileNotFoundError(f"no protocol file {path}; 'excitability protocols' lists those there are")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is no valid TOML: {error}") from None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        known = Epoch.model_fields if place[0] == "epoch" and len(place) > 1 else _File.model_fields
        what = f"word of [{place[0]}]" if len(place) > 1 else "section"
        return unknown_word(what, place[-1], known)
    if problem["type"] == "missing":
        return f"{'.'.join(place)!r} is missing"
    return f"{'.'.join(place)}: {problem['msg']} (given: {problem['input']!r})"


def _within(where: str, entry: str, function: Any, *args: Any) -> Any:
    """Call a check; an error gets the file and the entry it is about."""
    try:
        return function(*args)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}, {entry}: {error}") from None


def _check_entry(key: str, arguments: Mapping[str, Any], kinds: tuple[str, ...]) -> None:
    entry = get_measure(arguments.get("measure", key))
    if entry.kind not in kinds:
        raise ValueError(f"{entry.name!r} is a measure of kind {entry.kind!r}; this section takes {' or '.join(kinds)}")
    words = _ENTRY_WORDS if entry.kind in ("average", "epochs") else ("measure",)
    words = (*words, "test") if entry.over == "conditioned" else words
    words = (*words, "of") if "responses" in entry.parameters else words
    for word, value in arguments.items():
        if word not in (*entry.parameters, *words):
            raise ValueError(unknown_word("parameter", word, (*entry.parameters, *words)))
        if word in ("window", "second_window", "baseline"):
            check_span(value, word)
        default = entry.parameters.get(word)
        if type(default) in (int, float) and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{word} = {value!r} must be a number in SI units, such as {default:g}")


def _check_step(name: str, arguments: Mapping[str, Any]) -> None:
    known = get_step(name).parameters
    for word in arguments:
        if word not in known:
            raise ValueError(unknown_word("parameter", word, known))


def _template_columns(name: str) -> list[str]:
    try:
        parts = [part for part in string.Formatter().parse(name) if part[1] is not None]
        if any(conversion or layout for _, _, layout, conversion in parts):
            raise ValueError("a template names columns only, as in 'isi_{inter_stimulus_interval}'")
        return [str(field) for _, field, _, _ in parts]
    except ValueError as error:
        raise ValueError(f"condition name {name!r}: {error}") from None


def condition_labels(name: str, table: pd.DataFrame) -> pd.Series:
    """Label of each row under a condition's name, which may be a template over stimulus columns."""
    columns = _template_columns(name)
    if not columns:
        return pd.Series(name, index=table.index, dtype=object)
    if not len(table):
        return pd.Series("", index=table.index, dtype=object)

    def label(row: pd.Series) -> str:
        return re.sub(r"\{(\w+)[^}]*\}", lambda match: _word(match.group(1), row.get(match.group(1))), name)

    return table.apply(label, axis=1)


def _word(column: str, value: Any) -> str:
    if isinstance(value, str) or value is None or value != value:
        return value if isinstance(value, str) else "unknown"
    if column in RELATIVE_INTENSITIES:  # stimulators take whole steps: 99.6 and 100.4 % of threshold are one level
        return f"{5 * round(float(value) / 5):g}"
    digits = 5 if column in ("inter_stimulus_interval", "interval_after_n20") else 6
    return f"{round(float(value), digits):g}"
