"""The rows' random generators: NumPy's, live, as those of Gymnasium's environments are."""

import copy
import pickle
import random as python_random

import gymnasium
import numpy as np
import oracle
import pytest

import batchsim
from batchsim.batch.generators import Generators
from batchsim.random import allocate, seed_rows

SEEDS = [0, 5, 2**90, 2**200]
DRAWS = [
    lambda rng: rng.random(),
    lambda rng: rng.random(dtype=np.float32),
    lambda rng: rng.integers(0, 100),
    lambda rng: rng.integers(0, 2**40),
    lambda rng: rng.integers(0, 255, dtype=np.uint8),
    lambda rng: rng.normal(size=3).tolist(),
    lambda rng: rng.exponential(),
    lambda rng: rng.permutation(7).tolist(),
    lambda rng: rng.choice(5, 2, replace=False).tolist(),
    lambda rng: rng.bytes(7),
    lambda rng: rng.bit_generator.random_raw(2).tolist(),
    lambda rng: rng.bit_generator.advance(10) and None,
    lambda rng: rng.bit_generator.jumped(2).random_raw(),
]


def point(rng):
    """Where a stream is; NumPy keeps a half word that it has used."""
    state = rng.bit_generator.state
    return state["state"], state["has_uint32"], state["has_uint32"] and state["uinteger"]


@pytest.fixture
def both():
    """Rows' generators, and NumPy's of the same seeds."""
    streams = allocate(len(SEEDS))
    seed_rows(streams, range(len(SEEDS)), SEEDS)
    numpys = [np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))) for seed in SEEDS]
    return Generators(streams, np.array(SEEDS, object)), numpys


def test_every_draw_is_numpys(both):
    rows, numpys = both
    choose = python_random.Random(1)
    for _ in range(4000):
        row, draw = choose.randrange(len(SEEDS)), choose.choice(DRAWS)
        assert draw(rows[row]) == draw(numpys[row])
    assert [point(rows[row]) for row in range(len(SEEDS))] == [point(rng) for rng in numpys]


def test_there_is_one_a_row(both):
    rows, _ = both
    assert rows[1] is rows[1]
    assert rows[1] is not rows[2]
    part = rows.part(*(type(rows.streams)(*(a[1:] for a in rows.streams)), rows.seeds[1:]))
    assert part[0] is rows[1]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_of_the_bit_generator_is_numpys_and_goes_on_by_itself(both, copied):
    rows, numpys = both
    rows[2].integers(0, 100)
    numpys[2].integers(0, 100)
    other = copied(rows[2].bit_generator)
    assert type(other) is np.random.PCG64
    expected = [DRAWS[2](numpys[2]) for _ in range(3)]
    assert [np.random.Generator(other).integers(0, 100) for _ in range(3)] == expected
    assert [rows[2].integers(0, 100) for _ in range(3)] == expected


def test_children_are_those_that_numpy_spawns(both):
    rows, numpys = both
    for _ in range(2):
        one, other = rows[1].spawn(2), numpys[1].spawn(2)
        assert [rng.random() for rng in one] == [rng.random() for rng in other]


def test_a_state_can_be_put_in(both):
    rows, numpys = both
    state = numpys[3].bit_generator.state
    rows[0].bit_generator.state = state
    assert rows[0].random() == numpys[3].random()
    with pytest.raises((TypeError, ValueError)):
        rows[0].bit_generator.state = {"bit_generator": "MT19937"}
    assert rows[0].random() == numpys[3].random()


def test_a_row_with_another_stream_leaves_its_generator_behind(both):
    rows, numpys = both
    old = rows[0]
    rows.put(0, np.random.default_rng(3))
    assert old.random() == numpys[0].random()
    assert rows[0] is not old
    assert rows[0].random() == np.random.default_rng(3).random()


