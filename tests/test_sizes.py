"""Columns whose shapes arguments decide, tables made of parameters, and values before any reset.

The oracle is a per-object environment of the same rules, as one would write it for Gymnasium.
"""
# ruff: noqa: N802, N805 - the author's contract

import copy
import pickle
import re
from functools import partial
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FrameStackObservation

import batchsim
from batchsim import registry
from batchsim.definition import Definition
from batchsim.random import integers


class Orchard:
    """Fruit ripens on a square; what is picked is worth more from one episode to the next."""

    class Params(NamedTuple):
        size: int = 3
        scale: float = 2.0
        gain: float = 0.5

    class Arguments(NamedTuple):
        worth: tuple = (1.0, 4.0, 9.0)
        bins: object = 2  # of any kind: what is no number is refused as a column's size

    class Tables(NamedTuple):
        value: np.ndarray

    class State(NamedTuple):
        ripe: batchsim.column(np.int8, ("size", "size"))
        basket: batchsim.column(float, lambda p: (p.bins, len(p.worth)))
        cell: int
        picked: batchsim.column(np.int16, lambda p: p.value.shape[0]) = 5
        episodes: int = -1

    class Scratch(NamedTuple):
        way: batchsim.column(int, lambda p: p.size * p.size)

    class Info(NamedTuple):
        ripeness: batchsim.column(int, "size")

    ACTION = Discrete(2)

    def OBSERVATION(p):
        shape = (p.size * p.size + p.bins + 2,)
        return Box(-1000.0 * p.gain, 1000.0 * p.gain, shape, np.float64)

    def tables(p):
        if not len(p.worth):
            raise ValueError("worth is empty; expected numbers.")
        return Orchard.Tables(np.array(p.worth) * p.scale)

    def reset(s, i, p, rng):
        s.episodes[i] += 1
        s.basket[i] = 0.0
        for row in range(p.size):
            for column in range(p.size):
                s.ripe[i, row, column] = integers(rng, i, 0, p.value.shape[0])
        s.cell[i] = integers(rng, i, 0, p.size * p.size)

    def step(s, i, action, p, rng):
        cells = p.size * p.size
        for k in range(cells):
            s.way[i, k] = (5 * k + s.episodes[i] + 1) % cells
        row, column = s.cell[i] // p.size, s.cell[i] % p.size
        kind = int(s.ripe[i, row, column])
        reward = p.value[kind] * p.gain * (1 + s.episodes[i])
        s.basket[i, action, kind] += reward
        s.picked[i, kind] = (int(s.picked[i, kind]) + 1) % 1000
        s.ripe[i, row, column] = (kind + 1) % p.value.shape[0]
        s.cell[i] = s.way[i, s.cell[i]]
        return reward, int(s.picked[i, kind]) % 7 == 0

    def observe(s, i, p, out):
        for row in range(p.size):
            for column in range(p.size):
                out[row * p.size + column] = s.ripe[i, row, column]
        for k in range(len(s.basket[i])):
            total = 0.0
            for kind in range(p.value.shape[0]):
                total += s.basket[i, k, kind]
            out[p.size * p.size + k] = total
        out[p.size * p.size + len(s.basket[i])] = s.episodes[i]
        out[p.size * p.size + len(s.basket[i]) + 1] = s.picked[i, 0]

    def inform(s, i, p, out):
        for row in range(p.size):
            total = 0
            for column in range(p.size):
                total += int(s.ripe[i, row, column])
            out.ripeness[row] = total


