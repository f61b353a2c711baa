"""Stacked frames: the bits of Gymnasium's `FrameStackObservation`, whatever the observations."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import copy
import pickle
from collections import deque
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import FrameStackObservation

import batchsim
from batchsim.random import integers, random

K = 3  # no power of two
N = 5
LIMIT = 7
DISABLED, NEXT_STEP, SAME_STEP = (
    AutoresetMode.DISABLED,
    AutoresetMode.NEXT_STEP,
    AutoresetMode.SAME_STEP,
)


@pytest.fixture(params=oracle.MODES, ids=lambda mode: mode.value)
def mode(request):
    return request.param


@pytest.fixture
def beside(opened):
    """Gymnasium's environments in its wrapper, beside BatchEnvs of each of `settings`."""

    def make(name, mode, settings, frames=K, n=N, **kwargs):
        reference = oracle.upstream(
            name, n, mode, wrappers=[lambda env: FrameStackObservation(env, frames)], **kwargs
        )
        subjects = {}
        for label, setting in settings.items():
            env = batchsim.make_vec(
                name, n, autoreset_mode=mode, frame_stack=frames, **setting, **kwargs
            )
            function = oracle.send_and_receive if label == "send and recv" else oracle.step
            subjects[label] = env, function
        return opened(oracle.SideBySide(reference, subjects))

    return make


REFERENCE = {"reference": {"backend": "reference"}}
NATIVE = {"one thread": {"num_threads": 1}, "send and recv": {"num_threads": 2}}


@pytest.mark.parametrize("name", oracle.IDS)
def test_every_step_has_the_bits_of_gymnasiums_wrapper(beside, name, mode):
    pair = beside(name, mode, REFERENCE, max_episode_steps=LIMIT)
    (env, _) = pair.subjects["reference"]
    assert env.single_observation_space == pair.reference.single_observation_space
    assert env.observation_space == pair.reference.observation_space
    for seed in (2, None):
        pair.reset(seed=seed)
        pair.run(3 * LIMIT, oracle.Actions(pair.reference))
    pair.compare_streams()
    assert pair.episodes >= N


NATIVE_KERNELS = [*(("CartPole-v1", mode) for mode in oracle.MODES), ("Blackjack-v1", SAME_STEP)]
"""Compiling one takes seconds: an array, and scalars in a Tuple."""


@pytest.mark.parametrize(("name", "mode"), NATIVE_KERNELS)
def test_machine_code_has_the_bits_of_gymnasiums_wrapper(beside, name, mode):
    pair = beside(name, mode, NATIVE, n=70, max_episode_steps=LIMIT)
    pair.reset(seed=2)
    pair.run(5 * LIMIT, oracle.Actions(pair.reference))
    pair.compare_streams()
    assert pair.episodes >= 140


@pytest.mark.parametrize("mode", [NEXT_STEP, DISABLED])
def test_rows_that_are_not_reset_keep_their_frames(beside, mode):
    pair = beside("CartPole-v1", mode, {**REFERENCE, **NATIVE}, max_episode_steps=LIMIT)
    actions = oracle.Actions(pair.reference)
    rng = np.random.default_rng(0)
    pair.reset(seed=8)
    for _ in range(12):
        pair.run(int(rng.integers(0, 4)), actions)
        mask = rng.random(N) < 0.4
        mask[0] = True
        if mode is DISABLED and pair.over is not None:
            mask |= pair.over
        pair.reset(options={"reset_mask": mask})
    pair.compare_streams()


@pytest.mark.parametrize("frames", [2, 4, LIMIT, 40])
def test_any_number_of_frames_has_the_bits_of_gymnasiums_wrapper(beside, frames):
    pair = beside("Pendulum-v1", NEXT_STEP, REFERENCE, frames, max_episode_steps=LIMIT)
    pair.reset(seed=3)
    pair.run(4 * LIMIT, oracle.Actions(pair.reference))


