"""Flags of results and reasons of rejection in words."""

from __future__ import annotations

from collections.abc import Iterable

from ..labels import measure_in_words

#: What a reader must know of a value with this flag. A flag without an entry is shown as it is written.
FLAGS = {
    "above_control": "the whole interval lies above 100 %: one of the stimuli was not strong enough",
    "above_tested_range": "the estimate lies above the intensities that were tested",
    "absent": "no response was found",
    "active_threshold_not_below_resting": "the active motor threshold told is not below the resting one: were they "
    "exchanged?",
    "adult_window": "no window of children or by height is known here: that of adults was used",
    "another_pulse": "a pulse of another trial lies in the baseline or the response window",
    "another_target": "pulses were given over another area than that of the protocol",
    "artefact_in_window": "the stimulus artefact reaches into the response window",
    "as_ratio": "percent inhibition was turned into a ratio before it was compared",
    "at_edge_of_window": "the curve still rises or falls at the end of what was tested",
    "background_bends_curve": "the background EMG is not small beside the plateau: the threshold comes out late, the "
    "plateau low; fit mep_amplitude_corrected",
    "background_is_line_noise": "what looks like background activity is mostly a 50 or 60 Hz wave",
    "backgrounds_apart": "no background activity of one condition occurs in the other: only the model compares them",
    "backgrounds_differ": "the mean background activity of the conditions differs by more than a quarter: some of "
    "that stays",
    "bad_channel": "the channel is marked bad in the recording",
    "baseline_is_sum": "the pair is divided by the sum of the responses to each pulse alone",
    "baseline_not_by_lot": "adjusted for the baseline, which compares groups drawn by lot: groups that start apart "
    "differ by the adjustment alone (Lord's paradox)",
    "baseline_not_subtracted": "the level before the pulse is off zero by more than its own noise",
    "baseline_shortened": "less of the time before the pulse was available than asked for",
    "before_usable": "the response cannot be read so early: the artefact, or what was taken away as one, is too large",
    "below_tested_range": "the estimate lies below the intensities that were tested",
    "biased_by_few_pulses": "the value as measured is not one the trials allow: few pulses raise a maximum by chance",
    "bridged_electrodes": "two electrodes record the same, noise and all: gel joins them, or a channel was copied",
    "ceiling": "the value is at its largest possible, so the truth may be larger",
    "censored": "the event lies outside the epoch: only a limit is known",
    "censored_left_out": "people whose threshold lies beyond the highest intensity are left out",
    "channels_left_out": "channels that some recordings do not have are left out",
    "clipped": "the amplifier was saturated, so the true amplitude is larger",
    "clipped_baseline": "the amplifier was saturated before the pulse, so noise and background are larger",
    "conditioned_at_noise_floor": "most conditioned trials hold no response: the ratio is an upper limit",
    "conditioning_above_test": "the conditioning pulse was stronger than the test pulse: were they exchanged?",
    "conditioning_below_test": "the conditioning pulse was weaker than the test pulse: were they exchanged?",
    "contralateral_at_noise_floor": "the mean response of the opposite side is not larger than noise",
    "coupled": "a change is related to its own baseline: chance alone makes the two go together (regression to the "
    "mean)",
    "covariate_adjusted": "adjusted for covariates: the estimate is for people with the mean covariate of all groups",
    "covariate_groups_apart": "a group has no people on both sides of the mean covariate of all groups, for which the "
    "adjusted estimate holds: it is extrapolated",
    "covariate_missing": "participants without the covariate are left out",
    "covariates_dependent": "the covariates, or a covariate and the groups, hold the same, so that nothing can be "
    "estimated; leave one out",
    "criterion_below_noise": "the response criterion is below the noise of the recording",
    "decay_longer_than_trial": "the electrodes' charge outlasts the trial: what is left of it cannot be told from a "
    "slow response; record with longer trials or a lower electrode impedance",
    "early_unusable": "the first 30 ms after the pulse or more cannot be read",
    "exploratory": "declared exploratory: no norms and no reliability of it are known",
    "extrapolated": "the matched level lies outside what was measured",
    "form_unknown": "no form says whether this is a ratio, so differences in its own unit are compared (percent are "
    "points)",
    "f_wave": "the peripheral part comes from F and M waves, not from root stimulation",
    "few_channels": "fewer than 20 good EEG channels: neither SOUND nor an average reference knows the head",
    "few_f_waves": "fewer than ten F waves: the shortest may be too long",
    "few_intensities": "too few stimulus intensities for a curve",
    "few_intervals": "fewer than three intervals in the window",
    "few_levels": "too few levels of the conditioning pulse for a curve",
    "few_participants": "so few participants that the interval rests on assumptions they cannot show to hold "
    "(changes: fewer than six in a group)",
    "few_pieces": "less than a minute of rest: spectra and couplings are uncertain",
    "few_sites": "too few stimulated sites for a map",
    "few_trials": "too few trials: for an interval, or (below 20) for an evoked potential",
    "few_trials_per_level": "too few trials at each intensity",
    "few_uncensored": "few people have a threshold that was measured, so the interval rests on the shape of the model",
    "filtered_across_pulse": "the recording was filtered across the pulse, which smears the artefact into the response",
    "fitted_alone": "too few curves to tell a population by: the curve was fitted alone",
    "flat": "the trace holds one value",
    "flat_baseline": "the trace holds one value before the pulse, so noise and background are larger",
    "floor_not_sampled": "even the lowest intensity evoked responses: the foot of the curve is not known",
    "gain_above_1.25": "the cleaning makes such a response larger by a quarter or more: the value holds something else",
    "gain_below_0.8": "the cleaning lets less than 0.8 of such a response through, so the true one is larger",
    "gain_incomplete": "a cleaning step does not say what it lets through, so the gain leaves it out",
    "given_latency_without_error": "F latencies given or marked by eye have no error here: the interval of the "
    "central time holds that of the cortical latency alone",
    "identical_sessions": "everybody has the same value in every session: copies, or no measurement repeated",
    "implausible_scale": "values this large cannot be volts: the unit of the file may be wrong",
    "inconsistent_responses": "responses do not rise with intensity as a threshold requires",
    "infinite_values": "some values are infinite and count as missing",
    "inflated_by_noise": "noise makes the value larger: its interval lies below it",
    "interpolated_channels": "bad channels were rebuilt from their neighbours before people were compared",
    "interval_not_as_stated": "the artefacts of the pairs show another interval than was stated (see the notes)",
    "interval_reversed": "limits of some values are the wrong way round (low above high) and count as missing",
    "ipsilateral_negative": "the mean net response of the same side is negative, so the two sides cannot be compared",
    "judged_by_own_spread": "people are judged by the spread of their own group's changes, which holds their true "
    "responses, so that too few are counted",
    "level_undecided": "the last intensity had too few trials to decide on",
    "levels_left_out": "a level without a positive mean, or with fewer than three trials, is not part of the curve",
    "like_sham": "the topography is much like that of the sham: what is seen may be heard and felt rather than evoked",
    "lost_by_filter": "most of it lies outside the band of the filter",
    "lost_by_remove_components": "most of it is taken away with independent components",
    "lost_by_remove_decay": "most of it is taken away as decay of the electrodes",
    "lost_by_sound": "most of it is taken away as noise of single channels (SOUND): choose a smaller lambda_",
    "lost_by_ssp_sir": "most of it is taken away with the topographies of muscle (SSP-SIR)",
    "low_passed": "low-passed below 1 kHz: the earliest response is smeared",
    "low_sampling_rate": "sampled below 2 kHz, too slow for a latency and for the peaks of a response",
    "low_snr": "the peak is less than three times its standard error",
    "map_truncated": "responses at the edge of the grid: the map is larger than what was stimulated",
    "mediator_mean_left_out": "the mediator's baseline hardly varies, so that its mean says the same as its change and "
    "is not in the regression",
    "mean_over_conditions": "no condition was named, so that the mean over several was taken",
    "missing_part": "what it is made of is missing in this session",
    "missing_sessions": "participants without both time points are left out",
    "missing_values": "some trials have no value, because samples are missing or the trace is flat",
    "nan_samples": "samples are missing in the window or before the pulse",
    "negative_conduction_time": "the peripheral time is longer than the whole: the stimuli may be exchanged",
    "mixed_intensities": "one average holds pulses of different intensities: give each a condition of its own",
    "never_usable": "no part of the response up to 0.3 s can be read: what was taken away as decay is too large",
    "no_baseline": "the trials begin too late before the pulse to know the noise",
    "no_change": "nothing changed, so nothing can be said of scatter",
    "no_channel_of_region": "the recording has no usable channel of the region",
    "no_cluster": "no point of the window is beyond the threshold of a cluster",
    "no_coil_z": "the third coordinate of the coil is not known",
    "no_complete_pairs": "no participant has both time points",
    "no_conditioned_trials": "no conditioned trial was kept",
    "no_contralateral_trials": "no trial of the opposite side was kept",
    "no_cortical_latency": "the latency after cortical stimulation is missing",
    "no_decay": "no decay above 1 µV was found",
    "no_electrode_positions": "the electrodes have no positions, so there is no head model",
    "no_f_wave": "no F wave was found",
    "no_heart_beats_found": "no heart beats were found in the recording, so none was taken out",
    "no_height": "body height is missing, and the normal value depends on it",
    "no_ipsilateral_trials": "no trial of the same side was kept",
    "no_left_hemisphere": "the left hemisphere was not mapped",
    "no_level_with_responses_only": "some misses at every intensity: only a lower limit is known",
    "no_level_without_responses": "some responses at every intensity: only an upper limit is known",
    "no_logarithm": "a ratio is 0, which has no logarithm",
    "no_m_wave_trials": "no M wave was recorded to relate the response to",
    "no_onsets": "no onset of the muscles was found",
    "no_peripheral_latency": "the latency after root or nerve stimulation is missing",
    "no_plateau": "the curve does not reach its plateau: S50 and maximum cannot be known",
    "no_prime_mover": "neither of the two muscles, or both, is the one that moves",
    "no_repeats": "no repeated measurement to judge reliability by",
    "no_response": "no response stands out of the noise",
    "no_right_hemisphere": "the right hemisphere was not mapped",
    "no_rise_in_range": "responses were near their plateau at the lowest intensity: S50 is only a limit",
    "no_seed_channel": "the recording has no usable channel where the coupling starts from",
    "no_silent_period": "no silent period was found, or it outlasts the epoch",
    "no_test_trials": "no test trial was kept",
    "no_time_after_pulse": "the trials hold no time after the pulse",
    "no_trials": "no trial was kept",
    "no_trials_kept": "no trial was kept",
    "no_values": "nobody in a group has a value",
    "no_variation": "the values do not vary",
    "non_positive": "a mean response is zero or negative, so no ratio can be formed",
    "not_above_chance": "no larger than chance makes it: the same trials without what it means give as much",
    "not_distinct": "the peaks or troughs cannot be told from noise",
    "not_done": "the cleaning has no such step",
    "not_estimable": "the model cannot be estimated from these data",
    "not_positive_so_difference": "values at or below zero, so differences are compared instead of ratios",
    "not_randomised": "nobody was assigned to the mediator by lot: what goes with both it and the outcome looks like "
    "mediation",
    "one_interval": "only one interval was tracked, so the mean is that one",
    "one_order": "all, or nearly all, had the arms in the same order: the effect of the period cannot be told from "
    "that of the arms",
    "onsets_missing": "the onset is missing in more than a fifth of the movements",
    "open_interval": "the interval has no end on one side: thresholds lie beyond the highest intensity",
    "opposite_sign": "the peak rides on a larger wave of the other sign: it is there, and its amplitude is not its own",
    "order_unknown": "nothing tells which arm came first (a column 'period' would): the effect of the period is not "
    "taken out",
    "other_blocks_left_out": "blocks that are neither before nor after are left out",
    "outside_epoch": "the trials are too short for it",
    "p_cannot_be_small": "so few people can be permuted in so few ways that p cannot be 0.05 or smaller, whatever "
    "changed",
    "pairs_left_out": "the recording also holds pairs of pulses, which are no part of this response",
    "participant_level": "estimated from one value a participant, not from single trials",
    "plateau_extrapolated": "the plateau follows from the shape of the curve, no response reached it",
    "plateau_not_reached": "the M wave had not reached its maximum",
    "plateau_unknown": "whether the M wave reached its maximum is not known",
    "protocol_changed": "the protocol was not the same in all sessions",
    "random_slope_left_out": "the mixed model has no slope of each participant's own: the sessions could not bear it",
    "recharge_suspected": "all trials jump at one time after the pulse, as when the stimulator recharges: add the "
    "cleaning step remove_recharge after remove_pulse and interpolate_pulse",
    "recording_cut_short": "the file ends before the recording did: pulses may be missing",
    "region_by_position": "the electrodes have other names than the region asks for: those nearest to its places were "
    "taken",
    "region_incomplete": "some channels of the region are missing or bad",
    "region_rebuilt": "half of the region's electrodes or more were bad: what they show was rebuilt from others",
    "repeats_differ": "repeated sessions differ in their mean: something shifts everybody from one to the next, "
    "which a smallest detectable change from within people leaves out",
    "rings_on": "the trace swings most next to the pulse and dies away, as what the pulse itself sets ringing",
    "root": "the peripheral part comes from root stimulation, so that the root itself counts as central",
    "sampling_rate_too_low": "sampled below 5 kHz: too slow for the immediate response",
    "sdc_from_changes": "detectable change: from the spread of the changes: an upper bound",
    "sdc_from_controls": "detectable change: from the changes of the controls",
    "sdc_from_intervals": "detectable change: from the scatter of trials only: a lower bound",
    "sdc_from_repeats": "detectable change: from repeated baselines",
    "sdc_raised": "detectable change: the spread of people was smaller than the scatter of trials alone makes it, so "
    "that of trials is given; intervals from such a spread are too narrow",
    "sdc_uncertain": "detectable change: it rests on too few people to judge a change by",
    "sdc_unknown": "detectable change: it cannot be known from these data",
    "separated": "all trials of a session have a response, or none: the probability has no finite odds",
    "shared_test_trials": "both values are divided by the same test responses, which alone makes them go together",
    "shrunken": "values are shrunken to the population of the study: changes of groups hold, but differences between "
    "people are too small, so no effect size, reliability or correlation may be computed from them",
    "side_unknown": "the recording does not say which side was stimulated",
    "silent_period_outlasts_epoch": "EMG is silent to the end of the epoch: the silent period is longer than that",
    "single_pulses_assumed_test": "nobody said what the single pulses are: all were taken as test pulses; in a log, a "
    "conditioning pulse alone has a conditioning_intensity and no intensity",
    "singular_fit": "the mixed model found a variance of zero, or two effects that go wholly together",
    "slope_unknown": "the slope cannot be known",
    "some_channels_missing": "some channels of the region are missing or bad",
    "some_responses_doubtful": "some responses counted towards the threshold hardly stand out of the noise",
    "spike": "a sample stands out from its neighbours as nothing of a muscle does; it is no response",
    "t_instead": "values shrunken to the population have no other interval than that by t",
    "taken_as_active": "background activity is too large for rest, so the muscle was taken as active",
    "test_at_noise_floor": "the test response is not larger than noise: nothing to divide by",
    "test_larger_than_usual": "the test response is larger than usually asked for, and the ratio depends on its size",
    "test_mep_changed": "the test response itself changed by more than 25 %, on which the ratio depends",
    "test_mep_changed_in_some": "the test response of some participants changed by more than 25 %",
    "test_mep_differs": "the test MEP of the groups differs by more than 25 %, so that their ratios are not alike",
    "test_mep_unknown": "the size of the test response is not in the results",
    "test_smaller_than_usual": "the test response is smaller than usually asked for, and the ratio depends on its size",
    "too_few_channels": "a field needs two channels or more",
    "too_few_participants": "too few participants for an interval",
    "too_few_trials": "fewer trials than the measure needs",
    "trial_covariate_constant": "a covariate of the trials is the same in all and not in the model",
    "trial_covariate_missing": "trials without a value of the covariate are not in the model",
    "trials_lost_by_stated_interval": "further pairs have an interval of this protocol by their artefacts, but were "
    "stated with another, so they are not among the trials (see the notes)",
    "trials_missing": "some participants have values but not the trials of both time points, so that the estimate "
    "leaves them out",
    "trials_without_condition": "the recording has further trials, which belong to no condition of this protocol",
    "truncated": "the event outlasts the epoch",
    "unstable": "the estimate depends strongly on single trials",
    "unusual_sampling_rate": "sampled outside 500 to 1500 Hz, where published values do not apply",
    "window_edge": "the peak lies at the edge of its window (or the onset of a response does), so it may lie outside",
    "window_holds_the_pulse": "what was cut out about the pulse reaches into the window",
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