class OrchardEnv(gymnasium.Env):
    """The same, one object a row."""

    def __init__(self, size=3, scale=2.0, gain=0.5, worth=(1.0, 4.0, 9.0), bins=2):
        self.size, self.gain, self.bins = size, gain, bins
        self.value = [scale * one for one in worth]
        shape = (size * size + bins + 2,)
        self.observation_space = Box(-1000.0 * gain, 1000.0 * gain, shape, np.float64)
        self.action_space = Discrete(2)
        self.episodes = -1
        self.picked = [5] * len(worth)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episodes += 1
        self.basket = [[0.0] * len(self.value) for _ in range(self.bins)]
        self.ripe = [
            [int(self.np_random.integers(len(self.value))) for _ in range(self.size)]
            for _ in range(self.size)
        ]
        self.cell = int(self.np_random.integers(self.size**2))
        return self.observation(), self.infos()

    def step(self, action):
        row, column = divmod(self.cell, self.size)
        kind = self.ripe[row][column]
        reward = self.value[kind] * self.gain * (1 + self.episodes)
        self.basket[action][kind] += reward
        self.picked[kind] = (self.picked[kind] + 1) % 1000
        self.ripe[row][column] = (kind + 1) % len(self.value)
        self.cell = (5 * self.cell + self.episodes + 1) % self.size**2
        over = self.picked[kind] % 7 == 0
        return self.observation(), reward, over, False, self.infos()

    def observation(self):
        flat = [one for row in self.ripe for one in row]
        totals = []
        for one in self.basket:
            total = 0.0
            for value in one:
                total += value
            totals.append(total)
        return np.array([*flat, *totals, self.episodes, self.picked[0]], np.float64)

    def infos(self):
        return {"ripeness": np.array([sum(row) for row in self.ripe])}


SIZES = [
    {},
    {"size": 1},
    {"size": 5, "scale": 0.75, "gain": 1.5},
    {"size": 4, "worth": (0.5, 2.5), "bins": 7},
]


def original(frames=1, **arguments):
    env = OrchardEnv(**arguments)
    return env if frames == 1 else FrameStackObservation(env, frames)


def beside(num_envs, mode=AutoresetMode.NEXT_STEP, frames=1, **arguments):
    settings = {"autoreset_mode": mode, "frame_stack": frames, **arguments}
    subjects = {
        "one thread": (
            batchsim.make_vec(Orchard, num_envs, num_threads=1, **settings),
            oracle.step,
        ),
        "send and recv": (
            batchsim.make_vec(Orchard, num_envs, num_threads=2, **settings),
            oracle.send_and_receive,
        ),
        "reference": (
            batchsim.make_vec(Orchard, num_envs, backend="reference", **settings),
            oracle.step,
        ),
    }
    reference = SyncVectorEnv(
        [partial(original, frames, **arguments)] * num_envs, autoreset_mode=mode
    )
    return oracle.SideBySide(reference, subjects)


@pytest.mark.parametrize("mode", oracle.MODES)
@pytest.mark.parametrize("arguments", SIZES, ids=str)
def test_any_size_gives_the_bits_of_the_per_object_environment(mode, arguments):
    pair = beside(9, mode, **arguments)
    pair.reset(seed=3)
    pair.run(150, oracle.Actions(pair.reference))
    pair.compare_streams()
    assert pair.episodes > 50
    pair.close()


def test_stacked_frames_go_along_with_a_size():
    pair = beside(5, frames=3, size=2)
    pair.reset(seed=4)
    pair.run(60, oracle.Actions(pair.reference))
    pair.close()


def test_one_environment_of_a_size_is_the_original(opened):
    one, env = OrchardEnv(size=4, bins=3), opened(batchsim.make(Orchard, size=4, bins=3))
    assert env.observation_space == one.observation_space
    assert env.episodes == one.episodes == -1
    assert env.picked.tolist() == one.picked
    assert env.size == 4
    for episode in range(4):
        expected, found = one.reset(seed=episode), env.reset(seed=episode)
        assert np.array_equal(expected[0], found[0])
        over = False
        while not over:
            expected, found = one.step(1), env.step(1)
            assert np.array_equal(expected[0], found[0])
            assert expected[1:3] == found[1:3]
            over = expected[2]
    assert env.episodes == one.episodes == 3


def test_the_rows_of_a_size_do_not_depend_on_how_many_there_are(opened):
    many, few = (
        opened(batchsim.make_vec(Orchard, n, num_threads=t, size=6)) for n, t in ((2000, 2), (3, 1))
    )
    assert np.array_equal(many.reset(seed=0)[0][:3], few.reset(seed=0)[0])
    for t in range(40):
        actions = np.arange(2000) % 2 ^ t % 2
        assert np.array_equal(many.step(actions)[0][:3], few.step(actions[:3])[0])


WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda env: pickle.loads(pickle.dumps(env)),
}


@pytest.mark.parametrize("way", WAYS)
def test_copies_have_the_size_and_what_the_columns_hold(way, opened):
    env = opened(batchsim.make_vec(Orchard, 4, size=5, bins=1))
    early = opened(WAYS[way](env))
    assert early.get_attr("episodes") == (-1,) * 4
    assert early.single_observation_space.shape == (28,)
    env.set_attr("episodes", [0, 1, 2, 3])
    changed = opened(WAYS[way](env))
    assert changed.get_attr("episodes") == (0, 1, 2, 3)
    env.reset(seed=2)
    env.step(np.ones(4, int))
    twin = opened(WAYS[way](env))
    for _ in range(30):
        oracle.assert_same_step(env.step([0, 1, 0, 1]), twin.step([0, 1, 0, 1]))


def test_a_pickle_is_read_where_its_original_is_gone(opened):
    env = batchsim.make_vec(Orchard, 2, size=4)
    env.set_attr("episodes", [7, 8])
    written = pickle.dumps(env)
    env.close()
    del env
    found = opened(pickle.loads(written))
    assert found.get_attr("episodes") == (7, 8)
    assert found.params["size"] == 4


def test_snapshots_go_along_with_sizes(opened):
    env, other = (opened(batchsim.make_vec(Orchard, 3, size=4)) for _ in range(2))
    env.reset(seed=1)
    for _ in range(20):
        env.step([0, 1, 1])
    observations = other.set_state(env.get_state())
    assert other.get_attr("episodes") == env.get_attr("episodes")
    assert observations.tobytes() == env.set_state(env.get_state()).tobytes()
    for _ in range(20):
        oracle.assert_same_step(env.step([1, 0, 1]), other.step([1, 0, 1]))
    smaller = opened(batchsim.make_vec(Orchard, 3, size=3))
    smaller.reset(seed=1)
    with pytest.raises(ValueError, match=r"^The snapshot's state.ripe has shape \(3, 4, 4\) .*\.$"):
        smaller.set_state(env.get_state())
    scaled = opened(batchsim.make_vec(Orchard, 3, size=4, scale=3.0))
    scaled.reset(seed=1)
    with pytest.raises(ValueError, match="of other tables"):
        scaled.set_state(env.get_state())


def test_a_part_and_a_batch_that_was_never_reset_hold_the_defaults(opened):
    env = opened(batchsim.make_vec(Orchard, 4, size=2, precision="fast"))
    assert env.get_attr("episodes") == (-1,) * 4
    assert np.array(env.get_attr("picked")).tolist() == [[5, 5, 5]] * 4
    env.reset(seed=0)
    env.reset(options={"reset_mask": np.array([True, False, False, True])})
    assert env.get_attr("episodes") == (1, 0, 0, 1)
    parts = env.split(2)
    assert parts[1].get_attr("episodes") == (0, 1)
    assert parts[0].get_attr("ripe")[0].shape == (2, 2)


def test_a_size_is_compiled_in_and_other_parameters_are_not(opened):
    def kernel(**arguments):
        return (*opened(batchsim.make_vec(Orchard, 2, **arguments)).kernel.addresses.values(),)

    assert kernel(size=4) == kernel(size=4, worth=(3.0, 2.0, 1.0))
    assert kernel(size=4, scale=4.0) == kernel(size=4, scale=5.0)
    assert kernel(size=4, gain=3.0) == kernel(size=4, gain=4.0)
    assert len({kernel(size=size) for size in (3, 4, 5)}) == 3
    assert kernel(size=3) == kernel()
    env = opened(batchsim.make_vec(Orchard, 2, size=4, gain=[1.0, 2.0]))
    assert env._kernels.spec.constants.size == 4
    assert env._kernels.spec.tile.common == ()


