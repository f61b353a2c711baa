"""The examples that are written in NumPy, and their originals, are the same bit for bit."""

import importlib
import os
import subprocess
import sys

import numpy as np
import oracle
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from test_tutorial import EXAMPLES, examples  # noqa: F401 - a fixture of every test

import batchsim

N = 20
WEEKS = np.random.default_rng(0).uniform(0.0, 9.0, (40, 5))
SHOP = {"demand": WEEKS, "prices": [2.0, 5.0, 3.0, 4.0, 1.0], "leads": [1, 3, 2, 2, 3]}
CASES = {
    # The example, its arguments, a time limit, and how many episodes end without it.
    "vehicle": ("VehicleEnv", {}, 50, 0),
    "slow vehicle": ("VehicleEnv", {"power": 4.0, "drag": 12.0, "dt": 0.15}, 50, 0),
    "kalman": ("KalmanEnv", {}, 60, 30),
    "far kalman": ("KalmanEnv", {"gain": -1.0, "damping": 0.5, "radius": 0.05}, 200, 1),
    "inventory": ("InventoryEnv", SHOP, None, 60),
    "small inventory": (
        "InventoryEnv", {"demand": [[3.0], [2.5]], "prices": [2.0], "leads": [1]}, None, 1000,
    ),
    "long inventory": (
        "InventoryEnv",
        {"demand": np.ones((70, 2)), "prices": [1.0, 2.0], "leads": [9, 1], "room": 7.0},
        None,
        20,
    ),
    "game2048": ("Game2048Env", {}, 40, 0),
    "game2048 of 2": ("Game2048Env", {"size": 2, "fours": 0.5, "idle": 0.25}, None, 60),
    "game2048 of 3": ("Game2048Env", {"size": 3}, None, 20),
}  # fmt: skip
MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)


def imported(name):
    name = name.split(" of ")[0].split()[-1]
    return importlib.import_module(name), importlib.import_module(f"{name}_gymnasium")


@MODES
@pytest.mark.parametrize("case", CASES)
def test_both_versions_give_the_same_bits(case, mode, opened):
    kind, arguments, limit, least = CASES[case]
    definition, module = imported(case)

    def make():
        env = getattr(module, kind)(**arguments)
        return env if limit is None else TimeLimit(env, limit)

    made = {"num_envs": N, "autoreset_mode": mode, "max_episode_steps": limit, **arguments}
    ways = {"native": {"num_threads": 2}, "reference": {"backend": "reference"}}
    pair = oracle.SideBySide(
        SyncVectorEnv([make] * N, autoreset_mode=mode),
        {
            name: (opened(batchsim.make_vec(definition, **made, **way)), oracle.step)
            for name, way in ways.items()
        },
    )
    space = pair.reference.action_space
    assert space == pair.subjects["native"][0].action_space
    space.seed(1)
    pair.reset(seed=5)
    terminated = 0
    for _ in range(130):
        if mode is AutoresetMode.DISABLED and pair.over is not None and pair.over.any():
            pair.reset(options={"reset_mask": pair.over.copy()})
        _, _, ends, cuts, _ = pair.step(space.sample())
        terminated += int((ends | (cuts if limit is None else False)).sum())
    pair.compare_streams()
    pair.reference.close()
    assert terminated >= least
    assert pair.episodes > (N if limit is None or limit < 100 else 0)


@pytest.mark.parametrize("name", ["vehicle", "kalman", "inventory", "game2048"])
def test_the_check_passes(name):
    assert batchsim.check(imported(name)[0], num_envs=4, steps=60).hints == ()


def test_the_command_passes_what_it_sees_first():
    command = [sys.executable, "-m", "batchsim", "check", str(EXAMPLES / "kalman.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_kept_code_that_inverts_a_matrix_is_loaded_by_another_process(tmp_path):
    code = "import batchsim, kalman; batchsim.make_vec(kalman, 2).reset(seed=0)"
    settings = {
        "BATCHSIM_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": f"{EXAMPLES}:{EXAMPLES.parents[1]}",
    }
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **settings})


@pytest.mark.parametrize("board", [[[1, 1, 1, 1]], [[2, 0, 2, 3]], [[0, 1, 2, 1]], [[3, 2, 2, 3]]])
def test_each_tile_merges_once(board):
    moved, points = imported("game2048")[1].slide(np.array(board, np.int8))
    expected = {
        (1, 1, 1, 1): ([2, 2, 0, 0], 8),
        (2, 0, 2, 3): ([3, 3, 0, 0], 8),
        (0, 1, 2, 1): ([1, 2, 1, 0], 0),
        (3, 2, 2, 3): ([3, 3, 3, 0], 8),
    }[tuple(board[0])]
    assert (moved[0].tolist(), points) == expected


@pytest.mark.parametrize("size", [1, 9])
def test_a_board_of_2048_that_is_too_small_or_large_is_refused(size):
    with pytest.raises(ValueError, match=f"size is {size}; expected from 2 to 8"):
        batchsim.make_vec(imported("game2048")[0], 2, size=size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prices": [1.0]}, r"the shapes \(60, 3\), \(1,\), \(3,\); expected"),
        ({"leads": [0, 1, 1]}, "leads of at least 1"),
        ({"demand": [[1.0, 2.0, 3.0]]}, "two days or more"),
    ],
)
def test_what_is_no_shop_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        batchsim.make_vec(imported("inventory")[0], 2, **arguments)
