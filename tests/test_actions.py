"""Actions of every type that upstream's environments take do what they do there."""
# ruff: noqa: N805 - a definition's functions are no methods

import pickle
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

import batchsim
from batchsim.actions import are_listed
from batchsim.batch import backends

CONTINUOUS = {
    "Pendulum-v1": {"max_episode_steps": 50},
    "MountainCarContinuous-v0": {"max_episode_steps": 150},
}


def _tuples(nested):
    return tuple(map(_tuples, nested)) if isinstance(nested, list) else nested


KINDS = {
    "float32": lambda x: x.astype(np.float32),
    "float64": lambda x: x,
    "in Fortran's order": np.asfortranarray,
    "int64": lambda x: np.round(x).astype(np.int64),
    "int8": lambda x: np.round(x).astype(np.int8),
    "uint32": lambda x: np.round(abs(x)).astype(np.uint32),
    "list": lambda x: x.tolist(),
    "tuple": lambda x: _tuples(x.tolist()),
    "list of whole numbers": lambda x: np.round(x).astype(int).tolist(),
    "list of float32": lambda x: list(x.astype(np.float32)),
    "list of float64": list,
}


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_every_type_does_what_it_does_upstream(name, kind, backend, opened):
    limit = CONTINUOUS[name]
    theirs = opened(gymnasium.make_vec(name, 6, vectorization_mode="sync", **limit))
    ours = opened(batchsim.make_vec(name, 6, backend=backend, **limit))
    rng = np.random.default_rng(4)
    assert oracle.bits(theirs.reset(seed=1)[0]) == oracle.bits(ours.reset(seed=1)[0])
    for k in range(200 if backend == "native" else 60):
        # Beyond the bounds, too.
        actions = KINDS[kind](rng.uniform(-2.5, 2.5, (6, 1)) * (0.2 if k % 2 else 1.0))
        for one, other in zip(theirs.step(actions)[:4], ours.step(actions)[:4], strict=True):
            assert oracle.bits(one) == oracle.bits(other)


