"""What a training goes on from: a state that is not of this training is refused in a sentence."""

import copy
import dataclasses
import re
from collections.abc import Callable

import numpy as np
import pytest

import batchsim

torch = pytest.importorskip("torch")

from batchsim.torch import PPO, Hyperparameters  # noqa: E402
from batchsim.torch import checkpoint as checkpoints  # noqa: E402

HOW = Hyperparameters(num_envs=6, steps=8, total_steps=480, minibatches=2, hidden=(8,))
SENTENCE = re.compile(r"[^\n]+\.")


def make_ppo(name="CartPole-v1", **settings):
    envs = batchsim.make_vec(name, HOW.num_envs, backend="reference", **settings)
    return PPO(envs, HOW, seed=3)


@pytest.fixture(scope="module")
def trained():
    ppo = make_ppo()
    for _ in range(2):
        ppo.iterate()
    return ppo


def set_entry(*path):
    """Return what puts a value at a place of a state."""

    def put(value):
        def change(state):
            *parents, last = path
            for key in parents:
                state = state[key]
            state[last] = value(state[last]) if isinstance(value, Callable) else value

        return change

    return put


exp_avg = set_entry("optimizer", "state", 0, "exp_avg")
step = set_entry("optimizer", "state", 0, "step")
group = set_entry("optimizer", "param_groups", 0)
weight = set_entry("policy", "value_mean")
position = set_entry("environments", "state.x")

