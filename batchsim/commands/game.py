"""Play an environment by keyboard, in a window: the command `play`."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim import registry
from batchsim.batch.keys import OF_PLAY, Keys
from batchsim.batch.single import SingleEnv, make
from batchsim.batch.texts import strings_in
from batchsim.commands.mosaic import frame_shape
from batchsim.commands.options import check_within
from batchsim.definition import Definition
from batchsim.values import batch_parameter

__all__ = [
    "Game",
    "Held",
    "Settings",
    "Window",
    "check_playable",
    "instructions",
    "obey",
    "open_display",
    "open_game",
    "play",
]

Array = npt.NDArray[Any]

NEEDED = {
    "renderer": "which would draw it",
    "KEYS": "which would say what each key does",
}
"""What a definition must have to be played, and why."""

COMFORTABLE = 1280, 720
"""Pixels across and down that the picture is scaled up to, as far as whole numbers go."""

NARROWEST = 560
"""Pixels across of the window: what the line beneath the picture needs as a rule."""

LARGEST_SCALE = 16

LINE = 36
"""Pixels down of the line beneath the picture."""

TEXT_SIZE = 26
DARK, LIGHT = (24, 24, 28), (230, 230, 230)

IDLE = 0.1
"""Seconds after which a game that waits looks up, so that Ctrl-C in the terminal is heard."""


@dataclass(frozen=True)
class Settings:
    """How to play.

    Args:
        scale: pixels of the window, across and down, for each of the picture; None for as many as
            make it about as large as `COMFORTABLE`.
        fps: steps a second; None for the environment's own.
        seed: of the first episode, which those that follow go on from; None for another each time.

    Raises:
        ValueError: for a value out of place, or if pygame is missing.
    """

    scale: int | None = None
    fps: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.scale is not None:
            check_within("--scale", self.scale, 1, LARGEST_SCALE)
        if self.fps is not None:
            check_within("--fps", self.fps, 1, 1000)
        if self.seed is not None:
            check_within("--seed", self.seed, 0)
        if importlib.util.find_spec("pygame") is None:
            raise ValueError(
                'Playing needs the library pygame; install it with pip install "batchsim[play]".'
            )


class Held:
    """The keys that are held, in the order in which they were pressed.

    One that is pressed and released between two steps counts in the next one all the same.
    """

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._new: set[str] = set()
        self._gone: set[str] = set()

    def press(self, key: str) -> None:
        """Note that a key went down."""
        if key in self.keys:
            self.keys.remove(key)
        self.keys.append(key)
        self._new.add(key)
        self._gone.discard(key)

    def release(self, key: str) -> None:
        """Note that a key went up."""
        if key in self._new:
            self._gone.add(key)
        elif key in self.keys:
            self.keys.remove(key)

    def settle(self) -> None:
        """Note that a step has seen the keys: those that went up are held no longer."""
        self.keys = [key for key in self.keys if key not in self._gone]
        self._new.clear()
        self._gone.clear()


class Game:
    """Episodes of one environment, stepped in time or as keys are pressed.

    Args:
        env: made with render_mode="rgb_array".
        keys: what they do.
        fps: steps a second, at most.
        seed: of the first episode; None for another each time.
    """

    def __init__(self, env: SingleEnv, keys: Keys, fps: float, seed: int | None = None) -> None:
        self.env = env
        self.keys = keys
        self.fps = fps
        self.held = Held()
        self.due = 0.0
        """The time, in seconds, of the next step."""
        self.restart(seed)

    def restart(self, seed: int | None = None) -> None:
        """Begin an episode."""
        self.observation, self.infos = self.env.reset(seed=seed)
        self.steps, self.score = 0, 0.0
        self.paused = False
        self.end = ""
        """How the episode has ended; empty while it goes on."""
        self._draw()

    @property
    def stands(self) -> bool:
        """Whether nothing happens whatever is pressed: the game is paused, or the episode over."""
        return self.paused or bool(self.end)

    def press(self, key: str, now: float) -> None:
        """Hold a key from now on; one that a waiting game waits for makes its step at once."""
        if key not in self.keys.actions:
            return
        self.held.press(key)
        if self.stands:
            self.held.settle()
        elif self.keys.waits:
            self._step(self.keys.action(self.held.keys))
            self.due = now + 1.0 / self.fps

    def release(self, key: str) -> None:
        """Hold a key no longer."""
        self.held.release(key)
        if self.stands:
            self.held.settle()

    def pause(self) -> None:
        """Pause, or go on."""
        self.paused = not self.paused and not self.end

    def advance(self, now: float) -> None:
        """Step if it is time, with the action of the keys that are held."""
        action = self.keys.action(self.held.keys)
        if self.stands or action is None or now < self.due:
            return
        self._step(action)
        # A step that comes late by more than one is not made up for.
        period = 1.0 / self.fps
        self.due = (self.due if now < self.due + period else now) + period

    def rest(self, now: float) -> float:
        """Return for how many seconds nothing will happen but for keys."""
        if self.stands or self.keys.action(self.held.keys) is None:
            return IDLE
        return max(self.due - now, 0.0)

    def _step(self, action: Any) -> None:
        self.observation, reward, terminated, truncated, self.infos = self.env.step(action)
        self.steps += 1
        self.score += reward
        self.held.settle()
        if terminated or truncated:
            self.end = "terminated" if terminated else "truncated"
        self._draw()

    def _draw(self) -> None:
        frame = self.env.render()
        assert frame is not None
        self.frame: Array = frame
        """RGB, (height, width, 3), uint8."""

    def describe(self) -> str:
        """Return the line beneath the picture."""
        limit = self.env.batch.max_episode_steps
        parts = [
            *strings_in(self.env.observation_space, self.observation),
            f"return {self.score:.2f}",
            f"step {self.steps:,}" + (f" of {limit:,}" if limit is not None else ""),
            *(f"{name} {value:.3g}" for name, value in self.infos.items() if np.ndim(value) == 0),
        ]
        if self.end:
            parts.append(f"{self.end} (R: again)")
        elif self.paused:
            parts.append("paused (P: go on)")
        return "    ".join(parts)


def check_playable(target: Any) -> None:
    """Raise ValueError if an environment cannot be drawn, or has no keys.

    Args:
        target: an id, or the class or module that defines an environment.
    """
    definition, _ = registry.read(target)
    for name, why in NEEDED.items():
        if not hasattr(definition.namespace, name):
            raise ValueError(f"{definition.name} has no {name}, {why}: it cannot be played.")


def open_game(target: Any, settings: Settings, params: Mapping[str, Any]) -> Game:
    """Return a game at the beginning of its first episode.

    An environment with a parameter `frame_skip` is played with 1 unless it is given, and as many
    times faster, with a time limit of as many more steps, as that is less than its default.

    Args:
        target: what `check_playable` has found good.
        settings: its speed and seed.
        params: parameters of the environment.

    Raises:
        TypeError, ValueError: if its keys, its frames or a parameter do not fit.
    """
    definition, entry = registry.read(target)
    times, given = _played_params(definition, entry, params)
    env = make(target, render_mode="rgb_array", **given)
    limit = env.batch.max_episode_steps
    if limit is not None and "frame_skip" not in env.batch._limit_depends_on:
        env.batch.max_episode_steps = math.ceil(limit * times)
    keys = Keys(definition, env.action_space)
    env.reset()
    frame_shape(env.batch)  # Raises where nothing can be drawn.
    return Game(env, keys, settings.fps or env.metadata["render_fps"] * times, settings.seed)


def _played_params(
    definition: Definition, entry: registry.Entry, params: Mapping[str, Any]
) -> tuple[float, dict[str, Any]]:
    """Return how many of the steps played make one by default, and the parameters to play with."""
    usual = {**definition.params, **entry.kwargs}.get("frame_skip")
    skips = type(usual) is int and usual > 0
    chosen = {"frame_skip": 1, **params} if skips else dict(params)
    values = definition.read_params({**entry.kwargs, **chosen}, 1)
    definition.check_params(values, 1)
    if not skips:
        return 1.0, chosen
    skipped = batch_parameter(values["frame_skip"], 0)
    check_within("The parameter 'frame_skip'", skipped, 1)
    return usual / skipped, chosen


def open_display() -> ModuleType:
    """Return pygame, with a display.

    Raises:
        ValueError: if there is none.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    import pygame

    problem = ""
    if sys.platform.startswith(("linux", "freebsd")) and not (
        {"DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"} & set(os.environ)
    ):
        problem = "neither DISPLAY nor WAYLAND_DISPLAY is set"
    else:
        try:
            pygame.display.init()
        except pygame.error as error:
            problem = str(error)
        else:
            # What SDL falls back upon where it finds no screen; nobody would see it.
            if pygame.display.get_driver() == "offscreen" and "SDL_VIDEODRIVER" not in os.environ:
                pygame.display.quit()
                problem = "no screen was found"
    if problem:
        raise ValueError(
            f"No window can be opened: {problem}; watch writes a file where there is no screen."
        )
    pygame.font.init()
    return pygame


