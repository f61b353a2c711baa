"""Threads change nothing but the time: results, errors, forks and exits are as without them."""

import gc
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import UserDict
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium import error
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim import registry
from batchsim.compiler import compile
from batchsim.compiler.safety import may_step_finished_rows
from batchsim.math import sin
from batchsim.random import uniform

# Forking with threads is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

SMALL = 64 * 9 + 5  # ten tiles, the last one short
LIMIT = 13


@pytest.fixture(params=oracle.MODELS)
def name(request):
    return request.param


def make(name="CartPole-v1", num_envs=SMALL, num_threads=2, **kwargs):
    kwargs.setdefault("max_episode_steps", LIMIT)
    return batchsim.make_vec(name, num_envs, num_threads=num_threads, **kwargs)


def run_python(code, timeout=240):
    """Run code in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    return done.stdout.strip()


# -- send and recv ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_thousands_of_small_parallel_steps_are_the_same_as_serial_ones(opened, name, mode):
    parallel = opened(make(name, autoreset_mode=mode, num_threads=2))
    serial = opened(make(name, autoreset_mode=mode, num_threads=1))
    actions = oracle.Actions(serial)
    batches = [actions() for _ in range(50)]
    oracle.assert_same_reset(serial.reset(seed=1), parallel.reset(seed=1))
    for t in range(3000):
        expected = serial.step(batches[t % 50])
        parallel.send(batches[t % 50])
        oracle.assert_same_step(expected, parallel.recv(), f"step {t}")


def test_more_threads_than_tiles_and_cores_do_no_harm(opened):
    envs = [opened(make(num_envs=n, num_threads=17)) for n in (1, 64, 65, 129)]
    twins = [opened(make(num_envs=env.num_envs, num_threads=1)) for env in envs]
    for env in envs + twins:
        env.reset(seed=0)
    for t in range(200):
        for env, twin in zip(envs, twins, strict=True):
            batch = np.full(env.num_envs, t % 2)
            oracle.assert_same_step(twin.step(batch), oracle.send_and_receive(env, batch), str(t))


class Slow(NamedTuple):
    value: float


class SlowRows:
    """An environment whose rows take microseconds."""

    ID = "SlowRows-v0"
    State = Slow
    OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)
    ACTION = Discrete(2)

    @staticmethod
    def reset(s, i, p, rng):
        s.value[i] = uniform(rng, i, 0.0, 1.0)

    @staticmethod
    def step(s, i, action, p, rng):
        for _ in range(200):
            s.value[i] = sin(s.value[i] + action)
        return s.value[i], False

    @staticmethod
    def observe(s, i, p, out):
        out[0] = s.value[i]


@pytest.mark.parametrize("num_envs", [1, 7, 8, 9, 20, 64, 100])
def test_few_slow_rows_are_shared_out_too(opened, num_envs):
    settings = {"num_envs": num_envs, "max_episode_steps": 30}
    parallel, serial = (opened(make(SlowRows, num_threads=k, **settings)) for k in (2, 1))
    oracle.assert_same_reset(serial.reset(seed=2), parallel.reset(seed=2))
    for t in range(40):
        batch = np.arange(num_envs) % 2
        oracle.assert_same_step(serial.step(batch), parallel.step(batch), f"step {t}")
    assert parallel._driver.tile_rows == 8


class Failing(SlowRows):
    """Raises for an action of 1."""

    @staticmethod
    def step(s, i, action, p, rng):
        if action == 1:
            raise ValueError
        for _ in range(50):
            s.value[i] = sin(s.value[i])
        return s.value[i], False


@pytest.mark.parametrize("method", [oracle.step, oracle.send_and_receive])
@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("num_envs", [1000, 300_000])
def test_however_many_tiles_fail_the_step_raises(opened, num_envs, num_threads, method):
    envs = opened(make(Failing, num_envs, num_threads=num_threads))
    envs.reset(seed=0)
    for _ in range(4):
        envs.step(np.zeros(num_envs, np.int64))
    with pytest.raises(RuntimeError, match="raised an exception in compiled code"):
        method(envs, np.ones(num_envs, np.int64))
    with pytest.raises(error.ResetNeeded, match="after a call that was broken off"):
        envs.step(np.zeros(num_envs, np.int64))
    envs.reset(seed=0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of a process's memory")
def test_where_threads_cannot_start_steps_go_on_with_those_that_are_there():
    printed = run_python("""
        import re, resource, warnings
        from pathlib import Path
        import numpy as np
        import batchsim
        from batchsim.batch._driver import live_threads

        envs = [batchsim.make_vec("CartPole-v1", 9000, num_threads=64) for _ in range(3)]
        twin = batchsim.make_vec("CartPole-v1", 9000, num_threads=1)
        batch = np.ones(9000, np.int64)
        expected = []
        twin.reset(seed=0)
        for t in range(40):
            expected.append(twin.step(batch))
        for env in envs:
            env.reset(seed=0)
        # Room for the stacks of a few threads.
        size = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (size + 40 * 2**20, resource.RLIM_INFINITY))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for results in expected:
                for k, env in enumerate(envs):
                    env.send(batch)
                    found = env.recv()
                    assert all((a == b).all() for a, b in zip(found[:4], results[:4]))
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        started = live_threads()
        for env in envs:
            env.close()
        (warning,) = caught
        print(started < 63, live_threads(), warning.category.__name__, str(warning.message)[:38])
    """)
    assert re.fullmatch(r"True 0 RuntimeWarning batchsim could start \d+ of 63 threads.*", printed)


def test_steps_of_several_environments_can_be_under_way_at_once(opened):
    envs = [opened(make(num_envs=200 + 100 * k, num_threads=2)) for k in range(5)]
    twins = [opened(make(num_envs=env.num_envs, num_threads=1)) for env in envs]
    for env in envs + twins:
        env.reset(seed=env.num_envs)
    rng = np.random.default_rng(0)
    for t in range(300):
        batches = [rng.integers(0, 2, env.num_envs) for env in envs]
        for env, batch in zip(envs, batches, strict=True):
            env.send(batch)
        for k in rng.permutation(len(envs)):
            oracle.assert_same_step(twins[k].step(batches[k]), envs[k].recv(), f"{k}, step {t}")


def test_actions_changed_after_send_do_not_matter(opened, name):
    env, twin = opened(make(name, 50_000)), opened(make(name, 50_000, num_threads=1))
    actions = oracle.Actions(env)
    env.reset(seed=0)
    twin.reset(seed=0)
    for t in range(30):
        batch = actions()
        expected = twin.step(batch)
        env.send(batch)
        batch[...] = -77  # not even a member of the action space
        oracle.assert_same_step(expected, env.recv(), f"step {t}")


def test_a_temporary_action_array_lives_as_long_as_the_step(opened):
    env, twin = opened(make(num_envs=50_000)), opened(make(num_envs=50_000, num_threads=1))
    env.reset(seed=0)
    twin.reset(seed=0)
    for t in range(20):
        env.send(np.full(50_000, t % 2, np.int8))
        garbage = [np.full(50_000, 9) for _ in range(3)]
        oracle.assert_same_step(twin.step(np.full(50_000, t % 2)), env.recv(), f"step {t}")
        del garbage


def test_recv_may_be_called_by_another_thread(opened):
    env, twin = opened(make()), opened(make(num_threads=1))
    env.reset(seed=0)
    twin.reset(seed=0)
    batch = np.ones(SMALL, np.int64)
    for t in range(20):
        env.send(batch)
        results = []
        thread = threading.Thread(target=lambda: results.append(env.recv()))  # noqa: B023
        thread.start()
        thread.join()
        oracle.assert_same_step(twin.step(batch), results[0], f"step {t}")


# -- Several Python threads ------------------------------------------------------------------------


def run_threads(functions):
    """Run each in a thread of its own; raise what they raised."""
    failures = []

    def guarded(function):
        try:
            function()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


@pytest.mark.parametrize("num_envs", [SMALL, 30_000])
def test_several_threads_step_an_environment_each(opened, num_envs):
    steps = 300 if num_envs == SMALL else 40
    names = [oracle.MODELS[k % len(oracle.MODELS)] for k in range(4)]
    envs = [opened(make(name, num_envs)) for name in names]
    expected = []
    for k, name in enumerate(names):
        twin = make(name, num_envs, num_threads=1)
        actions = oracle.Actions(twin, seed=k)
        twin.reset(seed=k)
        for _ in range(steps):
            results = twin.step(actions())
        expected.append(results)
        twin.close()

    def work(k):
        actions = oracle.Actions(envs[k], seed=k)
        envs[k].reset(seed=k)
        for t in range(steps):
            function = oracle.send_and_receive if (t + k) % 2 else oracle.step
            results = function(envs[k], actions())
        oracle.assert_same_step(expected[k], results, names[k])

    run_threads([lambda k=k: work(k) for k in range(4)])


def test_several_threads_open_and_close_environments():
    def work(k):
        for turn in range(25):
            env = make(num_envs=100 + k, num_threads=1 + turn % 3)
            observations, _ = env.reset(seed=turn)
            batch = np.ones(100 + k, np.int64)
            env.send(batch)
            if turn % 2:
                env.recv()
            if turn % 3:
                env.close()
            assert observations.shape == (100 + k, 4)

    run_threads([lambda k=k: work(k) for k in range(4)])


def test_threads_that_load_a_kernel_at_once_share_it(monkeypatch):
    # Two would have functions of one name, and both batches would run those of the first.
    make().close()
    load, loaded = compile._load, []

    def load_slowly(key):
        time.sleep(0.1)
        loaded.append(load(key))
        return loaded[-1]

    monkeypatch.setattr(compile, "_loaded", {})
    monkeypatch.setattr(compile, "_loaded_code", {})
    monkeypatch.setattr(compile, "_load", load_slowly)
    found = []

    def work():
        env = make()
        found.append(env.kernel)
        env.close()

    run_threads([work] * 3)
    assert len(loaded) == len(set(map(id, loaded))) > 1
    assert all(kernel is found[0] for kernel in found)


def test_sources_are_read_by_several_threads_at_once():
    # Garbage collected in the middle lets another thread in, as a batch does that waits for its
    # threads.
    class Waiting:
        def __init__(self):
            self.myself = self

        def __del__(self):
            time.sleep(0.0005)

    definition, _ = registry.read("CartPole-v1")

    def work():
        for _ in range(20):
            Waiting()
            assert may_step_finished_rows(definition)

    threshold = gc.get_threshold()
    gc.set_threshold(50)
    try:
        run_threads([work] * 3)
    finally:
        gc.set_threshold(*threshold)


def test_two_threads_on_one_environment_are_refused_not_mixed_up(opened):
    n = 40_000
    env, twin = opened(make(num_envs=n)), opened(make(num_envs=n))
    env.reset(seed=0)
    twin.reset(seed=0)
    accepted = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def work(dtype):
        batch = np.zeros(n, dtype)  # int8 is converted: the interpreter may switch there
        for _ in range(70):
            try:
                env.step(batch)
                accepted.append(1)
            except error.AlreadyPendingCallError as refusal:
                assert "another thread" in str(refusal)  # noqa: PT017

    try:
        run_threads([lambda: work(np.int64), lambda: work(np.int8), lambda: work(np.int32)])
    finally:
        sys.setswitchinterval(interval)
    batch = np.zeros(n, np.int64)
    for _ in accepted:
        twin.step(batch)
    oracle.assert_same_step(twin.step(batch), env.step(batch), "afterwards")
    oracle.assert_same_streams(twin, env)


class Sneaky:
    """Actions that, while they are being converted, let another call slip in."""

    def __init__(self, actions, call):
        self.actions = actions
        self.call = call
        self.refusal = None

    def __array__(self, dtype=None, copy=None):
        try:
            self.call()
        except error.AlreadyPendingCallError as refusal:
            self.refusal = refusal
        return self.actions


@pytest.mark.parametrize("intruder", ["step", "send", "reset", "close", "get_state", "np_random"])
@pytest.mark.parametrize("method", ["step", "send"])
def test_a_call_that_slips_in_while_another_converts_is_refused(name, method, intruder):
    # Whatever runs then, a thread or an array's own code, must not get between check and step.
    env, twin = make(name), make(name, num_threads=1)
    env.reset(seed=0)
    twin.reset(seed=0)
    batch = oracle.Actions(env)()
    arguments = [batch] if intruder in ("step", "send") else []
    sneaky = Sneaky(batch, lambda: getattr(env, intruder)(*arguments))
    found = getattr(env, method)(sneaky)
    if method == "send":
        found = env.recv()
    assert isinstance(sneaky.refusal, error.AlreadyPendingCallError)
    oracle.assert_same_step(twin.step(batch), found)
    oracle.assert_same_step(twin.step(batch), env.step(batch))
    env.close()
    twin.close()


def test_a_step_that_slips_in_while_reset_reads_its_options_is_refused(opened):
    env, twin = opened(make()), opened(make(num_threads=1))
    env.reset(seed=0)
    twin.reset(seed=0)
    batch = np.ones(SMALL, np.int64)
    refusals = []

    class Options(UserDict):
        def keys(self):
            try:
                env.send(batch)
            except error.AlreadyPendingCallError as refusal:
                refusals.append(refusal)
            return super().keys()

    found = env.reset(seed=5, options=Options(low=-0.01))
    assert refusals
    oracle.assert_same_reset(twin.reset(seed=5, options={"low": -0.01}), found)
    oracle.assert_same_step(twin.step(batch), env.step(batch))


def test_closing_while_another_thread_steps_is_refused_or_final(name):
    env = make(name, 60_000)
    env.reset(seed=0)
    batch = oracle.Actions(env)()
    steps = []
    refused = []

    def work():
        for _ in range(100):
            try:
                steps.append(env.step(batch)[0])
            except error.ClosedEnvironmentError:
                return

    def close():
        while len(steps) < 100:
            try:
                env.close()
                return
            except error.AlreadyPendingCallError as refusal:
                refused.append(refusal)
                time.sleep(0.001)

    run_threads([work, close])
    env.close()
    for call in (lambda: env.step(batch), env.reset):
        with pytest.raises(error.ClosedEnvironmentError):
            call()


# -- Closing, forgetting, leaving ------------------------------------------------------------------


def test_closing_while_a_step_is_under_way_waits_for_it(name):
    for _ in range(30):
        env = make(name, 20_000)
        env.reset(seed=0)
        env.send(oracle.Actions(env)())
        env.close()
        with pytest.raises(error.ClosedEnvironmentError):
            env.recv()


def test_many_openings_and_closings_leave_no_threads():
    printed = run_python("""
        import gc, os
        import numpy as np
        import batchsim
        from batchsim.batch._driver import live_threads

        def tasks():
            return len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 0

        def use(k, how):
            env = batchsim.make_vec("CartPole-v1", 200, num_threads=1 + k % 4)
            if how == "never reset":
                return
            env.reset(seed=k)
            batch = np.ones(200, np.int64)
            env.step(batch)
            env.send(batch)
            if how == "sent":
                return
            env.recv()
            if how == "closed":
                env.close()
                env.close()

        use(0, "closed")
        before = tasks()
        assert live_threads() == 0, live_threads()
        for how in ("closed", "forgotten", "sent", "never reset"):
            for k in range(40):
                use(k, how)
            gc.collect()
            assert live_threads() == 0, (how, live_threads())
            assert tasks() == before, (how, tasks(), before)
        envs = [batchsim.make_vec("CartPole-v1", 200, num_threads=k) for k in (2, 4)]
        for env in envs:
            env.reset(seed=0)
            env.send(np.ones(200, np.int64))
        assert 1 <= live_threads() <= 3, live_threads()
        for env in envs:
            env.close()
        assert live_threads() == 0, live_threads()
        print("done")
    """)
    assert printed == "done"


def test_a_cycle_of_references_is_collected_with_its_threads():
    printed = run_python("""
        import gc
        import numpy as np
        import batchsim
        from batchsim.batch._driver import live_threads

        for _ in range(20):
            env = batchsim.make_vec("CartPole-v1", 500, num_threads=2)
            env.reset(seed=0)
            env.myself = env
            env.send(np.ones(500, np.int64))
            del env
        gc.collect()
        assert live_threads() == 0, live_threads()
        print("done")
    """)
    assert printed == "done"


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "env.send(batch)",
        "env.send(batch); raise SystemExit",
        "keep = env; sys.keep = env",
        "threading.Thread(target=forever, daemon=True).start(); time.sleep(0.1)",
        "env.close()",
    ],
)
def test_the_process_ends_whatever_is_under_way(ending):
    run_python(f"""
        import sys, threading, time
        import numpy as np
        import batchsim

        env = batchsim.make_vec("CartPole-v1", 100_000, num_threads=2)
        env.reset(seed=0)
        batch = np.ones(100_000, np.int64)
        for _ in range(20):
            env.step(batch)

        def forever():
            while True:
                env.step(batch)

        {ending}
    """)


def test_idle_threads_use_no_processor_time():
    env = make(num_envs=20_000)
    env.reset(seed=0)
    for _ in range(30):
        oracle.send_and_receive(env, np.ones(20_000, np.int64))
    time.sleep(0.05)
    start = time.process_time()
    time.sleep(0.5)
    used = time.process_time() - start
    env.close()
    assert used < 0.1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs an affinity mask")
def test_the_number_of_threads_follows_the_affinity_mask():
    printed = run_python("""
        import os
        import batchsim
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(batchsim.make_vec("CartPole-v1", 10).num_threads)
    """)
    assert printed == "1"


# -- Forks -----------------------------------------------------------------------------------------

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_child(function, timeout=100):
    """Run a function in a forked child; assert that it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(timeout)  # A child that hangs is killed.
            function()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert not os.WIFSIGNALED(status), f"the child was killed by signal {os.WTERMSIG(status)}"
    assert os.WEXITSTATUS(status) == 0


