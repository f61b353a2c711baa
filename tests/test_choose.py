"""`choose`: definitions that a caller's arguments choose, and pictures that are put together."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import copy
import pickle
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim import registry
from batchsim.checking.problems import CheckError

N = 5


class Arguments(NamedTuple):
    view: str = "place"
    tile: int = 8


class Tables(NamedTuple):
    tiles: np.ndarray


class Walk:
    """Walks to the right; where it is, is a number, or a picture of tiles."""

    class State(NamedTuple):
        place: int

    Arguments = Arguments
    ACTION = Discrete(2)
    OBSERVATION = Box(0, 99, (1,), np.int64)
    MAX_EPISODE_STEPS = 7

    @classmethod
    def choose(cls, arguments):
        if arguments.view not in VIEWS:
            raise ValueError(f"view is {arguments.view!r}; expected one of {', '.join(VIEWS)}.")
        return VIEWS[arguments.view] or cls

    def reset(s, i, p, rng):
        s.place[i] = 0

    def step(s, i, action, p, rng):
        s.place[i] += action
        return 1.0, s.place[i] > 4

    def observe(s, i, p, out):
        out[0] = s.place[i]


class Pictured(Walk):
    def tables(p):
        shape = (8, p.tile, p.tile, 3)
        return Tables((np.arange(np.prod(shape)) * 7 % 251).reshape(shape).astype(np.uint8))

    def OBSERVATION(p):  # noqa: N802
        return Box(0, 255, (3 * p.tile, 2 * p.tile, 3), np.uint8)

    def observe(s, i, p, out):
        size = p.tiles.shape[1]
        for row in range(3):
            for column in range(2):
                top, left = row * size, column * size
                number = (s.place[i] + row + column) % 8
                if number == 0:
                    turned = np.transpose(p.tiles[0], (1, 0, 2))
                    out[top : top + size, left : left + size] = turned
                else:
                    out[top : top + size, left : left + size] = p.tiles[number]


class Flat(Pictured):
    def OBSERVATION(p):  # noqa: N802
        return Box(0, 255, (18 * p.tile * p.tile + 1,), np.uint8)

    def observe(s, i, p, out):
        size = p.tiles.shape[1]
        picture = out[1:].reshape(3 * size, 2 * size, 3)
        Pictured.observe(s, i, p, picture)
        out[0] = picture.T[2, 1, 0]
        picture.reshape(-1)[0] = s.place[i]


class Asked(Walk):
    class Arguments(NamedTuple):
        view: str = "place"


VIEWS = {"place": None, "picture": Pictured, "flat": Flat, "asked": Asked, "number": 3}


def picture(place, size):
    tiles = Pictured.tables(Arguments(tile=size)).tiles
    tiles[0] = tiles[0].transpose(1, 0, 2).copy()
    rows = [np.concatenate([tiles[(place + y + x) % 8] for x in (0, 1)], 1) for y in range(3)]
    return np.concatenate(rows)


def seen(place, view, size):
    if view == "place":
        return np.array([place])
    found = picture(place, size)
    if view == "picture":
        return found
    flat = np.concatenate([found[:1, 1, 2], found.ravel()])
    flat[1] = place
    return flat


def walk(envs, view, size):
    for _ in range(3):
        observations, *_ = envs.step(np.arange(N) % 2)
    for place, observation in zip(envs.get_attr("place"), observations, strict=True):
        expected = seen(place, view, size)
        assert np.array_equal(observation, expected)
        assert observation.shape == expected.shape
    return observations


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(("view", "size"), [("place", 8), ("picture", 3), ("flat", 8)])
def test_what_is_chosen_runs_and_copies_go_on_with_it(view, size, backend):
    envs = batchsim.make_vec(Walk, N, view=view, tile=size, backend=backend)
    envs.reset(seed=0)
    walk(envs, view, size)
    twin, unpickled = copy.deepcopy(envs), pickle.loads(pickle.dumps(envs))
    observations = walk(envs, view, size)
    for other in (twin, unpickled):
        assert np.array_equal(walk(other, view, size), observations)
    assert envs.definition.author is Walk


def test_a_pickle_is_of_the_class_that_was_asked():
    envs = batchsim.make_vec(Walk, N, view="flat", backend="reference")
    definition = pickle.loads(pickle.dumps(envs.definition))
    assert definition.namespace is Walk
    again = batchsim.make_vec(envs.definition, N, view="picture", backend="reference")
    assert again.definition.namespace is Pictured
    plain = batchsim.make_vec(envs.definition, N, backend="reference")
    assert plain.definition.namespace is Walk


def test_an_id_has_its_own_arguments_and_spec(registered):
    name = batchsim.register(Walk, "Chosen-v0", kwargs={"view": "picture"})
    envs = batchsim.make_vec(name, N, backend="reference")
    assert envs.single_observation_space.shape == (24, 16, 3)
    assert registry.read(envs.definition)[1] is registry.ENVIRONMENTS[name]
    env = gymnasium.make(f"batchsim/{name}", view="flat", backend="reference")
    assert env.observation_space.shape == (1153,)
    assert env.spec.kwargs["view"] == "flat"
    with pytest.raises(ValueError, match="view is 'none'; expected one of"):
        batchsim.register(Walk, "Chosen-v1", kwargs={"view": "none"})


def test_snapshots_go_on_in_what_observes_alike_only():
    envs = batchsim.make_vec(Walk, N, view="picture", backend="reference")
    envs.reset(seed=0)
    other = batchsim.make_vec(Walk, N, view="flat", backend="reference")
    with pytest.raises(ValueError, match="snapshot"):
        other.set_state(envs.get_state())


@pytest.mark.parametrize(
    ("view", "kind", "sentence"),
    [
        ("none", ValueError, "view is 'none'; expected one of place, "),
        ("number", TypeError, "choose of Walk returned 3; expected a class or module"),
        ("asked", TypeError, "choose of Walk returned Asked, which has other Arguments; expected"),
    ],
)
def test_a_bad_choice_is_refused_with_a_sentence(view, kind, sentence):
    with pytest.raises(kind, match=sentence):
        batchsim.make_vec(Walk, N, view=view)


def test_without_arguments_there_is_nothing_to_choose():
    class Alone(Walk):
        Arguments = None

    with pytest.raises(TypeError, match="has choose but no Arguments"):
        batchsim.make_vec(Alone, N)


def test_check_examines_what_is_chosen():
    report = batchsim.check(Walk, num_envs=8, steps=20, view="flat")
    assert any("compiled" in what for what in report.tried)
    with pytest.raises(ValueError, match="view is 'none'"):
        batchsim.check(Walk, view="none")
    with pytest.raises(CheckError, match="choose of Walk returned Asked, which has other"):
        batchsim.check(Walk, view="asked")


def test_check_knows_how_choose_is_called():
    class Wrong(Walk):
        def choose(one, other):
            return Wrong

    with pytest.raises(CheckError, match=r"it is called as choose\(arguments\)"):
        batchsim.check(Wrong)


def test_check_finds_what_is_wrong_with_the_chosen():
    class Beyond(Walk):
        def observe(s, i, p, out):
            out[0] = s.places[i]

        @classmethod
        def choose(cls, arguments):
            return cls if arguments.view == "beyond" else Walk

    with pytest.raises(CheckError, match="places"):
        batchsim.check(Beyond, view="beyond")
