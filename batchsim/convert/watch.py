"""The second stage: runs episodes of the original and notes what each expression evaluates to."""

from __future__ import annotations

import ast
import contextlib
import copy
import enum
import inspect
import io
import sys
import time
import types
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding

from batchsim.convert import kinds
from batchsim.convert.coverage import RAN, Coverage
from batchsim.convert.kinds import UNKNOWN, Kind, Number, Text, kind_of
from batchsim.convert.program import SEE, Marker, Program
from batchsim.convert.refusal import ConversionError, Refusal, raised
from batchsim.convert.streams import Draw, Draws, Lender, Maker, SpaceDraw

__all__ = ["Actions", "Adapter", "Sightings", "watch"]

SIMPLE = {int, float, bool, np.float64, np.float32, np.int64, np.bool_, type(None)}
DEEP_LOOKS = 64  # evaluations of a container that are looked into; then only longer ones
SECONDS = 12.0
COSTLY = 0.05  # seconds after which a large container is looked into but rarely
RARELY = 256  # looks at a large container of which one is taken
EPISODE = 400  # steps after which an episode is given up


@dataclass
class Sightings:
    """What was seen of a class.

    Attributes:
        kinds: of each expression's values, by its number; those that never ran are missing.
        things: functions, classes, modules and the like that an expression evaluated to.
        attributes: the kinds of the environment's attributes, after resets and steps.
        initial: its attributes when it had been made.
        made: their kinds.
        changed: names of those that have changed since.
        own: classes of the author's modules.
        env: the environment itself.
        lender: what lent it its stream.
        shared: attributes that were the same object as another, and which.
        mixed: attributes that were of float32 in some steps and of float64 in others.
        swapped: numbers of expressions that draw elsewhere than from the environment's stream.
        old_api: whether `step` returns four values.
        episodes, steps: how much was run.
        ends: how many episodes ended, by flag.
        returns_of_reset: whether `reset` returns a pair.
        infos: the kinds of what infos hold, by key.
        always: the keys that the infos of all steps have.
        types: of attributes that hold numbers.
        inexact: attributes that held one of Python's numbers that is none of float32.
    """

    kinds: dict[int, Kind] = field(default_factory=dict)
    things: dict[int, Any] = field(default_factory=dict)
    attributes: dict[str, Kind] = field(default_factory=dict)
    initial: dict[str, Any] = field(default_factory=dict)
    made: dict[str, Kind] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    own: dict[type, Any] = field(default_factory=dict)
    swapped: set[int] = field(default_factory=set)
    shared: dict[str, str] = field(default_factory=dict)
    mixed: set[str] = field(default_factory=set)
    env: Any = None
    lender: Lender = field(default_factory=Lender)
    old_api: bool = False
    episodes: int = 0
    steps: int = 0
    ends: dict[str, int] = field(default_factory=lambda: {"terminated": 0, "truncated": 0})
    infos: dict[str, Kind] = field(default_factory=dict)
    infos_of_reset: dict[str, Kind] = field(default_factory=dict)
    always: set[str] | None = None
    types: dict[str, set[type]] = field(default_factory=dict)
    inexact: set[str] = field(default_factory=set)
    reward: Kind = UNKNOWN
    observation: Kind = UNKNOWN


class Adapter(gymnasium.Env[Any, Any]):
    """An original with today's interface, whose draws all come from the stream of its seed.

    Args:
        env: the original, of modules whose draws are the lender's.
        lender: the lender.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], lender: Lender) -> None:
        self.env = env
        self.lender = lender
        self.observation_space = env.observation_space
        self.action_space = env.action_space
        self.metadata = getattr(env, "metadata", None) or {}
        self.render_mode = None
        self.old_api = False
        self.info: dict[str, Any] = {}  # the last one that was returned

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        if seed is not None or getattr(self.env, "_np_random", None) is None:
            self.env._np_random, self.env._np_random_seed = seeding.np_random(seed)
        self.lender.env = self.env
        returned: Any
        try:
            returned = self.env.reset(seed=seed) if takes_seed(self.env) else self.env.reset()
        finally:
            self.np_random = self.env._np_random  # type: ignore[assignment]
        self.info = {}
        if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], dict):
            returned, self.info = returned
        return as_space(returned, self.observation_space), self.info

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step; see `gymnasium.Env.step`."""
        self.lender.env = self.env
        returned: Any = self.env.step(action)
        self.old_api = len(returned) == 4
        self.info = returned[-1]
        if self.old_api:
            observation, reward, terminated, info = returned
            truncated: Any = False
        else:
            observation, reward, terminated, truncated, info = returned
        return as_space(observation, self.observation_space), reward, terminated, truncated, info

    def close(self) -> None:
        """Close the original."""
        with contextlib.suppress(Exception):
            self.env.close()


