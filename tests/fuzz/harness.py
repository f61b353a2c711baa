"""Runs a definition in many ways that must do the same, and tells the first difference.

First *together*: a batch of the reference backend and batches of the native one, in step through
resets, masks, options, snapshots, copies and parts. Then *apart*: a thousand rows at once beside
slices of them, as no row may depend on the others, on threads or on tiles. All arrays, those of
callers too, lie between canaries.
"""

from __future__ import annotations

import copy
import importlib.util
import itertools
import pickle
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import canaries
import numpy as np
from gymnasium import spaces

from batchsim.batch.infos import final_arrays
from batchsim.batch.vector import BatchEnv
from batchsim.compiler import compile
from batchsim.compiler.safety import may_step_finished_rows

from .generator import Source

SIZES = [1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 33, 40, 64, 65, 133]
MANY = 1000
STEPS = 24
MODES = ["NextStep", "SameStep", "Disabled"]
CLOCK = ("episode.t", "episode.started")
"""What no two batches have in common: the time of day."""


class Difference(AssertionError):  # noqa: N818 - it is what was looked for
    """Two ways that must do the same do not."""


@dataclass
class Case:
    """A definition and what batches of it are made with."""

    module: Any
    settings: dict[str, Any]
    """Arguments of `BatchEnv` that decide the kernel; arrays have a value for each of MANY rows."""
    options: dict[str, Callable[..., Any]]
    checked: bool
    guarded: canaries.Canaries

    @property
    def seeds_below(self) -> int:
        """Below what seeds are drawn: RandomState takes none of more than 32 bits."""
        kind = getattr(self.module, "RANDOM", None)
        return 2**31 if kind == "numpy.random.RandomState" else 2**50

    def make(self, rows: slice, **arguments: Any) -> BatchEnv:
        """Return a batch of these rows."""
        settings = {
            name: value[rows] if isinstance(value, np.ndarray) else value
            for name, value in self.settings.items()
        }
        return BatchEnv(self.module, rows.stop - rows.start, **{**settings, **arguments})


def load(source: str, name: str, folder: Path) -> Any:
    """Import source text as a module with a file, from which `inspect` can read it."""
    file = folder / f"{name}.py"
    file.write_text(source)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def unload(name: str) -> None:
    """Forget a module and its kernels."""
    sys.modules.pop(name, None)
    compile._loaded.clear()


# --- Choices --------------------------------------------------------------------------------------


def choose(
    module: Any,
    source: Source,
    rng: np.random.Generator,
    checked: bool,
    guarded: canaries.Canaries,
) -> Case:
    """Choose what batches of a definition are made with."""
    settings: dict[str, Any] = {
        "autoreset_mode": str(rng.choice(MODES)),
        "precision": "fast" if rng.random() < 0.12 else "exact",
        "max_episode_steps": int(rng.choice([-1, 1, 2, 5, 7, 11, 13, 40000])),
        "record_episode_statistics": bool(rng.random() < 0.3),
        "frame_stack": int(rng.choice([1, 2, 4])) if rng.random() < 0.25 else 1,
    }
    for name, (_, draw) in source.parameters.items():
        way = rng.random()
        if way < 0.3:
            value = draw(rng, None)
            settings[name] = tuple(value.tolist()) if np.ndim(value) else np.asarray(value).item()
        elif way < 0.7:
            settings[name] = np.asarray(draw(rng, MANY))
    for name, choose_argument in source.arguments.items():
        if rng.random() < 0.5:
            settings[name] = choose_argument(rng)
    return Case(module, settings, source.options, checked, guarded)


def sample(space: Any, rng: np.random.Generator, n: int) -> np.ndarray[Any, Any]:
    """Return actions of n rows, often at the ends of the space."""
    if isinstance(space, spaces.Discrete):
        return rng.integers(space.start, space.start + space.n, n)
    if isinstance(space, spaces.MultiDiscrete):
        return (space.start + rng.integers(0, space.nvec, (n, *space.shape))).astype(space.dtype)
    if isinstance(space, spaces.MultiBinary):
        return rng.integers(0, 2, (n, *space.shape)).astype(space.dtype)
    shape = (n, *space.shape)
    if space.dtype.kind in "iu":
        actions = rng.integers(space.low, space.high, shape, dtype=np.int64, endpoint=True)
    else:
        actions = rng.uniform(space.low, space.high, shape)
    edge = rng.random(shape)
    actions = np.where(edge < 0.1, space.low, np.where(edge > 0.9, space.high, actions))
    return np.ascontiguousarray(actions.astype(space.dtype))


