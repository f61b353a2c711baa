"""Episodes that an environment truncates itself, and the time limit that its definition names.

The oracle is a per-object environment that does the same, stepped by Gymnasium.
"""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import copy
import itertools
import pickle
import types
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FrameStackObservation, TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import batchsim
from batchsim.compiler import columns
from batchsim.compiler.safety import may_step_finished_rows
from batchsim.definition import CompileError, Definition
from batchsim.random import uniform
from batchsim.torch import ActorCritic, Collector

N = 70
"""More than one tile of rows."""


class Walk:
    """Ends at the right, is cut off at the left and after some steps, now and then both at once."""

    class State(NamedTuple):
        x: float
        steps: int

    class Params(NamedTuple):
        longest: int = 12

    ACTION = Discrete(2)
    OBSERVATION = Box(-np.inf, np.inf, (2,), np.float64)

    def reset(s, i, p, rng):
        s.x[i] = uniform(rng, i, -1.0, 1.0)
        s.steps[i] = 0

    def step(s, i, action, p, rng):
        s.x[i] += 0.4 if action == 1 else -0.4
        s.steps[i] += 1
        if s.x[i] < -1.6:
            return -1.0, False, True
        return judged(s, i, p)

    def observe(s, i, p, out):
        out[0] = s.x[i]
        out[1] = s.steps[i]


def judged(s, i, p):
    return s.x[i], s.x[i] > 1.6, s.steps[i] % p.longest == 0


class Original(gymnasium.Env):
    """`Walk` as one object."""

    observation_space = Walk.OBSERVATION
    action_space = Walk.ACTION

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.steps = self.np_random.uniform(-1.0, 1.0), 0
        return self.observation(), {}

    def step(self, action):
        self.x += 0.4 if action == 1 else -0.4
        self.steps += 1
        if self.x < -1.6:
            return self.observation(), -1.0, False, True, {}
        return self.observation(), self.x, self.x > 1.6, self.steps % 12 == 0, {}

    def observation(self):
        return np.array([self.x, self.steps], np.float64)


class Draws(Walk):
    """Draws in `step`, so that rows which are over must not be stepped."""

    reset, observe = Walk.reset, Walk.observe

    def step(s, i, action, p, rng):
        s.x[i] += uniform(rng, i, -0.5, 0.5)
        s.steps[i] += 1
        return judged(s, i, p)


class DrawsOriginal(Original):
    def step(self, action):
        self.x += self.np_random.uniform(-0.5, 0.5)
        self.steps += 1
        return self.observation(), self.x, self.x > 1.6, self.steps % 12 == 0, {}


SETTINGS = {
    "one thread": {"num_threads": 1},
    "two threads": {"num_threads": 2},
    "send and recv": {"num_threads": 2},
    "reference": {"backend": "reference"},
    "checked": {"checked": True},
}


def beside(definition, original, mode, wrappers=(), **settings):
    """An original, with wrappers around it, beside a BatchEnv of each of the settings."""

    def make():
        env = original()
        for wrapper in wrappers:
            env = wrapper(env)
        return env

    return oracle.SideBySide(
        SyncVectorEnv([make] * N, autoreset_mode=mode),
        {
            name: (
                batchsim.make_vec(definition, N, autoreset_mode=mode, **settings, **others),
                oracle.send_and_receive if name == "send and recv" else oracle.step,
            )
            for name, others in SETTINGS.items()
        },
    )


def actions(seed=0):
    rng = np.random.default_rng(seed)
    return lambda: rng.integers(0, 2, N)


# -- A third value ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", oracle.MODES)
@pytest.mark.parametrize("pair", [(Walk, Original), (Draws, DrawsOriginal)], ids=["plain", "draws"])
def test_what_step_truncates_is_truncated(pair, mode, opened):
    both = opened(beside(*pair, mode))
    both.reset(seed=5)
    both.run(150, actions())
    both.compare_streams()
    assert both.episodes > N
    assert both.both_flags > 0