def drive(env, steps=30, seed=3):
    """The last of so many steps, half of them by way of the threads."""
    env.reset(seed=seed)
    actions = oracle.Actions(env, seed=seed)
    for t in range(steps):
        results = (oracle.send_and_receive if t % 2 else oracle.step)(env, actions())
    return results


@needs_fork
@pytest.mark.parametrize("num_envs", [SMALL, 30_000])
def test_a_forked_child_has_a_working_pool(opened, name, num_envs):
    env = opened(make(name, num_envs))
    expected = drive(env)

    def child():
        oracle.assert_same_step(expected, drive(env), "the parent's environment")
        fresh = make(name, num_envs)
        oracle.assert_same_step(expected, drive(fresh), "a new environment")
        fresh.close()
        env.close()

    for _ in range(3):
        in_child(child)
    oracle.assert_same_step(expected, drive(env), "the parent afterwards")


@needs_fork
def test_a_child_goes_on_where_the_parent_stood(opened):
    env, twin = opened(make()), opened(make(num_threads=1))
    for made in (env, twin):
        drive(made, 10)
    batch = np.ones(SMALL, np.int64)
    expected = [twin.step(batch) for _ in range(40)]

    def go_on():
        for results in expected:
            oracle.assert_same_step(results, oracle.send_and_receive(env, batch))

    in_child(go_on)
    go_on()


