"""Egocentric scenarios: their rules, their maps, and that both backends see the same.

Most of it runs without pictures, whose kernels take long to compile: `bare` leaves the rules alone.
"""

import copy
import math
import re
from types import SimpleNamespace
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box

import batchsim
from batchsim import registry
from batchsim.checking import examine
from batchsim.envs.egocentric import battle, items, maps, monsters, overview, view, world
from batchsim.envs.egocentric.textures import BRICKS, METAL, STONE, WOOD
from batchsim.registry import ENVIRONMENTS

IDS = [name for name, entry in ENVIRONMENTS.items() if ".egocentric." in str(entry.module)]
MAZES = ["EgoMyWayHome-v0", "EgoHealthGatheringSupreme-v0", "EgoBattle-v0"]
SMALL = {"width": 32, "height": 18}
STICKY = {"sticky": 0.25}  # in all tests that compile the rules: each value is a kernel
FREE, UP = 0, -math.pi / 2

each = pytest.mark.parametrize("id", IDS)


class Tiny(NamedTuple):
    """The parameters of all scenarios, with a picture that plain Python draws soon."""

    frame_skip: int = 4
    sticky: float = 0.0
    width: int = 16
    height: int = 10
    fov: float = 90.0
    grayscale: bool = False
    channels_first: bool = False
    depth: bool = False
    labels: bool = False
    status_bar: bool = False


def observe_pose(s, i, p, out):
    out[0], out[1], out[2] = s.x[i], s.y[i], s.angle[i]


def scenario(id):
    return registry.load(id).namespace


def bare(id):
    """The scenario's rules, with the player's pose in place of a picture."""
    space = Box(-np.inf, np.inf, (3,), np.float64)
    members = {"OBSERVATION": space, "observe": observe_pose, "ID": id}
    return type(id, (scenario(id),), members)


def tiny(id):
    """The scenario with small pictures by default."""
    return type(id, (scenario(id),), {"Params": Tiny, "ID": id})


@pytest.fixture
def play(opened):
    """One environment of a scenario's rules, as plain Python."""

    def make(id, num_envs=1, **kwargs):
        envs = opened(batchsim.make_vec(bare(id), num_envs, backend="reference", **kwargs))
        envs.reset(seed=1)
        return envs

    return make


def columns(envs):
    """Copies of the columns of State."""
    return SimpleNamespace(
        **{
            key.removeprefix("state."): value
            for key, value in envs.get_state().items()
            if key.startswith("state.")
        }
    )


def put(envs, **values):
    """Write values into columns of row 0; of columns with several values a row, into the first."""
    state = envs.get_state()
    for name, value in values.items():
        row = state[f"state.{name}"][:1].reshape(-1)
        row[: np.size(value)] = value
    envs.set_state(state)


def act(envs, action):
    """Step row 0, and return its reward and whether its episode was terminated."""
    _, rewards, terminated, _, _ = envs.step(np.array([action]))
    return float(rewards[0]), bool(terminated[0])


def seen(results):
    return [oracle.bits(array) for array in results[:4]]


# -- Backends, batches, modes ----------------------------------------------------------------------


@each
def test_both_backends_draw_the_same_pictures(opened, id):
    kwargs = {"max_episode_steps": 40, **SMALL}
    native = opened(batchsim.make_vec(id, 2, **kwargs))
    reference = opened(batchsim.make_vec(id, 2, backend="reference", **kwargs))
    assert oracle.bits(native.reset(seed=5)[0]) == oracle.bits(reference.reset(seed=5)[0])
    actions = oracle.Actions(native)
    for _ in range(100):
        batch = actions()
        assert seen(native.step(batch)) == seen(reference.step(batch))


def test_both_backends_draw_the_same_pictures_of_full_size(opened):
    native, reference = (
        opened(batchsim.make_vec("EgoBattle-v0", 2, backend=name))
        for name in ("native", "reference")
    )
    assert oracle.bits(native.reset(seed=5)[0]) == oracle.bits(reference.reset(seed=5)[0])
    actions = oracle.Actions(native)
    for _ in range(3):
        batch = actions()
        assert seen(native.step(batch)) == seen(reference.step(batch))


@pytest.mark.parametrize(
    ("id", "mode"),
    [
        *((id, oracle.MODES[0]) for id in IDS),
        *(("EgoDefendTheLine-v0", mode) for mode in oracle.MODES[1:]),
    ],
)
def test_both_backends_have_the_same_rules(opened, id, mode):
    kwargs = {"max_episode_steps": 90, "autoreset_mode": mode, **STICKY}
    native, reference = (
        opened(batchsim.make_vec(bare(id), 6, backend=name, **kwargs))
        for name in ("native", "reference")
    )
    native.reset(seed=5)
    reference.reset(seed=5)
    actions = oracle.Actions(native)
    episodes = 0
    for _ in range(300):
        batch = actions()
        expected, found = reference.step(batch), native.step(batch)
        assert seen(expected) == seen(found)
        over = expected[2] | expected[3]
        episodes += over.sum()
        if mode is oracle.MODES[-1] and over.any():
            for envs in (native, reference):
                envs.reset(options={"reset_mask": over})
    assert episodes >= 12
    oracle.assert_same_streams(reference, native)
    for field, column in reference.get_state().items():
        assert oracle.bits(column) == oracle.bits(native.get_state()[field]), field


