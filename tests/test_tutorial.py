"""The tutorial's code runs, and the two versions of each example are one game."""

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
from batchsim import math, python_random, random, random_state
from batchsim.checking import examine

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = DOCS / "examples"
GAMES = ("game2048", "inventory", "kalman", "snake", "sokoban", "trading", "vehicle")
NAMES = (*GAMES, *(f"{name}_gymnasium" for name in GAMES), "compare")


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


def traders(num_envs, prices, mode, opened, **parameters):
    """Accounts as Gymnasium's objects and as batches, over the same prices."""
    trading = importlib.import_module("trading")
    original = importlib.import_module("trading_gymnasium").TradingEnv
    ways = {
        "one thread": {"num_threads": 1},
        "two threads": {"num_threads": 2},
        "reference": {"backend": "reference"},
    }
    arguments = {"num_envs": num_envs, "autoreset_mode": mode, "prices": prices, **parameters}
    return oracle.SideBySide(
        SyncVectorEnv([lambda: original(prices, **parameters)] * num_envs, autoreset_mode=mode),
        {
            name: (opened(batchsim.make_vec(trading, **arguments, **way)), oracle.step)
            for name, way in ways.items()
        },
    )


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("days", [10, 11, 60, 1000])
def test_both_versions_of_trading_give_the_same_bits(mode, days, opened):
    rng = np.random.default_rng(days)
    prices = 100.0 * np.exp(rng.normal(0.0, 0.03, days).cumsum())
    pair = traders(70, prices, mode, opened)
    pair.reset(seed=days)
    pair.run(250, lambda: rng.integers(0, 2, 70))
    pair.compare_streams()
    pair.reference.close()
    assert pair.episodes > 70


def test_ruin_on_the_last_day_is_both_ends_at_once(opened):
    prices = np.append(np.full(12, 100.0), 50.0)
    pair = traders(16, prices, AutoresetMode.SAME_STEP, opened, fee=0.01, ruin=0.8)
    pair.reset(seed=0)
    pair.run(20, lambda: np.ones(16, np.int64))
    pair.reference.close()
    assert pair.both_flags > 16


@pytest.mark.parametrize("prices", [[1.0] * 9, [[1.0] * 20], [1.0] * 12 + [0.0], [np.nan] * 12])
def test_what_are_no_prices_is_refused(prices):
    with pytest.raises(ValueError, match=r"prices are .*; expected at least 10 positive numbers"):
        batchsim.make_vec(importlib.import_module("trading"), 2, prices=prices)


def test_trading_passes_the_check():
    trading = importlib.import_module("trading")
    report = batchsim.check(trading, num_envs=16)
    assert report.hints == ()
    assert "a row for 252 steps whose episodes are not cut short" in report.tried


@pytest.mark.parametrize(("days", "compiled"), [(250, False), (900, True)])
def test_a_step_beyond_the_data_is_found(days, compiled, tmp_path, monkeypatch):
    """Without the third value, and with data that no plain run would come to the end of."""
    source = (EXAMPLES / "trading.py").read_text()
    for old, new in {
        ", s.day[i] == last": "",
        "min(s.day[i] + 1, last)": "s.day[i] + 1",
        "= integers(rng, i, WINDOW, p.price.shape[0] - 1)": "= WINDOW",
        "s.wealth[i] < p.ruin": "s.wealth[i] < 0.0",
    }.items():
        assert old in source
        source = source.replace(old, new)
    (tmp_path / "endless_trading.py").write_text(source)
    endless = batchsim.registry.load_file(tmp_path / "endless_trading.py")
    if compiled:
        monkeypatch.setattr(examine, "LONG_RUN", 0.1)
    rng = np.random.default_rng(0)
    with pytest.raises(batchsim.CheckError) as caught:
        batchsim.check(endless, num_envs=4, prices=rng.uniform(90.0, 110.0, days))
    problem = caught.value.problems[0]
    assert problem.kind == "out-of-bounds"
    assert str(days) in problem.message
    assert re.search(r"p\.(price|change)\[s\.day", source.splitlines()[problem.line - 1])
    assert "`return reward, terminated, truncated`" in problem.hint
    assert compiled == ("goes beyond the end of an array" in problem.message)


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
    included = re.findall(r"examples/(\w+)\.py\n:language: python\n:pyobject: (\w+)", text)
    objects = {name for file, name in included if file == "snake"}
    source = (EXAMPLES / "snake.py").read_text()
    assert objects == set(re.findall(r"^(?:class|def) (\w+)", source, re.M))


@pytest.mark.parametrize("example", ["snake", "trading", "vehicle", "inventory"])
def test_the_measuring_command_measures(example, monkeypatch, capsys):
    compare = importlib.import_module("compare")
    monkeypatch.setattr(compare, "NUM_ENVS", 4)
    monkeypatch.setattr(compare, "BLOCKS", 1)
    compare.main(example)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split()[0] == "ratio"
    assert float(lines[-1].split()[1].replace(",", "")) > 0


def test_the_contract_names_every_random_and_mathematical_function():
    text = page("contract.md")
    drawing = [
        name
        for module in (random, random_state, python_random)
        for name in module.__all__
        if inspect.isfunction(getattr(module, name))
        and list(inspect.signature(getattr(module, name)).parameters)[:2] == ["rng", "i"]
    ]
    assert len(drawing) >= 50
    for name in drawing:
        assert f" `{name}(rng, i" in text, name
    for name in math.__all__:
        assert re.search(rf"`{name}\b", text.partition("## Mathematics")[2]), name
