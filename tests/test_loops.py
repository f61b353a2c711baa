"""What is built with the package does what the reference backend does, for every type and size."""

from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

import batchsim
from batchsim.compiler.loops import NUMBERS
from batchsim.random import uniform

WHOLE = [name for name in NUMBERS if "int" in name]


class Counter:
    """Episodes of random lengths, whose actions are all that is of interest."""

    class State(NamedTuple):
        left: int
        value: float

    OBSERVATION = Box(-np.inf, np.inf, (2,), np.float64)
    ACTION = Discrete(2)

    def reset(s, i, p, rng):  # noqa: N805
        s.left[i] = int(uniform(rng, i, 1.0, 9.0))
        s.value[i] = uniform(rng, i, 0.0, 1.0)

    def step(s, i, action, p, rng):  # noqa: N805
        s.left[i] -= 1
        s.value[i] = uniform(rng, i, 0.0, 1.0)
        return s.value[i], s.left[i] == 0

    def observe(s, i, p, out):  # noqa: N805
        out[0] = s.left[i]
        out[1] = s.value[i]


def acting(space):
    """An environment with actions of this space."""
    return type("Acting", (Counter,), {"ACTION": space, "__doc__": "Any actions."})


def takes(envs, actions):
    """Whether a batch of actions is in the space; every row has begun its episode anew."""
    envs.reset(seed=0)
    try:
        envs.step(actions)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("dtype", WHOLE)
def test_numbers_outside_a_discrete_space_are_refused_however_far(opened, dtype):
    limits = np.iinfo(dtype)
    start = 3 if limits.min == 0 else -3
    space = Discrete(7, start=start, dtype=np.dtype(dtype).type)
    envs = opened(batchsim.make_vec(acting(space), 67, num_threads=1))
    inside = {start, start + 1, start + 6}
    outside = {start - 1, start + 7, start - 2, start + 100, limits.min, limits.max, limits.max - 1}
    outside |= {limits.min + 1, limits.max // 2, limits.max // 2 + 1, limits.min // 2}
    for number in inside | outside:
        if not limits.min <= number <= limits.max:
            continue
        for row in (0, 1, 15, 16, 63, 66):
            actions = np.full(67, start, dtype)
            actions[row] = number
            assert takes(envs, actions) == (start <= number < start + 7), number


@pytest.mark.parametrize("start", [-(2**62), 0, 2**62])
def test_discrete_spaces_of_numbers_of_64_bits(opened, start):
    envs = opened(batchsim.make_vec(acting(Discrete(2**61, start=start)), 3, num_threads=1))
    last = start + 2**61 - 1
    for number in (start, last, start + 5):
        assert takes(envs, np.array([start, number, last]))
    for number in (start - 1, last + 1, -(2**63), 2**63 - 1):
        assert not takes(envs, np.array([start, number, last]))


@pytest.mark.parametrize("elements", [1, 2, 3, 17])
@pytest.mark.parametrize("dtype", [*NUMBERS, "bool"])
def test_an_element_out_of_bounds_is_found_in_any_place(opened, dtype, elements):
    low, high = (0, 1) if dtype == "bool" else (1, 9)
    space = Box(low, high, (elements,), np.dtype(dtype).type)
    rows = 35
    envs = opened(batchsim.make_vec(acting(space), rows, num_threads=1))
    inside = np.full((rows, elements), low, dtype)
    assert takes(envs, inside)
    if dtype == "bool":
        assert takes(envs, ~inside)
        return
    numbers = [0, 10] + ([np.nan, np.inf, -np.inf] if "float" in dtype else [])
    for row in (0, 1, 15, 16, 31, 32, 34):
        for element in {0, elements // 2, elements - 1}:
            inside[row, element] = high
            assert takes(envs, inside)
            for number in numbers:
                actions = inside.copy()
                actions[row, element] = number
                assert not takes(envs, actions), (row, element, number)


@pytest.mark.parametrize(
    "space", [MultiDiscrete([2, 3, 4], start=[0, -1, 5]), MultiBinary(5)], ids=repr
)
def test_each_element_has_bounds_of_its_own(opened, space):
    envs = opened(batchsim.make_vec(acting(space), 33, num_threads=1))
    random = np.random.default_rng(0)
    envs.action_space.seed(0)
    for _ in range(20):
        actions = envs.action_space.sample()
        assert takes(envs, actions)
        row, element = random.integers(33), random.integers(actions.shape[1])
        actions[row, element] += random.choice([-4, 4])
        assert not takes(envs, actions)


def test_actions_of_which_there_is_no_check_are_refused():
    with pytest.raises(TypeError, match="float16"):
        batchsim.make_vec(acting(Box(0, 1, (2,), np.float16)), 2)


SETTINGS = {
    "nothing": {},
    "statistics": {"record_episode_statistics": True, "max_episode_steps": 4},
    "a limit of 32 bits": {"record_episode_statistics": True, "max_episode_steps": 40_000},
    "no limit": {"record_episode_statistics": True, "max_episode_steps": -1},
    "frames": {"frame_stack": 3, "max_episode_steps": 5},
    "narrow numbers": {"precision": "fast", "record_episode_statistics": True},
}


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("num_envs", [1, 63, 64, 65, 200])
def test_both_backends_do_the_same(opened, num_envs, settings, mode):
    arguments = {**SETTINGS[settings], "autoreset_mode": mode, "num_threads": 1}
    if arguments.get("max_episode_steps") == -1:
        arguments["max_episode_steps"] = None
    batches = [
        opened(batchsim.make_vec(Counter, num_envs, backend=backend, **arguments))
        for backend in ("native", "reference")
    ]
    random = np.random.default_rng(num_envs)
    for envs in batches:
        envs.reset(seed=4)
    for step in range(30):
        actions = random.integers(2, size=num_envs)
        results = [envs.step(actions) for envs in batches]
        alike(*results)
        over = results[0][2] | results[0][3]
        some = random.random(num_envs) < 0.2
        if mode == "Disabled" and over.any():
            alike(*[envs.reset(options={"reset_mask": over}) for envs in batches])
        elif step % 7 == 0 and some.any():
            alike(*[envs.reset(options={"reset_mask": some}) for envs in batches])


def alike(one, other):
    """Compare results, but for how long episodes took."""
    for mine, theirs in zip(one[:-1], other[:-1], strict=True):
        assert mine.tobytes() == theirs.tobytes()
    assert one[-1].keys() == other[-1].keys()
    for name in one[-1]:
        if name == "episode":
            for statistic in ("r", "l", "_r", "_l", "_t"):
                mine, theirs = (infos[name].get(statistic) for infos in (one[-1], other[-1]))
                np.testing.assert_array_equal(mine, theirs)
        elif name != "final_obs":
            np.testing.assert_array_equal(one[-1][name], other[-1][name])
        else:
            for mine, theirs in zip(one[-1][name], other[-1][name], strict=True):
                np.testing.assert_array_equal(mine, theirs)
