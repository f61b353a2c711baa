/* The loops that measure the machine, and one that calls a kernel as the driver does.

   Portable C with vector extensions of GCC and Clang; VECTOR_BYTES is the width of a vector. Every
   loop returns the nanoseconds that it took, and leaves its results where the compiler must keep
   them. */

#include <math.h>
#include <stdint.h>
#include <time.h>

#ifndef VECTOR_BYTES
#define VECTOR_BYTES 32
#endif

/* Enough independent chains to fill two adders and two multipliers of four cycles each, and few
   enough to stay in 16 registers beside the constants. */
#define CHAINS 12

typedef float Float32s __attribute__((vector_size(VECTOR_BYTES)));
typedef double Float64s __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t Words __attribute__((vector_size(VECTOR_BYTES)));

/* Without this the compiler would make memset and memcpy of the loops, which store past the cache. */
#define KEEP_LOOP __asm__ volatile("" ::: "memory")

volatile double sink;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* --- Arithmetic --------------------------------------------------------------------------------- */

#define ARITHMETIC(NAME, NUMBER, VECTOR, STATEMENT)                       \
    int64_t NAME(int64_t rounds, double constant) {                       \
        VECTOR x[CHAINS], c = {0};                                        \
        c += (NUMBER)constant;                                            \
        for (int k = 0; k < CHAINS; k++) x[k] = c + (NUMBER)k;            \
        int64_t start = now();                                            \
        for (int64_t r = 0; r < rounds; r++) {                            \
            _Pragma("GCC unroll 12") for (int k = 0; k < CHAINS; k++) {   \
                STATEMENT;                                                \
            }                                                             \
        }                                                                 \
        int64_t took = now() - start;                                     \
        VECTOR sum = x[0];                                                \
        for (int k = 1; k < CHAINS; k++) sum += x[k];                     \
        for (unsigned k = 0; k < VECTOR_BYTES / sizeof(NUMBER); k++) sink = sum[k]; \
        return took;                                                      \
    }

/* `rounds` times CHAINS vector operations. */
ARITHMETIC(add32, float, Float32s, x[k] = x[k] + c)
ARITHMETIC(add64, double, Float64s, x[k] = x[k] + c)
ARITHMETIC(multiply32, float, Float32s, x[k] = x[k] * c)
ARITHMETIC(multiply64, double, Float64s, x[k] = x[k] * c)
ARITHMETIC(mixed32, float, Float32s, x[k] = k % 2 ? x[k] * c : x[k] + c)
ARITHMETIC(mixed64, double, Float64s, x[k] = k % 2 ? x[k] * c : x[k] + c)
/* Swings between two values, neither of them special. */
ARITHMETIC(divide32, float, Float32s, x[k] = c / x[k])
ARITHMETIC(divide64, double, Float64s, x[k] = c / x[k])

#define ROOTS 512

#define SQUARE_ROOT(NAME, NUMBER, FUNCTION)                               \
    int64_t NAME(int64_t rounds, double constant) {                       \
        static _Thread_local NUMBER from[ROOTS], to[ROOTS];               \
        for (int k = 0; k < ROOTS; k++) from[k] = (NUMBER)(constant + k); \
        int64_t start = now();                                            \
        for (int64_t r = 0; r < rounds; r++) {                            \
            for (int k = 0; k < ROOTS; k++) to[k] = FUNCTION(from[k]);    \
            KEEP_LOOP;                                                    \
        }                                                                 \
        int64_t took = now() - start;                                     \
        sink = to[ROOTS / 2];                                             \
        return took;                                                      \
    }

/* `rounds` times ROOTS square roots. */
SQUARE_ROOT(square_root32, float, __builtin_sqrtf)
SQUARE_ROOT(square_root64, double, __builtin_sqrt)

/* `rounds` times 16 operations that wait for each other and take one cycle each. */
int64_t cycles(int64_t rounds, int64_t a, int64_t b) {
    uint64_t x = 1, p = (uint64_t)a, q = (uint64_t)b;
    int64_t start = now();
    for (int64_t r = 0; r < rounds; r++) {
        _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++) {
            x = (x ^ p) + q;
        }
    }
    int64_t took = now() - start;
    sink = (double)x;
    return took;
}

/* --- Bandwidth: `rounds` passes over streams of `length` vectors, `stride` vectors apart --------- */

int64_t read_streams(int64_t rounds, const Words *a, int64_t length, int64_t stride) {
    Words x[8] = {{0}};
    (void)stride;
    int64_t start = now();
    for (int64_t r = 0; r < rounds; r++) {
        for (int64_t i = 0; i + 8 <= length; i += 8) {
            _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++) x[k] ^= a[i + k];
        }
        KEEP_LOOP;
    }
    int64_t took = now() - start;
    for (int k = 0; k < 8; k++) sink = (double)x[k][0];
    return took;
}