@pytest.mark.parametrize("mode", oracle.MODES)
def test_the_time_limit_truncates_as_well(mode, opened):
    limit = [lambda env: TimeLimit(env, 7)]
    both = opened(beside(Walk, Original, mode, limit, max_episode_steps=7))
    both.reset(seed=5)
    both.run(100, actions())
    both.compare_streams()
    assert both.both_flags > 0


@pytest.mark.parametrize("mode", oracle.MODES)
def test_frames_are_stacked_over_truncations(mode, opened):
    stack = [lambda env: FrameStackObservation(env, 3)]
    both = opened(beside(Walk, Original, mode, stack, frame_stack=3))
    both.reset(seed=5)
    both.run(80, actions())


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_statistics_count_truncated_episodes(mode, opened):
    made = SyncVectorEnv([Original] * N, autoreset_mode=mode)
    envs = [
        opened(RecordEpisodeStatistics(made)),
        opened(batchsim.make_vec(Walk, N, autoreset_mode=mode, record_episode_statistics=True)),
    ]
    for env in envs:
        env.reset(seed=2)
    drawn, seen = actions(), 0
    for _ in range(60):
        batch = drawn()
        expected, found = (env.step(batch)[4] for env in envs)
        assert expected.keys() == found.keys()
        for name in ("r", "l") if "episode" in expected else ():
            one, other = (infos["episode"][name].astype(float) for infos in (expected, found))
            oracle.assert_same_array(one, other, name)
            seen += np.count_nonzero(other)
    assert seen > N


def test_one_environment_does_as_its_original(opened):
    one, original = opened(batchsim.make(Walk)), Original()
    for seed in range(20):
        assert oracle.bits(one.reset(seed=seed)[0]) == oracle.bits(original.reset(seed=seed)[0])
        for action in itertools.cycle((0, 0, 1)):
            found, expected = one.step(action), original.step(action)
            assert oracle.bits(found[0]) == oracle.bits(expected[0])
            assert found[1:4] == expected[1:4]
            assert [type(value) for value in found[1:4]] == [float, bool, bool]
            if found[2] or found[3]:
                break


@pytest.mark.parametrize("mode", oracle.MODES)
def test_snapshots_copies_and_pickles_go_on(mode, opened):
    env = opened(batchsim.make_vec(Walk, N, autoreset_mode=mode))
    env.reset(seed=1)
    drawn = actions()
    for _ in range(6):
        *_, terminated, truncated, _ = env.step(drawn())
        if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
            env.reset(options={"reset_mask": terminated | truncated})
    from_snapshot = opened(batchsim.make_vec(Walk, N, autoreset_mode=mode, backend="reference"))
    from_snapshot.set_state(env.get_state())
    others = [from_snapshot, opened(copy.deepcopy(env)), opened(pickle.loads(pickle.dumps(env)))]
    batch = drawn()
    expected = env.step(batch)
    for other in others:
        oracle.assert_same_step(expected, other.step(batch))


def test_rows_that_are_over_are_stepped_where_that_can_do_no_harm():
    class Prices(Walk):
        reset, observe = Walk.reset, Walk.observe

        def step(s, i, action, p, rng):
            return p.prices[s.steps[i]], False, s.steps[i] == p.prices.shape[0] - 1

    class Plain(Walk):
        reset, observe = Walk.reset, Walk.observe

        def step(s, i, action, p, rng):
            s.steps[i] += 1
            return 0.0, s.steps[i] > 5, s.steps[i] > 3

    assert may_step_finished_rows(Definition(Plain, "Plain"))
    assert not may_step_finished_rows(Definition(Draws, "Draws"))
    assert not may_step_finished_rows(Definition(Prices, "Prices"))


