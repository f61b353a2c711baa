"""One process's share of a run: prints a line of JSON for each number, before and after it.

python -m fuzz.worker '{"kind": "definitions", "seed": 1, "first": 0, "count": 10, …}'
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from . import machine_code
from .generator import Source, generate
from .harness import check
from .reducer import reduced


def tell(**facts: Any) -> None:
    """Print a line."""
    print(json.dumps(facts), flush=True)


def check_definition(share: dict[str, Any], number: int, folder: Path) -> dict[str, Any]:
    """Compare all ways of running a definition; return facts or a failure."""
    source = generate(share["seed"], number, frozenset(share["switches"]), share.get("style"))
    checked = number % share["checked_every"] == 0
    try:
        return {"facts": check(source.text, source, share["seed"], number, folder, checked)}
    except Exception as error:
        text = source.text
        message = say(error)
        if share["attempts"]:
            text, message = reduce(source, share, number, folder, checked)
        return {"failure": f"{message}\n\n{text}"}


def reduce(
    source: Source, share: dict[str, Any], number: int, folder: Path, checked: bool
) -> tuple[str, str]:
    """Return a smaller definition that fails, too, and how."""
    message = ""

    def fails(text: str) -> bool:
        nonlocal message
        try:
            check(text, source, share["seed"], number, folder, checked)
        except AssertionError as difference:
            message = str(difference)
            return True
        except Exception:
            return False
        return False

    if not fails(source.text):
        return source.text, "It fails, but by no difference that can be reduced."
    text = reduced(source.text, fails, share["attempts"])
    fails(text)
    return text, message


def say(error: Exception) -> str:
    """Return what a difference says, or where another error comes from."""
    if isinstance(error, AssertionError):
        return str(error)
    return "".join(traceback.format_exception(error)[-6:])


def check_configuration(share: dict[str, Any], number: int) -> dict[str, Any]:
    """Compare a configuration with Gymnasium; return facts or a failure."""
    from . import configurations  # needs the oracle, which definitions do without

    try:
        return {"facts": configurations.check(share["seed"], number)}
    except Exception as error:
        return {"failure": say(error)}


def read_machine_code(share: dict[str, Any], folder: Path) -> None:
    """Pass each definition's assembly to a function that returns what is wrong with it."""
    module, _, function = share["scanner"].partition(":")
    scan = getattr(importlib.import_module(module), function)
    numbers = range(share["first"], share["first"] + share["count"])
    start = time.process_time()
    for number, text, assembly in machine_code.assemblies(
        share["seed"], numbers, folder, frozenset(share["switches"])
    ):
        findings = list(scan(assembly))
        seconds, start = time.process_time() - start, time.process_time()
        if findings:
            tell(number=number, seconds=seconds, failure="\n".join([*map(str, findings), "", text]))
        else:
            tell(number=number, seconds=seconds, facts={"lines": assembly.count("\n")})


def main() -> None:
    """Do the share that the command line names."""
    share = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="batchsim-fuzz-") as folder:
        if share["kind"] == "machine code":
            read_machine_code(share, Path(folder))
            return
        for number in range(share["first"], share["first"] + share["count"]):
            tell(begun=number)
            start = time.process_time()
            if share["kind"] == "definitions":
                found = check_definition(share, number, Path(folder))
            else:
                found = check_configuration(share, number)
            tell(number=number, seconds=time.process_time() - start, **found)


if __name__ == "__main__":
    main()
