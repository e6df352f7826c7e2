"""Methods and citation in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..cleaning import get_step, list_steps
from ..labels import measure_in_words
from ..measures import get_measure, list_measures
from ..plots._style import readable
from ..schema import display


def protocol_methods(protocol: Any, windows: Mapping[str, tuple[float, float]] | None = None) -> str:
    """A paragraph of methods from a protocol; a draft that its authors complete.

    ``windows`` are the response windows (s) of the channels of a recording, where one is known.
    """
    epoch = getattr(protocol, "epoch", None)
    parts = []
    if epoch is not None and getattr(epoch, "every", None):
        parts.append(f"The recording was cut into segments of {epoch.every:g} s.")
    elif epoch is not None:
        lock = "first pulse of the trial" if getattr(epoch, "lock", "") == "first_pulse" else "pulse"
        parts.append(f"Epochs reached from {_span(epoch.tmin, epoch.tmax)} around the {lock}.")
    cleaning: Sequence[Mapping[str, Any]] = getattr(protocol, "cleaning", ())
    if len(cleaning) == 1:
        parts.append(f"They were cleaned: {_step(cleaning[0])}.")
    elif cleaning:
        steps = "; ".join(f"({place}) {_step(entry)}" for place, entry in enumerate(cleaning, 1))
        parts.append(f"They were cleaned in this order: {steps}. Parameters that are not named are the defaults of "
                     "this version; what each step found and removed in a recording is in the log that ex.clean "
                     "returns with it.")  # fmt: skip
    trial = getattr(protocol, "trial", {}) or {}
    if trial:
        paired = getattr(protocol, "checklist", "") == "paired_pulse"
        parts.append(_measured_in_trials(trial, windows or {}, paired))
    reject = getattr(protocol, "reject", {}) or {}
    if reject:
        parts.append(f"Trials were left out when {_listed((_broken(*rule) for rule in reject.items()), 'or')}.")
    averaged = {**(getattr(protocol, "average", {}) or {}), **(getattr(protocol, "epochs", {}) or {})}
    if averaged:
        parts.append(f"On the kept trials together, {_were(_measured(averaged))} measured.")
    summary = getattr(protocol, "summary", {}) or {}
    if summary:
        parts.append(f"Reported {'are' if len(summary) > 1 else 'is'} {_listed(_told_once(_measured(summary)))}, "
                     "each with its 95 % interval.")  # fmt: skip
    return " ".join(parts)


def _measured_in_trials(
    trial: Mapping[str, Mapping[str, Any]], windows: Mapping[str, tuple[float, float]], paired: bool
) -> str:
    """What was measured in every trial, by the window it was measured in."""
    groups: dict[str, list[str]] = {}
    for name, arguments in trial.items():
        where = _where(arguments.get("window"), windows, paired) if isinstance(arguments, Mapping) else ""
        groups.setdefault(where, []).append(measure_in_words(name))
    told = [f"{_listed(_told_once(names))}{f' ({where})' if where else ''}" for where, names in groups.items()]
    return f"Measured in every trial {'were' if len(trial) > 1 else 'was'} {_listed(told)}."


def _where(window: Any, windows: Mapping[str, tuple[float, float]], paired: bool) -> str:
    """A window in words: ``15 to 50 ms after the pulse``."""
    if window == "muscle":
        spans = {_span(*span) for span in windows.values()}
        each = _listed(f"{_span(*span)} ({channel})" for channel, span in windows.items())
        return f"{spans.pop() if len(spans) == 1 else each} after the pulse" if spans else "in the window of its muscle"
    if not isinstance(window, list | tuple) or len(window) != 2:
        return ""
    if window[1] > 0:
        return f"from {_span(*window)} after the pulse"
    return f"{_span(-window[1], -window[0])} before the {'first ' * paired}pulse"


def _told_once(names: list[str]) -> list[str]:
    """Names, each once; one with and without correction for noise is one.

    >>> _told_once(["MEP amplitude", "MEP amplitude, noise-corrected", "MEP area", "silent period"])
    ['MEP amplitude (also noise-corrected)', 'MEP area', 'silent period']
    """
    bases = {name.removesuffix(", noise-corrected") for name in names}
    both = {base for base in bases if base in names and f"{base}, noise-corrected" in names}
    kept = [name for name in names if name.removesuffix(", noise-corrected") not in both or name in both]
    return [f"{name} (also noise-corrected)" if name in both else name for name in dict.fromkeys(kept)]


def _were(names: list[str]) -> str:
    return f"{_listed(names)} {'were' if len(names) > 1 else 'was'}"


def _broken(name: str, rule: Any) -> str:
    """A rejection rule in words: ``background EMG was above 10 µV (muscle at rest)``."""
    label, text = measure_in_words(name), _rule(name, rule)
    outside = re.fullmatch(r"outside ([-+.\de]+) of median(.*)", text)
    if outside:
        return f"{label} differed from its median by more than {100 * float(outside.group(1)):g} %{outside.group(2)}"
    if name == "ecg_distance" and (limit := re.fullmatch(r"<\s*([-+.\de]+)(.*)", text)):
        factor, unit = display("s")
        return f"the pulse fell within {float(limit.group(1)) * factor:g} {unit} of a heart beat{limit.group(2)}"
    words = {">": "was above", ">=": "was at least", "<": "was below", "<=": "was at most"}
    limit = re.fullmatch(r"([<>]=?)\s*(.*)", text)
    return f"{label} {words[limit.group(1)]} {limit.group(2)}" if limit else f"{label} was {text}"


def _step(entry: Mapping[str, Any]) -> str:
    """A cleaning step: the first line of its own documentation, and its parameters in the protocol."""
    name = str(entry.get("step", ""))
    told = (get_step(name).function.__doc__ or name).strip().split("\n")[0] if name in list_steps() else name
    told = re.sub(r" in ``info.*?``|:func:|`", "", told).rstrip(".")
    given = [_parameter(word, value) for word, value in entry.items() if word != "step"]
    title = {"sound": "SOUND", "ssp_sir": "SSP-SIR"}.get(name, name.replace("_", " "))
    return f"{title}: {told[:1].lower() + told[1:]}" + f" ({', '.join(given)})" * bool(given)


def _parameter(name: str, value: Any) -> str:
    words = {"l_freq": "high-pass", "h_freq": "low-pass", "line_freq": "line frequency"}
    label = words.get(name, name.strip("_").replace("_", " "))
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(end, int | float) for end in value):
        return f"{label} {_span(*value)}"
    if isinstance(value, list | tuple):
        return f"{label} {_listed(map(str, value))}"
    if isinstance(value, int | float) and ("freq" in name or "rate" in name or "pass" in name):
        return f"{label} {value:g} Hz"
    return f"{label} chosen from the data" if value == "auto" else f"{label} {value}"


def _measured(entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    told = []
    for name, arguments in entries.items():
        window = arguments.get("window") if isinstance(arguments, Mapping) else None
        where = f" ({_span(*window)})" if isinstance(window, list | tuple) and len(window) == 2 else ""
        label = measure_in_words(name)
        told.append(label + where)
    return told


def _span(start: float, stop: float) -> str:
    factor, unit = display("s")
    return f"{start * factor:g} to {stop * factor:g} {unit}".replace("-", "−")


def _rule(name: str, rule: Any) -> str:
    """A rejection rule with its limit in display units where it is a plain limit."""
    text = str(getattr(rule, "rule", "") or (rule.get("rule", "") if isinstance(rule, Mapping) else rule))
    when = str(getattr(rule, "when", "") or (rule.get("when", "") if isinstance(rule, Mapping) else ""))
    limit = re.fullmatch(r"([<>]=?)\s*([-+.\de]+)", text.strip())
    if limit and name in list_measures():
        value = float(limit.group(2))
        factor, unit = readable(get_measure(name).unit_of(), [value])
        text = f"{limit.group(1)} {value * factor:g} {unit}".strip()
    state = re.fullmatch(r"state == '(\w+)'", when)
    return text + (" (muscle at rest)" if state and state.group(1) == "rest" else f" when {when}" if when else "")


def _listed(words: Iterable[str], last: str = "and") -> str:
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""
