"""The oracle: per-object environments, stepped in a loop beside a BatchEnv.

Nothing here is recorded; whatever Gymnasium is installed decides what is right. Where it has no
such environment, batchsim's own per-object one does.
"""

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import batchsim
from batchsim.registry import ENVIRONMENTS, original

YOUNG = {"Taxi-v4"} - {*gymnasium.registry}
"""Ids that this Gymnasium does not have yet, being older than 1.3; batchsim runs with it, too."""

IDS = sorted(
    name
    for name, entry in ENVIRONMENTS.items()
    if entry.baseline is None and entry.package is None and name not in YOUNG
)
"""Ids that Gymnasium has too, which are compared with its own environments."""

OWN = sorted(name for name, entry in ENVIRONMENTS.items() if entry.baseline is not None)
"""Ids that Gymnasium does not have, which are compared with `batchsim.baselines`."""

GRIDS = sorted(name for name, entry in ENVIRONMENTS.items() if entry.package == "minigrid")
"""Ids of the package minigrid, of which there are many: each test takes some."""

BOXES = sorted(name for name, entry in ENVIRONMENTS.items() if entry.package == "Box2D")
"""Ids that Gymnasium has if Box2D is installed, whose kernels take long to compile."""

KINDS_OF_GRIDS = sorted({ENVIRONMENTS[name].module: name for name in GRIDS}.values())
"""One id of each definition among them."""

GAMES = sorted(name for name, entry in ENVIRONMENTS.items() if entry.package == "minatar")
"""Ids of the package MinAtar: every game with all actions, and with those that it knows."""

ALL_BUT_SLOW = [*IDS, "EgoBattle-v0"]
"""Ids for what holds without an oracle; one stands for those whose kernels take long to compile."""

MODES = list(AutoresetMode)

MODELS = ["CartPole-v1", "Pendulum-v1"]
"""Ids that stand for all where a test is about what all have in common."""

KINDS = [*MODELS, "Blackjack-v1", "FrozenLake-v1"]
"""Ids with every kind of observation and with infos."""

VARIANTS = {
    "Blackjack-v1": [{}, {"sab": False}, {"sab": False, "natural": True}, {"natural": True}],
    "CartPole-v1": [{}, {"sutton_barto_reward": True}],
    "MountainCar-v0": [{}, {"goal_velocity": 0.02}],
    "MountainCarContinuous-v0": [{}, {"goal_velocity": 0.02}],
    "CliffWalking-v1": [{}, {"is_slippery": True}],
    "CliffWalkingSlippery-v1": [{}, {"is_slippery": False}],
    "FrozenLake-v1": [
        {},
        {"map_name": "8x8"},
        {"is_slippery": False},
        {"success_rate": 0.75, "reward_schedule": (10, -3.5, -0.1)},
        {"desc": ["SFHS", "FGFS", "HSFF"]},
    ],
    "FrozenLake8x8-v1": [{}, {"map_name": "4x4"}],
    "Pendulum-v1": [{}, {"g": 9.81}],
    "Taxi-v4": [
        {},
        {"is_rainy": True},
        {"fickle_passenger": True, "fickle_probability": 0.9},
        {"is_rainy": True, "rainy_probability": 0.4, "fickle_passenger": True},
    ],
}
"""Keyword arguments that Gymnasium's own environment takes, by id."""

OPTIONS = {
    "Acrobot-v1": [
        {},
        {"low": -4.0, "high": 12.0},
        {"low": 0.5, "high": 0.5},
        {"low": -200.0, "high": 200.0},
    ],
    "CartPole-v1": [
        {},
        {"low": -0.2, "high": 0.1},
        {"low": 0.03},
        {"high": -0.01},
        {"low": 0.04, "high": 0.04},
    ],
    "MountainCar-v0": [
        {},
        {"low": -1.2, "high": 0.6},
        {"low": -0.5, "high": -0.5},
        {"low": 2.0, "high": 3.0},
    ],
    "MountainCarContinuous-v0": [
        {},
        {"low": -1.2, "high": 0.6},
        {"low": -0.5, "high": -0.5},
        {"low": 2.0, "high": 3.0},
    ],
    "Pendulum-v1": [{}, {"x_init": 0.5, "y_init": 0.25}, {"x_init": 40.0}, {"y_init": 0.0}],
}
"""Reset options that Gymnasium's own environment takes, by id."""

