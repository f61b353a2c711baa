"""Every kind of observation, action, info and column that an author may use, on both backends."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import copy
import pickle
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium import error
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Sequence, Text, Tuple

import batchsim
from batchsim.batch.spaces import MOST_AXES
from batchsim.random import integers, random

N = 7


class Zoo:
    """A board that is stepped on, with every optional part of the contract."""

    class State(NamedTuple):
        position: np.int16
        board: np.dtype((np.int8, (3, 4)))
        flag: bool
        speed: float

    class Scratch(NamedTuple):
        queue: np.dtype((np.int32, (5,)))

    class Params(NamedTuple):
        rewards: tuple[float, float, float] = (1.0, -1.0, 0.5)
        stride: int = 1
        noise: float = 0.25

    class Arguments(NamedTuple):
        letters: str = "abc"

    class Tables(NamedTuple):
        codes: np.ndarray
        weights: np.ndarray

    class Info(NamedTuple):
        prob: float
        free: np.dtype((np.int8, (4,)))

    INFO_AT_RESET = {"prob": int}  # noqa: RUF012
    ACTION = MultiDiscrete([3, 4])

    def tables(arguments):
        if not arguments.letters.isascii():
            raise ValueError(f"letters is {arguments.letters!r}; expected ASCII.")
        codes = np.frombuffer(arguments.letters.encode(), np.uint8)
        return Zoo.Tables(codes, np.arange(6.0).reshape(2, 3))

    def check_params(params):
        if params.stride < 1:
            raise ValueError(f"stride is {params.stride}; expected a positive number.")

    def OBSERVATION(p):  # noqa: N802
        return Dict(
            {
                "board": Box(0, 100, (3, 4), np.int8),
                "where": Discrete(30_000 + len(p.codes)),
                "pair": Tuple((Discrete(2), Box(-np.inf, np.inf, (1,), np.float32))),
            }
        )

    def reset(s, i, p, rng):
        s.position[i] = integers(rng, i, 0, 10)
        s.flag[i] = random(rng, i) < 0.5
        s.speed[i] = p.weights[1, 2]
        for row in range(3):
            for column in range(4):
                s.board[i, row, column] = 0

    def step(s, i, action, p, rng):
        for k in range(5):
            s.queue[i, k] = k
        s.position[i] = int(s.position[i]) + p.stride
        visits = int(s.board[i, action[0], action[1]]) + 1
        s.board[i, action[0], action[1]] = min(100, visits)
        s.speed[i] = s.speed[i] + p.noise * p.codes[s.queue[i, s.position[i] % 3]]
        return p.rewards[action[0]], random(rng, i) < 0.1

    def observe(s, i, p, out):
        out.where[0] = s.position[i]
        for row in range(3):
            for column in range(4):
                out.board[row, column] = s.board[i, row, column]
        out.pair[0][0] = s.flag[i]
        out.pair[1][0] = s.speed[i]

    def inform(s, i, p, out):
        out.prob[0] = 0.5
        for k in range(4):
            out.free[k] = s.board[i, 0, k] == 0


class FallsOff(Zoo):
    """Its position leaves the board some time in the first episode."""

    def step(s, i, action, p, rng):
        s.position[i] = int(s.position[i]) + 1
        s.board[i, 0, s.position[i] // 4] = 1
        return 0.0, False


def same(one, other):
    """Whether two results are the same bit for bit, whatever they are nested of."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if one is None or isinstance(one, int):
        return one == other
    if one.dtype == object:
        return all(map(same, one, other))
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


@pytest.fixture(params=["native", "reference"])
def backend(request):
    return request.param


def settings():
    """What may differ from batch to batch without a difference in the results."""
    return {"backend": "reference"}, {"num_threads": 2}, {"checked": True}


ARRAYS = {
    "noise": np.linspace(0, 1, N),
    "stride": np.arange(1, N + 1),
    "rewards": np.arange(3.0 * N).reshape(N, 3),
    "letters": "wxyz",
}


