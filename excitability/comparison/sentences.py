"""A contrast in plain words, in the units people read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..schema import display

#: Measures of these protocols fall below a ratio of one when the conditioning stimulus inhibits.
_INHIBITORY = ("sici", "lici", "sai", "lai", "ihi", "sihi", "lihi", "cbi")
_FACILITATORY = ("icf", "sicf")
_ABBREVIATION = re.compile(
    r"[npm]\d+|s50|sici|icf|sicf|lici|sai|lai|ihi|lcd|cbi|mep|tep|eeg|emg|gmfa|lmfa|trsp|pci|isi|cmct|rmt|amt|dlpfc|tms"
)
_OWN = {"wpli": "wPLI", "ei": "E/I"}
_NEGATIVE_PEAK = re.compile(r"n\d+_amplitude")
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
    >>> subject("m1/sici", "conditioned_ratio_corrected", "FDI", "isi_0.002")
    'SICI ratio, noise-corrected, at 2 ms in FDI'
    >>> subject("dlpfc/tep", "n100_amplitude", "DLPFC_left", "all")
    'N100 amplitude (TEP) in left DLPFC'
    >>> subject("dlpfc/resting_eeg", "alpha_wpli", "DLPFC_left_to_scalp", "all")
    'alpha wPLI (resting EEG), left DLPFC to the scalp,'
    """
    stem = protocol.rsplit("/", 1)[-1]
    when = _condition(condition)
    name = _measure(stem, measure)
    if measure.startswith("conditioned_ratio") or measure == stem:  # named by its protocol
        joint = "," if "," in name else ""
        name += f"{joint} {'at ' * when.endswith(' ms')}{when}" if when else joint
    else:
        told = set(stem.split("_")) & set(measure.split("_"))  # the name of the measure says where it belongs
        home = "" if told or not stem else _words(stem)
        brackets = ", ".join(part for part in (home, when) if part)
        name += f" ({brackets})" if brackets else ""
    return name + _where(channel)


def _words(name: str) -> str:
    """Words of a name, abbreviations as they are written (as in ``plots._labels``, which is no layer below)."""
    words = name.replace("p2p", "peak-to-peak").replace("peak_to_peak", "peak-to-peak").split("_")
    return " ".join(
        _OWN[word] if word in _OWN else word.upper() if _ABBREVIATION.fullmatch(word) else word for word in words
    )


def _measure(stem: str, measure: str) -> str:
    base, corrected = measure.removesuffix("_corrected"), measure.endswith("_corrected")
    if base == "conditioned_ratio":
        name = f"{_words(stem)} ratio" if stem else "conditioned/test ratio"
    elif "_" in stem and base.startswith(f"{stem}_"):  # a threshold by another method
        name = f"{_words(stem)} ({_words(base.removeprefix(f'{stem}_'))})"
    else:
        name = {"mep_max": "maximal MEP amplitude", "test_amplitude": "test MEP amplitude"}.get(base) or _words(base)
    return f"{name}, noise-corrected" if corrected else name


def _condition(condition: str) -> str:
    if match := re.fullmatch(r"isi_([0-9.e-]+)", condition):
        return f"{float(match.group(1)) * 1e3:g} ms"
    if match := re.fullmatch(r"(rmt|amt)_([0-9.]+)", condition):
        return f"{match.group(2)} % {match.group(1).upper()}"
    return "" if condition in ("", "all") else condition.replace("_", " ")


def channel_words(channel: str) -> str:
    """A channel or region in words; ``all`` says nothing and is left out.

    >>> channel_words("DLPFC_left_to_scalp"), channel_words("RFDI"), channel_words("all")
    ('left DLPFC to the scalp', 'RFDI', '')
    """
    if channel == "all":
        return ""
    ends = [re.sub(r"^(\w+)_(left|right)$", r"\2 \1", end) for end in channel.split("_to_")]
    return " to the ".join(ends).replace("_", " ")


def _where(channel: str) -> str:
    name = channel_words(channel)
    return "" if not name else f", {name}," if " to the " in name else f" in {name}"


def sentence(words: Words) -> str:
    """One contrast in one or two sentences."""
    name = subject(words.protocol, words.measure, words.channel, words.condition)
    name = name[:1].upper() + name[1:] if name.split(" ")[0].islower() else name
    if not math.isfinite(words.estimate):
        whom = " and ".join(_group(group) for group in words.groups if group != "all")
        return (
            f"{name.rstrip(',')}: the change from {words.before} to {words.after} cannot be estimated"
            f"{' in ' * bool(whom)}{whom} ({words.n} with both sessions)."
        )
    people = f"n = {words.n}" + (f", {words.missing} without both sessions" if words.missing else "")
    p = f", {_p(words.p_value)}" if math.isfinite(words.p_value) else ""
    text = f"{_lead(name, words)} ({people}{p}){_against(words)}."
    if words.test_changed:
        text += f" {words.test_changed}"
    return text


def _lead(name: str, words: Words) -> str:
    size, interval = _amount(words, signed=not _clear(words)), _interval(words)
    span = f"from {words.before} to {words.after}"
    if len(words.groups) == 2:
        one, two = (_group(name) for name in words.groups)
        change = f"{name.rstrip(',')}: the change {span}"
        if _clear(words):
            more = "higher" if words.estimate > 0 else "lower"
            return f"{change} was {size} {more} in {one} than in {two}{interval}{_meaning(words)}"
        if math.isnan(words.low):
            return f"{change} differed by {size} between {one} and {two}, with no interval to judge it by"
        return f"{change} shows no clear difference between {one} and {two}: {size}{interval}{_meaning(words)}"
    whom = "" if words.groups[0] == "all" else f" in {_group(words.groups[0])}"
    if math.isnan(words.low):
        return f"{name} changed by {size} {span}{whom}, with no interval to judge it by{_meaning(words)}"
    if not _clear(words):
        return f"{name} shows no clear change {span}{whom}: {size}{interval}{_meaning(words)}"
    verb = "rose" if words.estimate > 0 else "fell"
    return f"{name} {verb} by {size}{interval} {span}{whom}{_meaning(words)}"


def _clear(words: Words) -> bool:
    """Whether the interval leaves zero out."""
    return math.isfinite(words.low) and (words.low > 0 or words.high < 0)


def _group(name: str) -> str:
    return name if name.lower().endswith(("s", "group")) else f"the {name} group"


def _meaning(words: Words) -> str:
    """What a change says: a smaller ratio is more inhibition, a higher value of a negative peak a smaller peak."""
    stem = words.protocol.rsplit("/", 1)[-1]
    rise = words.estimate > 0
    if _NEGATIVE_PEAK.fullmatch(words.measure) and not words.log:
        if not _clear(words):
            return ", where + is a smaller negative peak"
        toward = "towards " * (len(words.groups) == 2)
        return f", {toward}a {'smaller' if rise else 'larger'} negative peak"
    if len(words.groups) == 2 or not _clear(words) or not words.measure.startswith("conditioned_ratio"):
        return ""
    if stem in _INHIBITORY:
        return ", less inhibition" if rise else ", more inhibition"
    if stem in _FACILITATORY:
        return ", more facilitation" if rise else ", less facilitation"
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
    size_of = "" if _clear(words) else "the estimate is "
    text = f"; {size_of}{than} the smallest detectable {label} ({_detectable(words.group_detectable, words)}"
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
