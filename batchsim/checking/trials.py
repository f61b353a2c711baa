"""Runs an environment's functions as plain Python over guards, one row at a time.

A run keeps what the caller of the environment would see of every call, so that runs can be
compared, and what only shows over several episodes.
"""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Space, Tuple

from batchsim.batch.texts import Text, named_leaves
from batchsim.checking.contract import place_of
from batchsim.checking.guards import (
    Column,
    Guard,
    GuardedParameter,
    Stop,
    Watch,
    guarded_streams,
    guarded_tuple,
)
from batchsim.checking.patience import Patience, TooLong
from batchsim.checking.problems import Place
from batchsim.compiler.returns import EXPECTED, HOW_TO_RETURN
from batchsim.definition import Definition
from batchsim.family import at_work
from batchsim.streams import module_of

__all__ = ["Actions", "Course", "Trial"]

Array = npt.NDArray[Any]
UNDOES = "tokenize(text) returns the tokens that observe writes where text makes this string."
PATIENCE = 60.0
"""Seconds that one call may take: drawing a picture as watched plain Python takes some."""


@dataclass
class Step:
    """What a step showed, and what the state was around it."""

    reward: float
    terminated: bool
    truncated: bool
    before: dict[str, Array]
    after: dict[str, Array]
    draws: int
    restarted: bool
    """The step left the state as a reset from the same point of the random stream leaves it."""


@dataclass
class Course:
    """What a row did: its episodes, each a list of steps, and everything that a caller saw."""

    episodes: list[list[Step]] = field(default_factory=list)
    seen: list[tuple[str, Any]] = field(default_factory=list)
    """Name and value of each thing seen, in order."""

    def difference(self, other: Course) -> str:
        """Return where two courses differ first, or the empty string."""
        steps = -1
        for (name, one), (_, two) in zip(self.seen, other.seen, strict=False):
            steps += name == "reward"
            if not same(one, two):
                when = f"in step {steps}" if steps >= 0 else "after the first reset"
                return f"{when}, {name} is {text_of(one)} once and {text_of(two)} the other time"
        if len(self.seen) != len(other.seen):
            return f"after step {steps}, one of them goes on and the other does not"
        return ""


def same(one: Any, two: Any) -> bool:
    """Tell whether two things seen are the same bit for bit."""
    one, two = np.asarray(one), np.asarray(two)
    return one.dtype == two.dtype and bool(one.tobytes() == two.tobytes())


def text_of(value: Any) -> str:
    """Return a number or an array as short text."""
    value = np.asarray(value)
    if value.size == 1:
        return str(value.reshape(-1)[0])
    return np.array2string(value, threshold=8, edgeitems=3, precision=4).replace("\n", "")


class Actions:
    """Actions to try: random ones, and the bounds of the space now and then."""

    def __init__(self, space: Space[Any], seed: int) -> None:
        self.space = space
        self.space.seed(seed)
        self.count = 0

    def __call__(self) -> Any:
        """Return the next action."""
        self.count += 1
        if isinstance(self.space, Box) and self.count % 5 == 0 and self.space.is_bounded():
            return self.space.high if self.count % 2 else self.space.low
        return self.space.sample()


