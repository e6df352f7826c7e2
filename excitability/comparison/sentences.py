"""A contrast in plain words, in the units people read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..schema import display

#: Measures of these protocols fall below a ratio of one when the conditioning stimulus inhibits.
_INHIBITORY = ("sici", "lici", "sai", "lai", "ihi", "sihi", "lihi", "cbi")
_FACILITATORY = ("icf", "sicf")
_SOURCES = {
    "sdc_from_repeats": "from repeated baselines",
    "sdc_from_controls": "from the controls' own changes",
    "sdc_from_intervals": "from the scatter of trials only, so a lower bound",
    "sdc_from_changes": "from the spread of the changes, so an upper bound",
}


@dataclass(frozen=True)
class Words:
    """What a sentence is made of; changes are on the scale of estimation."""

    protocol: str
    measure: str
    channel: str
    condition: str
    unit: str
    log: bool
    before: str
    after: str
    groups: tuple[str, ...]  # one, or the two of a difference
    estimate: float
    low: float
    high: float
    p_value: float
    n: int
    missing: int
    detectable: float
    group_detectable: float
    responders: float
    source: str
    test_changed: str = ""


def subject(protocol: str, measure: str, channel: str, condition: str) -> str:
    """Name of what was measured.

    >>> subject("m1/sici", "conditioned_ratio", "FDI", "isi_0.0025")
    'SICI ratio at 2.5 ms in FDI'
    """
    stem = protocol.rsplit("/", 1)[-1]
    short = stem.upper().replace("_", " ")
    where = f" in {channel}" if channel else ""
    if measure == "conditioned_ratio":
        name = f"{short} ratio" if stem else "conditioned/test ratio"
    else:
        name = measure.replace("_", " ")
        name = re.sub(r"\b(mep|tep|gmfa|lmfa|pci|trsp)\b", lambda m: m.group().upper(), name)
        name = re.sub(r"\b[np]\d+\b", lambda m: m.group().upper(), name)
    if match := re.fullmatch(r"isi_([0-9.e-]+)", condition):
        name += f" at {float(match.group(1)) * 1e3:g} ms"
    elif condition not in ("", "all"):
        name += f" ({condition})"
    if stem and measure != "conditioned_ratio":
        where += f" [{stem}]"
    return name + where


def sentence(words: Words) -> str:
    """One contrast in one or two sentences."""
    name = subject(words.protocol, words.measure, words.channel, words.condition)
    if not math.isfinite(words.estimate):
        whom = " and ".join(_group(group) for group in words.groups if group != "all")
        return (
            f"{name}: the change from {words.before} to {words.after} cannot be estimated"
            f"{' in ' * bool(whom)}{whom} ({words.n} with both sessions)."
        )
    lead = _lead(name, words)
    people = f"n = {words.n}" + (f", {words.missing} without both sessions" if words.missing else "")
    p = f", {_p(words.p_value)}" if math.isfinite(words.p_value) else ""
    text = f"{lead} ({people}{p}){_against(words)}."
    if words.test_changed:
        text += f" {words.test_changed}"
    return text


def _lead(name: str, words: Words) -> str:
    clear = math.isfinite(words.low) and (words.low > 0 or words.high < 0)
    size, interval = _amount(words, signed=not clear), _interval(words)
    span = f"from {words.before} to {words.after}"
    if len(words.groups) == 2:
        one, two = (_group(name) for name in words.groups)
        if clear:
            return (
                f"{name}: the change {span} was {size} {'higher' if words.estimate > 0 else 'lower'} in "
                f"{one} than in {two}{interval}"
            )
        return f"{name}: the change {span} did not differ detectably between {one} and {two}: {size}{interval}"
    whom = "" if words.groups[0] == "all" else f" in {_group(words.groups[0])}"
    if not clear:
        return f"{name} did not change detectably {span}{whom}: {size}{interval}"
    verb = "rose" if words.estimate > 0 else "fell"
    return f"{name} {verb} by {size}{interval} {span}{whom}{_meaning(words)}"


def _group(name: str) -> str:
    return name if name.lower().endswith(("s", "group")) else f"the {name} group"


def _meaning(words: Words) -> str:
    """What a change of a ratio says: a smaller ratio is more inhibition."""
    stem = words.protocol.rsplit("/", 1)[-1]
    if words.measure != "conditioned_ratio":
        return ""
    more = words.estimate > 0
    if stem in _INHIBITORY:
        return ", less inhibition" if more else ", more inhibition"
    if stem in _FACILITATORY:
        return ", more facilitation" if more else ", less facilitation"
    return ""


def percent(log_ratio: float) -> float:
    """Percent change of a log ratio.

    >>> round(percent(0.1655144), 3)
    18.0
    """
    return 100 * math.expm1(log_ratio) if log_ratio < 700 else math.inf


def _number(value: float, words: Words, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    if words.log and value > 999:  # an interval from two or three people says no more than this
        return "> 999"
    if words.log and math.isfinite(value):  # percent: no more digits than mean something
        text = f"{value:{sign}.{1 if abs(value) < 10 else 0}f}"
    else:
        text = f"{value:{sign}.3g}"
    return text.replace("-", "−").replace("e+0", "e").replace("e−0", "e−")


def _display(words: Words) -> tuple[float, str]:
    ends = [abs(value) for value in (words.estimate, words.low, words.high) if math.isfinite(value)]
    return display(words.unit, max(ends, default=math.nan))


def _shown(value: float, words: Words) -> float:
    return percent(value) if words.log else value * _display(words)[0]


def _label(words: Words) -> str:
    label = "%" if words.log else _display(words)[1]
    return f" {label}" if label else ""


def _amount(words: Words, *, signed: bool) -> str:
    value = _shown(words.estimate, words)
    return _number(value if signed else abs(value), words, signed=signed) + _label(words)


def _interval(words: Words) -> str:
    """The interval, with the sign of the verb: 'fell by 30 % [20, 40]'."""
    if not math.isfinite(words.low):
        return ""
    low, high = _shown(words.low, words), _shown(words.high, words)
    if high < 0:
        low, high = -high, -low
    return f" [{_number(low, words)}, {_number(high, words)}]"


def _against(words: Words) -> str:
    if not math.isfinite(words.group_detectable):
        return ""
    size = abs(words.estimate)
    than = "more than" if size > words.group_detectable else "not more than"
    label = "difference of groups" if len(words.groups) == 2 else "change of the group"
    if len(words.groups) == 1 and words.n == 1:
        label = "change of one person"
    text = f"; {than} the smallest detectable {label} ({_detectable(words.group_detectable, words)}"
    text += f", {_SOURCES[words.source]})" if words.source in _SOURCES else ")"
    if math.isfinite(words.responders) and words.n > 1:
        people = round(words.responders * words.n)
        one = _detectable(words.detectable, words)
        text += f"; {people} of {words.n} people changed by more than one person's smallest ({one})"
    return text


def _detectable(value: float, words: Words) -> str:
    if not words.log:
        return _number(abs(_shown(value, words)), words) + _label(words)
    return f"{_number(percent(value), words, signed=True)} % or {_number(percent(-value), words, signed=True)} %"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.1 else f"p = {value:.2f}"
