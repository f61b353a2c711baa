"""Sokoban of the examples: both versions are one game, its messages included."""

import collections
import importlib

import numpy as np
import oracle
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from test_texts import same
from test_tutorial import examples  # noqa: F401 - a fixture of every test

import batchsim

N = 24
LIMIT = 40


def imported():
    return importlib.import_module("sokoban"), importlib.import_module("sokoban_gymnasium")


def shortest(env, level):
    """Return the fewest actions that solve a level of the class, found by breadth."""
    while True:
        env.reset()
        if env.level == level:
            break
    start = env.player, frozenset(env.boxes)
    came = {start: ()}
    queue = collections.deque([start])
    while queue:
        state = queue.popleft()
        for action in range(4):
            env.player, env.boxes = state[0], set(state[1])
            solved = env.step(action)[2]
            found = env.player, frozenset(env.boxes)
            if solved:
                return (*came[state], action)
            if found not in came:
                came[found] = (*came[state], action)
                queue.append(found)
    raise AssertionError(f"Level {level + 1} cannot be solved.")


MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)


@MODES
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_both_versions_of_sokoban_give_the_same(mode, backend, opened):
    """Two rows of three are played as they are solved, the others at random."""
    sokoban, original = imported()
    solver = original.SokobanEnv()
    solutions = [shortest(solver, level) for level in range(len(solver.levels))]
    made = {"autoreset_mode": mode, "backend": backend, "max_episode_steps": LIMIT}
    envs = opened(batchsim.make_vec(sokoban, N, **made))
    pair = SyncVectorEnv([lambda: TimeLimit(original.SokobanEnv(), LIMIT)] * N, autoreset_mode=mode)
    assert envs.observation_space == pair.observation_space
    rng = np.random.default_rng(1)
    assert same(pair.reset(seed=1), envs.reset(seed=1))
    seen, over = set(), np.zeros(N, np.bool_)
    for _ in range(250):
        if mode is AutoresetMode.DISABLED and over.any():
            expected = pair.reset(options={"reset_mask": over.copy()})
            assert same(expected, envs.reset(options={"reset_mask": over.copy()}))
        actions = rng.integers(0, 4, N)
        state = envs.get_state()
        for row in range(N):
            known, time = solutions[state["state.level"][row]], state["elapsed"][row]
            if row % 3 and time < len(known):
                actions[row] = known[time]
        expected = pair.step(actions)
        assert same(expected, envs.step(actions))
        seen.update(expected[0]["message"])
        seen.update(last["message"] for last in expected[4].get("final_obs", ()) if last)
        over = expected[2] | expected[3]
    oracle.assert_same_streams(pair, envs)
    assert {f"Level {level + 1}: solved" for level in range(len(solutions))} <= seen
    assert {"Level 2: 1 box to go", "Level 4: 3 boxes to go"} <= seen


LEVEL_SETS = {
    "one row": ("@$ .", (1, 4)),
    "one column": ("@\n$\n.\n", (3, 1)),
    "higher than wide": ("###\n#@#\n# #\n#$#\n# #\n#.#\n###\n\n+$\n", (7, 3)),
    "wide": ("#" * 30 + "\n#@" + " $." * 9 + "#\n" + "#" * 30 + "\n\n; open\n. $@\n", (3, 30)),
    "many boxes": ("@" + " " * 9 + "\n" + "\n".join(["   $    . "] * 8), (9, 9)),
}


