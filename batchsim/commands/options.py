"""What the command lines have in common: how they read options, and how they end."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "BAD_INPUT",
    "FAILURE",
    "NAMES_ENV",
    "Parameters",
    "UsageError",
    "check_outputs",
    "check_within",
    "check_writable",
    "read_assignment",
    "read_names",
    "read_parameters",
    "read_seconds",
    "read_sizes",
    "read_values",
    "run",
    "shown_progress",
]

# The base of all that typer raises for arguments it cannot read; it has no public name there.
UsageError: Any = typer.BadParameter.__bases__[0]

NAMES_ENV = (
    "Environment id; or module:Definition, module or path/to/file.py:Definition of an environment "
    "of yours."
)

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="A parameter of the environment; repeatable. An array comes from a file, as in "
        "closes=@prices.npy (or .csv, or .json).",
    ),
]

FAILURE = 1
BAD_INPUT = 2
INTERRUPTED = 130


def run(app: typer.Typer) -> None:
    """Run a command line; bad input ends with one sentence on standard error and status 2."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without some character shows another one; that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = app(standalone_mode=False)
    except UsageError as error:
        print(f"batchsim: {error.format_message()}", file=sys.stderr)
        status = BAD_INPUT
    except (typer.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    sys.exit(status)


def read_sizes(text: str) -> tuple[int, ...]:
    """Return the numbers of environments in `text`, ascending.

    Raises:
        ValueError: if `text` is anything but positive whole numbers separated by commas.
    """
    sizes = set()
    for part in text.split(","):
        if not part.strip().isdecimal() or int(part) == 0:
            raise ValueError(
                f"--num-envs is {text!r}; expected positive whole numbers separated by commas, "
                "such as 64,1024."
            )
        sizes.add(int(part))
    return tuple(sorted(sizes))


def read_seconds(name: str, seconds: float) -> float:
    """Return `seconds`, the value of the option `name`.

    Raises:
        ValueError: if they are not positive and finite.
    """
    if not 0.0 < seconds < float("inf"):
        raise ValueError(f"{name} is {seconds}; expected a positive number.")
    return seconds


def read_names(
    option: str, text: str, known: Sequence[str], what: str | None = None
) -> tuple[str, ...]:
    """Return the names in `text`, in the order of `known`.

    Args:
        option: of the command line, without its dashes.
        text: names separated by commas.
        known: all there are.
        what: what is named, in the plural; by default as the option.

    Raises:
        ValueError: if a name is not known; the message suggests the nearest.
    """
    from batchsim.definition import suggest

    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name not in known:
            raise ValueError(
                f"--{option} names {name!r}{suggest(name, known)}; "
                f"the {what or option} are {', '.join(known)}."
            )
    return tuple(name for name in known if name in names)


def read_assignment(option: str, text: str, example: str) -> tuple[str, Any]:
    """Return name and value of `name=value`; what is no Python literal is text.

    Raises:
        ValueError: if `text` is anything else.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(f"--{option} is {text!r}; expected name=value, such as {example}.")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, TypeError, ValueError, MemoryError, RecursionError):
        return name, value


def read_parameters(texts: list[str] | None) -> dict[str, Any]:
    """Return the environment's parameters of `--param`, those of files as lists of numbers."""
    given = dict(read_assignment("param", text, "gravity=9.8") for text in texts or ())
    return {
        name: read_values(f"--param {name}", Path(value[1:]))
        if isinstance(value, str) and value.startswith("@")
        else value
        for name, value in given.items()
    }


def read_values(what: str, path: Path) -> Any:
    """Return what a file holds: nested lists of numbers of a .npy or .csv, or what a .json says.

    The first line of a .csv may name its columns.

    Raises:
        ValueError: if there is no such file, or it holds something else.
    """
    import numpy as np

    readers: dict[str, Callable[[Path], Any]] = {
        ".npy": lambda path: np.load(path, allow_pickle=False).tolist(),
        ".csv": _read_csv,
        ".json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    }
    if path.suffix not in readers:
        raise ValueError(f"{what} is in {str(path)!r}; expected a .npy, .csv or .json file.")
    try:
        return readers[path.suffix](path)
    except (OSError, ValueError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise ValueError(
            f"{what} cannot be read from {path}: {str(reason).rstrip('.')}."
        ) from error


def _read_csv(path: Path) -> Any:
    import numpy as np

    with path.open(encoding="utf-8") as file:
        first = file.readline()
    try:
        [float(field) for field in first.split(",")]
    except ValueError:
        named = 1
    else:
        named = 0
    return np.loadtxt(path, delimiter=",", skiprows=named, encoding="utf-8").tolist()


def check_outputs(json: Path | None, plot: Path | None, *others: Path | None) -> None:
    """Raise ValueError unless these files, of those that are wanted, can be written."""
    if plot is not None:
        from batchsim.ladder.plot import check_plot_file

        check_plot_file(plot)
    for path in (json, plot, *others):
        if path is not None:
            check_writable(path)


def check_within(
    name: str, value: int, lowest: int, highest: int | None = None, where: str = ""
) -> None:
    """Raise ValueError if `value` is below `lowest` or above `highest`, where there is one.

    Args:
        name: of the option, with its dashes.
        value, lowest, highest: whole numbers.
        where: what `highest` holds for, for the message.
    """
    if highest is None:
        if value < lowest:
            raise ValueError(f"{name} is {value}; expected a whole number of at least {lowest}.")
    elif not lowest <= value <= highest:
        expected = f"a whole number from {lowest} to {highest} {where}".rstrip()
        raise ValueError(f"{name} is {value}; expected {expected}.")


def check_writable(path: Path) -> None:
    """Raise ValueError if `path` cannot be written: better now than after the measurement."""
    existed = path.exists()
    try:
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
    if not existed:
        path.unlink()


@contextlib.contextmanager
def shown_progress(*columns: Any) -> Iterator[Callable[..., None]]:
    """Yield `show(doing, done=0.0)`: on a terminal, what comes now and which share is done.

    Args:
        columns: of `rich.progress`; by default a bar, the time and what comes now.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    # Drawn between measurements only: a thread that draws would be measured too.
    bar = Progress(
        *(columns or (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,
    )
    bar.disable = not bar.console.is_terminal
    with bar:
        task = bar.add_task("", total=1.0)

        def show(doing: str, done: float = 0.0) -> None:
            bar.update(task, completed=done, description=doing, refresh=True)

        yield show
