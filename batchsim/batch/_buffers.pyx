"""Output arrays, handed out again only when nobody else holds them.

A returned array is the caller's for as long as anything refers to it: the array, a view of it, a tensor that
shares its memory. When the last reference is gone the pool gives it out again, so that a training loop neither
copies nor allocates.
"""

from cpython.list cimport PyList_GET_ITEM
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uintptr_t

cimport numpy as cnp

import math

import numpy as np

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject*)
    const Py_ssize_t PY_SSIZE_T_MAX

cdef extern from "numpy/arrayobject.h":
    object PyArray_NewFromDescr(
        type subtype, cnp.dtype descr, int nd, cnp.npy_intp* dims, cnp.npy_intp* strides,
        void* data, int flags, object obj)

cdef extern from *:
    """
    #ifdef __linux__
    #include <sys/mman.h>
    #endif

    /* Ask for large pages, of which many fewer hold a block. Fails silently: it is a wish. */
    static void want_large_pages(void *start, size_t nbytes) {
    #if defined(__linux__) && defined(MADV_HUGEPAGE)
        const size_t page = 4096;
        size_t first = ((size_t)start + page - 1) / page * page;
        size_t end = ((size_t)start + nbytes) / page * page;
        if (end > first) madvise((void *)first, end - first, MADV_HUGEPAGE);
    #else
        (void)start, (void)nbytes;
    #endif
    }
    """
    void want_large_pages(void* start, size_t nbytes) noexcept nogil

cdef enum:
    LARGE = 4 * 1024 * 1024  # bytes
    ALIGNMENT = 64  # a cache line, and the widest vector
    LINES = 64  # in a page, and sets in a cache of the first level: what lies a page apart competes for ways
    STRIDE = 25  # lines, and no divisor of them
    PROBES = 4
    MAX_ARRAYS = 256
    MAX_BYTES = 32 * 1024 * 1024
    MOST_AXES = 64  # of an array of NumPy


cdef Py_ssize_t blocks = 0


cdef class Memory:
    """A block of zeroed memory that starts on a cache line; the base of the arrays in it.

    Large blocks come from whole pages. One after the other starts on another line of its page, so that the same rows
    of many columns have room in the cache together.
    """

    def __cinit__(self, Py_ssize_t nbytes):
        global blocks
        cdef Py_ssize_t apart = 0
        if nbytes >= LINES * ALIGNMENT:
            blocks += 1
            apart = blocks * STRIDE % LINES * ALIGNMENT
        # Zeroed by the system, pages that are never touched take no memory.
        self.allocated = PyMem_RawCalloc(nbytes + apart + ALIGNMENT, 1)
        if self.allocated is NULL:
            raise MemoryError(f"The system has no {nbytes:,} bytes of memory for the arrays of a batch.")
        if nbytes >= LARGE:
            want_large_pages(self.allocated, nbytes + apart + ALIGNMENT)
        cdef uintptr_t address = <uintptr_t> self.allocated
        self.data = <void*> (((address + ALIGNMENT - 1) & ~(<uintptr_t> ALIGNMENT - 1)) + apart)

    def __dealloc__(self):
        PyMem_RawFree(self.allocated)


def share_memory(list arrays):
    """Tell whether any two of these arrays lie in the same memory, or in between one another's elements."""
    cdef Py_ssize_t k, j, count = len(arrays)
    for k in range(count):
        for j in range(k):
            if _share_memory(arrays[k], arrays[j]):
                return True
    return False


cdef bint _share_memory(cnp.ndarray a, cnp.ndarray b) except -1:
    cdef uintptr_t first = <uintptr_t> cnp.PyArray_DATA(a), second = <uintptr_t> cnp.PyArray_DATA(b)
    if cnp.PyArray_IS_C_CONTIGUOUS(a) and cnp.PyArray_IS_C_CONTIGUOUS(b):
        return (
            first < second + <uintptr_t> cnp.PyArray_NBYTES(b) and second < first + <uintptr_t> cnp.PyArray_NBYTES(a))
    return np.may_share_memory(a, b)