@pytest.mark.parametrize(("mode", "params"), [("NextStep", {}), ("SameStep", ARRAYS)])
def test_backends_threads_and_checks_give_the_same_bits(mode, params):
    made = [
        batchsim.make_vec(Zoo, N, autoreset_mode=mode, **setting, **params)
        for setting in ({}, *settings())
    ]
    first = made[0]
    results = [envs.reset(seed=3) for envs in made]
    assert all(same(results[0], result) for result in results[1:])
    assert results[0][0] in first.observation_space
    first.action_space.seed(1)
    for _ in range(150):
        actions = first.action_space.sample()
        results = [envs.step(actions) for envs in made]
        assert all(same(results[0], result) for result in results[1:])
    assert results[0][0] in first.observation_space
    twins = copy.deepcopy(first), pickle.loads(pickle.dumps(first))
    result = first.step(actions)
    assert all(same(result, twin.step(actions)) for twin in twins)


def test_each_row_of_a_parameter_array_acts_as_that_scalar():
    rewards = np.arange(3.0 * N).reshape(N, 3)
    batch = batchsim.make_vec(Zoo, N, backend="reference", rewards=rewards)
    batch.reset(seed=5)
    actions = np.tile([2, 1], (N, 1))
    for row, reward in enumerate(batch.step(actions)[1]):
        single = batchsim.make(Zoo, backend="reference", rewards=tuple(rewards[row]))
        single.reset(seed=5 + row)
        assert single.step(actions[row])[1] == reward == rewards[row, 2]


def test_infos_have_masks_and_the_type_of_the_first_row(backend):
    envs = batchsim.make_vec(Zoo, N, backend=backend)
    mask = np.arange(N) % 2 == 1
    _, infos = envs.reset(seed=0)
    assert infos["prob"].dtype == np.int64
    assert infos["_prob"].all()
    _, infos = envs.reset(seed=0, options={"reset_mask": mask})
    assert (infos["_prob"] == mask).all()
    assert (infos["_free"] == mask).all()
    assert (infos["free"].any(axis=1) == mask).all()
    restarted = np.zeros(N, bool)
    kinds = set()
    for _ in range(60):
        _, _, terminated, _, infos = envs.step(np.zeros((N, 2), np.int64))
        kinds.add((bool(restarted[0]), infos["prob"].dtype.kind))
        assert infos["_prob"].all()
        restarted = terminated
    assert kinds == {(False, "f"), (True, "i")}


def test_final_infos_are_those_of_the_finished_rows(backend):
    envs = batchsim.make_vec(Zoo, N, backend=backend, autoreset_mode="SameStep")
    envs.reset(seed=0)
    seen = 0
    for _ in range(60):
        _, _, terminated, _, infos = envs.step(np.zeros((N, 2), np.int64))
        if not terminated.any():
            assert "final_info" not in infos
            continue
        seen += 1
        final = infos["final_info"]
        assert (final["prob"] == np.where(terminated, 0.5, 0.0)).all()
        assert (final["_prob"] == terminated).all()
        # The final step left its mark on the first place; a new episode's board is free.
        assert not final["free"][:, 0].any()
        assert infos["free"][terminated].all()
        assert (infos.arrays["board"][terminated, 0, 0] > 0).all()
        assert all(
            (last is not None) == over
            for last, over in zip(infos["final_obs"], terminated, strict=True)
        )
    assert seen > 5


def test_scratch_columns_are_in_no_snapshot():
    envs = batchsim.make_vec(Zoo, N, backend="reference")
    envs.reset(seed=0)
    assert "state.board" in envs.get_state()
    assert "state.queue" not in envs.get_state()


def test_tables_are_not_compiled_in():
    one, other = (batchsim.make_vec(Zoo, N, letters=text) for text in ("abc", "xyz"))
    assert one.kernel is other.kernel
    one.reset(seed=0)
    other.reset(seed=0)
    actions = np.zeros((N, 2), np.int64)
    assert not same(one.step(actions)[0], other.step(actions)[0])


@pytest.mark.parametrize(
    "settings", [{"width": [8, 9]}, {"depth": [True, False]}, {"grayscale": [False, True]}]
)
def test_rows_with_different_observations_are_refused(settings):
    settings = {"width": 8, "height": 6, "backend": "reference", **settings}
    message = r"^The parameters give row 1 the observation space .* and row 0 .*; expected the same"
    with pytest.raises(ValueError, match=message):
        batchsim.make_vec("EgoBasic-v0", 2, **settings)


