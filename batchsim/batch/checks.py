"""What callers pass to a BatchEnv, read and checked; what is wrong is said in one sentence.

Everything here runs before any state changes.
"""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Iterable, Sequence
from random import Random, SystemRandom
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import error
from gymnasium.spaces import Box, MultiBinary, Space
from gymnasium.vector import AutoresetMode

from batchsim.actions import LISTED, OWN, WIDE, dtypes_of
from batchsim.batch._buffers import share_memory
from batchsim.batch.spaces import Layout
from batchsim.definition import suggest
from batchsim.streams import GENERATOR, PYTHON, RANDOM_STATE
from batchsim.values import is_whole

Array = npt.NDArray[Any]
NO_TIME_LIMIT = -1
MOST_ENVS = 2**31 - 1
"""What a kernel's 32-bit numbers of rows reach."""
MOST_THREADS = 4096
"""More than any machine has processors."""
MOST_FRAMES = 1024
"""More than any network looks back."""
PROPERTIES = ("np_random", "np_random_seed")
"""Those of `BatchEnv` that the driver may refuse."""


class Checks:
    """Converts what a caller passes to the driver, and phrases what is wrong with it."""

    has_warned = False
    """Whether `warn_of_threads` has warned."""
    kind = "BatchEnv"

    def __init__(
        self,
        name: str,
        num_envs: int,
        space: Space[Any],
        bounds: Any,
        clip: bool,
        precision: str,
        action: Array,
        observations: Layout,
    ) -> None:
        self.name = name
        self.num_envs = num_envs
        self.space = space
        self.bounds = bounds
        self.clip = clip
        self.precision = precision
        self.shape = action.shape
        self.dtype = action.dtype
        self.observations = observations

    @staticmethod
    def of_row(row: int) -> str:
        """Return which environment something is of, in words."""
        return f" of row {row}"

    @staticmethod
    def in_row(row: int) -> str:
        """Return in which environment something happened, in words."""
        return f"row {row}, "

    def convert(self, actions: Any) -> tuple[Array, int]:
        """Return `actions` as a contiguous array of the expected shape, and of which kind they are.

        Its dtype is the space's if they are `actions.OWN`, else float64.
        """
        try:
            array = np.asarray(actions)
        except (TypeError, ValueError) as cause:
            raise TypeError(
                f"The actions are {reprlib.repr(actions)}, which cannot be read as an array; "
                f"expected one of shape {self.shape} and dtype {self.dtype}."
            ) from cause
        if array.shape != self.shape:
            raise self._bad_shape(array)
        dtype, kind = self.dtype, OWN
        if isinstance(actions, (list, tuple)):
            kind = self._kind_of_list(actions, array)
        elif array.dtype != self.dtype:
            kind = self._kind_of_array(array)
        if kind != OWN and self.clip:
            kind = self._kind_of_clipped(array)
        if self.precision == "fast":
            kind = OWN
        if kind != OWN:
            dtype = np.dtype(np.float64)
        return np.ascontiguousarray(array, dtype), kind

    def _kind_of_clipped(self, array: Array) -> int:
        """Return which kind Gymnasium's wrapper makes of actions that are not of the space's dtype:
        that of vectors writes them into an array of the space.
        """
        return OWN

    def _kind_of_array(self, array: Array) -> int:
        """Return which kind actions of another dtype than the space's are, if they can be read."""
        if self.dtype.kind == "f":
            if array.dtype == np.float64 or array.dtype.kind in "iu":
                # NumPy's whole numbers and Python's floating-point ones make float64.
                return WIDE
        elif array.dtype.kind in "iu" and self.dtype.kind == "i":
            fits = np.can_cast(array.dtype, self.dtype, "safe")
            if fits or (array.dtype == np.uint64 and self.dtype == np.int64 and self._fit(array)):
                return OWN
        # Gymnasium's MultiBinary has members of any type, such as what SB3's policies sample.
        if isinstance(self.space, MultiBinary) and ((array == 0) | (array == 1)).all():
            return OWN
        raise TypeError(
            f"The actions have dtype {array.dtype}; expected {self.dtype} "
            f"(actions.astype(numpy.{self.dtype}))."
        )

    def _kind_of_list(self, actions: Any, array: Array) -> int:
        """Return which kind the actions of a list are, if they can be read."""
        if self.dtype.kind != "f":
            if not np.can_cast(array.dtype, self.dtype, "same_kind"):
                return self._kind_of_array(array)
            if self.dtype.kind in "iu" and not self._fit(array):
                raise self.bad_action(array)
            return OWN
        dtypes = dtypes_of(actions)
        if len(dtypes) > 1:
            names = sorted("Python's" if dtype is None else str(dtype) for dtype in dtypes)
            raise TypeError(
                f"The actions are a list of numbers of several types ({', '.join(names)}), with "
                f"which upstream computes differently; expected one type "
                f"(numpy.asarray(actions, numpy.{self.dtype}))."
            )
        if dtypes == {None} and np.can_cast(array.dtype, self.dtype, "same_kind"):
            return LISTED
        return OWN if array.dtype == self.dtype else self._kind_of_array(array)

    def _fit(self, array: Array) -> bool:
        """Tell whether no number changes when it becomes one of the space's dtype."""
        return bool((array.astype(self.dtype) == array).all())

    def _bad_shape(self, array: Array) -> Exception:
        return ValueError(
            f"The actions have shape {array.shape}; expected {self.shape}, one action for "
            f"each of the {self.num_envs} environments."
        )

    def clipped(self, actions: Array) -> Array:
        """Return actions of which some are not in the space clipped to it.

        Raises what `bad_action` returns, where that is not wanted or there is a NaN among them.
        """
        if not self.clip or np.isnan(actions).any():
            raise self.bad_action(actions)
        return np.clip(actions, self.space.low, self.space.high)  # type: ignore[attr-defined]

    def bad_action(self, actions: Array) -> Exception:
        """Phrase that an action is not in the space; some is not."""
        row = self._first_bad(actions)
        action = actions[row]
        shown = action.item() if action.ndim == 0 else action.tolist()
        hint = ""
        if isinstance(self.space, Box) and not np.isnan(action).any():
            hint = "; clip the actions, or make the environment with clip_actions=True"
        return ValueError(
            f"The action{self.of_row(row)} is {shown}; expected a member of {self.space}{hint}."
        )

    def _first_bad(self, actions: Array) -> int:
        low, high = self.bounds
        flat = actions.reshape(self.num_envs, -1)
        if isinstance(self.space, Box):
            with np.errstate(over="ignore"):
                flat = flat.astype(self.dtype)  # As the kernel compares them.
        # NaN fails both comparisons.
        return int((~((flat >= low) & (flat <= high)).all(axis=1)).argmax())

    def outputs(self, out: Any) -> tuple[Any, ...]:
        """Return `out` as a tuple of the four outputs, whose arrays the driver looks at."""
        if not isinstance(out, (tuple, list)) or len(out) != 4:
            raise ValueError(
                f"out is {reprlib.repr(out)}; expected four arrays (or None) for observations, "
                "rewards, terminated and truncated."
            )
        leaves = self.observation_leaves(out[0], *out[1:])
        return leaves, *out[1:]

    def observation_leaves(self, out: Any, *others: Any) -> list[Any]:
        """Return the parts of the observations in `out`: one, or one a leaf of a Dict or Tuple.

        Raises ValueError if any two of these and `others` share memory.
        """
        leaves = self.observations.split(out, "observation")
        for place in self.observations.texts:
            if leaves[place] is not None:
                raise ValueError(
                    f"The observation{self.observations.paths[place]} in out is "
                    f"{reprlib.repr(leaves[place])}; expected None, since it is a text: with "
                    "text_mode='tokens' it is an array."
                )
        arrays = [array for array in (*leaves, *others) if isinstance(array, np.ndarray)]
        if share_memory(arrays):
            raise ValueError("Two arrays in out share memory; expected separate ones.")
        return leaves

    def bad_output(self, name: str, array: Any, shape: tuple[int, ...], dtype: Any) -> Exception:
        """Phrase that an array in `out` cannot take an output."""
        if isinstance(array, np.ndarray):
            flags = "" if array.flags.carray else ", not a writeable C-contiguous array"
            found = f"an array of shape {array.shape} and dtype {array.dtype}{flags}"
        else:
            found = repr(array)
        return ValueError(
            f"The {name} in out is {found}; expected a writeable C-contiguous array of shape "
            f"{shape} and dtype {dtype}."
        )

    def shared_with_actions(self) -> Exception:
        """Phrase that an array in `out` lies in the memory of the actions."""
        return ValueError("An array in out shares memory with the actions; expected separate ones.")

    def warn_of_threads(self, started: int, wanted: int) -> None:
        """Warn, once a process, that the system starts no more threads."""
        if not Checks.has_warned:
            Checks.has_warned = True
            warnings.warn(
                f"batchsim could start {started} of {wanted} threads: steps go on with these, and "
                "take longer; pass a smaller num_threads, or allow this process more threads or "
                "memory.",
                RuntimeWarning,
                stacklevel=3,
            )

    def failed(self) -> Exception:
        """Phrase that an environment's function raised in compiled code."""
        return RuntimeError(
            f"A function of {self.name} raised an exception in compiled code and left the rows "
            f"in an unknown state; call reset() first, and make the {self.kind} with "
            "checked=True or backend='reference' to see where."
        )

    def unfinished(self, pending: Array) -> Exception:
        """Phrase that a step was asked for while rows are over, with DISABLED autoreset."""
        row = int(np.flatnonzero(pending)[0])
        return error.ResetNeeded(
            f"The episode of row {row} is over ({int(pending.sum())} rows in all); with "
            "AutoresetMode.DISABLED call reset(options={'reset_mask': terminated | truncated}) "
            "before the next step."
        )

    def refuse(self, operation: str, status: str) -> Exception:
        """Phrase that `operation` is not to be called in the driver's present status."""
        called = f"{operation} was read" if operation in PROPERTIES else f"{operation}() was called"
        if status == "closed":
            return error.ClosedEnvironmentError(
                f"{called} on a {self.kind} of {self.name} that is closed; make a new one."
            )
        if status == "torn":
            return error.ResetNeeded(
                f"{operation}() was called after a call that was broken off and left the rows in "
                "an unknown state; call reset() first."
            )
        if status == "forked":
            return error.NoAsyncCallError(
                "This process was forked between send() and recv(), so the step will never end "
                "here; call reset().",
                operation,
            )
        if operation == "recv":
            return error.NoAsyncCallError(
                "recv() was called but no step is under way; call send() first.", operation
            )
        if status == "sent":
            return error.AlreadyPendingCallError(
                f"{called} while a step is under way; call recv() first.", operation
            )
        if status == "stepping":
            return error.AlreadyPendingCallError(
                f"{called} while another thread steps this {self.kind}; "
                f"use one {self.kind} for each thread.",
                operation,
            )
        return error.ResetNeeded(f"{called} before reset(); call reset() first.")


