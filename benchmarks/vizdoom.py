"""ViZDoom's sides of the pairs: a game that is played through its Python API, and EnvPool's games.

ViZDoom runs its engine as a process of its own, and hands work to it and back. On one processor
that takes turns faster than from one processor to another, so both are kept to one here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairs import Side

__all__ = ["envpool_games", "game", "why_absent"]

FRAME_SKIP = 4
STEPS = 256
"""Steps a call: episodes end in each."""
PREFIX = "batchsim-benchmarks-"
GAMES = 8
"""Of EnvPool, in one call."""
BUTTONS = {
    "basic": [["MOVE_LEFT", "MOVE_RIGHT", "ATTACK"]],
    "deathmatch": [
        ["TURN_LEFT", "TURN_RIGHT"],
        ["MOVE_FORWARD", "MOVE_BACKWARD"],
        ["MOVE_LEFT", "MOVE_RIGHT"],
        ["ATTACK"],
    ],
}
"""Of each scenario; an action holds down one of each group, or none. Ours have the same."""


def why_absent(*packages: str) -> str | None:
    """Say why ViZDoom cannot be measured here with these packages, or None if it can."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed (pip install -r requirements/ci.txt)"
    if not hasattr(os, "sched_setaffinity"):
        return "this system keeps no process to one processor"
    return None


@contextlib.contextmanager
def one_processor() -> Iterator[None]:
    """Keep this thread to one processor, and the threads and processes that it starts."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def working_in(directory: str) -> Iterator[None]:
    """Start engines from here: they keep files where they start, until they end."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def game(scenario: str) -> Side:
    """Steps of a game of ViZDoom on one processor, seen in 160 x 120 pixels, RGB.

    Until it is closed, this thread stays on that processor too.
    """
    import vizdoom

    with contextlib.ExitStack() as stack:
        stack.enter_context(one_processor())
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX))
        doom = vizdoom.DoomGame()
        doom.load_config(str(configuration(scenario)))
        doom.set_available_buttons([getattr(vizdoom.Button, name) for name in names(scenario)])
        doom.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
        doom.set_screen_format(vizdoom.ScreenFormat.RGB24)
        doom.set_window_visible(False)
        doom.set_sound_enabled(False)
        doom.set_seed(1)
        with working_in(directory):
            doom.init()
        stack.callback(doom.close)
        following = itertools.cycle(draw_buttons(scenario, STEPS).tolist()).__next__

        def step() -> None:
            doom.make_action(following(), FRAME_SKIP)
            if doom.is_episode_finished():
                doom.new_episode()
            _ = doom.get_state().screen_buffer

        close = stack.pop_all().close
    return Side("ViZDoom", repeated(step, STEPS), STEPS, close)


def envpool_games(scenario: str) -> Side:
    """Steps of EnvPool's games of ViZDoom, as in `game`."""
    import envpool

    with contextlib.ExitStack() as stack:
        stack.enter_context(one_processor())
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX))
        file = Path(directory) / "game.cfg"
        file.write_text(rewritten(scenario))
        with working_in(directory):
            pool = envpool.make_gymnasium(
                "VizdoomCustom-v1",
                num_envs=GAMES,
                num_threads=1,
                cfg_path=str(file),
                wad_path=str(configuration(scenario).with_suffix(".wad")),
                img_width=160,
                img_height=120,
                stack_num=1,
                frame_skip=FRAME_SKIP,
            )
        pool.reset()
        pools = [pool]
        # Its engines end with it: `close` leaves them running.
        stack.callback(pools.clear)
        del pool
        actions = draw_buttons(scenario, STEPS).astype(float)
        following = itertools.cycle(np.split(actions, STEPS // GAMES)).__next__
        close = stack.pop_all().close
    call = repeated(lambda: pools[0].step(following()), STEPS // GAMES)
    return Side("EnvPool's ViZDoom", call, STEPS, close)


def configuration(scenario: str) -> Path:
    """Return the file of a scenario that ViZDoom brings along."""
    import vizdoom

    return Path(vizdoom.scenarios_path) / f"{scenario}.cfg"


def rewritten(scenario: str) -> str:
    """Return the settings of a scenario with our buttons and pictures."""
    text = configuration(scenario).read_text()
    text = re.sub(r"(?m)^screen_(resolution|format)\b.*$", "", text)
    text = re.sub(
        r"(?s)(available_buttons\s*=\s*{).*?}", rf"\1 {' '.join(names(scenario))} }}", text
    )
    return f"{text}\nscreen_resolution = RES_160X120\nscreen_format = CRCGCB\n"


def names(scenario: str) -> list[str]:
    """Return the buttons of a scenario."""
    return list(itertools.chain(*BUTTONS[scenario]))


def draw_buttons(scenario: str, count: int) -> Any:
    """Return random actions, (count, buttons), bool."""
    random = np.random.default_rng(0)
    pressed = []
    for group in BUTTONS[scenario]:
        chosen = random.integers(0, len(group) + 1, count)
        pressed.append(chosen[:, None] == np.arange(1, len(group) + 1))
    return np.concatenate(pressed, 1)


def repeated(call: Callable[[], Any], times: int) -> Callable[[], None]:
    """Return a function that calls another so many times."""

    def repeat() -> None:
        for _ in range(times):
            call()

    return repeat
