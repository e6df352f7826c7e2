"""Words for the names in the tables: what a reader sees instead of ``conditioned_ratio`` and ``isi_0.0025``.

Figures, report, sentences and command line all take their words from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

#: What the change of a probability is shown as.
LOG_ODDS = "log odds ratio"

_SHORT = {
    "sici": "SICI",
    "icf": "ICF",
    "sicf": "SICF",
    "lici": "LICI",
    "ei": "E/I",
    "sai": "SAI",
    "lai": "LAI",
    "ihi": "IHI",
    "sihi": "SIHI",
    "lihi": "LIHI",
    "lcd": "LCD",
    "cbi": "CBI",
    "mep": "MEP",
    "tep": "TEP",
    "eeg": "EEG",
    "emg": "EMG",
    "s50": "S50",
    "gmfa": "GMFA",
    "lmfa": "LMFA",
    "trsp": "TRSP",
    "pci": "PCI",
    "wpli": "wPLI",
    "isi": "ISI",
    "cmct": "CMCT",
    "rmt": "RMT",
    "amt": "AMT",
    "dlpfc": "DLPFC",
    "m1": "M1",
    "tms": "TMS",
}
_MEASURES = {
    "conditioned_ratio": "ratio of conditioned to test response",
    "mep_max": "maximal MEP amplitude",
    "test_amplitude": "test MEP amplitude",
}
#: First word of the protocols whose conditioning pulse makes the response smaller, or larger.
_INHIBITORY = ("sici", "lici", "sai", "lai", "ihi", "sihi", "lihi", "cbi")
_FACILITATORY = ("icf", "sicf")
#: Names of groups and arms that are subtracted from the others, as whole words: "restorative" is no "rest", and
#: "controlled exercise" no control. Abbreviations count only where they are the whole name.
CONTROL = re.compile(
    r"""^(?:(?:healthy|pain[\W_]*free|no[\W_]*pain|asymptomatic|controls?|ctrls?|sham|placebo|rest(?:ing)?|normals?
    |untreated|no[\W_]*(?:treatment|intervention|exercise|training)|(?:usual|standard)[\W_]*care
    |(?:care|treatment)[\W_]*as[\W_]*usual|wait(?:ing)?[\W_]*list(?:ed)?)
    (?:(?:day|group|arm|session|condition|controls?|volunteers?|subjects?|participants?|tms|rtms|tdcs)?(?![^\W\d_]))
    |(?:con|ctl|hc|hv|nc|cg|tau)s?\d*$
    |.*[\W_]controls$
    |(?:age|matched|active|inactive|passive|attention|sedentary)[\W_].*?controls?(?![^\W\d_]))""",
    re.IGNORECASE | re.VERBOSE,
)
_FIRST = re.compile(r"^(pre|base|bl|before|t0$|v0$)", re.IGNORECASE)


def name_in_words(name: str) -> str:
    """Words of a name, abbreviations as they are written; for the middle of a sentence.

    >>> name_in_words("background_p2p"), name_in_words("alpha_wpli"), name_in_words("f_wave_latency")
    ('background peak-to-peak', 'alpha wPLI', 'F wave latency')
    """
    words = [_SHORT.get(word, "peak-to-peak" if word == "p2p" else word) for word in name.split("_")]
    words = [word.upper() if re.fullmatch(r"[pnm]\d+|[mf]", word) else word for word in words]
    return " ".join(words).replace("peak to peak", "peak-to-peak")


def capital(text: str) -> str:
    """A text with a capital first, unless its first word has one of its own (wPLI)."""
    return text if any(letter.isupper() for letter in text.split(" ")[0]) else text[:1].upper() + text[1:]


def measure_in_words(name: str) -> str:
    """A measure for the middle of a sentence.

    >>> measure_in_words("conditioned_ratio"), measure_in_words("mep_amplitude_corrected")
    ('ratio of conditioned to test response', 'MEP amplitude, noise-corrected')
    """
    base = name.removesuffix("_corrected")
    return (_MEASURES.get(base) or name_in_words(base)) + ", noise-corrected" * (base != name)


def measure_label(name: str) -> str:
    """A measure in words, for a heading or an axis.

    >>> measure_label("resting_motor_threshold"), measure_label("n100_amplitude")
    ('Resting motor threshold', 'N100 amplitude')
    >>> measure_label("mep_amplitude_corrected")
    'MEP amplitude, noise-corrected'
    """
    return capital(measure_in_words(name))


def ratio_effect(protocol: str) -> str:
    """What the conditioning pulse of a protocol does: ``"inhibition"``, ``"facilitation"``, or nothing that is known.

    >>> ratio_effect("m1/sici_trunk"), ratio_effect("icf"), ratio_effect("m1/paired_pulse_curve")
    ('inhibition', 'facilitation', '')
    """
    first = protocol.rsplit("/", 1)[-1].split("_")[0]
    return "inhibition" if first in _INHIBITORY else "facilitation" if first in _FACILITATORY else ""


def ratio_in_words(protocol: str) -> str:
    """How the ratios of a protocol are read.

    >>> ratio_in_words("m1/sici")
    'A ratio below 1 is inhibition; a smaller ratio is more inhibition.'
    """
    effect = ratio_effect(protocol)
    if not effect:
        return "A ratio below 1 is inhibition, one above 1 facilitation."
    side, more = ("below", "smaller") if effect == "inhibition" else ("above", "larger")
    return f"A ratio {side} 1 is {effect}; a {more} ratio is more {effect}."


def change_of_ratio(protocol: str, *, rise: bool) -> str:
    """What a larger or a smaller ratio of conditioned to test response means.

    >>> change_of_ratio("m1/sici", rise=True), change_of_ratio("m1/icf", rise=True)
    ('less inhibition', 'more facilitation')
    """
    effect = ratio_effect(protocol)
    more = rise if effect == "facilitation" else not rise
    return f"{'more' if more else 'less'} {effect}" if effect else ""


def channel_label(name: str) -> str:
    """A channel or region in words; ``all`` says nothing and is left out.

    >>> channel_label("DLPFC_left_to_scalp"), channel_label("M1_left"), channel_label("RFDI"), channel_label("all")
    ('left DLPFC to the scalp', 'left M1', 'RFDI', '')
    """
    if name == "all":
        return ""
    ends = [re.sub(r"^(\w+)_(left|right)$", r"\2 \1", end) for end in name.split("_to_")]
    return " to the ".join(ends).replace("_", " ")


def protocol_label(name: str) -> str:
    """A protocol in words; its area is said only where it is not M1, and derived measures have none.

    >>> protocol_label("m1/sici"), protocol_label("m1/recruitment_curve"), protocol_label("dlpfc/tep")
    ('SICI', 'Recruitment curve', 'DLPFC TEP')
    """
    area, _, stem = name.rpartition("/")
    text = capital(name_in_words(stem))
    if area in ("", "m1", "derived"):
        return text
    first = text.split(" ")[0]
    rest = text if not text.isascii() or first in _SHORT.values() else text[:1].lower() + text[1:]
    return f"{capital(name_in_words(area))} {rest}"


def condition_label(name: str) -> str:
    """A condition in words; intervals in milliseconds; ``all`` says nothing and is left out.

    >>> condition_label("isi_0.0025"), condition_label("test"), condition_label("all")
    ('2.5 ms', 'test', '')
    """
    if name in ("", "all"):
        return ""
    if level := re.fullmatch(r"(rmt|amt)_([0-9.]+)", name):
        return f"{level.group(2)} % {level.group(1).upper()}"
    if level := re.fullmatch(r"cs_([0-9.]+)", name):
        return f"conditioning {level.group(1)} %"
    if level := re.fullmatch(r"mso_([0-9.]+)", name):
        return f"{level.group(1)} %MSO"
    if after := re.fullmatch(r"n20_(-?[0-9.]+(?:e-?\d+)?)", name):
        return f"N20 {1e3 * float(after.group(1)):+g} ms"
    interval = re.fullmatch(r"isi_([0-9.]+(?:e-?\d+)?)", name)
    return f"{1e3 * float(interval.group(1)):g} ms" if interval else name.replace("_", " ")


def numbered(name: str) -> tuple[float, str]:
    """Key that sorts labels by the number in them: 2 ms before 10 ms, post0 before post30."""
    number = re.search(r"\d+(?:\.\d+)?", name)
    return (float(number.group()) if number else -1.0), name


def conditions_in_order(names: Iterable[str]) -> list[str]:
    """Conditions with the test condition first, then by the number in their name.

    >>> conditions_in_order(["isi_0.01", "isi_0.002", "test"])
    ['test', 'isi_0.002', 'isi_0.01']
    """
    return sorted(dict.fromkeys(names), key=lambda name: (not name.startswith("test"), *numbered(name)))


def time_column(table: pd.DataFrame) -> str:
    """Column that holds the time points: ``timepoint`` where it is filled in, else ``session``."""
    if "timepoint" in table and table["timepoint"].fillna("").astype(str).ne("").any():
        return "timepoint"
    if "session" in table:
        return "session"
    raise ValueError(
        f"the table has neither 'timepoint' nor 'session'; its columns are: {', '.join(map(str, table.columns))}"
    )


def times_in_order(names: Iterable[object]) -> list[str]:
    """Time points with the baseline first, then by the number in their name, else as they came.

    >>> times_in_order(["post0", "post30", "pre"])
    ['pre', 'post0', 'post30']
    """
    seen = list(dict.fromkeys(str(name) for name in names if isinstance(name, str) and name))
    place = {name: i for i, name in enumerate(seen)}
    return sorted(seen, key=lambda name: (not _FIRST.match(name), numbered(name)[0], place[name]))


def series_label(protocol: str, condition: str, channel: str = "", measure: str = "") -> str:
    """One line that names a series of results.

    >>> series_label("m1/sici", "isi_0.002", "FDI")
    'SICI 2 ms · FDI'
    >>> series_label("m1/sici", "isi_0.002", "FDI", "conditioned_ratio_corrected")
    'SICI ratio, noise-corrected · 2 ms · FDI'
    >>> series_label("m1/resting_motor_threshold", "all", "FDI", "resting_motor_threshold_mlpest")
    'Resting motor threshold, mlpest · FDI'
    >>> series_label("derived/ei_composite", "all", "FDI", "ei_composite")
    'E/I composite · FDI'
    """
    home, when, where = protocol_label(protocol), condition_label(condition), channel_label(channel)
    name = measure_label(measure) if measure else ""
    if measure.startswith("conditioned_ratio") and home:
        name = f"{home} ratio" + ", noise-corrected" * measure.endswith("_corrected")
        return " · ".join(part for part in (name, when, where) if part)
    if measure == protocol.rsplit("/", 1)[-1]:
        name = ""
    elif " " in home and name.lower().startswith(f"{home.lower()} "):  # a threshold by another method
        name, home = f"{home},{name[len(home) :]}", ""
    parts = (f"{home} {when}".strip(), name, where) if home else (name, when, where)
    return " · ".join(part for part in parts if part)


def without_subject(name: str, sentences: list[str]) -> list[str] | None:
    """Sentences about one thing without its name, for a list below a heading; None where one does not begin with it.

    >>> without_subject("SICI ratio in FDI", ["SICI ratio in FDI rose by 9 %.", "SICI ratio in FDI: no change."])
    ['rose by 9 %.', 'no change.']
    """
    name = name.rstrip(",").lower()
    if not all(text.lower().startswith(name) for text in sentences):
        return None
    return [text[len(name) :].lstrip(",: ") for text in sentences]


def electrode(name: str) -> str:
    """Electrode of a channel, without what the standard of EDF writes around it.

    >>> electrode("EEG F3-REF"), electrode("Fp1")
    ('f3', 'fp1')
    """
    return re.sub(r"^eeg[ _]+|[-_](ref|le|avg|a1|a2|m1|m2)$", "", name.strip().lower())