def test_one_environment_has_the_bits_of_gymnasiums_wrapper(opened):
    reference = opened(FrameStackObservation(gymnasium.make("CartPole-v1"), K))
    subject = opened(batchsim.make("CartPole-v1", frame_stack=K))
    assert subject.observation_space == reference.observation_space
    for seed in range(3):
        assert oracle.bits(subject.reset(seed=seed)[0]) == oracle.bits(
            reference.reset(seed=seed)[0]
        )
        over = False
        while not over:
            expected = reference.step(seed % 2)
            found = subject.step(seed % 2)
            assert oracle.bits(found[0]) == oracle.bits(expected[0])
            assert found[1:4] == expected[1:4]
            over = expected[2] or expected[3]


# -- environments without an original: the oracle is a queue of the frames of a batch without ------


class Menagerie:
    """Every kind of space as an observation; it has no original."""

    class State(NamedTuple):
        count: int
        noise: float

    class Info(NamedTuple):
        prob: float

    ACTION = Discrete(2)
    OBSERVATION = Dict(
        {
            "zebra": Box(-1, 1, (2, 3), np.float32),
            "ape": Tuple((Discrete(2000, start=5), MultiBinary(4), Box(0, 1, (), np.float64))),
            "yak": Dict({"hoof": MultiDiscrete([50, 7])}),
        }
    )

    def reset(s, i, p, rng):
        s.count[i] = integers(rng, i, 0, 40)
        s.noise[i] = random(rng, i)

    def step(s, i, action, p, rng):
        s.count[i] += 1
        s.noise[i] = random(rng, i)
        return s.noise[i], s.noise[i] < 0.15

    def observe(s, i, p, out):
        for row in range(2):
            for column in range(3):
                out.zebra[row, column] = s.noise[i] / (1 + row + column)
        out.ape[0][0] = 5 + s.count[i]
        for k in range(4):
            out.ape[1][k] = (s.count[i] >> k) & 1
        out.ape[2][0] = s.noise[i]
        out.yak.hoof[0] = s.count[i] % 50
        out.yak.hoof[1] = s.count[i] % 7

    def inform(s, i, p, out):
        out.prob[0] = s.noise[i]


def arrays(nested):
    """The arrays of an observation, in the order of their names."""
    if isinstance(nested, dict):
        return [array for key in sorted(nested) for array in arrays(nested[key])]
    if isinstance(nested, tuple):
        return [array for member in nested for array in arrays(member)]
    return [nested]


def assert_same(expected, found):
    """Assert that two observations, however nested, are the same bit for bit."""
    for k, (one, other) in enumerate(zip(arrays(expected), arrays(found), strict=True)):
        oracle.assert_same_array(one, other, f"leaf {k}")


class Queues:
    """The last frames of each row of a batch that does not stack, with NEXT_STEP autoreset."""

    def __init__(self, envs):
        self.envs = envs
        self.queues = [deque(maxlen=K) for _ in range(envs.num_envs)]
        self.over = np.ones(envs.num_envs, bool)

    def reset(self, **kwargs):
        self.over[:] = True
        return self.add(self.envs.reset(**kwargs)[0])

    def step(self, actions):
        observations, _, terminated, truncated, _ = self.envs.step(actions)
        stacked = self.add(observations)
        self.over = terminated | truncated
        return stacked

    def add(self, observations):
        leaves = arrays(observations)
        for row, queue in enumerate(self.queues):
            queue.extend([[leaf[row] for leaf in leaves]] * (K if self.over[row] else 1))
        self.over[:] = False
        return tuple(
            np.array([[frame[k] for frame in queue] for queue in self.queues], leaf.dtype)
            for k, leaf in enumerate(leaves)
        )


BOTH = ("native", "reference")


@pytest.mark.parametrize(
    ("definition", "backends", "settings"),
    [
        (Menagerie, BOTH, {}),
        ("EgoBasic-v0", BOTH, {"width": 12, "height": 10, "max_episode_steps": LIMIT}),
        ("CartPole-v1", ["reference"], {"precision": "fast", "max_episode_steps": LIMIT}),
        (
            "CartPole-v1",
            ["reference"],
            {"gravity": np.arange(1.0, N + 1), "max_episode_steps": LIMIT},
        ),
    ],
    ids=["every space", "pictures", "fast precision", "parameters by row"],
)
def test_a_stack_is_the_last_frames_of_a_batch_that_does_not_stack(
    opened, definition, backends, settings
):
    plain = opened(batchsim.make_vec(definition, N, backend="reference", **settings))
    subjects = [
        opened(batchsim.make_vec(definition, N, backend=backend, frame_stack=K, **settings))
        for backend in backends
    ]
    queues = Queues(plain)
    expected = queues.reset(seed=4)
    for envs in subjects:
        found = envs.reset(seed=4)[0]
        assert_same(expected, found)
        assert envs.single_observation_space == batch_space(plain.single_observation_space, K)
        assert envs.observation_space.contains(found)
    actions = oracle.Actions(plain)
    restarts = 0
    for _ in range(25):
        batch = actions()
        expected = queues.step(batch)
        restarts += queues.over.sum()
        for envs in subjects:
            assert_same(expected, envs.step(batch)[0])
    assert restarts >= N


