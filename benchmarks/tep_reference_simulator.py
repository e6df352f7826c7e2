"""The TMS-EEG simulator on which the peers were first measured, written again from its description.

biosemi64 electrodes on MNE's three-shell sphere, 5 kHz, 2 s ± 0.2 between pulses over C3; Gaussian components, sixty
sources of 1/f^0.6 activity, three alpha sources, mains, blinks, two bad channels (PO8, AF4); the pulse rings for a
millisecond, twelve electrodes around C3 decay, and two muscles respond. The decay is ``biexponential`` as in the
description, or a ``power`` law or a ``stretched`` exponential of like size.
"""

from __future__ import annotations

from dataclasses import dataclass

import mne
import numpy as np

RATE = 5000.0  # Hz
BADS = ("PO8", "AF4")
DECAYS = ("biexponential", "power", "stretched")
TRUTH_WINDOW = (-0.5, 0.5)  # s
# latency (s), peak (V), width (s), electrodes with their weights, tangential share
_COMPONENTS = (
    (0.015, -4e-6, 0.0025, {"C3": 1.0}, 0.9),
    (0.030, 5e-6, 0.004, {"FCz": 1.0}, 0.0),
    (0.045, -6e-6, 0.005, {"C3": 1.0}, 0.5),
    (0.060, 5e-6, 0.007, {"CP3": 1.0}, 0.0),
    (0.100, -9e-6, 0.016, {"C3": 0.8, "C4": 0.2}, 0.0),
    (0.180, 8e-6, 0.028, {"Cz": 1.0}, 0.0),
)


@dataclass(frozen=True)
class Reference:
    """A recording, its noise-free response, the average it would give without artefacts (V), times (s), bads."""

    raw: mne.io.BaseRaw
    truth: np.ndarray
    floor: np.ndarray
    times: np.ndarray
    bads: tuple[str, ...]


def reference_session(decay: str, *, seed: int, n_pulses: int = 100) -> Reference:
    """Simulate a session over M1 whose electrodes decay as ``decay`` says."""
    if decay not in DECAYS:
        raise ValueError(f"unknown decay {decay!r}; expected one of {', '.join(DECAYS)}")
    rng = np.random.default_rng([seed, 3])
    head = _Head()
    onsets = 1.5 + np.cumsum(2.0 + rng.uniform(-0.2, 0.2, n_pulses)) - 2.0
    samples = np.round(onsets * RATE).astype(int)
    n = samples[-1] + round(1.5 * RATE)
    x = _background(head, n, rng)
    times = np.arange(round(TRUTH_WINDOW[0] * RATE), round(TRUTH_WINDOW[1] * RATE)) / RATE
    truth = _response(head, times)
    t = np.arange(round(0.9 * RATE)) / RATE
    after = times >= 0
    fixed, muscles = _artefacts(head, decay, t, rng)
    for start in samples:
        x[:, start : start + after.sum()] += rng.normal(1.0, 0.15) * truth[:, after]
    floor = np.mean([x[:, start + round(TRUTH_WINDOW[0] * RATE) :][:, : times.size] for start in samples], axis=0)
    _add_eyes_mains_and_bads(x, head, rng)
    for start in samples:
        x[:, start : start + t.size] += rng.normal(1.0, 0.1) * fixed
        for muscle in muscles:
            x[:, start : start + muscle.shape[1]] += rng.normal(1.0, 0.25) * muscle
    pulse = 5e-3 * np.cos(2 * np.pi * 2500.0 * t[:100] + 0.3) * np.exp(-t[:100] / 0.0006)
    pulse = np.outer(rng.uniform(0.2, 1.0, len(x)), pulse)
    for start in samples:
        x[:, start : start + pulse.shape[1]] += pulse
    raw = mne.io.RawArray(x, head.info, verbose="error")
    raw.set_annotations(mne.Annotations(samples / RATE, 0.0, ["TMS"] * n_pulses))
    return Reference(raw, truth, floor, times, BADS)


