// A process-wide pool of sleeping threads that run tiles of rows for any number of drivers at once.
//
// A Job is one driver's work: rows cut into tiles, tiles dealt into one contiguous range a participant. Everyone
// takes tiles from the front of their own range, so that the same rows stay in the same core's cache from step to
// step, and when it is empty from the back of the others'. The thread that wants the result takes tiles too and
// then waits for tiles already taken, never for a thread: a worker that the scheduler does not run costs nothing.
#pragma once

#include <Python.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define BATCHSIM_HAS_FORK 1
#endif

namespace batchsim {

// What runs tasks, `run_task` of _loops.hpp: it returns a status, 0 if nothing was raised, and its result in *result.
using Kernel = std::int32_t (*)(std::int64_t* result, void** exception, std::int64_t* table, std::int64_t task,
                                std::int64_t lo, std::int64_t hi);

// In place of a result, of which none is negative: the task was not done, since the kernel raised or was left.
constexpr std::int64_t kFailed = -1;

inline std::int64_t run_kernel(Kernel kernel, std::int64_t* table, std::int64_t task, std::int64_t lo,
                               std::int64_t hi) {
    std::int64_t result = 0;
    void* exception = nullptr;
    return kernel(&result, &exception, table, task, lo, hi) == 0 ? result : kFailed;
}

using Clock = std::chrono::steady_clock;

// How long a thread looks for work, or for the last tile, before it sleeps. Long enough to catch the next step
// of a loop that does nothing else, short enough not to disturb other threads of the process.
constexpr std::chrono::nanoseconds kSpin{4000};
constexpr std::size_t kCacheLine = 64;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("yield");
#endif
}

template <typename Condition>
inline bool spin_until(Condition condition) {
    const auto end = Clock::now() + kSpin;
    do {
        for (int k = 0; k < 32; ++k) {
            if (condition()) return true;
            relax();
        }
    } while (Clock::now() < end);
    return condition();
}

// How often a thread of Python's looks for signals, such as that of Ctrl-C, while it is at work on a task.
constexpr std::chrono::milliseconds kLook{100};

// The thread in which Python handles signals.
inline std::atomic<unsigned long>& main_thread() {
    static std::atomic<unsigned long> number{0};
    return number;
}

inline void set_main_thread(unsigned long number) { main_thread().store(number); }

// In a thread of the pool: whether the job at work is to be left. In other threads there is none.
inline thread_local const std::atomic<bool>* job_is_left = nullptr;

// Handle the signals that have come; return whether a handler raised. The exception is then set in this thread.
inline bool a_signal_raised() {
    const PyGILState_STATE state = PyGILState_Ensure();
    const bool raised = PyErr_Occurred() != nullptr || PyErr_CheckSignals() != 0;
    PyGILState_Release(state);
    return raised;
}

// Whether the task at work in this thread is to be left before its end.
inline bool is_to_be_left() {
    if (job_is_left != nullptr) return job_is_left->load(std::memory_order_relaxed);
    static thread_local Clock::time_point next_look;
    const auto now = Clock::now();
    if (now < next_look) return false;
    next_look = now + kLook;
    const bool is_main = PyThread_get_thread_ident() == main_thread().load(std::memory_order_relaxed);
    if (is_main && a_signal_raised()) return true;
    if (PyGILState_Check()) {
        // A task so short that it kept the GIL was not short after all.
        PyThreadState* const thread = PyEval_SaveThread();
        PyEval_RestoreThread(thread);
    }
    return false;
}

// What kernels call in loops of which nobody knows the end.
inline std::int32_t poll() { return is_to_be_left() ? 1 : 0; }

// Run a task in this thread; `tiles_a_look` tiles from one look for signals to the next.
inline std::int64_t run_alone(Kernel kernel, std::int64_t* table, std::int64_t task, std::int64_t rows,
                              std::int64_t tile, std::uint32_t tiles_a_look) {
    std::int64_t sum = 0;
    std::uint32_t unseen = 0;
    for (std::int64_t lo = 0; lo < rows; lo += tile) {
        if (unseen++ == tiles_a_look) {
            if (is_to_be_left()) return kFailed;
            unseen = 1;
        }
        const std::int64_t result = run_kernel(kernel, table, task, lo, lo + tile < rows ? lo + tile : rows);
        if (result < 0) return kFailed;
        sum += result;
    }
    return sum;
}

class Job {
   public:
    // `participants`: the thread that wants the result and the workers that may help it, at least one.
    explicit Job(int participants)
        : ranges_(static_cast<std::size_t>(participants)), participants_(participants) {}

