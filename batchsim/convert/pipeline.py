"""Converts a class: in a process of its own, or not at all if a conversion is kept that holds."""

from __future__ import annotations

import importlib.machinery
import json
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

import batchsim
from batchsim import registry
from batchsim.convert import kept
from batchsim.convert.refusal import ConversionError, Refusal, line_of
from batchsim.convert.report import Report

__all__ = ["LEAST_STEPS", "PATIENCE", "convert", "report_of"]

LEAST_STEPS = 240
"""Ten steps of each of eight environments in each of three modes."""
CONVERTING = "BATCHSIM_CONVERTING"
"""Set where a class is tried: a file that converts when it is imported would do so for ever."""
PATIENCE = {"loading": 40, "watching": 40, "writing": 120, "compiling": 600, "proving": 40}
"""Seconds without a sign of life after which a stage counts as hanging. In two of them nothing of
the author's runs.
"""
SURPLUS = 60.0
"""Seconds more than a stage's own patience, after which its process is given up from outside."""
DUMP = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.*)$')
QUIET = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "MPLBACKEND": "Agg"}
"""What keeps classes from opening windows."""


def convert(
    environment: type[gymnasium.Env[Any, Any]] | str,
    /,
    *,
    steps: int = 20_000,
    capacities: Mapping[str, int] | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[str, float], None] | None = None,
    **kwargs: Any,
) -> types.ModuleType:
    """Return the definition of a class, written from its source and proved equal to it.

    The class is run in a process of its own. A conversion is kept in the cache directory, and found
    again as long as the class's files are as they were; if not, it is converted and proved anew.

    Args:
        environment: a subclass of `gymnasium.Env`, or where it is: `"module:Class"` or
            `"path/to/file.py:Class"`.
        steps: how many steps of environments are compared with the class, in three autoreset modes
            together; at least 240.
        capacities: room for the elements of lists, by the names that the report gives them; by
            default twice the greatest length seen.
        out: a file to write the definition into; its tables, if it has any, get a file beside it.
        overwrite: whether a file that is there already, with something else in it, is written over.
        progress: called with the stage (`"loading"`, `"watching"`, `"writing"`, `"compiling"`,
            `"proving"`) and the share of it that is done.
        **kwargs: arguments of the class's constructor.

    Returns:
        The module, ready for `make_vec`; see `report_of` for what was found.

    Raises:
        ConversionError: if the class is not converted; `refusals` say why, each with its place.
        TypeError, ValueError: for an argument out of place.
    """
    where, qualified = _place_of(environment)
    steps, capacities = _checked_numbers(steps, capacities)
    target = None if out is None else _checked_file(out)
    arguments = _pickled(kwargs)
    given = json.dumps([steps, sorted(capacities.items())]).encode()
    file = kept.file_of(where, qualified, arguments, given)
    report = kept.find(file)
    if report is None:
        if CONVERTING in os.environ:
            raise ConversionError(
                Refusal(
                    *(where, 0, ""),
                    "a conversion within a conversion",
                    "a module of the class converts a class when it is imported",
                    "Put that under `if __name__ == '__main__':`.",
                )
            )
        request = {
            "where": where,
            "qualified": qualified,
            "arguments": arguments,
            "shown": ", ".join(f"{name}={_brief(value)}" for name, value in kwargs.items()),
            "path": tuple(sys.path),
            "steps": steps,
            "capacities": capacities,
            "file": file,
            "patience": PATIENCE,
        }
        found = _Worker(request, progress).run()
        kept.keep(file, found["report"], found["sources"])
        report = Report.from_json(found["report"])
    if target is not None:
        _copy(file, target, overwrite)
        file = target
    definition = registry.load_file(file)
    vars(definition)["__conversion__"] = report
    return definition


def report_of(definition: types.ModuleType) -> Report:
    """Return what was found when a definition was converted.

    Raises:
        TypeError: if it is none that `convert` returned.
    """
    report = getattr(definition, "__conversion__", None)
    if not isinstance(report, Report):
        raise TypeError(f"{definition!r} is no definition that batchsim.convert returned.")
    return report


def _place_of(environment: Any) -> tuple[str, str]:
    """Return the module or file of a class, and its name there."""
    if isinstance(environment, str):
        where, _, qualified = environment.rpartition(":")
        if not where or not all(part.isidentifier() for part in qualified.split(".")):
            raise ValueError(
                f"The class is {environment!r}; expected module:Class, such as "
                "my_game:GridWorld or path/to/my_game.py:GridWorld."
            )
        if where.endswith(".py"):
            where = str(Path(where).resolve())
            if not Path(where).is_file():
                raise ValueError(f"There is no file {where}.")
        return where, qualified
    if not isinstance(environment, type) or not issubclass(environment, gymnasium.Env):
        raise TypeError(
            f"The class is {environment!r}; expected a subclass of gymnasium.Env, or where it is: "
            "'module:Class'."
        )
    name, qualified = environment.__module__, environment.__qualname__
    if "<locals>" in qualified:
        raise ValueError(
            f"{qualified} is defined within a function; expected a class of a module, which can be "
            "found by its name."
        )
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if name == "__main__" and (file is None or not Path(file).is_file()):
        raise ValueError(
            f"{qualified} is defined in a notebook or at a prompt; expected a class of a file, "
            "since its source is read: write it into a .py file and import it."
        )
    spec = getattr(module, "__spec__", None)
    if name == "__main__" or spec is None or not _is_found(name, file):
        return str(Path(str(file)).resolve()), qualified
    return name, qualified


def _is_found(name: str, file: str | None) -> bool:
    """Return whether importing a module by its name would give this file."""
    path = None
    package, _, _ = name.rpartition(".")
    if package:
        path = getattr(sys.modules.get(package), "__path__", None)
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    return spec is not None and file is not None and spec.origin == file


