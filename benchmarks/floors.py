"""The floors under the ratios that `make bench` measures, and what is said of one that fell.

`floors.toml` holds for each pair:

- `floor`: the ratio that must be reached. It stands well under the typical ratio, since a noisy
  neighbour must not reject good work;
- `typical`: the ratio measured last by `make bench BENCH_ARGS=--record`, on the machine, the day
  and the commit that are written beside it.
"""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path
from typing import Any

import tomlkit

from batchsim.ladder.machine import describe_machine
from benchmarks.pairs import Pair, Ratio

__all__ = ["FILE", "explain", "reach", "read", "record"]

FILE = Path(__file__).with_name("floors.toml")
AGAIN = 2
"""How often a ratio under its floor is measured again."""
LONGER = 3
"""How many times as long."""


def read(file: Path = FILE) -> dict[str, dict[str, Any]]:
    """Return what is written of each pair, by name."""
    floors: dict[str, dict[str, Any]] = tomlkit.parse(file.read_text()).unwrap()
    return floors


def reach(pair: Pair, floor: float) -> list[Ratio]:
    """Return the ratio of a measured pair, and while it is under `floor` those of longer tries.

    The last one decides.
    """
    ratios = [pair.ratio()]
    while ratios[-1].median < floor and len(ratios) <= AGAIN:
        pair.forget()
        pair.measure(longer=LONGER)
        ratios.append(pair.ratio())
    return ratios


def explain(name: str, pair: Pair, ratios: list[Ratio], entry: dict[str, Any]) -> str:
    """Say which ratio fell under its floor, by how much and since when."""
    floor, last = entry["floor"], ratios[-1]
    sides = pair.nanoseconds()
    text = (
        f"{name} is {' then '.join(map(str, ratios))}, {1 - last.median / floor:.0%} under its "
        f"floor of {floor:g}: {sides['ours']:.4g} ns a unit of {pair.ours.name}, "
        f"{sides['theirs']:.4g} ns of {pair.theirs.name}."
    )
    if "commit" in entry:
        text += (
            f" It was {entry['typical']:.3g} on {entry['date']} at commit {entry['commit']} "
            f"({entry['machine']}), so it was lost since then. To find the commit that lost it:\n"
            f"    git bisect start HEAD {entry['commit']}\n"
            f"    git bisect run make bench BENCH_ARGS='-k {name}'"
        )
    return text


def record(ratios: dict[str, Ratio], file: Path = FILE) -> None:
    """Write ratios into the file as the typical ones, with the date, the commit and the machine."""
    document = tomlkit.parse(file.read_text())
    machine = describe_machine()
    for name, ratio in ratios.items():
        entry: Any = document[name]
        entry["typical"] = float(f"{ratio.median:.3g}")
        entry["date"] = datetime.date.today().isoformat()
        entry["commit"] = _commit()
        entry["machine"] = f"{machine['cpu']}, {machine['threads']} threads"
    file.write_text(tomlkit.dumps(document))


def _commit() -> str:
    command = ["git", "-C", str(FILE.parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