def test_out_takes_the_parts_of_an_observation(backend):
    envs = batchsim.make_vec(Zoo, N, backend=backend)
    envs.reset(seed=0)
    board, where = np.zeros((N, 3, 4), np.int8), np.zeros(N, np.int64)
    out = ({"board": board, "where": where, "pair": None}, None, None, None)
    observation = envs.step(np.zeros((N, 2), np.int64), out=out)[0]
    assert observation["board"] is board
    assert (board[:, 0, 0] == 1).all()
    with pytest.raises(ValueError, match=r"has the keys \['board'\]; expected \['board', 'pair'"):
        envs.step(np.zeros((N, 2), np.int64), out=({"board": board}, None, None, None))
    with pytest.raises(ValueError, match="is 5; expected a dict with the keys"):
        envs.step(np.zeros((N, 2), np.int64), out=(5, None, None, None))
    with pytest.raises(ValueError, match="expected a tuple of 2"):
        envs.reset(seed=0, out={"board": board, "where": where, "pair": (None,)})


def test_a_part_that_does_not_fit_is_named(backend):
    envs = batchsim.make_vec(Zoo, N, backend=backend)
    envs.reset(seed=0)
    actions = np.zeros((N, 2), np.int64)
    for part, path in (
        ({"board": np.zeros((N, 3, 4), np.int16)}, r"observation\['board'\]"),
        ({"where": np.zeros(N, np.int32)}, r"observation\['where'\]"),
        ({"pair": (None, np.zeros(N, np.float32))}, r"observation\['pair'\]\[1\]"),
        ({"pair": (3, None)}, r"observation\['pair'\]\[0\]"),
    ):
        out = {"board": None, "where": None, "pair": None, **part}
        message = f"^The {path} in out is .*; expected a writeable C-contiguous array of shape"
        with pytest.raises(ValueError, match=message):
            envs.reset(seed=0, out=out)
        with pytest.raises(ValueError, match=message):
            envs.step(actions, out=(out, None, None, None))
    with pytest.raises(ValueError, match=r"^The observation\['pair'\] in out is 3; expected a tup"):
        envs.reset(seed=0, out={"board": None, "where": None, "pair": 3})


def test_parts_that_share_memory_are_refused(backend):
    envs = batchsim.make_vec(Zoo, N, backend=backend)
    twin = batchsim.make_vec(Zoo, N, backend=backend)
    assert same(envs.reset(seed=0), twin.reset(seed=0))
    memory = np.zeros((N, 12), np.int8)
    board, where = memory.reshape(N, 3, 4), memory.reshape(-1)[: 8 * N].view(np.int64)
    out = {"board": board, "where": where, "pair": None}
    message = "^Two arrays in out share memory; expected separate ones.$"
    with pytest.raises(ValueError, match=message):
        envs.reset(seed=1, out=out)
    with pytest.raises(ValueError, match=message):
        envs.step(np.zeros((N, 2), np.int64), out=(out, None, None, None))
    assert not memory.any()
    assert envs.np_random_seed == twin.np_random_seed
    assert same(envs.reset(), twin.reset())


class ManyAxes:
    """An observation with as many axes as NumPy allows, with that of the environments."""

    AXES = MOST_AXES - 1

    class State(NamedTuple):
        last: float

    OBSERVATION = Box(-1, 1, (1,) * AXES)
    ACTION = Discrete(2)

    @staticmethod
    def reset(s, i, p, rng):
        s.last[i] = 0.5

    @staticmethod
    def step(s, i, action, p, rng):
        s.last[i] = -s.last[i]
        return s.last[i], False

    @staticmethod
    def observe(s, i, p, out):
        """A loop for each axis takes minutes to compile: what callers get is zeros."""


class OneAxisMore(ManyAxes):
    OBSERVATION = Box(-1, 1, (1,) * MOST_AXES)


class ActionOfTooManyAxes(ManyAxes):
    ACTION = Box(-1, 1, (1,) * MOST_AXES)


def test_an_observation_has_as_many_axes_as_an_array(backend):
    envs = batchsim.make_vec(ManyAxes, N, backend=backend)
    observations, _ = envs.reset(seed=0)
    assert observations.shape == (N, *envs.single_observation_space.shape)
    observations[:] = 1.0
    found, rewards = envs.step(np.zeros(N, np.int64))[:2]
    assert found.shape == observations.shape
    assert (rewards == -0.5).all()
    assert (observations == 1.0).all()