@each
def test_a_row_is_independent_of_the_others_and_of_threads(opened, id):
    kwargs = {"max_episode_steps": 40, **SMALL}
    whole = opened(batchsim.make_vec(id, 130, num_threads=1, **kwargs))
    others = opened(batchsim.make_vec(id, 130, num_threads=3, **kwargs))
    alone = opened(batchsim.make_vec(id, 2, num_threads=1, **kwargs))
    rows = [77, 129]
    whole.reset(seed=list(range(130)))
    others.reset(seed=list(range(130)))
    alone.reset(seed=rows)
    actions = oracle.Actions(whole)
    for _ in range(100):
        batch = actions()
        expected = whole.step(batch)
        others.send(batch)
        assert seen(others.recv()) == seen(expected)
        assert seen(alone.step(batch[rows])) == seen([array[rows] for array in expected[:4]])


@pytest.mark.parametrize("mode", ["SameStep", "Disabled"])
def test_a_reset_draws_the_new_episode(opened, mode):
    """With SAME_STEP the old one's last picture is in the infos."""
    id, n = "EgoDefendTheCenter-v0", 3
    kwargs = {"max_episode_steps": 4, **SMALL}
    envs = opened(batchsim.make_vec(id, n, autoreset_mode=mode, **kwargs))
    next_step = opened(batchsim.make_vec(id, n, **kwargs))
    envs.reset(seed=2)
    next_step.reset(seed=2)
    actions = oracle.Actions(envs)
    for _ in range(5):
        for _ in range(4):
            batch = actions()
            expected, found = next_step.step(batch), envs.step(batch)
        assert found[3].all()
        first = next_step.step(batch)[0]
        if mode == "SameStep":
            last = np.stack(found[4]["final_obs"])
            assert oracle.bits(last) == oracle.bits(expected[0])
            assert oracle.bits(found[0]) == oracle.bits(first)
        else:
            mask = np.ones(n, bool)
            assert oracle.bits(envs.reset(options={"reset_mask": mask})[0]) == oracle.bits(first)


@pytest.mark.parametrize("settings", [{"grayscale": True}, {"channels_first": True}])
def test_pictures_have_the_layout_that_is_asked_for(opened, settings):
    kwargs = {"backend": "reference", "width": 8, "height": 6}
    colours = opened(batchsim.make_vec("EgoBasic-v0", 1, **kwargs)).reset(seed=0)[0][0]
    envs = opened(batchsim.make_vec("EgoBasic-v0", 1, **kwargs, **settings))
    found = envs.reset(seed=0)[0][0]
    assert envs.single_observation_space.contains(found)
    if "grayscale" in settings:
        luma = colours.astype(int) @ [77, 150, 29] >> 8
        np.testing.assert_array_equal(found[..., 0], luma)
    else:
        np.testing.assert_array_equal(found, np.moveaxis(colours, 2, 0))


@each
def test_check_finds_nothing(id, monkeypatch):
    monkeypatch.setattr(examine, "examine_backends", lambda *arguments: [])  # which compile
    # The rules are each scenario's own, the painting is that of all, and takes most of the time.
    width, height = (10, 6) if id == "EgoBattle-v0" else (6, 4)
    monkeypatch.setattr(examine, "WATCHED_ELEMENTS", 100 * 3 * width * height)
    assert batchsim.check(tiny(id), num_envs=2, steps=30, width=width, height=height).hints == ()


@pytest.mark.slow
def test_check_finds_nothing_in_compiled_code():
    assert batchsim.check(tiny("EgoBattle-v0"), num_envs=3, steps=60).hints == ()


# -- Maps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", MAZES)
def test_mazes_can_be_solved_and_are_closed(opened, id):
    """Each free cell is reached from each other, and all that is in the maze is on one."""
    s = columns_after_reset(opened, id, 400)
    for k in range(400):
        grid = s.grid[k]
        border = np.concatenate([grid[0], grid[-1], grid[:, 0], grid[:, -1]])
        assert border.all()
        cells = np.array(maps.distances(grid, int(s.y[k]), int(s.x[k])))
        assert ((cells >= 0) == (grid == FREE)).all()
        for kinds, xs, ys in (
            (s.monster[k], s.monster_x[k], s.monster_y[k]),
            (s.item[k], s.item_x[k], s.item_y[k]),
        ):
            there = kinds > 0
            assert (cells[ys[there].astype(int), xs[there].astype(int)] >= 0).all()
    assert len(np.unique(s.grid.reshape(400, -1), axis=0)) == 400


def columns_after_reset(opened, id, num_envs):
    envs = opened(batchsim.make_vec(bare(id), num_envs, **STICKY))
    envs.reset(seed=11)
    return columns(envs)


def test_without_loops_there_is_one_way_from_room_to_room():
    s = SimpleNamespace(grid=np.zeros((1, world.SIZE, world.SIZE), np.uint8))
    rng = batchsim.random.allocate(1)
    for seed in range(50):
        batchsim.random.seed_rows(rng, [0], [seed])
        maps.maze(s, 0, rng, 7, 1, 1, 0)
        # A tree: as many doors as rooms, less one.
        assert (s.grid[0] == FREE).sum() == 49 + 48
        reached = np.array(maps.distances(s.grid[0], 1, 1)) >= 0
        assert reached.sum() == 49 + 48


def test_the_search_counts_the_cells_of_the_shortest_way():
    grid = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [1, 0, 0, 1], [1, 1, 1, 1]])
    expected = [[-1] * 4, [-1, 0, -1, -1], [-1, 1, 2, -1], [-1] * 4]
    assert maps.distances(grid, 1, 1) == expected


