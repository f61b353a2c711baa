"""Ratios that must not fall: each pair is measured by turns and compared with its floor.

A name says what is measured, of what, with how many environments, over which other side.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import re
from collections.abc import Callable
from typing import Any

import gymnasium
import pytest

import batchsim
from batchsim.batch.processors import available_cpus
from batchsim.registry import ENVIRONMENTS
from benchmarks import floors, sides, training, vehicle_scalars, vizdoom
from benchmarks.pairs import Pair, Side

CLASSIC_CONTROL = sorted(
    name for name, entry in ENVIRONMENTS.items() if "classic_control" in entry.module
)
KERNELS = [
    (name, "exact")
    for name, entry in sorted(ENVIRONMENTS.items())
    # Pictures are no matter of some cycles; grid worlds are compared with their originals.
    if entry.package is None and "egocentric" not in entry.module
]
KERNELS += [(id, "fast") for id in CLASSIC_CONTROL]  # Toy text hardly computes with floats.
GRIDS = [
    "MiniGrid-DoorKey-8x8-v0",
    "MiniGrid-Dynamic-Obstacles-8x8-v0",
    "MiniGrid-KeyCorridorS3R3-v0",
    "BabyAI-GoToLocal-v0",
]
"""Grid worlds that stand for all of them."""
GAMES = ["MinAtar/Breakout-v1", "MinAtar/Seaquest-v1"]
"""The fastest of MinAtar's games, and the one with most in it."""
GAME_SIZE = {"width": 160, "height": 120}
"""The smallest pictures of ViZDoom."""


def compare_steps(id: str, precision: str, num_envs: int, mode: str) -> Pair:
    """Compare with one of Gymnasium's vector environments, on all processors."""
    return Pair(
        sides.batchsim_step(id, num_envs, precision=precision),
        sides.gymnasium_step(id, num_envs, mode),
    )


def compare_with_objects(id: str) -> Pair:
    """Compare one core's steps with those of per-object environments."""
    return Pair(sides.batchsim_step(id, 1024, num_threads=1), sides.gymnasium_step(id, 64, "sync"))


def compare_with_envpool(id: str) -> Pair:
    """Compare one core's steps with EnvPool's."""
    if importlib.util.find_spec("envpool") is None:
        pytest.skip("envpool is not installed")
    return Pair(sides.batchsim_step(id, 1024, num_threads=1), sides.envpool_step(id, 1024))


def compare_with_yardstick(id: str, precision: str, number: str = "double") -> Pair:
    """Compare one core's steps with those of the C loop."""
    return Pair(
        sides.batchsim_step(id, 1024, precision=precision, num_threads=1),
        sides.yardstick_step(1024, number),
    )


def compare_single() -> Pair:
    """Compare one environment with Gymnasium's: what a call costs."""
    return Pair(
        sides.batchsim_step("CartPole-v1", 1), sides.gymnasium_step("CartPole-v1", 1, "sync")
    )


def compare_arrays() -> Pair:
    """Compare an example written with small arrays with its twin in scalars: 1 costs nothing."""
    return Pair(sides.example_step("vehicle", 1024), sides.definition_step(vehicle_scalars, 1024))


def compare_sizes() -> Pair:
    """Compare a step among 65,536 with one among 1,024: 1 is flat."""
    large, small = (
        sides.batchsim_step("CartPole-v1", num_envs, precision="fast", num_threads=1)
        for num_envs in (65536, 1024)
    )
    return Pair(large, small)


def compare_send() -> Pair:
    """Compare `send` and `recv` with `step`."""
    return Pair(
        sides.send_and_recv("CartPole-v1", 16384), sides.batchsim_step("CartPole-v1", 16384)
    )


def compare_resets() -> Pair:
    """Compare seeded resets with Gymnasium's."""
    ours = batchsim.make_vec("CartPole-v1", 256)
    theirs = gymnasium.make_vec("CartPole-v1", 256, vectorization_mode="sync")
    return Pair(sides.seeded_reset(ours), sides.seeded_reset(theirs))


def compare_snapshots() -> Pair:
    """Compare snapshots and their restoration with bare copies of the arrays."""
    return Pair(sides.snapshot("CartPole-v1", 16384), sides.copy_columns("CartPole-v1", 16384))


def compare_starts(start: Callable[[str], Side]) -> Pair:
    """Compare a new process's first step with the import of Numba and Gymnasium."""
    return Pair(start("CartPole-v1"), sides.import_libraries())


def compare_pictures(id: str) -> Pair:
    """Compare one core's steps of an egocentric environment with pictures by a raycaster in C."""
    return Pair(sides.pictures(id, 256, num_threads=1), sides.raycaster(id, 256))


def compare_with_game(
    id: str, play: Callable[[str], Side], scenario: str, packages: tuple[str, ...], **size: int
) -> Pair:
    """Compare one core's steps of an egocentric environment with those of ViZDoom's games."""
    reason = vizdoom.why_absent(*packages)
    if reason is not None:
        pytest.skip(reason)
    return Pair(sides.pictures(id, 256, num_threads=1, **size), play(scenario))


def compare_rollouts(num_envs: int, **settings: Any) -> Pair:
    """Compare a `Collector` with bare calls of policy and environments: 1 is no overhead."""
    return Pair(
        training.rollout("CartPole-v1", num_envs, **settings),
        training.bare_rollout("CartPole-v1", num_envs),
    )


def compare_iterations(id: str, simulator: str) -> Pair:
    """Compare PPO with the same on Gymnasium's environments: how much sooner an agent learns."""
    return Pair(training.iteration(id), training.iteration(id, simulator))


