"""TorchRL's own checks, rollouts and collectors over a BatchEnv, beside Gymnasium's."""

import importlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.vector import AutoresetMode

import batchsim

pytest.importorskip("torchrl")

import torch
from tensordict import TensorDict
from torchrl.collectors import Collector
from torchrl.envs import GymEnv, GymWrapper, RewardSum, StepCounter, TransformedEnv
from torchrl.envs.utils import RandomPolicy, check_env_specs

from batchsim.adapters import torchrl as adapter
from batchsim.adapters.torchrl import TorchRLEnv, make_torchrl_env

pytestmark = pytest.mark.usefixtures("one_thread")

N = 4
REFERENCE = {"backend": "reference"}  # nothing to compile
LIMIT = {"max_episode_steps": 50}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def made(opened):
    def make(*args, **kwargs):
        return opened(make_torchrl_env(*args, **kwargs))

    return make


@pytest.mark.parametrize("frame_skip", [1, 2])
@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1"])
def test_torchrls_own_environment_of_an_id_is_gymnasiums(name, frame_skip):
    """It tries an argument `frameskip` first, and goes by what Python says of unknown ones."""
    found = []
    for id in (name, f"batchsim/{name}"):
        env = GymEnv(id, frame_skip=frame_skip)
        env.set_seed(0)
        torch.manual_seed(0)
        found.append(env.rollout(20))
        env.close()
    keys = ["observation", "action", ("next", "reward"), ("next", "observation")]
    assert all(torch.equal(found[0].get(key), found[1].get(key)) for key in keys)


ENCODINGS = pytest.mark.parametrize("categorical", [False, True], ids=["one-hot", "categorical"])


@ENCODINGS
@pytest.mark.parametrize("name", oracle.IDS)
def test_torchrl_finds_the_specs_right(name, categorical, made):
    check_env_specs(made(name, N, categorical_action_encoding=categorical, **LIMIT))


@ENCODINGS
@pytest.mark.parametrize("name", [name for name in oracle.IDS if name != "Blackjack-v1"])
def test_specs_are_those_of_the_gym_wrapper(name, categorical, made):
    """Which takes no Tuple, as Blackjack's observations are."""
    env = made(name, N, categorical_action_encoding=categorical, **LIMIT)
    reference = GymWrapper(
        oracle.upstream(name, N, AutoresetMode.DISABLED), categorical_action_encoding=categorical
    )
    assert env.output_spec == reference.output_spec
    assert env.input_spec == reference.input_spec
    reference.close()


def whole(tensor, name, categorical):
    """Discrete values as whole numbers; others as they are."""
    one_hot = name.startswith(("Taxi", "Cliff", "Frozen")) and not categorical
    return (tensor.argmax(-1) if one_hot else tensor).numpy()


@ENCODINGS
@pytest.mark.parametrize("name", [name for name in oracle.IDS if name != "Blackjack-v1"])
def test_a_rollout_is_gymnasiums_bit_for_bit(name, categorical, made):
    """Both observations of a row that is over: its episode's last, and the next one's first."""
    steps = 230
    env = made(name, N, seed=5, categorical_action_encoding=categorical, **LIMIT)
    rollout = env.rollout(steps, break_when_any_done=False)
    reference = oracle.upstream(name, N, AutoresetMode.DISABLED, **LIMIT)
    observations, _ = reference.reset(seed=5)
    actions = rollout["action"]
    if not categorical and isinstance(reference.single_action_space, Discrete):
        actions = actions.argmax(-1)
    for t in range(steps):
        now, later = rollout[:, t], rollout[:, t]["next"]
        found = whole(now["observation"], name, categorical)
        oracle.assert_same_array(observations, found, f"step {t}: observations")
        observations, rewards, terminated, truncated, _ = reference.step(actions[:, t].numpy())
        found = whole(later["observation"], name, categorical)
        oracle.assert_same_array(observations, found, f"step {t}: next observations")
        over = terminated | truncated
        for key, expected in (
            ("reward", rewards.astype(np.float32)),
            ("terminated", terminated),
            ("truncated", truncated),
            ("done", over),
        ):
            oracle.assert_same_array(expected[:, None], later[key].numpy(), f"step {t}: {key}")
        if over.any():
            observations, _ = reference.reset(options={"reset_mask": over})
    assert rollout["next", "done"].sum() >= 4 * N
    reference.close()