@pytest.mark.parametrize(
    ("id", "precision"), [*((id, "exact") for id in IDS), ("EgoBattle-v0", "fast")]
)
def test_nobody_leaves_the_free_cells(opened, id, precision):
    n = 64
    envs = opened(batchsim.make_vec(bare(id), n, precision=precision, **STICKY))
    envs.reset(seed=3)
    actions = oracle.Actions(envs)
    rows = np.arange(n)

    def assert_free(s, x, y, there):
        for dx in (-world.RADIUS, world.RADIUS):
            for dy in (-world.RADIUS, world.RADIUS):
                cells = s.grid[rows, (y + dy).astype(int), (x + dx).astype(int)]
                assert not cells[there].any()

    moved = np.zeros(n)
    for t in range(400):
        if t % 8 == 0:
            batch = actions()
        envs.step(batch)
        s = columns(envs)
        assert_free(s, s.x, s.y, rows >= 0)
        moved = np.maximum(moved, np.hypot(s.speed_x, s.speed_y))
        if t % 5 == 0:
            for k in range(world.MONSTERS):
                x, y = s.monster_x[:, k], s.monster_y[:, k]
                assert_free(s, np.maximum(x, 1.0), np.maximum(y, 1.0), s.monster[:, k] > 0)
    if "Defend" not in id:
        assert moved.max() > 3.0 / world.UNITS


# -- The world -------------------------------------------------------------------------------------


@each
def test_a_step_of_four_tics_is_four_steps_of_one(play, id):
    four, one = play(id, 3), play(id, 3, frame_skip=1)
    actions = oracle.Actions(four)
    over = np.zeros(3, bool)
    for _ in range(30):
        batch = actions()
        _, expected, terminated, _, _ = four.step(batch)
        rewards = np.zeros(3)
        for _ in range(4):
            _, more, ended, _, _ = one.step(batch)
            rewards += np.where(over, 0.0, more)
            over |= ended
        np.testing.assert_array_equal(over, terminated)
        np.testing.assert_allclose(rewards, expected, atol=1e-9)
        if over.any():
            break
        s, other = vars(columns(four)), vars(columns(one))
        for name in s:
            assert oracle.bits(s[name]) == oracle.bits(other[name]), name


def test_a_player_is_as_fast_as_in_doom_and_glides_on(play):
    envs = play("EgoMyWayHome-v0", frame_skip=1)
    grid = np.ones((world.SIZE, world.SIZE))
    grid[12, 1:-1] = FREE
    put(envs, grid=grid.ravel(), x=2.0, y=12.5, angle=0.0)
    for _ in range(60):
        act(envs, 3)
    s = columns(envs)
    assert s.speed_x[0] * world.UNITS == pytest.approx(25 / 3, rel=0.01)
    before = s.x[0]
    for _ in range(100):
        act(envs, 0)
    s = columns(envs)
    assert s.speed_x[0] == 0.0
    assert s.x[0] - before == pytest.approx(25 / 3 / world.UNITS / (1 - world.FRICTION), rel=0.15)


def test_a_player_slides_along_a_wall(play):
    envs = play("EgoHealthGathering-v0", frame_skip=1)
    put(envs, x=3.0, y=1.3, angle=-math.pi / 4, health=100.0)  # towards the wall at y = 1
    for _ in range(40):
        act(envs, 3)
    s = columns(envs)
    assert s.y[0] == pytest.approx(1.25, abs=0.14)
    assert s.speed_y[0] == 0.0
    assert s.x[0] > 4.5


def test_a_turn_is_as_fast_as_in_doom(play):
    envs = play("EgoDefendTheCenter-v0")
    put(envs, angle=0.0)
    act(envs, 2)
    assert columns(envs).angle[0] == pytest.approx(math.radians(4 * 3.515625))
    act(envs, 1)
    assert columns(envs).angle[0] == pytest.approx(0.0)


def test_what_is_seen_is_what_no_wall_hides(play):
    """Compared with a walk in small steps along the line of sight."""
    s = columns(play("EgoBattle-v0", 8))
    rng = np.random.default_rng(0)
    outcomes = set()
    for k in range(8):
        for cell in rng.choice(np.argwhere(s.grid[k] == FREE), 40):
            y, x = cell + rng.uniform(0.05, 0.95, 2)
            steps = np.linspace(0.0, 1.0, 800)
            xs, ys = s.x[k] + steps * (x - s.x[k]), s.y[k] + steps * (y - s.y[k])
            hidden = s.grid[k, ys.astype(int), xs.astype(int)].any()
            found = bool(world.sees(s, k, x, y))
            outcomes.add(found)
            if hidden:
                assert not found
            elif not found:  # the line only just touches a corner
                touched = [
                    not world.is_free(s, k, *place, 0.03) for place in zip(xs, ys, strict=True)
                ]
                assert any(touched)
    assert outcomes == {True, False}


def test_with_sticky_actions_most_buttons_are_those_of_before(play):
    envs = play("EgoBasic-v0", 200, sticky=0.75)
    batch = np.full(200, 1)
    envs.step(batch)
    held = columns(envs).buttons
    assert 20 < (held == 1).sum() < 80
    envs.step(batch)
    assert (columns(envs).buttons[held == 1] == 1).all()
    assert (columns(envs).buttons == 1).sum() > (held == 1).sum()


# -- Maps of a caller's own ------------------------------------------------------------------------

LAYOUT = ["#######", "#P.S.V#", "#..M..#", "#P.W..#", "#.....#", "#######"]


