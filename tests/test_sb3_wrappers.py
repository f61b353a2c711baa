"""Every wrapper of Stable-Baselines3 does over batchsim what it does over the originals."""

import inspect
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from journals import Case, Journal, assert_same_journals, plain, stand_ins  # noqa: F401

import batchsim
from batchsim import registry

pytest.importorskip("stable_baselines3")

from stable_baselines3 import A2C, PPO
from stable_baselines3.common import atari_wrappers, vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnvWrapper

from batchsim.adapters.sb3 import make_sb3_vec_env

pytestmark = [
    pytest.mark.usefixtures("stand_ins", "one_thread"),
    # VecVideoRecorder's of environments that cannot be drawn, which it refuses.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

N = 3
SEED = 5
LIMIT = 9
IDS = ["CartPole-v1", "MountainCarContinuous-v0", "FrozenLake-v1", "Taxi-v4"]
"""Every kind of action and observation, and infos with arrays."""


class Near(float):
    """A sum of floats, which Python compensates from 3.12 on."""

    def __eq__(self, other):
        return abs(self - other) < 2e-6

    __hash__ = None


# --- Wrappers of vectors --------------------------------------------------------------------------

VECTOR = {
    "VecCheckNan": [
        Case("VecCheckNan", vec_env.VecCheckNan),
        Case("VecCheckNan", lambda envs: vec_env.VecCheckNan(envs, raise_exception=True)),
    ],
    "VecExtractDictObs": [
        Case("VecExtractDictObs", lambda envs: vec_env.VecExtractDictObs(envs, "at"))
    ],
    "VecFrameStack": [
        Case("VecFrameStack", lambda envs: vec_env.VecFrameStack(envs, 3)),
        Case("VecFrameStack", lambda envs: vec_env.VecFrameStack(envs, 2, "first")),
    ],
    "VecMonitor": [
        Case("VecMonitor", vec_env.VecMonitor),
        Case("VecMonitor", lambda envs: vec_env.VecMonitor(envs, "monitored")),
    ],
    "VecNormalize": [
        Case("VecNormalize", lambda envs: vec_env.VecNormalize(envs, gamma=0.9)),
        Case("VecNormalize", lambda envs: vec_env.VecNormalize(envs, training=False)),
        Case(
            "VecNormalize", lambda envs: vec_env.VecNormalize(envs, norm_obs=False, clip_reward=1)
        ),
    ],
    "VecTransposeImage": [
        Case("VecTransposeImage", vec_env.VecTransposeImage),
        Case("VecTransposeImage", lambda envs: vec_env.VecTransposeImage(envs, skip=True)),
    ],
    "VecVideoRecorder": [
        Case(
            "VecVideoRecorder",
            lambda envs: vec_env.VecVideoRecorder(envs, "videos", lambda k: k % 5 == 0, 3),
            mode,
        )
        for mode in (None, "rgb_array")
    ],
}


def told(info):
    """Return what is compared of a row's infos."""
    info = dict(info)
    episode = info.pop("episode", None)
    if episode is None:
        return plain(info)
    returns = episode["r"]
    return plain(info), [*episode], type(returns).__name__, Near(returns), plain(episode["l"])


class OfVector(Journal):
    """Of a VecEnv."""

    def drive(self, steps):
        self.env.action_space.seed(SEED)
        self.attempt("reset", self.env.reset)
        for k in range(steps):
            actions = np.array([self.env.action_space.sample() for _ in range(N)])
            self.note("actions", plain(actions))
            self.attempt(f"step {k}", self.env.step, actions)
            self.note("infos of reset", list(map(told, self.env.reset_infos)))
            if self.case.render_mode is not None and k % 4 == 1:
                self.attempt("images", self.env.get_images)
                self.attempt("render", self.env.render)

    def tell(self, found):
        if isinstance(found, tuple) and len(found) == 4:
            return *map(plain, found[:3]), list(map(told, found[3]))
        return plain(found)

    def look_back(self):
        super().look_back()
        for path in sorted(Path().glob("*monitor.csv")):
            # All but the first line, which says when it was begun, and but the times.
            rows = [line.split(",")[:2] for line in path.read_text().splitlines()[2:]]
            self.note(path.name, [(Near(total), length) for total, length in rows])
            path.unlink()

    def note_streams(self):
        """A VecEnv has none of its own."""


def steps_of(case):
    return 30 if case.render_mode is None else 10


def dummy(id, **settings):
    envs = DummyVecEnv([lambda: Monitor(gymnasium.make(id, **settings))] * N)
    envs.seed(SEED)
    return envs


def compare(journals, steps):
    for journal in journals:
        journal.keep(steps)
        assert_same_journals(journals[0], journal, journal.case)


@pytest.mark.parametrize("name", IDS)
def test_wrappers_of_vectors_see_no_difference(name):
    for case in [case for cases in VECTOR.values() for case in cases]:
        settings = {"max_episode_steps": LIMIT, "render_mode": case.render_mode}
        sides = [
            dummy(registry.original(name), **settings),
            dummy(f"batchsim/{name}", **settings),
            make_sb3_vec_env(name, N, seed=SEED, **settings),
        ]
        compare([OfVector(envs, case) for envs in sides], steps_of(case))


def test_every_wrapper_of_vectors_is_compared():
    exported = {name: getattr(vec_env, name) for name in vec_env.__all__}
    assert set(VECTOR) == {
        name
        for name, what in exported.items()
        if inspect.isclass(what) and issubclass(what, VecEnvWrapper) and what is not VecEnvWrapper
    }


def test_processes_of_single_environments_see_no_difference(opened):
    for name in ("CartPole-v1", "Taxi-v4"):
        case = Case("SubprocVecEnv", vec_env.VecNormalize)
        sides = []
        for id in (name, f"batchsim/{name}"):
            make = [lambda id=id: Monitor(gymnasium.make(id, max_episode_steps=LIMIT))] * N
            envs = SubprocVecEnv(make, start_method="fork")
            envs.seed(SEED)
            sides.append(OfVector(envs, case))
        compare(sides, 30)


# --- Wrappers of one environment ------------------------------------------------------------------

SINGLE = {
    "Monitor": [
        Case("Monitor", Monitor),
        Case("Monitor", lambda env: Monitor(env, "one", allow_early_resets=False)),
        Case("Monitor", lambda env: Monitor(env, info_keywords=("prob",))),
    ],
    "AtariWrapper": [Case("AtariWrapper", atari_wrappers.AtariWrapper)],
    "ClipRewardEnv": [Case("ClipRewardEnv", atari_wrappers.ClipRewardEnv)],
    "EpisodicLifeEnv": [Case("EpisodicLifeEnv", atari_wrappers.EpisodicLifeEnv)],
    "FireResetEnv": [Case("FireResetEnv", atari_wrappers.FireResetEnv)],
    "MaxAndSkipEnv": [Case("MaxAndSkipEnv", lambda env: atari_wrappers.MaxAndSkipEnv(env, 3))],
    "NoopResetEnv": [Case("NoopResetEnv", atari_wrappers.NoopResetEnv)],
    "StickyActionEnv": [
        Case("StickyActionEnv", lambda env: atari_wrappers.StickyActionEnv(env, 0.4))
    ],
    "WarpFrame": [Case("WarpFrame", atari_wrappers.WarpFrame)],
}


class OfOne(Journal):
    """Of one environment."""

    def drive(self, steps):
        self.env.action_space.seed(SEED)
        self.attempt("reset", self.env.reset, seed=SEED)
        for k in range(steps):
            found = self.attempt(f"step {k}", self.env.step, self.action())
            if found[2] or found[3]:
                self.attempt("reset", self.env.reset)

    def tell(self, found):
        return *map(plain, found[:-1]), told(found[-1])


@pytest.mark.parametrize("name", IDS)
def test_wrappers_of_one_see_no_difference(name):
    settings = {"max_episode_steps": LIMIT}
    for case in [case for cases in SINGLE.values() for case in cases]:
        sides = [
            gymnasium.make(registry.original(name), **settings),
            gymnasium.make(f"batchsim/{name}", **settings),
            batchsim.make(name, **settings),
        ]
        compare([OfOne(env, case) for env in sides], steps_of(case))


def test_every_wrapper_of_one_is_compared():
    found = inspect.getmembers(atari_wrappers, inspect.isclass)
    wrappers = {name for name, what in found if issubclass(what, gymnasium.Wrapper)}
    assert set(SINGLE) - {"Monitor"} == wrappers


# --- Every kind of action -------------------------------------------------------------------------

ACTIONS = {
    "Box": spaces.Box(-1.0, 1.0, (2,), np.float32),
    "Discrete": spaces.Discrete(3),
    "MultiDiscrete": spaces.MultiDiscrete([3, 2]),
    "MultiBinary": spaces.MultiBinary(3),
}


class Counting:
    """An environment that counts, and is the better the lower the sum of its action is."""

    class State(NamedTuple):
        count: int
        total: float

    OBSERVATION = spaces.Dict(
        {
            "at": spaces.Box(-np.inf, np.inf, (1,), np.float32),
            "count": spaces.Box(0, 9, (1,), np.float32),
        }
    )

    @staticmethod
    def reset(s, i, p, rng):
        s.count[i] = 0
        s.total[i] = 0.0

    @staticmethod
    def step(s, i, action, p, rng):
        s.count[i] += 1
        s.total[i] = 0.0
        for k in range(len(action)):
            s.total[i] += action[k]
        return -s.total[i], s.count[i] == 6

    @staticmethod
    def observe(s, i, p, out):
        out.at[0] = s.total[i]
        out.count[0] = s.count[i]


class CountingNumbers(Counting):
    """The same for actions of one number."""

    @staticmethod
    def step(s, i, action, p, rng):
        s.count[i] += 1
        s.total[i] = action
        return -s.total[i], s.count[i] == 6


class Pictures(CountingNumbers):
    """The same seen as a picture."""

    ACTION = spaces.Discrete(3)
    OBSERVATION = spaces.Box(0, 255, (36, 40, 3), np.uint8)

    @staticmethod
    def observe(s, i, p, out):
        for row in range(36):
            for column in range(40):
                for k in range(3):
                    out[row, column, k] = 5 * row + 20 * s.total[i] + s.count[i] * k


def definition(space):
    base = CountingNumbers if isinstance(space, spaces.Discrete) else Counting
    return type(base.__name__, (base,), {"ACTION": space})


class Original(gymnasium.Env):
    """The same as an object."""

    metadata = {"render_modes": [], "render_fps": 30}  # noqa: RUF012 - Gymnasium's own shape

    def __init__(self, space):
        self.action_space = space
        self.observation_space = Counting.OBSERVATION

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count, self.total = 0, 0.0
        return self.see(), {}

    def step(self, action):
        self.count += 1
        self.total = float(sum(np.ravel(action).tolist()))
        return self.see(), -self.total, self.count == 6, False, {}

    def see(self):
        return {
            "at": np.array([self.total], np.float32),
            "count": np.array([self.count], np.float32),
        }


class OriginalPictures(Original):
    """The same seen as a picture, as an object."""

    def __init__(self, space):
        super().__init__(space)
        self.observation_space = Pictures.OBSERVATION

    def see(self):
        row, _, k = np.indices(self.observation_space.shape)
        return (5 * row + 20 * self.total + self.count * k).astype(np.uint8)


def of_objects(space, limit, original=Original):
    make = [lambda: Monitor(gymnasium.wrappers.TimeLimit(original(space), limit))] * N
    envs = DummyVecEnv(make)
    envs.seed(SEED)
    return envs


@pytest.mark.parametrize("kind", ACTIONS)
def test_wrappers_see_no_difference_for_any_action_space(kind):
    """Observations are a dict, too."""
    space = ACTIONS[kind]
    for case in [case for cases in VECTOR.values() for case in cases if not case.render_mode]:
        sides = [
            of_objects(space, 5),
            make_sb3_vec_env(
                definition(space), N, seed=SEED, max_episode_steps=5, backend="reference"
            ),
        ]
        compare([OfVector(envs, case) for envs in sides], 14)


def test_wrappers_see_no_difference_for_pictures():
    settings = {"max_episode_steps": 5, "backend": "reference"}
    for case in [case for cases in VECTOR.values() for case in cases if not case.render_mode]:
        sides = [
            of_objects(Pictures.ACTION, 5, OriginalPictures),
            make_sb3_vec_env(Pictures, N, seed=SEED, **settings),
        ]
        compare([OfVector(envs, case) for envs in sides], 8)
    for case in [case for cases in SINGLE.values() for case in cases]:
        sides = [
            gymnasium.wrappers.TimeLimit(OriginalPictures(Pictures.ACTION), 5),
            batchsim.make(Pictures, **settings),
        ]
        compare([OfOne(env, case) for env in sides], 8)


@pytest.mark.parametrize("algorithm", [PPO, A2C])
@pytest.mark.parametrize("kind", ACTIONS)
def test_training_ends_with_the_same_parameters_for_any_action_space(kind, algorithm, opened):
    space = ACTIONS[kind]
    settings = {"batch_size": 24, "n_epochs": 2} if algorithm is PPO else {}
    found = []
    for envs in (
        of_objects(space, 5),
        make_sb3_vec_env(definition(space), N, seed=SEED, max_episode_steps=5, backend="reference"),
        make_sb3_vec_env(definition(space), N, seed=SEED, max_episode_steps=5),
        DummyVecEnv([lambda: Monitor(batchsim.make(definition(space), max_episode_steps=5))] * N),
    ):
        model = algorithm(
            "MultiInputPolicy", opened(envs), n_steps=16, seed=3, device="cpu", **settings
        ).learn(200)
        found.append({key: plain(value) for key, value in model.policy.state_dict().items()})
    assert all(parameters == found[0] for parameters in found[1:])