    // Describe the work and open it to all. Only when finished() (nobody holds a tile).
    // `tiles_a_look`: after so many tiles the thread that wants the result looks for signals.
    void start(Kernel kernel, std::int64_t* table, std::int64_t task, std::int64_t rows, std::int64_t tile,
               std::uint32_t tiles_a_look) {
        kernel_ = kernel;
        table_ = table;
        task_ = task;
        rows_ = rows;
        tile_ = tile;
        tiles_a_look_ = tiles_a_look;
        sum_.store(0, std::memory_order_relaxed);
        left_.store(false, std::memory_order_relaxed);
        const auto tiles = static_cast<std::uint32_t>((rows + tile - 1) / tile);
        unfinished_.store(tiles, std::memory_order_relaxed);
        const auto count = static_cast<std::uint32_t>(participants_);
        for (std::uint32_t k = 0; k < count; ++k) {
            const std::uint64_t front = std::uint64_t{tiles} * k / count;
            const std::uint64_t back = std::uint64_t{tiles} * (k + 1) / count;
            ranges_[k].value.store(front << 32 | back, std::memory_order_release);
        }
    }

    // Run tiles until none is left to take, preferring the range of this participant; the thread that wants the
    // result is participant 0.
    void work(int participant) {
        std::int64_t number, sum = 0;
        std::uint32_t tiles = 0;
        const bool looks = participant == 0;
        const auto run_taken = [&] {
            sum += run(number);
            ++tiles;
            if (looks && tiles % tiles_a_look_ == 0 && is_to_be_left()) leave();
        };
        if (!looks) job_is_left = &left_;
        while ((number = take_front(participant % participants_)) >= 0) run_taken();
        for (int k = 1; k < participants_; ++k) {
            while ((number = take_back((participant + k) % participants_)) >= 0) run_taken();
        }
        job_is_left = nullptr;
        if (tiles == 0) return;
        // Told once, not for every tile: all participants write here.
        sum_.fetch_add(sum, std::memory_order_relaxed);
        if (unfinished_.fetch_sub(tiles, std::memory_order_acq_rel) == tiles) {
            // Taking the lock closes the gap between the waiter's check and its sleep.
            { std::lock_guard<std::mutex> lock(mutex_); }
            done_.notify_all();
        }
    }

    bool has_untaken_tiles() const {
        for (const auto& range : ranges_) {
            const std::uint64_t value = range.value.load(std::memory_order_relaxed);
            if (value >> 32 < (value & 0xffffffff)) return true;
        }
        return false;
    }

    bool finished() const { return unfinished_.load(std::memory_order_acquire) == 0; }

    // Wait until the tiles taken by others are done; return the sum of the kernel's results, or kFailed.
    std::int64_t wait() {
        if (!spin_until([this] { return finished(); })) {
            std::unique_lock<std::mutex> lock(mutex_);
            while (!done_.wait_for(lock, kLook, [this] { return finished(); })) {
                lock.unlock();
                if (is_to_be_left()) leave();
                lock.lock();
            }
        }
        return left_.load(std::memory_order_relaxed) ? kFailed : sum_.load(std::memory_order_relaxed);
    }

    int participants() const { return participants_; }

    // Let one more worker in, unless as many as the driver asked for are at work.
    bool admit() {
        if (workers_.fetch_add(1, std::memory_order_relaxed) < participants_ - 1) return true;
        dismiss();
        return false;
    }

    void dismiss() { workers_.fetch_sub(1, std::memory_order_relaxed); }

   private:
    struct alignas(kCacheLine) Range {
        std::atomic<std::uint64_t> value{0};  // number of the first tile << 32 | one past the last
    };

    std::int64_t take_front(int k) {
        auto& range = ranges_[static_cast<std::size_t>(k)].value;
        std::uint64_t value = range.load(std::memory_order_relaxed);
        while (value >> 32 < (value & 0xffffffff)) {
            if (range.compare_exchange_weak(value, value + (std::uint64_t{1} << 32), std::memory_order_acquire))
                return static_cast<std::int64_t>(value >> 32);
        }
        return -1;
    }

    std::int64_t take_back(int k) {
        auto& range = ranges_[static_cast<std::size_t>(k)].value;
        std::uint64_t value = range.load(std::memory_order_relaxed);
        while (value >> 32 < (value & 0xffffffff)) {
            if (range.compare_exchange_weak(value, value - 1, std::memory_order_acquire))
                return static_cast<std::int64_t>((value & 0xffffffff) - 1);
        }
        return -1;
    }

    // Let the tiles that follow be taken, but not run.
    void leave() { left_.store(true, std::memory_order_relaxed); }

    // The fields are read only after a tile is taken: until it is done no new work can be described.
    std::int64_t run(std::int64_t number) {
        if (left_.load(std::memory_order_relaxed)) return 0;
        const std::int64_t lo = number * tile_;
        const std::int64_t hi = lo + tile_ < rows_ ? lo + tile_ : rows_;
        const std::int64_t result = run_kernel(kernel_, table_, task_, lo, hi);
        if (result >= 0) return result;
        leave();
        return 0;
    }

    Kernel kernel_ = nullptr;
    std::int64_t* table_ = nullptr;
    std::int64_t task_ = 0, rows_ = 0, tile_ = 1;
    std::uint32_t tiles_a_look_ = 1;
    // Whether a tile failed, or a signal came: the rows are then of no use.
    std::atomic<bool> left_{false};
    std::vector<Range> ranges_;
    const int participants_;
    alignas(kCacheLine) std::atomic<int> workers_{0};
    std::atomic<std::uint32_t> unfinished_{0};
    std::atomic<std::int64_t> sum_{0};
    std::mutex mutex_;
    std::condition_variable done_;
};