def laid(opened, layout, num_envs=40, id="EgoMyWayHome-v0"):
    envs = batchsim.make_vec(tiny(id), num_envs, layout=layout, backend="reference")
    return opened(envs)


def test_a_callers_map_is_laid_into_the_grid_of_every_row(opened):
    envs = laid(opened, LAYOUT)
    envs.reset(seed=0)
    s = columns(envs)
    inside = s.grid[:, : len(LAYOUT), : len(LAYOUT[0])]
    walls = {"#": BRICKS + 1, "S": STONE + 1, "M": METAL + 1, "W": WOOD + 1}
    assert (inside == [[walls.get(letter, 0) for letter in row] for row in LAYOUT]).all()
    assert (s.grid > 0).sum() == s.grid.size - 40 * (inside[0] == 0).sum()
    assert set(zip(s.x, s.y, strict=True)) == {(1.5, 1.5), (1.5, 3.5)}
    assert len(set(s.angle)) == 40
    assert (s.item_x[:, 0] == 5.5).all()
    assert (s.item_y[:, 0] == 1.5).all()


def test_without_a_start_each_free_cell_is_one_and_there_may_be_several_vests(opened):
    envs = laid(opened, ["#####", "#V..#", "#..V#", "#####"], 200)
    envs.reset(seed=0)
    s = columns(envs)
    vests = {(1.5, 1.5), (3.5, 2.5)}
    cells = {(column + 0.5, row + 0.5) for column in (1, 2, 3) for row in (1, 2)}
    assert set(zip(s.item_x[:, 0], s.item_y[:, 0], strict=True)) == vests
    assert set(zip(s.x, s.y, strict=True)) == cells - vests


def test_a_battle_is_fought_on_a_callers_map(opened):
    layout = [row.replace("V", ".") for row in LAYOUT]
    envs = laid(opened, layout, 10, "EgoBattle-v0")
    envs.reset(seed=0)
    s = columns(envs)
    rows, used = np.arange(10)[:, None], slice(battle.COUNT)
    assert (s.monster[:, used] > 0).all()
    x, y = s.monster_x[:, used].astype(int), s.monster_y[:, used].astype(int)
    assert (s.grid[rows, y, x] == 0).all()


def test_a_text_is_a_map_too(opened):
    of_strings = laid(opened, LAYOUT, 3).reset(seed=5)
    for end in ("\n", "\r\n", "\n    "):
        text = end + end.join(LAYOUT) + end
        assert (laid(opened, text, 3).reset(seed=5)[0] == of_strings[0]).all()


def test_a_file_is_read_once_and_copies_have_its_map(opened, tmp_path):
    path = tmp_path / "map.txt"
    path.write_text("\n".join(LAYOUT) + "\n\n", encoding="utf-8")
    of_strings = laid(opened, LAYOUT, 3).reset(seed=5)
    of_file = [laid(opened, name, 3) for name in (path, str(path))]
    path.unlink()
    for envs in of_file:
        copied = opened(copy.deepcopy(envs))
        for each_one in (envs, copied):
            assert (each_one.reset(seed=5)[0] == of_strings[0]).all()


def test_a_list_that_is_changed_later_does_not_matter(opened):
    layout = list(LAYOUT)
    envs = laid(opened, layout, 3)
    before = envs.reset(seed=5)[0]
    layout[:] = ["no map"]
    for copied in (copy.copy(envs), copy.deepcopy(envs)):
        assert (opened(copied).reset(seed=5)[0] == before).all()


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (5, "layout is 5; expected strings of one length, one a row"),
        ([], "layout is (); expected strings of one length"),
        (["###", "#.#", "##"], "layout has 2 letters in row 2 and 3 in row 0; expected rows of"),
        ("", "layout is ''; expected strings of one length, one a row of the map, a text"),
        (["#" * 25] * 3, "layout has 3 rows of 25 letters; expected at most 24 of each."),
        (["###", "#x#", "###"], "layout has 'x' in row 1, column 1; expected '#', 'S', "),
        (
            ["###", "#.V", "###"],
            "layout is open at row 1, column 2, counted from 0; expected walls",
        ),
        (["####", "#..#", "####"], "layout has no 'V'; expected one, the place of the vest."),
        (["###", "#V#", "###"], "layout has no place to start at; expected '.' or 'P' in it."),
        (
            ["#####", "#P#V#", "#####"],
            "layout has no way from row 1, column 1 to row 1, column 3, ",
        ),
        (
            ["####", "#P##", "##V#", "####"],
            "no way from row 1, column 1 to row 2, column 2, counted",
        ),
        ("a\0b", "layout is 'a\\x00b', a file that cannot be read: it is no text."),
        ("nowhere.txt", "layout is 'nowhere.txt', a file that cannot be read: No such file"),
    ],
)
def test_a_map_that_nobody_can_walk_is_refused_in_one_sentence(layout, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        batchsim.make_vec("EgoMyWayHome-v0", 2, backend="reference", layout=layout)
    assert str(error.value).count(". ") == 0


def test_a_vest_has_no_place_where_none_is_looked_for():
    message = re.escape("layout has 'V' in row 1, column 5; expected '#', 'S', 'M', 'W', '.', 'P'.")
    with pytest.raises(ValueError, match=message):
        batchsim.make_vec("EgoBattle-v0", 2, backend="reference", layout=LAYOUT)


def test_the_map_beside_the_view_shows_the_cells_that_are_used_and_what_is_in_them(opened):
    envs = laid(opened, ["######", "#P..V#", "#....#", "######"], 1)
    envs.reset(seed=0)
    picture = overview.plan(columns(envs), 0, 62)  # 6 cells a side of 10 pixels, and 2 left
    assert picture.shape == (62, 62, 3)
    assert picture.dtype == np.uint8
    colours = {
        (5, 5): overview.WALL,
        (15, 25): overview.FREE,
        (15, 15): overview.PLAYER,
        (15, 45): overview.THINGS[world.VEST],
        (28, 45): overview.FREE,
        (35, 25): overview.WALL,
        (61, 61): overview.WALL,
    }
    for place, colour in colours.items():
        assert tuple(picture[place]) == colour, place


def test_frames_are_as_the_player_sees_and_have_room_for_the_map(opened):
    settings = {"width": 100, "height": 16, "grayscale": True, "status_bar": True}
    envs = batchsim.make_vec(
        "EgoMyWayHome-v0", 1, render_mode="rgb_array", backend="reference", **settings
    )
    picture = opened(envs).reset(seed=0)[0][0]
    (frame,) = envs.render()
    assert frame.shape == (72, 400 + 72, 3)
    view = frame[:64, :400]
    assert (view == view[..., :1]).all()
    assert (view[-1, 0] == picture[-1, 0]).all()
    assert (frame[64:, :400] == 0).all()
    assert (frame == overview.THINGS[world.VEST]).all(axis=2).any()


def test_a_map_of_the_whole_grid_is_shown_whole(opened):
    envs = laid(
        opened, ["#" * 24, "#V" + "." * 21 + "#"] + ["#" + "." * 22 + "#"] * 21 + ["#" * 24], 1
    )
    envs.reset(seed=0)
    free = overview.plan(columns(envs), 0, 24) != overview.WALL
    assert free.any(axis=2).sum() == 22 * 22


# -- Parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0}, "width is 0; expected a whole number from 1 to 640."),
        ({"height": 641}, "height is 641; expected a whole number from 1 to 640."),
        ({"frame_skip": 0}, "frame_skip is 0; expected a whole number from 1 to 1000."),
        ({"fov": 5.0}, "fov is 5.0; expected an angle from 10 to 160 degrees."),
        ({"sticky": 1.0}, "sticky is 1.0; expected a probability below 1."),
        ({"sticky": -0.1}, "sticky is -0.1; expected a probability below 1."),
    ],
)
def test_a_bad_parameter_is_refused_in_one_sentence(settings, message):
    for id in IDS:
        with pytest.raises(ValueError, match=re.escape(f"do not fit: {message}") + "$"):
            batchsim.make_vec(id, 2, backend="reference", **settings)