def test_the_parts_of_a_tuple_are_numbered(made):
    env = made("Blackjack-v1", N, seed=1, categorical_action_encoding=True, **LIMIT)
    rollout = env.rollout(50, break_when_any_done=False)
    reference = oracle.upstream("Blackjack-v1", N, AutoresetMode.DISABLED)
    observations, _ = reference.reset(seed=1)
    for t in range(50):
        for k in range(3):
            found = rollout["observation", str(k)][:, t].numpy()
            oracle.assert_same_array(observations[k], found, f"step {t}: part {k}")
        observations, _, terminated, truncated, _ = reference.step(rollout["action"][:, t].numpy())
        if (terminated | truncated).any():
            observations, _ = reference.reset(options={"reset_mask": terminated | truncated})
    reference.close()


def test_tensors_share_the_memory_of_the_arrays(made, monkeypatch):
    env = made("CartPole-v1", N, precision="fast", categorical_action_encoding=True, **REFERENCE)
    returned = []
    step = env.batch.step

    def spy(actions):
        returned.append((actions, *step(actions)))
        return returned[-1][1:]

    monkeypatch.setattr(env.batch, "step", spy)
    before = env.rand_action(env.reset())
    after = env.step(before)
    actions, observations, rewards, terminated, truncated, _ = returned[0]
    for array, tensor in (
        (actions, before["action"]),
        (observations, after["next", "observation"]),
        (rewards, after["next", "reward"]),
        (terminated, after["next", "terminated"]),
        (truncated, after["next", "truncated"]),
    ):
        assert array.ctypes.data == tensor.data_ptr()
    # The memory is not written again while a tensor refers to it.
    held = after["next", "observation"]
    copy = held.clone()
    del returned[:], observations, array, tensor
    for _ in range(5):
        before = env.step(env.rand_action(before))
    assert torch.equal(held, copy)


def test_rows_that_are_over_wait_for_the_others(made):
    """A rollout until all are done steps the other rows alone."""
    env = made("CartPole-v1", N, seed=0)
    rollout = env.rollout(500, break_when_any_done=False, break_when_all_done=True)
    done = rollout["next", "done"].squeeze(-1)
    lengths = done.int().argmax(1) + 1
    assert done.any(1).all()
    assert rollout.shape[1] == lengths.max() > lengths.min()
    first = env.reset()["observation"].numpy()  # of the second episodes
    for row in range(N):
        reference = gymnasium.make("CartPole-v1")
        expected, _ = reference.reset(seed=row)
        for t in range(int(lengths[row])):
            assert oracle.bits(expected) == oracle.bits(rollout["observation"][row, t])
            expected, *_ = reference.step(int(rollout["action"][row, t].argmax()))
        assert oracle.bits(expected) == oracle.bits(rollout["next", "observation"][row, t])
        assert done[row, t:].all()
        assert oracle.bits(reference.reset()[0]) == oracle.bits(first[row])


def test_a_row_left_out_of_a_step_keeps_its_state(made):
    env = made("Pendulum-v1", N, seed=3)
    before = env.rand_action(env.reset())
    state = env.batch.get_state([1, 2])
    before["_step"] = torch.tensor([True, False, False, True])
    after = env.step(before)["next"]
    kept = env.batch.get_state([1, 2])
    for field, values in state.items():
        oracle.assert_same_array(values, kept[field], field)
    assert torch.equal(after["observation"][1:3], before["observation"][1:3])
    assert (after["observation"][[0, 3]] != before["observation"][[0, 3]]).any()
    assert (after["reward"][1:3] == 0).all()
    assert (after["reward"][[0, 3]] < 0).all()


