"""Trials for the last measurement only: recordings built from motor unit pools and volume conduction.

Whoever tunes the package must not read this simulator (what was seen of it is in README.md). It shares no code with
``excitability.simulate``. A recording is one person: a pool of motor units in order of size (threshold, size, nerve
and fibre conduction velocity), each a few bundles of fibres at their own depth and end-plate. A fibre action
potential is a current tripole that leaves the end-plate both ways and stops at the tendons; electrodes see it through
an anisotropic volume. A pulse sends volleys 1.3 to 1.6 ms apart; their postsynaptic potentials add up in the
motoneurons, and a unit fires where they cross its threshold. Small responses are therefore of other units, later, and
of another shape than large ones. In contraction the same units fire asynchronously and pause after a response. Artefact
and all else pass one causal amplifier and its converter. Everything is made at 30 kHz and sampled after the amplifier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.signal import butter, sosfilt

FINE = 30_000  # Hz; a multiple of 2, 3, 5 and 10 kHz
SETTLE = 0.15  # s before the epoch, in which the amplifier settles
UNITS = 120
HIGH_PASS = 1  # sections of the amplifier's high-pass, of order 2
ARTEFACTS = ("none", "decay", "ringing", "saturation", "recovery")
DISTURBANCES = ("usual", "motor unit", "heartbeat", "bursts", "drift", "mains")


@dataclass(frozen=True)
class Muscle:
    """Geometry and conduction; lengths in m, times in s."""

    central: float
    nerve: float
    half_fibre: float
    velocity: tuple[float, float]  # of nerve fibres, smallest and largest unit (m/s)
    electrodes: tuple[float, float]  # along the fibres from the end-plates: active, reference
    depth: tuple[float, float]


MUSCLES = {
    "FDI": Muscle(0.0060, 0.71, 0.018, (48.0, 62.0), (0.001, 0.045), (0.003, 0.008)),
    "TA": Muscle(0.0122, 0.84, 0.048, (42.0, 54.0), (0.015, 0.035), (0.005, 0.015)),
    "ES": Muscle(0.0080, 0.30, 0.030, (45.0, 58.0), (0.008, 0.028), (0.008, 0.020)),
}


def held_out_trials(
    n: int,
    *,
    seed: int | np.random.SeedSequence | np.random.Generator,
    sampling_rate: float = 5000.0,
    muscle: str = "FDI",
    background: str = "rest",
    artefact: str = "decay",
    disturbance: str = "usual",
    noise_rms: tuple[float, float] = (10e-6, 20e-6),
    amplitude_median: float = 0.6e-3,
    no_response: float = 0.2,
    tmin: float = -0.1,
    tmax: float = 0.2,
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Trials of one recording, their times and their truth.

    Returns
    -------
    x : array, shape (n, n_times)
        V.
    times : array, shape (n_times,)
        s from the pulse.
    truth : DataFrame
        ``present``; ``onset`` (s, first time the noise-free response exceeds 1 % of its peak-to-peak); ``amplitude``
        (V, peak-to-peak of the noise-free response, 0 without one); ``noise_rms`` (V, what ``disturbance`` adds to
        it apart); ``silence_end`` (s, first spike after the pause; NaN at rest).
    """
    step = round(FINE / sampling_rate)
    if step * sampling_rate != FINE:
        raise ValueError(f"sampling_rate is {sampling_rate:g}; expected a divisor of {FINE} Hz")
    for given, known in ((muscle, MUSCLES), (artefact, ARTEFACTS), (disturbance, DISTURBANCES)):
        if given not in known:
            raise ValueError(f"{given!r} is unknown; expected one of {', '.join(known)}")
    rng = np.random.default_rng(seed)
    fine = np.arange(round((tmin - SETTLE) * FINE), round(tmax * FINE)) / FINE
    amplifier = _amplifier(rng, sampling_rate)
    pool = _Pool.draw(rng, MUSCLES[muscle])
    present = rng.permutation(np.arange(n) >= round(no_response * n))
    spikes = pool.evoked(rng, present)
    response = sosfilt(amplifier, _sum_of_units(pool.shapes, spikes, fine), axis=1)
    scale = amplitude_median * rng.lognormal(0, 0.1) / np.median(np.ptp(response[present], axis=1))
    response *= scale
    truth = _truth(response, present, fine)
    level = rng.uniform(*noise_rms, n) if background == "rest" else noise_rms[0] + np.ptp(noise_rms) * rng.beta(1, 2, n)
    truth["noise_rms"], truth["silence_end"] = level, np.nan
    if background == "active":
        noise, truth["silence_end"] = pool.contraction(rng, level, spikes, fine, amplifier, scale)
        noise += 2.5e-6 * rng.standard_normal(noise.shape) * np.sqrt(FINE / 2000)
        noise = sosfilt(amplifier, noise, axis=1)
        truth["noise_rms"] = noise[:, (fine >= -0.1) & (fine < -0.005)].std(axis=1)
    else:
        noise = _electronics(rng, n, fine, amplifier, level, disturbance)
    usual_size = float(np.mean(level))
    noise += sosfilt(amplifier, _disturbed(rng, n, fine, disturbance, muscle, background, usual_size, pool), axis=1)
    # decay, ringing and saturation are over within about 15 ms, as in most recordings; through the amplifier's
    # high-pass they leave an undershoot of 40 ms, which is a kind of its own
    whole = amplifier if artefact == "recovery" else amplifier[HIGH_PASS:]
    noise += sosfilt(whole, _artefact(rng, n, fine, artefact), axis=1)
    kept = np.flatnonzero(fine >= tmin - 0.5 / FINE)[::step]
    bit = rng.choice([0.05e-6, 0.1e-6, 0.25e-6, 0.5e-6])
    return np.round((response + noise)[:, kept] / bit) * bit, fine[kept], truth