@each
def test_the_time_limit_is_in_steps_of_four_tics(id):
    steps = ENVIRONMENTS[id].max_episode_steps
    assert steps == (75 if id == "EgoBasic-v0" else 525)
    assert gymnasium.spec(f"batchsim/{id}").max_episode_steps == steps
    assert f"{steps} steps of 4 tics" in registry.load(id).doc.replace("\n", " ")


@each
def test_all_scenarios_have_the_common_parameters(id):
    assert scenario(id).Params is view.Params
    assert scenario(id).State is world.State


# -- Shots and monsters ----------------------------------------------------------------------------


def duel(play, health=1, distance=4.0, kind=world.SHOOTER, **kwargs):
    """A player in the middle of a room who faces one monster."""
    envs = play("EgoDefendTheCenter-v0", frame_skip=1, **kwargs)
    s = columns(envs)
    put(
        envs,
        angle=0.0,
        monster=np.eye(1, world.MONSTERS).ravel() * kind,
        monster_x=s.x[0] + distance,
        monster_y=s.y[0],
        monster_health=health,
        monster_state=world.WALK,
        monster_timer=1000,
    )
    return envs


@pytest.mark.parametrize(
    ("health", "fewest", "most"), [(1, 1, 1), (5, 1, 1), (15, 1, 3), (20, 2, 4)]
)
def test_a_monster_straight_ahead_dies_of_as_many_hits_as_its_health_takes(
    play, health, fewest, most
):
    envs = duel(play, health)
    kills, shots = 0.0, 0
    while not kills:
        ammo = columns(envs).ammo[0]
        put(envs, monster_timer=1000)  # It stands still.
        reward, _ = act(envs, 3)
        shots += ammo - columns(envs).ammo[0]
        kills += reward
    assert kills == 1.0
    assert fewest <= shots <= most
    assert columns(envs).monster_state[0, 0] == world.DEAD


def test_from_shot_to_shot_pass_fourteen_tics(play):
    envs = duel(play, health=10_000)
    ammo = []
    for _ in range(30):
        put(envs, monster_timer=1000)
        act(envs, 3)
        ammo.append(int(columns(envs).ammo[0]))
    assert ammo == [25] * 14 + [24] * 14 + [23] * 2


def test_without_ammunition_there_is_no_shot(play):
    envs = duel(play)
    put(envs, ammo=0)
    assert act(envs, 3) == (0.0, False)
    s = columns(envs)
    assert (s.ammo[0], s.reload[0], s.monster_health[0, 0]) == (0, 0, 1)


def test_a_wall_stops_a_shot(play):
    envs = duel(play)
    grid = columns(envs).grid[0]
    grid[12, 14] = 1
    put(envs, grid=grid.ravel())
    assert act(envs, 3) == (0.0, False)
    s = columns(envs)
    assert (s.ammo[0], s.monster_health[0, 0]) == (25, 1)


@pytest.mark.parametrize("aside", [-0.5, 0.5])
def test_a_shot_beside_a_monster_misses(play, aside):
    envs = duel(play)
    put(envs, monster_y=columns(envs).y[0] + aside)
    assert act(envs, 3)[0] == 0.0


