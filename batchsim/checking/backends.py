"""Compares an environment's runs: compiled and plain, among other rows, and in fast precision."""

from __future__ import annotations

import itertools
import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from batchsim.batch.checks import NO_TIME_LIMIT
from batchsim.batch.processors import available_cpus
from batchsim.batch.vector import BatchEnv
from batchsim.checking.contract import place_of
from batchsim.checking.functions import Function, return_place
from batchsim.checking.guards import BEYOND_THE_END, DATA_END, Watch
from batchsim.checking.problems import Findings, Place
from batchsim.checking.trials import same, text_of
from batchsim.compiler.returns import HOW_TO_RETURN
from batchsim.definition import Definition

__all__ = ["Settings", "examine_backends", "explain_compile_error"]

Array = npt.NDArray[Any]

MANY_ROWS = 4096
"""Enough for several tiles and threads."""
FEW_STEPS = 50
REFERENCE_ROWS = 16
MOST_STEPS = 200_000
"""Of the run to the end of long data, which takes some seconds."""


@dataclass(frozen=True)
class Settings:
    """What the caller of `check` chose."""

    num_envs: int
    steps: int
    seed: int
    params: dict[str, Any]
    plain_steps: int
    """Steps of runs as plain Python, fewer than `steps` where observations are large."""
    long_steps: int
    """Steps of the run as plain Python whose episodes are not cut short."""
    reach: int
    """Steps in which an index that grows by one in each is beyond the end of the longest array."""
    progress: Callable[[str], None]
    """Is told what comes now."""


def examine_backends(
    definition: Definition,
    functions: list[Function],
    limit: int | None,
    settings: Settings,
    watch: Watch,
) -> list[str]:
    """Note where runs differ that should not; returns what was tried.

    Args:
        definition: the environment.
        functions: the author's functions.
        limit: the time limit in steps, or None.
        settings: what the caller chose, the parameters read.
        watch: what the runs as plain Python have shared.
    """
    findings = watch.findings
    comparison = _Comparison(definition, functions, limit, settings, findings)
    comparison.overflows = watch.overflows
    settings.progress("compiling")
    try:
        native = comparison.make(settings.num_envs)
    except Exception as error:
        message, hint, place = explain_compile_error(error, functions)
        findings.add("compile", message, hint, place or comparison.place)
        return []
    tried = []
    try:
        settings.progress("comparing compiled code with plain Python")
        tried.append(comparison.with_reference(native))
        settings.progress("comparing numbers of rows and threads")
        tried.append(comparison.with_other_rows())
        if definition.state_check is not None:
            settings.progress("trying check_state")
            tried.append(comparison.with_check_state(native))
        if not findings.has("check-state"):
            settings.progress("compiling and comparing fast precision")
            tried.append(comparison.with_fast(native))
        if settings.reach > settings.long_steps and settings.plain_steps == settings.steps:
            settings.progress("going to the end of the data, every index checked")
            tried.append(comparison.with_checked_indices(watch))
    finally:
        native.close()
    return tried