def _amplifier(rng: np.random.Generator, rate: float) -> np.ndarray:
    """Causal high-pass of 10 to 20 Hz, order 2, and low-pass of 500 to 1000 Hz, order 2 or 4."""
    low = rng.uniform(500, min(1000, 0.42 * rate))
    high_pass = butter(2 * HIGH_PASS, rng.uniform(10, 20), "highpass", fs=FINE, output="sos")
    return np.concatenate([high_pass, butter(rng.choice([2, 4]), low, fs=FINE, output="sos")])


def _truth(response: np.ndarray, present: np.ndarray, fine: np.ndarray) -> pd.DataFrame:
    size = np.where(present, np.ptp(response, axis=1), 0.0)
    first = np.argmax(np.abs(response) > 0.01 * size[:, None], axis=1)
    return pd.DataFrame({"present": present, "amplitude": size, "onset": np.where(present, fine[first], np.nan)})


@dataclass
class _Pool:
    """Motor units of one muscle, small ones first."""

    shapes: np.ndarray  # (units, samples), of any unit
    size: np.ndarray
    threshold: np.ndarray
    delay: np.ndarray  # s from the motoneuron to the muscle fibre
    central: float
    volleys: np.ndarray  # s from the first
    weights: np.ndarray
    scatter: float  # of a spike's time, s

    @classmethod
    def draw(cls, rng: np.random.Generator, muscle: Muscle) -> _Pool:
        """A person's pool."""
        rank = np.arange(UNITS) / (UNITS - 1)
        size = np.exp(np.log(rng.uniform(30, 80)) * rank) * rng.lognormal(0, 0.2, UNITS)
        threshold = np.exp(np.log(rng.uniform(6, 12)) * rank)
        slow, fast = muscle.velocity
        velocity = slow + (fast - slow) * rank**0.7 + rng.normal(0, 1.2, UNITS)
        height = rng.normal(1, 0.04)
        shapes = np.array([_unit_potential(rng, muscle, r) for r in rank])
        shapes *= (size / np.ptp(shapes, axis=1))[:, None]
        interval = rng.uniform(0.0013, 0.0016)
        volleys = np.cumsum(np.r_[0, interval * rng.normal(1, 0.06, rng.integers(3, 6))])
        weights = rng.dirichlet(np.full(volleys.size, 4.0))
        delay = muscle.nerve * height / velocity + 0.0008
        return cls(
            shapes, size, threshold, delay, muscle.central * height, volleys, weights, rng.uniform(0.0001, 0.0006)
        )

    def evoked(self, rng: np.random.Generator, present: np.ndarray) -> list[list[tuple[int, float]]]:
        """Spikes (unit, time at the muscle in s) that the pulse evokes in each trial."""
        share = np.cumsum(self.size) / self.size.sum()
        state = _slow_state(rng, present.size)
        reached = np.clip(np.searchsorted(share, np.minimum(0.13 * np.exp(state), 0.95)), 2, UNITS - 1)
        t = np.arange(0, 0.016, 1 / FINE)
        found: list[list[tuple[int, float]]] = []
        for top, responds in zip(reached, present, strict=True):
            if not responds:
                found.append([])
                continue
            weights = self.weights * rng.lognormal(0, 0.25, self.weights.size)
            rise = np.zeros(t.size)
            for start, weight in zip(self.volleys + rng.normal(0, 0.00005, self.volleys.size), weights, strict=True):
                u = np.clip(t - start, 0, None)
                rise += weight * (1 - np.exp(-u / 0.0006)) * np.exp(-u / 0.009)
            climb = np.maximum.accumulate(rise / rise.max())
            need = self.threshold / self.threshold[top] * rng.lognormal(0, 0.07, UNITS)
            need[: 1 + top // 8] = np.minimum(need[: 1 + top // 8], 0.99)  # the smallest never fail together
            units = np.flatnonzero(need <= 1)
            at = t[np.searchsorted(climb, need[units])] + rng.normal(0, self.scatter, units.size)
            spikes = list(zip(units.tolist(), (self.central + at + self.delay[units]).tolist(), strict=True))
            again = units[(need[units] < 0.35) & (rng.random(units.size) < 0.25)]
            first = dict(spikes)
            spikes += [(int(unit), first[int(unit)] + rng.uniform(0.0045, 0.009)) for unit in again]
            found.append(spikes)
        return found

    def contraction(
        self,
        rng: np.random.Generator,
        level: np.ndarray,
        evoked: list[list[tuple[int, float]]],
        fine: np.ndarray,
        amplifier: np.ndarray,
        scale: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ongoing EMG of the given level (V, RMS) and the end of its pause (s).

        As many units as the level needs fire at 7 to 20 per second; what the whole pool cannot give is scaled.
        """
        filtered = sosfilt(amplifier, np.pad(self.shapes, ((0, 0), (0, 900))), axis=1)
        power = scale**2 * np.cumsum(np.sum(filtered**2, axis=1) / FINE * 12.0)
        trains, ends = [], np.full(level.size, np.nan)
        gain = np.ones(level.size)
        for j, wanted in enumerate(level):
            top = min(int(np.searchsorted(power, wanted**2)) + 1, UNITS)
            gain[j] = wanted / np.sqrt(power[top - 1])
            end = rng.normal(0.115, 0.02) if evoked[j] else np.inf
            train = _trains(rng, top, fine)
            if evoked[j]:
                pause = min(at for _, at in evoked[j])
                busy = dict(evoked[j])
                train = [
                    (unit, at)
                    for unit, at in train
                    if at > end + 0.02 * rng.random() or at < min(pause, busy.get(unit, pause) - 0.006)
                ]
                ends[j] = min((at for _, at in train if at > pause), default=np.nan)
            trains.append(train)
        return _sum_of_units(self.shapes * scale, trains, fine) * gain[:, None], ends


def _slow_state(rng: np.random.Generator, n: int) -> np.ndarray:
    """Logarithm of the excitability: slow drift (a third of the variance) and what changes from trial to trial."""
    drift = np.zeros(n)
    for j in range(1, n):
        drift[j] = 0.95 * drift[j - 1] + np.sqrt(1 - 0.95**2) * rng.standard_normal()
    return np.sqrt(1 / 3) * drift + np.sqrt(2 / 3) * rng.standard_normal(n)


def _trains(rng: np.random.Generator, top: int, fine: np.ndarray) -> list[tuple[int, float]]:
    """Spikes of the ``top`` smallest units; the smallest fire fastest."""
    found = []
    for unit in range(top):
        interval = 1 / (8 + 10 * (1 - unit / max(top, 1)) + rng.normal(0, 1))
        at = fine[0] - rng.uniform(0, interval)
        while at < fine[-1]:
            found.append((unit, at))
            at += interval * max(rng.normal(1, 0.18), 0.4)
    return found


def _sum_of_units(shapes: np.ndarray, spikes: list[list[tuple[int, float]]], fine: np.ndarray) -> np.ndarray:
    """Trials as the sum of the potentials of their spikes."""
    length = shapes.shape[1]
    out = np.zeros((len(spikes), fine.size + 2 * length))
    for trial, pairs in zip(out, spikes, strict=True):
        for unit, at in pairs:
            start = round((at - fine[0]) * FINE) + length
            if 0 <= start < fine.size + length:
                trial[start : start + length] += shapes[unit]
    return out[:, length : length + fine.size]


def _unit_potential(rng: np.random.Generator, muscle: Muscle, rank: float, bundles: int = 6) -> np.ndarray:
    """Potential of one unit at two electrodes: tripoles that leave the end-plate both ways and end at the tendons."""
    velocity = 3.4 + 1.4 * rank + rng.normal(0, 0.2)  # m/s, of the muscle fibres
    t = np.arange(0, muscle.half_fibre / velocity + 0.010, 1 / FINE)
    first, last = rng.uniform(0.0025, 0.0045), rng.uniform(0.009, 0.014)  # m behind the leading pole
    poles = ((0.0, 1.0), (first, -last / (last - first)), (last, first / (last - first)))
    centre, lateral = rng.normal(0, 0.003), rng.normal(0, 0.004)
    depth = rng.uniform(*muscle.depth)
    out = np.zeros(round(0.045 * FINE))
    for _ in range(bundles):
        plate = centre + rng.normal(0, 0.002)
        radius = 1.8 * np.hypot(depth + rng.normal(0, 0.001), lateral + rng.normal(0, 0.0015))  # anisotropy
        late = round(max(rng.normal(0.0004, 0.0002), 0) * FINE)
        potential = np.zeros(t.size)
        for way in (-1, 1):
            end = muscle.half_fibre + rng.normal(0, 0.002)
            for behind, current in poles:
                place = plate + way * np.clip(velocity * t - behind, 0, end)
                for electrode, sign in zip(muscle.electrodes, (1, -1), strict=True):
                    potential += sign * current / np.hypot(place - electrode, max(radius, 0.002))
        out[late : late + t.size] += potential[: out.size - late]
    return out


def _electronics(rng, n, fine, amplifier, level, disturbance):
    """Amplifier and mains behind the amplifier's filters, of the given RMS before the pulse in every trial."""
    spectrum = np.fft.rfftfreq(fine.size, 1 / FINE)
    steep = 2.0 if disturbance == "drift" else rng.uniform(0.8, 1.2)
    corner = rng.uniform(60, 150) if disturbance == "drift" else rng.uniform(10, 60)
    colour = np.sqrt(1 + (corner / np.maximum(spectrum, 1.0)) ** steep)
    if disturbance == "drift":
        colour = (corner / np.maximum(spectrum, 3.0)) ** 1.0 + 0.15
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal((n, fine.size)), axis=1) * colour, fine.size, axis=1)
    noise = sosfilt(amplifier, noise, axis=1)
    before = (fine < -0.005) & (fine > -0.1)
    share = rng.uniform(0.8, 0.97) if disturbance == "mains" else rng.uniform(0, 0.4)
    hum = np.zeros_like(noise)
    mains = rng.normal(50, 0.03)
    for order, size in ((1, 1.0), (2, rng.uniform(0, 0.15)), (3, rng.uniform(0, 0.5)), (5, rng.uniform(0, 0.3))):
        hum += size * np.sin(2 * np.pi * mains * order * fine + order * rng.uniform(0, 2 * np.pi, (n, 1)))
    usual = np.sqrt(np.mean(noise[:, before] ** 2))
    noise = noise / usual * np.sqrt(1 - share**2) + hum / np.sqrt(np.mean(hum[:, before] ** 2)) * share
    return noise * level[:, None]