class ChecksOfOne(Checks):
    """The same for a batch of one row, whose user knows of no rows."""

    kind = "SingleEnv"

    @staticmethod
    def of_row(row: int) -> str:
        """Return nothing: there is one environment."""
        return ""

    in_row = of_row

    def _kind_of_clipped(self, array: Array) -> int:
        """Return which kind Gymnasium's wrapper of one environment makes of actions: it clips them
        with `np.clip`.
        """
        return OWN if np.result_type(array, self.dtype) == self.dtype else WIDE

    def _bad_shape(self, array: Array) -> Exception:
        return ValueError(
            f"The action has shape {array.shape[1:]}; expected {self.shape[1:]}, a member of "
            f"{self.space}."
        )

    def unfinished(self, pending: Array) -> Exception:
        """Phrase that a step was asked for after the end of the episode."""
        return error.ResetNeeded(
            "step() was called after the end of the episode; call reset() before the next step."
        )


def read_mask(mask: Any, num_envs: int) -> Array | None:
    """Return `options["reset_mask"]` as a bool array (num_envs,), or None."""
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        found = f"an array of {mask.dtype}" if isinstance(mask, np.ndarray) else repr(mask)
        raise TypeError(f"options['reset_mask'] is {found}; expected a numpy array of bool.")
    if mask.shape != (num_envs,):
        raise ValueError(
            f"options['reset_mask'] has shape {mask.shape}; expected ({num_envs},), one flag a row."
        )
    if not mask.any():
        raise ValueError("options['reset_mask'] selects no row; expected at least one True.")
    # The bytes of one that was made by `view` may be any; kernels count on 0 and 1.
    flags: Array = mask.view(np.uint8) != 0
    return flags


