"""`python -m batchsim play`: what keys do, when steps are made, and what cannot be played."""

import doctest
import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete

import batchsim
from batchsim import registry
from batchsim.__main__ import main
from batchsim.batch import keys as keys_module
from batchsim.batch.keys import KEY_NAMES, OF_PLAY, Keys
from batchsim.commands import game as playing
from batchsim.registry import ENVIRONMENTS

pygame = pytest.importorskip("pygame")

PLAYED = [name for name in ENVIRONMENTS if hasattr(registry.load(name).namespace, "KEYS")]

OWN = """
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete


class Buttons:
    \"\"\"# Buttons

    ## Action Space

    Three buttons, the last of which ends the episode.
    \"\"\"

    class State(NamedTuple):
        count: int

    class Params(NamedTuple):
        frame_skip: int = 4

    class Info(NamedTuple):
        luck: float

    ACTION = MultiDiscrete([3, 3, 2])
    OBSERVATION = Box(0, 100, (1,), np.float32)
    KEYS = {
        None: (0, 0, 0),
        "left": (0, 1),
        "right": (0, 2),
        "up": (1, 1),
        "w": (1, 1),
        "space": (2, 1),
    }
    RENDER_FPS = 5

    def reset(s, i, p, rng):
        s.count[i] = 0

    def step(s, i, action, p, rng):
        s.count[i] += 1
        return 0.5, action[2] == 1

    def observe(s, i, p, out):
        out[0] = s.count[i]

    def inform(s, i, p, out):
        out.luck[0] = 0.25

    def renderer(p):
        return lambda s, i: np.full((20, 30, 3), 10 + s.count[i], np.uint8)


class Turns(Buttons):
    ACTION = Discrete(3, start=5)
    KEYS = {"left": 5, "a": 5, "right": 6, "down": 7}

    def step(s, i, action, p, rng):
        s.count[i] += 1
        return 1.0, action == 7


class Timed(Turns):
    KEYS = {None: 6, "left": 5, "down": 7}


class Wrong(Buttons):
    KEYS = {"left": (0, 3)}


class Keyless(Buttons):
    KEYS = None


class Grey(Buttons):
    def renderer(p):
        return lambda s, i: np.zeros((20, 30), np.uint8)


class Unseen:
    State, ACTION, OBSERVATION = Buttons.State, Buttons.ACTION, Buttons.OBSERVATION
    KEYS = Buttons.KEYS
    reset, step, observe = Buttons.reset, Buttons.step, Buttons.observe
"""


