"""Watch environments: several of a batch drawn as tiles of one animation or picture."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import DependencyNotInstalled

from batchsim.commands.options import check_within
from batchsim.definition import suggest
from batchsim.registry import describe, load_file

if TYPE_CHECKING:
    from batchsim.batch.vector import BatchEnv

__all__ = ["Mosaic", "Settings", "WatchError", "frame_shape", "read_policy", "record"]

Array = npt.NDArray[Any]
Policy = Callable[[Array], Array]
"""Observations of all rows to actions of all rows."""

LIBRARIES = {".gif": "PIL", ".mp4": "imageio_ffmpeg", ".png": "PIL"}
"""What writes each kind of file; Pillow scales the tiles of all."""

CHECKPOINT = ".pt"

MOST_ENVS = 256
"""More tiles would be too small to see anything."""

LARGEST = 960
"""Larger animations are scaled down to so many pixels, along the longer side."""

FASTEST_GIF = 50
"""Frames a second; browsers show faster gifs slowly."""

LONGEST_GIF = 500
"""Steps; Pillow keeps all frames of a gif in memory."""

BORDER = 2
FLASH = 0.25
"""Seconds for which the border shows in an animation that an episode has ended."""

PLAIN = (208, 208, 208)
TERMINATED = (213, 94, 0)
TRUNCATED = (0, 114, 178)


class WatchError(ValueError):
    """A policy or a renderer does not do its part."""


@dataclass(frozen=True)
class Settings:
    """What to record, and where.

    Args:
        path: a .gif, .mp4 or .png file; a .png shows the last picture only.
        num_envs: how many environments, from 1 to `MOST_ENVS`.
        steps: after the first picture.
        seed: of the environments and of random actions: the same seed gives the same file.
        fps: frames a second; None for the environment's own, as far as a gif can.

    Raises:
        ValueError: for a value out of place, or if a library is missing that writes such a file.
    """

    path: Path
    num_envs: int = 16
    steps: int = 200
    seed: int = 0
    fps: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in LIBRARIES:
            raise ValueError(
                f"--out is {self.path}; expected a name that ends in .gif, .mp4 or .png."
            )
        gif = self.kind == ".gif"
        check_within("--num-envs", self.num_envs, 1, MOST_ENVS)
        check_within("--steps", self.steps, 0, LONGEST_GIF if gif else None, "in a gif")
        check_within("--seed", self.seed, 0)
        if self.fps is not None:
            check_within("--fps", self.fps, 1, FASTEST_GIF if gif else None, "in a gif")
        for library in ("PIL", LIBRARIES[self.kind]):
            if importlib.util.find_spec(library) is None:
                raise ValueError(
                    f"Writing a {self.kind} file needs the library {library}; install it with "
                    'pip install "batchsim[render]".'
                )

    @property
    def kind(self) -> str:
        """Return the suffix that says what kind of file is written."""
        return self.path.suffix.lower()


def read_policy(text: str, env: Any) -> tuple[Policy | None, dict[str, Any]]:
    """Return what acts, None for "random"; and the arguments of the environments it acts in.

    Args:
        text: "random", a Python file with a function `act`, or a checkpoint of `train`: a .pt file
            or the directory that holds one.
        env: what is watched: an id, or the class or module that defines an environment.

    Raises:
        ValueError: if `text` is none of these, the file does not define the function, or the
            checkpoint's policy was trained on another environment.
    """
    if text == "random":
        return None, {}
    path = Path(text).resolve()
    if not path.exists():
        raise ValueError(
            f"--policy is {text!r}{suggest(text, ['random'])}; expected 'random', a Python file "
            "that defines act(observations), or what train --checkpoint saved."
        )
    if path.is_dir() or path.suffix == CHECKPOINT:
        return _read_checkpoint(path, env)
    act = getattr(load_file(path), "act", None)
    if not callable(act):
        raise ValueError(f"{path} defines no function act(observations), which would give actions.")

    def checked(observations: Array) -> Array:
        try:
            actions: Array = act(observations)
        except Exception as error:
            raise WatchError(f"The policy {path} failed: {describe(error, path)}.") from error
        return actions

    return checked, {}


def _read_checkpoint(path: Path, env: Any) -> tuple[Policy, dict[str, Any]]:
    try:
        from batchsim.torch.checkpoint import load_actions
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ValueError(
            f'The policy {path} needs PyTorch; install it with pip install "batchsim[torch]".'
        ) from error
    return load_actions(path, env)


class Mosaic:
    """Tiles of one size in rows and columns, each in a thin border, nearly as many rows as columns.

    Args:
        tiles: how many there are.
        shape: height and width of the frames; the tiles are smaller if the whole would otherwise be
            larger than `LARGEST`.
    """

    def __init__(self, tiles: int, shape: tuple[int, int]) -> None:
        height, width = shape
        self.columns = math.ceil(math.sqrt(tiles))
        self.rows = math.ceil(tiles / self.columns)
        borders = 2 * BORDER
        scale = min(
            1.0,
            (LARGEST / self.columns - borders) / width,
            (LARGEST / self.rows - borders) / height,
        )
        self.height = max(1, int(height * scale))
        self.width = max(1, int(width * scale))
        # Even, as the codec of mp4 files needs it.
        self.shape = (
            _even(self.rows * (self.height + borders)),
            _even(self.columns * (self.width + borders)),
            3,
        )

    def draw(self, frames: tuple[Array, ...], colours: Array) -> Array:
        """Return one picture (height, width, 3), uint8.

        Args:
            frames: one a tile, (height, width, 3), uint8.
            colours: of the borders, (tiles, 3), uint8.
        """
        picture = np.full(self.shape, PLAIN, np.uint8)
        for number, (frame, colour) in enumerate(zip(frames, colours, strict=True)):
            row, column = divmod(number, self.columns)
            top = row * (self.height + 2 * BORDER)
            left = column * (self.width + 2 * BORDER)
            tile = picture[top:, left:][: self.height + 2 * BORDER, : self.width + 2 * BORDER]
            tile[:] = colour
            tile[BORDER:-BORDER, BORDER:-BORDER] = self.scaled(frame)
        return picture

    def scaled(self, frame: Array) -> Array:
        """Return a frame in the size of a tile."""
        if frame.shape[:2] == (self.height, self.width):
            return frame
        from PIL import Image

        size = (self.width, self.height)
        return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def record(
    envs: BatchEnv,
    policy: Policy | None,
    settings: Settings,
    progress: Callable[[int], None] = lambda step: None,
) -> tuple[int, int]:
    """Reset and step all environments, and write what they show.

    Args:
        envs: made with render_mode="rgb_array" and NEXT_STEP autoreset, so that the end of an
            episode is drawn.
        policy: what acts; None for random actions.
        settings: what to record; the file is replaced only when all has succeeded.
        progress: called with the number of steps done.

    Returns:
        Width and height in pixels.

    Raises:
        WatchError: if the policy fails or its actions do not fit, or the environment cannot be
            drawn.
    """
    picture = settings.kind == ".png"
    fps = settings.fps
    if fps is None:
        fps = round(envs.metadata["render_fps"])
        if settings.kind == ".gif":
            fps = min(fps, FASTEST_GIF)
    hold = 1 if picture else max(1, round(FLASH * fps))
    observations, _ = envs.reset(seed=settings.seed)
    envs.action_space.seed(settings.seed)
    mosaic = Mosaic(envs.num_envs, frame_shape(envs))

    def pictures() -> Iterator[Array]:
        for step, colours in enumerate(_play(envs, policy, observations, settings.steps, hold)):
            progress(step)
            if not picture or step == settings.steps:
                frames = envs.render()
                assert frames is not None
                yield mosaic.draw(frames, colours)

    height, width, _ = mosaic.shape
    with _replacing(settings.path) as partial:
        if settings.kind == ".mp4":
            _write_mp4(partial, pictures(), (width, height), fps)
        elif settings.kind == ".gif":
            _write_gif(partial, pictures(), settings.steps + 1, fps)
        else:
            _write_png(partial, next(pictures()))
    return width, height


def _play(
    envs: BatchEnv, policy: Policy | None, observations: Array, steps: int, hold: int
) -> Iterator[Array]:
    """Yield the colours of the borders (N, 3) after the reset and after each step.

    The end of an episode shows in `hold` pictures.
    """
    colours = np.full((envs.num_envs, 3), PLAIN, np.uint8)
    left = np.zeros(envs.num_envs, np.int64)
    yield colours
    for _ in range(steps):
        if policy is None:
            observations, _, terminated, truncated, _ = envs.step(envs.action_space.sample())
        else:
            actions = policy(observations)
            try:
                observations, _, terminated, truncated, _ = envs.step(actions)
            except (TypeError, ValueError) as error:
                raise WatchError(f"The policy's actions do not fit: {error}") from error
        left -= 1
        colours[left <= 0] = PLAIN
        colours[truncated] = TRUNCATED
        colours[terminated] = TERMINATED
        left[terminated | truncated] = hold
        yield colours


def frame_shape(envs: BatchEnv) -> tuple[int, int]:
    """Return height and width of the frames.

    Raises:
        WatchError: if a library is missing that draws them, or they are no RGB frames.
    """
    name = envs.definition.name
    try:
        frames = envs.render(env_ids=[0])
    except (DependencyNotInstalled, ImportError) as error:
        raise WatchError(
            f"{name} cannot be drawn: {str(error).rstrip('.')}; what batchsim's own environments "
            'need is installed by pip install "batchsim[render]".'
        ) from error
    frame: Any = frames[0] if frames is not None else None
    shape, dtype = np.shape(frame), getattr(frame, "dtype", type(frame).__name__)
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
        raise WatchError(
            f"The renderer of {name} returns shape {shape} and dtype {dtype}; expected "
            "(height, width, 3) and uint8."
        )
    height, width, _ = shape
    return height, width


def _write_png(path: Path, picture: Array) -> None:
    from PIL import Image

    Image.fromarray(picture).save(path)


def _write_gif(path: Path, pictures: Iterator[Array], count: int, fps: int) -> None:
    from PIL import Image

    # The format counts in hundredths of a second: some pictures stay for one more than others.
    ends = [round(100 * number / fps) for number in range(count + 1)]
    durations = [10 * (ends[number + 1] - ends[number]) for number in range(count)]
    images = map(Image.fromarray, pictures)
    next(images).save(path, save_all=True, append_images=images, duration=durations, loop=0)


def _write_mp4(path: Path, pictures: Iterator[Array], size: tuple[int, int], fps: int) -> None:
    from imageio_ffmpeg import write_frames

    writer: Generator[None, Any, None] = write_frames(
        str(path), size, fps=fps, quality=7, macro_block_size=2, ffmpeg_log_level="error"
    )
    writer.send(None)
    try:
        for picture in pictures:
            writer.send(picture)
    finally:
        writer.close()


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, whose file takes its place at the end."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _even(number: int) -> int:
    return number + number % 2
