"""Rollouts: what the environments did, whichever way they were stepped, and where it is kept."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import gc
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
import torch
from gymnasium import error
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple
from gymnasium.vector import SyncVectorEnv

import batchsim
from batchsim.random import random
from batchsim.torch import PPO, ActorCritic, Collector, Decision, Hyperparameters
from batchsim.torch.nested import leaves, mapped

pytestmark = pytest.mark.usefixtures("one_thread")

SEED = 3


class Walk:
    """Moves by the sum of its action; an episode ends now and then."""

    class State(NamedTuple):
        x: float

    ACTION = Discrete(3, start=5)
    OBSERVATION = Box(-np.inf, np.inf, (2,), np.float32)

    def reset(s, i, p, rng):
        s.x[i] = random(rng, i)

    def step(s, i, action, p, rng):
        s.x[i] = s.x[i] + 0.1 * (action - 6)
        return s.x[i], random(rng, i) < 0.1

    def observe(s, i, p, out):
        out[0] = s.x[i]
        out[1] = 1.0


class Choices(Walk):
    """Takes several choices, which do not begin at zero."""

    ACTION = MultiDiscrete([2, 3], start=[1, -1])

    def step(s, i, action, p, rng):
        s.x[i] = s.x[i] + 0.1 * action[0] - 0.2 * action[1]
        return s.x[i], random(rng, i) < 0.1


class Bits(Choices):
    """Takes bits, and shows a dict of parts."""

    ACTION = MultiBinary(2)
    OBSERVATION = Dict(
        {
            "board": Box(0, 100, (2, 3), np.int8),
            "pair": Tuple((Discrete(2, start=4), Box(-np.inf, np.inf, (), np.float64))),
        }
    )

    def observe(s, i, p, out):
        for row in range(2):
            for column in range(3):
                out.board[row, column] = int(50.0 + 10.0 * s.x[i]) % 100
        out.pair[0][0] = 5 if s.x[i] > 0.0 else 4
        out.pair[1][0] = s.x[i]


class Numbers(Walk):
    """Takes a matrix of float64 numbers, and shows pixels."""

    ACTION = Box(-0.5, 1.0, (2, 2), np.float64)
    OBSERVATION = Box(0, 255, (5, 6, 1), np.uint8)

    def step(s, i, action, p, rng):
        s.x[i] = s.x[i] + 0.1 * action[0, 0] - 0.2 * action[1, 1]
        return s.x[i], random(rng, i) < 0.1

    def observe(s, i, p, out):
        for row in range(5):
            for column in range(6):
                out[row, column, 0] = int(100.0 + 50.0 * s.x[i] + row) % 256


OWN = [Walk, Choices, Bits, Numbers]


def make_collector(envs, steps=25, num_splits=1, seed=SEED, **arguments):
    """A collector with a policy whose actions depend on what it sees."""
    generator = torch.Generator().manual_seed(1)
    policy = ActorCritic(
        envs.single_observation_space, envs.single_action_space, generator=generator
    )
    with torch.no_grad():
        policy.actor[-1].weight.mul_(100.0)
    return Collector(envs, policy, steps, num_splits, seed=seed, **arguments)


def contents(rollout):
    """Copies of all that a rollout holds, as arrays."""
    tensors = [
        *leaves(rollout.observations),
        rollout.actions,
        rollout.log_probs,
        rollout.values,
        rollout.rewards,
        rollout.terminated,
        rollout.truncated,
    ]
    # With SAME_STEP nothing is restarting, whatever the flags of the rollout before were.
    tensors.append(rollout.restarting if rollout.final_values is None else rollout.final_values)
    return [tensor.numpy().copy() for tensor in tensors]


def assert_same(one, other):
    for left, right in zip(one, other, strict=True):
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        assert left.tobytes() == right.tobytes()


def collected(collector, rollouts=3):
    """What so many rollouts hold."""
    return [array for _ in range(rollouts) for array in contents(collector.collect())]


def overlapped(collector):
    """Let halves be sent, however short their steps are."""
    collector.half_step = 1.0
    return collector


def in_place(collector):
    """Let halves be stepped in place, however long that takes."""
    collector.half_step = 0.0
    return collector


# -- what the environments did ---------------------------------------------------------------------


def as_the_space_has_them(space, actions):
    if isinstance(space, Box):
        return np.clip(actions, space.low, space.high).astype(space.dtype)
    return (actions + getattr(space, "start", 0)).astype(space.dtype)


def upstream_of(definition, num_envs, limit):
    """Gymnasium's environments; of a definition, one object of batchsim's each."""
    if isinstance(definition, str):
        return oracle.upstream(definition, num_envs, max_episode_steps=limit)

    def make():
        return batchsim.make(definition, max_episode_steps=limit, backend="reference")

    return SyncVectorEnv([make] * num_envs)


@pytest.mark.parametrize("definition", [*oracle.IDS, *OWN])
def test_a_rollout_is_what_gymnasiums_environments_do_with_its_actions(definition):
    envs = batchsim.make_vec(definition, 5, max_episode_steps=9)
    other = upstream_of(definition, 5, 9)
    collector = overlapped(make_collector(envs, num_splits=2))
    observations, _ = other.reset(seed=SEED)
    over = np.zeros(5, bool)
    ended = 0
    for _ in range(2):
        r = collector.collect()
        np.testing.assert_array_equal(r.restarting.numpy(), over)
        assert_same([leaf[0].numpy() for leaf in leaves(r.observations)], leaves(observations))
        for t in range(r.steps):
            actions = as_the_space_has_them(envs.single_action_space, r.actions[t].numpy())
            observations, *rest, _ = other.step(actions)
            found = [r.rewards[t].numpy(), r.terminated[t].numpy(), r.truncated[t].numpy()]
            assert_same(found, rest)
            found = [leaf[t + 1].numpy() for leaf in leaves(r.observations)]
            assert_same(found, leaves(observations))
            over = rest[1] | rest[2]
            ended += over.sum()
    assert ended >= 5


@pytest.mark.parametrize("definition", ["CartPole-v1", "Pendulum-v1", "Blackjack-v1", *OWN])
@pytest.mark.parametrize("halves", [True, False])
def test_any_vector_environment_gives_the_same_rollouts(definition, halves):
    makers = (batchsim.make_vec(definition, 5, max_episode_steps=9), upstream_of(definition, 5, 9))
    one, other = (make_collector(envs, halves=halves) for envs in makers)
    assert one.native
    assert not other.native
    assert_same(collected(one), collected(other))


CASES = [
    ("CartPole-v1", 7, {}),
    ("CartPole-v1", 1, {}),
    ("CartPole-v1", 2, {"autoreset_mode": "SameStep", "max_episode_steps": 9}),
    ("CartPole-v1", 65, {"autoreset_mode": "SameStep", "max_episode_steps": 9}),
    ("CartPole-v1", 33, {"precision": "fast", "autoreset_mode": "SameStep"}),
    ("Pendulum-v1", 3, {"max_episode_steps": 9}),
    ("Pendulum-v1", 6, {"max_episode_steps": 9, "precision": "fast"}),
    ("Blackjack-v1", 5, {"autoreset_mode": "SameStep", "max_episode_steps": 1}),
    ("Walk", 7, {"max_episode_steps": 9}),
    ("Choices", 7, {"max_episode_steps": 9, "autoreset_mode": "SameStep"}),
    ("Bits", 7, {"max_episode_steps": 9}),
    ("Bits", 6, {"max_episode_steps": 9, "autoreset_mode": "SameStep", "backend": "reference"}),
    ("Numbers", 7, {"max_episode_steps": 9}),
]


@pytest.mark.parametrize(("name", "num_envs", "settings"), CASES)
def test_two_splits_give_the_bits_of_one(name, num_envs, settings):
    definition = next((own for own in OWN if own.__name__ == name), name)

    def make(num_splits):
        return make_collector(
            batchsim.make_vec(definition, num_envs, **settings), num_splits=num_splits
        )

    expected = collected(make(1))
    assert_same(collected(in_place(make(2))), expected)
    assert_same(collected(overlapped(make(2))), expected)
    changing = make(2)
    found = collected(in_place(changing), 1) + collected(overlapped(changing), 2)
    assert_same(found, expected)


@pytest.mark.parametrize("num_splits", [1, 2])
def test_what_ended_a_truncated_episode_is_valued(num_splits):
    """The value is the policy's, of the observation that Gymnasium reports."""
    settings = {"max_episode_steps": 9}
    envs = batchsim.make_vec("CartPole-v1", 7, autoreset_mode="SameStep", **settings)
    other = oracle.upstream("CartPole-v1", 7, gymnasium.vector.AutoresetMode.SAME_STEP, **settings)
    collector = overlapped(make_collector(envs, num_splits=num_splits))
    other.reset(seed=SEED)
    seen = 0
    for _ in range(2):
        r = collector.collect()
        for t in range(r.steps):
            *_, terminated, truncated, infos = other.step(r.actions[t].numpy())
            for row in range(7):
                expected = 0.0
                if truncated[row] and not terminated[row]:
                    last = torch.from_numpy(infos["final_obs"][row])
                    with torch.no_grad():
                        expected = collector.policy.value(last[None]).item()
                    seen += 1
                assert r.final_values[t, row].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert seen > 10


