from libc.stdint cimport int64_t


cdef class Memory:
    cdef void* allocated
    cdef void* data


cdef class BufferPool:
    cdef list arrays
    cdef Py_ssize_t turn, limit
    cdef readonly tuple shape
    cdef readonly object dtype

    cdef object take(self)
    cdef bint accepts(self, object array) except -1
