"""`check`: examines an author's environment and says what is wrong, in the author's own terms."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple

from batchsim import registry
from batchsim.batch import checks
from batchsim.batch.keys import Keys
from batchsim.batch.spaces import Layout
from batchsim.batch.texts import Text, is_text, read_texts, with_tokens
from batchsim.checking.backends import Settings, examine_backends
from batchsim.checking.contract import (
    COLUMNS,
    FUNCTIONS,
    examine_contract,
    place_of_field,
    place_of_name,
)
from batchsim.checking.episodes import examine_episodes, ignores_actions
from batchsim.checking.functions import Function, reached_functions, return_place
from batchsim.checking.guards import Watch
from batchsim.checking.problems import CheckError, Findings, Place, Report
from batchsim.checking.source import examine_source
from batchsim.checking.trials import Actions, Course, Trial
from batchsim.definition import Definition, Noted
from batchsim.values import batch_parameter

__all__ = ["check"]

LEAVES = (Box, Discrete, MultiDiscrete, MultiBinary)
FILLS = (0x5A, 0xA5)
"""Bytes that fill the columns in place of zero, to see whether what was not written matters."""
WATCHED_ELEMENTS = 50_000
"""Elements of observations that a run writes at most, where that leaves it a few steps."""
FEW_STEPS = 20
LONG_RUN = 4
"""How many times as many elements the run writes that goes on to an episode's end."""
GUARDED_ROWS = 4
"""Rows run as plain Python: each of their reads and writes is watched, which takes time."""


def check(
    definition: Any,
    *,
    num_envs: int = 64,
    steps: int = 200,
    seed: int = 0,
    ignore: Iterable[str] = (),
    progress: Callable[[str], None] | None = None,
    **params: Any,
) -> Report:
    """Examine an environment and raise with all that is wrong with it.

    First the definition and the source of its functions are read; then the functions run as plain
    Python with every read, write and index watched; then compiled, and compared with plain Python,
    with another number of rows and with fast precision. Each stage runs only if the ones before
    found nothing that it would stumble over.

    Args:
        definition: an id, a class or module with the names of the author's contract, or a
            `Definition`.
        num_envs: N, the rows of the compiled runs.
        steps: how many steps each run takes.
        seed: of the first row; row k has `seed + k`.
        ignore: kinds of problems (`batchsim.checking.KINDS`) that are meant to be as they are.
        progress: is told in words what comes now.
        **params: the environment's parameters, as for `batchsim.make_vec`.

    Returns:
        What was tried, and hints at what may be wrong. `print(report)` shows it.

    Raises:
        CheckError: if anything is wrong. Its `problems` have kind, message, hint, file and line.
        TypeError, ValueError: for bad arguments.

    Example:
        >>> import batchsim
        >>> report = batchsim.check("CartPole-v1")
        >>> report.hints
        ()
    """
    steps = checks.whole_number("steps", steps, at_least=1)
    settings = Settings(
        checks.whole_number("num_envs", num_envs, at_least=1),
        steps,
        checks.whole_number("seed", seed, at_least=0),
        params,
        plain_steps=steps,
        long_steps=steps,
        reach=steps,
        progress=progress or (lambda doing: None),
    )
    namespace, name, entry = _find(definition)
    findings = Findings(ignore)
    tried = _examine(namespace, name, entry, settings, findings)
    if findings.problems:
        problems = sorted(
            findings.problems, key=lambda problem: (problem.file or "", problem.line or 0)
        )
        raise CheckError(name, problems, findings.hints)
    return Report(name, tuple(tried), tuple(findings.hints))


def _find(definition: Any) -> tuple[Any, str, registry.Entry]:
    """Return the namespace, the name and the defaults of what is to be examined."""
    if isinstance(definition, (str, Definition)):
        found, entry = registry.read(definition)
        return found.author, found.name, entry
    if not isinstance(definition, (type, ModuleType)):
        return registry.read(definition)  # type: ignore[return-value]  # It raises.
    # A module that was loaded from a file has a longer name.
    file = getattr(definition, "__file__", None)
    name = Path(file).stem if file is not None else definition.__name__
    return definition, getattr(definition, "ID", name), registry.Entry(definition)


