"""Advantages are those of the textbook's recursion, and of each episode taken by itself."""

import gymnasium
import numpy as np
import pytest
import torch

import batchsim
from batchsim.torch import Advantages, Collector, Decision, generalised_advantages

pytestmark = pytest.mark.usefixtures("one_thread")


def textbook(rewards, values, ends, bootstraps, gamma, gae_lambda):
    """Advantages of consecutive steps of one environment, in Python's numbers.

    `ends` says after which steps an episode is over, `bootstraps` what each step's next state is
    worth.
    """
    found, following = [], 0.0
    for reward, value, over, bootstrap in reversed(
        list(zip(rewards, values, ends, bootstraps, strict=True))
    ):
        error = reward + gamma * bootstrap - value
        following = error + gamma * gae_lambda * (0.0 if over else following)
        found.append(following)
    return found[::-1]


def row_by_row(rewards, values, terminated, truncated, restarting, final_values, gamma, lam):
    """What `generalised_advantages` should return, and where it is valid."""
    steps, rows = rewards.shape
    advantages, valid = np.zeros((steps, rows)), np.zeros((steps, rows), bool)
    for n in range(rows):
        steps_of_episodes = [
            t
            for t in range(steps)
            if final_values is not None
            or not (restarting[n] if t == 0 else terminated[t - 1, n] or truncated[t - 1, n])
        ]
        bootstraps = []
        for t in steps_of_episodes:
            if terminated[t, n]:
                bootstraps.append(0.0)
            elif truncated[t, n] and final_values is not None:
                bootstraps.append(float(final_values[t, n]))
            else:
                bootstraps.append(float(values[t + 1, n]))
        found = textbook(
            [float(rewards[t, n]) for t in steps_of_episodes],
            [float(values[t, n]) for t in steps_of_episodes],
            [bool(terminated[t, n] or truncated[t, n]) for t in steps_of_episodes],
            bootstraps,
            gamma,
            lam,
        )
        advantages[steps_of_episodes, n] = found
        valid[steps_of_episodes, n] = True
    return advantages, valid


SHAPES = [(1, 1), (1, 7), (40, 1), (5, 3), (33, 17)]


def random_rollout(rng, steps, rows, dtype, same_step):
    """Rewards and so on, many flags among them; the rest by the names of the arguments."""
    share = rng.choice([0.0, 0.05, 0.5])
    terminated, truncated = rng.random((2, steps, rows)) < share
    restarting = rng.random(rows) < 0.3
    if not same_step:
        # A step that resets a row ends no episode.
        for t in range(steps):
            before = restarting if t == 0 else terminated[t - 1] | truncated[t - 1]
            terminated[t] &= ~before
            truncated[t] &= ~before
    rewards = (rng.standard_normal((steps, rows)) * 10.0 ** rng.integers(-3, 4)).astype(dtype)
    values = rng.standard_normal((steps + 1, rows)).astype(np.float32)
    final_values = rng.standard_normal((steps, rows)).astype(np.float32)
    given = {"final_values": final_values} if same_step else {"restarting": restarting}
    return rewards, values, terminated, truncated, given


