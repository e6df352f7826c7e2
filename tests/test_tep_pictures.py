"""Pictures of evoked potentials show what they are given on every kind of recording; the report says what is seen."""

import sys
from pathlib import Path

import mne
import numpy as np
import pandas as pd
import pytest

import excitability as ex
from excitability import plots
from excitability.html_report._evoked_potential import evoked_figures
from excitability.html_report._resting_eeg import resting_figures
from excitability.html_report._tep_quality import over_sessions, removed_in_words, seen_in_words
from excitability.plots._scalp import channel_colours, flat_positions
from excitability.plots._tep_panels import peaks_of, pulse_gaps
from excitability.protocol import run_all
from excitability.schema import Estimate
from excitability.trials import cut

sys.path.insert(0, str(Path(__file__).parent))
from test_plots import clipped, colliding, drawn_texts, rendered

CAP = ["Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "FC3", "FC1", "C3", "C1", "Cz", "C4", "T7", "T8", "P3", "Pz", "P4"]
STEPS = [
    {"step": "remove_pulse", "window": [-0.002, 0.010]},
    {"step": "remove_decay"},
    {"step": "interpolate_pulse"},
    {"step": "set_reference"},
]


def wave(times, latency, width=0.008):
    return np.exp(-(((times - latency) / width) ** 2))


def recording(names=CAP, *, rate=1000.0, n=14, emg=0, isi=None, montage=True, seed=0):
    """Single pulses over the left motor cortex (N45, N100), with their artefacts; pairs where ``isi`` is given."""
    rng = np.random.default_rng(seed)
    kinds = ["eeg"] * len(names) + ["emg"] * emg
    labels = [*names, *(f"EMG_{muscle}" for muscle in ("FDI", "APB", "ADM")[:emg])]
    times = np.arange(-round(0.5 * rate), round(0.5 * rate) + 1) / rate
    field = np.ones(len(names))
    info = mne.create_info(labels, rate, kinds)
    if montage:
        info.set_montage("standard_1005")
        place = np.array([channel["loc"][:3] for channel in info["chs"][: len(names)]])
        at = place[names.index("C3")] if "C3" in names else place[0]
        field = np.exp(-np.sum((place - at) ** 2, axis=1) / 0.05**2)
    response = -4e-6 * wave(times, 0.045) - 8e-6 * wave(times, 0.1, 0.018)
    x = 1e-6 * rng.standard_normal((2 * n if isi else n, len(labels), times.size))
    x[:, : len(names)] += (field - field.mean() / 2)[:, None] * response
    after = np.clip(times, 0, None)
    x[:, : len(names)] += 30e-6 * field[:, None] * np.where(times > 0, np.exp(-after / 0.01), 0)
    x[:, :, (times >= 0) & (times < 0.003)] += 4e-3
    x[:, len(names) :] += 1e-3 * np.sin(2 * np.pi * np.clip((times - 0.022) / 0.012, 0, 1))
    table = pd.DataFrame({"onset": 2.0 * np.arange(len(x)), "pulse_count": 1.0, "condition": "test" if isi else "all"})
    if isi:
        pair = np.arange(len(x)) >= n
        x[pair, : len(names)] -= 0.4 * (field[:, None] * response)
        table["inter_stimulus_interval"] = np.where(pair, isi, np.nan)
        table["condition"] = np.where(pair, f"isi_{isi:g}", "test")
    return mne.EpochsArray(x, info, tmin=times[0], metadata=table, verbose="error")


def cleaned(before, steps=STEPS):
    return ex.cleaning.apply(before, steps)[0]


PEAKS = {"N45": Estimate(0.045, 0.043, 0.048), "N100": Estimate(0.1, 0.094, 0.107, flag="low_snr"), "P180": np.nan}


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]


# --- before and after


def test_before_and_after_with_maps_and_muscle():
    before = recording(emg=1, rate=5000.0)
    after = cleaned(before)
    after.metadata = after.metadata.assign(mep_amplitude=1e-3)
    figure = plots.tep_cleaning(before, after, PEAKS)
    assert titles(figure) == [
        "Before cleaning", "After cleaning", "Muscle response, 14 trials", "Size of the muscle response, trial by trial"
    ]  # fmt: skip
    centre = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert centre == ["N45 · 45 ms\nbefore", "N45 · 45 ms\nafter", "N100 · 100 ms\nbefore", "N100 · 100 ms\nafter"]
    assert clipped(figure) == []
    assert colliding(figure) == []