class _Comparison:
    def __init__(
        self,
        definition: Definition,
        functions: list[Function],
        limit: int | None,
        settings: Settings,
        findings: Findings,
    ) -> None:
        self.definition = definition
        self.functions = functions
        self.limit = limit
        self.settings = settings
        self.findings = findings
        self.place = return_place(functions, "step")
        self.overflows: list[Place] = []
        """Lines in which NumPy's arithmetic overflowed."""

    def make(self, num_envs: int, precision: str = "exact", **changed: Any) -> BatchEnv:
        """Return a BatchEnv whose first rows have the caller's parameters."""
        params = {
            # More rows than the caller's repeat their values.
            name: np.resize(value, (num_envs, *value.shape[1:]))
            if isinstance(value, np.ndarray) and name in self.definition.params
            else value
            for name, value in self.settings.params.items()
        }
        limit = self.limit or max(self.settings.steps // 3, 1)
        settings: dict[str, Any] = {"max_episode_steps": limit, "text_mode": "tokens"}
        settings |= {**changed, **params}
        return BatchEnv(self.definition, num_envs, precision=precision, **settings)

    def actions(self, env: BatchEnv, steps: int) -> list[Any]:
        """Return a batch of random actions a step."""
        env.action_space.seed(self.settings.seed)
        return [env.action_space.sample() for _ in range(steps)]

    def with_reference(self, native: BatchEnv) -> str:
        """Compare with plain Python, bit for bit."""
        n, steps = min(self.settings.num_envs, REFERENCE_ROWS), self.settings.plain_steps
        reference = self.make(n, backend="reference")
        try:
            with np.errstate(all="ignore"):
                difference = self.difference(native, reference, steps, n)
        finally:
            reference.close()
        if difference:
            self.findings.add(
                "backends",
                f"Compiled code and plain Python differ: {difference}.",
                "Whole numbers have 64 bits in compiled code, which goes on with any number where "
                "Python's are larger, or where Python raises: keep numbers within these bounds.",
                self.overflows[0] if self.overflows else self.place,
            )
        return f"{n} rows for {steps} steps compiled and as plain Python, compared"

    def difference(self, one: BatchEnv, other: BatchEnv, steps: int, rows: int) -> str:
        """Return where the first rows of two batches differ first, or the empty string."""
        seed = self.settings.seed
        starts = [_parts(*env.reset(seed=seed)) for env in (one, other)]
        found = _first_difference(starts[0], starts[1], rows)
        if found:
            return f"after the first reset, {found}"
        actions = self.actions(max(one, other, key=lambda env: env.num_envs), steps)
        for t, batch in enumerate(actions):
            seen = [self.step(env, batch, rows) for env in (one, other)]
            found = _first_difference(seen[0], seen[1], rows)
            if found:
                return f"in step {t}, {found}"
        return ""

    def step(self, env: BatchEnv, batch: Any, rows: int) -> dict[str, Array]:
        """Step a batch; returns what a caller sees of it, and the columns of the first rows."""
        observation, reward, terminated, truncated, infos = env.step(batch[: env.num_envs])
        seen = {"reward": reward, "terminated": terminated, "truncated": truncated}
        state = env.get_state(range(rows))
        columns = {
            name.replace("state.", "s."): column
            for name, column in state.items()
            if name.startswith("state.")
        }
        # The columns first: they come before all that is made of them.
        return columns | _parts(observation, infos) | seen

    def with_other_rows(self) -> str:
        """Compare with the same rows alone, and among many rows and several threads."""
        n = self.settings.num_envs
        threads = max(available_cpus(), 2)
        many = max(MANY_ROWS, 4 * n)
        steps = min(self.settings.steps, FEW_STEPS)
        for rows, num_threads in ((1, 1), (many, 1), (many, threads)):
            # Both new: a column that resets leave alone would go on from earlier steps.
            one, other = self.make(n), self.make(rows, num_threads=num_threads)
            try:
                difference = self.difference(one, other, steps, min(rows, n))
            finally:
                one.close()
                other.close()
            if difference:
                self.findings.add(
                    "row-number",
                    f"{n} rows and {rows} rows on {num_threads} threads differ: {difference}.",
                    "A row's episode may depend on its seed and actions alone.",
                    self.place,
                )
                break
        return f"the same rows for {steps} steps among 1, {n} and {many} on up to {threads} threads"

    def with_check_state(self, native: BatchEnv) -> str:
        """Look whether `check_state` takes the states that steps lead to."""
        steps = min(self.settings.steps, FEW_STEPS)
        native.reset(seed=self.settings.seed)
        for t, batch in enumerate(self.actions(native, steps)):
            found = self.refusal(native, native.get_state())
            if found:
                self.findings.add(
                    "check-state",
                    f"After {t} steps: {found}",
                    "check_state(s, p) reads columns of any number of rows, and raises ValueError "
                    "for values that the functions cannot go on from.",
                    place_of(self.definition.state_check),
                )
                break
            native.step(batch)
        return f"the states of {steps} steps, shown to check_state"

    def refusal(self, env: BatchEnv, state: dict[str, Array]) -> str:
        """Return why a batch does not go on from a snapshot, or the empty string."""
        try:
            env.set_state(state)
        except ValueError as error:
            return f"{str(error).rstrip('.')}."
        except Exception as error:
            return f"check_state raises {type(error).__name__}: {error}."
        return ""

    def with_fast(self, native: BatchEnv) -> str:
        """Compare single steps in fast precision with exact ones from the same states."""
        try:
            fast = self.make(self.settings.num_envs, precision="fast")
        except Exception as error:
            message, hint, place = explain_compile_error(error, self.functions)
            self.findings.add("precision", f"In fast precision: {message}", hint, place)
            return "fast precision, which does not compile"
        steps = min(self.settings.steps, FEW_STEPS)
        try:
            native.reset(seed=self.settings.seed)
            fast.reset(seed=self.settings.seed)
            dtypes = {name: column.dtype for name, column in fast.get_state().items()}
            spare = self.definition.fast_tolerance[1] * steps * native.num_envs
            for t, batch in enumerate(self.actions(native, steps)):
                state = native.get_state()
                rounded = {name: state[name].astype(dtypes[name]) for name in state}
                refusal = self.refusal(fast, rounded)
                if refusal:
                    self.findings.add(
                        "precision",
                        f"A state of exact precision, rounded for fast: {refusal}",
                        "Leave room for rounding in check_state.",
                        place_of(self.definition.state_check),
                    )
                    break
                spare -= self.count_far(native.step(batch), fast.step(batch), t, spare)
                if spare < 0:
                    break
        finally:
            fast.close()
        return f"{steps} steps in fast precision, compared with exact"

    def with_checked_indices(self, watch: Watch) -> str:
        """Go to where the longest array ends, which plain Python would take too long for."""
        rows = min(self.settings.num_envs, REFERENCE_ROWS)
        steps = min(self.settings.reach, MOST_STEPS)
        env = self.make(rows, checked=True, max_episode_steps=self.limit or NO_TIME_LIMIT)
        try:
            env.reset(seed=self.settings.seed)
            batches = itertools.cycle(self.actions(env, FEW_STEPS))
            for batch in itertools.islice(batches, steps):
                env.step(batch)
        except RuntimeError as error:
            cause = error.__cause__
            found = isinstance(cause, IndexError)
            self.findings.add(
                "out-of-bounds" if found else "raises",
                f"{self.definition.name} goes beyond the end of an array: {cause}."
                if found
                else str(error),
                f"{BEYOND_THE_END}{DATA_END}" if found else "",
                self.place if cause is None else watch.place_of(cause) or self.place,
            )
        finally:
            env.close()
        return f"{rows} rows for {steps} steps with every index checked, not cut short"

    def count_far(self, exact: Any, fast: Any, t: int, spare: float) -> int:
        """Return how many rows are too far from exact; note the first value, if that are too many.

        Args:
            exact, fast: what a step returned.
            t: its number.
            spare: how many rows may be too far.
        """
        # A row that ends in one of them and not in the other is near its end in both.
        alike = exact[2] == fast[2]
        tolerance, _ = self.definition.fast_tolerance
        ones, others = (_parts(step[0]) | {"reward": step[1]} for step in (exact, fast))
        rows = np.zeros(len(alike), bool)
        for name in ones:
            one, other = (np.asarray(found[name], np.float64) for found in (ones, others))
            far = np.abs(one - other) > tolerance * np.maximum(1.0, np.abs(one))
            far &= alike.reshape(-1, *[1] * (one.ndim - 1))
            rows |= far.reshape(len(far), -1).any(axis=1)
            if rows.sum() > spare:
                where = tuple(np.argwhere(far)[0].tolist())
                self.findings.add(
                    "precision",
                    f"In step {t} of row {where[0]}, the {name} is {other[where]} in fast "
                    f"precision and {one[where]} in exact.",
                    "Differences of nearly equal numbers need float64: annotate their column "
                    "np.float64.",
                    self.place,
                )
                break
        return int(rows.sum())


def _parts(observation: Any, infos: Any = ()) -> dict[str, Array]:
    """Return the arrays of observations and infos by name."""
    found: dict[str, Array] = {}

    def collect(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                collect(f"{name}[{key!r}]", part)
        elif isinstance(value, tuple):
            for k, part in enumerate(value):
                collect(f"{name}[{k}]", part)
        else:
            found[name] = value

    collect("observation", observation)
    collect("infos", infos)
    return found


def _first_difference(ones: dict[str, Array], others: dict[str, Array], rows: int) -> str:
    for name, one in ones.items():
        other = others[name]
        if not same(one[:rows], other[:rows]):
            row = next(k for k in range(rows) if not same(one[k], other[k]))
            return f"{name} of row {row} is {text_of(one[row])} and {text_of(other[row])}"
    return ""


# --- The compiler's words ---------------------------------------------------------------------

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")
_PLACE = re.compile(r'(?:File "|at )([^"\n]+?)(?:", line | \()(\d+)')
_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        r"Cannot unify (?:row\([^\n]+? and array|array\([^\n]+? and row)\([^\n]+? for '([\w.$]+)'",
        "an array is a column's row on one path and a new one on another",
        "Write .copy() behind the row, or .copy() behind both.",
    ),
    (
        r"Cannot unify (.+?) and (.+?) for '([\w.]+)'",
        "{3} is {1} on one path and {2} on another",
        "Give the variable one type on all paths: 0.0 rather than 0, or another name.",
    ),
    (
        r"(?:NRT required but not enabled|_nrt|requires? NRT)",
        "something here makes an array, which compiled code cannot",
        "Write a loop over the elements of columns.",
    ),
    (
        r"Use of unsupported NumPy function '([\w.]+)'",
        "the compiler does not know {1}",
        "Write it as a loop, or with the functions of math and batchsim.math.",
    ),
    (
        r"Unknown attribute '(\w+)' of type (.+)",
        "the compiler knows no {1} of {2}",
        "",
    ),
    (
        r"Untyped global name '(\w+)'",
        "the compiler can make nothing of {1}",
        "Use module-level numbers, tuples of numbers, NumPy arrays and plain functions.",
    ),
    (
        r"Cannot modify readonly array",
        "something is written that may only be read",
        "Copy it into a variable, or keep what changes in a column of State.",
    ),
    (r"step returns [^;\n]+; expected reward[^\n]+?(?=\.)", "{0}", HOW_TO_RETURN),
    (
        r"Can't unify return type from the following types: ([^\n]+?)\.?\s*$",
        "it returns {1} by different returns",
        "Return as many values, of the same types, by every return.",
    ),
    (
        # What batchsim's own says of arrays, in a list of all that Numba tried.
        r"TypingError: ([^\n]+?)\.?\s*\n\s*raised from \S*batchsim\Wcompiler",
        "{1}",
        "",
    ),
    (
        r"No implementation of function Function\(<(?:built-in )?\w+ '?([\w.]+)'?[^>]*>\) found "
        r"for signature:\s*(?:>>>)? ?(.+)",
        "the compiler has no {1} for these types, {2}",
        "",
    ),
    (
        r"(?:variable|name) '?([\w.]+)'? (?:referenced before assignment|is not defined)",
        "{1} is used before it has a value",
        "Give it a value on all paths.",
    ),
)
"""Patterns of Numba's messages, what they mean, and what to do."""