def test_a_parameter_that_moves_bounds_alone_stays_free(opened):
    gains = [0.5, 1.0, 2.0]
    env = opened(batchsim.make_vec(Orchard, 3, size=2, gain=gains))
    reference = SyncVectorEnv(
        [partial(original, size=2, gain=gain) for gain in gains], observation_mode="different"
    )
    pair = oracle.SideBySide(reference, {"batch": (env, oracle.step)})
    pair.reset(seed=0)
    pair.run(30, oracle.Actions(pair.reference))
    reference.close()
    assert env.observation_space == reference.observation_space
    env.set_attr("gain", 4.0)
    env.set_attr("gain", [1.0, 2.0, 3.0])
    assert env.get_attr("gain") == (1.0, 2.0, 3.0)


class Wide(Orchard):
    """A parameter decides the shape of observations alone."""

    class Params(NamedTuple):
        size: int = 3
        scale: float = 2.0
        gain: float = 0.5
        width: int = 4

    def OBSERVATION(p):
        return Box(-1.0, 1.0, (p.width, 2), np.float64)

    def observe(s, i, p, out):
        for k in range(p.width):
            out[k, 0] = out[k, 1] = 0.0


def test_a_parameter_cannot_give_observations_another_shape(opened):
    env = opened(batchsim.make_vec(Wide, 2, width=3))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"^With width 5 the observation space is Box\(.*wanted.$"):
        env.set_attr("width", 5)
    with pytest.raises(ValueError, match=r"^With width 9 the observation space is"):
        env.set_attr("width", [3, 9])
    assert env.get_attr("width") == (3, 3)
    env.set_attr("width", 3)
    with pytest.raises(ValueError, match="expected the same keys, shapes and dtypes"):
        batchsim.make_vec(Wide, 2, width=[3, 4])


OF_ROWS = "is an array with one value an environment; expected one value for all, since"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"size": [3, 3]}, f"'size' {OF_ROWS} it decides the shape of State.ripe.$"),
        ({"size": np.array([3, 4])}, f"'size' {OF_ROWS} it decides the shape of State.ripe.$"),
        ({"scale": [1.0, 2.0]}, f"'scale' {OF_ROWS} tables are made of it.$"),
        ({"size": 0}, r"State.ripe of Orchard gets the shape \(0, 0\); expected numbers of .* 1.$"),
        ({"size": -2}, r"State.ripe of Orchard gets the shape \(-2, -2\); expected numbers of"),
        ({"size": 2.0}, "'size' is 2.0; expected a whole number.$"),
        ({"size": True}, "'size' is True; expected a whole number.$"),
        ({"size": "4"}, "'size' is '4'; expected a whole number.$"),
        ({"size": 10**6}, r"gets the shape \(1000000, 1000000\), 2,000.0 GB for 2 environments"),
        ({"size": 2**62}, "expected what fits into this machine's memory, .* GB.$"),
        ({"size": 2**70}, "'size' is 1180591620717411303424; expected a number of 64 bits.$"),
        ({"bins": 0}, r"State.basket of Orchard gets the shape \(0, 3\); expected numbers of"),
        ({"bins": "2"}, r"State.basket of Orchard gets the shape \('2', 3\); expected whole"),
        ({"bins": 2.0}, r"State.basket of Orchard gets the shape \(2.0, 3\); expected whole"),
        ({"worth": ()}, "worth is empty; expected numbers.$"),
        ({"sise": 4}, r"unexpected keyword argument 'sise' \(did you mean 'size'\?\)"),
        ({"bin": 4}, r"unexpected keyword argument 'bin' \(did you mean 'bins'\?\)"),
    ],
    ids=str,
)
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_size_that_makes_no_sense_is_refused_in_a_sentence(arguments, expected, backend):
    with pytest.raises((TypeError, ValueError), match=expected) as caught:
        batchsim.make_vec(Orchard, 2, backend=backend, **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "why"),
    [("size", "it decides the shape of State.ripe"), ("scale", "tables are made of it")],
)
def test_what_is_fixed_cannot_be_changed(name, why, opened):
    env = opened(batchsim.make_vec(Orchard, 2))
    env.reset(seed=0)
    before = env.get_state()
    sentence = f"^{name} of Orchard cannot be changed, since {why}; make another batch with .*$"
    for change in (
        lambda: env.set_attr(name, 4),
        lambda: env.set_attr(name, [4, 4]),
        lambda: setattr(env, name, 4),
        lambda: env.params.update({name: 4}),
    ):
        with pytest.raises(AttributeError, match=sentence):
            change()
    assert env.get_attr(name) == (Orchard.Params()._asdict()[name],) * 2
    after = env.get_state()
    assert all(before[field].tobytes() == after[field].tobytes() for field in before)
    one = opened(batchsim.make(Orchard))
    with pytest.raises(AttributeError, match=sentence):
        setattr(one, name, 4)


