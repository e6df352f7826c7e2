"""The look of every figure, in one place; nothing global is changed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from ..labels import CONTROL
from ..schema import display

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ONE_COLUMN, TWO_COLUMNS = 3.5, 7.09  # inches: the usual 89 and 180 mm of journals
INK, SOFT, FAINT, BAND = "#222222", "#6b6b6b", "#b8b8b8", "#ececec"
#: Okabe and Ito's colours, which colour-blind readers tell apart; blue is kept for controls.
BLUE = "#0072B2"
PALETTE = ("#D55E00", "#009E73", "#8B5FBF", "#E69F00", "#56B4E9", "#CC79A7")
_FONTS = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")
SMALL = 7.0

_P = ParamSpec("_P")
_R = TypeVar("_R")


@functools.cache
def _fonts() -> list[str]:
    """The preferred fonts this machine has: a missing one would be complained about at every text."""
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return [name for name in _FONTS if name in installed] or ["DejaVu Sans"]


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib settings of the package's figures, for the duration of a ``with`` block.

    Examples
    --------
    >>> import matplotlib
    >>> with style():
    ...     matplotlib.rcParams["axes.spines.top"]
    False
    >>> matplotlib.rcParams["axes.spines.top"]
    True
    """
    import matplotlib
    from cycler import cycler

    settings: Any = {
        "font.family": _fonts(),
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.titlepad": 5,
        "axes.labelsize": 8,
        "axes.labelcolor": INK,
        "axes.edgecolor": SOFT,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "axes.prop_cycle": cycler(color=[BLUE, *PALETTE]),
        "text.color": INK,
        "legend.frameon": False,
        "legend.fontsize": SMALL,
        "legend.handlelength": 1.5,
        "legend.columnspacing": 1.4,
        "lines.solid_capstyle": "round",
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "savefig.dpi": 192,
        "figure.dpi": 96,
        "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and edited
        "pdf.fonttype": 42,
        "path.simplify": True,
    }
    with matplotlib.rc_context(settings):
        yield


def styled(draw: Callable[_P, _R]) -> Callable[_P, _R]:
    """Run a figure function within :func:`style`."""

    @functools.wraps(draw)
    def within_style(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with style():
            return draw(*args, **kwargs)

    return within_style


def new_figure(width: float, height: float) -> Figure:
    """An empty figure that no window knows of, laid out by matplotlib's constrained layout."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    arrange(figure, w_pad=0.04, h_pad=0.05, wspace=0.03, hspace=0.04)
    return figure


def arrange(figure: Figure, **settings: Any) -> None:
    """Settings of the figure's constrained layout."""
    engine: Any = figure.get_layout_engine()
    engine.set(**settings)


def tidy(ax: Axes) -> None:
    """Fix the ticks' look now: they are made when drawn, which may be outside :func:`style`."""
    ax.tick_params(
        which="major", labelsize=SMALL, width=0.7, length=2.5, color=SOFT, labelcolor=INK,
        labelfontfamily=_fonts(), pad=2,
    )  # fmt: skip
    ax.tick_params(which="minor", width=0.5, length=1.5, color=SOFT)


def key(figure: Figure, handles: list[Any], *, where: Any = "outside lower left", columns: int = 6) -> None:
    """One line that says what is drawn, outside the panels."""
    if handles:
        figure.legend(handles=handles, loc=where, ncols=columns, borderaxespad=0.2, handletextpad=0.5)


def group_colours(groups: Iterable[str]) -> dict[str, str]:
    """A colour for each group, the same in every figure: blue for controls and for a single group.

    >>> group_colours(["patient", "control"])["control"]
    '#0072B2'
    """
    names = sorted(set(groups))
    controls = [name for name in names if CONTROL.match(name)] or names[:1]
    others = [name for name in names if name != controls[0]] if names else []
    chosen = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(others)}
    return {**dict.fromkeys(controls[:1], BLUE), **chosen}


def readable(unit: str, values: Any) -> tuple[float, str]:
    """Factor and label that show SI values of this size: millivolts, or microvolts for small ones.

    >>> readable("V", [0.8e-3, 1.2e-3]), readable("V", [-4e-6])
    ((1000.0, 'mV'), (1000000.0, 'µV'))
    """
    sizes = np.abs(np.asarray(values, dtype=float))
    sizes = sizes[np.isfinite(sizes)]
    return display(unit, float(np.median(sizes)) if sizes.size else np.nan)


def with_unit(text: str, unit: str) -> str:
    """``text (unit)``, or the text alone where there is no unit."""
    return f"{text} ({unit})" if unit else text


def plain_log_axis(axis: Any, low: float, high: float) -> None:
    """Ticks of a logarithmic axis as plain numbers (0.5, 1, 2), few enough to be read."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    decades = 10.0 ** np.arange(np.floor(np.log10(low)) - 1, np.ceil(np.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = np.unique(np.round(np.outer(decades, steps).ravel(), 12))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if ticks.size <= 7:
            break
    if ticks.size < 3:  # a narrow range is nearly linear
        ticks = np.asarray(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
    axis.set_major_locator(FixedLocator(ticks.tolist()))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def line_handle(label: str, **look: Any) -> Any:
    """An entry of :func:`key`."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **look)