@pytest.fixture(autouse=True)
def display(monkeypatch):
    """A display that nobody sees."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A user's environments; the working directory is theirs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "played_envs.py").write_text(OWN)
    return registry.load_file(tmp_path / "played_envs.py")


@pytest.fixture
def start(opened):
    """Begin a game without kernels that have to be compiled, whose actions are noted."""

    def begin(definition, fps=10.0, seed=0):
        env = opened(batchsim.make(definition, render_mode="rgb_array", backend="reference"))
        keys = Keys(registry.read(definition)[0], env.action_space)
        game = playing.Game(env, keys, fps, seed)
        taken = []
        step = env.step
        env.step = lambda action: taken.append(np.asarray(action).tolist()) or step(action)
        return game, taken

    return begin


def post(*keys):
    """Post events: "+left" presses a key, "-left" releases it."""
    for key in keys:
        kind = pygame.KEYDOWN if key[0] == "+" else pygame.KEYUP
        pygame.event.post(pygame.event.Event(kind, key=pygame.key.key_code(key[1:])))


def at(game, now, *keys):
    """Post events and do what they ask for at a time; returns whether the game goes on."""
    if not pygame.display.get_init():
        pygame.display.init()
        pygame.event.clear()
    post(*keys)
    going = playing.obey(game, pygame, pygame.event.get(), now)
    game.advance(now)
    return going


def run(monkeypatch, *arguments):
    """The exit status of the command."""
    monkeypatch.setattr(sys, "argv", ["batchsim", "play", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code or 0


# -- what keys mean --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLAYED)
def test_every_key_of_an_environment_gives_an_action_of_its_space(name):
    definition = registry.load(name)
    space = definition.namespace.ACTION
    keys = Keys(definition, space)
    for key in keys.actions:
        assert keys.action([key]) in space
    assert keys.action(list(keys.actions)) in space
    assert keys.waits or keys.action([]) in space
    assert not set(keys.actions) & set(OF_PLAY)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_environment_with_pictures_and_choices_can_be_played(name):
    definition = registry.load(name)
    choices = isinstance(definition.namespace.ACTION, (Discrete, MultiDiscrete))
    assert (name in PLAYED) == (choices and hasattr(definition.namespace, "renderer"))


@pytest.mark.parametrize("name", PLAYED)
def test_every_action_has_a_key(name):
    definition = registry.load(name)
    space = definition.namespace.ACTION
    keys = Keys(definition, space)
    if isinstance(space, Discrete):
        reached = {keys.action(held) for held in ([], *([key] for key in keys.actions))}
        assert reached - {None} == set(range(space.n))
    else:
        reached = set(keys.actions.values()) | set(enumerate(keys.idle))
        assert reached == {(k, value) for k, n in enumerate(space.nvec) for value in range(n)}


def test_the_names_of_keys_are_pygames():
    pygame.display.init()
    for name in [*KEY_NAMES, *OF_PLAY]:
        assert pygame.key.name(pygame.key.key_code(name)) == name


def test_the_example_in_the_docstring_runs():
    results = doctest.testmod(keys_module)
    assert results.attempted
    assert not results.failed


def test_upstream_gives_the_same_actions_to_arrows():
    """Where the original says which arrow is meant: directions are its constants."""
    from gymnasium.envs.toy_text import cliffwalking, frozen_lake

    for name, original in (("FrozenLake-v1", frozen_lake), ("CliffWalking-v1", cliffwalking)):
        for key, action in registry.load(name).namespace.KEYS.items():
            assert action == getattr(original, key.upper())


def keys_of(given, space):
    return Keys(SimpleNamespace(name="Own", namespace=SimpleNamespace(KEYS=given)), space)


def test_of_keys_that_contradict_each_other_the_last_one_pressed_counts():
    several = keys_of({None: (1, 0), "a": (0, 0), "b": (0, 2), "c": (1, 1)}, MultiDiscrete([3, 2]))
    for held, action in (("", [1, 0]), ("c", [1, 1]), ("abc", [2, 1]), ("bca", [0, 1])):
        assert several.action(held).tolist() == action
    one = keys_of({"a": -1, "b": 0}, Discrete(2, start=-1))
    assert [one.action(held) for held in ("", "a", "ab", "ba")] == [None, -1, 0, -1]


def test_without_an_action_for_no_key_a_key_changes_the_lowest_action():
    keys = keys_of({"a": (1, 1)}, MultiBinary(3))
    assert keys.waits
    action = keys.action(["a"])
    assert action.tolist() == [0, 1, 0]
    assert action.dtype == np.int8


@pytest.mark.parametrize(
    ("given", "space", "message"),
    [
        (None, Discrete(2), "KEYS of Own is None; expected a dict from names of keys"),
        ([("a", 0)], Discrete(2), "expected a dict from names of keys to actions"),
        ({None: 0}, Discrete(2), "expected a dict from names of keys to actions"),
        ({"a": 0}, Box(0, 1), "cannot give actions of Box(0.0, 1.0, (1,), float32); expected"),
        ({"a": (0, 1)}, MultiDiscrete([[2, 2]]), "or MultiBinary with one axis."),
        ({"lft": 0}, Discrete(2), "names 'lft' (did you mean 'left'?); expected a key such as"),
        ({"SPACE": 0}, Discrete(2), "names 'SPACE'"),
        ({7: 0}, Discrete(2), "names 7; expected a key such as 'a', 'left'"),
        ({"p": 0}, Discrete(2), "names 'p', which play keeps for itself (pause); choose"),
        ({"a": 2}, Discrete(2), "gives 'a' the action 2; expected a whole number from 0 to 1."),
        ({"a": -1}, Discrete(2), "gives 'a' the action -1; expected"),
        ({"a": 1.0}, Discrete(2), "gives 'a' the action 1.0; expected a whole number"),
        ({"a": True}, Discrete(2), "gives 'a' the action True; expected a whole number"),
        ({"a": (0, 1)}, Discrete(2), "gives 'a' the action (0, 1); expected a whole number"),
        ({None: 5, "a": 1}, Discrete(2), "gives None the action 5; expected a whole number"),
        ({"a": 1}, MultiDiscrete([2, 3]), "gives 'a' the action 1; expected (index, value), the"),
        ({"a": (2, 0)}, MultiDiscrete([2, 3]), "the action (2, 0); expected (index, value), the"),
        ({"a": (1, 3)}, MultiDiscrete([2, 3]), "gives 'a' at index 1 the value 3; expected a"),
        ({None: 0, "a": (1, 1)}, MultiDiscrete([2, 3]), "expected a tuple of 2 whole numbers."),
        ({None: (0, 3), "a": (1, 1)}, MultiDiscrete([2, 3]), "None at index 1 the value 3; expec"),
    ],
)
def test_keys_that_make_no_sense_are_refused_in_a_sentence(given, space, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        keys_of(given, space)
    assert message in str(caught.value)
    assert str(caught.value).endswith(".")


# -- when steps are made ---------------------------------------------------------------------------


def test_held_keys_act_together_until_they_are_released(own, start):
    game, taken = start(own.Buttons, fps=10.0)
    for now, keys in enumerate([(), ("+left",), ("+up",), ("+right",), ("-right",), ("-up",)]):
        assert at(game, float(now), *keys)
    assert taken == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [2, 1, 0], [1, 1, 0], [1, 0, 0]]


def test_of_one_choice_the_last_key_counts_that_is_still_held(own, start):
    game, taken = start(own.Timed)
    for now, keys in enumerate([(), ("+left",), ("+down", "-down", "+left"), ("-left",)]):
        at(game, float(now), *keys)
    assert taken == [6, 5, 5, 6]


def test_a_key_that_was_tapped_between_two_steps_counts_once(own, start):
    game, taken = start(own.Buttons)
    at(game, 0.0)
    at(game, 0.05, "+left", "-left")
    at(game, 0.1)
    at(game, 0.2)
    assert taken == [[0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_steps_keep_time_and_late_ones_are_not_made_up_for(own, start):
    game, taken = start(own.Buttons, fps=10.0)
    steps = []
    for now in (100.0, 100.05, 100.12, 100.19, 100.21, 107.0, 107.05, 107.1):
        at(game, now)
        steps.append(len(taken))
    assert steps == [1, 1, 2, 2, 3, 4, 4, 5]
    at(game, 107.15)
    assert game.rest(107.15) == pytest.approx(0.05)


def test_a_game_without_an_action_for_no_key_waits_for_one(own, start):
    game, taken = start(own.Turns, fps=4.0)
    for now in range(5):
        at(game, float(now))
    assert taken == []
    assert game.rest(5.0) == playing.IDLE
    at(game, 5.0, "+left", "-left", "+right", "-right", "+right", "-right")
    assert taken == [5, 6, 6]


def test_a_key_held_in_a_game_that_waits_repeats(own, start):
    game, taken = start(own.Turns, fps=4.0)
    steps = []
    for now, keys in [(0.0, ["+left"]), (0.1, []), (0.26, []), (0.4, []), (0.51, ["-left"])]:
        at(game, now, *keys)
        steps.append(len(taken))
    assert steps == [1, 1, 2, 2, 2]


def test_other_keys_do_nothing(own, start):
    game, taken = start(own.Turns)
    assert at(game, 0.0, "+x", "-x", "+left", "-x")
    assert taken == [5]


def test_while_a_game_is_paused_nothing_happens(own, start):
    game, taken = start(own.Buttons)
    at(game, 0.0, "+left")
    at(game, 1.0, "+p", "+up", "-up")
    at(game, 2.0, "-p")
    assert taken == [[1, 0, 0]]
    assert "paused (P: go on)" in game.describe()
    at(game, 3.0, "+p")
    assert "paused" not in game.describe()
    assert taken == [[1, 0, 0], [1, 0, 0]]
    at(game, 3.01)
    assert len(taken) == 2


def test_an_episode_that_is_over_stands_until_the_next_is_begun(own, start):
    game, taken = start(own.Buttons)
    at(game, 0.0)
    at(game, 1.0, "+space", "-space")
    assert game.describe() == "return 1.00    step 2    luck 0.25    terminated (R: again)"
    at(game, 2.0, "+p", "-p")
    assert not game.paused
    assert taken == [[0, 0, 0], [0, 0, 1]]
    at(game, 3.0, "+r", "-r")
    assert taken[2:] == [[0, 0, 0]]
    assert (game.steps, game.score, game.end) == (1, 0.5, "")


def test_an_episode_can_be_given_up(own, start):
    game, _ = start(own.Buttons)
    at(game, 0.0)
    assert (game.frame == 11).all()
    at(game, 0.01, "+r")
    assert game.steps == 0
    assert (game.frame == 10).all()


@pytest.mark.parametrize("event", ["escape", "window"])
def test_escape_and_the_windows_button_leave(event, own, start):
    game, _ = start(own.Buttons)
    pygame.display.init()
    if event == "window":
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        assert not at(game, 0.0)
    else:
        assert not at(game, 0.0, "+escape")


def test_a_truncated_episode_says_so(opened):
    env = opened(
        batchsim.make(
            "MountainCar-v0", render_mode="rgb_array", backend="reference", max_episode_steps=3
        )
    )
    game = playing.Game(env, Keys(env.batch.definition, env.action_space), 30.0)
    for now in range(5):
        game.advance(float(now))
    assert game.describe() == "return -3.00    step 3 of 3    truncated (R: again)"


def test_the_seed_gives_the_first_episode(own, start):
    games = [start("FrozenLake-v1", seed=3)[0] for _ in range(2)]
    ends = []
    for game in games:
        for now in range(40):
            at(game, float(now), "+right", "-right", "+down", "-down")
        ends.append((game.steps, game.score))
    assert ends[0] == ends[1]
    upstream = gymnasium.make("FrozenLake-v1")
    upstream.reset(seed=3)
    steps, done = 0, False
    while not done:
        _, _, terminated, truncated, _ = upstream.step((2, 1)[steps % 2])
        steps, done = steps + 1, terminated or truncated
    assert ends[0][0] == steps


# -- the window ------------------------------------------------------------------------------------


def test_the_window_shows_the_frame_in_whole_pixels_and_a_line_beneath():
    frame = np.random.default_rng(0).integers(0, 256, (100, 300, 3), np.uint8)
    window = playing.Window(playing.open_display(), "title", frame.shape[:2], None)
    window.show(frame, "return 1.00")
    # 4 * 300 is the most below 1280.
    assert window.surface.get_size() == (1200, 400 + playing.LINE)
    shown = pygame.surfarray.array3d(window.surface).swapaxes(0, 1)
    np.testing.assert_array_equal(shown[:400], frame.repeat(4, axis=0).repeat(4, axis=1))
    assert (shown[400:] == playing.LIGHT).all(axis=2).any()
    assert pygame.display.get_caption()[0] == "title"


def test_small_pictures_stand_in_the_middle_and_long_lines_are_made_smaller():
    frame = np.full((10, 10, 3), 200, np.uint8)
    window = playing.Window(playing.open_display(), "title", (10, 10), 2)
    window.show(frame, "long " * 100)
    shown = pygame.surfarray.array3d(window.surface).swapaxes(0, 1)
    assert shown.shape == (20 + playing.LINE, playing.NARROWEST, 3)
    middle = playing.NARROWEST // 2
    assert (shown[:20, middle - 10 : middle + 10] == 200).all()
    assert (shown[:20, middle + 10 :] == playing.DARK).all()
    assert (shown[20:] != playing.DARK).any()


def test_a_whole_game_from_the_command_line(own, monkeypatch, capsys):
    """One player's game: three moves, one of them the end, another episode, and leave."""
    frames, said = [], []
    original = playing.Window.show
    script = [["+left", "-left"], ["+right"], ["-right", "+down", "-down"], ["+r"], ["+escape"]]

    def show(self, frame, text):
        original(self, frame, text)
        frames.append(int(frame[0, 0, 0]))
        said.append(text)
        post(*script[len(frames) - 1])

    monkeypatch.setattr(playing.Window, "show", show)
    assert run(monkeypatch, "played_envs.py:Turns", "--seed", 1, "--param", "frame_skip=2") == 0
    assert frames == [10, 11, 12, 13, 10]
    assert said[0] == "return 0.00    step 0    luck 0.25"
    assert said[3] == "return 3.00    step 3    luck 0.25    terminated (R: again)"
    printed = capsys.readouterr()
    assert printed.out.startswith("Turns, 10 steps a second\n")
    assert "Three buttons, the last of which ends" in printed.out
    assert "left, a" in printed.out
    assert "the game waits" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("name", "params", "fps", "expected"),
    [
        ("CartPole-v1", {}, None, (50, 500, None)),
        ("CartPole-v1", {}, 7, (7, 500, None)),
        ("CliffWalking-v1", {"is_slippery": True}, None, (4, None, None)),
        ("EgoBasic-v0", {}, None, (35, 300, 1)),
        ("EgoBasic-v0", {"frame_skip": 2}, None, (17.5, 150, 2)),
        ("EgoBasic-v0", {"frame_skip": 4}, 35, (35, 75, 4)),
    ],
)
def test_the_speed_is_the_environments_and_tics_are_not_skipped(
    name, params, fps, expected, monkeypatch
):
    original = playing.make
    monkeypatch.setattr(
        playing, "make", lambda target, **given: original(target, backend="reference", **given)
    )
    monkeypatch.setattr(playing, "frame_shape", lambda envs: None)
    monkeypatch.setattr(playing.Game, "_draw", lambda game: None)
    game = playing.open_game(name, playing.Settings(fps=fps), params)
    batch = game.env.batch
    assert (game.fps, batch.max_episode_steps, batch.params.get("frame_skip")) == expected
    game.env.close()


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CartPol-v1"], "did you mean 'CartPole-v1'"),
        ([], "ID"),
        (["Pendulum-v1"], "Pendulum-v1 has no KEYS, which would say what each key does"),
        (["played_envs.py:Unseen"], "Unseen has no renderer, which would draw it: it cannot be"),
        (["played_envs.py:Keyless"], "KEYS of Keyless is None; expected a dict"),
        (["played_envs.py:Wrong"], "KEYS of Wrong gives 'left' at index 0 the value 3; expected"),
        (
            ["played_envs.py:Grey"],
            "returns shape (20, 30) and dtype uint8; expected (height, width",
        ),
        (["CartPole-v1", "--scale", "0"], "--scale is 0; expected a whole number from 1 to 16."),
        (["CartPole-v1", "--scale", "big"], "--scale"),
        (["CartPole-v1", "--fps", "0"], "--fps is 0; expected a whole number from 1 to 1000."),
        (["CartPole-v1", "--seed", "-1"], "--seed is -1; expected a whole number of at least 0."),
        (["CartPole-v1", "--param", "gravity"], "--param is 'gravity'; expected name=value, such"),
        (
            ["CartPole-v1", "--param", "gravty=1"],
            "unexpected keyword argument 'gravty' (did you mean 'gravity'?)",
        ),
        (
            ["CartPole-v1", "--param", "render_mode=x"],
            "got an unexpected keyword argument 'render_mode'",
        ),
        (["EgoBasic-v0", "--param", "frame_skip=0"], "frame_skip is 0; expected a whole number"),
        (["EgoBasic-v0", "--param", "frame_skip=x"], "'frame_skip' is 'x'; expected a whole"),
        (
            ["played_envs.py:Turns", "--param", "frame_skip=0"],
            "'frame_skip' is 0; expected a whole",
        ),
        (["CartPole-v1", "--frame-skip", "1"], "--frame-skip"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_status_2(arguments, message, own, monkeypatch, capsys):
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.startswith("batchsim: ")
    assert printed.err.count("\n") == 1


def test_a_missing_pygame_is_named_with_its_extra(monkeypatch, capsys):
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, original=importlib.util.find_spec: (
            None if name == "pygame" else original(name)
        ),
    )
    assert run(monkeypatch, "CartPole-v1") == 2
    message = 'Playing needs the library pygame; install it with pip install "batchsim[play]".'
    assert capsys.readouterr().err == f"batchsim: {message}\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is a screen")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "neither DISPLAY nor WAYLAND_DISPLAY is set"),
        ({"SDL_VIDEODRIVER": "nothing"}, ""),  # in SDL's words
    ],
    ids=["none", "unknown"],
)
def test_where_there_is_no_screen_a_sentence_says_so(given, message):
    # In a process of its own, where nothing has opened a display.
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    environment = {key: value for key, value in os.environ.items() if key not in screens}
    done = subprocess.run(
        [sys.executable, "-m", "batchsim", "play", "CartPole-v1"],
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **given},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"batchsim: No window can be opened: {message}")
    assert done.stderr.endswith("; watch writes a file where there is no screen.\n")
    assert done.stderr.count("\n") == 1


def test_a_display_that_nobody_sees_is_none_unless_it_was_asked_for(monkeypatch):
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    assert playing.open_display() is pygame
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(pygame.display, "init", lambda: None)
    with pytest.raises(ValueError, match="No window can be opened: no screen was found; watch"):
        playing.open_display()