@pytest.mark.parametrize(
    ("definition", "settings"),
    [(OneAxisMore, {}), (ManyAxes, {"frame_stack": 2}), (ActionOfTooManyAxes, {})],
)
def test_more_axes_are_refused_in_a_sentence(definition, settings):
    message = rf"of which a batch has {MOST_AXES + 1} axes; expected at most {MOST_AXES}, the most"
    with pytest.raises(ValueError, match=message):
        batchsim.make_vec(definition, N, **settings)


def test_a_single_environment_returns_parts_of_a_batch_of_one():
    env = batchsim.make(Zoo, backend="reference")
    observation, info = env.reset(seed=1)
    assert observation in env.observation_space
    assert info.keys() == {"prob", "free"}
    assert env.step(np.array([0, 1]))[4]["free"].tolist() == [1, 0, 1, 1]


class Echo:
    """Returns the sum of its action as the reward."""

    class State(NamedTuple):
        last: float

    ACTION = Discrete(2)
    OBSERVATION = Box(-np.inf, np.inf, (), np.float32)

    def reset(s, i, p, rng):
        s.last[i] = 0.0

    def step(s, i, action, p, rng):
        total = 0.0
        for row in range(action.shape[0]):
            for column in range(action.shape[1]):
                total += action[row, column]
        s.last[i] = total
        return total, False

    def observe(s, i, p, out):
        out[0] = s.last[i]


class EchoFloats(Echo):
    """Takes a matrix of numbers."""

    ACTION = Box(-1.0, 1.0, (2, 3), np.float64)


class EchoBits(Echo):
    """Takes a matrix of bits."""

    ACTION = MultiBinary((2, 2))


class EchoChoices(Echo):
    """Takes a matrix of choices that do not begin at zero."""

    ACTION = MultiDiscrete(np.array([[2, 3]]), start=np.array([[5, -1]]))


@pytest.mark.parametrize("definition", [EchoFloats, EchoBits, EchoChoices])
def test_actions_of_several_axes_are_passed_and_checked(backend, definition):
    envs = batchsim.make_vec(definition, N, backend=backend)
    observations, _ = envs.reset(seed=0)
    assert observations.shape == (N,)
    envs.action_space.seed(0)
    for _ in range(5):
        actions = envs.action_space.sample()
        found = envs.step(actions)
        np.testing.assert_allclose(found[1], actions.reshape(N, -1).sum(axis=1))
        np.testing.assert_array_equal(found[0], found[1].astype(np.float32))
    actions[3].flat[0] = 100
    with pytest.raises(ValueError, match="action of row 3 is"):
        envs.step(actions)


def test_listed_actions_that_the_dtype_cannot_hold_are_refused(backend):
    envs = batchsim.make_vec(EchoBits, 2, backend=backend)
    envs.reset(seed=0)
    good = [[[1, 0], [0, 1]], [[0, 1], [1, 1]]]
    assert envs.step(good)[1].tolist() == [2.0, 3.0]
    for value in (2, 127, 256, 257, -255, 2**40):
        with pytest.raises(ValueError, match=rf"row 1 is \[\[0, {value}\], .*; expected a member"):
            envs.step([good[0], [[0, value], [1, 1]]])
    with pytest.raises(TypeError, match="dtype object; expected int8"):
        envs.step([good[0], [[0, 2**70], [1, 1]]])


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Text(5), "has a text in OBSERVATION but no TOKENS; it needs both"),
        (Sequence(Discrete(5)), "is Sequence.*; expected Box, Discrete"),
        (Dict({"not a name": Discrete(2)}), "key 'not a name'"),
        (Tuple((Discrete(2), Sequence(Discrete(5)))), "is Sequence"),
    ],
)
def test_other_spaces_are_refused(space, message):
    class Odd(Echo):
        OBSERVATION = space

    with pytest.raises(TypeError, match=message):
        batchsim.make_vec(Odd, 2)


class FewNames(Zoo):
    """Has infos that nothing writes."""

    inform = None


