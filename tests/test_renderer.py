"""The first-person renderer on scenes whose right picture is known."""

import math

import numpy as np
import pytest
from gymnasium.spaces import Discrete

import batchsim
from batchsim.envs.egocentric import renderer, status, textures, view, world
from batchsim.envs.egocentric.pixels import FOG, LIGHT

SIZE = world.SIZE
FLOOR, CEILING = textures.FLOOR, textures.CEILING
WALL = textures.STONE + 1


class Scene:
    """Free cells in walls, and a player in them."""

    State, Scratch, Params = world.State, renderer.Scratch, view.Params
    OBSERVATION, ACTION = staticmethod(view.pixels), Discrete(2)
    check_params = staticmethod(view.check_params)

    class Arguments(view.Arguments):
        pass

    @staticmethod
    def tables(arguments):
        return view.Tables(textures.atlas())

    @staticmethod
    def reset(s, i, p, rng):
        s.grid[i] = 1
        s.x[i], s.y[i] = 1.5, 1.5

    @staticmethod
    def step(s, i, action, p, rng):
        return 0.0, False

    @staticmethod
    def observe(s, i, p, out):
        draw(s, i, p, FLOOR, CEILING, out)


draw = renderer.draw


class Chart(Scene):
    """The same with textures that say where they are looked at: red is u, green is v."""

    @staticmethod
    def tables(arguments):
        number = np.arange(textures.COUNT, dtype=np.uint32)[:, None, None]
        levels = []
        for level in range(textures.BITS + 1):
            v, u = np.mgrid[0 : textures.SIDE >> level, 0 : textures.SIDE >> level]
            # The middle of the texels that it stands for.
            v, u = ((k * 2 ** (level + 1) + 2**level - 1).astype(np.uint32) for k in (v, u))
            colours = u | v << 8 | (number + 1) * 8 << 16 | 1 << 24
            levels.append(colours.astype(np.uint32).reshape(textures.COUNT, -1))
        return view.Tables(np.concatenate(levels, 1).reshape(-1))


def look(
    scene,
    x,
    y,
    angle,
    grid,
    monsters=(),
    items=(),
    backend="native",
    *,
    health=0,
    ammo=0,
    fov=90.0,
    **params,
):
    """What is seen from a place; monsters are (kind, state, x, y), items (kind, x, y).

    The field of view is the row's own: one kernel has all of them.
    """
    envs = batchsim.make_vec(scene, 1, backend=backend, fov=[fov], **params)
    envs.reset(seed=0)
    state = envs.get_state()
    state["state.grid"][0] = grid
    state["state.x"][0], state["state.y"][0], state["state.angle"][0] = x, y, angle
    state["state.health"][0], state["state.ammo"][0] = health, ammo
    for k, (kind, doing, *place) in enumerate(monsters):
        state["state.monster"][0, k], state["state.monster_state"][0, k] = kind, doing
        state["state.monster_x"][0, k], state["state.monster_y"][0, k] = place
    for k, (kind, *place) in enumerate(items):
        state["state.item"][0, k] = kind
        state["state.item_x"][0, k], state["state.item_y"][0, k] = place
    seen = envs.set_state(state)
    envs.close()
    return {name: seen[name][0] for name in seen} if isinstance(seen, dict) else seen[0]


def hall(left=1, top=1, right=SIZE - 2, bottom=SIZE - 2, wall=WALL):
    """A grid with one hall of free cells."""
    grid = np.full((SIZE, SIZE), wall, np.uint8)
    grid[top : bottom + 1, left : right + 1] = 0
    return grid


def shade(distance):
    return LIGHT / (1.0 + FOG * distance) / 256.0


def rows_of_wall(picture, column, distance, lit=1.0):
    """How many pixels of a column show the wall's blue, as dimmed at a distance."""
    expected = int(((WALL) * 8) * int(np.float32(lit * 256.0 * shade(distance))) >> 8)
    return int((picture[:, column, 2] == expected).sum())