EPISODE = {"Acrobot-v1": 505, "MountainCarContinuous-v0": 1004}
"""Steps within which any episode ends, by id, where 240 are not enough."""

PARAMETERS = {
    "Acrobot-v1": {
        "dt": (0.05, 0.3),
        "LINK_LENGTH_1": (0.5, 1.5),
        "LINK_LENGTH_2": (0.5, 1.5),
        "LINK_MASS_1": (0.5, 1.5),
        "LINK_MASS_2": (0.5, 1.5),
        "LINK_COM_POS_1": (0.3, 0.7),
        "LINK_COM_POS_2": (0.3, 0.7),
        "LINK_MOI": (0.6, 1.5),
        "MAX_VEL_1": (0.3, 13.0),
        "MAX_VEL_2": (0.3, 30.0),
        "AVAIL_TORQUE": ((-1.5, 0.1, 0.5), (-0.5, 0.3, 1.5)),
        "torque_noise_max": (0.0, 0.5),
        "nips": (False, True),
    },
    "Blackjack-v1": {"natural": (False, True), "sab": (False, True)},
    "CartPole-v1": {
        "gravity": (1.0, 20.0),
        "masscart": (0.5, 2.0),
        "masspole": (0.05, 0.5),
        "length": (0.2, 1.0),
        "force_mag": (2.0, 20.0),
        "tau": (0.005, 0.04),
        "theta_threshold_radians": (0.1, 0.4),
        "x_threshold": (0.5, 3.0),
        "sutton_barto_reward": (False, True),
    },
    "MountainCar-v0": {
        "min_position": (-0.9, -0.55),
        "max_position": (-0.45, 0.6),
        "max_speed": (0.001, 0.07),
        "goal_position": (-0.5, 0.3),
        "goal_velocity": (-0.01, 0.01),
        "force": (0.0005, 0.01),
        "gravity": (0.001, 0.01),
    },
    "MountainCarContinuous-v0": {
        "min_position": (-0.9, -0.55),
        "max_position": (-0.45, 0.6),
        "max_speed": (0.001, 0.07),
        "goal_position": (-0.5, 0.3),
        "goal_velocity": (-0.01, 0.01),
        "power": (0.0005, 0.01),
    },
    "CliffWalking-v1": {"is_slippery": (False, True)},
    "FrozenLake-v1": {
        "is_slippery": (False, True),
        "success_rate": (0.1, 0.9),
        "reward_schedule": ((0.5, -1.0, -0.2), (2.0, 0.0, 0.1)),
    },
    "Pendulum-v1": {
        "max_speed": (2.0, 10.0),
        "dt": (0.01, 0.1),
        "g": (1.0, 20.0),
        "m": (0.5, 2.0),
        "l": (0.5, 2.0),
    },
    "Taxi-v4": {
        "is_rainy": (False, True),
        "fickle_passenger": (False, True),
        "rainy_probability": (0.2, 0.9),
        "fickle_probability": (0.2, 0.9),
    },
}
"""Attributes of Gymnasium's own environment that are parameters here, with a range, by id."""


TABULAR = {"CliffWalking-v1", "FrozenLake-v1", "Taxi-v4"}
"""Ids whose original computes its transitions when it is made, with the parameters as arguments."""

_ATTRIBUTES = {
    "sutton_barto_reward": lambda value: ("_sutton_barto_reward", value),
    "nips": lambda value: ("book_or_nips", "nips" if value else "book"),
}
"""What upstream calls a parameter and its value, where it does so differently."""


def variants(ids=IDS):
    """Every id with each of its keyword arguments, as pytest parameters."""
    return [(name, kwargs) for name in ids for kwargs in VARIANTS.get(name, [{}])]


def upstream(name, num_envs, mode=AutoresetMode.NEXT_STEP, **kwargs):
    """The per-object environments, one after the other."""
    return gymnasium.make_vec(
        original(name),
        num_envs,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": mode},
        **kwargs,
    )