# --- What an author writes ------------------------------------------------------------------------


def changed(**members):
    """The Orchard with other members."""
    return type("Orchard", (Orchard,), members)


def state(default=None, **annotations):
    """A `State` with one more field."""
    source = [f"class State(NamedTuple):\n    {name}: _{name}" for name in annotations]
    lines = [source[0].partition("\n")[0], *(f"    {name}: _{name}" for name in annotations)]
    names = {f"_{name}": value for name, value in annotations.items()}
    if default is not None:
        lines[-1] += " = _default"
        names["_default"] = default
    names |= {"NamedTuple": NamedTuple, "__name__": __name__}
    exec("\n".join(lines), names)
    return names["State"]


class Least:
    """Nothing happens."""

    class Params(NamedTuple):
        size: int = 3
        gain: float = 1.0

    ACTION = Discrete(2)
    OBSERVATION = Box(0.0, 1.0, (1,), np.float32)

    def reset(s, i, p, rng):
        pass

    def step(s, i, action, p, rng):
        return 0.0, False

    def observe(s, i, p, out):
        out[0] = 0.0


def least(**members):
    return type("Least", (Least,), members)


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        (("flot", 3), TypeError, "^The dtype of the column is 'flot'; expected that of one value"),
        ((None, 3), TypeError, "^The dtype of the column is None; expected"),
        ((np.complex128, 3), TypeError, "^The dtype of the column is .*complex128.*; expected"),
        ((np.dtype((int, (2,))), 3), TypeError, "^The dtype of the column is .*; expected that of"),
        ((int, 2.5), TypeError, "^The shape of the column is 2.5; expected whole numbers and nam"),
        ((int, True), TypeError, "^The shape of the column is True; expected whole numbers"),
        ((int, ("size", 2.5)), TypeError, r"^The shape of the column is \('size', 2.5\); expected"),
        ((int, None), TypeError, "^The shape of the column is None; expected whole numbers"),
        ((int, 0), ValueError, "^The shape of the column is 0; expected numbers of at least 1.$"),
        ((int, ("size", -1)), ValueError, r"column is \('size', -1\); expected numbers of at le"),
    ],
    ids=str,
)
def test_a_column_that_is_none_is_refused_where_it_is_written(arguments, error, expected):
    with pytest.raises(error, match=expected):
        batchsim.column(*arguments)


def misses(p):
    return p.sise


def divides(p):
    return p.size // 0


def refuses(p):
    raise ValueError("size must be even.")


@pytest.mark.parametrize(
    ("shape", "error", "expected"),
    [
        (
            "sise",
            TypeError,
            r"^The shape of State.x of Least names 'sise' \(did you mean 'size'\?\)",
        ),
        (
            "gain",
            TypeError,
            "names the parameter 'gain', which is 1.0 by default; expected a whole",
        ),
        (misses, TypeError, r"State.x of Least raises .*p has no 'sise' \(did you mean 'size'\?\)"),
        (divides, TypeError, "^The function for the shape of State.x of Least raises ZeroDivision"),
        (refuses, ValueError, "^State.x of Least has no shape: size must be even.$"),
        (lambda p: p.size / 2, TypeError, "^State.x of Least gets the shape 1.5; expected whole"),
        (lambda p: None, TypeError, "^State.x of Least gets the shape None; expected whole num"),
        (lambda p: (p.size, 0), ValueError, r"^State.x of Least gets the shape \(3, 0\); expected"),
    ],
)
def test_a_shape_that_is_none_is_refused_in_a_sentence(shape, error, expected):
    namespace = least(State=state(x=batchsim.column(int, shape)))
    with pytest.raises(error, match=expected) as caught:
        batchsim.make_vec(namespace, 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "default", "expected"),
    [
        (int, 1, 1),
        (int, np.int8(-3), -3),
        (float, 2, 2.0),
        (float, np.inf, np.inf),
        (np.float32, 0.1, np.float32(0.1)),
        (np.uint8, 255, 255),
        (np.uint64, 2**64 - 1, 2**64 - 1),
        (bool, True, True),
        (np.dtype((np.int16, (2, 2))), -7, [[-7, -7], [-7, -7]]),
        (batchsim.column(np.float32, "size"), 0.5, [0.5, 0.5, 0.5]),
    ],
    ids=str,
)
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_default_is_what_a_column_holds_before_the_first_reset(dtype, default, expected, backend):
    env = batchsim.make_vec(least(State=state(default, x=dtype)), 2, backend=backend)
    found = [np.asarray(one).tolist() for one in env.get_attr("x")]
    assert found == [np.asarray(expected).tolist()] * 2
    env.reset(seed=0)
    assert [np.asarray(one).tolist() for one in env.get_attr("x")] == found
    env.close()


