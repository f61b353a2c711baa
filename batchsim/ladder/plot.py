"""Draws a ladder: one line a rung, speeds on a logarithmic scale."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchsim.ladder.report import Report, format_count, format_ratio, speedups
from batchsim.ladder.runner import Result, Row

__all__ = ["check_plot_file", "draw"]

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
    """Write the plot to `path`, in the format that its suffix names."""
    from matplotlib.figure import Figure

    rows = [row for row in result.rows if row.measurements]
    sizes = sorted(result.settings.num_envs)
    places = [number + PEER_GAP * row.peer for number, row in enumerate(rows)]
    figure = Figure(figsize=(9.6, 1.9 + 0.45 * len(rows)), dpi=160, layout="constrained")
    axes: Any = figure.add_subplot()
    ratios = speedups(result)
    for row, place in zip(rows, places, strict=True):
        _draw_row(axes, row, place, sizes, ratios[result.rows.index(row)][1])
    _name_rows(axes, rows, places)
    _scale(axes, rows)
    _name_sizes(axes, sizes)
    axes.set_title(
        f"{result.settings.env_id}: environment steps per second",
        loc="left",
        fontsize=14,
        fontweight="bold",
        color=INK,
        pad=34,
    )
    figure.supxlabel(
        "Written out: the speed with the most environments, and in brackets how many times that "
        f"of {rows[0].rung.name} it is.\n"
        f"{Report(result).header}",
        x=0.01,
        ha="left",
        fontsize=7.5,
        linespacing=1.6,
        color=QUIET,
    )
    figure.savefig(path)


def _shades(sizes: Sequence[int], ends: tuple[str, str]) -> dict[int, Any]:
    """Return a colour for each number of environments, the darker the more."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("sizes", ends)
    last = max(1, len(sizes) - 1)
    return {size: colours(k / last if len(sizes) > 1 else 1.0) for k, size in enumerate(sizes)}


def _draw_row(axes: Any, row: Row, place: float, sizes: Sequence[int], ratio: float | None) -> None:
    shades = _shades(sizes, PEER_SHADES if row.peer else RUNG_SHADES)
    speeds = {size: found.steps_per_second for size, found in row.measurements.items()}
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
        label if ratio is None else f"{label}  ({format_ratio(ratio)})",
        (fastest, place),
        xytext=(10, 0),
        textcoords="offset points",
        va="center",
        fontsize=9.5,
        color=QUIET if row.peer else INK,
    )


def _name_rows(axes: Any, rows: Sequence[Row], places: Sequence[float]) -> None:
    axes.set_yticks(places, [row.rung.name for row in rows], fontsize=10.5)
    for row, label in zip(rows, axes.get_yticklabels(), strict=True):
        label.set_color(QUIET if row.peer else INK)
    axes.set_ylim(places[-1] + 0.6, -0.6)


def _scale(axes: Any, rows: Sequence[Row]) -> None:
    """Set a logarithmic scale with room for the labels at its right end."""
    speeds = [found.steps_per_second for row in rows for found in row.measurements.values()]
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