@needs_fork
def test_children_of_children_have_working_pools(opened):
    env = opened(make())
    expected = drive(env)

    def child():
        oracle.assert_same_step(expected, drive(env))
        in_child(grandchild)
        oracle.assert_same_step(expected, drive(env))

    def grandchild():
        oracle.assert_same_step(expected, drive(env))
        env.close()

    in_child(child)


@needs_fork
def test_a_step_under_way_stays_with_the_parent(opened):
    env, twin = opened(make(num_envs=20_000)), opened(make(num_envs=20_000, num_threads=1))
    drive(env)
    drive(twin)
    batch = np.ones(20_000, np.int64)
    expected = drive(make(num_envs=20_000, num_threads=1))
    env.send(batch)

    def child():
        with pytest.raises(error.NoAsyncCallError):
            env.recv()
        with pytest.raises(error.ResetNeeded, match=r"call reset\(\) first"):
            env.step(batch)
        oracle.assert_same_step(expected, drive(env))
        env.close()

    def closes():
        env.close()
        gc.collect()

    in_child(child)
    in_child(closes)
    oracle.assert_same_step(twin.step(batch), env.recv(), "in the parent")


@needs_fork
def test_forking_while_another_thread_steps_gives_a_working_child():
    printed = run_python("""
        import os, signal, threading
        import numpy as np
        import batchsim

        def drive(env):
            env.reset(seed=3)
            batch = np.ones(env.num_envs, np.int64)
            for t in range(20):
                env.send(batch)
                results = env.recv()
                results = env.step(batch)
            return results[0].tobytes()

        expected = drive(batchsim.make_vec("CartPole-v1", 1000, num_threads=2))
        busy = batchsim.make_vec("CartPole-v1", 2000, num_threads=2)
        expected_of_busy = drive(busy)
        stop = False

        def work():
            batch = np.ones(2000, np.int64)
            while not stop:
                busy.send(batch)
                busy.recv()

        thread = threading.Thread(target=work)
        thread.start()
        failed = []
        for k in range(30):
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                # The thread that stepped it is not in this process.
                right = drive(busy) == expected_of_busy
                right &= drive(batchsim.make_vec("CartPole-v1", 1000, num_threads=2)) == expected
                busy = None
                os._exit(0 if right else 1)
            status = os.waitpid(child, 0)[1]
            if status:
                failed.append(status)
        stop = True
        thread.join()
        print(failed)
    """)
    assert printed == "[]"