@pytest.mark.parametrize("cut", [0, 1, 2, -0.5, np.nan, np.int8(0), np.float32(3), np.bool_(True)])
def test_truncated_is_whatever_has_a_truth_value(cut, opened):
    class Cut(Walk):
        reset, observe = Walk.reset, Walk.observe

        def step(s, i, action, p, rng):
            return 0.0, False, CUT  # noqa: F821 - named below

    Cut.step = types.FunctionType(Cut.step.__code__, {"CUT": cut})
    for backend in ("native", "reference"):
        env = opened(batchsim.make_vec(Cut, 2, backend=backend))
        env.reset(seed=0)
        assert env.step([0, 0])[3].tolist() == [bool(cut)] * 2, backend


def test_a_rollout_takes_the_value_of_what_was_truncated():
    """By the environment itself or by a time limit: the flags are what the collector knows."""

    class Endless(Walk):
        reset, observe = Walk.reset, Walk.observe

        def step(s, i, action, p, rng):
            s.x[i] += 0.4 if action == 1 else -0.4
            s.steps[i] += 1
            return s.x[i], False

    class Ends(Endless):
        reset, observe = Walk.reset, Walk.observe

        def step(s, i, action, p, rng):
            s.x[i] += 0.4 if action == 1 else -0.4
            s.steps[i] += 1
            return s.x[i], False, s.steps[i] == 5

    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        rollouts = []
        for definition, limit in ((Endless, 5), (Ends, None)):
            torch.manual_seed(0)
            env = batchsim.make_vec(definition, 4, autoreset_mode=mode, max_episode_steps=limit)
            policy = ActorCritic(env.single_observation_space, env.single_action_space)
            rollouts.append(Collector(env, policy, steps=16, seed=3).collect())
            env.close()
        one, other = rollouts
        assert one.truncated.any()
        for name in ("truncated", "terminated", "rewards", "values", "final_values"):
            first, second = getattr(one, name), getattr(other, name)
            assert (first is None) == (second is None), name
            assert first is None or torch.equal(first, second), name


# -- What is refused -------------------------------------------------------------------------------


def three(s, i):
    return s.x[i], False, True


class OneWithout(Walk):
    reset, observe = Walk.reset, Walk.observe

    def step(s, i, action, p, rng):
        if action == 1:
            return 1.0, False
        return 1.0, False, True


class OneByAHelper(Walk):
    reset, observe = Walk.reset, Walk.observe

    def step(s, i, action, p, rng):
        if action == 1:
            return three(s, i)
        result = 1.0, False
        return result


class EitherWay(Walk):
    reset, observe = Walk.reset, Walk.observe

    def step(s, i, action, p, rng):
        return (1.0, False) if action == 1 else three(s, i)


class Four(Walk):
    reset, observe = Walk.reset, Walk.observe

    def step(s, i, action, p, rng):
        return 1.0, False, False, 4


class Nothing(Walk):
    reset, observe = Walk.reset, Walk.observe

    def step(s, i, action, p, rng):
        if action == 1:
            return
        s.x[i] = 0.0


REFUSED = [
    (OneWithout, 3, "returns two values, `(1.0, False)`, and three in line {1}, `(1.0, False, Tr"),
    (OneByAHelper, 4, "returns two values, `(1.0, False)`, and three in line"),
    (EitherWay, 2, "returns two values, `(1.0, False)`, and three in line"),
    (Four, 2, "returns `(1.0, False, False, 4)`; expected reward, terminated, or reward,"),
    (Nothing, 3, "returns nothing; expected reward, terminated, or reward, terminated, truncated"),
]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(("definition", "line", "words"), REFUSED)
def test_returns_that_do_not_agree_are_refused(definition, line, words, backend):
    place = definition.step.__code__.co_firstlineno + line - 1
    with pytest.raises(CompileError) as caught:
        batchsim.make_vec(definition, 2, backend=backend)
    said = f"{Path(__file__).name}:{place}: step {words.format(0, place + 1)}"
    assert said in str(caught.value)
    with pytest.raises(batchsim.CheckError) as told:
        batchsim.check(definition)
    (problem,) = told.value.problems
    assert (problem.kind, problem.line) == ("return", place)