def aligned_zeros(shape, dtype):
    """Return a C-contiguous array of zeros whose data start on a cache line.

    A view of it refers to the array itself, not to the memory below, so that the array's reference count
    tells whether anyone still sees its data.

    Raises ValueError for more axes than an array can have, MemoryError for more bytes than there can be.
    """
    cdef cnp.dtype descr = np.dtype(dtype)
    cdef cnp.npy_intp dims[MOST_AXES]
    cdef int nd = len(shape)
    if nd > MOST_AXES:
        raise ValueError(f"An array would have {nd} axes, {shape}; expected at most {MOST_AXES}.")
    nbytes = size_of(shape, descr)
    # Half of all addresses: what is added below, and every place in the array, is then far from wrapping around.
    if nbytes > PY_SSIZE_T_MAX // 2:
        raise MemoryError(f"An array of shape {shape} and dtype {descr} would have {nbytes:,} bytes.")
    for k in range(nd):
        dims[k] = shape[k]
    memory = Memory(nbytes)
    Py_INCREF(descr)  # PyArray_NewFromDescr takes the reference over
    array = PyArray_NewFromDescr(
        cnp.ndarray, descr, nd, dims, NULL, (<Memory> memory).data, cnp.NPY_ARRAY_CARRAY, None)
    cnp.set_array_base(array, memory)
    return array


def size_of(shape, dtype):
    """Return the bytes of an array, a Python int: the product of its axes may be more than 64 bits hold."""
    return math.prod(map(int, shape)) * dtype.itemsize


cdef inline bint is_whole(cnp.ndarray array, tuple shape, object dtype) noexcept:
    """Tell whether nobody has changed the array's shape, dtype, flags or data pointer in place."""
    cdef int k
    if cnp.PyArray_NDIM(array) != len(shape) or <PyObject*> cnp.PyArray_DESCR(array) != <PyObject*> dtype:
        return False
    for k in range(len(shape)):
        if cnp.PyArray_DIM(array, k) != <Py_ssize_t> shape[k]:
            return False
    return (
        cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_CARRAY)
        and cnp.PyArray_DATA(array) == (<Memory> cnp.get_array_base(array)).data
    )


cdef class BufferPool:
    """Arrays of one shape and dtype.

    The pool remembers the arrays it made, up to a bound, in the order in which it handed them out. One whose
    only reference is the pool's own is free. If none of the oldest few is, a new array is made; so a
    caller who keeps every result gets a new one each time, and memory is bounded by what is held.
    """

    def __cinit__(self, tuple shape, dtype):
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.arrays = []
        self.limit = max(PROBES, min(MAX_ARRAYS, MAX_BYTES // max(1, size_of(shape, self.dtype))))

    cdef object take(self):
        """Return an array that nobody else holds; its contents are arbitrary."""
        cdef Py_ssize_t size = len(self.arrays)
        cdef Py_ssize_t k, place
        cdef PyObject* array
        for k in range(min(size, PROBES)):
            place = self.turn + k
            if place >= size:
                place -= size
            array = PyList_GET_ITEM(self.arrays, place)
            if Py_REFCNT(array) == 1 and is_whole(<cnp.ndarray> array, self.shape, self.dtype):
                self.turn = place + 1 if place + 1 < size else 0
                return <object> array
        if size > PROBES:
            # These are held, perhaps for good: look at others next time.
            self.turn = (self.turn + PROBES) % size
        fresh = aligned_zeros(self.shape, self.dtype)
        if size < self.limit:
            self.arrays.insert(self.turn, fresh)
            size += 1
        else:
            self.arrays[self.turn] = fresh
        self.turn = self.turn + 1 if self.turn + 1 < size else 0
        return fresh

    cdef bint accepts(self, object array) except -1:
        """Tell whether a caller's array can be written as if it were the pool's."""
        return (
            isinstance(array, np.ndarray)
            and (<object> array).dtype == self.dtype
            and (<object> array).shape == self.shape
            and cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_CARRAY)
        )
