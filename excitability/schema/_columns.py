"""Columns of every table: name, unit, type, meaning and BIDS spelling."""

from __future__ import annotations

from dataclasses import dataclass


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
