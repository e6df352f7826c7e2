"""Every column of every table: its name, unit, type, meaning and BIDS spelling.

This module is the dictionary of the package. Tables in memory are in SI units; :func:`display` is
the only place where millivolts, microvolts and milliseconds appear.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    unit: str
    dtype: str
    meaning: str
    bids: str = ""


def _columns(*rows: tuple[str, ...]) -> dict[str, Column]:
    return {row[0]: Column(*row) for row in rows}


STIMULUS_COLUMNS = _columns(
    ("pulse_count", "1", "float", "pulses in the trial: 1 (test alone) or 2 (paired)", "PulseCount"),
    (
        "inter_stimulus_interval",
        "s",
        "float",
        "from the first to the last pulse of a pair",
        "PulseRepetitionInterval",
    ),
    ("measured_interval", "s", "float", "the same by the artefacts, in recordings where it is not as stated", ""),
    ("intensity", "%MSO", "float", "intensity of the last (test) pulse", "base_pulse_intensity"),
    ("conditioning_intensity", "%MSO", "float", "intensity of the first pulse of a pair", ""),
    ("conditioning_intensity_rmt", "%RMT", "float", "the same relative to resting motor threshold", ""),
    ("conditioning_intensity_amt", "%AMT", "float", "the same relative to active motor threshold", ""),
    ("interval_after_n20", "s", "float", "inter-stimulus interval minus the person's N20 latency", ""),
    ("intensity_rmt", "%RMT", "float", "intensity of the last pulse relative to resting motor threshold", ""),
    ("intensity_amt", "%AMT", "float", "intensity of the last pulse relative to active motor threshold", ""),
    ("resting_motor_threshold", "%MSO", "float", "resting motor threshold that intensities are relative to", ""),
    ("active_motor_threshold", "%MSO", "float", "active motor threshold that intensities are relative to", ""),
    (
        "stimulus_type",
        "",
        "str",
        "tms, nerve, root, movement; sham, realistic_sham, peripheral, auditory or somatosensory",
        "",
    ),
    ("conditioning_type", "", "str", "kind of the conditioning stimulus: tms or nerve", ""),
    ("conditioning_target", "", "str", "where the conditioning stimulus was given", ""),
    ("target", "", "str", "stimulated area: M1, DLPFC, …", "target_id"),
    ("hemisphere", "", "str", "stimulated hemisphere: left or right", ""),
    ("current_direction", "", "str", "induced current: PA, AP or LM", "PulseCurrentDirection"),
    ("muscle_state", "", "str", "rest or active", ""),
    ("coil_x", "m", "float", "coil position, first axis of the navigation frame", ""),
    ("coil_y", "m", "float", "coil position, second axis of the navigation frame", ""),
    ("coil_z", "m", "float", "coil position, third axis of the navigation frame", ""),
    ("ecg_distance", "s", "float", "from the pulse to the nearest heart beat (R wave); remove_ecg fills it in", ""),
    ("block", "", "str", "block of trials in the recording, such as pre, post0, post10", ""),
    ("protocol", "", "str", "which protocol the trial belongs to, in a recording that mixes them", "task"),
)

#: Intensity relative to a threshold -> the intensity (%MSO) and the threshold (%MSO) that it is the ratio of.
RELATIVE_INTENSITIES = {
    "intensity_rmt": ("intensity", "resting_motor_threshold"),
    "conditioning_intensity_rmt": ("conditioning_intensity", "resting_motor_threshold"),
    "intensity_amt": ("intensity", "active_motor_threshold"),
    "conditioning_intensity_amt": ("conditioning_intensity", "active_motor_threshold"),
}

TRIAL_COLUMNS = _columns(
    ("trial", "1", "int", "number of the pulse (trial) in the recording, from 0"),
    ("onset", "s", "float", "time of the last pulse from the start of the recording"),
    ("channel", "", "str", "EMG channel"),
    ("muscle", "", "str", "muscle of the channel, by its name in muscles.toml"),
    ("condition", "", "str", "condition of the protocol the trial belongs to"),
    ("window_start", "s", "float", "where the response was looked for, from the pulse the trial is locked to"),
    ("window_stop", "s", "float", "end of that window"),
    ("reject", "", "str", "why the trial is left out of the summaries; empty when it is kept"),
    ("flag", "", "str", "what a reader of the trial's values must know"),
)

RESULT_COLUMNS = _columns(
    ("participant", "", "str", "participant label", "participant_id"),
    ("session", "", "str", "session label", "session_id"),
    ("protocol", "", "str", "protocol name: path under protocols/ without suffix"),
    ("channel", "", "str", "EMG channel, EEG region or electrode"),
    ("condition", "", "str", "condition of the protocol, or 'all'"),
    ("measure", "", "str", "name of the measure"),
    ("value", "as in unit", "float", "the estimate; NaN when it cannot be known (see flag)"),
    ("unit", "", "str", "SI unit of value, ci_low and ci_high"),
    (
        "form",
        "",
        "str",
        "for paired-pulse measures: ratio, log_ratio, percent or percent_inhibition; hierarchical: shrunken",
    ),
    ("ci_low", "as in unit", "float", "lower limit of the 95 % interval"),
    ("ci_high", "as in unit", "float", "upper limit of the 95 % interval"),
    ("n_trials", "1", "int", "trials that entered the value"),
    ("n_rejected", "1", "int", "trials of the same condition that were rejected"),
    ("flag", "", "str", "why the value needs care or is NaN"),
    ("protocol_sha256", "", "str", "fingerprint of the protocol as it was run"),
    ("version", "", "str", "version of excitability"),
    ("error", "", "str", "message of a failure; the row then holds no value"),
)

#: What the measure of a row begins with that tells how far the others can be trusted; it is not compared.
QUALITY = "quality_"

#: What the protocol of a row begins with that several protocols, or all sessions of a study, made together.
DERIVED = "derived/"

#: Covariates that the studies reviewed by Zou & Hao (2024) record, with the unit expected of each.
COVARIATES = _columns(
    ("age", "years", "float", "age"),
    ("sex", "", "str", "sex"),
    ("handedness", "", "str", "handedness"),
    ("height", "m", "float", "body height (conduction times depend on it)"),
    ("weight", "kg", "float", "body weight"),
    ("medication", "", "str", "medication"),
    ("menstrual_phase", "", "str", "phase of the menstrual cycle"),
    ("time_of_day", "h", "float", "time of the session, hours from midnight"),
    ("sleep", "h", "float", "sleep in the night before"),
    ("caffeine", "mg", "float", "caffeine on the day"),
    ("pain_intensity", "0-10", "float", "pain intensity, numeric rating or visual analogue scale"),
    ("pain_duration", "months", "float", "time since the pain began"),
    ("disability", "%", "float", "Oswestry disability index"),
    ("roland_morris", "0-24", "float", "Roland-Morris Disability Questionnaire"),
    ("pain_catastrophizing", "0-52", "float", "Pain Catastrophizing Scale"),
    ("kinesiophobia", "17-68", "float", "Tampa Scale for Kinesiophobia"),
    ("self_efficacy", "0-60", "float", "Pain Self-Efficacy Questionnaire"),
    ("anxiety", "0-21", "float", "anxiety, Hospital Anxiety and Depression Scale"),
    ("depression", "0-21", "float", "depression, Hospital Anxiety and Depression Scale"),
    ("beck_depression", "0-63", "float", "Beck Depression Inventory"),
    ("fatigue", "0-10", "float", "rating of fatigue"),
    ("cognition", "0-30", "float", "Montreal Cognitive Assessment"),
    ("stop_signal_reaction_time", "s", "float", "reaction time of stopping, a measure of response inhibition"),
    ("physical_activity", "MET-min/week", "float", "International Physical Activity Questionnaire"),
    ("vo2_peak", "ml/kg/min", "float", "peak oxygen uptake"),
    ("bdnf", "ng/ml", "float", "brain-derived neurotrophic factor (serum or plasma: say which)"),
    ("probdnf", "ng/ml", "float", "precursor of brain-derived neurotrophic factor"),
    ("bdnf_genotype", "", "str", "BDNF Val66Met genotype"),
    ("igf1", "ng/ml", "float", "insulin-like growth factor 1"),
    ("vegf", "pg/ml", "float", "vascular endothelial growth factor"),
    ("lactate", "mmol/l", "float", "blood lactate"),
    ("beta_hydroxybutyrate", "mmol/l", "float", "blood beta-hydroxybutyrate"),
    ("cortisol", "nmol/l", "float", "cortisol"),
    ("crp", "mg/l", "float", "C-reactive protein"),
    ("interleukin_6", "pg/ml", "float", "interleukin 6"),
    ("glx", "mmol/l", "float", "glutamate and glutamine by spectroscopy (institutional units)"),
    ("gaba", "mmol/l", "float", "GABA by spectroscopy (institutional units)"),
    ("cortical_thickness", "mm", "float", "cortical thickness of the region named in the study"),
    ("hippocampal_volume", "mm^3", "float", "hippocampal volume"),
)

SESSION_COLUMNS = _columns(
    ("participant", "", "str", "participant label", "participant_id"),
    ("session", "", "str", "session label", "session_id"),
    ("file", "", "str", "recording; relative paths are relative to the sessions table"),
    ("protocol", "", "str", "protocol the recording belongs to", "task"),
    ("timepoint", "", "str", "time point of the session: pre, post0, post30, …"),
    ("group", "", "str", "group of the participant: patient, control, …"),
    ("arm", "", "str", "intervention of the session; in a crossover the same participant has several"),
    ("period", "1", "int", "crossover: when the participant had this arm, 1, 2, …"),
    ("dose", "", "float", "dose of the arm, in any unit"),
)

COMPARISON_COLUMNS = _columns(
    ("protocol", "", "str", "protocol name"),
    ("measure", "", "str", "name of the measure"),
    ("channel", "", "str", "EMG channel, EEG region or electrode"),
    ("condition", "", "str", "condition of the protocol"),
    (
        "group",
        "",
        "str",
        "group or arm, 'all', 'patient - control' for a difference of changes, 'per min' for a trend over doses, or "
        "'second - first' for the effect of the period of a crossover",
    ),
    ("contrast", "", "str", "what is compared, e.g. 'post0 - pre'; the time point where groups are compared at one"),
    ("estimate", "as in unit", "float", "estimated change, difference or mean"),
    ("unit", "", "str", "unit of estimate, ci_low and ci_high"),
    (
        "form",
        "",
        "str",
        "log_ratio where a ratio is estimated, log_odds_ratio for a probability of single trials, else difference; "
        "trend: change per unit of dose; period: second period against first; omnibus: all time points in one test, no "
        "estimate; mean, geometric_mean: of a group",
    ),
    ("ci_low", "as in unit", "float", "lower limit of the 95 % interval"),
    ("ci_high", "as in unit", "float", "upper limit of the 95 % interval"),
    ("p_value", "1", "float", "two-sided p value"),
    ("standard_error", "as in unit", "float", "standard error of estimate; of its logarithm for a geometric_mean"),
    ("df", "1", "float", "degrees of freedom of the t distribution; n/a where the interval comes from no t"),
    ("n", "1", "int", "participants in the estimate"),
    ("model", "", "str", "the model, with its formula"),
    ("percent_change", "%", "float", "back-transformed change where the estimate is a log ratio"),
    ("percent_ci_low", "%", "float", "lower limit of percent_change"),
    ("percent_ci_high", "%", "float", "upper limit of percent_change"),
    ("effect_size", "1", "float", "Hedges g_av (within), d_ppc2 (changes of groups) or g (groups at one time)"),
    ("effect_size_ci_low", "1", "float", "lower limit of the 95 % interval of effect_size, by the noncentral t"),
    ("effect_size_ci_high", "1", "float", "upper limit of the 95 % interval of effect_size"),
    ("effect_size_name", "", "str", "which effect size it is: g_av, d_ppc2 or hedges_g"),
    ("smallest_detectable_change", "as in unit", "float", "smallest detectable change of one person"),
    ("smallest_detectable_group_change", "as in unit", "float", "smallest detectable change of the group"),
    ("smallest_detectable_ci_low", "as in unit", "float", "lower 95 % limit of that of one person, by chi-square"),
    ("smallest_detectable_ci_high", "as in unit", "float", "upper 95 % limit of that of one person, by chi-square"),
    ("responders", "1", "float", "share of participants beyond the smallest detectable change"),
    ("family", "", "str", "primary, secondary or exploratory, as the battery declared it; empty: no change"),
    ("p_adjusted", "1", "float", "p_value corrected for the tests of the same family"),
    ("adjustment", "", "str", "how p_adjusted was made, and over how many tests"),
    ("flag", "", "str", "what a reader of the estimate must know"),
    ("sentence", "", "str", "the result in plain words"),
    ("literature", "", "str", "what published studies found on the same measure, and whether this one agrees"),
)

#: Forms of the rows of a comparison that are not a change, and not drawn among changes.
NOT_A_CHANGE = ("trend", "period", "omnibus", "mean", "geometric_mean")

CLUSTER_COLUMNS = _columns(
    ("protocol", "", "str", "protocol name"),
    ("condition", "", "str", "condition of the protocol"),
    ("group", "", "str", "group, 'all', or 'patient - control' for a difference of changes"),
    ("contrast", "", "str", "what is compared, e.g. 'post0 - pre'"),
    ("window", "", "str", "declared window: early, late, or own"),
    ("window_start", "s", "float", "start of the window, from the pulse"),
    ("window_stop", "s", "float", "end of the window, from the pulse"),
    ("cluster", "1", "int", "number of the cluster in its test, the most certain first; 0: there is none"),
    ("p_value", "1", "float", "two-sided, corrected for all channels and times of the window"),
    ("sign", "", "str", "whether the change is positive or negative"),
    ("t0", "s", "float", "first time of the cluster: a description"),
    ("t1", "s", "float", "last time of the cluster: a description"),
    ("channels", "", "str", "channels of the cluster, joined by +: a description"),
    ("peak_channel", "", "str", "channel of the largest t value"),
    ("peak_time", "s", "float", "time of the largest t value"),
    ("peak_t", "1", "float", "largest t value"),
    ("mass", "1", "float", "sum of the t values of the cluster"),
    ("n", "1", "int", "participants in the test"),
    ("form", "", "str", "what is compared with chance: mass of clusters, or tfce"),
    ("threshold", "1", "float", "t value that points of a cluster exceed"),
    ("n_permutations", "1", "int", "permutations that were used, the observed order among them"),
    ("model", "", "str", "statistic and permutation"),
    ("flag", "", "str", "what a reader of the test must know"),
    ("sentence", "", "str", "the result in plain words"),
)

_ALL = COMPARISON_COLUMNS | TRIAL_COLUMNS | STIMULUS_COLUMNS | SESSION_COLUMNS | COVARIATES | RESULT_COLUMNS

_DISPLAY = {
    "V": (1e3, "mV"),
    "V*s": (1e6, "mV·ms"),
    "V^2": (1e12, "µV²"),
    "V/s": (1e3, "µV/ms"),
    "s": (1e3, "ms"),
    "m": (1e3, "mm"),
    "m^2": (1e4, "cm²"),
    "V*m^2": (1e7, "mV·cm²"),
    "V/%MSO": (1e3, "mV/%MSO"),
    "V*%MSO": (1e3, "mV·%MSO"),
    "1": (1.0, ""),
}


class Estimate(float):
    """A number that knows how sure it is.

    Parameters
    ----------
    value : float
        The estimate, NaN when it cannot be known.
    ci_low, ci_high : float
        Limits of the 95 % interval.
    n : int
        Trials that entered the value.
    flag : str
        Why the value needs care, or why it is NaN.
    n_rejected : int
        Trials of the same condition that were rejected.

    Examples
    --------
    >>> ratio = Estimate(0.52, 0.41, 0.66, n=15)
    >>> ratio < 1, ratio.ci_high
    (True, 0.66)
    """

    ci_low: float
    ci_high: float
    n: int
    flag: str
    n_rejected: int

    def __new__(
        cls,
        value: float,
        ci_low: float = math.nan,
        ci_high: float = math.nan,
        n: int = 0,
        flag: str = "",
        n_rejected: int = 0,
    ) -> Estimate:
        self = super().__new__(cls, value)
        self.ci_low, self.ci_high = float(ci_low), float(ci_high)
        self.n, self.flag, self.n_rejected = int(n), flag, int(n_rejected)
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:  # pickling, for the workers of a batch
        return float(self), self.ci_low, self.ci_high, self.n, self.flag, self.n_rejected

    def __repr__(self) -> str:
        flag = f", {self.flag}" if self.flag else ""
        return f"{float(self):.6g} [{self.ci_low:.6g}, {self.ci_high:.6g}] (n={self.n}{flag})"


def join_flags(*flags: str) -> str:
    """Join flags into one string, each once, in order.

    >>> join_flags("clipped", "", "few_trials;clipped")
    'clipped;few_trials'
    """
    words = [word for flag in flags for word in flag.split(";") if word]
    return ";".join(dict.fromkeys(words))


#: More words than these are not told where one of them is near.
_MOST_KNOWN = 12


def unknown_word(what: str, given: object, known: Iterable[str]) -> str:
    """Message for an unknown name: what was given, the nearest valid word, and all of them.

    >>> unknown_word("measure", "mep_amplitud", ["mep_amplitude", "mep_latency"])
    "unknown measure 'mep_amplitud': did you mean 'mep_amplitude'? Known: mep_amplitude, mep_latency"
    """
    words = sorted(str(word) for word in known)
    near = difflib.get_close_matches(str(given), words, n=1, cutoff=0.5)
    hint = f" did you mean {near[0]!r}?" if near else ""
    if near and len(words) > _MOST_KNOWN:
        return f"unknown {what} {given!r}:{hint} ({len(words)} are known)"
    return f"unknown {what} {given!r}:{hint} Known: {', '.join(words) or '(none)'}"


def code_matches(code: object, marker: object) -> bool:
    """Whether a code that a person wrote is that of a marker: whatever its spaces, by its number, without its slash.

    >>> code_matches("S 1", "Stimulus/S  1"), code_matches(1, "Stimulus/S  1"), code_matches(1, "Stimulus/S 11")
    (True, True, False)
    """
    said, name = ("".join(str(text).split()).removesuffix(".0") for text in (code, marker))
    last = name.rsplit("/", 1)[-1]
    number = re.fullmatch(r"[A-Za-z]?0*(\d+)", last)
    return said in (name, last) or (said.isdecimal() and number is not None and number[1] == (said.lstrip("0") or "0"))


def isi_label(interval: float) -> str:
    """Condition label of an inter-stimulus interval in seconds, as it was set.

    >>> isi_label(0.00249999)
    'isi_0.0025'
    """
    return f"isi_{round(interval, 5):g}"


#: Values that would be shown as less than this many millivolts are shown in microvolts.
_SMALLEST = 0.1


def display(unit: str, size: float = math.nan) -> tuple[float, str]:
    """Factor and label that turn a value in ``unit`` into what a reader expects.

    Parameters
    ----------
    unit : str
        SI unit.
    size : float
        Typical absolute size of the values to show, which decides between mV and µV: below 0.1 mV it is µV.

    Examples
    --------
    >>> display("s"), display("V"), display("V", 4e-6)
    ((1000.0, 'ms'), (1000.0, 'mV'), (1000000.0, 'µV'))
    """
    factor, label = _DISPLAY.get(unit, (1.0, unit))
    if label.startswith("mV") and abs(size) * factor < _SMALLEST:
        return factor * 1e3, "µ" + label[1:]
    return factor, label


def display_units(table: pd.DataFrame) -> list[tuple[float, str]]:
    """Factor and label of each row of a result or comparison table, by :func:`display`.

    One unit for all that is read side by side: a protocol and channel, background activity by itself.
    """
    value = next(name for name in ("value", "estimate") if name in table)
    keys: list[pd.Series] = [table[word].fillna("") for word in ("protocol", "channel", "unit") if word in table]
    if "measure" in table:
        keys.append(table["measure"].fillna("").astype(str).str.startswith("background"))
    size = table[value].abs().groupby(keys).transform("median")
    return [display(unit, number) for unit, number in zip(table["unit"], size, strict=True)]


def in_display_units(table: pd.DataFrame) -> pd.DataFrame:
    """Copy of a result or comparison table in display units (mV, µV, ms, …)."""
    shown = table.copy()
    units = display_units(table)
    factors = [factor for factor, _ in units]
    for column, declared in _ALL.items():
        if declared.unit == "as in unit" and column in shown:
            shown[column] = shown[column] * factors
    shown["unit"] = [label for _, label in units]
    return shown


def validate(table: pd.DataFrame, columns: Mapping[str, Column], *, required: Iterable[str], what: str) -> None:
    """Check that a table has its required columns and numbers where numbers belong.

    Raises
    ------
    ValueError
        Naming the table, the missing column or the rows that hold text instead of a number.
    """
    import pandas as pd

    for name in required:
        if name not in table:
            given = ", ".join(map(str, table.columns))
            raise ValueError(f"{what} has no column {name!r}; its columns are: {given}")
    for name in table.columns.intersection(list(columns)):
        if columns[name].dtype not in ("float", "int"):
            continue
        bad = pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna() & (table[name] != "n/a")
        if bad.any():
            rows = ", ".join(str(row) for row in table.index[bad][:5])
            raise ValueError(
                f"{what}: column {name!r} must hold numbers ({columns[name].unit}), "
                f"but has {table[name][bad].iloc[0]!r} in row {rows}"
            )


def data_dictionary(
    table: pd.DataFrame, measures: Mapping[str, tuple[str, str]] | None = None
) -> dict[str, dict[str, str]]:
    """BIDS-style description of the columns of a table, for the JSON beside its TSV.

    Parameters
    ----------
    table : DataFrame
    measures : mapping, optional
        Unit and meaning of columns that this module does not declare, or declares for another table.
    """
    measures = measures or {}
    described = {}
    own = COMPARISON_COLUMNS if "estimate" in table else CLUSTER_COLUMNS if "mass" in table else {}
    for name in map(str, table.columns):
        column = None if name in measures else own.get(name) or _ALL.get(name)
        if column is None:
            unit, meaning = measures.get(name, ("", "column of the study"))
            described[name] = {"Description": meaning}
        else:
            described[name] = {"Description": column.meaning}
            unit = column.unit
            if column.bids:
                described[name]["BIDSName"] = column.bids
        if unit:
            described[name]["Units"] = unit
    return described