@pytest.mark.parametrize("distance", [1.0, 1.5, 2.0, 3.25, 6.0, 12.5])
@pytest.mark.parametrize("turn", range(4))
def test_a_wall_has_the_height_of_its_distance_in_every_column(distance, turn):
    angle = turn * math.pi / 2
    ahead = (round(math.cos(angle)), round(math.sin(angle)))
    x = 22.0 - distance if ahead[0] > 0 else 2.0 + distance if ahead[0] < 0 else 12.0
    y = 22.0 - distance if ahead[1] > 0 else 2.0 + distance if ahead[1] < 0 else 12.0
    picture = look(Chart, x, y, angle, hall(2, 2, 21, 21), fov=60.0)
    height = 128 / (2 * math.tan(math.radians(30))) / distance
    lit = 1.0 if ahead[0] else 0.75
    for column in range(0, 128, 9):
        # Half a picture's width is less than the distance to the side walls.
        if abs(math.tan(math.radians(30)) * distance) < 9:
            assert abs(rows_of_wall(picture, column, distance, lit) - min(72, height)) <= 1


@pytest.mark.parametrize("turn", range(4))
def test_a_texture_runs_from_left_to_right_and_from_top_to_bottom(turn):
    picture = look(Chart, 12.5, 12.5, turn * math.pi / 2, hall(11, 11, 13, 13))
    middle = picture[36, 44:84, 0].astype(int)
    inside = np.diff(middle)
    assert (inside >= 0).sum() >= len(inside) - 1  # but where the next cell begins
    assert middle.max() - middle.min() > 20
    column = picture[20:52, 64, 1].astype(int)
    assert (np.diff(column) >= 0).all()
    assert column[-1] > column[0]


def test_nothing_but_walls_floor_and_ceiling_is_seen():
    rng = np.random.default_rng(0)
    for _ in range(20):
        grid = (rng.random((SIZE, SIZE)) < 0.25).astype(np.uint8) * WALL
        grid[0] = grid[-1] = grid[:, 0] = grid[:, -1] = WALL
        free = np.argwhere(grid == 0)
        row, column = free[rng.integers(len(free))]
        picture = look(
            Chart,
            column + rng.uniform(0.3, 0.7),
            row + rng.uniform(0.3, 0.7),
            rng.uniform(0, 2 * math.pi),
            grid,
        )
        assert (picture[..., 2] > 0).all()
        # Above the horizon no floor, below it no ceiling.
        upper = look(Chart, 12.5, 12.5, 0.3, hall())[:36, :, 2]
        lower = look(Chart, 12.5, 12.5, 0.3, hall())[36:, :, 2]
        assert upper.max() <= (CEILING + 1) * 8
        assert lower.max() <= (FLOOR + 1) * 8


def test_the_floor_lies_still_in_the_world():
    """The texel under a pixel is that of the place in the world that its ray meets."""
    x, y, angle, height = 12.3, 11.6, 0.7, 72
    picture = look(Chart, x, y, angle, hall())
    focus = 128 / 2.0
    checked = 0
    for row in range(60, height, 3):
        distance = 0.5 * focus / (row + 0.5 - height / 2)
        for column in range(0, 128, 7):
            across = 2 * (column + 0.5) / 128 - 1
            at_x = x + distance * (math.cos(angle) - math.sin(angle) * across)
            at_y = y + distance * (math.sin(angle) + math.cos(angle) * across)
            light = int(256 * shade(distance))
            expected = [int(place % 1.0 * 64) * 2 * light >> 8 for place in (at_x, at_y)]
            found = picture[row, column, :2].astype(int)
            checked += np.abs(found - expected).max() <= 2
    assert checked > 70  # float32 may fall onto the next texel


MONSTER = (1, 0, 14.5, 12.5)