def test_the_mean_fields_are_the_spread_over_channels_and_before_is_cut_but_told():
    before = recording()
    after = cleaned(before)
    figure = plots.tep_cleaning(before, after, PEAKS)
    fields = [ax for ax in figure.axes if ax.lines and any(line.get_linewidth() == 1.4 for line in ax.lines)]
    for ax, inst in zip(fields, (before, after), strict=True):
        line = next(line for line in ax.lines if line.get_linewidth() == 1.4)
        average = inst.average()
        baseline = average.times < -0.002 - 0.005
        data = average.data - average.data[:, baseline].mean(axis=1, keepdims=True) if inst is before else average.data
        shown = (average.times >= -0.05) & (average.times <= 0.3)
        assert line.get_ydata() == pytest.approx(data.std(axis=0)[shown] * 1e6, rel=1e-6)
    left, right = figure.axes[:2]
    assert left.get_ylim()[1] <= 4 * right.get_ylim()[1] + 1e-9
    assert any("cut off: reaches" in text.get_text() for text in left.texts)
    assert not any("cut off" in text.get_text() for text in right.texts)


def test_one_colour_scale_for_all_maps_that_of_the_cleaned_response():
    before = recording()
    after = cleaned(before)
    figure = plots.tep_cleaning(before, after, PEAKS)
    limits = {image.get_clim() for ax in figure.axes for image in ax.images}
    assert len(limits) == 1
    average = after.average()
    at = [int(np.argmin(np.abs(average.times - when))) for when in (0.045, 0.1)]
    assert next(iter(limits))[1] == pytest.approx(np.abs(average.data[:, at]).max())


@pytest.mark.parametrize(
    ("names", "montage"), [(["C3", "Cz", "C4"], True), (CAP, False), (["C3"], True)], ids=["three", "no montage", "one"]
)
def test_few_channels_or_no_montage_have_no_maps(names, montage):
    before = recording(names, montage=montage)
    figure = plots.tep_cleaning(before, cleaned(before, STEPS[:3]), PEAKS)
    assert not any(ax.images for ax in figure.axes)
    rendered(figure)
    assert clipped(figure) == []


def test_bad_channels_are_named_and_left_out_of_field_and_maps():
    before = recording()
    after = before.copy()
    before.info["bads"] = after.info["bads"] = ["F8"]
    before._data[:, CAP.index("F8")] += 1e-2 * np.random.default_rng(1).standard_normal(before.times.size)
    after = cleaned(after)
    figure = plots.tep_cleaning(before, after, PEAKS)
    assert any(text.get_text() == "bad: F8" for text in figure.axes[0].texts)
    line = next(line for ax in figure.axes for line in ax.lines if line.get_linewidth() == 1.4)
    assert np.nanmax(line.get_ydata()[:40]) < 5, "µV before the pulse"


def test_several_conditions_are_drawn_one_by_one():
    before = recording(isi=0.1)
    after = cleaned(before)
    figure = plots.tep_cleaning(before, after, condition="test")
    assert "18 channels, 14 trials" in [text for text, _ in drawn_texts(figure)]
    with pytest.raises(
        ValueError, match=r"no trial before cleaning has the condition 'sham'; known: 'test', 'isi_0.1'"
    ):
        plots.tep_cleaning(before, after, condition="sham")
    muscle = before.copy().set_channel_types(dict.fromkeys(CAP, "emg"), verbose="error")
    with pytest.raises(ValueError, match="no EEG channel"):
        plots.tep_cleaning(muscle, after)


def test_averages_are_taken_as_they_are():
    before = recording()
    after = cleaned(before)
    figure = plots.tep_cleaning(before.average(), after.average(), {"N100": 0.1}, gap=(-0.002, 0.01))
    assert "18 channels, 14 trials" in [text for text, _ in drawn_texts(figure)]


def test_peaks_come_from_results_with_interval_and_flag():
    rows = pd.DataFrame(
        {
            "measure": ["n100_latency", "n45_latency", "p60_latency", "mep_latency", "n45_amplitude", "n45_latency"],
            "condition": ["real", "real", "real", "real", "real", "sham"],
            "value": [0.1, 0.045, np.nan, 0.022, -2e-6, 0.05],
            "ci_low": [0.09, np.nan, np.nan, 0.02, np.nan, np.nan],
            "ci_high": [0.11, np.nan, np.nan, 0.024, np.nan, np.nan],
            "flag": ["low_snr", "", "absent", "", "", ""],
        }
    )
    found = peaks_of(rows, "real")
    assert list(found) == ["N45", "N100"]
    assert (found["N100"].ci_low, found["N100"].flag) == (0.09, "low_snr")
    assert peaks_of(None) == {}


