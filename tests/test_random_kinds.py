# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state
"""Definitions whose streams are NumPy's legacy RandomState or Python's Random."""

import copy
import pickle
import random as python
import warnings
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import batchsim
from batchsim import python_random as pr
from batchsim import random_state as rs
from batchsim.checking import CheckError, check
from batchsim.random import uniform

pytestmark = pytest.mark.filterwarnings("error")

KINDS = ["numpy.random.RandomState", "random.Random"]
BACKENDS = ["native", "reference"]
DRAWS = {
    "numpy.random.RandomState": lambda rng: [
        rng.rand(), rng.randint(10), rng.randn(), rng.choice(3), rng.exponential(),
        rng.permutation(4).tolist(), rng.standard_gamma(2.0),
        rng.choice(9, 2, replace=False).tolist(),
    ],
    "random.Random": lambda rng: [
        rng.random(), rng.randint(1, 6), rng.gauss(0.0, 1.0), rng.choice("abc"),
        rng.sample(range(30), 3),
        rng.getrandbits(100), rng.randbytes(5), rng.betavariate(2.0, 3.0),
    ],
}  # fmt: skip
MAKE = {"numpy.random.RandomState": np.random.RandomState, "random.Random": python.Random}


class Walk:
    """A walk that draws a normal number at an odd time, so that the second of a pair is kept."""

    RANDOM = "numpy.random.RandomState"
    ACTION = spaces.Discrete(3)
    OBSERVATION = spaces.Box(-np.inf, np.inf, (6,), np.float64)

    class State(NamedTuple):
        x: float
        goal: int
        order: np.dtype((np.int64, (4,)))

    def reset(s, i, p, rng):
        s.x[i] = rs.uniform(rng, i, -0.5, 0.5)
        s.goal[i] = rs.randint(rng, i, 2, 6)
        rs.permutation(rng, i, s.order[i])

    def step(s, i, action, p, rng):
        if rs.rand(rng, i) < 0.3:
            s.x[i] += rs.normal(rng, i, 0.0, 0.1)
        s.x[i] += action - 1 + 0.1 * rs.randint(rng, i, 5)
        rs.shuffle(rng, i, s.order[i])
        return s.x[i], abs(s.x[i]) > s.goal[i]

    def observe(s, i, p, out):
        out[0] = s.x[i]
        out[1] = s.goal[i]
        for k in range(4):
            out[2 + k] = s.order[i, k]


class PythonWalk(Walk):
    """The same with Python's draws."""

    RANDOM = "random.Random"

    def reset(s, i, p, rng):
        s.x[i] = pr.uniform(rng, i, -0.5, 0.5)
        s.goal[i] = pr.randint(rng, i, 2, 5)
        pr.sample(rng, i, 30, s.order[i])

    def step(s, i, action, p, rng):
        if pr.random(rng, i) < 0.3:
            s.x[i] += pr.gauss(rng, i, 0.0, 0.1)
        s.x[i] += action - 1 + 0.1 * pr.randrange(rng, i, 5)
        pr.shuffle(rng, i, s.order[i])
        return s.x[i], abs(s.x[i]) > s.goal[i]


class Original(gymnasium.Env):
    """The walk as an object."""

    action_space = Walk.ACTION
    observation_space = Walk.OBSERVATION

    def __init__(self):
        self.random = None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None or self.random is None:
            self.random = np.random.RandomState(seed)
        self.x = self.random.uniform(-0.5, 0.5)
        self.goal = self.random.randint(2, 6)
        self.order = self.random.permutation(4)
        return self.observation(), {}

    def step(self, action):
        if self.random.rand() < 0.3:
            self.x += self.random.normal(0.0, 0.1)
        self.x += action - 1 + 0.1 * self.random.randint(5)
        self.random.shuffle(self.order)
        return self.observation(), self.x, abs(self.x) > self.goal, False, {}

    def observation(self):
        return np.array([self.x, self.goal, *self.order])


