"""Draws a ladder: one line a rung, speeds on a logarithmic scale."""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchsim.ladder.report import Report, format_count, format_ratio, speedups
from batchsim.ladder.runner import Result

__all__ = ["Line", "check_plot_file", "draw", "draw_lines"]

INK = "#1f2933"
QUIET = "#6b7785"
GRID = "#e6eaee"
RUNG_SHADES = ("#a7c7e7", "#0f3d75")
PEER_SHADES = ("#d6d6d6", "#555555")
PEER_GAP = 0.55
"""Empty space between the rungs and the peers, in rows."""


def check_plot_file(path: Path) -> None:
    """Raise ValueError if a plot cannot be drawn into a file of this name."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ValueError(
            'Drawing the plot needs matplotlib; install it with pip install "batchsim[plot]".'
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    kinds = sorted(FigureCanvasAgg.get_supported_filetypes())
    if path.suffix.removeprefix(".").lower() not in kinds:
        raise ValueError(f"The plot file is {path}; expected a name that ends in .png or .svg.")


def draw(result: Result, path: Path) -> None:
    """Write the plot of a ladder to `path`, in the format that its suffix names."""
    lines = [
        Line(
            row.rung.name,
            {size: found.steps_per_second for size, found in row.measurements.items()},
            first,
            row.peer,
        )
        for row, (_, first) in zip(result.rows, speedups(result), strict=True)
        if row.measurements
    ]
    draw_lines(
        lines,
        sorted(result.settings.num_envs),
        f"{result.settings.kind}: environment steps per second",
        "Written out: the speed with the most environments, and in brackets how many times as fast "
        f"as {lines[0].name}, with the most that both were measured with.\n{Report(result).header}",
        path,
    )


@dataclass(frozen=True)
class Line:
    """What is drawn of one way to step environments."""

    name: str
    speeds: Mapping[int, float]
    """Steps per second by number of environments; at least one."""
    ratio: float | None
    """Written behind the speed with the most environments, in brackets."""
    peer: bool
    """Whether it is drawn in grey."""


def draw_lines(
    lines: Sequence[Line], sizes: Sequence[int], title: str, caption: str, path: Path
) -> None:
    """Draw a line for each way to step environments, from the top down.

    Args:
        lines: what to draw, at least one.
        sizes: the numbers of environments, ascending.
        title: written above.
        caption: written below, one line or more.
        path: the file, in the format that its suffix names.
    """
    from matplotlib.figure import Figure

    # A gap wherever peers follow upon others.
    gaps = itertools.accumulate(
        (PEER_GAP * (line.peer and not before.peer) for before, line in itertools.pairwise(lines)),
        initial=0.0,
    )
    places = [number + gap for number, gap in enumerate(gaps)]
    figure = Figure(figsize=(9.6, 1.9 + 0.45 * len(lines)), dpi=160, layout="constrained")
    axes: Any = figure.add_subplot()
    for line, place in zip(lines, places, strict=True):
        _draw_line(axes, line, place, sizes)
    _name_lines(axes, lines, places)
    _scale(axes, lines)
    _name_sizes(axes, sizes)
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", color=INK, pad=34)
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=7.5, linespacing=1.6, color=QUIET)
    figure.savefig(path)


def _shades(sizes: Sequence[int], ends: tuple[str, str]) -> dict[int, Any]:
    """Return a colour for each number of environments, the darker the more."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("sizes", ends)
    last = max(1, len(sizes) - 1)
    return {size: colours(k / last if len(sizes) > 1 else 1.0) for k, size in enumerate(sizes)}


def _draw_line(axes: Any, line: Line, place: float, sizes: Sequence[int]) -> None:
    shades = _shades(sizes, PEER_SHADES if line.peer else RUNG_SHADES)
    speeds = line.speeds
    fastest = max(speeds.values())
    axes.plot(
        [min(speeds.values()), fastest],
        [place, place],
        color=shades[sizes[0]],
        linewidth=3.0,
        solid_capstyle="round",
        zorder=2,
    )
    for size, speed in speeds.items():
        axes.scatter(speed, place, s=62, color=shades[size], edgecolor="white", zorder=3)
    size = max(speeds)
    label = format_count(speeds[size])
    axes.annotate(
        label if line.ratio is None else f"{label}  ({format_ratio(line.ratio)})",
        (fastest, place),
        xytext=(10, 0),
        textcoords="offset points",
        va="center",
        fontsize=9.5,
        color=QUIET if line.peer else INK,
    )


def _name_lines(axes: Any, lines: Sequence[Line], places: Sequence[float]) -> None:
    axes.set_yticks(places, [line.name for line in lines], fontsize=10.5)
    for line, label in zip(lines, axes.get_yticklabels(), strict=True):
        label.set_color(QUIET if line.peer else INK)
    axes.set_ylim(places[-1] + 0.6, -0.6)


def _scale(axes: Any, lines: Sequence[Line]) -> None:
    """Set a logarithmic scale with room for the labels at its right end."""
    speeds = [speed for line in lines for speed in line.speeds.values()]
    axes.set_xscale("log")
    axes.set_xlim(min(speeds) / 1.6, max(speeds) * 12)
    # Ticks are powers of ten.
    axes.xaxis.set_major_formatter(lambda speed, _: re.sub(r"\.0+", "", format_count(speed)))
    axes.tick_params(axis="x", which="major", colors=QUIET, labelsize=9, length=0)
    axes.tick_params(axis="x", which="minor", length=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", which="major", color=GRID, linewidth=1.0)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _name_sizes(axes: Any, sizes: Sequence[int]) -> None:
    from matplotlib.lines import Line2D

    shades = _shades(sizes, RUNG_SHADES)
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            markersize=7,
            linestyle="",
            color=shades[size],
            label=f"{size:,} environments",
        )
        for size in sizes
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.2,
        ncols=len(sizes),
        frameon=False,
        fontsize=9.5,
        labelcolor=QUIET,
        handletextpad=0.2,
        columnspacing=1.4,
    )