def read_seeds(seed: Any, num_envs: int, kind: str = GENERATOR) -> list[int | None] | None:
    """Return one seed a row, or None to go on with the streams of this kind that there are."""
    seeds = _read_seeds(seed, num_envs)
    if kind == RANDOM_STATE:
        for row, value in enumerate(seeds or ()):
            if value is not None and value >= 2**32:
                raise ValueError(
                    f"The seed of row {row} is {value}; expected one below 2**32, as {kind} takes."
                )
    return seeds


def _read_seeds(seed: Any, num_envs: int) -> list[int | None] | None:
    if seed is None:
        return None
    if is_whole(seed):
        first = _read_seed(seed, "The seed")
        return list(range(first, first + num_envs))
    is_sequence = isinstance(seed, Sequence) or (isinstance(seed, np.ndarray) and seed.ndim > 0)
    if not is_sequence or isinstance(seed, (str, bytes)):
        raise TypeError(
            f"The seed is {seed!r}; expected a whole number, a sequence of {num_envs}, or None."
        )
    if len(seed) != num_envs:
        raise ValueError(
            f"The sequence of seeds has length {len(seed)}; expected {num_envs}, one for each row."
        )
    return [
        None if value is None else _read_seed(value, f"The seed of row {row}")
        for row, value in enumerate(seed)
    ]