@pytest.mark.parametrize(
    ("dtype", "default", "expected"),
    [
        (int, 1.0, "is 1.0; expected a whole number.$"),
        (int, True, "is True; expected a whole number.$"),
        (int, "1", "is '1'; expected a whole number.$"),
        (
            int,
            2**63,
            "is 9223372036854775808; expected a whole number of int64, from -92233720368547",
        ),
        (np.uint8, 256, "is 256; expected a whole number of uint8, from 0 to 255.$"),
        (np.uint8, -1, "is -1; expected a whole number of uint8, from 0 to 255.$"),
        (float, True, "is True; expected a number.$"),
        (float, "x", "is 'x'; expected a number.$"),
        (float, 1j, "is 1j; expected a number.$"),
        (np.float32, 1e39, r"is 1e\+39; expected a number of float32, from -3.4"),
        (bool, 1, "is 1; expected True or False.$"),
        (np.dtype((int, (2,))), [1, 2], r"is \[1, 2\]; expected a whole number.$"),
    ],
    ids=str,
)
def test_a_default_that_does_not_fit_is_refused(dtype, default, expected):
    with pytest.raises((TypeError, ValueError), match=f"^The default of State.x of T {expected}"):
        Definition(least(State=state(default, x=dtype)), "T")


def test_none_is_no_default():
    class State(NamedTuple):
        x: int = None

    with pytest.raises(TypeError, match=r"^The default of State.x of T is None; expected a whole"):
        Definition(least(State=State), "T")


@pytest.mark.parametrize("part", ["Scratch", "Info"])
def test_only_state_has_defaults(part):
    members = {"State": state(y=int), part: state(1, x=int), "inform": lambda s, i, p, out: None}
    if part == "Scratch":
        del members["inform"]
    with pytest.raises(TypeError, match=f"^{part}.x of T has the default 1; expected none"):
        Definition(least(**members), "T")


TEXT = """
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

import batchsim


class State(NamedTuple):
    board: batchsim.column(np.int8, ("size", 2))
    queue: batchsim.column(float, lambda p: HALF * p.size) = 1.5


class Params(NamedTuple):
    size: int = 4


HALF = 2
ACTION = Discrete(2)


def OBSERVATION(p):
    return Box(0.0, 9.0, (p.size,), np.float64)


def reset(s, i, p, rng):
    s.board[i] = 0


def step(s, i, action, p, rng):
    s.queue[i, 0] += 1.0
    return 0.0, s.queue[i, 0] > 3.0


def observe(s, i, p, out):
    for k in range(p.size):
        out[k] = s.queue[i, k]
"""


def test_annotations_may_be_texts(tmp_path, opened):
    (tmp_path / "later.py").write_text(TEXT)
    env = opened(batchsim.make_vec(registry.load_file(tmp_path / "later.py"), 2, size=3))
    assert env.get_attr("board")[0].shape == (3, 2)
    assert env.get_attr("queue")[0].tolist() == [1.5] * 6
    (tmp_path / "wrong.py").write_text(TEXT.replace('("size", 2)', '("size", 0)'))
    with pytest.raises(TypeError, match=r"column is \('size', 0\); expected numbers of at least 1"):
        batchsim.make_vec(registry.load_file(tmp_path / "wrong.py"), 2)


