"""RLlib's real release over a BatchEnv: `make test-rllib` runs this where it is installed."""

import importlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("ray.rllib", reason="RLlib is not installed here; run make test-rllib")

import ray
import torch
import tree
from gymnasium.spaces import Box, MultiDiscrete
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.connectors.env_to_module import FlattenObservations
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

import batchsim
from batchsim.adapters.rllib import BatchEnvRunner

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
RUNNERS = (SingleAgentEnvRunner, BatchEnvRunner)
N, STEPS = 6, 11
CASES = {
    "CartPole-v1": {"max_episode_steps": 14},  # which ends some episodes, and the pole others
    "Pendulum-v1": {"max_episode_steps": 5},
    "EgoBasic-v0": {"max_episode_steps": 7, "width": 64, "height": 64},
}
SAME = {"observations", "actions", "rewards", "extra_model_outputs", "is_terminated"}
SAME |= {"is_truncated", "t_started", "t"}


@pytest.fixture(scope="module", autouse=True)
def ray_on_two_processors():
    # Runners import the example's network by name.
    places = [str(EXAMPLES), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    torch.set_num_threads(1)
    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=150 * 2**20)
    yield
    ray.shutdown()


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("rllib_ppo")


def config_of(example, runner, env, **settings):
    name = next(name for name, cls in example.RUNNERS.items() if cls is runner)
    config = example.configure(env, name, 0, N, STEPS, seed=3)
    return config.environment(env_config={**config.env_config, **settings})


def both(example, env, **settings):
    """RLlib's runner and batchsim's, with the same weights."""
    found = [
        runner(config=config_of(example, runner, env, **settings), worker_index=0)
        for runner in RUNNERS
    ]
    found[1].module.load_state_dict(found[0].module.state_dict())
    return found


def sampled(runner, seed, **how):
    torch.manual_seed(seed)
    runner.env.action_space.seed(seed)
    return runner.sample(**how)


def assert_same_episodes(expected, found):
    assert len(expected) == len(found) > 0
    for one, other in zip(expected, found, strict=True):
        one, other = one.get_state(), other.get_state()
        assert len(one["infos"]["data"]) == len(other["infos"]["data"])
        one, other = ({key: state[key] for key in SAME} for state in (one, other))
        tree.assert_same_structure(one, other)
        for mine, its in zip(tree.flatten(one), tree.flatten(other), strict=True):
            if isinstance(mine, np.ndarray):
                assert mine.dtype == its.dtype
            assert np.array_equal(mine, its)


def told(runner):
    metrics = runner.get_metrics()
    names = [
        f"{of}_{how}" for of in ("episode_len", "episode_return") for how in ("mean", "min", "max")
    ]
    names += ["num_env_steps_sampled", "num_episodes"]
    return [metrics[name].peek() for name in names if name in metrics]


@pytest.mark.parametrize("env", CASES)
def test_episodes_are_those_of_rllibs_own_runner_bit_for_bit(env, example):
    theirs, ours = both(example, env, **CASES[env])
    for call in range(3):
        assert_same_episodes(*(sampled(runner, call) for runner in (theirs, ours)))
        assert told(theirs) == told(ours)
    for how in (
        {"num_episodes": 5, "explore": False},
        {"num_timesteps": 30, "random_actions": True},
        {"num_timesteps": 17, "force_reset": True},
    ):
        assert_same_episodes(*(sampled(runner, 9, **how) for runner in (theirs, ours)))


def test_chunks_look_back_as_far_as_is_asked_for(example):
    """Or as an episode has lasted."""
    found = []
    for runner in RUNNERS:
        config = config_of(example, runner, "CartPole-v1", max_episode_steps=14)
        config = config.env_runners(episode_lookback_horizon=4)
        made = runner(config=config, worker_index=0)
        how = {"random_actions": True}
        found.append([sampled(made, k, num_timesteps=k * N, **how) for k in (9, 5, 6)])
    for theirs, ours in zip(*found, strict=True):
        assert_same_episodes(theirs, ours)
        for episode in ours:
            assert episode.observations.lookback == min(4, episode.t_started)


def test_random_actions_go_over_into_those_of_the_module(example):
    """As before learning starts; a chunk does not look back on steps of the other kind."""
    made = BatchEnvRunner(config=config_of(example, BatchEnvRunner, "CartPole-v1"), worker_index=0)
    for random_actions in (True, False, True):
        assert made.sample(num_timesteps=0) == []
        found = made.sample(num_timesteps=4 * N, random_actions=random_actions)
        assert [len(episode) for episode in found] == [4] * N
        assert {episode.observations.lookback for episode in found} == {0}
        outputs = set(found[0].extra_model_outputs)
        assert ("action_logp" in outputs) != random_actions


