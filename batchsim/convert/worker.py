"""The process in which a class is tried: `python -m batchsim.convert.worker`.

The author's code runs here and nowhere else until the definition is proved: it may hang, open a
window or end the process. The request is read from standard input; messages, a line of JSON each,
go to what was standard output, where nothing that the author prints gets to. Where a stage gives no
sign of life, the process says where it is, and ends.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import pickle
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Convert what is asked for on standard input."""
    request = pickle.load(sys.stdin.buffer)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as messages:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)  # who asks for input gets none
        os.dup2(2, 1)
        _work(request, messages)


def _work(request: Any, messages: Any) -> None:
    stage = "loading"
    opened: set[str] = set()
    patience = request.pop("patience")

    def say(**message: Any) -> None:
        nonlocal stage
        stage = message.get("stage", stage)
        faulthandler.cancel_dump_traceback_later()
        messages.write(json.dumps(message) + "\n")
        messages.flush()
        faulthandler.dump_traceback_later(patience[stage], file=errors, exit=True)

    errors = os.fdopen(os.dup(2), "w")
    faulthandler.enable(file=errors)
    sys.path[:] = request["path"]
    sys.argv[:] = [""]
    _note_opened(opened)
    # The stages are slow to import: they count as the first.
    say(stage=stage)
    from batchsim.convert.refusal import ConversionError, raised
    from batchsim.convert.stages import MistakeError, Request, convert_class

    try:
        report, sources = convert_class(Request(**request), say)
    except MistakeError as error:
        say(mistake=str(error))
    except ConversionError as error:
        say(refusals=[asdict(refusal) for refusal in error.refusals])
    except BaseException as error:  # of the author's: SystemExit, KeyboardInterrupt …
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": .")
        say(refusals=[asdict(raised(error, f"an exception while {stage}", reason))])
    else:
        files = {*sources, *_data(opened, sources)}
        say(report=report.to_json(), sources=sorted(files))
    faulthandler.cancel_dump_traceback_later()
    messages.flush()
    with contextlib.suppress(Exception):
        errors.flush()
    os._exit(0)  # threads and windows of the author's do not hold it up


def _note_opened(opened: set[str]) -> None:
    """Note the files that are read from now on."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and arguments[1] in ("r", "rb"):
            opened.add(arguments[0])

    sys.addaudithook(hook)


def _data(opened: set[str], sources: list[str]) -> set[str]:
    """Return those of the files opened that lie beside the author's modules, data among them."""
    folders = {Path(source).resolve().parent for source in sources}
    found = set()
    for name in opened:
        path = Path(name).resolve()
        beside = any(path.is_relative_to(folder) for folder in folders)
        if beside and path.suffix not in (".py", ".pyc") and path.is_file():
            found.add(str(path))
    return found


if __name__ == "__main__":
    main()