def as_space(observation: Any, space: gymnasium.Space[Any]) -> Any:
    """Return an observation in its space's dtype, where a batch could not be made otherwise."""
    if not isinstance(observation, np.ndarray) or space.dtype is None:
        return observation
    if np.can_cast(observation.dtype, space.dtype, "same_kind"):
        return observation
    return observation.astype(space.dtype)


def takes_seed(env: Any) -> bool:
    """Return whether `reset` of an original takes a seed."""
    parameters = inspect.signature(env.reset).parameters
    return "seed" in parameters or any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()
    )


class Actions:
    """Actions; of every second seed they go on for a while, so that episodes come further.

    Args:
        space: the action space.
        seed: of the actions.
    """

    def __init__(self, space: gymnasium.Space[Any], seed: int) -> None:
        self.space = space
        self.space.seed(seed)
        self.random = np.random.default_rng(seed)
        self.turns = [1] if seed % 2 else [1, 1, 1, 2, 4, 12]
        self.left = 0
        self.action: Any = None

    def next(self) -> Any:
        """Return the next action."""
        if self.left == 0:
            self.action = self.space.sample()
            self.left = int(self.random.choice(self.turns))
        self.left -= 1
        return copy.copy(self.action)


class Watcher:
    """Notes what expressions evaluate to."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.seen = Sightings()
        self.types: dict[int, set[Any]] = {}
        self.looks: dict[int | str, int] = {}
        self.lengths: dict[int, int] = {}
        self.costs: dict[int | str, float] = {}  # seconds spent on looking

    def see(self, k: int, value: Any) -> Any:
        """Note a value, and return it or what stands in its place."""
        kind = type(value)
        known = self.types.setdefault(k, set())
        if kind in SIMPLE:
            if kind not in known:
                known.add(kind)
                self._join(k, kind_of(value))
            return value
        swapped = self.seen.lender.swap(value)
        if swapped is not value:
            self.seen.swapped.add(k)
            value = swapped
        if kind is np.ndarray:
            if (value.dtype, value.shape) not in known:
                known.add((value.dtype, value.shape))
                self._join(k, kind_of(value))
            return value
        if isinstance(
            value,
            types.FunctionType
            | types.MethodType
            | types.BuiltinFunctionType
            | types.ModuleType
            | type
            | np.ufunc
            | Draw
            | Draws
            | Maker
            | SpaceDraw,
        ) or (callable(value) and kind not in self.seen.own):
            self.seen.things.setdefault(k, value)
        looks = self.looks.get(k, 0)
        length = len(value) if isinstance(value, deque | list | tuple | set | dict) else 0
        self.looks[k] = looks + 1
        cheap = self.costs.get(k, 0.0) < COSTLY
        often = looks < DEEP_LOOKS or looks & (looks - 1) == 0
        if length > self.lengths.get(k, 0) or (cheap and often) or looks == 0:
            self.lengths[k] = max(length, self.lengths.get(k, 0))
            begun = time.perf_counter()
            self._join(k, kind_of(value, self.seen.own))
            self.costs[k] = self.costs.get(k, 0.0) + time.perf_counter() - begun
        return value

    def _join(self, k: int, kind: Kind) -> None:
        self.seen.kinds[k] = kinds.join(self.seen.kinds.get(k, UNKNOWN), kind)

    def attributes(self, env: Any, compare: bool) -> None:
        """Note the environment's attributes."""
        seen = self.seen
        held: dict[int, str] = {}
        for name, value in vars(env).items():
            if isinstance(value, np.ndarray | list | dict | set | deque):
                other = held.setdefault(id(value), name)
                if other != name:
                    seen.shared[name] = other
            self.looks[name] = self.looks.get(name, 0) + 1
            if self.costs.get(name, 0.0) > COSTLY and self.looks[name] % RARELY:
                continue
            begun = time.perf_counter()
            before = seen.attributes.get(name, UNKNOWN)
            if isinstance(before, Number | Text) and type(value) in SIMPLE:
                kind = kind_of(value)
            else:
                kind = kind_of(value, seen.own)
            if type(value) in (int, float, np.float32):
                seen.types.setdefault(name, set()).add(type(value))
                if type(value) is not np.float32 and float(np.float32(value)) != value:
                    seen.inexact.add(name)
            if kind != before:
                if _of_two_widths(kind, before):
                    seen.mixed.add(name)
                seen.attributes[name] = kinds.join(before, kind)
            if compare and name not in seen.changed and not self._is_as_made(name, value):
                seen.changed.add(name)
            if isinstance(value, dict | list) and name not in seen.changed:
                # What never changes is looked at rarely once it has cost much.
                self.costs[name] = self.costs.get(name, 0.0) + time.perf_counter() - begun

    def _is_as_made(self, name: str, value: Any) -> bool:
        return name in self.seen.initial and same(self.seen.initial[name], value, self.seen.own)


