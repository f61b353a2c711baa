// What happens to rows [lo, hi) in one task, whatever the environment: which of its functions' loops, the parts that
// Numba compiled, run in which order on which rows, and what is the same for all environments: the check of actions,
// counts of steps, time limits, statistics, final observations and stacked frames.
//
// All of it is known when the package is built, so no kernel waits for it. The reference backend does the same in
// Python (batchsim/compiler/kernels.py).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(_MSC_VER)
#include <intrin.h>
#define BATCHSIM_RESTRICT __restrict
#else
#define BATCHSIM_RESTRICT __restrict__
#endif

// Loops over rows are compiled for processors with vectors of 256 bits too, and which version runs is found out when
// the module is loaded: the package is built for any processor of the architecture.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BATCHSIM_VERSIONS __attribute__((target_clones("default", "avx2")))
#else
#define BATCHSIM_VERSIONS
#endif

namespace batchsim {

static_assert(sizeof(void*) == 8, "the driver's table has addresses in words of 64 bits");
static_assert(std::endian::native == std::endian::little, "of eight flags the first is the lowest byte");

// A loop over rows compiled by Numba: it returns a status, 0 if nothing was raised, and its result in *result.
using Part = std::int32_t (*)(std::int64_t* result, void** exception, std::int64_t* table, std::int64_t lo,
                              std::int64_t hi, std::int64_t a, std::int64_t b, std::int64_t c);

enum Task : std::int64_t { kCheckActions = 0, kStep = 1, kReset = 2 };
enum Mode : std::int64_t { kNextStep = 0, kSameStep = 1, kDisabled = 2 };

// Where the driver's table has a batch's arrays, and what else a batch has of its own. Each member is a word; they are
// written in this order by batchsim/compiler/loops.py. Places are those of the first array of a field of a tile.
struct Loops {
    Part advance_rows, restart_rows, observe_rows, inform_rows;  // null where there is none
    std::int64_t mode;
    std::int64_t frames;  // that are stacked, 1 without stacking
    std::int64_t leaves, streams;  // how many arrays an observation has, and the random streams
    std::int64_t rng, pending, finished, selected, time_limit, now, reward, terminated, truncated, action, choice,
        elapsed;
    std::int64_t total;  // of the statistics, which follow each other; negative without
    std::int64_t observed;  // where `observe` writes: frames, or without stacking observations
    std::int64_t info, final_info, observation, final_observation;
    std::int64_t number;  // the kind of an action's numbers: `NUMBERS` in loops.py
    std::int64_t start, last;  // of a Discrete space
    std::int64_t elements;  // of an action of other spaces
    const void* low;  // kRepeats times the bounds of each element; null of a Discrete space
    const void* high;
    const std::int64_t* row_bytes;  // of each array in the table
};

// Actions of so many rows are looked at in one go, so that the loop is long however few elements each has.
constexpr std::int64_t kRepeats = 64;

// Start to bring a place into the cache that is about to be written.
inline void fetch(const void* place) {
#if defined(_MSC_VER)
#if defined(_M_X64)
    _m_prefetchw(place);
#endif
#elif defined(__x86_64__)
    // GCC's own would be the one for reading, with which steps in which some episodes end take 2 to 10 % longer.
    // Processors that do not know this one do nothing.
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(place)));
#else
    __builtin_prefetch(place, 1, 3);
#endif
}

// 64 flags, bytes of 0 or 1, as the bits of a word, the first as its lowest.
inline std::uint64_t flag_bits(const std::uint8_t* flags) {
    std::uint64_t bits = 0;
    for (int k = 0; k < 8; ++k) {
        std::uint64_t word;
        std::memcpy(&word, flags + 8 * k, sizeof word);
        // The product has byte j of the word, times 2^j, in its highest byte.
        bits |= (word * 0x0102040810204080) >> 56 << 8 * k;
    }
    return bits;
}

// Whether an action of rows [0, count) is not in a Discrete space; writes `choice`.
template <typename Action, typename Choice>
BATCHSIM_VERSIONS bool is_outside(const Action* BATCHSIM_RESTRICT action, Choice* BATCHSIM_RESTRICT choice,
                                  std::int64_t count, std::int64_t start, std::int64_t last) {
    // An action is inside if neither difference is negative. Where one of an action outside leaves 64 bits, the other
    // is negative. There are processors without comparisons of 64 bits in their vectors.
    std::uint64_t signs = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto number = static_cast<std::int64_t>(action[i]);
        const auto wide = static_cast<std::uint64_t>(number);
        signs |= (wide - static_cast<std::uint64_t>(start)) | (static_cast<std::uint64_t>(last) - wide);
        choice[i] = static_cast<Choice>(number);
    }
    return signs >> 63 != 0;
}