def test_rewards_have_the_precision_of_the_environments():
    for precision, dtype in (("exact", torch.float64), ("fast", torch.float32)):
        envs = batchsim.make_vec("CartPole-v1", 4, precision=precision)
        assert make_collector(envs).collect().rewards.dtype == dtype


# -- where it is kept ------------------------------------------------------------------------------


def spy(monkeypatch, envs, name, calls):
    """Note what the method returns, as `recv` does of a step that `send` began."""
    method = getattr(envs, name)

    def noted(*args, **kwargs):
        found = method(*args, **kwargs)
        calls.append(found)
        return found

    monkeypatch.setattr(envs, name, noted, raising=False)


def addresses(rollout):
    return [
        tensor.data_ptr()
        for tensor in (
            *leaves(rollout.observations),
            rollout.actions,
            rollout.values,
            rollout.rewards,
            rollout.terminated,
            rollout.truncated,
        )
    ]


@pytest.mark.parametrize("way", ["step", "recv"])
@pytest.mark.parametrize("definition", ["CartPole-v1", Bits])
def test_environments_write_into_the_rollout_themselves(definition, way, monkeypatch):
    envs = batchsim.make_vec(definition, 5, max_episode_steps=9)
    collector = make_collector(envs, 4, num_splits=1 if way == "step" else 2)
    collector.reset()
    calls = []
    for stepper in overlapped(collector).steppers:
        spy(monkeypatch, stepper.envs, way, calls)
    first = collector.collect()
    before = addresses(first)
    assert collector.collect() is first
    assert addresses(first) == before
    for k, (observations, *rest, _) in enumerate(calls):
        t, half = divmod(k, len(collector.steppers))
        rows = collector.steppers[half].rows
        t %= first.steps
        expected = [leaf[t + 1, rows] for leaf in leaves(first.observations)]
        expected += [first.rewards[t, rows], first.terminated[t, rows], first.truncated[t, rows]]
        found = [array.ctypes.data for array in (*leaves(observations), *rest)]
        assert found == [tensor.data_ptr() for tensor in expected]