class PythonOriginal(Original):
    def reset(self, *, seed=None, options=None):
        gymnasium.Env.reset(self, seed=seed)
        if seed is not None or self.random is None:
            self.random = python.Random(seed)
        self.x = self.random.uniform(-0.5, 0.5)
        self.goal = self.random.randint(2, 5)
        self.order = self.random.sample(range(30), 4)
        return self.observation(), {}

    def step(self, action):
        if self.random.random() < 0.3:
            self.x += self.random.gauss(0.0, 0.1)
        self.x += action - 1 + 0.1 * self.random.randrange(5)
        self.random.shuffle(self.order)
        return self.observation(), self.x, abs(self.x) > self.goal, False, {}


WALKS = {"numpy.random.RandomState": Walk, "random.Random": PythonWalk}
ORIGINALS = {"numpy.random.RandomState": Original, "random.Random": PythonOriginal}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def make(kind, opened):
    """Makes batches of the walk."""

    def made(num_envs=5, **settings):
        return opened(batchsim.make_vec(WALKS[kind], num_envs, **settings))

    return made


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_batch_has_the_bits_of_objects_with_such_generators(kind, make, mode, backend, opened):
    theirs = opened(SyncVectorEnv([ORIGINALS[kind]] * 5, autoreset_mode=mode))
    ours = make(backend=backend, autoreset_mode=mode)
    steps = 400 if backend == "native" else 150
    actions = np.random.default_rng(0).integers(0, 3, (steps, 5))
    np.testing.assert_array_equal(ours.reset(seed=7)[0], theirs.reset(seed=7)[0])
    ended = 0
    for action in actions:
        one, other = ours.step(action), theirs.step(action)
        for a, b in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(a, b)
        over = one[2] | one[3]
        ended += over.sum()
        if mode == AutoresetMode.SAME_STEP and over.any():
            for row in np.flatnonzero(over):
                np.testing.assert_array_equal(one[4]["final_obs"][row], other[4]["final_obs"][row])
        if mode == AutoresetMode.DISABLED and over.any():
            options = {"reset_mask": over}
            np.testing.assert_array_equal(
                ours.reset(options=options.copy())[0], theirs.reset(options=options.copy())[0]
            )
    assert ended > 10


def test_one_environment_is_seeded_as_the_object(kind, opened):
    theirs, ours = ORIGINALS[kind](), opened(batchsim.make(WALKS[kind]))
    for seed in (3, None, 4):
        np.testing.assert_array_equal(ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0])
    assert ours.np_random_seed == 4


def test_without_a_seed_rows_begin_from_entropy(make):
    envs, twin = make(), make()
    assert not np.array_equal(envs.reset()[0], twin.reset()[0])
    again = make().reset(seed=list(envs.np_random_seed))[0]
    # The seeds say where the rows have begun.
    np.testing.assert_array_equal(envs.reset(seed=list(envs.np_random_seed))[0], again)


def test_seeds_that_numpys_refuses_are_refused_and_change_nothing(make, kind):
    envs = make()
    first = envs.reset(seed=1)[0]
    state = envs.get_state()
    if kind == "random.Random":
        envs.reset(seed=2**100)
        assert envs.np_random[1].random() != 0
        return
    for seed, row in ((2**32 - 2, 2), ([0, 1, 2**32, 3, 4], 2), (2**70, 0)):
        with pytest.raises(ValueError, match=rf"seed of row {row} is .*below 2\*\*32"):
            envs.reset(seed=seed)
    for name, values in envs.get_state().items():
        np.testing.assert_array_equal(values, state[name])
    np.testing.assert_array_equal(envs.reset(seed=1)[0], first)


def walked(envs, steps=30):
    actions = np.random.default_rng(1).integers(0, 3, (steps, envs.num_envs))
    return [[a.tobytes() for a in envs.step(action)[:4]] for action in actions]


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda envs: pickle.loads(pickle.dumps(envs))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_go_on_alike(make, copied, opened):
    envs = make()
    envs.reset(seed=3)
    walked(envs, 7)
    other = opened(copied(envs))
    assert walked(envs) == walked(other)


