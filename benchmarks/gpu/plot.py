"""Draws what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from batchsim.ladder.plot import GRID, QUIET, RUNG_SHADES
from benchmarks.gpu.report import measured

__all__ = ["draw"]

PALE, DARK = RUNG_SHADES
WAYS = {
    (1, False): ("one split", PALE, "-"),
    (2, False): ("two splits", DARK, "-"),
    (1, True): ("one split, graphs", "#f0b27a", "--"),
    (2, True): ("two splits, graphs", "#b9540e", "--"),
}


def draw(found: dict[str, Any], folder: Path) -> None:
    """Draw rollouts, scaling and idle shares, each into a file of its own if there are any."""
    for name, draw_part in (("collector", _rollouts), ("scaling", _scaling), ("idle", _idle)):
        cases = measured(found, name)
        if not cases:
            continue
        groups = [(env, list(group)) for env, group in groupby(cases, lambda case: case["env"])]
        figure, axes = _figure(len(groups))
        for axis, (env, group) in zip(axes, groups, strict=True):
            axis.set_title(env)
            axis.grid(alpha=0.3)
            draw_part(axis, group)
        axes[0].legend(frameon=False, fontsize=8)
        device = found["cuda"].get("name", found["device"])
        figure.text(0.01, 0.01, f"{device}; {found['machine']['cpu']}; {found['date']}", fontsize=7)
        figure.savefig(folder / f"{name}.png", dpi=130)


def _figure(count: int) -> tuple[Any, Sequence[Any]]:
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(4.0 * count, 3.6), layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0.06, 1, 0.94))
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _rollouts(axis: Any, cases: list[dict[str, Any]]) -> None:
    for (splits, graph), (label, colour, style) in WAYS.items():
        mine = [c for c in cases if (c["num_splits"], c["cuda_graph"]) == (splits, graph)]
        if mine:
            sizes, speeds = zip(
                *((c["num_envs"], c["steps_per_second"]) for c in mine), strict=True
            )
            axis.loglog(sizes, speeds, style, marker="o", color=colour, label=label)
    axis.set_xlabel("environments")
    axis.set_ylabel("steps a second")


def _scaling(axis: Any, cases: list[dict[str, Any]]) -> None:
    cores, speeds = zip(*((c["cores"], c["steps_per_second"]) for c in cases), strict=True)
    axis.loglog(cores, speeds, marker="o", color=DARK, label="driver", base=2)
    ideal = [speeds[0] * number / cores[0] for number in cores]
    axis.loglog(cores, ideal, ":", color=QUIET, label="in proportion", base=2)
    axis.set_xlabel("cores")
    axis.set_ylabel("steps a second")


def _idle(axis: Any, cases: list[dict[str, Any]]) -> None:
    for place, case in enumerate(cases):
        busy = 1.0 - case["idle_share"]
        first = place == 0
        axis.bar(place, busy, color=DARK, label="busy" if first else None)
        idle = case["idle_share"]
        axis.bar(place, idle, bottom=busy, color=GRID, label="idle" if first else None)
    axis.set_xticks(range(len(cases)), [f"{case['num_splits']} split(s)" for case in cases])
    axis.set_ylabel("share of an iteration")
