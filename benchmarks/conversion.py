"""Which classes of a folder `batchsim.convert` converts, class by class.

    python -m benchmarks.conversion corpus
    python -m benchmarks.conversion corpus --only snake --steps 6000 --json conversion.json

A file `classes.txt` in the folder names them, one a line: a folder within it, `module:Class`, and
what else there is to be said as JSON: `kwargs` of the constructor, more of them as expressions
(`python`, which may use np, pd and importlib), further folders to import from (`path`), whether
those of a folder `stubs` are needed too (`stubs`), and whether NumPy must have the names that 1.24
took away (`old_numpy`). Without such a file, all classes of `gymnasium.Env` in the folder's files
are taken, each without arguments. Each is tried in processes of its own.
"""

from __future__ import annotations

import ast
import importlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchsim.commands import options
from batchsim.commands.options import UsageError

PROVED, REFUSED, CRASHED = "proved", "refused", "crashed"
FAULT = "a fault of the converter"
OLD_NAMES = """
import numpy
for name, kind in dict(int=int, float=float, bool=numpy.bool_, object=object).items():
    setattr(numpy, name, kind)
"""


@dataclass(frozen=True)
class Candidate:
    """A class to be tried.

    Attributes:
        folder: in which it is run.
        target: `module:Class` or `file.py:Class`.
        more: as in `classes.txt`.
    """

    folder: str
    target: str
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    target: str
    result: str
    message: str = ""
    factor: float = 0.0
    seconds: float = 0.0
    lines: int = 0
    lines_of_class: int = 0


def main(
    folder: Annotated[Path, typer.Argument(help="Of classes, with a classes.txt or without.")],
    steps: Annotated[int, typer.Option(help="Steps that are compared with each class.")] = 20_000,
    only: Annotated[str, typer.Option(help="Classes that have this in their line.")] = "",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all outcomes to this file.")
    ] = None,
) -> None:
    """Try the classes of a folder, and show which are converted and proved."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.")
    try:
        candidates = [
            c for c in candidates_of(folder.resolve()) if only in f"{c.folder} {c.target}"
        ]
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not candidates:
        raise UsageError(f"{folder} has no class of gymnasium.Env that is asked for.")
    outcomes = []
    with options.shown_progress() as show:
        for k, candidate in enumerate(candidates):
            show(candidate.target, k / len(candidates))
            outcomes.append(tried(candidate, folder.resolve(), steps))
            if json_file is not None:
                json_file.write_text(json.dumps(list(map(asdict, outcomes)), indent=1))
    show_table(outcomes)


def candidates_of(folder: Path) -> Iterator[Candidate]:
    """Yield the classes of a folder.

    Raises:
        ValueError: for a line of `classes.txt` that cannot be read.
    """
    listed = folder / "classes.txt"
    if not listed.is_file():
        for file, name in sorted(classes_in(folder)):
            yield Candidate(str(folder), f"{file}:{name}")
        return
    for number, line in enumerate(listed.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        place, target, *rest = line.split(None, 2)
        try:
            yield Candidate(str(folder / place), target, json.loads(rest[0]) if rest else {})
        except json.JSONDecodeError as error:
            raise ValueError(f"{listed}:{number}: what follows the class is no JSON.") from error


def classes_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield file and name of the classes that inherit from `Env`, through each other too."""
    bases: dict[str, set[str]] = {}
    places: dict[str, list[str]] = {}
    for path in folder.rglob("*.py"):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):
            continue  # of another Python, or no text
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                names = {
                    ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases
                }
                bases.setdefault(node.name, set()).update(names)
                places.setdefault(node.name, []).append(str(path))
    found = {"Env"}
    while more := {name for name, own in bases.items() if own & found} - found:
        found |= more
    for name in found - {"Env"}:
        for path in places[name]:
            yield path, name


def tried(candidate: Candidate, root: Path, steps: int) -> Outcome:
    """Return what came of a class."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as extra:
        path = [*filter(None, [os.environ.get("PYTHONPATH")])]
        if candidate.more.get("old_numpy"):
            Path(extra, "sitecustomize.py").write_text(OLD_NAMES, encoding="utf-8")
            path.insert(0, extra)
        before = dict(os.environ)
        os.environ["PYTHONPATH"] = os.pathsep.join(path)
        try:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                found = pool.submit(_try, candidate, str(root), steps).result()
        except BrokenProcessPool as error:
            found = {"result": CRASHED, "message": str(error)}
        finally:
            os.environ.clear()
            os.environ.update(before)
    seconds = time.perf_counter() - begun
    return Outcome(_short(candidate, root), seconds=round(seconds, 1), **found)


def _short(candidate: Candidate, root: Path) -> str:
    folder = os.path.relpath(candidate.folder, root)
    target = candidate.target.replace(f"{root}{os.sep}", "")
    return target if folder == "." else f"{folder} {target}"


def _try(candidate: Candidate, root: str, steps: int) -> dict[str, Any]:
    """Convert a class; in a process of its own."""
    import batchsim
    from batchsim.convert import ConversionError, report_of

    more = candidate.more
    os.chdir(candidate.folder)
    sys.path[:0] = [str(Path(candidate.folder, part)) for part in more.get("path", ["."])]
    if more.get("stubs"):
        sys.path.append(str(Path(root, "stubs")))
    try:
        kwargs = dict(more.get("kwargs", {}))
        names = {"importlib": importlib}
        if "python" in more:
            for short, module in (("np", "numpy"), ("pd", "pandas")):
                names[short] = importlib.import_module(module)
        kwargs |= {name: eval(text, dict(names)) for name, text in more.get("python", {}).items()}
        report = report_of(batchsim.convert(candidate.target, steps=steps, **kwargs))
    except ConversionError as error:
        refusal = error.refusals[0]
        result = CRASHED if refusal.construct == FAULT else REFUSED
        return {"result": result, "message": str(refusal)}
    except Exception as error:
        return {"result": CRASHED, "message": f"{type(error).__name__}: {error}"}
    return {
        "result": PROVED,
        "factor": report.factor,
        "lines": report.lines,
        "lines_of_class": report.lines_of_class,
    }


def show_table(outcomes: list[Outcome]) -> None:
    """Print the table, why classes were not converted, and the pass rate."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table(box=None)
    for name in ("class", "", "times as fast", "s", "lines"):
        table.add_column(name, justify="right" if name in ("times as fast", "s") else "left")
    for outcome in outcomes:
        proved = outcome.result == PROVED
        table.add_row(
            Text(outcome.target),
            outcome.result,
            f"{outcome.factor:,.0f}" if proved else "",
            f"{outcome.seconds:.0f}",
            f"{outcome.lines} of {outcome.lines_of_class}" if proved else "",
        )
    console.print(table)
    for outcome in outcomes:
        if outcome.result != PROVED:
            console.print(Text(f"\n{outcome.target} {outcome.result}:\n{outcome.message}"))
    count = sum(outcome.result == PROVED for outcome in outcomes)
    share = count / len(outcomes)
    console.print(f"\n{count} of {len(outcomes)} classes converted and proved: {share:.0%}")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(main)
    options.run(app)
