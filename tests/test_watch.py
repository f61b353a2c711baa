"""What `python -m batchsim watch` writes, and how it refuses what it cannot show."""

import importlib.util
import sys

import numpy as np
import pytest

import batchsim
from batchsim import registry
from batchsim.__main__ import main
from batchsim.commands import mosaic as watching

pytest.importorskip("pygame")
imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
Image = pytest.importorskip("PIL.Image")

STEPS = 12  # of the first two CartPoles, random actions end the second's episode after ten


def run(monkeypatch, *arguments):
    """The exit status of the command."""
    monkeypatch.setattr(sys, "argv", ["batchsim", "watch", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code or 0


def play(name, num_envs, steps, seed=0):
    """Frames and flags of the moments that the command shows."""
    envs = batchsim.make_vec(name, num_envs, render_mode="rgb_array")
    envs.reset(seed=seed)
    envs.action_space.seed(seed)
    moments = [(envs.render(), np.zeros(num_envs, bool), np.zeros(num_envs, bool))]
    for _ in range(steps):
        _, _, terminated, truncated, _ = envs.step(envs.action_space.sample())
        moments.append((envs.render(), terminated, truncated))
    envs.close()
    return moments


def tile(picture, number, columns, shape):
    """A tile of a picture, without its border, and the colour of the border."""
    height, width = (side + 2 * watching.BORDER for side in shape)
    row, column = divmod(number, columns)
    part = picture[row * height : (row + 1) * height, column * width : (column + 1) * width]
    return part[watching.BORDER : -watching.BORDER, watching.BORDER : -watching.BORDER], tuple(
        part[0, 0]
    )


def test_a_picture_shows_the_last_frame_of_each_environment(tmp_path, monkeypatch, capsys):
    out = tmp_path / "last.PNG"
    assert run(monkeypatch, "CartPole-v1", "--num-envs", 1, "--steps", 3, "--out", out) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{out}: 1 environment, 3 steps, 604 × 404 pixels, ")
    assert printed.err == ""
    frames, _, _ = play("CartPole-v1", 1, 3)[-1]
    picture = np.asarray(Image.open(out))
    np.testing.assert_array_equal(tile(picture, 0, 1, (400, 600))[0], frames[0])
    assert list(tmp_path.iterdir()) == [out]


def test_large_frames_are_scaled_down():
    mosaic = watching.Mosaic(16, (400, 600))
    assert (mosaic.rows, mosaic.columns) == (4, 4)
    assert (mosaic.height, mosaic.width) == (157, 236)
    assert max(mosaic.shape) <= watching.LARGEST
    assert mosaic.shape[0] % 2 == mosaic.shape[1] % 2 == 0


@pytest.mark.parametrize(("tiles", "grid"), [(1, (1, 1)), (2, (1, 2)), (5, (2, 3)), (7, (3, 3))])
def test_there_are_nearly_as_many_rows_as_columns(tiles, grid):
    mosaic = watching.Mosaic(tiles, (50, 50))
    assert (mosaic.rows, mosaic.columns) == grid
    assert (mosaic.height, mosaic.width) == (50, 50)


@pytest.fixture(scope="module")
def gif(tmp_path_factory):
    path = tmp_path_factory.mktemp("watch") / "two.gif"
    with pytest.MonkeyPatch.context() as patch:
        arguments = ["--num-envs", 2, "--steps", STEPS, "--fps", 30, "--out", path]
        assert run(patch, "CartPole-v1", *arguments) == 0
    return path


def test_an_animation_shows_every_step(gif):
    with Image.open(gif) as image:
        moments = play("CartPole-v1", 2, STEPS)
        assert image.n_frames == len(moments)
        milliseconds = 0
        mosaic = watching.Mosaic(2, moments[0][0][0].shape[:2])
        shown = [0, 0]
        for number, (frames, terminated, _) in enumerate(moments):
            image.seek(number)
            picture = np.asarray(image.convert("RGB")).astype(int)
            milliseconds += image.info["duration"]
            for row in range(2):
                found, border = tile(picture, row, mosaic.columns, (mosaic.height, mosaic.width))
                # A gif has 256 colours a frame.
                assert np.abs(found - mosaic.scaled(frames[row])).mean() < 1
                shown[row] = 8 if terminated[row] else shown[row] - 1  # a quarter of 30
                expected = watching.TERMINATED if shown[row] > 0 else watching.PLAIN
                np.testing.assert_allclose(border, expected, atol=8)
        assert max(shown) > 0
        assert milliseconds == 10 * round(100 * len(moments) / 30)


def test_the_same_seed_gives_the_same_file(gif, tmp_path, monkeypatch):
    arguments = ["CartPole-v1", "--num-envs", 2, "--steps", STEPS, "--fps", 30, "--out"]
    assert run(monkeypatch, *arguments, tmp_path / "same.gif") == 0
    assert run(monkeypatch, *arguments, tmp_path / "other.gif", "--seed", 1) == 0
    assert (tmp_path / "same.gif").read_bytes() == gif.read_bytes()
    assert (tmp_path / "other.gif").read_bytes() != gif.read_bytes()


def test_a_film_shows_every_step(tmp_path, monkeypatch):
    for name in ("a.mp4", "b.mp4"):
        arguments = ["Pendulum-v1", "--num-envs", 2, "--steps", 5, "--out", tmp_path / name]
        assert run(monkeypatch, *arguments) == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    film = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    about = next(film)
    assert about["size"] == (960, 480)
    assert about["fps"] == 30
    frames = [np.frombuffer(frame, np.uint8).reshape(480, 960, 3) for frame in film]
    moments = play("Pendulum-v1", 2, 5)
    assert len(frames) == len(moments)
    mosaic = watching.Mosaic(2, (500, 500))
    for picture, (expected, _, _) in zip(frames, moments, strict=True):
        for row in range(2):
            found, _ = tile(picture.astype(int), row, 2, (mosaic.height, mosaic.width))
            assert np.abs(found - mosaic.scaled(expected[row])).mean() < 4


def test_a_truncated_episode_has_a_border_of_its_own(tmp_path, monkeypatch):
    out = tmp_path / "end.png"
    assert run(monkeypatch, "Pendulum-v1", "--num-envs", 1, "--out", out) == 0
    assert tuple(np.asarray(Image.open(out))[0, 0]) == watching.TRUNCATED


def test_only_what_is_shown_is_drawn(tmp_path, opened, monkeypatch):
    envs = opened(batchsim.make_vec("CartPole-v1", 2, render_mode="rgb_array"))
    drawn = []
    original = envs._render_row
    monkeypatch.setattr(envs, "_render_row", lambda row: drawn.append(row) or original(row))
    watching.record(envs, None, watching.Settings(tmp_path / "x.png", 2, 30))
    assert drawn == [0, 0, 1]  # the first to know its size


POLICY = """
import numpy as np

def act(observations):
    return (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)
"""


def test_a_policy_of_ones_own_acts(tmp_path, monkeypatch):
    (tmp_path / "policy.py").write_text(POLICY)
    out = tmp_path / "balanced.png"
    arguments = ["--num-envs", 2, "--steps", 60, "--out", out]
    assert run(monkeypatch, "CartPole-v1", "--policy", tmp_path / "policy.py", *arguments) == 0
    envs = batchsim.make_vec("CartPole-v1", 2, render_mode="rgb_array")
    observations, _ = envs.reset(seed=0)
    for _ in range(60):
        actions = (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)
        observations = envs.step(actions)[0]
    mosaic = watching.Mosaic(2, (400, 600))
    colours = np.full((2, 3), watching.PLAIN, np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(out)), mosaic.draw(envs.render(), colours))
    envs.close()


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    """A directory a checkpoint, by id, of agents that have learned next to nothing."""
    torch = pytest.importorskip("torch")
    from batchsim.torch import Hyperparameters, Settings, Training

    how = Hyperparameters(num_envs=4, steps=8, total_steps=32, minibatches=1, num_splits=2)
    threads = torch.get_num_threads()
    found = {}
    for name in ("CartPole-v1", "Pendulum-v1", "Blackjack-v1"):
        found[name] = tmp_path_factory.mktemp("agents") / name
        training = Training(Settings(name, how, threads=1, checkpoint=found[name]))
        training.run()
        training.close()
    yield found
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Blackjack-v1"])
def test_an_agent_that_was_trained_takes_its_most_likely_actions(name, agents, monkeypatch):
    import torch

    from batchsim.torch.checkpoint import load_policy
    from batchsim.torch.nested import mapped
    from batchsim.torch.policy import converter

    monkeypatch.chdir(agents[name].parent)
    for out, policy in (("one.png", name), ("other.png", agents[name] / "checkpoint.pt")):
        arguments = ["--num-envs", 2, "--steps", 7, "--policy", policy, "--out", out]
        assert run(monkeypatch, name, *arguments) == 0
    envs = batchsim.make_vec(name, 2, render_mode="rgb_array")
    policy, convert = load_policy(name, name), converter(envs.single_action_space)
    observations, _ = envs.reset(seed=0)
    for _ in range(7):
        with torch.no_grad():
            actions = policy.best(mapped(torch.from_numpy, observations)).numpy()
        observations, _, terminated, truncated, _ = envs.step(convert(actions))
    frames = envs.render()
    envs.close()
    colours = np.full((2, 3), watching.PLAIN, np.uint8)
    colours[truncated], colours[terminated] = watching.TRUNCATED, watching.TERMINATED
    expected = watching.Mosaic(2, frames[0].shape[:2]).draw(frames, colours)
    for out in ("one.png", "other.png"):
        np.testing.assert_array_equal(np.asarray(Image.open(out)), expected)


def test_an_agent_that_does_not_fit_is_refused_in_a_sentence(agents, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.pt").write_bytes(b"PK")
    (tmp_path / "agent.txt").write_text("")
    for policy, message in (
        (agents["CartPole-v1"], "was trained on CartPole-v1, not on Pendulum-v1."),
        ("empty", "empty/checkpoint.pt."),
        ("broken.pt", "broken.pt cannot be read as a checkpoint of batchsim"),
        ("agent.txt", "agent.txt is no Python file; expected a name that ends in .py."),
        ("gone.pt", "or what train --checkpoint saved."),
    ):
        assert run(monkeypatch, "Pendulum-v1", "--policy", policy) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("batchsim: ")
        assert printed.err.count("\n") == 1
        assert message in printed.err
    assert not (tmp_path / "watch.gif").exists()


OWN = """
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete
from neighbour import SIDE


class Counter:
    class State(NamedTuple):
        count: int

    ACTION = Discrete(2)
    OBSERVATION = Box(0, 100, (1,), np.float32)

    def reset(s, i, p, rng):
        s.count[i] = 0

    def step(s, i, action, p, rng):
        s.count[i] += action
        return 1.0, s.count[i] > 90

    def observe(s, i, p, out):
        out[0] = s.count[i]


class Drawn(Counter):
    def renderer(p):
        def draw(s, i):
            return np.full((SIDE, SIDE, 3), s.count[i], np.uint8)

        return draw


class Grey(Counter):
    def renderer(p):
        return lambda s, i: np.zeros((SIDE, SIDE), np.uint8)


class Unlucky(Counter):
    def renderer(p):
        import no_such_library
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The path of a user's environments; the working directory is theirs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "neighbour.py").write_text("SIDE = 8\n")
    (tmp_path / "own_envs.py").write_text(OWN)
    before = set(sys.modules)
    yield tmp_path / "own_envs.py"
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("notation", ["own_envs:Drawn", "own_envs.py:Drawn"])
def test_an_environment_of_ones_own_is_shown(own, notation, monkeypatch):
    arguments = ["--num-envs", 1, "--steps", 0, "--out", "own.png"]
    assert run(monkeypatch, notation, *arguments) == 0
    picture = np.asarray(Image.open("own.png"))
    assert picture.shape == (12, 12, 3)
    assert not tile(picture, 0, 1, (8, 8))[0].any()


def test_a_notation_names_ids_modules_and_files(own):
    assert registry.resolve("CartPole-v1") == "CartPole-v1"
    assert registry.resolve("batchsim/CartPole-v1") == "CartPole-v1"
    module = registry.resolve("batchsim.envs.classic_control.cartpole")
    assert module.__name__ == "batchsim.envs.classic_control.cartpole"
    assert registry.resolve("own_envs") is sys.modules["own_envs"]
    assert registry.resolve("own_envs:Drawn") is sys.modules["own_envs"].Drawn
    assert registry.resolve(str(own)).Drawn.__name__ == "Drawn"
    assert registry.resolve(f"{own}:Drawn").State._fields == ("count",)


BAD_FILES = {
    "broken.py": "x = 1\ny = z\n",
    "wrong.py": "def act(\n",
    "empty.py": "",
    "raises.py": "def act(observations):\n    raise ValueError('two\\nlines')\n",
    "shape.py": "import numpy as np\ndef act(observations):\n    return np.zeros(7, int)\n",
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CartPol-v1"], "did you mean 'CartPole-v1'"),
        (["CartPole"], "did you mean 'CartPole-v1'"),
        ([], "ID"),
        (["own_env:Drawn"], "There is no module 'own_env'."),
        (["own_envs:Draw"], "own_envs has no 'Draw' (did you mean 'Drawn'?)."),
        (["own_env.py:Drawn"], "There is no file"),
        (["own_envs"], "has no State"),
        (["json:loads"], "json:loads is a function; expected the class or module that defines an"),
        (["broken"], "The module 'broken' cannot be loaded: NameError: name 'z' is not defined"),
        (["broken.py:X"], "cannot be loaded: NameError: name 'z' is not defined (line 2)."),
        (["own_envs:Counter"], "Counter has no renderer; expected None"),
        (["own_envs:Grey"], "returns shape (8, 8) and dtype uint8; expected (height, width, 3)"),
        (["own_envs:Unlucky"], "cannot be drawn: No module named 'no_such_library'; "),
        (["CartPole-v1", "--num-envs", "0"], "--num-envs is 0; expected a whole number from 1 to"),
        (["CartPole-v1", "--num-envs", "257"], "from 1 to 256"),
        (["CartPole-v1", "--num-envs", "many"], "--num-envs"),
        (["CartPole-v1", "--steps", "-1"], "--steps is -1; expected a whole number from 0 to"),
        (["CartPole-v1", "--steps", "501"], "from 0 to 500 in a gif"),
        (["CartPole-v1", "--steps", "-1", "--out", "x.mp4"], "of at least 0"),
        (["CartPole-v1", "--seed", "-1"], "--seed is -1; expected a whole number of at least 0"),
        (["CartPole-v1", "--fps", "0"], "--fps is 0; expected a whole number from 1 to 50"),
        (["CartPole-v1", "--fps", "60"], "from 1 to 50 in a gif"),
        (["CartPole-v1", "--out", "x.avi"], "ends in .gif, .mp4 or .png"),
        (["CartPole-v1", "--out", "no/such/x.gif"], "cannot be written"),
        (["CartPole-v1", "--policy", "randm"], "'randm' (did you mean 'random'?); expected"),
        (["CartPole-v1", "--policy", "wrong.py"], "wrong.py cannot be loaded: SyntaxError"),
        (["CartPole-v1", "--policy", "empty.py"], "defines no function act(observations)"),
        (["CartPole-v1", "--policy", "raises.py"], "failed: ValueError: two lines (line 2)."),
        (["CartPole-v1", "--policy", "shape.py"], "The policy's actions do not fit: "),
        (["CartPole-v1", "--polcy", "x"], "--polcy"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence_and_status_2(arguments, message, own, monkeypatch, capsys):
    for name, text in BAD_FILES.items():
        own.with_name(name).write_text(text)
    before = sorted(own.parent.glob("*.*"))
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.startswith("batchsim: ")
    assert printed.err.count("\n") == 1
    assert sorted(own.parent.glob("*.*")) == before


@pytest.mark.parametrize("library", ["PIL", "imageio_ffmpeg"])
def test_a_missing_library_is_named_with_its_extra(library, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, original=importlib.util.find_spec: None if name == library else original(name),
    )
    assert run(monkeypatch, "CartPole-v1", "--out", tmp_path / "x.mp4") == 2
    assert f"needs the library {library}; install it with pip install" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_leaves_the_earlier_file(own, monkeypatch):
    (own.parent / "raises.py").write_text(BAD_FILES["raises.py"])
    earlier = own.parent / "x.gif"
    earlier.write_bytes(b"earlier")
    arguments = ["--policy", "raises.py", "--num-envs", 2, "--out", earlier]
    assert run(monkeypatch, "CartPole-v1", *arguments) == 2
    assert earlier.read_bytes() == b"earlier"