def test_a_seed_holds_for_the_next_reset(made):
    env = made("CartPole-v1", N)
    reference = oracle.upstream("CartPole-v1", N, AutoresetMode.DISABLED)
    for seed in (3, 4):
        assert env.set_seed(seed) != seed
        assert env.set_seed(seed, static_seed=True) == seed
        for expected in (reference.reset(seed=seed)[0], reference.reset()[0]):
            oracle.assert_same_array(expected, env.reset()["observation"].numpy(), "reset")
    # Row by row, too.
    env.set_seed(9)
    mask = torch.tensor([[True], [False], [True], [False]])
    td = env.reset()
    env.set_seed(10)
    expected = reference.reset(seed=9)[0]
    env.reset(td.clone().set("_reset", mask))
    found = env.reset(td.clone().set("_reset", ~mask))["observation"].numpy()
    ten = reference.reset(seed=10)[0]
    oracle.assert_same_array(ten[[1, 3]], found[[1, 3]], "rows 1 and 3")
    oracle.assert_same_array(expected[[0, 2]], found[[0, 2]], "rows 0 and 2, as they were in td")
    reference.close()


def test_a_reset_takes_seeds_and_options(made):
    env = made("CartPole-v1", N)
    reference = oracle.upstream("CartPole-v1", N, AutoresetMode.DISABLED)
    options = {"low": 0.01, "high": 0.02}
    expected, _ = reference.reset(seed=7, options=options)
    found = env.reset(seed=7, options=options)["observation"].numpy()
    oracle.assert_same_array(expected, found, "reset")
    again = env.reset(TensorDict({}, [N]))
    oracle.assert_same_array(reference.reset()[0], again["observation"].numpy(), "second reset")
    nothing = again.clone().set("_reset", torch.zeros(N, 1, dtype=torch.bool))
    assert torch.equal(env.reset(nothing)["observation"], again["observation"])
    reference.close()


def test_a_collector_collects(made):
    env = TransformedEnv(made("CartPole-v1", 16, seed=0), StepCounter())
    env.append_transform(RewardSum())
    collector = Collector(
        env, RandomPolicy(env.action_spec), frames_per_batch=16 * 40, total_frames=16 * 120
    )
    collector.set_seed(3)
    batches = list(collector)
    assert [batch.shape for batch in batches] == [(16, 40)] * 3
    data = torch.cat(batches, 1)
    assert data["next", "done"].sum() > 16
    # An observation is the next one of the step before, unless an episode ended there.
    follows = (data["observation"][:, 1:] == data["next", "observation"][:, :-1]).all(-1)
    assert torch.equal(follows, ~data["next", "done"][:, :-1].squeeze(-1))
    assert torch.equal(data["next", "episode_reward"], data["next", "step_count"].float())
    collector.shutdown()


class Zoo:
    """Every kind of space that an environment may have."""

    class State(NamedTuple):
        count: int
        first: int
        second: int

    OBSERVATION = Dict(
        {
            "board": Box(-5, 5, (2, 3), np.int8),
            "where": Discrete(3, start=2),
            "pair": Tuple((MultiDiscrete([2, 4]), Box(-np.inf, np.inf, (), np.float64))),
            "bits": MultiBinary(2),
        }
    )
    ACTION = MultiDiscrete([2, 4])

    @staticmethod
    def reset(s, i, p, rng):
        s.count[i] = 0
        s.first[i] = 0
        s.second[i] = 0

    @staticmethod
    def step(s, i, action, p, rng):
        s.count[i] += 1
        s.first[i] = action[0]
        s.second[i] = action[1]
        return 1.0, s.count[i] >= 3

    @staticmethod
    def observe(s, i, p, out):
        for row in range(2):
            for column in range(3):
                out.board[row, column] = row - column
        out.where[0] = 2 + s.count[i] % 3
        out.pair[0][0] = s.first[i]
        out.pair[0][1] = s.second[i]
        out.pair[1][0] = 0.5 * s.count[i]
        out.bits[0] = s.count[i] % 2
        out.bits[1] = 1


