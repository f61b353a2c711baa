"""What a snapshot must be of, and hold, for a batch to go on from it."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import pickle
import re
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium.spaces import Discrete

import batchsim
from batchsim import registry
from batchsim.ranges import require_between

SENTENCE = re.compile(r"[^\n]+\.")


def made(id, num_envs=4, backend="reference", steps=3, **settings):
    """A batch in the midst of its episodes; as plain Python, for which nothing is compiled."""
    envs = batchsim.make_vec(id, num_envs, backend=backend, **settings)
    envs.reset(seed=1)
    actions = oracle.Actions(envs)
    for _ in range(steps):
        envs.step(actions())
    return envs


def bits(state):
    return {name: oracle.bits(column) for name, column in state.items() if name != "seed"} | {
        "seed": state["seed"].tolist()
    }


def refuses(envs, state, match, rows=None, kind=ValueError):
    """Whether a snapshot is refused in one sentence, and no row has changed."""
    before = bits(envs.get_state())
    with pytest.raises(kind, match=match) as caught:
        envs.set_state(state, rows)
    assert SENTENCE.fullmatch(str(caught.value))
    assert bits(envs.get_state()) == before


# -- What it is of ---------------------------------------------------------------------------------

SMALL = {"width": 4, "height": 4}


@pytest.mark.parametrize(
    ("mine", "its", "match"),
    [
        (("FrozenLake-v1", {}), ("FrozenLake-v1", {"map_name": "8x8"}), "another form"),
        (
            ("FrozenLake-v1", {"desc": ["SF", "FG"]}),
            ("FrozenLake-v1", {"desc": ["SF", "HG"]}),
            "other tables, such as those of another map; expected one made with the same desc and "
            "map_name",
        ),
        (("FrozenLake8x8-v1", {}), ("FrozenLake-v1", {"map_name": "8x8"}), "another environment"),
        (("CliffWalking-v1", {}), ("CliffWalkingSlippery-v1", {}), "another environment"),
        (("FrozenLake-v1", {}), ("FrozenLake-v1", {"is_slippery": False}), "the same is_slippery"),
        (("EgoBasic-v0", SMALL), ("EgoBasic-v0", {"width": 6, "height": 4}), "another form"),
        (("EgoBasic-v0", SMALL), ("EgoBasic-v0", {**SMALL, "frame_skip": 2}), "frame_skip"),
        (("EgoBasic-v0", SMALL), ("EgoBattle-v0", SMALL), "another environment"),
    ],
)
def test_a_snapshot_of_something_else_is_refused(mine, its, match):
    one, other = made(mine[0], steps=0, **mine[1]), made(its[0], steps=0, **its[1])
    refuses(one, other.get_state(), rf"^The snapshot's row 0 is of .*{match}")


@pytest.mark.parametrize(
    "settings",
    [
        {"gravity": 20.0},
        {"gravity": np.linspace(1.0, 20.0, 6)},
        {"max_episode_steps": 100},
        {"autoreset_mode": "SameStep"},
        {"num_threads": 3},
    ],
)
def test_numbers_and_settings_that_no_index_is_made_of_may_be_others(settings):
    """What a plan tries from one state: other masses, other limits."""
    state = made("CartPole-v1").get_state([2] * 6)
    other = batchsim.make_vec("CartPole-v1", 6, backend="reference", **settings)
    observations = other.set_state(state)
    assert (observations == observations[0]).all()
    other.step(oracle.Actions(other)())


class Walk(NamedTuple):
    place: np.int32


class Ring:
    """A walk around as many places as a parameter says."""

    State = Walk

    class Params(NamedTuple):
        places: int = 3
        reward: float = 1.0

    ACTION = Discrete(2)
    OBSERVATION = Discrete(100)

    def check_state(s, p):
        require_between("place", s.place, 0, p.places - 1)

    def reset(s, i, p, rng):
        s.place[i] = p.places - 1

    def step(s, i, action, p, rng):
        s.place[i] = (s.place[i] + action) % p.places
        return p.reward, False

    def observe(s, i, p, out):
        out[0] = s.place[i]


def test_whole_numbers_by_row_go_with_their_rows():
    envs = made(Ring, places=[3, 5, 3, 9], steps=0)
    state = envs.get_state([2, 1])
    envs.set_state(state, [0, 1])
    refuses(envs, state, r"^The snapshot's row 1 is of other whole numbers.* places", [0, 3])
    # A number for all rows is the same as an array of it, here and in another batch.
    made(Ring, 2, places=5, steps=0).set_state(envs.get_state([1, 1]))
    whole = made(Ring, 4, places=[3, 5, 3, 9], steps=0)
    first, second = whole.split(2)
    second.set_state(first.get_state([0]), [0])
    refuses(second, first.get_state([0]), "other whole numbers", [1])


def test_a_state_is_checked_with_the_numbers_of_its_row():
    envs = made(Ring, places=[3, 5, 3, 9], steps=0)
    state = envs.get_state([1, 3])
    state["state.place"][:] = 4, 9
    refuses(
        envs,
        state,
        r"^The state of row 1 does not fit: place is 9; expected from 0 to 8\.$",
        [1, 3],
    )
    state["state.place"][:] = 4, 8
    assert envs.set_state(state, [1, 3]).tolist() == [2, 4, 2, 8]


def test_a_snapshot_without_a_fingerprint_is_refused_until_it_is_put_into_one_that_has():
    envs = made("CartPole-v1")
    old = envs.get_state()
    del old["fingerprint"]
    refuses(envs, old, "^The snapshot has no field 'fingerprint', which says what it is of; expec")
    envs.set_state({**envs.get_state(), **old})


def test_columns_are_carried_over_on_purpose():
    """Into another map of the same size, for instance; what they hold is checked all the same."""
    one = made("FrozenLake-v1", desc=["SF", "FG"])
    other = made("FrozenLake-v1", desc=["SFF", "FFG"])
    carried = {**one.get_state(), "state.cell": other.get_state()["state.cell"]}
    carried["state.cell"][:] = 3
    one.set_state(carried)
    carried["state.cell"][2] = 5
    refuses(one, carried, r"^The state of row 2 does not fit: cell is 5; expected from 0 to 3\.$")


def test_rows_of_snapshots_are_cut_joined_and_kept_in_files(tmp_path):
    envs = made("Taxi-v4", 6)
    state = envs.get_state()
    np.savez(tmp_path / "state.npz", **state)
    with np.load(tmp_path / "state.npz", allow_pickle=True) as kept:
        envs.set_state(kept)
    halves = [{name: column[rows] for name, column in state.items()} for rows in ([4, 1], [0] * 4)]
    joined = {name: np.concatenate([half[name] for half in halves]) for name in state}
    found = envs.set_state(pickle.loads(pickle.dumps(joined)))
    assert found.tolist() == state["state.state"][[4, 1, 0, 0, 0, 0]].tolist()


# -- What its rows hold ----------------------------------------------------------------------------

BAD = {
    "bool": ("pending", 2, r"pending has the byte 2 in row 2; expected 0 or 1"),
    "negative count": ("elapsed", -1, r"elapsed is -1 in row 2; expected from 0 to 32766 steps"),
    "last count": ("elapsed", 32767, "elapsed is 32767 in row 2"),
    "even increment": ("rng.state", [1, 2, 3, 4], r"rng.state and rng.spare are \[1, 2, 3, 4, 0\]"),
    "no increment": ("rng.state", 0, r"in row 2; expected those of a PCG64 generator"),
    "spare without its mark": ("rng.spare", 7, "rng.spare"),
    "spare too large": ("rng.spare", 1 << 33, "rng.spare"),
    "text as a seed": ("seed", "text", "seed is 'text' in row 2; expected a whole number"),
    "negative seed": ("seed", -2, "seed is -2 in row 2"),
    "truth as a seed": ("seed", True, "seed is True in row 2"),
    "endless start": ("episode.started", np.inf, "episode.started is inf in row 2"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_no_batch_could_have_written_is_refused(name):
    field, value, match = BAD[name]
    envs = made("CartPole-v1", record_episode_statistics=True)
    state = envs.get_state()
    column = state[field].view(np.uint8) if field == "pending" else state[field]
    column[2] = value
    refuses(envs, state, rf"^The snapshot's .*{match}")


def test_seeds_are_of_any_size_or_unknown():
    envs = made("CartPole-v1", 5)
    state = envs.get_state()
    state["seed"][:] = [0, 2**200, -1, None, np.int64(7)]
    envs.set_state(state)
    assert list(envs.get_state()["seed"]) == [0, 2**200, -1, None, 7]
    first = envs.np_random_seed  # which seeds the row that has none
    assert first == (0, 2**200, -1, first[3], 7) == envs.np_random_seed
    assert all(type(seed) is int for seed in first)


def test_the_last_count_of_the_longest_limit_is_the_end_of_an_episode():
    envs = made("CartPole-v1", max_episode_steps=32767)
    state = envs.get_state()
    state["elapsed"][1], state["pending"][1] = 32766, False
    envs.set_state(state)
    assert envs.step(np.zeros(4, int))[3][1]
    state = envs.get_state()
    assert (state["elapsed"][1], state["pending"][1]) == (32767, True)
    envs.set_state(state)


def test_an_episode_that_is_over_does_not_go_on_where_none_is_ever_over():
    one = made("CartPole-v1", max_episode_steps=3)
    other = made("CartPole-v1", autoreset_mode="SameStep")
    refuses(other, one.get_state(), r"^The episode of the snapshot's row 0 is over; with Autoreset")


def extremes(column):
    """Arrays as a column, with another value in the first element of row 0."""
    kind = column.dtype.kind
    if kind == "b":
        values = [2, 255]
    elif kind == "f":
        values = [np.nan, np.inf, -np.inf, 1e30, -1e30, -1.0]
    elif kind in "iu":
        limits = np.iinfo(column.dtype)
        values = [limits.min, limits.max, limits.max // 2, 1]
    else:
        values = [-2, 1.5, "text", (1,), None]
    for value in values:
        changed = column.copy()
        target = changed.view(np.uint8) if kind == "b" else changed
        target.reshape(-1)[0] = value
        yield changed


def misshapen(column):
    yield column[:0]
    yield column[..., np.newaxis]
    yield np.concatenate([column, column])
    yield column.astype(np.complex128 if column.dtype != object else str)
    yield column.byteswap().view(column.dtype.newbyteorder()) if column.dtype.kind in "f" else None


def refusal(envs, state):
    try:
        with np.errstate(all="ignore"):
            envs.set_state(state)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "name", [*oracle.IDS, *oracle.OWN, *oracle.KINDS_OF_GRIDS, *oracle.GAMES[1::2]]
)
def test_whatever_a_snapshot_holds_nothing_is_read_elsewhere(name, opened):
    """Plain Python notices each index beyond an array, and a negative one shows outside of the
    space; environments without a `check_state` have no arrays that they look into.
    """
    checked = registry.load(name).state_check is not None
    settings = {**SMALL} if name.startswith("Ego") else {}
    envs = opened(made(name, 1, "reference" if checked else "native", **settings))
    good = envs.get_state()
    actions = oracle.Actions(envs)
    taken = 0
    for field, column in good.items():
        for wrong in misshapen(column):
            refuses(envs, {**good, field: wrong}, "^The snapshot", kind=(TypeError, ValueError))
        for changed in extremes(column):
            before = bits(envs.get_state())
            refused = refusal(envs, {**good, field: changed})
            if refused:
                assert SENTENCE.fullmatch(refused)
                assert bits(envs.get_state()) == before
                continue
            taken += 1
            with np.errstate(all="ignore"):
                seen = envs.step(actions())[0]
            if checked:
                assert envs.observation_space.contains(seen), (field, changed)
            envs.set_state(good)
    assert taken
