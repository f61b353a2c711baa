"""Measures the peers: all are checked, then take blocks of calls in turn, size by size."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import batchsim
from batchsim import registry
from batchsim.ladder.check import SEED, draw_from
from batchsim.ladder.machine import describe_machine, find_versions
from benchmarks.pairs import median_interval
from benchmarks.peers import install
from benchmarks.peers.adapters import (
    batchsim_vector,
    envpool,
    gymnasium,
    gymnax,
    minatar,
    minigrid,
    stable_baselines3,
)
from benchmarks.peers.peer import Peer
from benchmarks.peers.remote import PeerError, Remote

__all__ = ["EXACT", "PEERS", "Measurement", "Result", "Row", "Settings", "measure"]

PEERS: tuple[Peer, ...] = tuple(
    peer
    for adapter in (
        batchsim_vector,
        gymnasium,
        envpool,
        gymnax,
        stable_baselines3,
        minatar,
        minigrid,
    )
    for peer in adapter.PEERS
)
"""In the order of the table."""
EXACT = "batchsim-exact"
"""What the others are compared with."""

ACTIONS = 16
"""Batches of random actions, drawn before and passed in turn to every peer."""
CHECK_ROWS = 8
BLOCKS = 15
MIN_BLOCKS = 5
MAX_LATENCIES = 4096
"""Of a turn."""
WARM_UP_SHARE, BLOCKS_SHARE, LATENCIES_SHARE = 0.1, 0.65, 0.25


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    env_id: str
    num_envs: tuple[int, ...] = (64, 1024, 16384)
    seconds: float = 1.0
    """Time to measure each setting of a peer for at each number of environments."""
    peers: tuple[str, ...] = tuple(peer.name for peer in PEERS)


@dataclass(frozen=True)
class Measurement:
    """The timing of one peer at one number of environments."""

    num_envs: int
    threads: str
    """Of its fastest setting."""
    steps_per_second: float
    """Transitions of single environments, resets included: the median of the blocks."""
    low: float
    high: float
    """The 95 % bootstrap interval of that median."""
    blocks: tuple[float, ...]
    """What that is the median of, turn by turn."""
    p50_us: float
    p99_us: float
    """Of single calls, in microseconds."""
    calls: int
    """How many single calls those are quantiles of."""


@dataclass
class Row:
    """What is known of one peer."""

    peer: Peer
    version: str | None = None
    check: str | None = None
    """What was seen of its episodes before it was timed."""
    absent: dict[int, str] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    """Why it is not measured, by number of environments."""
    measurements: dict[int, Measurement] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it is batchsim itself."""
        return self.peer.package == "batchsim"


