"""Streams of random numbers, one a row: the kinds that there are, and what is drawn from them.

A definition names its kind as `RANDOM`; authors import the draws from the kind's own module.
"""

import importlib
from typing import Any

GENERATOR = "numpy.random.Generator"
RANDOM_STATE = "numpy.random.RandomState"
PYTHON = "random.Random"

MODULES = {
    GENERATOR: "batchsim.random",
    RANDOM_STATE: "batchsim.random_state",
    PYTHON: "batchsim.python_random",
}
"""Of each kind the module that authors import its draws from, the default first."""


def module_of(kind: str) -> Any:
    """Return that module, which has `allocate`, `seed_rows` and `fresh_seeds` of the kind too."""
    return importlib.import_module(MODULES[kind])


def is_other_stream(function: Any, kind: str) -> bool:
    """Tell whether a function draws from streams of another kind."""
    module = getattr(function, "__module__", None)
    return module in MODULES.values() and module != MODULES[kind] and callable(function)
