"""What each protocol gives: its kinds of trials, how many of each and in which order, and in which channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_Channels = Mapping[str, Mapping[str, Any]]
_HAND: _Channels = {"RFDI": {}, "LES": {}}
_ONE_HAND: _Channels = {"RFDI": {}}
_TRUNK: _Channels = {"LES": {}, "RES": {}}


@dataclass(frozen=True)
class Design:
    """Trials of one protocol.

    Attributes
    ----------
    rows : tuple of dict
        One a kind of trial, in stimulus columns; ``percent`` and ``conditioning_percent`` are intensities in
        percent of threshold, ``steps`` one in %MSO from a first guess of it.
    n_trials : int
        Trials a row.
    order : str
        ``random``; ``given`` (one row after the other); ``tracked`` (intensities follow from the responses).
    state : str
        ``rest`` or ``active``.
    contraction : float
        Strength of the contraction relative to the usual one.
    relative_to : str
        Which threshold percentages are of: ``rmt`` or ``amt``.
    channels : mapping
        What is recorded where nothing else is said, with changes to the usual physiology.
    interval : float
        Shortest time from trial to trial that the epochs of the protocol need (s).
    heart : bool
        Heart beats in the muscles of the trunk, and an ECG channel.
    """

    rows: tuple[dict, ...]
    n_trials: int = 12
    order: str = "random"
    state: str = "rest"
    contraction: float = 1.0
    relative_to: str = "rmt"
    channels: _Channels = field(default_factory=lambda: _HAND)
    interval: float = 0.0
    heart: bool = False


def _singles(*percent, **columns):
    return tuple({"pulse_count": 1, "percent": level, **columns} for level in percent)


def _pairs(intervals, conditioning, test, *, alone=None, **columns):
    """Test pulses alone, and pairs at some intervals; intensities of first and last pulse in percent."""
    first = {"pulse_count": 1, "percent": test if alone is None else alone}
    return (
        first,
        *(
            {
                "pulse_count": 2,
                "inter_stimulus_interval": interval,
                "percent": test,
                "conditioning_percent": conditioning,
                **columns,
            }
            for interval in intervals
        ),
    )


def _intensity_curve(**options):
    levels = (45.0, 55.0, 65.0, 75.0, 85.0, 95.0, 105.0)
    pair = {"pulse_count": 2, "inter_stimulus_interval": 0.002, "percent": 120.0}
    rows = (*_singles(120.0, 120.0), *({**pair, "conditioning_percent": level} for level in levels))
    return Design(rows, channels=_ONE_HAND, **options)


def _tracked(*intervals, **columns):
    return Design(_pairs(intervals, 80.0, 100.0, **columns), 40, order="tracked", channels=_ONE_HAND)


def _grid(percent):
    steps = [0.01 * step for step in range(-3, 4)]
    return tuple(row for x in steps for y in steps for row in _singles(percent, coil_x=x, coil_y=y, coil_z=0.05))


def _facilitation(intervals, **options):
    # the first pulse drives the response, and is the one alone
    return Design(_pairs(intervals, 120.0, 90.0, alone=120.0), channels=_ONE_HAND, **options)


_NERVE = {"stimulus_type": "nerve", "pulse_count": 1}
_SHOCK = {"conditioning_type": "nerve", "conditioning_target": "median nerve"}
_F_WAVES = (*_singles(130.0), {**_NERVE, "intensity": 50.0, "muscle_state": "rest"})
_TRIPLE = {"stimulus_type": "nerve", "pulse_count": 3, "inter_stimulus_interval": 0.0265, "intensity": 50.0}
_SICF_SUM = _pairs((0.0014, 0.0027, 0.0043), 120.0, 100.0, alone=120.0)
_BACK: dict[str, Any] = {"state": "active", "contraction": 0.4, "relative_to": "amt", "channels": _TRUNK, "heart": True}
_SLIGHT: dict[str, Any] = {"state": "active", "contraction": 0.2, "channels": _ONE_HAND}
_THRESHOLD_STEPS = tuple({"pulse_count": 1, "steps": float(step)} for step in range(6, -7, -2))
_AREAS = tuple(_pairs((0.006,), 90.0, 120.0, conditioning_target=area)[1] for area in ("premotor", "parietal"))

DESIGNS = {
    "m1/resting_motor_threshold": Design(_THRESHOLD_STEPS, 10, order="given"),
    "m1/mep": Design(_singles(120.0), 20),
    "m1/recruitment_curve": Design(_singles(*range(90, 160, 10)), 8),
    "m1/cortical_silent_period": Design(_singles(130.0), 15, state="active"),
    "m1/sici": Design(_pairs((0.002, 0.003), 80.0, 120.0)),
    "m1/icf": Design(_pairs((0.010, 0.015), 80.0, 120.0)),
    "m1/sicf": Design(_pairs((0.0014, 0.0027, 0.0043), 120.0, 90.0, alone=120.0)),
    "m1/lici": Design(_pairs((0.100,), 120.0, 120.0)),
    "m1/lcd": Design(_pairs((0.200, 0.230), 120.0, 120.0), 20, channels=_ONE_HAND),
    "m1/ihi": Design(_pairs((0.010, 0.040), 120.0, 120.0, conditioning_target="right M1"), 15, channels=_ONE_HAND),
    "m1/lihi": Design(_pairs((0.040, 0.050), 120.0, 120.0, conditioning_target="right M1"), 15, channels=_ONE_HAND),
    "m1/cbi": Design(_pairs((0.005, 0.007), 110.0, 120.0, conditioning_target="cerebellum"), 15, channels=_ONE_HAND),
    "m1/dual_site": Design((*_singles(120.0), *_AREAS), 20, channels=_ONE_HAND),
    "m1/sai": Design(_pairs((0.021, 0.025), 20.0, 120.0, **_SHOCK), 15, channels=_ONE_HAND),
    "m1/sai_n20": Design(
        (
            *_singles(120.0),
            *(
                {**_pairs((0.0205 + after,), 20.0, 120.0, **_SHOCK)[1], "interval_after_n20": after}
                for after in (0.002, 0.006)
            ),
        ),
        15,
        channels=_ONE_HAND,
    ),
    "m1/lai": Design(_pairs((0.200,), 20.0, 120.0, **_SHOCK), 20, channels=_ONE_HAND, interval=1.25),
    "m1/sicf_curve": _facilitation([round(0.0001 * step, 4) for step in range(10, 50, 2)], n_trials=20),
    "m1/sicf_sum": Design((*_SICF_SUM, *_singles(100.0)), 15, channels=_ONE_HAND),
    "m1/paired_pulse_curve": Design(
        (*_singles(120.0), *_pairs((0.001, 0.002, 0.006, 0.012, 0.030, 0.1, 0.2, 0.5), 80.0, 120.0)),
        channels=_ONE_HAND,
    ),
    "m1/sici_intensity_curve": _intensity_curve(),
    "m1/sici_intensity_curve_rmt": _intensity_curve(),
    "m1/sici_intensity_curve_amt": _intensity_curve(relative_to="amt"),
    "m1/threshold_tracking_sici": _tracked(0.001, 0.003),
    "m1/threshold_tracking_icf": _tracked(0.010, 0.015),
    "m1/threshold_tracking_sai": _tracked(0.021, 0.025, **_SHOCK),
    "m1/intensity_for_1mv": Design(_singles(100.0, 105.0, 110.0, 115.0, 120.0, 125.0, 130.0), 8, channels=_ONE_HAND),
    "m1/active_motor_threshold": Design(
        tuple({"pulse_count": 1, "steps": 2.0 * step} for step in range(4, -5, -1)), 10, order="given", **_SLIGHT
    ),
    "m1/i_wave_latency": Design(
        tuple(_singles(115.0, current_direction=direction)[0] for direction in ("PA", "AP", "LM")), 20, **_SLIGHT
    ),
    "m1/central_conduction": Design(
        (*_singles(130.0), {"pulse_count": 1, "stimulus_type": "root", "intensity": 70.0}), 10, **_SLIGHT
    ),
    "m1/central_conduction_f_wave": Design(_F_WAVES, 25, order="given", **_SLIGHT),
    "m1/central_conduction_f_wave_foot": Design(
        _F_WAVES,
        25,
        order="given",
        **{**_SLIGHT, "channels": {"RTA": {"latency": 0.038, "central_conduction": 0.0145, "m_wave_latency": 0.0045}}},
    ),
    "m1/triple_stimulation": Design(
        ({**_TRIPLE, "conditioning_type": "nerve"}, {**_TRIPLE, "conditioning_type": "tms"}), 8, **_SLIGHT
    ),
    "m1/m_max": Design(
        (*_singles(120.0, 120.0, 120.0, 120.0), *({**_NERVE, "intensity": 5.0 * step} for step in range(2, 11))),
        6,
        channels=_ONE_HAND,
    ),
    "m1/ipsilateral_silent_period": Design(_singles(140.0, hemisphere="right"), 25, state="active", channels=_ONE_HAND),
    "m1/plasticity": Design(
        tuple(_singles(120.0, block=block)[0] for block in ("pre", "post0", "post10", "post30")),
        25,
        order="given",
        channels=_ONE_HAND,
    ),
    "m1/motor_map": Design(
        _grid(125.0), 3, channels={"RFDI": {"map_centre": (0.002, -0.003)}, "RADM": {"map_centre": (-0.004, 0.004)}}
    ),
    "m1/mep_trunk": Design(_singles(130.0), 25, **{**_BACK, "contraction": 1.0}),
    "m1/sici_trunk": Design(_pairs((0.002, 0.003), 80.0, 130.0), 20, **_BACK),
    "m1/sicf_trunk": Design(_pairs((0.0014,), 130.0, 90.0, alone=130.0), 20, **_BACK),
    "m1/cortical_silent_period_trunk": Design(_singles(140.0), 25, **{**_BACK, "contraction": 1.0}),
    "m1/motor_map_trunk": Design(
        _grid(130.0), 3, **{**_BACK, "channels": {"LES": {"map_centre": (0.002, -0.003)}, "RES": {}}}
    ),
    "m1/recruitment_curve_trunk": Design(_singles(*range(80, 150, 10)), 10, **_BACK),
    "m1/active_motor_threshold_trunk": Design(
        tuple({"pulse_count": 1, "steps": 2.0 * step} for step in range(5, -6, -1)), 10, order="given", **_BACK
    ),
    "m1/trunk_laterality": Design(
        tuple(_singles(130.0, hemisphere=side)[0] for side in ("left", "right")), 25, **_BACK
    ),
    "m1/anticipatory_activation": Design(
        ({"stimulus_type": "movement"},), 15, channels={"RAD": {}, "LES": {}}, interval=3.0, heart=True
    ),
}