def _disturbed(rng, n, fine, disturbance, muscle, background, size, pool):
    """What comes on top of noise: a unit that fires by itself, the heart, bursts (V)."""
    out = np.zeros((n, fine.size))
    long = fine[-1] - fine[0]
    if disturbance == "motor unit":
        rate, unit = rng.uniform(4, 12), int(rng.integers(0, UNITS // 3))
        spikes = []
        for _ in range(n):
            at = fine[0] + np.cumsum(rng.normal(1, 0.15, int(rate * long) + 3) / rate) - rng.uniform(0, 1) / rate
            spikes.append([(unit, float(value)) for value in at])
        shape = pool.shapes / np.ptp(pool.shapes[unit]) * size * rng.uniform(4, 12)
        out += _sum_of_units(shape, spikes, fine)
    if disturbance == "heartbeat" or (muscle == "ES" and disturbance == "usual"):
        waves = ((0, 0.010, 1.0), (-0.022, 0.008, -0.2), (0.022, 0.010, -0.35), (0.23, 0.045, 0.22), (-0.16, 0.02, 0.1))
        period, height = rng.uniform(0.65, 1.05), size * rng.uniform(3, 12)
        if background == "active":
            height = rng.uniform(60e-6, 200e-6)
        for trial in out:
            for beat in np.arange(fine[0] - rng.uniform(0, period), fine[-1] + period, period):
                for late, width, part in waves:
                    trial += height * part * np.exp(-0.5 * ((fine - beat - late) / width) ** 2)
    if disturbance == "bursts":
        rate = rng.uniform(1, 3)
        raw = sosfilt(butter(2, (40, 300), "bandpass", fs=FINE, output="sos"), rng.standard_normal(out.shape), axis=1)
        raw /= raw[:, fine.size // 4 :].std()
        for trial, carrier in zip(out, raw, strict=True):
            for at in rng.uniform(fine[0], fine[-1], rng.poisson(rate * long)):
                width = rng.uniform(0.006, 0.02)
                trial += carrier * size * rng.uniform(1, 5) * np.exp(-0.5 * ((fine - at) / width) ** 2)
    return out


def _artefact(rng, n, fine, kind):
    """What the pulse leaves at the amplifier's input (V), alike in all trials but for its size."""
    if kind == "none":
        return np.zeros((n, fine.size))
    t = np.clip(fine, 0, None)
    after = fine >= 0
    sign = rng.choice([-1, 1])
    sizes = sign * rng.lognormal(0, 0.12, (n, 1))
    spike = np.where(after & (fine < 0.0003), np.sin(2 * np.pi * t / 0.0003), 0) * rng.uniform(2e-3, 15e-3)
    slow = rng.uniform(0.002, 0.005) * rng.lognormal(0, 0.05, (n, 1))
    tail = np.exp(-t / rng.uniform(0.0005, 0.0015)) + rng.uniform(0.15, 0.5) * np.exp(-t / slow)
    tail = np.where(after, tail, 0) * rng.uniform(0.2e-3, 1e-3)
    if kind in ("decay", "recovery"):
        return sizes * (spike + tail)
    if kind == "ringing":
        beat = np.cos(2 * np.pi * rng.uniform(150, 500) * t + rng.uniform(0, 6)) * np.exp(
            -t / rng.uniform(0.0015, 0.004)
        )
        return sizes * (spike + np.where(after, beat, 0) * rng.uniform(0.5e-3, 2.5e-3))
    limit = rng.uniform(0.5e-3, 1.5e-3)
    return np.clip(sizes * (spike + tail * rng.uniform(15, 60) * np.exp(-t / 0.002)), -limit, limit)
