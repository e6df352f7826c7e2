"""A TMS-EEG simulator written without sight of the others and of the cleaning. NOBODY MAY TUNE ON IT.

Whoever works on cleaning or on measures must neither read nor run it: `tep_recovery.py` says how well we do, by cell.

Cortex: every component is a wave that travels over a patch of dipoles whose normals scatter; gamma-shaped with a
rebound, its latency and size differ from trial to trial. The background is 1/f noise of many sources of different
slope, and rhythms of which some are partly reset by the pulse (the phase-locked part belongs to the truth). The head is
a sphere of other conductivities than the usual, and the electrodes sit some millimetres off their template.

Artefacts: electrodes discharge as sums of fractional relaxations (Mittag-Leffler functions and (1 + t/τ)^-n) with
random signs around the coil; muscles are motor units whose potentials travel between electrodes; the amplifier clips
and recovers; sweat drifts, mains, blinks (some of them evoked by the pulse), saccades; a popping, a noisy, and two
bridged channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import mne
import numpy as np
import tep_held_out_artefacts as artefacts

TRUTH_WINDOW = (-0.5, 0.5)  # s
_BRAIN_BAND = 200.0  # Hz; cortical background ends here
_TEN_TEN = """
Fp1 Fp2 F3 F4 C3 C4 P3 P4 O1 O2 F7 F8 T7 T8 P7 P8 Fz Cz Pz Oz FC1 FC2 CP1 CP2 FC5 FC6 CP5 CP6 TP9 TP10 POz F1 F2
C1 C2 P1 P2 AF3 AF4 FC3 FC4 CP3 CP4 PO3 PO4 F5 F6 C5 C6 P5 P6 AF7 AF8 FT7 FT8 TP7 TP8 PO7 PO8 FT9 FT10 Fpz CPz
""".split()  # noqa: SIM905


@dataclass(frozen=True)
class Amplifier:
    """Rate (Hz), montage of MNE, rail and resolution (V; 0: none), reference electrode (None: free of reference)."""

    rate: float
    montage: str
    rail: float
    step: float
    reference: str | None
    dropped: tuple[str, ...] = ()


AMPLIFIERS = {
    "5000": Amplifier(5000.0, "easycap-M1", 3.2767e-3, 1e-7, "FCz"),
    "4800": Amplifier(4800.0, "easycap-M1", 0.25, 0.0, "FCz", ("Fpz",)),
    "2048": Amplifier(2048.0, "biosemi64", 0.262, 0.0, None),
}

# latency (s), peak (V) at the electrode that sees it best, order of the gamma shape, share of the rebound,
# centre of the patch (electrode), tilt of its normal towards another electrode (0 radial, 1 tangential)
_COMPONENTS = {
    "m1": (
        (0.0155, -3.2e-6, 22, 0.1, "C3", ("FC1", 0.9)),
        (0.031, 4.6e-6, 16, 0.2, "FC1", ("Fz", 0.5)),
        (0.045, -5.2e-6, 20, 0.15, "C3", ("CP5", 0.7)),
        (0.061, 4.2e-6, 18, 0.2, "CP1", ("Pz", 0.4)),
        (0.104, -7.5e-6, 14, 0.15, "C3", ("Cz", 0.3)),
        (0.104, -2.2e-6, 14, 0.1, "C4", ("C6", 0.2)),
        (0.187, 6.2e-6, 15, 0.1, "Cz", ("FC2", 0.3)),
    ),
    "dlpfc": (
        (0.025, 2.8e-6, 16, 0.2, "F3", ("FC5", 0.8)),
        (0.040, -3.6e-6, 18, 0.2, "F1", ("AF3", 0.6)),
        (0.060, 3.8e-6, 18, 0.2, "FC1", ("Cz", 0.5)),
        (0.112, -6.4e-6, 14, 0.15, "FC1", ("F3", 0.3)),
        (0.112, -1.8e-6, 14, 0.1, "CP2", ("P4", 0.3)),
        (0.186, 5.8e-6, 15, 0.1, "Cz", ("CPz", 0.3)),
    ),
}


@dataclass(frozen=True)
class HeldOut:
    """A recording, its truth, the average it would give without artefacts (V), times (s), and the bad channels."""

    raw: mne.io.BaseRaw
    truth: np.ndarray
    floor: np.ndarray
    times: np.ndarray
    bads: tuple[str, ...]


def held_out_session(site: str, rate: str, *, seed: int, n_pulses: int = 100) -> HeldOut:
    """Simulate a session at ``site`` (``m1``, ``dlpfc``) recorded by the amplifier of ``rate`` (5000, 4800, 2048)."""
    rng = np.random.default_rng([seed, 77])
    amplifier = AMPLIFIERS[rate]
    head = _Head(amplifier, rng)
    fs = amplifier.rate
    n = round((4.0 + 1.85 * n_pulses) * fs)
    pulses = 2.0 + np.cumsum(rng.uniform(1.6, 2.0, n_pulses)) - 1.6  # s; falls between samples
    x = _spectral_background(head, n, fs, rng)
    truth_times = np.arange(round(TRUTH_WINDOW[0] * fs), round(TRUTH_WINDOW[1] * fs)) / fs
    truth = _add_rhythms(x, head, pulses, fs, truth_times, rng)
    truth += _add_responses(x, head, site, pulses, fs, truth_times, rng)
    starts = np.round(pulses * fs).astype(int)
    floor = np.mean([x[:, start + round(TRUTH_WINDOW[0] * fs) :][:, : truth_times.size] for start in starts], axis=0)
    artefacts.add_eyes(x, head, site, pulses, fs, rng)
    artefacts.add_discharge(x, head, site, pulses, fs, rng)
    artefacts.add_muscles(x, head, site, pulses, fs, rng)
    artefacts.add_mains(x, fs, rng)
    x += 0.7e-6 * rng.standard_normal(x.shape, dtype=np.float32)
    if amplifier.reference is not None:
        x, truth, floor = (values - values[head.reference] for values in (x, truth, floor))
    bads = artefacts.spoil(x, head, site, fs, rng)
    artefacts.add_pulse(x, head, site, pulses, amplifier, rng)
    if amplifier.step:
        x = np.round(x / amplifier.step) * amplifier.step
    keep = [k for k in range(len(head.names)) if k != head.reference]
    info = mne.create_info([head.names[k] for k in keep], fs, "eeg")
    raw = mne.io.RawArray(x[keep], info, verbose="error")
    raw.set_montage(amplifier.montage, match_case=False, verbose="error")
    onsets = np.round(pulses * fs) / fs
    raw.set_annotations(mne.Annotations(onsets, 0.0, ["TMS"] * n_pulses))
    return HeldOut(raw, truth[keep], floor[keep], truth_times, bads)


class _Head:
    """Electrodes that sit off their template, in a sphere of other conductivities."""

    def __init__(self, amplifier: Amplifier, rng: np.random.Generator) -> None:
        montage = mne.channels.make_standard_montage(amplifier.montage)
        known = {name.lower(): name for name in montage.ch_names}
        wanted = montage.ch_names if amplifier.montage == "biosemi64" else [*_TEN_TEN, "FCz"]
        self.names = [known[name.lower()] for name in wanted if name not in amplifier.dropped]
        self.reference = self.names.index(amplifier.reference) if amplifier.reference else -1
        info = mne.create_info(self.names, amplifier.rate, "eeg").set_montage(montage, verbose="error")
        radius, centre, _ = mne.bem.fit_sphere_to_headshape(info, dig_kinds=("eeg",), units="m", verbose="error")
        for channel in info["chs"]:
            place = channel["loc"][:3] - centre + rng.normal(0.0, 0.003, 3)
            channel["loc"][:3] = centre + radius * place / np.linalg.norm(place)
        self.info, self.centre, self.radius = info, centre, radius
        self.place = np.array([channel["loc"][:3] for channel in info["chs"]]) - centre
        skull = 0.33 / rng.uniform(20.0, 40.0)
        self.sphere = mne.make_sphere_model(
            centre, radius, info, (0.89, 0.91, 0.955, 1.0), (0.3, 1.2, skull, 0.38), verbose="error"
        )

    def at(self, electrode: str) -> np.ndarray:
        """Position of an electrode (m from the centre); its standard place in the 10-10 system when it is not worn."""
        names = [name.lower() for name in self.names]
        if electrode.lower() in names:
            return np.asarray(self.place[names.index(electrode.lower())])
        template = mne.channels.make_standard_montage("easycap-M1").get_positions()["ch_pos"][electrode]
        return self.radius * template / np.linalg.norm(template)

    def lead(self, positions: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Potential of unit dipoles (n_channels, n_dipoles), free of reference."""
        n = len(positions)
        unit = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        dipoles = mne.Dipole(np.arange(n), positions + self.centre, np.full(n, 1e-8), unit, np.ones(n))
        forward, _ = mne.make_forward_dipole(dipoles, self.sphere, self.info, verbose="error")
        gain = np.asarray(forward["sol"]["data"])
        columns = (
            gain if gain.shape[1] == n else np.stack([gain[:, 3 * k : 3 * k + 3] @ unit[k] for k in range(n)], axis=1)
        )
        return columns

    def smooth(self, rng: np.random.Generator, reach: float) -> np.ndarray:
        """A random value for each electrode, alike where electrodes are closer than ``reach`` (m); unit variance."""
        distance = np.linalg.norm(self.place[:, None] - self.place[None], axis=2)
        kernel = np.exp(-0.5 * (distance / reach) ** 2)
        value = kernel @ rng.standard_normal(len(kernel))
        return np.asarray(value / np.sqrt((kernel**2).sum(axis=1)))