def test_a_list_of_torques_is_not_rounded(opened):
    envs = opened(batchsim.make_vec("Pendulum-v1", 3))
    envs.reset(seed=0)
    listed = envs.step([[0.1], [0.2], [0.3]])
    theirs = opened(gymnasium.make_vec("Pendulum-v1", 3, vectorization_mode="sync"))
    theirs.reset(seed=0)
    assert oracle.bits(theirs.step([[0.1], [0.2], [0.3]])[1]) == oracle.bits(listed[1])


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_types_may_change_from_step_to_step_however_one_steps(name, mode, opened):
    """Sends, copies and pickles go on with the kernel for the type that comes."""
    theirs = opened(
        gymnasium.make_vec(
            name,
            70,
            vectorization_mode="sync",
            vector_kwargs={"autoreset_mode": AutoresetMode(mode)},
            max_episode_steps=30,
        )
    )
    ours = opened(
        batchsim.make_vec(name, 70, autoreset_mode=mode, max_episode_steps=30, num_threads=2)
    )
    rng = np.random.default_rng(4)
    theirs.reset(seed=1)
    ours.reset(seed=1)
    kinds = ["float64", "list", "float32"]
    for k in range(100):
        if k == 40:
            ours = opened(pickle.loads(pickle.dumps(ours)))
        actions = KINDS[kinds[rng.integers(3)]](rng.uniform(-2.5, 2.5, (70, 1)))
        expected = theirs.step(actions)
        if k % 3:
            ours.send(actions)
            found = ours.recv()
        else:
            found = ours.step(actions)
        for one, other in zip(expected[:4], found[:4], strict=True):
            assert oracle.bits(one) == oracle.bits(other)
        over = expected[2] | expected[3]
        if mode == "Disabled" and over.any():
            options = {"reset_mask": over}
            again = [envs.reset(options=options)[0] for envs in (theirs, ours)]
            assert oracle.bits(again[0]) == oracle.bits(again[1])


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize(
    "kind", [*KINDS, "float64 tensor", "float32 tensor", "list of a NumPy number"]
)
def test_one_environment_takes_the_same_types(name, kind, opened):
    tensors = {"float64 tensor": torch.float64, "float32 tensor": torch.float32}
    theirs = opened(gymnasium.make(name, disable_env_checker=True))
    ours = opened(batchsim.make(name))
    rng = np.random.default_rng(4)
    theirs.reset(seed=1)
    ours.reset(seed=1)
    for _ in range(60):
        given = action = rng.uniform(-2.5, 2.5, 1)
        if kind in tensors:
            given = torch.tensor(action, dtype=tensors[kind])
            # Of a tensor upstream makes tensors of its state.
            action = given.numpy()
        elif kind == "list of a NumPy number":
            given = action = [np.float64(action[0])]
        else:
            given = action = KINDS[kind](action)
        expected, found = theirs.step(action), ours.step(given)
        assert oracle.bits(expected[0]) == oracle.bits(found[0])
        assert (expected[1], type(expected[1])) == (found[1], type(found[1]))
    if name == "Pendulum-v1":
        assert ours.last_u == theirs.unwrapped.last_u


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("kind", KINDS)
def test_clipped_actions_are_those_of_the_wrapper(name, kind, opened):
    theirs = gymnasium.make_vec(name, 8, vectorization_mode="sync")
    theirs = opened(gymnasium.wrappers.vector.ClipAction(theirs))
    ours = opened(batchsim.make_vec(name, 8, clip_actions=True))
    rng = np.random.default_rng(4)
    theirs.reset(seed=1)
    ours.reset(seed=1)
    for k in range(60):
        actions = KINDS[kind](rng.uniform(-4.0, 4.0, (8, 1)) * (0.2 if k % 2 else 1.0))
        before = ours.get_state()
        found = ours.step(actions)
        if k % 3:
            ours.set_state(before)
            ours.send(actions)
            found = ours.recv()
        for one, other in zip(theirs.step(actions)[:4], found[:4], strict=True):
            assert oracle.bits(one) == oracle.bits(other)
    twin = opened(pickle.loads(pickle.dumps(ours)))
    assert twin.clip_actions


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("kind", KINDS)
def test_clipped_actions_of_one_environment_are_those_of_the_wrapper(name, kind, opened):
    theirs = gymnasium.make(name, disable_env_checker=True)
    theirs = opened(gymnasium.wrappers.ClipAction(theirs))
    ours = opened(batchsim.make(name, clip_actions=True))
    rng = np.random.default_rng(4)
    theirs.reset(seed=1)
    ours.reset(seed=1)
    for k in range(60):
        action = KINDS[kind](rng.uniform(-4.0, 4.0, 1) * (0.2 if k % 2 else 1.0))
        expected, found = theirs.step(action), ours.step(action)
        assert oracle.bits(expected[0]) == oracle.bits(found[0])
        assert expected[1] == found[1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_numbers_beyond_a_bound_by_less_than_its_precision_are_within(dtype):
    ends = np.array([0.7, -0.7, 1.0, -2.0, 0.0, np.finfo(dtype).max, np.inf, 1e-7], dtype)
    for high, widest in zip(ends, backends._widest(ends), strict=True):
        with np.errstate(over="ignore"):
            assert dtype(widest) == high
            assert np.isinf(high) or dtype(np.nextafter(widest, np.inf)) > high


def test_in_fast_precision_all_are_rounded(opened):
    envs = opened(batchsim.make_vec("Pendulum-v1", 3, precision="fast"))
    actions = np.array([[0.1], [0.2], [0.3]])
    found = []
    for given in actions, actions.tolist(), actions.astype(np.float32):
        envs.reset(seed=0)
        found.append(oracle.bits(envs.step(given)[1]))
    assert found[0] == found[1] == found[2]


class Push:
    """Does not see to actions beyond its bounds, and tells what it is given."""

    class State(NamedTuple):
        x: float
        listed: bool

    ACTION = spaces.Box(-0.7, 0.7, (2,), np.float32)
    OBSERVATION = spaces.Box(-np.inf, np.inf, (3,), np.float64)

    def reset(s, i, p, rng):
        s.x[i] = 0.0
        s.listed[i] = False

    def step(s, i, action, p, rng):
        s.x[i] = action[1]
        s.listed[i] = are_listed()
        return 0.0, False

    def observe(s, i, p, out):
        out[0] = s.x[i]
        out[1] = 1.0 if s.listed[i] else 0.0
        out[2] = 2.0


@pytest.mark.parametrize("settings", [{}, {"backend": "reference"}, {"checked": True}])
def test_a_definition_is_given_them_as_they_are(settings, opened):
    envs = opened(batchsim.make_vec(Push, 2, **settings))
    envs.reset(seed=0)
    # float32's 0.7 is less.
    listed = [[0.0, 0.1], [0.3, 0.7]]
    assert envs.step(listed)[0].tolist() == [[0.1, 1.0, 2.0], [0.7, 1.0, 2.0]]
    assert envs.step(np.array(listed))[0].tolist() == [[0.1, 0.0, 2.0], [0.7, 0.0, 2.0]]
    narrow = np.array(listed, np.float32)
    assert envs.step(narrow)[0][:, 0].tolist() == narrow[:, 1].tolist()
    state = envs.get_state()
    for bad in 0.71, 1e300, -np.inf:
        actions = np.array([[0.0, 0.1], [0.3, bad]])
        for given in actions, actions.tolist():
            with pytest.raises(ValueError, match=r"row 1 is .*; expected .*clip_actions=True"):
                envs.step(given)
    found = envs.get_state()
    assert all(oracle.bits(state[name]) == oracle.bits(found[name]) for name in state)


VALUES = np.array([0.5, 1.5])


class Table:
    """Reads where the action says."""

    class State(NamedTuple):
        x: float

    ACTION = spaces.Box(-1.0, 1.0, (1,), np.float32)
    OBSERVATION = spaces.Box(-np.inf, np.inf, (1,), np.float64)

    def reset(s, i, p, rng):
        s.x[i] = 0.0

    def step(s, i, action, p, rng):
        s.x[i] = VALUES[int(10 * action[0])]
        return 0.0, False

    def observe(s, i, p, out):
        out[0] = s.x[i]


def test_the_checked_mode_says_where_a_wide_action_led_to():
    envs = batchsim.make_vec(Table, 3, checked=True)
    envs.reset(seed=0)
    with pytest.raises(RuntimeError, match=r"row 1, step 1 .*VALUES\[int\(10 \* action\[0\]\)\]"):
        envs.step([[0.1], [0.4], [0.0]])
    assert envs.step([[0.1], [0.0], [0.0]])[0].ravel().tolist() == [1.5, 0.5, 0.5]


MIXED = [[0.1], [np.float32(0.1)], [0.2]]


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (MIXED, r"a list of numbers of several types \(Python's, float32\).*numpy.asarray"),
        ([np.float64(0.1)] * 3, r"shape \(3,\); expected \(3, 1\)"),
        (np.zeros((3, 1), np.float16), "dtype float16; expected float32"),
        (np.zeros((3, 1), np.longdouble), r"dtype float\d+; expected float32"),
        (np.zeros((3, 1), bool), "dtype bool; expected float32"),
        (np.zeros((3, 1), complex), "dtype complex128; expected float32"),
        ([["a"], ["b"], ["c"]], "dtype <U1; expected float32"),
        ([[None], [None], [None]], "dtype object; expected float32"),
        ([[1j], [1j], [1j]], "dtype complex128; expected float32"),
        ([[2**70], [0], [0]], "dtype object; expected float32"),
        ([[0.1], [0.1, 0.2], [0.3]], "cannot be read as an array"),
        ([[0.1], [np.nan], [0.3]], r"The action of row 1 is \[nan\]"),
    ],
)
def test_others_are_refused_in_a_sentence(actions, message, opened):
    envs = opened(batchsim.make_vec("Pendulum-v1", 3))
    envs.reset(seed=0)
    before = envs.get_state()
    with pytest.raises((TypeError, ValueError), match=message):
        envs.step(actions)
    after = envs.get_state()
    assert all(oracle.bits(before[name]) == oracle.bits(after[name]) for name in before)
