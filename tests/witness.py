"""Lets a sanitizer see what kernels read and write, by way of a compiled witness.cpp."""

import contextlib
import ctypes
import types

import numpy as np

from batchsim import actions
from batchsim.batch import vector
from batchsim.compiler import kernels
from batchsim.compiler.layouts import SHARED, flatten

CHECK, STEP, RESET = (1 << task for task in (kernels.CHECK_ACTIONS, kernels.STEP, kernels.RESET))

USES = {
    **dict.fromkeys(("parameters", "common", "tables", "settings"), (STEP | RESET, 0)),
    **dict.fromkeys(("options", "selected"), (RESET, 0)),
    "action": (CHECK, 0),
    "choice": (STEP, CHECK),
    # Their places in the table still have the last step's, which are the callers' by now.
    **dict.fromkeys(("reward", "terminated", "truncated"), (0, STEP)),
    **dict.fromkeys(("final_observation", "final_info"), (0, STEP)),
    **dict.fromkeys(("returns", "lengths", "durations"), (0, STEP)),
}
"""The tasks that read, and those that write, the arrays of a tile. Of others STEP and RESET write:
columns, the list of finished rows, what is kept of an episode, frames, and the outputs of a reset.
What a task writes it may read as well; that it may write is enough, for a tile's rows are its
thread's alone."""


def uses(tile, same_choice):
    """Return field, array, readers and writers of each array of a tile, in the table's order.

    Args:
        tile: the arrays.
        same_choice: whether `choice` is the memory of `action`, as it is of actions of numbers.
    """
    found = []
    for field, nested in tile._asdict().items():
        names = getattr(nested, "_fields", ()) if field == "episode" else ()
        for k, array in enumerate(flatten(nested)):
            tasks = USES.get(names[k] if names else field, (0, STEP | RESET))
            if field == "choice" and same_choice:
                tasks = CHECK | STEP, 0
            found.append((field, array, *tasks))
    return found


RECORDS = []
"""Kept for good: a kernel may run until its batch is gone."""


class Kernels:
    """In place of a batch's kernels: each is the witness, and the record tells it which it hides.

    Args:
        hidden: the batch's.
        address: of the witness.
        tile: the arrays.
        same_choice: as in `uses`.
    """

    def __init__(self, hidden, address, tile, same_choice):
        self.hidden = hidden
        self.address = address
        self.tile = tile
        self.same_choice = same_choice
        self.record = np.zeros(2 + 4 * len(flatten(tile)), np.int64)
        RECORDS.append(self.record)

    def of(self, kind):
        """Return the kernel for actions of a kind; the driver asks before it goes over to it."""
        kernel = self.hidden.of(kind)
        words = []
        for field, array, readers, writers in uses(self.tile, self.same_choice):
            wide = field in ("action", "choice") and kind != actions.OWN
            size = array.size * (8 if wide else array.itemsize)
            row = 0 if field in SHARED else size // len(array)
            words += [row, size, readers, writers]
        self.record[:] = [kernel.loops.kernel, len(words) // 4, *words]
        hidden = types.SimpleNamespace(kernel=self.address, address=kernel.loops.address)
        return types.SimpleNamespace(interpreted=kernel.interpreted, loops=hidden)


@contextlib.contextmanager
def watching(library):
    """Have the kernels of batches that are made within witnessed by a compiled witness.cpp."""
    loaded = ctypes.CDLL(library)
    address = ctypes.cast(loaded.witness, ctypes.c_void_p).value
    ctypes.c_int64.in_dll(loaded, "before_table").value = len(kernels.BEFORE_TABLE)
    driver = vector.Driver

    def witnessed(made, tile, table, slots, *rest):
        if made.backend == "native":
            made = Kernels(made, address, tile, "choice" in slots)
            table = np.concatenate([[made.record.ctypes.data], table])[1:]
        return driver(made, tile, table, slots, *rest)

    vector.Driver = witnessed
    try:
        yield
    finally:
        vector.Driver = driver