# -- one rollout after the other -------------------------------------------------------------------


class Push:
    """A policy of one's own: no network, actions that depend on what is seen alone.

    That is all it takes: noise for each environment and step (here none), and a Decision.
    """

    def __init__(self):
        self.asked = 0

    def draw(self, steps, rows, generator):
        return torch.zeros(steps, rows, 0)

    def act(self, observations, noise):
        self.asked += 1
        actions = (observations[:, 2] + observations[:, 3] > 0).long()
        return Decision(actions, torch.zeros(len(actions)), self.value(observations))

    def value(self, observations):
        return observations.sum(-1)


@pytest.mark.parametrize("num_splits", [1, 2])
def test_four_rollouts_are_one_of_four_times_the_length(num_splits):
    """No step is lost, and none is repeated."""

    def make(steps):
        envs = batchsim.make_vec("CartPole-v1", 5, max_episode_steps=9)
        return overlapped(Collector(envs, Push(), steps, num_splits, seed=0))

    whole = make(40).collect()
    collector = make(10)
    for k in range(4):
        part = collector.collect()
        steps = slice(10 * k, 10 * k + 10)
        assert torch.equal(part.observations, whole.observations[10 * k : 10 * k + 11])
        for name in ("actions", "rewards", "terminated", "truncated"):
            assert torch.equal(getattr(part, name), getattr(whole, name)[steps])
        assert torch.equal(part.values, whole.values[10 * k : 10 * k + 11])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("num_splits", [1, 2])