@dataclass
class Result:
    """The peers, as far as they have been measured."""

    settings: Settings
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    machine: dict[str, str | int] = field(default_factory=describe_machine)
    versions: dict[str, str] = field(default_factory=find_versions)
    rows: list[Row] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether batchsim was measured wherever it was to be; peers do not count."""
        return all(
            size in row.measurements
            for row in self.rows
            if row.ours
            for size in self.settings.num_envs
        )

    def ratio(self, row: Row, size: int) -> float | None:
        """Return how many times as fast batchsim-exact is as a peer, or None if it is unknown.

        It is the median over the turns that both took: each is compared under the same noise.
        """
        exact = next((other for other in self.rows if other.peer.name == EXACT), None)
        if exact is None or size not in exact.measurements or size not in row.measurements:
            return None
        turns = zip(exact.measurements[size].blocks, row.measurements[size].blocks, strict=False)
        return statistics.median(ours / theirs for ours, theirs in turns)


@dataclass
class _Runner:
    """One setting of a peer, and its timing at the present number of environments."""

    row: Row
    number: int
    """Of the setting."""
    remote: Remote
    num_envs: int = 0
    seconds: float = 0.0
    """The time that its blocks are to take in all."""
    calls: int = 1
    """Of a block."""
    blocks: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def open(self, env_id: str, num_envs: int, actions: str, seconds: float) -> None:
        """Make a batch, warm it up and choose the size of its blocks."""
        self.num_envs, self.seconds = num_envs, BLOCKS_SHARE * seconds
        self.blocks, self.latencies = [], []
        per_call = self.remote.ask("open", env_id, num_envs, actions, SEED, WARM_UP_SHARE * seconds)
        self.calls = max(1, int(self.seconds / BLOCKS / per_call))

    @property
    def done(self) -> bool:
        """Whether it has had its time."""
        return len(self.blocks) >= MIN_BLOCKS and sum(self.blocks) >= self.seconds

    def take_turn(self) -> None:
        """Time a block, and single calls after it."""
        self.blocks.append(self.remote.ask("block", self.calls))
        if self.calls > 1:
            calls = int(self.calls * LATENCIES_SHARE / BLOCKS_SHARE)
            self.latencies += self.remote.ask("latencies", min(max(1, calls), MAX_LATENCIES))

    def close(self) -> None:
        """Close the batch and keep what was measured, if it is the fastest setting so far."""
        self.remote.ask("close")
        speeds = self.num_envs * self.calls / np.array(self.blocks)
        median, low, high = median_interval(speeds)
        best = self.row.measurements.get(self.num_envs)
        if best is not None and best.steps_per_second >= median:
            return
        # A block of one call is a single call.
        latencies = self.latencies or self.blocks
        p50, p99 = np.quantile(latencies, [0.5, 0.99])
        self.row.measurements[self.num_envs] = Measurement(
            num_envs=self.num_envs,
            threads=self.row.peer.settings[self.number].threads,
            steps_per_second=median,
            low=low,
            high=high,
            blocks=tuple(speeds.tolist()),
            p50_us=1e6 * float(p50),
            p99_us=1e6 * float(p99),
            calls=len(latencies),
        )


Progress = Callable[[str, float], Any]


def measure(settings: Settings, on_progress: Progress = lambda doing, done: None) -> Result:
    """Measure the peers.

    Args:
        settings: what to measure.
        on_progress: called as `on_progress(doing, done)` before each part: what comes now, and
            which share of the whole is done. Nothing is measured during a call.
    """
    result = Result(settings, rows=[Row(peer) for peer in PEERS if peer.name in settings.peers])
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batchsim-peers-")))
        runners = [
            _Runner(row, number, stack.enter_context(Remote(python, row.peer, number)))
            for row in result.rows
            if (python := _find_python(row, settings)) is not None
            for number in range(len(row.peer.settings))
        ]
        actions = _save_actions(settings.env_id, CHECK_ROWS, folder)
        parts = 1 + len(settings.num_envs)
        for runner in runners:
            on_progress(f"{runner.row.peer.name}: checking", 0.0)
            _prepare(runner, settings, actions)
        for part, num_envs in enumerate(settings.num_envs, 1):
            actions = _save_actions(settings.env_id, num_envs, folder)
            taking_part = [
                runner
                for runner in runners
                if num_envs not in {**runner.row.absent, **runner.row.failed}
            ]
            for doing in _measure_size(taking_part, settings, num_envs, actions):
                on_progress(f"{num_envs:,} environments: {doing}", part / parts)
    on_progress("", 1.0)
    return result


def _find_python(row: Row, settings: Settings) -> Path | None:
    python = install.find_python(row.peer)
    if python is None:
        command = f"python -m benchmarks.peers --install {row.peer.requirements}"
        row.absent = dict.fromkeys(settings.num_envs, f"not installed ({command})")
    return python


def _save_actions(env_id: str, num_envs: int, folder: Path) -> str:
    """Draw the actions that every peer is given; return the file that they are in."""
    # No kernel is compiled for a batch that is never stepped.
    envs = batchsim.make_vec(env_id, 1, backend="reference")
    envs.close()
    file = folder / f"actions-{num_envs}.npy"
    np.save(file, np.array(draw_from(envs.single_action_space, num_envs, ACTIONS)))
    return str(file)


def _prepare(runner: _Runner, settings: Settings, actions: str) -> None:
    """Find out at which sizes a peer can be measured, and check it if there are any."""
    row, env_id = runner.row, settings.env_id
    sizes: Sequence[int] = settings.num_envs
    try:
        row.version = runner.remote.ask("version")
        for size in settings.num_envs:
            reason = runner.remote.ask("absent", env_id, size)
            if reason is not None:
                row.absent[size] = reason
        sizes = [size for size in settings.num_envs if size not in row.absent]
        if sizes:
            limit = registry.find(env_id)[1].max_episode_steps
            row.check = runner.remote.ask("check", env_id, limit, actions, SEED)
    except PeerError as error:
        row.failed.update(dict.fromkeys(sizes, str(error)))


def _measure_size(
    runners: Sequence[_Runner], settings: Settings, num_envs: int, actions: str
) -> Iterator[str]:
    """Let everyone take turns at one number of environments; yields what comes next."""
    taking_turns: list[_Runner] = []
    for runner in runners:
        yield f"{runner.row.peer.name} is made"
        with _failing(runner, num_envs):
            runner.open(settings.env_id, num_envs, actions, settings.seconds)
            taking_turns.append(runner)
    for turn in itertools.count(1):
        if not taking_turns:
            return
        yield f"turn {turn}"
        for runner in list(taking_turns):
            with _failing(runner, num_envs):
                if not runner.done:
                    runner.take_turn()
                    continue
                runner.close()
            taking_turns.remove(runner)


@contextlib.contextmanager
def _failing(runner: _Runner, num_envs: int) -> Iterator[None]:
    """Write down what goes wrong in a peer."""
    try:
        yield
    except PeerError as error:
        runner.row.failed[num_envs] = str(error)