def _of_two_widths(kind: Kind, before: Kind) -> bool:
    """Return whether one is NumPy's float32 and the other its float64."""
    widths = {
        part.dtype
        for part in (kind, before)
        if isinstance(part, Number | kinds.Array) and not getattr(part, "python", False)
    }
    return widths == {np.dtype(np.float32), np.dtype(np.float64)}


def same(a: Any, b: Any, own: Mapping[type, Any], depth: int = 0) -> bool:
    """Return whether two values are alike, containers element by element."""
    if a is b:
        return True
    if type(a) is not type(b) or depth > kinds.DEEPEST:
        return False
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if hasattr(a, "equals") and hasattr(a, "to_numpy"):
        return bool(a.equals(b))
    if isinstance(a, list | tuple | deque):
        return len(a) == len(b) and all(
            same(x, y, own, depth + 1) for x, y in zip(a, b, strict=True)
        )
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key], own, depth + 1) for key in a)
    if type(a) in own:
        return same(kinds.attributes_of(a), kinds.attributes_of(b), own, depth + 1)
    try:
        return bool(a == b)
    except Exception:
        return False


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keep what the author's code prints and warns from the terminal."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def watch(
    program: Program,
    kwargs: Mapping[str, Any],
    steps: int = 3000,
    progress: Any = None,
    coverage: Coverage | None = None,
) -> Sightings:
    """Run episodes of a class and return what was seen.

    Args:
        program: the class.
        kwargs: arguments of its constructor.
        steps: how many steps at most.
        progress: called with the share that is done, if given.
        coverage: notes which lines run, if given.

    Raises:
        ConversionError: if the class cannot be made, reset or stepped.
    """
    watcher = Watcher(program)
    seen = watcher.seen
    coverage = coverage or Coverage()
    cls = program.imported(
        lambda tree: coverage.marked(Marker(SEE).visit(tree)),
        {SEE: watcher.see, RAN: coverage.ran.add},
    )
    seen.own.update(_own_classes(program))
    with silenced():
        env = _made(cls, kwargs, seen)
        adapter = Adapter(env, seen.lender)
        seen.env = env
        seen.initial = {name: _copied(value) for name, value in vars(env).items()}
        seen.made = {name: kind_of(value, seen.own) for name, value in vars(env).items()}
        begun = time.monotonic()
        number = 0
        while seen.steps < steps and time.monotonic() - begun < SECONDS:
            _episode(watcher, adapter, number, steps, begun)
            number += 1
            if progress is not None:
                progress(max(seen.steps / steps, (time.monotonic() - begun) / SECONDS))
        seen.episodes = number
    _complete(program, seen)
    for name, found in seen.types.items():
        # What begins with 0.0 and becomes a float32: Python's number makes nothing wider.
        narrow = np.float32 in found and name not in seen.inexact
        if narrow and isinstance(seen.attributes[name], Number):
            seen.attributes[name] = Number(np.dtype(np.float32), False)
    return seen