def test_tables_may_be_made_of_parameters_alone(opened):
    class Tables(NamedTuple):
        roots: np.ndarray

    class Rooted(Least):
        State = state(x=batchsim.column(int, lambda p: p.roots.shape))
        OBSERVATION = Box(0.0, 9.0, (1,), np.float64)

        def tables(p):
            return Tables(np.sqrt(np.arange(1.0, p.size + 1)))

        def observe(s, i, p, out):
            out[0] = p.roots[s.x.shape[1] - 1]

    env = opened(batchsim.make_vec(Rooted, 2, size=9))
    assert env.reset(seed=0)[0].tolist() == [[3.0], [3.0]]
    assert env.params["gain"] == 1.0
    with pytest.raises(ValueError, match=f"'size' {OF_ROWS} tables are made of it.$"):
        batchsim.make_vec(Rooted, 2, size=[2, 3])

    class Misspelt(Rooted):
        def tables(p):
            return Tables(np.ones(p.sise))

    message = (
        r"^tables of Misspelt raises AttributeError: p has no 'sise' \(did you mean 'size'\?\); it"
    )
    with pytest.raises(AttributeError, match=message):
        batchsim.make_vec(Misspelt, 2)


# --- What the check says of it --------------------------------------------------------------------

CHECKED = TEXT.replace("s.queue[i, 0] > 3.0", "s.board[i, 0, 0] > 3")
CHECKED = CHECKED.replace(
    "s.queue[i, 0] += 1.0", "s.queue[i, 0] = min(s.queue[i, 0] + action, 9.0)"
)


def problems(path, source, **params):
    path.write_text(source)
    with pytest.raises(batchsim.CheckError) as caught:
        batchsim.check(registry.load_file(path), **params)
    return [(one.kind, one.line, one.message) for one in caught.value.problems]


def line_of(source, part):
    return source[: source.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("kind", "message", "old", "new"),
    [
        ("size", "names 'sise', which is no", '("size", 2)', '("sise", 2)'),
        ("size", "p has no 'sise'", "HALF * p.size", "HALF * p.sise"),
        ("size", r"gets the shape 8.0; expected", "HALF * p.size", "2.0 * p.size"),
        ("field", r"is annotated .*\(The shape of the column is 0", '("size", 2)', "0"),
        ("field", "The default of State.queue is True; expected a number", "= 1.5", "= True"),
        ("field", "State.queue is annotated", "column(float, l", "column(flot, l"),
    ],
)
def test_the_check_names_the_line_of_a_size_or_a_default(tmp_path, kind, message, old, new):
    source = CHECKED.replace(old, new)
    assert source != CHECKED
    found = problems(tmp_path / "wrong.py", source)
    assert [one[:2] for one in found] == [(kind, line_of(source, new))]
    assert re.search(message, found[0][2])


def test_the_check_passes_what_begins_with_a_default(tmp_path):
    (tmp_path / "good.py").write_text(CHECKED)
    module = registry.load_file(tmp_path / "good.py")
    report = batchsim.check(module, size=5, steps=60)
    assert {hint.kind for hint in report.hints} <= {"same-length"}
    without = CHECKED.replace(" = 1.5", "")
    kinds = [kind for kind, *_ in problems(tmp_path / "stale.py", without, steps=60)]
    assert "uninitialised" in kinds


def test_the_check_tells_that_functions_do_not_see_arguments(tmp_path):
    source = CHECKED.replace(
        "class Params", "class Arguments(NamedTuple):\n    top: int = 3\n\n\nclass Params"
    )
    source = source.replace("> 3", "> p.top")
    found = problems(tmp_path / "sees.py", source)
    assert found[0][0] == "unknown-parameter"
    assert "a field of Arguments, which the compiled functions do not see" in found[0][2]


def test_the_check_takes_a_size():
    report = batchsim.check(Orchard, size=2, bins=3, steps=40)
    assert "compared with exact" in str(report)
