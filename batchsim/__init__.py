"""batchsim: reinforcement-learning environments stepped in batch, bit-equal to Gymnasium's, in one
process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchsim import gymnasium_plugin
from batchsim.registry import environments, register

if TYPE_CHECKING:
    from batchsim.batch.single import SingleEnv, make
    from batchsim.batch.vector import BatchEnv, make_vec
    from batchsim.checking import CheckError, check
    from batchsim.columns import column
    from batchsim.convert import ConversionError, convert
    from batchsim.definition import CompileError

__version__ = "0.2.0"

__all__ = [
    "BatchEnv",
    "CheckError",
    "CompileError",
    "ConversionError",
    "SingleEnv",
    "check",
    "column",
    "convert",
    "environments",
    "make",
    "make_vec",
    "register",
]

_MODULES = {
    "BatchEnv": "batchsim.batch.vector",
    "CheckError": "batchsim.checking",
    "CompileError": "batchsim.definition",
    "ConversionError": "batchsim.convert",
    "SingleEnv": "batchsim.batch.single",
    "check": "batchsim.checking",
    "column": "batchsim.columns",
    "make": "batchsim.batch.single",
    "make_vec": "batchsim.batch.vector",
}


def __getattr__(name: str) -> Any:
    # The compiler is loaded when an environment is made: listing ids or printing help needs none.
    import importlib

    if name == "convert":  # a package that can be called
        return importlib.import_module("batchsim.convert")
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'batchsim' has no attribute {name!r}")


gymnasium_plugin.install()
