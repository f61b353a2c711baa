"""All stages, one after the other: from a class to a definition that is proved equal to it."""

from __future__ import annotations

import ast
import inspect
import pickle
import re
import time
import traceback
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from batchsim import registry
from batchsim.batch.vector import BatchEnv
from batchsim.convert.attributes import Attribute, Reach, sort_attributes
from batchsim.convert.compose import Composed, compose
from batchsim.convert.coverage import Coverage
from batchsim.convert.described import describe, lengths_of, place_of
from batchsim.convert.functions import Writer
from batchsim.convert.lines import lines_of
from batchsim.convert.program import Program, load
from batchsim.convert.prove import ROWS, Mismatch, prove, refused
from batchsim.convert.refusal import ConversionError, Refusal, line_of
from batchsim.convert.report import Place, Report
from batchsim.convert.source import room_of, text_of
from batchsim.convert.watch import Sightings, watch
from batchsim.definition import CompileError, suggest

__all__ = ["MistakeError", "Request", "convert_class"]

MOST_WATCHED = 3000
"""Steps of the original that are watched; the proof goes on for as many as are asked for."""
OBSERVATIONS = ("observation", "final_obs", "info")
FULL_LIST = "a list that grows beyond its capacity"
FULL = re.compile(r"(?:room|insert|append)\(s\.(\w+)\[")
PLACE = re.compile(r"^(\S.*?\.py):(\d+): ")


class MistakeError(ValueError):
    """The caller named something that there is not."""


@dataclass(frozen=True)
class Request:
    """What is to be converted.

    Attributes:
        where, qualified: the class: its module's name or file, and its name in it.
        arguments: of its constructor, pickled: they may be of the author's own classes.
        shown: the arguments as text.
        path: where modules are looked for.
        steps: how many are compared.
        capacities: room for lists, by name.
        file: of the definition.
        modes, timed, backend: as `prove` takes them.
    """

    where: str
    qualified: str
    arguments: bytes
    shown: str
    path: tuple[str, ...]
    steps: int
    capacities: Mapping[str, int]
    file: Path
    modes: tuple[AutoresetMode, ...] = tuple(AutoresetMode)
    timed: bool = True
    backend: str = "native"


