"""In exact precision a BatchEnv returns Gymnasium's bits: the oracle runs beside it."""

import numpy as np
import oracle
import pytest
from gymnasium.vector import AutoresetMode

import batchsim
from batchsim.registry import ENVIRONMENTS

# Steps for each size of batch: upstream takes about 15 µs a row.
STEPS = {1: 2000, 5: 500, 64: 160, 1000: 40}
SHORT = 13  # steps: CartPole falls about then, so that both flags are true in some steps


@pytest.fixture(params=oracle.MODES, ids=lambda mode: mode.value)
def mode(request):
    return request.param


@pytest.fixture(params=oracle.KINDS)
def name(request):
    """Ids that stand for all in what no environment does by itself: seeds, masks, resets."""
    return request.param


@pytest.fixture(params=oracle.IDS)
def every(request):
    return request.param


@pytest.mark.parametrize(
    ("name", "num_envs"),
    # Making a thousand objects takes longer than stepping them.
    [(name, n) for name in oracle.IDS for n in STEPS if n < 1000 or name in oracle.MODELS],
)
def test_every_step_has_upstreams_bits(beside, name, mode, num_envs):
    pair = beside(name, num_envs, mode, reference_backend=num_envs < 64, max_episode_steps=SHORT)
    for seed in (num_envs, 2**40):
        pair.reset(seed=seed)
        pair.run(STEPS[num_envs] // 2, oracle.Actions(pair.reference, seed=seed))
    pair.compare_streams()
    assert pair.episodes >= 2 * num_envs


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_steps_have_upstreams_bits(beside, every):
    steps = 0
    for mode in oracle.MODES:
        pair = beside(every, 1000, mode)
        pair.reset(seed=2026)
        pair.run(334, oracle.Actions(pair.reference, seed=3))
        pair.compare_streams()
        steps += 1000 * pair.steps
    assert steps >= 1_000_000


@pytest.mark.parametrize(("name", "kwargs"), oracle.variants())
def test_keyword_arguments_and_default_time_limit_have_upstreams_bits(beside, name, mode, kwargs):
    # A kernel for each of these takes seconds to compile: one mode stands for the others there.
    native = mode is AutoresetMode.NEXT_STEP or not kwargs
    pair = beside(name, 16, mode, native=native, reference_backend=True, **kwargs)
    pair.reset(seed=123)
    pair.run(oracle.EPISODE.get(name, 240), oracle.Actions(pair.reference, seed=2))
    pair.compare_streams()
    # Without a time limit an episode may be longer.
    assert pair.episodes >= 16 or ENVIRONMENTS[name].max_episode_steps is None


def test_both_flags_are_true_when_an_episode_fails_at_its_time_limit(beside, mode):
    pair = beside("CartPole-v1", 64, mode, max_episode_steps=SHORT)
    pair.reset(seed=0)
    pair.run(60, oracle.Actions(pair.reference))
    assert pair.both_flags > 0


@pytest.mark.parametrize("limit", [1, 2])
def test_episodes_of_one_and_two_steps_have_upstreams_bits(beside, every, mode, limit):
    pair = beside(every, 5, mode, reference_backend=True, max_episode_steps=limit)
    pair.reset(seed=9)
    pair.run(12, oracle.Actions(pair.reference))
    pair.compare_streams()


def test_without_a_time_limit_episodes_are_not_truncated(beside, name):
    native = name == oracle.MODELS[0]  # seconds to compile
    pair = beside(name, 3, native=native, reference_backend=True, max_episode_steps=-1)
    pair.reset(seed=4)
    pair.run(550, oracle.Actions(pair.reference))


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1, 2**32, 2**63 - 3, 2**64 + 5, 2**128 - 2, 10**60])
def test_an_int_seed_gives_row_k_the_seed_plus_k(beside, name, seed):
    pair = beside(name, 7, max_episode_steps=SHORT)
    pair.reset(seed=seed)
    pair.run(15, oracle.Actions(pair.reference))
    pair.compare_streams()


@pytest.mark.parametrize("container", [list, tuple], ids=["list", "tuple"])
def test_a_list_of_seeds_gives_one_seed_a_row(beside, name, mode, container):
    pair = beside(name, 7, mode, max_episode_steps=SHORT)
    pair.reset(seed=container([5, 5, 0, 2**70, 17, 3, 5]))
    pair.run(30, oracle.Actions(pair.reference))
    pair.compare_streams()