// Whether an element of the actions of rows [0, count) is out of bounds or NaN.
template <typename Action>
BATCHSIM_VERSIONS bool is_outside(const Action* action, std::int64_t count, std::int64_t elements, const Action* low,
                                  const Action* high) {
    bool is_bad = false;
    for (std::int64_t first = 0; first < count; first += kRepeats) {
        const std::int64_t rows = count - first < kRepeats ? count - first : kRepeats;
        const Action* const block = action + first * elements;
        unsigned bad = 0;
        for (std::int64_t k = 0; k < rows * elements; ++k) {
            // NaN fails both comparisons.
            bad |= static_cast<unsigned>(!(block[k] >= low[k])) | static_cast<unsigned>(!(block[k] <= high[k]));
        }
        is_bad |= bad != 0;
    }
    return is_bad;
}

// Count the steps of rows [0, count), truncate episodes at the time limit, and note which are over.
template <typename Count>
BATCHSIM_VERSIONS void count_steps(std::int64_t count, Count limit, Count* BATCHSIM_RESTRICT elapsed,
                                   const std::uint8_t* BATCHSIM_RESTRICT terminated,
                                   std::uint8_t* BATCHSIM_RESTRICT truncated, std::uint8_t* BATCHSIM_RESTRICT pending) {
    for (std::int64_t i = 0; i < count; ++i) {
        const auto steps = static_cast<Count>(elapsed[i] + 1);
        const auto is_truncated = static_cast<std::uint8_t>(truncated[i] | (steps >= limit ? 1 : 0));
        elapsed[i] = steps;
        truncated[i] = is_truncated;
        pending[i] = static_cast<std::uint8_t>(terminated[i] | is_truncated);
    }
}

// Add to the returns so far of rows [0, count).
template <typename Reward>
BATCHSIM_VERSIONS void add_rewards(std::int64_t count, const Reward* BATCHSIM_RESTRICT reward,
                                   double* BATCHSIM_RESTRICT total) {
    for (std::int64_t i = 0; i < count; ++i) total[i] += static_cast<double>(reward[i]);
}

// Return, length and duration of the episodes of rows [0, count) that are over; 0 of others.
template <typename Count>
BATCHSIM_VERSIONS void report_episodes(std::int64_t count, double now, const std::uint8_t* BATCHSIM_RESTRICT pending,
                                       const Count* BATCHSIM_RESTRICT elapsed, const double* BATCHSIM_RESTRICT total,
                                       const double* BATCHSIM_RESTRICT started, double* BATCHSIM_RESTRICT returns,
                                       std::int64_t* BATCHSIM_RESTRICT lengths, double* BATCHSIM_RESTRICT durations) {
    for (std::int64_t i = 0; i < count; ++i) {
        const bool is_over = pending[i] != 0;
        returns[i] = is_over ? total[i] : 0.0;
        lengths[i] = is_over ? static_cast<std::int64_t>(elapsed[i]) : 0;
        durations[i] = is_over ? now - started[i] : 0.0;
    }
}

// How many of these flags, bytes of 0 or 1, are set.
BATCHSIM_VERSIONS inline std::int64_t count_flags(const std::uint8_t* flags, std::int64_t count) {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += flags[i];
    return sum;
}

// One task on rows [lo, hi) of a batch.
class Rows {
   public:
    Rows(const Loops& loops, std::int64_t* table, std::int64_t lo, std::int64_t hi)
        : loops_(loops), table_(table), lo_(lo), hi_(hi), count_(hi - lo) {}

    // What the part that failed returned, or 0.
    std::int32_t status() const { return status_; }

    // 1 if the action of any row is not in the space.
    std::int64_t check_actions() const {
        switch (loops_.number) {
            case 0: return check<std::int8_t>();
            case 1: return check<std::int16_t>();
            case 2: return check<std::int32_t>();
            case 3: return check<std::int64_t>();
            case 4: return check<std::uint8_t>();
            case 5: return check<std::uint16_t>();
            case 6: return check<std::uint32_t>();
            case 7: return check<std::uint64_t>();
            case 8: return check<float>();
            default: return check<double>();
        }
    }

    // One step; returns how many episodes ended in it.
    std::int64_t step() {
        switch (loops_.mode) {
            case kNextStep: return step_next_step();
            case kSameStep: return step_same_step();
            default: return step_disabled();
        }
    }