def test_a_monster_behind_the_player_is_not_hit(play):
    envs = duel(play, distance=-4.0)
    assert act(envs, 3)[0] == 0.0


def test_the_nearest_of_two_monsters_is_hit(play):
    envs = duel(play)
    s = columns(envs)
    put(
        envs,
        monster=[2, 2],
        monster_x=s.x[0] + np.array([4.0, 2.0]),
        monster_y=s.y[0],
        monster_health=[1, 1],
        monster_timer=[1000, 1000],
        monster_state=[world.WALK, world.WALK],
    )
    put(envs, monster_y=[s.y[0], s.y[0]])
    assert act(envs, 3)[0] == 1.0
    assert columns(envs).monster_state[0, :2].tolist() == [world.WALK, world.DEAD]


def test_who_is_hit_flinches_and_forgets_what_it_aimed_at(play):
    envs = duel(play, health=1000)
    put(envs, monster_state=world.AIM, monster_timer=3)
    act(envs, 3)
    s = columns(envs)
    assert s.monster_state[0, 0] == world.FLINCH
    for _ in range(world.FLINCHING):
        act(envs, 0)
    s = columns(envs)
    assert s.health[0] == world.FULL


def test_a_biter_comes_nearer_and_bites_from_near_only(play):
    envs = duel(play, health=1000, distance=5.0, kind=world.MELEE)
    put(envs, monster_timer=1, health=100.0)
    distance, bitten_at = 5.0, []
    for _ in range(300):
        s = columns(envs)
        before, distance = s.health[0], s.monster_x[0, 0] - s.x[0]
        if act(envs, 0)[1]:
            break
        if columns(envs).health[0] < before:
            bitten_at.append(distance)
            damage = before - columns(envs).health[0]
            assert damage % 4 == 0
            assert 4 <= damage <= 40
    assert bitten_at
    assert max(bitten_at) < 1.5 * monsters.BITE
    assert distance > 0.3


def test_a_shooter_hits_the_more_often_the_nearer_it_is(play):
    hits = {}
    for distance in (2.0, 8.0):
        envs = duel(play, health=1000, distance=distance)
        hits[distance] = 0
        for _ in range(200):
            put(envs, monster_state=world.AIM, monster_timer=1, health=100.0)
            put(envs, monster_x=columns(envs).x[0] + distance, monster_y=columns(envs).y[0])
            act(envs, 0)
            damage = 100.0 - columns(envs).health[0]
            assert damage in (0, 3, 6, 9, 12, 15)
            hits[distance] += damage > 0
        expected = 200 / (1 + monsters.SPREAD * distance)
        assert abs(hits[distance] - expected) < 35
    assert hits[2.0] > hits[8.0]


def test_a_wall_hides_the_player_from_monsters(play):
    envs = duel(play, health=1000)
    grid = columns(envs).grid[0]
    grid[:, 14] = 1
    put(envs, grid=grid.ravel(), monster_timer=1)
    for _ in range(300):
        assert act(envs, 0) == (0.0, False)
    s = columns(envs)
    assert s.health[0] == world.FULL
    assert s.monster_x[0, 0] > 15.0
    assert (s.monster_x[0, 0], s.monster_y[0, 0]) != (16.0, 12.0)  # It has wandered.


# -- Scenarios -------------------------------------------------------------------------------------


def test_basic_rewards_are_vizdooms(play):
    envs = play("EgoBasic-v0", frame_skip=1)
    put(envs, monster_x=9.0)
    assert act(envs, 0) == (-1.0, False)
    assert act(envs, 3) == (-6.0, False)
    assert act(envs, 3) == (-1.0, False)  # not loaded yet
    put(envs, monster_x=columns(envs).x[0], reload=0)
    assert act(envs, 3) == (100.0, True)


def test_a_basic_episode_without_a_kill_brings_minus_300(play):
    envs = play("EgoBasic-v0", max_episode_steps=75)
    total = 0.0
    for t in range(75):
        _, rewards, terminated, truncated, _ = envs.step(np.array([0]))
        total += rewards[0]
        assert not terminated[0]
        assert truncated[0] == (t == 74)
    assert total == -300.0


def test_my_way_home_ends_at_the_vest(play):
    envs = play("EgoMyWayHome-v0", 50)
    s = columns(envs)
    assert len({(x, y) for x, y in zip(s.x, s.y, strict=True)}) > 8
    assert len({(x, y) for x, y in zip(s.item_x[:, 0], s.item_y[:, 0], strict=True)}) == 1
    assert (np.hypot(s.x - s.item_x[:, 0], s.y - s.item_y[:, 0]) >= 5.0).all()
    assert act(play("EgoMyWayHome-v0"), 0) == (pytest.approx(-0.0004), False)
    envs = play("EgoMyWayHome-v0", frame_skip=1)
    put(envs, x=s.item_x[0, 0] - 1.0, y=s.item_y[0, 0], angle=0.0)
    total, over, tics = 0.0, False, 0
    while not over:
        reward, over = act(envs, 3)
        total += reward
        tics += 1
    assert total == pytest.approx(1.0 - 0.0001 * tics)
    assert 3 < tics < 20