def _spectral_background(head: _Head, n: int, fs: float, rng: np.random.Generator) -> np.ndarray:
    """1/f activity of fifty sources and the drift of electrodes, mixed where they are sparse: in frequency."""
    frequency = np.fft.rfftfreq(n, 1.0 / fs)
    low = np.flatnonzero((frequency > 0) & (frequency < _BRAIN_BAND))
    f = frequency[low]
    direction = rng.standard_normal((50, 3)) + np.array([0.0, 0.0, 0.7])
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    lead = head.lead(direction * head.radius * rng.uniform(0.3, 0.8, (50, 1)), rng.standard_normal((50, 3)))
    spectrum = np.zeros((len(head.names), low.size), complex)
    for column in lead.T:
        slope = rng.uniform(0.8, 1.7)
        knee = rng.uniform(0.5, 4.0)
        shape = (f + knee) ** (-slope / 2) * np.exp(-((f / 150.0) ** 4))
        source = shape * (rng.standard_normal(f.size) + 1j * rng.standard_normal(f.size))
        source /= np.sqrt((np.abs(source) ** 2).sum())
        spectrum += np.outer(column / np.abs(column).max() * rng.lognormal(0.0, 0.5), source)
    spectrum *= 5e-6 / np.sqrt(
        np.median((np.abs(spectrum) ** 2).sum(axis=1))
    )  # 5 µV rms (times √2) at the median electrode
    slow = f < 0.5
    for k in range(len(head.names)):
        drift = (rng.standard_normal(slow.sum()) + 1j * rng.standard_normal(slow.sum())) / (f[slow] + 0.01)
        spectrum[k, slow] += rng.lognormal(np.log(15e-6), 0.6) * drift / np.sqrt((np.abs(drift) ** 2).sum())
    whole = np.zeros(frequency.size, complex)
    x = np.empty((len(head.names), n))
    for k, row in enumerate(spectrum):
        whole[low] = row
        x[k] = np.fft.irfft(whole, n) * n / np.sqrt(2)
    return x