    // Start new episodes in the selected rows, with the options' values; observe all rows.
    std::int64_t reset() {
        const std::int64_t count = list_flagged(loops_.selected);
        if (!restart(count, 0, 1)) return 0;
        start_counts(count, 0);
        start_episodes(count);
        if (loops_.frames == 1) {
            if (!observe(-1)) return 0;
        } else {
            if (!observe_newest(count)) return 0;
            stack(count, true);
        }
        inform(count, loops_.info, 1);
        return 0;
    }

   private:
    std::int64_t step_next_step() {
        const std::int64_t count = list_flagged(loops_.pending);
        if (!run(loops_.advance_rows, 0, 0, 0)) return 0;
        start_counts(count, -1);  // This step, in which they are reset, counts as the others do.
        count_steps();
        add_rewards();
        // The rows that were over before this step start anew in it, whatever their action.
        if (!restart(count, 1, 0)) return 0;
        start_episodes(count);
        report_episodes();
        if (!observe_all() || !inform(-1, loops_.info, 0)) return 0;
        return count_pending();
    }

    std::int64_t step_same_step() {
        if (!run(loops_.advance_rows, 1, 0, 0)) return 0;
        count_steps();
        add_rewards();
        report_episodes();
        if (!observe_all()) return 0;
        keep_observations();
        if (!inform(-1, loops_.info, 0)) return 0;
        const std::int64_t count = list_flagged(loops_.pending);
        if (!inform(count, loops_.final_info, 1)) return 0;
        if (!restart(count, 0, 0)) return 0;
        start_counts(count, 0);
        start_episodes(count);
        if (!observe_listed(count) || !inform(count, loops_.info, 0)) return 0;
        return count;
    }

    std::int64_t step_disabled() {
        if (!run(loops_.advance_rows, 1, 0, 0)) return 0;
        count_steps();
        add_rewards();
        report_episodes();
        if (!observe_all() || !inform(-1, loops_.info, 0)) return 0;
        return count_pending();
    }

    // -- parts ----------------------------------------------------------------------------------------------------

    // Run a part; return whether it did not fail.
    bool run(Part part, std::int64_t a, std::int64_t b, std::int64_t c) {
        std::int64_t result = 0;
        void* exception = nullptr;
        status_ = part(&result, &exception, table_, lo_, hi_, a, b, c);
        return status_ == 0;
    }

    bool restart(std::int64_t count, std::int64_t is_step, std::int64_t with_options) {
        return count == 0 || run(loops_.restart_rows, count, is_step, with_options);
    }

    bool inform(std::int64_t count, std::int64_t place, std::int64_t clears) {
        return loops_.inform_rows == nullptr || run(loops_.inform_rows, count, place, clears);
    }

    // Observe the first `count` frames that are listed, or all rows if it is negative.
    bool observe(std::int64_t count) { return run(loops_.observe_rows, count, loops_.frames, loops_.observed); }

    bool observe_all() {
        if (loops_.frames == 1) return observe(-1);
        auto* const finished = rows<std::int32_t>(loops_.finished);
        for (std::int64_t i = 0; i < count_; ++i) finished[i] = static_cast<std::int32_t>(i);
        return observe_listed(count_);
    }

    // With stacking in place of the oldest frame, or of all where an episode begins.
    bool observe_listed(std::int64_t count) {
        if (loops_.frames == 1) return observe(count);
        if (!observe_newest(count)) return false;
        stack(count, false);
        return true;
    }

    // Observe the newest frames of the first `count` rows that are listed.
    bool observe_newest(std::int64_t count) {
        auto* const finished = rows<std::int32_t>(loops_.finished);
        // Quotients and remainders of a known divisor take no division.
        with_constant<2, 3, 4>(loops_.frames, [=, this](auto frames) {
            with_elapsed([=](const auto* elapsed) {
                for (std::int64_t k = 0; k < count; ++k) {
                    const std::int64_t i = finished[k];
                    finished[k] = static_cast<std::int32_t>(i * frames + remainder(elapsed[i], frames));
                }
            });
        });
        if (!observe(count)) return false;
        with_constant<2, 3, 4>(loops_.frames, [=](auto frames) {
            for (std::int64_t k = 0; k < count; ++k) finished[k] /= static_cast<std::int32_t>(frames);
        });
        return true;
    }

    // Call `function` with a number that is known to the compiler if it is one of these.
    template <std::int64_t First, std::int64_t... Others, typename Function>
    static void with_constant(std::int64_t number, Function function) {
        if (number == First) {
            function(std::integral_constant<std::int64_t, First>{});
        } else if constexpr (sizeof...(Others) > 0) {
            with_constant<Others...>(number, function);
        } else {
            function(number);
        }
    }

    // -- lists of rows --------------------------------------------------------------------------------------------