def walker(s, k):
    """The button that brings the player of row k along the shortest way to the vest."""
    cells = np.array(maps.distances(s.grid[k], int(s.item_y[k, 0]), int(s.item_x[k, 0])))
    y, x = int(s.y[k]), int(s.x[k])
    neighbours = [(y + dy, x + dx) for dy, dx in zip(maps.DOWN, maps.RIGHT, strict=True)]
    row, column = min(
        (cell for cell in neighbours if cells[cell] >= 0), key=lambda cell: cells[cell]
    )
    bearing = math.atan2(row + 0.5 - s.y[k], column + 0.5 - s.x[k]) - s.angle[k]
    bearing = (bearing + math.pi) % (2 * math.pi) - math.pi
    return 3 if abs(bearing) < math.radians(10) else (2 if bearing > 0 else 1)


def test_the_way_home_can_be_walked_within_the_time_limit(play):
    n = 12
    envs = play("EgoMyWayHome-v0", n)
    home = np.zeros(n, bool)
    for _ in range(ENVIRONMENTS["EgoMyWayHome-v0"].max_episode_steps):
        s = columns(envs)
        home |= envs.step(np.array([0 if home[k] else walker(s, k) for k in range(n)]))[2]
        if home.all():
            break
    assert home.all()


@pytest.mark.parametrize(("health", "after"), [(50.0, 75.0), (90.0, 100.0)])
def test_a_medikit_heals_once(play, health, after):
    envs = play("EgoHealthGathering-v0", frame_skip=1)
    s = columns(envs)
    put(envs, health=health, item=np.eye(1, world.ITEMS).ravel() * world.MEDIKIT)
    put(envs, item_x=s.x[0] + 0.5, item_y=s.y[0])
    assert act(envs, 0) == (1.0, False)
    assert columns(envs).health[0] == after
    assert not columns(envs).item.any()
    act(envs, 0)
    assert columns(envs).health[0] == after


def test_a_thing_out_of_reach_stays(play):
    envs = play("EgoHealthGathering-v0", frame_skip=1)
    s = columns(envs)
    put(envs, health=50.0, item=np.eye(1, world.ITEMS).ravel() * world.MEDIKIT)
    put(envs, item_x=s.x[0] + 0.7, item_y=s.y[0])
    act(envs, 0)
    assert columns(envs).health[0] == 50.0