def _examine(
    namespace: Any, name: str, entry: registry.Entry, settings: Settings, findings: Findings
) -> list[str]:
    """Run the stages; returns what was tried."""
    tried: list[str] = []
    definition = examine_contract(namespace, name, findings)
    if definition is None:
        return tried
    given = {**entry.kwargs, **settings.params}
    params = definition.read_params(given, settings.num_envs)
    definition = _examine_choice(definition, given, findings)
    if definition is None:
        return tried
    namespace = definition.namespace
    settings.progress("reading the source")
    functions = reached_functions(definition, findings)
    definition.check_params(params, settings.num_envs)
    definition, arguments, tables = _examine_sizes(definition, params, given, findings)
    if findings.has("tables", "size"):
        return tried
    examine_source(functions, definition, tables, findings)
    tried.append(f"the source of {len(functions)} functions, read")
    if findings.has("closure", "recursion"):
        return tried

    def values(row: int) -> dict[str, Any]:
        return {name: batch_parameter(value, row) for name, value in params.items()} | tables

    found = _examine_spaces(definition, Noted(values(0) | arguments), findings)
    if found is None:
        return tried
    spaces, texts = found
    _examine_keys(definition, spaces[1], findings)
    elements = sum(math.prod(shape) for shape in Layout(spaces[0], "OBSERVATION").shapes(1))
    affordable = max(FEW_STEPS, WATCHED_ELEMENTS // max(elements, 1))
    reach = max(settings.steps, _longest(definition, functions, tables) + 2)
    settings = dataclasses.replace(
        settings,
        plain_steps=min(settings.steps, affordable),
        long_steps=min(reach, int(LONG_RUN * affordable)),
        reach=reach,
    )
    limit = entry.max_episode_steps
    if limit is None:
        limit = _examine_time_limit(definition, Noted(values(0) | arguments), params, findings)
    if findings.has("definition"):
        return tried
    # Those of the contract are known by name, even where they have no source.
    own = [getattr(namespace, name) for name in FUNCTIONS if hasattr(namespace, name)]
    own += [function.function for function in functions]
    own += [text.decode for text in texts.values() if inspect.isfunction(text.decode)]
    watch = Watch(findings, [function.__code__ for function in own])
    settings.progress("running episodes as plain Python, every read and write watched")
    tried += _run_guarded(definition, functions, values, spaces, texts, limit, settings, watch)
    if not findings.problems:
        chosen = {name: given[name] for name in definition.arguments if name in given}
        settings = dataclasses.replace(settings, params={**params, **chosen})
        tried += examine_backends(definition, functions, limit, settings, watch)
    return tried


def _examine_choice(
    definition: Definition, given: dict[str, Any], findings: Findings
) -> Definition | None:
    """Return the definition that these arguments choose, or None if that is of no use."""
    if not hasattr(definition.author, "choose"):
        return definition
    try:
        chosen = definition.chosen(definition.read_arguments(given))
    except Exception as error:
        if isinstance(error, ValueError) and given:
            raise  # What the caller gave is refused.
        place = place_of_name(definition.author, "choose")
        findings.add("definition", _told("choose", definition, error), place=place)
        return None
    if chosen is definition or examine_contract(chosen.namespace, chosen.name, findings):
        return chosen
    return None


def _examine_sizes(
    definition: Definition, params: dict[str, Any], given: dict[str, Any], findings: Findings
) -> tuple[Definition, dict[str, Any], dict[str, Any]]:
    """Return the definition with the shapes of its columns, its arguments and its tables."""
    namespace = definition.namespace
    try:
        arguments = definition.read_arguments(given)
        sized, tables = definition.sized(params, arguments, num_envs=1)
        return sized, arguments._asdict() if arguments else {}, tables
    except Exception as error:
        if isinstance(error, ValueError) and given:
            raise  # What the caller gave is refused.
        for part in COLUMNS:
            for field in getattr(getattr(namespace, part, None), "_fields", ()):
                if f"{part}.{field} of {definition.name}" in str(error):
                    findings.add(
                        "size",
                        str(error),
                        'Write whole numbers and names, batchsim.column(np.int8, ("size", 2)), or '
                        "a function of p that returns whole numbers.",
                        place_of_field(getattr(namespace, part), field),
                    )
                    return definition, {}, {}
        findings.add(
            "tables",
            _told("tables", definition, error),
            "tables(p) returns a NamedTuple of NumPy arrays of numbers or bool; p has parameters "
            "and arguments.",
            place_of_name(namespace, "tables"),
        )
        return definition, {}, {}


def _examine_time_limit(
    definition: Definition, p: Noted, params: dict[str, Any], findings: Findings
) -> int | None:
    """Return the definition's own time limit, or None if it has none or it is of no use."""
    try:
        return definition.settle_time_limit(p, params)[0]
    except Exception as error:
        if any(isinstance(value, np.ndarray) for value in params.values()):
            raise  # What the caller gave may be refused.
        name = "MAX_EPISODE_STEPS"
        place = place_of_name(definition.namespace, name)
        findings.add("definition", _told(name, definition, error), place=place)
        return None


def _examine_spaces(
    definition: Definition, p: Noted, findings: Findings
) -> tuple[tuple[Space[Any], Space[Any]], dict[str, Text]] | None:
    """Return the observation and the action space, and the texts, or None if they are of no use.

    Of a text the observation space has its tokens.
    """
    namespace = definition.namespace
    texts: dict[str, Text] = {}
    spaces: dict[str, Any] = {}
    for name in ("OBSERVATION", "ACTION"):
        try:
            spaces[name] = definition.space(name, p)
        except Exception as error:
            said = _told(name, definition, error)
            findings.add("space", said, place=place_of_name(namespace, name))
            return None
    observation_space, action_space = spaces["OBSERVATION"], spaces["ACTION"]
    wrong = _unsupported(observation_space)
    if wrong is not None:
        findings.add(
            "space",
            f"OBSERVATION is {observation_space}, and {wrong} is no supported space.",
            "Use Box, Discrete, MultiDiscrete, MultiBinary, Text, or a Dict or Tuple of them.",
            place_of_name(namespace, "OBSERVATION"),
        )
    else:
        try:
            texts = read_texts(definition, observation_space, p)
            observation_space = with_tokens(observation_space, texts)
        except Exception as error:
            start = str(error).split()[0]
            name = start if start in ("TOKENS", "text") else "OBSERVATION"
            findings.add("space", str(error), place=place_of_name(namespace, name))
            return None
        try:
            Layout(observation_space, "OBSERVATION")
        except TypeError as error:
            findings.add("space", str(error), place=place_of_name(namespace, "OBSERVATION"))
    if not isinstance(action_space, LEAVES):
        findings.add(
            "space",
            f"ACTION is {action_space}, which is no supported space.",
            "Use Discrete, MultiDiscrete, MultiBinary or Box.",
            place_of_name(namespace, "ACTION"),
        )
    return None if findings.has("space") else ((observation_space, action_space), texts)


def _examine_keys(definition: Definition, action_space: Space[Any], findings: Findings) -> None:
    """Look whether what `KEYS` says, where it is there, makes sense."""
    namespace = definition.namespace
    if hasattr(namespace, "KEYS"):
        try:
            Keys(definition, action_space)
        except (TypeError, ValueError) as error:
            findings.add("keys", str(error), place=place_of_name(namespace, "KEYS"))


def _told(name: str, definition: Definition, error: Exception) -> str:
    """Return a sentence about what was raised where a name of the definition was asked."""
    if str(error).startswith(f"{name} of "):
        return str(error)
    return f"{name} of {definition.name} raises {type(error).__name__}: {error}"


def _unsupported(space: Any) -> Any:
    """Return the part of a space that is not supported, or None."""
    if isinstance(space, (Dict, Tuple)):
        parts = space.spaces.values() if isinstance(space, Dict) else space.spaces
        return next(filter(None, map(_unsupported, parts)), None)
    return (
        None
        if isinstance(space, LEAVES) or (isinstance(space, Space) and is_text(space))
        else space
    )


def _run_guarded(
    definition: Definition,
    functions: list[Function],
    values: Callable[[int], dict[str, Any]],
    spaces: tuple[Space[Any], Space[Any]],
    texts: dict[str, Text],
    limit: int | None,
    settings: Settings,
    watch: Watch,
) -> list[str]:
    """Run rows as plain Python with everything watched; returns what was tried."""
    rows = min(settings.num_envs, GUARDED_ROWS)
    findings = watch.findings
    places = {name: return_place(functions, name) for name in FUNCTIONS}
    steps = settings.plain_steps
    # Each run begins several episodes, so that what one leaves behind shows in the next.
    cut = max(steps // 3, 1)

    def run(
        row: int,
        place: int = 2,
        fill: int = 0,
        action_seed: int = 0,
        watch: Watch = watch,
        steps: int = steps,
        cut: int = cut,
    ) -> Course:
        trial = Trial(
            definition, watch, {**values(row), **definition.options}, spaces, texts, places
        )
        return trial.run(
            seed=settings.seed + row,
            steps=steps,
            limit=min(cut, limit or cut),
            actions=Actions(spaces[1], settings.seed + row + action_seed),
            row=place,
            fill=fill,
        )

    courses = []
    for row in range(rows):
        courses.append(run(row))
        if findings.has("endless"):
            return []  # Whatever runs now would most likely wait as long, again and again.
    examine_episodes(courses, functions, places["step"], findings)
    _compare_courses(courses, run, watch, places["reset"], findings)
    other = run(0, action_seed=1)
    if not findings.problems and ignores_actions(courses[0], other):
        findings.add(
            "ignores-actions",
            f"Nothing that {definition.name} shows depends on the actions.",
            place=places["step"],
        )
    tried = [f"{rows} rows for {steps} steps as plain Python, every read and write watched"]
    if not findings.problems and (limit is None or limit > cut):
        # What is read at the end of long data, or late in an episode, is only read there.
        run(0, steps=settings.long_steps, cut=settings.long_steps)
        tried.append(f"a row for {settings.long_steps} steps whose episodes are not cut short")
    return tried


def _longest(definition: Definition, functions: list[Function], tables: dict[str, Any]) -> int:
    """Return the length of the longest axis of any array that the functions can use."""
    columns = {**definition.columns, **definition.scratch}
    constants = (
        function.function.__globals__.get(name)
        for function in functions
        for name in function.function.__code__.co_names
    )
    shapes = [column.shape for column in columns.values()]
    shapes += [table.shape for table in tables.values()]
    shapes += [np.shape(value) for value in constants if isinstance(value, np.ndarray)]
    return max((max(shape, default=0) for shape in shapes), default=0)


def _compare_courses(
    courses: list[Course],
    run: Callable[..., Course],
    watch: Watch,
    place: Place,
    findings: Findings,
) -> None:
    """Run rows again: in another order, from other memory and in other rows."""
    again = [run(row) for row in reversed(range(len(courses)))]
    for one, other in zip(courses, reversed(again), strict=True):
        difference = one.difference(other)
        if difference:
            if not findings.has("random"):
                findings.add(
                    "not-reproducible",
                    f"The same seed and actions give different episodes: {difference}.",
                    "Draw all random numbers from rng, and keep nothing outside the columns of "
                    "State.",
                    place,
                )
            return
    silent = Watch(Findings(()), watch.codes)
    for column, where in watch.stale.items():
        if any(courses[0].difference(run(0, fill=fill, watch=silent)) for fill in FILLS):
            findings.add(
                "uninitialised",
                f"s.{column} is read here, but reset did not write it: it holds what the last "
                "episode left.",
                f"Write `s.{column}[i] = …` in reset; if it is to go on over episodes, say what it "
                f"begins with in State, such as `{column}: int = 0`.",
                where,
            )
    difference = courses[0].difference(run(0, place=5))
    if difference:
        findings.add(
            "row-number",
            f"An episode depends on the number of its row: {difference}.",
            "i says only where the row's values lie; do not compute with it.",
            place,
        )