def test_infos_are_those_of_a_batch_that_does_not_stack(opened, mode):
    settings = {"autoreset_mode": mode, "backend": "reference", "record_episode_statistics": True}
    plain, stacking = (
        opened(batchsim.make_vec(Menagerie, N, frame_stack=frames, **settings)) for frames in (1, K)
    )
    oracle.assert_same_infos(plain.reset(seed=1)[1], stacking.reset(seed=1)[1], "reset")
    ended = 0
    for _ in range(40):
        one, other = (envs.step(np.zeros(N, np.int64)) for envs in (plain, stacking))
        oracle.assert_same_array(one[1], other[1], "rewards")
        for infos in (one[4], other[4]):
            if "episode" in infos:
                del infos["episode"]["t"]  # seconds
            infos.pop("final_obs", None)
        oracle.assert_same_infos(one[4], other[4], "step")
        ended += "episode" in one[4]
        if mode is DISABLED and one[2].any():
            for envs in (plain, stacking):
                envs.reset(options={"reset_mask": one[2]})
    assert ended > 3


class Counts(Menagerie):
    """Counts how often it is observed, where nobody compiles it."""

    drawn = 0

    def observe(s, i, p, out):
        Counts.drawn += 1
        Menagerie.observe(s, i, p, out)


def test_a_frame_is_drawn_once(opened, mode):
    envs = opened(
        batchsim.make_vec(Counts, N, autoreset_mode=mode, backend="reference", frame_stack=K)
    )
    Counts.drawn = 0
    envs.reset(seed=0)
    assert Counts.drawn == N
    for _ in range(20):
        Counts.drawn = 0
        over = envs.step(np.zeros(N, np.int64))[2]
        assert Counts.drawn == N + (over.sum() if mode is SAME_STEP else 0)
        if mode is DISABLED and over.any():
            Counts.drawn = 0
            envs.reset(options={"reset_mask": over})
            assert Counts.drawn == over.sum()
    Counts.drawn = 0
    envs.set_state(envs.get_state())
    assert Counts.drawn == 0


def test_one_frame_is_no_stack(opened):
    plain, one = (
        opened(batchsim.make_vec("CartPole-v1", N, **given)) for given in ({}, {"frame_stack": 1})
    )
    assert one.kernel is plain.kernel
    assert one.single_observation_space == plain.single_observation_space


# -- snapshots, copies, parts, and arrays of the caller's ------------------------------------------


def stacking(name="CartPole-v1", **settings):
    """A batch that stacks, in the midst of its episodes; CartPole's kernel is that of above."""
    envs = batchsim.make_vec(name, 6, frame_stack=K, max_episode_steps=LIMIT, **settings)
    envs.reset(seed=3)
    actions = oracle.Actions(envs)
    for _ in range(LIMIT + 4):
        envs.step(actions())
    return envs


def steps(envs, count=3 * LIMIT):
    """What so many steps return, without their infos."""
    actions = oracle.Actions(envs, seed=7)
    return [[*map(oracle.bits, envs.step(actions())[:4])] for _ in range(count)]


def test_replaying_from_a_snapshot_gives_the_same_frames():
    envs = stacking()
    state = envs.get_state()
    observations = envs.set_state(state)
    first = steps(envs)
    assert (envs.set_state(state) == observations).all()
    assert steps(envs) == first
    other = batchsim.make_vec(
        "CartPole-v1", 6, backend="reference", frame_stack=K, max_episode_steps=LIMIT
    )
    assert (other.set_state(state) == observations).all()
    assert steps(other) == first