@MODES
@pytest.mark.parametrize("levels", LEVEL_SETS)
def test_boards_are_as_large_as_the_levels(mode, levels, opened):
    sokoban, original = imported()
    text, size = LEVEL_SETS[levels]
    envs = opened(
        batchsim.make_vec(sokoban, N, levels=text, autoreset_mode=mode, max_episode_steps=LIMIT)
    )
    pair = SyncVectorEnv(
        [lambda: TimeLimit(original.SokobanEnv(levels=text), LIMIT)] * N, autoreset_mode=mode
    )
    assert envs.observation_space == pair.observation_space
    assert envs.observation_space["board"].shape == (N, *size)
    assert envs.get_attr("board")[0].shape == size
    assert envs.max_episode_steps == LIMIT
    rng = np.random.default_rng(3)
    assert same(pair.reset(seed=3), envs.reset(seed=3))
    over = np.zeros(N, np.bool_)
    for _ in range(100):
        if mode is AutoresetMode.DISABLED and over.any():
            expected = pair.reset(options={"reset_mask": over.copy()})
            assert same(expected, envs.reset(options={"reset_mask": over.copy()}))
        actions = rng.integers(0, 4, N)
        expected = pair.step(actions)
        assert same(expected, envs.step(actions))
        over = expected[2] | expected[3]
    oracle.assert_same_streams(pair, envs)
    state = envs.get_state()
    state["state.row"][0] = size[0]
    with pytest.raises(ValueError, match=f"row.*{size[0]}"):
        envs.set_state(state)


def test_snapshots_of_other_levels_are_refused(opened):
    sokoban, _ = imported()
    one, other = (
        opened(batchsim.make_vec(sokoban, 2, levels=text, backend="reference"))
        for text in ("@$ .", "@$  .")
    )
    one.reset(seed=0)
    before = other.reset(seed=0)[0]["board"].copy()
    with pytest.raises(ValueError, match=r"state\.board has shape"):
        other.set_state(one.get_state())
    assert np.array_equal(other.get_attr("board")[0], before[0] - 4 * (before[0] == 4))


def test_the_parameters_and_levels_are_those_of_the_class(opened):
    sokoban, original = imported()
    given = {
        "levels": "#####\n#@$.#\n# $.#\n#####\n\n; open to the right\n@$ .\n",
        "step_reward": 0.25,
        "box_reward": -2.0,
        "end_reward": 0.5,
    }
    envs = opened(batchsim.make_vec(sokoban, N, **given))
    pair = SyncVectorEnv([lambda: original.SokobanEnv(**given)] * N)
    rng = np.random.default_rng(2)
    assert same(pair.reset(seed=2), envs.reset(seed=2))
    for _ in range(150):
        actions = rng.integers(0, 4, N)
        assert same(pair.step(actions), envs.step(actions))


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ("#@$.X#", "Level 1 has a 'X'; expected"),
        ("#@$.#\n\n#$.#", "Level 2 has 0 players, 1 boxes and 1 goals; expected one player"),
        ("#@$#", "Level 1 has 1 players, 1 boxes and 0 goals"),
        ("#@*#", "Level 1 has 1 players, 1 boxes and 1 goals; .* one at least is on none"),
        ("", "Level 1 has 0 players"),
    ],
)
def test_levels_that_make_no_sense_are_refused(levels, message):
    sokoban, original = imported()
    for make in (original.SokobanEnv, lambda **given: batchsim.make_vec(sokoban, 2, **given)):
        with pytest.raises(ValueError, match=message):
            make(levels=levels)
        with pytest.raises(TypeError, match=r"^levels is None; expected a text\.$"):
            make(levels=None)


def test_the_check_passes():
    report = batchsim.check(imported()[0], steps=60)
    assert report.hints == ()


def test_both_draw_the_same_picture(opened):
    sokoban, original = imported()
    envs = opened(batchsim.make_vec(sokoban, 3, backend="reference", render_mode="rgb_array"))
    pair = SyncVectorEnv([original.SokobanEnv] * 3)
    envs.reset(seed=0)
    pair.reset(seed=0)
    for one, other in zip(pair.render(), envs.render(), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


def test_the_measuring_command_measures(monkeypatch, capsys):
    compare = importlib.import_module("compare")
    monkeypatch.setattr(compare, "NUM_ENVS", 4)
    monkeypatch.setattr(compare, "BLOCKS", 1)
    compare.main("sokoban")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Sokoban, 4 environments")
    assert float(lines[-1].split()[1].replace(",", "")) > 0
    with pytest.raises(
        SystemExit, match="There is no example 'sokban'; expected one of snake, sok"
    ):
        compare.main("sokban")