@pytest.mark.parametrize("same_step", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_advantages_are_those_of_the_textbook(shape, dtype, same_step):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        *arrays, given = random_rollout(rng, *shape, dtype, same_step)
        gamma, lam = rng.choice([0.0, 0.9, 0.99, 1.0], 2)
        found = generalised_advantages(
            *map(torch.from_numpy, arrays),
            **{name: torch.from_numpy(array) for name, array in given.items()},
            gamma=float(gamma),
            gae_lambda=float(lam),
        )
        expected, valid = row_by_row(
            *arrays, given.get("restarting"), given.get("final_values"), float(gamma), float(lam)
        )
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_array_equal(found.valid.numpy(), valid)
        np.testing.assert_allclose(found.advantages.numpy(), expected, rtol=0, atol=1e-6 * scale)
        np.testing.assert_allclose(
            found.returns.numpy(), expected + arrays[1][:-1], rtol=0, atol=1e-6 * scale
        )
        assert (found.advantages.numpy()[~valid] == 0.0).all()
        assert found.advantages.dtype == found.returns.dtype == torch.float32


def test_sums_of_long_rollouts_are_float64s():
    steps = 20_000
    none = torch.zeros(steps, 1, dtype=torch.bool)
    rewards = torch.full((steps, 1), 0.1, dtype=torch.float64)
    found = generalised_advantages(
        rewards,
        torch.zeros(steps + 1, 1),
        none,
        none,
        restarting=none[0],
        gamma=1.0,
        gae_lambda=1.0,
    )
    assert found.advantages[0].item() == pytest.approx(0.1 * steps, rel=1e-7)


def test_what_is_worth_nothing_is_not_read():
    """Values behind a termination and final values where nothing was truncated may be anything."""
    yes, no = torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.bool)
    nan = torch.full((1, 1), torch.nan)
    values = torch.tensor([[1.0], [torch.nan]])
    for truncated in (yes, no):  # Both flags mean that the episode terminated.
        for given in ({"restarting": no[0]}, {"final_values": nan}):
            found = generalised_advantages(torch.ones(1, 1), values, yes, truncated, **given)
            assert found.advantages.item() == 0.0
    found = generalised_advantages(
        torch.ones(1, 1), torch.ones(2, 1), no, no, final_values=nan, gamma=0.5
    )
    assert found.advantages.item() == 0.5


def test_out_is_written_and_returned():
    rng = np.random.default_rng(0)
    *arrays, given = random_rollout(rng, 6, 4, np.float64, True)
    tensors = [torch.from_numpy(array) for array in arrays]
    final_values = torch.from_numpy(given["final_values"])
    out = Advantages(
        torch.full((6, 4), 7.0), torch.full((6, 4), 7.0), torch.zeros(6, 4, dtype=torch.bool)
    )
    found = generalised_advantages(*tensors, final_values=final_values, out=out)
    assert found is out
    fresh = generalised_advantages(*tensors, final_values=final_values)
    assert all(torch.equal(one, other) for one, other in zip(out, fresh, strict=True))


def test_gradients_play_no_part():
    none = torch.zeros(1, 1, dtype=torch.bool)
    values = torch.zeros(2, 1, requires_grad=True)
    found = generalised_advantages(torch.ones(1, 1), values, none, none, restarting=none[0])
    assert not found.advantages.requires_grad


def arguments(**changes):
    flags = torch.zeros(3, 2, dtype=torch.bool)
    return {
        "rewards": torch.zeros(3, 2),
        "values": torch.zeros(4, 2),
        "terminated": flags,
        "truncated": flags,
        "restarting": flags[0],
        **changes,
    }


WRONG = [
    (
        {"restarting": None},
        ValueError,
        "Expected restarting, with NEXT_STEP autoreset, or final_values, with SAME_STEP, and not "
        "both.",
    ),
    (
        {"final_values": torch.zeros(3, 2)},
        ValueError,
        "Expected restarting, with NEXT_STEP autoreset, or final_values, with SAME_STEP, and not "
        "both.",
    ),
    ({"gamma": 1.1}, ValueError, "gamma is 1.1; expected a number from 0 to 1."),
    ({"gamma": np.nan}, ValueError, "gamma is nan; expected a number from 0 to 1."),
    ({"gae_lambda": -1}, ValueError, "gae_lambda is -1; expected a number from 0 to 1."),
    ({"rewards": torch.zeros(3)}, ValueError, "The rewards have shape (3,); expected (T, N)."),
    (
        {"rewards": np.zeros((3, 2))},
        TypeError,
        "The rewards are ndarray; expected a tensor.",
    ),
    (
        {"rewards": torch.zeros(3, 2, dtype=torch.float16)},
        ValueError,
        "The rewards have shape (3, 2) and torch.float16 on cpu; expected (3, 2) and torch.float32 "
        "or torch.float64 on the CPU.",
    ),
    (
        {"values": torch.zeros(3, 2)},
        ValueError,
        "The values have shape (3, 2) and torch.float32 on cpu; expected (4, 2) and torch.float32 "
        "on the CPU.",
    ),
    (
        {"terminated": torch.zeros(3, 2)},
        ValueError,
        "The terminated flags have shape (3, 2) and torch.float32 on cpu; expected (3, 2) and "
        "torch.bool on the CPU.",
    ),
    (
        {"truncated": torch.zeros(2, 3, dtype=torch.bool).T},
        ValueError,
        "The truncated flags are not contiguous; expected a tensor in the order of its rows.",
    ),
    (
        {"values": torch.zeros(4, 2, device="meta")},
        ValueError,
        "The values have shape (4, 2) and torch.float32 on meta; expected (4, 2) and torch.float32 "
        "on the CPU.",
    ),
]


