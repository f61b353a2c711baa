"""Grid worlds, every id: the bits of the per-object environments of the package minigrid.

There are so many ids that a run takes some of them, others for another commit; `--slow` takes all.
"""

import hashlib
import subprocess
from pathlib import Path

import oracle
import pytest
from explorer import Explorer
from gymnasium.vector import AutoresetMode

from batchsim.registry import ENVIRONMENTS

SHARE = 12  # ids a run
N = 6


def rotation():
    """Return a number that is another one for each commit."""
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return int(hashlib.sha256(asked.stdout.encode()).hexdigest()[:8], 16)


def share(ids, count):
    """Return some of the ids: those that follow each other from a place that a commit decides."""
    start = rotation() % len(ids)
    return sorted((ids + ids)[start : start + count])


def modes_of(ids):
    """Return each id with a mode, in turns."""
    modes = list(AutoresetMode)
    return [(name, modes[(rotation() + k) % 3]) for k, name in enumerate(ids)]


def explore(pair, steps, seed):
    pair.reset(seed=seed)
    explorer = Explorer(pair.reference, seed)
    pair.run(steps, explorer)
    pair.compare_streams()
    return explorer.seen


@pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")
@pytest.mark.parametrize(("name", "mode"), modes_of(share(oracle.GRIDS, SHARE)))
@pytest.mark.usefixtures("blocked_rooms_end")
def test_a_grid_world_has_upstreams_bits(beside, name, mode):
    pair = beside(name, N, mode, reference_backend=True)
    for seed in (0, 2**40):
        explore(pair, 60, seed)
    pair = beside(name, N, mode)
    explore(pair, 300, 7)


@pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("blocked_rooms_end")
@pytest.mark.parametrize("name", oracle.GRIDS)
def test_200_000_steps_of_a_grid_world_have_upstreams_bits(beside, name):
    steps, successes, seen = 0, 0, {}
    for mode in AutoresetMode:
        pair = beside(name, 64, mode)
        explorer = explore(pair, 1050, 11)
        steps += 64 * pair.steps
        successes += pair.successes
        seen |= explorer
    assert steps >= 200_000
    assert successes or name.startswith("MiniGrid-Playground")
    print(f"{name}: {successes} successes, {len(seen)} kinds of deeds")


def test_every_id_of_the_package_is_there_but_those_it_cannot_make():
    import gymnasium
    import minigrid  # noqa: F401

    theirs = {name for name in gymnasium.registry if name.startswith(("MiniGrid-", "BabyAI-"))}
    missing = theirs - set(oracle.GRIDS)
    assert missing == {name for name in theirs if "WFC" in name}
    assert set(oracle.GRIDS) <= theirs
    assert all(ENVIRONMENTS[name].max_episode_steps is None for name in oracle.GRIDS)
