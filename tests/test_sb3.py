"""Stable-Baselines3's own algorithms and wrappers, over a BatchEnv as over its DummyVecEnv."""

import importlib
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.wrappers import FrameStackObservation

import batchsim
from batchsim.registry import ENVIRONMENTS

pytest.importorskip("stable_baselines3")

from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)

from batchsim.adapters import sb3
from batchsim.adapters.sb3 import Sb3VecEnv, make_sb3_vec_env

pytestmark = pytest.mark.usefixtures("one_thread")

N = 5
REFERENCE = {"backend": "reference"}  # nothing to compile


def dummy(name, num_envs=N, seed=None, **kwargs):
    """SB3's own VecEnv of Gymnasium's environments."""
    envs = DummyVecEnv([lambda: Monitor(gymnasium.make(name, **kwargs))] * num_envs)
    if seed is not None:
        envs.seed(seed)
    return envs


@pytest.fixture
def both(opened):
    """Make the same environments twice: Gymnasium's in SB3's VecEnv, and batchsim's."""

    def make(name, num_envs=N, seed=0, **kwargs):
        return (
            opened(dummy(name, num_envs, seed, **kwargs)),
            opened(make_sb3_vec_env(name, num_envs, seed=seed, **kwargs)),
        )

    return make


def actions_of(space, num_envs, rng):
    if isinstance(space, Discrete):
        return rng.integers(space.n, size=num_envs)
    actions = rng.uniform(space.low, space.high, (num_envs, *space.shape))
    return actions.astype(space.dtype)


def assert_same_info(expected, found, where):
    assert type(found) is dict, where
    assert expected.keys() == found.keys(), where
    for key, value in expected.items():
        other = found[key]
        if key == "episode":
            assert value.keys() == other.keys() == {"r", "l", "t"}, where
            # Sums of floats are compensated from Python 3.12 on.
            assert other["r"] == pytest.approx(value["r"], abs=2e-6), where
            assert other["l"] == value["l"], where
            assert 0.0 <= other["t"] < 600.0, where
            assert [type(entry) for entry in other.values()] == [float, int, float], where
        elif key == "TimeLimit.truncated":
            assert other is value, where
        elif key == "terminal_observation":
            value = tuple(map(np.asarray, value)) if isinstance(value, tuple) else value
            other = tuple(map(np.asarray, other)) if isinstance(other, tuple) else other
            assert oracle.bits(value) == oracle.bits(other), where
        else:
            assert np.array_equal(value, other), f"{where}: {key}"


def run_side_by_side(reference, subject, steps, seed=0):
    """Drive both with the same actions and compare all they return; returns the episodes ended."""
    rng = np.random.default_rng(seed)
    assert reference.action_space == subject.action_space
    assert reference.observation_space == subject.observation_space
    oracle.assert_same_array(reference.reset(), subject.reset(), "reset")
    episodes = {False: 0, True: 0}
    for step in range(steps):
        actions = actions_of(subject.action_space, subject.num_envs, rng)
        expected, found = reference.step(actions), subject.step(actions)
        for name, one, other in zip(
            ("observations", "rewards", "dones"), expected, found, strict=False
        ):
            oracle.assert_same_array(one, other, f"step {step}: {name}")
        assert isinstance(found[3], list)
        for row, (one, other) in enumerate(zip(expected[3], found[3], strict=True)):
            assert_same_info(one, other, f"step {step}: info of row {row}")
        for row, (one, other) in enumerate(
            zip(reference.reset_infos, subject.reset_infos, strict=True)
        ):
            assert_same_info(one, other, f"step {step}: reset info of row {row}")
        for row in np.flatnonzero(found[2]):
            episodes[found[3][row]["TimeLimit.truncated"]] += 1
    return episodes


LIMITED = [name for name in oracle.IDS if ENVIRONMENTS[name].max_episode_steps]


@pytest.mark.parametrize("name", LIMITED)
def test_trajectories_are_those_of_the_dummy_vec_env(name, both):
    episodes = run_side_by_side(*both(name), oracle.EPISODE.get(name, 240))
    assert sum(episodes.values()) >= N


@pytest.mark.parametrize("name", oracle.IDS)
def test_short_episodes_end_as_in_the_dummy_vec_env(name, both):
    """Time limits that often fall on the step that terminates, too."""
    limit = 2 if name == "Blackjack-v1" else 9
    episodes = run_side_by_side(*both(name, seed=3, max_episode_steps=limit), 120, seed=1)
    assert sum(episodes.values()) >= 13 * N
    assert episodes[True]
    if name in ("CartPole-v1", "Blackjack-v1", "FrozenLake-v1"):
        assert episodes[False]