class Trial:
    """An environment's functions with everything that they are given, guarded.

    Args:
        definition: the environment.
        watch: where problems go.
        values: what its functions see as `p`, one value a field.
        spaces: the observation and the action space.
        texts: the texts of the observation space, which has their tokens, by name.
        return_places: where `reset`, `step`, … return, for what is wrong with their results.
    """

    def __init__(
        self,
        definition: Definition,
        watch: Watch,
        values: dict[str, Any],
        spaces: tuple[Space[Any], Space[Any]],
        texts: dict[str, Text],
        return_places: dict[str, Place],
    ) -> None:
        self.definition = definition
        self.watch = watch
        self.observation_space, self.action_space = spaces
        self.texts = [texts.get(name) for name, _ in named_leaves(self.observation_space)]
        """Of each leaf the text that it is the tokens of, or None."""
        self.return_places = return_places
        self.p = guarded_tuple(
            watch, "p", {name: self._parameter(name, value) for name, value in values.items()}
        )

    def _parameter(self, name: str, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return Guard(self.watch, "p", f"p.{name}", value)
        if isinstance(value, tuple):
            numbers = GuardedParameter(map(np.float64, value))
            numbers.guard = Guard(self.watch, "p", f"p.{name}", np.array(value))
            return numbers
        return np.float64(value) if isinstance(value, float) else value

    def run(
        self,
        *,
        seed: int,
        steps: int,
        limit: int,
        actions: Callable[[], Any],
        row: int = 2,
        fill: int = 0,
    ) -> Course:
        """Run one row from a seed; returns what it did, up to the first problem that ends it.

        Args:
            seed: of the row's stream.
            steps: how many steps.
            limit: after how many steps an episode is truncated.
            actions: returns the next action.
            row: the row's number.
            fill: the byte that fills the columns first.
        """
        course = Course()
        with Patience(PATIENCE) as patience, contextlib.suppress(Stop), self._quiet():
            run = _Run(self, row, fill, seed, patience)
            run.reset(course)
            for _ in range(steps):
                over = run.step(course, actions()) or len(course.episodes[-1]) >= limit
                if over:
                    run.reset(course)
        return course

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        # Overflows of narrow integers are told once the backends are seen to differ.
        with warnings.catch_warnings(), np.errstate(all="ignore", over="call"):
            previous = np.seterrcall(self.watch.overflow)
            warnings.simplefilter("ignore")
            try:
                yield
            finally:
                np.seterrcall(previous)


class _Run:
    """One row's columns and streams."""

    def __init__(self, trial: Trial, row: int, fill: int, seed: int, patience: Patience) -> None:
        self.trial = trial
        self.patience = patience
        self.watch = trial.watch
        self.definition = trial.definition
        self.row = row
        self.fill = fill
        module = module_of(self.definition.random)
        self.streams = module.allocate(row + 2)
        module.seed_rows(self.streams, [row], [seed])
        self.rng = guarded_streams(self.watch, self.streams, row)
        self.columns = self._columns(self.definition.columns, "s")
        self.scratch = self._columns(self.definition.scratch, "scratch")
        self.s = guarded_tuple(self.watch, "s", {**self.columns, **self.scratch})

    def _columns(self, columns: Any, role: str) -> dict[str, Column]:
        rows = self.row + 2
        found = {}
        for name, column in columns.items():
            values = self._filled((rows, *column.shape), column.dtype)
            if column.default is not None:
                values[...] = column.default
            found[name] = Column(self.watch, role, f"s.{name}", values, self.row, name)
        return found

    def _filled(self, shape: tuple[int, ...], dtype: Any) -> Array:
        if np.dtype(dtype) == np.bool_:
            return np.full(shape, self.fill % 2 == 1)
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        values = np.full(count, self.fill, np.uint8).view(dtype).reshape(shape)
        return np.array(values)

    # -- calls ---------------------------------------------------------------------------------

    def call(self, name: str, *arguments: Any) -> Any:
        """Call one of the author's functions; an exception of its is noted and ends the run."""
        for column in self.scratch.values():
            column.forget()
        self.watch.function = name
        try:
            # What it prints would be printed in every step.
            namespace = self.definition.namespace
            with self.patience.block(), contextlib.redirect_stdout(None), at_work(namespace):
                return getattr(namespace, name)(self.s, self.row, *arguments)
        except Stop:
            raise
        except TooLong as error:
            self.watch.findings.add(
                "endless",
                f"{name} has not returned after {PATIENCE} seconds.",
                "A loop may have no end; one over a range always has.",
                self.watch.place_of(error),
            )
            raise Stop from error
        except RecursionError as error:
            self.watch.findings.add(
                "recursion", f"{name} calls itself without end.", "", self.watch.place_of(error)
            )
            raise Stop from error
        except Exception as error:
            self.watch.findings.add(
                "raises",
                f"{name} raises {type(error).__name__}: {_sentence(error)}",
                _advice(error),
                self.watch.place_of(error) or self.trial.return_places.get(name),
            )
            raise Stop from error

    def reset(self, course: Course) -> None:
        """Begin an episode."""
        for name, column in self.columns.items():
            # What begins with a value of its own is meant to go on over episodes.
            if self.definition.columns[name].default is None:
                column.forget()
        self.returns_nothing("reset", self.call("reset", self.trial.p, self.rng))
        course.episodes.append([])
        self.observe(course)

    def step(self, course: Course, action: Any) -> bool:
        """Step once; returns whether the episode is over."""
        trial = self.trial
        before = self.state()
        stream = [array.copy() for array in self.streams]
        draws = self.watch.draws
        if isinstance(trial.action_space, Discrete):
            given: Any = np.int64(action)
        else:
            given = Guard(self.watch, "action", "action", np.array(action))
        result = self.call("step", given, trial.p, self.rng)
        draws = self.watch.draws - draws
        reward, terminated, truncated = self.read_result(result)
        over = terminated or truncated
        after = self.state()
        restarted = over and self._is_like_reset(stream, before, after)
        course.seen += [("reward", reward), ("terminated", terminated), ("truncated", truncated)]
        course.episodes[-1].append(
            Step(reward, terminated, truncated, before, after, draws, restarted)
        )
        self.observe(course)
        return over

    def state(self) -> dict[str, Array]:
        """Return a copy of the row's columns."""
        return {name: column.own.values.copy() for name, column in self.columns.items()}

    def _is_like_reset(self, stream: Any, before: Any, after: Any) -> bool:
        """Tell whether a reset, where the last step began, would have given the state there is."""
        silent = Watch(type(self.watch.findings)(()), self.watch.codes)
        trial = Trial(
            self.definition,
            silent,
            {name: getattr(self.trial.p, name) for name in self.trial.p._fields},
            (self.trial.observation_space, self.trial.action_space),
            {},
            {},
        )
        other = _Run(trial, self.row, 0, 0, self.patience)
        for name, column in other.columns.items():
            column.own.values[...] = before[name]
        for array, values in zip(other.streams, stream, strict=True):
            array[...] = values
        try:
            other.call("reset", trial.p, other.rng)
        except Stop:
            return False
        fresh = other.state()
        return _equal(fresh, after) and not _equal(before, after)

    def read_result(self, result: Any) -> tuple[float, bool, bool]:
        """Return reward, terminated and truncated, or note what is wrong with them."""
        count = len(result) if isinstance(result, tuple) else 0
        if count not in (2, 3):
            if result is None:
                what = "nothing"
            elif isinstance(result, tuple):
                what = f"{count} values"
            else:
                what = f"one value, {result!r}"
            raise self.wrong_result("step", f"returns {what}; {EXPECTED}.", HOW_TO_RETURN)
        if count != (self.watch.returned or count):
            if self.watch.findings.has("return"):
                raise Stop  # The source has told.
            raise self.wrong_result(
                "step",
                f"returns {count} values once and {self.watch.returned} another time; expected as "
                "many by every return.",
                HOW_TO_RETURN,
            )
        self.watch.returned = count
        reward, *flags = result
        if isinstance(reward, (Guard, str)) or not isinstance(
            reward, (bool, int, float, np.bool_, np.number)
        ):
            what = _named(reward)
            raise self.wrong_result(
                "step", f"returns the reward {what}; expected a number.", HOW_TO_RETURN
            )
        for name, flag in zip(("terminated", "truncated"), flags, strict=False):
            if not isinstance(flag, (bool, np.bool_)):
                raise self.wrong_result(
                    "step",
                    f"returns {_named(flag)} as {name}; expected True or False.",
                    HOW_TO_RETURN,
                )
        if not np.isfinite(reward):
            self.watch.findings.add(
                "reward",
                f"step returns the reward {reward}; expected a finite number.",
                "",
                self.trial.return_places.get("step"),
            )
        return float(reward), bool(flags[0]), any(flags[1:])

    def returns_nothing(self, name: str, result: Any) -> None:
        """Note a result where there should be none."""
        if result is not None:
            self.wrong_result(
                name,
                f"returns {_named(result)}; expected nothing.",
                "It writes into the columns or into out; what it returns is lost.",
            )

    def wrong_result(self, name: str, message: str, hint: str) -> Stop:
        """Note a wrong result; returns what ends the run."""
        place = self.trial.return_places.get(name)
        self.watch.findings.add("return", f"{name} {message}", hint, place)
        return Stop()

    # -- observations and infos ----------------------------------------------------------------

    def observe(self, course: Course) -> None:
        """Observe the row and write its infos, and look at what was written."""
        leaves: list[tuple[Guard, Space[Any] | None]] = []
        out = self.output(self.trial.observation_space, "out", leaves)
        self.returns_nothing("observe", self.call("observe", self.trial.p, out))
        if hasattr(self.definition.namespace, "inform"):
            infos = {}
            for name, column in self.definition.info.items():
                infos[name] = self.leaf(f"out.{name}", column.shape or (1,), column.dtype)
                leaves.append((infos[name], None))
            out = guarded_tuple(self.watch, "out", infos)
            self.returns_nothing("inform", self.call("inform", self.trial.p, out))
        # Infos follow, which have none.
        texts = itertools.chain(self.trial.texts, itertools.repeat(None))
        for (guard, space), text in zip(leaves, texts, strict=False):
            if self.examine(guard, space, text) and text is not None:
                self.tell(text, guard)
            what = "the observation" if space is not None else "the info"
            course.seen.append((f"{what}{guard.name[3:]}", guard.values))

    def output(self, space: Any, name: str, leaves: list[Any]) -> Any:
        """Return what a function writes an observation of `space` into."""
        if isinstance(space, Dict):
            parts = {
                key: self.output(part, f"{name}.{key}", leaves)
                for key, part in space.spaces.items()
            }
            return guarded_tuple(self.watch, name, parts)
        if isinstance(space, Tuple):
            return tuple(
                self.output(part, f"{name}[{k}]", leaves) for k, part in enumerate(space.spaces)
            )
        guard = self.leaf(name, space.shape or (1,), space.dtype)
        leaves.append((guard, space))
        return guard

    def leaf(self, name: str, shape: tuple[int, ...], dtype: Any) -> Guard:
        """Return an array to be written whole."""
        written = np.zeros(shape, np.bool_)
        return Guard(self.watch, "out", name, self._filled(shape, dtype), written)

    def examine(self, guard: Guard, space: Any, text: Text | None = None) -> bool:
        """Note elements of an output that were not written, or that are outside the space; tell
        whether there are none.
        """
        function = "observe" if space is not None else "inform"
        assert guard.written is not None
        if not guard.written.all():
            index = np.argwhere(~guard.written)[0].tolist()
            count = int((~guard.written).sum())
            others = f" and {count - 1} more" if count > 1 else ""
            self.watch.findings.add(
                "unwritten",
                f"{function} does not write {guard.label(tuple(index))}{others}.",
                "Every element must be written in each call; before, it holds anything.",
                self.trial.return_places.get(function),
            )
            # What was not written is not to differ between runs once more.
            guard.values[~guard.written] = 0
            return False
        if space is None:
            return True
        low, high = _bounds(space)
        values = guard.values.astype(np.float64)
        outside = np.argwhere(~((values >= low) & (values <= high))).tolist()
        part = "OBSERVATION" if text is None else "TOKENS"
        of = _space_name(guard) if text is None else f"TOKENS{text.of_which()}"
        if outside:
            writers = self.trace(guard.name)
        for index in map(tuple, outside):
            bounds = [np.broadcast_to(end, values.shape)[index] for end in (low, high)]
            self.watch.findings.add(
                "outside",
                f"observe writes {guard.values[index]} into {guard.label(index)}; "
                f"{of} goes from {bounds[0]} to {bounds[1]}.",
                f"Correct the value, or the bounds of {part}.",
                writers(index) or self.trial.return_places.get("observe"),
            )
        return not outside

    def tell(self, text: Text, guard: Guard) -> None:
        """Note what is wrong with the string that the author's `text` makes of tokens."""
        tokens = guard.values.tolist()
        key = guard.values.tobytes()
        if key in text.kept:
            return
        place = place_of(text.decode)
        hint = "text(tokens) returns a str, a member of the space in OBSERVATION, for all tokens."
        try:
            string = text.string(tokens)
        except (RuntimeError, TypeError) as error:
            cause = error.__cause__
            place = (cause and self.watch.place_of(cause)) or place
            self.watch.findings.add("string", _sentence(error), hint, place)
            return
        text.kept[key] = string
        if not text.space.contains(string):
            self.watch.findings.add(
                "string",
                f"text returns {string!r} for the tokens {tuple(tokens)}, which is not in "
                f"{text.space}{_missing(text.space, string)}.",
                "Correct text, or the space in OBSERVATION.",
                place,
            )
        if text.encode is None:
            return
        try:
            undone = text.tokens_of(string)
        except RuntimeError as error:
            cause = error.__cause__
            place = (cause and self.watch.place_of(cause)) or place_of(text.encode)
            self.watch.findings.add("string", _sentence(error), UNDOES, place)
            return
        if undone != tuple(tokens):
            self.watch.findings.add(
                "string",
                f"tokenize returns {undone} for {string!r}, which text made of {tuple(tokens)}.",
                UNDOES,
                place_of(text.encode),
            )

    def trace(self, name: str) -> Callable[[tuple[int, ...]], Place]:
        """Observe again, to learn which line writes each element of an output."""
        leaves: list[tuple[Guard, Any]] = []
        out = self.output(self.trial.observation_space, "out", leaves)
        self.watch.tracing = True
        try:
            self.call("observe", self.trial.p, out)
        finally:
            self.watch.tracing = False
        guard = next(leaf for leaf, _ in leaves if leaf.name == name)
        return lambda index: guard.writers.get(guard.address(index))


def _bounds(space: Any) -> tuple[Any, Any]:
    if isinstance(space, Box):
        return space.low.astype(np.float64), space.high.astype(np.float64)
    if isinstance(space, Discrete):
        return float(space.start), float(space.start + space.n - 1)
    if isinstance(space, MultiDiscrete):
        return space.start.astype(np.float64), (space.start + space.nvec - 1).astype(np.float64)
    return 0.0, 1.0


def _space_name(guard: Guard) -> str:
    return "OBSERVATION" if guard.name == "out" else f"OBSERVATION{guard.name[3:]}"


def _missing(space: Space[Any], string: str) -> str:
    """Return why a string is not in a space, where that can be said."""
    if not isinstance(space, gymnasium.spaces.Text):
        return ""
    strange = sorted(set(string) - space.character_set)
    if strange:
        return f": its charset lacks {', '.join(map(repr, strange))}"
    return f": it has {len(string)} characters"


def _equal(one: dict[str, Array], other: dict[str, Array]) -> bool:
    return all(same(one[name], other[name]) for name in one)


def _named(value: Any) -> str:
    if isinstance(value, Guard):
        return f"{value.name}, an array"
    return f"{value!r} ({type(value).__name__})" if value is not None else "None"


def _sentence(error: BaseException) -> str:
    text = str(error).strip() or "no message"
    return text if text.endswith(".") else f"{text}."


def _advice(error: BaseException) -> str:
    """Return what to do about an exception that plain Python raises."""
    if isinstance(error, OverflowError) and "out of bounds" in str(error):
        return "NumPy computes in the narrow dtype of the other number: write int(…) around that."
    if isinstance(error, (ZeroDivisionError, OverflowError, ValueError)):
        return "Compiled code does not raise there: it goes on with infinity or NaN."
    if isinstance(error, IndexError):
        if "invalid index to scalar" in str(error):
            return "A Discrete action and a scalar column's element are numbers: leave [0] out."
        return "Compiled code reads other memory there, or stops and cannot name the line."
    if isinstance(error, TypeError) and "not subscriptable" in str(error):
        return "A Discrete action and a parameter are numbers: leave the index out."
    return ""
