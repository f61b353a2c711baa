"""Draws the kernels under the machine's roofline, and the time of a step against its limit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from batchsim.ladder.plot import GRID, INK, QUIET
from benchmarks.roofline.limit import find_limit
from benchmarks.roofline.machine import Machine
from benchmarks.roofline.report import format_bytes, header
from benchmarks.roofline.run import Kernel, Point, Result

__all__ = ["draw_roofline", "draw_steps", "steps_path"]

COLOURS = {"fast": "#0f3d75", "exact": "#c8641b"}
PALE = {"fast": "#a7c7e7", "exact": "#f2c49b"}
ROOF_AT = 4096
"""The roofline shows the kernels at the number of environments nearest to this one."""
MARGIN = 3.0
"""Pixels between a label and whatever else is drawn."""
DPI = 160


def steps_path(path: Path) -> Path:
    """Return where the second picture goes: beside the first."""
    return path.with_name(f"{path.stem}-steps{path.suffix}")


# --- The roofline ---------------------------------------------------------------------------------


def draw_roofline(result: Result, path: Path) -> None:
    """Draw operational intensity against performance on one core, in the format of the suffix."""
    from matplotlib.figure import Figure

    n = min(result.settings.num_envs, key=lambda size: abs(np.log(size / ROOF_AT)))
    chosen = [
        (kernel, point)
        for kernel in result.kernels
        for point in kernel.points
        if point.num_envs == n and kernel.counts.flops > 0
    ]
    missing = sorted({kernel.env_id for kernel in result.kernels if not kernel.counts.flops})
    figure = Figure(figsize=(9.6, 7.0), dpi=DPI, layout="constrained")
    axes: Any = figure.add_subplot()
    _set_roof_limits(axes, result.machine, chosen)
    _style(axes)
    axes.set_xlabel("floating-point operations a byte", color=QUIET, fontsize=9.5)
    axes.set_ylabel("floating-point operations a nanosecond", color=QUIET, fontsize=9.5)
    axes.set_title(
        "The kernels under one core's roofline",
        loc="left",
        fontsize=14,
        fontweight="bold",
        color=INK,
        pad=30,
    )
    caption = (
        f"Each point is a bare kernel stepping {n:,} environments; the line above it ends at its "
        "own limit, divisions and calls of the C library included.\n"
    )
    if missing:
        caption += f"No floating-point arithmetic, and so no point: {', '.join(missing)}.\n"
    _caption(figure, caption + header(result))
    _legend_precisions(axes, {kernel.precision for kernel, _ in chosen})
    figure.draw_without_rendering()  # Now places on the page are known.
    taken = _draw_ceilings(axes, result.machine)
    _draw_points(axes, chosen, taken)
    figure.savefig(path)


def _set_roof_limits(axes: Any, machine: Machine, chosen: Sequence[tuple[Kernel, Point]]) -> None:
    intensities = [kernel.counts.flops / kernel.counts.bytes for kernel, _ in chosen]
    speeds = [kernel.counts.flops / point.times.kernel for kernel, point in chosen]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min([*intensities, 0.1]) / 1.8, max([*intensities, 8.0]) * 2.5)
    axes.set_ylim(min([*speeds, 10.0]) / 2.5, machine.one.operations["mixed32"] * 2.0)


def _style(axes: Any) -> None:
    from matplotlib.ticker import LogLocator

    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.grid(which="major", color=GRID, linewidth=1.0)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=QUIET, labelsize=9, length=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
        axis.set_minor_formatter(lambda value, _: "")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _caption(figure: Any, text: str) -> None:
    figure.supxlabel(text, x=0.01, ha="left", fontsize=7.5, linespacing=1.6, color=QUIET)


def _legend_precisions(axes: Any, precisions: set[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", markersize=7, linestyle="", color=colour, label=precision)
        for precision, colour in COLOURS.items()
        if precision in precisions
    ]
    _legend(axes, handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)


def _legend(owner: Any, handles: list[Any], **place: Any) -> None:
    owner.legend(
        handles=handles,
        borderaxespad=0.2,
        frameon=False,
        fontsize=9.5,
        labelcolor=QUIET,
        handletextpad=0.5,
        columnspacing=1.6,
        **place,
    )


def _draw_ceilings(axes: Any, machine: Machine) -> list[Any]:
    """Draw what bounds every kernel; return the boxes of the labels, in pixels."""
    operations = machine.one.operations
    ceilings = {
        "float32 sums and products": operations["mixed32"],
        "float64 sums and products": operations["mixed64"],
    }
    left, right = axes.get_xlim()
    bottom = axes.get_ylim()[0]
    peak = operations["mixed32"]
    bandwidths = {level: loops["mix"] for level, loops in machine.one.levels.items()}
    labels = []
    for name, height in ceilings.items():
        if height <= bottom:
            continue
        start = max(left, height / max(bandwidths.values()))
        axes.plot(
            [start, right],
            [height, height],
            color=QUIET,
            linewidth=1.6 if height == peak else 0.9,
            linestyle="-" if height == peak else (0, (4, 3)),
            zorder=1,
        )
        labels.append(
            axes.annotate(
                f"{name}  {height:.3g}",
                (right, height),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=8,
                color=QUIET,
                path_effects=_halo(),
            )
        )
    for level, bandwidth in bandwidths.items():
        end = min(right, peak / bandwidth)
        start = max(left, bottom / bandwidth)
        axes.plot(
            [start, end],
            [start * bandwidth, end * bandwidth],
            color=QUIET,
            linewidth=1.6,
            zorder=1,
        )
        labels.append(_label_diagonal(axes, f"{level}  {bandwidth:.0f} GB/s", start, bandwidth))
    renderer = axes.figure._get_renderer()
    return [label.get_window_extent(renderer) for label in labels]


def _halo() -> list[Any]:
    """Keep lines away from letters."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]