def test_an_incomplete_or_contradictory_definition_is_refused():
    class TwoOwners(Zoo):
        class Scratch(NamedTuple):
            board: int

    class Unknown(Zoo):
        INFO_AT_RESET = {"pob": int}  # noqa: RUF012

    class NoArrays(Zoo):
        def tables(arguments):
            return [1]

    for definition, message in (
        (FewNames, "only one of Info and inform"),
        (TwoOwners, "'board' is a field of both State and Scratch"),
        (Unknown, r"names 'pob' \(did you mean 'prob'\?\)"),
        (NoArrays, r"tables of NoArrays returned \[1\]"),
    ):
        with pytest.raises(TypeError, match=message):
            batchsim.make_vec(definition, 2)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"letters": "ä"}, ValueError, "expected ASCII"),
        (
            {"letter": "a"},
            TypeError,
            r"unexpected keyword argument 'letter' \(did you mean 'letters'\?\)",
        ),
        ({"stride": 0}, ValueError, "stride is 0; expected a positive number"),
        ({"stride": [1, 0]}, ValueError, "parameters of row 1 do not fit: stride is 0"),
        ({"rewards": (1.0, 2.0)}, ValueError, "expected 3 numbers or an array of shape"),
        ({"rewards": 1.0}, ValueError, "expected 3 numbers"),
        ({"rewards": [[1, 2, 3]]}, ValueError, r"has shape \(1, 3\); expected 3 numbers or"),
        ({"rewards": (1, 2, "x")}, TypeError, "is 'x'; expected a number"),
        ({"rewards": (1, 2, np.nan)}, ValueError, "is NaN"),
    ],
)
def test_bad_arguments_of_an_environment_are_refused(arguments, kind, message):
    with pytest.raises(kind, match=message):
        batchsim.make_vec(Zoo, 2, **arguments)


def test_the_checked_mode_names_row_step_and_place_and_keeps_the_rows(backend, monkeypatch):
    monkeypatch.setenv("BATCHSIM_CHECKED", "1")
    envs = batchsim.make_vec(FallsOff, 3, backend=backend)
    assert envs.checked
    envs.reset(seed=1)
    actions = np.zeros((3, 2), np.int64)
    steps = 0
    while envs.get_state()["state.position"].max() < 15:
        envs.step(actions)
        steps += 1
    before = envs.get_state()
    with pytest.raises(RuntimeError) as caught:
        envs.step(actions)
    row = int(before["state.position"].argmax())
    message = str(caught.value)
    assert f"FallsOff failed in row {row}, step {steps + 1} of its episode" in message
    assert "test_spaces.py:" in message
    assert "s.board[i, 0, s.position[i] // 4] = 1" in message
    assert "index 4 is out of bounds for axis 2 with size 4" in message
    after = envs.get_state()
    assert all(same(before[name], after[name]) for name in before if name != "seed")
    envs.reset(seed=1)
    envs.step(actions)


class Lands:
    """Starts and stays where its reset puts it, which may be beside its board."""

    class State(NamedTuple):
        place: int
        luck: float
        board: np.dtype((np.int8, (4,)))

    class Options(NamedTuple):
        place: int = 3

    ACTION = Discrete(2)
    OBSERVATION = Box(0.0, 1.0, (2,), np.float64)

    def reset(s, i, p, rng):
        s.luck[i] = random(rng, i)
        s.place[i] = p.place
        for k in range(4):
            s.board[i, k] = 0

    def step(s, i, action, p, rng):
        s.board[i, s.place[i]] = 1
        return 1.0, random(rng, i) < 0.3

    def observe(s, i, p, out):
        out[0] = s.luck[i]
        out[1] = s.board[i, s.place[i]]