def _add_rhythms(x, head, pulses, fs, truth_times, rng) -> np.ndarray:
    """Rhythms whose amplitude waxes and wanes; the pulse resets some in part. Returns the phase-locked mean."""
    rhythms = (("Oz", 10.2, 5e-6, 0.1), ("P4", 9.4, 4e-6, 0.0), ("C3", 11.0, 3e-6, 0.35), ("C3", 20.5, 1.5e-6, 0.4))
    rhythms += (("Fz", 6.1, 2.5e-6, 0.25), ("C4", 17.0, 1.2e-6, 0.0))
    n = x.shape[1]
    locked = np.zeros((len(head.names), truth_times.size))
    t = np.arange(round(-0.05 * fs), round(0.7 * fs))
    for electrode, centre, size, share in rhythms:
        where = head.at(electrode) * rng.uniform(0.6, 0.78)
        topography = head.lead(where[None], (where / np.linalg.norm(where) + 0.4 * rng.standard_normal(3))[None])[:, 0]
        topography *= size / np.abs(topography).max()
        f = centre * rng.uniform(0.95, 1.05)
        envelope, phase = _wander(n, fs, f, rng)
        ongoing = envelope * np.cos(phase)
        goal, delay, lasting = rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.05), rng.uniform(0.06, 0.14)
        mean = np.zeros(truth_times.size)
        for pulse in pulses:
            at = round(pulse * fs) + t
            time = at / fs - pulse
            after = np.clip(time - delay, 0.0, None)
            weight = share * (1 - np.exp(-after / 0.012)) * np.exp(-after / lasting)
            reset = weight * np.cos(2 * np.pi * f * time + goal + 0.3 * rng.standard_normal())
            ongoing[at] = (1 - weight) * ongoing[at] + reset
            mean += np.interp(truth_times, time, reset, left=0.0, right=0.0) / len(pulses)
        for k, gain in enumerate(topography):
            x[k] += gain * ongoing
        locked += np.outer(topography, mean)
    return locked