int64_t write_streams(int64_t rounds, Words *a, int64_t length, int64_t stride) {
    (void)stride;
    int64_t start = now();
    for (int64_t r = 0; r < rounds; r++) {
        Words value = {r};
        for (int64_t i = 0; i + 4 <= length; i += 4) {
            _Pragma("GCC unroll 4") for (int k = 0; k < 4; k++) a[i + k] = value;
            KEEP_LOOP;
        }
    }
    return now() - start;
}

int64_t copy_streams(int64_t rounds, Words *a, int64_t length, int64_t stride) {
    Words *b = a + stride;
    int64_t start = now();
    for (int64_t r = 0; r < rounds; r++) {
        for (int64_t i = 0; i + 4 <= length; i += 4) {
            _Pragma("GCC unroll 4") for (int k = 0; k < 4; k++) b[i + k] = a[i + k];
            KEEP_LOOP;
        }
    }
    return now() - start;
}

/* As a kernel: four streams that are read and written (the state), two that are read (actions,
   counters) and four that are written (observations, rewards, flags); 14 accesses an element. */
int64_t mix_streams(int64_t rounds, Words *a, int64_t length, int64_t stride) {
    Words *s0 = a, *s1 = s0 + stride, *s2 = s1 + stride, *s3 = s2 + stride;
    const Words *r0 = s3 + stride, *r1 = r0 + stride;
    Words *w0 = (Words *)r1 + stride, *w1 = w0 + stride, *w2 = w1 + stride, *w3 = w2 + stride;
    int64_t start = now();
    for (int64_t r = 0; r < rounds; r++) {
        for (int64_t i = 0; i < length; i++) {
            Words p = r0[i], q = r1[i];
            Words x0 = s0[i] ^ p, x1 = s1[i] ^ q, x2 = s2[i] ^ p, x3 = s3[i] ^ q;
            s0[i] = x0;
            s1[i] = x1;
            s2[i] = x2;
            s3[i] = x3;
            w0[i] = x0;
            w1[i] = x1;
            w2[i] = x2;
            w3[i] = x3;
            KEEP_LOOP;
        }
    }
    return now() - start;
}

/* --- The C library's functions: `rounds` passes over `length` arguments ------------------------- */

typedef double (*Unary)(double);
typedef double (*Binary)(double, double);
typedef void (*SinCos)(double, double *, double *);

int64_t call_unary(int64_t rounds, Unary function, const double *x, int64_t length) {
    int64_t start = now();
    double sum = 0.0;
    for (int64_t r = 0; r < rounds; r++) {
        for (int64_t i = 0; i < length; i++) sum += function(x[i]);
    }
    sink = sum;
    return now() - start;
}

int64_t call_binary(int64_t rounds, Binary function, const double *x, const double *y, int64_t length) {
    int64_t start = now();
    double sum = 0.0;
    for (int64_t r = 0; r < rounds; r++) {
        for (int64_t i = 0; i < length; i++) sum += function(x[i], y[i]);
    }
    sink = sum;
    return now() - start;
}

int64_t call_sincos(int64_t rounds, SinCos function, const double *x, int64_t length) {
    int64_t start = now();
    double sum = 0.0, sine, cosine;
    for (int64_t r = 0; r < rounds; r++) {
        for (int64_t i = 0; i < length; i++) {
            function(x[i], &sine, &cosine);
            sum += sine + cosine;
        }
    }
    sink = sum;
    return now() - start;
}

/* --- A kernel ----------------------------------------------------------------------------------- */

typedef int32_t (*Kernel)(int64_t *, void **, int64_t *, int64_t, int64_t, int64_t);
enum { CHECK_ACTIONS, STEP };

/* Step `rows` rows `steps` times: check all actions, then step tile by tile. Actions begin
   `offsets[(first + k) % cycle]` bytes into `actions` in step k; `slots` are the `slot_count` places of the
   table that get their address. `check_ns` and `step_ns` (NULL for none) get the times of each step,
   `finished` the episodes that ended in it. Returns the nanoseconds, or -1 if an action was refused. */
int64_t run_kernel(Kernel kernel, int64_t *table, const int64_t *slots, int64_t slot_count,
                   const char *actions, const int64_t *offsets, int64_t first, int64_t cycle,
                   int64_t steps, int64_t rows, int64_t tile, int64_t *check_ns, int64_t *step_ns, int64_t *finished) {
    void *exception = 0;
    int64_t start = now();
    for (int64_t k = 0; k < steps; k++) {
        for (int64_t j = 0; j < slot_count; j++) {
            table[slots[j]] = (int64_t)(intptr_t)(actions + offsets[(first + k) % cycle]);
        }
        int64_t result = 0, total = 0, before = check_ns ? now() : 0;
        kernel(&result, &exception, table, CHECK_ACTIONS, 0, rows);
        if (result) return -1;
        int64_t checked = check_ns ? now() : 0;
        for (int64_t lo = 0; lo < rows; lo += tile) {
            kernel(&result, &exception, table, STEP, lo, lo + tile < rows ? lo + tile : rows);
            total += result;
        }
        if (check_ns) {
            check_ns[k] = checked - before;
            step_ns[k] = now() - checked;
            finished[k] = total;
        }
    }
    return now() - start;
}