def test_what_only_a_run_can_tell_is_told_in_a_sentence(opened):
    with pytest.raises(TypeError, match=r"step returns 1\.5; expected reward, terminated, or"):
        columns.outcome(1.5)

    class Number(Walk):
        reset, observe = Walk.reset, Walk.observe

        def step(s, i, action, p, rng):
            return s.x[i]

    with pytest.raises(CompileError, match="step returns float64; expected reward, terminated, or"):
        batchsim.make_vec(Number, 2)


# -- MAX_EPISODE_STEPS -----------------------------------------------------------------------------


def limited(limit, **others):
    """Walk with MAX_EPISODE_STEPS."""
    return type("Limited", (Walk,), {"MAX_EPISODE_STEPS": limit, **others})


def of_longest(p):
    return 2 * p.longest if p.longest < 100 else None


class Settled(Walk):
    """Walk whose time limit depends on a parameter."""

    MAX_EPISODE_STEPS = of_longest


def test_what_the_caller_gives_comes_before_the_ids_limit_and_that_before_the_definitions():
    before = dict(batchsim.registry._entries)
    try:
        ids = {
            batchsim.register(limited(9), "OwnLimit-v0"): 9,
            batchsim.register(limited(9), "IdsLimit-v0", max_episode_steps=5): 5,
            batchsim.register(limited(of_longest), "Computed-v0"): 24,
            batchsim.register(limited(of_longest), "Given-v0", max_episode_steps=6): 6,
        }
        for name, limit in ids.items():
            for given, expected in ((None, limit), (3, 3), (-1, None)):
                env = batchsim.make_vec(name, 2, max_episode_steps=given, backend="reference")
                one = batchsim.make(name, max_episode_steps=given, backend="reference")
                assert env.max_episode_steps == one.batch.max_episode_steps == expected
                assert env.spec.max_episode_steps == one.spec.max_episode_steps == expected
                again = gymnasium.make(one.spec)
                assert length_of_episode(again) == min(expected or 12, 12), (name, given)
                env.max_episode_steps = 4
                env.max_episode_steps = None
                assert env.max_episode_steps == limit
            made = gymnasium.make(f"batchsim/{name}", backend="reference")
            assert length_of_episode(made) == min(limit, 12)
            made = gymnasium.make_vec(f"batchsim/{name}", num_envs=2, backend="reference")
            assert made.max_episode_steps == limit
    finally:
        for name in set(batchsim.registry._entries) - set(before):
            gymnasium.registry.pop(f"batchsim/{name}")
        batchsim.registry._entries.clear()
        batchsim.registry._entries.update(before)


def length_of_episode(env):
    """Steps until an episode is over that goes neither left nor right."""
    env.reset(seed=0)
    for t in itertools.count(1):
        _, _, terminated, truncated, _ = env.step(t % 2)
        if terminated or truncated:
            assert not terminated
            return t
    return None


@pytest.mark.parametrize("mode", oracle.MODES)
def test_the_definitions_limit_is_a_time_limit(mode, opened):
    both = opened(beside(limited(np.int64(8)), Original, mode, [lambda env: TimeLimit(env, 8)]))
    both.reset(seed=5)
    both.run(60, actions())


def test_a_limit_is_computed_from_parameters_and_tables(opened):
    class Tables(NamedTuple):
        days: np.ndarray

    class Arguments(NamedTuple):
        length: int = 5

    def tables(arguments):
        return Tables(np.zeros(arguments.length))

    definition = limited(
        lambda p: p.days.size + p.longest, Tables=Tables, Arguments=Arguments, tables=tables
    )
    settings = {"backend": "reference"}
    assert opened(batchsim.make_vec(definition, 2, **settings)).max_episode_steps == 17
    env = opened(batchsim.make_vec(definition, 2, length=8, longest=3, **settings))
    assert env.max_episode_steps == env.spec.max_episode_steps == 11
    env.set_attr("max_episode_steps", 4)
    env.set_attr("longest", 5)
    env.max_episode_steps = None
    assert env.max_episode_steps == 13
    assert opened(batchsim.make_vec(limited(of_longest), 2, longest=100)).max_episode_steps is None