def _label_diagonal(axes: Any, text: str, start: float, bandwidth: float) -> Any:
    """Write along a diagonal, near its lower end."""
    x = start * 1.12
    ends = axes.transData.transform([(x, x * bandwidth), (2 * x, 2 * x * bandwidth)])
    angle = float(np.degrees(np.arctan2(*(ends[1] - ends[0])[::-1])))
    return axes.annotate(
        text,
        (x, x * bandwidth),
        xytext=(-1, 2),
        textcoords="offset points",
        rotation=angle,
        rotation_mode="anchor",
        fontsize=7,
        color=QUIET,
        path_effects=_halo(),
    )


def _draw_points(
    axes: Any, chosen: Sequence[tuple[Kernel, Point]], taken: Sequence[Any]
) -> list[Any]:
    """Draw a point a kernel, with its name; return the boxes of the names, in pixels."""
    from matplotlib.transforms import Bbox

    taken, names = list(taken), []
    places = []
    for kernel, point in chosen:
        flops = kernel.counts.flops
        x, y = flops / kernel.counts.bytes, flops / point.times.kernel
        roof = flops / point.limit.ns
        colour = COLOURS[kernel.precision]
        axes.plot([x, x], [y, roof], color=PALE[kernel.precision], linewidth=2.2, zorder=2)
        axes.plot([x], [roof], marker="_", markersize=9, markeredgewidth=2, color=colour, zorder=3)
        axes.scatter(x, y, s=62, color=colour, edgecolor="white", zorder=4)
        (px, py), (_, top) = axes.transData.transform([(x, y), (x, roof)])
        radius = 4.5 * DPI / 72
        taken.append(Bbox.from_extents(px - radius, py - radius, px + radius, py + radius))
        taken.append(Bbox.from_extents(px - 2, py, px + 2, max(py, top) + 2))
        places.append((x, y, kernel, point))
    # The crowded ones first: they have the fewest places to choose from.
    for x, y, kernel, point in sorted(places, key=lambda place: -_neighbours(place, places)):
        names.append(_place_label(axes, x, y, kernel, point, [*taken, *names]))
    return names


def _neighbours(place: Any, places: Sequence[Any]) -> float:
    return sum(
        1 / (0.1 + abs(np.log(place[0] / other[0])) + abs(np.log(place[1] / other[1])))
        for other in places
    )


def _offsets() -> Iterator[tuple[float, float]]:
    """Return places for a label in points, relative to its point, the best first."""
    for distance in (9, 13, 18, 30, 44, 60, 80, 105, 135, 170):
        for angle in (0, 180, -25, 205, 25, 155, -50, 230, 50, 130, -90, 90):
            radians = np.radians(angle)
            yield distance * float(np.cos(radians)), distance * float(np.sin(radians))


def _place_label(
    axes: Any, x: float, y: float, kernel: Kernel, point: Point, taken: Sequence[Any]
) -> Any:
    """Write a kernel's name where nothing else is drawn; return its box, in pixels."""
    from matplotlib.text import Text

    renderer = axes.figure._get_renderer()
    inside = axes.get_window_extent(renderer)
    text = f"{kernel.env_id}  {point.share:.0%}"
    label = None
    # In the worst crowd, a leader may cross something; names never lie on each other.
    tries = itertools.product((True, False), _offsets())
    for may_not_cross, (dx, dy) in tries:
        if label is not None:
            label.remove()
        far = np.hypot(dx, dy) > 20
        label = axes.annotate(
            text,
            (x, y),
            xytext=(dx, dy),
            textcoords="offset points",
            ha="left" if dx > 1 else "right" if dx < -1 else "center",
            va="center",
            fontsize=8.5,
            color=COLOURS[kernel.precision],
            arrowprops=_leader(dx) if far else None,
            path_effects=_halo(),
            zorder=5,
        )
        # The box of the text alone: that of an annotation holds its line too.
        label.update_positions(renderer)
        box = Text.get_window_extent(label, renderer)
        if inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1):
            padded = box.padded(MARGIN)
            clear = not any(padded.overlaps(other) for other in taken)
            is_crossing = far and not _leader_is_clear(axes, (x, y), (dx, dy), taken)
            if clear and not (may_not_cross and is_crossing):
                return box
    return box