def test_gaps_of_close_pulses_are_one():
    apart = pulse_gaps([0.0, -0.1], (-0.002, 0.01))
    assert np.array(apart) == pytest.approx(np.array([(-0.102, -0.09), (-0.002, 0.01)]))
    assert pulse_gaps([0.0, -0.003], (-0.002, 0.01)) == [(-0.005, 0.01)]


def test_places_have_colours_of_their_own():
    info = recording().info
    colours = dict(zip(CAP, channel_colours(info, len(CAP)), strict=True))
    (r, _, b), (other_r, _, other_b) = colours["C3"], colours["C4"]
    assert b > r, "blue on the left"
    assert other_r > other_b
    assert sum(colours["Fz"]) < sum(colours["Pz"]), "darker in front"
    flat = flat_positions(info)
    assert np.linalg.norm(flat, axis=1).max() <= 1
    assert np.linalg.norm(flat[CAP.index("Cz")]) < 0.15


# --- paired pulses


def test_paired_pulses_show_the_corrected_pair_and_the_ratio():
    epochs = cleaned(recording(isi=0.1))
    results = pd.DataFrame({"measure": ["lici_tep"], "condition": ["isi_0.1"], "value": [0.6], "ci_low": [0.5],
                            "ci_high": [0.7], "form": ["ratio"]})  # fmt: skip
    figure = plots.paired_pulse_tep(epochs, ["C3", "C1"], results, window=(0.05, 0.15), subtract="test")
    texts = [text for text, _ in drawn_texts(figure)]
    assert "ratio 0.60 [0.50, 0.70]" in texts
    assert "14 pairs, 14 alone" in texts
    assert clipped(figure) == []
    alone, pair, raw = (line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) > 100)
    times = epochs.times
    mean = epochs.get_data(picks=["C3", "C1"])
    expected = mean[14:].mean(axis=(0, 1)) - np.interp(times + 0.1, times, mean[:14].mean(axis=(0, 1)))
    assert pair == pytest.approx(expected * 1e6)
    assert alone == pytest.approx(mean[:14].mean(axis=(0, 1)) * 1e6)
    assert raw == pytest.approx(mean[14:].mean(axis=(0, 1)) * 1e6)


def test_without_conditioning_trials_nothing_is_taken_off_and_the_key_says_so():
    epochs = cleaned(recording(isi=0.003, montage=False))
    figure = plots.paired_pulse_tep(epochs, ["C3"], window=(0.02, 0.15))
    assert "pair, nothing taken off" in [text for text, _ in drawn_texts(figure)]
    assert len(figure.axes) == 1, "no map without places"
    with pytest.raises(ValueError, match="none of the channels XX"):
        plots.paired_pulse_tep(epochs, ["XX"])
    with pytest.raises(ValueError, match="needs trials of 'a pair'"):
        plots.paired_pulse_tep(epochs[:14], ["C3"])


# --- words


def test_the_report_says_in_plain_words_what_is_seen():
    removed = ["marked F8, TP7", "nothing", "decay above 1 µV in 3 of 9 channels", "all outside"]
    log = pd.DataFrame({"step": ["bad_channels", "bad_trials", "remove_decay", "filter"], "removed": removed})
    assert (
        removed_in_words(log) == "The cleaning took out: bad channels (F8, TP7); decay above 1 µV in 3 of 9 channels."
    )
    assert removed_in_words(log.iloc[1:2]) == ""
    rows = {"n15_gain": 1.7, "p30_gain": 0.798, "n45_gain": 0.95, "n100_gain": 0.97, "source_gain": 0.6,
            "trials_kept": 57, "channels_kept": 60, "channels_recorded": 62, "channels_rebuilt": 2,
            "usable_from": 0.012, "p180_gain": np.nan}  # fmt: skip
    table = pd.DataFrame({"measure": [f"quality_{name}" for name in rows], "value": list(rows.values())})
    kept, gain, sources, readable = seen_in_words(table)
    assert kept == "Kept: 57 trials and 60 of 62 channels (2 rebuilt from the others)."
    assert gain == (
        "Warning: of the P30 only 0.79 comes through, so it is too small; of the other peaks 0.95 to 0.97; of the N15 "
        "it cannot be told."
    )
    assert sources.startswith("Warning: of sources over the whole head only 0.60")
    assert readable == "The potential can be read from 12 ms on."
    assert seen_in_words(table[:0]) == []