@dataclass
class Stages:
    """Tells which stage is at work, and how long each took.

    Attributes:
        say: called with a message for whoever waits.
        seconds: by stage.
    """

    say: Callable[..., None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        """Yield what is told the share that is done."""
        self.say(stage=name)
        begun = time.perf_counter()
        try:
            yield lambda share: self.say(share=min(share, 1.0))
        finally:
            took = time.perf_counter() - begun
            self.seconds[name] = self.seconds.get(name, 0.0) + round(took, 2)


def convert_class(request: Request, say: Callable[..., None]) -> tuple[Report, list[str]]:
    """Return the report, and the author's files; the definition is in the file that is asked for.

    Args:
        request: what is to be converted.
        say: called with `stage=…` where one begins, and with `share=…`.

    Raises:
        ConversionError: if the class is not converted, with the author's line where there is one.
        MistakeError: if an argument or a capacity has no such name.
    """
    stages = Stages(say)
    with stages.stage("loading"):
        program = load(request.where, request.qualified)
        kwargs = _arguments(program, request.arguments)
    coverage = Coverage()
    with stages.stage("watching") as share:
        seen = watch(program, kwargs, min(MOST_WATCHED, request.steps), share, coverage)
    attributes = sort_attributes(program, seen)
    reached = Reach(program, type(seen.env)).functions.values()
    unrun = coverage.unrun(reached)
    for has_column in (False, True):
        with stages.stage("writing"), _explained(unrun, seen.steps):
            composed = compose(program, seen, attributes, request.capacities, has_column)
            _check_capacities(composed, request.capacities)
            _write(request, composed)
        with stages.stage("compiling"):
            definition = _compiled(request, composed)
        with stages.stage("proving") as share, _placed(request.file, composed):
            room = room_of(composed)
            asked = (program, seen, composed, room, definition, kwargs, request.steps, share)
            try:
                proof = prove(
                    *asked,
                    modes=request.modes,
                    timed=request.timed,
                    backend=request.backend,
                )
            except RuntimeError:
                # Compiled code cannot say what raised an exception where; plain Python can.
                prove(*asked, modes=request.modes, timed=False, backend="reference")
                _refuse_full(composed)
                raise
        found = proof.mismatch
        if found is None or composed.has_column or not found.what.startswith(OBSERVATIONS):
            break  # else it is observed at another moment than where the class makes it
    if found is not None:
        raise _different(program, attributes, seen, found, request.file)
    report = describe(
        program,
        seen,
        composed,
        room,
        proof,
        unrun,
        arguments=request.shown,
        file=str(request.file),
        seconds=stages.seconds,
        lines_of_class=_lines_of_logic(composed, reached),
        lines=len(request.file.read_text(encoding="utf-8").splitlines()),
    )
    return report, [module.path for module in program.modules.values()]


def _arguments(program: Program, pickled: bytes) -> dict[str, Any]:
    """Return the constructor's arguments, if it takes them."""
    try:
        kwargs: dict[str, Any] = pickle.loads(pickled)
    except Exception as error:
        raise ConversionError(
            Refusal(
                "",
                0,
                "",
                "an argument of the constructor",
                "it cannot be made again in the process that the class is tried in "
                f"({type(error).__name__}: {error})",
                "Define its class in a module, or pass numbers, texts, lists and arrays.",
            )
        ) from error
    name = program.cls.__name__
    try:
        signature = inspect.signature(program.cls)
    except (TypeError, ValueError):
        return kwargs  # one without a signature is made, and says itself what is wrong
    known = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    try:
        signature.bind(**kwargs)
    except TypeError as error:
        strange = [key for key in kwargs if key not in known]
        if strange:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise MistakeError(
                f"{name} has no argument {strange[0]!r}{suggest(strange[0], known)}; {takes}."
            ) from None
        raise MistakeError(f"{name} needs more arguments: {error}.") from None
    return kwargs


def _check_capacities(composed: Composed, capacities: Mapping[str, int]) -> None:
    """Refuse the capacity of what is no list."""
    whole = composed.whole
    room = room_of(composed)
    known = [
        length.name
        for part in (whole.state, whole.scratch)
        for name, kind in part.items()
        for length in lengths_of(kind, name, room)
    ]
    for name in capacities:
        if name not in known:
            there = f"the lists are {', '.join(sorted(set(known)))}" if known else "there are none"
            raise MistakeError(f"There is no list {name!r}{suggest(name, known)}; {there}.")


def _write(request: Request, composed: Composed) -> None:
    """Write the definition and its tables into their files."""
    title = f"{request.qualified.rpartition('.')[2]}, converted from {_short(request.where)}."
    request.file.parent.mkdir(parents=True, exist_ok=True)
    request.file.write_text(text_of(composed, title), encoding="utf-8")
    tables = request.file.with_suffix(".npz")
    if composed.whole.tables:
        np.savez(tables, allow_pickle=False, **composed.whole.tables)
    else:
        tables.unlink(missing_ok=True)


def _short(where: str) -> str:
    return Path(where).name if where.endswith(".py") else where


def _compiled(request: Request, composed: Composed) -> types.ModuleType:
    """Return the definition's module, whose kernels have been compiled."""
    with _placed(request.file, composed):
        definition = registry.load_file(request.file)
        BatchEnv(definition, ROWS, num_threads=1, backend=request.backend).close()
    return definition


@contextmanager
def _placed(file: Path, composed: Composed) -> Iterator[None]:
    """Say of the author's lines what is said of the definition's."""
    try:
        yield
    except ConversionError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        found = PLACE.match(said)
        place, source = ("", 0), ""
        frames = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno or 0 for f in reversed(frames) if f.filename == str(file)), 0)
        if found and Path(found[1]).name == file.name:
            line = int(found[2])
            said = said[found.end() :]
        if line:
            text = file.read_text(encoding="utf-8")
            place = lines_of(composed, text).get(line, place)
            source = line_of(*place)
            full = FULL.search(text.splitlines()[line - 1])
            if full and isinstance(error, IndexError):
                raise ConversionError(
                    Refusal(
                        *place,
                        source,
                        FULL_LIST,
                        f"{full[1]} had the room that was given, or twice that of the longest "
                        "seen, and needs more",
                        f"Give it room for the most that there can be: --capacity {full[1]}=…",
                    )
                ) from error
        raise ConversionError(
            Refusal(
                *place,
                source,
                "what the definition makes of it"
                if isinstance(error, CompileError)
                else f"the definition ({type(error).__name__})",
                said.rstrip("."),
                f"The definition as it was written: {file}{f':{line}' if line else ''}",
            )
        ) from error


