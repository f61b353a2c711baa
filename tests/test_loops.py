"""What is built with the package does what the reference backend does, for every type and size."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from gymnasium.vector import AutoresetMode

import batchsim
from batchsim.compiler.loops import NUMBERS
from batchsim.random import integers, uniform

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


class Furnished(Counter):
    """Has infos, a reset option and observations of several leaves."""

    class Options(NamedTuple):
        push: float = 0.5

    class Info(NamedTuple):
        left: int
        far: bool

    OBSERVATION = Dict(
        {
            "value": Box(-np.inf, np.inf, (1,), np.float64),
            "picture": Box(0, 255, (3, 5), np.uint8),
            "left": Box(-9, 9, (2,), np.int16),
        }
    )

    def reset(s, i, p, rng):  # noqa: N805
        s.left[i] = int(uniform(rng, i, 1.0, 9.0))
        s.value[i] = p.push

    def observe(s, i, p, out):  # noqa: N805
        out.value[0] = s.value[i]
        for k in range(5):
            out.picture[k % 3, k] = int(s.value[i] * 99.0) + k
        out.left[1] = s.left[i]

    def inform(s, i, p, out):  # noqa: N805
        out.left[0] = s.left[i]
        out.far[0] = s.value[i] > 0.5


def wide_space(size):
    return Box(-np.inf, np.inf, (size,), np.float32)


class Wide(Counter):
    """Observes the same number several times."""

    def observe(s, i, p, out):  # noqa: N805
        out[:] = s.value[i] * 8.0


class Failing(Counter):
    """Reads beyond a column in one of its functions, in some rows of which an episode is over."""

    class State(NamedTuple):
        left: int
        value: float
        board: batchsim.column(np.int8, (4,))
        episodes: int

    class Params(NamedTuple):
        step: int = 0
        reset: int = 0
        observe: int = 0
        inform: int = 0

    class Info(NamedTuple):
        seen: int

    def reset(s, i, p, rng):  # noqa: N805
        s.left[i] = int(uniform(rng, i, 1.0, 9.0))
        s.episodes[i] += 1
        s.value[i] = s.board[i, place(s, i, p.reset)]

    def step(s, i, action, p, rng):  # noqa: N805
        s.left[i] -= 1
        return 1.0 * s.board[i, place(s, i, p.step)], s.left[i] == 0

    def observe(s, i, p, out):  # noqa: N805
        out[0] = s.left[i]
        out[1] = s.board[i, place(s, i, p.observe)]

    def inform(s, i, p, out):  # noqa: N805
        out.seen[0] = s.board[i, place(s, i, p.inform)]


def place(s, i, beyond):
    return 3 + beyond if s.episodes[i] > 1 and s.left[i] % 3 == 1 else 3


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


@pytest.mark.parametrize("start", [-(2**62), 0, 2**62, 2**63 - 5])
def test_discrete_spaces_of_numbers_of_64_bits(opened, start):
    envs = opened(batchsim.make_vec(acting(Discrete(2**61, start=start)), 3, num_threads=1))
    last = min(start + 2**61, 2**63) - 1
    for number in (start, last, start + 4):
        assert takes(envs, np.array([start, number, last]))
    for number in {start - 1, last + 1, -(2**63), 2**63 - 1} - {last, 2**63}:
        assert not takes(envs, np.array([start, number, last]))


@pytest.mark.parametrize("elements", [1, 2, 3, 17])
@pytest.mark.parametrize("dtype", [*NUMBERS, "bool"])
def test_an_element_out_of_bounds_is_found_in_any_place(opened, dtype, elements):
    low, high = (0, 1) if dtype == "bool" else (1, 9)
    space = Box(low, high, (elements,), np.dtype(dtype).type)
    rows = 131
    envs = opened(batchsim.make_vec(acting(space), rows, num_threads=1))
    inside = np.full((rows, elements), low, dtype)
    assert takes(envs, inside)
    if dtype == "bool":
        assert takes(envs, ~inside)
        return
    numbers = [0, 10] + ([np.nan, np.inf, -np.inf] if "float" in dtype else [])
    for row in (0, 1, 62, 63, 64, 65, 127, 128, 130):
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
    envs = opened(batchsim.make_vec(acting(space), 133, num_threads=1))
    random = np.random.default_rng(0)
    envs.action_space.seed(0)
    for _ in range(20):
        actions = envs.action_space.sample()
        assert takes(envs, actions)
        row, element = random.integers(133), random.integers(actions.shape[1])
        actions[row, element] += random.choice([-4, 4])
        assert not takes(envs, actions)


def test_actions_of_which_there_is_no_check_are_refused():
    with pytest.raises(TypeError, match="float16"):
        batchsim.make_vec(acting(Box(0, 1, (2,), np.float16)), 2)


SETTINGS = {
    "nothing": {},
    "statistics": {"record_episode_statistics": True, "max_episode_steps": 4},
    "a limit of 32 bits": {"record_episode_statistics": True, "max_episode_steps": 40_000},
    "no limit": {"record_episode_statistics": True, "max_episode_steps": None},
    "frames": {"frame_stack": 3, "max_episode_steps": 5},
    "narrow numbers": {"precision": "fast", "record_episode_statistics": True},
}


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("num_envs", [1, 63, 64, 65, 200])
def test_both_backends_do_the_same(opened, num_envs, settings, mode):
    go_side_by_side(opened, Counter, num_envs, mode, **SETTINGS[settings])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("frames", [1, 3, 4, 5])
def test_infos_options_and_leaves_of_all_sizes(opened, frames, mode):
    settings = {"frame_stack": frames} if frames > 1 else {}
    go_side_by_side(opened, Furnished, 70, mode, {"push": 2.5}, **settings)


@pytest.mark.parametrize("limit", [7, 40_000, None])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 8, 9])
@pytest.mark.parametrize("frames", [2, 3, 4, 6])
def test_stacks_of_frames_of_all_sizes(opened, frames, size, limit):
    wide = type("Wide", (Wide,), {"__doc__": "Frames of a size.", "OBSERVATION": wide_space(size)})
    settings = {"frame_stack": frames, "max_episode_steps": limit}
    go_side_by_side(opened, wide, 9, "SameStep", steps=12, **settings)


def go_side_by_side(opened, definition, num_envs, mode, options=None, steps=30, **settings):
    """Compare what batches of both backends do, step by step, with resets of some rows."""
    arguments = {**settings, "autoreset_mode": mode, "num_threads": 1}
    batches = [
        opened(batchsim.make_vec(definition, num_envs, backend=backend, **arguments))
        for backend in ("native", "reference")
    ]
    random = np.random.default_rng(num_envs)
    oracle.assert_same_reset(*[envs.reset(seed=4, options=options) for envs in batches])
    for step in range(steps):
        actions = random.integers(2, size=num_envs)
        results = [without_durations(envs.step(actions)) for envs in batches]
        oracle.assert_same_step(*results, f"step {step}")
        over = results[0][2] | results[0][3]
        some = random.random(num_envs) < 0.2
        again = {}
        if mode == "Disabled" and over.any():
            again = {**(options or {}), "reset_mask": over}
        elif step % 7 == 0 and some.any():
            again = {"reset_mask": some}
        if again:
            found = [envs.reset(options=dict(again)) for envs in batches]
            oracle.assert_same_reset(*found, f"step {step}")


def without_durations(results):
    """What a step returned, but for how long episodes took."""
    results[4].get("episode", {}).pop("t", None)
    return results


class Kind(IntEnum):
    START = 2
    GOAL = 9


class Enumerating(Counter):
    """Draws between members of an enumeration."""

    def reset(s, i, p, rng):  # noqa: N805
        s.left[i] = integers(rng, i, Kind.START, Kind.GOAL)
        s.value[i] = 0.0


def test_members_of_enumerations_are_numbers_to_draws(opened):
    go_side_by_side(opened, Enumerating, 20, "NextStep")


MASKS = {3: (0, 2), 64: (0, 5, 63), 70: (1, 64, 69)}


@pytest.mark.parametrize("byte", [1, 2, 128, 255])
@pytest.mark.parametrize("num_envs", MASKS)
def test_any_byte_of_a_mask_but_0_selects_its_row(opened, num_envs, byte):
    rows = list(MASKS[num_envs])
    one, other = (opened(batchsim.make_vec(Counter, num_envs, num_threads=1)) for _ in range(2))
    mask = np.zeros(num_envs, np.uint8)
    mask[rows] = byte
    for envs, flags in ((one, mask.view(bool)), (other, mask != 0)):
        envs.reset(seed=0)
        envs.reset(options={"reset_mask": flags})
    assert one._tile.rng.state.tobytes() == other._tile.rng.state.tobytes()
    np.testing.assert_array_equal(np.flatnonzero(one._tile.selected), rows)


def test_another_number_of_actions_compiles_nothing(opened, monkeypatch):
    few = opened(batchsim.make_vec(acting(Discrete(2)), 3))
    monkeypatch.setattr("batchsim.compiler.compile._compile", None)
    many = opened(batchsim.make_vec(acting(Discrete(3)), 3))
    assert not takes(few, np.array([0, 1, 2]))
    assert takes(many, np.array([0, 1, 2]))


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("function", ["step", "reset", "observe", "inform"])
def test_where_a_part_fails_the_call_does(opened, function, mode):
    envs = opened(
        batchsim.make_vec(Failing, 70, autoreset_mode=mode, checked=True, **{function: 1})
    )
    envs.reset(seed=0)
    with pytest.raises(RuntimeError, match=r"failed in row \d+.*no row was changed"):
        go_on(envs, 12)


def go_on(envs, steps):
    for _ in range(steps):
        over = envs.step(np.zeros(envs.num_envs, np.int64))[2]
        if envs.metadata["autoreset_mode"] is AutoresetMode.DISABLED and over.any():
            envs.reset(options={"reset_mask": over})
