"""Journals of what a wrapper does, to be laid side by side.

A journal has the spaces, what each call returned or raised, the frames, and in the end what the
wrapper has gathered and where the random streams stand. Two are the same if they are to the bit and
the type.
"""

import sys
import types
import warnings
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium.vector import AutoresetMode


class Case(NamedTuple):
    """A wrapper with arguments: `wrap(env)`."""

    wrapper: str
    wrap: object
    render_mode: str | None = None
    tensors: bool = False
    """Whether actions are torch's."""
    drawn: bool = True
    """Whether the original can be drawn, of which its metadata speak."""


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """A screen that is none, for which nobody waits, and what some wrappers need of libraries that
    need not be there.

    Both sides get the same: whether a video can be played does not matter, what goes into it does.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(Clip, "made", [])
    pygame = pytest.importorskip("pygame")
    monkeypatch.setattr(pygame.time, "Clock", Clock)
    clips = types.ModuleType("moviepy.video.io.ImageSequenceClip")
    clips.ImageSequenceClip = Clip
    images = types.ModuleType("cv2")
    images.INTER_AREA = 3
    images.resize = resized
    monkeypatch.setitem(sys.modules, "cv2", images)
    monkeypatch.setitem(sys.modules, clips.__name__, clips)
    for name in ("moviepy", "moviepy.video", "moviepy.video.io"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))


class Clock:
    """Time that does not pass."""

    def tick(self, frames_per_second):
        return 0


class Clip:
    """A video, as the wrappers make it with moviepy."""

    made: ClassVar = []

    def __init__(self, frames, fps):
        self.frames, self.fps = [np.array(frame) for frame in frames], fps

    def write_videofile(self, path, logger=None):
        self.made.append((path, self.fps, self.frames))


def resized(image, size, interpolation=None):
    """The nearest pixels."""
    rows = np.arange(size[1]) * image.shape[0] // size[1]
    columns = np.arange(size[0]) * image.shape[1] // size[0]
    return np.ascontiguousarray(image[rows][:, columns])


GATHERED = (
    "obs_rms",
    "return_rms",
    "discounted_reward",
    "accumulated_reward",
    "return_queue",
    "length_queue",
    "episode_count",
    "episode_returns",
    "episode_lengths",
    "frame_list",
    "recorded_frames",
    "step_id",
    "episode_id",
    "metadata",
    "render_mode",
)
"""What wrappers keep, and what they are asked for."""

NOT_DRAWN = {"human", "ansi"}
"""Render modes of the originals that batchsim lacks: `gymnasium.make` makes "human" of frames."""

SORTS_OF_DICT = {"StepInfos": "dict", "OrderedDict": "dict"}
"""What is a dict to whoever uses it. Of SB3's two vectors one returns the one and one the other."""

TIMES = {"t", "_t"}
"""Entries of infos that are no two times the same."""


def plain(value):
    """Return what is compared of a value: its type and bits, without times."""
    if isinstance(value, Mapping):
        if "render_modes" in value:
            value = {**value, "render_modes": sorted({*value["render_modes"]} - NOT_DRAWN)}
        told = {key: plain(entry) for key, entry in value.items() if key not in TIMES}
        return SORTS_OF_DICT.get(type(value).__name__, type(value).__name__), told
    if isinstance(value, (tuple, list)) or type(value).__name__ == "deque":
        return type(value).__name__, [plain(entry) for entry in value]
    if type(value).__name__ == "RunningMeanStd":
        return [plain(part) for part in (value.mean, value.var, value.count)]
    if type(value).__name__ == "Tensor":
        return "Tensor", plain(value.numpy())
    if isinstance(value, np.ndarray) and value.dtype == object:
        return "objects", value.shape, [plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return type(value).__name__, *oracle.bits(value)
    if isinstance(value, (float, int, bool, str, type(None), AutoresetMode)):
        return type(value).__name__, repr(value)
    raise TypeError(value)


class EndedError(Exception):
    """The journal ends here."""


class Journal:
    """What happens to one side."""

    def __init__(self, env, case):
        self.env = env
        self.case = case
        self.lines = []

    def note(self, what, value):
        self.lines.append((what, value))

    def attempt(self, what, function, *arguments, **settings):
        """Note what a call returns or the kind of what it raises, and return the former."""
        try:
            found = function(*arguments, **settings)
        except Exception as error:
            self.note(what, type(error).__name__)
            raise EndedError from error
        self.note(what, self.tell(found))
        return found

    def tell(self, found):
        """Return what is compared of what a call returned."""
        return plain(found)

    def keep(self, steps):
        """Wrap, step and note all."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.wrap()
                self.drive(steps)
                self.look_back()
            except EndedError:
                pass
            finally:
                self.env.close()
        self.note("videos", plain(Clip.made))
        Clip.made.clear()

    def wrap(self):
        """Put the wrapper on and note the spaces."""
        try:
            self.env = self.case.wrap(self.env)
        except Exception as error:
            self.note("wrap", type(error).__name__)
            raise EndedError from error
        for name in ("observation_space", "action_space"):
            self.note(name, getattr(self.env, name))

    def look_back(self):
        """Note what the wrapper has gathered, and where the random streams stand."""
        for name in GATHERED:
            if hasattr(self.env, name) and (self.case.drawn or name != "metadata"):
                self.note(name, plain(getattr(self.env, name)))
        self.note_streams()

    def note_streams(self):
        streams = self.env.unwrapped.np_random
        for stream in streams if isinstance(streams, tuple) else (streams,):
            state = stream.bit_generator.state
            # NumPy leaves there what it has used.
            state["uinteger"] *= state["has_uint32"]
            self.note("stream", repr(state))

    def action(self):
        """Sample an action and note it."""
        action = self.env.action_space.sample()
        self.note("action", plain(action))
        if self.case.tensors:
            import torch

            return torch.as_tensor(action)
        return action


def assert_same_journals(expected, found, case):
    for (what, one), (other_what, other) in zip(expected.lines, found.lines, strict=False):
        assert what == other_what, f"{case.wrapper}: {other_what} {other}, not {what} {one}"
        assert one == other, f"{case.wrapper}: {what}"
    assert len(expected.lines) == len(found.lines), case.wrapper