def _refuse_full(composed: Composed) -> None:
    """Refuse a definition whose lists are full when many rows are timed, but not in the proof."""
    lists = {
        f"{length.name} with room for {length.capacity}"
        for part in (composed.whole.state, composed.whole.scratch)
        for name, kind in part.items()
        for length in lengths_of(kind, name, room_of(composed))
        if not length.fixed
    }
    if lists:
        raise ConversionError(
            Refusal(
                *("", 0, "", FULL_LIST),
                f"among thousands of rows one needed more than there is in {', '.join(lists)}",
                "Give it room for the most that there can be: --capacity NAME=…",
            )
        )


@contextmanager
def _explained(unrun: Sequence[Place], steps: int) -> Iterator[None]:
    """Say at which of the author's lines the writing came to a stop, whatever stopped it.

    Args:
        unrun: lines that did not run while the class was watched.
        steps: how long it was.
    """
    try:
        yield
    except MistakeError:
        raise
    except Exception as error:
        if isinstance(error, ConversionError) and error.refusals:
            refusal = error.refusals[0]
        elif isinstance(error, ConversionError):
            refusal = Refusal("", 0, "", "what stands there", "the converter has nothing for it")
        else:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            refusal = Refusal(
                *("", 0, "", "a fault of the converter"),
                f"{type(error).__name__}: {error} "
                f"({Path(frame.filename).name}, line {frame.lineno})",
                "Please report it with this line; writing the line in another way may help.",
            )
        if not refusal.file:
            file, line = _line_at_work(error)
            refusal = replace(refusal, file=file, line=line, source=line_of(file, line))
        if (refusal.file, refusal.line) in {(place.file, place.line) for place in unrun}:
            refusal = replace(
                refusal,
                construct="a line that never ran",
                reason=f"it did not run in {steps:,} steps of the class, so that its types are "
                f"guessed, and this is not converted: {refusal.construct}, {refusal.reason}",
                instead="Give more steps (--steps), or arguments with which it runs; or leave it "
                "out.",
            )
        raise ConversionError(refusal) from error


def _line_at_work(error: BaseException) -> tuple[str, int]:
    """Return the author's line that was being written when an exception was raised."""
    found = ("", 0)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        writer = frame.f_locals.get("self")
        if isinstance(writer, Writer) and writer.line and hasattr(writer.node, "source"):
            found = (writer.node.source.path, writer.line)
    return found


def _different(
    program: Program,
    attributes: Mapping[str, Attribute],
    seen: Sightings,
    mismatch: Mismatch,
    file: Path,
) -> ConversionError:
    """Return the error about a definition that does something else than the class."""
    refusal = refused(mismatch).refusals[0]
    named = re.match(r"self\.(\w+)", mismatch.what)
    name = named[1] if named else ""
    place = place_of(program, name if name in attributes else f"_{name}") if name else None
    # What differs may be computed from it.
    attribute = min(seen.mixed, default=None)
    if attribute is not None:
        found = place_of(program, attribute)
        return ConversionError(
            Refusal(
                found.file if found else "",
                found.line if found else 0,
                found.source if found else "",
                "float32 here and float64 there",
                f"self.{attribute} is of float64 after some lines and of float32 after others, and "
                "NumPy computes with each in its own width",
                "Give it one dtype wherever it is assigned, as np.float64.",
            )
        )
    pair = next((pair for pair in seen.shared.items() if name in pair), None)
    if pair is not None and place is not None:
        return ConversionError(
            Refusal(
                place.file,
                place.line,
                place.source,
                "two attributes share one array",
                f"self.{pair[0]} and self.{pair[1]} were one object, and a line writes into it",
                "Give one of them a copy: `.copy()`.",
            )
        )
    return ConversionError(
        Refusal(
            place.file if place else "",
            place.line if place else 0,
            place.source if place else "",
            refusal.construct,
            refusal.reason,
            f"Look at the lines that compute it; the definition as it was written: {file}",
        )
    )


def _lines_of_logic(composed: Composed, reached: Iterable[ast.AST]) -> int:
    """Return how many lines the author's functions have that were written, and the constructor."""
    program = composed.whole.program
    cls = type(composed.whole.seen.env)
    makers = [program.definition(vars(base).get("__init__")) for base in cls.__mro__]
    functions: dict[int, Any] = {id(node): node for node in (*reached, *filter(None, makers))}
    return sum(node.end_lineno - node.lineno + 1 for node in functions.values())