@ENCODINGS
def test_every_kind_of_space_has_a_spec(categorical, made):
    env = made(Zoo, N, categorical_action_encoding=categorical, **REFERENCE)
    check_env_specs(env)
    rollout = env.rollout(2)
    found = rollout["next", "pair", "0"]
    # Actions come back as observations, in the same encoding.
    assert torch.equal(found, rollout["action"])
    assert found.shape == (N, 2, 2 if categorical else 6)
    assert rollout["next", "pair", "1"][0, :, 0].tolist() == [0.5, 1.0]
    where = rollout["next", "where"][0]
    assert (where if categorical else where.argmax(-1)).tolist() == [1, 2]
    assert rollout["board"].dtype == rollout["bits"].dtype == torch.int8


@ENCODINGS
@pytest.mark.parametrize("definition", [Zoo, *oracle.KINDS])
def test_stacked_frames_have_specs(definition, categorical, made):
    check_env_specs(
        made(definition, N, categorical_action_encoding=categorical, frame_stack=3, **REFERENCE)
    )


def test_a_row_left_out_of_a_step_keeps_its_frames(made):
    env = made("Pendulum-v1", N, seed=3, frame_stack=3, **REFERENCE)
    whole = env.rollout(4)
    going = env.rand_action(whole[:, -1]["next"].clone())
    going["_step"] = torch.tensor([True, False, False, True])
    after = env.step(going)["next", "observation"]
    before = whole["next", "observation"][:, -1]
    assert torch.equal(after[1:3], before[1:3])
    assert torch.equal(after[[0, 3], :2], before[[0, 3], 1:])


def test_actions_outside_their_bounds_are_clipped(made):
    first, second = made("Pendulum-v1", N, seed=0), made("Pendulum-v1", N, seed=0)
    one = first.step(first.reset().set("action", torch.full((N, 1), 2.0000002)))
    other = second.step(second.reset().set("action", torch.full((N, 1), 2.0)))
    assert torch.equal(one["next", "reward"], other["next", "reward"])


def test_a_device_is_named_where_it_is_asked_for(made):
    env = made("FrozenLake-v1", N, device="cpu", **REFERENCE)
    check_env_specs(env)
    assert env.rollout(3).device == torch.device("cpu")


def test_mistakes_are_refused_in_a_sentence(made, opened):
    with pytest.raises(
        ValueError, match=r"^autoreset_mode is 'NextStep'; leave it out, since Torc"
    ):
        make_torchrl_env("CartPole-v1", autoreset_mode="NextStep")
    with pytest.raises(ValueError, match="has autoreset_mode NEXT_STEP; expected DISABLED"):
        TorchRLEnv(opened(batchsim.make_vec("CartPole-v1", 2, **REFERENCE)))
    with pytest.raises(TypeError, match="expected a BatchEnv"):
        TorchRLEnv("CartPole-v1")
    env = made("CartPole-v1", 2)
    with pytest.raises(ValueError, match="seed is -1"):
        env.set_seed(-1)
    env.close()
    assert env.is_closed


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchrl.envs", None)
    with pytest.raises(ModuleNotFoundError, match=r"install the extra batchsim\[torchrl\]"):
        importlib.reload(adapter)


def test_the_code_of_the_page_runs(capsys):
    page = Path(__file__).parents[1] / "docs" / "training-libraries.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    (code,) = [block for block in blocks if "batchsim.adapters.torchrl" in block]
    exec(compile(code, str(page), "exec"), {})
    assert capsys.readouterr().out