@needs_fork
def test_forking_while_another_thread_compiles_gives_a_child_that_can_compile():
    printed = run_python("""
        import os, signal, threading, time
        import numba
        import numpy as np
        import batchsim
        from batchsim.compiler import compile

        def drive():
            env = batchsim.make_vec("CartPole-v1", 3)
            env.reset(seed=0)
            return env.step(np.ones(3, np.int64))[0].tobytes()

        expected = drive()
        compiled = 0
        stop = False

        def work():
            global compiled
            while not stop:
                constant = compiled
                numba.njit(lambda x: x * constant + np.sin(x))(1.0)
                compiled += 1

        thread = threading.Thread(target=work)
        thread.start()
        failed = []
        for k in range(5):
            while compiled < k + 1:
                time.sleep(0.001)
            time.sleep(0.02)  # Some way into the next one.
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                compile._loaded.clear()
                os._exit(0 if drive() == expected else 1)
            status = os.waitpid(child, 0)[1]
            if status:
                failed.append(status)
        stop = True
        thread.join()
        print(failed)
    """)
    assert printed == "[]"


def _last_bytes(seed):
    env = make()
    results = drive(env, seed=seed)
    env.close()
    return b"".join(array.tobytes() for array in results[:4])


def pool_gives_the_same_bits(method):
    env = make()
    drive(env)  # The threads of this process have started.
    expected = [_last_bytes(seed) for seed in range(4)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(_last_bytes, range(4), chunksize=2) == expected


@needs_fork
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_gives_the_same_bits(method):
    # In a process of its own: where SDL was set up, as renderers do, SIGTERM is an event to it, and
    # a pool's forked children cannot be ended.
    printed = run_python(f"""
        import sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        import test_threads
        print(test_threads.pool_gives_the_same_bits({method!r}))
    """)
    assert printed == "True"