def compare_with_no_environment(id: str) -> Pair:
    """Compare PPO with the same without environments: 1 less their share of the time."""
    return Pair(training.iteration(id), training.iteration_without_environment(id))


PAIRS: dict[str, Callable[[], Pair]] = {}
for _precision, _num_envs in itertools.product(("exact", "fast"), (64, 16384)):
    PAIRS[f"step-CartPole-v1-{_precision}-{_num_envs}-over-gymnasium-vector"] = functools.partial(
        compare_steps, "CartPole-v1", _precision, _num_envs, "vector_entry_point"
    )
for _id in CLASSIC_CONTROL:
    PAIRS[f"step-{_id}-exact-4096-over-gymnasium-sync"] = functools.partial(
        compare_steps, _id, "exact", 4096, "sync"
    )
for _id, _precision in KERNELS:
    PAIRS[f"step-{_id}-{_precision}-1024-one-core-over-c"] = functools.partial(
        compare_with_yardstick, _id, _precision
    )
for _id in GRIDS:
    PAIRS[f"step-{_id}-1024-one-core-over-gymnasium-sync"] = functools.partial(
        compare_with_objects, _id
    )
    PAIRS[f"step-{_id}-1024-one-core-over-envpool"] = functools.partial(compare_with_envpool, _id)
for _id in GAMES:
    PAIRS[f"step-{_id.replace('/', '-')}-1024-one-core-over-gymnasium-sync"] = functools.partial(
        compare_with_objects, _id
    )
for _id, _scenario in (("EgoBasic-v0", "basic"), ("EgoBattle-v0", "deathmatch")):
    # ViZDoom has no smaller pictures; 128 x 72 are cut down from these, which is not counted.
    for _name, _size in (("160x120", GAME_SIZE), ("128x72", {})):
        PAIRS[f"pictures-{_id}-{_name}-one-core-over-vizdoom"] = functools.partial(
            compare_with_game, _id, vizdoom.game, _scenario, ("vizdoom",), **_size
        )
PAIRS |= {
    "step-CartPole-v1-fast-1024-one-core-over-c-float": functools.partial(
        compare_with_yardstick, "CartPole-v1", "fast", "float"
    ),
    "step-CartPole-v1-exact-1-over-gymnasium-sync": compare_single,
    "step-vehicle-exact-1024-one-core-over-scalars": compare_arrays,
    "step-CartPole-v1-fast-65536-over-1024-one-core": compare_sizes,
    "send-recv-CartPole-v1-exact-16384-over-step": compare_send,
    "collect-CartPole-v1-1024-over-bare-calls": functools.partial(
        compare_rollouts, 1024, num_splits=1, halves=False
    ),
    "collect-halves-CartPole-v1-1024-over-bare-calls": functools.partial(compare_rollouts, 1024),
    "ppo-CartPole-v1-over-gymnasium-sync": functools.partial(
        compare_iterations, "CartPole-v1", "gymnasium"
    ),
    "ppo-CartPole-v1-over-no-environment": functools.partial(
        compare_with_no_environment, "CartPole-v1"
    ),
    "pictures-EgoBattle-v0-256-one-core-over-c": functools.partial(
        compare_pictures, "EgoBattle-v0"
    ),
    "pictures-EgoBasic-v0-160x120-one-core-over-envpool": functools.partial(
        compare_with_game,
        "EgoBasic-v0",
        vizdoom.envpool_games,
        "basic",
        ("vizdoom", "envpool"),
        **GAME_SIZE,
    ),
    "reset-CartPole-v1-256-over-gymnasium-sync": compare_resets,
    "snapshot-CartPole-v1-16384-over-copies": compare_snapshots,
    "warm-start-CartPole-v1-over-import": functools.partial(compare_starts, sides.start),
    "cold-start-CartPole-v1-over-import": functools.partial(compare_starts, sides.compile_once),
}

NEEDS_ALL = re.compile("-(4096|16384)-over-")
"""Names of pairs that are measured on all processors: on two, for their floors."""

FLOORS = floors.read()


@pytest.mark.parametrize("name", PAIRS)
def bench_floor(benchmark: Any, recorded: dict[str, Any], name: str) -> None:
    benchmark.group = "floors"
    if NEEDS_ALL.search(name) and available_cpus() < 2:
        pytest.skip("its floor is for two processors")
    entry = FLOORS[name]
    pair = PAIRS[name]()
    try:
        # The rounds of both sides alternate; the time shown is that of a block of ours.
        benchmark.pedantic(pair.time_ours, setup=pair.time_theirs, rounds=pair.rounds)
        ratios = [pair.ratio()] if recorded is not None else floors.reach(pair, entry["floor"])
    finally:
        pair.close()
    last = ratios[-1]
    benchmark.extra_info.update(
        ratio=last.median,
        interval=[last.low, last.high],
        floor=entry["floor"],
        typical=entry.get("typical"),
        attempts=len(ratios),
        ns_a_unit=pair.nanoseconds(),
    )
    if recorded is not None:
        recorded[name] = last
        return
    if last.median < entry["floor"] and NEEDS_ALL.search(name):
        free = sides.free_processors()
        if free < 0.8 * available_cpus():
            pytest.skip(
                f"{last} cannot be judged: of {available_cpus()} processors {free:.1f} are free"
            )
    assert last.median >= entry["floor"], floors.explain(name, pair, ratios, entry)


def bench_every_pair_has_a_floor() -> None:
    assert set(FLOORS) == set(PAIRS)