@pytest.mark.parametrize("name", oracle.KINDS)
def test_stacked_frames_are_those_of_gymnasiums_wrapper(name, opened):
    arguments = {"max_episode_steps": 9}
    reference = opened(
        DummyVecEnv(
            [lambda: Monitor(FrameStackObservation(gymnasium.make(name, **arguments), 3))] * N
        )
    )
    reference.seed(4)
    subject = opened(make_sb3_vec_env(name, N, seed=4, frame_stack=3, **arguments, **REFERENCE))
    assert sum(run_side_by_side(reference, subject, 40).values()) >= 4 * N


WRAPPERS = {
    "VecNormalize": lambda envs: VecNormalize(envs, gamma=0.9),
    "VecFrameStack": lambda envs: VecFrameStack(envs, 3),
    "VecMonitor": VecMonitor,
    "VecFrameStack of VecNormalize": lambda envs: VecFrameStack(VecNormalize(envs), 2),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", oracle.MODELS)
@pytest.mark.filterwarnings("ignore:The environment is already wrapped with a `Monitor`")
def test_sb3_wrappers_see_no_difference(name, wrapper, both):
    reference, subject = map(WRAPPERS[wrapper], both(name, max_episode_steps=30))
    if wrapper == "VecMonitor":
        # Its episodes' returns are sums of float32.
        rng = np.random.default_rng(0)
        reference.reset(), subject.reset()
        ended = 0
        for _ in range(100):
            actions = actions_of(subject.action_space, N, rng)
            for one, other in zip(
                reference.step(actions)[3], subject.step(actions)[3], strict=True
            ):
                assert ("episode" in one) == ("episode" in other)
                if "episode" in one:
                    ended += 1
                    assert one["episode"]["r"] == other["episode"]["r"]
                    assert one["episode"]["l"] == other["episode"]["l"]
        assert ended >= N
    else:
        assert sum(run_side_by_side(reference, subject, 100).values()) >= N


@pytest.mark.parametrize("name", ["CartPole-v1", "FrozenLake-v1", "Taxi-v4"])
def test_what_a_callback_writes_into_an_info_stays_in_it(name, opened):
    envs = opened(make_sb3_vec_env(name, N, seed=0))
    envs.reset()
    rng = np.random.default_rng(0)
    for _ in range(30):
        infos = envs.step(actions_of(envs.action_space, N, rng))[3]
        assert all("mine" not in info for info in [*infos, *envs.reset_infos])
        assert len({id(info) for info in infos}) == N
        infos[0]["mine"] = 1
        infos[0]["TimeLimit.truncated"] = "changed"
        assert all("mine" not in info for info in infos[1:])
        if "action_mask" in infos[0]:
            infos[0]["action_mask"][:] = 5
            assert all((info["action_mask"] < 2).all() for info in infos[1:])
    # Earlier infos are the caller's, as earlier observations are.
    kept = [dict(info) for info in infos]
    for _ in range(30):
        envs.step(actions_of(envs.action_space, N, rng))
    assert all(str(one) == str(other) for one, other in zip(kept, infos, strict=True))


def test_terminal_observations_do_not_hold_those_of_the_other_rows(opened):
    envs = opened(make_sb3_vec_env("CartPole-v1", 1000, seed=0))
    envs.reset()
    for _ in range(500):
        *_, dones, infos = envs.step(np.zeros(1000, np.int64))
        if dones.any():
            break
    over = np.flatnonzero(dones)
    assert len(over) < 500
    for row in over:
        assert infos[row]["terminal_observation"].base.nbytes == len(over) * 16


# -- seeds and options --------------------------------------------------------------------------


def test_a_seed_holds_for_the_next_reset_alone(both):
    reference, subject = both("CartPole-v1", seed=None)
    assert list(subject.seed(11)) == list(reference.seed(11)) == [11 + k for k in range(N)]
    for _ in range(3):
        oracle.assert_same_array(reference.reset(), subject.reset(), "reset")
    reference.seed(12), subject.seed(12)
    oracle.assert_same_array(reference.reset(), subject.reset(), "reset with another seed")


@pytest.mark.parametrize(
    "options",
    [
        {"low": -0.01, "high": 0.03},
        [{"low": -0.01, "high": 0.03}, {}, {"high": 0.2}, {"low": 0.01}, {"low": -1.0}],
    ],
    ids=["for all", "for each"],
)
def test_options_hold_for_the_next_reset_alone(options, both):
    reference, subject = both("CartPole-v1")
    reference.set_options(options), subject.set_options(options)
    for _ in range(2):
        oracle.assert_same_array(reference.reset(), subject.reset(), "reset")


# -- SB3's algorithms ---------------------------------------------------------------------------


def parameters(model):
    return {name: value.numpy().tobytes() for name, value in model.policy.state_dict().items()}


@pytest.mark.parametrize(
    ("algorithm", "name", "settings"),
    [
        (PPO, "CartPole-v1", {"n_steps": 64, "batch_size": 64, "n_epochs": 2}),
        (PPO, "Pendulum-v1", {"n_steps": 128, "batch_size": 64, "n_epochs": 2}),
        (A2C, "FrozenLake-v1", {"n_steps": 16}),
        (DQN, "CartPole-v1", {"learning_starts": 100, "train_freq": 8, "buffer_size": 2000}),
        (SAC, "Pendulum-v1", {"learning_starts": 600, "train_freq": 16, "buffer_size": 2000}),
    ],
)
def test_training_ends_with_the_same_parameters_bit_for_bit(algorithm, name, settings, both):
    models = [
        algorithm("MlpPolicy", envs, seed=5, device="cpu", **settings).learn(1200)
        for envs in both(name, num_envs=4, seed=None)
    ]
    assert models[0].num_timesteps == models[1].num_timesteps >= 1200
    assert models[0].ep_info_buffer
    for one, other in zip(*(model.ep_info_buffer for model in models), strict=True):
        assert (one["r"], one["l"]) == (other["r"], other["l"])
    one, other = map(parameters, models)
    assert one == other


def test_ppo_learns_cartpole(opened):
    envs = opened(make_sb3_vec_env("CartPole-v1", 16))
    model = PPO(
        "MlpPolicy",
        envs,
        n_steps=64,
        batch_size=256,
        n_epochs=10,
        gae_lambda=0.8,
        gamma=0.98,
        learning_rate=lambda left: 1e-3 * left,
        seed=1,
        device="cpu",
    ).learn(100_000)
    test = opened(make_sb3_vec_env("CartPole-v1", 20, seed=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "not wrapped with a Monitor", for one
        mean, _ = evaluate_policy(model, test, n_eval_episodes=40)
    assert mean >= 475.0


def test_evaluate_policy_finds_the_same_returns(both):
    reference, subject = both("CartPole-v1")
    model = PPO("MlpPolicy", reference, seed=0, device="cpu")
    found = [
        evaluate_policy(model, envs, n_eval_episodes=20, return_episode_rewards=True)
        for envs in (reference, subject)
    ]
    assert found[0] == found[1]


def test_a_callback_sees_infos_and_can_stop_the_training(opened):
    class Stop(BaseCallback):
        def _on_step(self):
            self.seen = self.locals["infos"]
            return self.num_timesteps < 100

    stop = Stop()
    envs = opened(make_sb3_vec_env("CartPole-v1", N, seed=0))
    PPO("MlpPolicy", envs, n_steps=64, device="cpu").learn(1000, callback=stop)
    assert stop.num_timesteps == 100
    assert len(stop.seen) == N


class Pair:
    """Walk to the goal; observations are a dict."""

    class State(NamedTuple):
        position: float
        goal: float

    OBSERVATION = Dict(
        {"position": Box(-9, 9, (1,), np.float32), "goal": Box(-9, 9, (1,), np.float32)}
    )
    ACTION = Discrete(2)

    @staticmethod
    def reset(s, i, p, rng):
        s.position[i] = 0.0
        s.goal[i] = 3.0

    @staticmethod
    def step(s, i, action, p, rng):
        s.position[i] += 2.0 * action - 1.0
        return -1.0, s.position[i] == s.goal[i]

    @staticmethod
    def observe(s, i, p, out):
        out.position[0] = s.position[i]
        out.goal[0] = s.goal[i]


def test_observations_in_a_dict_are_learnt_from(opened):
    envs = opened(make_sb3_vec_env(Pair, 4, seed=0, max_episode_steps=20, **REFERENCE))
    observations = envs.reset()
    assert observations.keys() == {"position", "goal"}
    for _ in range(3):
        _, _, dones, infos = envs.step(np.ones(4, np.int64))
    assert dones.all()
    assert infos[2]["terminal_observation"] == {"position": [3.0], "goal": [3.0]}
    assert infos[2]["episode"]["r"] == -3.0
    PPO("MultiInputPolicy", envs, n_steps=32, batch_size=32, n_epochs=1, device="cpu").learn(128)


# -- the rows as environments -------------------------------------------------------------------


def test_attributes_are_parameters_arguments_and_columns_of_state(opened):
    envs = opened(make_sb3_vec_env("CartPole-v1", 3, seed=0, length=[0.4, 0.5, 0.6], **REFERENCE))
    assert envs.get_attr("length") == [0.4, 0.5, 0.6]
    assert envs.get_attr("length", 1) == envs.get_attr("length", np.int64(1)) == [0.5]
    assert envs.get_attr("gravity", [2, 0]) == [9.8, 9.8]
    assert envs.get_attr("render_mode") == [None] * 3
    assert envs.has_attr("np_random_seed")
    seeds = envs.get_attr("np_random_seed")
    assert len(set(seeds)) == 3
    assert envs.get_attr("np_random_seed", 1) == [seeds[1]]
    assert envs.get_attr("action_space")[0] == envs.action_space
    assert envs.has_attr("x")
    assert not envs.has_attr("compute_reward")
    with pytest.raises(AttributeError, match=r"no attribute 'lenght' \(did you mean 'length'\?\)"):
        envs.get_attr("lenght")
    envs.reset()
    envs.set_attr("theta", 0.125, indices=[0, 2])
    assert np.array_equal(np.array(envs.get_attr("theta")) == 0.125, [True, False, True])
    observations, *_ = envs.step(np.zeros(3, np.int64))
    assert observations[0, 2] == pytest.approx(0.125, abs=0.01)
    envs.set_attr("length", 1.0, indices=1)
    assert envs.get_attr("length") == [0.4, 1.0, 0.6]
    assert envs.env_method("get_wrapper_attr", "length") == [0.4, 1.0, 0.6]
    envs.env_method("set_wrapper_attr", "length", 0.5, indices=[0])
    assert envs.get_attr("length") == [0.5, 1.0, 0.6]
    with pytest.raises(AttributeError, match=r"no attribute 'lenght' \(did you mean 'length'\?\)"):
        envs.set_attr("lenght", 1.0)
    lake = opened(make_sb3_vec_env("FrozenLake-v1", 2, map_name="8x8", **REFERENCE))
    assert lake.get_attr("map_name") == ["8x8"] * 2
    assert lake.get_attr("desc")[0].shape == (8, 8)
    taxi = opened(make_sb3_vec_env("Taxi-v4", 2, **REFERENCE))
    assert taxi.env_method("decode", 214) == [(2, 0, 3, 2)] * 2


def test_one_row_can_be_reset(both):
    reference, subject = both("CartPole-v1")
    reference.reset(), subject.reset()
    actions = np.zeros(N, np.int64)
    reference.step(actions), subject.step(actions)
    for options in ({}, {"seed": 9}, {"options": {"low": 0.01, "high": 0.02}}):
        expected = reference.env_method("reset", indices=[3, 1], **options)
        found = subject.env_method("reset", indices=[3, 1], **options)
        for one, other in zip(expected, found, strict=True):
            assert oracle.bits(one[0]) == oracle.bits(other[0])
            assert one[1] == other[1]
    oracle.assert_same_array(reference.step(actions)[0], subject.step(actions)[0], "after it")
    assert subject.env_method("get_wrapper_attr", "gravity", indices=0) == [9.8]
    with pytest.raises(AttributeError, match="no method 'compute_reward'; there are render, reset"):
        subject.env_method("compute_reward")


def test_it_counts_as_wrapped_in_a_monitor(opened):
    envs = opened(make_sb3_vec_env("CartPole-v1", 3))
    assert envs.env_is_wrapped(Monitor) == [True] * 3
    assert envs.env_is_wrapped(Monitor, indices=[0]) == [True]
    assert envs.env_is_wrapped(gymnasium.wrappers.TimeLimit) == [False] * 3
    with pytest.warns(UserWarning, match="already wrapped with a `Monitor`"):
        VecMonitor(envs)


def test_frames_are_tiled(opened):
    pytest.importorskip("pygame")
    envs = opened(make_sb3_vec_env("CartPole-v1", 3, seed=0, render_mode="rgb_array"))
    envs.reset()
    images = envs.get_images()
    assert [image.shape for image in images] == [(400, 600, 3)] * 3
    assert envs.render().shape == (800, 1200, 3)
    assert np.array_equal(envs.env_method("render", indices=1)[0], images[1])
    assert envs.metadata["render_fps"] == 50
    plain = opened(make_sb3_vec_env("CartPole-v1", 3))
    plain.reset()
    with pytest.warns(UserWarning, match="frames need render_mode='rgb_array'"):
        assert plain.get_images() == [None] * 3


def test_bounds_that_differ_by_row_are_joined(opened):
    envs = opened(make_sb3_vec_env("Pendulum-v1", 2, max_speed=[2.0, 5.0], **REFERENCE))
    assert envs.observation_space.high.tolist() == [1.0, 1.0, 5.0]


def test_actions_outside_their_bounds_are_clipped(opened):
    """By the last bit where a policy squashes its actions; SB3 clips others itself."""
    first, second = (opened(make_sb3_vec_env("Pendulum-v1", 2, seed=0)) for _ in range(2))
    first.reset(), second.reset()
    one = first.step(np.array([[2.0000002], [-7.0]]))
    other = second.step(np.array([[2.0], [-2.0]], np.float32))
    assert np.array_equal(one[0], other[0])


# -- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"autoreset_mode": "NextStep"}, "^autoreset_mode is 'NextStep'; leave it out, since Stab"),
        ({"record_episode_statistics": False}, "^record_episode_statistics is False; leave it out"),
        ({"n_envs": 4}, "n_envs"),
        ({"num_envs": 0}, "num_envs"),
    ],
)
def test_a_bad_argument_is_refused_in_a_sentence(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make_sb3_vec_env("CartPole-v1", **arguments)


def test_another_batch_is_refused(opened):
    batch = opened(batchsim.make_vec("CartPole-v1", 2, **REFERENCE))
    with pytest.raises(ValueError, match=r"lacks what a VecEnv needs.*make_sb3_vec_env"):
        Sb3VecEnv(batch)
    with pytest.raises(TypeError, match="expected a BatchEnv"):
        Sb3VecEnv(gymnasium.make("CartPole-v1"))


def test_steps_out_of_order_are_refused(opened):
    envs = opened(make_sb3_vec_env("CartPole-v1", 2, seed=0))
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(np.zeros(2, np.int64))
    envs.reset()
    with pytest.raises(gymnasium.error.NoAsyncCallError, match="without step_async"):
        envs.step_wait()
    envs.step_async(np.zeros(2, np.int64))
    with pytest.raises(gymnasium.error.AlreadyPendingCallError, match="step_wait"):
        envs.step_async(np.zeros(2, np.int64))
    envs.reset()  # cancels the step
    with pytest.raises(ValueError, match="action of row 1 is 2"):
        envs.step(np.array([0, 2]))
    envs.step(np.array([0, 1]))
    pendulum = opened(make_sb3_vec_env("Pendulum-v1", 2, seed=0))
    pendulum.reset()
    with pytest.raises(ValueError, match=r"action of row 0 is \[nan\]"):
        pendulum.step(np.full((2, 1), np.nan, np.float32))
    with pytest.raises(ValueError, match="list of options has length 1; expected 2"):
        envs.set_options([{}])
    envs.set_options([{}, {"hihg": 0.1}])
    with pytest.warns(UserWarning, match="no reset option 'hihg'"):
        envs.reset()
    envs.close()
    envs.close()
    with pytest.raises(gymnasium.error.ClosedEnvironmentError):
        envs.step(np.zeros(2, np.int64))


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.monitor", None)
    with pytest.raises(ModuleNotFoundError, match=r"install the extra batchsim\[sb3\]"):
        importlib.reload(sb3)


def test_batchsim_loads_no_training_library():
    code = (
        "import sys, batchsim, batchsim.adapters; batchsim.make_vec('CartPole-v1');"
        "print({'torch', 'stable_baselines3', 'torchrl'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_code_of_the_page_runs(capsys):
    page = Path(__file__).parents[1] / "docs" / "training-libraries.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    (code,) = [block for block in blocks if "batchsim.adapters.sb3" in block]
    exec(compile(code, str(page), "exec"), {})
    assert capsys.readouterr().out
