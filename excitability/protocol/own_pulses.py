"""Whether the stimuli of a recording are those that a protocol of evoked potentials asks for."""

from __future__ import annotations

import pandas as pd

from ..measures import get_measure
from ..query import names
from .grammar import Protocol

_INTERVAL = "inter_stimulus_interval"
_PAIRS = "conditioned"  # what measures of pairs beside single pulses are over
_ALIKE = 2.0  # % of the stimulator's output by which pulses of one condition may differ
#: Words by which a laboratory names the area that a protocol is for.
_AREAS = {"M1": ("m1", "motor"), "DLPFC": ("dlpfc", "prefrontal")}


def refuse_missing_conditions(protocol: Protocol, pulses: pd.DataFrame) -> None:
    """Refuse a protocol of pairs where no trial is a pair, or none is what the pairs are compared with.

    Parameters
    ----------
    protocol : Protocol
    pulses : DataFrame
        Stimuli, with ``condition`` (empty where none applies).

    Raises
    ------
    ValueError
        Naming the condition, its query, and what is not known of the trials.

    Examples
    --------
    >>> import excitability as ex
    >>> pulses = pd.DataFrame({"pulse_count": [1.0, 1.0], "condition": ["test", "test"]})
    >>> refuse_missing_conditions(ex.load_protocol("dlpfc/sici_tep"), pulses)
    Traceback (most recent call last):
    ...
    ValueError: dlpfc/sici_tep: no trial is a pair: condition 'isi_{inter_stimulus_interval}' (0.001 <= inter_stimulus_interval <= 0.006) has none of the 2 trials (test: 2); inter_stimulus_interval is known of none: ex.read(path, stimuli=…), --stimuli LOG.csv
    """  # noqa: E501
    conditioned = [
        dict(entry) for key, entry in protocol.average.items() if get_measure(entry.get("measure", key)).over == _PAIRS
    ]
    if not conditioned or not len(pulses):
        return
    present = pulses.loc[pulses["condition"] != "", "condition"].astype(str)
    pairs = {name: query for name, query in protocol.conditions.items() if _INTERVAL in names(query)}
    if pairs and not any(present.str.startswith(name.split("{")[0]).any() for name in pairs):
        raise ValueError(f"{protocol.name}: no trial is a pair: {_told(pairs, present, pulses)}")
    base = {word: protocol.conditions[word] for word in {str(entry.get("test", "test")) for entry in conditioned}}
    if not any((present == word).any() for word in base):
        raise ValueError(f"{protocol.name}: nothing to compare pairs with: {_told(base, present, pulses)}")


def _told(asked: dict[str, str], present: pd.Series, pulses: pd.DataFrame) -> str:
    """Which conditions have no trial, what the others have, and what is not known of the trials."""
    queries = " or ".join(f"condition {name!r} ({query})" for name, query in asked.items())
    counts = ", ".join(f"{name}: {count}" for name, count in present.value_counts(sort=False).items())
    unknown = []
    for name in sorted({word for query in asked.values() for word in names(query) if _needed(word)}):
        missing = int(pulses[name].isna().sum()) if name in pulses else len(pulses)
        if missing:
            unknown.append(f"{name} is known of {'none' if missing == len(pulses) else f'{len(pulses) - missing}'}")
    told = f"{queries} has none of the {len(pulses)} trials ({counts or 'no condition has any'})"
    return "; ".join([told, *unknown]) + ": ex.read(path, stimuli=…), --stimuli LOG.csv" * bool(unknown)


def _needed(name: str) -> bool:
    """Whether a condition cannot hold where this column is not known."""
    return name in ("pulse_count", _INTERVAL)


def flags_of_pulses(protocol: Protocol, pulses: pd.DataFrame) -> list[str]:
    """Flags on all rows: single pulses of which nobody said what they are, mixed intensities, and another area.

    Parameters
    ----------
    protocol : Protocol
    pulses : DataFrame
        Stimuli, with ``condition``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import excitability as ex
    >>> pulses = pd.DataFrame({"pulse_count": [1.0, 2.0], "inter_stimulus_interval": [float("nan"), 0.003]})
    >>> pulses = pulses.assign(condition=["test", "isi_0.003"], target="left DLPFC")
    >>> flags_of_pulses(ex.load_protocol("m1/sici_tep"), pulses)
    ['single_pulses_assumed_test', 'another_target']
    """
    if "condition" not in pulses or not len(pulses):
        return []
    own = pulses[pulses["condition"] != ""]
    flags = []
    if "conditioning" in protocol.conditions and not (own["condition"] == "conditioning").any():
        test = own[own["condition"] == "test"]
        said = [name for name in ("intensity", "intensity_rmt", "intensity_amt") if name in test]
        if len(test) and test[said].isna().all(axis=1).any():
            flags.append("single_pulses_assumed_test")
    if "intensity" in own and (_spread(own["intensity"], own["condition"]) > _ALIKE).any():
        flags.append("mixed_intensities")
    if "target" in own and protocol.target in _AREAS:
        flags += ["another_target"] if own["target"].map(lambda area: _is_other(area, protocol.target)).any() else []
    return flags


def _spread(values: pd.Series, condition: pd.Series) -> pd.Series:
    groups = values.astype(float).groupby(condition.astype(str))
    return groups.max() - groups.min()


def _is_other(area: object, target: str) -> bool:
    """Whether what was said of the stimulated area names another one, and not that of the protocol."""
    said = str(area).lower()
    named = {name for name, words in _AREAS.items() if any(word in said for word in words)}
    return bool(named) and target not in named