def explain_compile_error(error: Exception, functions: list[Function]) -> tuple[str, str, Place]:
    """Return one sentence, a hint and the author's line for what the compiler raised."""
    error = getattr(error, "compiler_error", None) or error
    text = _TERMINAL_CODES.sub("", getattr(error, "reason", str(error)))
    place = _place_in(text, error, functions)
    name = _function_at(place, functions)
    for pattern, meaning, hint in _REASONS:
        match = re.search(pattern, text)
        if match:
            words = [_plain(word or "") for word in (match.group(0), *match.groups())]
            reason = re.sub(r"\{(\d)\}", lambda m, w=words: w[int(m.group(1))], meaning)  # type: ignore[misc]
            return f"{name} cannot be compiled{_quoted(place)}: {reason}.", hint, place
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Failed in", "During", "File", "<"))]
    reason = (telling or lines or [type(error).__name__])[0].rstrip(".")
    return f"{name} cannot be compiled{_quoted(place)}: {reason}.", "", place


def _quoted(place: Place) -> str:
    """Return the source line at a place as part of a sentence."""
    line = linecache.getline(*place).strip() if place is not None else ""
    return f" at `{line}`" if line else ""


def _plain(words: str) -> str:
    """Return Numba's name of a type or variable as an author would write it."""
    words = re.sub(r"Literal\[\w+\]\((.+?)\)", r"\1", words.strip())
    words = re.sub(r"(\w+)\.\d+$", r"\1", words)
    words = re.sub(r"array\((\w+), (\d)d, \w+\)", r"an array of \1", words)
    return words.replace("none", "None").replace("reflected list", "list")


def _place_in(text: str, error: Exception, functions: list[Function]) -> Place:
    """Return the last line of the author's that a message names."""
    files = {Path(function.file).resolve(): function.file for function in functions}
    found: Place = None
    for name, line in _PLACE.findall(text):
        file = files.get(Path(name).resolve())
        if file is not None:
            found = file, int(line)
    location = getattr(error, "loc", None)
    if found is None and location is not None:
        file = files.get(Path(str(location.filename)).resolve())
        found = None if file is None else (file, int(location.line))
    return found


def _function_at(place: Place, functions: list[Function]) -> str:
    """Return the name of the function that a line belongs to."""
    if place is not None:
        for function in functions:
            end = function.tree.end_lineno or 0
            if function.file == place[0] and function.tree.lineno <= place[1] <= end:
                return function.tree.name
    return "The environment"
