"""PPO: the same seed gives the same agent, over either simulator and from any saved state."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import io
import math
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers.vector import RecordEpisodeStatistics

import batchsim
from batchsim.torch import PPO, Hyperparameters, TrainingError

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = Hyperparameters(num_envs=6, steps=20, total_steps=6 * 20 * 12, epochs=3, minibatches=4)
HOW = {
    "CartPole-v1": PLAIN,
    "Pendulum-v1": PLAIN.replace(normalize=True, correlation=0.5),
}


def make_ppo(name="CartPole-v1", seed=4, envs=None, mode="NextStep", **changes):
    how = HOW[name].replace(**changes)
    if envs is None:
        # Short episodes: many of them end, Pendulum's too.
        envs = batchsim.make_vec(name, how.num_envs, max_episode_steps=30, autoreset_mode=mode)
    return PPO(envs, how, seed=seed)


def iterate(ppo, times):
    """What so many iterations did."""
    return [ppo.iterate() for _ in range(times)]


def assert_same(one, other):
    """Both learned the same, bit for bit."""
    mine, its = one.policy.state_dict(), other.policy.state_dict()
    assert mine.keys() == its.keys()
    for name in mine:
        assert mine[name].numpy().tobytes() == its[name].numpy().tobytes(), name


def assert_differ(one, other):
    mine, its = one.policy.state_dict(), other.policy.state_dict()
    assert any(not torch.equal(mine[name], its[name]) for name in mine)


# -- the same agent --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(HOW))
def test_the_same_seed_gives_the_same_agent(name):
    one, other, third = make_ppo(name), make_ppo(name), make_ppo(name, seed=5)
    assert_same(one, other)
    assert iterate(one, 4)[-1] == iterate(other, 4)[-1] != iterate(third, 4)[-1]
    assert_same(one, other)
    assert_differ(one, third)


@pytest.mark.parametrize("name", sorted(HOW))
@pytest.mark.parametrize("num_splits", [1, 2])
def test_gymnasiums_environments_make_the_same_agent(name, num_splits):
    mine = make_ppo(name, num_splits=num_splits)
    mine.collector.half_step = 1.0  # Halves are sent, however short their steps are.
    upstream = oracle.upstream(name, 6, max_episode_steps=30)
    its = make_ppo(name, envs=upstream, num_splits=num_splits)
    assert iterate(mine, 6) == iterate(its, 6)
    assert mine.episodes > 6
    assert_same(mine, its)


def test_weights_and_actions_are_drawn_from_two_streams():
    ppo = make_ppo()
    assert ppo.generator.initial_seed() != ppo.collector.generator.initial_seed()


# -- going on later --------------------------------------------------------------------------------


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("CartPole-v1", {}),
        ("CartPole-v1", {"mode": "SameStep", "num_splits": 2}),
        ("Pendulum-v1", {"num_splits": 2}),
    ],
)
@pytest.mark.parametrize("at", [0, 1, 5])
def test_training_goes_on_from_any_state_to_the_same_agent(name, settings, at):
    whole = make_ppo(name, **settings)
    expected = iterate(whole, 8)
    first = make_ppo(name, **settings)
    iterate(first, at)
    state = through_a_file(first.state_dict())
    # Into another that was just made, even with another seed, and one that has gone elsewhere.
    for other, gone in (
        (make_ppo(name, **settings), 0),
        (make_ppo(name, seed=11, **settings), 0),
        (make_ppo(name, seed=12, **settings), 2),
    ):
        iterate(other, gone)
        other.load_state_dict(state)
        assert iterate(other, 8 - at) == expected[at:]
        assert_same(other, whole)


def test_a_state_is_a_copy():
    """What is learned after it was taken, or after it was loaded, leaves it as it is."""
    ppo = make_ppo()
    iterate(ppo, 2)
    state = ppo.state_dict()
    expected = iterate(ppo, 3)
    for _ in range(2):
        ppo.load_state_dict(state)
        assert iterate(ppo, 3) == expected


def test_the_time_that_was_taken_is_kept():
    ppo = make_ppo()
    iterate(ppo, 1)
    other = make_ppo()
    other.load_state_dict(ppo.state_dict())
    assert other.collector.times == ppo.collector.times
    assert other.learning_seconds == ppo.learning_seconds > 0.0


def test_only_batchsims_environments_have_a_state():
    ppo = make_ppo(envs=oracle.upstream("CartPole-v1", 6))
    with pytest.raises(
        TypeError, match=r"^SyncVectorEnv.* has no snapshot; expected a BatchEnv\.$"
    ):
        ppo.state_dict()


def test_after_an_interruption_training_goes_on_from_a_state_or_a_reset():
    ppo, other = make_ppo(), make_ppo()
    expected = iterate(other, 5)
    iterate(ppo, 2)
    state = ppo.state_dict()
    act = ppo.policy.act

    def interrupt(observations, noise):
        raise KeyboardInterrupt

    for _ in range(2):
        ppo.policy.act = interrupt
        assert ppo.lengths.any()
        with pytest.raises(KeyboardInterrupt):
            ppo.iterate()
        assert not ppo.lengths.any()
        assert not ppo.totals.any()
        ppo.policy.act = act
        with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
            ppo.iterate()
        ppo.collector.reset()
        iterate(ppo, 2)
        ppo.load_state_dict(state)
    assert iterate(ppo, 3) == expected[2:]


# -- episodes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(gymnasium.vector.AutoresetMode)[:2])
@pytest.mark.parametrize("name", sorted(HOW))
def test_episodes_are_those_that_gymnasium_records(name, mode):
    ppo = make_ppo(name, mode=mode)
    recorded = RecordEpisodeStatistics(oracle.upstream(name, 6, mode, max_episode_steps=30))
    recorded.reset(seed=4)
    returns, lengths = [], []
    for _ in range(6):
        found = ppo.iterate()
        for t in range(20):
            actions = ppo.collector.convert(ppo.collector.rollout.actions[t].numpy())
            infos = recorded.step(actions)[4]
            over = infos.get("_episode", np.zeros(6, bool))
            if over.any():
                returns += infos["episode"]["r"][over].tolist()
                lengths += infos["episode"]["l"][over].tolist()
        assert found.episodes == len(returns)
        if returns:
            assert found.mean_return == pytest.approx(np.mean(returns[-100:]), rel=1e-9)
            assert found.mean_length == pytest.approx(np.mean(lengths[-100:]), rel=1e-9)
        else:
            assert math.isnan(found.mean_return)
            assert math.isnan(found.mean_length)
    assert found.episodes > 10
    assert (found.number, found.steps) == (6, 6 * 6 * 20)


# -- when something goes wrong ---------------------------------------------------------------------


class Broken:
    """Its rewards or observations are no numbers from the third step of an episode on."""

    class State(NamedTuple):
        count: int

    class Params(NamedTuple):
        reward: bool = False
        observation: bool = False

    ACTION = Discrete(2)
    OBSERVATION = Box(-np.inf, np.inf, (1,), np.float32)

    def reset(s, i, p, rng):
        s.count[i] = 0

    def step(s, i, action, p, rng):
        s.count[i] = s.count[i] + 1
        if p.reward and s.count[i] == 3:
            return math.nan, False
        return 1.0, s.count[i] >= 5

    def observe(s, i, p, out):
        out[0] = s.count[i]
        if p.observation and s.count[i] == 3:
            out[0] = math.nan


class BrokenBox(Broken):
    """Takes numbers."""

    ACTION = Box(-1.0, 1.0, (1,), np.float32)


class OneStep(Broken):
    """Each episode is one step long: with NEXT_STEP every other step is a reset."""

    def step(s, i, action, p, rng):
        return 1.0 * action, True


@pytest.mark.parametrize("definition", [Broken, BrokenBox])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("what", ["reward", "observation"])
def test_training_stops_at_what_is_no_number(definition, what, normalize):
    envs = batchsim.make_vec(definition, 4, backend="reference", **{what: True})
    ppo = PPO(envs, Hyperparameters(num_envs=4, steps=10, minibatches=2, normalize=normalize))
    with pytest.raises(TrainingError) as caught:
        iterate(ppo, 3)
    assert "not finite" in str(caught.value)
    assert str(caught.value).endswith(
        ". A lower learning rate may help, or rewards and observations that are finite themselves."
    )
    assert ppo.iteration == 0


def test_training_stops_when_it_has_learned_what_is_no_number():
    ppo = make_ppo("Pendulum-v1")
    iterate(ppo, 1)
    with torch.no_grad():
        ppo.policy.log_std.fill_(torch.nan)
    with pytest.raises(
        TrainingError, match=r"^The actions of iteration 2 are not finite\. A lower"
    ):
        ppo.iterate()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_few_steps_are_enough_to_learn_from(steps):
    """Some rollouts of one step have only resets; minibatches would have single samples."""
    envs = batchsim.make_vec(OneStep, 4, backend="reference")
    ppo = PPO(envs, Hyperparameters(num_envs=4, steps=steps, minibatches=2 * steps))
    for found in iterate(ppo, 6):
        assert all(map(math.isfinite, (found.policy_loss, found.value_loss, found.entropy)))
    assert all(weights.isfinite().all() for weights in ppo.policy.state_dict().values())
    assert ppo.episodes == 4 * math.ceil(6 * steps / 2)


def test_the_learning_rate_falls_to_nothing_and_no_further():
    ppo = make_ppo(total_steps=6 * 20 * 4)
    rates = [found.learning_rate for found in iterate(ppo, 4)]
    np.testing.assert_allclose(rates, [1e-3, 0.75e-3, 0.5e-3, 0.25e-3])
    assert ppo.finished
    assert iterate(ppo, 2)[-1].learning_rate == 0.0
    steady = make_ppo(total_steps=6 * 20 * 4, anneal=False)
    assert {found.learning_rate for found in iterate(steady, 3)} == {1e-3}


def test_steps_are_rounded_up_to_whole_rollouts():
    assert Hyperparameters(num_envs=8, steps=16, total_steps=1).iterations == 1
    assert Hyperparameters(num_envs=8, steps=16, total_steps=128).iterations == 1
    assert Hyperparameters(num_envs=8, steps=16, total_steps=129).iterations == 2


WHOLE = "expected a positive whole number."


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"num_envs": 0}, ValueError, f"num_envs is 0; {WHOLE}"),
        ({"steps": 2.0}, TypeError, f"steps is 2.0; {WHOLE}"),
        ({"epochs": True}, TypeError, f"epochs is True; {WHOLE}"),
        ({"minibatches": (2,)}, TypeError, f"minibatches is (2,); {WHOLE}"),
        ({"num_splits": 3}, ValueError, "num_splits is 3; expected 1 or 2."),
        ({"hidden": 64}, TypeError, "hidden is 64; expected a tuple of positive whole numbers."),
        (
            {"hidden": (64, 0)},
            ValueError,
            "hidden is (64, 0); expected a tuple of positive whole numbers.",
        ),
        ({"anneal": 1}, TypeError, "anneal is 1; expected True or False."),
        ({"gamma": 1.5}, ValueError, "gamma is 1.5; expected a number from 0 to 1."),
        ({"gae_lambda": math.nan}, ValueError, "gae_lambda is nan; expected a number from 0 to 1."),
        (
            {"correlation": 1.0},
            ValueError,
            "correlation is 1.0; expected a number from 0 to below 1.",
        ),
        ({"learning_rate": 0.0}, ValueError, "learning_rate is 0.0; expected a positive number."),
        ({"clip": -1}, ValueError, "clip is -1; expected a positive number."),
        ({"entropy": math.inf}, ValueError, "entropy is inf; expected a finite number."),
        ({"value": "much"}, TypeError, "value is 'much'; expected a number."),
        (
            {"num_envs": 2, "steps": 3, "minibatches": 4},
            ValueError,
            "num_envs times steps is 6; expected at least two samples for each of the 4 "
            "minibatches.",
        ),
        (
            {"num_env": 3},
            ValueError,
            "There is no hyperparameter 'num_env' (did you mean 'num_envs'?); expected one of "
            + ", ".join(vars(Hyperparameters()))
            + ".",
        ),
    ],
)
def test_other_hyperparameters_are_refused_in_one_sentence(values, kind, message):
    with pytest.raises(kind) as caught:
        Hyperparameters().replace(**values)
    assert str(caught.value) == message


def test_as_many_environments_as_the_hyperparameters_say():
    with pytest.raises(ValueError, match=r"^num_envs is 6, but there are 5 of them\.$"):
        make_ppo(envs=batchsim.make_vec("CartPole-v1", 5))


# -- learning --------------------------------------------------------------------------------------


def test_cartpole_is_learned():
    """From some twenty steps an episode at random to many more."""
    how = PLAIN.replace(num_envs=16, steps=64, total_steps=40_000)
    ppo = PPO(batchsim.make_vec("CartPole-v1", 16), how, seed=0)
    first = ppo.iterate().mean_return
    while not ppo.finished:
        last = ppo.iterate().mean_return
    assert first < 40.0
    assert last > 3.0 * first


def test_steps_that_reset_a_row_teach_nothing():
    """Whatever the policy did there, it learns the same."""
    one, other = make_ppo(), make_ppo()
    collect = other.collector.collect
    seen = 0

    def tampered():
        nonlocal seen
        r = collect()
        resets = torch.cat([r.restarting[None], (r.terminated | r.truncated)[:-1]])
        r.actions[resets] = 1 - r.actions[resets]
        r.log_probs[resets] = -9.0
        seen += int(resets.sum())
        return r

    other.collector.collect = tampered
    iterate(one, 4)
    iterate(other, 4)
    assert seen > 10
    assert_same(one, other)


class Guess(Broken):
    """One action is right; which one it shows. The return of an episode is the share of these."""

    def step(s, i, action, p, rng):
        s.count[i] = s.count[i] + 1
        if action == s.count[i] % 2:
            return 0.2, s.count[i] >= 5
        return 0.0, s.count[i] >= 5

    def observe(s, i, p, out):
        out[0] = 2.0 * (s.count[i] % 2) - 1.0


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_riddle_is_solved_to_the_end(mode):
    how = PLAIN.replace(num_envs=16, steps=16, total_steps=16 * 16 * 30, learning_rate=3e-3)
    ppo = PPO(batchsim.make_vec(Guess, 16, autoreset_mode=mode), how, seed=0)
    while not ppo.finished:
        last = ppo.iterate()
    assert last.mean_return > 0.95
    assert last.mean_length == 5.0


def test_a_weight_of_entropy_keeps_the_policy_random():
    how = PLAIN.replace(num_envs=16, steps=16, total_steps=16 * 16 * 15, learning_rate=3e-3)
    entropies = [
        iterate(PPO(batchsim.make_vec(Guess, 16), how.replace(entropy=entropy)), 15)[-1].entropy
        for entropy in (0.0, 0.5)
    ]
    assert entropies[0] < 0.5 * entropies[1]
