"""MinAtar's games: the bits of the package's own, which is only ever run, never read."""

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.vector import AutoresetMode

import batchsim
from batchsim.registry import ENVIRONMENTS, original

pytest.importorskip("minatar")
from minatar_laboratory import GAMES, Laboratory
from minatar_player import Player

from batchsim.envs.minatar.painter import cubehelix

pytestmark = pytest.mark.filterwarnings("ignore:.*is out of date:DeprecationWarning")

N = 24
VERSIONS = {AutoresetMode.NEXT_STEP: 1, AutoresetMode.SAME_STEP: 0, AutoresetMode.DISABLED: 1}
SETTINGS = [{}, {"sticky_action_prob": 0.4, "difficulty_ramping": False}]


def same_streams(pair):
    """Assert that every row's generator stands where the original's does."""
    for name, (env, _) in pair.subjects.items():
        rows = zip(pair.reference.envs, env.np_random, strict=True)
        for row, (one, other) in enumerate(rows):
            one, other = one.unwrapped.game.random.get_state(), other.get_state()
            assert oracle.bits(one[1:]) == oracle.bits(other[1:]), f"{name}, row {row}"


def play(pair, name, steps, seed, **settings):
    """Have all play the same; return what happened."""
    pair.reset(seed=seed)
    player = Player(name, next(iter(pair.subjects.values()))[0], seed, **settings)
    pair.run(steps, player)
    same_streams(pair)
    player.close()
    return player.seen


@pytest.mark.parametrize("game", GAMES)
def test_a_game_has_the_packages_bits(beside, game):
    successes = 0
    for mode, version in VERSIONS.items():
        name = f"MinAtar/{game}-v{version}"
        pair = beside(name, N, mode)
        play(pair, name, 120, 2**32 - N)
        successes += pair.successes
        for settings in SETTINGS:  # Plain Python, for which nothing is compiled.
            pair = beside(name, 4, mode, native=False, reference_backend=True, **settings)
            pair.reset(seed=3)
            pair.run(40, oracle.Actions(pair.reference))
            same_streams(pair)
    assert successes > 40


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("game", GAMES)
def test_300_000_steps_of_a_game_have_the_packages_bits(beside, game):
    steps, seen = 0, {}
    for settings in SETTINGS:
        for mode, version in VERSIONS.items():
            name = f"MinAtar/{game}-v{version}"
            pair = beside(name, 40, mode, **settings)
            happened = play(pair, name, 800 if settings else 2600, 11, **settings)
            seen = {what: seen.get(what, 0) + times for what, times in happened.items()}
            steps += 40 * pair.steps
    assert steps >= 300_000
    print(f"{game}: {steps} steps, {seen}")
    assert all(seen.values())


@pytest.mark.parametrize("game", GAMES)
def test_any_situation_goes_on_as_in_the_package(opened, game):
    for ramping, n, backend in ((True, 64, "native"), (False, 16, "reference")):
        made = {"difficulty_ramping": ramping, "backend": backend}
        envs = opened(batchsim.make_vec(f"MinAtar/{game}-v1", n, **made))
        laboratory = Laboratory(game, envs, 5, ramping)
        for _ in range(4):
            laboratory.arrange()
            laboratory.step()
        assert laboratory.rewards
        assert laboratory.ends


def test_every_id_of_the_package_is_there():
    original("MinAtar/Breakout-v1")  # which registers them
    theirs = sorted(name for name in gymnasium.registry if name.startswith("MinAtar/"))
    assert theirs == oracle.GAMES
    for name in theirs:
        one = gymnasium.make(name)
        ours = batchsim.make(name, backend="reference")
        assert (one.observation_space, one.action_space) == (
            ours.observation_space,
            ours.action_space,
        )
        assert one.spec.max_episode_steps is ENVIRONMENTS[name].max_episode_steps is None
        one.reset(seed=0)
        ours.reset(seed=0)
        assert type(one.step(0)[1]) is type(ours.step(0)[1])


def test_gymnasium_knows_the_ids_without_their_slash(opened):
    env = opened(gymnasium.make("batchsim/MinAtar-Freeway-v1", backend="reference"))
    assert env.spec.id == "batchsim/MinAtar-Freeway-v1"
    again = opened(batchsim.make_vec(env.spec.id, 2, backend="reference"))
    assert again.definition.name == "MinAtar/Freeway-v1"


def test_a_seed_that_the_package_refuses_is_refused(opened):
    theirs = opened(gymnasium.make(original("MinAtar/Breakout-v1")))
    ours = opened(batchsim.make("MinAtar/Breakout-v1", backend="reference"))
    with pytest.raises(ValueError, match=r"2\*\*32"):
        theirs.reset(seed=2**32)
    with pytest.raises(ValueError, match=r"is 4294967296; expected one below 2\*\*32"):
        ours.reset(seed=2**32)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sticky_action_prob": 1.5}, "sticky_action_prob is 1.5; expected from 0.0 to 1.0"),
        ({"use_minimal_action_set": 1}, "'use_minimal_action_set' is 1; expected True or False"),
    ],
)
def test_bad_arguments_are_refused(settings, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        batchsim.make_vec("MinAtar/Breakout-v1", 2, backend="reference", **settings)


@pytest.mark.parametrize("count", [4, 6, 7, 10])
def test_the_colours_are_those_of_cubehelix(count):
    """The package's own pictures have them too, which it needs seaborn for."""
    matplotlib = pytest.importorskip("matplotlib")
    places = np.linspace(0, 1, count + 2)[1:-1]
    expected = np.rint(255 * matplotlib.colormaps["cubehelix"](places)[:, :3])
    assert np.array_equal(cubehelix(count), expected)


def test_a_picture_shows_the_last_channel_of_each_cell(opened):
    name = "MinAtar/SpaceInvaders-v1"
    env = opened(batchsim.make(name, backend="reference", render_mode="rgb_array"))
    board = env.reset(seed=0)[0]
    frame = env.render()
    assert frame.shape == (320, 320, 3)
    assert frame.dtype == np.uint8
    colours = [(0, 0, 0), *map(tuple, cubehelix(6).tolist())]
    for y, x in np.ndindex(10, 10):
        shown = max(np.flatnonzero(board[y, x]) + 1, default=0)
        cell = frame[32 * y : 32 * y + 32, 32 * x : 32 * x + 32]
        assert (cell == colours[shown]).all()


@pytest.mark.parametrize("game", GAMES)
def test_frames_are_the_packages(opened, game):
    pytest.importorskip("seaborn")
    name = f"MinAtar/{game}-v1"
    theirs = opened(gymnasium.make(original(name), render_mode="rgb_array"))
    ours = opened(batchsim.make(name, render_mode="rgb_array", backend="reference"))
    actions = np.random.default_rng(0).integers(theirs.action_space.n, size=60)
    for env in (theirs, ours):
        env.reset(seed=4)
    for action in actions:
        over = theirs.step(action)[2]
        ours.step(action)
        assert abs(ours.render()[::32, ::32] - 255 * theirs.render()).max() <= 0.5
        if over:
            theirs.reset()
            ours.reset()