BAD = {
    "no part": (lambda state: state.pop("lengths"), "The state of training has no entry 'lengths'"),
    "a part more": (lambda state: state.update(code=1), "has an unexpected entry 'code'"),
    "a shorter exp_avg": (exp_avg(lambda t: t[:1]), r"exp_avg of parameter 0 has shape \(1"),
    "a longer exp_avg": (exp_avg(torch.zeros(2, 2)), r"exp_avg of parameter 0 has shape \(2, 2\)"),
    "another dtype": (exp_avg(lambda t: t.double()), "dtype torch.float64; expected"),
    "one number for all": (
        exp_avg(lambda t: torch.zeros(1).expand(t.shape)),
        r"has strides \(0.*; expected",
    ),
    "sparse moments": (exp_avg(lambda t: t.to_sparse()), "is no plain tensor of numbers"),
    "moments without memory": (exp_avg(lambda t: t.to("meta")), "is no plain tensor of numbers"),
    "no moments": (exp_avg(None), "exp_avg of parameter 0 is None; expected a tensor"),
    "steps by element": (step(torch.ones(4)), r"step of parameter 0 has shape \(4,\)"),
    "endless steps": (step(torch.tensor(torch.inf)), "is inf; expected a positive whole number"),
    "half a step": (step(torch.tensor(0.5)), "is 0.5; expected a positive whole number"),
    "a parameter fewer": (
        lambda state: state["optimizer"]["state"].pop(0),
        "The optimizer's state has no entry 0",
    ),
    "a group more": (
        lambda state: state["optimizer"]["param_groups"].append({}),
        "expected 1 param_groups",
    ),
    "other parameters": (group(lambda g: {**g, "params": [0, 1]}), "The optimizer's 'params' is"),
    "another epsilon": (group(lambda g: {**g, "eps": 0.5}), "'eps' is 0.5; expected 1e-05"),
    "an endless rate": (group(lambda g: {**g, "lr": np.inf}), "lr is inf; expected a number"),
    "a wider policy": (weight(torch.zeros(5)), r"value_mean has shape \(5,\)"),
    "a policy of integers": (weight(lambda t: t.int()), "dtype torch.int32; expected"),
    "rows fewer": (
        position(lambda t: t[:3]),
        r"'state.x' has shape \(3,\); expected one of 6 rows",
    ),
    "text as rows": (position("text"), "'state.x' is 'text'; expected a tensor"),
    "numbers that NumPy lacks": (position(lambda t: t.bfloat16()), "expected one that NumPy has"),
    "a column fewer": (
        lambda state: state["environments"].pop("elapsed"),
        "The snapshot has no field 'elapsed'",
    ),
    "another environment": (
        set_entry("environments", "fingerprint")(lambda t: (t.view(torch.int64) + 1).view(t.dtype)),
        "The snapshot's row 0 is of other whole numbers or truth values",
    ),
    "no environments": (set_entry("environments")(None), "only one of environments and restarting"),
    "flags fewer": (set_entry("restarting")(torch.zeros(3, dtype=torch.bool)), r"shape \(3,\)"),
    "flags that are none": (
        set_entry("restarting")(torch.full((6,), 7, dtype=torch.uint8).view(torch.bool)),
        "restarting has bytes other than 0 and 1",
    ),
    "returns fewer": (set_entry("totals")(torch.zeros(3, dtype=torch.float64)), r"shape \(3,\)"),
    "negative lengths": (set_entry("lengths")(lambda t: t - 10**6), "lengths holds -9"),
    "a generator less": (set_entry("generators")(lambda g: g[:1]), "expected a list of 2"),
    "a shorter generator": (
        set_entry("generators", 0)(lambda t: t[:16]),
        r"A generator has shape \(16,\)",
    ),
    "a generator of ones": (
        set_entry("generators", 1)(lambda t: torch.ones_like(t)),
        "A generator is no state of a generator of PyTorch's",
    ),
    "iterations of text": (set_entry("iteration")("two"), "The iteration is 'two'; expected"),
    "too many iterations": (set_entry("iteration")(10**6), "expected a whole number, not negative"),
    "a negative seed": (set_entry("seed")(-1), "The seed is -1; expected a whole number"),
    "an episode of text": (set_entry("recent")(["text"]), "recent holds 'text'; expected pairs"),
    "seconds fewer": (set_entry("seconds")([1.0]), "expected a list of 4"),
    "no seconds": (set_entry("seconds")([np.nan] * 4), "is nan; expected a number"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(name, trained):
    change, match = BAD[name]
    before = trained.state_dict()
    state = copy.deepcopy(before)
    change(state)
    with pytest.raises(ValueError, match=match) as caught:
        trained.load_state_dict(state)
    assert SENTENCE.fullmatch(str(caught.value))
    assert_equal(trained.state_dict(), before)


def assert_equal(one, other):
    """Compare nested states bit for bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list):
        assert_equal(dict(enumerate(one)), dict(enumerate(other)))
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def test_a_state_of_other_parameters_of_the_environment_is_refused(trained):
    other = make_ppo(sutton_barto_reward=True)
    with pytest.raises(ValueError, match="other whole numbers or truth values"):
        other.load_state_dict(trained.state_dict())


# -- Files -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(trained):
    return checkpoints.Checkpoint(
        "CartPole-v1", HOW, 3, "exact", {}, "cpu", 1, 1.0, trained.state_dict()
    )


WRONG = {
    "arguments": ([({"backend": "native"}), ({3: 4}), "text"], "its arguments "),
    "threads": ([0, 10**9, "two"], "its number of threads is"),
    "ranks": ([0, 10**9, "two"], "its number of ranks is"),
    "seconds": ([-1.0, np.inf, "long"], "its number of seconds is"),
    "seed": ([-1, 0.5], "its seed is"),
    "precision": (["rough", 1], "its precision is n"),
    "name": ([7], "its name is no str"),
    "training": ([[]], "its training is no dict"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_with_a_part_that_cannot_be_is_refused(name, checkpoint, tmp_path):
    values, match = WRONG[name]
    for value in values:
        file = checkpoints.save(dataclasses.replace(checkpoint, **{name: value}), tmp_path)
        with pytest.raises(ValueError, match=f"is no checkpoint of batchsim: {match}") as caught:
            checkpoints.load(file)
        assert SENTENCE.fullmatch(str(caught.value))


def test_a_policy_whose_weights_do_not_fit_is_refused(checkpoint, tmp_path):
    def saved(hidden=(8,), **weights):
        policy = {**checkpoint.training["policy"], **weights}
        how = dataclasses.replace(HOW, hidden=hidden)
        changed = dataclasses.replace(checkpoint, training={"policy": policy}, hyperparameters=how)
        return checkpoints.save(changed, tmp_path)

    checkpoints.load_policy(saved(), "CartPole-v1")
    for file, match in (
        # There would be no memory for so many.
        (lambda: saved(hidden=(10**12,)), r"its hidden layers are \(1000000000000,\), but its wei"),
        (lambda: saved(hidden=(8,) * 1000), "but its weights have other sizes"),
        (
            lambda: saved(value_mean=torch.zeros(3)),
            r"has changed \(The policy's value_mean ha",
        ),
        (lambda: saved(value_mean="text"), "value_mean is 'text'; expected a tensor"),
    ):
        with pytest.raises(ValueError, match=match) as caught:
            checkpoints.load_policy(file(), "CartPole-v1")
        assert SENTENCE.fullmatch(str(caught.value))
