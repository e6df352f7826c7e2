"""Artefacts of `tep_held_out_simulator.py`. NOBODY MAY TUNE ON IT: do not read this when you work on cleaning."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

_FINE = 50_000.0  # Hz; where the pulse is clipped and filtered
_COIL = {"m1": "C3", "dlpfc": "F3"}
# muscles: where the fibres begin and end (electrodes), units, size (V) at the nearest electrode
_MUSCLES = {
    "m1": (("FT7", "T7", 25, 120e-6), ("F7", "FT7", 15, 60e-6)),
    "dlpfc": (("F7", "FT7", 30, 260e-6), ("AF7", "F7", 25, 160e-6), ("FT8", "F8", 10, 50e-6)),
}


def add_eyes(x, head, site, pulses, fs, rng) -> None:
    """Blinks by themselves and with the pulse, and saccades."""
    eyes = [head.radius * np.array([side * 0.38, 1.0, -0.25]) for side in (-1, 1)]
    near = [1 / (np.linalg.norm(head.place - eye, axis=1) / head.radius + 0.12) ** 2.2 for eye in eyes]
    vertical, horizontal = near[0] + near[1], near[1] - near[0]
    vertical, horizontal = vertical / vertical.max(), horizontal / np.abs(horizontal).max()
    n = x.shape[1]
    blinks = list(np.cumsum(rng.exponential(5.0, round(n / fs / 4))) + 0.3)
    reflex = 0.05 if site == "m1" else 0.12
    blinks += [pulse + rng.uniform(0.045, 0.09) for pulse in pulses if rng.random() < reflex]
    t = np.arange(0, round(0.45 * fs)) / fs
    for start in blinks:
        at = round(start * fs) + np.arange(t.size)
        if at[-1] < n:
            rise, fall = rng.uniform(0.04, 0.06), rng.uniform(0.07, 0.1)
            shape = (1 - np.exp(-((t / rise) ** 2))) * np.exp(-((t / (2 * fall)) ** 2))
            x[:, at] += np.outer(vertical * rng.uniform(80e-6, 220e-6), shape / shape.max())
    gaze = np.zeros(n)
    for start in np.cumsum(rng.exponential(7.0, round(n / fs / 6))):
        gaze[min(round(start * fs), n - 1) :] += rng.normal(0.0, 25e-6)
    decay = np.exp(-1 / (fs * 2.0))
    gaze = sosfilt(np.array([[1.0, -1.0, 0.0, 1.0, -decay, 0.0]]), gaze)
    for k, gain in enumerate(horizontal):
        x[k] += gain * gaze


def add_discharge(x, head, site, pulses, fs, rng) -> None:
    """Electrodes return to rest as fractional elements do: neither one nor two exponentials."""
    distance = np.linalg.norm(head.place - head.at(_COIL[site]), axis=1)
    count = len(head.names)
    size = 55e-6 * np.exp(-distance / 0.05) * np.exp(0.6 * head.smooth(rng, 0.03)) + 3e-6
    sign = np.where(head.smooth(rng, 0.02) + 0.4 * rng.standard_normal(count) > 0, 1.0, -1.0)
    t = np.arange(1, round(1.2 * fs))
    wear = np.exp(-np.arange(len(pulses)) / 200.0)
    for k in range(count):
        tau, alpha = rng.uniform(0.006, 0.02), rng.uniform(0.6, 0.95)
        n_slow, tau_slow, share = rng.uniform(0.5, 1.3), rng.uniform(0.004, 0.012), rng.uniform(0.05, 0.35)
        fine = np.concatenate([[0.0], np.geomspace(1e-4, 1.25, 400)])
        curve = (1 - share) * _mittag_leffler(fine / tau, alpha) + share * (1 + fine / tau_slow) ** -n_slow
        curve *= np.clip((1.2 - fine) / 0.4, 0.0, 1.0)  # fades out before the next pulse
        for pulse, worn in zip(pulses, wear, strict=True):
            first = int(np.ceil(pulse * fs))
            at = first + t
            scale = size[k] * sign[k] * worn * rng.normal(1.0, 0.12)
            x[k, at] += scale * np.interp(at / fs - pulse, fine, curve)


def _mittag_leffler(u: np.ndarray, alpha: float) -> np.ndarray:
    """E_α(-u^α) for 0 < α < 1 by its spectrum of exponentials."""
    log_rate = np.linspace(-16.0, 16.0, 400)
    rate = np.exp(log_rate)
    weight = rate**alpha * np.sin(alpha * np.pi) / (rate ** (2 * alpha) + 2 * rate**alpha * np.cos(alpha * np.pi) + 1)
    weight /= weight.sum()
    return np.asarray(np.exp(-np.outer(u, rate)) @ weight)


def add_muscles(x, head, site, pulses, fs, rng) -> None:
    """Motor units under the coil: potentials that travel from electrode to electrode and end together."""
    t = np.arange(0, round(0.06 * fs))
    for begin, end, count, size in _MUSCLES[site]:
        fibre = head.at(end) - head.at(begin)
        length = np.linalg.norm(fibre)
        along = fibre / length
        scale = size * rng.lognormal(0.0, 0.4) / np.sqrt(count)
        units = []
        for _ in range(count):
            where = head.at(begin) + fibre * rng.uniform(0.0, 0.6) + rng.normal(0.0, 0.006, 3)
            offset = head.place - where
            gain = 1 / (1 + (np.linalg.norm(offset, axis=1) / 0.022) ** 2.5)
            delay = np.clip(offset @ along, -length, length) / rng.uniform(3.5, 5.0)
            units.append(
                (gain * rng.exponential(scale), delay, rng.normal(0.0065, 0.0012), rng.uniform(0.0012, 0.0028))
            )
        again = rng.random(count) < 0.4
        for pulse in pulses:
            at = round(pulse * fs) + t
            time = at / fs - pulse
            strength = rng.lognormal(0.0, 0.3)
            for (gain, delay, latency, width), twice in zip(units, again, strict=True):
                for start in (latency, latency + rng.normal(0.011, 0.002))[: 1 + int(twice)]:
                    u = (time[None] - start - rng.normal(0.0, 0.0005) - delay[:, None]) / width
                    x[:, at] += (strength * gain)[:, None] * (u * (1 - 0.35 * u)) * np.exp(-0.8 * u * u) * 1.6


def add_mains(x, fs, rng) -> None:
    t = np.arange(x.shape[1]) / fs
    swell = 1 + 0.3 * np.sin(2 * np.pi * 0.03 * t + rng.uniform(0, 6))
    for harmonic, size in ((1, 2.5e-6), (2, 0.3e-6), (3, 0.8e-6)):
        wave = swell * np.exp(2j * np.pi * 50.02 * harmonic * t)
        for k in range(len(x)):
            gain = rng.rayleigh(size) * np.exp(1j * rng.normal(0.5, 0.8))
            x[k] += gain.real * wave.real - gain.imag * wave.imag


def spoil(x, head, site, fs, rng) -> tuple[str, ...]:
    """A popping and a noisy channel, and two that are bridged; none of them next to the coil."""
    distance = np.linalg.norm(head.place - head.at(_COIL[site]), axis=1)
    far = [k for k in np.argsort(distance)[20:] if k != head.reference]
    popping, noisy, bridged = (int(k) for k in rng.choice(far, 3, replace=False))
    n = x.shape[1]
    t = np.arange(round(1.5 * fs)) / fs
    for start in np.cumsum(rng.exponential(2.5, round(n / fs / 2))):
        at = round(start * fs) + np.arange(t.size)
        if at[-1] < n:
            x[popping, at] += (
                rng.choice([-1, 1]) * rng.lognormal(np.log(150e-6), 0.6) * np.exp(-t / rng.uniform(0.1, 0.6))
            )
    x[noisy] += 25e-6 * rng.standard_normal(n)
    gap = np.linalg.norm(head.place - head.place[bridged], axis=1)
    gap[[bridged, popping, noisy]] = np.inf
    if head.reference >= 0:
        gap[head.reference] = np.inf
    twin = int(np.argmin(gap))
    x[bridged] = x[twin] = 0.5 * (x[bridged] + x[twin])
    return tuple(head.names[k] for k in (popping, noisy, bridged, twin))


def add_pulse(x, head, site, pulses, amplifier, rng) -> None:
    """The pulse through a converter that clips, its low-pass, and channels that stay at the rail for a while."""
    fs, rail = amplifier.rate, amplifier.rail
    distance = np.linalg.norm(head.place - head.at(_COIL[site]), axis=1)
    strength = 40e-3 * np.exp(-distance / 0.04) * rng.lognormal(0.0, 0.5, len(x)) + 0.5e-3
    strength *= rng.choice([-1.0, 1.0], len(x))
    t = np.arange(round(0.012 * _FINE)) / _FINE
    shape = np.where(t < 280e-6, np.cos(2 * np.pi * t / 280e-6), 0.0) + 0.05 * np.exp(-t / 0.4e-3)
    low_pass = butter(4, 0.24 * fs, fs=_FINE, output="sos")
    clipped = np.clip(np.outer(strength, shape), -rail, rail)
    waves = sosfilt(low_pass, clipped, axis=1)
    stuck = np.where(np.abs(strength) > rail, 0.4e-3 + 1.0e-3 * np.log(np.abs(strength) / rail), 0.0)
    for pulse in pulses:
        first = int(np.ceil(pulse * fs))
        at = first + np.arange(round(0.0115 * fs))
        time = at / fs - pulse
        for k in range(len(x)):
            x[k, at] += rng.normal(1.0, 0.01) * np.interp(time, t, waves[k])
            if stuck[k] > 0:
                held = time < stuck[k]
                x[k, at[~held]] += 0.02 * rail * np.sign(strength[k]) * np.exp(-(time[~held] - stuck[k]) / 0.0007)
                x[k, at[held]] = rail * np.sign(strength[k])
    np.clip(x, -rail, rail, out=x)
