"""The batch is invisible: a row's trajectory depends on its seed and its actions alone."""

import numpy as np
import oracle
import pytest

import batchsim
from batchsim.batch.infos import final_arrays

LIMIT = 11


@pytest.fixture(params=[*oracle.MODELS, "FrozenLake-v1"])
def name(request):
    return request.param


@pytest.fixture(params=["exact", "fast"])
def precision(request):
    return request.param


@pytest.fixture(params=["NextStep", "SameStep"])
def mode(request):
    return request.param


def trajectory(env, seeds, actions, function=oracle.step):
    """Everything that an environment returned, each array with the step as its first axis."""
    outputs = [[env.reset(seed=seeds)[0]], [], [], []]
    finals = []
    for batch in actions:
        results = function(env, batch)
        for place, array in enumerate(results[:4]):
            outputs[place].append(array.copy())
        final = np.zeros_like(results[0])
        if "_final_obs" in results[4]:
            mask = results[4]["_final_obs"]
            final[mask] = final_arrays(results[4])[mask]
        finals.append(final)
    return [np.stack(arrays) for arrays in (*outputs, finals)]


def make(name, num_envs, **kwargs):
    return batchsim.make_vec(name, num_envs, max_episode_steps=LIMIT, **kwargs)


def recorded(name, num_envs, steps, **kwargs):
    """Actions for so many rows and steps, seeds, and the trajectory on one thread."""
    env = make(name, num_envs, num_threads=1, **kwargs)
    sample = oracle.Actions(env)
    actions = [sample() for _ in range(steps)]
    seeds = [int(seed) for seed in np.random.default_rng(0).integers(0, 2**40, num_envs)]
    outputs = trajectory(env, seeds, actions)
    env.close()
    return seeds, actions, outputs


def assert_rows(whole, part, rows, where):
    """Assert that `part` is what `whole` holds in these rows."""
    for one, other in zip(whole, part, strict=True):
        assert one.dtype == other.dtype, where
        assert one[:, rows].tobytes() == other.tobytes(), where


def test_row_is_independent_of_batch_size(name, precision, mode):
    settings = {"precision": precision, "autoreset_mode": mode}
    seeds, actions, whole = recorded(name, 300, 40, **settings)
    first = 0
    for n in (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65):
        # Each part begins at another row, so that rows fall on other places in a vector.
        first = (first + 37) % (300 - n)
        rows = slice(first, first + n)
        env = make(name, n, **settings)
        part = trajectory(env, seeds[rows], [batch[rows] for batch in actions])
        env.close()
        assert_rows(whole, part, rows, f"{n} rows from {first}")


def test_row_is_independent_of_its_place(name, precision, mode):
    settings = {"precision": precision, "autoreset_mode": mode}
    seeds, actions, whole = recorded(name, 150, 40, **settings)
    order = np.random.default_rng(1).permutation(150)
    env = make(name, 150, **settings)
    part = trajectory(env, [seeds[k] for k in order], [batch[order] for batch in actions])
    env.close()
    assert_rows(whole, part, order, "permuted")


def test_row_is_independent_of_the_other_rows(name, precision, mode):
    settings = {"precision": precision, "autoreset_mode": mode}
    seeds, actions, whole = recorded(name, 100, 40, **settings)
    _, others, _ = recorded(name, 100, 40, **settings)
    rng = np.random.default_rng(2)
    kept = np.sort(rng.choice(100, 20, replace=False))
    env = make(name, 100, **settings)
    mixed = [batch[rng.permutation(100)] for batch in others]
    for batch, original in zip(mixed, actions, strict=True):
        batch[kept] = original[kept]
    other_seeds = [seed + 1 for seed in seeds]
    for k in kept:
        other_seeds[k] = seeds[k]
    part = trajectory(env, other_seeds, mixed)
    env.close()
    assert_rows([array[:, kept] for array in whole], [array[:, kept] for array in part], ..., "")


@pytest.mark.parametrize("function", [oracle.step, oracle.send_and_receive])
@pytest.mark.parametrize("num_threads", [1, 2, 3, 8])
def test_row_is_independent_of_threads_and_tiles(name, precision, mode, num_threads, function):
    # The tiles are cut by the number of threads and by measured times, so they differ, too.
    settings = {"precision": precision, "autoreset_mode": mode}
    seeds, actions, whole = recorded(name, 2_000, 30, **settings)
    env = make(name, 2_000, num_threads=num_threads, **settings)
    part = trajectory(env, seeds, actions, function)
    env.close()
    assert_rows(whole, part, slice(None), f"{num_threads} threads")


def test_large_batches_are_independent_of_threads(name, precision):
    n, steps = 40_000, 24  # enough work for a step() to wake a thread
    env = make(name, n, precision=precision, num_threads=1)
    sample = oracle.Actions(env)
    actions = [sample() for _ in range(steps)]
    whole = trajectory(env, 7, actions)
    env.close()
    for num_threads in (2, 5):
        env = make(name, n, precision=precision, num_threads=num_threads)
        assert_rows(whole, trajectory(env, 7, actions), slice(None), f"{num_threads} threads")
        env.close()


def test_backends_have_the_same_bits(name, precision):
    for mode in oracle.MODES[:2]:
        settings = {"precision": precision, "autoreset_mode": mode}
        seeds, actions, whole = recorded(name, 20, 60, **settings)
        env = make(name, 20, backend="reference", **settings)
        assert_rows(whole, trajectory(env, seeds, actions), slice(None), str(mode))


def test_sent_and_direct_steps_can_be_mixed(name, precision):
    seeds, actions, whole = recorded(name, 500, 40, precision=precision)
    env = make(name, 500, num_threads=2, precision=precision)
    turn = iter(range(len(actions)))

    def mixed(env, batch):
        return (oracle.send_and_receive if next(turn) % 3 else oracle.step)(env, batch)

    assert_rows(whole, trajectory(env, seeds, actions, mixed), slice(None), "mixed")
    env.close()
