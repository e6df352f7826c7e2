"""Do the intervals of the EEG measures cover? Every registered one, on clean trials whose truth is known.

    python benchmarks/tep_measure_calibration.py --sessions 200 --seed 1

writes ``benchmarks/results/tep_measure_calibration_<date>.tsv`` and ``.md``. Trials hold a known response, a 1/f
background, alpha and beta rhythms and no artefact: what is judged is the interval, not the cleaning. Measures and
their settings are those of the protocols. A registered measure of averages or of sets of trials that no session judges
and that has no reason stated is an error (exit status 1), and so is a number with an interval and no truth.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _common import RESULTS, one_thread, provenance, write
from scipy.fft import irfft

import excitability as ex
from excitability.measures import get_measure, list_measures
from excitability.measures._evoked import window_mask
from excitability.measures.bootstrap import bootstrap_average, bootstrap_epochs
from excitability.measures.tep_quality import peak_snr, similarity
from excitability.protocol.rows import items
from excitability.resources import roi_channels
from excitability.simulate import Oscillation
from excitability.simulate.brain_activity import activity_density
from excitability.simulate.eeg_truth import resting_measures
from excitability.simulate.evoked_responses import COMPONENTS, PERIPHERAL, component_responses, true_response
from excitability.simulate.oscillations import time_frequency_truth

LEAST, MOST = 0.93, 0.97
#: Measures of averages and of sets of trials that are not judged here, and why.
REASONS = {
    "trsp": "a map, no number; natural_frequency and band_power_change are made of it",
    "phase_locking": "a map, no number; band_phase_locking is made of it",
    "ipsilateral_silent_period": "EMG: silent_period_accuracy",
    "silent_period_average": "EMG: silent_period_accuracy",
}
NUMBERS = (30, 100)
RATE = 1000.0
TIMES = np.arange(-500, 500) / RATE
#: Both regions and a few beside them: what is judged does not depend on the size of the cap.
CHANNELS = ("AF3", "F3", "F1", "F4", "FC3", "FC1", "FCz", "C3", "C1", "Cz", "C4", "P4", "Pz", "O1")
REST_RATE, REST_TIME = 250.0, 2.0
#: Trials that stand for infinitely many, where a standard deviation is wanted.
MANY = 2000
_EEG = {
    "aperiodic_exponent": 1.2, "aperiodic_rms": 4e-6, "alpha_frequency": 10.0, "alpha_rms": 3.2e-6, "beta_rms": 0.8e-6,
    "sensor_noise": 0.3e-6,
}  # fmt: skip
_COUPLED = (("F3", "P4"), 10.0, 1.5, 4e-6)

Judged = tuple[str, str, Any, float]  # measure, key, estimate, truth


@dataclass(frozen=True)
class Scenario:
    """One construction of sessions; ``simulate(rng, n)`` yields what was found and what is true.

    ``judges`` names measures, or the section of a protocol whose measures it judges.
    """

    name: str
    simulate: Callable[[np.random.Generator, int], Iterator[Judged]]
    judges: tuple[str, ...]
    numbers: tuple[int, ...] = NUMBERS

    def measures(self) -> set[str]:
        """Names of the measures judged."""
        if self.judges[0] not in ("average", "epochs"):
            return set(self.judges)
        return {entry[1] for entry in _entries(*self.judges)}


# ---- trials ----


@functools.cache
def _mixing(n_times: int, rate: float, coupled: bool) -> np.ndarray:
    """What makes noise of the known cross-spectrum from white noise, (n_freqs, n_channels, n_channels)."""
    frequencies = np.fft.rfftfreq(n_times, 1 / rate)
    given = np.maximum(frequencies, frequencies[1])
    density = activity_density(CHANNELS, given, rate, coupled=_COUPLED if coupled else None, **_EEG)
    density[frequencies < 1.0] = 0  # the high-pass of the protocols
    values, vectors = np.linalg.eigh(density)
    values[frequencies > 150] = 0  # only noise of the sensors
    last = np.searchsorted(frequencies, 150)
    return (vectors * np.sqrt(np.maximum(values, 0) * rate * n_times / 4)[:, None])[:last]


def background(rng: np.random.Generator, n: int, n_times: int, rate: float, coupled: bool = False) -> np.ndarray:
    """Ongoing EEG, (n, n_channels, n_times): trials are independent."""
    mixing = _mixing(n_times, rate, coupled)
    n_freqs, n_channels, _ = mixing.shape
    white = rng.standard_normal((n_freqs, n_channels, 2 * n)).view(complex)
    return irfft(np.moveaxis(mixing @ white, 2, 0), n_times, axis=1).transpose(0, 2, 1)


def gains(rng: np.random.Generator, n: int, form: str) -> np.ndarray:
    """Sizes of the response from trial to trial, 1 on average."""
    if form == "skewed":
        return rng.lognormal(-0.5 * 0.5**2, 0.5, n)
    return 1 + 0.15 * rng.standard_normal(n)


def noise_of(rng: np.random.Generator, n: int, form: str) -> np.ndarray:
    noise = background(rng, n, TIMES.size, RATE)
    return noise * (rng.lognormal(0, 0.4, (n, 1, 1)) if form == "skewed" else 1.0)  # some trials are far noisier


@functools.cache
def _response(target: str, waveform: str) -> np.ndarray:
    return true_response(CHANNELS, TIMES, COMPONENTS[target], waveform)


_BURST = {"DLPFC": Oscillation(22.0, 4e-6, "F3"), "M1": Oscillation(19.0, 6e-6, "C1")}
_WEAK = Oscillation(19.0, 4e-6, "C1")  # power rises as much at 19 Hz as at 7 Hz, that of the waves


def single_trials(
    rng: np.random.Generator, n: int, target: str, form: str, burst: Oscillation | None = None
) -> np.ndarray:
    """Responses of one kind, an induced burst, and noise."""
    waveform = "skewed" if form == "skewed" else "gaussian"
    burst = burst or _BURST[target]
    courses = burst.courses(TIMES, burst.phases(n, rng))
    signal = gains(rng, n, form)[:, None, None] * _response(target, waveform)
    return signal + burst.field(CHANNELS)[:, None] * courses[:, None] + noise_of(rng, n, form)


# ---- measures as protocols ask for them ----


def _entries(section: str, *names: str) -> Iterator[tuple[str, str, Any, list[int], dict[str, Any]]]:
    """Key, measure, function and rows of the channels of every entry of some protocols."""
    for name in names:
        for key, entry in getattr(ex.load_protocol(name), section).items():
            arguments = dict(entry)
            measure = arguments.pop("measure", key)
            region = arguments.pop("roi", None)
            rows = list(range(len(CHANNELS)))
            if region is not None:
                rows = [CHANNELS.index(one) for one in roi_channels(region) if one in CHANNELS]
            yield key, measure, get_measure(measure), rows, arguments


def _told(key: str, measure: str, estimate: Any, truth: Any) -> Iterator[Judged]:
    entry = get_measure(measure)
    true = {name: float(value) for name, value, _ in items(key, entry, truth)}
    for name, value, _ in items(key, entry, estimate):
        yield measure, name, value, true[name]


def evoked(rng, n, target, form):
    """Measures of averages of one kind of trial."""
    x = single_trials(rng, n, target, form)
    clean = _response(target, "skewed" if form == "skewed" else "gaussian")
    seed = int(rng.integers(2**31))
    for key, measure, entry, rows, arguments in _entries("average", f"{target.lower()}/tep"):
        function = partial(entry.function, **arguments)
        found = bootstrap_average(x[:, rows], TIMES, function, seed=seed)
        yield from _told(key, measure, found, function(clean[rows], TIMES))
    rows = [CHANNELS.index(one) for one in ("FC1", "C1", "C3", "FC3")]
    at = int(np.argmin(np.abs(TIMES - 0.1)))
    sd = _spread(target, form, tuple(rows), at)
    yield "peak_snr", "peak_snr", peak_snr(x[:, rows], TIMES, 0.1), float(abs(clean[rows, at].mean()) / sd * np.sqrt(n))
    heard = component_responses(CHANNELS, TIMES, PERIPHERAL, "gaussian").sum(axis=0)
    sham = gains(rng, n, form)[:, None, None] * heard + noise_of(rng, n, form)
    windows = {"middle": (0.060, 0.140), "late": (0.140, 0.250)}
    for name, value in similarity(x, sham, TIMES, windows, seed=seed).items():
        inside = window_mask(TIMES, windows[name], name)
        true = np.corrcoef(clean[:, inside].mean(axis=1), heard[:, inside].mean(axis=1))[0, 1]
        yield "similarity", f"similarity_{name}", value, float(true)


@functools.cache
def _spread(target: str, form: str, rows: tuple[int, ...], at: int) -> float:
    x = single_trials(np.random.default_rng(99), MANY, target, form)[:, list(rows), at]
    return float(x.mean(axis=1).std())


def oscillations(rng, n, target, burst):
    """Evoked and induced power, phase locking, natural frequency."""
    x = single_trials(rng, n, target, "normal", burst)
    for key, measure, entry, rows, arguments in _entries("epochs", f"{target.lower()}/tep"):
        if "responses" not in entry.parameters:
            found = bootstrap_epochs(x[:, rows], TIMES, partial(entry.function, **arguments))
            yield measure, key, found, _limits(target, burst, tuple(rows))[key]


@functools.cache
def _limits(target: str, burst: Oscillation, rows: tuple[int, ...]) -> dict[str, float]:
    """The values with very many trials."""
    chosen = list(rows)
    locked = _response(target, "gaussian")[chosen]
    free = np.outer(burst.field(CHANNELS)[chosen], burst.courses(TIMES, [0.0])[0])

    def density_of(frequencies):
        density = np.real(np.einsum("fcc->cf", activity_density(CHANNELS, frequencies, RATE, **_EEG)))[chosen]
        return np.where(frequencies < 0.5, 0, density)

    return time_frequency_truth(locked, free, [0.15 * locked], RATE, TIMES, density_of)


def pairs(rng, n, kind, target):
    """Pairs, test pulses and conditioning pulses alone."""
    interval, ratio, size = {"sici": (0.003, 0.7, 0.3), "icf": (0.012, 1.3, 0.3), "lici": (0.1, 0.7, 1.0)}[kind]
    test = _response(target, "gaussian")
    first = true_response(CHANNELS, TIMES + interval, COMPONENTS[target])
    clean = {"x": ratio * test + size * first, "test": test, "conditioning": size * test}
    trials = {
        name: gains(rng, n, "normal")[:, None, None] * response + noise_of(rng, n, "normal")
        for name, response in clean.items()
    }
    seed = int(rng.integers(2**31))
    for key, measure, entry, rows, arguments in _entries("average", f"{target.lower()}/{kind}_tep"):
        if entry.over != "conditioned":
            continue
        function = partial(entry.function, interval=interval, **arguments)
        others = [name for name in ("test", "conditioning") if name in entry.parameters or name == "test"]
        found = bootstrap_average(
            trials["x"][:, rows], TIMES, function, seed=seed, **{name: trials[name][:, rows] for name in others}
        )
        true = function(clean["x"][rows], TIMES, **{name: clean[name][rows] for name in others})
        yield from _told(key, measure, found, true)


def complexity(rng, n, target):
    """PCIst, whose value has no limit: without noise nothing exceeds a baseline. Truth is its mean at this number."""
    x = single_trials(rng, n, target, "normal")[:, :, ::2]
    x = x - x[..., TIMES[::2] < -0.01].mean(axis=-1, keepdims=True)
    function = get_measure("pci_st").function
    yield "pci_st", "pci_st", bootstrap_average(x, TIMES[::2], function, n_boot=60, seed=1), _mean_complexity(n, target)


@functools.cache
def _mean_complexity(n: int, target: str) -> float:
    function, values = get_measure("pci_st").function, []
    for number in range(200):
        x = single_trials(np.random.default_rng([97, number]), n, target, "normal")[:, :, ::2]
        x = x - x[..., TIMES[::2] < -0.01].mean(axis=-1, keepdims=True)
        values.append(float(function(x.mean(axis=0), TIMES[::2])))
    return float(np.mean(values))


def fast_waves(rng, n):
    """The immediate response at 10 kHz, on a decay."""
    times = np.arange(-200, 400) / 10000.0
    wave = Oscillation(650.0, 3e-6, "C3", latency=0.004, width=0.0012, locking=1.0).courses(times, [0.0])
    decay = 20e-6 * np.exp(-np.maximum(times, 0) / 0.012) * (times > 0)
    clean = np.repeat(wave + decay, 4, axis=0)
    x = clean + 2e-6 * rng.standard_normal((n, 4, times.size)) + 3e-6 * rng.standard_normal((n, 1, 1))
    function = partial(get_measure("immediate_tep").function, lowpass=4000.0, pulse_end=0.0015)
    found = bootstrap_average(x, times, function, seed=int(rng.integers(2**31)))
    yield from _told("immediate_tep", "immediate_tep", found, function(clean, times))


def association(rng, n, rho):
    """Rank correlation of an amplitude that is seen with noise with a MEP."""
    both = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n)
    noise = noise_of(rng, n, "normal")
    rows = [CHANNELS.index(one) for one in roi_channels("M1_left")]
    window = (TIMES >= 0.025) & (TIMES <= 0.035)
    response = _response("M1", "gaussian")
    x = (1 + 0.5 * both[:, :1, None]) * response[rows] + noise[:, rows]
    entry = get_measure("mep_tep_association")
    found = entry.function(x, TIMES, responses=np.exp(0.5 * both[:, 1]), n_permutations=20)
    signal = 0.5 * response[rows][:, window].mean()
    reliability = signal**2 / (signal**2 + _window_noise(tuple(rows)))
    true = 6 / np.pi * np.arcsin(rho * np.sqrt(reliability) / 2)  # of normal variables
    yield "mep_tep_association", "correlation", found["correlation"], float(true)


@functools.cache
def _window_noise(rows: tuple[int, ...]) -> float:
    window = (TIMES >= 0.025) & (TIMES <= 0.035)
    x = noise_of(np.random.default_rng(96), MANY, "normal")[:, list(rows)][..., window]
    return float(x.mean(axis=(1, 2)).var())


def rest(rng, n):
    """Resting EEG in pieces of 2 s, with coupling of F3."""
    times = np.arange(round(REST_TIME * REST_RATE)) / REST_RATE
    x = background(rng, n, times.size, REST_RATE, coupled=True)
    some = {  # a spectrum model takes its time, and an alpha frequency is of electrodes with a rhythm
        "aperiodic_exponent": ("F3", "Cz", "Pz", "P4"),
        "individual_alpha_frequency": ("Pz", "P4", "O1"),
    }
    for key, measure, entry, rows, arguments in _entries("epochs", "dlpfc/resting_eeg"):
        rows = [CHANNELS.index(one) for one in some[measure]] if measure in some else rows
        found = bootstrap_epochs(x[:, rows], times, partial(entry.function, **arguments))
        yield measure, key, found, _rest_truth()[key]


@functools.cache
def _rest_truth() -> dict[str, float]:
    def density_of(frequencies):
        """As a Hann window of 2 s sees it: a third of the power is that of the two neighbours."""
        shares = ((-1 / REST_TIME, 1 / 6), (0.0, 2 / 3), (1 / REST_TIME, 1 / 6))
        return sum(
            share * (at >= 1.0)[:, None, None] * activity_density(CHANNELS, at, REST_RATE, coupled=_COUPLED, **_EEG)
            for at, share in ((frequencies + shift, share) for shift, share in shares)
        )

    rows = resting_measures(CHANNELS, density_of, _EEG["aperiodic_exponent"], _EEG["alpha_frequency"])
    return {name: value for _, name, value in rows}


_PAIRED = ("paired_pulse_tep", "paired_pulse_tep_change")
_POWER = ("natural_frequency", "band_power_change", "band_phase_locking")
SCENARIOS = [
    *(
        Scenario(f"evoked: {target}, {form} trials", partial(evoked, target=target, form=form), ("average", protocol))
        for target, form, protocol in (("DLPFC", "normal", "dlpfc/tep"), ("M1", "skewed", "m1/tep"))
    ),
    *(
        Scenario(f"oscillations: {name}", partial(oscillations, target=name.split(",")[0], burst=burst), _POWER)
        for name, burst in (*_BURST.items(), ("M1, two frequencies rise alike", _WEAK))
    ),
    *(
        Scenario(f"pairs: {target} {kind}", partial(pairs, kind=kind, target=target), judges)
        for target, kind, judges in (("M1", "sici", _PAIRED), ("M1", "icf", _PAIRED), ("DLPFC", "lici", ("lici_tep",)))
    ),
    Scenario("complexity: DLPFC", partial(complexity, target="DLPFC"), ("pci_st",), (60,)),
    Scenario("fast waves", fast_waves, ("immediate_tep",), (60, 200)),
    *(Scenario(f"association {rho:g}", partial(association, rho=rho), ("mep_tep_association",)) for rho in (0.0, 0.6)),
    Scenario("rest", rest, ("epochs", "dlpfc/resting_eeg")),
]


# ---- counting ----


def judge(scenario: Scenario, n: int, sessions: int, seed: list[int]) -> list[dict[str, object]]:
    """Simulate, measure and count: one row a number."""
    rng = np.random.default_rng(seed)
    answers: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    for _ in range(sessions):
        for measure, key, value, truth in scenario.simulate(rng, n):
            one = (float(value), value.ci_low, value.ci_high, truth)
            answers.setdefault((measure, key), []).append(one)
    rows = []
    for (measure, key), lines in answers.items():
        value, low, high, truth = np.array(lines).T
        told = np.isfinite(value) & np.isfinite(low) & np.isfinite(high)
        if not told.any() and not np.isfinite(truth).any():
            continue
        inside = (low <= truth) & (truth <= high)
        cover = float(inside[told].mean()) if told.any() else np.nan
        known = np.isfinite(value)
        rows.append(
            {
                "measure": measure,
                "key": key,
                "scenario": scenario.name,
                "n_trials": n,
                "n_sessions": len(lines),
                "truth": float(np.nanmedian(truth)) if np.isfinite(truth).any() else np.nan,
                "bias": float(np.median((value - truth)[known])) if known.any() else np.nan,
                "spread": float(value[known].std()) if known.any() else np.nan,
                "coverage": cover if np.isfinite(truth).any() else np.nan,
                "standard_error": float(np.sqrt(max(cover * (1 - cover), 0.01) / max(told.sum(), 1))),
                "truth_below": float((truth < low)[told].mean()) if told.any() else np.nan,
                "truth_above": float((truth > high)[told].mean()) if told.any() else np.nan,
                "median_width": float(np.median((high - low)[told])) if told.any() else np.nan,
                "without_interval": float(1 - told.mean()),
            }
        )
    return rows


def missing() -> list[str]:
    """Registered measures of averages and of sets of trials that nothing judges."""
    judged = set(REASONS).union(*(scenario.measures() for scenario in SCENARIOS))
    known = [name for kind in ("average", "epochs") for name in list_measures(kind)]
    return [f"{name}: not judged" for name in known if name not in judged]


def outside(table: pd.DataFrame) -> pd.Series:
    """Rows whose coverage lies outside 93–97 % by more than chance (two standard errors)."""
    low = table["coverage"] + 2 * table["standard_error"] < LEAST
    return low | (table["coverage"] - 2 * table["standard_error"] > MOST)


def main() -> None:
    """Simulate, measure, write, and say what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=200, help="simulated sessions of each scenario")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenario", action="append", help="those whose name begins so (nothing is written)")
    parser.add_argument("--trials", type=int, help="this number of trials only")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    one_thread()
    rows: list[dict[str, object]] = []
    for number, scenario in enumerate(SCENARIOS):
        if options.scenario and not scenario.name.startswith(tuple(options.scenario)):
            continue
        for n in [options.trials] if options.trials else scenario.numbers:
            rows += judge(scenario, n, options.sessions, [options.seed, number, n])
        print(f"{scenario.name}: {time.process_time():.0f} s of CPU time so far", flush=True)
    table = pd.DataFrame(rows)
    if options.scenario or options.trials:
        shown = table.drop(columns=["measure", "scenario", "n_sessions"])
        print(shown.to_string(float_format="{:.3g}".format))
        return
    unknown = table[table["truth"].isna()]
    promised = set().union(*(scenario.measures() for scenario in SCENARIOS))
    faults = missing() + [f"{name}: no session had it" for name in sorted(promised - set(table["measure"]))]
    faults += [f"{key} has an interval and no truth" for key in unknown["key"].unique()]
    _write(table, faults, options)
    if faults:
        sys.exit("\n".join(faults))


