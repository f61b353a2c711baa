"""The random stream of a row as a bit generator of NumPy's, whose draws advance the row.

PCG-XSL-RR-128/64 (O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for
Random Number Generation", 2014), as NumPy's PCG64 has it; batchsim.random has the same for kernels.
"""

from libc.stdint cimport uint32_t, uint64_t

from numpy.random cimport BitGenerator

import numpy as np

cdef extern from *:
    """
    #include <stdint.h>

    /* Four words of state (high, low, increment high, increment low), and the half word that is kept for
       the next draw of 32 bits, with bit 32 set; 0 if none is. */
    struct Stream { uint64_t *state, *spare; };

    static inline uint64_t high_of_product(uint64_t a, uint64_t b) {
        const uint64_t low = 0xffffffffu;
        uint64_t first = (a & low) * (b & low);
        uint64_t second = (a >> 32) * (b & low) + (first >> 32);
        uint64_t third = (a & low) * (b >> 32) + (second & low);
        return (a >> 32) * (b >> 32) + (second >> 32) + (third >> 32);
    }

    static inline uint64_t next_word(void *of) {
        const uint64_t by_high = 0x2360ED051FC65DA4u, by_low = 0x4385DF649FCCF645u;
        uint64_t *state = ((Stream *)of)->state;
        uint64_t low = state[1] * by_low + state[3];
        uint64_t high = high_of_product(state[1], by_low) + state[1] * by_high + state[0] * by_low
            + state[2] + (low < state[3]);
        state[0] = high;
        state[1] = low;
        uint64_t folded = high ^ low, by = high >> 58;
        return folded >> by | folded << (-by & 63);
    }

    static inline uint32_t next_half(void *of) {
        uint64_t *spare = ((Stream *)of)->spare;
        if (*spare) {
            uint32_t kept = (uint32_t)*spare;
            *spare = 0;
            return kept;
        }
        uint64_t word = next_word(of);
        *spare = word >> 32 | (uint64_t)1 << 32;
        return (uint32_t)word;
    }

    static inline double next_fraction(void *of) { return (next_word(of) >> 11) * (1.0 / 9007199254740992.0); }
    """
    struct Stream:
        uint64_t* state
        uint64_t* spare
    uint64_t next_word(void* of) noexcept nogil
    uint32_t next_half(void* of) noexcept nogil
    double next_fraction(void* of) noexcept nogil


cdef class RowStream(BitGenerator):
    """A bit generator that is at the point of the stream where a row is, and moves with it.

    A copy and a pickle are a PCG64, at that point once and for all.

    Args:
        state: words (N, 4), C-contiguous.
        spare: half words (N,).
        row: of the arrays.
        seed: what `spawn` goes on from; None for entropy of the operating system.
    """

    cdef object owners
    cdef Stream stream
    cdef uint64_t[5] own

    def __init__(self, uint64_t[:, ::1] state, uint64_t[::1] spare, Py_ssize_t row, seed=None):
        if not 0 <= row < min(state.shape[0], spare.shape[0]) or state.shape[1] != 4:
            raise IndexError(f"row is {row}; expected one of {spare.shape[0]} rows")
        BitGenerator.__init__(self, seed)
        self.owners = state.base, spare.base
        self.stream.state = &state[row, 0]
        self.stream.spare = &spare[row]
        self._bitgen.state = &self.stream
        self._bitgen.next_uint64 = next_word
        self._bitgen.next_uint32 = next_half
        self._bitgen.next_double = next_fraction
        self._bitgen.next_raw = next_word

    def let_go(self):
        """Go on from this point without the row, as what a reset with a seed leaves behind."""
        cdef int k
        with self.lock:
            for k in range(4):
                self.own[k] = self.stream.state[k]
            self.own[4] = self.stream.spare[0]
            self.stream.state = &self.own[0]
            self.stream.spare = &self.own[4]
            self.owners = None

    @property
    def state(self):
        """The point of the stream, as `PCG64.state` has it."""
        with self.lock:
            words = [self.stream.state[k] for k in range(4)]
            spare = self.stream.spare[0]
        return {
            "bit_generator": "PCG64",
            "state": {"state": words[0] << 64 | words[1], "inc": words[2] << 64 | words[3]},
            "has_uint32": int(spare >> 32),
            "uinteger": int(spare & 0xFFFFFFFF),
        }

    @state.setter
    def state(self, value):
        # NumPy's own reads it, and says what is wrong with it.
        numpys = np.random.PCG64(0)
        numpys.state = value
        read = numpys.state
        words = []
        for name in ("state", "inc"):
            words += [read["state"][name] >> 64, read["state"][name] & 0xFFFFFFFFFFFFFFFF]
        # Without a spare half word NumPy leaves the last one there, which must not make two rows differ.
        spare = 1 << 32 | read["uinteger"] if read["has_uint32"] else 0
        with self.lock:
            for k in range(4):
                self.stream.state[k] = words[k]
            self.stream.spare[0] = spare

    def advance(self, delta):
        """Move on by `delta` draws of 64 bits, as `PCG64.advance` does; returns this."""
        numpys = self._copied()
        numpys.advance(delta)
        self.state = numpys.state
        return self

    def jumped(self, jumps=1):
        """Return what `PCG64.jumped` does: a PCG64 further on, as if after so many jumps."""
        return self._copied().jumped(jumps)

    def spawn(self, n_children):
        """Return PCG64s of their own, as those that `PCG64.spawn` returns."""
        return [np.random.PCG64(child) for child in self._seed_seq.spawn(n_children)]

    def _copied(self):
        return _numpys(self.state, self._seed_seq)

    def __reduce__(self):
        return _numpys, (self.state, self._seed_seq)

    def __copy__(self):
        return self._copied()

    def __deepcopy__(self, memo):
        return self._copied()


def _numpys(state, seed_sequence):
    """Return the PCG64 that a copy of a RowStream is."""
    numpys = np.random.PCG64(seed_sequence)
    numpys.state = state
    return numpys