def _leader(dx: float) -> dict[str, Any]:
    """A line from a point to the near end of its label."""
    side = 0.0 if dx > 1 else 1.0 if dx < -1 else 0.5
    return {
        "arrowstyle": "-",
        "color": QUIET,
        "linewidth": 0.6,
        "shrinkB": 5,
        "relpos": (side, 0.5),
    }


def _leader_is_clear(
    axes: Any, point: tuple[float, float], offset: tuple[float, float], taken: Sequence[Any]
) -> bool:
    """Tell whether a leader crosses nothing; it starts beyond the point's own mark."""
    start = axes.transData.transform(point)
    end = start + np.array(offset) * DPI / 72
    first = 8 * DPI / 72 / max(1.0, float(np.hypot(*(end - start))))
    along = (start + part * (end - start) for part in np.linspace(min(first, 1.0), 1.0, 30))
    return not any(box.contains(*place) for place in along for box in taken)


# --- The time of a step ---------------------------------------------------------------------------


def draw_steps(result: Result, path: Path) -> None:
    """Draw the nanoseconds of a step against N, a panel a kernel, with limits and caches."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    env_ids, precisions = result.settings.env_ids, result.settings.precisions
    size = (max(9.6, 5.4 * len(precisions)), 2.5 * len(env_ids) + 1.6)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    grid = figure.subplots(len(env_ids), len(precisions), sharex=True, sharey="row", squeeze=False)
    for kernel in result.kernels:
        row, column = env_ids.index(kernel.env_id), precisions.index(kernel.precision)
        _draw_panel(grid[row, column], kernel, result)
        if row == len(env_ids) - 1:
            grid[row, column].set_xlabel("number of environments", color=QUIET, fontsize=9.5)
        if column == 0:
            grid[row, column].set_ylabel("ns a step", color=QUIET, fontsize=9.5)
    cores = result.machine.cores
    styles: dict[str, dict[str, Any]] = {
        "limit, one core": {"color": INK, "linewidth": 1.6},
        f"limit, {cores} cores": {"color": INK, "linewidth": 1.2, "linestyle": (0, (1, 1.6))},
        "kernel, one core": {"color": COLOURS["fast"], "marker": "o", "markersize": 5},
        "step, one core": {"color": PALE["fast"], "marker": "o", "markersize": 5},
        f"step, {cores} cores": {
            "color": PALE["fast"],
            "marker": "s",
            "markersize": 4.5,
            "linestyle": (0, (4, 2)),
        },
    }
    handles = [Line2D([], [], label=name, **style) for name, style in styles.items()]
    legend = figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=5,
        frameon=False,
        fontsize=9,
        labelcolor=QUIET,
        title="Nanoseconds an environment's step",
        title_fontproperties={"size": 14, "weight": "bold"},
        alignment="left",
    )
    legend.get_title().set_color(INK)
    caches = ", ".join(
        f"{name} {format_bytes(size)}" for name, size in result.machine.caches.items()
    )
    _caption(
        figure,
        f"Upright lines: the working set of a step fills a cache of one core ({caches}).\n"
        f"{header(result)}",
    )
    figure.savefig(path)


def _draw_panel(axes: Any, kernel: Kernel, result: Result) -> None:
    colour, pale = COLOURS[kernel.precision], PALE[kernel.precision]
    machine = result.machine
    sizes = [point.num_envs for point in kernel.points]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    _style(axes)
    _draw_caches(axes, kernel, machine, sizes)
    smooth = np.geomspace(min(sizes) / 1.3, max(sizes) * 1.3, 200)
    for cores, style in ((1, "-"), (machine.cores, (0, (1, 1.6)))):
        limits = [find_limit(kernel.counts, machine, n, cores, kernel.call_ns).ns for n in smooth]
        axes.plot(smooth, limits, color=INK, linewidth=1.6 if cores == 1 else 1.2, linestyle=style)
    series = (
        ([point.step_all for point in kernel.points], pale, "s", (0, (4, 2))),
        ([point.step for point in kernel.points], pale, "o", "-"),
        ([point.times.kernel for point in kernel.points], colour, "o", "-"),
    )
    for times, shade, marker, style in series:
        axes.plot(
            sizes,
            times,
            color=shade,
            marker=marker,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            linewidth=1.8,
            linestyle=style,
        )
    axes.set_xticks(sizes, [_short(n) for n in sizes])
    axes.set_title(
        f"{kernel.env_id}, {kernel.precision}", loc="left", fontsize=10, color=INK, pad=14
    )


def _draw_caches(axes: Any, kernel: Kernel, machine: Machine, sizes: Sequence[int]) -> None:
    """Draw where the working set of one core outgrows each cache."""
    for name, bytes in machine.caches.items():
        n = bytes / kernel.counts.footprint_bytes
        if min(sizes) <= n <= max(sizes):
            axes.axvline(n, color=QUIET, linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
            axes.annotate(
                name,
                (n, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8,
                color=QUIET,
            )


def _short(n: int) -> str:
    """Return a number of environments in few letters, in powers of two where it is one."""
    for unit, name in ((1 << 20, "M"), (1 << 10, "k")):
        if n >= unit and n % unit == 0:
            return f"{n // unit}{name}"
    return f"{n:,}"