def test_a_limit_is_computed_from_arguments_as_spaces_are(opened):
    class Arguments(NamedTuple):
        days: str = "mon tue wed"

    definition = limited(lambda p: len(p.days.split()) * p.longest, Arguments=Arguments)
    settings = {"backend": "reference"}
    assert opened(batchsim.make_vec(definition, 2, **settings)).max_episode_steps == 36
    env = opened(batchsim.make_vec(definition, 2, days="sat sun", longest=5, **settings))
    for batch in (env, opened(copy.copy(env)), opened(copy.deepcopy(env))):
        assert batch.max_episode_steps == 10
        batch.max_episode_steps = 3
        batch.max_episode_steps = None
        assert batch.max_episode_steps == 10
        with pytest.raises(ValueError, match="longest decides the time limit of Limited, which is"):
            batch.set_attr("longest", 3)
    assert length_of_episode(opened(batchsim.make(definition, days="sat", longest=5))) == 5
    assert batchsim.check(definition, days="sat sun", longest=5, steps=40).hints == ()


def test_a_parameter_that_decides_the_limit_is_settled(opened):
    env = opened(batchsim.make_vec(Settled, 2, backend="reference"))
    others = [copy.copy(env), copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    for batch in (env, *map(opened, others)):
        with pytest.raises(ValueError, match="longest decides the time limit of Settled, which is"):
            batch.set_attr("longest", 3)
        assert (batch.max_episode_steps, batch.params["longest"]) == (24, 12)
        batch.max_episode_steps = 50
        batch.set_attr("longest", 3)
        assert (batch.max_episode_steps, batch.params["longest"]) == (50, 3)
        batch.max_episode_steps = None
        assert batch.max_episode_steps == 6
        with pytest.raises(ValueError, match="longest decides the time limit"):
            batch.params["longest"] = 4
    # Another limit is in force: the parameter decides nothing.
    free = opened(batchsim.make_vec(limited(of_longest), 2, max_episode_steps=7))
    free.set_attr("longest", [3, 4])
    with pytest.raises(ValueError, match="depends on the parameter 'longest', which differs by"):
        free.max_episode_steps = None
    assert free.max_episode_steps == 7


@pytest.mark.parametrize("limit", [0, -1, 2**63, 1.5, "10", True, np.zeros(2)])
def test_what_is_no_limit_is_refused(limit):
    with pytest.raises(TypeError, match=r"MAX_EPISODE_STEPS of Limited is .*; expected a positive"):
        batchsim.make_vec(limited(limit), 2)
    with pytest.raises(ValueError, match=r"MAX_EPISODE_STEPS of Limited returned .*; expected a"):
        batchsim.make_vec(limited(lambda p: limit), 2)


def test_a_limit_that_cannot_be_computed_is_refused():
    by_row = {"longest": [3, 4]}
    with pytest.raises(ValueError, match="depends on the parameter 'longest', which differs by"):
        batchsim.make_vec(limited(of_longest), 2, **by_row)
    batchsim.make_vec(limited(of_longest), 2, max_episode_steps=3, **by_row).close()
    message = (
        "^MAX_EPISODE_STEPS of Limited raises AttributeError: p has no 'longst' .did you mean 'lo"
    )
    with pytest.raises(AttributeError, match=message):
        batchsim.make_vec(limited(lambda p: p.longst), 2)
    with pytest.raises(
        batchsim.CheckError, match="MAX_EPISODE_STEPS of Limited raises ZeroDivisionError"
    ):
        batchsim.check(limited(lambda p: 1 // 0))
