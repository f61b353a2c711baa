"""The tutorial's code runs, and its two versions of Snake are one game."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import numpy as np
import oracle
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import batchsim
from batchsim import math, random

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS / "examples"
NAMES = ("snake", "snake_gymnasium", "compare")


@pytest.fixture(autouse=True)
def examples(monkeypatch):
    """Put the examples where the page imports them from."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    for name in NAMES:
        sys.modules.pop(name, None)


def imported():
    return importlib.import_module("snake"), importlib.import_module("snake_gymnasium").SnakeEnv


def greedy(observations, rng):
    """Actions that mostly go for the food, so that snakes grow; some are random."""
    rows = np.arange(len(observations))
    flat = observations.reshape(len(observations), -1)
    head, food = (flat == 2).argmax(axis=1), (flat == 3).argmax(axis=1)
    size = observations.shape[-1]
    down, right = food // size - head // size, food % size - head % size
    vertical = np.where(down < 0, 0, 2)
    horizontal = np.where(right > 0, 1, 3)
    first = np.where(down == 0, horizontal, vertical)
    second = np.where(right == 0, vertical, horizontal)
    actions = np.where(rng.random(len(rows)) < 0.5, first, second)
    return np.where(rng.random(len(rows)) < 0.02, rng.integers(0, 4, len(rows)), actions)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(("seed", "size"), [(0, 8), (12345, 8), (1, 5), (2, 13)])
def test_both_versions_of_snake_give_the_same_bits(mode, seed, size, opened):
    snake, original = imported()
    settings = {"num_envs": 24, "autoreset_mode": mode, "size": size}
    pair = oracle.SideBySide(
        SyncVectorEnv([lambda: original(size)] * 24, autoreset_mode=mode),
        {"batchsim": (opened(batchsim.make_vec(snake, **settings)), oracle.step)},
    )
    rng = np.random.default_rng(seed)
    observations, _ = pair.reset(seed=seed)
    longest = 0
    for t in range(2500):
        if mode is AutoresetMode.DISABLED and pair.over is not None and pair.over.any():
            observations, _ = pair.reset(options={"reset_mask": pair.over.copy()})
        random_actions = rng.integers(0, 4, 24)
        actions = greedy(observations, rng) if t >= 500 else random_actions
        observations = pair.step(actions)[0]
        longest = max(longest, int(((observations == 1) | (observations == 2)).sum((1, 2)).max()))
    pair.compare_streams()
    pair.reference.close()
    assert pair.episodes > 500
    assert longest > 15


@pytest.mark.parametrize("size", [4, 8])
def test_the_plain_python_of_snake_gives_the_same_bits(size, opened):
    snake, original = imported()
    env = opened(batchsim.make_vec(snake, 8, backend="reference", size=size))
    reference = SyncVectorEnv([lambda: original(size)] * 8)
    pair = oracle.SideBySide(reference, {"reference": (env, oracle.step)})
    rng = np.random.default_rng(3)
    observations, _ = pair.reset(seed=3)
    for _ in range(400):
        observations = pair.step(greedy(observations, rng))[0]
    pair.compare_streams()
    pair.reference.close()
    assert pair.episodes > 8


@pytest.mark.parametrize("size", [3, 257, -8])
def test_a_board_that_no_snake_fits_on_is_refused(size):
    snake, _ = imported()
    with pytest.raises(ValueError, match=f"size is {size}; expected from 4 to 256.$"):
        batchsim.make_vec(snake, 2, size=size)


def test_the_parameters_of_snake_are_those_of_the_class(opened):
    snake, original = imported()
    parameters = {"food_reward": 2.5, "death_reward": -3.0, "step_reward": 0.125}
    reference = SyncVectorEnv([lambda: original(**parameters)] * 8)
    env = opened(batchsim.make_vec(snake, 8, backend="reference", **parameters))
    pair = oracle.SideBySide(reference, {"reference": (env, oracle.step)})
    observations, _ = pair.reset(seed=1)
    rng = np.random.default_rng(1)
    for _ in range(200):
        observations = pair.step(greedy(observations, rng))[0]
    reference.close()


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_snake_that_fills_the_board_wins(backend, opened):
    """Both versions, put before the last bite: no random policy gets there."""
    snake, original = imported()
    path = [8 * r + c for r in range(8) for c in (range(8) if r % 2 == 0 else range(7, -1, -1))]
    env = opened(batchsim.make_vec(snake, 1, backend=backend))
    env.reset(seed=0)
    state = env.get_state()
    state["state.body"][0, :63] = path[:63]
    state["state.taken"][0] = True
    state["state.taken"][0, path[63]] = False
    state["state.front"][0], state["state.length"][0] = 62, 63
    state["state.direction"][0], state["state.food"][0] = 3, path[63]
    found = env.set_state(state)

    single = original()
    single.reset(seed=0)
    single.snake.clear()
    single.snake.extend(divmod(cell, 8) for cell in reversed(path[:63]))
    single.direction, single.food = 3, divmod(path[63], 8)
    assert np.array_equal(found[0], single.observation())

    left = np.array([3])
    observations, rewards, terminated, *_ = env.step(left)
    expected = single.step(3)
    assert np.array_equal(observations[0], expected[0])
    assert (rewards[0], terminated[0]) == expected[1:3] == (1.0, True)


def test_the_definition_is_short():
    lines = len((EXAMPLES / "snake.py").read_text().splitlines())
    assert lines < 90
    assert f"That is the whole file: {lines} lines." in page("write-an-environment.md")


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_code_of_the_page_runs(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```$", page("write-an-environment.md"), re.M | re.S)
    assert len(blocks) >= 8
    pytest.importorskip("line_profiler")
    (tmp_path / "code_of_the_page.py").write_text("\n\n".join(blocks), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = dict(batchsim.registry._entries)
    try:
        importlib.import_module("code_of_the_page")
    finally:
        sys.modules.pop("code_of_the_page", None)
        batchsim.registry._entries.clear()
        batchsim.registry._entries.update(before)
    printed = capsys.readouterr().out
    promised = re.search(r"# (Broken failed in .*?), …: (.*?) …$", "\n".join(blocks), re.M)
    for part in promised.groups():
        assert part in printed


def test_the_page_includes_both_files():
    text = page("write-an-environment.md")
    assert "{literalinclude} examples/snake_gymnasium.py" in text
    objects = set(re.findall(r":pyobject: (\w+)", text))
    source = (EXAMPLES / "snake.py").read_text()
    assert objects == set(re.findall(r"^(?:class|def) (\w+)", source, re.M))


def test_the_measuring_command_measures(monkeypatch, capsys):
    compare = importlib.import_module("compare")
    monkeypatch.setattr(compare, "NUM_ENVS", 4)
    monkeypatch.setattr(compare, "BLOCKS", 1)
    compare.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split()[0] == "ratio"
    assert float(lines[-1].split()[1].replace(",", "")) > 0


def test_the_contract_names_every_random_and_mathematical_function():
    text = page("contract.md")
    drawing = [
        name
        for name, function in vars(random).items()
        if not name.startswith("_")
        and inspect.isfunction(function)
        and list(inspect.signature(function).parameters)[:2] == ["rng", "i"]
    ]
    assert len(drawing) >= 10
    for name in drawing:
        assert f"| `{name}(rng, i" in text, name
    for name in math.__all__:
        assert re.search(rf"`{name}\b", text.partition("## Mathematics")[2]), name