    // Write the numbers of the rows with a flag into `finished`; return how many there are.
    std::int64_t list_flagged(std::int64_t place) const {
        const auto* const flags = rows<std::uint8_t>(place);
        auto* const finished = rows<std::int32_t>(loops_.finished);
        std::int64_t count = 0, i = 0;
        // A row at a time costs more than most environments' dynamics; few rows are over.
        for (; i + 64 <= count_; i += 64) {
            for (std::uint64_t bits = flag_bits(flags + i); bits != 0; bits &= bits - 1) {
                const std::int64_t row = i + std::countr_zero(bits);
                finished[count++] = static_cast<std::int32_t>(row);
                // Of many environments the random streams are far away, and seldom used.
                fetch_streams(row);
            }
        }
        for (; i < count_; ++i) {
            // No branch: which rows are finished is random, and a wrong guess costs more than the store.
            finished[count] = static_cast<std::int32_t>(i);
            count += flags[i] != 0;
        }
        return count;
    }

    void fetch_streams(std::int64_t row) const {
        for (std::int64_t k = loops_.rng; k < loops_.rng + loops_.streams; ++k) {
            fetch(bytes(k) + row * loops_.row_bytes[k]);
        }
    }

    std::int64_t count_pending() const { return count_flags(rows<std::uint8_t>(loops_.pending), count_); }

    // -- steps and episodes ---------------------------------------------------------------------------------------

    // Call `function` with the counts of steps, by whatever type they have.
    template <typename Function>
    void with_elapsed(Function function) const {
        switch (loops_.row_bytes[loops_.elapsed]) {
            case 2: return function(rows<std::int16_t>(loops_.elapsed));
            case 4: return function(rows<std::int32_t>(loops_.elapsed));
            default: return function(rows<std::int64_t>(loops_.elapsed));
        }
    }

    // A count of steps modulo the frames; a division of 64 bits takes twice as long.
    template <typename Count>
    static std::int64_t remainder(Count steps, std::int64_t frames) {
        if constexpr (sizeof(Count) <= 4) {
            return static_cast<std::uint32_t>(steps) % static_cast<std::uint32_t>(frames);
        } else {
            return steps % frames;
        }
    }

    // Count the steps of the first `count` rows that are listed from `first` on.
    void start_counts(std::int64_t count, std::int64_t first) const {
        const auto* const finished = rows<std::int32_t>(loops_.finished);
        with_elapsed([=](auto* elapsed) {
            for (std::int64_t k = 0; k < count; ++k) {
                elapsed[finished[k]] = static_cast<std::remove_reference_t<decltype(*elapsed)>>(first);
            }
        });
    }

    void count_steps() const {
        with_elapsed([this](auto* elapsed) {
            using Count = std::remove_reference_t<decltype(*elapsed)>;
            const auto limit = static_cast<Count>(*shared<std::int64_t>(loops_.time_limit));
            batchsim::count_steps(count_, limit, elapsed, rows<std::uint8_t>(loops_.terminated),
                                  rows<std::uint8_t>(loops_.truncated), rows<std::uint8_t>(loops_.pending));
        });
    }

    // -- statistics: undiscounted return, length and duration of episodes -----------------------------------------

    enum { kTotal, kStarted, kReturns, kLengths, kDurations };

    template <typename T>
    T* statistic(int which) const {
        return rows<T>(loops_.total + which);
    }

    void add_rewards() const {
        if (loops_.total < 0) return;
        auto* const total = statistic<double>(kTotal);
        if (loops_.row_bytes[loops_.reward] == 4) {
            batchsim::add_rewards(count_, rows<float>(loops_.reward), total);
        } else {
            batchsim::add_rewards(count_, rows<double>(loops_.reward), total);
        }
    }

    void start_episodes(std::int64_t count) const {
        if (loops_.total < 0) return;
        const auto* const finished = rows<std::int32_t>(loops_.finished);
        const double now = *shared<double>(loops_.now);
        for (std::int64_t k = 0; k < count; ++k) {
            statistic<double>(kTotal)[finished[k]] = 0.0;
            statistic<double>(kStarted)[finished[k]] = now;
        }
    }

    void report_episodes() const {
        if (loops_.total < 0) return;
        with_elapsed([this](const auto* elapsed) {
            batchsim::report_episodes(count_, *shared<double>(loops_.now), rows<std::uint8_t>(loops_.pending), elapsed,
                                      statistic<double>(kTotal), statistic<double>(kStarted),
                                      statistic<double>(kReturns), statistic<std::int64_t>(kLengths),
                                      statistic<double>(kDurations));
        });
    }

    // -- observations ---------------------------------------------------------------------------------------------

