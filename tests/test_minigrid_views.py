"""MiniGrid's views and forms are what its wrappers make, and its frames are what it draws."""

import itertools
import re

import gymnasium
import numpy as np
import pytest

import batchsim
from batchsim.envs.minigrid import tiles
from batchsim.envs.minigrid.cells import AGENT, CLOSED, DOOR, EMPTY, GOAL, GREEN, LAVA, RED, UNSEEN
from batchsim.envs.minigrid.doorkey import DoorKey
from batchsim.envs.minigrid.view import spread

pytest.importorskip("minigrid")
from minigrid import wrappers
from minigrid.core.grid import Grid
from minigrid.core.world_object import Wall, WorldObj

IDS = [
    "BlockedUnlockPickup-v0", "DistShift2-v0", "DoorKey-6x6-v0", "Dynamic-Obstacles-Random-6x6-v0",
    "Empty-Random-5x5-v0", "Fetch-6x6-N2-v0", "FourRooms-v0", "GoToDoor-6x6-v0",
    "GoToObject-8x8-N2-v0", "KeyCorridorS3R2-v0", "LavaCrossingS9N2-v0", "LavaGapS6-v0",
    "LockedRoom-v0", "MemoryS9-v0", "MultiRoom-N4-S5-v1", "ObstructedMaze-1Dlhb-v0",
    "Playground-v0", "PutNear-8x8-N3-v0", "RedBlueDoors-6x6-v0", "UnlockPickup-v0",
]  # fmt: skip
VIEWS = {
    "partial": None,
    "full": wrappers.FullyObsWrapper,
    "onehot": wrappers.OneHotPartialObsWrapper,
    "symbolic": wrappers.SymbolicObsWrapper,
    "rgb": wrappers.RGBImgObsWrapper,
    "rgb_partial": wrappers.RGBImgPartialObsWrapper,
}
FORMS = {"dict": None, "image": wrappers.ImgObsWrapper, "flat": wrappers.FlatObsWrapper}
EACH = [pair for pair in itertools.product(VIEWS, FORMS) if pair != ("symbolic", "flat")]
COMPILED = [
    ("partial", "image"), ("partial", "flat"), ("full", "dict"), ("onehot", "image"),
    ("symbolic", "dict"), ("rgb", "image"), ("rgb_partial", "dict"),
]  # fmt: skip


def wrapped(env, view, form):
    for wrapper in (VIEWS[view], FORMS[form]):
        env = env if wrapper is None else wrapper(env)
    return env


def require_same(ours, theirs):
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            require_same(ours[key], value)
    elif isinstance(theirs, np.ndarray):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
    else:
        assert ours == theirs


def require_same_space(ours, theirs):
    if isinstance(theirs, gymnasium.spaces.Dict):
        assert list(ours) == list(theirs)
        for key in ("direction", "image"):
            assert ours[key] == theirs[key]
    else:
        assert ours == theirs


def observed(env, wrapper, observation):
    """What a wrapper, which is around wrappers, makes of what an environment observes."""
    if wrapper is env:
        return observation
    return wrapper.observation(observed(env, wrapper.env, dict(observation)))


def walk(env, ours, steps, seed):
    """Reset and step an environment, and ours by its side; yields its observation and ours."""
    rng = np.random.default_rng(seed)
    yield env.reset(seed=seed)[0], [one.reset(seed=seed)[0] for one in ours]
    for _ in range(steps):
        action = int(rng.choice([0, 1, 2, 2, 2, 3, 4, 5][: env.action_space.n]))
        observation, _, terminated, truncated, _ = env.step(action)
        yield observation, [one.step(action)[0] for one in ours]
        if terminated or truncated:
            return


@pytest.mark.parametrize("name", IDS)
def test_views_and_forms_are_what_wrappers_make(name):
    env = gymnasium.make(f"MiniGrid-{name}").unwrapped
    theirs = [wrapped(env, *pair) for pair in EACH]
    made = [{"view": view, "form": form} for view, form in EACH]
    ours = [batchsim.make(f"MiniGrid-{name}", backend="reference", **each) for each in made]
    for one, other in zip(ours, theirs, strict=True):
        require_same_space(one.observation_space, other.observation_space)
    for seed in (0, 1):
        for observation, found in walk(env, ours, 3, seed):
            for one, wrapper in zip(found, theirs, strict=True):
                require_same(one, observed(env, wrapper, observation))