def test_rows_of_a_snapshot_bring_their_frames_along():
    envs = stacking()
    before = envs.set_state(envs.get_state())
    after = envs.set_state(envs.get_state([4, 1]), [0, 2])
    assert (after == before[[4, 1, 1, 3, 4, 5]]).all()


def test_a_snapshot_without_the_frames_is_refused():
    envs, plain = stacking(), batchsim.make_vec("CartPole-v1", 6, backend="reference")
    plain.reset(seed=0)
    with pytest.raises(ValueError, match=r"^The snapshot has no field 'frames'; expected "):
        envs.set_state(plain.get_state())
    with pytest.raises(ValueError, match=r"^The snapshot has an unexpected field 'frames'; expec"):
        plain.set_state(envs.get_state())
    four = batchsim.make_vec("CartPole-v1", 6, backend="reference", frame_stack=4)
    with pytest.raises(ValueError, match=r"^The snapshot's frames has shape \(6, 3, 4\)"):
        four.set_state(envs.get_state())


def test_each_part_of_an_observation_has_its_frames_in_a_snapshot():
    fields = set(stacking(Menagerie, backend="reference").get_state())
    assert {"frames['zebra']", "frames['ape'][2]", "frames['yak']['hoof']"} <= fields


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda envs: pickle.loads(pickle.dumps(envs))])
def test_a_copy_goes_on_with_the_same_frames(copier):
    envs = stacking()
    assert steps(copier(envs)) == steps(envs)


def test_parts_do_what_the_whole_does():
    whole, other = stacking(), stacking()
    parts = other.split(2)
    actions = oracle.Actions(whole)
    for _ in range(2 * LIMIT):
        batch = actions()
        expected = whole.step(batch)[0]
        for part, some in zip(parts, np.split(batch, 2), strict=True):
            part.send(some)
        assert (np.concatenate([part.recv()[0] for part in parts]) == expected).all()


def test_out_takes_the_stack():
    envs, other = stacking(), stacking()
    storage = np.zeros((4, *envs.observation_space.shape), np.float32)
    actions = oracle.Actions(envs)
    for t in range(4):
        batch = actions()
        envs.step(batch, out=(storage[t], None, None, None))
        assert (other.step(batch)[0] == storage[t]).all()
    wrong = np.zeros((6, 4), np.float32)
    with pytest.raises(ValueError, match=r"expected a writeable .* shape \(6, 3, 4\) and dtype fl"):
        envs.step(batch, out=(wrong, None, None, None))


class Vanishes(Menagerie):
    """Cannot be observed after action 1."""

    def step(s, i, action, p, rng):
        s.noise[i] = 0.5 - action
        return 0.0, False

    def observe(s, i, p, out):
        assert s.noise[i] >= 0.0
        Menagerie.observe(s, i, p, out)


def test_the_frames_of_a_step_that_failed_are_as_they_were(opened):
    envs = opened(batchsim.make_vec(Vanishes, N, backend="reference", frame_stack=K, checked=True))
    envs.reset(seed=0)
    for _ in range(2):
        envs.step(np.zeros(N, np.int64))
    before = envs.get_state()
    with pytest.raises(RuntimeError, match=r"in row 4, step 3 of its episode.*no row was ch"):
        envs.step(np.array([0, 0, 0, 0, 1]))
    after = envs.get_state()
    assert all((after[name] == before[name]).all() for name in before)


@pytest.mark.parametrize("make", [batchsim.make_vec, batchsim.make])
def test_a_misspelt_argument_is_recognised(make):
    with pytest.raises(
        TypeError, match=r"'frame_stak' \(did you mean 'frame_stack'\?\); its param"
    ):
        make("CartPole-v1", frame_stak=4)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1025, ValueError),
        (10**30, ValueError),
        (2.5, TypeError),
        (2.0, TypeError),
        (True, TypeError),
        ("4", TypeError),
        (None, TypeError),
        ([2], TypeError),
    ],
)
@pytest.mark.parametrize("make", [batchsim.make_vec, batchsim.make])
def test_what_is_no_number_of_frames_is_refused(make, value, kind):
    with pytest.raises(kind) as caught:
        make("CartPole-v1", frame_stack=value)
    assert str(caught.value) == (
        f"frame_stack is {value!r}; expected a whole number of at least 1 and at most 1024."
    )
