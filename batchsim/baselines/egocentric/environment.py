"""What all egocentric scenarios have in common, as a `gymnasium.Env`."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from batchsim.baselines.egocentric.maps import Drawn, Layout, Map, Place
from batchsim.baselines.egocentric.view import View
from batchsim.baselines.egocentric.world import World
from batchsim.envs.egocentric.textures import CEILING, FLOOR
from batchsim.envs.egocentric.view import Params, check_params, pixels

__all__ = ["Egocentric", "OnMaps", "axis"]

Picture = npt.NDArray[np.uint8]


class Egocentric(gymnasium.Env[Picture, Any]):
    """A world, a player's view of it, and the buttons that are held.

    Args:
        frame_skip: the tics of a step.
        sticky: how likely a step repeats the buttons of the one before.
        width, height: of the picture.
        fov: the angle of view in degrees.
        grayscale: one channel in place of three.
        channels_first: pictures are (channels, height, width).

    Raises:
        ValueError: if one of them is out of its range.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own shape
    actions: gymnasium.Space[Any]
    """The action space."""
    floor = FLOOR
    """The texture."""
    world: World
    held: Any
    """The buttons of the step before."""

    def __init__(
        self,
        frame_skip: int = 4,
        sticky: float = 0.0,
        width: int = 128,
        height: int = 72,
        fov: float = 90.0,
        grayscale: bool = False,
        channels_first: bool = False,
    ) -> None:
        settings = Params(frame_skip, sticky, width, height, fov, grayscale, channels_first)
        check_params(settings)
        self.frame_skip, self.sticky = frame_skip, sticky
        self.observation_space = pixels(settings)
        self.action_space = copy.deepcopy(self.actions)
        self.view = View(settings, self.floor, CEILING)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Picture, dict[str, Any]]:
        """Start an episode; return the first picture."""
        super().reset(seed=seed)
        self.world = self.start(self.np_random)
        self.held = self.nothing()
        return self.view.draw(self.world), self.infos()

    def step(self, action: Any) -> tuple[Picture, float, bool, bool, dict[str, Any]]:
        """Hold buttons for a step; return picture, reward, terminated, False and infos."""
        if self.sticky == 0.0 or self.np_random.random() >= self.sticky:
            self.held = copy.copy(action)
        reward, terminated = self.play(self.held)
        return self.view.draw(self.world), reward, terminated, False, self.infos()

    def infos(self) -> dict[str, Any]:
        """Return health, ammunition and kills."""
        player = self.world.player
        return {
            "health": float(player.health),
            "ammo": int(player.ammo),
            "kills": int(player.kills),
        }

    def nothing(self) -> Any:
        """Return the action that presses no button."""
        return 0

    @abstractmethod
    def start(self, rng: np.random.Generator) -> World:
        """Return the world of a new episode."""

    @abstractmethod
    def play(self, action: Any) -> tuple[float, bool]:
        """Let a step's tics pass; return the reward, and whether the episode is terminated."""


class OnMaps(Egocentric):
    """A scenario whose map the caller may draw.

    Args:
        layout: the map; the scenario's own if None.
        settings: the arguments of `Egocentric`.

    Raises:
        ValueError: if one of them is out of its range, or nobody can walk the map.
    """

    has_goals = False
    """Whether a map says where the vest may lie."""

    def __init__(self, layout: Layout | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.drawn = None if layout is None else Drawn(layout, self.has_goals)

    def enter(self, rng: np.random.Generator) -> tuple[Map, Place]:
        """Return the map of a new episode, and where the player starts."""
        if self.drawn is not None:
            return self.drawn.map, self.drawn.start(rng)
        return self.found(rng)

    @abstractmethod
    def found(self, rng: np.random.Generator) -> tuple[Map, Place]:
        """Return the scenario's own map, and where the player starts."""


def axis(button: int, less: int, more: int) -> int:
    """Return what two opposite buttons ask for: -1, 0 or 1."""
    return int(button == more) - int(button == less)