def test_a_collector_goes_on_from_a_snapshot(mode, num_splits):
    settings = {"autoreset_mode": mode, "max_episode_steps": 9}
    one, other = (
        make_collector(batchsim.make_vec("Blackjack-v1", 5, **settings), 7, num_splits, seed=seed)
        for seed in (0, 1)
    )
    collected(one, 2)
    collected(other, 1)
    observations = other.envs.set_state(one.envs.get_state())
    other.begin_from(observations, one.rollout.over().numpy())
    other.generator.set_state(one.generator.get_state())
    assert_same(collected(other), collected(one))


def test_reset_starts_anew():
    collector = Collector(batchsim.make_vec("CartPole-v1", 5), Push(), 20, seed=0)
    expected = collected(collector, 2)
    collector.reset()
    assert_same(collected(collector, 2), expected)
    collector.start_over()
    assert_same(collected(collector, 2), expected)


def test_a_reset_forgets_whose_episodes_were_over():
    envs = batchsim.make_vec("CartPole-v1", 5, max_episode_steps=10)
    collector = Collector(envs, Push(), 10, seed=0)
    expected = collected(collector, 1)
    assert collector.rollout.truncated[-1].any()
    collector.reset()
    assert_same(collected(collector, 1), expected)


def test_without_a_seed_each_collector_is_another():
    one, other = (
        make_collector(batchsim.make_vec("CartPole-v1", 5), seed=None).collect() for _ in range(2)
    )
    assert not torch.equal(one.observations[0], other.observations[0])
    assert not torch.equal(one.actions, other.actions)


def test_rows_have_noise_of_their_own():
    """In rows that see the same, of one half or of both, the policy acts differently."""
    envs = batchsim.make_vec("Pendulum-v1", 8)
    envs.reset(seed=[0] * 8)
    collector = make_collector(envs, 200, 2)
    collector.begin_from(envs.set_state(envs.get_state()), np.zeros(8, bool))
    rollout = collector.collect()
    assert len(set(rollout.actions[0].flatten().tolist())) == 8
    related = np.corrcoef(collector.noise[..., 0].numpy().T) - np.eye(8)
    assert np.abs(related).max() < 0.35  # five deviations of 200 samples
    before = collector.noise.clone()
    collector.collect()
    assert not (collector.noise == before).any()


def test_the_global_generator_is_left_alone():
    collector = make_collector(batchsim.make_vec("Pendulum-v1", 3))
    before = torch.random.get_rng_state()
    collected(collector)
    assert torch.equal(torch.random.get_rng_state(), before)


# -- when something goes wrong ---------------------------------------------------------------------


class Failing(Push):
    """Raises when it is asked for the so manyth time, from 1 on."""

    def __init__(self, when, exception):
        super().__init__()
        self.when = when
        self.exception = exception

    def act(self, observations, noise):
        if self.asked + 1 == self.when:
            self.asked += 1
            raise self.exception
        return super().act(observations, noise)


AGAIN = (
    "collect() was called after one that an exception ended halfway; call reset() or begin_from() "
    "first."
)


@pytest.mark.parametrize("exception", [ZeroDivisionError(), KeyboardInterrupt()])
@pytest.mark.parametrize("when", [1, 2, 3, 4, 9, 10])
@pytest.mark.parametrize(("num_splits", "way"), [(1, in_place), (2, in_place), (2, overlapped)])
def test_after_an_exception_a_reset_puts_all_right(num_splits, way, when, exception):
    envs = batchsim.make_vec("CartPole-v1", 5, autoreset_mode="SameStep", max_episode_steps=2)
    collector = way(Collector(envs, Failing(when, exception), 5, num_splits, seed=0))
    with pytest.raises(type(exception)):
        collector.collect()
    for _ in range(2):
        with pytest.raises(error.ResetNeeded) as caught:
            collector.collect()
        assert str(caught.value) == AGAIN
    for stepper in collector.steppers:
        with pytest.raises(error.NoAsyncCallError):
            stepper.envs.recv()
    collector.reset()
    other = batchsim.make_vec("CartPole-v1", 5, autoreset_mode="SameStep", max_episode_steps=2)
    fresh = Collector(other, Push(), 5, seed=0)
    fresh.reset()
    for each in (collector, fresh):
        # Episodes end at other steps than they would have done: nothing is left of those.
        observations = each.envs.step(np.zeros(5, np.int64))[0]
        each.begin_from(observations, np.zeros(5, bool))
    assert_same(collected(way(collector)), collected(fresh))