def test_an_array_of_seeds_equals_a_list(opened, name):
    seeds = [3, 1, 4, 1, 5]
    one, other = (opened(batchsim.make_vec(name, 5)) for _ in range(2))
    oracle.assert_same_reset(one.reset(seed=seeds), other.reset(seed=np.array(seeds)))
    assert one.np_random_seed == other.np_random_seed == tuple(seeds)


def test_a_none_in_a_list_of_seeds_continues_that_rows_stream(beside, name, mode):
    pair = beside(name, 6, mode, reference_backend=True, max_episode_steps=SHORT)
    actions = oracle.Actions(pair.reference)
    pair.reset(seed=50)
    pair.run(20, actions)
    pair.reset(seed=[None, 7, None, 7, 50, None])
    pair.run(20, actions)
    pair.reset(seed=[None] * 6)
    pair.run(20, actions)
    pair.compare_streams()


@pytest.mark.parametrize("seed", [None, 77], ids=["no seed", "seed"])
def test_a_reset_in_mid_episode_has_upstreams_bits(beside, name, mode, seed):
    pair = beside(name, 9, mode, reference_backend=True, max_episode_steps=SHORT)
    actions = oracle.Actions(pair.reference)
    pair.reset(seed=8)
    for steps in (0, 1, 4, SHORT - 1, SHORT, SHORT + 1):
        pair.run(steps, actions)
        pair.reset(seed=seed)
    pair.run(2 * SHORT, actions)
    pair.compare_streams()


@pytest.mark.parametrize("num_envs", [6, 200])
def test_a_reset_of_some_rows_has_upstreams_bits(beside, name, mode, num_envs):
    pair = beside(name, num_envs, mode, reference_backend=num_envs < 64, max_episode_steps=SHORT)
    actions = oracle.Actions(pair.reference)
    rng = np.random.default_rng(0)
    pair.reset(seed=8)
    for turn in range(12):
        pair.run(int(rng.integers(0, 5)), actions)
        mask = rng.random(num_envs) < 0.4
        mask[turn % num_envs] = True
        if mode is AutoresetMode.DISABLED and pair.over is not None:
            mask |= pair.over
        seed = [None, 1000 + turn, [None, *range(turn, turn + num_envs - 1)]][turn % 3]
        pair.reset(seed=seed, options={"reset_mask": mask})
    pair.run(2 * SHORT, actions)
    pair.compare_streams()


def test_rows_that_are_over_stay_over_when_others_are_reset(beside, name):
    pair = beside(name, 4, AutoresetMode.NEXT_STEP, max_episode_steps=1)
    actions = oracle.Actions(pair.reference)
    pair.reset(seed=1)
    pair.run(1, actions)
    assert pair.over.all()
    pair.reset(options={"reset_mask": np.array([True, False, False, True])})
    pair.run(8, actions)
    pair.compare_streams()


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name in oracle.IDS for options in oracle.OPTIONS.get(name, [{}])],
)
def test_reset_options_have_upstreams_bits_and_last_for_one_episode(beside, name, mode, options):
    pair = beside(name, 5, mode, reference_backend=True, max_episode_steps=SHORT)
    actions = oracle.Actions(pair.reference)
    pair.reset(seed=3, options=options)
    pair.run(SHORT + 4, actions)
    pair.reset(options=options)
    pair.run(4, actions)
    mask = np.array([True, False, True, False, False])
    if pair.over is not None and mode is AutoresetMode.DISABLED:
        mask |= pair.over
    pair.reset(options={**options, "reset_mask": mask})
    pair.run(SHORT + 4, actions)
    pair.compare_streams()


