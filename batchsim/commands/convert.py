"""The command `convert`: from a class of `gymnasium.Env` to a definition that is proved equal."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchsim.commands import options
from batchsim.commands.options import FAILURE, UsageError

if TYPE_CHECKING:
    from batchsim.convert import Report

__all__ = ["convert"]

SHARES = {"loading": 0.0, "watching": 0.05, "writing": 0.3, "compiling": 0.35, "proving": 0.6}
"""Where on the bar each stage begins."""
MOST_LINES = 12
"""Of one kind that are shown; --json has them all."""


def convert(
    environment: Annotated[
        str,
        typer.Argument(
            metavar="CLASS",
            help="module:Class or path/to/file.py:Class, a subclass of gymnasium.Env.",
        ),
    ],
    kwargs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE|JSON",
            help="An argument of the constructor, or several as a JSON object; repeatable. Lists "
            "of numbers come from a file, as in closes=@prices.npy (or .csv, or .json).",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the definition to this file.")] = None,
    steps: Annotated[int, typer.Option(help="Steps that are compared with the class.")] = 20_000,
    capacity: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=K", help="Room for the elements of a list; repeatable."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that holds something else.")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
) -> None:
    """Convert a class of yours into a definition, and prove that it does the same.

    The exit status is 1 if it cannot be converted.
    """
    import batchsim
    from batchsim.convert import ConversionError, report_of
    from batchsim.convert.pipeline import LEAST_STEPS

    try:
        options.check_within("--steps", steps, LEAST_STEPS)
        if json is not None:
            options.check_writable(json)
        arguments = read_arguments(kwargs)
        with options.shown_progress() as show:
            definition = batchsim.convert(
                environment,
                steps=steps,
                capacities=dict(map(_read_capacity, capacity or ())),
                out=out,
                overwrite=force,
                progress=lambda stage, share: show(stage, _share_of_all(stage, share)),
                **arguments,
            )
    except ConversionError as error:
        typer.echo(f"{environment} is not converted:\n{error}", err=True)
        if json is not None:
            refusals = [vars(refusal) for refusal in error.refusals]
            json.write_text(json_format.dumps({"refusals": refusals}, indent=1), encoding="utf-8")
        raise typer.Exit(FAILURE) from error
    except (TypeError, ValueError, OSError) as error:
        raise UsageError(str(error)) from error
    report = report_of(definition)
    if json is not None:
        json.write_text(json_format.dumps(report.to_json(), indent=1), encoding="utf-8")
    show_report(report, Path(str(definition.__file__)))


def read_arguments(texts: Iterable[str] | None) -> dict[str, Any]:
    """Return the constructor's arguments of `--kwargs`.

    Raises:
        ValueError: if one is neither a JSON object nor `name=value`.
    """
    found: dict[str, Any] = {}
    for text in texts or ():
        if text.lstrip().startswith("{"):
            try:
                found |= json_format.loads(text)
            except ValueError as error:
                raise ValueError(f"--kwargs is {text!r}, which is no JSON: {error}.") from error
            continue
        name, value = options.read_assignment("kwargs", text, 'size=4, or JSON such as {"size": 4}')
        if isinstance(value, str) and value.startswith("@"):
            value = options.read_values(f"--kwargs {name}", Path(value[1:]))
        found[name] = value
    return found


def _read_capacity(text: str) -> tuple[str, Any]:
    return options.read_assignment("capacity", text, "orders=32")


def _share_of_all(stage: str, share: float) -> float:
    """Return the share of the whole conversion that is done."""
    begins = [*SHARES.values(), 1.0]
    k = list(SHARES).index(stage)
    return begins[k] + share * (begins[k + 1] - begins[k])


def show_report(report: Report, file: Path) -> None:
    """Print what was found, what it became, and what the proof is of."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    console.print(Text(f"{report.name}({report.arguments}) is converted: {file}"))
    console.print(Text(f"{report.lines} lines, of {report.lines_of_class} of the class"))
    for title, rows in _tables_of(report):
        if not rows:
            continue
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        for k in range(len(rows[0])):
            table.add_column(no_wrap=k == 0 and len(rows[0]) > 1, overflow="fold")
        for row in rows[:MOST_LINES]:
            table.add_row(*map(Text, row))
        console.print(Text(f"\n{title}", style="bold"))
        console.print(table)
        if len(rows) > MOST_LINES:
            console.print(Text(f"  … and {len(rows) - MOST_LINES} more (--json has them all)"))
    proof = report.proof
    console.print(Text("\nProof", style="bold"))
    console.print(
        Text(
            f"  {proof.steps:,} steps of {proof.seeds} seeds, {proof.episodes:,} episodes, "
            f"autoreset {', '.join(proof.modes)}: observations, rewards, ends, infos and the "
            f"attributes ({', '.join(proof.columns)}) compared with the class, bit for bit: "
            f"{proof.mismatches} mismatches. That is so on {proof.processor} with "
            f"NumPy {proof.numpy} and Python {proof.python}."
        )
    )
    console.print(Text("\nSpeed", style="bold"))
    console.print(
        Text(
            f"  {report.rate_of_original:,.0f} steps/s the class, {report.rate:,.0f} steps/s 4,096 "
            f"rows on one thread: {report.factor:,.0f} times as fast"
        )
    )


def _tables_of(report: Report) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Yield titles and rows."""
    yield (
        "Columns",
        [
            (c.name, c.dtype + (f" {list(c.shape)}" if c.shape else ""), f"from {c.origin}")
            for c in report.columns
        ],
    )
    yield (
        "Parameters, which a caller may set",
        [
            *((name, str(value)) for name, value in report.parameters.items()),
            *((name, f"= {text}") for name, text in report.derived.items()),
        ],
    )
    yield (
        "Lists",
        [
            (
                length.name,
                f"always {length.capacity}"
                if length.fixed
                else f"room for {length.capacity}, at most {length.greatest} seen "
                f"(--capacity {length.name}=…)",
            )
            for length in report.lengths
        ],
    )
    left = [
        ("constants", ", ".join(report.constants)),
        ("dropped, nothing reads them", ", ".join(report.dropped)),
        ("infos", ", ".join(report.infos)),
        ("infos left out, no numbers of every step", ", ".join(report.dropped_infos)),
    ]
    if report.observation == "column":
        left.append(("observation", "a column: the class makes it elsewhere than where it returns"))
    yield "The rest", [row for row in left if row[1]]
    yield (
        "Streams replaced: these draw from the row's, in the class that it was compared with too",
        [(f"{Path(place.file).name}:{place.line}", place.source) for place in report.streams],
    )
    yield (
        "Lines that never ran: nothing is known of their types, and they are not compared",
        [(f"{Path(place.file).name}:{place.line}", place.source) for place in report.unrun],
    )
    yield "Left out", [(note,) for note in report.notes]