# --- Environments ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", oracle.IDS)
def test_draws_of_a_wrapper_and_of_the_environment_take_turns(name, opened):
    theirs, ours = (opened(gymnasium.make(id)) for id in (name, f"batchsim/{name}"))
    for env in (theirs, ours):
        env.action_space.seed(0)
    assert oracle.bits(theirs.reset(seed=7)[0]) == oracle.bits(ours.reset(seed=7)[0])
    for _ in range(60):
        assert theirs.np_random.random() == ours.np_random.random()
        assert theirs.np_random.integers(10) == ours.np_random.integers(10)
        action = theirs.action_space.sample()
        one, other = theirs.step(action), ours.step(action)
        assert oracle.bits(one[0]) == oracle.bits(other[0])
        assert one[1:4] == other[1:4]
        if one[2] or one[3]:
            assert oracle.bits(theirs.reset()[0]) == oracle.bits(ours.reset()[0])


def test_a_reset_with_a_seed_makes_a_new_generator_and_leaves_the_old_one(opened):
    theirs, ours = (opened(gymnasium.make(id)) for id in ("CartPole-v1", "batchsim/CartPole-v1"))
    held = []
    for env in (theirs, ours):
        env.reset(seed=1)
        held.append(env.np_random)
        env.reset()
        assert env.np_random is held[-1]
        env.reset(seed=2)
        assert env.np_random is not held[-1]
    assert held[0].random() == held[1].random()
    assert theirs.np_random.random() == ours.np_random.random()


def test_assigned_generators_go_on_in_the_environment(opened):
    theirs, ours = (opened(gymnasium.make(id)) for id in ("CartPole-v1", "batchsim/CartPole-v1"))
    for env in (theirs, ours):
        env.reset(seed=1)
        env.unwrapped.np_random = np.random.default_rng(5)
    assert oracle.bits(theirs.reset()[0]) == oracle.bits(ours.reset()[0])
    assert theirs.np_random.random() == ours.np_random.random()
    assert theirs.unwrapped.np_random_seed == ours.unwrapped.np_random_seed == -1


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_generators_of_a_batch_are_those_of_the_vector_environment(backend, opened):
    theirs = opened(gymnasium.make_vec("FrozenLake-v1", 5, vectorization_mode="sync"))
    ours = opened(batchsim.make_vec("FrozenLake-v1", 5, backend=backend))
    for envs in (theirs, ours):
        envs.reset(seed=3)
        envs.action_space.seed(3)
    for _ in range(40):
        for one, other in zip(theirs.np_random, ours.np_random, strict=True):
            assert one.normal() == other.normal()
        actions = theirs.action_space.sample()
        assert oracle.bits(theirs.step(actions)[0]) == oracle.bits(ours.step(actions)[0])


def test_a_part_has_the_generators_of_the_whole(opened):
    envs = opened(batchsim.make_vec("FrozenLake-v1", 4))
    envs.reset(seed=0)
    _, last = envs.split(2)
    assert last.np_random[1] is envs.np_random[3]
    held = envs.np_random[3]
    last.reset(seed=9)
    assert envs.np_random[3] is not held
    assert held.random() == np.random.default_rng(3).random(2)[1]


def test_a_batch_takes_a_list_of_generators_or_none_of_them(opened):
    envs = opened(batchsim.make_vec("CartPole-v1", 3))
    envs.np_random = [np.random.default_rng(k) for k in range(3)]
    twin = opened(batchsim.make_vec("CartPole-v1", 3))
    assert oracle.bits(envs.reset()[0]) == oracle.bits(twin.reset(seed=0)[0])
    before = [point(rng) for rng in envs.np_random]
    for wrong, message in (
        ([np.random.default_rng(0)] * 2, "expected a list of 3 generators"),
        (np.random.default_rng(0), "expected a list of 3 generators"),
        ([np.random.default_rng(0)] * 2 + [7], "generator of row 2 is 7; expected a numpy"),
        (
            [np.random.default_rng(0), np.random.Generator(np.random.MT19937(0)), None],
            "generator of row 1 is of MT19937; expected .* over PCG64",
        ),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            envs.np_random = wrong
    assert [point(rng) for rng in envs.np_random] == before


def test_generators_outlive_the_environment():
    envs = batchsim.make_vec("CartPole-v1", 2)
    envs.reset(seed=4)
    held = envs.np_random[1]
    envs.close()
    del envs
    expected = np.random.default_rng(5)
    expected.uniform(-0.05, 0.05, 4)
    assert held.random() == expected.random()