def test_several_sessions_are_said_in_one_sentence():
    rows = pd.DataFrame({"participant": ["1", "1", "2"], "_time": "pre", "protocol": "m1/tep", "condition": "all",
                         "measure": ["quality_p30_gain", "quality_usable_from", "quality_p30_gain"],
                         "value": [0.7, 0.012, 0.9]})  # fmt: skip
    said = over_sessions(rows)
    assert said.startswith("Warning: in 1 of 2 averages")
    assert "P30 in 1" in said
    assert over_sessions(rows[1:]).startswith("In all 1 averages")


def test_pictures_of_a_recording_and_their_captions():
    epochs = recording(n=20, emg=1).drop_channels(["T7", "T8"])
    epochs.metadata = epochs.metadata.drop(columns="condition")
    protocol = ex.load_protocol("m1/tep")
    peaks = {name: protocol.average[name] for name in ("n45", "n100")}
    protocol = protocol.replace(cleaning=STEPS, average=peaks, epochs={}, trial={}, summary={}, reject={})
    done = run_all(epochs, protocol)
    pictures = list(evoked_figures(done, epochs, "participant 01, pre", "An example."))
    assert [title for title, *_ in pictures] == [
        "Evoked potential (participant 01, pre)", "Quality of the evoked potential (participant 01, pre)"
    ]  # fmt: skip
    caption = pictures[0][2]
    assert caption.startswith("An example. The cleaning took out: decay above")
    assert "Kept: 20 trials and 16 of 16 channels." in caption
    assert "can be read from" in caption


def test_the_spectrum_at_rest_has_its_rhythm_and_slope():
    rng = np.random.default_rng(2)
    times = np.arange(400) / 200
    shape = np.fft.rfftfreq(400, 1 / 200)
    shape[0] = 1
    spectrum = np.fft.rfft(rng.standard_normal((20, 3, 400))) / shape**0.6
    x = 2e-6 * np.fft.irfft(spectrum, 400) + 3e-6 * np.sin(2 * np.pi * 10 * times)
    epochs = mne.EpochsArray(x, mne.create_info(["Fz", "Cz", "Pz"], 200.0, "eeg"), verbose="error")
    results = pd.DataFrame({"measure": ["individual_alpha_frequency", "aperiodic_exponent"], "value": [10.0, 1.2]})
    [(title, figure, caption)] = resting_figures(epochs, results, "participant 01, pre")
    assert title == "Spectrum (participant 01, pre)"
    assert "rhythm is at 10.0 Hz" in caption
    assert "1.20" in caption
    bold, line = (next(one for one in figure.axes[0].lines if one.get_linewidth() == width) for width in (1.6, 1))
    ratio = bold.get_ydata() / line.get_ydata()
    frequencies = bold.get_xdata()
    assert np.median(ratio[frequencies > 15]) == pytest.approx(1, rel=0.25)
    assert ratio[np.argmin(np.abs(frequencies - 10))] > 5


def test_pictures_take_what_mne_holds_or_say_what_they_want():
    raw, _ = ex.simulate.tep_session("M1", n_trials=4, decay="none", seed=1)
    epochs = cut(raw, tmin=-0.2, tmax=0.35).epochs.load_data()
    evoked = epochs.average(picks="eeg")
    for given in (evoked, epochs):
        figure = plots.tep_butterfly(given, peaks={"N100": 0.1})
        assert any("26 channels" in text.get_text() for ax in figure.axes for text in ax.texts)
    assert plots.tep_cleaning(evoked, evoked).axes
    rows = pd.DataFrame({"measure": ["quality_n100_gain"], "value": [0.9], "ci_low": [0.8], "ci_high": [1.0]})
    assert len(plots.tep_quality(rows, evoked.copy().pick(["C3", "Cz"])).axes) == 3
    for function, wrong, told in (
        (plots.tep_butterfly, (raw,), r"draws an average .*not RawArray; cut trials first: ex\.clean"),
        (plots.tep_butterfly, (evoked.data,), r"needs the times of an array: tep_butterfly\(x, times\)"),
        (plots.tep_cleaning, (raw, epochs), r"draws mne\.Epochs or mne\.Evoked, not RawArray: before = ex\.clean"),
        (plots.tep_quality, (epochs,), r"draws result rows \(results = ex\.run\(raw, protocol\)\), not"),
        (plots.tep_quality, (None,), r"draws result rows .*not NoneType"),
    ):
        with pytest.raises(TypeError, match=told):
            function(*wrong)