def test_a_snapshot_holds_the_streams(make):
    envs = make()
    envs.reset(seed=3)
    walked(envs, 7)
    state = envs.get_state()
    assert state["rng.key"].shape == (5, 624)
    expected = walked(envs)
    other = make(backend="reference")
    other.set_state(state)
    assert walked(other) == expected


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rng.position", 625, "rng.position is 625 in row 2; expected from 0 to 624"),
        ("rng.position", -1, "rng.position is -1 in row 2"),
        ("rng.gauss", np.nan, "rng.gauss is nan in row 2; expected a finite number"),
        ("rng.key", 0, "rng.key is 0 in row 2"),
    ],
)
def test_snapshots_of_what_cannot_be_are_refused(make, name, value, message):
    envs = make()
    envs.reset(seed=3)
    state = envs.get_state()
    state[name][2] = value
    with pytest.raises(ValueError, match=message):
        envs.set_state(state)


def test_a_snapshot_of_the_other_kind_is_refused(opened):
    one, other = (opened(batchsim.make_vec(walk, 2)) for walk in WALKS.values())
    one.reset(seed=1)
    other.reset(seed=1)
    with pytest.raises(ValueError, match="of another environment"):
        other.set_state(one.get_state())


def test_parts_and_masks_draw_from_the_rows_of_the_whole(make):
    envs, whole = make(4), make(4)
    envs.reset(seed=0)
    whole.reset(seed=0)
    first, last = envs.split(2)
    mask = np.array([False, True])
    one = last.reset(options={"reset_mask": mask})[0]
    other = whole.reset(options={"reset_mask": np.array([False, False, False, True])})[0]
    np.testing.assert_array_equal(one, other[2:])
    assert last.np_random[1] is first.np_random[1] or last.np_random[0] is not first.np_random[0]


# --- The rows' generators -------------------------------------------------------------------------


def test_a_rows_generator_is_upstreams_and_live(make, kind):
    envs = make()
    envs.reset(seed=0)
    twin = make()
    twin.reset(seed=0)
    for row, rng in enumerate(envs.np_random):
        assert isinstance(rng, MAKE[kind])
        assert rng is envs.np_random[row]
    mirror = copy.deepcopy(envs.np_random[2])
    assert type(mirror) is MAKE[kind]
    for _ in range(300):
        assert DRAWS[kind](envs.np_random[2]) == DRAWS[kind](mirror)
    twin.set_np_random(2, mirror)
    assert walked(envs) == walked(twin)


def test_a_pickled_generator_goes_on_by_itself(make, kind):
    envs = make()
    envs.reset(seed=0)
    rng = envs.np_random[0]
    other = pickle.loads(pickle.dumps(rng))
    assert DRAWS[kind](other) == DRAWS[kind](rng)


def test_a_generator_can_be_seeded_and_put_back(make, kind):
    envs = make()
    envs.reset(seed=0)
    rng, plain = envs.np_random[1], MAKE[kind](9)
    rng.seed(9)
    assert DRAWS[kind](rng) == DRAWS[kind](plain)
    if kind == "random.Random":
        state = plain.getstate()
        assert rng.getstate() == state
        DRAWS[kind](rng)
        rng.setstate(state)
    else:
        state = plain.get_state()
        DRAWS[kind](rng)
        rng.set_state(state)
    assert DRAWS[kind](rng) == DRAWS[kind](plain)


def test_a_reset_with_a_seed_leaves_the_old_generator_behind(make, kind):
    envs = make()
    envs.reset(seed=0)
    held, mirror = envs.np_random[1], copy.copy(envs.np_random[1])
    envs.reset(seed=5)
    assert envs.np_random[1] is not held
    assert DRAWS[kind](held) == DRAWS[kind](mirror)
    assert DRAWS[kind](held) == DRAWS[kind](mirror)