class Window:
    """A window with a picture and a line of text beneath it.

    Args:
        pygame: with a display, as `open_display` returns it.
        title: of the window.
        shape: height and width of the picture.
        scale: pixels for each of the picture; None for as many as make it large enough.

    Raises:
        ValueError: if it cannot be opened.
    """

    def __init__(
        self, pygame: ModuleType, title: str, shape: tuple[int, int], scale: int | None
    ) -> None:
        self.pygame = pygame
        height, width = shape
        if scale is None:
            scale = max(1, min(COMFORTABLE[0] // width, COMFORTABLE[1] // height))
        self.size = width * scale, height * scale
        whole = max(self.size[0], NARROWEST), self.size[1] + LINE
        try:
            self.surface = pygame.display.set_mode(whole)
        except pygame.error as error:
            raise ValueError(
                f"A window of {whole[0]} by {whole[1]} pixels cannot be opened: {error}."
            ) from error
        pygame.display.set_caption(title)
        self.font = pygame.font.Font(None, TEXT_SIZE)

    def show(self, frame: Array, text: str) -> None:
        """Draw a frame (height, width, 3), uint8, and the text."""
        height, width, _ = frame.shape
        picture = self.pygame.image.frombuffer(frame.tobytes(), (width, height), "RGB")
        line = self.font.render(text, True, LIGHT)
        room = self.surface.get_width()
        if line.get_width() > room:
            smaller = room, line.get_height() * room // line.get_width()
            line = self.pygame.transform.smoothscale(line, smaller)
        middle = room // 2
        self.surface.fill(DARK)
        self.surface.blit(
            self.pygame.transform.scale(picture, self.size), (middle - self.size[0] // 2, 0)
        )
        self.surface.blit(line, line.get_rect(center=(middle, self.size[1] + LINE // 2)))
        self.pygame.display.flip()

    def events(self, seconds: float) -> list[Any]:
        """Return what has happened, after so many seconds at most if that is nothing."""
        milliseconds = math.ceil(1000.0 * seconds)
        # A wait of 0 would have no end.
        first = [self.pygame.event.wait(milliseconds)] if milliseconds else []
        return [*first, *self.pygame.event.get()]

    def close(self) -> None:
        """Close the window."""
        self.pygame.display.quit()


def obey(game: Game, pygame: ModuleType, events: Iterable[Any], now: float) -> bool:
    """Do what events ask for; returns whether to go on.

    Args:
        game: what is played.
        pygame: the library.
        events: of the window.
        now: the time in seconds.
    """
    for event in events:
        if event.type == pygame.QUIT:
            return False
        if event.type not in (pygame.KEYDOWN, pygame.KEYUP):
            continue
        key = pygame.key.name(event.key)
        if event.type == pygame.KEYUP:
            game.release(key)
        elif key == "escape":
            return False
        elif key == "p":
            game.pause()
        elif key == "r":
            game.restart()
        else:
            game.press(key, now)
    return True


def play(game: Game, window: Window) -> None:
    """Play until the window is closed."""
    going = True
    while going:
        window.show(game.frame, game.describe())
        events = window.events(game.rest(time.monotonic()))
        going = obey(game, window.pygame, events, time.monotonic())
        if going:
            game.advance(time.monotonic())


def instructions(game: Game) -> list[Any]:
    """Return what is told at the start, for a console of `rich`: the actions, and the keys."""
    from rich.markdown import Markdown
    from rich.table import Table

    definition, keys = game.env.batch.definition, game.keys
    heading = f"{definition.name}, {game.fps:g} steps a second"
    table = Table("key", "action")
    by_action: dict[Any, list[str]] = {}
    for key, action in keys.actions.items():
        by_action.setdefault(action, []).append(key)
    for action, names in by_action.items():
        text = f"{action[1]} at index {action[0]}" if isinstance(action, tuple) else str(action)
        table.add_row(", ".join(names), text)
    table.add_row("none", "the game waits" if keys.waits else str(keys.idle), end_section=True)
    for key, meaning in OF_PLAY.items():
        table.add_row(key, meaning)
    section = re.search(r"^## Action Space\n+(.*?)(?=\n## |\Z)", definition.doc, re.M | re.S)
    return [heading, *([Markdown(section[1])] if section else []), table]
