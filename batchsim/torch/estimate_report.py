"""Shows an estimate: as a table for the terminal, as Markdown, and as stacked bars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchsim.ladder.machine import describe
from batchsim.ladder.report import DASH, format_ratio, write_between
from batchsim.torch.estimate import Estimate, Prediction
from batchsim.torch.train import TimeSplit

__all__ = ["draw", "print_estimate", "write_markdown"]

MARKERS = ("<!-- estimate -->", "<!-- /estimate -->")
SPEEDUPS = ("Amdahl", "predicted", "measured", "error")
PARTS = ("environment", "policy", "learning")
COLUMNS = ("environments", *SPEEDUPS, *PARTS)
COLOURS = {
    "environment": "#0f3d75",
    "policy": "#6ea8dc",
    "learning": "#e3a857",
    "rest": "#c3c9d0",
}
INK = "#1f2933"
QUIET = "#6b7785"
WIDTH = 110


def _sentences(found: Estimate) -> list[str]:
    settings = found.settings
    base = found.baseline
    same = (
        "the same parameters, bit for bit"
        if found.same_agent
        else "OTHER parameters than the baseline, which should not be"
    )
    return [
        describe(found.machine, found.versions, found.date),
        f"PPO on {settings.env_id}, {settings.hyperparameters.num_envs} environments, "
        f"{settings.steps:,} steps, {found.threads} thread{'s' * (found.threads > 1)} of PyTorch; "
        f"medians of {settings.repeats} runs in turns.",
        f"The baseline, one Python object an environment, takes {base.whole:.2f} s: "
        f"{found.share:.1%} in environments. The rest takes {_rest(base):.2f} s beside these, and "
        f"{_rest(found.record):.2f} s by itself, on a record of their steps.",
        f"With environments that took no time the whole would be {found.limit:.2f} times as fast, "
        "and no more.",
        "Amdahl: only environments get faster, to the ladder's steps per second. Predicted: the "
        "same, with what the rest takes by itself.",
        f"The agent of batchsim in exact precision has {same}.",
    ]


def _rest(split: TimeSplit) -> float:
    return split.whole - split.environment


def _cells(name: str, speedups: list[str], split: TimeSplit | None) -> list[str]:
    shares = split.shares() if split is not None else {}
    return [name, *speedups, *(f"{shares[part]:.1%}" if shares else DASH for part in PARTS)]


def _rows(found: Estimate) -> list[list[str]]:
    rows = [_cells("baseline", [DASH, DASH, format_ratio(1.0), DASH], found.baseline)]
    for one in found.predictions:
        speedups = [format_ratio(x) for x in (one.amdahl, one.speedup, one.measured_speedup)]
        error = DASH if one.error is None else f"{one.error:+.1%}"
        rows.append(_cells(one.name, [*speedups, error], one.measured))
    return rows


def _remarks(found: Estimate) -> list[str]:
    return [f"{one.name}: {one.remark}." for one in found.predictions if one.remark is not None]


def print_estimate(found: Estimate) -> None:
    """Print the table, and what it says."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table(
        title=f"What faster environments buy: {found.settings.env_id}", title_justify="left"
    )
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == COLUMNS[0] else "right")
    for cells in _rows(found):
        table.add_row(*cells)
    first, *others = _sentences(found)
    console.print(Text(first))
    console.print(table)
    for sentence in (*others, *_remarks(found)):
        console.print(Text(sentence))


def write_markdown(found: Estimate, path: Path) -> None:
    """Write the table to a file, or between its markers there."""
    rows = [COLUMNS, ("---", *("---:",) * (len(COLUMNS) - 1)), *_rows(found)]
    first, *others = _sentences(found)
    lines = [first, "", *(f"| {' | '.join(row)} |" for row in rows), ""]
    lines += ["  \n".join((*others, *_remarks(found)))]
    write_between(MARKERS, "\n".join(lines) + "\n", path)


def draw(found: Estimate, path: Path) -> None:
    """Draw the time of each process as a stacked bar, in the format that the path's suffix names.

    What was predicted is hatched.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    base = found.baseline
    bars: list[tuple[str, TimeSplit, float, bool]] = [("baseline", base, 1.0, False)]
    for one in found.predictions:
        bars += _bars(one, found.record)
    figure = Figure(figsize=(9.6, 1.9 + 0.42 * len(bars)), dpi=160, layout="constrained")
    axes: Any = figure.add_subplot()
    for place, (_, split, speedup, predicted) in enumerate(bars):
        left = 0.0
        for part, colour in COLOURS.items():
            width = getattr(split, part)
            axes.barh(
                place,
                width,
                left=left,
                height=0.62,
                color=colour,
                edgecolor="white",
                linewidth=0.6,
                alpha=0.55 if predicted else 1.0,
                hatch="////" if predicted else None,
            )
            left += width
        axes.annotate(
            format_ratio(speedup),
            (left, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
            color=QUIET if predicted else INK,
        )
    axes.set_yticks(range(len(bars)), [name for name, *_ in bars], fontsize=10)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(split.whole for _, split, _, _ in bars))
    axes.tick_params(length=0, colors=QUIET)
    for label in axes.get_yticklabels():
        label.set_color(INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("seconds", loc="left", color=QUIET)
    axes.set_title(
        f"{found.settings.env_id}: where the time of learning goes",
        loc="left",
        fontsize=14,
        fontweight="bold",
        color=INK,
        pad=30,
    )
    handles = [Patch(color=colour, label=part) for part, colour in COLOURS.items()]
    handles.append(Patch(facecolor="white", edgecolor=QUIET, hatch="////", label="predicted"))
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=0.2,
        ncols=len(handles),
        frameon=False,
        fontsize=9.5,
        labelcolor=QUIET,
    )
    figure.supxlabel(
        "\n".join(_sentences(found)[:2]),
        x=0.01,
        ha="left",
        fontsize=7.5,
        linespacing=1.6,
        color=QUIET,
    )
    figure.savefig(path)


def _bars(one: Prediction, record: TimeSplit) -> list[tuple[str, TimeSplit, float, bool]]:
    """Return the bars of a rung: what was predicted, and what was measured if it was."""
    bars = []
    if one.environment is not None and one.speedup is not None:
        predicted = TimeSplit(one.environment, record.policy, record.learning, record.rest)
        bars.append((one.name, predicted, one.speedup, True))
    if one.measured is not None and one.measured_speedup is not None:
        bars.append((f"{one.name}, measured", one.measured, one.measured_speedup, False))
    return bars