@pytest.mark.parametrize(("view", "form"), COMPILED)
def test_compiled_views_are_what_wrappers_make(view, form):
    name, n = "MiniGrid-DoorKey-6x6-v0", 6
    ours = batchsim.make_vec(name, n, view=view, form=form)
    theirs = gymnasium.make_vec(
        name, n, vectorization_mode="sync", wrappers=[lambda env: wrapped(env, view, form)]
    )
    require_same(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    rng = np.random.default_rng(3)
    for _ in range(80):
        actions = rng.choice([0, 1, 2, 2, 2, 3, 3, 4, 5], n)
        one, other = ours.step(actions), theirs.step(actions)
        require_same(one[0], other[0])
        assert np.array_equal(one[1], other[1])


@pytest.mark.parametrize("size", [3, 5, 9, 11])
@pytest.mark.parametrize("through", [False, True])
def test_agents_see_as_far_as_they_are_told(size, through):
    arguments = {"agent_view_size": size, "see_through_walls": through}
    env = gymnasium.make("MiniGrid-FourRooms-v0", **arguments).unwrapped
    pairs = [("partial", "dict"), ("rgb_partial", "image"), ("rgb", "image"), ("onehot", "flat")]
    theirs = [wrapped(env, *pair) for pair in pairs]
    ours = [
        batchsim.make(
            "MiniGrid-FourRooms-v0", backend="reference", view=view, form=form, **arguments
        )
        for view, form in pairs
    ]
    for observation, found in walk(env, ours, 6, size):
        for one, wrapper in zip(found, theirs, strict=True):
            require_same(one, observed(env, wrapper, observation))


@pytest.mark.parametrize("size", [3, 5, 7, 9, 13])
def test_sight_spreads_as_in_minigrid(size):
    rng = np.random.default_rng(size)
    for share in np.linspace(0.1, 0.7, 60):
        walls = rng.random((size, size)) < share
        grid = Grid(size, size)
        for x, y in np.argwhere(walls):
            grid.set(x, y, Wall())
        marked = grid.process_vis((size // 2, size - 1))
        visible = 1 << size // 2
        for y in range(size - 1, -1, -1):
            clear = sum(1 << x for x in range(size) if not walls[x, y])
            upwards = spread(visible, clear, size) & (1 << size) - 1
            assert visible | upwards == sum(1 << x for x in range(size) if marked[x, y])
            visible = upwards


@pytest.mark.parametrize("size", [1, 5, 8])
def test_tiles_are_those_of_minigrid(size):
    table = tiles.table(size).reshape(6, tiles.CODES, size, size, 3)
    for kind, colour in itertools.product(range(13), range(6)):
        fits = {GOAL: colour == GREEN, LAVA: colour == RED, EMPTY: colour == 0}
        if kind in (UNSEEN, AGENT) or not fits.get(kind, True):
            continue
        is_door = kind >= CLOSED
        encoded = (DOOR, colour, kind - CLOSED + 1) if is_door else (kind, colour, 0)
        thing = WorldObj.decode(*encoded)
        for place in range(6):
            heading = None if place < 2 else place - 2
            tile = np.empty((size, size, 3), np.uint8)
            tile[:] = Grid.render_tile(thing, heading, place > 0, size)
            assert np.array_equal(table[place, kind + 16 * colour], tile)


@pytest.mark.parametrize("name", IDS[::3])
def test_frames_are_those_of_minigrid(name):
    env = gymnasium.make(f"MiniGrid-{name}", render_mode="rgb_array").unwrapped
    ours = batchsim.make(f"MiniGrid-{name}", render_mode="rgb_array", backend="reference")
    for _ in walk(env, [ours], 5, 2):
        theirs, found = env.render(), ours.render()
        assert found.dtype == theirs.dtype
        assert np.array_equal(found, theirs)


@pytest.mark.parametrize("view", ["partial", "rgb"])
def test_missions_may_be_tokens_in_any_view(view):
    arguments = {"view": view, "backend": "reference"}
    tokens = batchsim.make_vec("MiniGrid-Fetch-6x6-N2-v0", 3, text_mode="tokens", **arguments)
    texts = batchsim.make_vec("MiniGrid-Fetch-6x6-N2-v0", 3, **arguments)
    one, other = tokens.reset(seed=0)[0], texts.reset(seed=0)[0]
    assert np.array_equal(one["image"], other["image"])
    assert one["mission"].shape == (3, 3)
    assert tuple(map(tokens.definition.namespace.text, one["mission"].tolist())) == other["mission"]
    image = batchsim.make_vec(
        "MiniGrid-Fetch-6x6-N2-v0", 3, text_mode="tokens", form="image", **arguments
    )
    assert np.array_equal(image.reset(seed=0)[0], one["image"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"view": "fully"}, "view is 'fully'; expected one of 'partial', 'full', "),
        ({"view": ["full"]}, "view is ['full']; expected one of"),
        ({"form": "text"}, "form is 'text'; expected one of 'dict', 'image', 'flat'."),
        ({"tile_size": 0}, "tile_size is 0; expected a number from 1 to 128."),
        ({"tile_size": 8.0}, "'tile_size' is 8.0; expected a whole number"),
        ({"view": "symbolic", "form": "flat"}, "form is 'flat', which has no numbers below 0"),
        ({"agent_view_size": 4}, "agent_view_size is 4; expected an odd number of at least 3."),
    ],
)
def test_bad_arguments_are_refused_with_a_sentence(arguments, sentence):
    with pytest.raises((TypeError, ValueError), match=re.escape(sentence)):
        batchsim.make_vec(DoorKey, 2, **arguments)


def test_missions_that_a_flat_array_has_no_room_for_are_refused():
    class Long(DoorKey):
        MISSION = "go " * 33

    class Signed(DoorKey):
        MISSION = "go to room 3"

    class Many(DoorKey):
        WORDS = (300, 300)

    for definition, sentence in (
        (Long, "has 99 letters; expected at most 96"),
        (Signed, "the mission 'go to room 3' has 12 letters; expected at most 96, a to z"),
        (Many, "form is 'flat', for 90,000 missions; expected another form"),
    ):
        with pytest.raises(ValueError, match=sentence):
            batchsim.make_vec(definition, 2, form="flat", backend="reference")
        assert batchsim.make_vec(definition, 2, form="image", backend="reference")


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("MiniGrid-DoorKey-8x8-v0", {"size": 4}, "size is 4; expected at least 5"),
        ("MiniGrid-LavaGapS5-v0", {"size": 4}, "size is 4; expected at least 5"),
        ("MiniGrid-DistShift1-v0", {"strip2_row": 6}, "strip2_row 6; expected a width of at least"),
        ("MiniGrid-KeyCorridorS3R1-v0", {"room_size": 2}, "Rooms of size 2 in 1 rows"),
        ("MiniGrid-KeyCorridorS3R1-v0", {"num_rows": 0}, "in 0 rows and 3 columns"),
        ("MiniGrid-MemoryS7-v0", {"size": 8}, "size is 8; expected an odd number"),
        ("MiniGrid-Fetch-5x5-N2-v0", {"numObjs": 9}, "numObjs is 9; expected 1 to 8"),
        ("MiniGrid-Dynamic-Obstacles-5x5-v0", {"size": 3}, "expected at most -1"),
        ("MiniGrid-MultiRoom-N6-v0", {"maxRoomSize": 3}, "maxRoomSize is 3; expected 4 to 25"),
        ("MiniGrid-Empty-8x8-v0", {"agent_start_pos": (7, 1)}, "agent_start_pos is"),
        ("MiniGrid-WFC-MazeSimple-v0", {}, "minigrid cannot make it either"),
    ],
)
def test_what_no_grid_can_hold_is_refused(name, given, reason):
    with pytest.raises(ValueError, match=reason):
        batchsim.make_vec(name, 2, backend="reference", **given)