class _Head:
    def __init__(self) -> None:
        montage = mne.channels.make_standard_montage("biosemi64")
        self.info = mne.create_info(montage.ch_names, RATE, "eeg").set_montage(montage, verbose="error")
        self.names = list(montage.ch_names)
        self.sphere = mne.make_sphere_model("auto", "auto", self.info, verbose="error")
        self.centre, self.radius = self.sphere["r0"], self.sphere["layers"][-1]["rad"]
        place = np.array([channel["loc"][:3] for channel in self.info["chs"]]) - self.centre
        self.unit = place / np.linalg.norm(place, axis=1, keepdims=True)

    def towards(self, electrode: str) -> np.ndarray:
        return self.unit[self.names.index(electrode)]

    def fields(self, positions: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Average-referenced fields (n_channels, n_dipoles); the largest value is 1, positive."""
        n = len(positions)
        normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        dipoles = mne.Dipole(np.arange(n), positions + self.centre, np.full(n, 1e-8), normals, np.ones(n))
        forward, _ = mne.make_forward_dipole(dipoles, self.sphere, self.info, verbose="error")
        gain = forward["sol"]["data"]
        if gain.shape[1] != n:
            gain = np.stack([gain[:, 3 * k : 3 * k + 3] @ normals[k] for k in range(n)], axis=1)
        gain = gain - gain.mean(axis=0)
        strongest = gain[np.argmax(np.abs(gain), axis=0), np.arange(n)]
        return np.asarray(gain / strongest)

    def nearness(self, electrode: str, width: float) -> np.ndarray:
        away = np.linalg.norm(self.unit - self.towards(electrode), axis=1)
        return np.asarray(np.exp(-(away**2) / width))


def _response(head: _Head, times: np.ndarray) -> np.ndarray:
    truth = np.zeros((len(head.names), times.size))
    for latency, size, width, electrodes, tangential in _COMPONENTS:
        field = np.zeros(len(head.names))
        for electrode, weight in electrodes.items():
            radial = head.towards(electrode)
            tangent = np.cross(radial, [1.0, 0.0, 0.0])
            normal = (1 - tangential) * radial + tangential * tangent / np.linalg.norm(tangent)
            field += weight * head.fields((0.72 * head.radius * radial)[None], normal[None])[:, 0]
        truth += np.outer(size * field / np.abs(field).max(), np.exp(-0.5 * ((times - latency) / width) ** 2))
    truth[:, times < 0] = 0.0
    return truth


def _background(head: _Head, n: int, rng: np.random.Generator) -> np.ndarray:
    """1/f activity, alpha and sensor noise."""
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    low = np.flatnonzero((frequency > 0) & (frequency < 300.0))  # what lies above is below the sensor noise
    shape = np.maximum(frequency[low], 1.0) ** -0.6
    direction = rng.standard_normal((60, 3))
    direction[:, 2] = np.abs(direction[:, 2])
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    fields = head.fields(direction * head.radius * 0.7 * rng.uniform(0.6, 1.0, (60, 1)), rng.standard_normal((60, 3)))
    source = shape * (rng.standard_normal((60, low.size)) + 1j * rng.standard_normal((60, low.size)))
    source *= n / (2 * np.sqrt((shape**2).sum()))  # unit variance
    spectrum = 1.6e-6 * fields @ source
    x = np.empty((len(head.names), n))
    whole = np.zeros(frequency.size, complex)
    for k, row in enumerate(spectrum):
        whole[low] = row
        x[k] = np.fft.irfft(whole, n)
    t = np.arange(n) / RATE
    knots = np.arange(0.0, t[-1] + 2, 1.0)
    places = np.array([head.towards(name) for name in ("O1", "Pz", "O2")])
    for field in head.fields(0.7 * head.radius * places, places).T:
        speed = 10.0 + 0.5 * rng.standard_normal(knots.size)
        phase = 2 * np.pi * np.cumsum(np.interp(t, knots, speed)) / RATE
        x += np.outer(field, 5e-6 * np.cos(phase + rng.uniform(0, 2 * np.pi)))
    x += 1e-6 * rng.standard_normal(x.shape, dtype=np.float32)
    return x


def _add_eyes_mains_and_bads(x, head: _Head, rng: np.random.Generator) -> None:
    n = x.shape[1]
    t = np.arange(n) / RATE
    for line, size in ((50.02, 3e-6), (100.04, 0.8e-6), (150.06, 0.5e-6)):
        wave = np.cos(2 * np.pi * line * t + rng.uniform(0, 2 * np.pi))
        x += np.outer(0.7 * size * rng.uniform(0.5, 1.5, len(x)), wave)
    blink = head.nearness("Fpz", 0.35)
    for centre in np.cumsum(rng.exponential(5.0, round(t[-1] / 3))):
        at = np.arange(round((centre - 0.25) * RATE), round((centre + 0.25) * RATE))
        at = at[(at >= 0) & (at < n)]
        x[:, at] += np.outer(blink, rng.uniform(100e-6, 200e-6) * np.exp(-0.5 * ((at / RATE - centre) / 0.06) ** 2))
    x[head.names.index("PO8")] += 40e-6 * rng.standard_normal(n)
    knots = np.arange(0.0, t[-1] + 2, 1.0)
    walk = np.cumsum(rng.standard_normal(n)) * 30e-6 / np.sqrt(0.3 * RATE)  # 30 µV in 0.3 s
    x[head.names.index("AF4")] += walk - np.interp(t, knots, np.interp(knots, t, walk)) * 0.9


def _artefacts(head: _Head, decay: str, t: np.ndarray, rng: np.random.Generator):
    """What every pulse leaves: decay (n_channels, n_times), and each muscle's burst."""
    fixed = np.zeros((len(head.names), t.size))
    near = np.argsort(np.linalg.norm(head.unit - head.towards("C3"), axis=1))[:12]
    curve = {
        "biexponential": np.exp(-t / 0.012),
        "power": 2.0 * (1 + t / 0.004) ** -1.2,
        "stretched": 1.5 * np.exp(-((t / 0.010) ** 0.6)),
    }[decay]
    for k in near:
        fixed[k] = rng.uniform(30e-6, 90e-6) * rng.choice([-1, 1]) * curve
    slow = (3e-6 if decay == "power" else 6e-6) * rng.uniform(-1, 1, len(head.names))
    fixed += np.outer(slow, np.exp(-t / 0.12))
    fixed *= np.clip((t[-1] - t) / 0.2, 0.0, 1.0)
    short = t[: round(0.06 * RATE)]
    bursts = (
        (head.nearness("FT7", 0.15), 250e-6, 110.0, 0.006, 0.0035, 0.0),
        (head.nearness("F7", 0.2), 90e-6, 75.0, 0.010, 0.006, 1.0),
    )
    muscles = [
        np.outer(field, size * np.cos(2 * np.pi * f * short + phase) * np.exp(-0.5 * ((short - centre) / width) ** 2))
        for field, size, f, centre, width, phase in bursts
    ]
    return fixed, muscles
