"""The tile driver: runs a kernel over all rows, in tiles shared out over threads, with the GIL released.

It knows no environment: it has a kernel, a table of pointers to the columns, and pools of output arrays.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t, uint32_t
from libcpp cimport bool as cbool
from libcpp.memory cimport make_shared, shared_ptr

cimport numpy as cnp
from batchsim.batch._buffers cimport BufferPool

import threading
import time

import numpy as np

from batchsim import actions as actions_module
from batchsim.compiler import kernels as kernels_module
from batchsim.batch._buffers import share_memory
from batchsim.batch.infos import StepInfos

cnp.import_array()

cdef extern from "Python.h":
    PyObject* PyErr_Occurred()
    void PyErr_SetInterrupt()

cdef extern from "_threads.hpp" namespace "batchsim" nogil:
    ctypedef int32_t (*Kernel)(int64_t*, void**, int64_t*, int64_t, int64_t, int64_t)
    int64_t run_kernel(Kernel kernel, int64_t* table, int64_t task, int64_t lo, int64_t hi)
    int64_t run_alone(
        Kernel kernel, int64_t* table, int64_t task, int64_t rows, int64_t tile, uint32_t tiles_a_look)
    int32_t poll()
    void set_main_thread(unsigned long number)

    cdef cppclass Job:
        Job(int participants) except +
        void start(
            Kernel kernel, int64_t* table, int64_t task, int64_t rows, int64_t tile, uint32_t tiles_a_look)
        void work(int participant)
        cbool finished()
        int64_t wait()

    cdef cppclass Pool:
        int enter(int workers) except +
        void leave()
        void offer(const shared_ptr[Job]& job, int helpers)
        void withdraw(const shared_ptr[Job]& job)
        int threads()

    Pool& pool()
    int64_t forks()
    int64_t nanoseconds()
    void leak(const shared_ptr[Job]& job)

set_main_thread(threading.main_thread().ident)
pool()  # from here on it is noticed when this process is forked

cdef enum Status:
    UNRESET     # no row has been reset since the driver was made
    TORN        # a call that changed the rows was broken off: they must be reset
    READY
    STEPPING    # a call is at work
    SENT        # send() was called, recv() was not
    CLOSED

cdef enum:
    # Below this much work (ns) waking a thread costs more than it brings.
    PARALLEL_FROM = 20_000
    # Below this much work (ns) the GIL is kept: giving it away and taking it back costs as much.
    RELEASE_GIL_FROM = 3_000
    # How long a tile should take (ns): long enough to hide the cost of taking it, short enough that
    # nobody waits long for the last one.
    TILE = 2_000
    MIN_TILE_ROWS = 64   # flags of rows in different tiles lie in different cache lines
    # Rows of at least so much work (ns) do not wait for each other's cache lines for long, and 64 of
    # them would keep one thread busy while another has nothing to do.
    SLOW_ROW = 250
    MIN_SLOW_ROWS = 8    # float64 and int64 of rows in different tiles lie in different cache lines
    MAX_TILE_ROWS = 4096
    # The first calls are timed, on one thread: as many as take so long (ns), but a few, since the first
    # one finds no page of memory in its place.
    CALIBRATION = 2_000_000
    FEWEST_TIMED_CALLS = 3
    MOST_TIMED_CALLS = 16
    # After so much work (ns) a thread looks at the clock, whether it is time to look for signals.
    LOOK = 100_000

NAMES = {
    UNRESET: "unreset", TORN: "torn", READY: "ready", STEPPING: "stepping", SENT: "sent", CLOSED: "closed",
}


def live_threads():
    """Return how many worker threads the process-wide pool has now."""
    return pool().threads()


def poll_address():
    """Return the address of `int32 poll()`: not 0 if the task at work in this thread is to be left.

    Kernels call it in loops of which nobody knows the end.
    """
    return <size_t> &poll


cdef class Driver:
    """Steps and resets the rows of one batch.

    Args:
        kernels: the kernels for each kind of actions (`batchsim.batch.backends.Kernels`).
        tile: the `Tile` of full-length columns; the driver keeps it alive.
        memory: the table of pointers to them (`batchsim.batch.allocation.table_of`).
        slots: position in the table of pointers of the action and of each output array; of the
            choice too where that is the callers' array of actions. Observations and infos have a tuple of
            positions, one a leaf.
        pools: `BufferPool` of each output array, by the same names; absent outputs are left out.
        action: an array (N, ...) with the shape and dtype of a batch of actions.
        checks: converts actions that are not such an array, and phrases errors.
        layout, outer: `Layout` of the observations, and what puts their leaves together as callers see them.
        infos: puts infos together (`batchsim.batch.infos.Infos`), or None if there are none.
        guard: of the checked mode (`batchsim.batch.checked.Guard`), or None.
        num_threads: threads that may work on a step, the caller's included.
        same_step: final observations are reported (`AutoresetMode.SAME_STEP`).
        disabled: rows whose episode is over must be reset by the caller.
        statistics: episode statistics are reported.
    """

    cdef object kernels
    # That of the step at work, or of the last one: NULL with the reference backend, which has `interpreted`.
    cdef Kernel kernel
    cdef int kind
    cdef object interpreted, tile, checks, layout, outer, infos, guard
    cdef int64_t[::1] memory
    cdef int64_t* table
    cdef readonly int64_t rows
    cdef readonly int num_threads
    cdef bint same_step, disabled, statistics
    cdef int status, status_before
    cdef bint is_torn
    cdef int64_t finished_rows, status_forks

    cdef int action_slot, choice_slot, reward_slot, terminated_slot, truncated_slot
    cdef int returns_slot, lengths_slot, durations_slot
    cdef tuple observation_slots, final_slots, info_slots, final_info_slots
    cdef tuple observations, informations
    cdef BufferPool rewards, flags, totals, counts
    cdef bint flat
    cdef cnp.dtype action_dtype
    cdef tuple action_shape
    cdef double[::1] now

    # Of the step at work: its actions and outputs. Observations are an array if the space is flat, or else a
    # list of their leaves, as infos always are.
    cdef object action
    cdef object observation, reward, terminated, truncated
    cdef object final_observation, returns, lengths, durations
    cdef list info, final_info
    cdef bint first_restarts

    cdef shared_ptr[Job] job
    cdef int64_t job_forks
    cdef bint in_pool, offered
    cdef double ns_a_row
    cdef int timed_calls
    cdef double timed_ns
    cdef bint is_calibrated
    cdef readonly int64_t tile_rows
    cdef uint32_t tiles_a_look

    def __cinit__(self, kernels, tile, memory, dict slots, dict pools, action, checks, layout, outer, infos, guard,
                  int num_threads, bint same_step, bint disabled, bint statistics):
        self.tile = tile
        self.checks = checks
        self.layout, self.outer = layout, outer
        self.infos = infos
        self.guard = guard
        self.rows = len(action)
        self.num_threads = num_threads
        self.same_step = same_step
        self.disabled = disabled
        self.statistics = statistics
        self.status = UNRESET
        self.memory = memory
        self.table = &self.memory[len(kernels_module.BEFORE_TABLE)]
        self.action_slot = slots["action"]
        self.choice_slot = slots.get("choice", self.action_slot)
        self.observation_slots = slots["observation"]
        self.final_slots = slots["final_observation"]
        self.info_slots = slots["info"]
        self.final_info_slots = slots["final_info"]
        self.flat = layout.flat
        self.reward_slot = slots["reward"]
        self.terminated_slot = slots["terminated"]
        self.truncated_slot = slots["truncated"]
        self.returns_slot = slots.get("returns", -1)
        self.lengths_slot = slots.get("lengths", -1)
        self.durations_slot = slots.get("durations", -1)
        self.observations = pools["observation"]
        self.informations = pools["info"]
        self.rewards = pools["reward"]
        self.flags = pools["flag"]
        self.totals = pools.get("total")
        self.counts = pools.get("count")
        self.now = tile.settings.now
        self.action_dtype = action.dtype
        self.action_shape = action.shape
        self.ns_a_row = 0.0
        self._cut_tiles(self.rows)
        if guard is not None:
            # The kernel notes the row at work by its number in the tile.
            self.num_threads = 1
            self.tile_rows = self.rows
        self.kernels = kernels
        self._use_kernel(OWN)
        if self.kernel is NULL:
            self.num_threads = 1

    def __dealloc__(self):
        try:
            self._leave_pool()
        except KeyboardInterrupt:
            PyErr_SetInterrupt()  # Nothing can be raised here; it is in the next line of Python.

    # -- what the user calls -------------------------------------------------------------------

    def step(self, actions, out):
        """Step all rows; returns (observation, reward, terminated, truncated, infos)."""
        self._begin(actions, out)
        try:
            self._check_and_step()
            return self._results()
        finally:
            self._drop_outputs()
            self._release(READY)

    def send(self, actions, out):
        """Begin a step in the worker threads; `recv` returns its results."""
        self._begin(actions, out)
        try:
            # The caller may change its array before the step is done.
            self._set_action(self.action.copy())
            self._check_and_send()
        except BaseException:
            self._drop_outputs()
            self._release(READY)
            raise
        self.status = SENT

    def recv(self):
        """Wait for the step that `send` began, working on it too; returns the same as `step`."""
        if self.status == SENT and self.status_forks != forks():
            self._notice_fork()
            raise self.checks.refuse("recv", "forked")
        if self.status != SENT:
            raise self.checks.refuse("recv", NAMES[self.status])
        self.status = STEPPING
        try:
            if self.offered:
                with nogil:
                    self.finished_rows = self._finish_job()
                self.offered = False
                self._raise_if_failed(kernels_STEP)
            return self._results()
        finally:
            self._drop_outputs()
            self._release(READY)

    def exclusively(self, str operation, function, *arguments, bint unreset=False, bint resets=False):
        """Return `function(*arguments)`, which may read and write the columns: every other call is kept out.

        A signal's handler may raise between any two lines of Python: there, what was begun might not be ended.
        `unreset` says whether `operation` is allowed before the first reset, `resets` whether every row has an
        episode once it is done.
        """
        self._notice_fork()
        if self.status != READY and not (unreset and self.status in (UNRESET, TORN)):
            raise self.checks.refuse(operation, NAMES[self.status])
        cdef int status = self.status
        self.status_before = status
        self._take_over()
        try:
            result = function(*arguments)
            self.is_torn = False
            if resets:
                status = READY
            return result
        finally:
            self._release(status)

    def tear(self):
        """In a function called `exclusively`: from here to its end the rows are in an unknown state."""
        self.is_torn = True

    @property
    def was_reset(self):
        """In a function called `exclusively`: whether every row had an episode when it was called."""
        return self.status_before == READY

    def output(self, out):
        """Return the arrays that observations of a reset go into: those of `out`, once checked, or new ones."""
        return self._outputs(
            self.observations, self.observation_slots, None if out is None else self.checks.observation_leaves(out))

    def reset(self, observation, kept):
        """In a function called `exclusively`: reset the rows that `tile.selected` marks, observe all rows.

        Args:
            observation: what `output` returned.
            kept: in the checked mode, what `Guard.keep` returned before anything was changed.

        Returns the observations and the infos of the rows that were reset.
        """
        infos = {}
        self.observation = observation
        if self.infos is not None:
            self.info = self._all_outputs(self.informations, self.info_slots, None)
        if self.statistics:
            self.now[0] = time.perf_counter()
        if self.guard is not None:
            self.guard.begin(kept)
        try:
            if self.kernel is NULL:
                self._interpret(kernels_RESET)
            else:
                with nogil:
                    self.finished_rows = self._run_alone(kernels_RESET)
                self._raise_if_failed(kernels_RESET)
            if self.infos is not None:
                self.infos.add(infos, self.info, self.tile.selected, True)
        finally:
            self.observation = self.info = None
        self.notice_pending()
        return self._observation(observation), infos

    def notice_pending(self):
        """In a function called `exclusively`: learn which rows are over, where their columns were written from outside."""
        self.finished_rows = int(np.count_nonzero(self.tile.pending)) if self.disabled else 0

    def close(self):
        """Finish a step that `send` began, and let the threads go; later calls are refused."""
        self._notice_fork()
        if self.status == STEPPING:
            raise self.checks.refuse("close", NAMES[self.status])
        try:
            self._leave_pool()
        finally:
            self._drop_outputs()
            self.status = CLOSED

    # -- a step, piece by piece ----------------------------------------------------------------

    cdef void _take_over(self) noexcept:
        """From here on another thread is refused."""
        self.status = STEPPING
        self.status_forks = forks()

    cdef void _release(self, int status) noexcept:
        """From here on another thread may call."""
        self.status = TORN if self.is_torn else status
        self.is_torn = False

    cdef void _notice_fork(self) noexcept:
        # Whoever was at work on the rows when this process was forked is not in it.
        if self.status in (STEPPING, SENT) and self.status_forks != forks():
            self.status = UNRESET
            self.is_torn = False
            self._drop_outputs()

    cdef int _raise_if_failed(self, int64_t task) except -1:
        if self.finished_rows < 0:
            self.finished_rows = 0
            self.is_torn = True
            _raise_signal()
            if self.guard is None:
                raise self.checks.failed()
            self._explain(task)
        return 0

    cdef int _explain(self, int64_t task) except -1:
        """In the checked mode: put the rows back, and raise what went wrong in which."""
        error = self.guard.explain(self._tile_at_work(), task, self.interpreted)
        if self.disabled:
            self.finished_rows = int(np.count_nonzero(self.tile.pending))
        self.is_torn = False
        raise error

    cdef int _begin(self, object actions, object out) except -1:
        """Check everything, then take the outputs: nothing changes if this raises."""
        cdef int kind
        if self.status != READY:
            self._notice_fork()
            raise self.checks.refuse("step", NAMES[self.status])
        if self.disabled and self.finished_rows:
            raise self.checks.unfinished(self.tile.pending)
        self._take_over()
        try:
            if out is not None:
                out = self.checks.outputs(out)
            kind = OWN
            if not self._is_batch_of_actions(actions):
                actions, kind = self.checks.convert(actions)
            if kind != self.kind:
                self._use_kernel(kind)
            self._set_action(actions)
            self.observation = self._outputs(
                self.observations, self.observation_slots, None if out is None else out[0])
            self.reward = self._output(self.rewards, self.reward_slot, None if out is None else out[1], "reward")
            self.terminated = self._output(self.flags, self.terminated_slot, None if out is None else out[2], "terminated")
            self.truncated = self._output(self.flags, self.truncated_slot, None if out is None else out[3], "truncated")
            if self.same_step:
                self.final_observation = self._outputs(self.observations, self.final_slots, None)
            if self.infos is not None:
                self.info = self._all_outputs(self.informations, self.info_slots, None)
                self.first_restarts = self.tile.pending[0] and not self.same_step
                if self.same_step:
                    self.final_info = self._all_outputs(self.informations, self.final_info_slots, None)
            if self.statistics:
                self.now[0] = time.perf_counter()
                self.returns = self._output(self.totals, self.returns_slot, None, "")
                self.lengths = self._output(self.counts, self.lengths_slot, None, "")
                self.durations = self._output(self.totals, self.durations_slot, None, "")
            if out is not None:
                self._keep_apart(out[0] + list(out[1:]))
        except BaseException:
            self._drop_outputs()
            self._release(READY)
            raise
        return 0

    cdef int _use_kernel(self, int kind) except -1:
        """Step with the kernel for this kind of actions, compiled if there is none yet."""
        kernel = self.kernels.of(kind)
        self.interpreted = kernel.interpreted
        if kernel.loops is not None:
            self.kernel = <Kernel> <size_t> kernel.loops.kernel
            self.table[-1] = kernel.loops.address
        self.kind = kind

    cdef void _set_action(self, object actions):
        self.action = actions
        # Where kernels read the callers' array itself; else the same slot.
        self.table[self.action_slot] = self.table[self.choice_slot] = (
            <int64_t> cnp.PyArray_DATA(actions))

    cdef bint _is_batch_of_actions(self, object actions):
        return (
            type(actions) is cnp.ndarray
            and <PyObject*> cnp.PyArray_DESCR(actions) == <PyObject*> self.action_dtype
            and cnp.PyArray_CHKFLAGS(actions, cnp.NPY_ARRAY_CARRAY_RO)
            and cnp.PyArray_NDIM(actions) == len(self.action_shape)
            and cnp.PyArray_DIM(actions, 0) == self.rows
            and (len(self.action_shape) == 1 or actions.shape == self.action_shape)
        )

    cdef object _outputs(self, tuple pools, tuple slots, list out):
        """Take the arrays of observations: one, or a list of the leaves."""
        if self.flat:
            return self._output(
                <BufferPool> pools[0], slots[0], None if out is None else out[0], "observation")
        return self._all_outputs(pools, slots, out)

    cdef list _all_outputs(self, tuple pools, tuple slots, list out):
        if out is None:
            return [self._output(<BufferPool> pools[k], slots[k], None, "") for k in range(len(pools))]
        return [
            self._output(<BufferPool> pools[k], slots[k], out[k], f"observation{self.layout.paths[k]}")
            for k in range(len(pools))
        ]

    cdef object _output(self, BufferPool buffers, int slot, object array, str name):
        if array is None:
            array = buffers.take()
        elif not buffers.accepts(array):
            raise self.checks.bad_output(name, array, buffers.shape, buffers.dtype)
        self.table[slot] = <int64_t> cnp.PyArray_DATA(array)
        return array

    cdef int _keep_apart(self, list out) except -1:
        """Raise if one of these arrays lies in the memory of the actions, which the step reads as it writes."""
        for array in out:
            if array is not None and share_memory([self.action, array]):
                raise self.checks.shared_with_actions()
        return 0

    cdef object _results(self):
        cdef dict infos = {}
        cdef bint first_restarts = self.first_restarts
        if self.finished_rows and (self.same_step or self.statistics):
            over = np.logical_or(self.terminated, self.truncated)
            if self.same_step:
                infos["final_obs"] = self._observation(self.final_observation)
                infos["_final_obs"] = over
                infos["final_info"] = {}
                infos["_final_info"] = over.copy()
                if self.infos is not None:
                    first_restarts = over[0]
                    self.infos.add(infos["final_info"], self.final_info, over, False)
            if self.statistics:
                infos["episode"] = {"r": self.returns, "l": self.lengths, "t": self.durations}
                infos["_episode"] = over.copy()
        if self.infos is not None:
            self.infos.add(infos, self.info, None, first_restarts)
        seen = StepInfos.of(infos, self.layout.space) if "final_obs" in infos else infos
        return self._observation(self.observation), self.reward, self.terminated, self.truncated, seen

    cdef inline object _observation(self, object arrays):
        return arrays if self.flat else self.outer(arrays)

    cdef void _drop_outputs(self) noexcept:
        # The driver must not hold what it returned, or the pools would never see it free.
        self.action = self.observation = self.reward = self.terminated = self.truncated = None
        self.final_observation = self.returns = self.lengths = self.durations = None
        self.info = self.final_info = None

    # -- running a task ------------------------------------------------------------------------

    cdef int _check_and_step(self) except -1:
        """Step all rows, unless an action is bad: then no row is stepped, and an error is raised."""
        cdef int64_t bad, start
        cdef double work = self.ns_a_row * self.rows
        if self.guard is not None:
            self.guard.begin()
        if self.kernel is NULL:
            bad = self._interpret(kernels_CHECK)
            if not bad:
                self.finished_rows = self._interpret(kernels_STEP)
        elif not self.is_calibrated and self.guard is None:
            with nogil:
                bad = run_kernel(self.kernel, self.table, kernels_CHECK, 0, self.rows)
                start = nanoseconds()
                if not bad:
                    self.finished_rows = run_alone(
                        self.kernel, self.table, kernels_STEP, self.rows, MAX_TILE_ROWS, 1)
            if not bad and self.finished_rows >= 0:
                self._calibrate(<double> (nanoseconds() - start))
        elif self.num_threads > 1 and self.rows > self.tile_rows and work >= <double> PARALLEL_FROM:
            self._join_pool()
            with nogil:
                # Shared out too, so that workers wake up meanwhile and find their actions in cache.
                bad = self._share(kernels_CHECK)
                if not bad:
                    self.finished_rows = self._share(kernels_STEP)
        elif work >= <double> RELEASE_GIL_FROM or self.guard is not None:
            with nogil:
                bad = run_kernel(self.kernel, self.table, kernels_CHECK, 0, self.rows)
                if not bad:
                    self.finished_rows = self._run_alone(kernels_STEP)
        else:
            bad = run_kernel(self.kernel, self.table, kernels_CHECK, 0, self.rows)
            if not bad:
                self.finished_rows = self._run_alone(kernels_STEP)
        if bad:
            _raise_signal()
            self._set_action(self.checks.clipped(self.action))
            return self._check_and_step()
        return self._raise_if_failed(kernels_STEP)

    cdef int _check_and_send(self) except -1:
        if self.kernel is NULL or self.guard is not None:
            return self._check_and_step()
        with nogil:
            bad = run_kernel(self.kernel, self.table, kernels_CHECK, 0, self.rows)
        if bad:
            self._set_action(self.checks.clipped(self.action))
            return self._check_and_send()
        self._join_pool()
        self._start_job(kernels_STEP)
        with nogil:
            pool().offer(self.job, max(1, self.num_threads - 1))
        self.offered = True
        return 0

    cdef void _start_job(self, int64_t task) noexcept nogil:
        self.job.get().start(self.kernel, self.table, task, self.rows, self.tile_rows, self.tiles_a_look)

    cdef int64_t _share(self, int64_t task) noexcept nogil:
        """Run a task with the workers' help."""
        self._start_job(task)
        pool().offer(self.job, self.num_threads - 1)
        return self._finish_job()

    cdef int64_t _finish_job(self) noexcept nogil:
        self.job.get().work(0)
        pool().withdraw(self.job)
        return self.job.get().wait()

    cdef int64_t _run_alone(self, int64_t task) noexcept nogil:
        # How long a reset takes is not known.
        cdef uint32_t tiles_a_look = 1 if task == kernels_RESET else self.tiles_a_look
        return run_alone(self.kernel, self.table, task, self.rows, self.tile_rows, tiles_a_look)

    cdef void _calibrate(self, double ns) noexcept:
        """Learn from the first steps how long a row takes, and cut tiles by it."""
        self.timed_calls += 1
        self.timed_ns += ns
        self.is_calibrated = self.timed_calls >= MOST_TIMED_CALLS or (
            self.timed_calls >= FEWEST_TIMED_CALLS and self.timed_ns >= <double> CALIBRATION
        )
        if self.timed_calls == 1 or ns < self.ns_a_row * self.rows:
            self.ns_a_row = ns / self.rows
        self._cut_tiles(<int64_t> (TILE / max(self.ns_a_row, 0.1)))

    cdef void _cut_tiles(self, int64_t rows) noexcept:
        """Choose tiles of about `rows` rows, equal, and as many for each thread."""
        cdef int64_t least = MIN_SLOW_ROWS if self.ns_a_row >= <double> SLOW_ROW else MIN_TILE_ROWS
        cdef int64_t most = min(MAX_TILE_ROWS, max(least, rows))
        cdef int64_t shares = max(2, divide_up(self.rows, most * self.num_threads))
        rows = divide_up(self.rows, shares * self.num_threads)
        self.tile_rows = divide_up(rows, least) * least
        self.tiles_a_look = <uint32_t> max(1.0, LOOK / max(self.ns_a_row * self.tile_rows, TILE))

    cdef int _join_pool(self) except -1:
        if self.in_pool and self.job_forks == forks():
            return 0
        # A send() needs a worker even where a step is the caller's alone.
        cdef int workers = max(1, self.num_threads - 1)
        cdef int started
        self._leave_pool()
        self.job = make_shared[Job](workers + 1)
        self.job_forks = forks()
        with nogil:
            started = pool().enter(workers)
        self.in_pool = True
        if started < workers:
            self.checks.warn_of_threads(started, workers)
        return 0

    cdef int _leave_pool(self) except -1:
        if not self.in_pool:
            return 0
        if self.job_forks == forks():
            with nogil:
                if self.offered:
                    self._finish_job()
                pool().leave()
        else:
            # The parent's threads may have been in the job when this process began.
            leak(self.job)
        self.in_pool = self.offered = False
        return _raise_signal()

    cdef object _interpret(self, int64_t task):
        self.is_torn = self.is_torn or task != kernels_CHECK
        try:
            result = self.interpreted(self._tile_at_work(), task, 0, self.rows)
        except Exception:
            if self.guard is None:
                raise
            self._explain(task)
        # That of a reset ends with the function that called it.
        if task == kernels_STEP:
            self.is_torn = False
        return result

    cdef object _tile_at_work(self):
        """Return the tile with the arrays of this step in place of the ones that it was compiled for."""
        tile = self.tile
        changes = {}
        if self.action is not None:
            # Actions can only be read.
            for name in ("action", "choice") if self.choice_slot != self.action_slot else ("action",):
                changes[name] = self.action.reshape(getattr(tile, name).shape)
                changes[name].flags.writeable = False
        for name, array in (
            ("reward", self.reward), ("terminated", self.terminated), ("truncated", self.truncated),
        ):
            if array is not None:
                changes[name] = array
        for name, arrays in (
            ("observation", self.observation), ("final_observation", self.final_observation),
        ):
            if arrays is not None:
                changes[name] = self.layout.inner([arrays] if self.flat else arrays)
        for name, arrays in (("info", self.info), ("final_info", self.final_info)):
            if arrays is not None:
                changes[name] = self.infos.inner(arrays)
        if self.returns is not None:
            changes["episode"] = tile.episode._replace(
                returns=self.returns, lengths=self.lengths, durations=self.durations)
        return tile._replace(**changes)


cdef inline int64_t divide_up(int64_t a, int64_t b) noexcept nogil:
    return (a + b - 1) // b


cdef int _raise_signal() except -1:
    """Raise what a signal's handler raised while a task was at work, if one did."""
    return 0 if PyErr_Occurred() is NULL else -1


cdef int OWN = actions_module.OWN
cdef int64_t kernels_CHECK = kernels_module.CHECK_ACTIONS
cdef int64_t kernels_STEP = kernels_module.STEP
cdef int64_t kernels_RESET = kernels_module.RESET