def upstream_with_parameters(name, rows, mode=AutoresetMode.NEXT_STEP, **kwargs):
    """Gymnasium's own environments, each with the attributes that its member of `rows` names."""

    def maker(values):
        def make():
            if name in TABULAR:
                return gymnasium.make(name, **values, **kwargs)
            env = gymnasium.make(name, **kwargs)
            for attribute, value in values.items():
                if attribute in _ATTRIBUTES:
                    attribute, value = _ATTRIBUTES[attribute](value)
                setattr(env.unwrapped, attribute, value)
            if name == "CartPole-v1":
                # Upstream derives these once, when it is made.
                inner = env.unwrapped
                inner.total_mass = inner.masspole + inner.masscart
                inner.polemass_length = inner.masspole * inner.length
            return env

        return make

    return SyncVectorEnv(
        [maker(values) for values in rows], observation_mode="different", autoreset_mode=mode
    )


def bits(array):
    """What makes two arrays the same: dtype, shape and bytes; of tuples and dicts that of each
    member, and of a string its letters.
    """
    if isinstance(array, tuple):
        return tuple(map(bits, array))
    if isinstance(array, dict):
        return {key: bits(value) for key, value in array.items()}
    if isinstance(array, str):
        return array
    array = np.asarray(array)
    return array.dtype.str, array.shape, array.tobytes()


def assert_same_array(expected, found, where):
    """Assert that both are the same bit for bit, or name the first row that is not.

    Both may be tuples or dicts of arrays, and strings.
    """
    if isinstance(expected, dict):
        assert isinstance(found, dict), f"{where}: {found!r} is no dict"
        assert expected.keys() == found.keys(), f"{where}: {sorted(found)}, not {sorted(expected)}"
        for key, value in expected.items():
            assert_same_array(value, found[key], f"{where}, {key}")
        return
    if isinstance(expected, str):
        assert expected == found, f"{where}: {found!r}, not {expected!r}"
        return
    if isinstance(expected, tuple):
        assert isinstance(found, tuple), f"{where}: {found!r} is no tuple"
        for k, (one, other) in enumerate(zip(expected, found, strict=True)):
            assert_same_array(one, other, f"{where}, {k}")
        return
    assert isinstance(found, np.ndarray), f"{where}: {found!r} is no array"
    assert expected.dtype == found.dtype, f"{where}: dtype {found.dtype}, not {expected.dtype}"
    assert expected.shape == found.shape, f"{where}: shape {found.shape}, not {expected.shape}"
    if expected.tobytes() == found.tobytes():
        return
    rows = [k for k in range(len(expected)) if expected[k].tobytes() != found[k].tobytes()]
    row = rows[0]
    raise AssertionError(
        f"{where}: {len(rows)} of {len(expected)} rows differ, first row {row}: "
        f"{found[row].tolist()}, not {expected[row].tolist()}"
    )


def assert_same_infos(expected, found, where):
    """Assert equal keys, masks and values; `final_obs` by row, None included."""
    assert expected.keys() == found.keys(), f"{where}: {sorted(found)}, not {sorted(expected)}"
    for key, value in expected.items():
        if key == "final_obs" and isinstance(found[key], dict):
            for row in np.flatnonzero(expected["_final_obs"]):
                own = {name: part[row] for name, part in found[key].items()}
                assert bits(value[row]) == bits(own), f"{where}: final_obs of row {row}"
        elif key == "final_obs":
            for row, (one, other) in enumerate(zip(value, found[key], strict=True)):
                assert type(one) is type(other), f"{where}: final_obs of row {row}"
                assert bits(one) == bits(other), f"{where}: final_obs of row {row}"
        elif isinstance(value, dict):
            assert_same_infos(value, found[key], f"{where}, {key}")
        else:
            assert_same_array(value, found[key], f"{where}, {key}")


STEP_NAMES = ("observations", "rewards", "terminated", "truncated")


def assert_same_step(expected, found, where=""):
    """Assert that two steps returned the same: four arrays and the infos."""
    assert isinstance(found, tuple)
    assert len(found) == 5
    for name, one, other in zip(STEP_NAMES, expected, found, strict=False):
        assert_same_array(one, other, f"{where}: {name}")
    assert_same_infos(expected[4], found[4], f"{where}: infos")


def assert_same_reset(expected, found, where=""):
    """Assert that two resets returned the same."""
    assert isinstance(found, tuple)
    assert len(found) == 2
    assert_same_array(expected[0], found[0], f"{where}: observations of reset")
    assert_same_infos(expected[1], found[1], f"{where}: infos of reset")