@pytest.mark.parametrize(("changes", "kind", "message"), WRONG)
def test_other_arguments_are_refused_in_one_sentence(changes, kind, message):
    with pytest.raises(kind) as caught:
        generalised_advantages(**arguments(**changes))
    assert str(caught.value) == message


class Leaning:
    """Pushes the cart away from the middle: some episodes end by a fall, some by their limit."""

    def draw(self, steps, rows, generator):
        return torch.zeros(steps, rows, 0)

    def act(self, observations, noise):
        actions = (observations[:, 0] > 0.0).long()
        return Decision(actions, torch.zeros(len(actions)), self.value(observations))

    def value(self, observations):
        return observations @ torch.tensor([3.0, -1.0, 5.0, 0.5]) + 2.0


STEPS, ROWS, LIMIT = 45, 6, 10
GAMMA, LAMBDA = 0.97, 0.9


def steps_of_one_object(row):
    """Yield observation, reward, flags and next observation of each step of one environment."""
    policy = Leaning()
    env = gymnasium.make("CartPole-v1", max_episode_steps=LIMIT)
    observation, _ = env.reset(seed=row)
    while True:
        action = policy.act(torch.from_numpy(observation)[None], None).actions.item()
        following, reward, terminated, truncated, _ = env.step(action)
        yield observation, reward, terminated, truncated, following
        observation = env.reset()[0] if terminated or truncated else following


def value_of(observation):
    return Leaning().value(torch.from_numpy(observation)[None]).item()


@pytest.mark.parametrize("num_splits", [1, 2])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_a_rollouts_advantages_are_those_of_each_episode_alone(mode, num_splits):
    envs = batchsim.make_vec("CartPole-v1", ROWS, max_episode_steps=LIMIT, autoreset_mode=mode)
    collector = Collector(envs, Leaning(), STEPS, num_splits, seed=0)
    objects = [steps_of_one_object(row) for row in range(ROWS)]
    kinds = set()
    for _ in range(3):
        found = collector.collect().estimate(GAMMA, LAMBDA)
        assert found.valid.all() == (mode == "SameStep")
        for row, episodes in enumerate(objects):
            valid = found.valid[:, row]
            steps = [next(episodes) for _ in range(int(valid.sum()))]
            kinds |= {(terminated, truncated) for _, _, terminated, truncated, _ in steps}
            expected = textbook(
                [reward for _, reward, _, _, _ in steps],
                [value_of(observation) for observation, *_ in steps],
                [terminated or truncated for _, _, terminated, truncated, _ in steps],
                [0.0 if terminated else value_of(last) for *_, terminated, _, last in steps],
                GAMMA,
                LAMBDA,
            )
            np.testing.assert_allclose(
                found.advantages[valid, row].numpy(), expected, rtol=1e-5, atol=1e-5
            )
    assert kinds == {(False, False), (True, False), (False, True), (True, True)}
