"""The kernel of every batch, which runs the parts that Numba compiled: see _loops.hpp."""

from libc.stdint cimport int32_t, int64_t

cdef extern from "_loops.hpp" namespace "batchsim" nogil:
    int32_t run_task(int64_t*, void**, int64_t*, int64_t, int64_t, int64_t)
    int64_t kRepeats
    cppclass Loops:
        pass

ADDRESS = <size_t> &run_task
"""Where it begins: a function `int32 (int64* result, void** exception, int64* table, task, lo, hi)`."""
REPEATS = kRepeats
"""How often each bound of an action's elements follows itself, one row after the other."""
COUNT = sizeof(Loops) // sizeof(int64_t)
"""How many words describe a batch to it."""