def widened(actions: np.ndarray[Any, Any], rng: np.random.Generator) -> Any:
    """Return other actions than these: float64 that is not rounded, or a list."""
    wide = actions * rng.uniform(0.5, 1.0, actions.shape)
    return wide if rng.random() < 0.5 else wide.tolist()


def options_of(case: Case, rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Return reset options, each for all rows or one a row."""
    chosen = {}
    for name, draw in case.options.items():
        if rng.random() < 0.6:
            by_row = rng.random() < 0.6
            chosen[name] = draw(rng, n) if by_row else np.asarray(draw(rng, None)).tolist()
    return chosen


# --- Comparing ------------------------------------------------------------------------------------


def leaves(nested: Any, path: str = "") -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Return the arrays of nested results with their paths."""
    if isinstance(nested, Mapping):
        for key in nested:
            part = final_arrays(nested) if key == "final_obs" else nested[key]
            yield from leaves(part, f"{path}.{key}" if path else str(key))
    elif isinstance(nested, (tuple, list)):
        for k, part in enumerate(nested):
            yield from leaves(part, f"{path}[{k}]")
    else:
        yield path, nested


NAMES = ("observation", "reward", "terminated", "truncated", "info")


def flat(result: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return everything that a step or a reset returned, but for times, by path."""
    if len(result) == 2:
        result = {"observation": result[0], "info": result[1]}
    else:
        result = dict(zip(NAMES, result, strict=True))
    return {path: array for path, array in leaves(result) if not path.endswith(CLOCK)}


def compare(
    expected: Mapping[str, np.ndarray[Any, Any]],
    found: Mapping[str, np.ndarray[Any, Any]],
    where: str,
) -> None:
    """Raise Difference with the first field and row that are not the same bit for bit."""
    if expected.keys() != found.keys():
        raise Difference(f"{where}: the fields {sorted(found)}, not {sorted(expected)}")
    for name, one in expected.items():
        other = found[name]
        if one.dtype != other.dtype or one.shape != other.shape:
            raise Difference(
                f"{where}: {name} has {other.dtype} {other.shape}, not {one.dtype} {one.shape}"
            )
        if same(one, other):
            continue
        rows = [k for k in range(len(one)) if not same(one[k : k + 1], other[k : k + 1])]
        row = rows[0]
        raise Difference(
            f"{where}: {name}: {len(rows)} of {len(one)} rows differ, first row {row}: "
            f"{other[row].tolist()!r}, not {one[row].tolist()!r}"
        )


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Tell whether two arrays of a dtype and shape hold the same bits."""
    if one.dtype == object:
        return bool((one == other).all())
    return one.tobytes() == other.tobytes()


def snapshot(env: BatchEnv, rows: Any = None) -> dict[str, np.ndarray[Any, Any]]:
    """Return a snapshot without times."""
    return {name: a for name, a in env.get_state(rows).items() if not name.endswith(CLOCK)}


def streams(env: BatchEnv) -> list[Any]:
    """Return where the random streams stand, as Gymnasium tells it."""
    return [_point(generator) for generator in env.np_random]


def _point(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return generator.getstate()
    if isinstance(generator, np.random.RandomState):
        _, key, *rest = generator.get_state()
        return key.tolist(), rest
    return generator.bit_generator.state


# --- Together -------------------------------------------------------------------------------------


class Subject:
    """A batch that does what the first one does, in its own way of stepping."""

    def __init__(
        self,
        name: str,
        env: BatchEnv,
        sends: bool,
        rng: np.random.Generator,
        guarded: canaries.Canaries,
    ) -> None:
        self.name = name
        self.env = env
        self.sends = sends
        self.rng = rng
        self.guarded = guarded
        self.held: list[tuple[np.ndarray[Any, Any], bytes]] = []

    def step(self, actions: Any) -> dict[str, np.ndarray[Any, Any]]:
        """Step, sometimes into the caller's own arrays."""
        given = copy.copy(actions)
        out = self.outputs() if self.rng.random() < 0.4 else None
        if self.sends:
            self.env.send(given, out=out)
            result = self.env.recv()
        else:
            result = self.env.step(given, out=out)
        if np.asarray(given).tobytes() != np.asarray(actions).tobytes():
            raise Difference(f"{self.name}: the step has written into the actions")
        found = flat(result)
        self.keep(found)
        return found

    def outputs(self) -> tuple[Any, ...]:
        """Return arrays to be passed as `out`, None in some places."""
        n = self.env.num_envs
        layout, number = self.env._layout, self.env._tile.reward.dtype
        zeros = self.guarded.zeros
        arrays = [zeros(*both) for both in zip(layout.shapes(n), layout.dtypes(), strict=True)]
        flags = [zeros((n,), bool) for _ in range(2)]
        for flag in flags:
            flag[:] = True
        found = [layout.outer(arrays), zeros((n,), number), *flags]
        return tuple(part if self.rng.random() < 0.7 else None for part in found)

    def keep(self, result: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Remember what was returned, as nobody may change it later."""
        if len(self.held) < 40:
            self.held += [(array, array.tobytes()) for array in result.values()]

    def finish(self) -> None:
        """Raise Difference if what was returned has changed; close."""
        for array, content in self.held:
            if array.tobytes() != content:
                raise Difference(f"{self.name}: an array that was returned has changed since")
        self.env.close()


class Together:
    """Batches of the same rows, stepped side by side.

    Args:
        case: what to make.
        rng: decides what happens.
        n: how many rows.
    """

    def __init__(self, case: Case, rng: np.random.Generator, n: int) -> None:
        self.case = case
        self.rng = rng
        self.n = n
        self.disabled = case.settings["autoreset_mode"] == "Disabled"
        threads = int(rng.integers(2, 5))
        self.subjects = [self.subject("native", num_threads=1)]
        # In fast precision a draw and all that comes of it is wider in one backend than in the
        # other.
        if case.settings["precision"] == "exact":
            self.subjects.insert(0, self.subject("reference", backend="reference"))
        sent = f"native, sent to {threads} threads"
        self.subjects.append(self.subject(sent, sends=True, num_threads=threads))
        if case.checked:
            self.subjects.append(self.subject("checked", checked=True))
        self.over = np.zeros(n, bool)
        # A kernel more to compile.
        self.typed = rng.random() < 0.3
        self.turn = 0
        self.episodes = 0

    def subject(self, name: str, sends: bool = False, **arguments: Any) -> Subject:
        """Return a batch of the rows."""
        env = self.case.make(slice(0, self.n), **arguments)
        return Subject(name, env, sends, self.rng, self.case.guarded)

    def everywhere(self, what: str, call: Callable[[Subject], Any]) -> Any:
        """Do something in each batch, and compare what it returns."""
        expected = call(self.subjects[0])
        for subject in self.subjects[1:]:
            found = call(subject)
            names = f"{subject.name} against {self.subjects[0].name}"
            compare(expected, found, f"{what} {self.turn}, {names}")
        return expected

    def reset(self, mask: np.ndarray[Any, Any] | None, seed: Any) -> None:
        """Reset all rows, or some."""
        options = options_of(self.case, self.rng, self.n)
        if mask is not None:
            options["reset_mask"] = mask
        self.everywhere(
            "reset", lambda subject: flat(subject.env.reset(seed=seed, options=dict(options)))
        )
        self.over = np.zeros(self.n, bool) if mask is None else self.over & ~mask

    def step(self) -> None:
        """Step all rows; with DISABLED reset those whose episode is over."""
        if self.disabled and self.over.any():
            self.reset(self.over.copy(), None)
        actions = self.sample()
        result = self.everywhere("step", lambda subject: subject.step(actions))
        self.over = result["terminated"] | result["truncated"]
        self.episodes += int(self.over.sum())

    def sample(self) -> Any:
        """Return actions, in some runs of other types than the space's."""
        space = self.subjects[0].env.single_action_space
        actions = sample(space, self.rng, self.n)
        if not self.typed or space.dtype != np.float32 or self.rng.random() < 0.5:
            return actions
        return widened(actions, self.rng)

    def branch(self) -> None:
        """Make rows go on from others."""
        rows = [int(self.rng.choice(self.alike(row))) for row in range(self.n)]
        self.everywhere("snapshot", lambda subject: snapshot(subject.env, rows))
        state = self.subjects[int(self.rng.integers(len(self.subjects)))].env.get_state(rows)
        self.everywhere(
            "set_state", lambda subject: dict(leaves(subject.env.set_state(state), "observation"))
        )
        self.over = state["pending"].copy()

    def alike(self, row: int) -> np.ndarray[Any, Any]:
        """Return the rows whose snapshots a row takes: those with its whole numbers and flags."""
        found = np.ones(self.n, bool)
        for value in self.case.settings.values():
            if isinstance(value, np.ndarray) and value.dtype.kind in "iub":
                found &= value[: self.n] == value[row]
        return np.flatnonzero(found)

    def copied(self) -> None:
        """Put a copy in a native batch's place."""
        subject = self.subjects[int(self.rng.integers(1, len(self.subjects)))]
        way = self.rng.choice(["pickle", "copy", "deepcopy"])
        old = subject.env
        if way == "pickle":
            subject.env = pickle.loads(pickle.dumps(old))
        else:
            subject.env = getattr(copy, way)(old)
        old.close()

    def parts(self) -> None:
        """Step the parts of a native batch while the others step as a whole."""
        if self.disabled or self.n < 2:
            return
        subject = self.subjects[-1] if not self.case.checked else self.subjects[-2]
        parts = subject.env.split(int(self.rng.integers(2, min(self.n, 4) + 1)))
        for _ in range(4):
            actions = sample(subject.env.single_action_space, self.rng, self.n)
            expected = self.everywhere_but(subject, actions)
            ends = np.cumsum([part.num_envs for part in parts])
            for part, some in zip(parts, np.split(actions, ends[:-1]), strict=True):
                part.send(some)
            found = [flat((*part.recv()[:4], {})) for part in parts]
            joined = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
            compare({name: expected[name] for name in joined}, joined, f"step {self.turn} of parts")
            self.turn += 1
        for part in parts:
            part.close()
        state = snapshot(self.subjects[0].env)
        compare(state, snapshot(subject.env), "snapshot after parts")

    def everywhere_but(self, other: Subject, actions: np.ndarray[Any, Any]) -> Any:
        others = [subject for subject in self.subjects if subject is not other]
        results = [subject.step(actions) for subject in others]
        for subject, result in zip(others[1:], results[1:], strict=True):
            compare(results[0], result, f"step {self.turn}, {subject.name}")
        return results[0]

    def run(self, steps: int) -> None:
        """Do all of it, in a random order."""
        self.reset(None, int(self.rng.integers(0, self.case.seeds_below)))
        for self.turn in range(steps):
            way = self.rng.random()
            if way < 0.06:
                mask = self.rng.random(self.n) < 0.4
                mask[int(self.rng.integers(self.n))] = True
                if self.disabled:
                    mask |= self.over
                seeds = [None, int(self.rng.integers(self.case.seeds_below)), self.some_seeds()]
                self.reset(mask, seeds[int(self.rng.integers(3))])
            elif way < 0.08:
                self.reset(None, self.some_seeds())
            elif way < 0.13:
                self.branch()
            elif way < 0.16:
                self.copied()
            self.step()
            self.case.guarded.check()
        self.parts()
        self.everywhere("snapshot", lambda subject: snapshot(subject.env))
        expected = streams(self.subjects[0].env), self.subjects[0].env.np_random_seed
        for subject in self.subjects:
            if (streams(subject.env), subject.env.np_random_seed) != expected:
                raise Difference(f"the random streams of {subject.name} stand elsewhere")
            subject.finish()

    def some_seeds(self) -> list[int | None]:
        return [
            int(self.rng.integers(self.case.seeds_below)) if self.rng.random() < 0.7 else None
            for _ in range(self.n)
        ]


# --- Apart ----------------------------------------------------------------------------------------


class Script:
    """What happens to MANY rows, so that any of them can live through it by themselves."""

    def __init__(self, case: Case, rng: np.random.Generator, space: Any) -> None:
        self.case = case
        self.disabled = case.settings["autoreset_mode"] == "Disabled"
        self.seeds = rng.integers(0, case.seeds_below, MANY).tolist()
        self.actions = [sample(space, rng, MANY) for _ in range(STEPS)]
        self.mask = rng.random(MANY) < 0.3
        self.masked_at = int(rng.integers(STEPS))
        self.options = {name: draw(rng, MANY) for name, draw in case.options.items()}

    def run(self, rows: slice, sends: bool, **arguments: Any) -> dict[str, np.ndarray[Any, Any]]:
        """Return what these rows live through, arrays (rows, steps, …)."""
        rng = np.random.default_rng(0)
        subject = Subject("", self.case.make(rows, **arguments), sends, rng, self.case.guarded)
        subject.env.reset(seed=self.seeds[rows])
        steps = []
        over = np.zeros(rows.stop - rows.start, bool)
        for turn, actions in enumerate(self.actions):
            mask = self.mask[rows].copy() if turn == self.masked_at else np.zeros_like(over)
            options = {name: values[rows] for name, values in self.options.items()}
            if self.disabled:
                mask |= over
            if mask.any():
                subject.env.reset(
                    options={**(options if turn == self.masked_at else {}), "reset_mask": mask}
                )
            result = subject.step(np.ascontiguousarray(actions[rows]))
            over = result["terminated"] | result["truncated"]
            steps.append(self.comparable(result, over))
        found = {name: np.stack([step[name] for step in steps], 1) for name in steps[0]}
        found.update(snapshot(subject.env))
        subject.finish()
        return found

    def comparable(self, result: dict[str, Any], over: np.ndarray[Any, Any]) -> dict[str, Any]:
        """Return what does not depend on other rows: infos are there when any row has them."""
        kept = {name: array for name, array in result.items() if not name.startswith("info.")}
        # An info has the dtype of the first row's.
        cut = getattr(self.case.module, "INFO_AT_RESET", {})
        for name, array in result.items():
            if not name.startswith("info."):
                continue
            if name.startswith(("info.final", "info._final", "info.episode", "info._episode")):
                continue
            if name.removeprefix("info.") not in cut:
                kept[name] = array
        final = [name for name in result if name.startswith(("info.final_obs", "info.episode."))]
        self.finals = getattr(self, "finals", set()) | set(final)
        kept["final"] = np.zeros((len(over), 8), np.uint8)
        for name in final:
            for row in np.flatnonzero(over):
                digest = np.frombuffer(result[name][row].tobytes(), np.uint8).astype(np.uint64)
                weights = np.arange(1, len(digest) + 1, dtype=np.uint64) * np.uint64(2654435761)
                kept["final"][row] ^= np.frombuffer((digest * weights).sum().tobytes(), np.uint8)
        return kept


def apart(case: Case, rng: np.random.Generator, space: Any) -> None:
    """Compare many rows at once with slices of them."""
    script = Script(case, rng, space)
    whole = script.run(slice(0, MANY), False, num_threads=1)
    threads = int(rng.integers(2, 5))
    sent = script.run(slice(0, MANY), True, num_threads=threads)
    compare(whole, sent, f"{MANY} rows sent to {threads} threads")
    for k in range(4):
        size = int(rng.choice(SIZES)) if k else 24
        first = int(rng.integers(MANY - size))
        rows = slice(first, first + size)
        expected = {name: array[rows] for name, array in whole.items()}
        if k == 0:
            if case.settings["precision"] == "fast":
                continue
            found = script.run(rows, False, backend="reference")
            compare(found, expected, f"rows {first} to {rows.stop} of {MANY} against the reference")
        else:
            found = script.run(rows, k == 3, num_threads=int(rng.integers(1, 4)))
            compare(
                expected, found, f"rows {first} to {rows.stop} by themselves, steps along axis 1"
            )


# --- All of it ------------------------------------------------------------------------------------


def check(
    text: str, source: Source, seed: int, number: int, folder: Path, checked: bool
) -> dict[str, Any]:
    """Compare all ways of running a definition; return facts about it.

    Raises:
        Difference: with the first one, or with what was written beside an array.
    """
    name = f"fuzz_{seed}_{number}_{next(_modules)}"
    rng = np.random.default_rng([seed, number, 1])
    module = load(text, name, folder)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), canaries.guard() as guarded:
            warnings.simplefilter("ignore")
            case = choose(module, source, rng, checked, guarded)
            weights = [3.0 if 8 <= size <= 40 else 1.0 for size in SIZES]
            start = time.process_time()
            native = case.make(slice(0, MANY), num_threads=1)
            native.close()
            facts = {
                "style": source.style,
                "mode": case.settings["autoreset_mode"],
                "precision": case.settings["precision"],
                "compile": time.process_time() - start,
                "harmless": may_step_finished_rows(native.definition, {}),
                "episodes": 0,
            }
            # Nearly all of the time goes into compiling: once that is done, much can be run.
            for n in rng.choice(SIZES, 2, p=np.array(weights) / sum(weights)).tolist():
                together = Together(case, rng, n)
                together.run(STEPS)
                facts["episodes"] += together.episodes
            apart(case, rng, native.single_action_space)
        return facts
    except AssertionError as difference:
        settings = {
            k: "array" if isinstance(v, np.ndarray) else v for k, v in case.settings.items()
        }
        raise Difference(f"{difference}\nsettings: {settings}") from None
    finally:
        unload(name)


_modules = itertools.count()
