"""A contrast in plain words, in the units people read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal

from ..labels import capital, change_of_ratio, channel_label, condition_label, measure_in_words, name_in_words
from ..schema import display
from ._labels import CONTROL

_NEGATIVE_PEAK = re.compile(r"n\d+_amplitude")
#: How a smallest detectable change was found, by the flag that says so.
SOURCES = {
    "sdc_from_repeats": "from repeated baselines",
    "sdc_from_controls": "from the controls' own changes",
    "sdc_from_intervals": "from the scatter of trials only, so a lower bound",
    "sdc_from_changes": "from the spread of the changes, so an upper bound",
}
#: Of whom there are too few.
_WHOM = {"sdc_from_controls": "controls", "sdc_from_repeats": "repeats"}
_ALPHA = 0.05
#: People in a group below which a sentence tells no change: of five who all change in one direction a sign test gives
#: p = 2 · ½⁵ = 0.06, so that a smaller p rests on normally distributed changes alone, which so few cannot show; and an
#: estimate that comes out significant among so few exaggerates and often has the wrong sign (Gelman & Carlin 2014,
#: 10.1177/1745691614551642).
FEWEST = 6


#: A change or a difference of changes; their trend over doses; second period against first; all time points together;
#: a mean at one time point, and a difference of two such means.
Kind = Literal["change", "trend", "period", "omnibus", "mean", "level"]


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
    detectable_interval: tuple[float, float] = (math.nan, math.nan)  # of one person
    uncertain: bool = False  # what is detectable is known from too few people
    kind: Kind = "change"
    crossed: bool = False  # the groups are arms that the same people went through
    dose: str = ""  # what one unit of the dose is called
    few: bool = False  # fewer than FEWEST people in a group
    lost: int = 0  # people without a covariate
    adjusted: str = ""  # what the estimate is adjusted for
    more: str = ""  # what else the reader must know, in whole sentences
    raised: bool = False  # people differ less than the scatter of their own trials makes them


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
    when = condition_label(condition)
    name = _measure(stem, measure)
    if measure.startswith("conditioned_ratio") or measure == stem:  # named by its protocol
        joint = "," if "," in name else ""
        name += f"{joint} {'at ' * when.endswith(' ms')}{when}" if when else joint
    else:
        told = set(stem.split("_")) & set(measure.split("_"))  # the name of the measure says where it belongs
        home = "" if told or not stem else name_in_words(stem)
        brackets = ", ".join(part for part in (home, when) if part)
        name += f" ({brackets})" if brackets else ""
    return name + _where(channel)


def _measure(stem: str, measure: str) -> str:
    base = measure.removesuffix("_corrected")
    if base == "conditioned_ratio" and stem:
        name = f"{name_in_words(stem)} ratio"
    elif "_" in stem and base.startswith(f"{stem}_"):  # a threshold by another method
        name = f"{name_in_words(stem)} ({name_in_words(base.removeprefix(f'{stem}_'))})"
    else:
        return measure_in_words(measure)
    return name + ", noise-corrected" * (base != measure)


def _where(channel: str) -> str:
    name = channel_label(channel)
    return "" if not name else f", {name}," if " to the " in name else f" in {name}"


def sentence(words: Words, flags: str = "") -> str:
    """One contrast: what happened in plain words, the statistics in brackets behind them.

    Of the flags of its row, ``few_participants`` and ``sdc_raised`` change what may be said.
    """
    given = flags.split(";")
    few = "few_participants" in given or (
        words.kind == "omnibus" and words.n < FEWEST * (1 if words.crossed else len(words.groups))
    )
    words = replace(words, few=few and words.kind != "mean", raised="sdc_raised" in given)
    name = capital(subject(words.protocol, words.measure, words.channel, words.condition))
    if words.kind == "omnibus":
        too_few = f"; fewer than {FEWEST} people in a group" if words.few else ""
        return f"{_together(name, words)} ({_statistics(words)}{too_few})."
    if not math.isfinite(words.estimate):
        whom = " and ".join(_arm(group, words) for group in words.groups if group != "all")
        level = words.kind in ("mean", "level")
        what = f"its value at {words.before}" if level else f"the change {_span(words)}"
        held = "a value" if words.kind in ("mean", "level") else _lacking(words)
        why = ": covariates and groups hold the same" if "covariates_dependent" in given else ""
        lost = f", {words.lost} without a covariate" * bool(words.lost)
        return f"{name.rstrip(',')}: {what} cannot be estimated{_whom(whom, words)}{why} ({words.n} with {held}{lost})."
    text = f"{_too_few(name, words) if words.few else _plain(name, words)} ({_statistics(words)})."
    return " ".join(part for part in (text, words.test_changed, words.more) if part)


def _too_narrow(words: Words) -> bool:
    """Whether the interval holds the spread of controls who by chance differ less than their trials allow."""
    known = words.raised and words.source == "sdc_from_controls" and math.isfinite(words.low)
    return known and words.kind == "change" and any(CONTROL.match(group) for group in words.groups)


def _too_few(name: str, words: Words) -> str:
    """That so few people cannot carry an answer, whatever their interval and p value."""
    name = name.rstrip(",")
    what = f"at {words.before}" if words.kind == "level" else f"the change {_span(words)}"
    if len(words.groups) == 2 and words.kind not in ("trend", "period") and not words.crossed:
        whether = f"{what} differs" if words.kind != "level" else f"they differ {what}"
        return (
            f"{name}: with fewer than {FEWEST} people in a group it cannot be judged whether {whether} between "
            f"{_compared(words)}"
        )
    return f"{name}: {words.n} people are too few to judge {what}{_whom(_compared(words), words)}"


def _compared(words: Words) -> str:
    return " and ".join(_arm(group, words) for group in words.groups if group != "all")


def _whom(told: str, words: Words) -> str:
    """Those in whom, or that after which: ' in patients', ' after exercise'."""
    return f" {_joint(words)} {told}" if told else ""


def _joint(words: Words) -> str:
    return "after" if words.crossed and words.kind not in ("mean", "level") else "in"


def _span(words: Words) -> str:
    return f"from {words.before.replace('+', ' and ')} to {words.after}"


def _together(name: str, words: Words) -> str:
    """The test of all time points together, which has no size."""
    times = words.after.replace(", ", " and ")
    known = math.isfinite(words.p_value) and not words.few
    if len(words.groups) == 2:
        one, two = (_arm(group, words) for group in words.groups)
        course = f"{name.rstrip(',')}: the course over {times} together"
        if not known:
            return f"{course} cannot be compared between {one} and {two}"
        differs = "differs" if words.p_value < _ALPHA else "shows no clear difference"
        return f"{course} {differs} between {one} and {two}"
    whom = "" if words.groups[0] == "all" else f" {_joint(words)} {_arm(words.groups[0], words)}"
    if not known:
        return f"{name.rstrip(',')}: {times} together cannot be judged{whom}"
    if words.p_value < _ALPHA:
        return f"{name} differs from {words.before} over {times} together{whom}"
    return f"{name} shows no clear change from {words.before} over {times} together{whom}"


def _plain(name: str, words: Words) -> str:
    """What happened, without a number but the size of a clear change."""
    size, span = _amount(words, signed=False), _span(words)
    means = _and([word for word in (_meaning(words), _beyond_error(words)) if word])
    means = f", {means}" if means else ""
    if words.kind == "mean":
        whom = "" if words.groups[0] == "all" else f" {_joint(words)} {_arm(words.groups[0], words)}"
        return f"{name} was {_mean(words.estimate, words)} at {words.before}{whom}"
    change = f"{name.rstrip(',')}: the change {span}"
    ways = ("more positive", "more negative") if _is_negative_peak(words) else ("higher", "lower")
    higher = ways[0] if words.estimate > 0 else ways[1]
    if words.kind == "trend":
        if _clear(words):
            return f"{change} is {size} {higher} with every further {words.dose}{means}"
        return f"{change} shows no clear trend over the doses"
    if words.kind == "period":
        if _clear(words):
            return f"{change} was {size} {higher} in the second period than in the first"
        return f"{change} shows no clear difference between the first and the second period"
    if len(words.groups) == 2:
        one, two = (_arm(name, words) for name in words.groups)
        if words.kind == "level":
            change = f"{name} at {words.before}" if not name.endswith(",") else f"{name} at {words.before},"
        if _clear(words):
            joint = _joint(words)
            return f"{change} was {size} {higher} {joint} {one} than {joint} {two}{means}"
        if math.isnan(words.low):
            return f"{change} differed between {one} and {two}, with no interval to judge it by"
        return f"{change} shows no clear difference between {one} and {two}"
    whom = "" if words.groups[0] == "all" else f" {_joint(words)} {_arm(words.groups[0], words)}"
    if words.estimate == 0 and math.isnan(words.low):
        return f"{name} did not change at all {span}{whom}"
    if math.isnan(words.low):
        return f"{name} changed {span}{whom}, with no interval to judge it by"
    if not _clear(words):
        return f"{name} shows no clear change {span}{whom}"
    if _is_negative_peak(words):  # what falls here grows: say neither
        return f"{name} became {size} {higher} {span}{whom}{means}"
    return f"{name} {'rose' if words.estimate > 0 else 'fell'} by {size} {span}{whom}{means}"


def _arm(name: str, words: Words) -> str:
    if not words.crossed:
        return _group(name)
    return f"the {name} arm" if words.kind in ("mean", "level") else name


def _mean(value: float, words: Words) -> str:
    """A mean in its own unit."""
    factor, label = display(words.unit, abs(math.exp(value) if words.log else value))
    text = f"{(math.exp(value) if words.log else value) * factor:.3g}".replace("-", "−")
    return text + f" {label}" * bool(label)


def _statistics(words: Words) -> str:
    """Size where the words do not say it, interval, people, p value, and what is detectable."""
    told = []
    if words.kind == "mean":
        if math.isfinite(words.low):
            told.append(f"95 % interval {_mean(words.low, words)} to {_mean(words.high, words)}")
        people = f"n = {words.n}" + f", {words.missing} without a value" * bool(words.missing)
        people += f", {words.lost} without a covariate" * bool(words.lost)
        return "; ".join([*told, people, *([words.adjusted] if words.adjusted else [])])
    if words.kind != "omnibus" and not _told(words):
        meaning = _meaning(words)
        told.append(_amount(words, signed=True) + f", {meaning}" * bool(meaning))
    if math.isfinite(words.low):
        narrow = ", narrower than the controls' trials allow" * _too_narrow(words)
        told.append(f"95 % interval {_interval(words)}{narrow}")
    people = f"n = {words.n}" + (f", {words.missing} without {_lacking(words)}" if words.missing else "")
    people += f", {words.lost} without a covariate" * bool(words.lost)
    told.append(people + (f", {_p(words.p_value)}" if math.isfinite(words.p_value) else ""))
    if words.adjusted:
        told.append(words.adjusted)
    if math.isfinite(words.group_detectable) and not words.few:
        told.append(f"detectable: {_detectable(words.group_detectable, words)}")
        if words.uncertain:
            told[-1] += f", itself from too few {'people' if words.crossed else _WHOM.get(words.source, 'people')}"
    return "; ".join(told)


def _lacking(words: Words) -> str:
    if words.kind == "level":
        return "a value"
    if words.kind in ("trend", "period") or len(words.groups) == 2:
        return ("all arms" if words.kind == "trend" else "both arms") if words.crossed else "both sessions"
    return "all sessions" if words.kind == "omnibus" else "both sessions"


def _beyond_error(words: Words) -> str:
    """Whether a clear change exceeds what measurement error makes in a group of this size."""
    if not math.isfinite(words.group_detectable) or words.uncertain:
        return ""
    more = abs(words.estimate) > words.group_detectable
    # a lower bound can rule a change out as error, but not in
    error = "the scatter of trials" if more and words.source == "sdc_from_intervals" else "measurement error"
    return f"{'more' if more else 'not more'} than {error}"


def _and(parts: list[str]) -> str:
    return " and ".join(parts)


def _told(words: Words) -> bool:
    """Whether the words before the brackets tell a change and its size."""
    return _clear(words) and not words.few


def _clear(words: Words) -> bool:
    """Whether the interval leaves zero out."""
    return math.isfinite(words.low) and (words.low > 0 or words.high < 0)


def _group(name: str) -> str:
    return name if name.lower().endswith(("s", "group")) else f"the {name} group"


def _meaning(words: Words) -> str:
    """What a change says: a smaller ratio is more inhibition, a higher value of a negative peak a smaller peak."""
    rise = words.estimate > 0
    if words.estimate == 0:
        return ""
    if _is_negative_peak(words):
        what = f"a {'smaller' if rise else 'larger'} negative peak"
    elif words.measure.startswith("conditioned_ratio") and words.log:
        what = change_of_ratio(words.protocol, rise=rise)
    else:
        return ""
    toward = not _told(words) or (words.kind != "level" and (len(words.groups) == 2 or words.kind == "trend"))
    return f"{'towards ' * toward}{what}" if what else ""


def _is_negative_peak(words: Words) -> bool:
    return bool(_NEGATIVE_PEAK.fullmatch(words.measure)) and not words.log


def percent(log_ratio: float) -> float:
    """Percent change of a log ratio.

    >>> round(percent(0.1655144), 3)
    18.0
    """
    return math.inf if log_ratio >= 700 else 100 * math.expm1(log_ratio)


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
    """The interval, with the sign of the verb: 'fell by 30 % (95 % interval 20 to 40 %)'.

    A negative peak has its own signs, as its size and its value go opposite ways.
    """
    low, high = _shown(words.low, words), _shown(words.high, words)
    if high < 0 and _told(words) and not _is_negative_peak(words):
        low, high = -high, -low
    return f"{_number(low, words)} to {_number(high, words)}{_label(words)}"


def _detectable(value: float, words: Words) -> str:
    if not words.log:
        return _number(abs(_shown(value, words)), words) + _label(words)
    return f"{_number(percent(value), words, signed=True)} % or {_number(percent(-value), words, signed=True)} %"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}" if value < 0.1 else f"p = {value:.2f}"


def detectable_in_words(flags: list[str]) -> str:
    """What ``detectable`` in the sentences is, and where it came from in these comparisons; empty where none is known.

    >>> detectable_in_words(["few_participants;sdc_from_controls"])
    "Detectable: the smallest change that exceeds measurement error, from the controls' own changes."
    """
    found = [SOURCES[word] for text in flags for word in text.split(";") if word in SOURCES]
    told = " or ".join(dict.fromkeys(found))
    return f"Detectable: the smallest change that exceeds measurement error, {told}." if told else ""