def _wander(n: int, fs: float, f: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Envelope (rms 1) and phase of a rhythm of about ``f``, wandering over seconds."""
    knots = np.arange(0, n + fs, 0.15 * fs)
    rough = rng.standard_normal((2, knots.size + 12))
    kernel = np.hanning(13)[1:-1]
    smooth = np.array([np.convolve(row, kernel, "valid")[: knots.size] for row in rough])
    smooth /= smooth.std(axis=1, keepdims=True)
    at = np.arange(n)
    knots = knots[: smooth.shape[1]]
    frequency = f + 0.5 * np.interp(at, knots, smooth[0])
    envelope = np.exp(0.6 * np.interp(at, knots, smooth[1]))
    return envelope / np.sqrt((envelope**2).mean()) * np.sqrt(2), 2 * np.pi * np.cumsum(frequency) / fs


def _add_responses(x, head, site, pulses, fs, truth_times, rng) -> np.ndarray:
    """Travelling waves on patches; latencies and sizes of single trials. Returns their mean over the trials."""
    components = [_Wave(head, row, rng) for row in _COMPONENTS[site]]
    t = np.arange(0, round(0.49 * fs))
    mean = np.zeros((len(head.names), truth_times.size))
    for pulse in pulses:
        at = round(pulse * fs) + t
        time = at / fs - pulse
        shared = rng.normal(0.0, 0.15)
        lag = rng.normal(0.0, 0.02)
        response = np.zeros((len(head.names), t.size))
        for wave in components:
            response += wave.trial(time, np.exp(shared + rng.normal(0.0, 0.25)), 1 + lag + rng.normal(0.0, 0.025))
        x[:, at] += response
        start = np.searchsorted(truth_times, 0.0)
        for k in range(len(mean)):
            mean[k, start:] += np.interp(truth_times[start:], time, response[k], left=0.0, right=0.0) / len(pulses)
    return mean


class _Wave:
    """One component: dipoles along a path that fire one after the other."""

    def __init__(self, head: _Head, row: tuple, rng: np.random.Generator) -> None:
        latency, size, order, rebound, centre, (towards, tilt) = row
        self.latency, self.order = latency * rng.uniform(0.94, 1.06), order * rng.uniform(0.8, 1.25)
        self.rebound = rebound
        middle = head.at(centre) / np.linalg.norm(head.at(centre))
        side = head.at(towards) - head.at(towards) @ middle * middle
        side /= np.linalg.norm(side)
        path = np.cross(middle, side) + rng.normal(0.0, 0.4) * side
        along = np.linspace(-0.5, 0.5, int(rng.integers(5, 10)))
        place = middle + np.outer(along * rng.uniform(0.15, 0.35), path) + rng.normal(0.0, 0.05, (along.size, 3))
        place *= head.radius * rng.uniform(0.7, 0.8, (along.size, 1)) / np.linalg.norm(place, axis=1, keepdims=True)
        normal = (1 - tilt) * middle + tilt * side + rng.normal(0.0, 0.25, (along.size, 3))
        self.delay = (
            along * self.latency / np.sqrt(self.order) * rng.uniform(0.4, 0.9)
        )  # the wave takes about its width
        self.lead = head.lead(place, normal)
        time = np.linspace(0.0, 3 * self.latency, 600)
        peak = np.abs(self.trial(time, 1.0, 1.0)).max()
        strongest = self.trial(time, 1.0, 1.0)[:, np.argmin(np.abs(time - self.latency))]
        sign = np.sign(strongest[np.argmax(np.abs(strongest))])
        self.lead *= size * sign * rng.uniform(0.8, 1.2) / peak

    def trial(self, time: np.ndarray, gain: float, stretch: float) -> np.ndarray:
        """Potentials (n_channels, n_times) of one trial."""
        peaks = self.latency * stretch + self.delay[:, None]
        moment = _gamma(time[None] / peaks, self.order)
        moment = moment - self.rebound * _gamma(time[None] / (1.6 * peaks), self.order * 0.8)
        return np.asarray(gain * (self.lead @ moment))


def _gamma(u: np.ndarray, order: float) -> np.ndarray:
    """(u e^(1-u))^order: 1 at u = 1, steeper before than after."""
    positive = np.clip(u, 1e-12, None)
    return np.where(u > 0, np.exp(order * (np.log(positive) + 1 - positive)), 0.0)
