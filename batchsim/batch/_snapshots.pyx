"""Scans of the rows of a snapshot: snapshots are put back thousands of times a second.

Each returns the number of the first row, or element, that cannot be, and -1 if there is none.
"""

from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.object cimport PyObject
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

cimport numpy as cnp
import numpy as np

cnp.import_array()

ctypedef fused count_t:
    int16_t
    int32_t
    int64_t


cdef cnp.ndarray tidy(cnp.ndarray array):
    """Return an array, or a copy of it, whose elements lie one behind the other and aligned."""
    return array if cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_CARRAY_RO) else np.array(array, order="C")


def first_difference(one_array, other_array):
    """Find where two arrays differ.

    Args:
        one_array: (rows,) uint64.
        other_array: the like, aligned; its rows may be the same memory.
    """
    cdef cnp.ndarray one = tidy(one_array), other = other_array
    cdef const char* a = <const char*> cnp.PyArray_DATA(one)
    cdef const char* b = <const char*> cnp.PyArray_DATA(other)
    cdef Py_ssize_t step_a = cnp.PyArray_STRIDE(one, 0), step_b = cnp.PyArray_STRIDE(other, 0)
    cdef Py_ssize_t k
    for k in range(cnp.PyArray_DIM(one, 0)):
        if (<const uint64_t*> (a + k * step_a))[0] != (<const uint64_t*> (b + k * step_b))[0]:
            return k
    return -1


def first_no_flag(array):
    """Find a byte that is neither 0 nor 1, which compiled code may take for both true and false.

    Args:
        array: bool, of any shape; elements are numbered in the order of C.
    """
    cdef cnp.ndarray flags = tidy(array)
    cdef const uint8_t* data = <const uint8_t*> cnp.PyArray_DATA(flags)
    cdef Py_ssize_t k, size = cnp.PyArray_SIZE(flags)
    cdef uint8_t every = 0
    for k in range(size):
        every |= data[k]
    if every <= 1:
        return -1
    for k in range(size):
        if data[k] > 1:
            return k


cdef Py_ssize_t scan_counts(const count_t* elapsed, const uint8_t* pending, Py_ssize_t rows, count_t most) noexcept:
    cdef Py_ssize_t k
    cdef bint bad = False
    # First without branches, which is what vector instructions can do.
    for k in range(rows):
        bad |= (elapsed[k] < 0) | ((elapsed[k] == most) & (pending[k] == 0))
    for k in range(rows if bad else 0):
        if elapsed[k] < 0 or (elapsed[k] == most and not pending[k]):
            return k
    return -1


def first_bad_count(elapsed_array, pending_array):
    """Find a row whose count of steps is negative, or whose next step the dtype cannot count.

    Args:
        elapsed_array: (rows,), int16, int32 or int64.
        pending_array: (rows,), bool: rows whose next step is a reset, which counts from 0.
    """
    cdef cnp.ndarray elapsed = tidy(elapsed_array), pending = tidy(pending_array)
    cdef Py_ssize_t rows = cnp.PyArray_SIZE(elapsed)
    cdef const uint8_t* over = <const uint8_t*> cnp.PyArray_DATA(pending)
    cdef void* data = cnp.PyArray_DATA(elapsed)
    if elapsed.dtype == np.int16:
        return scan_counts(<const int16_t*> data, over, rows, <int16_t> 0x7FFF)
    if elapsed.dtype == np.int32:
        return scan_counts(<const int32_t*> data, over, rows, <int32_t> 0x7FFFFFFF)
    return scan_counts(<const int64_t*> data, over, rows, <int64_t> 0x7FFFFFFFFFFFFFFF)


def first_bad_stream(state_array, spare_array):
    """Find a row whose random stream no generator can have: PCG64's increments are odd, and a half word that is kept
    is marked by bit 32.

    Args:
        state_array: (rows, 4) uint64, as `batchsim.random.Streams.state`.
        spare_array: (rows,) uint64.
    """
    cdef cnp.ndarray state = tidy(state_array), spare = tidy(spare_array)
    cdef const uint64_t* words = <const uint64_t*> cnp.PyArray_DATA(state)
    cdef const uint64_t* halves = <const uint64_t*> cnp.PyArray_DATA(spare)
    cdef Py_ssize_t k, rows = cnp.PyArray_SIZE(spare)
    cdef uint64_t odd = 1, marks = 0
    for k in range(rows):
        odd &= words[4 * k + 3]
        marks |= halves[k]
    if odd and not marks:
        return -1
    for k in range(rows):
        if words[4 * k + 3] & 1 == 0 or (halves[k] != 0 and halves[k] >> 32 != 1):
            return k
    return -1


def first_bad_seed(array, known_array):
    """Find what is no seed: a whole number of at least -1, which stands for an unknown one, or None.

    Args:
        array: (rows,) of objects.
        known_array: (any,) of objects that are seeds; one in the same place need not be looked at again.
    """
    cdef cnp.ndarray seeds = tidy(array), known_seeds = tidy(known_array)
    cdef PyObject** data = <PyObject**> cnp.PyArray_DATA(seeds)
    cdef PyObject** known = <PyObject**> cnp.PyArray_DATA(known_seeds)
    cdef Py_ssize_t k, known_rows = cnp.PyArray_SIZE(known_seeds)
    cdef PyObject* before = <PyObject*> None
    for k in range(cnp.PyArray_SIZE(seeds)):
        # NumPy reads NULL as None. To look at an object takes longer than to see that it is a known one.
        if data[k] is NULL or data[k] == before or (k < known_rows and data[k] == known[k]):
            continue
        if data[k] != <PyObject*> None and not is_seed(<object> data[k]):
            return k
        before = data[k]
    return -1


cdef inline bint is_seed(object value) except -1:
    cdef int overflow
    if not PyLong_CheckExact(value):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            return False
        value = int(value)
    return PyLong_AsLongLongAndOverflow(value, &overflow) >= -1 and overflow >= 0
