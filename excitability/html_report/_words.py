"""Flags, methods and citation in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..cleaning import get_step, list_steps
from ..labels import measure_in_words
from ..measures import get_measure, list_measures
from ..plots._style import readable
from ..schema import display

#: What a reader must know of a value with this flag. A flag without an entry is shown as it is written.
FLAGS = {
    "above_tested_range": "the estimate lies above the intensities that were tested",
    "absent": "no response was found",
    "adult_window": "no window of children or by height is known here: that of adults was used",
    "another_pulse": "a pulse of another trial lies in the baseline or the response window",
    "another_target": "pulses were given over another area than that of the protocol",
    "artefact_in_window": "the stimulus artefact reaches into the response window",
    "as_ratio": "percent inhibition was turned into a ratio before it was compared",
    "background_is_line_noise": "what looks like background activity is mostly a 50 or 60 Hz wave",
    "before_usable": "the response cannot be read so early: the artefact, or what was taken away as one, is too large",
    "bad_channel": "the channel is marked bad in the recording",
    "active_threshold_not_below_resting": "the active motor threshold told is not below the resting one: were they "
    "exchanged?",
    "baseline_shortened": "less of the time before the pulse was available than asked for",
    "below_tested_range": "the estimate lies below the intensities that were tested",
    "biased_by_few_pulses": "the value as measured is not one the trials allow: few pulses raise a maximum by chance",
    "bridged_electrodes": "two electrodes record the same, noise and all: gel joins them, or a channel was copied",
    "ceiling": "the value is at its largest possible, so the truth may be larger",
    "censored": "the event lies outside the epoch: only a limit is known",
    "channels_left_out": "channels that some recordings do not have are left out",
    "clipped": "the amplifier was saturated, so the true amplitude is larger",
    "clipped_baseline": "the amplifier was saturated before the pulse, so noise and background are larger",
    "contralateral_at_noise_floor": "the mean response of the opposite side is not larger than noise",
    "conditioned_at_noise_floor": "most conditioned trials hold no response: the ratio is an upper limit",
    "covariate_missing": "participants without the covariate are left out",
    "criterion_below_noise": "the response criterion is below the noise of the recording",
    "decay_longer_than_trial": "the electrodes' charge outlasts the trial: what is left of it cannot be told from a slow "
    "response; record with longer trials or a lower electrode impedance",
    "early_unusable": "the first 30 ms after the pulse or more cannot be read",
    "exploratory": "declared exploratory: no norms and no reliability of it are known",
    "f_wave": "the peripheral part comes from F and M waves, not from root stimulation",
    "few_channels": "fewer than 20 good EEG channels: neither SOUND nor an average reference knows the head",
    "few_f_waves": "fewer than ten F waves: the shortest may be too long",
    "few_intensities": "too few stimulus intensities for a curve",
    "few_participants": "fewer than five participants in a group: the interval rests on strong assumptions",
    "few_sites": "too few stimulated sites for a map",
    "few_trials": "too few trials: for an interval, or (below 20) for an evoked potential",
    "few_trials_per_level": "too few trials at each intensity",
    "fitted_alone": "too few curves to tell a population by: the curve was fitted alone",
    "flat": "the trace holds one value",
    "flat_baseline": "the trace holds one value before the pulse, so noise and background are larger",
    "floor_not_sampled": "even the lowest intensity evoked responses: the foot of the curve is not known",
    "gain_above_1.25": "the cleaning makes such a response larger by a quarter or more: the value holds something else",
    "gain_below_0.8": "the cleaning lets less than 0.8 of such a response through, so the true one is larger",
    "gain_incomplete": "a cleaning step does not say what it lets through, so the gain leaves it out",
    "given_latency_without_error": "F latencies given or marked by eye have no error here: the interval of the central "
    "time holds that of the cortical latency alone",
    "inconsistent_responses": "responses do not rise with intensity as a threshold requires",
    "inflated_by_noise": "noise makes the value larger: its interval lies below it",
    "interpolated_channels": "bad channels were rebuilt from their neighbours before people were compared",
    "interval_not_as_stated": "the artefacts of the pairs show another interval than was stated (see the notes)",
    "ipsilateral_negative": "the mean net response of the same side is negative, so the two sides cannot be compared",
    "levels_left_out": "a level without a positive mean, or with fewer than three trials, is not part of the curve",
    "like_sham": "the topography is much like that of the sham: what is seen may be heard and felt rather than evoked",
    "lost_by_remove_decay": "most of it is taken away as decay of the electrodes",
    "lost_by_sound": "most of it is taken away as noise of single channels (SOUND): choose a smaller lambda_",
    "lost_by_ssp_sir": "most of it is taken away with the topographies of muscle (SSP-SIR)",
    "lost_by_remove_components": "most of it is taken away with independent components",
    "lost_by_filter": "most of it lies outside the band of the filter",
    "low_snr": "the peak is less than three times its standard error",
    "low_sampling_rate": "sampled below 2 kHz, too slow for a latency and for the peaks of a response",
    "map_truncated": "responses at the edge of the grid: the map is larger than what was stimulated",
    "background_bends_curve": "the background EMG is not small beside the plateau: the threshold comes out late, the "
    "plateau low; fit mep_amplitude_corrected",
    "mean_over_conditions": "no condition was named, so that the mean over several was taken",
    "missing_part": "what it is made of is missing in this session",
    "missing_values": "some trials have no value, because samples are missing or the trace is flat",
    "missing_sessions": "participants without both time points are left out",
    "never_usable": "no part of the response up to 0.3 s can be read: what was taken away as decay is too large",
    "nan_samples": "samples are missing in the window or before the pulse",
    "negative_conduction_time": "the peripheral time is longer than the whole: the stimuli may be exchanged",
    "no_baseline": "the trials begin too late before the pulse to know the noise",
    "no_cluster": "no point of the window is beyond the threshold of a cluster",
    "no_channel_of_region": "the recording has no usable channel of the region",
    "no_change": "nothing changed, so nothing can be said of scatter",
    "no_coil_z": "the third coordinate of the coil is not known",
    "no_conditioned_trials": "no conditioned trial was kept",
    "no_complete_pairs": "no participant has both time points",
    "no_cortical_latency": "the latency after cortical stimulation is missing",
    "no_decay": "no decay above 1 µV was found",
    "no_electrode_positions": "the electrodes have no positions, so there is no head model",
    "no_heart_beats_found": "no heart beats were found in the recording, so none was taken out",
    "no_level_without_responses": "some responses at every intensity: only an upper limit is known",
    "no_level_with_responses_only": "some misses at every intensity: only a lower limit is known",
    "no_height": "body height is missing, and the normal value depends on it",
    "no_peripheral_latency": "the latency after root or nerve stimulation is missing",
    "no_logarithm": "a ratio is 0, which has no logarithm",
    "no_plateau": "the curve does not reach its plateau: S50 and maximum cannot be known",
    "no_repeats": "no repeated measurement to judge reliability by",
    "no_response": "no response stands out of the noise",
    "no_rise_in_range": "responses were near their plateau at the lowest intensity: S50 is only a limit",
    "no_seed_channel": "the recording has no usable channel where the coupling starts from",
    "no_silent_period": "no silent period was found, or it outlasts the epoch",
    "no_test_trials": "no test trial was kept",
    "no_trials": "no trial was kept",
    "no_trials_kept": "no trial was kept",
    "no_values": "nobody in a group has a value",
    "not_above_chance": "no larger than chance makes it: the same trials without what it means give as much",
    "not_done": "the cleaning has no such step",
    "no_variation": "the values do not vary",
    "non_positive": "a mean response is zero or negative, so no ratio can be formed",
    "not_estimable": "the model cannot be estimated from these data",
    "not_positive_so_difference": "values at or below zero, so differences are compared instead of ratios",
    "one_order": "all, or nearly all, had the arms in the same order: the effect of the period cannot be "
    "told from that of the arms",
    "opposite_sign": "the peak rides on a larger wave of the other sign: it is there, and its amplitude is not its own",
    "order_unknown": "nothing tells which arm came first (a column 'period' would): the effect of the period "
    "is not taken out",
    "outside_epoch": "the trials are too short for it",
    "pairs_left_out": "the recording also holds pairs of pulses, which are no part of this response",
    "participant_level": "estimated from one value a participant, not from single trials",
    "plateau_extrapolated": "the plateau follows from the shape of the curve, no response reached it",
    "protocol_changed": "the protocol was not the same in all sessions",
    "random_slope_left_out": "the mixed model has no slope of each participant's own: the sessions could not bear it",
    "recording_cut_short": "the file ends before the recording did: pulses may be missing",
    "recharge_suspected": "all trials jump at one time after the pulse, as when the stimulator recharges: add the "
    "cleaning step remove_recharge after remove_pulse and interpolate_pulse",
    "region_incomplete": "some channels of the region are missing or bad",
    "region_rebuilt": "half of the region's electrodes or more were bad: what they show was rebuilt from others",
    "rings_on": "the trace swings most next to the pulse and dies away, as what the pulse itself sets ringing",
    "root": "the peripheral part comes from root stimulation, so that the root itself counts as central",
    "sdc_from_changes": "smallest detectable change from the spread of the changes: an upper bound",
    "sdc_from_controls": "smallest detectable change from the changes of the controls",
    "sdc_from_intervals": "smallest detectable change from the scatter of trials only: a lower bound",
    "sdc_from_repeats": "smallest detectable change from repeated baselines",
    "sdc_raised": "the spread of people was smaller than the scatter of trials alone makes it: that of trials is given",
    "sdc_uncertain": "the smallest detectable change rests on too few people to judge a change by",
    "sdc_unknown": "the smallest detectable change cannot be known from these data",
    "shrunken": "values are shrunken to the population of the study: changes of groups hold, but differences between "
    "people are too small, so no effect size, reliability or correlation may be computed from them",
    "silent_period_outlasts_epoch": "EMG is silent to the end of the epoch: the silent period is longer than that",
    "single_pulses_assumed_test": "nobody said what the single pulses are: all were taken as test pulses; in a log, a "
    "conditioning pulse alone has a conditioning_intensity and no intensity",
    "singular_fit": "the mixed model found a variance of zero, or two effects that go wholly together",
    "slope_unknown": "the slope cannot be known",
    "some_channels_missing": "some channels of the region are missing or bad",
    "some_responses_doubtful": "some responses counted towards the threshold hardly stand out of the noise",
    "t_instead": "values shrunken to the population have no other interval than that by t",
    "taken_as_active": "background activity is too large for rest, so the muscle was taken as active",
    "test_at_noise_floor": "the test response is not larger than noise: nothing to divide by",
    "test_mep_changed": "the test response itself changed by more than 25 %, on which the ratio depends",
    "test_mep_changed_in_some": "the test response of some participants changed by more than 25 %",
    "test_mep_differs": "the test MEP of the groups differs by more than 25 %, so that their ratios are not alike",
    "test_mep_unknown": "the size of the test response is not in the results",
    "too_few_channels": "a field needs two channels or more",
    "too_few_participants": "too few participants for an interval",
    "too_few_trials": "too few trials",
    "trial_covariate_constant": "a covariate of the trials is the same in all and not in the model",
    "trial_covariate_missing": "trials without a value of the covariate are not in the model",
    "trials_lost_by_stated_interval": "further pairs have an interval of this protocol by their artefacts, but were "
    "stated with another, so they are not among the trials (see the notes)",
    "trials_without_condition": "the recording has further trials, which belong to no condition of this protocol",
    "truncated": "the event outlasts the epoch",
    "unstable": "the estimate depends strongly on single trials",
    "spike": "a sample stands out from its neighbours as nothing of a muscle does; it is no response",
    "window_edge": "the peak lies at the edge of its window (or the onset of a response does), so it may lie outside",
}


def flag_in_words(flag: str) -> str:
    """What a flag means.

    >>> flag_in_words("few_trials")
    'too few trials: for an interval, or (below 20) for an evoked potential'
    >>> flag_in_words("see_log:the log names 40 pulses, the recording holds 41")
    'the log names 40 pulses, the recording holds 41'
    >>> flag_in_words("clipped_in_some")
    'in some trials: the amplifier was saturated, so the true amplitude is larger'
    """
    if flag.startswith("see_log:"):
        return flag.removeprefix("see_log:")
    if flag.startswith("missing_part:"):
        return f"missing or failed in this session: {flag.removeprefix('missing_part:').strip()}"
    if flag.endswith("_in_some") and flag not in FLAGS:
        return f"in some trials: {flag_in_words(flag.removesuffix('_in_some'))}"
    return FLAGS.get(flag, flag.replace("_", " "))


def reason_in_words(reason: str) -> str:
    """Why a trial was rejected: a flag in words, or the measure whose rule it broke.

    >>> reason_in_words("background_emg")
    'background EMG'
    """
    return FLAGS[reason] if reason in FLAGS else measure_in_words(reason.replace(" ", "_"))


def reasons_in_words(rejects: Iterable[str], most: int = 4) -> str:
    """Reasons of rejected trials, the commonest first, with how many trials have each.

    >>> reasons_in_words(["background_emg", "background_emg;clipped", ""])
    'background EMG (2), the amplifier was saturated, so the true amplitude is larger (1)'
    """
    count: dict[str, int] = {}
    for text in rejects:
        for word in filter(None, str(text).split(";")):
            count[word] = count.get(word, 0) + 1
    order = sorted(count, key=lambda word: -count[word])
    return ", ".join(f"{reason_in_words(word)} ({count[word]})" for word in order[:most])


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
    return f"{label} {value}"


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
