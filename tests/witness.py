"""Lets a sanitizer see what kernels read and write, by way of a compiled witness.cpp."""

import contextlib
import ctypes

import numpy as np

from batchsim.batch import vector
from batchsim.compiler import compile, kernels
from batchsim.compiler.columns import SHARED

CHECK, STEP, RESET = (1 << task for task in (kernels.CHECK_ACTIONS, kernels.STEP, kernels.RESET))

USES = {
    "parameters": (STEP | RESET, 0),
    "common": (STEP | RESET, 0),
    "options": (STEP | RESET, 0),
    "tables": (STEP | RESET, 0),
    "settings": (STEP | RESET, 0),
    "selected": (RESET, 0),
    "action": (CHECK | STEP, 0),
    "choice": (STEP, CHECK),
    # Their places in the table still have the last step's, which are the callers' by now.
    **dict.fromkeys(("reward", "terminated", "truncated"), (0, STEP)),
    **dict.fromkeys(("final_observation", "final_info"), (0, STEP)),
    **dict.fromkeys(("returns", "lengths", "durations"), (0, STEP)),
}
"""The tasks that read, and those that write, the arrays of a tile; of others, columns and the
outputs of a reset, STEP and RESET write. That a task may do so is enough: a tile's rows are its
thread's alone."""

RECORDS = []
"""Kept for good: a kernel may run until its batch is gone."""


def _record(kernel, tile, same_choice):
    """Return what the witness needs to know, as the words of its `Record`."""
    words = []
    for field, nested in tile._asdict().items():
        names = getattr(nested, "_fields", ()) if field == "episode" else ()
        for k, array in enumerate(compile.flatten(nested)):
            uses = USES.get(names[k] if names else field, (0, STEP | RESET))
            if field == "choice" and same_choice:
                uses = USES["action"]
            row = 0 if field in SHARED else array.nbytes // len(array)
            words.append((row, array.nbytes, *uses))
    return np.array([kernel, len(words), *np.ravel(words)], np.int64)


@contextlib.contextmanager
def watching(library):
    """Have the kernels of batches that are made within witnessed by a compiled witness.cpp."""
    address = ctypes.cast(ctypes.CDLL(library).witness, ctypes.c_void_p).value
    driver = vector.Driver

    def witnessed(kernel, tile, arrays, slots, *rest):
        if callable(kernel):
            return driver(kernel, tile, arrays, slots, *rest)
        record = _record(kernel, tile, "choice" in slots)
        RECORDS.append(record)
        places = {
            name: tuple(k + 1 for k in place) if isinstance(place, tuple) else place + 1
            for name, place in slots.items()
        }
        return driver(address, tile, [record, *arrays], places, *rest)

    vector.Driver = witnessed
    try:
        yield
    finally:
        vector.Driver = driver