def test_a_state_to_go_on_from_puts_all_right_too():
    envs = batchsim.make_vec("CartPole-v1", 5)
    collector = overlapped(Collector(envs, Failing(10, ZeroDivisionError()), 4, 2, seed=0))
    collector.collect()
    state, over = envs.get_state(), collector.rollout.over().numpy().copy()
    with pytest.raises(ZeroDivisionError):
        collector.collect()
    collector.begin_from(envs.set_state(state), over)
    fresh = Collector(batchsim.make_vec("CartPole-v1", 5), Push(), 4, 2, seed=0)
    fresh.collect()
    assert_same(collected(collector), collected(fresh))


class Changed:
    """A policy that is asked in vain for something else than `what` makes of its answer."""

    def __init__(self, policy, **what):
        self.policy = policy
        self.what = what

    def __getattr__(self, name):
        method = getattr(self.policy, name)
        return lambda *args: self.what.get(name, lambda found: found)(method(*args))


@pytest.mark.parametrize("num_splits", [1, 2])
def test_actions_that_are_no_numbers_are_refused_by_the_environments(num_splits):
    envs = batchsim.make_vec("Pendulum-v1", 5)
    collector = overlapped(make_collector(envs, num_splits=num_splits))
    policy = collector.policy
    collector.policy = Changed(policy, act=lambda d: d._replace(actions=d.actions * torch.nan))
    with pytest.raises(ValueError, match=r"^The action of row 0 is \[nan\]; expected a member of "):
        collector.collect()
    collector.policy = policy
    with pytest.raises(error.ResetNeeded):
        collector.collect()
    collector.reset()
    assert collector.collect().actions.isfinite().all()


MISTAKES = [
    (
        {"act": lambda d: d._replace(actions=d.actions[:, None])},
        "The policy's actions have shape (3, 1) and torch.int64; expected (3,) and torch.int64.",
    ),
    (
        {"act": lambda d: d._replace(actions=d.actions[0])},
        "The policy's actions have shape () and torch.int64; expected (3,) and torch.int64.",
    ),
    (
        {"act": lambda d: d._replace(actions=d.actions + 0.5)},
        "The policy's actions have shape (3,) and torch.float32; expected (3,) and torch.int64.",
    ),
    (
        {"act": lambda d: d._replace(log_probs=d.log_probs.sum())},
        "The policy's log-probabilities have shape () and torch.float32; expected (3,) and "
        "torch.float32.",
    ),
    (
        {"act": lambda d: d._replace(values=d.values[:1])},
        "The policy's values have shape (1,) and torch.float32; expected (3,) and torch.float32.",
    ),
    (
        {"draw": lambda noise: noise[:, :4]},
        "The noise that the policy draws has shape (25, 4, 2); expected (25, 5, …).",
    ),
]


@pytest.mark.parametrize(("what", "message"), MISTAKES)
def test_a_policys_mistakes_are_told_in_one_sentence(what, message):
    collector = make_collector(batchsim.make_vec("CartPole-v1", 5))
    collector.policy = Changed(collector.policy, **what)
    with pytest.raises(ValueError, match=r"^The ") as caught:
        collector.collect()
    assert str(caught.value) == message


@torch.no_grad()
def test_a_collector_may_be_dropped_with_a_step_under_way():
    for _ in range(5):
        envs = batchsim.make_vec("Pendulum-v1", 2000)
        collector = make_collector(envs, 4, 2)
        collector.reset()
        collector._draw()
        collector._act(0, 0)
        collector._send(collector.steppers[0], 0)
        collector.cycle = collector
        del collector, envs
        gc.collect()


PENDULUM = {"id": "Pendulum-v1", "num_envs": 4}


