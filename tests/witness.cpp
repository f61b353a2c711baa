// Tells a sanitizer what a kernel is about to read and write, for it cannot see into machine code made by Numba.
//
// Before all that a witnessed kernel's table has before its first array lies one pointer more, to a record that
// tests/witness.py makes: the address of the kernel, and of each array which tasks use it. The witness stands in the
// kernel's place.
#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_THREAD__)
extern "C" void __tsan_read_range(void*, std::size_t);
extern "C" void __tsan_write_range(void*, std::size_t);
static void reads(char* data, std::size_t size) { __tsan_read_range(data, size); }
static void writes(char* data, std::size_t size) { __tsan_write_range(data, size); }
#elif defined(__SANITIZE_ADDRESS__)
extern "C" void* __asan_region_is_poisoned(void*, std::size_t);
static void reads(char* data, std::size_t size) {
    // Touching memory that was freed, or never allocated, is what is reported.
    if (void* bad = __asan_region_is_poisoned(data, size)) (void)*static_cast<volatile char*>(bad);
}
static void writes(char* data, std::size_t size) { reads(data, size); }
#else
static void reads(char*, std::size_t) {}
static void writes(char*, std::size_t) {}
#endif

using Kernel = std::int32_t (*)(std::int64_t*, void**, std::int64_t*, std::int64_t, std::int64_t, std::int64_t);

struct Array {
    std::int64_t bytes_a_row;  // of an array that all rows share, 0
    std::int64_t bytes;
    std::int64_t readers, writers;  // bit k stands for task k
};

struct Record {
    Kernel kernel;
    std::int64_t count;
    Array arrays[1];
};

extern "C" std::int64_t before_table = 0;  // how much a table has before its first array

extern "C" std::int32_t witness(std::int64_t* result, void** exception, std::int64_t* table, std::int64_t task,
                                std::int64_t lo, std::int64_t hi) {
    const auto* record = reinterpret_cast<const Record*>(table[-before_table - 1]);
    const Array* arrays = record->arrays;
    for (std::int64_t k = 0; k < record->count; ++k) {
        const std::int64_t row = arrays[k].bytes_a_row;
        auto* data = reinterpret_cast<char*>(table[k]) + lo * row;
        const auto size = static_cast<std::size_t>(row ? (hi - lo) * row : arrays[k].bytes);
        if (arrays[k].readers >> task & 1) reads(data, size);
        if (arrays[k].writers >> task & 1) writes(data, size);
    }
    return record->kernel(result, exception, table, task, lo, hi);
}