def test_reset_options_may_differ_from_row_to_row(opened, name):
    choices = [options for options in oracle.OPTIONS.get(name, []) if options]
    names = sorted({key for options in choices for key in options})
    if not names:
        pytest.skip(f"{name} has no reset options")
    subject = opened(batchsim.make_vec(name, len(choices)))
    defaults = subject.definition.options
    rows = [{**defaults, **options} for options in choices]
    rows = [row for row in rows if row.get("low", 0) <= row.get("high", 0)]
    subject = opened(batchsim.make_vec(name, len(rows)))
    observations, _ = subject.reset(
        seed=6, options={key: np.array([row[key] for row in rows]) for key in names}
    )
    for k, options in enumerate(rows):
        single = opened(oracle.upstream(name, 1))
        expected, _ = single.reset(seed=6 + k, options=dict(options))
        assert oracle.bits(expected[0]) == oracle.bits(observations[k])


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_parameters_may_differ_from_row_to_row(opened, every, backend):
    name = every
    n = 16
    rng = np.random.default_rng(5)
    ranges = oracle.PARAMETERS.get(name, {})
    columns = {
        key: rng.random(n) < 0.5
        if ends == (False, True)
        else rng.uniform(*ends, (n, *np.shape(ends[0])))
        for key, ends in ranges.items()
    }
    rows = [{key: column[k].tolist() for key, column in columns.items()} for k in range(n)]
    reference = oracle.upstream_with_parameters(name, rows, max_episode_steps=30)
    subject = batchsim.make_vec(name, n, backend=backend, max_episode_steps=30, **columns)
    pair = oracle.SideBySide(reference, {"arrays": (subject, oracle.step)})
    opened(pair)
    pair.reset(seed=2)
    pair.run(100, oracle.Actions(subject))
    pair.compare_streams()


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name in oracle.IDS for key in oracle.PARAMETERS.get(name, {})]
)
def test_each_parameter_acts_as_upstreams_attribute(opened, name, key):
    low, high = oracle.PARAMETERS[name][key]
    for value in (low, high):
        reference = oracle.upstream_with_parameters(name, [{key: value}] * 3, max_episode_steps=30)
        subject = batchsim.make_vec(
            name, 3, backend="reference", max_episode_steps=30, **{key: value}
        )
        pair = oracle.SideBySide(reference, {key: (subject, oracle.step)})
        opened(pair)
        pair.reset(seed=2)
        pair.run(40, oracle.Actions(subject))


def test_every_row_obeys_its_own_action_bound(opened):
    """Upstream clips to the row's own bound; a BatchEnv may refuse instead, but not differ."""
    bounds = np.array([2.0, 1.0])
    try:
        subject = batchsim.make_vec("Pendulum-v1", 2, backend="reference", max_torque=bounds)
    except (TypeError, ValueError):
        return  # refusing an array is as good
    opened(subject)
    rows = [{"max_torque": float(bound)} for bound in bounds]
    reference = opened(oracle.upstream_with_parameters("Pendulum-v1", rows))
    actions = np.array([[1.5], [1.5]], np.float32)
    reference.reset(seed=0)
    subject.reset(seed=0)
    try:
        found = subject.step(actions)
    except ValueError:
        return
    oracle.assert_same_step(reference.step(actions), found)


def test_actions_at_the_bounds_and_zeros_of_both_signs_have_upstreams_bits(beside):
    pair = beside("Pendulum-v1", 5, reference_backend=True)
    pair.reset(seed=0)
    smallest = np.finfo(np.float32).smallest_subnormal
    for _ in range(20):
        pair.step(np.array([[-2.0], [2.0], [0.0], [-0.0], [smallest]], np.float32))


def test_integers_of_other_widths_are_the_same_actions(beside):
    pair = beside("CartPole-v1", 5)
    pair.reset(seed=0)
    for dtype in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, ">i8", ">i2"):
        actions = np.array([0, 1, 1, 0, 1])
        expected = pair.reference.step(actions)
        for label, (env, function) in pair.subjects.items():
            found = function(env, actions.astype(dtype))
            oracle.assert_same_step(expected, found, f"{label} {dtype}")


def test_actions_need_not_be_contiguous_aligned_or_writeable(opened, name):
    one, other = (opened(batchsim.make_vec(name, 8)) for _ in range(2))
    one.reset(seed=0)
    other.reset(seed=0)
    actions = oracle.Actions(one)

    def strided(batch):
        return np.repeat(batch, 2, axis=0)[::2]

    def reversed_twice(batch):
        return batch[::-1].copy()[::-1]

    def read_only(batch):
        batch.flags.writeable = False
        return batch

    def misaligned(batch):
        memory = np.zeros(batch.nbytes + 1, np.uint8)[1:]
        copy = memory.view(batch.dtype).reshape(batch.shape)
        copy[:] = batch
        return copy

    def subclass(batch):
        return batch.view(np.ma.MaskedArray)

    for shape in (strided, reversed_twice, read_only, misaligned, subclass, list):
        for _ in range(3):
            batch = actions()
            oracle.assert_same_step(one.step(batch), other.step(shape(batch.copy())), shape)