@pytest.mark.parametrize(
    ("made", "arguments", "kind", "message"),
    [
        ({}, {"steps": 0}, ValueError, "steps is 0; expected a whole number of at least 1."),
        ({}, {"steps": 2.5}, TypeError, "steps is 2.5; expected a whole number of at least 1."),
        (
            {},
            {"num_splits": 3},
            ValueError,
            "num_splits is 3; expected a whole number of at least 1 and at most 2.",
        ),
        ({}, {"seed": -1}, ValueError, "seed is -1; expected a whole number of at least 0."),
        (
            {},
            {"num_splits": 2, "halves": False},
            ValueError,
            "num_splits is 2 and halves is False; expected one or the other.",
        ),
        (
            {},
            {"cuda_graph": True},
            ValueError,
            "cuda_graph is True on cpu; expected device='cuda'.",
        ),
        (
            {},
            {"device": "meta"},
            ValueError,
            "device is meta; expected a CPU or a CUDA device.",
        ),
        (
            {"autoreset_mode": "Disabled"},
            {},
            ValueError,
            "The environments have autoreset_mode AutoresetMode.DISABLED; expected NEXT_STEP or "
            "SAME_STEP.",
        ),
    ],
)
def test_other_arguments_are_refused_in_one_sentence(made, arguments, kind, message):
    envs = batchsim.make_vec(**PENDULUM, **made)
    with pytest.raises(kind) as caught:
        make_collector(envs, **arguments)
    assert str(caught.value) == message


def test_other_environments_are_refused_in_one_sentence():
    sync = gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync")
    with pytest.raises(ValueError, match=r"^num_splits is 2, but .* is no BatchEnv; expected num"):
        make_collector(sync, num_splits=2)
    same = oracle.upstream("CartPole-v1", 2, gymnasium.vector.AutoresetMode.SAME_STEP)
    with pytest.raises(ValueError, match=r"autoreset_mode .*SAME_STEP; expected NEXT_STEP\.$"):
        make_collector(same)
    with pytest.raises(TypeError, match=r"^envs is .*; expected a gymnasium\.vector\.VectorEnv\.$"):
        Collector(gymnasium.make("CartPole-v1"), Push(), 3)
    with pytest.raises(TypeError, match=r"^The action space is Text.*; expected Discrete, a Box"):
        ActorCritic(Discrete(2), Text(3))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"^device is cuda, but PyTorch finds no CUDA device\.$"):
        make_collector(batchsim.make_vec(**PENDULUM), device="cuda")


def test_a_place_to_begin_from_has_the_rollouts_shapes():
    envs = batchsim.make_vec("CartPole-v1", 4)
    collector = make_collector(envs)
    none = np.zeros(4, bool)
    observations, _ = envs.reset(seed=0)
    for given, message in (
        (
            (observations[:1], none),
            "The observations have shape (1, 4) and dtype float32; expected (4, 4) and float32.",
        ),
        (
            (observations.astype(np.complex64), none),
            "The observations have shape (4, 4) and dtype complex64; expected (4, 4) and float32.",
        ),
        (
            (observations, none[:1]),
            "The restarting flags have shape (1,) and dtype bool; expected (4,) and bool.",
        ),
        (
            (observations, [False] * 4),
            "The restarting flags have no dtype ([False, False, False, False]); expected (4,) and "
            "bool.",
        ),
    ):
        with pytest.raises(ValueError, match=r"^The ") as caught:
            collector.begin_from(*given)
        assert str(caught.value) == message
    collector = make_collector(batchsim.make_vec("CartPole-v1", 4), num_splits=2)
    with pytest.raises(error.ResetNeeded, match=r"^split\(\) was called before reset\(\)"):
        collector.begin_from(observations, none)


@pytest.mark.parametrize("num_splits", [1, 2])
def test_closed_environments_are_refused(num_splits):
    collector = make_collector(batchsim.make_vec("CartPole-v1", 4), num_splits=num_splits)
    collector.collect()
    collector.envs.close()
    with pytest.raises(error.ClosedEnvironmentError) as caught:
        collector.collect()
    assert str(caught.value) == (
        "collect() was called after the environments were closed; make new ones."
    )


# -- policies of one's own -------------------------------------------------------------------------


class Swing:
    """A hand-written policy of a Box: a mean by what is seen, and noise around it."""

    def draw(self, steps, rows, generator):
        return torch.randn(steps, rows, 1, generator=generator)

    def act(self, observations, noise):
        mean = 2.0 * observations[:, 1:2]
        normal = torch.distributions.Normal(mean, 0.3)
        actions = mean + 0.3 * noise
        return Decision(actions, normal.log_prob(actions).sum(-1), self.value(observations))

    def value(self, observations):
        return observations[:, 0]