def test_a_sprite_stands_where_it_is_and_has_its_size():
    empty = look(Scene, 10.5, 12.5, 0.0, hall())
    seen = look(Scene, 10.5, 12.5, 0.0, hall(), [MONSTER])
    changed = np.argwhere((empty != seen).any(-1))
    top, left = changed.min(0)
    bottom, right = changed.max(0)
    scale = 64 / 4.0  # pixels a cell, four cells ahead
    assert abs((left + right) / 2 - 63.5) <= 1
    assert abs(bottom + 1 - (36 + 0.5 * scale)) <= 1  # it stands on the floor
    assert bottom - top + 1 <= 0.9 * scale + 1
    assert bottom - top + 1 >= 0.75 * scale


def test_a_sprite_behind_a_wall_is_hidden_and_one_before_it_is_not():
    grid = hall()
    grid[12, 12] = WALL
    empty = look(Scene, 10.5, 12.5, 0.0, grid)
    np.testing.assert_array_equal(look(Scene, 10.5, 12.5, 0.0, grid, [MONSTER]), empty)
    assert (look(Scene, 10.5, 12.5, 0.0, grid, [(1, 0, 11.5, 12.5)]) != empty).any()


def test_a_sprite_behind_the_player_is_not_seen():
    empty = look(Scene, 10.5, 12.5, math.pi, hall())
    np.testing.assert_array_equal(look(Scene, 10.5, 12.5, math.pi, hall(), [MONSTER]), empty)


def test_the_nearer_sprite_covers_the_farther_one_in_whatever_order_they_are_kept():
    near, far = (1, 0, 12.5, 12.5), (2, 0, 15.5, 12.5)
    pictures = [look(Scene, 10.5, 12.5, 0.0, hall(), order) for order in ([near, far], [far, near])]
    np.testing.assert_array_equal(*pictures)
    alone = look(Scene, 10.5, 12.5, 0.0, hall(), [near])
    body = pictures[0][36:44, 60:68]
    np.testing.assert_array_equal(body, alone[36:44, 60:68])


def test_a_sprite_half_behind_a_corner_shows_its_other_half():
    grid = hall()
    grid[13, 12] = WALL  # to the right of the line of sight
    whole = look(Scene, 10.5, 12.9, 0.0, hall(), [(1, 0, 14.5, 12.9)])
    half = look(Scene, 10.5, 12.9, 0.0, grid, [(1, 0, 14.5, 12.9)])
    np.testing.assert_array_equal(half[30:44, 56:63], whole[30:44, 56:63])
    assert (half[30:44, 66:72] != whole[30:44, 66:72]).any()


@pytest.mark.parametrize("kind", [world.MEDIKIT, world.VIAL, world.VEST, world.CLIP])
def test_each_item_looks_different(kind):
    pictures = [
        look(Scene, 10.5, 12.5, 0.0, hall(), items=[(other, 12.0, 12.5)])
        for other in (world.MEDIKIT, world.VIAL, world.VEST, world.CLIP)
    ]
    mine = pictures.pop(kind - 1)
    assert all((mine != other).any() for other in pictures)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"grayscale": True, "channels_first": True, "width": 40, "height": 30},
        {"width": 1, "height": 1},
        {"width": 31, "height": 64, "fov": 120.0},
    ],
)
def test_both_backends_draw_the_same(params):
    rng = np.random.default_rng(1)
    for _ in range(2):
        grid = (rng.random((SIZE, SIZE)) < 0.2).astype(np.uint8) * rng.integers(1, 5)
        grid[0] = grid[-1] = grid[:, 0] = grid[:, -1] = WALL
        grid[11:14, 11:14] = 0
        view_from = (*rng.uniform(11.3, 13.7, 2), rng.uniform(0, 7))
        monsters = [(1 + k % 2, k % 4, *rng.uniform(10, 15, 2)) for k in range(6)]
        items = [(1 + k % 4, *rng.uniform(10, 15, 2)) for k in range(6)]
        pictures = [
            look(Scene, *view_from, grid, monsters, items, backend, **params)
            for backend in ("native", "reference")
        ]
        np.testing.assert_array_equal(*pictures)


