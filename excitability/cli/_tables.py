"""Results of one recording, printed for a terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from ..protocol import Run

_WORDS, _TABLE = 100, 120  # characters of a line of words and of a table, where no terminal says how many it shows


def show_results(done: Run, told: Iterable[str] = (), *, everything: bool = False) -> None:
    """Print what a protocol found: the main rows, then in words what they mean and what is not among them.

    ``told`` are the notes of the recording.
    """
    from rich.console import Console

    from ..html_report._tables import main_rows
    from ..schema import QUALITY

    console = Console(width=None if sys.stdout.isatty() else _TABLE, highlight=False)
    shown, hidden = main_rows(done.results, everything=everything)
    quality = shown["measure"].str.startswith(QUALITY)
    folded = shown[quality] if not everything and not quality.all() else shown.iloc[:0]
    shown = shown.drop(folded.index)
    notes: dict[str, int] = {}
    console.print(_grid(shown, notes), width=None if sys.stdout.isatty() else _TABLE)
    without = done.results[~done.results["measure"].str.startswith(QUALITY)] if len(folded) else done.results
    lines = (*_flags(notes), *_quality(folded), *_meanings(done, shown), *_rejected(done))
    for line in ("", *lines, *_without_value(without, shown)):
        console.print(line, width=None if sys.stdout.isatty() else _WORDS)
    for note in told:
        console.print(f"Note: {note}", markup=False, width=None if sys.stdout.isatty() else _WORDS)
    if len(hidden):
        names = ", ".join(dict.fromkeys(hidden["measure"]))
        rows = f"{len(hidden)} row{'s' * (len(hidden) != 1)} of {names}"
        console.print(f"Not shown: {rows}; --all shows them.", width=None if sys.stdout.isatty() else _WORDS)


def _grid(results: pd.DataFrame, notes: dict[str, int]) -> object:
    """The rows as a table in display units; ``notes`` takes up their flags, numbered."""
    from rich.table import Table

    from ..html_report._tables import decimals, number
    from ..html_report._tep_quality import is_gain
    from ..labels import condition_label
    from ..schema import display_units

    grid = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("channel", "condition", "measure", "value", "95 % interval", "unit", "trials", "note"):
        side: Literal["left", "right"] = "right" if name in ("value", "trials") else "left"
        grid.add_column(name, justify=side, no_wrap=name != "measure", overflow="fold")
    before = ""
    for row, (factor, unit) in zip(results.to_dict("records"), display_units(results), strict=True):
        value, low, high = (float(row[name]) * factor for name in ("value", "ci_low", "ci_high"))
        if is_gain(str(row["measure"])):  # its limits are no sampling limits
            low = high = math.nan
        places = 2 if is_gain(str(row["measure"])) else decimals(value, low, high)
        interval = "" if math.isnan(low) and math.isnan(high) else f"{number(low, places)} to {number(high, places)}"
        lost = f" (−{int(row['n_rejected'])})" if row["n_rejected"] else ""
        marks = [str(notes.setdefault(flag, len(notes) + 1)) for flag in str(row["flag"]).split(";") if flag]
        channel = str(row["channel"])
        grid.add_row(
            "" if channel == before else channel,
            condition_label(str(row["condition"])),
            str(row["measure"]),
            number(value, places),
            interval,
            unit if unit == "%" else " ".join(word for word in (unit, str(row["form"]).replace("_", " ")) if word),
            f"{int(row['n_trials'])}{lost}",
            " ".join(marks),
        )
        before = channel
    return grid


def _quality(rows: pd.DataFrame) -> Iterator[str]:
    """The rows on quality of each condition in one line: what was kept, and the weakest of each kind."""
    from ..labels import condition_label, name_in_words
    from ..schema import QUALITY

    for condition, own in rows.groupby("condition", sort=False):
        values = own.assign(measure=own["measure"].str.removeprefix(QUALITY)).set_index("measure")["value"]
        kept = (("trials_kept", "trials"), ("channels_kept", "channels"))
        parts = [", ".join(f"{values[name]:.0f} {what}" for name, what in kept if name in values) + " kept"]
        for end, what in (("_gain", "lowest gain of a peak"), ("_snr", "lowest signal over noise")):
            of_peaks = values[[name for name in values.index if name.endswith(end) and name != "source_gain"]]
            if len(of_peaks):
                peak = name_in_words(str(of_peaks.idxmin()).removesuffix(end))
                parts.append(f"{what} {of_peaks.min():.2f} ({peak})")
        if math.isfinite(values.get("usable_from", math.nan)):
            parts.append(f"usable from {values['usable_from'] * 1e3:.0f} ms")
        told = [flag for flags in own["flag"] for flag in str(flags).split(";") if flag]
        parts += [f"marked {', '.join(dict.fromkeys(told))}"] if told else []
        label = condition_label(str(condition))
        yield f"Quality{f' ({label})' * bool(label)}: {'; '.join(parts)}; --all shows {len(own)} rows."


def _flags(notes: dict[str, int]) -> Iterator[str]:
    from ..html_report._flags import flag_in_words

    for flag, place in notes.items():
        name = "" if flag.startswith("see_log:") else f"{flag}: "
        yield f"[bold]{place}[/bold] {name}{flag_in_words(flag)}"


def _meanings(done: Run, shown: pd.DataFrame) -> Iterator[str]:
    """How a ratio is read, and which mean over trials a row is."""
    from ..labels import ratio_in_words

    if shown["form"].eq("ratio").any():
        yield ratio_in_words(done.protocol.name)
    means: dict[str, list[str]] = {}
    for key, arguments in done.protocol.summary.items():
        if arguments.get("measure", key) == "trial_mean" and key in set(shown["measure"]):
            means.setdefault(str(arguments.get("statistic", "mean")).replace("_", " "), []).append(key)
    for statistic, names in means.items():
        yield f"{', '.join(names)}: {'arithmetic mean' if statistic == 'mean' else statistic} over trials."


def _rejected(done: Run) -> Iterator[str]:
    """How many trials of a channel were left out, and why."""
    from ..html_report._flags import reasons_in_words

    trials = done.trials
    if not len(trials) or "reject" not in trials:
        return
    if "condition" in trials:
        trials = trials[trials["condition"].fillna("").ne("")]
    for channel, own in trials.groupby("channel", sort=False):
        lost = own.loc[own["reject"].fillna("") != "", "reject"]
        if len(lost):
            yield f"{channel}: {len(lost)} of {len(own)} trials rejected: {reasons_in_words(lost)}."


def _without_value(results: pd.DataFrame, shown: pd.DataFrame) -> Iterator[str]:
    """Rows without a value, those of one channel and reason in one line."""
    from ..html_report._flags import flag_in_words
    from ..labels import condition_label

    rest = results[results["value"].isna()].drop(shown.index, errors="ignore")
    for (channel, flag), own in rest.groupby(["channel", "flag"], sort=False):
        names: dict[str, list[str]] = {}
        for condition, measure in zip(own["condition"], own["measure"], strict=True):
            names.setdefault(str(measure), []).append(condition_label(str(condition)))
        told = ", ".join(
            f"{name} ({', '.join(when)})" if any(when) and len(when) < 4 else name for name, when in names.items()
        )
        why = "; ".join(flag_in_words(word) for word in str(flag).split(";") if word)
        yield f"{channel}, no value: {told}" + f" – {why}." * bool(why)


def show_changes(change: pd.DataFrame, *, literature: bool = True) -> None:
    """Print the sentences of a comparison: what was measured once, a line a group and time below it.

    Behind a sentence stands its p value corrected for the tests of its family, where there are several, and what was
    asked for beyond; below them what the ``literature`` says of the measure.
    """
    from rich.console import Console

    from ..comparison.sentences import detectable_in_words, subject
    from ..labels import capital, without_subject

    console = Console(width=None if sys.stdout.isatty() else _WORDS, highlight=False, markup=False)
    keys = ["protocol", "measure", "channel", "condition"]
    found: dict[str, list[str]] = {}
    for key, own in change.fillna({name: "" for name in keys}).groupby(keys, sort=False):
        name = subject(*map(str, key)).rstrip(",")
        below = without_subject(name, [str(text) for text in own["sentence"]])
        if below is not None:
            console.print(capital(name))
        rows = own.to_dict("records")
        for row, text in zip(rows, below if below is not None else own["sentence"], strict=True):
            console.print(_hanging(" ".join([str(text), *_beside(row)]), console.width))
        for told in (str(row.get("literature", "")).partition("; this study:")[0] for row in rows):
            found.setdefault(told, []).append(name.partition(" in ")[0])
    for told, names in found.items():
        if literature and told:
            home = ", ".join(dict.fromkeys(names))
            console.print(_hanging(f"{told.replace('Literature', f'Literature on {home}', 1)}.", console.width, ""))
    spoken = change["sentence"].astype(str).str.contains("detectable: ", regex=False)
    told = detectable_in_words([str(flag) for flag in change["flag"][spoken]])
    if told:
        console.print(told)


def _beside(row: dict[Hashable, Any]) -> Iterator[str]:
    """What follows the sentence of a contrast: corrected p value, equivalence, Bayes factor."""
    from ..comparison.bayes_factors import in_words

    adjusted, how = float(row.get("p_adjusted", math.nan)), str(row.get("adjustment", ""))
    if math.isfinite(adjusted) and not how.endswith(", 1 test"):
        p = "p < 0.001" if adjusted < 0.001 else f"p = {adjusted:.2g}"
        yield f"Corrected ({how}): {p}."
    told, bound = str(row.get("equivalence_sentence", "")), float(row.get("equivalence_bound", math.nan))
    if told and math.isfinite(bound):
        yield f"Equivalence: {told.partition(': ')[2]}"
    elif told:
        yield f"Equivalence: cannot be said, {_why_no_bound(str(row.get('flag', '')))}."
    factor = float(row.get("bayes_factor", math.nan))
    if math.isfinite(factor):
        yield f"Bayes factor: {in_words(factor)}."


def _why_no_bound(flag: str) -> str:
    """Why a bound of equivalence that comes from the detectable change is not known."""
    if "sdc_uncertain" in flag:
        return "as the detectable change comes from too few people (11 are needed)"
    if "sdc_unknown" in flag:
        return "as no detectable change is known (repeated baselines or a control group give one)"
    return "as the bound is not known on this scale"


def show_families(change: pd.DataFrame, absent: Iterable[str] = ()) -> None:
    """Print for each family that is not primary what remains after correction, and what was not measured."""
    from rich.console import Console

    from ..comparison.sentences import subject

    console = Console(width=None if sys.stdout.isatty() else _WORDS, highlight=False, markup=False)
    for family in ("secondary", "exploratory"):
        own = change[change["family"].eq(family) & change["p_adjusted"].notna()]
        held = own[own["p_adjusted"] < 0.05].sort_values("p_adjusted", kind="stable")
        if not len(own):
            continue
        console.print(f"{family.capitalize()}: {len(held)} of {len(own)} tests below 0.05 after correction")
        for row in held.head(5).to_dict("records"):
            name = subject(*(str(row[word]) for word in ("protocol", "measure", "channel", "condition"))).rstrip(",")
            where = ", ".join(word for word in (str(row["group"]), str(row["contrast"])) if word != "all")
            size = row["percent_change"]
            size = f"{size:+.0f} %, " if math.isfinite(size) else ""
            console.print(_hanging(f"{name} ({where}): {size}corrected p = {row['p_adjusted']:.2g}", console.width))
        if len(held) > 5:
            console.print(f"  and {len(held) - 5} more in the table")
    for outcome in absent:
        console.print(f"Declared, but not measured: {outcome}")


def show_clusters(found: pd.DataFrame) -> None:
    """Print what cluster tests found, and how many found nothing or cannot; the sentence of each is in the table."""
    from rich.console import Console

    from ..comparison._cluster_words import clusters_in_brief

    console = Console(width=None if sys.stdout.isatty() else _WORDS, highlight=False, markup=False)
    for text in clusters_in_brief(found):
        console.print(_hanging(text, console.width))


def _hanging(text: str, width: int, first: str = "– ") -> str:
    """A line that begins with a dash, its continuation set in."""
    import textwrap

    text = text.replace(" %", "\u00a0%")  # a number is never parted from its sign
    return textwrap.fill(text, max(width, 40), initial_indent=first, subsequent_indent="  ")
