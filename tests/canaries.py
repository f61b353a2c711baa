"""Arrays between canaries: what a kernel writes beyond the arrays it was given is noticed.

Machine code made by Numba checks no index, and no sanitizer sees into it. Within `guard()` every
array of a batch lies in a block of its own: its columns, the outputs of its pools, whatever else
the driver's table points at. `Canaries.check` tells whether anything beside them has changed.

    with canaries.guard() as guarded:
        envs = batchsim.make_vec("CartPole-v1", 100)
        envs.reset(seed=0)
        envs.step(actions, out=(guarded.zeros((100, 4), np.float32), None, None, None))
        guarded.check()

With `guard(pages=True)`, on Linux, each array ends where a page begins that nobody may touch: what
reads beyond it ends the process too, at that very instruction.
"""

import contextlib
import ctypes
import mmap
import sys
import weakref

import numpy as np

from batchsim.batch import _buffers, allocation

ZONE = 512
"""Bytes of poison on either side of an array, at least: eight of the widest vectors."""

POISON = b"\xa5"
"""No pattern that computing leaves behind: not 0, 1 or 255, nor a byte of a round number."""

LINE = 64
"""Where arrays begin, as those of the pools do."""

HAS_PAGES = sys.platform.startswith("linux")
"""Whether `guard(pages=True)` works here."""


class _Guarded(_buffers.Memory):
    """The base of an array whose data lie in a block with poison around them.

    It takes the place of the `Memory` of a pool's array. The driver looks up there where the data
    begin, in a field that Python code reaches only by its place.
    """

    def __new__(cls, *_):
        """Make what the driver knows, without memory of its own."""
        return super().__new__(cls, 0)

    def __init__(self, shape, dtype, block, start, zones, dead):
        """Place an array at `start` of the block, and poison in `zones`, its ranges beside it."""
        self.name = f"an array {shape} of {dtype}"
        self.block, self.start, self.zones, self.dead = block, start, zones, dead
        for zone in zones:
            block[zone] = POISON * (zone.stop - zone.start)
        data = _address_of(block) + start
        self.own_data = _words(self)[DATA_WORD]
        _words(self)[DATA_WORD] = data
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (data, False),
            "version": 3,
        }

    def damage(self):
        """Return what was written beside the array, or None."""
        for zone in self.zones:
            found = bytes(self.block[zone])
            if found != POISON * len(found):
                changed = [k for k, byte in enumerate(found) if byte != POISON[0]]
                first, last = (zone.start + changed[k] - self.start for k in (0, -1))
                return f"{len(changed)} bytes beside {self.name}, at its bytes {first} to {last}"
        return None

    def __del__(self):
        found = self.damage()
        if found:
            self.dead.append(found)
        _words(self)[DATA_WORD] = self.own_data


def _address_of(block):
    return ctypes.addressof(ctypes.c_char.from_buffer(block))


def _words(memory):
    return ctypes.cast(id(memory), ctypes.POINTER(ctypes.c_size_t))


def _find_data_word():
    """Return which word of a `Memory` says where its data begin."""
    array = _buffers.aligned_zeros((1,), np.uint8)
    words = _words(array.base)
    count = _buffers.Memory.__basicsize__ // ctypes.sizeof(ctypes.c_size_t)
    # A block that happens to begin on a cache line has that address twice; the data come last.
    return [k for k in range(count) if words[k] == array.ctypes.data][-1]


DATA_WORD = _find_data_word()


class Canaries:
    """The arrays made within one `guard()`."""

    def __init__(self, pages):
        self.made = 0
        self._place = _before_a_page if pages else _between_poison
        self._alive = {}
        self._dead = []

    def zeros(self, shape, dtype):
        """Return an array of zeros between canaries, as good as one of a pool."""
        shape, dtype = tuple(map(int, shape)), np.dtype(dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        memory = _Guarded(shape, dtype, *self._place(nbytes), self._dead)
        number = self.made
        self.made += 1
        self._alive[number] = weakref.ref(memory, lambda _: self._alive.pop(number, None))
        return np.asarray(memory)

    def copy(self, array):
        """Return such an array with these values, laid out and protected as `array` is."""
        if not array.flags.c_contiguous:
            assert array.flags.f_contiguous
            return self.copy(array.T).T
        found = self.zeros(array.shape, array.dtype)
        found[...] = array
        if not array.flags.writeable:
            found.flags.writeable = False
        return found

    def check(self):
        """Assert that nothing was written beside any array, those that are gone included."""
        alive = [memory() for memory in list(self._alive.values())]
        found = self._dead + [memory.damage() for memory in alive if memory is not None]
        found = [damage for damage in found if damage]
        assert not found, "written: " + "; ".join(found)


def _between_poison(nbytes):
    """Return a block, where in it an array begins, and the zones beside it."""
    block = bytearray(2 * ZONE + LINE + nbytes)
    start = ZONE + -(_address_of(block) + ZONE) % LINE
    return block, start, (slice(0, start), slice(start + nbytes, len(block)))


def _before_a_page(nbytes):
    """Return the like, with pages at both ends of the block that nobody may touch."""
    page = mmap.PAGESIZE
    end = page - -nbytes // page * page
    # Private: what a forked child writes is its own.
    block = mmap.mmap(-1, end + page, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for address in (_address_of(block), _address_of(block) + end):
        if ctypes.CDLL(None).mprotect(ctypes.c_void_p(address), ctypes.c_size_t(page), 0):
            raise MemoryError("No more pages can be protected; see vm.max_map_count.")
    start = end - nbytes
    return block, start, (slice(page, start),)


@contextlib.contextmanager
def guard(pages=False):
    """Put canaries around every array of the batches made within; yields `Canaries`.

    Asserts at the end that they are whole. Batches made within may outlive it.
    """
    canaries = Canaries(pages)
    aligned_zeros, tile = _buffers.aligned_zeros, allocation.Allocator.tile

    def cover(nested):
        if isinstance(nested, np.ndarray):
            return nested if _is_guarded(nested) else canaries.copy(nested)
        members = [cover(member) for member in nested]
        return type(nested)(*members) if hasattr(nested, "_fields") else tuple(members)

    _buffers.aligned_zeros = allocation.aligned_zeros = canaries.zeros
    # Streams, options and tables are not made by aligned_zeros.
    allocation.Allocator.tile = lambda allocator: cover(tile(allocator))
    try:
        yield canaries
    finally:
        _buffers.aligned_zeros = allocation.aligned_zeros = aligned_zeros
        allocation.Allocator.tile = tile
    canaries.check()


def _is_guarded(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, _Guarded)