def test_grey_and_channels_first_show_the_same_picture():
    arguments = (12.2, 12.6, 0.4, hall(10, 10, 15, 15), [MONSTER])
    colour = look(Scene, *arguments).astype(int)
    # As plain Python, which draws the same: each form is a kernel of its own.
    first = look(Scene, *arguments, backend="reference", channels_first=True)
    np.testing.assert_array_equal(first.transpose(1, 2, 0), colour)
    grey = look(Scene, *arguments, backend="reference", grayscale=True)
    assert grey.shape == (72, 128, 1)
    expected = (77 * colour[..., 0] + 150 * colour[..., 1] + 29 * colour[..., 2]) >> 8
    np.testing.assert_array_equal(grey[..., 0], expected)


def test_a_step_to_the_side_moves_what_is_near_further_than_what_is_far():
    near, far = (1, 0, 12.5, 12.5), (1, 0, 18.5, 12.5)

    def middle(y, monster):
        empty, seen = (
            look(Scene, 10.5, y, 0.0, hall()),
            look(Scene, 10.5, y, 0.0, hall(), [monster]),
        )
        return np.argwhere((empty != seen).any(-1))[:, 1].mean()

    moved = {
        name: middle(12.5, one) - middle(12.7, one) for name, one in (("near", near), ("far", far))
    }
    assert moved["near"] > 2 * moved["far"] > 0


# -- What else is observed of pixels ---------------------------------------------------------------


def test_depth_is_the_distance_of_what_a_pixel_shows():
    grid = hall(2, 2, 21, 21)
    seen = look(Scene, 16.5, 12.5, 0.0, grid, [(1, 0, 18.5, 12.5)], depth=True, labels=True)
    depth, labels = seen["depth"], seen["labels"]
    assert (depth.dtype, depth.shape) == (np.float32, (72, 128))
    walls = labels == 1
    np.testing.assert_allclose(depth[walls & (np.arange(128) == 10)], 22.0 - 16.5, rtol=1e-6)
    monster = labels == 2
    assert monster.sum() > 100
    np.testing.assert_array_equal(depth[monster], np.float32(2.0))
    # A row of floor lies on a line across the line of sight; the eye is half a cell high.
    floor = (labels == 0) & (np.arange(72)[:, None] > 36)
    expected = np.float32(0.5 * 64 / (np.arange(72) + 0.5 - 36))[:, None].repeat(128, 1)
    np.testing.assert_allclose(depth[floor], expected[floor], rtol=1e-6)
    np.testing.assert_array_equal(
        seen["pixels"], look(Scene, 16.5, 12.5, 0.0, grid, [(1, 0, 18.5, 12.5)])
    )


def test_labels_tell_which_monster_and_which_item_a_pixel_shows():
    monsters = [(1, 0, 12.5, 11.5), (2, 0, 12.5, 13.5)]
    items = [(world.MEDIKIT, 13.5, 12.5)]
    both = {"depth": True, "labels": True}
    labels = look(Scene, 10.5, 12.5, 0.0, hall(), monsters, items, **both)["labels"]
    assert set(np.unique(labels)) == {0, 1, 2, 3, 2 + world.MONSTERS}
    # Angles grow from x towards y: what is at a smaller y is seen to the left.
    left, right = (np.argwhere(labels == k)[:, 1].mean() for k in (2, 3))
    assert left < 64 < right