def _read_seed(value: Any, what: str) -> int:
    if not is_whole(value):
        raise TypeError(
            f"{what} is {value!r}; expected a whole number that is not negative, or None."
        )
    if value < 0:
        raise ValueError(f"{what} is {value}; expected a whole number that is not negative.")
    return int(value)


def require_streams(generators: Any, num_envs: int, kind: str = GENERATOR) -> None:
    """Raise unless there is a generator for each row."""
    if not isinstance(generators, (list, tuple)) or len(generators) != num_envs:
        raise ValueError(
            f"np_random is given {reprlib.repr(generators)}; expected a list of {num_envs} "
            "generators, one for each row."
        )
    for row, generator in enumerate(generators):
        require_stream(generator, f"generator of row {row}", kind)


def require_stream(generator: Any, what: str, kind: str = GENERATOR) -> None:
    """Raise unless a row, whose stream is of a kind, can go on from where this generator stands."""
    if kind == PYTHON:
        if not isinstance(generator, Random) or isinstance(generator, SystemRandom):
            raise TypeError(f"The {what} is {generator!r}; expected a random.Random.")
        return
    over = "PCG64" if kind == GENERATOR else "MT19937"
    expected = f"expected a {kind} over {over}"
    if kind == GENERATOR and isinstance(generator, np.random.Generator):
        found = generator.bit_generator.state["bit_generator"]
    elif kind == RANDOM_STATE and isinstance(generator, np.random.RandomState):
        found = generator.get_state(legacy=False)["bit_generator"]
    else:
        raise TypeError(f"The {what} is {generator!r}; {expected}.")
    if found != over:
        raise ValueError(f"The {what} is of {found}; {expected}.")


def read_rows(env_ids: Iterable[int], num_envs: int) -> list[int]:
    """Return `env_ids` as a list of row numbers."""
    try:
        rows = list(env_ids)
    except TypeError as cause:
        raise TypeError(
            f"env_ids is {env_ids!r}; expected a sequence of rows from 0 to {num_envs - 1}."
        ) from cause
    if any(isinstance(row, (bool, np.bool_)) for row in rows):
        raise TypeError(
            "env_ids holds True or False, as a mask does; expected rows, such as those of "
            "numpy.flatnonzero(mask)."
        )
    for row in rows:
        if not is_whole(row) or not 0 <= row < num_envs:
            raise ValueError(f"env_ids holds {row!r}; expected rows from 0 to {num_envs - 1}.")
    return [int(row) for row in rows]


def whole_number(name: str, value: Any, at_least: int, at_most: int | None = None) -> int:
    """Return an argument that must be a whole number in this range."""
    expected = f"expected a whole number of at least {at_least}"
    if at_most is not None:
        expected += f" and at most {at_most}"
    if not is_whole(value):
        raise TypeError(f"{name} is {value!r}; {expected}.")
    if value < at_least or (at_most is not None and value > at_most):
        raise ValueError(f"{name} is {value}; {expected}.")
    return int(value)


def one_of(name: str, value: Any, known: Sequence[Any]) -> Any:
    """Return an argument that must be one of `known`."""
    if value not in known:
        words = [word for word in known if isinstance(word, str)]
        near = suggest(value, words) if isinstance(value, str) else ""
        raise ValueError(
            f"{name} is {value!r}{near}; expected one of {', '.join(map(repr, known))}."
        )
    return value


def read_autoreset_mode(mode: Any) -> AutoresetMode:
    """Return the mode that a member of `AutoresetMode` or its value names."""
    if isinstance(mode, AutoresetMode):
        return mode
    for known in AutoresetMode:
        if mode == known.value:
            return known
    values = [known.value for known in AutoresetMode]
    return AutoresetMode(one_of("autoreset_mode", mode, values))


def read_render_mode(mode: Any, known: Sequence[str], name: str) -> str | None:
    """Return the render mode; `known` are those of the environment `name`."""
    if mode == "rgb_array" and not known:
        raise ValueError(
            f"render_mode is 'rgb_array', but {name} has no renderer; expected None, or a "
            "renderer(p) in its definition."
        )
    found: str | None = one_of("render_mode", mode, (None, *known))
    return found


def most_frames(num_envs: int, checked: bool) -> int:
    """Return how many frames can be stacked: 32 bits number those of the rows of a tile, of which
    the checked mode has one.
    """
    return min(MOST_FRAMES, MOST_ENVS // num_envs) if checked else MOST_FRAMES


def read_time_limit(value: Any) -> int | None:
    """Return the time limit in steps that a caller gave, or None for none."""
    if is_whole(value) and value == NO_TIME_LIMIT:
        return None
    if is_whole(value) and 0 < value < 2**63:
        return int(value)
    raise ValueError(
        f"max_episode_steps is {value!r}; expected a positive whole number below 2**63, "
        "-1 for no limit, or None for the environment's own."
    )
