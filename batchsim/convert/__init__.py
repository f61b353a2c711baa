"""From a class of `gymnasium.Env` to a definition: `batchsim.convert(Class)`.

Each stage is a file and can be seen by itself: `program.py` finds the class and reads its source,
`watch.py` runs episodes of it, `attributes.py` sorts what it holds, `compose.py` writes the
definition, `source.py` makes it text, `prove.py` compares it with the class. `stages.py` runs one
after the other, in the process of `worker.py`; `pipeline.py` starts that process, and keeps what
comes of it.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from batchsim.convert.pipeline import convert, report_of
from batchsim.convert.refusal import ConversionError, Refusal
from batchsim.convert.report import Report

__all__ = ["ConversionError", "Refusal", "Report", "convert", "report_of"]


class _Package(types.ModuleType):
    """The package, which can be called: `batchsim.convert` is both."""

    def __call__(self, *args: Any, **kwargs: Any) -> types.ModuleType:
        return convert(*args, **kwargs)


sys.modules[__name__].__class__ = _Package