def test_assigned_generators_go_on_in_the_rows(make, kind):
    envs = make(3)
    envs.np_random = [MAKE[kind](k) for k in range(3)]
    np.testing.assert_array_equal(envs.reset()[0], make(3).reset(seed=0)[0])
    assert envs.np_random_seed == (-1, -1, -1)
    envs.np_random = envs.np_random[::-1]


@pytest.mark.parametrize(
    "wrong",
    [np.random.default_rng(0), 7, np.random.RandomState(np.random.PCG64(0)), python.SystemRandom()],
)
def test_other_generators_are_refused(make, wrong, kind):
    envs = make(2)
    envs.reset(seed=0)
    with pytest.raises((TypeError, ValueError), match=f"expected a {kind}"):
        envs.set_np_random(1, wrong)


# --- What is wrong --------------------------------------------------------------------------------


class Wrong(Walk):
    """A RandomState's definition that draws from a Generator in a branch that no step reaches."""

    def step(s, i, action, p, rng):
        if action > 7:
            s.x[i] = uniform(rng, i, 0.0, 1.0)
        return 0.0, False


class ByModule(PythonWalk):
    def step(s, i, action, p, rng):
        return rs.rand(rng, i), False


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            Wrong,
            "calls uniform of batchsim.random, but the streams of .* are numpy.random.Rand",
        ),
        (
            ByModule,
            "calls rand of batchsim.random_state, but the streams of .* are random.Ran",
        ),
    ],
)
def test_draws_of_another_kind_are_refused_in_a_sentence(definition, message, backend):
    with pytest.raises(batchsim.CompileError, match=message):
        batchsim.make_vec(definition, 2, backend=backend)


def test_check_finds_draws_of_another_kind():
    with pytest.raises(CheckError, match=r"calls uniform of batchsim\.random, but"):
        check(Wrong)


def test_check_finds_nothing_wrong_with_the_walks(kind):
    check(WALKS[kind])


def test_random_names_a_kind_that_there_is():
    class Misspelt(Walk):
        RANDOM = "numpy.random.RandomSate"

    with pytest.raises(TypeError, match=r"did you mean 'numpy.random.RandomState'"):
        batchsim.make_vec(Misspelt, 2)


# --- Beyond a batch -------------------------------------------------------------------------------


def test_a_checkpoint_keeps_the_streams(make, tmp_path):
    torch = pytest.importorskip("torch")
    from batchsim.torch import ppo, restore

    envs = make()
    envs.reset(seed=3)
    walked(envs, 7)
    torch.save(ppo._as_tensors([envs.get_state()]), tmp_path / "checkpoint")
    expected = walked(envs)
    loaded = torch.load(tmp_path / "checkpoint", weights_only=True)
    envs.set_state(restore._read_snapshot("The environments", loaded, envs.num_envs))
    assert walked(envs) == expected


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_every_way_of_running_has_the_streams(make, kind, checked, precision):
    envs, plain = make(checked=checked, precision=precision), make(backend="reference")
    envs.reset(seed=3)
    plain.reset(seed=3)
    one, other = walked(envs, 60), walked(plain, 60)
    if precision == "exact":
        assert one == other
    else:
        # Episodes may end elsewhere, but their draws are the same.
        assert envs.np_random_seed == plain.np_random_seed


def test_gymnasiums_checker_finds_nothing_wrong(kind, opened):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The spaces are infinite.
        check_env(opened(batchsim.make(WALKS[kind])), skip_render_check=True)


def test_attributes_give_and_take_generators(make, kind, opened):
    envs = make(2)
    envs.reset(seed=1)
    assert isinstance(envs.get_attr("np_random")[1], MAKE[kind])
    envs.set_attr("np_random", [MAKE[kind](5), MAKE[kind](6)])
    np.testing.assert_array_equal(envs.reset()[0], make(2).reset(seed=5)[0])
    env = opened(batchsim.make(WALKS[kind]))
    env.reset(seed=0)
    env.np_random = MAKE[kind](5)
    np.testing.assert_array_equal(env.reset()[0], make(1).reset(seed=5)[0][0])
    assert isinstance(env.np_random, MAKE[kind])