def _write(table: pd.DataFrame, faults: list[str], options: argparse.Namespace) -> None:
    groups = table.groupby(["measure", "key"], sort=False)["coverage"]
    by_key = groups.agg(scenarios="size", coverage="mean", lowest="min", highest="max").reset_index()
    columns = ["measure", "key", "scenario", "n_trials", "truth", "bias", "spread", "coverage", "standard_error"]
    columns += ["truth_below", "truth_above", "median_width", "without_interval"]
    reasons = pd.DataFrame({"measure": list(REASONS), "why": list(REASONS.values())})
    sections = [
        ("Measures that nothing judges", "Nothing must stand here.", pd.DataFrame({"fault": faults or ["none"]})),
        ("By number", "Coverage over scenarios and numbers of trials.", by_key),
        (
            "Outside 93 to 97 % by more than chance",
            "By more than two standard errors. The truth lies below the interval, or above it, in these shares.",
            table[outside(table)][columns],
        ),
        ("All", "Bias is the median error, spread the standard deviation, in the unit of the number.", table[columns]),
        ("Not judged here", "", reasons),
    ]
    head = provenance(options.seed) | {"sessions": f"{options.sessions} a scenario, {len(SCENARIOS)} scenarios"}
    for path in write("tep_measure_calibration", "EEG measures: coverage", head, table, sections, options.output):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