def test_a_learner_gets_the_same_from_both(example):
    """After two iterations of PPO, the weights."""
    weights = []
    for runner in RUNNERS:
        algorithm = config_of(example, runner, "CartPole-v1", max_episode_steps=14).build_algo()
        torch.manual_seed(0)
        np.random.seed(0)
        for _ in range(2):
            algorithm.train()
        weights.append(algorithm.get_module().state_dict())
        algorithm.stop()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_several_runners_see_different_rows(example):
    config = example.configure("CartPole-v1", "batchsim", 2, N, STEPS, seed=3)
    algorithm = config.build_algo()
    try:
        first = algorithm.env_runner_group.foreach_env_runner(
            lambda runner: np.array([e.observations[0] for e in runner.sample(num_timesteps=1)]),
            local_env_runner=False,
        )
    finally:
        algorithm.stop()
    envs = batchsim.make_vec("CartPole-v1", 2 * N, backend="reference")
    expected, _ = envs.reset(seed=3 + N)
    envs.close()
    assert np.array_equal(np.concatenate(first), expected)


@pytest.mark.parametrize(
    ("env", "runner", "iterations"),
    [("CartPole-v1", "batchsim", 8), ("CartPole-v1", "rllib", 1), ("EgoBasic-v0", "batchsim", 1)],
)
def test_example_learns_with_several_runners_under_ray(env, runner, iterations, example):
    pictures = env.startswith("Ego")
    config = example.configure(env, runner, 2, 8 if pictures else 32, 8 if pictures else 32)
    returns = example.train(config, iterations, show=lambda line: None)
    assert len(returns) == iterations
    if iterations > 1:
        assert returns[-1] > 1.4 * returns[0]


def test_the_code_of_the_page_runs(capsys):
    page = EXAMPLES.parent / "training-libraries.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    (code,) = [block for block in blocks if "batchsim.adapters.rllib" in block]
    exec(compile(code, str(page), "exec"), {})
    assert 9.0 < float(capsys.readouterr().out) < 60.0


class Ticking:
    """Episodes of four steps, in which nothing happens."""

    class State(NamedTuple):
        """How long the episode has lasted."""

        steps: int

    OBSERVATION = Box(0.0, 4.0, (1,), np.float32)
    ACTION = MultiDiscrete([2, 3])

    def reset(s, i, p, rng):  # noqa: N805
        s.steps[i] = 0

    def step(s, i, action, p, rng):  # noqa: N805
        s.steps[i] += 1
        return 1.0 + action[1], s.steps[i] >= 4

    def observe(s, i, p, out):  # noqa: N805
        out[0] = s.steps[i]


def test_a_definition_of_ones_own_is_sampled():
    config = PPOConfig().environment(Ticking, env_config={"backend": "reference"})
    config = config.env_runners(num_env_runners=0, num_envs_per_env_runner=2)
    episodes = BatchEnvRunner(config=config, worker_index=0).sample(num_episodes=3)
    for episode in episodes:
        assert np.array_equal(episode.get_observations().ravel(), [0, 1, 2, 3, 4])
        assert np.array_equal(episode.get_rewards(), 1.0 + episode.get_actions()[:, 1])


class Noticing(RLlibCallback):
    """Is told of the end of every episode."""

    def on_episode_end(self, **kwargs):
        """Do nothing."""


REFUSED = [
    (
        lambda config: config.env_runners(env_to_module_connector=lambda *_: FlattenObservations()),
        "^env_to_module_connector is <function .*expected None, or RLlib's own EnvRunner",
    ),
    (
        lambda config: config.env_runners(add_default_connectors_to_module_to_env_pipeline=False),
        "^add_default_connectors_to_module_to_env_pipeline is False.*expected True",
    ),
    (lambda config: config.callbacks(Noticing), "^There is a callback on_episode_end.*expected"),
    (
        lambda config: config.callbacks(on_episode_step=lambda **_: None),
        "^There is a callback on_episode_step.*expected",
    ),
    (
        lambda config: config.rl_module(model_config=DefaultModelConfig(use_lstm=True)),
        "^The module is a DefaultPPOTorchRLModule with a state.*expected one without",
    ),
    (
        lambda config: config.environment(env_config={"autoreset_mode": "Disabled"}),
        "^env_config has autoreset_mode = 'Disabled'; leave it out",
    ),
    (lambda config: config.environment("CartPole-v7"), "CartPole-v7"),
    (lambda config: config.environment("MiniGrid-Empty-5x5-v0"), "text_mode"),
]


@pytest.mark.parametrize(("ask", "message"), REFUSED)
def test_what_is_done_row_by_row_is_refused(ask, message):
    config = PPOConfig().environment("CartPole-v1")
    config = config.env_runners(num_env_runners=0, num_envs_per_env_runner=2)
    with pytest.raises((TypeError, ValueError), match=message):
        BatchEnvRunner(config=ask(config), worker_index=0)