@pytest.mark.parametrize("num_splits", [1, 2])
def test_a_policy_of_ones_own_acts(num_splits):
    envs = batchsim.make_vec("Pendulum-v1", 5)
    r = overlapped(Collector(envs, Swing(), 30, num_splits, seed=0)).collect()
    mean = 2.0 * r.observations[:-1, :, 1:2]
    deviations = (r.actions - mean) / 0.3
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(deviations) - np.log(0.3)
    torch.testing.assert_close(r.log_probs, expected.squeeze(-1), rtol=1e-4, atol=1e-4)
    assert torch.equal(r.values, r.observations[..., 0])
    assert 0.7 < deviations.std() < 1.3


@pytest.mark.parametrize("halves", [True, False])
def test_the_policy_is_asked_about_halves_or_about_all(halves):
    policy = Push()
    Collector(batchsim.make_vec("CartPole-v1", 5), policy, 10, 1, seed=0, halves=halves).collect()
    assert policy.asked == (20 if halves else 10)


# -- on a GPU --------------------------------------------------------------------------------------

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
GPU_CASES = [
    ("CartPole-v1", {"autoreset_mode": "SameStep", "max_episode_steps": 9}),
    ("Pendulum-v1", {}),
    ("Blackjack-v1", {}),
    ("Bits", {"max_episode_steps": 9}),
    ("Numbers", {"max_episode_steps": 9}),
]


def on_gpu(name, settings, num_splits=1, **arguments):
    definition = next((own for own in OWN if own.__name__ == name), name)
    envs = batchsim.make_vec(definition, 9, **settings)
    collector = make_collector(envs, 12, num_splits, device="cuda", **arguments)
    collector.policy.to("cuda")
    return collector


def downloaded(collector, rollouts=3):
    found = []
    for _ in range(rollouts):
        r = collector.collect()
        torch.cuda.synchronize()
        for host, there in zip(leaves(r.host_observations), leaves(r.observations), strict=True):
            assert torch.equal(host, there.cpu())
        kept = [r.rewards, r.terminated, r.truncated, r.actions, r.log_probs, r.values]
        kept += [] if r.final_values is None else [r.final_values]
        found += [tensor.cpu().clone() for tensor in kept]
    return found


@needs_gpu
@pytest.mark.parametrize(("name", "settings"), GPU_CASES)
def test_gpu_rollouts_are_the_same_with_graphs_and_with_two_splits(name, settings):
    expected = downloaded(on_gpu(name, settings))
    for collector in (
        on_gpu(name, settings, cuda_graph=True),
        in_place(on_gpu(name, settings, 2)),
        overlapped(on_gpu(name, settings, 2)),
        overlapped(on_gpu(name, settings, 2, cuda_graph=True)),
    ):
        for one, other in zip(downloaded(collector), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@needs_gpu
@pytest.mark.parametrize(("name", "settings"), GPU_CASES)
def test_the_policy_says_the_same_on_a_gpu(name, settings):
    """Noise differs from the CPU's; what the policy makes of it does not."""
    collector = on_gpu(name, settings, 2)
    r = overlapped(collector).collect()
    policy = collector.policy.cpu()
    with torch.no_grad():
        for t in range(r.steps):
            nested = mapped(lambda leaf, t=t: leaf[t], r.host_observations)
            log_probs, _, _ = policy.evaluate(nested, r.actions[t].cpu())
            torch.testing.assert_close(r.log_probs[t].cpu(), log_probs, rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(
                r.values[t].cpu(), policy.value(nested), rtol=1e-3, atol=1e-3
            )


@needs_gpu
@pytest.mark.parametrize("cuda_graph", [False, True])
def test_a_gpus_rollouts_follow_what_was_learned(cuda_graph):
    """Parameters that change between rollouts are read anew, a recorded graph's too."""
    collector = on_gpu("Pendulum-v1", {}, 2, cuda_graph=cuda_graph)
    for shift in (0.0, 100.0, -100.0):
        with torch.no_grad():
            collector.policy.actor[-1].bias.fill_(shift)
        actions = collector.collect().actions
        if shift:
            assert (actions.sign() == np.sign(shift)).all()


@needs_gpu
def test_ppo_learns_on_a_gpu():
    how = Hyperparameters(
        num_envs=16, steps=32, total_steps=60_000, epochs=4, minibatches=4, num_splits=2
    )
    ppo = PPO(batchsim.make_vec("CartPole-v1", 16), how, seed=0, device="cuda")
    first = ppo.iterate()
    while not ppo.finished:
        last = ppo.iterate()
    assert last.mean_return > 3 * first.mean_return