def test_acid_hurts_and_medikits_fall_now_and_then(play):
    envs = play("EgoHealthGathering-v0", frame_skip=1)
    put(envs, item=np.zeros(world.ITEMS))
    for tic in range(1, 100):
        assert act(envs, 0) == (1.0, False)
        s = columns(envs)
        assert s.health[0] == 100.0 - 8.0 * (tic // 32)
        assert (s.item == world.MEDIKIT).sum() == tic // 32
    everywhere = np.ones(world.ITEMS)
    put(envs, item=everywhere * world.MEDIKIT, item_x=everywhere, item_y=everywhere)
    for _ in range(100, 130):
        act(envs, 0)  # There is no room for more.


def test_death_costs_a_hundred_in_health_gathering(play):
    for id in ("EgoHealthGathering-v0", "EgoHealthGatheringSupreme-v0"):
        envs = play(id)
        put(envs, health=8.0, item=np.zeros(world.ITEMS))
        rewards = [act(envs, 0) for _ in range(8)]
        assert rewards == [(4.0, False)] * 7 + [(3.0 - 100.0, True)]


def test_a_vial_poisons(play):
    envs = play("EgoHealthGatheringSupreme-v0", frame_skip=1)
    s = columns(envs)
    for health, expected in ((50.0, (1.0, False)), (20.0, (-100.0, True))):
        put(envs, health=health, item=np.eye(1, world.ITEMS).ravel() * world.VIAL)
        put(envs, item_x=s.x[0], item_y=s.y[0])
        assert act(envs, 0) == expected
    s = columns(play("EgoHealthGatheringSupreme-v0", 200))
    share = (s.item == world.VIAL).sum() / (s.item > 0).sum()
    assert 0.25 < share < 0.35


def test_defenders_are_paid_for_kills_and_pay_for_their_death(play):
    for id, count in (("EgoDefendTheCenter-v0", 5), ("EgoDefendTheLine-v0", 6)):
        envs = play(id, frame_skip=1)
        s = columns(envs)
        assert (s.monster[0] > 0).sum() == count
        assert (s.ammo[0] == 26) == (count == 5)
        c, n = math.cos(s.angle[0]), math.sin(s.angle[0])
        put(envs, monster_x=s.x[0] + 3 * c, monster_y=s.y[0] + 3 * n)
        assert act(envs, 3) == (1.0, False)
        put(envs, health=1.0)
        rewards = []
        over = False
        while not over:
            reward, over = act(envs, 0)
            rewards.append(reward)
        assert rewards == [0.0] * (len(rewards) - 1) + [-1.0]
        assert columns(envs).health[0] == 0.0


def test_a_monster_comes_back_two_seconds_after_its_death_and_tougher_in_the_line(play):
    for id in ("EgoDefendTheCenter-v0", "EgoDefendTheLine-v0"):
        envs = play(id, frame_skip=1)
        for life in range(3):
            health = columns(envs).monster_full[0, 0]
            assert health == (1 + 10 * life if "Line" in id else 1)
            put(envs, monster_state=world.DEAD, monster_timer=world.BURIAL)
            for tic in range(1, world.BURIAL + 1):
                put(envs, health=100.0)
                act(envs, 0)
                is_dead = columns(envs).monster_state[0, 0] == world.DEAD
                assert is_dead == (tic < world.BURIAL)


def test_the_corridors_rewards_sum_up_to_the_way_gained(play):
    n = 16
    envs = play("EgoDeadlyCorridor-v0", n)
    first = columns(envs)
    assert first.best.tolist() == [20.5] * n
    rng = np.random.default_rng(0)
    total, over = np.zeros(n), np.zeros(n, bool)
    for t in range(200):
        if t % 4 == 0:
            batch = np.where(rng.random(n) < 0.5, 4, rng.integers(0, 8, n))
        _, rewards, terminated, _, _ = envs.step(batch)
        s = columns(envs)
        for k in np.flatnonzero(~over):
            total[k] += rewards[k]
            way = 20.5 - math.hypot(22.0 - s.x[k], 12.5 - s.y[k])
            is_dead = s.health[k] <= 0.0
            assert total[k] == pytest.approx(64 * way - 100 * is_dead)
            assert terminated[k] == (is_dead or s.item[k, 0] == world.NOTHING)
        over |= terminated
        if over.all():
            break
    assert over.all()


def test_the_corridor_ends_at_the_vest_and_nobody_gets_there_by_running_alone(play):
    envs = play("EgoDeadlyCorridor-v0", 64)
    over = np.zeros(64, bool)
    while not over.all():
        terminated = envs.step(np.full(64, 4))[2]
        s = columns(envs)
        assert (s.health[terminated & ~over] <= 0.0).all()
        over |= terminated
    envs.reset(seed=0)
    state = envs.get_state()
    state["state.x"][:], state["state.best"][:] = 20.0, 2.0
    state["state.monster"][:] = 0
    envs.set_state(state)
    total, terminated = 0.0, np.zeros(64, bool)
    while not terminated.any():
        _, rewards, terminated, _, _ = envs.step(np.full(64, 4))
        total += rewards[0]
    assert terminated.all()
    assert 64 * 1.4 <= total <= 64 * 2.0


def test_a_battle_pays_for_kills_health_and_ammunition(play):
    envs = play("EgoBattle-v0", frame_skip=1)
    put(envs, monster=np.zeros(world.MONSTERS), item=np.zeros(world.ITEMS))
    s = columns(envs)
    nothing, attack = [0, 0, 0, 0], [0, 0, 0, 1]
    assert act(envs, nothing) == (0.0, False)
    assert act(envs, attack) == (pytest.approx(-0.5 / 7.5), False)
    for kind, ammo, reward in (
        (world.MEDIKIT, 5, 25 * 0.5 / 30),
        (world.CLIP, 5, 10 * 0.5 / 7.5),
    ):
        put(envs, health=50.0, ammo=ammo, item=np.eye(1, world.ITEMS).ravel() * kind)
        put(envs, item_x=s.x[0], item_y=s.y[0])
        assert act(envs, nothing) == (pytest.approx(reward), False)
        after = columns(envs)
        assert after.item[0, 0] == kind  # Another lies elsewhere.
        assert (after.item_x[0, 0], after.item_y[0, 0]) != (s.x[0], s.y[0])
    put(envs, item=np.zeros(world.ITEMS), reload=0, angle=0.0, health=100.0)
    put(envs, monster=[2], monster_x=s.x[0] + 0.4, monster_y=s.y[0], monster_health=5)
    assert act(envs, attack) == (pytest.approx(1.0 - 0.5 / 7.5), False)


def test_a_battle_ends_with_the_players_death(play):
    envs = play("EgoBattle-v0", frame_skip=1)
    put(envs, health=1.0, item=np.zeros(world.ITEMS))
    s = columns(envs)
    put(envs, monster_x=s.x[0] + 0.1, monster_y=s.y[0], monster_state=world.AIM, monster_timer=1)
    assert act(envs, [0, 0, 0, 0]) == (pytest.approx(-0.5 / 30), True)


@pytest.mark.parametrize(
    ("action", "turned", "ahead", "right"),
    [
        ([1, 0, 0, 0], -1, 0, 0),
        ([2, 0, 0, 0], 1, 0, 0),
        ([0, 1, 0, 0], 0, 1, 0),
        ([0, 2, 0, 0], 0, -1, 0),
        ([0, 0, 1, 0], 0, 0, -1),
        ([0, 0, 2, 1], 0, 0, 1),
        ([0, 1, 2, 1], 0, 1, 1),
    ],
)
def test_a_battles_buttons_do_what_the_table_says(play, action, turned, ahead, right):
    envs = play("EgoBattle-v0", frame_skip=1)
    put(envs, monster=np.zeros(world.MONSTERS), angle=0.0)
    act(envs, action)
    s = columns(envs)
    assert np.sign(s.angle[0]) == turned
    assert (np.sign(s.speed_x[0]), np.sign(s.speed_y[0])) == (ahead, right)
    assert s.ammo[0] == 20 - action[3]


def test_monsters_of_a_battle_appear_away_from_the_player(opened):
    s = columns_after_reset(opened, "EgoBattle-v0", 300)
    distance = np.hypot(s.monster_x - s.x[:, None], s.monster_y - s.y[:, None])
    assert (distance[s.monster > 0] >= 4.0).all()
    assert ((s.monster > 0).sum(axis=1) == 10).all()


def test_items_are_taken_from_the_slots_that_are_asked_for(play):
    s = columns(play("EgoHealthGathering-v0"))
    s.item[0] = world.NOTHING
    items.put_item(s, 0, 5, world.CLIP, s.x[0], s.y[0])
    assert items.take(s, 0, 5) == (world.NOTHING, -1)
    assert items.take(s, 0, 6) == (world.CLIP, 5)
    assert items.take(s, 0, 6) == (world.NOTHING, -1)