def test_both_backends_find_the_same_depths_and_labels():
    monsters, items = [(1, 0, 13.2, 12.1), (2, 2, 15.0, 13.0)], [(1, 12.9, 12.9)]
    scene = (Scene, 10.4, 12.5, 0.2, hall(8, 8, 17, 15), monsters, items)
    both = look(*scene, depth=True, labels=True)
    for name in ("depth", "labels"):
        alone = look(*scene, "reference", **{name: True})
        assert alone.keys() == {"pixels", name}
        for part in alone:
            np.testing.assert_array_equal(both[part], alone[part])


def read_bar(picture, colour, size=1):
    """Read a number of the status bar: the figures of a colour, from the left."""
    rows, columns = np.nonzero((picture == colour).all(-1))
    found = picture[rows.min() : rows.max() + 1]
    shown = (found == colour).all(-1)[::size, : columns.max() + 1]
    text = ""
    for left in range(columns.min() % size, shown.shape[1], size):
        patch = shown[:, left : left + 3 * size : size]
        if patch.shape != (5, 3) or (left >= size and shown[:, left - size].any()):
            continue
        bits = int("".join(str(int(bit)) for bit in patch.ravel()), 2)
        if bits in status.FIGURES:
            text += str(status.FIGURES.index(bits))
    return text


@pytest.mark.parametrize(("height", "size", "backend"), [(72, 1, "native"), (180, 3, "reference")])
@pytest.mark.parametrize("health", [100.0, 57.4, 203.0, 3.0])
def test_the_status_bar_shows_health_in_figures(height, size, backend, health):
    scene = (Scene, 10.5, 12.5, 0.0, hall())
    shown = {"health": health, "ammo": 46, "height": height, "backend": backend}
    picture = look(*scene, status_bar=True, **shown)
    bar = picture[height - height // status.SHARE :]
    colours = {
        name: [getattr(status, name) >> 8 * k & 255 for k in range(3)]
        for name in ("RED", "YELLOW", "WHITE")
    }
    assert read_bar(bar, colours["RED"], size) == str(math.ceil(health))
    assert read_bar(bar, colours["YELLOW"], size) == "46"
    assert read_bar(bar, colours["WHITE"], size) == "0"
    plain = look(*scene, **shown)
    above = height - height // status.SHARE
    np.testing.assert_array_equal(picture[:above], plain[:above])


def test_what_is_far_away_does_not_flicker():
    """A step of a fiftieth of a cell changes the farthest floor less than what is near."""
    one, other = (look(Scene, x, 12.5, 0.0, hall(1, 1, 22, 22)).astype(int) for x in (2.5, 2.52))
    change = np.abs(one - other).mean((1, 2))
    assert change[38:42].max() < 3.0
    assert change[60:70].mean() > change[39:42].mean()


def test_a_pillar_between_two_rays_is_not_missed():
    """Rays are followed for some columns only; the others show what theirs would have hit."""
    rng = np.random.default_rng(3)
    for _ in range(30):
        grid = (rng.random((SIZE, SIZE)) < 0.08).astype(np.uint8) * WALL
        grid[0] = grid[-1] = grid[:, 0] = grid[:, -1] = WALL
        grid[12, 12] = 0
        x, y, angle = 12 + rng.uniform(0.3, 0.7), 12 + rng.uniform(0.3, 0.7), rng.uniform(0, 7)
        depth = look(Scene, x, y, angle, grid, depth=True, labels=True)["depth"][36]
        for column in range(128):
            across = 2 * (column + 0.5) / 128 - 1
            dx = math.cos(angle) - math.sin(angle) * across
            dy = math.sin(angle) + math.cos(angle) * across
            distances = np.arange(0.0, depth[column] - 0.01, 0.005)
            cells = grid[(y + distances * dy).astype(int), (x + distances * dx).astype(int)]
            assert not cells.any()
            beyond = depth[column] + 0.005
            # Close to a corner the ray may leave the wall again at once.
            corner = [abs(place - round(place)) for place in (x + beyond * dx, y + beyond * dy)]
            assert grid[int(y + beyond * dy), int(x + beyond * dx)] != 0 or max(corner) < 0.02