    // Copy what all rows observe to where their last observations are, before some are reset.
    void keep_observations() const {
        for (std::int64_t k = 0; k < loops_.leaves; ++k) {
            const auto size = static_cast<std::size_t>(count_ * loops_.row_bytes[loops_.observation + k]);
            std::memcpy(bytes(loops_.final_observation + k), bytes(loops_.observation + k), size);
        }
    }

    // Write the frames of the first `count` rows that are listed into their observations, or of all rows. Where an
    // episode begins, all frames are the one that was observed.
    void stack(std::int64_t count, bool all) const {
        for (std::int64_t leaf = 0; leaf < loops_.leaves; ++leaf) {
            const std::int64_t size = loops_.row_bytes[loops_.observed + leaf] / loops_.frames;
            // Copies of a known size are a few instructions, and so is the remainder of a known divisor.
            with_constant<4, 8, 12, 16, 24, 32>(size, [=, this](auto known_size) {
                with_constant<2, 3, 4>(loops_.frames, [=, this](auto known_frames) {
                    with_elapsed([=, this](const auto* elapsed) {
                        stack_leaf(leaf, elapsed, count, all, known_size, known_frames);
                    });
                });
            });
        }
    }

    template <typename Count, typename Size, typename Frames>
    void stack_leaf(std::int64_t leaf, const Count* elapsed, std::int64_t count, bool all, Size size,
                    Frames frames) const {
        const auto* const finished = rows<std::int32_t>(loops_.finished);
        const std::int64_t row = size * frames;
        const auto length = static_cast<std::size_t>(size);
        char* const ring = bytes(loops_.observed + leaf);
        char* const stacks = bytes(loops_.observation + leaf);
        for (std::int64_t k = 0; k < count; ++k) {
            const std::int64_t i = finished[k];
            if (elapsed[i] != 0) continue;
            char* const first = ring + i * row;
            for (std::int64_t frame = 1; frame < frames; ++frame) std::memcpy(first + frame * size, first, length);
        }
        const std::int64_t stacked = all ? count_ : count;
        for (std::int64_t k = 0; k < stacked; ++k) {
            const std::int64_t i = all ? k : finished[k];
            const std::int64_t oldest = remainder(elapsed[i], frames) + 1;  // It comes after the newest.
            for (std::int64_t place = 0; place < frames; ++place) {
                const std::int64_t frame = oldest + place < frames ? oldest + place : oldest + place - frames;
                std::memcpy(stacks + i * row + place * size, ring + i * row + frame * size, length);
            }
        }
    }

    // -- actions --------------------------------------------------------------------------------------------------

    template <typename Action>
    std::int64_t check() const {
        if (loops_.low != nullptr) {
            const auto* const action = reinterpret_cast<const Action*>(bytes(loops_.action));
            return is_outside(action, count_, loops_.elements, static_cast<const Action*>(loops_.low),
                              static_cast<const Action*>(loops_.high));
        }
        if constexpr (std::is_integral_v<Action>) {  // Those of a Discrete space are.
            const auto* const action = rows<Action>(loops_.action);
            const std::int64_t start = loops_.start, last = loops_.last;
            if (loops_.row_bytes[loops_.choice] == 4) {
                return is_outside(action, rows<std::int32_t>(loops_.choice), count_, start, last);
            }
            return is_outside(action, rows<std::int64_t>(loops_.choice), count_, start, last);
        }
        return 0;
    }

    // -- arrays ---------------------------------------------------------------------------------------------------

    // An array that all rows share.
    template <typename T>
    T* shared(std::int64_t place) const {
        return reinterpret_cast<T*>(table_[place]);
    }

    // One with a number a row, from row lo on.
    template <typename T>
    T* rows(std::int64_t place) const {
        return shared<T>(place) + lo_;
    }

    // One with any row, from row lo on.
    char* bytes(std::int64_t place) const { return shared<char>(place) + lo_ * loops_.row_bytes[place]; }

    const Loops& loops_;
    std::int64_t* const table_;
    const std::int64_t lo_, hi_, count_;
    std::int32_t status_ = 0;
};

// The kernel of every batch: run `task` on rows [lo, hi). The address of its `Loops` is in the table before the first
// array.
inline std::int32_t run_task(std::int64_t* result, void** /* exception */, std::int64_t* table, std::int64_t task,
                             std::int64_t lo, std::int64_t hi) {
    Rows rows(*reinterpret_cast<const Loops*>(table[-1]), table, lo, hi);
    *result = task == kStep ? rows.step() : task == kReset ? rows.reset() : rows.check_actions();
    return rows.status();
}

}  // namespace batchsim