def assert_same_streams(expected, found, where=""):
    """Assert that every row's generator stands at the same point of the same stream."""
    for row, (one, other) in enumerate(zip(expected.np_random, found.np_random, strict=True)):
        one, other = one.bit_generator.state, other.bit_generator.state
        if not one["has_uint32"]:
            one["uinteger"] = other["uinteger"]  # numpy leaves there what it has used
        assert one == other, f"{where}: the random stream of row {row}"


class Actions:
    """A repeatable stream of random action batches for an action space."""

    def __init__(self, env, seed=0):
        self.space = env.action_space
        self.rng = np.random.default_rng(seed)

    def __call__(self):
        space = self.space
        if isinstance(space, gymnasium.spaces.MultiDiscrete):
            return self.rng.integers(space.start, space.start + space.nvec).astype(space.dtype)
        actions = self.rng.uniform(space.low, space.high).astype(space.dtype)
        # The bounds themselves are members, and where clipping errs first.
        edge = self.rng.random(actions.shape)
        actions = np.where(edge < 0.1, space.low, actions)
        return np.where(edge > 0.9, space.high, actions).astype(space.dtype)


def send_and_receive(env, actions):
    """Step by way of the worker threads, however small the batch."""
    env.send(actions)
    return env.recv()


def step(env, actions):
    """Step in the usual way."""
    return env.step(actions)


class SideBySide:
    """One upstream environment and any number of BatchEnvs that must do the same."""

    def __init__(self, reference, subjects):
        self.reference = reference
        self.subjects = subjects  # name -> (env, function that steps it)
        self.mode = reference.metadata["autoreset_mode"]
        self.over = None
        self.steps = 0
        self.episodes = 0
        self.both_flags = 0
        self.successes = 0

    def reset(self, **kwargs):
        """Reset all and compare; options are copied, as upstream takes the mask out of them."""

        def copied():
            return {key: dict(v) if key == "options" and v else v for key, v in kwargs.items()}

        expected = self.reference.reset(**copied())
        for name, (env, _) in self.subjects.items():
            assert_same_reset(expected, env.reset(**copied()), f"{name}, step {self.steps}")
        mask = (kwargs.get("options") or {}).get("reset_mask")
        self.over = None if mask is None or self.over is None else self.over & ~mask
        return expected

    def step(self, actions):
        """Step all and compare everything that is returned."""
        expected = self.reference.step(actions.copy())
        for name, (env, function) in self.subjects.items():
            found = function(env, actions.copy())
            assert_same_step(expected, found, f"{name}, step {self.steps}")
        self.steps += 1
        self.over = expected[2] | expected[3]
        self.episodes += int(self.over.sum())
        self.both_flags += int((expected[2] & expected[3]).sum())
        self.successes += int((expected[1] > 0).sum())
        return expected

    def run(self, steps, actions):
        """Step so often; with DISABLED reset the rows whose episode is over."""
        for _ in range(steps):
            if self.mode is AutoresetMode.DISABLED and self.over is not None and self.over.any():
                self.reset(options={"reset_mask": self.over.copy()})
            self.step(actions())

    def compare_streams(self):
        """Compare the state of every random stream."""
        for name, (env, _) in self.subjects.items():
            assert_same_streams(self.reference, env, name)
            assert self.reference.np_random_seed == env.np_random_seed, name

    def close(self):
        """Close all."""
        self.reference.close()
        for env, _ in self.subjects.values():
            env.close()


def side_by_side(
    name, num_envs, mode=AutoresetMode.NEXT_STEP, *, native=True, reference_backend=False, **kwargs
):
    """An upstream environment beside BatchEnvs of one thread, two threads and send/recv."""
    made = {"num_envs": num_envs, "autoreset_mode": mode, **kwargs}
    subjects = {}
    if native:
        subjects["one thread"] = batchsim.make_vec(name, num_threads=1, **made), step
        subjects["two threads"] = batchsim.make_vec(name, num_threads=2, **made), step
        subjects["send and recv"] = batchsim.make_vec(name, num_threads=2, **made), send_and_receive
    if reference_backend:
        subjects["reference"] = batchsim.make_vec(name, backend="reference", **made), step
    return SideBySide(upstream(name, num_envs, mode, **kwargs), subjects)