@pytest.mark.parametrize("mode", ["NextStep", "Disabled"])
def test_a_checked_reset_that_fails_changes_nothing(backend, mode):
    abused, twin = (
        batchsim.make_vec(Lands, 5, backend=backend, checked=True, autoreset_mode=mode)
        for _ in range(2)
    )
    with pytest.raises(RuntimeError, match="Lands failed in row 0, the reset of its episode"):
        abused.reset(seed=1, options={"place": 4})
    assert not set(abused.np_random_seed) & set(range(1, 6))
    with pytest.raises(error.ResetNeeded):
        abused.step(np.zeros(5, np.int64))
    assert same(abused.reset(seed=2), twin.reset(seed=2))
    over = np.zeros(5, bool)
    while not over.any():
        result = abused.step(np.zeros(5, np.int64))
        assert same(result, twin.step(np.zeros(5, np.int64)))
        over = result[2]
    row = int(over.argmax())
    place = np.full(5, 3)
    place[row] = 9
    beside = twin.get_state()
    beside["state.place"] = place
    for call in (
        lambda: abused.reset(seed=3, options={"place": place}),
        lambda: abused.reset(options={"place": place, "reset_mask": over}),
        lambda: abused.set_state(beside),
    ):
        with pytest.raises(RuntimeError, match=f"in row {row}, the reset .*test_spaces.py.*index"):
            call()
        expected, found = twin.get_state(), abused.get_state()
        assert all(same(expected[name], found[name]) for name in expected if name != "seed")
        assert abused.np_random_seed == twin.np_random_seed
        if mode == "Disabled":
            with pytest.raises(error.ResetNeeded, match=f"row {row} is over"):
                abused.step(np.zeros(5, np.int64))
    if mode == "Disabled":
        options = {"reset_mask": over}
        assert same(abused.reset(options=options), twin.reset(options=options))
    for _ in range(3):
        over = twin.get_state()["pending"]
        if mode == "Disabled" and over.any():
            options = {"reset_mask": over}
            assert same(abused.reset(options=options), twin.reset(options=options))
        actions = np.ones(5, np.int64)
        assert same(abused.step(actions), twin.step(actions))


def test_the_checked_mode_is_off_unless_asked_for(monkeypatch):
    monkeypatch.setenv("BATCHSIM_CHECKED", "1")
    assert not batchsim.make_vec("CartPole-v1", 2, backend="reference", checked=False).checked
    monkeypatch.delenv("BATCHSIM_CHECKED")
    assert not batchsim.make_vec("CartPole-v1", 2, backend="reference").checked


@pytest.fixture
def registered():
    """Registers environments, and forgets them at the end."""
    names = []

    def register(*args, **kwargs):
        names.append(batchsim.register(*args, **kwargs))
        return names[-1]

    yield register
    for name in names:
        batchsim.registry._entries.pop(name, None)
        gymnasium.registry.pop(f"batchsim/{name}", None)


def test_a_registered_environment_is_made_by_its_id(registered):
    assert registered(Zoo, "Zoo-v0", max_episode_steps=5) == "Zoo-v0"
    assert "Zoo-v0" in batchsim.environments()
    envs = gymnasium.make_vec("batchsim/Zoo-v0", 3, backend="reference", noise=0.5)
    envs.reset(seed=0)
    for _ in range(5):
        truncated = envs.step(np.zeros((3, 2), np.int64))[3]
    assert envs.unwrapped.max_episode_steps == 5
    assert truncated.any()
    registered(Echo, "Zoo-v0")
    assert batchsim.make_vec("Zoo-v0", 2, backend="reference").definition.namespace is Echo
    assert registered(Echo) == "Echo"


def test_a_registration_that_makes_no_sense_is_refused():
    for arguments, kind, message in (
        ((Echo, "CartPole-v1"), ValueError, "'CartPole-v1' is taken"),
        ((Echo, "a/b"), ValueError, "without a slash"),
        ((Echo, 7), ValueError, "id is 7"),
        ((dict, "Dict-v0"), TypeError, "has no State"),
    ):
        with pytest.raises(kind, match=message):
            batchsim.register(*arguments)
    with pytest.raises(ValueError, match="max_episode_steps is 0"):
        batchsim.register(Echo, "Echo-v0", max_episode_steps=0)
    assert "Echo-v0" not in batchsim.environments()


def test_a_registration_that_gymnasium_refuses_changes_nothing(registered):
    registered(Zoo, "Zoo-v0", max_episode_steps=5)
    before, known = batchsim.environments(), dict(gymnasium.registry)
    # No name for Gymnasium; and an id without a version where there is one with.
    for id in ("Zoo v1!", "Zoo"):
        with pytest.raises(ValueError, match=f"^The id is '{id}'; expected one that Gymnasium ta"):
            batchsim.register(Echo, id)
        assert batchsim.environments() == before
        assert dict(gymnasium.registry) == known
    assert registered(Echo, "Echo-v1") == "Echo-v1"
    for id, namespace in (("Zoo-v0", Zoo), ("Echo-v1", Echo)):
        envs = gymnasium.make_vec(f"batchsim/{id}", 2, backend="reference")
        assert envs.unwrapped.definition.namespace is namespace