def _checked_numbers(
    steps: Any, capacities: Mapping[str, int] | None
) -> tuple[int, dict[str, int]]:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < LEAST_STEPS:
        raise ValueError(f"steps is {steps!r}; expected a whole number of at least {LEAST_STEPS}.")
    given = dict(capacities or {})
    for name, capacity in given.items():
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise ValueError(
                f"The capacity of {name!r} is {capacity!r}; expected a whole number of at least 1."
            )
    return steps, given


def _checked_file(out: str | os.PathLike[str]) -> Path:
    path = Path(out)
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ValueError(
            f"out is {str(path)!r}; expected the name of a module's file, such as my_game_batch.py."
        )
    if not path.parent.is_dir():
        raise ValueError(f"out is {str(path)!r}; expected a file in a folder that there is.")
    return path


def _pickled(kwargs: Mapping[str, Any]) -> bytes:
    for name, value in kwargs.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            raise ValueError(
                f"The argument {name} is {_brief(value)}, which cannot be pickled; expected one "
                "that can, since the class is tried in a process of its own."
            ) from error
    return pickle.dumps(dict(kwargs))


def _brief(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}…"


def _copy(file: Path, target: Path, overwrite: bool) -> None:
    """Write a definition, and its tables, where the caller wants them."""
    for ending in (".py", ".npz"):
        source, copy = file.with_suffix(ending), target.with_suffix(ending)
        if not source.is_file():
            continue
        content = source.read_bytes()
        if copy.is_file() and copy.read_bytes() != content and not overwrite:
            raise ValueError(
                f"{copy} holds something else already, your changes perhaps; expected a new file, "
                "or overwrite=True (--force)."
            )
        copy.write_bytes(content)


@dataclass
class _Worker:
    """The process in which a class is tried, seen from outside.

    Args:
        request: what it is asked.
        progress: as `convert` takes it.
    """

    request: Mapping[str, Any]
    progress: Callable[[str, float], None] | None
    stage: str = "loading"

    def run(self) -> dict[str, Any]:
        """Return its last message, the report.

        Raises:
            ConversionError: if it refuses the class, hangs or dies.
            ValueError: if an argument has no such name.
        """
        folder = Path(batchsim.__file__).parent.parent
        path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "batchsim.convert.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **QUIET, "PYTHONPATH": path, CONVERTING: "1"},
                start_new_session=True,  # so that what it starts ends with it
            )
            try:
                return self._attend(process, errors)
            finally:
                _end(process)

    def _attend(self, process: subprocess.Popen[bytes], errors: Any) -> dict[str, Any]:
        assert process.stdin is not None
        try:
            process.stdin.write(pickle.dumps(dict(self.request)))
            process.stdin.close()
        except BrokenPipeError:
            pass  # it died; what it said is looked at below
        lines: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=_listen, args=(process.stdout, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=PATIENCE[self.stage] + SURPLUS)
            except queue.Empty:
                raise self._hangs([]) from None
            if line is None:
                break
            message = json.loads(line)
            if "mistake" in message:
                raise ValueError(message["mistake"])
            if "refusals" in message:
                raise ConversionError(*(Refusal(**part) for part in message["refusals"]))
            if "report" in message:
                return dict(message)
            self.stage = message.get("stage", self.stage)
            if self.progress is not None:
                self.progress(self.stage, message.get("share", 0.0))
        status = process.wait()
        errors.seek(0)
        raise self._died(status, errors.read().splitlines())

    def _died(self, status: int, said: list[str]) -> ConversionError:
        """Return what is to be said of a process that ended without a report."""
        begins = [k for k, line in enumerate(said) if line.startswith("Timeout (")]
        if begins:
            return self._hangs(said[begins[-1] :])
        fatal = [k for k, line in enumerate(said) if line.startswith("Fatal Python error")]
        how = f"ended with status {status}"
        if status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        elif said and not fatal:
            how += f", after {said[-1]!r}"
        return self._refused(
            "the process ends", f"while {self.stage} it {how}", said[fatal[-1] :] if fatal else []
        )

    def _hangs(self, dump: list[str]) -> ConversionError:
        return self._refused(
            "it hangs",
            f"{self.stage} gave no sign of life for {PATIENCE[self.stage]} s",
            dump,
            "Look for what waits: for a window, for input, for a condition that never comes.",
        )

    def _refused(
        self, construct: str, reason: str, dump: list[str], instead: str = ""
    ) -> ConversionError:
        """Return a refusal at the innermost line of the author's that a dump shows."""
        path, line = _innermost(dump)
        return ConversionError(Refusal(path, line, line_of(path, line), construct, reason, instead))


def _listen(stream: Any, lines: queue.Queue[bytes | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, and what it has started."""
    if hasattr(os, "killpg"):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # all have ended
    elif process.poll() is None:
        process.kill()
    process.wait()


def _innermost(dump: list[str]) -> tuple[str, int]:
    """Return the innermost line that is neither batchsim's nor a library's, of the main thread."""
    heads = [k for k, line in enumerate(dump) if "most recent call first" in line]
    frames = [found for line in dump[heads[-1] :] if (found := DUMP.match(line))] if heads else []
    package = str(Path(batchsim.__file__).parent)
    library = str(Path(os.__file__).parent)
    others = [
        (found["file"], int(found["line"]))
        for found in frames
        if not found["file"].startswith(("<", package)) and Path(found["file"]).is_file()
    ]
    authors = [
        place
        for place in others
        if "site-packages" not in place[0] and not place[0].startswith(library)
    ]
    return next(iter([*authors, *others]), ("", 0))