class Pool {
   public:
    // Register a driver that wants `workers` threads beside its own; the threads live while drivers do. Returns how
    // many there are: fewer, even none, where the system starts no more.
    int enter(int workers) {
        std::lock_guard<std::mutex> life(life_);
        {
            std::lock_guard<std::mutex> lock(mutex_);
            jobs_.reserve(static_cast<std::size_t>(drivers_) + 1);
        }
        threads_.reserve(static_cast<std::size_t>(workers));
        ++drivers_;
        try {
            while (static_cast<int>(threads_.size()) < workers) {
                const int number = static_cast<int>(threads_.size());
                threads_.emplace_back([this, number] { run(number); });
            }
        } catch (const std::system_error&) {
        } catch (const std::bad_alloc&) {
        }
        return static_cast<int>(threads_.size());
    }

    void leave() {
        std::lock_guard<std::mutex> life(life_);
        if (--drivers_ > 0) return;
        set_ending(true);
        wake_.notify_all();
        for (auto& thread : threads_) thread.join();
        threads_.clear();
        set_ending(false);
    }

    // Offer a started job to at most `helpers` sleeping workers.
    void offer(const std::shared_ptr<Job>& job, int helpers) {
        int sleeping;
        {
            std::lock_guard<std::mutex> lock(mutex_);
            jobs_.push_back(job);  // never beyond the reserved capacity: one job a driver at most
            news_.fetch_add(1, std::memory_order_release);
            sleeping = sleeping_;
        }
        for (int k = 0; k < helpers && k < sleeping; ++k) wake_.notify_one();
    }

    // Take the job off the list: no worker that does not hold it yet will look at it any more.
    void withdraw(const std::shared_ptr<Job>& job) {
        std::lock_guard<std::mutex> lock(mutex_);
        for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
            if (*it == job) {
                jobs_.erase(it);
                return;
            }
        }
    }

    int threads() {
        std::lock_guard<std::mutex> life(life_);
        return static_cast<int>(threads_.size());
    }

   private:
    void set_ending(bool ending) {
        std::lock_guard<std::mutex> lock(mutex_);
        ending_ = ending;
        news_.fetch_add(1, std::memory_order_release);
    }

    std::shared_ptr<Job> find() {
        for (const auto& job : jobs_) {
            if (job->has_untaken_tiles() && job->admit()) return job;
        }
        return nullptr;
    }

    void run(int number) {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!ending_) {
            if (auto job = find()) {
                lock.unlock();
                job->work(1 + number % (job->participants() - 1));
                job->dismiss();
                job.reset();
                const auto seen = news_.load(std::memory_order_acquire);
                spin_until([this, seen] { return news_.load(std::memory_order_acquire) != seen; });
                lock.lock();
            } else {
                ++sleeping_;
                wake_.wait(lock);
                --sleeping_;
            }
        }
    }

    std::mutex life_;  // guards threads_ and drivers_, through the whole of enter() and leave()
    std::vector<std::thread> threads_;
    int drivers_ = 0;
    std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    std::vector<std::shared_ptr<Job>> jobs_;
    int sleeping_ = 0;
    bool ending_ = false;
    // Changes with every offer: what a worker about to sleep looks at, so in a cache line of its own.
    alignas(kCacheLine) std::atomic<std::uint64_t> news_{0};
};

// The pool is never destroyed: at exit its threads may still sleep in it.
inline std::atomic<Pool*>& current_pool() {
    static std::atomic<Pool*> pool{nullptr};
    return pool;
}

inline std::atomic<std::int64_t>& fork_count() {
    static std::atomic<std::int64_t> count{0};
    return count;
}

// How many forks lie between the first process and this one.
inline std::int64_t forks() { return fork_count().load(std::memory_order_relaxed); }

inline std::int64_t nanoseconds() { return Clock::now().time_since_epoch() / std::chrono::nanoseconds{1}; }

// After a fork the child has the memory of the pool but none of its threads, and perhaps locks that nobody will
// release: it starts with a new pool, and drivers enter it when they next step.
inline void forget_pool() {
    set_main_thread(PyThread_get_thread_ident());
    current_pool().store(new Pool());
    fork_count().fetch_add(1);
}

// Keep a job for good. One copied by a fork while threads waited in it must not be destroyed: its condition
// variable would wait for them.
inline void leak(const std::shared_ptr<Job>& job) { new std::shared_ptr<Job>(job); }

inline Pool& pool() {
    Pool* found = current_pool().load();
    if (found == nullptr) {
        Pool* created = new Pool();
        if (current_pool().compare_exchange_strong(found, created)) {
#ifdef BATCHSIM_HAS_FORK
            pthread_atfork(nullptr, nullptr, forget_pool);
#endif
            return *created;
        }
        delete created;
    }
    return *found;
}

}  // namespace batchsim