def _complete(program: Program, seen: Sightings) -> None:
    """Let what an object was not seen to hold be what others of its class hold.

    The list of a new object is empty; of which kind its elements are, older ones tell.
    """
    made = [kind for k, kind in seen.kinds.items() if isinstance(program.nodes[k], ast.Call)]
    whole: dict[type, Kind] = {}
    for kind in (*made, *seen.attributes.values()):
        for part in kinds.walk(kind):
            if isinstance(part, kinds.Object):
                whole[part.cls] = kinds.join(whole.get(part.cls, UNKNOWN), part)

    def completed(kind: Kind) -> Kind:
        if isinstance(kind, kinds.Object) and UNKNOWN in kinds.walk(kind):
            return kinds.join(kind, whole.get(kind.cls, UNKNOWN))
        return kind

    if whole:
        for found in (seen.kinds, seen.attributes, seen.made):
            for key, kind in found.items():
                found[key] = kinds.replaced(kind, completed)  # type: ignore[index]


def _own_classes(program: Program) -> dict[type, Any]:
    """Return the classes of the author's modules whose objects are taken apart."""
    found: dict[type, Any] = {}
    originals = [sys.modules[name] for name in program.names if name in sys.modules]
    for module in (*originals, *program.loaded.values()):
        for thing in list(vars(module).values()):
            if (
                isinstance(thing, type)
                and thing.__module__ in program.names
                and not issubclass(thing, gymnasium.Env | enum.Enum | tuple | BaseException)
            ):
                found[thing] = program.definition(thing)
    return found


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def _made(cls: Any, kwargs: Mapping[str, Any], seen: Sightings) -> Any:
    try:
        seen.lender.env = None
        env = cls(**kwargs)
    except Exception as error:
        raise _raised(
            error, "its constructor raises", f"{cls.__name__}(**{dict(kwargs)!r})"
        ) from error
    for name in ("observation_space", "action_space"):
        if not isinstance(getattr(env, name, None), gymnasium.Space):
            raise ConversionError(
                Refusal("", 0, "", f"no {name}", f"the environment's {name} is no Gymnasium space")
            )
    return env


def _raised(error: BaseException, construct: str, doing: str) -> ConversionError:
    reason = f"{doing} ends with {type(error).__name__}: {error}"
    return ConversionError(raised(error, construct, reason))


def _episode(watcher: Watcher, adapter: Adapter, number: int, steps: int, begun: float) -> None:
    seen = watcher.seen
    try:
        observation, info = adapter.reset(seed=number if number % 3 == 0 else None)
    except Exception as error:
        raise _raised(error, "the original raises", "reset()") from error
    seen.observation = kinds.join(seen.observation, kind_of(observation))
    if isinstance(info, dict):
        for key, value in info.items():
            seen.infos_of_reset[key] = kinds.join(
                seen.infos_of_reset.get(key, UNKNOWN), kind_of(value, seen.own)
            )
    watcher.attributes(adapter.env, compare=True)
    actions = Actions(adapter.action_space, number)
    for count in range(EPISODE):
        action = actions.next()
        try:
            returned = adapter.step(action)
        except Exception as error:
            raise _raised(
                error, "the original raises on a legal action", f"step({action!r})"
            ) from error
        observation, reward, terminated, truncated, info = returned
        seen.steps += 1
        seen.old_api = adapter.old_api
        seen.observation = kinds.join(seen.observation, kind_of(observation))
        seen.reward = kinds.join(seen.reward, kind_of(reward))
        if isinstance(info, dict):
            seen.always = set(info) if seen.always is None else seen.always & set(info)
            for key, value in info.items():
                if not isinstance(seen.infos.get(key), kinds.Other):
                    seen.infos[key] = kinds.join(
                        seen.infos.get(key, UNKNOWN), kind_of(value, seen.own)
                    )
        watcher.attributes(adapter.env, compare=count < 20 or count % 16 == 0)
        seen.ends["terminated"] += bool(terminated)
        seen.ends["truncated"] += bool(truncated)
        if terminated or truncated or seen.steps >= steps:
            return
        if time.monotonic() - begun > SECONDS:
            return
