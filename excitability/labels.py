"""Words for the names in the tables: what a reader sees instead of ``conditioned_ratio`` and ``isi_0.0025``."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

_SHORT = {
    "sici": "SICI",
    "icf": "ICF",
    "sicf": "SICF",
    "lici": "LICI",
    "ei": "E/I",
    "sai": "SAI",
    "lai": "LAI",
    "ihi": "IHI",
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
    "conditioned_ratio": "Conditioned / test",
    "mep_max": "Maximal MEP amplitude",
    "gmfa_area": "GMFA area",
    "test_amplitude": "Test MEP amplitude",
}
_FIRST = re.compile(r"^(pre|base|bl|before|t0$|v0$)", re.IGNORECASE)


def _words(name: str) -> str:
    words = [_SHORT.get(word, "peak-to-peak" if word == "p2p" else word) for word in name.split("_")]
    words = [word.upper() if re.fullmatch(r"[pn]\d+", word) else word for word in words]
    text = " ".join(words).replace("peak to peak", "peak-to-peak")
    return text[:1].upper() + text[1:]


def measure_label(name: str) -> str:
    """A measure in words.

    >>> measure_label("resting_motor_threshold"), measure_label("n100_amplitude")
    ('Resting motor threshold', 'N100 amplitude')
    >>> measure_label("mep_amplitude_corrected")
    'MEP amplitude, noise-corrected'
    """
    base = name.removesuffix("_corrected")
    return _MEASURES.get(base, _words(base)) + ", noise-corrected" * (base != name)


def channel_label(name: str) -> str:
    """A channel or region in words.

    >>> channel_label("DLPFC_left_to_scalp"), channel_label("M1_left"), channel_label("RFDI")
    ('left DLPFC to the scalp', 'left M1', 'RFDI')
    """
    ends = [re.sub(r"^(\w+)_(left|right)$", r"\2 \1", end) for end in name.split("_to_")]
    return " to the ".join(ends).replace("_", " ")


def protocol_label(name: str) -> str:
    """A protocol in words; its area is said only where it is not M1, and derived measures have none.

    >>> protocol_label("m1/sici"), protocol_label("m1/recruitment_curve"), protocol_label("dlpfc/tep")
    ('SICI', 'Recruitment curve', 'DLPFC TEP')
    """
    area, _, stem = name.rpartition("/")
    text = _words(stem)
    if area in ("", "m1", "derived"):
        return text
    first = text.split(" ")[0]
    rest = text if not text.isascii() or first in _SHORT.values() else text[:1].lower() + text[1:]
    return f"{_words(area)} {rest}"


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
    where = "" if where == "all" else where
    name = measure_label(measure) if measure else ""
    if measure.startswith("conditioned_ratio") and home:
        return " · ".join(part for part in (name.replace(_MEASURES["conditioned_ratio"], f"{home} ratio"), when, where)
                          if part)  # fmt: skip
    if measure == protocol.rsplit("/", 1)[-1]:
        name = ""
    elif " " in home and name.lower().startswith(f"{home.lower()} "):  # a threshold by another method
        name, home = f"{home},{name[len(home) :]}", ""
    parts = (f"{home} {when}".strip(), name, where) if home else (name, when, where)
    return " · ".join(part for part in parts if part)
